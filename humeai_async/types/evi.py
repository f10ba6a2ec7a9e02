"""EVI over HTTP: prompts, tools, chats, chat groups, their events, privacy settings.

Fields carry the wire's names; times are milliseconds since 1970 although parts of Hume's
reference say seconds. Configs are in `evi_configs.py`, the messages of the chat socket in
`chat.py`. Nothing here does I/O.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

from humeai_async._base.frozen import frozen
from humeai_async._base.unset import UNSET, Unset
from humeai_async.types.json_text import read_json, read_json_object, read_scores
from humeai_async.types.paging import DirectedPage, NumberedPage


class VersionType(enum.StrEnum):
    """How a version was pinned."""

    FIXED = "FIXED"
    LATEST = "LATEST"


class ConfigToolType(enum.StrEnum):
    """Who runs a tool."""

    BUILTIN = "BUILTIN"
    FUNCTION = "FUNCTION"


class BuiltinToolName(enum.StrEnum):
    """Tools that Hume runs itself."""

    WEB_SEARCH = "web_search"
    HANG_UP = "hang_up"


class ChatStatus(enum.StrEnum):
    """Whether a chat goes on, or how it ended."""

    ACTIVE = "ACTIVE"
    USER_ENDED = "USER_ENDED"
    USER_TIMEOUT = "USER_TIMEOUT"
    MAX_DURATION_TIMEOUT = "MAX_DURATION_TIMEOUT"
    INACTIVITY_TIMEOUT = "INACTIVITY_TIMEOUT"
    ERROR = "ERROR"


class ChatEventRole(enum.StrEnum):
    """Who made an event of a chat's history."""

    USER = "USER"
    AGENT = "AGENT"
    SYSTEM = "SYSTEM"
    TOOL = "TOOL"


class ChatEventType(enum.StrEnum):
    """What an event of a chat's history is."""

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
    """Asks for a new name of a config, prompt or tool."""

    name: str
    """The new name."""


@frozen(kw_only=True)
class VersionDescriptionRequest:
    """Asks for a new description of one version of a config, prompt or tool."""

    version_description: str | Unset | None = UNSET
    """The new description; `None` is sent as null."""


@frozen(kw_only=True)
class PromptExpansion:
    """Whether Hume adds instructions of its own to a prompt."""

    enabled: bool | None = None
    """On if left out."""


@frozen(kw_only=True)
class PromptRequest:
    """Asks for a prompt, or for a new version of one."""

    text: str
    """The prompt."""
    name: str | None = None
    """Name of the new prompt; left out for a new version."""
    version_description: str | None = None
    """Note on this version."""
    prompt_expansion: PromptExpansion | Mapping[str, Any] | None = None
    """Whether Hume adds instructions of its own."""


@frozen(kw_only=True)
class Prompt:
    """One version of a prompt."""

    id: str
    """Prompt UUID, the same for all versions."""
    version: int
    """Number of the version; the first is 0."""
    version_type: VersionType | str
    """Whether this version was asked for by number or as the newest."""
    name: str
    """Name of the prompt."""
    created_on: int
    """Milliseconds since 1970."""
    modified_on: int
    """Milliseconds since 1970."""
    text: str
    """The prompt."""
    version_description: str | None = None
    """Note on this version."""
    prompt_expansion: PromptExpansion | None = None
    """Whether Hume adds instructions of its own; lists leave it out."""


@frozen(kw_only=True)
class PromptPage(NumberedPage):
    """One page of prompts, or of versions of one."""

    prompts_page: list[Prompt]
    """The prompts; nulls that the service puts among them are dropped."""


@frozen(kw_only=True)
class BuiltinToolConfig:
    """Switches on a tool that Hume runs itself, in a config or in a session."""

    name: BuiltinToolName | str
    """Which tool."""
    fallback_content: str | None = None
    """Text for the language model if the tool fails."""


@frozen(kw_only=True)
class ToolRequest:
    """Asks for a tool, or for a new version of one."""

    parameters: str
    """JSON Schema of the tool's arguments, as text."""
    name: str | None = None
    """Name of the new function; left out for a new version."""
    version_description: str | None = None
    """Note on this version."""
    description: str | None = None
    """What the tool does; the language model reads it to know when to call."""
    fallback_content: str | None = None
    """Text for the language model if the tool fails."""


@frozen(kw_only=True)
class Tool:
    """One version of a tool that the caller runs."""

    tool_type: ConfigToolType | str
    """`FUNCTION`."""
    id: str
    """Tool UUID, the same for all versions."""
    version: int
    """Number of the version; the first is 0."""
    version_type: VersionType | str
    """Whether this version was asked for by number or as the newest."""
    name: str
    """Name of the function."""
    created_on: int
    """Milliseconds since 1970."""
    modified_on: int
    """Milliseconds since 1970."""
    parameters: str
    """JSON Schema of the tool's arguments, as text; `parsed_parameters` reads it."""
    version_description: str | None = None
    """Note on this version."""
    description: str | None = None
    """What the tool does."""
    fallback_content: str | None = None
    """Text for the language model if the tool fails."""

    @property
    def parsed_parameters(self) -> dict[str, Any]:
        """JSON Schema of the tool's arguments.

        Raises:
            DecodeError: The text is not a JSON object.
        """
        return read_json_object(self.parameters, "$.parameters") or {}


