"""Credentials that change: functions that are asked, and access tokens that are renewed."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from error_text import collect_error_text
from virtual_time import BACKEND

from humeai_async import (
    APIConnectionError,
    AuthenticationError,
    ClientClosedError,
    ConfigurationError,
    DecodeError,
    HumeAI,
    OAuth,
    Request,
    Retry,
)
from humeai_async.testing import MockTransport
from humeai_async.testing.mock_transport import MockHandler

pytestmark = pytest.mark.anyio

QUICK = Retry(attempts=2, initial_delay=0.001)
TOKEN_PATH = "/oauth2-cc/token"
WAYS: dict[str, Callable[[Request], str]] = {
    "api_key": lambda request: request.signed()[1]["X-Hume-Api-Key"],
    "access_token": lambda request: request.signed()[1]["Authorization"].removeprefix("Bearer "),
    "api_token": lambda request: request.signed()[0].partition("api_token=")[2],
}


@pytest.fixture
def anyio_backend() -> Any:
    return BACKEND


def client_on(handler: MockHandler, **settings: Any) -> HumeAI:
    settings.setdefault("retry", QUICK)
    return HumeAI(transport=MockTransport(handler), **settings)


# Functions.


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("is_async", [False, True])
async def test_a_function_is_asked_for_each_request_and_not_before(
    name: str, is_async: bool
) -> None:
    asked: list[str] = []

    def ask() -> str:
        asked.append(f"at_{len(asked)}")
        return asked[-1]

    async def ask_slowly() -> str:
        await anyio.sleep(0.01)
        return ask()

    seen: list[str] = []

    def handler(request: Request) -> Any:
        seen.append(WAYS[name](request))
        return {}

    settings: dict[str, Any] = {name: ask_slowly if is_async else ask}
    async with client_on(handler, **settings) as hume:
        assert asked == []
        await hume.request("GET", "/v0/x")
        await hume.request("GET", "/v0/x")
    assert seen == asked == ["at_0", "at_1"]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("attempts", [1, 4])
async def test_a_401_asks_once_more_and_only_once(method: str, attempts: int) -> None:
    asked: list[str] = []

    def ask() -> str:
        asked.append("key")
        return f"key-{len(asked)}"

    transport = MockTransport(lambda _: (401, {"message": "no"}))
    async with HumeAI(api_key=ask, transport=transport, retry=Retry(attempts=attempts)) as hume:
        with pytest.raises(AuthenticationError, match="the function given as api_key"):
            await hume.request(method, "/v0/x")
    assert len(asked) == len(transport.requests) == 2


async def test_a_call_whose_new_credential_is_good_succeeds() -> None:
    keys = ["old", "new"]

    def handler(request: Request) -> Any:
        return {} if WAYS["api_key"](request) == "new" else (401, {})

    async with client_on(handler, api_key=lambda: keys.pop(0)) as hume:
        await hume.request("POST", "/v0/x")


async def test_a_credential_that_is_a_text_is_not_sent_again_after_a_401() -> None:
    transport = MockTransport(lambda _: (401, {}))
    async with HumeAI(api_key="key", transport=transport) as hume:
        with pytest.raises(AuthenticationError):
            await hume.request("GET", "/v0/x")
    assert len(transport.requests) == 1


@pytest.mark.parametrize("made", [None, 3, b"m4rk3d", "", "m4rk3d m4rk3d", "m4rk3d\n"])
async def test_what_a_function_returns_must_be_a_credential(made: Any) -> None:
    transport = MockTransport(lambda _: {})
    async with HumeAI(api_key=lambda: made, transport=transport) as hume:
        with pytest.raises(ConfigurationError, match="function given as api_key") as caught:
            await hume.request("GET", "/v0/x")
    assert transport.requests == []
    if isinstance(made, str):
        assert "m4rk3d" not in collect_error_text(caught.value, __file__)


async def test_what_a_function_raises_reaches_the_caller() -> None:
    def ask() -> str:
        raise LookupError("the vault is shut")

    async with client_on(lambda request: {"path": request.path}, api_key=ask) as hume:
        with pytest.raises(LookupError, match="vault"):
            await hume.request("GET", "/v0/x")
        assert hume.limiter.snapshot(hume.limiter.buckets[0]).in_flight == 0


def test_what_is_neither_text_nor_function_is_refused() -> None:
    wrong: Any = OAuth("key", "secret")
    with pytest.raises(ConfigurationError, match="api_key is a str or a function"):
        HumeAI(api_key=wrong)


# OAuth.


class Issuer:
    """Makes tokens, and accepts those that it made and did not end."""

    def __init__(self, *, lifetime: float = 1800.0, delay: float = 0.0) -> None:
        self.lifetime = lifetime
        self.delay = delay
        self.asked = 0
        self.valid: set[str] = set()
        self.calls: list[str] = []
        self.failures: list[Any] = []

    async def __call__(self, request: Request) -> Any:
        if request.path != TOKEN_PATH:
            token = WAYS["access_token"](request)
            self.calls.append(token)
            return {} if token in self.valid else (401, {"message": f"unknown: {token}"})
        await anyio.sleep(self.delay)
        self.asked += 1
        assert request.method == "POST"
        assert request.body == b"grant_type=client_credentials"
        headers = request.signed()[1]
        pair = base64.b64encode(b"my-key:my-secret").decode()
        assert headers["Authorization"] == f"Basic {pair}"
        assert headers["Content-Type"] == "application/x-www-form-urlencoded"
        if self.failures:
            return self.failures.pop(0)
        token = f"token-{self.asked}"
        self.valid.add(token)
        return {"access_token": token, "token_type": "bearer", "expires_in": self.lifetime}


def oauth_on(issuer: Issuer, **settings: Any) -> HumeAI:
    return client_on(issuer, access_token=OAuth("my-key", "my-secret"), **settings)


async def test_one_request_serves_any_number_of_waiting_calls() -> None:
    issuer = Issuer(delay=1.0)
    async with oauth_on(issuer) as hume, anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(hume.request, "GET", "/v0/x")
    assert (issuer.asked, issuer.calls) == (1, ["token-1"] * 50)


async def test_a_token_is_renewed_before_it_ends() -> None:
    issuer = Issuer(lifetime=1800.0)
    async with oauth_on(issuer) as hume:
        await hume.request("GET", "/v0/x")
        await anyio.sleep(1700)
        await hume.request("GET", "/v0/x")
        assert issuer.asked == 1
        await anyio.sleep(60)
        await hume.request("GET", "/v0/x")
    assert issuer.calls == ["token-1", "token-1", "token-2"]


async def test_a_refused_token_is_renewed_once_by_any_number_of_calls() -> None:
    issuer = Issuer()
    async with oauth_on(issuer) as hume:
        await hume.request("GET", "/v0/x")
        issuer.valid.clear()
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(hume.request, "POST", "/v0/x")
    assert issuer.asked == 2


async def test_a_cancelled_call_takes_no_token_from_those_that_wait_on() -> None:
    issuer = Issuer(delay=1.0)
    async with oauth_on(issuer) as hume:
        first = asyncio.ensure_future(hume.request("GET", "/v0/x"))
        second = asyncio.ensure_future(hume.request("GET", "/v0/x"))
        await anyio.sleep(0.5)
        first.cancel()
        await second
        with pytest.raises(asyncio.CancelledError):
            await first
    assert (issuer.asked, issuer.calls) == (1, ["token-1"])


async def test_a_token_that_nobody_waits_for_any_more_is_there_for_the_next_call() -> None:
    issuer = Issuer(delay=1.0)
    async with oauth_on(issuer) as hume:
        with anyio.move_on_after(0.5):
            await hume.request("GET", "/v0/x")
        await anyio.sleep(1)
        await hume.request("GET", "/v0/x")
    assert issuer.asked == 1


async def test_a_token_request_is_repeated_by_itself_and_not_by_each_call_again() -> None:
    issuer = Issuer()
    issuer.failures = [(500, {"message": "oops"})]
    async with oauth_on(issuer) as hume:
        await hume.request("GET", "/v0/x")
        assert issuer.asked == 2
        issuer.valid.clear()
        issuer.failures = [(500, {})] * 10
        with pytest.raises(Exception, match="500"):
            await hume.request("GET", "/v0/x")
    assert issuer.asked == 4


async def test_a_pair_that_is_refused_is_told_to_each_call_in_an_error_of_its_own() -> None:
    issuer = Issuer(delay=1.0)
    issuer.failures = [(401, {"message": "bad pair"})]
    errors: list[Exception] = []

    async def call(hume: HumeAI) -> None:
        try:
            await hume.request("GET", "/v0/x")
        except AuthenticationError as problem:
            errors.append(problem)

    async with oauth_on(issuer) as hume, anyio.create_task_group() as tasks:
        tasks.start_soon(call, hume)
        tasks.start_soon(call, hume)
    assert len({id(error) for error in errors}) == 2
    assert all("OAuth pair given as access_token" in str(error) for error in errors)
    assert issuer.asked == 1
    for error in errors:
        text = collect_error_text(error, __file__)
        assert "my-secret" not in text
        assert base64.b64encode(b"my-key:my-secret").decode() not in text


@pytest.mark.parametrize("body", [{}, {"access_token": 3}, {"access_token": ""}, [], "text"])
async def test_a_response_without_a_token_is_a_decode_error(body: Any) -> None:
    issuer = Issuer()
    issuer.failures = [(200, body)]
    async with oauth_on(issuer) as hume:
        with pytest.raises(DecodeError):
            await hume.request("GET", "/v0/x")
    assert issuer.calls == []


async def test_closing_the_client_ends_the_request_for_a_token() -> None:
    issuer = Issuer(delay=100.0)
    before = asyncio.all_tasks()
    hume = oauth_on(issuer)
    call = asyncio.ensure_future(hume.request("GET", "/v0/x"))
    await anyio.sleep(1)
    await hume.aclose()
    with pytest.raises(ClientClosedError):
        await call
    await anyio.lowlevel.checkpoint()
    assert asyncio.all_tasks() == before


async def test_a_call_waits_for_a_token_no_longer_than_its_deadline() -> None:
    issuer = Issuer(delay=100.0)
    async with oauth_on(issuer) as hume:
        with pytest.raises(APIConnectionError):
            await hume.with_options(timeout=1).request("POST", "/v0/x")


async def test_newer_products_have_the_same_tokens_from_the_same_place() -> None:
    issuer = Issuer()
    hosts: list[str] = []

    def handler(request: Request) -> Awaitable[Any]:
        hosts.append(request.host)
        return issuer(request)

    hume = client_on(handler, access_token=OAuth("my-key", "my-secret"))
    async with hume:
        await hume.request("GET", "/v0/x")
        with pytest.raises(DecodeError):
            await hume.expression.runs.get("run-1")
    assert hosts == ["api.hume.ai", "api.hume.ai", "api.cloud.hume.ai"]
    assert issuer.asked == 1


@pytest.mark.parametrize(
    "pair", [("", "s"), ("k", ""), ("m4rk3d k", "s"), ("k", None), ("a:b", "c")]
)
def test_keys_that_were_not_copied_whole_are_refused(pair: Any) -> None:
    with pytest.raises(ConfigurationError, match="OAuth: ") as caught:
        OAuth(*pair)
    assert "m4rk3d" not in collect_error_text(caught.value, __file__)
    assert repr(OAuth("my-key", "m4rk3d")) == "OAuth(***)"


async def test_no_capture_sees_a_token_that_is_fetched() -> None:
    async with oauth_on(Issuer()) as hume:
        with hume.capture() as exchanges:
            await hume.request("GET", "/v0/x")
    assert [one.endpoint for one in exchanges] == ["request"]
    assert exchanges[0].request_headers["Authorization"] == "***"


def test_what_can_be_called_needs_no_names_of_its_own() -> None:
    assert repr(HumeAI(api_key=iter(["key"]).__next__))


@pytest.mark.parametrize("settings", [{"api_key": str}, {"access_token": OAuth}])
def test_a_class_is_no_function_that_returns_a_credential(settings: Any) -> None:
    with pytest.raises(ConfigurationError, match="a function that returns one, not type"):
        HumeAI(**settings)
