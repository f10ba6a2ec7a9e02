"""A script of faults: what goes wrong, for which requests, how often.

A `Fault` is a frozen description, `Faults` picks one for each request. Neither touches a
socket: the upstream application turns the kinds that are responses into responses, `framing` the
others into bytes, and the server sends those and ends the connection as they ask.
"""

from __future__ import annotations

import fnmatch
import random
from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias, get_args

from attrs import field, frozen, validators

FaultKind: TypeAlias = Literal[
    "status", "html", "garbage", "empty", "content-type",
    "encoding", "half-packed", "bomb",
    "surplus", "informational", "many-headers", "long-header", "stale",
    "reset", "close", "reset-head", "reset-body", "truncate", "truncate-chunk", "not-http",
    "stall", "stall-head", "stall-body",
]  # fmt: skip
"""What goes wrong.

A response that is not the right one:

- `status`: an error status, with a JSON body or the one given
- `html`: a page of HTML where JSON belongs
- `garbage`: JSON that breaks off, with a matching Content-Length
- `empty`: the right status and type, no body
- `content-type`: the right response under a wrong Content-Type

The right response, badly packed:

- `encoding`: not packed at all, under `Content-Encoding: gzip` or the one among `headers`
- `half-packed`: gzip that breaks off, with a matching Content-Length
- `bomb`: a few kilobytes of gzip that unpack to the response and 4 MiB of blanks in it

The right response, badly put on the connection:

- `surplus`: after it another response that nobody has requested
- `informational`: before it a hundred responses with status 103
- `many-headers`: 500 header fields
- `long-header`: a header field of 64 KiB
- `stale`: all is well until the next request on the connection; that is not read, and the
  connection closed, as a server does that closes an idle one at this moment

A connection that fails:

- `reset`: no response, the connection is reset
- `close`: no response, the connection is closed in good order
- `reset-head`: reset after half of the headers
- `reset-body`: reset after half of the body
- `truncate`: closed in good order after half of the body
- `truncate-chunk`: the same for a body without a length, inside of a chunk
- `not-http`: the greeting of another protocol
- `stall`: no response, the connection stays open
- `stall-head`: half of the headers, then nothing, the connection stays open
- `stall-body`: half of the body, then nothing, the connection stays open

A handshake of a WebSocket that is hit is not made: what goes wrong goes wrong with a response 200
in its place. A stall that ends only delays it.
"""

CONNECTION_KINDS = frozenset({
    "reset", "close", "reset-head", "reset-body", "truncate", "truncate-chunk", "not-http",
    "stall", "stall-head", "stall-body",
})  # fmt: skip
_STALLS = frozenset({"stall", "stall-head", "stall-body"})
_BEFORE_BODY = frozenset({"status", "html", "reset", "close", "stall"})
_HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
_GARBAGE = b'{"job_id": "8b1c2f3a-4d5e", "state": {"sta'


@frozen
class Fault:
    """One thing that goes wrong."""

    kind: FaultKind = field(validator=validators.in_(get_args(FaultKind)))
    method: str | None = None
    """Only requests with this method."""
    path: str | None = None
    """Only requests whose path at Hume matches this pattern, such as `/v0/batch/jobs/*`. It is
    the path with its ids in every dialect, so one script serves all three."""
    when: Callable[[str, str], bool] | None = field(default=None, repr=False)
    """Only requests for whose method and path this says yes."""
    times: int | None = 1
    """How often at most; `None` is without limit."""
    probability: float = 1.0
    """Share of the matching requests that it hits, 0 to 1."""
    status: int = 500
    """For `status` and `html`."""
    body: bytes | None = None
    """For `status`, `html`, `garbage`; a fitting one if left out."""
    headers: Mapping[str, str] = field(factory=dict[str, str])
    """Further headers, such as Retry-After, for the kinds that are responses; the
    Content-Encoding of `encoding`."""
    content_type: str | None = None
    """For `status` and `content-type`."""
    after_work: bool = False
    """For `status`, `html`, `reset`, `close` and `stall`: the request is carried out first, so that
    its caller cannot know. The other kinds spoil a response, so the work is always done."""
    seconds: float | None = None
    """For the stalls: how long, in real seconds, before the response goes on; `None` is until
    the client goes away or the fake stops."""
    upstream: bool = False
    """For the kinds that are a connection that fails: it happens between the gateway and Hume, and
    the client sees what the gateway makes of it. Without a gateway it makes no difference."""

    @property
    def does_work(self) -> bool:
        """Whether the request is carried out."""
        ends = self.kind == "stall" and self.seconds is not None
        return self.after_work or ends or self.kind not in _BEFORE_BODY

    @property
    def is_about_packing(self) -> bool:
        """Whether it concerns the Content-Encoding."""
        return self.kind in {"encoding", "half-packed", "bomb"}

    @property
    def is_delay(self) -> bool:
        """Whether it is a stall that ends."""
        return self.kind in _STALLS and self.seconds is not None

    @property
    def is_mute(self) -> bool:
        """Whether not a byte of a response is sent."""
        never = {"reset", "close", "not-http"}
        return self.kind in never or (self.kind == "stall" and self.seconds is None)

    def matches(self, method: str, path: str) -> bool:
        """Whether a request is one that it may hit."""
        return (
            (self.method is None or self.method == method)
            and (self.path is None or fnmatch.fnmatchcase(path, self.path))
            and (self.when is None or self.when(method, path))
        )

    def spoil(
        self, status: int, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, bytes, dict[str, str]]:
        """Turn a good response into the one that goes out; connection kinds leave it alone."""
        good = {**headers, **self.headers}
        if self.kind == "status":
            text = self.body if self.body is not None else b'{"message": "A scripted fault"}'
            return self.status, text, {**good, "Content-Type": self.content_type or _JSON}
        if self.kind == "html":
            return self.status, self.body or _HTML, {**good, "Content-Type": "text/html"}
        if self.kind == "garbage":
            return status, self.body or _GARBAGE, {**good, "Content-Type": _JSON}
        if self.kind == "empty":
            return status, b"", good
        if self.kind == "content-type":
            return status, body, {**good, "Content-Type": self.content_type or "text/plain"}
        return status, body, dict(headers)


_JSON = "application/json; charset=utf-8"


class Faults:
    """The script of one fake; the first fault that matches a request hits it."""

    def __init__(self, *faults: Fault, seed: int = 0) -> None:
        """Make a script.

        Args:
            faults: What it begins with.
            seed: For the faults with a probability.
        """
        self.fired: list[tuple[Fault, str, str]] = []
        """What has gone wrong: fault, method, path."""
        self._script: list[tuple[Fault, int]] = [(fault, 0) for fault in faults]
        self._random = random.Random(seed)  # noqa: S311 - it must repeat

    def add(self, fault: Fault) -> None:
        """Put a fault at the end of the script."""
        self._script.append((fault, 0))

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        self._script.clear()

    def pick(self, method: str, path: str) -> Fault | None:
        """Return the fault that hits a request, and count it."""
        for place, (fault, used) in enumerate(self._script):
            if fault.times is not None and used >= fault.times:
                continue
            if not fault.matches(method, path):
                continue
            if fault.probability < 1.0 and self._random.random() >= fault.probability:
                continue
            self._script[place] = (fault, used + 1)
            self.fired.append((fault, method, path))
            return fault
        return None
