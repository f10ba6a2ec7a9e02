"""The pacer's rules one by one, in virtual time."""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Sequence

import pytest
from quota_simulation import Traffic

from humeai_async.limiter.headers import Quota
from humeai_async.limiter.pacer import LONGEST_PAUSE, Pacer

START = 100.0


class Client:
    """One pacer and a clock that moves as far as calls have to wait."""

    def __init__(self, rate: float | None = None, burst: float | None = None) -> None:
        self.now = START
        self.pacer = Pacer(START, rate, burst)

    def wait(self) -> float:
        """Return the seconds until a call may go."""
        return self.pacer.ready_in(self.now, 1.0)

    def go(self) -> tuple[int, float]:
        """Let a call go as soon as it may."""
        while (wait := self.wait()) > 0.0:
            self.now += wait
        return self.pacer.take(self.now, 1.0), self.now

    def hear(
        self,
        call: tuple[int, float],
        status: int | None,
        retry_after: float | None = None,
        quotas: Sequence[Quota] = (),
        *,
        after: float = 0.0,
    ) -> None:
        """Take in the answer to a call, some seconds later."""
        self.now += after
        self.pacer.record_response(self.now, *call, 1.0, status, retry_after, quotas)

    def call(
        self,
        status: int | None,
        retry_after: float | None = None,
        quotas: Sequence[Quota] = (),
        *,
        after: float = 0.0,
    ) -> None:
        """Make a whole call."""
        self.hear(self.go(), status, retry_after, quotas, after=after)

    def burst(self, number: int) -> None:
        """Make so many good calls, one after the other."""
        for _ in range(number):
            self.call(200, after=0.001)

    def refuse(self) -> None:
        """Let three calls go that are refused, which is too many to be chance."""
        calls = [self.go() for _ in range(3)]
        self.now += 0.001
        for call in calls:
            self.hear(call, 429)

    @property
    def paused(self) -> float:
        return self.pacer.paused_for(self.now)


def measured(window: float = 2.0, calls: int = 100) -> Client:
    """Return a client that knows of a window: it let so many calls in and opened in time."""
    client = Client()
    client.burst(calls)
    client.refuse()
    client.now = START + window - 0.005
    client.call(429, after=0.001)
    client.now = START + window + 0.005
    client.call(200, after=0.001)
    return client


def bucket(calls: int = 200) -> Client:
    """Return a client that knows of a token bucket: it opened at the first try."""
    client = Client()
    client.burst(calls)
    client.refuse()
    client.call(200, after=0.001)
    return client


# --- before anything is known


def test_nothing_known_four_calls_go_at_once_and_then_twenty_four_a_second() -> None:
    client = Client()
    times = [client.go()[1] - START for _ in range(7)]
    assert times == pytest.approx([0, 0, 0, 0, 1 / 24, 2 / 24, 3 / 24])
    assert client.pacer.rate is None


def test_with_eight_in_flight_another_is_risked_the_sooner_the_more_are_out() -> None:
    client = Client()
    times = [client.go()[1] for _ in range(18)]
    assert times[8] - times[7] == pytest.approx(2.0 / 8)
    assert times[9] - times[8] == pytest.approx(2.0 / 9)
    assert times[17] - times[16] == pytest.approx(2.0 / 17)


def test_a_pool_of_calls_that_hang_does_not_hold_the_next_one_for_long() -> None:
    client = Client()
    times = [client.go()[1] - START for _ in range(65)]
    # Still slower than the pace at which a fresh client sends calls that are answered.
    assert 64 / 24 < times[64] < 4.6


def test_of_calls_that_hang_no_more_go_in_the_first_seconds_than_a_small_quota_bears() -> None:
    client = Client()
    times = [client.go()[1] - START for _ in range(65)]
    assert [sum(at <= seconds for at in times) for seconds in (1.0, 2.0)] == [11, 19]


def test_an_answer_makes_room_for_the_next_in_flight_and_one_more() -> None:
    client = Client()
    calls = [client.go() for _ in range(8)]
    client.now += 0.1
    assert client.wait() > 0.0
    client.hear(calls[0], 200)
    free = [client.go()[1] - client.now for _ in range(2)]
    assert free == pytest.approx([0.0, 0.0])
    client.now += 0.1
    assert client.pacer.in_flight == 9
    assert client.wait() == pytest.approx(2.0 / 9 - 0.1)


