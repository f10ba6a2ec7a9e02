"""Rows with open columns as tables: Arrow tables, and data frames made of them.

The newer products name expressions and questions as they like, so columns are those that occur,
in the order in which they do. What a row does not name is null, which is not zero. Packages for
tables are imported when they are asked for and never before.
"""

from __future__ import annotations

import abc
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from humeai_async._base.packages import load_package

OpenRow: TypeAlias = "dict[str, Any]"
"""One row: values by the name of their column."""


def make_table(rows: Iterable[OpenRow], fixed: Mapping[str, str]) -> Any:
    """Make a `pyarrow.Table` of rows.

    Args:
        rows: The rows, in order.
        fixed: Columns that are always there, first and in this order, with their Arrow types.
            Others are numbers of 64 bits, or text where a value is text.

    Raises:
        MissingPackageError: pyarrow is not installed.
    """
    pa = load_package("pyarrow")
    columns: dict[str, list[Any]] = {name: [] for name in fixed}
    count = 0
    for row in rows:
        for name, value in row.items():
            column = columns.setdefault(name, [])
            column += [None] * (count - len(column))
            column.append(value)
        count += 1
    arrays: dict[str, Any] = {}
    for name, values in columns.items():
        column = values + [None] * (count - len(values))
        kind = fixed.get(name) or _kind_of(column)
        arrays[name] = pa.array(column, type=pa.type_for_alias(kind))
    return pa.table(arrays)


def _kind_of(column: Iterable[Any]) -> str:
    return "string" if any(isinstance(value, str) for value in column) else "double"


class Tabular(abc.ABC):
    """A result that can be had as a table."""

    __slots__ = ()

    @abc.abstractmethod
    def rows(self, *, long: bool = False) -> Iterator[OpenRow]:
        """Give one flat row after the other."""

    @abc.abstractmethod
    def columns(self, *, long: bool = False) -> Mapping[str, str]:
        """Return the columns that are always there, with their Arrow types."""

    def to_arrow(self, *, long: bool = False) -> Any:
        """Make a `pyarrow.Table` of the rows; see `rows`.

        Args:
            long: Whether to make the long form.

        Raises:
            MissingPackageError: pyarrow is not installed (extra `arrow`).
        """
        return make_table(self.rows(long=long), self.columns(long=long))

    def to_polars(self, *, long: bool = False) -> Any:
        """Make a `polars.DataFrame` of the rows; else as `to_arrow`.

        Raises:
            MissingPackageError: polars or pyarrow is not installed.
        """
        from humeai_async.types.predictions import tables

        load_package("polars")
        return tables.to_polars(self.to_arrow(long=long))

    def to_pandas(self, *, long: bool = False) -> Any:
        """Make a `pandas.DataFrame` of the rows; else as `to_arrow`.

        Raises:
            MissingPackageError: pandas or pyarrow is not installed.
        """
        from humeai_async.types.predictions import tables

        load_package("pandas")
        return tables.to_pandas(self.to_arrow(long=long))
