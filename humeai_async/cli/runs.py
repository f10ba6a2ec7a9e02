"""What the commands that run sources into a folder share: options, display and summary.

`predict`, `demo`, `measure` and `decide` use it. It starts no run itself.
"""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from humeai_async._base.frozen import frozen
from humeai_async.bulk.bill import Bill
from humeai_async.bulk.estimates import CostEstimate
from humeai_async.bulk.ledger import read_status
from humeai_async.bulk.runs import LEDGER, Report
from humeai_async.bulk.states import count_sources
from humeai_async.cli.output import (
    ExitCode,
    escape_controls,
    make_console,
    print_message,
    writing_output,
)
from humeai_async.cli.progress import (
    MAX_ROWS,
    RunDisplay,
    print_counts,
    print_failures,
    print_open,
    print_refused,
)
from humeai_async.errors import APIStatusError, HumeError, InvalidArgumentError
from humeai_async.http.calls import Stats
from humeai_async.limiter.limiter import Limiter
from humeai_async.shared import RedisQuota

C = TypeVar("C", bound=Callable[..., Any])


def read_folder(_: click.Context, __: click.Parameter, name: str | None) -> str | None:
    """Read the option --out; an empty name, as of a variable without a value, is no folder.

    Raises:
        InvalidArgumentError: The name is empty.
    """
    if name is not None and not name:
        raise InvalidArgumentError("--out is empty: name a folder", field="out")
    return name


def _read_formats(
    known: click.Choice[str], context: click.Context, option: click.Parameter, given: Sequence[str]
) -> tuple[str, ...]:
    """Read the option --format, once or more often, of one format or of several."""
    names = [name.strip() for some in given for name in some.split(",")]
    return tuple(dict.fromkeys(known.convert(name, option, context) for name in names))


def local_folder(out: str, hint: str = "") -> Path:
    """Return the folder of a run that this process does.

    Args:
        out: The option --out.
        hint: Who does take a URL.

    Raises:
        InvalidArgumentError: It is a URL.
    """
    if "://" in out:
        raise InvalidArgumentError(f"--out is a URL{hint}", field="out")
    return Path(out)


def run_options(out: str, formats: Sequence[str]) -> Callable[[C], C]:
    """Add the arguments and options of all runs to a command.

    Args:
        out: Name of the folder if none is given.
        formats: Formats of the results that there are.
    """
    known = click.Choice(list(formats))
    options = (
        click.argument("sources", nargs=-1),
        click.option(
            "--from",
            "listed",
            type=click.Path(),
            help="File with one source per line; - is standard input.",
        ),
        click.option(
            "--out",
            callback=read_folder,
            default=out,
            show_default=True,
            help="Folder for the ledger and the results. The same command again continues there.",
        ),
        click.option(
            "--format",
            "formats",
            multiple=True,
            metavar=f"[{'|'.join(formats)}]",
            callback=functools.partial(_read_formats, known),
            shell_complete=known.shell_complete,
            default=("jsonl", "csv"),
            show_default=True,
            help="Formats of the results, with commas between; may be given more than once.",
        ),
        click.option(
            "--retry-failed",
            is_flag=True,
            help="Submit sources again that failed at an earlier start.",
        ),
        click.option("--base-url", help="Send requests here instead of to Hume or LowCodeAPI."),
        click.option(
            "--proxy",
            help="URL of the proxy to use. Left out, that of HTTPS_PROXY or HTTP_PROXY, unless "
            "NO_PROXY names the host.",
        ),
        click.option(
            "--search-patience",
            default=300.0,
            show_default=True,
            type=click.FloatRange(min=0),
            help="Seconds to look for what was submitted and got no response before submitting "
            "again.",
        ),
        click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON."),
    )

    def add(command: C) -> C:
        for option in reversed(options):
            command = option(command)
        return command

    return add


@frozen
class Finished:
    """A run that went to its end, and what is printed about it."""

    report: Report
    display: RunDisplay
    stats: Stats
    bill: Bill | None = None
    """What it cost, where requests are paid for one by one."""


