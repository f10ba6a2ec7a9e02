"""One partition of a run: what a worker does, whatever engine it is a worker of.

A partition is a value that holds no source and no credential. `work` runs its sources as any bulk
run and puts one file of results in place, whole; so a source is once in the results however often
workers die, freeze or come back. The ledger sees to it that none is paid for twice.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import asdict, field

from humeai_async._base.cancellation import in_thread, run_uncancelled
from humeai_async._base.frozen import frozen
from humeai_async._base.urls import repr_without_query, without_queries
from humeai_async.bulk.options import BulkOptions
from humeai_async.bulk.outcome import Outcome, label_of
from humeai_async.bulk.paid_outcomes import PaidOutcomes
from humeai_async.bulk.pipeline import reason_of
from humeai_async.bulk.work import REFUSED
from humeai_async.distributed.kinds import RunKind, kind_of
from humeai_async.distributed.ledgers import OpenedLedger, open_ledger
from humeai_async.distributed.plan import (
    PlannedSource,
    RunSettings,
    file_name,
    planned,
    read_settings,
    read_sources,
)
from humeai_async.distributed.redis_ledger import RedisLedger
from humeai_async.distributed.steps import SteppedLedger
from humeai_async.distributed.store import IntoFolder, Store, open_store
from humeai_async.errors import ConfigurationError, DecodeError, LedgerError
from humeai_async.http import codec

if TYPE_CHECKING:
    from humeai_async.client import HumeAI

PROGRESS_SECONDS = 0.5
"""Seconds between two tellings of how far a partition is, at least."""
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


@frozen(kw_only=True)
class PartitionProgress:
    """How far a worker is with a partition."""

    number: int
    sources: int
    done: int
    """Sources that have their outcome."""
    failed: int
    """Those of them that failed."""


@frozen(kw_only=True)
class PartitionReport:
    """What came of a partition."""

    number: int
    sources: int
    arrived: int
    """Sources whose results are in the partition's file."""
    failed: int
    """Sources that Hume could not process, or that cannot be sent."""
    left_open: int = 0
    """Sources that met an outage or a timeout; while there are any, the partition has no file,
    and the next start goes on with it."""
    reasons: Mapping[str, int] = field(factory=dict[str, int])
    """Why sources failed or are open, and how many."""
    billed: float = 0.0
    """Seconds of audio that measurements were billed for over all starts, or input tokens of
    decisions, as far as is known."""

    @property
    def is_done(self) -> bool:
        """Whether the partition's results are in place."""
        return not self.left_open


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
        on_progress: Called with how far it is, twice a second at most.

    Returns:
        What came of it. With sources left open it has no file yet.

    Raises:
        LedgerError: Another worker has taken the partition since, it belongs to another run, or it
            was begun with the other kind of ledger.
        SaveError: The results cannot be written.
        ConfigurationError: An object store without a ledger, or a `RedisLedger` for
            measurements or decisions. Nothing was sent.
        MissingPackageError: A package is not installed.
        AuthenticationError: The credential is refused; no source could succeed.
    """
    task = await in_thread(_Task, partition)
    if ledger is not None and not task.kind.takes_redis:
        raise ConfigurationError(
            f"a RedisLedger cannot keep {task.settings.kind}, whose results exist nowhere else: "
            "leave the ledger out, it is a file in the run's folder then"
        )
    found = await in_thread(read_report, task.store, partition.number)
    if found is not None:
        return found
    async with AsyncExitStack() as stack:
        temporary = tempfile.TemporaryDirectory(prefix="humeai_async-", ignore_cleanup_errors=True)
        folder = Path(stack.enter_context(temporary))
        opening = open_ledger(task.store, task.settings, task.number, ledger, folder)
        opened = await stack.enter_async_context(opening)
        # Who had it before may have ended just now.
        found = await in_thread(read_report, task.store, partition.number)
        if found is None:
            found = await _run(task, hume, opened, folder, options, on_progress)
        if found.is_done:
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


async def _run(
    task: _Task,
    hume: HumeAI,
    opened: OpenedLedger,
    folder: Path,
    options: BulkOptions | None,
    on_progress: Callable[[PartitionProgress], None] | None,
) -> PartitionReport:
    """Run a partition's sources, and put the results in place if none is left open."""
    results = await in_thread(_Results, task, folder, on_progress, discard=_Results.close)
    try:
        sources = [one.source() for one in task.sources if one.kind != REFUSED]
        outcomes = task.kind.run(hume, sources, opened.ledger, options)
        async with outcomes:
            while found := await outcomes.next_batch(_AT_ONCE):
                await in_thread(results.write, found)
                results.tell()
        billed = outcomes.bill.spent if isinstance(outcomes, PaidOutcomes) else 0.0
        report = results.report(billed)
        if report.is_done:
            await in_thread(results.finish)
            if isinstance(opened.ledger, SteppedLedger):
                await opened.ledger.finish()
            await in_thread(results.put, report)
        results.tell(is_last=True)
        return report
    finally:
        await run_uncancelled(in_thread(results.close))


