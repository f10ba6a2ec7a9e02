"""When to try again, as pure decisions: the one rule of the whole library.

Everything that tries again asks two questions here. `trouble_of`: is a failure a reason to try
again at all, and what has to pass first? `grown`: how long is the pause before the next try? For
the requests of a call `decide` puts the two together with the client's settings, and with what is
known of a request that must not be carried out twice. `RetryBudget` keeps an outage from
multiplying the traffic. Nothing here sleeps or sends: calls (`session.py`), downloads, bulk runs,
polls and chats ask.
"""

from __future__ import annotations

import enum
import random
from collections.abc import Callable
from http import HTTPStatus

from humeai_async.errors import (
    APIConnectionError,
    APIStatusError,
    DecodeError,
    HumeError,
    RateLimitWaitError,
    TLSError,
)
from humeai_async.http.messages import Delivery
from humeai_async.settings import Retry

TOO_MANY_REQUESTS = HTTPStatus.TOO_MANY_REQUESTS.value
SERVICE_UNAVAILABLE = HTTPStatus.SERVICE_UNAVAILABLE.value
LONGEST_REFUSAL = 600.0
"""Seconds for which a call without a total timeout goes on being refused with 429."""
_SERVER_ERRORS = 500
_UNCLEAR = frozenset({302, 303, 408})
"""Statuses that do not say whether a request was carried out. The first two are how servers
respond to a form that they took: the page to look at next is another one."""
_NEVER_SERVED = frozenset({501, 505})
"""Server errors that do not pass: what was asked for does not exist there."""


class Trouble(enum.Enum):
    """What has to pass before a further try can fare better."""

    QUOTA = enum.auto()
    """The quota is used up; nothing was carried out."""
    SERVICE = enum.auto()
    """The service fails, or cannot be reached."""
    RESPONSE = enum.auto()
    """A response could not be read; most of these do not pass."""


def trouble_of(failure: HumeError) -> Trouble | None:
    """Say why a failure may be over by the next try; `None` where it would come again."""
    if isinstance(failure, RateLimitWaitError) or failure.status == TOO_MANY_REQUESTS:
        return Trouble.QUOTA
    if isinstance(failure, APIConnectionError):
        return None if isinstance(failure, TLSError) else Trouble.SERVICE
    if isinstance(failure, DecodeError):
        return Trouble.RESPONSE
    status = (isinstance(failure, APIStatusError) and failure.status) or 0
    is_out = status == HTTPStatus.REQUEST_TIMEOUT or status >= _SERVER_ERRORS
    return Trouble.SERVICE if is_out and status not in _NEVER_SERVED else None


def grown(first: float, growth: float, times: int, most: float) -> float:
    """Return a pause that grows with each try, up to a longest one."""
    # Bounded before the power is taken, which would overflow after some thousand tries.
    return min(most, first * growth ** min(times, 100))


def decide(
    retry: Retry,
    failure: HumeError,
    *,
    attempt: int,
    repeatable: bool,
    jitter: Callable[[], float] = random.random,
) -> float | None:
    """Say whether to send a request again.

    Args:
        retry: The client's settings.
        failure: What went wrong with the last attempt.
        attempt: Number of that attempt, from 1. Whoever waits for as long as it takes does not
            count refusals (429): nothing was carried out.
        repeatable: Whether sending the request twice does what sending it once does.
        jitter: Source of random numbers from 0 to 1.

    Returns:
        Seconds to wait before the next attempt, or `None` to give up. A 429 gives 0: the
        limiter makes everybody wait, this call included.
    """
    requested = failure.retry_after
    if (
        attempt >= retry.attempts
        or retry.attempts == 1
        or (requested is not None and requested > retry.max_retry_after)
        or not _can_go_again(failure, repeatable=repeatable)
    ):
        return None
    if failure.status == TOO_MANY_REQUESTS:
        return 0.0
    if requested is not None:
        return requested
    # Full jitter spreads clients that failed together; half of it is kept so that a pause is
    # never no pause.
    longest = grown(retry.initial_delay, 2.0, attempt - 1, retry.max_delay)
    return longest * (0.5 + 0.5 * jitter())


def _can_go_again(failure: HumeError, *, repeatable: bool) -> bool:
    trouble = trouble_of(failure)
    if trouble is None or isinstance(failure, RateLimitWaitError):  # which knows the deadline
        return False
    if isinstance(failure, DecodeError) and failure.is_whole:  # it would come again
        return False
    return repeatable or delivery_of(failure) is not Delivery.UNKNOWN


def is_paced(failure: HumeError) -> bool:
    """Whether the service asks for a pause, and says with it that nothing was carried out."""
    asks_for_time = failure.status == SERVICE_UNAVAILABLE and failure.retry_after is not None
    return failure.status == TOO_MANY_REQUESTS or asks_for_time


def delivery_of(failure: HumeError) -> Delivery:
    """Say what a failed attempt leaves known of its request."""
    if isinstance(failure, APIStatusError) and failure.status:
        return delivery_by_status(failure.status, failure.retry_after)
    if failure.outcome_unknown or isinstance(failure, DecodeError):
        # A response that cannot be read was a success all the same.
        return Delivery.UNKNOWN
    return Delivery.NOT_SENT


def delivery_by_status(status: int, retry_after: float | None) -> Delivery:
    """Say what a response with an error status leaves known of its request."""
    if status == SERVICE_UNAVAILABLE and retry_after is not None:
        return Delivery.RESPONDED
    is_unclear = status >= _SERVER_ERRORS or status < HTTPStatus.OK or status in _UNCLEAR
    return Delivery.UNKNOWN if is_unclear else Delivery.RESPONDED


class RetryBudget:
    """Retries a client may still make, shared by all its calls.

    Every call earns a fraction of a retry, every retry spends one, and a reserve lets a quiet
    client retry at once. So in an outage requests grow by that fraction, not by the number of
    attempts.
    """

    __slots__ = ("_balance", "_earned")

    RESERVE = 100.0
    """Retries in hand at the start, and at most: a server that starts anew drops all the
    connections of a pool at once."""

    def __init__(self, earned: float) -> None:
        self._earned = earned
        self._balance = self.RESERVE

    def earn(self) -> None:
        """Add what one finished call earns towards retries."""
        if self._balance < self.RESERVE:
            self._balance = min(self.RESERVE, self._balance + self._earned)

    def spend(self) -> bool:
        """Take one retry, if there is one."""
        if self._balance < 1.0:
            return False
        self._balance -= 1.0
        return True
