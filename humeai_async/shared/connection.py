"""One connection to Redis or Valkey, with its errors in this library's words.

It runs scripts by their digest and loads them where the server does not have them. What is wrong
for good (a password, an address, a server that is none) is a `ConfigurationError`; everything
else is a `RedisUnavailableError`, of which each caller makes what it has to: the quota an outage,
the ledger a wait. It knows neither of them.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import AsyncGenerator, Generator, Sequence
from typing import Any
from urllib.parse import urlsplit

from humeai_async._base.packages import load_package
from humeai_async.errors import ConfigurationError

_SCHEMES = frozenset({"redis", "rediss", "unix", "valkey", "valkeys"})
_FOR_GOOD = ("NOAUTH", "WRONGPASS", "NOPERM", "CROSSSLOT", "ERR UNKNOWN COMMAND", "ERR AUTH")
"""How errors begin that no waiting mends."""


class RedisUnavailableError(Exception):
    """The server cannot be reached, does not respond in time, or cannot take writes now."""


class Script:
    """A script that the server runs, by its digest.

    Args:
        text: Its source in Lua.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.digest: str = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


class Connection:
    """A client of one server, for one event loop.

    Args:
        target: A URL such as `rediss://user:password@host:6379/0`, or a `redis.asyncio.Redis`
            (or `RedisCluster`), which stays its owner's to close.
        timeout: Seconds that the server may take to respond.

    Raises:
        ConfigurationError: The URL is none of a Redis server.
        MissingPackageError: redis is not installed.
    """

    def __init__(self, target: object, *, timeout: float) -> None:
        self._is_own = isinstance(target, str)
        self.place: str = shown(target)
        """The server's address, without user and password."""
        self._errors = load_package("redis.exceptions")
        self._client = _client(target, timeout) if isinstance(target, str) else target
        self._listener = _client(target, timeout, is_listening=True) if self._is_own else target

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[object]) -> Any:
        """Run a script.

        Raises:
            ConfigurationError: The server refuses it for good.
            RedisUnavailableError: It cannot be reached, or not written to, at the moment.
        """
        client: Any = self._client
        with self._explained():
            try:
                return await client.evalsha(script.digest, len(keys), *keys, *args)
            except self._errors.NoScriptError:
                return await client.eval(script.text, len(keys), *keys, *args)

    async def messages(self, channel: str) -> AsyncGenerator[str]:
        """Yield what is published on a channel, until the server is away.

        Raises:
            ConfigurationError: The server refuses it for good.
            RedisUnavailableError: The server cannot be reached, or has gone.
        """
        listener: Any = self._listener
        if not hasattr(listener, "pubsub"):  # clients of clusters, of old releases
            raise ConfigurationError(f"{type(listener).__name__} cannot listen to a channel")
        with self._explained():
            await listener.initialize()  # a cluster's client does not do so by itself
            subscription = listener.pubsub(ignore_subscribe_messages=True)
            try:
                await subscription.subscribe(channel)
                async for message in subscription.listen():
                    data = message["data"]
                    yield data.decode() if isinstance(data, bytes) else str(data)
            finally:
                with contextlib.suppress(self._errors.RedisError, OSError):
                    await subscription.aclose()

    async def aclose(self) -> None:
        """Close the clients, unless they were given."""
        if self._is_own:
            clients: tuple[Any, ...] = (self._client, self._listener)
            for client in clients:
                with contextlib.suppress(self._errors.RedisError, OSError):
                    await client.aclose()

    @contextlib.contextmanager
    def _explained(self) -> Generator[None]:
        try:
            yield
        except (self._errors.AuthenticationError, self._errors.NoPermissionError) as problem:
            wrong = str(problem)
        except self._errors.MovedError:
            wrong = (
                "it is one node of a cluster and has other keys: give a redis.asyncio.RedisCluster"
            )
        except self._errors.ClusterCrossSlotError as problem:
            wrong = f"CROSSSLOT {problem}"
        except (self._errors.RedisError, OSError) as problem:
            wrong = str(problem)
            if not _is_for_good(self._errors, problem):
                raise RedisUnavailableError(f"{self.place}: {_line(wrong)}") from None
        else:
            return
        raise ConfigurationError(f"the server {self.place} refuses it: {_line(wrong)}")


def shown(target: object) -> str:
    """Return a server's address without what is secret in it."""
    if not isinstance(target, str):
        return type(target).__name__
    try:
        parts = urlsplit(target)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        return "(no URL)"
    return f"{parts.scheme}://{host}{port}{parts.path}"


def _client(url: Any, timeout: float, *, is_listening: bool = False) -> Any:
    scheme = url.partition("://")[0].lower()
    if "://" not in url or scheme not in _SCHEMES:
        raise ConfigurationError(
            f"{shown(url)} is no URL of a Redis or Valkey server: write redis://host:6379/0, or "
            "rediss://... for TLS"
        )
    redis = load_package("redis.asyncio")
    retry = load_package("redis.asyncio.retry").Retry(load_package("redis.backoff").NoBackoff(), 0)
    try:
        return redis.Redis.from_url(
            scheme.replace("valkey", "redis") + url[len(scheme) :],
            socket_timeout=None if is_listening else timeout,  # a listener may wait for ever
            socket_keepalive=is_listening,
            socket_connect_timeout=timeout,
            retry=retry,
        )
    except (ValueError, TypeError) as problem:
        reason = _line(str(problem)).replace(url, shown(url))
    raise ConfigurationError(f"{shown(url)} cannot be used: {reason}")


def _is_for_good(errors: Any, problem: Exception) -> bool:
    """Whether a server refuses for good."""
    text = str(problem).upper()
    if isinstance(problem, errors.InvalidResponse) or "PROTOCOL ERROR" in text:
        return True  # it speaks something else
    return isinstance(problem, errors.ResponseError) and text.startswith(_FOR_GOOD)


def _line(text: str) -> str:
    return " ".join(text.split())[:200]
