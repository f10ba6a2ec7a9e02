"""EVI configs: everything that one may hold, in requests and in responses.

A part that looks the same both ways is one class, so what was read can be sent again: a new
version of a config inherits nothing of what is left out. Parts of requests may be plain dicts
of the same keys. Nothing here does I/O.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import Factory, field

from humeai_async._base.frozen import frozen
from humeai_async._base.urls import repr_host_only
from humeai_async.types.evi import (
    BuiltinToolConfig,
    BuiltinToolName,
    ConfigToolType,
    EmbeddedPrompt,
    EmbeddedTool,
    Prompt,
    PromptExpansion,
    Tool,
    Versioned,
)
from humeai_async.types.paging import Items, NumberedPage
from humeai_async.types.unknown_fields import Open


class EviVersion(enum.StrEnum):
    """Generations of EVI that a new config can ask for."""

    EVI_3 = "3"
    EVI_4_MINI = "4-mini"


class VoiceProvider(enum.StrEnum):
    """Whether a voice is from Hume's library or the account's own."""

    HUME_AI = "HUME_AI"
    CUSTOM_VOICE = "CUSTOM_VOICE"


class WebhookEventType(enum.StrEnum):
    """Events that Hume can post to a webhook."""

    CHAT_STARTED = "chat_started"
    CHAT_ENDED = "chat_ended"
    TOOL_CALL = "tool_call"


class ModelProvider(enum.StrEnum):
    """Companies that can run the supplemental language model."""

    GROQ = "GROQ"
    OPEN_AI = "OPEN_AI"
    FIREWORKS = "FIREWORKS"
    ANTHROPIC = "ANTHROPIC"
    CUSTOM_LANGUAGE_MODEL = "CUSTOM_LANGUAGE_MODEL"
    GOOGLE = "GOOGLE"
    HUME_AI = "HUME_AI"
    AMAZON_BEDROCK = "AMAZON_BEDROCK"
    PERPLEXITY = "PERPLEXITY"
    SAMBANOVA = "SAMBANOVA"
    CEREBRAS = "CEREBRAS"
    X_AI = "X_AI"


@frozen(kw_only=True)
class ConfigPrompt:
    """The prompt of a new config: an existing one by id, or the text of a new one."""

    id: str | None = None
    """UUID of an existing prompt."""
    version: int | None = None
    """Version of the existing prompt; the newest if left out."""
    text: str | None = None
    """Text of a new prompt, instead of an id."""
    prompt_expansion: PromptExpansion | Mapping[str, Any] | None = None
    """Whether Hume adds instructions of its own to the prompt."""


@frozen(kw_only=True)
class VoiceRef:
    """The voice of a new config, by id or by name."""

    id: str | None = None
    """UUID of the voice."""
    name: str | None = None
    """Name of the voice, instead of an id."""
    provider: VoiceProvider | str | None = None
    """Where the voice is kept; `CUSTOM_VOICE` if left out."""


@frozen(kw_only=True)
class Voice(Open):
    """The voice that a config speaks with."""

    id: str | None = None
    """UUID of the voice; configs of before December 2025 have none."""
    name: str | None = None
    """Name of the voice."""
    provider: VoiceProvider | str | None = None
    """Whether the voice is from Hume's library or the account's own."""
    compatible_octave_models: list[str] | None = None
    """Generations of Hume's speech model that can speak with the voice, such as `"2"`."""


@frozen(kw_only=True)
class LanguageModel(Open):
    """The supplemental language model that writes EVI's longer replies."""

    model_provider: ModelProvider | str | None = None
    """Company that runs the language model."""
    model_resource: str | None = None
    """Name of the language model, or the URL of your own; any text is accepted."""
    temperature: float | None = None
    """Randomness of the replies, 0 to 1."""


@frozen(kw_only=True)
class EllmModel(Open):
    """Hume's own language model, which gives quick short replies."""

    allow_short_responses: bool | None = None
    """If true, EVI may start with a quick short reply."""


@frozen(kw_only=True)
class ToolRef:
    """A tool of a new config, by id."""

    id: str
    """UUID of the tool."""
    version: int | None = None
    """Version of the tool; the newest if left out."""


@frozen(kw_only=True)
class BuiltinTool(Open):
    """A tool of a config that Hume runs itself."""

    tool_type: ConfigToolType | str | None = None
    """Type of the tool, always `BUILTIN`."""
    name: BuiltinToolName | str | None = None
    """Name of the built-in tool, such as `web_search`."""
    fallback_content: str | None = None
    """Text for the language model if the tool fails."""


@frozen(kw_only=True)
class EventMessage(Open):
    """A message that EVI speaks by itself when something happens."""

    enabled: bool | None = None
    """If true, EVI speaks this message."""
    text: str | None = None
    """Text of the message; EVI makes one up if left out."""


@frozen(kw_only=True)
class EventMessages(Open):
    """Messages that EVI speaks by itself at certain moments of a chat."""

    on_new_chat: EventMessage | None = None
    """Message at the start of a chat."""
    on_inactivity_timeout: EventMessage | None = None
    """Message before the chat ends because the user was silent for too long."""
    on_max_duration_timeout: EventMessage | None = None
    """Message before the chat ends because it reached its maximum duration."""


@frozen(kw_only=True)
class Timeout(Open):
    """A time limit after which EVI ends a chat."""

    enabled: bool | None = None
    """If true, EVI ends the chat at this limit."""
    duration_secs: int | None = None
    """Length of the limit in seconds, 30 to 1800."""


