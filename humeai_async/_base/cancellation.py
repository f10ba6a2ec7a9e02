"""Work that a cancelled task does not leave behind half done.

anyio's shields and threads hold against its own cancel scopes, but not against `task.cancel`,
which `asyncio.timeout` and web servers use: a clean-up stops in its middle, and a thread goes
on alone, writing files of a call that is over. Here both are waited for, and the cancellation
takes effect after that. Everything that cleans up or works in threads uses it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Coroutine
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import anyio
import anyio.to_thread

from humeai_async._base.event_loops import running_loop
from humeai_async.errors import HumeError

T = TypeVar("T")


async def run_uncancelled(work: Coroutine[Any, Any, T]) -> T:
    """Run work to its end in a task of its own; who is cancelled meanwhile is so after it.

    Args:
        work: A coroutine that ends soon by itself.

    Raises:
        ConfigurationError: No event loop of asyncio is running.
        CancelledError: The caller was cancelled; what the work returned or raised is dropped.
    """
    task = _start(work)
    cancellation = await _wait_uncancelled(task)
    if cancellation is not None:
        raise cancellation
    return task.result()


async def run_uncancelled_while(
    work: Coroutine[Any, Any, T], is_needed: Callable[[], bool], *, seconds: float
) -> T:
    """Run work in a task of its own, which a cancellation ends unless it is at a certain point.

    Args:
        work: A coroutine.
        is_needed: Whether a cancelled caller still waits for it. Asked ten times a second.
        seconds: How long a cancelled caller waits at most. Time in which the event loop stands
            still hardly counts.

    Raises:
        ConfigurationError: No event loop of asyncio is running.
        CancelledError: The caller was cancelled; what the work returned or raised is dropped.
    """
    task = _start(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await run_uncancelled(_end(task, is_needed, math.ceil(seconds / _ASKED_AGAIN)))
        raise
    return task.result()


def _start(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    try:
        return running_loop().create_task(work)
    except HumeError:
        work.close()  # or it would complain of never having been awaited
        raise


async def _end(task: asyncio.Task[Any], is_needed: Callable[[], bool], times: int) -> None:
    """Cancel a task once it is not needed any more, and wait until it has ended."""
    # Counted, and not by the clock: what came while the event loop stood still is to be read.
    for _ in range(times):
        if task.done() or not is_needed():
            break
        await asyncio.wait([task], timeout=_ASKED_AGAIN)
    task.cancel()
    await _wait_uncancelled(task)


_ASKED_AGAIN = 0.1
"""Seconds between two questions whether a task is still needed."""


async def in_thread(
    work: Callable[..., T],
    *args: object,
    limiter: anyio.CapacityLimiter | None = None,
    discard: Callable[[T], object] | None = None,
) -> T:
    """Call a function in a worker thread.

    A cancelled call returns once the thread is done, which can ask for it with
    `anyio.from_thread.check_cancelled`; a call that has no thread yet does without.

    Args:
        work: The function.
        *args: Its arguments.
        limiter: Bounds the threads; anyio's own if left out.
        discard: Called with a result that nobody will get, for the call was cancelled. Must
            be quick.
    """
    scope = anyio.CancelScope()
    made: list[T] = []

    async def run() -> None:
        with scope:
            made.append(await anyio.to_thread.run_sync(work, *args, limiter=limiter))

    thread = asyncio.create_task(run())
    try:
        await asyncio.shield(thread)
    except asyncio.CancelledError:
        scope.cancel()
        await _wait_uncancelled(thread)
        if made and discard is not None:
            discard(made[0])
        raise
    return made[0]


async def close_stream(stream: AsyncIterable[object]) -> None:
    """Close what an async generator has open; other iterators have nothing."""
    if isinstance(stream, AsyncGenerator):
        await stream.aclose()


async def in_executor(executor: Executor, work: Callable[[], T]) -> T:
    """Call a function in a thread of an executor, to its end.

    For many short calls: it costs the event loop less than `in_thread`, and always begins.

    Args:
        executor: Has the threads.
        work: A function that ends soon by itself.

    Raises:
        ConfigurationError: No event loop of asyncio is running.
        CancelledError: The caller was cancelled; what the work returned or raised is dropped.
    """
    thread = running_loop().run_in_executor(executor, work)
    cancellation = await _wait_uncancelled(thread)
    if cancellation is not None:
        raise cancellation
    return thread.result()


@asynccontextmanager
async def time_limit(seconds: float | None) -> AsyncGenerator[asyncio.Timeout]:
    """Leave a block after some time without an error; `expired()` of what it gives says whether.

    In place of `anyio.move_on_after`: before anyio 4.7 that takes a `task.cancel` of the same turn
    of the event loop for its own, and swallows it.

    Args:
        seconds: After which the block is left; `None` and infinity are never.
    """
    timeout = asyncio.timeout(None if seconds == math.inf else seconds)
    try:
        async with timeout:
            yield timeout
    except TimeoutError:
        if not timeout.expired():
            raise


async def _wait_uncancelled(task: asyncio.Future[Any]) -> asyncio.CancelledError | None:
    """Wait until a task has ended, and return what cancelled the caller meanwhile, if anything."""
    cancellation: asyncio.CancelledError | None = None
    with anyio.CancelScope(shield=True):
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError as problem:
                cancellation = problem
    if not task.cancelled():
        task.exception()  # perhaps nobody else looks, of which the event loop would complain
    return cancellation
