"""Bad answers become errors: every shape of error that Hume and the gateway write."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from humeai_async import catalog
from humeai_async.errors import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    DecodeError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    SunsetError,
    UnprocessableEntityError,
)
from humeai_async.http.endpoint import Endpoint
from humeai_async.http.gateway import LowCodeAPI
from humeai_async.http.messages import Response
from humeai_async.http.raw_calls import RawResponse
from humeai_async.http.status_errors import BODY_KEPT, to_error

SAMPLES = Path(__file__).parents[1] / "samples"
RECORDED = {
    one["name"]: one["response"]
    for one in json.loads((SAMPLES / "transcripts.json").read_text("utf-8"))
}
TODAY = dt.date(2026, 11, 22)
LIVE = evolve(catalog.CONFIGS_LIST, sunset=None)
WRITE = evolve(catalog.CONFIGS_CREATE, sunset=None)
SECRET = "at_PLANTED"


def hide(text: str) -> str:
    return text.replace(SECRET, "***")


def error_of(
    body: object,
    status: int = 400,
    *,
    endpoint: Endpoint[Any] = LIVE,
    headers: Mapping[str, str] | None = None,
    retry_after: float | None = None,
    is_hume: bool = True,
) -> APIStatusError:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = Response(status, headers or {}, text)
    return to_error(
        answer, endpoint, retry_after=retry_after, scrub=hide, today=TODAY, is_hume=is_hume
    )


def recorded_error(name: str) -> APIStatusError:
    response = RECORDED[name]
    headers = {key.lower(): value for key, value in response["headers"].items()}
    raw = Response(response["status"], headers, response["body"].encode())
    answer = LowCodeAPI(SECRET).read(raw)
    return to_error(answer, LIVE, retry_after=None, scrub=hide, today=TODAY, is_hume=True)


@pytest.mark.parametrize(
    ("status", "cls"),
    [
        (400, BadRequestError),
        (401, AuthenticationError),
        (403, PermissionDeniedError),
        (404, NotFoundError),
        (409, ConflictError),
        (422, UnprocessableEntityError),
        (429, RateLimitError),
        (500, ServerError),
        (502, ServerError),
        (599, ServerError),
        (302, APIStatusError),
        (405, APIStatusError),
        (410, APIStatusError),
        (413, APIStatusError),
        (431, APIStatusError),
    ],
)
def test_each_status_has_its_class(status: int, cls: type[APIStatusError]) -> None:
    error = error_of({"message": "no"}, status)
    assert type(error) is cls
    assert (error.status, error.message) == (status, "no")
    assert (error.method, error.endpoint) == (LIVE.method, LIVE.path)


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        ({"message": "no", "error": "Bad", "code": "E0101"}, "no", "E0101"),
        ({"error": "Bad Request"}, "Bad Request", None),
        ({"error": {"message": "no", "code": "E1"}}, "no", "E1"),
        ({"data": {"error": {"message": "no", "code": "UNAUTHORIZED"}}}, "no", "UNAUTHORIZED"),
        ({"fault": {"faultstring": "no", "detail": {"errorcode": "oauth.x"}}}, "no", "oauth.x"),
        ({"detail": "no"}, "no", None),
        ({"type": "error", "code": "too_long", "message": "no"}, "no", "too_long"),
        ({"message": "no", "code": 404}, "no", "404"),
        ({"message": "no", "code": True}, "no", None),
        ({"message": "  no  "}, "no", None),
        ({"message": "", "error": "fallback"}, "fallback", None),
        ({"message": {"deep": 1}, "detail": "fallback"}, "fallback", None),
        ("no, in a JSON text", "no, in a JSON text", None),
        (b"upstream connect error", "upstream connect error", None),
    ],
)
def test_message_and_code_are_found_in_every_shape(
    body: object, message: str, code: str | None
) -> None:
    error = error_of(body)
    assert (error.message, error.code) == (message, code)


@pytest.mark.parametrize(
    ("sample", "message", "code", "request_id"),
    [
        ("400", "the request could not be read", "E0101", None),
        ("422", "body.utterances.0.text: Field required", None, None),
        (
            "decisions",
            "a score question needs two levels or more",
            "question_invalid",
            "req_01KA8M2Q7W4T",
        ),
        (
            "expression",
            "the file is longer than the limit",
            "audio_too_long",
            "14722409-9970-5bd6-8f90-f465b29e2428",
        ),
        ("gateway_documented", "a valid token is required", "UNAUTHORIZED", None),
    ],
)
def test_the_samples_of_errors_are_understood(
    sample: str, message: str, code: str | None, request_id: str | None
) -> None:
    text = (SAMPLES / "answers" / f"extra_error_{sample}.json").read_bytes()
    error = error_of(text)
    assert (error.message, error.code, error.request_id) == (message, code, request_id)


@pytest.mark.parametrize(
    ("name", "cls", "message", "code"),
    [
        ("upstream_400_get", BadRequestError, "Request was malformed", "E0300"),
        ("upstream_401_get", AuthenticationError, "Invalid ApiKey", "oauth.v2.InvalidApiKey"),
        ("upstream_404_get", NotFoundError, "Job not found", "E0404"),
        ("upstream_422_get", UnprocessableEntityError, "body.name: field required", None),
        ("upstream_429_get", RateLimitError, "Rate limit exceeded", "E0429"),
        ("upstream_500_get", ServerError, "Internal server error", "E0500"),
        ("upstream_500_empty", ServerError, "Error received from the humeai API", None),
    ],
)
def test_humes_errors_are_understood_through_the_recorded_gateway(
    name: str, cls: type[APIStatusError], message: str, code: str | None
) -> None:
    error = recorded_error(name)
    assert type(error) is cls
    assert (error.message, error.code, error.request_id) == (message, code, "req-0001")


@pytest.mark.parametrize(
    ("name", "message", "code"),
    [
        ("token_missing", "A valid API token is required to access this API.", "401"),
        ("token_unknown", "Invalid api_token", "403"),
        ("upstream_conn_reset", "socket hang up", None),
        ("new_format_get_item", "Not Found", None),
        ("json_body_over_100MiB", "request entity too large", None),
        ("url_17k", "the server responded 431 without a message", None),
    ],
)
def test_the_gateways_own_errors_are_understood(name: str, message: str, code: str | None) -> None:
    error = recorded_error(name)
    assert (error.message, error.code) == (message, code)


def test_every_recorded_error_has_a_message() -> None:
    names = [name for name, one in RECORDED.items() if one and one["status"] >= 300]
    assert all(recorded_error(name).message for name in names)


@pytest.mark.parametrize("body", [b"<html><h1>502</h1>", b" \n<!DOCTYPE html>", b'"<html>"'])
def test_a_page_of_html_is_called_one(body: bytes) -> None:
    assert "HTML page" in error_of(body, 502).message


def test_a_recorded_page_of_html_is_called_one() -> None:
    assert "HTML page" in recorded_error("upstream_502_html").message


def test_a_redirect_says_what_to_check() -> None:
    assert "check the base URL" in error_of(b"", 302).message
    assert "check the base URL" in recorded_error("provider_root").message


def test_a_long_text_is_no_message() -> None:
    error = error_of(b"a long page of text\n" * 500, 500)
    assert error.message == "the server responded 500 without a message"
    assert error.body.startswith("a long page")


@pytest.mark.parametrize("body", [[" "], {"message": "\t"}, {"detail": [" ", ""]}, "  "])
def test_an_error_whose_words_are_blank_counts_as_one_without(body: object) -> None:
    assert error_of(body).message == "the server responded 400 without a message"


def test_several_details_of_a_422_make_one_line() -> None:
    detail = [
        {"loc": ["body", "a", 0], "msg": "missing", "type": "x"},
        {"loc": "body", "msg": "odd"},
        {"msg": "bare"},
        "no object",
    ]
    assert error_of({"detail": detail}, 422).message == "body.a.0: missing; odd; bare; no object"


def test_a_request_id_in_the_headers_comes_first() -> None:
    headers = {"x-request-id": "outer"}
    assert error_of({"request_id": "inner"}, headers=headers).request_id == "outer"
    assert error_of({"request_id": "inner"}).request_id == "inner"
    assert error_of({"request_id": 7}).request_id is None


def test_the_start_of_the_body_is_kept() -> None:
    assert error_of(b'{"message": "no", "more": [1]}').body == '{"message": "no", "more": [1]}'
    assert len(error_of(b"x" * 10_000).body) == BODY_KEPT
    assert error_of(b"\xff\xfe").body == "\ufffd\ufffd"


def test_what_the_gateway_repeats_of_the_request_is_dropped() -> None:
    error = recorded_error("token_in_header_bearer")
    assert "logging" not in error.body
    assert "authorization" not in error.body.lower()
    assert json.loads(error.body) == {
        "message": "A valid API token is required to access this API.",
        "provider": "humeai",
        "error": {"code": 401},
    }


@pytest.mark.parametrize("field", ["message", "code", "request_id", "other"])
def test_the_credential_is_scrubbed_from_every_field(field: str) -> None:
    error = error_of({field: f"<{SECRET}>"}, headers={"x-trace": SECRET})
    assert SECRET not in f"{error} {vars(error)!r}"
    assert "***" in error.body


def test_a_credential_at_the_end_of_what_is_kept_is_not_cut_in_half() -> None:
    body = b"x" * (BODY_KEPT - 5) + SECRET.encode()
    assert SECRET[:4] not in error_of(body).body


SUNSET = evolve(catalog.CONFIGS_LIST, sunset=TODAY, replacement="the new one")


@pytest.mark.parametrize("status", [404, 410])
def test_what_hume_switched_off_says_so(status: int) -> None:
    error = error_of({"message": "no"}, status, endpoint=SUNSET)
    assert isinstance(error, SunsetError)
    assert isinstance(error, NotFoundError)
    assert (error.sunset, error.replacement, error.status) == (TODAY, "the new one", status)
    assert str(TODAY) in error.message
    assert "Its successor is the new one" in error.message


@pytest.mark.parametrize(
    "body",
    [
        {"message": "config nope version 1 not found"},
        {"error": {"code": "E0404", "message": "no such job"}},
        {"detail": "Not Found", "job_id": "a"},
    ],
)
def test_a_stand_in_that_serves_an_endpoint_past_its_sunset_has_ordinary_404s(body: Any) -> None:
    error = error_of(body, 404, endpoint=SUNSET, is_hume=False)
    assert type(error) is NotFoundError
    assert str(TODAY) not in error.message


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"detail": "Not Found"}, 404),
        ({"message": "no Route matched"}, 404),
        ({}, 404),
        (b"", 404),
        (b"<html>404</html>", 404),
        (b"404 page not found", 404),
        ({"message": "config nope version 1 not found"}, 410),
    ],
)
def test_elsewhere_a_routers_404_and_a_410_say_that_an_endpoint_is_gone(
    body: Any, status: int
) -> None:
    assert isinstance(error_of(body, status, endpoint=SUNSET, is_hume=False), SunsetError)


def test_a_sunset_without_a_replacement_says_so() -> None:
    endpoint = evolve(SUNSET, replacement="")
    assert "Hume has named no successor" in error_of(b"", 404, endpoint=endpoint).message


@pytest.mark.parametrize(
    ("sunset", "status"), [(TODAY + dt.timedelta(days=1), 404), (None, 404), (TODAY, 403)]
)
def test_before_its_sunset_or_with_another_status_it_is_an_error_like_any_other(
    sunset: dt.date | None, status: int
) -> None:
    error = error_of({"message": "no"}, status, endpoint=evolve(SUNSET, sunset=sunset))
    assert not isinstance(error, SunsetError)
    assert error.message == "no"


@pytest.mark.parametrize(
    ("endpoint", "status", "retry_after", "unknown"),
    [
        (WRITE, 500, None, True),
        (WRITE, 502, None, True),
        (WRITE, 503, None, True),
        (WRITE, 503, 2.0, False),
        (WRITE, 408, None, True),
        (WRITE, 429, None, False),
        (WRITE, 400, None, False),
        (LIVE, 500, None, False),
    ],
)
def test_whether_a_write_may_have_been_carried_out_is_told(
    endpoint: Endpoint[Any], status: int, retry_after: float | None, *, unknown: bool
) -> None:
    error = error_of({}, status, endpoint=endpoint, retry_after=retry_after)
    assert error.outcome_unknown is unknown
    assert error.retry_after == retry_after


def test_an_answer_reads_itself_as_json() -> None:
    answer = RawResponse(200, {}, b'{"a": [1]}')
    assert answer.is_success
    assert answer.json() == {"a": [1]}
    with pytest.raises(DecodeError):
        RawResponse(200, {}, b"<html>").json()


@pytest.mark.parametrize(("status", "good"), [(199, False), (200, True), (299, True), (300, False)])
def test_success_is_two_hundred_and_something(status: int, *, good: bool) -> None:
    assert Response(status, {}, b"").is_success is good


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["data", "error", "message", "code", "detail", "loc", "msg", "fault", "logging",
             "faultstring", "errorcode", "request_id"]
        )
        | st.text(max_size=3),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@given(JSON, st.integers(100, 599))
def test_no_json_breaks_the_building_of_an_error(body: object, status: int) -> None:
    error = error_of(body, status)
    assert error.message
    assert str(error)


@given(st.binary(max_size=80), st.integers(100, 599))
def test_no_bytes_break_the_building_of_an_error(body: bytes, status: int) -> None:
    assert error_of(body, status).message


@given(st.integers(1, 3), st.integers(-(10**40), 10**40))
def test_no_number_breaks_the_dropping_of_the_echo(depth: int, number: int) -> None:
    text = b'{"error": {"logging": 1, "code": %d}, "x": %s%d%s, "y": "\\ud800"}' % (
        number,
        b"[" * depth,
        number,
        b"]" * depth,
    )
    assert error_of(text).message


def test_a_body_nested_without_end_does_not_break_it() -> None:
    assert error_of(b'{"error":' * 100_000).message


def test_a_status_error_has_the_headers_of_its_response() -> None:
    sent = CIMultiDict({"Retry-After": "2", "X-RateLimit-Remaining-Tokens": "0", "Via": "a"})
    sent.extend({"via": "b", "WWW-Authenticate": "Bearer", "X-Api-Key": "k", "Location": "/x"})
    error = error_of({"message": "slow down"}, 429, headers=sent)
    assert error.headers == {
        "retry-after": "2",
        "x-ratelimit-remaining-tokens": "0",
        "via": "a, b",
        "www-authenticate": "Bearer",
        "location": "/x",
    }


def test_credentials_are_taken_out_of_the_headers_of_an_error() -> None:
    sent = {"X-Echo": f"token {SECRET}", "Location": "https://h.example/x?sig=1", "X": "a" * 9000}
    error = error_of({}, 429, headers=sent)
    assert error.headers["x-echo"] == "token ***"
    assert "sig=1" not in error.headers["location"]
    assert len(error.headers["x"]) == BODY_KEPT
