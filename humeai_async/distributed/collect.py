"""What came of a run over many workers, read from its folder.

It reads what partitions have put in place, so that it tells the same to whoever asks, on whatever
machine, while the run goes on or afterwards. It knows no workers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from attrs import field

from humeai_async._base.cancellation import in_thread
from humeai_async._base.frozen import frozen
from humeai_async.distributed.plan import planned, read_settings, read_sources
from humeai_async.distributed.results import numbers_done, read_report, results_name
from humeai_async.distributed.store import IntoFolder, open_store


@frozen(kw_only=True)
class RunReport:
    """How a run over many workers stands."""

    partitions: int
    done: int
    """Partitions whose results are in place."""
    sources: int
    """Sources of the run, each once."""
    arrived: int
    """Sources whose results are in the files."""
    failed: int
    """Sources that Hume could not process, or that cannot be sent; which and why stands in the
    folder's `_run/done`."""
    left_open: int
    """Sources of partitions that are not done; the next start goes on with them."""
    billed: float = 0.0
    """What partitions that are done were billed for, as far as is known: seconds of audio of
    measurements, input tokens of decisions, and nothing of jobs, which do not say."""
    reasons: Mapping[str, int] = field(factory=dict[str, int])
    """Why sources failed, and how many, the most frequent first."""
    files: tuple[str, ...] = ()
    """The files of results, one a partition: `pyarrow.dataset`, polars and duckdb read the
    folder as one table."""
    problems: Mapping[int, str] = field(factory=dict[int, str])
    """Why partitions are not done, of those that this start has tried."""


async def collect(into: IntoFolder, *, problems: Mapping[int, str] | None = None) -> RunReport:
    """Return how a run stands. Costs no request.

    Args:
        into: The run's folder.
        problems: What is known of partitions that are not done, for the report.

    Raises:
        LedgerError: No run is planned there, or its files cannot be read.
        SaveError: The folder cannot be read.
    """
    return await in_thread(_collect, into, problems or {})


def _collect(into: IntoFolder, problems: Mapping[int, str]) -> RunReport:
    store = open_store(into)
    read_settings(store)
    numbers, done = planned(store), numbers_done(store)
    reports = [found for n in sorted(done) if (found := read_report(store, n)) is not None]
    open_numbers = [number for number in numbers if number not in done]
    left_open = sum(len(read_sources(store, number)) for number in open_numbers)
    reasons: Counter[str] = Counter()
    for one in reports:
        reasons.update(one.reasons)
    return RunReport(
        partitions=len(numbers),
        done=len(reports),
        sources=sum(one.sources for one in reports) + left_open,
        arrived=sum(one.arrived for one in reports),
        failed=sum(one.failed for one in reports),
        left_open=left_open,
        billed=sum(one.billed for one in reports),
        reasons=dict(reasons.most_common()),
        files=tuple(f"{store.place.rstrip('/')}/{results_name(one.number)}" for one in reports),
        problems={n: text for n, text in problems.items() if n in open_numbers},
    )
