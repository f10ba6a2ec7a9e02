"""Bodies of requests for configs, prompts and tools: new ones, and ones made of a response.

What a response shows in full (a prompt, a tool, a voice) a request names by its id. Revisions
work on JSON values as they came, so that members which this version of the library does not
know go back as they were. It knows no endpoints and sends nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from attrs import fields, has

from humeai_async.errors import InvalidArgumentError
from humeai_async.http import codec
from humeai_async.http.parts import check_parts, suggest
from humeai_async.types.json import is_array, is_object

_BY_THE_SERVICE = frozenset(
    {"id", "version", "name", "version_type", "tool_type", "created_on", "modified_on"}
)
"""Members that the service sets, or that belong to the object and not to one version."""
_OF_A_VOICE = frozenset({"compatible_octave_models"})
_OF_A_BUILTIN_TOOL = frozenset({"tool_type"})


def check_changes(changes: Mapping[str, Any], request: type) -> None:
    """Refuse a change of something that a request has no field for.

    Args:
        changes: New values by the names of fields.
        request: Class of the request for a new version.

    Raises:
        InvalidArgumentError: It names the field, or the key within one, and what was probably
            meant.
    """
    known = sorted(field.name for field in fields(request) if field.name != "name")
    for name in changes:
        if name == "name":
            raise InvalidArgumentError(
                "a name belongs to all versions: use update_name(id, name=...)", field="name"
            )
        if name not in known:
            hint = suggest(name, known)
            raise InvalidArgumentError(f"there is no field {name!r}: {hint}", field=name)
    values = {name: changes.get(name) for name in (one.name for one in fields(request) if one.init)}
    check_parts(request(**values))


def request_body(request: Any) -> dict[str, Any]:
    """Write a typed request, in which parts may be what a response came with.

    Args:
        request: Such as a `ConfigRequest`.

    Raises:
        InvalidArgumentError: A dict in it has a key that there is not.
    """
    check_parts(request)
    given = {one.name: getattr(request, one.name) for one in fields(request.__class__)}
    return {name: _given(name, value) for name, value in given.items() if value is not None}


def revised(newest: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Make the request for the next version.

    Args:
        newest: The newest version, as plain JSON.
        changes: New values; `None` leaves a field to the service's default.
    """
    kept = {
        name: _PARTS.get(name, _unchanged)(value)
        for name, value in newest.items()
        if name not in _BY_THE_SERVICE and name not in changes and value is not None
    }
    given = {name: _given(name, value) for name, value in changes.items() if value is not None}
    return {**kept, **given}


def _given(name: str, value: object) -> Any:
    """Write a new value; a part of a response is made a reference to what it shows."""
    is_many = isinstance(value, (list, tuple))
    parts = cast("Sequence[object]", value) if is_many else [value]
    is_typed = any(has(type(part)) for part in parts)
    plain = codec.to_plain(value)
    return _PARTS.get(name, _unchanged)(plain) if is_typed else plain


def _unchanged(value: Any) -> Any:
    """Leave out nulls, which responses have and requests need not."""
    if is_object(value):
        return {name: _unchanged(one) for name, one in value.items() if one is not None}
    if is_array(value):
        return [_unchanged(one) for one in value if one is not None]
    return value


def _reference(value: Any) -> Any:
    """Refer to a prompt or tool by its id, and by its version unless that is the newest ever."""
    value = _unchanged(value)
    if not is_object(value) or "id" not in value:
        return _without(value, _BY_THE_SERVICE)
    if value.get("version_type") == "LATEST" or "version" not in value:
        return {"id": value["id"]}
    return {"id": value["id"], "version": value["version"]}


def _references(value: Any) -> Any:
    return [_reference(one) for one in _unchanged(value)] if is_array(value) else value


def _voice(value: Any) -> Any:
    """Name a voice by its id where it has one, else by its name."""
    value = _without(_unchanged(value), _OF_A_VOICE)
    return _without(value, frozenset({"name"})) if is_object(value) and "id" in value else value


def _builtin_tools(value: Any) -> Any:
    if not is_array(value):
        return value
    return [_without(one, _OF_A_BUILTIN_TOOL) for one in _unchanged(value)]


def _without(value: Any, names: frozenset[str]) -> Any:
    if not is_object(value):
        return value
    return {name: one for name, one in value.items() if name not in names}


_PARTS = {
    "prompt": _reference,
    "tools": _references,
    "voice": _voice,
    "builtin_tools": _builtin_tools,
}
"""Parts that a request writes in another way than a response."""
