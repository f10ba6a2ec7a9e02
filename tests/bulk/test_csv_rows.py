"""CSV by pyarrow is the CSV of the standard library, byte for byte."""

from __future__ import annotations

import csv
import io
import math
import sys
from collections.abc import Sequence

import pytest
from fuzzing.budget import examples
from hypothesis import given
from hypothesis import strategies as st
from tabular import batches_of, body, face, text_source, url_source, word

from humeai_async.bulk import csv_rows
from humeai_async.bulk.csv_rows import encode_rows
from humeai_async.types.predictions.predictions import Predictions
from humeai_async.types.predictions.rows import COLUMNS, Place, Row


def by_the_standard_library(rows: Sequence[Row], columns: Sequence[str]) -> bytes:
    text = io.StringIO(newline="")
    csv.DictWriter(text, columns).writerows(row.as_dict() for row in rows)
    return text.getvalue().encode()


def row(number: float, text: str | None = None, frame: int | None = None) -> Row:
    place = Place("a", "f", "face", "unknown", frame=frame, begin=number, text=text)
    return Row(place, ("Joy", "Glee"), [number, -number])


@pytest.fixture(autouse=True)
def always_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_rows, "FEWEST_ROWS", 1)


NUMBERS = st.one_of(
    st.floats(allow_infinity=False),
    st.floats(0, 1),
    st.floats(-6, 18).map(lambda power: 10.0**power),
    st.integers(-(10**17), 10**17).map(float),
    st.sampled_from([0.0, -0.0, 1e-4, 9.999e-5, 1e15, 1e16, 5e-324, 999999999999999.9, math.nan]),
)
TEXTS = st.none() | st.text(st.sampled_from('a,"\r\n\0; 0é'), max_size=6)


@examples(40)
@given(st.lists(st.builds(row, NUMBERS, TEXTS, st.none() | st.integers(0, 2**62)), min_size=1))
def test_any_row_has_the_bytes_of_the_standard_library(rows: list[Row]) -> None:
    columns = (*COLUMNS, "Glee")
    assert encode_rows(batches_of(rows), columns) == by_the_standard_library(rows, columns)


def test_bodies_of_all_kinds_have_the_bytes_of_the_standard_library() -> None:
    odd = face(3)
    odd["emotions"] = [{"name": "Glee"}, *odd["emotions"][::-1], *odd["emotions"][:2]]
    sources = [
        url_source("https://x/a,b.mp4", face=[face(0), odd, face(1)]),
        text_source(language=[word("Well,\n“so”", sentiment=True), word("yes", sentiment=False)]),
    ]
    rows = [*Predictions.from_json(body(*sources)).rows()]
    columns = [*COLUMNS, "Unused", "Glee"]
    assert encode_rows(batches_of(rows), columns) == by_the_standard_library(rows, columns)


def test_without_pyarrow_the_standard_library_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    rows = [row(0.5, "a,b"), row(1.0)]
    columns = (*COLUMNS, "Glee")
    assert encode_rows(batches_of(rows), columns) == by_the_standard_library(rows, columns)


def test_more_names_than_a_table_may_have_are_written_too() -> None:
    rows = [Row(Place("a", "f", "face", "x"), (f"n{n}",), [0.5]) for n in range(1100)]
    columns = (*COLUMNS, *(f"n{n}" for n in range(1100)))
    assert encode_rows(batches_of(rows), columns) == by_the_standard_library(rows, columns)
