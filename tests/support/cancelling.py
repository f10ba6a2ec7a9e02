"""Cancels an operation at each point where it can be cancelled, and looks at what stays behind.

A task can be cancelled wherever it hands control to the event loop. `Trial` runs an operation
in a task of its own, counts those suspensions, those of every task that it starts included,
and cancels at one of them; `cut_everywhere` makes a trial for each, until one ends uncut.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import gc
import os
import stat
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from contextvars import ContextVar, copy_context
from typing import Any, TypeAlias, TypeGuard

import anyio
import pytest

from humeai_async import HumeAI
from humeai_async.limiter.bucket import Permit

Operation: TypeAlias = Callable[[], Awaitable[object]]

GRACE = 10.0
"""Seconds, on a busy machine, in which cancelled tasks must end; they take milliseconds."""
_GENERATIONS = 3
"""How often ending tasks may start others."""
MOST = 1000
"""Suspensions of one operation at most; more means that it has no end."""


class Means(enum.Enum):
    """How an operation is cancelled."""

    TASK = "task.cancel, as soon as it is suspended"
    LATE = "task.cancel, when what it waits for is there and it had no turn yet"
    TIMEOUT = "asyncio.timeout"
    SCOPE = "anyio's cancel scope, which cancels again at each further suspension"


_current: ContextVar[Trial | None] = ContextVar("_current", default=None)


class Trial:
    """One run of an operation, cancelled at one of its suspensions.

    Args:
        operation: What is run.
        means: How it is cancelled.
        at: Number of the suspension; `None` is never.
    """

    def __init__(self, operation: Operation, means: Means, at: int | None) -> None:
        self.is_cut = False
        """Whether it was cancelled before it had ended."""
        self.suspensions = 0
        """How often control went to the event loop."""
        self.tasks: list[asyncio.Task[Any]] = []
        """Every task that was started in it, its own first."""
        self._operation = operation
        self._means = means
        self._at = at
        self._cancel: Callable[[], object] = lambda: None

    async def run(self) -> None:
        """Run the operation, and make sure that it ends as its cancellation demands."""
        loop = asyncio.get_running_loop()
        context = copy_context()
        context.run(_current.set, self)
        loop.set_task_factory(_make_task)
        try:
            main = context.run(loop.create_task, self._main())
            await asyncio.wait([main])
        finally:
            loop.set_task_factory(None)
        if self._means in {Means.TASK, Means.LATE}:
            assert main.cancelled() == self.is_cut, "the cancellation was swallowed, or made up"
        if not main.cancelled():
            main.result()

    async def _main(self) -> None:
        main = asyncio.current_task()
        assert main is not None
        self._cancel = main.cancel
        if self._means is Means.SCOPE:
            with anyio.CancelScope() as scope:
                self._cancel = scope.cancel
                await self._operation()
        elif self._means is Means.TIMEOUT:
            loop = asyncio.get_running_loop()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None) as timeout:
                    self._cancel = lambda: timeout.reschedule(loop.time())
                    await self._operation()
        else:
            await self._operation()

    def suspended(self, awaited: object) -> None:
        """Count a suspension, and cancel if it is the one."""
        self.suspensions += 1
        if self._at is None or self.suspensions != self._at + 1:
            return
        if self._means is Means.LATE and is_future(awaited):
            awaited.add_done_callback(self._cut)
        else:
            self._cut()

    def _cut(self, _: object = None) -> None:
        if not self.tasks[0].done():
            self.is_cut = True
            self._cancel()


def _make_task(
    loop: asyncio.AbstractEventLoop, coroutine: Any, **settings: Any
) -> asyncio.Task[Any]:
    """Make a task; one that belongs to a trial is counted and watched."""
    trial = _current.get()
    if trial is None:
        return asyncio.Task(coroutine, loop=loop, **settings)
    task = asyncio.Task(_Watched(coroutine, trial), loop=loop, **settings)
    trial.tasks.append(task)
    return task


class _Watched(Coroutine[Any, Any, Any]):
    """A coroutine that tells of its suspensions."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], trial: Trial) -> None:
        self._coroutine = coroutine
        self._trial = trial

    def send(self, value: object, /) -> Any:
        return self._tell(self._coroutine.send(value))

    def throw(self, *problem: Any) -> Any:
        return self._tell(self._coroutine.throw(*problem))

    def close(self) -> None:
        self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._coroutine.__await__()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._coroutine, name)  # what `inspect` asks coroutines for

    def _tell(self, awaited: object) -> object:
        self._trial.suspended(awaited)
        return awaited


def is_future(awaited: object) -> TypeGuard[asyncio.Future[object]]:
    """Whether a task waits for something, and does not just give the others a turn."""
    return isinstance(awaited, asyncio.Future)


async def cut_everywhere(
    operation: Operation,
    check: Callable[[Trial], Awaitable[None]],
    *means: Means,
) -> int:
    """Run an operation again and again, cancelled one suspension later each time.

    Args:
        operation: Runs from the start at each call.
        check: Called after each run, the last and uncut one included.
        *means: How it is cancelled; several take turns.

    Returns:
        How many runs were cancelled.
    """
    for at in range(MOST):
        trial = Trial(operation, means[at % len(means)], at)
        await trial.run()
        await check(trial)
        if trial.suspensions <= at:
            return at
    raise AssertionError(f"the operation is not over after {MOST} suspensions")


async def settle(trial: Trial) -> None:
    """Let what was cancelled end; no task of it may stay."""
    left: set[asyncio.Task[Any]] = set()
    for _ in range(_GENERATIONS):
        _, left = await asyncio.wait(trial.tasks, timeout=GRACE)
        await asyncio.sleep(0)
    assert not left, f"tasks were left behind: {left}"


def assert_idle(hume: HumeAI) -> None:
    """Make sure that nothing of a client is taken by a call that is over."""
    for bucket in hume.limiter.buckets:
        state = hume.limiter.snapshot(bucket)
        assert (state.in_flight, state.waiting) == (0, 0), f"a slot of the limiter leaked: {state}"
    inside: Any = hume  # what is not public is looked at through this
    assert inside._session.transport.in_flight == 0, "a connection was not given back"
    assert inside._session.transport.open_sockets == 0, "a WebSocket was left open"
    rounds = inside._poller.current()
    assert not rounds._waits, "a wait for a job was left"
    assert rounds._leader is None, "nobody leads the waits"


def open_files() -> int:
    """Count the open files of this process that are files on a disk."""
    count = 0
    for number in os.listdir("/dev/fd"):  # noqa: PTH208 - no folder of files
        with contextlib.suppress(OSError):  # the handle that listed them is closed by now
            count += stat.S_ISREG(os.fstat(int(number)).st_mode)
    return count


@contextlib.contextmanager
def no_permit_dropped() -> Generator[None]:
    """Make sure that no permit of the limiter is left to the garbage collector."""
    dropped: list[str] = []

    def note(permit: Any) -> None:
        if permit._bucket is not None:
            dropped.append(permit._bucket.name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Permit, "__del__", note)
        yield
        gc.collect()
    assert not dropped, f"{len(dropped)} permits were dropped and never told how the call went"


@contextlib.asynccontextmanager
async def no_complaints() -> AsyncGenerator[None]:
    """Make sure that the event loop has nothing to complain of, such as unread errors."""
    loop = asyncio.get_running_loop()
    complaints: list[dict[str, Any]] = []
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, about: complaints.append(about))
    try:
        yield
        gc.collect()
        await asyncio.sleep(0)
    finally:
        loop.set_exception_handler(before)
    assert not complaints
