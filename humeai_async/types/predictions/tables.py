"""Rows as columns: Arrow tables with one documented schema, and data frames made of them.

The schema is `SCHEMA`: every table and every Parquet file has all of its columns, in its order,
whatever models ran. Expressions that it does not know, which Hume has added since, are further
columns at the end, named as they came. pyarrow, polars and pandas are imported when they are
asked for and never before. `Predictions` and the Parquet sink call it.
"""

from __future__ import annotations

import importlib
import itertools
import math
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from humeai_async.errors import MissingPackageError
from humeai_async.types.predictions.rows import PLACE, SCORES, Row
from humeai_async.types.predictions.score_table import ScoreTable

STRING, INT, FLOAT = "string", "int64", "double"
"""Names of the types, as Arrow has them."""

_TEXTS = frozenset({"source", "file", "model", "id", "text"})
_INTEGERS = frozenset({"frame", "text_begin", "text_end"})

SCHEMA: Mapping[str, str] = {
    name: STRING if name in _TEXTS else INT if name in _INTEGERS else FLOAT
    for name in (*PLACE, *SCORES)
}
"""Type by column; every column may be null.

Scores are 64-bit floats because that is what the service's JSON says: what is read from a
table equals what is read from the objects. Times are seconds, boxes pixels of the frame.
"""

BATCH_ROWS = 2048
"""Rows that are turned into columns, and put into a row group, at once: some 3 MB."""


class Columns:
    """Collects rows and gives them as Arrow record batches.

    Args:
        grows: Whether expressions beyond `SCHEMA` become columns at the end; otherwise they
            are left out.
    """

    def __init__(self, *, grows: bool = False) -> None:
        self._places: list[tuple[Any, ...]] = []
        self._grows = grows
        self._scores = ScoreTable(SCORES, grows=grows)

    @property
    def extra(self) -> tuple[str, ...]:
        """Names of the columns beyond `SCHEMA` so far, in the order in which they came."""
        return self._scores.names[len(SCORES) :]

    def append(self, row: Row) -> None:
        """Add one row to the table.

        Raises:
            DecodeError: The rows have more than `MOST_NAMES` different names of scores.
        """
        self._places.append(row.place)
        self._scores.append(row.names, row.scores)

    def take(self) -> Any:
        """Return all rows so far as a `pyarrow.RecordBatch`, and forget them.

        Its columns are those of `SCHEMA`, then those in `extra`.

        Raises:
            MissingPackageError: pyarrow is not installed.
        """
        pa = load("pyarrow")
        arrays = [*self._place_arrays(pa), *self._score_arrays(pa)]
        columns = schema(self.extra)
        self._places, self._scores = [], ScoreTable(self._scores.names, grows=self._grows)
        return pa.RecordBatch.from_arrays(arrays, schema=columns)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._places)

    def _place_arrays(self, pa: Any) -> Iterator[Any]:
        columns = zip(*self._places, strict=True) if self._places else [()] * len(PLACE)
        for name, values in zip(PLACE, columns, strict=True):
            yield _MAKERS[SCHEMA[name]](pa, values)

    def _score_arrays(self, pa: Any) -> Iterator[Any]:
        for name in self._scores.names:
            yield _numbers(pa, self._scores.column(name))


# Arrays are put together from buffers: pyarrow's own way from Python objects imports pandas
# where that is installed, which takes 45 MB and half a second.


def _texts(pa: Any, values: Sequence[str | None]) -> Any:
    encoded = [b"" if value is None else value.encode() for value in values]
    ends = array("i", itertools.accumulate(map(len, encoded), initial=0))
    buffers = [_present(pa, [value is not None for value in values]), pa.py_buffer(ends)]
    return pa.Array.from_buffers(
        pa.string(), len(values), [*buffers, pa.py_buffer(b"".join(encoded))]
    )


def _integers(pa: Any, values: Sequence[int | None]) -> Any:
    plain = array("q", [0 if value is None else value for value in values])
    present = _present(pa, [value is not None for value in values])
    return pa.Array.from_buffers(pa.int64(), len(plain), [present, pa.py_buffer(plain)])


