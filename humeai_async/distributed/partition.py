"""One partition of a run: what a worker does, whatever engine it is a worker of.

A partition is a value that holds no source and no credential. `work` runs its sources as any bulk
run and puts one file of results in place, whole; so a source is once in the results however often
workers die, freeze or come back. The ledger sees to it that none is paid for twice.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import field

from humeai_async._base.atomic_files import saving
from humeai_async._base.cancellation import in_thread, run_uncancelled
from humeai_async._base.frozen import frozen
from humeai_async._base.urls import repr_without_query, without_queries
from humeai_async.bulk.options import BulkOptions
from humeai_async.bulk.paid_outcomes import PaidOutcomes
from humeai_async.bulk.work import REFUSED
from humeai_async.distributed.budget import grant
from humeai_async.distributed.kinds import ResultFiles, RunKind, kind_of
from humeai_async.distributed.ledgers import OpenedLedger, open_ledger
from humeai_async.distributed.plan import (
    PlannedSource,
    RunSettings,
    digest_of,
    planned,
    read_settings,
    read_sources,
)
from humeai_async.distributed.redis_ledger import RedisLedger
from humeai_async.distributed.results import (
    PartitionProgress,
    PartitionReport,
    Results,
    numbers_done,
    read_report,
)
from humeai_async.distributed.steps import SteppedLedger
from humeai_async.distributed.store import IntoFolder, Store, open_store
from humeai_async.errors import ConfigurationError, LedgerError
from humeai_async.types.sources import BulkSource

if TYPE_CHECKING:
    from humeai_async.client import HumeAI

_AT_ONCE = 100
"""Outcomes that are written together, at most."""


@frozen(kw_only=True)
class Partition:
    """A part of a run for one worker: a name, which holds no source and no credential."""

    into: str = field(repr=repr_without_query)
    """The run's folder, as each worker can open it."""
    run: str
    """Name of the run."""
    number: int
    """Number of the partition, from 0."""


async def partitions(into: IntoFolder) -> list[Partition]:
    """Return the partitions of a run that are not done yet.

    Args:
        into: The run's folder.

    Raises:
        LedgerError: No run is planned there.
        SaveError: The folder cannot be read.
    """

    def read() -> list[Partition]:
        store = open_store(into)
        name = read_settings(store).name
        done = numbers_done(store)
        numbers = [number for number in planned(store) if number not in done]
        return [Partition(into=store.place, run=name, number=number) for number in numbers]

    return await in_thread(read)


async def work(
    partition: Partition,
    hume: HumeAI,
    *,
    ledger: RedisLedger | None = None,
    options: BulkOptions | None = None,
    budget: float | None = None,
    on_progress: Callable[[PartitionProgress], None] | None = None,
) -> PartitionReport:
    """Predict, measure or decide the sources of a partition; put its results in place, whole.

    Done already, it costs nothing. Begun by a worker that died, it goes on where that one was:
    jobs at Hume are waited for and fetched, and none is submitted twice. Results that came with
    their responses are in the ledger.

    Args:
        partition: What to do, one of `partitions`.
        hume: The client; one for all partitions of a process.
        ledger: Where all workers write down what they submit. Left out, it is a file in the
            run's folder, which has to be a path of the file system then. Measurements and
            decisions always have that file: their results are in it until they are in place.
        options: How it is done; `job_size` is the run's own. Of measurements and decisions it is
            `jobs_at_once`, requests in flight, `search_patience` and `outage_patience`.
        budget: Of measurements and decisions: seconds, or input tokens, that the run may be billed
            over all its partitions and starts; the same wherever it is worked on. What would cost
            more than is left is not sent and stays open, with a `BudgetReachedError`. Each source
            is read once more for what it costs, which takes two requests for decisions that are
            not billed.
        on_progress: Called with how far it is, twice a second at most.

    Returns:
        What came of it. With sources left open it has no file yet.

    Raises:
        LedgerError: Another worker has taken the partition since, it belongs to another run, or it
            was begun with the other kind of ledger.
        SaveError: The results cannot be written.
        ConfigurationError: An object store without a ledger, a `RedisLedger` for measurements or
            decisions, or a budget for predictions. Nothing was sent.
        InvalidArgumentError: The budget is out of range.
        MissingPackageError: A package is not installed.
        AuthenticationError: The credential is refused; no source could succeed.
    """
    task = await in_thread(_Task, partition)
    if ledger is not None and task.kind.is_billed:
        raise ConfigurationError(
            f"a RedisLedger cannot keep {task.settings.kind}, whose results exist nowhere else: "
            "leave the ledger out, it is a file in the run's folder then"
        )
    if budget is not None and not task.kind.is_billed:
        raise ConfigurationError(
            f"{task.settings.kind} cannot have a budget: jobs do not say what they are billed"
        )
    found = await in_thread(read_report, task.store, partition.number)
    if found is not None:
        return found
    async with AsyncExitStack() as stack:
        with saving("no temporary folder can be made"):
            made = tempfile.TemporaryDirectory(prefix="humeai_async-", ignore_cleanup_errors=True)
        folder = Path(stack.enter_context(made))
        opening = open_ledger(task.store, task.settings, task.ledger_number, ledger)
        opened = await stack.enter_async_context(opening)
        # Who had it before may have ended just now.
        found = await in_thread(read_report, task.store, partition.number)
        if found is None:
            found = await _run(task, hume, opened, folder, options, budget, on_progress)
        if found.is_done and not found.unreadable:
            await opened.forget()
        return found


