"""Hume behind the LowCodeAPI gateway: its URL formats and its envelopes.

`LowCodeAPI` is an origin like `Direct`: it puts the gateway's token on a call and takes the
envelope off the response. It sends nothing; the session does. The client makes it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

from humeai_async.errors import ConfigurationError, DecodeError, GatewayUnsupportedError
from humeai_async.http.endpoint import Call, Encoding, Endpoint
from humeai_async.http.messages import Part, Request, Response, Sender
from humeai_async.http.origins import ACCEPT, JSON_CONTENT, Format, OriginBase, new_path, query_text
from humeai_async.types.json import is_object

logger: logging.Logger = logging.getLogger("humeai_async.origins")

LOWCODEAPI_URL = "https://api.lowcodeapi.com/humeai"


GATEWAY_ABILITIES = frozenset({"uploads", "binary", "bare_json"})
"""What a gateway may be said to carry beyond JSON objects; see `LowCodeAPI`."""


_ROUTE_ERRORS = frozenset({404, 405})


_PACE_ERRORS = frozenset({429})


_HUMES_CODE = re.compile(rb'"[EIW]\d{4}"')
"""How Hume's own error codes look in JSON."""


class LowCodeAPI(OriginBase):
    """Hume behind the LowCodeAPI gateway.

    The gateway documents two URL formats; the new one is tried first, the old one where the
    new one's path does not exist, and what worked is logged once and remembered. It carries
    JSON objects and arrays only: uploads lose their body without a word, binary answers are
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
        api_token: str,
        *,
        base_url: str = LOWCODEAPI_URL,
        carries: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__(base_url, api_token)
        if unknown := sorted(carries - GATEWAY_ABILITIES):
            raise ConfigurationError(
                f"gateway_carries knows {sorted(GATEWAY_ABILITIES)}, not {unknown}"
            )
        self._carries = carries
        self._known: Format | None = None
        self._odd_ones: dict[str, Format] = {}
        self._new_hangs_up = False

    def refuse(self, endpoint: Endpoint[Any]) -> None:
        """Refuse what the gateway would lose or ruin.

        Raises:
            GatewayUnsupportedError: It cannot carry the call; nothing was sent.
        """
        if endpoint.socket:
            raise GatewayUnsupportedError(
                f"the LowCodeAPI gateway does not carry WebSockets, so {endpoint.name} was not "
                "opened; call Hume directly (api_key=...)",
                method=endpoint.method,
                endpoint=endpoint.path,
            )
        needs = {
            "uploads": endpoint.encoding is Encoding.MULTIPART,
            "binary": endpoint.binary,
            "bare_json": endpoint.encoding is Encoding.BARE_JSON,
        }
        for ability, needed in needs.items():
            if needed and ability not in self._carries:
                raise GatewayUnsupportedError(
                    f"the LowCodeAPI gateway does not carry {_NAMES[ability]}, so "
                    f"{endpoint.name} was not sent; call Hume directly (api_key=...), or pass "
                    f'gateway_carries={{"{ability}"}} if your gateway does',
                    method=endpoint.method,
                    endpoint=endpoint.path,
                )

    def formats(self, call: Call[Any]) -> tuple[Format, ...]:
        """Return the formats to try; one only where they are the same or one is known."""
        if not call.ids:
            return (Format.NEW,)
        known = self._odd_ones.get(call.endpoint.name, self._known)
        if self._new_hangs_up and known is not Format.NEW:
            return (Format.OLD,) if known else (Format.OLD, Format.NEW)
        return (Format.OLD, Format.NEW) if known is Format.OLD else (Format.NEW, Format.OLD)

    def request(
        self, call: Call[Any], body: bytes | tuple[Part, ...] | None, url_format: Format
    ) -> Request:
        """Put host, credential and ids on a call, in one of the formats."""
        endpoint = call.endpoint
        query = call.query
        if url_format is Format.OLD:
            path = endpoint.path.replace("{", "").replace("}", "")
            query = (*zip(endpoint.parameters, call.ids, strict=True), *query)
        else:
            path = new_path(call)
        query = (*query, ("api_token", self._credential.reveal()))
        url = f"{self.base_url}{path}?{query_text(query)}"
        headers = {**ACCEPT, **JSON_CONTENT} if isinstance(body, bytes) else ACCEPT
        return Request(endpoint.method, endpoint.path, url, headers, body)

    def read(self, response: Response) -> Response:
        """Take one envelope off, of the three shapes of success and the two of failure."""
        from humeai_async.http import codec

        members = codec.members(response.body)
        if 200 <= response.status < 300:  # noqa: PLR2004 - the classes of HTTP
            return _read_success(response, members)
        return _read_error(response, members)

    def settle(self, call: Call[Any], url_format: Format, answer: Response | None) -> bool:
        """Say whether this is the answer, or the other format should be tried."""
        if not call.ids:
            return True
        if answer is None:
            if self._known is None and url_format is Format.NEW and call.endpoint.repeatable:
                # One version of the gateway dies of the first request in the new format.
                self._new_hangs_up = True
            return True
        if not self._speaks_for_format(call, answer):
            return False
        if answer.is_success or answer.sender is Sender.HUME:
            self._remember(call.endpoint.name, url_format)
        return True

    def _speaks_for_format(self, call: Call[Any], answer: Response) -> bool:
        """Whether an answer came from behind the route, as far as one can tell."""
        if answer.is_no_route:
            return False
        if answer.is_success or answer.sender is Sender.HUME or self._known is not None:
            return True
        if answer.status in _ROUTE_ERRORS:
            # Perhaps the route's: nothing was carried out then, whatever the method.
            return False
        # Nothing is known yet, and this error may come from the format: for a request that
        # can be repeated the other format is worth a try, as the gateway's document asks.
        asked_to_wait = answer.status in _PACE_ERRORS or "retry-after" in answer.headers
        return not call.endpoint.repeatable or asked_to_wait

    def _remember(self, name: str, url_format: Format) -> None:
        """Remember what worked: for the client, and for endpoints that differ from that."""
        if self._known is None:
            self._known = url_format
            logger.info(
                "the gateway at %s takes the %s URL format", self.base_url, url_format.value
            )
        elif url_format is not self._known:
            self._odd_ones[name] = url_format


_NAMES = {
    "uploads": "file uploads",
    "binary": "binary answers",
    "bare_json": "single JSON values as a body",
}


_WRAPPING = frozenset(
    {"message", "provider", "response_headers", "status", "statusCode", "success", "code"}
)
"""What stands beside the answer in an envelope of success."""


def _read_success(response: Response, members: Mapping[str, bytes] | None) -> Response:
    for name in ("result", "data"):
        if members is not None and name in members and members.keys() <= {name, *_WRAPPING}:
            headers = _inner_headers(members.get("response_headers"), response.headers)
            return Response(response.status, headers, members[name])
    return response


def _read_error(response: Response, members: Mapping[str, bytes] | None) -> Response:
    if members is None or set(members) == {"message"}:
        sender = Sender.ROUTER
    elif "provider" in members and "headers" in members:
        headers = _inner_headers(members["headers"], response.headers)
        body = _inner_error(members)
        return Response(response.status, headers, body, Sender.HUME)
    elif "provider" in members:
        sender = Sender.GATEWAY
    elif set(members) == {"data"} or (
        response.status in _ROUTE_ERRORS and not _is_humes_own(members)
    ):
        # One without an envelope is Hume's, passed on, or comes from a router of another make.
        sender = Sender.UNKNOWN
    else:
        sender = Sender.HUME
    return Response(response.status, response.headers, response.body, sender)


def _is_humes_own(members: Mapping[str, bytes]) -> bool:
    """Whether an error without an envelope can only be Hume's."""
    return "fault" in members or _HUMES_CODE.fullmatch(members.get("code", b"")) is not None


def _inner_error(members: Mapping[str, bytes]) -> bytes:
    """Return Hume's own error body, or the gateway's words where Hume's body was empty."""
    from humeai_async.http import codec

    error = members.get("error", b"")
    inner = codec.members(error)
    if inner is not None and set(inner) == {"headers", "code"}:
        return b'{"message":' + members.get("message", b'""') + b"}"
    return error


def _inner_headers(raw: bytes | None, outer: Mapping[str, str]) -> Mapping[str, str]:
    """Return Hume's headers from inside the envelope; names are in lower case there."""
    from humeai_async.http import codec

    try:
        found = codec.parse(raw) if raw else None
    except DecodeError:
        found = None
    if not is_object(found):
        return outer
    return {
        name.lower(): str(value)
        for name, value in found.items()
        if isinstance(value, (str, int, float)) and not isinstance(value, bool)
    }
