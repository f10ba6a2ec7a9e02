"""A documented allowance of calls in any so many seconds, kept to on this side.

The limiter finds quotas that nobody documents. Where one is documented its first calls need not
find it: an `AllowanceGate` counts the calls of the last window, and lets the next one go when
there is room. It believes refusals more than the document, in both directions: a 429 lowers the
count to what went through, and windows that were used up without one raise it again. It knows no
endpoint; the limiter keeps one for each bucket that has an allowance.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from typing import Final, NamedTuple

from humeai_async.errors import RateLimitWaitError
from humeai_async.limiter.token_bucket import TICK

_GROWTH: Final = 1.05
"""Factor by which the count grows after a window that was used up without a refusal."""
_MARGIN: Final = 0.005
"""Share of the window that is waited on top: networks and clocks jitter."""


class Allowance(NamedTuple):
    """Calls that are allowed in any window of so many seconds."""

    calls: int
    """Number of calls."""
    seconds: float
    """Length of the window."""


class AllowanceGate:
    """Lets calls go while the last window has room for them, first come, first served.

    For one event loop.

    Args:
        allowance: What the service documents.
    """

    def __init__(self, allowance: Allowance) -> None:
        self.calls: float = float(allowance.calls)
        """Calls that are believed to be allowed in one window."""
        self._window = allowance.seconds * (1 + _MARGIN)
        self._sent: deque[float] = deque()
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._full_since: float | None = None
        """Since when the window is used up, at times, without a refusal."""

    async def enter(self, deadline: float = math.inf) -> None:
        """Wait until a call may go, and count it.

        Args:
            deadline: Time of the event loop's clock until which it may wait.

        Raises:
            RateLimitWaitError: It would wait beyond its deadline; told at once.
        """
        loop = asyncio.get_running_loop()
        self._refuse_late(self._wait(loop.time(), self._waiting), loop.time(), deadline)
        self._waiting += 1
        try:
            async with self._turn:
                while (wait := self._wait(loop.time())) > 0:
                    self._refuse_late(wait, loop.time(), deadline)
                    await asyncio.sleep(wait)
                self._sent.append(loop.time())
        finally:
            self._waiting -= 1

    def refuse(self, now: float) -> None:
        """Learn that the service refused a call as one too many."""
        self._forget(now)
        self._full_since = None
        self.calls = max(1.0, min(self.calls, float(len(self._sent) - 1)))

    def _refuse_late(self, wait: float, now: float, deadline: float) -> None:
        if wait > 0 and now + wait > deadline:
            raise RateLimitWaitError(
                f"{int(self.calls)} calls in {self._window:.0f} s are allowed, and the next one "
                f"would have to wait {wait:.3g} s, longer than it may",
                seconds=wait,
            )

    def _wait(self, now: float, ahead: int = 0) -> float:
        """Return the seconds until a call may go that has so many waiting before it."""
        self._forget(now)
        missing = len(self._sent) + ahead + 1 - int(self.calls)
        if missing <= 0:
            return 0.0
        self._grow(now)
        windows, place = divmod(missing - 1, max(1, len(self._sent)))
        oldest = self._sent[place] if self._sent else now
        return max(TICK, oldest + self._window * (1 + windows) - now)

    def _grow(self, now: float) -> None:
        if self._full_since is None:
            self._full_since = now
        elif now - self._full_since > self._window:
            self.calls, self._full_since = self.calls * _GROWTH, now

    def _forget(self, now: float) -> None:
        while self._sent and self._sent[0] <= now - self._window:
            self._sent.popleft()
