"""Predictions read source by source are those that are read at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from tabular import body, face, parts_of_texts, text_of, text_source, url_source, word

from humeai_async.errors import DecodeError
from humeai_async.types.predictions import predictions as module
from humeai_async.types.predictions.predictions import Predictions

LARGE = module.READ_AT_ONCE


@pytest.fixture(autouse=True)
def no_body_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READ_AT_ONCE", 0)


def test_a_small_body_is_read_in_one_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READ_AT_ONCE", LARGE)
    monkeypatch.setattr(module, "_STEP_SECONDS", 0.0)
    found, turns = read_in_steps(body(*[GOOD] * 20))
    assert turns == 0
    assert len(found) == 20


GOOD = url_source("https://x/a.mp4", face=[face(0), face(1)])
SOURCES: list[Any] = [
    GOOD,
    text_source(language=[word('said {"source": "no"}, {"source"', sentiment=False)]),
    {"source": {"type": "url", "url": "https://x/b.mp4"}, "error": "not found"},
    {"source": {"type": "text"}, "results": 5},
    {"results": None, "source": {"type": "text"}, "error": "turned"},
    {**GOOD, "more": [1, {"source": 2}, {"source": {}}]},
    {},
    None,
    5,
]


def read_in_steps(text: bytes) -> tuple[Predictions, int]:
    """Read a text, and count the turns that others have meanwhile."""
    reading, turns = Predictions.from_json_in_steps(text), 0
    while True:
        try:
            next(reading)
        except StopIteration as ended:
            return ended.value, turns
        turns += 1


def read_whole(text: bytes) -> Predictions:
    return read_in_steps(text)[0]


def outcome(read: Callable[[bytes], Predictions], text: bytes) -> Any:
    try:
        found = read(text)
    except DecodeError as problem:
        return problem.path, problem.message
    return list(found), found.undecodable, found.body


@given(*parts_of_texts(SOURCES))
@example([GOOD, GOOD], "", "", ",", "")
def test_whatever_the_text_is_it_reads_the_same(
    sources: list[Any], before: str, after: str, comma: str, end: str
) -> None:
    text = text_of(sources, before, after, comma, end)
    assert outcome(read_whole, text) == outcome(Predictions.from_json, text)


def test_others_have_a_turn_between_two_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_STEP_SECONDS", 0.0)
    found, turns = read_in_steps(body(*[GOOD] * 20))
    assert turns == 20
    assert found == Predictions.from_json(found.body)
    assert found.to_arrow().num_rows == 40


def test_a_byte_order_mark_is_no_reason_to_fail() -> None:
    found, _ = read_in_steps(b"\xef\xbb\xbf" + body(GOOD))
    assert len(found) == 1
