"""What EVI keeps of chats: their events, their groups, and the privacy settings.

Fields carry the wire's names; times are milliseconds since 1970 although parts of Hume's
reference say seconds. The messages of the chat socket are in `chat.py`. Nothing here does I/O.
"""

from __future__ import annotations

import datetime as dt
import enum
from typing import Any, ClassVar

from attrs import Factory

from humeai_async._base.frozen import frozen
from humeai_async.types.json_text import read_json, read_scores
from humeai_async.types.paging import Items, NumberedPage
from humeai_async.types.times import from_milliseconds


class ChatStatus(enum.StrEnum):
    """Whether a chat is still active, or how it ended."""

    ACTIVE = "ACTIVE"
    USER_ENDED = "USER_ENDED"
    USER_TIMEOUT = "USER_TIMEOUT"
    MAX_DURATION_TIMEOUT = "MAX_DURATION_TIMEOUT"
    INACTIVITY_TIMEOUT = "INACTIVITY_TIMEOUT"
    ERROR = "ERROR"


class ChatEventRole(enum.StrEnum):
    """Who caused an event of a chat's history."""

    USER = "USER"
    AGENT = "AGENT"
    SYSTEM = "SYSTEM"
    TOOL = "TOOL"


class ChatEventType(enum.StrEnum):
    """Kinds of events in a chat's history."""

    AGENT_MESSAGE = "AGENT_MESSAGE"
    ASSISTANT_PROSODY = "ASSISTANT_PROSODY"
    CHAT_START_MESSAGE = "CHAT_START_MESSAGE"
    CHAT_END_MESSAGE = "CHAT_END_MESSAGE"
    FUNCTION_CALL = "FUNCTION_CALL"
    FUNCTION_CALL_RESPONSE = "FUNCTION_CALL_RESPONSE"
    PAUSE_ONSET = "PAUSE_ONSET"
    RESUME_ONSET = "RESUME_ONSET"
    SESSION_SETTINGS = "SESSION_SETTINGS"
    SYSTEM_PROMPT = "SYSTEM_PROMPT"
    USER_INTERRUPTION = "USER_INTERRUPTION"
    USER_MESSAGE = "USER_MESSAGE"
    USER_RECORDING_START_MESSAGE = "USER_RECORDING_START_MESSAGE"


class PaginationDirection(enum.StrEnum):
    """Whether a list starts with its oldest or its newest items."""

    ASCENDING = "ASC"
    DESCENDING = "DESC"


@frozen(kw_only=True)
class DirectedPage(NumberedPage):
    """A page of a list whose order `ascending_order` reverses."""

    pagination_direction: PaginationDirection | str | None = None
    """Order of the items by time."""


@frozen(kw_only=True)
class ConfigRef:
    """The config that a chat used."""

    id: str | None = None
    """UUID of the config."""
    version: int | None = None
    """Number of the config's version."""


@frozen(kw_only=True)
class _ChatFields:
    """What a chat holds, but for its own id."""

    chat_group_id: str | None = None
    """UUID of the chat group that the chat belongs to."""
    status: ChatStatus | str | None = None
    """`ACTIVE`, or how the chat ended."""
    start_timestamp: int | None = None
    """Start of the chat, in milliseconds since 1970."""
    end_timestamp: int | None = None
    """End of the chat, in milliseconds since 1970; `None` while it is active."""
    metadata: str | None = None
    """Free details, as JSON text; `parsed_metadata` reads it."""
    config: ConfigRef | None = None
    """Config that the chat used."""

    @property
    def parsed_metadata(self) -> Any:
        """Free details, read from their JSON text; `None` if there are none.

        Raises:
            DecodeError: The text is not JSON.
        """
        return read_json(self.metadata, "$.metadata")

    @property
    def started_at(self) -> dt.datetime | None:
        """Start of the chat in UTC; `None` where it is not known."""
        return from_milliseconds(self.start_timestamp)

    @property
    def ended_at(self) -> dt.datetime | None:
        """End of the chat in UTC; `None` where it is not known."""
        return from_milliseconds(self.end_timestamp)


@frozen(kw_only=True)
class Chat(_ChatFields):
    """One chat: one connection from its opening to its end."""

    id: str
    """UUID of the chat."""
    event_count: int | None = None
    """Number of events so far."""


