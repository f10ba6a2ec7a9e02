"""Ends a run that makes no progress, and says what each of its tasks waited for.

Progress is a change of a file in the run's folder: each step of a run is written down in its
ledger, so that one which only waits, polls or searches changes nothing. A machine with much
else to do makes a run slow, but does not stop that.
"""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import inspect
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

HANGS = 71
"""Exit code of a run that made no progress."""
_LOOK_EVERY = 0.5


def start_watch(folder: Path, limit: float) -> None:
    """Watch a run from a thread of its own; its process ends after `limit` seconds of no change."""
    threading.Thread(target=_watch, args=(folder, limit), name="watch", daemon=True).start()


def describe_tasks() -> str:
    """Return each unfinished task of asyncio with the lines that it stands at, outermost first."""
    tasks: list[asyncio.Task[Any]]
    tasks = [one for one in gc.get_objects() if isinstance(one, asyncio.Task)]
    unfinished = [task for task in tasks if not task.done()]
    return "\n".join(f"{task.get_name()}\n{_lines(task.get_coro())}" for task in unfinished)


def _watch(folder: Path, limit: float) -> None:
    begun = changed = time.monotonic()
    last = _files(folder)
    while True:
        time.sleep(_LOOK_EVERY)
        now, found = time.monotonic(), _files(folder)
        if found != last:
            last, changed = found, now
        elif now - changed > limit:
            break
    print(  # noqa: T201 - for the run's log
        f"no progress for {now - changed:.0f} s, {now - begun:.0f} s after the start, "
        f"{time.process_time():.0f} s of them in the processor",
        describe_tasks(),
        sep="\n",
        file=sys.stderr,
        flush=True,
    )
    faulthandler.dump_traceback()
    os._exit(HANGS)


def _files(folder: Path) -> dict[str, tuple[int, int]]:
    """Return size and time of each file, but for the one that reading a ledger changes."""
    found: dict[str, tuple[int, int]] = {}
    for path in folder.rglob("*") if folder.exists() else ():
        try:
            state = path.stat()
        except FileNotFoundError:
            continue
        if not path.name.endswith("-shm"):
            found[str(path)] = state.st_size, state.st_mtime_ns
    return found


def _lines(coroutine: object) -> str:
    lines = [f"  {code.co_filename}:{line} {code.co_qualname}" for code, line in _steps(coroutine)]
    return "\n".join(lines) or f"  {coroutine!r}"


def _steps(waiting: Any) -> Iterator[tuple[CodeType, int]]:
    """Give where a coroutine stands, and what it awaits, and so on."""
    while waiting is not None:
        frame: FrameType | None
        if inspect.iscoroutine(waiting):
            frame, awaited = waiting.cr_frame, waiting.cr_await
        elif inspect.isasyncgen(waiting):
            frame, awaited = waiting.ag_frame, waiting.ag_await
        elif inspect.isgenerator(waiting):
            frame, awaited = waiting.gi_frame, waiting.gi_yieldfrom
        else:
            # The step of an asynchronous generator does not say which one it is of.
            found = filter(inspect.isasyncgen, gc.get_referents(waiting))
            frame, awaited = None, next(found, None)
        if frame is not None:
            yield frame.f_code, frame.f_lineno
        waiting = awaited
