"""What must hold whatever comes in: the checks that all fuzzing here is made of.

Each function takes input that may be anything, calls the library as a client would, and fails
with an assertion, or with whatever else should not have come out. They are used by the
hypothesis tests, by the table of regressions, and by the coverage-guided run.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import pickle
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from fuzzing.mutations import SECRET

from humeai_async.errors import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    DecodeError,
    HumeError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    SunsetError,
    UnprocessableEntityError,
)
from humeai_async.http import codec
from humeai_async.http.endpoint import Endpoint
from humeai_async.http.gateway import LowCodeAPI
from humeai_async.http.messages import Response
from humeai_async.http.origins import Direct, Origin
from humeai_async.http.status_errors import to_error
from humeai_async.limiter.headers import LONGEST_HINT, MOST_CALLS, parse_retry_after, read_quotas
from humeai_async.types.json import is_array, is_object
from humeai_async.types.predictions.predictions import Predictions
from humeai_async.types.predictions.slices import Slices

DEEPEST = 100
"""Levels of nesting up to which Python itself can pickle a value."""
LONGEST_ERROR = 20_000
"""Characters of an error, everything told by it included."""
TODAY = dt.date(2026, 11, 24)
ORIGINS: tuple[Origin, ...] = (Direct(api_key=SECRET), LowCodeAPI(SECRET))

CLASSES = {
    400: BadRequestError, 401: AuthenticationError, 403: PermissionDeniedError,
    404: NotFoundError, 409: ConflictError, 422: UnprocessableEntityError, 429: RateLimitError,
}  # fmt: skip


def check_decoding(returns: Any, body: bytes) -> bool:
    """Read a body: a value that works in every way, or a `DecodeError` that points into it.

    Returns:
        Whether it was read.
    """
    try:
        value = codec.decode(returns, body)
    except DecodeError as problem:
        check_decode_error(problem, body)
        return False
    check_value(returns, value, body)
    return True


def _is_same(one: Any, other: Any) -> bool:
    """Whether two values are equal; NaN, a missing score, equals nothing but is written alike."""
    return bool(one == other) or codec.encode(one) == codec.encode(other)


def check_value(returns: Any, value: Any, body: bytes) -> None:
    """Use a decoded value in every way that a caller may."""
    assert repr(value)
    if isinstance(value, Predictions) and not _check_predictions(value, body):
        return
    again = codec.decode(returns, body)
    assert _is_same(value, again)
    for part, _ in _walk(value):
        _check_properties(part)
    if _depth(value) <= DEEPEST:
        assert _is_same(pickle.loads(pickle.dumps(value)), value)  # noqa: S301 - our own
    if isinstance(value, (bytes, type(None))):
        return
    try:
        text = codec.encode(value)
    except HumeError:
        assert _has_what_cannot_be_written(value)
    else:
        assert _is_same(codec.decode(returns, text), value)


def check_decode_error(problem: DecodeError, body: bytes) -> None:
    """Check that an error can be shown, kept and followed to its place."""
    _check_error(problem)
    assert problem.path in problem.message or problem.path == "$"
    may_be_missing = "missing" in problem.message
    assert _leads_somewhere(problem.path, body, may_be_missing=may_be_missing), problem


def check_answer(
    origin: Origin, endpoint: Endpoint[Any], status: int, headers: Mapping[str, str], body: bytes
) -> None:
    """Take an answer's envelope off; then read it, or build the error that it stands for."""
    answer = origin.read(Response(status, headers, body))
    assert answer.status == status
    assert all(type(key) is type(value) is str for key, value in answer.headers.items())
    check_headers(answer.headers)
    if answer.is_success:
        check_decoding(endpoint.returns, answer.body)
        return
    retry_after = parse_retry_after(answer.headers, now_epoch=1.7e9)
    error = to_error(
        answer, endpoint, retry_after=retry_after, scrub=origin.redact, today=TODAY, is_hume=True
    )
    check_status_error(error, status, endpoint)


def check_status_error(error: APIStatusError, status: int, endpoint: Endpoint[Any]) -> None:
    """Check class, words and length of an error made of an answer."""
    _check_error(error)
    is_over = endpoint.sunset is not None and endpoint.sunset <= TODAY
    if status in {404, 410} and is_over:
        assert type(error) is SunsetError
    else:
        expected = ServerError if status >= 500 else CLASSES.get(status, APIStatusError)
        assert type(error) is expected
    assert error.status == status
    assert len(error.body) <= 2000
    for told in (error.message, error.code, error.request_id, error.body):
        assert told is None or SECRET not in told
    assert SECRET not in str(error) + repr(error)


