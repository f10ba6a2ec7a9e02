"""What the first sources of a run came to, for the last screen of a command.

It takes results of any product, and knows neither runs nor commands.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from rich.console import Console
from rich.table import Column, Table

from humeai_async._base.urls import short_name
from humeai_async.cli.output import escape_controls
from humeai_async.errors import DecodeError
from humeai_async.http import codec
from humeai_async.report.live_results import NOT_DRAWN, live_blocks
from humeai_async.types.decision_results import (
    ChoiceResult,
    NoulResult,
    Result,
    ScoreResult,
    SpanResult,
)
from humeai_async.types.decisions import Decision
from humeai_async.types.expression import AudioResult, ImagesResult
from humeai_async.types.predictions.blocks import Block, blocks_of
from humeai_async.types.predictions.measurements import SourcePredictions
from humeai_async.types.predictions.rows import row_batches
from humeai_async.types.predictions.summary import Profiles, Summary

_MOST_LINES = 10
"""Lines after which no further source is shown."""
_LONGEST_NAME = 60


class FirstResults:
    """Takes in results as they come, and keeps what is shown of the first ones."""

    def __init__(self) -> None:
        self._shown: list[tuple[str, list[tuple[str, ...]]]] = []
        """By source the cells of its lines."""
        self._title = ""
        self._lines = 0

    def add(self, source: str, found: object) -> None:
        """Take note of a result, if there is room for it."""
        if self._lines >= _MOST_LINES:
            return
        lines: list[tuple[str, ...]] = []
        if isinstance(found, Decision):
            self._title = "Decisions of the first results, with the share of raters"
            lines = [(name, _describe(result)) for name, result in found.results.items()]
        else:
            self._title = "Strongest expressions of the first results, by their share of the time"
            with contextlib.suppress(DecodeError):  # whoever reads the results gets this error
                profiles = Profiles()
                profiles.add(_blocks(source, found))
                lines = [line[1:] for line in Summary(profiles.take()).lines()]
        if lines:
            self._shown.append((short_name(source, _LONGEST_NAME), lines))
            self._lines += len(lines)

    def print(self, console: Console) -> None:
        """Print a title, and a table for each source."""
        if not self._shown:
            return
        console.print(self._title)
        for source, lines in self._shown:
            console.print(escape_controls(source), soft_wrap=True)
            further = [""] * (len(lines[0]) - 1)
            table = Table.grid(Column(min_width=8), *further, padding=(0, 1), pad_edge=True)
            for line in lines:
                table.add_row(*map(escape_controls, line))
            console.print(table)


def _blocks(source: str, found: object) -> Iterator[Block]:
    if isinstance(found, SourcePredictions):
        yield from blocks_of(row_batches(source, found))
    elif isinstance(found, (AudioResult, ImagesResult)):
        for block in live_blocks(source, codec.encode(found)):
            if block.model not in NOT_DRAWN:
                yield block


def _describe(result: Result) -> str:
    if isinstance(result, NoulResult):
        return f"yes {result.noul:.0%}"
    if isinstance(result, ChoiceResult):
        share = result.probabilities.get(result.choice)
        return result.choice if share is None else f"{result.choice} {share:.0%}"
    if isinstance(result, ScoreResult):
        score, legend = result.score, result.legend
        nearest = min(legend, key=lambda level: abs(level - score), default=None)
        return f"{score:.1f}" if nearest is None else f"{legend[nearest]} ({score:.1f})"
    if isinstance(result, SpanResult):
        return (
            ", ".join(
                f"{span.start_ms / 1000:.1f} to {span.end_ms / 1000:.1f} s" for span in result.spans
            )
            or "never"
        )
    return "a result of an unknown form"
