"""How fast are bulk runs, and how much memory do they take?

    python -m benchmarks.bulk [--quick] [--sources 100000] [--jobs 1000]

Each run is in a process of its own, against a server of canned answers in another one; CPU and
memory are the client's alone:

- `hume.batch.predict` without and with a ledger, and `predict_into` a folder as JSON lines
  and as Parquet: outcomes a second, CPU, peak memory, at a tenth of the sources and at all;
- 330 kB predictions of many finished jobs: `fetch_predictions` to JSON lines and to Parquet,
  `job.save_predictions`, bare aiohttp writing the same bytes, and the official SDK with
  asyncio.gather on a few of the jobs, if it is installed (extra `bench`).

At the end stand the ratios that the project promises. `run` gives the rows, `ratios` the ratios.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import importlib.util
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
from attrs import frozen

from benchmarks.canned import canned_server
from humeai_async import HumeAI, Limiter, Polling
from humeai_async.bulk.runs import predict_into
from humeai_async.bulk.sinks import Sinks

UNPACED = 1e9
FACES = 128
"""Faces that make 330 kB of JSON."""
MODELS: dict[str, Any] = {"face": {}}


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
    wall: float
    cpu: float
    """Seconds of the client's process, all threads."""
    peak: float
    """Resident memory at its highest, in MB."""

    def __str__(self) -> str:
        return (
            f"{self.name:26} {self.done:7} {self.wall:7.1f} s {self.cpu:7.1f} s CPU "
            f"{self.done / self.wall:8.0f}/s {self.cpu / self.done * 1e3:8.3f} ms CPU each "
            f"{self.peak:5.0f} MB"
        )


def client(url: str) -> HumeAI:
    return HumeAI(
        api_key="key", base_url=url, limiter=Limiter(rate=UNPACED), polling=Polling(shortest=0.05)
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
        report = await predict_into(
            folder / form, hume.batch, urls(count), formats=[form], models=MODELS
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
    hume: Any = importlib.import_module("hume")
    official = hume.AsyncHumeClient(api_key="key", base_url=url)
    batch = official.expression_measurement.batch
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


def _measured(work: Work, url: str, count: int, told: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        wall, cpu = time.perf_counter(), time.process_time()
        done = asyncio.run(work(url, count, Path(folder)))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told.send((done, wall, cpu, peak))


def measure(work: Work, count: int, settings: Settings, *, faces: int) -> Row:
    """Do one piece of work in a process of its own."""
    jobs = count if faces > 1 else 0
    with canned_server(faces, jobs) as url:
        here, there = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=_measured, args=(work, url, count, there), daemon=True)
        process.start()
        try:
            if not here.poll(settings.seconds):
                raise TimeoutError(f"{work.__name__} is not done after {settings.seconds:g} s")
            done, wall, cpu, peak = here.recv()
        finally:
            process.terminate()
            process.join()
    name = work.__name__.replace("_", " ")
    megabytes = done * faces * 2.66e-3
    return Row(name=name, done=done, megabytes=megabytes, wall=wall, cpu=cpu, peak=peak)


def run(settings: Settings, told: Callable[[Row], object] = lambda _: None) -> list[Row]:
    """Run all.

    Args:
        settings: How much.
        told: Told each row as it is there.
    """
    rows: list[Row] = []

    def add(work: Work, count: int, faces: int) -> None:
        rows.append(measure(work, count, settings, faces=faces))
        told(rows[-1])

    for work in PREDICTING:
        for count in (settings.sources // 10, settings.sources):
            add(work, count, 1)
    for work in FETCHING:
        add(work, settings.jobs, FACES)
    if importlib.util.find_spec("hume") is not None:
        add(official_sdk, settings.official_jobs, FACES)
    return rows


def ratios(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Return what the rows say about the promises: question and answer."""
    found: list[tuple[str, str]] = []
    last = {row.name: row for row in rows}
    first = {row.name: row for row in reversed(rows)}
    for work in PREDICTING:
        name = work.__name__.replace("_", " ")
        big, small = last[name], first[name]
        found += [
            (f"{name}: outcomes a second", f"{big.done / big.wall:.0f}"),
            (f"{name}: memory, {big.done} / {small.done}", f"{big.peak / small.peak:.2f} x"),
        ]
    bare, lines = last["bare aiohttp"], last["fetch to json lines"]
    parquet, official = last["fetch to parquet"], last.get("official sdk")
    found += [
        ("fetch to json lines: CPU / bare aiohttp", f"{_each(lines) / _each(bare):.2f} x"),
        ("fetch to parquet: JSON a second a core", f"{parquet.megabytes / parquet.cpu:.0f} MB"),
    ]
    if official is not None:
        found += [
            ("official SDK: CPU / fetch to json lines", f"{_each(official) / _each(lines):.0f} x"),
            ("official SDK: CPU / fetch to parquet", f"{_each(official) / _each(parquet):.0f} x"),
        ]
    return found


def _each(row: Row) -> float:
    return row.cpu / row.done


def main() -> None:
    """Run all and print tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--sources", type=int)
    parser.add_argument("--jobs", type=int)
    given = parser.parse_args()
    start = QUICK if given.quick else Settings()
    settings = Settings(
        sources=given.sources or start.sources,
        jobs=given.jobs or start.jobs,
        official_jobs=start.official_jobs,
        seconds=start.seconds,
    )
    found = ratios(run(settings, print))
    print()
    for question, answer in found:
        print(f"{question:45} {answer:>8}")
    if importlib.util.find_spec("hume") is None:
        print("the official SDK is not installed: pip install '.[bench]'")


if __name__ == "__main__":
    main()
