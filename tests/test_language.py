"""The language of the package: its names, and the texts that an editor shows."""

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # they read the whole package

PACKAGE = Path(__file__).parent.parent / "humeai_async"
# The stand-in sends answers, by its own public names.
EXEMPT = {"testing"}
NAMED = [p for p in PACKAGE.rglob("*.py") if p.relative_to(PACKAGE).parts[0] not in EXEMPT]
BANNED = re.compile(
    "answer(s|ed)?|hear[ds]?|heed(s|ed)?|walk(s|ed)?|lanes?|str(ike|ikes|uck)"
    "|settle[ds]?|spoil(s|ed|t)?|handover"
)
Documented = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@functools.cache
def read(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def own_names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.arg(arg=name):
                yield name
            case ast.AsyncFunctionDef(name=name) | ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.Attribute(attr=name, ctx=ast.Store()):
                yield name
            case _:
                pass


def is_overload(node: Documented) -> bool:
    return any(isinstance(one, ast.Name) and one.id == "overload" for one in node.decorator_list)


def public(node: ast.Module | Documented) -> Iterator[Documented]:
    for child in node.body:
        if isinstance(child, Documented) and not child.name.startswith("_"):
            yield child
            if isinstance(child, ast.ClassDef):
                yield from public(child)


def test_names_are_the_terms_of_http_and_asyncio() -> None:
    names = {(path.name, name) for path in NAMED for name in own_names(read(path))}
    words = {place: re.findall("[A-Z]?[a-z]+|[A-Z]+", place[1]) for place in names}
    assert not sorted(p for p in words if any(BANNED.fullmatch(w.lower()) for w in words[p]))


def test_a_public_docstring_has_four_words() -> None:
    nodes = [(path.name, node) for path in NAMED for node in public(read(path))]
    own = [(module, node) for module, node in nodes if not is_overload(node)]
    texts = {(module, node.name): ast.get_docstring(node) or "" for module, node in own}
    assert not {place: text for place, text in texts.items() if len(text.split()) < 4}