@frozen(kw_only=True)
class ChatPage(DirectedPage):
    """One page of chats, sorted by their start."""

    chats_page: Items[Chat] = Factory(Items[Chat])
    """The chats on this page."""


@frozen(kw_only=True)
class ChatEvent:
    """One event of a chat's history."""

    id: str
    """UUID of the event."""
    chat_id: str | None = None
    """UUID of the chat that the event belongs to."""
    timestamp: int | None = None
    """Time of the event, in milliseconds since 1970."""
    role: ChatEventRole | str | None = None
    """Who caused the event."""
    type: ChatEventType | str | None = None
    """Kind of the event; kinds unknown to this library stay text."""
    message_text: str | None = None
    """Text of a message, or what else the event holds."""
    emotion_features: str | None = None
    """Scores of the 48 expressions, as JSON text; only messages of users and prosody events
    have them. `emotion_scores` reads it."""
    metadata: str | None = None
    """Free details, as JSON text; `parsed_metadata` reads it."""
    related_event_id: str | None = None
    """UUID of the message that an `ASSISTANT_PROSODY` event is about."""

    @property
    def emotion_scores(self) -> dict[str, float] | None:
        """Score of each expression by its name; `None` if there are none.

        Raises:
            DecodeError: The text is not a JSON object of numbers.
        """
        return read_scores(self.emotion_features, "$.emotion_features")

    @property
    def parsed_metadata(self) -> Any:
        """Free details, read from their JSON text; `None` if there are none.

        Raises:
            DecodeError: The text is not JSON.
        """
        return read_json(self.metadata, "$.metadata")

    @property
    def occurred_at(self) -> dt.datetime | None:
        """Time of the event in UTC; `None` where it is not known."""
        return from_milliseconds(self.timestamp)


@frozen(kw_only=True)
class ChatEventsPage(DirectedPage, _ChatFields):
    """A chat with one page of its events; the service puts both into one object."""

    id: str | None = None
    """UUID of the chat."""
    events_page: Items[ChatEvent] = Factory(Items[ChatEvent])
    """The events on this page, sorted by time."""


@frozen(kw_only=True)
class ChatGroup:
    """A chat group: a chat and the chats that resumed it."""

    id: str
    """UUID of the chat group."""
    first_start_timestamp: int | None = None
    """Start of the group's first chat, in milliseconds since 1970."""
    most_recent_start_timestamp: int | None = None
    """Start of the group's last chat, in milliseconds since 1970."""
    num_chats: int | None = None
    """Number of chats in the group."""
    most_recent_chat_id: str | None = None
    """UUID of the group's last chat."""
    most_recent_config: ConfigRef | None = None
    """Config of the group's last chat."""
    active: bool | None = None
    """True if one of the group's chats is still active."""

    @property
    def first_started_at(self) -> dt.datetime | None:
        """Start of the group's first chat in UTC; `None` where it is not known."""
        return from_milliseconds(self.first_start_timestamp)

    @property
    def most_recently_started_at(self) -> dt.datetime | None:
        """Start of the group's last chat in UTC; `None` where it is not known."""
        return from_milliseconds(self.most_recent_start_timestamp)


@frozen(kw_only=True)
class ChatGroupPage(DirectedPage):
    """One page of chat groups, sorted by their start."""

    chat_groups_page: Items[ChatGroup] = Factory(Items[ChatGroup])
    """The chat groups on this page."""


@frozen(kw_only=True)
class ChatGroupEventsPage(DirectedPage):
    """One page of the events of all chats of a group."""

    id: str | None = None
    """UUID of the chat group."""
    events_page: Items[ChatEvent] = Factory(Items[ChatEvent])
    """The events on this page, sorted by time."""


@frozen(kw_only=True)
class PrivacySettings:
    """What the account allows Hume to keep and to use.

    No reference ever listed the fields of this response; these are of the one official client
    that had a type of this name, so all may be missing, and so may the whole body.
    """

    may_be_empty: ClassVar[bool] = True
    """An empty response is one in which all fields are missing."""

    id: str | None = None
    """Id of the settings."""
    do_not_retain_data: bool | None = None
    """If true, Hume keeps no data of the account."""
    do_not_use_for_training: bool | None = None
    """If true, Hume trains nothing on the account's data."""
