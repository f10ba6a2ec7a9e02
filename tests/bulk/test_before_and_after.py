"""What a paid run costs is known before it, and what it has paid for can be read afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from live_support import speech, wav

from humeai_async import (
    DecodeError,
    HumeAI,
    InvalidArgumentError,
    LedgerError,
    Outcome,
    ResultLostError,
)
from humeai_async.decisions import Noul, QuestionSet
from humeai_async.testing import FakeHume, Fault

pytestmark = pytest.mark.anyio

QUESTIONS = QuestionSet({"calm": Noul("Calm?")})
LOST = Fault("reset", method="POST", path="*/file", after_work=True)


def clips(folder: Path, count: int, seconds: float = 1.2) -> list[Path]:
    paths = [folder / f"clip-{n}.wav" for n in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(wav(speech(seconds, pitch=200 + number)))
    return paths


async def take(outcomes: Any) -> list[Outcome[Any, Any]]:
    return [one async for one in outcomes]


async def test_the_cost_of_recordings_is_known_before_anything_is_sent(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    sources: list[Any] = [
        *clips(tmp_path, 2),
        wav(speech(12.0)),
        b"%PDF-1.7",
        tmp_path / "missing.wav",
    ]
    run = hume.expression.measure_many(sources)
    estimate = await run.estimate()
    assert (estimate.cost, estimate.unit) == (10 + 10 + 12, "seconds")
    assert (estimate.to_send, estimate.known, len(estimate.failures)) == (3, 0, 2)
    assert estimate.seconds == pytest.approx(14.4)
    assert fake.requests == []
    await take(run)
    assert fake.expression.metered_seconds == estimate.cost == run.bill.spent


async def test_the_cost_of_decisions_is_known_for_two_free_requests(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    run = hume.decisions.create_many(clips(tmp_path, 3), QUESTIONS)
    estimate = await run.estimate()
    assert (fake.count(), estimate.unit) == (2, "input tokens")
    await take(run)
    assert estimate.cost == pytest.approx(fake.decisions.input_tokens, abs=3)


async def test_what_the_ledger_has_costs_nothing_again(hume: HumeAI, tmp_path: Path) -> None:
    paths, ledger = clips(tmp_path, 4), tmp_path / "run.db"
    new = await hume.expression.measure_many(paths, ledger=ledger).estimate()
    assert (new.cost, new.known, ledger.exists()) == (40, 0, False)
    await take(hume.expression.measure_many(paths[:3], ledger=ledger))
    twice: list[Any] = [*paths, paths[3].read_bytes()]
    rest = await hume.expression.measure_many(twice, ledger=ledger).estimate()
    assert (rest.cost, rest.to_send, rest.known) == (10, 1, 4)


async def test_results_are_read_back_without_a_request(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    paths, ledger = clips(tmp_path, 3), tmp_path / "run.db"
    first = await take(hume.expression.measure_many(paths, ledger=ledger))
    before = len(fake.requests)
    again = await take(hume.expression.measure_many(paths, ledger=ledger).read_back())
    assert [one.source for one in again] == paths
    by_source = {one.source: one.result() for one in first}
    assert {one.source: one.result() for one in again} == by_source
    assert len(fake.requests) == before


async def test_a_lost_result_is_read_back_as_lost_and_what_is_missing_is_passed_over(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    paths, ledger = clips(tmp_path, 3), tmp_path / "run.db"
    fake.faults.add(LOST)
    run = hume.decisions.create_many(paths[:2], QUESTIONS, ledger=ledger, search_patience=1.0)
    (lost,) = [one for one in await take(run) if one.error]
    again = await take(hume.decisions.create_many(paths, QUESTIONS, ledger=ledger).read_back())
    assert len(again) == 2 - (lost.source not in [one.source for one in again])
    assert all(isinstance(one.error, ResultLostError) for one in again if one.error)


async def test_a_result_that_cannot_be_read_any_more_ends_nothing(
    hume: HumeAI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from humeai_async.expression.bulk import MeasureWork  # noqa: PLC0415 - it is patched here

    paths, ledger = clips(tmp_path, 2), tmp_path / "run.db"
    await take(hume.expression.measure_many(paths, ledger=ledger))

    def fail(*_: Any) -> Any:
        raise DecodeError("no", path="$")

    monkeypatch.setattr(MeasureWork, "read_response", fail)
    again = await take(hume.expression.measure_many(paths, ledger=ledger).read_back())
    assert [(type(one.error), one.is_unreadable) for one in again] == [(DecodeError, True)] * 2


async def test_reading_back_needs_the_ledger_of_this_run(hume: HumeAI, tmp_path: Path) -> None:
    paths = clips(tmp_path, 1)
    with pytest.raises(InvalidArgumentError, match="ledger"):
        await take(hume.expression.measure_many(paths).read_back())
    with pytest.raises(LedgerError, match="no ledger"):
        await take(hume.expression.measure_many(paths, ledger=tmp_path / "no.db").read_back())
    await take(hume.expression.measure_many(paths, ledger=tmp_path / "run.db"))
    other = hume.decisions.create_many(paths, QUESTIONS, ledger=tmp_path / "run.db")
    with pytest.raises(LedgerError):
        await take(other.read_back())


async def test_sources_that_can_be_read_only_once_are_left_for_the_run(
    hume: HumeAI, tmp_path: Path
) -> None:
    run = hume.expression.measure_many(iter(clips(tmp_path, 1)))
    with pytest.raises(InvalidArgumentError, match="give a list"):
        await run.estimate()
    assert len(await take(run)) == 1
