"""Imports point down only, in the order that CONTRIBUTING draws."""

import ast
import functools
import graphlib
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "humeai_async"
ORDER = (
    "errors < _base < settings < types limiter < http < catalog < bulk shared media < batch "
    "chat expression decisions webhooks < resources < client < report distributed telemetry "
    "< __init__ cli testing __main__ < pytest_plugin"
)
LAYER = {room: n for n, layer in enumerate(ORDER.split("<")) for room in layer.split()}
BORDERS = {
    "aiohttp": ("http.transport", "testing"),
    "cattrs": ("http.converter",),
} | dict.fromkeys(("click", "rich"), ("cli",))
KNOWN = {("cli", "testing"), ("__main__", "cli")}
"""Arrows against the order that are still to go, and the two between neighbours at the top."""


def modules() -> dict[str, Path]:
    found = {p.relative_to(PACKAGE).with_suffix(""): p for p in PACKAGE.rglob("*.py")}
    return {".".join(path.parts).removesuffix(".__init__"): p for path, p in found.items()}


@functools.cache
def imports(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def own(file: Path, known: dict[str, Path]) -> set[str]:
    inside = {name.partition("humeai_async.")[2] for name in imports(file)} - {""}
    return {name if name in known else name.rpartition(".")[0] or "__init__" for name in inside}


def test_imports_point_down() -> None:
    known = modules()
    arrows = {(m.split(".")[0], n.split(".")[0]) for m in known for n in own(known[m], known)}
    wrong = {(a, b) for a, b in arrows if a != b and LAYER[b] >= LAYER[a]}
    assert wrong <= KNOWN


def test_no_files_import_one_another_in_a_circle() -> None:
    known = modules()
    graphlib.TopologicalSorter({m: own(known[m], known) - {m} for m in known}).prepare()


def test_each_library_is_used_at_its_border_only() -> None:
    for module, file in modules().items():
        for library in {name.split(".")[0] for name in imports(file)} & BORDERS.keys():
            assert module.startswith(BORDERS[library]), f"{module} imports {library}"
