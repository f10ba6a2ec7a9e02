"""Quotas that say nothing, on real sockets: does anybody stand still, is anything lost?

python tests/limiter_scenes.py [--runs 12] [--at-once 4] [SCENE ...]

Each run prints its seconds against the quota's own pace, its longest gap without a response and
what failed; the last lines sum up. One run takes some 20 s.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import math
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Literal, TypeAlias

from attrs import define, field

from humeai_async import HumeAI
from humeai_async.testing import FakeHume, Quota, Shape

SOURCES, JOB_SIZE = 1000, 10
MOST = 1.5
"""A run may take so many times as long as the quota itself would need."""
Dialect: TypeAlias = Literal["direct", "gateway-recorded"]


@define
class Result:
    """What came of one run."""

    scene: str
    seconds: float
    own: float
    lost: int
    ends: list[float] = field(factory=list[float])

    @property
    def is_good(self) -> bool:
        """Whether nothing was lost and the run took no longer than it may."""
        return not self.lost and self.seconds <= MOST * self.own

    def __str__(self) -> str:
        ends = sorted(self.ends)
        gap = max((later - end for end, later in itertools.pairwise(ends)), default=0.0)
        return (
            f"{self.scene}: {self.seconds:.1f} s (the quota's own pace {self.own:.1f} s), "
            f"longest gap {gap:.1f} s, lost {self.lost}{'' if self.is_good else '  <-- bad'}"
        )


async def plain(shape: Shape, rate: float, per: float, calls: int) -> Result:
    """Make so many calls at once."""
    quota = Quota(rate, per, shape=shape, hints="silent")
    ends: list[float] = []
    async with (
        FakeHume(quota=quota) as fake,
        HumeAI(api_key=fake.api_key, base_url=fake.url) as hume,
    ):
        began = time.perf_counter()

        async def call() -> None:
            await hume.prompts.list()
            ends.append(time.perf_counter() - began)

        found = await asyncio.gather(*[call() for _ in range(calls)], return_exceptions=True)
        seconds = time.perf_counter() - began
    lost = sum(one is not None for one in found)
    return Result("plain", seconds, calls / rate * per, lost, ends)


async def predict(shape: Shape, rate: float, per: float, dialect: Dialect) -> Result:
    """Predict sources in a hundred jobs."""
    quota = Quota(rate, per, shape=shape, hints="silent")
    ends: list[float] = []
    lost = 0
    async with FakeHume(quota=quota, dialect=dialect) as fake, _open(fake, dialect) as hume:
        began = time.perf_counter()
        urls = [f"https://media.example/{number}.mp4" for number in range(SOURCES)]
        outcomes = hume.batch.predict(urls, models={"face": {}}, job_size=JOB_SIZE)
        async for outcome in outcomes:
            ends.append(time.perf_counter() - began)
            lost += outcome.error is not None
        seconds = time.perf_counter() - began
        calls = quota.asked - quota.refused
    own = calls / rate * per
    return Result(f"predict {shape} {dialect}", seconds, own, lost + SOURCES - len(ends), ends)


def _open(fake: FakeHume, dialect: Dialect) -> HumeAI:
    if dialect == "direct":
        return HumeAI(api_key=fake.api_key, base_url=fake.url)
    return HumeAI(api_token=fake.api_token, base_url=fake.url)


SCENES: dict[str, Callable[[], Awaitable[Result]]] = {
    "plain": lambda: plain("fixed", 20, 10.0, 45),
    "fixed": lambda: predict("fixed", 10, 1.0, "direct"),
    "gateway": lambda: predict("fixed", 10, 1.0, "gateway-recorded"),
    "sliding": lambda: predict("sliding", 30, 1.0, "direct"),
    "token": lambda: predict("token", 30, 1.0, "direct"),
}


async def run(scenes: list[str], runs: int, at_once: int) -> bool:
    """Run scenes, some at a time; say whether all went well."""
    places = asyncio.Semaphore(at_once)

    async def one(scene: str) -> Result:
        async with places:
            result = await SCENES[scene]()
        sys.stdout.write(f"{scene}: {result}\n")
        sys.stdout.flush()
        return result

    is_good = True
    for scene in scenes:
        results = await asyncio.gather(*[one(scene) for _ in range(runs)])
        worst = max(each.seconds / max(each.own, math.ulp(1.0)) for each in results)
        good = sum(each.is_good for each in results)
        sys.stdout.write(f"== {scene}: {good} of {runs} good, the longest {worst:.2f} times\n")
        is_good = is_good and good == runs
    return is_good


def main() -> int:
    """Read the command line; return 1 if a run was bad."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenes", nargs="*", metavar="SCENE")
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("--at-once", type=int, default=4)
    options = parser.parse_args()
    return not asyncio.run(run(options.scenes or list(SCENES), options.runs, options.at_once))


if __name__ == "__main__":
    sys.exit(main())
