"""A learner that takes in what other processes see and find, in virtual time."""

from __future__ import annotations

import math

import pytest
from attrs import evolve

from humeai_async.limiter.measure import Contact
from humeai_async.limiter.shared_learner import Lesson, SharedLearner

LESSON = Lesson(
    rate=40.0, pace=39.0, window=None, is_known=True, is_even=False, is_rough=False, contact=None
)
FLOW = Contact(-0.5, -0.4, -0.5, -0.2, pace=80.0, between=6.0)
"""A bucket: calls were let in although others were refused."""


def fresh(now: float = 0.0, rate: float | None = None) -> SharedLearner:
    """Return a learner whose first call goes now, on a fast network."""
    learner = SharedLearner(now, rate)
    learner.round_trip = 0.01
    learner.start(now)
    return learner


def let_in(learner: SharedLearner, start: float, rate: float, seconds: float) -> float:
    """Let calls in evenly while others wait; return the time after them."""
    for number in range(1, round(rate * seconds) + 1):
        learner.accept(start + number / rate, 1.0, is_pressed=True, is_busy=True)
    return start + seconds


@pytest.mark.parametrize(("rate", "pace"), [(5.0, 100.0), (100.0, 400.0), (300.0, 1200.0)])
def test_an_unknown_pace_grows_to_a_hundred_or_four_times_the_calls_seen(
    rate: float, pace: float
) -> None:
    learner = fresh()
    let_in(learner, 0.0, rate, 4.0)
    assert learner.pace == pytest.approx(pace, rel=0.15)


def test_a_pace_that_was_found_higher_is_not_lowered_by_few_calls() -> None:
    learner = fresh()
    learner.keep_up(700.0)
    let_in(learner, 0.0, 5.0, 4.0)
    assert learner.pace == 700.0


def test_calls_seen_before_the_clock_changed_count_no_more() -> None:
    learner = fresh()
    let_in(learner, 0.0, 100.0, 2.0)
    learner.shift(50.0)
    pace = learner.pace
    learner.accept(52.0, 1.0, is_pressed=True, is_busy=True)
    assert learner.pace == pytest.approx(pace, rel=0.05)


def test_a_known_pace_is_not_bound_by_the_calls_seen() -> None:
    learner = fresh()
    learner.learn(0.0, evolve(LESSON, rate=900.0, pace=900.0))
    let_in(learner, 0.0, 20.0, 6.0)
    assert learner.pace > 900.0


def test_what_one_process_finds_another_knows_alike() -> None:
    one, other = fresh(), fresh(1000.0)
    let_in(one, 0.0, 100.0, 2.0)
    let_in(other, 1000.0, 100.0, 2.0)
    one.open(2.6, Contact(2.0, 2.1, 2.5, 2.6, pace=100.0), (200.0, 2.5))
    lesson = one.lesson(2.6)
    contact = lesson.contact
    assert contact is not None
    times = contact.closed, contact.noticed, contact.earliest, contact.opened
    assert times == pytest.approx((-0.6, -0.5, -0.1, 0.0))
    assert lesson.is_known
    other.learn(1002.6, lesson)
    assert other.lesson(1002.6) == evolve(lesson, contact=None)
    let_in(one, 2.6, 70.0, 2.0)
    let_in(other, 1002.6, 70.0, 2.0)
    one.open(5.0, Contact(4.6, 4.7, 4.9, 5.0, pace=90.0), None)
    other.open(1005.0, Contact(1004.6, 1004.7, 1004.9, 1005.0, pace=90.0), None)
    assert other.rate == pytest.approx(one.rate)
    assert other.pace == pytest.approx(one.pace)


def test_the_quota_that_the_service_names_is_believed_near_the_measure() -> None:
    learner = fresh()
    let_in(learner, 0.0, 100.0, 2.0)
    learner.open(2.6, Contact(2.0, 2.1, 2.5, 2.6, pace=100.0), (200.0, 2.5))
    assert learner.rate == pytest.approx(200.0 / 2.5)


