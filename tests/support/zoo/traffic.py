"""One cell lived through: a limiter and its callers on an event loop whose clock jumps."""

from __future__ import annotations

import asyncio
import bisect
import contextlib
import math
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from attrs import define, field, frozen
from virtual_time import VirtualLoop
from zoo.cells import Cell
from zoo.quotas import HAIR

from humeai_async.errors import RateLimitWaitError
from humeai_async.limiter.limiter import Limiter

WINDOWS, CALLS = 8, 3000
"""A cell ends after so many windows, or so many accepted calls."""
DEADLINE = 300.0
"""Seconds after which a call gives up."""
CHANGE_EVERY, FOUND = 15.0, 5.0
"""Seconds from one change of a quota to the next, and until the new one is to be found."""
EDGE = 0.9
"""A call that the quota lets in only in the last tenth of its time has no claim to it."""
REFUSED = 429


@frozen
class Outcome:
    """What came of a cell."""

    cell: Cell
    pace: float
    """Calls let in against those that the quota would have let in evenly; at most 1."""
    refused: float
    """Share of the attempts that were answered 429."""
    failed: int
    """Calls that gave up although the quota would have let them in before their deadline."""
    idle: float
    """Longest time without a call in flight, in seconds."""
    allowed_idle: float
    """Longest time for which that is in order."""
    seconds: float
    accepted: int

    def __str__(self) -> str:
        idle = " (too long)" if self.idle > self.allowed_idle else ""
        return (
            f"seed {self.cell.seed}: pace {self.pace:.1%}, {self.refused:.1%} of attempts refused, "
            f"{self.failed} failed, idle {self.idle:.2f} s{idle}; {self.cell}"
        )


@frozen
class Changed:
    """The pace from `FOUND` seconds after each change of a quota on.

    It is that of calls let in against those that the quota would have let in evenly; at most 1.
    """

    cell: Cell
    halved: float
    tripled: float

    def __str__(self) -> str:
        seed, cell = self.cell.seed, self.cell
        return f"seed {seed}: halved {self.halved:.1%}, tripled {self.tripled:.1%}; {cell}"


@define
class Run:
    """A cell as it is lived through."""

    cell: Cell
    limiter: Limiter
    chance: random.Random
    began: float
    end: float
    calls: float = CALLS
    """It ends after so many accepted calls."""
    changes: Sequence[tuple[float, float]] = ()
    """Times from the start, and by how much the quota is larger from then on."""
    active: int = 0
    in_flight: int = 0
    idle_since: float = 0.0
    idle: float = 0.0
    attempts: int = 0
    refused: int = 0
    others: list[float] = field(factory=list[float])
    accepted: list[float] = field(factory=list[float])
    over: asyncio.Event = field(factory=asyncio.Event)
    created: list[float] = field(factory=list[float])
    gave_up: list[tuple[int, float]] = field(factory=list[tuple[int, float]])
    """Number and deadline of calls that ended without being let in."""

    async def caller(self) -> None:
        """Make one call after the other, each until it is let in or its time is up."""
        loop = asyncio.get_running_loop()
        while not self.over.is_set():
            number, deadline = len(self.created), loop.time() + DEADLINE
            self.created.append(loop.time())
            try:
                tries = 0
                while not await self.attempt(deadline, again=tries > 0):
                    tries += 1
            except RateLimitWaitError:
                self.gave_up.append((number, deadline))
                await asyncio.sleep(1.0)

    async def attempt(self, deadline: float, *, again: bool) -> bool:
        """Send one request; say whether it was let in."""
        loop = asyncio.get_running_loop()
        permit = await self.limiter.acquire(deadline=deadline, head=again)
        if not self.in_flight:
            self.idle = max(self.idle, loop.time() - self.idle_since)
        self.in_flight += 1
        cell = self.cell
        latency = cell.latency * (1 + cell.jitter * self.chance.uniform(-1, 1))
        # A quarter of the latency for each way, the rest is the service's work.
        await asyncio.sleep(latency / 4)
        now = loop.time()
        is_crowded = cell.most_in_flight is not None and self.active >= cell.most_in_flight
        allowed = not is_crowded and cell.quota.take(now)
        headers = cell.dialect.write(cell.quota, now, refused=not allowed)
        if allowed:
            self.active += 1
            self.accepted.append(now)
            await asyncio.sleep(latency * 3 / 4)
            self.active -= 1
        else:
            self.refused += 1
            await asyncio.sleep(latency / 4)
        self.attempts += 1
        self.in_flight -= 1
        self.idle_since = loop.time()
        permit.done(200 if allowed else REFUSED, headers)
        if len(self.accepted) >= self.calls or loop.time() >= self.end:
            self.over.set()
        return allowed

    async def other(self) -> None:
        """Take half of the quota, as another client does that knows its share."""
        while True:
            await asyncio.sleep(self.chance.uniform(1.0, 3.0) / self.cell.rate)
            now = asyncio.get_running_loop().time()
            if self.cell.quota.take(now):
                self.others.append(now)

    async def clock(self) -> None:
        await asyncio.sleep(self.end - self.began)
        self.over.set()

    async def change(self) -> None:
        """Let the service change its mind."""
        for at, factor in self.changes:
            await asyncio.sleep(self.began + at - asyncio.get_running_loop().time())
            self.cell = self.cell.scaled(factor)

    async def live(self) -> None:
        loop = asyncio.get_running_loop()
        self.idle_since = self.began
        jobs: list[Callable[[], Awaitable[None]]] = [self.caller] * self.cell.in_flight
        jobs += [self.clock, self.change]
        if self.cell.has_other:
            jobs.append(self.other)
        tasks = [asyncio.ensure_future(job()) for job in jobs]
        await self.over.wait()
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if not self.in_flight:
            self.idle = max(self.idle, loop.time() - self.idle_since)

    def outcome(self) -> Outcome:
        cell = self.cell
        end = self.end
        if len(self.accepted) >= self.calls:
            end = min(end, self.accepted[int(self.calls) - 1])
        accepted = sum(at <= end for at in self.accepted)
        seconds = max(end - self.began, 1e-9)
        could = possible(cell, self.began, seconds, len(self.others))
        failed = 0
        gone: list[int] = []
        for number, deadline in self.gave_up:
            # Those before it that had not given up by then would have been let in first.
            rank = number - bisect.bisect(gone, number) + 1
            bisect.insort(gone, number)
            failed += rank <= EDGE * could / seconds * (deadline - self.began)
        return Outcome(
            cell=cell,
            pace=min(1.0, accepted / max(could, 1.0)),
            refused=self.refused / max(self.attempts, 1),
            failed=failed,
            idle=self.idle,
            allowed_idle=max(
                2 * cell.window, cell.window + 2 * min(cell.window, 5.0) + cell.latency * 1.5
            ),
            seconds=seconds,
            accepted=accepted,
        )


