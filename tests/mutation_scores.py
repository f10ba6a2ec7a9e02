"""Print what share of mutants the tests caught, a row a module; fails below 85 %.

Run after `mutmut run` (extra `mutation`), in the same folder.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

MUTANTS = Path("mutants")
LEAST = 0.85
CAUGHT = {1: "failed", 3: "failed", 24: "too slow", -24: "too slow", 36: "too slow"}
"""Exit codes of a test run, as mutmut has them, that show that a mutant was noticed."""


def counts_of(meta: Path) -> Counter[str]:
    """Count the mutants of one module by what became of them."""
    codes: dict[str, int | None] = json.loads(meta.read_text("utf-8"))["exit_code_by_key"]
    return Counter(CAUGHT.get(code, "survived") for code in codes.values() if code is not None)


def main() -> int:
    """Print the table; return 1 if a package or module is below the least share."""
    groups: dict[str, Counter[str]] = {}
    for meta in sorted(MUTANTS.rglob("*.py.meta")):
        place = meta.relative_to(MUTANTS)
        name = "limiter" if "limiter" in place.parts else place.name.removesuffix(".py.meta")
        if counts := counts_of(meta):
            groups[name] = groups.get(name, Counter()) + counts
    if not groups:
        sys.stdout.write("no mutant was tried\n")
        return 1
    is_enough = True
    groups["all"] = sum(groups.values(), Counter[str]())
    for name, counts in groups.items():
        share = 1 - counts["survived"] / counts.total()
        is_enough = is_enough and share >= LEAST
        columns = " ".join(
            f"{what} {counts[what]:4}" for what in ("failed", "too slow", "survived")
        )
        sys.stdout.write(f"{name:10} mutants {counts.total():4}: {columns}  {share:6.1%}\n")
    return 0 if is_enough else 1


if __name__ == "__main__":
    sys.exit(main())
