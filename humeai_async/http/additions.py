"""What a client puts on each of its calls beside the credential: headers and query fields.

Every value of a header is taken for a secret, for nobody knows what it means: it is held like a
credential, joined to the request by the transport alone, and taken out of what servers repeat. A
LowCodeAPI gateway, for one, takes the caller's own Hume key in `X-Credential-Value`. The client
makes `Additions`; the session puts them on its calls.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar, cast

from attrs import evolve, field

from humeai_async._base.base_values import as_base
from humeai_async._base.frozen import frozen
from humeai_async._base.secret import SHORTEST_KEY, Secret, hold
from humeai_async.errors import ConfigurationError
from humeai_async.http.endpoint import Call, QueryValue, query_pairs

C = TypeVar("C", bound=Call[object])

_NAME = re.compile(r"[\w!#$%&'*+.^`|~-]+", re.ASCII)
_OURS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "range",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that say how a message is framed or packed, which whoever writes it must decide."""


@frozen
class Additions:
    """Headers and query fields for every call of a client."""

    headers: Mapping[str, Secret] = field(factory=dict[str, Secret], repr=False)
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def with_headers(self, held: object) -> Additions:
        """Put further headers on calls, in place of those of the same name.

        Args:
            held: What `hold_headers` returned; `None` in place of a value takes a header away.

        Raises:
            ConfigurationError: It is no mapping of names to texts that can stand in a header.
        """
        if not isinstance(held, Mapping):
            kind = _shown(held)
            raise ConfigurationError(f"headers is a dict of names and values, not {kind}")
        headers = dict(self.headers)
        for name, value in cast("Mapping[object, object]", held).items():
            name = _check_name(name)  # noqa: PLW2901 - the same, known to be a text
            for known in [one for one in headers if one.lower() == name.lower()]:
                del headers[known]
            if value is not None:
                headers[name] = _check_value(name, value)
        return evolve(self, headers=headers)

    def with_query(self, query: Mapping[str, QueryValue]) -> Additions:
        """Put further query fields on calls, in place of those of the same name.

        Raises:
            ConfigurationError: It is no mapping.
        """
        if not isinstance(cast("object", query), Mapping):
            kind = type(query).__name__
            raise ConfigurationError(f"query is a dict of its fields, not {kind}")
        kept = [(name, value) for name, value in self.query if name not in query]
        return evolve(self, query=(*kept, *query_pairs(query)))

    def on(self, call: C) -> C:
        """Return a call with the query fields; its own come before those of the same name."""
        own = {name for name, _ in call.query}
        further = [(name, value) for name, value in self.query if name not in own]
        return evolve(call, query=(*call.query, *further))

    def redact(self, text: str) -> str:
        """Remove the values of headers from a text, but for those too short to be a secret."""
        for secret in self.headers.values():
            if len(secret.reveal()) >= SHORTEST_KEY:
                text = secret.redact(text)
        return text


NO_ADDITIONS = Additions()


def hold_headers(headers: object) -> object:
    """Hold the values of headers so that no traceback shows them; nothing is checked yet.

    Returns:
        The headers with a `Secret` in place of each text and its type in place of anything else;
        the type of what is no mapping.
    """
    if not isinstance(headers, Mapping):
        return type(headers)
    items = cast("Mapping[object, object]", headers).items()
    return {name: hold(value) for name, value in items}


def _check_name(name: object) -> str:
    name = as_base(name)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigurationError(f"{name!a:.80} cannot be the name of a header")
    if name.lower() in _OURS or name.lower().startswith("sec-websocket-"):
        raise ConfigurationError(f"the header {name} is set by the library itself")
    return name


def _check_value(name: str, value: object) -> Secret:
    if not isinstance(value, Secret):
        raise ConfigurationError(f"the value of the header {name} is a text, not {_shown(value)}")
    if not _can_be_sent(value):
        raise ConfigurationError(
            f"the value of the header {name} holds what cannot stand in one: characters beyond "
            "ASCII, control characters, or white space at an end"
        )
    return value


def _shown(kind: object) -> str:
    """Name the type that stands in place of what is not shown."""
    return kind.__name__ if isinstance(kind, type) else type(kind).__name__


def _can_be_sent(value: Secret) -> bool:
    text = value.reveal()
    return text.isascii() and text.isprintable() and text.strip() == text
