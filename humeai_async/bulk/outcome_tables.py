"""Outcomes of a run as one table, and what failed beside it.

Outcomes are taken as they come and become columns in a thread, source by source; their bodies are
let go of, so that memory holds the table and the jobs in flight. `Outcomes` calls it.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

from humeai_async._base.cancellation import in_thread
from humeai_async.bulk.outcome import Outcome
from humeai_async.errors import DecodeError, HumeError, InvalidArgumentError
from humeai_async.types.predictions.failures import Failure, find_failures
from humeai_async.types.predictions.measurements import SourcePredictions
from humeai_async.types.predictions.predictions import Predictions
from humeai_async.types.predictions.rows import row_batches
from humeai_async.types.predictions.tables import TableMaker, check_model
from humeai_async.types.sources import name_of

_AT_ONCE = 64
"""Outcomes that are taken together, if as many are there."""

_logger = logging.getLogger("humeai_async")


async def make_table(
    take: Callable[[int], Awaitable[Sequence[Outcome[Any, Any]]]], *, model: str | None, long: bool
) -> tuple[Any, list[Failure]]:
    """Make a `pyarrow.Table` of all outcomes.

    Args:
        take: Gives the next outcomes, so many at most; none after the last.
        model: The only model that has rows; all without it.
        long: Whether to make the long form.

    Returns:
        The table, and what failed.

    Raises:
        InvalidArgumentError: There is no such model, or these are no predictions of batch jobs.
        MissingPackageError: pyarrow is not installed; then nothing was begun.
    """
    # In a thread from the start: the first one imports pyarrow.
    collector = await in_thread(functools.partial(_Collector, model, long=long))
    while batch := await take(_AT_ONCE):
        await in_thread(collector.add, batch)
    table = await in_thread(collector.maker.finish)
    if collector.failures:
        _logger.warning(
            "sources and files without rows in the table: %d; outcomes.failures says why",
            len(collector.failures),
        )
    return table, collector.failures


class _Collector:
    """Takes outcomes in, one after the other."""

    def __init__(self, model: str | None, *, long: bool) -> None:
        self.maker = TableMaker(model=model, long=long)
        self.failures: list[Failure] = []
        self._models = check_model(model)
        self._described = long or model is not None

    def add(self, outcomes: Sequence[Outcome[Any, Any]]) -> None:
        """Add the rows of outcomes, and what failed of them."""
        for outcome in outcomes:
            for name, found in _sources_of(outcome):
                self._add_source(name, found, outcome)
            if outcome.error is not None:
                name = name_of(outcome.source)
                self.failures.append(failure_of(name, outcome, outcome.error))

    def _add_source(self, name: str, found: SourcePredictions, outcome: Outcome[Any, Any]) -> None:
        self.failures += find_failures(name, found, outcome.job_id)
        try:
            # All of them first: a source that breaks off in the middle has no rows.
            batches = [*row_batches(name, found, self._models, described=self._described)]
        except DecodeError as problem:
            self.failures.append(failure_of(name, outcome, problem))
        else:
            self.maker.add(batches)


def failure_of(name: str, outcome: Outcome[Any, Any], problem: HumeError) -> Failure:
    """Return what stands beside a table of an outcome that has no rows in it."""
    return Failure(
        source=name,
        job_id=outcome.job_id,
        error=type(problem).__name__,
        message=problem.message,
        is_open=outcome.is_open,
    )


def _sources_of(outcome: Outcome[Any, Any]) -> Iterator[tuple[str, SourcePredictions]]:
    """Give what was found for a source as it was given, or for each source of a job."""
    found = outcome.predictions
    if isinstance(found, SourcePredictions):
        yield name_of(outcome.source), found
    elif isinstance(found, Predictions):
        yield from found.named(texts=outcome.job_id or name_of(outcome.source))
    elif found is not None:
        raise InvalidArgumentError(
            "tables are made of the predictions of batch jobs only, "
            f"and these outcomes hold {type(found).__name__}",
            field="outcomes",
        )
