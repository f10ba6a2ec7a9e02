"""What observers are told of a call, and who tells them.

An `Observer` is a user's own; the command log (`humeai_async.calls`) is one, and so is
`humeai_async.telemetry.OpenTelemetry`. The session makes a `Watch` for a call that somebody looks
at, and none for any other. Nothing here holds a credential: records know the endpoint, never the
headers, and a URL without what its query may hide.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self, TypeAlias, TypeVar

import msgspec
from attrs import field

from humeai_async._base.frozen import define
from humeai_async.errors import HumeError
from humeai_async.http.exchanges import Capture, Exchange
from humeai_async.http.messages import Request, Response, size_of_body
from humeai_async.http.secrets import without_keys

R = TypeVar("R", bound="CallRecord")

_logger: logging.Logger = logging.getLogger("humeai_async.calls")


class CallRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What all records of a call have in common."""

    call_id: str
    """One id for the whole call, of 12 hexadecimal digits; the log writes it too."""
    endpoint: str
    """Resource and method, such as `configs.list`; `request` for `HumeAI.request`."""
    method: str
    """HTTP method."""
    path: str
    """Template of the path, such as `/v0/batch/jobs/{id}`: no ids, no query."""


class CallStarted(CallRecord, frozen=True, kw_only=True):
    """A call begins: nothing has been waited for or sent."""

    base_url: str
    """Where it goes."""


class Paced(CallRecord, frozen=True, kw_only=True):
    """The limiter let a request go after it had to wait."""

    attempt: int
    """Number of the request that may go now; the first is 1."""
    seconds: float
    """How long it waited."""


class AttemptStarted(CallRecord, frozen=True, kw_only=True):
    """A request is about to be sent."""

    attempt: int
    """Number of the request within its call; the first is 1."""
    url: str
    """Where it goes; values in the query that may be keys are `***`."""
    sent_bytes: int | None
    """Size of its body; `None` where it is not known before it is sent."""


class AttemptEnded(CallRecord, frozen=True, kw_only=True):
    """A request was responded to, or failed."""

    attempt: int
    """Number of the request within its call."""
    status: int | None
    """HTTP status; `None` where no response came."""
    request_id: str | None
    """The service's id of the request (`X-Request-Id`)."""
    seconds: float
    """Time on the wire: from when it was sent to the end of its response."""
    received_bytes: int | None
    """Size of the response's body; `None` where it was not read, or is still to come."""
    error: BaseException | None
    """What it failed with, where no response came."""


class RetryScheduled(CallRecord, frozen=True, kw_only=True):
    """A request failed, and there will be another."""

    attempt: int
    """Number of the request that failed."""
    pause: float
    """Seconds until the next one is asked for."""
    status: int | None
    """HTTP status of the failure, if it had one."""
    request_id: str | None
    """The service's id of the failed request."""
    error: HumeError
    """What it failed with."""


class CallEnded(CallRecord, frozen=True, kw_only=True):
    """A call is over: it returns, raises, or was cancelled."""

    attempts: int
    """Requests that were sent."""
    status: int | None
    """HTTP status of the last response."""
    request_id: str | None
    """The service's id of the last request that was responded to."""
    seconds: float
    """From its start to its end."""
    seconds_waiting: float
    """Of these, the seconds that it waited for the limiter and between attempts."""
    seconds_on_wire: float
    """Of these, the seconds that its requests took."""
    received_bytes: int
    """Size of all bodies that were read."""
    error: BaseException | None
    """What it raises; `None` where it returns."""


class Observer:
    """Called with what happens to each call of a client, in the order in which it happens.

    Derive from it, and give the client one or several: `HumeAI(observers=[MyObserver()])`. The
    methods run on the event loop, in the task of the call, and must not block it. What they raise
    is logged once and goes no further.
    """

    def call_started(self, record: CallStarted) -> None:
        """Called when a call begins."""

    def paced(self, record: Paced) -> None:
        """Called when the limiter lets a request go that it had kept waiting."""

    def attempt_started(self, record: AttemptStarted) -> None:
        """Called before a request is sent."""

    def attempt_ended(self, record: AttemptEnded) -> None:
        """Called when a request was responded to, or failed."""

    def retry_scheduled(self, record: RetryScheduled) -> None:
        """Called when a request failed and will be repeated."""

    def call_ended(self, record: CallEnded) -> None:
        """Called when a call returns, raises or is cancelled."""


