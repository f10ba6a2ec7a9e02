"""EVI configs: everything that one may hold, as asked for and as answered.

A part that looks the same both ways is one class, so what was read can be sent again: a new
version of a config inherits nothing of what is left out. Parts of requests may be plain dicts
of the same keys. Nothing here does I/O.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field

from humeai_async._base.frozen import frozen
from humeai_async.types.evi import (
    BuiltinToolConfig,
    BuiltinToolName,
    ConfigToolType,
    Prompt,
    PromptExpansion,
    Tool,
)
from humeai_async.types.paging import NumberedPage
from humeai_async.types.urls import repr_host_only


class EviVersion(enum.StrEnum):
    """Generations of EVI that new configs may ask for."""

    EVI_3 = "3"
    EVI_4_MINI = "4-mini"


class VoiceProvider(enum.StrEnum):
    """Whose voice it is."""

    HUME_AI = "HUME_AI"
    CUSTOM_VOICE = "CUSTOM_VOICE"


class WebhookEventType(enum.StrEnum):
    """What a webhook may be told."""

    CHAT_STARTED = "chat_started"
    CHAT_ENDED = "chat_ended"
    TOOL_CALL = "tool_call"


class ModelProvider(enum.StrEnum):
    """Who runs the supplemental language model."""

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
    """The prompt of a new config: one that exists, or the text of a new one."""

    id: str | None = None
    """UUID of a prompt that exists."""
    version: int | None = None
    """Its version; the newest if left out."""
    text: str | None = None
    """Text of a new prompt, in place of an id."""
    prompt_expansion: PromptExpansion | Mapping[str, Any] | None = None
    """Whether Hume adds instructions of its own."""


@frozen(kw_only=True)
class VoiceRef:
    """The voice of a new config, by id or by name."""

    id: str | None = None
    """Voice UUID."""
    name: str | None = None
    """Name of the voice, in place of an id."""
    provider: VoiceProvider | str | None = None
    """Whose voice it is; `CUSTOM_VOICE` if left out."""


@frozen(kw_only=True)
class Voice:
    """The voice of a config."""

    id: str
    """Voice UUID."""
    name: str
    """Name of the voice."""
    provider: VoiceProvider | str
    """Whether it is of Hume's library or of the account's own."""
    compatible_octave_models: list[str] | None = None
    """Generations of Hume's speech model that can speak with it, as text."""


@frozen(kw_only=True)
class LanguageModel:
    """The supplemental language model."""

    model_provider: ModelProvider | str | None = None
    """Who runs it."""
    model_resource: str | None = None
    """Name of the model, or the URL of one's own; names come and go, so any text is taken."""
    temperature: float | None = None
    """Freedom of its answers, 0 to 1."""


@frozen(kw_only=True)
class EllmModel:
    """Hume's own language model, which gives quick short replies."""

    allow_short_responses: bool | None = None
    """Whether it may."""


@frozen(kw_only=True)
class ToolRef:
    """A tool of a new config, by id."""

    id: str
    """Tool UUID."""
    version: int | None = None
    """Its version; the newest if left out."""


@frozen(kw_only=True)
class BuiltinTool:
    """A tool of a config that Hume runs itself."""

    tool_type: ConfigToolType | str
    """`BUILTIN`."""
    name: BuiltinToolName | str
    """Which tool."""
    fallback_content: str | None = None
    """Text for the language model if the tool fails."""


@frozen(kw_only=True)
class EventMessage:
    """Something EVI says by itself on an event."""

    enabled: bool
    """Whether it does."""
    text: str | None = None
    """What it says; made up on the spot if left out."""


@frozen(kw_only=True)
class EventMessages:
    """What EVI says by itself."""

    on_new_chat: EventMessage | None = None
    """At the start."""
    on_inactivity_timeout: EventMessage | None = None
    """When a silent user ends the chat."""
    on_max_duration_timeout: EventMessage | None = None
    """When the chat has become too long."""


@frozen(kw_only=True)
class Timeout:
    """A time after which EVI ends a chat."""

    enabled: bool
    """Whether it does."""
    duration_secs: int | None = None
    """Seconds, 30 to 1800."""


@frozen(kw_only=True)
class Timeouts:
    """When EVI ends a chat by itself."""

    inactivity: Timeout | None = None
    """After this long without a word of the user; 600 s if left out."""
    max_duration: Timeout | None = None
    """After this long in all; 1800 s if left out."""


@frozen(kw_only=True)
class Nudges:
    """Whether EVI speaks up when the user is silent."""

    enabled: bool | None = None
    """Whether it does."""
    interval_secs: int | None = None
    """Seconds of silence before it does."""


