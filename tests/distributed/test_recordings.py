"""Measurements and decisions in partitions: each file once in the results, none paid for twice."""

from __future__ import annotations

import asyncio
import errno
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from distributed_support import sources_in
from live_support import clips, picture, silence, speech, wav

from humeai_async import ConfigurationError, HumeAI, InvalidArgumentError, LedgerError, SaveError
from humeai_async._base.packages import load_package
from humeai_async.bulk.options import BulkOptions
from humeai_async.bulk.work import REFUSED
from humeai_async.decisions import Choice, Noul, QuestionSet, Span
from humeai_async.distributed import (
    PartitionReport,
    RedisLedger,
    collect,
    partitions,
    plan,
    plan_decisions,
    plan_measurements,
    retry_failed,
    work,
)
from humeai_async.distributed.plan import file_name, read_sources
from humeai_async.distributed.store import LocalStore
from humeai_async.expression import recordings, uploads
from humeai_async.expression.limits import ENVELOPE
from humeai_async.testing import FakeHume, Fault
from humeai_async.types.expression import AudioResult

pytestmark = pytest.mark.anyio

IMAGE_COLUMNS = ("frame_id", "face_id", "box_x", "box_y", "box_w", "box_h", "confidence")
QUESTIONS = QuestionSet(
    {"calm": Noul("Calm?"), "tone": Choice("Tone?", ["warm", "cold"]), "when": Span("A laugh.")},
    context="Two friends.",
)
PATIENT = BulkOptions(search_patience=0.5, jobs_at_once=4)


def paid(fake: FakeHume) -> Counter[Any]:
    """Count runs by the size of their file."""
    measured = [run["bytes_received"] for run in fake.expression.runs]
    decided = [run["received"]["file_bytes"] for run in fake.decisions.runs]
    return Counter(measured + decided)


async def work_on_all(into: Path, hume: HumeAI, **given: Any) -> list[PartitionReport]:
    found = await partitions(into)
    return [await work(one, hume, options=PATIENT, **given) for one in found]


def tables_in(into: Path) -> list[Any]:
    read = load_package("pyarrow.parquet").read_table
    return [read(file) for file in sorted(into.glob("part-*.parquet"))]


def lines_in(into: Path, number: int) -> str:
    path = into / "_run" / "results" / f"{file_name(number)}.jsonl.zst"
    stream = load_package("pyarrow").input_stream(str(path), compression="zstd")
    return bytes(stream.read()).decode()


