"""What headers say is used until responses refute it."""

from __future__ import annotations

import math

import pytest

from humeai_async.limiter.account import Account
from humeai_async.limiter.headers import Quota


def read(account: Account, remaining: float, *, refused: bool = False, limit: float = 100) -> None:
    quota = Quota(limit=limit, window=10.0, remaining=remaining, reset=4.0)
    account.read([quota], 0, is_refused=refused)


def test_a_number_that_falls_to_nothing_says_that_the_quota_is_used_up() -> None:
    account = Account()
    read(account, 90)
    read(account, 0)
    assert account.used_up
    assert account.reset == 4.0


def test_a_bucket_that_is_always_at_nothing_is_no_news() -> None:
    account = Account()
    for remaining in (0, 1, 0, 2, 0):
        read(account, remaining)
        assert not account.used_up


def test_a_refusal_with_calls_left_shows_that_the_number_is_of_another_quota() -> None:
    account = Account()
    read(account, 50, refused=True)
    read(account, 0)
    assert (account.left, account.used_up) == (math.inf, False)


def test_one_call_left_is_enough_for_a_refusal_to_show_that_and_less_is_not() -> None:
    for remaining, left in [(1.0, math.inf), (0.5, 0.5)]:
        account = Account()
        read(account, remaining, refused=True)
        assert account.left == left


def test_a_number_of_nothing_holds_calls_back_for_a_second_and_is_then_taken_for_false() -> None:
    account = Account()
    read(account, 0)
    assert account.hold(10.0, 1.0, 0.01) == 1.0
    assert account.hold(11.0, 1.0, 0.01) == 0.0
    read(account, 0)
    assert account.left == math.inf


def test_calls_in_flight_are_taken_off_what_is_left() -> None:
    account = Account()
    account.read([Quota(remaining=5.0)], 3, is_refused=False)
    assert account.left == 2.0


def test_the_policy_is_read_and_kept() -> None:
    account = Account()
    read(account, 50)
    account.read([], 0, is_refused=False)
    assert account.policy == (100, 10.0)


@pytest.mark.parametrize("remaining", [2, 50])
def test_calls_left_end_the_second_after_which_a_number_is_taken_for_false(remaining: int) -> None:
    account = Account()
    read(account, 0)
    assert account.hold(10.0, 1.0, 0.01) == 1.0
    read(account, remaining)
    assert account.hold(10.5, 1.0, 0.01) == 0.0
    read(account, 0)
    assert account.hold(20.0, 1.0, 0.01) == 1.0


def test_one_call_left_does_not_end_that_second() -> None:
    account = Account()
    read(account, 0)
    assert account.hold(10.0, 1.0, 0.01) == 1.0
    read(account, 1)
    read(account, 0)
    assert account.hold(10.5, 1.0, 0.01) == 0.5


def test_calls_wait_longer_for_a_number_where_responses_take_long() -> None:
    account = Account()
    read(account, 0)
    assert account.hold(10.0, 1.0, 0.5) == 2.0


def test_a_small_bucket_that_falls_from_a_few_to_nothing_is_news_only_from_a_quarter() -> None:
    account = Account()
    read(account, 24)
    read(account, 0)
    assert not account.used_up
    read(account, 25)
    read(account, 1)
    assert not account.used_up
    read(account, 0)
    assert account.used_up
    read(account, 0)
    assert not account.used_up


def test_of_several_quotas_the_tightest_counts_and_unknown_numbers_do_not() -> None:
    account = Account()
    quotas = [
        Quota(limit=10.0, remaining=9.0, reset=1.0),
        Quota(reset=7.0),
        Quota(limit=99.0, remaining=3.0, reset=2.0),
    ]
    account.read(quotas, 0, is_refused=False)
    assert (account.left, account.reset) == (3.0, 2.0)


def test_on_another_clock_a_number_holds_calls_no_longer() -> None:
    account = Account()
    read(account, 0)
    assert account.hold(10.0, 1.0, 0.01) == 1.0
    account.shift(100.0)
    assert account.hold(110.25, 1.0, 0.01) == 0.75
