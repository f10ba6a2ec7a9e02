"""The two shapes in which Hume hands out pages.

Each list has its own subclass beside the type of its items. Nothing here fetches anything:
`pagination.py` walks from page to page and `codec.py` drops the nulls among the items.
"""

from __future__ import annotations

import enum

from humeai_async._base.frozen import frozen


class PaginationDirection(enum.StrEnum):
    """Which way a list is sorted by time."""

    ASCENDING = "ASC"
    DESCENDING = "DESC"


@frozen(kw_only=True)
class NumberedPage:
    """A page of the EVI lists; subclasses add the field with the items."""

    page_number: int | None = None
    """Index of this page; the first is 0."""
    page_size: int | None = None
    """Items a page at most, 1 to 100."""
    total_pages: int | None = None
    """Pages in all."""
    nulls: int = 0
    """Nulls that stood among the items, where Hume puts them at times; they are left out."""


@frozen(kw_only=True)
class DirectedPage(NumberedPage):
    """A page of a list that can be turned round with `ascending_order`."""

    pagination_direction: PaginationDirection | str | None = None
    """Order of the items by time."""


@frozen(kw_only=True)
class Sort:
    """How a registry page is sorted."""

    empty: bool | None = None
    """Whether no order was asked for."""
    sorted: bool | None = None
    """Whether the items are in an order."""
    unsorted: bool | None = None
    """Whether they are not."""


@frozen(kw_only=True)
class Pageable:
    """What a registry page was asked for."""

    offset: int | None = None
    """Items before the first of this page."""
    sort: Sort | None = None
    """Order asked for."""
    paged: bool | None = None
    """Whether pages were asked for."""
    unpaged: bool | None = None
    """Whether the whole list was asked for."""
    page_number: int | None = None
    """Page asked for."""
    page_size: int | None = None
    """Items a page asked for."""


@frozen(kw_only=True)
class SpringPage:
    """A page of the registry's lists; subclasses add `content`, the items.

    The reference does not say whether `number` starts at 0; pages of this make (Java's Spring)
    do.
    """

    number: int | None = None
    """Index of this page."""
    size: int | None = None
    """Items a page at most."""
    total_pages: int | None = None
    """Pages in all."""
    total_elements: int | None = None
    """Items in all pages."""
    total: int | None = None
    """Total as the service counts it, without further explanation."""
    number_of_elements: int | None = None
    """Items on this page."""
    first: bool | None = None
    """Whether this is the first page."""
    last: bool | None = None
    """Whether this is the last page."""
    empty: bool | None = None
    """Whether there are no items."""
    pageable: Pageable | None = None
    """What was asked for."""
    sort: Sort | None = None
    """Order of the items."""
