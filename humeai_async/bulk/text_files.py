"""Outcomes as text: JSON lines, plain or compressed, and CSV.

Each file grows at its end, is whole after each checkpoint, and is cut back to one where a run
goes on. The sinks call it.
"""

from __future__ import annotations

import contextlib
import csv
import io
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Any, ClassVar, TypeAlias

from humeai_async._base import atomic_files
from humeai_async._base.packages import load_package
from humeai_async.bulk.csv_rows import encode_dicts, encode_line, encode_rows
from humeai_async.bulk.outcome import Outcome, label_of
from humeai_async.errors import SaveError
from humeai_async.http import codec
from humeai_async.types.predictions.predictions import SourcePredictions
from humeai_async.types.predictions.rows import COLUMNS, RowBatch
from humeai_async.types.sources import BulkSource

__all__ = [
    "AnyOutcome",
    "CompressedJsonLines",
    "Csv",
    "JsonLines",
    "OpenCsv",
    "SourceOutcome",
]

SourceOutcome: TypeAlias = Outcome[BulkSource, SourcePredictions]
"""What came of one source."""
AnyOutcome: TypeAlias = Outcome[Any, Any]
"""What came of a source, or of a job, of whatever product."""


class _Appended:
    """A file that grows at its end and is cut back to a checkpoint.

    Args:
        path: The file.
        position: Size in bytes to go on from; what stands behind it is dropped.
    """

    wants_rows: ClassVar[bool] = False
    head: ClassVar[bytes] = b""

    def __init__(self, path: Path, position: int = 0) -> None:
        self._open(path, position)

    def _open(self, path: Path, position: int) -> None:
        self._file: IO[bytes] = path.open("r+b" if path.exists() else "x+b")
        self._cut(path, position)
        self._folder: Path | None = path.parent

    def append(self, *parts: bytes) -> None:
        """Write bytes at the end, as far as the operating system."""
        for part in parts:
            self._file.write(part)
        self._file.flush()

    def sync(self) -> int:
        """Put everything onto the disk for good; returns the size."""
        atomic_files.flush(self._file)
        if self._folder is not None:
            atomic_files.sync_folder(self._folder)
            self._folder = None
        return self._file.tell()

    def finish(self) -> None:
        """Do nothing: the file has its final form at all times."""

    def close(self) -> None:
        """Close the file; what a full disk refused before may be lost, the checkpoint is not."""
        with contextlib.suppress(OSError):
            self._file.close()

    def _cut(self, path: Path, position: int) -> None:
        size = self._file.seek(0, os.SEEK_END)
        if size < position:
            self._file.close()
            raise SaveError(f"{path} has {size} bytes, but {position} had been saved")
        self._file.truncate(position)
        self._file.seek(position)


class JsonLines(_Appended):
    """One line an outcome: its source, its job, and its predictions or its error.

    What a whole job brought is written as it came, once it is known to be JSON: a line that
    is none would spoil the file for its readers.
    """

    def write(self, outcome: AnyOutcome, rows: Sequence[RowBatch]) -> None:
        """Write one outcome, with the rows of its predictions."""
        del rows
        self.append(*_line_of(outcome))


def _line_of(outcome: AnyOutcome) -> tuple[bytes, ...]:
    """Return the parts of an outcome's line."""
    line: dict[str, Any] = {"source": label_of(outcome.source), "job_id": outcome.job_id}
    if outcome.body and codec.is_json(outcome.body):
        # Bodies can be large: this one is written as it came, scanned and not copied.
        start = codec.encode(line).removesuffix(b"}")
        return start, b',"predictions":', codec.on_one_line(outcome.body), b"}\n"
    if outcome.predictions is not None:
        describe = getattr(outcome.predictions, "json_members", None)
        line["predictions"] = describe() if describe is not None else outcome.predictions
    if outcome.error is not None:
        line["error"] = {"type": type(outcome.error).__name__, "message": outcome.error.message}
    return codec.encode_line(line), b"\n"


