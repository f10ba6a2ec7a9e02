"""Bytes out, bytes in: the pool of connections.

`AiohttpTransport` owns the pool (or borrows one), sends one request at a time as it is told,
and turns everything that can go wrong below HTTP into `APIConnectionError` or
`APITimeoutError`, with `outcome_unknown` set where the request may have reached the server.
It never repeats a request, follows a redirect or keeps a cookie. The session calls it.

Errors are raised outside the `except` that caught aiohttp's: a chained one would carry
frames, and in them URLs, that may hold a credential.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

import aiohttp
from aiohttp import ClientSession
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

from humeai_async._base import event_loops
from humeai_async._base.cancellation import run_uncancelled
from humeai_async.errors import ClientClosedError, ConfigurationError, HumeError
from humeai_async.http.messages import Part, Request, Response
from humeai_async.http.transport.bodies import (
    LARGEST_ERROR,
    Sending,
    UploadSourceError,
    read_at_most,
    read_body,
)
from humeai_async.http.transport.errors import (
    NETWORK,
    UNCONNECTED,
    UNSENT,
    DroppedConnectionError,
    UnsolicitedDataError,
    came_while_connecting,
    client_closed,
    is_unsent,
    system_reason,
    unanswered,
    unconnected,
)
from humeai_async.http.transport.interface import Download
from humeai_async.settings import Pool, Timeout, is_proxy

if TYPE_CHECKING:
    from humeai_async.http.transport.websocket import AiohttpSocket, Socket

__all__ = ["AiohttpTransport", "ClientSession"]

_MOST_SPOILT = 4
"""Connections that are given up for one request, so that a server which always speaks first is
not asked for ever."""
_CHUNK = 1 << 18
"""Bytes of a download that are handed on at once."""


async def _send_once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a request twice, or where another's answer would be its own.

    On a stale connection aiohttp sends GET and DELETE again by itself, without telling, for two
    classes of errors; ours is neither. The session decides about repeats, counts them and paces
    them.

    What comes on an idle connection, be it the rest of a body longer than was said, aiohttp
    takes for the answer to the next request, and each answer after it for that of the request
    one later. Such a connection is dropped, and another one asked for.
    """
    send, spoilt = request.send, 0

    def send_unspoilt(connection: Connection) -> Awaitable[aiohttp.ClientResponse]:
        if connection.protocol is not None and connection.protocol.should_close:
            raise UnsolicitedDataError
        return send(connection)

    request.send = send_unspoilt  # type: ignore[method-assign,assignment]  # it is awaited alone
    try:
        while True:
            try:
                return await handler(request)
            except UnsolicitedDataError:
                spoilt += 1
                if spoilt == _MOST_SPOILT:
                    raise
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        raise
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as problem:
        raise DroppedConnectionError(system_reason(problem)) from problem
    finally:
        del request.send  # or the request would hold itself in memory


_SEND_ONCE = (_send_once,)


