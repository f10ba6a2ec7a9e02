"""Rows as columns: Arrow tables with one documented schema, and data frames made of them.

The schema is `SCHEMA`: every table and every Parquet file has all of its columns, in its
order, whatever models ran. Names of expressions that it does not hold are left out; the JSON
has them. pyarrow, polars and pandas are imported when they are asked for and never before.
`Predictions` and the Parquet sink call it.
"""

from __future__ import annotations

import importlib
from array import array
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from humeai_async.errors import MissingPackageError
from humeai_async.rows import PLACE, SCORES, Row
from humeai_async.types.score_table import ScoreTable

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

BATCH_ROWS = 8192
"""Rows that are turned into columns at once: some 10 MB."""


class Columns:
    """Collects rows and gives them as Arrow record batches."""

    def __init__(self) -> None:
        self._places: list[tuple[Any, ...]] = []
        self._scores = ScoreTable(SCORES)

    def append(self, row: Row) -> None:
        """Take a row in."""
        self._places.append(row.place)
        self._scores.append(row.names, row.scores)

    def take(self) -> Any:
        """Return all rows so far as a `pyarrow.RecordBatch`, and forget them.

        Raises:
            MissingPackageError: pyarrow is not installed.
        """
        pa = load("pyarrow")
        arrays = [*self._place_arrays(pa), *self._score_arrays(pa)]
        self._places, self._scores = [], ScoreTable(SCORES)
        return pa.RecordBatch.from_arrays(arrays, schema=schema())

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._places)

    def _place_arrays(self, pa: Any) -> Iterator[Any]:
        columns = zip(*self._places, strict=True) if self._places else [()] * len(PLACE)
        for name, values in zip(PLACE, columns, strict=True):
            yield pa.array(values, SCHEMA[name])

    def _score_arrays(self, pa: Any) -> Iterator[Any]:
        compute = load("pyarrow.compute")
        for name in SCORES:
            plain = _as_arrow(pa, self._scores.column(name))
            missing = compute.is_nan(plain)
            # JSON has no such number, so it can stand for what is not there until here.
            yield compute.if_else(missing, None, plain) if missing.true_count else plain


def _as_arrow(pa: Any, values: array[float]) -> Any:
    """Wrap an array without copying it."""
    return pa.Array.from_buffers(pa.float64(), len(values), [None, pa.py_buffer(values)])


def schema() -> Any:
    """Return `SCHEMA` as a `pyarrow.Schema`.

    Raises:
        MissingPackageError: pyarrow is not installed.
    """
    pa = load("pyarrow")
    return pa.schema([(name, pa.type_for_alias(kind)) for name, kind in SCHEMA.items()])


def batches(rows: Iterable[Row], size: int = BATCH_ROWS) -> Iterator[Any]:
    """Turn rows into record batches of a size.

    Raises:
        MissingPackageError: pyarrow is not installed.
    """
    columns = Columns()
    for row in rows:
        columns.append(row)
        if len(columns) >= size:
            yield columns.take()
    if len(columns):
        yield columns.take()


def to_arrow(rows: Iterable[Row]) -> Any:
    """Make a `pyarrow.Table` of rows.

    Raises:
        MissingPackageError: pyarrow is not installed.
    """
    pa = load("pyarrow")
    return pa.Table.from_batches(batches(rows), schema=schema())


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
