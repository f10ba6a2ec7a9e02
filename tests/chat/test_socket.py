"""Chats over real sockets: events in, messages out, and how a chat ends."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from typing import Any

import anyio
import anyio.lowlevel
import attrs
import pytest
from chat_support import chat_with, kinds, read_all, read_turn
from support import client_of

from humeai_async import HumeAI
from humeai_async.chat.socket import ChatSocket
from humeai_async.errors import (
    ChatClosedError,
    ClientClosedError,
    DecodeError,
    GatewayUnsupportedError,
    InvalidArgumentError,
)
from humeai_async.http.transport.websocket import LARGEST_MESSAGE
from humeai_async.settings import Pool
from humeai_async.testing import Dialect, Drop, FakeHume, Fault, tool_call
from humeai_async.testing.conversation import error
from humeai_async.types.chat import (
    AssistantMessage,
    AudioOutput,
    ChatMetadata,
    SessionSettings,
    ToolCallMessage,
    UnknownEvent,
    UserInput,
    UserMessage,
    WebSocketError,
)
from humeai_async.types.chat_settings import (
    AudioConfiguration,
    AudioEncoding,
    ConnectSettings,
    SessionContext,
)

pytestmark = pytest.mark.anyio

TURN = [
    "user_message",
    "assistant_message",
    "audio_output",
    "audio_output",
    "assistant_prosody",
    "assistant_end",
]


async def test_the_events_of_a_turn_come_in_order() -> None:
    async with FakeHume() as fake, chat_with(fake) as chat:
        await chat.send_text("Will it rain?")
        assert kinds(await read_turn(chat)) == ["chat_metadata", *TURN]


async def test_events_are_typed_with_all_they_hold() -> None:
    async with FakeHume() as fake, chat_with(fake) as chat:
        await chat.send_text("Will it rain?")
        by_type = {event.type: event for event in await read_turn(chat)}
    said = by_type["user_message"]
    assert isinstance(said, UserMessage)
    assert (said.message.content, said.from_text, said.interim) == ("Will it rain?", True, False)
    answer, sound = by_type["assistant_message"], by_type["audio_output"]
    assert isinstance(answer, AssistantMessage)
    assert isinstance(sound, AudioOutput)
    assert sound.id == answer.id
    assert sound.audio.startswith(b"RIFF")


async def test_the_ids_are_known_once_the_first_event_was_read() -> None:
    async with FakeHume() as fake, chat_with(fake) as chat:
        before = (chat.chat_id, chat.chat_group_id)
        first = await anext(chat)
        assert isinstance(first, ChatMetadata)
        assert before == (None, None)
        assert (chat.chat_id, chat.chat_group_id) == (first.chat_id, first.chat_group_id)
        assert first.chat_id == fake.chat.connections[0].chat.id


async def test_every_kind_of_message_goes_out_as_hume_wants_it() -> None:
    async with FakeHume() as fake, chat_with(fake) as chat:
        await chat.send_text("hello")
        await chat.speak("welcome")
        assert await chat.send_audio(b"\x00\xff")
        await chat.send_settings(SessionSettings(system_prompt="short", context=None))
        await chat.send_tool_response("call-1", "sunny")
        await chat.send_tool_error("call-1", "late", content="try later", level="warn")
        await chat.pause()
        await chat.resume()
        await chat.send(UserInput(text="typed", custom_session_id="mine"))
        await chat.send({"type": "user_input", "text": "plain", "new_field": 1})
        await chat.aclose()
        assert fake.chat.connections[0].received == [
            {"type": "user_input", "text": "hello"},
            {"type": "assistant_input", "text": "welcome"},
            {"type": "audio_input", "data": base64.b64encode(b"\x00\xff").decode()},
            {"type": "session_settings", "system_prompt": "short", "context": None},
            {"type": "tool_response", "tool_call_id": "call-1", "content": "sunny"},
            {
                "type": "tool_error",
                "tool_call_id": "call-1",
                "error": "late",
                "content": "try later",
                "level": "warn",
            },
            {"type": "pause_assistant_message"},
            {"type": "resume_assistant_message"},
            {"type": "user_input", "text": "typed", "custom_session_id": "mine"},
            {"type": "user_input", "text": "plain", "new_field": 1},
        ]


async def test_the_query_holds_what_was_asked_for_with_bracketed_settings() -> None:
    settings = ConnectSettings(
        audio=AudioConfiguration(sample_rate=16_000, channels=1, encoding=AudioEncoding.LINEAR16),
        context=SessionContext(text="it is & was"),
        custom_session_id="mine",
        variables={"name": "Ana", "first visit": True, "age": 7.5},
    )
    async with FakeHume() as fake:
        fake.add_config(id="c-1")
        async with chat_with(
            fake,
            config_id="c-1",
            config_version=0,
            resumed_chat_group_id="g-1",
            event_limit=20,
            verbose_transcription=True,
            allow_connection=False,
            session_settings=settings,
        ):
            assert dict(fake.chat.connections[0].query) == {
                "config_id": "c-1",
                "config_version": "0",
                "resumed_chat_group_id": "g-1",
                "event_limit": "20",
                "verbose_transcription": "true",
                "allow_connection": "false",
                "session_settings[audio][encoding]": "linear16",
                "session_settings[audio][sample_rate]": "16000",
                "session_settings[audio][channels]": "1",
                "session_settings[context][text]": "it is & was",
                "session_settings[custom_session_id]": "mine",
                "session_settings[variables][name]": "Ana",
                "session_settings[variables][first visit]": "true",
                "session_settings[variables][age]": "7.5",
            }


async def test_settings_may_be_a_dict_of_the_same_keys() -> None:
    given = {"audio": {"encoding": "linear16", "sample_rate": 8000, "channels": 2}}
    async with FakeHume() as fake, chat_with(fake, session_settings=given):
        assert fake.chat.connections[0].first("session_settings[audio][channels]") == "2"


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"config_id": ""}, "config_id"),
        ({"resumed_chat_group_id": " "}, "resumed_chat_group_id"),
        ({"config_version": -1}, "config_version"),
        ({"event_limit": 301}, "event_limit"),
        ({"session_settings": {"voice": "x"}}, "session_settings"),
        ({"session_settings": {"audio": {"channels": "one"}}}, "session_settings"),
    ],
)
def test_bad_arguments_are_refused_by_name(arguments: dict[str, Any], field: str) -> None:
    hume = HumeAI(api_key="key")
    with pytest.raises(InvalidArgumentError) as caught:
        hume.chat.connect(**arguments)
    assert caught.value.field == field


async def test_the_key_goes_into_a_header_and_not_into_the_url() -> None:
    async with FakeHume() as fake, chat_with(fake):
        connection = fake.chat.connections[0]
        assert connection.headers["x-hume-api-key"] == fake.api_key
        assert connection.query == ()


async def test_an_access_token_goes_into_the_authorization_header() -> None:
    async with (
        FakeHume() as fake,
        HumeAI(access_token=fake.access_token, base_url=fake.url) as hume,
        hume.chat.connect(),
    ):
        headers = fake.chat.connections[0].headers
        assert headers["authorization"] == f"Bearer {fake.access_token}"
        assert "x-hume-api-key" not in headers


async def test_the_key_of_a_language_model_is_the_first_message_and_not_in_the_url() -> None:
    settings = ConnectSettings(language_model_api_key="llm-secret", voice_id="v")
    async with FakeHume() as fake, chat_with(fake, session_settings=settings) as chat:
        await chat.send_text("hi")
        await read_turn(chat)
        connection = fake.chat.connections[0]
        assert connection.query == (("session_settings[voice_id]", "v"),)
        assert connection.received[0] == {
            "type": "session_settings",
            "language_model_api_key": "llm-secret",
        }


async def test_no_secret_shows_in_logs_errors_or_reprs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="humeai_async")
    settings = ConnectSettings(language_model_api_key="llm-secret")
    async with FakeHume() as fake:
        fake.chat.drops.extend([Drop(after=1), Drop(after=1, code=1008)])
        async with chat_with(fake, session_settings=settings) as chat:
            with pytest.raises(ChatClosedError) as caught:
                await read_all(chat)
        shown = repr(chat) + repr(caught.value) + str(caught.value.__dict__) + caplog.text
        assert "llm-secret" not in shown
        assert fake.api_key not in shown


async def test_a_secret_in_the_reason_for_a_close_does_not_show() -> None:
    async with FakeHume() as fake:
        said = f"{fake.api_key} may not see https://a.example/b?signature"
        fake.chat.drops.append(Drop(after=0, code=1008, reason=said))
        async with chat_with(fake) as chat:
            with pytest.raises(ChatClosedError) as caught:
                await read_all(chat)
    assert caught.value.reason == "*** may not see https://a.example/b?***"
    assert fake.api_key not in str(caught.value)


@pytest.mark.parametrize("dialect", ["gateway-documented", "gateway-recorded"])
async def test_the_gateway_refuses_before_anything_is_sent(dialect: Dialect) -> None:
    async with FakeHume(dialect=dialect) as fake, client_of(fake) as hume:
        with pytest.raises(GatewayUnsupportedError, match="WebSocket"):
            async with hume.chat.connect():
                pass
        assert fake.connections_opened == 0


async def test_a_clean_close_by_the_server_ends_the_iteration() -> None:
    async with FakeHume() as fake:
        fake.chat.drops.append(Drop(after=0, code=1000, reason="hung up"))
        async with chat_with(fake) as chat:
            assert kinds(await read_all(chat)) == ["chat_metadata"]
            assert (chat.close_code, chat.close_reason) == (1000, "hung up")
            assert await read_all(chat) == []
        assert len(fake.chat.connections) == 1


async def test_leaving_the_block_closes_the_chat_in_good_order() -> None:
    async with FakeHume() as fake:
        async with chat_with(fake) as chat:
            await anext(chat)
        assert chat.close_code == 1000
        with anyio.fail_after(5):
            while fake.chat.open:
                await anyio.lowlevel.checkpoint()
        assert fake.chat.connections[0].close_code == 1000


@pytest.mark.parametrize(
    ("code", "slug"),
    [
        ("E0714", "inactivity_timeout"),
        ("E0715", "max_duration_timeout"),
        ("I0116", "transcription_failure"),
    ],
)
async def test_an_error_event_that_ends_the_chat_is_delivered_and_then_it_ends(
    code: str, slug: str
) -> None:
    async with FakeHume() as fake:
        # Even where the connection then breaks instead of being closed with 1000.
        fake.chat.drops.append(Drop(after=0, code=None, first=error(code, slug, "over")))
        async with chat_with(fake) as chat:
            events = await read_all(chat)
            assert kinds(events) == ["chat_metadata", "error"]
            assert isinstance(events[1], WebSocketError)
            assert events[1].code == code
            assert chat.close_reason == slug
        assert len(fake.chat.connections) == 1


async def test_other_error_events_leave_the_chat_open() -> None:
    async with FakeHume() as fake, chat_with(fake) as chat:
        await chat.send({"type": "nonsense"})
        await anext(chat)
        event = await anext(chat)
        assert isinstance(event, WebSocketError)
        assert event.code == "E0101"
        await chat.send_text("still there?")
        assert kinds(await read_turn(chat)) == TURN


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (1002, "protocol error"),
        (1003, "unsupported data"),
        (1008, "policy violation"),
        (1009, "message too big"),
        (4000, "own words"),
    ],
)
async def test_other_close_codes_are_named_errors(code: int, name: str) -> None:
    async with FakeHume() as fake:
        fake.chat.drops.append(Drop(after=0, code=code, reason="own words"))
        async with chat_with(fake) as chat:
            with pytest.raises(ChatClosedError, match=name) as caught:
                await read_all(chat)
            assert caught.value.close_code == code
            assert caught.value.reason == "own words"
            with pytest.raises(ChatClosedError, match="nothing was sent"):
                await chat.send_text("too late")


async def test_an_unknown_type_of_event_keeps_all_it_held() -> None:
    odd = {"type": "assistant_dreams", "of": ["sheep"], "custom_session_id": "mine"}
    async with FakeHume() as fake, chat_with(fake) as chat:
        await anext(chat)
        fake.chat.frames.append(json.dumps(odd))
        await chat.send_text("hi")
        event = await anext(chat)
        assert isinstance(event, UnknownEvent)
        assert (event.type, event.data) == ("assistant_dreams", odd)
        assert event.custom_session_id == "mine"


@pytest.mark.parametrize(
    ("frame", "path"),
    [
        ("not json", "$"),
        ("", "$"),
        ("[1, 2]", "$"),
        (b"\xff\xfe\x00", "$"),
        ('{"type": "user_interruption", "time": "noon"}', "$.time"),
        ('{"type": "audio_output", "id": 1}', "$.id"),
        ("[" * 100_000, "$"),
    ],
    ids=["text", "empty", "array", "binary", "wrong type", "wrong id", "deep"],
)
async def test_a_bad_frame_is_an_error_and_the_chat_goes_on(frame: str | bytes, path: str) -> None:
    async with FakeHume() as fake, chat_with(fake) as chat:
        await anext(chat)
        fake.chat.frames.append(frame)
        await chat.send_text("hi")
        with pytest.raises(DecodeError) as caught:
            await anext(chat)
        assert caught.value.path == path
        assert kinds(await read_turn(chat)) == TURN


async def test_an_event_of_many_megabytes_is_read() -> None:
    async with FakeHume() as fake, chat_with(fake) as chat:
        await anext(chat)
        fake.chat.frames.append(json.dumps({"type": "big", "data": "x" * 12_000_000}))
        await chat.send_text("hi")
        event = await anext(chat)
        assert isinstance(event, UnknownEvent)
        assert len(event.data["data"]) == 12_000_000


async def test_an_event_beyond_16_megabytes_ends_the_chat_by_name() -> None:
    async with FakeHume() as fake, chat_with(fake) as chat:
        await anext(chat)
        fake.chat.frames.append("x" * (LARGEST_MESSAGE + 1))
        await chat.send_text("hi")
        with pytest.raises(ChatClosedError, match="message too big") as caught:
            await anext(chat)
        assert caught.value.close_code == 1009


async def test_a_message_beyond_16_megabytes_is_refused() -> None:
    async with FakeHume() as fake, chat_with(fake) as chat:
        with pytest.raises(InvalidArgumentError, match="16777216"):
            await chat.send_text("x" * LARGEST_MESSAGE)
        await chat.send_text("hi")
        assert kinds(await read_turn(chat)) == ["chat_metadata", *TURN]


async def test_empty_messages_are_refused_by_name() -> None:
    async with FakeHume() as fake, chat_with(fake) as chat:
        for send, field in [
            (chat.send_text(""), "text"),
            (chat.speak(""), "text"),
            (chat.send_audio(b""), "audio"),
            (chat.send_tool_response("", "x"), "tool_call_id"),
            (chat.send_tool_error("", "x"), "tool_call_id"),
            (chat.send({"text": "no type"}), "event"),
        ]:
            with pytest.raises(InvalidArgumentError) as caught:
                await send
            assert caught.value.field == field
        await chat.aclose()
        assert fake.chat.connections[0].received == []


async def test_a_tool_is_called_answered_and_spoken_of() -> None:
    async with FakeHume() as fake, chat_with(fake) as chat:
        fake.chat.tool_calls.append(tool_call("get_forecast", {"city": "Porto"}, id="c-9"))
        await chat.send_text("Will it rain?")
        events = [await anext(chat) for _ in range(3)]
        call = events[2]
        assert isinstance(call, ToolCallMessage)
        assert call.parsed_parameters == {"city": "Porto"}
        await chat.send_tool_response(call.tool_call_id, "rain")
        answer = (await read_turn(chat))[0]
        assert isinstance(answer, AssistantMessage)
        assert answer.message.content == "The tool says: rain"


async def test_a_paused_assistant_answers_when_it_is_resumed() -> None:
    async with FakeHume() as fake, chat_with(fake) as chat:
        await chat.pause()
        await chat.send_text("are you there?")
        assert [event.type for event in [await anext(chat), await anext(chat)]] == [
            "chat_metadata",
            "user_message",
        ]
        await chat.resume()
        assert kinds(await read_turn(chat)) == TURN[1:]


async def test_speech_is_written_down_with_interim_versions_and_prosody() -> None:
    async with FakeHume() as fake, chat_with(fake, verbose_transcription=True) as chat:
        await anext(chat)
        for _ in range(5):
            await chat.send_audio(bytes(640))
        said = [event for event in await read_turn(chat) if isinstance(event, UserMessage)]
    assert [message.interim for message in said] == [True, False]
    assert not said[1].from_text
    assert said[1].models.prosody is not None
    assert len(said[1].models.prosody.scores) == 48


async def test_tasks_may_send_while_another_one_reads() -> None:
    said: list[str | None] = []
    async with FakeHume() as fake, chat_with(fake) as chat, anyio.create_task_group() as tasks:
        for number in range(40):
            tasks.start_soon(chat.speak, f"{number} " + "x" * 50_000)
        async for event in chat:
            if isinstance(event, AssistantMessage):
                said.append(event.message.content)
            if len(said) == 40:
                break
    assert sorted(int(str(text).split()[0]) for text in said) == list(range(40))


async def test_two_readers_share_the_events_without_loss() -> None:
    async with FakeHume() as fake, chat_with(fake) as chat:
        seen: list[str] = []

        async def read() -> None:
            async for event in chat:
                seen.append(event.type)
                if len(seen) == 7:
                    await chat.aclose()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            tasks.start_soon(read)
            await chat.send_text("hi")
    assert seen == ["chat_metadata", *TURN]


async def test_a_cancelled_read_loses_no_event() -> None:
    async with FakeHume() as fake, chat_with(fake) as chat:
        await anext(chat)
        with anyio.move_on_after(0.01):
            await anext(chat)
        await chat.send_text("hi")
        assert kinds(await read_turn(chat)) == TURN


async def test_cancelling_a_chat_leaves_neither_task_nor_connection() -> None:
    before = asyncio.all_tasks()
    async with FakeHume() as fake:
        serving = asyncio.all_tasks()
        async with HumeAI(api_key=fake.api_key, base_url=fake.url) as hume:
            with anyio.CancelScope() as scope:
                async with hume.chat.connect() as chat:
                    await anext(chat)
                    scope.cancel()
                    await anext(chat)
            assert scope.cancelled_caught
            with anyio.fail_after(5):
                while fake.connections_open or asyncio.all_tasks() != serving:
                    await anyio.lowlevel.checkpoint()
    assert asyncio.all_tasks() == before


async def test_cancelling_a_handshake_leaves_neither_task_nor_connection() -> None:
    async with FakeHume(faults=[Fault("stall", path="/v0/evi/chat")]) as fake:
        serving = asyncio.all_tasks()
        async with HumeAI(api_key=fake.api_key, base_url=fake.url) as hume:
            with anyio.move_on_after(0.05) as scope:
                async with hume.chat.connect():
                    pass
            assert scope.cancelled_caught
            with anyio.fail_after(5):
                while fake.connections_open or asyncio.all_tasks() != serving:
                    await anyio.lowlevel.checkpoint()


async def test_closing_from_another_task_ends_the_iteration() -> None:
    async with FakeHume() as fake, chat_with(fake) as chat:
        await anext(chat)

        async def close() -> None:
            await anyio.wait_all_tasks_blocked()
            await chat.aclose()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(close)
            assert await read_all(chat) == []
        await chat.aclose()
        assert chat.close_code == 1000


async def test_closing_the_client_ends_a_chat_by_name() -> None:
    async with FakeHume() as fake:
        hume = HumeAI(api_key=fake.api_key, base_url=fake.url)
        async with hume.chat.connect() as chat:
            await anext(chat)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(hume.aclose)
                with pytest.raises(ClientClosedError):
                    await anext(chat)
            with pytest.raises(ClientClosedError):
                await chat.send_text("hi")


async def test_a_chat_that_is_not_open_says_so() -> None:
    chat = HumeAI(api_key="key").chat.connect()
    with pytest.raises(ChatClosedError, match="async with"):
        await chat.send_text("hi")
    with pytest.raises(ChatClosedError, match="async with"):
        await anext(chat)


async def test_nothing_is_sent_after_closing() -> None:
    async with FakeHume() as fake:
        async with chat_with(fake) as chat:
            pass
        for send in (chat.send_text("a"), chat.send_audio(b"a"), chat.pause(), chat.resume()):
            with pytest.raises(ChatClosedError, match="nothing was sent"):
                await send
        assert await read_all(chat) == []


async def test_a_chat_is_opened_once() -> None:
    async with FakeHume() as fake, chat_with(fake) as chat:
        with pytest.raises(ChatClosedError, match="once"):
            async with chat:
                pass


async def test_a_chat_takes_no_connection_of_the_pool() -> None:
    async with (
        FakeHume() as fake,
        HumeAI(api_key=fake.api_key, base_url=fake.url, pool=Pool(limit=1)) as hume,
        hume.chat.connect() as chat,
    ):
        await anext(chat)
        with anyio.fail_after(5):
            found = [one async for one in hume.chats.list(status="ACTIVE", page_size=100)]
    assert chat.chat_id in {one.id for one in found}


async def test_a_chat_shows_in_the_history_with_its_events() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        fake.add_config(id="c-1")
        async with hume.chat.connect(config_id="c-1") as chat:
            await chat.send_text("hello")
            await read_turn(chat)
        with anyio.fail_after(5):
            while fake.chat.open:
                await anyio.lowlevel.checkpoint()
        assert chat.chat_id is not None
        events = [event async for event in hume.chats.list_events(chat.chat_id)]
        assert [event.type for event in events] == [
            "CHAT_START_MESSAGE",
            "USER_MESSAGE",
            "AGENT_MESSAGE",
            "CHAT_END_MESSAGE",
        ]
        (listed,) = [one async for one in hume.chats.list(config_id="c-1")]
        assert listed.status == "USER_ENDED"


def test_a_chat_shows_no_more_than_its_id_and_state() -> None:
    chat = HumeAI(api_key="key").chat.connect()
    assert isinstance(chat, ChatSocket)
    assert repr(chat) == "ChatSocket(chat_id=None, open)"


def test_every_field_of_the_connect_settings_can_be_kept_or_is_known_not_to_be() -> None:
    first = set(attrs.fields_dict(ConnectSettings))
    assert first - set(attrs.fields_dict(SessionSettings)) == {"event_limit"}
