"""The connections of one chat, one after the other.

A `ReconnectingSocket` opens a connection, and a new one that resumes the chat group when it is
lost; it keeps what a new connection must begin with. No task runs behind it: whoever receives
also reconnects. Messages are bytes here; what they mean, the chat's socket above knows.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import anyio
from attrs import evolve

from humeai_async._base.urls import without_queries
from humeai_async.catalog import chat as catalog
from humeai_async.errors import APIConnectionError, ChatClosedError, ClientClosedError, HumeError
from humeai_async.http import codec
from humeai_async.http.endpoint import QueryValue, fill
from humeai_async.http.reconnect import Reconnection, describe, may_resume
from humeai_async.http.session import Session
from humeai_async.http.transport.websocket import LOST, NORMAL, Closed, Socket
from humeai_async.settings import Reconnect
from humeai_async.types.chat import PauseAssistantMessage, SessionSettings
from humeai_async.types.chat_settings import ConnectSettings, ContextType
from humeai_async.types.json import is_object

logger: logging.Logger = logging.getLogger("humeai_async.chat")

Opening = Callable[[], tuple[bytes, ...]]
"""Gives the messages that a connection begins with."""


class ReconnectingSocket:
    """A WebSocket that resumes its chat on a new connection when one is lost.

    Args:
        session: Opens the connections.
        query: Query of the handshake, without the settings.
        settings: Session settings to begin with.
        reconnect: When and how often to resume the chat; `None` for never.
    """

    def __init__(
        self,
        session: Session,
        query: Mapping[str, QueryValue],
        settings: ConnectSettings,
        reconnect: Reconnect | None,
    ) -> None:
        self.group_id: str | None = None
        """Chat group to resume, once it is known."""
        self.is_paused = False
        """Whether the assistant is to be silent."""
        self.end: Closed | None = None
        """How the chat ended."""
        self._session = session
        self._query = query
        self._settings = settings
        self._reconnection = Reconnection(reconnect, session)
        self._kept = remember({}, _without_handshake(settings))
        self._socket: Socket | None = None
        self._reconnecting: anyio.CancelScope | None = None

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection now, as far as is known."""
        return self._socket is not None and self.end is None

    @property
    def cause(self) -> HumeError | None:
        """Why it could not be resumed."""
        return self._reconnection.cause

    async def open(self) -> None:
        """Open the first connection.

        Raises:
            ChatClosedError: That was done before.
        """
        if self._reconnection.opened_at is not None or self.end is not None:
            raise ChatClosedError(
                "a chat can be opened only once; call connect again for another", close_code=None
            )
        # The key of a language model goes out as a message: URLs end up in logs.
        settings = evolve(self._settings, language_model_api_key=None)
        query = {**self._query, **dict(settings.to_query())}
        self._socket = await self._open(self._session, query, self._first_messages)

    async def receive(self) -> bytes | Closed:
        """Wait for the next message, on a new connection if need be; one task at a time.

        Returns:
            The message, or how the chat ended.

        Raises:
            ClientClosedError: The client was closed.
            ChatClosedError: The chat was never opened.
        """
        while True:
            if self.end is not None:
                await self.aclose()
                return self.end
            if self._reconnection.opened_at is None:
                raise _unopened()
            if self._socket is None:
                await self._reconnect()
                continue
            got = await self._socket.receive()
            if isinstance(got, bytes):
                return got
            self._on_closed(got)

    async def send(self, message: bytes) -> None:
        """Send a message.

        Raises:
            ChatClosedError: The chat is over, or was never opened.
            APIConnectionError: There is no connection at the moment, or it broke.
        """
        self.check_open()
        if self._socket is None:
            raise APIConnectionError("the connection was lost and has not been resumed yet")
        await self._socket.send(message)

    def check_open(self) -> None:
        """Refuse to send where nothing can be sent any more.

        Raises:
            ChatClosedError: The chat is over, or was never opened.
        """
        if self.end is not None:
            raise ChatClosedError(
                f"the chat is over ({describe(self.end)}); nothing was sent",
                close_code=self.end.code,
                reason=self.end.reason,
            )
        if self._reconnection.opened_at is None:
            raise _unopened()

    def keep(self, settings: Mapping[str, Any]) -> None:
        """Keep session settings for a new connection to begin with."""
        self._kept = remember(self._kept, settings)

    async def aclose(self) -> None:
        """End the chat and close the connection; a second call does nothing."""
        if self.end is None:
            self.end = Closed(NORMAL)
        if self._reconnecting is not None:
            self._reconnecting.cancel()
        socket, self._socket = self._socket, None
        if socket is not None:
            await socket.aclose()

    def _on_closed(self, closed: Closed) -> None:
        """Decide what the end of a connection means for the chat."""
        self._socket = None
        if self.end is not None:
            return
        if not self._reconnection.is_wanted or not may_resume(closed.code):
            reason = without_queries(self._session.redact(closed.reason))
            self.end = closed._replace(reason=reason)
            return
        logger.info("the chat's connection ended (%d), resuming", closed.code)
        self._reconnection.note_lost()

    async def _reconnect(self) -> None:
        """Resume the chat on a new connection; end it where that cannot help."""
        query = dict(self._query)
        if self.group_id is not None:
            query["resumed_chat_group_id"] = self.group_id

        async def reopen(session: Session) -> None:
            self._socket = await self._open(session, query, self._kept_messages)

        with anyio.CancelScope() as scope:
            # Closing the chat must not wait for this.
            self._reconnecting = scope
            try:
                reason = await self._reconnection.resume(self._session.pause, reopen)
            finally:
                self._reconnecting = None
            if reason is None:
                logger.info("the chat was resumed at try %d", self._reconnection.tries)
            elif isinstance(self.cause, ClientClosedError):
                self.end = Closed(LOST, "the client was closed")
                raise self.cause
            else:
                self.end = Closed(LOST, reason)

    async def _open(
        self, session: Session, query: Mapping[str, QueryValue], opening: Opening
    ) -> Socket:
        """Open a connection and send what must go first on it."""
        socket = await session.open_socket(fill(catalog.CHAT_CONNECT, query=query))
        try:
            sent: tuple[bytes, ...] = ()
            # Once more where another task changed the settings meanwhile.
            while sent != (due := opening()):
                for message in due:
                    await socket.send(message)
                sent = due
        except BaseException:
            await socket.aclose(wait=False)
            raise
        self._reconnection.note_opened()
        return socket

    def _first_messages(self) -> tuple[bytes, ...]:
        key = self._settings.language_model_api_key
        if key is None:
            return ()
        return (codec.encode(SessionSettings(language_model_api_key=key)),)

    def _kept_messages(self) -> tuple[bytes, ...]:
        messages: list[bytes] = []
        if self._kept:
            messages.append(codec.encode({"type": "session_settings", **self._kept}))
        if self.is_paused:
            messages.append(codec.encode(PauseAssistantMessage()))
        return tuple(messages)


def _without_handshake(settings: ConnectSettings) -> dict[str, Any]:
    plain: dict[str, Any] = codec.to_plain(settings)
    plain.pop("event_limit", None)
    return plain


def remember(kept: Mapping[str, Any], sent: Mapping[str, Any]) -> dict[str, Any]:
    """Merge session settings into those that a resumed chat will begin with.

    Args:
        kept: What earlier messages set.
        sent: The message that goes out now.

    Returns:
        What is set after it; a context that is for one message only is left out.
    """
    later = {name: value for name, value in sent.items() if name != "type"}
    context = later.get("context")
    if is_object(context) and context.get("type") in {None, ContextType.TEMPORARY}:
        del later["context"]
    return {**kept, **later}


def _unopened() -> ChatClosedError:
    return ChatClosedError(
        "the chat is not open: write `async with hume.chat.connect(...) as chat:`",
        close_code=None,
    )
