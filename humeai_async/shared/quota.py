"""One quota for any number of processes, through a Redis or Valkey that they all reach.

Each process asks for a turn at a time, of the size that it has used lately, and no call waits for
a socket: calls wait for turns, as they wait for tokens otherwise. While the server is away each
process goes on by the share that it had, and all change back together. `limiter/turns.py` has the
rules of a process, `turn_script.py` those of the server; this joins the two.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import secrets
from typing import Any, Self
from weakref import WeakKeyDictionary

from humeai_async.errors import ConfigurationError, HumeError
from humeai_async.limiter.turns import Told, Turn, Turns
from humeai_async.shared.connection import Connection, RedisUnavailableError, shown
from humeai_async.shared.turn_script import CYCLE, RETURN_SECONDS, TURN

TIMEOUT = 0.25
"""Seconds that the server may take to respond: a hung one costs one such wait in all."""
TRY_AGAIN = (0.2, 0.6)
"""Seconds between tries of a server that is away, at least and at most."""
SMALLEST_BURST = 0.05
"""Seconds of calls that may go at once after a rest, where nothing is said."""
MARGIN = 0.99
"""Share of the declared rate that is used: clocks and networks jitter by that much."""

_logger = logging.getLogger("humeai_async.limiter")


class RedisQuota:
    """A quota that all processes of a fleet keep together.

    ```python
    quota = RedisQuota("redis://quota.internal:6379/0")
    HumeAI(limiter=Limiter(rate=200, shared=quota))  # the fleet's rate, however many there are
    ```

    Args:
        target: A URL such as `redis://user:password@host:6379/0`, `rediss://...` for TLS, or a
            `redis.asyncio.Redis`. It needs Redis 7 or Valkey 8, and little memory; `noeviction`
            is good advice.
        name: Name of the quota: processes that give the same one share it.

    Raises:
        ConfigurationError: It is no URL of a Redis or Valkey server, or the name is empty.
        MissingPackageError: redis is not installed.
    """

    def __init__(self, target: object, name: str = "default") -> None:
        if not name:
            raise ConfigurationError("a shared quota needs a name")
        self._target = target
        self._name = name
        Connection(target, timeout=TIMEOUT)  # says at once what is wrong with it
        self._connections: WeakKeyDictionary[asyncio.AbstractEventLoop, Connection] = (
            WeakKeyDictionary()
        )

    def __repr__(self) -> str:
        return f"RedisQuota({shown(self._target)!r}, name={self._name!r})"

    def join(self, bucket: str, rate: float, burst: float | None, told: Told) -> QuotaTurns:
        """Take part in one bucket's rate.

        Args:
            bucket: The limiter's name for it.
            rate: Calls a second of all together.
            burst: Calls that may go at once after a rest.
            told: Who is told of turns.
        """
        return QuotaTurns(self, f"humeai_async:{{{self._name}/{bucket}}}", rate, burst, told)

    def connection(self) -> Connection:
        """Return the connection of the event loop that runs."""
        loop = asyncio.get_running_loop()
        found = self._connections.get(loop)
        if found is None:
            found = self._connections[loop] = Connection(self._target, timeout=TIMEOUT)
        return found

    async def aclose(self) -> None:
        """Close the connection of the event loop that runs; it opens again when it is needed."""
        found = self._connections.pop(asyncio.get_running_loop(), None)
        if found is not None:
            await found.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class QuotaTurns:
    """Asks for the turns of one bucket in one process.

    Args:
        quota: The quota.
        prefix: How its keys begin, all with one hash tag.
        rate: Calls a second of all together.
        burst: Calls that may go at once after a rest.
        told: Who is told of turns.
    """

    def __init__(
        self, quota: RedisQuota, prefix: str, rate: float, burst: float | None, told: Told
    ) -> None:
        self._quota = quota
        self._keys = [f"{prefix}:{one}" for one in ("line", "members", "rates", "return", "early")]
        self._rate = rate * MARGIN
        self._burst = SMALLEST_BURST if burst is None else burst / self._rate
        self._told = told
        self._who = secrets.token_hex(6)
        self._trip: asyncio.Task[None] | None = None
        self._next_try = -math.inf
        self._problem: HumeError | None = None
        """What is wrong for good, as the last try has shown."""
        self._lowest = self._rate
        self.turns: Turns = Turns(self._rate, asyncio.get_running_loop().time())

    def ask(self, calls: int) -> None:
        """Ask for a turn in the background, if none is asked for and it is time."""
        loop = asyncio.get_running_loop()
        trip = self._trip
        if trip is not None and not trip.done() and trip.get_loop() is loop:
            return
        if loop.time() >= self._next_try:
            self._trip = loop.create_task(self._ask(calls))
        elif self._problem is not None:
            loop.call_soon(self._told.fail, self._problem)

    def restart(self) -> None:
        """Go on on another event loop, perhaps in another process: a member of its own."""
        self._who = secrets.token_hex(6)
        self._trip = None
        self._next_try = -math.inf

    async def _ask(self, calls: int) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(TIMEOUT):
                found = await self._quota.connection().run(
                    TURN,
                    self._keys,
                    (
                        self._who, calls, int(self._told.is_urgent), f"{self._rate:.6f}",
                        f"{self._burst:.6f}", CYCLE, int(self.turns.is_alone), RETURN_SECONDS,
                    ),
                )  # fmt: skip
        except (RedisUnavailableError, TimeoutError) as problem:
            self._lose(loop.time(), problem)
        except HumeError as problem:
            self._next_try = loop.time() + TRY_AGAIN[1]
            self._problem = problem
            self._told.fail(problem)
            return
        else:
            self._problem = None
            self._receive(loop.time(), found)
        self._told.turn_came()

    def _lose(self, now: float, problem: Exception) -> None:
        if not self.turns.is_alone:
            place = shown(self._quota.connection().place)
            _logger.warning(
                "the quota at %s cannot be reached (%s): going on alone", place, problem
            )
        self.turns.lose(now)
        self._next_try = now + random.uniform(*TRY_AGAIN)  # noqa: S311 - spreads the tries

    def _receive(self, now: float, found: Any) -> None:
        calls, first, gap, members, rate = found
        turn = Turn(calls=int(calls), first=float(first), gap=float(gap), members=int(members))
        if turn.calls:
            self._next_try = -math.inf
        else:
            self._next_try = now + turn.first
        self.turns.receive(now, turn)
        lowest = float(rate)
        if lowest < min(self._lowest, self._rate) * 0.999:
            _logger.warning("another process declares %.4g calls a second: that holds", lowest)
        self._lowest = lowest
        self.turns.rate = lowest
