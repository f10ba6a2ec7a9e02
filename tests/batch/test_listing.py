"""The list of jobs, which has no pages and is walked by time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from scripted_transport import ScriptedTransport, query_of, reply_json
from support import session_of

from humeai_async import InvalidArgumentError
from humeai_async.batch.poller import Poller
from humeai_async.http.messages import Request, Response
from humeai_async.resources.batch import Batch

pytestmark = pytest.mark.anyio

NOW = 1_700_000_000_000


def job(number: int, created: int | None) -> dict[str, Any]:
    return {
        "type": "INFERENCE",
        "job_id": f"job-{number}",
        "request": {},
        "state": {"status": "COMPLETED", "created_timestamp_ms": created},
    }


def job_list(times: Sequence[int], cap: int = 1000) -> Callable[[Request], Response]:
    """Serve jobs of these creation times, newest first, as Hume's reference has it."""
    jobs = [job(number, created) for number, created in enumerate(times)]

    def answer(request: Request) -> Response:
        query = dict(query_of(request))
        pivot = int(query.get("timestamp_ms", 2 * NOW))
        is_after = query.get("when") == "created_after"

        def is_wanted(one: dict[str, Any]) -> bool:
            created = one["state"]["created_timestamp_ms"]
            return bool(created > pivot if is_after else created < pivot)

        found = sorted(
            filter(is_wanted, jobs),
            key=lambda one: one["state"]["created_timestamp_ms"],
            reverse=query.get("direction") != "asc",
        )
        return reply_json(found[: min(int(query["limit"]), cap)])

    return answer


def batch_of(times: Sequence[int], cap: int = 1000) -> tuple[Batch, ScriptedTransport]:
    transport = ScriptedTransport(otherwise=job_list(times, cap))
    session = session_of(transport)
    return Batch(session, Poller(session)), transport


async def ids(batch: Batch, **arguments: Any) -> list[int]:
    return [int(one.job_id[4:]) async for one in batch.list_jobs(**arguments)]


def falling(count: int) -> list[int]:
    return [NOW - 10 * n for n in range(count)]


async def test_jobs_come_newest_first_and_each_once() -> None:
    batch, transport = batch_of(falling(120))
    assert await ids(batch, limit=50) == list(range(120))
    assert len(transport.requests) == 3


async def test_answers_are_pages_that_count_from_zero_and_hold_the_jobs_as_they_came() -> None:
    batch, _ = batch_of(falling(120))
    pages = [page async for page in batch.list_jobs(limit=50).pages()]
    assert [page.number for page in pages] == [0, 1, 2]
    assert {page.size for page in pages} == {50}
    assert [page.envelope for page in pages] == [page.items for page in pages]


async def test_the_first_request_is_that_of_the_caller() -> None:
    batch, transport = batch_of(falling(1))
    await ids(batch, limit=7, status=["QUEUED", "FAILED"], sort_by="created", direction="desc")
    assert query_of(transport.requests[0]) == [
        ("limit", "7"),
        ("status", "QUEUED"),
        ("status", "FAILED"),
        ("sort_by", "created"),
        ("direction", "desc"),
    ]


async def test_later_requests_go_back_in_time_and_keep_the_filters() -> None:
    batch, transport = batch_of(falling(5))
    await ids(batch, limit=3, type="INFERENCE")
    assert dict(query_of(transport.requests[1])) == {
        "limit": "3",
        "type": "INFERENCE",
        "when": "created_before",
        "timestamp_ms": str(NOW - 20 + 1),
    }


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
async def test_jobs_of_one_millisecond_are_all_told_whatever_the_limit(limit: int) -> None:
    batch, _ = batch_of([NOW] * 5 + [NOW - 1] * 5 + [NOW - 2, NOW - 3])
    assert sorted(await ids(batch, limit=limit)) == list(range(12))


async def test_fewer_jobs_than_asked_for_are_the_end() -> None:
    batch, transport = batch_of(falling(20))
    assert len(await ids(batch, limit=50)) == 20
    assert len(transport.requests) == 1


async def test_a_server_that_gives_fewer_than_asked_for_is_asked_to_the_end() -> None:
    batch, _ = batch_of(falling(250), cap=60)
    assert await ids(batch, limit=200) == list(range(250))


async def test_jobs_behind_a_crowded_millisecond_are_reached() -> None:
    batch, transport = batch_of([NOW] * 150 + [NOW - 5, NOW - 6], cap=100)
    found = await ids(batch, limit=100)
    assert len(found) == len(set(found)) == 102
    assert found[-2:] == [150, 151]
    assert len(transport.requests) == 3


async def test_a_server_that_ignores_the_time_is_not_asked_for_ever() -> None:
    same = reply_json([job(n, NOW - 10 * n) for n in range(60)])
    transport = ScriptedTransport(otherwise=same)
    session = session_of(transport)
    assert await ids(Batch(session, Poller(session)), limit=60) == list(range(60))
    assert len(transport.requests) == 3


async def test_oldest_first_walks_forward() -> None:
    batch, transport = batch_of(falling(120))
    assert await ids(batch, limit=50, direction="asc") == list(range(119, -1, -1))
    assert dict(query_of(transport.requests[1]))["when"] == "created_after"


async def test_a_bound_against_the_walk_is_kept() -> None:
    batch, _ = batch_of(falling(30))
    found = await ids(batch, limit=10, when="created_after", timestamp_ms=NOW - 155)
    assert found == list(range(16))


async def test_a_bound_along_the_walk_is_where_it_begins() -> None:
    batch, _ = batch_of(falling(30))
    found = await ids(batch, limit=10, when="created_before", timestamp_ms=NOW - 155)
    assert found == list(range(16, 30))


async def test_another_order_is_one_page() -> None:
    batch, transport = batch_of(falling(30))
    assert len(await ids(batch, limit=10, sort_by="ended")) == 10
    assert len(transport.requests) == 1


async def test_jobs_without_a_creation_time_end_the_walk() -> None:
    transport = ScriptedTransport(reply_json([job(0, None), job(1, None)]))
    session = session_of(transport)
    assert await ids(Batch(session, Poller(session)), limit=10) == [0, 1]


async def test_no_jobs_are_one_empty_page() -> None:
    batch, transport = batch_of([])
    assert [page.items async for page in batch.list_jobs().pages()] == [[]]
    assert len(transport.requests) == 1


async def test_pages_of_jobs_are_numbered_as_they_come() -> None:
    batch, _ = batch_of(falling(25))
    pages = [page async for page in batch.list_jobs(limit=10).pages()]
    assert [page.number for page in pages] == [0, 1, 2]
    assert sum(len(page) for page in pages) == 25


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"limit": 0}, "limit"),
        ({"timestamp_ms": -1, "when": "created_before"}, "timestamp_ms"),
        ({"timestamp_ms": 5}, "when"),
    ],
)
async def test_bad_arguments_are_told_before_sending(arguments: dict[str, Any], name: str) -> None:
    batch, transport = batch_of([])
    with pytest.raises(InvalidArgumentError) as caught:
        batch.list_jobs(**arguments)
    assert caught.value.field == name
    assert transport.requests == []
