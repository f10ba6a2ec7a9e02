"""Rows as CSV, byte for byte as the standard library writes them, and faster with pyarrow.

pyarrow writes numbers in a tenth of the time, but some of them in another form than Python, and
texts only in quotes. So numbers of another form are written by Python, and texts that need quotes
are put in at the end. Where pyarrow is not installed, and for a few rows, the standard library
writes them. It knows rows and no files; `text_files.py` calls it.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from humeai_async._base.packages import load_package
from humeai_async.errors import DecodeError, MissingPackageError
from humeai_async.types.predictions import tables
from humeai_async.types.predictions.columns import text_array
from humeai_async.types.predictions.rows import RowBatch

__all__ = ["encode_dicts", "encode_line", "encode_rows"]

FEWEST_ROWS = 200
"""Rows for which columns are made; with fewer, making them costs more than it brings."""

_NEEDS_QUOTES = re.compile('[",\r\n\0]')
"""Characters of a text that is put in at the end; NUL marks the place of such a text."""
_MARK = re.compile(rb"\0(\d+)\0")
_DECIMAL = (1e-4, 1e10)
"""Sizes between which Python writes a fraction as pyarrow does, without an exponent."""


def encode_line(values: Iterable[object]) -> bytes:
    """Return one line of CSV."""
    text = io.StringIO(newline="")
    csv.writer(text).writerow(values)
    return text.getvalue().encode()


def encode_rows(batches: Sequence[RowBatch], columns: Sequence[str]) -> bytes:
    """Return rows as lines of CSV.

    Args:
        batches: The rows.
        columns: All columns, in order; a row is empty where it has none of that name.
    """
    if sum(batch.size for batch in batches) >= FEWEST_ROWS:
        try:
            return b"".join(_encode_by_pyarrow(batches, columns))
        except (MissingPackageError, DecodeError):
            pass  # it is not installed, or there are more names than a table may have
    return encode_dicts((row.as_dict() for batch in batches for row in batch.rows()), columns)


def encode_dicts(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> bytes:
    """Return rows by column as lines of CSV, with the standard library alone.

    Args:
        rows: The rows.
        columns: All columns, in order; a row is empty where it has none of that name.
    """
    text = io.StringIO(newline="")
    csv.DictWriter(text, columns).writerows(rows)
    return text.getvalue().encode()


def _encode_by_pyarrow(batches: Sequence[RowBatch], columns: Sequence[str]) -> Iterator[bytes]:
    collected = tables.Columns(grows=True)
    for batch in batches:
        collected.append(batch)
        if len(collected) >= tables.BATCH_ROWS:
            yield _encode_table(collected.take(), columns)
    if len(collected):
        yield _encode_table(collected.take(), columns)


def _encode_table(batch: Any, columns: Sequence[str]) -> bytes:
    pa, writer = load_package("pyarrow"), load_package("pyarrow.csv")
    found = dict(zip(batch.schema.names, batch.columns, strict=True))
    quoted: list[bytes] = []
    nothing = pa.nulls(batch.num_rows, pa.string())
    cells = [_as_text(pa, found.get(name, nothing), quoted) for name in columns]
    # Names are no part of what is written; any that differ will do.
    table = pa.Table.from_arrays(cells, names=[str(number) for number in range(len(cells))])
    options = writer.WriteOptions(
        include_header=False, quoting_style="none", batch_size=tables.BATCH_ROWS
    )
    stream = pa.BufferOutputStream()
    writer.write_csv(table, stream, options)
    lines: bytes = stream.getvalue().to_pybytes().replace(b"\n", b"\r\n")
    return _MARK.sub(lambda mark: quoted[int(mark[1])], lines) if quoted else lines


def _as_text(pa: Any, column: Any, quoted: list[bytes]) -> Any:
    """Return a column as pyarrow may write it; texts that need quotes go into a list."""
    if pa.types.is_string(column.type):
        return _with_marks(pa, column, quoted)
    return _as_python_writes(column) if pa.types.is_floating(column.type) else column


def _with_marks(pa: Any, column: Any, quoted: list[bytes]) -> Any:
    """Put marks in place of texts that need quotes."""
    labels = column.dictionary_encode()
    texts: list[str] = labels.dictionary.to_pylist()
    if not any(map(_NEEDS_QUOTES.search, texts)):
        return column
    for place, text in enumerate(texts):
        if _NEEDS_QUOTES.search(text):
            texts[place] = f"\0{len(quoted)}\0"
            quoted.append(encode_line([text]).removesuffix(b"\r\n"))
    marked = pa.DictionaryArray.from_arrays(labels.indices, text_array(pa, texts))
    return marked.dictionary_decode()


def _as_python_writes(column: Any) -> Any:
    """Write those numbers of a column as Python does that pyarrow writes in another form."""
    compute = load_package("pyarrow.compute")
    least, most = compute.min_max(column).as_py().values()
    if least is None or (least >= _DECIMAL[0] and most < 1):
        return column
    if least >= 0 and most < 1:  # as scores nearly always are; the rest takes four times as long
        differs = compute.less(column, _DECIMAL[0])
    else:
        differs = _is_written_differently(compute, column)
        if not compute.any(differs).as_py():
            return column
    differs = compute.fill_null(differs, False)
    texts = [repr(number) for number in column.filter(differs).to_pylist()]
    pa = load_package("pyarrow")
    return compute.replace_with_mask(column.cast(pa.string()), differs, text_array(pa, texts))


def _is_written_differently(compute: Any, column: Any) -> Any:
    is_whole = compute.equal(compute.floor(column), column)  # 1.0 and 1
    size = compute.abs(column)
    is_small, is_large = compute.less(size, _DECIMAL[0]), compute.greater_equal(size, _DECIMAL[1])
    return compute.or_(is_whole, compute.or_(is_small, is_large))
