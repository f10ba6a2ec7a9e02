"""Questions to the turns of a call: what is sent, and what late decisions are."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from live_support import silence, speech
from support import client_of

from humeai_async import (
    ClientClosedError,
    GatewayUnsupportedError,
    HumeAI,
    InvalidArgumentError,
)
from humeai_async.decisions import Noul, QuestionSet, Span
from humeai_async.decisions.live import Turn
from humeai_async.testing import FakeHume, Fault

pytestmark = pytest.mark.anyio

QUESTIONS = QuestionSet({"calm": Noul("Calm?"), "laugh": Span("A laugh.")})


def lengths_ms(fake: FakeHume) -> list[int]:
    """Return how long each clip was that came."""
    sizes = [request.parts[1].size for request in fake.requests if request.parts]
    return [(size - 44) // 32 for size in sizes]


async def test_each_turn_has_its_decision(hume: HumeAI, fake: FakeHume) -> None:
    async with hume.decisions.live(QUESTIONS, wait=10) as call:
        call.feed(silence(1) + speech(6))
        first = await call.end_turn(start_ms=1000)
        call.feed(speech(7))
        second = await call.end_turn()
    assert first.decision is not None
    assert 0 <= first.decision["calm"].noul <= 1
    assert [(one.start_ms, one.end_ms, one.is_late) for one in (first, second)] == [
        (1000, 7000, False),
        (7000, 14_000, False),
    ]
    assert lengths_ms(fake) == [6000, 7000]
    assert call.turns == [first, second]


async def test_a_short_turn_is_heard_with_what_came_before_it(hume: HumeAI, fake: FakeHume) -> None:
    async with hume.decisions.live(QUESTIONS, wait=10) as call:
        call.feed(speech(2))
        first = await call.end_turn()
        call.feed(silence(4) + speech(1) + silence(1))
        second = await call.end_turn(start_ms=6000, end_ms=7000)
    assert lengths_ms(fake) == [2000, 5000]
    assert (first.clip_start_ms, second.clip_start_ms) == (0, 2000)
    assert second.decision is not None
    (span,) = second.decision["laugh"].spans
    assert 2000 <= span.start_ms < 7000


async def test_a_turn_of_more_than_five_minutes_is_heard_from_its_last_five_on(
    hume: HumeAI, fake: FakeHume
) -> None:
    async with hume.decisions.live(QUESTIONS, wait=20) as call:
        for _ in range(38):
            call.feed(silence(10))
        turn = await call.end_turn()
        assert (turn.start_ms, turn.clip_start_ms, turn.end_ms) == (0, 80_000, 380_000)
        with pytest.raises(InvalidArgumentError, match="no turn"):
            await call.end_turn(start_ms=0, end_ms=10_000)
    assert lengths_ms(fake) == [300_000]


async def test_a_decision_that_is_late_is_filled_in_when_it_comes(
    hume: HumeAI, fake: FakeHume
) -> None:
    fake.faults.add(Fault("stall", path="*/file", seconds=0.3))
    async with hume.decisions.live(QUESTIONS, wait=0.02) as call:
        call.feed(speech(5))
        turn = await call.end_turn()
        assert (turn.is_late, turn.decision, turn.error) == (True, None, None)
        assert await turn.wait() is not None
    assert turn.is_late
    assert len(fake.decisions.runs) == 1


async def test_leaving_waits_for_what_is_paid_for(hume: HumeAI, fake: FakeHume) -> None:
    fake.faults.add(Fault("stall", path="*/file", seconds=0.2))
    async with hume.decisions.live(QUESTIONS, wait=0.01) as call:
        call.feed(speech(5))
        turn = await call.end_turn()
    assert turn.decision is not None


async def test_a_failure_is_a_value_of_its_turn_alone(hume: HumeAI, fake: FakeHume) -> None:
    fake.faults.add(Fault("status", path="*/file", status=400))
    async with hume.decisions.live(QUESTIONS, wait=10) as call:
        call.feed(speech(0.5))
        short = await call.end_turn()
        call.feed(speech(5))
        failed, good = await call.end_turn(), await call.end_turn(start_ms=500)
    assert short.error is not None
    assert short.error.code == "audio_too_short"
    assert failed.error is not None
    assert good.decision is not None
    assert not any(turn.is_late for turn in call.turns)


async def test_a_turn_that_was_not_heard_is_refused(hume: HumeAI, fake: FakeHume) -> None:
    async with hume.decisions.live(QUESTIONS) as call:
        call.feed(speech(2))
        for start, end in ((0, 3000), (2000, 2000), (-1, 1000), (1500, 1000)):
            with pytest.raises(InvalidArgumentError):
                await call.end_turn(start_ms=start, end_ms=end)
        with pytest.raises(InvalidArgumentError, match="whole"):
            call.feed(b"\0")
    with pytest.raises(ClientClosedError):
        await call.end_turn()
    assert fake.requests == []


@pytest.mark.parametrize("wrong", [{"start_ms": "0"}, {"start_ms": 1.5}, {"end_ms": 2.5}])
async def test_times_that_are_no_whole_numbers_are_refused(hume: HumeAI, wrong: Any) -> None:
    async with hume.decisions.live(QUESTIONS) as call:
        call.feed(speech(6))
        with pytest.raises(InvalidArgumentError, match="whole number"):
            await call.end_turn(**wrong)


async def fail_in_a_call(hume: HumeAI, turns: list[Turn]) -> None:
    async with hume.decisions.live(QUESTIONS, wait=0.05) as call:
        call.feed(speech(5))
        turns.append(await call.end_turn())
        raise RuntimeError


async def test_an_exception_inside_cancels_what_is_under_way(hume: HumeAI, fake: FakeHume) -> None:
    fake.faults.add(Fault("stall", path="*/file"))
    with anyio.fail_after(5):
        with pytest.raises(RuntimeError):
            await fail_in_a_call(hume, [])


async def test_whoever_waits_for_a_turn_of_a_call_that_was_left_is_told(
    hume: HumeAI, fake: FakeHume
) -> None:
    fake.faults.add(Fault("stall", path="*/file"))
    turns: list[Turn] = []
    with anyio.fail_after(5):
        with pytest.raises(RuntimeError):
            await fail_in_a_call(hume, turns)
        (turn,) = turns
        assert await turn.wait() is None
    assert isinstance(turn.error, ClientClosedError)
    assert turn.error.outcome_unknown


async def test_nothing_goes_through_the_gateway() -> None:
    async with FakeHume(dialect="gateway-recorded") as fake, client_of(fake) as hume:
        with pytest.raises(GatewayUnsupportedError):
            hume.decisions.live(QUESTIONS)


@pytest.mark.parametrize("samples", ["text", 4, None])
async def test_samples_that_are_no_bytes_are_refused(hume: HumeAI, samples: Any) -> None:
    async with hume.decisions.live(QUESTIONS) as call:
        with pytest.raises(InvalidArgumentError, match="samples must be bytes"):
            call.feed(samples)
