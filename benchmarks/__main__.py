"""All benchmarks, one after the other, and one table of ratios at the end.

    python -m benchmarks [--full] [--only calls,decoding,...]

About ten minutes; `--full` takes longer and measures more. Each script can be run alone, and
says what it asks: `python -m benchmarks.calls --help`. Peers come with
`pip install humeai_async[bench]`; those that are missing are named and left out.
"""

from __future__ import annotations

import argparse
import os
import platform
import time

from benchmarks import (
    bulk,
    calls,
    decoding,
    download,
    imports,
    large,
    limiter,
    live,
    memory,
    pages,
    stalls,
    tables,
    upload,
    waits,
)
from benchmarks.measuring import Run, Verdict, print_verdicts

BENCHMARKS: dict[str, Run] = {
    "calls": calls.run,
    "decoding": decoding.run,
    "tables": tables.run,
    "stalls": stalls.run,
    "memory": memory.run,
    "large": large.run,
    "imports": imports.run,
    "pages": pages.run,
    "upload": upload.run,
    "waits": waits.run,
    "download": download.run,
    "limiter": limiter.run,
    "bulk": bulk.run,
    "live": live.run,
}


def names(text: str) -> list[str]:
    """Read names of benchmarks, separated by commas."""
    chosen = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in chosen if name not in BENCHMARKS]
    if unknown or not chosen:
        given = ", ".join(unknown) or "nothing"
        raise argparse.ArgumentTypeError(f"{given} is none of {', '.join(BENCHMARKS)}")
    return chosen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="more rounds and sizes")
    parser.add_argument(
        "--only", nargs="+", type=names, default=[[*BENCHMARKS]], help="names, by comma or space"
    )
    options = parser.parse_args()
    chosen = [name for some in options.only for name in some]
    began = time.monotonic()
    verdicts: list[Verdict] = []
    for name in chosen:
        verdicts += BENCHMARKS[name](full=options.full)
    machine = f"{platform.python_implementation()} {platform.python_version()}"
    minutes = (time.monotonic() - began) / 60
    print(f"\n{machine}, {os.cpu_count()} cores, {minutes:.1f} minutes")
    print_verdicts(verdicts)


if __name__ == "__main__":
    main()
