"""One thing for each event loop."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from humeai_async._base.event_loops import PerLoop


async def ask_twice(things: PerLoop[list[int]]) -> list[int]:
    assert things.current() is things.current()
    return things.current()


def test_each_event_loop_has_its_own_and_that_of_a_closed_one_is_forgotten() -> None:
    things = PerLoop[list[int]](lambda _: [])
    found = [asyncio.run(ask_twice(things)) for _ in range(3)]
    assert len({id(one) for one in found}) == 3
    assert [id(one) for one in things.all()] == [id(found[-1])]


def test_threads_may_ask_for_theirs_while_loops_come_and_go() -> None:
    things = PerLoop[list[int]](lambda _: [])

    def come_and_go(_: int) -> None:
        for _ in range(100):
            asyncio.run(ask_twice(things))

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(come_and_go, range(4))) == [None] * 4
    asyncio.run(ask_twice(things))
    assert len(things.all()) == 1


def test_that_of_the_running_loop_alone_is_taken_out() -> None:
    things = PerLoop[list[int]](lambda _: [])
    first = asyncio.new_event_loop()
    kept = first.run_until_complete(ask_twice(things))

    async def take_out() -> None:
        mine = await ask_twice(things)
        assert things.pop() is mine
        assert things.pop() is None

    asyncio.run(take_out())
    assert things.all() == [kept]
    first.close()
