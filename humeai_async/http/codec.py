"""Bytes to types and back.

Reading goes JSON text, plain values (msgspec), attrs classes (`converter.py`). What is as
documented skips the middle (`one_pass.py`), and so do predictions. Only `DecodeError`, with its
JSON path, comes out. The session and the paging call it.
"""

from __future__ import annotations

import functools
import math
import types
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar, cast

import msgspec

from humeai_async._base.base_values import as_base
from humeai_async.errors import DecodeError, InvalidArgumentError
from humeai_async.http.converter import one_pass_reader, reader_of, structure, to_plain
from humeai_async.http.messages import JsonText
from humeai_async.http.parts import check_parts
from humeai_async.types.json import (
    BYTE_ORDER_MARK,
    is_array,
    is_json,
    is_object,
    json_type,
    members,
    not_json,
    on_one_line,
    parse,
)

__all__ = [
    "decode",
    "encode",
    "encode_line",
    "encode_request",
    "is_json",
    "members",
    "on_one_line",
    "parse",
    "structure",
    "to_plain",
]

T = TypeVar("T")


def decode(returns: type[T], body: bytes) -> T:
    """Read the body of a response whose envelope has been taken off.

    Args:
        returns: Type to make; `bytes` gives the body itself, `object` gives a JSON value, or
            text or `None` where it is none. `NoneType` accepts a body that says nothing.
        body: The response's bytes.

    Raises:
        DecodeError: The body is not JSON, or not of that type; `path` says where.
    """
    hint: Any = returns  # to mypy a type is not hashable
    found: T = _reader(hint)(body)
    return found


@functools.cache
def _reader(returns: Any) -> Callable[[bytes], Any]:
    """Find out once how a type is read."""
    own = _READERS.get(returns) or getattr(returns, "from_json", None)
    if own is not None:
        return cast("Callable[[bytes], object]", own)

    read_plain = reader_of(returns)
    read = one_pass_reader(returns, lambda body: read_plain(parse(body)))

    def read_or_default(body: bytes) -> object:
        return returns() if _says_nothing(body) else read(body)

    return read_or_default if getattr(returns, "may_be_empty", False) else read


def _read_anything(body: bytes) -> Any:
    """Read a body of which no form was ever published: JSON, text or nothing.

    Raises:
        DecodeError: It is a page of HTML, which is some other server's, or JSON that says that
            the call failed.
    """
    if not body.strip():
        return None
    try:
        value = parse(body)
    except DecodeError:
        if body.lstrip().startswith(b"<"):
            raise
        return body.decode("utf-8", errors="replace")
    return structure(cast("Any", object), value)


def _read_nothing(body: bytes) -> None:
    """Accept the body of a response that only confirms, such as that of a delete.

    Hume sends nothing or a line of plain text, the gateway makes null, `""` or `{}` of it.
    A page of HTML is some other server's, and JSON that holds anything may be an error: a
    gateway's `{"success": false}` comes with status 200.

    Raises:
        DecodeError: The body is something else.
    """
    if _says_nothing(body):
        return
    reason, is_whole = not_json(body), False
    try:
        value = parse(body)
    except DecodeError:
        if body.lstrip()[:1] not in _MARKUP:
            return
    else:
        if isinstance(value, str) and not value.lstrip().startswith("<"):
            return
        is_whole = is_object(value) or is_array(value)
        shown = ", ".join(list(value)[:_MOST_NAMES]) if is_object(value) else json_type(value)
        reason = f"the response was to confirm the request and holds something else: {shown}"
    raise DecodeError(
        f"{reason}; whether the request was carried out is not known", is_whole=is_whole
    )


def _says_nothing(body: bytes) -> bool:
    return body.removeprefix(BYTE_ORDER_MARK).strip() in {b"", b"null", b"{}", b'""'}


_MARKUP = frozenset({b"<", b"{", b"["})
"""How pages of HTML and broken JSON begin."""
_MOST_NAMES = 5
"""Names of members that an error repeats."""

_READERS: dict[type, Callable[[bytes], object]] = {
    bytes: bytes,
    types.NoneType: _read_nothing,
    object: _read_anything,
}
"""Types that are not made from JSON values; others have a `from_json` of their own."""


def encode_request(value: object) -> bytes:
    """Write a request body as `encode` does, and refuse what JSON has no number for.

    NaN and infinity would be sent as null, which the service takes for a value left out.

    Raises:
        InvalidArgumentError: The value cannot be written as JSON, or a dict in it has a key
            that there is not.
    """
    check_parts(value)
    text = encode(value)
    if b"null" in text and not _is_finite(to_plain(value)):
        raise InvalidArgumentError(
            "the request cannot be written as JSON: it holds NaN or infinity", field="body"
        )
    return text


def _is_finite(plain: object) -> bool:
    """Whether all numbers in a plain value can be written."""
    if isinstance(plain, Mapping):
        return all(map(_is_finite, cast("Mapping[str, object]", plain).values()))
    if isinstance(plain, (list, tuple, set, frozenset)):
        return all(map(_is_finite, cast("Collection[object]", plain)))
    plain = as_base(plain)
    return not isinstance(plain, float) or math.isfinite(plain)


def encode(value: object) -> bytes:
    """Write attrs objects, dicts and lists of them, or plain values; NaN becomes null.

    Fields equal to their default are left out. Texts and numbers of other classes, such as
    those of lxml and numpy, are written as what they are texts and numbers of.

    Raises:
        InvalidArgumentError: The value cannot be written as JSON.
    """
    return JsonText(_write(value))


def encode_line(value: object) -> bytes:
    """Write as `encode` does, on one line of a file, without its end.

    Raises:
        InvalidArgumentError: The value cannot be written as JSON.
    """
    return on_one_line(_write(value))


def _write(value: object) -> bytes:
    try:
        return _encoder.encode(to_plain(value))
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


def _written_as(value: object) -> object:
    """Say what to write for a value that the encoder does not know."""
    plain = as_base(value)
    if plain is value:
        raise TypeError(f"objects of type {type(value).__name__} are not supported")
    return plain


_encoder = msgspec.json.Encoder(enc_hook=_written_as)
