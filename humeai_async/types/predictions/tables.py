"""Predictions as tables: Arrow tables with documented columns, and data frames made of them.

The wide form has one row a prediction. Its columns are `SCHEMA`, all of them in its order,
whatever models ran, or only those of one model. The long form, `LONG_SCHEMA`, has one row for
each score. Expressions that Hume has added since, and scores that a job can ask for beside the
expressions, such as `facs_AU2 Outer Brow Raise`, are further columns at the end of the wide form
and values of `expression` in the long one. `Predictions`, outcomes and the sinks call it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from humeai_async._base.packages import load_package
from humeai_async.types.predictions.columns import (
    BATCH_ROWS,
    LONG_BATCH_ROWS,
    Columns,
    LongColumns,
    RowCollector,
)
from humeai_async.types.predictions.rows import RowBatch
from humeai_async.types.predictions.schema import (
    LONG_SCHEMA,
    SCHEMA,
    check_model,
    long_schema,
    schema,
)

__all__ = [
    "BATCH_ROWS",
    "LONG_SCHEMA",
    "SCHEMA",
    "Columns",
    "LongColumns",
    "TableMaker",
    "check_model",
    "long_schema",
    "schema",
    "to_arrow",
    "to_pandas",
    "to_polars",
]


class TableMaker:
    """Makes one Arrow table of rows that come little by little.

    Args:
        model: The model that all rows are of, so that only its columns are made.
        long: Whether to make the long form.

    Raises:
        InvalidArgumentError: There is no such model.
        MissingPackageError: pyarrow is not installed.
    """

    def __init__(self, *, model: str | None = None, long: bool = False) -> None:
        check_model(model)
        self._pa = load_package("pyarrow")
        self._rows: RowCollector = LongColumns() if long else Columns(grows=True, model=model)
        self._most = LONG_BATCH_ROWS if long else BATCH_ROWS
        self._parts: list[Any] = []

    def add(self, batches: Iterable[RowBatch]) -> None:
        """Add rows; memory holds them as columns, and `BATCH_ROWS` of them as they are.

        Raises:
            DecodeError: A list of scores is not what was promised.
        """
        for batch in batches:
            self._rows.append(batch)
            if len(self._rows) >= self._most:
                self._parts.append(self._rows.take())

    def finish(self) -> Any:
        """Return a `pyarrow.Table` of all rows."""
        if len(self._rows) or not self._parts:
            self._parts.append(self._rows.take())
        columns = self._parts[-1].schema
        if self._parts[0].schema.equals(columns):
            return self._pa.Table.from_batches(self._parts)
        tables = [self._pa.Table.from_batches([part]) for part in self._parts]
        joined = self._pa.concat_tables(tables, promote_options="default")
        return joined.replace_schema_metadata(columns.metadata)


def to_arrow(batches: Iterable[RowBatch], *, model: str | None = None, long: bool = False) -> Any:
    """Make a `pyarrow.Table` of rows, with all expressions that occur in them.

    Args:
        batches: The rows, in order.
        model: The model that all rows are of, so that only its columns are made.
        long: Whether to make the long form.

    Raises:
        InvalidArgumentError: There is no such model.
        MissingPackageError: pyarrow is not installed.
    """
    maker = TableMaker(model=model, long=long)
    maker.add(batches)
    return maker.finish()


def to_polars(table: Any) -> Any:
    """Make a `polars.DataFrame` of an Arrow table.

    Raises:
        MissingPackageError: polars is not installed.
    """
    return load_package("polars").from_arrow(table)


def to_pandas(table: Any) -> Any:
    """Make a `pandas.DataFrame` of an Arrow table; whole numbers stay whole beside gaps.

    Raises:
        MissingPackageError: pandas is not installed.
    """
    pandas, pa = load_package("pandas"), load_package("pyarrow")
    return table.to_pandas(types_mapper={pa.int64(): pandas.Int64Dtype()}.get)
