"""When a lost socket is opened anew, as pure decisions for all products with sockets.

Hume's own clients set the rule: some close codes mean that the server went away and will be
back, all others that the session is over. Nothing here sleeps, opens or closes.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import cast

from humeai_async.errors import HumeError, InvalidArgumentError, RateLimitWaitError
from humeai_async.http.retry import Trouble, grown, trouble_of
from humeai_async.http.transport.websocket import LOST, Closed
from humeai_async.settings import Reconnect

PASSING = frozenset({1001, LOST, 1011, 1012, 1013})
"""Close codes of a server that goes away, fails, restarts or is overloaded, or of a connection
that was lost."""

NAMES = {
    1001: "the server went away",
    1002: "protocol error",
    1003: "unsupported data",
    LOST: "the connection was lost",
    1007: "a text was not UTF-8",
    1008: "policy violation",
    1009: "message too big",
    1010: "extension missing",
    1011: "internal error of the server",
    1012: "the server restarts",
    1013: "the server is overloaded",
    1014: "bad gateway",
}
"""What close codes mean (RFC 6455 and the IANA registry)."""


def read_reconnect(reconnect: bool | Reconnect) -> Reconnect | None:
    """Read the argument that says whether, or how, a lost socket is opened anew.

    Raises:
        InvalidArgumentError: It is neither a `Reconnect` nor a truth value.
    """
    if isinstance(reconnect, bool):
        return Reconnect() if reconnect else None
    if isinstance(cast("object", reconnect), Reconnect):
        return reconnect
    kind = type(reconnect).__name__
    raise InvalidArgumentError(
        f"reconnect must be a Reconnect, True or False, not {kind}", field="reconnect"
    )


def may_resume(code: int) -> bool:
    """Say whether what hung on a socket that closed with this code may be resumed."""
    return code in PASSING


def may_try_again(failure: HumeError) -> bool:
    """Say whether a resumption that failed this way may be tried again."""
    if isinstance(failure, RateLimitWaitError):  # longer than anybody listens
        return False
    return trouble_of(failure) in {Trouble.QUOTA, Trouble.SERVICE}


def pause_before(
    reconnect: Reconnect, tries: int, *, jitter: Callable[[], float] = random.random
) -> float | None:
    """Say how long to wait before the next try.

    Args:
        reconnect: The settings.
        tries: Tries made in a row so far.
        jitter: Source of random numbers from 0 to 1.

    Returns:
        Seconds, or `None` if no try is left.
    """
    if tries >= reconnect.attempts:
        return None
    first = reconnect.initial_delay + reconnect.jitter * jitter()
    return grown(first, reconnect.growth, tries, reconnect.max_delay)


def describe(closed: Closed) -> str:
    """Write the end of a socket as a phrase such as `code 1008, policy violation`."""
    name = NAMES.get(closed.code, "")
    reason = closed.reason if closed.reason != name else ""
    return ", ".join(part for part in (f"code {closed.code}", name, reason) if part)
