"""Deep dict arguments, for editors and type checkers.

Each `...Dict` has the keys of the attrs class of the same name, and stands for it wherever a
method takes one: `models={"face": {"fps_pred": 1}}`. A key that may be left out is one that has
a default there; the class explains what the keys mean. Nothing here is needed at run time:
`http/parts.py` refuses unknown keys by the classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Required, TypedDict

from humeai_async.types.batch import (
    Face,
    Granularity,
    Language,
    Ner,
    Prosody,
    ProsodyWindow,
    Unconfigurable,
)
from humeai_async.types.chat_settings import (
    AudioConfiguration,
    AudioEncoding,
    ContextType,
    SessionContext,
    SessionTool,
    ToolType,
)
from humeai_async.types.evi import BuiltinToolConfig, BuiltinToolName, PromptExpansion
from humeai_async.types.evi_configs import (
    EventMessage,
    ModelProvider,
    Timeout,
    VoiceProvider,
    WebhookEventType,
)
from humeai_async.types.registry import Attribute, DataType, FileInput
from humeai_async.types.training import Tag, TaskType, Validation


class UnconfigurableDict(TypedDict):
    """A model or an extra that takes no settings: `{}`."""


class FaceDict(TypedDict, total=False):
    """Settings of the face model, as `Face`."""

    fps_pred: float
    prob_threshold: float
    identify_faces: bool
    min_face_size: int
    facs: Unconfigurable | UnconfigurableDict
    descriptions: Unconfigurable | UnconfigurableDict
    save_faces: bool


class ProsodyWindowDict(TypedDict, total=False):
    """Sliding window of the prosody model, as `ProsodyWindow`."""

    length: float
    step: float


class ProsodyDict(TypedDict, total=False):
    """Settings of the speech prosody model, as `Prosody`."""

    granularity: Granularity | str
    window: ProsodyWindow | ProsodyWindowDict
    identify_speakers: bool


class LanguageDict(TypedDict, total=False):
    """Settings of the language model, as `Language`."""

    granularity: Granularity | str
    sentiment: Unconfigurable | UnconfigurableDict
    toxicity: Unconfigurable | UnconfigurableDict
    identify_speakers: bool


class NerDict(TypedDict, total=False):
    """Settings of the named-entity model, as `Ner`."""

    identify_speakers: bool


class ModelsDict(TypedDict, total=False):
    """Models that a job runs, as `Models`."""

    face: Face | FaceDict
    burst: Unconfigurable | UnconfigurableDict
    prosody: Prosody | ProsodyDict
    language: Language | LanguageDict
    ner: Ner | NerDict
    facemesh: Unconfigurable | UnconfigurableDict


class TranscriptionDict(TypedDict, total=False):
    """Settings of the transcription, as `Transcription`."""

    language: str
    identify_speakers: bool
    confidence_threshold: float


class PromptExpansionDict(TypedDict, total=False):
    """Whether Hume adds instructions of its own, as `PromptExpansion`."""

    enabled: bool


class ConfigPromptDict(TypedDict, total=False):
    """The prompt of a new config, as `ConfigPrompt`."""

    id: str
    version: int
    text: str
    prompt_expansion: PromptExpansion | PromptExpansionDict


class VoiceRefDict(TypedDict, total=False):
    """The voice of a new config, as `VoiceRef`."""

    id: str
    name: str
    provider: VoiceProvider | str


class LanguageModelDict(TypedDict, total=False):
    """The supplemental language model, as `LanguageModel`."""

    model_provider: ModelProvider | str
    model_resource: str
    temperature: float


class EllmModelDict(TypedDict, total=False):
    """Hume's own language model, as `EllmModel`."""

    allow_short_responses: bool


class ToolRefDict(TypedDict, total=False):
    """A tool of a new config, as `ToolRef`."""

    id: Required[str]
    version: int


class BuiltinToolConfigDict(TypedDict, total=False):
    """A tool that Hume runs itself, as `BuiltinToolConfig`."""

    name: Required[BuiltinToolName | str]
    fallback_content: str


class EventMessageDict(TypedDict, total=False):
    """A message that EVI speaks by itself, as `EventMessage`."""

    enabled: bool
    text: str


class EventMessagesDict(TypedDict, total=False):
    """Messages that EVI speaks by itself, as `EventMessages`."""

    on_new_chat: EventMessage | EventMessageDict
    on_inactivity_timeout: EventMessage | EventMessageDict
    on_max_duration_timeout: EventMessage | EventMessageDict


