"""A server that answers GET requests with fixed bytes and spends next to nothing on it.

It runs in a process of its own; see `measuring.serving`. `/asked` is answered with the number
of requests since that was asked last.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from multiprocessing.connection import Connection

from attrs import define

from benchmarks.measuring import serving

_REQUEST = re.compile(rb"GET ([^ ?]+)(?:\?([^ ]*))? HTTP/1\.1\r\n.*?\r\n\r\n", re.DOTALL)
_PAGE_NUMBER = re.compile(rb"page_number=(\d+)")


@define
class _Answers:
    """What all connections share."""

    whole: Mapping[bytes, Sequence[bytes]]
    seconds: float
    asked: int = 0

    def answer(self, path: bytes, query: bytes) -> bytes:
        if path == b"/asked":
            asked, self.asked = self.asked, 0
            return _with_head(str(asked).encode())
        self.asked += 1
        page = _PAGE_NUMBER.search(query)
        return self.whole[path][int(page[1]) if page else 0]


class _Fixed(asyncio.Protocol):
    """One connection."""

    def __init__(self, answers: _Answers) -> None:
        self._answers = answers
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while found := _REQUEST.match(self._received):
            self._received = self._received[found.end() :]
            answer = self._answers.answer(found[1], found[2] or b"")
            if self._answers.seconds:
                loop = asyncio.get_running_loop()
                loop.call_later(self._answers.seconds, self._transport.write, answer)
            else:
                self._transport.write(answer)


def _with_head(body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


async def _serve(told: Connection, bodies: Mapping[str, Sequence[bytes]], seconds: float) -> None:
    whole = {path.encode(): [*map(_with_head, pages)] for path, pages in bodies.items()}
    answers = _Answers(whole, seconds)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Fixed(answers), "127.0.0.1", 0, backlog=2048)
    told.send(server.sockets[0].getsockname()[1])
    await asyncio.Event().wait()


def fixed_server(
    bodies: Mapping[str, Sequence[bytes]], seconds: float = 0.0
) -> AbstractContextManager[str]:
    """Serve until the block ends; give the URL.

    Args:
        bodies: Bodies by path: the first one, or that of the query's `page_number`.
        seconds: How long an answer is held back.
    """
    return serving(_serve, bodies, seconds)
