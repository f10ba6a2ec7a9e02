"""The command line: `humeai-async demo` and `humeai-async predict`.

Thin: it collects sources, runs `hume.batch.predict` into sinks and shows how it goes. What a
user got wrong is told in one line, without a traceback, with exit code 2; failed sources and
errors of the service give 1, Ctrl-C gives 130.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

try:
    import click
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.table import Table
except ImportError:
    sys.exit("humeai-async needs the extra `cli`: pip install 'humeai_async[cli]'")

from humeai_async.bulk import BulkSource
from humeai_async.client import HumeAI
from humeai_async.errors import ConfigurationError, HumeError, InvalidArgumentError
from humeai_async.rows import MODELS, strongest
from humeai_async.settings import Polling
from humeai_async.sinks import FORMATS, Sinks, SourceOutcome, name_of

T = TypeVar("T")

MEDIA = frozenset({
    ".aac", ".aiff", ".avi", ".bmp", ".flac", ".gif", ".jpeg", ".jpg", ".m4a", ".m4v", ".mkv",
    ".mov", ".mp3", ".mp4", ".mpeg", ".oga", ".ogg", ".opus", ".png", ".tif", ".tiff", ".txt",
    ".wav", ".weba", ".webm", ".webp", ".wma", ".wmv", ".zip",
})  # fmt: skip
"""Endings of the files that are taken from a folder."""

SHOWN = 10
"""Rows of the table of strongest expressions."""

WRONG_USE, FAILED, INTERRUPTED = 2, 1, 130


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="humeai_async")
def main() -> None:
    """Measure expressions in media with Hume AI, directly or through LowCodeAPI."""


@main.command()
@click.option("--sources", "count", default=300, show_default=True, type=click.IntRange(1, 100_000))
@click.option(
    "--rate", default=40.0, show_default=True, help="Requests a second that the stand-in allows."
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder for the results; a new one if left out."
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def demo(count: int, rate: float, out: Path | None, *, as_json: bool) -> None:
    """Run many sources through a stand-in for Hume on this machine; nothing leaves it."""
    folder = out or Path(tempfile.mkdtemp(prefix="humeai-demo-"))
    run(lambda: _demo(count, rate, folder, as_json=as_json))


@main.command()
@click.argument("sources", nargs=-1)
@click.option(
    "--from", "listed", type=click.Path(), help="File with a source a line; - for standard input."
)
@click.option("--models", help=f"Models to run, with commas: {','.join(MODELS)}. All if left out.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("predictions"),
    show_default=True,
    help="Folder for the results.",
)
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=click.Choice(list(FORMATS)),
    default=list(FORMATS),
    show_default=True,
)
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
    as_json: bool,
) -> None:
    """Predict SOURCES: URLs, files, folders, or - for a list on standard input.

    The credential is read from LOWCODEAPI_API_TOKEN, HUME_API_KEY or HUME_ACCESS_TOKEN.
    """

    async def work() -> int:
        found = list(collect(sources, listed))
        hume = HumeAI(base_url=base_url)
        settings = {"models": chosen(models), "job_size": job_size, "jobs_at_once": jobs}
        async with hume:
            return await _predict(
                hume, found, out, formats, as_json=as_json, timeout=timeout, **settings
            )

    run(work)


def run(work: Callable[[], Coroutine[Any, Any, int]]) -> None:
    """Run a command to its exit code."""
    try:
        code = asyncio.run(work())
    except (ConfigurationError, InvalidArgumentError) as problem:
        click.echo(f"humeai-async: {problem}", err=True)
        code = WRONG_USE
    except HumeError as problem:
        click.echo(f"humeai-async: {problem}", err=True)
        code = FAILED
    except KeyboardInterrupt:
        code = INTERRUPTED
    sys.exit(code)


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


def collect(arguments: Iterable[str], listed: str | None) -> Iterator[BulkSource]:
    """Find all sources that the command line names.

    Raises:
        InvalidArgumentError: There are none, or a file is not there.
    """
    names = list(arguments)
    if listed is not None:
        names += _lines(listed)
    if "-" in names:
        names.remove("-")
        names += _lines("-")
    if not names:
        raise InvalidArgumentError(
            "no sources: give URLs, files or folders, or a list with --from FILE or -",
            field="sources",
        )
    for name in names:
        yield from _expand(name)


def _lines(name: str) -> list[str]:
    """Read a list of sources, one a line; empty lines and those with # are passed over."""
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        reason = getattr(problem, "strerror", None) or "it is not a text file"
        raise InvalidArgumentError(f"cannot read {name}: {reason}", field="from") from None
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def _expand(name: str) -> Iterator[BulkSource]:
    if name.startswith(("http://", "https://")):
        yield name
        return
    path = Path(name)
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.suffix.lower() in MEDIA and p.is_file())
        if not files:
            raise InvalidArgumentError(f"{name} holds no media files", field="sources")
        yield from files
    elif path.is_file():
        yield path
    else:
        raise InvalidArgumentError(
            f"{name} is no URL, and there is no such file or folder", field="sources"
        )


