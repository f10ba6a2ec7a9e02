"""What comes of a partition: its files of results, put in place whole, and its report.

    into/part-00017.parquet     its results, by which it is done
    into/_run/done/00017        its report, and which of its sources failed
    into/_run/results/00017.jsonl.zst   its whole results, where the service keeps none

It runs nothing.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from attrs import asdict, field

from humeai_async._base.frozen import frozen
from humeai_async.bulk.outcome import Outcome, label_of, reason_of
from humeai_async.bulk.work import REFUSED
from humeai_async.distributed.kinds import ResultFiles
from humeai_async.distributed.plan import PlannedSource, file_name, kind_as_given
from humeai_async.distributed.store import Store
from humeai_async.errors import DecodeError, LedgerError
from humeai_async.http import codec

PROGRESS_SECONDS = 0.5
"""Seconds between two tellings of how far a partition is, at least."""


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
    unreadable: int = 0
    """Those of them whose results are paid for and cannot be read: `retry_failed` has them read or
    fetched again, and submits nothing."""
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


class Results:
    """The results of a partition, on their way into its file.

    Args:
        number: Number of the partition.
        sources: Its sources.
        files: What the results are written to.
        on_progress: Called with how far it is.
    """

    def __init__(
        self,
        number: int,
        sources: Sequence[PlannedSource],
        files: ResultFiles,
        on_progress: Callable[[PartitionProgress], None] | None,
    ) -> None:
        self._number = number
        self._count = len(sources)
        self._files = files
        self._on_progress = on_progress
        self._failures: list[dict[str, str | bool | None]] = []
        self._reasons: Counter[str] = Counter()
        self._arrived = 0
        self._told_at = 0.0
        for one in sources:
            if one.kind == REFUSED:
                self.refuse(one, one.reason)

    def write(self, outcomes: Sequence[Outcome[Any, Any]]) -> None:
        """Write outcomes to the files, and count them."""
        for outcome in outcomes:
            if outcome.is_open and outcome.error is not None:
                self._reasons[reason_of(outcome.error)] += 1
                continue
            written = self._files.write(outcome)
            if written.error is None:
                self._arrived += 1
            else:
                self._fail(
                    kind_as_given(outcome.source),
                    label_of(outcome.source),
                    reason_of(written.error),
                    job_id=outcome.job_id,
                    unreadable=written.is_unreadable,
                )

    def refuse(self, source: PlannedSource, reason: str) -> None:
        """Take note of a source that is not sent."""
        self._fail(source.kind, source.text, f"InvalidArgumentError: {reason}")

    def tell(self, *, is_last: bool = False) -> None:
        """Tell how far it is, if it is time."""
        now = time.monotonic()
        if self._on_progress is None or not (is_last or now - self._told_at >= PROGRESS_SECONDS):
            return
        self._told_at = now
        failed = len(self._failures)
        self._on_progress(
            PartitionProgress(
                number=self._number,
                sources=self._count,
                done=self._arrived + failed,
                failed=failed,
            )
        )

    def report(self, billed: float) -> PartitionReport:
        """Return what came of the partition so far; what has no outcome is open."""
        failed = len(self._failures)
        return PartitionReport(
            number=self._number,
            sources=self._count,
            arrived=self._arrived,
            failed=failed,
            unreadable=sum(one["unreadable"] is True for one in self._failures),
            left_open=self._count - self._arrived - failed,
            reasons=dict(self._reasons.most_common()),
            billed=billed,
        )

    def put(self, store: Store, report: PartitionReport) -> None:
        """Put report and files in place; the table last, by which the partition is done."""
        number = self._number
        if self._files.lines is not None:
            store.put_file(f"_run/results/{file_name(number)}.jsonl.zst", self._files.lines)
        write_facts(store, number, {**asdict(report), "failures": self._failures})
        store.put_file(results_name(number), self._files.table)

    def _fail(
        self,
        kind: str,
        source: str,
        reason: str,
        *,
        job_id: str | None = None,
        unreadable: bool = False,
    ) -> None:
        failure = {"kind": kind, "source": source, "job_id": job_id, "reason": reason}
        self._failures.append({**failure, "unreadable": unreadable})
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
    # Of this partition alone: a run may have many thousands.
    if not (store.has(_report_name(number)) and store.has(results_name(number))):
        return None
    facts = read_facts(store, number)
    facts.pop("failures", None)
    try:
        return PartitionReport(**facts)
    except TypeError as failure:
        problem = str(failure)
    raise LedgerError(f"the report of partition {number} cannot be read: {problem}")


def read_facts(store: Store, number: int) -> dict[str, Any]:
    """Return what stands in a partition's report, its failures too.

    Raises:
        LedgerError: It cannot be read.
    """
    problem = "it is gone"
    content = store.read(_report_name(number))
    if content is not None:
        try:
            found: Any = codec.parse(content)
            if isinstance(found, dict) and "sources" in found:
                return cast("dict[str, Any]", found)
            problem = "it is no report"
        except DecodeError as failure:
            problem = str(failure)
    raise LedgerError(f"the report of partition {number} cannot be read: {problem}")


def write_facts(store: Store, number: int, facts: Mapping[str, Any]) -> None:
    """Put what stands in a partition's report in place."""
    store.put(_report_name(number), codec.encode(dict(facts)))


def _report_name(number: int) -> str:
    return f"_run/done/{file_name(number)}"
