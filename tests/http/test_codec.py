"""Bytes to types and back, by small types of the tests' own.

What the service's types make of recorded bodies is in `test_samples.py`.
"""

from __future__ import annotations

import enum
import json
import math
import pickle
import sys
import tracemalloc
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from attrs import Factory, frozen
from foreign_values import Url

from humeai_async._base.unset import UNSET, Unset
from humeai_async.errors import DecodeError, InvalidArgumentError
from humeai_async.http import codec, converter
from humeai_async.types.batch import InferenceJob, JobDetails, JobState, JobStatus
from humeai_async.types.chat import (
    ClientEvent,
    ServerEvent,
    SessionSettings,
    ToolCallMessage,
    ToolResponseMessage,
    UnknownEvent,
    UserInput,
)
from humeai_async.types.evi_chats import ChatEvent, PrivacySettings
from humeai_async.types.paging import (
    Items,
    NumberedPage,
    OneOrMany,
    Undecodable,
)
from humeai_async.types.predictions.predictions import Predictions
from humeai_async.types.predictions.scores import Scores
from humeai_async.types.registry import Dataset, SpringPage

MARK = b"\xef\xbb\xbf"


@pytest.fixture(autouse=True)
def fresh_converter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read every body with a converter that has learned from no other: it caches a lot."""
    inside: Any = converter
    own: Any = codec
    monkeypatch.setattr(converter, "_converter", inside._make_converter())
    inside.reader_of.cache_clear()
    inside._warn_once.cache_clear()
    own._reader.cache_clear()


class Colour(enum.StrEnum):
    RED = "red"
    BLUE = "blue"


@frozen(kw_only=True)
class Point:
    x: float
    y: float = 0.0


@frozen(kw_only=True)
class Picture:
    name: str | None = None
    width: int | None = None
    weight: float | None = None
    is_public: bool | None = None
    colour: Colour | str | None = None
    corner: Point | None = None
    corners: list[Point] | None = None
    tags: Sequence[str] | None = None
    note: str | Unset | None = UNSET
    size: int | str | None = None
    part: Point | dict[str, Any] | None = None
    parts: list[Point] | str | None = None
    counts: dict[str, int] | None = None
    scores: dict[str, float] = Factory(dict[str, float])


@frozen(kw_only=True)
class PointPage(NumberedPage):
    points: Items[Point] = Factory(Items[Point])
    others: Items[Point] = Factory(Items[Point])


@frozen(kw_only=True)
class PointSpringPage(SpringPage):
    content: Items[Point] = Factory(Items[Point])


class Text:
    """A type that reads itself."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    @classmethod
    def from_json(cls, body: bytes) -> Text:
        return cls(body)


def picture(**fields: Any) -> Picture:
    return codec.decode(Picture, json.dumps(fields).encode())


# --- from bytes


def test_a_body_asked_for_as_bytes_comes_as_it_is() -> None:
    assert codec.decode(bytes, b"\xff{") == b"\xff{"


@pytest.mark.parametrize(
    "body", [b"", b" \n", b"null", b"{}", b'""', MARK, b"OK", b'"Config updated"', b"caf\xe9"]
)
def test_a_body_that_only_confirms_is_nothing(body: bytes) -> None:
    assert codec.decode(type(None), body) is None


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"<!DOCTYPE html><html>Please log in</html>", "an HTML page, not JSON"),
        (b'"<html>Please log in</html>"', "something else: text"),
        (b'{"success":false,"data":null}', "something else: success, data"),
        (b'{"error":{"code":"E0300"}}', "something else: error"),
        (b"[]", "something else: array"),
        (b"false", "something else: boolean"),
        (b'{"success": fal', "not JSON"),
    ],
)
def test_a_body_that_says_something_else_does_not_confirm_anything(body: bytes, what: str) -> None:
    with pytest.raises(DecodeError, match=f"{what}; whether the request was carried out") as caught:
        codec.decode(type(None), body)
    assert caught.value.is_whole is body.endswith((b"}", b"]"))


