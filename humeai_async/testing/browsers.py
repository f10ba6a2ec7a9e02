"""What a server says to pages of other origins, so that a browser lets them call it (CORS).

Pure functions on requests and answers; the fake calls them where it is told to allow an origin.
"""

from __future__ import annotations

from attrs import evolve

from humeai_async.testing.exchange import Answer, Arrival

_METHODS = "GET, POST, PATCH, DELETE, PUT, HEAD"
_SECONDS = "600"
"""How long a browser may go by one answer to a preflight."""


def answer_preflight(arrival: Arrival, origin: str) -> Answer | None:
    """Answer the question that a browser asks before a request; `None` if it is none.

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
    return allow(Answer(204, b"", headers), origin)


def allow(answer: Answer, origin: str) -> Answer:
    """Let pages of an origin read an answer and its headers."""
    headers = {
        **answer.headers,
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": "*",
    }
    return evolve(answer, headers=headers)
