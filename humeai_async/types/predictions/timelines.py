"""How expressions go up and down in one source: few enough points to draw.

A `Timeline` has one track for each face, speaker or model that has a time of its own, with the
mean scores of the strongest expressions in spans of equal length, and the words that were spoken.
It knows rows and no chart library; `charts.py` and reports draw it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import groupby, islice

from humeai_async._base.frozen import frozen
from humeai_async.types.predictions.rows import Row
from humeai_async.types.predictions.summary import added, expressions_of, score_columns

__all__ = ["Timeline", "Track", "Words", "make_timeline"]

_WORDS = 400
"""Pieces of a transcript that are kept: more cannot be told apart in a picture."""


@frozen
class Words:
    """A piece of a transcript."""

    begin: float
    """Begin, in seconds."""
    end: float
    """End, in seconds."""
    text: str
    """What was said."""


@frozen
class Track:
    """One face, speaker or model of a source."""

    model: str
    """Name of the model."""
    id: str
    """Label of the face or speaker, or `unknown`."""
    places: Sequence[float]
    """Middle of each span: seconds, or numbers of predictions where there is no time."""
    scores: dict[str, list[float | None]]
    """By expression its mean score in each span; `None` in a span without predictions."""
    words: Sequence[Words]
    """What was said, if there is a transcript."""

    @property
    def title(self) -> str:
        """What to write beside the track."""
        return self.model if self.id == "unknown" else f"{self.model} {self.id}"


@frozen
class Timeline:
    """The strongest expressions of one source over time."""

    has_time: bool
    """True if places are seconds, false if they are numbers of predictions."""
    expressions: Sequence[str]
    """Expressions that are drawn, those first that are the strongest of a track."""
    tracks: Sequence[Track]
    """What is drawn, one above the other."""


def make_timeline(rows: Iterable[Row], *, top: int = 5, spans: int = 200) -> Timeline:
    """Reduce the rows of one source to what can be drawn.

    Args:
        rows: All rows of the source, of the models to draw.
        top: Expressions at most: the strongest of each track, then the next ones.
        spans: Points of a line at most.
    """
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if expressions_of(row.names):
            groups.setdefault((row.place.model, row.place.id), []).append(row)
    expressions = _strongest(groups.values(), top)
    has_time = any(_has_time(row) for some in groups.values() for row in some)
    if has_time:
        timed = {key: [row for row in some if _has_time(row)] for key, some in groups.items()}
        groups = {key: some for key, some in timed.items() if some}
    tracks = [
        _track(model, label, some, expressions, spans, has_time=has_time)
        for (model, label), some in groups.items()
    ]
    return Timeline(has_time, expressions, tracks)


def _has_time(row: Row) -> bool:
    return row.place.begin is not None and math.isfinite(row.place.begin)


def _strongest(groups: Iterable[list[Row]], top: int) -> list[str]:
    """Return the expressions with the highest means, those first that lead a track."""
    keys: dict[str, tuple[int, float]] = {}
    for rows in groups:
        sums: dict[str, float] = {}
        for names, run in groupby(rows, lambda row: expressions_of(row.names)):
            scores = [row.scores[: len(names)] for row in run]
            for name, _, column in score_columns(names, scores):
                sums[name] = added(column, sums.get(name, 0.0))
        order = sorted(sums, key=lambda name: (-sums[name], name))
        for rank, name in enumerate(order):
            key = (rank, -sums[name] / len(rows))
            keys[name] = min(keys.get(name, key), key)
    return sorted(keys, key=lambda name: (keys[name], name))[:top]


def _track(
    model: str,
    label: str,
    rows: list[Row],
    expressions: Sequence[str],
    spans: int,
    *,
    has_time: bool,
) -> Track:
    places = [_middle(row) if has_time else float(n) for n, row in enumerate(rows)]
    first, last = min(places), max(places)
    count = min(spans, len(rows))
    width = (last - first) / count or 1.0
    sums = {name: [0.0] * count for name in expressions}
    counts = {name: [0] * count for name in expressions}
    filled: set[int] = set()
    known: tuple[str, ...] | None = None
    drawn: list[tuple[int, str]] = []
    for row, place in zip(rows, places, strict=True):
        span = min(int((place - first) / width), count - 1)
        filled.add(span)
        if row.names is not known:
            known = row.names
            drawn = [(at, name) for at, name in enumerate(known) if name in sums]
        for at, name in drawn:
            score = row.scores[at]
            if math.isfinite(score):
                sums[name][span] += score
                counts[name][span] += 1
    scores: dict[str, list[float | None]] = {
        name: [sums[name][n] / counts[name][n] if counts[name][n] else None for n in sorted(filled)]
        for name in expressions
    }
    middles = [first + (n + 0.5) * width if count > 1 else first for n in sorted(filled)]
    spoken = (_words(row) for row in rows if has_time and row.place.text)
    words = [*islice(spoken, _WORDS)]
    return Track(model, label, middles, scores, words)


def _middle(row: Row) -> float:
    begin = row.place.begin or 0.0
    end = row.place.end
    return begin if end is None or not math.isfinite(end) else (begin + end) / 2


def _words(row: Row) -> Words:
    begin, end = row.place.begin or 0.0, row.place.end
    whole = end if end is not None and math.isfinite(end) else begin
    return Words(begin, whole, row.place.text or "")
