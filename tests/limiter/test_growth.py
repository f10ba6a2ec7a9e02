"""How fast a rate rises while nothing speaks against it."""

from __future__ import annotations

import pytest

from humeai_async.limiter.estimator import Evidence
from humeai_async.limiter.growth import FASTEST, Growth, margin
from humeai_async.limiter.headers import Quota
from humeai_async.limiter.remaining import Credit

RATE = 100.0


def pressed(now: float = 0.0) -> Growth:
    growth = Growth(now)
    growth.pressed = True
    return growth


# --- doubling


def test_a_rate_that_is_used_to_the_full_doubles_in_a_quarter_of_a_second() -> None:
    growth, rate = Growth(0.0), 24.0
    for step in range(1, 26):
        growth.pressed = True
        rate = growth.doubled(0.01 * step, rate) or 0.0
    assert rate == pytest.approx(48.0)


def test_a_rate_that_nobody_waits_for_does_not_double() -> None:
    assert Growth(0.0).doubled(0.05, RATE) is None


def test_each_step_needs_a_call_that_waited_since_the_last() -> None:
    growth = pressed()
    assert growth.doubled(0.05, RATE) is not None
    assert growth.doubled(0.10, RATE) is None


def test_one_answer_brings_a_tenth_of_a_second_of_growth_at_most() -> None:
    assert pressed().doubled(5.0, RATE) == pytest.approx(RATE * 2 ** (0.1 / 0.25))


def test_time_in_which_nobody_waited_does_not_count_later() -> None:
    growth = Growth(0.0)
    growth.doubled(5.0, RATE)
    growth.pressed = True
    assert growth.doubled(5.05, RATE) == pytest.approx(RATE * 2 ** (0.05 / 0.25))


def test_a_moment_without_pressure_is_no_loss() -> None:
    growth = Growth(0.0)
    growth.doubled(0.05, RATE)
    growth.pressed = True
    assert growth.doubled(0.08, RATE) == pytest.approx(RATE * 2 ** (0.08 / 0.25))


def test_no_rate_rises_beyond_the_fastest() -> None:
    assert pressed().doubled(1.0, 0.99 * FASTEST) == FASTEST
    evidence = Evidence(0.0, 2 * FASTEST)
    assert pressed().crept(1.0, RATE, evidence, Credit()) == FASTEST


# --- creeping


def crept(
    seconds: float,
    *,
    evidence: Evidence | None = None,
    credit: Credit | None = None,
    step: float = 0.05,
) -> float:
    """Return the share of a measured rate that is used after seconds of pressure."""
    evidence = evidence or Evidence(0.0, RATE)
    growth, rate = Growth(0.0), RATE
    for number in range(1, round(seconds / step) + 1):
        growth.pressed = True
        rate = growth.crept(number * step, RATE, evidence, credit or Credit()) or rate
    return rate / RATE


def rated(remaining: float) -> Credit:
    credit = Credit()
    credit.read([Quota(limit=100.0, remaining=remaining)], 0, 0.0)
    return credit


def test_a_measured_rate_is_used_to_a_little_less_for_a_second_and_a_half() -> None:
    assert crept(0.5) == pytest.approx(0.985)
    assert crept(1.5) == pytest.approx(0.985, abs=1e-4)
    assert crept(1.7) > 0.985


def test_then_it_creeps_up_faster_and_faster() -> None:
    gains = [crept(seconds + 0.5) - crept(seconds) for seconds in (1.5, 2.0, 2.5, 3.0)]
    assert gains == sorted(gains)
    assert crept(2.0) == pytest.approx(1.002, abs=0.002)
    assert crept(4.0) == pytest.approx(2.46, abs=0.02)


def test_growth_has_an_end_however_long_it_goes_on() -> None:
    assert crept(300.0) == crept(500.0)


def test_a_rate_that_was_not_measured_well_is_left_after_a_fifth_of_a_second() -> None:
    evidence = Evidence(0.0, RATE)
    evidence.sure = False
    assert crept(0.2, evidence=evidence) == pytest.approx(0.985, abs=1e-4)
    assert crept(0.4, evidence=evidence) > 0.985


def test_a_lower_bound_doubles_every_half_second_from_the_bound_itself() -> None:
    evidence = Evidence(0.0, RATE)
    evidence.rough = True
    assert crept(0.5, evidence=evidence) == pytest.approx(2.0)
    assert crept(1.0, evidence=evidence) == pytest.approx(4.0)
    assert crept(20.0, evidence=evidence) == crept(30.0, evidence=evidence)


def test_ample_credit_makes_time_pass_twice_as_fast() -> None:
    assert crept(2.0, credit=rated(90.0)) == pytest.approx(crept(4.0))
    assert crept(2.0, credit=rated(20.0)) == crept(2.0)


def test_growth_needs_pressure_and_a_hundredth_of_a_second() -> None:
    evidence, credit = Evidence(0.0, RATE), Credit()
    assert Growth(0.0).crept(1.0, RATE, evidence, credit) is None
    growth = pressed()
    assert growth.crept(0.009, RATE, evidence, credit) is None
    assert growth.crept(0.01, RATE, evidence, credit) is not None
    assert growth.crept(0.03, RATE, evidence, credit) is None


def test_a_long_pause_counts_as_a_tenth_of_a_second_or_the_time_of_two_calls() -> None:
    evidence, credit = Evidence(0.0, RATE), Credit()
    evidence.rough = True
    assert pressed().crept(9.0, RATE, evidence, credit) == pytest.approx(RATE * 2**0.2)
    assert pressed().crept(9.0, 4.0, evidence, credit) == pytest.approx(RATE * 2)


def test_time_without_pressure_does_not_count() -> None:
    evidence, credit = Evidence(0.0, RATE), Credit()
    evidence.rough = True
    growth = Growth(0.0)
    growth.crept(1.0, RATE, evidence, credit)
    growth.pressed = True
    assert growth.crept(1.05, RATE, evidence, credit) == pytest.approx(RATE * 2**0.1)


def test_after_an_opening_growth_begins_anew() -> None:
    evidence, credit = Evidence(0.0, RATE), Credit()
    evidence.rough = True
    growth = pressed()
    growth.crept(0.1, RATE, evidence, credit)
    growth.pressed = True
    growth.restart(5.0)
    assert not growth.pressed
    growth.pressed = True
    assert growth.crept(5.05, RATE, evidence, credit) == pytest.approx(RATE * 2**0.1)


def test_a_clock_that_jumps_adds_no_growth() -> None:
    growth = pressed(5.0)
    growth.shift(1000.0)
    assert growth.doubled(1005.05, RATE) == pytest.approx(RATE * 2 ** (0.05 / 0.25))


def test_a_rate_that_the_service_names_is_used_almost_to_the_full() -> None:
    evidence = Evidence(0.0, RATE)
    assert margin(evidence) < 0.99
    evidence.exact = True
    assert 0.99 < margin(evidence) < 1.0
