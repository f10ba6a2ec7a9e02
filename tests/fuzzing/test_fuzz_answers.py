"""Answers of every kind, through both origins: the envelope off, the right error, no more."""

from __future__ import annotations

import itertools
import json
import random
from typing import Any
from urllib.parse import quote

import pytest
from fuzzing.budget import examples
from fuzzing.mutations import (
    ENDPOINTS,
    ERROR_SAMPLES,
    SAMPLES,
    SECRET,
    damaged,
    mutated,
    places,
    put,
    written,
)
from fuzzing.promises import ORIGINS, check_answer, check_headers
from hypothesis import given
from hypothesis import strategies as st
from routes import is_final

from humeai_async import catalog
from humeai_async.http.endpoint import Call, fill
from humeai_async.http.gateway import LowCodeAPI
from humeai_async.http.messages import Response
from humeai_async.http.origins import Format, Origin

DICE = st.randoms(use_true_random=False)
NAMED = st.sampled_from(sorted(ENDPOINTS))
ORIGIN = st.sampled_from(ORIGINS)
STATUSES = st.integers(100, 599) | st.sampled_from(
    [200, 204, 300, 307, 400, 401, 403, 404, 405, 409, 410, 413, 422, 429, 500, 502, 503, 504]
)
WORDS = st.sampled_from(
    ["data", "error", "message", "code", "detail", "loc", "msg", "fault", "faultstring", "errors",
     "errorcode", "request_id", "logging", "headers", "response_headers", "provider", "result",
     "retry-after", "x-request-id", "status", "success"]
)  # fmt: skip
TEXTS = st.text(max_size=8) | st.sampled_from(
    [SECRET, quote(SECRET, safe=""), "x" * 3000, "\x1b[2J", "\u202e", "a\nb", "<html>", "E0300"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(WORDS | st.text(max_size=3), inner, max_size=6)
    ),
    max_leaves=15,
)
NAMES = st.sampled_from(
    ["retry-after", "retry-after-ms", "ratelimit", "ratelimit-policy", "ratelimit-limit",
     "ratelimit-remaining", "ratelimit-reset", "x-ratelimit-limit", "x-ratelimit-remaining",
     "x-ratelimit-reset", "x-ratelimit-reset-after", "x-ratelimit-limit-requests",
     "x-rate-limit-limit", "x-rate-limit-reset", "date", "x-request-id", "content-type"]
)  # fmt: skip
NUMBERS = st.one_of(
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(["9" * 5000, "1e400", "1e-400", "-0", "٣", "²", "1_000", "0x10", "inf", ""]),
    st.from_regex(r"[0-9]{1,12}(ms|s|m|h|d)([0-9]{1,12}(ms|s|m|h|d))?", fullmatch=True),
)
DATES = st.builds(
    "{}, {} {} {} {}:{}:{} {}".format,
    st.sampled_from(["Sun", "Mon", "", "Dimanche"]),
    st.integers(-1, 40),
    st.sampled_from(["Jan", "Feb", "Nov", "13", ""]),
    st.integers(-1, 99_999),
    st.integers(-1, 30),
    st.integers(-1, 70),
    st.integers(-1, 70),
    st.sampled_from(["GMT", "-0000", "+9999", "EST", "", "+24000000000", "Z"]),
)
ITEMS = st.builds(
    "{}{}".format,
    st.sampled_from(['"default"', "default", "100", "limit=100", "remaining=", '"', ""]),
    st.lists(
        st.builds(";{}={}".format, st.sampled_from(["q", "w", "r", "t", "Q", ""]), NUMBERS),
        max_size=4,
    ).map("".join),
)
VALUES = st.one_of(
    st.text(max_size=40),
    st.text(st.characters(codec=None), max_size=10),  # as aiohttp hands on what is no UTF-8
    NUMBERS,
    DATES,
    st.lists(ITEMS | NUMBERS, max_size=4).map(", ".join),
)
HEADERS = st.dictionaries(NAMES, VALUES, max_size=5)


@pytest.mark.slow
@examples(300)
@given(ORIGIN, NAMED, STATUSES, HEADERS, JSON)
def test_arbitrary_json_becomes_a_value_or_the_right_error(
    origin: Origin, name: str, status: int, headers: dict[str, str], plain: Any
) -> None:
    check_answer(origin, ENDPOINTS[name], status, headers, json.dumps(plain).encode())


@pytest.mark.slow
@examples(200)
@given(ORIGIN, NAMED, STATUSES, HEADERS, st.binary(max_size=80))
def test_arbitrary_bytes_become_a_value_or_the_right_error(
    origin: Origin, name: str, status: int, headers: dict[str, str], body: bytes
) -> None:
    check_answer(origin, ENDPOINTS[name], status, headers, body)


@pytest.mark.slow
@examples(300)
@given(ORIGIN, NAMED, STATUSES, st.sampled_from(ERROR_SAMPLES), DICE)
def test_mutated_errors_become_the_right_error(
    origin: Origin, name: str, status: int, body: bytes, dice: random.Random
) -> None:
    body = written(mutated(json.loads(body), dice), dice)
    check_answer(
        origin, ENDPOINTS[name], status, {}, damaged(body, dice) if dice.random() < 0.3 else body
    )


