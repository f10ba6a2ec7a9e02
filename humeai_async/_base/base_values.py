"""Texts and numbers of other people's classes, as Python's own.

URLs come from lxml, numbers from numpy, choices from enums: all of them look like a `str`,
`int` or `float`, and no JSON writer takes them. `as_base` makes the plain value. It knows
nothing of requests; whatever writes bodies, queries and paths calls it.
"""

from __future__ import annotations

import contextlib
import enum
import operator
import sys
from collections.abc import Callable
from typing import Any, TypeGuard, cast

__all__ = ["as_base", "is_number"]

_BASE = frozenset({str, int, float, bool, type(None)})
_CONVERSIONS: dict[type, Callable[[Any], Any]] = {
    str: str.__str__,
    int: int.__int__,
    float: float.__float__,
}
"""How each base makes its own of a subclass, whatever that one overrides."""


def as_base(value: Any) -> Any:
    """Return a text, number or truth value as an exact `str`, `int`, `float` or `bool`.

    A member of an enum is its value. Single values of numpy and other array libraries become
    what their `item()` gives. Everything else comes back as it is.
    """
    if type(value) in _BASE:
        return value
    if isinstance(value, enum.Enum):
        return as_base(value.value)
    for base, convert in _CONVERSIONS.items():
        if isinstance(value, base):
            return convert(value)
    if getattr(value, "ndim", None) == 0 and hasattr(value, "dtype"):
        return value.item()
    if hasattr(cast("Any", type(value)), "__index__"):
        with contextlib.suppress(TypeError):  # arrays have it, too
            return operator.index(value)
    return value


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a finite number of any class, and no truth value."""
    value = as_base(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) <= sys.float_info.max  # neither infinite, not a number, nor too long
