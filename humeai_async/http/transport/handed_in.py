"""A transport that a user handed in, as the session can rely on it.

It may leave out what a transport of ours does: note when a request is written, and raise this
library's errors. The client wraps what it is given; the session calls it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Mapping
from typing import TypeVar

from humeai_async.errors import APIConnectionError, APITimeoutError
from humeai_async.http.messages import Delivery, Request, Response
from humeai_async.http.transport.interface import OpenResponse, Transport
from humeai_async.http.transport.websocket import Socket
from humeai_async.settings import Timeout

T = TypeVar("T")


class BufferedResponse:
    """A response whose whole body is there already, for transports that have it so."""

    def __init__(
        self, status: int, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> None:
        self.status: int = status
        self.headers: Mapping[str, str] = {
            name.lower(): value for name, value in (headers or {}).items()
        }
        self._body = body

    async def read(self) -> bytes:
        """Return the whole body."""
        return self._body

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the body in one piece."""
        yield self._body

    async def aclose(self) -> None:
        """There is nothing to close."""


class HandedInTransport:
    """Makes `OSError`s of another transport errors of this library, and doubts what it sent.

    A request counts as written from the moment it is handed over, so that one which must not be
    repeated is not, unless the transport itself says better.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def open(self, request: Request, timeout: Timeout) -> OpenResponse:
        """Send a request, and return its response, whose body is still to come."""
        request.delivery = Delivery.UNKNOWN
        opened = await _explained(self._transport.open(request, timeout), request)
        return _HandedInResponse(opened, request)

    async def open_socket(self, request: Request, timeout: Timeout) -> Socket | Response:
        """Open a WebSocket, or return the response that refused it."""
        request.delivery = Delivery.UNKNOWN
        return await _explained(self._transport.open_socket(request, timeout), request)

    async def aclose(self) -> None:
        """Close it: the client that it was handed to owns it."""
        await self._transport.aclose()


class _HandedInResponse:
    def __init__(self, opened: OpenResponse, request: Request) -> None:
        self._opened = opened
        self._request = request
        self.status: int = opened.status
        self.headers: Mapping[str, str] = opened.headers

    async def read(self) -> bytes:
        return await _explained(self._opened.read(), self._request)

    async def chunks(self) -> AsyncIterator[bytes]:
        chunks = self._opened.chunks()
        while (chunk := await _explained(_next(chunks), self._request)) is not None:
            yield chunk

    async def aclose(self) -> None:
        await self._opened.aclose()


async def _next(chunks: AsyncIterator[bytes]) -> bytes | None:
    return await anext(chunks, None)


async def _explained(work: Awaitable[T], request: Request) -> T:
    try:
        return await work
    except OSError as problem:
        kind, is_timeout = type(problem).__name__, isinstance(problem, TimeoutError)
    error = APITimeoutError if is_timeout else APIConnectionError
    raise error(  # outside of `except`: the cause's frames may hold what was sent
        f"the transport that was handed in failed on this request: {kind}",
        method=request.method,
        endpoint=request.label,
        outcome_unknown=request.delivery is not Delivery.NOT_SENT,
    )
