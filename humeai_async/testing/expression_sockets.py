"""The fake's Expression Measurement sockets: sessions with pacing, refusals, shutdown and faults.

Each connection is one session and one run. What happens to the sessions to come is scripted by
`drops`; refusals follow from the pace of what is sent.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import WSMsgType, web
from attrs import define, field, frozen

from humeai_async.testing.exchange import Arrival, FakeResponse, Record
from humeai_async.testing.expression import AUDIO, IMAGE, ExpressionStore, read_face, read_timer
from humeai_async.testing.live_media import SpeechFinder, faces, picture_size
from humeai_async.testing.upstream import UNKNOWN_LIVE_KEY, Upstream

Respond = Callable[[web.BaseRequest, FakeResponse], Awaitable[web.StreamResponse]]

PATHS = {"/v1/expression/audio/realtime": "audio", "/v1/expression/video/realtime": "video"}
LARGEST_AUDIO = 1_048_576
LARGEST_VIDEO = 2_000_000
LONGEST_FRAME = 320_000


@frozen
class SessionDrop:
    """How one session ends before its time."""

    after: int = 1
    """Media messages before it happens; the last of them is not looked at."""
    reason: str | None = None
    """Reason of `session.closed`, such as `server_shutdown`; `None` sends none."""
    code: int | None = None
    """Close code; `None` cuts the connection."""
    error: str | None = None
    """Code of an error message to send first."""


@define
class FakeSession:
    """One session that the fake accepted; tests may read it."""

    kind: str
    run: Record
    headers: dict[str, str] = field(repr=False)
    media: list[bytes] = field(factory=list[bytes], repr=False)
    """Media messages that were accepted, in order."""
    refused: list[int] = field(factory=list[int])
    """Places of media messages that were refused, among all that came."""
    updates: list[Record] = field(factory=list[Record])
    came: int = 0
    milliseconds: int = 0


@define
class _Pace:
    """How far media are ahead of the clock."""

    burst_ms: float
    _ahead_ms: float = 0.0
    _at_ms: float | None = None

    def takes(self, now_ms: float, length_ms: float) -> bool:
        """Whether media of this length come no faster than they play."""
        if self._at_ms is not None:
            self._ahead_ms = max(0.0, self._ahead_ms - (now_ms - self._at_ms))
        self._at_ms = now_ms
        if self._ahead_ms > self.burst_ms:
            return False
        self._ahead_ms += length_ms
        return True


class ExpressionSockets:
    """All sessions of one fake, and the script of what happens to them."""

    def __init__(self, upstream: Upstream) -> None:
        self.sessions: list[FakeSession] = []
        """Every session, in order."""
        self.drops: deque[SessionDrop | None] = deque()
        """How the sessions to come end, one each in order; `None` leaves one alone."""
        self.refuse: set[int] = set()
        """Places of media messages to refuse with `rate_limited`, counted over all sessions."""
        self.fail: set[int] = set()
        """Places of images to fail with `internal_error`, counted over all sessions."""
        self.is_silent: bool = False
        """Whether sessions are opened and never say anything."""
        self.burst_seconds: float | None = None
        """Seconds by which media may be ahead of the clock before `rate_limited`; a frame of video
        stands for a third. `None` takes any pace."""
        self.idle_seconds: float = 60.0
        """Seconds without a message after which a session ends."""
        self.came: int = 0
        self._upstream = upstream

    @property
    def _store(self) -> ExpressionStore:
        return self._upstream.expression

    def now_ms(self) -> float:
        """Return the fake's time."""
        return self._store.world.now_ms()

    async def serve(
        self, request: web.BaseRequest, arrival: Arrival, respond: Respond
    ) -> web.StreamResponse:
        """Serve one request to open a session."""
        if not self._upstream.is_known(arrival):
            return await respond(request, UNKNOWN_LIVE_KEY)
        fault = self._upstream.faults.pick(arrival.method, arrival.path)
        if fault is not None:
            return await respond(request, FakeResponse(*fault.spoil(200, b"{}", {}), fault=fault))
        socket = web.WebSocketResponse(max_msg_size=0)
        await socket.prepare(request)
        if self.is_silent:
            await socket.receive()
            return socket
        kind = PATHS[arrival.path]
        config: Record = (
            {"audio": AUDIO, "measurement_timer_ms": 3000}
            if kind == "audio"
            else {"image": IMAGE, "face": {"threshold": 0.9, "min_size": 60}}
        )
        run = self._store.begin(kind, "realtime", config)
        session = FakeSession(kind, run, dict(arrival.headers))
        self.sessions.append(session)
        drop = self.drops.popleft() if self.drops else None
        await _Conversation(self, socket, session, config, drop, request).run()
        return socket

    def bill(self, session: FakeSession, status: str) -> None:
        """Close a session's run."""
        is_audio = session.kind == "audio"
        seconds = session.milliseconds / 1000 if is_audio else len(session.media) / 3
        self._store.end(session.run, seconds, sum(map(len, session.media)), status)

    def log(self, session: FakeSession, kind: str) -> None:
        """Log a problem of a session."""
        events = self._store.events.setdefault(session.run["run_id"], [])
        at = session.run["started_at"]
        events.append({"seq": len(events) + 1, "at": at, "kind": kind})


