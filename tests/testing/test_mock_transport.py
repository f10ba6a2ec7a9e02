"""`MockTransport`, and what any transport that is handed in may count on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Self

import pytest

from humeai_async import (
    APIConnectionError,
    APITimeoutError,
    BufferedResponse,
    ConfigurationError,
    HumeAI,
    NotFoundError,
    Request,
    Response,
    Retry,
)
from humeai_async.http.messages import Delivery
from humeai_async.testing import FakeHume, MockTransport
from humeai_async.testing.mock_transport import MockHandler

pytestmark = pytest.mark.anyio

PAGE = {"page_number": 0, "page_size": 10, "total_pages": 1, "configs_page": [{"id": "c"}]}
QUICK = Retry(attempts=2, initial_delay=0.001)


def client_on(handler: MockHandler, **settings: Any) -> HumeAI:
    settings.setdefault("retry", QUICK)
    return HumeAI(api_key="key", transport=MockTransport(handler), **settings)


async def test_a_function_stands_in_for_the_network() -> None:
    async with client_on(lambda _: {**PAGE, "configs_page": [{"id": "c", "version": 1}]}) as hume:
        assert [config.id async for config in hume.configs.list()] == ["c"]


async def test_a_handler_sees_method_path_query_body_and_what_is_sent() -> None:
    seen: list[Request] = []

    async def handler(request: Request) -> Any:
        seen.append(request)
        return 201, {"id": "c", "version": 0}

    async with client_on(handler) as hume:
        await hume.configs.create(name="Weather", evi_version="3")
    (request,) = seen
    assert (request.method, request.path) == ("POST", "/v0/evi/configs")
    assert request.json() == {"name": "Weather", "evi_version": "3"}
    assert request.signed()[1]["X-Hume-Api-Key"] == "key"


async def test_retries_run_above_it() -> None:
    replies: list[Any] = [(500, {"message": "oops"}), PAGE]
    transport = MockTransport(lambda _: replies.pop(0))
    async with HumeAI(api_key="key", transport=transport, retry=QUICK) as hume:
        await hume.request("GET", "/v0/evi/configs")
    assert len(transport.requests) == 2
    assert transport.is_closed


async def test_envelopes_are_taken_off_above_it() -> None:
    transport = MockTransport(lambda _: {"data": {"id": "c"}})
    async with HumeAI(api_token="at_x", transport=transport) as hume:
        assert (await hume.request("GET", "/v0/evi/configs")).json() == {"id": "c"}
    assert transport.requests[0].signed()[0].endswith("?api_token=at_x")


async def test_a_whole_response_brings_headers_and_bytes() -> None:
    reply = Response(404, {"X-Request-Id": "r-1"}, b"no such thing")
    async with client_on(lambda _: reply) as hume:
        with pytest.raises(NotFoundError, match="no such thing") as caught:
            await hume.configs.get_version("a", 1)
    assert caught.value.request_id == "r-1"


@pytest.mark.parametrize(
    ("raised", "expected"), [(OSError, APIConnectionError), (TimeoutError, APITimeoutError)]
)
@pytest.mark.parametrize(("method", "requests"), [("GET", 2), ("POST", 1)])
async def test_a_connection_that_breaks_leaves_it_unknown_whether_a_post_was_carried_out(
    raised: type[OSError], expected: type[APIConnectionError], method: str, requests: int
) -> None:
    def handler(_: Request) -> Any:
        raise raised("m4rk3d")

    transport = MockTransport(handler)
    async with HumeAI(api_key="key", transport=transport, retry=QUICK) as hume:
        with pytest.raises(expected) as caught:
            await hume.request(method, "/v0/evi/configs")
    assert len(transport.requests) == requests
    assert caught.value.outcome_unknown is (method == "POST")
    assert "m4rk3d" not in str(caught.value)


async def test_a_request_that_surely_was_not_sent_is_sent_again() -> None:
    def handler(request: Request) -> Any:
        if len(transport.requests) == 1:
            request.delivery = Delivery.NOT_SENT
            raise ConnectionRefusedError
        return {}

    transport = MockTransport(handler)
    async with HumeAI(api_key="key", transport=transport, retry=QUICK) as hume:
        await hume.request("POST", "/v0/evi/configs")
    assert len(transport.requests) == 2


@pytest.mark.parametrize("mistake", [AssertionError, KeyError])
async def test_a_mistake_in_a_handler_reaches_the_test_as_it_is(
    mistake: type[Exception],
) -> None:
    def handler(_: Request) -> Any:
        raise mistake("mine")

    async with client_on(handler) as hume:
        with pytest.raises(mistake, match="mine"):
            await hume.configs.list()


@pytest.mark.parametrize("reply", [None, "text", b"bytes", ("200", {}), (200, {}, {})])
async def test_what_is_no_reply_is_refused(reply: Any) -> None:
    async with client_on(lambda _: reply) as hume:
        with pytest.raises(TypeError):
            await hume.configs.list()


async def test_a_handshake_is_refused_by_the_reply() -> None:
    async with client_on(lambda _: (404, {"message": "no chat here"})) as hume:
        with pytest.raises(NotFoundError, match="no chat here"):
            async with hume.chat.connect():
                pass


class Forwarding:
    """A transport of a user's own: it forwards to another, and breaks in the middle of a body."""

    def __init__(self) -> None:
        self.closed = 0
        self.closed_responses = 0

    async def open(self, request: Request, timeout: object) -> Self:
        del request, timeout
        self.status, self.headers = 200, {"content-type": "application/json"}
        return self

    async def open_socket(self, request: Request, timeout: object) -> Response:
        raise NotImplementedError

    async def read(self) -> bytes:
        raise ConnectionResetError

    async def chunks(self) -> AsyncIterator[bytes]:
        yield b"half"
        raise ConnectionResetError

    async def aclose(self) -> None:
        self.closed += 1


