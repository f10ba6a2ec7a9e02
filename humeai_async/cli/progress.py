"""What a run shows: the progress bar, and the tables at its end.

It knows runs and their progress, and no command. `predict`, `demo` and `status` use it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar
from rich.table import Table

from humeai_async.bulk.ledger import State
from humeai_async.bulk.pipeline import SourceOutcome, is_open, reason_of
from humeai_async.bulk.progress import Progress
from humeai_async.bulk.sinks import name_of
from humeai_async.types.predictions.rows import strongest
from humeai_async.types.urls import without_queries

SHOWN = 10
"""Rows of the table of strongest expressions."""


WHOLE = 10
"""Outcomes a second from which on the rate is shown without a fraction."""


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
