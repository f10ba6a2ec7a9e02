"""Lists as Hume hands them out: whole, or in pages of two shapes.

Each list in pages has its own subclass beside the type of its items. Nothing here fetches
anything: `pagination.py` goes from page to page, and the converter fills the lists.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Any, TypeVar

from attrs import field

from humeai_async._base.frozen import frozen
from humeai_async._base.urls import repr_host_only

T = TypeVar("T")


class PaginationDirection(enum.StrEnum):
    """Whether a list starts with its oldest or its newest items."""

    ASCENDING = "ASC"
    DESCENDING = "DESC"


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
        super().__init__(items)
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
    undecodable: list[Undecodable] = field(factory=list[Undecodable], eq=False)
    """Entries that could not be read; they are not among the items."""


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


@frozen(kw_only=True)
class DirectedPage(NumberedPage):
    """A page of a list whose order `ascending_order` reverses."""

    pagination_direction: PaginationDirection | str | None = None
    """Order of the items by time."""


@frozen(kw_only=True)
class Sort:
    """How the items of a registry page are sorted."""

    empty: bool | None = None
    """True if the request asked for no order."""
    sorted: bool | None = None
    """True if the items are sorted."""
    unsorted: bool | None = None
    """True if the items are not sorted."""


@frozen(kw_only=True)
class Pageable:
    """Which page of a registry list was requested."""

    offset: int | None = None
    """Number of items before the first one of this page."""
    sort: Sort | None = None
    """Order that was requested."""
    paged: bool | None = None
    """True if the list was requested page by page."""
    unpaged: bool | None = None
    """True if the whole list was requested."""
    page_number: int | None = None
    """Index of the requested page."""
    page_size: int | None = None
    """Requested number of items on a page."""


@frozen(kw_only=True)
class SpringPage(ListPage):
    """A page of the registry's lists; subclasses add `content`, the items.

    The reference does not say whether `number` starts at 0; pages of this make (Java's Spring)
    do.
    """

    number: int | None = None
    """Index of this page."""
    size: int | None = None
    """Largest number of items on a page."""
    total_pages: int | None = None
    """Number of pages in the whole list."""
    total_elements: int | None = None
    """Number of items on all pages together."""
    total: int | None = None
    """Another total of the service, which the reference does not explain."""
    number_of_elements: int | None = None
    """Number of items on this page."""
    first: bool | None = None
    """True if this is the first page."""
    last: bool | None = None
    """True if this is the last page."""
    empty: bool | None = None
    """True if this page has no items."""
    pageable: Pageable | None = None
    """Which page was requested."""
    sort: Sort | None = None
    """How the items are sorted."""
