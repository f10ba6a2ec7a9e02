"""How fast are bulk runs, and how much memory do they take?

    python -m benchmarks.bulk [--quick] [--sources 100000] [--jobs 1000]

Each run is in a process of its own, against a server of canned answers in another one; CPU and
memory are the client's alone:

- `hume.batch.predict` without and with a ledger, and `predict_into` a folder as JSON lines
  and as Parquet: outcomes a second, CPU, peak memory, at a tenth of the sources and at all;
- 330 kB predictions of many finished jobs: `fetch_predictions` to JSON lines and to Parquet,
  `job.save_predictions`, bare aiohttp writing the same bytes, and the official SDK with
  asyncio.gather on a few of the jobs, if it is installed (extra `bench`).

At the end stands what the project promises: memory does not grow with the sources.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
from attrs import evolve, frozen

from benchmarks import clients
from benchmarks.bodies import BYTES_OF_A_FACE
from benchmarks.canned import canned_server
from benchmarks.measuring import (
    Spent,
    Stopwatch,
    Verdict,
    fresh,
    is_there,
    memory,
    print_verdicts,
    ratio,
)
from humeai_async import HumeAI, Limiter, Polling
from humeai_async.bulk.sinks import Sinks
from humeai_async.types.dicts import ModelsDict

FACES = 128
"""Faces that make 330 kB of JSON."""
MODELS: ModelsDict = {"face": {}}


@frozen(kw_only=True)
class Settings:
    """How much is run."""

    sources: int = 100_000
    jobs: int = 1000
    official_jobs: int = 20
    """Jobs for the official SDK, which needs half a second for each."""
    seconds: float = 600.0
    """Longest that one run may take."""


QUICK = Settings(sources=5_000, jobs=100, official_jobs=4, seconds=120.0)
"""Enough to see that all of it works."""


@frozen(kw_only=True)
class Row:
    """What one run took."""

    name: str
    done: int
    """Outcomes or bodies."""
    megabytes: float
    """JSON that was fetched."""
    spent: Spent
    """Seconds; CPU is that of the client's process, all threads."""
    peak: float
    """Resident memory at its highest, in MB."""

    @property
    def each(self) -> float:
        """Seconds of CPU for one."""
        return self.spent.cpu / self.done

    def __str__(self) -> str:
        return (
            f"{self.name:26} {self.done:7} {self.spent.wall:7.1f} s {self.spent.cpu:7.1f} s CPU "
            f"{self.done / self.spent.wall:8.0f}/s {self.each * 1e3:8.3f} ms CPU each "
            f"{self.peak:5.0f} MB"
        )


def client(url: str) -> HumeAI:
    return HumeAI(
        api_key="key",
        base_url=url,
        limiter=Limiter(rate=clients.UNPACED),
        polling=Polling(min_interval=0.05),
    )


def urls(count: int) -> Iterator[str]:
    """Give URLs one by one: a list of them would take more memory than the run."""
    return (f"https://media.example.com/{n}.mp4" for n in range(count))


def ids(count: int) -> Iterator[str]:
    return (f"job-{n}" for n in range(count))


async def predict(url: str, count: int, folder: Path) -> int:
    del folder
    async with client(url) as hume:
        return sum([1 async for _ in hume.batch.predict(urls(count), models=MODELS)])


async def predict_with_ledger(url: str, count: int, folder: Path) -> int:
    async with client(url) as hume:
        run = hume.batch.predict(urls(count), models=MODELS, ledger=folder / "run.db")
        return sum([1 async for _ in run])


async def predict_to_json_lines(url: str, count: int, folder: Path) -> int:
    return await _predict_into(url, count, folder, "jsonl")


async def predict_to_parquet(url: str, count: int, folder: Path) -> int:
    return await _predict_into(url, count, folder, "parquet")


async def _predict_into(url: str, count: int, folder: Path, form: str) -> int:
    async with client(url) as hume:
        report = await hume.batch.predict_into(
            folder / form, urls(count), formats=[form], models=MODELS
        )
    return report.outcomes


async def bare_aiohttp(url: str, count: int, folder: Path) -> int:
    limit = asyncio.Semaphore(32)
    async with aiohttp.ClientSession() as session:
        with (folder / "predictions.jsonl").open("wb") as opened:

            async def save(job_id: str) -> None:
                async with limit, session.get(f"{url}/v0/batch/jobs/{job_id}/predictions") as got:
                    opened.write(await got.read() + b"\n")

            await asyncio.gather(*map(save, ids(count)))
    return count


async def fetch_to_json_lines(url: str, count: int, folder: Path) -> int:
    return await _fetch_into(url, count, folder, "jsonl")


