"""The messages of the EVI chat socket, both ways.

Each message is a class, told apart by `type`; messages that go both ways are subclasses of
both `ClientEvent` and `ServerEvent`. A type that nobody knew when this was written becomes an
`UnknownEvent` with everything it held. Nothing here does I/O: the socket is in the chat
resource, the history of past chats in `evi.py`.
"""

from __future__ import annotations

import base64
import binascii
import enum
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import Factory, field

from humeai_async._base.frozen import frozen
from humeai_async._base.unset import UNSET, Unset
from humeai_async.errors import DecodeError
from humeai_async.types.chat_settings import (
    AudioConfiguration,
    SessionContext,
    SessionTool,
    ToolType,
)
from humeai_async.types.evi import BuiltinToolConfig
from humeai_async.types.json_text import read_json
from humeai_async.types.tagged import Tagged
from humeai_async.types.urls import repr_without_query


class MessageRole(enum.StrEnum):
    """Who says something."""

    ASSISTANT = "assistant"
    SYSTEM = "system"
    USER = "user"
    ALL = "all"
    TOOL = "tool"
    CONTEXT = "context"


class ToolErrorLevel(enum.StrEnum):
    """How bad the failure of a tool is."""

    WARN = "warn"


@frozen(kw_only=True)
class Event:
    """What all messages of the socket share."""

    type: str
    """Tells the messages apart."""
    custom_session_id: str | None = None
    """An id of the caller's own, given in the session settings."""


@frozen(kw_only=True)
class ClientEvent(Event):
    """A message to Hume."""


@frozen(kw_only=True)
class ServerEvent(Event):
    """A message from Hume."""


@frozen(kw_only=True)
class UnknownEvent(ClientEvent, ServerEvent):
    """A message of a type that this version of the library does not know."""

    type: str = ""
    """Its type; empty if it has none."""
    data: Mapping[str, Any] = field(default=Factory(dict[str, Any]), repr=repr_without_query)
    """Everything it held."""


@frozen(kw_only=True)
class SessionSettings(ClientEvent, ServerEvent):
    """Changes the running session; Hume repeats it to the client."""

    type: str = "session_settings"
    system_prompt: str | None = None
    """Prompt in place of the config's."""
    audio: AudioConfiguration | Mapping[str, Any] | None = None
    """Format of raw audio; must go out before such audio does."""
    context: SessionContext | Unset | None = UNSET
    """Text to add to what the user says; `None` takes an earlier one away."""
    variables: Mapping[str, str | float | bool] | None = None
    """Values for the places of the prompt that ask for them."""
    tools: Sequence[SessionTool | Mapping[str, Any]] | None = None
    """Tools that the caller runs, in place of the config's."""
    builtin_tools: Sequence[BuiltinToolConfig | Mapping[str, Any]] | None = None
    """Tools that Hume runs, in place of the config's."""
    language_model_api_key: str | None = field(default=None, repr=False)
    """Key for the supplemental language model."""
    metadata: Mapping[str, Any] | None = None
    """Free details, kept with the chat."""
    voice_id: str | None = None
    """Voice in place of the present one."""


@frozen(kw_only=True)
class AudioInput(ClientEvent):
    """What the user says, as sound, piece by piece at speaking pace."""

    type: str = "audio_input"
    data: str = field(repr=False)
    """Sound in Base64: a container format, or raw audio once its format was told."""

    @classmethod
    def from_bytes(cls, audio: bytes, *, custom_session_id: str | None = None) -> AudioInput:
        """Make the message from sound; about 20 ms of it are a good piece."""
        text = base64.b64encode(audio).decode("ascii")
        return cls(data=text, custom_session_id=custom_session_id)


@frozen(kw_only=True)
class UserInput(ClientEvent):
    """What the user says, as text."""

    type: str = "user_input"
    text: str
    """The text."""


@frozen(kw_only=True)
class AssistantInput(ClientEvent):
    """Something for the assistant to say word for word."""

    type: str = "assistant_input"
    text: str
    """The text."""


@frozen(kw_only=True)
class PauseAssistantMessage(ClientEvent):
    """Keeps the assistant from answering until it is resumed."""

    type: str = "pause_assistant_message"


@frozen(kw_only=True)
class ResumeAssistantMessage(ClientEvent):
    """Lets the assistant answer again."""

    type: str = "resume_assistant_message"


@frozen(kw_only=True)
class ToolResult(ClientEvent, ServerEvent):
    """What became of a call of a tool; Hume sends it for its own tools."""


@frozen(kw_only=True)
class UnknownToolResult(ToolResult):
    """A result of a type that this version of the library does not know."""

    type: str = ""
    """Its type; empty if it has none."""
    data: Mapping[str, Any] = field(default=Factory(dict[str, Any]), repr=repr_without_query)
    """Everything it held."""


@frozen(kw_only=True)
class ToolResponseMessage(ToolResult):
    """A tool gave a result."""

    type: str = "tool_response"
    tool_call_id: str
    """Call that it answers."""
    content: str
    """The result, for the language model."""
    tool_name: str | None = None
    """Name of the tool."""
    tool_type: ToolType | str | None = None
    """Who ran it."""


@frozen(kw_only=True)
class ToolErrorMessage(ToolResult):
    """A tool failed."""

    type: str = "tool_error"
    tool_call_id: str
    """Call that it answers."""
    error: str
    """What went wrong, for developers."""
    code: str | None = None
    """Code of the error."""
    content: str | None = None
    """What went wrong, for the language model."""
    level: ToolErrorLevel | str | None = None
    """How bad it is."""
    tool_type: ToolType | str | None = None
    """Who ran it."""


