"""The task that reads a socket ahead: it ends by name, and keeps a healthy connection."""

from __future__ import annotations

import asyncio
import contextlib
import struct
import time
from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import anyio
import anyio.lowlevel
import pytest
from rawsocket import CLOSE, METADATA, PING, PONG, close_frame, event, frame, socket_server

from humeai_async import HumeAI
from humeai_async.errors import APIConnectionError, APITimeoutError, ChatClosedError
from humeai_async.http.messages import Request, Response
from humeai_async.http.transport import websocket
from humeai_async.http.transport.pool import AiohttpTransport
from humeai_async.http.transport.websocket import Closed, Socket
from humeai_async.settings import Pool, Timeout

pytestmark = pytest.mark.anyio


@contextlib.asynccontextmanager
async def opened(url: str) -> AsyncGenerator[Socket]:
    """Open one socket by a transport of its own."""
    transport = AiohttpTransport(Pool())
    socket = await transport.open_socket(Request("GET", "/x", url, {}), Timeout())
    assert not isinstance(socket, Response)
    try:
        with anyio.fail_after(20):
            yield socket
    finally:
        await transport.aclose()


def quicken(monkeypatch: pytest.MonkeyPatch, seconds: float = 0.02) -> None:
    """Let silence end a socket soon."""
    monkeypatch.setattr(websocket, "HEARTBEAT", seconds)
    monkeypatch.setattr(websocket, "PONG_WAIT", seconds)


