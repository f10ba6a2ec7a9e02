"""Submissions of pieces of work, and the search for those that were not answered.

A piece of work is on disk before it is sent, and so is each time at which it is sent; the steps
are in `states.py`. Where nobody knows whether it was carried out, it is looked for patiently
before it is sent again. The pipeline calls it; it fetches no results.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

import anyio
from attrs import evolve

from humeai_async._base.cancellation import run_uncancelled_while
from humeai_async.bulk.ledger import Memory
from humeai_async.bulk.ledger_records import Draft, Plan, request_of
from humeai_async.bulk.outcome import UnknownSubmissionError
from humeai_async.bulk.patience import search_pauses
from humeai_async.bulk.states import WorkState
from humeai_async.bulk.work import (
    CLOCK_SLACK_MS,
    Item,
    NotCarriedOutError,
    Pipes,
    Sending,
    Submitted,
    local_ms,
)
from humeai_async.errors import (
    APIConnectionError,
    AuthenticationError,
    BudgetReachedError,
    ClientClosedError,
    DecodeError,
    HumeError,
    LedgerError,
    RateLimitError,
    RateLimitWaitError,
    SaveError,
    ServerError,
)
from humeai_async.http.fatal_errors import is_fatal

S = TypeVar("S")
R = TypeVar("R")

logger: logging.Logger = logging.getLogger("humeai_async")

MOST_ATTEMPTS = 4
"""Submissions of the same sources whose outcome nobody knows, before they are left open."""

_PASSING = (
    APIConnectionError,
    ServerError,
    RateLimitError,
    RateLimitWaitError,
    BudgetReachedError,
)
"""Errors of a submission that say nothing against its sources."""
LAST_RESPONSE_SECONDS = 30.0
"""Seconds that a run which is cancelled waits for responses that hold results."""


class RejectedError(Exception):
    """A submission was refused, perhaps for one of its sources; nothing was carried out."""

    def __init__(self, problem: HumeError) -> None:
        self.problem = problem


class Submissions(Generic[S, R]):
    """Has the service carry out each piece of work once, and know its name.

    Args:
        pipes: What the run works with.
        memory: What it remembers.
        slots: Pieces of work in flight; one that is searched for gives its slot to others.
        requests: Of each piece of work of earlier starts its name at the service, if known,
            and its `request_of`.
        on_plan: Called with each plan.
    """

    def __init__(
        self,
        pipes: Pipes[S, R],
        memory: Memory,
        slots: anyio.Semaphore,
        requests: Iterable[tuple[str | None, bytes]],
        on_plan: Callable[[Plan], None],
    ) -> None:
        self._pipes = pipes
        self._kind = pipes.kind
        self._clock = pipes.clock
        self._memory = memory
        self._slots = slots
        self._searches = anyio.Semaphore(pipes.options.jobs_at_once)
        known = list(requests)
        self._named = {name: request for name, request in known if name is not None}
        """What was asked for under each of the service's names."""
        self.requests: set[bytes] = {request for _, request in known}
        """`request_of` each piece of work of the run."""
        self._on_plan = on_plan
        self._began = anyio.current_time()
        self._seen_at: dict[int, float] = {}
        """When pieces of work were last on their way to the service, or named by it, of those
        that this start has sent or found."""
        self._renames: Counter[int] = Counter()
        """How often a name of a piece of work turned out to be another's."""
        self._sent_ms: dict[int, int | None] = {}
        """When they were last sent, by the service's clock where it is known: the pieces of
        work that this start has sent."""

    async def plan(self, kind: str, items: Sequence[Item[S]], attempt: int = 1) -> Plan:
        """Write a piece of work down before it is sent."""
        marks = [item.mark for item in items if item.mark is not None]
        plan = await self._memory.plan(
            Draft(
                kind=kind,
                keys=tuple(item.key for item in items),
                marks=tuple(marks),
                planned_ms=local_ms(),
                after_ms=self._clock.now_ms,
                attempt=attempt,
            )
        )
        self.requests.add(_request(plan))
        self._on_plan(plan)
        return plan

    async def submit(
        self, plan: Plan, items: Sequence[Item[S]], deadline: float
    ) -> tuple[Plan, Submitted]:
        """Submit a piece of work until the service has it for certain.

        Raises:
            RejectedError: It was refused, and not carried out.
            HumeError: It was not carried out, or nobody knows.
        """
        submitted = await self._send_once(plan, items, deadline)
        if submitted is not None:
            return plan, submitted
        return await self.resume(plan, items, deadline, most=MOST_ATTEMPTS)

    async def resume(
        self, plan: Plan, items: Sequence[Item[S]], deadline: float, *, most: float = math.inf
    ) -> tuple[Plan, Submitted]:
        """Find a piece of work that was sent, perhaps by an earlier start, or submit it anew.

        Raises:
            UnknownSubmissionError: Its sources were submitted `most` times, or nobody knows.
        """
        found = await self._search(plan, items)
        if found is not None:
            return plan, found
        if plan.attempt >= most:
            raise UnknownSubmissionError(
                f"{plan.attempt} submissions of these sources had no response of their own, and "
                "the service lists none of them",
                outcome_unknown=True,
            )
        plan = await self.plan(plan.kind, items, plan.attempt + 1)
        return await self.submit(plan, items, deadline)

    async def rename(
        self, plan: Plan, name: str, items: Sequence[Item[S]], deadline: float
    ) -> tuple[Plan, Submitted]:
        """Find a piece of work that was believed under another's name, or submit it anew.

        That name is free for whoever it belongs to.

        Raises:
            UnknownSubmissionError: None of several names was its own.
        """
        await self._memory.end_work(plan.number, WorkState.SENT)
        self._renames[plan.number] += 1
        if self._renames[plan.number] > MOST_ATTEMPTS:
            raise UnknownSubmissionError(
                "whatever name the service gives to a submission, it has another one under it",
                outcome_unknown=True,
            )
        if self._named.get(name) == _request(plan):
            del self._named[name]
        logger.warning(
            "the service has called a submission of %d sources %s, which is another one: it is "
            "looked for under its own name",
            len(plan.keys),
            name,
        )
        return await self.resume(plan, items, deadline, most=MOST_ATTEMPTS)

    def seconds_left(self, plan: Plan) -> float:
        """Return for how many seconds more a piece of work may still show at the service.

        They count from when it may last have been on its way there, not from its plan: it may
        have waited for its turn for hours.
        """
        # By the clock that nobody sets, as far as it goes.
        now, patience = anyio.current_time(), self._pipes.options.search_patience
        if plan.number in self._seen_at:
            return patience - (now - self._seen_at[plan.number])
        # It was on its way no longer than the earlier start that sent it.
        left = patience - (now - self._began)
        age_ms, longest = self._clock.age_ms(plan), self._kind.longest_submission
        if age_ms is None or longest is None:
            return left
        return min(left, patience + longest + (CLOCK_SLACK_MS - age_ms) / 1000)

    async def _send_once(
        self, plan: Plan, items: Sequence[Item[S]], deadline: float
    ) -> Submitted | None:
        """Submit a piece of work; returns `None` where nobody knows what became of it."""

        async def write_down() -> None:
            self._sent_ms[plan.number] = sent_ms = self._clock.sent_ms
            await self._memory.send(plan.number, sent_ms)

        sending = Sending(write_down)
        work = self._send(plan, items, deadline, sending)
        if self._kind.keeps_results or self._pipes.ledger is None:
            return await work
        # What is on its way is billed, and its result is in the response alone.
        return await run_uncancelled_while(
            work, lambda: sending.is_in_doubt, seconds=LAST_RESPONSE_SECONDS
        )

    async def _send(
        self, plan: Plan, items: Sequence[Item[S]], deadline: float, sending: Sending
    ) -> Submitted | None:
        try:
            submitted = await self._pipes.patience.call(
                lambda: self._kind.submit(items, sending), deadline=deadline
            )
        except (LedgerError, SaveError):
            raise
        except HumeError as problem:
            if not _is_doubtful(problem):
                await self._memory.end_work(plan.number, WorkState.REJECTED)
                if isinstance(problem, _PASSING) or is_fatal(problem):
                    raise
                raise RejectedError(problem) from None
        except BaseException:
            # Cancelled. What was never sent stands so on disk, this was refused since.
            if sending.was_sent and not sending.is_in_doubt:
                await self._memory.end_work(plan.number, WorkState.REJECTED)
            raise
        else:
            if submitted.work_id not in self._named:
                await self._keep_submitted(plan, submitted)
                return submitted
            # A name that another piece of work has: nobody knows what became of this one.
        # It may have been on its way until now.
        self._seen_at[plan.number] = anyio.current_time()
        return None

    async def _keep_submitted(self, plan: Plan, submitted: Submitted) -> None:
        """Remember that a piece of work is at the service."""
        self._named[submitted.work_id] = _request(plan)
        self._seen_at[plan.number] = anyio.current_time()
        self._pipes.bill.spent += submitted.cost
        await self._memory.submit(plan.number, submitted.work_id, submitted.body, submitted.cost)
        if self._pipes.on_submitted is not None:
            self._pipes.on_submitted(submitted.work_id)

    async def _search(self, plan: Plan, items: Sequence[Item[S]]) -> Submitted | None:
        """Look for a piece of work patiently, with its slot given to others meanwhile.

        Returns:
            It; `None` if it is surely not at the service.

        Raises:
            UnknownSubmissionError: Nobody knows.
        """
        problem: HumeError | NotCarriedOutError | None = None
        found: Submitted | None = None
        self._pipes.bill.in_doubt += 1
        async with self._searches:
            self._slots.release()
            try:
                found = await self._search_patiently(plan, items)
            except (HumeError, NotCarriedOutError) as failure:
                problem = failure
        # Only now: whoever has a slot may wait for a search.
        await self._slots.acquire()
        if isinstance(problem, NotCarriedOutError):
            self._pipes.bill.in_doubt -= 1
            await self._memory.end_work(plan.number, WorkState.REJECTED)
            return None
        if problem is not None:
            raise problem
        if found is None:
            await self._memory.end_work(plan.number, WorkState.ABANDONED)
            logger.warning(
                "a submission of %d sources had no response, and the service did not list it for "
                "%.0f s: they are submitted again. Should it carry the first one out later still, "
                "they are paid for twice",
                len(plan.keys),
                self._pipes.options.search_patience,
            )
            return None
        self._pipes.bill.in_doubt -= 1
        await self._keep_submitted(plan, found)
        return found

    async def search_once(self, plan: Plan, items: Sequence[Item[S]]) -> Submitted | None:
        """Look once for a piece of work; returns it, if the service lists it.

        Raises:
            HumeError: Nobody can tell.
        """
        return await self._pipes.patience.call(lambda: self._search_once(plan, items))

    async def _search_once(self, plan: Plan, items: Sequence[Item[S]]) -> Submitted | None:
        # That a response has once called another by a name is no proof that this one does not
        # have it, unless both ask for the same: the search compares whole requests. A name that
        # came with a result is that of one request.
        mine, is_sure = _request(plan), not self._kind.keeps_results
        plan = evolve(plan, sent_ms=self._sent_ms.get(plan.number, plan.sent_ms))
        others = {name for name, request in self._named.items() if is_sure or request == mine}
        is_new = plan.number in self._sent_ms
        return await self._kind.search(plan, items, others, is_new=is_new)

    async def _search_patiently(self, plan: Plan, items: Sequence[Item[S]]) -> Submitted | None:
        began, patience, pauses = anyio.current_time(), self._pipes.patience, search_pauses()
        while True:
            left = self.seconds_left(plan)
            problem: HumeError | None = None
            try:
                found = await self.search_once(plan, items)
            except (AuthenticationError, ClientClosedError):
                raise
            except HumeError as failure:
                problem, found = failure, None
            if found is not None:
                return found
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
            with patience.waiting("search", reason, since=began, until=now + left):
                await self._pipes.patience.pause(min(next(pauses), left))


def _request(plan: Plan) -> bytes:
    return request_of(plan.kind, plan.marks)


def _is_doubtful(problem: HumeError) -> bool:
    """Whether a submission that failed may have been carried out."""
    return problem.outcome_unknown or isinstance(problem, DecodeError)
