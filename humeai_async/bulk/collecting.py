"""Results of pieces of work that the service has: waited for, fetched, read and kept.

What was paid for and cannot be read is kept as bytes, and read or fetched again, never bought
again. The pipeline calls it with what was submitted.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Collection, Sequence
from itertools import islice
from typing import Any, Generic, TypeVar

import anyio

from humeai_async._base.cancellation import in_thread
from humeai_async.bulk.kept_results import KeptResults
from humeai_async.bulk.ledger_records import Plan, request_of
from humeai_async.bulk.outcome import UnknownSubmissionError
from humeai_async.bulk.patience import search_pauses
from humeai_async.bulk.work import Item, Pipes, Reading, RecordedRequest, Submitted
from humeai_async.errors import (
    AuthenticationError,
    ClientClosedError,
    DecodeError,
    HumeError,
    LedgerError,
    NotFoundError,
)

S = TypeVar("S")
R = TypeVar("R")


_LARGE_BODY = 2_000_000
"""Bytes of results that are read in a thread: it takes milliseconds."""
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
        kept: Keeps what cannot be read.
        seconds_left: Says for how long a piece of work may still be about to show.
        requests: `request_of` each piece of work of the run.
        read_result: Gives the result that came with a response, by a plan's number.
        search: Looks once for a piece of work; returns it, if the service lists it.
    """

    def __init__(
        self,
        pipes: Pipes[S, R],
        kept: KeptResults | None,
        seconds_left: Callable[[Plan], float],
        requests: Collection[bytes],
        read_result: Callable[[int], Awaitable[bytes | None]],
        search: Callable[[Plan, Sequence[Item[S]]], Awaitable[Submitted | None]],
    ) -> None:
        self._pipes = pipes
        self._kind = pipes.kind
        self._kept = kept
        self._seconds_left = seconds_left
        self._requests = requests
        self._read_result = read_result
        self._search = search
        self._has_other_words = False
        """Whether the service tells requests in other words, as far as is known."""

    async def fetch(
        self, plan: Plan, submitted: Submitted, items: Sequence[Item[S]]
    ) -> list[Reading[R]]:
        """Return what a piece of work says of its sources; results that are kept come first.

        Raises:
            MisnamedError: Another piece of work has this name.
        """
        work_id, body = submitted.work_id, submitted.body
        kept = None
        if body is None and self._kept is not None and self._kept.has(work_id):
            body = kept = await in_thread(self._kept.read, work_id)
        if body is None and plan.work_id is not None:  # named at an earlier start
            body = await self._read_result(plan.number)
        readings = None if body is None else await self._read(plan, work_id, body, items)
        # Of a service that keeps no results there is nothing else to be had than what came.
        is_elsewhere = kept is not None and self._kind.keeps_results
        if readings is None or (is_elsewhere and _has_unreadable(readings)):
            body = await self._collect_patiently(plan, work_id, items)
            readings = await self._read(plan, work_id, body, items)
        await self._keep_or_forget(work_id, body or b"", kept, readings)
        return readings

    async def _collect_patiently(self, plan: Plan, work_id: str, items: Sequence[Item[S]]) -> bytes:
        """Wait for results and fetch them.

        That a service does not know a piece of work which it has named is no end of it: not
        every part of a service knows the same at once, and not every 404 is the service's own.
        """
        patience = self._pipes.patience
        longest = min(MISSING_SECONDS, self._pipes.options.search_patience)
        since: float | None = None
        last, missing = 0.0, 0.0

        def see() -> None:
            nonlocal since
            since = None

        for pause in search_pauses():
            try:
                return await self._collect(plan, work_id, items, see)
            except NotFoundError as failure:
                now, reason = anyio.current_time(), failure.message
                if since is None:
                    since, last, missing = now, now, 0.0
                # Nobody knows what was there in an outage, or in a long wait for a turn.
                missing, last = missing + min(now - last, longest / 2), now
                left = max(self._seconds_left(plan), longest - missing)
                if left <= 0:
                    raise
            with patience.waiting("search", reason, since=since, until=now + left):
                await self._pipes.pause(min(pause, left))
        raise AssertionError(math.inf)  # the pauses never end

    async def _collect(
        self, plan: Plan, work_id: str, items: Sequence[Item[S]], see: Callable[[], None]
    ) -> bytes:
        timeout = self._pipes.options.timeout
        until = math.inf if timeout is None else anyio.current_time() + timeout

        suspect: RecordedRequest | None = None

        def check(recorded: RecordedRequest | None) -> None:
            nonlocal suspect
            if recorded is None:
                see()
                return
            suspect = recorded if self._may_be_another(plan, recorded) else None

        async def collect() -> bytes:
            left = None if until == math.inf else max(until - anyio.current_time(), 0.0)
            return await self._kind.collect(work_id, left, check)

        body = await self._pipes.patience.call(collect, deadline=until)
        if suspect is not None:
            found = await self._find(plan, items, suspect)
            if found is not None and found.work_id != work_id:
                raise MisnamedError
        return body

    def _may_be_another(self, plan: Plan, recorded: RecordedRequest) -> bool:
        """Whether what the service has under a name may be something else than a plan.

        Raises:
            MisnamedError: It certainly is.
        """
        theirs, own = request_of(recorded.kind, recorded.marks), request_of(plan.kind, plan.marks)
        if theirs == own:
            return recorded.is_odd
        if theirs in self._requests or recorded.kind != plan.kind:
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
                found = await self._pipes.patience.call(lambda: self._search(plan, items))
                if found is not None:
                    return found
                await self._pipes.pause(pause)  # what is new shows a moment late
            found = await self._pipes.patience.call(lambda: self._search(plan, items))
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

    async def _read(
        self, plan: Plan, work_id: str, body: bytes, items: Sequence[Item[S]]
    ) -> list[Reading[R]]:
        try:
            if len(body) < _LARGE_BODY:
                return self._kind.read(plan, work_id, body, items)
            return await in_thread(self._kind.read, plan, work_id, body, items)
        except DecodeError as problem:
            return [Reading(error=problem, is_unreadable=True) for _ in items]

    async def _keep_or_forget(
        self, work_id: str, body: bytes, kept: bytes | None, readings: Sequence[Reading[R]]
    ) -> None:
        if self._kept is None:
            return
        if _has_unreadable(readings):
            if body != kept:
                await in_thread(self._kept.keep, work_id, body)
        elif kept is not None:
            await in_thread(self._kept.forget, work_id)


def _has_unreadable(readings: Sequence[Reading[Any]]) -> bool:
    return any(reading.is_unreadable for reading in readings)
