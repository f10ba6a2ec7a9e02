"""What the types do by themselves, without a codec."""

from __future__ import annotations

import base64
import enum
import importlib
import json
import pkgutil
from typing import Any

import attrs
import pytest

from humeai_async import types
from humeai_async._base.unset import Unset
from humeai_async.errors import DecodeError
from humeai_async.http.messages import JsonText
from humeai_async.types import chat
from humeai_async.types.chat_settings import AudioConfiguration, ConnectSettings, SessionContext
from humeai_async.types.evi import Tool
from humeai_async.types.evi_chats import (
    Chat,
    ChatEvent,
    ChatEventsPage,
    ChatStatus,
)
from humeai_async.types.json_text import read_json, read_json_object, read_scores
from humeai_async.types.tagged import Tagged

MODULES = [
    importlib.import_module(f"{types.__name__}.{info.name}")
    for info in pkgutil.iter_modules(types.__path__)
]
ENUMS = {
    value
    for module in MODULES
    for value in vars(module).values()
    if isinstance(value, type) and issubclass(value, enum.Enum)
}


def make_tool(parameters: str) -> Tool:
    return Tool(
        tool_type="FUNCTION",
        id="t",
        version=0,
        version_type="FIXED",
        name="get_forecast",
        created_on=1,
        modified_on=1,
        parameters=parameters,
    )


def make_event(**fields: Any) -> ChatEvent:
    return ChatEvent(id="e", chat_id="c", timestamp=1, role="USER", type="USER_MESSAGE", **fields)


def make_chat(metadata: str | None) -> Chat:
    return Chat(
        id="c",
        chat_group_id="g",
        status=ChatStatus.ACTIVE,
        start_timestamp=1,
        metadata=metadata,
    )


def test_the_parameters_of_a_tool_are_read_on_demand() -> None:
    assert make_tool('{"type": "object"}').parsed_parameters == {"type": "object"}


@pytest.mark.parametrize("text", ["{", "", "[1]", '"text"', "[" * 100_000])
def test_parameters_that_are_no_json_object_are_told_by_field(text: str) -> None:
    with pytest.raises(DecodeError) as caught:
        _ = make_tool(text).parsed_parameters
    assert caught.value.path == "$.parameters"


def test_the_scores_of_an_event_are_read_on_demand() -> None:
    event = make_event(emotion_features='{"Joy": 0.5, "Empathic Pain": 1}')
    assert event.emotion_scores == {"Joy": 0.5, "Empathic Pain": 1.0}


def test_an_event_without_scores_has_none() -> None:
    assert make_event().emotion_scores is None


@pytest.mark.parametrize("text", ["nonsense", "[0.1]", '{"Joy": "high"}', '{"Joy": true}'])
def test_scores_that_are_no_numbers_are_told_by_field(text: str) -> None:
    with pytest.raises(DecodeError) as caught:
        _ = make_event(emotion_features=text).emotion_scores
    assert caught.value.path == "$.emotion_features"


def test_metadata_may_be_any_json() -> None:
    assert make_chat('["a", 1]').parsed_metadata == ["a", 1]


def test_missing_metadata_stays_none() -> None:
    assert make_chat(None).parsed_metadata is None


def test_metadata_that_is_not_json_is_told_by_field() -> None:
    with pytest.raises(DecodeError) as caught:
        _ = make_event(metadata="{'single': 'quotes'}").parsed_metadata
    assert caught.value.path == "$.metadata"


def test_a_page_of_events_reads_its_chats_metadata() -> None:
    page = ChatEventsPage(
        id="c",
        chat_group_id="g",
        status="ACTIVE",
        start_timestamp=1,
        metadata='{"shop": 7}',
    )
    assert page.parsed_metadata == {"shop": 7}


def test_the_text_null_counts_as_nothing() -> None:
    assert (read_json("null", "$"), read_json_object("null", "$"), read_scores("null", "$")) == (
        None,
        None,
        None,
    )


def test_the_arguments_of_a_tool_call_are_read_on_demand() -> None:
    call = chat.ToolCallMessage(
        tool_call_id="1",
        name="get_forecast",
        parameters='{"city": "Porto"}',
        response_required=True,
        tool_type="function",
    )
    assert call.parsed_parameters == {"city": "Porto"}


def test_sound_from_the_assistant_is_read_on_demand() -> None:
    sound = chat.AudioOutput(id="m", index=0, data=base64.b64encode(b"RIFF").decode())
    assert sound.audio == b"RIFF"


@pytest.mark.parametrize("text", ["%%%", "QQ", "ÿÿÿÿ"])
def test_sound_that_is_not_base64_is_told_by_field(text: str) -> None:
    with pytest.raises(DecodeError) as caught:
        _ = chat.AudioOutput(id="m", index=0, data=text).audio
    assert caught.value.path == "$.data"


