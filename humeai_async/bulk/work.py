"""What the pipeline asks of a kind of work, and the clock it is dated by.

A kind of work costs money and may be answered late: batch jobs, which many sources share and
which are submitted, waited for and fetched, are one; "one request, one result" is the other.
The pipeline in `pipeline.py` runs them all and knows none; each product brings its own.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from email.utils import parsedate_to_datetime
from typing import Generic, Protocol, TypeVar

from attrs import field

from humeai_async._base.frozen import frozen
from humeai_async._base.urls import repr_without_query
from humeai_async.bulk.bill import Bill
from humeai_async.bulk.bodies import Body
from humeai_async.bulk.ledger_records import Plan
from humeai_async.bulk.options import BulkOptions
from humeai_async.bulk.outcome import Outcome
from humeai_async.bulk.patience import Patience
from humeai_async.errors import HumeError
from humeai_async.http.messages import Delivery, Request, Response

S = TypeVar("S")
R = TypeVar("R")

UNKNOWN_CLOCK_SLACK_MS = 1_260_000
"""Milliseconds by which clocks may differ if the service's was not told before a submission: ten
minutes on either side of an interruption, for this machine's may have been set in between."""
CLOCK_SLACK_MS = 60_000
"""Milliseconds by which the service's clocks may differ from one another."""

STEP_MS = 5_000
"""Milliseconds by which two clocks of this machine do not part unless one was set, or stood."""

REFUSED = "refused"
"""Kind of what is no source at all."""


@frozen
class Reading(Generic[R]):
    """What the results of a piece of work say of one source."""

    result: R | None = None
    error: HumeError | None = None
    """Why there is no result."""
    is_unreadable: bool = False
    """Whether there is one that cannot be read, or not assigned to this source."""
    size: int = 0
    """Bytes of JSON that the result holds, about, where that is known."""


@frozen
class Item(Generic[S]):
    """One source of a bulk run, with the key that the ledger knows it by."""

    kind: str
    """Sources of different kinds never share a piece of work."""
    key: bytes
    """What stands for it in the ledger."""
    source: S = field(repr=repr_without_query)
    mark: bytes | None = None
    """Digest that its results, or a request that lists it, are recognised by."""
    problem: HumeError | None = None
    """Why it is refused without being sent."""
    share: float = 0.0
    """What it takes of the room in a piece of work, which is 1."""

    def outcome(
        self, found: Reading[R], work_id: str | None = None, *, is_open: bool = False
    ) -> Outcome[S, R]:
        """Return what came of it: what its piece of work says, or why there is none."""
        return Outcome(
            source=self.source,
            job_id=work_id,
            predictions=found.result,
            error=found.error,
            key=self.key,
            is_open=is_open,
            is_unreadable=found.is_unreadable,
            size=found.size,
        )


@frozen
class Submitted:
    """What the service said to a submission."""

    work_id: str
    """Its name for the piece of work."""
    body: bytes | None = field(default=None, repr=False)
    """The result, where it comes with the response."""
    cost: float = 0.0
    """What it is billed for in the service's units, where it says so."""


class NotCarriedOutError(Exception):
    """The service says of a submission that it was not carried out, and is not billed."""


class Sending:
    """The requests of one submission: writes down when they are sent, and knows what is known.

    Args:
        write_down: Puts on disk that a request may have been carried out from now on.
    """

    def __init__(self, write_down: Callable[[], Awaitable[None]]) -> None:
        self._write_down = write_down
        self._request: Request | None = None

    async def __call__(self, request: Request) -> None:
        """Write down that a request is about to be sent."""
        self._request = request
        await self._write_down()

    @property
    def was_sent(self) -> bool:
        """Whether it stands on disk that a request was sent."""
        return self._request is not None

    @property
    def is_in_doubt(self) -> bool:
        """Whether the last request was sent, and may have been carried out."""
        delivery = Delivery.NOT_SENT if self._request is None else self._request.delivery
        return delivery not in {Delivery.NOT_SENT, Delivery.REFUSED}


@frozen
class RecordedRequest:
    """What the service has recorded of the request for a piece of work."""

    kind: str
    """Kind of its sources."""
    marks: tuple[bytes, ...]
    """Marks of its sources."""
    made_ms: int | None = None
    """Milliseconds since 1970, by the service's clock, when it was made."""
    has_content: bool = False
    """Whether the marks are of the sources' content, so that there are no other words for them."""
    is_odd: bool = False
    """Whether its settings differ from those that were sent."""


