"""Runs and waits that are left at any moment: nothing runs on, and the next start goes on."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from bulk_support import search_quickly
from cancelling import (
    Means,
    Trial,
    assert_idle,
    cut_everywhere,
    no_complaints,
    no_permit_dropped,
    open_files,
    settle,
)
from support import client_of

from humeai_async import BulkOptions, HumeAI, Limiter
from humeai_async.bulk.ledger import Ledger
from humeai_async.http import codec
from humeai_async.settings import Polling
from humeai_async.testing import FakeHume
from humeai_async.types.batch import InferenceRequest
from humeai_async.types.dicts import ModelsDict

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

LIMIT = 120.0
"""Seconds after which a test is taken for hung."""
ROUNDS = Polling(min_interval=0.002, max_interval=0.002)
MODELS: ModelsDict = {"face": {}}
QUICK = BulkOptions(search_patience=0.05)
SOURCES = ["https://example.com/0.mp4", "https://example.com/1.mp4"]


def client_for(fake: FakeHume) -> HumeAI:
    return client_of(fake, limiter=Limiter(rate=1e6), polling=ROUNDS)


@pytest.fixture(autouse=True)
def quick_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    search_quickly(monkeypatch)


async def job_of(hume: HumeAI) -> str:
    job = await hume.batch.start_job(urls=SOURCES, models=MODELS)
    await job.wait()
    return job.id


async def predict(hume: HumeAI, job_id: str, folder: Path, most: int) -> None:
    del job_id
    count = 0
    ledger = folder / f"run-{most}.db"
    async with hume.batch.predict(SOURCES, models=MODELS, job_size=1, ledger=ledger) as outcomes:
        async for _ in outcomes:
            count += 1
            if count > most:
                break


async def predict_plainly(hume: HumeAI, job_id: str, folder: Path, most: int) -> None:
    del job_id, folder
    count = 0
    async for _ in hume.batch.predict(SOURCES, models=MODELS, job_size=1):
        count += 1
        if count > most:
            break


async def fetch_plainly(hume: HumeAI, job_id: str, folder: Path, most: int) -> None:
    del folder
    count = 0
    async for _ in hume.batch.fetch_predictions([job_id] * 3, concurrency=2):
        count += 1
        if count > most:
            break


@pytest.mark.parametrize("most", [0, 1, 2])
@pytest.mark.parametrize("leave", [predict, predict_plainly, fetch_plainly])
async def test_a_loop_left_at_any_outcome_leaves_nothing_running(
    leave: Callable[[HumeAI, str, Path, int], Awaitable[None]], most: int, tmp_path: Path
) -> None:
    with anyio.fail_after(LIMIT):
        async with no_complaints(), FakeHume(run_seconds=0.005) as fake, client_for(fake) as hume:
            job_id = await job_of(hume)
            files = open_files()
            trial = Trial(lambda: leave(hume, job_id, tmp_path, most), Means.TASK, None)
            with no_permit_dropped():
                await trial.run()
                await settle(trial)
            assert_idle(hume)
            assert files == open_files()


async def test_a_run_has_let_go_of_its_ledger_when_its_cancelled_close_returns(
    tmp_path: Path,
) -> None:
    with anyio.fail_after(LIMIT):
        async with FakeHume(run_seconds=0.005) as fake, client_for(fake) as hume:
            number = 0
            runs = [hume.batch.predict(SOURCES, models=MODELS, ledger=tmp_path / "run-0.db")]

            async def leave() -> None:
                await runs[-1].aclose()

            async def open_again(trial: Trial) -> None:
                nonlocal number
                del trial
                async with await Ledger.open(tmp_path / f"run-{number}.db", runs_for):
                    number += 1
                runs.append(
                    hume.batch.predict(SOURCES, models=MODELS, ledger=tmp_path / f"run-{number}.db")
                )
                await anext(runs[-1])

            runs_for = codec.encode(InferenceRequest(models=MODELS)).decode()
            await anext(runs[-1])
            assert await cut_everywhere(leave, open_again, Means.TASK)
            await runs[-1].aclose()


async def test_a_run_cancelled_anywhere_submits_nothing_twice_and_loses_nothing(
    tmp_path: Path,
) -> None:
    with anyio.fail_after(LIMIT):
        async with no_complaints(), FakeHume() as fake, client_for(fake) as hume:
            arrived: list[object] = []
            files = open_files()
            number = 0

            async def run() -> None:
                ledger = tmp_path / f"run-{number}.db"
                predicting = hume.batch.predict(
                    SOURCES, models=MODELS, job_size=1, ledger=ledger, options=QUICK
                )
                async with predicting as outcomes:
                    async for outcome in outcomes:
                        assert outcome.error is None
                        arrived.append(outcome.source)

            async def go_on(trial: Trial) -> None:
                nonlocal number
                await settle(trial)
                assert_idle(hume)
                assert files == open_files()
                await run()
                assert set(SOURCES) == set(arrived)
                assert Counter(SOURCES) == Counter(
                    source.identity for job in fake.jobs.values() for source in job.sources
                )
                number += 1
                arrived.clear()
                fake.jobs.clear()

            assert await cut_everywhere(run, go_on, *Means)


async def test_a_folder_of_results_is_whole_wherever_its_run_was_cancelled(
    tmp_path: Path,
) -> None:
    with anyio.fail_after(LIMIT):
        async with no_complaints(), FakeHume() as fake, client_for(fake) as hume:
            files = open_files()
            number = 0

            async def run() -> None:
                await hume.batch.predict_into(
                    tmp_path / str(number), SOURCES, models=MODELS, options=QUICK
                )

            async def go_on(trial: Trial) -> None:
                nonlocal number
                await settle(trial)
                assert_idle(hume)
                assert files == open_files()
                await run()
                lines = (tmp_path / str(number) / "predictions.jsonl").read_text().splitlines()
                assert Counter(SOURCES) == Counter(json.loads(line)["source"] for line in lines)
                assert len(fake.jobs) == 1
                number += 1
                fake.jobs.clear()

            assert await cut_everywhere(run, go_on, *Means)


@pytest.mark.parametrize("means", Means, ids=lambda means: means.name.lower())
async def test_when_the_leader_of_waits_is_cancelled_anywhere_the_others_go_on(
    means: Means,
) -> None:
    with anyio.fail_after(LIMIT):
        async with no_complaints(), FakeHume(run_seconds=0.004) as fake, client_for(fake) as hume:
            inside: Any = hume
            at, is_cut = 0, True
            while is_cut:
                job = await hume.batch.start_job(urls=SOURCES, models=MODELS)
                trial = Trial(hume.batch.job(job.id).wait, means, at)
                leading = asyncio.ensure_future(trial.run())
                rounds = inside._poller.current()
                while rounds._leader is None and not leading.done():
                    await asyncio.sleep(0)
                others = [hume.batch.job(job.id).wait() for _ in range(2)]
                assert [one.status for one in await asyncio.gather(*others)] == ["COMPLETED"] * 2
                await leading
                await settle(trial)
                assert_idle(hume)
                is_cut, at = trial.suspensions > at, at + 1
            assert at > 2
