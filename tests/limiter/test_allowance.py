"""A documented allowance is kept to, and refusals are believed more than the document."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from virtual_time import VirtualLoop

from humeai_async import Limiter, RateLimitWaitError
from humeai_async.limiter.allowance import Allowance, AllowanceGate
from humeai_async.limiter.limiter import BULK

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


async def acquire_eleven(limiter: Limiter) -> float:
    """Return the seconds that the eleventh call waited."""
    for _ in range(10):
        (await limiter.acquire("decisions", allowance=TEN_A_MINUTE)).done(200)
    return (await limiter.acquire("decisions", allowance=TEN_A_MINUTE)).waited


def test_a_limiter_keeps_to_an_allowance_unless_a_rate_was_declared() -> None:
    async def run() -> None:
        assert await acquire_eleven(Limiter()) == pytest.approx(60.3, abs=0.5)
        assert await acquire_eleven(Limiter(rate=5)) == pytest.approx(0.2, abs=0.05)

    in_virtual_time(run())


@pytest.mark.parametrize(
    "settings", [({"priority": BULK}, {}), ({}, {"head": True})], ids=["bulk", "refused"]
)
def test_calls_that_an_allowance_lets_go_keep_their_order(
    settings: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    async def run() -> None:
        limiter = Limiter()
        order: list[int] = []

        async def call(number: int, **options: Any) -> None:
            await limiter.acquire(allowance=Allowance(100, 1.0), **options)
            order.append(number)

        await asyncio.gather(*[call(0) for _ in range(4)])
        await asyncio.gather(*[call(number, **one) for number, one in enumerate(settings, 1)])
        assert order[4:] == [2, 1]

    in_virtual_time(run())


def test_a_call_behind_an_allowance_draws_on_its_own_bucket() -> None:
    async def run() -> None:
        limiter = Limiter()
        permit = await limiter.acquire("decisions", allowance=TEN_A_MINUTE)
        assert limiter.buckets == ("decisions",)
        assert limiter.snapshot("decisions").in_flight == 1
        permit.done(200)

    in_virtual_time(run())


def test_no_call_waits_for_an_allowance_beyond_its_own_deadline() -> None:
    async def run() -> None:
        limiter = Limiter()
        for _ in range(10):
            (await limiter.acquire(allowance=TEN_A_MINUTE)).done(200)
        until = asyncio.get_running_loop().time() + 30.0
        with pytest.raises(RateLimitWaitError, match="allowed"):
            await limiter.acquire(deadline=until, allowance=TEN_A_MINUTE)

    in_virtual_time(run())


def test_no_call_waits_for_an_allowance_longer_than_the_limiter_lets_it() -> None:
    async def run() -> None:
        limiter = Limiter(max_wait=50.0)
        with pytest.raises(RateLimitWaitError, match="allowed") as caught:
            await acquire_eleven(limiter)
        assert caught.value.seconds > 50.0
        await asyncio.sleep(caught.value.seconds - 50.0)
        permit = await limiter.acquire("decisions", allowance=TEN_A_MINUTE)
        assert permit.waited == pytest.approx(50.0)

    in_virtual_time(run())


def test_a_limiter_lowers_an_allowance_by_a_429_and_forgets_that_on_another_event_loop() -> None:
    limiter = Limiter()

    async def refuse() -> None:
        for status in (*[200] * 5, 429):
            (await limiter.acquire(allowance=TEN_A_MINUTE)).done(status)
        await asyncio.sleep(100)
        assert await count_at_once() == 5

    async def count_at_once() -> int:
        loop, count = asyncio.get_running_loop(), 0
        began = loop.time()
        while loop.time() < began + 30:
            (await limiter.acquire(allowance=TEN_A_MINUTE)).done(200)
            count += loop.time() < began + 30
        return count

    async def count_anew() -> None:
        assert await count_at_once() == 10

    in_virtual_time(refuse())
    in_virtual_time(count_anew())


def test_whoever_has_others_before_it_is_refused_by_the_time_that_they_take_too() -> None:
    async def run() -> None:
        gate = AllowanceGate(Allowance(2, 10.0))
        await gate.enter()
        await asyncio.sleep(1)
        await gate.enter()
        loop = asyncio.get_running_loop()
        waiting: list[asyncio.Task[None]] = []
        for seconds in (9.05, 10.05, 19.1, 20.1):
            with pytest.raises(RateLimitWaitError) as caught:
                await gate.enter(loop.time() + seconds - 0.1)
            assert caught.value.seconds == pytest.approx(seconds)
            waiting.append(asyncio.create_task(gate.enter(loop.time() + seconds + 0.1)))
            await asyncio.sleep(0)
        await asyncio.gather(*waiting)

    in_virtual_time(run())


def test_a_call_that_need_not_wait_goes_even_after_its_deadline() -> None:
    async def run() -> None:
        await asyncio.sleep(5)
        await AllowanceGate(TEN_A_MINUTE).enter(1.0)

    in_virtual_time(run())


def test_the_next_call_goes_as_soon_as_the_window_is_over() -> None:
    async def run() -> None:
        gate = AllowanceGate(Allowance(1, 10.0))
        first, second, third = await enter_many(gate, 3)
        assert (second - first, third - second) == pytest.approx((10.05, 10.05), abs=1e-3)

    in_virtual_time(run())


def test_the_count_grows_by_a_twentieth_for_each_window_that_was_used_up() -> None:
    async def run() -> None:
        gate = AllowanceGate(Allowance(100, 10.0))
        times = await enter_many(gate, 700)
        assert 104 <= gate.calls < 100 * 1.05 ** (times[-1] / 10.0)

    in_virtual_time(run())


def test_a_refusal_counts_the_calls_of_the_last_window_alone_and_leaves_at_least_one() -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        gate = AllowanceGate(TEN_A_MINUTE)
        await enter_many(gate, 10)
        await asyncio.sleep(100)
        await enter_many(gate, 4)
        gate.refuse(loop.time())
        assert gate.calls == 3
        await asyncio.sleep(100)
        gate.refuse(loop.time())
        assert gate.calls == 1

    in_virtual_time(run())


def test_after_a_refusal_the_count_grows_only_when_a_whole_window_was_used_up_again() -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        gate = AllowanceGate(TEN_A_MINUTE)
        waiting = asyncio.create_task(enter_many(gate, 60))
        await asyncio.sleep(59)
        gate.refuse(loop.time())
        assert gate.calls == 9
        await asyncio.sleep(60)
        assert gate.calls == 9
        await waiting
        assert gate.calls > 9

    in_virtual_time(run())


def test_a_refusal_that_moves_a_turn_beyond_the_deadline_is_told_when_it_would_have_come() -> None:
    async def run() -> None:
        gate = AllowanceGate(Allowance(2, 10.0))
        await gate.enter()
        await asyncio.sleep(8)
        await gate.enter()
        waiting = asyncio.create_task(gate.enter(asyncio.get_running_loop().time() + 4))
        await asyncio.sleep(1)
        gate.refuse(asyncio.get_running_loop().time())
        with pytest.raises(RateLimitWaitError):
            await waiting

    in_virtual_time(run())
