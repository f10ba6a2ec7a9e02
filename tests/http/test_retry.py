"""Decisions about repeats, as tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from humeai_async.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    DecodeError,
    HumeError,
    RateLimitWaitError,
    TLSError,
)
from humeai_async.http.messages import Delivery
from humeai_async.http.retry import RetryBudget, decide, delivery_by_status
from humeai_async.settings import Retry

RETRY = Retry(attempts=4, initial_delay=0.5, max_delay=20.0, max_retry_after=120.0)


def status(code: int, retry_after: float | None = None) -> APIStatusError:
    return APIStatusError("", status=code, retry_after=retry_after)


REFUSED = APIConnectionError("")
CUT_OFF = APIConnectionError("", outcome_unknown=True)
SILENT = APITimeoutError("", outcome_unknown=True)


@pytest.mark.parametrize(
    ("failure", "repeatable", "expected"),
    [
        (REFUSED, True, 0.5),
        (REFUSED, False, 0.5),
        (CUT_OFF, True, 0.5),
        (CUT_OFF, False, None),
        (SILENT, True, 0.5),
        (SILENT, False, None),
        (TLSError(""), True, None),
        (status(408), True, 0.5),
        (status(500), True, 0.5),
        (status(500), False, None),
        (status(502), True, 0.5),
        (status(504), False, None),
        (status(503), True, 0.5),
        (status(503), False, None),
        (status(503, 3.0), True, 3.0),
        (status(503, 3.0), False, 3.0),
        (status(429), True, 0.0),
        (status(429), False, 0.0),
        (status(429, 7.0), False, 0.0),
        (status(429, 120.0), True, 0.0),
        (status(503, 120.0), True, 120.0),
        (status(429, 121.0), True, None),
        (status(503, 121.0), True, None),
        (status(400), True, None),
        (status(401), True, None),
        (status(404), True, None),
        (status(409), True, None),
        (status(501), True, None),
        (status(505), True, None),
        (status(522), True, 0.5),
        (status(522), False, None),
        (RateLimitWaitError("", seconds=1.0), True, None),
        (DecodeError("", is_whole=True), True, None),
        (DecodeError("", path="$"), True, 0.5),
        (DecodeError("", path="$"), False, None),
        (DecodeError("", path="$.name"), True, None),
        (HumeError(""), True, None),
    ],
)
def test_what_is_sent_again_and_when(
    failure: HumeError, repeatable: bool, expected: float | None
) -> None:
    assert expected == decide(RETRY, failure, attempt=1, repeatable=repeatable, jitter=lambda: 1.0)


@pytest.mark.parametrize(("attempt", "expected"), [(1, 0.5), (2, 1.0), (3, 2.0), (4, None)])
def test_pauses_double_until_the_attempts_are_used_up(attempt: int, expected: float | None) -> None:
    assert expected == decide(RETRY, REFUSED, attempt=attempt, repeatable=True, jitter=lambda: 1.0)


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_a_pause_of_our_own_is_never_nothing_and_never_beyond_the_longest(
    attempt: int, jitter: float
) -> None:
    retry = Retry(attempts=20_000, initial_delay=0.5, max_delay=20.0)
    pause = decide(retry, REFUSED, attempt=attempt, repeatable=True, jitter=lambda: jitter)
    assert pause is not None
    assert 0.25 <= pause <= 20.0


@pytest.mark.parametrize(
    ("code", "retry_after", "expected"),
    [(500, None, True), (502, None, True), (503, None, True), (503, 1.0, False), (400, None, False),
     (408, None, True), (429, None, False), (101, None, True), (302, None, True),
     (303, None, True), (307, None, False)],
)  # fmt: skip
def test_which_statuses_leave_it_open_whether_the_work_was_done(
    code: int, retry_after: float | None, expected: bool
) -> None:
    delivery = Delivery.UNKNOWN if expected else Delivery.RESPONDED
    assert delivery_by_status(code, retry_after) is delivery


def test_an_outage_meets_at_most_one_retry_for_ten_calls_beyond_the_reserve() -> None:
    budget = RetryBudget(0.1)
    retries = 0
    for _ in range(10_000):
        budget.earn()
        retries += sum(budget.spend() for _ in range(3))
    assert 990 <= retries - RetryBudget.RESERVE <= 1000


def test_the_reserve_can_be_spent_to_its_last_retry_and_no_further() -> None:
    budget = RetryBudget(0.5)
    assert sum(budget.spend() for _ in range(1000)) == RetryBudget.RESERVE


def test_calls_earn_new_retries_once_the_reserve_is_gone() -> None:
    budget = RetryBudget(0.5)
    spent = 0
    while budget.spend() and spent < 1000:
        spent += 1
    budget.earn()
    assert not budget.spend()
    budget.earn()
    assert [budget.spend(), budget.spend()] == [True, False]


def test_a_long_quiet_time_earns_no_more_than_the_reserve() -> None:
    budget = RetryBudget(0.5)
    for _ in range(1000):
        budget.earn()
    assert sum(budget.spend() for _ in range(1000)) == RetryBudget.RESERVE


def test_a_quiet_client_may_retry_at_once() -> None:
    budget = RetryBudget(0.1)
    budget.earn()
    assert [budget.spend() for _ in range(3)] == [True] * 3
