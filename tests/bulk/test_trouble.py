"""Runs that meet what should not happen: nothing is lost, and nothing is done twice."""

from __future__ import annotations

import itertools
import shutil
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import anyio
import pytest
from bulk_support import PATIENCE, draft, search_quickly, submitted, urls
from support import client_of

from humeai_async import HumeAI, LedgerError, NotFoundError, Retry, Timeout
from humeai_async._base.file_lock import FileLock
from humeai_async.bulk.connection import Connection
from humeai_async.bulk.ledger import Ledger, read_status
from humeai_async.bulk.sinks import SourceOutcome
from humeai_async.bulk.states import State
from humeai_async.testing import FakeHume, Fault

pytestmark = pytest.mark.anyio

CONFIGURATION = '{"models":{"face":{}}}'
PREDICTIONS = "/v0/batch/jobs/*/predictions"


@pytest.fixture(autouse=True)
def quick_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    search_quickly(monkeypatch)


async def run(hume: HumeAI, ledger: Path | Ledger, **settings: Any) -> list[SourceOutcome]:
    given: dict[str, Any] = {"models": {"face": {}}, "job_size": 3, "ledger": ledger, **settings}
    given.setdefault("search_patience", PATIENCE)
    return [outcome async for outcome in hume.batch.predict(urls(6), **given)]


async def test_a_job_that_vanishes_fails_its_sources_and_can_be_tried_again(
    tmp_path: Path,
) -> None:
    path = tmp_path / "run.db"
    async with FakeHume(run_seconds=0.05) as fake, client_of(fake) as hume:
        first: list[str] = []

        def lose_the_first(job: Any) -> None:
            if not first:
                first.append(job.id)
                del fake.jobs[job.id]

        outcomes = await run(hume, path, on_job=lose_the_first)
        assert await run(hume, path) == []
        again = await run(hume, path, retry_failed=True)
    lost = [outcome for outcome in outcomes if outcome.error]
    assert [True] * 3 == [isinstance(outcome.error, NotFoundError) for outcome in lost]
    assert {outcome.source for outcome in lost} == {outcome.source for outcome in again}
    assert [None] * 3 == [outcome.error for outcome in again]


async def test_a_source_that_fails_in_every_job_fails_by_itself_every_time(tmp_path: Path) -> None:
    sources = ["https://media.example.com/missing.mp4", *urls(2)]
    path = tmp_path / "run.db"
    async with FakeHume() as fake, client_of(fake) as hume:
        for attempt in range(3):
            given: dict[str, Any] = {"models": {"face": {}}, "ledger": path}
            run = hume.batch.predict(sources, retry_failed=attempt > 0, **given)
            failed = [outcome.source async for outcome in run if outcome.error]
            assert [sources[0]] == failed
        assert {sources[0]: 3, sources[1]: 1, sources[2]: 1} == submitted(fake)
        assert {State.FAILED: 1, State.ARRIVED: 2} == {
            state: count for state, count in (await read_status(path)).counts.items() if count
        }


