"""A fast server in a process of its own that goes wrong by dice and counts what it carried out.

It keeps prompts: GET and PATCH of `/v0/evi/prompts/{key}/version/0`, POST of
`/v0/evi/prompts` with the key as its name, DELETE of `/v0/evi/prompts/{key}`. Keys are the
client's, each for one call, so that the server's count can be held against what the client
was told. A key, its arrival and the seed decide what goes wrong, whatever comes first.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
import random
import socket
import struct
from collections import Counter
from collections.abc import Generator
from multiprocessing.connection import Connection
from typing import cast

from attrs import define, field, frozen

from humeai_async import HumeAI

KINDS = (
    "429", "500", "500-done", "503", "503-bare", "503-bare-done", "reset", "reset-done",
    "reset-body", "truncate", "garbage", "stall", "stall-done", "stall-body",
)  # fmt: skip
"""What goes wrong: `-done` is after the request was carried out, without it before. With 503
comes a Retry-After but for `-bare`; it is 0, so that runs end soon. Bodies that go wrong belong
to requests carried out."""
_DONE = frozenset({"reset-body", "truncate", "garbage", "stall-body"})
_STATUSES = {
    "429": "429 Too Many Requests",
    "500": "500 Internal Server Error",
    "503": "503 Service Unavailable",
}
_TALLY = "/tally"
"""Path at which the server tells what it did."""


@frozen
class Tally:
    """What the server did."""

    carried: Counter[str]
    """How often each key's request was carried out."""
    arrivals: int
    """Requests that came."""
    faults: Counter[str]
    """How often each kind of fault struck."""
    open: int
    """Connections open, the asking one not counted."""


@define
class _Book:
    """All that the connections of one server share."""

    share: float
    kinds: tuple[str, ...]
    seed: int
    arrivals: Counter[str] = field(factory=Counter[str])
    carried: Counter[str] = field(factory=Counter[str])
    faults: Counter[str] = field(factory=Counter[str])
    open: int = 0

    def pick(self, key: str) -> str | None:
        """Decide what goes wrong with a request."""
        self.arrivals[key] += 1
        dice = random.Random(f"{self.seed}/{key}/{self.arrivals[key]}")  # noqa: S311 - by seed
        if dice.random() >= self.share:
            return None
        kind = dice.choice(self.kinds)
        self.faults[kind] += 1
        return kind

    def tally(self) -> bytes:
        told = {
            "carried": self.carried,
            "arrivals": self.arrivals.total(),
            "faults": self.faults,
            "open": self.open - 1,
        }
        return json.dumps(told).encode()


class _Connection(asyncio.Protocol):
    """One connection: requests one after another, each with a body or none."""

    def __init__(self, book: _Book) -> None:
        self._book = book
        self._read = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._book.open += 1

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._book.open -= 1

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, found, rest = self._read.partition(b"\r\n\r\n")
        if not found:
            return
        _, _, length = head.lower().partition(b"content-length: ")
        size = int(length.partition(b"\r\n")[0] or 0)
        if len(rest) >= size:
            self._read = rest[size:]
            method, path, _ = head.decode("latin-1").split(" ", 2)
            self._act(method, path, rest[:size])

    def _act(self, method: str, path: str, body: bytes) -> None:
        if path == _TALLY:
            self._answer("200 OK", self._book.tally())
            return
        key = json.loads(body)["name"] if method == "POST" else path.split("/")[4]
        kind = self._book.pick(key)
        done = kind is None or kind in _DONE or kind.endswith("-done")
        status, answer = self._carry_out(method, key) if done else ("", b"")
        if kind is None:
            self._answer(status, answer)
        else:
            self._go_wrong(kind, status, answer)

    def _carry_out(self, method: str, key: str) -> tuple[str, bytes]:
        """Do what is asked, and return status and body."""
        if method == "DELETE":
            if self._book.carried[key]:
                return "404 Not Found", b'{"message": "no such prompt"}'
            self._book.carried[key] += 1
            return "200 OK", b""
        self._book.carried[key] += 1
        prompt = {
            "id": key, "version": 0, "version_type": "FIXED", "name": key, "text": "Be brief.",
            "created_on": 1746972000000, "modified_on": 1746972000000,
        }  # fmt: skip
        return "201 Created" if method == "POST" else "200 OK", json.dumps(prompt).encode()

    def _go_wrong(self, kind: str, status: str, answer: bytes) -> None:
        what = kind.partition("-")[0]
        if what in _STATUSES:
            told = kind in {"429", "503"}
            headers = b"Retry-After: 0\r\n" if told else b""
            self._answer(_STATUSES[what], b'{"message": "out of luck"}', headers)
        elif kind == "garbage":
            self._answer(status, b'{"id": "' + answer[: len(answer) // 2])
        elif kind in {"reset", "reset-done"}:
            self._reset()
        elif kind in {"reset-body", "truncate", "stall-body"}:
            self._break_off(kind, status, answer or b"deleted")

    def _answer(self, status: str, body: bytes, headers: bytes = b"") -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n".encode()
        kind = b"Content-Type: application/json\r\n"
        self._transport.write(head + kind + headers + b"\r\n" + body)

    def _break_off(self, kind: str, status: str, answer: bytes) -> None:
        """Send half of a body, and then a reset, an end, or nothing more."""
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(answer)}\r\n\r\n".encode()
        self._transport.write(head + answer[: len(answer) // 2])
        if kind == "truncate":
            self._transport.close()
        elif kind == "reset-body":
            self._reset()

    def _reset(self) -> None:
        # Closing with a linger time of 0 sends a reset instead of an orderly end.
        plug: socket.socket = self._transport.get_extra_info("socket")
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()


async def tally_of(url: str) -> Tally:
    """Ask the server what it did, on a connection of its own."""
    async with HumeAI(api_key="key", base_url=url) as asking:
        told = (await asking.request("GET", _TALLY)).json()
    return Tally(
        Counter(told["carried"]), told["arrivals"], Counter(told["faults"]), int(told["open"])
    )


async def _serve(book: _Book, told: Connection) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(book), "127.0.0.1", 0, backlog=1024)
    told.send(server.sockets[0].getsockname()[1])
    await asyncio.Event().wait()


def _run(book: _Book, told: Connection) -> None:
    asyncio.run(_serve(book, told))


@contextlib.contextmanager
def faulty_server(share: float, kinds: tuple[str, ...] = KINDS, seed: int = 0) -> Generator[str]:
    """Run the server in a process of its own, and give its URL.

    Args:
        share: Share of the requests that go wrong, 0 to 1.
        kinds: What goes wrong, each as often as the others.
        seed: Another one, other dice.
    """
    here, there = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_run, args=(_Book(share, kinds, seed), there), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}"
    finally:
        process.terminate()
        process.join()
        here.close()
        there.close()
