"""An event loop whose clock jumps to the next timer instead of waiting for it.

For tests without sockets and threads: hours of pauses pass in no time, and always the same.
"""

from __future__ import annotations

import asyncio
import math
import selectors
from collections.abc import Callable
from contextvars import Context
from typing import Any, TypeVarTuple

Ts = TypeVarTuple("Ts")


class _JumpingSelector(selectors.DefaultSelector):
    """Moves the clock on where the real one would wait."""

    offset = 0.0
    turn = 0.0
    """Seconds that each turn of the loop takes."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise AssertionError("every task waits for something that will never come")
        self.offset += max(timeout, self.turn)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Starts at second 1000 and only ever moves by the pauses of its tasks."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return 1000.0 + self._jumping.offset

    def stand_still(self, seconds: float) -> None:
        """Let time pass in which no task has a turn."""
        self._jumping.offset += seconds


class CoarseLoop(VirtualLoop):
    """A clock and timers in whole milliseconds, as uvloop's, whose turns take time."""

    def __init__(self) -> None:
        super().__init__()
        self._jumping.turn = 5e-6
        self.timers = 0

    def time(self) -> float:
        return math.floor(super().time() * 1000) / 1000

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        self.timers += 1
        rounded = self.time() + round((when - self.time()) * 1000) / 1000
        return super().call_at(rounded, callback, *args, context=context)


BACKEND: tuple[str, dict[str, Any]] = ("asyncio", {"loop_factory": VirtualLoop})
"""What the fixture `anyio_backend` returns for tests in virtual time."""
