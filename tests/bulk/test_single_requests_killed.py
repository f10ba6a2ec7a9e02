"""Clips that are paid for one by one, and images that share requests, in a program that is killed
again and again.

A short form always; `HUMEAI_ASYNC_SOAK=1` makes it 2,000 of each and 20 kills.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from live_support import picture, wav
from paid_run import QUESTIONS, value_of
from support import client_of

from humeai_async.testing import FakeHume, Fault

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.soak]

SOAK = bool(os.environ.get("HUMEAI_ASYNC_SOAK"))
CLIPS, KILLS = (2000, 20) if SOAK else (60, 3)
PROGRAM = Path(__file__).parents[1] / "support" / "paid_run.py"
PATIENCE = 1.0


def trouble(share: float) -> list[Fault]:
    """Spoil so many requests: three of five are carried out, and lose their response."""
    return [
        Fault("reset", "POST", "*/file", after_work=True, times=None, probability=share * 2 / 5),
        Fault("truncate", "POST", "*/file", times=None, probability=share / 5),
        Fault("reset", "POST", "*/file", times=None, probability=share / 5),
        Fault("status", "POST", "*/file", status=503, times=None, probability=share / 5),
    ]


def write_clips(folder: Path, count: int) -> dict[str, str]:
    """Write clips of a few sizes, and return their names by the digest of their bytes."""
    names: dict[str, str] = {}
    dice = random.Random(5)  # noqa: S311 - noise, no secret
    for number in range(count):
        data = wav(dice.randbytes(32_000 + 320 * (number % 4)))
        name = f"{number:04}.wav"
        (folder / name).write_bytes(data)
        names[hashlib.sha256(data).hexdigest()] = name
    return names


async def start(fake: FakeHume, folder: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, str(PROGRAM), fake.url, fake.api_key, str(folder), str(PATIENCE)
    )


def read_lines(folder: Path) -> list[dict[str, Any]]:
    path = folder / "outcomes.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    # A kill may cut a line off; its outcome comes again.
    return [json.loads(line) for line in lines if line.endswith("}") and line.startswith("{")]


async def kill_after(process: asyncio.subprocess.Process, folder: Path, count: int) -> None:
    """Kill a program once it has written so many outcomes, or let it end."""
    path = folder / "outcomes.jsonl"
    while process.returncode is None:
        if path.exists() and path.read_bytes().count(b"\n") >= count:
            process.send_signal(signal.SIGKILL)
            break
        await asyncio.sleep(0.01)
    await process.wait()


async def run_with_kills(
    fake: FakeHume, folder: Path, names: dict[str, str], dice: random.Random, share: float
) -> None:
    """Start the program, kill it a few times, and let it come to its end."""
    for fault in trouble(share):
        fake.faults.add(fault)
    for number in range(KILLS):
        written = CLIPS * (number + dice.random()) / (KILLS + 1)
        await kill_after(await start(fake, folder), folder, round(written))
    for _ in range(5):
        process = await start(fake, folder)
        if await process.wait() == 0 and not _open(folder, names):
            break
    fake.faults.clear()


async def test_each_clip_is_paid_for_once_whatever_kills_the_run(tmp_path: Path) -> None:
    names = write_clips(tmp_path, CLIPS)
    dice = random.Random(7)  # noqa: S311 - moments, no secret
    async with FakeHume() as fake:
        fake.decisions.calls_a_minute = 1_000_000
        await run_with_kills(fake, tmp_path, names, dice, 0.05)
        billed = Counter(names[fake.decisions.files[run["run_id"]]] for run in fake.decisions.runs)
        # Of two lost requests of one size and moment, nobody can tell whose the one listed run is:
        # one is told as lost, the other is sent again. No more is paid for than there are clips.
        sizes = {name: (tmp_path / name).stat().st_size for name in names.values()}
        paid = Counter(sizes[name] for name in billed.elements())
        assert Counter(sizes.values()) == paid
        assert max(billed.values()) <= 2
        async with client_of(fake) as hume:
            await _check(tmp_path, names, dice, lambda path: hume.decisions.create(path, QUESTIONS))


async def test_each_image_is_paid_for_once_whatever_kills_the_run(tmp_path: Path) -> None:
    names: dict[str, str] = {}
    for number in range(CLIPS):
        # Requests of five differ in their sizes, by which a lost one is known.
        data = picture(size=3000 + 2500 * (number // 5), seed=number)
        names[hashlib.sha256(data).hexdigest()] = name = f"{number:04}.jpg"
        (tmp_path / name).write_bytes(data)
    dice = random.Random(8)  # noqa: S311 - moments, no secret
    async with FakeHume() as fake:
        await run_with_kills(fake, tmp_path, names, dice, 0.05 if SOAK else 0.25)
        billed = Counter(names[one] for files in fake.expression.files.values() for one in files)
        assert billed == dict.fromkeys(names.values(), 1)
        assert len(fake.expression.runs) == CLIPS / 5
        async with client_of(fake) as hume:
            await _check(tmp_path, names, dice, lambda path: hume.expression.measure_images([path]))


def _open(folder: Path, names: dict[str, str]) -> set[str]:
    """Return clips that have no outcome yet."""
    return set(names.values()) - {one["name"] for one in read_lines(folder) if not one["open"]}


async def _check(
    folder: Path,
    names: dict[str, str],
    dice: random.Random,
    ask: Callable[[Path], Awaitable[Any]],
) -> None:
    """Each source has its own result, as it has alone, or is told as lost."""
    values = {one["name"]: one["value"] for one in read_lines(folder) if one["error"] is None}
    lost = {one["name"] for one in read_lines(folder) if one["error"] == "ResultLostError"}
    others = {one["error"] for one in read_lines(folder) if not one["open"]}
    assert others <= {None, "ResultLostError"}
    assert values.keys() | lost == set(names.values())
    assert not values.keys() & lost
    print(f"{len(values)} results, {len(lost)} lost and told")  # noqa: T201 - the figures
    for name in dice.sample(sorted(values), 20):
        assert values[name] == value_of(await ask(folder / name))
