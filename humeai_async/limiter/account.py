"""What headers say of a quota: hypotheses, each dropped as soon as responses refute it.

A remaining number counts down to nothing and is then as good as a refusal, without its price. It
is taken for another quota's, or for a stale one, if a call is refused while it is above 0, and
for false if it would hold calls back for longer than a second, or four round trips. A reset says
no more than when to try again, and a policy only which rate near the measure it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from humeai_async.limiter.headers import Quota

_BRAKE: Final = 1.0
"""Seconds for which a remaining number of 0 holds calls back, or four round trips. Headers on all
responses."""
_SOME: Final = 2.0
_SOME_SHARE: Final = 0.25
"""Calls left, and their share of the limit, from which a fall to 0 is news: a small bucket is at
0 every other call."""


class Account:
    """How many calls the service says are left, and when there are more."""

    __slots__ = ("_braked_at", "_had_some", "_is_refuted", "left", "policy", "reset", "used_up")

    def __init__(self) -> None:
        """Begin without headers."""
        self.left: float = math.inf
        """Calls that may still be sent; those in flight are taken off."""
        self.policy: tuple[float, float] | None = None
        """Calls and seconds of the window that the service names."""
        self.reset: float | None = None
        """Seconds until more are left, by the last response."""
        self.used_up: bool = False
        """Whether the last response was the first to leave nothing after some that did."""
        self._had_some = self._is_refuted = False
        self._braked_at = math.inf

    def read(self, quotas: Sequence[Quota], in_flight: int, *, is_refused: bool) -> None:
        """Take in the headers of a response.

        Args:
            quotas: What they say.
            in_flight: Calls that are on their way.
            is_refused: Whether the call was refused.
        """
        for quota in quotas:
            if quota.limit and quota.window:
                self.policy = quota.limit, quota.window
        self.used_up, self.reset = False, None
        known = [one for one in quotas if one.remaining is not None]
        if not known or self._is_refuted:
            return
        tightest = min(known, key=lambda one: one.remaining or 0.0)
        remaining = tightest.remaining or 0.0
        if is_refused and remaining >= 1.0:
            self.refute()
            return
        self.left = remaining - in_flight
        self.reset = tightest.reset
        self.used_up = remaining < 1.0 and self._had_some
        some = max(_SOME, _SOME_SHARE * (tightest.limit or 0.0))
        self._had_some = remaining >= some or (self._had_some and remaining >= 1.0)
        if self.left >= _SOME:
            self._braked_at = math.inf

    def refute(self) -> None:
        """Believe no remaining number any more."""
        self._is_refuted = True
        self.reopen()

    def reopen(self) -> None:
        """Forget what was left: the quota opened again."""
        self.left = self._braked_at = math.inf
        self.used_up = self._had_some = False

    def hold(self, now: float, cost: float, round_trip: float) -> float:
        """Return the seconds for which calls wait for responses that leave more."""
        if self.left >= cost:
            return 0.0
        self._braked_at = min(self._braked_at, now)
        wait = self._braked_at + max(_BRAKE, 4 * round_trip) - now
        if wait <= 0.0:
            self.refute()
        return max(wait, 0.0)

    def shift(self, seconds: float) -> None:
        """Move to a clock that shows this many seconds more."""
        self._braked_at += seconds
