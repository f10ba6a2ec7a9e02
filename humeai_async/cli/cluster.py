"""What commands share that run over the workers of a Dask cluster (`--dask`).

Thin: `predict_over`, `measure_over` or `decide_over` runs it, and this shows how it goes and ended.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from humeai_async._base.frozen import frozen
from humeai_async._base.packages import load_package
from humeai_async._base.urls import without_queries
from humeai_async.cli.output import (
    ExitCode,
    escape_controls,
    make_console,
    print_message,
    writing_output,
)
from humeai_async.cli.progress import LINE_SECONDS, print_counts, print_failures
from humeai_async.distributed import RunProgress, RunReport
from humeai_async.errors import ConfigurationError, InvalidArgumentError
from humeai_async.shared import RedisQuota

FORMAT = "parquet"
"""The one format of runs over a cluster: a file is put in place for each partition."""
C = TypeVar("C", bound=Callable[..., Any])


def cluster_options(command: C) -> C:
    """Add the options of a cluster and of a quota that processes share to a command."""
    for option in (
        click.option(
            "--rate",
            type=click.FloatRange(min=0, min_open=True),
            help="Calls a second that are allowed to all together. Measured if left out.",
        ),
        click.option(
            "--quota",
            help="URL of a Redis or Valkey through which workers share the quota; needs --rate.",
        ),
        click.option(
            "--dask",
            help="Run on a Dask cluster: address of its scheduler. Its workers take credential, "
            "address and proxy from their environment.",
        ),
    ):
        command = option(command)
    return command


@frozen(kw_only=True)
class Cluster:
    """Where a run goes that is not done by this process."""

    scheduler: str
    """Address of the Dask scheduler."""
    quota: str | None
    """URL of the Redis for the quota of all workers."""
    rate: float | None
    """Calls a second of all workers together."""


def check_for_cluster(formats: Sequence[str], **others: object) -> None:
    """Check that the options of a command can be kept by a cluster.

    Args:
        formats: Formats of the results.
        **others: Options that are for runs of one process, which must not be set.

    Raises:
        InvalidArgumentError: One cannot.
    """
    source = click.get_current_context().get_parameter_source("formats")
    if source is not ParameterSource.DEFAULT and set(formats) != {FORMAT}:
        raise InvalidArgumentError(
            "--dask writes Parquet, one file for each partition: leave --format out",
            field="format",
        )
    for name, value in others.items():
        if value is not None:
            option = name.replace("_", "-")
            raise InvalidArgumentError(f"--{option} is for runs without --dask", field=name)


async def run_over_dask(
    cluster: Cluster, start: Callable[..., Awaitable[RunReport]], **options: Any
) -> RunReport:
    """Run sources on a cluster and show the progress.

    Args:
        cluster: The cluster.
        start: `predict_over` or another one like it, but for its client and the options here.
        **options: Options of the run.

    Raises:
        ConfigurationError: The scheduler cannot be reached.
        HumeError: As `start` says.
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
        return await start(
            dask,
            quota=None if cluster.quota is None else RedisQuota(cluster.quota),
            rate=cluster.rate,
            on_progress=_Lines(),
            **options,
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
        **({"billed": round(report.billed, 3)} if report.billed else {}),
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
