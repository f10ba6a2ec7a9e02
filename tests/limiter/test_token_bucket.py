"""Token buckets and counts over a window, in virtual time."""

from __future__ import annotations

import pytest

from humeai_async.limiter.token_bucket import TokenBucket, WindowCount


def bucket(rate: float = 10.0, size: float = 5.0, tokens: float = 1.0) -> TokenBucket:
    """Return a bucket at second 100."""
    return TokenBucket(rate, size, 100.0, tokens)


# --- token buckets


@pytest.mark.parametrize(
    ("at", "expected"), [(100.0, 1.0), (100.2, 3.0), (100.4, 5.0), (107.0, 5.0)]
)
def test_tokens_arrive_at_the_rate_until_the_bucket_is_full(at: float, expected: float) -> None:
    assert expected == pytest.approx(bucket().tokens(at))


def test_time_that_runs_backwards_adds_no_token_and_none_twice() -> None:
    tested = bucket()
    assert [tested.tokens(at) for at in (100.2, 90.0, 100.2)] == pytest.approx([3.0, 3.0, 3.0])


@pytest.mark.parametrize(
    ("cost", "expected"),
    [(1.0, 0.0), (3.0, 0.2), (5.0, 0.4), (20.0, 0.4)],
    ids=["there", "to come", "a full bucket", "more than a bucket holds"],
)
def test_a_call_waits_for_its_cost_or_for_a_full_bucket(cost: float, expected: float) -> None:
    assert expected == pytest.approx(bucket().wait(100.0, cost))


def test_a_call_that_cost_more_than_there_was_leaves_a_debt_to_wait_for() -> None:
    tested = bucket()
    tested.take(100.4, 20.0)
    assert tested.tokens(100.4) == pytest.approx(-15.0)
    assert tested.wait(100.4, 1.0) == pytest.approx(1.6)


def test_what_a_call_takes_comes_off_what_has_arrived_by_then() -> None:
    tested = bucket()
    tested.take(100.2, 1.0)
    assert tested.tokens(100.2) == pytest.approx(2.0)


def test_errors_of_float_sums_are_no_wait() -> None:
    assert bucket(tokens=1.0 - 1e-10).wait(100.0, 1.0) == 0.0
    assert bucket(tokens=1.0 - 1e-8).wait(100.0, 1.0) > 0.0


def test_tokens_given_back_can_be_used_again_but_do_not_overfill() -> None:
    tested = bucket()
    tested.give(2.0)
    assert tested.tokens(100.0) == 3.0
    tested.give(9.0)
    assert tested.tokens(100.0) == 5.0


def test_a_new_rate_holds_from_now_on() -> None:
    tested = bucket()
    tested.set_rate(100.1, 100.0, 10.0)
    assert tested.tokens(100.1) == pytest.approx(2.0)
    assert tested.tokens(100.15) == pytest.approx(7.0)
    assert tested.tokens(101.0) == 10.0


def test_a_bucket_that_shrinks_spills_what_it_cannot_hold() -> None:
    tested = bucket(tokens=4.0)
    tested.set_rate(100.0, 10.0, 2.0)
    assert tested.tokens(100.0) == 2.0


def test_a_reset_bucket_has_the_new_numbers_and_counts_from_then() -> None:
    tested = bucket()
    tested.reset(200.0, 2.0, 3.0, 0.5)
    assert (tested.rate, tested.size) == (2.0, 3.0)
    assert tested.tokens(200.0) == 0.5
    assert tested.tokens(200.5) == pytest.approx(1.5)
    assert tested.tokens(300.0) == 3.0


def test_a_bucket_moved_to_another_clock_has_the_same_tokens_there() -> None:
    tested = bucket()
    tested.shift(-50.0)
    assert tested.tokens(50.0) == 1.0
    assert tested.tokens(50.2) == pytest.approx(3.0)


def test_no_wait_is_too_short_for_the_clock_to_move() -> None:
    now = 1e9
    tested = TokenBucket(1e6, 5.0, now, 1.0 - 1e-8)
    assert now + tested.wait(now, 1.0) > now


# --- counts over a window

SLOT = 0.5


def count(*times: float) -> WindowCount:
    """Return a count over two seconds, in slots of half a second."""
    counted = WindowCount(2.0, 4)
    for at in times:
        counted.add(at, 1.0)
    return counted


def test_an_empty_window_has_room_for_everybody() -> None:
    assert count().wait(100.0, 0.0) == 0.0


@pytest.mark.parametrize(("room", "expected"), [(3.0, 0.0), (2.0, 1.25), (0.0, 1.25)])
def test_a_window_without_room_opens_when_the_middle_of_its_oldest_slot_leaves_it(
    room: float, expected: float
) -> None:
    assert expected == pytest.approx(count(100.0, 100.1, 100.9).wait(101.0, room))


def test_calls_leave_the_window_slot_by_slot() -> None:
    counted = count(100.0, 100.1, 100.9)
    assert counted.wait(102.3, 1.0) == 0.0
    assert counted.wait(102.3, 0.0) == pytest.approx(0.85)
    assert counted.wait(103.2, 0.0) == 0.0


def test_the_wait_for_a_window_is_never_too_short_for_a_timer() -> None:
    assert count(100.0).wait(102.25 - 1e-9, 0.0) == 1e-6


def test_costs_are_counted_and_not_calls() -> None:
    counted = WindowCount(2.0, 4)
    counted.add(100.0, 2.5)
    counted.add(100.2, 3.0)
    counted.add(101.0, 1.0)
    assert counted.wait(101.0, 6.5) == 0.0
    assert counted.wait(101.0, 6.4) > 0.0
    assert counted.wait(102.3, 1.0) == 0.0
    assert counted.wait(102.3, 0.9) > 0.0


def test_old_calls_are_forgotten_as_new_ones_come() -> None:
    counted = count(*range(100, 1000))
    assert counted.between(0.0, 2000.0) <= 3


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(99.0, 102.0, 3), (100.0, 102.0, 2), (99.0, 101.5, 2), (100.0, 100.5, 0), (100.5, 101.5, 1)],
)
def test_calls_are_counted_after_a_start_and_up_to_an_end(
    start: float, end: float, expected: int
) -> None:
    counted = WindowCount(4.0, 8)
    for at in (100.0, 101.0, 102.0):
        counted.add(at, 1.0)
    assert expected == counted.between(start, end)


def test_calls_within_a_slot_count_at_its_beginning() -> None:
    assert count(100.0, 100.4).between(99.0, 100.0) == 2
    assert count(100.0, 100.5).between(99.0, 100.0) == 1


def test_a_count_over_another_window_holds_the_calls_of_that_window() -> None:
    counted = WindowCount(4.0, 8)
    for at in (100.0, 101.0, 102.0, 103.0):
        counted.add(at, 1.0)
    shorter = counted.over(2.0, 103.0)
    assert shorter.window == 2.0
    assert shorter.between(0.0, 200.0) == 2
    assert shorter.wait(103.0, 1.0) == pytest.approx(1.0, abs=0.01)
    assert shorter.wait(103.0, 2.0) == 0.0


def test_a_count_moved_to_another_clock_holds_the_same_calls_there() -> None:
    counted = count(100.0, 101.0)
    counted.shift(1000.0)
    assert counted.between(1099.0, 1102.0) == 2
    assert counted.wait(1101.0, 1.0) == pytest.approx(1.25)
