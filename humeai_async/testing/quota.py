"""A quota that responds with 429, in the shapes and with the hints that services use.

The upstream application calls it once for each request, before doing any work; it lets the request
through or returns how long to wait. It knows nothing of HTTP but the headers it hands out.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Collection
from email.utils import formatdate
from typing import Literal, TypeAlias

from attrs import field, frozen

Shape: TypeAlias = Literal["token", "fixed", "sliding"]
"""`token`: a bucket that fills evenly. `fixed`: a count that starts anew at full windows.
`sliding`: a count over the last window at any moment."""

Hint: TypeAlias = Literal[
    "retry-after", "retry-after-ms", "retry-after-date",
    "ratelimit", "ratelimit-policy", "x-ratelimit", "silent",
]  # fmt: skip
"""What the responses state about it.

`retry-after` (whole seconds), `retry-after-ms` (milliseconds) and `retry-after-date` (an
HTTP date) stand on 429s alone. `ratelimit` (`RateLimit-Limit`, `-Remaining` and `-Reset` in
seconds), `ratelimit-policy` (the newer `RateLimit` and `RateLimit-Policy`) and `x-ratelimit`
(`X-RateLimit-*`, reset in epoch seconds) stand on every response.
"""


@frozen
class Verdict:
    """What a quota says to one request."""

    allowed: bool
    wait: float
    """Seconds until one request would be allowed; 0 if this one is."""
    headers: dict[str, str] = field(factory=dict[str, str])


class Quota:
    """At most `rate` requests in `per` seconds."""

    def __init__(
        self,
        rate: float,
        per: float = 1.0,
        *,
        burst: int | None = None,
        shape: Shape = "token",
        hints: Hint | Collection[Hint] = "retry-after",
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Make a full quota.

        Args:
            rate: Requests in each `per`; above 0. May be set anew at any time.
            per: Length of the window in seconds; above 0.
            burst: Size of a token bucket; `rate` if left out. The other shapes have none.
            shape: How requests are counted.
            hints: What responses state about it.
            clock: Monotonic seconds.
            wall: Epoch seconds, for the hints that are points in time.

        Raises:
            ValueError: `rate` or `per` is not positive.
        """
        if not (rate > 0 and per > 0):
            raise ValueError("rate and per must be positive")
        self.rate = rate
        self.per = per
        self.burst = burst
        self.shape: Shape = shape
        self.hints: frozenset[Hint] = frozenset([hints] if isinstance(hints, str) else hints)
        self.asked: int = 0
        """Requests seen."""
        self.refused: int = 0
        """Requests that got status 429."""
        self._clock = clock
        self._wall = wall
        self._tokens = self._size()
        self._filled = clock()
        self._window = -math.inf
        self._used = 0
        self._seen: deque[float] = deque()

    def take(self) -> Verdict:
        """Ask for one request."""
        now = self._clock()
        self.asked += 1
        left, wait = {"token": self._token, "fixed": self._fixed, "sliding": self._sliding}[
            self.shape
        ](now)
        if wait > 0:
            self.refused += 1
        return Verdict(wait <= 0, wait, self._headers(left, wait, now))

    def _size(self) -> float:
        return float(max(1, self.burst if self.burst is not None else self.rate))

    def _token(self, now: float) -> tuple[float, float]:
        speed = self.rate / self.per
        self._tokens = min(self._size(), self._tokens + (now - self._filled) * speed)
        self._filled = now
        # A hair of tolerance, so that a client that waits exactly as long as requested gets in.
        if self._tokens < 1.0 - 1e-9:
            return self._tokens, (1.0 - self._tokens) / speed
        self._tokens -= 1.0
        return self._tokens, 0.0

    def _fixed(self, now: float) -> tuple[float, float]:
        window = math.floor(now / self.per) * self.per
        if window != self._window:
            self._window, self._used = window, 0
        if self._used >= self.rate:
            return 0.0, max(window + self.per - now, 1e-6)
        self._used += 1
        return self.rate - self._used, 0.0

    def _sliding(self, now: float) -> tuple[float, float]:
        while self._seen and self._seen[0] <= now - self.per:
            self._seen.popleft()
        if len(self._seen) >= self.rate:
            return 0.0, max(self._seen[0] + self.per - now, 1e-6)
        self._seen.append(now)
        return self.rate - len(self._seen), 0.0

    def _reset(self, now: float) -> float:
        """Return the seconds until the quota is as full as it gets, as far as it says."""
        if self.shape == "token":
            return (self._size() - self._tokens) * self.per / self.rate
        if self.shape == "fixed":
            return self._window + self.per - now
        return self._seen[0] + self.per - now if self._seen else 0.0

    def _headers(self, left: float, wait: float, now: float) -> dict[str, str]:
        headers: dict[str, str] = {}
        if wait > 0:
            headers.update(self._retry_after(wait))
        remaining = str(max(0, math.floor(left)))
        limit = str(math.floor(self._size() if self.shape == "token" else self.rate))
        reset = max(0, math.ceil(self._reset(now)))
        if "ratelimit" in self.hints:
            headers["RateLimit-Limit"] = limit
            headers["RateLimit-Remaining"] = remaining
            headers["RateLimit-Reset"] = str(reset)
        if "ratelimit-policy" in self.hints:
            headers["RateLimit-Policy"] = f'"default";q={limit};w={math.ceil(self.per)}'
            headers["RateLimit"] = f'"default";r={remaining};t={reset}'
        if "x-ratelimit" in self.hints:
            headers["X-RateLimit-Limit"] = limit
            headers["X-RateLimit-Remaining"] = remaining
            headers["X-RateLimit-Reset"] = str(math.ceil(self._wall() + self._reset(now)))
        return headers

    def _retry_after(self, wait: float) -> dict[str, str]:
        headers: dict[str, str] = {}
        if "retry-after" in self.hints:
            headers["Retry-After"] = str(math.ceil(wait))
        if "retry-after-ms" in self.hints:
            headers["retry-after-ms"] = str(math.ceil(wait * 1000))
        if "retry-after-date" in self.hints:
            headers["Retry-After"] = formatdate(math.ceil(self._wall() + wait), usegmt=True)
        return headers
