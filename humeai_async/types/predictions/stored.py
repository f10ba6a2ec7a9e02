"""The predictions of a job in a file, of which one source at a time is in memory.

Each source begins as the first one does, so the places of all are found at the speed of a search,
and proven by reading what lies between two of them. Bulk runs read large bodies so; how one
source is read is in `source_texts.py`. It blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from humeai_async.types.predictions.measurements import Source, SourcePredictions
from humeai_async.types.predictions.source_texts import (
    BEGINNING,
    end_before,
    problem_in,
    read_head,
    read_source,
    undecodable_at,
)

_WINDOW = 1 << 20
"""Bytes that are read from the file at once."""


class StoredPredictions:
    """The sources of a job, each read from a file when it is asked for.

    Args:
        opened: The file, whose place is moved.
        spans: Where the text of each source begins and ends.
        sources: What each source is.
        first: The first source with files, whose first predictions are looked at.
    """

    def __init__(
        self,
        opened: BinaryIO,
        spans: list[tuple[int, int]],
        sources: list[Source],
        first: int | None,
    ) -> None:
        self._opened = opened
        self._spans = spans
        self.sources: list[Source] = sources
        self._first = first

    @classmethod
    def find(cls, opened: BinaryIO) -> StoredPredictions | None:
        """Find the sources in the JSON text of a job's predictions.

        Returns:
            The predictions; `None` where the text is written in another way, and has to be
            read whole.

        Raises:
            OSError: The file cannot be read.
        """
        spans: list[tuple[int, int]] = []
        sources: list[Source] = []
        first: int | None = None
        for start, piece in _cut(opened):
            source = read_head(piece)
            if source is None:
                return None
            if first is None and read_source(bytes(piece), len(spans))[0].files:
                first = len(spans)
            spans.append((start, start + len(piece)))
            sources.append(source)
        return cls(opened, spans, sources, first) if spans else None

    def __len__(self) -> int:
        """Return the number of sources."""
        return len(self._spans)

    def __getitem__(self, place: int) -> SourcePredictions:
        """Read one source, as `Predictions` reads it.

        Raises:
            OSError: The file cannot be read.
        """
        start, stop = self._spans[place]
        piece = _read(self._opened, start, stop)
        source, _ = read_source(piece, place)
        problem = problem_in(source, place, files=1, most=1) if place == self._first else None
        return source if problem is None else undecodable_at(piece, problem, place)

    @property
    def sizes(self) -> list[int]:
        """Bytes of the text of each source."""
        return [stop - start for start, stop in self._spans]


def _cut(opened: BinaryIO) -> Iterator[tuple[int, memoryview]]:
    """Give the parts of a list between which a source seems to begin, and where they stand.

    One that is empty is no source. There is none in another text.
    """
    starts = _starts(opened)
    start = next(starts, None)
    while start is not None:
        following = next(starts, None)
        piece = _read(opened, start, following)
        sign = b"]" if following is None else b","
        yield start, memoryview(piece)[: end_before(piece, len(piece), sign)]
        start = following


def _starts(opened: BinaryIO) -> Iterator[int]:
    """Give the places at which a source seems to begin."""
    window, base = _read(opened, 0, _WINDOW), 0
    beginning = BEGINNING.match(window)
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


def _read(opened: BinaryIO, start: int, stop: int | None) -> bytes:
    opened.seek(start)
    return opened.read(-1 if stop is None else stop - start)
