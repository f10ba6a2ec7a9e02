"""Many calls at 5 % faults, two clients on one limiter: nothing lost, doubled or left behind.

10,000 calls always run; HUMEAI_ASYNC_SOAK=1 makes them 100,000. Figures come with
`--log-cli-level=INFO`.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from enum import IntEnum
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field, frozen
from faulty_server import Tally, faulty_server, tally_of
from support import session_in

from humeai_async import HumeAI, HumeError, Limiter, Timeout

pytestmark = [pytest.mark.anyio, pytest.mark.soak, pytest.mark.slow]

CALLS = 100_000 if os.environ.get("HUMEAI_ASYNC_SOAK") else 10_000
WARM_UP = CALLS // 5
IN_FLIGHT = 128
METHODS = ("GET", "POST", "PATCH", "DELETE")
STALLED = Timeout(read=2.0)

logger = logging.getLogger("soak")


class Told(IntEnum):
    """What a caller was told of its call."""

    NOTHING = 0
    ANSWERED = 1
    NOT_DONE = 2
    UNKNOWN = 3
    MIXED_UP = 4
    TWICE = 5


@frozen
class Holdings:
    """What the process holds at one moment at which no call is in flight."""

    tasks: int
    files: int
    objects: Counter[str]
    """By their types."""
    resident: int
    """Bytes of memory."""

    @classmethod
    async def now(cls) -> Holdings:
        # What a collection ends may come back for a turn of the event loop: an asynchronous
        # generator is closed by a task, and holds until then what it refers to.
        for _ in range(3):
            gc.collect()
            await asyncio.sleep(0)
        gc.collect()
        return cls(
            tasks=len(asyncio.all_tasks()),
            files=len(list(Path("/proc/self/fd").iterdir())),
            objects=Counter(type(one).__qualname__ for one in gc.get_objects()),
            resident=int(Path("/proc/self/statm").read_text().split()[1])
            * os.sysconf("SC_PAGE_SIZE"),
        )


@define
class Run:
    """The calls made, and what became of them."""

    clients: tuple[HumeAI, ...]
    told: bytearray = field(factory=lambda: bytearray(CALLS))
    """A `Told` for each call; small, so that it does not count as growth."""
    failures: Counter[str] = field(factory=Counter[str])

    async def make(self, numbers: Iterator[int]) -> None:
        """Make so many calls, as many in flight as there may be."""
        share = IN_FLIGHT // len(self.clients)
        workers = [self._work(hume, numbers) for hume in self.clients for _ in range(share)]
        await asyncio.gather(*workers)

    async def _work(self, hume: HumeAI, numbers: Iterator[int]) -> None:
        for number in numbers:
            try:
                is_own = await call(hume, method_of(number), key_of(number))
                told = Told.ANSWERED if is_own else Told.MIXED_UP
            except HumeError as problem:
                told = Told.UNKNOWN if problem.outcome_unknown else Told.NOT_DONE
                self.failures[f"{method_of(number)} {type(problem).__name__}"] += 1
            self.told[number] = Told.TWICE if self.told[number] else told


def method_of(number: int) -> str:
    return METHODS[number % len(METHODS)]


def key_of(number: int) -> str:
    return f"call-{number}"


async def call(hume: HumeAI, method: str, key: str) -> bool:
    """Make one call, and say whether the answer is the one to it."""
    if method == "GET":
        return (await hume.prompts.get_version(key, 0)).id == key
    if method == "POST":
        return (await hume.prompts.create(name=key, text="Be brief.")).name == key
    if method == "PATCH":
        changed = await hume.prompts.update_description(key, 0, version_description="brief")
        return changed.id == key
    await hume.prompts.delete(key)
    return True


@asynccontextmanager
async def clients(url: str, limiter: Limiter) -> AsyncGenerator[tuple[HumeAI, HumeAI]]:
    """Make two clients on one limiter, of one account."""
    one = HumeAI(api_key="key", base_url=url, limiter=limiter, timeout=STALLED)
    other = HumeAI(api_key="key", base_url=url, limiter=limiter, timeout=STALLED)
    async with one, other:
        yield one, other


async def emptied(url: str) -> Tally:
    """Wait until the server has noticed that all connections are closed."""
    while (tally := await tally_of(url)).open:
        await asyncio.sleep(0.01)
    return tally


async def test_a_long_run_with_faults_loses_doubles_and_leaves_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "humeai_async")  # the records would count as growth
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: complaints.append(what))
    # The rate is beyond reach: this is about what happens to calls, not about pacing.
    limiter = Limiter(rate=100_000.0)
    with faulty_server(share=0.05) as url:
        before, began, cpu = await Holdings.now(), time.perf_counter(), time.process_time()
        async with clients(url, limiter) as pair:
            run = Run(pair)
            await run.make(iter(range(WARM_UP)))
            warm = await Holdings.now()
            await run.make(iter(range(WARM_UP, CALLS)))
            end = await Holdings.now()
            seconds = time.perf_counter() - began
            check_idle(pair, limiter)
        tally = await emptied(url)
        after = await Holdings.now()
    cpu = time.process_time() - cpu
    logger.info("%d calls in %.1f s, %.1f s of CPU", CALLS, seconds, cpu)
    logger.info("faults: %s", dict(tally.faults))
    logger.info("failures: %s", dict(run.failures))
    logger.info("stats: %s", [hume.stats for hume in pair])
    for moment, held in (("before", before), ("warm", warm), ("end", end), ("after", after)):
        objects = held.objects.total()
        logger.info(
            "%s: %d files, %d objects, %d bytes", moment, held.files, objects, held.resident
        )
    check_calls(run, tally)
    assert not complaints
    check_flat(before, warm, end, after)
    assert sum(hume.stats.requests for hume in pair) == tally.arrivals
    assert sum(hume.stats.calls for hume in pair) == CALLS
    assert sum(hume.stats.failures for hume in pair) == run.failures.total()


def check_idle(pair: tuple[HumeAI, ...], limiter: Limiter) -> None:
    """Check that no call holds a connection or a place in the limiter."""
    for hume in pair:
        transport: Any = session_in(hume).transport
        assert transport.in_flight == 0
    for bucket in limiter.buckets:
        state = limiter.snapshot(bucket)
        assert (state.in_flight, state.waiting) == (0, 0)


def check_calls(run: Run, tally: Tally) -> None:
    """Check what each caller was told against what the server did."""
    assert set(run.told) <= {Told.ANSWERED, Told.NOT_DONE, Told.UNKNOWN}
    for number, told in enumerate(run.told):
        carried = tally.carried[key_of(number)]
        if method_of(number) != "GET":
            assert carried <= 1, f"{method_of(number)} {number} was carried out {carried} times"
        if told == Told.ANSWERED:
            assert carried >= 1, f"{method_of(number)} {number} was answered but not carried out"
        elif told == Told.NOT_DONE:
            assert method_of(number) == "GET" or carried == 0, f"{number} was carried out unmarked"


def check_flat(before: Holdings, warm: Holdings, end: Holdings, after: Holdings) -> None:
    """Check that nothing grows with the number of calls, and that closing leaves nothing."""
    calls = CALLS - WARM_UP
    assert before.tasks == warm.tasks == end.tasks == after.tasks
    assert end.files <= before.files + IN_FLIGHT
    assert after.files == before.files
    # Less than one object for two calls: a few connections more or fewer are no leak.
    more = end.objects.total() - warm.objects.total()
    assert more < calls // 2, (end.objects - warm.objects).most_common(9)
    assert end.resident - warm.resident < 4_000_000
