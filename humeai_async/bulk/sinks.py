"""Outcomes to files: JSON lines, CSV and Parquet, written as they arrive.

`Sinks` is opened on a folder, takes outcomes one by one, and at each checkpoint (`sync`) says
how far its files are on the disk for good; opened again with those positions it drops what
came after them and goes on. It knows nothing of jobs or requests, blocks, and may be called
from any thread, one call at a time. The command line uses it, and users may.

JSON lines hold everything. CSV and Parquet have one row a prediction with the columns of
`rows.COLUMNS` and `tables.SCHEMA`, and those of expressions that Hume has added since at the
end; the same rows in both; sources that failed have none. Parquet is a folder of files that
readers take for one table.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self, TypeAlias, TypeVar

from attrs import evolve

from humeai_async._base.frozen import frozen
from humeai_async._base.packages import load_package
from humeai_async.bulk.outcome import Outcome, label_of
from humeai_async.bulk.parquet import Parquet, parts_folder
from humeai_async.bulk.text_files import (
    AnyOutcome,
    CompressedJsonLines,
    Csv,
    JsonLines,
    OpenCsv,
    SourceOutcome,
)
from humeai_async.errors import DecodeError, HumeError, InvalidArgumentError, SaveError
from humeai_async.http.arguments import check_path
from humeai_async.types.predictions.predictions import Predictions
from humeai_async.types.predictions.rows import RowBatch, row_batches
from humeai_async.types.sources import name_of
from humeai_async.types.tabular import OpenRow, Tabular

S = TypeVar("S")
P = TypeVar("P")

__all__ = [
    "FORMATS",
    "AnyOutcome",
    "Csv",
    "Parquet",
    "Sink",
    "Sinks",
    "SourceOutcome",
    "check_formats",
    "rows_of",
]


class Sink(Protocol):
    """One file that outcomes go to."""

    wants_rows: ClassVar[bool]
    """Whether it is given the rows of an outcome; otherwise they need not be made."""

    def write(self, outcome: AnyOutcome, rows: Sequence[RowBatch]) -> None:
        """Write one outcome, with the rows of its predictions."""

    def sync(self) -> int:
        """Put everything onto the disk for good; returns the position to go on from."""
        ...

    def finish(self) -> None:
        """Give the results up to the last `sync` their final form."""

    def close(self) -> None:
        """Close the file; it may be opened again with a position."""


Formats: TypeAlias = Mapping[str, tuple[str, type[JsonLines | CompressedJsonLines | Csv | Parquet]]]
"""File names and sinks by format."""

FORMATS: Formats = {
    "jsonl": ("predictions.jsonl", JsonLines),
    "jsonl.zst": ("predictions.jsonl.zst", CompressedJsonLines),
    "csv": ("predictions.csv", Csv),
    "parquet": ("predictions.parquet", Parquet),
}
"""File names and sinks by format, of predictions."""


@frozen
class Layout:
    """What the files of one kind of results are, and how a result becomes rows."""

    formats: Formats
    """File names and sinks by format."""
    rows_of: Callable[[Any], list[Any]]
    """Makes the rows of an outcome, of the kind that these sinks take."""


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
        score_bits: 32 or 64, the size of the numbers in Parquet's columns of scores.
        one_file: Whether the folder that is Parquet is to have a single file, however large.
        layout: What the files are; those of predictions if left out.

    Attributes:
        paths: The files, in the order of the formats; Parquet is a folder of files, which
            appears with `finish`.

    Raises:
        InvalidArgumentError: There is no such format, or the folder is no path.
        MissingPackageError: A format needs a package that is not installed.
        SaveError: A file cannot be made, a new one is there already, or one to go on with
            holds less than its position says.
    """

    def __init__(
        self,
        folder: Path,
        formats: Sequence[str],
        positions: Mapping[str, int] | None = None,
        *,
        score_bits: int = 32,
        one_file: bool = False,
        layout: Layout | None = None,
    ) -> None:
        folder = check_path("folder", folder)
        self._sinks: dict[str, Sink] = {}
        self._failure: str | None = None
        """Why nothing more is written."""
        layout = layout or PREDICTIONS
        self._rows_of = layout.rows_of
        check_formats(formats, score_bits=score_bits, layout=layout)
        chosen = {name: folder / layout.formats[name][0] for name in formats}
        self.paths: list[Path] = list(chosen.values())
        known = positions or {}
        with self._explained(f"cannot write to {folder}"):
            folder.mkdir(parents=True, exist_ok=True)
            for name, path in chosen.items():
                if name not in known:
                    _refuse_results(path, layout.formats[name][1].head)
            for name, path in chosen.items():
                make, position = layout.formats[name][1], known.get(name, 0)
                self._sinks[name] = (
                    make(path, position, score_bits=score_bits, one_file=one_file)
                    if issubclass(make, Parquet)
                    else make(path, position)
                )

    def write(self, outcome: Outcome[S, P]) -> Outcome[S, P]:
        """Write one outcome to all of them.

        Returns:
            The outcome as it was written: where rows are asked for and a list of scores is not
            what was promised, one with that `DecodeError` in place of the predictions.

        Raises:
            SaveError: The disk refuses it. The files may hold a part of it; from the last
                position on they can be written anew.
        """
        rows: list[Any] = []
        if any(sink.wants_rows for sink in self._sinks.values()):
            try:
                rows = self._rows_of(outcome)
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

    def __exit__(self, *_: object) -> None:
        self.close()


