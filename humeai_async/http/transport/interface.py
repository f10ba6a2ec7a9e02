"""What the session needs of a transport, so that tests can put another in its place.

It knows nothing of aiohttp. The session works with a `Transport`; the pool is one.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Protocol

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

    def detach(self) -> Callable[[], Awaitable[None]]:
        """Keep it open beyond its block, and return what closes it."""
        ...


class Transport(Protocol):
    """What moves bytes: a request out, a response in. It repeats nothing."""

    def open(
        self, request: Request, timeout: Timeout
    ) -> contextlib.AbstractAsyncContextManager[OpenResponse]:
        """Send a request, and hold its response open for a block.

        `request.delivery` is `UNKNOWN` from the moment at which the first byte is written.
        """
        ...

    async def open_socket(self, request: Request, timeout: Timeout) -> Socket | Response:
        """Open a WebSocket, or return the response that refused it."""
        ...

    async def aclose(self) -> None:
        """Close the pool and all sockets."""
