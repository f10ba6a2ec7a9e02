"""A run in a few megabytes, however large it was: what the page of the report holds.

Scores become whole numbers from 0 to 200 in bytes, timelines a few dozen points. It knows rows and
no files; `build.py` puts it into the page.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from typing import Any

from humeai_async._base.urls import without_queries
from humeai_async.types.predictions.rows import MODELS, Row
from humeai_async.types.predictions.summary import KNOWN_EXPRESSIONS, Profile, Profiles
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


class Digest:
    """Takes the rows of sources in, and gives what the page shows.

    Args:
        sources: About how many there will be: of more sources, less is kept of each.
    """

    def __init__(self, sources: int) -> None:
        self._names: list[str] = []
        self._profiles: list[tuple[int, Profile]] = []
        self._timelines: list[list[Any]] = []
        self._expressions: dict[str, int] = {}
        self._tracks = 4 if sources <= 1000 else 2  # noqa: PLR2004 - so the page stays small
        points = _LINE_BYTES // max(sources * self._tracks * _TOP, 1)
        self._spans = min(max(points, 6), 80)

    def add(self, source: str, rows: Sequence[Row]) -> None:
        """Take one source in, with all its rows."""
        profiles = Profiles()
        profiles.add(rows)
        place = len(self._names)
        self._names.append(_shortened(source))
        self._profiles += [(place, profile) for profile in profiles.take()]
        timeline = make_timeline(rows, top=_TOP, spans=self._spans)
        tracks = timeline.tracks[: self._tracks]
        self._timelines.append([self._pack(track, timeline) for track in tracks])

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain values.

        Returns:
            `names`, the sources; `heat`, a map of each model; `lines`, the timelines of each
            source; `expressions`, the names that these refer to.
        """
        models = [m for m in MODELS if any(p.model == m for _, p in self._profiles)]
        most = _HEAT_BYTES // max(len(self._profiles), 1)
        return {
            "names": self._names,
            "steps": STEPS,
            "missing": MISSING,
            "heat": [self._heat(model, max(most, _FEWEST_COLUMNS)) for model in models],
            "lines": self._timelines,
            "expressions": [*self._expressions],
        }

    def _heat(self, model: str, most: int) -> dict[str, Any]:
        profiles = [(place, each) for place, each in self._profiles if each.model == model]
        means: dict[str, float] = {}
        for _, profile in profiles:
            for name, mean in profile.means.items():
                means[name] = means.get(name, 0.0) + mean / len(profiles)
        strongest = sorted(means, key=lambda name: (-means[name], name))
        kept = set(strongest[:most])
        order = [name for name in KNOWN_EXPRESSIONS if name in kept]
        order += [name for name in strongest[:most] if name not in order]
        cells = bytearray()
        for _, profile in profiles:
            found = profile.means
            cells += bytes([_quantised(found.get(name)) for name in order])
        return {
            "model": model,
            "expressions": order,
            "strongest": [name for name in strongest if name in kept],
            "sources": [place for place, _ in profiles],
            "counts": [profile.count for _, profile in profiles],
            "cells": _as_text(cells),
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


def _quantised(score: float | None) -> int:
    if score is None or not math.isfinite(score):
        return MISSING
    return round(min(max(score, 0.0), 1.0) * STEPS)


def _as_text(data: bytes | bytearray) -> str:
    return base64.b64encode(data).decode()


def _shortened(source: str) -> str:
    """Return a source as the page shows it: no query, and no more than a line."""
    text = " ".join(without_queries(source).removesuffix("?***").removesuffix("#***").split())
    return text if len(text) <= _LONGEST_NAME else f"...{text[3 - _LONGEST_NAME :]}"
