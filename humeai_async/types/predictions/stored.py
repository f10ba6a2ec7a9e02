"""The predictions of a job in a file, of which one source at a time is in memory.

Each source begins as the first one does, so the places at which sources seem to begin are found at
the speed of a search. What lies between two of them is proven to be a source when it is read. Bulk
runs read large bodies so; how one source is read is in `source_texts.py`. It blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from humeai_async.types.json import is_json, repaired
from humeai_async.types.predictions.measurements import Source, SourcePredictions
from humeai_async.types.predictions.source_texts import (
    BEGINNINGS,
    end_before,
    problem_in,
    read_head,
    read_source,
    spaced,
    undecodable_at,
)

_WINDOW = 1 << 20
"""Bytes that are searched at once."""
_ENDS = 1 << 12
"""Bytes at either end of a source in which its head, and the comma behind it, are looked for."""
_HEAD = spaced(rb'\{ "source" : \{[^{}]*\}')


class WrongCutError(Exception):
    """What seemed to be a source is none, or another one: the body has to be read whole."""


class StoredPredictions:
    """The sources of a job, each read from a file when it is asked for.

    Args:
        opened: The file, whose place is moved.
        spans: Where the text of each source begins and ends.
        sources: What each source is, by its first words.
    """

    def __init__(
        self, opened: BinaryIO, spans: list[tuple[int, int]], sources: list[Source]
    ) -> None:
        self._opened = opened
        self._spans = spans
        self.sources: list[Source] = sources
        self._first: int | None = None
        """The first source with files, whose first predictions are looked at."""

    @classmethod
    def find(cls, opened: BinaryIO) -> StoredPredictions | None:
        """Find the sources in the JSON text of a job's predictions, without reading it.

        That they are its sources is proven once all up to some place were read, one after the
        other: a wrong cut leaves a text before it that is no JSON.

        Returns:
            The predictions; `None` where the text is written in another way, and has to be
            read whole.

        Raises:
            OSError: The file cannot be read.
        """
        spans: list[tuple[int, int]] = []
        sources: list[Source] = []
        for start, stop in _cut(opened):
            source = _read_head_at(opened, start, stop)
            if source is None:
                return None
            spans.append((start, stop))
            sources.append(source)
        return cls(opened, spans, sources) if spans else None

    def __len__(self) -> int:
        """Return the number of sources."""
        return len(self._spans)

    def read(self, place: int) -> SourcePredictions:
        """Read one source, as `Predictions` reads it.

        Raises:
            WrongCutError: It is none, or not what its first words say.
            OSError: The file cannot be read.
        """
        piece = _read(self._opened, *self._spans[place])
        source, odd = read_source(piece, place)
        if source.source != self.sources[place]:
            raise WrongCutError
        if odd is not None and not is_json(repaired(piece) or piece):
            raise WrongCutError
        if self._first is None and source.files:
            self._first = place
        problem = problem_in(source, place, files=1, most=1) if place == self._first else None
        return source if problem is None else undecodable_at(piece, problem, place)

    def prove(self) -> bool:
        """Read all sources, one after the other; false if one of them is a wrong cut.

        Raises:
            OSError: The file cannot be read.
        """
        try:
            for place in range(len(self)):
                self.read(place)
        except WrongCutError:
            return False
        return True

    @property
    def sizes(self) -> list[int]:
        """Bytes of the text of each source."""
        return [stop - start for start, stop in self._spans]


def _read_head_at(opened: BinaryIO, start: int, stop: int) -> Source | None:
    """Return which source a text is of; `None` where that cannot be told."""
    beginning = _HEAD.match(_read(opened, start, min(start + _ENDS, stop)))
    source = None if beginning is None else read_head(beginning[0] + b"}")
    return read_head(_read(opened, start, stop)) if source is None else source


def _cut(opened: BinaryIO) -> Iterator[tuple[int, int]]:
    """Give where the parts of a list between which a source seems to begin start and end.

    One that is empty is no source. There is none in another text.
    """
    starts = _starts(opened)
    start = next(starts, None)
    while start is not None:
        following = next(starts, None)
        end, sign = (opened.seek(0, 2), b"]") if following is None else (following, b",")
        before = max(end - _ENDS, start)
        yield start, before + end_before(_read(opened, before, end), end - before, sign)
        start = following


def _starts(opened: BinaryIO) -> Iterator[int]:
    """Give the places at which a source seems to begin."""
    window, base = _read(opened, 0, _WINDOW), 0
    beginning = next(filter(None, [one.match(window) for one in BEGINNINGS]), None)
    if beginning is None:
        return
    first, searched = beginning[1], beginning.start(1)
    while len(window) >= len(first):
        while (found := window.find(first, searched)) >= 0:
            yield base + found
            searched = found + 1
        # The next window begins with what may be the beginning of one.
        base, searched = base + len(window) - len(first) + 1, 0
        window = _read(opened, base, base + _WINDOW)


def _read(opened: BinaryIO, start: int, stop: int) -> bytes:
    opened.seek(start)
    return opened.read(stop - start)
