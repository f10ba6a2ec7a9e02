"""Many sources in, one outcome for each out: what every pipeline shares.

`Outcomes` runs a pipeline while it is iterated and hands its outcomes over one by one; what
the consumer has not taken is never ahead of it by more than the jobs in flight. The pipelines
are `Pipeline` in `pipeline.py` and those that products bring; their resources start them.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Sequence,
)
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar, cast

import anyio
import anyio.lowlevel
from attrs import define, field, setters

from humeai_async._base.async_only import AsyncOnly
from humeai_async._base.cancellation import run_uncancelled
from humeai_async._base.frozen import frozen
from humeai_async._base.packages import load_package
from humeai_async._base.urls import repr_without_query
from humeai_async.errors import (
    AuthenticationError,
    ClientClosedError,
    DecodeError,
    GatewayUnsupportedError,
    HumeError,
    InvalidArgumentError,
    PermissionDeniedError,
)
from humeai_async.http.messages import Upload
from humeai_async.types.sources import BulkSource, Text, name_of

if TYPE_CHECKING:
    from humeai_async.types.predictions.failures import Failures

S = TypeVar("S")
P = TypeVar("P")
P_co = TypeVar("P_co", covariant=True)
T = TypeVar("T")


FATAL_ERRORS = (
    AuthenticationError,
    PermissionDeniedError,
    GatewayUnsupportedError,
    ClientClosedError,
)
"""Errors that every other source would meet too, so they end the run."""


def label_of(source: object) -> str:
    """Return what a source of any product is called in files and tables.

    Args:
        source: A URL, a text, a path or a file. Bytes without a name are called `file`.
    """
    found = (source.filename or source.content) if isinstance(source, Upload) else source
    if isinstance(found, (str, os.PathLike, Text)):
        return name_of(cast("BulkSource", found))
    return "file"


class Unread(Protocol[P_co]):
    """Predictions that are read when somebody asks for them."""

    body: bytes

    def read(self) -> P_co:
        """Read the predictions from their JSON.

        Raises:
            DecodeError: They are not what was promised.
        """
        ...


def _repr_of(source: object) -> str:
    if isinstance(source, (bytes, bytearray)):
        return f"<{len(source)} bytes>"
    if isinstance(source, memoryview):
        return f"<{source.nbytes} bytes>"
    return repr_without_query(source)


@define(kw_only=True, eq=False, on_setattr=setters.frozen)
class Outcome(Generic[S, P]):
    """The outcome of one source; either `predictions` or `error` is set."""

    source: S = field(repr=_repr_of)
    """The source as it was given."""
    job_id: str | None = None
    """Job it went into; `None` where no job was started."""
    _predictions: P | None = field(default=None, alias="predictions")
    _error: HumeError | None = field(default=None, alias="error")
    key: bytes | None = field(default=None, repr=False)
    """Key of the source in the ledger of the run."""
    is_open: bool = False
    """True if the error is not the fault of the source (an outage, a quota, a timeout, a
    submission with an unknown outcome): the next run with the same ledger tries it again."""
    is_unreadable: bool = False
    """True if results exist and are paid for, but cannot be read or matched to this source:
    `retry_failed` reads or fetches them again and submits nothing."""
    _unread: Unread[P] | None = field(default=None, alias="unread", repr=False)
    """In place of the predictions, until somebody asks for them or for the error."""

    @property
    def predictions(self) -> P | None:
        """The predictions, or `None` if there is an error."""
        self._read()
        return self._predictions

    @property
    def error(self) -> HumeError | None:
        """Why the source has no predictions; `None` if it has some."""
        self._read()
        return self._error

    @property
    def body(self) -> bytes | None:
        """JSON text of a whole job's predictions as it came; `None` where there is none.

        Asking for it reads nothing: it is a list by its ends, and no more is known of it
        before `predictions` or `error` is asked for.
        """
        found = self._unread if self._unread is not None else self._predictions
        body: bytes | None = getattr(found, "body", None)
        return body

    @property
    def known(self) -> str:
        """What came of the source, as far as is known without reading anything."""
        if self._error is not None:
            return f"{type(self._error).__name__}: {self._error.message}"
        return "predictions" if self._unread is None else "a result that was not read yet"

    @property
    def is_known_to_fail(self) -> bool:
        """Whether there is an error, as far as is known without reading anything."""
        return self._error is not None

    def json_members(self) -> dict[str, object]:
        """Say what came of the source, for `to_dict`; of a file it is the name."""
        return {
            "source": label_of(self.source),
            "job_id": self.job_id,
            "predictions": self.predictions,
            "error": self.error,
            "is_open": self.is_open,
        }

    def result(self) -> P:
        """Return the predictions, or raise the error.

        Raises:
            HumeError: There are no predictions; this is `error`.
        """
        if self.error is not None:
            raise self.error
        predictions = self.predictions
        assert predictions is not None  # noqa: S101 - either of the two is set
        return predictions

    def _read(self) -> None:
        unread = self._unread
        if unread is None:
            return
        found, problem = None, None
        try:
            found = unread.read()
        except DecodeError as failure:
            problem = failure
        for name, value in (("_predictions", found), ("_error", problem), ("_unread", None)):
            object.__setattr__(self, name, value)


class SourceFailedError(HumeError):
    """Hume could not process one source of a job.

    Attributes:
        job_id: The job.
    """

    def __init__(self, message: str, *, job_id: str) -> None:
        super().__init__(message)
        self.job_id = job_id


class UnknownSubmissionError(HumeError):
    """Nobody knows whether a submission was carried out, and the service's list cannot be read.

    Nothing is submitted again while that is so: the source stays open, and the next start of
    the run looks again.
    """


@frozen(eq=False)
class _Offer(Generic[S, P]):
    """Outcomes handed over together, until the consumer has taken all of them."""

    left: deque[Outcome[S, P]]
    """Those that the consumer does not have yet."""
    is_empty: anyio.Event = field(factory=anyio.Event)


class OutcomeQueue(Generic[S, P]):
    """Where a pipeline and its consumer meet.

    Outcomes are given as many at a time as there are together: what each of them costs decides
    how many a second there can be.
    """

    def __init__(self) -> None:
        self._offers: deque[_Offer[S, P]] = deque()
        self._news = anyio.Event()
        self._has_ended = False
        self._in_hand: list[Outcome[S, P]] = []
        self._is_due = False
        """Whether the consumer is to let others run before it gets more."""
        self._untaken = 0
        self.taken: int = 0
        """Outcomes that the consumer has had."""
        self.failed: int = 0
        """Those of them that were known to have failed."""
        self._all_acked = anyio.Event()
        self.on_ack: Callable[[Sequence[Outcome[S, P]]], None] | None = None
        """Called with outcomes once the consumer has asked for the next ones."""

    async def give(self, outcomes: Iterable[Outcome[S, P]]) -> None:
        """Hand outcomes over; returns when the consumer has the last of them."""
        offer = _Offer(deque(outcomes))
        if not offer.left:
            return
        self._offers.append(offer)
        self._untaken += len(offer.left)
        self._news.set()
        try:
            await offer.is_empty.wait()
        finally:
            if offer.left:
                self._untaken -= len(offer.left)
                self._offers.remove(offer)

    async def all_acked(self) -> None:
        """Wait until the consumer has asked for another one after the last."""
        while self._untaken:
            self._all_acked = anyio.Event()
            await self._all_acked.wait()

    async def next_batch(self, most: int, *, acks: bool = True) -> list[Outcome[S, P]]:
        """Return the next outcomes.

        Args:
            most: Outcomes at most.
            acks: Whether asking for more says that the last ones are dealt with.

        Returns:
            One or more outcomes; none after the last.
        """
        if acks:
            self.ack()
        if self._is_due:
            # A consumer that never waits would keep the loop from all else.
            self._is_due = False
            await anyio.lowlevel.checkpoint()
        while not self._offers:
            if self._has_ended:
                return []
            self._news = anyio.Event()
            await self._news.wait()
        offer = self._offers[0]
        batch = [offer.left.popleft() for _ in range(min(most, len(offer.left)))]
        self._in_hand += batch
        self.taken += len(batch)
        self.failed += sum(one.is_known_to_fail for one in batch)
        if not offer.left:
            self._offers.popleft()
            offer.is_empty.set()
            self._is_due = True
        return batch

    def ack(self, dealt_with: Sequence[Outcome[S, P]] | None = None) -> None:
        """Note that the consumer has dealt with the outcomes in its hands, if there are any.

        Args:
            dealt_with: The outcomes as the consumer has them, where it changed some.
        """
        outcomes, self._in_hand = self._in_hand, []
        if not outcomes:
            return
        self._untaken -= len(outcomes)
        if self.on_ack is not None:
            self.on_ack(outcomes if dealt_with is None else dealt_with)
        if not self._untaken:
            self._all_acked.set()

    def at_hand(self) -> Iterator[Outcome[S, P]]:
        """Give the outcomes that the consumer deals with now, and those that wait for it."""
        yield from self._in_hand
        for offer in self._offers:
            yield from offer.left

    def end(self) -> None:
        """Say that no more outcomes come."""
        self._has_ended = True
        self._news.set()


class Outcomes(AsyncOnly, Generic[S, P]):
    """Outcomes as they come in; an async iterator.

    Leaving the loop early ends everything that runs for it. `async with` makes that certain
    on interpreters that do not collect garbage at once.
    """

    _instead = (
        "write `async for outcome in hume.batch.predict(...)`, or "
        "`await hume.batch.predict_into(folder, ...)` to have all of them in files"
    )

    def __init__(self, run: Callable[[OutcomeQueue[S, P]], Awaitable[None]]) -> None:
        self._run = run
        self._queue = OutcomeQueue[S, P]()
        self._host: asyncio.Task[None] | None = None
        self._failures: Failures | None = None

    @property
    def has_begun(self) -> bool:
        """Whether anything runs for it, or has."""
        return self._host is not None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Outcome[S, P]:
        for outcome in await self.next_batch(most=1):
            return outcome
        raise StopAsyncIteration

    async def next_batch(self, most: int, *, acks: bool = True) -> Sequence[Outcome[S, P]]:
        """Return the next outcomes, as many as there are together.

        Args:
            most: Outcomes at most.
            acks: Whether asking says that the last ones are dealt with; else `ack` does.

        Returns:
            One or more; none after the last.
        """
        if self._host is None:
            self._host = asyncio.create_task(_host(self._run, self._queue))
            self._host.add_done_callback(_look_at_error)
        outcomes = await self._queue.next_batch(most, acks=acks)
        if not outcomes:
            await asyncio.wait([self._host])
            self._host.result()
        return outcomes

    def ack(self, dealt_with: Sequence[Outcome[S, P]] | None = None) -> None:
        """Say that all outcomes so far are dealt with.

        A consumer that puts outcomes on disk in step with a ledger says it when it is true.

        Args:
            dealt_with: The outcomes as the consumer has them, where it changed some.
        """
        self._queue.ack(dealt_with)

    async def to_arrow(self, model: str | None = None, *, long: bool = False) -> Any:
        """Run to the end, and make one table of all predictions; see `Predictions.to_arrow`.

        Memory holds the table and the jobs in flight. Each source has the name that it was
        given as, a text itself; the texts of a job that is only fetched are `JOB#0`, `JOB#1`.
        What failed has no rows, ends nothing, and is in `failures` afterwards.

        Args:
            model: One of `face`, `burst`, `prosody`, `language`, `ner`, `facemesh`, to read only
                this one; all without it.
            long: Whether to make the long form, one row a score.

        Returns:
            A `pyarrow.Table`, its rows source by source in the order in which they arrived.

        Raises:
            InvalidArgumentError: There is no such model.
            MissingPackageError: pyarrow is not installed (extra `arrow`). Nothing was begun.
        """
        from humeai_async.bulk.outcome_tables import make_table
        from humeai_async.types.predictions.failures import Failures

        async with self:
            table, failures = await make_table(self, model=model, long=long)
        self._failures = Failures(failures)
        return table

    async def to_polars(self, model: str | None = None, *, long: bool = False) -> Any:
        """Run to the end, and make a `polars.DataFrame`; else as `to_arrow`.

        Raises:
            InvalidArgumentError: There is no such model.
            MissingPackageError: polars or pyarrow is not installed. Nothing was begun.
        """
        from humeai_async.types.predictions import tables

        load_package("polars")
        return tables.to_polars(await self.to_arrow(model, long=long))

    async def to_pandas(self, model: str | None = None, *, long: bool = False) -> Any:
        """Run to the end, and make a `pandas.DataFrame`; else as `to_arrow`.

        Raises:
            InvalidArgumentError: There is no such model.
            MissingPackageError: pandas or pyarrow is not installed. Nothing was begun.
        """
        from humeai_async.types.predictions import tables

        load_package("pandas")
        return tables.to_pandas(await self.to_arrow(model, long=long))

    @property
    def failures(self) -> Failures:
        """What has no rows in the table that was made of these outcomes, and why.

        Raises:
            InvalidArgumentError: No table has been made yet.
        """
        if self._failures is None:
            raise InvalidArgumentError(
                "failures are known once to_arrow, to_polars or to_pandas has made a table; "
                "a loop over the outcomes finds them in outcome.error",
                field="failures",
            )
        return self._failures

    def _repr_html_(self) -> str:
        """Show in a notebook how far it is, and the outcomes at hand; takes none of them."""
        from humeai_async._base.html import MOST_ROWS, table

        queue, found = self._queue, [*self._queue.at_hand()]
        return table(
            f"{type(self).__name__}: {self._state}; {queue.taken:,} so far, "
            f"{queue.failed:,} of them failed",
            ("source", "job", "outcome"),
            ((label_of(one.source), one.job_id, one.known) for one in found[:MOST_ROWS]),
            total=len(found),
            notes=self._notes,
        )

    @property
    def _state(self) -> str:
        host = self._host
        if host is None:
            return "not begun"
        if not host.done():
            return "under way"
        if host.cancelled():
            return "stopped"
        problem = host.exception()
        return "finished" if problem is None else f"ended by {type(problem).__name__}: {problem}"

    @property
    def _notes(self) -> Sequence[str]:
        """Sentences to stand below the table of a notebook."""
        return () if self._host else ("Nothing was sent yet: a loop over it begins.",)

    async def aclose(self) -> None:
        """End everything that runs for this iterator, and wait until it has."""
        if self._host is not None and not self._host.done():
            self._host.cancel()
            await run_uncancelled(_ended(self._host))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        if self._host is not None and not self._host.get_loop().is_closed():
            self._host.cancel()


def _look_at_error(host: asyncio.Task[None]) -> None:
    """Look at a run's error: whoever left the loop early does not, and asyncio would complain."""
    if not host.cancelled():
        host.exception()


async def _ended(host: asyncio.Task[None]) -> None:
    await asyncio.wait([host])


async def _host(
    run: Callable[[OutcomeQueue[S, P]], Awaitable[None]], queue: OutcomeQueue[S, P]
) -> None:
    """Run a pipeline; it holds no reference to the iterator, so that one can be collected."""
    try:
        await run(queue)
    except BaseExceptionGroup as group:
        problem = _first(group)
    else:
        return
    finally:
        queue.end()
    raise problem


def _first(problem: BaseException) -> BaseException:
    """Take the first error out of the groups that task groups put around it."""
    inner: tuple[BaseException, ...] = getattr(problem, "exceptions", ())
    return _first(inner[0]) if inner else problem


async def each(items: Iterable[T] | AsyncIterable[T]) -> AsyncIterator[T]:
    """Iterate over a plain or an asynchronous iterable alike."""
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item