def test_an_unknown_rate_doubles_every_quarter_second_while_answers_are_good() -> None:
    client = Client()
    for _ in range(200):
        client.call(200, after=0.0005)
    # 4 at once, then the integral of 24 * 2 ** (4 t) from 0 to t.
    expected = math.log2(1 + 196 * 4 * math.log(2) / 24) / 4
    assert client.now - START == pytest.approx(expected, rel=0.2)


def test_a_rate_that_grows_lets_more_go_at_once_after_a_rest() -> None:
    client = Client()
    client.burst(1000)
    client.now += 10.0
    assert client.pacer.tokens(client.now) > 20.0


# --- declared rates


def test_a_declared_rate_is_kept_to_by_a_hundredth_less() -> None:
    client = Client(rate=10.0)
    times = [client.go()[1] - START for _ in range(3)]
    assert times == pytest.approx([0.0, 1 / 9.9, 2 / 9.9])
    assert client.pacer.rate == pytest.approx(9.9)
    assert client.pacer.ceiling == pytest.approx(9.9)


@pytest.mark.parametrize(
    ("rate", "burst", "first", "rested"),
    [(10.0, None, 1.0, 1.0), (1000.0, None, 1.0, 49.5), (10.0, 3.0, 3.0, 3.0)],
)
def test_a_declared_rate_begins_with_one_call_and_a_declared_burst_with_all_of_it(
    rate: float, burst: float | None, first: float, rested: float
) -> None:
    pacer = Pacer(START, rate, burst)
    assert pacer.tokens(START) == first
    assert pacer.tokens(START + 60.0) == pytest.approx(rested)


def test_a_declared_rate_bounds_no_calls_in_flight() -> None:
    client = Client(rate=1000.0)
    for _ in range(500):
        client.go()
    assert client.now - START == pytest.approx(499 / 990)


def test_a_declared_rate_is_never_exceeded_however_long_it_goes_well() -> None:
    client = Client(rate=10.0)
    client.call(200)
    client.call(429)
    client.burst(100)
    assert client.pacer.rate is not None
    assert client.pacer.rate <= 9.9


# --- closing


def test_a_refusal_stops_everybody_and_single_calls_try_further_and_further_apart() -> None:
    client = Client()
    pauses: list[float] = []
    for _ in range(12):
        client.call(429)
        pauses.append(client.paused)
    assert pauses[:4] == pytest.approx([0.01, 0.015, 0.0225, 0.03375])
    assert pauses[-1] == pytest.approx(0.25)
    assert (client.pacer.closed, client.pacer.pauses, client.pacer.refused) == (True, 1, 12)
    assert client.pacer.accepted == 0


def test_where_headers_tell_of_the_quota_tries_are_twice_as_far_apart_each_time() -> None:
    client = Client()
    quotas = [Quota(limit=10.0, remaining=0.0)]
    pauses: list[float] = []
    for _ in range(3):
        client.call(429, quotas=quotas)
        pauses.append(client.paused)
    assert pauses == pytest.approx([0.01, 0.02, 0.04])


@pytest.mark.parametrize(("round_trip", "pause"), [(0.1, 1.0), (0.5, 2.0)])
def test_a_try_holds_the_others_for_four_round_trips_and_a_second_at_least(
    round_trip: float, pause: float
) -> None:
    client = Client()
    client.call(429, after=round_trip)
    client.go()
    assert client.paused == pytest.approx(pause)


def test_a_try_that_gets_no_answer_lets_the_next_one_go_soon() -> None:
    client = Client()
    client.call(429)
    client.call(None)
    assert client.paused == pytest.approx(0.01)
    assert (client.pacer.closed, client.pacer.in_flight) == (True, 0)


def test_a_call_without_an_answer_teaches_nothing() -> None:
    client = Client()
    client.call(None, after=3.0)
    assert not client.pacer.closed
    assert (client.pacer.round_trip, client.pacer.accepted, client.pacer.in_flight) == (
        math.inf, 0, 0,
    )  # fmt: skip


