"""EVI over HTTP: prompts, tools, chats, chat groups, their events, privacy settings.

Fields carry the wire's names; times are milliseconds since 1970 although parts of Hume's
reference say seconds. A prompt or tool inside of a config need not name itself, so there it is
an `Embedded...` class. Configs are in `evi_configs.py`, the messages of the chat socket in
`chat.py`. Nothing here does I/O.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping
from typing import Any, ClassVar

from attrs import Factory

from humeai_async._base.frozen import frozen
from humeai_async._base.unset import UNSET, Unset
from humeai_async.types.json_text import read_json, read_json_object, read_scores
from humeai_async.types.paging import DirectedPage, Items, NumberedPage
from humeai_async.types.times import from_milliseconds
from humeai_async.types.unknown_fields import Open


class VersionType(enum.StrEnum):
    """Whether a version was named by its number or as the newest."""

    FIXED = "FIXED"
    LATEST = "LATEST"


class ConfigToolType(enum.StrEnum):
    """Whether Hume or your own code runs a tool."""

    BUILTIN = "BUILTIN"
    FUNCTION = "FUNCTION"


class BuiltinToolName(enum.StrEnum):
    """Tools that Hume runs itself."""

    WEB_SEARCH = "web_search"
    HANG_UP = "hang_up"


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


@frozen(kw_only=True)
class NameRequest:
    """A request for a new name of a config, prompt or tool."""

    name: str
    """The new name of the object."""


@frozen(kw_only=True)
class VersionDescriptionRequest:
    """A request for a new description of one version of a config, prompt or tool."""

    version_description: str | Unset | None = UNSET
    """The new description; `None` is sent as null."""


@frozen(kw_only=True)
class PromptExpansion(Open):
    """Whether Hume adds instructions of its own to a prompt."""

    enabled: bool | None = None
    """If true, or left out, Hume adds its own instructions."""


@frozen(kw_only=True)
class PromptRequest:
    """A request for a new prompt, or for a new version of one."""

    text: str
    """Text of the prompt."""
    name: str | None = None
    """Name of the new prompt; left out for a new version."""
    version_description: str | None = None
    """Note about this version, for people."""
    prompt_expansion: PromptExpansion | Mapping[str, Any] | None = None
    """Whether Hume adds instructions of its own to the prompt."""


@frozen(kw_only=True, slots=False)
class _PromptFields(Open):
    """What a prompt holds, but for its own id and version."""

    version_type: VersionType | str | None = None
    """Whether this version was named by its number or as the newest."""
    name: str | None = None
    """Name of the prompt."""
    created_on: int | None = None
    """Time of the prompt's creation, in milliseconds since 1970."""
    modified_on: int | None = None
    """Time of the prompt's last change, in milliseconds since 1970."""
    text: str | None = None
    """Text of the prompt."""
    version_description: str | None = None
    """Note about this version, for people."""
    prompt_expansion: PromptExpansion | None = None
    """Whether Hume adds instructions of its own to the prompt; lists leave it out."""

    @property
    def created_at(self) -> dt.datetime | None:
        """Time of the prompt's creation in UTC; `None` where it is not known."""
        return from_milliseconds(self.created_on)

    @property
    def modified_at(self) -> dt.datetime | None:
        """Time of the prompt's last change in UTC; `None` where it is not known."""
        return from_milliseconds(self.modified_on)


@frozen(kw_only=True)
class EmbeddedPrompt(_PromptFields):
    """One version of a prompt, as a config holds it."""

    id: str | None = None
    """UUID of the prompt, the same for all its versions."""
    version: int | None = None
    """Number of the version; the first is 0."""


@frozen(kw_only=True)
class Prompt(_PromptFields):
    """One version of a prompt."""

    id: str
    """UUID of the prompt, the same for all its versions."""
    version: int
    """Number of the version; the first is 0."""


@frozen(kw_only=True)
class PromptPage(NumberedPage):
    """One page of prompts, or of versions of one prompt."""

    prompts_page: Items[Prompt] = Factory(Items[Prompt])
    """The prompts on this page."""


