"""Responses in part: the one form of Range that downloads resume with.

It cuts a whole response down to its rest where the request asks for that and the body is still
the same. Pure; the job store calls it.
"""

from __future__ import annotations

import hashlib
import re

from attrs import evolve

from humeai_async.testing.exchange import Arrival, FakeResponse

_REST = re.compile(r"bytes=([0-9]{1,18})-")


def in_part(arrival: Arrival, response: FakeResponse) -> FakeResponse:
    """Return the response, or the part of it that the request asks for.

    Args:
        arrival: The request; only `Range: bytes=n-` is known, perhaps with `If-Range`.
        response: The whole, with status 200.
    """
    size = len(response.body)
    tag = f'"{hashlib.sha256(response.body).hexdigest()[:16]}"'
    headers = {**response.headers, "Accept-Ranges": "bytes", "ETag": tag}
    match = _REST.fullmatch(arrival.headers.get("range", ""))
    if match is None or arrival.headers.get("if-range", tag) != tag:
        return evolve(response, headers=headers)
    start = int(match[1])
    if start >= size:
        return FakeResponse(416, b"", {**headers, "Content-Range": f"bytes */{size}"})
    headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
    return FakeResponse(206, response.body[start:], headers)
