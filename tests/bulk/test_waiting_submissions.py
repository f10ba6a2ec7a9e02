"""Time is counted from when a submission was sent, not from its plan: it may wait in between."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from bulk_support import draft, search_quickly, submitted, urls
from support import client_of
from waiting import until

from humeai_async import HumeAI, Limiter, Pool
from humeai_async.bulk.ledger import Ledger
from humeai_async.bulk.sinks import SourceOutcome
from humeai_async.bulk.states import WorkState
from humeai_async.bulk.work import local_ms
from humeai_async.testing import FakeHume, Fault
from humeai_async.types.dicts import ModelsDict

pytestmark = pytest.mark.anyio

MODELS: ModelsDict = {"face": {}}
CONFIGURATION = '{"models":{"face":{}}}'
DAY = 86_400.0
LONG = 300.0
"""Seconds of patience that no test waits for."""


@pytest.fixture(autouse=True)
def quick_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    search_quickly(monkeypatch)


async def run(hume: HumeAI, ledger: Path, **settings: Any) -> list[SourceOutcome]:
    outcomes = hume.batch.predict(urls(3), models=MODELS, ledger=ledger, **settings)
    async with outcomes:
        return [one async for one in outcomes]


async def work_state(ledger: Path) -> WorkState:
    async with await Ledger.open(ledger, CONFIGURATION) as opened:
        return (await opened.read_plan(1)).state


async def leave_a_run(
    hume: HumeAI, ledger: Path, is_so: Callable[[], object], then: Callable[[], object] = int
) -> None:
    """Start a run, wait until something is so, do another thing, and leave the run."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(run, hume, ledger, search_patience=LONG))
        await until(is_so)
        then()
        tasks.cancel_scope.cancel()


def waits_in_the_limiter(hume: HumeAI) -> Callable[[], object]:
    limiter = hume.limiter
    return lambda: any(limiter.snapshot(bucket).waiting for bucket in limiter.buckets)


async def test_a_submission_that_waited_long_and_was_cut_off_is_searched_for_patiently(
    tmp_path: Path,
) -> None:
    path = tmp_path / "run.db"
    async with FakeHume() as fake, client_of(fake) as hume:
        async with await Ledger.open(path, CONFIGURATION) as ledger:
            plan = await ledger.plan(draft("urls", urls(3), age=DAY))
            await ledger.send(plan.number, local_ms())

        async def carry_out_late() -> None:
            await anyio.sleep(0.2)
            await hume.batch.start_job(urls=urls(3), models=MODELS)

        _, outcomes = await asyncio.gather(carry_out_late(), run(hume, path, search_patience=2.0))
        assert Counter(urls(3)) == submitted(fake)
    assert [None] * 3 == [one.error for one in outcomes]


async def test_a_job_that_was_named_late_and_does_not_show_yet_is_not_given_up(
    tmp_path: Path,
) -> None:
    path = tmp_path / "run.db"
    async with FakeHume() as fake, client_of(fake) as hume:
        job = await hume.batch.start_job(urls=urls(3), models=MODELS)
        async with await Ledger.open(path, CONFIGURATION) as ledger:
            plan = await ledger.plan(draft("urls", urls(3), age=DAY))
            await ledger.send(plan.number, local_ms())
            await ledger.submit(plan.number, job.id)
        fake.faults.add(Fault("status", status=404, method="GET", path=f"/v0/batch/jobs/{job.id}"))
        outcomes = await run(hume, path, search_patience=5.0)
    assert [None] * 3 == [one.error for one in outcomes]


