"""A server on a real socket that does exactly what a test says, byte by byte."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from typing import Self, TypeAlias

Act: TypeAlias = Callable[[asyncio.StreamWriter], Awaitable[None]]
"""What a server does about one request; the connection stays open unless it closes it."""


class RawServer:
    """Acts once for each request, in the order given; the last act is repeated."""

    def __init__(
        self, *acts: Act, reads_bodies: bool = True, reads_after: asyncio.Event | None = None
    ) -> None:
        self.acts = list(acts)
        self.heads: list[str] = []
        """Request line and headers of every request."""
        self.bodies: list[bytes] = []
        self.connections = 0
        self.open = 0
        self.arrived = asyncio.Event()
        """Set by each request."""
        self.emptied = asyncio.Event()
        """Set when no connection is open any more."""
        self._reads_bodies = reads_bodies
        self._reads_after = reads_after
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 16)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
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
        self.connections += 1
        self.open += 1
        self.emptied.clear()
        try:
            # Cancelled is how the server ends it; the stream's own callback would log that.
            with contextlib.suppress(
                ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError
            ):
                while not writer.is_closing():
                    await self._one(reader, writer)
        finally:
            writer.close()
            self.open -= 1
            if not self.open:
                self.emptied.set()
            self._tasks.discard(task)

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        act = self.acts[min(len(self.heads), len(self.acts) - 1)]
        self.heads.append(head)
        if self._reads_after is not None:
            await self._reads_after.wait()
        if self._reads_bodies:
            self.bodies.append(await _body(head.lower(), reader))
        self.arrived.set()
        acting = asyncio.ensure_future(act(writer))
        # A client that goes away ends even an act that would last for ever.
        gone = asyncio.ensure_future(_gone(reader, writer))
        try:
            await asyncio.wait({acting, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in (acting, gone):
                one.cancel()
            await asyncio.gather(acting, gone, return_exceptions=True)


async def _gone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Return when the other side has closed."""
    while not (reader.at_eof() or writer.is_closing()):
        await asyncio.sleep(0.002)


async def _body(head: str, reader: asyncio.StreamReader) -> bytes:
    if "transfer-encoding: chunked" in head:
        pieces: list[bytes] = []
        while size := int(await reader.readline(), 16):
            pieces.append((await reader.readexactly(size + 2))[:-2])
        await reader.readline()
        return b"".join(pieces)
    _, _, rest = head.partition("content-length: ")
    return await reader.readexactly(int(rest.partition("\r\n")[0])) if rest else b""


def answer(
    body: bytes = b"{}", *, status: str = "200 OK", headers: Mapping[str, str] | None = None
) -> Act:
    """Give a whole answer and keep the connection."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{lines}\r\n"
    return raw(head.encode() + body, close=False)


def raw(data: bytes, *, close: bool = True) -> Act:
    """Send bytes as they are."""

    async def act(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        if close:
            writer.close()

    return act


def reset(data: bytes = b"") -> Act:
    """Send bytes and reset the connection."""

    async def act(writer: asyncio.StreamWriter) -> None:
        if data:
            writer.write(data)
            await writer.drain()
            await asyncio.sleep(0.01)  # or the reset overtakes them
        plug: socket.socket = writer.get_extra_info("socket")
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    return act


def silence(data: bytes = b"") -> Act:
    """Send bytes and then nothing, for as long as the client stays."""

    async def act(writer: asyncio.StreamWriter) -> None:
        if data:
            writer.write(data)
            await writer.drain()
        await asyncio.Event().wait()

    return act


def after(event: asyncio.Event, act: Act) -> Act:
    """Wait for an event first."""

    async def later(writer: asyncio.StreamWriter) -> None:
        await event.wait()
        await act(writer)

    return later


HALF_A_BODY = b'HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{"half": '
HALF_A_CHUNK = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{"half": '
NOT_GZIP = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 8\r\n\r\nnot gzip"
NOT_HTTP = b"SSH-2.0-OpenSSH_9.6\r\n"