@frozen(kw_only=True)
class Interruption:
    """When the user may cut in."""

    min_interruption_ms: int | None = None
    """Milliseconds of speech that count as cutting in, 50 to 2000; 800 if left out."""


@frozen(kw_only=True)
class TurnDetection:
    """When the user's turn begins and ends."""

    end_of_turn_silence_ms: int | None = None
    """Milliseconds of silence that end a turn, 500 to 3000; 800 if left out."""
    prefix_padding_ms: int | None = None
    """Milliseconds of sound kept from before a turn, 0 to 1000; 300 if left out."""
    speech_detection_threshold: float | None = None
    """How sure the service must be that somebody speaks, 0 to 1; 0.5 if left out."""


@frozen(kw_only=True)
class Webhook:
    """A URL that Hume tells of events."""

    url: str = field(repr=repr_host_only)
    """An https URL."""
    events: Sequence[WebhookEventType | str]
    """Events it is told of."""


@frozen(kw_only=True)
class ConfigRequest:
    """Asks for a config, or for a new version of one.

    A new version inherits nothing of what is left out, but for quick replies.
    """

    evi_version: EviVersion | str
    """Generation of EVI."""
    name: str | None = None
    """Name of the new config, unique in the account; left out for a new version."""
    version_description: str | None = None
    """Note on this version."""
    prompt: ConfigPrompt | Mapping[str, Any] | None = None
    """What EVI is to do."""
    voice: VoiceRef | Mapping[str, Any] | None = None
    """How it sounds."""
    language_model: LanguageModel | Mapping[str, Any] | None = None
    """Supplemental language model."""
    ellm_model: EllmModel | Mapping[str, Any] | None = None
    """Quick replies."""
    tools: Sequence[ToolRef | Mapping[str, Any]] | None = None
    """Tools that the caller runs."""
    builtin_tools: Sequence[BuiltinToolConfig | Mapping[str, Any]] | None = None
    """Tools that Hume runs."""
    event_messages: EventMessages | Mapping[str, Any] | None = None
    """What EVI says by itself."""
    timeouts: Timeouts | Mapping[str, Any] | None = None
    """When EVI ends a chat by itself."""
    nudges: Nudges | Mapping[str, Any] | None = None
    """Whether EVI speaks up when the user is silent."""
    interruption: Interruption | Mapping[str, Any] | None = None
    """When the user may cut in."""
    turn_detection: TurnDetection | Mapping[str, Any] | None = None
    """When the user's turn begins and ends."""
    webhooks: Sequence[Webhook | Mapping[str, Any]] | None = field(
        default=None, repr=repr_host_only
    )
    """URLs told of events."""


@frozen(kw_only=True)
class Config:
    """One version of a config; the reference promises none of its fields."""

    id: str | None = None
    """Config UUID, the same for all versions."""
    version: int | None = None
    """Number of the version; the first is 0."""
    version_description: str | None = None
    """Note on this version."""
    name: str | None = None
    """Name of the config."""
    evi_version: EviVersion | str | None = None
    """Generation of EVI; `"1"` and `"2"` on old configs."""
    created_on: int | None = None
    """Milliseconds since 1970."""
    modified_on: int | None = None
    """Milliseconds since 1970."""
    prompt: Prompt | None = None
    """What EVI is to do."""
    voice: Voice | None = None
    """How it sounds."""
    language_model: LanguageModel | None = None
    """Supplemental language model."""
    ellm_model: EllmModel | None = None
    """Quick replies."""
    tools: list[Tool | None] | None = None
    """Tools that the caller runs; the reference allows nulls among them."""
    builtin_tools: list[BuiltinTool | None] | None = None
    """Tools that Hume runs; the reference allows nulls among them."""
    event_messages: EventMessages | None = None
    """What EVI says by itself."""
    timeouts: Timeouts | None = None
    """When EVI ends a chat by itself."""
    nudges: Nudges | None = None
    """Whether EVI speaks up when the user is silent."""
    interruption: Interruption | None = None
    """When the user may cut in."""
    turn_detection: TurnDetection | None = None
    """When the user's turn begins and ends."""
    webhooks: list[Webhook | None] | None = field(default=None, repr=repr_host_only)
    """URLs told of events; the reference allows nulls among them."""


@frozen(kw_only=True)
class ConfigPage(NumberedPage):
    """One page of configs, or of versions of one."""

    configs_page: list[Config] | None = None
    """The configs; the reference promises nothing of a page but `total_pages`."""
