"""Requests as an origin makes them, and what it learns of their responses."""

from __future__ import annotations

from typing import Any

from humeai_async.http.endpoint import Call
from humeai_async.http.gateway import LowCodeAPI
from humeai_async.http.messages import Part, Request, Response
from humeai_async.http.origins import Format, Origin


def request_of(
    origin: Origin,
    call: Call[Any],
    body: bytes | tuple[Part, ...] | None = None,
    url_format: Format = Format.NEW,
) -> Request:
    """Return the request of a call in one URL format."""
    if isinstance(origin, LowCodeAPI):
        return origin.request(call, body, url_format)
    return origin.route(call, body).request


def url_of(request: Request) -> str:
    """Return the URL of a request as it is sent, credential included."""
    return request.signed()[0]


def is_final(
    origin: LowCodeAPI, call: Call[Any], url_format: Format, response: Response | None
) -> bool:
    """Let a gateway learn from a response (`None`: closed without one), and ask what it means."""
    origin.learn_format(call, url_format, response)
    return response is None or origin.is_final(call, response)