@frozen(kw_only=True)
class ToolCallMessage(ServerEvent):
    """Asks for a tool to be run."""

    type: str = "tool_call"
    tool_call_id: str
    """Id that the answer must name."""
    name: str
    """Name of the tool."""
    parameters: str
    """Its arguments, JSON as text; `parsed_parameters` reads them."""
    response_required: bool
    """Whether the caller must answer."""
    tool_type: ToolType | str
    """Who runs it."""

    @property
    def parsed_parameters(self) -> Any:
        """The arguments, read: an object if the language model kept to the schema.

        Raises:
            DecodeError: The text is not JSON.
        """
        return read_json(self.parameters, "$.parameters")


@frozen(kw_only=True)
class ChatMetadata(ServerEvent):
    """The first message of a chat."""

    type: str = "chat_metadata"
    chat_group_id: str
    """Conversation; connect with it as `resumed_chat_group_id` to go on with it."""
    chat_id: str
    """Chat UUID."""
    request_id: str | None = None
    """Id to quote to Hume's support."""


@frozen(kw_only=True)
class ChatMessage:
    """Who says what."""

    role: MessageRole | str
    """Who."""
    content: str | None = None
    """What."""
    tool_call: ToolCallMessage | None = None
    """Tool that is asked for."""
    tool_result: ToolResult | None = None
    """What became of a tool."""


@frozen(kw_only=True)
class ProsodyInference:
    """What the tone of speech expresses."""

    scores: dict[str, float]
    """Score of each of the 48 expressions by name."""


@frozen(kw_only=True)
class Inference:
    """What a message expresses."""

    prosody: ProsodyInference | None = None
    """By the tone of speech; `None` for text."""


@frozen(kw_only=True)
class MillisecondInterval:
    """A span of the user's audio."""

    begin: int
    """Milliseconds from its start."""
    end: int
    """Milliseconds from its start."""


@frozen(kw_only=True)
class UserMessage(ServerEvent):
    """What the user said, written down."""

    type: str = "user_message"
    message: ChatMessage
    """The text."""
    models: Inference
    """What it expresses."""
    time: MillisecondInterval
    """Where it stands in the user's audio."""
    from_text: bool
    """Whether it came as text."""
    interim: bool
    """Whether a better version will come; only with `verbose_transcription`."""
    language: str | None = None
    """Language that was spoken."""


@frozen(kw_only=True)
class AssistantMessage(ServerEvent):
    """What the assistant says, as text."""

    type: str = "assistant_message"
    message: ChatMessage
    """The text."""
    models: Inference
    """What it expresses."""
    from_text: bool
    """Whether the caller gave it as text."""
    is_quick_response: bool
    """Whether it is a quick reply of Hume's own model."""
    id: str | None = None
    """Message id; its audio and prosody have the same."""
    language: str | None = None
    """Language of the text."""


@frozen(kw_only=True)
class AssistantProsody(ServerEvent):
    """What the tone of the assistant's speech expresses; comes after its message."""

    type: str = "assistant_prosody"
    models: Inference
    """What it expresses."""
    id: str | None = None
    """Message that it is about."""


@frozen(kw_only=True)
class AudioOutput(ServerEvent):
    """What the assistant says, as sound."""

    type: str = "audio_output"
    id: str
    """Message that is spoken."""
    index: int
    """Number of this piece; the first is 0."""
    data: str = field(repr=False)
    """A whole WAV file at 48 kHz, in Base64; `audio` is the file."""

    @property
    def audio(self) -> bytes:
        """The sound: a whole WAV file at 48 kHz.

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
    """The assistant has finished its turn."""

    type: str = "assistant_end"


@frozen(kw_only=True)
class UserInterruption(ServerEvent):
    """The user cut in: playback should stop."""

    type: str = "user_interruption"
    time: int
    """When it was noticed, in milliseconds since 1970."""


@frozen(kw_only=True)
class WebSocketError(ServerEvent):
    """An error of the chat; the socket may stay open."""

    type: str = "error"
    code: str
    """Code such as `E0714`."""
    slug: str
    """Short name such as `inactivity_timeout`."""
    message: str
    """What went wrong."""
    request_id: str | None = None
    """Id to quote to Hume's support."""


CLIENT_EVENTS = Tagged(
    base=ClientEvent,
    tag="type",
    members={
        "audio_input": AudioInput,
        "session_settings": SessionSettings,
        "user_input": UserInput,
        "assistant_input": AssistantInput,
        "tool_response": ToolResponseMessage,
        "tool_error": ToolErrorMessage,
        "pause_assistant_message": PauseAssistantMessage,
        "resume_assistant_message": ResumeAssistantMessage,
    },
    fallback=UnknownEvent,
)
"""Messages to Hume."""

SERVER_EVENTS = Tagged(
    base=ServerEvent,
    tag="type",
    members={
        "chat_metadata": ChatMetadata,
        "user_message": UserMessage,
        "assistant_message": AssistantMessage,
        "assistant_prosody": AssistantProsody,
        "audio_output": AudioOutput,
        "assistant_end": AssistantEnd,
        "user_interruption": UserInterruption,
        "tool_call": ToolCallMessage,
        "tool_response": ToolResponseMessage,
        "tool_error": ToolErrorMessage,
        "session_settings": SessionSettings,
        "error": WebSocketError,
    },
    fallback=UnknownEvent,
)
"""Messages from Hume."""

TOOL_RESULTS = Tagged(
    base=ToolResult,
    tag="type",
    members={"tool_response": ToolResponseMessage, "tool_error": ToolErrorMessage},
    fallback=UnknownToolResult,
)
"""Results of tools inside other messages."""
