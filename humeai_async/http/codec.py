"""Bytes to types and back.

Reading goes JSON text, plain objects (msgspec), attrs classes (`converter.py`); predictions
skip the middle. Only `DecodeError`, with its JSON path, comes out. The session and the paging
call it.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any, TypeVar, cast

import msgspec

from humeai_async.errors import InvalidArgumentError
from humeai_async.http.messages import JsonText
from humeai_async.types.json import BYTE_ORDER_MARK, UNREADABLE, scan_error

T = TypeVar("T")


def decode(returns: type[T], body: bytes) -> T:
    """Read a bare answer (its envelope taken off).

    Args:
        returns: Type to make; `bytes` gives the body itself, `NoneType` ignores it, `object`
            gives plain JSON, or text or `None` where it is none.
        body: The answer's bytes.

    Raises:
        DecodeError: The body is not JSON, or not of that type; `path` says where.
    """
    reader = _own_reader(cast("Any", returns))
    if reader is not None:
        return cast("T", reader(body))
    from humeai_async.http.converter import structure

    return structure(returns, parse(body))


@functools.cache
def _own_reader(returns: Any) -> Callable[[bytes], object] | None:
    """Find out once what reads a type, if it is not made from plain objects."""
    return _READERS.get(returns) or getattr(returns, "from_json", None)


def _free(body: bytes) -> Any:
    """Read an answer of which no shape was ever published: JSON, text or nothing."""
    if not body.strip():
        return None
    try:
        return msgspec.json.decode(body.removeprefix(BYTE_ORDER_MARK))
    except UNREADABLE:
        return body.decode("utf-8", errors="replace")


_READERS: dict[type, Callable[[bytes], object]] = {
    bytes: bytes,
    types.NoneType: lambda _: None,
    object: _free,
}
"""Types that are not made from plain objects; others have a `from_json` of their own."""


def parse(body: bytes) -> Any:
    """Read JSON text into plain objects.

    Raises:
        DecodeError: It is not JSON.
    """
    try:
        return msgspec.json.decode(body.removeprefix(BYTE_ORDER_MARK))
    except UNREADABLE as problem:
        error = scan_error(problem, _not_json(body))
    raise error


def encode(value: object) -> bytes:
    """Write a request body: attrs objects, dicts and lists of them, or plain values.

    Fields equal to their default are left out.

    Raises:
        InvalidArgumentError: The value cannot be written as JSON.
    """
    try:
        return JsonText(msgspec.json.encode(to_plain(value)))
    except (
        TypeError,
        ValueError,
        AttributeError,  # a dict inside a typed part
        OverflowError,
        RecursionError,
        msgspec.MsgspecError,
    ) as problem:
        reason = str(problem)
    raise InvalidArgumentError(f"the request cannot be written as JSON: {reason}", field="body")


def is_json(text: bytes) -> bool:
    """Whether a text is JSON, of whatever shape; nothing is made of it."""
    try:
        _scanner.decode(text)
    except UNREADABLE:
        return False
    return True


_scanner = msgspec.json.Decoder(msgspec.Raw)


def on_one_line(text: bytes) -> bytes:
    """Return JSON text without the line breaks that its white space may hold, as UTF-8."""
    if not text.isascii():
        # Raw parts may hold bytes that are no UTF-8, where nobody has read them yet.
        text = text.decode("utf-8", errors="replace").encode()
    # Within texts line breaks are escaped.
    is_one_line = b"\n" not in text and b"\r" not in text
    return text if is_one_line else msgspec.json.format(text, indent=-1)


def structure(returns: type[T], plain: object) -> T:
    """Make plain JSON objects into typed ones.

    Raises:
        DecodeError: They are not of that type; `path` says where.
    """
    from humeai_async.http.converter import structure

    return structure(returns, plain)


def to_plain(value: object) -> Any:
    """Make typed objects into plain JSON ones; fields equal to their default are left out."""
    from humeai_async.http.converter import unstructure

    return unstructure(value)


def members(body: bytes) -> dict[str, bytes] | None:
    """Split a JSON object into its members' own texts, without reading those.

    Returns:
        The raw text of each member, or `None` if the body is not an object.
    """
    try:
        found = _members_decoder.decode(body.removeprefix(BYTE_ORDER_MARK))
    except UNREADABLE:
        return None
    return {name: bytes(raw) for name, raw in found.items()}


_members_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])


def _not_json(body: bytes) -> str:
    start = body.lstrip()[:15].lower()
    if not start:
        return "the answer is empty, not JSON"
    if start.startswith((b"<!doctype", b"<html")):
        return "the answer is an HTML page, not JSON"
    return "the answer is not JSON"