async def test_a_body_that_breaks_off_is_closed_and_told_in_the_librarys_own_error() -> None:
    transport: Any = Forwarding()
    async with HumeAI(api_key="key", transport=transport, retry=QUICK) as hume:
        with pytest.raises(APIConnectionError, match="handed in failed"):
            await hume.configs.list()
        assert transport.closed == 2  # its responses, which it is itself
    assert transport.closed == 3


def test_what_is_no_transport_is_refused() -> None:
    wrong: Any = object()
    with pytest.raises(ConfigurationError, match="open, open_socket and aclose"):
        HumeAI(api_key="key", transport=wrong)


async def test_a_transport_goes_without_an_aiohttp_session() -> None:
    import aiohttp  # noqa: PLC0415 - for this one alone

    async with aiohttp.ClientSession() as session:
        with pytest.raises(ConfigurationError, match="not both"):
            HumeAI(api_key="key", transport=MockTransport(lambda _: {}), session=session)


async def test_a_download_through_a_transport_comes_in_pieces(tmp_path: Any) -> None:
    transport = MockTransport(lambda _: [])
    async with HumeAI(api_key="key", transport=transport) as hume:
        await hume.batch.job("job-1").save_predictions(tmp_path / "p.json")
    assert (tmp_path / "p.json").read_bytes() == b"[]"


async def test_a_buffered_response_knows_its_headers_in_any_case() -> None:
    response = BufferedResponse(200, {"Retry-After": "3"}, b"x")
    assert response.headers["retry-after"] == "3"
    assert [chunk async for chunk in response.chunks()] == [b"x"]


async def test_fake_and_mock_agree_on_a_page() -> None:
    async with FakeHume() as fake, HumeAI(api_key=fake.api_key, base_url=fake.url) as hume:
        real = await hume.request("GET", "/v0/evi/configs")
    async with client_on(lambda _: real.json()) as hume:
        assert list(await hume.configs.list()) == []


def test_a_class_or_nothing_in_place_of_a_transport_is_refused_at_once() -> None:
    with pytest.raises(ConfigurationError, match=r"write MockTransport\("):
        HumeAI(api_key="key", transport=MockTransport)  # type: ignore[arg-type]  # a mistake
    with pytest.raises(ConfigurationError, match="a function of a request, not NoneType"):
        MockTransport(None)  # type: ignore[arg-type]  # a mistake
