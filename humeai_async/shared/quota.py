"""One quota for any number of processes, through a Redis or Valkey that they all reach.

Each process asks for a turn at a time, of the size that it has used lately, and no call waits for
a socket: calls wait for turns, as they wait for tokens otherwise. While the server is away each
process goes on by the share that it had, and all change back together. A 429 that one of them meets
stops all at once, and one tries when it may go on. `turn_source.py` asks for the turns.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import logging
import random
from contextlib import aclosing
from typing import TYPE_CHECKING, Final, Self, get_args
from weakref import WeakSet

from humeai_async._base.event_loops import PerLoop
from humeai_async.errors import APIConnectionError, ConfigurationError, HumeError
from humeai_async.shared.connection import (
    Connection,
    RedisUnavailableError,
    hold_target,
    reveal_url,
    shown,
)
from humeai_async.shared.scripts import BUCKETS, KEYS, STATE, as_text
from humeai_async.shared.state import BucketShares, read_bucket
from humeai_async.shared.turn_source import FIRST_TIMEOUT, TRY_AGAIN, Outage, QuotaTurns

if TYPE_CHECKING:
    from humeai_async.limiter.bucket import Bucket

RESPONSE_SECONDS: Final = 5.0
"""Seconds that the server may take to say how the quota stands, for people who ask."""

_logger = logging.getLogger("humeai_async.limiter")


class RedisQuota:
    """A quota that all processes of a fleet keep together.

    ```python
    quota = RedisQuota("redis://quota.internal:6379/0")
    HumeAI(limiter=Limiter(shared=quota))            # all find the rate out together
    HumeAI(limiter=Limiter(rate=200, shared=quota))  # the fleet's rate, however many there are
    ```

    Args:
        target: A URL such as `redis://user:password@host:6379/0`, `rediss://...` for TLS, or a
            `redis.asyncio.Redis` or `RedisCluster`. It needs Redis 7 or Valkey 8, and little
            memory; `noeviction` is good advice.
        name: Name of the quota: processes that give the same one share it.
        outage: What calls do while the server is away. `"share"` goes on at the rate that this
            process had; `"stop"` raises `RateLimitWaitError` with the seconds to the next try;
            `"alone"` has each process find out by itself what it may send, from its share on.

    Raises:
        ConfigurationError: It is no URL of a Redis or Valkey server, the name is empty or has
            braces in it, or there is no such outage.
        MissingPackageError: redis is not installed.
    """

    def __init__(self, target: object, name: str = "default", outage: Outage = "share") -> None:
        held = hold_target(target)
        del target  # so that no traceback shows its password
        self._target = held
        if not name or {"{", "}"} & set(name):
            raise ConfigurationError("a shared quota needs a name, without braces")
        if outage not in get_args(Outage):
            known = ", ".join(map(repr, get_args(Outage)))
            raise ConfigurationError(f"outage must be one of {known}, not {outage!r}")
        self._name = name
        self._outage: Outage = outage
        Connection(held, timeout=FIRST_TIMEOUT)  # says at once what is wrong with it
        self._links = PerLoop(self._link)

    def __reduce__(self) -> tuple[object, ...]:
        # Other processes connect by themselves.
        given = reveal_url(self._target), self._name
        return functools.partial(RedisQuota, outage=self._outage), given

    def __repr__(self) -> str:
        return f"RedisQuota({shown(self._target)!r}, name={self._name!r}, outage={self._outage!r})"

    @property
    def _prefix(self) -> str:
        """How all keys begin; a cluster keeps those of one quota together."""
        return f"humeai_async:{{{self._name}}}"

    def join(self, bucket: Bucket, rate: float | None, burst: float | None) -> QuotaTurns:
        """Take part in one bucket's rate.

        Args:
            bucket: The limiter's; told when turns come, or cannot come.
            rate: Calls a second of all together; `None` where all learn it together.
            burst: Calls that may go at once after a rest.
        """
        account, slash, product = bucket.name.rpartition("/")
        if account:
            # Of the credential the server sees a digest that is of no use elsewhere.
            key = self._name.encode()[:64]
            account = hashlib.blake2b(account.encode(), digest_size=6, key=key).hexdigest()
        source = QuotaTurns(
            self.connection, f"{account}{slash}{product}", self._prefix, rate, burst, bucket,
            self._outage,
        )  # fmt: skip
        self._links.current().join(source)
        return source

    async def state(self) -> list[BucketShares]:
        """Return how the quota stands on the server: a list of its buckets, by name.

        Costs no call of Hume, and changes nothing.

        Raises:
            APIConnectionError: The server cannot be reached.
            ConfigurationError: It refuses this for good.
        """
        connection = Connection(self._target, timeout=RESPONSE_SECONDS)
        prefix, found = self._prefix, list[BucketShares]()
        try:
            names = sorted(map(as_text, await connection.run(BUCKETS, [f"{prefix}:buckets"], ())))
            for name in names:
                keys = [f"{prefix}:{name}:{one}" for one in KEYS]
                bucket = read_bucket(name, await connection.run(STATE, keys, ()))
                if bucket is not None:
                    found.append(bucket)
        except RedisUnavailableError as problem:
            reason = str(problem)
        else:
            return found
        finally:
            await connection.aclose()
        raise APIConnectionError(f"the quota cannot be reached: {reason}")

    def connection(self) -> Connection:
        """Return the connection of the event loop that runs."""
        return self._links.current().connection

    async def aclose(self) -> None:
        """Close the connection of the event loop that runs; it opens again when it is needed."""
        found = self._links.pop()
        if found is not None:
            await found.aclose()

    def _link(self, _: asyncio.AbstractEventLoop) -> _Link:
        return _Link(Connection(self._target, timeout=FIRST_TIMEOUT), f"{self._prefix}:gate")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class _Link:
    """The connection of one event loop, and who listens on it for what stops everybody.

    Args:
        connection: The connection.
        channel: What is listened to.
    """

    def __init__(self, connection: Connection, channel: str) -> None:
        self.connection = connection
        self._channel = channel
        self._sources: WeakSet[QuotaTurns] = WeakSet()
        self._listening: asyncio.Task[None] | None = None

    def join(self, source: QuotaTurns) -> None:
        """Tell a source of turns when the gate is closed or opened."""
        self._sources.add(source)
        if self._listening is None:
            self._listening = asyncio.get_running_loop().create_task(self._listen())

    async def aclose(self) -> None:
        """End listening, and close the connection."""
        task, self._listening = self._listening, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        for source in list(self._sources):
            await source.aclose()
        await self.connection.aclose()

    async def _listen(self) -> None:
        while True:
            try:
                async with aclosing(self.connection.messages(self._channel)) as messages:
                    async for message in messages:
                        self._pass_on(message)
            except RedisUnavailableError:
                pass  # who asks for turns finds out too, and says so
            except HumeError as problem:
                # What is refused for good is raised for whoever asks for a turn. Stops are seen
                # with the next turn instead.
                _logger.debug("nobody listens for the gate of a shared quota: %s", problem)
                return
            except Exception:
                _logger.exception("nobody listens for the gate of a shared quota")
                return
            await asyncio.sleep(random.uniform(*TRY_AGAIN))  # noqa: S311 - spreads the tries

    def _pass_on(self, message: str) -> None:
        bucket, era, seconds, rest = message.rsplit(" ", 3)
        for source in list(self._sources):
            if source.bucket == bucket:
                source.hold(int(era), float(seconds), rest)
