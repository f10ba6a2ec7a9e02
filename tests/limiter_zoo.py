"""Live through the zoo of quotas, and print how the limiter did.

python tests/limiter_zoo.py [--cells 300] [--first 0] [--seed N] [--worst 10] [--processes 2]

Cells are drawn by seed; `--seed` runs one alone.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "support"))

from zoo.cells import draw
from zoo.report import lines
from zoo.traffic import Outcome, run


def live(seed: int) -> Outcome:
    """Live through the cell of a seed."""
    return run(draw(seed))


def main() -> None:
    """Read the command line, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=300)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--worst", type=int, default=10)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    if options.seed is not None:
        sys.stdout.write(f"{live(options.seed)}\n")
        return
    seeds = range(options.first, options.first + options.cells)
    with ProcessPoolExecutor(options.processes) as pool:
        outcomes = list(pool.map(live, seeds, chunksize=4))
    sys.stdout.writelines(f"{line}\n" for line in lines(outcomes, options.worst))


if __name__ == "__main__":
    main()