def test_refusals_of_calls_sent_before_the_closing_say_nothing_new() -> None:
    client = Client()
    calls = [client.go() for _ in range(4)]
    for call in calls:
        client.hear(call, 429)
    assert client.paused == pytest.approx(0.01)
    assert (client.pacer.pauses, client.pacer.refused) == (1, 4)


def test_a_late_refusal_does_not_close_a_quota_that_has_opened_since() -> None:
    client = Client()
    early, late = client.go(), client.go()
    client.hear(early, 429)
    client.call(200)
    client.hear(late, 429)
    assert not client.pacer.closed
    assert client.pacer.pauses == 1


def test_a_late_refusal_that_says_how_long_to_wait_is_heeded_all_the_same() -> None:
    client = Client()
    early, late, later = client.go(), client.go(), client.go()
    client.hear(early, 429)
    client.hear(late, 429, 3.0)
    assert client.paused == pytest.approx(3.0)
    client.call(200)
    client.hear(later, 429, 4.0)
    assert client.pacer.closed
    assert client.paused == pytest.approx(4.0)


def test_a_good_answer_to_a_call_sent_before_the_closing_opens_nothing() -> None:
    client = Client()
    early, late = client.go(), client.go()
    client.hear(early, 429)
    client.hear(late, 200)
    assert client.pacer.closed
    assert client.pacer.accepted == 1


@pytest.mark.parametrize(
    ("hint", "pause"), [(0.02, 0.02), (3.0, 3.0), (600.0, 600.0), (86_400.0, LONGEST_PAUSE)]
)
@pytest.mark.parametrize("status", [429, 503])
def test_everybody_waits_as_long_as_the_service_says_but_no_more_than_ten_minutes(
    hint: float, pause: float, status: int
) -> None:
    client = Client()
    client.call(status, hint)
    assert client.paused == pytest.approx(pause)
    assert client.wait() == pytest.approx(pause)


@pytest.mark.parametrize("status", [429, 503])
def test_a_shorter_hint_does_not_take_a_longer_one_back(status: int) -> None:
    client = Client()
    first, second = client.go(), client.go()
    client.hear(first, status, 5.0)
    client.hear(second, status, 2.0)
    assert client.paused == pytest.approx(5.0)


def test_503_without_a_hint_is_an_answer_like_others() -> None:
    client = Client()
    client.call(503)
    assert (client.pacer.closed, client.pacer.accepted) == (False, 1)


def test_a_service_that_was_down_teaches_nothing_about_its_quota() -> None:
    client = Client()
    client.burst(50)
    client.call(503, 2.0)
    client.call(200)
    assert not client.pacer.closed
    assert client.pacer.rate is None
    assert (client.pacer.refused, client.pacer.pauses) == (0, 1)


def test_while_a_service_is_down_fresh_calls_need_not_go_first() -> None:
    client = Client()
    client.call(503, 2.0)
    assert not client.pacer.wants_fresh


def test_reaching_zero_closes_the_quota_until_its_reset() -> None:
    client = Client()
    client.call(200, quotas=[Quota(limit=9.0, remaining=0.0, reset=7.0)])
    assert client.pacer.closed
    assert client.paused == pytest.approx(7.0)
    assert (client.pacer.refused, client.pacer.accepted) == (0, 1)


@pytest.mark.parametrize(
    ("rate", "quota"),
    [
        (None, Quota(limit=9.0, remaining=3.0, reset=7.0)),
        (None, Quota(limit=9.0, remaining=0.0)),
        (10.0, Quota(limit=9.0, remaining=0.0, reset=7.0)),
    ],
    ids=["some left", "no reset", "declared rate"],
)
def test_other_headers_close_nothing(rate: float | None, quota: Quota) -> None:
    client = Client(rate)
    client.call(200, quotas=[quota])
    assert not client.pacer.closed


def test_a_refusal_without_retry_after_waits_for_the_reset() -> None:
    client = Client()
    client.call(429, quotas=[Quota(limit=9.0, remaining=0.0, reset=7.0)])
    assert client.paused == pytest.approx(7.0)