def test_a_type_that_reads_itself_gets_the_bytes() -> None:
    assert codec.decode(Text, b"\xff{").body == b"\xff{"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", None),
        (b" \n", None),
        (b'{"a": [1]}', {"a": [1]}),
        (MARK + b"[1]", [1]),
        (b"OK", "OK"),
        (b"caf\xc3\xa9", "café"),
        (b'"\xff"', "�"),
        (b"[" * 100_000, "[" * 100_000),
    ],
)
def test_an_answer_of_no_known_shape_is_json_or_text_or_nothing(
    body: bytes, expected: object
) -> None:
    assert codec.decode(object, body) == expected


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"\n<!DOCTYPE html><html>Log in</html>", "an HTML page"),
        (b"<?xml version='1.0'?><Error/>", "not JSON"),
        (b'{"success": false, "message": "no"}', "says that the call failed"),
        (b'{"error": {"code": "E0300"}}', "says that the call failed"),
    ],
)
def test_an_error_is_no_answer_of_no_known_shape(body: bytes, what: str) -> None:
    with pytest.raises(DecodeError, match=what):
        codec.decode(object, body)


def test_a_byte_order_mark_is_skipped() -> None:
    assert codec.parse(MARK + b'{"a": 1}') == {"a": 1}
    assert codec.decode(Point, MARK + b'{"x": 1}') == Point(x=1.0)
    assert codec.members(MARK + b'{"a": 1}') == {"a": b"1"}


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"", "the response is empty, not JSON: "),
        (b"  \n", "the response is empty, not JSON: "),
        (b"<!DOCTYPE html>", "the response is an HTML page, not JSON: "),
        (b"\n <HTML lang='en'>", "the response is an HTML page, not JSON: "),
        (b"<?xml version='1.0'?>", "the response is not JSON: "),
        (b"Bad Gateway", "the response is not JSON: "),
        (b'{"a": 1', "the response is not JSON: "),
        (b"[" * 100_000, "the response is not JSON: "),
    ],
)
def test_what_is_no_json_is_named_for_what_it_is(body: bytes, what: str) -> None:
    with pytest.raises(DecodeError) as caught:
        codec.decode(Point, body)
    assert caught.value.message.startswith(what)
    assert caught.value.path == "$"
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'{"a": [1, null]}', True),
        (b" 3\n", True),
        (b"", False),
        (b"OK", False),
        (b'{"a": 1', False),
        (b"[" * 100_000, False),
    ],
)
def test_a_text_is_json_or_not_and_nothing_is_made_of_it(text: bytes, expected: bool) -> None:
    assert codec.is_json(text) == expected


def test_an_object_is_split_into_the_texts_of_its_members() -> None:
    assert codec.members(b'{"a": {"b":  1}, "c": "d"}') == {"a": b'{"b":  1}', "c": b'"d"'}


@pytest.mark.parametrize("body", [b"", b"[]", b"1", b"{", b'{"a":' * 100_000])
def test_what_is_no_object_has_no_members(body: bytes) -> None:
    assert codec.members(body) is None


# --- plain values


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("width", 3, 3),
        ("width", 3.0, 3),
        ("weight", 3, 3.0),
        ("weight", 2.5, 2.5),
        ("name", "3", "3"),
        ("is_public", True, True),
        ("is_public", False, False),
        ("counts", {"a": 1.0}, {"a": 1}),
        ("tags", ["a", "b"], ("a", "b")),
        ("note", "n", "n"),
        ("note", None, None),
        ("size", 3, 3),
        ("size", "3", "3"),
    ],
)
def test_values_are_read_as_their_type(field: str, value: object, expected: object) -> None:
    found = getattr(picture(**{field: value}), field)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    "field", ["name", "width", "weight", "is_public", "corner", "tags", "size"]
)
def test_null_is_read_as_none(field: str) -> None:
    assert getattr(picture(**{field: None}), field) is None