class _Connector(aiohttp.TCPConnector):
    """Makes new connections within `sock_connect` seconds.

    aiohttp allows as much to each address, and any time to the lookup of the name and to the
    tunnel of a proxy.
    """

    async def _create_connection(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> ResponseHandler:
        async with asyncio.timeout(timeout.sock_connect):
            return await super()._create_connection(req, traces, timeout)


def _without_frames(problem: asyncio.CancelledError) -> asyncio.CancelledError:
    """Take aiohttp's frames off a cancellation: they hold URL and headers.

    `asyncio.timeout` makes it the cause of the error that its user sees. What the frames tell is
    noted first.
    """
    vars(problem)[UNSENT] = came_while_connecting(problem)
    problem.__context__ = None
    return problem.with_traceback(None)


class AiohttpTransport:
    """A pool of connections, made on first use, one for each event loop that uses it.

    Args:
        pool: Settings of the pool; but for `max_body` without effect on a borrowed session.
        session: A session to borrow. It is never closed here, and its own cookie jar and
            connector apply.
    """

    def __init__(self, pool: Pool, session: ClientSession | None = None) -> None:
        self._pool = pool
        self._borrowed = session
        self._has_proxy = session is None and (pool.trust_env or pool.proxy is not None)
        self._owned: dict[asyncio.AbstractEventLoop, ClientSession] = {}
        self._timeouts: dict[tuple[float | None, float | None], aiohttp.ClientTimeout] = {}
        self._sockets: set[AiohttpSocket] = set()
        self._closings: set[asyncio.Task[None]] = set()
        self._is_closed = False
        event_loops.watch(self, AiohttpTransport._forget_parent)

    async def send(self, request: Request, timeout: Timeout) -> Response:
        """Send a request and read its whole answer.

        Raises:
            ResponseTooLargeError: It has more bytes than `Pool.max_body`.
            APIConnectionError: No complete answer came.
            APITimeoutError: It did not come in time.
            ClientClosedError: The transport was closed, before or meanwhile.
        """
        try:
            return await self._whole(request, timeout)
        except asyncio.CancelledError as problem:
            if not self._cut_queue():
                raise _without_frames(problem)  # noqa: B904 - the same error
            failure: Exception = client_closed(method=request.method, endpoint=request.label)
        except Exception as problem:  # noqa: BLE001 - whatever comes from below is explained
            failure = self._explain(problem, request)
        raise failure

    async def _whole(self, request: Request, timeout: Timeout) -> Response:
        # In a frame of its own: the repr of aiohttp's response holds the URL, and the frame
        # of `send` stands in the traceback of what goes wrong.
        if request.body is not None:
            return await self._whole_with(request.body, request, timeout)
        response = await self._asked(request, timeout)
        body = await read_body(response, self._pool.max_body)
        return Response(response.status, response.headers, body)

    async def _whole_with(
        self, content: bytes | tuple[Part, ...], request: Request, timeout: Timeout
    ) -> Response:
        """Send content and read the whole answer, which may come before all is sent."""
        sending = Sending()
        try:
            response = await self._asked(request, timeout, sending.payload(content))
            body = await read_body(response, self._pool.max_body)
            return Response(response.status, response.headers, body)
        except Exception:
            if sending.spoiled is None:
                raise
        finally:
            await sending.aclose()
        # The content gave out, not the connection: its own error says more, and the server
        # cannot have acted on half a body.
        raise sending.spoiled

    @contextlib.asynccontextmanager
    async def stream(self, request: Request, timeout: Timeout) -> AsyncGenerator[Download]:
        """Send a request and leave its body to be read piece by piece.

        Raises:
            APIConnectionError: No answer came.
            APITimeoutError: It did not come in time.
            ClientClosedError: The transport was closed.
        """
        # No variable holds aiohttp's response: its repr shows the URL, and this frame stands in
        # the traceback of whatever goes wrong while the body is read.
        async with contextlib.AsyncExitStack() as stack:
            yield await self._opened(request, timeout, stack)

    async def _opened(
        self, request: Request, timeout: Timeout, stack: contextlib.AsyncExitStack
    ) -> Download:
        explain = functools.partial(self._explain, request=request)
        try:
            response = await stack.enter_async_context(await self._asked(request, timeout))
            return _AiohttpDownload(response, explain)
        except asyncio.CancelledError as problem:
            if not self._cut_queue():
                raise _without_frames(problem)  # noqa: B904 - the same error
            failure: Exception = client_closed(method=request.method, endpoint=request.label)
        except Exception as problem:  # noqa: BLE001 - whatever comes from below is explained
            failure = explain(problem)
        raise failure

    async def open_socket(self, request: Request, timeout: Timeout) -> Socket | Response:
        """Open a WebSocket outside the pool, so that chats never keep calls waiting.

        Returns:
            The socket, or the answer that refused it.

        Raises:
            APIConnectionError: No answer came.
            APITimeoutError: It did not come in time.
            ClientClosedError: The transport was closed.
        """
        from humeai_async.http.transport.websocket import AiohttpSocket, open_socket

        try:
            owner = self._make_socket_session(timeout)
            # Not in a variable: this frame stands in tracebacks, and a proxy has a password.
            opened = await open_socket(owner, request, self._sockets.discard, self._proxy(request))
        except asyncio.CancelledError as problem:
            raise _without_frames(problem)  # noqa: B904 - the same error
        except Exception as problem:  # noqa: BLE001 - whatever comes from below is explained
            failure = self._explain(problem, request)
        else:
            if not isinstance(opened, AiohttpSocket):
                return opened
            self._sockets.add(opened)
            if not self._is_closed:
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
        self._is_closed = True
        owned, self._owned = self._owned, {}
        here = asyncio.get_running_loop()
        for socket in [one for one in self._sockets if one.loop is here]:
            await socket.cut()
        for loop, session in owned.items():
            if loop is here or loop.is_closed():
                await session.close()
            else:
                with contextlib.suppress(RuntimeError):  # it was closed at this moment
                    loop.call_soon_threadsafe(self._close_on, loop, session)

    def _asked(
        self, request: Request, timeout: Timeout, data: object = None
    ) -> Awaitable[aiohttp.ClientResponse]:
        """Give aiohttp a request."""
        return self._session().request(
            request.method,
            request.url,
            headers=request.headers,
            data=data,
            timeout=self._client_timeout(timeout),
            allow_redirects=False,
            proxy=self._proxy(request),
            middlewares=_SEND_ONCE,
        )

    def _session(self) -> ClientSession:
        """Return the session of this loop, making it where there is none."""
        if self._is_closed:
            raise client_closed()
        if self._borrowed is not None:
            if self._borrowed.closed:
                raise ClientClosedError("the aiohttp session that was handed in is closed")
            return self._borrowed
        loop = asyncio.get_running_loop()
        session = self._owned.get(loop)
        if session is None:
            for old in list(self._owned):  # at once, for other threads may add theirs
                if old.is_closed() and (left := self._owned.pop(old, None)):
                    self._close_on(loop, left)
            session = self._owned[loop] = self._make_session()
        return session

    def _forget_parent(self) -> None:
        """Start anew in a forked process: using the parent's sockets would mix up answers."""
        _parents.extend(self._owned.values())
        _parents.extend(self._sockets)
        self._owned, self._sockets = {}, set()

    def _close_on(self, loop: asyncio.AbstractEventLoop, session: ClientSession) -> None:
        """Close a session in the background, on its own loop or, if that is closed, on this."""
        task = loop.create_task(session.close())
        self._closings.add(task)
        task.add_done_callback(self._closings.discard)

    def _cut_queue(self) -> bool:
        """Whether a cancellation came from a closed pool and not from the caller.

        Closing its pool, aiohttp cancels whoever waits there for a free connection. Let
        through, that would end the caller's task without a word.
        """
        borrowed = self._borrowed
        is_closed = self._is_closed or (borrowed is not None and borrowed.closed)
        task = asyncio.current_task()
        return is_closed and task is not None and not task.cancelling()

    def _make_session(self) -> ClientSession:
        connector = _Connector(
            limit=self._pool.limit,
            keepalive_timeout=self._pool.keepalive,
            ssl=self._pool.ssl or True,
        )
        return ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

    def _proxy(self, request: Request) -> str | None:
        """Return the proxy for a request; `None` leaves it to the session."""
        if not self._has_proxy:
            return None
        if self._pool.proxy is None:
            return proxy_of(request.url)
        return self._pool.proxy

    def _make_socket_session(self, timeout: Timeout) -> ClientSession:
        """Make a session for one socket: only so can a handshake have its own timeouts."""
        from humeai_async.http.transport.websocket import read_refusal

        lender = self._session()
        borrowed = self._borrowed
        connector = (
            _Connector(limit=0, ssl=self._pool.ssl or True)
            if borrowed is None
            else borrowed.connector
        )
        return ClientSession(
            connector=connector,
            connector_owner=borrowed is None,
            cookie_jar=lender.cookie_jar,
            headers=lender.headers,
            trust_env=lender.trust_env,
            timeout=self._client_timeout(timeout),
            middlewares=(_send_once, read_refusal),
        )

    def _client_timeout(self, timeout: Timeout) -> aiohttp.ClientTimeout:
        """Translate a timeout: neither limit covers the wait for a free connection."""
        key = timeout.connect, timeout.read
        found = self._timeouts.get(key)
        if found is None:
            found = self._timeouts[key] = aiohttp.ClientTimeout(
                total=None, connect=None, sock_connect=timeout.connect, sock_read=timeout.read
            )
        return found

    def _explain(self, problem: Exception, request: Request) -> Exception:
        """Say what went wrong in words of ours; aiohttp's may hold the URL.

        What is no failure of the network, such as an error in a user's own iterator, stays.
        """
        about: dict[str, Any] = {"method": request.method, "endpoint": request.label}
        if isinstance(problem, HumeError):
            return problem.with_traceback(None)  # its frames hold aiohttp's response
        if isinstance(problem, UploadSourceError):
            return problem.reason
        if self._is_closed:
            return client_closed(outcome_unknown=not is_unsent(problem), **about)
        if isinstance(problem, UNCONNECTED):
            return unconnected(problem, about)
        if isinstance(problem, NETWORK):
            return unanswered(problem, about)
        return problem


class _AiohttpDownload:
    """A streamed answer on aiohttp."""

    def __init__(
        self, response: aiohttp.ClientResponse, explain: Callable[[Exception], Exception]
    ) -> None:
        self._content = response.content
        self._explain = explain
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers

    async def read(self) -> bytes:
        return await self._explained(read_at_most(self._content, LARGEST_ERROR))

    async def chunks(self) -> AsyncIterator[bytes]:
        while chunk := await self._explained(self._content.read(_CHUNK)):
            yield chunk

    async def _explained(self, reading: Awaitable[bytes]) -> bytes:
        try:
            return await reading
        except Exception as problem:  # noqa: BLE001 - whatever comes from below is explained
            failure = self._explain(problem)
        raise failure


_parents: list[ClientSession | AiohttpSocket] = []
"""Sessions and sockets of a process that this one was forked from. They are kept: closed or
collected here, they would take the connections out of the parent's own event loop."""


def proxy_of(url: str) -> str | None:
    """Return the proxy that HTTP_PROXY, HTTPS_PROXY and NO_PROXY name for a URL.

    Raises:
        ConfigurationError: What they name is no proxy that can be used.
    """
    parts = urlsplit(url)
    proxy = getproxies_environment().get(parts.scheme)
    if not proxy or proxy_bypass(parts.netloc):
        return None
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    if is_proxy(proxy):
        return proxy
    # Not shown: it may hold a password.
    raise ConfigurationError(
        f"{parts.scheme.upper()}_PROXY must be a URL such as "
        "http://user:password@proxy.example:3128"
    )
