"""What Hume has switched off: told once before, and again by the error that follows."""

from __future__ import annotations

import datetime as dt
import warnings

import pytest
from scripted_transport import ScriptedTransport, reply_json
from support import session_of

from humeai_async import HumeSunsetWarning, NotFoundError, Retry, SunsetError, catalog
from humeai_async.http import session as session_module
from humeai_async.http.endpoint import fill
from humeai_async.http.gateway import LowCodeAPI
from humeai_async.http.messages import Response
from humeai_async.http.origins import Direct, Origin
from humeai_async.http.session import Session

pytestmark = pytest.mark.anyio

HUME = Direct("https://api.hume.ai", api_key="key")
LATER = dt.date(2027, 1, 1)
CALL = fill(catalog.PRIVACY_GET_SETTINGS)


@pytest.fixture(autouse=True)
def _later(monkeypatch: pytest.MonkeyPatch) -> None:
    set_today(monkeypatch, LATER)


def set_today(monkeypatch: pytest.MonkeyPatch, day: dt.date) -> None:
    monkeypatch.setattr(session_module, "today", lambda: day)


def session_at(origin: Origin, *answers: Response) -> Session:
    otherwise = None if answers else reply_json({})
    return session_of(ScriptedTransport(*answers, otherwise=otherwise), origin=origin)


def count_warnings(caught: list[warnings.WarningMessage]) -> int:
    return sum(issubclass(one.category, HumeSunsetWarning) for one in caught)


async def test_a_client_warns_once_when_hume_itself_is_called_past_the_date() -> None:
    session = session_at(HUME)
    with pytest.warns(HumeSunsetWarning, match="2026-11-13"):
        await session.call(CALL)
    with warnings.catch_warnings(record=True) as caught:
        await session.call(CALL)
    assert count_warnings(caught) == 0


async def test_clients_with_other_options_share_the_one_warning() -> None:
    session = session_at(HUME)
    with pytest.warns(HumeSunsetWarning):
        await session.call(CALL)
    with warnings.catch_warnings(record=True) as caught:
        await session.with_settings(retry=Retry(attempts=2)).call(CALL)
    assert count_warnings(caught) == 0


async def test_each_client_warns_for_itself() -> None:
    for session in (session_at(HUME), session_at(HUME)):
        with pytest.warns(HumeSunsetWarning):
            await session.call(CALL)


@pytest.mark.parametrize(
    "origin",
    [
        LowCodeAPI("at_token"),
        Direct("https://hume.example.com", api_key="key"),
        Direct("https://api.hume.ai.example.com", api_key="key"),
        Direct("http://127.0.0.1:8080", api_key="key"),
    ],
    ids=str,
)
async def test_no_warning_through_a_gateway_or_a_base_url_of_ones_own(origin: Origin) -> None:
    with warnings.catch_warnings(record=True) as caught:
        await session_at(origin).call(CALL)
    assert count_warnings(caught) == 0


async def test_no_warning_before_the_date(monkeypatch: pytest.MonkeyPatch) -> None:
    set_today(monkeypatch, dt.date(2026, 11, 12))
    with warnings.catch_warnings(record=True) as caught:
        await session_at(HUME).call(CALL)
    assert count_warnings(caught) == 0


@pytest.mark.parametrize("status", [404, 410])
async def test_an_endpoint_that_is_gone_says_when_it_went_and_what_there_is_instead(
    status: int,
) -> None:
    session = session_at(Direct("https://hume.test", api_key="k"), reply_json({}, status))
    with pytest.raises(SunsetError, match="2026-06-15") as caught:
        await session.call(fill(catalog.BATCH_GET_JOB, "job"))
    assert caught.value.sunset == dt.date(2026, 6, 15)
    assert "api.cloud.hume.ai" in caught.value.replacement
    assert isinstance(caught.value, NotFoundError)


async def test_a_gateway_that_passes_the_404_on_is_told_apart_no_less() -> None:
    body = {"message": "gone", "provider": "humeai", "error": {"message": "gone"}, "headers": {}}
    session = session_at(LowCodeAPI("at_token"), reply_json(body, 404))
    with pytest.raises(SunsetError):
        await session.call(CALL)


async def test_a_404_before_the_date_is_an_ordinary_one(monkeypatch: pytest.MonkeyPatch) -> None:
    set_today(monkeypatch, dt.date(2026, 6, 14))
    session = session_at(Direct("https://hume.test", api_key="k"), reply_json({}, 404))
    with pytest.raises(NotFoundError) as caught:
        await session.call(fill(catalog.BATCH_GET_JOB, "job"))
    assert type(caught.value) is NotFoundError


@pytest.mark.parametrize("status", [400, 403, 500])
async def test_other_errors_past_the_date_keep_their_class(status: int) -> None:
    session = session_at(Direct("https://hume.test", api_key="k"), reply_json({}, status))
    with pytest.raises(Exception, match="status") as caught:
        await session.call(CALL)
    assert not isinstance(caught.value, SunsetError)


def test_every_row_of_the_table_has_a_date() -> None:
    assert all(endpoint.sunset and endpoint.replacement for endpoint in catalog.TABLE)
