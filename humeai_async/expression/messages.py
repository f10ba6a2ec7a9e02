"""Messages of sessions as they come: also those of which only a part can be read.

A message is what its `type` says, whatever else it holds: a session that began or ended has done
so, though its settings or counts are of a form that nobody knew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from humeai_async.errors import DecodeError
from humeai_async.http import codec
from humeai_async.types.json import is_object

M = TypeVar("M")

_DECISIVE = {
    "session.created": ("session_id",),
    "session.closed": ("session_id", "reason"),
    "error": ("code", "message"),
}
"""Of the messages that decide what becomes of a session, the members that decide it."""


def read_message(kind: type[M], data: bytes) -> M:
    """Read a message.

    Args:
        kind: The messages of a product.
        data: The message.

    Raises:
        DecodeError: It cannot be read, nor what it means for the session.
    """
    try:
        return codec.decode(kind, data)
    except DecodeError as problem:
        found, failure = _object_of(data), problem
    type_ = found.get("type")
    members = _DECISIVE.get(type_) if isinstance(type_, str) else None
    if members is None:
        raise failure
    texts = {name: found[name] for name in members if isinstance(found.get(name), str)}
    return codec.structure(kind, {"type": type_, **texts})


def is_result(data: bytes) -> bool:
    """Whether a message, which cannot be read, is the result of a frame."""
    return _object_of(data).get("type") == "measurement.result"


def _object_of(data: bytes) -> Mapping[str, Any]:
    try:
        found = codec.parse(data)
    except DecodeError:
        return {}
    return found if is_object(found) else {}
