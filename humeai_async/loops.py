"""What each event loop must have for itself: one client may serve several, in threads of theirs.

Loops come and go, in a forked process all of them are gone, and two threads may ask for theirs at
the same moment. The session keeps its deadlines so, and the poller its rounds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from humeai_async import forks

T = TypeVar("T")


class PerLoop(Generic[T]):
    """One thing for each event loop, made when it is first asked for.

    Args:
        make: Makes it for a loop.
    """

    __slots__ = ("__weakref__", "_made", "_make")

    def __init__(self, make: Callable[[asyncio.AbstractEventLoop], T]) -> None:
        self._make = make
        self._made: dict[asyncio.AbstractEventLoop, T] = {}
        forks.watch(self, PerLoop[T].forget_parent)

    def here(self) -> T:
        """Return that of the running event loop."""
        loop = asyncio.get_running_loop()
        found = self._made.get(loop)
        if found is None:
            for old in list(self._made):  # in one go, for other threads may add theirs
                if old.is_closed():
                    self._made.pop(old, None)
            found = self._made[loop] = self._make(loop)
        return found

    def all(self) -> list[T]:
        """Return those of all event loops."""
        return list(self._made.values())

    def forget_parent(self) -> None:
        """Start anew in a forked process: what was made is of use to the parent alone."""
        self._made = {}
