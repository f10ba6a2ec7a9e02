"""What the session keeps of calls: those of a client's family together, and each on its way.

Nothing here sends or decides; the session does.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Any

import anyio
from anyio.lowlevel import checkpoint_if_cancelled
from attrs import define, field

from humeai_async._base.event_loops import PerLoop
from humeai_async.errors import HumeError, RateLimitError
from humeai_async.http.deadlines import Deadline, Deadlines
from humeai_async.http.endpoint import Endpoint
from humeai_async.http.messages import Delivery, Request
from humeai_async.http.transport.interface import OpenResponse

if TYPE_CHECKING:
    from humeai_async.http.transport.websocket import Socket

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
    patient_until: float = math.inf
    """Time of the event loop's clock until which it goes on after refusals."""

    @property
    def is_outcome_unknown(self) -> bool:
        """Whether the call may have been carried out, if it ends here."""
        request = self.request
        return self.is_in_doubt or (request is not None and request.delivery is Delivery.UNKNOWN)

    @property
    def is_waiting_after_refusal(self) -> bool:
        """Whether the last response was a 429, and no request has been written since."""
        is_written = self.request is not None and self.request.delivery is not Delivery.NOT_SENT
        return isinstance(self.failure, RateLimitError) and not is_written


@define(eq=False, repr=False)
class Kept:
    """What outlives the attempt that opened it: a streamed response, or a socket."""

    stack: contextlib.AsyncExitStack = field(factory=contextlib.AsyncExitStack)
    """Closes it."""
    headers: Mapping[str, str] = NO_HEADERS
    """Headers of its request, on top of the origin's own."""
    opened: OpenResponse | Socket | None = None


class TimedBody:
    """A streamed response whose reading ends with its call's deadline.

    Nobody but its reader is ever cancelled: a task that has left a stream without closing it
    goes on undisturbed.
    """

    def __init__(
        self,
        opened: OpenResponse,
        progress: Progress,
        shared: Shared,
        end: Callable[[Progress, HumeError | None], HumeError],
    ) -> None:
        """Make a body.

        Args:
            opened: The response.
            progress: Its call.
            shared: Says whether the client is closed.
            end: Returns the error of a call that failed, or whose time was up.
        """
        self._opened = opened
        self._progress = progress
        self._shared = shared
        self._end = end
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
            yield chunk

    async def _next(self, chunks: AsyncIterator[bytes]) -> bytes | None:
        progress = self._progress
        failure: HumeError | None = None
        if not self._shared.is_closed and anyio.current_time() < progress.when:
            try:
                with progress:
                    return await anext(chunks, None)
            except HumeError as problem:
                failure = problem
        raise self._end(progress, failure)
