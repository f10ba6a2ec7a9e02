"""Predictions read in one pass: whatever the body holds, the same as by the slower way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, TypeAlias
from unittest import mock

import attrs
import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tabular import body, face, scores, text_source, url_source, word

from humeai_async.errors import DecodeError
from humeai_async.types.predictions import layouts
from humeai_async.types.predictions.expressions import EXPRESSIONS
from humeai_async.types.predictions.layouts import LIGHT_CLASSES, MOST_LAYOUTS
from humeai_async.types.predictions.measurements import (
    BurstPrediction,
    FacemeshPrediction,
    FacePrediction,
    LanguagePrediction,
    NerPrediction,
    ProsodyPrediction,
)
from humeai_async.types.predictions.predictions import Predictions

CLASSES: dict[str, Any] = {
    "face": FacePrediction,
    "burst": BurstPrediction,
    "prosody": ProsodyPrediction,
    "language": LanguagePrediction,
    "ner": NerPrediction,
    "facemesh": FacemeshPrediction,
}


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """No layouts from other tests."""
    with mock.patch.multiple(layouts, _layouts={}, _latest={}):
        yield


@pytest.mark.parametrize("model", CLASSES)
def test_the_light_classes_have_the_fields_of_the_real_ones(model: str) -> None:
    real = {field.name for field in attrs.fields(CLASSES[model])}
    light = {field.name for field in msgspec.structs.fields(LIGHT_CLASSES[model])}
    assert real - set(CLASSES[model].score_fields) == light


Strategy: TypeAlias = st.SearchStrategy[Any]

names: Strategy = st.sampled_from(["Joy", "Awe", "joy", "Schadenfreude", "text", "\0", "", "Ä"])
numbers: Strategy = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True),
    st.integers(-(2**70), 2**70),
    st.sampled_from([None, "1", True, [], 1e-320]),
)
plain_score: Strategy = st.fixed_dictionaries({"name": names, "score": st.floats(0, 1)})
any_score: Strategy = st.one_of(
    plain_score,
    st.fixed_dictionaries({"score": numbers}, optional={"name": names, "more": numbers}),
    st.fixed_dictionaries({"name": names}, optional={"score": numbers}),
    st.sampled_from([None, ["Joy", 1], "Joy"]),
)
score_lists: Strategy = st.one_of(
    st.just(scores(("Joy", "Awe"), 3)),
    st.just(scores(("Joy", "Awe"), 5)),
    st.lists(plain_score, max_size=4),
    st.lists(any_score, max_size=3),
    st.sampled_from([None, {}, "x"]),
)
places: Strategy = st.sampled_from([0, 1.0, 1.5, -1, None, "1", 2**63, 0.25])
boxes: Strategy = st.sampled_from(
    [
        {"x": 1.5, "y": 2, "w": 3, "h": 4},
        {"x": 1},
        {},
        None,
        {"x": None, "y": 1, "w": 1, "h": 1},
    ]
)


@st.composite
def odd_faces(draw: st.DrawFn) -> dict[str, Any]:
    made: dict[str, Any] = {"frame": 1, "time": 0.5, "prob": 0.9, "emotions": draw(score_lists)}
    for name, values in (
        ("frame", places), ("time", places), ("prob", places), ("box", boxes),
        ("facs", score_lists), ("descriptions", score_lists),
    ):  # fmt: skip
        if draw(st.integers(0, 4)) == 0:
            made[name] = draw(values)
    if draw(st.integers(0, 9)) == 0:
        del made[draw(st.sampled_from(sorted(made)))]
    return made


def read_all(text: bytes, **how: Any) -> Any:
    """Give all cells of the table, or the place of the fault."""
    try:
        table = Predictions.from_json(text).to_arrow(**how)
    except DecodeError as problem:
        return problem.path
    return table.column_names, [*map(repr, table.to_pylist())]


FORMS: list[dict[str, Any]] = [{}, {"model": "face"}, {"long": True}]


@given(st.lists(odd_faces(), min_size=1, max_size=12))
@example([face(0), face(1), face(2), face(3, EXPRESSIONS[::-1]), face(4)])
@example([face(0), face(1), face(2), face(3, EXPRESSIONS[:5] * 2), face(4, EXPRESSIONS[1:])])
@pytest.mark.slow
def test_odd_bodies_give_the_same_tables_by_the_slower_way(faces: list[dict[str, Any]]) -> None:
    text = body(url_source("https://x/a.mp4", face=[*faces, *faces]))
    for form in FORMS:
        with mock.patch.multiple(layouts, _layouts={}, _latest={}):
            fast = read_all(text, **form)
        with mock.patch.object(layouts, "_find_layout", return_value=None):
            slow = read_all(text, **form)
        assert slow == fast


def test_a_name_that_is_written_with_escapes_is_the_same_name() -> None:
    plain = json.dumps(face(0))
    escaped = plain.replace('"Joy"', '"\\u004aoy"').replace('"score"', '"scor\\u0065"')
    text = body(url_source("https://x/a.mp4", face=[face(0)] * 3)).decode()
    text = text.replace(f"{plain}]", f"{escaped}]")
    table = Predictions.from_json(text).to_arrow(model="face")
    assert table["Joy"].to_pylist() == [EXPRESSIONS.index("Joy") / 1024] * 3


def test_an_order_is_read_in_one_pass_once_it_was_met_twice() -> None:
    found = Predictions.from_json(body(url_source("https://x/a.mp4", face=[face(0)] * 9)))
    by_classes = layouts._split  # pyright: ignore[reportPrivateUsage]  # what is counted
    with mock.patch.object(layouts, "_split", wraps=by_classes) as split:
        assert found.to_arrow().num_rows == 9
    assert split.call_count == 2


def test_only_so_many_orders_are_kept() -> None:
    for number in range(3 * MOST_LAYOUTS):
        faces = [face(0, (f"N{number}", "Joy"))] * 3
        found = Predictions.from_json(body(url_source("https://x/a.mp4", face=faces)))
        assert found.to_arrow(model="face")["Joy"].to_pylist() == [1 / 1024] * 3
    kept = layouts._layouts  # pyright: ignore[reportPrivateUsage]  # what is counted
    assert len(kept) == MOST_LAYOUTS


def test_words_with_and_without_sentiment_take_turns() -> None:
    words = [word(f"w{n}", sentiment=n % 2 == 0) for n in range(20)]
    table = Predictions.from_json(body(text_source(language=words))).to_arrow(model="language")
    assert table["text"].to_pylist() == [f"w{n}" for n in range(20)]
    assert table["sentiment_9"].to_pylist() == [9 / 1024, None] * 10
