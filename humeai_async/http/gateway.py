"""Hume behind the LowCodeAPI gateway: its URL formats and its envelopes.

`LowCodeAPI` is an origin like `Direct`: it puts the gateway's token on a call and takes the
envelope off the response. It sends nothing; the session does. The client makes it.
"""

from __future__ import annotations

import logging
import re
from collections import deque
from collections.abc import Mapping
from typing import Any

from humeai_async._base.secret import Secret
from humeai_async.errors import ConfigurationError, DecodeError, GatewayUnsupportedError
from humeai_async.http.credentials import CredentialSource
from humeai_async.http.endpoint import Call, Encoding, Endpoint
from humeai_async.http.messages import (
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    Credential,
    Part,
    Request,
    Responder,
    Response,
)
from humeai_async.http.origins import (
    Format,
    OriginBase,
    Route,
    as_secret,
    headers_for,
    new_path,
    query_text,
)
from humeai_async.http.retry import TOO_MANY_REQUESTS
from humeai_async.types import json

logger: logging.Logger = logging.getLogger("humeai_async.origins")

LOWCODEAPI_URL = "https://api.lowcodeapi.com/humeai"

_ABILITIES = {
    "uploads": "file uploads",
    "binary": "binary responses",
    "bare_json": "single JSON values as a body",
}
GATEWAY_ABILITIES = frozenset(_ABILITIES)
"""What a gateway may be said to carry beyond JSON objects; see `LowCodeAPI`."""

_ROUTE_ERRORS = frozenset({NOT_FOUND, METHOD_NOT_ALLOWED})
_HUMES_CODE = re.compile(rb'"[EIW]\d{4}"')
"""How Hume's own error codes look in JSON."""


