"""The messages of the EVI chat socket, both ways.

Each message is a class, distinguished by `type`; messages that go both ways are subclasses of
both `ClientEvent` and `ServerEvent`. A type that nobody knew when this was written becomes an
`UnknownEvent` with everything it held. Nothing here does I/O: the socket is in the chat
resource, the history of past chats in `evi.py`.
"""

from __future__ import annotations

import base64
import binascii
import enum
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias, get_args

from attrs import Factory, field

from humeai_async._base.frozen import frozen
from humeai_async._base.unset import UNSET, Unset
from humeai_async._base.urls import repr_without_query
from humeai_async.errors import DecodeError
from humeai_async.types.chat_measurements import Inference, MillisecondInterval
from humeai_async.types.chat_settings import (
    AudioConfiguration,
    SessionContext,
    SessionTool,
    ToolType,
)
from humeai_async.types.evi import BuiltinToolConfig
from humeai_async.types.json_text import read_json
from humeai_async.types.tagged import Tagged, UnknownType


class MessageRole(enum.StrEnum):
    """Who wrote or spoke a message."""

    ASSISTANT = "assistant"
    SYSTEM = "system"
    USER = "user"
    ALL = "all"
    TOOL = "tool"
    CONTEXT = "context"


class ToolErrorLevel(enum.StrEnum):
    """How severe the failure of a tool is."""

    WARN = "warn"


@frozen(kw_only=True)
class Event:
    """Fields that all messages of the chat socket share."""

    type: str
    """Kind of the message, such as `user_message`."""
    custom_session_id: str | None = None
    """Your own id for the session, from the session settings."""


@frozen(kw_only=True)
class ClientEvent(Event):
    """A message from your code to Hume."""


@frozen(kw_only=True)
class ServerEvent(Event):
    """A message from Hume to your code."""


@frozen(kw_only=True)
class UnknownEvent(ClientEvent, ServerEvent):
    """A message of a type that this version of the library does not know."""

    type: UnknownType = ""
    """Type of the message as it came; empty if it has none."""
    data: Mapping[str, Any] = field(default=Factory(dict[str, Any]), repr=repr_without_query)
    """The whole message, as a plain JSON object."""


@frozen(kw_only=True)
class SessionSettings(ClientEvent, ServerEvent):
    """Changes of the running session; Hume sends them back to the client."""

    type: Literal["session_settings"] = "session_settings"
    system_prompt: str | None = None
    """System prompt that replaces the config's."""
    audio: AudioConfiguration | Mapping[str, Any] | None = None
    """Format of raw audio; must be sent before the audio itself."""
    context: SessionContext | Mapping[str, Any] | Unset | None = UNSET
    """Text to add to the user's messages; `None` removes an earlier one."""
    variables: Mapping[str, str | float | bool] | None = None
    """Values for the `{{placeholders}}` of the prompt, by name."""
    tools: Sequence[SessionTool | Mapping[str, Any]] | None = None
    """Tools that your own code runs; they replace the config's."""
    builtin_tools: Sequence[BuiltinToolConfig | Mapping[str, Any]] | None = None
    """Tools that Hume runs itself; they replace the config's."""
    language_model_api_key: str | None = field(default=None, repr=False)
    """API key for the supplemental language model."""
    metadata: Mapping[str, Any] | None = None
    """Free details that Hume keeps with the chat."""
    voice_id: str | None = None
    """UUID of a voice that replaces the current one."""


@frozen(kw_only=True)
class AudioInput(ClientEvent):
    """A piece of the user's speech, sent at the pace of speaking."""

    type: Literal["audio_input"] = "audio_input"
    data: str = field(repr=False)
    """Audio in Base64: a container format, or raw audio if its format was sent before."""

    @classmethod
    def from_bytes(cls, audio: bytes, *, custom_session_id: str | None = None) -> AudioInput:
        """Make the message from audio bytes; pieces of about 20 ms work well."""
        text = base64.b64encode(audio).decode("ascii")
        return cls(data=text, custom_session_id=custom_session_id)


@frozen(kw_only=True)
class UserInput(ClientEvent):
    """A message of the user, as text."""

    type: Literal["user_input"] = "user_input"
    text: str
    """Text of the message."""


