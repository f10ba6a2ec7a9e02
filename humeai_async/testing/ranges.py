"""Answers in part: the one form of Range that downloads resume with.

It cuts a whole answer down to its rest where the request asks for that and the body is still
the same. Pure; the job store calls it.
"""

from __future__ import annotations

import hashlib
import re

from attrs import evolve

from humeai_async.testing.exchange import Answer, Arrival

_REST = re.compile(r"bytes=([0-9]{1,18})-")


def in_part(arrival: Arrival, answer: Answer) -> Answer:
    """Return the answer, or the part of it that the request asks for.

    Args:
        arrival: The request; only `Range: bytes=n-` is known, perhaps with `If-Range`.
        answer: The whole, with status 200.
    """
    size = len(answer.body)
    tag = f'"{hashlib.sha256(answer.body).hexdigest()[:16]}"'
    headers = {**answer.headers, "Accept-Ranges": "bytes", "ETag": tag}
    match = _REST.fullmatch(arrival.headers.get("range", ""))
    if match is None or arrival.headers.get("if-range", tag) != tag:
        return evolve(answer, headers=headers)
    start = int(match[1])
    if start >= size:
        return Answer(416, b"", {**headers, "Content-Range": f"bytes */{size}"})
    headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
    return Answer(206, answer.body[start:], headers)
