"""Outcomes to files: JSON lines, CSV and Parquet, written as they arrive.

`Sinks` is opened on a folder, takes outcomes one by one, and at each checkpoint (`sync`) says
how far its files are on the disk for good; opened again with those positions it drops what
came after them and goes on. It knows nothing of jobs or requests, blocks, and may be called
from any thread, one call at a time. The command line uses it, and users may.

JSON lines hold everything. CSV and Parquet have one row a prediction with the columns of
`rows.COLUMNS` and `tables.SCHEMA`, and those of expressions that Hume has added since at the
end; the same rows in both; sources that failed have none.
"""

from __future__ import annotations

import contextlib
import csv
import io
import os
import shutil
from collections.abc import Generator, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, ClassVar, Protocol, Self, TypeAlias

from attrs import evolve

from humeai_async._base import atomic_files
from humeai_async.bulk.outcomes import Outcome
from humeai_async.bulk.parquet import ParquetParts, parts_folder
from humeai_async.errors import DecodeError, HumeError, InvalidArgumentError, SaveError
from humeai_async.http import codec
from humeai_async.types.predictions import tables
from humeai_async.types.predictions.predictions import Predictions, SourcePredictions
from humeai_async.types.predictions.rows import COLUMNS, Row, flat
from humeai_async.types.sources import BulkSource, name_of

SourceOutcome: TypeAlias = Outcome[BulkSource, SourcePredictions]
"""What came of one source."""
JobOutcome: TypeAlias = Outcome[str, Predictions]
"""What came of a job."""
AnyOutcome: TypeAlias = SourceOutcome | JobOutcome


class Sink(Protocol):
    """One file that outcomes go to."""

    wants_rows: ClassVar[bool]
    """Whether it is given the rows of an outcome; otherwise they need not be made."""

    def write(self, outcome: AnyOutcome, rows: Sequence[Row]) -> None:
        """Write one outcome, with the rows of its predictions."""

    def sync(self) -> int:
        """Put everything onto the disk for good; returns the position to go on from."""
        ...

    def finish(self) -> None:
        """Give the results up to the last `sync` their final form."""

    def close(self) -> None:
        """Close the file; it may be opened again with a position."""


class _Appended:
    """A file that grows at its end and is cut back to a checkpoint.

    Args:
        path: The file.
        position: Size in bytes to go on from; what stands behind it is dropped.
    """

    head: ClassVar[bytes] = b""

    def __init__(self, path: Path, position: int = 0) -> None:
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

    wants_rows: ClassVar[bool] = False

    def write(self, outcome: AnyOutcome, rows: Sequence[Row]) -> None:
        """Write one outcome, with the rows of its predictions."""
        del rows
        line: dict[str, Any] = {"source": name_of(outcome.source), "job_id": outcome.job_id}
        if outcome.body and codec.is_json(outcome.body):
            # Bodies can be large: this one is written as it came, scanned and not copied.
            start = codec.encode(line).removesuffix(b"}")
            self.append(start, b',"predictions":', codec.on_one_line(outcome.body), b"}\n")
            return
        if outcome.predictions is not None:
            line["predictions"] = outcome.predictions
        if outcome.error is not None:
            line["error"] = {
                "type": type(outcome.error).__name__,
                "message": outcome.error.message,
            }
        self.append(codec.on_one_line(codec.encode(line)), b"\n")


