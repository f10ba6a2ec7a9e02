"""What every reader of JSON text shares: the mark to skip, and errors in our words.

The scanner is msgspec. The codec, the scores, the slices and the predictions' shell use this.
"""

from __future__ import annotations

from typing import Any, TypeGuard, TypeVar

import msgspec

from humeai_async.errors import DecodeError

__all__ = ["BYTE_ORDER_MARK", "UNREADABLE", "scan", "scan_error", "with_path_prefix"]

T = TypeVar("T")

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""What some servers put before their JSON."""

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What the scanner raises at a text that is no JSON, or not of the promised type."""


def scan(decoder: msgspec.json.Decoder[T], text: bytes | msgspec.Raw, what: str) -> T:
    """Read a text.

    Args:
        decoder: Reads it.
        text: JSON, or a slice of it.
        what: Begins the message of an error.

    Raises:
        DecodeError: It is not JSON, or not of the decoder's type; `path` says where.
    """
    try:
        return decoder.decode(text)
    except UNREADABLE as problem:
        raise scan_error(problem, what) from None


def scan_error(problem: Exception, what: str) -> DecodeError:
    """Turn an error of the scanner into ours, with its path."""
    text = str(problem)
    message, found, path = text.partition(" - at `")
    if not found or not isinstance(problem, msgspec.ValidationError):
        return DecodeError(f"{what}: {text}")
    path = path.rstrip("`")
    return DecodeError(f"{what}: {message} at {path}", path=path)


def with_path_prefix(problem: DecodeError, place: str) -> DecodeError:
    """Say of an error inside a slice where that slice stands."""
    path = place + problem.path[1:]
    message = problem.message.removesuffix(f" at {problem.path}")
    return DecodeError(f"{message} at {path}", path=path)


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a value is a JSON object."""
    return isinstance(value, dict)


def is_array(value: object) -> TypeGuard[list[Any]]:
    """Whether a value is a JSON array."""
    return isinstance(value, list)


def json_type(value: object) -> str:
    """Name a value's kind the way JSON does."""
    names: dict[type, str] = {
        bool: "boolean",
        int: "number",
        float: "number",
        str: "text",
        list: "array",
    }
    return "null" if value is None else names.get(type(value), "object")
