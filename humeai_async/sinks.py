"""Outcomes to files: JSON lines and CSV, written as they arrive.

A sink is opened on a folder, takes outcomes one by one and flushes each, so that whatever has
arrived is on disk when the program is stopped. It knows nothing of jobs or requests; the
command line uses it, and users may.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from humeai_async import codec
from humeai_async.bulk import BulkSource, Outcome
from humeai_async.errors import SaveError
from humeai_async.rows import COLUMNS, rows
from humeai_async.types.predictions import SourcePredictions

SourceOutcome = Outcome[BulkSource, SourcePredictions]


class JsonLines:
    """One line a source: its name, its job, and its predictions or its error.

    Args:
        path: File to write; it must not exist.
    """

    def __init__(self, path: Path) -> None:
        self._file: IO[bytes] = path.open("xb")

    def write(self, outcome: SourceOutcome) -> None:
        """Write one outcome."""
        line: dict[str, Any] = {"source": name_of(outcome.source), "job_id": outcome.job_id}
        if outcome.predictions is not None:
            line["predictions"] = outcome.predictions
        if outcome.error is not None:
            line["error"] = {
                "type": type(outcome.error).__name__,
                "message": outcome.error.message,
            }
        self._file.write(codec.encode_line(line))
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Csv:
    """One row a prediction, with the columns of `rows.COLUMNS`; failed sources have none.

    Args:
        path: File to write; it must not exist.
    """

    def __init__(self, path: Path) -> None:
        self._file: IO[str] = path.open("x", encoding="utf-8", newline="")
        self._writer = csv.DictWriter(self._file, COLUMNS, extrasaction="ignore")
        self._writer.writeheader()

    def write(self, outcome: SourceOutcome) -> None:
        """Write the rows of one outcome."""
        if outcome.predictions is not None:
            self._writer.writerows(rows(name_of(outcome.source), outcome.predictions))
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


FORMATS: Mapping[str, tuple[str, type[JsonLines | Csv]]] = {
    "jsonl": ("predictions.jsonl", JsonLines),
    "csv": ("predictions.csv", Csv),
}
"""File names and sinks by format."""


class Sinks:
    """Several sinks in one folder, as a context manager.

    Args:
        folder: Where to write; made if it is not there.
        formats: Keys of `FORMATS`.

    Raises:
        SaveError: A file cannot be made, or is there already.
    """

    def __init__(self, folder: Path, formats: tuple[str, ...]) -> None:
        self.paths = [folder / FORMATS[name][0] for name in formats]
        self._sinks: list[JsonLines | Csv] = []
        reason = ""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, path in zip(formats, self.paths, strict=True):
                self._sinks.append(FORMATS[name][1](path))
        except FileExistsError as problem:
            reason = f"{problem.filename} is there already; choose another folder"
        except OSError as problem:
            reason = f"cannot write to {folder}: {problem.strerror}"
        if reason:
            self.close()
            raise SaveError(reason)

    def write(self, outcome: SourceOutcome) -> None:
        """Write one outcome to all of them.

        Raises:
            SaveError: The disk refuses it.
        """
        reason = ""
        try:
            for sink in self._sinks:
                sink.write(outcome)
        except OSError as problem:
            reason = problem.strerror or type(problem).__name__
        if reason:
            raise SaveError(f"cannot write the results: {reason}")

    def close(self) -> None:
        """Close all of them."""
        for sink in self._sinks:
            sink.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def name_of(source: BulkSource) -> str:
    """Return a source as text."""
    return os.fspath(source)
