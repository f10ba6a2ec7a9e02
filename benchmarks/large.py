"""What do large jobs cost a bulk run: the longest stall of the loop, and memory?

    python -m benchmarks.large [--full] [--megabytes 25 100 500]

One job of 100 sources whose predictions have so many megabytes is run into JSON lines and into
Parquet, in a process of its own, while a ticker counts how late it wakes up. The stall in CPU time
is what other programs of the machine cannot lengthen. 500 MB are measured with `--full` only.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from benchmarks.bodies import BYTES_OF_A_FACE
from benchmarks.bulk import MODELS, client, urls
from benchmarks.canned import canned_server
from benchmarks.measuring import Stopwatch, Verdict, fresh, memory, print_table, print_verdicts
from benchmarks.stalls import Ticker

SIZES, FULL_SIZES = (25.0, 100.0), (25.0, 100.0, 500.0)
FORMATS = ("jsonl", "parquet")
SOURCES = 100
MOST_MS = 50.0
"""Longest stall, whatever the size."""
PATIENCE = 400.0


@frozen
class Taken:
    """What one run took."""

    late: float
    """Longest stall by the clock, in milliseconds."""
    busy: float
    """Longest stall in CPU time of the loop's thread, in milliseconds."""
    peak: int
    """Bytes of memory at most, beyond those before."""
    cpu: float
    """CPU seconds of the process."""


def take(url: str, form: str, folder: Path) -> Taken:
    async def main() -> Taken:
        async with client(url) as hume:
            # Imports and connections: the first run of a process holds the loop for those once.
            await hume.batch.predict_into(folder / "first", urls(1), formats=[form], models=MODELS)
            before, ticker, watch = memory().now, Ticker(), Stopwatch()
            ticking = asyncio.create_task(ticker.tick())
            await asyncio.sleep(0.02)
            await hume.batch.predict_into(
                folder / form, urls(SOURCES), formats=[form], models=MODELS
            )
            ticking.cancel()
            cpu = watch.read().cpu
            return Taken(ticker.late * 1e3, ticker.busy * 1e3, memory().peak - before, cpu)

    return asyncio.run(main())


def run(*, full: bool, sizes: list[float] | None = None) -> list[Verdict]:
    rows: list[tuple[str, ...]] = []
    verdicts: list[Verdict] = []
    for megabytes in sizes or (FULL_SIZES if full else SIZES):
        faces = round(megabytes * 1e6 / BYTES_OF_A_FACE / SOURCES)
        for form in FORMATS:
            with tempfile.TemporaryDirectory() as folder, canned_server(faces) as url:
                found = fresh(take, url, form, Path(folder), seconds=PATIENCE)
            rows.append((f"{megabytes:g} MB", form, *_cells(megabytes, found)))
            verdicts += _verdicts(f"{megabytes:g} MB to {form}", megabytes, found)
    header = ("job", "format", "stall", "stall CPU", "peak memory", "of the body", "MB/s of CPU")
    print_table("A job of 100 sources in a bulk run (ms, MB)", header, rows)
    return verdicts


def _cells(megabytes: float, found: Taken) -> tuple[str, ...]:
    peak = found.peak / 1e6
    return (
        f"{found.late:.0f}",
        f"{found.busy:.0f}",
        f"{peak:.0f}",
        f"{peak / megabytes:.2f}x",
        f"{megabytes / found.cpu:.0f}",
    )


def _verdicts(what: str, megabytes: float, found: Taken) -> Iterator[Verdict]:
    yield Verdict(
        f"longest stall (CPU), {what}",
        f"{found.busy:.0f} ms",
        "",
        None,
        f"under {MOST_MS:g} ms",
        found.busy < MOST_MS,
    )
    peak = found.peak / 1e6
    yield Verdict(f"peak memory, {what}", f"{peak / megabytes:.2f}x the body", "", None, "", None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="500 MB too")
    parser.add_argument("--megabytes", type=float, nargs="+")
    options = parser.parse_args()
    print_verdicts(run(full=options.full, sizes=options.megabytes))


if __name__ == "__main__":
    main()
