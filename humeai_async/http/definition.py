"""Where a gateway publishes the definition of its API, and how it is fetched.

Definitions are public and lie on another host than the API: no credential goes there, nor
anything that the user adds to calls. `HumeAI.definition` calls it.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from humeai_async.errors import ConfigurationError, DecodeError, HumeError
from humeai_async.http import codec
from humeai_async.http.additions import NO_ADDITIONS
from humeai_async.http.endpoint import Call, Endpoint
from humeai_async.http.gateway import LOWCODEAPI_URL, LowCodeAPI
from humeai_async.http.messages import Part, Request
from humeai_async.http.origins import Direct, Route, headers_for
from humeai_async.http.session import Session
from humeai_async.types.definition import Definition

BACKEND_URL = "https://backend.lowcodeapi.com/humeai"
"""Where LowCodeAPI publishes the definitions of its hosted gateway."""

_NO_GATEWAY = (
    "{} is no LowCodeAPI gateway, for it asks for a credential before it shows a definition, and "
    "Hume itself has none to show: give a gateway's URL as base_url, or no URL for the hosted one"
)
_REFUSED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_ABSENT = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.GONE})


async def fetch_definition(session: Session) -> Definition:
    """Fetch the definition of the gateway that a session uses, from the first place that has one.

    Costs one request, and one more for each place that has none.

    Args:
        session: That of a client with an `api_token`.

    Raises:
        ConfigurationError: The client goes to Hume, without a gateway.
        NotFoundError: No place has a definition.
        DecodeError: What is there is no definition.
    """
    origin = session.origin
    if not isinstance(origin, LowCodeAPI):
        raise ConfigurationError(
            "only a gateway publishes a definition: build the client with api_token=..."
        )
    own = [] if origin.base_url == LOWCODEAPI_URL else [(origin.base_url, "/definition")]
    problems: list[HumeError] = []
    empty: list[str] = []
    for base_url, path in (*own, (BACKEND_URL, "/openapi"), (BACKEND_URL, "/definition")):
        try:
            return await _fetch(session, base_url, path)
        except HumeError as failure:
            if isinstance(failure, DecodeError):
                problems.insert(0, failure)
            elif failure.status in _ABSENT:
                problems.append(failure)
            else:
                is_refused = failure.status in _REFUSED
                advice = _NO_GATEWAY.format(base_url) if is_refused else ""
                failure.add_advice(advice, is_first=True)
                failure.add_advice("; ".join(empty))
                raise
            empty.append(f"{base_url}{path} has no definition")
    problems[0].add_advice("; ".join(empty))
    raise problems[0]


async def _fetch(session: Session, base_url: str, path: str) -> Definition:
    endpoint = Endpoint(
        name="definition",
        method="GET",
        path=path,
        returns=bytes,
        bucket=f"definition {urlsplit(base_url).netloc}",
    )
    elsewhere = session.with_settings(origin=_Public(base_url), additions=NO_ADDITIONS)
    response = await elsewhere.send(Call(endpoint))
    url = base_url + path
    found = Definition.of(codec.parse(response.body), url)
    if found is None:
        raise DecodeError(
            f"what {url} publishes is no definition: it has no object 'paths'",
            method="GET",
            endpoint=path,
        )
    return found


class _Public(Direct):
    """A host that is sent no credential."""

    def __init__(self, base_url: str) -> None:
        super().__init__(base_url, api_key="none")  # which no request carries
        self.credential_origin = ""

    def route(self, call: Call[Any], body: bytes | tuple[Part, ...] | None) -> Route:
        """Begin an attempt of a call, without a credential."""
        path = call.endpoint.path
        return Route(Request("GET", path, self.base_url + path, headers_for(body)))
