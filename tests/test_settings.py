"""Settings are checked when they are made."""

from __future__ import annotations

import math
from typing import Any

import attrs
import pytest

from humeai_async.errors import ConfigurationError
from humeai_async.settings import Polling, Pool, Retry, Timeout

NOT_POSITIVE = [0, -1, -0.5, math.nan, math.inf, -math.inf, "1", True, [1]]


@pytest.mark.parametrize(
    ("cls", "name"),
    [
        (Timeout, "connect"),
        (Timeout, "read"),
        (Timeout, "total"),
        (Retry, "initial_delay"),
        (Retry, "max_delay"),
        (Retry, "max_retry_after"),
        (Pool, "keepalive"),
        (Polling, "min_interval"),
        (Polling, "max_interval"),
    ],
)
def test_times_must_be_positive_numbers(cls: Any, name: str) -> None:
    for value in NOT_POSITIVE:
        with pytest.raises(ConfigurationError, match=f"^{name} must be a positive number"):
            cls(**{name: value})


@pytest.mark.parametrize(
    ("cls", "name", "value"),
    [
        (Retry, "attempts", 0),
        (Retry, "attempts", 1.5),
        (Retry, "attempts", "2"),
        (Retry, "budget", -0.1),
        (Retry, "budget", math.nan),
        (Retry, "budget", "1"),
        (Pool, "limit", 0),
        (Pool, "limit", 2.5),
        (Pool, "limit", None),
        (Pool, "limit", 10**400),
        (Pool, "trust_env", "false"),
    ],
)
def test_counts_must_be_in_their_range(cls: Any, name: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name} must be"):
        cls(**{name: value})


def test_the_longest_round_of_polls_is_not_shorter_than_the_shortest() -> None:
    with pytest.raises(ConfigurationError, match="max_interval must be"):
        Polling(min_interval=30.0, max_interval=15.0)
    assert Polling(min_interval=15.0, max_interval=15.0).max_interval == 15.0


def test_the_bounds_themselves_are_allowed() -> None:
    assert Retry(attempts=1, budget=0).attempts == 1
    assert Pool(limit=1).limit == 1
    assert Timeout(connect=None, read=None, total=None).total is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (Timeout(read=1.0), Timeout(read=1.0)),
        (5, Timeout(total=5.0)),
        (0.5, Timeout(total=0.5)),
        (None, Timeout(total=None)),
    ],
)
def test_a_number_is_the_total_timeout_and_none_is_no_total(given: Any, expected: Timeout) -> None:
    assert Timeout.of(given) == expected


@pytest.mark.parametrize("value", [*NOT_POSITIVE, "soon", object()])
def test_other_things_are_no_timeout(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="total must be a positive number"):
        Timeout.of(value)


@pytest.mark.parametrize(
    ("settings", "name"),
    [(Timeout(), "read"), (Retry(), "budget"), (Pool(), "limit"), (Polling(), "max_interval")],
)
def test_settings_cannot_be_changed(settings: object, name: str) -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(settings, name, 20)


def test_idle_connections_are_dropped_before_the_gateway_closes_them() -> None:
    assert Pool().keepalive < 5.0
