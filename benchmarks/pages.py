"""What do 10,000 items on 100 pages cost?

    python -m benchmarks.pages [--full]

Requests, CPU and wall time of reading all of them, each answer 10 ms away: ours one page after
the other and with pages fetched ahead, bare aiohttp and msgspec, the official SDK.
"""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import AsyncGenerator, Callable

import aiohttp
import msgspec

from benchmarks import clients
from benchmarks.calls import CONFIG, PATH
from benchmarks.fixed import fixed_server
from benchmarks.measuring import (
    OFFICIAL,
    Call,
    Caller,
    Opened,
    Verdict,
    asked,
    in_turn,
    is_there,
    print_table,
    ratio,
    run_alone,
)

PAGES, SIZE = 100, 100
AWAY = 0.01
BARE = "aiohttp + msgspec"
OURS, AHEAD = "humeai_async", "humeai_async, prefetch=8"


def page(number: int) -> bytes:
    """Make a page; the one past the end is empty, which is how the official SDK finds it."""
    there = range(SIZE) if number < PAGES else ()
    items = [CONFIG | {"version": number * SIZE + place} for place in there]
    around = {"page_number": number, "page_size": SIZE, "total_pages": PAGES}
    return json.dumps(around | {"configs_page": items}).encode()


@contextlib.asynccontextmanager
async def bare(url: str) -> AsyncGenerator[Call]:
    async with aiohttp.ClientSession(headers=clients.KEY) as session:

        async def call() -> None:
            items = 0
            for number in range(PAGES):
                where = f"{url}{PATH}?page_number={number}&page_size={SIZE}"
                async with session.get(where) as answer:
                    items += len(msgspec.json.decode(await answer.read())["configs_page"])
            assert items == PAGES * SIZE

        yield call


@contextlib.asynccontextmanager
async def ours(url: str, ahead: int) -> AsyncGenerator[Call]:
    async with clients.ours(url) as hume:

        async def call() -> None:
            pages = hume.configs.list(page_size=SIZE, prefetch=ahead)
            assert sum([1 async for _ in pages]) == PAGES * SIZE

        yield call


@contextlib.asynccontextmanager
async def official(url: str) -> AsyncGenerator[Call]:
    configs = clients.official(url).empathic_voice.configs

    async def call() -> None:
        pager = await configs.list_configs(page_number=0, page_size=SIZE)
        assert sum([1 async for _ in pager]) == PAGES * SIZE

    yield call


def run(*, full: bool) -> list[Verdict]:
    with (
        fixed_server({PATH: [page(number) for number in range(PAGES + 1)]}, AWAY) as url,
        contextlib.ExitStack() as stack,
    ):
        callers: dict[str, Caller] = {}

        def add(name: str, opened: Callable[..., Opened], *arguments: object) -> None:
            callers[name] = stack.enter_context(Caller(opened, url, *arguments))

        add(BARE, bare)
        add(OURS, ours, 0)
        add(AHEAD, ours, 8)
        if is_there("hume"):
            add(OFFICIAL, official)
        requests: dict[str, int] = {}
        for name, caller in callers.items():
            asked(url)
            caller.burst(1, 1)  # once to warm up, once that would count
            requests[name] = asked(url) // 2
        bursts = {name: functools.partial(one.burst, 1, 1) for name, one in callers.items()}
        spent = in_turn(bursts, 7 if full else 3, OFFICIAL)
    base = spent[BARE]
    rows = [
        (
            name,
            str(requests[name]),
            f"{cpu * 1e3:.0f}",
            f"{cpu / base.cpu:.2f}x",
            f"{wall * 1e3:.0f}",
            f"{wall / base.wall:.2f}x",
        )
        for name, (cpu, wall) in spent.items()
    ]
    slow = spent.get(OFFICIAL)
    header = ("client", "requests", "CPU ms", "CPU", "wall ms", "wall")
    print_table(f"{PAGES * SIZE} items on {PAGES} pages", header, rows)
    return [
        Verdict(
            f"requests for {PAGES} pages",
            str(requests[OURS]),
            f"{BARE} {requests[BARE]}",
            requests[OURS] / requests[BARE],
            f"at most {PAGES}",
            requests[OURS] <= PAGES,
            ratio(requests[OURS], requests.get(OFFICIAL)),
        ),
        Verdict(
            f"CPU of {PAGES * SIZE} typed items",
            f"{spent[OURS].cpu * 1e3:.0f} ms",
            f"{BARE} {base.cpu * 1e3:.0f} ms",
            spent[OURS].cpu / base.cpu,
            "",
            None,
            ratio(spent[OURS].cpu, slow and slow.cpu),
        ),
        Verdict(
            "time of the same, 8 pages ahead",
            f"{spent[AHEAD].wall * 1e3:.0f} ms",
            f"{BARE} {base.wall * 1e3:.0f} ms",
            spent[AHEAD].wall / base.wall,
            "",
            None,
            ratio(spent[AHEAD].wall, slow and slow.wall),
        ),
    ]


if __name__ == "__main__":
    run_alone(run, __doc__)
