"""Audio sessions without sockets: a service for virtual time, with faults by a script.

It finds speech as the stand-in does. Each frame of the media has its number in its first sample,
so that it is known which frames a service has taken.
"""

from __future__ import annotations

import json
import random
from array import array
from collections import deque
from typing import Any

import anyio
import anyio.lowlevel
from attrs import define, field, frozen
from live_support import speech

from humeai_async.errors import APIConnectionError
from humeai_async.http.messages import Delivery, Request, Response
from humeai_async.http.transport.websocket import LOST, Closed
from humeai_async.testing.live_media import SpeechFinder

FRAME = 3_200
FRAME_MS = 100
MOST_FRAMES = 390
"""Frames of a recording: their numbers are quiet samples."""
_VOICE = speech(10)


def recording(dice: random.Random) -> bytes:
    """Return some turns of speech with silences between, as numbered frames."""
    talk = bytearray()
    for _ in range(dice.randint(2, 4)):
        talk += bytes(32 * 20 * dice.randint(40, 150))
        start = 2 * dice.randrange(80_000)
        talk += _VOICE[start : start + 32 * 20 * dice.randint(10, 250)]
    talk += bytes(32 * 20 * dice.randint(40, 60))
    talk += bytes(-len(talk) % FRAME)
    samples = array("h", bytes(talk[: MOST_FRAMES * FRAME]))
    for number in range(len(samples) * 2 // FRAME):
        samples[number * FRAME // 2] = number
    return samples.tobytes()


@frozen
class Ending:
    """How a connection ends."""

    after: int
    """Frames that it takes before."""
    kind: str
    """`cut`, `code`, `shutdown` or `failure`."""
    unnoticed: int = 0
    """Frames that still go out into nothing, before the client can know."""


@define(eq=False)
class Connection:
    """One connection: a socket as the session needs it, and the service behind it."""

    latency: float
    """Seconds that a message takes to the client."""
    refuse: frozenset[int]
    """Places of frames that it refuses."""
    ending: Ending | None
    timer_ms: int = 3000
    accepted: list[int] = field(factory=list[int])
    """Numbers of the frames that it took, in order."""
    refused: int = 0
    vanished: int = 0
    """Frames that went out and that nobody took."""
    _came: int = 0
    _ready: deque[tuple[float, dict[str, Any] | Closed]] = field(
        factory=deque[tuple[float, "dict[str, Any] | Closed"]]
    )
    _changed: anyio.Event = field(factory=anyio.Event)
    _finder: SpeechFinder = field(factory=lambda: SpeechFinder(3000))
    _is_over: bool = False

    def __attrs_post_init__(self) -> None:
        self._say({"type": "session.created", "session_id": f"s{id(self)}"})

    async def send(self, message: bytes) -> None:
        """Take a command."""
        if self._is_over:
            raise APIConnectionError("the connection broke", outcome_unknown=True)
        if json.loads(message)["type"] == "session.close":
            for one in self._finder.end():
                self._say(one)
            self._close("client_request", 1000)

    async def send_binary(self, message: bytes) -> None:
        """Take a frame."""
        await anyio.lowlevel.checkpoint()
        if self._is_over:
            if self.ending is None or self.vanished >= self.ending.unnoticed:
                raise APIConnectionError("the connection broke", outcome_unknown=True)
            self.vanished += 1
            return
        place, self._came = self._came, self._came + 1
        if self.ending is not None and place >= self.ending.after:
            self.vanished += 1
            self._end(self.ending)
        elif place in self.refuse:
            self.refused += 1
            self._say({"type": "error", "code": "rate_limited", "retryable": True})
        else:
            self.accepted.append(array("h", message[:2])[0])
            for one in self._finder.feed(message):
                self._say(one)

    async def receive(self) -> bytes | Closed:
        """Give the next message, once it is there."""
        while not self._ready:
            self._changed = anyio.Event()
            await self._changed.wait()
        await anyio.sleep(max(0.0, self._ready[0][0] - anyio.current_time()))
        _, message = self._ready.popleft()
        return message if isinstance(message, Closed) else json.dumps(message).encode()

    async def aclose(self, *, wait: bool = True) -> None:
        """End it."""
        del wait
        self._is_over = True

    def _end(self, ending: Ending) -> None:
        if ending.kind == "failure":
            self._say({"type": "error", "code": "internal_error", "retryable": False})
            self._close("error", 1008)
        elif ending.kind == "shutdown":
            self._close("server_shutdown", 1001)
        else:
            if ending.kind == "cut":  # what is on its way is lost
                self._ready.clear()
            self._put(Closed(LOST if ending.kind == "cut" else 1011))
            self._is_over = True

    def _close(self, reason: str, code: int) -> None:
        received = {"frames": len(self.accepted)}
        self._say({"type": "session.closed", "reason": reason, "received": received})
        self._put(Closed(code))
        self._is_over = True

    def _say(self, message: dict[str, Any]) -> None:
        self._put(message)

    def _put(self, message: dict[str, Any] | Closed) -> None:
        self._ready.append((anyio.current_time() + self.latency, message))
        self._changed.set()


class MemoryTransport:
    """Opens connections one after another; refuses every now and then.

    Args:
        dice: What happens to them.
        latency: Seconds that messages take at most.
        endings: Share of connections that end early.
        refusals: Share of frames that are refused.
    """

    def __init__(
        self, dice: random.Random, *, latency: float, endings: float, refusals: float
    ) -> None:
        self.connections: list[Connection] = []
        self.handshakes_refused: int = 0
        self._dice = dice
        self._latency = latency
        self._endings = endings
        self._refusals = refusals

    async def open(self, request: Request, timeout: object) -> Any:
        """Nobody calls this."""
        raise NotImplementedError

    async def open_socket(self, request: Request, timeout: object) -> Any:
        """Open a connection, or refuse it for the moment."""
        del timeout
        dice = self._dice
        request.delivery = Delivery.UNKNOWN
        if self.connections and dice.random() < 0.3:
            self.handshakes_refused += 1
            return Response(503, {}, b'{"message": "busy"}')
        ending = None
        if dice.random() < self._endings:
            kind = dice.choice(("cut", "code", "shutdown", "failure"))
            ending = Ending(dice.randint(0, 120), kind, dice.randint(0, 2))
        refuse = frozenset(n for n in range(500) if dice.random() < self._refusals)
        latency = dice.uniform(0.001, self._latency)
        self.connections.append(Connection(latency, refuse, ending))
        return self.connections[-1]

    async def aclose(self) -> None:
        """There is nothing to close."""
