"""What the session needs of a transport, so that tests can put another in its place.

It knows nothing of aiohttp. The session works with a `Transport`; the pool is one.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Protocol

from humeai_async.http.messages import Request, Response
from humeai_async.settings import Timeout

if TYPE_CHECKING:
    from humeai_async.http.transport.websocket import Socket


class Download(Protocol):
    """An answer whose body is still to come."""

    status: int
    headers: Mapping[str, str]

    async def read(self) -> bytes:
        """Read the body, or as much of it as an error may hold."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """Read the body piece by piece."""
        ...


class Transport(Protocol):
    """What the session needs: tests put a scripted one in its place."""

    async def send(self, request: Request, timeout: Timeout) -> Response:
        """Send a request and read its whole answer."""
        ...

    def stream(
        self, request: Request, timeout: Timeout
    ) -> contextlib.AbstractAsyncContextManager[Download]:
        """Send a request and leave its body to be read piece by piece."""
        ...

    async def open_socket(self, request: Request, timeout: Timeout) -> Socket | Response:
        """Open a WebSocket, or return the answer that refused it."""
        ...

    async def aclose(self) -> None:
        """Close the pool and all sockets."""
