"""Lists of runs by cursor, as both newer products of the fake keep them, and their errors."""

from __future__ import annotations

import base64
import datetime as dt

from humeai_async.testing.exchange import Arrival, Record, Refusal

_LARGEST_PAGE = 200


def refusal(status: int, code: str, message: str, **more: str | None) -> Refusal:
    """Return an error of the newer products' own form."""
    extra = {name: value for name, value in more.items() if value is not None}
    body = {"type": "error", "code": code, "message": message, **extra, "request_id": "3c0d7e15"}
    return Refusal(status, message, code, body)


def as_time(seconds: float) -> str:
    """Write a time of the fake's clock as RFC 3339."""
    text = dt.datetime.fromtimestamp(seconds, tz=dt.UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def page_of(items: list[Record], arrival: Arrival, code: str = "invalid_request") -> Record:
    """Return one page of a list, as its items and where the next page begins."""
    size = arrival.first("page_size") or "50"
    if not size.isdecimal() or not 1 <= int(size) <= _LARGEST_PAGE:
        raise refusal(400, code, "page_size is out of range", param="page_size")
    start = 0
    cursor = arrival.first("cursor")
    if cursor is not None:
        try:
            start = int(base64.urlsafe_b64decode(cursor))
        except ValueError:
            raise refusal(400, code, "the cursor is none of ours", param="cursor") from None
    end = start + int(size)
    page: Record = {"items": items[start:end]}
    if end < len(items):
        page["next_cursor"] = base64.urlsafe_b64encode(str(end).encode()).decode()
    return page


def find_run(runs: list[Record], id: str) -> Record:
    """Return the run of an id."""
    for run in runs:
        if run["run_id"] == id:
            return run
    raise refusal(404, "not_found", "no such run")


def filtered(runs: list[Record], arrival: Arrival, *names: str) -> list[Record]:
    """Return the runs that match a query, newest first."""
    found = [
        run
        for run in runs
        if all(arrival.first(name) in {None, run[name]} for name in ("user_id", *names))
    ]
    before, after = arrival.first("started_before"), arrival.first("started_after")
    if before is not None:
        found = [run for run in found if _time(run["started_at"]) < _time(before)]
    if after is not None:
        found = [run for run in found if _time(run["started_at"]) >= _time(after)]
    return found[::-1]


def _time(text: str) -> dt.datetime:
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        raise refusal(400, "invalid_request", f"{text!r} is no time in RFC 3339") from None