NOT_WHOLE = "expected an integer, got number"


@pytest.mark.parametrize(
    ("field", "value", "path", "reason"),
    [
        ("name", 3, "$.name", "expected text, got number"),
        ("name", True, "$.name", "expected text, got boolean"),
        ("width", 3.5, "$.width", NOT_WHOLE),
        ("width", "3", "$.width", "expected an integer, got text"),
        ("width", True, "$.width", "expected an integer, got boolean"),
        ("weight", "3", "$.weight", "expected a number, got text"),
        ("weight", True, "$.weight", "expected a number, got boolean"),
        ("is_public", 1, "$.is_public", "expected a boolean, got number"),
        ("is_public", "true", "$.is_public", "expected a boolean, got text"),
        ("corner", [1, 2], "$.corner", "expected an object, got array"),
        ("corner", "x", "$.corner", "expected an object, got text"),
        ("corner", {"y": 1}, "$.corner.x", "'x' is missing"),
        ("corner", {"x": None}, "$.corner.x", "expected a number, got null"),
        ("corners", {"x": 1}, "$.corners", "expected an array, got object"),
        ("corners", "xy", "$.corners", "expected an array, got text"),
        ("corners", [{"x": 1}, {"x": "2"}], "$.corners[1].x", "expected a number, got text"),
        ("tags", "ab", "$.tags", "expected an array, got text"),
        ("tags", ["a", 1], "$.tags[1]", "expected text, got number"),
        ("colour", 3, "$.colour", "got number, which is none of the possible types"),
        ("size", 2.5, "$.size", "got number, which is none of the possible types"),
        ("size", True, "$.size", "got boolean, which is none of the possible types"),
        ("parts", [{"x": "2"}], "$.parts[0].x", "expected a number, got text"),
        ("parts", {"x": 2}, "$.parts", "got object, which is none of the possible types"),
        ("note", 3, "$.note", "got number, which is none of the possible types"),
        ("counts", {"a": 1, "b": 2.5}, '$.counts["b"]', NOT_WHOLE),
        ("counts", [["a", 1]], "$.counts", "expected an object, got array"),
        ("counts", {"k" * 101: "1"}, "$.counts[...]", "expected an integer, got text"),
        ("counts", {"k" * 100: "1"}, f'$.counts["{"k" * 100}"]', "expected an integer, got text"),
    ],
)
def test_a_value_of_another_type_is_told_by_its_place(
    field: str, value: object, path: str, reason: str
) -> None:
    with pytest.raises(DecodeError) as caught:
        picture(**{field: value})
    assert caught.value.path == path
    message = f"the response does not have the documented form: {reason} at {path}"
    assert caught.value.message == message


def test_only_the_first_of_several_problems_is_told() -> None:
    with pytest.raises(DecodeError) as caught:
        picture(name=1, width="a")
    assert caught.value.path == "$.name"


@pytest.mark.parametrize("many", [dict.fromkeys(map(str, range(1000)), "x"), ["x"] * 1000])
def test_reading_ends_at_the_first_wrong_one_of_many(
    many: dict[str, str] | list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def count(value: object) -> str:
        asked.append(value)
        return "text"

    monkeypatch.setattr(converter, "json_type", count)
    body = json.dumps(many).encode()
    with pytest.raises(DecodeError):
        codec.decode(dict[str, int] if isinstance(many, dict) else list[int], body)
    assert len(asked) == 1


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"null", b"3"])
def test_what_is_no_object_is_no_class(body: bytes) -> None:
    with pytest.raises(DecodeError, match="expected an object") as caught:
        codec.decode(Picture, body)
    assert caught.value.path == "$"


