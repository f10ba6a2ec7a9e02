"""Sockets as the transport opens them: handshakes, heartbeats, closing, and what goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import gc
import struct
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable
from socket import SO_LINGER, SOL_SOCKET
from typing import Any

import aiohttp
import anyio
import anyio.lowlevel
import pytest
from aiohttp import web
from chat_support import read_turn, web_server

from humeai_async import HumeAI
from humeai_async.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    ClientClosedError,
    HumeError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    SunsetError,
)
from humeai_async.http.messages import Request, Response
from humeai_async.http.transport import websocket
from humeai_async.http.transport.pool import AiohttpTransport
from humeai_async.http.transport.websocket import Closed, Socket
from humeai_async.limiter.bucket import Permit
from humeai_async.limiter.limiter import Limiter
from humeai_async.settings import Pool, Retry, Timeout
from humeai_async.testing import FakeHume, Fault

pytestmark = pytest.mark.anyio

CHAT = "/v0/evi/chat"
ONCE = Retry(attempts=1)
LIVING = dt.date(2026, 11, 1)
"""A day on which Hume still served the chat."""

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def opened(url: str) -> AsyncGenerator[Socket]:
    """Open one socket by a transport of its own."""
    transport = AiohttpTransport(Pool())
    socket = await transport.open_socket(Request("GET", "/x", url, {}), Timeout())
    assert not isinstance(socket, Response)
    try:
        yield socket
    finally:
        await transport.aclose()


async def refusal(fake_or_url: FakeHume | str, **settings: Any) -> HumeError:
    """Return the error that a chat's handshake ends with."""
    url = fake_or_url if isinstance(fake_or_url, str) else fake_or_url.url
    key = "key" if isinstance(fake_or_url, str) else fake_or_url.api_key
    settings = {"retry": ONCE, "api_key": key, **settings}
    async with HumeAI(base_url=url, **settings) as hume:
        with pytest.raises(HumeError) as caught:
            async with hume.chat.connect():
                pass
    return caught.value


