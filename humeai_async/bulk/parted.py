"""Sources that are too large for one piece of work: done part by part, and then one outcome.

Where a part begins may depend on what came of the one before, so a source's parts are done one
after another. Each is a piece of work of its own, with a key of its own in the ledger, and is paid
for once; the whole is noted with its result once it is put together. The kind of work says how a
source is divided. The pipeline calls it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from humeai_async.bulk.collecting import Results
from humeai_async.bulk.ledger import Memory
from humeai_async.bulk.ledger_records import WHOLE, Note, Plan
from humeai_async.bulk.outcome import Outcome
from humeai_async.bulk.patience import ends_run
from humeai_async.bulk.states import UNSENT, State
from humeai_async.bulk.submissions import RejectedError, Submissions
from humeai_async.bulk.work import Item, Pipes, Reading, Submitted
from humeai_async.errors import HumeError, PartialResultError

S = TypeVar("S")
R = TypeVar("R")


class PartedSources(Generic[S, R]):
    """Does sources of a run in parts.

    Args:
        pipes: What the run works with; its kind of work may divide no source.
        memory: What the run remembers.
        submissions: Plans and submits pieces of work.
        results: Reads what came of them.
        have_submitted: Has a piece of work at the service, whatever was planned of it before.
    """

    def __init__(
        self,
        pipes: Pipes[S, R],
        memory: Memory,
        submissions: Submissions[S, R],
        results: Results[S, R],
        have_submitted: Callable[
            [Plan | None, Sequence[Item[S]]], Awaitable[tuple[Plan, Submitted]]
        ],
    ) -> None:
        self._pipes = pipes
        self._memory = memory
        self._submissions = submissions
        self._results = results
        self._have_submitted = have_submitted

    def takes(self, problem: HumeError) -> bool:
        """Whether a source that was refused for this can be done in parts."""
        division = self._pipes.division
        return division is not None and division.is_for_parts(problem)

    async def outcome(self, item: Item[S], plan: Plan | None = None) -> Outcome[S, R]:
        """Do a source in parts.

        Args:
            item: The source.
            plan: What an earlier start has planned of the whole.
        """
        if plan is None:
            plan = await self._submissions.plan(WHOLE, [item])
        held_up: list[HumeError] = []
        division = self._pipes.division
        assert division is not None  # noqa: S101 - or no source would have come here
        try:
            result, name, body = await division.do_in_parts(
                item, lambda part: self._do_part(part, held_up)
            )
        except HumeError as problem:
            cause = problem.__cause__
            if ends_run(problem):
                raise
            if isinstance(problem, PartialResultError) and ends_run(cause):
                raise cause from None
            is_open = problem in held_up or cause in held_up
            return item.outcome(Reading(error=problem), is_open=is_open)
        await self._memory.send(plan.number, None)
        await self._memory.submit(plan.number, name, body)
        return item.outcome(Reading(result), name)

    async def _do_part(self, part: Item[S], held_up: list[HumeError]) -> R:
        """Have a part done, unless it was; what says nothing against it is added to `held_up`."""
        try:
            plan, submitted = await self._have_submitted(await self._earlier(part), [part])
        except RejectedError as refused:
            raise refused.problem from None
        except HumeError as problem:
            held_up.append(problem)
            raise
        (reading,) = await self._results.fetch_and_read(plan, submitted, [part])
        if reading.result is not None:
            return reading.result
        assert reading.error is not None  # noqa: S101 - either of the two is set
        state = State.UNREADABLE if reading.is_unreadable else State.FAILED
        self._memory.note([Note(part.key, state)])
        raise reading.error

    async def _earlier(self, part: Item[S]) -> Plan | None:
        """Return what an earlier start has done of a part; `None` where it is to be planned."""
        entry = (await self._memory.look_up([part.key])).get(part.key)
        if entry is None or entry.work_state in UNSENT:
            return None
        if entry.state is State.FAILED and self._pipes.options.retry_failed:
            return None
        return await self._memory.read_plan(entry.work)
