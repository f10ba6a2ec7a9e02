"""Where calls go: Hume itself, or Hume behind the LowCodeAPI gateway.

An origin puts host and credential on a call and takes the envelope off its response. It is pure
but for what `LowCodeAPI` remembers of the URL format that worked. It sends nothing; the
session does.
"""

from __future__ import annotations

import enum
import hashlib
import re
from typing import Any, Protocol
from urllib.parse import quote, quote_plus, urlsplit

from humeai_async._base.secret import Secret
from humeai_async._base.version import USER_AGENT
from humeai_async.errors import ConfigurationError
from humeai_async.http.credentials import CredentialSource
from humeai_async.http.endpoint import Call, Endpoint, has_dot_segments
from humeai_async.http.messages import Credential, Part, Request, Response
from humeai_async.settings import can_be_found

HUME_URL = "https://api.hume.ai"
CLOUD_URL = "https://api.cloud.hume.ai"
"""Where Hume serves its newer products."""


class Format(enum.Enum):
    """How path parameters are written; the old one exists at the gateway only."""

    NEW = "new"
    """In the path: `/v0/batch/jobs/123`."""
    OLD = "old"
    """Names in the path, values in the query: `/v0/batch/jobs/id?id=123`."""


class Route:
    """The way of one attempt of a call: here with one request, whose response is final."""

    __slots__ = ("request",)

    def __init__(self, request: Request) -> None:
        self.request: Request = request
        """What to send now."""

    def choose(self, response: Response) -> Response | None:
        """Return the response that counts, or `None` to send the next `request` at once."""
        return response

    def note_silence(self) -> None:
        """Learn that the server closed the connection without a response."""


class Origin(Protocol):
    """What the session needs of a place that calls go to."""

    account: str
    """Stands for the credential in the limiter's buckets; does not reveal it."""
    is_hume: bool
    """Whether this is Hume's own host."""
    reaches_hume: bool
    """Whether Hume itself is behind it, rather than a stand-in."""
    has_envelopes: bool
    """Whether bodies come wrapped."""
    drops_204: bool
    """Whether a 204 of Hume never comes back from here."""
    base_url: str
    credential: Credential
    """What is put on each request, and where."""
    source: CredentialSource | None
    """What is asked for the credential of each request, where it changes."""
    credential_origin: str
    """Where the credential comes from, such as `the variable HUME_API_KEY`; for messages."""

    def ensure_supported(self, endpoint: Endpoint[Any]) -> None:
        """Raise `GatewayUnsupportedError` for a call that cannot be carried."""

    def route(self, call: Call[Any], body: bytes | tuple[Part, ...] | None) -> Route:
        """Begin an attempt of a call."""
        ...

    def read(self, response: Response) -> Response:
        """Take the envelope off a response."""
        ...

    def redact(self, text: str) -> str:
        """Remove the credential from a text."""
        ...


_NOT_ASKED = Secret("")
"""Stands in a request until its source is asked."""


class OriginBase:
    """What both origins share."""

    base_url: str = ""  # of one that is still being built
    credential: Credential

    def __init__(self, base_url: str | Secret, held: Secret | CredentialSource) -> None:
        self.base_url = check_base_url(base_url)
        self.credential_origin: str = held.origin
        self.source: CredentialSource | None = None
        if isinstance(held, Secret):
            self._secret = check_credential(held)
            digest = hashlib.blake2b(held.reveal().encode(), digest_size=6)
            self.account: str = digest.hexdigest()
        else:
            self._secret = _NOT_ASKED
            self.source, self.account = held, held.account

    def redact(self, text: str) -> str:
        """Remove the credential from a text."""
        return (self.source or self._secret).redact(text)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_url})"


_ACCEPT = {
    "Accept": "application/json, */*;q=0.5",
    "Accept-Encoding": "gzip, deflate",
    "User-Agent": USER_AGENT,
}
_ACCEPT_JSON = {**_ACCEPT, "Content-Type": "application/json"}


def headers_for(body: object) -> dict[str, str]:
    """Return the headers of a request but for its credential."""
    return _ACCEPT_JSON if isinstance(body, bytes) else _ACCEPT


