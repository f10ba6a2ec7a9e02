"""What do import and client cost?

    python -m benchmarks.imports [--full]

CPU time of the import and of building a client, each time in a fresh interpreter: this
library, the four libraries that it stands on alone, and the official SDK. Then the modules of
ours that take the longest to import, by `python -X importtime`, without what they import.

All are read from bytecode, as after an installation by pip, which compiles: a checkout whose
bytecode may not be written would be compiled each time, and its peers would not.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile

from benchmarks.measuring import Verdict, is_there, print_table, print_verdicts

LIBRARIES = "aiohttp, attrs, cattrs, anyio"
OURS = "humeai_async, a client built"
OFFICIAL = "hume 0.13.13, a client built"
STATEMENTS = {
    LIBRARIES: f"import {LIBRARIES}",
    OURS: "import humeai_async; humeai_async.HumeAI(api_key='key')",
    OFFICIAL: "import hume; hume.AsyncHumeClient(api_key='key')",
}
BAR = 1.1
MEASURE = """
import json, sys, time
modules, began = len(sys.modules), time.process_time()
{}
print(json.dumps([time.process_time() - began, len(sys.modules) - modules]))
"""
IMPORT_TIME = re.compile(r"import time: +(\d+) \| +\d+ \| *(humeai_async[\w.]*)")
SHOWN = 8


def once(statement: str, bytecode: str) -> tuple[float, int]:
    """Return the CPU seconds that a statement takes and the modules that it imports."""
    done = _python(bytecode, "-c", MEASURE.format(statement))
    seconds, modules = json.loads(done.stdout)
    return seconds, modules


def own_modules(bytecode: str) -> list[tuple[str, float]]:
    """Return our modules and their milliseconds, the longest first."""
    done = _python(bytecode, "-X", "importtime", "-c", STATEMENTS[OURS])
    found = [(name, int(spent) / 1000) for spent, name in IMPORT_TIME.findall(done.stderr)]
    return sorted(found, key=lambda pair: pair[1], reverse=True)


def _python(bytecode: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run an interpreter that keeps the bytecode of all that it imports in a folder."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": bytecode}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return subprocess.run(  # noqa: S603 - our own
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env=environment,
    )


def run(*, full: bool) -> list[Verdict]:
    names = [name for name in STATEMENTS if name != OFFICIAL or is_there("hume")]
    found: dict[str, list[tuple[float, int]]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as bytecode:
        for name in names:
            once(STATEMENTS[name], bytecode)  # compiles
        for turn in range(21 if full else 9):
            for name in names:
                if name != OFFICIAL or turn < 5:
                    found[name].append(once(STATEMENTS[name], bytecode))
        own = own_modules(bytecode)
    seconds = {name: statistics.median(s for s, _ in each) for name, each in found.items()}
    least = {name: min(s for s, _ in each) for name, each in found.items()}
    rows = [
        (
            name,
            f"{seconds[name] * 1e3:.0f}",
            f"{seconds[name] / seconds[LIBRARIES]:.2f}x",
            f"{least[name] * 1e3:.0f}",
            f"{least[name] / least[LIBRARIES]:.2f}x",
            str(found[name][0][1]),
        )
        for name in names
    ]
    print_table("Import", ("what", "CPU ms", "ratio", "least", "ratio", "modules"), rows)
    total = sum(spent for _, spent in own)
    longest = [(name, f"{spent:.1f}") for name, spent in own[:SHOWN]]
    title = f"Our {len(own)} modules take {total:.0f} ms; the longest"
    print_table(title, ("module", "ms"), longest)
    ratio = seconds[OURS] / seconds[LIBRARIES]
    return [
        Verdict(
            "import and a client built",
            f"{seconds[OURS] * 1e3:.0f} ms",
            f"the four libraries {seconds[LIBRARIES] * 1e3:.0f} ms",
            ratio,
            f"at most {BAR}x",
            ratio <= BAR,
        )
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="more rounds")
    print_verdicts(run(full=parser.parse_args().full))


if __name__ == "__main__":
    main()
