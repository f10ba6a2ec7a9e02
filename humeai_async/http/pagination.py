"""Lists that come in pages, as async iterators.

`Pages` is what every `list` method returns: it asks for nothing until it is iterated or
awaited, and each iteration begins anew. How a list goes on from one page to the next is a
`Walk`: by page number, or by time. Pages know no resource and no path; they are made by the
resources and call the session.
"""

from __future__ import annotations

from collections import deque
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterator,
    Sequence,
)
from typing import Any, Generic, Protocol, Self, TypeVar, overload

import anyio
from attrs import define, field, frozen

from humeai_async.errors import DecodeError, HumeError
from humeai_async.http.arguments import check_number
from humeai_async.http.endpoint import Call, Pagination
from humeai_async.http.session import Session
from humeai_async.types.paging import NumberedPage, SpringPage

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

LARGEST_PAGE = 100
"""Items of an EVI page at most, as Hume documents it; the registry's limit is not known."""
MOST_PAGES = 100_000
"""Pages of one iteration at most: a list that goes on after that has no end."""
MAX_REPEATED_PAGES = 1
"""Pages in a row that may be the same as the page before. Items added while a list is read
can push a whole page back by one; a server that ignores the page number goes on for ever."""


@frozen(kw_only=True)
class Page(Sequence[T_co]):
    """One page of a list; a sequence of its items.

    `len`, `in`, indexes and iteration are those of the items.
    """

    items: list[T_co]
    """The items, nulls left out."""
    number: int = 0
    """Index of the page; the first is 0. Lists that are walked by time count from 0."""
    size: int | None = None
    """Items a page at most, where known."""
    total_pages: int | None = None
    """Pages of the list, where the service tells."""
    envelope: Any = field(default=None, repr=False, eq=False)
    """The whole decoded answer. The pages of a chat's events carry the chat's own fields:
    see `ChatEventsPage`."""

    @overload
    def __getitem__(self, index: int) -> T_co: ...

    @overload
    def __getitem__(self, index: slice) -> list[T_co]: ...

    def __getitem__(self, index: int | slice) -> T_co | list[T_co]:
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[T_co]:
        return iter(self.items)


class Walk(Protocol[T_co]):
    """The state of one iteration over a list; lists with a cursor would be another one."""

    async def step(self) -> Sequence[Page[T_co]]:
        """Return the next pages, at least one; none at the end of the list."""
        ...


class Pages(Generic[T]):
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

    def pages(self) -> PageIterator[T]:
        """Iterate over pages, from the first one asked for.

        The first page comes even if it is empty.
        """
        return PageIterator(self._walk())

    def __aiter__(self) -> ItemIterator[T]:
        return ItemIterator(self.pages())

    def __await__(self) -> Generator[Any, Any, Page[T]]:
        return self._first().__await__()

    def _walk(self) -> Walk[T]:
        """Begin an iteration."""
        raise NotImplementedError

    def _first(self) -> Coroutine[Any, Any, Page[T]]:
        """Ask for the first page only."""
        return _first_of(self._walk())

    async def collect(self, limit: int | None = None) -> list[T]:
        """Fetch the items into a list.

        Args:
            limit: Items at most, 0 or more; `None` is all of them. No page is asked for that
                this does not need, but for those fetched ahead.

        Raises:
            InvalidArgumentError: `limit` is below 0.
        """
        if limit is not None:
            check_number("limit", limit, least=0)
        items: list[T] = []
        pages = self.pages()
        while limit is None or len(items) < limit:
            page = await anext(pages, None)
            if page is None:
                break
            items.extend(page.items)
        return items[:limit]


async def _first_of(walk: Walk[T]) -> Page[T]:
    first, *_ = await walk.step()
    return first


class PageIterator(AsyncIterator[Page[T]]):
    """Pages one after the other; made by `Pages.pages`.

    After an error it can go on: the page that failed is asked for again.
    """

    def __init__(self, walk: Walk[T]) -> None:
        self._walk = walk
        self._ready: deque[Page[T]] = deque()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Page[T]:
        if not self._ready:
            self._ready.extend(await self._walk.step())
        if not self._ready:
            raise StopAsyncIteration
        return self._ready.popleft()


class ItemIterator(AsyncIterator[T]):
    """Items one after the other; made by `async for item in pages`."""

    def __init__(self, pages: PageIterator[T]) -> None:
        self._pages = pages
        self._ready: Iterator[T] = iter(())

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        while True:
            for item in self._ready:
                return item
            self._ready = iter(await anext(self._pages))