class _Conversation:
    """One session on its socket."""

    def __init__(
        self,
        sockets: ExpressionSockets,
        socket: web.WebSocketResponse,
        session: FakeSession,
        config: Record,
        drop: SessionDrop | None,
        request: web.BaseRequest,
    ) -> None:
        self._sockets = sockets
        self._socket = socket
        self._session = session
        self._config = config
        self._drop = drop
        self._request = request
        self._finder = SpeechFinder(3000)
        burst = sockets.burst_seconds
        self._pace = None if burst is None else _Pace(burst * 1000)
        self._faces = self._failures = self._results = 0

    async def run(self) -> None:
        created = {"session_id": self._session.run["run_id"], **self._config}
        await self._say({"type": "session.created", **created})
        status = "errored"
        try:
            while (reason := await self._next()) is None:
                pass
            status = "errored" if reason in {"error", "lost"} else "ended"
        except ConnectionResetError:
            pass
        finally:
            self._sockets.bill(self._session, status)

    async def _next(self) -> str | None:
        """Take one message; return why the session ended, if it did."""
        try:
            message = await self._socket.receive(timeout=self._sockets.idle_seconds)
        except TimeoutError:
            return await self._close("idle_timeout", 1000)
        if message.type is WSMsgType.TEXT:
            return await self._command(message.data)
        if message.type is WSMsgType.BINARY:
            return await self._media(bytes(message.data))
        return "lost"

    async def _command(self, text: str) -> str | None:
        command: Any = None
        try:
            command = json.loads(text)
            kind = command.get("type")
        except (ValueError, AttributeError):
            kind = None
        if kind == "session.close":
            return await self._close("client_request", 1000)
        if kind != "session.update":
            await self._error("message_invalid", retryable=True)
            return None
        self._session.updates.append(command)
        try:
            self._update(command)
        except Exception:  # noqa: BLE001 - whatever is wrong with the settings
            await self._error("config_invalid", retryable=False)
            return await self._close("error", 1008)
        await self._say({"type": "session.updated", **self._config})
        return None

    def _update(self, command: Record) -> None:
        is_audio = self._session.kind == "audio"
        known = {"audio", "measurement_timer_ms"} if is_audio else {"image", "face"}
        if self._session.came or command.keys() - known - {"type"}:
            raise ValueError
        if self._session.kind == "audio":
            timer = read_timer(command)
            self._config["measurement_timer_ms"] = timer
            self._finder = SpeechFinder(timer)
        else:
            self._config["face"] = read_face(command, {"threshold", "min_size"})

    async def _media(self, data: bytes) -> str | None:
        session, place = self._session, self._sockets.came
        session.came += 1
        self._sockets.came += 1
        if self._drop is not None and session.came >= self._drop.after:
            return await self._end_early(self._drop)
        largest = LARGEST_AUDIO if session.kind == "audio" else LARGEST_VIDEO
        if len(data) > largest:
            self._sockets.log(session, "message_too_large")
            await self._error("message_too_large", retryable=False)
            return await self._close("error", 1008)
        length_ms = len(data) / 32 if session.kind == "audio" else 1000 / 3
        is_early = self._pace and not self._pace.takes(self._sockets.now_ms(), length_ms)
        if is_early or place in self._sockets.refuse:
            session.refused.append(session.came - 1)
            self._sockets.log(session, "rate_limited")
            await self._error("rate_limited", retryable=True)
            return None
        if session.kind == "audio":
            await self._audio(data)
            return None
        return await self._image(data, is_failing=place in self._sockets.fail)

    async def _audio(self, data: bytes) -> None:
        if not data or len(data) % 2 or len(data) > LONGEST_FRAME:
            self._sockets.log(self._session, "invalid_audio_frame")
            await self._error("invalid_audio_frame", retryable=True)
            return
        self._session.media.append(data)
        self._session.milliseconds += len(data) // 32
        for message in self._finder.feed(data):
            await self._say(message)

    async def _image(self, data: bytes, *, is_failing: bool) -> str | None:
        if picture_size(data) is None:
            await self._error("invalid_image_frame", retryable=True)
            return None
        self._session.media.append(data)
        if is_failing:
            self._failures += 1
            is_last = self._failures >= 5  # noqa: PLR2004 - as documented
            await self._error("internal_error", retryable=not is_last)
            return await self._close("error", 1008) if is_last else None
        self._failures = 0
        found = faces(data, 0, self._config["face"]["threshold"])
        frame_id = self._results
        self._results += 1
        self._faces += len(found)
        await self._say({"type": "measurement.result", "frame_id": frame_id, "faces": found})
        return None

    async def _end_early(self, drop: SessionDrop) -> str:
        if drop.error is not None:
            await self._error(drop.error, retryable=False)
        if drop.reason is not None:
            return await self._close(drop.reason, drop.code or 1001)
        if drop.code is not None:
            await self._socket.close(code=drop.code)
        elif self._request.transport is not None:
            self._request.transport.abort()
        return "lost"

    async def _close(self, reason: str, code: int) -> str:
        if reason == "client_request":
            for message in self._finder.end():
                await self._say(message)
        session = self._session
        received: Record = {"frames": len(session.media)}
        produced: Record = {"measurements": self._faces}
        if session.kind == "audio":
            received["audio_duration_ms"] = session.milliseconds
            produced = {
                "utterances": self._finder.utterances,
                "measurements": self._finder.measurements,
            }
        await self._say(
            {
                "type": "session.closed",
                "session_id": session.run["run_id"],
                "reason": reason,
                "received": received,
                "produced": produced,
            }
        )
        session.run["close_code"], session.run["close_reason"] = code, reason
        await self._socket.close(code=code)
        return reason

    async def _error(self, code: str, *, retryable: bool) -> None:
        await self._say({"type": "error", "code": code, "message": code, "retryable": retryable})

    async def _say(self, message: Record) -> None:
        await self._socket.send_str(json.dumps(message))
        await asyncio.sleep(0)
