"""Lists that are paged by cursor: each page says where the next one begins.

The resources of the newer products make these `Pages`. They know no resource and no path.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Generic

from attrs import field

from humeai_async._base.frozen import define
from humeai_async.errors import DecodeError
from humeai_async.http.arguments import check_number, check_text
from humeai_async.http.endpoint import Call
from humeai_async.http.pages import E, Page, Pages, T
from humeai_async.http.pagination import MAX_PAGES
from humeai_async.http.session import Session

LARGEST_CURSOR_PAGE = 200
"""Most items on a page of the lists that are paged by cursor, as Hume documents it."""


@define(eq=False)
class CursorCursor(Generic[T, E]):
    """An iteration in which each page says where the next one begins."""

    fetch: Callable[[str | None, int], Awaitable[Page[T, E]]]
    """Fetches the page at a cursor, which has this index."""
    cursor: str | None = None
    """Where the next page begins; `None` is at the start of the list."""
    _index: int = field(default=0, init=False)
    _is_done: bool = field(default=False, init=False)
    _seen: set[str] = field(factory=set[str], init=False)

    async def step(self) -> list[Page[T, E]]:
        """Fetch the next page that holds something; the first one also if it is empty."""
        while not self._is_done:
            page = await self.fetch(self.cursor, self._index)
            self._follow(page)
            is_first, self._index = self._index == 0, self._index + 1
            if is_first or page.items or page.undecodable:
                return [page]
        return []

    def _follow(self, page: Page[T, E]) -> None:
        """Learn where the list goes on."""
        following = page.next_cursor
        if not following:
            self._is_done = True
            return
        if following in self._seen:
            raise DecodeError(
                f"page {page.number} leads back to a page before it: the list has no end"
            )
        if self._index >= MAX_PAGES:
            raise DecodeError(f"the list has more than {MAX_PAGES} pages, or no end")
        self._seen.add(following)
        self.cursor = following


class CursorPages(Pages[T, E]):
    """A list in which each page says where the next one begins."""

    __slots__ = ("_call", "_session", "_size", "_start")

    def __init__(
        self,
        session: Session,
        call: Call[Any],
        *,
        page_size: int | None,
        cursor: str | None,
        most: int | None = LARGEST_CURSOR_PAGE,
    ) -> None:
        """Make the pages of a list.

        Args:
            session: How pages are fetched.
            call: The list, without `cursor` and `page_size`.
            page_size: Items on each page, 1 to `most`; the service takes 50 if left out.
            cursor: `next_cursor` of the page before, to begin there.
            most: Items on a page at most; `None` where the service is to judge.

        Raises:
            InvalidArgumentError: `page_size` is out of range, or the cursor is no text.
        """
        if page_size is not None:
            check_number("page_size", page_size, least=1, most=most)
        if cursor is not None:
            check_text("cursor", cursor)
        self._session = session
        self._call = call
        self._size = page_size
        self._start = cursor

    def _cursor(self) -> CursorCursor[T, E]:
        return CursorCursor(self._fetch, self._start)

    async def _fetch(self, cursor: str | None, index: int) -> Page[T, E]:
        call = self._call
        paging: list[tuple[str, str]] = []
        if self._size is not None:
            paging.append(("page_size", str(self._size)))
        if cursor is not None:
            paging.append(("cursor", cursor))
        call = Call(call.endpoint, call.ids, (*paging, *call.query))
        envelope, request_id = await self._session.call_with_id(call)
        return Page(
            items=getattr(envelope, call.endpoint.items or ""),
            number=index,
            size=self._size,
            next_cursor=envelope.next_cursor,
            undecodable=envelope.undecodable,
            request_id=request_id,
            envelope=envelope,
        )
