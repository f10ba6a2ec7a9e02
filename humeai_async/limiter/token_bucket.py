"""Buckets and counts in virtual time: how many calls may go, and when the next one may.

Pure sums over a `now` that the caller hands in; nothing here reads a clock, waits, or knows of
responses. The gate and its learner set their rates, and ask them before every call.
"""

from __future__ import annotations

from collections import deque
from typing import Final

HAIR: Final = 1e-9
"""Tokens or seconds; sums of floats must not make a timer fire twice for one call."""
TICK: Final = 1e-6
"""Seconds; a shorter wait may be less than a clock can show, and its timer would fire for ever."""


class TokenBucket:
    """Tokens that arrive at an even rate, up to a size, and are spent by calls.

    The balance may fall below zero: a call that costs more than the bucket holds goes when it
    is full, and the next ones wait until its debt is paid.
    """

    __slots__ = ("_at", "_tokens", "rate", "size")

    def __init__(self, rate: float, size: float, now: float, tokens: float) -> None:
        """Make a bucket.

        Args:
            rate: Tokens a second; above 0, may be infinite.
            size: Tokens it holds at most; above 0.
            now: The time, in seconds of any steady clock.
            tokens: Tokens in it now.
        """
        self.rate: float = rate
        self.size: float = size
        self._at = now
        self._tokens = tokens

    def tokens(self, now: float) -> float:
        """Return the balance; time that runs backwards adds nothing."""
        if now > self._at:
            tokens = self._tokens + (now - self._at) * self.rate
            # No min(): every call passes here, and the comparison takes a third of the time.
            self._tokens = tokens if tokens < self.size else self.size  # noqa: FURB136 - see above
            self._at = now
        return self._tokens

    def wait(self, now: float, cost: float) -> float:
        """Return the seconds until a call of this cost may go; 0 if it may now."""
        need = cost if cost < self.size else self.size  # noqa: FURB136 - as above
        missing = need - self.tokens(now)
        # From the time of the balance, which is ahead of a clock that a timer has overtaken.
        return max(TICK, self._at - now + missing / self.rate) if missing > HAIR else 0.0

    def take(self, now: float, cost: float) -> None:
        """Spend tokens, into debt if need be."""
        if now > self._at:
            self.tokens(now)
        self._tokens -= cost

    def give(self, tokens: float) -> None:
        """Put back tokens of a call that was never sent."""
        self._tokens = min(self.size, self._tokens + tokens)

    def reset(self, now: float, rate: float, size: float, tokens: float) -> None:
        """Begin anew with other numbers."""
        self.rate = rate
        self.size = size
        self._at = now
        self._tokens = tokens

    def set_rate(self, now: float, rate: float, size: float) -> None:
        """Change rate and size; what has arrived so far arrived at the old rate."""
        self._tokens = min(size, self.tokens(now))
        self.rate = rate
        self.size = size

    def shift(self, seconds: float) -> None:
        """Move to a clock that shows this many seconds more."""
        self._at += seconds


class WindowCount:
    """How many calls fell into the last so many seconds, in constant memory.

    Calls are counted in slots, so a sum is exact but for one slot.
    """

    __slots__ = ("_slots", "_total", "_width", "window")

    def __init__(self, window: float, fineness: int = 256) -> None:
        """Make an empty count over a window of so many seconds, in so many slots."""
        self.window: float = window
        self._width = window / fineness
        self._slots: deque[list[float]] = deque()
        self._total = 0.0

    def add(self, at: float, cost: float) -> None:
        """Count a call at a time; times may be out of order by less than a slot."""
        slots = self._slots
        if slots and at - slots[-1][0] < self._width:
            slots[-1][1] += cost
        else:
            slots.append([at, cost])
            self._forget(at)
        self._total += cost

    def wait(self, now: float, room: float) -> float:
        """Return the seconds until the window holds no more than `room`; 0 if it does now.

        Args:
            now: The time.
            room: Calls; at least 0.
        """
        self._forget(now)
        if self._total <= room + HAIR or not self._slots:
            return 0.0
        oldest = self._slots[0][0] + self._width / 2 + self.window - now
        return max(TICK, oldest)

    def between(self, start: float, end: float) -> float:
        """Return the calls after `start` and until `end`."""
        return sum(cost for at, cost in self._slots if start < at <= end)

    def over(self, window: float, now: float) -> WindowCount:
        """Return a count over another window that holds the same calls."""
        other = WindowCount(window)
        for at, cost in self._slots:
            if at > now - window:
                other.add(at, cost)
        return other

    def shift(self, seconds: float) -> None:
        """Move to a clock that shows this many seconds more."""
        for slot in self._slots:
            slot[0] += seconds

    def _forget(self, now: float) -> None:
        edge = now - self.window - self._width / 2
        slots = self._slots
        while slots and slots[0][0] <= edge:
            self._total -= slots.popleft()[1]