async def fetch_to_parquet(url: str, count: int, folder: Path) -> int:
    return await _fetch_into(url, count, folder, "parquet")


async def _fetch_into(url: str, count: int, folder: Path, form: str) -> int:
    done = 0
    async with client(url) as hume:
        with Sinks(folder, [form]) as sinks:
            async for outcome in hume.batch.fetch_predictions(ids(count)):
                assert outcome.body
                sinks.write(outcome)
                done += 1
            sinks.sync()
            sinks.finish()
    return done


async def save_predictions(url: str, count: int, folder: Path) -> int:
    limit = asyncio.Semaphore(32)
    async with client(url) as hume:

        async def save(job_id: str) -> None:
            async with limit:
                await hume.batch.job(job_id).save_predictions(folder / f"{job_id}.json")

        await asyncio.gather(*map(save, ids(count)))
    return count


async def official_sdk(url: str, count: int, folder: Path) -> int:
    del folder
    batch = clients.official(url).expression_measurement.batch
    await asyncio.gather(*[batch.get_job_predictions(job_id) for job_id in ids(count)])
    return count


Work: TypeAlias = Callable[[str, int, Path], Coroutine[Any, Any, int]]

PREDICTING: tuple[Work, ...] = (
    predict,
    predict_with_ledger,
    predict_to_json_lines,
    predict_to_parquet,
)
FETCHING: tuple[Work, ...] = (
    bare_aiohttp,
    fetch_to_json_lines,
    fetch_to_parquet,
    save_predictions,
)


def _measured(work: Work, url: str, count: int) -> tuple[int, Spent, float]:
    with tempfile.TemporaryDirectory() as folder:
        watch = Stopwatch()
        done = asyncio.run(work(url, count, Path(folder)))
        spent = watch.read()
    return done, spent, memory().peak / 1e6


def measure(work: Work, count: int, settings: Settings, *, faces: int) -> Row:
    """Do one piece of work in a process of its own."""
    jobs = count if faces > 1 else 0
    with canned_server(faces, jobs) as url:
        done, spent, peak = fresh(_measured, work, url, count, seconds=settings.seconds)
    name = work.__name__.replace("_", " ")
    megabytes = done * faces * BYTES_OF_A_FACE / 1e6
    return Row(name=name, done=done, megabytes=megabytes, spent=spent, peak=peak)


def rows_of(settings: Settings) -> list[Row]:
    """Run all, and print each row as it is there."""
    rows: list[Row] = []

    def add(work: Work, count: int, faces: int) -> None:
        rows.append(measure(work, count, settings, faces=faces))
        print(rows[-1], flush=True)

    print("\nBulk runs")
    for work in PREDICTING:
        for count in (settings.sources // 10, settings.sources):
            add(work, count, 1)
    for work in FETCHING:
        add(work, settings.jobs, FACES)
    if is_there("hume"):
        add(official_sdk, settings.official_jobs, FACES)
    return rows


def verdicts_of(rows: Sequence[Row]) -> Iterator[Verdict]:
    """Say what the rows mean for the promises."""
    last = {row.name: row for row in rows}
    first = {row.name: row for row in reversed(rows)}
    for work in PREDICTING:
        name = work.__name__.replace("_", " ")
        big, small = last[name], first[name]
        yield Verdict(
            f"bulk: memory of {name}, {big.done} sources",
            f"{big.peak:.0f} MB, {big.done / big.spent.wall:.0f} outcomes/s",
            f"{small.done} sources {small.peak:.0f} MB",
            big.peak / small.peak,
            "",
            None,
        )
    bare, official = last["bare aiohttp"], last.get("official sdk")
    for work in FETCHING[1:]:
        ours = last[work.__name__.replace("_", " ")]
        yield Verdict(
            f"bulk: CPU of {ours.name}, 330 kB each",
            f"{ours.each * 1e3:.1f} ms, {ours.megabytes / ours.spent.cpu:.0f} MB/s",
            f"{bare.name} {bare.each * 1e3:.1f} ms",
            ours.each / bare.each,
            "",
            None,
            ratio(ours.each, official.each if official else None),
        )


def run(*, full: bool, settings: Settings | None = None) -> list[Verdict]:
    return [*verdicts_of(rows_of(settings or (Settings() if full else QUICK)))]


def main() -> None:
    """Run all and print tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--sources", type=int)
    parser.add_argument("--jobs", type=int)
    given = parser.parse_args()
    start = QUICK if given.quick else Settings()
    settings = evolve(start, sources=given.sources or start.sources, jobs=given.jobs or start.jobs)
    print_verdicts(run(full=not given.quick, settings=settings))


if __name__ == "__main__":
    main()