class LowCodeAPI(OriginBase):
    """Hume behind the LowCodeAPI gateway.

    The gateway documents two URL formats; the new one is tried first, the old one where the
    new one's path does not exist, and what worked is logged once and remembered. It carries
    JSON objects and arrays only: uploads lose their body without a word, binary responses are
    ruined, single JSON values are refused.

    Args:
        api_token: Goes into the query as `api_token`.
        base_url: The gateway's URL with the provider's name.
        carries: What this gateway can be trusted with all the same: any of `"uploads"`,
            `"binary"` and `"bare_json"`.
    """

    is_hume = False
    has_envelopes = True
    drops_204 = True

    def __init__(
        self,
        api_token: str | Secret | CredentialSource,
        *,
        base_url: str | Secret = LOWCODEAPI_URL,
        carries: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__(base_url, as_secret(api_token))
        self.credential: Credential = Credential(self._secret, parameter="api_token")
        if unknown := sorted(carries - GATEWAY_ABILITIES):
            raise ConfigurationError(
                f"gateway_carries knows {sorted(GATEWAY_ABILITIES)}, not {unknown}"
            )
        self.reaches_hume: bool = self.base_url == LOWCODEAPI_URL
        self._carries = carries
        self._known: Format | None = None
        self._format_by_endpoint: dict[str, Format] = {}
        self._new_format_crashes = False

    def ensure_supported(self, endpoint: Endpoint[Any]) -> None:
        """Refuse a call whose request or response the gateway would lose or ruin.

        Raises:
            GatewayUnsupportedError: It cannot carry the call; nothing was sent.
        """
        if endpoint.socket:
            raise _unsupported(endpoint, "carry WebSockets")
        if endpoint.is_cloud:
            raise _unsupported(endpoint, "reach api.cloud.hume.ai")
        needs = {
            "uploads": endpoint.encoding is Encoding.MULTIPART,
            "binary": endpoint.binary,
            "bare_json": endpoint.encoding is Encoding.BARE_JSON,
        }
        for ability, needed in needs.items():
            if needed and ability not in self._carries:
                way = f', or pass gateway_carries={{"{ability}"}} if your gateway does'
                raise _unsupported(endpoint, f"carry {_ABILITIES[ability]}", way)

    def formats(self, call: Call[Any]) -> tuple[Format, ...]:
        """Return the formats to try; one only where they are the same or one is known."""
        if not call.ids:
            return (Format.NEW,)
        known = self._format_by_endpoint.get(call.endpoint.name, self._known)
        if self._new_format_crashes and known is not Format.NEW:
            return (Format.OLD,) if known else (Format.OLD, Format.NEW)
        return (Format.OLD, Format.NEW) if known is Format.OLD else (Format.NEW, Format.OLD)

    def route(self, call: Call[Any], body: bytes | tuple[Part, ...] | None) -> Route:
        """Begin an attempt, in as many URL formats as it takes."""
        return _GatewayRoute(self, call, body)

    def request(
        self, call: Call[Any], body: bytes | tuple[Part, ...] | None, url_format: Format
    ) -> Request:
        """Put host and ids on a call, in one of the formats."""
        endpoint = call.endpoint
        query = call.query
        if url_format is Format.OLD:
            path = endpoint.path.replace("{", "").replace("}", "")
            query = (*zip(endpoint.parameters, call.ids, strict=True), *query)
        else:
            path = new_path(call)
        url = self.base_url + path
        if query:
            url = f"{url}?{query_text(query)}"
        headers = headers_for(body)
        return Request(endpoint.method, endpoint.path, url, headers, body, self.credential)

    def read(self, response: Response) -> Response:
        """Take one envelope off, of the three shapes of success and the two of failure."""
        members = json.members(response.body)
        read = _read_success if response.is_success else _read_error
        found = read(response, members)
        # A gateway has headers, and a clock, of its own.
        found.has_service_headers = found.headers is not response.headers
        return found

    def learn_format(self, call: Call[Any], url_format: Format, response: Response | None) -> None:
        """Remember what a response (`None`: closed without one) says about the URL formats."""
        if not call.ids:
            return
        if response is None:
            if self._known is None and url_format is Format.NEW and call.endpoint.repeatable:
                # One version of the gateway dies of the first request in the new format.
                self._new_format_crashes = True
        elif url_format is not self._format_by_endpoint.get(call.endpoint.name, self._known) and (
            _shows_route(response)
        ):
            self._remember(call.endpoint.name, url_format)

    def is_final(self, call: Call[Any], response: Response) -> bool:
        """Whether this is the call's response, or the other URL format has to be tried."""
        return not call.ids or self._is_from_behind_route(call, response)

    def _is_from_behind_route(self, call: Call[Any], response: Response) -> bool:
        """Whether a response came from behind the route, as far as one can tell."""
        if response.is_no_route:
            return False
        if response.is_success or response.responder is Responder.HUME or self._known is not None:
            return True
        if response.status in _ROUTE_ERRORS:
            # Perhaps the route's: nothing was carried out then, whatever the method.
            return False
        # Nothing is known yet, and this error may come from the format: for a request that
        # can be repeated the other format is worth a try, as the gateway's document asks.
        asked_to_wait = response.status == TOO_MANY_REQUESTS or "retry-after" in response.headers
        return not call.endpoint.repeatable or asked_to_wait

    def _remember(self, name: str, url_format: Format) -> None:
        """Remember what worked: for the client, and for endpoints that differ from that."""
        if self._known is not None:
            self._format_by_endpoint[name] = url_format
            return
        self._known = url_format
        logger.info("the gateway at %s takes the %s URL format", self.base_url, url_format.value)


def _unsupported(endpoint: Endpoint[Any], lack: str, way: str = "") -> GatewayUnsupportedError:
    return GatewayUnsupportedError(
        f"the LowCodeAPI gateway does not {lack}, so {endpoint.name} was not sent; call Hume "
        f"directly (api_key=...){way}",
        method=endpoint.method,
        endpoint=endpoint.path,
    )


def _shows_route(response: Response) -> bool:
    """Whether a response can only come from behind a route, and so proves its URL format.

    A page to log in with, or a status 200 that says nothing but that something failed, may come
    from anywhere. Taken for a proof, one of them would send all later calls into the void.
    """
    if not response.is_success:
        return response.responder is Responder.HUME and not response.is_no_route
    if "html" in response.headers.get("content-type", "").lower():
        return False
    if response.body.lstrip()[:1] == b"<":
        return False
    members = json.members(response.body)
    return not members or not members.keys() <= _SAYS_NOTHING


class _GatewayRoute(Route):
    """One attempt of a call, in one URL format after the other until a response is final."""

    def __init__(
        self, gateway: LowCodeAPI, call: Call[Any], body: bytes | tuple[Part, ...] | None
    ) -> None:
        self._gateway = gateway
        self._call = call
        self._body = body
        self._formats = deque(gateway.formats(call))
        self._candidates: list[Response] = []
        """Responses that may be those of a URL format which this gateway does not have."""
        super().__init__(gateway.request(call, body, self._formats[0]))

    def choose(self, response: Response) -> Response | None:
        tried = self._formats.popleft()
        self._gateway.learn_format(self._call, tried, response)
        if self._gateway.is_final(self._call, response) or not self._call.can_repeat:
            return response
        self._candidates.append(response)
        if not self._formats:
            return _most_specific(self._candidates)
        self.request = self._gateway.request(self._call, self._body, self._formats[0])
        return None

    def note_silence(self) -> None:
        self._gateway.learn_format(self._call, self._formats[0], None)


def _most_specific(candidates: list[Response]) -> Response:
    """Choose the first response that says more than that there is no such path."""
    return next((one for one in candidates if not one.is_no_route), candidates[-1])


_WRAPPING = frozenset(
    {"message", "provider", "response_headers", "status", "statusCode", "success", "code"}
)
"""What stands beside the response in an envelope of success."""

_SAYS_NOTHING = _WRAPPING | {"error"}
"""What an object may hold without saying anything of what was asked for."""


def _read_success(response: Response, members: Mapping[str, bytes] | None) -> Response:
    if members is None or members.get("success") == b"false":
        return response
    for name in ("result", "data"):
        if name in members and members.keys() <= {name, *_WRAPPING}:
            headers = _inner_headers(members.get("response_headers"), response.headers)
            return Response(response.status, headers, members[name])
    return response


def _read_error(response: Response, members: Mapping[str, bytes] | None) -> Response:
    if members is None or set(members) == {"message"}:
        responder = Responder.ROUTER
    elif "provider" in members and "headers" in members:
        headers = _inner_headers(members["headers"], response.headers)
        body = _inner_error(members)
        return Response(response.status, headers, body, Responder.HUME)
    elif "provider" in members:
        responder = Responder.GATEWAY
    elif set(members) == {"data"} or (
        response.status in _ROUTE_ERRORS and not _is_humes_own(members)
    ):
        # One without an envelope is Hume's, passed on, or comes from a router of another make.
        responder = Responder.UNKNOWN
    else:
        responder = Responder.HUME
    return Response(response.status, response.headers, response.body, responder)


def _is_humes_own(members: Mapping[str, bytes]) -> bool:
    """Whether an error without an envelope can only be Hume's."""
    return "fault" in members or _HUMES_CODE.fullmatch(members.get("code", b"")) is not None


def _inner_error(members: Mapping[str, bytes]) -> bytes:
    """Return Hume's own error body, or the gateway's words where Hume's body was empty."""
    error = members.get("error", b"")
    inner = json.members(error)
    if inner is not None and set(inner) == {"headers", "code"}:
        return b'{"message":' + members.get("message", b'""') + b"}"
    return error


def _inner_headers(raw: bytes | None, outer: Mapping[str, str]) -> Mapping[str, str]:
    """Return Hume's headers from inside the envelope; names are in lower case there."""
    try:
        found = json.parse(raw) if raw else None
    except DecodeError:
        found = None
    if not json.is_object(found):
        return outer
    return {
        name.lower(): str(value)
        for name, value in found.items()
        if isinstance(value, (str, int, float)) and not isinstance(value, bool)
    }
