"""Runs over several workers against a stand-in: what their tests share, and worker processes."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from pathlib import Path

from humeai_async import HumeAI, Limiter, Polling, Retry
from humeai_async._base.packages import load_package
from humeai_async.bulk.options import BulkOptions
from humeai_async.distributed import RedisLedger, partitions, work
from humeai_async.types.dicts import ModelsDict

OPTIONS = BulkOptions(search_patience=0.5, jobs_at_once=1)
"""With one job at once, a worker that is stopped when a job shows is not about to submit."""
MODELS: ModelsDict = {"face": {}}


def make_client(base_url: str | None = None, limiter: Limiter | None = None) -> HumeAI:
    """Return a client that does not wait for long; workers find it by its name."""
    return HumeAI(
        api_key="fake-hume-key",
        base_url=base_url,
        polling=Polling(min_interval=0.01, max_interval=0.05),
        retry=Retry(initial_delay=0.01),
        limiter=limiter or Limiter(rate=1000),
    )


def make_refused_client() -> HumeAI:
    """Return a client whose credential is wrong."""
    return HumeAI(api_key="wrong")


def make_no_client() -> HumeAI:
    """Fail in a way that nobody planned."""
    raise ZeroDivisionError("no client")


def set_environment(**values: str) -> None:
    """Set variables in a worker process."""
    os.environ.update(values)


def kill_worker() -> HumeAI:
    """End the process, as a partition does that takes too much memory."""
    os._exit(1)


def urls(count: int, *, start: int = 0) -> list[str]:
    return [f"https://media.example.com/{n}.mp4" for n in range(start, start + count)]


def sources_in(folder: Path) -> Counter[str]:
    """Count in how many files of results each source is."""
    found: Counter[str] = Counter()
    for file in sorted(folder.glob("part-*.parquet")):
        column = load_package("pyarrow.parquet").read_table(file)["source"]
        found.update(set(column.to_pylist()))
    return found


async def work_all(into: str, redis: str) -> None:
    """Work on all open partitions one after the other, as a worker process does."""
    async with make_client() as hume:
        for partition in await partitions(into):
            await work(partition, hume, ledger=RedisLedger(redis), options=OPTIONS)


if __name__ == "__main__":
    asyncio.run(work_all(sys.argv[1], sys.argv[2]))
