"""Values of ours and of attrs' own `frozen`: nobody can tell them apart."""

from __future__ import annotations

import ast
import copy
import itertools
import pickle
from pathlib import Path
from typing import Any

import attrs
import pytest
from attrs import field

import humeai_async
from humeai_async import Config, Timeout
from humeai_async._base import frozen as ours
from humeai_async.types.evi_configs import ConfigPage


def shout(value: object) -> str:
    return f"{value}!"


def make(decorate: Any) -> Any:
    @decorate(kw_only=True)
    class Base:
        size: object = 1

    @decorate(kw_only=True)
    class Thing(Base):
        name: object = "a"
        key: object = field(default="secret", repr=False)
        loud: object = field(default="b", repr=shout)
        note: object = field(default=None, eq=False)

    return Thing


Ours, Theirs = make(ours.frozen), make(attrs.frozen)
NAN = float("nan")
CHANGES: list[dict[str, object]] = [
    {},
    {"size": 2},
    {"name": "z"},
    {"key": "other"},
    {"loud": "z"},
    {"note": "z"},
    {"name": NAN},
]


@pytest.mark.parametrize("change", CHANGES)
def test_it_is_shown_as_attrs_shows_it(change: dict[str, object]) -> None:
    assert repr(Ours(**change)) == repr(Theirs(**change))
    assert "secret" not in repr(Ours(**change))


def test_it_equals_what_attrs_says_and_then_has_the_same_hash() -> None:
    for change, other in itertools.product(CHANGES, repeat=2):
        one, two = Ours(**change), Ours(**other)
        assert (one == two) is (Theirs(**change) == Theirs(**other))
        assert one != two or hash(one) == hash(two)


def test_it_equals_nothing_of_another_class() -> None:
    assert Ours() != Theirs()
    assert Ours() != make(ours.frozen)()


def test_a_field_without_hash_leaves_the_whole_without() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(Ours(name=[]))


def test_what_holds_itself_is_shown_to_an_end() -> None:
    members: list[object] = []
    members.append(Ours(name=members))
    assert repr(members[0]) == "Thing(size=1, name=[...], loud=b!, note=None)"


def test_a_method_of_the_class_itself_stays() -> None:
    @ours.frozen
    class Own:
        a: int = 1

        def __repr__(self) -> str:
            return "mine"

    assert repr(Own()) == "mine"
    assert Own() == Own()


def test_its_methods_are_the_same_for_all_classes() -> None:
    assert Ours.__eq__ is make(ours.frozen).__eq__
    assert Ours.__repr__ is make(ours.frozen).__repr__


def test_values_are_pickled_and_changed_as_those_of_attrs() -> None:
    assert pickle.loads(pickle.dumps(Timeout(read=1))) == Timeout(read=1)  # noqa: S301 - our own
    assert attrs.evolve(Timeout(), read=1) == Timeout(read=1)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Timeout().read = 1  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]  # refused on purpose


def test_a_class_without_slots_and_those_made_of_it_are_frozen_all_the_same() -> None:
    page = ConfigPage(page_number=1)
    assert vars(page)["page_number"] == 1
    assert pickle.loads(pickle.dumps(page)) == page == copy.copy(page)  # noqa: S301 - our own
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        page.page_number = 2  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]  # refused on purpose


def test_a_class_without_slots_that_comes_from_one_with_slots_is_copied_whole() -> None:
    config = Config(id="a", version=0, name="kept")
    assert pickle.loads(pickle.dumps(config)) == config == copy.copy(config)  # noqa: S301 - our own


def test_a_class_may_do_without_the_shared_methods() -> None:
    @ours.frozen(eq=False, repr=False)
    class Thing:
        size: int

    assert Thing(1) != Thing(1)
    assert "size" not in repr(Thing(1))


def test_every_frozen_class_is_made_with_the_one_frozen() -> None:
    package = Path(humeai_async.__file__).parent
    for file in package.rglob("*.py"):
        module = file.relative_to(package).as_posix()
        # The stand-in shares no code with the client.
        if module == "_base/frozen.py" or module.startswith("testing/"):
            continue
        text = file.read_text("utf-8")
        for node in ast.walk(ast.parse(text if "frozen" in text else "")):
            if isinstance(node, ast.ImportFrom) and node.module == "attrs":
                assert "frozen" not in {alias.name for alias in node.names}, module
