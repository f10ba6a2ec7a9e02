"""The limiter against quotas of all shapes, in virtual time.

The figures are those promised: 3,000 calls, 64 in flight, at 200 a second, which no client
was told.
"""

from __future__ import annotations

import asyncio
import itertools

import pytest
from fuzzing.budget import DEEP
from hypothesis import given, settings
from hypothesis import strategies as st
from quota_simulation import Traffic
from virtual_time import VirtualLoop

from humeai_async.limiter.gate import Gate
from humeai_async.limiter.limiter import Limiter
from humeai_async.limiter.token_bucket import TokenBucket, WindowCount
from humeai_async.testing import Hint, Shape

pytestmark = pytest.mark.slow

SHAPES: tuple[Shape, ...] = ("token", "fixed", "sliding")
HINTS: dict[Hint, float] = {
    "ratelimit": 0.01,
    "ratelimit-policy": 0.01,
    "retry-after": 0.03,
    "silent": 0.05,
}
"""Calls, as a share, that may meet a 429 in a run on average."""
SECONDS = 15.8
"""Longest mean of runs: 95 % of the pace."""
SEEDS = range(3)
LATENCIES = (0.001, 0.005, 0.01)

ALL = [(shape, hint) for shape in SHAPES for hint in HINTS]


def runs(shape: Shape, hint: Hint) -> list[Traffic]:
    # A start may fall anywhere in a fixed window, so a mean takes more of them.
    seeds = range(6) if shape == "fixed" else SEEDS
    many = DEEP or shape == "fixed"
    each = itertools.product(LATENCIES, seeds) if many else zip(LATENCIES, SEEDS, strict=True)
    return [
        Traffic(shape=shape, hint=hint, latency=latency, seed=seed).run() for latency, seed in each
    ]


@pytest.mark.parametrize(("shape", "hint"), ALL)
def test_an_unknown_quota_is_found_kept_and_used(shape: Shape, hint: Hint) -> None:
    found = runs(shape, hint)
    assert [one.failed for one in found] == [0] * len(found)
    # The mean is what is promised.
    assert sum(one.refused for one in found) / len(found) <= HINTS[hint] * 3000
    assert max(one.refused for one in found) <= 0.05 * 3000
    assert sum(one.seconds for one in found) / len(found) <= SECONDS


@pytest.mark.parametrize(("shape", "hint"), ALL)
def test_a_declared_quota_is_kept_and_used(shape: Shape, hint: Hint) -> None:
    traffic = Traffic(shape=shape, hint=hint, declared=200).run()
    assert traffic.refused <= 0.005 * 3000
    assert traffic.failed == 0
    assert traffic.seconds <= 15 / 0.98


@pytest.mark.parametrize(("shape", "hint"), ALL)
def test_few_calls_need_more_than_three_attempts(shape: Shape, hint: Hint) -> None:
    attempts = Traffic(shape=shape, hint=hint, seed=5).run().attempts.values()
    assert sum(one > 3 for one in attempts) <= 10


@pytest.mark.parametrize("shape", ["token", "sliding"])
@pytest.mark.parametrize("hint", ["retry-after", "ratelimit", "silent"])
def test_a_halved_and_a_tripled_quota_is_found_in_five_seconds(shape: Shape, hint: Hint) -> None:
    traffic = Traffic(
        shape=shape, hint=hint, calls=7000, changes=[(12.0, 100.0), (24.0, 300.0)]
    ).run()
    assert traffic.failed == 0
    # In a sliding window, calls that came too early stand in the way of others after a halving.
    assert traffic.share(17.0, 24.0, 100.0) >= (0.95 if shape == "token" else 0.93)
    assert traffic.share(29.0, 34.0, 300.0) >= 0.95


@pytest.mark.slow  # four runs of 7,000 calls each
@pytest.mark.parametrize("hint", ["retry-after", "ratelimit", "silent"])
def test_a_fixed_window_that_is_halved_and_tripled_is_found_on_the_mean_of_starts(
    hint: Hint,
) -> None:
    # What falls into so few windows depends on where in one of them the calls began.
    changes = [(12.0, 100.0), (24.0, 300.0)]
    found = [
        Traffic(shape="fixed", hint=hint, calls=7000, changes=changes, seed=seed).run()
        for seed in range(4)
    ]
    assert [one.failed for one in found] == [0] * len(found)
    assert sum(one.share(17.0, 24.0, 100.0) for one in found) / len(found) >= 0.93
    assert sum(one.share(29.0, 34.0, 300.0) for one in found) / len(found) >= 0.90


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "1"}], ids=["silent", "retry-after"])
@pytest.mark.parametrize("seed", SEEDS if DEEP else SEEDS[:1])
def test_refusals_that_mean_no_quota_do_not_hold_the_pace(
    headers: dict[str, str], seed: int
) -> None:
    """Four calls in a thousand are refused at random; the service would take thousands."""
    traffic = Traffic(rate=1e6, calls=10_000, stray=0.004, stray_headers=headers, seed=seed).run()
    assert traffic.failed == 0
    assert traffic.seconds <= 15.0


@pytest.mark.parametrize("shape", SHAPES)
def test_a_quota_is_found_among_refusals_that_mean_none(shape: Shape) -> None:
    found = [Traffic(shape=shape, stray=0.004, seed=seed).run() for seed in SEEDS]
    assert [one.failed for one in found] == [0] * len(found)
    assert max(one.refused for one in found) <= 0.05 * 3000
    assert sum(one.seconds for one in found) / len(found) <= 17.0


def test_a_slow_network_loses_at_most_the_calls_in_flight_at_each_contact() -> None:
    traffic = Traffic(shape="sliding", latency=0.1).run()
    assert traffic.failed == 0
    assert traffic.refused <= 0.05 * 3000