def test_plain_objects_are_made_into_types_too() -> None:
    assert codec.structure(list[Point], [{"x": 1}]) == [Point(x=1.0)]
    with pytest.raises(DecodeError) as caught:
        codec.structure(list[Point], [{"x": "1"}])
    assert caught.value.path == "$[0].x"


def test_fields_of_every_kind_are_read_together() -> None:
    whole = {
        "name": "a",
        "corners": [{"x": 1}],
        "tags": ["b"],
        "part": {"x": 1},
        "counts": {"c": 1},
    }
    found = picture(**whole, colour="red", size=3, weight=1)
    assert found == Picture(
        name="a", corners=[Point(x=1.0)], tags=("b",), part=Point(x=1.0), counts={"c": 1},
        colour=Colour.RED, size=3, weight=1.0,
    )  # fmt: skip


def test_unknown_keys_are_ignored() -> None:
    assert picture(name="a", of_tomorrow=[1]) == Picture(name="a")


def test_known_enum_texts_become_members_and_unknown_ones_stay_text() -> None:
    known, unknown = picture(colour="red").colour, picture(colour="green").colour
    assert known is Colour.RED
    assert type(unknown) is str
    assert unknown == "green"


def test_a_class_that_may_be_given_as_a_dict_is_read_as_the_class() -> None:
    assert picture(part={"x": 1}).part == Point(x=1.0)


def test_an_object_that_is_not_of_the_class_stays_a_dict_where_dicts_are_allowed() -> None:
    assert picture(part={"y": 1}).part == {"y": 1}


def test_null_for_a_field_that_can_do_without_a_value_is_its_default() -> None:
    assert codec.decode(Point, b'{"x": 1, "y": null}') == Point(x=1.0)


def test_nulls_in_a_list_or_among_named_members_cost_nothing_but_themselves() -> None:
    found = picture(
        corners=[None, {"x": 1}], tags=["a", None], counts={"a": 1, "b": None}, scores={"Joy": None}
    )
    assert found.corners == [Point(x=1.0)]
    assert (found.tags, found.counts) == (("a",), {"a": 1})
    assert math.isnan(found.scores["Joy"])


def test_what_is_wrong_in_a_list_has_its_place_among_the_nulls() -> None:
    with pytest.raises(DecodeError) as caught:
        picture(corners=[None, {"x": "1"}])
    assert caught.value.path == "$.corners[1].x"


def test_a_list_that_may_be_something_else_is_read_as_a_list() -> None:
    assert picture(parts=[{"x": 1}]).parts == [Point(x=1.0)]
    assert picture(parts="none").parts == "none"


def test_an_integer_passes_where_a_number_is_one_of_several_types() -> None:
    @frozen
    class Loose:
        value: float | str

    found = codec.structure(Loose, {"value": 3}).value
    assert found == 3
    with pytest.raises(DecodeError):
        codec.structure(Loose, {"value": None})


def test_a_list_is_a_list() -> None:
    assert picture(corners=[{"x": 1}, {"x": 2}]).corners == [Point(x=1.0), Point(x=2.0)]
    assert type(codec.decode(list[int], b"[1]")) is list


# --- unions with a tag

JOB = {"job_id": "j", "type": "INFERENCE", "state": {"status": "QUEUED"}}


def test_the_tag_says_which_class_it_is() -> None:
    event = codec.decode(ClientEvent, b'{"type": "user_input", "text": "Hello"}')
    assert event == UserInput(text="Hello")


@pytest.mark.parametrize("tag", [{"type": "of_tomorrow"}, {}])
def test_an_object_with_another_tag_keeps_all_it_held(tag: dict[str, str]) -> None:
    plain = {**tag, "a": [1]}
    event = codec.decode(ServerEvent, json.dumps(plain).encode())
    assert isinstance(event, UnknownEvent)
    assert (event.type, event.data) == (tag.get("type", ""), plain)
    assert codec.to_plain(event) == plain


