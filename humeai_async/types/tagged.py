"""Unions that are distinguished by a tag, as data.

A `Tagged` says which class stands for which value of the tag and which one takes values that
nobody knew when this was written. It knows nothing of JSON or converters. Modules of types
make constants of it, which are found by their base class and by their members.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

from attrs import fields_dict

from humeai_async._base.frozen import frozen

if TYPE_CHECKING:
    UnknownType: TypeAlias = Literal[""]
else:
    UnknownType = str
"""A type that is none of the known ones. To type checkers it is one text, so that
`event.type == "assistant_message"` leaves the one class that has this type."""


@frozen(kw_only=True)
class Tagged:
    """One union of classes, distinguished by the value of one field."""

    base: type[Any]
    """Class that stands for the union in annotations; all members are subclasses of it."""
    tag: str
    """Name of the field that tells the members apart."""
    members: Mapping[str, type[Any]]
    """Member for each known value of the tag."""
    fallback: type[Any]
    """Class for all other values; its field `data` takes the whole raw object."""

    @classmethod
    def of(
        cls, base: type[Any], tag: str, members: Iterable[type[Any]], fallback: type[Any]
    ) -> Self:
        """Make a union of classes, each of which has its value of the tag as that field's default.

        The fallback may stand among the members.
        """
        by_value = {
            str(fields_dict(one)[tag].default): one for one in members if one is not fallback
        }
        return cls(base=base, tag=tag, members=by_value, fallback=fallback)

    def __attrs_post_init__(self) -> None:
        UNIONS[self.base] = self
        for member in self.members.values():
            MEMBERS[member] = self
        FALLBACKS[self.fallback] = self


UNIONS: dict[type[Any], Tagged] = {}
"""Every union by its base class; filled while the modules of types are imported."""
MEMBERS: dict[type[Any], Tagged] = {}
"""A union of each member; one that is in several has the same tag in all of them."""
FALLBACKS: dict[type[Any], Tagged] = {}
"""A union of each class for unknown values."""
