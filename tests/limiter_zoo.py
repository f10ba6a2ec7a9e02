"""Live through the zoo of quotas, and print how the limiter did.

python tests/limiter_zoo.py [--cells 300] [--first 0] [--seed N] [--worst 10] [--processes 2]
                            [--changes | --services]

Cells are drawn by seed; `--seed` runs one alone. With `--changes` the quota is halved after 15 s
and tripled after 30 s, in those of the cells that have a window of up to 2 s and no more than 300
requests a second; what is printed is the pace from 5 s after each change on. `--services` runs
those that widely used packages make, for 30 s each.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "support"))

from zoo.cells import Cell, draw
from zoo.report import lines, lines_of_changes
from zoo.services import SERVICES
from zoo.traffic import Changed, Outcome, run, run_changing, run_long

SERVICE_SECONDS = 30.0


def live(seed: int) -> Outcome:
    """Live through the cell of a seed."""
    return run(draw(seed))


def change(seed: int) -> Changed:
    """Live through the cell of a seed while its quota changes."""
    return run_changing(draw(seed))


def serve(name: str) -> Outcome:
    """Live through the cell of a service that others wrote."""
    return run_long(SERVICES[name](name), SERVICE_SECONDS)


def is_quick(cell: Cell) -> bool:
    """Whether a cell can find a changed quota in seconds, and be lived through in a second."""
    return cell.window <= 2.0 and cell.rate <= 300.0


def main() -> None:
    """Read the command line, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=300)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--worst", type=int, default=10)
    parser.add_argument("--processes", type=int, default=2)
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--changes", action="store_true")
    kinds.add_argument("--services", action="store_true")
    options = parser.parse_args()
    if options.seed is not None:
        found = (change if options.changes else live)(options.seed)
        sys.stdout.write(f"{found}\n")
        return
    seeds: Iterable[int] = range(options.first, options.first + options.cells)
    with ProcessPoolExecutor(options.processes) as pool:
        if options.changes:
            quick = [seed for seed in seeds if is_quick(draw(seed))]
            text = lines_of_changes(list(pool.map(change, quick, chunksize=4)), options.worst)
        elif options.services:
            text = map(str, pool.map(serve, SERVICES))
        else:
            text = lines(list(pool.map(live, seeds, chunksize=4)), options.worst)
    sys.stdout.writelines(f"{line}\n" for line in text)


if __name__ == "__main__":
    main()
