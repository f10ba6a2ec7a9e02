"""Results of the newer products in files: each recording once, and paid for once."""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from live_support import silence, speech, wav
from support import client_of

from humeai_async import HumeAI, InvalidArgumentError, LedgerError, Upload
from humeai_async.decisions import Choice, Noul, QuestionSet, Span
from humeai_async.testing import FakeHume

pytestmark = pytest.mark.anyio

QUESTIONS = QuestionSet(
    {"calm": Noul("Calm?"), "who": Choice("Who?", ["a", "b"]), "when": Span("A laugh.")}
)


@pytest.fixture
async def fake() -> AsyncIterator[FakeHume]:
    async with FakeHume() as server:
        yield server


@pytest.fixture
async def hume(fake: FakeHume) -> AsyncIterator[HumeAI]:
    async with client_of(fake) as client:
        yield client


def clips(folder: Path, count: int) -> list[Path]:
    """Write clips, each with a content of its own."""
    paths = [folder / f"clip-{n}.wav" for n in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(wav(speech(1.0, pitch=200 + number) + silence(0.2)))
    return paths


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def table_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as opened:
        return list(csv.DictReader(opened))


async def test_measurements_are_written_as_lines_and_as_the_rows_of_the_table(
    hume: HumeAI, tmp_path: Path
) -> None:
    paths = clips(tmp_path, 3)
    out = tmp_path / "out"
    report = await hume.expression.measure_many(paths).write_to(out, ("jsonl", "csv"))
    assert [out / "measurements.jsonl", out / "measurements.csv"] == list(report.files)
    lines = lines_of(out / "measurements.jsonl")
    assert {str(path) for path in paths} == {line["source"] for line in lines}
    written = table_of(out / "measurements.csv")
    for line in lines:
        alone = await hume.expression.measure_audio(Path(line["source"]))
        rows = [row for row in written if row["source"] == line["source"]]
        found = [{k: str(v) for k, v in row.items()} for row in alone.rows()]
        assert found == [
            {name: value for name, value in row.items() if value and name != "source"}
            for row in rows
        ]
        assert line["predictions"]["run_id"] == line["job_id"]
        assert len(line["predictions"]["measurements"]) == len(alone.measurements)


async def test_decisions_have_a_row_each_with_a_column_for_each_question(
    hume: HumeAI, tmp_path: Path
) -> None:
    path, out = clips(tmp_path, 1)[0], tmp_path / "out"
    await hume.decisions.create_many([path], QUESTIONS).write_to(out, ("jsonl", "csv"))
    (row,) = table_of(out / "decisions.csv")
    assert ["source", "run_id", "input_tokens", "calm", "who", "when"] == list(row)
    alone = await hume.decisions.create(path, QUESTIONS)
    assert (str(alone["calm"].noul), alone["who"].choice) == (row["calm"], row["who"])
    (line,) = lines_of(out / "decisions.jsonl")
    assert line["source"] == str(path)
    assert line["predictions"]["results"]["calm"]["noul"] == alone["calm"].noul


async def test_a_run_written_again_goes_on_and_has_each_clip_once(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    paths, out = clips(tmp_path, 6), tmp_path / "out"
    first = hume.decisions.create_many(paths[:4], QUESTIONS)
    await first.write_to(out, ("jsonl", "csv"))
    again = hume.decisions.create_many(paths, QUESTIONS)
    report = await again.write_to(out, ("jsonl", "csv"))
    assert report.outcomes == 2
    assert len(fake.decisions.runs) == 6
    expected = sorted(str(path) for path in paths)
    assert expected == sorted(line["source"] for line in lines_of(out / "decisions.jsonl"))
    assert expected == sorted(row["source"] for row in table_of(out / "decisions.csv"))
    assert again.bill.spent == fake.decisions.input_tokens


async def test_a_run_that_is_cancelled_at_any_moment_goes_on_and_pays_nothing_again(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    paths, out = clips(tmp_path, 8), tmp_path / "out"
    for stop in range(1, 5):
        with anyio.CancelScope() as scope:

            def cancel(_: object, scope: anyio.CancelScope = scope, stop: int = stop) -> None:
                if len(fake.expression.runs) >= 2 * stop:
                    scope.cancel()

            run = hume.expression.measure_many(paths, concurrency=1)
            await run.write_to(out, ("jsonl", "csv"), on_progress=cancel)
    await hume.expression.measure_many(paths).write_to(out, ("jsonl", "csv"))
    assert len(fake.expression.runs) == 8
    expected = sorted(str(path) for path in paths)
    assert expected == sorted(line["source"] for line in lines_of(out / "measurements.jsonl"))
    assert set(expected) == {row["source"] for row in table_of(out / "measurements.csv")}


@pytest.mark.parametrize("concurrency", [1, 4])
async def test_a_run_that_is_cancelled_waits_for_the_responses_that_are_on_their_way(
    tmp_path: Path, concurrency: int
) -> None:
    paths, out = clips(tmp_path, 4), tmp_path / "out"
    async with FakeHume(latency=0.05) as fake, client_of(fake) as hume:
        run = hume.expression.measure_many(paths, concurrency=concurrency)
        task = asyncio.create_task(run.write_to(out))
        while not fake.expression.runs:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await hume.expression.measure_many(paths).write_to(out)
        assert len(fake.expression.runs) == 4
    lines = lines_of(out / "measurements.jsonl")
    assert sorted(map(str, paths)) == sorted(line["source"] for line in lines)
    assert not [line for line in lines if "error" in line]


async def test_a_clip_that_fails_has_a_line_and_no_row(hume: HumeAI, tmp_path: Path) -> None:
    out = tmp_path / "out"
    bad = Upload(b"%PDF-1.7", "a.pdf")
    report = await hume.expression.measure_many([bad, b"%PDF"]).write_to(out, ("jsonl", "csv"))
    lines = lines_of(out / "measurements.jsonl")
    assert {"a.pdf", "file"} == {line["source"] for line in lines}
    assert {"InvalidArgumentError"} == {line["error"]["type"] for line in lines}
    assert table_of(out / "measurements.csv") == []
    assert report.outcomes == 2


async def test_the_folder_of_other_questions_is_refused(hume: HumeAI, tmp_path: Path) -> None:
    paths, out = clips(tmp_path, 1), tmp_path / "out"
    await hume.decisions.create_many(paths, QUESTIONS).write_to(out)
    with pytest.raises(LedgerError):
        await hume.decisions.create_many(paths, {"b": Noul("B?")}).write_to(out)


@pytest.mark.parametrize("formats", [("parquet",), (), ("xml",), "parquet"])
async def test_formats_that_are_none_are_refused(
    hume: HumeAI, fake: FakeHume, tmp_path: Path, formats: Any
) -> None:
    run = hume.expression.measure_many(clips(tmp_path, 1))
    with pytest.raises(InvalidArgumentError, match=r"any of jsonl, jsonl\.zst, csv, not"):
        await run.write_to(tmp_path / "out", formats)
    assert not fake.requests


async def test_a_run_with_a_ledger_of_its_own_or_that_has_begun_is_refused(
    hume: HumeAI, tmp_path: Path
) -> None:
    paths = clips(tmp_path, 1)
    with pytest.raises(InvalidArgumentError, match="leave the ledger out"):
        await hume.expression.measure_many(paths, ledger=tmp_path / "a.db").write_to(tmp_path)
    run = hume.expression.measure_many(paths)
    async for _ in run:
        with pytest.raises(InvalidArgumentError, match="has begun"):
            await run.write_to(tmp_path / "out")
    run = hume.expression.measure_many(paths)
    await run.write_to(tmp_path / "out")
    with pytest.raises(InvalidArgumentError, match="has begun"):
        await run.write_to(tmp_path / "out")
