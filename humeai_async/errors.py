"""Every exception of the library, in one tree.

The module imports nothing of ours, so that any other may raise from it. Nothing else
leaves the library: errors of aiohttp, cattrs, msgspec, the JSON scanner and the operating
system are turned into one of these before a caller sees them.

    HumeError
    ├── ConfigurationError            a client that cannot be built: credentials, settings
    ├── InvalidArgumentError          refused before anything is sent (also a ValueError)
    ├── ClientClosedError             the client was closed
    ├── APIConnectionError            no response: refused, reset, cut off, name not found, TLS
    │   ├── APITimeoutError           no response in time
    │   └── TLSError                  a certificate is refused, or only one side uses TLS
    ├── ResponseTooLargeError         a response larger than the client may hold in memory
    ├── DecodeError                   a response that is not what the endpoint promises
    ├── JobFailedError                a batch job ended as FAILED
    ├── JobTimeoutError               a wait for a batch job ended before the job did
    ├── RateLimitWaitError            the wait for the rate limit would be too long
    ├── SaveError                     a file cannot be written, or the download is damaged
    ├── MissingPackageError           an optional package is needed and not installed
    ├── ChatClosedError               a chat ended with an error code, or is over already
    ├── SessionClosedError            a session that ended with an error, or is over already
    ├── PartialResultError            a long recording of which a later part failed
    ├── BudgetReachedError            a bulk run has a budget, and what is left is too little
    ├── ResultLostError               it was paid for, and its only response did not arrive
    ├── LedgerError                   the ledger of a bulk run cannot be used
    ├── WebhookError                  a request to your webhook is not Hume's, old or repeated
    ├── GatewayUnsupportedError       LowCodeAPI cannot carry this call; nothing was sent
    └── APIStatusError                a response with an error status
        ├── BadRequestError           400
        ├── AuthenticationError       401
        ├── PermissionDeniedError     403
        ├── NotFoundError             404
        │   └── SunsetError           404 or 410 from an endpoint that Hume has switched off
        ├── ConflictError             409
        ├── UnprocessableEntityError  422
        ├── RateLimitError            429
        └── ServerError               5xx

Any call may raise `APIConnectionError`, `APITimeoutError`, `ResponseTooLargeError`,
`DecodeError`, `RateLimitWaitError`, `ClientClosedError` and the `APIStatusError` family; the
docstrings of methods name only what is special to them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any


class HumeError(Exception):
    """Base of all errors of this library.

    Attributes:
        message: What happened and, where possible, what to do about it.
        method: HTTP method of the call, or `None` where no call was made.
        endpoint: Path template of the call (never its credential or query).
        code: Error code that the service gave, such as `"E0300"`.
        request_id: The service's id of the request, to quote to its support.
        attempts: Requests sent for this call.
        elapsed: Seconds from the start of the call to the error.
        retry_after: Seconds the service asked to wait, or `None`.
        outcome_unknown: True where a request that must not be repeated may have been
            carried out although no valid response arrived.
    """

    def __init__(
        self,
        message: str,
        *,
        method: str | None = None,
        endpoint: str | None = None,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        attempts: int = 0,
        elapsed: float = 0.0,
        retry_after: float | None = None,
        outcome_unknown: bool = False,
    ) -> None:
        message = _printable(message)
        super().__init__(message)
        self.message: str = message
        self.method = method
        self.endpoint = endpoint
        self._status: int | None = status
        self.code: str | None = None if code is None else _printable(code)
        self.request_id: str | None = None if request_id is None else _printable(request_id)
        self.attempts = attempts
        self.elapsed = elapsed
        self.retry_after = retry_after
        self.outcome_unknown = outcome_unknown

    @property
    def status(self) -> int | None:
        """HTTP status of the last response; `None` where none arrived."""
        return self._status

    def take_response_of(self, earlier: HumeError) -> None:
        """Take over what an earlier attempt's error knows of its response."""
        self._status, self.code = earlier.status, earlier.code
        self.request_id = earlier.request_id

    def json_members(self) -> dict[str, object]:
        """Return the error's facts by name, as `to_dict` and `to_json` write them."""
        names = (
            "message method endpoint status code request_id attempts elapsed retry_after "
            "outcome_unknown"
        )
        facts: dict[str, object] = {"error": type(self).__name__}
        return facts | {name: getattr(self, name) for name in names.split()}

    def add_advice(self, advice: str, *, is_first: bool = False) -> None:
        """Put a sentence after the message, or before it; an empty one changes nothing."""
        if advice:
            one, other = self.message, _printable(advice)
            one, other = (other, one) if is_first else (one, other)
            self.message = f"{one.rstrip('.')}; {other}"
            self.args: tuple[object, ...] = (self.message,)

    def __str__(self) -> str:
        facts = [f"{self.method} {self.endpoint}"] if self.method else []
        if self._status is not None:
            facts.append(f"status {self._status}")
        if self.code is not None:
            facts.append(f"code {self.code}")
        if self.request_id is not None:
            facts.append(f"request id {self.request_id}")
        if self.attempts > 1:
            facts.append(f"{self.attempts} attempts in {self.elapsed:.1f} s")
        if self.outcome_unknown:
            facts.append("the request may have been carried out")
        return f"{self.message} [{', '.join(facts)}]" if facts else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions with keyword arguments do not survive pickling without this.
        return _rebuild, (type(self), self.message, self.__dict__)