def check_formats(
    formats: Sequence[str], *, score_bits: int = 32, layout: Layout | None = None
) -> None:
    """Refuse formats that cannot be written, before anything is made.

    Raises:
        InvalidArgumentError: There is no such format, or none is given, or `score_bits` is
            neither 32 nor 64.
        MissingPackageError: A format needs a package that is not installed.
    """
    known = (layout or PREDICTIONS).formats
    unknown = [repr(name) for name in formats if name not in known]
    if unknown or not formats:
        given = ", ".join(unknown) or "nothing"
        raise InvalidArgumentError(
            f"formats must be a list of any of {', '.join(known)}, not {given}", field="formats"
        )
    if score_bits not in (32, 64):
        raise InvalidArgumentError(
            f"score_bits must be 32 or 64, not {score_bits!r}", field="score_bits"
        )
    if "parquet" in formats:
        load_package("pyarrow.parquet")
    if "jsonl.zst" in formats:
        load_package("pyarrow")


def rows_of(outcome: AnyOutcome) -> list[RowBatch]:
    """Flatten an outcome of a source or of a job; a failed one gives nothing.

    Raises:
        DecodeError: A list of scores is not what was promised.
    """
    found = outcome.predictions
    if found is None:
        return []
    if isinstance(found, Predictions):
        return list(found.row_batches(texts=name_of(outcome.source)))
    return list(row_batches(name_of(outcome.source), found))


PREDICTIONS = Layout(FORMATS, rows_of)
"""The files of predictions of batch jobs."""


OPEN_FORMATS = ("jsonl", "jsonl.zst", "csv")
"""Formats of the results of the newer products, whose columns are open."""


def open_layout(stem: str) -> Layout:
    """Say what the files of a newer product's results are.

    Args:
        stem: Their name without its ending.
    """
    formats: Formats = {
        "jsonl": (f"{stem}.jsonl", JsonLines),
        "jsonl.zst": (f"{stem}.jsonl.zst", CompressedJsonLines),
        "csv": (f"{stem}.csv", OpenCsv),
    }
    return Layout(formats, _open_rows_of)


def _open_rows_of(outcome: AnyOutcome) -> list[OpenRow]:
    found = outcome.predictions
    if not isinstance(found, Tabular):
        return []
    source = label_of(outcome.source)
    return [{"source": source, **row} for row in found.rows()]


def _refuse_results(path: Path, head: bytes) -> None:
    """Refuse a file with results in it; one that was only begun may be begun again."""
    parts = parts_folder(path)
    for taken in (path, parts):
        if not os.path.lexists(taken):
            continue
        if taken == parts and not any(parts.iterdir()):
            continue
        if (
            path.is_file()
            and path.suffix != ".parquet"
            and head.startswith(_start(path, len(head) + 1))
        ):
            continue
        raise FileExistsError(None, "File exists", str(taken))


def _start(path: Path, size: int) -> bytes:
    with path.open("rb") as opened:
        return opened.read(size)
