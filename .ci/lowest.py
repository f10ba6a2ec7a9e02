"""Print the lowest version of each dependency that pyproject.toml allows, as pip pins.

Those of the extras that users install are meant, too; what only tests and tools need is free. Where
a version is older than what it is used with, an upper bound on that stands in `BESIDE`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))[
    "project"
]
OWN = ("bench", "docs", "server", "test", "mutation", "dev")
"""Extras of those who work on the project."""
BESIDE = ("numpy<2", "pandas<3")
"""What pyarrow 15 was built for: its wheels are not loaded beside a later numpy, and a later pandas
warns of calls that it makes."""


def lines() -> Iterator[str]:
    """Give what the project and its extras ask for."""
    yield from PROJECT["dependencies"]
    for name, extra in PROJECT["optional-dependencies"].items():
        if name not in OWN:
            yield from extra


for line in lines():
    requirement = Requirement(line)
    if requirement.name != PROJECT["name"]:
        floor = next(part.version for part in requirement.specifier if part.operator == ">=")
        print(f"{requirement.name}=={floor}")
print(*BESIDE, sep="\n")
