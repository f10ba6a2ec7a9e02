"""The socket of the Empathic Voice Interface, over which a chat is held.

It stands apart from the HTTP calls because the types of its messages are many.
"""

from __future__ import annotations

from humeai_async.catalog.product import EVI
from humeai_async.http.endpoint import Endpoint
from humeai_async.types.chat import ServerEvent

# fmt: off

# A WebSocket, which no gateway carries; what comes back comes message by message.
CHAT_CONNECT = Endpoint(
    "chat.connect", "GET", "/v0/evi/chat", ServerEvent, **EVI,
    docs="chat/chat",
    query=("access_token", "api_key", "config_id", "config_version", "resumed_chat_group_id",
           "event_limit", "verbose_transcription", "allow_connection", "session_settings"),
    socket=True)

# fmt: on
