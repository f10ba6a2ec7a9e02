"""Telling a limit of calls in flight from one of calls a second."""

from __future__ import annotations

import math

import pytest

from humeai_async.limiter.concurrency import Concurrency


def after(*levels: int) -> Concurrency:
    """Return what is known after contacts at so many calls in flight, a second apart."""
    concurrency = Concurrency()
    for at, level in enumerate(levels):
        concurrency.contact(float(at), level, at_once=True)
    return concurrency


@pytest.mark.parametrize(
    ("levels", "limit"),
    [
        ([10, 10], math.inf),
        ([10, 10, 10], 10),
        ([10, 12, 10], 10),
        ([10, 13, 10], math.inf),
        ([10, 8, 10], math.inf),
        ([3, 4, 3], 3),
        ([30, 36, 30], 30),
        ([30, 37, 30], math.inf),
        ([20, 5, 20, 5, 20, 5], math.inf),
        ([25, 10, 10], math.inf),
        ([25, 10, 10, 10], 10),
        ([2, 2, 2], 2),
        ([1, 1, 1, 1, 1], math.inf),
        ([0, 0, 0, 0], math.inf),
    ],
)
def test_three_contacts_in_a_row_at_about_the_same_level_show_a_limit(
    levels: list[int], limit: float
) -> None:
    assert limit == after(*levels).limit


def test_only_the_contact_that_shows_the_limit_speaks_of_it() -> None:
    concurrency = Concurrency()
    told = [concurrency.contact(float(at), 10, at_once=True) for at in range(3)]
    assert told == [False, False, True]


def test_a_quota_that_stays_closed_for_a_while_is_none_of_calls_in_flight() -> None:
    concurrency = Concurrency()
    for at, at_once in enumerate([True, True, False, True, True]):
        assert not concurrency.contact(float(at), 10, at_once=at_once)
    assert concurrency.contact(5.0, 10, at_once=True)


@pytest.mark.parametrize(("level", "limit"), [(12, 10), (10, 10), (9, 9), (8, 8)])
def test_a_contact_at_a_known_limit_confirms_or_lowers_it(level: int, limit: int) -> None:
    concurrency = after(10, 10, 10)
    assert concurrency.contact(9.0, level, at_once=True)
    assert concurrency.limit == limit


@pytest.mark.parametrize(("level", "at_once"), [(7, True), (10, False)])
def test_a_contact_elsewhere_or_a_long_closing_ends_the_suspicion(
    level: int, *, at_once: bool
) -> None:
    concurrency = after(10, 10, 10)
    assert not concurrency.contact(9.0, level, at_once=at_once)
    assert concurrency.limit == math.inf


def wrong_at(concurrency: Concurrency, now: float) -> None:
    """Let the suspicion turn out to be wrong."""
    assert concurrency.limit != math.inf
    concurrency.contact(now, 1, at_once=False)


def suspects(concurrency: Concurrency, now: float) -> bool:
    """Offer a pattern, and say whether it is taken for a limit."""
    return [concurrency.contact(now, 10, at_once=True) for _ in range(4)][-1]


def test_after_a_false_suspicion_there_is_none_for_thirty_seconds_then_for_sixty() -> None:
    concurrency = after(10, 10, 10)
    wrong_at(concurrency, 100.0)
    assert not suspects(concurrency, 129.9)
    assert suspects(concurrency, 130.0)
    wrong_at(concurrency, 200.0)
    assert not suspects(concurrency, 259.9)
    assert suspects(concurrency, 260.0)
    wrong_at(concurrency, 300.0)
    assert not suspects(concurrency, 419.9)
    assert suspects(concurrency, 420.0)


def test_after_a_false_suspicion_a_pattern_is_counted_anew() -> None:
    concurrency = after(10, 10, 10)
    wrong_at(concurrency, 100.0)
    assert [concurrency.contact(200.0, 10, at_once=True) for _ in range(3)] == [False, False, True]


def test_many_false_suspicions_do_not_end_all_suspicion() -> None:
    concurrency, now = after(10, 10, 10), 0.0
    for _ in range(20):
        wrong_at(concurrency, now)
        now += 30.0 * 2**10
        assert suspects(concurrency, now)


@pytest.mark.parametrize(("limit", "raised"), [(10, 11), (40, 42), (50, 52), (100, 105)])
def test_after_five_seconds_at_the_limit_a_few_more_are_tried(limit: int, raised: int) -> None:
    concurrency = after(limit, limit, limit)
    concurrency.used(7.0, limit - 1)
    assert concurrency.limit == limit
    concurrency.used(7.1, limit - 1)
    assert concurrency.limit == raised


def test_the_next_raise_is_five_seconds_after_the_last_one() -> None:
    concurrency = after(10, 10, 10)
    for now in (7.1, 12.0, 12.2):
        concurrency.used(now, 20)
    assert concurrency.limit == 12


def test_a_refusal_at_the_limit_puts_the_next_raise_off() -> None:
    concurrency = after(10, 10, 10)
    concurrency.contact(6.0, 10, at_once=True)
    concurrency.used(10.9, 9)
    assert concurrency.limit == 10


def test_a_limit_that_is_not_reached_is_not_raised() -> None:
    concurrency = after(10, 10, 10)
    concurrency.used(60.0, 8)
    assert concurrency.limit == 10


def test_a_clock_that_jumps_moves_its_pauses_along() -> None:
    concurrency = after(10, 10, 10)
    concurrency.shift(1000.0)
    concurrency.used(1006.9, 9)
    assert concurrency.limit == 10
    wrong_at(concurrency, 1010.0)
    concurrency.shift(-1000.0)
    assert not suspects(concurrency, 39.9)
    assert suspects(concurrency, 40.0)
