"""What every reader of JSON text shares: the mark to skip, and errors in our words.

The scanner is msgspec. The codec, the scores and the predictions' shell use this.
"""

from __future__ import annotations

import msgspec

from humeai_async.errors import DecodeError

__all__ = ["BYTE_ORDER_MARK", "scan_error"]

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""What some servers put before their JSON."""


def scan_error(problem: Exception, what: str) -> DecodeError:
    """Turn an error of the scanner into ours, with its path."""
    text = str(problem)
    message, found, path = text.partition(" - at `")
    if not found or not isinstance(problem, msgspec.ValidationError):
        return DecodeError(f"{what}: {text}")
    path = path.rstrip("`")
    return DecodeError(f"{what}: {message} at {path}", path=path)
