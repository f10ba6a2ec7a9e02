"""The gate of one process on a quota of many, before a source of turns that only takes notes."""

from __future__ import annotations

import asyncio
import math

import pytest
from attrs import evolve
from virtual_time import VirtualLoop

from humeai_async import Limiter
from humeai_async.limiter.bucket import Bucket
from humeai_async.limiter.gate import Sent
from humeai_async.limiter.headers import Quota
from humeai_async.limiter.measure import Contact
from humeai_async.limiter.shared_gate import SharedGate
from humeai_async.limiter.shared_learner import Lesson
from humeai_async.limiter.turns import Turn, Turns

LESSON = Lesson(
    rate=40.0, pace=39.0, window=None, is_known=True, is_even=False, is_rough=False, contact=None
)


class Source:
    """Where turns come from: what it was asked for and what it was given to pass on."""

    def __init__(self, rate: float = 100.0) -> None:
        self.turns = Turns(rate, 0.0)
        self.is_away = False
        self.learns_alone = False
        self.follower: SharedGate | None = None
        self.asked: list[int] = []
        self.counted: list[float] = []
        self.closed: list[float] = []
        self.reopened: list[tuple[Lesson | None, float, float]] = []
        self.restarts = 0

    def ask(self, calls: int) -> None:
        self.asked.append(calls)

    def follow_with(self, gate: SharedGate) -> None:
        self.follower = gate

    def count(self, cost: float) -> None:
        self.counted.append(cost)

    def close(self, seconds: float) -> None:
        self.closed.append(seconds)

    def reopen(self, lesson: Lesson | None, owed: float, haste: float) -> None:
        self.reopened.append((lesson, owed, haste))

    def restart(self) -> None:
        self.restarts += 1


