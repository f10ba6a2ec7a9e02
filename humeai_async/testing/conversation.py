"""One conversation of the fake's EVI: messages in, messages out.

It checks what comes by the published schema, responses texts and sound, calls scripted tools,
keeps silent while it is paused, and keeps the history. It knows no socket; the chat
server feeds it.
"""

from __future__ import annotations

import base64
import binascii
import json
import struct
from collections import deque
from typing import Any

from humeai_async.testing.chats import ChatStore, FakeChat
from humeai_async.testing.exchange import Record, as_record
from humeai_async.testing.scores import EXPRESSIONS, scores

TURN = 5
"""Audio messages that make one turn of speech."""
PIECES = 2
"""Audio messages of one reply."""
LARGEST_AUDIO = 1 << 20
"""Bytes of one audio message from which on it counts as a whole recording."""

_RATE = 48_000
_SAMPLES = 480
_PIECE_MS = 20
_TEXTS = {
    "user_input": ("text",),
    "assistant_input": ("text",),
    "audio_input": ("data",),
    "tool_response": ("tool_call_id", "content"),
    "tool_error": ("tool_call_id", "error"),
    "pause_assistant_message": (),
    "resume_assistant_message": (),
    "session_settings": (),
}
"""Types of messages that clients send, and the texts that each must hold."""


