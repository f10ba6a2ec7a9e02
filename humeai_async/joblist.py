"""The list of jobs, walked by time.

Hume gives this list without pages: a request holds at most `limit` jobs, and those beyond are
reached by asking for what was created before the last one seen. `JobWalk` does that and tells
nothing twice. It knows neither pages nor waits; `pages.py` and the poller are built on it.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import define, field

from humeai_async import catalog
from humeai_async.endpoint import QueryValue, fill
from humeai_async.session import Session
from humeai_async.types.batch import JobDetails, JobSortBy, JobWhen, SortDirection

SURE_LIMIT = 50
"""Jobs in one answer if nothing is asked for, so the service surely gives that many. Fewer
than this (or than asked for, if that is less) are the end of the list; whether it gives more
in one answer is not known."""


@define(eq=False)
class JobWalk:
    """One walk along the list of jobs, newest first or oldest first.

    Jobs created in one millisecond are kept apart by their ids: each request overlaps the last
    one by a millisecond, and asks for more where all it asks for were seen already.
    """

    _session: Session
    limit: int
    """Jobs a request."""
    query: Mapping[str, QueryValue] = field(factory=dict[str, QueryValue])
    """Further query fields of the first request; `when` and `timestamp_ms` bound the walk."""
    is_done: bool = field(default=False, init=False)
    is_stuck: bool = field(default=False, init=False)
    """Whether the walk ended because a full answer showed no way on."""
    edge: int | None = field(default=None, init=False)
    """Creation time of the job seen last, in milliseconds since 1970."""
    _near: dict[str, int | None] = field(factory=dict[str, "int | None"], init=False)
    """Jobs that the next answer will hold again, with their creation times."""

    async def step(self) -> list[JobDetails]:
        """Make one request and return the jobs that were not seen before.

        Returns:
            The jobs in their order; none once the walk is done.
        """
        if self.is_done:
            return []
        limit = self.limit
        if len(self._near) >= limit:
            limit += len(self._near)
        found = await self._session.call(
            fill(catalog.BATCH_LIST_JOBS, query={"limit": limit, **self._query()})
        )
        fresh = [job for job in found if job.job_id not in self._near and self._is_ahead(job)]
        inside = [job for job in fresh if self._is_inside(job)]
        times = [t for job in fresh if (t := job.state.created_timestamp_ms) is not None]
        if times and len(inside) == len(fresh) and self._is_sorted_by_creation:
            self.is_done = len(found) < min(limit, SURE_LIMIT)
            self._advance(max(times) if self._goes_forward else min(times), fresh)
        else:
            self.is_done = True
            self.is_stuck = not times and len(found) >= limit
        return inside

    @property
    def _goes_forward(self) -> bool:
        return self.query.get("direction") == SortDirection.ASCENDING

    @property
    def _is_sorted_by_creation(self) -> bool:
        """Whether the list can be walked at all; in another order one request is all there is."""
        return self.query.get("sort_by") in {None, JobSortBy.CREATED}

    def _query(self) -> dict[str, QueryValue]:
        if self.edge is None:
            return dict(self.query)
        when, pivot = JobWhen.CREATED_BEFORE, self.edge + 1
        if self._goes_forward:
            when, pivot = JobWhen.CREATED_AFTER, self.edge - 1
        return {**self.query, "when": when.value, "timestamp_ms": pivot}

    def _advance(self, edge: int, fresh: list[JobDetails]) -> None:
        """Move the edge, and keep what lies within a millisecond of it."""
        self.edge = edge
        seen = {**self._near, **{job.job_id: job.state.created_timestamp_ms for job in fresh}}
        self._near = {
            job_id: created
            for job_id, created in seen.items()
            if created is None or abs(created - edge) <= 1
        }

    def _is_ahead(self, job: JobDetails) -> bool:
        """Whether a job lies on the far side of the edge; others were seen and forgotten."""
        created = job.state.created_timestamp_ms
        if self.edge is None or created is None:
            return True
        return created >= self.edge - 1 if self._goes_forward else created <= self.edge + 1

    def _is_inside(self, job: JobDetails) -> bool:
        """Whether a job lies within the caller's bound, which later requests cannot carry."""
        created, bound = job.state.created_timestamp_ms, self.query.get("timestamp_ms")
        if self.edge is None or created is None or not isinstance(bound, int):
            return True
        when = self.query.get("when")
        if when == JobWhen.CREATED_AFTER:
            return created > bound
        return when != JobWhen.CREATED_BEFORE or created < bound
