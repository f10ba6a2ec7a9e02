"""When a lost socket is opened anew, for all products with sockets.

Hume's own clients set the rule: some close codes mean that the server went away and will be
back, all others that the session is over. How it is opened, the products know.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import cast

import anyio
from attrs import evolve

from humeai_async.errors import HumeError, InvalidArgumentError, RateLimitWaitError
from humeai_async.http.retry import Trouble, grown, trouble_of
from humeai_async.http.session import Session
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


class Reconnection:
    """The tries to resume on a new connection, counted over all connections of one conversation.

    Args:
        policy: When and how often; `None` for never.
        session: Opens the connections.
    """

    def __init__(self, policy: Reconnect | None, session: Session) -> None:
        self.is_wanted: bool = policy is not None
        self.opened_at: float | None = None
        """When the last connection was opened."""
        self.tries: int = 0
        """Tries since a connection that held for a while."""
        self.cause: HumeError | None = None
        """Why the last one failed, if it did."""
        self._policy = policy or Reconnect()
        self._session = session

    def note_opened(self) -> None:
        """Note that there is a connection."""
        self.opened_at = anyio.current_time()

    def note_lost(self) -> None:
        """Count anew after a connection that held."""
        held = 0.0 if self.opened_at is None else anyio.current_time() - self.opened_at
        if held >= self._policy.min_uptime:
            self.tries = 0

    async def resume(
        self,
        pause: Callable[[float], Awaitable[None]],
        reopen: Callable[[Session], Awaitable[None]],
    ) -> str | None:
        """Try until there is a connection, or no use in a further try.

        Args:
            pause: Waits for so many seconds.
            reopen: Opens a connection with a session that makes one attempt.

        Returns:
            Why there is none; `None` where there is one.
        """
        once = self._session.with_settings(retry=evolve(self._session.retry, attempts=1))
        while (seconds := pause_before(self._policy, self.tries)) is not None:
            self.tries += 1
            try:
                await pause(seconds)
                await reopen(once)
            except HumeError as problem:
                self.cause = problem
                if not may_try_again(problem):
                    return "resuming it was refused"
            else:
                self.cause = None
                return None
        return f"not resumed in {self.tries} tries"


def describe(closed: Closed) -> str:
    """Write the end of a socket as a phrase such as `code 1008, policy violation`."""
    name = NAMES.get(closed.code, "")
    reason = closed.reason if closed.reason != name else ""
    return ", ".join(part for part in (f"code {closed.code}", name, reason) if part)
