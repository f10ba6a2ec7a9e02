"""How services tell of their quotas in headers: truly, roughly, or not at all."""

from __future__ import annotations

import math
from collections import deque
from email.utils import formatdate
from typing import Literal, TypeAlias

from attrs import define, field
from zoo.quotas import Quota

EPOCH = 1_700_000_000.0
"""Seconds since 1970 when the clock of the zoo shows 0."""
STALE = 1.0
"""Seconds by which a late remaining number is late."""
FOREIGN = 100_000
"""Requests of another quota, of which the remaining number tells."""

FOREIGN_WINDOW = 1800.0
"""Seconds."""

Family: TypeAlias = Literal[
    "none", "retry-after", "draft-7", "draft-8", "x-ratelimit", "x-rate-limit"
]
Reset: TypeAlias = Literal["left", "window", "full", "epoch", "ms"]
Rounding: TypeAlias = Literal["exact", "up", "down", "half", "constant"]
Remaining: TypeAlias = Literal["own", "other", "late", "zero", "minus-one"]


@define
class Dialect:
    """What one service says of its quota."""

    family: Family
    on_all: bool
    """On all responses, or on refusals only."""
    says_when: bool
    """Whether a refusal has Retry-After, too."""
    reset: Reset
    rounding: Rounding
    remaining: Remaining
    limit: int
    window: float
    _seen: deque[tuple[float, float]] = field(init=False, factory=deque[tuple[float, float]])
    _foreign: int = field(init=False, default=FOREIGN)

    def write(self, quota: Quota, now: float, *, refused: bool) -> dict[str, str]:
        """Return the headers of a response."""
        headers = {"date": formatdate(EPOCH + now, usegmt=True)}
        opens_in = quota.opens_in(now)
        # A refusal while the quota is open is for too many at the same time: until when that
        # lasts no service knows.
        if refused and opens_in and (self.family == "retry-after" or self.says_when):
            headers["retry-after"] = self._rounded(opens_in)
        if self.family in {"none", "retry-after"} or not (refused or self.on_all):
            return headers
        remaining, reset = str(self._remaining(quota, now)), self._reset(quota, now)
        if self.family == "draft-7":
            headers["ratelimit-policy"] = f"{self.limit};w={math.ceil(self.window)}"
            headers["ratelimit"] = f"limit={self.limit}, remaining={remaining}, reset={reset}"
        elif self.family == "draft-8":
            headers["ratelimit-policy"] = f'"default";q={self.limit};w={math.ceil(self.window)}'
            headers["ratelimit"] = f'"default";r={remaining};t={reset}'
        else:
            headers[f"{self.family}-limit"] = str(self.limit)
            headers[f"{self.family}-remaining"] = remaining
            headers[f"{self.family}-reset"] = reset
        return headers

    def _remaining(self, quota: Quota, now: float) -> int:
        left = quota.left(now)
        if self.remaining == "other":
            self._foreign -= 1
            return self._foreign
        if self.remaining == "zero":
            return 0
        if self.remaining == "minus-one":
            return -1
        if self.remaining == "late":
            self._seen.append((now, left))
            while len(self._seen) > 1 and self._seen[1][0] <= now - STALE:
                self._seen.popleft()
            left = self._seen[0][1]
        return int(max(0, left))

    def _reset(self, quota: Quota, now: float) -> str:
        seconds = quota.opens_in(now) or quota.full_in(now)
        if self.reset == "full":
            seconds = quota.full_in(now)
        elif self.reset == "window":
            seconds = self.window
        if self.remaining == "other":
            seconds = FOREIGN_WINDOW - now % FOREIGN_WINDOW
        if self.reset == "ms":
            return str(math.ceil(seconds * 1000))
        if self.reset == "epoch":
            return str(math.ceil(EPOCH + now + seconds))
        return self._rounded(seconds)

    def _rounded(self, seconds: float) -> str:
        if self.rounding == "exact":
            return f"{seconds:.3f}"
        if self.rounding == "constant":
            return str(math.ceil(self.window))
        if self.rounding == "half":
            return str(round(seconds))
        return str(math.ceil(seconds) if self.rounding == "up" else math.floor(seconds))