def test_a_limit_of_calls_in_flight_is_told_from_one_of_calls_a_second() -> None:
    traffic = Traffic(most_in_flight=10, latency=0.1, jitter=0.5, calls=3000).run()
    assert traffic.failed == 0
    assert traffic.refused <= 0.05 * 3000


@settings(max_examples=60, deadline=None)
@given(
    shape=st.sampled_from(SHAPES),
    hint=st.sampled_from(
        ["silent", "retry-after", "retry-after-ms", "retry-after-date",
         "ratelimit", "ratelimit-policy", "x-ratelimit"]
    ),
    rate=st.floats(2, 500),
    latency=st.floats(0.0005, 0.5),
    in_flight=st.integers(1, 64),
    unanswered=st.floats(0, 0.2),
    changes=st.lists(st.tuples(st.floats(0.1, 20), st.floats(1, 500)), max_size=3),
    seed=st.integers(0, 1000),
)  # fmt: skip
def test_nobody_waits_for_ever(
    shape: Shape,
    hint: Hint,
    rate: float,
    latency: float,
    in_flight: int,
    unanswered: float,
    changes: list[tuple[float, float]],
    seed: int,
) -> None:
    Traffic(
        shape=shape, hint=hint, rate=rate, latency=latency, in_flight=in_flight, calls=300,
        unanswered=unanswered, changes=changes, seed=seed, horizon=3600.0,
    ).run()  # fmt: skip


@given(
    rate=st.floats(0.1, 1e4),
    burst=st.one_of(st.none(), st.integers(1, 50)),
    pauses=st.lists(st.floats(0, 5), min_size=1, max_size=50),
)
def test_no_more_than_the_declared_tokens_are_ever_spent(
    rate: float, burst: int | None, pauses: list[float]
) -> None:
    gate = Gate(0.0, rate, burst)
    most = burst or max(1.0, 0.05 * rate)
    now, taken = 0.0, 0
    for pause in pauses:
        now += pause
        for _ in range(20):
            if gate.ready_in(now, 1.0) > 0:
                break
            gate.take(now, 1.0)
            taken += 1
    assert taken <= most + rate * now + 1e-6


@settings(max_examples=50, deadline=None)
@given(
    callers=st.lists(
        st.tuples(st.floats(0, 2), st.floats(0.1, 5), st.none() | st.floats(0, 3)),
        min_size=1,
        max_size=30,
    )
)
def test_whoever_gives_up_the_others_go_in_order(
    callers: list[tuple[float, float, float | None]],
) -> None:
    """Each caller has a time of arrival, a cost, and perhaps a time to give up after."""
    limiter = Limiter(rate=20, burst=2)
    arrived: list[int] = []
    went: list[int] = []

    async def call(number: int, arrives: float, cost: float, gives_up: float | None) -> None:
        await asyncio.sleep(arrives)
        arrived.append(number)
        async with asyncio.timeout(gives_up):
            (await limiter.acquire(cost=cost)).done(200)
        went.append(number)

    async def run() -> float:
        calls = [call(number, *caller) for number, caller in enumerate(callers)]
        await asyncio.gather(*calls, return_exceptions=True)
        await limiter.acquire()
        return asyncio.get_running_loop().time() - 1000.0

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        seconds = runner.run(run())
    assert went == [number for number in arrived if number in went]
    assert {n for n, caller in enumerate(callers) if caller[2] is None} <= set(went)
    state = limiter.snapshot()
    assert (state.waiting, state.in_flight) == (0, 0)
    assert sum(callers[number][1] for number in went[:-1]) <= 2 + 20 * seconds + 5


@given(
    costs=st.lists(st.floats(0.1, 30), min_size=1, max_size=30),
    rate=st.floats(0.5, 100),
    size=st.floats(1, 20),
)
def test_a_bucket_that_is_waited_for_never_runs_ahead_of_its_rate(
    costs: list[float], rate: float, size: float
) -> None:
    bucket = TokenBucket(rate, size, 0.0, size)
    now = 0.0
    for cost in costs:
        now += bucket.wait(now, cost)
        assert bucket.wait(now, cost) <= 1e-6
        bucket.take(now, cost)
    assert sum(costs[:-1]) <= size + rate * now + 1e-6


@given(gaps=st.lists(st.floats(0, 0.5), min_size=1, max_size=200))
def test_a_count_over_a_window_is_never_too_low_by_more_than_a_slot(gaps: list[float]) -> None:
    count = WindowCount(2.0)
    times: list[float] = []
    now = 0.0
    for gap in gaps:
        now += gap
        times.append(now)
        count.add(now, 1.0)
    inside = sum(at > now - 2.0 + 0.02 for at in times)
    assert count.wait(now, inside - 1) > 0


@given(st.lists(st.floats(-3600, 3600), min_size=1, max_size=20))
def test_a_clock_that_jumps_stops_nothing(jumps: list[float]) -> None:
    gate = Gate(0.0, 10.0)
    now = 0.0
    for jump in jumps:
        gate.shift(jump)
        now += jump
        now += gate.ready_in(now, 1.0)
        assert gate.ready_in(now, 1.0) <= 1e-6
        gate.take(now, 1.0)


@pytest.mark.parametrize("used", [0.98, 1.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_quota_that_others_had_used_is_soon_used_to_the_full(shape: Shape, used: float) -> None:
    """As by a run that was stopped, and is started again within the same window."""
    for seed in SEEDS:
        traffic = Traffic(shape=shape, rate=100.0, used=used, calls=1000, seed=seed).run()
        assert traffic.seconds < 18.0
