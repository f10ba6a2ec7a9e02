"""Predictions by column: a `Block` is some of them whose scores have the same names.

Summaries, timelines and reports add scores up, column by column; they take blocks, which are made
of rows here and of the columns of a file in `report/results.py`. It knows rows and nothing of
what is made of blocks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Protocol

from humeai_async.types.predictions.rows import RowBatch

__all__ = ["Block", "Label", "block_of_labels", "blocks_of", "is_expression"]

_BESIDE = ("sentiment_", "toxicity_", "facs_", "descriptions_")
"""How columns begin whose scores are no expressions."""


def is_expression(name: str) -> bool:
    """Whether a column holds scores of an expression, and not of sentiment, FACS and the like."""
    return not name.startswith(_BESIDE)


class Block:
    """Predictions of one source, model and label, with the scores of their expressions.

    Attributes:
        source: The source, as tables name it.
        model: The model.
        id: Label of the face or speaker, or `unknown`.
        begins: Begin of each prediction, in seconds; `None` where the media has no time.
        ends: End of each.
        texts: Text of each, if it has one.
        columns: By expression, a score for each prediction; what is no number stands for none.
    """

    __slots__ = ("_sums", "begins", "columns", "ends", "id", "model", "source", "texts")

    def __init__(
        self,
        key: tuple[str, str, str],
        begins: Sequence[float | None],
        ends: Sequence[float | None],
        texts: Sequence[str | None],
        columns: dict[str, Sequence[float]],
    ) -> None:
        self.source: str = key[0]
        self.model: str = key[1]
        self.id: str = key[2]
        self.begins: Sequence[float | None] = begins
        self.ends: Sequence[float | None] = ends
        self.texts: Sequence[str | None] = texts
        self.columns: dict[str, Sequence[float]] = columns
        self._sums: dict[str, float] | None = None

    @property
    def sums(self) -> dict[str, float]:
        """By expression the sum of its scores; those without any number are left out.

        Each sum is exact before it is rounded, so that it does not depend on Python's version.
        """
        if self._sums is None:
            self._sums = _sums_of(self.columns)
        return self._sums

    def __len__(self) -> int:
        """Return the number of predictions."""
        return len(self.begins)


def _sums_of(columns: dict[str, Sequence[float]]) -> dict[str, float]:
    try:
        sums = {name: math.fsum(column) for name, column in columns.items()}
    except (ValueError, OverflowError):  # infinities of either sign
        sums = dict.fromkeys(columns, math.nan)
    if math.isfinite(sum(sums.values())):
        return sums
    numbers = {name: [*filter(math.isfinite, column)] for name, column in columns.items()}
    return {name: math.fsum(some) for name, some in numbers.items() if some}


def blocks_of(batches: Iterable[RowBatch]) -> Iterator[Block]:
    """Make a block of each batch of rows."""
    for batch in batches:
        (source, _, model, label), width = batch.start, len(batch.names)
        places = batch.place_columns()
        yield Block(
            (source, model, label),
            places["begin"],
            places["end"],
            places["text"],
            {name: batch.scores[at::width] for name, at in _places_of(batch.names).items()},
        )


@lru_cache(maxsize=256)  # asked for each block, and those of a model have the same names
def _places_of(names: tuple[str, ...]) -> dict[str, int]:
    """Return where the scores of each expression stand; of a name that is twice, the last one."""
    return {name: place for place, name in enumerate(names) if is_expression(name)}


class Label(Protocol):
    """A label that a measurement lists, with its score."""

    @property
    def name(self) -> str:
        """The label, such as `joy`."""
        ...

    @property
    def probability(self) -> float:
        """Score of the label, 0 to 1."""
        ...


def block_of_labels(
    key: tuple[str, str, str],
    spans_ms: Sequence[tuple[float | None, float | None]],
    listed: Sequence[Sequence[Label]],
) -> Block | None:
    """Make a block of measurements that list only some labels; of the others it has no numbers.

    Args:
        key: Source, model and label of the face or speaker.
        spans_ms: Begin and end of each measurement in milliseconds.
        listed: What each lists.

    Returns:
        The block; `None` where no measurement lists anything.
    """
    scores = [{one.name: one.probability for one in labels} for labels in listed]
    names = dict.fromkeys(name for row in scores for name in row)
    if not names:
        return None
    begins = [None if begin is None else begin / 1000 for begin, _ in spans_ms]
    ends = [None if end is None else end / 1000 for _, end in spans_ms]
    columns = {name: [row.get(name, math.nan) for row in scores] for name in names}
    return Block(key, begins, ends, [None] * len(scores), {**columns})