@frozen(kw_only=True)
class ToolPage(NumberedPage):
    """One page of tools, or of versions of one."""

    tools_page: list[Tool]
    """The tools; nulls that the service puts among them are dropped."""


@frozen(kw_only=True)
class ConfigRef:
    """Which config a chat used."""

    id: str
    """Config UUID."""
    version: int | None = None
    """Number of the version."""


@frozen(kw_only=True)
class Chat:
    """One chat: one connection from its opening to its end."""

    id: str
    """Chat UUID."""
    chat_group_id: str
    """UUID of the conversation it belongs to."""
    status: ChatStatus | str
    """`ACTIVE`, or how it ended."""
    start_timestamp: int
    """Milliseconds since 1970."""
    end_timestamp: int | None = None
    """Milliseconds since 1970; `None` while it goes on."""
    event_count: int | None = None
    """Events so far."""
    metadata: str | None = None
    """JSON as text; `parsed_metadata` reads it."""
    config: ConfigRef | None = None
    """Config it used."""

    @property
    def parsed_metadata(self) -> Any:
        """Metadata, read; `None` if there is none.

        Raises:
            DecodeError: The text is not JSON.
        """
        return read_json(self.metadata, "$.metadata")


@frozen(kw_only=True)
class ChatPage(DirectedPage):
    """One page of chats."""

    chats_page: list[Chat]
    """The chats, by start."""


@frozen(kw_only=True)
class ChatEvent:
    """One event of a chat's history."""

    id: str
    """Event UUID."""
    chat_id: str
    """Chat UUID."""
    timestamp: int
    """Milliseconds since 1970."""
    role: ChatEventRole | str
    """Who made it."""
    type: ChatEventType | str
    """What it is; further types stay text."""
    message_text: str | None = None
    """What was said, or what the event holds."""
    emotion_features: str | None = None
    """Scores of the 48 expressions, JSON as text; `None` but for what users and prosody
    events say. `emotion_scores` reads it."""
    metadata: str | None = None
    """JSON as text; `parsed_metadata` reads it."""
    related_event_id: str | None = None
    """Of an `ASSISTANT_PROSODY` event: the message that it is about."""

    @property
    def emotion_scores(self) -> dict[str, float] | None:
        """Score of each expression by name; `None` if there are none.

        Raises:
            DecodeError: The text is not a JSON object of numbers.
        """
        return read_scores(self.emotion_features, "$.emotion_features")

    @property
    def parsed_metadata(self) -> Any:
        """Metadata, read; `None` if there is none.

        Raises:
            DecodeError: The text is not JSON.
        """
        return read_json(self.metadata, "$.metadata")


@frozen(kw_only=True)
class ChatEventsPage(DirectedPage):
    """A chat with one page of its events; the service puts both into one object."""

    id: str
    """Chat UUID."""
    chat_group_id: str
    """UUID of the conversation it belongs to."""
    status: ChatStatus | str
    """`ACTIVE`, or how it ended."""
    start_timestamp: int
    """Milliseconds since 1970."""
    end_timestamp: int | None = None
    """Milliseconds since 1970; `None` while it goes on."""
    metadata: str | None = None
    """JSON as text; `parsed_metadata` reads it."""
    config: ConfigRef | None = None
    """Config it used."""
    events_page: list[ChatEvent]
    """The events, by time."""

    @property
    def parsed_metadata(self) -> Any:
        """Metadata, read; `None` if there is none.

        Raises:
            DecodeError: The text is not JSON.
        """
        return read_json(self.metadata, "$.metadata")


@frozen(kw_only=True)
class ChatGroup:
    """A conversation: a chat and those that resumed it."""

    id: str
    """Chat group UUID."""
    first_start_timestamp: int
    """Start of its first chat, in milliseconds since 1970."""
    most_recent_start_timestamp: int
    """Start of its last chat, in milliseconds since 1970."""
    num_chats: int
    """Chats in it."""
    most_recent_chat_id: str | None = None
    """UUID of its last chat."""
    most_recent_config: ConfigRef | None = None
    """Config of its last chat."""
    active: bool | None = None
    """Whether one of its chats goes on."""


@frozen(kw_only=True)
class ChatGroupPage(DirectedPage):
    """One page of chat groups."""

    chat_groups_page: list[ChatGroup]
    """The groups, by start."""


@frozen(kw_only=True)
class ChatGroupEventsPage(DirectedPage):
    """One page of the events of all chats of a group."""

    id: str
    """Chat group UUID."""
    events_page: list[ChatEvent]
    """The events, by time."""


@frozen(kw_only=True)
class PrivacySettings:
    """What the account lets Hume keep and use.

    No reference ever gave the answer's fields; these are of the one official client that had
    a type of this name, so all may be missing.
    """

    id: str | None = None
    """Id of the settings."""
    do_not_retain_data: bool | None = None
    """Whether Hume keeps nothing."""
    do_not_use_for_training: bool | None = None
    """Whether Hume trains nothing on it."""
