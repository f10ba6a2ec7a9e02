"""Where calls go: Hume itself, or Hume behind the LowCodeAPI gateway.

An origin puts host and credential on a call and takes the envelope off its answer. It is pure
but for what `LowCodeAPI` remembers of the URL format that worked. It sends nothing; the
session does.
"""

from __future__ import annotations

import enum
import functools
import hashlib
import re
from typing import Any, Protocol
from urllib.parse import quote, quote_plus, urlsplit

from humeai_async.errors import ConfigurationError
from humeai_async.http.endpoint import Call, Endpoint, has_dot_segments
from humeai_async.http.messages import Part, Request, Response
from humeai_async.http.secrets import Secret
from humeai_async.settings import can_be_found

HUME_URL = "https://api.hume.ai"


class Format(enum.Enum):
    """How path parameters are written; the old one exists at the gateway only."""

    NEW = "new"
    """In the path: `/v0/batch/jobs/123`."""
    OLD = "old"
    """Names in the path, values in the query: `/v0/batch/jobs/id?id=123`."""


class Origin(Protocol):
    """What the session asks of a place that calls go to."""

    account: str
    """Stands for the credential in the limiter's buckets; does not reveal it."""
    is_hume: bool
    """Whether this is Hume's own host."""
    has_envelopes: bool
    """Whether bodies come wrapped."""
    drops_204: bool
    """Whether a call that Hume answers with 204 is never answered here."""
    base_url: str

    def refuse(self, endpoint: Endpoint[Any]) -> None:
        """Raise `GatewayUnsupportedError` for a call that cannot be carried."""

    def formats(self, call: Call[Any]) -> tuple[Format, ...]:
        """Return the URL formats to try, in order."""
        ...

    def request(
        self, call: Call[Any], body: bytes | tuple[Part, ...] | None, url_format: Format
    ) -> Request:
        """Put host and credential on a call."""
        ...

    def read(self, response: Response) -> Response:
        """Take the envelope off an answer."""
        ...

    def settle(self, call: Call[Any], url_format: Format, answer: Response | None) -> bool:
        """Learn from an answer (`None`: closed without one); true if it is the answer."""
        ...

    def scrub(self, text: str) -> str:
        """Remove the credential from a text."""
        ...


class OriginBase:
    """What both origins share."""

    def __init__(self, base_url: str, credential: str) -> None:
        self.base_url: str = check_base_url(base_url)
        self._credential = Secret(check_credential(credential))
        self.account: str = hashlib.blake2b(credential.encode(), digest_size=6).hexdigest()

    def scrub(self, text: str) -> str:
        """Remove the credential from a text."""
        return self._credential.scrub(text)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_url})"


ACCEPT = {"Accept": "application/json, */*;q=0.5"}
JSON_CONTENT = {"Content-Type": "application/json"}


class _Headers(dict[str, str]):
    """Headers with a credential among them: their repr tells the names only."""

    def __repr__(self) -> str:
        return f"_Headers({list(self)})"


class Direct(OriginBase):
    """Hume's own API, or a stand-in that speaks like it.

    Args:
        base_url: Scheme and host, perhaps with a path in front of `/v0/...`.
        api_key: Goes into the header `X-Hume-Api-Key`.
        access_token: Goes into `Authorization: Bearer`, in place of a key.
    """

    has_envelopes = False
    drops_204 = False

    def __init__(
        self,
        base_url: str = HUME_URL,
        *,
        api_key: str | None = None,
        access_token: str | None = None,
    ) -> None:
        super().__init__(base_url, api_key or access_token or "")
        secret = self._credential.reveal()
        credential = (
            {"Authorization": f"Bearer {secret}"} if api_key is None else {"X-Hume-Api-Key": secret}
        )
        self._headers = _Headers({**ACCEPT, **credential})
        self._json_headers = _Headers({**self._headers, **JSON_CONTENT})
        self.is_hume: bool = (urlsplit(self.base_url).hostname or "").endswith(".hume.ai")

    def refuse(self, endpoint: Endpoint[Any]) -> None:
        """Refuse nothing: Hume carries all of its own calls."""

    def formats(self, call: Call[Any]) -> tuple[Format, ...]:
        """There is one format only."""
        del call
        return (Format.NEW,)

    def request(
        self, call: Call[Any], body: bytes | tuple[Part, ...] | None, url_format: Format
    ) -> Request:
        """Put host and credential on a call."""
        del url_format
        endpoint = call.endpoint
        url = self.base_url + (new_path(call) if call.ids else endpoint.path)
        if call.query:
            url = f"{url}?{query_text(call.query)}"
        headers = self._json_headers if isinstance(body, bytes) else self._headers
        return Request(endpoint.method, endpoint.path, url, headers, body)

    def read(self, response: Response) -> Response:
        """Hume puts nothing around its answers."""
        return response

    def settle(self, call: Call[Any], url_format: Format, answer: Response | None) -> bool:
        """Accept every answer."""
        del call, url_format, answer
        return True


def new_path(call: Call[Any]) -> str:
    """Write a call's path with its ids in it."""
    path = call.endpoint.path
    for name, value in zip(call.endpoint.parameters, call.ids, strict=True):
        path = path.replace(f"{{{name}}}", quote(value, safe=""))
    return path


@functools.lru_cache(maxsize=256)  # most come again and again
def query_text(pairs: tuple[tuple[str, str], ...]) -> str:
    """Write a query; both halves of each pair are escaped."""
    return "&".join([f"{quote_plus(name)}={quote_plus(value)}" for name, value in pairs])


_HOST = re.compile(r"([\w.-]+|\[[0-9A-Fa-f:.]+(%[\w.-]+)?\])(:[0-9]*)?")
"""A name, an IPv4 address or an IPv6 address in brackets, and perhaps a port."""


def check_base_url(url: str) -> str:
    """Return a base URL without its trailing slash.

    Raises:
        ConfigurationError: It is not an http or https URL, or carries more than host and path.
    """
    if any(mark in url for mark in "?#@\\"):
        raise ConfigurationError("base_url must hold host and path only: no query, no user")
    try:
        parts = urlsplit(url)
        is_host = _HOST.fullmatch(parts.netloc) and can_be_found(parts) and parts.port != 0
        is_usable = (
            parts.scheme in {"http", "https"} and is_host and not has_dot_segments(parts.path)
        )
    except ValueError:  # of a bad port or address
        is_usable = False
    if not is_usable or not _is_one_word(url):
        raise ConfigurationError("base_url must be a URL such as https://api.hume.ai")
    return url.rstrip("/")


def check_credential(text: str) -> str:
    """Return a credential that can be put into a header or query.

    Raises:
        ConfigurationError: It is empty or holds white space or control characters.
    """
    if not text or not _is_one_word(text):
        raise ConfigurationError(
            "the credential is empty or holds white space or control characters; "
            "was it copied whole?"
        )
    return text


def _is_one_word(text: str) -> bool:
    """Whether a text holds no white space, control characters or halves of characters."""
    return text.isprintable() and " " not in text
