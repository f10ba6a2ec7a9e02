"""Results of pieces of work that the service has: waited for, fetched, read and kept.

What was paid for and cannot be read is kept as bytes, and read or fetched again, never bought
again. The pipeline calls it with what was submitted.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing
from itertools import islice
from typing import Any, Generic, TypeVar

import anyio

from humeai_async._base.cancellation import in_thread
from humeai_async.bulk.bodies import Body
from humeai_async.bulk.kept_results import KeptResults
from humeai_async.bulk.ledger import Memory
from humeai_async.bulk.ledger_records import Plan, request_of
from humeai_async.bulk.outcome import UnknownSubmissionError
from humeai_async.bulk.patience import search_pauses
from humeai_async.bulk.states import State
from humeai_async.bulk.submissions import Submissions
from humeai_async.bulk.work import Item, Pipes, Reading, RecordedRequest, Submitted
from humeai_async.errors import (
    AuthenticationError,
    ClientClosedError,
    DecodeError,
    HumeError,
    LedgerError,
    NotFoundError,
    SaveError,
)

S = TypeVar("S")
R = TypeVar("R")


_LARGE_BODY = 2_000_000
"""Bytes of results that are read in a thread: it takes milliseconds."""
STEP_BYTES = 1_000_000
"""Bytes of results on disk that are in memory at once, about, or one source: each step is a hop to
a thread, which costs as much as reading some 100 kB."""
_LOOKS = 3
"""Searches for a request before another one, under the name given for it, is believed to be it."""
MISSING_SECONDS = 60.0
"""Seconds for which the service must not know what it has named before that is believed, unless
the patience of searches is shorter: a router that was set up wrongly gives a 404 too."""


class MisnamedError(Exception):
    """A piece of work has a name under which the service has another one."""


class Results(Generic[S, R]):
    """Brings what pieces of work say of their sources.

    Args:
        pipes: What the run works with.
        memory: What the run remembers.
        submissions: Knows what was asked for, and looks for it.
        kept: Keeps what cannot be read; `None` without a ledger.
    """

    def __init__(
        self,
        pipes: Pipes[S, R],
        memory: Memory,
        submissions: Submissions[S, R],
        kept: KeptResults | None,
    ) -> None:
        self._pipes = pipes
        self._kind = pipes.kind
        self._memory = memory
        self._submissions = submissions
        self._kept = kept
        self._has_other_words = False
        """Whether the service tells requests in other words, as far as is known."""

    async def fetch(self, plan: Plan, submitted: Submitted, items: Sequence[Item[S]]) -> Body:
        """Return the results of a piece of work; those that are kept and can be read come first.

        Raises:
            MisnamedError: Another piece of work has this name.
        """
        if submitted.body is not None:
            return Body.of(submitted.body)
        kept = await self._kept_body(plan, submitted.work_id, items)
        if kept is not None:
            return kept
        if plan.work_id is not None:  # named at an earlier start
            result = await self._memory.read_result(plan.number)
            if result is not None:
                return Body.of(result)
        return await self._collect_patiently(plan, submitted.work_id, items)

    async def read(
        self, plan: Plan, work_id: str, body: Body, items: Sequence[Item[S]]
    ) -> AsyncGenerator[list[Reading[R]]]:
        """Give what results say of sources, in their order, and let go of them in the end.

        Of what is on disk, no more is in memory than what was given last. What cannot be read
        is kept before anybody hears of it.

        Raises:
            SaveError: The disk does not give it, or does not keep it.
        """
        is_kept = False
        try:
            async with aclosing(self._readings(plan, work_id, body, items)) as readings:
                async for some in readings:
                    if not is_kept and self._kept is not None and _has_unreadable(some):
                        await in_thread(self._kept.keep, plan, work_id, body)
                        is_kept = True
                    yield some
            if not is_kept:
                await self._forget(plan, work_id, items)
        finally:
            await body.aclose()

    async def _forget(self, plan: Plan, work_id: str, items: Sequence[Item[S]]) -> None:
        """Remove what is kept, unless other sources of it could not be read so far."""
        if self._kept is None or not self._kept.has(plan, work_id):
            return
        others = {*plan.keys}.difference([item.key for item in items])
        known = (await self._memory.look_up([*others])).values()
        if all(one.work != plan.number or one.state is not State.UNREADABLE for one in known):
            await in_thread(self._kept.forget, plan, work_id)

    async def fetch_and_read(
        self, plan: Plan, submitted: Submitted, items: Sequence[Item[S]]
    ) -> list[Reading[R]]:
        """Return what a piece of work says of its sources.

        Raises:
            MisnamedError: Another piece of work has this name.
        """
        body = await self.fetch(plan, submitted, items)
        async with aclosing(self.read(plan, submitted.work_id, body, items)) as found:
            return [reading async for some in found for reading in some]

    async def _kept_body(self, plan: Plan, work_id: str, items: Sequence[Item[S]]) -> Body | None:
        """Return what is kept of a piece of work, unless the service may have a better one."""
        if self._kept is None or not self._kept.has(plan, work_id):
            return None
        body = await in_thread(self._kept.read, plan, work_id, discard=_close)
        # Of a service that keeps no results there is nothing else to be had than what came.
        if body is None or not self._kind.keeps_results:
            return body
        async with AsyncExitStack() as stack:
            stack.push_async_callback(body.aclose)
            readings = self._readings(plan, work_id, body, items)
            try:
                async for some in await stack.enter_async_context(aclosing(readings)):
                    if _has_unreadable(some):
                        return None
            except SaveError:  # the disk does not give it, and the service has another one
                return None
            stack.pop_all()  # whoever reads it closes it
        return body

    async def _collect_patiently(self, plan: Plan, work_id: str, items: Sequence[Item[S]]) -> Body:
        """Wait for results and fetch them.

        That a service does not know a piece of work which it has named is no end of it: not
        every part of a service knows the same at once, and not every 404 is the service's own.
        """
        patience = self._pipes.patience
        longest = min(MISSING_SECONDS, self._pipes.options.search_patience)
        since: float | None = None
        last, missing, pauses = 0.0, 0.0, search_pauses()

        def see() -> None:
            nonlocal since
            since = None

        while True:
            try:
                return await self._collect(plan, work_id, items, see)
            except NotFoundError as failure:
                now, reason = anyio.current_time(), failure.message
                if since is None:
                    since, last, missing = now, now, 0.0
                # Nobody knows what was there in an outage, or in a long wait for a turn.
                missing, last = missing + min(now - last, longest / 2), now
                left = max(self._submissions.seconds_left(plan), longest - missing)
                if left <= 0:
                    raise
            with patience.waiting("search", reason, since=since, until=now + left):
                await self._pipes.patience.pause(min(next(pauses), left))

    async def _collect(
        self, plan: Plan, work_id: str, items: Sequence[Item[S]], see: Callable[[], None]
    ) -> Body:
        timeout = self._pipes.options.timeout
        until = math.inf if timeout is None else anyio.current_time() + timeout

        suspect: RecordedRequest | None = None

        def check(recorded: RecordedRequest | None) -> None:
            nonlocal suspect
            if recorded is None:
                see()
                return
            suspect = recorded if self._may_be_another(plan, recorded) else None

        body = Body(None if self._kept is None else self._kept.folder.parent)

        async def collect() -> None:
            left = None if until == math.inf else max(until - anyio.current_time(), 0.0)
            await self._kind.collect(work_id, left, check, body)

        async with AsyncExitStack() as stack:
            stack.push_async_callback(body.aclose)
            await self._pipes.patience.call(collect, deadline=until)
            if suspect is not None:
                found = await self._find(plan, items, suspect)
                if found is not None and found.work_id != work_id:
                    raise MisnamedError
            stack.pop_all()  # whoever reads it closes it
        return body

    def _may_be_another(self, plan: Plan, recorded: RecordedRequest) -> bool:
        """Whether what the service has under a name may be something else than a plan.

        Raises:
            MisnamedError: It certainly is.
        """
        theirs, own = request_of(recorded.kind, recorded.marks), request_of(plan.kind, plan.marks)
        if theirs == own:
            return recorded.is_odd
        if theirs in self._submissions.requests or recorded.kind != plan.kind:
            raise MisnamedError
        if recorded.made_ms is not None and recorded.made_ms <= self._pipes.clock.earliest_ms(plan):
            raise MisnamedError
        if recorded.has_content and set(recorded.marks).isdisjoint(plan.marks):
            raise MisnamedError
        # Sources that nobody here has asked for may be those of the plan in other words.
        return True

    async def _find(
        self, plan: Plan, items: Sequence[Item[S]], recorded: RecordedRequest
    ) -> Submitted | None:
        """Look for the very request of a plan among those that the service lists.

        Raises:
            UnknownSubmissionError: Nobody can tell, and the one named for it has other sources.
        """
        try:
            for pause in islice(search_pauses(), 0 if self._has_other_words else _LOOKS):
                found = await self._submissions.search_once(plan, items)
                if found is not None:
                    return found
                await self._pipes.patience.pause(pause)  # what is new shows a moment late
            found = await self._submissions.search_once(plan, items)
        except (AuthenticationError, ClientClosedError, LedgerError):
            raise
        except HumeError as failure:
            if request_of(recorded.kind, recorded.marks) == request_of(plan.kind, plan.marks):
                return None  # nothing says so
            problem = failure
        else:
            self._has_other_words = self._has_other_words or found is None
            return found
        raise UnknownSubmissionError(
            "the service has other sources under the name that it gave to a submission, and "
            f"whether it has these under another one is unknown: {problem}",
            outcome_unknown=True,
        )

    async def _readings(
        self, plan: Plan, work_id: str, body: Body, items: Sequence[Item[S]]
    ) -> AsyncGenerator[list[Reading[R]]]:
        """Read results: all together in memory, a few sources at a time from the disk."""
        readings = self._each(plan, work_id, body, items)

        def step() -> list[Reading[R]]:
            with body.reading():
                return _some(readings) if body.is_on_disk else [*readings]

        if body.size < _LARGE_BODY and not body.is_on_disk:
            yield step()
            return
        while found := await in_thread(step):
            yield found

    def _each(
        self, plan: Plan, work_id: str, body: Body, items: Sequence[Item[S]]
    ) -> Iterator[Reading[R]]:
        """Give what results say of each source, or that it cannot be read."""
        given = 0
        try:
            for reading in self._kind.read(plan, work_id, body, items):
                given += 1
                yield reading
        except DecodeError as problem:
            for _ in items[given:]:
                yield Reading(error=problem, is_unreadable=True)


def _some(readings: Iterator[Reading[R]]) -> list[Reading[R]]:
    """Return the next readings, of as many bytes as are read in one step."""
    found: list[Reading[R]] = []
    size = 0
    while size < STEP_BYTES and (reading := next(readings, None)) is not None:
        found.append(reading)
        size += reading.size
    return found


def _close(body: Body | None) -> None:
    if body is not None:
        body.file.close()


def _has_unreadable(readings: Sequence[Reading[Any]]) -> bool:
    return any(reading.is_unreadable for reading in readings)
