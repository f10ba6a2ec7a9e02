"""A session that measures a voice while it speaks.

It cuts samples into frames, paces them, knows which moment of the media each result is about, and
sends again what a lost connection had not measured.
"""

from __future__ import annotations

import math
from collections import deque

import anyio
from attrs import define, evolve, field

from humeai_async._base.frozen import frozen
from humeai_async.catalog.expression_sockets import EXPRESSION_CONNECT_AUDIO
from humeai_async.errors import InvalidArgumentError
from humeai_async.expression.limits import INVALID_AUDIO_FRAME
from humeai_async.expression.sessions import ExpressionSession
from humeai_async.expression.timing import AudioPacer, TimeMap
from humeai_async.http.arguments import check_bytes
from humeai_async.http.session import Session
from humeai_async.http.transport.websocket import MediaSocket
from humeai_async.media.formats import Kind, kind_of
from humeai_async.media.wav import BYTES_A_MS, WIDTH
from humeai_async.settings import Reconnect
from humeai_async.types.expression_messages import (
    AnyAudioMessage,
    AudioMeasured,
    ClientMessage,
    SessionClosed,
    SessionError,
    SessionErrorCode,
    SessionResumed,
    UtteranceEnd,
    UtteranceStart,
)

FRAME_MS = 100
_FRAME = FRAME_MS * BYTES_A_MS
_SILENCE_KEPT_MS = 2_000
"""Milliseconds that are sent again where nobody spoke: speech may just have begun."""
_MOST_REFUSED = 100
"""Frames that may be refused in a row: more than are on their way at once."""
_JOIN_MS = 1_000
"""Milliseconds by which speech that is sent again may seem to begin elsewhere."""


@frozen(eq=False)
class _Frame:
    """A piece of the media."""

    start_ms: int
    data: bytes = field(repr=False)

    @property
    def length_ms(self) -> int:
        return len(self.data) // BYTES_A_MS

    @property
    def end_ms(self) -> int:
        return self.start_ms + self.length_ms


@define(eq=False)
class _Connection:
    """What one connection has been sent, and what its ids stand for."""

    times: TimeMap = field(factory=TimeMap)
    frames: int = 0
    """Frames that it took, as far as is known."""
    confirmed: int = 0
    """Those of them that had gone out when its last message came."""
    is_stalled: bool = False
    """Whether it took nothing more, so that nobody knows what it read after that message."""
    taken: int | None = None
    """Frames that it took, as it says when it is closed."""
    first_ms: int = 0
    """Where in the media it began."""
    recent: deque[_Frame] = field(factory=lambda: deque[_Frame](maxlen=_MOST_REFUSED))
    """The last of the frames that it took, as far as is known."""
    ids: dict[int, int] = field(factory=dict[int, int])
    """Ids of utterances on the one time line, by the connection's own."""


