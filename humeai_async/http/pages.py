"""Lists that come in pages, as users hold them.

`Pages` is what every `list` method returns: it asks for nothing until it is iterated or
awaited, and each iteration begins anew. How a list goes on from one page to the next is a
`PageCursor`: by page number or by cursor (`pagination.py`), or by time. Nothing here knows a
resource, a path or a session.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Coroutine, Generator, Iterator, Sequence
from typing import Any, Generic, NoReturn, Protocol, Self, TypeAlias, cast, overload

from attrs import field
from typing_extensions import TypeVar

from humeai_async._base.advised import Advised
from humeai_async._base.frozen import frozen
from humeai_async.errors import InvalidArgumentError
from humeai_async.http.arguments import check_number
from humeai_async.types.paging import Items, ListPage, Undecodable, none_undecodable

Envelope: TypeAlias = ListPage | Items[Any]
"""What a list comes in: the fields of its pages, or the list itself where it has no pages."""

T = TypeVar("T")
E = TypeVar("E", default=Envelope)
T_co = TypeVar("T_co", covariant=True)
E_co = TypeVar("E_co", covariant=True, default=Envelope)

_MOST_COLUMNS = 7
"""Fields of an item that a notebook shows."""


@frozen(slots=False)
class Page(Sequence[T_co], Generic[T_co, E_co]):
    """One page of a list; a sequence of its items.

    `len`, `in`, indexes and iteration are those of the items.
    """

    items: list[T_co]
    """The items; nulls and entries that could not be read are left out."""
    number: int = 0
    """Index of the page; the first is 0. Lists that are sorted by time count from 0, too."""
    size: int | None = None
    """Largest number of items on a page, if known."""
    total_pages: int | None = None
    """Number of pages in the list, if the service sends it."""
    next_cursor: str | None = None
    """Where the next page begins, in lists that are paged by cursor; none on the last page."""
    undecodable: list[Undecodable] = field(factory=none_undecodable, eq=False)
    """Entries that could not be read, each with its JSON and the reason; mostly none."""
    request_id: str | None = field(default=None, eq=False)
    """The service's id of the request that brought the page, to quote to its support."""
    envelope: E_co = field(default=cast("Any", None), repr=False, eq=False)
    """The whole decoded response. The pages of a chat's events carry the chat's own fields:
    see `ChatEventsPage`."""

    def json_members(self) -> dict[str, object]:
        """Say what the page consists of, for `to_dict`."""
        return {
            "items": self.items,
            "number": self.number,
            "size": self.size,
            "total_pages": self.total_pages,
            "undecodable": self.undecodable,
        }

    @overload
    def __getitem__(self, index: int) -> T_co: ...

    @overload
    def __getitem__(self, index: slice) -> list[T_co]: ...

    def __getitem__(self, index: int | slice) -> T_co | list[T_co]:
        return self.items[index]

    def _repr_html_(self) -> str:
        """Show the first items in a notebook, with the first fields that have values."""
        from humeai_async._base.html import MOST_ROWS, flatten, table

        rows = [dict(flatten(item)) for item in self.items[:MOST_ROWS]]
        columns = [*dict.fromkeys(name for row in rows for name in row)][:_MOST_COLUMNS]
        pages = "" if self.total_pages is None else f" of {self.total_pages:,}"
        odd = len(self.undecodable)
        return table(
            f"Page {self.number}{pages}: {len(self):,} items",
            columns,
            ([row.get(name) for name in columns] for row in rows),
            total=len(self),
            notes=[f"{odd:,} could not be read: see page.undecodable"] if odd else [],
        )

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[T_co]:
        return iter(self.items)


class PageCursor(Protocol[T_co, E_co]):
    """The state of one iteration over a list."""

    async def step(self) -> Sequence[Page[T_co, E_co]]:
        """Return the next pages, at least one; none at the end of the list."""
        ...


class Pages(Advised, Generic[T, E]):
    """A list of the service, fetched page by page as it is needed.

    ```python
    async for config in hume.configs.list(): ...           # items
    async for page in hume.configs.list().pages(): ...     # pages
    first = await hume.configs.list(page_size=50)          # the first page only
    configs = await hume.configs.list().collect(limit=200)
    ```

    Costs one request a page. Leaving a loop early leaves nothing running. A list that changes
    while it is read may show an item twice or not at all: the service counts pages anew for
    each request.

    Raises:
        DecodeError: While iterating: the list has no end, or its pages repeat.
    """

    __slots__ = ()

    def pages(self) -> PageIterator[T, E]:
        """Iterate over the pages, from the first one requested.

        The first page comes even if it is empty.
        """
        return PageIterator(self._cursor())

    def __aiter__(self) -> ItemIterator[T]:
        return ItemIterator(self.pages())

    def __await__(self) -> Generator[Any, Any, Page[T, E]]:
        return self._first().__await__()

    def __iter__(self) -> NoReturn:
        """Refuse to be iterated without waiting: `for`, `list()` and the like.

        Raises:
            InvalidArgumentError: Always; it says what to write instead.
        """
        raise InvalidArgumentError(
            "a list of the service is fetched while it is read: write `async for item in pages`, "
            "`await pages.collect()` for all items, or `await pages` for the first page",
            field="pages",
        )

    def _cursor(self) -> PageCursor[T, E]:
        """Make a cursor that stands before the first page."""
        raise NotImplementedError

    def _first(self) -> Coroutine[Any, Any, Page[T, E]]:
        """Fetch the first page only."""
        return _first_of(self._cursor())

    async def collect(self, limit: int | None = None) -> list[T]:
        """Fetch the items into a list.

        Args:
            limit: Most items to fetch, 0 or more; `None` means all of them. Pages that this
                does not need are not fetched, but for those fetched ahead.

        Raises:
            InvalidArgumentError: `limit` is below 0.
        """
        if limit is not None:
            limit = check_number("limit", limit, least=0)
        items: list[T] = []
        pages = self.pages()
        while limit is None or len(items) < limit:
            page = await anext(pages, None)
            if page is None:
                break
            items.extend(page.items)
        return items[:limit]


async def _first_of(cursor: PageCursor[T, E]) -> Page[T, E]:
    first, *_ = await cursor.step()
    return first


class PageIterator(AsyncIterator[Page[T, E]], Generic[T, E]):
    """Iterator over the pages of a list; made by `Pages.pages`.

    It can go on after an error: the page that failed is fetched again.
    """

    def __init__(self, cursor: PageCursor[T, E]) -> None:
        self._cursor = cursor
        self._ready: deque[Page[T, E]] = deque()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Page[T, E]:
        if not self._ready:
            self._ready.extend(await self._cursor.step())
        if not self._ready:
            raise StopAsyncIteration
        return self._ready.popleft()


class ItemIterator(AsyncIterator[T]):
    """Iterator over the items of a list; made by `async for item in pages`."""

    def __init__(self, pages: PageIterator[T, Any]) -> None:
        self._pages = pages
        self._ready: Iterator[T] = iter(())

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        while True:
            for item in self._ready:
                return item
            self._ready = iter(await anext(self._pages))