class _Task:
    """A partition with its run's settings and its sources."""

    def __init__(self, partition: Partition) -> None:
        self.store: Store = open_store(partition.into)
        self.number = partition.number
        self.settings: RunSettings = read_settings(self.store)
        if self.settings.name != partition.run:
            place = without_queries(self.store.place)
            raise LedgerError(f"{place} belongs to another run than partition {self.number}")
        self.kind: RunKind = kind_of(self.settings)
        self.sources: list[PlannedSource] = read_sources(self.store, self.number)
        paid_in = (one.paid_in for one in self.sources if one.paid_in is not None)
        self.ledger_number: int = next(paid_in, self.number)
        """Number of its ledger: an earlier partition's if the results are paid for in that one."""

    @property
    def is_paid(self) -> bool:
        """Whether its results were paid for by an earlier partition."""
        return self.ledger_number != self.number


async def _run(
    task: _Task,
    hume: HumeAI,
    opened: OpenedLedger,
    folder: Path,
    options: BulkOptions | None,
    budget: float | None,
    on_progress: Callable[[PartitionProgress], None] | None,
) -> PartitionReport:
    """Run a partition's sources, and put the results in place if none is left open."""
    if task.is_paid:
        if not await opened.ledger.requests():
            raise LedgerError(
                f"the results of partition {task.number} are paid for, and the ledger that says "
                "where they are is gone: nothing is sent, so that none is paid for twice"
            )
        budget = None
    most = None if budget is None else await _budget_of(task, hume, opened, options, budget)
    paid_before = await opened.ledger.read_cost() if task.is_paid else 0.0
    files = await in_thread(task.kind.open_files, folder, discard=ResultFiles.close)
    try:
        results = Results(task.number, task.sources, files, on_progress)
        changed: list[PlannedSource] = []
        sources = _to_send(task.sources, changed)
        outcomes = task.kind.run(hume, sources, opened.ledger, options, most)
        async with outcomes:
            while found := await outcomes.next_batch(_AT_ONCE):
                await in_thread(results.write, found)
                results.tell()
        for one in changed:
            results.refuse(one, "the file was changed since it was planned: plan it again")
        spent = outcomes.bill.spent if isinstance(outcomes, PaidOutcomes) else 0.0
        billed = max(0.0, spent - paid_before)
        report = results.report(billed)
        if report.is_done:
            await in_thread(files.finish)
            if isinstance(opened.ledger, SteppedLedger):
                await opened.ledger.finish()
            await in_thread(results.put, task.store, report)
        elif budget is not None:  # others may have what is left of it
            await in_thread(grant, task.store, task.number, budget, billed, billed)
        results.tell(is_last=True)
        return report
    finally:
        await run_uncancelled(in_thread(files.close))


async def _budget_of(
    task: _Task, hume: HumeAI, opened: OpenedLedger, options: BulkOptions | None, budget: float
) -> float:
    """Return what a partition may be billed, by what its sources would cost."""
    sources = [one.source() for one in task.sources if one.kind != REFUSED]
    outcomes = task.kind.run(hume, sources, opened.ledger, options, budget)
    cost = (await outcomes.estimate()).cost if isinstance(outcomes, PaidOutcomes) else 0.0
    spent = await opened.ledger.read_cost()
    return await in_thread(grant, task.store, task.number, budget, spent, spent + cost)


def _to_send(
    planned_ones: list[PlannedSource], changed: list[PlannedSource]
) -> Iterable[BulkSource] | AsyncIterable[BulkSource]:
    """Give the sources that can be sent, but for files that are not those which were planned."""
    sources = [one for one in planned_ones if one.kind != REFUSED]
    if any(one.digest for one in sources):
        return _unchanged(sources, changed)
    return [one.source() for one in sources]


async def _unchanged(
    sources: list[PlannedSource], changed: list[PlannedSource]
) -> AsyncIterator[BulkSource]:
    for one in sources:
        if await in_thread(_is_another, one):
            changed.append(one)
        else:
            yield one.source()


def _is_another(source: PlannedSource) -> bool:
    """Whether a file has another content than was planned; its run refuses what cannot be read."""
    try:
        return digest_of(source.text) not in {source.digest, None}
    except OSError:
        return False
