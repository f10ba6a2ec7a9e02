"""Parquet as a folder of files: one table to every reader, whole whenever a run was killed."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tabular import body, face, pa, pl, pq, url_source

from humeai_async.bulk import parquet
from humeai_async.bulk.outcome import Outcome, SourceFailedError
from humeai_async.bulk.sinks import Sinks, SourceOutcome
from humeai_async.errors import InvalidArgumentError, SaveError
from humeai_async.types.predictions import layouts, tables
from humeai_async.types.predictions.predictions import Predictions
from humeai_async.types.predictions.rows import SCORES

TABLE = "predictions.parquet"


def frames(source: str, *numbers: int, more: tuple[str, ...] = ()) -> SourceOutcome:
    faces = [face(n) for n in numbers]
    for one in faces:
        one["emotions"] += [{"name": name, "score": 0.25} for name in more]
    found = Predictions.from_json(body(url_source(source, face=faces)))
    return Outcome(source=source, job_id="job-1", predictions=found[0])


def write(folder: Path, *checkpoints: SourceOutcome, **options: Any) -> Path:
    with Sinks(folder, ("parquet",), **options) as sinks:
        for outcome in checkpoints:
            sinks.write(outcome)
            sinks.sync()
        sinks.finish()
    return folder / TABLE


def files(table: Path) -> list[Path]:
    return sorted(table.iterdir())


def groups_of(file: Path) -> list[int]:
    metadata = pq.ParquetFile(file).metadata
    return [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "BATCH_ROWS", 4)
    monkeypatch.setattr(layouts, "MOST_TOGETHER", 2)
    monkeypatch.setattr(parquet, "FILE_ROWS", 8)
    monkeypatch.setattr(parquet, "LARGE_PART", 2)


@pytest.mark.usefixtures("small")
def test_every_reader_takes_the_folder_for_one_table(tmp_path: Path) -> None:
    table = write(
        tmp_path, frames("a", *range(9)), frames("b", *range(7)), frames("c", 1, more=("Glee",))
    )
    assert len(files(table)) > 1
    expected = pq.read_table(table)
    assert expected.num_rows == 17
    assert expected["Glee"].to_pylist() == [None] * 16 + [0.25]
    rows = expected.to_pylist()
    assert pl.read_parquet(table).to_dicts() == rows
    assert pl.scan_parquet(table).collect().to_dicts() == rows
    duckdb = importlib.import_module("duckdb")
    found = duckdb.sql(f"select * from read_parquet('{table}/*.parquet')")  # noqa: S608 - our own
    assert found.to_arrow_table().to_pylist() == rows
    assert found.columns == expected.schema.names
    pandas = importlib.import_module("pandas")
    frame = pandas.read_parquet(table)
    assert (len(frame), list(frame.columns)) == (17, expected.schema.names)
    assert frame["Joy"].tolist() == expected["Joy"].to_pylist()


ODD_NAME = 'ein "Bild", ü\t,\r\nzeile 🙂 /%20.mp4'
NO_NUMBER = Predictions.from_json(
    body(url_source(ODD_NAME, face=[{**face(0), "emotions": [{"name": "Joy", "score": None}]}]))
)
ODD_RUNS: dict[str, list[SourceOutcome]] = {
    "nothing": [],
    "only failures": [Outcome(source="a", error=SourceFailedError("gone", job_id="job-1"))],
    "a source without faces": [frames("a")],
    "an odd name and no score": [Outcome(source=ODD_NAME, predictions=NO_NUMBER[0])],
}


@pytest.mark.parametrize("outcomes", ODD_RUNS.values(), ids=ODD_RUNS)
def test_every_reader_takes_odd_runs(outcomes: list[SourceOutcome], tmp_path: Path) -> None:
    table = write(tmp_path, *outcomes)
    rows = pq.read_table(table).to_pylist()
    assert {row["source"] for row in rows} <= {ODD_NAME}
    assert len(rows) == sum(
        one.predictions is not None and one.source == ODD_NAME for one in outcomes
    )
    assert pl.read_parquet(table).to_dicts() == rows
    duckdb = importlib.import_module("duckdb")
    found = duckdb.sql(f"from '{table}/*.parquet'")
    assert found.to_arrow_table().to_pylist() == rows
    frame = importlib.import_module("pandas").read_parquet(table)
    assert [*frame.columns] == [*tables.SCHEMA]
    assert frame["source"].tolist() == [row["source"] for row in rows]
    assert frame["Joy"].isna().all()


@pytest.mark.slow
@pytest.mark.usefixtures("small")
@pytest.mark.filterwarnings("ignore")  # Dask's own
def test_dask_takes_the_folder_for_one_table(tmp_path: Path) -> None:
    dataframe = pytest.importorskip("dask.dataframe", reason="comes with the extra server")
    table = write(tmp_path, frames("a", *range(9)), frames("b", 1, more=("Glee",)))
    found = dataframe.read_parquet(table).compute(scheduler="synchronous")
    assert found["frame"].tolist() == [*range(9), 1]
    assert found["Glee"].tolist()[-1] == 0.25


@pytest.mark.usefixtures("small")
def test_every_row_group_is_large_unless_the_file_is_small(tmp_path: Path) -> None:
    table = write(tmp_path, *(frames(str(n), *range(n)) for n in range(1, 9)))
    for file in files(table):
        assert min(groups_of(file)) >= min(4, sum(groups_of(file)))
    assert sum(sum(groups_of(file)) for file in files(table)) == 36


@pytest.mark.usefixtures("small")
def test_a_large_part_becomes_a_file_without_being_written_again(tmp_path: Path) -> None:
    with Sinks(tmp_path, ("parquet",)) as sinks:
        sinks.write(frames("a", *range(9)))
        sinks.sync()
        (part,) = (tmp_path / f".{TABLE}.parts").iterdir()
        number = part.stat().st_ino
        sinks.write(frames("b", 1))
        sinks.sync()
        sinks.finish()
    assert [file.stat().st_ino == number for file in files(tmp_path / TABLE)] == [True, False]


@pytest.mark.usefixtures("small")
def test_a_disk_without_links_has_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(link: Path, target: Path) -> None:
        raise OSError(f"{link} is no link to {target}")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    table = write(tmp_path, frames("a", *range(9)), frames("b", 1))
    assert pq.read_table(table)["frame"].to_pylist() == [*range(9), 1]


def test_files_have_the_metadata_of_the_schema_and_statistics(tmp_path: Path) -> None:
    (file,) = files(write(tmp_path, frames("a", 1, 2), frames("b", 3)))
    schema = pq.read_schema(file)
    assert schema.metadata[b"humeai_async.form"] == b"wide"
    assert schema.field("begin").metadata[b"unit"] == b"seconds from the start of the media"
    column = pq.ParquetFile(file).metadata.row_group(0).column(schema.names.index("frame"))
    assert (column.statistics.min, column.statistics.max, column.compression) == (1, 3, "ZSTD")


def test_scores_have_32_bits_unless_64_are_asked_for(tmp_path: Path) -> None:
    small = pq.read_table(write(tmp_path / "a", frames("a", 1)))
    large = pq.read_table(write(tmp_path / "b", frames("a", 1), score_bits=64))
    assert {small.schema.field(name).type for name in SCORES} == {pa.float32()}
    assert large.schema == tables.schema()
    assert small["begin"] == large["begin"]
    assert small["Joy"].cast("double").to_pylist() == pytest.approx(large["Joy"].to_pylist())
    with pytest.raises(InvalidArgumentError, match="32 or 64, not 16"):
        write(tmp_path / "c", frames("a", 1), score_bits=16)


@pytest.mark.usefixtures("small")
def test_one_file_is_made_where_one_is_asked_for(tmp_path: Path) -> None:
    table = write(tmp_path, *(frames(str(n), *range(9)) for n in range(3)), one_file=True)
    (file,) = files(table)
    assert (file.name, sum(groups_of(file))) == ("part-00000.parquet", 27)


def test_a_table_of_one_file_is_not_written_over(tmp_path: Path) -> None:
    pq.write_table(pa.table({"mine": [1]}), tmp_path / TABLE)
    with pytest.raises(SaveError, match="not from this run"):
        Sinks(tmp_path, ("parquet",), {"parquet": 1})


KILLED = f"""
import os, sys, warnings
warnings.simplefilter("ignore")  # of forks beside threads
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
sys.path.insert(0, {str(Path(__file__).parents[1] / "support")!r})
from test_parquet_folder import frames, parquet, tables
from humeai_async.bulk.sinks import Sinks

