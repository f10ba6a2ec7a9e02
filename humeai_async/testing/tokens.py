"""Access tokens of the fake: `POST /oauth2-cc/token` makes them of a pair of keys.

They live as long as Hume documents, on the fake's clock. The upstream application calls it.
"""

from __future__ import annotations

import base64
import secrets
from urllib.parse import parse_qs

from humeai_async.testing.clock import Clock
from humeai_async.testing.exchange import Arrival, FakeResponse, Refusal, json_response

TOKEN_PATH = "/oauth2-cc/token"  # noqa: S105 - a path
TOKEN_SECONDS = 1800
"""Seconds that a token lives."""


class TokenDesk:
    """Makes access tokens, and knows those that are still good.

    Args:
        clock: What their lives are measured by.
        api_key: The key that tokens are made for.
        secret_key: Its other half.
    """

    def __init__(self, clock: Clock, api_key: str, secret_key: str) -> None:
        self._clock = clock
        pair = base64.b64encode(f"{api_key}:{secret_key}".encode()).decode()
        self._basic = f"Basic {pair}"
        self._ends: dict[str, float] = {}

    def is_for(self, arrival: Arrival) -> bool:
        """Whether a request comes with the pair of keys, to have a token made."""
        return (
            arrival.path == TOKEN_PATH and arrival.headers.get("authorization", "") == self._basic
        )

    def issue(self, arrival: Arrival) -> FakeResponse:
        """Respond to the request for a token."""
        form = parse_qs(arrival.body.decode("utf-8", "replace"))
        if form.get("grant_type") != ["client_credentials"]:
            raise Refusal(400, "grant_type must be client_credentials")
        token = f"fake-{secrets.token_hex(16)}"
        self._ends[token] = self._clock.now() + TOKEN_SECONDS
        return json_response(
            {"access_token": token, "token_type": "bearer", "expires_in": TOKEN_SECONDS}
        )

    def is_good(self, token: str) -> bool:
        """Whether a token was made here and has not ended."""
        return self._ends.get(token, 0.0) > self._clock.now()