async def test_an_unknown_key_is_refused_by_name() -> None:
    async with FakeHume() as fake:
        error = await refusal(fake, api_key="wrong")
        assert isinstance(error, AuthenticationError)
        assert error.message.startswith("Invalid ApiKey")
        assert (error.method, error.endpoint) == ("GET", CHAT)
        assert fake.chat.connections == []


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (403, PermissionDeniedError),
        (404, NotFoundError),
        (418, APIStatusError),
        (429, RateLimitError),
        (500, ServerError),
        (503, ServerError),
    ],
)
async def test_a_refused_handshake_is_the_error_of_its_status(
    status: int, kind: type[HumeError], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("humeai_async.http.session.today", lambda: LIVING)
    body = b'{"message": "not today", "code": "E0001"}'
    fault = Fault("status", path=CHAT, status=status, body=body)
    async with FakeHume(faults=[fault]) as fake:
        error = await refusal(fake)
    assert type(error) is kind
    assert (error.message, error.code, error.status) == ("not today", "E0001", status)


async def test_a_chat_that_hume_switched_off_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("humeai_async.http.session.today", lambda: dt.date(2026, 11, 13))
    async with FakeHume(faults=[Fault("status", path=CHAT, status=410)]) as fake:
        error = await refusal(fake)
    assert isinstance(error, SunsetError)
    assert error.sunset == dt.date(2026, 11, 13)


async def test_an_answer_that_is_no_handshake_is_an_error() -> None:
    async def serve(request: web.BaseRequest) -> web.StreamResponse:
        del request
        return web.Response(text="<html>hello</html>", content_type="text/html")

    async with web_server(serve) as url:
        error = await refusal(url)
    assert isinstance(error, APIStatusError)
    assert error.status == 200


async def test_a_refusal_that_breaks_off_leaves_no_connection() -> None:
    async with FakeHume(faults=[Fault("truncate", path=CHAT)]) as fake:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            error = await refusal(fake)
            gc.collect()
    assert type(error) is APIConnectionError
    assert [str(warning.message) for warning in told] == []


async def test_a_refused_pace_is_waited_for_and_the_handshake_made_again() -> None:
    fault = Fault("status", path=CHAT, status=429, headers={"Retry-After": "0"}, times=2)
    async with (
        FakeHume(faults=[fault]) as fake,
        HumeAI(api_key=fake.api_key, base_url=fake.url) as hume,
        hume.chat.connect() as chat,
    ):
        assert (await anext(chat)).type == "chat_metadata"
        assert (hume.stats.rate_limited, hume.stats.retries) == (2, 2)


async def test_handshakes_are_paced_in_the_bucket_of_the_product(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    told: list[int | None] = []

    done = Permit.done

    def listen(permit: Permit, status: int | None, *rest: Any) -> None:
        told.append(status)
        done(permit, status, *rest)

    class Listening(Limiter):
        async def acquire(self, bucket: str = "", **keywords: Any) -> Permit:
            asked.append(bucket.partition("/")[2])
            return await super().acquire(bucket, **keywords)

    monkeypatch.setattr(Permit, "done", listen)

    async with (
        FakeHume() as fake,
        HumeAI(api_key=fake.api_key, base_url=fake.url, limiter=Listening()) as hume,
        hume.chat.connect(),
    ):
        assert asked == ["evi"]
        assert told[0] == 101


async def test_a_redirect_is_not_followed_with_the_key() -> None:
    async with FakeHume() as elsewhere:

        async def serve(request: web.BaseRequest) -> web.StreamResponse:
            del request
            return web.Response(status=307, headers={"Location": elsewhere.url + CHAT})

        async with web_server(serve) as url:
            error = await refusal(url, api_key=elsewhere.api_key)
        assert error.status == 307
        assert elsewhere.chat.connections == []
        assert elsewhere.connections_opened == 0


async def test_a_wrong_handshake_is_a_connection_error() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Accept: nonsense\r\n\r\n"
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        error = await refusal(f"http://127.0.0.1:{port}")
    assert type(error) is APIConnectionError
    assert "handshake" in error.message


async def test_a_server_that_is_not_there_is_a_connection_error() -> None:
    async with FakeHume() as fake:
        url = fake.url
    error = await refusal(url)
    assert type(error) is APIConnectionError
    assert not error.outcome_unknown


async def test_a_handshake_that_is_not_answered_times_out() -> None:
    async with FakeHume(faults=[Fault("stall", path=CHAT)]) as fake:
        error = await refusal(fake, timeout=Timeout(read=0.05))
        assert isinstance(error, APITimeoutError)
        assert fake.chat.connections == []


async def test_the_total_timeout_covers_the_handshake_and_its_repeats() -> None:
    async with FakeHume(faults=[Fault("stall", path=CHAT)]) as fake:
        error = await refusal(fake, timeout=0.05, retry=Retry(attempts=3))
    assert isinstance(error, APITimeoutError)
    assert "total timeout" in error.message


async def test_no_timeout_of_the_handshake_ends_an_open_socket() -> None:
    async def serve(request: web.BaseRequest) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.receive()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                await socket.receive()
        await socket.send_str("late")
        return socket

    transport = AiohttpTransport(Pool())
    async with web_server(serve) as url:
        request = Request("GET", "/x", url, {})
        socket = await transport.open_socket(request, Timeout(connect=0.05, read=0.05))
        assert not isinstance(socket, Response)
        await socket.send(b"go")
        assert await socket.receive() == b"late"
        await transport.aclose()


async def test_a_server_that_answers_no_ping_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "HEARTBEAT", 0.02)
    monkeypatch.setattr(websocket, "PONG_WAIT", 0.02)
    silent = asyncio.Event()

    async def serve(request: web.BaseRequest) -> web.StreamResponse:
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        await silent.wait()
        return socket

    async with web_server(serve) as url, opened(url) as socket:
        with anyio.fail_after(5):
            closed = await socket.receive()
        assert closed == Closed(1006, "the server did not respond to a ping")
        silent.set()


async def test_a_server_that_answers_pings_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "HEARTBEAT", 0.02)
    monkeypatch.setattr(websocket, "PONG_WAIT", 0.02)
    pings = 0

    async def serve(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal pings
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        while pings < 4:
            message = await socket.receive()
            assert message.type is aiohttp.WSMsgType.PING
            pings += 1
            await socket.pong(message.data)
        await socket.send_str("alive")
        await socket.close()
        return socket

    async with web_server(serve) as url, opened(url) as socket:
        with anyio.fail_after(5):
            assert await socket.receive() == b"alive"


async def test_pings_are_answered_while_nobody_reads() -> None:
    answered = asyncio.Event()

    async def serve(request: web.BaseRequest) -> web.StreamResponse:
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        await socket.send_str("unread")
        await socket.ping(b"there?")
        assert (await socket.receive()).type is aiohttp.WSMsgType.PONG
        answered.set()
        await socket.receive()
        return socket

    async with web_server(serve) as url, opened(url) as socket:
        with anyio.fail_after(5):
            await answered.wait()
        assert await socket.receive() == b"unread"


async def test_no_more_is_read_ahead_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "READ_AHEAD", 1 << 20)
    sent: list[int] = []

    async def serve(request: web.BaseRequest) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for number in range(400):
            await socket.send_str(f"{number:07}" + "x" * (1 << 17))
            sent.append(number)
        await socket.receive()
        return socket

    async with web_server(serve) as url, opened(url) as socket:
        quiet = 0
        while quiet < 1000:
            before = len(sent)
            await anyio.lowlevel.checkpoint()
            quiet = quiet + 1 if len(sent) == before and sent else 0
        assert len(sent) < 200
        got = [await socket.receive() for _ in range(400)]
    assert [int(message[:7]) for message in got if isinstance(message, bytes)] == list(range(400))


