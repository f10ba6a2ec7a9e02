"""What do import and client cost?

    python -m benchmarks.imports [--full]

CPU time of the import and of building a client, each time in a fresh interpreter: this
library, the four libraries that it stands on alone, and the official SDK; and with the first
use of a resource, which brings the types. Then the same by `python -X importtime`, with the
modules of ours that take the longest, without what they import.

All are read from bytecode, as after an installation by pip, which compiles: a checkout whose
bytecode may not be written would be compiled each time, and its peers would not.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile

from benchmarks.measuring import OFFICIAL, Verdict, is_there, print_table, ratio, run_alone

LIBRARIES = "aiohttp, attrs, cattrs, anyio"
OURS, USED = "humeai_async, a client built", "humeai_async, a resource used"
_BUILT = "import humeai_async; hume = humeai_async.HumeAI(api_key='key')"
OFFICIAL_USED = f"{OFFICIAL}, a resource used"
_OFFICIAL_BUILT = "import hume; hume.AsyncHumeClient(api_key='key')"
STATEMENTS = {
    LIBRARIES: f"import {LIBRARIES}",
    OURS: _BUILT,
    USED: f"{_BUILT}; hume.configs",
    OFFICIAL: _OFFICIAL_BUILT,
    OFFICIAL_USED: f"{_OFFICIAL_BUILT}.empathic_voice.configs",
}
BAR = 1.1
MEASURE = """
import json, sys, time
modules, began = len(sys.modules), time.process_time()
{}
print(json.dumps([time.process_time() - began, len(sys.modules) - modules]))
"""
IMPORT_TIME = re.compile(r"import time: +(\d+) \| +\d+ \| *([\w.]+)")
SHOWN = 8


def once(statement: str, bytecode: str) -> tuple[float, int]:
    """Return the CPU seconds that a statement takes and the modules that it imports."""
    done = _python(bytecode, "-c", MEASURE.format(statement))
    seconds, modules = json.loads(done.stdout)
    return seconds, modules


def import_times(statement: str, bytecode: str) -> dict[str, float]:
    """Return the milliseconds of each module, by the clock and without what it imports."""
    done = _python(bytecode, "-X", "importtime", "-c", statement)
    return {name: int(spent) / 1000 for spent, name in IMPORT_TIME.findall(done.stderr)}


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
    peer_is_there = is_there("hume")
    names = [name for name in STATEMENTS if peer_is_there or not name.startswith(OFFICIAL)]
    found: dict[str, list[tuple[float, int]]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as bytecode:
        for name in names:
            once(STATEMENTS[name], bytecode)  # compiles
        times: dict[str, dict[str, float]] = {name: {} for name in names}
        for turn in range(31 if full else 12):
            for name in names:
                found[name].append(once(STATEMENTS[name], bytecode))
                if turn % 3 == 0:
                    each = import_times(STATEMENTS[name], bytecode)
                    times[name] = {n: min(t, times[name].get(n, t)) for n, t in each.items()}
    seconds = {name: statistics.median(s for s, _ in each) for name, each in found.items()}
    least = {name: min(s for s, _ in each) for name, each in found.items()}
    totals = {name: sum(each.values()) for name, each in times.items()}
    rows = [
        (
            name,
            f"{seconds[name] * 1e3:.0f}",
            f"{seconds[name] / seconds[LIBRARIES]:.2f}x",
            f"{least[name] * 1e3:.0f}",
            f"{least[name] / least[LIBRARIES]:.2f}x",
            f"{totals[name]:.0f}",
            f"{totals[name] / totals[LIBRARIES]:.2f}x",
            str(found[name][0][1]),
        )
        for name in names
    ]
    header = ("what", "CPU ms", "ratio", "least", "ratio", "-X importtime", "ratio", "modules")
    print_table("Import", header, rows)
    own = {name: spent for name, spent in times[OURS].items() if name.startswith("humeai_async")}
    longest = sorted(own, key=own.__getitem__, reverse=True)[:SHOWN]
    title = f"Our {len(own)} modules take {sum(own.values()):.0f} ms; the longest"
    print_table(title, ("module", "ms"), [(name, f"{own[name]:.1f}") for name in longest])
    cpu = {name: spent * 1e3 for name, spent in seconds.items()}
    return [
        _verdict("import and a client built, CPU", cpu[OURS], cpu, OFFICIAL, BAR),
        _verdict("our modules alone, -X importtime", sum(own.values()), totals, OFFICIAL, None),
        _verdict("import and a resource used, CPU", cpu[USED], cpu, OFFICIAL_USED, None),
    ]


def _verdict(
    question: str, ours: float, milliseconds: dict[str, float], official: str, bar: float | None
) -> Verdict:
    theirs = milliseconds[LIBRARIES]
    return Verdict(
        question,
        f"{ours:.0f} ms",
        f"the four libraries {theirs:.0f} ms",
        ours / theirs,
        f"at most {bar}x" if bar else "",
        ours / theirs <= bar if bar else None,
        ratio(ours, milliseconds.get(official)),
    )


if __name__ == "__main__":
    run_alone(run, __doc__)
