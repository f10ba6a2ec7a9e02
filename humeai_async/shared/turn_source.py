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
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from humeai_async.errors import HumeError, RateLimitWaitError
from humeai_async.limiter.events import Alone, Shared
from humeai_async.limiter.gate import SLACK
from humeai_async.limiter.learner import DECLARED_MARGIN
from humeai_async.limiter.measure import START_RATE
from humeai_async.limiter.shared_learner import Lesson
from humeai_async.limiter.turns import FIRST_WAIT, Turn, Turns
from humeai_async.shared.connection import Connection, RedisUnavailableError, Script
from humeai_async.shared.lessons import read_lesson, write_lesson
from humeai_async.shared.scripts import (
    CLOSE,
    KEYS,
    OPEN,
    PROBE_SECONDS,
    REPORT,
    RETURN_SECONDS,
    SLOTS,
    TEACH,
    TURN,
    VERSION,
    OpenRequest,
    TurnRequest,
    as_text,
)

if TYPE_CHECKING:
    from humeai_async.limiter.bucket import Bucket
    from humeai_async.limiter.shared_gate import SharedGate

TIMEOUT: Final = 0.25
"""Seconds that the server may take to respond: a hung one costs one such wait in all."""
FIRST_TIMEOUT: Final = FIRST_WAIT
"""The same for the first turn, which connects and perhaps looks for the nodes of a cluster: who has
no share yet has to wait so long for a server that is away in any case."""
_LATE: Final = 0.05
"""Seconds by which a timer is late if the event loop was held up, and not the server."""
TRY_AGAIN: Final = (0.2, 0.6)
"""Seconds between tries of a server that is away, at least and at most."""

Outage: TypeAlias = Literal["share", "stop", "alone"]
"""What calls do while the server is away."""

_logger = logging.getLogger("humeai_async.limiter")


