"""The page of a run: small, whole, and without secrets."""

from __future__ import annotations

import base64
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from live_support import picture, speech, wav
from support import client_of
from tabular import batches_of, body, face, scores, url_source

from humeai_async.bulk.parquet import Parquet
from humeai_async.bulk.progress import Progress
from humeai_async.decisions import Choice, Noul
from humeai_async.errors import InvalidArgumentError, LedgerError
from humeai_async.limiter.limiter import BucketState
from humeai_async.report.build import build_report
from humeai_async.report.digest import MISSING, STEPS, Digest
from humeai_async.report.live_results import live_blocks
from humeai_async.report.pace import PaceLog, read_pace
from humeai_async.report.results import read_results
from humeai_async.testing import FakeHume
from humeai_async.types.dicts import ModelsDict
from humeai_async.types.predictions.blocks import Block, blocks_of
from humeai_async.types.predictions.predictions import Predictions
from humeai_async.types.predictions.rows import Place, Row

MODELS: ModelsDict = {"face": {}, "prosody": {"identify_speakers": True}}
SOURCES = [
    *[f"https://media.example.com/{n}.mp4?signature=secret" for n in range(3)],
    "https://media.example.com/missing.mp4?signature=secret",
]


async def run_into(
    folder: Path, formats: tuple[str, ...] = ("jsonl",), *, score_bits: int = 32
) -> None:
    async with FakeHume(frames=5) as fake, client_of(fake) as hume:
        log = PaceLog(folder)
        await hume.batch.predict_into(
            folder,
            SOURCES,
            models=MODELS,
            formats=formats,
            score_bits=score_bits,
            on_progress=log.update,
        )


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


@pytest.mark.slow
@pytest.mark.anyio
async def test_the_page_tells_what_ran_and_what_failed(tmp_path: Path) -> None:
    pytest.importorskip("vl_convert", reason="comes with the extra report")
    await run_into(tmp_path)
    page = await build_report(tmp_path)
    data = data_of(page)
    assert data["counts"] == {"sources": 4, "arrived": 3, "failed": 1, "open": 0, "jobs": 1}
    ((reason, count, names),) = data["reasons"]
    assert (count, names) == (1, ["https://media.example.com/missing.mp4"])
    assert reason.startswith("SourceFailedError: ")
    assert sorted(data["names"]) == [f"https://media.example.com/{n}.mp4" for n in range(3)]
    assert [heat["model"] for heat in data["heat"]] == ["face", "prosody"]
    assert data["pace"][-1][1] == 4


@pytest.mark.anyio
async def test_the_page_holds_no_query_of_a_url_and_asks_no_server(tmp_path: Path) -> None:
    pytest.importorskip("vl_convert", reason="comes with the extra report")
    await run_into(tmp_path)
    page = await build_report(tmp_path)
    assert "secret" not in page
    assert "signature" not in json.dumps(data_of(page))
    own = re.sub(r"<script>.*?</script>", "", page, count=1, flags=re.DOTALL)
    assert re.findall(r"(?:src|href)=|url\(", own) == []
    assert "default-src 'none'" in own


@pytest.mark.anyio
async def test_a_folder_without_a_run_is_told(tmp_path: Path) -> None:
    pytest.importorskip("vl_convert", reason="comes with the extra report")
    with pytest.raises(LedgerError, match="no ledger"):
        await build_report(tmp_path)


@pytest.mark.anyio
@pytest.mark.parametrize("file", ["jsonl", "zst", "csv", "parquet"])
async def test_each_format_gives_the_same_rows(file: str, tmp_path: Path) -> None:
    await run_into(tmp_path, ("jsonl", "jsonl.zst", "csv", "parquet"), score_bits=64)
    expected = arrived(tmp_path)
    for path in tmp_path.glob("predictions.*"):
        if path.suffix != f".{file}":
            path.rename(path.with_name(f"other{path.suffix}"))
    found = arrived(tmp_path)
    assert found.keys() == expected.keys()
    for source, blocks in expected.items():
        assert [plain(block) for block in found[source]] == [plain(block) for block in blocks]


def arrived(folder: Path) -> dict[str, list[Block]]:
    return {one.name: one.blocks for one in read_results(folder) if one.reason is None}


def plain(block: Block) -> tuple[Any, ...]:
    columns = {name: [*column] for name, column in block.columns.items()}
    texts = [text or None for text in block.texts]
    return block.source, block.model, block.id, [*block.begins], [*block.ends], texts, columns


