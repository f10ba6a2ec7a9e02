"""A run that is watched by a loop, as a page in a browser does."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from bulk_support import urls
from support import client_of

from humeai_async import ClientClosedError, ConfigurationError, LedgerError, RunUpdates
from humeai_async.testing import FakeHume

pytestmark = pytest.mark.anyio

Note = Callable[[int], None]


async def test_a_run_gives_its_progress_up_to_its_end(tmp_path: Path) -> None:
    async with FakeHume(run_seconds=0.02) as fake, client_of(fake) as hume:
        start = functools.partial(
            hume.batch.predict_into, tmp_path, urls(20), models={"face": {}}, job_size=5
        )
        async with RunUpdates(start) as updates:
            seen = [progress async for progress in updates]
            report = await updates.result()
    assert (seen[0].total, seen[0].done, seen[-1].done) == (20, 0, 20)
    assert report.outcomes == 20


async def test_a_slow_loop_gets_the_newest_state_and_the_last() -> None:
    gate = anyio.Event()

    async def run(*, on_progress: Note) -> str:
        on_progress(1)
        await gate.wait()
        for number in range(2, 100):
            on_progress(number)
        return "done"

    seen: list[int] = []
    async with RunUpdates(run) as updates:
        async for number in updates:
            seen.append(number)
            gate.set()
            await anyio.lowlevel.checkpoint()
        assert await updates.result() == "done"
    assert seen == [1, 99]


async def test_what_the_run_raises_comes_out_of_the_loop_and_once() -> None:
    async def run(*, on_progress: Note) -> None:
        on_progress(1)
        raise LedgerError("another run has the folder")

    async def watch() -> None:
        async with RunUpdates(run) as updates:
            assert await anext(updates) == 1
            await anext(updates)

    with pytest.raises(LedgerError):
        await watch()


async def test_a_run_that_was_left_cancels_nobody_who_asks_for_its_result() -> None:
    async def run(*, on_progress: Note) -> None:
        on_progress(1)
        await anyio.sleep_forever()

    async with RunUpdates(run) as updates:
        assert await anext(updates) == 1
    with pytest.raises(ClientClosedError, match="Start it again"):
        await updates.result()


async def test_a_failed_run_that_nobody_looked_at_fails_its_block() -> None:
    async def run(*, on_progress: Note) -> None:
        del on_progress
        raise LedgerError("another run has the folder")

    with pytest.raises(LedgerError):
        async with RunUpdates(run):
            await anyio.sleep(0.01)


async def test_leaving_the_block_early_cancels_the_run() -> None:
    ended: list[str] = []

    async def run(*, on_progress: Note) -> None:
        on_progress(1)
        try:
            await anyio.sleep_forever()
        finally:
            ended.append("cancelled")

    async with RunUpdates(run) as updates:
        async for _ in updates:
            break
    assert ended == ["cancelled"]


async def test_cancelling_who_waits_for_the_result_leaves_the_run_alone() -> None:
    gate = asyncio.Event()

    async def run(*, on_progress: Note) -> int:
        del on_progress
        await gate.wait()
        return 7

    async with RunUpdates(run) as updates:
        with anyio.move_on_after(0.01):
            await updates.result()
        gate.set()
        assert await updates.result() == 7


async def test_cancelling_the_loop_ends_the_run() -> None:
    is_over = False

    async def run(*, on_progress: Note) -> None:
        nonlocal is_over
        del on_progress
        try:
            await anyio.sleep_forever()
        finally:
            is_over = True

    with anyio.move_on_after(0.01):
        async with RunUpdates(run) as updates:
            async for _ in updates:
                pass
    assert is_over


async def test_updates_need_their_block_and_serve_one_run() -> None:
    async def run(*, on_progress: Note) -> None:
        on_progress(1)

    updates = RunUpdates(run)
    with pytest.raises(ConfigurationError, match="async with"):
        await anext(updates)
    async with updates:
        assert [number async for number in updates] == [1]
    with pytest.raises(ConfigurationError, match="have begun"):
        async with updates:
            pass
