"""When a chat whose connection ended is resumed, as pure decisions.

Hume's own clients set the rule: some close codes mean that the server went away and will be
back, all others that the chat is over. Nothing here sleeps, opens or closes:
`connections.py` calls these functions and acts on what they return.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

from humeai_async.errors import HumeError, RateLimitWaitError
from humeai_async.http.retry import Trouble, grown, trouble_of
from humeai_async.http.transport.websocket import LOST, NO_CODE, NORMAL, Closed
from humeai_async.settings import Reconnect
from humeai_async.types.chat_settings import ContextType
from humeai_async.types.json import is_object

CLEAN = frozenset({NORMAL, NO_CODE})
"""Close codes of a chat that ended in good order."""

PASSING = frozenset({1001, LOST, 1011, 1012, 1013})
"""Close codes of a server that goes away, fails, restarts or is overloaded, or of a connection
that was lost."""

ENDINGS = frozenset({"E0714", "E0715", "I0116"})
"""Codes of the error events that end a chat: nobody spoke, it lasted too long, its
transcription failed. The socket then closes with code 1000."""

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


def may_resume(code: int) -> bool:
    """Say whether a chat whose socket closed with this code may be resumed."""
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
        reconnect: The chat's settings.
        tries: Tries made in a row so far.
        jitter: Source of random numbers from 0 to 1.

    Returns:
        Seconds, or `None` if no try is left.
    """
    if tries >= reconnect.attempts:
        return None
    first = reconnect.initial_delay + reconnect.jitter * jitter()
    return grown(first, reconnect.growth, tries, reconnect.max_delay)


def remember(kept: Mapping[str, Any], sent: Mapping[str, Any]) -> dict[str, Any]:
    """Merge session settings into those that a resumed chat will begin with.

    Args:
        kept: What earlier messages set.
        sent: The message that goes out now.

    Returns:
        What is set after it; a context that is for one message only is left out.
    """
    later = {name: value for name, value in sent.items() if name != "type"}
    context = later.get("context")
    if is_object(context) and context.get("type") in {None, ContextType.TEMPORARY}:
        del later["context"]
    return {**kept, **later}


def describe(closed: Closed) -> str:
    """Write the end of a socket as a phrase such as `code 1008, policy violation`."""
    name = NAMES.get(closed.code, "")
    reason = closed.reason if closed.reason != name else ""
    return ", ".join(part for part in (f"code {closed.code}", name, reason) if part)
