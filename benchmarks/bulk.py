"""How fast are bulk runs, and how much memory do they take?

    python -m benchmarks.bulk [--sources 100000] [--jobs 1000]

Runs, each in a process of its own against a server of canned answers in another one:

- `hume.batch.predict` without and with a ledger, and `predict_into` a folder as JSON lines
  and as Parquet: outcomes a second, CPU, peak memory, at a tenth of the sources and at all;
- 330 kB predictions of many jobs to a file: `job.save_predictions` through this library,
  bare aiohttp writing the same bytes, and the official SDK with asyncio.gather if it is
  installed.
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
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.canned import canned_server
from humeai_async import HumeAI, Limiter, Polling
from humeai_async.bulk.runs import predict_into

UNPACED = 1e9
SIZE_330_KB = 128
"""Faces that make 330 kB of JSON."""


def client(url: str) -> HumeAI:
    return HumeAI(
        api_key="key", base_url=url, limiter=Limiter(rate=UNPACED), polling=Polling(shortest=0.05)
    )


def urls(count: int) -> list[str]:
    return [f"https://media.example.com/{n}.mp4" for n in range(count)]


async def predict(url: str, count: int, folder: Path) -> int:
    del folder
    async with client(url) as hume:
        return sum([1 async for _ in hume.batch.predict(urls(count), models={"face": {}})])


async def predict_with_ledger(url: str, count: int, folder: Path) -> int:
    async with client(url) as hume:
        run = hume.batch.predict(urls(count), models={"face": {}}, ledger=folder / "run.db")
        return sum([1 async for _ in run])


async def predict_to_json_lines(url: str, count: int, folder: Path) -> int:
    return await _predict_into(url, count, folder, "jsonl")


async def predict_to_parquet(url: str, count: int, folder: Path) -> int:
    return await _predict_into(url, count, folder, "parquet")


async def _predict_into(url: str, count: int, folder: Path, form: str) -> int:
    async with client(url) as hume:
        settings: dict[str, Any] = {"formats": [form], "models": {"face": {}}}
        report = await predict_into(folder / form, hume.batch, urls(count), **settings)
    return report.outcomes


async def start(url: str, count: int) -> list[str]:
    async with client(url) as hume:
        jobs = [await hume.batch.start_job(urls=[one]) for one in urls(count)]
    return [job.id for job in jobs]


async def save_ours(url: str, count: int, folder: Path) -> int:
    ids = await start(url, count)
    limit = asyncio.Semaphore(32)
    async with client(url) as hume:

        async def save(job_id: str) -> None:
            async with limit:
                await hume.batch.job(job_id).save_predictions(folder / f"{job_id}.json")

        await asyncio.gather(*map(save, ids))
    return count


async def fetch_to_json_lines(url: str, count: int, folder: Path) -> int:
    ids = await start(url, count)
    async with client(url) as hume:
        with (folder / "predictions.jsonl").open("wb") as opened:
            async for outcome in hume.batch.fetch_predictions(ids):
                assert outcome.predictions is not None
                opened.write(outcome.predictions.body + b"\n")
    return count


async def save_bare(url: str, count: int, folder: Path) -> int:
    ids = await start(url, count)
    limit = asyncio.Semaphore(32)
    async with aiohttp.ClientSession() as session:
        with (folder / "predictions.jsonl").open("wb") as opened:

            async def save(job_id: str) -> None:
                async with limit, session.get(f"{url}/v0/batch/jobs/{job_id}/predictions") as got:
                    opened.write(await got.read() + b"\n")

            await asyncio.gather(*map(save, ids))
    return count


async def fetch_official(url: str, count: int, folder: Path) -> int:
    del folder
    ids = await start(url, count)
    hume: Any = importlib.import_module("hume")
    official = hume.AsyncHumeClient(api_key="key", base_url=url)
    batch = official.expression_measurement.batch
    await asyncio.gather(*[batch.get_job_predictions(job_id) for job_id in ids])
    return count


Work = Callable[[str, int, Path], Coroutine[Any, Any, int]]


def _measured(work: Work, url: str, count: int, told: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        wall, cpu = time.perf_counter(), time.process_time()
        done = asyncio.run(work(url, count, Path(folder)))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told.send((done, wall, cpu, peak))


def measure(name: str, work: Work, count: int, faces: int, unit: str) -> None:
    """Run one piece of work in a process of its own and print what it took."""
    with canned_server(faces) as url:
        here, there = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=_measured, args=(work, url, count, there))
        process.start()
        if not here.poll(900):
            raise TimeoutError(name)
        done, wall, cpu, peak = here.recv()
        process.join()
    rate = done / wall
    times = f"{wall:7.1f} s {cpu:7.1f} s CPU"
    print(f"{name:30} {done:8} {unit:9} {times} {rate:9.0f}/s {peak:6.0f} MB")


def main() -> None:
    """Run all and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sources", type=int, default=100_000)
    parser.add_argument("--jobs", type=int, default=1000)
    settings = parser.parse_args()
    for work in (predict, predict_with_ledger, predict_to_json_lines, predict_to_parquet):
        for count in (settings.sources // 10, settings.sources):
            measure(work.__name__.replace("_", " "), work, count, 1, "outcomes")
    for work in (save_bare, fetch_to_json_lines, save_ours):
        measure(work.__name__.replace("_", " "), work, settings.jobs, SIZE_330_KB, "bodies")
    if importlib.util.find_spec("hume") is None:
        print("the official SDK is not installed: pip install '.[bench]'")
    else:
        measure("official SDK, 20 bodies", fetch_official, 20, SIZE_330_KB, "bodies")


if __name__ == "__main__":
    main()
