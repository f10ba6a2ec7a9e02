"""How long does a large answer keep the event loop from everything else?

    python -m benchmarks.stalls [--full] [--megabytes 3 25] [--rounds 5]

Predictions are fetched and decoded while a ticker counts how late it wakes up and small calls
of the same client go on, one every few milliseconds: the longest stall, by the clock and in
CPU time (which other programs of the machine cannot lengthen), and the latency of the small
calls. Ours directly and through a gateway's envelope, aiohttp with orjson, the official SDK
(3 MB only: it takes seconds).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import json
import statistics
import time
from collections.abc import AsyncGenerator, Callable, Iterator

import aiohttp
from attrs import define, field, frozen

from benchmarks import calls, clients
from benchmarks.bodies import JOB, PREDICTIONS_PATH, body_of, in_envelope
from benchmarks.fixed import fixed_server
from benchmarks.measuring import (
    OFFICIAL,
    Call,
    Verdict,
    fresh,
    is_there,
    print_table,
    print_verdicts,
    ratio,
)

TICK = 0.001
BETWEEN_CALLS = 0.003
OFFICIAL_MOST = 3.0
"""Megabytes that the official SDK is given."""
OURS, GATEWAY, PEER = "humeai_async", "humeai_async, gateway", "aiohttp + orjson"
BARS = {3.0: 10.0, 25.0: 60.0}
"""Longest stall in milliseconds, by megabytes."""


@contextlib.asynccontextmanager
async def ours(url: str, *, gateway: bool = False) -> AsyncGenerator[tuple[Call, Call]]:
    async with clients.ours(url, gateway=gateway) as hume:

        async def large() -> object:
            return await hume.batch.get_predictions(JOB)

        async def small() -> None:
            await hume.configs.list(page_number=0, page_size=10)

        yield large, small


def through_gateway(url: str) -> contextlib.AbstractAsyncContextManager[tuple[Call, Call]]:
    return ours(f"{url}/gateway", gateway=True)


@contextlib.asynccontextmanager
async def bare(url: str) -> AsyncGenerator[tuple[Call, Call]]:
    orjson = importlib.import_module("orjson")
    async with aiohttp.ClientSession(headers=clients.KEY) as session:

        async def get(path: str) -> object:
            async with session.get(url + path) as answer:
                return orjson.loads(await answer.read())

        yield lambda: get(PREDICTIONS_PATH), lambda: get(calls.PATH)


@contextlib.asynccontextmanager
async def official(url: str) -> AsyncGenerator[tuple[Call, Call]]:
    client = clients.official(url)

    async def large() -> object:
        return await client.expression_measurement.batch.get_job_predictions(JOB)

    async def small() -> None:
        await client.empathic_voice.configs.list_configs(page_number=0, page_size=10)

    yield large, small


Opened = Callable[[str], contextlib.AbstractAsyncContextManager[tuple[Call, Call]]]


@define
class Ticker:
    """Notes how late it wakes up, and the CPU time spent meanwhile."""

    late: float = 0.0
    busy: float = 0.0

    async def tick(self) -> None:
        while True:
            wall, cpu = time.perf_counter(), time.thread_time()
            await asyncio.sleep(TICK)
            self.late = max(self.late, time.perf_counter() - wall - TICK)
            self.busy = max(self.busy, time.thread_time() - cpu)


@frozen
class Round:
    """What one large answer did; times in milliseconds."""

    late: float
    busy: float
    took: float
    latencies: list[float] = field(repr=False)


async def one_round(large: Call, small: Call) -> Round:
    ticker = Ticker()
    latencies: list[float] = []

    async def keep_calling() -> None:
        while True:
            began = time.perf_counter()
            await small()
            latencies.append((time.perf_counter() - began) * 1e3)
            await asyncio.sleep(BETWEEN_CALLS)

    works = [ticker.tick, *[keep_calling] * 4]
    others = [asyncio.create_task(work()) for work in works]
    await asyncio.sleep(0.02)
    began = time.perf_counter()
    await large()
    took = time.perf_counter() - began
    await asyncio.sleep(0.02)
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    return Round(ticker.late * 1e3, ticker.busy * 1e3, took * 1e3, latencies)


def measure(opened: Opened, url: str, rounds: int) -> list[Round]:
    async def main() -> list[Round]:
        async with opened(url) as (large, small):
            await one_round(large, small)  # connections and caches
            return [await one_round(large, small) for _ in range(rounds)]

    return asyncio.run(main())


def latency(found: list[Round], percent: int) -> float:
    """Return a percentile of the small calls' latencies in milliseconds."""
    latencies = sorted(value for each in found for value in each.latencies)
    return latencies[len(latencies) * percent // 100]


def stall(found: list[Round]) -> float:
    """Return the longest stall of a round in milliseconds of CPU, as the median of rounds."""
    return statistics.median(each.busy for each in found)


def _row(megabytes: float, name: str, found: list[Round]) -> tuple[str, ...]:
    figures = (
        statistics.median(each.late for each in found),
        max(each.late for each in found),
        stall(found),
        latency(found, 50),
        latency(found, 99),
        statistics.median(each.took for each in found),
    )
    return f"{megabytes:g} MB", name, *(f"{figure:.1f}" for figure in figures)


def answers(megabytes: float) -> dict[str, list[bytes]]:
    """Make the large and the small answer, with and without the gateway's envelope."""
    bare = {PREDICTIONS_PATH: body_of(megabytes), calls.PATH: json.dumps(calls.PAGE).encode()}
    wrapped = {f"/gateway{path}": in_envelope(body) for path, body in bare.items()}
    return {path: [body] for path, body in (bare | wrapped).items()}


def clients_for(megabytes: float) -> dict[str, Opened]:
    """Name who is measured: ours, and the peers that are installed and not too slow."""
    found: dict[str, Opened] = {OURS: ours, GATEWAY: through_gateway}
    if is_there("orjson"):
        found[PEER] = bare
    if megabytes <= OFFICIAL_MOST and is_there("hume"):
        found[OFFICIAL] = official
    return found


def run(*, full: bool, rounds: int = 0, sizes: list[float] | None = None) -> list[Verdict]:
    rounds = rounds or (15 if full else 5)
    rows: list[tuple[str, ...]] = []
    verdicts: list[Verdict] = []
    for megabytes in sizes or [*BARS]:
        with fixed_server(answers(megabytes)) as url:
            found = {
                name: fresh(measure, opened, url, 1 if opened is official else rounds)
                for name, opened in clients_for(megabytes).items()
            }
        rows += [_row(megabytes, name, each) for name, each in found.items()]
        verdicts += _verdicts(megabytes, found)
    header = ("body", "client", "stall", "worst", "stall CPU", "call p50", "call p99", "fetch")
    print_table("The event loop while predictions come (ms, medians)", header, rows)
    return verdicts


def _verdicts(megabytes: float, found: dict[str, list[Round]]) -> Iterator[Verdict]:
    stalls = {name: stall(each) for name, each in found.items()}
    latencies = {name: latency(each, 99) for name, each in found.items()}
    for name in (OURS, GATEWAY):
        for what, figures, bar in (
            ("longest stall (CPU)", stalls, BARS.get(megabytes)),
            ("other calls meanwhile, p99", latencies, None),
        ):
            ours, theirs = figures[name], figures.get(PEER)
            yield Verdict(
                f"{what}, {megabytes:g} MB{name.removeprefix(OURS)}",
                f"{ours:.1f} ms",
                f"{PEER} {theirs:.1f} ms" if theirs else "",
                ratio(ours, theirs),
                f"under {bar:g} ms" if bar else "",
                ours < bar if bar else None,
                ratio(ours, figures.get(OFFICIAL)),
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="more rounds")
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--megabytes", type=float, nargs="+")
    options = parser.parse_args()
    print_verdicts(run(full=options.full, rounds=options.rounds, sizes=options.megabytes))


if __name__ == "__main__":
    main()
