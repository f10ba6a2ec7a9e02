"""Runs into a folder: files and ledger in step, whatever fails."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import anyio
import pytest
from bulk_support import PATIENCE, search_quickly, urls
from support import client_of

from humeai_async import HumeAI, Retry, SaveError
from humeai_async.bulk.ledger import read_status
from humeai_async.bulk.runs import LEDGER, Report
from humeai_async.bulk.sinks import AnyOutcome, Sinks
from humeai_async.bulk.states import State
from humeai_async.testing import FakeHume, Fault

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def quick_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    search_quickly(monkeypatch)


async def run(hume: HumeAI, folder: Path, sources: list[str], **settings: Any) -> Report:
    given: dict[str, Any] = {"models": {"face": {}}, "job_size": 5, **settings}
    given.setdefault("search_patience", PATIENCE)
    return await hume.batch.predict_into(folder, sources, **given)


def sources_in(folder: Path) -> Counter[str]:
    text = (folder / "predictions.jsonl").read_text()
    return Counter(json.loads(line)["source"] for line in text.splitlines())


async def test_every_source_is_in_the_files_once(tmp_path: Path) -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        report = await run(hume, tmp_path, urls(40), formats=["jsonl", "csv"])
    assert Counter(urls(40)) == sources_in(tmp_path)
    assert (40, 40) == (report.outcomes, report.status.counts[State.ARRIVED])
    assert [tmp_path / "predictions.jsonl", tmp_path / "predictions.csv"] == list(report.files)


@pytest.mark.slow
async def test_many_outcomes_over_many_checkpoints_stay_in_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("humeai_async.bulk.runs.CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr("humeai_async.bulk.runs.WRITE_SIZE", 3)
    async with FakeHume(frames=1) as fake, client_of(fake) as hume:
        await run(hume, tmp_path, urls(200), formats=["jsonl", "parquet"])
    assert Counter(urls(200)) == sources_in(tmp_path)


async def test_a_disk_that_fails_in_mid_run_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, written = Sinks.write, 0

    def fail_once(self: Sinks, outcome: AnyOutcome) -> AnyOutcome:
        nonlocal written
        written += 1
        if written == 23:
            raise SaveError("No space left on device")
        return write(self, outcome)

    monkeypatch.setattr("humeai_async.bulk.runs.WRITE_SIZE", 4)
    monkeypatch.setattr("humeai_async.bulk.runs.CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(Sinks, "write", fail_once)
    async with FakeHume() as fake, client_of(fake) as hume:
        with pytest.raises(SaveError, match="No space left"):
            await run(hume, tmp_path, urls(40))
        status = await read_status(tmp_path / LEDGER)
        assert status.counts[State.ARRIVED] < 23
        await run(hume, tmp_path, urls(40))
        assert 40 == sum(len(job.sources) for job in fake.jobs.values())
    assert Counter(urls(40)) == sources_in(tmp_path)


@pytest.mark.parametrize("after", [0.0, 0.01, 0.03, 0.06, 0.1])
@pytest.mark.slow
async def test_a_cancelled_run_goes_on_where_it_was(tmp_path: Path, after: float) -> None:
    async with FakeHume(latency=0.003) as fake, client_of(fake) as hume:
        with anyio.move_on_after(after):
            await run(hume, tmp_path, urls(60), jobs_at_once=2)
        await run(hume, tmp_path, urls(60), jobs_at_once=2)
    assert Counter(urls(60)) == sources_in(tmp_path)


async def test_an_outcome_is_on_disk_although_no_other_comes(tmp_path: Path) -> None:
    sources = [*urls(5), *["https://media.example.com/stuck-job.mp4"]]
    async with FakeHume() as fake, client_of(fake) as hume:
        with anyio.move_on_after(5):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lambda: run(hume, tmp_path, sources))
                path = tmp_path / "predictions.jsonl"
                while not path.exists() or path.read_text().count("\n") < 5:
                    await anyio.sleep(0.01)
                tasks.cancel_scope.cancel()
    assert Counter(urls(5)) == sources_in(tmp_path)


async def test_an_outage_leaves_sources_open_and_the_next_start_goes_on(tmp_path: Path) -> None:
    async with FakeHume() as fake, client_of(fake, retry=Retry(attempts=1)) as hume:
        fake.faults.add(Fault("close", times=4))
        first = await run(hume, tmp_path, urls(10))
        second = await run(hume, tmp_path, urls(10))
        assert 10 == sum(len(job.sources) for job in fake.jobs.values())
    assert 0 == first.counts[State.FAILED]
    assert 10 == second.counts[State.ARRIVED]
    assert Counter(urls(10)) == sources_in(tmp_path)
