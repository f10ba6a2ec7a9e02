"""A ledger whose steps are also written down where another worker can go on from them.

The ledger itself is the usual one, in a temporary folder; each of its steps that must not be
done twice goes to a `StepLog` as well before it counts. The log refuses whoever is no longer the
partition's holder: a worker that was frozen and comes back can neither plan nor submit. It knows
no server; `redis_ledger.py` has one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import anyio
import msgspec
from attrs import evolve

from humeai_async._base.cancellation import run_uncancelled
from humeai_async.bulk.ledger import Ledger
from humeai_async.bulk.ledger_records import Draft, Note, Plan
from humeai_async.bulk.states import WorkState
from humeai_async.bulk.work import REFUSED
from humeai_async.errors import LedgerError


class StepLog(Protocol):
    """Where the steps of one partition stand, and who may add to them."""

    async def take(self) -> list[bytes]:
        """Become the partition's holder, whoever was it before; returns the steps so far.

        Raises:
            LedgerError: The log cannot be reached.
        """
        ...

    async def append(self, step: bytes) -> None:
        """Write a step down, for good.

        Raises:
            LedgerError: Another has taken the partition, or the log cannot be reached.
        """
        ...

    async def drop(self) -> None:
        """Forget the steps: the partition's results are in place."""


class PartitionLedger(Ledger):
    """A ledger of a partition, whose results count only as a whole.

    It notes no outcomes: a partition that is cut off has its jobs fetched again, all of them.
    """

    def note(self, notes: Iterable[Note]) -> None:
        """Ignore the notes: the results of a partition count only as a whole."""


class SteppedLedger(PartitionLedger):
    """A ledger with its steps in a log; made by `start`."""

    _log: StepLog
    _lost_since_ms: int | None
    """Since when jobs may have been submitted of which the log has lost the steps."""
    _one_step: anyio.Lock

    @classmethod
    async def start(
        cls, path: Path, configuration: str, log: StepLog, *, begun_since_ms: int | None
    ) -> Self:
        """Take a partition, and make its ledger of the steps so far.

        Args:
            path: A local file, which must not be there.
            configuration: What the run's results depend on besides the sources.
            log: Where the steps stand.
            begun_since_ms: Milliseconds since 1970 after which an earlier worker has begun with
                the partition; `None` if none has. Without a step in the log, its jobs are then
                looked for at the service before any is submitted.

        Raises:
            LedgerError: The log cannot be reached, or holds what no run has written.
        """
        steps = await log.take()
        ledger = await cls.open(path, configuration)
        try:
            await ledger.follow(log, steps)
            if not steps and begun_since_ms is not None:
                # For all who come after this holder too: what it has not come to is lost as well.
                await log.append(_encode("lost", begun_since_ms))
                ledger._lost_since_ms = begun_since_ms  # noqa: SLF001 - its own class
        except BaseException:
            await ledger.aclose()
            raise
        return ledger

    async def plan(self, draft: Draft) -> Plan:
        """Write down a piece of work that is about to be submitted.

        Returns:
            The plan; in the state SENT where an earlier worker may have sent it, and the log
            has lost that.
        """
        since_ms, is_lost = self._lost_since_ms, False
        if since_ms is not None and draft.attempt == 1 and draft.kind != REFUSED:
            draft, is_lost = evolve(draft, planned_ms=since_ms, after_ms=None), True
        async with self._one_step:
            plan = await super().plan(draft)
            await self._log.append(_encode("plan", *_fields(draft)))
        if is_lost:
            await self.send(plan.number, None)
            plan = evolve(plan, state=WorkState.SENT)
        return plan

    async def send(self, number: int, sent_ms: int | None) -> None:
        """Write down that a piece of work is about to be sent, and when."""
        await run_uncancelled(self._send(number, sent_ms))

    async def submit(
        self, number: int, work_id: str, body: bytes | None = None, cost: float = 0.0
    ) -> None:
        """Write down that a piece of work is at the service."""
        await run_uncancelled(self._submit(number, work_id, body, cost))

    async def end_work(self, number: int, state: WorkState) -> None:
        """Write down that a piece of work is not at the service."""
        await run_uncancelled(self._end_work(number, state))

    async def finish(self) -> None:
        """Make sure that nobody else has taken the partition, whose results are complete.

        Raises:
            LedgerError: Another has.
        """
        await self._log.append(_encode("finish"))

    async def _send(self, number: int, sent_ms: int | None) -> None:
        async with self._one_step:
            await super().send(number, sent_ms)
            await self._log.append(_encode("send", number, sent_ms))

    async def _submit(self, number: int, work_id: str, body: bytes | None, cost: float) -> None:
        result = () if body is None and not cost else (body, cost)
        async with self._one_step:
            await super().submit(number, work_id, body, cost)
            await self._log.append(_encode("submit", number, work_id, *result))

    async def _end_work(self, number: int, state: WorkState) -> None:
        async with self._one_step:
            await super().end_work(number, state)
            await self._log.append(_encode("end_work", number, state.value))

    async def follow(self, log: StepLog, steps: Sequence[bytes]) -> None:
        """Do again what earlier holders have written down, and write there from now on.

        Raises:
            LedgerError: No run has written that.
        """
        self._log, self._lost_since_ms, self._one_step = log, None, anyio.Lock()
        problem = ""
        try:
            for step in steps:
                name, *given = msgspec.msgpack.decode(step)
                if name == "lost":
                    self._lost_since_ms = int(given[0])
                elif name == "plan":
                    await super().plan(_draft(given))
                elif name == "send":
                    await super().send(*given)
                elif name == "submit":
                    await super().submit(*given)
                elif name == "end_work":
                    await super().end_work(given[0], WorkState(given[1]))
        except (msgspec.MsgspecError, ValueError, TypeError, LookupError) as failure:
            problem = str(failure)
        if problem:
            raise LedgerError(f"the steps of a partition cannot be read: {problem}")


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
