"""Files of results whose columns are open: those of the newer products.

Expressions and questions have any names, so a table has the columns that occur. `PaidOutcomes`
chooses these files; the sinks write them as they do others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from humeai_async.bulk.csv_rows import encode_dicts, encode_line
from humeai_async.bulk.outcome import Outcome, label_of
from humeai_async.bulk.sinks import Formats, Layout
from humeai_async.bulk.text_files import AnyOutcome, CompressedJsonLines, Csv, JsonLines
from humeai_async.types.tabular import OpenRow, Tabular


class OpenCsv(Csv):
    """One row a measurement or decision, as `to_arrow` has them; the first column is the source.

    A cell is empty where a row does not name its column, which is not a score of zero.
    """

    columns: ClassVar[Sequence[str]] = ("source",)
    head: ClassVar[bytes] = encode_line(columns)

    def write(self, outcome: AnyOutcome, rows: Sequence[Any]) -> None:
        """Write the rows of one outcome."""
        del outcome
        self._ensure_columns(name for row in rows for name in row)
        if rows:
            self.append(encode_dicts(rows, self._columns))


OPEN_FORMATS = ("jsonl", "jsonl.zst", "csv")
"""Formats of these files."""


def open_layout(stem: str) -> Layout:
    """Say what the files of a product's results are.

    Args:
        stem: Their name without its ending.
    """
    formats: Formats = {
        "jsonl": (f"{stem}.jsonl", JsonLines),
        "jsonl.zst": (f"{stem}.jsonl.zst", CompressedJsonLines),
        "csv": (f"{stem}.csv", OpenCsv),
    }
    return Layout(formats, rows_of)


def rows_of(outcome: Outcome[Any, Any]) -> list[OpenRow]:
    """Make the rows of an outcome; a failed one gives nothing."""
    found = outcome.predictions
    if not isinstance(found, Tabular):
        return []
    source = label_of(outcome.source)
    return [{"source": source, **row} for row in found.rows()]
