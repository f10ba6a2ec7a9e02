"""Access tokens: who holds them, and the request that makes one of a pair of keys.

The request goes through a session like any other: paced, repeated, seen by observers. Whoever opens
a client's session binds its source of tokens to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import copy
import functools
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, TypeAlias

import anyio
from attrs import evolve

from humeai_async._base.base_values import is_number
from humeai_async._base.event_loops import PerLoop
from humeai_async._base.secret import Secret
from humeai_async.errors import ConfigurationError, DecodeError
from humeai_async.http.codec import encode
from humeai_async.http.credentials import OAuth, SourceBase
from humeai_async.http.endpoint import Call, Endpoint, fill
from humeai_async.http.messages import Credential, Part, Request, Response
from humeai_async.http.origins import Direct, Route, headers_for
from humeai_async.http.session import Session
from humeai_async.types.json import is_object, parse

_TOKEN = Endpoint(
    name="oauth.token",
    method="POST",
    path="/oauth2-cc/token",
    returns=bytes,
    bucket="oauth",
    site="https://dev.hume.ai/docs/introduction/api-key",
    repeatable=True,  # a token too many does no harm
)
_FORM = b"grant_type=client_credentials"
_REASONS = ("error", "message", "fault", "detail", "code", "request_id")
"""Members of a response without a token that are shown."""
_LIFETIME = 1800.0
"""Seconds that a token lives, as Hume documents it."""


Token: TypeAlias = tuple[Secret, float]
"""An access token, and the seconds that it lives."""


class _Fetch:
    """The request for a token that is going on, on one event loop."""

    task: asyncio.Task[Token] | None = None


_EARLY = 60.0
"""Seconds before its end in which a token is renewed, so that none ends on its way..."""
_EARLY_SHARE = 0.1
"""... but no more than this share of its life."""


class TokenSource(SourceBase):
    """Fetches access tokens, one request for all who wait, and renews them before they end.

    The request belongs to no call: whoever is cancelled stops waiting for it, and that is all.

    Args:
        oauth: What tokens are made from.
    """

    def __init__(self, oauth: OAuth) -> None:
        super().__init__(oauth.api_key.reveal(), oauth.pair.origin)
        self.oauth: OAuth = oauth
        self.fetch: Callable[[], Awaitable[Token]] | None = None
        """Makes the request; the client sets it as soon as it has a session."""
        self._token: tuple[Secret, float] | None = None
        """The token, and the time of the event loop's clock from which on it is renewed."""
        self._fetches = PerLoop(lambda _: _Fetch())
        self.hold(oauth.pair.reveal())

    async def current(self) -> Secret:
        """Return a token that lives on for a while.

        Raises:
            HumeError: None could be fetched.
        """
        token = self._token
        if token is not None and anyio.current_time() < token[1]:
            return token[0]
        fetch = self._fetches.current()
        if fetch.task is None or fetch.task.done():
            # Seen by no capture: it is not one caller's alone.
            fetch.task = contextvars.Context().run(asyncio.create_task, self._renew())
            fetch.task.add_done_callback(_look_at)
        await asyncio.wait([fetch.task])
        if fetch.task.cancelled():  # its event loop ends
            raise asyncio.CancelledError
        failure = fetch.task.exception()
        if failure is not None:
            raise copy.copy(failure)  # each call writes its own facts on its error
        secret, _ = fetch.task.result()
        return secret

    def reject(self, secret: Secret) -> None:
        """Give a token out no more; one that took its place meanwhile stays."""
        if self._token is not None and self._token[0] is secret:
            self._token = None

    async def _renew(self) -> Token:
        if self.fetch is None:
            raise ConfigurationError("OAuth goes to HumeAI(access_token=...)")
        secret, lifetime = await self.fetch()
        early = min(_EARLY, lifetime * _EARLY_SHARE)
        self._token = secret, anyio.current_time() + lifetime - early
        return secret, lifetime


def _look_at(task: asyncio.Task[Token]) -> None:
    """Look at how a request ended, for those who waited may all be gone."""
    if not task.cancelled():
        task.exception()


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
        return Route(request)

    def read(self, response: Response) -> Response:
        """Keep of a failure what says why: anything else that comes from here may be a token."""
        if response.status != HTTPStatus.OK:
            found: object = None
            with contextlib.suppress(DecodeError):
                found = parse(response.body)
            known = found if is_object(found) else {}
            response.body = encode({name: known[name] for name in _REASONS if name in known})
        return response


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
        found = parse(response.body)
    del response
    text = found.get("access_token") if is_object(found) else None
    lifetime = found.get("expires_in") if is_object(found) else None
    del found  # from here on the token is held so that no traceback shows it
    if not (isinstance(text, str) and text.isascii() and Secret(text).is_whole()):
        text = None
        raise DecodeError("the response holds no usable token", path="$.access_token")
    return source.hold(text), lifetime if is_number(lifetime) and lifetime > 0 else _LIFETIME


def bind(source: TokenSource, session: Session) -> None:
    """Have a source's tokens fetched through the pool and the limiter of a session."""
    issuer = TokenIssuer(session.origin.base_url, source.oauth)
    additions = evolve(session.additions, query=())
    own = session.with_settings(origin=issuer, additions=additions)
    source.fetch = functools.partial(fetch_token, own, source)