@frozen(kw_only=True)
class Timeouts(Open):
    """Time limits after which EVI ends a chat by itself."""

    inactivity: Timeout | None = None
    """Limit on the user's silence; 600 s if left out."""
    max_duration: Timeout | None = None
    """Limit on the whole chat; 1800 s if left out."""


@frozen(kw_only=True)
class Nudges(Open):
    """Whether and when EVI speaks up if the user is silent."""

    enabled: bool | None = None
    """If true, EVI speaks up after the interval."""
    interval_secs: int | None = None
    """Seconds of silence before EVI speaks up."""


@frozen(kw_only=True)
class Interruption(Open):
    """How long the user must speak to interrupt EVI."""

    min_interruption_ms: int | None = None
    """Milliseconds of speech that count as an interruption, 50 to 2000; 800 if left out."""


@frozen(kw_only=True)
class TurnDetection(Open):
    """How EVI detects the beginning and the end of the user's turn."""

    end_of_turn_silence_ms: int | None = None
    """Milliseconds of silence that end a turn, 500 to 3000; 800 if left out."""
    prefix_padding_ms: int | None = None
    """Milliseconds of audio kept from before a turn, 0 to 1000; 300 if left out."""
    speech_detection_threshold: float | None = None
    """Certainty from which sound counts as speech, 0 to 1; 0.5 if left out."""


@frozen(kw_only=True)
class Webhook(Open):
    """A URL to which Hume posts events of chats."""

    url: str | None = field(default=None, repr=repr_host_only)
    """The https URL that Hume posts to."""
    events: Sequence[WebhookEventType | str] = ()
    """Events that Hume posts to the URL."""


@frozen(kw_only=True)
class ConfigRequest:
    """A request for a new config, or for a new version of one.

    A new version inherits nothing of what is left out, but for quick replies.
    """

    evi_version: EviVersion | str
    """Generation of EVI that runs the chats."""
    name: str | None = None
    """Name of the new config, unique in the account; left out for a new version."""
    version_description: str | None = None
    """Note about this version, for people."""
    prompt: ConfigPrompt | EmbeddedPrompt | Prompt | Mapping[str, Any] | None = None
    """Instructions for EVI: an existing prompt or the text of a new one."""
    voice: VoiceRef | Voice | Mapping[str, Any] | None = None
    """Voice that EVI speaks with."""
    language_model: LanguageModel | Mapping[str, Any] | None = None
    """Supplemental language model that writes the longer replies."""
    ellm_model: EllmModel | Mapping[str, Any] | None = None
    """Settings of Hume's own language model, which gives quick replies."""
    tools: Sequence[ToolRef | EmbeddedTool | Tool | Mapping[str, Any] | None] | None = None
    """Tools that your own code runs."""
    builtin_tools: Sequence[BuiltinToolConfig | BuiltinTool | Mapping[str, Any] | None] | None = (
        None
    )
    """Tools that Hume runs itself."""
    event_messages: EventMessages | Mapping[str, Any] | None = None
    """Messages that EVI speaks by itself at certain moments."""
    timeouts: Timeouts | Mapping[str, Any] | None = None
    """Time limits after which EVI ends a chat."""
    nudges: Nudges | Mapping[str, Any] | None = None
    """Whether and when EVI speaks up if the user is silent."""
    interruption: Interruption | Mapping[str, Any] | None = None
    """How long the user must speak to interrupt EVI."""
    turn_detection: TurnDetection | Mapping[str, Any] | None = None
    """How EVI detects the beginning and the end of the user's turn."""
    webhooks: Sequence[Webhook | Mapping[str, Any] | None] | None = field(
        default=None, repr=repr_host_only
    )
    """URLs to which Hume posts events of chats."""


@frozen(kw_only=True, slots=False)
class Config(Versioned):
    """One version of an EVI config."""

    id: str
    """UUID of the config, the same for all its versions."""
    version: int
    """Number of the version; the first is 0."""
    evi_version: EviVersion | str | None = None
    """Generation of EVI that runs the chats; `"1"` and `"2"` on old configs."""
    prompt: EmbeddedPrompt | None = None
    """System prompt that instructs EVI."""
    voice: Voice | None = None
    """Voice that EVI speaks with."""
    language_model: LanguageModel | None = None
    """Supplemental language model that writes the longer replies."""
    ellm_model: EllmModel | None = None
    """Settings of Hume's own language model, which gives quick replies."""
    tools: list[EmbeddedTool | None] | None = None
    """Tools that your own code runs; the reference allows nulls among them."""
    builtin_tools: list[BuiltinTool | None] | None = None
    """Tools that Hume runs itself; the reference allows nulls among them."""
    event_messages: EventMessages | None = None
    """Messages that EVI speaks by itself at certain moments."""
    timeouts: Timeouts | None = None
    """Time limits after which EVI ends a chat."""
    nudges: Nudges | None = None
    """Whether and when EVI speaks up if the user is silent."""
    interruption: Interruption | None = None
    """How long the user must speak to interrupt EVI."""
    turn_detection: TurnDetection | None = None
    """How EVI detects the beginning and the end of the user's turn."""
    webhooks: list[Webhook | None] | None = field(default=None, repr=repr_host_only)
    """URLs to which Hume posts events of chats; the reference allows nulls among them."""


@frozen(kw_only=True)
class ConfigPage(NumberedPage):
    """One page of configs, or of versions of one config."""

    configs_page: Items[Config] = Factory(Items[Config])
    """The configs on this page."""
