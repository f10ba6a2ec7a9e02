"""Every recorded answer decodes into its endpoint's type and is written again as it was.

`samples/answers` holds one answer for each operation of `samples/endpoints.json` that answers
with JSON, named after it; ids, texts and scores in them are invented. `chat.json` holds the
messages of a chat socket, `extra_list_jobs.json` a list of jobs, `extra_error_*.json` errors.
"""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any, cast

import pytest
from attrs import evolve

from humeai_async import catalog
from humeai_async.errors import DecodeError
from humeai_async.http import codec
from humeai_async.http.endpoint import Endpoint
from humeai_async.http.messages import Response
from humeai_async.http.status_errors import to_error
from humeai_async.types.chat import (
    AssistantMessage,
    ChatMessage,
    ClientEvent,
    ServerEvent,
    SessionSettings,
    ToolCallMessage,
    ToolErrorMessage,
    ToolResponseMessage,
    ToolResult,
    UnknownEvent,
    UnknownToolResult,
    UserInput,
)
from humeai_async.types.chat_measurements import Inference
from humeai_async.types.chat_settings import SessionContext
from humeai_async.types.evi import VersionDescriptionRequest
from humeai_async.types.evi_chats import ChatStatus
from humeai_async.types.evi_configs import Config
from humeai_async.types.unknown_fields import Open

SAMPLES = Path(__file__).parents[1] / "samples"
ANSWERS = SAMPLES / "answers"

FACTS = json.loads((SAMPLES / "endpoints.json").read_text("utf-8"))
BY_OPERATION = {
    fact["operation"]: endpoint
    for fact, endpoint in zip(FACTS, catalog.ALL, strict=False)
    if fact["row"] is not None
}

ARRAY_OF_PAGES = {"list_dataset_files", "list_dataset_version_files"}


def typed_samples() -> list[Any]:
    """Pair each sample with the type of its endpoint's answer."""
    pairs = [
        pytest.param(endpoint.returns, operation, id=operation)
        for operation, endpoint in BY_OPERATION.items()
        if operation != "chat" and (ANSWERS / f"{operation}.json").exists()
    ]
    pairs.append(pytest.param(catalog.CHAT_GET.returns, "extra_list_jobs", id="list_jobs"))
    pairs.append(pytest.param(list[ServerEvent], "chat", id="chat"))
    return pairs


def read(name: str) -> bytes:
    return (ANSWERS / f"{name}.json").read_bytes()


def without_nulls(value: object) -> object:
    """Drop nulls and empty objects, which mean the same as what is missing."""
    if isinstance(value, dict):
        members = cast("dict[str, object]", value)
        kept = {name: without_nulls(v) for name, v in members.items()}
        return {name: v for name, v in kept.items() if v not in (None, {})}
    if isinstance(value, list):
        return [without_nulls(v) for v in cast("list[object]", value) if v is not None]
    return value


def test_all_operations_that_answer_json_have_a_sample() -> None:
    without = {
        operation
        for operation, endpoint in BY_OPERATION.items()
        if not (ANSWERS / f"{operation}.json").exists()
        and not endpoint.binary
        and endpoint.returns not in {bytes, type(None)}
    }
    assert without == {"patch_user_privacy_settings"}, "only this one's answer is unknown"


@pytest.mark.parametrize(("returns", "name"), typed_samples())
def test_what_is_read_is_written_again(returns: type[object], name: str) -> None:
    raw = read(name)
    written = json.loads(codec.encode(codec.decode(returns, raw)))
    expected = json.loads(raw)
    if name in ARRAY_OF_PAGES:
        (expected,) = expected
    assert without_nulls(written) == without_nulls(expected)


@pytest.mark.parametrize(("returns", "name"), typed_samples())
def test_unknown_fields_change_nothing_else(returns: type[object], name: str) -> None:
    plain = json.loads(read(name))
    for part in cast("list[dict[str, Any]]", plain if isinstance(plain, list) else [plain]):
        part["added_by_the_service"] = {"anything": [1]}
    grown = codec.decode(returns, json.dumps(plain).encode())
    if returns is object:
        assert grown == plain
    else:
        if isinstance(grown, Open):  # configs, prompts and tools are written back with them
            assert grown.extra == {"added_by_the_service": {"anything": [1]}}
            assert codec.to_plain(grown)["added_by_the_service"] == {"anything": [1]}
            grown = evolve(grown, extra={})
        assert grown == codec.decode(returns, read(name))


def test_no_message_of_the_recorded_chat_is_unknown() -> None:
    events = codec.decode(list[ServerEvent], read("chat"))
    assert [event for event in events if isinstance(event, UnknownEvent)] == []


def test_two_pages_in_an_array_become_one_with_the_items_of_both() -> None:
    (page,) = json.loads(read("list_dataset_files"))
    first = {**page, "last": False}
    second = {**page, "number": 1, "last": True}
    joined = codec.decode(catalog.DATASETS_LIST_FILES.returns, json.dumps([first, second]).encode())
    assert (len(joined.content), joined.number, joined.last) == (2 * len(page["content"]), 1, True)


def test_a_page_of_files_is_read_without_an_array_too() -> None:
    (page,) = json.loads(read("list_dataset_files"))
    bare = codec.decode(catalog.DATASETS_LIST_FILES.returns, json.dumps(page).encode())
    assert bare == codec.decode(catalog.DATASETS_LIST_FILES.returns, read("list_dataset_files"))


def test_an_empty_array_of_pages_is_an_empty_page() -> None:
    assert codec.decode(catalog.DATASETS_LIST_FILES.returns, b"[]").content == []


