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
    "UNSET",
    "APIConnectionError",
    "APIStatusError",
    "APITimeoutError",
    "AnyServerEvent",
    "AsCompleted",
    "AssistantEnd",
    "AssistantMessage",
    "AssistantProsody",
    "AttemptEnded",
    "AttemptStarted",
    "AudioConfiguration",
    "AudioOutput",
    "AuthenticationError",
    "BadRequestError",
    "BudgetReachedError",
    "BufferedResponse",
    "BuiltinToolConfig",
    "BulkOptions",
    "CallEnded",
    "CallStarted",
    "Chat",
    "ChatClosedError",
    "ChatEvent",
    "ChatGroup",
    "ChatMetadata",
    "ChatSocket",
    "ClientClosedError",
    "Config",
    "ConfigPrompt",
    "ConfigurationError",
    "ConflictError",
    "ConnectSettings",
    "Dataset",
    "DecodeError",
    "Download",
    "EventMessage",
    "EventMessages",
    "Exchange",
    "ExpressionScore",
    "Face",
    "FilePredictions",
    "FileWithAttributes",
    "GatewayUnsupportedError",
    "Granularity",
    "HumeAI",
    "HumeError",
    "HumeSunsetWarning",
    "HumeWarning",
    "InferenceJob",
    "InvalidArgumentError",
    "Job",
    "JobDetails",
    "JobFailedError",
    "JobStatus",
    "JobTimeoutError",
    "Language",
    "LanguageModel",
    "LedgerError",
    "Limiter",
    "MissingPackageError",
    "Model",
    "ModelVersion",
    "Models",
    "Ner",
    "NotFoundError",
    "OAuth",
    "Observer",
    "OpenResponse",
    "Outcome",
    "Outcomes",
    "Paced",
    "Page",
    "Pages",
    "PartialResultError",
    "PermissionDeniedError",
    "Polling",
    "Pool",
    "Predictions",
    "Prompt",
    "Prosody",
    "RateLimitError",
    "RateLimitWaitError",
    "RawResponse",
    "Reconnect",
    "RegistryFile",
    "Request",
    "Response",
    "ResponseTooLargeError",
    "ResultLostError",
    "Retry",
    "RetryScheduled",
    "RunUpdates",
    "SaveError",
    "Scores",
    "ServerError",
    "SessionClosedError",
    "SessionContext",
    "SessionSettings",
    "SourceFailedError",
    "SourcePredictions",
    "Stats",
    "SunsetError",
    "TLSError",
    "Text",
    "Timeout",
    "Tool",
    "ToolCallMessage",
    "ToolErrorMessage",
    "ToolRef",
    "ToolResponseMessage",
    "Transcription",
    "Transport",
    "Undecodable",
    "UnknownEvent",
    "UnknownSubmissionError",
    "UnprocessableEntityError",
    "Upload",
    "UserInterruption",
    "UserMessage",
    "VoiceRef",
    "WebSocketError",
    "Webhook",
    "WebhookError",
    "__version__",
    "to_dict",
    "to_json",
    "unpack",
]

_LATER = {
    "Face": "types.batch",
    "Granularity": "types.batch",
    "InferenceJob": "types.batch",
    "JobDetails": "types.batch",
    "JobStatus": "types.batch",
    "Language": "types.batch",
    "Models": "types.batch",
    "Ner": "types.batch",
    "Prosody": "types.batch",
    "Transcription": "types.batch",
    "AnyServerEvent": "types.chat",
    "AssistantEnd": "types.chat",
    "AssistantMessage": "types.chat",
    "AssistantProsody": "types.chat",
    "AudioOutput": "types.chat",
    "ChatMetadata": "types.chat",
    "SessionSettings": "types.chat",
    "ToolCallMessage": "types.chat",
    "ToolErrorMessage": "types.chat",
    "ToolResponseMessage": "types.chat",
    "UnknownEvent": "types.chat",
    "UserInterruption": "types.chat",
    "UserMessage": "types.chat",
    "WebSocketError": "types.chat",
    "AudioConfiguration": "types.chat_settings",
    "ConnectSettings": "types.chat_settings",
    "SessionContext": "types.chat_settings",
    "BuiltinToolConfig": "types.evi",
    "Chat": "types.evi_chats",
    "ChatEvent": "types.evi_chats",
    "ChatGroup": "types.evi_chats",
    "Prompt": "types.evi",
    "Tool": "types.evi",
    "Config": "types.evi_configs",
    "ConfigPrompt": "types.evi_configs",
    "EventMessage": "types.evi_configs",
    "EventMessages": "types.evi_configs",
    "LanguageModel": "types.evi_configs",
    "ToolRef": "types.evi_configs",
    "VoiceRef": "types.evi_configs",
    "Webhook": "types.evi_configs",
    "Predictions": "types.predictions.predictions",
    "SourcePredictions": "types.predictions.predictions",
    "ExpressionScore": "types.predictions.scores",
    "FilePredictions": "types.predictions.measurements",
    "Scores": "types.predictions.scores",
    "Dataset": "types.registry",
    "FileWithAttributes": "types.registry",
    "Model": "types.registry",
    "ModelVersion": "types.registry",
    "RegistryFile": "types.registry",
    "AsCompleted": "batch.as_completed",
    "BulkOptions": "bulk.options",
    "ChatSocket": "chat.socket",
    "Job": "batch.job",
    "Outcome": "bulk.outcome",
    "Outcomes": "bulk.outcomes",
    "Stats": "http.calls",
    "OAuth": "http.credentials",
    "Exchange": "http.exchanges",
    "to_dict": "http.json_out",
    "to_json": "http.json_out",
    "Request": "http.messages",
    "Response": "http.messages",
    "Upload": "http.messages",
    "AttemptEnded": "http.observing",
    "AttemptStarted": "http.observing",
    "CallEnded": "http.observing",
    "CallStarted": "http.observing",
    "Observer": "http.observing",
    "Paced": "http.observing",
    "RetryScheduled": "http.observing",
    "RawResponse": "http.raw_calls",
    "BufferedResponse": "http.transport.handed_in",
    "Download": "http.transport.interface",
    "OpenResponse": "http.transport.interface",
    "Transport": "http.transport.interface",
    "Page": "http.pages",
    "Pages": "http.pages",
    "Undecodable": "types.paging",
    "RunUpdates": "bulk.updates",
    "SourceFailedError": "bulk.outcome",
    "Text": "types.sources",
    "UnknownSubmissionError": "bulk.outcome",
    "unpack": "batch.archives",
}
"""Names that come with many types, and the modules they are imported from when first used."""


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
