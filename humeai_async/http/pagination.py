"""How a list goes on from one page to the next: by page number, or by cursor.

The resources make these `Pages`, which fetch their pages with the session; lists that the
service sends as a whole have one page. They know no resource and no path.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic

import anyio
from attrs import field

from humeai_async._base.frozen import define
from humeai_async.errors import DecodeError, HumeError
from humeai_async.http.arguments import check_number
from humeai_async.http.endpoint import Call, Pagination
from humeai_async.http.pages import E, Page, Pages, T
from humeai_async.http.session import Session
from humeai_async.types.paging import Items, ListPage

MAX_PAGE_SIZE = 100
"""Most items on an EVI page, as Hume documents it; the registry's limit is not known."""
MAX_PAGES = 100_000
"""Most pages of one iteration: a list that goes on after that has no end."""
MAX_EMPTY_PAGES = 100
"""Most empty pages in a row, where the service says that more pages follow."""
MAX_REPEATED_PAGES = 1
"""Pages in a row that may be the same as the page before. Items added while a list is read
can push a whole page back by one; a server that ignores the page number goes on for ever."""


@define(eq=False)
class NumberedCursor(Generic[T, E]):
    """An iteration by page number, one page at a time or several side by side."""

    fetch: Callable[[int], Awaitable[Page[T, E]]]
    """Fetches the page of a number."""
    number: int = 0
    """Number of the page to fetch next."""
    prefetch: int = 0
    """Number of pages to fetch at once, as soon as the total is known."""
    _total: int | None = field(default=None, init=False)
    _is_done: bool = field(default=False, init=False)
    _fetched: int = field(default=0, init=False)
    _last: Page[T, E] | None = field(default=None, init=False)
    _repeats: int = field(default=0, init=False)
    _empty: int = field(default=0, init=False)
    _failure: HumeError | None = field(default=None, init=False)

    async def step(self) -> list[Page[T, E]]:
        """Fetch the next pages together, and return those that hold something new.

        One step begins and ends its tasks itself, so none is left when nobody goes on.
        """
        accepted: list[Page[T, E]] = []
        while not accepted and not self._is_done:
            self._raise_failure()
            for result in await self._fetch_next():
                if isinstance(result, HumeError):
                    self._failure = result
                    break
                if self._accept(result):
                    accepted.append(result)
                self._failure = self._missing_progress(result)
                if self._is_done or self._failure:
                    break
        return accepted

    def _raise_failure(self) -> None:
        """Raise the error of a page of the last step, now that the pages before it are out."""
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    async def _fetch_next(self) -> list[Page[T, E] | HumeError]:
        if self._total is None or self.prefetch <= 1:
            return [await self.fetch(self.number)]
        numbers = range(self.number, min(self.number + self.prefetch, self._total))
        results: dict[int, Page[T, E] | HumeError] = {}

        async def fetch_one(number: int) -> None:
            try:
                results[number] = await self.fetch(number)
            except HumeError as problem:
                results[number] = problem

        async with anyio.create_task_group() as tasks:
            for number in numbers:
                tasks.start_soon(fetch_one, number)
        return [results[number] for number in numbers]

    def _accept(self, page: Page[T, E]) -> bool:
        """Learn from a page, and return whether it holds something to hand out."""
        last = self._last
        is_repeated = last is not None and bool(page.items) and page.items == last.items
        self._repeats = self._repeats + 1 if is_repeated else 0
        self._fetched += 1
        self.number += 1
        if page.total_pages is not None:
            self._total = page.total_pages
        self._is_done = self._ends_with(page)
        self._last = page
        has_entries = bool(page.items or page.undecodable)
        self._empty = 0 if has_entries else self._empty + 1
        return last is None or (has_entries and not is_repeated)

    def _ends_with(self, page: Page[T, E]) -> bool:
        if getattr(page.envelope, "last", None) is True:
            return True
        if self._total is not None:
            # An empty page in the middle, as of items that are hidden from the caller, is no end.
            return self.number >= self._total
        entries = len(page.items) + len(page.undecodable) + getattr(page.envelope, "nulls", 0)
        return entries == 0 or (page.size is not None and entries < page.size)

    def _missing_progress(self, page: Page[T, E]) -> DecodeError | None:
        """Return the error of a list that goes on for ever, if this is one."""
        if self._is_done:
            return None
        if self._repeats > MAX_REPEATED_PAGES:
            return DecodeError(
                f"page {page.number} holds the same as the {self._repeats} pages before it: the "
                "server seems to ignore page_number"
            )
        if self._empty > MAX_EMPTY_PAGES:
            return DecodeError(
                f"{self._empty} pages in a row are empty, up to page {page.number}, although the "
                f"list is said to have {self._total} pages"
            )
        if self._fetched >= MAX_PAGES:
            return DecodeError(f"the list has more than {MAX_PAGES} pages, or no end")
        return None


