"""The pipeline of every bulk run: group, plan, submit, wait, fetch, match, remember.

It runs any `WorkKind` and knows none. A bounded number of pieces of work is in flight, and each
source's share of the results is handed over. With a ledger every step that must not be done
twice is written down before and after (`states.py` has the table), so that the same run,
started again, goes on: what arrived is passed over, what was submitted is waited for, and what
may have been submitted is looked for before it is submitted again.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterable, Generator, Iterable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from typing import Generic, TypeVar

import anyio

from humeai_async._base.cancellation import in_thread
from humeai_async.bulk.collecting import MisnamedError, Results
from humeai_async.bulk.grouping import Group, Grouping, Reader
from humeai_async.bulk.kept_results import KeptResults
from humeai_async.bulk.ledger import Ledger, Memory
from humeai_async.bulk.ledger_records import WHOLE, Note, Plan
from humeai_async.bulk.outcome import Outcome, reason_of
from humeai_async.bulk.outcome_queue import OutcomeQueue
from humeai_async.bulk.parted import PartedSources
from humeai_async.bulk.patience import ends_run
from humeai_async.bulk.states import UNSENT, State, WorkState
from humeai_async.bulk.submissions import RejectedError, Submissions
from humeai_async.bulk.work import REFUSED, Item, Pipes, Reading, Submitted
from humeai_async.errors import (
    AuthenticationError,
    ClientClosedError,
    HumeError,
    InvalidArgumentError,
    JobFailedError,
    NotFoundError,
)

S = TypeVar("S")
R = TypeVar("R")

_REFUSALS = frozenset({400, 413, 415, 422})
"""Statuses by which one bad source may have a whole piece of work refused."""
_LOST = (JobFailedError, NotFoundError)
"""Errors that say that a piece of work will never have results."""


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
        self._slots = anyio.Semaphore(pipes.options.jobs_at_once)
        self._turns: defaultdict[int, anyio.Lock] = defaultdict(anyio.Lock)
        """One for each piece of work of an earlier start that nobody has named yet."""

    async def run(self, queue: OutcomeQueue[S, R]) -> None:
        """Run it; a slot is free again once the consumer has all of a piece of work."""
        async with AsyncExitStack() as stack:
            self._memory = memory = await self._open_memory(stack)
            # One that keeps results and notes outcomes; what is in memory alone does neither.
            ledger = memory if isinstance(memory, Ledger) else None
            kept = None if ledger is None else await in_thread(KeptResults(ledger.path).open)
            self._grouping = Grouping(self._kind, memory, self._options)
            requests = await memory.requests()
            self._submissions = submissions = Submissions(
                self._pipes, memory, self._slots, requests, self._grouping.planned
            )
            self._results = Results(self._pipes, memory, submissions, kept)
            self._parted = PartedSources(
                self._pipes, memory, submissions, self._results, self._submitted
            )
            self._pipes.bill.spent += await memory.read_cost()
            async with anyio.create_task_group() as keeping:
                if ledger is not None:
                    queue.on_ack = lambda outcomes: ledger.note(
                        _note(one) for one in outcomes if not one.is_open
                    )
                    if queue.is_all_or_nothing:
                        stack.enter_context(_dropping_notes_on_error(ledger))
                    else:
                        keeping.start_soon(ledger.write_notes_forever)
                await self._run(queue)
                await queue.all_acked()
                keeping.cancel_scope.cancel()
            if ledger is not None and ledger.before_checkpoint is None:
                await ledger.checkpoint()

    async def _open_memory(self, stack: AsyncExitStack) -> Memory:
        given = self._pipes.ledger
        if given is None or isinstance(given, Memory):
            return Memory() if given is None else given
        return await stack.enter_async_context(await Ledger.open(given, self._kind.configuration))

    async def _run(self, queue: OutcomeQueue[S, R]) -> None:
        self._queue = queue
        await self._begin()
        async with (
            anyio.create_task_group() as self._tasks,
            Reader(self._sources, self._options.job_size) as reader,
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
            self._pipes.clock.see(newest_ms)

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
            await self._submissions.plan(REFUSED, items)
            yield [one.outcome(Reading(error=one.problem)) for one in items]
            return
        plan, work_id = group.earlier, None
        if group.kind == WHOLE and plan and plan.work_id is None:
            yield [await self._parted.outcome(items[0], plan)]
            return
        try:
            plan, submitted = await self._submitted(plan, items)
            while True:
                work_id = submitted.work_id
                try:
                    body = await self._results.fetch(plan, submitted, items)
                    break
                except MisnamedError:
                    name, work_id = work_id, None
                plan, submitted = await self._submissions.rename(
                    plan, name, items, self._deadline()
                )
        except RejectedError as refused:
            yield await self._refused(group, items, refused.problem)
        except HumeError as problem:
            if ends_run(problem):
                raise
            # Before the service has named it nothing is known to be wrong with the sources,
            # and afterwards they are paid for.
            is_lost = work_id is not None and isinstance(problem, _LOST)
            failed = Reading[R](error=problem)
            yield [one.outcome(failed, work_id, is_open=not is_lost) for one in items]
        else:
            left = iter(items)
            readings = self._results.read(plan, submitted.work_id, body, items)
            async with aclosing(readings) as found:
                async for some in found:
                    yield [next(left).outcome(reading, work_id) for reading in some]

    async def _refused(
        self, group: Group[S], items: Sequence[Item[S]], problem: HumeError
    ) -> list[Outcome[S, R]]:
        """Do with smaller pieces of work what was refused; return outcomes of what cannot be."""
        if len(items) > 1 and _may_be_one_of_many(problem):
            self._halve(group, items)
            return []
        if self._parted.takes(problem):
            return [await self._parted.outcome(items[0])]
        return [one.outcome(Reading(error=problem)) for one in items]

    async def _submitted(
        self, plan: Plan | None, items: Sequence[Item[S]]
    ) -> tuple[Plan, Submitted]:
        """Have a piece of work at the service, whatever an earlier start has planned of it."""
        deadline = self._deadline()
        if plan is None:
            plan = await self._submissions.plan(items[0].kind, items)
            if plan.state is not WorkState.SENT:
                return await self._submissions.submit(plan, items, deadline)
            # The ledger has lost what it knew: an earlier start may have sent it.
        if plan.work_id is None:
            async with self._turn(plan.number):
                return await self._find_or_submit(plan, items, deadline)
        return plan, Submitted(plan.work_id)

    @asynccontextmanager
    async def _turn(self, number: int) -> AsyncGenerator[None]:
        """Let groups of one piece of work, whose sources came apart, go one after the other."""
        turn = self._turns[number]
        is_free = not turn.locked()
        if not is_free:  # whoever has the turn may need a slot to come to its end
            self._slots.release()
        async with turn:
            if not is_free:
                await self._slots.acquire()
            yield

    async def _find_or_submit(
        self, plan: Plan, items: Sequence[Item[S]], deadline: float
    ) -> tuple[Plan, Submitted]:
        """Find out what became of an earlier start's piece of work, unless another group has."""
        if self._memory.is_lasting:
            plan = await self._memory.read_plan(plan.number)
        if plan.work_id is not None:
            return plan, Submitted(plan.work_id)
        if plan.state in UNSENT:
            plan = await self._submissions.plan(plan.kind, items, plan.attempt + 1)
            return await self._submissions.submit(plan, items, deadline)
        return await self._submissions.resume(plan, items, deadline)

    def _deadline(self) -> float:
        timeout = self._options.timeout
        return math.inf if timeout is None else anyio.current_time() + timeout

    def _halve(self, group: Group[S], items: Sequence[Item[S]]) -> None:
        """Submit the sources again in two parts, so that a bad one stands alone in the end."""
        middle = len(items) // 2
        for part in (items[:middle], items[middle:]):
            half = Group[S](group.kind, group.since, dict(enumerate(part)))
            self._tasks.start_soon(self._do_half, half)

    async def _do_half(self, half: Group[S]) -> None:
        await self._slots.acquire()
        await self._do_group(half)


@contextmanager
def _dropping_notes_on_error(ledger: Ledger) -> Generator[None]:
    """Forget what was noted in a block that an error or a cancellation ends."""
    try:
        yield
    except BaseException:
        ledger.drop_notes()
        raise


def _may_be_one_of_many(problem: HumeError) -> bool:
    """Whether a refusal may be for one of the sources, and the others would pass."""
    return problem.status in _REFUSALS or isinstance(problem, InvalidArgumentError)


def _note(outcome: Outcome[S, R]) -> Note:
    """Return what the ledger is to know of an outcome."""
    assert outcome.key is not None  # noqa: S101 - the pipeline sets it
    if outcome.error is None:
        return Note(outcome.key, State.ARRIVED)
    state = State.UNREADABLE if outcome.is_unreadable else State.FAILED
    return Note(outcome.key, state, reason_of(outcome.error))
