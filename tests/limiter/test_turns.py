"""The part that one process has in a shared rate, in virtual time."""

from __future__ import annotations

import math

import pytest

from humeai_async.limiter.gate import SLACK
from humeai_async.limiter.turns import MOST, Turn, Turns


def turn(calls: int, *, first: float = 0.0, gap: float = 0.01, members: int = 1) -> Turn:
    return Turn(calls=calls, first=first, gap=gap, members=members)


def use(turns: Turns, now: float, calls: int) -> None:
    for _ in range(calls):
        assert turns.ready_in(now) == 0.0
        turns.take(now, 1.0)


def test_without_a_turn_nothing_goes_and_one_is_wanted() -> None:
    turns = Turns(100.0, 0.0)
    assert turns.ready_in(0.0) == math.inf
    assert turns.wants(0.0) == 1


def test_a_turn_that_has_to_be_waited_for_leaves_the_calls_in_hand() -> None:
    turns = Turns(100.0, 0.0)
    turns.receive(5.0, turn(1))
    turns.receive(5.0, turn(0, first=0.5))
    use(turns, 5.0, 1)
    assert turns.ready_in(5.0) == 0.5
    assert turns.wants(5.0) == 0
    assert turns.held_for(5.0) == 0.0
    assert turns.wants(5.5) == 1


def test_calls_go_at_the_times_of_the_turn() -> None:
    turns = Turns(100.0, 0.0)
    turns.receive(5.0, turn(2, first=0.02, gap=0.01))
    assert turns.ready_in(5.0) == pytest.approx(0.02)
    use(turns, 5.02, 1)
    assert turns.ready_in(5.02) == pytest.approx(0.01)


def test_a_rest_is_no_credit_beyond_what_the_server_grants() -> None:
    turns = Turns(100.0, 0.0)
    turns.receive(5.0, turn(3, first=-1.0, gap=0.01))
    use(turns, 5.0, 3)
    assert turns.ready_in(5.0) == math.inf


def test_calls_that_nobody_took_in_their_time_are_gone() -> None:
    turns = Turns(100.0, 0.0)
    turns.receive(0.0, turn(3, gap=0.01))
    assert turns.ready_in(SLACK + 0.015) == 0.0
    assert turns.in_hand == 1
    assert turns.ready_in(9.0) == math.inf


def test_a_turn_that_is_used_up_while_callers_wait_doubles_the_next() -> None:
    turns, now = Turns(1e6, 0.0), 0.0
    sizes: list[int] = []
    for _ in range(18):
        turns.ready_in(now)
        sizes.append(turns.wants(now))
        turns.receive(now, turn(sizes[-1], gap=0.0))
        use(turns, now, sizes[-1])
    assert sizes[:5] == [1, 2, 4, 8, 16]
    assert sizes[-1] == MOST


def test_after_a_turn_that_is_hardly_used_the_next_is_as_large_as_that_use() -> None:
    turns = Turns(1e6, 0.0)
    turns.ready_in(0.0)
    turns.receive(0.0, turn(16, gap=0.0))
    use(turns, 0.0, 4)
    turns.ready_in(9.0)
    turns.receive(9.0, turn(turns.wants(9.0)))
    turns.ready_in(18.0)
    assert turns.wants(18.0) == 4


def test_a_turn_that_comes_in_time_and_is_used_up_grows_slowly() -> None:
    turns = Turns(1e6, 0.0)
    for now in (0.0, 0.02):
        turns.receive(now, turn(40, gap=0.0))
        use(turns, now + 0.01, 40)
    turns.receive(0.04, turn(40, gap=0.0))
    use(turns, 0.05, 40)
    assert 40 < turns.wants(0.05) < 50


@pytest.mark.parametrize("now", [0.0, 1000.0])
def test_who_waits_for_each_call_of_a_turn_is_given_twice_as_many(now: float) -> None:
    turns = Turns(1e6, now)
    turns.receive(now, turn(40, gap=0.0))
    use(turns, now, 20)
    turns.receive(now, turn(40, gap=0.0))
    use(turns, now, 40)
    assert turns.wants(now) == 80
    turns.receive(now, turn(80, gap=0.0))
    use(turns, now, 80)
    turns.receive(now, turn(160, gap=0.0))
    use(turns, now, 160)
    assert turns.wants(now) == 320


