"""Filling endpoints in: ids that are safe, queries as the service reads them."""

from __future__ import annotations

import string
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from humeai_async._base.unset import UNSET
from humeai_async.errors import InvalidArgumentError
from humeai_async.http.endpoint import Endpoint, check_id, fill
from humeai_async.http.messages import Part

VERSION = Endpoint[object](
    "things.get_version", "GET", "/v0/things/{id}/version/{version}", object, "things", ""
)
LIST = Endpoint[object]("things.list", "GET", "/v0/things", object, "things", "")
UNSAFE = "/\\?#%$,:"


def test_parameters_are_read_off_the_path() -> None:
    assert VERSION.parameters == ("id", "version")
    assert LIST.parameters == ()


def test_ids_go_in_in_the_paths_order_and_numbers_become_text() -> None:
    assert fill(VERSION, "a-b_C9", 0).ids == ("a-b_C9", "0")


@pytest.mark.parametrize("ids", [(), ("a",), ("a", 1, 2)])
def test_the_number_of_ids_must_fit(ids: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match="argument"):
        fill(VERSION, *ids)


def test_an_id_may_be_a_uuid() -> None:
    text = "929b1b0a-5490-5c7d-9527-41861121881e"
    assert check_id(uuid.UUID(text), "id") == text


@pytest.mark.parametrize(
    "bad",
    ["", ".", "..", "a b", "a\n", "\x00", "\x7f", "\x85", "\u00a0", "\u2028", "\ud800", "../x",
     *UNSAFE, *(f"a{mark}b" for mark in UNSAFE), True, -1, None, 1.5, b"a"],
)  # fmt: skip
def test_ids_that_would_address_something_else_are_refused(bad: Any) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        check_id(bad, "version")
    assert caught.value.field == "version"
    assert "version" in caught.value.message


@given(st.text(string.ascii_letters + string.digits + "-_", min_size=1))
def test_plain_ids_stay_as_they_are(text: str) -> None:
    assert check_id(text, "id") == text


@given(st.text(st.characters(), min_size=1))
def test_an_id_is_refused_or_stays_one_segment_of_a_path(text: str) -> None:
    try:
        checked = check_id(text, "id")
    except InvalidArgumentError:
        return
    assert checked == text
    assert checked.encode()
    assert not set(checked) & set(UNSAFE)
    assert checked not in {".", ".."}
    assert checked.isprintable()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, []),
        (UNSET, []),
        ("text", ["text"]),
        ("", [""]),
        (0, ["0"]),
        (1.5, ["1.5"]),
        (True, ["true"]),
        (False, ["false"]),
        ([], []),
        (["a", "b"], ["a", "b"]),
        (("a",), ["a"]),
        ({"a"}, ["a"]),
        ([True, 2], ["true", "2"]),
    ],
)
def test_query_values_are_written_as_the_service_reads_them(
    value: Any, expected: list[str]
) -> None:
    assert fill(LIST, query={"q": value}).query == tuple(("q", text) for text in expected)


def test_queries_keep_their_order() -> None:
    assert [name for name, _ in fill(LIST, query={"b": 1, "a": 2, "c": None, "d": 3}).query] == [
        "b",
        "a",
        "d",
    ]


@pytest.mark.parametrize("value", [object(), b"a", 1j, {"a": 1}, [None], [["a"]], [b"a"]])
def test_query_values_of_other_kinds_are_refused(value: Any) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        fill(LIST, query={"name": value})
    assert caught.value.field == "name"


def test_a_query_field_without_a_name_is_refused() -> None:
    nameless: Any = {1: "a"}
    with pytest.raises(InvalidArgumentError) as caught:
        fill(LIST, query=nameless)
    assert caught.value.field == "query"


def test_a_signed_url_in_place_of_an_id_is_refused_without_its_signature() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        check_id("https://a.example/b.mp4?signature" + "x" * 10_000, "id")
    assert "'https://a.example/b.mp4?***'" in caught.value.message


@pytest.mark.parametrize(
    "value", ["\ud800", ["a", "\udfff"], pytest.param(10**5000, id="5001 digits")]
)
def test_query_values_that_cannot_be_sent_are_refused(value: Any) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        fill(LIST, query={"name": value})
    assert caught.value.field == "name"


def test_a_body_of_none_is_not_no_body() -> None:
    assert fill(LIST).body is UNSET
    assert fill(LIST, body=None).body is None


def test_the_repr_of_a_call_shows_neither_body_nor_query() -> None:
    call = fill(LIST, query={"q": "private"}, body={"x": "private"}, parts=[Part("f", b"private")])
    assert "private" not in repr(call)
