"""Frozen settings of a client, checked when they are made.

They know nothing of the network. The client hands them to the session, the transport and
the poller.
"""

from __future__ import annotations

from collections.abc import Callable
from ssl import SSLContext
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from attrs import Attribute, field, validate

from humeai_async._base.base_values import is_number
from humeai_async._base.frozen import frozen
from humeai_async._base.secret import Secret, hold
from humeai_async.errors import ConfigurationError

__all__ = ["Polling", "Pool", "Reconnect", "Retry", "Timeout"]


def _positive(_: object, attribute: Attribute[float], value: object) -> None:
    if not (is_number(value) and value > 0):
        raise ConfigurationError(f"{attribute.name} must be a positive number, not {value!r}")


def _positive_or_none(owner: object, attribute: Attribute[Any], value: object) -> None:
    if value is not None:
        _positive(owner, attribute, value)


def _at_least_zero(_: object, attribute: Attribute[float], value: object) -> None:
    if not (is_number(value) and value >= 0):
        raise ConfigurationError(f"{attribute.name} must be zero or more, not {value!r}")


def _at_least(least: int) -> Callable[[object, Attribute[int], object], None]:
    def check(_: object, attribute: Attribute[int], value: object) -> None:
        if not (is_number(value) and value >= least and value == int(value)):
            raise ConfigurationError(
                f"{attribute.name} must be a whole number of {least} or more, not {value!r}"
            )

    return check


def _not_below_min_interval(owner: Polling, attribute: Attribute[float], value: float) -> None:
    _positive(owner, attribute, value)
    if value < owner.min_interval:
        raise ConfigurationError(
            f"{attribute.name} must be {owner.min_interval!r} (min_interval) or more, not {value!r}"
        )


def _truth_value(_: object, attribute: Attribute[bool], value: object) -> None:
    if not isinstance(value, bool):
        raise ConfigurationError(f"{attribute.name} must be True or False, not {value!r}")


def _context_or_none(_: object, attribute: Attribute[Any], value: object) -> None:
    if not (value is None or isinstance(value, SSLContext)):
        kind = type(value).__name__
        raise ConfigurationError(f"{attribute.name} must be an ssl.SSLContext, not {kind}")


def _proxy_or_none(_: object, attribute: Attribute[Any], value: object) -> None:
    if not (value is None or (isinstance(value, Secret) and is_proxy(value.reveal()))):
        # Not shown: it may hold a password.
        raise ConfigurationError(
            f"{attribute.name} must be a URL such as http://user:password@proxy.example:3128"
        )


def check_setting(
    name: str, value: object, kind: type | tuple[type, ...], *, optional: bool = True
) -> None:
    """Refuse a setting of another kind at once, where the mistake is.

    Raises:
        ConfigurationError: It names the setting and what it is.
    """
    if not isinstance(value, kind) and not (optional and value is None):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        wanted = " or ".join(one.__name__ for one in kinds)
        raise ConfigurationError(f"{name} is a {wanted}, not {type(value).__name__}")


def is_proxy(url: str) -> bool:
    """Whether a URL can be that of a proxy: http or https, with a host."""
    try:
        parts = urlsplit(url)
        url.encode()
        is_url = parts.scheme in {"http", "https"} and can_be_found(parts) and parts.port != 0
    except ValueError:  # of a bad port or address, or half a character
        return False
    # Basic authentication separates user and password by a colon.
    return is_url and ":" not in unquote(parts.username or "")


_LONGEST_LABEL = 63
"""Characters between two dots of a host's name."""


def can_be_found(parts: SplitResult) -> bool:
    """Whether a URL has a host whose name can be asked for.

    One with empty parts, or with more than 63 characters in one, cannot even be written for
    that.
    """
    name = parts.hostname or ""
    if name.isascii():  # as nearly all are, and the codec takes long to import
        *steps, last = name.split(".")
        return bool(name) and all(steps) and max(map(len, (*steps, last))) <= _LONGEST_LABEL
    try:
        return bool(name.encode("idna"))
    except UnicodeError:
        return False


@frozen
class Timeout:
    """How long to wait, in seconds; `None` means without limit.

    Waiting for a pooled connection or for the limiter counts against `total` alone, never
    against `connect`.
    """

    connect: float | None = field(default=10.0, validator=_positive_or_none)
    """Seconds to open a connection: name, TCP, TLS and the tunnel of a proxy, all together. On a
    borrowed session aiohttp's `sock_connect`: TCP and TLS, for each address of the name."""
    read: float | None = field(default=60.0, validator=_positive_or_none)
    """Seconds to wait for the first piece of a response, and between two pieces."""
    total: float | None = field(default=300.0, validator=_positive_or_none)
    """Seconds for the whole call: queueing, attempts and pauses between them."""

    @classmethod
    def of(cls, value: Timeout | float | None) -> Timeout:
        """Read a timeout as users give it: a number is the total, `None` is no total."""
        if isinstance(value, Timeout):
            return value
        return cls(total=value)


