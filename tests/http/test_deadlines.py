from __future__ import annotations

import asyncio
import math
from typing import Any

import anyio
import pytest
import virtual_time

from humeai_async.http.deadlines import Deadline, Deadlines, StallLimit

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return virtual_time.BACKEND


@pytest.fixture
async def deadlines() -> Deadlines:
    return Deadlines(asyncio.get_running_loop())


def now() -> float:
    return asyncio.get_running_loop().time()


async def sleep_within(deadlines: Deadlines, seconds: float, limit: float) -> tuple[str, float]:
    """Sleep under a deadline; say how it ended and after how long."""
    began = now()
    with Deadline(deadlines, began + limit):
        await asyncio.sleep(seconds)
        return "done", now() - began
    return "cut", now() - began


async def test_a_block_ends_at_its_deadline(deadlines: Deadlines) -> None:
    assert await sleep_within(deadlines, 10, limit=3) == ("cut", 3)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_block_in_time_is_left_alone(deadlines: Deadlines) -> None:
    assert await sleep_within(deadlines, 1, limit=3) == ("done", 1)
    await asyncio.sleep(100)


async def test_each_of_many_blocks_has_its_own_deadline(deadlines: Deadlines) -> None:
    limits = [5, 1, 9, 3, 7, 3, 20]
    ends = await asyncio.gather(*[sleep_within(deadlines, 10, limit=limit) for limit in limits])
    assert ends == [("cut", limit) if limit < 10 else ("done", 10) for limit in limits]


async def test_many_blocks_share_one_timer(
    deadlines: Deadlines, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    set_timers: list[float] = []
    call_at = loop.call_at

    def counted(when: float, *rest: Any, **named: Any) -> asyncio.TimerHandle:
        set_timers.append(when)
        return call_at(when, *rest, **named)

    monkeypatch.setattr(loop, "call_at", counted)
    for _ in range(1000):
        with Deadline(deadlines, now() + 300):
            pass
    assert len(set_timers) == 1


async def test_a_block_without_a_deadline_sets_no_timer(
    deadlines: Deadlines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asyncio.get_running_loop(), "call_at", None)
    with Deadline(deadlines, float("inf")):
        pass


async def test_a_cancellation_from_elsewhere_passes_through(deadlines: Deadlines) -> None:
    task = asyncio.create_task(sleep_within(deadlines, 10, limit=3))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancellation_at_the_same_moment_wins(deadlines: Deadlines) -> None:
    task = asyncio.create_task(sleep_within(deadlines, 10, limit=3))
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_at(now() + 3, task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_scope_of_a_caller_ends_the_block_before_the_deadline(
    deadlines: Deadlines,
) -> None:
    with anyio.move_on_after(2) as scope:
        await sleep_within(deadlines, 10, limit=3)
    assert scope.cancelled_caught
    assert await sleep_within(deadlines, 1, limit=3) == ("done", 1)


async def test_the_inner_of_two_deadlines_strikes_alone(deadlines: Deadlines) -> None:
    with Deadline(deadlines, now() + 8):
        assert await sleep_within(deadlines, 10, limit=3) == ("cut", 3)
        return
    pytest.fail("the outer deadline struck")


async def test_the_outer_of_two_deadlines_ends_both(deadlines: Deadlines) -> None:
    began = now()
    with Deadline(deadlines, began + 3):
        await sleep_within(deadlines, 10, limit=8)
        pytest.fail("the outer deadline did not expire")
    assert now() - began == 3


async def test_an_error_of_the_block_at_its_end_is_kept(deadlines: Deadlines) -> None:
    async def fail_when_cancelled() -> None:
        with Deadline(deadlines, now() + 3):
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                raise KeyError from None

    with pytest.raises(KeyError):
        await fail_when_cancelled()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


def test_a_timer_that_comes_early_ends_its_block_all_the_same() -> None:
    loop = virtual_time.CoarseLoop()

    async def run() -> tuple[str, float]:
        return await sleep_within(Deadlines(loop), 10, limit=3.0004)

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        ended, _ = runner.run(run())
    assert ended == "cut"
    assert loop.timers == 2


class Arriving:
    """A body of which a piece has come at each of some times."""

    def __init__(self, *times: float) -> None:
        self._times = [now() + time for time in times]

    @property
    def total_bytes(self) -> int:
        return sum(time <= now() for time in self._times)


async def read_within(deadlines: Deadlines, body: Arriving | None, seconds: float) -> float:
    """Wait for a body under a limit of 10 s, and return for how long that was."""
    began, limit = now(), StallLimit(deadlines, math.inf, 10.0)
    limit.start(body)
    with limit:
        await asyncio.sleep(seconds)
    return now() - began


async def test_a_server_that_sends_nothing_is_waited_for_no_longer(deadlines: Deadlines) -> None:
    assert await read_within(deadlines, None, 100) == 10
    assert await read_within(deadlines, Arriving(), 100) == 10


async def test_a_body_that_goes_on_is_waited_for_however_long_it_takes(
    deadlines: Deadlines,
) -> None:
    assert await read_within(deadlines, Arriving(*range(0, 100, 9)), 100) == 100


async def test_a_body_that_stalls_is_given_up_an_eighth_late_at_most(deadlines: Deadlines) -> None:
    waited = await read_within(deadlines, Arriving(1, 5, 12), 100)
    assert 12 + 10 <= waited <= 12 + 10 + 10 / 8


async def test_the_time_of_a_request_runs_from_when_it_was_written(deadlines: Deadlines) -> None:
    began, limit = now(), StallLimit(deadlines, math.inf, 10.0)
    with limit:
        await asyncio.sleep(30)  # for a connection
        limit.start()
        await asyncio.sleep(100)
    assert now() - began == 40


@pytest.mark.parametrize("kind", [Deadline, StallLimit])
@pytest.mark.parametrize("delay", [0.0, 0.05], ids=["read before timers", "read after them"])
async def test_a_response_that_came_while_the_event_loop_stood_still_is_not_thrown_away(
    deadlines: Deadlines, kind: type[Deadline], delay: float
) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, virtual_time.VirtualLoop)
    arrived: asyncio.Future[str] = loop.create_future()

    def stand_still() -> None:
        loop.stand_still(20)
        loop.call_at(loop.time() + delay, loop.call_soon, arrived.set_result, "response")

    loop.call_later(1, stand_still)
    limit = StallLimit(deadlines, math.inf, 10.0)
    response = ""
    with limit if kind is StallLimit else Deadline(deadlines, now() + 10):
        limit.start()
        response = await arrived
    assert response == "response"
    assert deadlines.running == set()


async def test_a_server_that_sent_nothing_while_the_event_loop_stood_still_is_given_up(
    deadlines: Deadlines,
) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, virtual_time.VirtualLoop)
    loop.call_later(1, loop.stand_still, 20)
    assert 21 <= await read_within(deadlines, None, 100) < 22
