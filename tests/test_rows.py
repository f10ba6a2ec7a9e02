"""Predictions as flat rows, and outcomes in files."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from humeai_async.bulk import Outcome, SourceFailedError
from humeai_async.errors import SaveError
from humeai_async.rows import COLUMNS, EXPRESSIONS, MODELS, rows, strongest
from humeai_async.sinks import Sinks, SourceOutcome
from humeai_async.types.predictions import Predictions

SAMPLE = Predictions.from_json(
    (Path(__file__).parent / "samples/answers/get_job_predictions.json").read_bytes()
)
FOUND = next(source for source in SAMPLE if source.results)


def outcome(source: str = "https://media.example.com/a.mp4") -> SourceOutcome:
    return Outcome(source=source, job_id="job-1", predictions=FOUND)


def test_there_is_one_row_a_prediction_of_every_model() -> None:
    found = list(rows("a", FOUND))
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
    assert set() == {key for row in rows("a", FOUND) for key in row} - set(COLUMNS)


def test_columns_are_named_once() -> None:
    assert len(COLUMNS) == len(set(COLUMNS))
    assert len(EXPRESSIONS) == 48


def test_a_face_has_its_time_box_and_all_expressions() -> None:
    row = next(row for row in rows("a", FOUND) if row["model"] == "face")
    assert {"frame", "begin", "end", "box_x", "box_y", "box_w", "box_h", "probability"} <= set(row)
    assert set(EXPRESSIONS) <= set(row)


def test_language_has_its_place_text_sentiment_and_toxicity() -> None:
    row = next(row for source in SAMPLE for row in rows("a", source) if row["model"] == "language")
    assert {"text", "text_begin", "text_end", "Sarcasm"} <= set(row)


def test_the_strongest_expression_of_each_model_is_found() -> None:
    best = strongest(FOUND.files[0])
    face = FOUND.files[0].models.face
    assert face is not None
    everything = [
        score.score
        for group in face.grouped_predictions
        for prediction in group.predictions
        for score in prediction.emotions
    ]
    assert max(everything) == best["face"][1]


def test_json_lines_and_csv_hold_what_was_written(tmp_path: Path) -> None:
    error = SourceFailedError("no such file", job_id="job-1")
    with Sinks(tmp_path, ("jsonl", "csv")) as sinks:
        sinks.write(outcome())
        sinks.write(Outcome(source=Path("b.wav"), job_id="job-1", error=error))
    text = (tmp_path / "predictions.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["source"] for line in lines] == ["https://media.example.com/a.mp4", "b.wav"]
    assert lines[0]["predictions"]["results"]["predictions"][0]["file"] == FOUND.files[0].file
    assert lines[1]["error"] == {"type": "SourceFailedError", "message": "no such file"}
    with (tmp_path / "predictions.csv").open(newline="") as opened:
        table = list(csv.DictReader(opened))
    assert len(list(rows("a", FOUND))) == len(table)
    assert list(COLUMNS) == list(table[0])


def test_what_is_written_is_on_disk_before_the_end(tmp_path: Path) -> None:
    with Sinks(tmp_path, ("jsonl",)) as sinks:
        sinks.write(outcome())
        assert len((tmp_path / "predictions.jsonl").read_text().splitlines()) == 1


def test_results_that_are_there_are_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "predictions.csv").write_text("mine")
    with pytest.raises(SaveError, match="there already"):
        Sinks(tmp_path, ("csv",))
    assert (tmp_path / "predictions.csv").read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SaveError, match="cannot write"):
        Sinks(tmp_path / "file" / "folder", ("csv",))


def test_a_full_disk_is_told() -> None:
    full = Path("/dev/full")
    sinks = Sinks.__new__(Sinks)
    sinks._sinks = [FullDisk(full)]  # type: ignore[list-item]  # a sink that always fails
    with pytest.raises(SaveError, match="No space left"):
        sinks.write(outcome())


class FullDisk:
    """A sink on a device that is always full."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, outcome: SourceOutcome) -> None:
        with self._path.open("wb") as opened:
            opened.write(str(outcome).encode())
            opened.flush()