tables.BATCH_ROWS, parquet.FILE_ROWS, parquet.LARGE_PART = 4, 8, 2

def run(folder):
    "A run of two starts, as a ledger would have it: the position is kept with each checkpoint."
    kept = folder / "position"
    for first, last in ((0, 3), (3, 6)):
        start = int(kept.read_text()) if kept.exists() else 0
        if start >= last and first == 0:
            continue
        with Sinks(folder, ("parquet",), {{"parquet": start}} if kept.exists() else None) as sinks:
            if not kept.exists():
                kept.write_text(str(sinks.sync()["parquet"]))
            for number in range(max(start, first), last):
                sinks.write(frames(str(number), *range(10 if number % 2 else 2)))
                position = sinks.sync()["parquet"]
                assert position == number + 1
                kept.with_suffix(".new").write_text(str(position))
                os.replace(kept.with_suffix(".new"), kept)
            sinks.finish()

def killed_at(number, folder):
    "Run in a child that dies before its so-manieth change of names or writing to the disk."
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    left = [number]
    def count(event, arguments):
        writes = event == "open" and arguments[1] not in ("r", "rb", None)
        if str(folder) not in str(arguments[0]) or str(arguments[0]).endswith(("position", "new")):
            return
        if writes or event in ("os.rename", "os.link", "os.mkdir", "os.remove", "os.rmdir"):
            left[0] -= 1
            if left[0] < 0:
                os._exit(9)
    sys.addaudithook(count)
    run(folder)
    os._exit(0)

import pyarrow.parquet as pq
number, codes = 0, {{9}}
while 9 in codes:
    folder = Path(sys.argv[1]) / str(number)
    folder.mkdir()
    codes = {{killed_at(number, folder)}}
    for table in folder.glob("*.parquet"):
        pq.read_table(table)  # whatever is there can be read
    again = killed_at(number // 2, folder)
    run(folder)
    found = pq.read_table(folder / "predictions.parquet").select(["source", "frame"]).to_pylist()
    expected = [(str(n), f) for n in range(6) for f in range(10 if n % 2 else 2)]
    assert [(row["source"], row["frame"]) for row in found] == expected, (number, found)
    left = sorted(path.name for path in folder.iterdir())
    assert left == ["position", "predictions.parquet"], (number, left)
    number += 13  # one after the other, they pass too, in a minute
print(number)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="it needs fork")
def test_whenever_a_run_is_killed_no_row_is_lost_or_doubled(tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", KILLED, str(tmp_path)], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 9
