"""Lists as Hume hands them out: whole, or in pages of two shapes.

Each list in pages has its own subclass beside the type of its items. Nothing here fetches
anything: `pagination.py` goes from page to page, and the converter fills the lists.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, TypeVar

from attrs import field

from humeai_async._base.frozen import frozen
from humeai_async._base.urls import repr_host_only

T = TypeVar("T")


@frozen(kw_only=True)
class Undecodable:
    """An entry of a list that could not be read as its type.

    The other entries of the list are not affected by it.
    """

    json: Any = field(repr=repr_host_only)
    """The entry as it came, as a plain JSON value."""
    reason: str
    """What is wrong with the entry, such as `'id' is missing`."""
    path: str = "$"
    """Where in the entry it is wrong, such as `$.voice.name`; `$` is the entry itself."""
    index: int = 0
    """Place of the entry in its list as the service sent it; the first is 0."""


def none_undecodable() -> list[Undecodable]:
    """Return an empty list; `list[Undecodable]()` does, too, and takes ten times as long."""
    return []


class Items(list[T]):
    """A list that the service gives as a whole; nulls in it are left out.

    Attributes:
        undecodable: Entries that could not be read; they are not among the items.
        nulls: Number of entries that were null.
    """

    __slots__ = ("nulls", "undecodable")

    def __init__(
        self, items: Iterable[T] = (), *, undecodable: Iterable[Undecodable] = (), nulls: int = 0
    ) -> None:
        self.extend(items)  # a list's own __init__ would be looked up by super(), for each response
        self.undecodable: list[Undecodable] = [*undecodable]
        self.nulls: int = nulls


class OneOrMany(Items[T]):
    """A list that the service may also send as its only entry, without an array around it."""

    __slots__ = ()


@frozen(kw_only=True, slots=False)
class ListPage:
    """What pages of both shapes share: how they were read, which is never sent."""

    nulls: int = field(default=0, eq=False)
    """Number of nulls that stood among the items; they are left out."""
    undecodable: list[Undecodable] = field(factory=none_undecodable, eq=False)
    """Entries that could not be read; they are not among the items."""
    may_come_in_parts: ClassVar[bool] = False
    """Whether the service may send an array of such pages in place of one."""


@frozen(kw_only=True)
class NumberedPage(ListPage):
    """A page of the EVI lists; subclasses add the field with the items."""

    page_number: int | None = None
    """Index of this page; the first is 0."""
    page_size: int | None = None
    """Largest number of items on a page, 1 to 100."""
    total_pages: int | None = None
    """Number of pages in the whole list."""


@frozen(kw_only=True)
class CursorPage(ListPage):
    """A page of a list that is paged by cursor; subclasses add the field with the items."""

    next_cursor: str | None = None
    """Where the next page begins; none on the last page."""
