"""Slots of a pool, and who waits for one."""

from __future__ import annotations

import asyncio

import pytest

from humeai_async.http.transport.slots import Slots


async def next_turn() -> None:
    """Let every task that can go on do so."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)


def test_no_more_slots_are_taken_than_there_are() -> None:
    slots = Slots(2)
    assert [slots.take() for _ in range(3)] == [True, True, False]
    slots.release()
    assert slots.take()
    assert slots.taken == 2


@pytest.mark.anyio
async def test_a_slot_goes_to_those_who_wait_in_their_order_and_to_nobody_before_them() -> None:
    slots, came = Slots(1), list[str]()
    assert slots.take()

    async def wait(name: str) -> None:
        await slots.wait()
        came.append(name)

    async with asyncio.TaskGroup() as tasks:
        for name in ("first", "second"):
            tasks.create_task(wait(name))
        await next_turn()
        slots.release()
        assert not slots.take()
        await next_turn()
        assert came == ["first"]
        slots.release()
    assert came == ["first", "second"]
    slots.release()
    assert slots.taken == 0


@pytest.mark.anyio
@pytest.mark.parametrize("is_handed_over", [False, True])
async def test_a_cancelled_wait_leaves_its_slot_to_the_next(*, is_handed_over: bool) -> None:
    slots = Slots(1)
    assert slots.take()
    cancelled, following = (asyncio.create_task(slots.wait()) for _ in range(2))
    await next_turn()
    if is_handed_over:
        slots.release()
        cancelled.cancel()
    else:
        cancelled.cancel()
        await next_turn()
        slots.release()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    await asyncio.wait_for(following, 10)
    slots.release()
    assert slots.taken == 0
