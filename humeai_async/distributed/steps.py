"""A ledger whose steps are written down where another worker can go on from them.

It is held in memory. Each step goes to a `StepLog`, and counts once it is there: nothing is sent
before, and what came of it is waited for only after. A plan goes with the first step of its piece
of work, for one that was never sent is nothing; steps that come together go in one trip. The log
refuses whoever is no longer the partition's holder: a worker that was frozen and comes back can
submit nothing. It knows no server; `redis_ledger.py` has one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, Self

import anyio
import msgspec
from attrs import evolve

from humeai_async._base.cancellation import in_thread, run_uncancelled
from humeai_async._base.unset import UNSET, Unset
from humeai_async.bulk.ledger import Memory
from humeai_async.bulk.ledger_records import Draft, Entry, Plan, numbered, request_of
from humeai_async.bulk.states import WORK_TRANSITIONS, State, WorkState
from humeai_async.bulk.work import REFUSED
from humeai_async.errors import HumeError, LedgerError


class StepLog(Protocol):
    """Where the steps of one partition stand, and who may add to them."""

    async def take(self, first: bytes) -> list[bytes]:
        """Become the partition's holder, whoever was it before; returns the steps so far.

        Args:
            first: A step to begin with, where there is none yet.

        Raises:
            LedgerError: The log cannot be reached.
        """
        ...

    async def append(self, steps: Sequence[bytes]) -> None:
        """Write steps down, for good.

        Raises:
            LedgerError: Another has taken the partition, or the log cannot be reached.
        """
        ...

    async def drop(self) -> None:
        """Forget the steps: the partition's results are in place."""


class SteppedLedger(Memory):
    """A ledger with its steps in a log; made by `start`.

    It notes no outcomes: the results of a partition count only as a whole, and one that is cut off
    has its jobs fetched again, all of them. It keeps no results either.

    Args:
        log: Where the steps stand, taken.
    """

    is_lasting = True

    def __init__(self, log: StepLog) -> None:
        self._writer = _Writer(log)
        self._plans: dict[int, Plan] = {}
        self._works: dict[bytes, int] = {}
        """Number of the last piece of work of each source."""
        self._lost_since_ms: int | None = None
        """Since when jobs may have been submitted of which the log has lost the steps."""

    @classmethod
    async def start(cls, log: StepLog, *, begun_since_ms: int | None) -> Self:
        """Take a partition, and make its ledger of the steps so far.

        Args:
            log: Where the steps stand.
            begun_since_ms: Milliseconds since 1970 after which an earlier worker has begun with
                the partition; `None` if none has. Without a step in the log, its jobs are then
                looked for at the service before any is submitted.

        Raises:
            LedgerError: The log cannot be reached, or holds what no run has written.
        """
        # For all who come after this holder too: what it does not come to is lost as well.
        begun = ("begin",) if begun_since_ms is None else ("lost", begun_since_ms)
        first = _encode(*begun)
        steps = await log.take(first)
        ledger = cls(log)
        await in_thread(ledger._follow, steps or [first])
        return ledger

    async def look_up(self, keys: Sequence[bytes]) -> dict[bytes, Entry]:
        """Return what is known of some sources."""
        found: dict[bytes, Entry] = {}
        for key in keys:
            number = self._works.get(key)
            if number is not None:
                state = self._plans[number].state
                is_paid = state is WorkState.SUBMITTED
                source = State.SUBMITTED if is_paid else State.PLANNED
                found[key] = Entry(key, source, number, state)
        return found

    async def read_plan(self, number: int) -> Plan:
        """Return one piece of work with its sources."""
        return self._plans[number]

    async def requests(self) -> list[tuple[str | None, bytes]]:
        """Return of each piece of work so far its name, if known, and its `request_of`."""
        plans = self._plans.values()
        return [(one.work_id, request_of(one.kind, one.marks)) for one in plans]

    async def plan(self, draft: Draft) -> Plan:
        """Plan a piece of work that is about to be submitted.

        Returns:
            The plan; in the state SENT where an earlier worker may have sent it, and the log
            has lost that.
        """
        since_ms = self._lost_since_ms
        is_lost = since_ms is not None and draft.attempt == 1 and draft.kind != REFUSED
        if since_ms is not None and is_lost:
            draft = evolve(draft, planned_ms=since_ms, after_ms=None)
        number = self._plan(draft).number
        self._writer.add(_encode("plan", *_fields(draft)))
        if is_lost:
            await self.send(number, None)
        return self._plans[number]

    async def send(self, number: int, sent_ms: int | None) -> None:
        """Write down that a piece of work is about to be sent, and when."""
        self._send(number, sent_ms)
        await self._write("send", number, sent_ms)

    async def submit(
        self, number: int, work_id: str, body: bytes | None = None, cost: float = 0.0
    ) -> None:
        """Write down that a piece of work is at the service, which keeps its result."""
        del body, cost  # whose results come with their responses has a ledger that is a file
        self._move(number, WorkState.SUBMITTED, work_id=work_id)
        await self._write("submit", number, work_id)

    async def end_work(self, number: int, state: WorkState) -> None:
        """Write down that a piece of work is not at the service, or not under its name."""
        self._move(number, state)
        await self._write("end_work", number, state.value)

    async def finish(self) -> None:
        """Make sure that nobody else has taken the partition, whose results are complete.

        Raises:
            LedgerError: Another has.
        """
        await self._write("finish")

    async def _write(self, *step: object) -> None:
        """Write a step down, and the plans before it, whoever is cancelled meanwhile."""
        self._writer.add(_encode(*step))
        await run_uncancelled(self._writer.write())

    def _plan(self, draft: Draft) -> Plan:
        """Number a piece of work, unless one of its sources is paid for."""
        plan = numbered(draft, len(self._plans) + 1)
        for key in plan.keys:
            before = self._works.get(key)
            if before is not None and self._plans[before].state is WorkState.SUBMITTED:
                raise LedgerError("a source would be planned that is at the service already")
        self._plans[plan.number] = plan
        self._works.update(dict.fromkeys(plan.keys, plan.number))
        return plan

    def _send(self, number: int, sent_ms: int | None) -> None:
        if self._plans[number].state is WorkState.SUBMITTED:
            raise LedgerError("a piece of work would be sent that is at the service already")
        self._move(number, WorkState.SENT, sent_ms=sent_ms)

    def _move(
        self,
        number: int,
        state: WorkState,
        *,
        work_id: str | None = None,
        sent_ms: int | Unset | None = UNSET,
    ) -> None:
        """Bring a piece of work into a state, where the table of states allows it."""
        plan = self._plans[number]
        if state not in WORK_TRANSITIONS[plan.state]:
            names = f"{plan.state.name} to {state.name}"
            raise LedgerError(f"a piece of work would go from {names}, which no run does")
        when = plan.sent_ms if isinstance(sent_ms, Unset) else sent_ms
        self._plans[number] = evolve(plan, state=state, work_id=work_id, sent_ms=when)

    def _follow(self, steps: Sequence[bytes]) -> None:
        """Do again what earlier holders have written down.

        Raises:
            LedgerError: No run has written that.
        """
        try:
            for step in steps:
                self._do_again(*msgspec.msgpack.decode(step))
        except (msgspec.MsgspecError, ValueError, TypeError, LookupError) as failure:
            problem = str(failure)
        else:
            return
        raise LedgerError(f"the steps of a partition cannot be read: {problem}")

    def _do_again(self, name: str, *given: Any) -> None:
        match name:
            case "lost":
                self._lost_since_ms = int(given[0])
            case "plan":
                self._plan(_draft(given))
            case "send":
                self._send(*given)
            case "submit":
                self._move(given[0], WorkState.SUBMITTED, work_id=given[1])
            case "end_work":
                self._move(given[0], WorkState(given[1]))
            case _:  # "begin" and "finish", and what later releases write
                pass


