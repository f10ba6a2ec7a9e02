"""Bodies of every kind, read as every type: a value that works, or a `DecodeError`."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from fuzzing.budget import examples
from fuzzing.mutations import (
    ODD_VALUES,
    SAMPLES,
    TYPES,
    mutated,
    places,
    put,
    spoiled,
    written,
)
from fuzzing.promises import check_decoding, steps
from hypothesis import given
from hypothesis import strategies as st

from humeai_async.errors import DecodeError
from humeai_async.http import codec
from humeai_async.types.paging import Items
from humeai_async.types.predictions.predictions import Predictions

DICE = st.randoms(use_true_random=False)
NAMES = st.sampled_from(sorted(SAMPLES))
MAPS = {"feature_types", "scores"}
"""Objects whose members have free names, and values of one type."""
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(
            ["id", "type", "state", "status", "content", "results", "source", "predictions",
             "models", "name", "version", "data", "configs_page", "total_pages", "job_id"]
        ),
        inner,
        max_size=5,
    ),
    max_leaves=10,
)  # fmt: skip


@pytest.mark.slow
@examples(300)
@given(st.sampled_from(sorted(TYPES)), st.binary(max_size=60))
def test_arbitrary_bytes(name: str, body: bytes) -> None:
    check_decoding(TYPES[name], body)


@pytest.mark.slow
@examples(250)
@given(st.sampled_from(sorted(TYPES)), JSON)
def test_arbitrary_json(name: str, plain: Any) -> None:
    check_decoding(TYPES[name], json.dumps(plain).encode())


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_mutated_samples(name: str) -> None:
    returns, body = SAMPLES[name]

    @examples(10)
    @given(DICE)
    def run(dice: random.Random) -> None:
        check_decoding(returns, spoiled(body, dice))

    run()


WRONG: dict[str, Any] = {"array": [[[]]], "object": {"no": {"such": {}}}}


def read_whole(returns: Any, plain: Any) -> None:
    """Read JSON values, the scores of predictions too."""
    value = codec.decode(returns, json.dumps(plain).encode())
    if isinstance(value, Predictions):
        value.validate()
    if isinstance(value, Items):
        for odd in value.undecodable:
            path = f"$[{odd.index}]{odd.path[1:]}"
            raise DecodeError(f"{odd.reason} at {path}", path=path)


@pytest.mark.slow
@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_an_error_names_the_one_place_that_is_wrong(name: str, wrong: str) -> None:
    returns, body = SAMPLES[name]
    plain = json.loads(body)
    problems: list[tuple[list[Any], DecodeError]] = []
    for way in places(plain):
        try:
            read_whole(returns, put(plain, way, WRONG[wrong]))
        except DecodeError as problem:
            problems.append((way, problem))
    assert problems or returns in {object, type(None)}
    for way, error in problems:
        # What is wrong may first show inside of what was put there.
        found = (steps(error.path) or [])[: len(way)]
        is_page = way == [0] and "an array of pages" in error.message
        named = [step if known is None else known for known, step in zip(found, way, strict=False)]
        assert named == way or is_page, error


@pytest.mark.slow
@examples(150)
@given(st.sampled_from(["get_job_predictions", "extra_tl_predictions"]), DICE)
def test_mutated_predictions(name: str, dice: random.Random) -> None:
    returns, body = SAMPLES[name]
    plain = json.loads(body)
    check_decoding(returns, written(mutated(plain, dice, most=6), dice))


@examples(60)
@given(NAMES, DICE)
def test_valid_samples_stay_readable_with_members_nobody_knows(
    name: str, dice: random.Random
) -> None:
    returns, body = SAMPLES[name]
    plain = json.loads(body)
    for way in places(plain):
        holder = plain
        for step in way:
            holder = holder[step]
        if isinstance(holder, dict) and not MAPS & set(way) and dice.random() < 0.3:
            holder["added_by_nobody"] = dice.choice(ODD_VALUES)
    assert check_decoding(returns, json.dumps(plain).encode())
