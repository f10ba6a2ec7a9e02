"""One WebSocket: messages out, messages in, and how it ended.

Everything that aiohttp says about the end of a connection becomes a `Closed` with a code, be
it a close frame, a lost connection or a heartbeat that nobody answered. Nothing here knows an
endpoint, a credential or a message's meaning; the transport opens sockets, the chat uses them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import aiohttp
import anyio
from attrs import frozen

from humeai_async._base.cancellation import run_uncancelled
from humeai_async.errors import APIConnectionError, ClientClosedError
from humeai_async.http.messages import Request, Response
from humeai_async.http.transport.bodies import LARGEST_ERROR, read_at_most

__all__ = ["LARGEST_MESSAGE", "AiohttpSocket", "Closed", "Socket", "open_socket", "read_refusal"]

LARGEST_MESSAGE = 16 * 1024 * 1024
"""Bytes of one message, either way: what Hume documents for the chat."""
HEARTBEAT = 20.0
"""Seconds of silence before a ping; half of it later an unanswered one ends the socket."""
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


@frozen
class Closed:
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
        """Close it."""


class AiohttpSocket:
    """A socket on aiohttp.

    A task of its own reads ahead: pings are answered, and heartbeats heard, only while
    somebody reads, and a user who plays the sound of one event may not ask for the next one
    for a minute. The task ends with the socket.

    Args:
        socket: The open socket.
        owner: Session made for this socket alone; it is closed with it.
        forget: Told when the socket has let go of everything.
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
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._reader = self.loop.create_task(self._read_ahead())

    async def send(self, message: bytes) -> None:
        """Send one text message; tasks may send at the same time.

        Raises:
            APIConnectionError: The connection is gone; whether the message arrived is unknown.
            ClientClosedError: The client was closed.
        """
        self._check_uncut()
        try:
            await self._socket.send_frame(message, aiohttp.WSMsgType.TEXT)
        except (aiohttp.ClientError, OSError, RuntimeError):
            pass
        else:
            return
        raise APIConnectionError(
            "the connection broke while a message was sent", outcome_unknown=True
        )

    async def receive(self) -> bytes | Closed:
        """Wait for the next message; one task at a time.

        Raises:
            ClientClosedError: The client was closed.
        """
        while not (self._arrived or self._closed or self._is_left):
            self._news.clear()
            await self._news.wait()
        self._check_uncut()
        if self._is_left:
            return Closed(NORMAL)
        if not self._arrived:
            assert self._closed is not None  # noqa: S101 - the loop ended for one of three
            return self._closed
        message = self._arrived.popleft()
        self._size -= len(message)
        self._room.set()
        return message

    async def aclose(self, *, wait: bool = True) -> None:
        """Close it with code 1000; a second call does nothing.

        Args:
            wait: Whether to wait some seconds for the server's half of the handshake.
        """
        if self._is_left:
            return
        self._is_left = True
        self._news.set()
        self._room.set()
        try:
            if wait:
                with anyio.move_on_after(CLOSE_WAIT):
                    await self._socket.close()
        finally:
            await self._release()

    async def cut(self) -> None:
        """Close it because the client is closed; whoever receives gets an error."""
        self._is_cut = True
        await self.aclose(wait=False)

    def _check_uncut(self) -> None:
        if self._is_cut:
            raise ClientClosedError("the client was closed while the socket was open")

    async def _read_ahead(self) -> None:
        """Read until the socket ends, and let go of everything then."""
        while self._closed is None and not self._is_left:
            message = await self._socket.receive()
            if message.type is aiohttp.WSMsgType.TEXT:
                await self._keep(str(message.data).encode())
            elif message.type is aiohttp.WSMsgType.BINARY:
                await self._keep(bytes(message.data))
            else:
                self._closed = _how_closed(message)
                self._news.set()
        if not self._is_left:
            await self._release()

    async def _keep(self, message: bytes) -> None:
        """Keep a message for whoever receives, and wait while there are too many."""
        self._arrived.append(message)
        self._size += len(message)
        self._news.set()
        while self._size > READ_AHEAD and not self._is_left:
            self._room.clear()
            await self._room.wait()

    async def _release(self) -> None:
        is_reader = asyncio.current_task() is self._reader
        if not is_reader:
            self._reader.cancel()
        await run_uncancelled(self._let_go(waits=not is_reader))

    async def _let_go(self, *, waits: bool) -> None:
        if waits:
            await asyncio.wait([self._reader])
        # aiohttp drops the connection, if there still is one, when its close is cancelled.
        with anyio.move_on_after(0):
            await self._socket.close()
        await self._owner.close()
        self._forget(self)


def _how_closed(message: aiohttp.WSMessage) -> Closed:
    """Read aiohttp's last message of a socket that the other side, or an error, ended."""
    if message.type is aiohttp.WSMsgType.CLOSE:
        return Closed(int(message.data or NO_CODE), str(message.extra or ""))
    if message.type is aiohttp.WSMsgType.ERROR:
        problem: Any = message.data
        if isinstance(problem, aiohttp.WebSocketError):
            return Closed(int(problem.code), str(problem.args[1]))
        if isinstance(problem, TimeoutError):
            return Closed(LOST, "the server did not answer a ping")
    return Closed(LOST, "the connection was lost")


class _RefusedError(Exception):
    """The handshake was answered with something else than a socket."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


async def read_refusal(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Read an answer that is no handshake, before aiohttp drops its body or follows it.

    aiohttp follows redirects of handshakes with all headers of ours, the key included, and
    offers no setting against it; a middleware sees the answer first.
    """
    response = await handler(request)
    if response.status == _SWITCHING:
        return response
    try:
        body = await read_at_most(response.content, LARGEST_ERROR)
    finally:
        response.close()
    raise _RefusedError(Response(response.status, response.headers, body))


async def open_socket(
    owner: aiohttp.ClientSession,
    request: Request,
    forget: Callable[[AiohttpSocket], None],
    proxy: str | None = None,
) -> AiohttpSocket | Response:
    """Make the handshake.

    Args:
        owner: Session for this socket alone, with `read_refusal` among its middlewares; it is
            closed with the socket, or here if there is none.
        request: URL (`https` stands for `wss`) and headers.
        forget: Told when the socket has let go of everything.
        proxy: URL of the proxy to go through; `None` leaves it to the session.

    Returns:
        The socket, or the answer that refused it.

    Raises:
        APIConnectionError: The server's handshake is wrong. aiohttp's own errors pass.
    """
    try:
        socket = await owner.ws_connect(
            request.url,
            headers=request.headers,
            heartbeat=HEARTBEAT,
            proxy=proxy,
            max_msg_size=LARGEST_MESSAGE + 1,  # aiohttp refuses from that size on
        )
        return AiohttpSocket(socket, owner, forget)
    except BaseException as problem:
        await run_uncancelled(owner.close())
        if isinstance(problem, _RefusedError):
            return problem.response
        if not isinstance(problem, aiohttp.WSServerHandshakeError):
            raise
    raise APIConnectionError("the server's answer is not the handshake of a WebSocket")
