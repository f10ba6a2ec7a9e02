"""`humeai-async demo`: a run against a stand-in for Hume on this machine.

The only command that uses `humeai_async.testing`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import click

from humeai_async.cli.output import run
from humeai_async.cli.predict import predict_and_show
from humeai_async.client import HumeAI
from humeai_async.settings import Polling


@click.command()
@click.option("--sources", "count", default=300, show_default=True, type=click.IntRange(1, 100_000))
@click.option(
    "--rate",
    default=40.0,
    show_default=True,
    type=click.FloatRange(1, 1_000_000),
    help="Requests a second that the stand-in allows.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the results.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def demo(count: int, rate: float, out: Path | None, *, as_json: bool) -> None:
    """Run against a stand-in for Hume; nothing leaves this machine."""
    folder = out or Path(tempfile.mkdtemp(prefix="humeai-demo-"))
    run(lambda: _demo(count, rate, folder, as_json=as_json))


async def _demo(count: int, rate: float, folder: Path, *, as_json: bool) -> int:
    from humeai_async.testing import FakeHume, Quota

    if not as_json:
        click.echo(f"{count} sources through a stand-in for Hume that allows {rate:g} requests/s")
    sources = [f"https://media.example.com/clip-{n:04}.mp4" for n in range(count)]
    quota = Quota(rate=rate, burst=max(1, int(rate / 4)))
    async with FakeHume(quota=quota, latency=0.01, queue_seconds=0.3, run_seconds=0.7) as fake:
        hume = HumeAI(api_key=fake.api_key, base_url=fake.url, polling=Polling(min_interval=0.25))
        models: dict[str, Any] = {"face": {}, "prosody": {}}
        formats = ("jsonl", "csv")
        async with hume:
            return await predict_and_show(
                hume, sources, folder, as_json=as_json, formats=formats, models=models, job_size=5
            )
