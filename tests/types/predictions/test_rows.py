"""Predictions as flat rows."""

from __future__ import annotations

from pathlib import Path

import pytest
from tabular import body, dicts, face, rows, url_source

from humeai_async.errors import DecodeError
from humeai_async.types.predictions.layouts import MOST_TOGETHER
from humeai_async.types.predictions.predictions import Predictions
from humeai_async.types.predictions.rows import COLUMNS, EXPRESSIONS, MODELS, Row

SAMPLE = Predictions.from_json(
    (Path(__file__).parents[2] / "samples/answers/get_job_predictions.json").read_bytes()
)
FOUND = next(source for source in SAMPLE if source.results)


def test_there_is_one_row_a_prediction_of_every_model() -> None:
    found = dicts("a", FOUND)
    expected = sum(
        len(group.predictions)
        for file in FOUND.files
        for model in MODELS
        if (part := getattr(file.models, model))
        for group in part.grouped_predictions
    )
    assert expected == len(found)
    assert {model for model in MODELS if getattr(FOUND.files[0].models, model)} <= {
        row["model"] for row in found
    }


def test_every_key_of_a_row_is_a_column() -> None:
    assert set() == {key for row in dicts("a", FOUND) for key in row} - set(COLUMNS)


def test_columns_are_named_once() -> None:
    assert len(COLUMNS) == len(set(COLUMNS))
    assert len(EXPRESSIONS) == 48


def test_a_face_has_its_time_box_and_all_expressions() -> None:
    row = next(row for row in dicts("a", FOUND) if row["model"] == "face")
    assert {"frame", "begin", "end", "box_x", "box_y", "box_w", "box_h", "probability"} <= set(row)
    assert set(EXPRESSIONS) <= set(row)


def test_language_has_its_place_text_sentiment_and_toxicity() -> None:
    row = next(row for source in SAMPLE for row in dicts("a", source) if row["model"] == "language")
    assert {"text", "text_begin", "text_end", "Sarcasm"} <= set(row)


def test_scores_of_a_row_are_those_of_the_object() -> None:
    face = FOUND.files[0].models.face
    assert face is not None
    first = face.grouped_predictions[0].predictions[0]
    row = next(row for row in rows("a", FOUND) if row.place.model == "face")
    assert dict(zip(row.names, row.scores, strict=True)) == first.emotions.as_dict()
    assert (row.place.frame, row.place.box_x) == (first.frame, first.box.x)


def test_rows_share_one_tuple_of_names() -> None:
    names = [row.names for row in rows("a", FOUND) if row.place.model == "face"]
    assert len(names) > 1
    assert len({id(one) for one in names}) <= 2


def test_a_batch_holds_rows_of_the_same_names_and_no_more_than_some_hundred() -> None:
    faces = [face(n) for n in range(MOST_TOGETHER + 5)] + [face(n, ("Joy", "Joy")) for n in (1, 2)]
    found = Predictions.from_json(body(url_source("https://x/a", face=faces)))
    assert [batch.size for batch in found.row_batches()] == [MOST_TOGETHER, 5, 2]
    assert [row.place.frame for row in found.rows()] == [*range(MOST_TOGETHER + 5), 1, 2]
    assert [*found.rows()][-1].scores == [2 / 1024, 3 / 1024]


def test_rows_before_a_wrong_one_are_given_before_its_error() -> None:
    wrong = face(3) | {"emotions": [{"name": "Joy", "score": "high"}]}
    faces = [face(0), face(1), face(2), wrong]
    found = Predictions.from_json(body(url_source("https://x/a", face=faces)))
    given: list[Row] = []
    with pytest.raises(DecodeError, match=r"emotions\[0\]\.score"):
        given.extend(found.rows())
    assert [row.place.frame for row in given] == [0, 1, 2]
