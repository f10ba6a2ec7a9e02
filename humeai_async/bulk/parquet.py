"""A table as a folder of Parquet files, written in parts that survive a crash.

A Parquet file can be read only once its end is written, so what arrives goes into parts under
a hidden folder, one for each checkpoint; each has its end and is never touched again. Closing
the run makes the folder of them: large parts as they are, small ones put together, one batch of
rows in memory at a time; and gives it its name in one step. It knows rows and pyarrow, and no
outcomes; the sinks call it.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from humeai_async._base import atomic_files
from humeai_async._base.packages import load_package
from humeai_async.bulk.part_files import PartFile, position_of, with_columns
from humeai_async.errors import SaveError
from humeai_async.types.predictions import tables
from humeai_async.types.predictions.rows import RowBatch

_FILE = "part-{:05d}.parquet"
"""Name of a file of the table; the first has number 0."""

FILE_ROWS = 1_048_576
"""Rows after which the next file begins: some 300 MB at most."""
LARGE_PART = 8
"""Row groups of a part that is large enough to be a file of the table as it is."""


class Parquet:
    """One row a prediction, with the columns of `tables.SCHEMA`; needs the extra `arrow`.

    The table is a folder of files with the same columns, which pyarrow, polars, pandas and Dask
    read by its name and duckdb by `FOLDER/*.parquet`. Scores are 32-bit floats, half the size:
    the service's have no more digits. A position is the number of the last checkpoint; 0 is
    before the first. Memory holds at most twice `tables.BATCH_ROWS` rows, whatever is written.

    Args:
        path: The folder; it appears with `finish`.
        position: Checkpoint to go on from, also behind a table that was finished; later parts
            are dropped.
        score_bits: 32 or 64, the size of the numbers in the columns of scores.
        one_file: Whether the folder is to have a single file, however large.

    Attributes:
        first_file: Name of the first file in the folder.

    Raises:
        MissingPackageError: pyarrow is not installed.
        SaveError: Rows of a checkpoint are missing, or the folder holds later ones.
        OSError: The disk refuses it.
    """

    wants_rows: ClassVar[bool] = True
    head: ClassVar[bytes] = b""
    first_file: ClassVar[str] = _FILE.format(0)

    def __init__(
        self, path: Path, position: int = 0, *, score_bits: int = 32, one_file: bool = False
    ) -> None:
        self._arrow = load_package("pyarrow")
        self._parquet = load_package("pyarrow.parquet")
        self._path = path
        self._one_file = one_file
        self._folder = parts_folder(path)
        self._next, self._former = _hidden(path, "next"), _hidden(path, "former")
        self._score_type = "float" if score_bits == 32 else "double"  # noqa: PLR2004 - bits
        self._rows = tables.Columns(grows=True, scores=self._score_type)
        self._writing: PartFile | None = None
        self._position = position
        self._go_back()

    def write(self, outcome: object, rows: Sequence[RowBatch]) -> None:
        """Take the rows of one outcome in; a row group goes to the disk whenever there are enough.

        Raises:
            SaveError: The disk refuses it.
        """
        del outcome
        for batch in rows:
            self._rows.append(batch)
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
        """Make the folder of everything up to the last `sync`, and remove the parts.

        Raises:
            SaveError: The disk refuses it, or a part cannot be read.
        """
        files = self._files()
        if not self._path.exists() or self._finished_position() < self._position:
            _remove(self._next)
            self._next.mkdir()
            try:
                with self._explained():
                    self._make_files(files)
                atomic_files.sync_folder(self._next)
                self._put_in_place()
            finally:
                _remove(self._next)
        _remove(self._folder)

    def close(self) -> None:
        """Let go of what is open; rows after the last `sync` are forgotten."""
        if self._writing is not None:
            self._writing.close()
            self._writing = None

    def _put_in_place(self) -> None:
        """Give the new folder its name; what a kill leaves in between is mended at the start."""
        if self._path.exists():
            self._path.rename(self._former)
        self._next.rename(self._path)
        atomic_files.sync_folder(self._path.parent)
        _remove(self._former)

    def _go_back(self) -> None:
        """See whether all before the checkpoint is there, and remove what came after it."""
        if self._former.exists() and not self._path.exists():
            self._former.rename(self._path)
        for left in (self._former, self._next):
            _remove(left)
        held = self._finished_position()
        if held > self._position:
            raise SaveError(f"{self._path} holds results later than the last checkpoint")
        needed = {self._part(number) for number in range(held + 1, self._position + 1)}
        self._folder.mkdir(exist_ok=True)
        there = set(self._folder.iterdir())
        if missing := sorted(needed - there):
            raise SaveError(f"{missing[0]} is missing, and with it results that had been saved")
        for file in there - needed:
            file.unlink()

    def _finished_position(self) -> int:
        """Return the last checkpoint whose rows are in the folder; 0 where there is none."""
        if not self._path.exists():
            return 0
        with self._explained():
            schemas = [self._parquet.read_schema(file) for file in self._finished()]
            positions = [*map(position_of, schemas)]
        if not positions or min(positions) < 0:
            raise SaveError(f"{self._path} exists already and is not from this run")
        return max(positions)

    def _finished(self) -> list[Path]:
        """Return the files of the finished table, in order."""
        return sorted(self._path.glob("*.parquet")) if self._path.is_dir() else []

    def _files(self) -> list[Path]:
        """Return the files whose rows make up the whole, in order."""
        held = self._finished_position()
        parts = [self._part(number) for number in range(held + 1, self._position + 1)]
        return [*self._finished(), *parts]

    def _part(self, number: int) -> Path:
        return self._folder / f"part-{number:06d}.parquet"

    def _write_group(self) -> None:
        with self._explained():
            batch = self._rows.take()
            if self._writing is not None and not self._writing.has_columns(batch.schema.names):
                self._end_part()  # the columns of a file are those of its beginning
            if self._writing is None:
                number = self._position + 1
                self._writing = PartFile(self._part(number), number, batch.schema)
            self._writing.add(batch)

    def _end_part(self) -> None:
        """Put the part that is being written onto the disk for good, if there is one."""
        if self._writing is not None:
            writing, self._writing = self._writing, None
            with self._explained():
                writing.finish()
            self._position += 1

    def _make_files(self, files: list[Path]) -> None:
        """Write the files of the table: all have the same columns, so that they are one."""
        schema = self._schema_of(files)
        made = 0
        for some in self._by_way(files, schema):
            if isinstance(some, Path):
                _link(some, self._next / _FILE.format(made))
                made += 1
            else:
                groups = self._groups(some, schema)
                made = self._write_files(groups, schema, made)
        if not made:
            self._write_files([schema.empty_table()], schema, made)

    def _by_way(self, files: list[Path], schema: Any) -> Iterator[Path | list[Path]]:
        """Give files in order: each that stays as it is, and lists of those to be joined."""
        small: list[Path] = []
        for file in files:
            if self._can_stay(file, schema, is_alone=len(files) == 1):
                if small:
                    yield small
                    small = []
                yield file
            else:
                small.append(file)
        if small:
            yield small

    def _can_stay(self, file: Path, schema: Any, *, is_alone: bool) -> bool:
        with self._parquet.ParquetFile(file) as opened:
            has_columns = opened.schema_arrow.remove_metadata().equals(schema.remove_metadata())
            is_large = opened.metadata.num_rows >= LARGE_PART * tables.BATCH_ROWS
        return has_columns and (is_alone or (is_large and not self._one_file))

    def _write_files(self, groups: Iterable[Any], schema: Any, made: int) -> int:
        """Write row groups into files of about `FILE_ROWS` rows; returns how many there are."""
        writing: PartFile | None = None
        try:
            for group in groups:
                if writing is None:
                    target = self._next / _FILE.format(made)
                    writing = PartFile(target, self._position, schema)
                writing.add(group)
                if writing.rows >= FILE_ROWS and not self._one_file:
                    writing.finish()
                    writing, made = None, made + 1
            if writing is not None:
                writing.finish()
                made += 1
        finally:
            if writing is not None:
                writing.close()
        return made

    def _schema_of(self, files: list[Path]) -> Any:
        """Return the columns of all files together, those beyond the known ones at the end."""
        found = [self._parquet.read_schema(file).names for file in files]
        extra = dict.fromkeys(name for names in found for name in names if name not in _KNOWN)
        return tables.schema(extra, scores=self._score_type)

    def _groups(self, files: list[Path], schema: Any) -> Iterator[Any]:
        """Read files as tables of about `BATCH_ROWS` rows, however small their own groups are."""
        waiting: list[Any] = []
        rows = 0
        for file in files:
            with self._parquet.ParquetFile(file, pre_buffer=False) as opened:
                for batch in opened.iter_batches(tables.BATCH_ROWS, use_threads=False):
                    waiting.append(with_columns(batch, schema))
                    rows += batch.num_rows
                    if rows >= tables.BATCH_ROWS:
                        yield self._arrow.concat_tables(waiting)
                        waiting, rows = [], 0
        if waiting:
            yield self._arrow.concat_tables(waiting)

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


_KNOWN = frozenset(tables.SCHEMA)


def _link(file: Path, target: Path) -> None:
    """Give a file another name; where the disk knows no links, a copy."""
    try:
        target.hardlink_to(file)
    except OSError:
        shutil.copyfile(file, target)
        with target.open("rb+") as opened:
            atomic_files.flush(opened)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder, ignore_errors=True)


def parts_folder(path: Path) -> Path:
    """Return the folder in which the parts of a table wait for its end."""
    return _hidden(path, "parts")


def _hidden(path: Path, purpose: str) -> Path:
    return path.with_name(f".{path.name}.{purpose}")
