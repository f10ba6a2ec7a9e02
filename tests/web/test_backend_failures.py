"""What the guide's recipe tells a browser of an error."""

from __future__ import annotations

from typing import Any

import pytest
from backends import recipes

from humeai_async import (
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    ClientClosedError,
    HumeError,
    InvalidArgumentError,
    NotFoundError,
    RateLimitError,
    RateLimitWaitError,
    ServerError,
)


@pytest.fixture(scope="module")
def failures() -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(recipes()["failures.py"], names)  # noqa: S102 - it is our own guide
    return names


@pytest.mark.parametrize(
    ("problem", "status", "headers"),
    [
        (RateLimitWaitError("", seconds=2.2, retry_after=2.2), 503, {"Retry-After": "3"}),
        (RateLimitError("", retry_after=120.0), 503, {"Retry-After": "120"}),
        (RateLimitError(""), 503, {}),
        (ServerError("", status=503, retry_after=0.5), 503, {"Retry-After": "1"}),
        (ClientClosedError(""), 503, {}),
        (APITimeoutError(""), 504, {}),
        (APIConnectionError(""), 502, {}),
        (AuthenticationError(""), 502, {}),
        (ServerError("", status=500), 502, {}),
        (InvalidArgumentError("", field="id"), 422, {}),
        (NotFoundError(""), 404, {}),
    ],
)
def test_an_error_becomes_a_status(
    failures: dict[str, Any], problem: HumeError, status: int, headers: dict[str, str]
) -> None:
    told = {"error": type(problem).__name__, "may_have_worked": False}
    assert failures["http_response"](problem) == (status, headers, told)


def test_a_browser_hears_that_its_request_may_have_been_carried_out(
    failures: dict[str, Any],
) -> None:
    *_, told = failures["http_response"](APITimeoutError("to 10.0.0.7:443", outcome_unknown=True))
    assert told == {"error": "APITimeoutError", "may_have_worked": True}
