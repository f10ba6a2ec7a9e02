"""Runs over disks that fill up, ledgers that are damaged or copied, and clocks that are wrong."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from fuzzing.budget import SOAK
from hostile_gateway import settings_as_json
from hostile_results import Kind
from hostile_service import HostileService
from killed_runs import Starter, starter
from run_checks import RunSources

from humeai_async import HumeAI, HumeError, LedgerError, Limiter, Polling, Retry, Timeout

KINDS: tuple[Kind, ...] = ("urls", "text", "files")
OnEvent: TypeAlias = Callable[[str, int, asyncio.Task[None]], None]
PATIENCE = 0.6
"""Twice as long as the service may be late with a submission."""
FLIPS = 600 if SOAK else 8
NOBODY = 65534
COPIES = 10 if SOAK else 1
"""Copies of a run's folder for each transition."""
TRANSITIONS = (
    ("arrived", 1), ("arrived", 4), ("carried-out", 1), ("carried-out", 3), ("answered", 1),
    ("answered", 3), ("job", 1), ("predictions", 1), ("outcome", 1), ("outcome", 5),
)  # fmt: skip

pytestmark = [pytest.mark.slow, pytest.mark.soak]


@pytest.fixture(autouse=True)
def quick_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("humeai_async.bulk.patience.SEARCH_PAUSES", (0.02, 0.1))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of a megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", os.fspath(disk)]
    try:
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - as above
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("file systems can be mounted here by nobody or by root only")
    yield disk
    subprocess.run(["umount", "-l", os.fspath(disk)], check=True)  # noqa: S603, S607 - as above


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Make a folder that every user can read; pytest's own are for one."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def client_of(service: HostileService) -> HumeAI:
    return HumeAI(
        **service.settings,
        polling=Polling(min_interval=0.01, max_interval=0.05),
        timeout=Timeout(read=2.0, total=30),
        retry=Retry(initial_delay=0.01),
        limiter=Limiter(rate=1000),
    )


async def run(
    service: HostileService,
    sources: RunSources,
    folder: Path,
    on_event: OnEvent | None = None,
) -> HumeError | None:
    """Run sources into a folder; returns the error that ended it.

    Args:
        service: Where they go.
        sources: What they are.
        folder: Where the run is.
        on_event: Called with each event, its number, and the run, which it may cancel.
    """
    counts: Counter[str] = Counter()

    def count(event: str) -> None:
        counts[event] += 1
        if on_event is not None:
            on_event(event, counts[event], running)

    async def predict() -> None:
        async with client_of(service) as hume:
            await hume.batch.predict_into(
                folder,
                sources.given,
                models={"language": {}},
                job_size=2,
                search_patience=PATIENCE,
                on_outcome=lambda _: count("outcome"),
            )

    service.client_started()
    running = asyncio.ensure_future(predict())
    service.on_event = count
    try:
        await asyncio.wait([running])
    finally:
        service.on_event = lambda _: None
    problem = None if running.cancelled() else running.exception()
    if problem is not None and not isinstance(problem, HumeError):
        raise problem
    return problem


def at(transition: tuple[str, int], act: Callable[[asyncio.Task[None]], None]) -> OnEvent:
    """Return what acts once, at a transition."""

    def on_event(event: str, number: int, running: asyncio.Task[None]) -> None:
        if (event, number) == transition:
            act(running)

    return on_event


@pytest.mark.parametrize("transition", TRANSITIONS, ids=str)
def test_a_disk_that_is_full_for_a_while_costs_nothing(
    transition: tuple[str, int], small_disk: Path, tmp_path: Path
) -> None:
    sources = RunSources.make(tmp_path, KINDS, 4)
    ballast, out = small_disk / "ballast", small_disk / "out"

    def fill(_: object) -> None:
        with ballast.open("wb", buffering=0) as file:
            try:
                while file.write(b"x" * 512):
                    pass
            except OSError:
                pass

    async def play() -> Counter[str]:
        async with HostileService() as service:
            problem = await run(service, sources, out, at(transition, fill))
            assert problem is None or "move it away" not in str(problem)
            ballast.unlink(missing_ok=True)
            assert await run(service, sources, out) is None
            return service.carried_out

    assert {} == sources.find_faults(out, asyncio.run(play()))


