"""A session that measures faces frame by frame.

Every frame gets one reply, in order, so each result is told the frame that it is about. Frames are
paced as Hume's own client paces them; those that a lost connection left without a reply are sent
again.
"""

from __future__ import annotations

from collections import deque

import anyio
from attrs import define, evolve, field

from humeai_async._base.cancellation import in_thread
from humeai_async.catalog.expression_sockets import EXPRESSION_CONNECT_VIDEO
from humeai_async.errors import InvalidArgumentError
from humeai_async.expression.limits import INVALID_IMAGE_FRAME
from humeai_async.expression.messages import is_result
from humeai_async.expression.sessions import ExpressionSession
from humeai_async.expression.timing import VideoPacer
from humeai_async.expression.uploads import why_no_image
from humeai_async.http.arguments import check_bytes
from humeai_async.http.session import Session
from humeai_async.settings import Reconnect
from humeai_async.types.expression_messages import (
    AnyVideoMessage,
    ClientMessage,
    SessionError,
    SessionErrorCode,
    SessionResumed,
    VideoMeasured,
)

_REPLIES = frozenset(
    {
        SessionErrorCode.INVALID_IMAGE_FRAME,
        SessionErrorCode.RATE_LIMITED,
        SessionErrorCode.INTERNAL_ERROR,
    }
)
"""Codes of errors that are the reply to a frame."""
MOST_UNDERWAY = 8
"""Frames without a reply, from which on no more are sent."""


@define(eq=False)
class _Frame:
    """One image on its way."""

    number: int
    data: bytes = field(repr=False)
    failures: int = 0


class VideoSession(ExpressionSession[AnyVideoMessage]):
    """Measures faces frame by frame: send JPEG images, iterate over messages.

    `frame_id` of each result is the number of the image among those that were sent, from 0, over
    all connections; `face_id` begins anew with each. A `SessionResumed` message tells of a new
    connection. `report` accounts for every frame.
    """

    def __init__(
        self,
        session: Session,
        update: ClientMessage | None,
        reconnect: Reconnect | None,
        *,
        sends_again: bool,
    ) -> None:
        """Make a session; `connect_video` does, and says what its arguments are."""
        super().__init__(session, EXPRESSION_CONNECT_VIDEO, update, reconnect)
        self._sends_again = sends_again
        self._pacer = VideoPacer()
        self._next = 0
        self._pending: deque[_Frame] = deque()
        self._underway: deque[_Frame] = deque()
        """Frames without a reply yet, in the order in which they were sent."""

    _resumes_failures = False

    async def send(self, image: bytes) -> int:
        """Send an image at the pace that the service takes, three a second at most.

        Somebody has to iterate meanwhile: with eight images under way the next one waits.

        Args:
            image: A JPEG of 2 MB and 8,294,400 pixels at most.

        Returns:
            Its number, which is the `frame_id` of its result.

        Raises:
            InvalidArgumentError: The service would refuse it, and bill it all the same.
            SessionClosedError: The session is over.
        """
        check_bytes("image", image)
        data = bytes(image)
        _, reason = await in_thread(why_no_image, data)
        if reason:
            raise InvalidArgumentError(reason, field="image", code=INVALID_IMAGE_FRAME)
        async with self._sending:
            frame = _Frame(self._next, data)
            self._next += 1
            self._pending.append(frame)
            await self._send_pending()
        return frame.number

    async def _flush(self) -> None:
        await self._send_pending()
        while self._underway and self._sends_again and not self.is_over:
            await self._wait_for_change()
            await self._send_pending()

    async def _send_pending(self) -> None:
        while self._pending:
            socket = await self._connected()
            if len(self._underway) >= MOST_UNDERWAY:
                await self._change.wait()
                continue
            await anyio.sleep(self._pacer.wait(anyio.current_time()))
            if self._socket is not socket:
                continue  # lost meanwhile
            connections = self.report.connections
            frame = self._pending.popleft()
            self._underway.append(frame)
            self._pacer.sent(anyio.current_time())
            if not await self._send_media(socket, frame.data):
                # Where the connection was opened anew, it stands among what is sent again.
                if connections == self.report.connections and frame in self._underway:
                    self._underway.remove(frame)
                    self._pending.appendleft(frame)
                await self._until_replaced(socket)

    def _translate(self, message: AnyVideoMessage) -> AnyVideoMessage | None:
        if isinstance(message, VideoMeasured):
            frame = self._reply()
            if frame is None:  # of no image that was sent
                return message
            self._pacer.accepted()
            self.report.measured += 1
            return evolve(message, frame_id=frame.number)
        if isinstance(message, SessionError) and message.code in _REPLIES:
            return self._fail(message)
        return message

    def _pass_over(self, data: bytes) -> None:
        if is_result(data) and self._reply() is not None:
            self.report.lost += 1

    def _reply(self) -> _Frame | None:
        frame = self._underway.popleft() if self._underway else None
        self._notify()
        return frame

    def _fail(self, error: SessionError) -> AnyVideoMessage | None:
        frame = self._reply()
        if frame is None:
            return error
        is_paced = error.code == SessionErrorCode.RATE_LIMITED
        if is_paced:
            self.report.refused += 1
            self._pacer.refused()
        elif error.code == SessionErrorCode.INTERNAL_ERROR:
            frame.failures += 1
        is_worth_it = is_paced or (error.retryable is True and frame.failures == 1)
        if self._sends_again and is_worth_it and not self.is_over:
            self._pending.appendleft(frame)
            return None
        self.report.lost += 1
        return error

    def _account_for_rest(self) -> None:
        self.report.lost += len(self._underway) + len(self._pending)

    def _resume(self, note: SessionResumed) -> SessionResumed:
        left = list(self._underway)
        self._underway.clear()
        if self._sends_again:
            self._pending.extendleft(reversed(left))
            self.report.replayed += len(left)
            return evolve(note, replayed_frames=len(left))
        self.report.lost += len(left)
        return evolve(note, lost_frames=len(left))
