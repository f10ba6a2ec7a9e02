"""Options of bulk runs: numbers of any type are taken, and nothing that is none."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from humeai_async import BulkOptions, InvalidArgumentError


def test_numbers_of_any_type_become_plain_ones() -> None:
    given: Any = Decimal("1.5")
    options = BulkOptions(search_patience=given, outage_patience=None)
    assert type(options.search_patience) is float
    assert options.outage_patience is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("job_size", True),
        ("job_size", "3"),
        ("job_size", 101),
        ("jobs_at_once", 0),
        ("search_patience", 10**400),
        ("search_patience", "1"),
        ("retry_failed", 1),
    ],
)
def test_what_is_none_is_refused_by_its_name(name: str, value: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=name):
        BulkOptions.of(None, **{name: value})


def test_options_that_are_something_else_are_refused() -> None:
    given: Any = {"job_size": 3}
    with pytest.raises(InvalidArgumentError, match="must be BulkOptions, not dict"):
        BulkOptions.of(given)