@frozen(kw_only=True)
class AssistantInput(ClientEvent):
    """A text for the assistant to speak word for word."""

    type: Literal["assistant_input"] = "assistant_input"
    text: str
    """Text of the message."""


@frozen(kw_only=True)
class PauseAssistantMessage(ClientEvent):
    """Keeps the assistant from replying until it is resumed."""

    type: Literal["pause_assistant_message"] = "pause_assistant_message"


@frozen(kw_only=True)
class ResumeAssistantMessage(ClientEvent):
    """Lets a paused assistant reply again."""

    type: Literal["resume_assistant_message"] = "resume_assistant_message"


@frozen(kw_only=True)
class ToolResult(ClientEvent, ServerEvent):
    """The result of a tool call; Hume sends it for its own tools."""


@frozen(kw_only=True)
class UnknownToolResult(ToolResult):
    """A tool result of a type that this version of the library does not know."""

    type: UnknownType = ""
    """Type of the message as it came; empty if it has none."""
    data: Mapping[str, Any] = field(default=Factory(dict[str, Any]), repr=repr_without_query)
    """The whole message, as a plain JSON object."""


@frozen(kw_only=True)
class ToolResponseMessage(ToolResult):
    """The result of a tool call that succeeded."""

    type: Literal["tool_response"] = "tool_response"
    tool_call_id: str = ""
    """Id of the tool call that this result belongs to."""
    content: str = ""
    """Result of the tool, for the language model."""
    tool_name: str | None = None
    """Name of the tool."""
    tool_type: ToolType | str | None = None
    """Whether Hume or your own code ran the tool."""


@frozen(kw_only=True)
class ToolErrorMessage(ToolResult):
    """The result of a tool call that failed."""

    type: Literal["tool_error"] = "tool_error"
    tool_call_id: str = ""
    """Id of the tool call that failed."""
    error: str = ""
    """Description of the failure, for developers."""
    code: str | None = None
    """Short code of the failure."""
    content: str | None = None
    """Description of the failure, for the language model."""
    level: ToolErrorLevel | str | None = None
    """How severe the failure is."""
    tool_type: ToolType | str | None = None
    """Whether Hume or your own code ran the tool."""


@frozen(kw_only=True)
class ToolCallMessage(ServerEvent):
    """A request to run a tool."""

    type: Literal["tool_call"] = "tool_call"
    tool_call_id: str = ""
    """Id of the call, which its result must repeat."""
    name: str = ""
    """Name of the tool."""
    parameters: str | None = None
    """Arguments of the call, as JSON text; `parsed_parameters` reads them."""
    response_required: bool | None = None
    """If true, the chat waits until your code sends a result."""
    tool_type: ToolType | str | None = None
    """Whether Hume or your own code runs the tool."""

    @property
    def parsed_parameters(self) -> Any:
        """Arguments of the call: an object, if the language model kept to the schema.

        Raises:
            DecodeError: The text is not JSON.
        """
        return read_json(self.parameters, "$.parameters")


@frozen(kw_only=True)
class ChatMetadata(ServerEvent):
    """The first message of a chat, with its ids."""

    type: Literal["chat_metadata"] = "chat_metadata"
    chat_group_id: str | None = None
    """UUID of the chat group; pass it as `resumed_chat_group_id` to resume the chat."""
    chat_id: str | None = None
    """UUID of the chat."""
    request_id: str | None = None
    """Id of the request, for Hume's support."""


@frozen(kw_only=True)
class ChatMessage:
    """The content of a message and who wrote or spoke it."""

    role: MessageRole | str | None = None
    """Who wrote or spoke the message."""
    content: str | None = None
    """Text of the message."""
    tool_call: ToolCallMessage | None = None
    """Tool call that the message contains."""
    tool_result: ToolResult | None = None
    """Tool result that the message contains."""


