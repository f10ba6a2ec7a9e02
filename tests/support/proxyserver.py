"""Servers that stand between: a forward proxy, and an end of TLS before a plain server."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
from typing import Self
from urllib.parse import urlsplit


class _Between:
    """A server on a real socket that passes bytes on."""

    scheme = "http"

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.url = ""
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.url = f"{self.scheme}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self._one(reader, writer)
        writer.close()
        self._tasks.discard(task)

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise NotImplementedError


class ProxyServer(_Between):
    """Passes requests on, or opens tunnels with CONNECT.

    Args:
        user: Asked for as `user:password`; anybody may pass if left out.
    """

    def __init__(self, user: str | None = None) -> None:
        super().__init__()
        self.heads: list[str] = []
        """Request line and headers of what was asked of the proxy itself."""
        self._user = user

    def url_for(self, user: str) -> str:
        """Return the proxy's URL with a user and a password in it."""
        return self.url.replace("//", f"//{user}@")

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head.decode("latin-1"))
        method, target, _ = self.heads[-1].split(" ", 2)
        if not self._may_pass():
            writer.write(b"HTTP/1.1 407 Who Are You\r\nContent-Length: 0\r\n\r\n")
            return
        is_tunnel = method == "CONNECT"
        parts = urlsplit(f"//{target}" if is_tunnel else target)
        if is_tunnel:
            writer.write(b"HTTP/1.1 200 Go On\r\n\r\n")
        await _join(reader, writer, parts.hostname, parts.port, b"" if is_tunnel else head)

    def _may_pass(self) -> bool:
        if self._user is None:
            return True
        expected = base64.b64encode(self._user.encode()).decode()
        return f"Proxy-Authorization: Basic {expected}" in self.heads[-1]


class TlsFront(_Between):
    """Ends TLS in front of a plain server.

    Args:
        url: URL of that server.
        tls: Says with which certificate.
    """

    scheme = "https"

    def __init__(self, url: str, tls: ssl.SSLContext) -> None:
        super().__init__(tls)
        self._port = urlsplit(url).port

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _join(reader, writer, "127.0.0.1", self._port)


async def _join(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    host: str | None,
    port: int | None,
    first: bytes = b"",
) -> None:
    """Connect to a server and pass bytes both ways, until one side has ended."""
    far_reader, far_writer = await asyncio.open_connection(host, port)
    try:
        far_writer.write(first)
        await asyncio.gather(_pipe(reader, far_writer), _pipe(far_reader, writer))
    finally:
        far_writer.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.close()