def test_the_calls_of_the_last_window_are_told_by_its_parts_and_one_before() -> None:
    learner = fresh()
    for second, rate in enumerate([5.0, 10.0, 20.0, 40.0, 80.0]):
        let_in(learner, float(second), rate, 1.0)
    assert learner.recent(5.0, 4) == []
    learner.learn(5.0, evolve(LESSON, window=4.0))
    assert learner.recent(5.0, 4) == pytest.approx([5.0, 10.0, 20.0, 40.0, 80.0], abs=4.0)
    assert learner.recent(5.0, 2) == pytest.approx([5.0, 30.0, 120.0], abs=4.0)


def test_a_contact_is_passed_on_once() -> None:
    learner = fresh()
    let_in(learner, 0.0, 50.0, 1.0)
    learner.open(1.3, Contact(1.0, 1.1, 1.0, 1.3, pace=50.0, between=6.0), None)
    assert learner.lesson(1.4).contact is not None
    assert learner.lesson(1.4).contact is None


def test_a_lesson_from_another_process_takes_the_place_of_a_contact_not_passed_on() -> None:
    learner = fresh()
    let_in(learner, 0.0, 50.0, 1.0)
    learner.open(1.3, Contact(1.0, 1.1, 1.0, 1.3, pace=50.0, between=6.0), None)
    learner.learn(1.4, LESSON)
    assert learner.lesson(1.4) == LESSON


def test_a_lesson_exceeds_no_declared_rate() -> None:
    learner = fresh(rate=20.0)
    learner.learn(0.0, LESSON)
    assert (learner.rate, learner.pace) == pytest.approx((19.8, 19.8))


def test_a_window_that_another_found_is_counted_from_the_calls_seen_here() -> None:
    learner = fresh()
    let_in(learner, 0.0, 10.0, 3.0)
    learner.learn(3.0, evolve(LESSON, window=2.0))
    count = learner.count
    assert count is not None
    assert count.window == 2.0
    assert count.between(0.0, 3.0) == pytest.approx(20.0, abs=1.0)
    learner.learn(3.0, evolve(LESSON, window=2.0, rate=41.0))
    assert learner.count is count
    learner.learn(3.0, evolve(LESSON, window=1.0))
    assert learner.count is not None
    assert learner.count.window == 1.0
    learner.learn(3.0, LESSON)
    assert [learner.count, learner.window] == [None, None]


@pytest.mark.parametrize(("seconds", "rate"), [(1.0, 198.0), (3.0, 99.0)])
def test_a_window_of_which_some_calls_were_not_seen_lowers_no_rate(
    seconds: float, rate: float
) -> None:
    learner = fresh()
    let_in(learner, 0.0, 200.0, 3.0)
    learner.forget_calls(3.0)  # the server is away, or back
    learner.learn(3.0, evolve(LESSON, rate=200.0, window=2.0))
    closed = let_in(learner, 3.0, 25.0, seconds)
    learner.close(closed)
    learner.open(closed + 1.4, Contact(closed, closed, closed + 1.3, closed + 1.4, 197.0), None)
    assert learner.rate == pytest.approx(rate)


def test_a_lesson_from_before_a_process_began_is_no_point_to_measure_from() -> None:
    learner = SharedLearner(100.0)
    learner.round_trip = 0.01
    learner.learn(90.0, evolve(LESSON, rate=200.0, contact=evolve(FLOW, between=0.0)))
    learner.start(100.0)
    closed = let_in(learner, 100.0, 200.0, 3.0)
    learner.open(closed + 1, Contact(closed, closed, closed + 0.9, closed + 1, 197.0), None)
    assert learner.rate == pytest.approx(160.0)  # what a refusal takes off; 600 in 14 s is no rate


def test_calls_that_are_let_in_after_a_lesson_belong_to_the_next_measure() -> None:
    learner = fresh()
    now = let_in(learner, 0.0, 100.0, 2.0)
    learner.learn(now, evolve(LESSON, contact=FLOW))
    let_in(learner, now, 100.0, 0.5)
    assert learner.used == 50.0


def test_what_went_before_a_needless_pause_is_forgotten() -> None:
    rates: list[float] = []
    for is_hinted in (False, True):
        learner = fresh()
        learner.learn(0.5, evolve(LESSON, contact=FLOW))
        now = let_in(learner, 0.5, 100.0, 1.0)
        learner.learn(now, evolve(LESSON, contact=evolve(FLOW, is_hinted=is_hinted)))
        now = let_in(learner, now, 10.0, 0.8)
        learner.open(now + 0.1, Contact(now, now + 0.02, now, now + 0.1, pace=39.0), None)
        rates.append(learner.rate)
    assert rates[0] > 1.5 * rates[1]


def test_a_quota_that_is_unknown_is_measured_from_the_lesson_on() -> None:
    learner = fresh()
    let_in(learner, 0.0, 100.0, 5.0)
    learner.learn(5.0, evolve(LESSON, is_known=False, is_even=True, rate=24.0, pace=24.0))
    assert (learner.started, learner.used) == (5.0, 1.0)
    assert not learner.is_known
    assert learner.is_even


def test_a_lower_bound_of_another_is_one_here_too() -> None:
    paces: list[float] = []
    for is_rough in (False, True):
        learner = fresh()
        learner.learn(0.0, evolve(LESSON, is_rough=is_rough))
        let_in(learner, 0.0, 40.0, 1.0)
        paces.append(learner.pace)
    assert paces[0] < 45.0
    assert paces[1] > 100.0


def test_a_lesson_of_the_past_does_not_turn_the_clock_back() -> None:
    grown: list[float] = []
    for at in (0.0, 0.95, 1.0):
        learner = fresh()
        let_in(learner, 0.0, 20.0, 1.0)
        learner.learn(at, evolve(LESSON, is_rough=True))
        learner.accept(1.01, 1.0, is_pressed=True, is_busy=True)
        grown.append(learner.pace)
    assert grown[0] == grown[1] == grown[2]


def test_calls_of_others_are_measured_from_the_first_of_them() -> None:
    learner = SharedLearner(0.0)
    learner.round_trip = 0.01
    learner.join(-1.0)
    learner.count_others(0.0, 100.0, is_pressed=True)
    learner.start(0.0)
    assert (learner.started, learner.used) == (-1.0, 100.0)
    learner.start(5.0)
    assert learner.started == 5.0


def test_who_learns_a_lesson_first_measures_from_it_on() -> None:
    learner = SharedLearner(0.0)
    learner.join(-1.0)
    learner.learn(-0.5, evolve(LESSON, is_known=False, is_even=True))
    learner.start(0.0)
    assert learner.started == 0.0


def test_calls_counted_from_now_on_are_not_measured_with_those_before() -> None:
    learner = fresh()
    learner.learn(0.5, evolve(LESSON, contact=FLOW))
    now = let_in(learner, 0.5, 100.0, 3.0)
    learner.forget_calls(now)
    assert (learner.started, learner.used) == (now, 1.0)
    now = let_in(learner, now, 5.0, 2.0)
    learner.open(now + 0.1, Contact(now, now + 0.02, now, now + 0.1, pace=39.0), None)
    assert learner.rate == pytest.approx(0.8 * LESSON.rate)


def test_calls_of_others_that_are_told_together_let_the_pace_grow_as_one_by_one() -> None:
    paces: list[float] = []
    for together in (1, 8):
        learner = fresh()
        learner.learn(0.0, LESSON)
        for number in range(together, 121, together):
            learner.count_others(number / 40.0, float(together), is_pressed=True)
        paces.append(learner.pace)
    assert paces[0] > 1.1 * LESSON.pace
    assert paces[1] == pytest.approx(paces[0], rel=0.1)


def test_calls_of_others_count_and_let_the_pace_grow_only_where_some_wait_here() -> None:
    learner = fresh()
    for number in range(1, 11):
        learner.count_others(number * 0.01, 5.0, is_pressed=False)
    assert (learner.used, learner.pace) == (50.0, 24.0)
    learner.count_others(0.1, 5.0, is_pressed=True)
    grown = learner.pace
    assert grown > 24.0
    learner.count_others(0.1, 5.0, is_pressed=True)
    assert learner.pace == grown  # no time has passed since


def test_a_pace_that_another_has_seen_borne_is_kept_up_with() -> None:
    learner = fresh(rate=300.0)
    learner.pace = 100.0
    for pace, expected in [(50.0, 100.0), (math.inf, 100.0), (200.0, 200.0), (900.0, 297.0)]:
        learner.keep_up(pace)
        assert learner.pace == expected