class NumberedPages(Pages[T, E]):
    """A list whose pages are fetched by their numbers."""

    __slots__ = ("_call", "_number", "_prefetch", "_session", "_size")

    def __init__(
        self,
        session: Session,
        call: Call[Any],
        page_number: int,
        page_size: int | None,
        prefetch: int,
    ) -> None:
        """Make the pages of a list.

        Args:
            session: How pages are fetched.
            call: The list, without `page_number` and `page_size`.
            page_number: Number of the first page to fetch; the list's first is 0.
            page_size: Items on each page; the service takes 10 if left out.
            prefetch: Pages to fetch ahead once their number is known.

        Raises:
            InvalidArgumentError: A number is out of range.
        """
        is_evi = call.endpoint.paging is Pagination.NUMBERED
        most = MAX_PAGE_SIZE if is_evi else None
        self._session = session
        self._call = call
        self._number = check_number("page_number", page_number, least=0)
        self._prefetch = check_number("prefetch", prefetch, least=0)
        self._size: int | None = None
        if page_size is not None:
            self._size = check_number("page_size", page_size, least=1, most=most)

    def _cursor(self) -> NumberedCursor[T, E]:
        return NumberedCursor(self._fetch, self._number, self._prefetch)

    def _first(self) -> Coroutine[Any, Any, Page[T, E]]:
        return self._fetch(self._number)

    async def _fetch(self, number: int) -> Page[T, E]:
        listed, size = self._call, self._size
        query = (("page_number", str(number)), *listed.query)
        if size is not None:
            query += (("page_size", str(size)),)
        call = Call(listed.endpoint, listed.ids, query)
        envelope, request_id = await self._session.call_with_id(call)
        return _page(envelope, listed.endpoint.items or "", number, size, request_id)


def _page(
    envelope: Any, items: str, number: int, size: int | None, request_id: str | None
) -> Page[Any, Any]:
    # The EVI's pages call it `page_size`, the registry's `size`.
    actual_size = getattr(envelope, "page_size", None) or getattr(envelope, "size", None)
    total = envelope.total_pages
    undecodable = envelope.undecodable if isinstance(envelope, ListPage) else []
    # By place: names would take half as long again as all else that making it takes.
    return Page(
        getattr(envelope, items), number, actual_size or size, total, None,
        undecodable, request_id, envelope,
    )  # fmt: skip


class SinglePage(Pages[T, Items[T]]):
    """A list that the service sends as a whole."""

    __slots__ = ("_call", "_session")

    def __init__(self, session: Session, call: Call[Items[T]]) -> None:
        self._session = session
        self._call = call

    def _cursor(self) -> NumberedCursor[T, Items[T]]:
        return NumberedCursor(self._fetch)

    async def _fetch(self, number: int) -> Page[T, Items[T]]:
        items, request_id = await self._session.call_with_id(self._call)
        return Page(
            items=items,
            number=number,
            total_pages=1,
            undecodable=items.undecodable,
            request_id=request_id,
            envelope=items,
        )
