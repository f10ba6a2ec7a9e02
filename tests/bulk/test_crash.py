"""A bulk run that is killed again and again loses nothing and does nothing twice."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from collections import Counter
from pathlib import Path

import anyio
import pytest
from support import parquet_column

from humeai_async.testing import FakeHume, Fault

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

KILLS = 50 if os.environ.get("HUMEAI_ASYNC_SOAK") else 6
SOURCES = 60
SMALL = ("--job-size", "2", "--jobs", "4", "--search-patience", "1")
FORMATS = ("--format", "jsonl", "--format", "csv", "--format", "parquet")


async def start(fake: FakeHume, listed: Path, out: Path, kill_after: float | None) -> int:
    """Run the command, kill it after so many seconds, and return its exit code."""
    arguments = ["predict", "--from", str(listed), "--out", str(out), "--models", "face", *FORMATS]
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HUME_", "LOWCODEAPI_"))}
    process = await anyio.open_process(
        [
            sys.executable,
            "-P",
            "-m",
            "humeai_async",
            *arguments,
            *SMALL,
        ],
        env=kept | {"HUME_API_KEY": fake.api_key, "HUME_BASE_URL": fake.url},
        stdout=None,
        stderr=None,
    )
    async with process:
        if kill_after is not None:
            with anyio.move_on_after(kill_after):
                return await process.wait()
            process.send_signal(signal.SIGKILL)
        return await process.wait()


@pytest.mark.parametrize("faults", [False, True])
async def test_a_run_killed_at_random_points_loses_and_doubles_nothing(
    tmp_path: Path, faults: bool
) -> None:
    chance = random.Random(KILLS + faults)  # noqa: S311 - a test's dice
    kills = 0
    while kills < KILLS:
        folder = tmp_path / str(kills)
        folder.mkdir()
        kills += await one_run(folder, chance, most=KILLS - kills, faults=faults)


async def one_run(folder: Path, chance: random.Random, *, most: int, faults: bool) -> int:
    """Kill a run so many times at most, let it end, check what it made, and count the kills."""
    urls = [f"https://media.example.com/{n}.mp4" for n in range(SOURCES)]
    listed, out = folder / "urls.txt", folder / "out"
    listed.write_text("\n".join(urls))
    async with FakeHume(run_seconds=0.05, latency=0.005, frames=1) as fake:
        if faults:
            for kind in ("reset", "reset-body", "truncate"):
                fake.faults.add(Fault(kind, after_work=True, probability=0.02, times=None))
            fake.faults.add(Fault("status", status=503, probability=0.02, times=None))
        codes: list[int] = []
        while len(codes) < most and 0 not in codes:
            codes.append(await start(fake, listed, out, 0.5 + chance.random() * 0.9))
        if 0 not in codes:
            codes.append(await start(fake, listed, out, None))
        submitted = Counter(s.identity for job in fake.jobs.values() for s in job.sources)
    assert codes[-1] == 0
    assert Counter(urls) == submitted
    lines = [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]
    assert Counter(urls) == Counter(line["source"] for line in lines)
    assert all("error" not in line for line in lines)
    assert set(urls) == set(parquet_column(out / "predictions.parquet", "source"))
    return codes.count(-signal.SIGKILL)
