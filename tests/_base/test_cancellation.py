"""Work that is not left half done when its caller is cancelled, by whatever means."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Awaitable, Callable

import anyio
import anyio.from_thread
import anyio.lowlevel
import pytest
import virtual_time

from humeai_async._base.cancellation import (
    in_thread,
    run_uncancelled,
    run_uncancelled_while,
    time_limit,
)

pytestmark = pytest.mark.anyio


async def cancelled(work: Callable[[], Awaitable[object]], begun: anyio.Event, times: int) -> None:
    """Run work in a task, cancel it so often once it has begun, and wait for its end."""
    task = asyncio.ensure_future(work())
    await begun.wait()
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("times", [1, 3])
async def test_work_ends_before_its_cancelled_caller(times: int) -> None:
    begun, steps = anyio.Event(), 0

    async def work() -> None:
        nonlocal steps
        begun.set()
        for _ in range(20):
            await asyncio.sleep(0)
            steps += 1

    await cancelled(lambda: run_uncancelled(work()), begun, times)
    assert steps == 20


async def test_work_ends_although_a_cancel_scope_goes_on_cancelling() -> None:
    steps = 0

    async def work() -> None:
        nonlocal steps
        for _ in range(20):
            await asyncio.sleep(0)
            steps += 1

    with anyio.CancelScope() as scope:
        scope.cancel()
        await run_uncancelled(work())
        await anyio.lowlevel.checkpoint()
    assert scope.cancelled_caught
    assert steps == 20


async def test_what_work_returns_and_raises_comes_out() -> None:
    async def fail() -> None:
        raise OSError(5, "mine")

    assert await run_uncancelled(asyncio.sleep(0, "done")) == "done"
    assert await in_thread(divmod, 7, 2) == (3, 1)
    with pytest.raises(OSError, match="mine"):
        await run_uncancelled(fail())
    with pytest.raises(ZeroDivisionError):
        await in_thread(divmod, 7, 0)


async def test_an_error_of_work_does_not_hide_the_cancellation() -> None:
    begun = anyio.Event()

    async def fail() -> None:
        begun.set()
        await asyncio.sleep(0)
        raise OSError(5, "mine")

    await cancelled(lambda: run_uncancelled(fail()), begun, 1)


@pytest.mark.parametrize("times", [1, 3])
async def test_a_cancelled_call_returns_after_its_thread(times: int) -> None:
    begun, may_end = anyio.Event(), threading.Event()
    dropped: list[str] = []

    def work() -> str:
        anyio.from_thread.run_sync(begun.set)
        may_end.wait(30)
        return "made"

    task = asyncio.ensure_future(in_thread(work, discard=dropped.append))
    await begun.wait()
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0)
    assert not task.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert dropped == ["made"]


async def test_an_error_in_the_thread_of_a_cancelled_call_is_nobodys_news() -> None:
    begun, may_end = anyio.Event(), threading.Event()
    loop, complaints = asyncio.get_running_loop(), list[dict[str, object]]()

    def work() -> None:
        anyio.from_thread.run_sync(begun.set)
        may_end.wait(30)
        raise OSError(5, "mine")

    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    task = asyncio.ensure_future(in_thread(work))
    await begun.wait()
    task.cancel()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    del task
    gc.collect()
    loop.set_exception_handler(before)
    assert complaints == []


async def test_a_thread_hears_that_its_call_was_cancelled() -> None:
    begun = anyio.Event()
    rounds = 0

    def work() -> None:
        nonlocal rounds
        anyio.from_thread.run_sync(begun.set)
        for _ in range(30_000):
            rounds += 1
            time.sleep(0.001)
            anyio.from_thread.check_cancelled()

    await cancelled(lambda: in_thread(work), begun, 1)
    assert rounds < 30_000


async def test_a_call_that_waits_for_a_thread_is_cancelled_without_one() -> None:
    calls: list[int] = []
    limiter = anyio.CapacityLimiter(1)
    async with limiter:
        task = asyncio.ensure_future(in_thread(calls.append, 1, limiter=limiter))
        while not limiter.statistics().tasks_waiting:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert calls == []


async def cancelled_while(*, is_needed: bool, seconds: float, standstill: float = 0.0) -> list[str]:
    """Cancel a caller in the middle of its work; returns what the work came to.

    Args:
        is_needed: Whether the work still is.
        seconds: How long the caller waits for it.
        standstill: Seconds in which the event loop has no turn, before the work goes on.
    """
    steps: list[str] = []
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await go_on.wait()
        except asyncio.CancelledError:
            steps.append("cancelled")
            raise
        steps.append("done")

    caller = asyncio.create_task(run_uncancelled_while(work(), lambda: is_needed, seconds=seconds))
    await begun.wait()
    caller.cancel()
    loop = asyncio.get_running_loop()
    if standstill:
        assert isinstance(loop, virtual_time.VirtualLoop)
        loop.call_later(0.005, loop.stand_still, standstill)
    loop.call_later(standstill + 0.01, go_on.set)
    with pytest.raises(asyncio.CancelledError):
        await caller
    return steps


async def test_work_that_is_needed_is_done_although_its_caller_is_cancelled() -> None:
    assert await cancelled_while(is_needed=True, seconds=10) == ["done"]


async def test_work_that_is_not_needed_is_cancelled_with_its_caller() -> None:
    assert await cancelled_while(is_needed=False, seconds=10) == ["cancelled"]


async def test_work_that_is_needed_is_not_waited_for_without_end() -> None:
    assert await cancelled_while(is_needed=True, seconds=0) == ["cancelled"]


@pytest.mark.parametrize("anyio_backend", [virtual_time.BACKEND])
async def test_work_that_is_needed_is_waited_for_although_the_event_loop_stood_still() -> None:
    assert await cancelled_while(is_needed=True, seconds=10, standstill=20) == ["done"]


async def test_work_whose_caller_is_not_cancelled_returns_and_raises_as_it_is() -> None:
    async def give() -> int:
        return 3

    async def fail() -> int:
        raise ValueError("no")

    assert await run_uncancelled_while(give(), lambda: True, seconds=1) == 3
    with pytest.raises(ValueError, match="no"):
        await run_uncancelled_while(fail(), lambda: True, seconds=1)


async def test_a_block_is_left_without_an_error_when_its_time_is_over() -> None:
    async with time_limit(0.0) as limit:
        await anyio.sleep_forever()
    assert limit.expired()


async def test_a_cancellation_in_the_turn_in_which_the_time_is_over_is_not_lost() -> None:
    waits = anyio.Event()
    went_on = False

    async def work() -> None:
        nonlocal went_on
        async with time_limit(0.0):
            awaited = asyncio.get_running_loop().create_future()
            # What the end of the time cancels says so first here, and then wakes the task.
            awaited.add_done_callback(lambda _: task.cancel())
            waits.set()
            await awaited
        went_on = True

    task = asyncio.ensure_future(work())
    await waits.wait()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not went_on


async def test_a_timeout_error_of_the_block_itself_comes_out() -> None:
    with pytest.raises(TimeoutError, match="of its own"):
        async with time_limit(60.0):
            raise TimeoutError("of its own")