@define(eq=False)
class NumberedCursor(Generic[T]):
    """Walks by page number, one page at a time or several side by side."""

    fetch: Callable[[int], Awaitable[Page[T]]]
    """Asks for one page."""
    number: int = 0
    """Page to ask for next."""
    prefetch: int = 0
    """Pages to ask for at once, as soon as their number is known."""
    _total: int | None = field(default=None, init=False)
    _is_done: bool = field(default=False, init=False)
    _walked: int = field(default=0, init=False)
    _last: Page[T] | None = field(default=None, init=False)
    _repeats: int = field(default=0, init=False)
    _failure: HumeError | None = field(default=None, init=False)

    async def step(self) -> list[Page[T]]:
        """Ask for the next pages, in one go, and return those that hold something new.

        One step begins and ends its tasks itself, so none is left when nobody asks again.
        """
        accepted: list[Page[T]] = []
        while not accepted and not self._is_done:
            self._tell_failure()
            for answer in await self._ask():
                if isinstance(answer, HumeError):
                    self._failure = answer
                    break
                if self._accept(answer):
                    accepted.append(answer)
                self._failure = self._lack_of_progress(answer)
                if self._is_done or self._failure:
                    break
        return accepted

    def _tell_failure(self) -> None:
        """Raise what befell a page of the last step, now that the pages before it are out."""
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    async def _ask(self) -> list[Page[T] | HumeError]:
        if self._total is None or self.prefetch <= 1:
            return [await self.fetch(self.number)]
        numbers = range(self.number, min(self.number + self.prefetch, self._total))
        answers: dict[int, Page[T] | HumeError] = {}

        async def ask_one(number: int) -> None:
            try:
                answers[number] = await self.fetch(number)
            except HumeError as problem:
                answers[number] = problem

        async with anyio.create_task_group() as tasks:
            for number in numbers:
                tasks.start_soon(ask_one, number)
        return [answers[number] for number in numbers]

    def _accept(self, page: Page[T]) -> bool:
        """Learn from a page, and say whether it is to be handed on."""
        last = self._last
        is_repeated = last is not None and bool(page.items) and page.items == last.items
        self._repeats = self._repeats + 1 if is_repeated else 0
        self._walked += 1
        self.number += 1
        if page.total_pages is not None:
            self._total = page.total_pages
        is_empty = not page.items and not getattr(page.envelope, "nulls", 0)
        self._is_done = is_empty or self._ends_with(page)
        self._last = page
        return last is None or bool(page.items and not is_repeated)

    def _ends_with(self, page: Page[T]) -> bool:
        if isinstance(page.envelope, SpringPage) and page.envelope.last is True:
            return True
        if self._total is not None:
            return self.number >= self._total
        # Only pages with a total have nulls among their items, so a short one has no successor.
        return page.size is not None and len(page.items) < page.size

    def _lack_of_progress(self, page: Page[T]) -> DecodeError | None:
        """Return the error of a list that goes on for ever, if this is one."""
        if self._is_done:
            return None
        if self._repeats > MAX_REPEATED_PAGES:
            return DecodeError(
                f"page {page.number} holds the same as the {self._repeats} pages before it: the "
                "server seems to ignore page_number"
            )
        if self._walked >= MOST_PAGES:
            return DecodeError(f"the list has more than {MOST_PAGES} pages, or no end")
        return None


class NumberedPages(Pages[T]):
    """A list that is asked for by page number."""

    __slots__ = ("_call", "_number", "_prefetch", "_session", "_size")

    def __init__(
        self,
        session: Session,
        call: Call[Any],
        *,
        page_number: int,
        page_size: int | None,
        prefetch: int,
    ) -> None:
        """Make the pages of a list.

        Args:
            session: How pages are fetched.
            call: The list, without `page_number` and `page_size`.
            page_number: Page to begin with; the first is 0.
            page_size: Items a page; the service takes 10 if left out.
            prefetch: Pages to fetch ahead once their number is known.

        Raises:
            InvalidArgumentError: A number is out of range.
        """
        check_number("page_number", page_number, least=0)
        check_number("prefetch", prefetch, least=0)
        if page_size is not None:
            is_evi = call.endpoint.paging is Pagination.NUMBERED
            check_number("page_size", page_size, least=1, most=LARGEST_PAGE if is_evi else None)
        self._session = session
        self._call = call
        self._number = page_number
        self._size = page_size
        self._prefetch = prefetch

    def _walk(self) -> NumberedCursor[T]:
        return NumberedCursor(self._fetch, self._number, self._prefetch)

    def _first(self) -> Coroutine[Any, Any, Page[T]]:
        return self._fetch(self._number)

    async def _fetch(self, number: int) -> Page[T]:
        call = self._call
        paging = [("page_number", str(number))]
        if self._size is not None:
            paging.append(("page_size", str(self._size)))
        asked = Call(call.endpoint, call.ids, (*paging, *call.query))
        envelope = await self._session.call(asked)
        return _page(envelope, call.endpoint.items or "", number, self._size)


def _page(envelope: Any, items: str, number: int, size: int | None) -> Page[Any]:
    said = None
    if isinstance(envelope, NumberedPage):
        said = envelope.page_size
    elif isinstance(envelope, SpringPage):
        said = envelope.size
    return Page(
        items=getattr(envelope, items) or [],
        number=number,
        size=said or size,
        total_pages=envelope.total_pages,
        envelope=envelope,
    )


class SinglePage(Pages[T]):
    """A list that the service gives as a whole."""

    __slots__ = ("_call", "_session")

    def __init__(self, session: Session, call: Call[list[T]]) -> None:
        self._session = session
        self._call = call

    def _walk(self) -> NumberedCursor[T]:
        return NumberedCursor(self._fetch)

    async def _fetch(self, number: int) -> Page[T]:
        items = await self._session.call(self._call)
        return Page(items=items, number=number, total_pages=1, envelope=items)
