"""What does a small call cost?

    python -m benchmarks.calls [--full] [--rounds 5] [--in-flight 1 64 512]

CPU and wall time of a call whose response has 300 bytes, with as many calls in flight: bare
aiohttp and msgspec; this library with limiter, retries and typed responses, its rate declared
and learned, with an observer and with OpenTelemetry; the official SDK. Then the same on uvloop,
with 64 in flight alone unless `--full`.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import itertools
import json
from collections.abc import AsyncGenerator, Callable, Iterator

import aiohttp
import msgspec

from benchmarks import clients
from benchmarks.fixed import fixed_server
from benchmarks.measuring import (
    OFFICIAL,
    Call,
    Caller,
    Opened,
    Spent,
    Verdict,
    in_turn,
    is_there,
    print_table,
    print_verdicts,
    ratio,
)
from humeai_async import HumeAI, Limiter, Observer
from humeai_async.http.observing import CallRecord
from humeai_async.telemetry import OpenTelemetry

PATH = "/v0/evi/configs"
CONFIG = {
    "id": "1b60e1a0-cc59-424a-8d2c-189d354db3f3",
    "version": 0,
    "name": "Weather assistant",
    "created_on": 1715275452390,
    "modified_on": 1715275452390,
    "evi_version": "3",
    "version_description": "",
}
PAGE = {"page_number": 0, "page_size": 10, "total_pages": 1, "configs_page": [CONFIG]}
BARE = "aiohttp + msgspec"
DECLARED = "humeai_async, rate declared"
LEARNED = "humeai_async, rate learned"
OBSERVED = "humeai_async, an observer"
TRACED = "humeai_async, OpenTelemetry"
BAR = 1.5
CALLS = {1: 300, 64: 1200, 512: 2560}
"""Calls of a burst, by how many are in flight."""
PROCESSES = 2
"""Processes of a client that take turns: where the memory of one comes to lie makes all of its
calls up to a tenth cheaper or dearer than those of another, with any number in flight."""
JUDGED = 64
"""Calls in flight where there is time for one number only."""


@contextlib.asynccontextmanager
async def bare(url: str) -> AsyncGenerator[Call]:
    async with aiohttp.ClientSession() as session:
        page = f"{url}{PATH}?page_number=0&page_size=10"

        async def call() -> None:
            async with session.get(page, headers=clients.KEY) as answer:
                msgspec.json.decode(await answer.read())

        yield call


@contextlib.asynccontextmanager
async def ours(url: str, rate: float | None) -> AsyncGenerator[Call]:
    async with clients.ours(url, rate=rate) as hume:

        async def call() -> None:
            await hume.configs.list(page_number=0, page_size=10)

        yield call


class Watching(Observer):
    """Listens to everything, and does nothing with it."""

    def _ignore(self, record: CallRecord) -> None:
        pass

    call_started = paced = attempt_started = attempt_ended = retry_scheduled = call_ended = _ignore


@contextlib.asynccontextmanager
async def watched(url: str, observer: Callable[[], Observer]) -> AsyncGenerator[Call]:
    """Open a client with an observer, its rate declared."""
    limiter, observers = Limiter(rate=clients.UNPACED), [observer()]
    async with HumeAI(api_key="key", base_url=url, limiter=limiter, observers=observers) as hume:

        async def call() -> None:
            await hume.configs.list(page_number=0, page_size=10)

        yield call


@contextlib.asynccontextmanager
async def official(url: str) -> AsyncGenerator[Call]:
    configs = clients.official(url).empathic_voice.configs

    async def call() -> None:
        await configs.list_configs(page_number=0, page_size=10)

    yield call


def measure(url: str, in_flight: list[int], rounds: int, loop: str) -> dict[int, dict[str, Spent]]:
    """Return what a call takes, by how many are in flight and by client."""
    with contextlib.ExitStack() as stack:
        callers: dict[str, tuple[list[Caller], int]] = {}

        def add(name: str, share: int, opened: Callable[..., Opened], *arguments: object) -> None:
            each = [Caller(opened, url, *arguments, loop=loop) for _ in range(PROCESSES)]
            callers[name] = [stack.enter_context(one) for one in each], share

        add(BARE, 1, bare)
        add(DECLARED, 1, ours, clients.UNPACED)
        add(LEARNED, 1, ours, None)
        add(OBSERVED, 1, watched, Watching)
        if is_there("opentelemetry"):
            add(TRACED, 1, watched, OpenTelemetry)
        if is_there("hume"):
            add(OFFICIAL, 5, official)
        found: dict[int, dict[str, Spent]] = {}
        for number in in_flight:
            calls = CALLS.get(number, 20 * number)
            bursts = {
                name: functools.partial(_burst, itertools.cycle(each), calls // share, number)
                for name, (each, share) in callers.items()
            }
            found[number] = in_turn(bursts, rounds, OFFICIAL)
        return found


def _burst(callers: Iterator[Caller], calls: int, in_flight: int) -> Spent:
    """Let the next process make a burst."""
    return next(callers).burst(calls, in_flight)


def report(found: dict[int, dict[str, Spent]], loop: str) -> list[Verdict]:
    """Print a table and return the lines of the closing one."""
    rows: list[tuple[str, ...]] = []
    verdicts: list[Verdict] = []
    for number, spent in found.items():
        base = spent[BARE]
        for name, (cpu, wall) in spent.items():
            ratios = f"{cpu / base.cpu:.2f}x", f"{wall / base.wall:.2f}x"
            rows.append(
                (str(number), name, f"{cpu * 1e6:.0f}", ratios[0], f"{wall * 1e6:.0f}", ratios[1])
            )
        verdicts += _verdicts(f"of a small call, {number} in flight, {loop}", spent)
    header = ("in flight", "client", "CPU us", "CPU", "wall us", "wall")
    print_table(f"A small call, on {loop}", header, rows)
    return verdicts


def _verdicts(what: str, spent: dict[str, Spent]) -> Iterator[Verdict]:
    ours, base, official = spent[DECLARED], spent[BARE], spent.get(OFFICIAL)
    yield Verdict(
        f"CPU {what}",
        f"{ours.cpu * 1e6:.0f} us",
        f"{BARE} {base.cpu * 1e6:.0f} us",
        ours.cpu / base.cpu,
        f"at most {BAR}x",
        ours.cpu / base.cpu <= BAR,
        ratio(ours.cpu, official and official.cpu),
    )
    yield Verdict(
        f"wall {what}",
        f"{ours.wall * 1e6:.0f} us",
        f"{BARE} {base.wall * 1e6:.0f} us",
        ours.wall / base.wall,
        "",
        None,
        ratio(ours.wall, official and official.wall),
    )


def run(*, full: bool, rounds: int = 0, in_flight: list[int] | None = None) -> list[Verdict]:
    verdicts: list[Verdict] = []
    numbers = in_flight or [*CALLS]
    loops = {"asyncio": numbers}
    if is_there("uvloop"):
        loops["uvloop"] = numbers if full or in_flight else [JUDGED]
    with fixed_server({PATH: [json.dumps(PAGE).encode()]}) as url:
        for loop, each in loops.items():
            found = measure(url, each, rounds or (15 if full else 8), loop)
            verdicts += report(found, loop)
    return verdicts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="more rounds, and all of uvloop")
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--in-flight", type=int, nargs="+")
    options = parser.parse_args()
    print_verdicts(run(full=options.full, rounds=options.rounds, in_flight=options.in_flight))


if __name__ == "__main__":
    main()
