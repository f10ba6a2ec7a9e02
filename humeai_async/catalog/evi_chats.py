"""The endpoints of what EVI keeps: chats, chat groups and the privacy settings.

A constant is named for the method that calls it: `CHATS_LIST` belongs to `chats.list`. Where the
documented table is wrong about Hume, the constant does what Hume does and a comment beside it says
so. It knows neither hosts nor credentials; resources fill its constants in.
"""

from __future__ import annotations

from humeai_async.catalog.product import EVI, NOTHING, PAGE
from humeai_async.http.endpoint import Endpoint
from humeai_async.types.evi_chats import (
    ChatEventsPage,
    ChatGroupEventsPage,
    ChatGroupPage,
    ChatPage,
    PrivacySettings,
)

_DIRECTED = (*PAGE, "ascending_order")

# An entry reads like a row of the reference: what, where, what comes back; then the rest.
# fmt: off

# The table lacks config_id.
CHAT_GROUPS_LIST = Endpoint(
    "chat_groups.list", "GET", "/v0/evi/chat_groups", ChatGroupPage, **EVI,
    row="List chat_groups", docs="chat-groups/list-chat-groups",
    query=(*_DIRECTED, "config_id"), items="chat_groups_page")
# The table calls id a chat's; it is the group's.
CHAT_GROUPS_LIST_EVENTS = Endpoint(
    "chat_groups.list_events", "GET", "/v0/evi/chat_groups/{id}/events", ChatGroupEventsPage, **EVI,
    row="List chat events from a specific chat_group", docs="chat-groups/list-chat-group-events",
    query=_DIRECTED, items="events_page")
# The table lacks config_id and status.
CHATS_LIST = Endpoint(
    "chats.list", "GET", "/v0/evi/chats", ChatPage, **EVI,
    row="List chats", docs="chats/list-chats",
    query=(*_DIRECTED, "config_id", "status"), items="chats_page")
# The path is the chat itself: its own fields come with each page of events.
CHATS_LIST_EVENTS = Endpoint(
    "chats.list_events", "GET", "/v0/evi/chats/{id}", ChatEventsPage, **EVI,
    row="List chat events", docs="chats/list-chat-events", query=_DIRECTED, items="events_page")
# Probably gone since 2025, with EVI at the latest; what the responses hold was never published.
PRIVACY_GET_SETTINGS = Endpoint(
    "privacy.get_settings", "GET", "/v0/evi/privacy/settings", PrivacySettings, **EVI,
    row="Get User Privacy Settings", docs="privacy/get-user-privacy-settings")
# The fields go into the query, in camelCase; the table has them in the body.
PRIVACY_UPDATE_SETTINGS = Endpoint(
    "privacy.update_settings", "PATCH", "/v0/evi/privacy/settings", object, **EVI,
    row="Patch User Privacy Settings", docs="privacy/patch-user-privacy-settings",
    query=("allowRetention", "allowTraining"))
PRIVACY_DELETE_DATA = Endpoint(
    "privacy.delete_data", "DELETE", "/v0/evi/privacy", NOTHING, **EVI,
    row="Delete User Data", docs="privacy/delete-user-data")
# fmt: on