@pytest.mark.skipif(sys.platform == "win32", reason="processes are forked")
def test_a_limit_to_the_size_of_files_costs_nothing(tmp_path: Path) -> None:
    """As a full disk, for those who are not root: no file may grow beyond so many bytes."""
    sources = RunSources.make(tmp_path, KINDS, 4)
    sizes = range(0, 60_000, 1_500 if SOAK else 12_000)

    async def start(started: Starter, service: HostileService, out: Path, **limits: int) -> int:
        script: dict[str, Any] = {
            "folder": os.fspath(out),
            "sources": [[kind, name] for kind in KINDS for name in sources.by_kind[kind]],
            "client": settings_as_json(service.settings),
            "read": 2.0,
            "models": {"language": {}},
            "job_size": 2,
            "search_patience": PATIENCE,
        }
        log = out.with_suffix(".log")
        ending = await started.run(script=script, log=os.fspath(log), **limits)
        assert ending.code in {0, 1}, log.read_text()
        assert "move it away" not in log.read_text()
        return ending.code

    async def play(started: Starter, out: Path, size: int) -> Counter[str]:
        async with HostileService() as service:
            await start(started, service, out, file_size=size)
            assert await start(started, service, out) == 0
            return service.carried_out

    async def play_all() -> list[Counter[str]]:
        async with starter() as started:
            return [await play(started, tmp_path / f"out{size}", size) for size in sizes]

    for size, carried_out in zip(sizes, asyncio.run(play_all()), strict=True):
        assert {} == sources.find_faults(tmp_path / f"out{size}", carried_out)


@pytest.mark.parametrize("transition", TRANSITIONS, ids=str)
def test_a_copy_of_a_running_folder_goes_on_where_that_was(
    transition: tuple[str, int], tmp_path: Path
) -> None:
    sources = RunSources.make(tmp_path, KINDS, 4)
    out, copy = tmp_path / "out", tmp_path / "copy"

    async def play() -> Counter[str]:
        async with HostileService() as service:

            def copy_and_stop(running: asyncio.Task[None]) -> None:
                shutil.copytree(out, copy)
                running.cancel()
                # What the run still sends before it has stopped is nothing that a copy can know.
                service.posts.extend(["reset-before"] * 100)

            await run(service, sources, out, at(transition, copy_and_stop))
            service.calm()
            assert await run(service, sources, copy) is None
            return service.carried_out

    for _ in range(COPIES):
        shutil.rmtree(out, ignore_errors=True)
        shutil.rmtree(copy, ignore_errors=True)
        assert {} == sources.find_faults(copy, asyncio.run(play()))


def test_a_bit_that_flips_in_a_ledger_swaps_nothing_and_keeps_no_lock(tmp_path: Path) -> None:
    dice = random.Random(None if SOAK else 5)  # noqa: S311 - a test's dice
    sources = RunSources.make(tmp_path, KINDS, 4)
    told: Counter[str] = Counter()

    def stop(running: asyncio.Task[None]) -> None:
        running.cancel()

    async def play(out: Path) -> Counter[str]:
        async with HostileService() as service:
            await run(service, sources, out, at(dice.choice(TRANSITIONS), stop))
            flip(out, dice)
            told[type(await run(service, sources, out)).__name__] += 1
            second = await run(service, sources, out)
            assert "another" not in str(second).lower()
            return service.carried_out

    for number in range(FLIPS):
        out = tmp_path / str(number)
        carried_out = asyncio.run(play(out))
        faults = sources.find_faults(out, carried_out)
        told.update(faults.keys())
        assert "swapped" not in faults
        assert "written twice" not in faults
    print(told)  # noqa: T201 - the figures of the long form