class WorkKind(Protocol[S, R]):
    """One kind of work; errors are `HumeError`s with `outcome_unknown` set where it is so."""

    @property
    def configuration(self) -> str:
        """What the results depend on besides the sources, as text."""
        ...

    async def identify(self, sources: Sequence[S]) -> list[Item[S]]:
        """Say what each source is; one that cannot be sent has a `problem`."""
        ...

    async def begin(self) -> int | None:
        """Return when the service's newest piece of work was made, by its clock, if it says so.

        Called once at the start of a run, before anything is submitted; 0 where there is none.
        """
        ...

    @property
    def longest_submission(self) -> float | None:
        """Seconds that a request of a submission may be on its way; `None` is without limit."""
        ...

    @property
    def keeps_results(self) -> bool:
        """Whether the service keeps results, so that a response may be done without."""
        ...

    async def submit(self, items: Sequence[Item[S]], sending: Sending) -> Submitted:
        """Submit one piece of work. This costs money, and is never repeated by itself.

        Args:
            items: Its sources.
            sending: To be awaited with each request, right before that is sent.
        """
        ...

    async def search(
        self, plan: Plan, items: Sequence[Item[S]], known: Collection[str], *, is_new: bool
    ) -> Submitted | None:
        """Look for a piece of work whose submission was not answered.

        Args:
            plan: What was planned.
            items: Its sources.
            known: Names of pieces of work that are others.
            is_new: Whether it was planned since `begin`, and not by an earlier start.

        Returns:
            What is there; `None` if the service surely does not list it, by now.

        Raises:
            NotCarriedOutError: The service knows it, and has not carried it out.
            HumeError: Nobody can tell: the list, or a part of it, cannot be read.
        """
        ...

    async def collect(
        self,
        work_id: str,
        timeout: float | None,
        on_request: Callable[[RecordedRequest | None], None],
        into: Body,
    ) -> None:
        """Wait for a piece of work and fetch its results.

        Args:
            work_id: Its name.
            timeout: Seconds at most; `None` is without limit.
            on_request: Called, before anything else is believed of it, with what the service has
                recorded of its request, where it shows that. Raises where it is another one.
                With `None` where the service knows it, and is not done with it.
            into: Takes the results, in place of what is there.
        """
        ...

    def read(
        self, plan: Plan, work_id: str, body: Body, items: Sequence[Item[S]]
    ) -> Iterator[Reading[R]]:
        """Find what results say of some sources of a piece of work, in the order of `items`.

        It blocks, and so does each step of what it returns: where the body is on disk, it is
        called in a thread.

        Raises:
            DecodeError: Nothing, or nothing more, can be read; a step may raise it, too.
            OSError: The disk does not give it.
        """
        ...


DoPart = Callable[[Item[S]], Awaitable[R]]
"""Has the service do one part, unless the ledger has its result."""


class Division(Protocol[S, R]):
    """How a kind of work divides a source."""

    def is_for_parts(self, problem: HumeError) -> bool:
        """Whether a source that was refused for this, before it was sent, can be divided."""
        ...

    async def do_in_parts(self, item: Item[S], do_part: DoPart[S, R]) -> tuple[R, str, bytes]:
        """Have each part done, and put their results together.

        Returns:
            The result, a name for it, and what the kind of work reads it from again.

        Raises:
            PartialResultError: A part failed after others had been done.
            HumeError: The first one failed, or the source cannot be divided.
        """
        ...


class ServiceClock:
    """The service's clock, as far as its responses show it."""

    def __init__(self) -> None:
        self.ahead_ms: int | None = None
        """Milliseconds by which it is ahead of this machine's; `None` while not known."""
        self._started_ms = 0
        """The service's time when this machine's steady clock began, by the last response."""
        self.newest_ms: int | None = None
        """When the newest piece of work at the service was made, as last seen by its clock."""

    def observe(self, response: Response) -> None:
        """Learn from the `Date` of a response that has just come, if it is the service's."""
        if not response.has_service_headers:
            return
        try:
            sent_at = parsedate_to_datetime(response.headers.get("date", ""))
            # Cut to the second: half of one is the best guess.
            time_ms = round(sent_at.timestamp() * 1000) + 500
        except (TypeError, ValueError, OverflowError):  # none, or none that can be read
            return
        self.ahead_ms = time_ms - local_ms()
        self._started_ms = time_ms - _steady_ms()

    def see(self, created_ms: int) -> None:
        """Note when a piece of work at the service was made."""
        self.newest_ms = max(self.newest_ms or 0, created_ms)

    @property
    def now_ms(self) -> int | None:
        """The service's time, or an earlier one, as no piece of work from now on can have.

        Where it is not told, it is the newest that was seen, if any was.
        """
        # Another of the service's clocks may be ahead: no piece of work is from the future.
        return self.newest_ms if self.ahead_ms is None else min(self._times())

    @property
    def sent_ms(self) -> int | None:
        """The service's time of what is sent now; `None` where it is not known."""
        if self.ahead_ms is None:
            return None
        by_wall, by_steady = self._times()
        return by_wall if abs(by_wall - by_steady) < STEP_MS else None

    def _times(self) -> tuple[int, int]:
        """Return the service's time by this machine's two clocks, as of the last response.

        One may be set, the other may stand while the machine sleeps.
        """
        return local_ms() + (self.ahead_ms or 0), _steady_ms() + self._started_ms

    def earliest_ms(self, plan: Plan) -> int:
        """Return a time of the service's clock before which a planned one cannot be made."""
        if plan.after_ms is not None:
            return plan.after_ms - CLOCK_SLACK_MS
        return plan.planned_ms + (self.ahead_ms or 0) - UNKNOWN_CLOCK_SLACK_MS

    def age_ms(self, plan: Plan) -> int | None:
        """Return for how long at least a piece of work is sent, by the service's clock, if known.

        This machine's clock says nothing of that: it may have been set since.
        """
        if self.ahead_ms is None or plan.sent_ms is None:
            return None
        return min(self._times()) - plan.sent_ms


@frozen(kw_only=True)
class Pipes(Generic[S, R]):
    """Everything that a bulk pipeline is given: kind of work, options, clock, ledger."""

    kind: WorkKind[S, R]
    options: BulkOptions
    clock: ServiceClock
    patience: Patience
    """Waits, for the service and between searches."""
    on_submitted: Callable[[str], object] | None = None
    """Called with the service's name of each piece of work that is there."""
    ledger: object = field(default=None)
    """A `Ledger`, the path of one, or `None`."""
    bill: Bill = field(factory=Bill)
    """What the run costs."""
    division: Division[S, R] | None = None
    """How a source that is too large for one piece of work is divided, if it can be."""


def _steady_ms() -> int:
    """Return milliseconds by a clock that nobody sets."""
    return round(time.monotonic() * 1000)


def local_ms() -> int:
    """Return milliseconds since 1970 by this machine's clock."""
    return round(time.time() * 1000)