def test_a_new_dataset_version_may_come_as_one_object() -> None:
    (dataset,) = json.loads(read("create_dataset_version"))
    returns = catalog.DATASETS_CREATE_VERSION.returns
    alone = codec.decode(returns, json.dumps(dataset).encode())
    assert alone == codec.decode(returns, read("create_dataset_version"))


@pytest.mark.parametrize(
    ("name", "message", "code"),
    [
        ("extra_error_400", "the request could not be read", "E0101"),
        ("extra_error_422", "body.utterances.0.text: Field required", None),
        ("extra_error_gateway_documented", "a valid token is required", "UNAUTHORIZED"),
        ("extra_error_expression", "the file is longer than the limit", "audio_too_long"),
        ("extra_error_decisions", "a score question needs two levels or more", "question_invalid"),
    ],
)
def test_error_bodies_give_message_and_code(name: str, message: str, code: str | None) -> None:
    error = to_error(
        Response(400, {}, read(name)),
        catalog.CONFIGS_LIST,
        retry_after=None,
        scrub=lambda text: text,
        today=dt.date(2026, 1, 1),
        is_hume=True,
    )
    assert (error.message, error.code) == (message, code)


def test_a_message_is_written_with_its_type() -> None:
    assert json.loads(codec.encode(UserInput(text="Hello"))) == {
        "type": "user_input",
        "text": "Hello",
    }


@pytest.mark.parametrize(
    "result",
    [
        ToolResponseMessage(tool_call_id="1", content="sunny"),
        ToolErrorMessage(tool_call_id="1", error="no answer"),
    ],
)
def test_messages_inside_messages_keep_their_types(result: ToolResult) -> None:
    call = ToolCallMessage(
        tool_call_id="1",
        name="get_forecast",
        parameters="{}",
        response_required=True,
        tool_type="function",
    )
    message = AssistantMessage(
        message=ChatMessage(role="tool", tool_call=call, tool_result=result),
        models=Inference(),
        from_text=False,
        is_quick_response=False,
    )
    assert codec.decode(ServerEvent, codec.encode(message)) == message


@pytest.mark.parametrize("direction", [ClientEvent, ServerEvent])
@pytest.mark.parametrize("raw", ['{"type": "dance", "steps": [1, 2]}', '{"steps": []}'])
def test_a_message_of_unknown_type_keeps_everything_both_ways(
    direction: type[object], raw: str
) -> None:
    event = codec.decode(direction, raw.encode())
    assert isinstance(event, UnknownEvent)
    assert json.loads(codec.encode(event)) == event.data == json.loads(raw)


def test_an_unknown_tool_result_keeps_everything() -> None:
    raw = {"role": "tool", "tool_result": {"type": "tool_delay", "seconds": 3}}
    message = codec.decode(ChatMessage, json.dumps(raw).encode())
    assert isinstance(message.tool_result, UnknownToolResult)
    assert json.loads(codec.encode(message)) == raw


@pytest.mark.parametrize(
    ("settings", "written"),
    [
        (SessionSettings(), {}),
        (SessionSettings(context=None), {"context": None}),
        (SessionSettings(context=SessionContext(text="Rain")), {"context": {"text": "Rain"}}),
    ],
)
def test_a_context_is_left_alone_taken_away_or_set(
    settings: SessionSettings, written: dict[str, object]
) -> None:
    assert json.loads(codec.encode(settings)) == {"type": "session_settings", **written}


@pytest.mark.parametrize(
    ("request_body", "written"),
    [
        (VersionDescriptionRequest(), {}),
        (VersionDescriptionRequest(version_description=None), {"version_description": None}),
        (VersionDescriptionRequest(version_description="x"), {"version_description": "x"}),
    ],
)
def test_a_description_can_be_taken_away(
    request_body: VersionDescriptionRequest, written: dict[str, object]
) -> None:
    assert json.loads(codec.encode(request_body)) == written


@pytest.mark.parametrize(("status", "kind"), [("USER_ENDED", ChatStatus), ("FADED", str)])
def test_enums_known_and_unknown_survive_both_ways(status: str, kind: type[str]) -> None:
    raw = {"id": "c", "chat_group_id": "g", "status": status, "start_timestamp": 1}
    page = {"total_pages": 1, "chats_page": [raw]}
    read_page = codec.decode(catalog.CHATS_LIST.returns, json.dumps(page).encode())
    assert type(read_page.chats_page[0].status) is kind
    assert json.loads(codec.encode(read_page)) == page


@pytest.mark.parametrize("endpoint", [catalog.PROMPTS_LIST, catalog.TOOLS_LIST])
def test_nulls_among_the_items_of_a_page_are_dropped(endpoint: Endpoint[Any]) -> None:
    page = json.dumps({"total_pages": 1, endpoint.items: [None, None]}).encode()
    assert getattr(codec.decode(endpoint.returns, page), str(endpoint.items)) == []


@pytest.mark.parametrize("body", [b'""', b'"no object"', b"[]", b'["id"]', b"null", b"0"])
def test_what_is_no_object_is_not_read_as_one_of_defaults(body: bytes) -> None:
    with pytest.raises(DecodeError, match="expected an object") as caught:
        codec.decode(Config, body)
    assert caught.value.path == "$"


@pytest.mark.parametrize("part", [b'""', b'"no object"', b"[]", b'["id"]', b"0"])
def test_what_is_no_object_inside_of_one_is_told_by_its_place(part: bytes) -> None:
    with pytest.raises(DecodeError) as caught:
        codec.decode(Config, b'{"id": "c", "version": 0, "prompt": %b}' % part)
    assert caught.value.path == "$.prompt"