def test_who_waited_for_a_call_of_a_turn_is_given_more_even_if_the_last_went_late() -> None:
    turns = Turns(1e6, 0.0)
    turns.receive(0.0, turn(40, gap=0.0))
    use(turns, 0.0, 39)
    use(turns, 0.02, 1)
    turns.receive(0.02, turn(40, gap=0.0))
    use(turns, 0.02, 20)
    assert turns.wants(0.02) == 80


def test_a_call_of_an_earlier_turn_that_is_given_back_and_expires_counts_as_not_used() -> None:
    turns = Turns(100.0, 0.0)
    turns.receive(0.0, turn(1))
    use(turns, 0.0, 1)
    turns.receive(0.01, turn(2, first=0.05))
    turns.give_back()
    turns.ready_in(2 * SLACK)
    turns.receive(2 * SLACK, turn(1))
    turns.ready_in(9.0)
    assert turns.wants(9.0) == 1


def test_who_takes_a_call_now_and_then_is_granted_no_more_than_that() -> None:
    """A process with a call every 30 ms, whose turns come 25 ms after they were asked for."""
    turns, granted, went, now = Turns(2000.0, 0.0), 0, 0, 0.0
    while now < 60.0:
        if turns.ready_in(now) > 0.0 and (calls := turns.wants(now)):
            granted += calls
            turns.receive(now, turn(calls, first=0.025, gap=0.0005))
        now += max(turns.ready_in(now), 0.0)
        turns.take(now, 1.0)
        went += 1
        now += 0.03
    assert granted <= 1.15 * went


def test_the_next_turn_is_wanted_when_half_of_this_one_is_used() -> None:
    turns = Turns(1e6, 0.0)
    turns.receive(0.0, turn(4, gap=0.0))
    use(turns, 0.0, 1)
    assert turns.wants(0.0) == 0
    use(turns, 0.0, 1)
    assert turns.wants(0.0) > 0


def test_a_call_that_did_not_go_is_in_hand_again() -> None:
    turns = Turns(100.0, 0.0)
    turns.receive(0.0, turn(1))
    use(turns, 0.0, 1)
    turns.give_back()
    use(turns, 0.0, 1)


def test_a_call_that_did_not_go_and_expires_was_not_used() -> None:
    turns = Turns(1e6, 0.0)
    turns.receive(0.0, turn(4, gap=0.0))
    use(turns, 0.0, 2)
    turns.give_back()
    turns.ready_in(9.0)
    turns.receive(9.0, turn(1))
    turns.ready_in(18.0)
    assert turns.wants(18.0) == 1


def test_a_call_that_costs_more_takes_from_the_next() -> None:
    turns = Turns(100.0, 0.0)
    turns.receive(0.0, turn(5, gap=0.0))
    turns.take(0.0, 3.0)
    assert turns.in_hand == 2


def went_while_alone(turns: Turns, start: float, seconds: float) -> int:
    now, calls = start, 0
    while now < start + seconds:
        if turns.ready_in(now) == 0.0:
            turns.take(now, 1.0)
            calls += 1
        else:
            now += 0.001
    return calls


def test_while_the_server_is_away_the_share_goes_on() -> None:
    turns = Turns(200.0, 0.0)
    for n in range(200):  # 50 a second for four seconds
        turns.receive(n * 0.02, turn(1, members=4))
        use(turns, n * 0.02, 1)
    turns.lose(4.0)
    assert turns.is_alone
    assert went_while_alone(turns, 4.0, 10.0) == pytest.approx(500, rel=0.02)


@pytest.mark.parametrize(("now", "waited"), [(4.25, 0.27), (4.1, 1.0)])
def test_the_wait_for_a_hung_server_does_not_make_the_share_smaller(
    now: float, waited: float
) -> None:
    turns = Turns(200.0, 0.0)
    for n in range(200):  # 50 a second for four seconds
        turns.receive(n * 0.02, turn(1, members=4))
        use(turns, n * 0.02, 1)
    turns.lose(now, waited=waited)  # of it the time since the last call says nothing
    assert turns.share(now) == pytest.approx(50, rel=0.03)


