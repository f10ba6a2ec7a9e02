"""One declared rate for several limiters, on real servers.

Counts are asserted here, which hold on a busy machine too: never more than the rate, and fair.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from redis_servers import KINDS, Server, running
from shared_quota import Member, jain, most_in_a_second

from humeai_async import ConfigurationError, Limiter
from humeai_async.shared import RedisQuota
from humeai_async.testing import FakeHume

pytestmark = [pytest.mark.anyio, pytest.mark.server]
RATE = 200.0


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    with running(request.param, tmp_path) as started:
        yield started


@pytest.fixture
async def fleet(server: Server) -> AsyncIterator[list[Member]]:
    async with AsyncExitStack() as stack:
        quotas = [await stack.enter_async_context(RedisQuota(server.url)) for _ in range(4)]
        yield [Member(quota, RATE) for quota in quotas]


async def run(members: list[Member], seconds: float, workers: int = 8) -> None:
    until = time.monotonic() + seconds
    async with asyncio.TaskGroup() as tasks:
        for one in members:
            for _ in range(workers):
                tasks.create_task(one.work(until))


@pytest.mark.slow
async def test_all_together_keep_the_rate_and_share_it(fleet: list[Member]) -> None:
    began = time.monotonic()
    await run(fleet, 3.0)
    assert most_in_a_second(fleet, since=began + 0.5) <= 1.05 * RATE
    assert jain([len(one.went) for one in fleet]) > 0.95


@pytest.mark.slow
async def test_a_server_that_is_away_costs_no_pace_and_no_overrun(
    fleet: list[Member], server: Server
) -> None:
    began = time.monotonic()
    running_fleet = asyncio.create_task(run(fleet, 7.0))
    await asyncio.sleep(2.5)
    server.kill()
    await asyncio.sleep(2.0)
    server.start()
    await running_fleet
    assert most_in_a_second(fleet, since=began + 0.5) <= 1.1 * RATE
    times = [at - began for one in fleet for at in one.went]
    before, away = (sum(begin < at < begin + 1.5 for at in times) for begin in (0.9, 3.0))
    assert away > 0.7 * before  # of what this machine does now, which may be less than the rate


async def test_a_frozen_server_holds_nobody_for_long(fleet: list[Member], server: Server) -> None:
    first = fleet[0]
    await run([first], 0.5)
    server.freeze()
    try:
        async with asyncio.timeout(3.0):
            for _ in range(5):
                (await first.limiter.acquire()).done(200)
    finally:
        server.thaw()


async def test_an_interactive_call_goes_before_what_others_have_reserved(
    fleet: list[Member],
) -> None:
    *bulk, alone = fleet
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(run(bulk, 1.5))
        tasks.create_task(alone.work(time.monotonic() + 1.5, 0.1, is_urgent=True))
    assert sorted(alone.waited)[len(alone.waited) // 2] < 0.05


async def test_the_lowest_declared_rate_holds(server: Server) -> None:
    async with RedisQuota(server.url) as one, RedisQuota(server.url) as other:
        low, high = Member(one, 20.0), Member(other, 500.0)
        await run([low], 0.2, workers=1)
        began = time.monotonic()
        await run([low, high], 2.0)
        assert most_in_a_second([low, high], since=began + 0.8) <= 40


async def test_names_and_buckets_have_rates_of_their_own(server: Server) -> None:
    async with RedisQuota(server.url) as one, RedisQuota(server.url, name="other") as other:
        for quota in (one, other):
            limiter = Limiter(rate=1.0, shared=quota)
            for bucket in ("batch", "evi"):
                async with asyncio.timeout(2.0):
                    (await limiter.acquire(bucket)).done(200)


async def test_an_idle_fleet_asks_nothing(fleet: list[Member], server: Server) -> None:
    await run(fleet, 0.3, workers=1)
    server.say("CONFIG", "RESETSTAT")
    await asyncio.sleep(0.5)
    assert b"evalsha" not in server.say("INFO", "commandstats")


@pytest.mark.parametrize("password", [":wr0ng@", ""])
async def test_a_wrong_password_is_told_to_whoever_calls(tmp_path: Path, password: str) -> None:
    with running("redis", tmp_path, "--requirepass", "right") as server:
        url = server.url.replace("redis://", f"redis://{password}")
        async with RedisQuota(url) as quota:
            limiter = Limiter(rate=10.0, shared=quota)
            for _ in range(2):
                with pytest.raises(ConfigurationError, match="missing or wrong") as caught:
                    await limiter.acquire()
                assert "wr0ng" not in str(caught.value) + repr(quota)


async def test_a_server_that_is_no_redis_is_told_to_whoever_calls() -> None:
    async with FakeHume() as fake:
        async with RedisQuota(fake.url.replace("http://", "redis://")) as quota:
            with pytest.raises(ConfigurationError):
                await Limiter(rate=10.0, shared=quota).acquire()


async def test_a_server_that_was_never_there_is_an_outage(server: Server) -> None:
    server.kill()
    async with RedisQuota(server.url) as quota:
        began = time.monotonic()
        (await Limiter(rate=100.0, shared=quota).acquire()).done(200)
        assert time.monotonic() - began > 0.9


@pytest.mark.parametrize("url", ["quota.internal", "http://quota.internal", "redis://h:port"])
def test_a_url_of_no_redis_is_refused_at_once(url: str) -> None:
    with pytest.raises(ConfigurationError):
        RedisQuota(url)