class Direct(OriginBase):
    """Hume's own API, or a stand-in that speaks like it.

    Args:
        base_url: Scheme and host, perhaps with a path in front of `/v0/...`; a `Secret` as long as
            nobody knows whether there is a password in it.
        api_key: Goes into the header `X-Hume-Api-Key`.
        access_token: Goes into `Authorization: Bearer`, in place of a key.
    """

    has_envelopes = False
    drops_204 = False

    def __init__(
        self,
        base_url: str | Secret = HUME_URL,
        *,
        api_key: str | Secret | CredentialSource | None = None,
        access_token: str | Secret | CredentialSource | None = None,
    ) -> None:
        super().__init__(base_url, as_secret(access_token if api_key is None else api_key))
        secret = self._secret
        self.credential: Credential = (
            Credential(secret, header="Authorization", prefix="Bearer ")
            if api_key is None
            else Credential(secret, header="X-Hume-Api-Key")
        )
        self.is_hume: bool = (urlsplit(self.base_url).hostname or "").endswith(".hume.ai")
        self.reaches_hume: bool = self.is_hume

    def ensure_supported(self, endpoint: Endpoint[Any]) -> None:
        """Accept every call: Hume carries all of its own."""

    def route(self, call: Call[Any], body: bytes | tuple[Part, ...] | None) -> Route:
        """Begin an attempt: there is one request for it, and each response is final."""
        endpoint = call.endpoint
        url = self.base_url + (new_path(call) if call.ids else endpoint.path)
        if call.query:
            url = f"{url}?{query_text(call.query)}"
        headers = headers_for(body)
        return Route(Request(endpoint.method, endpoint.path, url, headers, body, self.credential))

    def read(self, response: Response) -> Response:
        """Return the response as it is: Hume puts nothing around its own."""
        return response


def new_path(call: Call[Any]) -> str:
    """Write a call's path with its ids in it."""
    path = call.endpoint.path
    for name, value in zip(call.endpoint.parameters, call.ids, strict=True):
        path = path.replace(f"{{{name}}}", quote(value, safe=""))
    return path


def query_text(pairs: tuple[tuple[str, str], ...]) -> str:
    """Write a query; both halves of each pair are escaped.

    Nothing is kept for a next time: some endpoints take credentials in the query.
    """
    text = ""
    for name, value in pairs:
        both = name + value
        # Nearly all texts are plain, and the library function takes its time to see so.
        is_plain = both.isascii() and both.isidentifier()
        text += f"&{name}={value}" if is_plain else f"&{quote_plus(name)}={quote_plus(value)}"
    return text[1:]


_HOST = re.compile(r"([\w.-]+|\[[0-9A-Fa-f:.]+(%[\w.-]+)?\])(:[0-9]*)?")
"""A name, an IPv4 address or an IPv6 address in brackets, and perhaps a port."""


def check_base_url(url: str | Secret) -> str:
    """Return a base URL without its trailing slash.

    Raises:
        ConfigurationError: It is not an http or https URL, or carries more than host and path.
    """
    held = url if isinstance(url, Secret) else Secret(url, "base_url")
    fault = _find_fault(held.reveal())
    if fault is not None:
        raise ConfigurationError(f"{held.origin} {fault}")
    return held.reveal().rstrip("/")


def _find_fault(url: str) -> str | None:
    """Say what is wrong with a base URL, without showing what may be a password."""
    if any(mark in url for mark in "?#@\\"):
        return "must hold host and path only: no query, no user"
    try:
        parts = urlsplit(url)
        is_host = _HOST.fullmatch(parts.netloc) and can_be_found(parts) and parts.port != 0
        is_usable = (
            parts.scheme in {"http", "https"} and is_host and not has_dot_segments(parts.path)
        )
    except ValueError:  # of a bad port or address
        is_usable = False
    if not is_usable or not url.isprintable() or " " in url:
        return "must be a URL such as https://api.hume.ai"
    version = _VERSION.search(url.rstrip("/"))
    if version is not None:
        return (
            f"ends with {version[0]!r}, which the paths of all endpoints begin with: leave it off"
        )
    return None


_VERSION = re.compile(r"/v\d+$")


def as_secret(held: str | Secret | CredentialSource | None) -> Secret | CredentialSource:
    """Hold a credential so that it does not show; none at all is an empty one."""
    return Secret(held or "") if held is None or isinstance(held, str) else held


def check_credential(secret: Secret) -> Secret:
    """Return a credential that can be put into a header or query.

    Raises:
        ConfigurationError: It is empty or holds white space or control characters.
    """
    if not secret.is_whole():
        raise ConfigurationError(
            "the credential is empty or holds white space or control characters; "
            "was it copied whole?"
        )
    return secret
