"""How expressions go up and down in one source: few enough points to draw.

A `Timeline` has one track for each face, speaker or model that has a time of its own, with the
mean scores of the strongest expressions in spans of equal length, and the words that were spoken.
It knows blocks and no chart library; `charts.py` and reports draw it.
"""

from __future__ import annotations

import heapq
import itertools
import math
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
    """Begin, in seconds."""
    end: float
    """End, in seconds."""
    text: str
    """Spoken words."""


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
    """Spoken words, if there is a transcript."""

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
        tracks: Tracks at most, the first ones; all if left out.
    """
    groups: dict[_Key, list[Block]] = {}
    for block in blocks:
        if block.columns:
            groups.setdefault((block.model, block.id), []).append(block)
    expressions = _strongest(groups.values(), top)
    has_time = any(map(_has_time, itertools.chain.from_iterable(groups.values())))
    if has_time:
        groups = {key: some for key, some in groups.items() if any(map(_has_time, some))}
    made = [
        _track(key, some, expressions, spans, has_time=has_time)
        for key, some in itertools.islice(groups.items(), tracks)
    ]
    return Timeline(has_time, expressions, made)


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
            places += [_middle(block.begins[n], block.ends[n]) for n in drawn]
            words += [_words(block, n) for n in drawn if block.texts[n]][: _WORDS - len(words)]
        else:
            places += map(float, range(len(places), len(places) + len(drawn)))
        for name, line in lines.items():
            column = block.columns.get(name)
            line += [math.nan if column is None else column[n] for n in drawn]
    first, last = min(places), max(places)
    count = min(spans, len(places))
    width = (last - first) / count or 1.0
    span_of = [min(int((place - first) / width), count - 1) for place in places]
    filled = sorted(set(span_of))
    scores = {name: _means(line, span_of, filled) for name, line in lines.items()}
    middles = [first + (n + 0.5) * width if count > 1 else first for n in filled]
    return Track(*key, middles, scores, words)


def _means(
    line: Sequence[float], span_of: Sequence[int], filled: Sequence[int]
) -> list[float | None]:
    """Return the mean score of each span; `None` where there is no number in it."""
    sums, counts = dict.fromkeys(filled, 0.0), dict.fromkeys(filled, 0)
    for span, score in zip(span_of, line, strict=True):
        if math.isfinite(score):
            sums[span] += score
            counts[span] += 1
    return [sums[span] / counts[span] if counts[span] else None for span in filled]


def _middle(begin: float | None, end: float | None) -> float:
    begin = begin or 0.0
    return (begin + end) / 2 if _is_time(end) else begin


def _words(block: Block, place: int) -> Words:
    begin, end = block.begins[place] or 0.0, block.ends[place]
    return Words(begin, end if _is_time(end) else begin, block.texts[place] or "")
