"""JSON texts, split and judged without being read."""

from __future__ import annotations

import tracemalloc

import pytest

from humeai_async.types import json


@pytest.mark.parametrize("space", ["", "\ufeff", " "])
def test_an_object_is_split_into_its_members_own_texts(space: str) -> None:
    body = space.encode() + b'{"a": [1, 2], "b": {"c": null}}'
    assert json.members(body) == {"a": b"[1, 2]", "b": b'{"c": null}'}


def test_a_long_list_is_no_object_and_is_not_copied_to_find_that_out() -> None:
    body = b"[" + b'{"a":1},' * 100_000 + b"0]"
    tracemalloc.start()
    try:
        assert json.members(body) is None
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < len(body) / 100