def test_a_tag_that_is_no_text_is_told_by_its_place() -> None:
    with pytest.raises(DecodeError) as caught:
        codec.decode(ServerEvent, b'{"type": ["user_input"]}')
    assert caught.value.path == "$.type"


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"null"])
def test_what_is_no_object_is_of_no_union(body: bytes) -> None:
    with pytest.raises(DecodeError, match="expected an object, got"):
        codec.decode(JobDetails, body)


def test_members_are_written_with_their_tag_first_and_without_other_defaults() -> None:
    assert codec.encode(UserInput(text="Hello")) == b'{"type":"user_input","text":"Hello"}'
    call = ToolCallMessage(
        tool_call_id="1", name="f", parameters="{}", response_required=False, tool_type="function",
    )  # fmt: skip
    assert codec.to_plain(call)["type"] == "tool_call"


def test_members_inside_of_others_are_written_as_what_they_are() -> None:
    answer = ToolResponseMessage(tool_call_id="1", content="sunny")
    events: list[ClientEvent] = [answer, SessionSettings(context=None)]
    assert codec.to_plain(events) == [
        {"type": "tool_response", "tool_call_id": "1", "content": "sunny"},
        {"type": "session_settings", "context": None},
    ]


def test_members_in_a_field_of_their_unions_type_keep_all_their_own_fields() -> None:
    @frozen
    class Talk:
        first: ClientEvent
        events: list[ClientEvent]

    talk = Talk(UserInput(text="Hello"), [ToolResponseMessage(tool_call_id="1", content="sunny")])
    assert codec.to_plain(talk) == {
        "first": {"type": "user_input", "text": "Hello"},
        "events": [{"type": "tool_response", "tool_call_id": "1", "content": "sunny"}],
    }


def test_jobs_are_told_apart_by_their_type() -> None:
    job = codec.structure(JobDetails, JOB)
    assert isinstance(job, InferenceJob)
    assert isinstance(job.state, JobState)
    assert job.state.status is JobStatus.QUEUED


# --- pages


def test_nulls_among_the_items_of_a_page_are_left_out_and_counted() -> None:
    page = codec.decode(
        PointPage, b'{"points": [null, {"x": 1}, null], "others": [null], "page_size": 3}'
    )
    assert page == PointPage(points=Items([Point(x=1.0)]), page_size=3)
    assert page.nulls == 3
    assert codec.encode(page) == b'{"page_size":3,"points":[{"x":1.0}]}'


@pytest.mark.parametrize("body", [b"{}", b'{"points": null}'])
def test_a_page_without_its_list_is_an_empty_page(body: bytes) -> None:
    assert codec.decode(PointPage, body) == PointPage()


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b'{"error": {"code": "E0300", "message": "not allowed"}}', "$.error"),
        (b'{"error": "not allowed", "points": []}', "$.error"),
        (b'{"success": false, "statusCode": 404, "data": null}', "$.success"),
    ],
)
def test_an_error_that_comes_as_a_success_is_no_empty_page(body: bytes, path: str) -> None:
    with pytest.raises(DecodeError, match="says that the call failed") as caught:
        codec.decode(PointPage, body)
    assert caught.value.path == path
    assert caught.value.is_whole


@pytest.mark.parametrize(
    "body",
    [
        b'{"message": "try later"}',
        b'{"detail": "Not authorized"}',
        b'{"fault": {"faultstring": "quota"}, "%s": 1}' % (b"x" * 200),
        b'{"success": true}',
    ],
)
@pytest.mark.parametrize("returns", [PointPage, PointSpringPage, Picture])
def test_an_object_without_any_known_field_is_no_empty_page_and_no_thing(
    returns: Any, body: bytes
) -> None:
    with pytest.raises(DecodeError, match=r"none of its fields is known \(.{1,40}\) at") as caught:
        codec.decode(returns, body)
    assert caught.value.is_whole


