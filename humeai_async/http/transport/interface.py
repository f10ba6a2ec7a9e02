"""What the session needs of a transport, so that tests can put another in its place.

It knows nothing of aiohttp. The session works with a `Transport`; the pool is one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine, Mapping
from typing import Any, Protocol, runtime_checkable

from humeai_async.http.messages import Request, Response
from humeai_async.http.transport.websocket import Socket
from humeai_async.settings import Timeout


class Download(Protocol):
    """A response whose body is still to come."""

    status: int
    headers: Mapping[str, str]

    async def read(self) -> bytes:
        """Read the body whole; of an error, as much as is of use."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """Read the body piece by piece."""
        ...


class OpenResponse(Download, Protocol):
    """A response as the transport opens it."""

    async def aclose(self) -> None:
        """Let go of it: whoever opened it calls this in the end."""


@runtime_checkable
class Transport(Protocol):
    """What moves bytes: a request out, a response in.

    It repeats nothing, follows no redirect, and knows no pace: all that is done above it. One of
    your own goes to `HumeAI(transport=...)`; `request.signed()` is the URL and the headers to
    send, credential included, `request.body` the bytes. It raises `APIConnectionError`,
    `APITimeoutError`, or an `OSError`, which becomes one of those.
    """

    def open(self, request: Request, timeout: Timeout) -> Coroutine[Any, Any, OpenResponse]:
        """Send a request, and return its response, whose body is still to come.

        `request.delivery` is `UNKNOWN` from the moment at which the first byte is written. Where
        it is `NOT_SENT` after a failure, a request that must not be repeated is sent again.
        """
        ...

    def open_socket(
        self, request: Request, timeout: Timeout
    ) -> Coroutine[Any, Any, Socket | Response]:
        """Open a WebSocket, or return the response that refused it."""
        ...

    async def aclose(self) -> None:
        """Close the pool and all sockets."""
