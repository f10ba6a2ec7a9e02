"""What belongs to one event loop and one process: one client may serve several of either.

Loops come and go, two threads may ask for theirs at the same moment, and in a forked process
all loops of the parent are gone, with the sockets that hang on them. The session keeps its
deadlines so, the transport its connections and the poller its rounds; the limiter is told of
forks.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from humeai_async.errors import ConfigurationError

__all__ = ["PerLoop", "ensure_running", "running_loop", "watch"]

T = TypeVar("T")

_watched: WeakKeyDictionary[object, Callable[[Any], None]] = WeakKeyDictionary()
_parents: list[object] = []
"""What belongs to the process that this one was forked from. It is kept: closed or collected
here, sockets would take the connections out of the parent's own event loop."""


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


def running_loop() -> asyncio.AbstractEventLoop:
    """Return the event loop that runs.

    Raises:
        ConfigurationError: None of asyncio does: it was called from Trio, or from no task.
    """
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        reason = (
            "humeai_async is a library for asyncio, and no event loop of asyncio is running "
            "here; Trio and Curio are not supported"
        )
    raise ConfigurationError(reason)


def ensure_running(loop: asyncio.AbstractEventLoop, what: str) -> None:
    """Refuse to use something on another event loop than its own.

    Args:
        loop: The event loop that it was opened on.
        what: What it is, for the message.

    Raises:
        ConfigurationError: Another event loop runs here, or none.
    """
    if running_loop() is not loop:
        raise ConfigurationError(
            f"{what} was opened on another event loop than the one that uses it here, as in "
            "another thread, a forked process or a second asyncio.run: open one of its own here, "
            "or hand the work to the first loop with asyncio.run_coroutine_threadsafe"
        )


class PerLoop(Generic[T]):
    """One thing for each event loop, made when it is first needed there.

    Args:
        make: Makes it for a loop.
        discard: Called with the loop and the thing where a loop was closed; on another loop.
    """

    __slots__ = ("__weakref__", "_discard", "_made", "_make")

    def __init__(
        self,
        make: Callable[[asyncio.AbstractEventLoop], T],
        discard: Callable[[T], object] | None = None,
    ) -> None:
        self._make = make
        self._discard = discard
        self._made: dict[asyncio.AbstractEventLoop, T] = {}
        watch(self, PerLoop[T].forget_parent)

    def current(self) -> T:
        """Return that of the running event loop.

        Raises:
            ConfigurationError: No event loop of asyncio is running.
        """
        try:
            return self._made[asyncio.get_running_loop()]
        except (KeyError, RuntimeError):
            pass
        return self.renew()

    def renew(self) -> T:
        """Make that of the running event loop anew, and drop those of closed loops."""
        loop = running_loop()
        for old in list(self._made):  # in one go, for other threads may add theirs
            if old.is_closed() and (left := self._made.pop(old, None)) and self._discard:
                self._discard(left)
        made = self._made[loop] = self._make(loop)
        return made

    def pop(self) -> T | None:
        """Forget that of the running event loop, and return it."""
        return self._made.pop(running_loop(), None)

    def all(self) -> list[T]:
        """Return those of all event loops."""
        return list(self._made.values())

    def clear(self) -> list[tuple[asyncio.AbstractEventLoop, T]]:
        """Forget all, and return them with their event loops."""
        made, self._made = self._made, {}
        return list(made.items())

    def forget_parent(self) -> None:
        """Start anew in a forked process: what was made is of use to the parent alone."""
        _parents.extend(self._made.values())
        self._made = {}