async def test_predictions_that_never_come_leave_sources_open(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    settings: dict[str, Any] = {"retry": Retry(attempts=1), "timeout": Timeout(read=0.1, total=9)}
    async with FakeHume() as fake:
        fake.faults.add(Fault("stall", path=PREDICTIONS, times=2))
        async with client_of(fake, **settings) as hume:
            late = await run(hume, path, outage_patience=0)
        async with client_of(fake) as hume:
            again = await run(hume, path)
        assert Counter(urls(6)) == submitted(fake)
    assert ["APITimeoutError"] * 6 == [type(outcome.error).__name__ for outcome in late]
    assert [None] * 6 == [outcome.error for outcome in again]


async def test_a_disk_that_is_full_under_the_ledger_is_told_and_costs_nothing(
    tmp_path: Path,
) -> None:
    path = tmp_path / "run.db"
    async with FakeHume() as fake, client_of(fake) as hume:
        async with await Ledger.open(path, CONFIGURATION):
            pass
        connection = Connection(path, isolation_level=None, check_same_thread=False)
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
        connection.load_keys()
        ledger = Ledger(path, connection, FileLock(tmp_path / "run.db.lock"))
        # SQLite's own way to say that there is no room: rows that need a new page do not fit.
        long = ["https://media.example.com/" + "x" * 20 + f"{n}.mp4" for n in range(400)]
        with pytest.raises(LedgerError, match="full"):
            async for _ in hume.batch.predict(long, models={"face": {}}, ledger=ledger):
                pass
        await ledger.aclose()
        told = submitted(fake)
        rest = hume.batch.predict(long, models={"face": {}}, ledger=path)
        outcomes = [outcome async for outcome in rest]
        assert Counter(long) == submitted(fake)
    assert len(told) < 400
    assert [None] * len(outcomes) == [outcome.error for outcome in outcomes]


@pytest.mark.parametrize("number", range(2, 9))
async def test_a_disk_that_fails_once_ends_the_run_by_name_and_the_next_start_goes_on(
    number: int, tmp_path: Path
) -> None:
    path, commits = tmp_path / "run.db", itertools.count(1)
    real: Any = Connection.execute

    def execute(self: Connection, statement: str, *values: Any) -> sqlite3.Cursor:
        if statement == "COMMIT" and next(commits) == number:
            problem = sqlite3.OperationalError("disk I/O error")
            problem.sqlite_errorcode = sqlite3.SQLITE_IOERR_WRITE
            raise problem
        found: sqlite3.Cursor = real(self, statement, *values)
        return found

    async with FakeHume() as fake, client_of(fake) as hume:
        with pytest.MonkeyPatch.context() as failing:
            failing.setattr(Connection, "execute", execute)
            with pytest.raises(LedgerError, match=r"disk I/O error\. The disk failed"):
                await run(hume, path)
        await run(hume, path)
        assert Counter(urls(6)) == submitted(fake)
    assert (await read_status(path)).counts[State.ARRIVED] == 6


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.0, 0.4, 0.99, 1.0])
@pytest.mark.parametrize("step", ["plan", "send", "submit"])
async def test_a_ledger_cut_off_in_mid_write_goes_on_and_submits_nothing_twice(
    tmp_path: Path, step: str, share: float
) -> None:
    whole, cut = tmp_path / "whole.db", tmp_path / "cut.db"
    log = tmp_path / "whole.db-wal"
    async with FakeHume() as fake, client_of(fake) as hume:
        async with await Ledger.open(whole, CONFIGURATION) as ledger:
            before = log.stat().st_size
            planned = await ledger.plan(draft("urls", urls(3)))
            if step != "plan":
                before = log.stat().st_size
                await ledger.send(planned.number, None)
            if step == "submit":
                before = log.stat().st_size
                job = await hume.batch.start_job(urls=urls(3), models={"face": {}})
                await ledger.submit(planned.number, job.id)
            # As the disk is after the power went: the last write is there in part.
            written = log.read_bytes()
            size = before + round((len(written) - before) * share)
            shutil.copy(whole, cut)
            (tmp_path / "cut.db-wal").write_bytes(written[:size])
        assert len(written) > before
        outcomes = await run(hume, cut)
        assert Counter(urls(6)) == submitted(fake)
    assert sorted(urls(6)) == sorted(str(outcome.source) for outcome in outcomes)
    assert [None] * 6 == [outcome.error for outcome in outcomes]


async def test_more_doubts_than_jobs_at_once_hold_nothing_up(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    async with await Ledger.open(path, CONFIGURATION) as ledger:
        for url in urls(6):
            plan = await ledger.plan(draft("urls", [url], age=60))
            await ledger.send(plan.number, None)
    async with FakeHume() as fake, client_of(fake) as hume:
        with anyio.fail_after(20):
            outcomes = await run(hume, path, jobs_at_once=1)
        assert dict.fromkeys(urls(6), 1) == submitted(fake)
    assert [None] * 6 == [outcome.error for outcome in outcomes]