def test_new_expressions_of_a_file_of_several_parts_are_read_by_column(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("humeai_async.types.predictions.tables.BATCH_ROWS", 3)
    pytest.importorskip("pyarrow", reason="comes with the extra arrow")
    names = ("Joy", "sentiment_1", "Zest")
    place = Place("https://x/a", "a", "language", "unknown", begin=0.5, end=1.0, text="Good.")
    rows = [Row(place, names, [0.5, 0.25, n / 8]) for n in range(5)]
    other = Row(place._replace(source="https://x/b", begin=None), ("Joy",), [math.nan])
    parts = Parquet(tmp_path / "predictions.parquet", score_bits=32)
    parts.write(None, batches_of([*rows, other]))
    parts.sync()
    parts.finish()
    (_, blocks, _), (name, others, _) = read_results(tmp_path)
    assert sum(map(len, blocks)) == 5
    assert [score for block in blocks for score in block.columns["Zest"]] == [
        n / 8 for n in range(5)
    ]
    assert {*blocks[0].columns} == {"Joy", "Zest"}
    assert (name, others[0].columns, len(others[0])) == ("https://x/b", {}, 1)


def test_a_folder_without_results_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="holds no results"):
        next(read_results(tmp_path))


def test_lines_that_are_cut_off_are_left_out(tmp_path: Path) -> None:
    source = json.dumps(url_source("https://x/a.mp4", face=[face(0)]))
    lines = [
        f'{{"source":"a","predictions":{source}}}',
        '{"source":"b","error":{"type":"E","message":"no"}}',
        f'{{"source":"job","predictions":[{source}]}}',
        '{"source":"c","predictions":5}',
        f'{{"source":"d","predictions":{source}'[:400],
    ]
    (tmp_path / "predictions.jsonl").write_text("\n".join(lines), "utf-8")
    found = [(name, len(blocks), reason) for name, blocks, reason in read_results(tmp_path)]
    assert found == [("a", 1, None), ("b", 0, "E: no"), ("https://x/a.mp4", 1, None)]


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "predictions.parquet").write_bytes(b"PAR1")
    with pytest.raises(LedgerError, match="cannot read"):
        list(read_results(tmp_path))


def smile(*joys: float | None) -> list[Row]:
    faces = [face(n) for n in range(len(joys))]
    for one, joy in zip(faces, joys, strict=True):
        one["emotions"] = [*scores(("Awe",), 512), {"name": "Joy", "score": joy}]
    return [*Predictions.from_json(body(url_source("https://x/a", face=faces))).rows()]


def smiles(*joys: float | None) -> list[Block]:
    return [*blocks_of(batches_of(smile(*joys)))]