class _CallLog(Observer):
    """Writes calls to the logger `humeai_async.calls`: failures at INFO, the rest at DEBUG."""

    def call_started(self, record: CallStarted) -> None:
        _logger.debug(
            "%s %s: %s %s to %s",
            record.call_id,
            record.endpoint,
            record.method,
            record.path,
            record.base_url,
        )

    def paced(self, record: Paced) -> None:
        _logger.debug(
            "%s %s: request %d waited %.3f s for its turn",
            record.call_id,
            record.endpoint,
            record.attempt,
            record.seconds,
        )

    def attempt_ended(self, record: AttemptEnded) -> None:
        about = record.call_id, record.endpoint, record.attempt
        if record.status is None:
            kind = type(record.error).__name__
            _logger.debug("%s %s: request %d: %s after %.3f s", *about, kind, record.seconds)
            return
        quoted = _quoted(record.request_id)
        _logger.debug(
            "%s %s: request %d: status %d after %.3f s%s",
            *about,
            record.status,
            record.seconds,
            quoted,
        )

    def retry_scheduled(self, record: RetryScheduled) -> None:
        _logger.info(
            "%s %s: request %d failed (%s), again in %.2f s",
            record.call_id,
            record.endpoint,
            record.attempt,
            _reason(record.error),
            record.pause,
        )

    def call_ended(self, record: CallEnded) -> None:
        about = record.call_id, record.endpoint, record.seconds, record.attempts
        if record.error is None:
            _logger.debug("%s %s: done after %.3f s, requests: %d", *about)
            return
        reason = _reason(record.error)
        _logger.info("%s %s: failed after %.3f s, requests: %d: %s", *about, reason)


_CALL_LOG = _CallLog()
_IDLE = {name: method for name, method in vars(Observer).items() if not name.startswith("_")}
"""The methods that do nothing, by event."""

Listener: TypeAlias = tuple[Observer, Callable[[Any], object]]
"""An observer, and its method for an event."""
Listeners: TypeAlias = Mapping[str, list[Listener]]
"""Listeners by event, such as `call_started`; empty where there are none at all."""


def _quoted(request_id: str | None) -> str:
    return f", request id {request_id!a}" if request_id else ""


def _reason(error: BaseException) -> str:
    """Say what went wrong; of an error that is not ours only the name, for it may hold anything."""
    kind = type(error).__name__
    return f"{kind}: {error}" if isinstance(error, HumeError) else kind


def _listeners_of(observers: Sequence[Observer]) -> Listeners:
    """Return the methods of observers, by event, that do something."""
    methods = {event: [(one, getattr(one, event)) for one in observers] for event in _IDLE}
    return {
        event: [pair for pair in pairs if getattr(pair[1], "__func__", None) is not _IDLE[event]]
        for event, pairs in methods.items()
    }


@define(eq=False, repr=False)
class Observers:
    """The observers of a client, and which of them failed already."""

    given: tuple[Observer, ...] = ()
    _failed: set[int] = field(factory=set[int])
    _listeners: Listeners = field(init=False)
    _listeners_and_log: Listeners = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._listeners = _listeners_of(self.given) if self.given else {}
        self._listeners_and_log = _listeners_of((*self.given, _CALL_LOG))

    def present(self) -> Listeners:
        """Return who is to be told now, the log included where it is written."""
        return self._listeners_and_log if _logger.isEnabledFor(logging.INFO) else self._listeners

    def tell(self, listeners: Iterable[Listener], event: str, record: CallRecord) -> None:
        """Call the methods of observers; what one of them raises is logged once."""
        for observer, listen in listeners:
            try:
                listen(record)
            except Exception:
                if id(observer) not in self._failed:
                    self._failed.add(id(observer))
                    kind = type(observer).__name__
                    _logger.exception(
                        "the observer %s failed in %s; further failures are not logged", kind, event
                    )


