"""The ledger of a run over many workers, in Redis or Valkey.

A partition has two keys under one hash tag, so that a cluster keeps them together: who holds it,
and its steps. Both go when its results are in place: a few kilobytes a partition under way, and
nothing afterwards. What is written is fenced: only the last that took a partition may add to it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
from attrs import define

from humeai_async._base.cancellation import run_uncancelled
from humeai_async._base.event_loops import PerLoop
from humeai_async.errors import ConfigurationError, LedgerError
from humeai_async.shared.connection import (
    Connection,
    RedisUnavailableError,
    Script,
    hold_target,
    reveal_url,
    shown,
)

KEPT_SECONDS = 30 * 24 * 3600
"""Seconds after its last step for which a partition's steps are kept."""
TIMEOUT = 5.0
"""Seconds that the server may take to respond."""
PATIENCE = 60.0
"""Seconds that a step waits for a server that cannot be reached."""
_PAUSES = (0.1, 0.2, 0.5, 1.0, 2.0)

_TAKE = Script("""
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
local steps = redis.call('LRANGE', KEYS[2], 0, -1)
if #steps == 0 then redis.call('RPUSH', KEYS[2], ARGV[3]) end
redis.call('EXPIRE', KEYS[2], ARGV[2])
return steps
""")
_APPEND = Script("""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
local written = redis.call('LLEN', KEYS[2]) - tonumber(ARGV[3])
if written < 0 or written > #ARGV - 3 then return -2 end
for n = 4 + written, #ARGV do redis.call('RPUSH', KEYS[2], ARGV[n]) end
redis.call('EXPIRE', KEYS[1], ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[2])
return 1
""")
"""A trip whose response was lost is made again: its first steps may stand there already."""
_DROP = Script("""
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1], KEYS[2]) end
return 1
""")


class RedisLedger:
    """Where the workers of a run write down what they submit, so that nothing is paid twice.

    Give it to `predict_over` or `work`. Each worker that has it connects by itself. Should the
    server lose everything, the jobs are looked for in Hume's own list: `appendonly yes` is good
    advice, and no condition.

    Args:
        target: A URL such as `redis://user:password@host:6379/0`, `rediss://...` for TLS, or a
            `redis.asyncio.Redis`, which cannot go to other processes.

    Raises:
        ConfigurationError: It is no URL of a Redis or Valkey server.
        MissingPackageError: redis is not installed.
    """

    def __init__(self, target: object) -> None:
        held = hold_target(target)
        del target  # so that no traceback shows its password
        self._target = held
        self._held = PerLoop(lambda _: _Held())
        self.connect()  # says at once what is wrong with it

    def __reduce__(self) -> tuple[object, ...]:
        # Other processes connect by themselves.
        return RedisLedger, (reveal_url(self._target),)

    def __repr__(self) -> str:
        return f"RedisLedger({shown(self._target)!r})"

    def connect(self) -> Connection:
        """Make a connection, for the event loop that runs; it connects when it is used."""
        return Connection(self._target, timeout=TIMEOUT)

    @asynccontextmanager
    async def connected(self) -> AsyncGenerator[Connection]:
        """Give a connection, one for all who have it on this event loop at the same time."""
        held = self._held.current()
        if held.connection is None:
            held.connection = self.connect()
        held.users += 1
        try:
            yield held.connection
        finally:
            held.users -= 1
            if not held.users:
                unused, held.connection = held.connection, None
                await run_uncancelled(unused.aclose())

    def log(self, connection: Connection, run: str, number: int) -> RedisStepLog:
        """Return the steps of one partition, which nobody has taken yet."""
        return RedisStepLog(connection, f"humeai_async:{{{run}:{number}}}")


@define
class _Held:
    """The connection of an event loop, while anybody has it."""

    connection: Connection | None = None
    users: int = 0


class RedisStepLog:
    """The steps of one partition, in Redis.

    Args:
        connection: Where.
        prefix: How its keys begin.
    """

    def __init__(self, connection: Connection, prefix: str) -> None:
        self._connection = connection
        self._keys = (f"{prefix}:holder", f"{prefix}:steps")
        self._token = secrets.token_hex(8)
        self._count = 0

    async def take(self, first: bytes) -> list[bytes]:
        """Become the partition's holder; returns the steps so far."""
        found = await self._run(_TAKE, self._token, KEPT_SECONDS, first)
        self._count = max(1, len(found))
        if any(not isinstance(one, bytes) for one in found):
            raise ConfigurationError("give a ledger a client without decode_responses")
        return list(found)

    async def append(self, steps: Sequence[bytes]) -> None:
        """Write steps down, for good."""
        count = await self._run(_APPEND, self._token, KEPT_SECONDS, self._count, *steps)
        if count < 0:
            why = "another worker has taken it" if count == -1 else "some of its steps are gone"
            raise LedgerError(
                f"a partition cannot be gone on with: {why}, or the ledger "
                f"{self._connection.place} has lost it. Start the run again"
            )
        self._count += len(steps)

    async def drop(self) -> None:
        """Delete the steps from the server, once the run is over."""
        await self._run(_DROP, self._token)

    async def _run(self, script: Script, *args: object) -> Any:
        """Run a script, for as long as the patience lasts; each may be run twice."""
        until = time.monotonic() + PATIENCE
        attempt = 0
        while True:
            try:
                return await self._connection.run(script, self._keys, args)
            except RedisUnavailableError as problem:
                reason = str(problem)
            if time.monotonic() >= until:
                raise LedgerError(
                    f"the ledger cannot be used: {reason}. Nothing is lost: start the run again "
                    "when it can"
                )
            await anyio.sleep(_PAUSES[min(attempt, len(_PAUSES) - 1)])
            attempt += 1