def test_retry_after_counts_before_the_reset() -> None:
    client = Client()
    client.call(429, 3.0, [Quota(limit=9.0, remaining=0.0, reset=7.0)])
    assert client.paused == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("retry_after", "reset", "pause"),
    [(1.0, None, 0.01), (2.0, None, 2.0), (0.5, None, 0.5), (None, 2.0, 0.01), (None, 2.1, 2.1)],
)
def test_once_the_rate_is_measured_the_shortest_whole_seconds_are_only_a_bound(
    retry_after: float | None, reset: float | None, pause: float
) -> None:
    client = measured()
    client.burst(3)
    quotas = [Quota(remaining=0.0, reset=reset)] if reset else ()
    client.call(429, retry_after, quotas)
    assert client.paused == pytest.approx(pause)


@pytest.mark.parametrize("rate", [None, 10.0])
def test_before_that_they_are_heeded(rate: float | None) -> None:
    client = Client(rate)
    client.call(429, 1.0)
    assert client.paused == pytest.approx(1.0)


# --- who tries


def test_fresh_calls_go_first_while_closed_and_for_three_answers_after_a_lesson() -> None:
    client = Client()
    client.burst(20)
    assert not client.pacer.wants_fresh
    client.refuse()
    assert client.pacer.wants_fresh
    assert fresh_first(client) == 3


def test_where_the_pace_was_kept_fresh_calls_go_first_for_longer() -> None:
    client = Client()
    client.burst(20)
    client.call(429)
    assert fresh_first(client) == 15


def fresh_first(client: Client) -> int:
    """Open the quota, and count the good answers until a refused call may go first."""
    client.call(200)
    answers = 0
    while client.pacer.wants_fresh:
        client.call(200)
        answers += 1
    return answers


def test_where_the_service_says_how_long_fresh_calls_need_not_go_first() -> None:
    client = Client()
    client.call(429, 3.0)
    assert not client.pacer.wants_fresh


def test_the_reset_of_a_quota_with_calls_left_is_that_of_another_one() -> None:
    client = Client()
    client.call(429, quotas=[Quota(limit=1000.0, remaining=900.0, reset=1800.0)])
    assert client.paused == pytest.approx(0.01)


def test_a_reset_is_obeyed_once_and_the_next_one_tried() -> None:
    client = Client()
    quotas = [Quota(limit=10.0, remaining=0.0, reset=5.0)]
    client.call(429, quotas=quotas)
    assert client.paused == pytest.approx(5.0)
    client.now += 5.0
    client.call(200)
    client.call(429, quotas=quotas)
    assert client.paused == pytest.approx(0.01)


def test_remaining_numbers_that_are_always_zero_are_soon_ignored() -> None:
    client = Client()
    began = client.now
    for _ in range(100):
        client.call(200, quotas=[Quota(limit=10.0, remaining=0.0, reset=5.0)], after=0.001)
    assert client.now - began <= 40.0


# --- which refusals are believed


def test_a_refusal_now_and_then_stops_everybody_for_a_moment_but_lowers_no_pace() -> None:
    client = Client()
    client.burst(60)
    before = client.now
    client.call(429, after=0.001)
    assert client.paused == pytest.approx(0.01)
    client.burst(60)
    assert client.pacer.rate is None
    assert 60 / (client.now - before) > 60 / (before - START)


def test_two_refusals_are_borne_and_the_third_in_short_order_is_believed() -> None:
    client = Client()
    client.burst(60)
    known: list[bool] = []
    for _ in range(3):
        client.call(429, after=0.001)
        client.call(200, after=0.001)
        known.append(client.pacer.rate is not None)
    assert known == [False, False, True]


@pytest.mark.parametrize(("good", "believed"), [(49, True), (50, False)])
def test_after_a_lesson_fifty_good_calls_make_one_refusal_bearable(
    good: int, believed: bool
) -> None:
    client = bucket()
    client.burst(good)
    rate = client.pacer.rate
    assert rate is not None
    client.call(429, after=0.001)
    client.call(200, after=0.001)
    assert client.pacer.rate is not None
    assert (client.pacer.rate < rate) is believed


def test_no_number_of_good_calls_makes_more_than_two_refusals_bearable() -> None:
    client = Client()
    client.burst(1000)
    client.refuse()
    client.call(200, after=0.001)
    assert client.pacer.rate is not None


def test_a_refusal_that_comes_too_late_to_close_anything_counts_as_well() -> None:
    client = Client()
    client.burst(60)
    early, late, later = client.go(), client.go(), client.go()
    client.hear(early, 429, after=0.001)
    client.call(200, after=0.001)
    client.hear(late, 429)
    client.hear(later, 429)
    assert client.pacer.rate is None
    client.call(429, after=0.001)
    client.call(200, after=0.001)
    assert client.pacer.rate is not None


