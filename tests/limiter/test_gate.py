"""The gate's rules one by one, in virtual time."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import pairwise

import pytest

from humeai_async.limiter.gate import Gate, Sent
from humeai_async.limiter.headers import Quota
from humeai_async.limiter.pause import LONGEST_PAUSE
from humeai_async.limiter.token_bucket import TokenBucket

START = 100.0


class Client:
    """One gate and a clock that moves as far as calls have to wait."""

    def __init__(self, rate: float | None = None, burst: float | None = None) -> None:
        self.now = START
        self.gate = Gate(START, rate, burst)

    def go(self) -> Sent:
        """Let a call go as soon as it may."""
        while (wait := self.gate.ready_in(self.now, 1.0)) > 0.0:
            self.now += wait
        return self.gate.take(self.now, 1.0)

    def hear(
        self,
        call: Sent,
        status: int | None,
        retry_after: float | None = None,
        quotas: Sequence[Quota] = (),
        *,
        after: float = 0.001,
    ) -> None:
        self.now += after
        self.gate.record_response(self.now, call, status, retry_after, quotas)

    def call(
        self, status: int | None, retry_after: float | None = None, quotas: Sequence[Quota] = ()
    ) -> None:
        self.hear(self.go(), status, retry_after, quotas)

    @property
    def paused(self) -> float:
        return self.gate.paused_for(self.now)


def measured() -> Client:
    """Return a client that knows of a window of 2 s and 100 calls."""
    client = Client()
    for _ in range(100):
        client.call(200)
    client.call(429)
    while client.now < START + 0.9:
        client.call(429)
    client.call(200)
    assert client.gate.learner.window == 2.0
    return client


def test_nothing_known_four_calls_go_at_once_and_then_twenty_four_a_second() -> None:
    client = Client()
    times = [client.go().at - START for _ in range(7)]
    assert times == pytest.approx([0, 0, 0, 0, 1 / 24, 2 / 24, 3 / 24])
    assert client.gate.rate is None


def test_with_eight_in_flight_another_is_risked_the_sooner_the_more_are_out() -> None:
    client = Client()
    times = [client.go().at for _ in range(18)]
    assert times[8] - times[7] == pytest.approx(1.0 / 8)
    assert times[17] - times[16] == pytest.approx(1.0 / 17)


def test_each_response_makes_room_for_one_call_more_in_flight() -> None:
    client = Client()
    calls = [client.go() for _ in range(8)]
    client.hear(calls[0], 200)
    client.now += 0.1
    client.go()
    last = client.go()
    assert client.gate.ready_in(client.now + 0.1, 1.0) == pytest.approx(1.0 / 9 - 0.1)
    assert client.gate.in_flight == 9
    assert last.at == client.now


@pytest.mark.parametrize(
    ("rate", "burst", "first", "rested"),
    [(10.0, None, 1.0, 1.0), (1000.0, None, 1.0, 49.5), (10.0, 3.0, 3.0, 3.0)],
)
def test_a_declared_rate_begins_with_one_call_and_a_declared_burst_with_all_of_it(
    rate: float, burst: float | None, first: float, rested: float
) -> None:
    gate = Gate(START, rate, burst)
    assert gate.tokens(START) == first
    assert gate.tokens(START + 60.0) == pytest.approx(rested)


def test_a_declared_rate_is_kept_to_by_a_hundredth_less_however_long_it_goes_well() -> None:
    client = Client(rate=10.0)
    for _ in range(100):
        client.call(200)
    assert client.gate.rate == pytest.approx(9.9)
    client.call(429)
    for _ in range(200):
        client.call(200)
    assert client.gate.rate is not None
    assert client.gate.rate <= 9.9


def test_while_nothing_is_known_a_closed_quota_is_tried_at_customary_times_from_the_start() -> None:
    client = Client()
    tries: list[float] = []
    for _ in range(8):
        client.hear(call := client.go(), 429)
        tries.append(call.at - START)
    assert tries == pytest.approx([0.0, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0], abs=0.002)


def test_a_number_that_fell_to_nothing_without_a_reset_is_tried_at_the_next_customary_time() -> (
    None
):
    client = Client()
    client.call(200, None, [Quota(limit=100, remaining=50)])
    client.now = START + 0.199
    client.call(200, None, [Quota(limit=100, remaining=0)])
    assert client.paused == pytest.approx(0.05, abs=0.005)


def test_a_closed_quota_of_many_calls_is_tried_again_after_a_quarter_of_its_pause() -> None:
    client = Client()
    for _ in range(400):
        client.call(200)
    tries: list[float] = []
    for _ in range(20):
        client.hear(call := client.go(), 429, after=0.0)
        tries.append(call.at - START)
        client.now += 0.001
    ratios = [(after - tries[0]) / (before - tries[0]) for before, after in pairwise(tries[10:])]
    assert ratios == pytest.approx([1.25] * 9, abs=0.01)


def test_at_most_one_call_tries_a_closed_quota() -> None:
    client = Client()
    client.call(429)
    client.go()
    assert client.gate.ready_in(client.now, 1.0) == pytest.approx(1.0)


def test_a_try_that_gets_no_response_lets_the_next_one_go_soon() -> None:
    client = Client()
    client.call(429)
    client.call(None)
    assert client.paused == pytest.approx(0.01)


def test_responses_to_calls_sent_before_the_closing_neither_close_nor_open() -> None:
    client = Client()
    calls = [client.go() for _ in range(3)]
    client.hear(calls[0], 429)
    until = client.paused
    client.hear(calls[1], 429, after=0.0)
    assert client.paused == until
    client.hear(calls[2], 200, after=0.0)
    assert client.gate.closed


def test_tries_asked_for_at_once_begin_soon_and_take_at_most_twice_as_long_each() -> None:
    client = Client()
    for tries in range(9):
        client.call(429, 0.0)
        assert client.paused <= 0.01 * 2**tries + 1e-9
    assert client.now < START + 5.0


@pytest.mark.parametrize("hint", [5.0, 3600.0])
def test_everybody_waits_as_long_as_the_service_says_but_no_more_than_ten_minutes(
    hint: float,
) -> None:
    client = Client()
    client.call(429, hint)
    assert client.paused == min(hint, LONGEST_PAUSE)


def test_retry_after_is_obeyed_twice_and_then_one_call_tries_at_a_quarter_of_it() -> None:
    client = measured()
    pauses: list[float] = []
    for _ in range(3):
        for _ in range(20):
            client.call(200)
        client.call(429, 8.0)
        pauses.append(client.paused)
        client.call(200)
    assert pauses == pytest.approx([8.0, 8.0, 2.0])


def test_a_refused_try_is_followed_by_a_later_one_where_the_service_counts_nothing_down() -> None:
    client = measured()
    for _ in range(2):
        client.call(429, 8.0)
        client.call(200)
    closed = client.now
    tries: list[float] = []
    for _ in range(3):
        client.call(429, 8.0)
        tries.append(client.now + client.paused - closed)
    assert tries == pytest.approx([2.0, 6.0, 14.0], abs=0.1)


def test_a_hint_that_comes_after_headers_closed_the_gate_is_cut_short_like_any_other() -> None:
    client = measured()
    for _ in range(2):
        client.call(429, 8.0)
        client.call(200)
    client.call(200, None, [Quota(limit=100, remaining=50)])
    last, late = client.go(), client.go()
    client.hear(last, 200, None, [Quota(limit=100, remaining=0)])
    assert client.gate.closed
    client.hear(late, 429, 8.0)
    assert client.paused == pytest.approx(2.0, abs=0.01)


def test_a_pause_is_not_cut_short_for_less_than_a_call_takes() -> None:
    client = measured()
    client.gate.learner.rate = client.gate.learner.pace = 0.1
    for _ in range(4):
        client.call(429, 8.0)
        assert client.paused == pytest.approx(8.0)
        client.call(200)


@pytest.mark.parametrize(("let_in", "paused"), [(1, 30.0), (2, 0.0)])
def test_a_pause_ends_early_when_calls_that_went_after_the_refusal_are_let_in(
    let_in: int, paused: float
) -> None:
    client = Client()
    client.call(200)
    refused = client.go()
    client.now += 0.1
    later = [client.go() for _ in range(3)]
    client.hear(refused, 429, 30.0)
    for call in later[:let_in]:
        client.hear(call, 200, after=0.0)
    assert client.paused == paused
    client.go()
    assert client.gate.ready_in(client.now, 1.0) > 0.5


def test_a_try_before_the_time_that_is_refused_is_the_only_one() -> None:
    client = measured()
    for _ in range(2):
        client.call(429, 8.0)
        client.call(200)
    client.call(429, 8.0)
    assert client.paused == pytest.approx(2.0)
    client.call(429, 6.0)
    assert client.paused == pytest.approx(6.0)


def test_the_pause_of_a_503_is_never_cut_short_and_teaches_nothing() -> None:
    client = measured()
    rate = client.gate.learner.rate
    for _ in range(5):
        client.call(503, 8.0)
        assert client.paused == pytest.approx(8.0)
        client.call(200)
    assert client.gate.learner.rate == rate


@pytest.mark.parametrize("status", [429, None])
def test_a_try_that_was_on_its_way_does_not_end_the_pause_of_a_503(status: int | None) -> None:
    gate = Gate(0.0)
    refused, late = gate.take(0.0, 1.0), gate.take(0.0, 1.0)
    gate.record_response(0.1, refused, 429)
    sent = 0.1 + gate.ready_in(0.1, 1.0)
    tried = gate.take(sent, 1.0)
    gate.record_response(sent + 0.01, late, 503, 30.0)
    gate.record_response(sent + 0.02, tried, status)
    assert gate.paused_for(sent + 0.02) == pytest.approx(29.99)


@pytest.mark.parametrize(("status", "retry_after"), [(503, None), (200, 5.0), (500, 5.0)])
def test_only_a_503_that_asks_to_wait_pauses_without_a_429(
    status: int, retry_after: float | None
) -> None:
    client = Client()
    client.call(status, retry_after)
    assert not client.gate.closed
    assert client.paused == 0.0


def test_while_nothing_is_known_no_more_calls_are_out_than_remain_but_one_always_may() -> None:
    client = Client()
    client.call(200, None, [Quota(limit=10, remaining=2)])
    client.go()
    client.go()
    assert client.gate.ready_in(client.now, 1.0) > 0.5
    other = Client()
    other.call(200, None, [Quota(limit=10, remaining=0, reset=600)])
    assert other.gate.ready_in(other.now, 1.0) < 0.1


def test_a_remaining_number_that_holds_calls_for_more_than_a_second_is_taken_for_false() -> None:
    client = Client()
    client.call(200, None, [Quota(limit=10, remaining=0)])
    first = client.go()
    client.go()
    assert client.now - first.at == pytest.approx(1.0, abs=0.1)
    client.hear(first, 200, None, [Quota(limit=10, remaining=0)])
    assert client.gate.ready_in(client.now, 1.0) < 0.1


def test_a_pace_does_not_double_while_a_remaining_number_holds_the_calls() -> None:
    client = Client()
    calls = [client.go() for _ in range(6)]
    for call in calls[:5]:
        client.hear(call, 200, None, [Quota(limit=10, remaining=0)])
        assert client.gate.ready_in(client.now + 0.05, 1.0) > 0.5
    before = client.gate.learner.pace
    client.hear(calls[5], 200, None, [Quota(limit=10, remaining=0)], after=0.1)
    assert client.gate.learner.pace == before


def test_a_lone_refusal_lowers_no_pace_and_the_next_soon_after_does() -> None:
    client = Client(rate=100.0)
    for _ in range(200):
        client.call(200)
    client.call(429)
    client.call(200)
    assert client.gate.learner.rate == pytest.approx(99.0)
    for _ in range(4):
        client.call(429)
        client.call(200)
    assert client.gate.learner.rate < 95.0


@pytest.mark.parametrize(("calls", "haste"), [(100, 2.0), (8, 1.0)])
def test_a_needless_pause_is_made_up_for_where_a_window_holds_many_calls(
    calls: int, haste: float
) -> None:
    client = Client()
    for _ in range(calls):
        client.hear(client.go(), 200)
    while client.now < START + 0.9:
        client.call(429, 1.0)
    client.call(200)
    client.call(200)
    learner = client.gate.learner
    assert learner.window is not None
    first, second = client.go().at, client.go().at
    assert second - first == pytest.approx(1 / learner.pace / haste, rel=0.05)


def test_no_more_calls_than_a_window_holds_go_in_it() -> None:
    client = measured()
    client.now += 10.0
    began = client.now
    calls = 0
    while client.now - began < 1.9:
        client.call(200)
        calls += 1
    assert calls <= 102


@pytest.mark.parametrize("seconds", [-80.0, 80.0])
def test_a_pause_is_as_long_on_another_clock_and_calls_on_their_way_are_over(
    seconds: float,
) -> None:
    client = Client()
    call = client.go()
    client.call(429, 5.0)
    client.gate.shift(seconds)
    client.now += seconds
    assert client.paused == pytest.approx(5.0)
    assert client.gate.in_flight == 0
    client.hear(call, 200, after=0.0)
    assert client.gate.accepted == 0


def test_calls_that_were_let_in_after_a_refused_one_are_the_rate_of_a_bucket() -> None:
    client = Client()
    for call in [client.go() for _ in range(3)]:
        client.hear(call, 200)
    refused = client.go()
    later = [client.go() for _ in range(6)]
    client.hear(refused, 429)
    noticed = client.now
    for call in later:
        client.hear(call, 200, after=0.0)
    client.call(200)
    assert client.gate.learner.rate == pytest.approx(6 / (noticed - refused.at))


def work(client: Client, quota: TokenBucket, seconds: float) -> None:
    """Keep 64 calls of 50 ms in flight for some seconds; a quota lets them in or refuses them."""
    end, sent = client.now + seconds, deque[tuple[Sent, int]]()
    while client.now < end or sent:
        wait = client.gate.ready_in(client.now, 1.0)
        may_go = client.now < end and len(sent) < 64
        if sent and not (may_go and client.now + wait <= sent[0][0].at + 0.05):
            call, status = sent.popleft()
            client.now = max(client.now, call.at + 0.05)
            client.hear(call, status, after=0.0)
        elif wait > 0.0:
            client.now += wait
        else:
            is_free = quota.wait(client.now, 1.0) <= 0.0
            quota.take(client.now, float(is_free))
            sent.append((client.go(), 200 if is_free else 429))


def test_a_bucket_is_not_measured_over_a_rest_that_ends_with_many_calls_at_once() -> None:
    client, quota = Client(), TokenBucket(60.0, 60.0, START, 60.0)
    counts: list[int] = []
    for _ in range(3):
        work(client, quota, 10.0)
        client.now += 20.0
        counts.append(client.gate.accepted - sum(counts))
    assert min(counts) > 600
