"""Messages of sessions as they come: also those of which only a part can be read.

A message is what its `type` says, whatever else it holds: a session that began or ended has done
so, though its settings or counts are of a form that nobody knew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from humeai_async._base.cancellation import time_limit
from humeai_async.errors import APITimeoutError, DecodeError
from humeai_async.expression.endings import refusal_of
from humeai_async.http import codec
from humeai_async.http.endpoint import Endpoint, fill
from humeai_async.http.session import Session
from humeai_async.http.transport.websocket import Closed, MediaSocket
from humeai_async.types.expression_messages import ClientMessage, SessionCreated, SessionError
from humeai_async.types.json import is_object

M = TypeVar("M")

FIRST_MESSAGE_WAIT = 30.0
"""Seconds to wait for the first message of a session, where the client has no total timeout."""
_DECISIVE = {
    "session.created": ("session_id",),
    "session.closed": ("session_id", "reason"),
    "error": ("code", "message"),
}
"""Of the messages that decide what becomes of a session, the members that decide it."""


def read_message(kind: type[M], data: bytes) -> M:
    """Read a message.

    Args:
        kind: The messages of a product.
        data: The message.

    Raises:
        DecodeError: It cannot be read, nor what it means for the session.
    """
    try:
        return codec.decode(kind, data)
    except DecodeError as problem:
        found, failure = _object_of(data), problem
    type_ = found.get("type")
    members = _DECISIVE.get(type_) if isinstance(type_, str) else None
    if members is None:
        raise failure
    texts = {name: found[name] for name in members if isinstance(found.get(name), str)}
    return codec.structure(kind, {"type": type_, **texts})


def is_result(data: bytes) -> bool:
    """Whether a message, which cannot be read, is the result of a frame."""
    return _object_of(data).get("type") == "measurement.result"


def _object_of(data: bytes) -> Mapping[str, Any]:
    try:
        found = codec.parse(data)
    except DecodeError:
        return {}
    return found if is_object(found) else {}


async def open_session(
    session: Session,
    endpoint: Endpoint[Any],
    update: ClientMessage | None,
    take: Callable[[Any], object],
) -> tuple[MediaSocket, SessionCreated]:
    """Open a connection, wait for the first message, and send the settings.

    Args:
        session: Opens the connection.
        endpoint: The socket.
        update: The settings, if any differ from the service's own.
        take: Called with each message that comes before the session, or the error for one that
            cannot be read: they are messages as any other.
    """
    socket = cast("MediaSocket", await session.open_socket(fill(endpoint)))
    try:
        created = await _first_message(socket, endpoint, session.timeout.total, take)
        if update is not None:
            await socket.send(codec.encode(update))
    except BaseException:
        await socket.aclose(wait=False)
        raise
    return socket, created


async def _first_message(
    socket: MediaSocket,
    endpoint: Endpoint[Any],
    total: float | None,
    take: Callable[[Any], object],
) -> SessionCreated:
    error: SessionError | None = None
    unreadable: DecodeError | None = None
    async with time_limit(FIRST_MESSAGE_WAIT if total is None else total):
        while not isinstance(got := await socket.receive(), Closed):
            try:
                message: Any = read_message(endpoint.returns, got)
            except DecodeError as problem:
                message = unreadable = problem
            if isinstance(message, SessionCreated):
                return message
            if isinstance(message, SessionError):
                error = message
            take(message)
        raise refusal_of(got, error) from unreadable
    raise APITimeoutError("the service opened a socket and no session on it") from unreadable
