"""Rows become columns here: Arrow record batches, wide or long, of one model or of all.

Rows whose scores have the same names are collected together: their numbers lie in one array,
row after row, of which a column is a slice. Where rows of several kinds take turns, their columns
are put together and brought into the order of the rows by pyarrow.
"""

from __future__ import annotations

import itertools
import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, cast

from humeai_async._base.packages import load_package
from humeai_async.errors import DecodeError
from humeai_async.types.predictions.rows import PLACE, PLACE_WIDTH, RowBatch
from humeai_async.types.predictions.schema import (
    FLOAT,
    INT,
    LABEL,
    LONG_SCHEMA,
    SCHEMA,
    STRING,
    arrow_type,
    columns_of,
    long_schema,
    schema,
)
from humeai_async.types.predictions.score_table import MOST_NAMES

__all__ = [
    "BATCH_ROWS",
    "LONG_BATCH_ROWS",
    "Columns",
    "LongColumns",
    "RowCollector",
    "text_array",
]

BATCH_ROWS = 16_384
"""Rows that are turned into columns, and put into a row group, at once: some 12 MB."""
LONG_BATCH_ROWS = 2_048
"""The same for the long form, which has some 50 rows for each of these."""


_STARTS = len(PLACE) - PLACE_WIDTH
"""Values that are the same for all places of a batch."""


class RowCollector(Protocol):
    """Collects rows and gives them as Arrow record batches."""

    def append(self, batch: RowBatch) -> None:
        """Add rows to the rest."""

    def take(self) -> Any:
        """Return all rows so far as a `pyarrow.RecordBatch`, and forget them."""

    def __len__(self) -> int:
        """Return the number of rows."""
        ...


