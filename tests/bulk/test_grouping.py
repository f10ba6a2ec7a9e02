"""What goes into one piece of work together, and how long sources wait for others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import anyio
import pytest
from virtual_time import BACKEND

from humeai_async import BulkOptions
from humeai_async.bulk.grouping import Grouping, Reader
from humeai_async.bulk.ledger import Memory
from humeai_async.bulk.ledger_records import key_of
from humeai_async.bulk.work import Item

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> Any:
    return BACKEND


class Shares:
    """Sources that are numbers: what they take of the room in a piece of work."""

    async def identify(self, sources: Sequence[float]) -> list[Item[float]]:
        return [
            Item("small" if one < 1 else "whole", key_of("share", str(one)), one, share=one)
            for one in sources
        ]


async def groups(sources: Any, *, busy: float = 0.0, **options: Any) -> list[list[float]]:
    """Return what goes together, where each group is worked on for so many seconds."""
    kind: Any = Shares()
    given = BulkOptions(**options)
    grouping = Grouping[float](kind, Memory(), given)
    found: list[list[float]] = []
    async with Reader(sources, given.job_size) as reader:
        async for group in grouping.groups(reader):
            found.append([item.source for item in group.items.values()])
            await anyio.sleep(busy)
    return found


async def test_a_group_is_full_by_the_room_that_its_sources_take() -> None:
    assert [[0.5, 0.4], [0.3, 0.7], [0.9], [0.2]] == await groups([0.5, 0.4, 0.3, 0.7, 0.9, 0.2])


async def test_what_fills_a_piece_of_work_is_alone_at_once() -> None:
    assert [[1.0], [1.0], [0.2, 0.3]] == await groups([0.2, 1.0, 0.3, 1.0])


async def test_a_source_waits_only_so_long_for_others() -> None:
    async def come() -> AsyncIterator[float]:
        for share in (0.1, 0.1, 0.2):
            yield share
            await anyio.sleep(share * 20)

    assert [[0.1], [0.1], [0.2]] == await groups(come(), group_wait=1.5)
    assert [[0.1, 0.1], [0.2]] == await groups(come(), group_wait=2.5)


async def test_while_the_run_is_busy_no_source_waits() -> None:
    sources = [0.3, 1.0, 0.3, 1.0, 0.3]
    assert [[1.0], [1.0], [0.3, 0.3, 0.3]] == await groups(sources, busy=60, job_size=3)
