"""The one place that hides secrets: credentials, and what servers repeat of a request.

A signed URL opens the media to whoever reads it, and a webhook's path is often its key. Of
both only what is known not to be secret may be shown: the path of a medium, the host of a
webhook. `_base/urls.py` hides that in whole URLs; here the parts are looked for wherever they
stand, which takes time, so only errors are searched. A credential is a
`Secret` from the moment that it is given. The client, the session and the jobs call it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from typing import cast
from urllib.parse import unquote, unquote_plus, urlsplit

from humeai_async._base.secret import SHORTEST_KEY, Secret

__all__ = [
    "find_keys",
    "find_secrets",
    "is_secret_header",
    "redact",
    "without_keys",
    "without_secrets",
]

_WORD = re.compile(r"[A-Z]?[a-z]+")
"""What stands in many a path, and in many a sentence too: no key."""
_GROWTH = 6
"""How much longer a character may be when it is escaped."""


def without_secrets(text: str, sent: object, most: int = sys.maxsize) -> str:
    """Hide the secret parts of the URLs that were sent.

    Args:
        text: A server's words.
        sent: The request's body, as plain JSON.
        most: Characters of the text that are of use; the rest is cut off.
    """
    return redact(text, find_secrets(sent), most)


def find_secrets(sent: object) -> list[str]:
    """Return the secret parts of the URLs in a request's body, the longest first."""
    return sorted({part for url in _urls(sent) for part in url}, key=len, reverse=True)


def redact(text: str, secrets: list[str], most: int) -> str:
    """Hide secrets in a text, one of several that echo the same request.

    Args:
        text: A server's words.
        secrets: What `find_secrets` found.
        most: As of `without_secrets`.
    """
    if not secrets:
        return text
    # What is cut in half could not be found, so the end where that may be goes too.
    spare = _GROWTH * len(secrets[0])
    is_cut = len(text) > most + spare
    text = text[: most + spare]
    for secret in secrets:
        text = Secret(secret).redact(text)
    return text[:-spare] if is_cut else text


def _urls(sent: object) -> Iterator[list[str]]:
    """Give the secret parts of each text that is a URL."""
    rest = [("", sent)]
    while rest:
        name, value = rest.pop()
        if isinstance(value, dict):
            rest.extend(cast("dict[str, object]", value).items())
        elif isinstance(value, list):
            rest.extend((name, one) for one in cast("list[object]", value))
        elif isinstance(value, str) and "://" in value[:10]:
            yield _secret_parts(value, is_medium=name == "urls")


def _secret_parts(url: str, *, is_medium: bool) -> list[str]:
    try:
        parts = urlsplit(url)
    except ValueError:  # of a bad address; then the whole of it is hidden
        return [url]
    user = parts.netloc.rpartition("@")[0]
    whole = [parts.query]
    fields = [field.partition("=") for field in parts.query.split("&")]
    keys = [*user.split(":"), *(value or name for name, _, value in fields), parts.fragment]
    if not is_medium:
        whole.append(parts.path.strip("/"))
        keys += parts.path.split("/")
    # As they stand, and as what they mean, in which a plus may be a blank.
    keys += [meant(key) for key in keys for meant in (unquote, unquote_plus)]
    return [one for one in whole if one] + [key for key in keys if _is_key(key)]


def _is_key(text: str) -> bool:
    return len(text) >= SHORTEST_KEY and not _WORD.fullmatch(text)


_KEY_WORDS = ("key", "token", "secret", "passw", "signature", "credential", "auth")
_KEY_NAMES = re.compile("|".join(_KEY_WORDS), re.IGNORECASE)
"""What is in the name of a query field whose value may be a key."""
_QUERY_FIELD = re.compile(r"(?<=[?&])([^=&#\s]+)=([^&#\s]*)")


def without_keys(url: str) -> str:
    """Hide the values of those fields of a URL's query whose names speak of a key."""
    query = url.partition("?")[2].lower()
    if not any(word in query for word in _KEY_WORDS):  # as nearly all URLs
        return url
    return _QUERY_FIELD.sub(
        lambda found: f"{found[1]}=***" if _KEY_NAMES.search(found[1]) else found[0], url
    )


_SECRET_HEADERS = re.compile(
    r"cookie|key|token(?!s\b)|secret|passw|signature|credential|auth(?!enticate\b)", re.IGNORECASE
)
"""What is in the name of a header whose value may be a credential. WWW-Authenticate only says which
kind is expected, and headers of rate limits count tokens."""


def is_secret_header(name: str) -> bool:
    """Whether the value of a response's header may be a credential, whatever it looks like."""
    return _SECRET_HEADERS.search(name) is not None


def find_keys(query: Iterable[tuple[str, str]]) -> list[str]:
    """Return the values of those fields of a query whose names speak of a key."""
    return [value for name, value in query if _KEY_NAMES.search(name) and _is_key(value)]
