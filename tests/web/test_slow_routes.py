"""What one slow route does to the others, and what keeps it from doing so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from humeai_async import APITimeoutError, HumeAI, Limiter, Pool
from humeai_async.testing import FakeHume, Fault

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

SLOW = 64


@asynccontextmanager
async def crowded(fake: FakeHume, hume: HumeAI) -> AsyncGenerator[None]:
    """Keep as many slow calls in flight as there may be."""
    calls = [asyncio.create_task(hume.configs.get_version("slow", 0)) for _ in range(SLOW)]
    while len(fake.requests) < SLOW:
        await asyncio.sleep(0.01)
    yield
    for one in calls:
        one.cancel()
    await asyncio.gather(*calls, return_exceptions=True)


@pytest.fixture
async def fake() -> AsyncGenerator[FakeHume]:
    stalled = Fault("stall", path="/v0/evi/configs/slow/*", times=None)
    async with FakeHume(faults=[stalled]) as one:
        yield one


def client(fake: FakeHume, connections: int) -> HumeAI:
    # A declared rate, for one that is being learned lets few go before the first answers.
    return HumeAI(
        api_key=fake.api_key,
        base_url=fake.url,
        limiter=Limiter(rate=10_000),
        pool=Pool(limit=connections),
    )


async def test_the_pool_as_it_comes_has_room_beside_64_slow_calls(fake: FakeHume) -> None:
    async with client(fake, Pool().limit) as hume, crowded(fake, hume):
        page = await hume.prompts.list(page_size=10)
    assert page.items == []


async def test_a_pool_full_of_slow_calls_keeps_the_others_waiting(fake: FakeHume) -> None:
    async with client(fake, SLOW) as hume, crowded(fake, hume):
        with pytest.raises(APITimeoutError):
            await hume.with_options(timeout=0.1).prompts.list(page_size=10)
    assert len(fake.requests) == SLOW


async def test_a_client_of_its_own_keeps_a_slow_route_apart(fake: FakeHume) -> None:
    async with (
        client(fake, SLOW) as slow,
        HumeAI(api_key=fake.api_key, base_url=fake.url, limiter=slow.limiter) as hume,
        crowded(fake, slow),
    ):
        page = await hume.prompts.list(page_size=10)
    assert page.items == []
