"""A token bucket in virtual time: how many calls may go, and when the next one may.

Pure sums over a `now` that the caller hands in; nothing here reads a clock, waits, or knows of
answers. The learner sets its rate, and the limiter asks it before every call.
"""

from __future__ import annotations


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
        self.rate = rate
        self.size = size
        self._at = now
        self._tokens = tokens

    def tokens(self, now: float) -> float:
        """Return the balance; time that runs backwards adds nothing."""
        if now > self._at:
            tokens = self._tokens + (now - self._at) * self.rate
            self._tokens = tokens if tokens < self.size else self.size
            self._at = now
        return self._tokens

    def wait(self, now: float, cost: float) -> float:
        """Return the seconds until a call of this cost may go; 0 if it may now."""
        need = cost if cost < self.size else self.size
        missing = need - self.tokens(now)
        # A hair of tolerance: sums of floats must not make a timer fire twice for one call.
        return missing / self.rate if missing > _HAIR else 0.0

    def take(self, now: float, cost: float) -> None:
        """Spend tokens, into debt if need be."""
        self._tokens = self.tokens(now) - cost

    def set_rate(self, now: float, rate: float, size: float) -> None:
        """Change rate and size; what has arrived so far arrived at the old rate."""
        tokens = self.tokens(now)
        self.rate = rate
        self.size = size
        self._tokens = tokens if tokens < size else size

    def shift(self, seconds: float) -> None:
        """Move to a clock that shows this many seconds more."""
        self._at += seconds


_HAIR = 1e-9
