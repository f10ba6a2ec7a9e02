"""Recordings that are too long for one upload, in a bulk run: each part is paid for once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from attrs import evolve
from live_support import silence, speech, wav
from support import client_of

from humeai_async import (
    APIStatusError,
    BudgetReachedError,
    HumeAI,
    InvalidArgumentError,
    Outcome,
    PartialResultError,
    ResultLostError,
)
from humeai_async.bulk.ledger import read_status
from humeai_async.bulk.states import State
from humeai_async.expression import recordings, uploads
from humeai_async.expression.limits import ENVELOPE
from humeai_async.testing import FakeHume, Fault
from humeai_async.testing.exchange import Arrival
from humeai_async.types.expression import AudioResult

pytestmark = pytest.mark.anyio

LOST = Fault("reset", method="POST", path="*/file", after_work=True)
TALK = b"".join(silence(1) + speech(4 + n % 3, pitch=180 + 5 * n) for n in range(16))
"""97 s, in parts of 30 s at most."""


@pytest.fixture(autouse=True)
def _small_uploads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let uploads take half a minute, in place of 13."""
    longest_ms = 30_000
    monkeypatch.setattr(uploads, "LARGEST_SAMPLES", longest_ms * 32)
    monkeypatch.setattr(uploads, "LARGEST_BODY", longest_ms * 32 + ENVELOPE)
    monkeypatch.setattr(recordings.measure_recording, "__kwdefaults__", {"longest_ms": longest_ms})


@pytest.fixture
async def fake() -> AsyncIterator[FakeHume]:
    async with FakeHume() as server:
        yield server


@pytest.fixture
async def hume(fake: FakeHume) -> AsyncIterator[HumeAI]:
    async with client_of(fake) as client:
        yield client


async def measure(hume: HumeAI, sources: list[Any], **settings: Any) -> list[Outcome[Any, Any]]:
    given: dict[str, Any] = {"search_patience": 0.5, **settings}
    return [one async for one in hume.expression.measure_many(sources, **given)]


def without_runs(result: AudioResult) -> AudioResult:
    return evolve(result, run_id="", run_ids=(), request_id=None)


def seconds_of(fake: FakeHume) -> float:
    return float(sum(run["metered_seconds"] for run in fake.expression.runs))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "long.wav"
    path.write_bytes(wav(TALK))
    return path


@pytest.mark.parametrize("has_ledger", [False, True])
async def test_a_long_recording_is_measured_as_measure_does(
    hume: HumeAI, fake: FakeHume, path: Path, tmp_path: Path, has_ledger: bool
) -> None:
    alone = await hume.expression.measure(path, measurement_timer_ms=4000)
    parts = len(fake.expression.runs)
    assert parts > 3
    run = hume.expression.measure_many(
        [path, wav(speech(2))],
        measurement_timer_ms=4000,
        ledger=tmp_path / "run.db" if has_ledger else None,
    )
    outcomes: dict[type, Any] = {type(one.source): one.result() async for one in run}
    assert without_runs(outcomes[type(path)]) == without_runs(alone)
    assert len(outcomes[type(path)].run_ids) == parts
    assert len(outcomes[bytes].utterances) == 1
    assert len(fake.expression.runs) == 2 * parts + 1
    assert run.bill.spent == sum(one["metered_seconds"] for one in fake.expression.runs[:-parts])


async def test_a_run_started_again_pays_for_no_part_again(
    hume: HumeAI, fake: FakeHume, path: Path, tmp_path: Path
) -> None:
    ledger = tmp_path / "run.db"
    (first,) = await measure(hume, [path], ledger=ledger)
    runs = len(fake.expression.runs)
    assert await measure(hume, [path], ledger=ledger) == []
    run = hume.expression.measure_many([path], ledger=ledger)
    (kept,) = [one async for one in run.read_back()]
    assert kept.result() == first.result()
    assert len(fake.expression.runs) == runs
    status = await read_status(ledger)
    assert (status.counts[State.ARRIVED], sum(status.counts.values())) == (1, 1)


@pytest.mark.parametrize("parts_before", [1, 2, 3])
async def test_a_run_cancelled_between_two_parts_goes_on_with_the_next(
    hume: HumeAI, fake: FakeHume, path: Path, tmp_path: Path, parts_before: int
) -> None:
    whole, ledger = await hume.expression.measure(path), tmp_path / "run.db"
    before = len(fake.expression.runs)
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as tasks:

            async def cancel() -> None:
                while len(fake.expression.runs) < before + parts_before:
                    await anyio.sleep(0.001)
                scope.cancel()

            tasks.start_soon(cancel)
            async with hume.expression.measure_many([path], ledger=ledger) as run:
                [one async for one in run]
    assert len(fake.expression.runs) >= before + parts_before
    (outcome,) = await measure(hume, [path], ledger=ledger)
    assert without_runs(outcome.result()) == without_runs(whole)
    assert len(fake.expression.runs) == 2 * before