def test_a_pause_that_the_service_asked_for_is_believed_but_its_rate_soon_tried() -> None:
    client = Client()
    client.burst(60)
    client.call(429, 2.0, after=0.001)
    client.call(200, after=0.001)
    rate = client.pacer.rate
    assert rate is not None
    assert rate == pytest.approx(0.985 * 61 / 2.0, rel=0.1)
    start = client.now
    while client.now - start < 1.0:
        client.call(200, after=0.001)
    assert (client.pacer.rate or 0.0) > 2 * rate


def test_a_quota_used_up_by_the_services_own_account_is_believed_at_once() -> None:
    client = Client()
    client.burst(60)
    client.call(200, quotas=[Quota(limit=61.0, remaining=0.0, reset=0.5)])
    client.call(200, quotas=[Quota(limit=61.0, remaining=60.0, reset=1.0)])
    assert client.pacer.rate is not None


def test_a_service_that_was_down_is_asked_at_the_pace_of_before() -> None:
    client = bucket()
    client.burst(1000)
    before = client.pacer.rate
    client.call(503, 2.0)
    client.call(200)
    assert client.pacer.rate == before


# --- what a call has to expect


def test_what_is_not_known_is_expected_to_take_no_time() -> None:
    assert Client().pacer.expect(START, 1000.0) == 0.0


@pytest.mark.parametrize(("cost", "seconds"), [(1.0, 0.0), (2.0, 1 / 9.9), (11.0, 10 / 9.9)])
def test_calls_of_a_known_rate_expect_to_wait_for_their_tokens(cost: float, seconds: float) -> None:
    assert seconds == pytest.approx(Client(rate=10.0).pacer.expect(START, cost))


def test_a_pause_is_expected_and_the_tokens_that_come_in_it_are_counted() -> None:
    client = Client(rate=10.0, burst=20.0)
    for _ in range(20):
        client.go()
    client.hear((0, START), 429, 1.0)
    assert client.pacer.expect(START, 9.0) == pytest.approx(1.0)
    assert client.pacer.expect(START, 19.8) == pytest.approx(2.0)


# --- opening


def test_the_first_contact_with_a_window_tells_its_rate() -> None:
    client = measured()
    assert client.pacer.window == 2.0
    assert client.pacer.rate == pytest.approx(0.985 * 50.0, rel=0.01)
    assert not client.pacer.closed


def test_a_quota_that_refuses_everything_teaches_no_rate() -> None:
    client = Client()
    client.call(429)
    client.call(200)
    assert client.pacer.rate is None


def test_a_quota_that_opens_at_the_first_try_is_a_bucket_of_half_the_measured_rate_or_more() -> (
    None
):
    client = bucket()
    assert client.pacer.window is None
    assert client.pacer.rate == pytest.approx(0.985 * 201 / (client.now - START) / 2, rel=0.1)


@pytest.mark.parametrize(
    ("hint", "window"), [(2.0, 2.0), (1.0, 1.0)], ids=["whole seconds", "one second"]
)
def test_whole_seconds_are_taken_for_anything_up_to_them(hint: float, window: float) -> None:
    client = Client()
    client.burst(60)
    client.call(429, hint, after=0.001)
    client.call(200, after=0.001)
    assert client.pacer.window == window


def test_a_whole_second_does_not_show_how_soon_a_quota_opens() -> None:
    client = Client()
    while client.now < START + 29.5:
        client.call(200, after=0.001)
        client.now += 0.1
    client.call(429, 1.0, after=0.001)
    client.call(200, after=0.001)
    assert client.pacer.window == 30.0


def test_a_hint_counts_from_when_the_answer_was_written_half_a_round_trip_ago() -> None:
    client = Client()
    while client.now < START + 2.0:
        client.call(200, after=0.2)
    closed = client.now
    client.call(429, 0.5, after=0.2)
    client.call(200, after=0.2)
    earliest, latest = closed + 0.2 + 0.5 - 0.1, closed + 0.2 + 0.5
    assert client.pacer.window == pytest.approx(earliest - START + (latest - earliest) / 4)


