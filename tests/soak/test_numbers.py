"""2,000 GETs and 1,000 POSTs at 5 % faults, with default settings: none fails, none is doubled.

HUMEAI_ASYNC_SOAK=1 adds the faults that take their time by default: stalls, which a client
waits for through its read timeout of 60 s, and what the limiter takes for a quota.
`benchmarks/faults.py` asks the same of other clients.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable

import pytest
from faulty_server import KINDS, faulty_server, tally_of

from humeai_async import HumeAI, HumeError

pytestmark = [pytest.mark.anyio, pytest.mark.soak, pytest.mark.slow]

SLOW = {"429", "503", "stall", "stall-done", "stall-body"}
STRIKING = tuple(k for k in KINDS if os.environ.get("HUMEAI_ASYNC_SOAK") or k not in SLOW)
IN_FLIGHT = 64


async def outcomes(count: int, call: Callable[[str], Awaitable[object]]) -> dict[str, object]:
    """Make so many calls, and return for each key the answer or the error."""
    found: dict[str, object] = {}
    keys = iter([f"call-{number}" for number in range(count)])

    async def work() -> None:
        for key in keys:
            try:
                found[key] = await call(key)
            except HumeError as problem:
                found[key] = problem

    await asyncio.gather(*[work() for _ in range(IN_FLIGHT)])
    return found


async def test_of_2000_gets_none_fails() -> None:
    with faulty_server(0.05, STRIKING) as url:
        async with HumeAI(api_key="key", base_url=url) as hume:
            found = await outcomes(2000, lambda key: hume.prompts.get_version(key, 0))
        tally = await tally_of(url)
    assert [problem for problem in found.values() if isinstance(problem, HumeError)] == []
    assert all(getattr(answer, "id", None) == key for key, answer in found.items())
    assert set(tally.faults) == set(STRIKING)
    assert tally.arrivals == 2000 + tally.faults.total()


async def test_of_1000_posts_none_is_carried_out_twice_and_each_doubt_is_marked() -> None:
    with faulty_server(0.05, STRIKING) as url:
        async with HumeAI(api_key="key", base_url=url) as hume:
            found = await outcomes(1000, lambda key: hume.prompts.create(name=key, text="x"))
        tally = await tally_of(url)
    failed = {key: one for key, one in found.items() if isinstance(one, HumeError)}
    assert set(tally.faults) == set(STRIKING)
    assert set(tally.carried.values()) == {1}
    assert found.keys() - failed.keys() <= tally.carried.keys()
    assert all(one.outcome_unknown for key, one in failed.items() if key in tally.carried)
    # No shots in the dark either: all that was refused by name was sent again and worked.
    assert len(failed) == sum(tally.faults[kind] for kind in set(STRIKING) - {"429", "503"})
