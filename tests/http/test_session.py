"""The one loop of a call, with a scripted transport, a scripted limiter and virtual time."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import math
import warnings
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio
import pytest
from attrs import evolve, frozen
from scripted_transport import Reply, ScriptedTransport, json_answer
from virtual_time import BACKEND

from humeai_async.errors import (
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ClientClosedError,
    DecodeError,
    GatewayUnsupportedError,
    HumeError,
    HumeSunsetWarning,
    InvalidArgumentError,
    NotFoundError,
    RateLimitError,
    RateLimitWaitError,
    ServerError,
)
from humeai_async.http import session as session_module
from humeai_async.http.calls import NO_HEADERS
from humeai_async.http.endpoint import Call, Encoding, Endpoint, fill
from humeai_async.http.gateway import LowCodeAPI
from humeai_async.http.messages import Part, Request, Response
from humeai_async.http.origins import Direct, Origin
from humeai_async.http.session import Session
from humeai_async.limiter.headers import parse_retry_after
from humeai_async.settings import Retry, Timeout

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> Any:
    return BACKEND


@frozen
class Thing:
    name: str


def endpoint(method: str, path: str = "/v0/things", **changes: Any) -> Endpoint[Any]:
    return Endpoint(
        name=f"things.{method.lower()}",
        method=method,
        path=path,
        returns=changes.pop("returns", Thing),
        bucket="things",
        **changes,
    )


GET = fill(endpoint("GET"))
GET_ONE = fill(endpoint("GET", "/v0/things/{id}"), "a")
POST = fill(endpoint("POST", encoding=Encoding.JSON), body={"a": 1})
DELETE_NOTHING = fill(endpoint("DELETE", "/v0/things/{id}", returns=type(None)), "a")
DELETE = fill(endpoint("DELETE", "/v0/things/{id}"), "a")

GOOD = json_answer(b'{"name": "x"}')
CUT = json_answer(b'{"name": "x')
HTML = Response(200, {"content-type": "text/html"}, b"<html>maintenance</html>")


def status(code: int, **headers: str) -> Response:
    plain = {name.replace("_", "-"): value for name, value in headers.items()}
    return json_answer(b'{"message": "no", "code": "E1"}', code, plain)


def refused() -> APIConnectionError:
    return APIConnectionError("refused")


def broken() -> APIConnectionError:
    return APIConnectionError("broken", outcome_unknown=True)


def late() -> APITimeoutError:
    return APITimeoutError("late", outcome_unknown=True)


def slow(seconds: float, response: Response = GOOD) -> Callable[[Request], Awaitable[Response]]:
    async def answer(_: Request) -> Response:
        await anyio.sleep(seconds)
        return response

    return answer


class Turnstile:
    """A limiter that lets requests through after the waits it is given, and keeps a record."""

    def __init__(self, *waits: float | Exception) -> None:
        self.waits = list(waits)
        self.asked: list[tuple[str, float | None, bool]] = []
        self.told: list[tuple[int | None, float | None]] = []
        self.open = 0
        self.waited = 0.0

    async def acquire(
        self, bucket: str = "", *, deadline: float | None = None, head: bool = False, **_: object
    ) -> Turnstile:
        self.asked.append((bucket, deadline, head))
        wait = self.waits.pop(0) if self.waits else 0.0
        if isinstance(wait, Exception):
            raise wait
        if wait:
            await anyio.sleep(wait)
        self.open += 1
        self.heard = False
        return self

    def done(self, status: int | None, headers: Mapping[str, str] = NO_HEADERS) -> None:
        if not self.heard:
            self.heard = True
            self.open -= 1
            self.told.append((status, parse_retry_after(headers, now_epoch=0.0)))


RETRY = Retry(attempts=4, initial_delay=1.0)


class Scene:
    """A session on a script."""

    def __init__(self, *script: Reply, origin: Origin | None = None, **settings: Any) -> None:
        self.transport = ScriptedTransport(*script)
        self.limiter = settings.pop("limiter", Turnstile())
        settings.setdefault("retry", RETRY)
        self.session = Session(
            origin=origin or Direct("http://127.0.0.1", api_key="key"),
            transport=self.transport,
            limiter=self.limiter,
            **settings,
        )

    @property
    def sent(self) -> int:
        return len(self.transport.requests)

    async def failure(self, call: Call[Any]) -> Any:
        """Make a call and return its error."""
        began = anyio.current_time()
        with pytest.raises(HumeError) as caught:
            await self.session.call(call)
        error = caught.value
        assert (error.method, error.endpoint) == (call.endpoint.method, call.endpoint.path)
        assert error.elapsed == pytest.approx(anyio.current_time() - began)
        assert self.limiter.open == 0
        return error


def gateway() -> LowCodeAPI:
    return LowCodeAPI("at_token", base_url="http://127.0.0.1/humeai")


# Success.


async def test_an_answer_is_decoded_into_the_endpoints_type() -> None:
    scene = Scene(GOOD)
    assert await scene.session.call(GET) == Thing("x")
    assert scene.transport.requests[0].url == "http://127.0.0.1/v0/things"
    assert scene.limiter.told == [(200, None)]


async def test_a_raw_answer_is_given_without_its_envelope() -> None:
    answer = await Scene(json_answer(b'{"data": [1]}'), origin=gateway()).session.send(GET)
    assert (answer.status, answer.body) == (200, b"[1]")


async def test_a_body_is_written_as_json() -> None:
    scene = Scene(GOOD)
    await scene.session.call(POST)
    assert json.loads(scene.transport.requests[0].body) == {"a": 1}  # type: ignore[arg-type]  # it is bytes


async def test_the_deadline_and_the_bucket_go_to_the_limiter() -> None:
    scene = Scene(status(500), GOOD, timeout=Timeout(total=60.0))
    began = anyio.current_time()
    await scene.session.call(GET)
    bucket = f"{scene.session.origin.account}/things"
    assert scene.limiter.asked == [(bucket, began + 60, False), (bucket, began + 60, True)]


async def test_without_a_total_timeout_the_limiter_gets_no_deadline() -> None:
    scene = Scene(slow(1e6), timeout=Timeout(total=None))
    await scene.session.call(GET)
    assert scene.limiter.asked[0][1] == math.inf


# Repeats.


@pytest.mark.parametrize(
    "trouble", [refused(), broken(), late(), status(500), status(502), status(408), CUT, HTML]
)
async def test_what_can_be_repeated_is_repeated(trouble: Reply) -> None:
    scene = Scene(trouble, trouble, trouble, GOOD)
    began = anyio.current_time()
    assert await scene.session.call(GET) == Thing("x")
    assert 3.5 <= anyio.current_time() - began <= 7.0
    assert scene.session.stats.retries == 3


@pytest.mark.parametrize(
    "trouble", [refused(), status(429), status(429, retry_after="3"), status(503, retry_after="3")]
)
async def test_a_write_is_repeated_where_it_surely_was_not_carried_out(trouble: Reply) -> None:
    scene = Scene(trouble, GOOD)
    await scene.session.call(POST)
    assert scene.sent == 2


@pytest.mark.parametrize(
    "trouble",
    [broken(), late(), status(500), status(502), status(503), status(408), CUT, HTML],
)
async def test_a_write_is_never_repeated_where_it_may_have_been_carried_out(trouble: Reply) -> None:
    scene = Scene(trouble)
    error = await scene.failure(POST)
    assert error.outcome_unknown
    assert (error.attempts, scene.sent) == (1, 1)


@pytest.mark.parametrize(
    ("code", "cls"), [(400, BadRequestError), (401, AuthenticationError), (404, NotFoundError)]
)
@pytest.mark.parametrize("call", [GET, POST], ids=["get", "post"])
async def test_an_error_that_would_come_again_is_raised_at_once(
    call: Call[Any], code: int, cls: type[HumeError]
) -> None:
    scene = Scene(status(code))
    error = await scene.failure(call)
    assert type(error) is cls
    assert (error.status, error.code, error.attempts) == (code, "E1", 1)
    assert not error.outcome_unknown


@pytest.mark.parametrize("call", [GET, POST], ids=["get", "post"])
async def test_a_429_tells_the_limiter_and_is_repeated_without_a_pause_of_its_own(
    call: Call[Any],
) -> None:
    scene = Scene(status(429, retry_after="3"), GOOD, limiter=Turnstile(0.0, 3.0))
    began = anyio.current_time()
    await scene.session.call(call)
    assert anyio.current_time() - began == 3.0
    assert scene.limiter.told == [(429, 3.0), (200, None)]
    assert scene.session.stats.rate_limited == 1


@pytest.mark.parametrize(("total", "seconds"), [(60.0, 60.0), (None, 600.0)])
async def test_a_call_that_meets_429s_goes_on_until_its_deadline_however_many(
    total: float | None, seconds: float
) -> None:
    scene = Scene(limiter=Turnstile(*[1.0] * 1000), timeout=Timeout(total=total))
    scene.transport.otherwise = status(429, retry_after="1")
    error = await scene.failure(POST)
    assert type(error) is RateLimitError
    assert seconds <= error.elapsed <= seconds + 1.0
    assert error.attempts == scene.sent >= seconds - 1
    assert (error.status, error.code, error.retry_after) == (429, "E1", 1.0)
    assert not error.outcome_unknown


async def test_a_429_is_no_attempt_for_what_fails_otherwise() -> None:
    refusals = [status(429)] * 10
    scene = Scene(*refusals, status(500), *refusals, status(500), *refusals, GOOD)
    assert await scene.session.call(GET) == Thing("x")
    scene = Scene(*[status(429), status(500)] * 9)
    assert type(await scene.failure(GET)) is ServerError
    assert scene.sent == 8


async def test_one_attempt_means_no_repeats_after_a_429_either() -> None:
    scene = Scene(status(429), retry=Retry(attempts=1))
    assert type(await scene.failure(GET)) is RateLimitError
    assert scene.sent == 1


async def test_a_known_wait_beyond_the_deadline_ends_a_call_that_was_refused_at_once() -> None:
    refusal = RateLimitWaitError("the limiter would wait 50 s", seconds=50.0)
    scene = Scene(status(429), limiter=Turnstile(0.0, refusal), timeout=Timeout(total=10.0))
    error = await scene.failure(GET)
    assert type(error) is RateLimitWaitError
    assert (error.seconds, error.retry_after, error.status, error.elapsed) == (50.0, 50.0, 429, 0.0)


async def test_a_wait_that_only_ran_out_of_time_ends_with_the_429() -> None:
    class Slow(Turnstile):
        async def acquire(self, bucket: str = "", **settings: Any) -> Turnstile:
            if self.asked:
                await anyio.sleep(10.0)
                raise RateLimitWaitError("the call's time is up before its turn", seconds=0.0)
            return await super().acquire(bucket, **settings)

    scene = Scene(status(429), limiter=Slow(), timeout=Timeout(total=10.0))
    assert type(await scene.failure(GET)) is RateLimitError


async def test_a_request_in_flight_at_the_deadline_after_a_429_is_a_timeout() -> None:
    scene = Scene(status(429), slow(1e9), timeout=Timeout(total=10.0))
    error = await scene.failure(POST)
    assert type(error) is APITimeoutError
    assert error.outcome_unknown


async def test_a_429_in_the_gateways_json_is_repeated_too() -> None:
    body = {"message": "no", "provider": "humeai", "error": {}, "headers": {"retry-after": "7"}}
    scene = Scene(json_answer(json.dumps(body).encode(), 429), GOOD, origin=gateway())
    await scene.session.call(POST)
    assert scene.limiter.told[0] == (429, 7.0)


async def test_a_retry_after_is_waited_for() -> None:
    scene = Scene(status(503, retry_after="30"), GOOD)
    began = anyio.current_time()
    await scene.session.call(GET)
    assert anyio.current_time() - began == 30.0


async def test_a_retry_after_beyond_all_patience_ends_the_call() -> None:
    scene = Scene(status(503, retry_after="3600"))
    error = await scene.failure(GET)
    assert isinstance(error, ServerError)
    assert (error.retry_after, error.elapsed) == (3600.0, 0.0)


async def test_one_attempt_means_no_repeats() -> None:
    scene = Scene(status(500), retry=Retry(attempts=1))
    assert (await scene.failure(GET)).attempts == 1


async def test_content_that_cannot_be_read_again_is_not_sent_again() -> None:
    part = Part("file", b"x", "a", repeatable=False)
    upload = fill(endpoint("PUT", encoding=Encoding.MULTIPART), parts=[part])
    scene = Scene(status(429))
    assert isinstance(await scene.failure(upload), RateLimitError)
    assert scene.sent == 1


async def test_an_outage_does_not_multiply_the_requests() -> None:
    scene = Scene(*[refused() for _ in range(1000)], retry=Retry(attempts=4, budget=0.1))
    for _ in range(200):
        await scene.failure(GET)
    assert 200 + 100 <= scene.sent <= 200 + 100 + 20


async def test_repeats_after_429s_do_not_use_up_the_budget() -> None:
    scene = Scene(*[status(429), GOOD] * 100, retry=Retry(budget=0))
    for _ in range(100):
        await scene.session.call(GET)
    assert scene.session.stats.retries == 100


# What is told.


async def test_an_error_knows_how_many_requests_and_seconds_it_took() -> None:
    scene = Scene(slow(2.0, status(500)), slow(3.0, status(500)), retry=Retry(attempts=2))
    error = await scene.failure(GET)
    assert error.attempts == scene.sent == 2
    assert 5.25 <= error.elapsed <= 5.5
    assert "2 attempts" in str(error)


@pytest.mark.parametrize("trouble", [broken(), late(), status(500)])
async def test_only_what_must_not_be_repeated_can_have_an_unknown_outcome(trouble: Reply) -> None:
    error = await Scene(*[trouble] * 4).failure(GET)
    assert not error.outcome_unknown


async def test_a_client_that_closes_in_flight_leaves_a_write_open_and_a_read_not() -> None:
    def closed() -> ClientClosedError:
        return ClientClosedError("closed", outcome_unknown=True)

    assert (await Scene(closed()).failure(POST)).outcome_unknown
    assert not (await Scene(closed()).failure(GET)).outcome_unknown


async def test_a_failed_connection_leaves_nothing_open() -> None:
    error = await Scene(*[refused() for _ in range(4)]).failure(POST)
    assert (error.attempts, error.outcome_unknown) == (4, False)


async def test_an_answer_of_another_shape_says_where() -> None:
    scene = Scene(json_answer(b'{"name": 7}'))
    error = await scene.failure(GET)
    assert isinstance(error, DecodeError)
    assert (error.path, error.status, error.attempts) == ("$.name", 200, 1)


async def test_an_answer_that_stays_cut_off_is_a_decode_error() -> None:
    error = await Scene(*[CUT] * 4).failure(GET)
    assert isinstance(error, DecodeError)
    assert (error.path, error.attempts, error.outcome_unknown) == ("$", 4, False)


async def test_a_page_of_html_is_called_one() -> None:
    error = await Scene(*[HTML] * 4).failure(GET)
    assert "HTML" in error.message


async def test_a_body_that_cannot_be_written_is_refused_before_it_is_sent() -> None:
    scene = Scene()
    with pytest.raises(InvalidArgumentError):
        await scene.session.call(fill(endpoint("POST", encoding=Encoding.JSON), body={"a": {1j}}))
    assert scene.sent == 0


async def test_what_the_gateway_cannot_carry_is_not_sent() -> None:
    scene = Scene(origin=gateway())
    upload = fill(endpoint("POST", encoding=Encoding.MULTIPART), parts=[Part("file", b"")])
    with pytest.raises(GatewayUnsupportedError):
        await scene.session.call(upload)
    assert (scene.sent, scene.limiter.asked) == (0, [])


async def test_everything_is_counted() -> None:
    scene = Scene(status(429), status(500), GOOD, status(400))
    await scene.session.call(GET)
    await scene.failure(GET)
    stats = scene.session.stats
    assert (stats.calls, stats.requests, stats.retries) == (2, 4, 2)
    assert (stats.rate_limited, stats.failures) == (1, 1)


async def test_a_session_with_other_settings_counts_together() -> None:
    scene = Scene(GOOD, GOOD)
    other = scene.session.with_settings(timeout=Timeout(total=1.0))
    await other.call(GET)
    await scene.session.call(GET)
    assert scene.session.stats.calls == 2
    assert scene.transport.timeouts == [Timeout(total=1.0), Timeout()]


# Time.


async def test_the_total_timeout_covers_an_answer_that_never_comes() -> None:
    scene = Scene(slow(1e9), timeout=Timeout(total=10.0))
    error = await scene.failure(POST)
    assert isinstance(error, APITimeoutError)
    assert (error.elapsed, error.attempts, error.outcome_unknown) == (10.0, 1, True)


async def test_the_total_timeout_covers_all_attempts() -> None:
    scene = Scene(*[slow(6.0, status(500))] * 4, timeout=Timeout(total=10.0))
    error = await scene.failure(GET)
    assert isinstance(error, APITimeoutError)
    assert (error.elapsed, error.attempts) == (10.0, 2)


async def test_the_total_timeout_covers_queueing() -> None:
    scene = Scene(limiter=Turnstile(1e9), timeout=Timeout(total=10.0))
    error = await scene.failure(POST)
    assert isinstance(error, APITimeoutError)
    assert (error.elapsed, error.attempts, error.outcome_unknown) == (10.0, 0, False)


async def test_queueing_after_a_failed_connection_leaves_nothing_open() -> None:
    scene = Scene(refused(), limiter=Turnstile(0.0, 1e9), timeout=Timeout(total=10.0))
    error = await scene.failure(POST)
    assert (error.attempts, error.outcome_unknown) == (1, False)


async def test_a_pause_that_would_outlast_the_deadline_is_not_begun() -> None:
    scene = Scene(status(503, retry_after="20"), timeout=Timeout(total=10.0))
    error = await scene.failure(GET)
    assert isinstance(error, ServerError)
    assert error.elapsed == 0.0


async def test_a_wait_of_the_limiter_beyond_the_deadline_is_told_at_once_with_its_cause() -> None:
    refusal = RateLimitWaitError("too long", seconds=30.0)
    limiter = Turnstile(0.0, refusal)
    scene = Scene(status(429, retry_after="30"), limiter=limiter, timeout=Timeout(total=10.0))
    error = await scene.failure(GET)
    assert error is refusal
    assert isinstance(error.__cause__, RateLimitError)
    assert (error.seconds, error.attempts, error.elapsed) == (30.0, 1, 0.0)


async def test_a_call_that_the_limiter_never_let_through_has_sent_nothing() -> None:
    scene = Scene(limiter=Turnstile(RateLimitWaitError("too long", seconds=30.0)))
    error = await scene.failure(POST)
    assert (error.attempts, error.outcome_unknown, error.__cause__) == (0, False, None)


async def test_a_cancelled_call_is_cancelled_and_lets_its_permit_go() -> None:
    scene = Scene(slow(1e9))
    with anyio.move_on_after(5) as scope:
        await scene.session.call(GET)
    assert scope.cancelled_caught
    assert scene.limiter.open == 0


@pytest.mark.parametrize("limiter", [Turnstile(100.0), Turnstile(0.0, 100.0)])
async def test_a_call_can_be_cancelled_while_it_waits(limiter: Turnstile) -> None:
    scene = Scene(status(500), limiter=limiter)
    call = asyncio.ensure_future(scene.session.call(GET))
    await anyio.sleep(5)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert limiter.open == 0


# DELETE.


@pytest.mark.parametrize("trouble", [broken(), late(), status(500), status(502), CUT])
async def test_a_repeated_delete_that_finds_nothing_may_have_worked_before(trouble: Reply) -> None:
    error = await Scene(trouble, status(404)).failure(DELETE)
    assert isinstance(error, NotFoundError)
    assert error.outcome_unknown


@pytest.mark.parametrize("trouble", [refused(), status(429), status(503, retry_after="1")])
async def test_a_delete_that_was_surely_not_carried_out_before_just_finds_nothing(
    trouble: Reply,
) -> None:
    error = await Scene(trouble, status(404)).failure(DELETE)
    assert isinstance(error, NotFoundError)
    assert not error.outcome_unknown


async def test_a_delete_that_times_out_behind_the_gateway_is_not_repeated() -> None:
    # The gateway never passes on that Hume answered 204, so silence may be success.
    scene = Scene(late(), origin=gateway())
    error = await scene.failure(DELETE)
    assert (scene.sent, error.outcome_unknown) == (1, True)


async def test_a_delete_that_never_reached_the_gateway_is_repeated() -> None:
    slow_connect = APITimeoutError("no connection")
    scene = Scene(slow_connect, refused(), GOOD, origin=gateway())
    await scene.session.call(DELETE)
    assert scene.sent == 3


async def test_a_delete_that_never_reached_the_gateway_to_the_end_leaves_nothing_open() -> None:
    scene = Scene(*[APITimeoutError("no connection") for _ in range(4)], origin=gateway())
    error = await scene.failure(DELETE)
    assert (error.attempts, error.outcome_unknown) == (4, False)


async def test_a_delete_that_meets_its_deadline_behind_the_gateway_is_left_open() -> None:
    scene = Scene(slow(1e9), origin=gateway(), timeout=Timeout(total=5.0))
    assert (await scene.failure(DELETE)).outcome_unknown


@pytest.mark.parametrize("origin", [None, gateway()], ids=["direct", "gateway"])
@pytest.mark.parametrize(
    "odd",
    [b'{"success": false, "data": null}', b'{"error": {"code": "E0300"}}', b"[1]"],
    ids=["success false", "error", "array"],
)
async def test_a_delete_whose_confirmation_is_an_error_is_not_repeated(
    odd: bytes, origin: Origin | None
) -> None:
    scene = Scene(json_answer(odd), origin=origin)
    error = await scene.failure(DELETE_NOTHING)
    assert isinstance(error, DecodeError)
    assert scene.sent == 1
    assert "whether the request was carried out is not known" in error.message


async def test_a_delete_whose_confirmation_is_a_page_or_cut_off_is_repeated_like_any() -> None:
    scene = Scene(HTML, CUT, json_answer(b""))
    assert await scene.session.call(DELETE_NOTHING) is None
    assert scene.sent == 3


@pytest.mark.parametrize("left", [b"null", b'"half of the te"', b"false"])
async def test_what_a_gateway_makes_of_a_body_that_was_cut_off_is_asked_for_again(
    left: bytes,
) -> None:
    scene = Scene(json_answer(b'{"data":' + left + b"}"), GOOD, origin=gateway())
    assert await scene.session.call(GET) == Thing(name="x")
    assert scene.sent == 2


async def test_a_response_of_another_form_is_not_asked_for_again() -> None:
    scene = Scene(json_answer(b"[]"))
    assert isinstance(await scene.failure(GET), DecodeError)
    assert scene.sent == 1


async def test_a_delete_that_times_out_at_hume_is_repeated() -> None:
    scene = Scene(late(), GOOD)
    await scene.session.call(DELETE)
    assert scene.sent == 2


# URL formats.

NOT_A_ROUTE = json_answer(b'{"message": "Not Found"}', 404)


def paths(scene: Scene) -> list[str]:
    return [one.url.partition("/humeai")[2].partition("?")[0] for one in scene.transport.requests]


async def test_the_old_format_is_tried_in_the_same_attempt_and_then_kept() -> None:
    scene = Scene(NOT_A_ROUTE, GOOD, GOOD, origin=gateway())
    await scene.session.call(GET_ONE)
    await scene.session.call(GET_ONE)
    assert paths(scene) == ["/v0/things/a", "/v0/things/id", "/v0/things/id"]
    assert (scene.session.stats.retries, len(scene.limiter.asked)) == (0, 3)


async def test_where_neither_format_exists_the_error_is_not_found() -> None:
    scene = Scene(NOT_A_ROUTE, NOT_A_ROUTE, origin=gateway())
    error = await scene.failure(GET_ONE)
    assert isinstance(error, NotFoundError)
    assert (error.attempts, error.message) == (2, "Not Found")


async def test_a_gateway_that_hangs_up_on_the_new_format_is_asked_in_the_old_one_next() -> None:
    scene = Scene(broken(), GOOD, origin=gateway())
    await scene.session.call(GET_ONE)
    assert paths(scene) == ["/v0/things/a", "/v0/things/id"]


async def test_a_gateway_that_refuses_or_stalls_is_asked_in_the_new_format_again() -> None:
    scene = Scene(refused(), late(), GOOD, origin=gateway())
    await scene.session.call(GET_ONE)
    assert paths(scene) == ["/v0/things/a"] * 3


async def test_content_that_cannot_be_read_again_is_sent_in_one_format_only() -> None:
    origin = LowCodeAPI("at_t", base_url="http://h/humeai", carries=frozenset({"uploads"}))
    part = Part("file", b"x", "a", repeatable=False)
    upload = fill(
        endpoint("POST", "/v0/things/{id}", encoding=Encoding.MULTIPART), "a", parts=[part]
    )
    scene = Scene(NOT_A_ROUTE, origin=origin)
    assert isinstance(await scene.failure(upload), NotFoundError)


# Streams.


async def test_a_stream_gives_its_body_in_pieces() -> None:
    scene = Scene(json_answer(b"0123456789"))
    async with scene.session.stream(GET) as download:
        pieces = [piece async for piece in download.chunks()]
    assert b"".join(pieces) == b"0123456789"
    assert len(pieces) > 1
    assert scene.limiter.open == 0
    assert scene.limiter.told == [(200, None)]


async def test_a_stream_is_repeated_until_its_body_begins() -> None:
    scene = Scene(refused(), status(500), status(429), GOOD)
    async with scene.session.stream(GET) as download:
        assert await download.read() == GOOD.body
    assert (scene.session.stats.retries, scene.session.stats.rate_limited) == (3, 1)


async def test_a_stream_that_is_refused_is_an_error_like_any_other() -> None:
    scene = Scene(status(404))
    with pytest.raises(NotFoundError) as caught:
        async with scene.session.stream(GET):
            raise AssertionError("there is nothing to read")
    assert (caught.value.code, caught.value.attempts) == ("E1", 1)
    assert scene.limiter.open == 0


async def test_a_stream_tries_both_formats_and_learns() -> None:
    scene = Scene(NOT_A_ROUTE, GOOD, broken(), origin=gateway())
    async with scene.session.stream(GET_ONE):
        pass
    assert paths(scene) == ["/v0/things/a", "/v0/things/id"]
    assert "/v0/things/id?" in scene.session.origin.route(GET_ONE, None).request.url


async def test_a_stream_that_is_hung_up_on_is_asked_for_in_the_old_format() -> None:
    scene = Scene(broken(), GOOD, origin=gateway())
    async with scene.session.stream(GET_ONE):
        pass
    assert paths(scene) == ["/v0/things/a", "/v0/things/id"]


async def test_the_total_timeout_covers_the_reading_of_a_stream() -> None:
    scene = Scene(GOOD, timeout=Timeout(total=10.0))
    async with scene.session.stream(GET) as download:
        await anyio.sleep(100)  # the reader's own work is never cancelled
        with pytest.raises(APITimeoutError) as caught:
            await download.read()
    assert caught.value.elapsed == 100.0
    assert scene.limiter.open == 0


async def test_a_stream_that_is_never_left_cancels_nobody() -> None:
    scene = Scene(GOOD, timeout=Timeout(total=10.0))
    left = scene.session.stream(GET)
    await left.__aenter__()
    await anyio.sleep(100)
    scene.session.close()
    await anyio.sleep(100)
    await left.__aexit__(None, None, None)


async def test_what_the_reader_of_a_stream_raises_comes_out_as_it_is() -> None:
    scene = Scene(GOOD)
    with pytest.raises(KeyError):
        async with scene.session.stream(GET):
            raise KeyError("mine")
    assert scene.limiter.open == 0


async def test_a_stream_leaves_the_callers_own_cancellation_alone() -> None:
    scene = Scene(GOOD)
    with anyio.move_on_after(1) as scope:
        async with scene.session.stream(GET):
            await anyio.sleep(100)
    assert scope.cancelled_caught


# What Hume has switched off.

GONE = evolve(GET.endpoint, sunset=dt.date(2026, 6, 15), replacement="the next thing")
HUME = "https://api.hume.ai"


@pytest.fixture
def today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "today", lambda: dt.date(2026, 6, 15))


@pytest.mark.usefixtures("today")
async def test_what_hume_switched_off_is_told_once_and_called_all_the_same() -> None:
    scene = Scene(GOOD, GOOD, GOOD, origin=Direct(HUME, api_key="key"))
    with pytest.warns(
        HumeSunsetWarning, match=r"things\.get off on 2026-06-15.*successor is the next thing"
    ):
        await scene.session.call(fill(GONE))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        await scene.session.call(fill(GONE))
        await scene.session.with_settings(timeout=Timeout()).call(fill(GONE))
    assert scene.sent == 3


@pytest.mark.usefixtures("today")
@pytest.mark.parametrize("origin", [Direct("http://127.0.0.1", api_key="key"), gateway()])
async def test_elsewhere_nothing_is_said_of_it(origin: Origin) -> None:
    await Scene(GOOD, origin=origin).session.call(fill(GONE))


@pytest.mark.usefixtures("today")
@pytest.mark.parametrize("sunset", [None, dt.date(2026, 6, 16)])
async def test_nothing_is_said_before_its_time(sunset: dt.date | None) -> None:
    scene = Scene(GOOD, origin=Direct(HUME, api_key="key"))
    await scene.session.call(fill(evolve(GONE, sunset=sunset)))


async def test_an_answer_that_says_more_wins_over_a_route_that_is_not_there() -> None:
    refused_token = json_answer(b'{"data":{"error":{"message":"bad token","code":"401"}}}', 401)
    scene = Scene(refused_token, NOT_A_ROUTE, origin=gateway(), retry=Retry(attempts=1))
    error = await scene.failure(GET_ONE)
    assert (error.status, error.message) == (401, "bad token")


async def test_an_error_that_passes_is_repeated_although_the_other_format_is_no_route() -> None:
    failing = json_answer(b'{"message":"socket hang up","provider":"humeai","error":{}}', 500)
    scene = Scene(failing, NOT_A_ROUTE, GOOD, origin=gateway())
    await scene.session.call(GET_ONE)
    assert scene.sent == 3
