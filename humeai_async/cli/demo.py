"""`humeai-async demo`: a run against a stand-in for Hume on this machine.

The only command that uses `humeai_async.testing`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from humeai_async._base.atomic_files import saving
from humeai_async.cli import interrupts
from humeai_async.cli.output import print_message
from humeai_async.cli.predict import run_sources
from humeai_async.cli.runs import Finished, print_summary, read_folder
from humeai_async.client import HumeAI
from humeai_async.settings import Polling

_FRAMES = 16
"""Frames with a face, and sentences: as many as it takes to see something happen."""


@click.command()
@click.option(
    "--sources",
    "count",
    default=300,
    show_default=True,
    type=click.IntRange(1, 100_000),
    help="Number of made-up sources.",
)
@click.option(
    "--rate",
    default=40.0,
    show_default=True,
    type=click.FloatRange(1, 1_000_000),
    help="Requests per second that the stand-in allows.",
)
@click.option(
    "--out",
    callback=read_folder,
    help="Folder for the results; a new temporary one if left out.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def demo(count: int, rate: float, out: str | None, *, as_json: bool) -> int:
    """Run against a stand-in for Hume on this machine; nothing is sent anywhere else."""
    with saving("cannot make a temporary folder, so name a folder with --out"):
        folder = Path(out or tempfile.mkdtemp(prefix="humeai-demo-"))
    print_message(f"{count} sources, and a stand-in for Hume that allows {rate:g} requests/s")
    code = print_summary(interrupts.run(_run(count, rate, folder)), as_json=as_json)
    print_message(
        f"for a page of the results, which needs the extra `report`: humeai-async report {folder}"
    )
    return code


async def _run(count: int, rate: float, folder: Path) -> Finished:
    from humeai_async.testing import FakeHume, Quota

    sources = [f"https://media.example.com/clip-{n:04}.mp4" for n in range(count)]
    quota = Quota(rate=rate, burst=max(1, int(rate / 4)))
    async with (
        FakeHume(
            quota=quota, latency=0.01, queue_seconds=0.3, run_seconds=0.7, frames=_FRAMES
        ) as fake,
        HumeAI(api_key=fake.api_key, base_url=fake.url, polling=Polling(min_interval=0.25)) as hume,
    ):
        return await run_sources(
            hume,
            sources,
            folder,
            formats=("jsonl", "csv"),
            models={"face": {}, "prosody": {"identify_speakers": True}},
            job_size=5,
        )
