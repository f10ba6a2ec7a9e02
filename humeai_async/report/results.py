"""The results of a run by column again, from whichever of its files is there.

JSON lines are preferred, which hold everything; then Parquet, then CSV, of which some thousand rows
are turned into lists of columns at once. Blocks come source by source, so that memory holds one
source, and those rows. It blocks.
"""

from __future__ import annotations

import csv
import io
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import msgspec

from humeai_async._base.packages import load_package
from humeai_async.errors import HumeError, InvalidArgumentError, LedgerError
from humeai_async.report.live_results import live_blocks
from humeai_async.types.json import UNREADABLE
from humeai_async.types.predictions import tables
from humeai_async.types.predictions.blocks import Block, blocks_of, is_expression
from humeai_async.types.predictions.measurements import SourcePredictions
from humeai_async.types.predictions.predictions import Predictions
from humeai_async.types.predictions.rows import PLACE, row_batches

__all__ = ["SourceResult", "read_results", "results_file"]


class _Error(msgspec.Struct):
    """Why a source failed."""

    type: str = ""
    message: str = ""


class _Line(msgspec.Struct):
    """A line of a file of results."""

    source: str = ""
    predictions: msgspec.Raw = msgspec.Raw(b"null")
    error: _Error | None = None


class SourceResult(NamedTuple):
    """What is in a file about one source."""

    name: str
    """The source."""
    blocks: list[Block]
    """What was found in it."""
    reason: str | None = None
    """Why it failed."""


_Reader: TypeAlias = Callable[[Path], Iterator[SourceResult]]
_Columns: TypeAlias = dict[str, list[Any]]
"""Some rows of a table, as a list of each column; not a number stands for what is missing."""

_TEXTS = frozenset({"source", "model", "id", "text"})
_READ = frozenset({*_TEXTS, "begin", "end"})
_CSV_ROWS = 2_000

_line_decoder = msgspec.json.Decoder(_Line)
_source_decoder = msgspec.json.Decoder(SourcePredictions)


def _is_read(name: str) -> bool:
    return name in _READ or (name not in PLACE and is_expression(name))


def results_file(folder: Path) -> Path | None:
    """Return the file of results to read, the one that holds most; `None` where there is none."""
    return next((folder / name for name in _READERS if (folder / name).exists()), None)


