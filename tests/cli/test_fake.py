"""`humeai-async fake`: what it prints, whom it serves, and how it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cli_support import run

from humeai_async import HumeAI

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

COMMAND = [sys.executable, "-P", "-m", "humeai_async", "fake"]
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start the command; what still runs at the end is killed."""
    running: list[subprocess.Popen[str]] = []
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # also in the background

    def start(*words: str, **settings: Any) -> subprocess.Popen[str]:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [*COMMAND, *words],
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **settings,
        )
        running.append(process)
        return process

    yield start
    signal.signal(signal.SIGINT, before)
    for process in running:
        process.kill()
        process.communicate()


def read_variables(process: subprocess.Popen[str]) -> dict[str, str]:
    assert process.stdout is not None
    lines = [process.stdout.readline().rstrip("\n") for _ in range(5)]
    assert all(line.startswith(("export ", "unset ")) for line in lines), lines
    pairs = [line.removeprefix("export ").partition("=") for line in lines]
    return {name: value for name, equals, value in pairs if equals}


def end(process: subprocess.Popen[str], by: signal.Signals) -> tuple[int, str]:
    process.send_signal(by)
    _, messages = process.communicate(timeout=20)
    return process.returncode, messages


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dialect", "variable"),
    [("direct", "HUME_API_KEY"), ("gateway-recorded", "LOWCODEAPI_API_TOKEN")],
)
def test_the_printed_variables_lead_a_client_to_it_and_ctrl_c_ends_it(
    start: Start, dialect: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = start("--port", "0", "--dialect", dialect, "--run-seconds", "0")
    variables = read_variables(process)
    assert variable in variables
    for name in [name for name in os.environ if name.startswith(("HUME_", "LOWCODEAPI_"))]:
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    async def work() -> str | None:
        async with HumeAI() as hume:
            job = await hume.batch.start_job(text=["What a day!"])
            await job.wait(timeout=10)
            return job.status

    assert asyncio.run(work()) == "COMPLETED"
    code, messages = end(process, signal.SIGINT)
    assert code == 0
    assert messages == (
        f"humeai-async: a stand-in for Hume is at {variables['HUME_BASE_URL']}; Ctrl-C ends it\n"
    )


@pytest.mark.slow
def test_sigterm_ends_it_too(start: Start) -> None:
    process = start("--port", "0")
    read_variables(process)
    code, messages = end(process, signal.SIGTERM)
    assert code == 0
    assert "Traceback" not in messages


@pytest.mark.anyio
async def test_a_port_that_is_taken_is_one_line_and_exit_code_3() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = await run(["fake", "--port", str(port)])
    assert done.returncode == 3
    assert f"cannot serve on port {port} of 127.0.0.1: " in done.stderr
    assert "Traceback" not in done.stderr
