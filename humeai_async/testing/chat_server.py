"""The fake's EVI WebSocket: handshakes, connections, and what goes wrong with them.

Each connection is a `Conversation`, resumed groups included; scripted drops end it, with a
close code or without. The fake hands it every request to open a socket on the chat's path.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeAlias

from aiohttp import WSCloseCode, WSMsgType, web
from attrs import define, field, frozen

from humeai_async.testing.chats import ChatStore, FakeChat
from humeai_async.testing.conversation import Conversation
from humeai_async.testing.exchange import (
    Arrival,
    FakeResponse,
    Pairs,
    Record,
    Refusal,
    as_record,
    error_response,
)
from humeai_async.testing.upstream import UNKNOWN_KEY, Upstream

Respond: TypeAlias = Callable[[web.BaseRequest, FakeResponse], Awaitable[web.StreamResponse]]
"""Puts a response on the wire, with whatever goes wrong with it."""

CHAT_PATH = "/v0/evi/chat"
LARGEST_MESSAGE = 16 * 1024 * 1024
"""Bytes of one message, as Hume documents it."""


@frozen
class Drop:
    """How one connection ends before its time."""

    after: int = 1
    """Messages of the client before it happens; 0 is right after the first message to it. The
    last of them gets no reply."""
    code: int | None = None
    """Close code; `None` cuts the connection without a close frame."""
    reason: str = ""
    """Reason in the close frame."""
    first: Record | None = None
    """Message to send right before."""


@define
class FakeConnection:
    """One connection that the fake accepted; tests may read it."""

    query: Pairs
    headers: dict[str, str] = field(repr=False)
    """Names in lower case, credentials included."""
    chat: FakeChat
    received: list[Record] = field(factory=list[Record], repr=False)
    """Messages of the client that are JSON objects, in order."""
    close_code: int | None = None
    """Code with which the client closed it; `None` while it is open or if it was cut."""

    def types(self) -> list[str]:
        """Return the types of the messages received, in order."""
        return [str(message.get("type")) for message in self.received]

    def first(self, name: str) -> str | None:
        """Return the first value of a query field, or `None`."""
        return next((value for key, value in self.query if key == name), None)


class ChatServer:
    """All chat connections of one fake, and the script of what happens to them."""

    def __init__(self, upstream: Upstream) -> None:
        self.connections: list[FakeConnection] = []
        """Every connection accepted, in order."""
        self.drops: deque[Drop | None] = deque()
        """How the connections to come end, one each in order; `None` leaves one alone."""
        self.tool_calls: deque[Record] = deque()
        """Calls of tools to make before a reply, one for each turn; see `tool_call`."""
        self.frames: deque[str | bytes] = deque()
        """Frames to put in before the next responses, one each: what a bad server sends."""
        self.greetings: deque[str | bytes] = deque()
        """Frames in place of the first messages of the connections to come, one each."""
        self.open: int = 0
        """Connections that are open now."""
        self._upstream = upstream

    @property
    def _store(self) -> ChatStore:
        return self._upstream.evi.chats

    async def serve(
        self, request: web.BaseRequest, arrival: Arrival, respond: Respond
    ) -> web.StreamResponse:
        """Serve one request to open a WebSocket.

        Args:
            request: The handshake.
            arrival: The same, read.
            respond: Sends a response that is no handshake.
        """
        refusal = self._refuse(arrival)
        fault = self._upstream.faults.pick(arrival.method, arrival.path) if not refusal else None
        if fault is not None and fault.is_delay:
            await asyncio.sleep(fault.seconds or 0)
        elif fault is not None:
            refusal = FakeResponse(*fault.spoil(200, b"{}", {}), fault=fault)
        if refusal is not None:
            return await respond(request, refusal)
        socket = web.WebSocketResponse(max_msg_size=LARGEST_MESSAGE)
        await socket.prepare(request)
        connection = FakeConnection(arrival.query, dict(arrival.headers), self._begin(arrival))
        self.connections.append(connection)
        drop = self.drops.popleft() if self.drops else None
        async with self._counted(connection):
            await self._converse(request, socket, connection, drop)
        return socket

    def _refuse(self, arrival: Arrival) -> FakeResponse | None:
        """Return the response to a handshake that is refused."""
        if arrival.path != CHAT_PATH:
            return error_response(Refusal(404, f"No such path: {arrival.path}"))
        if not self._upstream.is_known_socket(arrival):
            return UNKNOWN_KEY
        if self._upstream.quota is not None:
            verdict = self._upstream.quota.take()
            if not verdict.allowed:
                response = error_response(Refusal(429, "Rate limit exceeded", "E0429"))
                return FakeResponse(429, response.body, {**response.headers, **verdict.headers})
        return self._refuse_config(arrival)

    def _refuse_config(self, arrival: Arrival) -> FakeResponse | None:
        """Refuse a config that is not there; how Hume does it is not documented."""
        wanted = arrival.first("config_id")
        try:
            if wanted:
                self._upstream.evi.configs.find(wanted, arrival.first("config_version"))
        except Refusal as refusal:
            return error_response(refusal)
        return None

    def _begin(self, arrival: Arrival) -> FakeChat:
        config_id = arrival.first("config_id")
        config = None
        if config_id:
            found = self._upstream.evi.configs.find(config_id, arrival.first("config_version"))
            config = {"id": config_id, "version": found["version"]}
        chat = self._store.add(
            group_id=arrival.first("resumed_chat_group_id"),
            status="ACTIVE",
            config=config,
            script=(),
        )
        chat.start_ms = self._store.now_ms()
        return chat

    @contextlib.asynccontextmanager
    async def _counted(self, connection: FakeConnection) -> AsyncGenerator[None]:
        """Count a connection as open, and write down how its chat ended."""
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1
            chat = connection.chat
            chat.status = "USER_ENDED" if connection.close_code == WSCloseCode.OK else "ERROR"
            chat.end_ms = self._store.now_ms()
            self._store.note(chat, "SYSTEM", "CHAT_END_MESSAGE", None)

    async def _converse(
        self,
        request: web.BaseRequest,
        socket: web.WebSocketResponse,
        connection: FakeConnection,
        drop: Drop | None,
    ) -> None:
        talk = Conversation(
            connection.chat,
            self._store,
            self.tool_calls,
            is_verbose=connection.first("verbose_transcription") == "true",
        )
        received = 0
        greeting = talk.greet()
        if self.greetings:
            await _send_frame(socket, self.greetings.popleft())
        else:
            await _send(socket, greeting)
        while drop is None or received < drop.after:
            message = await socket.receive()
            if message.type not in {WSMsgType.TEXT, WSMsgType.BINARY}:
                connection.close_code = socket.close_code
                return
            received += 1
            _note(connection, message.data)
            if drop is None or received < drop.after:
                await self._respond_to(socket, talk, message.data)
        connection.chat.status = "ERROR"
        if drop.first is not None:
            await _send(socket, [drop.first])
        if drop.code is not None:
            await socket.close(code=drop.code, message=drop.reason.encode())
        elif request.transport is not None:
            request.transport.abort()

    async def _respond_to(
        self, socket: web.WebSocketResponse, talk: Conversation, frame: str | bytes
    ) -> None:
        responses = talk.reply(frame)
        if responses and self.frames:
            await _send_frame(socket, self.frames.popleft())
        await _send(socket, responses)


def _note(connection: FakeConnection, frame: str | bytes) -> None:
    with contextlib.suppress(ValueError, RecursionError):
        record = as_record(json.loads(frame))
        if record is not None:
            connection.received.append(record)


async def _send_frame(socket: web.WebSocketResponse, frame: str | bytes) -> None:
    await (socket.send_str(frame) if isinstance(frame, str) else socket.send_bytes(frame))


async def _send(socket: web.WebSocketResponse, messages: list[Record]) -> None:
    for message in messages:
        await socket.send_str(json.dumps(message))
        # Lets a client's message in between two of ours, as a network would.
        await asyncio.sleep(0)
