"""The limiter among 60 quotas that it was not made for; `tests/limiter_zoo.py` runs more.

The figures are what it reaches today: whoever makes it better moves them.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zoo.cells import draw
from zoo.report import percentile
from zoo.traffic import Outcome, run, run_changing

pytestmark = pytest.mark.slow

CELLS = range(60)
CHANGING = (1, 6, 7, 10, 15, 33, 56, 61, 64)
"""Cells with windows of up to 2 s and at least ten requests a second."""


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    return [run(draw(seed)) for seed in CELLS]


def test_the_pace_is_found_in_most_cells(outcomes: list[Outcome]) -> None:
    paces = [one.pace for one in outcomes]
    assert percentile(paces, 0.05) >= 0.48
    assert percentile(paces, 0.25) >= 0.85
    assert percentile(paces, 0.5) >= 0.94


def test_few_attempts_are_refused(outcomes: list[Outcome]) -> None:
    refused = [one.refused for one in outcomes]
    assert percentile(refused, 0.5) <= 0.065
    assert percentile(refused, 0.95) <= 0.45


def test_no_cell_fails_a_call_that_the_quota_would_have_let_in(outcomes: list[Outcome]) -> None:
    assert not [one for one in outcomes if one.failed]


def test_no_cell_stands_still_for_longer_than_the_quota_asks(outcomes: list[Outcome]) -> None:
    assert not [one for one in outcomes if one.idle > one.allowed_idle]


def test_a_quota_that_changes_is_found_again() -> None:
    found = [run_changing(draw(seed)) for seed in CHANGING]
    assert percentile([one.halved for one in found], 0.25) >= 0.75
    assert percentile([one.tripled for one in found], 0.25) >= 0.55


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10_000), gaps=st.lists(st.floats(0, 2), min_size=1, max_size=60))
def test_a_quota_of_the_zoo_opens_when_it_says_and_not_before(seed: int, gaps: list[float]) -> None:
    cell = draw(seed)
    quota, now = cell.quota, 1000.0
    for gap in gaps:
        now += gap * cell.window / 4
        while quota.take(now):
            if cell.limit > 100:
                break
        wait = quota.opens_in(now)
        assert 0 <= quota.left(now) <= max(cell.limit, cell.burst)
        if wait > 1e-6:
            assert not quota.take(now + wait / 2)
            now += wait + 1e-6
            assert quota.take(now)
