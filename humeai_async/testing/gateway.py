"""The LowCodeAPI gateway as its own documentation describes it.

It takes a call in the new or the old URL format, checks the token, calls Hume in process
and wraps what comes back. It knows the table of rows and the envelope, not what any
endpoint does.

What the documentation leaves open is settled the kind way: uploads and archives pass,
Retry-After and rate headers stay HTTP headers, a response without a body has `data: null`,
and statuses other than the seven it lists become the nearest of them.
"""

from __future__ import annotations

import json
from typing import Protocol
from urllib.parse import quote

from attrs import evolve

from humeai_async.testing.exchange import JSON_TYPE, Arrival, FakeResponse, as_record
from humeai_async.testing.faults import CONNECTION_KINDS
from humeai_async.testing.rows import Row, find_new, find_old
from humeai_async.testing.upstream import Credentials

PREFIX = "/humeai"
_STATUSES = frozenset({200, 400, 401, 403, 404, 429, 500})
_ERROR = 400
_SERVER_ERROR = 500
_KEPT_HEADERS = ("x-request-id", "retry-after", "retry-after-ms")


class Application(Protocol):
    """Anything that responds to requests: Hume, or a gateway in front of it."""

    def handle(self, arrival: Arrival) -> FakeResponse:
        """Respond to one request."""
        ...


class DocumentedGateway:
    """LowCodeAPI by the book."""

    def __init__(self, upstream: Application, credentials: Credentials) -> None:
        self._upstream = upstream
        self._credentials = credentials

    def handle(self, arrival: Arrival) -> FakeResponse:
        """Respond to one request."""
        found = self._find(arrival)
        if found is None:
            return _refuse(404, "Not Found")
        token = arrival.first("api_token")
        if token is None:
            return _refuse(401, "A valid API token is required to access this API.")
        if token != self._credentials.api_token:
            return _refuse(403, "Invalid api_token")
        row, ids, in_query = found
        path = row.path
        for name, value in zip(row.parameters, ids, strict=True):
            path = path.replace(f"{{{name}}}", value)
        dropped = {"api_token", *(row.parameters if in_query else ())}
        response = self._upstream.handle(
            evolve(
                arrival,
                path=path,
                query=tuple(pair for pair in arrival.query if pair[0] not in dropped),
                headers={
                    "x-hume-api-key": self._credentials.api_key,
                    "content-type": arrival.headers.get("content-type", ""),
                },
            )
        )
        return _wrap(response)

    def _find(self, arrival: Arrival) -> tuple[Row, tuple[str, ...], bool] | None:
        if not arrival.path.startswith(PREFIX + "/"):
            return None
        path = arrival.path.removeprefix(PREFIX)
        old = find_old(arrival.method, path)
        if old is not None:
            ids = tuple(arrival.first(name) or "" for name in old.parameters)
            # With no id in the query, a word such as `id` is an id of the new format.
            if all(ids):
                return old, tuple(quote(value, safe="") for value in ids), True
        new = find_new(arrival.method, path)
        return None if new is None else (*new, False)


def _wrap(response: FakeResponse) -> FakeResponse:
    if response.fault and response.fault.upstream and response.fault.kind in CONNECTION_KINDS:
        if response.fault.kind.startswith("stall") and response.fault.seconds is None:
            return evolve(response, silent=True, fault=None)
        return _refuse(500, "socket hang up")
    if response.fault and response.fault.is_mute:
        return response
    headers = {
        name: value
        for name, value in response.headers.items()
        if name.lower() in _KEPT_HEADERS or "ratelimit" in name.lower()
    }
    if response.status >= _ERROR:
        return evolve(_wrap_error(response), headers={**headers, "Content-Type": JSON_TYPE})
    if (response.content_type or "").startswith("application/octet-stream"):
        return evolve(response, status=200)
    body = b'{"data": ' + _as_json(response) + b"}"
    return evolve(response, status=200, body=body, headers={**headers, "Content-Type": JSON_TYPE})


def _wrap_error(response: FakeResponse) -> FakeResponse:
    status = response.status
    if status not in _STATUSES:
        status = _SERVER_ERROR if status >= _SERVER_ERROR else _ERROR
    try:
        content = as_record(json.loads(response.body)) or {}
    except ValueError:
        content = {}
    unnamed = f"Error received from the humeai API ({response.status})"
    message, code = str(content.get("message") or unnamed), str(content.get("code") or status)
    return evolve(_refuse(status, message, code), fault=response.fault)


def _as_json(response: FakeResponse) -> bytes:
    if not response.body:
        return b"null"
    is_json = "json" in (response.content_type or "")
    if is_json and response.fault is None:
        return response.body
    try:
        return json.dumps(json.loads(response.body)).encode() if is_json else _quoted(response)
    except ValueError:
        return _quoted(response)


def _quoted(response: FakeResponse) -> bytes:
    return json.dumps(response.body.decode("utf-8", "replace")).encode()


def _refuse(status: int, message: str, code: str | None = None) -> FakeResponse:
    body = {"data": {"error": {"message": message, "code": code or str(status)}}}
    return FakeResponse(status, json.dumps(body).encode(), {"Content-Type": JSON_TYPE})
