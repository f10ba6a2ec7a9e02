"""Ctrl-C while a command runs: the first one stops it in good order, a later one at once.

asyncio raises the second one wherever the event loop happens to be. The callback that it
interrupts is lost, and with it what a task waits for: within milliseconds of the first one the
loop then never ends (seen on CPython 3.11 in 1 of 200 runs of a task group that does nothing but
sleep). So each one is handed to the loop here, and never interrupted. Commands that run an event
loop call `run`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from humeai_async.cli.output import ExitCode, print_message

T = TypeVar("T")

SAME_PRESS = 1.0
"""Seconds after the first Ctrl-C in which others mean nothing more."""


class _Interrupts:
    """Called for each Ctrl-C while a task runs."""

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self._task = task
        self.first: float | None = None
        """When the first one came."""

    def on_interrupt(self) -> None:
        now = time.monotonic()
        if self.first is None:
            self.first = now
            self._task.cancel()
        elif now - self.first >= SAME_PRESS:
            if sys.stderr.isatty():
                sys.stderr.write("\x1b[?25h")  # the progress line has hidden the cursor
            print_message("stopped at once; run the same command again to continue")
            os._exit(ExitCode.INTERRUPTED)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run work on an event loop of its own, and return what it returns.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed, and the work has ended.
    """
    result, was_interrupted = asyncio.run(_run(work))
    if was_interrupted:
        raise KeyboardInterrupt
    return result[0]


async def _run(work: Coroutine[Any, Any, T]) -> tuple[list[T], bool]:
    """Run work; returns its result, unless it was interrupted, and whether it was."""
    loop = asyncio.get_running_loop()
    task = loop.create_task(work)
    interrupts = _Interrupts(task)
    # Windows, or another thread than the main one: asyncio's own way.
    with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
        loop.add_signal_handler(signal.SIGINT, interrupts.on_interrupt)  # until it is closed
    try:
        return [await task], False
    except asyncio.CancelledError:
        if interrupts.first is None:
            raise
        return [], True