async def test_a_single_404_does_not_give_up_a_job_that_was_named_long_ago(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    async with FakeHume() as fake, client_of(fake) as hume:
        job = await hume.batch.start_job(urls=urls(3), models=MODELS)
        async with await Ledger.open(path, CONFIGURATION) as ledger:
            plan = await ledger.plan(draft("urls", urls(3), age=2 * DAY))
            await ledger.send(plan.number, local_ms() - round(DAY * 1000))
            await ledger.submit(plan.number, job.id)
        fake.faults.add(Fault("status", status=404, method="GET", path=f"/v0/batch/jobs/{job.id}"))
        outcomes = await run(hume, path, search_patience=5.0)
        assert Counter(urls(3)) == submitted(fake)
    assert [None] * 3 == [one.error for one in outcomes]


async def test_a_submission_sent_days_ago_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    async with FakeHume() as fake, client_of(fake) as hume:
        async with await Ledger.open(path, CONFIGURATION) as ledger:
            plan = await ledger.plan(draft("urls", urls(3), age=2 * DAY))
            await ledger.send(plan.number, local_ms() - round(DAY * 1000))
        with anyio.fail_after(20):
            outcomes = await run(hume, path, search_patience=LONG)
        assert Counter(urls(3)) == submitted(fake)
    assert [None] * 3 == [one.error for one in outcomes]


@pytest.mark.parametrize("is_killed", [False, True], ids=["interrupted", "killed"])
async def test_a_submission_that_still_waits_for_its_turn_goes_at_once_after_the_restart(
    is_killed: bool, tmp_path: Path
) -> None:
    path, copy = tmp_path / "run.db", tmp_path / "copy.db"
    async with FakeHume() as fake:
        only_one = Limiter(rate=0.01, burst=1)  # it is the list that the run begins with
        async with client_of(fake, limiter=only_one) as hume:
            waits = waits_in_the_limiter(hume)
            await leave_a_run(hume, path, waits, lambda: copy_ledger(path, copy))
        left = copy if is_killed else path
        assert await work_state(left) is WorkState.PLANNED
        async with client_of(fake) as hume:
            with anyio.fail_after(20):
                outcomes = await run(hume, left, search_patience=LONG)
        assert Counter(urls(3)) == submitted(fake)
    assert [None] * 3 == [one.error for one in outcomes]


async def test_a_submission_that_was_refused_and_waits_goes_at_once_after_an_interruption(
    tmp_path: Path,
) -> None:
    path = tmp_path / "run.db"
    async with FakeHume() as fake:
        fake.faults.add(
            Fault("status", status=429, method="POST", headers={"Retry-After": "100"}, times=1)
        )
        async with client_of(fake) as hume:
            await leave_a_run(hume, path, waits_in_the_limiter(hume))
        assert await work_state(path) is WorkState.REJECTED
        async with client_of(fake) as hume:
            with anyio.fail_after(20):
                outcomes = await run(hume, path, search_patience=LONG)
        assert Counter(urls(3)) == submitted(fake)
    assert [None] * 3 == [one.error for one in outcomes]


@pytest.mark.slow
@pytest.mark.parametrize("is_killed", [False, True], ids=["interrupted", "killed"])
async def test_a_submission_that_waits_for_a_connection_counts_as_sent_until_it_is_cancelled(
    is_killed: bool, tmp_path: Path
) -> None:
    path, copy = tmp_path / "run.db", tmp_path / "copy.db"
    async with FakeHume() as fake:
        fake.faults.add(Fault("stall", method="GET", path="/v0/evi/tools"))
        async with client_of(fake, pool=Pool(limit=1)) as hume, anyio.create_task_group() as group:

            async def sources() -> AsyncIterator[str]:
                group.start_soon(_list_tools, hume)  # takes the only connection, and keeps it
                await anyio.sleep(0.1)
                for url in urls(3):
                    yield url

            with anyio.move_on_after(0.4):
                waiting = hume.batch.predict(sources(), models=MODELS, ledger=path, group_wait=0.0)
                async with waiting, anyio.create_task_group() as watching:
                    watching.start_soon(_copy_later, path, copy)
                    async for _ in waiting:
                        pass
            group.cancel_scope.cancel()
        left = copy if is_killed else path
        assert await work_state(left) is (WorkState.SENT if is_killed else WorkState.REJECTED)
        async with client_of(fake) as hume:
            with anyio.fail_after(20):
                outcomes = await run(hume, left, search_patience=0.3)
        assert Counter(urls(3)) == submitted(fake)
    assert [None] * 3 == [one.error for one in outcomes]


async def _list_tools(hume: HumeAI) -> None:
    await hume.tools.list()


async def _copy_later(path: Path, copy: Path) -> None:
    await anyio.sleep(0.3)
    copy_ledger(path, copy)


def copy_ledger(path: Path, copy: Path) -> None:
    for end in ("", "-wal"):
        shutil.copy(f"{path}{end}", f"{copy}{end}")


async def test_a_submission_that_was_cut_off_on_its_way_is_in_doubt(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    async with FakeHume() as fake, client_of(fake) as hume:
        fake.faults.add(Fault("stall", method="POST"))
        await leave_a_run(hume, path, lambda: fake.count(method="POST"))
        assert await work_state(path) is WorkState.SENT


async def test_a_clock_that_is_set_while_a_run_waits_for_its_sources_hides_no_lost_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def come_late() -> AsyncIterator[str]:
        await anyio.sleep(0.2)  # the run has begun, and knows the service's time
        for module in ("work", "submissions"):
            monkeypatch.setattr(
                f"humeai_async.bulk.{module}.local_ms", lambda: local_ms() + 600_000
            )
        for url in urls(3):
            yield url

    async with FakeHume() as fake, client_of(fake) as hume:
        fake.faults.add(Fault("reset", method="POST", after_work=True))
        given: dict[str, Any] = {"ledger": tmp_path / "run.db", "search_patience": 0.5}
        async with hume.batch.predict(come_late(), models=MODELS, **given) as outcomes:
            found = [one async for one in outcomes]
        assert Counter(urls(3)) == submitted(fake)
    assert [None] * 3 == [one.error for one in found]