class _Results:
    """The results of a partition, on their way into its file.

    Args:
        task: The partition.
        folder: A temporary folder.
        on_progress: Called with how far it is.
    """

    def __init__(
        self,
        task: _Task,
        folder: Path,
        on_progress: Callable[[PartitionProgress], None] | None,
    ) -> None:
        self._task = task
        self._on_progress = on_progress
        self._files = task.kind.open_files(folder)
        self._failures: list[dict[str, str | None]] = []
        self._reasons: Counter[str] = Counter()
        self._arrived = self._left_open = 0
        self._told_at = 0.0
        for one in task.sources:
            if one.kind == REFUSED:
                self._fail(one.text, None, f"InvalidArgumentError: {one.reason}")

    def write(self, outcomes: Sequence[Outcome[Any, Any]]) -> None:
        """Write outcomes."""
        for outcome in outcomes:
            if outcome.is_open and outcome.error is not None:
                self._left_open += 1
                self._reasons[reason_of(outcome.error)] += 1
                continue
            written = self._files.write(outcome)
            if written.error is None:
                self._arrived += 1
            else:
                self._fail(label_of(outcome.source), outcome.job_id, reason_of(written.error))

    def tell(self, *, is_last: bool = False) -> None:
        """Tell how far it is, if it is time."""
        now = time.monotonic()
        if self._on_progress is None or not (is_last or now - self._told_at >= PROGRESS_SECONDS):
            return
        self._told_at = now
        failed = len(self._failures)
        self._on_progress(
            PartitionProgress(
                number=self._task.number,
                sources=len(self._task.sources),
                done=self._arrived + failed,
                failed=failed,
            )
        )

    def report(self, billed: float) -> PartitionReport:
        """Return what came of the partition so far; what has no outcome is open."""
        failed = len(self._failures)
        same = len(self._task.sources) - self._arrived - failed - self._left_open
        if same:
            self._reasons["files have been changed, and are the same as others now"] = same
        return PartitionReport(
            number=self._task.number,
            sources=len(self._task.sources),
            arrived=self._arrived,
            failed=failed,
            left_open=len(self._task.sources) - self._arrived - failed,
            reasons=dict(self._reasons.most_common()),
            billed=billed,
        )

    def finish(self) -> None:
        """Bring the files to their end."""
        self._files.finish()

    def put(self, report: PartitionReport) -> None:
        """Put report and files in place; the table last, by which the partition is done."""
        number = self._task.number
        if self._files.lines is not None:
            name = f"_run/results/{file_name(number)}.jsonl.zst"
            self._task.store.put_file(name, self._files.lines)
        content = codec.encode({**asdict(report), "failures": self._failures})
        self._task.store.put(f"_run/done/{file_name(number)}", content)
        self._task.store.put_file(results_name(number), self._files.table)

    def close(self) -> None:
        """Let go of the files."""
        self._files.close()

    def _fail(self, source: str, job_id: str | None, reason: str) -> None:
        self._failures.append({"source": source, "job_id": job_id, "reason": reason})
        self._reasons[reason] += 1


def results_name(number: int) -> str:
    """Return the name of the file of a partition's results."""
    return f"part-{file_name(number)}.parquet"


def numbers_done(store: Store) -> set[int]:
    """Return the numbers of the partitions whose results are in place."""
    reports = {name for name in store.names("_run/done") if name.isdecimal()}
    files = set(store.names(""))
    return {int(name) for name in reports if results_name(int(name)) in files}


def read_report(store: Store, number: int) -> PartitionReport | None:
    """Return what came of a partition; `None` if its results are not in place.

    Raises:
        LedgerError: It cannot be read.
    """
    if number not in numbers_done(store):
        return None
    content = store.read(f"_run/done/{file_name(number)}")
    problem = "it is gone"
    if content is not None:
        try:
            facts: Any = codec.parse(content)
            facts.pop("failures", None)
            return PartitionReport(**facts)
        except (DecodeError, TypeError, AttributeError) as failure:
            problem = str(failure)
    raise LedgerError(f"the report of partition {number} cannot be read: {problem}")