def read_results(folder: Path) -> Iterator[SourceResult]:
    """Read the results in the folder of a run.

    Returns:
        Each source with all that was found in it, in the order of the file; from JSON lines those
        that failed, too. What cannot be read is left out.

    Raises:
        InvalidArgumentError: There is no file of results.
        LedgerError: The file cannot be read.
        MissingPackageError: It is a Parquet file or compressed, and pyarrow is not installed.
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


def _predictions(source: str, found: bytes) -> Iterator[SourceResult]:
    if found.startswith(b"["):  # a whole job
        for name, one in Predictions.from_json(found).named(source):
            yield SourceResult(name, [*blocks_of(row_batches(name, one))])
    else:
        one = _source_decoder.decode(found)
        yield SourceResult(source, [*blocks_of(row_batches(source, one))])


def _live_results(source: str, found: bytes) -> Iterator[SourceResult]:
    yield SourceResult(source, live_blocks(source, found))


def _lines(read: Callable[[str, bytes], Iterator[SourceResult]]) -> _Reader:
    """Make a reader of JSON lines, given what reads the result in one of them."""

    def read_each(lines: Iterable[bytes]) -> Iterator[SourceResult]:
        for line in lines:
            try:
                found = _line_decoder.decode(line)
                result = bytes(found.predictions)
                if result != b"null":
                    yield from read(found.source, result)
                elif found.error is not None:
                    reason = f"{found.error.type}: {found.error.message}"
                    yield SourceResult(found.source, [], reason)
            except (HumeError, *UNREADABLE):
                continue  # the last line may be cut off while the run is under way

    def read_file(file: Path) -> Iterator[SourceResult]:
        if file.suffix == ".zst":
            pa = load_package("pyarrow")
            with pa.CompressedInputStream(str(file), "zstd") as opened:
                yield from read_each(io.BufferedReader(opened))
        else:
            with file.open("rb") as opened:
                yield from read_each(opened)

    return read_file


def _read_csv(file: Path) -> Iterator[SourceResult]:
    with file.open(encoding="utf-8", newline="") as opened:
        reader = csv.reader(opened)
        names = next(reader, list[str]())
        places = {name: at for at, name in enumerate(names) if _is_read(name)}

        def tables_of_rows() -> Iterator[_Columns]:
            while some := [*itertools.islice(reader, _CSV_ROWS)]:
                whole = [line for line in some if len(line) == len(names)]
                yield {name: _from_text(name, whole, at) for name, at in places.items()}

        yield from _by_source(tables_of_rows())


def _from_text(name: str, lines: Sequence[Sequence[str]], at: int) -> list[Any]:
    if name in _TEXTS:
        return [line[at] for line in lines]
    return [float(line[at]) if line[at] else math.nan for line in lines]


def _read_parquet(file: Path) -> Iterator[SourceResult]:
    dataset = load_package("pyarrow.dataset").dataset(file, format="parquet")
    batches = dataset.to_batches(
        columns=[name for name in dataset.schema.names if _is_read(name)],
        batch_size=tables.BATCH_ROWS,
        batch_readahead=1,
        fragment_readahead=1,
    )
    yield from _by_source(
        {name: _from_arrow(name, column) for name, column in zip(names, columns, strict=True)}
        for names, columns in ((batch.schema.names, batch.columns) for batch in batches)
    )


def _from_arrow(name: str, column: Any) -> list[Any]:
    if name in _TEXTS:
        return ["" if text is None else text for text in column.to_pylist()]
    kind, first, end = str(column.type), column.offset, column.offset + len(column)
    if column.null_count or kind not in {"float", "double"}:
        return [math.nan if number is None else float(number) for number in column.to_pylist()]
    # Without an object of pyarrow's for each number: this takes a twentieth of the time.
    memory = memoryview(column.buffers()[1]).cast("B")
    numbers = memory.cast("f") if kind == "float" else memory.cast("d")
    return [*numbers[first:end]]


def _by_source(parts: Iterable[_Columns]) -> Iterator[SourceResult]:
    """Give the blocks of each source, whose rows may go on from one part to the next."""
    name, blocks = "", list[Block]()
    for part in parts:
        for block in _blocks(part):
            if block.source != name:
                if blocks:
                    yield SourceResult(name, blocks)
                name, blocks = block.source, []
            blocks.append(block)
    if blocks:
        yield SourceResult(name, blocks)


def _blocks(part: _Columns) -> Iterator[Block]:
    keys = zip(part["source"], part["model"], part["id"], strict=True)
    scores = [name for name in part if name not in PLACE and is_expression(name)]
    scores = [name for name in scores if not all(map(math.isnan, part[name]))]
    start = 0
    for key, run in itertools.groupby(keys):
        end = start + sum(1 for _ in run)
        columns: dict[str, Sequence[float]] = {}
        for name in scores:
            some = part[name][start:end]
            if not (math.isnan(some[0]) and all(map(math.isnan, some))):
                columns[name] = some
        begins, ends, texts = (part[name][start:end] for name in ("begin", "end", "text"))
        yield Block(key, begins, ends, texts, columns)
        start = end


_READERS: Mapping[str, _Reader] = {
    "predictions.jsonl": _lines(_predictions),
    "predictions.jsonl.zst": _lines(_predictions),
    "predictions.parquet": _read_parquet,
    "predictions.csv": _read_csv,
    "measurements.jsonl": _lines(_live_results),
    "measurements.jsonl.zst": _lines(_live_results),
    "decisions.jsonl": _lines(_live_results),
    "decisions.jsonl.zst": _lines(_live_results),
}
"""By the name of the file, in the order in which they are looked for."""
