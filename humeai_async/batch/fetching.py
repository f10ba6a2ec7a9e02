"""Predictions of jobs that exist, one outcome a job, in the order in which they complete.

It knows nothing of sources and ledgers. `hume.batch.fetch_predictions` starts it.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from typing import TypeVar

import anyio

from humeai_async.batch.job import Job
from humeai_async.bulk.outcome import Outcome
from humeai_async.bulk.outcome_queue import OutcomeQueue
from humeai_async.errors import HumeError
from humeai_async.http.fatal_errors import is_fatal
from humeai_async.types.predictions.predictions import Predictions

T = TypeVar("T")

AHEAD = 500
"""Jobs that are waited for beyond those that are fetched: together they cost a few requests."""


class Fetching:
    """The pipeline of `hume.batch.fetch_predictions`: wait for jobs and fetch what they made.

    Args:
        jobs: The jobs, or their ids.
        attach: Makes a job of an id.
        concurrency: Predictions in memory.
        timeout: Seconds to wait for one job; `None` is without limit.
    """

    def __init__(
        self,
        jobs: Iterable[str | Job] | AsyncIterable[str | Job],
        attach: Callable[[str], Job],
        *,
        concurrency: int,
        timeout: float | None,
    ) -> None:
        self._jobs = jobs
        self._attach = attach
        # Without a pause at each job: those that are begun together share their requests.
        self._ahead = anyio.Semaphore(concurrency + AHEAD)
        self._slots = anyio.Semaphore(concurrency)
        self._timeout = timeout

    async def run(self, queue: OutcomeQueue[str, Predictions]) -> None:
        """Run the pipeline; a slot is free again once the consumer has the outcome."""
        async with anyio.create_task_group() as tasks:
            async for job in _each(self._jobs):
                try:
                    self._ahead.acquire_nowait()
                except anyio.WouldBlock:
                    await self._ahead.acquire()
                tasks.start_soon(self._fetch, job, queue)

    async def _fetch(self, given: str | Job, queue: OutcomeQueue[str, Predictions]) -> None:
        job_id = given.id if isinstance(given, Job) else str(given)
        try:
            job = given if isinstance(given, Job) else self._attach(given)
            await job.wait(timeout=self._timeout)
        except HumeError as problem:
            if is_fatal(problem):
                raise
            await queue.give([Outcome(source=job_id, job_id=job_id, error=problem)])
        else:
            await self._slots.acquire()
            await queue.give([await _fetched(job)])
            self._slots.release()
        # Not where an error ends the run: no further job is to be begun then.
        self._ahead.release()


async def _fetched(job: Job) -> Outcome[str, Predictions]:
    try:
        found = await job.unread_predictions()
    except HumeError as problem:
        if is_fatal(problem):
            raise
        return Outcome(source=job.id, job_id=job.id, error=problem)
    return Outcome(source=job.id, job_id=job.id, unread=found)


async def _each(items: Iterable[T] | AsyncIterable[T]) -> AsyncIterator[T]:
    """Iterate over a plain or an asynchronous iterable alike."""
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item