async def test_each_recording_is_once_in_the_results_and_paid_for_once(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    paths, into = clips(tmp_path, 5), tmp_path / "run"
    planned = await plan_measurements(into, [*map(str, paths), paths[0]], partition_size=2)
    assert (planned.partitions, planned.sources) == (3, 5)
    await work_on_all(into, hume)
    assert sources_in(into) == {str(path): 1 for path in paths}
    assert set(paid(fake).values()) == {1}
    report = await collect(into)
    assert (report.done, report.arrived, report.failed, report.left_open) == (3, 5, 0, 0)
    assert report.billed == fake.expression.metered_seconds
    first, *others = tables_in(into)
    alone = await hume.expression.measure_audio(paths[0])
    of_first = [row for row in first.to_pylist() if row["source"] == str(paths[0])]
    assert of_first == [
        {"source": str(paths[0]), **dict.fromkeys(IMAGE_COLUMNS), **row}
        for row in alone.rows(long=True)
    ]
    assert all(one.schema.equals(first.schema) for one in others)
    assert '"utterances"' in lines_in(into, 0)


async def test_images_share_requests_within_their_partition(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    photos, into = [tmp_path / f"{n}.jpg" for n in range(5)], tmp_path / "run"
    for number, path in enumerate(photos):
        path.write_bytes(picture(seed=number))
    settings: dict[str, Any] = {"images_per_request": 2, "face": {"threshold": 0.5}}
    sources = [*photos, *clips(tmp_path, 1)]
    await plan_measurements(into, sources, partition_size=3, **settings)
    await work_on_all(into, hume)
    assert sources_in(into) == {str(path): 1 for path in sources}
    assert [1, 1, 2, 2] == sorted(map(len, fake.expression.files.values()))
    assert (await collect(into)).billed == fake.expression.metered_seconds == 40
    rows = [row for table in tables_in(into) for row in table.to_pylist()]
    alone = await hume.expression.measure_images(photos[:1], face=settings["face"])
    found = [row for row in rows if row["source"] == str(photos[0])]
    assert [{**row, **one} for row, one in zip(found, alone.rows(long=True), strict=True)] == found
    with pytest.raises(LedgerError):
        await plan_measurements(into, sources, partition_size=3)


async def test_each_clip_has_its_own_decisions_and_every_file_the_same_columns(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    paths, into = clips(tmp_path, 3), tmp_path / "run"
    (tmp_path / "none.wav").write_bytes(b"no sound at all")
    await plan_decisions(into, [*paths, tmp_path / "none.wav"], QUESTIONS, partition_size=1)
    await work_on_all(into, hume)
    report = await collect(into)
    assert (report.arrived, report.failed) == (3, 1)
    assert report.billed == fake.decisions.input_tokens
    tables = tables_in(into)
    alone = await hume.decisions.create(paths[1], QUESTIONS)
    (row,) = tables[1].to_pylist()
    (wanted,) = alone.rows()
    assert row == {"source": str(paths[1]), **wanted, "run_id": row["run_id"]}
    assert len({str(one.schema) for one in tables}) == 1
    assert tables[3].num_rows == 0
    await plan_decisions(into, paths, QuestionSet(QUESTIONS.questions), context="Two friends.")
    assert await partitions(into) == []
    assert "spans" in lines_in(into, 1)


async def test_a_partition_that_was_cut_off_is_whole_and_pays_for_nothing_twice(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    paths, into = clips(tmp_path, 6), tmp_path / "run"
    await plan_decisions(into, paths, QUESTIONS)
    (partition,) = await partitions(into)
    for stop in (1, 3, 5):
        cut = asyncio.create_task(work(partition, hume, options=PATIENT))
        while len(fake.decisions.runs) < stop and not cut.done():
            await asyncio.sleep(0)
        cut.cancel()
        await asyncio.wait([cut])
    report = await work(partition, hume, options=PATIENT)
    assert (report.arrived, report.billed) == (6, fake.decisions.input_tokens)
    assert sources_in(into) == {str(path): 1 for path in paths}
    assert paid(fake) == {path.stat().st_size: 1 for path in paths}
    requests = len(fake.requests)
    assert await work(partition, hume) == report
    assert len(fake.requests) == requests


async def test_a_long_recording_that_was_cut_off_has_each_part_paid_for_once(
    hume: HumeAI, fake: FakeHume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    longest_ms = 30_000  # in place of 13 minutes
    monkeypatch.setattr(uploads, "LARGEST_SAMPLES", longest_ms * 32)
    monkeypatch.setattr(uploads, "LARGEST_BODY", longest_ms * 32 + ENVELOPE)
    monkeypatch.setattr(recordings.measure_recording, "__kwdefaults__", {"longest_ms": longest_ms})
    path, into = tmp_path / "long.wav", tmp_path / "run"
    path.write_bytes(wav(b"".join(silence(1) + speech(5, pitch=180 + n) for n in range(12))))
    await hume.expression.measure(path)
    parts = len(fake.expression.runs)
    fake.expression.runs.clear()
    await plan_measurements(into, [path])
    (partition,) = await partitions(into)
    cut = asyncio.create_task(work(partition, hume, options=PATIENT))
    while len(fake.expression.runs) < 2 and not cut.done():
        await asyncio.sleep(0)
    cut.cancel()
    await asyncio.wait([cut])
    report = await work(partition, hume, options=PATIENT)
    assert (report.arrived, report.billed) == (1, fake.expression.metered_seconds)
    assert len(fake.expression.runs) == parts > 2
    assert sources_in(into) == {str(path): 1}


async def test_an_outage_leaves_its_recordings_open_and_the_next_start_pays_for_those_alone(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    paths, into = clips(tmp_path, 4), tmp_path / "run"
    await plan_measurements(into, paths)

    def is_away(method: str, path: str) -> bool:
        del method, path
        return len(fake.expression.runs) >= 2

    fake.faults.add(Fault("status", "POST", times=None, status=503, when=is_away))
    short = BulkOptions(search_patience=0.1, outage_patience=0.1, jobs_at_once=1)
    (report,) = [await work(one, hume, options=short) for one in await partitions(into)]
    assert (report.left_open, report.is_done) == (2, False)
    assert not tables_in(into)
    fake.faults.clear()
    await work_on_all(into, hume)
    assert paid(fake) == {path.stat().st_size: 1 for path in paths}
    assert sources_in(into) == {str(path): 1 for path in paths}


async def test_what_failed_is_named_and_tried_again_and_the_rest_is_not(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    paths, into = clips(tmp_path, 3), tmp_path / "run"
    given: list[Any] = [*paths, tmp_path / "missing.wav", b"RIFF", 7, tmp_path]
    await plan_measurements(into, given)
    fake.faults.add(Fault("reset", "POST", "*/file", after_work=True))  # its response is lost
    (report,) = await work_on_all(into, hume)
    assert (report.arrived, report.failed, report.left_open) == (2, 5, 0)
    assert {reason.partition(":")[0] for reason in report.reasons} == {
        "InvalidArgumentError",
        "ResultLostError",
    }
    (lost,) = {str(path) for path in paths} - set(sources_in(into))
    assert lost in (into / "_run" / "done" / "00000").read_text()
    assert await retry_failed(into) == 1
    await work_on_all(into, hume)
    assert sources_in(into) == {str(path): 1 for path in paths}
    report_of_all = await collect(into)
    assert (report_of_all.arrived, report_of_all.failed) == (3, 4)
    assert sorted(paid(fake).values()) == [1, 1, 2]


@pytest.mark.parametrize(
    "step",
    [
        "humeai_async.bulk.text_files.CompressedJsonLines.__init__",
        "humeai_async.bulk.text_files.CompressedJsonLines.write",
        "humeai_async.bulk.text_files.CompressedJsonLines.sync",
        "pyarrow.parquet.ParquetWriter",
    ],
)
async def test_a_full_disk_leaves_the_partition_open_and_nothing_is_paid_for_again(
    hume: HumeAI, fake: FakeHume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def is_full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    paths, into = clips(tmp_path, 2), tmp_path / "run"
    await plan_measurements(into, paths)
    with monkeypatch.context() as patched:
        patched.setattr(step, is_full)
        with pytest.raises(SaveError, match="space"):
            await work_on_all(into, hume)
    assert (await collect(into)).left_open == 2
    await work_on_all(into, hume)
    assert paid(fake) == {path.stat().st_size: 1 for path in paths}


@pytest.mark.parametrize("value", ["a text", 1 << 80, "\ud800"])
async def test_a_result_that_makes_no_rows_fails_alone_and_is_kept_whole(
    hume: HumeAI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: object
) -> None:
    def odd_rows(result: AudioResult, *, long: bool) -> list[dict[str, object]]:
        del result, long
        return [{"trigger" if value == "\ud800" else "start_ms": value}]

    into = tmp_path / "run"
    await plan_measurements(into, clips(tmp_path, 2))
    monkeypatch.setattr(AudioResult, "rows", odd_rows)
    (report,) = await work_on_all(into, hume)
    assert (report.arrived, report.failed) == (0, 2)
    assert all("makes no rows" in reason for reason in report.reasons)
    assert lines_in(into, 0).count('"utterances"') == 2


async def test_many_rows_go_to_the_file_as_they_come(
    hume: HumeAI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("humeai_async.distributed.kinds._ROWS_AT_ONCE", 1)
    paths, into = clips(tmp_path, 3), tmp_path / "run"
    await plan_measurements(into, paths)
    await work_on_all(into, hume)
    assert sources_in(into) == {str(path): 1 for path in paths}
    file = load_package("pyarrow.parquet").ParquetFile(into / "part-00000.parquet")
    assert file.num_row_groups == 3


async def test_a_recording_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_denied(*_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("hashlib.file_digest", is_denied)
    (path,), into = clips(tmp_path, 1), tmp_path / "run"
    await plan_measurements(into, [path])
    (source,) = read_sources(LocalStore(into), 0)
    assert (source.kind, source.reason) == (REFUSED, "it cannot be read: Permission denied")


async def test_a_folder_and_a_file_that_is_not_there_are_told_apart(tmp_path: Path) -> None:
    into = tmp_path / "run"
    await plan_measurements(into, [tmp_path, tmp_path / "none.wav"])
    reasons = [one.reason for one in read_sources(LocalStore(into), 0)]
    assert reasons == ["it is a folder: give the files in it", "there is no such file"]


async def test_more_recordings_are_further_partitions_and_a_copy_is_none(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    paths, into = clips(tmp_path, 3), tmp_path / "run"
    await plan_measurements(into, paths[:2])
    await work_on_all(into, hume)
    copy = tmp_path / "copy.wav"
    copy.write_bytes(paths[0].read_bytes())
    planned = await plan_measurements(into, [*paths, copy])
    assert (planned.partitions, planned.sources) == (2, 3)
    await work_on_all(into, hume)
    assert set(paid(fake).values()) == {1}


async def test_a_file_that_was_changed_since_it_was_planned_is_named_and_not_sent(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    paths, into = clips(tmp_path, 3), tmp_path / "run"
    await plan_measurements(into, paths)
    paths[1].write_bytes(paths[0].read_bytes())
    paths[2].write_bytes(wav(speech(1.5)))
    (report,) = await work_on_all(into, hume)
    assert (report.arrived, report.failed, report.is_done) == (1, 2, True)
    assert [reason for reason in report.reasons if "changed since it was planned" in reason]
    assert len(fake.expression.runs) == 1
    await plan_measurements(into, paths)
    await work_on_all(into, hume)
    assert sources_in(into) == {str(paths[0]): 1, str(paths[2]): 1}


async def test_a_file_that_became_a_folder_fails_by_name_and_the_others_are_done(
    hume: HumeAI, tmp_path: Path
) -> None:
    paths, into = clips(tmp_path, 2), tmp_path / "run"
    await plan_measurements(into, paths)
    paths[1].unlink()
    paths[1].mkdir()
    (report,) = await work_on_all(into, hume)
    assert (report.arrived, report.failed, report.is_done) == (1, 1, True)


async def test_a_folder_of_another_run_is_refused(tmp_path: Path) -> None:
    paths, into = clips(tmp_path, 1), tmp_path / "run"
    await plan_measurements(into, paths)
    with pytest.raises(LedgerError, match="other settings"):
        await plan_measurements(into, paths, measurement_timer_ms=5000)
    with pytest.raises(LedgerError, match="other settings"):
        await plan_decisions(into, paths, QUESTIONS)
    with pytest.raises(LedgerError, match="other settings"):
        await plan(into, ["https://media.example.com/1.mp4"], models={"face": {}}, job_size=1)


async def test_a_run_of_a_later_release_is_named(hume: HumeAI, tmp_path: Path) -> None:
    into = tmp_path / "run"
    await plan_measurements(into, clips(tmp_path, 1))
    settings = into / "_run" / "run.json"
    settings.write_text(settings.read_text().replace("measurements", "dreams"))
    (partition,) = await partitions(into)
    with pytest.raises(LedgerError, match="one of dreams"):
        await work(partition, hume)


async def test_what_cannot_keep_paid_results_is_refused_before_anything_is_sent(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    pytest.importorskip("redis", reason="comes with the extra redis")
    pytest.importorskip("fsspec", reason="comes with the extra dask")
    paths, into = clips(tmp_path, 1), tmp_path / "run"
    await plan_measurements(into, paths)
    (partition,) = await partitions(into)
    with pytest.raises(ConfigurationError, match="RedisLedger cannot keep measurements"):
        await work(partition, hume, ledger=RedisLedger("redis://localhost:1/0"))
    with pytest.raises(ConfigurationError, match="a path that all workers have"):
        await plan_decisions("memory://run-7", paths, QUESTIONS)
    assert fake.requests == []


async def test_settings_out_of_range_are_refused_before_a_folder_is_made(tmp_path: Path) -> None:
    into = tmp_path / "run"
    with pytest.raises(InvalidArgumentError, match="measurement_timer_ms"):
        await plan_measurements(into, [], measurement_timer_ms=1)
    with pytest.raises(InvalidArgumentError, match="questions"):
        await plan_decisions(into, [], {})
    with pytest.raises(InvalidArgumentError, match="partition_size"):
        await plan_measurements(into, [], partition_size=0)
    assert not into.exists()