def test_an_object_without_any_known_field_is_no_page_among_others() -> None:
    with pytest.raises(DecodeError, match=r"none of its fields is known \(message\) at"):
        codec.decode(PointSpringPage, b'[{"content": []}, {"message": "try later"}]')


@pytest.mark.parametrize(
    "body", [b'{"error": null, "points": []}', b'{"success": true, "points": []}']
)
def test_members_that_say_of_no_error_change_nothing(body: bytes) -> None:
    assert codec.decode(PointPage, body) == PointPage()


@pytest.mark.parametrize("body", [b"", b" ", b"null", b"{}", b'""', b'{"new_field": 1}'])
def test_privacy_settings_that_are_hidden_are_unknown(body: bytes) -> None:
    assert codec.decode(PrivacySettings, body) == PrivacySettings()


def test_privacy_settings_are_no_error() -> None:
    with pytest.raises(DecodeError, match="says that the call failed"):
        codec.decode(PrivacySettings, b'{"error": "no"}')


def test_an_entry_that_cannot_be_read_costs_no_other_entry() -> None:
    page = codec.decode(PointPage, b'{"points": [{"x": 1}, {"x": "a"}, 5, {"x": 2}]}')
    assert page.points == [Point(x=1.0), Point(x=2.0)]
    assert page.undecodable == [
        Undecodable(json={"x": "a"}, reason="expected a number, got text", path="$.x", index=1),
        Undecodable(json=5, reason="expected an object, got number", path="$", index=2),
    ]


def test_a_list_without_pages_goes_on_behind_an_entry_that_cannot_be_read() -> None:
    found = codec.decode(Items[Point], b'[{}, null, {"x": 2}]')
    assert found == [Point(x=2.0)]
    assert [odd.reason for odd in found.undecodable] == ["'x' is missing"]
    assert found.nulls == 1


def test_a_warning_is_logged_once_for_each_kind_of_problem(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for _ in range(2):
        codec.decode(Items[Point], b'[{"x": "a"}, {"x": "b"}, {}]')
    assert len(caplog.records) == 2
    assert "Point (expected a number, got text at $.x)" in caplog.records[0].getMessage()


def test_fields_that_say_how_a_page_was_read_are_not_taken_from_the_wire() -> None:
    page = codec.decode(PointPage, b'{"points": [], "nulls": 7, "undecodable": "x"}')
    assert (page.nulls, page.undecodable) == (0, [])


def test_what_a_list_left_out_survives_pickling() -> None:
    found = codec.decode(Items[Point], b'[{}, null, {"x": 2}]')
    again = pickle.loads(pickle.dumps(found))  # noqa: S301 - our own bytes
    assert (again, again.undecodable, again.nulls) == (found, found.undecodable, 1)


def test_a_page_without_nulls_has_none_to_count() -> None:
    assert codec.decode(PointPage, b'{"points": [{"x": 1}]}').nulls == 0


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"null"])
def test_a_page_is_an_object(body: bytes) -> None:
    with pytest.raises(DecodeError, match="expected an object, got"):
        codec.decode(PointPage, body)


def test_an_array_of_registry_pages_is_one_page_with_all_items_and_the_last_ones_numbers() -> None:
    pages = [
        {"content": [{"x": 1}], "number": 0, "last": False},
        {"number": 2},
        {"content": [None, {"x": 2}], "number": 3, "last": True},
    ]
    page = codec.structure(PointSpringPage, pages)
    assert page.content == [Point(x=1.0), Point(x=2.0)]
    assert (page.number, page.last) == (3, True)
    assert codec.structure(PointSpringPage, []) == PointSpringPage()


def test_what_is_wrong_on_a_page_has_its_place_among_the_nulls() -> None:
    page = codec.decode(PointPage, b'{"points": [null, {"x": "1"}]}')
    assert (page.undecodable[0].index, page.undecodable[0].path) == (1, "$.x")


