"""How many calls the headers of the last answer leave to spend.

Pure sums; the headers are read by `headers.py` and the pacer asks before each call.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from humeai_async.limiter.estimator import LONGEST_WINDOW
from humeai_async.limiter.headers import Quota

_AMPLE: Final = 0.25
_SOME: Final = 0.05
_LOW: Final = 0.03
"""Share of the limit; with less left, the rate is as high as it can be."""


class Credit:
    """What the headers of the last answer leave to spend."""

    __slots__ = (
        "_epoch",
        "_had_some",
        "_limit",
        "_low",
        "_low_before",
        "_memory",
        "left",
        "policy",
        "used_up",
    )

    def __init__(self, now: float) -> None:
        """Begin without headers, which is credit without end."""
        self.policy: tuple[float, float] | None = None
        """Calls and seconds of the strictest window that the service names."""
        self.used_up: bool = False
        """Whether the last answer was the first to leave nothing after some that did."""
        self._memory = 2.0
        self._had_some = True
        self.left: float = math.inf
        """Cost of the calls that would surely be let in; the pacer counts those on their way."""
        self._limit = math.inf
        self._low = self._low_before = math.inf
        self._epoch = now

    @property
    def is_low(self) -> bool:
        """Whether less than three hundredths were left at some time lately."""
        return min(self._low, self._low_before) < _LOW * self._limit < math.inf

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

    def restart(self, now: float, memory: float) -> None:
        """Forget how low the credit was, as after each opening of the quota."""
        self._epoch = now
        self._memory = memory
        self._low = self._low_before = math.inf

    def read(self, quotas: Sequence[Quota], in_flight: int, now: float) -> float | None:
        """Take in what an answer says; return the seconds to the reset of the tightest quota."""
        known = [quota for quota in quotas if quota.remaining is not None]
        paced = [
            (quota.limit, quota.window)
            for quota in quotas
            if quota.limit and quota.window and quota.window <= LONGEST_WINDOW
        ]
        if paced:
            self.policy = min(paced, key=lambda pair: pair[0] / pair[1])
        if not known:
            return None
        tightest = min(known, key=lambda quota: quota.remaining or 0.0)
        remaining = tightest.remaining or 0.0
        self.used_up = remaining < 1.0 and self._had_some
        # A bucket that runs on empty says so in every answer, which is no news.
        self._had_some = remaining >= 2.0 or (self._had_some and remaining >= 1.0)  # noqa: PLR2004 - calls
        self.left = remaining - in_flight
        self._limit = tightest.limit or math.inf
        if now - self._epoch > self._memory:
            self._epoch, self._low_before, self._low = now, self._low, remaining
        self._low = min(self._low, remaining)
        return tightest.reset
