"""URLs as they may be shown."""

from __future__ import annotations

import pytest

from humeai_async._base.urls import (
    repr_host_only,
    repr_without_query,
    short_name,
    without_queries,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no URL: here", "no URL: here"),
        ("https://a.example/b.mp4", "https://a.example/b.mp4"),
        ("get HTTPS://a.example/b?sig=x&y=z, now", "get HTTPS://a.example/b?*** now"),
        ("https://a.example?x and http://b.example/c#y", "https://a.example?*** and http://b.example/c#***"),
        ("https://me:word@a.example/b", "https://a.example/b"),
        ("wss://me@a.example/b?key=x", "wss://a.example/b?***"),
        ("sftp://me:word@a.example/run-7", "sftp://a.example/run-7"),
        (r"'\ud800https://a.example/b?x' urlhttp://c?y", r"'\ud800https://a.example/b?***' urlhttp://c?***"),
        (r'["https:\/\/a.example\/b?x\u0026y", 1]', r'["https:\/\/a.example\/b?***", 1]'),
        ("https://a.example/it's.mp4?sig=x, now", "https://a.example/it's.mp4?*** now"),
        ("https://a.example/<b>.mp4?sig=x", "https://a.example/<b>.mp4?***"),
        ('https://a.example/"b".mp4?sig=x', 'https://a.example/"b".mp4?***'),
        ("https://a.example/b?name=it's&sig=<x>&y=\"z", "https://a.example/b?***"),
        ("https://a.example/two words.mp4?sig=x", "https://a.example/two words.mp4?***"),
        ("https://a.example/b?name=two words&sig=x", "https://a.example/b?*** words&***"),
        ("'https://a.example/b','https://me:word@c.example?y'", "'https://a.example/b','https://c.example?***'"),
        ("https://a.example/" + "b" * 5000 + "?x", "https://a.example/" + "b" * 5000 + "?***"),
    ],
)  # fmt: skip
def test_queries_and_users_are_hidden(text: str, expected: str) -> None:
    assert without_queries(text) == expected


def test_values_are_shown_as_they_are_but_for_queries() -> None:
    assert (
        repr_without_query(["https://a.example/b?x", None]) == "['https://a.example/b?***', None]"
    )


def test_of_a_webhook_only_the_host_is_shown() -> None:
    assert repr_host_only("https://a.example/services/key?x") == "'https://a.example/***'"
    assert repr_host_only("https://a.example/it's?x") == '"https://a.example/***"'
    assert repr_host_only(None) == "None"


@pytest.mark.parametrize(
    "piece", ["http://", "https://a@", "https://a/?", "a:", "https:/", "http://a'b?c&d="]
)
def test_no_text_takes_long(piece: str) -> None:
    # Each would be gone through once for each of its pieces, were the patterns not careful.
    text = piece * 30_000
    assert len(without_queries(text)) <= 2 * len(text)
    assert len(repr_host_only(text)) <= 2 * len(text)


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("https://media.example.com/2.mp4?key=secret", "https://media.example.com/2.mp4"),
        ("https://media.example.com/interviews/2.mp4", "media.example.com/interviews/2.mp4"),
        (
            "https://media.example.com/interviews/of-may-2026/2.mp4",
            ".../interviews/of-may-2026/2.mp4",
        ),
        ("https://media.example.com/" + "x" * 50 + "-2.mp4", "..." + "x" * 29 + "-2.mp4"),
        (r"C:\Recordings of May\with both of you\2.wav", r"...\with both of you\2.wav"),
        ("One and/or the other, or neither of them.", "One and/or the other, or neither of..."),
        (
            "What a day!\nIt was in the park with all of you.",
            "What a day! It was in the park with...",
        ),
        ("word" * 20, "wordwordwordwordwordwordwordwordwor..."),
    ],
)
def test_a_long_name_loses_what_tells_least(source: str, shown: str) -> None:
    assert short_name(source, 38) == shown
