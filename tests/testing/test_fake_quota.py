"""The quota of the fake, alone and behind the socket."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from raw_client import open_raw_client

from humeai_async.testing import ManualClock, Quota, Shape

pytestmark = pytest.mark.anyio


def make(shape: Shape, clock: ManualClock, **options: Any) -> Quota:
    return Quota(10, 2.0, shape=shape, clock=clock.now, wall=lambda: 1000.25, **options)


@pytest.mark.parametrize("shape", ["token", "fixed", "sliding"])
def test_a_full_quota_lets_a_burst_in_and_then_refuses(shape: Shape) -> None:
    quota = make(shape, ManualClock())
    assert [quota.take().allowed for _ in range(12)] == [True] * 10 + [False] * 2
    assert (quota.asked, quota.refused) == (12, 2)


@pytest.mark.parametrize("shape", ["token", "fixed", "sliding"])
def test_a_client_that_waits_as_told_gets_in(shape: Shape) -> None:
    clock = ManualClock()
    quota = make(shape, clock)
    for _ in range(40):
        verdict = quota.take()
        if not verdict.allowed:
            clock.advance(verdict.wait)
            assert quota.take().allowed
        clock.advance(0.01)


@pytest.mark.parametrize(("shape", "most"), [("token", 20), ("fixed", 20), ("sliding", 10)])
def test_no_window_holds_more_than_its_shape_allows(shape: Shape, most: int) -> None:
    clock = ManualClock()
    quota = make(shape, clock)
    clock.advance(1.3)
    allowed: list[float] = []
    for _ in range(2000):
        if quota.take().allowed:
            allowed.append(clock.now())
        clock.advance(0.01)
    for begin in allowed:
        assert sum(begin <= at < begin + 2.0 for at in allowed) <= most
    assert len(allowed) >= 95


def test_a_token_bucket_may_be_smaller_than_its_rate() -> None:
    quota = make("token", ManualClock(), burst=3)
    assert sum(quota.take().allowed for _ in range(10)) == 3


def test_a_fixed_window_opens_anew() -> None:
    clock = ManualClock()
    quota = make("fixed", clock)
    clock.advance(1.5)
    for _ in range(10):
        assert quota.take().allowed
    assert quota.take().wait == pytest.approx(0.5)
    clock.advance(0.5)
    assert quota.take().allowed


def test_hints_stand_where_services_put_them() -> None:
    clock = ManualClock()
    quota = make("fixed", clock, hints=("retry-after", "retry-after-ms", "ratelimit"))
    clock.advance(0.5)
    good = quota.take().headers
    assert good == {"RateLimit-Limit": "10", "RateLimit-Remaining": "9", "RateLimit-Reset": "2"}
    for _ in range(9):
        quota.take()
    bad = quota.take().headers
    assert bad["Retry-After"] == "2"
    assert bad["retry-after-ms"] == "1500"
    assert bad["RateLimit-Remaining"] == "0"


def test_points_in_time_are_told_in_epoch_time() -> None:
    quota = make("fixed", ManualClock(), hints=("retry-after-date", "x-ratelimit"))
    for _ in range(10):
        quota.take()
    headers = quota.take().headers
    assert parsedate_to_datetime(headers["Retry-After"]).timestamp() == 1003
    assert headers["X-RateLimit-Reset"] == "1003"


def test_the_newer_headers_name_the_policy() -> None:
    headers = make("sliding", ManualClock(), hints="ratelimit-policy").take().headers
    assert headers == {"RateLimit-Policy": '"default";q=10;w=2', "RateLimit": '"default";r=9;t=2'}


def test_a_silent_quota_says_nothing() -> None:
    quota = make("token", ManualClock(), hints="silent")
    assert all(quota.take().headers == {} for _ in range(12))


def test_a_quota_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        Quota(0)


async def test_a_429_comes_before_any_work() -> None:
    quota = Quota(2, 60.0, clock=ManualClock().now)
    async with open_raw_client(quota=quota) as call:
        for _ in range(2):
            await call.start("https://a.example/a.mp4")
        reply = await call("POST", "/v0/batch/jobs", json={"urls": ["https://a.example/a.mp4"]})
        assert len(call.fake.jobs) == 2
        assert call.fake.count(status=429) == quota.refused == 1
    assert reply.status == 429
    assert reply.headers["Retry-After"] == "30"
    assert reply.json["message"] == "Rate limit exceeded"


async def test_the_recorded_gateway_hides_the_hint_in_its_json() -> None:
    quota = Quota(1, 60.0, hints=("retry-after", "x-ratelimit"), clock=time.monotonic)
    async with open_raw_client(quota=quota, dialect="gateway-recorded") as call:
        await call("GET", "/v0/batch/jobs")
        reply = await call("GET", "/v0/batch/jobs")
    assert reply.status == 429
    assert "Retry-After" not in reply.headers
    assert reply.json["headers"]["retry-after"] == "60"
    assert reply.json["headers"]["x-ratelimit-remaining"] == "0"
    assert reply.json["error"]["message"] == reply.json["message"] == "Rate limit exceeded"


async def test_a_quota_may_be_changed_in_mid_run() -> None:
    async with open_raw_client(quota=Quota(1, 60.0)) as call:
        await call("GET", "/v0/batch/jobs")
        assert (await call("GET", "/v0/batch/jobs")).status == 429
        call.fake.quota = None
        assert (await call("GET", "/v0/batch/jobs")).status == 200
