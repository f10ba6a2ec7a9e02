"""How long the limiter may make everybody wait, in virtual time.

With W the quota's window, no gap without a call in flight is longer than W + 2 min(W, 5 s) and
a round trip once W is known, nor longer than 2 W before; and the work takes at most half as
long again as the quota itself would need.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest
from virtual_time import BACKEND, CoarseLoop

from humeai_async.limiter.limiter import BULK, INTERACTIVE, Limiter
from humeai_async.limiter.queue import Priority
from humeai_async.testing import Quota, Shape

pytestmark = pytest.mark.anyio

LATENCY = 0.02


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return BACKEND


class Service:
    """A quota that says nothing but 429, callers that go on until they are let in."""

    def __init__(self, shape: Shape, rate: float, per: float, *, connecting: float = 0.0) -> None:
        loop = asyncio.get_running_loop()
        self.quota = Quota(rate, per, shape=shape, hints="silent", clock=loop.time)
        self.limiter = Limiter()
        self.began = loop.time()
        self.connecting = connecting
        """Seconds to open a connection; one is needed for each call until one is free."""
        self.spans: list[tuple[float, float]] = []
        """When each attempt went and ended."""
        self.finished = 0

    async def call(self, priority: Priority = INTERACTIVE) -> None:
        loop = asyncio.get_running_loop()
        attempts = 0
        while True:
            permit = await self.limiter.acquire(priority=priority, head=attempts > 0)
            attempts += 1
            sent = loop.time()
            await asyncio.sleep(LATENCY / 2 + (0.0 if self.spans else self.connecting))
            is_allowed = self.quota.take().allowed
            await asyncio.sleep(LATENCY / 2)
            self.spans.append((sent, loop.time()))
            permit.done(200 if is_allowed else 429)
            if is_allowed:
                self.finished += 1
                return

    @property
    def seconds(self) -> float:
        """Seconds from the start until the last call was over."""
        return max(end for _, end in self.spans) - self.began

    @property
    def longest_gap(self) -> float:
        """Longest time without a call in flight."""
        spans = sorted(self.spans)
        ends = itertools.accumulate((end for _, end in spans), max)
        return max((later[0] - end for later, end in zip(spans[1:], ends, strict=False)), default=0)


def longest_allowed(window: float) -> float:
    """Return the bound for any gap: the first contact may take 2 W, later ones less or more."""
    return max(2 * window, window + 2 * min(window, 5.0) + LATENCY)


@pytest.mark.parametrize("start", [0.0, 3.3, 6.1, 9.7])
async def test_calls_at_once_over_a_small_silent_quota_do_not_stand_still(start: float) -> None:
    await asyncio.sleep(start)
    service = Service("fixed", 20, 10.0)
    await asyncio.gather(*[service.call() for _ in range(45)])
    assert service.finished == 45
    assert service.longest_gap <= longest_allowed(10.0)
    assert service.seconds <= 1.5 * 22.5


async def jobs(service: Service, number: int, callers: int = 64) -> None:
    """Submit and fetch as many jobs as bulk, while somebody polls who waits for the response."""
    waiting = iter(range(number))

    async def work() -> None:
        for _ in waiting:
            await service.call(BULK)
            await service.call(BULK)

    async def poll() -> None:
        while True:
            await service.call()
            await asyncio.sleep(2.0)

    async with asyncio.TaskGroup() as group:
        polling = group.create_task(poll())
        await asyncio.gather(*[work() for _ in range(callers)])
        polling.cancel()


@pytest.mark.parametrize("start", [0.0, 0.37, 0.81])
@pytest.mark.parametrize(
    ("shape", "rate", "per"),
    [("fixed", 10, 1.0), ("fixed", 100, 10.0), ("sliding", 30, 1.0), ("token", 30, 1.0)],
)
async def test_a_run_of_jobs_over_a_silent_quota_does_not_stand_still(
    shape: Shape, rate: float, per: float, start: float
) -> None:
    await asyncio.sleep(start)
    service = Service(shape, rate, per)
    await jobs(service, 200)
    assert service.finished >= 400
    assert service.longest_gap <= longest_allowed(per)
    own = service.finished / rate * per
    assert service.seconds <= 1.5 * own


@pytest.mark.parametrize("connecting", [0.012, 0.04, 0.2])
@pytest.mark.parametrize("shape", ["sliding", "fixed"])
async def test_a_first_call_that_opens_a_connection_does_not_double_the_window(
    shape: Shape, connecting: float
) -> None:
    await asyncio.sleep(0.37)
    service = Service(shape, 30, 1.0, connecting=connecting)
    await jobs(service, 100)
    assert service.seconds <= 1.5 * service.finished / 30


async def test_a_refused_interactive_call_does_not_block_the_bulk_calls_behind_it() -> None:
    limiter = Limiter()
    loop = asyncio.get_running_loop()
    started = loop.time()
    (await limiter.acquire()).done(429)
    for _ in range(6):
        (await limiter.acquire(head=True)).done(429)
    refused_for = loop.time() - started
    (await limiter.acquire(head=True)).done(200)
    (await limiter.acquire(priority=BULK)).done(200)
    assert loop.time() - started <= 5 * refused_for


@pytest.mark.parametrize("known", [False, True])
async def test_a_service_that_refuses_one_call_alone_is_tried_until_it_opens(known: bool) -> None:
    """One call at a time, as a poll: nobody else is there to find the quota open again."""
    service = Service("fixed", 5, 10.0)
    if known:
        await asyncio.gather(*[service.call() for _ in range(12)])
    for _ in range(12):
        await service.call()
    assert service.longest_gap <= longest_allowed(10.0)


def test_a_timer_that_comes_early_is_not_set_again_for_the_same_call() -> None:
    loop = CoarseLoop()

    async def run() -> None:
        limiter = Limiter(rate=1900)

        async def call() -> None:
            (await limiter.acquire()).done(200)

        await asyncio.gather(*[call() for _ in range(1000)])

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(run())
    assert loop.timers <= 1100


@pytest.mark.parametrize("library", ["asyncio", "uvloop"])
def test_the_queue_wakes_at_most_once_a_call_on_a_real_clock(library: str) -> None:
    """400 calls at 2,000 a second, each of which has a deadline that it keeps."""
    own: asyncio.AbstractEventLoop = pytest.importorskip(
        library, reason="not made for every platform"
    ).new_event_loop()
    own.close()
    base = type(own)
    timers = 0

    def call_at(loop: asyncio.AbstractEventLoop, *args: Any, **options: Any) -> Any:
        nonlocal timers
        timers += 1
        return base.call_at(loop, *args, **options)

    counting_loop: Any = type("CountingLoop", (base,), {"call_at": call_at})

    async def run() -> None:
        limiter = Limiter(rate=2000)

        async def call() -> None:
            deadline = asyncio.get_running_loop().time() + 30.0
            (await limiter.acquire(deadline=deadline)).done(200)

        await asyncio.gather(*[call() for _ in range(400)])

    with asyncio.Runner(loop_factory=counting_loop) as runner:
        runner.run(run())
    assert 0 < timers <= 440
