"""Lists whose pages say anything: every walk ends, in order, with what was served, once.

A server is a list of pages by number, each with items and with what it says of size and total,
true or not. Some change while they are read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve, field, frozen
from fuzzing.budget import examples
from hypothesis import given
from hypothesis import strategies as st
from scripted_transport import ScriptedTransport, query_of, reply_json
from support import session_of

from humeai_async.batch.listing import JobCursor
from humeai_async.batch.poller import Poller
from humeai_async.errors import DecodeError, HumeError, ServerError
from humeai_async.http.messages import Request, Response
from humeai_async.http.pagination import MAX_REPEATED_PAGES
from humeai_async.resources.batch import Batch
from humeai_async.resources.configs import Configs
from humeai_async.resources.datasets import Datasets

SAID = st.none() | st.integers(-3, 12) | st.sampled_from([10**6, 2**40])
TOTALS = st.sampled_from([None, None, -1, 0, 1, 2, 3, 3, 4, 4, 5, 6, 7, 8, 10**6])
COUNTS = st.sampled_from([3, 1, 2, 4, 5, 6, 2, 3, 1, 4, 0])
STARTS = st.sampled_from([0, 0, 0, 1, 3])


@frozen
class Served:
    """One page as a server gives it."""

    items: tuple[int | None, ...] = ()
    """Numbers that make ids; `None` is a null."""
    total: int | None = None
    size: int | None = None
    number: int | None = None
    last: bool | None = None
    fails: bool = False


@frozen
class Server:
    """Answers by page number; after the last page come empty ones that say the same."""

    pages: list[Served]
    style: str = "evi"
    asked: list[int] = field(factory=list[int])

    def __call__(self, request: Request) -> Response:
        number = int(dict(query_of(request))["page_number"])
        self.asked.append(number)
        assert len(self.asked) < 500, "this goes on for ever"
        return self.write(self.at(number))

    def at(self, number: int) -> Served:
        if number < len(self.pages):
            page = self.pages[number]
            if self.style == "registry":  # nulls were only ever seen among EVI's items
                page = evolve(page, items=tuple(one for one in page.items if one is not None))
            return page
        return Served(total=self.pages[-1].total if self.pages else None)

    def write(self, page: Served) -> Response:
        if page.fails:
            return reply_json({"message": "try later"}, 500)
        if self.style == "evi":
            rows = [None if n is None else {"id": f"{n}", "version": 0} for n in page.items]
            said = {"page_number": page.number, "page_size": page.size, "configs_page": rows}
        else:
            rows = [None if n is None else {"name": f"{n}", "id": f"{n}"} for n in page.items]
            said = {"number": page.number, "size": page.size, "content": rows, "last": page.last}
        return reply_json({**said, "total_pages": page.total})


def fresh(drawn: list[tuple[int, list[bool], Served]]) -> list[Served]:
    """Give every item of every page an id of its own."""
    counter = iter(range(10**6))
    return [
        Served(
            tuple(None if is_null else next(counter) for is_null in nulls[:count]),
            said.total, said.size, said.number, said.last, said.fails,
        )
        for count, nulls, said in drawn
    ]  # fmt: skip


def pages_of(
    fails: st.SearchStrategy[bool] = st.just(False),  # noqa: B008 - strategies are constants
) -> st.SearchStrategy[list[Served]]:
    """Make servers' pages that may say anything of themselves."""
    saying = st.builds(
        Served, total=TOTALS, size=SAID, number=SAID, last=st.none() | st.booleans(), fails=fails
    )
    nulls = st.lists(st.sampled_from([False, False, True]), min_size=6, max_size=6)
    page = st.tuples(COUNTS, nulls, saying)
    return (st.lists(page, max_size=2) | st.lists(page, min_size=4, max_size=8)).map(fresh)


STYLES = st.sampled_from(["evi", "registry"])


