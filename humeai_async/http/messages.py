"""What crosses the seam between the session and the transport.

Values: a `Request` out, a `Response` in. They know neither endpoints nor credentials' names;
reprs leave out everything that may hold a secret. What is made for every call is not frozen:
freezing doubles what it takes to make one.
"""

from __future__ import annotations

import enum
import os
from collections.abc import AsyncIterable, Callable, Mapping
from typing import BinaryIO, TypeAlias

from attrs import define, field

from humeai_async._base.frozen import frozen

Content: TypeAlias = (
    bytes | os.PathLike[str] | BinaryIO | AsyncIterable[bytes] | Callable[[], AsyncIterable[bytes]]
)
"""What an upload can be made of.

Bytes and paths can be sent again. An open file is sent from where it stands and can be sent
again if it can seek. An async iterator can be sent once; a callable that returns a new async
iterator can be sent again.
"""


NOT_FOUND = 404
METHOD_NOT_ALLOWED = 405


class JsonText(bytes):
    """JSON as it is sent; its repr is short, since secrets may stand in it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"JsonText({len(self)} bytes)"

    __str__ = __repr__  # that of bytes shows them


@frozen
class Upload:
    """One file of an upload, with its name and type.

    Plain `bytes`, paths and open files may be given wherever an `Upload` is asked for; this
    class adds a name or a type.
    """

    content: Content = field(repr=False)
    """The bytes, or where they come from."""
    filename: str | None = None
    """Name the service sees; the path's own name, or `file`, if left out."""
    content_type: str | None = None
    """MIME type; guessed from the name if left out."""


@frozen
class Part:
    """One part of a multipart body, checked and ready to send."""

    name: str
    content: bytes | Callable[[], AsyncIterable[bytes]] = field(repr=False)
    """The bytes, or what gives them piece by piece, anew for each attempt."""
    filename: str | None = None
    content_type: str | None = None
    size: int | None = None
    """Bytes, where known; without it the body goes out in chunks."""
    repeatable: bool = True
    """Whether `content` can be given a second time."""


@define
class Request:
    """One HTTP request, ready to send."""

    method: str
    label: str
    """Path template for logs and errors: no ids, no query, no credential."""
    url: str = field(repr=False)
    """Full URL with query; may hold a credential."""
    headers: Mapping[str, str] = field(repr=False)
    """May hold a credential."""
    body: bytes | tuple[Part, ...] | None = field(default=None, repr=False)
    """JSON text, or the parts of a multipart body."""


class Sender(enum.Enum):
    """Who wrote an answer."""

    HUME = enum.auto()
    GATEWAY = enum.auto()
    """The gateway itself: it refused the token or could not reach Hume."""
    ROUTER = enum.auto()
    """The web framework before the gateway: it knows no such path."""
    UNKNOWN = enum.auto()
    """The gateway or Hume; the answer does not say."""


@define
class Response:
    """One HTTP answer, fully read; origins take the envelope off."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    """Names are matched without regard to case. May hold a credential: a redirect repeats the
    URL."""
    body: bytes = field(repr=False)
    sender: Sender = Sender.HUME

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300  # noqa: PLR2004 - the classes of HTTP

    @property
    def is_no_route(self) -> bool:
        """Whether it says that there is no such path, rather than no such thing."""
        return self.sender is Sender.ROUTER and self.status in {NOT_FOUND, METHOD_NOT_ALLOWED}
