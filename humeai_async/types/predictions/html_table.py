"""The first predictions as a table of HTML, for notebooks.

It reads the first predictions of the first lists and nothing else; the others are only counted.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from humeai_async._base.html import MOST_BYTES, MOST_ROWS, bars, table
from humeai_async.errors import DecodeError
from humeai_async.types.predictions.failures import Failures
from humeai_async.types.predictions.measurements import SourcePredictions
from humeai_async.types.predictions.rows import MODELS

__all__ = ["make_html"]

_Named: TypeAlias = Sequence[tuple[str, SourcePredictions]]
"""Sources with their names."""
_Start: TypeAlias = tuple[str, str, str, str]
"""Source, file, model and label."""

_FIRST = 3
"""Predictions of one face or speaker that are shown, so that others are, too."""
_MOST_FAILURES = 5
_COLUMNS = ("source", "file", "model", "id", "seconds", "text", "strongest")


def make_html(title: str, named: _Named, failed: Failures) -> str:
    """Show the first predictions of some sources, and what failed.

    Args:
        title: What they are.
        named: Each source with its name.
        failed: What has no predictions.
    """
    total = sum(len(many) for _, many in _lists(named))
    rows = itertools.islice(_rows(named), MOST_ROWS)
    shown = table(
        f"{title}: {total:,} from {len(named):,} sources",
        _COLUMNS,
        rows,
        total=total,
        most=MOST_BYTES * 2 // 3,
    )
    if not failed:
        return shown
    title = f"{len(failed):,} failed"
    return shown + failed.as_html(title, rows=_MOST_FAILURES, most=MOST_BYTES // 3)


def _lists(
    named: _Named,
) -> Iterator[tuple[_Start, Sequence[Any]]]:
    for name, source in named:
        for file in source.files:
            for model in MODELS:
                found = getattr(file.models, model)
                for group in found.grouped_predictions if found else ():
                    yield (name, file.file, model, group.id), group.predictions


def _rows(named: _Named) -> Iterator[tuple[object, ...]]:
    for start, many in _lists(named):
        for place in range(min(_FIRST, len(many))):
            try:
                yield *start, *_row(many[place])
            except DecodeError as problem:
                yield *start, None, None, f"cannot be read: {problem.message}"


def _row(one: Any) -> tuple[object, ...]:
    time = getattr(one, "time", None)
    begin = getattr(time, "begin", time)
    text = getattr(one, "text", None) or getattr(one, "entity", None)
    return begin, text, bars(one.emotions.top())
