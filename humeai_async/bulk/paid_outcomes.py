"""Outcomes of requests that are paid for one by one: how a run of them is started, and its bill.

Resources call `start` with their kind of work. It knows no product.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Callable, Iterable
from typing import Any, TypeVar, cast

from humeai_async._base.cancellation import in_thread
from humeai_async.bulk.bill import Bill
from humeai_async.bulk.ledger import Ledger
from humeai_async.bulk.options import BulkOptions
from humeai_async.bulk.outcomes import Outcome, Outcomes
from humeai_async.bulk.patience import Patience
from humeai_async.bulk.pipeline import Pipeline
from humeai_async.bulk.single_requests import SingleRequests
from humeai_async.bulk.work import Pipes, ServiceClock
from humeai_async.errors import HumeError, InvalidArgumentError
from humeai_async.http.messages import Upload
from humeai_async.http.multipart import File
from humeai_async.http.session import Session
from humeai_async.types.predictions.failures import Failure, Failures
from humeai_async.types.predictions.tables import load
from humeai_async.types.tabular import Tabular, make_table

R = TypeVar("R")


class PaidOutcomes(Outcomes[File, R]):
    """Outcomes as they come in, and what they cost; an async iterator.

    Leaving the loop early ends everything that runs for it.

    Args:
        pipes: What the run works with.
        sources: What to send.
    """

    def __init__(
        self, pipes: Pipes[File, R], sources: Iterable[File] | AsyncIterable[File]
    ) -> None:
        super().__init__(Pipeline(sources, pipes).run)
        self.bill: Bill = pipes.bill
        """What the run costs, so far and over all of its starts."""

    async def to_arrow(self, model: str | None = None, *, long: bool = False) -> Any:
        """Run to the end, and make one table of all results, the first column naming the source.

        Memory holds the table. What failed has no rows, ends nothing, and is in `failures`
        afterwards. Bytes without a name are called `file`.

        Args:
            model: Nothing: these results have no models.
            long: Whether to make the long form: one row a score, or a question.

        Returns:
            A `pyarrow.Table`, its rows source by source in the order in which they arrived.

        Raises:
            InvalidArgumentError: A model is named.
            MissingPackageError: pyarrow is not installed (extra `arrow`). Nothing was begun.
        """
        if model is not None:
            raise InvalidArgumentError("these results have no models", field="model")
        load("pyarrow")
        rows: list[dict[str, Any]] = []
        columns: dict[str, str] = {"source": "string"}
        failures: list[Failure] = []
        async with self:
            async for one in self:
                name, found = _name_of(one.source), one.predictions
                if isinstance(found, Tabular):
                    rows += [{"source": name, **row} for row in found.rows(long=long)]
                    columns |= found.columns(long=long)
                elif one.error is not None:
                    failures.append(_failure(name, one, one.error))
        self._failures = Failures(failures)
        return await in_thread(make_table, rows, columns)


def _name_of(source: File) -> str:
    """Return what a source is called in tables."""
    content: object = source
    if isinstance(source, Upload):
        content = source.filename or source.content
    is_name = isinstance(content, (str, os.PathLike))
    return os.fsdecode(cast("str", content)) if is_name else "file"


def _failure(name: str, outcome: Outcome[File, R], problem: HumeError) -> Failure:
    return Failure(
        source=name,
        job_id=outcome.job_id,
        error=type(problem).__name__,
        message=problem.message,
        is_open=outcome.is_open,
    )


def pipes_of(
    session: Session,
    kind: Callable[[ServiceClock, Bill], SingleRequests[R]],
    bill: Bill,
    options: BulkOptions,
    ledger: str | os.PathLike[str] | Ledger | None,
) -> Pipes[File, R]:
    """Put together what a run of single requests works with.

    Args:
        session: Makes its calls.
        kind: Makes its kind of work.
        bill: What it costs.
        options: How it is done.
        ledger: What it remembers.
    """
    clock = ServiceClock()
    return Pipes(
        kind=kind(clock, bill),
        options=options,
        clock=clock,
        pause=session.pause,
        patience=Patience(session.pause, options.outage_patience),
        ledger=ledger,
        bill=bill,
    )