@pytest.mark.parametrize(("waited", "left"), [(0.0, 1.0), (0.4, 0.6), (3.0, 0.0)])
def test_a_process_without_a_share_waits_so_much_less_as_it_has_waited(
    waited: float, left: float
) -> None:
    turns = Turns(160.0, 0.0)
    turns.lose(5.0, waited=waited)
    assert turns.ready_in(5.0) == pytest.approx(left)


def test_calls_before_the_first_turn_are_part_of_the_share() -> None:
    turns = Turns(160.0, 0.0)
    turns.lose(0.0, waited=1.0)
    calls = went_while_alone(turns, 0.0, 4.0)
    assert turns.known_share(4.0) == pytest.approx(calls / 4.0, rel=0.06)


def test_a_pause_of_all_does_not_make_the_share_smaller() -> None:
    turns = Turns(200.0, 0.0)
    for n in range(100):  # 50 a second for two seconds
        turns.receive(n * 0.02, turn(1, members=4))
        use(turns, n * 0.02, 1)
    turns.hold(2.0, 0.5)
    turns.hold(2.5, 0.9)
    turns.lose(3.4)
    assert turns.share(3.4) == pytest.approx(50, rel=0.03)


@pytest.mark.parametrize("ends_with", ["an opening", "a turn"])
def test_a_pause_that_is_over_does_not_make_the_share_smaller(ends_with: str) -> None:
    turns = Turns(200.0, 0.0)
    for n in range(100):  # 50 a second for two seconds
        turns.receive(n * 0.02, turn(1, members=4))
        use(turns, n * 0.02, 1)
    turns.hold(2.0, 1.0)
    if ends_with == "an opening":
        turns.hold(3.0, 0.0)
    else:
        turns.receive(3.0, turn(1, gap=0.5))
    turns.lose(3.4)
    assert turns.share(3.4) == pytest.approx(40, rel=0.03)  # none went in the last 0.4 s


def test_a_share_that_is_younger_than_two_seconds_leaves_a_pause_out() -> None:
    turns = Turns(100.0, 10.0)
    turns.receive(10.0, turn(5, gap=0.1))
    for number in range(5):
        use(turns, 10.0 + number * 0.1, 1)
    turns.hold(10.5, 0.4)
    turns.hold(10.9, 0.0)
    assert turns.known_share(10.9) == pytest.approx(5 / 0.5)


def test_who_is_alone_after_a_call_waits_for_the_next_as_its_share_has_it() -> None:
    turns = Turns(100.0, 0.0)
    turns.receive(10.0, turn(8, gap=0.0))
    use(turns, 10.0, 8)
    turns.lose(10.0)
    assert turns.ready_in(10.0) == pytest.approx(2.0 / 8)


def test_who_is_alone_asks_for_turns_with_calls_in_hand() -> None:
    turns = Turns(100.0, 0.0)
    turns.receive(0.0, turn(4))
    assert turns.wants(0.0) == 0
    turns.lose(0.0)
    assert turns.wants(0.0) > 0


def test_calls_that_make_up_for_a_pause_do_not_make_the_share_greater() -> None:
    turns = Turns(200.0, 0.0)
    for n in range(200):  # 100 a second for two seconds, twice as many as it would be otherwise
        turns.receive(n * 0.01, Turn(calls=1, first=0.0, gap=0.0, members=4, haste=2.0))
        use(turns, n * 0.01, 1)
    turns.lose(2.0)
    assert turns.share(2.0) == pytest.approx(50, rel=0.03)


def test_a_process_without_a_share_waits_and_then_takes_a_sixteenth() -> None:
    turns = Turns(160.0, 0.0)
    turns.lose(0.0)
    assert went_while_alone(turns, 0.0, 0.99) == 0
    assert went_while_alone(turns, 1.0, 4.0) == pytest.approx(40, abs=2)


def test_an_idle_process_brings_no_burst_out_of_an_outage() -> None:
    turns = Turns(100.0, 0.0)
    turns.receive(0.0, turn(100, gap=0.01))
    went_while_alone(turns, 0.0, 1.0)
    turns.lose(1.0)
    assert went_while_alone(turns, 60.0, 0.001) <= 6


def test_the_share_is_kept_until_all_change_over() -> None:
    turns = Turns(100.0, 0.0)
    turns.lose(0.0)
    turns.receive(0.5, turn(0, first=1.0))
    assert turns.is_alone
    turns.receive(1.5, turn(1))
    assert not turns.is_alone


