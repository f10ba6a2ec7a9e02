"""One file of a table of Parquet on its way to its name.

It knows columns and row groups, and the checkpoint that a file ends with; `parquet.py` makes the
table of many.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from humeai_async._base import atomic_files
from humeai_async._base.packages import load_package
from humeai_async.types.predictions import tables

COMPRESSION = "zstd"
_LABELS = ["source", "file", "model", "id", "text"]
"""Columns whose texts are written once for many rows."""
_POSITION = b"humeai_async.position"
"""Key in a file's metadata: the last checkpoint whose rows it holds."""


def position_of(schema: Any) -> int:
    """Return the last checkpoint whose rows a file holds; -1 for a file of somebody else."""
    metadata: dict[bytes, bytes] = schema.metadata or {}
    return int(metadata.get(_POSITION, b"-1"))


class PartFile:
    """A file under way to its name: it appears there only when it is complete.

    Args:
        target: Its name.
        position: The last checkpoint whose rows it holds.
        schema: Its columns.

    Attributes:
        rows: Rows so far.
    """

    def __init__(self, target: Path, position: int, schema: Any) -> None:
        self.rows: int = 0
        self._target = target
        self._arrow = load_package("pyarrow")
        metadata: dict[bytes, bytes] = {
            **(schema.metadata or {}),
            _POSITION: str(position).encode(),
        }
        self._schema = schema.with_metadata(metadata)
        self._last: Any = None
        """A row group that waits: the file's last one would be small, and goes into this one."""
        self._partial = atomic_files.partial_name(target)
        self._file = atomic_files.create_partial(self._partial, target)
        self._writer = load_package("pyarrow.parquet").ParquetWriter(
            self._file, self._schema, compression=COMPRESSION, use_dictionary=_LABELS
        )

    def has_columns(self, names: Sequence[str]) -> bool:
        """Whether the file has all of some columns."""
        return set(names) <= set(self._schema.names)

    def add(self, rows: Any) -> None:
        """Write a row group; columns that it does not have are null."""
        table = with_columns(rows, self._schema)
        self.rows += table.num_rows
        if self._last is not None and table.num_rows < tables.BATCH_ROWS:
            table = self._arrow.concat_tables([self._last, table])
        elif self._last is not None:
            self._write(self._last)
        self._last = table

    def finish(self) -> None:
        """Write the end, and give the file its name."""
        try:
            self._write(self._last)
            self._writer.close()
            atomic_files.flush(self._file)
            self._file.close()
            atomic_files.put_in_place(self._partial, self._target)
        finally:
            self.close()

    def close(self) -> None:
        """Remove what is not complete."""
        with contextlib.suppress(OSError, ValueError):
            self._writer.close()
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            self._partial.unlink(missing_ok=True)

    def _write(self, table: Any) -> None:
        self._writer.write_table(table, row_group_size=max(table.num_rows, 1))


def with_columns(rows: Any, schema: Any) -> Any:
    """Return a table of rows with the columns of a schema; those that are not there are null."""
    arrow, names = load_package("pyarrow"), rows.schema.names
    columns = [
        rows.column(field.name).cast(field.type)
        if field.name in names
        else arrow.nulls(rows.num_rows, field.type)
        for field in schema
    ]
    return arrow.Table.from_arrays(columns, schema=schema)