def greedy(client: Client, seconds: float, quotas: Sequence[Quota] = ()) -> int:
    """Make calls as fast as allowed for some seconds, and count them."""
    end, number = client.now + seconds, 0
    while True:
        while (wait := client.wait()) > 0.0 and client.now + wait < end:
            client.now += wait
        if wait > 0.0:
            return number
        client.call(200, quotas=quotas, after=0.001)
        number += 1


@pytest.mark.parametrize("in_flight", [0, 10])
def test_no_more_calls_than_a_window_holds_go_in_it_even_after_a_rest(in_flight: int) -> None:
    client = measured()
    client.now += 5.0
    for _ in range(in_flight):
        client.go()
    assert in_flight + greedy(client, 1.9) in {98, 99}


def test_a_rest_brings_half_a_second_of_calls_where_a_window_is_counted() -> None:
    client = measured()
    assert client.pacer.rate is not None
    assert client.pacer.tokens(client.now + 60.0) == pytest.approx(client.pacer.rate / 2)


def test_a_rest_brings_a_twentieth_of_a_second_of_calls_to_a_bucket() -> None:
    client = bucket()
    assert client.pacer.rate is not None
    assert client.pacer.tokens(client.now + 60.0) == pytest.approx(client.pacer.rate / 20)


def test_a_rest_brings_one_call_to_a_slow_bucket() -> None:
    client = Client()
    for _ in range(10):
        client.call(200, after=1.0)
    client.refuse()
    client.call(200)
    assert client.pacer.tokens(client.now + 600.0) == 1.0


def test_after_a_rest_calls_go_at_three_times_the_rate_and_not_at_once() -> None:
    client = measured()
    assert client.pacer.rate is not None
    client.now += 1.0
    times = [client.go()[1] for _ in range(4)]
    gaps = [later - sooner for sooner, later in itertools.pairwise(times)]
    assert gaps == pytest.approx([1 / (3 * client.pacer.rate)] * 3)


def test_a_fast_quota_lets_a_fiftieth_of_a_second_of_calls_go_at_once() -> None:
    client = measured(window=5.0, calls=5000)
    assert client.pacer.rate is not None
    client.now += 1.0
    began, number = client.now, 0
    while client.go()[1] == began:
        number += 1
    assert number == pytest.approx(client.pacer.rate / 50, abs=1.0)


@pytest.mark.parametrize(("remaining", "more"), [(40.0, True), (2.5, True), (1.5, False)])
def test_where_a_little_is_left_by_the_services_account_a_call_asks_every_tenth_of_a_second(
    remaining: float, more: bool
) -> None:
    client = measured()
    client.now += 5.0
    number = greedy(client, 1.9, [Quota(limit=1000.0, remaining=remaining)])
    # As many as the window holds are out after 1.5 s.
    assert number in (range(101, 105) if more else (98, 99))


def test_where_some_is_left_by_the_services_account_our_count_does_not_hold_back() -> None:
    client = measured()
    client.now += 5.0
    assert greedy(client, 1.9, [Quota(limit=1000.0, remaining=60.0)]) > 105


def test_time_lost_in_a_pause_is_made_up_for_at_three_times_the_rate() -> None:
    client = Client()
    client.burst(200)
    client.call(429, 0.05)
    client.call(200)
    assert client.pacer.window is None
    rate = client.pacer.rate
    assert rate is not None
    client.call(503, 1.0)
    client.now += 1.0
    client.call(200)
    client.go()
    began = client.now
    for _ in range(20):
        client.go()
    assert 20 / (client.now - began) == pytest.approx(3 * rate, rel=0.35)


# --- headers


def test_no_more_calls_are_out_than_the_service_says_remain() -> None:
    client = Client()
    client.call(200, quotas=[Quota(limit=100.0, remaining=2.0)])
    client.now += 1.0
    times = [client.go()[1] - client.now for _ in range(2)]
    assert times == [0.0, 0.0]
    assert client.wait() == pytest.approx(0.25)


def test_a_single_call_is_risked_whatever_remains() -> None:
    client = Client()
    client.call(200, quotas=[Quota(limit=100.0, remaining=1.0)])
    client.now += 1.0
    client.call(200, quotas=[Quota(limit=100.0, remaining=1.0)])
    client.now += 1.0
    assert client.wait() == 0.0


