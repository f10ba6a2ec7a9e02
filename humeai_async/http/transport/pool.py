"""Bytes out, bytes in: the pool of connections.

`AiohttpTransport` owns the pool (or borrows one), sends one request at a time (`_Exchange`), and
turns everything that can go wrong below HTTP into `APIConnectionError` or `APITimeoutError`, with
`outcome_unknown` set where the request may have reached the server. It never repeats a request,
follows a redirect or keeps a cookie. The session calls it.

aiohttp's frames hold URLs and headers, and in them credentials. So whatever comes out of it loses
its frames in one place, `_Exchange.explain`, and is raised outside the `except` that caught it: a
chained exception would carry them.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import math
import warnings
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from typing import Any, Self

import aiohttp
from aiohttp import ClientSession
from attrs import field

from humeai_async._base.cancellation import run_uncancelled
from humeai_async._base.event_loops import PerLoop
from humeai_async._base.frozen import define
from humeai_async.errors import ClientClosedError
from humeai_async.http.deadlines import Deadlines, StallLimit
from humeai_async.http.messages import Request, Response
from humeai_async.http.transport.bodies import RequestBody, arrived_body, chunks_of, read_body
from humeai_async.http.transport.errors import client_closed, explain
from humeai_async.http.transport.proxies import Proxy, proxy_of, through
from humeai_async.http.transport.sending import watch_sending
from humeai_async.http.transport.slots import Slots
from humeai_async.http.transport.websocket import (
    AiohttpSocket,
    Socket,
    open_socket,
    read_refusal,
)
from humeai_async.settings import Pool, Timeout

__all__ = ["AiohttpTransport", "ClientSession"]

logger: logging.Logger = logging.getLogger("humeai_async")
_WRITTEN_AT_ONCE = 1 << 16
"""Bytes of a body that go to the operating system with the head of the request."""
_NO_LIMIT: contextlib.nullcontext[None] = contextlib.nullcontext()


class AiohttpTransport:
    """A pool of connections, made on first use, one for each event loop that uses it.

    Args:
        pool: Settings of the pool; but for `max_body` without effect on a borrowed session.
        session: A session to borrow. It is never closed here, and its own cookie jar and
            connector apply.
    """

    def __init__(self, pool: Pool, session: ClientSession | None = None) -> None:
        self.settings = pool
        self.is_closed: bool = False
        self._borrowed = session
        self._proxy = None if pool.proxy is None else Proxy.read(pool.proxy)
        self._has_proxy = session is None and (pool.trust_env or pool.proxy is not None)
        self._connections = PerLoop(self._connect, discard=Connections.close_soon)
        self._timeouts: dict[tuple[float | None, float | None], aiohttp.ClientTimeout] = {}

    def open(self, request: Request, timeout: Timeout) -> Coroutine[Any, Any, _Exchange]:
        """Send a request, and return its response, whose body is still to come.

        Raises:
            APIConnectionError: No response came.
            APITimeoutError: It did not come in time.
            ClientClosedError: The transport was closed, before or meanwhile.
        """
        return _Exchange(self, request).begin(timeout)

    async def open_socket(self, request: Request, timeout: Timeout) -> Socket | Response:
        """Open a WebSocket outside the pool, so that chats never keep calls waiting.

        Returns:
            The socket, or the response that refused it.

        Raises:
            APIConnectionError: No response came.
            APITimeoutError: It did not come in time.
            ClientClosedError: The transport was closed.
        """
        try:
            connections = self.connections()
            owner = self._make_socket_session(connections, request, timeout)
            forget = connections.sockets.discard
            opened = await open_socket(owner, request, forget, self.proxy_for(request))
        except BaseException as problem:  # noqa: BLE001 - whatever comes from below is explained
            failure = explain(problem, request, is_closed=self.is_closed)
        else:
            if not isinstance(opened, AiohttpSocket):
                return opened
            connections.sockets.add(opened)
            if not self.is_closed:
                return opened
            await opened.cut()
            failure = client_closed(method=request.method, endpoint=request.label)
        raise failure

    async def aclose(self) -> None:
        """Close the pool; a borrowed session stays open. Calls in flight end with an error.

        Whoever is cancelled meanwhile is so when all is closed.
        """
        await run_uncancelled(self._close())

    async def _close(self) -> None:
        self.is_closed = True
        here = asyncio.get_running_loop()
        for loop, connections in self._connections.clear():
            if loop is here or loop.is_closed():
                await connections.close()
            else:
                with contextlib.suppress(RuntimeError):  # it was closed at this moment
                    loop.call_soon_threadsafe(connections.close_soon)

    @property
    def in_flight(self) -> int:
        """Requests that wait for a response, or whose response is open."""
        return sum(one.slots.taken for one in self._connections.all())

    @property
    def open_sockets(self) -> int:
        """WebSockets that are open."""
        return sum(len(one.sockets) for one in self._connections.all())

    def connections(self) -> Connections:
        """Return the connections of the running event loop.

        Raises:
            ClientClosedError: The client was closed, or the session that was handed in.
        """
        if self.is_closed:
            raise client_closed()
        found = self._connections.current()
        if found.session.closed:
            if self._borrowed is not None:
                raise ClientClosedError("the aiohttp session that was handed in is closed")
            found = self._connections.renew()
        return found

    def timeout_for(self, timeout: Timeout, *, has_reads: bool = True) -> aiohttp.ClientTimeout:
        """Translate a timeout: neither limit covers the wait for a free connection.

        Args:
            timeout: What the caller wants.
            has_reads: Whether aiohttp limits how long the server may send nothing.
        """
        read = timeout.read if has_reads else None
        key = timeout.connect, read
        found = self._timeouts.get(key)
        if found is None:
            # The pool of a borrowed session makes calls wait within `connect`.
            is_own = self._borrowed is None
            found = self._timeouts[key] = aiohttp.ClientTimeout(
                total=None,
                connect=timeout.connect if is_own else None,
                sock_connect=None if is_own else timeout.connect,
                sock_read=read,
            )
        return found

    def proxy_for(self, request: Request) -> Proxy | None:
        """Return the proxy for a request; `None` leaves it to the session."""
        if not self._has_proxy:
            return None
        return self._proxy or proxy_of(request.url)

    def _connect(self, _: asyncio.AbstractEventLoop) -> Connections:
        if self._borrowed is not None:
            request = self._borrowed.request
            # Whatever it has for a default:
            send = functools.partial(request, raise_for_status=False, auto_decompress=False)
            return Connections(self._borrowed, send)
        pool = self.settings
        connector = aiohttp.TCPConnector(
            limit=0,  # the slots are the limit: waiting for one is then never connecting
            keepalive_timeout=pool.keepalive,
            ssl=pool.ssl or True,
        )
        session = ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
        )
        return Connections.of(session, pool.limit)

    def _make_socket_session(
        self, connections: Connections, request: Request, timeout: Timeout
    ) -> ClientSession:
        """Make a session for one socket: only so can a handshake have its own timeouts."""
        lender, borrowed = connections.session, self._borrowed
        connector = (
            aiohttp.TCPConnector(limit=0, ssl=self.settings.ssl or True)
            if borrowed is None
            else borrowed.connector
        )
        return ClientSession(
            connector=connector,
            connector_owner=borrowed is None,
            cookie_jar=lender.cookie_jar,
            headers=lender.headers,
            trust_env=lender.trust_env,
            auto_decompress=False,
            timeout=self.timeout_for(timeout),
            middlewares=(functools.partial(watch_sending, request, None), read_refusal),
        )


@define(eq=False)
class Connections:
    """The connections of one event loop: a session of aiohttp, and what is open on it."""

    session: ClientSession
    send: Callable[..., Awaitable[aiohttp.ClientResponse]]
    """Its method for requests, each keyword of which costs as much as a frame."""
    slots: Slots = field(factory=Slots)
    """One for each request that waits for a response, or whose response is open."""
    sockets: set[AiohttpSocket] = field(factory=set[AiohttpSocket])
    deadlines: Deadlines = field(factory=lambda: Deadlines(asyncio.get_running_loop()))
    """Watches what servers take their time with."""
    guard: AsyncGenerator[None] | None = None
    """Closes the session: when it is closed, when nobody holds it any more, or with the loop."""
    _abandoning: weakref.finalize[..., Any] | None = None

    @classmethod
    def of(cls, session: ClientSession, limit: int) -> Self:
        """Own a session, and see to it that it is closed with its event loop at the latest."""
        guard = _closing_with_loop(session)
        with contextlib.suppress(StopIteration):
            guard.asend(None).send(None)
        connections = cls(session, session.request, Slots(limit), guard=guard)
        connections._abandoning = weakref.finalize(connections, _abandon, session, guard)
        connections._abandoning.atexit = False  # forked processes end, too
        return connections

    async def close(self) -> None:
        """Close what is open; sockets only on their own event loop."""
        loop = asyncio.get_running_loop()
        async with contextlib.AsyncExitStack() as stack:
            if self.guard is not None and self._abandoning is not None:
                self._abandoning.detach()
                stack.push_async_callback(self.session.close)  # if the guard came to no end
                stack.push_async_callback(self.guard.aclose)
            for socket in self.sockets:
                if socket.loop is loop:
                    stack.push_async_callback(socket.cut)

    def close_soon(self) -> None:
        """Close what is open in the background."""
        closing = asyncio.get_running_loop().create_task(self.close())
        _closings.add(closing)
        closing.add_done_callback(_note_closed)


def _abandon(session: ClientSession, _guard: AsyncGenerator[None]) -> None:
    """Say that a client was never closed; with the guard, the session is closed after this.

    It is not said by a `__del__`, for by then the garbage collector may have taken what is to be
    closed, with warnings that name nothing of ours.
    """
    if not session.closed:
        warnings.warn(
            "a HumeAI client was never closed: use `async with HumeAI(...) as hume:`, or call "
            "`await hume.aclose()`",
            ResourceWarning,
            stacklevel=2,
        )


_closings: set[asyncio.Task[None]] = set()
"""What closes in the background; event loops do not keep their tasks."""


def _note_closed(closing: asyncio.Task[None]) -> None:
    """Say of what closed in the background whether it failed; nobody waits for it."""
    _closings.discard(closing)
    if not closing.cancelled() and (problem := closing.exception()) is not None:
        # Only its name: what it says may hold a URL, and a URL a credential.
        logger.warning("closing connections failed: %s", type(problem).__name__)


async def _closing_with_loop(session: ClientSession) -> AsyncGenerator[None]:
    """Close a session at the end.

    An event loop ends all asynchronous generators before it ends itself, as `asyncio.run` makes
    it do: the one moment at which connections can be closed that nobody closes. It must hold
    nothing but the session, or the client would never be collected.
    """
    try:
        yield
    finally:
        await session.close()


class _Exchange:
    """One request, and its response as long as it is open."""

    def __init__(self, transport: AiohttpTransport, request: Request) -> None:
        self._transport = transport
        self._request = request
        self._connections: Connections | None = None
        """Where it takes a slot."""
        self._body: RequestBody | None = None
        self._response: aiohttp.ClientResponse | None = None
        self._limit: StallLimit | None = None
        """How long the server may send nothing; none where aiohttp limits that."""
        self.status: int = 0
        self.headers: Mapping[str, str] = {}

    async def begin(self, timeout: Timeout) -> Self:
        """Send the request, and wait for the head of its response."""
        try:
            connections = self._transport.connections()
            if not connections.slots.take():
                await connections.slots.wait()
            self._connections = connections
            body = self._request.body
            if body is None or (isinstance(body, bytes) and len(body) <= _WRITTEN_AT_ONCE):
                seconds = math.inf if timeout.read is None else timeout.read
                self._limit = StallLimit(connections.deadlines, math.inf, seconds)
            with self._limit or _NO_LIMIT:
                response = self._response = await self._send(connections, timeout)
                self.status, self.headers = response.status, response.headers
                return self
            failure = self._explain(TimeoutError())
        except BaseException as problem:  # noqa: BLE001 - whatever comes from below is explained
            failure = self._explain(problem)
        await self.aclose()
        raise failure

    async def read(self) -> bytes:
        """Read the body whole; of an error, as much as is of use.

        Raises:
            ResponseTooLargeError: It has more bytes than `Pool.max_body`.
            APIConnectionError: It broke off.
        """
        most = self._transport.settings.max_body
        try:
            if (body := arrived_body(self._opened, most)) is not None:
                return body
            with self._until_stalled():
                return await read_body(self._opened, most)
            failure = self._explain(TimeoutError())
        except BaseException as problem:  # noqa: BLE001 - whatever comes from below is explained
            failure = self._explain(problem)
        raise failure

    async def chunks(self) -> AsyncIterator[bytes]:
        """Read the body piece by piece."""
        chunks = chunks_of(self._opened)
        while (chunk := await self._next(chunks)) is not None:
            yield chunk

    async def _next(self, chunks: AsyncIterator[bytes]) -> bytes | None:
        try:
            with self._until_stalled():
                return await anext(chunks, None)
            failure = self._explain(TimeoutError())
        except BaseException as problem:  # noqa: BLE001 - whatever comes from below is explained
            failure = self._explain(problem)
        raise failure

    async def aclose(self) -> None:
        """Let go of the connection: back to the pool where the body was read to its end."""
        connections, self._connections = self._connections, None
        # One that was read to its end has let go of its connection already.
        if self._response is not None and self._response.connection is not None:
            self._response.close()
        if connections is not None:
            connections.slots.release()
        if self._body is not None:
            await self._body.aclose()

    def _until_stalled(self) -> StallLimit | contextlib.nullcontext[None]:
        """Return a block that ends when the rest of the body does not come in time."""
        if self._limit is None or self._opened.content.is_eof():
            return _NO_LIMIT
        self._limit.start(self._opened.content)
        return self._limit

    @property
    def _opened(self) -> aiohttp.ClientResponse:
        # No variable of a frame that may be in a traceback holds it: it shows its URL, and a
        # gateway's URL holds the credential.
        if self._response is None:
            raise RuntimeError("no response is open")
        return self._response

    def _send(
        self, connections: Connections, timeout: Timeout
    ) -> Awaitable[aiohttp.ClientResponse]:
        """Give aiohttp a request; its headers, and the credential in them, follow as it is sent."""
        if self._transport.is_closed:  # while it waited for a slot
            raise client_closed()
        request, data = self._request, None
        if request.body is not None:
            self._body = RequestBody()
            data = self._body.payload(request.body)
        send = connections.send
        if (proxy := self._transport.proxy_for(request)) is not None:
            send = functools.partial(send, **through(proxy, request.url))
        return send(
            request.method,
            request.signed_url(),
            data=data,
            timeout=self._transport.timeout_for(timeout, has_reads=self._limit is None),
            allow_redirects=False,
            middlewares=(functools.partial(watch_sending, request, self._limit),),
        )

    def _explain(self, problem: BaseException) -> BaseException:
        """Say what went wrong in words of ours, or of the content that gave out."""
        if self._body is not None and self._body.failure and isinstance(problem, Exception):
            # The server cannot have acted on half a body.
            return self._body.failure.reason
        return explain(problem, self._request, is_closed=self._transport.is_closed)
