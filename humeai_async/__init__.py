"""Asyncio client library for the Hume AI API, directly or through LowCodeAPI.

What most programs need is here, the main types of requests and responses included; all types
are in `humeai_async.types`, a stand-in server for tests in `humeai_async.testing`.
"""

import importlib
from typing import TYPE_CHECKING

from humeai_async._base.unset import UNSET
from humeai_async._base.version import __version__ as __version__
from humeai_async.client import HumeAI
from humeai_async.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    BudgetReachedError,
    ChatClosedError,
    ClientClosedError,
    ConfigurationError,
    ConflictError,
    DecodeError,
    GatewayUnsupportedError,
    HumeError,
    HumeSunsetWarning,
    HumeWarning,
    InvalidArgumentError,
    JobFailedError,
    JobTimeoutError,
    LedgerError,
    MissingPackageError,
    NotFoundError,
    PartialResultError,
    PermissionDeniedError,
    RateLimitError,
    RateLimitWaitError,
    ResponseTooLargeError,
    ResultLostError,
    SaveError,
    ServerError,
    SessionClosedError,
    SunsetError,
    TLSError,
    UnprocessableEntityError,
    WebhookError,
)
from humeai_async.limiter.limiter import Limiter
from humeai_async.settings import Polling, Pool, Reconnect, Retry, Timeout

if TYPE_CHECKING:
    from humeai_async.batch.archives import unpack
    from humeai_async.batch.as_completed import AsCompleted
    from humeai_async.batch.job import Job
    from humeai_async.bulk.options import BulkOptions
    from humeai_async.bulk.outcome import Outcome, SourceFailedError, UnknownSubmissionError
    from humeai_async.bulk.outcomes import Outcomes
    from humeai_async.bulk.updates import RunUpdates
    from humeai_async.chat.socket import ChatSocket
    from humeai_async.http.calls import Stats
    from humeai_async.http.credentials import OAuth
    from humeai_async.http.exchanges import Exchange
    from humeai_async.http.json_out import to_dict, to_json
    from humeai_async.http.messages import Request, Response, Upload
    from humeai_async.http.observing import (
        AttemptEnded,
        AttemptStarted,
        CallEnded,
        CallStarted,
        Observer,
        Paced,
        RetryScheduled,
    )
    from humeai_async.http.pages import Page, Pages
    from humeai_async.http.raw_calls import RawResponse
    from humeai_async.http.transport.handed_in import BufferedResponse
    from humeai_async.http.transport.interface import Download, OpenResponse, Transport
    from humeai_async.types.batch import (
        Face,
        Granularity,
        InferenceJob,
        JobDetails,
        JobStatus,
        Language,
        Models,
        Ner,
        Prosody,
        Transcription,
    )
    from humeai_async.types.chat import (
        AnyServerEvent,
        AssistantEnd,
        AssistantMessage,
        AssistantProsody,
        AudioOutput,
        ChatMetadata,
        SessionSettings,
        ToolCallMessage,
        ToolErrorMessage,
        ToolResponseMessage,
        UnknownEvent,
        UserInterruption,
        UserMessage,
        WebSocketError,
    )
    from humeai_async.types.chat_settings import AudioConfiguration, ConnectSettings, SessionContext
    from humeai_async.types.evi import BuiltinToolConfig, Prompt, Tool
    from humeai_async.types.evi_chats import Chat, ChatEvent, ChatGroup
    from humeai_async.types.evi_configs import (
        Config,
        ConfigPrompt,
        EventMessage,
        EventMessages,
        LanguageModel,
        ToolRef,
        VoiceRef,
        Webhook,
    )
    from humeai_async.types.paging import Undecodable
    from humeai_async.types.predictions.measurements import FilePredictions
    from humeai_async.types.predictions.predictions import Predictions, SourcePredictions
    from humeai_async.types.predictions.scores import ExpressionScore, Scores
    from humeai_async.types.registry import (
        Dataset,
        FileWithAttributes,
        Model,
        ModelVersion,
        RegistryFile,
    )
    from humeai_async.types.sources import Text