async def show_run(folder: Path, display: RunDisplay, run: Awaitable[Report]) -> Report:
    """Run sources into a folder and show the progress.

    Args:
        folder: The folder.
        display: Shows it.
        run: Does the run.
    """
    try:
        with display:
            return await run
    except (asyncio.CancelledError, APIStatusError) as end:
        await _print_stopped(folder, display.total, is_error=isinstance(end, APIStatusError))
        raise


async def _print_stopped(folder: Path, total: int, *, is_error: bool) -> None:
    """Say how far a run came that was interrupted, as `status` would.

    Args:
        folder: The run's folder.
        total: Sources that were given.
        is_error: Whether an error ended it: that is printed too, and says enough where nothing
            had come.
    """
    try:
        counts = count_sources((await read_status(folder / LEDGER)).counts)
    except HumeError:  # it was stopped before there was a ledger
        if not is_error:
            print_message("stopped before the run began; run the same command again to start it")
        return
    done = counts["arrived"] + counts["failed"]
    if is_error and not done:
        return
    total = max(total, counts["sources"])
    print_message(
        f"stopped: {done} of {total} results are in {folder}; run the same command again to "
        "continue"
    )


def print_summary(finished: Finished, *, as_json: bool) -> int:
    """Print how a run ended, and return the exit code."""
    report, display, stats, bill = (
        finished.report, finished.display, finished.stats, finished.bill,
    )  # fmt: skip
    counts: dict[str, Any] = {
        **count_sources(report.counts),
        **({"jobs": report.status.jobs} if bill is None else _cost(bill)),
        "requests": stats.requests,
        "rate_limited": stats.rate_limited,
        "retries": stats.retries,
        "seconds": round(display.seconds, 2),
    }
    files = [str(path) for path in report.files]
    with writing_output():
        if as_json:
            reasons = dict(report.status.reasons)
            click.echo(json.dumps(counts | {"reasons": reasons, "files": files}, indent=2))
        else:
            console = make_console()
            display.first_results.print(console)
            shown = {name: value for name, value in counts.items() if value is not None}
            print_counts(console, "Run", shown)
            print_failures(console, report.status.reasons, counts["failed"], display.failed)
            print_open(console, display.open_reasons)
            print_refused(console, bill.refused if bill is not None else 0)
            for file in files:
                console.print(f"wrote {escape_controls(file)}", soft_wrap=True)
    return ExitCode.FAILED if counts["failed"] or counts["open"] else ExitCode.OK


def print_estimate(found: CostEstimate, *, as_json: bool) -> int:
    """Print what a run would cost, and return the exit code."""
    counts = {
        "to_send": found.to_send,
        "done": found.known,
        "refused": len(found.failures),
        "cost": round(found.cost, 3),
        "unit": found.unit,
    }
    with writing_output():
        if as_json:
            refused = {one.source: f"{one.error}: {one.message}" for one in found.failures}
            click.echo(json.dumps(counts | {"reasons": refused}, indent=2))
        else:
            console = make_console()
            print_counts(console, "Estimate", counts)
            for one in found.failures[:MAX_ROWS]:
                line = f"would fail: {one.error}: {one.message} ({one.source})"
                console.print(escape_controls(line), soft_wrap=True)
            if len(found.failures) > MAX_ROWS:
                console.print(f"would fail: {len(found.failures) - MAX_ROWS} more")
    return ExitCode.FAILED if found.failures else ExitCode.OK


def _cost(bill: Bill) -> Mapping[str, Any]:
    """Return what a run cost by the names that are shown."""
    return {
        "billed": round(bill.spent, 3),
        "unit": bill.unit,
        "budget": bill.budget,
        "in_doubt": bill.in_doubt,
    }


@asynccontextmanager
async def sharing_quota(url: str | None, rate: float | None) -> AsyncGenerator[Limiter | None]:
    """Make the limiter of a run, which may share its quota; `None` is the client's own."""
    if url is None:
        yield None if rate is None else Limiter(rate=rate)
        return
    async with RedisQuota(url) as shared:
        yield Limiter(rate=rate, shared=shared)
