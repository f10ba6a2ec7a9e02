"""The rules of a pause one by one, without a gate."""

from __future__ import annotations

import pytest

from humeai_async.limiter.learner import Learner
from humeai_async.limiter.pause import LONGEST_PAUSE, CatchUp, LoneRefusals, Pause, RetryAfter

RATE = 100.0


def obeyed_twice(seconds: float) -> RetryAfter:
    """Return what is believed after two pauses that were waited for."""
    retry_after = RetryAfter()
    for _ in range(2):
        retry_after.close()
        retry_after.wait(seconds, RATE, is_first=True)
        retry_after.open()
    retry_after.close()
    return retry_after


def paused(now: float) -> Pause:
    return Pause(now, now, RATE, refused=1, until=now, earliest=now)


def test_a_pause_lasts_ten_minutes_at_most_and_is_never_cut_short_by_a_shorter_one() -> None:
    pause = paused(0.0)
    pause.hold(0.0, 3600.0)
    pause.hold(1.0, 2.0)
    assert pause.until == LONGEST_PAUSE


def test_a_long_time_that_counts_down_is_waited_for_after_one_try() -> None:
    retry_after = obeyed_twice(1000.0)
    assert retry_after.wait(1000.0, RATE, is_first=True) == 250.0
    retry_after.record_try(250.0, 750.0)
    assert retry_after.wait(750.0, RATE, is_first=False) == 750.0
    assert retry_after.was_waited_for


def test_a_try_that_gets_through_is_made_sooner_the_next_time() -> None:
    retry_after = obeyed_twice(8.0)
    waits: list[float] = []
    for _ in range(3):
        waits.append(retry_after.wait(8.0, RATE, is_first=True))
        retry_after.open()
        retry_after.close()
    assert waits == [2.0, 0.5, 0.125]


def test_a_time_that_two_tries_found_true_is_obeyed_twice_at_least_before_the_next() -> None:
    retry_after = obeyed_twice(8.0)
    retry_after.wait(8.0, RATE, is_first=True)
    retry_after.record_try(2.0, 8.0)
    assert retry_after.wait(8.0, RATE, is_first=False) == 4.0
    retry_after.record_try(6.0, 8.0)
    waits: list[float] = []
    for _ in range(5):
        waits.append(retry_after.wait(8.0, RATE, is_first=True))
        retry_after.open()
        retry_after.close()
    assert waits[:2] == [8.0, 8.0]
    assert 2.0 in waits


@pytest.mark.parametrize(("window", "is_tried"), [(5.0, True), (8.0, False)])
def test_calls_let_in_meanwhile_end_no_pause_that_a_sliding_window_explains(
    window: float, is_tried: bool
) -> None:
    retry_after = RetryAfter()
    retry_after.wait(8.0, RATE, is_first=True)
    assert not retry_after.doubt(window)
    assert retry_after.doubt(window) is is_tried
    assert retry_after.is_obeyed is not is_tried


def test_two_lone_refusals_are_borne_and_one_more_for_each_fifty_calls() -> None:
    lone = LoneRefusals()
    borne = [lone.bear(0, is_lone=True, is_looking=False) for _ in range(3)]
    borne += [lone.bear(accepted, is_lone=True, is_looking=False) for accepted in (99, 151)]
    assert borne == [True, True, False, False, True]


def test_a_refusal_while_the_pace_is_tried_is_borne_only_after_one_that_came_before() -> None:
    lone = LoneRefusals()
    assert not lone.bear(0, is_lone=True, is_looking=True)
    assert lone.bear(1000, is_lone=True, is_looking=False)
    assert lone.bear(2000, is_lone=True, is_looking=True)
    assert not lone.bear(3000, is_lone=False, is_looking=False)
    assert not lone.bear(4000, is_lone=True, is_looking=True)


def test_a_pause_is_made_up_for_until_it_was_in_vain_twice() -> None:
    learner, catch_up = Learner(0.0), CatchUp()
    learner.rate = learner.pace = RATE
    learner.window = 2.0
    owed: list[float] = []
    for _ in range(3):
        catch_up.open(learner, 5.0)
        owed.append(catch_up.owed)
        catch_up.close()
    assert owed == [200.0, 200.0, 0.0]
