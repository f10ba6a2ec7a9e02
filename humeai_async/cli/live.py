"""`humeai-async measure` and `humeai-async decide`: the products that live, a file a request.

Thin: `measure_many` and `create_many` run them, and this shows how it goes.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from humeai_async.bulk.estimates import CostEstimate
from humeai_async.bulk.options import BulkOptions
from humeai_async.bulk.paid_outcomes import PaidOutcomes
from humeai_async.bulk.sinks import OPEN_FORMATS
from humeai_async.cli import interrupts
from humeai_async.cli.cluster import (
    Cluster,
    check_for_cluster,
    cluster_options,
    print_report,
    run_over_dask,
)
from humeai_async.cli.output import print_message
from humeai_async.cli.progress import RunDisplay
from humeai_async.cli.questions import read_questions
from humeai_async.cli.runs import (
    Finished,
    local_folder,
    print_estimate,
    print_summary,
    run_options,
    sharing_quota,
    show_run,
)
from humeai_async.cli.sources import (
    IMAGE_SUFFIXES,
    RECORDINGS,
    RECORDINGS_AND_IMAGES,
    collect_files,
)
from humeai_async.client import HumeAI
from humeai_async.distributed import RunReport, decide_over, measure_over
from humeai_async.settings import Pool

C = TypeVar("C", bound=Callable[..., Any])

_concurrency = click.option(
    "--concurrency",
    type=click.IntRange(1, 500),
    default=8,
    show_default=True,
    help="Requests under way at the same time, of each worker; each holds its file in memory.",
)
_estimate = click.option(
    "--estimate",
    is_flag=True,
    help="Say what would be billed, and send nothing that is billed.",
)


@click.command()
@run_options("measurements", OPEN_FORMATS)
@click.option(
    "--timer",
    type=click.IntRange(3000, 10_000),
    help="Milliseconds of speech between two measurements; 3000 if left out.",
)
@click.option(
    "--budget",
    type=click.FloatRange(min=0, min_open=True),
    help="Seconds of audio that all starts together may be billed.",
)
@click.option(
    "--images/--no-images",
    default=True,
    show_default=True,
    help="Whether the JPEG images of folders are measured, too.",
)
@click.option(
    "--images-per-request",
    type=click.IntRange(1, 100),
    default=1,
    show_default=True,
    help="Images that share a request: 30 cost what one costs. Whether those of a request make a "
    "difference to one another, Hume does not say.",
)
@_concurrency
@_estimate
@cluster_options
def measure(
    sources: tuple[str, ...],
    listed: str | None,
    timer: int | None,
    budget: float | None,
    images: bool,
    images_per_request: int,
    **settings: Any,
) -> int:
    """Measure voices in recordings, and faces in images, with Expression Measurement.

    Each of SOURCES is a recording of any length, a JPEG image, a folder of both, or - for a list on
    standard input. A recording is billed by its length, and at least ten seconds for each
    13 minutes of it, an image a third of a second, and at least ten seconds a request; the same
    command run again pays for none a second time. The credential comes from the environment
    variable HUME_API_KEY.

    The exit code is 0 if every source arrived, 1 if any failed or is still open or the service
    refused, 2 for a mistake in the command, 3 if files or standard output cannot be written, and
    130 after Ctrl-C.
    """
    found = collect_files(sources, listed, RECORDINGS_AND_IMAGES if images else RECORDINGS)
    count = sum(path.suffix.lower() in IMAGE_SUFFIXES for path in found)
    if count > 1 and images_per_request == 1:
        print_message(
            f"{count} images are billed 10 seconds each; --images-per-request 30 sends up to 30 "
            "for that"
        )

    def begin(hume: HumeAI, **options: Any) -> PaidOutcomes[Any]:
        return hume.expression.measure_many(
            found,
            measurement_timer_ms=timer,
            budget=budget,
            images_per_request=images_per_request,
            **options,
        )

    over = functools.partial(
        measure_over,
        sources=found,
        measurement_timer_ms=timer,
        images_per_request=images_per_request,
        budget=budget,
    )
    return _run(found, begin, over, **settings)


@click.command()
@run_options("decisions", OPEN_FORMATS)
@click.option(
    "--questions",
    type=click.Path(path_type=Path),
    required=True,
    help='JSON file of questions by id, or of {"questions": ..., "context": ...}.',
)
@click.option(
    "--budget",
    type=click.IntRange(min=1),
    help="Input tokens that all starts together may be billed.",
)
@_concurrency
@_estimate
@cluster_options
def decide(
    sources: tuple[str, ...],
    listed: str | None,
    questions: Path,
    budget: int | None,
    **settings: Any,
) -> int:
    """Put the same questions to many clips with Audio Decisions.

    Each of SOURCES is a file of 1 second to 5 minutes, a folder of such, or - for a list on
    standard input. Each is billed in tokens; the same command run again pays for none a second
    time. The credential comes from the environment variable HUME_API_KEY.

    The exit code is 0 if every source arrived, 1 if any failed or is still open or the service
    refused, 2 for a mistake in the command, 3 if files or standard output cannot be written, and
    130 after Ctrl-C.
    """
    questions_by_id = read_questions(questions)
    found = collect_files(sources, listed)

    def begin(hume: HumeAI, **options: Any) -> PaidOutcomes[Any]:
        return hume.decisions.create_many(found, questions_by_id, budget=budget, **options)

    over = functools.partial(
        decide_over,
        sources=found,
        questions=questions_by_id,
        context=questions_by_id.context,
        budget=budget,
    )
    return _run(found, begin, over, **settings)


def _run(
    found: Sequence[Path],
    begin: Callable[..., PaidOutcomes[Any]],
    over: Callable[..., Awaitable[RunReport]],
    out: str,
    formats: tuple[str, ...],
    base_url: str | None,
    proxy: str | None,
    dask: str | None,
    quota: str | None,
    rate: float | None,
    *,
    estimate: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Run files into a folder, or say what that would cost, and return the exit code.

    Args:
        found: The files.
        begin: Makes the run, given a client and the options.
        over: Makes it on a cluster, given the cluster's client, the folder and the options.
        out: The folder.
        formats: Formats of the results.
        base_url: Where requests go.
        proxy: Proxy that they go through.
        dask: The cluster's scheduler.
        quota: Where processes share their quota.
        rate: Calls a second.
        estimate: Whether to say what it would cost, in place of running it.
        as_json: Whether the summary is JSON.
        options: Options of the run.
    """
    folder = local_folder(out)
    if dask is not None and not estimate:
        check_for_cluster(formats, base_url=base_url, proxy=proxy)
        cluster = Cluster(scheduler=dask, quota=quota, rate=rate)
        start = functools.partial(over, into=folder)
        work = run_over_dask(
            cluster,
            start,
            retry_failed=options["retry_failed"],
            options=BulkOptions.of(
                None,
                jobs_at_once=options["concurrency"],
                search_patience=options["search_patience"],
            ),
        )
        return print_report(interrupts.run(work), as_json=as_json)
    chosen = tuple(dict.fromkeys(formats))

    async def run() -> Finished | CostEstimate:
        pool = Pool(proxy=proxy, trust_env=True)
        async with (
            sharing_quota(quota, rate) as limiter,
            HumeAI(base_url=base_url, pool=pool, limiter=limiter) as hume,
        ):
            outcomes = begin(hume, **options)
            if estimate:
                return await outcomes.estimate(None if dask else folder, chosen)
            display = RunDisplay(len(dict.fromkeys(found)), "requests")
            work = outcomes.write_to(
                folder,
                chosen,
                on_outcome=display.add_outcome,
                on_progress=display.logging_into(folder),
            )
            report = await show_run(folder, display, work)
            return Finished(report, display, hume.stats, outcomes.bill)

    done = interrupts.run(run())
    if isinstance(done, CostEstimate):
        return print_estimate(done, as_json=as_json)
    return print_summary(done, as_json=as_json)
