"""How a response that is not a success becomes an error.

Hume and the gateway write errors in many shapes; this module finds message, code and request
id in all of them and picks the class. It never fails while building an error, and it is given
a scrubber, so that no credential gets into one. The session calls it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from humeai_async._base.unset import UNSET
from humeai_async._base.urls import without_queries
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
from humeai_async.http import codec
from humeai_async.http.endpoint import Call, Endpoint
from humeai_async.http.messages import Delivery, JsonText, Responder, Response, unknown_encoding
from humeai_async.http.origins import Origin
from humeai_async.http.retry import delivery_by_status
from humeai_async.http.secrets import find_keys, find_secrets, is_secret_header
from humeai_async.http.secrets import redact as redact_parts
from humeai_async.types.json import is_array, is_object, json_type

BODY_KEPT = 2000
"""Characters of an error body, and of each text from it, that are kept on the error."""

LONGEST_SENTENCE = 200
"""Characters of a body without form that still make a message."""

_CLASSES: dict[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    422: UnprocessableEntityError,
    429: RateLimitError,
}


def error_of_call(
    response: Response,
    call: Call[Any],
    origin: Origin,
    retry_after: float | None,
    *,
    redact: Callable[[str], str],
    today: dt.date,
) -> APIStatusError:
    """Build the error for a call's response that is not a success.

    What is secret in the call's own body does not get into it, nor does what `redact` takes out
    of a text.
    """
    secrets = [*find_keys(call.query), *find_secrets(_sent(call))]
    secrets.sort(key=len, reverse=True)
    error = to_error(
        response,
        call.endpoint,
        retry_after=retry_after,
        scrub=lambda text: redact_parts(redact(text), secrets, BODY_KEPT),
        today=today,
        is_hume=origin.reaches_hume and response.responder is Responder.HUME,
    )
    # Gateways refuse a token with 403, and do not always say that it was they who did.
    can_be_token = origin.has_envelopes and response.responder is not Responder.HUME
    is_forbidden = response.status == HTTPStatus.FORBIDDEN and can_be_token
    if isinstance(error, AuthenticationError) or is_forbidden:
        error.add_advice(_advice_on_credential(response, origin))
    return error


def _advice_on_credential(response: Response, origin: Origin) -> str:
    """Say which credential was refused, and where it came from."""
    if origin.has_envelopes and response.responder is Responder.HUME:
        return (
            "Hume refused the credential that the gateway sent, which is the one saved in the "
            "account at LowCodeAPI"
        )
    if not origin.credential_origin:
        return ""
    return f"the credential came from {origin.credential_origin}"


def _sent(call: Call[Any]) -> object:
    """Return the JSON that a call sends, as plain objects; files are left out."""
    if call.parts:
        texts = [part.content for part in call.parts]
        return [codec.parse(text) for text in texts if isinstance(text, JsonText)]
    return None if call.body is UNSET else codec.to_plain(call.body)


def successor_of(endpoint: Endpoint[Any]) -> str:
    """Say in a sentence what took the place of an endpoint that Hume has switched off."""
    if not endpoint.replacement or endpoint.replacement.startswith("nothing ("):
        return "Hume has named no successor."
    return f"Its successor is {endpoint.replacement}."


def to_error(
    response: Response,
    endpoint: Endpoint[Any],
    *,
    retry_after: float | None,
    scrub: Callable[[str], str],
    today: dt.date,
    is_hume: bool,
) -> APIStatusError:
    """Build the error for a response that is not a success.

    Args:
        response: The response, its envelope taken off.
        endpoint: What was called.
        retry_after: Seconds that the service asks to wait.
        scrub: Takes secrets out of a text.
        today: Decides what Hume has switched off.
        is_hume: Whether it comes from Hume's own host: elsewhere, most 404s have other causes.
    """
    body = response.body.decode("utf-8", errors="replace")
    plain = _plain(response.body, body)
    message = _clean(_message(plain).strip() or _hint(response, plain), scrub)
    is_unknown = delivery_by_status(response.status, retry_after) is Delivery.UNKNOWN
    context: dict[str, Any] = {
        "method": endpoint.method,
        "endpoint": endpoint.path,
        "status": response.status,
        "code": _clean_or_none(_code(plain), scrub),
        "param": _clean_or_none(_param(plain), scrub),
        "request_id": _clean_or_none(_request_id(response.headers, plain), scrub),
        "retry_after": retry_after,
        "outcome_unknown": is_unknown and not endpoint.repeatable,
        "headers": _headers(response.headers, scrub),
        "body": without_queries(scrub(_without_echo(body, plain))[:BODY_KEPT]),
    }
    if endpoint.sunset and endpoint.sunset <= today and _is_gone(response, is_hume=is_hume):
        return SunsetError(
            f"{message.rstrip('.')}. Hume switched this endpoint off on "
            f"{endpoint.sunset.isoformat()}. {successor_of(endpoint)}",
            sunset=endpoint.sunset,
            replacement=endpoint.replacement,
            **context,
        )
    return _class_for(response.status)(message, **context)


def _is_gone(response: Response, *, is_hume: bool) -> bool:
    """Whether a response can mean that the endpoint is switched off, rather than no such thing."""
    if response.status == HTTPStatus.GONE:
        return True
    return response.status == HTTPStatus.NOT_FOUND and (is_hume or _is_of_router(response))


def _is_of_router(response: Response) -> bool:
    """Whether a 404 comes from a router that knows no such path."""
    if response.is_no_route:
        return True
    members = codec.members(response.body)
    if members is None:  # no JSON object: a page, a text, or nothing
        return True
    return not members or (
        members.keys() <= {"message", "detail", "status", "error", "path", "timestamp"}
        and _words(_plain(response.body, "")).lower() in _NO_ROUTE
    )


_NO_ROUTE = {"", "not found", "404 not found", "no route", "no route matched", "route not found"}
"""What routers say, as opposed to services that miss one thing."""


def _class_for(status: int) -> type[APIStatusError]:
    if status >= 500:  # noqa: PLR2004 - the classes of HTTP
        return ServerError
    return _CLASSES.get(status, APIStatusError)


def _plain(body: bytes, text: str) -> object:
    """Read a body as JSON; what is none counts as the text that it is."""
    try:
        return codec.parse(body)
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
        reason = item if isinstance(item, str) else _shown(_member(item, "msg"))
        lines.append(f"{place}: {reason}" if place else reason.strip())
    return "; ".join(filter(None, lines))


def _hint(response: Response, plain: object) -> str:
    """Say something useful where the body does not."""
    status = response.status
    if 300 <= status < 400:  # noqa: PLR2004 - the classes of HTTP
        return "the server redirects; redirects are not followed, so check the base URL"
    if encoding := unknown_encoding(response.headers):
        return f"the server responded {status} with a body packed as {encoding!r}, which is unknown"
    if isinstance(plain, str) and _is_page(plain):
        return f"the server responded {status} with an HTML page, probably from a proxy"
    return f"the server responded {status} without a message"


def _code(plain: object) -> str | None:
    for path in _CODES:
        found = _member(plain, *path)
        if isinstance(found, (str, int)) and not isinstance(found, bool):
            return str(found)
    return None


def _param(plain: object) -> str | None:
    found = _member(plain, "param")
    return found if isinstance(found, str) else None


def _request_id(headers: Mapping[str, str], plain: object) -> str | None:
    found = headers.get("x-request-id") or _member(plain, "request_id")
    return found if isinstance(found, str) else None


def _headers(headers: Mapping[str, str], scrub: Callable[[str], str]) -> dict[str, str]:
    """Return the headers that may be shown; some mappings give a repeated name several times."""
    shown: dict[str, str] = {}
    for name, value in headers.items():
        if not is_secret_header(name):
            key, text = name.lower(), _clean(value, scrub)
            shown[key] = f"{shown[key]}, {text}" if key in shown else text
    return shown


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
    try:
        return codec.encode(kept).decode()
    except InvalidArgumentError:  # nested too deeply to be written
        return ""
