"""Sources in, groups out: what goes into one piece of work together.

New sources are grouped by kind, those of an earlier start by the piece of work they are in. A
group goes as soon as it is full, or after a moment. It submits nothing; the pipeline calls it.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Sequence
from itertools import islice
from types import TracebackType
from typing import Any, Generic, TypeVar

import anyio
from attrs import define, field

from humeai_async._base.cancellation import time_limit
from humeai_async.bulk.ledger import Memory
from humeai_async.bulk.ledger_records import Entry, Plan
from humeai_async.bulk.options import BulkOptions
from humeai_async.bulk.states import UNSENT, State
from humeai_async.bulk.work import Item, WorkKind

S = TypeVar("S")


@define(eq=False)
class Group(Generic[S]):
    """Sources that go into one piece of work, or went into one at an earlier start."""

    kind: str
    since: float
    """When its first source came, by the event loop's clock."""
    items: dict[bytes | int, Item[S]] = field(factory=dict[Any, Any])
    """By key, or by number where a source that is given twice goes in twice."""
    earlier: Plan | None = None
    share: float = 0.0
    """What its sources take of the room in it, which is 1."""

    @property
    def is_whole(self) -> bool:
        """Whether all sources of the earlier piece of work are there."""
        return self.earlier is not None and len(self.items) >= len(self.earlier.keys)


class Grouping(Generic[S]):
    """Sorts sources into groups.

    Args:
        kind: Says what each source is.
        memory: What earlier starts did. If it lasts, a source given twice goes in once.
        options: How many sources go into a group, how long they wait for one another, and
            whether those that failed earlier are tried again.
    """

    def __init__(self, kind: WorkKind[S, Any], memory: Memory, options: BulkOptions) -> None:
        self._kind = kind
        self._memory = memory
        self._options = options
        self._groups: dict[str | int, Group[S]] = {}
        """Those that are not full: new ones by kind, earlier ones by number."""
        self._first_planned = math.inf
        """Number of the first piece of work of this start."""
        self._pending: set[bytes] = set()
        """Sources of this start that are not planned yet, or go on from an earlier one."""
        self._planned_since: set[bytes] = set()
        """Sources that were planned since the memory was last asked, which it may not have told."""
        self._count = 0

    def planned(self, plan: Plan) -> None:
        """Note a piece of work of this start: its sources are nothing new when they come again."""
        self._first_planned = min(self._first_planned, plan.number)
        self._pending.difference_update(plan.keys)
        self._planned_since.update(plan.keys)

    async def groups(self, reader: Reader[S]) -> AsyncGenerator[Group[S]]:
        """Give groups as they are full or have waited, the rest at the end."""
        while True:
            oldest = min((one.since for one in self._groups.values()), default=math.inf)
            chunk = await reader.next_chunk(until=oldest + self._options.group_wait)
            if chunk is None:
                break
            for group in [*await self._sort(chunk), *self._pop_old()]:
                began = anyio.current_time()
                yield group
                self._put_off(anyio.current_time() - began)
        while self._groups:
            yield self._groups.pop(next(iter(self._groups)))

    def _put_off(self, seconds: float) -> None:
        """Let groups wait longer: in this time no source could come."""
        for group in self._groups.values():
            group.since += seconds

    def _pop_old(self) -> list[Group[S]]:
        latest = anyio.current_time() - self._options.group_wait
        names = [name for name, one in self._groups.items() if one.since <= latest]
        return [self._groups.pop(name) for name in names]

    async def _sort(self, chunk: Sequence[S]) -> list[Group[S]]:
        """Sort some sources in, and return the groups that are full by that."""
        if not chunk:
            return []
        items = await self._kind.identify(chunk)
        self._planned_since.clear()
        known = await self._memory.look_up([item.key for item in items])
        full: list[Group[S]] = []
        for item in items:
            entry = known.get(item.key)
            full += await self._add_to_group(item, entry)
        return full

    async def _add_to_group(self, item: Item[S], entry: Entry | None) -> list[Group[S]]:
        """Add a source to its group, and return what is full by this."""
        if item.key in self._pending or item.key in self._planned_since:
            return []
        if self._is_passed_over(entry):
            return []
        is_new = entry is None or entry.state is State.FAILED or entry.work_state in UNSENT
        return self._add(item) if entry is None or is_new else await self._go_on(entry.work, item)

    def _is_passed_over(self, entry: Entry | None) -> bool:
        """Whether a source has its outcome already, or is planned by this start."""
        if entry is None:
            return False
        if entry.work >= self._first_planned or entry.state is State.ARRIVED:
            return True
        return entry.state in {State.FAILED, State.UNREADABLE} and not self._options.retry_failed

    def _add(self, item: Item[S]) -> list[Group[S]]:
        full: list[Group[S]] = []
        group = self._groups.get(item.kind)
        if group is not None and group.share + item.share > 1:
            full.append(self._groups.pop(item.kind))
            group = None
        if group is None:
            group = self._groups[item.kind] = Group(item.kind, anyio.current_time())
        self._count += 1
        if self._memory.is_lasting:
            self._pending.add(item.key)
        group.items[item.key if self._memory.is_lasting else self._count] = item
        group.share += item.share
        if len(group.items) >= self._options.job_size or group.share >= 1:
            full.append(self._groups.pop(item.kind))
        return full

    async def _go_on(self, number: int, item: Item[S]) -> list[Group[S]]:
        """Add a source to the piece of work it went into; once that is whole it goes on."""
        group = self._groups.get(number)
        if group is None:
            plan = await self._memory.read_plan(number)
            now = anyio.current_time()
            group = self._groups[number] = Group(plan.kind, now, earlier=plan)
        group.items[item.key] = item
        self._pending.add(item.key)
        return [self._groups.pop(number)] if group.is_whole else []


class Reader(Generic[S]):
    """Reads sources a chunk at a time; asynchronous ones in a task, so that reading can wait.

    Args:
        sources: The sources.
        size: Sources in a chunk at most, and so read ahead.
    """

    def __init__(self, sources: Iterable[S] | AsyncIterable[S], size: int) -> None:
        self._sources = sources
        self._size = size
        self._plain = None if isinstance(sources, AsyncIterable) else iter(sources)
        self._tasks = anyio.create_task_group()
        self._read: list[S] = []
        self._has_ended = False
        self._news = anyio.Event()
        self._room = anyio.Event()

    async def next_chunk(self, *, until: float) -> list[S] | None:
        """Return the next sources; none where none came in time, `None` after the last."""
        if self._plain is not None:
            return list(islice(self._plain, self._size)) or None
        async with time_limit(until - anyio.current_time()):
            while not self._read and not self._has_ended:
                self._news = anyio.Event()
                await self._news.wait()
        chunk, self._read = self._read, []
        self._room.set()
        return None if self._has_ended and not chunk else chunk

    async def _fill(self, sources: AsyncIterator[S]) -> None:
        async for source in sources:
            self._read.append(source)
            self._news.set()
            while len(self._read) >= self._size:
                self._room = anyio.Event()
                await self._room.wait()
        self._has_ended = True
        self._news.set()

    async def __aenter__(self) -> Reader[S]:
        await self._tasks.__aenter__()
        if isinstance(self._sources, AsyncIterable):
            self._tasks.start_soon(self._fill, aiter(self._sources))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        self._tasks.cancel_scope.cancel()
        return await self._tasks.__aexit__(kind, problem, traceback)
