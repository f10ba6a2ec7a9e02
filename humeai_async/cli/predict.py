"""`humeai-async predict`: run sources into a folder.

Thin: it collects the sources, has `predict_into` run them and shows how it goes.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from humeai_async.bulk.options import BulkOptions
from humeai_async.bulk.sinks import FORMATS
from humeai_async.cli import interrupts
from humeai_async.cli.cluster import (
    Cluster,
    check_for_cluster,
    cluster_options,
    print_report,
    run_over_dask,
)
from humeai_async.cli.progress import RunDisplay
from humeai_async.cli.runs import (
    Finished,
    local_folder,
    print_summary,
    run_options,
    sharing_quota,
    show_run,
)
from humeai_async.cli.sources import collect_sources
from humeai_async.client import HumeAI
from humeai_async.distributed import RedisLedger, predict_over
from humeai_async.errors import InvalidArgumentError
from humeai_async.settings import Pool
from humeai_async.types.predictions.rows import MODELS
from humeai_async.types.sources import BulkSource

if TYPE_CHECKING:
    from humeai_async.types.dicts import ModelsDict


@click.command()
@run_options("predictions", list(FORMATS))
@click.option("--models", help=f"Models to run: {','.join(MODELS)}. All if left out.")
@click.option(
    "--job-size",
    type=click.IntRange(1, 100),
    default=100,
    show_default=True,
    help="Sources per job.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 500),
    default=32,
    show_default=True,
    help="Jobs under way at the same time.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    help="Seconds to wait for each job; without limit if left out.",
)
@click.option(
    "--score-bits",
    type=click.Choice(["32", "64"]),
    default="32",
    show_default=True,
    help="Size of the scores in Parquet; 64 keeps all digits that the service sends.",
)
@cluster_options
@click.option(
    "--ledger",
    help="With --dask: URL of a Redis or Valkey in which workers write down what they submit. "
    "Left out, they do so in the folder.",
)
def predict(
    sources: tuple[str, ...],
    listed: str | None,
    models: str | None,
    out: str,
    formats: tuple[str, ...],
    base_url: str | None,
    proxy: str | None,
    job_size: int,
    jobs: int,
    timeout: float | None,
    search_patience: float,
    score_bits: str,
    dask: str | None,
    quota: str | None,
    rate: float | None,
    ledger: str | None,
    *,
    retry_failed: bool,
    as_json: bool,
) -> int:
    """Measure URLs, files, folders or a list of them.

    Each of SOURCES is an http or https URL, a file, a folder of media files, or - for a list on
    standard input. The credential comes from the environment variable LOWCODEAPI_API_TOKEN,
    HUME_API_KEY or HUME_ACCESS_TOKEN.

    The exit code is 0 if every source arrived, 1 if any failed or is still open or the service
    refused, 2 for a mistake in the command, 3 if files or standard output cannot be written, and
    130 after Ctrl-C.
    """
    if dask is not None:
        bits = None if score_bits == "32" else score_bits
        check_for_cluster(formats, score_bits=bits, base_url=base_url, proxy=proxy)
    elif ledger is not None:
        raise InvalidArgumentError("--ledger is for runs with --dask", field="ledger")
    # Outside the event loop, which would keep Ctrl-C from ending the wait for standard input.
    found = list(collect_sources(sources, listed))
    if dask is not None:
        start = functools.partial(
            predict_over,
            into=out,
            sources=found,
            models=read_models(models),
            ledger=None if ledger is None else RedisLedger(ledger),
        )
        options = BulkOptions.of(
            None, job_size=job_size, jobs_at_once=jobs, timeout=timeout,
            search_patience=search_patience,
        )  # fmt: skip
        cluster = Cluster(scheduler=dask, quota=quota, rate=rate)
        work = run_over_dask(cluster, start, options=options, retry_failed=retry_failed)
        return print_report(interrupts.run(work), as_json=as_json)
    folder = local_folder(out, ", which only runs with --dask take")
    settings: dict[str, Any] = {
        "formats": tuple(dict.fromkeys(formats)),
        "score_bits": int(score_bits),
        "models": read_models(models),
        "retry_failed": retry_failed,
        "job_size": job_size,
        "jobs_at_once": jobs,
        "timeout": timeout,
        "search_patience": search_patience,
    }

    async def run() -> Finished:
        pool = Pool(proxy=proxy, trust_env=True)
        async with (
            sharing_quota(quota, rate) as limiter,
            HumeAI(base_url=base_url, pool=pool, limiter=limiter) as hume,
        ):
            return await run_sources(hume, found, folder, **settings)

    return print_summary(interrupts.run(run()), as_json=as_json)


def read_models(names: str | None) -> ModelsDict | None:
    """Read the option --models.

    Raises:
        InvalidArgumentError: A model has no such name.
    """
    if names is None:
        return None
    given = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in given if name not in MODELS]
    if unknown or not given:
        raise InvalidArgumentError(
            f"--models takes {', '.join(MODELS)}, not {', '.join(unknown) or 'nothing'}",
            field="models",
        )
    return cast("ModelsDict", {name: {} for name in given})


async def run_sources(
    hume: HumeAI, sources: Sequence[BulkSource], folder: Path, **settings: Any
) -> Finished:
    """Run sources into a folder and show the progress."""
    display = RunDisplay(len(dict.fromkeys(sources)))
    run = hume.batch.predict_into(
        folder,
        sources,
        on_outcome=display.add_outcome,
        on_progress=display.logging_into(folder),
        **settings,
    )
    return Finished(await show_run(folder, display, run), display, hume.stats)