@frozen(kw_only=True)
class BuiltinToolConfig:
    """A tool that Hume runs itself, switched on in a config or in a session."""

    name: BuiltinToolName | str
    """Name of the built-in tool, such as `web_search`."""
    fallback_content: str | None = None
    """Text for the language model if the tool fails."""


@frozen(kw_only=True)
class ToolRequest:
    """A request for a new tool, or for a new version of one."""

    parameters: str
    """JSON Schema of the tool's arguments, as text."""
    name: str | None = None
    """Name of the new function; left out for a new version."""
    version_description: str | None = None
    """Note about this version, for people."""
    description: str | None = None
    """What the tool does; the language model reads it to know when to call it."""
    fallback_content: str | None = None
    """Text for the language model if the tool fails."""


@frozen(kw_only=True, slots=False)
class _ToolFields(Open):
    """What a tool holds, but for its own id and version."""

    tool_type: ConfigToolType | str | None = None
    """Always `FUNCTION`."""
    version_type: VersionType | str | None = None
    """Whether this version was named by its number or as the newest."""
    name: str | None = None
    """Name of the function."""
    created_on: int | None = None
    """Time of the tool's creation, in milliseconds since 1970."""
    modified_on: int | None = None
    """Time of the tool's last change, in milliseconds since 1970."""
    parameters: str | None = None
    """JSON Schema of the tool's arguments, as text; `parsed_parameters` reads it."""
    version_description: str | None = None
    """Note about this version, for people."""
    description: str | None = None
    """What the tool does; the language model reads it to know when to call it."""
    fallback_content: str | None = None
    """Text for the language model if the tool fails."""

    @property
    def parsed_parameters(self) -> dict[str, Any]:
        """JSON Schema of the tool's arguments; empty if the service sent none.

        Raises:
            DecodeError: The text is not a JSON object.
        """
        return read_json_object(self.parameters, "$.parameters") or {}

    @property
    def created_at(self) -> dt.datetime | None:
        """Time of the tool's creation in UTC; `None` where it is not known."""
        return from_milliseconds(self.created_on)

    @property
    def modified_at(self) -> dt.datetime | None:
        """Time of the tool's last change in UTC; `None` where it is not known."""
        return from_milliseconds(self.modified_on)


@frozen(kw_only=True)
class EmbeddedTool(_ToolFields):
    """One version of a tool that your own code runs, as a config holds it."""

    id: str | None = None
    """UUID of the tool, the same for all its versions."""
    version: int | None = None
    """Number of the version; the first is 0."""


@frozen(kw_only=True)
class Tool(_ToolFields):
    """One version of a tool that your own code runs."""

    id: str
    """UUID of the tool, the same for all its versions."""
    version: int
    """Number of the version; the first is 0."""


@frozen(kw_only=True)
class ToolPage(NumberedPage):
    """One page of tools, or of versions of one tool."""

    tools_page: Items[Tool] = Factory(Items[Tool])
    """The tools on this page."""


@frozen(kw_only=True)
class ConfigRef:
    """The config that a chat used."""

    id: str | None = None
    """UUID of the config."""
    version: int | None = None
    """Number of the config's version."""


@frozen(kw_only=True)
class Chat:
    """One chat: one connection from its opening to its end."""

    id: str
    """UUID of the chat."""
    chat_group_id: str | None = None
    """UUID of the chat group that the chat belongs to."""
    status: ChatStatus | str | None = None
    """`ACTIVE`, or how the chat ended."""
    start_timestamp: int | None = None
    """Start of the chat, in milliseconds since 1970."""
    end_timestamp: int | None = None
    """End of the chat, in milliseconds since 1970; `None` while it is active."""
    event_count: int | None = None
    """Number of events so far."""
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
class ChatEventsPage(DirectedPage):
    """A chat with one page of its events; the service puts both into one object."""

    id: str | None = None
    """UUID of the chat."""
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
    events_page: Items[ChatEvent] = Factory(Items[ChatEvent])
    """The events on this page, sorted by time."""

    @property
    def parsed_metadata(self) -> Any:
        """Free details, read from their JSON text; `None` if there are none.

        Raises:
            DecodeError: The text is not JSON.
        """
        return read_json(self.metadata, "$.metadata")


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