def test_a_digest_holds_means_and_lines_as_bytes() -> None:
    digest = Digest(2)
    digest.add("https://x/a?secret=1", smiles(0.0, 0.5, 1.0))
    digest.add("a text\nof two lines", smiles(None, None))
    data = digest.to_json()
    (heat,) = data["heat"]
    assert heat["expressions"] == ["Awe", "Joy"]
    cells = base64.b64decode(heat["cells"])
    assert list(cells) == [STEPS // 2, STEPS // 2, STEPS // 2, MISSING]
    assert data["names"] == ["https://x/a", "a text of two lines"]
    title, span, numbers, places, points = data["lines"][0][0]
    assert (title, [data["expressions"][n] for n in numbers]) == ("face a", ["Awe", "Joy"])
    assert span == [0.0, 0.5]
    assert list(base64.b64decode(places)) == [0, STEPS // 2, STEPS]
    assert list(base64.b64decode(points))[3:] == [0, STEPS // 2, STEPS]


def test_a_source_without_predictions_has_a_name_and_no_line() -> None:
    digest = Digest(1)
    digest.add("https://x/a", [])
    assert digest.to_json()["lines"] == [[]]
    assert digest.to_json()["heat"] == []


def test_ten_thousand_sources_stay_below_four_megabytes_of_data() -> None:
    rows = smile(*[n / 200 for n in range(40)])
    more = tuple(f"E{n}" for n in range(46))
    many = [row._replace(names=row.names + more, scores=row.scores * 24) for row in rows]
    digest = Digest(10_000)
    for n in range(100):
        digest.add(f"https://media.example.com/{n}-{'x' * 200}", [*blocks_of(batches_of(many))])
    data = digest.to_json()
    size = len(json.dumps([data["lines"], data["names"]])) + len(data["heat"][0]["cells"])
    assert size * 100 < 4_000_000


def test_many_profiles_keep_the_strongest_expressions_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("humeai_async.report.digest._HEAT_BYTES", 9)
    digest = Digest(1)
    found = Predictions.from_json(body(url_source("https://x/a", face=[face(0)])))
    digest.add("https://x/a", [*blocks_of(found.row_batches())])
    assert len(digest.to_json()["heat"][0]["expressions"]) == 9


def test_failed_sources_are_named_by_their_reason_until_they_arrive() -> None:
    digest = Digest(5)
    for name in ("a?key=secret", "b", "c", "d"):
        digest.add_failed(f"https://x/{name}", "E: not there")
    digest.add("https://x/b", [])
    assert digest.failed(2) == {"E: not there": ["https://x/a", "https://x/c"]}


@pytest.mark.anyio
async def test_runs_of_recordings_and_images_have_a_page_too(tmp_path: Path) -> None:
    pytest.importorskip("vl_convert", reason="comes with the extra report")
    clip, photo = tmp_path / "clip.wav", tmp_path / "photo.jpg"
    clip.write_bytes(wav(speech(7.0)))
    photo.write_bytes(picture())
    async with FakeHume() as fake, client_of(fake) as hume:
        measured, decided = tmp_path / "measured", tmp_path / "decided"
        measuring = hume.expression.measure_many([clip, photo])
        await measuring.write_to(measured, ["jsonl.zst"])
        asked = {"calm": Noul("Is the caller calm?"), "who": Choice("Who?", ["man", "woman"])}
        await hume.decisions.create_many([clip], asked).write_to(decided)
    data = data_of(await build_report(measured))
    heats = {heat["model"]: heat for heat in data["heat"]}
    assert heats.keys() == {"voice", "voice attributes", "image", "image descriptions"}
    assert [data["names"][place] for place in heats["voice"]["sources"]] == [str(clip)]
    assert [track[0] for track in data["lines"][heats["voice"]["sources"][0]]] == ["voice"]
    (heat,) = data_of(await build_report(decided))["heat"]
    assert {*heat["expressions"]} == {"calm", "who: man", "who: woman"}
    assert sum(base64.b64decode(heat["cells"])) > STEPS  # the shares of a choice alone are 1


def test_a_label_of_a_voice_counts_where_it_is_listed() -> None:
    joys: list[list[tuple[str, float]]] = [[("joy", 0.9)], [("awe", 0.5), ("joy", 0.3)], []]
    measurements = [
        {
            "audio_start_ms": n * 1000,
            "audio_end_ms": n * 1000 + 3000,
            "expressions": [{"name": name, "probability": share} for name, share in listed],
        }
        for n, listed in enumerate([*joys, []])
    ]
    digest = Digest(1)
    digest.add("a.wav", live_blocks("a.wav", json.dumps({"measurements": measurements}).encode()))
    data = digest.to_json()
    (heat,) = data["heat"]
    found = dict(zip(heat["expressions"], base64.b64decode(heat["cells"]), strict=True))
    assert found == {"joy": STEPS // 2, "awe": STEPS // 4}
    assert heat["counts"] == [4]


def test_spans_and_levels_of_answers_are_shares() -> None:
    answers: dict[str, Any] = {
        "shout": {"spans": [{"start_ms": 0, "probability": 0.25}, {"probability": 0.75}]},
        "silence": {"spans": []},
        "anger": {"score": 0.9, "probabilities": {"0": 0.25, "1": 0.75}, "legend": {"1": "very"}},
        "unknown": {"raw": "?"},
    }
    (block,) = live_blocks("a.wav", json.dumps({"results": answers}).encode())
    found = {name: column[0] for name, column in block.columns.items()}
    assert found == {"shout": 0.75, "silence": 0.0, "anger: 0": 0.25, "anger: very": 0.75}


def progress(seconds: float, done: int, total: int = 9) -> Progress:
    return Progress(
        total=total, done=done, failed=0, left_open=0, jobs=1, seconds=seconds, rate=1.0,
        pace=BucketState(
            rate=None, window=None, tokens=1, waiting=0, in_flight=0,
            paused_for=0, pauses=0, refused=0, accepted=0,
        ),
    )  # fmt: skip


def test_the_pace_is_written_once_a_second_and_at_the_end(tmp_path: Path) -> None:
    log = PaceLog(tmp_path)
    for seconds, done in ((0.0, 0), (0.5, 1), (1.1, 4), (1.2, 9)):
        log.update(progress(seconds, done))
    assert read_pace(tmp_path) == [[0.0, 0.0, 0.0], [1.1, 4.0, 0.0], [1.2, 9.0, 0.0]]


def test_refused_requests_of_several_starts_add_up(tmp_path: Path) -> None:
    lines = [
        {"at": at, "done": done, "refused": refused}
        for at, done, refused in ((10, 0, 0), (11, 2, 5), (20, 2, 1), (21, 4, 3))
    ]
    text = "\n".join([*map(json.dumps, lines), "{cut"])
    (tmp_path / "pace.jsonl").write_text(text, "utf-8")
    assert read_pace(tmp_path) == [[0, 0, 0], [1, 2, 5], [10, 2, 6], [11, 4, 8]]


def test_a_disk_that_refuses_the_pace_stops_nothing(tmp_path: Path) -> None:
    log = PaceLog(tmp_path / "not there")
    log.update(progress(0.0, 0))
    log.update(progress(5.0, 3))
    assert read_pace(tmp_path / "not there") == []
