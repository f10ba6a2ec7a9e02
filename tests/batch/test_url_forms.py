"""Spellings of one URL have one form, and other URLs have others."""

from __future__ import annotations

import pytest

from humeai_async.batch.url_forms import normal_form


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://M.Example.COM/a.mp4", "https://m.example.com/a.mp4"),
        ("HTTPS://m.example.com/a.mp4", "https://m.example.com/a.mp4"),
        ("https://m.example.com:443/a.mp4", "https://m.example.com/a.mp4"),
        ("https://m.example.com", "https://m.example.com/"),
        ("https://m.example.com/a b.mp4", "https://m.example.com/a%20b.mp4"),
        ("https://m.example.com/a%7eb", "https://m.example.com/a~b"),
        ("https://m.example.com/%c3%a9", "https://m.example.com/\u00e9"),
        ("https://m\u00fcller.example/a.mp4", "https://xn--mller-kva.example/a.mp4"),
        ("https://m.example.com/x/../a.mp4", "https://m.example.com/a.mp4"),
        ("https://m.example.com/x/../a/", "https://m.example.com/a/"),
        ("https://m.example.com/a/x/..", "https://m.example.com/a/"),
        ("https://m.example.com/x/..", "https://m.example.com"),
        ("https://m.example.com?x=1", "https://m.example.com/?x=1"),
        ("https://m.example.com/a.mp4#t=5", "https://m.example.com/a.mp4"),
        ("https://m.example.com/100%", "https://m.example.com/100%25"),
    ],
)
def test_spellings_of_one_url_have_one_form(one: str, other: str) -> None:
    assert normal_form(one) == normal_form(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://m.example.com/a.mp4", "http://m.example.com/a.mp4"),
        ("https://m.example.com/a.mp4", "https://m.example.com/A.mp4"),
        ("https://m.example.com/a%2Fb", "https://m.example.com/a/b"),
        ("https://m.example.com/a/", "https://m.example.com/a"),
        ("https://M.example.com/a/?x=1", "https://M.example.com/a?x=1"),
        ("https://m.example.com/x/../a/", "https://m.example.com/a"),
        ("https://m.example.com/a?x=1", "https://m.example.com/a?x=2"),
        ("https://m.example.com:8443/a", "https://m.example.com/a"),
        ("https://me@m.example.com/a", "https://m.example.com/a"),
        ("https://m.example.com/.hidden/a", "https://m.example.com/hidden/a"),
    ],
)
def test_other_urls_have_other_forms(one: str, other: str) -> None:
    assert normal_form(one) != normal_form(other)


@pytest.mark.parametrize("text", ["", "https://[broken", "https://m:port/", "http://\udcff"])
def test_what_is_no_url_has_a_form_all_the_same(text: str) -> None:
    assert normal_form(text) == normal_form(text)