async def _demo(count: int, rate: float, folder: Path, *, as_json: bool) -> int:
    from humeai_async.testing import FakeHume, Quota  # noqa: PLC0415 - a server, needed here only

    sources = [f"https://media.example.com/clip-{n:04}.mp4" for n in range(count)]
    quota = Quota(rate=rate, burst=max(1, int(rate / 4)))
    async with FakeHume(quota=quota, latency=0.01, queue_seconds=0.3, run_seconds=0.7) as fake:
        hume = HumeAI(api_key=fake.api_key, base_url=fake.url, polling=Polling(shortest=0.25))
        async with hume:
            return await _predict(
                hume,
                sources,
                folder,
                tuple(FORMATS),
                as_json=as_json,
                models={"face": {}, "prosody": {}},
                job_size=5,
            )


async def _predict(
    hume: HumeAI,
    sources: Sequence[BulkSource],
    folder: Path,
    formats: tuple[str, ...],
    *,
    as_json: bool,
    **settings: Any,
) -> int:
    """Run sources into files and tell how it went; the exit code says whether all is well."""
    tally = Tally(len(sources))
    began = time.monotonic()
    try:
        with Sinks(folder, formats) as sinks, tally.progress() as progress:
            bar = progress.add_task("predicting", total=len(sources), rate_limited=0)
            async with hume.batch.predict(sources, **settings) as outcomes:
                async for outcome in outcomes:
                    sinks.write(outcome)
                    tally.count(outcome)
                    progress.update(bar, advance=1, rate_limited=hume.stats.rate_limited)
    except asyncio.CancelledError:
        click.echo(
            f"humeai-async: stopped; {tally.done} of {tally.total} outcomes are in {folder}",
            err=True,
        )
        raise
    summary = {
        "sources": tally.total,
        "failed": tally.failed,
        "jobs": len(tally.jobs),
        "requests": hume.stats.requests,
        "rate_limited": hume.stats.rate_limited,
        "retries": hume.stats.retries,
        "seconds": round(time.monotonic() - began, 2),
        "files": [str(path) for path in sinks.paths],
    }
    if as_json:
        click.echo(json.dumps(summary, indent=2))
    else:
        tally.show(summary)
    return FAILED if tally.failed else 0


class Tally:
    """Counts outcomes and keeps what the closing tables show."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0
        self.failed = 0
        self.jobs: set[str] = set()
        self._reasons: dict[str, int] = {}
        self._strongest: list[tuple[float, str, str, str]] = []

    def progress(self) -> Progress:
        """Return a progress bar; silent where standard error is not a terminal."""
        console = Console(stderr=True)
        return Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[rate_limited]} x 429"),
            console=console,
            disable=not console.is_terminal,
        )

    def count(self, outcome: SourceOutcome) -> None:
        """Count one outcome."""
        self.done += 1
        if outcome.job_id is not None:
            self.jobs.add(outcome.job_id)
        if outcome.error is not None:
            self.failed += 1
            reason = outcome.error.message
            self._reasons[reason] = self._reasons.get(reason, 0) + 1
        for file in outcome.predictions.files if outcome.predictions else ():
            for model, (name, score) in strongest(file).items():
                self._strongest.append((score, name_of(outcome.source), model, name))
        self._strongest = sorted(self._strongest, reverse=True)[:SHOWN]

    def show(self, summary: dict[str, Any]) -> None:
        """Print the closing tables."""
        console = Console()
        if self._strongest:
            table = Table("source", "model", "expression", "score", title="Strongest expressions")
            for score, source, model, name in self._strongest:
                table.add_row(source, model, name, f"{score:.3f}")
            console.print(table)
        counts = Table(title="Run", show_header=False)
        labels = {"rate_limited": "429s"}
        for name, value in summary.items():
            if name != "files":
                counts.add_row(labels.get(name, name), str(value))
        console.print(counts)
        for path in summary["files"]:
            console.print(f"wrote {path}", soft_wrap=True, highlight=False)
        for reason, times in sorted(self._reasons.items(), key=lambda item: -item[1])[:SHOWN]:
            console.print(f"failed {times} x: {reason}", soft_wrap=True, markup=False)
