"""The coverage-guided run: atheris looks for input that breaks the promises.

    python tests/fuzzing/coverage_guided.py --seconds 20
    python tests/fuzzing/coverage_guided.py --seconds 600 answers headers

Each target runs in a process of its own for its share of the time, and begins with the samples.
Input that breaks a promise is written down as a file, printed with the error, and makes the
exit code 1; put it into `test_fuzz_regressions.py`. Where atheris (extra `fuzz`) is not
installed, a line says so and nothing is run.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
TARGETS = ("decoders", "answers", "headers", "addresses")
LONGEST_INPUT = 100_000
"""Bytes; the largest sample is smaller."""
GRACE = 60
"""Seconds that a process may take to start and to end."""


def main() -> int:
    """Run the targets that are asked for, one after the other."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("targets", nargs="*", default=TARGETS, help=f"of {', '.join(TARGETS)}")
    parser.add_argument("--seconds", type=int, default=20, help="for all targets together")
    parser.add_argument("--corpus", type=Path, help="where to keep input that found something new")
    parser.add_argument("--seed", type=int, default=1, help="of the dice")
    asked = parser.parse_args()
    if unknown := sorted(set(asked.targets) - set(TARGETS)):
        parser.error(f"no such target: {', '.join(unknown)}")
    if importlib.util.find_spec("atheris") is None:
        print("coverage-guided fuzzing: skipped, atheris is not installed (extra `fuzz`)")
        return 0
    share = max(1, asked.seconds // len(asked.targets))
    with tempfile.TemporaryDirectory() as folder:
        corpus = asked.corpus or Path(folder)
        return max([run(target, share, corpus, asked.seed) for target in asked.targets])


def run(target: str, seconds: int, corpus: Path, seed: int) -> int:
    """Run one target in a process of its own and say how it went; 1 for a broken promise."""
    kept, crashes = corpus / target, corpus / "crashes"
    kept.mkdir(parents=True, exist_ok=True)
    crashes.mkdir(exist_ok=True)
    command = [sys.executable, str(HERE / "fuzz_target.py"), target, str(kept)]
    options = {
        "max_total_time": seconds,
        "max_len": LONGEST_INPUT,
        "artifact_prefix": f"{crashes}/{target}-",
        "rss_limit_mb": 2048,
        "timeout": 20,
        "seed": seed,
    }
    command += [f"-{name}={value}" for name, value in options.items()]
    done = subprocess.run(  # noqa: S603 - our own
        command,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=seconds + GRACE,
        check=False,
    )
    told = done.stdout + done.stderr
    print(f"{target}: {summary(told)}, {'ok' if done.returncode == 0 else 'BROKEN'}", flush=True)
    if done.returncode == 0:
        return 0
    print(done.stdout[-4000:], done.stderr[-2000:])  # a traceback, and how it came to that
    for found in sorted(crashes.iterdir()):
        print(f"{found.name}: {found.read_bytes()[:500]!r}")
    return 1


def summary(told: str) -> str:
    """Find the figures in what libFuzzer prints: the last of each."""
    patterns = (r"^#(\d+)", r" cov: (\d+)", r" ft: (\d+)", r" corp: (\d+)")
    found = [re.findall(pattern, told, re.MULTILINE) for pattern in patterns]
    executed, edges, features, kept = (numbers[-1] if numbers else "?" for numbers in found)
    return f"{executed} executions, {edges} edges, {features} features, {kept} inputs kept"


if __name__ == "__main__":
    sys.exit(main())
