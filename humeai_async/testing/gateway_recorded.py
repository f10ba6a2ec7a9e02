"""The LowCodeAPI gateway as its open-source server was seen to behave.

It calls Hume in process and does to requests and responses what the recordings show, the
losses included: dropped multipart bodies, ruined archives, rewritten arrays, ids that are
not escaped, responses that never come. What it makes of JSON is in `javascript`.

Left out: the crash of definitions with proxy paths, redirects to follow, Brotli.
"""

from __future__ import annotations

import base64
import codecs
import gzip
import hashlib
import zlib
from collections.abc import Mapping
from email.utils import formatdate
from typing import Any, Literal, TypeAlias
from urllib.parse import parse_qsl, quote

from attrs import evolve

from humeai_async.testing import javascript
from humeai_async.testing.exchange import JSON_TYPE, Arrival, FakeResponse, Pairs, Record, as_record
from humeai_async.testing.faults import CONNECTION_KINDS
from humeai_async.testing.gateway import PREFIX, Application
from humeai_async.testing.rows import Row, describe, find_old
from humeai_async.testing.upstream import Credentials

GatewayState: TypeAlias = Literal["working", "shipped", "no-credentials"]
"""`working`: as recorded with Hume's authentication filled in. `shipped`: the definition as it
is in the repository, where every call ends in a 401. `no-credentials`: the user has stored
no Hume key."""

_FORM = "application/x-www-form-urlencoded"
HEAD_LIMIT = 16 * 1024
"""Bytes of request line and headers that the HTTP server takes."""
_MOST_FIELDS = 1000
_COMPRESSED_FROM = 512
_JSON_TYPES = frozenset({"application/json", "text/json"})
_XML_TYPES = frozenset({"application/xml", "text/xml"})
_COMPRESSIBLE = ("text/", "application/json", "application/problem+json", "application/xml")
_COOKIE = "connect.sid=s%3Afake; Path=/; HttpOnly"
_NO_CONTENT = 204
_REDIRECT = 300
_ERROR = 400


class RecordedGateway:
    """LowCodeAPI as recorded."""

    def __init__(
        self,
        upstream: Application,
        credentials: Credentials,
        *,
        state: GatewayState = "working",
        body_limit: int = 100 * 1024 * 1024,
    ) -> None:
        self._upstream = upstream
        self._credentials = credentials
        self._state = state
        self._body_limit = body_limit

    def handle(self, arrival: Arrival) -> FakeResponse:
        """Respond to one request."""
        head = len(arrival.raw_target) + sum(
            len(k) + len(v) + 4 for k, v in arrival.headers.items()
        )
        if head > HEAD_LIMIT:
            return FakeResponse(431, b"", {"Connection": "close"})
        body, refusal = _parse_body(arrival, self._body_limit)
        if refusal is not None:
            # The body parser runs before everything else, the session's cookie included.
            return _dress(refusal, arrival, framework=True)
        return _dress(self._respond_to(arrival, body), arrival)

    def _respond_to(self, arrival: Arrival, body: bytes) -> FakeResponse:
        path = arrival.path.lower().rstrip("/")
        if path in {"", PREFIX}:
            return FakeResponse(
                302, b"", {"Location": "http://127.0.0.1:3000?redirected_from=fake"}
            )
        if (arrival.method, path) == ("GET", f"{PREFIX}/definition"):  # which asks for no token
            return _json(describe(), 200)
        row = self._row(arrival, path)
        if row is None:
            return _json({"message": "Not Found"}, 404)
        refusal = self._check_token(arrival)
        if refusal is not None:
            return refusal
        response = self._upstream.handle(self._call(row, arrival, body))
        return _wrap(response)

    def _row(self, arrival: Arrival, path: str) -> Row | None:
        if not path.startswith(PREFIX + "/") or "//" in path or "%2f" in path:
            return None
        method = "GET" if arrival.method == "HEAD" else arrival.method
        return find_old(method, path.removeprefix(PREFIX))

    def _check_token(self, arrival: Arrival) -> FakeResponse | None:
        tokens = arrival.every("api_token")
        if len(tokens) > 1:
            return _gateway_error(500, 'invalid input syntax: "api_token" cannot be an array', {})
        if not tokens or not tokens[0].startswith("at_"):
            message = "A valid API token is required to access this API."
            logging: Record = {
                "method": arrival.method,
                "status_code": 401,
                "message": message,
                "path": arrival.path,
                "headers": dict(arrival.headers),
                "query": dict(arrival.query),
            }
            return _gateway_error(401, message, {"code": 401, "logging": logging})
        if tokens[0] != self._credentials.api_token:
            return _gateway_error(403, "Invalid api_token", {"code": 403})
        if self._state == "shipped":
            return _gateway_error(401, "Authentication mode not implemented.", {"code": 401})
        if self._state == "no-credentials":
            message = (
                "No access token is associated with this api_token, "
                "authorize your humeai with LowCodeAPI."
            )
            return _gateway_error(403, message, {"code": 403})
        return None

    def _call(self, row: Row, arrival: Arrival, body: bytes) -> Arrival:
        fields = _fields(arrival.query[:_MOST_FIELDS])
        path, own_query = row.path, ""
        for name in row.parameters:
            path = path.replace(f"{{{name}}}", _unescaped(fields.get(name), name))
        path, _, own_query = path.partition("#")[0].partition("?")
        query = (
            tuple(parse_qsl(own_query, keep_blank_values=True)) if own_query else _flatten(fields)
        )
        headers = {
            "accept": "application/json, text/plain, */*",
            "content-type": "application/json",
            "user-agent": "axios/1.13.1",
            "x-hume-api-key": self._credentials.api_key,
        }
        method = "GET" if arrival.method == "HEAD" else arrival.method
        return Arrival(
            method,
            _climb(path),
            query,
            headers,
            b"" if method == "GET" else body,
            raw_target=path,
        )


