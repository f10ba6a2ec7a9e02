"""Asyncio client library for the Hume AI API, directly or through LowCodeAPI.

Everything a program needs is here; the types of requests and responses are in
`humeai_async.types`, a stand-in server for tests in `humeai_async.testing`.
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
from humeai_async.http.responses import RawResponse
from humeai_async.http.transport.handed_in import BufferedResponse
from humeai_async.http.transport.interface import Download, OpenResponse, Transport
from humeai_async.limiter.limiter import Limiter
from humeai_async.settings import Polling, Pool, Reconnect, Retry, Timeout

if TYPE_CHECKING:
    from humeai_async.batch.archives import unpack
    from humeai_async.batch.job import AsCompleted, Job
    from humeai_async.bulk.options import BulkOptions
    from humeai_async.bulk.outcomes import (
        Outcome,
        Outcomes,
        SourceFailedError,
        UnknownSubmissionError,
    )
    from humeai_async.chat.socket import ChatSocket
    from humeai_async.http.pagination import Page, Pages
    from humeai_async.types.paging import Undecodable
    from humeai_async.types.sources import Text

__all__ = [
    "UNSET",
    "APIConnectionError",
    "APIStatusError",
    "APITimeoutError",
    "AsCompleted",
    "AttemptEnded",
    "AttemptStarted",
    "AuthenticationError",
    "BadRequestError",
    "BudgetReachedError",
    "BufferedResponse",
    "BulkOptions",
    "CallEnded",
    "CallStarted",
    "ChatClosedError",
    "ChatSocket",
    "ClientClosedError",
    "ConfigurationError",
    "ConflictError",
    "DecodeError",
    "Download",
    "Exchange",
    "GatewayUnsupportedError",
    "HumeAI",
    "HumeError",
    "HumeSunsetWarning",
    "HumeWarning",
    "InvalidArgumentError",
    "Job",
    "JobFailedError",
    "JobTimeoutError",
    "LedgerError",
    "Limiter",
    "MissingPackageError",
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
    "RateLimitError",
    "RateLimitWaitError",
    "RawResponse",
    "Reconnect",
    "Request",
    "Response",
    "ResponseTooLargeError",
    "ResultLostError",
    "Retry",
    "RetryScheduled",
    "SaveError",
    "ServerError",
    "SessionClosedError",
    "SourceFailedError",
    "Stats",
    "SunsetError",
    "TLSError",
    "Text",
    "Timeout",
    "Transport",
    "Undecodable",
    "UnknownSubmissionError",
    "UnprocessableEntityError",
    "Upload",
    "WebhookError",
    "__version__",
    "to_dict",
    "to_json",
    "unpack",
]

_LATER = {
    "AsCompleted": "batch.job",
    "BulkOptions": "bulk.options",
    "ChatSocket": "chat.socket",
    "Job": "batch.job",
    "Outcome": "bulk.outcomes",
    "Outcomes": "bulk.outcomes",
    "Page": "http.pagination",
    "Pages": "http.pagination",
    "Undecodable": "types.paging",
    "SourceFailedError": "bulk.outcomes",
    "Text": "types.sources",
    "UnknownSubmissionError": "bulk.outcomes",
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