class TimeoutDict(TypedDict, total=False):
    """A time limit of a chat, as `evi_configs.Timeout`."""

    enabled: bool
    duration_secs: int


class TimeoutsDict(TypedDict, total=False):
    """Time limits of a chat, as `Timeouts`."""

    inactivity: Timeout | TimeoutDict
    max_duration: Timeout | TimeoutDict


class NudgesDict(TypedDict, total=False):
    """Whether EVI speaks up if the user is silent, as `Nudges`."""

    enabled: bool
    interval_secs: int


class InterruptionDict(TypedDict, total=False):
    """How long the user must speak to interrupt EVI, as `Interruption`."""

    min_interruption_ms: int


class TurnDetectionDict(TypedDict, total=False):
    """How EVI detects the user's turn, as `TurnDetection`."""

    end_of_turn_silence_ms: int
    prefix_padding_ms: int
    speech_detection_threshold: float


class WebhookDict(TypedDict, total=False):
    """A URL to which Hume posts events, as `Webhook`."""

    url: str
    events: Sequence[WebhookEventType | str]


class AudioConfigurationDict(TypedDict, total=False):
    """Format of raw audio, as `AudioConfiguration`."""

    sample_rate: Required[int]
    channels: Required[int]
    encoding: Required[AudioEncoding | str]
    codec: str


class SessionContextDict(TypedDict, total=False):
    """A text that is added as context, as `SessionContext`."""

    text: Required[str]
    type: ContextType | str


class SessionToolDict(TypedDict, total=False):
    """A tool of one session, as `SessionTool`."""

    type: Required[ToolType | str]
    name: Required[str]
    parameters: Required[str]
    description: str
    fallback_content: str


class ConnectSettingsDict(TypedDict, total=False):
    """Session settings that are sent while connecting, as `ConnectSettings`."""

    audio: AudioConfiguration | AudioConfigurationDict
    context: SessionContext | SessionContextDict
    custom_session_id: str
    event_limit: int
    language_model_api_key: str
    system_prompt: str
    voice_id: str
    variables: Mapping[str, str | float | bool]


class SessionSettingsDict(TypedDict, total=False):
    """Changes of the running session, as `SessionSettings`."""

    type: str
    custom_session_id: str
    system_prompt: str
    audio: AudioConfiguration | AudioConfigurationDict
    context: SessionContext | SessionContextDict | None
    variables: Mapping[str, str | float | bool]
    tools: Sequence[SessionTool | SessionToolDict]
    builtin_tools: Sequence[BuiltinToolConfig | BuiltinToolConfigDict]
    language_model_api_key: str
    metadata: Mapping[str, Any]
    voice_id: str


class AttributeDict(TypedDict, total=False):
    """A key and a value attached to a file, as `Attribute`."""

    name: str
    value: str


class FileInputDict(TypedDict, total=False):
    """A file to register, as `FileInput`."""

    name: Required[str]
    hume_storage: Required[bool]
    data_type: Required[DataType | str]
    uri: str


class FileRequestDict(TypedDict, total=False):
    """A file to register with its attributes, as `FileRequest`."""

    file: Required[FileInput | FileInputDict]
    attributes: Sequence[Attribute | AttributeDict]


class TagDict(TypedDict, total=False):
    """A key and a value attached to a model, as `Tag`."""

    key: str
    value: str


class NewModelDict(TypedDict, total=False):
    """The model that a training job makes, as `NewModel`."""

    name: Required[str]
    description: str
    tags: Sequence[Tag | TagDict]


class ModelRefDict(TypedDict, total=False):
    """A custom model by id or version id, as `ModelRef`."""

    id: str
    version_id: str


class DatasetRefDict(TypedDict, total=False):
    """A dataset by id or version id, as `DatasetRef`."""

    id: str
    version_id: str


class TrainingTaskDict(TypedDict, total=False):
    """The task to train a model for, as `TrainingTask`."""

    type: TaskType | str


class ValidationDict(TypedDict, total=False):
    """How a trained model is validated, as `Validation`."""

    positive_label: int | float | str


class EvaluationDict(TypedDict, total=False):
    """How a trained model is evaluated, as `Evaluation`."""

    validation: Validation | ValidationDict
