"""The pipeline of every bulk run: group, plan, submit, wait, fetch, match, remember.

It runs any `WorkKind` and knows none. A bounded number of pieces of work is in flight, and each
source's share of the results is handed over. With a ledger every step that must not be done
twice is written down before and after (`states.py` has the table), so that the same run,
started again, goes on: what arrived is passed over, what was submitted is waited for, and what
may have been submitted is looked for before it is submitted again.
"""

from __future__ import annotations

import logging
import math
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, aclosing
from itertools import chain, repeat
from typing import Any, Generic, TypeVar

import anyio
from attrs import field

from humeai_async._base.cancellation import in_thread
from humeai_async._base.frozen import frozen
from humeai_async.bulk.grouping import Group, Grouping, Reader
from humeai_async.bulk.kept import KeptResults
from humeai_async.bulk.ledger import Ledger, NoLedger
from humeai_async.bulk.options import BulkOptions
from humeai_async.bulk.outcomes import (
    FATAL_ERRORS,
    Outcome,
    OutcomeQueue,
    UnknownSubmissionError,
)
from humeai_async.bulk.patience import Patience
from humeai_async.bulk.states import State, WorkState
from humeai_async.bulk.storage import Draft, Note, Plan
from humeai_async.bulk.work import (
    REFUSED,
    Item,
    Reading,
    ServiceClock,
    Submitted,
    WorkKind,
    local_ms,
)
from humeai_async.errors import (
    APIConnectionError,
    AuthenticationError,
    ClientClosedError,
    DecodeError,
    HumeError,
    InvalidArgumentError,
    JobFailedError,
    LedgerError,
    NotFoundError,
    RateLimitError,
    RateLimitWaitError,
    SaveError,
    ServerError,
)

S = TypeVar("S")
R = TypeVar("R")

logger: logging.Logger = logging.getLogger("humeai_async")

SEARCH_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds between searches for a submission that was not answered; the last one repeats."""
MOST_ATTEMPTS = 4
"""Submissions of the same sources whose outcome nobody knows, before they are left open."""

_REFUSALS = frozenset({400, 413, 422})
"""Statuses by which one bad source may have a whole piece of work refused."""
_PASSING = (APIConnectionError, ServerError, RateLimitError, RateLimitWaitError)
"""Errors of a submission that say nothing against its sources."""
_LOST = (JobFailedError, NotFoundError)
"""Errors that say that a piece of work will never have results."""


@frozen(kw_only=True)
class Pipes(Generic[S, R]):
    """What a pipeline works with."""

    kind: WorkKind[S, R]
    options: BulkOptions
    clock: ServiceClock
    pause: Callable[[float], Awaitable[None]]
    """Sleeps for so many seconds."""
    patience: Patience
    on_submitted: Callable[[str], None] | None = None
    """Called with the service's name of each piece of work that is there."""
    ledger: object = field(default=None)
    """A `Ledger`, the path of one, or `None`."""


class _RejectedError(Exception):
    """A submission was refused, perhaps for one of its sources; nothing was carried out."""

    def __init__(self, problem: HumeError) -> None:
        self.problem = problem


