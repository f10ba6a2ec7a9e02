"""What passes between the layers of the fake: a request in, a response out.

Plain values and the few readers that every handler needs. They know no endpoint, no
dialect and no socket. The server makes an `Arrival`, the upstream application and the
gateway in front of it make an `FakeResponse`.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from typing import Any, NoReturn, TypeAlias, TypeVar

from attrs import field, frozen

from humeai_async.testing.faults import Fault

T = TypeVar("T")
Record: TypeAlias = dict[str, Any]
"""A JSON object as it goes over the wire."""
Pairs: TypeAlias = tuple[tuple[str, str], ...]
"""Query fields in order; a name may come more than once."""

JSON_TYPE = "application/json; charset=utf-8"
TEXT_TYPE = "text/plain; charset=utf-8"

_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}")


class Refusal(Exception):  # noqa: N818 - it is a response on its way out, not an error of ours
    """An error response, raised by a handler.

    Attributes:
        status: HTTP status.
        message: What the body says.
        code: The body's error code.
        body: The whole body, where it is not the usual one.
    """

    def __init__(
        self, status: int, message: str, code: str | None = None, body: Record | None = None
    ) -> None:
        super().__init__(message)
        self.body = body
        self.status = status
        self.message = message
        self.code = code


def invalid(message: str) -> Refusal:
    """Return the error response to a request that says what cannot be."""
    return Refusal(400, message, "E0101")


def found(records: Mapping[str, T], id: str, what: str) -> T:
    """Return what has an id.

    Raises:
        Refusal: Nothing has it.
    """
    if id not in records:
        raise Refusal(404, f"{what} {id} not found", "E0404")
    return records[id]


@frozen
class FormPart:
    """One part of a multipart body, with its checksums."""

    name: str
    """Name of the field, such as `file`."""
    filename: str | None
    content_type: str | None
    size: int
    """Bytes."""
    md5: str
    sha256: str
    content: bytes = field(repr=False)
    """The bytes; only the first megabyte of a part that has a file name is kept."""

    @classmethod
    def of(
        cls, name: str, content: bytes, *, filename: str | None = None, content_type: str = ""
    ) -> FormPart:
        """Make a part of bytes that are all there."""
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        sha256 = hashlib.sha256(content).hexdigest()
        return cls(name, filename, content_type or None, len(content), md5, sha256, content)


@frozen
class Arrival:
    """One request as an application sees it: decoded, complete."""

    method: str
    path: str
    """As it came, still escaped."""
    query: Pairs = ()
    headers: Mapping[str, str] = field(factory=dict[str, str], repr=False)
    """Names in lower case."""
    body: bytes = field(default=b"", repr=False)
    parts: tuple[FormPart, ...] | None = None
    """Parts of a multipart body, which then is not in `body`."""
    raw_target: str = field(default="", repr=False)
    """Path and query as they came."""

    def first(self, name: str) -> str | None:
        """Return the first value of a query field, or `None`."""
        return next((value for key, value in self.query if key == name), None)

    def every(self, name: str) -> list[str]:
        """Return all values of a repeated query field."""
        return [value for key, value in self.query if key == name]

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a query field that is `true` or `false`.

        Raises:
            Refusal: It is something else.
        """
        value = self.first(name)
        if value is None or value == "":
            return default
        if value not in {"true", "false"}:
            raise invalid(f"{name} must be true or false, not {value!r}")
        return value == "true"

    def number(self, name: str, *, default: int, least: int, most: int | None = None) -> int:
        """Return a query field that is a whole number.

        Raises:
            Refusal: It is no number, or out of range.
        """
        value = self.first(name)
        if value is None or value == "":
            return default
        if not _WHOLE_NUMBER.fullmatch(value):
            raise invalid(f"{name} must be a whole number, not {value!r}")
        number = int(value)
        if number < least or (most is not None and number > most):
            raise invalid(f"{name} is out of range: {number}")
        return number

    def json(self) -> Any:
        """Return the body as JSON.

        Raises:
            Refusal: It is not JSON.
        """
        return read_json(self.body, "The payload")

    def object(self) -> Record:
        """Return the body as a JSON object.

        Raises:
            Refusal: It is something else.
        """
        record = as_record(self.json())
        if record is None:
            raise invalid("The payload must be a JSON object")
        return record

    def part(self, name: str) -> FormPart | None:
        """Return the first part of a name of a multipart body, or `None`."""
        return next((part for part in self.parts or () if part.name == name), None)


@frozen
class FakeResponse:
    """One response before it is put on a socket."""

    status: int
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(factory=dict[str, str])
    fault: Fault | None = None
    """What goes wrong while it is sent."""
    silent: bool = False
    """The caller gets nothing at all."""

    @property
    def content_type(self) -> str | None:
        """The Content-Type, or `None`."""
        return next((v for k, v in self.headers.items() if k.lower() == "content-type"), None)


def read_json(text: str | bytes, name: str) -> Any:
    """Return what a JSON text says.

    Args:
        text: The text.
        name: What it is called where it is refused.

    Raises:
        Refusal: It is not JSON: `NaN`, numbers out of range and halves of characters are not.
    """
    try:
        value = json.loads(text, parse_constant=_refuse_number, parse_float=_read_float)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise Refusal(400, f"{name} is not valid JSON", "E0100") from None
    return value


def _read_float(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse_number(text)


def _refuse_number(text: str) -> NoReturn:
    raise ValueError(text)


def as_list(value: Any) -> list[Any] | None:
    """Return a JSON value if it is an array."""
    items: Any = value
    return items if isinstance(value, list) else None


def as_record(value: Any) -> Record | None:
    """Return a JSON value if it is an object."""
    record: Any = value
    return record if isinstance(value, dict) else None


def json_response(value: object, status: int = 200) -> FakeResponse:
    """Return a response with JSON."""
    return FakeResponse(status, json.dumps(value).encode(), {"Content-Type": JSON_TYPE})


def text_response(text: str, status: int = 200) -> FakeResponse:
    """Return a response with plain text."""
    return FakeResponse(status, text.encode(), {"Content-Type": TEXT_TYPE})


def error_response(refusal: Refusal) -> FakeResponse:
    """Return a response with the body that Hume's reference gives for errors."""
    if refusal.body is not None:
        return json_response(refusal.body, refusal.status)
    body: Record = {"error": _REASONS.get(refusal.status, "Error"), "message": refusal.message}
    if refusal.code is not None:
        body["code"] = refusal.code
    return json_response(body, refusal.status)


_REASONS = {
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    413: "Payload Too Large",
    429: "Too Many Requests",
}
