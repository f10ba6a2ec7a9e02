"""What does a download of 100 MB to a file cost?

    python -m benchmarks.download [--full]

Predictions of 25 and 100 MB are saved: CPU time, and memory at most beyond what was there
before. Ours, which leaves the event loop alone and flushes and checks the file, and bare aiohttp
that writes each piece to the file where it comes, on the event loop.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import aiohttp
from aiohttp import web

from benchmarks import clients
from benchmarks.measuring import (
    Stopwatch,
    Verdict,
    fresh,
    memory,
    print_table,
    run_alone,
    serving,
)

PATH = "/v0/batch/jobs/{id}/predictions"
BARE, OURS = "aiohttp", "humeai_async"
SIZES = (25_000_000, 100_000_000)
FIRST = 100_000
"""Size of the download that comes first, to have connections and imports out of the way."""
PIECE = b'{"source":null,"results":null,"error":"............................................"},'

Save = Callable[[str, int, Path], Awaitable[None]]


class Cost(NamedTuple):
    cpu: float
    wall: float
    grown: int
    """Bytes of memory at most beyond those before."""


async def bare(url: str, size: int, path: Path) -> None:
    async with (
        aiohttp.ClientSession(headers=clients.KEY) as session,
        session.get(url + PATH.format(id=size)) as answer,
    ):
        with path.open("wb") as opened:
            async for chunk in answer.content.iter_any():
                opened.write(chunk)


async def ours(url: str, size: int, path: Path) -> None:
    async with clients.ours(url) as hume:
        await hume.batch.job(str(size)).save_predictions(path)


SAVERS: dict[str, Save] = {BARE: bare, OURS: ours}


def download(name: str, url: str, size: int, path: Path) -> Cost:
    """Save one body, and make sure that all of it is there."""

    async def main() -> Cost:
        await SAVERS[name](url, FIRST, path)
        before = memory().now
        watch = Stopwatch()
        await SAVERS[name](url, size, path)
        spent = watch.read()
        return Cost(*spent, memory().peak - before)

    cost = asyncio.run(main())
    assert path.stat().st_size == len(_body(size))
    return cost


def _body(size: int) -> bytes:
    return b"[" + PIECE * (size // len(PIECE)) + b"0]"


async def _serve(told: Connection) -> None:
    bodies = {size: _body(size) for size in (FIRST, *SIZES)}

    async def give(request: web.Request) -> web.Response:
        body = bodies[int(request.match_info["id"])]
        return web.Response(body=body, content_type="application/json")

    app = web.Application()
    app.router.add_get(PATH, give)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    told.send(runner.addresses[0][1])
    await asyncio.Event().wait()


def run(*, full: bool) -> list[Verdict]:
    """Let both take turns; the least of each figure counts."""
    rows: list[tuple[str, ...]] = []
    verdicts: list[Verdict] = []
    with tempfile.TemporaryDirectory() as folder, serving(_serve) as url:
        for size in SIZES:
            costs = _costs(url, size, Path(folder) / "saved.json", 10 if full else 4)
            base = costs[BARE]
            megabytes = f"{size // 10**6} MB"
            rows += [
                (
                    f"{megabytes} {name}",
                    f"{cpu * 1e3:.0f}",
                    f"{cpu / base.cpu:.2f}x",
                    f"{wall * 1e3:.0f}",
                    f"{grown / 1e6:.1f}",
                )
                for name, (cpu, wall, grown) in costs.items()
            ]
            verdicts.append(
                Verdict(
                    f"CPU of saving {megabytes}",
                    f"{costs[OURS].cpu * 1e3:.0f} ms",
                    f"{BARE} {base.cpu * 1e3:.0f} ms",
                    costs[OURS].cpu / base.cpu,
                    "",
                    None,
                )
            )
    print_table("Downloads", ("client", "CPU ms", "CPU", "wall ms", "memory MB"), rows)
    return verdicts


def _costs(url: str, size: int, path: Path, rounds: int) -> dict[str, Cost]:
    found: dict[str, list[Cost]] = {name: [] for name in SAVERS}
    for _ in range(rounds):
        for name, costs in found.items():
            costs.append(fresh(download, name, url, size, path))
    return {name: Cost(*map(min, zip(*costs, strict=True))) for name, costs in found.items()}


if __name__ == "__main__":
    run_alone(run, __doc__)
