"""What is no message is refused before anything is sent, with what to write instead."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from chat_support import chat_with

from humeai_async.chat.socket import ChatSocket
from humeai_async.errors import InvalidArgumentError
from humeai_async.testing import FakeHume

pytestmark = pytest.mark.anyio

Send = Callable[[Any], Awaitable[object]]

REFUSED: dict[str, tuple[Send, str, str]] = {
    "a number as text": (lambda chat: chat.send_text(5), "text", r"write str\(text\)"),
    "bytes as text": (lambda chat: chat.send_text(b"hi"), "text", r"text\.decode\(\)"),
    "an empty text": (lambda chat: chat.send_text(""), "text", "must not be empty"),
    "a list to speak": (lambda chat: chat.speak(["hi"]), "text", r"json\.dumps\(text\)"),
    "a dict as a tool's result": (
        lambda chat: chat.send_tool_response("call-1", {"sun": 1}),
        "content",
        r"json\.dumps\(content\)",
    ),
    "a number as a call's id": (
        lambda chat: chat.send_tool_response(7, "sunny"),
        "tool_call_id",
        "of type int",
    ),
    "an exception as a tool's error": (
        lambda chat: chat.send_tool_error("call-1", ValueError("no")),
        "error",
        r"write str\(error\)",
    ),
    "a number as an error's level": (
        lambda chat: chat.send_tool_error("call-1", "no", level=3),
        "level",
        "of type int",
    ),
    "base64 as audio": (lambda chat: chat.send_audio("UklG"), "audio", "AudioInput"),
    "samples as audio": (lambda chat: chat.send_audio([0.5]), "audio", r"audio\.tobytes\(\)"),
    "no audio": (lambda chat: chat.send_audio(b""), "audio", "must not be empty"),
    "a number as settings": (lambda chat: chat.send_settings(5), "settings", "SessionSettings"),
    "a text as an event": (lambda chat: chat.send("hello"), "event", "UserInput"),
    "an event without a type": (lambda chat: chat.send({}), "event", "user_input"),
    "an event with an odd key": (
        lambda chat: chat.send({"type": "x", (1, 2): 3}),
        "event",
        "cannot be written as JSON",
    ),
    "half a character": (lambda chat: chat.send_text("\ud83d"), "event", "surrogates"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_is_no_message_is_refused_with_what_to_write(case: str) -> None:
    send, field, advice = REFUSED[case]
    async with FakeHume() as fake, chat_with(fake) as chat:
        with pytest.raises(InvalidArgumentError, match=advice) as caught:
            await send(chat)
        assert caught.value.field == field
        await chat.aclose()
        assert fake.chat.connections[0].received == []


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
async def test_audio_may_be_whatever_holds_bytes(kind: type) -> None:
    async with FakeHume() as fake, chat_with(fake) as chat:
        assert await ChatSocket.send_audio(chat, kind(b"\x00\xff"))
        await chat.aclose()
        assert fake.chat.connections[0].received == [{"type": "audio_input", "data": "AP8="}]
