"""The runs that a service lists: those that began in a time, and a single one.

It reads their JSON by itself: an entry that the types do not know must not look like one that is
not there. It knows no plan and no product.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

from humeai_async._base.frozen import frozen
from humeai_async.bulk.work import ServiceClock
from humeai_async.errors import DecodeError
from humeai_async.http import codec
from humeai_async.http.endpoint import Endpoint, fill
from humeai_async.http.session import Session
from humeai_async.types.json import is_object

PAGE_SIZE = 200
"""Runs on a page of the list: the most."""


@frozen
class ListedRuns:
    """The runs of a service; each method costs requests."""

    session: Session
    clock: ServiceClock
    """Learns the service's time."""
    runs: Endpoint[Any]
    """Where the service lists its runs."""
    run: Endpoint[Any]
    """Where it gives one of them."""

    async def newest_ms(self) -> int:
        """Return when the newest run began, by the service's clock; 0 where there is none."""
        page, _ = await self._page({"page_size": 1})
        return max((started_ms(run) for run in page), default=0)

    async def between(
        self, least_ms: float, most_ms: float | None
    ) -> AsyncIterator[Mapping[str, Any]]:
        """Give all runs that began in a time, the newest first; costs a request for 200 runs.

        Raises:
            DecodeError: The list cannot be read, or comes to no end.
        """
        query: dict[str, Any] = {"page_size": PAGE_SIZE, "started_after": _as_time(least_ms)}
        if most_ms is not None:
            query["started_before"] = _as_time(most_ms)
        cursor: str | None = None
        seen: set[str] = set()
        while True:
            page, following = await self._page(query | ({"cursor": cursor} if cursor else {}))
            for run in page:
                yield run
            if following is None:
                return
            if following in seen:
                raise DecodeError("the list of runs comes to no end", path="$.next_cursor")
            seen.add(following)
            cursor = following

    async def get(self, run_id: str) -> Mapping[str, Any]:
        """Return one run with its settings; costs one request."""
        response = await self.session.send(fill(self.run, run_id))
        found = codec.parse(response.body)
        if not is_object(found):
            raise DecodeError("a run is no object", path="$")
        return found

    async def _page(self, query: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], str | None]:
        response = await self.session.send(fill(self.runs, query=query))
        self.clock.observe(response)
        found = codec.parse(response.body)
        runs = found.get("runs") if is_object(found) else None
        if not isinstance(runs, list):
            raise DecodeError("the list of runs is no list", path="$.runs")
        for place, run in enumerate(cast("list[object]", runs)):
            if not is_object(run) or not isinstance(run.get("run_id"), str):
                raise DecodeError("an entry of the list of runs has no id", path=f"$.runs[{place}]")
            started_ms(run)
        following = cast("Mapping[str, Any]", found).get("next_cursor")
        if following and not isinstance(following, str):
            raise DecodeError("the list of runs does not say how it goes on", path="$.next_cursor")
        return cast("list[Mapping[str, Any]]", runs), following or None


def started_ms(run: Mapping[str, Any]) -> int:
    """Return when a run began, in milliseconds since 1970 by the service's clock.

    Raises:
        DecodeError: It does not say.
    """
    try:
        return round(dt.datetime.fromisoformat(run["started_at"]).timestamp() * 1000)
    except (KeyError, TypeError, ValueError):
        reason = "a run in the list does not say when it began"
    raise DecodeError(reason, path="$.runs")


def _as_time(milliseconds: float) -> str:
    moment = dt.datetime.fromtimestamp(milliseconds / 1000, tz=dt.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
