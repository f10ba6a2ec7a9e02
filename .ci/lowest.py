"""Print the lowest version of each run-time dependency that pyproject.toml allows, as pip pins."""

from __future__ import annotations

import tomllib
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))

for line in PROJECT["project"]["dependencies"]:
    requirement = Requirement(line)
    floor = next(part.version for part in requirement.specifier if part.operator == ">=")
    print(f"{requirement.name}=={floor}")
