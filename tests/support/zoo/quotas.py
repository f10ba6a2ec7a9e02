"""Quotas written from their definitions, for the zoo; none knows how a client paces itself.

Each says whether it lets a request in, how many more it would let in now, and in how many
seconds it lets the next one in and is full again.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Protocol

from attrs import define, field

HAIR = 1e-9
"""Sums of floats must not refuse a request that comes exactly in time."""


class Quota(Protocol):
    """What the zoo asks of a quota."""

    def take(self, now: float) -> bool:
        """Let a request in, or refuse it."""
        ...

    def left(self, now: float) -> float:
        """Return how many requests it would let in now."""
        ...

    def opens_in(self, now: float) -> float:
        """Return the seconds until it lets one in; 0 if it does now."""
        ...

    def full_in(self, now: float) -> float:
        """Return the seconds until it is as full as at the start, with no more requests."""
        ...

    def scale(self, factor: float) -> None:
        """Let in so many times as many requests from now on."""
        ...


@define
class Token:
    """Tokens arrive evenly up to a size; each request takes one."""

    rate: float
    size: float
    tokens: float = field(init=False)
    at: float | None = None

    def __attrs_post_init__(self) -> None:
        self.tokens = self.size

    def _fill(self, now: float) -> None:
        if self.at is not None:
            self.tokens = min(self.size, self.tokens + (now - self.at) * self.rate)
        self.at = now

    def take(self, now: float) -> bool:
        self._fill(now)
        allowed = self.tokens >= 1.0 - HAIR
        self.tokens -= allowed
        return allowed

    def left(self, now: float) -> float:
        self._fill(now)
        return math.floor(self.tokens + HAIR)

    def opens_in(self, now: float) -> float:
        self._fill(now)
        return max(0.0, (1.0 - self.tokens) / self.rate)

    def full_in(self, now: float) -> float:
        self._fill(now)
        return (self.size - self.tokens) / self.rate

    def scale(self, factor: float) -> None:
        self.rate, self.size = self.rate * factor, max(1.0, self.size * factor)


@define
class Gcra:
    """The generic cell rate algorithm: each request has a theoretical time of arrival."""

    interval: float
    """Seconds between two requests of an even flow."""
    tolerance: float
    """Seconds by which a request may come early."""
    due: float = -math.inf

    def take(self, now: float) -> bool:
        if now < self.due - self.tolerance - HAIR:
            return False
        self.due = max(now, self.due) + self.interval
        return True

    def left(self, now: float) -> float:
        return max(0, math.floor((self.tolerance - self.full_in(now)) / self.interval + 1 + HAIR))

    def opens_in(self, now: float) -> float:
        return max(0.0, self.due - self.tolerance - now)

    def full_in(self, now: float) -> float:
        return max(0.0, self.due - now)

    def scale(self, factor: float) -> None:
        self.interval /= factor


@define
class Leaky:
    """A bucket that requests drip into and that loses whole drops at even ticks."""

    tick: float
    """Seconds between two ticks; the ticks go on whether there is something to lose or not."""
    drops: float
    """Drops lost at each tick."""
    size: float
    level: float = 0.0
    last: int | None = None

    def _leak(self, now: float) -> None:
        ticks = math.floor(now / self.tick + HAIR)
        if self.last is not None:
            self.level = max(0.0, self.level - (ticks - self.last) * self.drops)
        self.last = ticks

    def take(self, now: float) -> bool:
        self._leak(now)
        allowed = self.level + 1.0 <= self.size + HAIR
        self.level += allowed
        return allowed

    def left(self, now: float) -> float:
        self._leak(now)
        return math.floor(self.size - self.level + HAIR)

    def _ticks(self, now: float, drops: float) -> float:
        if drops <= HAIR:
            return 0.0
        ticks = math.ceil(drops / self.drops - HAIR)
        return (math.floor(now / self.tick + HAIR) + ticks) * self.tick - now

    def opens_in(self, now: float) -> float:
        self._leak(now)
        return self._ticks(now, self.level + 1.0 - self.size)

    def full_in(self, now: float) -> float:
        self._leak(now)
        return self._ticks(now, self.level)

    def scale(self, factor: float) -> None:
        self.drops, self.size = self.drops * factor, max(1.0, self.size * factor)


@define
class Fixed:
    """A count that begins anew with each window."""

    limit: int
    window: float
    phase: float | None
    """Where the windows begin on the clock; `None`: each with the first request after the last."""
    used: int = 0
    start: float = -math.inf

    def _roll(self, now: float) -> None:
        if now < self.start + self.window - HAIR:
            return
        self.used = 0
        if self.phase is None:
            self.start = -math.inf
        else:
            turns = math.floor((now - self.phase) / self.window + HAIR)
            self.start = self.phase + turns * self.window

    def take(self, now: float) -> bool:
        self._roll(now)
        if self.used >= self.limit:
            return False
        if self.start == -math.inf:
            self.start = now
        self.used += 1
        return True

    def left(self, now: float) -> float:
        self._roll(now)
        return self.limit - self.used

    def opens_in(self, now: float) -> float:
        self._roll(now)
        return 0.0 if self.used < self.limit else self.start + self.window - now

    def full_in(self, now: float) -> float:
        self._roll(now)
        return self.window if self.start == -math.inf else self.start + self.window - now

    def scale(self, factor: float) -> None:
        self.limit = max(1, round(self.limit * factor))


@define
class Sliding:
    """A log of the requests of the last window."""

    limit: int
    window: float
    log: deque[float] = field(factory=deque[float])

    def _forget(self, now: float) -> None:
        while self.log and self.log[0] <= now - self.window + HAIR:
            self.log.popleft()

    def take(self, now: float) -> bool:
        self._forget(now)
        if len(self.log) >= self.limit:
            return False
        self.log.append(now)
        return True

    def left(self, now: float) -> float:
        self._forget(now)
        return self.limit - len(self.log)

    def opens_in(self, now: float) -> float:
        self._forget(now)
        return 0.0 if len(self.log) < self.limit else self.log[0] + self.window - now

    def full_in(self, now: float) -> float:
        self._forget(now)
        return self.log[-1] + self.window - now if self.log else 0.0

    def scale(self, factor: float) -> None:
        self.limit = max(1, round(self.limit * factor))


@define
class Weighted:
    """The count of this fixed window and, by the share that overlaps, of the one before."""

    limit: int
    window: float
    phase: float
    number: int = 0
    now_used: int = 0
    before: int = 0

    def _roll(self, now: float) -> float:
        """Return how far the window at hand has come, from 0 to 1."""
        turns = (now - self.phase) / self.window
        number = math.floor(turns + HAIR)
        if number != self.number:
            self.before = self.now_used if number == self.number + 1 else 0
            self.now_used = 0
            self.number = number
        return max(0.0, turns - number)

    def _used(self, share: float) -> float:
        return self.now_used + self.before * (1.0 - share)

    def take(self, now: float) -> bool:
        allowed = self._used(self._roll(now)) + 1.0 <= self.limit + HAIR
        self.now_used += allowed
        return allowed

    def left(self, now: float) -> float:
        return max(0, math.floor(self.limit - self._used(self._roll(now)) + HAIR))

    def opens_in(self, now: float) -> float:
        share = self._roll(now)
        over = self._used(share) + 1.0 - self.limit
        if over <= 0.0:
            return 0.0
        rest = 1.0 - share
        if self.before and over <= self.before * rest:
            return over / self.before * self.window
        # In the next window those of this one go, one by one.
        share_then = max(0.0, 1.0 - (self.limit - 1.0) / max(self.now_used, 1))
        return (rest + share_then) * self.window

    def full_in(self, now: float) -> float:
        return (1.0 - self._roll(now)) * self.window

    def scale(self, factor: float) -> None:
        self.limit = max(1, round(self.limit * factor))


@define
class Both:
    """Two quotas at once; a request counts in both or in none."""

    burst: Quota
    sustained: Quota

    def take(self, now: float) -> bool:
        if self.opens_in(now) > HAIR:
            return False
        return self.burst.take(now) and self.sustained.take(now)

    def left(self, now: float) -> float:
        return min(self.burst.left(now), self.sustained.left(now))

    def opens_in(self, now: float) -> float:
        return max(self.burst.opens_in(now), self.sustained.opens_in(now))

    def full_in(self, now: float) -> float:
        return max(self.burst.full_in(now), self.sustained.full_in(now))

    def scale(self, factor: float) -> None:
        self.burst.scale(factor)
        self.sustained.scale(factor)