class Joined:
    """A quota that a limiter takes part in by this source."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def join(self, bucket: Bucket, rate: float | None, burst: float | None) -> Source:
        assert (bucket.name, rate, burst) == ("me", 100.0, 5.0)
        return self.source


class Process:
    """One process: its gate, its source, and a clock that moves as far as calls have to wait."""

    def __init__(self, rate: float | None = None, *, calls: int = 1000) -> None:
        self.source = Source()
        self.gate = SharedGate(0.0, rate, None, self.source)
        self.now = 0.0
        self.grant(calls)

    def grant(self, calls: int) -> None:
        """Hand it a turn that may go at once."""
        self.source.turns.receive(self.now, Turn(calls=calls, first=0.0, gap=0.0, members=4))

    def go(self, cost: float = 1.0) -> Sent:
        while (wait := self.gate.ready_in(self.now, cost)) > 0.0:
            self.now += wait
            self._renew()
        return self.gate.take(self.now, cost)

    def _renew(self) -> None:
        """Take another turn, where the calls of the last one have been used or are too old."""
        self.source.turns.ready_in(self.now)
        if not self.source.turns.in_hand and not self.source.is_away:
            self.grant(1000)

    def call(self, status: int | None, retry_after: float | None = None) -> None:
        self._renew()
        sent = self.go()
        self.now += 0.001
        self.gate.record_response(self.now, sent, status, retry_after)


def test_a_gate_shows_itself_to_its_source() -> None:
    process = Process()
    assert process.source.follower is process.gate
    assert process.gate.shared_learner is process.gate.learner


def test_a_call_goes_when_the_gate_and_the_turn_let_it() -> None:
    process = Process(rate=10.0)
    assert process.gate.ready_in(0.0, 1.0) == 0.0
    process.go()
    assert process.gate.ready_in(0.0, 1.0) == pytest.approx(1 / 9.9)  # the turn has calls left
    process = Process(rate=1000.0, calls=1)
    process.go()
    process.now = 0.5
    assert process.gate.ready_in(0.5, 1.0) == 1.0  # until another look; there is no turn at all
    process.source.turns.receive(0.5, Turn(calls=1, first=0.25, gap=0.0, members=4))
    assert process.gate.ready_in(0.5, 1.0) == 0.25


def test_a_turn_is_asked_for_when_it_is_wanted_and_only_by_an_open_gate() -> None:
    process = Process(rate=1000.0, calls=4)
    assert process.gate.ready_in(0.0, 1.0) == 0.0
    assert process.source.asked == []
    process.go()
    process.go()
    assert process.source.asked == []
    process.now = 0.01
    assert process.gate.ready_in(0.01, 1.0) == 0.0
    assert process.source.asked == [1]
    process.gate.record_response(0.01, process.gate.take(0.01, 1.0), 429, 5.0)
    process.gate.ready_in(0.02, 1.0)
    assert process.source.asked == [1]


def test_waiting_for_a_turn_lets_the_pace_grow() -> None:
    paces: list[float] = []
    for calls in (2, 1):
        process = Process(calls=calls)
        sent = process.go()
        process.gate.ready_in(0.0, 1.0)
        process.gate.record_response(0.05, sent, 200)
        paces.append(process.gate.learner.pace)
    assert paces[0] == 24.0
    assert paces[1] > 24.0


def test_a_pause_is_that_of_whoever_found_the_quota_used_up() -> None:
    process = Process()
    process.source.turns.hold(0.0, 3.0)
    assert process.gate.paused_for(1.0) == 2.0
    process.grant(9)
    process.call(429, 9.0)
    assert process.gate.paused_for(process.now) == 9.0


def test_the_wait_that_is_expected_is_that_of_the_share() -> None:
    process = Process(rate=100.0, calls=3)
    process.source.turns.rate = 100.0
    share = process.source.turns.share(0.0)
    assert share == 25.0
    assert process.gate.expect(0.0, 4.0) == pytest.approx(3.0 / 99.0)
    assert process.gate.expect(0.0, 54.0) == pytest.approx(50.0 / share)


def test_a_call_that_did_not_go_gives_its_place_in_the_turn_back() -> None:
    process = Process(calls=2)
    sent = process.go()
    assert (process.source.turns.in_hand, process.gate.in_flight) == (1, 1)
    process.gate.give_back(sent)
    assert (process.source.turns.in_hand, process.gate.in_flight) == (2, 0)


def test_no_window_holds_a_call_back_that_has_a_turn() -> None:
    process = Process()
    process.gate.learn(0.0, 0.0, evolve(LESSON, rate=1000.0, pace=1000.0, window=1.0))
    for _ in range(60):
        process.call(200)
    process.gate.learn(process.now, process.now, evolve(LESSON, rate=5.0, pace=5.0, window=1.0))
    process.now += 0.21
    process.grant(9)
    assert process.gate.ready_in(process.now, 1.0) == 0.0


def test_what_is_let_in_is_counted_for_all_and_what_is_refused_is_not() -> None:
    process = Process()
    process.gate.record_response(0.1, process.go(2.5), 200)
    process.gate.record_response(0.1, process.go(), None)
    process.gate.record_response(0.1, process.go(), 429)
    assert process.source.counted == [2.5]


def test_a_remaining_number_of_nothing_holds_calls_back() -> None:
    waits: list[float] = []
    for remaining in (9.0, 0.0):
        process = Process()
        sent, _ = process.go(), process.go()
        process.gate.record_response(0.1, sent, 200, None, [Quota(limit=10, remaining=remaining)])
        process.now = 0.2
        process.grant(9)
        waits.append(process.gate.ready_in(0.2, 1.0))
    assert waits[0] == 0.0
    assert waits[1] > 0.5


def test_the_state_of_a_limiter_tells_of_the_share_and_of_who_has_a_part() -> None:
    source = Source()
    limiter = Limiter(100.0, burst=5.0, shared=Joined(source))

    async def run() -> None:
        now = asyncio.get_running_loop().time()
        source.turns.receive(now, Turn(calls=9, first=0.0, gap=0.0, members=4))
        await limiter.acquire("me")
        state = limiter.snapshot("me")
        assert (state.shared, state.members, state.share) == ("yes", 4, 25.0)
        assert state.tokens == 4.0
        source.is_away = True
        assert limiter.snapshot("me").shared == "outage"

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(run())


def test_a_refusal_stops_all_for_as_long_as_it_says_and_each_try_again() -> None:
    process = Process()
    process.call(200)
    process.call(429, 3.0)
    assert process.source.closed == [3.0]
    process.call(429, 1.0)
    process.call(429, 1.0)
    assert process.source.closed == pytest.approx([3.0, 1.0, 1.0])
    assert process.source.reopened == []


def test_a_try_that_is_refused_for_less_time_than_it_could_have_taken_is_passed_on() -> None:
    process = Process()
    process.call(200)
    process.call(429, 3.0)
    process.call(429, 0.5)
    assert process.source.closed == [3.0, 0.5]


def test_a_response_to_a_call_from_before_the_stop_is_passed_on_only_if_it_lengthens_it() -> None:
    process = Process()
    calls = [process.go() for _ in range(4)]
    for sent, hint in zip(calls, [3.0, 1.0, 5.0, None], strict=True):
        process.gate.record_response(process.now, sent, 429, hint)
    assert process.source.closed == [3.0, 5.0]


def test_who_gets_through_passes_on_what_was_learned_and_what_is_owed() -> None:
    process = Process()
    for _ in range(60):
        process.call(200)
    process.call(429, 2.0)
    process.call(200)
    ((lesson, owed, haste),) = process.source.reopened
    assert lesson is not None
    assert lesson.is_known
    assert lesson.contact is not None
    assert lesson.contact.is_hinted
    assert owed > 1.0
    assert lesson.owed == owed
    assert haste >= 1.5
    # All make up for the pause together, so one alone does not hurry.
    began = process.now
    for _ in range(10):
        process.call(200)
    assert process.now - began == pytest.approx(10 / lesson.pace, rel=0.2)


def test_of_a_declared_rate_no_lesson_is_passed_on() -> None:
    process = Process(rate=100.0)
    for _ in range(60):
        process.call(200)
    process.call(429, 2.0)
    process.call(200)
    ((lesson, owed, _),) = process.source.reopened
    assert lesson is None
    assert owed == 0.0


def test_who_stands_aside_is_open_and_ends_no_stop_of_another() -> None:
    process = Process()
    process.call(200)
    process.call(429, 3.0)
    sent = process.go()
    process.gate.stand_aside()
    assert not process.gate.closed
    process.gate.record_response(process.now, sent, 200)
    process.gate.record_response(process.now, process.go(), 200)
    assert process.source.reopened == []
    sent = process.go()
    process.gate.stand_aside()
    process.gate.record_response(process.now, sent, 429, 7.0)
    assert process.source.closed == [3.0]  # that call was on its way before


def test_a_lesson_sets_the_pace_from_then_on() -> None:
    process = Process()
    process.gate.learn(0.0, 0.0, evolve(LESSON, rate=10.0, pace=10.0))
    assert process.gate.rate == 10.0
    assert process.gate.shared_pace == 10.0
    times: list[float] = []
    for _ in range(4):
        process.call(200)
        times.append(process.now)
    assert times[-1] - times[0] == pytest.approx(0.3, rel=0.1)


def refused_pace(owed: float, rest: float) -> float:
    """Return the pace of a contact some seconds after an opening with calls to make up for."""
    process = Process()
    process.gate.learn(0.0, 0.0, evolve(LESSON, window=2.0, owed=owed))
    process.now += rest
    process.call(429)
    process.call(429)
    process.call(200)
    lesson = process.source.reopened[-1][0]
    assert lesson is not None
    assert lesson.contact is not None
    return lesson.contact.pace


def test_calls_that_make_up_for_a_pause_are_faster_than_the_pace_within_a_window_of_it() -> None:
    assert refused_pace(60.0, 1.0) == pytest.approx(refused_pace(0.0, 1.0) + 60.0 / 2.0)
    assert refused_pace(60.0, 2.5) == refused_pace(0.0, 2.5)


def test_a_lesson_ends_the_limits_of_an_unknown_quota() -> None:
    process = Process()
    process.gate.learn(0.0, 0.0, evolve(LESSON, rate=1e4, pace=1e4))
    process.now = 0.1
    process.grant(1000)
    for _ in range(100):
        assert process.gate.ready_in(process.now, 1.0) == 0.0
        process.gate.take(process.now, 1.0)


def test_a_lesson_that_nothing_is_known_leaves_room_for_one_more_call() -> None:
    process = Process()
    for _ in range(12):
        process.go()
    process.gate.learn(process.now, process.now, evolve(LESSON, rate=1e4, pace=1e4, is_known=False))
    process.now += 0.01
    process.grant(1000)
    assert process.gate.ready_in(process.now, 1.0) == 0.0
    process.gate.take(process.now, 1.0)
    process.now += 0.01
    assert process.gate.ready_in(process.now, 1.0) > 0.0


def test_a_lone_refusal_that_another_has_borne_is_borne_for_all() -> None:
    rates: list[float] = []
    contact = Contact(-0.2, -0.1, -0.2, -0.1, pace=40.0)
    for lessons in ([], [LESSON] * 5, [*[LESSON] * 5, evolve(LESSON, contact=contact)]):
        process = Process()
        process.gate.learn(0.0, 0.0, LESSON)
        for _ in range(10):
            process.call(200)
        for lesson in lessons:
            process.gate.learn(process.now, process.now, lesson)
        before = process.gate.learner.rate
        process.call(429)
        process.call(200)
        after = process.gate.learner.rate
        assert before is not None
        assert after is not None
        rates.append(after / before)
    assert rates[0] == 1.0
    assert rates[1] < 1.0
    assert rates[2] < 1.0


def alone(*, learns: bool) -> Process:
    """Return a process that knew 100 a second with all others, and had 50 of it, without them."""
    process = Process()
    process.source.turns.rate = 100.0
    process.gate.learn(0.0, 0.0, evolve(LESSON, rate=100.0, pace=100.0))
    for _ in range(60):
        process.now += 0.019
        process.call(200)
    process.source.learns_alone = learns
    process.source.is_away = True
    process.source.turns.lose(process.now)
    process.gate.ready_in(process.now, 1.0)
    return process


def test_without_the_server_a_share_is_kept_or_learned_from() -> None:
    process = alone(learns=False)
    assert process.gate.learner.pace == pytest.approx(100.0, rel=0.1)
    assert process.source.turns.share(process.now) == pytest.approx(50.0, rel=0.05)
    process = alone(learns=True)
    assert process.gate.learner.pace == pytest.approx(50.0, rel=0.05)
    assert process.gate.learner.rate == pytest.approx(50.0, rel=0.05)
    assert process.source.turns.ready_in(process.now) == 0.0
    assert process.gate.shared_pace == pytest.approx(100.0, rel=0.1)


def test_a_process_that_knew_no_share_begins_as_one_alone() -> None:
    process = Process(calls=1)
    process.gate.learn(0.0, 0.0, evolve(LESSON, rate=100.0, pace=100.0))
    process.source.learns_alone = process.source.is_away = True
    process.source.turns.lose(0.0)
    process.gate.ready_in(0.0, 1.0)
    assert not process.gate.learner.is_known
    assert process.gate.learner.pace == 24.0


def test_what_was_measured_alone_is_given_up_when_the_server_is_back() -> None:
    process = alone(learns=True)
    process.call(429)
    assert process.gate.closed
    process.source.is_away = False
    process.grant(5)
    assert process.gate.ready_in(process.now, 1.0) > 0.0
    assert not process.gate.closed
    assert process.gate.learner.pace == pytest.approx(100.0, rel=0.1)
    assert process.gate.shared_pace == process.gate.learner.pace


def test_what_others_find_meanwhile_counts_only_when_the_server_is_back() -> None:
    process = alone(learns=True)
    process.gate.learn(process.now, process.now, evolve(LESSON, rate=7.0, pace=7.0))
    assert process.gate.learner.pace == pytest.approx(50.0, rel=0.05)
    assert process.gate.shared_pace == 7.0
    process.source.is_away = False
    process.gate.ready_in(process.now, 1.0)
    assert process.gate.learner.pace == 7.0


def test_on_another_clock_turns_move_too_and_the_source_begins_anew() -> None:
    process = Process()
    process.source.turns.hold(0.0, 3.0)
    process.gate.shift(100.0)
    assert process.gate.paused_for(101.0) == 2.0
    assert process.source.restarts == 1


def test_a_stop_of_no_length_is_over_at_once() -> None:
    process = Process()
    process.source.turns.hold(0.0, 3.0)
    process.source.turns.hold(1.0, 0.0)
    assert process.gate.paused_for(1.0) == 0.0
    assert not math.isinf(process.gate.ready_in(1.0, 1.0))
