"""Slots for requests, of which a pool has so many: whoever asks for one more waits in turn.

In place of `asyncio.Semaphore`, where each request pays for a coroutine and for three looks at a
queue that is mostly empty. The transport takes a slot for each request.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque


class Slots:
    """The slots of one event loop.

    Args:
        limit: How many there are; infinite is without limit.
    """

    __slots__ = ("_limit", "_waiting", "taken")

    def __init__(self, limit: float = math.inf) -> None:
        self.taken: int = 0
        """How many are taken; all of them while somebody waits."""
        self._limit = limit
        self._waiting: deque[asyncio.Future[None]] = deque()

    def take(self) -> bool:
        """Take a slot if one is free, and say whether one was."""
        is_free = self.taken < self._limit
        self.taken += is_free
        return is_free

    async def wait(self) -> None:
        """Wait until a slot is handed over, first come, first served."""
        handed = asyncio.get_running_loop().create_future()
        self._waiting.append(handed)
        try:
            await handed
        except BaseException:
            if not handed.cancelled():  # it came together with a cancellation
                self.release()
            raise

    def release(self) -> None:
        """Hand a slot to the first who waits, or else free it."""
        while self._waiting:
            handed = self._waiting.popleft()
            if not handed.done():  # else its task was cancelled
                handed.set_result(None)
                return
        self.taken -= 1
