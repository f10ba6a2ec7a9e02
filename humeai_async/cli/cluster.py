"""`humeai-async predict --dask`: the same run over the workers of a Dask cluster.

Thin: `predict_over` runs it, and this shows how it goes and how it ended.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from humeai_async._base.frozen import frozen
from humeai_async._base.packages import load_package
from humeai_async._base.urls import without_queries
from humeai_async.bulk.options import BulkOptions
from humeai_async.cli.output import (
    ExitCode,
    escape_controls,
    make_console,
    print_message,
    writing_output,
)
from humeai_async.cli.progress import LINE_SECONDS, print_counts, print_failures
from humeai_async.distributed import RedisLedger, RunProgress, RunReport, predict_over
from humeai_async.errors import ConfigurationError, InvalidArgumentError
from humeai_async.shared import RedisQuota
from humeai_async.types.sources import BulkSource

if TYPE_CHECKING:
    from humeai_async.types.dicts import ModelsDict

FORMAT = "parquet"
"""The one format of runs over a cluster: a file is put in place for each partition."""


@frozen(kw_only=True)
class Cluster:
    """Where a run goes that is not done by this process."""

    scheduler: str
    """Address of the Dask scheduler."""
    ledger: str | None
    """URL of the Redis for the ledger; `None` for a file in the run's folder."""
    quota: str | None
    """URL of the Redis for the quota of all workers."""
    rate: float | None
    """Calls a second of all workers together."""


def check_formats(formats: Sequence[str], *, is_chosen: bool) -> None:
    """Check that a cluster can write the requested formats.

    Raises:
        InvalidArgumentError: It writes Parquet, and another format was requested.
    """
    if is_chosen and set(formats) != {FORMAT}:
        raise InvalidArgumentError(
            f"--dask writes one Parquet file for each partition: use --format {FORMAT}",
            field="format",
        )


async def run_over_dask(
    cluster: Cluster,
    sources: Sequence[BulkSource],
    into: str,
    *,
    models: ModelsDict | None,
    options: BulkOptions,
    retry_failed: bool,
) -> RunReport:
    """Run sources on a cluster and show the progress.

    Raises:
        ConfigurationError: The scheduler cannot be reached.
        HumeError: As `predict_over` says.
    """
    distributed = load_package("distributed")
    try:
        dask: Any = await distributed.Client(cluster.scheduler, asynchronous=True)
    except (OSError, ValueError) as failure:
        place, problem = without_queries(cluster.scheduler), str(failure) or type(failure).__name__
        raise ConfigurationError(
            f"the Dask scheduler {place} cannot be reached: {problem}"
        ) from None
    async with dask:
        return await predict_over(
            dask,
            into,
            sources,
            models=models,
            ledger=None if cluster.ledger is None else RedisLedger(cluster.ledger),
            quota=None if cluster.quota is None else RedisQuota(cluster.quota),
            rate=cluster.rate,
            options=options,
            retry_failed=retry_failed,
            on_progress=_Lines(),
        )


class _Lines:
    """Prints how far a run is, from time to time."""

    def __init__(self) -> None:
        self._next = time.monotonic() + LINE_SECONDS

    def __call__(self, progress: RunProgress) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + LINE_SECONDS
        failed = f", {progress.failed} failed" if progress.failed else ""
        print_message(
            f"{progress.done}/{progress.sources} done{failed}, {progress.partitions_done}/"
            f"{progress.partitions} partitions, {progress.workers} workers"
        )


def print_report(report: RunReport, *, as_json: bool) -> int:
    """Print how a run stands at its end, and return the exit code."""
    counts = {
        "sources": report.sources,
        "arrived": report.arrived,
        "failed": report.failed,
        "open": report.left_open,
        "partitions": report.partitions,
        "partitions_done": report.done,
    }
    problems = {str(number): text for number, text in report.problems.items()}
    with writing_output():
        if as_json:
            facts = {"reasons": dict(report.reasons), "problems": problems}
            click.echo(json.dumps(counts | facts | {"files": list(report.files)}, indent=2))
        else:
            console = make_console()
            print_counts(console, "Run", counts)
            print_failures(console, report.reasons, report.failed)
            for number, text in problems.items():
                line = f"partition {number} is open: {text}"
                console.print(escape_controls(line), soft_wrap=True)
            console.print(f"wrote {len(report.files)} files", soft_wrap=True)
    return ExitCode.FAILED if report.failed or report.left_open else ExitCode.OK