def possible(cell: Cell, began: float, seconds: float, others: int) -> float:
    """Return how many calls the quota would have let in, had they come evenly.

    No more than whoever knows the quota gets out of it with so many in flight: a weighted
    window of two requests, for one, lets no two in.
    """
    even = cell.rate * seconds - others
    slots, taken = cell.in_flight, cell.latency
    if cell.most_in_flight is not None and cell.most_in_flight / 0.75 < slots:
        slots, taken = cell.most_in_flight, cell.latency * 3 / 4
    even = min(even, slots / taken * seconds)
    quota, now, count = cell.fresh().quota, began + cell.latency / 4, 0
    free = deque([now] * slots)
    while count < even:
        now = max(now, free[0])
        while (wait := quota.opens_in(now)) > HAIR:
            now += wait
        if now > began + seconds:
            break
        if not quota.take(now):
            now += HAIR
            continue
        count += 1
        free.popleft()
        free.append(now + taken)
    return min(even, count)


def run(cell: Cell) -> Outcome:
    """Live through a cell with a limiter that knows nothing."""
    return _lived(cell, WINDOWS * cell.window).outcome()


def run_long(cell: Cell, seconds: float) -> Outcome:
    """Live through a cell for so long, whatever its window and its calls."""
    return _lived(cell, seconds, calls=math.inf).outcome()


def run_changing(cell: Cell) -> Changed:
    """Live through a cell whose quota is halved and then tripled."""
    changes = [(CHANGE_EVERY, 0.5), (2 * CHANGE_EVERY, 3.0)]
    one = _lived(cell, 3 * CHANGE_EVERY, calls=math.inf, changes=changes)
    paces: list[float] = []
    now = cell.fresh()
    for at, factor in changes:
        now = now.scaled(factor)
        begin, seconds = one.began + at + FOUND, CHANGE_EVERY - FOUND
        accepted = sum(begin <= found < begin + seconds for found in one.accepted)
        others = sum(begin <= found < begin + seconds for found in one.others)
        paces.append(min(1.0, accepted / max(possible(now, begin, seconds, others), 1.0)))
    return Changed(cell, *paces)


def _lived(cell: Cell, seconds: float, **settings: Any) -> Run:
    async def live() -> Run:
        chance = random.Random(cell.seed)  # noqa: S311 - traffic, no secret
        # Start anywhere in a window of the clock.
        await asyncio.sleep(cell.window * chance.random())
        now = asyncio.get_running_loop().time()
        one = Run(cell, Limiter(), chance, now, now + seconds, **settings)
        await one.live()
        return one

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(live())