def walk(
    server: Callable[[Request], Response], style: str, *, prefetch: int = 0, start: int = 0
) -> tuple[list[int], HumeError | None]:
    """Read a list to its end, or to its error; return the items and that error."""
    session = session_of(ScriptedTransport(otherwise=server))
    make = Configs(session) if style == "evi" else Datasets(session)
    found: list[int] = []

    async def read() -> HumeError | None:
        try:
            async for item in make.list(page_number=start, prefetch=prefetch):
                found.extend([int(item.id or "")])
        except HumeError as problem:
            return problem
        return None

    return found, asyncio.run(read())


def ids(pages: list[Served]) -> list[int]:
    return [item for page in pages for item in page.items if item is not None]


def is_end(server: Server, asked: list[int]) -> bool:
    """Whether the last of the pages asked for gives a reason to stop there."""
    page = server.at(asked[-1])
    totals = [total for number in asked if (total := server.at(number).total) is not None]
    return (
        (not totals and not page.items)
        or (bool(totals) and asked[-1] + 1 >= totals[-1])
        or (server.style == "registry" and page.last is True)
        or (not totals and bool(page.size) and len(page.items) < (page.size or 0))
    )


@pytest.mark.slow
@examples(100)
@given(pages_of(), STYLES, STARTS)
def test_whatever_pages_say_each_item_comes_once_in_order_and_the_walk_ends(
    pages: list[Served], style: str, start: int
) -> None:
    server = Server(pages, style)
    found, problem = walk(server, style, start=start)
    assert problem is None
    assert server.asked == list(range(start, start + len(server.asked)))
    if all(page.total is None for page in pages):
        assert len(server.asked) <= max(len(pages) - start, 0) + 1
    assert found == ids(pages[start : start + len(server.asked)])
    assert is_end(server, server.asked), "it stopped without a reason"
    for count in range(1, len(server.asked)):
        assert not is_end(server, server.asked[:count]), "it went on past the end"


@pytest.mark.slow
@examples(100)
@given(pages_of(fails=st.sampled_from([False] * 5 + [True])), STYLES, st.integers(1, 8))
def test_pages_fetched_ahead_give_the_same_items_and_the_same_end(
    pages: list[Served], style: str, prefetch: int
) -> None:
    plain, ahead = Server(pages, style), Server(pages, style)
    expected = walk(plain, style)
    found = walk(ahead, style, prefetch=prefetch)
    assert found[0] == expected[0]
    assert str(found[1]) == str(expected[1])
    assert isinstance(found[1], (ServerError, type(None)))
    assert len(ahead.asked) <= len(plain.asked) + prefetch - 1
    assert sorted(ahead.asked) == list(range(len(ahead.asked)))


@pytest.mark.slow
@examples(100)
@given(
    st.lists(
        st.tuples(st.sampled_from(["add", "remove", "push", "pop", "keep"]), st.integers(0, 40)),
        max_size=12,
    ),
    st.integers(0, 40),
    st.integers(1, 7),
    st.integers(0, 4),
)
def test_a_list_that_changes_while_it_is_read_ends_and_tells_each_served_page_once(
    changes: list[tuple[str, int]], count: int, size: int, prefetch: int
) -> None:
    items = list(range(count))
    new = iter(range(1000, 2000))
    left = iter(changes)
    served: dict[int, list[int]] = {}
    longest = 0

    def answer(request: Request) -> Response:
        nonlocal longest
        kind, place = next(left, ("keep", 0))
        if kind in {"add", "push"}:
            items.insert(0 if kind == "push" else min(place, len(items)), next(new))
        elif kind in {"remove", "pop"} and items:
            items.pop(0 if kind == "pop" else min(place, len(items) - 1))
        number = int(dict(query_of(request))["page_number"])
        total = -(-len(items) // size)
        longest = max(longest, total)
        served[number] = items[number * size : (number + 1) * size]
        page = Served(tuple(served[number]), total, size, number)
        return Server([]).write(page)

    found, problem = walk(answer, "evi", prefetch=prefetch)
    assert len(served) <= longest + 1 + prefetch
    expected: list[int] = []
    last: list[int] = []
    repeats = 0
    for number in sorted(served):
        repeats = repeats + 1 if served[number] == last else 0
        if repeats == 0:
            expected += served[number]
        last = served[number]
    assert found == expected[: len(found)]
    # Some pushed back again and again look like a server that ignores the number.
    assert problem is None or (isinstance(problem, DecodeError) and count > 0)
    if prefetch <= 1:
        assert found == expected
        assert (problem is not None) is (repeats > MAX_REPEATED_PAGES)


@pytest.mark.slow
@examples(100)
@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=4), st.none() | st.integers(5, 100), STYLES,
    st.integers(0, 5),
)  # fmt: skip
def test_a_server_that_ignores_the_page_number_is_given_up_by_name(
    items: list[int], total: int | None, style: str, prefetch: int
) -> None:
    asked: list[Request] = []

    def answer(request: Request) -> Response:
        asked.append(request)
        return Server([], style).write(Served(tuple(items), total))

    found, problem = walk(answer, style, prefetch=prefetch)
    assert isinstance(problem, DecodeError)
    assert found == items
    assert len(asked) <= 2 + MAX_REPEATED_PAGES + prefetch


