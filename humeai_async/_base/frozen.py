"""attrs' `frozen` and `define`, with one equality, hash and repr for all classes.

attrs writes these methods class by class and has them compiled. That took 31 of the 85 ms that
the types take to import, in which the event loop stands still. The shared ones do the same, a
little slower. They know nothing but the fields; types and other values are made with them.

Objects have slots, which are small, unless a class says `slots=False`: with a dict an object of
many fields is made in two thirds of the time. Pages and what EVI's lists hold say so, for they
come a few at a time, and making them is a good part of a small call.
"""

from __future__ import annotations

from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from attrs import define, frozen
else:

    def frozen(cls: type | None = None, **settings: Any) -> Any:
        """Do what `attrs.frozen` does; a method that the class has is left alone."""
        return _build(attrs.frozen, _hash, cls, settings)

    def define(cls: type | None = None, **settings: Any) -> Any:
        """Do what `attrs.define` does; a method that the class has is left alone."""
        return _build(attrs.define, None, cls, settings)

    def _build(decorate: Any, hash_one: Any, cls: type | None, settings: dict[str, Any]) -> Any:
        if cls is None:
            return lambda cls: _build(decorate, hash_one, cls, settings)
        shared = {}
        if settings.get("eq") is not False:
            shared |= {"__eq__": _equals, "__hash__": hash_one}
        if settings.get("repr") is not False:
            shared["__repr__"] = _show
        for name, method in shared.items():
            if name not in vars(cls):
                setattr(cls, name, method)
        if any("__dict__" in vars(base) for base in cls.__mro__[1:]):
            settings = {**settings, "slots": False}  # which would save nothing, and cost time
        if settings.get("slots") is False:
            # Else those of a base with slots are inherited, which know its own fields alone.
            settings = {"getstate_setstate": True, **settings}
        return decorate(cls, **settings)


__all__ = ["define", "frozen"]


def _equals(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    names = [field.name for field in self.__attrs_attrs__ if field.eq]
    return all(getattr(self, name) == getattr(other, name) for name in names)


def _hash(self: Any) -> int:
    return hash(tuple([getattr(self, field.name) for field in self.__attrs_attrs__ if field.eq]))


@recursive_repr()
def _show(self: Any) -> str:
    shown: list[str] = []
    for field in self.__attrs_attrs__:
        if field.repr:
            show = repr if field.repr is True else field.repr
            shown.append(f"{field.name}={show(getattr(self, field.name, attrs.NOTHING))}")
    return f"{type(self).__qualname__.rsplit('>.', 1)[-1]}({', '.join(shown)})"