async def test_a_budget_that_ends_within_a_recording_leaves_the_rest_of_it(
    hume: HumeAI, fake: FakeHume, path: Path, tmp_path: Path
) -> None:
    ledger = tmp_path / "run.db"
    (outcome,) = await measure(hume, [path], ledger=ledger, budget=70)
    problem = outcome.error
    assert isinstance(problem, PartialResultError)
    assert isinstance(problem.__cause__, BudgetReachedError)
    assert "part 3" in problem.message
    assert outcome.is_open
    assert len(problem.result.run_ids) == len(fake.expression.runs) == 2
    (outcome,) = await measure(hume, [path], ledger=ledger, budget=200)
    parts = len(outcome.result().run_ids)
    assert len(fake.expression.runs) == parts
    whole = await hume.expression.measure(path)
    assert without_runs(outcome.result()) == without_runs(whole)


async def test_the_estimate_counts_all_parts(hume: HumeAI, fake: FakeHume, path: Path) -> None:
    run = hume.expression.measure_many([path, wav(speech(2))])
    estimate = await run.estimate()
    assert fake.requests == []
    [one async for one in run]
    assert estimate.to_send == 2
    assert estimate.cost == pytest.approx(seconds_of(fake), rel=0.2)
    assert estimate.cost > len(TALK) / 32_000 + 10


async def test_a_part_whose_result_was_lost_is_named_and_paid_for_again_only_on_demand(
    hume: HumeAI, fake: FakeHume, path: Path, tmp_path: Path
) -> None:
    ledger = tmp_path / "run.db"
    await measure(hume, [path], ledger=ledger, budget=35)
    fake.faults.add(LOST)
    (outcome,) = await measure(hume, [path], ledger=ledger)
    problem = outcome.error
    assert isinstance(problem, PartialResultError)
    assert isinstance(problem.__cause__, ResultLostError)
    assert "part 2" in problem.message
    assert not outcome.is_open
    assert len(fake.expression.runs) == 2
    assert await measure(hume, [path], ledger=ledger) == []
    (outcome,) = await measure(hume, [path], ledger=ledger, retry_failed=True)
    assert len(fake.expression.runs) == len(outcome.result().run_ids) + 1
    status = await read_status(ledger)
    assert (status.counts[State.ARRIVED], sum(status.counts.values())) == (1, 1)


@pytest.mark.slow
async def test_a_part_that_was_never_carried_out_is_sent_again_after_the_search(
    hume: HumeAI, fake: FakeHume, path: Path, tmp_path: Path
) -> None:
    fake.faults.add(Fault("reset", method="POST", path="*/file"))
    (outcome,) = await measure(hume, [path], ledger=tmp_path / "run.db")
    assert len(fake.expression.runs) == len(outcome.result().run_ids)


async def test_a_part_that_the_service_refuses_fails_its_recording_alone(
    hume: HumeAI, fake: FakeHume, path: Path, tmp_path: Path
) -> None:
    ledger = tmp_path / "run.db"
    await measure(hume, [path], ledger=ledger, budget=35)
    body = b'{"type": "error", "code": "audio_decode_failed", "message": "no"}'
    fake.faults.add(Fault("status", method="POST", status=400, body=body))
    outcomes = await measure(hume, [path, wav(speech(2))], ledger=ledger, concurrency=1)
    (failed,) = [one for one in outcomes if one.error is not None]
    assert isinstance(failed.error, PartialResultError)
    assert failed.source == path
    assert not failed.is_open
    assert len(outcomes) == 2


@pytest.mark.parametrize("parts", [0, 1], ids=["at the first part", "at a later one"])
async def test_an_account_without_credit_ends_the_run_within_a_recording(
    hume: HumeAI, fake: FakeHume, path: Path, tmp_path: Path, parts: int
) -> None:
    ledger = tmp_path / "run.db"
    if parts:
        await measure(hume, [path], ledger=ledger, budget=35)
    body = b'{"code": "E0300", "message": "your account is out of credit"}'
    fake.faults.add(Fault("status", method="POST", status=402, body=body))
    with pytest.raises(APIStatusError, match="credit"):
        await measure(hume, [path], ledger=ledger)
    (outcome,) = await measure(hume, [path], ledger=ledger)
    assert len(fake.expression.runs) == len(outcome.result().run_ids)


async def test_a_recording_that_is_not_to_be_converted_is_not_converted_in_parts(
    hume: HumeAI, fake: FakeHume
) -> None:
    source = wav(TALK + TALK, rate=32_000)
    (outcome,) = await measure(hume, [source], convert=False)
    assert isinstance(outcome.error, InvalidArgumentError)
    assert fake.expression.runs == []


async def test_a_recording_that_changes_between_two_parts_is_none(
    hume: HumeAI, fake: FakeHume, path: Path, tmp_path: Path
) -> None:
    ledger, before = tmp_path / "run.db", path.read_bytes()

    def change(arrival: Arrival) -> float:
        if arrival.method == "POST":
            path.write_bytes(wav(TALK[::-1]))
        return 0.0

    fake.latency = change
    (outcome,) = await measure(hume, [path], ledger=ledger)
    assert isinstance(outcome.error, InvalidArgumentError)
    assert "changed" in outcome.error.message
    fake.latency = 0.0
    path.write_bytes(before)
    (outcome,) = await measure(hume, [path], ledger=ledger, retry_failed=True)
    whole = await hume.expression.measure(path)
    assert without_runs(outcome.result()) == without_runs(whole)
