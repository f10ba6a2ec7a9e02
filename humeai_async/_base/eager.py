"""Coroutines that are begun at once, and need a task only where they wait for something.

A task costs tens of microseconds, and most writes to a connection wait for nothing. `asyncio` has
eager tasks for this from Python 3.12 on only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any


class Rest:
    """What is left of a coroutine that waits for something.

    Args:
        coroutine: The coroutine, begun.
        waits_for: What its first step waits for, if for anything but its turn.
    """

    def __init__(
        self, coroutine: Coroutine[Any, Any, None], waits_for: asyncio.Future[Any] | None
    ) -> None:
        self._coroutine = coroutine
        self._waits_for = waits_for

    async def run(self) -> None:
        """Go on with it to its end; in a task that is not cancelled with its caller."""
        try:
            # Not by awaiting it: a cancellation would cancel it, and others may wait for it too.
            if self._waits_for is not None:
                await asyncio.wait([self._waits_for])
            await self
        finally:
            self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, None]:
        return self._coroutine.__await__()


def begin(coroutine: Coroutine[Any, Any, None]) -> Rest | None:
    """Run a coroutine until it waits for something; `None` where it is done already."""
    try:
        waits_for: asyncio.Future[Any] | None = coroutine.send(None)
    except StopIteration:
        return None
    if waits_for is not None:
        # A task does so with each future that it is given, or nobody else could wait for it.
        waits_for.add_done_callback(_look_at_error)
        waits_for._asyncio_future_blocking = False  # noqa: SLF001 - asyncio's protocol of tasks and futures
    return Rest(coroutine, waits_for)


def _look_at_error(future: asyncio.Future[Any]) -> None:
    """Look at an error: where an event loop ends meanwhile, nobody else does, and it complains."""
    if not future.cancelled():
        future.exception()