def test_a_window_that_the_service_names_is_believed_if_the_measure_is_near() -> None:
    client = Client()
    for _ in range(100):
        client.call(200, quotas=[Quota(limit=100.0, window=2.0)], after=0.001)
    client.refuse()
    client.now = START + 2.3
    client.call(200)
    assert client.pacer.window == 2.0
    assert client.pacer.rate == pytest.approx(0.995 * 50.0)


def test_a_window_that_the_service_names_later_is_believed_then() -> None:
    client = measured()
    client.burst(105)
    quotas = [Quota(limit=104.0, window=2.0)]
    client.refuse()
    client.now += 0.5
    client.call(200, quotas=quotas, after=0.001)
    assert client.pacer.rate == pytest.approx(0.995 * 52.0)


# --- counts, moves


def test_calls_are_counted_in_flight_until_their_answer() -> None:
    client = Client()
    calls = [client.go() for _ in range(3)]
    assert client.pacer.in_flight == 3
    client.hear(calls[0], 200)
    client.hear(calls[1], None)
    assert client.pacer.in_flight == 1


def test_a_call_handed_back_gives_its_token_to_the_next() -> None:
    client = Client(rate=10.0)
    client.go()
    assert client.wait() > 0.0
    client.pacer.give_back(0, 1.0)
    assert client.wait() == 0.0
    assert client.pacer.in_flight == 0


def test_the_shortest_round_trip_is_kept() -> None:
    client = Client()
    for seconds in (0.3, 0.1, 0.2):
        client.call(200, after=seconds)
    assert client.pacer.round_trip == pytest.approx(0.1)


def test_a_clock_that_went_back_makes_no_negative_round_trip() -> None:
    client = Client()
    client.call(200, after=-5.0)
    assert client.pacer.round_trip == 0.0


@pytest.mark.parametrize("seconds", [1000.0, -90.0])
def test_a_pause_is_as_long_on_another_clock(seconds: float) -> None:
    client = Client()
    client.call(429, 5.0)
    client.now += seconds
    client.pacer.shift(seconds)
    assert client.paused == pytest.approx(5.0)
    client.now += 1.0
    assert client.paused == pytest.approx(4.0)


@pytest.mark.parametrize("seconds", [1000.0, -90.0])
def test_a_window_is_measured_across_a_change_of_clocks(seconds: float) -> None:
    client = Client()
    client.burst(100)
    client.refuse()
    client.now = START + 1.995
    client.call(429, after=0.001)
    client.now += seconds
    client.pacer.shift(seconds)
    client.now = START + seconds + 2.005
    client.call(200, after=0.001)
    assert client.pacer.window == 2.0
    assert client.pacer.rate == pytest.approx(0.985 * 50.0, rel=0.01)


def test_a_try_that_was_out_when_the_clock_changed_opens_nothing() -> None:
    client = Client()
    client.call(429)
    call = client.go()
    client.pacer.shift(50.0)
    client.now += 50.0
    client.pacer.take(client.now, 1.0)
    client.hear(call, 200)
    assert client.pacer.closed


def test_calls_out_when_the_clock_changed_are_over_and_their_answers_are_old() -> None:
    client = Client()
    call = client.go()
    client.pacer.shift(50.0)
    client.now += 50.0
    assert client.pacer.in_flight == 0
    client.pacer.take(client.now, 1.0)
    client.hear(call, 429)
    assert not client.pacer.closed


def test_the_count_over_a_window_goes_on_on_another_clock() -> None:
    client, other = measured(), measured()
    client.now += 500.0
    client.pacer.shift(500.0)
    for _ in range(120):
        client.call(200)
        other.call(200)
    assert client.now - 500.0 == pytest.approx(other.now, abs=0.02)


# --- limits of calls in flight


def contact_in_flight(client: Client, *, tries: int = 0, freed: int = 0) -> None:
    """Meet a refusal with ten calls in flight.

    Args:
        client: Who meets it.
        tries: Tries that are refused before one gets through.
        freed: How many of the ten are answered before these.
    """
    refused, *others = [client.go() for _ in range(11)]
    client.hear(refused, 429, after=0.001)
    for call in others[:freed]:
        client.hear(call, 200)
    for _ in range(tries):
        client.call(429)
    if not freed:
        client.hear(others.pop(), 200)
    client.call(200)
    for call in others[freed:]:
        client.hear(call, 200)


