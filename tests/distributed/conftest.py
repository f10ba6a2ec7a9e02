"""A service of recordings, and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from distributed_support import make_client

from humeai_async import HumeAI
from humeai_async.testing import FakeHume


@pytest.fixture
async def fake() -> AsyncIterator[FakeHume]:
    async with FakeHume() as server:
        server.decisions.calls_a_minute = 1_000_000
        yield server


@pytest.fixture
async def hume(fake: FakeHume) -> AsyncIterator[HumeAI]:
    async with make_client(fake.url) as client:
        yield client
