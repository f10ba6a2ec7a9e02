"""Many jobs in the order in which they end.

All of them are waited for through the client's one poller. `hume.batch.as_completed` makes it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from humeai_async._base.advised import AsyncOnly
from humeai_async.batch.job import Job, is_finished
from humeai_async.batch.poller import Poller
from humeai_async.errors import HumeError


class AsCompleted(AsyncOnly):
    """Jobs in the order in which they end; made by `hume.batch.as_completed`.

    Failed jobs come too: look at `job.status`. A job that does not exist raises when it is
    found missing, and the iteration can go on after that.
    """

    _instead = "write `async for job in hume.batch.as_completed(jobs)`"

    def __init__(self, jobs: Iterable[Job], poller: Poller) -> None:
        self._jobs = {job.id: job for job in jobs}
        self._poller = poller
        self._since: float | None = None
        self._ready = deque(job for job in self._jobs.values() if is_finished(job.details))
        self._failures: list[HumeError] = []
        for job in self._ready:
            del self._jobs[job.id]

    def __aiter__(self) -> AsCompleted:
        return self

    async def __anext__(self) -> Job:
        while not self._ready and not self._failures:
            if not self._jobs:
                raise StopAsyncIteration
            await self._next_round()
        if self._ready:
            return self._ready.popleft()
        raise self._failures.pop()

    async def _next_round(self) -> None:
        """Take all that one round of the poller has learned."""
        polls = self._poller.current()
        wait = polls.subscribe(self._jobs, self._since)
        self._since = wait.since
        try:
            await polls.next_event(wait)
        finally:
            polls.unsubscribe(wait)
            # Another task that takes from here may have had the same news.
            for details in wait.news:
                job = self._jobs.get(details.job_id)
                if job is None:
                    continue
                job.update(details)
                if is_finished(details):
                    self._ready.append(self._jobs.pop(job.id))
            for job_id, failure in wait.failures.items():
                if self._jobs.pop(job_id, None) is not None:
                    self._failures.append(failure)