def _printable(text: str) -> str:
    """Put a text on one line and take out what plays with terminals or cannot be written.

    Much of what errors tell was written by servers, and ends in logs.
    """
    if text.isprintable():
        return text
    return "".join([c if c.isprintable() else " " if c.isspace() else "\ufffd" for c in text])


def _rebuild(cls: type[HumeError], message: str, state: dict[str, Any]) -> HumeError:
    error = cls.__new__(cls, message)
    error.args = (message,)
    error.__dict__.update(state)
    return error


class ConfigurationError(HumeError):
    """The client cannot be built from these credentials or settings."""


class InvalidArgumentError(HumeError, ValueError):
    """An argument was refused before anything was sent.

    Attributes:
        field: Name of the argument, as in the method's signature.
        code: Error code that the service itself would have given, where it documents one.
        param: Place in the request that the service would have named, such as
            `/questions/mood/criteria`; `None` where it names none.
    """

    def __init__(
        self, message: str, *, field: str, code: str | None = None, param: str | None = None
    ) -> None:
        super().__init__(message, code=code)
        self.field = field
        self.param = param


class ClientClosedError(HumeError):
    """The client was closed; build another one."""


class APIConnectionError(HumeError):
    """No complete response arrived: the connection failed before or during it."""


class APITimeoutError(APIConnectionError):
    """No complete response arrived in the time allowed."""


class TLSError(APIConnectionError):
    """The server's certificate is refused, or only one side uses TLS.

    Nothing was carried out. A further attempt would fail too, so none is made.
    """


class ResponseTooLargeError(HumeError):
    """A response is larger than the client may read into memory; the rest was not read.

    Attributes:
        size: Bytes of the response if it states them, else the bytes received so far.
        limit: Largest number of bytes allowed: `Pool.max_body`.
    """

    def __init__(self, message: str, *, size: int, limit: int, **context: Any) -> None:
        super().__init__(message, **context)
        self.size = size
        self.limit = limit


class DecodeError(HumeError):
    """A response arrived that is not what the endpoint promises.

    Attributes:
        path: Place of the fault in the JSON, such as `$.state.status`; `$` for the whole body.
        is_whole: Whether the body arrived whole and only its content is wrong. Another that is
            not may have been cut off or replaced on its way, so the call may be repeated.
    """

    def __init__(
        self, message: str, *, path: str = "$", is_whole: bool = False, **context: Any
    ) -> None:
        super().__init__(message, **context)
        self.path = path
        self.is_whole: bool = is_whole or path != "$"


class JobFailedError(HumeError):
    """A batch job ended as FAILED.

    Attributes:
        job_id: The job.
        job_status: Its last status.
    """

    def __init__(self, message: str, *, job_id: str, job_status: str) -> None:
        super().__init__(message)
        self.job_id = job_id
        self.job_status = job_status


class JobTimeoutError(HumeError):
    """The wait timed out before the job ended; the job continues and can be awaited again.

    Attributes:
        job_id: The job.
        job_status: Its last known status, or `None` if none was seen.
    """

    def __init__(
        self, message: str, *, job_id: str, job_status: str | None, elapsed: float
    ) -> None:
        super().__init__(message, elapsed=elapsed)
        self.job_id = job_id
        self.job_status = job_status


class RateLimitWaitError(HumeError):
    """The call would wait for the rate limit longer than allowed; raised without waiting.

    Attributes:
        seconds: How long the wait would have been.
    """

    def __init__(self, message: str, *, seconds: float, **context: Any) -> None:
        super().__init__(message, **context)
        self.seconds = seconds


class SaveError(HumeError):
    """A download could not be saved; a file that had its name before is unchanged."""


class MissingPackageError(HumeError):
    """An optional package that this call needs is not installed."""