class CompressedJsonLines(_Appended):
    """JSON lines in zstd frames; needs the extra `arrow`.

    Each checkpoint ends a frame, so that a file can be cut back to it. Programs that read zstd
    read any number of frames as one text.

    Args:
        path: The file.
        position: Bytes to go on from; what stands behind them is dropped.
    """

    def __init__(self, path: Path, position: int = 0) -> None:
        self._codec: Any = load_package("pyarrow").Codec("zstd")
        self._waiting = bytearray()
        super().__init__(path, position)

    def write(self, outcome: AnyOutcome, rows: Sequence[RowBatch]) -> None:
        """Write one outcome, with the rows of its predictions."""
        del rows
        for part in _line_of(outcome):
            for start in range(0, len(part), _FRAME_SIZE):
                self._waiting += part[start : start + _FRAME_SIZE]
                if len(self._waiting) >= _FRAME_SIZE:
                    self._write_frame()

    def sync(self) -> int:
        """Put everything onto the disk for good; returns the size."""
        self._write_frame()
        return super().sync()

    def _write_frame(self) -> None:
        if self._waiting:
            frame: bytes = self._codec.compress(bytes(self._waiting), asbytes=True)
            self.append(frame)
            self._waiting.clear()


_FRAME_SIZE = 1_000_000
"""Bytes of JSON that are compressed together, about."""


class Csv(_Appended):
    """One row a prediction, with the columns of `rows.COLUMNS`, and those that Hume has added.

    A column that is not known yet goes to the end, and the first line is written anew. So a
    position counts what stands behind that line.

    Args:
        path: The file.
        position: Bytes behind the first line to go on from; what stands after them is dropped.
    """

    wants_rows: ClassVar[bool] = True
    columns: ClassVar[Sequence[str]] = COLUMNS
    """Columns that are always there, first and in this order."""
    head: ClassVar[bytes] = encode_line(columns)

    def __init__(self, path: Path, position: int = 0) -> None:
        self._path = path
        self._columns = list(self.columns)
        if position:
            first = _first_record(path)
            self._columns = next(csv.reader(io.StringIO(first.decode(), newline="")), list[str]())
            if self._columns[: len(self.columns)] != list(self.columns):
                raise SaveError(
                    f"{path} has other columns: another version of the library wrote it"
                )
            super().__init__(path, len(first) + position)
            self._start = len(first)
        else:
            super().__init__(path)
            self.append(self.head)
            self._start = len(self.head)

    def write(self, outcome: AnyOutcome, rows: Sequence[RowBatch]) -> None:
        """Write the rows of one outcome."""
        del outcome
        self._ensure_columns(name for row in rows for name in row.names)
        if rows:
            self.append(encode_rows(rows, self._columns))

    def sync(self) -> int:
        """Put everything onto the disk for good; returns the size behind the first line."""
        return super().sync() - self._start

    def _ensure_columns(self, names: Iterable[str]) -> None:
        """Write the file anew where its first line lacks names; it is replaced in one step."""
        known = set(self._columns)
        fresh = dict.fromkeys(name for name in names if name not in known)
        if not fresh:
            return
        super().sync()
        self.close()
        self._columns += fresh
        first = encode_line(self._columns)
        partial = atomic_files.partial_name(self._path)
        try:
            with (
                self._path.open("rb") as old,
                atomic_files.create_partial(partial, self._path) as new,
            ):
                old.seek(self._start)
                new.write(first)
                shutil.copyfileobj(old, new)
                atomic_files.flush(new)
            atomic_files.put_in_place(partial, self._path)
        finally:
            partial.unlink(missing_ok=True)
        self._start = len(first)
        self._open(self._path, self._path.stat().st_size)


class OpenCsv(Csv):
    """One row a measurement or decision, as `to_arrow` has them; the first column is the source.

    Expressions and questions have any names, so the columns are those that occur. A cell is empty
    where a row does not name its column, which is not a score of zero.
    """

    columns: ClassVar[Sequence[str]] = ("source",)
    head: ClassVar[bytes] = encode_line(columns)

    def write(self, outcome: AnyOutcome, rows: Sequence[Any]) -> None:
        """Write the rows of one outcome."""
        del outcome
        self._ensure_columns(name for row in rows for name in row)
        if rows:
            self.append(encode_dicts(rows, self._columns))


def _first_record(path: Path) -> bytes:
    """Return the first line of a CSV file, whatever its names hold."""
    record = b""
    with path.open("rb") as opened:
        for line in opened:
            record += line
            if record.count(b'"') % 2 == 0:
                break
    return record
