"""Tables of one model and in the long form, and what other programs read of them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from tabular import body, face, pa, pd, pl, pq, scores, text_source, url_source, word

from humeai_async.errors import InvalidArgumentError
from humeai_async.types.predictions.expressions import EXPRESSIONS, LANGUAGE_EXPRESSIONS
from humeai_async.types.predictions.predictions import Predictions
from humeai_async.types.predictions.rows import MODELS, SCORES
from humeai_async.types.predictions.tables import LONG_SCHEMA, Columns, LongColumns, schema

SAMPLE = Predictions.from_json(
    (Path(__file__).parents[2] / "samples/answers/get_job_predictions.json").read_bytes()
)


def speech(begin: float, text: str | None) -> dict[str, Any]:
    return {
        "text": text,
        "time": {"begin": begin, "end": begin + 0.5},
        "confidence": 0.5,
        "emotions": scores(EXPRESSIONS, 3),
    }


def mixed() -> Predictions:
    """Faces, speech, words with sentiment, and an expression that nobody knows."""
    strange = face(2, ("Joy", "Schadenfreude"))
    strange["emotions"][0]["score"] = None
    return Predictions.from_json(
        body(
            url_source(
                "https://x/a.mp4",
                face=[face(0), face(1), strange],
                prosody=[speech(0.0, 'Grüß "dich", 🙂\n'), speech(1.0, None)],
            ),
            text_source(language=[word("Good.", sentiment=True), word("Bad.", sentiment=False)]),
        )
    )


def long_rows(found: Predictions) -> list[dict[str, Any]]:
    """Make the long form by hand, from the objects' rows."""
    return [
        {
            **{
                name: row.place._asdict()[name] for name in LONG_SCHEMA if name in row.place._fields
            },
            "expression": name,
            "score": None if math.isnan(score) else score,
        }
        for row in found.rows(described=True)
        for name, score in zip(row.names, row.scores, strict=True)
    ]


def test_a_table_of_one_model_has_the_columns_of_this_model() -> None:
    table = mixed().to_arrow(model="face")
    assert table.column_names == [
        "source", "file", "id", "frame", "begin", "box_x", "box_y", "box_w", "box_h",
        "probability", *EXPRESSIONS, "Schadenfreude",
    ]  # fmt: skip
    assert table["frame"].to_pylist() == [0, 1, 2]
    assert table["Schadenfreude"].to_pylist() == [None, None, 3 / 1024]
    assert table["Awe"].to_pylist() == [
        EXPRESSIONS.index("Awe") / 1024,
        (1 + EXPRESSIONS.index("Awe")) / 1024,
        None,
    ]


def test_a_table_of_words_has_sentiment_and_toxicity() -> None:
    table = mixed().to_arrow("language")
    assert set(SCORES) <= set(table.column_names)
    assert "box_x" not in table.column_names
    assert table["sentiment_1"].to_pylist() == [1 / 1024, None]
    assert set(LANGUAGE_EXPRESSIONS) <= set(table.column_names)


@pytest.mark.parametrize("model", MODELS)
def test_a_table_of_a_model_holds_the_rows_of_this_model(model: str) -> None:
    rows = [row.as_dict() for row in SAMPLE.rows((model,), described=True)]
    table = SAMPLE.to_arrow(model)
    for expected, found in zip(rows, table.to_pylist(), strict=True):
        there = {name: value for name, value in found.items() if value is not None}
        beyond = expected.keys() - there.keys()
        assert there == {name: expected[name] for name in there}
        assert beyond <= ({"model", "end"} if model == "face" else {"model"})


def test_facs_and_descriptions_are_columns_of_a_model_and_not_of_all() -> None:
    asked = {**face(0), "facs": scores(("AU1 Inner Brow Raise",), 7), "descriptions": None}
    found = Predictions.from_json(body(url_source("https://x/a.mp4", face=[asked])))
    assert found.to_arrow(model="face")["facs_AU1 Inner Brow Raise"].to_pylist() == [7 / 1024]
    assert found.to_arrow().schema == schema()


def test_the_long_form_has_a_row_for_each_score() -> None:
    found = mixed()
    assert found.to_arrow(long=True).to_pylist() == long_rows(found)


def test_the_long_form_of_everything_in_the_sample_holds_all_scores() -> None:
    assert SAMPLE.to_arrow(long=True).to_pylist() == long_rows(SAMPLE)


def test_the_long_form_of_one_model_reads_this_one_only() -> None:
    table = mixed().to_arrow("prosody", long=True)
    assert table.num_rows == 2 * len(EXPRESSIONS)
    assert set(table["model"].to_pylist()) == {"prosody"}


def test_a_score_without_a_number_is_a_row_of_the_long_form() -> None:
    none = face(0)
    none["emotions"][3]["score"] = None
    found = Predictions.from_json(body(url_source("https://x/a.mp4", face=[none])))
    (row,) = [row for row in found.to_arrow(long=True).to_pylist() if row["score"] is None]
    assert row["expression"] == EXPRESSIONS[3]