def _parse_body(arrival: Arrival, limit: int) -> tuple[bytes, FakeResponse | None]:
    """Return the JSON text that goes on to Hume, or the framework's refusal."""
    media, _, rest = arrival.headers.get("content-type", "").lower().partition(";")
    media = media.strip()
    if arrival.parts is not None or media not in {"application/json", _FORM}:
        return b"{}", None
    charset = rest.partition("charset=")[2].strip(' "') or "utf-8"
    if not charset.startswith("utf-") or not _is_known(charset):
        return b"", _json({"message": f'unsupported charset "{charset.upper()}"'}, 415)
    if len(arrival.body) > limit:
        return b"", _json({"message": "request entity too large"}, 413)
    if not arrival.body:
        return b"{}", None
    text = arrival.body.decode(charset, "replace")
    if media == _FORM:
        form = _fields(tuple(parse_qsl(text, keep_blank_values=True)), strip=False)
        return javascript.dumps(form), None
    return _parse_json(text)


def _parse_json(text: str) -> tuple[bytes, FakeResponse | None]:
    first = text.lstrip()[:1]
    if first not in {"{", "["}:
        message = f"Unexpected token '{first}', \"{text[:20]}\" is not valid JSON"
        return b"", _json({"message": message}, 400)
    try:
        return javascript.dumps(javascript.loads(text)), None
    except (ValueError, RecursionError):
        return b"", _json({"message": "Unexpected end of JSON input"}, 400)


def _is_known(charset: str) -> bool:
    try:
        codecs.lookup(charset)
    except LookupError:
        return False
    return True


def _fields(query: Pairs, *, strip: bool = True) -> dict[str, str | list[str]]:
    """Read a query as the framework does: a repeated name becomes a list."""
    fields: dict[str, str | list[str]] = {}
    for key, value in query:
        if key == "api_token":
            continue
        name = key.removesuffix("[]") if strip else key
        seen = fields.get(name)
        if seen is None:
            fields[name] = value if name == key else [value]
        else:
            fields[name] = [*([seen] if isinstance(seen, str) else seen), value]
    return fields


def _flatten(fields: Mapping[str, str | list[str]]) -> Pairs:
    """Write a query as the gateway's HTTP client does: lists get numbered names."""
    pairs: list[tuple[str, str]] = []
    for name, value in fields.items():
        if isinstance(value, str):
            pairs.append((name, value))
        else:
            pairs.extend((f"{name}[{place}]", item) for place, item in enumerate(value))
    return tuple(pairs)


def _unescaped(value: str | list[str] | None, name: str) -> str:
    """Put an id into a path as the gateway does: as it is, by a text replacement."""
    text = ",".join(value) if isinstance(value, list) else value
    if not text:
        return "null"
    return text.replace("$$", "$").replace("$&", f":{name}")


def _climb(path: str) -> str:
    """Resolve `.` and `..` as an HTTP client does before it sends."""
    steps: list[str] = []
    for step in path.replace("\\", "/").split("/"):
        if step == "..":
            steps[1:] = steps[1:-1]
        elif step != ".":
            steps.append(step)
    return quote("/".join(steps), safe="/:@!$&'()*+,;=~-._%")


