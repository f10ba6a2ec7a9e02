"""A WebSocket server on a raw socket: handshake and frames byte by byte, in whatever segments."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeAlias

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_SHORT, _MEDIUM = 126, 1 << 16

Talk: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def frame(data: bytes, opcode: int = TEXT) -> bytes:
    """Write one frame as a server does, whole and without a mask."""
    first = bytes([0x80 | opcode])
    if len(data) < _SHORT:
        return first + bytes([len(data)]) + data
    if len(data) < _MEDIUM:
        return first + b"\x7e" + struct.pack(">H", len(data)) + data
    return first + b"\x7f" + struct.pack(">Q", len(data)) + data


def event(**fields: object) -> bytes:
    """Write one event of the chat as a frame."""
    return frame(json.dumps(fields).encode())


def close_frame(code: int) -> bytes:
    return frame(struct.pack(">H", code), CLOSE)


METADATA = event(type="chat_metadata", chat_id="c1", chat_group_id="g1", request_id="r")


@contextlib.asynccontextmanager
async def socket_server(greeting: bytes, talk: Talk | None = None) -> AsyncGenerator[str]:
    """Serve sockets; gives the URL.

    Args:
        greeting: Frames that go out in one segment with the handshake.
        talk: What comes after that; without it the connection is closed.
    """

    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        # Cancelled is how the server ends it; the stream's own callback would log that.
        with contextlib.suppress(
            ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError
        ):
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(_handshake(head) + greeting)
            await writer.drain()
            if talk is not None:
                await talk(reader, writer)
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            writer.close()
            await writer.wait_closed()
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving)
        await asyncio.sleep(0.02)  # until clients know of it, or their sockets would stay open


def _handshake(head: bytes) -> bytes:
    key = head.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
    accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())  # noqa: S324 - RFC 6455
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )
