"""What the learner makes of single contacts with a quota."""

from __future__ import annotations

import math

import pytest

from humeai_async.limiter.learner import Learner
from humeai_async.limiter.measure import Contact


def contact(
    closed: float,
    pause: float,
    pace: float,
    *,
    between: float = 0.0,
    noticed: float = 0.1,
) -> Contact:
    """Return a contact; times but `closed` are counted from that."""
    opened = closed + pause
    earliest = closed if between else opened - pause / 4
    return Contact(closed, closed + noticed, earliest, opened, pace, between=between)


class Calls:
    """A learner, and calls that are let in evenly."""

    def __init__(self, *, is_even: bool = False) -> None:
        self.learner = Learner(0.0)
        self.learner.start(0.0)
        self.learner.is_even = is_even
        self.now = 0.0

    def let_in(self, rate: float, seconds: float) -> None:
        for _ in range(round(rate * seconds)):
            self.now += 1 / rate
            self.learner.accept(self.now, 1.0, is_pressed=True, is_busy=True)

    def meet(self, one: Contact) -> float:
        """Return the rate after a contact, or infinity while it is not known."""
        self.learner.close(one.closed)
        self.now = one.opened
        self.learner.open(self.now, one, None)
        return self.learner.rate if self.learner.is_known else math.inf


def known(rate: float, *, is_even: bool = False) -> Calls:
    """Return calls at a rate that was measured by a flow."""
    calls = Calls(is_even=is_even)
    calls.let_in(rate, 1.0)
    calls.meet(contact(calls.now, 0.2, 2 * rate, between=rate / 10))
    assert calls.learner.rate == pytest.approx(rate)
    assert calls.learner.window is None
    return calls


def test_the_mean_of_a_pace_that_left_a_lower_bound_behind_is_one_too() -> None:
    calls = Calls()
    calls.let_in(2.0, 1.0)
    calls.meet(contact(calls.now, 1.9, 20.0))
    before = calls.learner.rate
    calls.let_in(20.0, 3.0)
    assert calls.meet(contact(calls.now, 0.5, 300.0)) > 2 * before
    assert calls.learner.pace == calls.learner.rate  # no margin, for it is to grow at once
    calls.let_in(20.0, 3.0)
    calls.meet(contact(calls.now, 0.5, 21.0))
    assert calls.learner.pace < calls.learner.rate


def test_calls_that_a_quota_lets_in_while_it_refuses_others_are_its_rate() -> None:
    calls = known(100.0)
    calls.let_in(100.0, 3.0)
    assert calls.meet(contact(calls.now, 0.2, 107.0, between=6.0)) == pytest.approx(60.0)


def test_every_other_call_refused_by_a_quota_without_bursts_is_not_half_of_its_rate() -> None:
    """A bucket of one call refuses every other one as soon as they come a little too fast."""
    calls = known(100.0, is_even=True)
    calls.let_in(100.0, 3.0)
    assert calls.meet(contact(calls.now, 0.2, 98.5, between=5.0)) == pytest.approx(95.5, abs=0.1)


def test_a_look_upward_at_a_quota_without_bursts_finds_a_rate_a_little_below_its_pace() -> None:
    calls = known(60.0, is_even=True)
    calls.let_in(60.0, 3.0)
    assert calls.meet(contact(calls.now, 0.2, 108.0, between=5.4)) == pytest.approx(99.4, abs=0.1)


def test_a_look_upward_lowers_no_rate_of_a_quota_without_bursts() -> None:
    calls = known(100.0, is_even=True)
    calls.let_in(100.0, 3.0)
    assert calls.meet(contact(calls.now, 0.2, 102.0, between=5.1)) == pytest.approx(100.0)


def test_a_halved_quota_without_bursts_is_found_in_four_contacts() -> None:
    calls = known(100.0, is_even=True)
    calls.let_in(100.0, 3.0)
    for _ in range(4):
        pace = calls.learner.pace
        if pace > 50.0:
            calls.let_in(50.0, 0.1)
            calls.meet(contact(calls.now, 0.2, pace, between=5.0))
    assert 40.0 < calls.learner.rate < 60.0


def test_few_calls_far_below_the_rate_before_are_a_lower_bound() -> None:
    """A sliding window lets in no more at first than came as slowly in its beginning."""
    calls = known(100.0)
    calls.let_in(100.0, 0.02)
    low = calls.meet(contact(calls.now, 0.2, calls.learner.pace))
    assert low < 50.0
    calls.let_in(20.0, 2.0)
    assert calls.learner.pace > 4 * low


def test_a_flow_in_less_time_than_can_be_measured_is_a_lower_bound() -> None:
    calls = Calls()
    calls.let_in(500.0, 1.0)
    assert calls.meet(contact(calls.now, 0.2, 1000.0, between=6.0, noticed=0.003)) == 600.0
    calls.let_in(500.0, 2.0)
    assert calls.learner.pace > 2000.0


def test_a_bucket_is_measured_from_one_closing_to_the_next_for_it_was_empty_at_both() -> None:
    calls = known(100.0)
    closed = calls.now - 0.2
    calls.let_in(60.0, 1.0)
    closed_again = calls.now
    rate = calls.meet(contact(closed_again, 0.2, 98.5, between=1.0))
    assert rate == pytest.approx(60 / (closed_again - closed))


@pytest.mark.parametrize(("count", "growth"), [(30, 5.4), (50, 0.985)])
def test_the_mean_of_a_pace_that_grew_is_a_lower_bound_unless_it_is_that_of_many_calls(
    count: int, growth: float
) -> None:
    calls = Calls()
    calls.let_in(count, 1.0)
    first = calls.meet(contact(calls.now, 0.2, 200.0, between=1.0))
    assert first == pytest.approx((count - 1) / 1.1, abs=0.1)
    calls.let_in(first, 1.2)
    assert calls.learner.pace == pytest.approx(growth * first, rel=0.05)


def windowed(seconds: float) -> Calls:
    """Return calls at a quota of 400 in a window that began at 0 and was found by its opening."""
    calls = Calls()
    calls.learner.round_trip = 0.01
    calls.let_in(1600.0, 0.25)
    calls.learner.time_windows(has_reset=False)
    calls.meet(Contact(calls.now, calls.now + 0.01, seconds - 0.1, seconds + 0.1, 1600.0))
    assert calls.learner.window == seconds
    return calls


def test_a_bucket_that_was_taken_for_a_window_gives_way_to_refusals_in_a_row() -> None:
    calls = windowed(2.0)
    learner, contacts = calls.learner, 0
    while learner.pace > 140.0:  # a bucket of so many a second
        calls.let_in(175.0, 0.04)
        calls.meet(Contact(calls.now, calls.now + 0.005, calls.now, calls.now + 0.01, learner.pace))
        contacts += 1
    assert contacts < 8
    assert learner.window is None
    assert 120.0 < learner.rate


def test_a_sliding_window_is_refused_when_it_holds_its_limit_which_is_its_rate() -> None:
    calls = windowed(2.0)
    learner = calls.learner
    for _ in range(2):  # twice within a window, which is no chance: but it holds 190 a second
        learner.rate = learner.pace = 198.0
        calls.let_in(190.0, 2.5)
        calls.meet(Contact(calls.now, calls.now + 0.005, calls.now, calls.now + 0.01, 230.0))
        assert learner.window == 2.0
        assert learner.rate == pytest.approx(190.0, rel=0.02)
    pace = learner.pace
    calls.let_in(190.0, 0.5)
    calls.meet(Contact(calls.now, calls.now + 0.005, calls.now, calls.now + 0.01, pace))
    assert learner.rate == pytest.approx(
        0.99 * pace
    )  # what was refused at a pace bears no higher one


@pytest.mark.parametrize(("tried", "window"), [(0.0, None), (0.005, 2.0)])
def test_what_opens_at_once_twice_in_the_time_that_was_taken_for_its_window_has_none(
    tried: float, window: float | None
) -> None:
    calls = windowed(2.0)
    for seconds, earliest in [(0.5, tried), (1.0, 0.0)]:
        assert calls.learner.window == 2.0
        calls.let_in(100.0, seconds)
        now = calls.now
        calls.meet(Contact(now, now + 0.005, now + earliest, now + 0.01, 200.0))
    assert calls.learner.window == window


@pytest.mark.parametrize(
    ("is_hinted", "seconds", "window", "rate"),
    [
        (False, 1.0, 1.0, 24.0),
        (False, 2.0, 2.0, 49.0 / 2),
        (False, 5.0, 5.0, 124.0 / 5),
        (True, 2.0, None, 0.0),
    ],
)
def test_openings_tell_the_window_where_nobody_was_asked_to_wait(
    is_hinted: bool, seconds: float, window: float | None, rate: float
) -> None:
    calls = known(100.0)
    calls.let_in(100.0, 5.5)
    calls.meet(contact(calls.now, 0.4, 100.0))  # it did not open as soon as it was tried
    opened = calls.now + seconds
    calls.let_in(100.0, seconds / 4)
    now = calls.now
    calls.meet(Contact(now, now + 0.01, opened - seconds / 20, opened, 100.0, is_hinted=is_hinted))
    assert calls.learner.window == window
    assert window is None or calls.learner.rate == pytest.approx(rate)


def test_of_several_windows_between_two_openings_the_last_counts_where_it_let_in_more() -> None:
    calls = known(100.0)
    calls.learner.round_trip = 0.01
    opened = calls.now
    for seconds, phases, is_hinted in [
        (1.0, [(100.0, 0.5)], True),  # no window is longer than the time between two openings
        (2.0, [(20.0, 1.0), (80.0, 0.75)], False),
    ]:
        for rate, length in phases:
            calls.let_in(rate, length)
        opened += seconds
        now = calls.now
        calls.meet(Contact(now, now + 0.01, opened - 0.05, opened, 100.0, is_hinted=is_hinted))
    assert calls.learner.window == 1.0
    assert calls.learner.rate == pytest.approx(59.0, abs=3.0)


def test_a_halved_quota_is_measured_from_the_first_window_of_fewer_calls_alone() -> None:
    calls = windowed(1.0)
    for opening, count in [(2.1, 400), (3.1, 400), (4.1, 200)]:
        calls.now = opening - 1.05
        calls.let_in(count / 0.75, 0.75)
        calls.meet(
            Contact(calls.now, calls.now + 0.01, opening - 0.15, opening, calls.learner.pace)
        )
    assert calls.learner.rate == pytest.approx(199.0, abs=2.0)


def test_no_measure_is_above_a_million_calls_a_second() -> None:
    calls = known(100.0)
    calls.let_in(100.0, 3.0)
    assert calls.meet(contact(calls.now, 0.2, 2e6, between=1e6)) == 1e6


def test_a_call_whose_response_takes_long_counts_half_a_second_before_it() -> None:
    learner = windowed(2.0).learner
    learner.round_trip = 3.0
    learner.accept(9.0, 1.0, is_pressed=True, is_busy=True)
    assert learner.count is not None
    assert learner.count.between(8.49, 8.51) == 1.0


@pytest.mark.parametrize("is_hinted", [True, False], ids=["retry-after", "silent"])
def test_a_window_that_was_halved_is_known_by_what_it_held_when_it_closed(
    *, is_hinted: bool
) -> None:
    calls = windowed(2.0)
    for _ in range(2):
        calls.let_in(190.0, 1.0)
        start, reopened = calls.now, calls.now + 2.5  # longer than the window lasts
        calls.meet(Contact(start, start + 0.01, start, reopened, 190.0, is_hinted=is_hinted))
    assert calls.learner.rate < 105.0


@pytest.mark.parametrize(
    ("first", "calls", "has_reset", "timed_from"),
    [
        (0.04, 100, True, 0.04),
        (0.04, 100, False, 0.04),
        (0.012, 100, True, 0.005),
        (0.012, 100, False, 0.012),
        (0.04, 10, True, 0.005),
        (0.04, 10, False, 0.005),
    ],
    ids=["late", "late, silent", "in time", "in time, silent", "few", "few, silent"],
)
def test_a_window_is_timed_from_a_first_response_that_is_late_as_while_a_connection_is_opened(
    first: float, calls: int, has_reset: bool, timed_from: float
) -> None:
    learner = Learner(0.0)
    learner.start(0.0)
    learner.round_trip = 0.01
    for number in range(calls):
        learner.accept(first + number * 0.001, 1.0, is_pressed=True, is_busy=True)
    assert learner.time_windows(has_reset=has_reset) == pytest.approx(timed_from)


@pytest.mark.parametrize(
    ("earliest", "opened", "window"),
    [(0.95, 2.2, 1.0), (1.05, 2.2, 2.0), (0.7, 2.2, 2.0), (1.05, 1.5, None)],
    ids=["the shortest", "beyond one", "untried", "none between"],
)
def test_a_first_window_is_the_shortest_customary_one_between_a_try_and_the_opening(
    earliest: float, opened: float, window: float | None
) -> None:
    calls = Calls()
    calls.learner.round_trip = 0.01
    calls.let_in(600.0, 0.7)
    calls.learner.time_windows(has_reset=True)
    calls.meet(Contact(calls.now, calls.now + 0.01, earliest, opened, 600.0))
    assert calls.learner.window == window
    count = 420.0 - 1.0 if window else 420.0
    assert calls.learner.rate == pytest.approx(count / (window or math.sqrt(1.05 * 1.5)), rel=0.01)


@pytest.mark.parametrize("seconds", [0.005, 0.04])
def test_a_rate_given_up_for_refusals_in_a_row_is_a_lower_bound(seconds: float) -> None:
    """A sliding window lets in one call at a time, if so they came a window ago, or a few."""
    calls = known(200.0)
    for _ in range(5):
        calls.let_in(200.0, seconds)
        asked = calls.now, calls.now + 0.1, calls.now, calls.now + 0.22
        calls.meet(Contact(*asked, calls.learner.pace, is_hinted=True))
    low = calls.learner.rate
    assert low < 50.0
    calls.let_in(low, 1.2)
    assert calls.learner.pace > 3 * low


def test_calls_that_a_quota_saved_in_a_rest_are_no_reason_to_go_far_above_its_rate() -> None:
    calls = known(100.0)
    calls.learner.round_trip = 0.05
    calls.let_in(20.0, 5.0)
    calls.let_in(120.0, 4.0)
    assert 110.0 < calls.learner.pace < 131.0


def test_a_quota_that_grew_in_a_rest_is_found_once_what_it_had_saved_is_used() -> None:
    calls = known(100.0)
    calls.learner.round_trip = 0.05
    calls.let_in(20.0, 5.0)
    calls.let_in(130.0, 7.0)
    assert calls.learner.pace > 300.0


@pytest.mark.parametrize("pace", [24.0, 1.0])
def test_what_came_before_a_rest_says_nothing_of_an_unknown_quota(pace: float) -> None:
    learner = Learner(0.0)
    learner.start(0.0)
    learner.pace = pace
    learner.accept(0.9, 1.0, is_pressed=False, is_busy=False)
    assert learner.started == 0.0
    learner.accept(1.1, 1.0, is_pressed=False, is_busy=False)
    assert learner.started == 1.1


def test_a_window_that_grew_in_a_rest_is_known_by_what_it_held_when_it_closed_first() -> None:
    calls = windowed(2.0)
    calls.now += 20.0
    calls.learner.rest(calls.now)
    calls.let_in(400.0, 2.0)
    assert calls.meet(contact(calls.now, 0.5, 400.0, noticed=0.01)) == pytest.approx(
        400.0, rel=0.01
    )


def test_a_bucket_that_lets_in_what_it_saved_in_a_rest_keeps_its_rate() -> None:
    calls = known(100.0)
    calls.now += 20.0
    calls.learner.rest(calls.now)
    calls.let_in(120.0, 2.0)
    assert calls.meet(contact(calls.now, 0.05, 120.0, noticed=0.01)) == pytest.approx(100.0)


def test_a_quota_that_others_had_used_up_says_nothing_of_its_rate() -> None:
    calls = Calls()
    calls.let_in(1.0, 1.0)  # the probe that got through
    assert calls.meet(Contact(0.0, 0.1, 15.0, 20.0, pace=24.0)) == math.inf
    calls.let_in(50.0, 2.0)
    assert calls.learner.pace > 500.0


def test_a_few_calls_of_a_first_window_are_a_lower_bound() -> None:
    calls = Calls()
    calls.let_in(8.0, 1.0)
    first = calls.meet(Contact(1.0, 1.1, 5.0, 10.0, pace=20.0))
    assert first == pytest.approx(0.7)
    calls.let_in(2.0, 8.0)
    assert calls.learner.pace > 10 * first


def test_the_first_measure_of_a_quota_without_bursts_is_a_lower_bound() -> None:
    calls = Calls(is_even=True)
    calls.let_in(20.0, 1.0)
    first = calls.meet(contact(calls.now, 0.2, 24.0, between=2.0))
    calls.let_in(20.0, 2.0)
    assert calls.learner.pace > 10 * first


def test_a_window_is_kept_where_openings_lie_whole_ones_apart_however_coarsely_timed() -> None:
    """Openings 4 s apart to within 0.3 s may be four windows of 1 s, and also two of 2 s."""
    calls = Calls()
    calls.let_in(100.0, 0.4)
    calls.meet(Contact(calls.now, calls.now + 0.1, 0.95, 1.0, 100.0))
    assert calls.learner.window == 1.0
    calls.let_in(100.0, 3.7)
    calls.meet(Contact(4.7, 4.75, 4.75, 5.05, 103.0))
    assert calls.learner.window == 1.0


def grown(seconds: float) -> float:
    """Return the pace after calls on two clocks, the second of which shows so much more."""
    calls = known(100.0)
    calls.learner.round_trip = 0.05
    calls.let_in(100.0, 0.5)
    calls.learner.shift(seconds)
    calls.now += seconds
    calls.let_in(100.0, 4.0)
    return calls.learner.pace


@pytest.mark.parametrize("seconds", [1000.0, -1000.0])
def test_on_another_clock_a_pace_grows_as_on_its_own(seconds: float) -> None:
    assert grown(0.0) > 200.0
    assert grown(seconds) == pytest.approx(grown(0.0))


@pytest.mark.parametrize("seconds", [1000.0, -1000.0])
def test_on_another_clock_a_window_holds_the_same_calls(seconds: float) -> None:
    calls = windowed(2.0)
    calls.let_in(100.0, 1.0)
    calls.learner.shift(seconds)
    now = calls.now + seconds
    assert calls.learner.count is not None
    assert calls.learner.count.between(now - 2.0, now) == 100.0


@pytest.mark.parametrize("seconds", [1000.0, -1000.0])
def test_on_another_clock_a_rest_is_as_long(seconds: float) -> None:
    learner = Learner(0.0)
    learner.start(0.0)
    learner.accept(0.5, 1.0, is_pressed=True, is_busy=False)
    learner.shift(seconds)
    learner.accept(seconds + 1.4, 1.0, is_pressed=False, is_busy=False)
    assert learner.started == seconds
    learner.accept(seconds + 1.6, 1.0, is_pressed=False, is_busy=False)
    assert learner.started == seconds + 1.6