def test_sound_for_the_assistant_is_written_in_base64() -> None:
    message = chat.AudioInput.from_bytes(b"\x00\xff", custom_session_id="mine")
    assert (base64.b64decode(message.data), message.custom_session_id) == (b"\x00\xff", "mine")


def test_sound_and_keys_stay_out_of_reprs() -> None:
    shown = repr(
        [
            chat.AudioInput(data="c2VjcmV0"),
            chat.AudioOutput(id="m", index=0, data="c2VjcmV0"),
            chat.SessionSettings(language_model_api_key="c2VjcmV0"),
            ConnectSettings(language_model_api_key="c2VjcmV0"),
        ]
    )
    assert "c2VjcmV0" not in shown


def test_settings_given_while_connecting_become_one_key_a_leaf() -> None:
    settings = ConnectSettings(
        audio=AudioConfiguration(encoding="linear16", sample_rate=44100, channels=1),
        context=SessionContext(text="It rains.", type="persistent"),
        event_limit=0,
        voice_id="v",
        variables={"city": "Porto", "adult": True, "age": 33, "ratio": 0.5},
    )
    assert dict(settings.to_query()) == {
        "session_settings[audio][encoding]": "linear16",
        "session_settings[audio][sample_rate]": "44100",
        "session_settings[audio][channels]": "1",
        "session_settings[context][text]": "It rains.",
        "session_settings[context][type]": "persistent",
        "session_settings[event_limit]": "0",
        "session_settings[voice_id]": "v",
        "session_settings[variables][city]": "Porto",
        "session_settings[variables][adult]": "true",
        "session_settings[variables][age]": "33",
        "session_settings[variables][ratio]": "0.5",
    }


def test_no_settings_need_no_query() -> None:
    assert ConnectSettings().to_query() == []


@pytest.mark.parametrize("union", [chat.CLIENT_EVENTS, chat.SERVER_EVENTS, chat.TOOL_RESULTS])
def test_all_members_of_a_union_are_of_its_base(union: Tagged) -> None:
    classes = [*union.members.values(), union.fallback]
    assert [cls for cls in classes if not issubclass(cls, union.base)] == []


def test_messages_of_both_directions_are_of_both_kinds() -> None:
    both = set(chat.CLIENT_EVENTS.members.values()) & set(chat.SERVER_EVENTS.members.values())
    assert both == {chat.SessionSettings, chat.ToolResponseMessage, chat.ToolErrorMessage}


def test_every_enum_is_text() -> None:
    assert {kind for kind in ENUMS if not issubclass(kind, enum.StrEnum)} == {Unset}


def test_messages_cannot_be_changed() -> None:
    message = chat.UserInput(text="Hello")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        message.text = "Bye"  # type: ignore[misc]  # that is the test


def test_types_have_no_dict_of_their_own() -> None:
    messages = [chat.UserInput(text="a"), chat.SessionSettings(), make_chat(None), make_event()]
    assert [message for message in messages if hasattr(message, "__dict__")] == []


def test_scores_keep_the_order_of_the_text() -> None:
    text = json.dumps({"Zeal": 0.1, "Awe": 0.2})
    assert list(read_scores(text, "$") or ()) == ["Zeal", "Awe"]


URL_FIELDS = [
    (one, field)
    for module in MODULES
    for one in vars(module).values()
    if isinstance(one, type) and attrs.has(one) and one.__module__ == module.__name__
    for field in attrs.fields(one)
    if field.name.endswith(("url", "urls", "uri", "webhooks"))
]


@pytest.mark.parametrize(
    ("kind", "field"),
    URL_FIELDS,
    ids=[f"{kind.__name__}.{field.name}" for kind, field in URL_FIELDS],
)
def test_no_repr_shows_the_query_of_a_url(kind: type[Any], field: attrs.Attribute[Any]) -> None:
    thing: Any = object.__new__(kind)
    for one in attrs.fields(kind):
        object.__setattr__(thing, one.name, None)
    object.__setattr__(thing, field.name, [{"url": "https://a.example/?signature"}])
    assert "https://a.example/" in repr(thing)
    assert "signature" not in repr(thing)


def test_an_event_of_an_unknown_type_does_not_show_the_query_of_a_url() -> None:
    event = chat.UnknownEvent(data={"url": "https://a.example/b?signature"})
    assert "https://a.example/b" in repr(event)
    assert "signature" not in repr(event)


def test_json_on_its_way_out_shows_in_no_form() -> None:
    text = JsonText(b'{"urls":["https://a.example/?signature"]}')
    assert f"{text!r} {text}" == "JsonText(41 bytes) JsonText(41 bytes)"