@frozen(kw_only=True)
class UserMessage(ServerEvent):
    """A message of the user: transcribed speech, or text."""

    type: Literal["user_message"] = "user_message"
    message: ChatMessage = ChatMessage()
    """Text of the message, and its role."""
    models: Inference = Inference()
    """Expressions that the models found in the message."""
    time: MillisecondInterval = MillisecondInterval()
    """Place of the message in the user's audio."""
    from_text: bool | None = None
    """True if the user sent the message as text."""
    interim: bool | None = None
    """True if a better transcript will follow; only with `verbose_transcription`."""
    language: str | None = None
    """Language that the user spoke."""


@frozen(kw_only=True)
class AssistantMessage(ServerEvent):
    """A message of the assistant, as text."""

    type: Literal["assistant_message"] = "assistant_message"
    message: ChatMessage = ChatMessage()
    """Text of the message, and its role."""
    models: Inference = Inference()
    """Expressions that the models found in the message."""
    from_text: bool | None = None
    """True if your code sent the text for the assistant to speak."""
    is_quick_response: bool | None = None
    """True if it is a quick reply of Hume's own language model."""
    id: str | None = None
    """Id of the message; its audio and prosody have the same id."""
    language: str | None = None
    """Language of the message."""


@frozen(kw_only=True)
class AssistantProsody(ServerEvent):
    """Expressions in the tone of the assistant's speech; sent after the message."""

    type: Literal["assistant_prosody"] = "assistant_prosody"
    models: Inference = Inference()
    """Expressions in the tone of the speech."""
    id: str | None = None
    """Id of the message that was spoken."""


@frozen(kw_only=True)
class AudioOutput(ServerEvent):
    """A piece of the assistant's speech, as audio."""

    type: Literal["audio_output"] = "audio_output"
    id: str | None = None
    """Id of the message that is spoken."""
    index: int | None = None
    """Number of this piece of the message; the first is 0."""
    data: str = field(default="", repr=False)
    """A whole WAV file at 48 kHz, in Base64; `audio` decodes it."""

    @property
    def audio(self) -> bytes:
        """The audio as a whole WAV file at 48 kHz.

        Raises:
            DecodeError: The text is not Base64.
        """
        try:
            return base64.b64decode(self.data, validate=True)
        except (binascii.Error, ValueError) as problem:
            reason = str(problem)
        raise DecodeError(f"the text at $.data is not Base64: {reason}", path="$.data")


@frozen(kw_only=True)
class AssistantEnd(ServerEvent):
    """The end of the assistant's turn."""

    type: Literal["assistant_end"] = "assistant_end"


@frozen(kw_only=True)
class UserInterruption(ServerEvent):
    """The user interrupted the assistant: playback should stop."""

    type: Literal["user_interruption"] = "user_interruption"
    time: int | None = None
    """Time of the interruption, in milliseconds since 1970."""


@frozen(kw_only=True)
class WebSocketError(ServerEvent):
    """An error of the chat; the socket may stay open."""

    type: Literal["error"] = "error"
    code: str = ""
    """Code of the error, such as `E0714`."""
    slug: str = ""
    """Short name of the error, such as `inactivity_timeout`."""
    message: str = ""
    """Description of the error."""
    request_id: str | None = None
    """Id of the request, for Hume's support."""


AnyServerEvent: TypeAlias = (
    ChatMetadata
    | UserMessage
    | AssistantMessage
    | AssistantProsody
    | AudioOutput
    | AssistantEnd
    | UserInterruption
    | ToolCallMessage
    | ToolResponseMessage
    | ToolErrorMessage
    | SessionSettings
    | WebSocketError
    | UnknownEvent
)
"""What a chat gives out: one of these, distinguished by their class or by their `type`."""

CLIENT_EVENTS = Tagged.of(
    ClientEvent,
    "type",
    (
        AudioInput, SessionSettings, UserInput, AssistantInput, ToolResponseMessage,
        ToolErrorMessage, PauseAssistantMessage, ResumeAssistantMessage,
    ),
    UnknownEvent,
)  # fmt: skip
"""All messages from your code to Hume, by type."""

SERVER_EVENTS = Tagged.of(ServerEvent, "type", get_args(AnyServerEvent), UnknownEvent)
"""All messages from Hume to your code, by type."""

TOOL_RESULTS = Tagged.of(
    ToolResult, "type", (ToolResponseMessage, ToolErrorMessage), UnknownToolResult
)
"""All tool results inside other messages, by type."""