class ChatClosedError(HumeError):
    """A chat's socket was closed with an error code, or nothing more can be sent on it.

    Attributes:
        close_code: Close code of the WebSocket: 1008 for a violated policy, 1011 for an
            internal error, 1006 for a connection that was lost and not resumed; `None` for a
            chat that was never opened. `code` is the same as text.
        reason: Reason that the server gave, or empty.
    """

    def __init__(
        self, message: str, *, close_code: int | None, reason: str = "", **context: Any
    ) -> None:
        super().__init__(message, code=None if close_code is None else str(close_code), **context)
        self.close_code = close_code
        self.reason = reason


class SessionClosedError(HumeError):
    """A session of Expression Measurement ended with an error, or is over already.

    Attributes:
        close_code: Close code of the WebSocket; 1006 for a connection that was lost.
        reason: Reason that the server gave, or empty.
    """

    def __init__(
        self, message: str, *, close_code: int | None = None, reason: str = "", **context: Any
    ) -> None:
        super().__init__(message, **context)
        self.close_code = close_code
        self.reason = reason


class PartialResultError(HumeError):
    """A long recording was measured or decided in part, and could not be further; see its cause.

    Attributes:
        result: What was paid for up to there: an `AudioResult` of `hume.expression.measure`, or a
            `Timeline` of `hume.decisions.over`.
    """

    def __init__(self, message: str, *, result: Any, **context: Any) -> None:
        super().__init__(message, **context)
        self.result = result


class BudgetReachedError(HumeError):
    """A request of a bulk run was not sent, since it might have cost more than is left.

    Attributes:
        spent: What the run was billed for, and what is under way may be.
        budget: What it may be billed for.
    """

    def __init__(self, message: str, *, spent: float, budget: float, **context: Any) -> None:
        super().__init__(message, **context)
        self.spent = spent
        self.budget = budget


class ResultLostError(HumeError):
    """A request of a bulk run was carried out, and its response, the only copy, did not arrive.

    It is not sent again by itself, for that is billed again: `retry_failed=True` does.

    Attributes:
        run_id: The run that the service lists for it; it says what was billed.
    """

    def __init__(self, message: str, *, run_id: str, **context: Any) -> None:
        super().__init__(message, **context)
        self.run_id = run_id


class LedgerError(HumeError):
    """The ledger of a bulk run cannot be used: it is locked, damaged or of another run."""


class WebhookError(HumeError):
    """A request to your webhook is not Hume's, too old, or came before."""


class GatewayUnsupportedError(HumeError):
    """The LowCodeAPI gateway cannot carry this call; nothing was sent."""


class APIStatusError(HumeError):
    """A response with an error status.

    Attributes:
        body: The first 2,000 characters of the response's text, credentials removed.
        param: Place in the request that the service blames, such as `/questions/mood/criteria`,
            or `None`.
    """

    def __init__(
        self,
        message: str,
        *,
        body: str = "",
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
        **context: Any,
    ) -> None:
        super().__init__(message, **context)
        self.body = body
        self.param = param
        # A plain dict, since no read-only mapping can be pickled.
        self._headers: dict[str, str] = {
            name.lower(): _printable(text) for name, text in (headers or {}).items()
        }

    @property
    def status(self) -> int:
        """HTTP status of the response; 0 in an error that was built without one."""
        return self._status or 0

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers of the response, read-only, by their names in lower case.

        The values of a header that came more than once are joined with a comma. Headers that
        carry credentials, such as `set-cookie`, are left out, credentials are removed from the
        others, and of each value the first 2,000 characters are kept. Through a gateway they may
        be the gateway's own.
        """
        return MappingProxyType(self._headers)


class BadRequestError(APIStatusError):
    """400: the request is malformed."""


class AuthenticationError(APIStatusError):
    """401: the credential is missing or wrong."""


class PermissionDeniedError(APIStatusError):
    """403: the credential has no permission for this."""


class NotFoundError(APIStatusError):
    """404: nothing exists at this path or with this id."""


class SunsetError(NotFoundError):
    """404 or 410 from an endpoint that Hume has switched off.

    Attributes:
        sunset: First day on which Hume no longer served the endpoint.
        replacement: Description of what replaces it.
    """

    def __init__(self, message: str, *, sunset: dt.date, replacement: str, **context: Any) -> None:
        super().__init__(message, **context)
        self.sunset = sunset
        self.replacement = replacement


class ConflictError(APIStatusError):
    """409: the request clashes with the present state."""


class UnprocessableEntityError(APIStatusError):
    """422: a field has a value that the service does not accept."""


class RateLimitError(APIStatusError):
    """429: too many requests, and no attempts are left."""


class ServerError(APIStatusError):
    """5xx: the service failed to handle the request."""


class HumeWarning(UserWarning):
    """Something works, but probably not as intended."""


class HumeSunsetWarning(HumeWarning):
    """An endpoint is called that Hume has switched off."""