def test_three_refusals_with_as_many_in_flight_show_a_limit_and_free_the_pace() -> None:
    client = bucket()
    rates: list[float] = []
    for _ in range(3):
        assert client.pacer.most_in_flight == math.inf
        contact_in_flight(client)
        rates.append(client.pacer.rate or 0.0)
    assert client.pacer.most_in_flight == 10
    assert rates[2] >= 1.5 * rates[1]


def test_tries_refused_while_as_many_are_in_flight_fit_such_a_limit() -> None:
    client = bucket()
    for _ in range(3):
        contact_in_flight(client, tries=2)
    assert client.pacer.most_in_flight == 10


def test_a_try_refused_with_fewer_in_flight_speaks_against_it() -> None:
    client = bucket()
    for _ in range(4):
        contact_in_flight(client, tries=1, freed=3)
    assert client.pacer.most_in_flight == math.inf


def test_a_limit_in_flight_does_not_free_a_declared_rate() -> None:
    client = Client(rate=1000.0)
    client.refuse()
    client.call(200)
    for _ in range(3):
        contact_in_flight(client)
    assert client.pacer.most_in_flight == 10
    assert client.pacer.rate is not None
    assert client.pacer.rate <= 990.0


def test_at_the_limit_another_call_is_risked_after_five_seconds() -> None:
    client = bucket()
    for _ in range(3):
        contact_in_flight(client)
    for _ in range(10):
        client.go()
    client.now += 4.0
    assert client.wait() == pytest.approx(1.0)
    client.now += 1.0
    assert client.wait() <= 1e-6


def test_a_limit_of_calls_in_flight_is_kept_to_and_the_pace_left_free() -> None:
    traffic = Traffic(most_in_flight=10, latency=0.1, jitter=0.5, calls=1000).run()
    assert traffic.failed == 0
    assert 9 <= traffic.pacer.most_in_flight <= 12
    assert traffic.refused <= 50
    assert traffic.seconds <= 1.6 * 1000 * 0.1 / 10


def test_no_such_limit_is_seen_in_other_quotas() -> None:
    for shape in ("token", "fixed", "sliding"):
        assert Traffic(shape=shape, calls=1500).run().pacer.most_in_flight == math.inf


class Crowd(Client):
    """A client with ten calls out, at a service that takes no more, which it has found out."""

    def __init__(self) -> None:
        super().__init__()
        self.out: deque[tuple[int, float]] = deque()
        self.burst(20)
        while self.pacer.most_in_flight == math.inf:
            self.fill(10)
            self.call(429, after=0.001)
            self.end_one()
            self.call(200, after=0.001)
        self.fill(10)

    def fill(self, number: int) -> None:
        """Let calls go until so many are out."""
        while len(self.out) < number:
            self.out.append(self.go())

    def end_one(self) -> None:
        """Take in the answer to the oldest call."""
        self.hear(self.out.popleft(), 200, after=0.001)


def test_after_five_seconds_at_a_limit_of_calls_in_flight_one_more_is_tried() -> None:
    crowd = Crowd()
    assert crowd.pacer.most_in_flight == 10
    began = crowd.now
    while crowd.pacer.most_in_flight == 10 and crowd.now < began + 60.0:
        crowd.end_one()
        crowd.fill(10)
    assert crowd.pacer.most_in_flight == 11
    assert crowd.now - began == pytest.approx(5.0, abs=0.1)


def test_once_the_calls_in_flight_are_the_limit_the_rate_is_left_to_grow() -> None:
    crowd = Crowd()
    before = crowd.pacer.rate or math.inf
    for _ in range(1000):
        crowd.end_one()
        crowd.fill(10)
    assert (crowd.pacer.rate or 0.0) > 10 * before


def test_a_quota_closed_by_calls_in_flight_is_tried_again_when_one_has_ended() -> None:
    crowd = Crowd()
    crowd.call(429, after=0.001)
    assert crowd.pacer.closed
    # However full it looks, a call is risked after a quarter of a second.
    assert crowd.wait() == pytest.approx(0.25, abs=0.002)
    crowd.end_one()
    assert crowd.wait() <= 0.01
