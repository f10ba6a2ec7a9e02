"""How many requests does it take to wait for 1,000 jobs?

    python -m benchmarks.waits [--full]

Jobs that take 6 s, or 30 with `--full`, are all waited for at once, with a second between two
looks: `job.wait()`, and bare aiohttp and the official SDK, which have nothing of that kind and
ask for each job. The official SDK waits for 50 of them: it cannot ask for 1,000 in a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import aiohttp
import msgspec

from benchmarks import clients
from benchmarks.canned import canned_server
from benchmarks.measuring import (
    OFFICIAL,
    Spent,
    Stopwatch,
    Verdict,
    asked,
    fresh,
    is_there,
    print_table,
    ratio,
    run_alone,
)
from humeai_async import HumeAI, Limiter, Polling

JOBS, OFFICIAL_JOBS = 1000, 50
TICK = 1.0
BARE, OURS = "aiohttp + msgspec", "humeai_async"
BAR = 0.02
"""Requests a job a tick."""

Wait = Callable[[str, int], Awaitable[None]]
"""Waits for so many jobs of a server."""


async def ours(url: str, jobs: int) -> None:
    polling = Polling(min_interval=TICK, max_interval=TICK)
    limiter = Limiter(rate=clients.UNPACED)
    async with HumeAI(api_key="key", base_url=url, limiter=limiter, polling=polling) as hume:
        await asyncio.gather(*[hume.batch.job(f"job-{n}").wait() for n in range(jobs)])


async def bare(url: str, jobs: int) -> None:
    async with aiohttp.ClientSession(headers=clients.KEY) as session:

        async def is_done(job_id: str) -> bool:
            async with session.get(f"{url}/v0/batch/jobs/{job_id}") as answer:
                details = msgspec.json.decode(await answer.read())
                return bool(details["state"]["status"] == "COMPLETED")

        await one_by_one(is_done, jobs)


async def official(url: str, jobs: int) -> None:
    batch = clients.official(url).expression_measurement.batch

    async def is_done(job_id: str) -> bool:
        details = await batch.get_job_details(job_id)
        return bool(details.state.status == "COMPLETED")

    await one_by_one(is_done, jobs)


async def one_by_one(is_done: Callable[[str], Awaitable[bool]], jobs: int) -> None:
    async def wait(job_id: str) -> None:
        while not await is_done(job_id):  # noqa: ASYNC110 - what this is about
            await asyncio.sleep(TICK)

    await asyncio.gather(*[wait(f"job-{n}") for n in range(jobs)])


class Cost(NamedTuple):
    """What one job takes in one tick."""

    requests: float
    cpu: float
    """Seconds."""


def spend(wait: Wait, url: str, jobs: int) -> Spent:
    async def main() -> Spent:
        watch = Stopwatch()
        await wait(url, jobs)
        return watch.read()

    return asyncio.run(main())


def measure(wait: Wait, jobs: int, seconds: float) -> Cost:
    with canned_server(count=jobs, seconds=seconds) as url:
        spent = fresh(spend, wait, url, jobs)
        requests = asked(url)
    ticks = spent.wall / TICK
    return Cost(requests / jobs / ticks, spent.cpu / jobs / ticks)


def run(*, full: bool) -> list[Verdict]:
    seconds = 30.0 if full else 6.0
    costs = {name: measure(wait, JOBS, seconds) for name, wait in {BARE: bare, OURS: ours}.items()}
    if is_there("hume"):
        costs[OFFICIAL] = measure(official, OFFICIAL_JOBS, seconds)
    rows = [(name, f"{each.requests:.3f}", f"{each.cpu * 1e6:.0f}") for name, each in costs.items()]
    header = ("client", "requests a job a tick", "CPU us a job a tick")
    print_table(f"Waiting for {JOBS} jobs", header, rows)
    mine, base, slow = costs[OURS], costs[BARE], costs.get(OFFICIAL)
    return [
        Verdict(
            f"waiting for {JOBS} jobs: requests a job a tick",
            f"{mine.requests:.3f}",
            f"{BARE} {base.requests:.3f}",
            ratio(mine.requests, base.requests),
            f"at most {BAR}",
            mine.requests <= BAR,
            ratio(mine.requests, slow and slow.requests),
        ),
        Verdict(
            f"waiting for {JOBS} jobs: CPU a job a tick",
            f"{mine.cpu * 1e6:.0f} us",
            f"{BARE} {base.cpu * 1e6:.0f} us",
            ratio(mine.cpu, base.cpu),
            "",
            None,
            ratio(mine.cpu, slow and slow.cpu),
        ),
    ]


if __name__ == "__main__":
    run_alone(run, __doc__)