class Pipeline(Generic[S, R]):
    """One run; see the module's first lines.

    Args:
        sources: What to do.
        pipes: What it works with.
    """

    def __init__(self, sources: Iterable[S] | AsyncIterable[S], pipes: Pipes[S, R]) -> None:
        self._sources = sources
        self._pipes = pipes
        self._kind = pipes.kind
        self._options = pipes.options
        self._clock = pipes.clock
        self._patience = pipes.patience
        self._slots = anyio.Semaphore(pipes.options.jobs_at_once)
        self._searches = anyio.Semaphore(pipes.options.jobs_at_once)
        self._memory: Ledger | NoLedger = NoLedger()
        self._kept: KeptResults | None = None
        self._ids: set[str] = set()
        """The service's names of all pieces of work of this run."""
        self._planned_at: dict[int, float] = {}
        """When pieces of work were planned or last sent, of those of this start."""
        self._named_at: dict[str, float] = {}
        """When the service named pieces of work, at this start."""

    async def run(self, queue: OutcomeQueue[S, R]) -> None:
        """Run it; a slot is free again once the consumer has all of a piece of work."""
        async with AsyncExitStack() as stack:
            ledger = await self._open_ledger(stack)
            if ledger is not None:
                self._memory, self._kept = ledger, KeptResults(ledger.path)
                self._ids = await ledger.known_ids()
            async with anyio.create_task_group() as keeping:
                if ledger is not None:
                    queue.on_ack = lambda outcomes: ledger.note(
                        [_note(one) for one in outcomes if not one.is_open]
                    )
                    keeping.start_soon(ledger.write_notes_forever)
                await self._run(queue)
                await queue.all_acked()
                keeping.cancel_scope.cancel()
            if ledger is not None and ledger.before_checkpoint is None:
                await ledger.checkpoint()

    async def _open_ledger(self, stack: AsyncExitStack) -> Ledger | None:
        given = self._pipes.ledger
        if given is None or isinstance(given, Ledger):
            return given
        return await stack.enter_async_context(await Ledger.open(given, self._kind.configuration))

    async def _run(self, queue: OutcomeQueue[S, R]) -> None:
        options = self._options
        self._grouping = Grouping(
            self._kind,
            self._memory,
            size=options.job_size,
            wait=options.group_wait,
            retry_failed=options.retry_failed,
        )
        self._queue = queue
        await self._begin()
        async with (
            anyio.create_task_group() as self._tasks,
            Reader(self._sources, options.job_size) as reader,
            aclosing(self._grouping.groups(reader)) as groups,
        ):
            async for group in groups:
                await self._slots.acquire()
                self._tasks.start_soon(self._do_group, group)

    async def _begin(self) -> None:
        """Learn what the service has and what time it is there, if it tells."""
        try:
            newest_ms = await self._kind.begin()
        except (AuthenticationError, ClientClosedError):
            raise
        except HumeError:
            return  # each doubt is told later, if there is one
        if newest_ms is not None:
            self._clock.see(newest_ms)

    async def _do_group(self, group: Group[S]) -> None:
        async with aclosing(self._outcomes(group)) as found:
            async for outcomes in found:
                await self._queue.give(outcomes)
        # Not where an error ends the run: nothing further is to be started then.
        self._slots.release()

    async def _outcomes(self, group: Group[S]) -> AsyncGenerator[list[Outcome[S, R]]]:
        """Do one piece of work, and give an outcome for each of its sources."""
        items = list(group.items.values())
        if group.kind == REFUSED:
            await self._plan(REFUSED, items)
            yield [_failed(one, one.problem) for one in items if one.problem is not None]
            return
        timeout = self._options.timeout
        deadline = math.inf if timeout is None else anyio.current_time() + timeout
        plan, work_id = group.earlier, None
        try:
            if plan is None:
                plan = await self._plan(group.kind, items)
                submitted = await self._submit(plan, items, deadline)
            elif plan.work_id is None:
                submitted = await self._resume(plan, items, deadline)
            else:
                submitted = plan, Submitted(plan.work_id)
            plan, work_id = submitted[0], submitted[1].work_id
            readings = await self._results(plan, submitted[1], items)
        except (*FATAL_ERRORS, LedgerError, SaveError):
            raise
        except _RejectedError as refused:
            if len(items) > 1 and _may_be_one_of_many(refused.problem):
                self._halve(group, items)
            else:
                yield [_failed(one, refused.problem) for one in items]
        except HumeError as problem:
            # Before the service has named it nothing is known to be wrong with the sources,
            # and afterwards they are paid for.
            is_lost = work_id is not None and isinstance(problem, _LOST)
            yield [_failed(one, problem, work_id, is_open=not is_lost) for one in items]
        else:
            pairs = zip(items, readings, strict=True)
            yield [_outcome(item, reading, work_id) for item, reading in pairs]

    def _halve(self, group: Group[S], items: Sequence[Item[S]]) -> None:
        """Submit the sources again in two parts, so that a bad one stands alone in the end."""
        middle = len(items) // 2
        for part in (items[:middle], items[middle:]):
            half = Group[S](group.kind, group.since, dict(enumerate(part)))
            self._tasks.start_soon(self._do_half, half)

    async def _do_half(self, half: Group[S]) -> None:
        await self._slots.acquire()
        await self._do_group(half)

    async def _plan(self, kind: str, items: Sequence[Item[S]], attempt: int = 1) -> Plan:
        """Write a piece of work down before it is sent."""
        clock = self._clock
        now_ms = local_ms()
        marks = [item.mark for item in items if item.mark is not None]
        plan = await self._memory.plan(
            Draft(
                kind=kind,
                keys=tuple(item.key for item in items),
                marks=tuple(marks),
                planned_ms=now_ms,
                clock_ms=clock.ahead_ms,
                after_ms=clock.now_ms,
                attempt=attempt,
            )
        )
        self._planned_at[plan.number] = anyio.current_time()
        self._grouping.planned(plan)
        return plan

    async def _submit(
        self, plan: Plan, items: Sequence[Item[S]], deadline: float
    ) -> tuple[Plan, Submitted]:
        """Submit a piece of work until the service has it for certain.

        Raises:
            _RejectedError: It was refused, and not carried out.
            HumeError: It was not carried out, or nobody knows.
        """
        while True:
            try:
                submitted = await self._patience.call(
                    lambda: self._kind.submit(items), deadline=deadline
                )
            except HumeError as problem:
                if not _is_doubtful(problem):
                    await self._memory.end_work(plan.number, WorkState.REJECTED)
                    if isinstance(problem, FATAL_ERRORS) or _is_passing(problem):
                        raise
                    raise _RejectedError(problem) from None
            else:
                if submitted.work_id not in self._ids:
                    await self._keep_submitted(plan, submitted)
                    return plan, submitted
                # A name that another piece of work has: nobody knows what became of this one.
            # It may have waited for its turn, or been sent, for longer than the patience.
            self._planned_at[plan.number] = anyio.current_time()
            found = await self._search(plan)
            if found is not None:
                return plan, found
            if plan.attempt >= MOST_ATTEMPTS:
                raise UnknownSubmissionError(
                    f"{plan.attempt} submissions of these sources had no response, and the "
                    "service lists none of them",
                    outcome_unknown=True,
                )
            plan = await self._plan(plan.kind, items, plan.attempt + 1)

    async def _resume(
        self, plan: Plan, items: Sequence[Item[S]], deadline: float
    ) -> tuple[Plan, Submitted]:
        """Find a piece of work of an earlier start, or submit it anew."""
        found = await self._search(plan)
        if found is not None:
            return plan, found
        plan = await self._plan(plan.kind, items, plan.attempt + 1)
        return await self._submit(plan, items, deadline)

    async def _keep_submitted(self, plan: Plan, submitted: Submitted) -> None:
        """Remember that a piece of work is at the service."""
        self._ids.add(submitted.work_id)
        self._named_at[submitted.work_id] = anyio.current_time()
        if submitted.body is not None and self._kept is not None:
            await in_thread(self._kept.keep, submitted.work_id, submitted.body)
        await self._memory.submit(plan.number, submitted.work_id)
        if self._pipes.on_submitted is not None:
            self._pipes.on_submitted(submitted.work_id)

    async def _search(self, plan: Plan) -> Submitted | None:
        """Look for a piece of work patiently, with its slot given to others meanwhile.

        Returns:
            It; `None` if it is surely not at the service.

        Raises:
            UnknownSubmissionError: Nobody knows.
        """
        async with self._searches:
            self._slots.release()
            try:
                work_id = await self._search_patiently(plan)
            except HumeError:
                await self._slots.acquire()
                raise
            await self._slots.acquire()
        if work_id is None:
            await self._memory.end_work(plan.number, WorkState.ABANDONED)
            logger.warning(
                "a submission of %d sources had no response, and the service did not list it for "
                "%.0f s: they are submitted again. Should it carry the first one out later still, "
                "they are paid for twice",
                len(plan.keys),
                self._options.search_patience,
            )
            return None
        found = Submitted(work_id)
        await self._keep_submitted(plan, found)
        return found

    async def _search_patiently(self, plan: Plan) -> str | None:
        is_new = plan.number in self._planned_at
        began = anyio.current_time()
        pauses = chain(SEARCH_PAUSES, repeat(SEARCH_PAUSES[-1]))
        while True:
            left = self._patience_left(plan, began)
            problem: HumeError | None = None
            try:
                work_id = await self._patience.call(
                    lambda: self._kind.search(plan, self._ids, is_new=is_new)
                )
            except (AuthenticationError, ClientClosedError):
                raise
            except HumeError as failure:
                problem, work_id = failure, None
            if work_id is not None:
                return work_id
            if left <= 0 and problem is None:
                return None
            if left <= 0:
                raise UnknownSubmissionError(
                    "it is unknown whether a submission was carried out, because the list "
                    f"of jobs cannot be read: {problem}",
                    outcome_unknown=True,
                ) from problem
            now = anyio.current_time()
            reason = "not in the list yet" if problem is None else problem.message
            with self._patience.waiting("search", reason, since=began, until=now + left):
                await self._pipes.pause(min(next(pauses), left))

    def _patience_left(self, plan: Plan, began: float) -> float:
        """Return for how many seconds more a piece of work may show at the service."""
        # By the clock that nobody sets, as far as it goes.
        now, patience = anyio.current_time(), self._options.search_patience
        if plan.number in self._planned_at:
            return patience - (now - self._planned_at[plan.number])
        told_ms = self._clock.age_ms(plan)
        left = patience - (now - began)
        if told_ms is None:
            return left
        # An earlier start may have sent it long after the plan: it waits for its turn.
        return min(left, 2 * patience - told_ms / 1000)

    async def _results(
        self, plan: Plan, submitted: Submitted, items: Sequence[Item[S]]
    ) -> list[Reading[R]]:
        """Return what a piece of work says of its sources; results that it keeps come first."""
        work_id, body = submitted.work_id, submitted.body
        kept = None
        if body is None and self._kept is not None:
            body = kept = await in_thread(self._kept.read, work_id)
        readings = None if body is None else self._read(plan, work_id, body, items)
        if readings is None or (kept is not None and _has_unreadable(readings)):
            body = await self._collect_patiently(plan, work_id)
            readings = self._read(plan, work_id, body, items)
        await self._keep_or_forget(work_id, body or b"", kept, readings)
        return readings

    async def _collect_patiently(self, plan: Plan, work_id: str) -> bytes:
        """Wait for results and fetch them.

        That a service does not know a piece of work which it has just named, or does not have
        its results yet, is no end of it: not every part of a service knows the same at once.
        """
        began = anyio.current_time()
        pauses = chain(SEARCH_PAUSES, repeat(SEARCH_PAUSES[-1]))
        while True:
            try:
                return await self._collect(work_id)
            except NotFoundError as failure:
                left = self._patience_left(plan, began)
                if work_id in self._named_at:
                    named_at = self._named_at[work_id]
                    left = self._options.search_patience - (anyio.current_time() - named_at)
                if left <= 0:
                    raise
                reason = failure.message
            until = anyio.current_time() + left
            with self._patience.waiting("search", reason, since=began, until=until):
                await self._pipes.pause(min(next(pauses), left))

    async def _collect(self, work_id: str) -> bytes:
        timeout = self._options.timeout
        until = math.inf if timeout is None else anyio.current_time() + timeout

        async def collect() -> bytes:
            left = until - anyio.current_time()
            return await self._kind.collect(work_id, None if left == math.inf else max(left, 0.0))

        return await self._patience.call(collect, deadline=until)

    def _read(
        self, plan: Plan, work_id: str, body: bytes, items: Sequence[Item[S]]
    ) -> list[Reading[R]]:
        try:
            return self._kind.read(plan, work_id, body, items)
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


