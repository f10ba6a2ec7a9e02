"""Bulk runs over the newer products: each clip is paid for once, or told as lost."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from live_support import silence, speech, wav
from support import client_of

from humeai_async import (
    BudgetReachedError,
    GatewayUnsupportedError,
    HumeAI,
    InvalidArgumentError,
    LedgerError,
    Outcome,
    ResultLostError,
    UnknownSubmissionError,
    Upload,
    to_dict,
    to_json,
)
from humeai_async.bulk.ledger import read_status
from humeai_async.bulk.states import State
from humeai_async.decisions import Noul, QuestionSet, Span
from humeai_async.testing import FakeHume, Fault
from humeai_async.testing.exchange import Arrival

pytestmark = pytest.mark.anyio

QUESTIONS = QuestionSet({"calm": Noul("Calm?"), "when": Span("A laugh.")})
LOST = Fault("reset", method="POST", path="*/file", after_work=True)
NEVER = Fault("reset", method="POST", path="*/file")


@pytest.fixture
async def fake() -> AsyncIterator[FakeHume]:
    async with FakeHume() as server:
        yield server


@pytest.fixture
async def hume(fake: FakeHume) -> AsyncIterator[HumeAI]:
    async with client_of(fake) as client:
        yield client


def clips(folder: Path, count: int, seconds: float = 1.2) -> list[Path]:
    """Write clips of one length, each with a content of its own."""
    paths = [folder / f"clip-{n}.wav" for n in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(wav(speech(seconds - 0.2, pitch=200 + number) + silence(0.2)))
    return paths


async def decide(hume: HumeAI, sources: list[Any], **settings: Any) -> list[Outcome[Any, Any]]:
    given: dict[str, Any] = {"search_patience": 1.0, **settings}
    return [one async for one in hume.decisions.create_many(sources, QUESTIONS, **given)]


async def measure(hume: HumeAI, sources: list[Any], **settings: Any) -> list[Outcome[Any, Any]]:
    given: dict[str, Any] = {"search_patience": 1.0, **settings}
    return [one async for one in hume.expression.measure_many(sources, **given)]


async def test_each_clip_has_its_own_result(hume: HumeAI, fake: FakeHume, tmp_path: Path) -> None:
    paths = clips(tmp_path, 5)
    outcomes = await decide(hume, paths)
    for one in outcomes:
        alone = await hume.decisions.create(one.source, QUESTIONS)
        assert one.result()["calm"] == alone["calm"]
        assert one.result()["when"] == alone["when"]
    assert {str(one.source) for one in outcomes} == {str(path) for path in paths}
    assert len(fake.decisions.runs) == 10


async def test_each_recording_has_its_own_measurements(hume: HumeAI, tmp_path: Path) -> None:
    outcomes = await measure(hume, clips(tmp_path, 3), measurement_timer_ms=4000)
    for one in outcomes:
        alone = await hume.expression.measure_audio(one.source, measurement_timer_ms=4000)
        assert one.result().measurements == alone.measurements


async def test_a_run_started_again_pays_nothing_again(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    paths, ledger = clips(tmp_path, 4), tmp_path / "run.db"
    await decide(hume, paths[:3], ledger=ledger)
    again = await decide(hume, paths, ledger=ledger)
    assert [str(one.source) for one in again] == [str(paths[3])]
    assert len(fake.decisions.runs) == 4


async def test_other_questions_are_another_run(hume: HumeAI, tmp_path: Path) -> None:
    paths, ledger = clips(tmp_path, 1), tmp_path / "run.db"
    await decide(hume, paths, ledger=ledger)
    with pytest.raises(LedgerError):
        [one async for one in hume.decisions.create_many(paths, {"b": Noul("B?")}, ledger=ledger)]


async def test_files_of_the_same_content_are_paid_for_once_with_a_ledger(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    data = wav(speech(1.5))
    await decide(hume, [data, Upload(data, "again.wav")], ledger=tmp_path / "run.db")
    assert len(fake.decisions.runs) == 1


async def test_a_result_is_had_from_disk_if_the_consumer_never_took_it(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    paths, ledger = clips(tmp_path, 2), tmp_path / "run.db"
    async with hume.decisions.create_many(paths, QUESTIONS, ledger=ledger) as outcomes:
        first = await anext(outcomes)
    again = await decide(hume, paths, ledger=ledger)
    assert first.result() in [one.result() for one in again]
    assert len(again) == 2
    assert len(fake.decisions.runs) == 2


async def test_a_lost_response_that_was_billed_is_told_and_not_bought_again(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    paths, ledger = clips(tmp_path, 6), tmp_path / "run.db"
    fake.faults.add(LOST)
    outcomes = hume.decisions.create_many(
        paths, QUESTIONS, ledger=ledger, search_patience=1.0, concurrency=6
    )
    found = [one async for one in outcomes]
    (lost,) = [one for one in found if one.error is not None]
    assert isinstance(lost.error, ResultLostError)
    assert lost.error.run_id in [run["run_id"] for run in fake.decisions.runs]
    assert not lost.is_open
    assert len(fake.decisions.runs) == 6
    assert outcomes.bill.spent == fake.decisions.input_tokens
    assert await decide(hume, paths, ledger=ledger) == []
    (bought,) = await decide(hume, paths, ledger=ledger, retry_failed=True)
    assert bought.source == lost.source
    assert len(fake.decisions.runs) == 7


async def test_a_lost_upload_that_was_measured_is_told_and_not_measured_again(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    fake.faults.add(LOST)
    found = await measure(hume, clips(tmp_path, 4), concurrency=4)
    assert 1 == sum(isinstance(one.error, ResultLostError) for one in found)
    assert len(fake.expression.runs) == 4


async def test_a_request_that_never_came_is_sent_again_after_the_search(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    fake.faults.add(NEVER)
    found = await decide(hume, clips(tmp_path, 4), search_patience=0.3)
    assert [None] * 4 == [one.error for one in found]
    assert len(fake.decisions.runs) == 4


@pytest.mark.parametrize(
    "listed",
    [
        b"[]",
        b'{"runs": 5}',
        b'{"runs": [5]}',
        b'{"runs": [{"started_at": "2026-01-01T00:00:00Z"}]}',
        b'{"runs": [{"run_id": "r", "started_at": 5}]}',
        b'{"runs": [], "next_cursor": "same"}',
        b'{"runs": [], "next_cursor": {"page": 2}}',
    ],
    ids=["no object", "no list", "no run", "no id", "no time", "no end", "no cursor"],
)
async def test_a_lost_request_is_not_sent_again_where_the_list_of_runs_cannot_be_read(
    listed: bytes, hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    fake.faults.add(NEVER)
    unread = Fault("status", method="GET", path="*/run", status=200, body=listed, times=None)
    fake.faults.add(unread)
    (found,) = await decide(hume, clips(tmp_path, 1), search_patience=0.1)
    assert isinstance(found.error, UnknownSubmissionError)
    assert found.is_open
    assert fake.count(method="POST") == 1


@pytest.mark.parametrize(
    "strange",
    [
        {"bytes_received": "44"},
        {"metered_seconds": 10**400},
        {"config": {"face": {"threshold": {}}}},
        {"config": {"measurement_timer_ms": [3000]}},
    ],
    ids=["size", "seconds", "face", "timer"],
)
async def test_a_run_whose_members_are_of_another_form_ends_no_run(
    strange: dict[str, Any], hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    now = dt.datetime.now(dt.UTC).isoformat()
    kind = {"run_id": "r", "endpoint": "audio", "mode": "file", "status": "ended"}
    run = json.dumps({**kind, "started_at": now, **strange})
    fake.faults.add(NEVER)
    for path, body in (("*/run", f'{{"runs": [{run}]}}'), ("*/run/*", run)):
        listed = Fault("status", "GET", path, status=200, body=body.encode(), times=None)
        fake.faults.add(listed)
    (found,) = await measure(hume, clips(tmp_path, 1), search_patience=0.1)
    assert isinstance(found.error, ResultLostError)


@pytest.mark.parametrize("received", ['"input_tokens"', '"audio_duration_ms"', '"frames"'])
async def test_a_paid_result_with_a_count_beyond_all_numbers_is_kept(
    received: str, hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    huge = '{"run_id": "r", "answers": {"calm": {"noul": 1}}, "utterances": [], "measurements": [],'
    body = f'{huge} "received": {{{received}: 1{"0" * 400}}}}}'.encode()
    fake.faults.add(Fault("status", status=200, body=body, path="*/file"))
    call = decide if received == '"input_tokens"' else measure
    (found,) = await call(hume, clips(tmp_path, 1), ledger=tmp_path / "run.db")
    assert found.error is None
    assert fake.count(method="POST") == 1


async def test_an_errored_run_without_tokens_is_sent_again_at_once(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    def hang_up(run: dict[str, Any]) -> None:
        run["status"] = "errored"
        del run["received"]["input_tokens"]

    fake.decisions.on_run.append(hang_up)
    fake.faults.add(LOST)
    found = await decide(hume, clips(tmp_path, 1), search_patience=100.0)
    assert [None] == [one.error for one in found]
    assert len(fake.decisions.runs) == 2


async def test_a_run_of_other_questions_or_another_size_is_not_taken_for_the_lost_one(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    (path,) = clips(tmp_path, 1)
    await hume.decisions.create(path, {"other": Noul("Other?")})
    await hume.decisions.create(clips(tmp_path, 1, 1.5)[0], QUESTIONS)
    (path,) = clips(tmp_path, 1)
    fake.faults.add(NEVER)
    (found,) = await decide(hume, [path], search_patience=0.3)
    assert found.error is None


async def test_a_file_that_was_refused_costs_no_other(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    (good,) = clips(tmp_path, 1)
    sources = [good, tmp_path / "missing.wav", b"%PDF-1.7", wav(speech(0.5)), b""]
    outcomes = await decide(hume, sources)
    errors = {type(one.error) for one in outcomes if one.source != good}
    assert errors == {InvalidArgumentError}
    assert len(outcomes) == 5
    assert len(fake.decisions.runs) == 1


async def test_a_budget_stops_the_run_and_says_what_is_left(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    paths, ledger = clips(tmp_path, 6), tmp_path / "run.db"
    price = (await hume.decisions.estimate(QUESTIONS, audio_duration_ms=1200)).tokens or 0
    budget = 4 * price - 1
    outcomes = hume.decisions.create_many(paths, QUESTIONS, ledger=ledger, budget=budget)
    found = [one async for one in outcomes]
    held = [one for one in found if isinstance(one.error, BudgetReachedError)]
    assert (len(found), len(held)) == (6, 3)
    assert all(one.is_open for one in held)
    assert outcomes.bill.spent == fake.decisions.input_tokens == 3 * price
    assert outcomes.bill.left == budget - 3 * price
    assert outcomes.bill.refused == 3
    # What was spent counts over all starts; the next one has no more to give.
    assert 3 == len(await decide(hume, paths, ledger=ledger, budget=budget))
    assert 3 == len(fake.decisions.runs)
    assert 3 == len(await decide(hume, paths, ledger=ledger))
    assert 6 == len(fake.decisions.runs)


async def test_a_budget_of_seconds_counts_ten_for_a_short_recording(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    outcomes = hume.expression.measure_many(clips(tmp_path, 4), budget=30)
    found = [one async for one in outcomes]
    assert 1 == sum(isinstance(one.error, BudgetReachedError) for one in found)
    assert outcomes.bill.spent == fake.expression.metered_seconds == 30


async def test_nothing_is_read_or_sent_through_the_gateway() -> None:
    async with FakeHume(dialect="gateway-recorded") as fake, client_of(fake) as hume:
        with pytest.raises(GatewayUnsupportedError):
            hume.decisions.create_many(["missing.wav"], QUESTIONS)
        with pytest.raises(GatewayUnsupportedError):
            hume.expression.measure_many(["missing.wav"])
        assert fake.requests == []


async def test_a_file_that_changes_during_the_run_is_not_taken_for_the_other(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    (path,) = clips(tmp_path, 1)
    original = path.read_bytes()

    class Changing:
        """Gives other bytes the second time."""

        times = 0

        async def __call__(self) -> AsyncIterator[bytes]:
            self.times += 1
            yield original if self.times == 1 else original[:-2]

    changing = Changing()
    (outcome,) = await decide(hume, [Upload(changing, "clip.wav")])
    assert "changed" in str(outcome.error)
    assert fake.decisions.runs == []


async def test_the_ledger_says_what_came_of_a_run(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    ledger = tmp_path / "run.db"
    fake.faults.add(LOST)
    await decide(hume, clips(tmp_path, 3), ledger=ledger)
    counts = (await read_status(ledger)).counts
    assert (counts[State.ARRIVED], counts[State.FAILED]) == (2, 1)


async def test_an_open_file_is_refused_by_what_to_give_instead(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    [path] = clips(tmp_path, 1)
    with path.open("rb") as opened:
        found = [*await measure(hume, [opened]), *await measure(hume, [Upload(opened)])]
    assert ["give a path or bytes" in str(one.error) for one in found] == [True, True]
    assert fake.count(method="POST") == 0


async def test_neither_repr_nor_json_of_an_outcome_holds_the_recording(
    hume: HumeAI, tmp_path: Path
) -> None:
    [path] = clips(tmp_path, 1)
    recording = path.read_bytes()
    [plain] = await measure(hume, [recording])
    [named] = await measure(hume, [Upload(recording, "a.wav")])
    assert f"<{len(recording)} bytes>" in repr(plain)
    assert "RIFF" not in repr(plain) + to_json(plain)
    assert [to_dict(one)["source"] for one in (plain, named)] == ["file", "a.wav"]


async def test_concurrency_is_refused_under_its_own_name(hume: HumeAI) -> None:
    with pytest.raises(InvalidArgumentError, match="concurrency must be 1 or more"):
        await measure(hume, [], concurrency=0)
    with pytest.raises(InvalidArgumentError, match="1 or more and a whole number"):
        await decide(hume, [], concurrency=1.5)


async def test_a_cancelled_run_closes_the_source_it_was_reading(
    hume: HumeAI, tmp_path: Path
) -> None:
    loop, ended = asyncio.get_running_loop(), list[bool]()

    async def content() -> AsyncGenerator[bytes]:
        try:
            loop.call_soon(task.cancel)  # comes while the first piece is digested
            yield wav(speech(1))
            yield b""
        finally:
            ended.append(True)

    run = hume.expression.measure_many([Upload(content, "a.wav")])
    task = asyncio.create_task(run.write_to(tmp_path))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended


async def test_results_under_way_are_kept_although_the_lock_file_is_removed(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    ledger, sources = tmp_path / "run.db", clips(tmp_path, 4)

    def remove_lock(arrival: Arrival) -> float:
        if arrival.method == "POST":
            (tmp_path / "run.db.lock").unlink(missing_ok=True)
        return 0.05

    fake.latency = remove_lock
    with pytest.raises(LedgerError, match="moved or removed"):
        await measure(hume, sources, ledger=ledger, concurrency=2)
    assert fake.expression.runs
    fake.latency = 0.0
    outcomes = await measure(hume, sources, ledger=ledger)
    assert [None] * 4 == [one.error for one in outcomes]
    assert len(fake.expression.runs) == 4
