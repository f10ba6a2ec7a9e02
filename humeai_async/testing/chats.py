"""Chats, their events and the groups they are in.

Chats begin as two samples; `add` makes more, `note` goes on with one. It knows nothing of
the WebSocket that real chats come from. The EVI store hands its handlers to the upstream
application.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from attrs import define, field

from humeai_async.testing.exchange import (
    Arrival,
    FakeResponse,
    Record,
    Refusal,
    found,
    json_response,
)
from humeai_async.testing.paging import directed
from humeai_async.testing.scores import EXPRESSIONS, scores
from humeai_async.testing.world import World

_SCRIPT: tuple[tuple[str, str, str | None], ...] = (
    ("SYSTEM", "CHAT_START_MESSAGE", None),
    ("SYSTEM", "SYSTEM_PROMPT", "Answer briefly and kindly."),
    ("USER", "USER_MESSAGE", "Is it going to rain in Porto tomorrow?"),
    ("AGENT", "FUNCTION_CALL", '{"city": "Porto", "day": "tomorrow"}'),
    ("TOOL", "FUNCTION_CALL_RESPONSE", '{"rain_chance": 0.7}'),
    ("AGENT", "AGENT_MESSAGE", "Probably yes, so take an umbrella."),
    ("SYSTEM", "CHAT_END_MESSAGE", None),
)
"""The events of a sample chat: role, type, text."""
_SCORED = frozenset({"USER_MESSAGE", "ASSISTANT_PROSODY"})
_PAUSE_MS = 700
_GONE_BY_MS = 600_000


@define
class FakeChat:
    """One chat; tests may read and change it."""

    id: str
    group_id: str
    status: str
    start_ms: int
    end_ms: int | None
    config: Record | None
    metadata: str | None = None
    events: list[Record] = field(factory=list[Record], repr=False)

    def record(self) -> Record:
        """Return the chat without its events."""
        return {
            "id": self.id,
            "chat_group_id": self.group_id,
            "status": self.status,
            "start_timestamp": self.start_ms,
            "end_timestamp": self.end_ms,
            "metadata": self.metadata,
            "config": self.config,
        }

    def list_record(self) -> Record:
        """Return the chat as lists show it."""
        return {**self.record(), "event_count": len(self.events)}


class ChatStore:
    """All chats of one fake."""

    def __init__(self, world: World) -> None:
        self.chats: dict[str, FakeChat] = {}
        """Chats by id, oldest first."""
        self._world = world
        if world.options.samples:
            config: Record = {"id": world.new_id("sample-config"), "version": 1}
            first = self.add(config=config)
            self.add(config=config, group_id=first.group_id, status="ACTIVE", script=_SCRIPT[:4])

    def routes(self) -> dict[str, Callable[..., FakeResponse]]:
        """Return all handlers."""
        return {
            "GET /v0/evi/chats": self.list_chats,
            "GET /v0/evi/chats/{id}": self.list_events,
            "GET /v0/evi/chat_groups": self.list_groups,
            "GET /v0/evi/chat_groups/{id}": self.get_group,
            "GET /v0/evi/chat_groups/{id}/events": self.list_group_events,
        }

    def add(
        self,
        *,
        group_id: str | None = None,
        status: str = "USER_ENDED",
        config: Record | None = None,
        metadata: str | None = None,
        script: Sequence[tuple[str, str, str | None]] | None = None,
    ) -> FakeChat:
        """Add a chat after the others.

        Args:
            group_id: Group it belongs to; a new one if left out.
            status: Such as `ACTIVE`, which has no end.
            config: Its `id` and `version`.
            metadata: JSON in a string.
            script: Role, type and text of each event; a small talk of seven if left out.
        """
        lines = _SCRIPT if script is None else script
        start = self._world.now_ms() - _GONE_BY_MS + len(self.chats) * 1000
        chat = FakeChat(
            id=self._world.new_id("chat"),
            group_id=group_id or self._world.new_id("chat-group"),
            status=status,
            start_ms=start,
            end_ms=None if status == "ACTIVE" else start + len(lines) * _PAUSE_MS,
            config=config,
            metadata=metadata,
        )
        chat.events.extend(self._event(chat, number, *line) for number, line in enumerate(lines))
        self.chats[chat.id] = chat
        return chat

    def note(self, chat: FakeChat, role: str, type: str, text: str | None) -> None:
        """Add an event to a chat that goes on."""
        event = self._event(chat, len(chat.events), role, type, text)
        chat.events.append({**event, "timestamp": self.now_ms()})

    def now_ms(self) -> int:
        """Return the fake's time in epoch milliseconds."""
        return self._world.now_ms()

    def clear(self) -> None:
        """Forget all chats."""
        self.chats.clear()

    def list_chats(self, arrival: Arrival) -> FakeResponse:
        """GET /v0/evi/chats."""
        status = arrival.first("status")
        found = [
            chat
            for chat in self.chats.values()
            if (status is None or chat.status == status) and _has_config(chat, arrival)
        ]
        return json_response(directed(arrival, found, "chats_page", FakeChat.list_record))

    def list_events(self, arrival: Arrival, id: str) -> FakeResponse:
        """GET /v0/evi/chats/{id}: the chat with one page of its events."""
        chat = found(self.chats, id, "chat")
        page = directed(arrival, chat.events, "events_page", dict[str, object])
        return json_response({**chat.record(), **page})

    def list_groups(self, arrival: Arrival) -> FakeResponse:
        """GET /v0/evi/chat_groups."""
        groups: dict[str, list[FakeChat]] = {}
        for chat in self.chats.values():
            if _has_config(chat, arrival):
                groups.setdefault(chat.group_id, []).append(chat)
        return json_response(
            directed(arrival, list(groups.values()), "chat_groups_page", _group_record)
        )

    def get_group(self, arrival: Arrival, id: str) -> FakeResponse:
        """GET /v0/evi/chat_groups/{id}: the group with one page of its chats."""
        chats = self._group(id)
        group = _group_record(chats)
        page = directed(arrival, chats, "chats_page", FakeChat.list_record)
        shown = (
            "id",
            "first_start_timestamp",
            "most_recent_start_timestamp",
            "num_chats",
            "active",
        )
        return json_response({**{name: group[name] for name in shown}, **page})

    def list_group_events(self, arrival: Arrival, id: str) -> FakeResponse:
        """GET /v0/evi/chat_groups/{id}/events: the events of all its chats."""
        events = [event for chat in self._group(id) for event in chat.events]
        return json_response(
            {"id": id, **directed(arrival, events, "events_page", dict[str, object])}
        )

    def _group(self, id: str) -> list[FakeChat]:
        chats = [chat for chat in self.chats.values() if chat.group_id == id]
        if not chats:
            raise Refusal(404, f"chat group {id} not found", "E0404")
        return chats

    def _event(self, chat: FakeChat, number: int, role: str, type: str, text: str | None) -> Record:
        features = None
        if type in _SCORED:
            named = scores(EXPRESSIONS, chat.id, number)
            features = json.dumps({score["name"]: score["score"] for score in named})
        return {
            "id": self._world.new_id("chat-event"),
            "chat_id": chat.id,
            "timestamp": chat.start_ms + number * _PAUSE_MS,
            "role": role,
            "type": type,
            "message_text": text,
            "emotion_features": features,
            "metadata": None,
            "related_event_id": None,
        }


def _has_config(chat: FakeChat, arrival: Arrival) -> bool:
    wanted = arrival.first("config_id")
    return wanted is None or (chat.config or {}).get("id") == wanted


def _group_record(chats: Sequence[FakeChat]) -> Record:
    newest = chats[-1]
    return {
        "id": newest.group_id,
        "first_start_timestamp": chats[0].start_ms,
        "most_recent_start_timestamp": newest.start_ms,
        "num_chats": len(chats),
        "most_recent_chat_id": newest.id,
        "most_recent_config": newest.config,
        "active": any(chat.status == "ACTIVE" for chat in chats),
    }
