"""Bodies of predictions in the sizes that are measured, as Hume or the gateway sends them."""

from __future__ import annotations

import functools
import json

from benchmarks.canned import predictions

BYTES_OF_A_FACE = 2663
JOB = "7b4f0c6e-2f0c-4f0c-9b7e-0c6e2f0c4f0c"
PREDICTIONS_PATH = f"/v0/batch/jobs/{JOB}/predictions"


@functools.cache
def body_of(megabytes: float) -> bytes:
    """Make the predictions of one source with as many faces as it takes."""
    faces = round(megabytes * 1e6 / BYTES_OF_A_FACE)
    return f"[{predictions('https://media.example.com/a.mp4', faces)}]".encode()


def in_envelope(body: bytes) -> bytes:
    """Wrap a body as the open-source gateway does."""
    before = json.dumps({"message": "Success", "provider": "humeai"})[:-1]
    after = json.dumps({"response_headers": {"content-type": "application/json"}})[1:]
    return before.encode() + b', "result": ' + body + b", " + after.encode()
