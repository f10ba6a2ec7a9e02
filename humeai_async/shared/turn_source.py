"""Turns of one bucket for one process, asked for over the network.

`limiter/turns.py` has the rules of a process, `scripts.py` those of the server; this takes the
one to the other, in the background: no call waits for a socket. What goes
wrong is handled as the quota's owner wants: go on by the share so far, or stop.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import random
import secrets
import socket
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, Literal, TypeAlias

from humeai_async.errors import HumeError, RateLimitWaitError
from humeai_async.limiter.events import Alone, Shared
from humeai_async.limiter.turns import FIRST_WAIT, Turn, TurnListener, Turns
from humeai_async.shared.connection import Connection, RedisUnavailableError, Script
from humeai_async.shared.scripts import (
    CLOSE,
    CYCLE,
    KEYS,
    OPEN,
    PROBE_SECONDS,
    RETURN_SECONDS,
    SHARE_SECONDS,
    TURN,
    VERSION,
)

TIMEOUT: Final = 0.25
"""Seconds that the server may take to respond: a hung one costs one such wait in all."""
FIRST_TIMEOUT: Final = FIRST_WAIT
"""The same for the first turn, which connects and perhaps looks for the nodes of a cluster: who has
no share yet has to wait so long for a server that is away in any case."""
_LATE: Final = 0.05
"""Seconds by which a timer is late if the event loop was held up, and not the server."""
TRY_AGAIN: Final = (0.2, 0.6)
"""Seconds between tries of a server that is away, at least and at most."""
SMALLEST_BURST: Final = 0.05
"""Seconds of calls that may go at once after a rest, where none is given."""
MARGIN: Final = 0.99
"""Share of the declared rate that is used: clocks and networks jitter by that much."""

Outage: TypeAlias = Literal["share", "stop"]
"""What calls do while the server is away."""

_logger = logging.getLogger("humeai_async.limiter")


class QuotaTurns:
    """Asks for the turns of one bucket in one process.

    Args:
        connect: Gives the connection of the event loop that runs.
        bucket: Name of the bucket on the server.
        prefix: How its keys begin, all with one hash tag.
        rate: Calls a second of all together.
        burst: Calls that may go at once after a rest.
        listener: Called when turns come, or cannot come.
        outage: What calls do while the server is away.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        bucket: str,
        prefix: str,
        rate: float,
        burst: float | None,
        listener: TurnListener,
        outage: Outage,
    ) -> None:
        self._connect = connect
        self.bucket = bucket
        self._channel = f"{prefix}:gate"
        self._keys = [f"{prefix}:{bucket}:{one}" for one in KEYS] + [f"{prefix}:buckets"]
        self._rate = rate * MARGIN
        self._burst = SMALLEST_BURST if burst is None else burst / self._rate
        self._listener = listener
        self._outage: Outage = outage
        self._who = _name_member()
        self._trip: asyncio.Task[None] | None = None
        self._messages: set[asyncio.Task[None]] = set()
        self._next_try = -math.inf
        self._problem: HumeError | None = None
        """Why nobody may go, as the last try has shown."""
        self._is_away = False
        self._is_connected = False
        """Whether the server has responded on this event loop."""
        self._lowest = self._rate
        self._era = 0
        """Number of the gate's last closing that is known of."""
        self._other_version = ""
        self.turns: Turns = Turns(self._rate, asyncio.get_running_loop().time())

    @property
    def is_away(self) -> bool:
        """Whether the server was away when it was last tried."""
        return self._is_away

    def ask(self, calls: int) -> None:
        """Ask for a turn in the background, if none is asked for and it is time."""
        loop = asyncio.get_running_loop()
        trip = self._trip
        if trip is not None and not trip.done() and trip.get_loop() is loop:
            return
        if loop.time() >= self._next_try:
            self._trip = loop.create_task(self._ask(calls))
            self._trip.add_done_callback(self._see_end)
        elif self._problem is not None:
            loop.call_soon(self._listener.fail, self._problem)

    def close(self, seconds: float) -> None:
        """Stop everybody for so long: the service says that the quota is used up."""
        # One life beyond the pause, in which this process tries before all others.
        probing = PROBE_SECONDS + 0.5 * seconds
        self._send(CLOSE, self._who, f"{seconds:.6f}", f"{probing:.6f}", self._channel, self.bucket)

    def reopen(self) -> None:
        """Let everybody go on: a call got through."""
        self._send(OPEN, self._who, self._channel, self.bucket)

    def hold(self, era: int, seconds: float) -> None:
        """Take note that the gate was closed by somebody for so long, or opened."""
        now = asyncio.get_running_loop().time()
        if era > self._era or seconds == 0.0:
            self._era = max(era, self._era)
            self.turns.hold(now, seconds)
            self._next_try = -math.inf if self._problem is None else self._next_try
            self._listener.turn_came()

    async def aclose(self) -> None:
        """End what is under way; it begins again when a turn is asked for."""
        loop = asyncio.get_running_loop()
        tasks = [*self._messages, *([] if self._trip is None else [self._trip])]
        tasks = [one for one in tasks if one.get_loop() is loop and not one.done()]
        for one in tasks:
            one.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def restart(self) -> None:
        """Go on on another event loop, perhaps in another process: a member of its own."""
        self._who = _name_member()
        self._trip = None
        self._messages = set()
        self._next_try = -math.inf
        self._is_connected = False

    def _send(self, script: Script, *args: object) -> None:
        """Run a script of the gate in the background; in an outage it is left out."""

        async def run() -> None:
            try:
                await self._run(script, (self._keys[0], self._keys[5]), args)
            except (RedisUnavailableError, TimeoutError, HumeError) as problem:
                _logger.debug("the gate of %s cannot be changed: %s", self.bucket, problem)

        self._start(run())

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._messages.add(task)
        task.add_done_callback(self._messages.discard)

    async def _ask(self, calls: int) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        settling = 0.0 if self._outage == "stop" else RETURN_SECONDS
        try:
            found = await self._run(
                TURN,
                self._keys,
                (
                    self._who, calls, int(self._listener.is_urgent), f"{self._rate:.6f}",
                    f"{self._burst:.6f}", CYCLE, int(self._is_away), settling, self.bucket,
                    VERSION, SHARE_SECONDS,
                ),
            )  # fmt: skip
        except (RedisUnavailableError, TimeoutError) as problem:
            self._lose(loop.time(), loop.time() - began, problem)
        except HumeError as problem:
            self._next_try = loop.time() + TRY_AGAIN[1]
            self._problem = problem
            self._listener.fail(problem)
            return
        else:
            self._problem = None
            self._receive(loop.time(), found)
        self._listener.turn_came()

    async def _run(self, script: Script, keys: Sequence[str], args: Sequence[object]) -> Any:
        """Run a script within the time limit.

        If the timer comes late, then this process was held up, perhaps with the response at hand:
        that says nothing of the server, which is asked once more.
        """
        loop = asyncio.get_running_loop()
        limit = TIMEOUT if self._is_connected else FIRST_TIMEOUT
        began = loop.time()
        try:
            async with asyncio.timeout(limit):
                found = await self._connect().run(script, keys, args)
        except TimeoutError:
            if loop.time() - began < limit + _LATE:
                raise
            async with asyncio.timeout(limit):
                found = await self._connect().run(script, keys, args)
        self._is_connected = True
        return found

    def _see_end(self, trip: asyncio.Task[None]) -> None:
        """Take what nobody foresaw as an outage: whoever waits must not wait for ever."""
        problem = None if trip.cancelled() else trip.exception()
        if isinstance(problem, Exception):
            _logger.error("asking for a turn failed", exc_info=problem)
            self._lose(trip.get_loop().time(), 0.0, problem)
            self._listener.turn_came()

    def _lose(self, now: float, waited: float, problem: Exception) -> None:
        """Go on without the server, or stop, as the owner wants it."""
        wait = random.uniform(*TRY_AGAIN)  # noqa: S311 - spreads the tries
        self._next_try = now + wait
        is_news, self._is_away = not self._is_away, True
        place = self._connect().place
        reason = str(problem) or f"no response within {waited:.2g} s"
        if self._outage == "stop":
            self._problem = RateLimitWaitError(
                f"the shared quota at {place} cannot be reached, and no call goes without it: "
                f"{reason}",
                seconds=wait,
            )
            self._listener.fail(self._problem)
        else:
            self.turns.lose(now, waited)
        if is_news:
            share = 0.0 if self._outage == "stop" else self.turns.share(now)
            what = "nobody goes" if self._outage == "stop" else "going on alone"
            _logger.warning("the quota at %s cannot be reached (%s): %s", place, reason, what)
            self._listener.notify(Alone(self._listener.name, share))

    def _receive(self, now: float, found: Any) -> None:
        calls, first, gap, members, rate, era, other = found
        if int(era) < self._era:
            # Granted before the gate closed, which is known meanwhile.
            calls, first = 0, 0.0
        self._era = max(self._era, int(era))
        turn = Turn(calls=int(calls), first=float(first), gap=float(gap), members=int(members))
        self._next_try = -math.inf if turn.calls else now + turn.first
        was_away = self._is_away
        if turn.calls:
            self._is_away = False
        self.turns.receive(now, turn)
        if was_away and not self._is_away:
            self._listener.notify(Shared(self._listener.name, turn.members))
        lowest = float(rate)
        if lowest < min(self._lowest, self._rate) * 0.999:
            _logger.warning("another process declares %.4g calls a second: that holds", lowest)
        self._lowest = lowest
        self.turns.rate = lowest
        version = other.decode() if isinstance(other, bytes) else str(other)
        if version and version != self._other_version:
            _logger.warning(
                "another process shares this quota with other scripts (%s, here %s): have all "
                "use one release of humeai_async", version, VERSION,
            )  # fmt: skip
        self._other_version = version


def _name_member() -> str:
    return f"{socket.gethostname()[:40]}:{os.getpid()}:{secrets.token_hex(3)}"
