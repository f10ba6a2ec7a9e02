"""Print what shares of lines and of branches the tests reach; fails if one is too low.

Run after `pytest --cov --cov-report=json`, in the same folder. pytest itself looks only at
lines and branches taken together.
"""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

REPORT = Path("coverage.json")
SETTINGS = Path(__file__).parents[1] / "pyproject.toml"


def main() -> int:
    """Print the two shares; return 1 if one is below its least."""
    settings: dict[str, Any] = tomllib.loads(SETTINGS.read_text("utf-8"))["tool"]["coverage"]
    least = float(settings["report"]["fail_under"])
    totals: dict[str, int] = json.loads(REPORT.read_text("utf-8"))["totals"]
    reached = {
        "lines": (totals["covered_lines"], totals["num_statements"]),
        "branches": (totals["covered_branches"], totals["num_branches"]),
    }
    for what, (covered, there) in reached.items():
        share = 100 * covered / there
        sys.stdout.write(f"{what:8} {covered:5} of {there:5}: {share:5.1f}% (least: {least}%)\n")
    return int(any(100 * covered < least * there for covered, there in reached.values()))


if __name__ == "__main__":
    sys.exit(main())
