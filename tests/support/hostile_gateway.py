"""The LowCodeAPI gateway in front of a hostile service, in the two dialects that there are.

`documented` is what its document says: ids in the path, `{"data": ...}` around everything, no
headers of the service. `open_source` is what the public server does: ids in the query, bodies
and headers of the service inside of its own JSON, and a clock of its own. In either a connection
to the service that breaks is an error 500 of the gateway's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Literal

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from hostile_results import Json

Dialect = Literal["documented", "open_source"]
DIALECTS: tuple[Dialect, ...] = ("documented", "open_source")
PREFIX = "/humeai"


def settings_of(url: str, dialect: Dialect | None) -> dict[str, Any]:
    """Return the settings of a client of a service, directly or through its gateway."""
    if dialect is None:
        return {"api_key": "k" * 20, "base_url": url}
    carries = frozenset({"uploads"})
    return {"api_token": "at_" + "t" * 20, "base_url": url + PREFIX, "gateway_carries": carries}


def settings_as_json(settings: Mapping[str, Any]) -> Json:
    """Return settings of a client as another process can be told them."""
    carries: frozenset[str] = settings.get("gateway_carries", frozenset())
    return {**settings, "gateway_carries": sorted(carries)}


def paths_of(dialect: Dialect | None) -> tuple[str, str, str]:
    """Return the paths of the list of jobs, of one job and of its predictions."""
    jobs = "/v0/batch/jobs" if dialect is None else f"{PREFIX}/v0/batch/jobs"
    name = "id" if dialect == "open_source" else "{id}"
    return jobs, f"{jobs}/{name}", f"{jobs}/{name}/predictions"


def wrapping(dialect: Dialect, headers: Callable[[], Mapping[str, str]]) -> Middleware:
    """Make the middleware that puts the gateway's envelope around responses.

    Args:
        dialect: Which one.
        headers: Gives the headers of the service's response.
    """

    @web.middleware
    async def wrap(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            response = await handler(request)
        except web.HTTPNotFound:
            return web.json_response({"message": "Not Found"}, status=404)
        if not isinstance(response, web.Response):
            return response
        is_json = response.content_type == "application/json"
        if not is_json and response.status < 400:
            return response
        body: Any = json.loads(response.text or "null") if is_json else response.text
        told = {**headers(), **{name.lower(): value for name, value in response.headers.items()}}
        wrapped = _wrapped(dialect, response.status, body, told)
        return web.json_response(wrapped, status=response.status)

    return wrap


def hang_up() -> web.Response:
    """Return what a gateway says whose connection to the service is reset."""
    return web.Response(status=500, text="socket hang up", content_type="text/plain")


def _wrapped(dialect: Dialect, status: int, body: Any, headers: Mapping[str, str]) -> Json:
    if dialect == "documented":
        error = {"message": str(body), "code": status}
        return {"data": body if status < 400 else {"error": error}}
    if body == "socket hang up":
        return {"message": body, "provider": "humeai", "error": {"message": body}}
    if status < 400:
        words = {"message": "Request completed", "provider": "humeai"}
        return {**words, "result": body, "response_headers": dict(headers)}
    return {"message": "error", "provider": "humeai", "error": body, "headers": dict(headers)}
