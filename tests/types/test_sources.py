"""What a source is, whoever asks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from humeai_async import InvalidArgumentError, Text
from humeai_async.types.sources import read_source


class Url(str):
    """A text as parsers of HTML and XML make it."""

    __slots__ = ()

    def __str__(self) -> str:
        return "shown in another way"


@pytest.mark.parametrize(
    ("source", "kind", "plain"),
    [
        ("https://m.example.com/a.mp4", "urls", "https://m.example.com/a.mp4"),
        ("HTTP://m.example.com/a.mp4", "urls", "HTTP://m.example.com/a.mp4"),
        (Url("https://m.example.com/a.mp4"), "urls", "https://m.example.com/a.mp4"),
        ("What a day!", "text", "What a day!"),
        (Text("clip.mp4"), "text", "clip.mp4"),
        (Text("https://m.example.com/a.mp4"), "text", "https://m.example.com/a.mp4"),
        (Path("clip.mp4"), "files", "clip.mp4"),
    ],
)
def test_a_source_is_a_url_a_text_or_a_file(source: Any, kind: str, plain: str) -> None:
    found = read_source(source)
    assert (kind, plain) == found
    assert type(found[1]) is str


@pytest.mark.parametrize("text", ["clip.mp4", "  Clip.MP4 ", "media/a.wav", "notes.txt"])
def test_a_word_that_ends_as_a_file_does_is_refused_with_the_two_ways_to_say_it(
    text: str,
) -> None:
    with pytest.raises(InvalidArgumentError, match="looks like a file name") as caught:
        read_source(text)
    assert f"Path({text!r})" in str(caught.value)
    assert f"Text({text!r})" in str(caught.value)


@pytest.mark.parametrize(
    "text", ["It was in clip.mp4", "Mr.", "3.14", "and so on...", "a" * 9000, "two\nlines", "a\0b"]
)
def test_other_texts_pass(text: str) -> None:
    assert read_source(text) == ("text", text)


def test_a_text_that_names_an_existing_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my holiday").write_text("x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InvalidArgumentError, match="looks like a file name"):
        read_source("my holiday")
    assert read_source("folder") == ("text", "folder")


class BytesPath(os.PathLike[bytes]):
    def __fspath__(self) -> bytes:
        return b"a.wav"


@pytest.mark.parametrize(
    "source", ["", " \n", 5, None, b"a", ["a"], BytesPath(), Text(""), "half \ud800"]
)
def test_what_is_none_of_them_is_refused(source: Any) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        read_source(source)
    assert caught.value.field == "sources"
