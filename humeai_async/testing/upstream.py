"""The application that stands for api.hume.ai: who may come in, how often, and to whom.

It checks the credential, asks the quota, looks into the script of faults and calls the
handler of the route. It knows neither sockets nor gateways: one request value in, one
response value out, so a gateway can call it in process.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias
from urllib.parse import unquote

from attrs import evolve, field, frozen

from humeai_async.testing.decisions import DecisionStore
from humeai_async.testing.evi import EviStore
from humeai_async.testing.exchange import (
    Arrival,
    FakeResponse,
    Refusal,
    error_response,
    json_response,
)
from humeai_async.testing.expression import ExpressionStore
from humeai_async.testing.faults import Fault, Faults
from humeai_async.testing.jobs import JobStore
from humeai_async.testing.live_media import LIVE_PRODUCTS
from humeai_async.testing.quota import Quota
from humeai_async.testing.registry import Registry
from humeai_async.testing.tokens import TOKEN_PATH, TokenDesk
from humeai_async.testing.world import World

Handler: TypeAlias = Callable[..., FakeResponse]
"""Takes the arrival and the ids of its path."""

_PARAMETER = re.compile(r"\{\w+\}")


@frozen
class Credentials:
    """What the fake accepts."""

    api_key: str = field(default="fake-hume-key", repr=False)
    access_token: str = field(default="fake-access-token", repr=False)
    secret_key: str = field(default="fake-secret-key", repr=False)
    api_token: str = field(default="at_fa4e0000fa4e0000fa4e0000fa4e0000", repr=False)


class Upstream:
    """Hume itself, with all its state."""

    def __init__(
        self, world: World, credentials: Credentials, quota: Quota | None, faults: Faults
    ) -> None:
        self.world = world
        self.credentials = credentials
        self.quota = quota
        self.faults = faults
        self.jobs: JobStore = JobStore(world)
        self.evi: EviStore = EviStore(world)
        self.registry: Registry = Registry(world, self.jobs)
        self.last: Arrival | None = None
        """The last request; the one who asks resets it, and what follows."""
        self.was_carried_out: bool = False
        """Whether the last request was."""
        self.expression: ExpressionStore = ExpressionStore(world)
        self.decisions: DecisionStore = DecisionStore(world)
        self._tokens = TokenDesk(world.clock, credentials.api_key, credentials.secret_key)
        self._requests = 0
        self._routes = _compile(
            {
                f"POST {TOKEN_PATH}": self._tokens.issue,
                **self._batch_routes(),
                **self.evi.routes(),
                **self.registry.routes(),
                **self.expression.routes(),
                **self.decisions.routes(),
            }
        )

    def handle(self, arrival: Arrival) -> FakeResponse:
        """Respond to one request."""
        self.last = arrival
        self._requests += 1
        headers = {"X-Request-Id": f"req-{self._requests:06d}"}
        is_live = arrival.path.startswith(LIVE_PRODUCTS)
        if not self.is_known(arrival):
            return _with_headers(UNKNOWN_LIVE_KEY if is_live else UNKNOWN_KEY, headers)
        if self.quota is not None:
            verdict = self.quota.take()
            headers.update(verdict.headers)
            if not verdict.allowed:
                refusal = Refusal(429, "Rate limit exceeded", "E0429")
                return _with_headers(error_response(refusal), headers)
        fault = self.faults.pick(arrival.method, arrival.path)
        response = FakeResponse(200) if fault and not fault.does_work else self._work(arrival)
        response = _with_headers(response, headers)
        return _spoil(response, fault) if fault else response

    def is_known(self, arrival: Arrival) -> bool:
        """Whether a request has the credential, and one only, in a header."""
        key = arrival.headers.get("x-hume-api-key")
        bearer = arrival.headers.get("authorization", "")
        if key is not None and bearer:
            return False
        if arrival.path == TOKEN_PATH:
            return self._tokens.is_for(arrival)
        known = self.credentials
        kind, _, token = bearer.partition(" ")
        is_token = kind == "Bearer" and (token == known.access_token or self._tokens.is_good(token))
        return key == known.api_key or is_token

    def is_known_socket(self, arrival: Arrival) -> bool:
        """Whether a WebSocket may be opened; its credential may also stand in the query."""
        known = self.credentials
        token = arrival.first("access_token") or ""
        return (
            self.is_known(arrival)
            or arrival.first("api_key") == known.api_key
            or token == known.access_token
            or self._tokens.is_good(token)
        )

    def _work(self, arrival: Arrival) -> FakeResponse:
        try:
            handler, ids = self._route(arrival)
            response = handler(arrival, *ids)
        except Refusal as refusal:
            return error_response(refusal)
        self.was_carried_out = True
        return response

    def _route(self, arrival: Arrival) -> tuple[Handler, tuple[str, ...]]:
        method = "GET" if arrival.method == "HEAD" else arrival.method
        allowed: set[str] = set()
        for pattern, methods in self._routes.get(arrival.path.count("/"), ()):
            match = pattern.fullmatch(arrival.path)
            if match is None:
                continue
            if method in methods:
                return methods[method], tuple(map(unquote, match.groups()))
            allowed.update(methods)
        if allowed:
            raise Refusal(405, f"{method} is not allowed here")
        raise Refusal(404, f"No such path: {arrival.path}")

    def _batch_routes(self) -> dict[str, Handler]:
        return {
            "GET /v0/batch/jobs": self.jobs.list_jobs,
            "POST /v0/batch/jobs": self.jobs.start_inference,
            "GET /v0/batch/jobs/{id}": self.jobs.get,
            "GET /v0/batch/jobs/{id}/predictions": self.jobs.predictions,
            "GET /v0/batch/jobs/{id}/artifacts": self.jobs.artifacts,
        }


UNKNOWN_KEY = json_response(
    {"fault": {"faultstring": "Invalid ApiKey", "detail": {"errorcode": "oauth.v2.InvalidApiKey"}}},
    401,
)
"""What Hume sends for a credential that it does not know."""
UNKNOWN_LIVE_KEY = json_response({"message": "Unauthorized", "request_id": "req_01FAKE"}, 401)
"""The same from the front of the newer products."""
_Compiled = dict[int, list[tuple[re.Pattern[str], dict[str, Handler]]]]


def _compile(routes: dict[str, Handler]) -> _Compiled:
    """Sort routes by their number of slashes; words in a path win over ids."""
    by_path: dict[str, dict[str, Handler]] = {}
    for route, handler in routes.items():
        method, path = route.split()
        by_path.setdefault(path, {})[method] = handler
    compiled: _Compiled = {}
    for path in sorted(by_path, key=lambda path: path.count("{")):
        pattern = re.compile(_PARAMETER.sub("([^/]+)", path))
        compiled.setdefault(path.count("/"), []).append((pattern, by_path[path]))
    return compiled


def _with_headers(response: FakeResponse, headers: dict[str, str]) -> FakeResponse:
    return evolve(response, headers={**headers, **response.headers})


def _spoil(response: FakeResponse, fault: Fault) -> FakeResponse:
    status, body, headers = fault.spoil(response.status, response.body, response.headers)
    return evolve(response, status=status, body=body, headers=headers, fault=fault)
