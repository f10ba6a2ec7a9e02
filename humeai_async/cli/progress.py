"""What a run shows: a progress line while it lasts, and tables at its end.

It knows runs and their progress, and no command. `predict`, `demo` and `status` use it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar
from rich.table import Column, Table

from humeai_async._base.urls import without_queries
from humeai_async.bulk.outcome import Outcome, label_of, reason_of
from humeai_async.bulk.progress import Progress
from humeai_async.cli.first_results import FirstResults
from humeai_async.cli.output import escape_controls, lossy_stderr, make_console, print_message
from humeai_async.report.pace import PaceLog

MAX_ROWS = 10
"""Reasons that are printed."""

LINE_SECONDS = 10.0
"""Seconds between two lines of progress where there is no terminal."""

_LONGEST_NAME = 200
"""Characters of a source's name at most: that of a text is the text."""
_BAR_WIDTH = 16
"""Columns of a terminal that are left to the bar at least."""
_WHOLE = 10
"""Sources per second from which on the rate is shown without a fraction."""


def print_counts(console: Console, title: str, counts: Mapping[str, Any]) -> None:
    """Print counts as a table below a title."""
    console.print(escape_controls(title), soft_wrap=True)
    table = Table(show_header=False)
    for name, value in counts.items():
        table.add_row("429s" if name == "rate_limited" else name, str(value))
    console.print(table)


def print_failures(
    console: Console,
    reasons: Mapping[str, int],
    failed: int,
    examples: Mapping[str, str] | None = None,
) -> None:
    """Print why sources failed, the most frequent reasons first, if any has failed.

    Args:
        console: Where.
        reasons: Why, and how many, of all the run's sources.
        failed: Sources of this start that have failed.
        examples: Name of a source for reasons of this start.
    """
    if not failed:
        return
    _print_reasons(console, "failed", reasons, examples or {})
    console.print("to submit failed sources again, add --retry-failed", soft_wrap=True)


def print_open(console: Console, reasons: Mapping[str, int]) -> None:
    """Print what kept sources from being done."""
    _print_reasons(console, "open", reasons, {})
    if reasons:
        console.print(
            "run the same command again to continue with the open sources", soft_wrap=True
        )


def print_refused(console: Console, refused: int) -> None:
    """Print how many requests were not sent since the budget was used up."""
    if refused:
        console.print(
            f"requests not sent: {refused}; the budget is used up, a larger --budget sends them"
        )


def _print_reasons(
    console: Console, state: str, reasons: Mapping[str, int], examples: Mapping[str, str]
) -> None:
    for reason, times in list(reasons.items())[:MAX_ROWS]:
        line = f"{times} {state}: {reason}"
        if reason in examples:
            others = f" and {times - 1} more" if times > 1 else ""
            line += f" ({examples[reason]}{others})"
        console.print(escape_controls(line), soft_wrap=True)
    further = len(reasons) - MAX_ROWS
    if further > 0:
        console.print(f"{state}: {further} more reasons")


def describe_progress(progress: Progress, width: int | None = None, unit: str = "jobs") -> str:
    """Say in a line how far a run is, the most important things first.

    Args:
        progress: The run.
        width: Characters at most; what does not fit is left out. `None` is without limit.
        unit: What its pieces of work are called.
    """
    total = "" if progress.total is None else f"/{progress.total}"
    line = f"{progress.done}{total} done"
    for part in _details(progress, unit):
        longer = f"{line}, {part}"
        if width is not None and len(longer) > width:
            longer = longer.partition(" (")[0]  # without the reason there may be room
        if width is not None and len(longer) > width:
            break
        line = longer
    return line


