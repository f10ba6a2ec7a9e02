"""Past and present chats, and what was said in them.

Lists chats and their events; the chat itself, as it goes on, is a socket of the chat resource.
It knows nothing of how calls are made.
"""

from __future__ import annotations

from humeai_async.catalog import evi_chats as catalog
from humeai_async.http.endpoint import fill
from humeai_async.http.pages import Pages
from humeai_async.http.pagination import NumberedPages
from humeai_async.resources._base import Resource
from humeai_async.types.evi_chats import Chat, ChatEvent, ChatEventsPage, ChatStatus


class Chats(Resource):
    """Past EVI chats and their events: messages, expressions, tool calls.

    Source: https://dev.hume.ai/reference/empathic-voice-interface-evi/chats/list-chats
    """

    __slots__ = ()

    def list(
        self,
        *,
        page_number: int = 0,
        page_size: int | None = None,
        ascending_order: bool | None = None,
        config_id: str | None = None,
        status: ChatStatus | str | None = None,
        prefetch: int = 0,
    ) -> Pages[Chat]:
        """List the chats of the account.

        Costs one request a page.

        Args:
            page_number: Page to begin with; the first is 0.
            page_size: Chats a page, 1 to 100; Hume takes 10 if left out.
            ascending_order: Oldest first, as Hume does if left out; false is newest first.
            config_id: Only chats that used this config.
            status: Only chats in this state, such as `ACTIVE`.
            prefetch: Pages to fetch ahead, once their number is known.

        Returns:
            Pages of chats.

        Raises:
            InvalidArgumentError: A number is out of range.

        Source: https://dev.hume.ai/reference/empathic-voice-interface-evi/chats/list-chats
        """
        query = {"ascending_order": ascending_order, "config_id": config_id, "status": status}
        call = fill(catalog.CHATS_LIST, query=query)
        return NumberedPages(self._session, call, page_number, page_size, prefetch)

    def list_events(
        self,
        id: str,
        *,
        page_number: int = 0,
        page_size: int | None = None,
        ascending_order: bool | None = None,
        prefetch: int = 0,
    ) -> Pages[ChatEvent, ChatEventsPage]:
        """List the events of a chat.

        Costs one request a page. The chat's own fields come with each page: its `envelope` is
        a `ChatEventsPage`.

        Args:
            id: Chat UUID.
            page_number: Page to begin with; the first is 0.
            page_size: Events a page, 1 to 100; Hume takes 10 if left out.
            ascending_order: Oldest first, as Hume does if left out; false is newest first.
            prefetch: Pages to fetch ahead, once their number is known.

        Returns:
            Pages of events.

        Raises:
            InvalidArgumentError: The id cannot be one, or a number is out of range.

        Source: https://dev.hume.ai/reference/empathic-voice-interface-evi/chats/list-chat-events
        """
        query = {"ascending_order": ascending_order}
        call = fill(catalog.CHATS_LIST_EVENTS, id, query=query)
        return NumberedPages(self._session, call, page_number, page_size, prefetch)