def _csv_line(values: Iterable[object]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerow(values)
    return text.getvalue().encode()


class Csv:
    """One row a prediction, with the columns of `rows.COLUMNS`, and those that Hume has added.

    A column that is not known yet goes to the end, and the first line is written anew. So a
    position counts what stands behind that line.

    Args:
        path: The file.
        position: Bytes behind the first line to go on from; what stands after them is dropped.
    """

    wants_rows: ClassVar[bool] = True
    head: ClassVar[bytes] = _csv_line(COLUMNS)

    def __init__(self, path: Path, position: int = 0) -> None:
        self._path = path
        self._columns = list(COLUMNS)
        if position:
            first = _first_record(path)
            self._columns = next(csv.reader(io.StringIO(first.decode(), newline="")), list[str]())
            if tuple(self._columns[: len(COLUMNS)]) != COLUMNS:
                raise SaveError(
                    f"{path} has other columns: another version of the library wrote it"
                )
            self._file = _Appended(path, len(first) + position)
            self._start = len(first)
        else:
            self._file = _Appended(path)
            self._file.append(self.head)
            self._start = len(self.head)

    def write(self, outcome: AnyOutcome, rows: Sequence[Row]) -> None:
        """Write the rows of one outcome."""
        del outcome
        known = set(self._columns)
        fresh = dict.fromkeys(name for row in rows for name in row.names if name not in known)
        if fresh:
            self._add_columns(list(fresh))
        if rows:
            text = io.StringIO(newline="")
            csv.DictWriter(text, self._columns).writerows(row.as_dict() for row in rows)
            self._file.append(text.getvalue().encode())

    def sync(self) -> int:
        """Put everything onto the disk for good; returns the size behind the first line."""
        return self._file.sync() - self._start

    def finish(self) -> None:
        """Do nothing: the file has its final form at all times."""

    def close(self) -> None:
        """Close the file; what was not synced may be lost."""
        self._file.close()

    def _add_columns(self, names: list[str]) -> None:
        """Write the file anew, with a longer first line; it is replaced in one step."""
        self._file.sync()
        self._file.close()
        self._columns += names
        first = _csv_line(self._columns)
        partial = atomic_files.partial_name(self._path)
        try:
            with self._path.open("rb") as old, partial.open("xb") as new:
                old.seek(self._start)
                new.write(first)
                shutil.copyfileobj(old, new)
                atomic_files.flush(new)
            atomic_files.put_in_place(partial, self._path)
        finally:
            partial.unlink(missing_ok=True)
        self._start = len(first)
        self._file = _Appended(self._path, self._path.stat().st_size)


def _first_record(path: Path) -> bytes:
    """Return the first line of a CSV file, whatever its names hold."""
    record = b""
    with path.open("rb") as opened:
        for line in opened:
            record += line
            if record.count(b'"') % 2 == 0:
                break
    return record


class Parquet:
    """One row a prediction, with the columns of `tables.SCHEMA`; needs the extra `arrow`.

    Args:
        path: The file; it appears with `finish`.
        position: Checkpoint to go on from; later parts are dropped.
    """

    wants_rows: ClassVar[bool] = True
    head: ClassVar[bytes] = b""

    def __init__(self, path: Path, position: int = 0) -> None:
        self._parts = ParquetParts(path, position)

    def write(self, outcome: AnyOutcome, rows: Sequence[Row]) -> None:
        """Write the rows of one outcome."""
        del outcome
        self._parts.write(rows)

    def sync(self) -> int:
        """Put everything onto the disk for good, in a part of its own."""
        return self._parts.sync()

    def finish(self) -> None:
        """Put the parts together."""
        self._parts.finish()

    def close(self) -> None:
        """Let go of what is open."""
        self._parts.close()


FORMATS: Mapping[str, tuple[str, type[JsonLines | Csv | Parquet]]] = {
    "jsonl": ("predictions.jsonl", JsonLines),
    "csv": ("predictions.csv", Csv),
    "parquet": ("predictions.parquet", Parquet),
}
"""File names and sinks by format."""


class Sinks:
    """Several sinks in one folder, as a context manager.

    ```python
    with Sinks(Path("out"), ("jsonl", "parquet")) as sinks:
        async for outcome in outcomes:
            sinks.write(outcome)
        sinks.sync()
        sinks.finish()
    ```

    To survive a crash, keep what `sync` returns wherever the run keeps its state, and open the
    next `Sinks` with it.

    Args:
        folder: Where to write; made if it is not there.
        formats: Keys of `FORMATS`.
        positions: A position by format, to go on from; what stands behind it is dropped. A
            format without one begins anew: a file with results must not be there.

    Attributes:
        paths: The files, in the order of the formats; that of Parquet appears with `finish`.

    Raises:
        InvalidArgumentError: There is no such format.
        MissingPackageError: A format needs a package that is not installed.
        SaveError: A file cannot be made, a new one is there already, or one to go on with
            holds less than its position says.
    """

    def __init__(
        self, folder: Path, formats: Sequence[str], positions: Mapping[str, int] | None = None
    ) -> None:
        self._sinks: dict[str, Sink] = {}
        self._failure: str | None = None
        """Why nothing more is written."""
        check_formats(formats)
        chosen = {name: folder / FORMATS[name][0] for name in formats}
        self.paths: list[Path] = list(chosen.values())
        known = positions or {}
        with self._explained(f"cannot write to {folder}"):
            folder.mkdir(parents=True, exist_ok=True)
            for name, path in chosen.items():
                if name not in known:
                    _refuse_results(path, FORMATS[name][1].head)
            for name, path in chosen.items():
                self._sinks[name] = FORMATS[name][1](path, known.get(name, 0))

    def write(self, outcome: AnyOutcome) -> AnyOutcome:
        """Write one outcome to all of them.

        Returns:
            The outcome as it was written: where rows are asked for and a list of scores is not
            what was promised, one with that `DecodeError` in place of the predictions.

        Raises:
            SaveError: The disk refuses it. The files may hold a part of it; from the last
                position on they can be written anew.
        """
        rows: list[Row] = []
        if any(sink.wants_rows for sink in self._sinks.values()):
            try:
                rows = rows_of(outcome)
            except DecodeError as problem:
                outcome = evolve(outcome, predictions=None, error=problem, is_unreadable=True)
        with self._explained("cannot write the results"):
            for sink in self._sinks.values():
                sink.write(outcome, rows)
        return outcome

    def sync(self) -> dict[str, int]:
        """Put everything onto the disk for good. Costs a write-through for each file.

        Returns:
            The positions to go on from, by format.

        Raises:
            SaveError: The disk refuses it.
        """
        with self._explained("cannot write the results"):
            return {name: sink.sync() for name, sink in self._sinks.items()}

    def finish(self) -> None:
        """Give the results their final form, as of the last `sync`.

        More can be written by a new `Sinks` with the same positions.

        Raises:
            SaveError: The disk refuses it.
        """
        with self._explained("cannot write the results"):
            for sink in self._sinks.values():
                sink.finish()

    def close(self) -> None:
        """Close all of them."""
        for sink in self._sinks.values():
            sink.close()

    @contextlib.contextmanager
    def _explained(self, what: str) -> Generator[None]:
        """Turn errors of the system into ours; after one nothing more is written."""
        if self._failure is not None:
            raise SaveError(f"{what}: an earlier write failed ({self._failure})")
        self._failure = "it was cut off"
        try:
            yield
        except FileExistsError as problem:
            self._failure = f"{problem.filename} is there already; choose another folder"
            reason = self._failure
        except OSError as problem:
            self._failure = problem.strerror or type(problem).__name__
            reason = f"{what}: {self._failure}"
        except HumeError as problem:
            self._failure = problem.message
            raise
        else:
            self._failure = None
            return
        finally:
            if self._failure is not None:
                self.close()
        raise SaveError(reason)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def check_formats(formats: Sequence[str]) -> None:
    """Refuse formats that cannot be written, before anything is made.

    Raises:
        InvalidArgumentError: There is no such format, or none is given.
        MissingPackageError: A format needs a package that is not installed.
    """
    unknown = [repr(name) for name in formats if name not in FORMATS]
    if unknown or not formats:
        given = ", ".join(unknown) or "nothing"
        raise InvalidArgumentError(
            f"formats must be a list of any of {', '.join(FORMATS)}, not {given}", field="formats"
        )
    if "parquet" in formats:
        tables.load("pyarrow.parquet")


def rows_of(outcome: AnyOutcome) -> list[Row]:
    """Flatten an outcome of a source or of a job; a failed one gives nothing.

    Raises:
        DecodeError: A list of scores is not what was promised.
    """
    found = outcome.predictions
    if found is None:
        return []
    if isinstance(found, Predictions):
        return list(found.rows(texts=name_of(outcome.source)))
    return list(flat(name_of(outcome.source), found))


def _refuse_results(path: Path, head: bytes) -> None:
    """Refuse a file with results in it; one that was only begun may be begun again."""
    parts = parts_folder(path)
    for taken in (path, parts):
        if not os.path.lexists(taken):
            continue
        if taken == parts and not any(parts.iterdir()):
            continue
        if path.suffix != ".parquet" and head.startswith(_start(path, len(head) + 1)):
            continue
        raise FileExistsError(None, "File exists", str(taken))


def _start(path: Path, size: int) -> bytes:
    with path.open("rb") as opened:
        return opened.read(size)