class _Kind:
    """Rows whose scores have the same names in the same order."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = tuple(dict.fromkeys(names))
        self.count = 0
        self.order: list[range] = []
        """Numbers of the rows among all that were collected."""
        self.starts: list[tuple[tuple[str, str, str, str], int]] = []
        """Source, file, model and label, and for how many rows."""
        self.places: list[Any] = []
        """The rest of the places, one after the other: many tuples would keep the garbage
        collector busy."""
        self.scores: array[float] = array("d")
        self.may_have_gaps = False
        self._last = None
        if len(self.names) < len(names):  # the last one counts, as everywhere
            self._last = [len(names) - 1 - names[::-1].index(name) for name in self.names]

    def append(self, number: int, batch: RowBatch) -> None:
        """Add rows to the rest; the first one has this number."""
        self.count += batch.size
        self.order.append(range(number, number + batch.size))
        self.starts.append((batch.start, batch.size))
        self.places += batch.places
        self.may_have_gaps |= batch.may_have_gaps
        if self._last is None:
            self.scores.extend(batch.scores)
        else:
            width = len(batch.names)
            for first in range(0, width * batch.size, width):
                self.scores.fromlist([batch.scores[first + at] for at in self._last])

    def place_columns(self, pa: Any, kinds: Mapping[str, str]) -> dict[str, Any]:
        """Return arrays of the columns that say where the rows come from, those with a kind."""
        found: dict[str, Any] = {}
        for at, name in enumerate(PLACE):
            if name not in kinds:
                continue
            beyond = at - _STARTS
            if beyond < 0:
                found[name] = _repeated_labels(pa, [(start[at], n) for start, n in self.starts])
                if kinds[name] == STRING:
                    found[name] = found[name].dictionary_decode()
            else:
                found[name] = _column(pa, kinds[name], self.places[beyond::PLACE_WIDTH])
        return found

    def score_columns(self) -> dict[str, array[float]]:
        """Return the columns of the scores."""
        return {name: self.scores[at :: len(self.names)] for at, name in enumerate(self.names)}


class _Kinds:
    """All rows that were collected, by the names of their scores."""

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._kinds: dict[tuple[str, ...], _Kind] = {}
        self._count = 0

    def append(self, batch: RowBatch) -> None:
        """Add rows to the table.

        Raises:
            DecodeError: The rows have more than `MOST_NAMES` different names of scores.
        """
        self._kind_of(batch.names).append(self._count, batch)
        self._count += batch.size

    def _kind_of(self, names: tuple[str, ...]) -> _Kind:
        kind = self._kinds.get(names)
        if kind is None:
            self._add(names)
            kind = self._kinds[names] = _Kind(names)
        return kind

    def _add(self, names: tuple[str, ...]) -> None:
        """Take note of names that no row of this batch has had."""

    def _in_order(self, batches: list[Any], *, long: bool) -> Any:
        """Put the rows of all kinds together, in the order in which they were collected."""
        pa = load_package("pyarrow")
        kinds = [*self._kinds.values()]
        self._forget()
        if len(batches) == 1:
            return batches[0]
        table = pa.Table.from_batches(batches)
        numbers = [
            _repeated([*itertools.chain.from_iterable(kind.order)], len(kind.names) if long else 1)
            for kind in kinds
        ]
        # As each kind is in order, sorting only merges them.
        place = [*itertools.chain.from_iterable(numbers)]
        order = array("q", sorted(range(len(place)), key=place.__getitem__))
        moved = table.take(_plain(pa, INT, order))
        return moved.combine_chunks().to_batches()[0]

    def __len__(self) -> int:
        """Return the number of rows."""
        return self._count


class Columns(_Kinds):
    """Collects rows for the wide form: a row a prediction, a column an expression.

    Args:
        grows: Whether expressions beyond the schema become columns at the end; otherwise they
            are left out.
        model: The model that all rows are of, so that only its columns are made.
        scores: Arrow's name of the type of scores: `double`, or `float` for 32 bits.
    """

    def __init__(
        self, *, grows: bool = False, model: str | None = None, scores: str = FLOAT
    ) -> None:
        super().__init__()
        self._grows = grows
        self._model = model
        self._type = scores
        self._place_names, self._score_names = columns_of(model)
        self._extra: dict[str, None] = {}

    @property
    def extra(self) -> tuple[str, ...]:
        """Names of the columns beyond the schema so far, in the order in which they came."""
        return tuple(self._extra)

    def take(self) -> Any:
        """Return all rows so far as a `pyarrow.RecordBatch`, and forget them.

        Its columns are those of the schema, then those in `extra`.

        Raises:
            MissingPackageError: pyarrow is not installed.
        """
        pa = load_package("pyarrow")
        columns = schema(self.extra, model=self._model, scores=self._type)
        batches = [self._batch(pa, columns, kind) for kind in self._kinds.values()]
        if not batches:
            return pa.RecordBatch.from_pylist([], schema=columns)
        return self._in_order(batches, long=False)

    def _batch(self, pa: Any, columns: Any, kind: _Kind) -> Any:
        scores = kind.score_columns()
        found = kind.place_columns(pa, {name: SCHEMA[name] for name in self._place_names})
        arrays: list[Any] = []
        for field in columns:
            if field.name in found:
                arrays.append(found[field.name])
            elif field.name in scores:
                numbers = _plain(pa, FLOAT, scores[field.name], may_have_gaps=kind.may_have_gaps)
                arrays.append(_as_type(numbers, field.type))
            else:
                arrays.append(pa.nulls(kind.count, field.type))
        return pa.RecordBatch.from_arrays(arrays, schema=columns)

    def _add(self, names: tuple[str, ...]) -> None:
        if not self._grows:
            return
        known = self._score_names
        new = [name for name in names if name not in self._extra and name not in known]
        if len(known) + len(self._extra) + len(new) > MOST_NAMES:
            raise DecodeError(f"the scores have more than {MOST_NAMES} different names")
        self._extra |= dict.fromkeys(new)


class LongColumns(_Kinds):
    """Collects rows for the long form: a row for each score of a prediction.

    Args:
        scores: Arrow's name of the type of scores: `double`, or `float` for 32 bits.
    """

    def __init__(self, *, scores: str = FLOAT) -> None:
        super().__init__()
        self._type = scores

    def take(self) -> Any:
        """Return all scores of the rows so far as a `pyarrow.RecordBatch`, and forget them.

        Raises:
            MissingPackageError: pyarrow is not installed.
        """
        pa = load_package("pyarrow")
        columns = long_schema(scores=self._type)
        batches = [self._batch(pa, columns, kind) for kind in self._kinds.values()]
        if not batches:
            return pa.RecordBatch.from_pylist([], schema=columns)
        return self._in_order(batches, long=True)

    def _batch(self, pa: Any, columns: Any, kind: _Kind) -> Any:
        often = len(kind.names)
        rows = _plain(pa, INT, array("q", _repeated(range(kind.count), often)))
        found = kind.place_columns(pa, LONG_SCHEMA)
        arrays = {name: column.take(rows) for name, column in found.items()}
        places = array("i", range(often)) * kind.count
        arrays["expression"] = _labels(pa, places, kind.names)
        arrays["score"] = _as_type(_plain(pa, FLOAT, kind.scores), columns.field("score").type)
        return pa.RecordBatch.from_arrays([arrays[name] for name in columns.names], schema=columns)


def _as_type(numbers: Any, kind: Any) -> Any:
    return numbers if numbers.type == kind else numbers.cast(kind)


def _repeated(numbers: Sequence[int], often: int) -> Iterable[int]:
    """Give each number so many times."""
    if often == 1:
        return numbers
    return itertools.chain.from_iterable(zip(*[numbers] * often, strict=True))


# Arrays are put together from buffers: pyarrow's own way from Python objects imports pandas
# where that is installed, which takes 45 MB and half a second.


def _column(pa: Any, kind: str, values: Sequence[Any]) -> Any:
    """Make an array of Python values, of a type by its name in `SCHEMA`."""
    if values.count(None) == len(values):
        return pa.nulls(len(values), arrow_type(kind))
    if kind == LABEL:
        return _encoded(pa, values)
    if kind == STRING:
        # Nearly all texts stand in many rows: those are made of a label each.
        return _encoded(pa, values).dictionary_decode()
    if kind == INT:
        return _integers(pa, values)
    try:
        plain = array("d", values)
    except TypeError:  # None among them
        plain = array("d", [math.nan if value is None else value for value in values])
    return _plain(pa, FLOAT, plain)


def _repeated_labels(pa: Any, values: Sequence[tuple[str, int]]) -> Any:
    """Make an array of labels of texts that stand in so many rows each."""
    numbers = {text: at for at, text in enumerate(dict.fromkeys([text for text, _ in values]))}
    places = array("i")
    for text, often in values:
        places.extend(array("i", [numbers[text]]) * often)
    return _labels(pa, places, [*numbers])


def _encoded(pa: Any, values: Sequence[str | None]) -> Any:
    """Make an array of labels; each text is kept once."""
    texts = dict.fromkeys(values)
    texts.pop(None, None)
    numbers: dict[str | None, int] = {text: at for at, text in enumerate(texts)}
    places = array("i", [numbers.get(value, 0) for value in values])
    present = _bitmap(pa, [value is not None for value in values]) if None in values else None
    return _labels(pa, places, [*texts], present)


def _labels(pa: Any, places: array[int], texts: Sequence[str | None], present: Any = None) -> Any:
    indices = pa.Array.from_buffers(pa.int32(), len(places), [present, pa.py_buffer(places)])
    return pa.DictionaryArray.from_arrays(indices, text_array(pa, texts))


def text_array(pa: Any, values: Sequence[str | None]) -> Any:
    """Make an array of texts, an empty one for `None`."""
    encoded = [b"" if value is None else value.encode() for value in values]
    ends = array("i", itertools.accumulate(map(len, encoded), initial=0))
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(values), buffers)


def _integers(pa: Any, values: Sequence[int | None]) -> Any:
    try:
        return _plain(pa, INT, array("q", cast("Sequence[int]", values)))
    except TypeError:
        plain = array("q", [0 if value is None else value for value in values])
    present = _bitmap(pa, [value is not None for value in values])
    return pa.Array.from_buffers(pa.int64(), len(plain), [present, pa.py_buffer(plain)])


def _plain(pa: Any, kind: str, plain: array[Any], *, may_have_gaps: bool = True) -> Any:
    """Wrap an array; what is not a number stands for what is missing, as JSON has no such."""
    present = None
    if kind == FLOAT and may_have_gaps and math.isnan(sum(plain)):
        # The sum of all is not a number if one of them is not, and rarely else.
        present = _bitmap(pa, [value == value for value in plain])  # noqa: PLR0124 - that is what not a number is
    return pa.Array.from_buffers(arrow_type(kind), len(plain), [present, pa.py_buffer(plain)])


def _bitmap(pa: Any, flags: list[bool]) -> Any:
    """Make Arrow's bitmap of the values that are there; `None` where all are."""
    if all(flags):
        return None
    bits = int("".join(["1" if flag else "0" for flag in reversed(flags)]), base=2)
    return pa.py_buffer(bits.to_bytes(-(-len(flags) // 8), "little"))
