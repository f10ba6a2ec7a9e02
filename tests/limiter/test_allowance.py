"""A documented allowance is kept to, and refusals are believed more than the document."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from virtual_time import VirtualLoop

from humeai_async import Limiter, RateLimitWaitError
from humeai_async.limiter.allowance import Allowance, AllowanceGate

TEN_A_MINUTE = Allowance(10, 60.0)


def in_virtual_time(work: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(work)


async def enter_many(gate: AllowanceGate, count: int) -> list[float]:
    loop = asyncio.get_running_loop()
    times: list[float] = []

    async def enter() -> None:
        await gate.enter()
        times.append(loop.time())

    await asyncio.gather(*[enter() for _ in range(count)])
    return times


def most_in_window(times: list[float], seconds: float) -> int:
    return max(sum(at <= other < at + seconds for other in times) for at in times)


def test_no_window_holds_more_calls_than_allowed() -> None:
    async def run() -> None:
        times = await enter_many(AllowanceGate(TEN_A_MINUTE), 35)
        assert most_in_window(times, 60.0) == 10
        assert times[9] == times[0]
        assert 180 < times[-1] - times[0] < 182

    in_virtual_time(run())


def test_a_refusal_lowers_the_count_to_what_went_through() -> None:
    async def run() -> None:
        gate = AllowanceGate(TEN_A_MINUTE)
        await enter_many(gate, 8)
        gate.refuse(asyncio.get_running_loop().time())
        await asyncio.sleep(100)
        assert most_in_window(await enter_many(gate, 14), 60.0) == 7

    in_virtual_time(run())


def test_windows_used_up_without_a_refusal_raise_the_count() -> None:
    async def run() -> None:
        gate = AllowanceGate(TEN_A_MINUTE)
        await enter_many(gate, 300)
        assert gate.calls > 15

    in_virtual_time(run())


def test_a_wait_beyond_the_deadline_is_told_at_once() -> None:
    async def run() -> None:
        gate = AllowanceGate(TEN_A_MINUTE)
        await enter_many(gate, 10)
        now = asyncio.get_running_loop().time()
        with pytest.raises(RateLimitWaitError) as caught:
            await gate.enter(now + 30)
        assert caught.value.seconds == pytest.approx(60.3)
        assert asyncio.get_running_loop().time() == now

    in_virtual_time(run())


def test_a_cancelled_waiter_leaves_its_place_to_others() -> None:
    async def run() -> None:
        gate = AllowanceGate(Allowance(1, 10.0))
        await gate.enter()
        waiting = [asyncio.create_task(gate.enter()) for _ in range(3)]
        await asyncio.sleep(1)
        waiting[0].cancel()
        began = asyncio.get_running_loop().time()
        await asyncio.gather(*waiting[1:])
        assert asyncio.get_running_loop().time() - began < 20

    in_virtual_time(run())


def test_a_declared_rate_goes_before_the_document() -> None:
    async def run() -> None:
        assert Limiter(rate=5).gate("decisions", TEN_A_MINUTE) is None
        gate = Limiter().gate("decisions", TEN_A_MINUTE)
        assert gate is not None

    in_virtual_time(run())


def test_whoever_has_others_before_it_is_refused_by_the_time_that_they_take_too() -> None:
    async def run() -> None:
        gate = AllowanceGate(Allowance(2, 10.0))
        await enter_many(gate, 2)
        waiting = [asyncio.create_task(gate.enter()) for _ in range(2)]
        await asyncio.sleep(0)
        now = asyncio.get_running_loop().time()
        with pytest.raises(RateLimitWaitError) as caught:
            await gate.enter(now + 15)
        assert caught.value.seconds == pytest.approx(20.1)
        await asyncio.gather(*waiting)

    in_virtual_time(run())
