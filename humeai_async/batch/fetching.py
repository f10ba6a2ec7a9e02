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


async def fetch_jobs(
    queue: OutcomeQueue[str, Predictions],
    jobs: Iterable[str | Job] | AsyncIterable[str | Job],
    attach: Callable[[str], Job],
    *,
    concurrency: int,
    timeout: float | None,
) -> None:
    """Wait for jobs, fetch what they made, and give it to a consumer.

    Args:
        queue: Takes the outcomes.
        jobs: The jobs, or their ids.
        attach: Makes a job of an id.
        concurrency: Predictions in memory; one is free again once the consumer has the outcome.
        timeout: Seconds to wait for one job; `None` is without limit.
    """
    # Without a pause at each job: those that are begun together share their requests.
    ahead = anyio.Semaphore(concurrency + AHEAD)
    slots = anyio.Semaphore(concurrency)

    async def fetch(given: str | Job) -> None:
        job_id, is_ended = given.id if isinstance(given, Job) else str(given), False
        try:
            job = given if isinstance(given, Job) else attach(given)
            await job.wait(timeout=timeout)
            is_ended = True
            await slots.acquire()
            found = await job.unread_predictions()
            outcome = Outcome[str, Predictions](source=job_id, job_id=job_id, unread=found)
        except HumeError as problem:
            if is_fatal(problem):
                raise
            outcome = Outcome[str, Predictions](source=job_id, job_id=job_id, error=problem)
        await queue.give([outcome])
        if is_ended:
            slots.release()
        # Not where an error ends the run: no further job is to be begun then.
        ahead.release()

    async with anyio.create_task_group() as tasks:
        async for job in _each(jobs):
            try:
                ahead.acquire_nowait()
            except anyio.WouldBlock:
                await ahead.acquire()
            tasks.start_soon(fetch, job)


async def _each(items: Iterable[T] | AsyncIterable[T]) -> AsyncIterator[T]:
    """Iterate over a plain or an asynchronous iterable alike."""
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item
