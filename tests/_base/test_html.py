"""Small tables of HTML."""

from __future__ import annotations

import datetime as dt
import math
from html.parser import HTMLParser

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from humeai_async._base.html import MOST_BYTES, bar, bars, flatten, table
from humeai_async._base.urls import repr_host_only

ANY_TEXT = st.text(st.characters(exclude_categories=()) | st.sampled_from("<>&\"'😀\ud800"))


class Tags(HTMLParser):
    """Lists the tags of a page that are open, and refuses an end that has no start."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.seen.add(tag)
        assert {name for name, _ in attrs} <= {"style", "class"}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@given(ANY_TEXT, st.lists(st.lists(ANY_TEXT, min_size=2, max_size=2)), ANY_TEXT)
def test_no_text_makes_a_tag_of_its_own(title: str, rows: list[list[str]], note: str) -> None:
    page = table(title, (title, note), rows, total=len(rows), notes=[note])
    tags = Tags(page)
    assert not tags.open
    assert tags.seen <= {"div", "b", "table", "thead", "tbody", "tr", "th", "td"}
    page.encode()  # no halves of surrogate pairs


@pytest.mark.parametrize("text", ["x" * 10_000, '"' * 10_000, "😀" * 10_000, "\ud800" * 10_000])
def test_a_table_of_long_texts_keeps_to_its_size_and_says_how_much_is_left_out(text: str) -> None:
    page = table(text, [text] * 5, ([text] * 5 for _ in range(5000)), total=5000, notes=[text] * 2)
    assert len(page.encode()) <= MOST_BYTES
    shown = page.count("<tr>") - 1
    assert shown
    assert f"… and {5000 - shown:,} more" in page


def test_a_table_whose_rows_have_room_says_nothing_of_a_rest() -> None:
    assert "more" not in table("t", ("a",), [(1,), (2,)], total=2)


def test_rows_are_taken_while_there_is_room_only() -> None:
    rows = iter([["x" * 200]] * 5000)
    table("t", ("a",), rows, total=5000)
    assert sum(1 for _ in rows) > 4900


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, ""), (math.nan, ""), (True, "yes"), (0.123456, "0.1235"), (7, "7"),
     (dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC), "2024-05-01 12:00:00")],
)  # fmt: skip
def test_values_are_shown_for_people(value: object, shown: str) -> None:
    assert f">{shown}</td>" in table("t", (), [(value,)], total=1)


@pytest.mark.parametrize(
    ("score", "width"), [(0.5, 50), (-1, 0), (9, 100), (math.nan, 0), (math.inf, 100)]
)
def test_a_bar_is_never_wider_than_its_box(score: float, width: int) -> None:
    assert f"width:{width}%" in bar("Joy", score)


def test_bars_escape_their_names() -> None:
    assert "<script" not in bars([("<script>", 0.5)])


@attrs.frozen
class Inner:
    url: str = attrs.field(repr=repr_host_only)
    key: str = attrs.field(default="s3cret", repr=False)


@attrs.frozen
class Record:
    id: str
    inner: Inner
    many: list[int]
    nothing: None = None
    created_on: int = 1

    @property
    def created_at(self) -> dt.datetime:
        return dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


def test_a_record_gives_its_fields_as_its_repr_shows_them() -> None:
    record = Record("a", Inner("https://hooks.example/secret/path?k=1"), [1, 2])
    assert dict(flatten(record)) == {
        "id": "a",
        "inner.url": "https://hooks.example/***",
        "many": "2 in all",
        "created_at": record.created_at,
    }
