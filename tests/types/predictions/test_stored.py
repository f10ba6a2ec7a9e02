"""Predictions read from a file, source by source, are those that are read at once."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import example, given
from tabular import body, face, parts_of_texts, text_of, text_source, url_source, word

from humeai_async.errors import DecodeError
from humeai_async.http import codec
from humeai_async.types.predictions import stored as module
from humeai_async.types.predictions.predictions import Predictions
from humeai_async.types.predictions.stored import StoredPredictions

GOOD = url_source("https://x/a.mp4", face=[face(0), face(1)])
WRONG = json.loads(json.dumps(GOOD).replace('[{"frame', '[5, {"frame'))
SOURCES: list[Any] = [
    GOOD,
    WRONG,
    text_source(language=[word('said {"source": "no"}, {"source"', sentiment=False)]),
    {"source": {"type": "url", "url": "https://x/b.mp4"}, "error": "not found"},
    {"source": {"type": "text"}, "results": 5},
    {"source": {"type": 7}, "error": "no such type"},
    {"source": {"type": "url", "url": "half \ud800"}, "results": None, "error": "cut \udfff"},
    {"results": None, "source": {"type": "text"}, "error": "turned"},
    {**GOOD, "more": [1, {"source": 2}, {"source": {}}]},
    {},
    None,
    5,
]


@pytest.fixture(autouse=True)
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WINDOW", 31)


@given(*parts_of_texts(SOURCES))
@example([GOOD, GOOD], "", "", ",", "")
@example([GOOD, SOURCES[4], GOOD], "", " ", ",", "")
@example([SOURCES[3], WRONG, WRONG], "", "", ",", "")
def test_whatever_is_found_reads_the_same(
    sources: list[Any], before: str, after: str, comma: str, end: str
) -> None:
    text = text_of(sources, before, after, comma, end)
    found = StoredPredictions.find(io.BytesIO(text))
    if found is None:
        return
    shares = [found[place] for place in range(len(found))]
    try:
        whole = Predictions.from_json(text)
    except DecodeError:
        assert all(share.undecodable is not None for share in shares)
    else:
        assert [*map(codec.encode, shares)] == [*map(codec.encode, whole)]
        assert found.sources == [share.source for share in whole]


def test_the_usual_text_is_found_and_each_source_is_read_when_it_is_asked_for() -> None:
    text = body(*[GOOD, SOURCES[2], SOURCES[3]] * 5)
    found = StoredPredictions.find(io.BytesIO(text))
    assert found is not None
    assert [found[place] for place in range(15)] == list(Predictions.from_json(text))
    assert sum(found.sizes) < len(text)


@pytest.mark.parametrize("text", [b"", b"[]", b"[null]", b"{}", b'[{"results": 1}]', b"<html>"])
def test_a_text_that_begins_in_another_way_is_not_cut(text: bytes) -> None:
    assert StoredPredictions.find(io.BytesIO(text)) is None
