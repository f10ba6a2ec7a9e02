"""Observers, the log of calls, and request ids of results: what can be seen of a call."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from humeai_async import (
    APIConnectionError,
    AttemptEnded,
    AttemptStarted,
    CallEnded,
    CallStarted,
    ConfigurationError,
    HumeAI,
    Limiter,
    Observer,
    Paced,
    RateLimitError,
    Request,
    Response,
    Retry,
    RetryScheduled,
    ServerError,
    Timeout,
)
from humeai_async.testing import FakeHume, MockTransport

pytestmark = pytest.mark.anyio

LOGGER = "humeai_async.calls"
QUICK = Retry(attempts=3, initial_delay=0.001)
PAGE: dict[str, Any] = {"page_number": 0, "page_size": 10, "total_pages": 1, "configs_page": []}


class Seen(Observer):
    """Keeps all records in order."""

    def __init__(self) -> None:
        self.records: list[Any] = []
        for event in (
            "call_started", "paced", "attempt_started", "attempt_ended", "retry_scheduled",
            "call_ended",
        ):  # fmt: skip
            setattr(self, event, self.records.append)

    @property
    def kinds(self) -> list[type]:
        return [type(record) for record in self.records]


def page_with_id(_: Request) -> Response:
    body = b'{"page_number":0,"page_size":10,"total_pages":1,"configs_page":[]}'
    return Response(200, {"X-Request-Id": "r-1"}, body)


def client_on(handler: Callable[[Request], Any], *observers: Observer, **settings: Any) -> HumeAI:
    settings.setdefault("retry", QUICK)
    transport = MockTransport(handler)
    return HumeAI(api_key="key", transport=transport, observers=observers, **settings)


async def test_an_observer_sees_a_call_from_its_start_to_its_end() -> None:
    seen = Seen()
    async with client_on(page_with_id, seen) as hume:
        await hume.configs.list()
    started, sent, responded, ended = seen.records
    assert seen.kinds == [CallStarted, AttemptStarted, AttemptEnded, CallEnded]
    assert {record.call_id for record in seen.records} == {started.call_id}
    assert {record.endpoint for record in seen.records} == {"configs.list"}
    assert (started.method, started.path) == ("GET", "/v0/evi/configs")
    assert started.base_url == "https://api.hume.ai"
    assert (sent.attempt, sent.sent_bytes) == (1, 0)
    assert sent.url == "https://api.hume.ai/v0/evi/configs?page_number=0"
    assert (responded.status, responded.request_id, responded.error) == (200, "r-1", None)
    assert responded.received_bytes == ended.received_bytes == 66
    assert (ended.attempts, ended.status, ended.request_id, ended.error) == (1, 200, "r-1", None)
    assert 0 <= ended.seconds_waiting + ended.seconds_on_wire <= ended.seconds


async def test_two_calls_have_two_ids() -> None:
    seen = Seen()
    async with client_on(page_with_id, seen) as hume:
        await hume.configs.list()
        await hume.configs.list()
    assert len({record.call_id for record in seen.records}) == 2


async def test_an_observer_sees_each_failure_and_the_pause_after_it() -> None:
    seen = Seen()
    replies: list[Any] = [(500, {"message": "oops"}), (503, {"message": "busy"}), PAGE]
    async with client_on(lambda _: replies.pop(0), seen) as hume:
        await hume.configs.list()
    retries = [record for record in seen.records if isinstance(record, RetryScheduled)]
    assert [(one.attempt, one.status, type(one.error)) for one in retries] == [
        (1, 500, ServerError),
        (2, 503, ServerError),
    ]
    assert all(one.pause >= 0 for one in retries)
    ended = seen.records[-1]
    assert (ended.attempts, ended.status, ended.error) == (3, 200, None)
    assert ended.seconds_waiting >= sum(one.pause for one in retries)


async def test_the_error_that_a_call_raises_is_the_one_that_its_observer_gets() -> None:
    seen = Seen()

    def handler(_: Request) -> Any:
        raise ConnectionResetError

    async with client_on(handler, seen, retry=Retry(attempts=1)) as hume:
        with pytest.raises(APIConnectionError) as caught:
            await hume.configs.list()
    attempt, ended = seen.records[-2:]
    assert (attempt.status, type(attempt.error)) == (None, APIConnectionError)
    assert ended.error is caught.value


async def test_a_call_does_no_work_for_events_that_no_observer_listens_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[str] = []

    class Ends(Observer):
        def call_ended(self, record: CallEnded) -> None:
            seen.append(record.endpoint)

    for unused in ("CallStarted", "AttemptStarted", "AttemptEnded"):
        monkeypatch.setattr(f"humeai_async.http.observing.{unused}", None)  # to call it fails
    async with client_on(page_with_id, Observer(), Ends()) as hume:
        await hume.configs.list()
    assert seen == ["configs.list"]


async def test_the_wait_for_the_limiter_is_seen() -> None:
    seen = Seen()
    async with client_on(page_with_id, seen, limiter=Limiter(rate=50, burst=1)) as hume:
        await hume.configs.list()
        await hume.configs.list()
    (paced,) = [record for record in seen.records if isinstance(record, Paced)]
    assert (paced.attempt, paced.endpoint) == (1, "configs.list")
    assert 0.005 < paced.seconds <= seen.records[-1].seconds_waiting


async def test_a_cancelled_call_ends_for_its_observer_too() -> None:
    seen = Seen()
    sent = asyncio.Event()

    async def handler(_: Request) -> Any:
        sent.set()
        await asyncio.Event().wait()

    async with client_on(handler, seen) as hume:
        call = asyncio.ensure_future(hume.request("GET", "/v0/x"))
        await sent.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    assert seen.kinds == [CallStarted, AttemptStarted, AttemptEnded, CallEnded]
    assert isinstance(seen.records[-1].error, asyncio.CancelledError)


async def test_a_call_that_outlasts_its_deadline_ends_with_its_timeout() -> None:
    seen = Seen()

    async def handler(_: Request) -> Any:
        await asyncio.Event().wait()

    async with client_on(handler, seen, timeout=Timeout(total=0.02)) as hume:
        with pytest.raises(APIConnectionError) as caught:
            await hume.request("GET", "/v0/x")
    assert seen.records[-1].error is caught.value


async def test_a_download_counts_its_bytes_and_ends_when_it_is_left(tmp_path: Any) -> None:
    seen = Seen()
    async with client_on(lambda _: [1, 2, 3], seen) as hume:
        await hume.batch.job("job-1").save_predictions(tmp_path / "p.json")
    attempt, ended = seen.records[-2:]
    assert (attempt.status, attempt.received_bytes) == (200, None)
    assert (ended.received_bytes, ended.error) == (len("[1, 2, 3]"), None)


async def test_a_socket_is_a_call_with_status_101() -> None:
    seen = Seen()
    async with (
        FakeHume() as fake,
        HumeAI(api_key=fake.api_key, base_url=fake.url, observers=[seen]) as hume,
        hume.chat.connect(),
    ):
        assert seen.kinds == [CallStarted, AttemptStarted, AttemptEnded, CallEnded]
        assert seen.records[-1].status == 101


@pytest.mark.parametrize("event", ["call_started", "attempt_ended", "call_ended"])
async def test_an_observer_that_raises_breaks_no_call_and_is_logged_once(
    event: str, caplog: pytest.LogCaptureFixture
) -> None:
    seen = Seen()

    def fail(_: object) -> None:
        raise KeyError("mine")

    broken = Observer()
    setattr(broken, event, fail)
    async with client_on(page_with_id, broken, seen) as hume:
        await hume.configs.list()
        await hume.configs.list()
    assert len(seen.records) == 8
    (line,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert (line.name, event in line.getMessage()) == (LOGGER, True)


@pytest.mark.parametrize("observers", [object(), [object()], [Observer]])
def test_what_is_no_observer_is_refused(observers: Any) -> None:
    with pytest.raises(ConfigurationError, match="observers"):
        HumeAI(api_key="key", observers=observers)


def test_records_are_frozen_and_compare_by_value() -> None:
    about = {"call_id": "1", "endpoint": "e", "method": "GET", "path": "/"}
    record = CallStarted(**about, base_url="http://a")
    assert record == CallStarted(**about, base_url="http://a")
    with pytest.raises(AttributeError):
        record.endpoint = "other"  # type: ignore[misc]  # the mistake under test


async def test_clients_of_with_options_have_the_same_observers() -> None:
    seen = Seen()
    async with client_on(page_with_id, seen) as hume:
        await hume.with_options(timeout=5).configs.list()
    assert seen.kinds[-1] is CallEnded


# The log.


async def test_the_log_has_one_id_a_call_and_the_request_id(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, LOGGER)
    async with client_on(page_with_id) as hume:
        await hume.configs.list()
    lines = [record.getMessage() for record in caplog.records if record.name == LOGGER]
    ids = {line.split()[0] for line in lines}
    assert len(ids) == 1
    assert len(ids.pop()) == 12
    begin, response, end = (line.partition("configs.list: ")[2] for line in lines)
    assert begin == "GET /v0/evi/configs to https://api.hume.ai"
    assert response.startswith("request 1: status 200 after 0.0")
    assert response.endswith("request id 'r-1'")
    assert end.endswith("requests: 1")


async def test_the_log_says_at_info_why_a_call_failed_and_nothing_of_one_that_did_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, LOGGER)
    replies: list[Any] = [PAGE, (429, {"message": "slow down"}), (400, {"message": "bad name"})]
    async with client_on(lambda _: replies.pop(0)) as hume:
        await hume.configs.list()
        assert not caplog.records
        with pytest.raises(Exception, match="bad name"):
            await hume.configs.list()
    first, last = (record.getMessage() for record in caplog.records)
    assert "request 1 failed (RateLimitError: slow down" in first
    assert "requests: 2: BadRequestError: bad name" in last


async def test_nothing_watches_a_call_that_nobody_looks_at(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.WARNING, LOGGER)
    monkeypatch.setattr("humeai_async.http.session.Watch", None)
    async with client_on(page_with_id) as hume:
        await hume.configs.list()


# Request ids.


async def test_a_page_and_a_job_know_their_request_id() -> None:
    job = b'{"job_id":"8b1c2f3a-4d5e-4f60-9a7b-1c2d3e4f5a6b"}'

    def handler(request: Request) -> Response:
        if request.method == "POST":
            return Response(200, {"x-request-id": "r-start"}, job)
        return page_with_id(request)

    async with client_on(handler) as hume:
        assert (await hume.configs.list()).request_id == "r-1"
        assert [page.request_id async for page in hume.configs.list().pages()] == ["r-1"]
        started = await hume.batch.start_job(urls=["https://a.example/b.mp4"])
        assert started.request_id == "r-start"
        assert (await hume.request("GET", "/v0/x")).request_id == "r-1"


async def test_a_job_learns_the_id_of_each_request_of_its_own() -> None:
    async with (
        FakeHume() as fake,
        HumeAI(api_key=fake.api_key, base_url=fake.url) as hume,
    ):
        job = await hume.batch.start_job(urls=["https://a.example/b.mp4"])
        first = job.request_id
        await job.refresh()
        assert first
        assert job.request_id not in {None, first}
        assert (await hume.batch.list_jobs()).request_id


async def test_through_a_gateway_the_request_id_is_humes() -> None:
    envelope: dict[str, Any] = {
        "message": "Request completed",
        "provider": "humeai",
        "result": PAGE,
        "response_headers": {"x-request-id": "r-hume"},
    }
    transport = MockTransport(lambda _: envelope)
    async with HumeAI(api_token="at_x", transport=transport) as hume:
        assert (await hume.configs.list()).request_id == "r-hume"


async def test_a_refused_call_tells_its_observer_status_and_class() -> None:
    seen = Seen()
    async with client_on(lambda _: (429, {}), seen, retry=Retry(attempts=1)) as hume:
        with pytest.raises(RateLimitError):
            await hume.with_options(timeout=0.05).configs.list()
    assert isinstance(seen.records[-1].error, RateLimitError)
