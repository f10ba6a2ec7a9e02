"""What every reader of JSON text shares: the mark to skip, repairs, and errors in our words.

The scanner is msgspec. Servers written in JavaScript, Java or Python send texts that it
refuses and that can be read all the same; `repaired` rewrites those, after the scanner has
refused them. The codec, the scores, the slices and the predictions' shell use this.
"""

from __future__ import annotations

import math
import re
from typing import Any, TypeGuard, TypeVar

import msgspec

from humeai_async.errors import DecodeError

__all__ = [
    "BYTE_ORDER_MARK",
    "UNREADABLE",
    "is_array",
    "is_json",
    "is_object",
    "json_type",
    "members",
    "not_json",
    "on_one_line",
    "parse",
    "repaired",
    "scan",
    "scan_error",
    "scan_leniently",
    "with_path_prefix",
]

T = TypeVar("T")

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""What some servers put before their JSON."""

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What the scanner raises at a text that is no JSON, or not of the promised type."""

_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a whole pair
    rb"|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_UP_TO_NO_NUMBER = re.compile(
    rb'(?P<before>(?:[^"NI-]++|"[^"\\]*+(?:\\.[^"\\]*+)*+"|-(?![NI]))*+)-?(?:NaN|Infinity)',
    re.DOTALL,
)
"""Text up to the next word outside of quotes that stands for what is not a number."""


def scan(decoder: msgspec.json.Decoder[T], text: bytes | msgspec.Raw, what: str) -> T:
    """Read a text; one that the scanner refuses is repaired first, if that can be done.

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
        error = scan_error(problem, what)
    better = repaired(bytes(text))
    if better is not None:
        try:
            return decoder.decode(better)
        except UNREADABLE as problem:
            error = scan_error(problem, what)
    raise error


def scan_leniently(decoder: msgspec.json.Decoder[T], text: bytes | msgspec.Raw, what: str) -> T:
    """Read a text as `scan` does, without the nulls in it and with whole numbers as such.

    JavaScript writes `1.0` for `1`, Java null for what is missing. To rewrite the text costs
    several times as much as to read it, and is done only where the scanner refuses it.

    Raises:
        DecodeError: It is not JSON, or not of the decoder's type; `path` says where.
    """
    try:
        return scan(decoder, text, what)
    except DecodeError as problem:
        error = problem
    try:
        tidied = msgspec.json.encode(_tidied(scan(_any_decoder, text, what)))
    except (DecodeError, *UNREADABLE):
        raise error from None
    return scan(decoder, tidied, what)


# Numbers beyond the range of floats become infinite, which is written as null.
_any_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(float_hook=float)


def _tidied(value: Any) -> Any:
    if is_object(value):
        return {name: _tidied(one) for name, one in value.items() if not _is_missing(one)}
    if is_array(value):
        return [_tidied(one) for one in value if not _is_missing(one)]
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) < _BEYOND
    return int(value) if is_whole else value


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and not math.isfinite(value))


_BEYOND = 2**63
"""First number that no field for whole ones takes."""


def repaired(text: bytes) -> bytes | None:
    """Rewrite what the scanner refuses and a reader can do without.

    Halves of surrogate pairs, escaped or not, and other bytes that are no UTF-8 become U+FFFD,
    the mark for an unreadable character. NaN and Infinity, which JSON does not have, become
    null.

    Returns:
        The text so changed; `None` where there is nothing to change.
    """
    better = text
    try:
        text.decode()
    except UnicodeDecodeError:
        better = text.decode("utf-8", errors="replace").encode()
    if b"\\" in better:
        better = _ESCAPE.sub(lambda found: rb"\ufffd" if found["half"] else found[0], better)
    if b"NaN" in better or b"Infinity" in better:
        better = _without_no_numbers(better)
    return None if better == text else better


def _without_no_numbers(text: bytes) -> bytes:
    parts: list[bytes] = []
    end = 0
    while found := _UP_TO_NO_NUMBER.match(text, end):
        parts += found["before"], b"null"
        end = found.end()
    return b"".join(parts) + text[end:]


def scan_error(problem: Exception, what: str) -> DecodeError:
    """Turn an error of the scanner into ours, with its path."""
    text = str(problem)
    message, found, path = text.partition(" - at `")
    if not found or not isinstance(problem, msgspec.ValidationError):
        return DecodeError(f"{what}: {text}")
    path = path.rstrip("`")
    return DecodeError(f"{what}: {message} at {path}", path=path)


def with_path_prefix(problem: DecodeError, place: str) -> DecodeError:
    """Return an error inside a part with the place of that part put before its path."""
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


def parse(body: bytes) -> Any:
    """Read JSON text into plain values.

    Raises:
        DecodeError: It is not JSON.
    """
    body = body.removeprefix(BYTE_ORDER_MARK)
    try:
        return _decoder.decode(body)
    except UNREADABLE:
        pass
    return scan(_decoder, body, not_json(body))


_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder()


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


def members(body: bytes) -> dict[str, bytes] | None:
    """Split a JSON object into its members' own texts, without reading those.

    Returns:
        The raw text of each member, or `None` if the body is not an object.
    """
    if body.startswith(b"["):
        return None  # a list may be long: a closer look at what is wrong with it copies all
    try:
        found = scan(_members_decoder, body.removeprefix(BYTE_ORDER_MARK), "")
    except DecodeError:
        return None
    return {name: bytes(raw) for name, raw in found.items()}


_members_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])


def not_json(body: bytes) -> str:
    """Say what a body is that is no JSON."""
    start = body.lstrip()[:15].lower()
    if not start:
        return "the response is empty, not JSON"
    if start.startswith((b"<!doctype", b"<html")):
        return "the response is an HTML page, not JSON"
    return "the response is not JSON"
