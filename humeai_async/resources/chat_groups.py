"""Chat groups: conversations, each a chat and those that resumed it.

Lists groups and what was said in all chats of one. It knows nothing of how calls are made.
"""

from __future__ import annotations

from humeai_async.catalog import evi_chats as catalog
from humeai_async.http.endpoint import fill
from humeai_async.http.pages import Pages
from humeai_async.http.pagination import NumberedPages
from humeai_async.resources._base import Resource
from humeai_async.types.evi_chats import ChatEvent, ChatGroup, ChatGroupEventsPage


class ChatGroups(Resource):
    """EVI conversations: a chat together with the chats that resumed it.

    Source:
    https://dev.hume.ai/reference/empathic-voice-interface-evi/chat-groups/list-chat-groups
    """

    __slots__ = ()

    def list(
        self,
        *,
        page_number: int = 0,
        page_size: int | None = None,
        ascending_order: bool | None = None,
        config_id: str | None = None,
        prefetch: int = 0,
    ) -> Pages[ChatGroup]:
        """List the chat groups of the account.

        Costs one request a page.

        Args:
            page_number: Page to begin with; the first is 0.
            page_size: Groups a page, 1 to 100; Hume takes 10 if left out.
            ascending_order: Oldest first, as Hume does if left out; false is newest first.
            config_id: Only groups whose last chat used this config.
            prefetch: Pages to fetch ahead, once their number is known.

        Returns:
            Pages of groups.

        Raises:
            InvalidArgumentError: A number is out of range.

        Source:
        https://dev.hume.ai/reference/empathic-voice-interface-evi/chat-groups/list-chat-groups
        """
        query = {"ascending_order": ascending_order, "config_id": config_id}
        call = fill(catalog.CHAT_GROUPS_LIST, query=query)
        return NumberedPages(self._session, call, page_number, page_size, prefetch)

    def list_events(
        self,
        id: str,
        *,
        page_number: int = 0,
        page_size: int | None = None,
        ascending_order: bool | None = None,
        prefetch: int = 0,
    ) -> Pages[ChatEvent, ChatGroupEventsPage]:
        """List the events of all chats of a group.

        Costs one request a page. The `envelope` of each page is a `ChatGroupEventsPage` with
        the group's id.

        Args:
            id: Chat group UUID; the documented table calls it a chat's.
            page_number: Page to begin with; the first is 0.
            page_size: Events a page, 1 to 100; Hume takes 10 if left out.
            ascending_order: Oldest first, as Hume does if left out; false is newest first.
            prefetch: Pages to fetch ahead, once their number is known.

        Returns:
            Pages of events.

        Raises:
            InvalidArgumentError: The id cannot be one, or a number is out of range.

        Source:
        https://dev.hume.ai/reference/empathic-voice-interface-evi/chat-groups/list-chat-group-events
        """
        query = {"ascending_order": ascending_order}
        call = fill(catalog.CHAT_GROUPS_LIST_EVENTS, id, query=query)
        return NumberedPages(self._session, call, page_number, page_size, prefetch)