def _details(progress: Progress, unit: str) -> list[str]:
    rate = f"{progress.rate:.0f}" if progress.rate >= _WHOLE else f"{progress.rate:.1f}"
    pace = progress.pace
    details = {
        str(progress.holdup): progress.holdup is not None,
        _duration(progress.eta or 0) + " left": bool(progress.eta),
        f"{progress.failed} failed": progress.failed > 0,
        f"{progress.left_open} open": progress.left_open > 0,
        f"{rate}/s": progress.rate > 0,
        f"{progress.jobs} {unit if progress.jobs != 1 else unit.removesuffix('s')}": True,
        f"quota used up for {pace.paused_for:.0f} s": pace.paused_for > 0,
        f"{pace.refused} x 429": pace.refused > 0,
    }
    return [text for text, is_shown in details.items() if is_shown]


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


class RunDisplay:
    """Shows a run while it lasts, and keeps what the tables at its end show.

    A bar on a terminal; anywhere else a line every ten seconds. Both go to standard error.

    Args:
        total: Sources of the run.
        unit: What its pieces of work are called.
    """

    def __init__(self, total: int, unit: str = "jobs") -> None:
        self.total = total
        self._unit = unit
        self.open_reasons: dict[str, int] = {}
        """What kept sources from being done, and how often."""
        self.failed: dict[str, str] = {}
        """Why sources failed, with the name of the first."""
        self.seconds: float = 0.0
        """Since this start."""
        self.first_results: FirstResults = FirstResults()
        """What the first sources came to."""
        self._latest: Progress | None = None
        self._reasons: set[str] = set()
        """Of failures of the service, those that were printed above the bar."""
        self._timer: asyncio.TimerHandle | None = None
        self._console = make_console(lossy_stderr())
        # A terminal that cannot go back in its line would show a bar at the end alone.
        self._has_bar = self._console.is_terminal and not self._console.is_dumb_terminal
        self._bar = Bar(
            BarColumn(bar_width=None),
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
            console=self._console,
            disable=not self._has_bar,
            expand=True,
        )
        self._task = self._bar.add_task("", total=total)

    def update(self, progress: Progress) -> None:
        """Show how far the run is now."""
        self._latest, self.seconds = progress, progress.seconds
        width = max(self._console.width - _BAR_WIDTH, _BAR_WIDTH)
        line = describe_progress(progress, width, self._unit)
        total = self.total if progress.total is None else progress.total
        self._bar.update(self._task, total=total, completed=progress.done, description=line)
        holdup = progress.holdup
        if holdup is not None and holdup.kind == "service" and holdup.reason not in self._reasons:
            self._reasons.add(holdup.reason)
            if self._bar.live.is_started:  # the bar has no room for it, lines have
                print_message(f"the service fails: {holdup.reason}")

    def logging_into(self, folder: Path) -> Callable[[Progress], None]:
        """Return what shows how far the run is, and writes its pace into its folder."""
        log = PaceLog(folder)

        def update(progress: Progress) -> None:
            self.update(progress)
            log.update(progress)

        return update

    def add_outcome(self, outcome: Outcome[Any, Any]) -> None:
        """Take note of one outcome for the tables at the end."""
        if outcome.error is not None and outcome.is_open:
            reason = reason_of(outcome.error)
            self.open_reasons[reason] = self.open_reasons.get(reason, 0) + 1
            return
        if outcome.error is not None:
            name = without_queries(label_of(outcome.source))[:_LONGEST_NAME]
            self.failed.setdefault(reason_of(outcome.error), name)
        else:
            self.first_results.add(label_of(outcome.source), outcome.predictions)

    def _print_line(self) -> None:
        if self._latest is not None:
            print_message(describe_progress(self._latest, unit=self._unit))
        self._timer = asyncio.get_running_loop().call_later(LINE_SECONDS, self._print_line)

    def __enter__(self) -> None:
        if self._has_bar:
            self._bar.start()
        else:
            self._timer = asyncio.get_running_loop().call_later(LINE_SECONDS, self._print_line)

    def __exit__(self, *_: object) -> None:
        if self._timer is None:
            self._bar.stop()  # rich before 15 writes an empty line at the end of one without screen
        else:
            self._timer.cancel()