def _floats(pa: Any, values: Sequence[float | None]) -> Any:
    return _numbers(pa, array("d", [math.nan if value is None else value for value in values]))


def _numbers(pa: Any, plain: array[float]) -> Any:
    """Wrap an array; what is not a number stands for what is missing, as JSON has no such."""
    # The sum of all is not a number if one of them is not, and rarely else.
    has_gaps = math.isnan(sum(plain))
    present = _present(pa, [value == value for value in plain]) if has_gaps else None  # noqa: PLR0124 - that is what not a number is
    return pa.Array.from_buffers(pa.float64(), len(plain), [present, pa.py_buffer(plain)])


def _present(pa: Any, flags: list[bool]) -> Any:
    """Make Arrow's bitmap of the values that are there; `None` where all are."""
    if all(flags):
        return None
    bits = int("".join(["1" if flag else "0" for flag in reversed(flags)]), base=2)
    return pa.py_buffer(bits.to_bytes(-(-len(flags) // 8), "little"))


_MAKERS: Mapping[str, Callable[[Any, Sequence[Any]], Any]] = {
    STRING: _texts,
    INT: _integers,
    FLOAT: _floats,
}


def schema(extra: Iterable[str] = ()) -> Any:
    """Return `SCHEMA` as a `pyarrow.Schema`.

    Args:
        extra: Names of further columns of numbers, which go to the end.

    Raises:
        MissingPackageError: pyarrow is not installed.
    """
    pa = load("pyarrow")
    columns = [*SCHEMA.items(), *[(name, FLOAT) for name in extra]]
    return pa.schema([(name, pa.type_for_alias(kind)) for name, kind in columns])


def batches(rows: Iterable[Row], size: int = BATCH_ROWS, *, grows: bool = False) -> Iterator[Any]:
    """Turn rows into record batches.

    Args:
        rows: The rows, in order.
        size: Rows in each batch.
        grows: Whether expressions beyond `SCHEMA` become columns at the end of the batch in
            which they first occur, and of all after it; otherwise they are left out.

    Raises:
        MissingPackageError: pyarrow is not installed.
    """
    columns = Columns(grows=grows)
    for row in rows:
        columns.append(row)
        if len(columns) >= size:
            yield columns.take()
    if len(columns):
        yield columns.take()


def to_arrow(rows: Iterable[Row]) -> Any:
    """Make a `pyarrow.Table` of rows, with all expressions that occur in them.

    Raises:
        MissingPackageError: pyarrow is not installed.
    """
    pa = load("pyarrow")
    parts = [*batches(rows, grows=True)]
    if not parts:
        return pa.Table.from_batches([], schema=schema())
    if parts[0].schema.equals(parts[-1].schema):
        return pa.Table.from_batches(parts)
    tables = [pa.Table.from_batches([part]) for part in parts]
    return pa.concat_tables(tables, promote_options="default")


def to_polars(table: Any) -> Any:
    """Make a `polars.DataFrame` of an Arrow table.

    Raises:
        MissingPackageError: polars is not installed.
    """
    return load("polars").from_arrow(table)


def to_pandas(table: Any) -> Any:
    """Make a `pandas.DataFrame` of an Arrow table; whole numbers stay whole beside gaps.

    Raises:
        MissingPackageError: pandas is not installed.
    """
    pandas, pa = load("pandas"), load("pyarrow")
    return table.to_pandas(types_mapper={pa.int64(): pandas.Int64Dtype()}.get)


_SOURCES = {
    "pyarrow": "tables need pyarrow: pip install 'humeai_async[arrow]'",
    "polars": "to_polars needs polars: pip install polars",
    "pandas": "to_pandas needs pandas: pip install pandas",
}


def load(package: str) -> Any:
    """Import a package that only tables need.

    Raises:
        MissingPackageError: It is not installed; the message says what to install.
    """
    try:
        return importlib.import_module(package)
    except ImportError:
        advice = _SOURCES[package.partition(".")[0]]
    raise MissingPackageError(advice)
