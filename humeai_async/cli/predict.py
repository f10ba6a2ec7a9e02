"""`humeai-async predict`: run sources into a folder.

Thin: it collects the sources, has `predict_into` run them and shows how it goes.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from humeai_async.bulk.outcomes import BulkSource
from humeai_async.bulk.runs import predict_into
from humeai_async.bulk.sinks import FORMATS
from humeai_async.cli.output import FAILED, run, say, told
from humeai_async.cli.progress import Tally, counts_of, show_counts, show_open, show_reasons
from humeai_async.cli.sources import collect
from humeai_async.client import HumeAI
from humeai_async.errors import InvalidArgumentError
from humeai_async.types.predictions.rows import MODELS


@click.command()
@click.argument("sources", nargs=-1)
@click.option(
    "--from", "listed", type=click.Path(), help="File with a source a line; - is standard input."
)
@click.option("--models", help=f"Models to run: {','.join(MODELS)}. All if left out.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("predictions"),
    show_default=True,
    help="Folder for ledger and results; the same command again goes on there.",
)
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=click.Choice(list(FORMATS)),
    default=("jsonl", "csv"),
    show_default=True,
    help="Form of the results; may be given more than once.",
)
@click.option("--retry-failed", is_flag=True, help="Try again what failed at an earlier start.")
@click.option("--base-url", help="Where calls go; the credential's usual place if left out.")
@click.option(
    "--job-size",
    type=click.IntRange(1, 100),
    default=100,
    show_default=True,
    help="Sources in one job.",
)
@click.option(
    "--jobs", type=click.IntRange(1, 500), default=32, show_default=True, help="Jobs in flight."
)
@click.option(
    "--timeout", type=click.FloatRange(min=0, min_open=True), help="Seconds to wait for one job."
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def predict(
    sources: tuple[str, ...],
    listed: str | None,
    models: str | None,
    out: Path,
    formats: tuple[str, ...],
    base_url: str | None,
    job_size: int,
    jobs: int,
    timeout: float | None,
    *,
    retry_failed: bool,
    as_json: bool,
) -> None:
    """Predict URLs, files, folders or a list of them.

    SOURCES are URLs, files, folders, or - for a list on standard input. The credential is
    read from LOWCODEAPI_API_TOKEN, HUME_API_KEY or HUME_ACCESS_TOKEN.
    """
    # Outside the event loop, which would keep Ctrl-C from ending the wait for standard input.
    found, chosen_models = told(lambda: (list(collect(sources, listed)), chosen(models)))

    async def work() -> int:
        settings: dict[str, Any] = {
            "formats": tuple(dict.fromkeys(formats)),
            "models": chosen_models,
            "retry_failed": retry_failed,
            "job_size": job_size,
            "jobs_at_once": jobs,
            "timeout": timeout,
        }
        async with HumeAI(base_url=base_url) as hume:
            return await predict_and_show(hume, found, out, as_json=as_json, **settings)

    run(work)


def chosen(models: str | None) -> dict[str, Any] | None:
    """Read the option --models.

    Raises:
        InvalidArgumentError: A model has no such name.
    """
    if models is None:
        return None
    names = [name.strip() for name in models.split(",") if name.strip()]
    unknown = [name for name in names if name not in MODELS]
    if unknown or not names:
        raise InvalidArgumentError(
            f"--models takes {', '.join(MODELS)}, not {', '.join(unknown) or 'nothing'}",
            field="models",
        )
    return {name: {} for name in names}


async def predict_and_show(
    hume: HumeAI,
    sources: Sequence[BulkSource],
    folder: Path,
    *,
    as_json: bool,
    **settings: Any,
) -> int:
    """Run sources into a folder and tell how it went; the exit code says whether all is well."""
    tally = Tally(len(dict.fromkeys(sources)))
    try:
        with tally:
            report = await predict_into(
                folder,
                hume.batch,
                sources,
                on_outcome=tally.count,
                on_progress=tally.show,
                **settings,
            )
    except asyncio.CancelledError:
        done, total = tally.done, tally.total
        say(f"stopped; {done} of {total} outcomes are in {folder}, and the same command goes on")
        raise
    stats = hume.stats
    counts: dict[str, Any] = counts_of(report.counts) | {
        "jobs": report.standing.jobs,
        "requests": stats.requests,
        "rate_limited": stats.rate_limited,
        "retries": stats.retries,
        "seconds": round(tally.seconds, 2),
    }
    files = [str(path) for path in report.files]
    if as_json:
        reasons = dict(report.standing.reasons)
        click.echo(json.dumps(counts | {"reasons": reasons, "files": files}, indent=2))
    else:
        tally.show_strongest(Console())
        show_counts(Console(), "Run", counts)
        show_reasons(Console(), report.standing.reasons, counts["failed"])
        show_open(Console(), tally.open_reasons)
        for file in files:
            click.echo(f"wrote {file}")
    return FAILED if counts["failed"] or counts["open"] else 0
