"""`ChatSocket`: one conversation with EVI, as typed events out and in.

It puts types on the messages that a `ReconnectingSocket` carries, keeps the chat's ids, and
says how the chat ended. It knows neither URLs nor credentials nor aiohttp; `chat.connect` makes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, cast

import anyio

from humeai_async._base.advised import AsyncOnly
from humeai_async._base.secret import call_without_frames
from humeai_async.chat.arguments import check_audio, check_filled, check_str, wrong_type
from humeai_async.chat.connections import ReconnectingSocket
from humeai_async.errors import (
    APIConnectionError,
    ChatClosedError,
    HumeError,
    InvalidArgumentError,
)
from humeai_async.http import codec
from humeai_async.http.parts import check_keys
from humeai_async.http.reconnect import describe
from humeai_async.http.transport.websocket import LARGEST_MESSAGE, NO_CODE, NORMAL, Closed
from humeai_async.types.chat import (
    AnyServerEvent,
    AssistantInput,
    AudioInput,
    ChatMetadata,
    ClientEvent,
    PauseAssistantMessage,
    ResumeAssistantMessage,
    ServerEvent,
    SessionSettings,
    ToolErrorMessage,
    ToolResponseMessage,
    UserInput,
    WebSocketError,
)
from humeai_async.types.json import is_object

if TYPE_CHECKING:
    from humeai_async.types.dicts import SessionSettingsDict

_SETTINGS = "session_settings"
_CLEAN = frozenset({NORMAL, NO_CODE})
"""Close codes of a chat that ended in good order."""

_ENDINGS = frozenset({"E0714", "E0715", "I0116"})
"""Codes of the error events that end a chat: nobody spoke, it lasted too long, its
transcription failed. The socket then closes with code 1000."""


class ChatSocket(AsyncOnly):
    """A chat with EVI: send on it, iterate over it.

    ```python
    async with hume.chat.connect(config_id="...") as chat:
        await chat.send_text("Will it rain in Porto tomorrow?")
        async for event in chat:
            match event:
                case AssistantMessage():
                    print(event.message.content)
                case AudioOutput():
                    play(event.audio)
                case AssistantEnd():
                    break
    ```

    Tasks may send while another one iterates. The iteration ends when the chat does in good
    order, by either side or by an error event that ends it (which is delivered first); any
    other end raises `ChatClosedError`. A message that is not what Hume promises raises
    `DecodeError`; the chat is still open then, and a new `async for` goes on after it.

    When the connection is lost the iteration waits, resumes the chat group, and goes on with
    a new `ChatMetadata` event. Until then audio is dropped (`send_audio` returns `False`),
    settings and pauses are kept and go out first on the new connection, and all else raises
    `APIConnectionError`. What was under way when the connection broke may be lost. Only the
    iteration notices a lost connection and resumes it.

    Up to 16 MiB of events are read ahead of the iteration, each counted with 128 bytes on top
    of its text. Beyond that the server has to wait, for as long as it takes: a slow
    consumer never loses a healthy connection.

    Args:
        connections: Carries the messages.
    """

    _instead = (
        "write `async with hume.chat.connect(...) as chat:`, and in it `async for event in chat:`"
    )

    def __init__(self, connections: ReconnectingSocket) -> None:
        self.chat_id: str | None = None
        """Chat UUID; known once the first event, `ChatMetadata`, was read."""
        self.chat_group_id: str | None = None
        """Conversation; give it as `resumed_chat_group_id` to go on with it later."""
        self._connections = connections
        self._reading = anyio.Lock()

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection now, as far as is known."""
        return self._connections.is_connected

    @property
    def close_code(self) -> int | None:
        """Code with which the chat ended; `None` while it goes on."""
        return None if self._connections.end is None else self._connections.end.code

    @property
    def close_reason(self) -> str:
        """Reason with which the chat ended, or empty."""
        return "" if self._connections.end is None else self._connections.end.reason

    async def __aenter__(self) -> Self:
        await self._connections.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> AnyServerEvent:
        async with self._reading:
            got = await self._connections.receive()
            if isinstance(got, Closed):
                raise self._ended(got)
            return self._take(got)

    async def send(self, event: ClientEvent | Mapping[str, Any]) -> None:
        """Send any message to EVI.

        Args:
            event: The message, or a dict with its `type` and fields.

        Raises:
            InvalidArgumentError: It is no message, has no type, cannot be written as JSON, or
                is over 16 MiB.
            ChatClosedError: The chat is over, or not open yet.
            APIConnectionError: There is no connection at the moment, or it broke.
            APITimeoutError: The server did not take the message within 30 seconds.
        """
        written = call_without_frames(_write, event)
        del event  # so that no traceback shows a language model's key
        if isinstance(written, HumeError):
            raise written
        kind, message = written
        if len(message) > LARGEST_MESSAGE:
            raise InvalidArgumentError(
                f"the message has {len(message)} bytes; {LARGEST_MESSAGE} are allowed",
                field="event",
            )
        self._connections.check_open()
        if kind == _SETTINGS:
            self._connections.keep(codec.parse(message))
            if not self.is_connected:
                return
        await self._connections.send(message)

    async def send_text(self, text: str) -> None:
        """Say something as the user, in writing.

        Args:
            text: What the user says; not empty.
        """
        check_filled("text", text)
        await self.send(UserInput(text=text))

    async def speak(self, text: str) -> None:
        """Have the assistant say something word for word.

        Args:
            text: What it says; not empty.
        """
        check_filled("text", text)
        await self.send(AssistantInput(text=text))

    async def send_audio(self, audio: bytes) -> bool:
        """Say something as the user, as sound.

        Args:
            audio: About 20 ms of sound, at speaking pace: Hume refuses whole recordings. Raw
                audio needs its format in the session settings first; containers do not.

        Returns:
            Whether it was sent: sound is dropped while the connection is being resumed, for
            it would come too late.

        Raises:
            InvalidArgumentError: It is empty, or not bytes.
        """
        audio = check_audio(audio)
        self._connections.check_open()
        if not self.is_connected:
            return False
        try:
            await self.send(AudioInput.from_bytes(audio))
        except APIConnectionError:
            return False
        return True

    async def send_settings(self, settings: SessionSettings | SessionSettingsDict) -> None:
        """Change the running session.

        Args:
            settings: What changes; the rest stays. Kept for resumptions, all but a context
                for one message only.

        Raises:
            InvalidArgumentError: A dict has a key that there is not.
        """
        if isinstance(settings, Mapping):
            check_keys("settings", settings, SessionSettings)
            await self.send({**settings, "type": _SETTINGS})
            return
        if not isinstance(cast("object", settings), SessionSettings):
            raise wrong_type("settings", settings, "a SessionSettings or a dict of its fields")
        await self.send(settings)

    async def send_tool_response(self, tool_call_id: str, content: str) -> None:
        """Reply to a `ToolCallMessage` with the tool's result.

        Args:
            tool_call_id: Id from the call.
            content: The result, for the language model.
        """
        check_filled("tool_call_id", tool_call_id)
        check_str("content", content)
        await self.send(ToolResponseMessage(tool_call_id=tool_call_id, content=content))

    async def send_tool_error(
        self,
        tool_call_id: str,
        error: str,
        *,
        content: str | None = None,
        code: str | None = None,
        level: str | None = None,
    ) -> None:
        """Reply to a `ToolCallMessage` with the tool's failure.

        Args:
            tool_call_id: Id from the call.
            error: What went wrong, for developers.
            content: What went wrong, for the language model.
            code: Code of the error.
            level: How bad it is: `warn`.
        """
        check_filled("tool_call_id", tool_call_id)
        check_str("error", error)
        for name, value in {"content": content, "code": code, "level": level}.items():
            if value is not None:
                check_str(name, value)
        await self.send(
            ToolErrorMessage(
                tool_call_id=tool_call_id, error=error, content=content, code=code, level=level
            )
        )

    async def pause(self) -> None:
        """Keep the assistant from replying until `resume`; it goes on listening."""
        await self._set_paused(PauseAssistantMessage(), is_paused=True)

    async def resume(self) -> None:
        """Let the assistant reply again."""
        await self._set_paused(ResumeAssistantMessage(), is_paused=False)

    async def aclose(self) -> None:
        """End the chat and close the connection; a second call does nothing."""
        await self._connections.aclose()

    async def _set_paused(self, event: ClientEvent, *, is_paused: bool) -> None:
        self._connections.check_open()
        self._connections.is_paused = is_paused
        if self.is_connected:
            await self.send(event)

    def _take(self, message: bytes) -> AnyServerEvent:
        """Read one message, and learn from it what resuming will need."""
        event = cast("AnyServerEvent", codec.decode(ServerEvent, message))
        if isinstance(event, ChatMetadata):
            self.chat_id, self.chat_group_id = event.chat_id, event.chat_group_id
            self._connections.group_id = event.chat_group_id
        elif isinstance(event, WebSocketError) and event.code in _ENDINGS:
            self._connections.end = Closed(NORMAL, event.slug)
        return event

    def _ended(self, end: Closed) -> Exception:
        """Return what the iteration over a chat that is over ends with."""
        if end.code in _CLEAN:
            return StopAsyncIteration()
        error = ChatClosedError(
            f"the chat was closed: {describe(end)}", close_code=end.code, reason=end.reason
        )
        error.__cause__ = self._connections.cause
        return error

    def __repr__(self) -> str:
        state = "open" if self.close_code is None else f"closed: {self.close_code}"
        return f"ChatSocket(chat_id={self.chat_id!r}, {state})"


def _write(event: ClientEvent | Mapping[str, Any]) -> tuple[str, bytes]:
    """Return a message's type and its JSON text."""
    try:
        message = codec.encode_request(event)
    except InvalidArgumentError as problem:
        reason = problem.message
    else:
        plain = codec.parse(message)
        if not is_object(plain):
            raise wrong_type("event", event, "a message such as UserInput, or a dict with a type")
        if isinstance(kind := plain.get("type"), str):
            return kind, message
        reason = 'a message needs a type, such as {"type": "user_input", ...}'
    raise InvalidArgumentError(f"the message was not sent: {reason}", field="event")
