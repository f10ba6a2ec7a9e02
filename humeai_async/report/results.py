"""The results of a run as rows again, from whichever of its files is there.

JSON lines are preferred, which hold everything; then Parquet, then CSV. Rows come source by source,
so that memory holds one source. It blocks.
"""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from humeai_async.errors import HumeError, InvalidArgumentError, LedgerError
from humeai_async.types.json import UNREADABLE
from humeai_async.types.predictions import tables
from humeai_async.types.predictions.measurements import SourcePredictions
from humeai_async.types.predictions.predictions import Predictions
from humeai_async.types.predictions.rows import PLACE, Place, Row, flat

__all__ = ["read_results", "results_file"]


class _Line(msgspec.Struct):
    """A line of `predictions.jsonl`."""

    source: str = ""
    predictions: msgspec.Raw = msgspec.Raw(b"null")


_line_decoder = msgspec.json.Decoder(_Line)
_source_decoder = msgspec.json.Decoder(SourcePredictions)


def results_file(folder: Path) -> Path | None:
    """Return the file of results to read, the one that holds most; `None` where there is none."""
    return next((folder / name for name in _READERS if (folder / name).exists()), None)


def read_results(folder: Path) -> Iterator[tuple[str, list[Row]]]:
    """Read the results in the folder of a run.

    Returns:
        Each source with all its rows, in the order of the file. What cannot be read is left out.

    Raises:
        InvalidArgumentError: There is no file of results.
        LedgerError: The file cannot be read.
        MissingPackageError: It is a Parquet file, and pyarrow is not installed.
    """
    file = results_file(folder)
    if file is None:
        raise InvalidArgumentError(
            f"{folder} holds no results: none of {', '.join(_READERS)}", field="folder"
        )
    try:
        yield from _READERS[file.name](file)
    except (OSError, ValueError) as problem:
        reason = str(problem)
    else:
        return
    raise LedgerError(f"cannot read {file}: {reason}")


def _read_lines(file: Path) -> Iterator[tuple[str, list[Row]]]:
    with file.open("rb") as opened:
        yield from _read_each_line(opened)


def _read_compressed_lines(file: Path) -> Iterator[tuple[str, list[Row]]]:
    pa = tables.load("pyarrow")
    with pa.CompressedInputStream(str(file), "zstd") as opened:
        yield from _read_each_line(io.BufferedReader(opened))


def _read_each_line(lines: Iterable[bytes]) -> Iterator[tuple[str, list[Row]]]:
    for line in lines:
        try:
            found = _line_decoder.decode(line)
            yield from _read_line(found)
        except (HumeError, *UNREADABLE):
            continue  # the last line may be cut off while the run is under way


def _read_line(line: _Line) -> Iterator[tuple[str, list[Row]]]:
    text = bytes(line.predictions)
    if text.startswith(b"["):  # a whole job
        for name, found in Predictions.from_json(text).named(line.source):
            yield name, [*flat(name, found)]
    elif text != b"null":
        yield line.source, [*flat(line.source, _source_decoder.decode(text))]


def _read_csv(file: Path) -> Iterator[tuple[str, list[Row]]]:
    with file.open(encoding="utf-8", newline="") as opened:
        reader = csv.reader(opened)
        columns = next(reader, list[str]())
        yield from _by_source(_row(columns, cells) for cells in reader)


def _read_parquet(file: Path) -> Iterator[tuple[str, list[Row]]]:
    dataset = tables.load("pyarrow.dataset").dataset(file, format="parquet")
    names: Sequence[str] = dataset.schema.names

    def rows() -> Iterator[Row]:
        for batch in dataset.to_batches(batch_size=tables.BATCH_ROWS):
            columns = [column.to_pylist() for column in batch.columns]
            for cells in zip(*columns, strict=True):
                yield _row(names, cells)

    yield from _by_source(rows())


def _by_source(rows: Iterator[Row]) -> Iterator[tuple[str, list[Row]]]:
    for source, some in itertools.groupby(rows, lambda row: row.place.source):
        yield source, [*some]


_TEXTS = frozenset({"source", "file", "model", "id", "text"})


def _row(columns: Sequence[str], cells: Sequence[Any]) -> Row:
    there = {
        name: cell
        for name, cell in zip(columns, cells, strict=False)
        if cell is not None and cell != ""
    }
    place: dict[str, Any] = {"source": "", "file": "", "model": "", "id": "unknown"}
    for name in PLACE:
        if name in there:
            cell = there.pop(name)
            place[name] = cell if name in _TEXTS else float(cell)
    return Row(Place(**place), tuple(there), [float(cell) for cell in there.values()])


_READERS: Mapping[str, Callable[[Path], Iterator[tuple[str, list[Row]]]]] = {
    "predictions.jsonl": _read_lines,
    "predictions.jsonl.zst": _read_compressed_lines,
    "predictions.parquet": _read_parquet,
    "predictions.csv": _read_csv,
}
"""By the name of the file, in the order in which they are looked for."""
