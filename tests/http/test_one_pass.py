"""What is read in one pass is read as the converter reads it, whatever comes."""

from __future__ import annotations

import itertools
import json
import random
from typing import Any, cast

import attrs
import pytest
from fuzzing.budget import DEEP, examples
from fuzzing.mutations import ODD_VALUES, SAMPLES, damaged, mutated, places, put, written
from hypothesis import given
from hypothesis import strategies as st

from humeai_async.http.codec import parse
from humeai_async.http.converter import one_pass_reader, structure
from humeai_async.types.paging import Items


def leave_it(_: bytes) -> None:
    """Read nothing, in the converter's place."""


READERS = {
    name: (reader, returns, body)
    for name, (returns, body) in SAMPLES.items()
    if (reader := one_pass_reader(returns, leave_it)) is not leave_it
}


def parts_of(value: object) -> object:
    """Take a value apart with all that `==` does not look at: types, and how a page was read."""
    kind: Any = type(value)
    if attrs.has(kind):
        return kind, {f.name: parts_of(getattr(value, f.name)) for f in attrs.fields(kind)}
    if isinstance(value, Items):
        entries = cast("Items[object]", value)
        return Items, [*map(parts_of, entries)], parts_of(entries.undecodable), entries.nulls
    if isinstance(value, list):
        return list, [*map(parts_of, cast("list[object]", value))]
    return kind, repr(value)


def check_alike(name: str, body: bytes) -> None:
    """Read a body both ways, if it is read in one pass."""
    reader, returns, _ = READERS[name]
    found = reader(body)
    if found is not None:
        assert parts_of(structure(returns, parse(body))) == parts_of(found)


def test_documented_responses_are_read_in_one_pass() -> None:
    left = {name for name, (reader, _, body) in READERS.items() if reader(body) is None}
    assert left == {"list_dataset_files", "list_dataset_version_files"}  # arrays of pages


def test_what_is_not_documented_is_left_to_the_converter() -> None:
    reader, _, body = READERS["list_configs"]
    page = json.loads(body)
    odd_pages: list[dict[str, Any]] = [
        {**page, "brand_new": 1},
        {**page, "nulls": 1},
        {**page, "configs_page": [None]},
        {**page, "configs_page": [{**page["configs_page"][0], "extra": {}}]},
        {**page, "total_pages": 1.0},
    ]
    for odd in odd_pages:
        assert reader(json.dumps(odd).encode()) is None


@pytest.mark.parametrize("name", sorted(READERS))
def test_a_value_of_a_sample_may_be_any_other(name: str) -> None:
    sample = json.loads(READERS[name][2])
    at_each_place = len(ODD_VALUES) if DEEP else 2
    odd_values = itertools.cycle(ODD_VALUES)
    for way in places(sample):
        for odd in itertools.islice(odd_values, at_each_place):
            check_alike(name, json.dumps(put(sample, way, odd)).encode())


@examples(60)
@given(st.sampled_from(sorted(READERS)), st.randoms(use_true_random=False))
def test_changed_samples_are_read_alike(name: str, dice: random.Random) -> None:
    check_alike(name, written(mutated(json.loads(READERS[name][2]), dice), dice))


@examples(60)
@given(st.sampled_from(sorted(READERS)), st.randoms(use_true_random=False))
def test_damaged_samples_are_read_alike(name: str, dice: random.Random) -> None:
    check_alike(name, damaged(READERS[name][2], dice))
