"""Requests and responses as they went over the wire, for whoever asks to see them.

`hume.capture()` opens a `Capture`; the calls that its task and the children of that make put their
`Exchange`s there. Credentials, the values of the caller's own headers and what else is a key are
`***` in all of it.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Generator, Mapping
from contextvars import ContextVar
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

import msgspec
from attrs import field

from humeai_async._base.frozen import define, frozen
from humeai_async._base.secret import Secret
from humeai_async.errors import DecodeError
from humeai_async.http.messages import Request, Response
from humeai_async.http.secrets import find_keys, is_secret_header, without_keys

_HIDDEN = "***"


@frozen(kw_only=True)
class Exchange:
    """One request and its response, as they were on the wire.

    Beside a typed response, this is the raw one: a gateway's envelope is still around it, and
    packed bodies are unpacked.
    """

    call_id: str
    """Id of the call; its repeats have the same one."""
    endpoint: str
    """Resource and method, such as `configs.list`."""
    attempt: int
    """Number of the request within its call; the first is 1."""
    method: str
    """HTTP method."""
    url: str = field(repr=False)
    """Where it was sent."""
    request_headers: Mapping[str, str] = field(repr=False)
    """Headers of the request."""
    request_body: bytes | None = field(repr=False)
    """JSON that was sent, as you gave it; `None` for none, and for files."""
    status: int | None
    """HTTP status; `None` where no response came."""
    headers: Mapping[str, str] = field(repr=False)
    """Headers of the response, names in lower case."""
    body: bytes | None = field(repr=False)
    """Body of the response; `None` where there was none, and for downloads."""
    seconds: float
    """From when the request was sent to the end of the response."""
    error: str | None = None
    """Class of the error where no response came."""

    @property
    def request_line(self) -> str:
        """First line of the request, such as `GET /v0/batch/jobs?limit=5 HTTP/1.1`."""
        parts = urlsplit(self.url)
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        return f"{self.method} {target} HTTP/1.1"

    def json(self) -> Any:
        """Return the body as plain JSON values.

        Raises:
            DecodeError: There is none, or it is not JSON.
        """
        with contextlib.suppress(msgspec.DecodeError):
            return msgspec.json.decode(self.body or b"")
        raise DecodeError("the body of the response is not JSON")

    @classmethod
    def of(
        cls,
        request: Request,
        response: Response | None,
        *,
        redact: Callable[[str], str],
        has_body: bool,
        error: BaseException | None,
        **facts: Any,
    ) -> Self:
        """Take down a request and its response, but for what is secret in them."""
        query = parse_qsl(urlsplit(request.url).query)
        keys = [Secret(key) for key in find_keys(query)]

        def clean_text(text: str) -> str:
            return without_keys(
                functools.reduce(lambda rest, key: key.redact(rest), keys, redact(text))
            )

        def clean(body: bytes) -> bytes:
            text = body.decode("utf-8", errors="surrogateescape")
            return clean_text(text).encode("utf-8", errors="surrogateescape")

        sent = request.body if isinstance(request.body, bytes) else None
        return cls(
            method=request.method,
            url=_shown_url(request),
            request_headers=_shown_headers(request),
            request_body=None if sent is None else clean(sent),
            status=None if response is None else response.status,
            headers={} if response is None else _cleaned(response.headers, clean_text),
            body=None if response is None or not has_body else clean(response.body),
            error=None if error is None else type(error).__name__,
            **facts,
        )


def _shown_url(request: Request) -> str:
    url, credential = without_keys(request.url), request.credential
    if credential is None or not credential.parameter:
        return url
    return f"{url}{'&' if '?' in url else '?'}{credential.parameter}={_HIDDEN}"


def _shown_headers(request: Request) -> dict[str, str]:
    hidden = dict.fromkeys(request.private, _HIDDEN)
    if request.credential is not None and request.credential.header:
        hidden[request.credential.header] = _HIDDEN
    return {**request.headers, **hidden}


def _cleaned(headers: Mapping[str, str], redact: Callable[[str], str]) -> dict[str, str]:
    return {
        name.lower(): _HIDDEN if is_secret_header(name) else redact(value)
        for name, value in headers.items()
    }


@define(eq=False)
class Capture:
    """A block in which the calls of one client are taken down."""

    owner: object
    """What the clients of a family share, so that others' calls stay out."""
    exchanges: list[Exchange] = field(factory=list[Exchange])
    is_open: bool = True

    def add(self, exchange: Exchange) -> None:
        """Keep an exchange, but not after the block."""
        if self.is_open:
            self.exchanges.append(exchange)


_captures: ContextVar[tuple[Capture, ...]] = ContextVar("humeai_async_captures", default=())
"""The blocks that the running task is in; the tasks that it starts are in them too."""


@contextlib.contextmanager
def capturing(owner: object) -> Generator[list[Exchange]]:
    """Take down what the calls of an owner exchange in a block."""
    capture = Capture(owner)
    token = _captures.set((*_captures.get(), capture))
    try:
        yield capture.exchanges
    finally:
        capture.is_open = False
        _captures.reset(token)


def captures_of(owner: object) -> tuple[Capture, ...]:
    """Return the open blocks that the running task is in, for the calls of an owner."""
    found = _captures.get()
    return tuple([one for one in found if one.owner is owner and one.is_open]) if found else found
