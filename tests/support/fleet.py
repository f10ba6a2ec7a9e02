"""A fleet of virtual processes on a virtual Redis and an unknown quota, in virtual time."""

from __future__ import annotations

import asyncio
import functools
import random
from collections.abc import Awaitable, Callable, Sequence

from attrs import define, field
from virtual_redis import EPOCH, VirtualRedis
from virtual_time import VirtualLoop

from humeai_async import Limiter
from humeai_async.limiter.limiter import BULK
from humeai_async.shared import RedisQuota
from humeai_async.shared.turn_source import Outage
from humeai_async.testing import Hint, Quota, Shape


@define(kw_only=True)
class Fleet:
    """What to simulate, and what came of it; all times in seconds from the start."""

    shape: Shape = "token"
    hint: Hint = "retry-after"
    rate: float = 200.0
    processes: int = 8
    callers: int = 8
    seconds: float = 24.0
    latency: float = 0.005
    is_shared: bool = True
    outage: Outage = "share"
    joins: Sequence[float] = ()
    """When further processes begin."""
    dies: Sequence[float] = ()
    """When processes end without a word, the first ones first."""
    changes: Sequence[tuple[float, float]] = ()
    """Times, and the quota's rate from then on."""
    away: tuple[float, float] | None = None
    """When the server is away, and when it is back, empty."""
    declared: float | None = None
    jobs: int = 0
    """Jobs that a process runs together, in place of calls without a pause: each is submitted,
    asked for together with the others, and fetched."""
    rest: float = 4.0
    """Seconds for which a process rests after so many jobs."""
    redis: VirtualRedis = field(factory=VirtualRedis)
    seed: int = 0

    let_in: list[tuple[float, int]] = field(init=False, factory=list[tuple[float, int]])
    refused: list[tuple[float, int]] = field(init=False, factory=list[tuple[float, int]])
    limiters: list[Limiter] = field(init=False, factory=list[Limiter])

    def run(self) -> Fleet:
        """Run it."""
        random.seed(self.seed)  # the library spreads its tries
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(self._run())
        return self

    def share_refused(self, begin: float = 0.0, end: float = 1e9) -> float:
        """Return the share of calls that met a 429."""
        refused = sum(begin <= at < end for at, _ in self.refused)
        return refused / max(1, refused + sum(begin <= at < end for at, _ in self.let_in))

    def pace(self, begin: float, end: float, rate: float | None = None) -> float:
        """Return the calls let in as a share of the quota's rate."""
        count = sum(begin <= at < end for at, _ in self.let_in)
        return count / (end - begin) / (rate or self.rate)

    def jain(self, begin: float = 0.0) -> float:
        """Return how fair shares are: 1 where all are the same."""
        counts = [0] * len(self.limiters)
        for at, process in self.let_in:
            counts[process] += at >= begin
        return sum(counts) ** 2 / (len(counts) * sum(one * one for one in counts))

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        start, chance = loop.time(), random.Random(self.seed)  # noqa: S311 - traffic
        per = 1.0 if self.shape == "token" else 2.0
        quota = Quota(
            self.rate * per, per, shape=self.shape, hints=self.hint, clock=loop.time,
            wall=lambda: EPOCH + loop.time(),
        )  # fmt: skip

        async def call(limiter: Limiter, process: int) -> None:
            """Call until a call is let in."""
            while True:
                permit = await limiter.acquire(priority=BULK)
                await asyncio.sleep(self.latency / 2 * chance.uniform(0.8, 1.2))
                verdict = quota.take()
                await asyncio.sleep(self.latency / 2 * chance.uniform(0.8, 1.2))
                headers = {name.lower(): text for name, text in verdict.headers.items()}
                permit.done(200 if verdict.allowed else 429, headers)
                found = self.let_in if verdict.allowed else self.refused
                found.append((loop.time() - start, process))
                if verdict.allowed:
                    return

        async def live(number: int, begin: float, end: float) -> None:
            await asyncio.sleep(begin + 0.05 * chance.random())
            source = RedisQuota(self.redis, outage=self.outage)
            limiter = Limiter(rate=self.declared, shared=source if self.is_shared else None)
            self.limiters[number] = limiter
            work = asyncio.create_task(self._work(functools.partial(call, limiter, number)))
            await asyncio.sleep(end - begin)
            work.cancel()
            await asyncio.wait([work])
            await source.aclose()

        async def change() -> None:
            for at, rate in self.changes:
                await asyncio.sleep(start + at - loop.time())
                quota.rate = rate * per

        async def lose() -> None:
            if self.away is not None:
                await asyncio.sleep(self.away[0])
                self.redis.is_away = True
                await asyncio.sleep(self.away[1] - self.away[0])
                self.redis.is_away = False
                self.redis.empty()

        begins = [0.0] * self.processes + list(self.joins)
        ends = [*self.dies, *[self.seconds] * (len(begins) - len(self.dies))]
        self.limiters = [Limiter() for _ in begins]
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(change())
            tasks.create_task(lose())
            for number, (begin, end) in enumerate(zip(begins, ends, strict=True)):
                tasks.create_task(live(number, begin, end))

    async def _work(self, call: Callable[[], Awaitable[None]]) -> None:
        if self.jobs:
            await self._run_jobs(call)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self.callers):
                tasks.create_task(_forever(call))

    async def _run_jobs(self, call: Callable[[], Awaitable[None]]) -> None:
        """Submit jobs, ask for all of them together, fetch them, and rest; over and over."""
        slots, asked = asyncio.Semaphore(self.callers), asyncio.Condition()

        async def job() -> None:
            async with slots:
                await call()
                async with asked:
                    await asked.wait()
                await call()

        async def ask() -> None:
            while True:
                await asyncio.sleep(0.1)
                await call()
                async with asked:
                    asked.notify_all()

        async with asyncio.TaskGroup() as asking:
            asking.create_task(ask())
            while True:
                async with asyncio.TaskGroup() as tasks:
                    for _ in range(self.jobs):
                        tasks.create_task(job())
                await asyncio.sleep(self.rest)


async def _forever(call: Callable[[], Awaitable[None]]) -> None:
    while True:
        await call()
