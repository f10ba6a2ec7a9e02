"""What a server says to pages of other origins, so that a browser lets them call it (CORS).

Pure functions on requests and responses; the fake calls them where an origin is allowed.
"""

from __future__ import annotations

from attrs import evolve

from humeai_async.testing.exchange import Arrival, FakeResponse

_METHODS = "GET, POST, PATCH, DELETE, PUT, HEAD"
_SECONDS = "600"
"""How long a browser may go by one response to a preflight."""


def preflight_response(arrival: Arrival, origin: str) -> FakeResponse | None:
    """Respond to the preflight request of a browser; `None` if it is none.

    Args:
        arrival: Any request.
        origin: The origin that is allowed, or `*` for all.
    """
    if arrival.method != "OPTIONS" or "access-control-request-method" not in arrival.headers:
        return None
    wanted = arrival.headers.get("access-control-request-headers", "")
    headers = {
        "Access-Control-Allow-Methods": _METHODS,
        "Access-Control-Allow-Headers": wanted,
        "Access-Control-Max-Age": _SECONDS,
    }
    return allow(FakeResponse(204, b"", headers), origin)


def allow(response: FakeResponse, origin: str) -> FakeResponse:
    """Let pages of an origin read a response and its headers."""
    headers = {
        **response.headers,
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": "*",
    }
    return evolve(response, headers=headers)
