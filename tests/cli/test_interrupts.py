"""Ctrl-C while a command runs: once, twice in one moment, and again while it stops."""

from __future__ import annotations

import asyncio
import io
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from humeai_async.cli import interrupts

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

PROGRAM = """
import asyncio, sys
from humeai_async.cli import interrupts

async def sleep_shortly():
    while True:
        await asyncio.sleep(0.0005)

async def work():
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(50):
                group.create_task(sleep_shortly())
            print("running", flush=True)
    finally:
        await asyncio.sleep(float(sys.argv[1]))
        print("ended in order", flush=True)

try:
    interrupts.run(work())
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.fixture(autouse=True)
def ctrl_c_is_enabled() -> Iterator[None]:
    """Let Ctrl-C work in what is started here, even where this runs in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press(*pauses: float, ending: float = 0.0) -> tuple[int, str, str]:
    """Press Ctrl-C after each of some seconds; returns exit code, output and messages."""
    with subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", PROGRAM, str(ending)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        for pause in pauses:
            time.sleep(pause)
            process.send_signal(signal.SIGINT)
        output, messages = process.communicate(timeout=20)
    return process.returncode, first + output, messages


def test_work_that_is_not_interrupted_returns_its_result() -> None:
    async def work() -> str:
        return "done"

    assert interrupts.run(work()) == "done"


def test_work_that_is_interrupted_ends_in_order_first() -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            for _ in range(3):  # two of them mean nothing more
                signal.raise_signal(signal.SIGINT)
            await asyncio.sleep(10)
        finally:
            await asyncio.sleep(0)
            ended.append("in order")

    with pytest.raises(KeyboardInterrupt):
        interrupts.run(work())
    assert ended == ["in order"]


def test_work_that_cancels_itself_was_not_interrupted() -> None:
    async def work() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        interrupts.run(work())


@pytest.mark.parametrize("is_terminal", [False, True])
def test_a_later_one_ends_the_process_and_shows_the_cursor_again(
    is_terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes: list[int] = []
    stderr = io.StringIO()
    monkeypatch.setattr(stderr, "isatty", lambda: is_terminal)
    monkeypatch.setattr(interrupts, "SAME_PRESS", 0.0)
    monkeypatch.setattr("os._exit", codes.append)
    monkeypatch.setattr("sys.stderr", stderr)

    async def work() -> None:
        signal.raise_signal(signal.SIGINT)
        try:
            await asyncio.sleep(10)
        finally:
            signal.raise_signal(signal.SIGINT)
            await asyncio.sleep(0.001)  # until the event loop has seen it

    with pytest.raises(KeyboardInterrupt):
        interrupts.run(work())
    assert codes == [130]
    assert "stopped at once" in stderr.getvalue()
    assert ("\x1b[?25h" in stderr.getvalue()) == is_terminal


@pytest.mark.slow
def test_the_first_ctrl_c_stops_a_command_in_order() -> None:
    assert press(0.05) == (130, "running\nended in order\n", "")


@pytest.mark.slow
def test_many_within_milliseconds_are_one() -> None:
    pauses = [0.05, *[0.001] * 15]
    assert press(*pauses, ending=0.2) == (130, "running\nended in order\n", "")


@pytest.mark.slow
def test_another_one_later_stops_it_at_once() -> None:
    code, output, messages = press(0.05, 1.1, ending=15.0)
    assert (code, output) == (130, "running\n")
    assert "stopped at once; run the same command again to continue" in messages
