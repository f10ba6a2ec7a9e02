"""Outcomes in files: the same rows in every format, and nothing lost or doubled by a crash."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import pytest
from tabular import body, dicts, face, is_missing, pa, pl, pq, text_source, url_source, word

from humeai_async.bulk import sinks as sinks_module
from humeai_async.bulk import text_files
from humeai_async.bulk.outcome import Outcome, SourceFailedError
from humeai_async.bulk.sinks import (
    FORMATS,
    Csv,
    Layout,
    Parquet,
    Sinks,
    SourceOutcome,
    rows_of,
)
from humeai_async.errors import DecodeError, InvalidArgumentError, MissingPackageError, SaveError
from humeai_async.types.predictions import layouts, tables
from humeai_async.types.predictions.predictions import Predictions, UnreadPredictions
from humeai_async.types.predictions.rows import COLUMNS, Row
from humeai_async.types.sources import name_of

ALL = tuple(FORMATS)
SAMPLE = Predictions.from_json(
    (Path(__file__).parents[1] / "samples/answers/get_job_predictions.json").read_bytes()
)
FOUND = next(source for source in SAMPLE if source.results)


def outcome(source: str = "https://media.example.com/a.mp4") -> SourceOutcome:
    return Outcome(source=source, job_id="job-1", predictions=FOUND)


def frames(source: str, *numbers: int) -> SourceOutcome:
    found = Predictions.from_json(body(url_source(source, face=[face(n) for n in numbers])))
    return Outcome(source=source, job_id="job-1", predictions=found[0])


def lines(folder: Path) -> list[dict[str, Any]]:
    text = (folder / "predictions.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "predictions.csv").open(newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_json_lines_and_csv_hold_what_was_written(tmp_path: Path) -> None:
    error = SourceFailedError("no such file", job_id="job-1")
    with Sinks(tmp_path, ("jsonl", "csv")) as sinks:
        sinks.write(outcome())
        sinks.write(SourceOutcome(source=Path("b.wav"), job_id="job-1", error=error))
    found = lines(tmp_path)
    assert [line["source"] for line in found] == ["https://media.example.com/a.mp4", "b.wav"]
    assert found[0]["predictions"]["results"]["predictions"][0]["file"] == FOUND.files[0].file
    assert found[1]["error"] == {"type": "SourceFailedError", "message": "no such file"}
    assert len(dicts("a", FOUND)) == len(table(tmp_path))
    assert list(COLUMNS) == list(table(tmp_path)[0])


def test_csv_and_parquet_hold_the_same_rows(tmp_path: Path) -> None:
    texts = Predictions.from_json(body(text_source(language=[word("Well,\n“so”", sentiment=True)])))
    with Sinks(tmp_path, ("csv", "parquet"), score_bits=64) as sinks:
        sinks.write(outcome())
        sinks.write(SourceOutcome(source="Well,\n“so”", job_id="job-2", predictions=texts[0]))
        sinks.sync()
        sinks.finish()
    stored = pq.read_table(tmp_path / "predictions.parquet").to_pylist()
    as_text = [
        {name: "" if is_missing(value) else str(value) for name, value in row.items()}
        for row in stored
    ]
    assert as_text == table(tmp_path)


def test_parquet_reads_back_with_the_documented_schema(tmp_path: Path) -> None:
    with Sinks(tmp_path, ("parquet",), score_bits=64) as sinks:
        sinks.write(outcome("a"))
        sinks.sync()
        sinks.finish()
    path = tmp_path / "predictions.parquet"
    kinds: dict[str, Any] = {"string": pl.String, "int64": pl.Int64, "double": pl.Float64}
    expected = {name: kinds[kind] for name, kind in tables.SCHEMA.items()}
    assert pq.read_table(path).schema == tables.schema()
    assert dict(pl.read_parquet(path).schema) == expected
    assert pl.read_parquet(path).to_dicts() == pq.read_table(path).to_pylist()
    written = [
        {k: v for k, v in r.items() if v is not None} for r in pq.read_table(path).to_pylist()
    ]
    assert written == dicts("a", FOUND)


def test_parquet_without_a_row_has_the_schema_too(tmp_path: Path) -> None:
    with Sinks(tmp_path, ("parquet",)) as sinks:
        sinks.sync()
        sinks.finish()
    empty = pq.read_table(tmp_path / "predictions.parquet")
    assert (empty.num_rows, empty.schema) == (0, tables.schema(scores="float"))


def test_outcomes_of_jobs_are_written_as_their_body_and_rows(tmp_path: Path) -> None:
    found = Outcome(source="job-1", job_id="job-1", predictions=SAMPLE)
    with Sinks(tmp_path, ("jsonl", "csv")) as sinks:
        sinks.write(found)
    assert len((tmp_path / "predictions.jsonl").read_bytes().splitlines()) == 1
    assert lines(tmp_path)[0]["predictions"] == json.loads(SAMPLE.body)
    expected = [row for name, one in SAMPLE.named() for row in dicts(name, one)]
    assert [row["source"] for row in table(tmp_path)] == [row["source"] for row in expected]


def test_a_body_that_is_no_json_inside_becomes_an_error_and_not_a_line(tmp_path: Path) -> None:
    unread = UnreadPredictions.from_json(b'[{"source":]')
    with Sinks(tmp_path, ["jsonl"]) as sinks:
        sinks.write(Outcome(source="a", job_id="a", unread=unread))
    (line,) = lines(tmp_path)
    assert line["error"]["type"] == "DecodeError"


@pytest.mark.parametrize("formats", [("jsonl", "csv"), ("jsonl",)])
def test_unread_bodies_are_read_where_rows_are_asked_for(
    formats: tuple[str, ...], tmp_path: Path
) -> None:
    bodies = {"good": SAMPLE.body, "wrong": b'[{"source":\n5}]'}
    with Sinks(tmp_path, formats) as sinks:
        for name, text in bodies.items():
            unread = UnreadPredictions.from_json(text)
            sinks.write(Outcome(source=name, job_id=name, unread=unread))
    good, wrong = lines(tmp_path)
    assert good["predictions"] == json.loads(SAMPLE.body)
    if "csv" in formats:
        assert wrong["error"]["type"] == "DecodeError"
    else:
        assert wrong["predictions"] == [{"source": 5}]


def test_what_is_written_is_in_the_file_before_the_end(tmp_path: Path) -> None:
    with Sinks(tmp_path, ("jsonl",)) as sinks:
        sinks.write(outcome())
        assert len(lines(tmp_path)) == 1


@pytest.mark.parametrize("name", [*(FORMATS[name][0] for name in ALL)])
def test_results_that_are_there_are_not_written_over(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(SaveError, match="there already"):
        Sinks(tmp_path, ALL)
    assert (tmp_path / name).read_text() == "mine"
    assert names(tmp_path) == {name}


def test_parts_that_are_there_are_not_written_over(tmp_path: Path) -> None:
    with Sinks(tmp_path, ("parquet",)) as sinks:
        sinks.write(outcome())
        sinks.sync()
    with pytest.raises(SaveError, match="there already"):
        Sinks(tmp_path, ("parquet",))


def test_a_run_that_was_killed_before_its_first_outcome_can_begin_again(tmp_path: Path) -> None:
    Sinks(tmp_path, ALL).close()
    (tmp_path / "predictions.csv").write_bytes(Csv.head[:10])
    with Sinks(tmp_path, ALL) as sinks:
        sinks.write(outcome())
    assert list(COLUMNS) == list(table(tmp_path)[0])


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SaveError, match="cannot write"):
        Sinks(tmp_path / "file" / "folder", ("csv",))


def test_a_format_that_does_not_exist_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match=r"jsonl, jsonl\.zst, csv, parquet, not 'xlsx'"):
        Sinks(tmp_path, ("csv", "xlsx"))


def test_parquet_without_pyarrow_is_told_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(MissingPackageError, match=r"humeai_async\[arrow\]"):
        Sinks(tmp_path / "new", ALL)
    assert not (tmp_path / "new").exists()


def test_going_on_drops_what_came_after_the_position(tmp_path: Path) -> None:
    with Sinks(tmp_path, ALL) as sinks:
        sinks.write(frames("a", 0, 1))
        positions = sinks.sync()
        sinks.write(frames("lost", 2))
        sinks.sync()
        sinks.write(frames("lost too", 3))
    with Sinks(tmp_path, ALL, positions) as sinks:
        sinks.write(frames("b", 4))
        sinks.sync()
        sinks.finish()
    assert [line["source"] for line in lines(tmp_path)] == ["a", "b"]
    assert [row["source"] for row in table(tmp_path)] == ["a", "a", "b"]
    stored = pq.read_table(tmp_path / "predictions.parquet")
    assert stored["source"].to_pylist() == ["a", "a", "b"]
    assert stored["frame"].to_pylist() == [0, 1, 4]


def test_going_on_from_a_checkpoint_without_rows_begins_anew(tmp_path: Path) -> None:
    with Sinks(tmp_path, ALL) as sinks:
        positions = sinks.sync()
        sinks.write(frames("lost", 2))
        sinks.sync()
    with Sinks(tmp_path, ALL, positions) as sinks:
        sinks.write(frames("a", 1))
        sinks.sync()
        sinks.finish()
    assert [line["source"] for line in lines(tmp_path)] == ["a"]
    assert [row["frame"] for row in table(tmp_path)] == ["1"]
    assert pq.read_table(tmp_path / "predictions.parquet")["frame"].to_pylist() == [1]


def test_a_finished_run_can_be_added_to(tmp_path: Path) -> None:
    positions: dict[str, int] = {}
    for number, source in enumerate(("a", "b", "c")):
        with Sinks(tmp_path, ALL, positions or None) as sinks:
            sinks.write(frames(source, number))
            positions = sinks.sync()
            sinks.finish()
    assert [line["source"] for line in lines(tmp_path)] == ["a", "b", "c"]
    assert pq.read_table(tmp_path / "predictions.parquet")["frame"].to_pylist() == [0, 1, 2]
    stored = pq.read_table(tmp_path / "predictions.parquet")
    assert stored.schema == tables.schema(scores="float")
    assert names(tmp_path) == {FORMATS[name][0] for name in ALL}


def leave(folder: Path, *, ignore_errors: bool) -> None:
    """Remove nothing."""
    assert folder.is_dir()
    assert ignore_errors


def test_finishing_can_be_repeated_after_it_was_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    positions: dict[str, int] = {}
    with Sinks(tmp_path, ("parquet",)) as sinks:
        for number in range(3):
            sinks.write(frames("a", number))
            positions = sinks.sync()
        monkeypatch.setattr("shutil.rmtree", leave)
        sinks.finish()
        monkeypatch.undo()
    assert ".predictions.parquet.parts" in names(tmp_path)
    with Sinks(tmp_path, ("parquet",), positions) as sinks:
        sinks.finish()
    assert pq.read_table(tmp_path / "predictions.parquet")["frame"].to_pylist() == [0, 1, 2]
    assert names(tmp_path) == {"predictions.parquet"}


def test_a_checkpoint_without_news_makes_no_part(tmp_path: Path) -> None:
    with Sinks(tmp_path, ("parquet",)) as sinks:
        sinks.write(frames("a", 0))
        assert sinks.sync() == sinks.sync() == {"parquet": 1}
        sinks.write(frames("b", 1))
        assert sinks.sync() == {"parquet": 2}
    parts = sorted(p.name for p in (tmp_path / ".predictions.parquet.parts").iterdir())
    assert parts == ["part-000001.parquet", "part-000002.parquet"]


def compressed_lines(folder: Path) -> list[dict[str, Any]]:
    with pa.CompressedInputStream(str(folder / "predictions.jsonl.zst"), "zstd") as opened:
        return [json.loads(line) for line in opened.read().splitlines()]


def test_compressed_json_lines_are_the_same_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_files, "_FRAME_SIZE", 1000)
    error = SourceFailedError("no such file", job_id="job-1")
    with Sinks(tmp_path, ("jsonl", "jsonl.zst")) as sinks:
        sinks.write(frames("a", 0, 1))
        positions = sinks.sync()
        sinks.write(frames("lost", 2))
        sinks.sync()
    with Sinks(tmp_path, ("jsonl", "jsonl.zst"), positions) as sinks:
        sinks.write(SourceOutcome(source="b", job_id="job-1", error=error))
        sinks.write(Outcome(source="job", job_id="job", predictions=SAMPLE))
        sinks.sync()
        sinks.finish()
    assert compressed_lines(tmp_path) == lines(tmp_path)
    assert [line["source"] for line in lines(tmp_path)] == ["a", "b", "job"]


def test_parquet_appears_only_when_it_is_finished(tmp_path: Path) -> None:
    with Sinks(tmp_path, ("parquet",)) as sinks:
        sinks.write(frames("a", 0))
        sinks.sync()
        assert names(tmp_path) == {".predictions.parquet.parts"}
        sinks.finish()
        assert names(tmp_path) == {"predictions.parquet"}


def test_row_groups_go_to_the_disk_as_rows_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "BATCH_ROWS", 4)
    monkeypatch.setattr(layouts, "MOST_TOGETHER", 4)
    with Sinks(tmp_path, ("parquet",)) as sinks:
        sinks.write(frames("a", *range(10)))
        sinks.sync()
        sinks.finish()
    stored = pq.ParquetFile(tmp_path / "predictions.parquet" / Parquet.first_file)
    groups = stored.metadata
    assert [groups.row_group(n).num_rows for n in range(groups.num_row_groups)] == [4, 6]
    assert stored.read()["frame"].to_pylist() == list(range(10))


def test_small_parts_are_put_together_into_row_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "BATCH_ROWS", 4)
    with Sinks(tmp_path, ("parquet",)) as sinks:
        for number in range(10):
            sinks.write(frames("a", number))
            sinks.sync()
        sinks.finish()
    stored = pq.ParquetFile(tmp_path / "predictions.parquet" / Parquet.first_file)
    groups = stored.metadata
    assert [groups.row_group(n).num_rows for n in range(groups.num_row_groups)] == [4, 6]
    assert stored.read()["frame"].to_pylist() == list(range(10))


@pytest.mark.parametrize("name", ["jsonl", "csv"])
def test_a_file_shorter_than_its_checkpoint_is_told(name: str, tmp_path: Path) -> None:
    with Sinks(tmp_path, (name,)) as sinks:
        sinks.write(outcome())
        positions = sinks.sync()
    path = tmp_path / FORMATS[name][0]
    os.truncate(path, positions[name] - 1)
    with pytest.raises(SaveError, match="had been saved"):
        Sinks(tmp_path, (name,), positions)
    assert path.stat().st_size == positions[name] - 1


def test_a_part_that_is_missing_is_told_and_the_others_stay(tmp_path: Path) -> None:
    positions: dict[str, int] = {}
    with Sinks(tmp_path, ("parquet",)) as sinks:
        for number in range(3):
            sinks.write(frames("a", number))
            positions = sinks.sync()
    parts = tmp_path / ".predictions.parquet.parts"
    (parts / "part-000002.parquet").unlink()
    with pytest.raises(SaveError, match=r"part-000002\.parquet is missing"):
        Sinks(tmp_path, ("parquet",), positions)
    assert names(parts) == {"part-000001.parquet", "part-000003.parquet"}


def test_a_parquet_file_later_than_the_checkpoint_is_told(tmp_path: Path) -> None:
    with Sinks(tmp_path, ("parquet",)) as sinks:
        positions = sinks.sync()
        sinks.write(frames("a", 0))
        sinks.sync()
        sinks.finish()
    with pytest.raises(SaveError, match="later than the last checkpoint"):
        Sinks(tmp_path, ("parquet",), positions)


def test_a_parquet_file_of_somebody_else_is_told(tmp_path: Path) -> None:
    pq.write_table(pa.table({"mine": [1]}), tmp_path / "predictions.parquet")
    with pytest.raises(SaveError, match="not from this run"):
        Sinks(tmp_path, ("parquet",), {"parquet": 0})


def test_a_part_that_is_damaged_is_told(tmp_path: Path) -> None:
    with Sinks(tmp_path, ("parquet",)) as sinks:
        for number in range(2):
            sinks.write(frames("a", number))
            sinks.sync()
        (tmp_path / ".predictions.parquet.parts" / "part-000002.parquet").write_bytes(b"PAR1")
        with pytest.raises(SaveError, match="cannot be written"):
            sinks.finish()
    assert names(tmp_path) == {".predictions.parquet.parts"}


def test_a_csv_file_with_other_columns_is_told(tmp_path: Path) -> None:
    (tmp_path / "predictions.csv").write_text("source,file\r\n" + "x" * 5000)
    with pytest.raises(SaveError, match="other columns"):
        Sinks(tmp_path, ("csv",), {"csv": 3000})


def test_a_wrong_score_becomes_the_error_of_its_outcome(tmp_path: Path) -> None:
    wrong = face(1)
    wrong["emotions"][0]["score"] = "high"
    found = Predictions.from_json(body(url_source("https://x/a", face=[face(0), wrong])))
    with Sinks(tmp_path, ALL) as sinks:
        written = sinks.write(SourceOutcome(source="a", job_id="job-1", predictions=found[0]))
        sinks.write(frames("b", 5))
        sinks.sync()
        sinks.finish()
    assert written.predictions is None
    assert isinstance(written.error, DecodeError)
    assert [line["source"] for line in lines(tmp_path) if "error" in line] == ["a"]
    assert [row["source"] for row in table(tmp_path)] == ["b"]
    assert pq.read_table(tmp_path / "predictions.parquet")["source"].to_pylist() == ["b"]


def test_the_written_outcome_is_the_given_one(tmp_path: Path) -> None:
    with Sinks(tmp_path, ALL) as sinks:
        good = outcome()
        assert sinks.write(good) is good


class FullDisk:
    """A sink on a device that is always full."""

    wants_rows = False
    head = b""

    def __init__(self, path: Path, position: int) -> None:
        assert (path.name, position) == ("full.bin", 0)

    def write(self, outcome: object, rows: Sequence[Row]) -> None:
        del rows
        with Path("/dev/full").open("wb") as opened:
            opened.write(str(outcome).encode())
            opened.flush()

    def sync(self) -> int:
        raise AssertionError("nothing more is written after an error")

    def finish(self) -> None:
        raise AssertionError("nothing more is written after an error")

    def close(self) -> None:
        """There is nothing to close."""


def test_a_full_disk_is_told_and_ends_the_writing(tmp_path: Path) -> None:
    formats: Any = {"full": ("full.bin", FullDisk)}
    sinks = Sinks(tmp_path, ("full",), layout=Layout(formats, rows_of))
    with pytest.raises(SaveError, match="No space left"):
        sinks.write(outcome())
    for more in (lambda: sinks.write(outcome()), sinks.sync, sinks.finish):
        with pytest.raises(SaveError, match=r"an earlier write failed \(No space left"):
            more()


def open_full(_: Path, mode: str) -> IO[bytes]:
    assert mode == "xb"
    return open("/dev/full", "wb")  # noqa: PTH123 - Path.open is what it stands for


def test_a_full_disk_under_a_parquet_part_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Sinks(tmp_path, ("parquet",)) as sinks:
        sinks.write(frames("a", 0))
        positions = sinks.sync()
        sinks.write(frames("b", 1))
        monkeypatch.setattr(Path, "open", open_full)
        with pytest.raises(SaveError, match="No space left"):
            sinks.sync()
        monkeypatch.undo()
    with Sinks(tmp_path, ("parquet",), positions) as sinks:
        sinks.finish()
    assert pq.read_table(tmp_path / "predictions.parquet")["source"].to_pylist() == ["a"]


def test_a_path_that_is_no_text_has_a_name_all_the_same(tmp_path: Path) -> None:
    odd = Path(os.fsdecode(b"caf\xe9.wav"))
    assert name_of(odd) == "caf?.wav"
    with Sinks(tmp_path, ("jsonl",)) as sinks:
        sinks.write(SourceOutcome(source=odd, job_id="job-1", predictions=FOUND))
    assert lines(tmp_path)[0]["source"] == "caf?.wav"


def new_expressions(source: str, *names: str) -> SourceOutcome:
    shown = face(0)
    shown["emotions"] += [{"name": name, "score": 0.25} for name in names]
    found = Predictions.from_json(body(url_source(source, face=[shown])))
    return Outcome(source=source, job_id="job-1", predictions=found[0])


def test_expressions_that_hume_has_added_are_columns_at_the_end(tmp_path: Path) -> None:
    with Sinks(tmp_path, ("csv",)) as sinks:
        sinks.write(frames("a", 0))
        sinks.write(new_expressions("b", "Glee", 'odd "name",\nof two lines'))
        positions = sinks.sync()
        sinks.write(new_expressions("lost", "Gone"))
    with Sinks(tmp_path, ("csv",), positions) as sinks:
        sinks.write(new_expressions("c", "Glee", "Awe of late"))
    found = table(tmp_path)
    assert [row["source"] for row in found] == ["a", "b", "c"]
    assert list(found[0])[len(COLUMNS) : len(COLUMNS) + 2] == ["Glee", 'odd "name",\nof two lines']
    assert [row["Glee"] or "" for row in found] == ["", "0.25", "0.25"]
    assert [row["Awe of late"] or "" for row in found] == ["", "", "0.25"]


def test_a_format_is_refused_before_anything_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(MissingPackageError):
        sinks_module.check_formats(("parquet",))
    for formats in ((), ("csv", "xlsx")):
        with pytest.raises(InvalidArgumentError):
            sinks_module.check_formats(formats)


def test_parquet_has_the_columns_that_hume_has_added_wherever_they_came(tmp_path: Path) -> None:
    positions: dict[str, int] | None = None
    for number, name in enumerate(("Glee", "Awe of late", "Glee")):
        with Sinks(tmp_path, ("parquet",), positions) as sinks:
            sinks.write(frames(f"plain {number}", number))
            positions = sinks.sync()
            sinks.write(new_expressions(f"new {number}", name))
            positions = sinks.sync()
            sinks.finish()
    stored = pq.read_table(tmp_path / "predictions.parquet")
    assert stored.schema.names == [*tables.SCHEMA, "Glee", "Awe of late"]
    found = [(row["source"], row["Glee"], row["Awe of late"]) for row in stored.to_pylist()]
    assert found == [
        ("plain 0", None, None),
        ("new 0", 0.25, None),
        ("plain 1", None, None),
        ("new 1", None, 0.25),
        ("plain 2", None, None),
        ("new 2", 0.25, None),
    ]


def test_a_column_that_comes_in_mid_part_begins_another_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "BATCH_ROWS", 1)
    with Sinks(tmp_path, ("parquet",)) as sinks:
        sinks.write(frames("a", 0))
        sinks.write(new_expressions("b", "Glee"))
        sinks.write(frames("c", 1))
        assert sinks.sync() == {"parquet": 2}
        sinks.finish()
    stored = pq.read_table(tmp_path / "predictions.parquet")
    assert stored["source"].to_pylist() == ["a", "b", "c"]
    assert stored["Glee"].to_pylist() == [None, 0.25, None]