def _wrap(response: FakeResponse) -> FakeResponse:
    """Put Hume's response into the envelope."""
    fault = response.fault
    if fault and fault.upstream and fault.kind in CONNECTION_KINDS:
        if fault.kind.startswith("stall") and fault.seconds is None:
            return evolve(response, silent=True, fault=None)
        return _gateway_error(500, "socket hang up", {"message": "socket hang up"})
    if fault and fault.is_mute:
        return response
    if response.status >= _ERROR:
        return evolve(_wrap_error(response), fault=fault)
    if response.status >= _REDIRECT:
        return FakeResponse(302, b"", {"Location": f"/?code={response.status}"}, fault)
    return evolve(_wrap_success(response), fault=fault)


def _wrap_success(response: FakeResponse) -> FakeResponse:
    content_type = response.content_type
    media = (content_type or "").partition(";")[0]
    if "/" not in media:
        return evolve(response, silent=True)
    text = response.body.decode("utf-8", "replace")
    if response.status == _NO_CONTENT:
        text = ""
    if media in _XML_TYPES:
        return _json(_envelope({"xml": text, "json": {}}, response), 200)
    if media not in _JSON_TYPES:
        base = media.strip()
        return FakeResponse(200, text.encode(), {"Content-Type": f"{base}; charset=utf-8"})
    result = _read(text)
    if result is None:
        return evolve(response, silent=True)
    return _json(_envelope(result, response), 200)


def _wrap_error(response: FakeResponse) -> FakeResponse:
    text = response.body.decode("utf-8", "replace")
    headers = _upstream_headers(response)
    error: Any = _read(text) if text else {"headers": headers, "code": response.status}
    if error is None:
        message = "Cannot read properties of null (reading 'message')"
        return _gateway_error(500, message, {"message": message})
    message = _own_message(error) or "Error received from the humeai API"
    body = {"message": message, "provider": "humeai", "error": error, "headers": headers}
    return _json(body, response.status)


def _read(text: str) -> Any:
    """Parse JSON; what is none stays text, whatever its content type."""
    try:
        return javascript.loads(text)
    except ValueError:
        return text


def _envelope(result: object, response: FakeResponse) -> Record:
    return {
        "message": _own_message(result) or "Request completed",
        "provider": "humeai",
        "result": result,
        "response_headers": _upstream_headers(response),
    }


def _own_message(body: object) -> str | None:
    return (as_record(body) or {}).get("message") or None


def _upstream_headers(response: FakeResponse) -> Record:
    return {
        **{name.lower(): value for name, value in response.headers.items()},
        "content-length": str(len(response.body)),
        "date": formatdate(usegmt=True),
        "server": "fake",
    }


def _gateway_error(status: int, message: str, error: Record) -> FakeResponse:
    return _json({"message": message, "provider": "humeai", "error": error}, status)


def _json(body: object, status: int) -> FakeResponse:
    return FakeResponse(status, javascript.dumps(body), {"Content-Type": JSON_TYPE})


def _dress(response: FakeResponse, arrival: Arrival, *, framework: bool = False) -> FakeResponse:
    """Add the headers that the gateway's web server adds, and compress."""
    if response.silent:
        return response
    digest = base64.b64encode(hashlib.sha1(response.body, usedforsecurity=False).digest())[:27]
    headers = {
        **response.headers,
        "ETag": f'W/"{len(response.body):x}-{digest.decode()}"',
        "Keep-Alive": "timeout=5",
        "Connection": "keep-alive",
    }
    if not framework:
        headers["Vary"] = "Origin, Accept-Encoding"
        headers["Access-Control-Allow-Credentials"] = "true"
        if "connect.sid=" not in arrival.headers.get("cookie", ""):
            headers["Set-Cookie"] = _COOKIE
    is_read = arrival.method in {"GET", "HEAD"} and response.status < _REDIRECT
    if is_read and arrival.headers.get("if-none-match") == headers["ETag"]:
        headers.pop("Content-Type", None)
        return FakeResponse(304, b"", headers)
    return _compress(evolve(response, headers=headers), arrival)


def _compress(response: FakeResponse, arrival: Arrival) -> FakeResponse:
    offered = arrival.headers.get("accept-encoding", "")
    kind = response.content_type or ""
    if len(response.body) < _COMPRESSED_FROM or not kind.startswith(_COMPRESSIBLE):
        return response
    if response.fault is not None and response.fault.is_about_packing:
        return response
    for name, squeeze in (("gzip", _gzip), ("deflate", zlib.compress)):
        if name in offered:
            headers = {**response.headers, "Content-Encoding": name}
            return evolve(response, body=squeeze(response.body), headers=headers)
    return response


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, compresslevel=6, mtime=0)