class Conversation:
    """What the fake says in one chat.

    Args:
        chat: Where it is written down.
        store: Writes it down.
        tool_calls: Calls to make, one for each turn; shared by all conversations.
        is_verbose: Whether interim transcripts are sent.
    """

    def __init__(
        self, chat: FakeChat, store: ChatStore, tool_calls: deque[Record], *, is_verbose: bool
    ) -> None:
        self.settings: Record = {}
        """Session settings as the client set them."""
        self._chat = chat
        self._store = store
        self._tool_calls = tool_calls
        self._is_verbose = is_verbose
        self._is_paused = False
        self._unreplied: str | None = None
        self._awaited_call: str | None = None
        self._heard = 0
        self._messages = 0

    def greet(self) -> list[Record]:
        """Return the first messages."""
        self._store.note(self._chat, "SYSTEM", "CHAT_START_MESSAGE", None)
        return self._stamp(
            {
                "type": "chat_metadata",
                "chat_group_id": self._chat.group_id,
                "chat_id": self._chat.id,
                "request_id": f"req-{self._chat.id[:8]}",
            }
        )

    def reply(self, frame: str | bytes) -> list[Record]:
        """Return what one message of the client brings about."""
        try:
            message = as_record(json.loads(frame))
        except (ValueError, RecursionError):
            return self._stamp(error("E0100", "invalid_json", "The payload is not valid JSON"))
        kind = message.get("type") if message is not None else None
        needed = _TEXTS.get(kind) if isinstance(kind, str) else None
        if message is None or needed is None:
            return self._stamp(error("E0101", "unknown_type", "The type of the message is unknown"))
        for name in needed:
            if not isinstance(message.get(name), str):
                return self._stamp(error("E0101", "missing_field", f"{kind} needs {name}"))
        return self._stamp(*self._act(str(kind), message))

    def _act(self, kind: str, message: Record) -> list[Record]:
        if kind == "session_settings":
            return self._set(message)
        if kind == "audio_input":
            return self._hear(message["data"])
        if kind == "user_input":
            return [
                self._user_message(message["text"], from_text=True),
                *self._reply_to(message["text"]),
            ]
        if kind == "assistant_input":
            return self._say(message["text"], from_text=True)
        if kind in {"tool_response", "tool_error"}:
            return self._go_on(message)
        self._is_paused = kind == "pause_assistant_message"
        self._store.note(
            self._chat, "SYSTEM", "PAUSE_ONSET" if self._is_paused else "RESUME_ONSET", None
        )
        return [] if self._is_paused else self._catch_up()

    def _set(self, message: Record) -> list[Record]:
        self.settings.update({name: value for name, value in message.items() if name != "type"})
        self._store.note(self._chat, "SYSTEM", "SESSION_SETTINGS", json.dumps(self.settings))
        shown = {k: v for k, v in message.items() if k != "language_model_api_key"}
        return [shown]

    def _hear(self, data: str) -> list[Record]:
        try:
            sound = base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            return [error("E0201", "invalid_base64", "The audio is not valid base64")]
        if len(sound) > LARGEST_AUDIO:
            return [error("E0723", "whole_file", "Audio must come in pieces, as it is spoken")]
        self._heard += 1
        turn, piece = divmod(self._heard, TURN)
        text = f"spoken turn {turn}"
        if piece == 1 and self._is_verbose:
            return [self._user_message("spoken", from_text=False, interim=True)]
        if piece:
            return []
        return [self._user_message(text, from_text=False), *self._reply_to(text)]

    def _reply_to(self, text: str) -> list[Record]:
        """Reply to a turn of the user: with words, with the call of a tool, or not yet."""
        if self._is_paused:
            self._unreplied = text
            return []
        if self._tool_calls:
            call = self._tool_calls.popleft()
            self._awaited_call, self._unreplied = call["tool_call_id"], text
            self._store.note(self._chat, "AGENT", "FUNCTION_CALL", call["parameters"])
            return [call]
        return self._say(f"You said: {text}")

    def _go_on(self, message: Record) -> list[Record]:
        """Take the result of a tool, and reply with it."""
        if message["tool_call_id"] != self._awaited_call:
            return [error("E0101", "unknown_tool_call", "No such call of a tool is open")]
        self._awaited_call = None
        result = message.get("content") or message.get("error")
        self._store.note(self._chat, "TOOL", "FUNCTION_CALL_RESPONSE", str(result))
        self._unreplied = None
        return self._say(f"The tool says: {result}")

    def _catch_up(self) -> list[Record]:
        text, self._unreplied = self._unreplied, None
        return [] if text is None else self._reply_to(text)

    def _user_message(self, text: str, *, from_text: bool, interim: bool = False) -> Record:
        if not interim:
            self._store.note(self._chat, "USER", "USER_MESSAGE", text)
        end = 0 if from_text else self._heard * _PIECE_MS
        return {
            "type": "user_message",
            "message": {"role": "user", "content": text},
            "models": {"prosody": None if from_text or interim else self._prosody("user", end)},
            "time": {"begin": max(0, end - TURN * _PIECE_MS), "end": end},
            "from_text": from_text,
            "interim": interim,
            "language": None if from_text else "en",
        }

    def _say(self, text: str, *, from_text: bool = False) -> list[Record]:
        self._messages += 1
        name = f"{self._chat.id}-message-{self._messages}"
        self._store.note(self._chat, "AGENT", "AGENT_MESSAGE", text)
        return [
            {
                "type": "assistant_message",
                "id": name,
                "message": {"role": "assistant", "content": text},
                "models": {"prosody": None},
                "from_text": from_text,
                "is_quick_response": False,
                "language": "en",
            },
            *(
                {"type": "audio_output", "id": name, "index": index, "data": _WAV}
                for index in range(PIECES)
            ),
            {
                "type": "assistant_prosody",
                "id": name,
                "models": {"prosody": self._prosody("assistant", self._messages)},
            },
            {"type": "assistant_end"},
        ]

    def _prosody(self, who: str, number: int) -> Record:
        named = scores(EXPRESSIONS, self._chat.id, who, number)
        return {"scores": {score["name"]: score["score"] for score in named}}

    def _stamp(self, *messages: Record) -> list[Record]:
        """Put the client's own session id on messages."""
        own: Any = self.settings.get("custom_session_id")
        return [{**message, "custom_session_id": own} if own else message for message in messages]


def error(code: str, slug: str, message: str) -> Record:
    """Return an error message of the socket."""
    return {"type": "error", "code": code, "slug": slug, "message": message}


def tool_call(name: str, parameters: Record, *, id: str = "call-1") -> Record:
    """Return a message that asks the client to run a tool."""
    return {
        "type": "tool_call",
        "tool_call_id": id,
        "name": name,
        "parameters": json.dumps(parameters),
        "response_required": True,
        "tool_type": "function",
    }


def _silence() -> str:
    """Write 10 ms of silence as a WAV file at 48 kHz, in Base64."""
    data = bytes(2 * _SAMPLES)
    head = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 1, 1, _RATE, 2 * _RATE, 2, 16),
        *(b"data", len(data)),
    )
    return base64.b64encode(head + data).decode("ascii")


_WAV = _silence()