# The list of jobs, which is walked by time.

TIMES = st.none() | st.integers(0, 6) | st.sampled_from([-1, 2**62])
JOBS = 12


def job(number: int, created: int | None) -> dict[str, Any]:
    state = {"status": "COMPLETED", "created_timestamp_ms": created}
    return {"job_id": f"job-{number}", "type": "NEW", "state": state}


@pytest.mark.slow
@examples(100)
@given(
    st.lists(TIMES, min_size=JOBS, max_size=JOBS),
    st.lists(st.lists(st.integers(0, JOBS - 1), max_size=30), min_size=1, max_size=12),
    st.integers(1, 4),
    st.booleans(),
)
def test_a_list_of_jobs_that_says_anything_is_walked_to_an_end_and_tells_no_job_twice(
    times: list[int | None], answers: list[list[int]], limit: int, ascending: bool
) -> None:
    transport = ScriptedTransport(
        *(reply_json([job(number, times[number]) for number in answer]) for answer in answers),
        otherwise=reply_json([]),
    )
    query = {"direction": "asc" if ascending else "desc"}
    walk = JobCursor(session_of(transport), limit, query)

    async def read() -> list[str]:
        found: list[str] = []
        while not walk.is_done:
            found += [one.job_id for one in await walk.step()]
        return found

    told = asyncio.run(read())
    assert len(transport.requests) <= len(answers) + 1
    assert len(told) == len(set(told))
    assert set(told) <= {f"job-{number}" for answer in answers for number in answer}


@examples(100)
@given(
    st.lists(st.integers(0, 12), max_size=25), st.integers(1, 30), st.booleans(),
)  # fmt: skip
def test_an_honest_list_of_jobs_is_told_whole_and_each_job_once(
    times: list[int], limit: int, ascending: bool
) -> None:
    jobs = [(number, created) for number, created in enumerate(times)]

    def answer(request: Request) -> Response:
        query = dict(query_of(request))
        pivot, when = int(query.get("timestamp_ms", 0)), query.get("when")
        kept = [
            (number, created)
            for number, created in jobs
            if when is None or (created < pivot if when == "created_before" else created > pivot)
        ]
        kept.sort(key=lambda one: (one[1], one[0]), reverse=query.get("direction") != "asc")
        return reply_json([job(*one) for one in kept[: int(query["limit"])]])

    transport = ScriptedTransport(otherwise=answer)
    session = session_of(transport)
    batch = Batch(session, Poller(session))
    pages = batch.list_jobs(limit=limit, direction="asc" if ascending else "desc")
    found = [one.job_id for one in asyncio.run(pages.collect())]
    assert len(found) == len(set(found))
    assert len(transport.requests) <= len(times) + 3
    most_at_once = max((times.count(one) for one in times), default=0)
    if most_at_once <= limit:
        assert sorted(found) == sorted(f"job-{number}" for number, _ in jobs)
