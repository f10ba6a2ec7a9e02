"""What a fault makes of a response on the wire: which bytes go out, and what follows them.

Pure functions from a response to bytes. They know HTTP's framing and no socket; the loopback
server sends the bytes and does what is to follow.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Literal, TypeAlias

from attrs import evolve, frozen

from humeai_async.testing.exchange import FakeResponse
from humeai_async.testing.faults import Fault, FaultKind

Ending: TypeAlias = Literal["keep", "stale", "close", "reset", "stall"]
"""What follows the bytes: the connection stays for the next request, or is closed when that
comes, is closed or reset at once, or nothing comes on it any more."""

BOMB_BYTES = 4 * 1024 * 1024
"""What a bomb unpacks to, and some more; packed it is a thousandth of that."""
_MANY_FIELDS = {f"X-{n}": "x" for n in range(500)}
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


def frame(response: FakeResponse, fault: Fault) -> Framed | None:
    """Return what a connection carries of a response; `None` if it goes out like any other."""
    if fault.is_about_packing:
        packed = {"Content-Encoding": "gzip", **response.headers, **fault.headers}
        response = evolve(response, headers=packed)
    make = _FRAMES.get(fault.kind)
    return None if make is None else make(response)


def _head(response: FakeResponse, framing: Mapping[str, str] | None = None) -> bytes:
    if framing is None:
        framing = {"Content-Length": str(len(response.body))}
    kept = {k: v for k, v in response.headers.items() if k.lower() not in _FRAMING}
    fields = "".join(f"{name}: {value}\r\n" for name, value in {**kept, **framing}.items())
    reason = HTTPStatus(response.status).phrase
    return f"HTTP/1.1 {response.status} {reason}\r\n{fields}\r\n".encode("latin-1")


def _whole(response: FakeResponse) -> bytes:
    return _head(response) + response.body


def _half_of_head(response: FakeResponse, then: Ending) -> Framed:
    whole = _whole(response)
    half = len(_head(response)) // 2
    return Framed(whole[:half], then, whole[half:])


def _half_of_body(response: FakeResponse, then: Ending) -> Framed:
    whole = _whole(response)
    half = len(_head(response)) + len(response.body) // 2
    return Framed(whole[:half], then, whole[half:])


def _half_of_chunk(response: FakeResponse) -> Framed:
    half = response.body[: len(response.body) // 2]
    head = _head(response, {"Transfer-Encoding": "chunked"})
    return Framed(head + f"{len(response.body):x}\r\n".encode() + half, "close")


def _half_packed(response: FakeResponse) -> Framed:
    packed = gzip.compress(response.body)
    return Framed(_whole(evolve(response, body=packed[: len(packed) // 2])))


def _bomb(response: FakeResponse) -> Framed:
    # After its first byte JSON takes any number of blanks.
    body = response.body[:1] + b" " * BOMB_BYTES + response.body[1:]
    return Framed(_whole(evolve(response, body=gzip.compress(body, compresslevel=1))))


def _with_fields(response: FakeResponse, fields: Mapping[str, str]) -> Framed:
    return Framed(_whole(evolve(response, headers={**response.headers, **fields})))


_FRAMES: dict[FaultKind, Callable[[FakeResponse], Framed]] = {
    "encoding": lambda response: Framed(_whole(response)),
    "half-packed": _half_packed,
    "bomb": _bomb,
    "surplus": lambda response: Framed(_whole(response) + _SURPLUS),
    "informational": lambda response: Framed(_HINTS + _whole(response)),
    "many-headers": lambda response: _with_fields(response, _MANY_FIELDS),
    "long-header": lambda response: _with_fields(response, {"X-Long": _LONG_VALUE}),
    "stale": lambda response: Framed(_whole(response), "stale"),
    "reset": lambda _: Framed(b"", "reset"),
    "close": lambda _: Framed(b"", "close"),
    "stall": lambda response: Framed(b"", "stall", _whole(response)),
    "not-http": lambda _: Framed(_NOT_HTTP, "close"),
    "reset-head": lambda response: _half_of_head(response, "reset"),
    "stall-head": lambda response: _half_of_head(response, "stall"),
    "reset-body": lambda response: _half_of_body(response, "reset"),
    "truncate": lambda response: _half_of_body(response, "close"),
    "truncate-chunk": _half_of_chunk,
    "stall-body": lambda response: _half_of_body(response, "stall"),
}
