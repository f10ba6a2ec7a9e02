"""What the headers of the last answer leave to spend."""

from __future__ import annotations

import pytest

from humeai_async.limiter.headers import Quota
from humeai_async.limiter.remaining import Credit


def credit(*remaining: float, limit: float | None = 100.0, in_flight: int = 0) -> Credit:
    """Return what answers a tenth of a second apart leave to spend."""
    left = Credit()
    for number, rest in enumerate(remaining):
        left.read([Quota(limit=limit, remaining=rest)], in_flight, 10.0 + 0.1 * number)
    return left


def test_without_headers_there_is_credit_without_end_and_nothing_is_known() -> None:
    left = Credit()
    left.left -= 1e9
    assert left.left >= 1e9
    assert (left.is_known, left.is_ample, left.has_some) == (False,) * 3
    assert (left.policy, left.used_up) == (None, False)


def test_headers_without_a_remaining_number_leave_the_credit_unknown() -> None:
    left = Credit()
    assert left.read([Quota(limit=5.0, window=1.0, reset=3.0)], 0, 0.0) is None
    assert not left.is_known
    assert left.left >= 1e9


def test_what_remains_covers_calls_until_it_is_spent() -> None:
    left = credit(3.0)
    assert left.is_known
    assert [left.left >= cost for cost in (3.0, 3.1)] == [True, False]
    left.left -= 2.0
    assert [left.left >= cost for cost in (1.0, 1.1)] == [True, False]


def test_calls_on_their_way_have_already_taken_of_what_remains() -> None:
    left = credit(10.0, in_flight=7)
    assert [left.left >= cost for cost in (3.0, 4.0)] == [True, False]


def test_the_tightest_of_several_quotas_counts_with_its_own_reset() -> None:
    left = Credit()
    quotas = [
        Quota(limit=100.0, remaining=60.0, reset=1.0),
        Quota(limit=1000.0, remaining=5.0, reset=30.0),
        Quota(limit=10.0, reset=2.0),
    ]
    assert left.read(quotas, 0, 0.0) == 30.0
    assert [left.left >= cost for cost in (5.0, 6.0)] == [True, False]


def test_a_quota_with_nothing_left_is_the_tightest() -> None:
    left = Credit()
    quotas = [Quota(remaining=0.5, reset=1.0), Quota(remaining=0.0, reset=9.0)]
    assert left.read(quotas, 0, 0.0) == 9.0
    assert left.left < 1.0


@pytest.mark.parametrize(
    ("remaining", "ample", "some"),
    [(25.0, False, True), (26.0, True, True), (5.0, False, False), (6.0, False, True)],
)
def test_a_quarter_is_ample_and_a_twentieth_is_some(
    remaining: float, ample: bool, some: bool
) -> None:
    left = credit(remaining)
    assert (left.is_ample, left.has_some) == (ample, some)


def test_without_a_limit_nothing_is_ample() -> None:
    left = credit(1e6, limit=None)
    assert (left.is_ample, left.has_some) == (False, False)


@pytest.mark.parametrize(
    ("remaining", "used_up"),
    [
        ([0.0], True),
        ([0.9], True),
        ([1.0], False),
        ([5.0, 0.0], True),
        ([5.0, 1.0, 0.0], True),
        ([0.0, 0.0], False),
        ([0.0, 1.0, 0.0], False),
        ([0.0, 1.9, 0.0], False),
        ([0.0, 2.0, 0.0], True),
        ([0.0, 2.0, 1.0, 0.0], True),
        ([5.0, 0.0, 5.0], False),
    ],
)
def test_only_the_first_answer_without_credit_after_some_with_it_is_news(
    remaining: list[float], used_up: bool
) -> None:
    assert credit(*remaining).used_up is used_up


@pytest.mark.parametrize(
    ("quotas", "policy"),
    [
        ([Quota(limit=100.0, window=10.0)], (100.0, 10.0)),
        ([Quota(limit=100.0, window=10.0), Quota(limit=300.0, window=60.0)], (300.0, 60.0)),
        ([Quota(limit=5.0, window=1.0), Quota(limit=300.0, window=60.0)], (5.0, 1.0)),
        ([Quota(limit=100.0, window=60.0)], (100.0, 60.0)),
        ([Quota(limit=100.0, window=61.0)], None),
        ([Quota(limit=100.0)], None),
        ([Quota(window=10.0)], None),
        ([Quota(limit=0.0, window=10.0)], None),
    ],
)
def test_the_policy_is_the_slowest_of_those_with_a_limit_and_a_window_of_a_minute_at_most(
    quotas: list[Quota], policy: tuple[float, float] | None
) -> None:
    left = Credit()
    left.read(quotas, 0, 0.0)
    assert policy == left.policy


def test_an_answer_without_a_policy_does_not_take_the_known_one_away() -> None:
    left = Credit()
    left.read([Quota(limit=100.0, window=10.0)], 0, 0.0)
    left.read([Quota(remaining=5.0)], 0, 1.0)
    assert left.policy == (100.0, 10.0)


def test_a_refusal_with_calls_left_shows_that_another_quota_is_meant() -> None:
    left = Credit()
    assert left.read([Quota(remaining=5.0, reset=600.0)], 0, 0.0, 429) is None
    left.read([Quota(remaining=0.0, reset=600.0)], 0, 1.0)
    assert not left.is_known


def test_calls_let_in_while_nothing_was_left_refute_the_number() -> None:
    left = Credit()
    left.read([Quota(remaining=0.0, reset=5.0)], 0, 0.0)
    left.accepted(1.0, 0.5)
    assert left.is_known
    left.accepted(1.1, 0.6)
    assert not left.is_known


def test_calls_sent_before_nothing_was_left_refute_nothing() -> None:
    left = Credit()
    left.read([Quota(remaining=0.0, reset=5.0)], 0, 1.0)
    for _ in range(5):
        left.accepted(1.1, 0.9)
    assert left.is_known


def test_a_reset_is_believed_once_and_on_after_it_was_found_true() -> None:
    left = Credit()
    assert left.believes_reset(5.0, None)
    left.obeyed()
    assert not left.believes_reset(5.0, None)
    left.opened(15.0, 14.5, 15.1)
    assert left.believes_reset(5.0, None)


def test_a_reset_long_after_the_opening_is_believed_no_more() -> None:
    left = Credit()
    left.opened(30.0, 14.0, 15.0)
    assert not left.believes_reset(5.0, None)


@pytest.mark.parametrize(("window", "believed"), [(None, True), (10.0, True), (2.0, False)])
def test_a_reset_longer_than_the_measured_window_is_not_believed(
    window: float | None, believed: bool
) -> None:
    assert Credit().believes_reset(9.0, window) is believed


def test_a_reset_far_away_is_not_believed() -> None:
    assert not Credit().believes_reset(1800.0, None)
