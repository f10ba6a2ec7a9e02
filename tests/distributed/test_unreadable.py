"""Results that are paid for and cannot be read: read or fetched again, and never bought again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from bulk_support import submitted
from distributed_support import MODELS, make_client, sources_in, urls
from live_support import speech, wav
from redis_servers import running

from humeai_async import HumeAI, LedgerError
from humeai_async.bulk.options import BulkOptions
from humeai_async.distributed import (
    PartitionReport,
    RedisLedger,
    collect,
    partitions,
    plan,
    plan_measurements,
    retry_failed,
    work,
)
from humeai_async.testing import FakeHume, Fault
from humeai_async.types.expression import AudioResult

pytestmark = pytest.mark.anyio

ONE_AT_ONCE = BulkOptions(jobs_at_once=1)


def odd_predictions(url: str) -> Fault:
    """Return a fault that gives a job's predictions in a form that nobody knows."""
    models = {"face": {"grouped_predictions": 7}}
    results = {"predictions": [{"file": "a", "models": models}], "errors": []}
    body = json.dumps([{"source": {"type": "url", "url": url}, "results": results}]).encode()
    return Fault("status", "GET", "*/predictions", status=200, body=body)


async def work_on_all(into: Path, hume: HumeAI, **given: Any) -> list[PartitionReport]:
    given = {"options": ONE_AT_ONCE, **given}
    return [await work(one, hume, **given) for one in await partitions(into)]


def odd_rows(result: AudioResult, *, long: bool) -> list[dict[str, object]]:
    del result, long
    return [{"start_ms": "a text"}]


async def run_with_trouble(
    fake: FakeHume, hume: HumeAI, into: Path, ledger: RedisLedger | None = None
) -> None:
    """Run jobs of which one cannot be read and one fails, and plan both once more."""
    sources = [*urls(2), "https://media.example.com/missing.mp4"]
    fake.faults.add(odd_predictions(sources[0]))
    await plan(into, sources, models=MODELS, job_size=1)
    (report,) = await work_on_all(into, hume, ledger=ledger)
    assert (report.arrived, report.failed, report.unreadable) == (1, 2, 1)
    assert await retry_failed(into, partition_size=1) == 2


def files_left(into: Path) -> list[str]:
    return [one.name for one in (into / "_run" / "ledgers").iterdir() if one.suffix == ".db"]


async def check_trouble_is_over(
    fake: FakeHume, hume: HumeAI, into: Path, ledger: RedisLedger | None = None
) -> None:
    (once, twice), failing = urls(2), "https://media.example.com/missing.mp4"
    fake.faults.add(odd_predictions(once))  # it is still so at the next start
    again = await work_on_all(into, hume, ledger=ledger)
    assert sorted((one.failed, one.unreadable) for one in again) == [(1, 0), (1, 1)]
    await retry_failed(into)
    await work_on_all(into, hume, ledger=ledger)
    assert submitted(fake) == {once: 1, twice: 1, failing: 3}
    report = await collect(into)
    assert (report.sources, report.arrived, report.failed) == (3, 2, 1)
    assert sources_in(into) == {once: 1, twice: 1}


async def test_predictions_that_could_not_be_read_are_fetched_again_and_not_submitted(
    tmp_path: Path,
) -> None:
    async with FakeHume() as fake, make_client(fake.url) as hume:
        await run_with_trouble(fake, hume, tmp_path)
        await check_trouble_is_over(fake, hume, tmp_path)
    assert not files_left(tmp_path)


@pytest.mark.server
async def test_a_ledger_in_redis_knows_what_could_not_be_read(
    tmp_path: Path,
) -> None:
    into = tmp_path / "run"
    with running("redis", tmp_path) as server:
        ledger = RedisLedger(server.url)
        async with FakeHume() as fake, make_client(fake.url) as hume:
            await run_with_trouble(fake, hume, into, ledger)
            await check_trouble_is_over(fake, hume, into, ledger)
        assert server.say("DBSIZE") == b":0\r\n"


async def test_without_their_ledger_results_that_are_paid_for_are_not_bought_again(
    tmp_path: Path,
) -> None:
    async with FakeHume() as fake, make_client(fake.url) as hume:
        await run_with_trouble(fake, hume, tmp_path)
        (ledger,) = files_left(tmp_path)
        (tmp_path / "_run" / "ledgers" / ledger).unlink()
        with pytest.raises(LedgerError, match="paid for"):
            await work_on_all(tmp_path, hume)
        assert submitted(fake)[urls(1)[0]] == 1


async def test_measurements_that_made_no_rows_are_read_again_and_not_billed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    into, path = tmp_path / "run", tmp_path / "clip.wav"
    path.write_bytes(wav(speech(1)))
    async with FakeHume() as fake, make_client(fake.url) as hume:
        await plan_measurements(into, [path])
        with monkeypatch.context() as patched:
            patched.setattr(AudioResult, "rows", odd_rows)
            (report,) = await work_on_all(into, hume, budget=20)
        assert (report.unreadable, report.billed) == (1, 10)
        assert await retry_failed(into) == 1
        (again,) = await work_on_all(into, hume, budget=20)
        assert (again.arrived, again.billed) == (1, 0)
        assert len(fake.expression.runs) == 1
    assert (await collect(into)).billed == 10
    assert sources_in(into) == {str(path): 1}
