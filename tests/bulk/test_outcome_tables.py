"""Outcomes of a run become one table, and what failed another."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import anyio
import pytest
from bulk_support import submitted, urls
from support import client_of
from tabular import body, face, url_source

from humeai_async import InvalidArgumentError, MissingPackageError, Text
from humeai_async.bulk.outcome import Outcome
from humeai_async.bulk.outcome_queue import OutcomeQueue
from humeai_async.bulk.outcomes import Outcomes
from humeai_async.errors import DecodeError
from humeai_async.testing import FakeHume
from humeai_async.types.dicts import ModelsDict
from humeai_async.types.predictions.predictions import Predictions
from humeai_async.types.sources import BulkSource

pytestmark = pytest.mark.anyio

MODELS: ModelsDict = {"face": {}, "language": {}}


def outcomes_of(*found: Outcome[Any, Any]) -> Outcomes[Any, Any]:
    async def run(queue: OutcomeQueue[Any, Any]) -> None:
        for outcome in found:
            await queue.give([outcome])

    return Outcomes(run)


async def test_each_source_is_named_as_it_was_given() -> None:
    sources: list[BulkSource] = [*urls(3), "What a day!", Text("a.mp4")]
    async with FakeHume() as fake, client_of(fake) as hume:
        table = await hume.batch.predict(sources, models=MODELS).to_arrow()
    assert set(table["source"].to_pylist()) == {*urls(3), "What a day!", "a.mp4"}


async def test_a_frame_of_one_model_and_a_long_one_hold_what_the_loop_gives() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        loop = [outcome async for outcome in hume.batch.predict(urls(4), models=MODELS)]
        faces = await hume.batch.predict(urls(4), models=MODELS).to_polars(model="face")
        scores = await hume.batch.predict(urls(4), models=MODELS).to_pandas("language", long=True)
    expected = sum(
        len(group.predictions)
        for outcome in loop
        for file in outcome.result().files
        for group in (file.models.face.grouped_predictions if file.models.face else ())
    )
    assert faces.height == expected
    assert "Joy" in faces.columns
    assert "sentiment_1" not in faces.columns
    assert set(scores["model"]) == {"language"}


async def test_what_failed_is_a_frame_beside_the_table(caplog: pytest.LogCaptureFixture) -> None:
    sources = [*urls(2), "https://media.example.com/missing.mp4"]
    async with FakeHume() as fake, client_of(fake) as hume:
        outcomes = hume.batch.predict(sources, models=MODELS)
        with caplog.at_level(logging.WARNING, logger="humeai_async"):
            table = await outcomes.to_arrow()
    assert set(table["source"].to_pylist()) == set(urls(2))
    (row,) = outcomes.failures.to_polars().to_dicts()
    assert row["source"] == "https://media.example.com/missing.mp4"
    assert row["error"] == "SourceFailedError"
    assert row["job_id"] is not None
    assert "outcomes.failures says why" in caplog.text


async def test_a_source_that_breaks_off_has_no_rows_and_the_others_have() -> None:
    frames = [face(n) for n in range(3)]
    frames[2]["emotions"][4]["score"] = "high"
    bad = url_source("https://x/bad.mp4", face=frames)
    good = url_source("https://x/good.mp4", face=[face(0)])
    found = Predictions.from_json(body(bad, good))
    outcomes = outcomes_of(Outcome(source="job", job_id="job", predictions=found))
    table = await outcomes.to_arrow()
    assert table["source"].to_pylist() == ["https://x/good.mp4"]
    (failure,) = outcomes.failures
    assert (failure.source, failure.error) == ("https://x/bad.mp4", "DecodeError")


async def test_texts_of_fetched_jobs_are_told_apart() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        jobs = [await hume.batch.start_job(text=["One.", "Two."], models=MODELS) for _ in "ab"]
        table = await hume.batch.fetch_predictions(jobs).to_arrow("language")
    assert set(table["source"].to_pylist()) == {f"{job.id}#{n}" for job in jobs for n in (0, 1)}


async def test_an_outcome_that_is_open_is_told_so() -> None:
    open_one: Outcome[Any, Any] = Outcome(source="a.mp4", error=DecodeError("no"), is_open=True)
    outcomes = outcomes_of(open_one)
    assert (await outcomes.to_arrow()).num_rows == 0
    assert [failure.is_open for failure in outcomes.failures] == [True]


async def test_failures_are_not_known_before_there_is_a_table() -> None:
    with pytest.raises(InvalidArgumentError, match="once to_arrow"):
        _ = outcomes_of().failures


@pytest.mark.parametrize("taken", [1, 3])
async def test_no_table_is_made_of_what_a_loop_has_left(taken: int) -> None:
    outcomes = outcomes_of(
        *[Outcome[Any, Any](source=name, error=DecodeError("no")) for name in "ab"]
    )
    async with outcomes:
        await outcomes.next_batch(most=taken)
        for frame in ("arrow", "polars", "pandas"):
            with pytest.raises(InvalidArgumentError, match="the run has begun"):
                await getattr(outcomes, f"to_{frame}")()


async def test_a_second_table_of_the_same_outcomes_is_refused() -> None:
    outcomes = outcomes_of()
    await outcomes.to_arrow()
    with pytest.raises(InvalidArgumentError, match="keep what it returned"):
        await outcomes.to_arrow()


async def test_no_outcomes_are_an_empty_table() -> None:
    outcomes = outcomes_of()
    assert (await outcomes.to_polars(model="face")).height == 0
    assert len(outcomes.failures) == 0


@pytest.mark.parametrize("frame", ["arrow", "polars", "pandas"])
async def test_nothing_is_submitted_for_a_table_that_cannot_be_made(
    frame: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        outcomes = hume.batch.predict(urls(2), models=MODELS)
        with pytest.raises(InvalidArgumentError, match="model must be one of"):
            await getattr(outcomes, f"to_{frame}")(model="faces")
        monkeypatch.setitem(sys.modules, "pyarrow" if frame == "arrow" else frame, None)
        with pytest.raises(MissingPackageError):
            await getattr(outcomes, f"to_{frame}")()
        assert fake.jobs == {}


async def test_a_table_that_was_interrupted_is_whole_at_the_next_start(tmp_path: Path) -> None:
    async with FakeHume() as fake, client_of(fake) as hume:

        def run() -> Outcomes[BulkSource, Any]:
            given: dict[str, Any] = {"models": MODELS, "job_size": 1, "jobs_at_once": 1}
            return hume.batch.predict(urls(4), ledger=tmp_path / "run.db", **given)

        first = asyncio.create_task(run().to_arrow())
        while len(fake.jobs) < 3:  # two outcomes have been taken
            await anyio.sleep(0.01)
        first.cancel()
        await asyncio.wait([first])
        assert first.cancelled()
        table = await run().to_arrow()
        assert set(urls(4)) == set(table["source"].to_pylist())
        assert Counter(urls(4)) == submitted(fake)


@pytest.mark.parametrize("name", ["TableMaker.finish", "to_polars"])
async def test_a_table_that_did_not_fit_at_its_end_is_whole_at_the_next_start(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise MemoryError

    async with FakeHume() as fake, client_of(fake) as hume:

        def run() -> Outcomes[BulkSource, Any]:
            return hume.batch.predict(urls(4), models=MODELS, ledger=tmp_path / "run.db")

        with monkeypatch.context() as patch:
            patch.setattr(f"humeai_async.types.predictions.tables.{name}", fail)
            with pytest.raises(MemoryError):
                await run().to_polars()
        table = await run().to_polars()
        assert set(urls(4)) == set(table["source"])
        assert Counter(urls(4)) == submitted(fake)
        assert (await run().to_polars()).height == 0


async def test_outcomes_of_another_product_make_no_table() -> None:
    outcomes = outcomes_of(Outcome(source="a", predictions=5))
    with pytest.raises(InvalidArgumentError, match="predictions of batch jobs only"):
        await outcomes.to_arrow()
