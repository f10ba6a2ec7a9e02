"""Fleets on one shared quota: limiters with waiters, each as a process has them."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence

from attrs import define, field
from redis_servers import Server

from humeai_async import Limiter
from humeai_async.limiter.limiter import BULK, INTERACTIVE
from humeai_async.shared import RedisQuota


@define(eq=False)
class Member:
    """One limiter and when its calls went."""

    quota: RedisQuota
    rate: float
    limiter: Limiter = field(init=False)
    went: list[float] = field(factory=list[float], init=False)
    waited: list[float] = field(factory=list[float], init=False)

    @staticmethod
    async def over(limiter: Limiter, seconds: float) -> None:
        """Make calls one after the other for so long."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            (await limiter.acquire()).done(200)

    def __attrs_post_init__(self) -> None:
        self.limiter = Limiter(rate=self.rate, shared=self.quota)

    async def work(self, until: float, pause: float = 0.0, *, is_urgent: bool = False) -> None:
        """Make calls one after the other, until a time of the monotonic clock."""
        while (began := time.monotonic()) < until:
            permit = await self.limiter.acquire(priority=INTERACTIVE if is_urgent else BULK)
            now = time.monotonic()
            self.went.append(now)
            self.waited.append(now - began)
            permit.done(200)
            await asyncio.sleep(pause)


async def listen(server: Server, processes: int, name: str = "default") -> None:
    """Wait until so many processes are told at once when the gate of a quota closes."""
    channel = f"humeai_async:{{{name}}}:gate"
    async with asyncio.timeout(20):
        while f":{processes}\r\n".encode() not in server.say("PUBSUB", "NUMSUB", channel):
            await asyncio.sleep(0.01)


async def see_pause(limiter: Limiter) -> None:
    """Wait until a limiter knows that nobody may go."""
    async with asyncio.timeout(20):
        while not limiter.snapshot().paused_for:
            await asyncio.sleep(0.001)


def jain(counts: Sequence[int]) -> float:
    """Return how fair shares are: 1 where all are the same."""
    return sum(counts) ** 2 / (len(counts) * sum(count * count for count in counts))


def most_in_a_second(members: Sequence[Member], *, since: float = 0.0) -> int:
    """Return the most calls of all together within any second."""
    times = sorted(at for one in members for at in one.went if at >= since)
    start = most = 0
    for end, at in enumerate(times):
        while times[start] <= at - 1.0:
            start += 1
        most = max(most, end - start + 1)
    return most


async def work_alone(url: str, rate: float, seconds: float) -> None:
    """Make calls as a process of a fleet does."""
    async with RedisQuota(url) as quota:
        member = Member(quota, rate)
        until = time.monotonic() + seconds
        async with asyncio.TaskGroup() as tasks:
            for _ in range(4):
                tasks.create_task(member.work(until))


if __name__ == "__main__":
    asyncio.run(work_alone(sys.argv[1], float(sys.argv[2]), float(sys.argv[3])))
