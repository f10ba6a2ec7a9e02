"""What a fault makes of an answer on the wire: which bytes go out, and what follows them.

Pure functions from an answer to bytes. They know HTTP's framing and no socket; the loopback
server sends the bytes and does what is to follow.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Literal, TypeAlias

from attrs import evolve, frozen

from humeai_async.testing.exchange import Answer
from humeai_async.testing.faults import Fault, FaultKind

Ending: TypeAlias = Literal["keep", "stale", "close", "reset", "stall"]
"""What follows the bytes: the connection stays for the next request, or is closed when that
comes, is closed or reset at once, or nothing comes on it any more."""

BOMB_BYTES = 4 * 1024 * 1024
"""What a bomb unpacks to, and some more; packed it is a thousandth of that."""
_FIELDS = 500
_LONG_VALUE = "x" * 64 * 1024
_HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n" * 100
_SURPLUS = b'HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\n{"smuggled": "yes"}'
_NOT_HTTP = b"SSH-2.0-OpenSSH_9.6\r\n"
_FRAMING = frozenset({"content-length", "transfer-encoding", "connection"})


@frozen
class Framed:
    """Bytes for one connection."""

    data: bytes
    then: Ending = "keep"
    rest: bytes = b""
    """What goes out after a stall that ends."""


def frame(answer: Answer, fault: Fault) -> Framed | None:
    """Return what a connection carries of an answer; `None` if it goes out like any other."""
    if fault.is_about_packing:
        packed = {"Content-Encoding": "gzip", **answer.headers, **fault.headers}
        answer = evolve(answer, headers=packed)
    make = _FRAMES.get(fault.kind)
    return None if make is None else make(answer)


def _head(answer: Answer, framing: Mapping[str, str] | None = None) -> bytes:
    if framing is None:
        framing = {"Content-Length": str(len(answer.body))}
    kept = {k: v for k, v in answer.headers.items() if k.lower() not in _FRAMING}
    fields = "".join(f"{name}: {value}\r\n" for name, value in {**kept, **framing}.items())
    reason = HTTPStatus(answer.status).phrase
    return f"HTTP/1.1 {answer.status} {reason}\r\n{fields}\r\n".encode("latin-1")


def _whole(answer: Answer) -> bytes:
    return _head(answer) + answer.body


def _half_of_head(answer: Answer, then: Ending) -> Framed:
    whole = _whole(answer)
    half = len(_head(answer)) // 2
    return Framed(whole[:half], then, whole[half:])


def _half_of_body(answer: Answer, then: Ending) -> Framed:
    whole = _whole(answer)
    half = len(_head(answer)) + len(answer.body) // 2
    return Framed(whole[:half], then, whole[half:])


def _half_of_chunk(answer: Answer) -> Framed:
    half = answer.body[: len(answer.body) // 2]
    head = _head(answer, {"Transfer-Encoding": "chunked"})
    return Framed(head + f"{len(answer.body):x}\r\n".encode() + half, "close")


def _half_packed(answer: Answer) -> Framed:
    packed = gzip.compress(answer.body)
    return Framed(_whole(evolve(answer, body=packed[: len(packed) // 2])))


def _bomb(answer: Answer) -> Framed:
    # After its first byte JSON takes any number of blanks.
    body = answer.body[:1] + b" " * BOMB_BYTES + answer.body[1:]
    return Framed(_whole(evolve(answer, body=gzip.compress(body, compresslevel=1))))


def _with_fields(answer: Answer, fields: Mapping[str, str]) -> Framed:
    return Framed(_whole(evolve(answer, headers={**answer.headers, **fields})))


_FRAMES: dict[FaultKind, Callable[[Answer], Framed]] = {
    "encoding": lambda answer: Framed(_whole(answer)),
    "half-packed": _half_packed,
    "bomb": _bomb,
    "surplus": lambda answer: Framed(_whole(answer) + _SURPLUS),
    "informational": lambda answer: Framed(_HINTS + _whole(answer)),
    "many-headers": lambda answer: _with_fields(answer, {f"X-{n}": "x" for n in range(_FIELDS)}),
    "long-header": lambda answer: _with_fields(answer, {"X-Long": _LONG_VALUE}),
    "stale": lambda answer: Framed(_whole(answer), "stale"),
    "reset": lambda _: Framed(b"", "reset"),
    "close": lambda _: Framed(b"", "close"),
    "stall": lambda answer: Framed(b"", "stall", _whole(answer)),
    "not-http": lambda _: Framed(_NOT_HTTP, "close"),
    "reset-head": lambda answer: _half_of_head(answer, "reset"),
    "stall-head": lambda answer: _half_of_head(answer, "stall"),
    "reset-body": lambda answer: _half_of_body(answer, "reset"),
    "truncate": lambda answer: _half_of_body(answer, "close"),
    "truncate-chunk": _half_of_chunk,
    "stall-body": lambda answer: _half_of_body(answer, "stall"),
}
