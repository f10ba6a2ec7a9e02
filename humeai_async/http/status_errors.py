"""How an answer that is not a success becomes an error.

Hume and the gateway write errors in many shapes; this module finds message, code and request
id in all of them and picks the class. It never fails while building an error, and it is given
a scrubber, so that no credential gets into one. The session imports it with the first error.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from humeai_async.errors import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    DecodeError,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    SunsetError,
    UnprocessableEntityError,
)
from humeai_async.http.endpoint import Endpoint
from humeai_async.http.messages import NOT_FOUND, Response
from humeai_async.http.retry import may_have_worked
from humeai_async.types.json import is_array, is_object, json_type
from humeai_async.types.urls import without_queries

BODY_KEPT = 2000
"""Characters of an error body, and of each text from it, that are kept on the error."""

LONGEST_SENTENCE = 200
"""Characters of a body without form that still make a message."""

_GONE = 410

_CLASSES: dict[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    422: UnprocessableEntityError,
    429: RateLimitError,
}


def to_error(
    answer: Response,
    endpoint: Endpoint[Any],
    *,
    retry_after: float | None,
    scrub: Callable[[str], str],
    today: dt.date,
) -> APIStatusError:
    """Build the error for an answer that is not a success."""
    body = answer.body.decode("utf-8", errors="replace")
    plain = _plain(answer.body, body)
    message = _clean(_message(plain).strip() or _hint(answer.status, plain), scrub)
    unknown = not endpoint.repeatable and may_have_worked(answer.status, retry_after)
    context: dict[str, Any] = {
        "method": endpoint.method,
        "endpoint": endpoint.path,
        "status": answer.status,
        "code": _clean_or_none(_code(plain), scrub),
        "request_id": _clean_or_none(_request_id(answer.headers, plain), scrub),
        "retry_after": retry_after,
        "outcome_unknown": unknown,
        "body": without_queries(scrub(_without_echo(body, plain))[:BODY_KEPT]),
    }
    if answer.status in {NOT_FOUND, _GONE} and endpoint.sunset and endpoint.sunset <= today:
        return SunsetError(
            f"{message}. Hume switched this endpoint off on {endpoint.sunset.isoformat()}; "
            f"instead there is {endpoint.replacement or 'nothing'}",
            sunset=endpoint.sunset,
            replacement=endpoint.replacement,
            **context,
        )
    return _class_for(answer.status)(message, **context)


def _class_for(status: int) -> type[APIStatusError]:
    if status >= 500:  # noqa: PLR2004 - the classes of HTTP
        return ServerError
    return _CLASSES.get(status, APIStatusError)


def _plain(body: bytes, text: str) -> object:
    """Read a body as JSON; what is none counts as the text that it is."""
    from humeai_async.http.codec import parse

    try:
        return parse(body)
    except DecodeError:
        return text


def _member(plain: object, *names: str) -> object:
    for name in names:
        plain = plain.get(name) if is_object(plain) else None
    return plain


_MESSAGES = (
    ("data", "error", "message"),
    ("error", "message"),
    ("message",),
    ("error",),
    ("fault", "faultstring"),
    ("detail",),
)
_CODES = (
    ("data", "error", "code"),
    ("error", "code"),
    ("code",),
    ("fault", "detail", "errorcode"),
)


def _message(plain: object) -> str:
    for listed in (_member(plain, "errors"), plain):
        if is_array(listed) and listed:
            return _words(listed[0]) if is_object(listed[0]) else _shown(listed[0])
    return _words(plain)


def _words(plain: object) -> str:
    """Find the message of one error."""
    for path in _MESSAGES:
        found = _member(plain, *path)
        if isinstance(found, str) and found.strip():
            return found.strip()
    detail = _member(plain, "detail")
    if is_array(detail):
        return _details(detail)
    return plain.strip() if isinstance(plain, str) and _is_sentence(plain) else ""


def _shown(value: object) -> str:
    """Write a single value as it is; of others, which may be nested without end, the kind."""
    return f"({json_type(value)})" if is_object(value) or is_array(value) else str(value)


def _is_sentence(text: str) -> bool:
    """Whether a text without form, from a proxy perhaps, is short enough for a message."""
    text = text.strip()
    return len(text) <= LONGEST_SENTENCE and text.isprintable() and not _is_page(text)


def _is_page(text: str) -> bool:
    return text.lstrip()[:1] == "<"


def _details(detail: list[Any]) -> str:
    """Write the list of a 422 as one line, such as `body.name: field required`."""
    lines: list[str] = []
    for item in detail:
        where = _member(item, "loc")
        place = ".".join(_shown(part) for part in where) if is_array(where) else ""
        said = item if isinstance(item, str) else _shown(_member(item, "msg"))
        lines.append(f"{place}: {said}" if place else said.strip())
    return "; ".join(filter(None, lines))


def _hint(status: int, plain: object) -> str:
    """Say something useful where the body does not."""
    if 300 <= status < 400:  # noqa: PLR2004 - the classes of HTTP
        return "the server redirects; redirects are not followed, so check the base URL"
    if isinstance(plain, str) and _is_page(plain):
        return f"the server answered {status} with an HTML page, probably from a proxy"
    return f"the server answered {status} without a message"


def _code(plain: object) -> str | None:
    for path in _CODES:
        found = _member(plain, *path)
        if isinstance(found, (str, int)) and not isinstance(found, bool):
            return str(found)
    return None


def _request_id(headers: Mapping[str, str], plain: object) -> str | None:
    found = headers.get("x-request-id") or _member(plain, "request_id")
    return found if isinstance(found, str) else None


def _clean_or_none(text: str | None, scrub: Callable[[str], str]) -> str | None:
    return None if text is None else _clean(text, scrub)


def _clean(text: str, scrub: Callable[[str], str]) -> str:
    """Take credentials and the queries of URLs out of a text, and cut it."""
    text = scrub(text)
    return without_queries(text if len(text) <= BODY_KEPT else f"{text[: BODY_KEPT - 3]}...")


def _without_echo(body: str, plain: object) -> str:
    """Drop what the gateway's 401 repeats of the request, credentials included."""
    if _member(plain, "error", "logging") is None or not is_object(plain):
        return body
    kept = {**plain, "error": {"code": _member(plain, "error", "code")}}
    from humeai_async.http.codec import encode

    try:
        return encode(kept).decode()
    except InvalidArgumentError:  # nested too deeply to be written
        return ""
