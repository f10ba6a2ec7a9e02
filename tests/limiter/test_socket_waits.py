"""A quota that says nothing, on a real socket; `tests/limiter_scenes.py` runs longer scenes."""

from __future__ import annotations

import asyncio
import itertools
import time

import pytest

from humeai_async import HumeAI, Retry
from humeai_async.testing import FakeHume, Quota

pytestmark = pytest.mark.anyio

WINDOW = 1.5


@pytest.mark.slow
async def test_calls_at_once_over_a_silent_quota_on_a_socket_do_not_stand_still() -> None:
    ends: list[float] = []
    async with (
        FakeHume(quota=Quota(6, WINDOW, shape="fixed", hints="silent")) as fake,
        HumeAI(api_key=fake.api_key, base_url=fake.url, retry=Retry(attempts=100)) as hume,
    ):

        async def call() -> None:
            await hume.prompts.list()
            ends.append(time.perf_counter())

        await asyncio.gather(*[call() for _ in range(14)])
    gaps = [later - end for end, later in itertools.pairwise(sorted(ends))]
    assert len(ends) == 14
    # A machine that has other work is given half a second.
    assert max(gaps) <= 2 * WINDOW + 0.5
