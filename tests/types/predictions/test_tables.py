"""Predictions as tables: one schema, the same values as in the objects."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import Any

import pytest
from tabular import (
    body,
    dicts,
    face,
    is_missing,
    np,
    pa,
    pd,
    pl,
    scores,
    text_source,
    url_source,
    word,
)

from humeai_async.errors import DecodeError, InvalidArgumentError, MissingPackageError
from humeai_async.types.predictions.predictions import Predictions
from humeai_async.types.predictions.rows import COLUMNS, EXPRESSIONS, LANGUAGE_EXPRESSIONS
from humeai_async.types.predictions.tables import BATCH_ROWS, SCHEMA, Columns, schema

SAMPLE = Predictions.from_json(
    (Path(__file__).parents[2] / "samples/answers/get_job_predictions.json").read_bytes()
)
FACES = Predictions.from_json(
    body(
        url_source("https://media.example.com/a.mp4", face=[face(0), face(1)]),
        url_source("https://media.example.com/b.mp4", face=[face(2)]),
    )
)


def wrong_score(place: int) -> Predictions:
    """Predictions of three faces, one of which has a score that is text."""
    frames = [face(n) for n in range(3)]
    frames[place]["emotions"][4]["score"] = "high"
    return Predictions.from_json(body(url_source("https://media.example.com/a.mp4", face=frames)))


def test_the_columns_and_types_are_the_documented_ones() -> None:
    assert tuple(SCHEMA) == COLUMNS
    assert {name for name, kind in SCHEMA.items() if kind == "int64"} == {
        "frame",
        "text_begin",
        "text_end",
    }
    assert {name for name, kind in SCHEMA.items() if kind == "string"} == {
        "source",
        "file",
        "model",
        "id",
        "text",
    }
    assert schema().field("Joy").type == pa.float64()


@pytest.mark.parametrize("predictions", [SAMPLE, FACES, Predictions.from_json("[]")])
def test_every_table_has_the_one_schema(predictions: Predictions) -> None:
    assert predictions.to_arrow().schema == schema()


def test_a_table_holds_what_the_rows_hold() -> None:
    expected = [row for name, found in SAMPLE.named() for row in dicts(name, found)]
    got = SAMPLE.to_arrow().to_pylist()
    assert [{k: v for k, v in row.items() if v is not None} for row in got] == expected


def test_sources_are_named_by_url_file_name_or_place() -> None:
    file = {
        **url_source("x", face=[face(0)]),
        "source": {"type": "file", "filename": "a.jpg", "md5sum": "0" * 32},
    }
    texts = text_source(language=[word("Good.", sentiment=False)])
    table = Predictions.from_json(
        body(url_source("https://x/a", face=[face(1)]), file, texts, texts)
    )
    assert table.to_arrow()["source"].to_pylist() == ["https://x/a", "a.jpg", "#2", "#3"]


def test_sentiment_and_toxicity_are_columns_and_missing_where_not_asked_for() -> None:
    words = [word("Good.", sentiment=True), word("Bad.", sentiment=False)]
    found = Predictions.from_json(body(text_source(language=words))).to_arrow().to_pylist()
    assert [found[0]["sentiment_9"], found[1]["sentiment_9"]] == [9 / 1024, None]
    assert [found[0]["toxicity_toxic"], found[1]["toxicity_toxic"]] == [2 / 1024, None]
    assert found[1]["Sarcasm"] == (7 + 48 + LANGUAGE_EXPRESSIONS.index("Sarcasm")) / 1024


def test_scores_find_their_columns_in_any_order() -> None:
    turned = tuple(reversed(EXPRESSIONS))
    source = url_source("https://x/a", face=[face(0), face(0, turned)])
    first, second = Predictions.from_json(body(source)).to_arrow().to_pylist()
    assert first["Admiration"] == 0.0
    assert second["Admiration"] == 47 / 1024
    assert second["Triumph"] == 0.0


def test_expressions_that_the_library_does_not_know_are_columns_at_the_end() -> None:
    strange = face(0, ("Joy", "Schadenfreude", "text"))
    found = Predictions.from_json(body(url_source("https://x/a", face=[strange])))
    table = found.to_arrow()
    assert table.schema == schema(["Schadenfreude", "score_text"])
    row = table.to_pylist()[0]
    assert (row["Schadenfreude"], row["score_text"]) == (1 / 1024, 2 / 1024)
    assert found.to_pandas()["Schadenfreude"].tolist() == [1 / 1024]
    assert found.to_polars()["Schadenfreude"].to_list() == [1 / 1024]


@pytest.mark.slow
def test_an_expression_that_comes_late_is_missing_in_the_rows_before_it() -> None:
    many = [face(n) for n in range(BATCH_ROWS)] + [face(0, ("Joy", "Schadenfreude"))]
    table = Predictions.from_json(body(url_source("https://x/a", face=many))).to_arrow()
    assert table["Schadenfreude"].to_pylist() == [None] * BATCH_ROWS + [1 / 1024]
    assert table.schema == schema(["Schadenfreude"])


def test_batches_of_one_schema_leave_unknown_expressions_out() -> None:
    strange = Predictions.from_json(body(url_source("https://x/a", face=[face(0, ("Ennui",))])))
    columns = Columns()
    columns.append(next(strange.row_batches()))
    assert columns.take().schema == schema()


def test_polars_has_the_same_columns_types_and_values() -> None:
    frame = SAMPLE.to_polars()
    kinds: dict[str, Any] = {"string": pl.String, "int64": pl.Int64, "double": pl.Float64}
    assert dict(frame.schema) == {name: kinds[kind] for name, kind in SCHEMA.items()}
    assert frame.to_dicts() == SAMPLE.to_arrow().to_pylist()


def test_pandas_keeps_whole_numbers_whole_beside_gaps() -> None:
    frame = SAMPLE.to_pandas()
    assert list(frame.columns) == list(SCHEMA)
    assert {str(frame[name].dtype) for name in ("frame", "text_begin", "text_end")} == {"Int64"}
    assert str(frame["Joy"].dtype) == "float64"
    expected = SAMPLE.to_arrow()["frame"].to_pylist()
    assert [None if pd.isna(value) else int(value) for value in frame["frame"]] == expected


def test_a_wrong_score_is_told_with_its_path() -> None:
    with pytest.raises(DecodeError) as caught:
        wrong_score(2).to_arrow()
    assert caught.value.path == (
        "$[0].results.predictions[0].models.face.grouped_predictions[0].predictions[2]"
        ".emotions[4].score"
    )


def test_a_frame_beyond_64_bits_is_refused_when_it_is_read() -> None:
    with pytest.raises(DecodeError) as caught:
        Predictions.from_json(body(url_source("https://x/a", face=[face(2**63)])))
    assert caught.value.path.endswith(".frame")


@pytest.mark.parametrize(
    ("method", "missing", "advice"),
    [
        ("to_arrow", "pyarrow", r"humeai_async\[arrow\]"),
        ("to_polars", "polars", "pip install polars"),
        ("to_pandas", "pandas", "pip install pandas"),
    ],
)
def test_a_missing_package_is_named_with_what_to_install(
    method: str, missing: str, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingPackageError, match=advice):
        getattr(FACES, method)()


def test_scores_of_a_model_are_names_once_and_one_array() -> None:
    table = FACES.scores("face")
    assert table.names == EXPRESSIONS
    matrix = np.frombuffer(table.values).reshape(len(table), len(table.names))
    assert matrix.shape == (3, 48)
    assert list(matrix[:, 0]) == [0.0, 1 / 1024, 2 / 1024]
    assert list(table.column("Adoration")) == [1 / 1024, 2 / 1024, 3 / 1024]


def test_scores_of_a_model_that_did_not_run_are_none() -> None:
    table = FACES.scores("prosody")
    assert (len(table), table.names, list(table.values)) == (0, (), [])


def test_scores_beside_the_emotions_are_reached_by_their_field() -> None:
    words = [word("Good.", sentiment=False), word("Bad.", sentiment=True)]
    table = Predictions.from_json(body(text_source(language=words))).scores("language", "sentiment")
    assert table.names == tuple("123456789")
    first, second = np.frombuffer(table.values).reshape(2, 9).tolist()
    assert all(is_missing(value) for value in first)
    assert second == [n / 1024 for n in range(1, 10)]


def test_a_name_that_comes_later_becomes_a_column() -> None:
    source = url_source("https://x/a", face=[face(0, ("A", "B")), face(8, ("C", "A"))])
    table = Predictions.from_json(body(source)).scores("face")
    assert table.names == ("A", "B", "C")
    assert list(table.column("A")) == [0.0, 9 / 1024]
    assert is_missing(table.column("B")[1])
    assert is_missing(table.column("C")[0])
    with pytest.raises(KeyError):
        table.column("D")


@pytest.mark.parametrize(("model", "field"), [("faces", "emotions"), ("face", "sentiment")])
def test_a_model_or_field_that_does_not_exist_is_told(model: str, field: str) -> None:
    with pytest.raises(InvalidArgumentError, match="must be one of"):
        FACES.scores(model, field)


def test_a_wrong_score_among_the_columns_is_told_with_its_path() -> None:
    with pytest.raises(DecodeError) as caught:
        wrong_score(1).scores("face")
    assert caught.value.path.endswith("predictions[1].emotions[4].score")


def test_scores_that_were_touched_give_the_same_table() -> None:
    touched = Predictions.from_json(FACES.body)
    touched.validate()
    assert touched.to_arrow() == FACES.to_arrow()


def test_making_a_table_keeps_nothing_of_what_it_reads() -> None:
    faces = [face(n) for n in range(200)]
    fresh = Predictions.from_json(body(url_source("https://x/a", face=faces)))
    fresh.to_arrow()  # imports, and names that are shared
    gc.collect()
    before = len(gc.get_objects())
    assert len(fresh.to_arrow()) == len(faces)
    assert len(gc.get_objects()) <= before + 20


def test_a_score_that_is_there_twice_counts_last() -> None:
    twice = face(0)
    twice["emotions"] = [*scores(("Joy",), 1), *scores(("Joy",), 2)]
    predictions = Predictions.from_json(body(url_source("https://x/a", face=[twice])))
    assert predictions.to_arrow()["Joy"].to_pylist() == [2 / 1024]
