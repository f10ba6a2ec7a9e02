"""How expressions go up and down in one source: few enough points to draw.

A `Timeline` has one track for each face, speaker or model that has a time of its own, with the
mean scores of the strongest expressions, and the words that were spoken or written.
It knows blocks and no chart library; `charts.py` and reports draw it.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TypeAlias, TypeGuard

from humeai_async._base.frozen import frozen
from humeai_async.types.predictions.blocks import Block

__all__ = ["Timeline", "Track", "Words", "make_timeline"]

_WORDS = 400
"""Pieces of a transcript that are kept: more cannot be told apart in a picture."""


@frozen
class Words:
    """A piece of a transcript."""

    begin: float
    """Begin, in the unit of the track's places."""
    end: float
    """End."""
    text: str
    """Words."""


@frozen
class Track:
    """One face, speaker or model of a source."""

    model: str
    """Name of the model."""
    id: str
    """Label of the face or speaker, or `unknown`."""
    places: Sequence[float]
    """Middle of each prediction, or of those that share a point: seconds, or numbers from 1 where
    there is no time."""
    scores: dict[str, list[float | None]]
    """By expression its mean score at each place; `None` where no prediction has one."""
    words: Sequence[Words]
    """Words that were spoken or written, if there are any."""

    @property
    def title(self) -> str:
        """What to write beside the track."""
        if self.id == "unknown":
            return self.model
        return self.id if self.id.startswith(self.model) else f"{self.model} {self.id}"


@frozen
class Timeline:
    """The strongest expressions of one source over time."""

    has_time: bool
    """True if places are seconds, false if they are numbers of predictions."""
    expressions: Sequence[str]
    """Expressions that are drawn, those first that are the strongest of a track."""
    tracks: Sequence[Track]
    """What is drawn, one above the other."""
    left_out: int = 0
    """Faces, speakers and models beyond these."""


_Key: TypeAlias = tuple[str, str]
"""Model, and label of the face or speaker."""


def make_timeline(
    blocks: Iterable[Block], *, top: int = 5, spans: int = 200, tracks: int | None = None
) -> Timeline:
    """Reduce the predictions of one source to what can be drawn.

    Args:
        blocks: All predictions of the source, of the models to draw.
        top: Expressions at most: the strongest of each track, then the next ones.
        spans: Points of a line at most.
        tracks: Tracks at most: the longest of each model, then the next ones; all if left out.
    """
    groups: dict[_Key, list[Block]] = {}
    for block in blocks:
        if block.columns:
            groups.setdefault((block.model, block.id), []).append(block)
    has_time = any(map(_has_time, itertools.chain.from_iterable(groups.values())))
    if has_time:
        groups = {key: some for key, some in groups.items() if any(map(_has_time, some))}
    chosen = _longest(groups, tracks)
    expressions = _strongest(chosen.values(), top)
    made = [
        _track(key, some, expressions, spans, has_time=has_time) for key, some in chosen.items()
    ]
    return Timeline(has_time, expressions, made, len(groups) - len(chosen))


def _longest(groups: dict[_Key, list[Block]], most: int | None) -> dict[_Key, list[Block]]:
    """Return those with the most predictions, in the order in which they stand.

    Models take turns: one that found little in a crowd of faces is drawn, too.
    """
    ranks: defaultdict[str, int] = defaultdict(int)
    turns: dict[_Key, int] = {}
    for key in sorted(groups, key=lambda one: -sum(map(len, groups[one]))):
        turns[key] = ranks[key[0]]
        ranks[key[0]] += 1
    chosen = {*sorted(turns, key=turns.__getitem__)[:most]}
    return {key: some for key, some in groups.items() if key in chosen}


def _is_time(begin: float | None) -> TypeGuard[float]:
    return begin is not None and math.isfinite(begin)


def _has_time(block: Block) -> bool:
    return any(map(_is_time, block.begins))


def _strongest(groups: Iterable[list[Block]], top: int) -> list[str]:
    """Return the expressions with the highest means, those first that lead a track."""
    keys: dict[str, tuple[int, float]] = {}
    for blocks in groups:
        sums: dict[str, float] = {}
        for block in blocks:
            for name, total in block.sums.items():
                sums[name] = sums.get(name, 0.0) + total
        count = sum(map(len, blocks))
        # No other one can be among the first: so many stand before it in this track.
        leading = heapq.nsmallest(top, [(-total, name) for name, total in sums.items()])
        for rank, (total, name) in enumerate(leading):
            key = (rank, total / count)
            keys[name] = min(keys.get(name, key), key)
    return sorted(keys, key=lambda name: (keys[name], name))[:top]


def _track(
    key: _Key, blocks: list[Block], expressions: Sequence[str], spans: int, *, has_time: bool
) -> Track:
    places: list[float] = []
    lines: dict[str, list[float]] = {name: [] for name in expressions}
    words: list[Words] = []
    for block in blocks:
        drawn = [n for n, begin in enumerate(block.begins) if not has_time or _is_time(begin)]
        if has_time:
            found = [_seconds(block.begins[n], block.ends[n]) for n in drawn]
        else:
            found = [(n + 0.5, n + 1.5) for n in range(len(places), len(places) + len(drawn))]
        places += [(begin + end) / 2 for begin, end in found]
        texts = [block.texts[n] for n in drawn]
        spoken = [Words(*span, text) for span, text in zip(found, texts, strict=True) if text]
        words += spoken[: _WORDS - len(words)]
        for name, line in lines.items():
            column = block.columns.get(name)
            line += [math.nan if column is None else column[n] for n in drawn]
    point_of = _points(places, spans)
    points = sorted(set(point_of))
    scores = {name: _means(line, point_of, points) for name, line in lines.items()}
    middles = [place for place in _means(places, point_of, points) if place is not None]
    return Track(*key, middles, scores, words)


def _points(places: Sequence[float], most: int) -> list[int]:
    """Return the number of the point that each prediction is part of.

    Predictions at the same place are one point. Where there are more points than are allowed,
    those in a span of time are one.
    """
    distinct = sorted(set(places))
    if len(distinct) <= most:
        numbers = {place: number for number, place in enumerate(distinct)}
        return [numbers[place] for place in places]
    first, last = distinct[0], distinct[-1]
    width = (last - first) / most or 1.0
    return [min(int((place - first) / width), most - 1) for place in places]


def _means(
    line: Sequence[float], point_of: Sequence[int], points: Sequence[int]
) -> list[float | None]:
    """Return the mean of each point; `None` where there is no number in it."""
    sums, counts = dict.fromkeys(points, 0.0), dict.fromkeys(points, 0)
    for point, number in zip(point_of, line, strict=True):
        if math.isfinite(number):
            sums[point] += number
            counts[point] += 1
    return [sums[point] / counts[point] if counts[point] else None for point in points]


def _seconds(begin: float | None, end: float | None) -> tuple[float, float]:
    begin = begin or 0.0
    return begin, end if _is_time(end) else begin