ENVELOPES = ("result", "data", "error", "bare")


def wrap(shape: str, inner: Any, headers: Any) -> dict[str, Any]:
    """Put an envelope around an answer."""
    about = {"message": "Request completed", "provider": "humeai"}
    shapes: dict[str, dict[str, Any]] = {
        "result": {**about, "result": inner, "response_headers": headers},
        "data": {"data": inner},
        "error": {**about, "error": inner, "headers": headers},
        "bare": {"data": {"error": inner}},
    }
    return shapes[shape]


def shuffled(plain: dict[str, Any], dice: random.Random) -> dict[str, Any]:
    """Put the members of an object into another order."""
    names = list(plain)
    dice.shuffle(names)
    return {name: plain[name] for name in names}


@pytest.mark.slow
@examples(300)
@given(st.sampled_from(ENVELOPES), NAMED, STATUSES, JSON, HEADERS, DICE)
def test_mutated_envelopes_become_a_value_or_the_right_error(
    shape: str, name: str, status: int, inner: Any, headers: dict[str, str], dice: random.Random
) -> None:
    plain = shuffled(wrap(shape, inner, headers), dice)
    if dice.random() < 0.7:
        plain = mutated(plain, dice, most=2)
    body = written(plain, dice)
    check_answer(ORIGINS[1], ENDPOINTS[name], status, {}, body)


@pytest.mark.slow
@examples(200)
@given(st.sampled_from(["result", "data"]), st.sampled_from(sorted(SAMPLES)), HEADERS, DICE)
def test_what_lies_in_an_envelope_comes_out_as_it_is(
    shape: str, name: str, headers: dict[str, str], dice: random.Random
) -> None:
    inner = json.loads(SAMPLES[name][1])
    body = json.dumps(shuffled(wrap(shape, inner, headers), dice)).encode()
    answer = LowCodeAPI(SECRET).read(Response(200, {"outer": "1"}, body))
    assert json.loads(answer.body) == inner
    assert answer.headers == (headers if shape == "result" else {"outer": "1"})


@pytest.mark.slow
@examples(300)
@given(HEADERS)
def test_arbitrary_headers_are_bounded_numbers_or_nothing(headers: dict[str, str]) -> None:
    check_headers(headers)


ANSWERS = st.sampled_from(
    [None, (200, b"{}"), (404, b'{"message":"Not Found"}'), (404, b'{"code":"E0700"}'),
     (404, b"{}"), (405, b"<html>"), (429, b"{}"), (500, b'{"provider":"humeai","error":{}}'),
     (400, b'{"message":"","provider":"humeai","error":{},"headers":{}}'), (503, b"")]
)  # fmt: skip
CALLS: tuple[Call[Any], ...] = (
    fill(catalog.BATCH_GET_JOB, "a"),
    fill(catalog.CONFIGS_CREATE_VERSION, "a", body={}),
    fill(catalog.TOOLS_DELETE, "a"),
    fill(catalog.CONFIGS_LIST),
)


@pytest.mark.slow
@examples(300)
@given(st.lists(st.tuples(st.sampled_from(CALLS), st.lists(ANSWERS, min_size=2, max_size=2))))
def test_whatever_a_gateway_answers_a_call_tries_each_format_once_and_a_write_no_success_twice(
    rounds: list[tuple[Call[Any], list[tuple[int, bytes] | None]]],
) -> None:
    origin = LowCodeAPI(SECRET)
    for call, answers in rounds:
        formats = origin.formats(call)
        assert 1 <= len(formats) == len(set(formats)) <= 2
        assert call.ids or formats == (Format.NEW,)
        for url_format, given_answer in zip(formats, answers, strict=False):
            answer = given_answer and origin.read(Response(given_answer[0], {}, given_answer[1]))
            is_last = is_final(origin, call, url_format, answer)
            assert is_last or (answer and not answer.is_success)
            if not is_last and not call.endpoint.repeatable:
                assert answer is not None
                assert answer.status in {404, 405}, "only what was not carried out"
            if is_last:
                break


@pytest.mark.parametrize("shape", [*ENVELOPES, "none"])
@pytest.mark.parametrize("sample", range(len(ERROR_SAMPLES)))
def test_a_credential_shows_nowhere_wherever_an_error_repeats_it(sample: int, shape: str) -> None:
    inner = json.loads(ERROR_SAMPLES[sample])
    plain = inner if shape == "none" else wrap(shape, inner, {"x-request-id": "r"})
    said = f"no such thing: {SECRET}"
    for way, origin in itertools.product(places(plain), ORIGINS):
        body = json.dumps(put(plain, way, said)).encode()
        check_answer(origin, ENDPOINTS["tools.list"], 401, {"x-request-id": said}, body)


@pytest.mark.parametrize(("origin", "status"), [*itertools.product(ORIGINS, (200, 404, 429, 503))])
def test_the_empty_answer(origin: Origin, status: int) -> None:
    for endpoint in ENDPOINTS.values():
        check_answer(origin, endpoint, status, {}, b"")