@frozen
class Retry:
    """When to send a request again.

    A request that must not be repeated (POST, PATCH) is sent again only where it surely was
    not carried out: the connection was not made, the response was 429, or 503 with
    Retry-After.
    """

    attempts: int = field(default=4, validator=_at_least(1))
    """Requests for one call at most, the first included; 1 switches retries off."""
    initial_delay: float = field(default=0.5, validator=_positive)
    """Seconds before the second attempt; doubled for each further one, with full jitter."""
    max_delay: float = field(default=20.0, validator=_positive)
    """Longest pause in seconds that the client picks by itself."""
    max_retry_after: float = field(default=120.0, validator=_positive)
    """Longest Retry-After in seconds that is waited for; a longer one ends the call."""
    budget: float = field(default=0.1, validator=_at_least_zero)
    """Retries allowed for each call on average over the client, beyond a small reserve.
    Repeats that the service asks for (429, and 503 with Retry-After) do not count."""


@frozen(init=False)
class Pool:
    """The connections of a client."""

    limit: int = field(default=100, validator=_at_least(1))
    """Largest number of connections open at once."""
    keepalive: float = field(default=4.0, validator=_positive)
    """Seconds an idle connection is kept. The gateway closes its own after 5 s, so a longer
    time makes requests run into closed connections."""
    trust_env: bool = field(default=False, validator=_truth_value)
    """Take proxies from HTTP_PROXY, HTTPS_PROXY and NO_PROXY."""
    proxy: Secret | None = field(default=None, repr=False, validator=_proxy_or_none)
    """URL of the proxy that all calls go through, with user and password if it asks for them.
    It comes before those of the environment. It is given as a `str`, and held so that nothing shows
    it."""
    ssl: SSLContext | None = field(default=None, validator=_context_or_none)
    """How servers are verified. Left out, against the system's certificate authorities, or
    those of SSL_CERT_FILE; `ssl.create_default_context(cafile=...)` adds one of your own."""
    max_body: int = field(default=1 << 30, validator=_at_least(1))
    """Largest response that is read into memory, in bytes after decompression; a larger one is
    a `ResponseTooLargeError`. Applies to a borrowed session and to the jobs of bulk runs too, but
    not to downloads that are saved to a file while they arrive."""

    def __init__(  # by hand: in one that attrs wrote, a traceback would show the proxy's password
        self,
        limit: int = 100,
        keepalive: float = 4.0,
        trust_env: bool = False,  # noqa: FBT002 - a setting like the others
        proxy: str | Secret | None = None,
        ssl: SSLContext | None = None,
        max_body: int = 1 << 30,
    ) -> None:
        held = hold(proxy)
        del proxy
        given = {"limit": limit, "keepalive": keepalive, "trust_env": trust_env, "proxy": held}
        for name, value in {**given, "ssl": ssl, "max_body": max_body}.items():
            object.__setattr__(self, name, value)
        validate(self)


@frozen
class Reconnect:
    """How a chat is resumed whose connection was lost.

    The first try waits `initial_delay` seconds and up to `jitter` more, at random, so that clients
    that were cut off together do not come back together; later ones wait longer. The
    defaults are those of Hume's own clients.
    """

    attempts: int = field(default=30, validator=_at_least(1))
    """Tries in a row; counted anew after a connection that held for `min_uptime` seconds."""
    initial_delay: float = field(default=1.0, validator=_positive)
    """Seconds before the first try at least."""
    jitter: float = field(default=4.0, validator=_at_least_zero)
    """Seconds of jitter on top of that."""
    growth: float = field(default=1.3, validator=_positive)
    """Factor from one pause to the next."""
    max_delay: float = field(default=10.0, validator=_positive)
    """Seconds of a pause at most."""
    min_uptime: float = field(default=5.0, validator=_at_least_zero)
    """Seconds after which a connection counts as a good one."""


@frozen
class Polling:
    """How often waits ask for the state of jobs.

    The pause between two rounds is a quarter of the time waited so far, within these bounds,
    with a fifth of jitter.
    """

    min_interval: float = field(default=1.0, validator=_positive)
    """Seconds between the first rounds."""
    max_interval: float = field(default=15.0, validator=_not_below_min_interval)
    """Seconds between the last rounds."""