class Watch:
    """A call that somebody looks at: it counts, and tells the observers."""

    def __init__(
        self,
        group: Observers,
        listeners: Listeners,
        captures: tuple[Capture, ...],
        about: tuple[str, str, str],
        base_url: str,
        redact: Callable[[str], str],
    ) -> None:
        self._group = group
        self._listeners = listeners
        self._captures = captures
        self._base_url = base_url
        self._redact = redact
        # No secret, so it need not be hard to guess.
        self.call_id: str = f"{random.getrandbits(48):012x}"
        endpoint, method, path = about
        self._about = {
            "call_id": self.call_id, "endpoint": endpoint, "method": method, "path": path,
        }  # fmt: skip
        self._started = time.perf_counter()
        self._sent_at = 0.0
        self._attempt = 0
        self._raw: Response | None = None
        self._waiting = self._on_wire = 0.0
        self._received = 0
        self._status: int | None = None
        self._request_id: str | None = None

    def __enter__(self) -> Self:
        """Tell that the call begins."""
        self._tell("call_started", CallStarted, base_url=self._base_url)
        return self

    def __exit__(self, _: object, error: BaseException | None, trace: object) -> None:
        """Tell of the call's end, however it ends."""
        self._end(error)

    def wait(self, attempt: int, seconds: float) -> None:
        """Note how long the limiter kept a request."""
        self._waiting += seconds
        if seconds >= _SHORTEST_WAIT:
            self._tell("paced", Paced, attempt=attempt, seconds=seconds)

    def send(self, attempt: int, request: Request) -> None:
        """Tell that a request is about to be sent."""
        self._attempt, self._raw = attempt, None
        self._tell(
            "attempt_started",
            AttemptStarted,
            attempt=attempt,
            url=without_keys(request.url),
            sent_bytes=size_of_body(request.body),
        )
        self._sent_at = time.perf_counter()

    def note_raw(self, response: Response) -> None:
        """Keep a response as it came, before its envelope is taken off."""
        self._raw = response
        self._received += len(response.body)

    def note_chunk(self, size: int) -> None:
        """Count a piece of a body that comes piece by piece."""
        self._received += size

    def respond(self, request: Request, response: Response) -> None:
        """Tell that a response came; of a stream, that it begins."""
        self._status = response.status
        found = response.request_id
        self._request_id = None if found is None else self._redact(found)[:_LONGEST_ID]
        self._end_attempt(request, response, None)

    def fail(self, request: Request, problem: BaseException) -> None:
        """Tell that no response came."""
        self._end_attempt(request, None, problem)

    def retry(self, failure: HumeError, pause: float) -> None:
        """Tell that there will be another attempt."""
        self._waiting += pause
        self._tell(
            "retry_scheduled",
            RetryScheduled,
            attempt=self._attempt,
            pause=pause,
            status=failure.status,
            request_id=failure.request_id,
            error=failure,
        )

    def _end(self, error: BaseException | None) -> None:
        self._tell(
            "call_ended",
            CallEnded,
            attempts=self._attempt,
            status=self._status,
            request_id=self._request_id,
            seconds=time.perf_counter() - self._started,
            seconds_waiting=self._waiting,
            seconds_on_wire=self._on_wire,
            received_bytes=self._received,
            error=error,
        )

    def _end_attempt(
        self, request: Request, response: Response | None, error: BaseException | None
    ) -> None:
        seconds = time.perf_counter() - self._sent_at
        self._on_wire += seconds
        raw = self._raw
        self._tell(
            "attempt_ended",
            AttemptEnded,
            attempt=self._attempt,
            status=None if response is None else response.status,
            request_id=None if response is None else self._request_id,
            seconds=seconds,
            received_bytes=None if raw is None else len(raw.body),
            error=error,
        )
        if any(one.is_open for one in self._captures):
            exchange = Exchange.of(
                request,
                response if raw is None else raw,
                redact=self._redact,
                call_id=self.call_id,
                endpoint=self._about["endpoint"],
                attempt=self._attempt,
                seconds=seconds,
                has_body=raw is not None,
                error=error,
            )
            for capture in self._captures:
                capture.add(exchange)

    def _tell(self, event: str, kind: Callable[..., R], **facts: object) -> None:
        if listeners := self._listeners.get(event):
            record = kind(**self._about, **facts)
            self._group.tell(listeners, event, record)


_LONGEST_ID = 200
"""Characters of a request id that are kept: it is the server's, and may be anything."""
_SHORTEST_WAIT = 0.001
"""Seconds from which on a wait for the limiter is one."""
