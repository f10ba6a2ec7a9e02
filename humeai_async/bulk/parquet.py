"""One Parquet file, written in parts that survive a crash.

A Parquet file can be read only once its end is written, so what arrives goes into parts under
a hidden folder, one for each checkpoint; each has its end and is never touched again. Closing
the run puts them together, one batch of rows in memory at a time. It knows rows and pyarrow,
and no outcomes; the sinks call it.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import shutil
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

from humeai_async._base import atomic_files
from humeai_async.errors import SaveError
from humeai_async.types.predictions import tables
from humeai_async.types.predictions.rows import Row

COMPRESSION = "zstd"

_POSITION = b"humeai_async.position"
"""Key in a file's metadata: the last checkpoint whose rows it holds."""


class ParquetParts:
    """Rows of a run on their way into a Parquet file.

    A position is the number of the last checkpoint; 0 is before the first. Memory holds at
    most `tables.BATCH_ROWS` rows, whatever is written.

    Args:
        path: The file that `finish` makes.
        position: Checkpoint to go on from, also behind a file that was finished; later parts
            are dropped.

    Raises:
        MissingPackageError: pyarrow is not installed.
        SaveError: Rows of a checkpoint are missing, or the file holds later ones.
        OSError: The disk refuses it.
    """

    def __init__(self, path: Path, position: int = 0) -> None:
        self._arrow = tables.load("pyarrow")
        self._parquet = tables.load("pyarrow.parquet")
        self._path = path
        self._folder = parts_folder(path)
        self._rows = tables.Columns(grows=True)
        self._writing: _Writing | None = None
        self._position = position
        self._go_back()

    def write(self, rows: Sequence[Row]) -> None:
        """Take rows in; a row group goes to the disk whenever there are enough.

        Raises:
            SaveError: The disk refuses it.
        """
        for row in rows:
            self._rows.append(row)
            if len(self._rows) >= tables.BATCH_ROWS:
                self._write_group()

    def sync(self) -> int:
        """Put all rows so far onto the disk for good.

        Returns:
            The position to go on from.

        Raises:
            SaveError: The disk refuses it.
        """
        if len(self._rows):
            self._write_group()
        self._end_part()
        return self._position

    def finish(self) -> None:
        """Make the file of everything up to the last `sync`, and remove the parts.

        Raises:
            SaveError: The disk refuses it, or a part cannot be read.
        """
        files = self._files()
        if len(files) == 1:
            if files[0] != self._path:
                atomic_files.put_in_place(files[0], self._path)
        else:
            with self._explained():
                schema = self._schema_of(files)
                writing = self._open(self._path, self._position, schema)
                with contextlib.closing(writing):
                    for group in self._groups(files):
                        writing.add(group)
                    writing.finish()
        shutil.rmtree(self._folder, ignore_errors=True)

    def close(self) -> None:
        """Let go of what is open; rows after the last `sync` are forgotten."""
        if self._writing is not None:
            self._writing.close()
            self._writing = None

    def _go_back(self) -> None:
        """See whether all before the checkpoint is there, and remove what came after it."""
        held = self._held()
        if held > self._position:
            raise SaveError(f"{self._path} holds results later than the last checkpoint")
        needed = {self._part(number) for number in range(held + 1, self._position + 1)}
        self._folder.mkdir(exist_ok=True)
        there = set(self._folder.iterdir())
        if missing := sorted(needed - there):
            raise SaveError(f"{missing[0]} is missing, and with it results that had been saved")
        for file in there - needed:
            file.unlink()

    def _held(self) -> int:
        """Return the last checkpoint whose rows are in the file; 0 where there is no file."""
        if not self._path.exists():
            return 0
        with self._explained():
            metadata: dict[bytes, bytes] = self._parquet.read_schema(self._path).metadata or {}
        try:
            return int(metadata[_POSITION])
        except (KeyError, ValueError):
            raise SaveError(f"{self._path} exists already and is not from this run") from None

    def _files(self) -> list[Path]:
        """Return the files whose rows make up the whole, in order."""
        held = self._held()
        parts = [self._part(number) for number in range(held + 1, self._position + 1)]
        return [self._path, *parts] if held else parts

    def _part(self, number: int) -> Path:
        return self._folder / f"part-{number:06d}.parquet"

    def _write_group(self) -> None:
        with self._explained():
            batch = self._rows.take()
            if self._writing is not None and not self._writing.has_columns(batch.schema.names):
                self._end_part()  # the columns of a file are those of its beginning
            if self._writing is None:
                number = self._position + 1
                self._writing = self._open(self._part(number), number, batch.schema)
            self._writing.add(batch)

    def _end_part(self) -> None:
        """Put the part that is being written onto the disk for good, if there is one."""
        if self._writing is not None:
            writing, self._writing = self._writing, None
            with self._explained():
                writing.finish()
            self._position += 1

    def _open(self, target: Path, position: int, schema: Any) -> _Writing:
        columns = schema.with_metadata({_POSITION: str(position).encode()})
        make = functools.partial(
            self._parquet.ParquetWriter,
            compression=COMPRESSION,
            use_dictionary=["source", "file", "model", "id"],
        )
        return _Writing(target, columns, make, self._arrow)

    def _schema_of(self, files: list[Path]) -> Any:
        """Return the columns of all files together, those beyond the known ones at the end."""
        found = [self._parquet.read_schema(file).remove_metadata() for file in files]
        return self._arrow.unify_schemas([tables.schema(), *found])

    def _groups(self, files: list[Path]) -> Iterator[Any]:
        """Read files as tables of about `BATCH_ROWS` rows, however small their own groups are."""
        for alike in self._alike(files):
            yield from self._groups_of(alike)

    def _alike(self, files: list[Path]) -> Iterator[list[Path]]:
        """Give the files in order, those of the same columns together."""
        by_columns = itertools.groupby(files, lambda one: self._parquet.read_schema(one).names)
        return (list(some) for _, some in by_columns)

    def _groups_of(self, files: list[Path]) -> Iterator[Any]:
        waiting: list[Any] = []
        rows = 0
        for file in files:
            with self._parquet.ParquetFile(file, pre_buffer=False) as opened:
                for batch in opened.iter_batches(tables.BATCH_ROWS, use_threads=False):
                    waiting.append(batch)
                    rows += batch.num_rows
                    if rows >= tables.BATCH_ROWS:
                        yield self._join(waiting)
                        waiting, rows = [], 0
        if waiting:
            yield self._join(waiting)

    def _join(self, batches: list[Any]) -> Any:
        table = self._arrow.Table.from_batches(batches)
        return table.replace_schema_metadata(None)

    @contextlib.contextmanager
    def _explained(self) -> Generator[None]:
        """Turn pyarrow's errors into ours; those of the system pass."""
        reason = ""
        try:
            yield
        except OSError:
            raise
        except self._arrow.ArrowException as problem:
            reason = str(problem)
        if reason:
            raise SaveError(f"{self._path} cannot be written: {reason}")


class _Writing:
    """A file under way to its name: it appears there only when it is complete."""

    def __init__(self, target: Path, schema: Any, make: Callable[..., Any], arrow: Any) -> None:
        self._target = target
        self._schema = schema
        self._arrow = arrow
        self._partial = atomic_files.partial_name(target)
        self._file = atomic_files.create_partial(self._partial, target)
        self._writer = make(self._file, schema)

    def has_columns(self, names: Sequence[str]) -> bool:
        """Whether the file has all of some columns."""
        return set(names) <= set(self._schema.names)

    def add(self, rows: Any) -> None:
        """Write a row group; columns that it does not have are null."""
        if rows.schema.names != self._schema.names:
            columns = [
                rows.column(field.name)
                if field.name in rows.schema.names
                else self._arrow.nulls(rows.num_rows, field.type)
                for field in self._schema
            ]
            rows = self._arrow.Table.from_arrays(columns, schema=self._schema)
        self._writer.write(rows)

    def finish(self) -> None:
        """Write the end, and give the file its name."""
        try:
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


def parts_folder(path: Path) -> Path:
    """Return the folder of a file's parts."""
    return path.with_name(f".{path.name}.parts")
