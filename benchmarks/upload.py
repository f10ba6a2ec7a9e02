"""What does an upload of 300 MB cost?

    python -m benchmarks.upload [--full]

Three files of 100 MB (Hume takes no larger ones) go up as one job: CPU time and the memory
that it takes at most beyond what was there before. Ours, bare aiohttp with the files opened,
the official SDK.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
from collections.abc import Awaitable, Callable, Generator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import BinaryIO, NamedTuple

import aiohttp
from aiohttp import web

from benchmarks import clients
from benchmarks.measuring import (
    OFFICIAL,
    Spent,
    Stopwatch,
    Verdict,
    fresh,
    is_there,
    least,
    memory,
    print_table,
    ratio,
    run_alone,
    serving,
)
from humeai_async.types.dicts import ModelsDict

PATH = "/v0/batch/jobs"
FILES, BYTES = 3, 100_000_000
FIRST_BYTES = 1000
"""Size of the file that is uploaded first, to have connections and imports out of the way."""
BARE, OURS = "aiohttp", "humeai_async"
MOST_GROWN = 50e6
MODELS: dict[str, ModelsDict] = {"models": {"face": {}}}

Upload = Callable[[str, list[Path]], Awaitable[object]]


async def bare(url: str, files: list[Path]) -> None:
    async with aiohttp.ClientSession(headers=clients.KEY) as session:
        with contextlib.ExitStack() as stack:
            form = aiohttp.FormData()
            form.add_field("json", json.dumps(MODELS), content_type="application/json")
            for file in files:
                form.add_field("file", stack.enter_context(_open(file)), filename=file.name)
            async with session.post(url + PATH, data=form) as answer:
                assert (await answer.json())["job_id"]


async def ours(url: str, files: list[Path]) -> None:
    async with clients.ours(url) as hume:
        await hume.batch.start_job(files=files, models=MODELS["models"])


async def official(url: str, files: list[Path]) -> None:
    batch = clients.official(url).expression_measurement.batch
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(_open(file)) for file in files]
        await batch.start_inference_job_from_local_file(file=opened)


def _open(file: Path) -> BinaryIO:
    return file.open("rb")


class Cost(NamedTuple):
    cpu: float
    wall: float
    grown: int
    """Bytes of memory at most beyond those before."""


def upload(send: Upload, url: str, folder: Path) -> Cost:
    large = sorted(folder.glob("large-*.mp4"))

    async def main() -> Cost:
        await send(url, [folder / "first.mp4"])
        before = memory().now
        watch = Stopwatch()
        await send(url, large)
        spent = watch.read()
        return Cost(*spent, memory().peak - before)

    return asyncio.run(main())


async def _take(request: web.Request) -> web.Response:
    taken = 0
    async for chunk in request.content.iter_any():
        taken += len(chunk)
    assert taken >= FIRST_BYTES
    return web.json_response({"job_id": "7b4f0c6e-2f0c-4f0c-9b7e-0c6e2f0c4f0c"})


async def _serve(told: Connection) -> None:
    app = web.Application()
    app.router.add_post(PATH, _take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    told.send(runner.addresses[0][1])
    await asyncio.Event().wait()


@contextlib.contextmanager
def _files() -> Generator[Path]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "first.mp4").write_bytes(bytes(FIRST_BYTES))
        for number in range(FILES):
            (folder / f"large-{number}.mp4").write_bytes(bytes(BYTES))
        yield folder


def run(*, full: bool) -> list[Verdict]:
    senders: dict[str, Upload] = {BARE: bare, OURS: ours}
    if is_there("hume"):
        senders[OFFICIAL] = official
    found: dict[str, list[Cost]] = {name: [] for name in senders}
    with _files() as folder, serving(_serve) as url:
        for _ in range(5 if full else 2):
            for name, send in senders.items():
                found[name].append(fresh(upload, send, url, folder))
    costs = {
        name: Cost(*least(Spent(*cost[:2]) for cost in each), min(cost.grown for cost in each))
        for name, each in found.items()
    }
    base = costs[BARE]
    rows = [
        (
            name,
            f"{cpu * 1e3:.0f}",
            f"{cpu / base.cpu:.2f}x",
            f"{wall * 1e3:.0f}",
            f"{wall / base.wall:.2f}x",
            f"{grown / 1e6:.1f}",
        )
        for name, (cpu, wall, grown) in costs.items()
    ]
    header = ("client", "CPU ms", "CPU", "wall ms", "wall", "memory MB")
    print_table(f"An upload of {FILES * BYTES // 10**6} MB", header, rows)
    mine, theirs = costs[OURS], costs.get(OFFICIAL)
    return [
        Verdict(
            "CPU of an upload of 300 MB",
            f"{mine.cpu * 1e3:.0f} ms",
            f"{BARE} {base.cpu * 1e3:.0f} ms",
            mine.cpu / base.cpu,
            "",
            None,
            ratio(mine.cpu, theirs and theirs.cpu),
        ),
        Verdict(
            "memory of an upload of 300 MB",
            f"{mine.grown / 1e6:.1f} MB",
            f"{BARE} {base.grown / 1e6:.1f} MB",
            ratio(mine.grown, base.grown),
            "under 50 MB",
            mine.grown < MOST_GROWN,
            ratio(mine.grown, theirs and theirs.grown),
        ),
    ]


if __name__ == "__main__":
    run_alone(run, __doc__)