def _is_doubtful(problem: HumeError) -> bool:
    """Whether a submission that failed may have been carried out."""
    return problem.outcome_unknown or isinstance(problem, DecodeError)


def _may_be_one_of_many(problem: HumeError) -> bool:
    """Whether a refusal may be for one of the sources, and the others would pass."""
    return problem.status in _REFUSALS or isinstance(problem, InvalidArgumentError)


def _is_passing(problem: HumeError) -> bool:
    """Whether an error of a submission says nothing against its sources."""
    return isinstance(problem, _PASSING)


def _has_unreadable(readings: Sequence[Reading[Any]]) -> bool:
    return any(reading.is_unreadable for reading in readings)


def _failed(
    item: Item[S], problem: HumeError, work_id: str | None = None, *, is_open: bool = False
) -> Outcome[S, Any]:
    return Outcome(source=item.source, job_id=work_id, error=problem, key=item.key, is_open=is_open)


def _outcome(item: Item[S], reading: Reading[R], work_id: str | None) -> Outcome[S, R]:
    return Outcome(
        source=item.source,
        job_id=work_id,
        predictions=reading.result,
        error=reading.error,
        key=item.key,
        is_unreadable=reading.is_unreadable,
    )


def _note(outcome: Outcome[S, R]) -> Note:
    """Return what the ledger is to know of an outcome."""
    assert outcome.key is not None  # noqa: S101 - the pipeline sets it
    if outcome.error is None:
        return Note(outcome.key, State.ARRIVED)
    state = State.UNREADABLE if outcome.is_unreadable else State.FAILED
    return Note(outcome.key, state, reason_of(outcome.error))


def reason_of(problem: HumeError) -> str:
    """Return why a source failed, in a line."""
    return f"{type(problem).__name__}: {problem.message}"
