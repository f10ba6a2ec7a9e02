"""How fast a rate may rise while nothing speaks against it.

Pure sums over times. Growth happens on good responses alone, and only while calls wait: a rate
that nobody uses proves nothing. The pacer asks for the new rate and sets its buckets by it.
"""

from __future__ import annotations

import math
from typing import Final

from humeai_async.limiter.estimator import Evidence
from humeai_async.limiter.remaining import Credit

FASTEST: Final = 1e6
"""Calls a second; no pacing is needed beyond."""

_DOUBLING: Final = 0.25
"""Seconds in which the rate doubles while nothing has been refused."""
_REGROWTH: Final = 0.5
"""The same for a rate that is only known to be too low."""
_MARGIN: Final = 0.985
"""Share of a measured rate that is used until the next look upward."""
_EXACT_MARGIN: Final = 0.995
"""The same where the service names its rate, and how much of it is left."""
_LOOK_AFTER: Final = 1.5
"""Seconds at a well measured rate before the look upward."""
_LOOK_SOON: Final = 0.2
_FIRST_STEP: Final = 0.01
_STEEPNESS: Final = 2.0
_FEWEST_CALLS: Final = 6.0
"""Calls that take the time of one second of growth at least: a quota of one call in ten seconds
would else be left a thousandfold after a single response."""
_FEWEST_CALLS_ROUGH: Final = 2.0
"""The same where the rate is only a lower bound."""
_LEAST: Final = 0.01
"""Seconds between two steps."""
_STEP: Final = 0.1
"""Seconds of growth that one response may bring at most, or the time of two calls."""


class Growth:
    """The time for which a rate has been used to the full, and what follows from it."""

    __slots__ = ("_at", "_seconds", "pressed")

    def __init__(self, now: float) -> None:
        """Begin at the foot."""
        self.pressed: bool = False
        """Whether a call had to wait since the last step."""
        self._at = now
        self._seconds = 0.0

    def restart(self, now: float) -> None:
        """Begin anew at the foot, as after each opening of the quota."""
        self.pressed = False
        self._at = now
        self._seconds = 0.0

    def doubled(self, now: float, rate: float) -> float | None:
        """Return the rate that follows while nothing limits it, or `None` for no change."""
        passed = now - self._at
        if not self.pressed:
            if passed > _STEP:
                self._at = now
            return None
        self.pressed = False
        self._at = now
        return float(min(rate * 2 ** (min(passed, _STEP) / _DOUBLING), FASTEST))

    def crept(self, now: float, rate: float, evidence: Evidence, credit: Credit) -> float | None:
        """Return the rate that follows after a measure, or `None` for no change.

        It stays at the measure for a while, and then leaves it faster and faster.
        """
        passed = now - self._at
        if passed < _LEAST:
            return None
        self._at = now
        if not self.pressed:
            return None
        self.pressed = False
        # A slow quota and a long window are looked at in calls and windows, not in seconds.
        calls = _FEWEST_CALLS_ROUGH if evidence.rough else _FEWEST_CALLS
        unit = max(1.0, calls / rate, 0.0 if evidence.rough else (evidence.window or 0.0) / 4)
        step = min(passed, max(_STEP, 2.0 / rate)) / unit
        self._seconds += step * (2 if credit.is_ample else 1)
        beyond = self._seconds - (_LOOK_AFTER if evidence.sure else _LOOK_SOON)
        share = margin(evidence)
        if evidence.rough:
            share = 2 ** (min(self._seconds, 10.0) / _REGROWTH)
        elif beyond > 0:
            share += _FIRST_STEP * math.expm1(_STEEPNESS * min(beyond, 10.0))
        return min(evidence.rate * share, FASTEST)

    def shift(self, seconds: float) -> None:
        """Move to a clock that shows this many seconds more."""
        self._at += seconds


def margin(evidence: Evidence) -> float:
    """Return the share of a measured rate that is used at first."""
    return _EXACT_MARGIN if evidence.exact else _MARGIN
