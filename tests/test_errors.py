"""The tree of errors."""

from __future__ import annotations

import copy
import datetime as dt
import inspect
import pickle

import pytest

from humeai_async import errors, to_json
from humeai_async.errors import HumeError

CLASSES = [
    cls
    for _, cls in inspect.getmembers(errors, inspect.isclass)
    if issubclass(cls, Exception) and not issubclass(cls, Warning)
]

EXAMPLES: list[HumeError] = [
    errors.InvalidArgumentError("no", field="urls"),
    errors.DecodeError("no", path="$.a"),
    errors.JobFailedError("no", job_id="j", job_status="FAILED"),
    errors.JobTimeoutError("no", job_id="j", job_status=None, elapsed=2.0),
    errors.RateLimitWaitError("no", seconds=3.0),
    errors.SunsetError("no", sunset=dt.date(2026, 6, 15), replacement="x", status=404),
    errors.ChatClosedError("no", close_code=1008, reason="policy"),
    errors.RateLimitError("no", status=429, retry_after=2.0, body="{}", headers={"A": "b"}),
]


def test_every_error_descends_from_the_one_root() -> None:
    for cls in CLASSES:
        assert issubclass(cls, HumeError)


def test_every_error_stands_in_the_drawn_tree() -> None:
    for cls in CLASSES:
        assert cls.__name__ in (errors.__doc__ or "")


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_errors_survive_pickling_with_all_they_carry(error: HumeError) -> None:
    loaded = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(error) is type(loaded)
    assert error.__dict__ == loaded.__dict__
    assert str(error) == str(loaded)


def test_headers_of_an_error_can_only_be_read() -> None:
    error = errors.RateLimitError("no", status=429, headers={"X-Served-By": "edge\r\n7"})
    assert error.headers == copy.deepcopy(error).headers == {"x-served-by": "edge  7"}
    with pytest.raises(TypeError):
        error.headers["x-served-by"] = "me"  # type: ignore[index]  # pyright: ignore[reportIndexIssue]  # refused on purpose
    assert errors.ServerError("no").headers == {}


def test_headers_of_an_error_stand_in_no_text() -> None:
    error = errors.RateLimitError("no", status=429, headers={"x-served-by": "edge-7"})
    assert "edge-7" not in f"{error} {error!r} {to_json(error)}"


def test_the_text_of_an_error_names_what_is_known_of_the_call() -> None:
    error = errors.ServerError(
        "it broke",
        method="POST",
        endpoint="/v0/batch/jobs",
        status=500,
        code="E0500",
        request_id="r-1",
        attempts=3,
        elapsed=2.25,
        outcome_unknown=True,
    )
    assert str(error) == (
        "it broke [POST /v0/batch/jobs, status 500, code E0500, request id r-1, "
        "3 attempts in 2.2 s, the request may have been carried out]"
    )


def test_an_error_without_a_call_is_just_its_message() -> None:
    assert str(errors.ConfigurationError("no credential")) == "no credential"


def test_a_refused_argument_is_a_value_error_too() -> None:
    assert issubclass(errors.InvalidArgumentError, ValueError)
