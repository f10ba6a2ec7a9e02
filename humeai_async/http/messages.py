"""What passes between the session and the transport.

Values: a `Request` out, a `Response` in. They know no endpoints. The credential of a request
stands apart from it, and only the transport joins the two (`Request.signed`); reprs leave out
everything that may hold a secret. What is made for every call is not frozen:
freezing doubles what it takes to make one.
"""

from __future__ import annotations

import enum
import json
import os
from collections.abc import AsyncIterable, Callable, Mapping
from typing import Any, BinaryIO, TypeAlias
from urllib.parse import parse_qs, urlsplit

from attrs import field

from humeai_async._base.frozen import define, frozen
from humeai_async._base.secret import Secret

Content: TypeAlias = (
    bytes | os.PathLike[str] | BinaryIO | AsyncIterable[bytes] | Callable[[], AsyncIterable[bytes]]
)
"""What an upload can be made of.

Bytes and paths can be sent again. An open file is sent from where it stands and can be sent
again if it can seek. An async iterator can be sent once; a callable that returns a new async
iterator can be sent again.
"""


NO_SECRETS: Mapping[str, Secret] = {}

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


class Delivery(enum.Enum):
    """What is known of a request, for whoever has to decide whether to send it again."""

    NOT_SENT = enum.auto()
    """Not a byte of it was written: it was surely not carried out."""
    UNKNOWN = enum.auto()
    """It was written, at least in part, and may have been carried out."""
    RESPONDED = enum.auto()
    """A response says what became of it."""
    REFUSED = enum.auto()
    """A response says that it was not carried out, and that it may be sent again."""


@frozen
class Credential:
    """The secret that goes with each request, and where it goes."""

    secret: Secret
    header: str = ""
    """Name of the header that it goes into; empty for the query."""
    prefix: str = ""
    """What stands before it in the header, such as `Bearer `."""
    parameter: str = ""
    """Name of the query field that it goes into."""


@define
class Request:
    """One HTTP request, ready to send but for its credential."""

    method: str
    label: str
    """Path template for logs and errors: no ids, no query."""
    url: str = field(repr=False)
    """URL with its query, but without the credential."""
    headers: Mapping[str, str] = field(repr=False)
    """Headers but for the credential."""
    body: bytes | tuple[Part, ...] | None = field(default=None, repr=False)
    """JSON text, or the parts of a multipart body."""
    credential: Credential | None = field(default=None, repr=False)
    private: Mapping[str, Secret] = field(default=NO_SECRETS, repr=False)
    """Headers of the caller's own, in place of those of the same name."""
    delivery: Delivery = Delivery.NOT_SENT
    """What is known of it; the transport notes when it is written."""

    @property
    def host(self) -> str:
        """Host and port of the server, for messages."""
        return urlsplit(self.url).netloc

    @property
    def path(self) -> str:
        """Path of the URL, with the ids in it as they are sent."""
        return urlsplit(self.url).path

    @property
    def query(self) -> dict[str, list[str]]:
        """Query fields, each with all of its values, but for the credential."""
        return parse_qs(urlsplit(self.url).query, keep_blank_values=True)

    def json(self) -> Any:
        """Return the body as plain JSON values; `None` where there is none.

        Raises:
            TypeError: It is multipart.
        """
        if isinstance(self.body, tuple):
            raise TypeError("the body is multipart: see `body`, its parts")
        return None if self.body is None else json.loads(self.body)

    def signed(self) -> tuple[str, dict[str, str]]:
        """Return URL and headers with the credential in one of them.

        Only a transport calls this, in the frame that hands both to the HTTP library.
        """
        return self.signed_url(), self.signed_headers()

    def signed_url(self) -> str:
        """Return the URL, with the credential if it goes there."""
        credential = self.credential
        if credential is None or not credential.parameter:
            return self.url
        mark = "&" if "?" in self.url else "?"
        return f"{self.url}{mark}{credential.parameter}={credential.secret.escaped}"

    def signed_headers(self) -> dict[str, str]:
        """Return the headers, with the credential if it goes there."""
        credential, headers = self.credential, {**self.headers}
        if self.private:
            names = {name.lower() for name in self.private}
            headers = {name: text for name, text in headers.items() if name.lower() not in names}
            headers |= {name: secret.reveal() for name, secret in self.private.items()}
        if credential is not None and credential.header:
            headers[credential.header] = credential.prefix + credential.secret.reveal()
        return headers


def size_of_body(body: bytes | tuple[Part, ...] | None) -> int | None:
    """Return the bytes of a request's body; of a multipart body, those of its parts, if known."""
    if body is None or isinstance(body, bytes):
        return len(body or b"")
    sizes = [len(one.content) if isinstance(one.content, bytes) else one.size for one in body]
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None


class Responder(enum.Enum):
    """Who wrote a response: Hume, a gateway, or the web framework before it."""

    HUME = enum.auto()
    GATEWAY = enum.auto()
    """The gateway itself: it refused the token or could not reach Hume."""
    ROUTER = enum.auto()
    """The web framework before the gateway: it knows no such path."""
    UNKNOWN = enum.auto()
    """The gateway or Hume; the response does not say."""


@define
class Response:
    """One HTTP response, fully read; origins take the envelope off."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    """Names are matched without regard to case. May hold a credential: a redirect repeats the
    URL."""
    body: bytes = field(repr=False)
    responder: Responder = Responder.HUME
    has_service_headers: bool = True
    """Whether the headers are the service's own, and not those of a gateway before it."""

    @property
    def request_id(self) -> str | None:
        """The service's id of the request, to quote to its support."""
        return self.headers.get("x-request-id")

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300  # noqa: PLR2004 - the classes of HTTP

    @property
    def is_error(self) -> bool:
        """Whether the status is anything but 2xx."""
        return not self.is_success

    @property
    def is_no_route(self) -> bool:
        """Whether it says that there is no such path, rather than no such thing."""
        return self.responder is Responder.ROUTER and self.status in {NOT_FOUND, METHOD_NOT_ALLOWED}


PACKINGS = frozenset({"gzip", "x-gzip", "deflate"})
"""Content encodings that are unpacked here; the requests ask for no other."""


def encoding_of(headers: Mapping[str, str]) -> str:
    """Return how a body is packed, in lower case; empty where it is not."""
    encoding = headers.get("Content-Encoding")
    return encoding.strip().lower() if encoding else ""


def unknown_encoding(headers: Mapping[str, str]) -> str:
    """Return how a body is packed that nobody here can unpack; empty where it can be read."""
    encoding = encoding_of(headers)
    return "" if encoding in {"", "identity", *PACKINGS} else encoding[:40]
