"""The command line: `humeai-async demo`, `predict` and `status`.

Thin: it collects sources, has `predict_into` run them and shows how it goes. What a
user got wrong is told in one line, without a traceback, with exit code 2; failed sources and
errors of the service give 1, Ctrl-C gives 130.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import warnings
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

try:
    import click
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
    )
    from rich.progress import Progress as Bar
    from rich.table import Table
except ImportError:
    sys.exit("humeai-async needs the extra `cli`: pip install 'humeai_async[cli]'")

from humeai_async.bulk.ledger import State, standing_of
from humeai_async.bulk.outcomes import BulkSource
from humeai_async.bulk.predicting import SourceOutcome, is_open, reason_of
from humeai_async.bulk.progress import Progress
from humeai_async.bulk.runs import LEDGER, predict_into
from humeai_async.bulk.sinks import FORMATS, name_of
from humeai_async.client import HumeAI
from humeai_async.errors import ConfigurationError, HumeError, InvalidArgumentError
from humeai_async.redaction import without_queries
from humeai_async.rows import MODELS, strongest
from humeai_async.settings import Polling

T = TypeVar("T")

MEDIA = frozenset({
    ".aac", ".aiff", ".avi", ".bmp", ".flac", ".gif", ".jpeg", ".jpg", ".m4a", ".m4v", ".mkv",
    ".mov", ".mp3", ".mp4", ".mpeg", ".oga", ".ogg", ".opus", ".png", ".tif", ".tiff", ".txt",
    ".wav", ".weba", ".webm", ".webp", ".wma", ".wmv", ".zip",
})  # fmt: skip
"""Endings of the files that are taken from a folder."""

SHOWN = 10
"""Rows of the table of strongest expressions."""

WHOLE = 10
"""Outcomes a second from which on the rate is shown without a fraction."""

WRONG_USE, FAILED, INTERRUPTED = 2, 1, 130


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="humeai_async")
def main() -> None:
    """Measure expressions in media with Hume AI, directly or through LowCodeAPI."""


@main.command()
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


@main.command()
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
            return await _predict(hume, found, out, as_json=as_json, **settings)

    run(work)


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def status(folder: Path, *, as_json: bool) -> None:
    """Tell where the run in a folder stands.

    FOLDER is what `predict --out` named; the run may still be going on.
    """

    async def work() -> int:
        standing = await standing_of(folder / LEDGER)
        counts = counts_of(standing.counts) | {"jobs": standing.jobs}
        if as_json:
            click.echo(json.dumps(counts | {"reasons": dict(standing.reasons)}))
        else:
            show_counts(Console(), f"Run in {folder}", counts)
            show_reasons(Console(), standing.reasons, counts["failed"])
        return 0

    run(work)


def run(work: Callable[[], Coroutine[Any, Any, int]]) -> None:
    """Run a command to its exit code."""
    warnings.showwarning = show_warning
    sys.exit(told(lambda: asyncio.run(work())))


def told(work: Callable[[], T]) -> T:
    """Do some work, and end the command in a line where it goes wrong."""
    try:
        return work()
    except (ConfigurationError, InvalidArgumentError) as problem:
        code, said = WRONG_USE, str(problem)
    except HumeError as problem:
        code, said = FAILED, str(problem)
    except KeyboardInterrupt:
        code, said = INTERRUPTED, ""
    if said:
        say(said)
    sys.exit(code)


def say(text: str) -> None:
    """Print a line for the person at the terminal, apart from what the command puts out."""
    click.echo(f"humeai-async: {text}", err=True)


def show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """Print a warning as a line, without the place in the code."""
    say(str(message))


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
    if name.lower().startswith(("http://", "https://")):
        yield name
        return
    path = Path(name)
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if _is_media(p))
        if not files:
            raise InvalidArgumentError(f"{name} holds no media files", field="sources")
        yield from files
    elif path.is_file():
        yield path
    else:
        raise InvalidArgumentError(
            f"{name} is no URL, and there is no such file or folder", field="sources"
        )


def _is_media(path: Path) -> bool:
    return path.suffix.lower() in MEDIA and not path.name.startswith(".") and path.is_file()


async def _demo(count: int, rate: float, folder: Path, *, as_json: bool) -> int:
    from humeai_async.testing import FakeHume, Quota

    if not as_json:
        click.echo(f"{count} sources through a stand-in for Hume that allows {rate:g} requests/s")
    sources = [f"https://media.example.com/clip-{n:04}.mp4" for n in range(count)]
    quota = Quota(rate=rate, burst=max(1, int(rate / 4)))
    async with FakeHume(quota=quota, latency=0.01, queue_seconds=0.3, run_seconds=0.7) as fake:
        hume = HumeAI(api_key=fake.api_key, base_url=fake.url, polling=Polling(shortest=0.25))
        models: dict[str, Any] = {"face": {}, "prosody": {}}
        formats = ("jsonl", "csv")
        async with hume:
            return await _predict(
                hume, sources, folder, as_json=as_json, formats=formats, models=models, job_size=5
            )


async def _predict(
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


def counts_of(counts: Mapping[State, int]) -> dict[str, Any]:
    """Return the counts of a run by the names that are shown."""
    return {
        "sources": sum(counts.values()),
        "arrived": counts[State.ARRIVED],
        "failed": counts[State.FAILED],
        "open": counts[State.PLANNED] + counts[State.SUBMITTED],
    }


def show_counts(console: Console, title: str, counts: Mapping[str, Any]) -> None:
    """Print counts as a table."""
    table = Table(title=title, show_header=False)
    for name, value in counts.items():
        table.add_row("429s" if name == "rate_limited" else name, str(value))
    console.print(table)


def show_reasons(console: Console, reasons: Mapping[str, int], failed: int) -> None:
    """Print why sources failed, the most frequent reasons first."""
    for reason, times in list(reasons.items())[:SHOWN]:
        console.print(f"failed {times} x: {reason}", soft_wrap=True, markup=False)
    if failed:
        console.print("--retry-failed tries failed sources again")


def show_open(console: Console, reasons: Mapping[str, int]) -> None:
    """Print what kept sources from being done."""
    for reason, times in list(reasons.items())[:SHOWN]:
        console.print(f"open {times} x: {reason}", soft_wrap=True, markup=False)
    if reasons:
        console.print("the same command goes on with open sources")


def news(progress: Progress) -> str:
    """Say in a line what goes on: jobs, rate, time left, and what the limiter does."""
    rate = f"{progress.rate:.0f}" if progress.rate >= WHOLE else f"{progress.rate:.1f}"
    said = [f"{progress.jobs} jobs", f"{rate}/s"]
    if progress.eta is not None:
        minutes, seconds = divmod(round(progress.eta), 60)
        said.append(f"{minutes}:{seconds:02} left")
    pace = progress.pace
    if pace.paused_for:
        said.append(f"quota used up, on in {pace.paused_for:.0f} s")
    elif pace.rate is not None:
        said.append(f"{pace.rate:.3g} calls/s allowed")
    if pace.waiting:
        said.append(f"{pace.waiting} calls wait")
    if pace.refused:
        said.append(f"{pace.refused} x 429")
    return ", ".join(said)


class Tally:
    """Draws the progress bar, and keeps what the closing tables show.

    Args:
        total: Sources of the run.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.open_reasons: dict[str, int] = {}
        """What kept sources from being done, and how often."""
        self.done: int = 0
        """Sources that arrived or failed, at earlier starts too."""
        self.seconds: float = 0.0
        """Since this start."""
        self._strongest: list[tuple[float, str, str, str]] = []
        console = Console(stderr=True)
        self._progress = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[news]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._bar = self._progress.add_task("predicting", total=total, news="")

    def show(self, progress: Progress) -> None:
        """Draw how far the run is."""
        self.done, self.seconds = progress.done, progress.seconds
        self._progress.update(self._bar, completed=progress.done, news=news(progress))

    def count(self, outcome: SourceOutcome) -> None:
        """Take note of one outcome."""
        if outcome.error is not None and is_open(outcome):
            reason = reason_of(outcome.error)
            self.open_reasons[reason] = self.open_reasons.get(reason, 0) + 1
            return
        for file in outcome.predictions.files if outcome.predictions else ():
            for model, (name, score) in strongest(file).items():
                self._note(score, without_queries(name_of(outcome.source)), model, name)

    def _note(self, score: float, source: str, model: str, name: str) -> None:
        if len(self._strongest) < SHOWN or score > self._strongest[-1][0]:
            self._strongest.append((score, source, model, name))
            self._strongest.sort(reverse=True)
            del self._strongest[SHOWN:]

    def show_strongest(self, console: Console) -> None:
        """Print the strongest expressions."""
        if not self._strongest:
            return
        table = Table("source", "model", "expression", "score", title="Strongest expressions")
        for score, source, model, name in self._strongest:
            table.add_row(source, model, name, f"{score:.3f}")
        console.print(table)

    def __enter__(self) -> None:
        self._progress.start()

    def __exit__(self, *_: object) -> None:
        self._progress.stop()