class _Writer:
    """Writes steps to a log in their order, all that wait in one trip.

    Args:
        log: Where.
    """

    def __init__(self, log: StepLog) -> None:
        self._log = log
        self._waiting: list[bytes] = []
        self._added = self._written = 0
        self._trip = anyio.Lock()
        self._problem: str | None = None

    def add(self, step: bytes) -> None:
        """Have a step written with the next one that is waited for."""
        self._waiting.append(step)
        self._added += 1

    async def write(self) -> None:
        """Return once all that was added so far is written down, for good.

        Raises:
            LedgerError: The log refuses it, or cannot be reached; so it is from then on.
            ConfigurationError: The log refuses this program.
        """
        mine = self._added
        async with self._trip:
            if self._written >= mine:
                return
            if self._problem is not None:  # what failed may stand there or not
                raise LedgerError(self._problem)
            steps = self._waiting[:]
            try:
                await self._log.append(steps)
            except HumeError as problem:
                self._problem = str(problem)
                raise
            del self._waiting[: len(steps)]
            self._written += len(steps)


def _fields(draft: Draft) -> tuple[Any, ...]:
    times = (draft.planned_ms, draft.after_ms)
    return draft.kind, draft.keys, draft.marks, *times, draft.attempt


def _draft(given: Sequence[Any]) -> Draft:
    kind, keys, marks, planned_ms, after_ms, attempt = given
    return Draft(
        kind=kind,
        keys=tuple(keys),
        marks=tuple(marks),
        planned_ms=planned_ms,
        after_ms=after_ms,
        attempt=attempt,
    )


def _encode(*step: object) -> bytes:
    return msgspec.msgpack.encode(step)