def flip(folder: Path, dice: random.Random) -> None:
    """Flip one bit of the ledger, or of what lies beside it."""
    files = [path for path in folder.glob("ledger.db*") if path.stat().st_size]
    path = dice.choice([folder / "ledger.db", *files])
    content = bytearray(path.read_bytes())
    place = dice.randrange(len(content))
    content[place] ^= 1 << dice.randrange(8)
    path.write_bytes(content)


@pytest.mark.parametrize("link", ["folder", "ledger", "relative"])
def test_two_runs_at_once_through_a_link_are_refused(
    link: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = RunSources.make(tmp_path, ["urls"], 4)
    out, other = tmp_path / "out", tmp_path / "other"
    out.mkdir()
    if link == "folder":
        other.symlink_to(out)
    elif link == "ledger":
        other.mkdir()
        (other / "ledger.db").symlink_to(out / "ledger.db")
    else:
        monkeypatch.chdir(out)
        other = Path()
    problems: list[HumeError | None] = []

    async def play() -> Counter[str]:
        async with HostileService(latency=0.1) as service:

            async def start_another() -> None:
                async with client_of(service) as hume:
                    try:
                        await hume.batch.predict_into(
                            other, sources.given, models={"language": {}}, job_size=2
                        )
                    except HumeError as problem:
                        problems.append(problem)

            others: list[asyncio.Task[None]] = []
            start = at(
                ("arrived", 1), lambda _: others.append(asyncio.ensure_future(start_another()))
            )
            assert await run(service, sources, out, start) is None
            await others[0]
            return service.carried_out

    assert {} == sources.find_faults(out, asyncio.run(play()))
    assert [LedgerError] == [type(problem) for problem in problems]


@pytest.mark.parametrize("jump", [-600.0, 600.0])
@pytest.mark.parametrize("act", ["next-start", "reset-after", "reset-before"])
@pytest.mark.parametrize("first_list", ["ok", "404"])
def test_a_clock_that_jumps_between_two_starts_buys_nothing_again(
    act: str, first_list: str, jump: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = RunSources.make(tmp_path, ["files"], 2)
    real, begun = time.time, time.monotonic()

    def stop(running: asyncio.Task[None]) -> None:
        running.cancel()

    async def play() -> Counter[str]:
        async with HostileService(late=0.3) as service:
            service.posts.extend([act])
            service.lists.extend([first_list, *["hang"] * 9])  # nothing is found before the stop
            await run(service, sources, tmp_path / "out", at(("list", 2), stop))
            service.calm()
            monkeypatch.setattr(time, "time", lambda: real() + jump)
            assert await run(service, sources, tmp_path / "out") is None
            return service.carried_out

    assert {} == sources.find_faults(tmp_path / "out", asyncio.run(play()))
    assert time.monotonic() - begun < 60


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="becomes another user")
@pytest.mark.parametrize("stop_at", [("predictions", 1), ("never", 0)], ids=str)
def test_status_reads_a_folder_of_somebody_else_and_leaves_nothing_there(
    stop_at: tuple[str, int], tmp_path: Path, open_folder: Path
) -> None:
    sources = RunSources.make(tmp_path, ["urls"], 4)
    out = open_folder / "out"

    def stop(running: asyncio.Task[None]) -> None:
        running.cancel()

    async def play() -> None:
        async with HostileService() as service:
            await run(service, sources, out, at(stop_at, stop))
            before = {path.name: path.read_bytes() for path in out.iterdir()}
            async with starter() as started:
                main = ["status", os.fspath(out), "--json"]
                log = tmp_path / "log"
                ending = await started.run(main=main, log=os.fspath(log), user=NOBODY)
            assert {path.name: path.read_bytes() for path in out.iterdir()} == before
            told = json.loads(log.read_text())
            assert (1 if told["open"] else 0) == ending.code
            assert await run(service, sources, out) is None

    asyncio.run(play())