class AudioSession(ExpressionSession[AnyAudioMessage]):
    """Measures a voice while it speaks: send samples, iterate over messages.

    ```python
    async with hume.expression.connect_audio() as session, anyio.create_task_group() as tasks:
        tasks.start_soon(send_microphone, session)      # await session.send(samples); finish()
        async for message in session:
            if isinstance(message, AudioMeasured):
                print(message.audio_start_ms, message["joy"])
    ```

    Times are those of the media that were sent, ids go on over connections. A lost connection is
    opened anew; what was not measured is sent again, up to `replay_seconds`, and a
    `SessionResumed` message says what that was and what was lost. `report` accounts for frames.
    """

    def __init__(
        self,
        session: Session,
        update: ClientMessage | None,
        reconnect: Reconnect | None,
        *,
        replay_seconds: float,
        sends_again: bool,
    ) -> None:
        """Make a session; `connect_audio` does, and says what its arguments are."""
        super().__init__(session, EXPRESSION_CONNECT_AUDIO, update, reconnect)
        self._replay_ms = round(replay_seconds * 1000)
        self._sends_again = sends_again
        self._held = bytearray()
        """Samples of a frame that is not full yet."""
        self._media_ms = 0
        """Where the media stand."""
        self._pending: deque[_Frame] = deque()
        """Frames to send next."""
        self._kept: deque[_Frame] = deque()
        """Frames that went out, and are sent again where they were not measured."""
        self._pacer = AudioPacer()
        self._connection = _Connection()
        self._next_id = self._next_measurement = self._measured_ms = 0
        self._known_ms = 0
        """Up to where the connections before this one have measured."""
        self._speech: tuple[int, int] | None = None
        """Id and start of the speech under way."""
        self._ended_ms = 0
        """Where the last speech ended."""
        self._resumed: tuple[int, int] | None = None
        """Those of the speech that was cut off with the last connection."""

    async def send(self, samples: bytes) -> None:
        """Send samples as fast as they play; returns when they are out, or nearly.

        Pieces of any length are cut into frames of 100 ms; a rest waits for the next call.

        Args:
            samples: 16-bit samples, low byte first, 16 kHz, mono, without a header.

        Raises:
            InvalidArgumentError: They are no whole samples, or a file of some format.
            SessionClosedError: The session is over.
        """
        check_bytes("samples", samples)
        data = bytes(samples)
        if not data or len(data) % WIDTH:
            raise _refuse(f"{len(data)} bytes are no whole 16-bit samples")
        if not self._held and not self._media_ms and kind_of(data) not in {Kind.UNKNOWN, Kind.TEXT}:
            raise _refuse(
                f"this is {kind_of(data)} and no raw samples; send those without a header"
            )
        async with self._sending:
            self._held += data
            await self._send_held(_FRAME)

    async def _flush(self) -> None:
        await self._send_held(1)  # many frames, where a call to send them was cancelled
        await self._send_pending()
        # The last frame may be refused as well: the end comes when it has played.
        await anyio.sleep(self._pacer.wait(anyio.current_time()))
        while self._pending and not self.is_over:
            await self._send_pending()
            await anyio.sleep(self._pacer.wait(anyio.current_time()))

    async def _send_held(self, least: int) -> None:
        """Send what is held, frame by frame, until less than so many bytes are left."""
        while len(self._held) >= least:
            frame = _Frame(self._media_ms, bytes(self._held[:_FRAME]))
            del self._held[:_FRAME]
            self._media_ms = frame.end_ms
            self._pending.append(frame)
            await self._send_pending()

    async def _send_pending(self) -> None:
        while self._pending:
            socket = await self._connected()
            await anyio.sleep(self._pacer.wait(anyio.current_time()))
            if self._socket is not socket:
                continue  # lost meanwhile
            frame, connection = self._pending.popleft(), self._connection
            # Noted before: results may come while it is being written, and a cancelled call has
            # sent it too.
            connection.times.add(frame.start_ms, frame.length_ms)
            connection.frames += 1
            connection.recent.append(frame)
            self._pacer.sent(anyio.current_time(), frame.length_ms / 1000)
            self._kept.append(frame)
            self._forget()
            if not await self._send_media(socket, frame.data):
                # Where the connection was opened anew, it is among what is sent again.
                if connection is self._connection and frame is _last(connection.recent):
                    self._take_back(frame)
                    self._pending.appendleft(frame)
                await self._until_replaced(socket)

    def _take_back(self, frame: _Frame) -> None:
        """Forget the last frame that went out: the service did not take it."""
        connection = self._connection
        connection.recent.pop()
        connection.frames -= 1
        connection.confirmed = min(connection.confirmed, connection.frames)
        connection.times.take_back(frame.length_ms)
        if frame is _last(self._kept):
            self._kept.pop()

    def _forget(self) -> None:
        """Let go of what need not be sent again."""
        keep_from = self._media_ms - self._replay_ms
        if self._speech is None and self._resumed is None:
            keep_from = max(keep_from, self._sent_ms - _SILENCE_KEPT_MS)
        while self._kept and self._kept[0].end_ms <= keep_from:
            self._kept.popleft()

    @property
    def _sent_ms(self) -> int:
        return self._kept[-1].end_ms if self._kept else 0

    def _translate(self, message: AnyAudioMessage) -> AnyAudioMessage | None:
        self._connection.confirmed = self._connection.frames
        to_media = self._connection.times.to_media
        if isinstance(message, UtteranceStart):
            return self._start(message, to_media(message.audio_start_ms))
        if isinstance(message, AudioMeasured):
            return self._measure(
                message,
                to_media(message.audio_start_ms),
                to_media(message.audio_end_ms, is_end=True),
            )
        if isinstance(message, UtteranceEnd):
            return self._finish_speech(
                message,
                to_media(message.audio_start_ms),
                to_media(message.audio_end_ms, is_end=True),
            )
        if isinstance(message, SessionError):
            self._refuse_frame(message)
        return message

    def _start(self, message: UtteranceStart, start_ms: int) -> UtteranceStart | None:
        known, self._resumed = self._resumed, None
        if known is not None and start_ms <= max(known[1], self._measured_ms) + _JOIN_MS:
            # What was cut off goes on.
            self._connection.ids[message.utterance_id] = known[0]
            self._speech = known
            return None
        number = self._new_id(message.utterance_id)
        self._speech = (number, start_ms)
        return evolve(message, utterance_id=number, audio_start_ms=start_ms)

    def _finish_speech(self, message: UtteranceEnd, start_ms: int, end_ms: int) -> UtteranceEnd:
        known = self._connection.ids.get(message.utterance_id)
        number = self._new_id(message.utterance_id) if known is None else known
        if self._speech is not None and (known is None or self._speech[0] == known):
            start_ms = self._speech[1] if known is not None else start_ms
            self._speech = None
        self._resumed = None
        self._ended_ms = max(self._ended_ms, end_ms)
        self._forget()
        return evolve(message, utterance_id=number, audio_start_ms=start_ms, audio_end_ms=end_ms)

    def _new_id(self, utterance_id: int) -> int:
        """Give an utterance of this connection its id on the one time line."""
        number, self._next_id = self._next_id, self._next_id + 1
        self._connection.ids[utterance_id] = number
        return number

    def _measure(self, message: AudioMeasured, start_ms: int, end_ms: int) -> AudioMeasured | None:
        if end_ms <= self._known_ms:
            return None  # it is known from the connection before
        self._measured_ms = max(self._measured_ms, end_ms)
        if message.utterance_id not in self._connection.ids:  # its start could not be read
            self._speech = self._new_id(message.utterance_id), start_ms
        number, self._next_measurement = self._next_measurement, self._next_measurement + 1
        return evolve(
            message,
            measurement_id=number,
            utterance_id=self._connection.ids[message.utterance_id],
            audio_start_ms=start_ms,
            audio_end_ms=end_ms,
        )

    def _refuse_frame(self, error: SessionError) -> None:
        """Deal with a frame that was refused; the error names none, so it is the last one.

        Of several errors in a row each is about the frame before: frames that follow closely are
        refused together.
        """
        refused = {SessionErrorCode.RATE_LIMITED, SessionErrorCode.INVALID_AUDIO_FRAME}
        frame = _last(self._connection.recent)
        if error.code not in refused or frame is None:
            return
        self._take_back(frame)
        self.report.refused += 1
        self._pacer.slow_down(anyio.current_time(), frame.length_ms / 1000)
        if self._sends_again and error.code == SessionErrorCode.RATE_LIMITED:
            self._pending.appendleft(frame)
        else:
            self.report.lost += 1

    def _count(self, closed: SessionClosed) -> None:
        self._connection.taken = None if closed.received is None else closed.received.frames

    def _account_for_rest(self) -> None:
        unsent = len(self._pending) + math.ceil(len(self._held) / _FRAME)
        # What an orderly end leaves without a result is silence.
        is_orderly = self._was_closed and self._error is None
        again, lost = ([], 0) if is_orderly else self._unmeasured()
        self._account(len(again), lost)
        self.report.lost += unsent + len(again)

    async def _cut(self, socket: MediaSocket) -> None:
        if self._socket is socket:
            self._connection.is_stalled = True
        await super()._cut(socket)

    def _unmeasured(self) -> tuple[list[_Frame], int]:
        """Return the frames that a lost connection owes, and how many more are not kept."""
        again, lost = self._owed()
        connection = self._connection
        if connection.is_stalled:
            lost = max(lost, connection.frames - connection.confirmed - len(again))
        return again, lost

    def _owed(self) -> tuple[list[_Frame], int]:
        """Return what is owed by a connection that read whatever it was sent."""
        speech = self._speech or self._resumed  # a connection may be lost before it tells of speech
        if speech is None:
            start_ms = max(self._sent_ms - _SILENCE_KEPT_MS, self._ended_ms)
            return [frame for frame in self._kept if frame.start_ms >= start_ms], 0
        again = [frame for frame in self._kept if frame.end_ms > speech[1]]
        if not again:
            return again, 0
        start_ms = max(speech[1], self._connection.first_ms)
        return again, max(0, again[0].start_ms - start_ms) // FRAME_MS

    def _account(self, again: int, lost: int) -> None:
        """Count the frames of a connection that ended: what is neither lost nor sent again."""
        connection = self._connection
        taken = connection.frames if connection.taken is None else connection.taken
        rest = max(0, connection.frames - again - lost)
        self.report.measured += min(taken, rest)
        self.report.lost += lost + rest - min(taken, rest)

    def _resume(self, note: SessionResumed) -> SessionResumed:
        again, lost = self._unmeasured()
        self._account(len(again), lost)
        self._resumed, self._speech = self._speech or self._resumed, None
        self._known_ms = self._measured_ms
        self._kept.clear()
        self._pending.extendleft(reversed(again))
        first_ms = self._pending[0].start_ms if self._pending else self._media_ms
        self._connection = _Connection(first_ms=first_ms)
        self.report.replayed += len(again)
        replayed_ms = sum(one.length_ms for one in again)
        return evolve(note, replayed_ms=replayed_ms, lost_ms=lost * FRAME_MS)


def _last(frames: deque[_Frame]) -> _Frame | None:
    return frames[-1] if frames else None


def _refuse(reason: str) -> InvalidArgumentError:
    return InvalidArgumentError(reason, field="samples", code=INVALID_AUDIO_FRAME)
