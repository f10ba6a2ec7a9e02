"""How many instructions does a small call take, and what does it cost to look at it?

    python -m benchmarks.instructions [--calls 200] [VARIANT ...]

Instructions are counted by valgrind's callgrind, so that the figure does not depend on what else
the machine does: each client makes its calls one by one in a process of its own, and is counted
from after its first calls on. All of them are measured in one run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import calls, clients
from benchmarks.fixed import fixed_server
from benchmarks.measuring import Opened, print_table
from humeai_async.telemetry import OpenTelemetry

WARM = 50
"""Calls before it is counted: connections, caches and imports are there then."""
_TOTAL = re.compile(r"^(?:totals|summary): (\d+)", re.MULTILINE)


VARIANTS: dict[str, Callable[[str], Opened]] = {
    "bare": calls.bare,
    "ours": lambda url: calls.ours(url, clients.UNPACED),
    "learned": lambda url: calls.ours(url, None),
    "observer": lambda url: calls.watched(url, calls.Watching),
    "opentelemetry": lambda url: calls.watched(url, OpenTelemetry),
}


async def make_calls(variant: str, url: str, number: int) -> None:
    """Make calls one by one, and have all but the first counted."""
    async with VARIANTS[variant](url) as call:
        for _ in range(WARM):
            await call()
        switch = ["callgrind_control", "--instr=on", str(os.getpid())]
        subprocess.run(switch, check=True, stdout=subprocess.DEVNULL)  # noqa: S603, ASYNC221 - nothing else runs
        for _ in range(number):
            await call()
        os._exit(0)  # what closes is not counted


def count(variant: str, url: str, number: int) -> float:
    """Return the instructions of one call."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        command = [
            "valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out}",
            sys.executable, "-m", "benchmarks.instructions", "--child", variant, url,
            "--calls", str(number),
        ]  # fmt: skip
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)  # noqa: S603 - our own
        found = _TOTAL.findall(out.read_text("utf-8"))
    return max(map(int, found)) / number


def main() -> None:
    """Measure all variants, or those that are named, and print a table."""
    parser = argparse.ArgumentParser(description="Instructions of a small call, by client.")
    parser.add_argument("variants", nargs="*", default=list(VARIANTS))
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        variant, url = given.child
        asyncio.run(make_calls(str(variant), str(url), int(given.calls)))
        return
    with fixed_server({calls.PATH: [json.dumps(calls.PAGE).encode()]}) as url:
        found = {name: count(name, url, given.calls) for name in given.variants}
    base = next(iter(found.values()))
    rows = [(name, f"{each:,.0f}", f"{each / base:.3f}x") for name, each in found.items()]
    print_table("Instructions of a small call", ("client", "instructions", "ratio"), rows)


if __name__ == "__main__":
    main()
