"""Calls that have no method of their own: any path of the API, with the same pacing and retries.

`raw_call` checks what `HumeAI.request` was given and makes a `Call` of it; what comes back is a
`RawResponse`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from humeai_async._base.base_values import as_base
from humeai_async._base.frozen import define
from humeai_async._base.unset import UNSET
from humeai_async.errors import InvalidArgumentError
from humeai_async.http.codec import parse
from humeai_async.http.endpoint import Call, Encoding, Endpoint, QueryValue, fill, has_dot_segments
from humeai_async.http.messages import Response

BUCKETS = frozenset({"batch", "decisions", "evi", "expression", "registry"})
"""Quotas of the catalog, which are named for the second part of their paths."""

METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"})


@define
class RawResponse(Response):
    """One response as Hume gave it: no envelope, Hume's own headers where they are known."""

    def json(self) -> Any:
        """Return the body as plain JSON objects.

        Raises:
            DecodeError: It is not JSON.
        """
        return parse(self.body)


def raw_call(
    method: str, path: str, query: Mapping[str, QueryValue] | None, json: object
) -> Call[bytes]:
    """Make a call of a method and a path.

    Args:
        method: HTTP method.
        path: Path from the root of the API.
        query: Query fields; `None` values are left out.
        json: JSON body; `None` for none.

    Raises:
        InvalidArgumentError: The method, path, query or body cannot be used.
    """
    method, path = as_base(method), as_base(path)
    if not isinstance(cast("object", method), str) or method.upper() not in METHODS:
        raise InvalidArgumentError(f"no such HTTP method: {method!r}", field="method")
    if not isinstance(cast("object", path), str) or not _is_plain(path):
        raise InvalidArgumentError(
            "path must start with one '/' and hold no query, '..' or '{}': pass query=...",
            field="path",
        )
    endpoint = Endpoint(
        name="request",
        method=method.upper(),
        path=path,
        returns=bytes,
        bucket=bucket_of(path),
        encoding=_encoding_of(json),
    )
    if query is not None and not isinstance(cast("object", query), Mapping):
        kind = type(query).__name__
        raise InvalidArgumentError(f"query is a dict of its fields, not {kind}", field="query")
    return fill(endpoint, query=query, body=UNSET if json is None else json)


def raw_response(_: object, response: Response) -> RawResponse:
    """Return a response as users of `HumeAI.request` get it."""
    return RawResponse(response.status, response.headers, response.body, response.responder)


def _encoding_of(body: object) -> Encoding:
    if body is None:
        return Encoding.NONE
    # Gateways take objects and arrays alone, so single values are told apart.
    return Encoding.BARE_JSON if isinstance(body, (str, int, float)) else Encoding.JSON


def bucket_of(path: str) -> str:
    """Return the quota that a path draws on, as the catalog's endpoints below it do."""
    parts = path.split("/")
    return parts[2] if len(parts) > 2 and parts[2] in BUCKETS else "request"  # noqa: PLR2004 - "", version, product


def _is_plain(path: str) -> bool:
    is_rooted = path.startswith("/") and not path.startswith("//")
    is_printable = path.isprintable() and not any(c in path for c in "?#{} \\")
    return is_rooted and is_printable and not has_dot_segments(path)
