"""When to send a request again, as pure decisions: the one rule of the whole library.

`decide` looks at one failure and says after how many seconds to go again, or not at all;
`is_transient` says whether a failure may be over by the next try, for whoever tries in its own
rhythm. `RetryBudget` keeps an outage from multiplying the traffic. None of them sleeps or sends:
calls (`session.py`), downloads, bulk runs, polls and chats ask here.
"""

from __future__ import annotations

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
"""Seconds for which a call without a total timeout goes on being answered 429."""
_SEE_ELSEWHERE = frozenset({302, 303})
"""How servers answer a form that they took: the page to look at next is another one."""
_TRANSIENT = frozenset({408, 500, 502, SERVICE_UNAVAILABLE, 504})


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
    if retry.attempts == 1 or attempt >= retry.attempts:
        return None
    if not _may_go_again(failure, repeatable=repeatable):
        return None
    if failure.retry_after is not None and failure.retry_after > retry.max_retry_after:
        return None
    if failure.status == TOO_MANY_REQUESTS:
        return 0.0
    if failure.retry_after is not None:
        return failure.retry_after
    # Full jitter spreads clients that failed together; half of it is kept so that a pause is
    # never no pause.
    longest = min(retry.max_delay, retry.initial_delay * 2.0 ** min(attempt - 1, 30))
    return longest * (0.5 + 0.5 * jitter())


def is_transient(failure: HumeError) -> bool:
    """Whether a failure may be over by the next try, whatever was asked for."""
    if isinstance(failure, RateLimitWaitError) or failure.status == TOO_MANY_REQUESTS:
        return True
    return _may_go_again(failure, repeatable=True)


def is_paced(failure: HumeError) -> bool:
    """Whether the service asks for a pause, and says with it that nothing was carried out."""
    asks_for_time = failure.status == SERVICE_UNAVAILABLE and failure.retry_after is not None
    return failure.status == TOO_MANY_REQUESTS or asks_for_time


def _may_go_again(failure: HumeError, *, repeatable: bool) -> bool:
    if isinstance(failure, APIConnectionError):
        is_in_doubt = failure.outcome_unknown and not repeatable
        return not (is_in_doubt or isinstance(failure, TLSError))
    if isinstance(failure, DecodeError):
        # One of another form would come again.
        return repeatable and not failure.is_whole
    if isinstance(failure, APIStatusError):
        return is_paced(failure) or (repeatable and failure.status in _TRANSIENT)
    return False


def delivery_of(failure: HumeError) -> Delivery:
    """Say what a failed attempt leaves known of its request."""
    if isinstance(failure, APIStatusError) and failure.status is not None:
        return delivery_by_status(failure.status, failure.retry_after)
    if failure.outcome_unknown or isinstance(failure, DecodeError):
        # A response that cannot be read was a success all the same.
        return Delivery.UNKNOWN
    return Delivery.NOT_SENT


def delivery_by_status(status: int, retry_after: float | None) -> Delivery:
    """Say what a response with an error status leaves known of its request."""
    if status == SERVICE_UNAVAILABLE and retry_after is not None:
        return Delivery.ANSWERED
    is_unclear = status >= 500 or status == 408 or status < 200  # noqa: PLR2004 - the classes of HTTP
    is_unclear = is_unclear or status in _SEE_ELSEWHERE
    return Delivery.UNKNOWN if is_unclear else Delivery.ANSWERED


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
        """Count one call."""
        self._balance = min(self.RESERVE, self._balance + self._earned)

    def spend(self) -> bool:
        """Take one retry, if there is one."""
        if self._balance < 1.0:
            return False
        self._balance -= 1.0
        return True
