"""The fake's chat socket, by a plain WebSocket client."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import pytest

from humeai_async.http import codec
from humeai_async.testing import Drop, FakeHume, Quota
from humeai_async.types.chat import ServerEvent, UnknownEvent

pytestmark = pytest.mark.anyio

CHAT = "/v0/evi/chat"
Chat = aiohttp.ClientWebSocketResponse


@contextlib.asynccontextmanager
async def chat_of(fake: FakeHume, query: str = "") -> AsyncGenerator[Chat]:
    named = "api_key" in query or "access_token" in query
    headers = {} if named else {"X-Hume-Api-Key": fake.api_key}
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{fake.url}{CHAT}?{query}", headers=headers) as chat,
    ):
        yield chat


async def say(chat: Chat, message: object) -> Any:
    """Send a message and return the next one of the fake."""
    await chat.send_str(json.dumps(message))
    return await chat.receive_json()


@pytest.mark.parametrize("name", ["api_key", "access_token"])
async def test_a_credential_in_the_query_is_taken_as_hume_does(name: str) -> None:
    async with FakeHume() as fake, chat_of(fake, f"{name}={getattr(fake, name)}") as chat:
        assert (await chat.receive_json())["type"] == "chat_metadata"


@pytest.mark.parametrize(
    ("path", "key", "status"), [(CHAT, "wrong", 401), ("/v0/evi/other", None, 404)]
)
async def test_a_handshake_that_is_wrong_is_refused(
    path: str, key: str | None, status: int
) -> None:
    async with FakeHume() as fake, aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await session.ws_connect(
                fake.url + path, headers={"X-Hume-Api-Key": key or fake.api_key}
            )
        assert caught.value.status == status


async def test_handshakes_draw_on_the_quota() -> None:
    async with FakeHume(quota=Quota(1, per=3600)) as fake, chat_of(fake):
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            async with chat_of(fake):
                pass
        assert caught.value.status == 429
        assert caught.value.headers is not None
        assert "Retry-After" in caught.value.headers


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ([1], "E0101"),
        ({"type": "unknown"}, "E0101"),
        ({"type": "user_input"}, "E0101"),
        ({"type": "user_input", "text": 7}, "E0101"),
        ({"type": "audio_input", "data": "not base64!"}, "E0201"),
        ({"type": "audio_input", "data": base64.b64encode(bytes(2 << 20)).decode()}, "E0723"),
        ({"type": "tool_response", "tool_call_id": "none", "content": ""}, "E0101"),
    ],
)
async def test_a_bad_message_is_answered_with_an_error(message: object, code: str) -> None:
    async with FakeHume() as fake, chat_of(fake) as chat:
        await chat.receive()
        answer = await say(chat, message)
        assert (answer["type"], answer["code"]) == ("error", code)


async def test_a_message_that_is_no_json_is_answered_with_an_error() -> None:
    async with FakeHume() as fake, chat_of(fake) as chat:
        await chat.receive()
        await chat.send_str("{")
        assert (await chat.receive_json())["code"] == "E0100"


async def test_settings_are_repeated_without_the_key_of_a_language_model() -> None:
    async with FakeHume() as fake, chat_of(fake) as chat:
        await chat.receive()
        settings = {"type": "session_settings", "custom_session_id": "mine"}
        answer = await say(chat, {**settings, "language_model_api_key": "secret"})
        assert answer == settings
        answer = await say(chat, {"type": "user_input", "text": "hi"})
        assert answer["custom_session_id"] == "mine"


async def test_everything_it_says_is_what_hume_promises() -> None:
    async with FakeHume() as fake, chat_of(fake, "verbose_transcription=true") as chat:
        fake.chat.tool_calls.append(
            {**_CALL, "type": "tool_call", "response_required": True, "tool_type": "function"}
        )
        for message in (
            {"type": "user_input", "text": "hi"},
            {"type": "tool_error", "tool_call_id": "1", "error": "late"},
            *[{"type": "audio_input", "data": "AAAA"}] * 5,
            {"type": "session_settings", "voice_id": "v"},
            {"type": "nonsense"},
        ):
            await chat.send_str(json.dumps(message))
        seen: set[str] = set()
        while "error" not in seen:
            event = codec.decode(ServerEvent, (await chat.receive_str()).encode())
            assert not isinstance(event, UnknownEvent)
            seen.add(event.type)
    assert seen == {
        "chat_metadata",
        "user_message",
        "tool_call",
        "assistant_message",
        "audio_output",
        "assistant_prosody",
        "assistant_end",
        "session_settings",
        "error",
    }


async def test_a_scripted_drop_closes_with_its_code_and_reason() -> None:
    async with FakeHume() as fake:
        fake.chat.drops.extend([None, Drop(after=0, code=1012, reason="restart")])
        async with chat_of(fake), chat_of(fake) as chat:
            await chat.receive()
            closed = await chat.receive()
            assert (closed.data, closed.extra) == (1012, "restart")


async def test_a_scripted_cut_ends_without_a_close_frame() -> None:
    async with FakeHume() as fake:
        fake.chat.drops.append(Drop(after=1))
        async with chat_of(fake) as chat:
            await chat.receive()
            await chat.send_str("{}")
            assert (await chat.receive()).type is aiohttp.WSMsgType.CLOSED


async def test_a_resumed_chat_is_in_the_same_group() -> None:
    async with FakeHume() as fake:
        async with chat_of(fake) as chat:
            first = await chat.receive_json()
        async with chat_of(fake, f"resumed_chat_group_id={first['chat_group_id']}") as chat:
            second = await chat.receive_json()
    assert second["chat_group_id"] == first["chat_group_id"]
    assert second["chat_id"] != first["chat_id"]


async def test_the_gateways_carry_no_sockets() -> None:
    async with FakeHume(dialect="gateway-recorded") as fake:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            async with chat_of(fake):
                pass
        assert caught.value.status == 404
        assert fake.chat.connections == []


_CALL = {"tool_call_id": "1", "name": "get_forecast", "parameters": "{}"}