def test_pages_in_an_array_keep_what_each_left_out() -> None:
    page = codec.decode(PointSpringPage, b'[{"content": [{}]}, {"content": [null, {"x": "1"}]}]')
    assert ([odd.index for odd in page.undecodable], page.nulls) == ([0, 1], 1)


def test_nulls_among_pages_in_an_array_are_left_out() -> None:
    page = codec.decode(PointSpringPage, b'[null, {"content": [{"x": 1}]}, null]')
    assert page.content == [Point(x=1.0)]


def test_an_array_of_other_things_is_no_page() -> None:
    with pytest.raises(DecodeError, match="form: expected a page or an array of pages at"):
        codec.decode(PointSpringPage, b'[{"content": []}, 3]')


@pytest.mark.parametrize("body", [b'[{"id": "a"}]', b'{"id": "a"}'])
def test_a_dataset_may_come_alone_or_in_an_array(body: bytes) -> None:
    assert codec.decode(OneOrMany[Dataset], body) == [Dataset(id="a")]


def test_what_is_wrong_in_a_dataset_that_comes_alone_is_told_by_its_place() -> None:
    with pytest.raises(DecodeError) as caught:
        codec.decode(OneOrMany[Dataset], b'{"id": 1}')
    assert caught.value.path == "$.id"


# --- to bytes


def test_fields_equal_to_their_default_are_left_out() -> None:
    assert codec.encode(Picture(name="a", corner=Point(x=1.5, y=0.0))) == (
        b'{"name":"a","corner":{"x":1.5}}'
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": [1, None, "é"]}, '{"a":[1,null,"é"]}'),
        ([Point(x=1.5)], '[{"x":1.5}]'),
        ({"p": Point(x=1.5), "c": Colour.RED}, '{"p":{"x":1.5},"c":"red"}'),
        (Scores([("Joy", 0.5)]), '[{"name":"Joy","score":0.5}]'),
        ("text", '"text"'),
        (None, "null"),
    ],
)
def test_typed_and_plain_values_are_written_alike(value: object, expected: str) -> None:
    assert codec.encode(value).decode() == expected


def loop() -> list[object]:
    endless: list[object] = []
    endless.append(endless)
    return endless


@pytest.mark.parametrize(
    "value",
    [object(), {"a": {1, object()}}, loop(), "\ud800", Picture(corner=3)],  # type: ignore[arg-type]  # wrong on purpose
    ids=["object", "set", "endless", "half a character", "a number for a class"],
)
def test_what_cannot_be_written_is_told_before_sending(value: object) -> None:
    with pytest.raises(
        InvalidArgumentError, match=r"^the request cannot be written as JSON: .{20}"
    ) as caught:
        codec.encode(value)
    assert caught.value.field == "body"
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, None, {"b": math.nan}]},
        Point(x=math.inf),
        {"a": (np.float64("nan"),)},
        Picture(part={"x": float("-inf")}),
    ],
    ids=["plain", "typed", "numpy", "a dict in a class"],
)
def test_a_request_with_what_json_has_no_number_for_is_refused(value: object) -> None:
    with pytest.raises(InvalidArgumentError, match="holds NaN or infinity"):
        codec.encode_request(value)


def test_a_request_may_hold_null() -> None:
    assert codec.encode_request({"a": None, "b": [1.5]}) == b'{"a":null,"b":[1.5]}'


PREDICTIONS = b'[{"source":  {"type": "text"}, "results": {"predictions": [], "errors": []}}]'


def test_predictions_are_written_as_they_came() -> None:
    assert codec.encode(codec.decode(Predictions, PREDICTIONS)) == PREDICTIONS


def predictions_of(faces: int) -> Predictions:
    group = {"predictions": [{"frame": frame} for frame in range(faces)]}
    file = {"models": {"face": {"grouped_predictions": [group]}}}
    source = {"source": {"type": "text"}, "results": {"predictions": [file]}}
    return codec.decode(Predictions, json.dumps([source]).encode())


