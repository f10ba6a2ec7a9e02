"""A run in a few megabytes, however large it was: what the page of the report holds.

Scores become whole numbers from 0 to 200 in bytes, timelines a few dozen points. It knows blocks
and no files; `build.py` puts it into the page.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from typing import Any

from humeai_async._base.urls import short_name
from humeai_async.report.live_results import CELLS, DECISIONS, NOT_DRAWN
from humeai_async.types.predictions.blocks import Block
from humeai_async.types.predictions.rows import MODELS
from humeai_async.types.predictions.summary import KNOWN_EXPRESSIONS
from humeai_async.types.predictions.timelines import Timeline, Track, make_timeline

__all__ = ["Digest"]

STEPS = 200
"""What a score of 1 is written as."""
MISSING = 255
"""What is written where there is no score."""
_HEAT_BYTES = 1_500_000
"""Cells of the heat map at most; beyond, only the strongest expressions are kept."""
_LINE_BYTES = 700_000
"""Points of the timelines, about."""
_TOP = 3
_LONGEST_NAME = 100
_FEWEST_COLUMNS = 8


class _Heat:
    """The mean scores of one model: a line of bytes for each source."""

    def __init__(self, model: str) -> None:
        self.model = model
        self._totals: dict[str, float] = {}
        """By expression, in the order of the lines, its means of all sources added up."""
        self._sources: list[int] = []
        self._counts: list[int] = []
        self._lines: list[bytes] = []

    def add(self, place: int, blocks: Sequence[Block]) -> None:
        """Take in what the model found in one source."""
        count = sum(map(len, blocks))
        total_of = _listed(blocks) if self.model in CELLS else _added(blocks)
        means = {name: total / count for name, total in total_of.items()}
        for name, mean in means.items():
            self._totals[name] = self._totals.get(name, 0.0) + mean
        self._sources.append(place)
        self._counts.append(count)
        self._lines.append(bytes(map(_quantised, map(means.get, self._totals))))

    def __len__(self) -> int:
        """Return the number of sources."""
        return len(self._lines)

    def to_json(self, most: int) -> dict[str, Any]:
        """Return the map with its strongest expressions, so many at most."""
        strongest = sorted(self._totals, key=lambda name: (-self._totals[name], name))[:most]
        kept = set(strongest)
        order = [name for name in KNOWN_EXPRESSIONS if name in kept]
        order += [name for name in strongest if name not in order]
        columns = [*self._totals]
        places = [columns.index(name) for name in order]
        filled = (line.ljust(len(columns), bytes([MISSING])) for line in self._lines)
        cells = b"".join(bytes([line[at] for at in places]) for line in filled)
        return {
            "model": self.model,
            "cell": CELLS.get(self.model, "the mean score of an expression, 0 to 1"),
            "expressions": order,
            "strongest": strongest,
            "sources": self._sources,
            "counts": self._counts,
            "cells": _as_text(cells),
        }


class Digest:
    """Takes the predictions of sources in, and gives what the page shows.

    Of each source it keeps a byte for each expression and each point that is drawn.

    Args:
        sources: About how many there will be: of more sources, less is kept of each.
    """

    def __init__(self, sources: int) -> None:
        self._names: list[str] = []
        self._heats = {model: _Heat(model) for model in (*MODELS, *CELLS)}
        self._failed: dict[str, str] = {}
        """By source why it failed, and has not arrived since."""
        self._timelines: list[list[Any]] = []
        self._expressions: dict[str, int] = {}
        self._tracks = 4 if sources <= 1000 else 2  # noqa: PLR2004 - so the page stays small
        points = _LINE_BYTES // max(sources * self._tracks * _TOP, 1)
        self._spans = min(max(points, 6), 80)

    def add(self, source: str, blocks: Sequence[Block]) -> None:
        """Take one source in, with all its predictions."""
        self._failed.pop(source, None)
        place = len(self._names)
        self._names.append(short_name(source, _LONGEST_NAME))
        for model, some in _by_model(blocks).items():
            self._heats[model].add(place, some)
        drawn = [block for block in blocks if block.model not in NOT_DRAWN]
        timeline = make_timeline(drawn, top=_TOP, spans=self._spans, tracks=self._tracks)
        self._timelines.append([self._pack(track, timeline) for track in timeline.tracks])

    def add_failed(self, source: str, reason: str) -> None:
        """Take note of a source that failed."""
        self._failed[source] = reason

    def failed(self, most: int) -> dict[str, list[str]]:
        """Return by reason the first sources that failed, so many at most."""
        found: dict[str, list[str]] = {}
        for source, reason in self._failed.items():
            names = found.setdefault(reason, [])
            if len(names) < most:
                names.append(short_name(source, _LONGEST_NAME))
        return found

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain values.

        Returns:
            `names`, the sources; `heat`, a map of each model; `lines`, the timelines of each
            source; `expressions`, the names that these refer to.
        """
        heats = [heat for heat in self._heats.values() if len(heat)]
        most = max(_HEAT_BYTES // max(sum(map(len, heats)), 1), _FEWEST_COLUMNS)
        return {
            "names": self._names,
            "steps": STEPS,
            "missing": MISSING,
            "heat": [heat.to_json(most) for heat in heats],
            "lines": self._timelines,
            "expressions": [*self._expressions],
        }

    def _pack(self, track: Track, timeline: Timeline) -> list[Any]:
        """Write a track as its title, its places, and the points of each expression."""
        first = track.places[0] if track.places else 0.0
        last = track.places[-1] if track.places else 0.0
        width = (last - first) or 1.0
        places = bytes([round((place - first) / width * STEPS) for place in track.places])
        numbers = [
            self._expressions.setdefault(name, len(self._expressions))
            for name in timeline.expressions
        ]
        points = bytearray()
        for name in timeline.expressions:
            points += bytes([_quantised(score) for score in track.scores[name]])
        span = [round(first, 2), round(last, 2)] if timeline.has_time else []
        return [track.title, span, numbers, _as_text(places), _as_text(points)]


def _by_model(blocks: Sequence[Block]) -> dict[str, list[Block]]:
    found: dict[str, list[Block]] = {}
    for block in blocks:
        if block.columns and (block.model in MODELS or block.model in CELLS):
            found.setdefault(block.model, []).append(block)
    return found


def _listed(blocks: Sequence[Block]) -> dict[str, float]:
    """Return in how many measurements each label is listed; of decisions their shares."""
    if blocks[0].model == DECISIONS:
        return _added(blocks)
    counts: dict[str, float] = {}
    for block in blocks:
        for name, column in block.columns.items():
            counts[name] = counts.get(name, 0) + sum(map(math.isfinite, column))
    return counts


def _added(blocks: Sequence[Block]) -> dict[str, float]:
    """Return the sum of the scores of each expression."""
    if len(blocks) == 1:
        return blocks[0].sums
    sums: dict[str, float] = {}
    for block in blocks:
        for name, total in block.sums.items():
            sums[name] = sums.get(name, 0.0) + total
    return sums


def _quantised(score: float | None) -> int:
    if score is None:
        return MISSING
    return int(score * STEPS + 0.5) if 0 <= score <= 1 else STEPS * (score > 1)


def _as_text(data: bytes | bytearray) -> str:
    return base64.b64encode(data).decode()
