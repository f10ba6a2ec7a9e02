"""How much memory does a large answer take while it is fetched, and afterwards?

    python -m benchmarks.memory [--full] [--megabytes 25]

Memory of the process beyond what was there before, at most and with the decoded predictions
held, as a multiple of the body: ours directly and through a gateway's envelope, aiohttp with
orjson, and the official SDK for as much as it can take (3 MB).
"""

from __future__ import annotations

import argparse
import asyncio
import gc
from collections.abc import Iterator
from typing import NamedTuple

from benchmarks.bodies import body_of
from benchmarks.fixed import fixed_server
from benchmarks.measuring import (
    OFFICIAL,
    Verdict,
    fresh,
    memory,
    print_table,
    print_verdicts,
    ratio,
)
from benchmarks.stalls import GATEWAY, OURS, PEER, Opened, answers, clients_for

SIZES, FULL_SIZES = (3.0, 25.0), (3.0, 25.0, 100.0)
JUDGED = 25.0
MOST_HELD, MOST_AT_ONCE, BESIDES = 1.3, 2.0, 50e6
"""Bars: held by the body, and at most by the body and so many bytes."""


class Taken(NamedTuple):
    """Bytes beyond those before."""

    held: int
    peak: int


def fetch(opened: Opened, url: str) -> Taken:
    async def main() -> Taken:
        async with opened(url) as (large, small):
            await small()  # imports, connections
            gc.collect()
            before = memory().now
            found = await large()
            gc.collect()
            after = memory()
            del found
            return Taken(after.now - before, after.peak - before)

    return asyncio.run(main())


def run(*, full: bool, sizes: list[float] | None = None) -> list[Verdict]:
    rows: list[tuple[str, ...]] = []
    verdicts: list[Verdict] = []
    for megabytes in sizes or (FULL_SIZES if full else SIZES):
        size = len(body_of(megabytes))
        with fixed_server(answers(megabytes)) as url:
            found = {
                name: min(fresh(fetch, opened, url) for _ in range(3))
                for name, opened in clients_for(megabytes).items()
            }
        rows += [
            (f"{megabytes:g} MB", name, f"{held / size:.2f}x", f"{peak / size:.2f}x")
            for name, (held, peak) in found.items()
        ]
        verdicts += _verdicts(megabytes, size, found)
    print_table("Memory of predictions", ("body", "client", "held", "peak"), rows)
    return verdicts


def _verdicts(megabytes: float, size: int, found: dict[str, Taken]) -> Iterator[Verdict]:
    nothing = Taken(0, 0)
    peer, official = found.get(PEER, nothing), found.get(OFFICIAL, nothing)
    bars = Taken(round(MOST_HELD * size), round(MOST_AT_ONCE * size + BESIDES))
    for name in (OURS, GATEWAY):
        for what, ours, theirs, slow, most in zip(
            ("held", "at most"), found[name], peer, official, bars, strict=True
        ):
            is_judged = megabytes == JUDGED
            yield Verdict(
                f"memory {what}, {megabytes:g} MB{name.removeprefix(OURS)}",
                f"{ours / size:.2f}x the body",
                f"{PEER} {theirs / size:.2f}x" if theirs else "",
                ratio(ours, theirs),
                f"at most {most / size:.1f}x" if is_judged else "",
                ours <= most if is_judged else None,
                ratio(ours, slow),
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="100 MB too")
    parser.add_argument("--megabytes", type=float, nargs="+")
    options = parser.parse_args()
    print_verdicts(run(full=options.full, sizes=options.megabytes))


if __name__ == "__main__":
    main()
