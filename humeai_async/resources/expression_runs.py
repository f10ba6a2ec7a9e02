"""The runs of Expression Measurement: what was uploaded and which sessions were held.

Nothing here is billed. It knows nothing of how calls are made; `hume.expression.runs` is one.
"""

from __future__ import annotations

import datetime as dt

from humeai_async.catalog import expression as catalog
from humeai_async.http.cursor_pages import CursorPages
from humeai_async.http.endpoint import fill
from humeai_async.http.pages import Pages
from humeai_async.resources._base import Resource
from humeai_async.types.expression_runs import (
    ExpressionRun,
    ExpressionRunStatus,
    RunEndpoint,
    RunEvent,
    RunEventsPage,
    RunMode,
)
from humeai_async.types.times import as_rfc3339


class ExpressionRuns(Resource):
    """Uploads and sessions of the whole organization; measurements are not kept.

    Source: https://dev.hume.ai/docs/expression-measurement/overview
    """

    __slots__ = ()

    def list(
        self,
        *,
        page_size: int | None = None,
        cursor: str | None = None,
        user_id: str | None = None,
        status: ExpressionRunStatus | str | None = None,
        mode: RunMode | str | None = None,
        endpoint: RunEndpoint | str | None = None,
        started_before: dt.datetime | str | None = None,
        started_after: dt.datetime | str | None = None,
    ) -> Pages[ExpressionRun]:
        """List runs, newest first.

        Costs one request a page, which is not billed. Filters combine. A run may, rarely, not be
        recorded at all.

        Args:
            page_size: Runs a page; the service takes 50 if left out, and says itself how many are
                too many (of events 200 are the most).
            cursor: `next_cursor` of a page, to go on behind it.
            user_id: Only runs of this user.
            status: Only `live`, `ended` or `errored` ones.
            mode: Only `realtime` or `file`.
            endpoint: Only `audio` or `video`.
            started_before: Only those that began before this time; a text is in RFC 3339.
            started_after: Only those that began at this time or later.

        Returns:
            Pages of runs.

        Raises:
            InvalidArgumentError: A value is out of range, or a time has no time zone.
        """
        query = {
            "user_id": user_id,
            "status": status,
            "mode": mode,
            "endpoint": endpoint,
            "started_before": as_rfc3339("started_before", started_before),
            "started_after": as_rfc3339("started_after", started_after),
        }
        call = fill(catalog.EXPRESSION_RUNS_LIST, query=query)
        return CursorPages(self._session, call, page_size=page_size, cursor=cursor, most=None)

    async def get(self, run_id: str) -> ExpressionRun:
        """Fetch one run with its settings.

        Costs one request, which is not billed.

        Args:
            run_id: Id of the run; that of a session is its `session_id`.

        Raises:
            InvalidArgumentError: The id cannot be one.
        """
        return await self._session.call(fill(catalog.EXPRESSION_RUNS_GET, run_id))

    def events(
        self, run_id: str, *, page_size: int | None = None, cursor: str | None = None
    ) -> Pages[RunEvent, RunEventsPage]:
        """List the problems that a session logged, by their numbers.

        Costs one request a page, which is not billed. Uploads have none. The envelope of each
        page, a `RunEventsPage`, says whether events are missing.

        Args:
            run_id: Id of the run.
            page_size: Events a page, 1 to 200; the service takes 50 if left out.
            cursor: `next_cursor` of a page, to go on behind it.

        Returns:
            Pages of events.

        Raises:
            InvalidArgumentError: The id cannot be one, or `page_size` is out of range.
        """
        call = fill(catalog.EXPRESSION_RUNS_EVENTS, run_id)
        return CursorPages(self._session, call, page_size=page_size, cursor=cursor)