def test_calls_in_hand_stay_with_the_parent_of_a_fork() -> None:
    turns = Turns(100.0, 0.0)
    turns.receive(0.0, turn(5, gap=0.0))
    turns.shift(7.0)
    assert turns.ready_in(7.0) == math.inf
    assert turns.wants(7.0) > 0


def test_a_stop_drops_the_calls_in_hand_and_asks_for_none_until_it_ends() -> None:
    turns = Turns(100.0, 0.0)
    turns.receive(0.0, turn(5, gap=0.0))
    turns.hold(0.0, 2.0)
    assert turns.ready_in(0.5) == pytest.approx(1.5)
    assert turns.wants(0.5) == 0
    assert turns.ready_in(2.0) == math.inf
    assert turns.wants(2.0) > 0


def test_a_stop_ends_when_it_is_told_so_and_costs_no_call_in_hand() -> None:
    turns = Turns(100.0, 0.0)
    turns.hold(0.0, 9.0)
    turns.hold(1.0, 0.0)
    assert turns.wants(1.0) > 0
    turns.receive(1.0, turn(2, gap=0.0))
    turns.hold(1.0, 0.0)
    assert turns.in_hand == 2
    assert turns.wants(1.0) == 0


def test_who_is_alone_is_held_by_nobody() -> None:
    turns = Turns(100.0, 0.0)
    turns.receive(0.0, turn(1))
    use(turns, 0.0, 1)
    turns.hold(0.0, 60.0)
    turns.lose(0.0)
    assert turns.ready_in(10.0) == 0.0
    assert turns.wants(10.0) > 0


def test_the_calls_of_a_share_are_those_of_the_last_two_seconds() -> None:
    turns = Turns(100.0, 0.0)
    turns.receive(0.0, turn(9, gap=0.5))
    for number in range(9):
        use(turns, number * 0.5, 1)
    assert turns.known_share(4.0) == 4 / 2.0
    assert turns.known_share(5.9) == 1 / 2.0
    assert turns.known_share(6.0) is None


def test_a_share_that_is_younger_than_two_seconds_is_taken_over_its_own_time() -> None:
    turns = Turns(100.0, 10.0)
    turns.receive(10.0, turn(5, gap=0.1))
    for number in range(5):
        use(turns, 10.0 + number * 0.1, 1)
    assert turns.known_share(10.5) == pytest.approx(5 / 0.5)
    turns.shift(-10.0)
    assert turns.known_share(0.5) == pytest.approx(5 / 0.5)
    assert turns.known_share(1.0) == pytest.approx(5 / 1.0)


def test_what_was_granted_before_the_clock_changed_is_not_waited_for() -> None:
    turns = Turns(100.0, 0.0)
    turns.receive(0.0, turn(4, gap=0.0))
    assert turns.wants(0.0) == 0
    turns.shift(5.0)
    assert turns.in_hand == 0
    assert turns.wants(5.0) > 0


def test_a_turn_that_a_fifth_is_used_of_is_not_too_large() -> None:
    turns = Turns(1e6, 0.0)
    turns.ready_in(0.0)
    turns.receive(0.0, turn(10))
    size = turns.wants(9.0)
    use(turns, 0.1, 2)
    turns.receive(9.0, turn(size))
    turns.ready_in(18.0)
    assert turns.wants(18.0) >= size


def test_all_who_went_on_alone_take_turns_again_at_the_moment_that_they_were_told() -> None:
    turns = Turns(100.0, 0.0)
    turns.receive(0.0, turn(20, gap=0.0))
    use(turns, 0.0, 20)
    turns.lose(2.0)
    turns.take(2.0 + turns.ready_in(2.0), 1.0)
    turns.receive(2.2, turn(0, first=0.05))
    assert turns.ready_in(2.2) == pytest.approx(0.05)
    assert turns.ready_in(2.25) == math.inf
    assert turns.wants(2.25) > 0


def test_a_server_that_is_lost_again_before_that_moment_stops_nobody() -> None:
    turns = Turns(100.0, 0.0)
    turns.receive(0.0, turn(20, gap=0.0))
    use(turns, 0.0, 20)
    turns.lose(2.0)
    turns.receive(2.2, turn(0, first=0.05))
    turns.lose(2.25)
    assert turns.ready_in(9.0) == 0.0