async def wait_for_ever(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


@pytest.mark.parametrize(
    ("tail", "code"),
    [
        (frame(b"p", PING) + close_frame(1012), 1012),
        (frame(b"p", PING), 1006),
        (event(type="assistant_end") * 3 + frame(b"p", PING) + event(type="assistant_end"), 1006),
        (event(type="assistant_end") * 3 + close_frame(1012), 1012),
        (frame(b"p", PONG), 1006),
    ],
)
async def test_a_server_that_pings_with_the_handshake_and_closes_ends_the_chat(
    tail: bytes, code: int
) -> None:
    seen: list[str] = []
    async with (
        socket_server(METADATA + tail) as url,
        HumeAI(api_key="key", base_url=url) as hume,
        hume.chat.connect(reconnect=False) as chat,
    ):
        with anyio.fail_after(5), pytest.raises(ChatClosedError) as caught:
            seen.extend([event.type async for event in chat])
    assert caught.value.close_code == code


async def test_messages_before_a_ping_that_cannot_be_answered_are_delivered() -> None:
    greeting = frame(b"one") + frame(b"p", PING) + frame(b"two") + close_frame(1011)
    async with socket_server(greeting) as url, opened(url) as socket:
        assert [await socket.receive() for _ in range(3)] == [b"one", b"two", Closed(1011)]


async def test_a_reading_task_that_somebody_cancels_ends_the_socket() -> None:
    async with socket_server(b"", wait_for_ever) as url:
        before = asyncio.all_tasks()
        async with opened(url) as socket:
            receiving = asyncio.create_task(socket.receive())
            await anyio.sleep(0.01)
            for task in asyncio.all_tasks() - before - {receiving}:
                task.cancel()
            assert await receiving == Closed(1006, "the task that read it was cancelled")


async def test_a_reading_task_that_is_cancelled_before_it_begins_ends_the_socket() -> None:
    async with socket_server(b"", wait_for_ever) as url:
        before = asyncio.all_tasks()
        async with opened(url) as socket:
            for task in asyncio.all_tasks() - before:
                task.cancel()
            assert await socket.receive() == Closed(1006, "the task that read it was cancelled")


async def test_an_error_that_nobody_foresaw_ends_the_socket_by_its_name(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(_: object) -> None:
        await anyio.lowlevel.checkpoint()
        raise ZeroDivisionError("api_key=secret")

    monkeypatch.setattr(aiohttp.ClientWebSocketResponse, "receive", fail)
    async with socket_server(b"", wait_for_ever) as url, opened(url) as socket:
        assert await socket.receive() == Closed(1006, "reading it failed with ZeroDivisionError")
    assert "ZeroDivisionError" in caplog.text
    assert "secret" not in caplog.text


async def test_a_full_buffer_outlasts_the_heartbeat_of_a_healthy_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    quicken(monkeypatch, 0.05)
    monkeypatch.setattr(websocket, "READ_AHEAD", 1000)
    numbers = [b"%04d" % n + b"x" * 50_000 for n in range(40)]

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in numbers:
            writer.write(frame(number))
            await writer.drain()
        while (await read_frame(reader))[0] != CLOSE:
            writer.write(frame(b"", PONG))

    async with socket_server(b"", talk) as url, opened(url) as socket:
        await anyio.sleep(0.25)
        assert [await socket.receive() for _ in numbers] == numbers


async def test_while_nothing_is_read_pings_keep_the_connection_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    quicken(monkeypatch)
    monkeypatch.setattr(websocket, "READ_AHEAD", 10)
    kinds: list[int] = []

    async def talk(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        while len(kinds) < 3:
            kinds.append((await read_frame(reader))[0])

    async with socket_server(frame(b"a") + frame(b"b"), talk) as url, opened(url):
        while len(kinds) < 3:
            await anyio.sleep(0.01)
    assert kinds == [PING, PING, PING]


async def test_an_event_loop_that_stood_still_is_no_silence_of_the_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    quicken(monkeypatch)
    monkeypatch.setattr(websocket, "LATE", 0.05)
    pinged = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_frame(reader)
        pinged.set()
        await anyio.lowlevel.checkpoint()  # the pong is as late as the loop stands still
        writer.write(frame(b"", PONG))
        writer.write(frame(b"alive"))
        await reader.read()

    async with socket_server(b"", talk) as url, opened(url) as socket:
        await pinged.wait()
        time.sleep(0.2)  # noqa: ASYNC251 - what is tested
        assert await socket.receive() == b"alive"


@pytest.mark.parametrize("text", [b"", b"x"])
async def test_tiny_messages_count_with_what_they_take_in_memory(
    text: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "READ_AHEAD", 12_800)
    async with socket_server(frame(text) * 5000, wait_for_ever) as url, opened(url) as socket:
        await anyio.sleep(0.1)
        assert 50 <= waiting(socket) <= 101
        rest = [await socket.receive() for _ in range(5000 - 101)]
    assert set(rest) == {text}


async def test_a_server_that_takes_nothing_ends_a_send_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(websocket, "SEND_WAIT", 0.05)

    is_over, is_read = asyncio.Event(), asyncio.Event()

    async def talk(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await is_over.wait()
        while await reader.read(1 << 20):
            pass  # or aiohttp 3.12 logs the lost connection, on top of the error
        is_read.set()

    async with socket_server(b"", talk) as url, opened(url) as socket:
        with pytest.raises(APITimeoutError, match="read events while you send") as caught:
            await socket.send(b"x" * websocket.LARGEST_MESSAGE)
        assert caught.value.outcome_unknown
        is_over.set()
        await socket.aclose(wait=False)
        await is_read.wait()


@pytest.mark.parametrize(("messages", "size"), [(100, 3_200), (300, 1)], ids=["audio", "tiny"])
async def test_sending_makes_no_task_while_the_server_takes_it_and_lets_others_run(
    messages: int, size: int
) -> None:
    made: list[object] = []
    turns = 0

    def make(loop: asyncio.AbstractEventLoop, work: Any, **more: Any) -> asyncio.Task[Any]:
        made.append(work)
        return asyncio.Task(work, loop=loop, **more)

    async def take_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async with socket_server(b"", wait_for_ever) as url, opened(url) as socket:
        others = asyncio.create_task(take_turns())
        await anyio.sleep(0.01)  # its own tasks have begun
        loop = asyncio.get_running_loop()
        loop.set_task_factory(make)
        before = turns
        try:
            for _ in range(messages):
                await socket.send(b"x" * size)
        finally:
            loop.set_task_factory(None)
            others.cancel()
    assert made == []
    assert turns > before + 3


async def test_sends_that_wait_for_the_server_are_whole_and_in_order_whoever_is_cancelled() -> None:
    may_read, received = asyncio.Event(), bytearray()
    size = 1 << 20

    async def talk(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await may_read.wait()
        while len(received) < 8 * size and (data := await reader.read(1 << 20)):
            received.extend(data)

    async with socket_server(b"", talk) as url, opened(url) as socket:
        sends = [asyncio.create_task(socket.send(bytes([65 + n]) * size)) for n in range(8)]
        await anyio.sleep(0.05)
        waiting = [one for one in sends if not one.done()]
        assert len(waiting) >= 4
        for one in waiting[::2]:
            one.cancel()
        may_read.set()
        for one in sends:
            with contextlib.suppress(asyncio.CancelledError):
                await one
        await socket.send(b"end")
        while len(received) < 8 * size:
            await anyio.sleep(0.01)
    assert sum(one.cancelled() for one in sends) == len(waiting[::2])


async def test_a_pong_that_the_server_does_not_take_keeps_nobody_from_reading() -> None:
    is_blocked, is_read = asyncio.Event(), asyncio.Event()

    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await is_blocked.wait()
        writer.write(frame(b"p", PING) * 3 + frame(b"after the pings"))
        await is_read.wait()
        writer.transport.abort()

    async with socket_server(b"", talk) as url, opened(url) as socket:
        sending = asyncio.create_task(socket.send(b"x" * websocket.LARGEST_MESSAGE))
        await anyio.sleep(0.05)
        assert not sending.done()
        is_blocked.set()
        assert await socket.receive() == b"after the pings"
        is_read.set()
        with pytest.raises(APIConnectionError):
            await sending


async def test_the_last_of_several_pings_is_answered() -> None:
    got: list[tuple[int, bytes]] = []

    async def talk(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        while not got or got[-1] != (PONG, b"last"):
            got.append(await read_frame(reader))

    greeting = frame(b"first", PING) + frame(b"last", PING)
    async with socket_server(greeting, talk) as url, opened(url) as socket:
        assert await socket.receive() == Closed(1006, "the connection was lost")
    assert got[-1] == (PONG, b"last")


def waiting(socket: Socket) -> int:
    """Count and take the messages that are there without a wait."""
    count = 0
    while True:
        receiving = socket.receive()
        try:
            receiving.__await__().send(None)
        except StopIteration:
            count += 1
        else:
            receiving.close()
            return count


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Read one frame of a client."""
    first, second = await reader.readexactly(2)
    size = second & 0x7F
    if size == 126:
        (size,) = struct.unpack(">H", await reader.readexactly(2))
    elif size == 127:
        (size,) = struct.unpack(">Q", await reader.readexactly(8))
    mask = await reader.readexactly(4)
    data = await reader.readexactly(size)
    return first & 0x0F, bytes(byte ^ mask[n % 4] for n, byte in enumerate(data))
