"""How many calls the headers of the last response leave to spend.

Pure sums; the headers are read by `headers.py` and the pacer asks before each call.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from humeai_async.limiter.estimator import LONGEST_WINDOW
from humeai_async.limiter.headers import Quota

TOO_MANY_REQUESTS: Final = 429
_AMPLE: Final = 0.25
_SOME: Final = 0.05

_FALSE: Final = 2
"""Calls let in although nothing was left, after which remaining numbers are not believed."""
_TRUE_RESETS: Final = 8
"""Resets that are obeyed after one was found true, until the next is tried."""
_WHOLE_SECOND: Final = 1.0
"""Seconds; most services write whole ones."""


class Credit:
    """What the headers of the last response leave to spend."""

    __slots__ = (
        "_false", "_had_some", "_is_refuted", "_limit", "_none_until", "_resets_met", "left",
        "policy", "used_up",
    )  # fmt: skip

    def __init__(self) -> None:
        """Begin without headers, which is credit without end."""
        self.policy: tuple[float, float] | None = None
        """Calls and seconds of the strictest window that the service names."""
        self.used_up: bool = False
        """Whether the last response was the first to leave nothing after some that did."""
        self._had_some = True
        self.left: float = math.inf
        """Cost of the calls that would surely be let in; the pacer counts those on their way."""
        self._limit = math.inf
        self._is_refuted = False
        self._false = 0
        self._none_until = (math.inf, -math.inf)
        self._resets_met = 1

    @property
    def is_known(self) -> bool:
        """Whether the service tells how much is left."""
        return self.left < math.inf

    @property
    def is_ample(self) -> bool:
        """Whether the headers say that more than a quarter is left."""
        return _AMPLE * self._limit < self.left < math.inf

    @property
    def has_some(self) -> bool:
        """Whether the headers say that more than a twentieth is left."""
        return _SOME * self._limit < self.left < math.inf

    def believes_reset(self, seconds: float, window: float | None) -> bool:
        """Whether everybody waits for a reset: the first one, and after one was found true."""
        longest = LONGEST_WINDOW if window is None else window + _WHOLE_SECOND
        return self._resets_met > 0 and seconds <= longest

    def obeyed(self) -> None:
        """Note that nobody tried before a reset: it was not found true or false."""
        self._resets_met -= 1

    def accepted(self, now: float, sent: float) -> None:
        """Take in that a call was let in: there was something left, whatever was said."""
        since, until = self._none_until
        if since < sent and now < until:
            self._false += 1
            if self._false >= _FALSE:
                self._refute()

    def opened(self, told: float, earliest: float, latest: float) -> None:
        """Compare the time of opening with the one that the headers told."""
        if latest < told - _WHOLE_SECOND:
            self._resets_met = -1_000_000
        elif earliest - _WHOLE_SECOND < told:
            self._resets_met = _TRUE_RESETS

    def _refute(self) -> None:
        """Believe no remaining number any more."""
        self._is_refuted = True
        self.used_up = False
        self.left = self._limit = math.inf

    def shift(self, seconds: float) -> None:
        """Move to a clock that shows this many seconds more."""
        self._none_until = (self._none_until[0] + seconds, self._none_until[1] + seconds)

    def read(
        self, quotas: Sequence[Quota], in_flight: int, now: float, status: int = 200
    ) -> float | None:
        """Take in what a response says; return the seconds to the reset of the tightest quota."""
        known = [quota for quota in quotas if quota.remaining is not None]
        paced = [
            (quota.limit, quota.window)
            for quota in quotas
            if quota.limit and quota.window and quota.window <= LONGEST_WINDOW
        ]
        if paced:
            self.policy = min(paced, key=lambda pair: pair[0] / pair[1])
        if not known or self._is_refuted:
            return None
        tightest = min(known, key=lambda quota: quota.remaining or 0.0)
        remaining = tightest.remaining or 0.0
        if status == TOO_MANY_REQUESTS and remaining >= 1.0:
            self._refute()  # it is not this quota that refused the call
            return None
        self.used_up = remaining < 1.0 and self._had_some
        # A bucket that runs on empty says so in every response, which is no news.
        self._had_some = remaining >= 2.0 or (self._had_some and remaining >= 1.0)  # noqa: PLR2004 - calls
        if remaining >= 1.0:
            self._none_until = (math.inf, -math.inf)
        elif now >= self._none_until[1] and tightest.reset is not None:
            self._none_until = (now, now + tightest.reset)
        # Whole seconds: for a bucket that fills in less, "0 left, 0 seconds" says nothing.
        says = remaining >= 1.0 or tightest.reset is None or tightest.reset > 0.0
        self.left = remaining - in_flight if says else math.inf
        self._limit = tightest.limit or math.inf
        return tightest.reset
