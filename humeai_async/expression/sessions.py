"""One session of Expression Measurement: messages out and in, and connections one after another.

`ExpressionSession` opens a socket, and a new one when it is lost; no task runs behind it: whoever
receives also reconnects, and whoever sends waits meanwhile, or does it where nobody receives. What
media are, the audio and video sessions know.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import Any, Generic, Self, TypeVar, cast

import anyio

from humeai_async._base.cancellation import time_limit
from humeai_async.errors import (
    APIConnectionError,
    APITimeoutError,
    DecodeError,
    HumeError,
    SessionClosedError,
)
from humeai_async.expression import endings
from humeai_async.expression.messages import open_session, read_message
from humeai_async.http import codec
from humeai_async.http.endpoint import Endpoint
from humeai_async.http.reconnect import Reconnection
from humeai_async.http.session import Session
from humeai_async.http.transport.websocket import LOST, NORMAL, Closed, MediaSocket
from humeai_async.settings import Reconnect
from humeai_async.types.expression_messages import (
    AnyAudioMessage,
    AnyVideoMessage,
    ClientMessage,
    CloseReason,
    SessionClose,
    SessionClosed,
    SessionError,
    SessionResumed,
)

M = TypeVar("M", AnyAudioMessage, AnyVideoMessage)

logger: logging.Logger = logging.getLogger("humeai_async.expression")

CLOSE_WAIT = 30.0
"""Seconds to wait for what is due when a session is closed."""


class ExpressionSession(Generic[M]):
    """What audio and video sessions share: async context manager and async iterator.

    The iteration ends with the session. It raises `SessionClosedError` where the service ended it
    for an error, or the connection was lost for good. A message that cannot be read raises
    `DecodeError`; a new `async for` goes on after it.

    Args:
        session: Opens the connections.
        endpoint: The socket.
        update: Settings, sent first on each connection.
        reconnect: When and how often to open a lost session anew; `None` for never.
    """

    def __init__(
        self,
        session: Session,
        endpoint: Endpoint[Any],
        update: ClientMessage | None,
        reconnect: Reconnect | None,
    ) -> None:
        self.session_id: str | None = None
        """Id of the session that is open, which is also its run's."""
        self.run_ids: list[str] = []
        """Ids of all sessions, in order."""
        self.report: endings.SessionReport = endings.SessionReport()
        """What became of the frames."""
        self.remaining: list[M] = []
        """Messages that came while the session was closed, and that nobody had asked for."""
        self._session = session
        self._endpoint: Endpoint[Any] = endpoint
        self._update = update
        self._reconnection = Reconnection(reconnect, session)
        self._socket: MediaSocket | None = None
        self._broken: MediaSocket | None = None
        """The socket that took no more, which ends it."""
        self._notes: deque[M | HumeError] = deque()
        """What comes before the next message: notes, and what came while nobody received."""
        self._end: Closed | None = None
        self._error: SessionError | None = None
        self._passed: SessionError | None = None
        """An error after which the session went on."""
        self._was_closed = False
        self._is_finished = self._is_left = False
        self._reading = anyio.Lock()
        self._sending = anyio.Lock()
        self._change = anyio.Event()

    @property
    def is_over(self) -> bool:
        """Whether nothing more can be sent or received."""
        return self._end is not None

    async def __aenter__(self) -> Self:
        if self.report.connections:
            raise SessionClosedError("a session can be opened only once; connect again")
        await self._open(self._session)
        return self

    async def __aexit__(self, _: object, problem: BaseException | None, __: object) -> None:
        await self.aclose(wait=problem is None)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> M:
        if not self.report.connections:
            raise SessionClosedError("the session is not open: enter it with `async with` first")
        try:
            async with self._reading:
                return await self._next_message()
        finally:
            self._notify()  # whoever waits for another socket may have to receive now

    async def _next_message(self) -> M:
        """Wait for the next message, and reconnect meanwhile; one task at a time."""
        while True:
            if self._notes:
                note = self._notes.popleft()
                if isinstance(note, HumeError):
                    raise note
                return note
            if self._end is not None:
                raise self._ended(self._end)
            message = await self._step()
            if message is not None:
                return message

    async def _step(self) -> M | None:
        """Do the next thing that is due: open the session anew, or receive."""
        socket = self._socket
        if socket is None:
            await self._reconnect()
            return None
        got = await socket.receive()
        if isinstance(got, Closed):
            is_broken = self._broken is socket
            await self._on_closed(Closed(LOST, "it took nothing more") if is_broken else got)
            return None
        try:
            message: M = read_message(self._endpoint.returns, got)
        except DecodeError:
            self._pass_over(got)
            raise
        return self._receive(message)

    async def _until_replaced(self, socket: MediaSocket | None) -> None:
        """Wait until there is another socket than this one, or the end."""
        while self._socket is socket and self._end is None:
            await self._wait_for_change()

    async def _wait_for_change(self) -> None:
        """Wait until something happened to the session.

        Where nobody receives, this does: what comes is kept for whoever does so later.
        """
        if self._reading.locked():
            await self._change.wait()
            return
        async with self._reading:
            try:
                message = await self._step()
            except DecodeError as problem:
                self._notes.append(problem)
            else:
                if message is not None:
                    self._notes.append(message)

    async def finish(self) -> None:
        """Say that no more media come; what was sent is measured, then the iteration ends.

        Raises:
            SessionClosedError: The session is over.
        """
        async with self._sending:
            while not self._is_finished:
                socket = await self._connected()
                await self._flush()
                if self._socket is not socket:
                    continue  # lost meanwhile
                try:
                    await socket.send(codec.encode(SessionClose()))
                except APIConnectionError as problem:
                    if isinstance(problem, APITimeoutError):
                        await self._cut(socket)
                    await self._until_replaced(socket)
                # Where the connection was lost meanwhile, the next one is to be closed.
                self._is_finished = self._socket is socket or self._end is not None

    async def aclose(self, *, wait: bool = True) -> None:
        """End the session; a second call does nothing.

        Args:
            wait: Whether to wait for what is due, for 30 seconds at most. It is then in
                `remaining`.
        """
        is_orderly = False
        try:
            if wait and self._end is None and self._socket is not None:
                async with time_limit(CLOSE_WAIT), anyio.create_task_group() as tasks:
                    tasks.start_soon(self._close_orderly)
                    await self._receive_rest()
            is_orderly = wait
        finally:
            if self._end is None:
                self._is_left = True
                self._end_with(Closed(NORMAL))
            socket, self._socket = self._socket, None
            if socket is not None:
                await socket.aclose(wait=is_orderly)

    async def _close_orderly(self) -> None:
        try:
            await self.finish()
        except HumeError as problem:
            logger.debug("the session was not closed in good order: %s", problem)

    async def _receive_rest(self) -> None:
        while True:
            try:
                async for message in self:
                    self.remaining.append(message)
            except DecodeError as problem:  # it costs no message behind it
                logger.debug("a message was left out at the end: %s", problem)
            except HumeError as problem:
                logger.debug("the session did not end in good order: %s", problem)
                return
            else:
                return

    async def _flush(self) -> None:
        """Send what is held back; nobody else sends meanwhile."""

    def _translate(self, message: M) -> M | None:
        """Read a message of the product; `None` for one that is not handed out."""
        raise NotImplementedError

    def _pass_over(self, data: bytes) -> None:
        """Account for a message that cannot be read."""

    def _resume(self, note: SessionResumed) -> SessionResumed:
        """Decide what is sent again on a new connection, and note it."""
        raise NotImplementedError

    async def _open(self, session: Session) -> None:
        """Open a connection, and take it where the session still wants one."""
        socket, created = await open_session(
            session, self._endpoint, self._update, self._notes.append
        )
        if self._end is not None:  # closed meanwhile
            await socket.aclose(wait=False)
            return
        self.report.connections += 1
        self._reconnection.note_opened()
        previous, self.session_id = self.session_id, created.session_id
        if created.session_id is not None:
            self.run_ids.append(created.session_id)
        if self.report.connections == 1:
            self._notes.appendleft(cast("M", created))
        else:
            note = SessionResumed(session_id=self.session_id, previous_session_id=previous)
            self._notes.append(cast("M", self._resume(note)))
        self._socket = socket
        self._was_closed = False
        self._notify()

    def _receive(self, message: M) -> M | None:
        """Learn from a message, whatever the product."""
        known: object = message
        if isinstance(known, SessionError):
            if known.retryable is False or known.code in endings.ENDING:
                self._error = known
        elif isinstance(known, SessionClosed):
            self._was_closed = True
            if known.reason == CloseReason.ERROR and self._error is None:
                self._error = self._passed or endings.UNTOLD
            self._count(known)
            if self._may_reopen(known):
                return None
            self._end_with(Closed(NORMAL, str(known.reason or "")))
            return message
        elif self._error is not None and self._error.code not in endings.ENDING:
            self._passed, self._error = self._error, None  # the session goes on
        return self._translate(message)

    def _count(self, closed: SessionClosed) -> None:
        """Note what the service says it took."""

    def _account_for_rest(self) -> None:
        """Count what the end of the session leaves without a result."""

    def _end_with(self, end: Closed) -> None:
        """End the session for good."""
        self._end = end
        self._account_for_rest()
        self._notify()

    def _may_reopen(self, closed: Closed | SessionClosed) -> bool:
        if not self._reconnection.is_wanted or self._is_finished:
            return False
        return endings.may_reopen(
            closed,
            self._error,
            was_closed=self._was_closed,
            resumes_failures=self._resumes_failures,
        )

    async def _on_closed(self, closed: Closed) -> None:
        """Decide what the end of a connection means."""
        socket, self._socket = self._socket, None
        # Before the first await: whoever is cancelled there has found out all the same.
        if self._end is None and not self._may_reopen(closed):
            self._end_with(closed._replace(reason=self._session.redact(closed.reason)))
        elif self._end is None:
            self._reconnection.note_lost()
            self._error = self._passed = None
        self._notify()
        if socket is not None:
            await socket.aclose(wait=False)

    _resumes_failures = True
    """Whether a session that ended with `internal_error` is opened anew."""

    async def _reconnect(self) -> None:
        """Open the session anew; end it where that cannot help."""
        reason = await self._reconnection.resume(self._pause, self._reopen)
        if reason is not None:
            self._end_with(Closed(LOST, reason))

    async def _reopen(self, session: Session) -> None:
        if self._end is None:
            await self._open(session)

    async def _pause(self, seconds: float) -> None:
        """Wait, but no longer than the session is open, and the client."""
        with self._session.until_closed():
            async with time_limit(seconds):
                while self._end is None:
                    await self._change.wait()

    async def _connected(self) -> MediaSocket:
        """Wait until there is a connection.

        Raises:
            SessionClosedError: The session is over.
        """
        if not self.report.connections:
            raise SessionClosedError("the session is not open: enter it with `async with` first")
        await self._until_replaced(None)
        if self._end is not None:
            raise endings.error_for_sender(self._end, self._error)
        if self._is_finished or self._socket is None:
            raise SessionClosedError("the session was finished; nothing was sent")
        return self._socket

    async def _send_media(self, socket: MediaSocket, data: bytes) -> bool:
        """Send a frame, and say whether it went out."""
        self.report.sent += 1  # before: a cancelled call has sent it too
        try:
            await socket.send_binary(data)
        except APIConnectionError as problem:
            self.report.sent -= 1
            if isinstance(problem, APITimeoutError):
                await self._cut(socket)
            return False
        return True

    async def _cut(self, socket: MediaSocket) -> None:
        """Let go of a connection that takes nothing more."""
        self._broken = socket
        await socket.aclose(wait=False)

    def _notify(self) -> None:
        """Wake whoever waits for another connection, or for the end."""
        change, self._change = self._change, anyio.Event()
        change.set()

    def _ended(self, end: Closed) -> Exception:
        # A close in good order has a last message, unless it was asked for.
        is_asked = self._is_left or (self._is_finished and end.code == NORMAL)
        if self._error is None and (self._was_closed or is_asked):
            return StopAsyncIteration()
        error = endings.error_for_receiver(end, self._error, self.report.lost)
        error.__cause__ = self._reconnection.cause
        return error

    def __repr__(self) -> str:
        state = "over" if self.is_over else "open"
        return f"{type(self).__name__}(session_id={self.session_id!r}, {state})"
