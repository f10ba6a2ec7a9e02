"""How chats end, and what a resumed one begins with, as pure decisions.

Whether one is resumed, and when, is decided in `http/reconnect.py`. Nothing here sleeps, opens or
closes: `connections.py` and `socket.py` call it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from humeai_async.http.transport.websocket import NO_CODE, NORMAL
from humeai_async.types.chat_settings import ContextType
from humeai_async.types.json import is_object

CLEAN = frozenset({NORMAL, NO_CODE})
"""Close codes of a chat that ended in good order."""

ENDINGS = frozenset({"E0714", "E0715", "I0116"})
"""Codes of the error events that end a chat: nobody spoke, it lasted too long, its
transcription failed. The socket then closes with code 1000."""


def remember(kept: Mapping[str, Any], sent: Mapping[str, Any]) -> dict[str, Any]:
    """Merge session settings into those that a resumed chat will begin with.

    Args:
        kept: What earlier messages set.
        sent: The message that goes out now.

    Returns:
        What is set after it; a context that is for one message only is left out.
    """
    later = {name: value for name, value in sent.items() if name != "type"}
    context = later.get("context")
    if is_object(context) and context.get("type") in {None, ContextType.TEMPORARY}:
        del later["context"]
    return {**kept, **later}
