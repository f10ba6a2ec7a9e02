"""A quota that nobody has declared, learned by all processes together.

Fleets in virtual time, on a virtual server that runs the real scripts, show faults of order and
lateness; the last tests are on real servers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fleet import Fleet
from redis_servers import KINDS, Server, running
from shared_quota import jain, listen
from virtual_redis import VirtualRedis

from humeai_async import Limiter
from humeai_async.shared import RedisQuota
from humeai_async.testing import Hint, Quota, Shape

pytestmark = [pytest.mark.anyio, pytest.mark.server]


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    with running(request.param, tmp_path) as started:
        yield started


@pytest.mark.parametrize(
    ("shape", "hint", "least"),
    [
        ("token", "retry-after", 0.9),
        ("fixed", "ratelimit", 0.9),
        ("sliding", "retry-after", 0.9),
    ],
)
def test_eight_processes_find_a_quota_together_and_share_it(
    shape: Shape, hint: Hint, least: float
) -> None:
    # As long as many pauses: one more or less of a second says nothing then.
    fleet = Fleet(shape=shape, hint=hint, seconds=24).run()
    assert fleet.share_refused() < 0.03
    assert fleet.pace(4, 24) > least
    assert fleet.jain() > 0.98


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "hint", "least"),
    [
        ("token", "ratelimit", 0.95),
        ("fixed", "ratelimit", 0.97),
        ("sliding", "retry-after", 0.92),
        ("sliding", "ratelimit", 0.92),
        ("sliding", "silent", 0.92),
    ],
)
def test_a_quota_that_was_found_is_used_and_seldom_met(
    shape: Shape, hint: Hint, least: float
) -> None:
    fleet = Fleet(shape=shape, hint=hint, latency=0.0004).run()
    assert fleet.share_refused() < 0.02
    assert fleet.share_refused(12, 24) < 0.015
    assert fleet.pace(12, 24) > least


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 2])
def test_a_sliding_window_lets_in_as_many_as_fall_out_of_it(seed: int) -> None:
    # After the first opening those are the few of the start: without a count all run into it.
    fleet = Fleet(shape="sliding", hint="silent", seconds=24, seed=seed).run()
    assert fleet.share_refused() < 0.04
    assert fleet.pace(4, 24) > 0.85


@pytest.mark.slow
def test_a_bucket_that_was_taken_for_a_window_is_not_met_again_and_again() -> None:
    fleet = Fleet(shape="token", hint="ratelimit", seconds=14, seed=1).run()
    assert fleet.share_refused(4, 14) < 0.04
    assert fleet.pace(4, 14) > 0.9


def test_one_alone_finds_the_same_quota() -> None:
    fleet = Fleet(processes=1, callers=64, seconds=8).run()
    assert fleet.share_refused() < 0.03
    assert fleet.pace(3, 8) > 0.9


def test_processes_that_join_begin_at_the_rate_that_is_known() -> None:
    fleet = Fleet(processes=4, joins=[6.0] * 4, seconds=10).run()
    assert fleet.share_refused(6.0, 9.0) < 0.02
    assert fleet.pace(6.0, 10.0) > 0.85
    assert fleet.jain(7.0) > 0.95


def test_processes_that_die_take_nothing_with_them() -> None:
    fleet = Fleet(dies=[6.0] * 3, seconds=10).run()
    assert fleet.share_refused(6.0, 10.0) < 0.03
    assert fleet.pace(6.5, 10.0) > 0.85


def test_what_was_learned_outlives_a_server_that_loses_all() -> None:
    fleet = Fleet(away=(5.0, 8.0), seconds=24, seed=1).run()
    assert fleet.pace(5.0, 8.0) > 0.85
    assert fleet.share_refused(8.0, 24.0) < 0.03
    assert fleet.pace(9.5, 24.0) > 0.85


@pytest.mark.slow
@pytest.mark.parametrize(("shape", "hint"), [("token", "silent"), ("fixed", "retry-after")])
def test_what_each_met_in_an_outage_is_not_measured_with_the_calls_of_all(
    shape: Shape, hint: Hint
) -> None:
    fleet = Fleet(shape=shape, hint=hint, away=(5.4, 8.0), seconds=13, seed=2).run()
    assert fleet.pace(5.4, 8.0) > 0.9
    assert fleet.pace(9.5, 13.0) > 0.65


def test_each_learns_alone_in_an_outage_if_that_is_wished() -> None:
    fleet = Fleet(away=(5.0, 9.0), seconds=14, outage="alone", changes=[(5.0, 400.0)]).run()
    assert fleet.pace(8.0, 9.0, 400.0) > 0.55  # by the share it would be half at most
    assert fleet.pace(10.5, 14.0, 400.0) > 0.45  # what all knew before, which was 0.5


def test_a_declared_rate_is_never_exceeded_by_a_process_that_learns_alone() -> None:
    fleet = Fleet(away=(3.0, 6.0), seconds=10, outage="alone", declared=50.0, processes=2).run()
    assert fleet.pace(3.0, 6.0, 50.0) < 2.1
    assert fleet.pace(8.5, 10.0, 50.0) < 1.1


def test_a_server_that_is_far_away_and_loses_requests_holds_nobody_for_ever() -> None:
    fleet = Fleet(redis=VirtualRedis(delay=0.01, loss=0.01, seed=1), seconds=12).run()
    assert fleet.share_refused() < 0.05
    assert fleet.pace(4, 12) > 0.6


def test_a_quota_that_becomes_smaller_is_found_by_all() -> None:
    fleet = Fleet(changes=[(6.0, 100.0)], seconds=14).run()
    assert fleet.share_refused(6.0, 11.0) < 0.08
    assert fleet.pace(9.0, 14.0, 100.0) > 0.85


@pytest.mark.slow
@pytest.mark.parametrize("hint", ["retry-after", "silent"])
def test_work_that_comes_with_rests_between_meets_a_quota_no_more_often(hint: Hint) -> None:
    fleet = Fleet(
        hint=hint, rate=100.0, processes=4, callers=32, jobs=50, rest=4.0, seconds=36, seed=3
    ).run()
    assert fleet.share_refused(12, 36) < 0.01
    assert fleet.pace(12, 36) > 0.7


async def test_a_closing_that_the_server_has_forgotten_holds_nobody(server: Server) -> None:
    async with RedisQuota(server.url) as quota:
        limiter = Limiter(rate=200, shared=quota)
        (await limiter.acquire()).done(200)
        await listen(server, 1)
        (await limiter.acquire()).done(429, retry_after=0.1)
        for _ in range(2):
            async with asyncio.timeout(5):
                for _ in range(5):
                    (await limiter.acquire()).done(200)
            server.say("FLUSHALL")


async def call(limiter: Limiter, service: Quota) -> bool:
    """Call a service that enforces a quota; returns whether it let the call in."""
    permit = await limiter.acquire()
    await asyncio.sleep(0.005)
    verdict = service.take()
    headers = {name.lower(): text for name, text in verdict.headers.items()}
    permit.done(200 if verdict.allowed else 429, headers)
    return verdict.allowed


@pytest.mark.slow
async def test_a_server_that_comes_back_empty_is_told_what_was_learned(server: Server) -> None:
    service = Quota(100.0)
    async with RedisQuota(server.url) as quota, asyncio.timeout(20):
        limiter = Limiter(shared=quota)

        async def call_on() -> None:
            while True:
                await call(limiter, service)

        async with asyncio.TaskGroup() as tasks:
            callers = [tasks.create_task(call_on()) for _ in range(8)]
            while not limiter.snapshot().rate:
                await asyncio.sleep(0.01)
            service.rate = 1e9  # from here on nobody learns anything
            server.kill()
            while limiter.snapshot().shared != "outage":
                await asyncio.sleep(0.01)
            server.start()
            while not (found := await quota.state()) or not found[0].rate:
                await asyncio.sleep(0.05)
            for one in callers:
                one.cancel()
        assert found[0].rate == pytest.approx(limiter.snapshot().rate, rel=0.3)
        assert limiter.snapshot().shared == "yes"


async def test_limiters_without_a_rate_learn_one_on_a_real_server(server: Server) -> None:
    service = Quota(100.0)
    counts, began = [0, 0, 0], time.monotonic()

    async def call_on(limiter: Limiter, number: int) -> None:
        while time.monotonic() < began + 6:
            let_in = await call(limiter, service)
            counts[number] += let_in

    quotas = [RedisQuota(server.url) for _ in counts]
    limiters = [Limiter(shared=quota) for quota in quotas]
    async with asyncio.TaskGroup() as tasks:
        for number, limiter in enumerate(limiters):
            for _ in range(8):
                tasks.create_task(call_on(limiter, number))
    (state,) = await quotas[0].state()
    for quota in quotas:
        await quota.aclose()
    assert sum(counts) > 300
    assert service.refused < 0.06 * service.asked
    assert jain(counts) > 0.9
    assert all(limiter.snapshot().rate for limiter in limiters)
    assert state.rate
