"""Finds out whether a service limits the calls in flight instead of calls a second.

Such a quota opens whenever a call ends, and closes at the same number in flight whatever the
pace. Pure counting; the pacer reports contacts and responses, and asks how many may be out.
"""

from __future__ import annotations

import math
from typing import Final

_SUSPECT: Final = 3
"""Contacts in a row at the same number in flight that make a suspicion."""
_ALIKE: Final = 0.2
_LOOK_AFTER: Final = 5.0
"""Seconds at the limit before one more in flight is tried."""
_DOUBT_FOR: Final = 30.0
"""Seconds without a second suspicion after a false one; doubled each time."""


class Concurrency:
    """A limit of calls in flight: not suspected, on trial, or found."""

    __slots__ = ("_alike", "_level", "_not_before", "_raised_at", "_wrong", "limit")

    def __init__(self) -> None:
        self.limit: float = math.inf
        """Calls in flight at most; infinite while there is no suspicion."""
        self._level = 0
        self._alike = 0
        self._not_before = -math.inf
        self._wrong = 0
        self._raised_at = 0.0

    def contact(self, now: float, in_flight: int, *, at_once: bool) -> bool:
        """Take in a closing of the quota; say whether it speaks of a limit in flight.

        Args:
            now: The time, in seconds.
            in_flight: Calls that were out besides the refused one.
            at_once: Whether the quota opened for the first call that tried again.
        """
        if self.limit != math.inf:
            if at_once and in_flight >= self.limit * (1 - _ALIKE):
                # As expected: the limit itself, met by looking upward or by chance.
                self.limit = min(self.limit, in_flight)
                self._raised_at = now
                return True
            self.limit = math.inf
            self._wrong += 1
            self._not_before = now + _DOUBT_FOR * 2 ** min(self._wrong - 1, 10)
            self._alike = 0
            return False
        alike = self._level and abs(in_flight - self._level) <= max(1, _ALIKE * self._level)
        self._alike = self._alike + 1 if at_once and in_flight >= 2 and alike else int(at_once)  # noqa: PLR2004 - one in flight is no pattern
        self._level = in_flight
        if self._alike < _SUSPECT or now < self._not_before:
            return False
        self.limit = in_flight
        self._raised_at = now
        return True

    def used(self, now: float, in_flight: int) -> None:
        """Take in a good response: after a while at the limit, one more is tried."""
        if in_flight + 1 >= self.limit and now - self._raised_at > _LOOK_AFTER:
            self.limit += max(1, self.limit // 20)
            self._raised_at = now

    def shift(self, seconds: float) -> None:
        """Move to a clock that shows this many seconds more."""
        self._not_before += seconds
        self._raised_at += seconds
