"""What the session keeps of calls: those of a client's family together, and each on its way.

A call knows how it ends: with which error, and what that says of it. Nothing here sends or decides;
the session does.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Mapping
from typing import Any

from anyio.lowlevel import checkpoint_if_cancelled
from attrs import field

from humeai_async._base.event_loops import PerLoop
from humeai_async._base.frozen import define
from humeai_async.errors import (
    APITimeoutError,
    DecodeError,
    HumeError,
    NotFoundError,
    RateLimitError,
    RateLimitWaitError,
)
from humeai_async.http.deadlines import Deadline, Deadlines
from humeai_async.http.endpoint import Endpoint
from humeai_async.http.messages import Delivery, Request
from humeai_async.http.observing import Watch
from humeai_async.http.transport.errors import client_closed
from humeai_async.http.transport.interface import OpenResponse
from humeai_async.settings import Pool

NO_HEADERS: Mapping[str, str] = {}


@define
class Stats:
    """What a client has done so far; clients made by `with_options` count together."""

    calls: int = 0
    """Calls made."""
    requests: int = 0
    """Requests sent, repeats included."""
    retries: int = 0
    """Repeats of an earlier attempt of the same call."""
    rate_limited: int = 0
    """Responses with status 429."""
    failures: int = 0
    """Calls that ended with an error."""


@define(eq=False, repr=False)
class Shared:
    """What the clients of one family share beyond pool and limiter."""

    stats: Stats = field(factory=Stats)
    has_warned_of_sunset: bool = False
    max_body: int = Pool().max_body
    """Bytes of a body that may be held for reading, in memory or by a bulk run on disk."""
    is_closed: bool = False
    deadlines: PerLoop[Deadlines] = field(factory=lambda: PerLoop(Deadlines))
    """What watches the calls on each event loop."""

    def close(self) -> None:
        """End every call and every wait, and let none begin."""
        self.is_closed = True
        for watching in self.deadlines.all():
            watching.expire_all()


@define(eq=False, repr=False)
class Progress(Deadline):
    """A call on its way: its deadline, and what is known of it when an error ends it."""

    endpoint: Endpoint[Any]
    started: float
    shared: Shared
    total: float | None
    """Seconds that it may take; `None` is without limit."""
    drops_204: bool
    """Whether nothing comes back where the service has nothing to say."""
    failures: int = 0
    """Attempts that failed, but for those that were refused with 429."""
    sent: int = 0
    """Requests; an attempt takes two where the URL format is still to be found, and none where
    the limiter says no."""
    request: Request | None = None
    """That of the attempt which is going on."""
    is_in_doubt: bool = False
    """Whether an earlier attempt may have been carried out."""
    failure: HumeError | None = None
    """What the last attempt failed with."""
    has_asked_again: bool = False
    """Whether its credential was refused, and asked for once more."""
    is_keyless: bool = False
    """Whether there is no credential: what it is made of was repeated already."""
    watch: Watch | None = None
    """Tells those who look at it; nobody does where there is none."""
    patient_until: float = math.inf
    """Time of the event loop's clock until which it goes on after refusals."""

    @property
    def now(self) -> float:
        """The time of the event loop's clock."""
        return self._owner.loop.time()

    @property
    def waits_until(self) -> float:
        """Time until which it waits for the limiter."""
        # No min(): every call passes here, and it takes twice the time.
        return self.when if self.when < self.patient_until else self.patient_until  # noqa: FURB136 - see above

    @property
    def is_waiting_after_refusal(self) -> bool:
        """Whether the last response was a 429, and no request has been written since."""
        is_written = self.request is not None and self.request.delivery is not Delivery.NOT_SENT
        return isinstance(self.failure, RateLimitError) and not is_written

    def may_be_silent_success(self, failure: HumeError) -> bool:
        """Whether silence may mean success: gateways never pass a 204 on."""
        return (
            self.drops_204
            and self.endpoint.method == "DELETE"
            and isinstance(failure, APITimeoutError)
            and failure.outcome_unknown
        )

    def end_with(self, failure: HumeError) -> HumeError:
        """Return the error of a call whose last attempt failed so."""
        earlier = self.failure
        if isinstance(failure, RateLimitWaitError):
            if isinstance(earlier, RateLimitError) and self.now >= self.waits_until:
                failure = earlier  # its time is up, and no wait was known to be too long
            else:
                failure.retry_after = failure.seconds
                if earlier is not None:
                    failure.take_response_of(earlier)
                failure.__cause__ = earlier
        return self._annotated(failure)

    def end_early(self) -> HumeError:
        """Return the error of a call whose time was up, or whose client was closed."""
        request = self.request
        is_sent = request is not None and request.delivery is Delivery.UNKNOWN
        is_unknown = self.is_in_doubt or is_sent
        if self.shared.is_closed:
            failure: HumeError = client_closed(outcome_unknown=is_unknown)
        elif self.is_waiting_after_refusal and self.failure is not None:
            failure = self.failure
        else:
            failure = APITimeoutError(
                f"the call{_place(request)} did not end within its total timeout of "
                f"{self.total:g} s",
                outcome_unknown=is_unknown,
            )
        return self._annotated(failure)

    def _annotated(self, failure: HumeError) -> HumeError:
        """Put what is known of the call on the error that ends it."""
        endpoint = self.endpoint
        self.shared.stats.failures += 1
        failure.method = endpoint.method
        failure.endpoint = endpoint.path
        failure.attempts = self.sent
        failure.elapsed = self.now - self.started
        # A response that cannot be read was a success all the same.
        is_unknown = failure.outcome_unknown or isinstance(failure, DecodeError)
        failure.outcome_unknown = self.may_be_silent_success(failure) or (
            is_unknown and not endpoint.repeatable
        )
        if isinstance(failure, NotFoundError) and endpoint.method == "DELETE":
            # A repeated DELETE finds nothing where the first one worked without a response.
            failure.outcome_unknown = self.is_in_doubt
        return failure


class TimedBody:
    """A streamed response whose reading ends with its call's deadline.

    Nobody but its reader is ever cancelled: a task that has left a stream without closing it
    goes on undisturbed.
    """

    def __init__(self, opened: OpenResponse, progress: Progress) -> None:
        self._opened = opened
        self._progress = progress
        self.status: int = opened.status
        self.headers: Mapping[str, str] = opened.headers

    async def read(self) -> bytes:
        """Read the body whole."""
        return b"".join([chunk async for chunk in self.chunks()])

    async def chunks(self) -> AsyncIterator[bytes]:
        """Read the body piece by piece."""
        chunks = self._opened.chunks()
        while (chunk := await self._next(chunks)) is not None:
            # Who never has to wait for a piece is never found waiting by anyio's cancellation.
            await checkpoint_if_cancelled()
            if self._progress.watch is not None:
                self._progress.watch.note_chunk(len(chunk))
            yield chunk

    async def _next(self, chunks: AsyncIterator[bytes]) -> bytes | None:
        progress = self._progress
        failure: HumeError | None = None
        if not progress.shared.is_closed and progress.now < progress.when:
            try:
                with progress:
                    return await anext(chunks, None)
            except HumeError as problem:
                failure = problem
        raise progress.end_early() if failure is None else progress.end_with(failure)


def _place(request: Request | None) -> str:
    """Say where a request was sent; nothing of one that still waited for its turn."""
    return "" if request is None else f" to {request.host}"
