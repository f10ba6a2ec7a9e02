"""A 429 that one process meets, for all who share the quota; on real servers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis_servers import KINDS, Server, running
from shared_quota import Member, listen, see_pause

from humeai_async import ConfigurationError, Limiter, RateLimitWaitError
from humeai_async.limiter.events import Alone, LimiterEvent, Paused, Shared
from humeai_async.limiter.limiter import INTERACTIVE
from humeai_async.shared import RedisQuota
from humeai_async.shared.connection import Connection, hold_target
from humeai_async.shared.scripts import CLOSE, OPEN

pytestmark = [pytest.mark.anyio, pytest.mark.server]


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    with running(request.param, tmp_path) as started:
        yield started


async def go(limiter: Limiter, status: int = 200, retry_after: float | None = None) -> float:
    """Make a call; returns when it went."""
    permit = await limiter.acquire(priority=INTERACTIVE)
    went = time.monotonic()
    permit.done(status, retry_after=retry_after)
    return went


async def test_a_429_of_one_stops_all_at_once_for_as_long_as_it_says(server: Server) -> None:
    async with RedisQuota(server.url) as one, RedisQuota(server.url) as other:
        first, second = (Limiter(rate=50, shared=quota) for quota in (one, other))
        await go(first)
        await go(second)
        await listen(server, 2)
        refused = await go(first, 429, retry_after=1.0)
        await see_pause(second)
        assert await go(second) - refused > 0.9
        async with asyncio.timeout(3):
            await go(first)


async def test_one_tries_for_all_and_all_go_on_when_it_got_through(server: Server) -> None:
    async with RedisQuota(server.url) as one, RedisQuota(server.url) as other:
        first, second = (Limiter(rate=50, shared=quota) for quota in (one, other))
        await go(first)
        await go(second)
        await listen(server, 2)
        await go(first, 429, retry_after=0.4)
        await see_pause(second)  # from here on first has the probe
        waiting = asyncio.create_task(go(second))
        tried = await go(first, 429, retry_after=0.4)
        assert not waiting.done()
        opened = await go(first)
        assert opened - tried > 0.35
        async with asyncio.timeout(1):
            assert await waiting >= opened
        async with asyncio.timeout(1):
            await go(second)


async def test_who_tries_for_all_and_dies_holds_the_others_no_longer_than_twice_the_pause(
    server: Server,
) -> None:
    async with RedisQuota(server.url) as other:
        second = Limiter(rate=50, shared=other)
        async with RedisQuota(server.url) as one:
            await go(second)
            await listen(server, 1)
            refused = await go(Limiter(rate=50, shared=one), 429, retry_after=0.4)
            await see_pause(second)
        assert 0.4 < await go(second) - refused < 0.4 * 1.5 + 0.5 + 1.0


async def test_who_was_to_try_for_all_and_comes_back_later_opens_nothing(server: Server) -> None:
    connection = Connection(hold_target(server.url), timeout=5.0)
    keys = ("line", "gate", "learned")

    async def close(who: str, pause: float, probing: float) -> None:
        await connection.run(CLOSE, keys, (who, pause, probing, "channel", "bucket"))

    async def open_again(who: str) -> int:
        given = (who, "channel", "bucket", "-", "0.0", "0.0", "1.0")
        return int(await connection.run(OPEN, keys, given))

    await close("first", 0.01, 0.01)
    await asyncio.sleep(0.05)  # its time to try is over
    await close("second", 60.0, 1.0)
    assert await open_again("first") == 0
    assert float(server.say("HGET", "gate", "until").split()[1]) > time.time() + 50
    assert await open_again("second") == 1
    await connection.aclose()


async def test_what_is_told_and_shown_of_an_outage_and_its_end(server: Server) -> None:
    told: list[LimiterEvent] = []
    async with RedisQuota(server.url) as quota:
        limiter = Limiter(rate=100, shared=quota, on_event=told.append)
        await Member.over(limiter, 0.5)
        state = limiter.snapshot()
        assert (state.shared, state.members) == ("yes", 1)
        assert state.share is not None
        server.kill()
        await Member.over(limiter, 0.8)
        assert limiter.snapshot().shared == "outage"
        server.start()
        await Member.over(limiter, 2.5)
        assert limiter.snapshot().shared == "yes"
    kinds = [type(one) for one in told if isinstance(one, (Alone, Shared, Paused))]
    assert kinds == [Alone, Shared]


async def test_calls_that_stop_in_an_outage_are_told_when_it_is_tried_again(
    server: Server,
) -> None:
    async with RedisQuota(server.url, outage="stop") as quota:
        limiter = Limiter(rate=100, shared=quota)
        await go(limiter)
        server.kill()
        await asyncio.sleep(0.2)
        for _ in range(2):
            async with asyncio.timeout(2):
                with pytest.raises(RateLimitWaitError, match="shared quota") as caught:
                    await Member.over(limiter, 1.0)
            assert 0.0 < caught.value.seconds <= 0.6
        server.start()
        async with asyncio.timeout(5):
            while True:
                try:
                    await go(limiter)
                except RateLimitWaitError as problem:
                    await asyncio.sleep(problem.seconds)
                else:
                    break


async def test_the_state_names_members_shares_and_who_tries_in_a_pause(server: Server) -> None:
    async with RedisQuota(server.url, "fleet") as one, RedisQuota(server.url, "fleet") as other:
        first, second = (Limiter(rate=50, shared=quota) for quota in (one, other))
        assert await one.state() == []
        for _ in range(5):
            (await first.acquire("0123abcd/batch")).done(200)
        (await second.acquire("0123abcd/batch")).done(429, retry_after=5.0)
        async with asyncio.timeout(20):
            while not all(bucket.pauses for bucket in await one.state()):
                await asyncio.sleep(0.01)
        (bucket,) = await one.state()
    assert bucket.name.endswith("/batch")
    assert "0123abcd" not in bucket.name
    assert bucket.rate == pytest.approx(49.5)
    assert len(bucket.members) == 2
    assert bucket.members[0].share > bucket.members[1].share > 0
    assert bucket.pauses == 1
    assert 4.0 < bucket.paused_for <= 5.0
    assert bucket.holder == bucket.members[1].name


def test_an_outage_of_another_name_is_refused(server: Server) -> None:
    with pytest.raises(ConfigurationError, match="outage"):
        RedisQuota(server.url, outage="wait")  # type: ignore[arg-type]  # what is tested
