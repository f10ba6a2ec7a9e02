"""Imports point down only, and every module imports alone."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "humeai_async"

LAYERS = [
    {"errors", "unset", "plain", "redaction", "frozen", "types.expressions"},
    {"scanning"},
    {
        "wire",
        "settings",
        "types.tagged",
        "types.paging",
        "types.json_text",
        "types.scores",
        "types.slices",
        "types.score_table",
        "ratelimits",
        "checks",
        "disk",
        "deadlines",
        "shielding",
        "forks",
    },
    {
        "types.measurements",
        "archives",
        "loops",
        "limiter.pacing",
        "limiter.lanes",
        "limiter.concurrency",
        "limiter.events",
    },
    {"limiter.evidence"},
    {"limiter.credit"},
    {"limiter.growth"},
    {"limiter.learning"},
    {"limiter.queueing"},
    {"rows"},
    {"tables"},
    {"types.predictions", "bulk.parquet"},
    {"bodies", "proxies"},
    {"endpoint", "retry", "uploads", "sockets", "payloads"},
    {"types.*"},
    {"converter"},
    {"codec", "catalog", "transport", "chat.reconnect"},
    {"limiter.limiter"},
    {"answers"},
    {"failures"},
    {"origins"},
    {"echoes"},
    {"session"},
    {"joblist", "downloads"},
    {"poller", "pages", "chat.line"},
    {"job", "chat.socket"},
    {"bulk.ledger"},
    {"bulk.outcomes"},
    {"bulk.predicting"},
    {"resources._base"},
    {"resources._versioned"},
    {"resources.*"},
    {"client", "bulk.progress", "bulk.sinks"},
    {"bulk.runs"},
    {"__init__"},
    {"cli"},
    {"__main__"},
]
"""From the lowest up; a module may import from layers below its own, and from its own none
but what `SIDEWAYS` says. `testing` stands beside them all and is imported by `cli` alone."""

SIDEWAYS = {
    ("types.batch", "types.registry"),
    ("types.chat", "types.chat_settings"),
    ("types.chat", "types.evi"),
    ("types.evi_configs", "types.evi"),
}

ALONE = {
    "aiohttp": {"transport", "payloads", "sockets", "bodies", "testing"},
    "cattrs": {"converter"},
    "msgspec": {
        "codec",
        "converter",
        "scanning",
        "types.measurements",
        "types.predictions",
        "types.scores",
        "types.slices",
    },
    "click": {"cli"},
    "rich": {"cli"},
}
"""Libraries that only these modules may import."""


def modules() -> list[str]:
    """Name every module, relative to the package."""
    found = [p.relative_to(PACKAGE).with_suffix("") for p in sorted(PACKAGE.rglob("*.py"))]
    return [".".join(path.parts) for path in found]


def imports(module: str) -> set[str]:
    """Name everything that a module imports, later or for type checkers too, in full."""
    tree = ast.parse((PACKAGE / Path(*module.split("."))).with_suffix(".py").read_text("utf-8"))
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import"
            base = node.module or ""
            names.update(
                f"{base}.{alias.name}" if is_module(f"{base}.{alias.name}") else base
                for alias in node.names
            )
    return names


def is_module(name: str) -> bool:
    """Whether an absolute name is a module of the package."""
    path = PACKAGE.parent / Path(*name.split("."))
    return name.startswith("humeai_async") and (
        path.with_suffix(".py").exists() or (path / "__init__.py").exists()
    )


def own_imports(module: str) -> set[str]:
    """Name the package's modules that a module imports, relative to the package."""
    found = {name for name in imports(module) if name.split(".")[0] == "humeai_async"}
    return {name.removeprefix("humeai_async").lstrip(".") or "__init__" for name in found}


def layer(module: str) -> int:
    """Return the layer of a module, the most exact entry first."""
    for number, names in enumerate(LAYERS):
        if module in names:
            return number
    parent = module.rpartition(".")[0] + ".*"
    for number, names in enumerate(LAYERS):
        if parent in names:
            return number
    raise AssertionError(f"{module} has no layer: give it one in tests/test_layers.py")


def is_beside(module: str) -> bool:
    """Whether a module stands outside the layers: the fake, and empty package files."""
    return module.startswith("testing") or module.endswith(".__init__")


IMPORT_EACH_ALONE = """
import importlib, os, sys, types
import aiohttp.web, anyio, attrs, cattrs, msgspec, rich.progress, click  # once for all copies
package = sys.modules["humeai_async"] = types.ModuleType("humeai_async")
package.__path__ = [sys.argv[1]]  # without its __init__, which would import all the others
for name in sys.argv[2:]:
    child = os.fork()
    if not child:
        importlib.import_module(name)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        print(name)
"""
"""Imports each module in a copy of an interpreter that has imported none of the package."""


@pytest.mark.parametrize("module", [m for m in modules() if not is_beside(m)])
def test_imports_point_down(module: str) -> None:
    for name in own_imports(module):
        if name.startswith("testing"):
            assert module == "cli"
        elif not is_beside(name) and (module, name) not in SIDEWAYS:
            assert layer(name) < layer(module), f"{module} imports {name}"


@pytest.mark.parametrize("module", [m for m in modules() if m.startswith("testing")])
def test_the_fake_knows_nothing_above_the_wire(module: str) -> None:
    known = {name for name in own_imports(module) if not name.startswith("testing")}
    assert known <= {"errors", "unset", "wire", "settings", "__init__"}


@pytest.mark.parametrize("module", modules())
def test_each_library_has_its_one_place(module: str) -> None:
    for library, places in ALONE.items():
        if library in {name.split(".")[0] for name in imports(module)}:
            assert module in places or module.split(".", maxsplit=1)[0] in places


def test_every_module_imports_alone_in_a_fresh_interpreter() -> None:
    names = ["humeai_async." + m.removesuffix(".__init__") for m in modules() if m != "__init__"]
    done = subprocess.run(  # noqa: S603 - our own
        [sys.executable, "-c", IMPORT_EACH_ALONE, str(PACKAGE), *names],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "", done.stderr
