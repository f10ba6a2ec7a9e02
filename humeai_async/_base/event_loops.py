"""What belongs to one event loop and one process: one client may serve several of either.

Loops come and go, two threads may ask for theirs at the same moment, and in a forked process
all loops of the parent are gone, with the sockets that hang on them. The session keeps its
deadlines so, the poller its rounds, and the limiter and the transport hear of forks.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

__all__ = ["PerLoop", "watch"]

T = TypeVar("T")

_watched: WeakKeyDictionary[object, Callable[[Any], None]] = WeakKeyDictionary()


def watch(thing: T, forget_parent: Callable[[T], None]) -> None:
    """Have something told of every fork from now on, in the child.

    Args:
        thing: Something that belongs to event loops.
        forget_parent: Called with it; lets go of all event loops, and closes nothing.
    """
    _watched[thing] = forget_parent


def _tell() -> None:
    for thing, forget_parent in list(_watched.items()):
        forget_parent(thing)


if hasattr(os, "register_at_fork"):  # Windows cannot fork
    os.register_at_fork(after_in_child=_tell)


class PerLoop(Generic[T]):
    """One thing for each event loop, made when it is first asked for.

    Args:
        make: Makes it for a loop.
    """

    __slots__ = ("__weakref__", "_made", "_make")

    def __init__(self, make: Callable[[asyncio.AbstractEventLoop], T]) -> None:
        self._make = make
        self._made: dict[asyncio.AbstractEventLoop, T] = {}
        watch(self, PerLoop[T].forget_parent)

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
