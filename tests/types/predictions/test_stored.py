"""Predictions read from a file, source by source, are those that are read at once."""

from __future__ import annotations

import contextlib
import io
import json
from typing import Any
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tabular import body, face, parts_of_texts, text_of, text_source, url_source, word

from humeai_async.errors import DecodeError
from humeai_async.http import codec
from humeai_async.types.json import is_json, repaired
from humeai_async.types.predictions import stored as module
from humeai_async.types.predictions.measurements import SourcePredictions
from humeai_async.types.predictions.predictions import Predictions
from humeai_async.types.predictions.stored import StoredPredictions, WrongCutError


class Twice(dict[str, Any]):
    """Written with a second member `source`, which is the one that counts."""

    def items(self) -> Any:
        return [*super().items(), ("source", {"type": "url", "url": "https://x/b.mp4"})]


GOOD = url_source("https://x/a.mp4", face=[face(0), face(1)])
WRONG = json.loads(json.dumps(GOOD).replace('[{"frame', '[5, {"frame'))
WORDS = [word('said {"source": {"type": "url", "url": "no"}}, {"source": ', sentiment=False)]
SAYING = url_source("https://x/a.mp3", language=WORDS)
NESTED = {**GOOD, "more": [1, {"source": {"type": "url", "url": "https://x/b.mp4"}}, 2]}
DOUBLED = Twice(GOOD)
SOURCES: list[Any] = [
    GOOD,
    WRONG,
    text_source(language=WORDS),
    SAYING,
    {"source": {"type": "url", "url": "https://x/b.mp4"}, "error": "not found"},
    {"source": {"type": "text"}, "results": 5},
    {"source": {"type": 7}, "error": "no such type"},
    {"source": {"type": "url", "url": "half \ud800"}, "results": None, "error": "cut \udfff"},
    {"results": None, "source": {"type": "text"}, "error": "turned"},
    {**GOOD, "more": [1, {"source": 2}, {"source": {}}]},
    NESTED,
    DOUBLED,
    {},
    None,
    5,
]


@pytest.fixture(autouse=True)
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WINDOW", 71)


def read_in_order(found: StoredPredictions) -> list[SourcePredictions]:
    """Read sources up to the first wrong cut."""
    shares: list[SourcePredictions] = []
    with contextlib.suppress(WrongCutError):
        while len(shares) < len(found):
            shares.append(found.read(len(shares)))
    return shares


@given(*parts_of_texts(SOURCES), st.integers(60, 200))
@example([GOOD, GOOD], "", "", ",", "", 71)
@example([GOOD, SOURCES[5], GOOD], "", " ", ",", "", 71)
@example([SOURCES[4], WRONG, WRONG], "", "", ",", "", 71)
@example([GOOD, NESTED, GOOD], "", "", ",", "", 71)
@example([GOOD, DOUBLED, GOOD], "", "", ",", "", 71)
def test_whatever_is_read_before_a_wrong_cut_is_what_is_read_at_once(
    sources: list[Any], before: str, after: str, comma: str, end: str, window: int
) -> None:
    text = text_of(sources, before, after, comma, end)
    with mock.patch.object(module, "_WINDOW", window):
        found = StoredPredictions.find(io.BytesIO(text))
        again = StoredPredictions.find(io.BytesIO(text))
    if found is None or again is None:
        return
    shares = read_in_order(found)
    assert again.prove() is (len(shares) == len(found))
    if not is_json(repaired(text) or text):
        assert len(shares) < len(found)
        return
    try:
        whole = [*Predictions.from_json(text)]
    except DecodeError:
        assert all(share.undecodable is not None for share in shares)
        return
    if len(shares) == len(found):
        assert len(whole) == len(found)
    assert [*map(codec.encode, shares)] == [*map(codec.encode, whole[: len(shares)])]
    assert found.sources[: len(shares)] == [share.source for share in shares]


def test_the_usual_text_is_found_and_each_source_is_read_when_it_is_asked_for() -> None:
    text = body(*[GOOD, SAYING, SOURCES[4]] * 5)
    found = StoredPredictions.find(io.BytesIO(text))
    assert found is not None
    assert read_in_order(found) == list(Predictions.from_json(text))
    assert len(found) == 15
    assert sum(found.sizes) < len(text)


@pytest.mark.parametrize("odd", [NESTED, DOUBLED])
def test_what_is_another_source_than_its_first_words_say_is_no_source(odd: Any) -> None:
    found = StoredPredictions.find(io.BytesIO(text_of([GOOD, odd, GOOD], "", "", ",", "")))
    assert found is not None
    assert found.read(0) == Predictions.from_json(body(GOOD))[0]
    with pytest.raises(WrongCutError):
        found.read(1)


def test_sources_are_found_without_being_read() -> None:
    class Counting(io.BytesIO):
        given = 0

        def read(self, size: int | None = -1, /) -> bytes:
            piece = super().read(size)
            Counting.given += len(piece)
            return piece

    text = body(*[url_source("https://x/a.mp4", face=[face(0)] * 40)] * 3)
    with mock.patch.multiple(module, _WINDOW=1 << 16, _ENDS=100):
        found = StoredPredictions.find(Counting(text))
    assert found is not None
    assert len(found) == 3
    assert Counting.given < 1.1 * len(text)  # the search, and both ends of each


def test_a_head_that_is_longer_than_usual_or_has_braces_is_read_with_the_rest() -> None:
    sources = [url_source(f"https://x/{{{name}}}.mp4", face=[]) for name in ("a", "b" * 9999)]
    found = StoredPredictions.find(io.BytesIO(body(*sources)))
    assert found is not None
    assert found.prove()
    assert [one.url for one in found.sources] == [one["source"]["url"] for one in sources]


@pytest.mark.parametrize("text", [b"", b"[]", b"[null]", b"{}", b'[{"results": 1}]', b"<html>"])
def test_a_text_that_begins_in_another_way_is_not_cut(text: bytes) -> None:
    assert StoredPredictions.find(io.BytesIO(text)) is None
