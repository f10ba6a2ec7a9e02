"""JSON values as plain Python objects: what kind one is, in words and for type checkers.

It imports nothing; whatever looks into parsed JSON of unknown shape uses it.
"""

from __future__ import annotations

from typing import Any, TypeGuard

__all__ = ["is_array", "is_object", "kind"]


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a value is a JSON object."""
    return isinstance(value, dict)


def is_array(value: object) -> TypeGuard[list[Any]]:
    """Whether a value is a JSON array."""
    return isinstance(value, list)


def kind(value: object) -> str:
    """Name a value's kind the way JSON does."""
    names: dict[type, str] = {
        bool: "boolean",
        int: "number",
        float: "number",
        str: "text",
        list: "array",
    }
    return "null" if value is None else names.get(type(value), "object")