__all__ = [
    "UNSET", "APIConnectionError", "APIStatusError", "APITimeoutError", "AnyServerEvent",
    "AsCompleted", "AssistantEnd", "AssistantMessage", "AssistantProsody", "AttemptEnded",
    "AttemptStarted", "AudioConfiguration", "AudioOutput", "AuthenticationError",
    "BadRequestError", "BudgetReachedError", "BufferedResponse", "BuiltinToolConfig",
    "BulkOptions", "CallEnded", "CallStarted", "Chat", "ChatClosedError", "ChatEvent",
    "ChatGroup", "ChatMetadata", "ChatSocket", "ClientClosedError", "Config", "ConfigPrompt",
    "ConfigurationError", "ConflictError", "ConnectSettings", "Dataset", "DecodeError",
    "Download", "EventMessage", "EventMessages", "Exchange", "ExpressionScore", "Face",
    "FilePredictions", "FileWithAttributes", "GatewayUnsupportedError", "Granularity", "HumeAI",
    "HumeError", "HumeSunsetWarning", "HumeWarning", "InferenceJob", "InvalidArgumentError",
    "Job", "JobDetails", "JobFailedError", "JobStatus", "JobTimeoutError", "Language",
    "LanguageModel", "LedgerError", "Limiter", "MissingPackageError", "Model", "ModelVersion",
    "Models", "Ner", "NotFoundError", "OAuth", "Observer", "OpenResponse", "Outcome",
    "Outcomes", "Paced", "Page", "Pages", "PartialResultError", "PermissionDeniedError",
    "Polling", "Pool", "Predictions", "Prompt", "Prosody", "RateLimitError",
    "RateLimitWaitError", "RawResponse", "Reconnect", "RegistryFile", "Request", "Response",
    "ResponseTooLargeError", "ResultLostError", "Retry", "RetryScheduled", "RunUpdates",
    "SaveError", "Scores", "ServerError", "SessionClosedError", "SessionContext",
    "SessionSettings", "SourceFailedError", "SourcePredictions", "Stats", "SunsetError",
    "TLSError", "Text", "Timeout", "Tool", "ToolCallMessage", "ToolErrorMessage", "ToolRef",
    "ToolResponseMessage", "Transcription", "Transport", "Undecodable", "UnknownEvent",
    "UnknownSubmissionError", "UnprocessableEntityError", "Upload", "UserInterruption",
    "UserMessage", "VoiceRef", "WebSocketError", "Webhook", "WebhookError", "__version__",
    "to_dict", "to_json", "unpack",
]  # fmt: skip

_NAMES = {
    "batch.archives": "unpack",
    "batch.as_completed": "AsCompleted",
    "batch.job": "Job",
    "bulk.options": "BulkOptions",
    "bulk.outcome": "Outcome SourceFailedError UnknownSubmissionError",
    "bulk.outcomes": "Outcomes",
    "bulk.updates": "RunUpdates",
    "chat.socket": "ChatSocket",
    "http.calls": "Stats",
    "http.credentials": "OAuth",
    "http.exchanges": "Exchange",
    "http.json_out": "to_dict to_json",
    "http.messages": "Request Response Upload",
    "http.observing": (
        "AttemptEnded AttemptStarted CallEnded CallStarted Observer Paced RetryScheduled"
    ),
    "http.pages": "Page Pages",
    "http.raw_calls": "RawResponse",
    "http.transport.handed_in": "BufferedResponse",
    "http.transport.interface": "Download OpenResponse Transport",
    "types.batch": (
        "Face Granularity InferenceJob JobDetails JobStatus Language Models Ner Prosody "
        "Transcription"
    ),
    "types.chat": (
        "AnyServerEvent AssistantEnd AssistantMessage AssistantProsody AudioOutput ChatMetadata "
        "SessionSettings ToolCallMessage ToolErrorMessage ToolResponseMessage UnknownEvent "
        "UserInterruption UserMessage WebSocketError"
    ),
    "types.chat_settings": "AudioConfiguration ConnectSettings SessionContext",
    "types.evi": "BuiltinToolConfig Prompt Tool",
    "types.evi_chats": "Chat ChatEvent ChatGroup",
    "types.evi_configs": (
        "Config ConfigPrompt EventMessage EventMessages LanguageModel ToolRef VoiceRef Webhook"
    ),
    "types.paging": "Undecodable",
    "types.predictions.measurements": "FilePredictions",
    "types.predictions.predictions": "Predictions SourcePredictions",
    "types.predictions.scores": "ExpressionScore Scores",
    "types.registry": "Dataset FileWithAttributes Model ModelVersion RegistryFile",
    "types.sources": "Text",
}
"""Names that come with many types, by the module that each is imported from when first used."""
_LATER = {name: module for module, names in _NAMES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
