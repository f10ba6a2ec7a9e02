"""Many sources in, one outcome for each out: the iterator that every pipeline has.

`Outcomes` runs a pipeline while it is iterated and hands its outcomes over one by one; what
the consumer has not taken is never ahead of it by more than the jobs in flight. The pipelines
are `Pipeline` in `pipeline.py` and those that products bring; their resources start them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from humeai_async._base.advised import AsyncOnly
from humeai_async._base.cancellation import in_thread, run_uncancelled
from humeai_async._base.event_loops import ensure_running
from humeai_async._base.packages import load_package
from humeai_async.bulk.outcome import Outcome, label_of
from humeai_async.bulk.outcome_queue import OutcomeQueue
from humeai_async.errors import ClientClosedError, InvalidArgumentError

if TYPE_CHECKING:
    from humeai_async.types.predictions.failures import Failure, Failures

S = TypeVar("S")
P = TypeVar("P")


class Outcomes(AsyncOnly, Generic[S, P]):
    """Outcomes as they come in; an async iterator.

    Leaving the loop early ends everything that runs for it. `async with` makes that certain
    on interpreters that do not collect garbage at once.

    Several tasks may take from it. Each request for more says of all outcomes so far that they
    are dealt with: where a ledger is to know what was lost in a crash, let one task take.
    """

    _instead = (
        "write `async for outcome in hume.batch.predict(...)`, or "
        "`await hume.batch.predict_into(folder, ...)` to have all of them in files"
    )

    _running: asyncio.Task[None] | None = None
    """The task in which the pipeline runs; `None` before the first outcome is asked for."""

    def __init__(self, run: Callable[[OutcomeQueue[S, P]], Awaitable[None]]) -> None:
        self._run = run
        self._queue = OutcomeQueue[S, P]()
        self._failures: Failures | None = None
        self._is_closed = False

    @property
    def has_begun(self) -> bool:
        """Whether anything runs for it, or has."""
        return self._running is not None

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

        Raises:
            ClientClosedError: The run was closed before its end.
            ConfigurationError: It was begun on another event loop, or in the process that this
                one was forked from.
        """
        if self._running is not None:
            ensure_running(self._running.get_loop(), "this run")
        else:
            if self._is_closed:
                raise _closed_error()
            self._running = asyncio.create_task(_run_pipeline(self._run, self._queue))
            self._running.add_done_callback(_look_at_error)
        outcomes = await self._queue.next_batch(most, acks=acks)
        if not outcomes and not self._queue.is_all_given:
            await asyncio.wait([self._running])
            if self._running.cancelled():  # by `aclose`: nobody has cancelled the caller
                raise _closed_error()
            self._running.result()
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
        What failed has no rows, ends nothing, and is in `failures` afterwards. With a ledger an
        outcome counts as delivered once the table is whole: one that was interrupted
        is made again from the start, of the jobs that are there already.

        Args:
            model: One of `face`, `burst`, `prosody`, `language`, `ner`, `facemesh`, to read only
                this one; all without it.
            long: Whether to make the long form, one row a score.

        Returns:
            A `pyarrow.Table`, its rows source by source in the order in which they arrived.

        Raises:
            InvalidArgumentError: There is no such model, or outcomes have been taken already.
            MissingPackageError: pyarrow is not installed (extra `arrow`). Nothing was begun.
        """
        return await self._make_table(model, long=long, convert=None)

    async def _make_table(
        self, model: str | None, *, long: bool, convert: Callable[[Any], Any] | None
    ) -> Any:
        from humeai_async.types.predictions.failures import Failures

        self.ensure_not_begun()
        self._queue.is_all_or_nothing = True
        async with self:
            table, failures = await self._collect(model, long=long)
            if convert is not None:
                table = await in_thread(convert, table)
            self._queue.confirm()
            await self.next_batch(most=1)  # there is none, or the error that the run ended with
        self._failures = Failures(failures)
        return table

    async def _collect(self, model: str | None, *, long: bool) -> tuple[Any, list[Failure]]:
        """Make a table of all outcomes, and a list of what failed."""
        from humeai_async.bulk.outcome_tables import make_table

        return await make_table(self.next_batch, model=model, long=long)

    def ensure_not_begun(self) -> None:
        """Refuse to make a table of what a loop, or another table, has left.

        Raises:
            InvalidArgumentError: Outcomes have been taken already.
        """
        if self.has_begun:
            raise InvalidArgumentError(
                "the run has begun: a table takes the place of a loop over its outcomes, and is "
                "made once; keep what it returned, or collect the outcomes in the loop",
                field="outcomes",
            )

    async def to_polars(self, model: str | None = None, *, long: bool = False) -> Any:
        """Run to the end, and make a `polars.DataFrame`; else as `to_arrow`.

        Raises:
            InvalidArgumentError: There is no such model.
            MissingPackageError: polars or pyarrow is not installed. Nothing was begun.
        """
        from humeai_async.types.predictions import tables

        await in_thread(load_package, "polars")
        return await self._make_table(model, long=long, convert=tables.to_polars)

    async def to_pandas(self, model: str | None = None, *, long: bool = False) -> Any:
        """Run to the end, and make a `pandas.DataFrame`; else as `to_arrow`.

        Raises:
            InvalidArgumentError: There is no such model.
            MissingPackageError: pandas or pyarrow is not installed. Nothing was begun.
        """
        from humeai_async.types.predictions import tables

        await in_thread(load_package, "pandas")
        return await self._make_table(model, long=long, convert=tables.to_pandas)

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
        running = self._running
        if running is None:
            return "not begun"
        if not running.done():
            return "under way"
        if running.cancelled():
            return "stopped"
        problem = running.exception()
        return "finished" if problem is None else f"ended by {type(problem).__name__}: {problem}"

    @property
    def _notes(self) -> Sequence[str]:
        """Sentences to stand below the table of a notebook."""
        return () if self._running else ("Nothing was sent yet: a loop over it begins.",)

    async def aclose(self) -> None:
        """End everything that runs for this iterator, and wait until it has.

        Whoever asks it for more afterwards gets a `ClientClosedError`, unless it was at its end.
        """
        self._is_closed = True
        if self._running is not None and not self._running.done():
            ensure_running(self._running.get_loop(), "this run")
            self._running.cancel()
            await run_uncancelled(_ended(self._running))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __del__(self) -> None:
        # The garbage collector comes in any thread: the loop's own cancels, in a turn of its own.
        running = self._running
        if running is not None and not running.done():
            with contextlib.suppress(RuntimeError):  # the loop is closed
                running.get_loop().call_soon_threadsafe(running.cancel)


def _closed_error() -> ClientClosedError:
    return ClientClosedError(
        "the run was closed before its end: what is missing is not lost. Call `predict` again, "
        "with the same ledger if it has one"
    )


def _look_at_error(running: asyncio.Task[None]) -> None:
    """Look at a run's error: whoever left the loop early does not, and asyncio would complain."""
    if not running.cancelled():
        running.exception()


async def _ended(running: asyncio.Task[None]) -> None:
    await asyncio.wait([running])


async def _run_pipeline(
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