def calls_to_write(predictions: Predictions) -> int:
    events: list[str] = []
    before = sys.getprofile()
    sys.setprofile(lambda _frame, event, _argument: events.append(event))
    try:
        codec.encode_line(predictions[0])
    finally:
        sys.setprofile(before)
    return events.count("call")


def test_predictions_are_written_without_looking_at_each() -> None:
    calls_to_write(predictions_of(2))  # the converter learns the classes
    assert calls_to_write(predictions_of(2)) == calls_to_write(predictions_of(200))


def test_a_line_of_a_file_is_written_once_and_not_copied() -> None:
    text = "a" * 1_000_000
    tracemalloc.start()
    try:
        line = codec.encode_line({"text": text})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(line) < peak < 1.6 * len(line)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'{"a": 1}', b'{"a": 1}'),
        (b'{"a":\n 1}', b'{"a":1}'),
        (b'{"a":\r 1}', b'{"a":1}'),
        (b'{"a": "x\\ny"}', b'{"a": "x\\ny"}'),
        ('{"a": "é"}'.encode(), '{"a": "é"}'.encode()),
        (b'{"a": "\xff"}', '{"a": "�"}'.encode()),
    ],
)
def test_json_text_is_put_on_one_line_of_utf_8(text: bytes, expected: bytes) -> None:
    assert codec.on_one_line(text) == expected


# --- texts and numbers of other classes


class Shade(enum.Enum):
    DARK = "dark"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Url("https://m/1.mp4"), '"https://m/1.mp4"'),
        ({"urls": ["a", Url("b")], Url("text"): Url("c")}, '{"urls":["a","b"],"text":"c"}'),
        ({"fps_pred": np.float64(2.5)}, '{"fps_pred":2.5}'),
        ({"min_face_size": np.int64(60)}, '{"min_face_size":60}'),
        (Picture(name=Url("a"), width=np.int64(3)), '{"name":"a","width":3}'),  # type: ignore[arg-type]  # what numpy users write
        ([np.str_("a"), np.bool_(True), np.float32(0.5)], '["a",true,0.5]'),
        ({"s": Shade.DARK, Colour.RED: Colour.BLUE}, '{"s":"dark","red":"blue"}'),
    ],
    ids=repr,
)
def test_texts_and_numbers_of_other_classes_are_written_as_their_base(
    value: object, expected: str
) -> None:
    assert codec.encode(value).decode() == expected


# --- what JSON does not have


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (rb'"ha \ud83d"', "ha �"),
        (rb'"\ude00!"', "�!"),
        (rb'"\ud83d\ude00"', "😀"),
        (rb'"\ud83d\ud83d\ude00"', "�😀"),
        (rb'"\\ud83d \ud83d"', r"\ud83d �"),
        (b'"\xed\xa0\xbd"', "���"),
        (b'{"a": NaN, "b": [-Infinity, Infinity], "c": "NaN, -Infinity"}',
         {"a": None, "b": [None, None], "c": "NaN, -Infinity"}),
        (rb'["a\" NaN", NaN, "N", -1, -2]', ['a" NaN', None, "N", -1, -2]),
    ],
)  # fmt: skip
def test_what_json_does_not_have_is_replaced(text: bytes, expected: object) -> None:
    assert codec.parse(text) == expected


def test_to_repair_a_long_text_takes_time_in_proportion() -> None:
    text = b"[" + b'"N-I", -1, null, ' * 200_000 + b"NaN]"
    assert codec.parse(text)[-1] is None


def test_scores_in_a_text_of_json_may_be_null() -> None:
    event = ChatEvent(id="e", emotion_features='{"Joy": 0.5, "Awe": null, "Fear": NaN}')
    scores = event.emotion_scores
    assert scores is not None
    assert scores["Joy"] == 0.5
    assert math.isnan(scores["Awe"])
    assert math.isnan(scores["Fear"])