@pytest.mark.parametrize("how", [{}, {"model": "ner"}, {"long": True}])
def test_no_predictions_give_a_table_with_all_columns(how: dict[str, Any]) -> None:
    empty = Predictions.from_json(b"[]")
    assert empty.to_arrow(**how).num_rows == 0
    assert empty.to_arrow(**how).column_names[:2] == ["source", "file"]
    assert empty.to_polars(**how).columns == list(empty.to_pandas(**how).columns)


def test_a_model_that_does_not_exist_is_told() -> None:
    with pytest.raises(InvalidArgumentError, match="model must be one of face, burst"):
        mixed().to_polars(model="faces")


def test_units_are_in_the_metadata_of_the_fields() -> None:
    table = mixed().to_arrow()
    assert table.schema.field("begin").metadata == {b"unit": b"seconds from the start of the media"}
    assert table.schema.field("box_x").metadata == {b"unit": b"pixels of the frame"}
    assert table.schema.field("Joy").metadata == {b"unit": b"mostly 0 to 1"}
    assert table.schema.field("source").metadata is None
    assert table.schema.metadata == {b"humeai_async.form": b"wide", b"humeai_async.model": b"all"}
    assert mixed().to_arrow(long=True).schema.field("score").metadata is not None


def test_scores_can_be_floats_of_32_bits() -> None:
    for columns in (Columns(grows=True, scores="float"), LongColumns(scores="float")):
        for batch in mixed().row_batches():
            columns.append(batch)
        batch = columns.take()
        name = "score" if "score" in batch.schema.names else "Schadenfreude"
        assert batch.schema.field(name).type == pa.float32()


def test_the_frames_hold_what_the_arrow_table_holds() -> None:
    expected = long_rows(mixed())
    assert mixed().to_polars(long=True).to_dicts() == expected
    frame = mixed().to_pandas(long=True)
    assert cells(frame.to_dict("records")) == cells(expected)
    by_hand = frame.groupby(["model", "expression"], observed=True)["score"].mean()
    assert by_hand["face", "Schadenfreude"] == 3 / 1024


def cells(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows as plain values: not a number and pandas' own NA are None."""
    return [
        {name: None if pd.isna(value) else value for name, value in row.items()} for row in rows
    ]


def read_by_pyarrow(path: Path) -> Any:
    return pq.read_table(path).to_pylist()


def read_by_polars(path: Path) -> Any:
    return pl.read_parquet(path).to_dicts()


def read_by_pandas(path: Path) -> Any:
    return pd.read_parquet(path, dtype_backend="numpy_nullable").to_dict("records")


def read_by_duckdb(path: Path) -> Any:
    duckdb: Any = pytest.importorskip("duckdb", reason="comes with the extra test")
    with duckdb.connect() as opened:
        return opened.read_parquet(str(path)).to_arrow_table().to_pylist()


READERS = [read_by_pyarrow, read_by_polars, read_by_pandas, read_by_duckdb]


def write_by_pyarrow(found: Predictions, path: Path, **how: Any) -> None:
    pq.write_table(found.to_arrow(**how), path)


def write_by_polars(found: Predictions, path: Path, **how: Any) -> None:
    found.to_polars(**how).write_parquet(path)


def write_by_pandas(found: Predictions, path: Path, **how: Any) -> None:
    found.to_pandas(**how).to_parquet(path)


def write_by_duckdb(found: Predictions, path: Path, **how: Any) -> None:
    duckdb: Any = pytest.importorskip("duckdb", reason="comes with the extra test")
    with duckdb.connect() as opened:
        opened.register("found", found.to_arrow(**how))
        opened.execute(f"COPY found TO '{path}' (FORMAT parquet)")


WRITERS = [write_by_pyarrow, write_by_polars, write_by_pandas, write_by_duckdb]


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("how", [{}, {"model": "face"}, {"long": True}])
def test_tables_go_to_parquet_and_come_back(
    write: Any, how: dict[str, Any], tmp_path: Path
) -> None:
    found = mixed()
    write(found, tmp_path / "t.parquet", **how)
    expected = cells(found.to_arrow(**how).to_pylist())
    assert any(row.get("Schadenfreude") or row.get("expression") for row in expected)
    for read in READERS:
        assert cells(read(tmp_path / "t.parquet")) == expected


def test_duckdb_reads_a_table_where_it_lies() -> None:
    duckdb: Any = pytest.importorskip("duckdb", reason="comes with the extra test")
    table = mixed().to_arrow(long=True)
    with duckdb.connect() as opened:
        opened.register("scores", table)
        query = "SELECT max(score) FROM scores WHERE expression = 'Schadenfreude'"
        assert opened.sql(query).fetchall() == [(3 / 1024,)]
