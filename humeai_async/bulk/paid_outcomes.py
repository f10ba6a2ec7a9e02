"""Outcomes of requests that are paid for one by one: how a run of them is started, and its bill.

Resources call `start` with their kind of work. It knows no product.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, TypeVar

from humeai_async._base.cancellation import in_thread
from humeai_async._base.packages import load_package
from humeai_async.bulk.bill import Bill
from humeai_async.bulk.estimates import CostEstimate, estimate_cost
from humeai_async.bulk.ledger import Memory
from humeai_async.bulk.options import BulkOptions
from humeai_async.bulk.outcome import Outcome, label_of
from humeai_async.bulk.outcome_tables import failure_of
from humeai_async.bulk.outcomes import Outcomes
from humeai_async.bulk.patience import Patience
from humeai_async.bulk.pipeline import Pipeline
from humeai_async.bulk.progress import Progress
from humeai_async.bulk.reading_back import read_back
from humeai_async.bulk.runs import LEDGER, Into, Report, configuration_of, run_into
from humeai_async.bulk.single_requests import SingleRequests
from humeai_async.bulk.sinks import open_layout
from humeai_async.bulk.work import Pipes
from humeai_async.errors import InvalidArgumentError
from humeai_async.http.arguments import check_number, check_path
from humeai_async.http.multipart import File
from humeai_async.types.predictions.failures import Failure
from humeai_async.types.tabular import Tabular, make_table

R = TypeVar("R")

SHARING_WAIT = 10.0
"""Seconds that a source waits for others to share its request, where they come one by one: a
request is billed ten seconds at least."""


class PaidOutcomes(Outcomes[File, R]):
    """Outcomes as they come in, and what they cost; an async iterator.

    Leaving the loop early ends everything that runs for it.

    Args:
        work: How sources are sent.
        sources: What to send.
        ledger: What the run remembers: a `Memory`, the path of a ledger, or `None`.
        concurrency: Requests at once.
        together: Sources that may share a request, at most.
        options: As in `BulkOptions`.

    Raises:
        InvalidArgumentError: One is out of range.
    """

    def __init__(
        self,
        work: SingleRequests[R],
        sources: Iterable[File] | AsyncIterable[File],
        ledger: str | os.PathLike[str] | Memory | None,
        *,
        concurrency: int,
        together: int = 1,
        **options: Any,
    ) -> None:
        chosen = BulkOptions.of(
            None,
            job_size=together,
            group_wait=SHARING_WAIT,
            jobs_at_once=check_number("concurrency", concurrency, least=1),
            **options,
        )
        self._pipes = Pipes(
            kind=work,
            options=chosen,
            clock=work.clock,
            patience=Patience(work.session.pause, chosen.outage_patience),
            ledger=ledger,
            bill=work.bill,
            division=work.division,
        )
        super().__init__(Pipeline(sources, self._pipes).run)
        self.bill: Bill = work.bill
        """What the run costs, so far and over all of its starts."""
        self._work = work
        self._sources = sources
        self._is_written = False

    @property
    def _notes(self) -> Sequence[str]:
        bill = self.bill
        left = "" if bill.left is None else f", {bill.left:,.0f} left"
        spent = f"Bill: {bill.spent:,.0f} {bill.unit} spent{left}; {bill.in_doubt:,} in doubt."
        return (*super()._notes, spent)

    async def estimate(
        self,
        folder: str | os.PathLike[str] | None = None,
        formats: Sequence[str] = ("jsonl",),
    ) -> CostEstimate:
        """Find out what the run would cost, without beginning it.

        Reads each source, and converts it where the run would. Costs no request for recordings and
        images, and two for decisions, which are not billed. What the ledger has is not counted.

        Args:
            folder: Where `write_to` would keep the ledger, if it is to be called.
            formats: As for `write_to`; they matter only where the folder has a ledger.

        Returns:
            Cost in the unit of `bill`, and the sources that would be refused.

        Raises:
            InvalidArgumentError: The sources can be read only once: give a list.
            LedgerError: Another run has the ledger, or it is not this run's.
        """
        ledger, configuration = self._pipes.ledger, self._work.configuration
        if folder is not None:
            ledger = Path(check_path("folder", folder)) / LEDGER
            configuration = configuration_of(configuration, formats)
        return await estimate_cost(
            self._sources_again(), self._work, self._pipes.options, ledger, configuration
        )

    async def read_back(self) -> AsyncIterator[Outcome[File, R]]:
        """Give the results that earlier starts with this ledger have paid for.

        Costs no request; the run is not begun. Each source is read for its digest.

        Yields:
            An outcome for each source with a result in the ledger, in the order of the sources;
            `ResultLostError` is that of one whose response was lost.

        Raises:
            InvalidArgumentError: There is no `ledger=`, or the sources can be read only once.
            LedgerError: There is no such ledger, another run has it, or it is not this run's.
        """
        if self._pipes.ledger is None:
            raise InvalidArgumentError("name the ledger that has the results", field="ledger")
        found = read_back(self._sources_again(), self._work, self._pipes.ledger)
        async with aclosing(found) as outcomes:
            async for one in outcomes:
                yield one

    def _sources_again(self) -> Iterable[File]:
        """Return the sources, to be read without taking them from the run.

        Raises:
            InvalidArgumentError: They can be read only once.
        """
        sources = self._sources
        if isinstance(sources, AsyncIterable) or iter(sources) is sources:
            raise InvalidArgumentError(
                "these sources can be read only once: give a list", field="sources"
            )
        return sources

    async def write_to(
        self,
        folder: str | os.PathLike[str],
        formats: Sequence[str] = ("jsonl",),
        *,
        on_outcome: Callable[[Outcome[File, R]], None] | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> Report:
        """Run to the end, and write all results to files; go on where an earlier run stopped.

        The ledger is `ledger.db` in the folder. Every outcome is in the files once, whatever stops
        the program and however often it is started again, and is paid for once. Costs what the
        run costs. It takes the place of a loop over the outcomes.

        Args:
            folder: Where ledger and results are kept; made if it is not there.
            formats: Any of `jsonl`, `jsonl.zst` and `csv`; the same at every start. The files are
                called `measurements` or `decisions`; tables have the rows of `to_arrow`.
            on_outcome: Called with each outcome, once it is written.
            on_progress: Called with how far the run is: at the start, with each response, whenever
                outcomes were written, and when something holds it up.

        Returns:
            A summary of the run; `bill` says what was spent. Sources without an outcome are not
            written: the next start goes on with them.

        Raises:
            InvalidArgumentError: The run has another ledger or has begun already, or there is no
                such format.
            MissingPackageError: A format needs a package that is not installed.
            LedgerError: Another run has the folder, or it belongs to other settings.
            SaveError: The results cannot be written.
        """
        if self._pipes.ledger is not None:
            raise InvalidArgumentError(
                "write_to keeps the ledger in its folder: leave the ledger out", field="ledger"
            )
        if self._is_written or self.has_begun:
            raise InvalidArgumentError(
                "the run has begun: write_to takes the place of a loop over its outcomes",
                field="folder",
            )
        into = Into(
            folder=check_path("folder", folder),
            formats=(formats,) if isinstance(formats, str) else tuple(formats),
            pace=lambda: self._work.session.quota(self._work.bucket),
            layout=open_layout(self._work.stem),
            on_outcome=on_outcome,
            on_progress=on_progress,
        )
        self._is_written = True
        return await run_into(into, self._sources, self._pipes)

    async def to_arrow(self, model: str | None = None, *, long: bool = False) -> Any:
        """Run to the end, and make one table of all results, the first column naming the source.

        Memory holds the table. What failed has no rows, ends nothing, and is in `failures`
        afterwards. Bytes without a name are called `file`. With a ledger a result counts as
        delivered once the table is whole: the next start makes it of what was paid for already.

        Args:
            model: Nothing: these results have no models.
            long: Whether to make the long form: one row a score, or a question.

        Returns:
            A `pyarrow.Table`, its rows source by source in the order in which they arrived.

        Raises:
            InvalidArgumentError: A model is named, or outcomes have been taken already.
            MissingPackageError: pyarrow is not installed (extra `arrow`). Nothing was begun.
        """
        return await super().to_arrow(model, long=long)

    async def _collect(self, model: str | None, *, long: bool) -> tuple[Any, list[Failure]]:
        if model is not None:
            raise InvalidArgumentError("these results have no models", field="model")
        await in_thread(load_package, "pyarrow")
        rows: list[dict[str, Any]] = []
        columns: dict[str, str] = {"source": "string"}
        failures: list[Failure] = []
        async for one in self:
            name, found = label_of(one.source), one.predictions
            if isinstance(found, Tabular):
                rows += [{"source": name, **row} for row in found.rows(long=long)]
                columns |= found.columns(long=long)
            elif one.error is not None:
                failures.append(failure_of(name, one, one.error))
        return await in_thread(make_table, rows, columns), failures
