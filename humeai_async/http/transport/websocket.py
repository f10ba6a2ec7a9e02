"""One WebSocket: messages out, messages in, and how it ended.

Everything that aiohttp says about the end of a connection becomes a `Closed` with a code, be
it a close frame, a lost connection or a ping without a pong. Nothing here knows an
endpoint, a credential or a message's meaning; the transport opens sockets, the chat uses them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple, Protocol, cast

import aiohttp
import anyio

from humeai_async._base.cancellation import run_uncancelled, time_limit
from humeai_async._base.eager import Rest, begin
from humeai_async._base.event_loops import ensure_running
from humeai_async.errors import APIConnectionError, APITimeoutError, ClientClosedError
from humeai_async.http.messages import Request, Response
from humeai_async.http.transport.bodies import LARGEST_ERROR, read_at_most
from humeai_async.http.transport.proxies import Proxy, through

__all__ = [
    "LARGEST_MESSAGE",
    "AiohttpSocket",
    "Closed",
    "MediaSocket",
    "Socket",
    "open_socket",
    "read_refusal",
]

logger: logging.Logger = logging.getLogger("humeai_async")

LARGEST_MESSAGE = 16 * 1024 * 1024
"""Bytes of one message, either way: what Hume documents for the chat."""
HEARTBEAT = 20.0
"""Seconds without a message after which a ping is sent."""
PONG_WAIT = 20.0
"""Seconds after a ping in which something must arrive, or the connection counts as lost."""
SEND_WAIT = 30.0
"""Seconds in which the server must take what is sent."""
CLOSE_WAIT = 5.0
"""Seconds to wait for the server's half of the closing handshake."""
READ_AHEAD = LARGEST_MESSAGE
"""Bytes of messages that nobody has asked for yet, from which on no more are read."""

NORMAL = 1000
NO_CODE = 1005
"""The server's close frame held no code."""
LOST = 1006
"""The connection ended without a close frame."""

_SWITCHING = 101
_TURN = 1 << 16
"""Bytes that are sent before others have their turn."""
_WRITE_OVERHEAD = 2048
"""Bytes that are sent in the time that a write itself takes, about."""
_OVERHEAD = 128
"""Bytes that a message takes in memory beside its text, at most."""
LATE = 1.0
"""Seconds by which a timer that fires later shows that nothing ran: the process was stopped, the
computer asleep, or the event loop blocked."""
_BROKEN = (aiohttp.ClientError, OSError, RuntimeError)
"""What aiohttp and the event loops raise where something is written to a connection that ended."""


class Closed(NamedTuple):
    """How a socket ended."""

    code: int
    """Close code; 1005 if the server gave none, 1006 if the connection was lost."""
    reason: str = ""
    """The server's words, or ours for 1006."""


class Socket(Protocol):
    """What the chat needs: tests may put a scripted one in its place."""

    async def send(self, message: bytes) -> None:
        """Send one text message."""

    async def receive(self) -> bytes | Closed:
        """Wait for the next message, or learn how the socket ended."""
        ...

    async def aclose(self, *, wait: bool = True) -> None:
        """Close the socket, and wait for the close frame of the server if asked to."""


class MediaSocket(Socket, Protocol):
    """What sessions need that send media."""

    async def send_binary(self, message: bytes) -> None:
        """Send one binary message."""


