"""Files and URLs together into tables, over a good connection and over a bad one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from bulk_support import search_quickly
from support import client_of, media_folder
from tabular import pl, pq

from humeai_async import Retry, Timeout
from humeai_async.bulk.runs import Report
from humeai_async.bulk.states import State
from humeai_async.testing import FakeHume, Fault
from humeai_async.types.predictions import tables
from humeai_async.types.predictions.rows import SCORES
from humeai_async.types.sources import BulkSource, name_of

pytestmark = pytest.mark.anyio

FILES, URLS = 20, 300
ONE_IN = 20
"""Requests of which one goes wrong: 5 %."""

KINDS: tuple[Fault, ...] = (
    *[
        Fault(kind, times=None, after_work=after_work)
        for kind in ("status", "html", "reset", "close", "stall")
        for after_work in (False, True)
    ],
    Fault("status", times=None, status=429, headers={"Retry-After": "0"}),
    Fault("status", times=None, status=503, headers={"Retry-After": "0"}),
    Fault("garbage", times=None),
    Fault("empty", times=None),
    Fault("content-type", times=None),
    Fault("reset-body", times=None),
    Fault("truncate", times=None),
    Fault("stall-body", times=None),
)


class Turns:
    """Lets one request in `ONE_IN` go wrong, in every way by turns."""

    def __init__(self) -> None:
        self._asked = 0

    def of(self, place: int) -> Callable[[str, str], bool]:
        """Return what says whether it is the turn of a kind; the first is asked first."""

        def is_due(_: str, __: str) -> bool:
            self._asked += place == 0
            turn, rest = divmod(self._asked, ONE_IN)
            return not rest and turn % len(KINDS) == place

        return is_due


def spoil(fake: FakeHume) -> None:
    turns = Turns()
    for place, fault in enumerate(KINDS):
        changes: dict[str, Any] = {"when": turns.of(place)}
        fake.faults.add(evolve(fault, **changes))


def sources_of(folder: Path) -> list[BulkSource]:
    urls = [f"https://media.example.com/{n}.mp4" for n in range(URLS)]
    return [*media_folder(folder, FILES), *urls]


async def run_to_the_end(fake: FakeHume, folder: Path, sources: list[BulkSource]) -> Report:
    """Start a run again until nothing is open, as somebody would."""
    settings: dict[str, Any] = {
        "retry": Retry(attempts=4, initial_delay=0.001),
        "timeout": Timeout(connect=5, read=0.5, total=30),
    }
    for _ in range(9):
        async with client_of(fake, **settings) as hume:
            report = await hume.batch.predict_into(
                folder,
                sources,
                formats=("jsonl", "parquet"),
                job_size=2,
                search_patience=2.0,
            )
        if report.counts[State.ARRIVED] + report.counts[State.FAILED] == len(sources):
            return report
    raise AssertionError("sources stay open")


@pytest.mark.slow
async def test_files_and_urls_are_in_the_tables_once_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search_quickly(monkeypatch)
    sources, out = sources_of(tmp_path / "media"), tmp_path / "out"
    async with FakeHume(frames=1) as fake:
        spoil(fake)
        report = await run_to_the_end(fake, out, sources)
        submitted = [source for job in fake.jobs.values() for source in job.sources]
        fired = Counter(fault.kind for fault, _, _ in fake.faults.fired)
    assert (len(sources), 0) == (report.counts[State.ARRIVED], report.counts[State.FAILED])
    assert {1} == set(Counter(source.identity for source in submitted).values())
    assert len(sources) == len(submitted)
    assert set(fired) == {fault.kind for fault in KINDS}

    names = {name_of(source) for source in sources}
    lines = [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]
    assert Counter(names) == Counter(line["source"] for line in lines)
    table = pq.read_table(out / "predictions.parquet")
    assert tables.schema(scores="float") == table.schema
    frame = pl.read_parquet(out / "predictions.parquet")
    kinds: dict[str, Any] = {"string": pl.String, "int64": pl.Int64, "double": pl.Float64}
    expected_kinds = {name: kinds[kind] for name, kind in tables.SCHEMA.items()}
    expected_kinds |= dict.fromkeys(SCORES, pl.Float32)
    assert expected_kinds == dict(frame.schema)
    assert frame.to_dicts() == table.to_pylist()
    rows: Counter[str] = Counter(table["source"].to_pylist())
    assert names == set(rows)
    expected = {line["source"]: predictions_in(line["predictions"]) for line in lines}
    assert expected == dict(rows)


def predictions_in(source: dict[str, Any]) -> int:
    """Count what stands in a line of JSON that a table has a row for."""
    models: list[Any] = [
        model
        for file in source["results"]["predictions"]
        for model in file["models"].values()
        if model
    ]
    groups: list[Any] = [
        group for model in models for group in model.get("grouped_predictions", [])
    ]
    return sum(len(group["predictions"]) for group in groups)