def _check_error(error: HumeError) -> None:
    text = str(error)
    assert error.message.strip()
    assert text.encode()
    assert len(text) <= LONGEST_ERROR
    assert text.isprintable(), f"{text!r} would play with a terminal or a log"
    copied = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert (type(copied), str(copied)) == (type(error), text)
    assert repr(error)


def check_headers(headers: Mapping[str, str]) -> None:
    """Read what headers say of a quota: bounded numbers, or nothing."""
    wait = parse_retry_after(headers, now_epoch=1.7e9)
    assert wait is None or 0 <= wait <= LONGEST_HINT
    for quota in read_quotas(headers, now_epoch=1.7e9):
        for calls in (quota.limit, quota.remaining):
            assert calls is None or (math.isfinite(calls) and 0 <= calls <= MOST_CALLS)
        for seconds in (quota.window, quota.reset):
            assert seconds is None or (math.isfinite(seconds) and 0 <= seconds <= LONGEST_HINT)


def _check_predictions(found: Predictions, body: bytes) -> bool:
    """Touch everything lazy; false if something is wrong there, named with its place."""
    try:
        found.validate()
    except DecodeError as problem:
        check_decode_error(problem, body)
        for model in ("face", "language"):
            _read_or_refuse(lambda model=model: found.scores(model))
        _read_or_refuse(lambda: list(found.rows()))
        return False
    for model in ("face", "burst", "prosody", "language", "ner", "facemesh"):
        table = found.scores(model)
        assert len(table.values) == len(table) * len(table.names)
    for row in found.rows():
        assert len(row.names) == len(row.scores)
        assert not any(map(math.isinf, row.scores))  # NaN is a score that is missing
    return True


def _read_or_refuse(read: Any) -> None:
    try:
        read()
    except DecodeError as problem:
        _check_error(problem)


def _check_properties(part: Any) -> None:
    """Read the properties that unpack a field: a value, or a `DecodeError`."""
    if not hasattr(part, "__attrs_attrs__"):
        return
    for cls in type(part).__mro__:
        for name, member in vars(cls).items():
            if isinstance(member, property):
                _read_or_refuse(lambda name=name: getattr(part, name))


def _has_what_cannot_be_written(value: Any) -> bool:
    """Whether a value holds a number or a nesting that no JSON writer takes."""
    return _depth(value) > DEEPEST or any(
        isinstance(leaf, int) and not -(2**63) <= leaf < 2**64 for leaf, _ in _walk(value)
    )


def _walk(value: Any) -> Iterator[tuple[Any, int]]:
    """Give a value and everything in it, each with its depth."""
    pending = [(value, 0)]
    while pending:
        inner, depth = pending.pop()
        yield inner, depth
        if is_object(inner):
            pending.extend((one, depth + 1) for one in inner.values())
        elif isinstance(inner, (list, Predictions, Slices)):
            items = cast("Sequence[Any]", inner)
            pending.extend((one, depth + 1) for one in items)
        else:
            fields: tuple[Any, ...] = getattr(inner, "__attrs_attrs__", ())
            pending.extend((getattr(inner, field.name), depth + 1) for field in fields)


def _depth(value: Any) -> int:
    return max(depth for _, depth in _walk(value))


_STEP = re.compile(r'\.([A-Za-z_]\w*)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]|\[(\.\.\.)\]')


def steps(path: str) -> list[str | int | None] | None:
    """Split a JSON path into names, places, and `None` for any member."""
    if not path.startswith("$"):
        return None
    found: list[str | int | None] = []
    place = 1
    while place < len(path):
        step = _STEP.match(path, place)
        if step is None:
            return None
        name, index, key, _ = step.groups()
        found.append(name or (int(index) if index else json.loads(key) if key else None))
        place = step.end()
    return found


def _leads_somewhere(path: str, body: bytes, *, may_be_missing: bool) -> bool:
    """Whether a path can be followed in a body; a missing member need not be there."""
    way = steps(path)
    if way is None:
        return False
    try:
        # All members of a name that stands twice: a scanner may stumble over either.
        text = body.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogatepass")
        values: list[Any] = [json.loads(text, object_pairs_hook=tuple)]
    except (ValueError, RecursionError):
        return True
    for number, step in enumerate(way):
        values = [inner for value in values for inner in _follow(value, step)]
        if not values:
            return may_be_missing and number == len(way) - 1
    return True


def _follow(value: Any, step: str | int | None) -> list[Any]:
    if isinstance(value, tuple):
        pairs = cast("tuple[tuple[str, Any], ...]", value)
        return [inner for name, inner in pairs if step is None or name == step]
    if is_array(value) and (step is None or isinstance(step, int)):
        return value if step is None else value[step : step + 1]
    return []