class QuotaTurns:
    """Asks for the turns of one bucket in one process.

    Args:
        connect: Gives the connection of the event loop that runs.
        bucket: Name of the bucket on the server.
        prefix: How its keys begin, all with one hash tag.
        rate: Calls a second of all together; `None` where all learn it together.
        burst: Calls that may go at once after a rest.
        listener: Told when turns come, or cannot come.
        outage: What calls do while the server is away.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        bucket: str,
        prefix: str,
        rate: float | None,
        burst: float | None,
        listener: Bucket,
        outage: Outage,
    ) -> None:
        self._connect = connect
        self.bucket = bucket
        self._channel = f"{prefix}:gate"
        self._keys = [f"{prefix}:{bucket}:{one}" for one in KEYS] + [f"{prefix}:buckets"]
        self._rate = None if rate is None else rate * DECLARED_MARGIN
        self._burst = SLACK if not burst or self._rate is None else burst / self._rate
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
        self._lowest = math.inf if self._rate is None else self._rate
        self._era = 0
        """Number of the gate's last closing that is known of."""
        self._gate: SharedGate  # which follows before a turn is asked for
        self._lesson = 0
        """Number of the last lesson that this process has taken in, or has given."""
        self._known: str = ""
        """The last lesson, for a server that has lost it."""
        self._uncounted = 0.0
        """Cost of the calls that were let in, of which the server has not heard."""
        self._total: float | None = None
        """Cost of all that the server had counted at the last trip."""
        self._other_version = ""
        start = START_RATE if self._rate is None else self._rate
        self.turns: Turns = Turns(start, asyncio.get_running_loop().time())

    @property
    def is_away(self) -> bool:
        """Whether the server was away when it was last tried."""
        return self._is_away

    @property
    def learns_alone(self) -> bool:
        """Whether each process learns by itself while the server is away."""
        return self._outage == "alone"

    def follow_with(self, gate: SharedGate) -> None:
        """Tell a gate what the other processes see and find."""
        self._gate = gate

    def count(self, cost: float) -> None:
        """Tell the others, with the next trip, that a call was let in."""
        if self._rate is None and not self._is_away:
            self._uncounted += cost
            if self.turns.held_for(asyncio.get_running_loop().time()):
                self._report()  # whoever measures now has to know

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
        if self._is_away:
            return  # each goes on by itself
        # One life beyond the pause, in which this process tries before all others.
        probing = PROBE_SECONDS + 0.5 * seconds
        self._send(CLOSE, self._who, f"{seconds:.6f}", f"{probing:.6f}", self._channel, self.bucket)

    def reopen(self, lesson: Lesson | None, owed: float, haste: float) -> None:
        """Let everybody go on: a call got through, and this was learned from it.

        Args:
            lesson: What was learned.
            owed: Calls to make up for.
            haste: How much faster than the pace they go.
        """
        text = "-"
        if self._is_away:
            return  # what was measured is the part of this process
        if lesson is not None and (lesson.is_known or lesson.is_even):
            text = self._known = write_lesson(lesson)
            self._lesson = self._era
        pace = 0.0 if lesson is None else lesson.pace
        now = asyncio.get_running_loop().time()
        slots = self._gate.shared_learner.recent(now, SLOTS)
        window = 0.0 if lesson is None or not slots else lesson.window or 0.0
        request = OpenRequest(
            who=self._who, channel=self._channel, bucket=self.bucket, lesson=text, pace=pace,
            owed=owed, haste=haste, window=window, slots=slots,
            slides=self._gate.shared_learner.opens_for_few,
        )  # fmt: skip
        self._send(OPEN, *request.words())

    def hold(self, era: int, seconds: float, rest: str) -> None:
        """Take note that the gate was closed by somebody for so long, or opened.

        Args:
            era: Number of the closing.
            seconds: For how long; 0 where it was opened.
            rest: Who closed it, or the lesson that was learned.
        """
        now = asyncio.get_running_loop().time()
        if not self._is_away and (era > self._era or seconds == 0.0):
            self._era = max(era, self._era)
            if self._rate is None:
                self._follow(now, seconds, rest)
            self.turns.hold(now, seconds)
            self._next_try = -math.inf if self._problem is None else self._next_try
            self._listener.turn_came()

    def _follow(self, now: float, seconds: float, rest: str) -> None:
        if seconds > 0.0:
            self._report()
            if rest != self._who:
                self._gate.stand_aside()
        elif self._era > self._lesson:
            self._learn(now, self._era, rest, age=0.0)

    def _learn(self, now: float, number: int, text: str, age: float) -> None:
        """Take over a lesson that another process has learned."""
        lesson = read_lesson(text)
        if lesson is not None:
            self._lesson, self._known = number, text
            self._gate.learn(now, now - age, lesson)

    def _report(self) -> None:
        """Have the calls counted that were let in, without waiting for the next turn."""
        cost, self._uncounted = self._uncounted, 0.0
        if cost:
            if self._total is not None:
                self._total += cost
            self._send(REPORT, f"{cost:.6f}")

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
                await self._run(script, (self._keys[0], self._keys[5], self._keys[7]), args)
            except (RedisUnavailableError, TimeoutError, HumeError) as problem:
                _logger.debug("the gate of %s cannot be changed: %s", self.bucket, problem)

        task = asyncio.get_running_loop().create_task(run())
        self._messages.add(task)
        task.add_done_callback(self._messages.discard)

    async def _ask(self, calls: int) -> None:
        loop = asyncio.get_running_loop()
        began, era, counted = loop.time(), self._era, self._uncounted
        self._uncounted = 0.0
        rate = self._gate.shared_pace if self._rate is None else self._rate
        settling = 0.0 if self._outage == "stop" else RETURN_SECONDS
        request = TurnRequest(
            who=self._who, calls=calls, is_urgent=self._listener.wait_queue.is_urgent, rate=rate,
            burst=self._burst, is_back=self._is_away, settling=settling, bucket=self.bucket,
            accepted=counted, lesson=self._lesson if self._rate is None else -1,
        )  # fmt: skip
        try:
            found = await self._run(TURN, self._keys, request.words())
        except (RedisUnavailableError, TimeoutError) as problem:
            self._lose(loop.time(), loop.time() - began, problem)
        except HumeError as problem:
            self._next_try = loop.time() + TRY_AGAIN[1]
            self._problem = problem
            self._listener.fail(problem)
            return
        else:
            self._problem = None
            if self._rate is None:
                self._take_in(loop.time(), counted, found)
            self._receive(loop.time(), found, era)
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
        self._uncounted, self._total = 0.0, None
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

    def _take_in(self, now: float, counted: float, found: Any) -> None:
        """Count what the others had let in, and take over what they have found."""
        pace = float(found[4])
        lesson, age, before_all, since = found[9:]
        total, number = float(found[7]), int(found[8])
        gate, before, self._total = self._gate, self._total, total
        if before is None and number == 0 and not self._is_away:
            before = float(before_all)
            gate.shared_learner.join(now - float(since))
        if before is not None and (others := total - before - counted) > 0.0:
            is_pressed = self._listener.wait_queue.waiting > 0
            gate.shared_learner.count_others(now, others, is_pressed=is_pressed)
        if number > self._lesson:
            self._learn(now, number, as_text(lesson), float(age))
        elif number < self._lesson and self._known:
            # The server has lost what it knew.
            self._send(TEACH, self._lesson, self._known, f"{gate.shared_pace:.6f}")
        elif number == self._lesson and not self._is_away:
            gate.shared_learner.keep_up(pace)

    def _receive(self, now: float, found: Any, asked_in: int) -> None:
        calls, first, gap, members, rate, era, other = found[:7]
        if int(era) < self._era and asked_in < self._era:
            # Granted before the gate closed, of which was heard meanwhile.
            calls, first = 0, 0.0
        else:
            if int(era) > self._era and not int(calls) and not self._is_away:
                self.turns.hold(now, float(first))  # of this closing nobody had heard here
            self._era = int(era)  # lower where the server has lost it
        turn = Turn(
            calls=int(calls), first=float(first), gap=float(gap), members=int(members),
            haste=1.0 / (float(gap) * float(rate)) if calls else 1.0,
        )  # fmt: skip
        self._next_try = -math.inf if turn.calls else now + turn.first
        was_away = self._is_away
        if turn.calls:
            self._is_away = False
        self.turns.receive(now, turn)
        if was_away and not self._is_away:
            self._listener.notify(Shared(self._listener.name, turn.members))
        lowest = float(rate)
        if self._rate is not None and lowest < min(self._lowest, self._rate) * 0.999:
            _logger.warning("another process declares %.4g calls a second: that holds", lowest)
        self._lowest = lowest
        self.turns.rate = lowest
        version = as_text(other)
        if version and version != self._other_version:
            _logger.warning(
                "another process shares this quota with other scripts (%s, here %s): have all "
                "use one release of humeai_async", version, VERSION,
            )  # fmt: skip
        self._other_version = version


def _name_member() -> str:
    return f"{socket.gethostname()[:40]}:{os.getpid()}:{secrets.token_hex(3)}"
