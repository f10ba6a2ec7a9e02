"""The clocks that jobs of the fake move on.

A clock says how many seconds have gone by since it was made and what that is as an epoch
time. It knows nothing of jobs; the fake asks it, and a test may hold one and move it.
"""

from __future__ import annotations

import math
import time

_STORY_BEGINS = 1_747_058_400.0
"""Epoch seconds at which a `ManualClock` starts, so that timestamps repeat from run to run."""


class Clock:
    """Real time, possibly faster or slower."""

    def __init__(self, speed: float = 1.0, *, epoch: float | None = None) -> None:
        """Start at 0 now.

        Args:
            speed: Seconds of this clock in one real second; above 0.
            epoch: Epoch seconds that 0 stands for; the present if left out.

        Raises:
            ValueError: The speed is not a positive number.
        """
        if not (speed > 0 and math.isfinite(speed)):
            raise ValueError(f"speed must be a positive number, not {speed!r}")
        self.speed = speed
        self.epoch: float = time.time() if epoch is None else epoch
        self._started = time.monotonic()

    def now(self) -> float:
        """Return the seconds of this clock since it was made; they never go back."""
        return (time.monotonic() - self._started) * self.speed

    def epoch_ms(self, at: float | None = None) -> int:
        """Return an epoch time in milliseconds.

        Args:
            at: Seconds of this clock; now if left out.
        """
        return round((self.epoch + (self.now() if at is None else at)) * 1000)


class ManualClock(Clock):
    """A clock that stands still until it is moved."""

    def __init__(self, *, epoch: float = _STORY_BEGINS) -> None:
        """Start at 0.

        Args:
            epoch: Epoch seconds that 0 stands for.
        """
        super().__init__(epoch=epoch)
        self._now = 0.0

    def now(self) -> float:
        """Return the seconds this clock was moved in all."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move on.

        Args:
            seconds: How far; 0 or more.

        Raises:
            ValueError: The clock would go back.
        """
        if not (seconds >= 0 and math.isfinite(seconds)):
            raise ValueError(f"a clock cannot be moved by {seconds!r} seconds")
        self._now += seconds