async def test_messages_that_came_before_the_end_are_still_read() -> None:
    async def serve(request: web.BaseRequest) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for text in ("a", "b"):
            await socket.send_str(text)
        await socket.close(code=1012)
        return socket

    async with web_server(serve) as url, opened(url) as socket:
        with contextlib.suppress(APIConnectionError):
            while True:  # until it is known here that the connection ended
                await socket.send(b"x")
                await anyio.lowlevel.checkpoint()
        assert [await socket.receive() for _ in range(3)] == [b"a", b"b", Closed(1012)]


async def test_closing_a_socket_with_a_full_buffer_ends_its_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(websocket, "READ_AHEAD", 10)

    async def serve(request: web.BaseRequest) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for _ in range(3):
            await socket.send_str("x" * 100)
        await socket.receive()
        return socket

    async with web_server(serve) as url:
        before = asyncio.all_tasks()
        async with opened(url) as socket:
            await socket.receive()
            await socket.aclose()
            with anyio.fail_after(5):
                while asyncio.all_tasks() - before:
                    await anyio.lowlevel.checkpoint()


async def test_closing_does_not_wait_for_a_server_that_never_closes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(websocket, "CLOSE_WAIT", 0.02)
    held = asyncio.Event()

    async def serve(request: web.BaseRequest) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await held.wait()
        return socket

    async with web_server(serve) as url, opened(url) as socket:
        with anyio.fail_after(5):
            await socket.aclose()
        assert await socket.receive() == Closed(1000)
        with pytest.raises(APIConnectionError, match="broke"):
            await socket.send(b"late")
        held.set()


async def test_a_reset_connection_is_lost_and_let_go_of() -> None:
    async def serve(request: web.BaseRequest) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str("last")
        transport = request.transport
        assert transport is not None
        raw = transport.get_extra_info("socket")
        raw.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
        return socket

    async with web_server(serve) as url, opened(url) as socket:
        assert await socket.receive() == b"last"
        assert await socket.receive() == Closed(1006, "the connection was lost")
    gc.collect()  # an unclosed connection would warn now, and warnings are errors


async def test_a_close_frame_without_a_code_is_a_code_of_its_own() -> None:
    async def serve(request: web.BaseRequest) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        assert request.transport is not None
        request.transport.write(b"\x88\x00")
        await socket.receive()
        return socket

    async with web_server(serve) as url, opened(url) as socket:
        assert await socket.receive() == Closed(1005)
        assert await socket.receive() == Closed(1005)


async def test_a_frame_that_is_no_text_ends_the_socket_by_name() -> None:
    async def serve(request: web.BaseRequest) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        assert request.transport is not None
        request.transport.write(b"\x81\x02\xff\xff")
        await socket.receive()
        return socket

    async with web_server(serve) as url, opened(url) as socket:
        closed = await socket.receive()
        assert isinstance(closed, Closed)
        assert closed.code == 1007


async def test_a_client_closed_during_the_handshake_keeps_no_socket() -> None:
    async with FakeHume() as fake:
        transport = AiohttpTransport(Pool())
        request = Request("GET", "/x", fake.url + CHAT, {"X-Hume-Api-Key": fake.api_key})
        failures: list[HumeError] = []

        async def open_one() -> None:
            try:
                await transport.open_socket(request, Timeout())
            except HumeError as problem:
                failures.append(problem)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(open_one)
            await anyio.lowlevel.checkpoint()
            await transport.aclose()
        assert [type(problem) for problem in failures] == [ClientClosedError]
        with anyio.fail_after(5):
            while fake.connections_open:
                await anyio.lowlevel.checkpoint()


async def test_a_closed_client_opens_no_chat() -> None:
    async with FakeHume() as fake:
        hume = HumeAI(api_key=fake.api_key, base_url=fake.url)
        await hume.aclose()
        with pytest.raises(ClientClosedError):
            async with hume.chat.connect():
                pass
        assert fake.connections_opened == 0


async def test_a_borrowed_session_lends_its_connector_and_stays_open() -> None:
    async with (
        FakeHume() as fake,
        aiohttp.ClientSession(headers={"X-Team": "blue"}) as borrowed,
    ):
        async with HumeAI(api_key=fake.api_key, base_url=fake.url, session=borrowed) as hume:
            async with hume.chat.connect() as chat:
                await chat.send_text("hi")
                await read_turn(chat)
            assert fake.chat.connections[0].headers["x-team"] == "blue"
        assert not borrowed.closed
        async with borrowed.get(fake.url + "/v0/evi/chats") as answer:
            assert answer.status == 401
