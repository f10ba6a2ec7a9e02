"""A server that answers GET requests with fixed bytes and spends next to nothing on it.

It runs in a process of its own; see `measuring.serving`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from multiprocessing.connection import Connection

from benchmarks.measuring import serving

_REQUEST = re.compile(rb"GET ([^ ?]+)(?:\?([^ ]*))? HTTP/1\.1\r\n.*?\r\n\r\n", re.DOTALL)
_PAGE_NUMBER = re.compile(rb"page_number=(\d+)")


class _Fixed(asyncio.Protocol):
    """One connection."""

    def __init__(self, answers: Mapping[bytes, Sequence[bytes]]) -> None:
        self._answers = answers
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while found := _REQUEST.match(self._received):
            self._received = self._received[found.end() :]
            page = _PAGE_NUMBER.search(found[2] or b"")
            self._transport.write(self._answers[found[1]][int(page[1]) if page else 0])


def _with_head(body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


async def _serve(told: Connection, answers: Mapping[str, Sequence[bytes]]) -> None:
    whole = {path.encode(): [*map(_with_head, pages)] for path, pages in answers.items()}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Fixed(whole), "127.0.0.1", 0, backlog=2048)
    told.send(server.sockets[0].getsockname()[1])
    await asyncio.Event().wait()


def fixed_server(answers: Mapping[str, Sequence[bytes]]) -> AbstractContextManager[str]:
    """Serve until the block ends; give the URL.

    Args:
        answers: Bodies by path: the first one, or that of the query's `page_number`.
    """
    return serving(_serve, answers)