class AiohttpSocket:
    """A socket on aiohttp.

    A task of its own reads ahead, for pongs are sent only while somebody reads, and a user
    who plays the sound of one event may not ask for the next one for a minute. However that
    task ends, `receive` returns a `Closed` once the messages before it are taken.

    Pings and pongs are sent here and not by aiohttp: aiohttp takes a connection for lost
    when no pong arrives although nobody read, and raises out of `receive` where a pong cannot
    be written. Here silence counts only while the socket is read and the event loop runs.

    Args:
        socket: The open socket, with neither `heartbeat` nor `autoping`.
        owner: Session made for this socket alone; it is closed with it.
        forget: Called when the socket has let go of everything.
    """

    def __init__(
        self,
        socket: aiohttp.ClientWebSocketResponse,
        owner: aiohttp.ClientSession,
        forget: Callable[[AiohttpSocket], None],
    ) -> None:
        self.loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        """Loop that the socket lives on."""
        self._socket = socket
        self._owner = owner
        self._forget = forget
        self._closed: Closed | None = None
        self._is_left = False
        self._is_cut = False
        self._arrived: deque[bytes] = deque()
        self._size = 0
        self._changed = asyncio.Event()
        self._has_room = asyncio.Event()
        self._is_reading = True
        self._ping: bytes | None = None
        """The server's last ping, until its pong is sent."""
        self._pinged = asyncio.Event()
        self._writing: set[asyncio.Task[None]] = set()
        """Frames that are being written, where the server takes no more at once."""
        self._written = 0
        """Bytes that were sent since others had their turn, and what the writes took beside."""
        self._received_at = self.loop.time()
        """When something arrived last, or reading began again."""
        self._reader = self.loop.create_task(self._run())
        self._reader.add_done_callback(self._on_reader_done)

    async def send(self, message: bytes) -> None:
        """Send one text message; tasks may send at the same time.

        Raises:
            APIConnectionError: The connection is gone; whether the message arrived is unknown.
            APITimeoutError: The server takes nothing any more; likewise.
            ClientClosedError: The client was closed.
            ConfigurationError: It belongs to another event loop.
        """
        await self._send(message, aiohttp.WSMsgType.TEXT)

    async def send_binary(self, message: bytes) -> None:
        """Send one binary message, as `send` does a text."""
        await self._send(message, aiohttp.WSMsgType.BINARY)

    async def _send(self, message: bytes, kind: aiohttp.WSMsgType) -> None:
        self._check_uncut()
        ensure_running(self.loop, "this WebSocket")
        is_late = False
        with contextlib.suppress(*_BROKEN):
            rest = begin(self._socket.send_frame(message, kind))
            if rest is not None:
                async with time_limit(SEND_WAIT) as limit:
                    await self._finish(rest)
                is_late = limit.expired()
            if not is_late:
                await self._give_way(len(message))
                return
        if is_late:
            raise APITimeoutError(
                f"the server did not take a message within {SEND_WAIT:g} s; it may be waiting "
                "for its own messages to be read, so read events while you send",
                outcome_unknown=True,
            )
        raise APIConnectionError(
            "the connection broke while a message was sent", outcome_unknown=True
        )

    async def _finish(self, rest: Rest) -> None:
        """Write the rest of a frame in a task, which goes on where the caller is cancelled.

        aiohttp lets all who write wait for one future while the server takes nothing: the
        cancellation of one would cancel every other, and whoever writes later.
        """
        task = self.loop.create_task(rest.run())
        self._writing.add(task)
        task.add_done_callback(self._on_written)
        await asyncio.shield(task)

    async def _give_way(self, size: int) -> None:
        """Let others have their turn now and then: a write that need not wait never does."""
        self._written += size + _WRITE_OVERHEAD
        if self._written > _TURN:
            self._written = 0
            await asyncio.sleep(0)

    def _on_written(self, task: asyncio.Task[None]) -> None:
        self._writing.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waits for it has it too; where nobody does, it is an end

    async def receive(self) -> bytes | Closed:
        """Wait for the next message; one task at a time.

        Raises:
            ClientClosedError: The client was closed.
            ConfigurationError: It belongs to another event loop.
        """
        ensure_running(self.loop, "this WebSocket")
        while not (self._arrived or self._closed or self._is_left):
            self._changed.clear()
            await self._changed.wait()
        self._check_uncut()
        if self._is_left:
            return Closed(NORMAL)
        if not self._arrived:
            assert self._closed is not None  # noqa: S101 - the loop ended for one of three
            return self._closed
        message = self._arrived.popleft()
        self._size -= len(message) + _OVERHEAD
        if self._size <= READ_AHEAD:
            self._has_room.set()
        return message

    async def aclose(self, *, wait: bool = True) -> None:
        """Close it with code 1000; a second call does nothing.

        Args:
            wait: Whether to wait some seconds for the server's half of the handshake.
        """
        if self._is_left:
            return
        ensure_running(self.loop, "this WebSocket")
        self._is_left = True
        self._changed.set()
        self._has_room.set()
        try:
            if wait:
                async with time_limit(CLOSE_WAIT):
                    await self._socket.close()
        finally:
            await run_uncancelled(self._stop())

    async def cut(self) -> None:
        """Close it because the client is closed; whoever receives gets an error."""
        self._is_cut = True
        await self.aclose(wait=False)

    def _check_uncut(self) -> None:
        if self._is_cut:
            raise ClientClosedError("the client was closed while the socket was open")

    async def _run(self) -> None:
        """Read until the socket ends, and let go of everything then."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._send_pongs)
                tasks.start_soon(self._watch_for_silence, tasks.cancel_scope)
                await self._read_ahead()
                tasks.cancel_scope.cancel()
        finally:
            if not self._is_left:  # else who left it waits for the closing handshake
                await run_uncancelled(self._release())

    def _on_reader_done(self, reader: asyncio.Task[None]) -> None:
        """Give whoever receives an end, also where the reading ended in a way nobody foresaw."""
        if reader.cancelled():
            self._end(Closed(LOST, "the task that read it was cancelled"))
        elif (problem := reader.exception()) is not None:
            # Only its name: what it says may hold a URL, and a URL a credential.
            name = type(_first_of(problem)).__name__
            logger.warning("reading a socket failed: %s", name)
            self._end(Closed(LOST, f"reading it failed with {name}"))
        else:
            self._end(Closed(LOST, "the connection was lost"))

    def _end(self, closed: Closed) -> None:
        """Note how the socket ended, if that is not known yet."""
        if self._closed is None:
            self._closed = closed
        self._changed.set()

    async def _read_ahead(self) -> None:
        while self._closed is None and not self._is_left:
            message = await self._socket.receive()
            self._received_at = self.loop.time()
            if message.type is aiohttp.WSMsgType.TEXT:
                await self._keep(str(message.data).encode())
            elif message.type is aiohttp.WSMsgType.BINARY:
                await self._keep(bytes(message.data))
            elif message.type is aiohttp.WSMsgType.PING:
                self._ping = bytes(message.data)
                self._pinged.set()
            elif message.type is not aiohttp.WSMsgType.PONG:
                self._end(_how_closed(message))

    async def _keep(self, message: bytes) -> None:
        """Keep a message for whoever receives, and wait while there are too many."""
        self._arrived.append(message)
        self._size += len(message) + _OVERHEAD
        self._changed.set()
        if self._size > READ_AHEAD and not self._is_left:
            self._has_room.clear()
            self._is_reading = False
            await self._has_room.wait()
            self._is_reading = True
            self._received_at = self.loop.time()

    async def _send_pongs(self) -> None:
        """Send the pong of the last ping; those before it need none once there is a later one.

        The reading never waits for this: a server may take the pong only when its own messages
        are read.
        """
        while True:
            await self._pinged.wait()
            self._pinged.clear()
            if self._ping is not None:
                await self._write(self._socket.pong(self._ping))

    async def _watch_for_silence(self, reading: anyio.CancelScope) -> None:
        """Send pings when nothing arrives, and end the socket when nothing follows them.

        While nothing is read, for too much waits to be taken, pings keep proxies from closing
        the connection and their pongs are not missed.
        """
        while True:
            await anyio.sleep_until(self._received_at + HEARTBEAT)
            if self.loop.time() < self._received_at + HEARTBEAT:
                continue
            pinged_at = self.loop.time()
            async with time_limit(0):  # it is on its way; its delivery is not waited for
                await self._write(self._socket.ping())
            await anyio.sleep_until(pinged_at + PONG_WAIT)
            is_silent = self._is_reading and self._received_at < pinged_at
            is_on_time = self.loop.time() < pinged_at + PONG_WAIT + LATE
            if is_silent and is_on_time:
                self._end(Closed(LOST, "the server did not respond to a ping"))
                reading.cancel()
                return

    async def _write(self, writing: Coroutine[Any, Any, None]) -> None:
        """Write a control frame; where that fails the reading finds out how the socket ended."""
        with contextlib.suppress(*_BROKEN):
            rest = begin(writing)
            if rest is not None:
                await self._finish(rest)

    async def _stop(self) -> None:
        """End the task that reads, and let go of everything also where it never began."""
        self._reader.cancel()
        try:
            await asyncio.wait([self._reader])
        finally:  # also where the event loop ends meanwhile, and cancels all of its tasks
            await self._release()

    async def _release(self) -> None:
        # aiohttp drops the connection, if there still is one, when its close is cancelled.
        async with time_limit(0):
            await self._socket.close()
        await self._owner.close()
        await asyncio.sleep(0)  # the turn in which the event loop closes what aiohttp let go of
        self._forget(self)


def _first_of(problem: BaseException) -> BaseException:
    """Return the first error that a group of tasks ended with."""
    group = cast("BaseExceptionGroup[BaseException]", problem)
    return _first_of(group.exceptions[0]) if isinstance(problem, BaseExceptionGroup) else problem


def _how_closed(message: aiohttp.WSMessage) -> Closed:
    """Read aiohttp's last message of a socket that the other side, or an error, ended."""
    if message.type is aiohttp.WSMsgType.CLOSE:
        return Closed(int(message.data or NO_CODE), str(message.extra or ""))
    if message.type is aiohttp.WSMsgType.ERROR and isinstance(message.data, aiohttp.WebSocketError):
        return Closed(int(message.data.code), str(message.data))
    return Closed(LOST, "the connection was lost")


class _RefusedError(Exception):
    """The response to the handshake is not a socket."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


async def read_refusal(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Read a response that opens no socket, before aiohttp drops its body or follows it.

    aiohttp follows redirects of handshakes with all headers of ours, the key included, and
    offers no setting against it; a middleware sees the response first.
    """
    response = await handler(request)
    if response.status == _SWITCHING:
        return response
    try:
        body = await read_at_most(response, LARGEST_ERROR)
    finally:
        response.close()
    raise _RefusedError(Response(response.status, response.headers, body))


async def open_socket(
    owner: aiohttp.ClientSession,
    request: Request,
    forget: Callable[[AiohttpSocket], None],
    proxy: Proxy | None = None,
) -> AiohttpSocket | Response:
    """Make the handshake.

    Args:
        owner: Session for this socket alone, with `watch_sending` and `read_refusal` for
            middlewares; it is closed with the socket, or here if there is none.
        request: URL (`https` stands for `wss`) and headers.
        forget: Called when the socket has let go of everything.
        proxy: The proxy to go through; `None` leaves it to the session.

    Returns:
        The socket, or the response that refused it.

    Raises:
        APIConnectionError: The server's handshake is wrong. aiohttp's own errors pass.
    """
    try:
        connect: Any = owner.ws_connect  # its type differs between releases
        socket: Any = await connect(
            request.signed_url(),
            **({} if proxy is None else through(proxy, request.url)),
            autoping=False,
            max_msg_size=LARGEST_MESSAGE + 1,  # aiohttp refuses from that size on
        )
        return AiohttpSocket(socket, owner, forget)
    except BaseException as problem:
        await run_uncancelled(owner.close())
        if isinstance(problem, _RefusedError):
            return problem.response
        if not isinstance(problem, aiohttp.WSServerHandshakeError):
            raise
    raise APIConnectionError("the server's response is not the handshake of a WebSocket")
