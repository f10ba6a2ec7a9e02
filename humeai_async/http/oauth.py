"""The request that makes an access token of an API key and its secret key.

It goes through a session like any other: paced, repeated, seen by observers. The client puts the
two together.
"""

from __future__ import annotations

import contextlib
from typing import Any

from humeai_async.errors import DecodeError
from humeai_async.http import codec
from humeai_async.http.credentials import OAuth, Token, TokenSource
from humeai_async.http.endpoint import Call, Endpoint, fill
from humeai_async.http.messages import Credential, Part, Request
from humeai_async.http.origins import Direct, Route, SingleRoute, headers_for
from humeai_async.http.session import Session
from humeai_async.settings import is_number
from humeai_async.types.json import is_object

_TOKEN = Endpoint(
    name="oauth.token",
    method="POST",
    path="/oauth2-cc/token",
    returns=bytes,
    bucket="oauth",
    source="https://dev.hume.ai/docs/introduction/api-key",
    repeatable=True,  # a token too many does no harm
)
_FORM = b"grant_type=client_credentials"
_LIFETIME = 1800.0
"""Seconds that a token lives, as Hume documents it."""


class TokenIssuer(Direct):
    """Where tokens are made: Hume, asked with the pair of keys in place of a credential."""

    def __init__(self, base_url: str, oauth: OAuth) -> None:
        super().__init__(base_url, api_key=oauth.pair)
        self.credential: Credential = Credential(
            oauth.pair, header="Authorization", prefix="Basic "
        )

    def route(self, call: Call[Any], body: bytes | tuple[Part, ...] | None) -> Route:
        """Begin an attempt, with the form that asks for a token."""
        del body  # the form is always the same
        endpoint = call.endpoint
        headers = {**headers_for(None), "Content-Type": "application/x-www-form-urlencoded"}
        url = f"{self.base_url}{endpoint.path}"
        request = Request(endpoint.method, endpoint.path, url, headers, _FORM, self.credential)
        return SingleRoute(request)


async def fetch_token(session: Session, source: TokenSource) -> Token:
    """Fetch an access token.

    Args:
        session: One whose origin is a `TokenIssuer`.
        source: What holds the token.

    Raises:
        DecodeError: The response holds none.
        HumeError: As of any call.
    """
    response = await session.send(fill(_TOKEN))
    found: object = None
    with contextlib.suppress(DecodeError):
        found = codec.parse(response.body)
    del response
    text = found.get("access_token") if is_object(found) else None
    lifetime = found.get("expires_in") if is_object(found) else None
    del found  # from here on the token is held so that no traceback shows it
    if not isinstance(text, str) or not text.isprintable() or not text or " " in text:
        text = None
        raise DecodeError("the response holds no usable token", path="$.access_token")
    return Token(source.hold(text), lifetime if is_number(lifetime) and lifetime > 0 else _LIFETIME)
