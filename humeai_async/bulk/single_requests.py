"""One request, one result: the kind of work of services that measure a file at once.

The result exists in the response and nowhere else, so it is on disk before the next step. Where
a response was lost, the service's list of runs settles whether the request was carried out: by
time, size and settings, and never by a run that has another request's response. Of two lost
requests that are alike in all three, nobody can tell whose a listed run is: it stands for either of
them, once, so that no more is paid for than there are requests. What the file is and what the list
says of it, products add.
"""

from __future__ import annotations

import abc
import hashlib
import uuid
from collections.abc import (
    AsyncIterator,
    Callable,
    Collection,
    Generator,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import contextmanager
from typing import Any, Generic, TypeVar, cast

import anyio
from attrs import evolve

from humeai_async._base.cancellation import in_thread
from humeai_async._base.frozen import frozen
from humeai_async.bulk.bill import Bill
from humeai_async.bulk.bodies import Body
from humeai_async.bulk.ledger_records import PART, Plan, key_of
from humeai_async.bulk.listed_runs import ListedRuns, started_ms
from humeai_async.bulk.work import (
    CLOCK_SLACK_MS,
    REFUSED,
    UNKNOWN_CLOCK_SLACK_MS,
    Division,
    Item,
    NotCarriedOutError,
    Reading,
    RecordedRequest,
    Sending,
    ServiceClock,
    Submitted,
)
from humeai_async.errors import DecodeError, InvalidArgumentError, ResultLostError
from humeai_async.http import codec
from humeai_async.http.endpoint import Call, Endpoint
from humeai_async.http.messages import Part, Upload
from humeai_async.http.multipart import LARGEST_FILE, File, as_part, read_whole
from humeai_async.http.session import Session
from humeai_async.types.json import is_object

R = TypeVar("R")

NEAR_MS = 3_000
"""Milliseconds between a submission and the start of a run that is believed not to be billed: a
run from before could be another's, and what is sent again for it would be paid for twice."""


@frozen
class Prepared:
    """A request that is ready to be sent."""

    call: Call[Any]
    size: int
    """Bytes of its files, as they are sent."""
    seconds: float
    """Length of its files."""
    missing: int = 0
    """Files that it was sent with at an earlier start, and that are not at hand now."""


@frozen
class Quote:
    """What one source would cost."""

    key: bytes
    """What stands for it in a ledger."""
    seconds: float
    """Length of its file."""
    cost: float
    """What its request may be billed for."""
    share: float = 1.0
    """What it takes of the room in a request, which is 1."""


class SingleRequests(abc.ABC, Generic[R]):
    """Requests of one product, as the pipeline runs them.

    Args:
        session: Makes the calls.
        budget: What all starts together may be billed, in units; `None` is without limit.
    """

    stem: str
    """Name of the files of results, without their endings."""
    unit: str
    """What is billed."""
    bucket: str
    """The quota that the requests count toward."""
    runs: Endpoint[Any]
    """Where the service lists its runs."""
    run: Endpoint[Any]
    """Where it gives one of them."""
    keeps_results: bool = False
    """Whether the service keeps results."""

    def __init__(self, session: Session, budget: float | None) -> None:
        self.session = session
        self.longest_submission: float | None = session.timeout.total
        """Seconds that a submission may be on its way, the upload included."""
        self.clock: ServiceClock = ServiceClock()
        """Learns the service's time."""
        self.bill: Bill = Bill(self.unit, budget)
        """What the requests cost."""
        self.division: Division[File, R] | None = None
        """How a source that is too large for one request is divided, if it can be."""
        self._listed = ListedRuns(session, self.clock, self.runs, self.run)
        self._claimed: set[str] = set()
        """Runs that belong to a request of this start."""
        self._under_way: set[anyio.Event] = set()

    # What products say.

    @property
    @abc.abstractmethod
    def configuration(self) -> str:
        """What the results depend on besides the sources, as text."""

    @abc.abstractmethod
    async def prepare(self, files: Sequence[Upload]) -> Prepared:
        """Make the request for some files that share it, their bytes in memory.

        Raises:
            InvalidArgumentError: The service would refuse it.
        """

    @abc.abstractmethod
    async def price(self, seconds: float) -> float:
        """Return what a request with files of this length may cost."""

    @abc.abstractmethod
    def cost_of(self, response: Mapping[str, Any]) -> float:
        """Return what a response says that it is billed for."""

    @abc.abstractmethod
    def cost_of_run(self, run: Mapping[str, Any]) -> float | None:
        """Return what a listed run is billed for: 0 is surely nothing, `None` is not known."""

    @abc.abstractmethod
    def may_be(self, run: Mapping[str, Any], prepared: Prepared) -> bool:
        """Whether a listed run may be that of a request, by its size and kind."""

    @abc.abstractmethod
    def has_settings(self, run: Mapping[str, Any]) -> bool:
        """Whether a single run was asked for with these settings, as far as it says."""

    @abc.abstractmethod
    def read_response(self, response: Any, seconds: float) -> R:
        """Read the result of one file.

        Raises:
            DecodeError: It is not what was promised.
        """

    def read_each(
        self, plan: Plan, response: Any, seconds: float, items: Sequence[Item[File]]
    ) -> list[Reading[R]]:
        """Find the results of some sources of a request.

        Raises:
            DecodeError: They are not what was promised.
        """
        del plan
        return [Reading(self.read_response(response, seconds)) for _ in items]

    async def look_at(self, source: File) -> Item[File]:
        """Say what a source is, which has a request for itself here.

        Raises:
            InvalidArgumentError: It cannot be read.
        """
        return Item("clip", await self._key_of(source), source, share=1.0)

    async def quote(self, source: File) -> Quote:
        """Say what a source would cost, and make sure that the service would take it.

        Raises:
            InvalidArgumentError: It would not.
        """
        file = await self._read(source)
        prepared = await self.prepare([file])
        key = await in_thread(key_of_content, cast("bytes", file.content))
        return Quote(key, prepared.seconds, await self.price(prepared.seconds))

    # What the pipeline asks.

    async def identify(self, sources: Sequence[File]) -> list[Item[File]]:
        """Say what each source is: its bytes, read once for their digest."""
        return [await self._identify(source) for source in sources]

    async def begin(self) -> int | None:
        """Return when the newest run began, by the service's clock; costs one request."""
        return await self._listed.newest_ms()

    async def submit(self, items: Sequence[Item[File]], sending: Sending) -> Submitted:
        """Send the request for sources that share it."""
        prepared = await self._prepare(items)
        cost = 0.0 if self.bill.budget is None else await self.price(prepared.seconds)
        endpoint = evolve(prepared.call.endpoint, returns=bytes)
        call = evolve(prepared.call, endpoint=endpoint, before_send=sending)
        with self.bill.reserved(cost), self._noted():
            body = cast("bytes", await self.session.call(call))
            response = codec.parse(body)
            if not is_object(response):
                raise DecodeError("the response is no object", path="$", outcome_unknown=True)
            given = response.get("run_id")
            name = given if isinstance(given, str) and given else f"unnamed-{uuid.uuid4()}"
            self._claimed.add(name)
        return Submitted(name, keep_result(prepared.seconds, body), self.cost_of(response))

    async def search(
        self, plan: Plan, items: Sequence[Item[File]], known: Collection[str], *, is_new: bool
    ) -> Submitted | None:
        """Look for the run of a request in the list; costs a request for 200 runs since.

        Raises:
            NotCarriedOutError: It has a run that is not billed.
        """
        del is_new
        missing = len(plan.keys) - len(items)
        prepared = evolve(await self._prepare(items), missing=missing)
        listed = [run async for run in self._since(plan) if self.may_be(run, prepared)]
        # Each of these runs belongs to a request that has its response by now, is on its way,
        # or has lost its response as well. Who is on its way may still take its own.
        for event in tuple(self._under_way):
            await event.wait()
        unbilled = ""
        for run in listed:
            name = run["run_id"]
            if name in known or name in self._claimed:
                continue
            cost = self.cost_of_run(run)
            if cost == 0 and not self._is_near(run, plan):
                continue
            if not self.has_settings(await self._listed.get(name)) or name in self._claimed:
                continue
            if cost == 0:
                unbilled = name
                continue
            self._claimed.add(name)
            return Submitted(name, cost=cost or 0.0)
        if unbilled and unbilled not in self._claimed:
            self._claimed.add(unbilled)
            raise NotCarriedOutError
        return None

    async def collect(
        self,
        work_id: str,
        timeout: float | None,
        on_request: Callable[[RecordedRequest | None], None],
        into: Body,
    ) -> None:
        """Say that a result is lost: the service keeps none."""
        del work_id, timeout, on_request
        into.hold(b'{"lost":true}')

    def read(
        self, plan: Plan, work_id: str, body: Body, items: Sequence[Item[File]]
    ) -> Iterator[Reading[R]]:
        """Read a result.

        Raises:
            DecodeError: It is not what was promised.
        """
        kept = codec.parse(body.whole())
        if kept.get("lost"):
            problem = ResultLostError(
                "the service has carried this request out, and its response did not arrive; "
                "retry_failed=True sends it again, which is billed again",
                run_id=work_id,
            )
            return iter([Reading[R](error=problem) for _ in items])
        return iter(self.read_each(plan, kept["response"], kept["seconds"], items))

    # How.

    async def _identify(self, source: File) -> Item[File]:
        try:
            return await self.look_at(source)
        except InvalidArgumentError as problem:
            return Item(REFUSED, key_of(REFUSED, repr(source)), source, problem=problem)

    async def _key_of(self, source: File) -> bytes:
        """Return what stands for a source in a ledger."""
        return await in_thread(key_of_content, cast("bytes", (await self._read(source)).content))

    async def _read(self, source: File) -> Upload:
        part = await read_part(source, largest=LARGEST_FILE)
        return Upload(await read_whole(part), part.filename)

    async def _prepare(self, items: Sequence[Item[File]]) -> Prepared:
        return await self.prepare([await self._read_item(item) for item in items])

    async def _read_item(self, item: Item[File]) -> Upload:
        if item.kind == PART:  # made by this start
            return cast("Upload", item.source)
        file = await self._read(item.source)
        if await in_thread(key_of_content, cast("bytes", file.content)) != item.key:
            raise InvalidArgumentError(
                f"{file.filename or 'a source'} was changed during the run", field="sources"
            )
        return file

    @contextmanager
    def _noted(self) -> Generator[None]:
        """Note in a block that a request is on its way."""
        event = anyio.Event()
        self._under_way.add(event)
        try:
            yield
        finally:
            self._under_way.discard(event)
            event.set()

    def _since(self, plan: Plan) -> AsyncIterator[Mapping[str, Any]]:
        """Give all runs that may be that of a plan."""
        longest, latest = self.longest_submission, None
        if plan.sent_ms is not None and longest is not None:
            latest = plan.sent_ms + longest * 1000 + CLOCK_SLACK_MS
        return self._listed.between(self._least(plan), latest)

    def _least(self, plan: Plan) -> float:
        """Return a time of the service's clock before which a planned run cannot begin."""
        if plan.sent_ms is not None:
            return plan.sent_ms - CLOCK_SLACK_MS
        return plan.planned_ms + (self.clock.ahead_ms or 0) - UNKNOWN_CLOCK_SLACK_MS

    def _is_near(self, run: Mapping[str, Any], plan: Plan) -> bool:
        return plan.sent_ms is not None and started_ms(run) >= plan.sent_ms - NEAR_MS


async def read_part(source: File, *, largest: int, too_large: str | None = None) -> Part:
    """Look at a source of a bulk run, without reading its content.

    Raises:
        InvalidArgumentError: It is none, larger than so many bytes, or can be read only once.
    """
    part = await as_part(source, argument="sources", largest=largest, too_large=too_large)
    content = source.content if isinstance(source, Upload) else source
    if not part.repeatable or hasattr(content, "read"):  # an open file has been read once
        raise InvalidArgumentError(
            "a source of a bulk run is read more than once: give a path or bytes", field="sources"
        )
    return part


def keep_result(seconds: float, response: bytes) -> bytes:
    """Return what the ledger keeps of a result, for `read_response`."""
    return b'{"seconds":%.3f,"response":%b}' % (seconds, response)


def key_of_digest(digest: str) -> bytes:
    """Return what stands for a source in a ledger, by the SHA-256 of its content."""
    return key_of("clip", digest)


def key_of_content(data: bytes) -> bytes:
    """Return what stands for a source in a ledger."""
    return key_of_digest(hashlib.sha256(data).hexdigest())
