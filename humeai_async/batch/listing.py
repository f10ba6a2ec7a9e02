"""The list of jobs, walked by time.

Hume gives this list without pages: a request holds at most `limit` jobs, and those beyond are
reached by asking for what was created before the last one seen. `JobCursor` does that and returns
no job twice, and `TimedPages` makes pages of it. It knows no waits; the poller and
`hume.batch.list_jobs` use it.
"""

from __future__ import annotations

from collections.abc import (
    Callable,
    Mapping,
)

from attrs import define, field

from humeai_async.catalog import batch as catalog
from humeai_async.http.endpoint import QueryValue, fill
from humeai_async.http.pages import Page, Pages
from humeai_async.http.session import Session
from humeai_async.types.batch import JobDetails, JobSortBy, JobWhen, SortDirection
from humeai_async.types.paging import Items

DEFAULT_LIMIT = 50
"""Jobs in one response if nothing is asked for, so the service surely gives that many. Fewer
than this (or than asked for, if that is less) are the end of the list; whether it gives more
in one response is not known."""


@define(eq=False)
class JobCursor:
    """One walk along the list of jobs, newest first or oldest first.

    Jobs created in one millisecond are kept apart by their ids: each request overlaps the last
    one by a millisecond, and asks for more where all it asks for were seen already. Jobs of one
    millisecond beyond what one response holds cannot be reached; the listing continues behind them.
    """

    _session: Session
    limit: int
    """Largest number of jobs a request."""
    query: Mapping[str, QueryValue] = field(factory=dict[str, QueryValue])
    """Further query fields of the first request; `when` and `timestamp_ms` bound the walk."""
    is_done: bool = field(default=False, init=False)
    request_id: str | None = field(default=None, init=False)
    """The service's id of the last request."""
    _edge: int | None = field(default=None, init=False)
    """Creation time of the job seen last, in milliseconds since 1970."""
    _overlap: int = field(default=1, init=False)
    """Milliseconds that the next request goes back over; 0 once that brought nothing new."""
    _near: dict[str, int | None] = field(factory=dict[str, "int | None"], init=False)
    """Jobs that the next response will hold again, with their creation times."""

    async def step(self) -> Items[JobDetails]:
        """Make one request and return the jobs that were not seen before.

        Returns:
            The jobs in their order. None do not mean the end: `is_done` does.
        """
        if self.is_done:
            return Items()
        limit = self.limit
        if len(self._near) >= limit:
            limit += len(self._near)
        found, self.request_id = await self._session.call_with_id(
            fill(catalog.BATCH_LIST_JOBS, query={"limit": limit, **self._query()})
        )
        unseen = {job.job_id: job for job in found if job.job_id not in self._near}
        fresh = [job for job in unseen.values() if self._is_ahead(job)]
        inside = Items([job for job in fresh if self._is_inside(job)])
        inside.undecodable = found.undecodable
        self.is_done = (
            len(found) + len(found.undecodable) + found.nulls < min(limit, DEFAULT_LIMIT)
            or len(inside) < len(fresh)
            or not self._is_sorted_by_creation
            or not self._advance(fresh)
        )
        return inside

    @property
    def _goes_forward(self) -> bool:
        return self.query.get("direction") == SortDirection.ASCENDING

    @property
    def _is_sorted_by_creation(self) -> bool:
        """Whether the list can be walked at all; in another order one request is all there is."""
        return self.query.get("sort_by") in {None, JobSortBy.CREATED}

    def _query(self) -> dict[str, QueryValue]:
        if self._edge is None:
            return dict(self.query)
        when, pivot = JobWhen.CREATED_BEFORE, self._edge + self._overlap
        if self._goes_forward:
            when, pivot = JobWhen.CREATED_AFTER, self._edge - self._overlap
        return {**self.query, "when": when.value, "timestamp_ms": pivot}

    def _advance(self, fresh: list[JobDetails]) -> bool:
        """Move the edge and keep what lies near it; false if there is no way on."""
        times = [t for job in fresh if (t := job.state.created_timestamp_ms) is not None]
        if not times:
            self._overlap -= 1
            return not fresh and self._edge is not None and self._overlap == 0
        self._overlap = 1
        self._edge = edge = max(times) if self._goes_forward else min(times)
        seen = {**self._near, **{job.job_id: job.state.created_timestamp_ms for job in fresh}}
        self._near = {
            job_id: created
            for job_id, created in seen.items()
            if created is None or abs(created - edge) <= 1
        }
        return True

    def _is_ahead(self, job: JobDetails) -> bool:
        """Whether a job lies on the far side of the edge; others were seen and forgotten."""
        created = job.state.created_timestamp_ms
        if self._edge is None or created is None:
            return True
        return created >= self._edge - 1 if self._goes_forward else created <= self._edge + 1

    def _is_inside(self, job: JobDetails) -> bool:
        """Whether a job lies within the caller's bound, which later requests cannot carry."""
        created, bound = job.state.created_timestamp_ms, self.query.get("timestamp_ms")
        if self._edge is None or created is None or not isinstance(bound, int):
            return True
        when = self.query.get("when")
        if when == JobWhen.CREATED_AFTER:
            return created > bound
        return when != JobWhen.CREATED_BEFORE or created < bound


@define(eq=False)
class JobPageCursor:
    """Goes through the list of jobs by time; each response is a page."""

    _cursor: JobCursor
    _number: int = field(default=0, init=False)

    async def step(self) -> list[Page[JobDetails]]:
        """Return the jobs of the next response that holds new ones, as one page."""
        jobs: Items[JobDetails] = Items()
        while not (jobs or jobs.undecodable) and not self._cursor.is_done:
            jobs = await self._cursor.step()
        if not (jobs or jobs.undecodable) and self._number > 0:
            return []
        self._number += 1
        return [
            Page(
                items=jobs,
                number=self._number - 1,
                size=self._cursor.limit,
                undecodable=jobs.undecodable,
                request_id=self._cursor.request_id,
                envelope=jobs,
            )
        ]


class TimedPages(Pages[JobDetails]):
    """The jobs of the account, page by page."""

    __slots__ = ("_start",)

    def __init__(self, start: Callable[[], JobCursor]) -> None:
        self._start = start

    def _cursor(self) -> JobPageCursor:
        return JobPageCursor(self._start())
