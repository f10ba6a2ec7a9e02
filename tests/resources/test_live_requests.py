"""How requests to the newer products look on the wire: filters, cursors and credentials."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from live_support import clip
from support import client_of

from humeai_async import HumeAI, Retry
from humeai_async.decisions import Noul
from humeai_async.errors import InvalidArgumentError, PermissionDeniedError, ServerError
from humeai_async.testing import FakeHume, Fault

pytestmark = pytest.mark.anyio

TIMES = {
    "started_after": dt.datetime(2026, 11, 1, 8, 30, tzinfo=dt.timezone(dt.timedelta(hours=2))),
    "started_before": "2026-12-01T00:00:00Z",
}
SENT_TIMES = {
    "started_after": "2026-11-01T06:30:00Z",
    "started_before": "2026-12-01T00:00:00Z",
}


@pytest.mark.parametrize(
    ("product", "filters"),
    [
        ("expression", {"user_id": "u", "status": "live", "mode": "file", "endpoint": "video"}),
        ("decisions", {"user_id": "u", "status": "errored"}),
    ],
)
async def test_each_filter_of_runs_goes_out_under_its_name(
    hume: HumeAI, fake: FakeHume, product: str, filters: dict[str, str]
) -> None:
    runs: Any = getattr(hume, product).runs
    await runs.list(page_size=7, **filters, **TIMES)
    assert dict(fake.requests[0].query) == {"page_size": "7", **filters, **SENT_TIMES}


async def test_the_filters_go_along_with_each_cursor(hume: HumeAI, fake: FakeHume) -> None:
    for _ in range(3):
        await hume.decisions.create(clip(), {"calm": Noul("Calm?")})
    assert len(await hume.decisions.runs.list(page_size=2, status="ended").collect()) == 3
    first, second = (dict(request.query) for request in fake.requests[3:])
    assert first == {"page_size": "2", "status": "ended"}
    assert second == {**first, "cursor": second["cursor"]}


async def test_the_service_judges_how_many_runs_are_on_a_page(hume: HumeAI, fake: FakeHume) -> None:
    # Of measurements only the default is documented; of decisions and events 200 are the most.
    fake.faults.add(Fault("status", status=200, body=b'{"runs": []}'))
    await hume.expression.runs.list(page_size=201)
    assert dict(fake.requests[0].query) == {"page_size": "201"}
    with pytest.raises(InvalidArgumentError, match="page_size"):
        hume.decisions.runs.list(page_size=201)
    with pytest.raises(InvalidArgumentError, match="page_size"):
        hume.expression.runs.events("r", page_size=201)


@pytest.mark.parametrize("kind", ["api_key", "access_token"])
async def test_a_key_or_a_token_is_sent_and_never_both(fake: FakeHume, kind: str) -> None:
    credential: dict[str, Any] = {kind: getattr(fake, kind)}
    async with HumeAI(base_url=fake.url, **credential) as hume:
        await hume.expression.measure_audio(clip())
        await hume.decisions.runs.list()
        async with hume.expression.connect_audio() as session:  # the stand-in wants it here too
            assert session.run_ids
    names = {"api_key": "x-hume-api-key", "access_token": "authorization"}
    assert len(fake.requests) == 2
    for request in fake.requests:
        given = {name for name in names.values() if name in request.headers}
        assert given == {names[kind]}
        assert not request.query


@pytest.mark.parametrize("status", [500, 503])
async def test_a_list_is_asked_for_again_where_an_upload_is_not(
    fake: FakeHume, status: int
) -> None:
    body = b'{"type": "error", "code": "server_busy", "message": "busy"}'
    fake.faults.add(Fault("status", status=status, body=body, times=2))
    async with client_of(fake, retry=Retry(initial_delay=0.001)) as hume:
        with pytest.raises(ServerError, match="busy") as caught:
            await hume.expression.measure_audio(clip())
        assert caught.value.code == "server_busy"
        assert len(await hume.expression.runs.list()) == 0
    assert [request.method for request in fake.requests] == ["POST", "GET", "GET"]


async def test_a_key_without_access_is_told_by_its_own_class(hume: HumeAI, fake: FakeHume) -> None:
    fake.faults.add(Fault("status", status=403, body=b'{"message": "no access"}'))
    with pytest.raises(PermissionDeniedError, match="no access"):
        await hume.expression.measure_audio(clip())
