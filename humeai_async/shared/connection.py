"""One connection to Redis or Valkey, with its errors in this library's words.

It runs scripts by their digest and loads them where the server does not have them. What is wrong
for good (a password, an address, a server that is none) is a `ConfigurationError`; everything
else is a `RedisUnavailableError`, of which each caller makes what it has to: the quota an outage,
the ledger a wait. It knows neither of them.
"""

from __future__ import annotations

import contextlib
import hashlib
import ssl
from collections.abc import AsyncGenerator, Sequence
from typing import Any
from urllib.parse import urlsplit

from humeai_async._base.packages import load_package
from humeai_async._base.secret import Secret
from humeai_async.errors import ConfigurationError

_SCHEMES = frozenset({"redis", "rediss", "unix", "valkey", "valkeys"})
_WITH_TLS = ("rediss:", "valkeys:")
_FOR_GOOD = (
    "NOAUTH", "WRONGPASS", "NOPERM", "AUTH", "CROSSSLOT", "UNKNOWN COMMAND",
    "UNKNOWN REDIS COMMAND", "DB INDEX IS OUT OF RANGE", "SELECT IS NOT ALLOWED",
)  # fmt: skip
"""How errors begin that no waiting mends; a client leaves out `ERR`."""


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
        target: What `hold_target` has made of a URL such as `rediss://user:password@host:6379/0`,
            or of a `redis.asyncio.Redis` (or `RedisCluster`), which stays its owner's to close.
        timeout: Seconds that the server may take to respond.

    Raises:
        ConfigurationError: The URL is none of a Redis server.
        MissingPackageError: redis is not installed.
    """

    def __init__(self, target: object, *, timeout: float) -> None:
        self._is_own = isinstance(target, Secret)
        self.place: str = shown(target)
        """The server's address, without user and password."""
        self._errors = load_package("redis.exceptions")
        # Used from here alone: some releases show the password in a client's repr, and a traceback
        # may show all variables of a method.
        self._client: Any = target
        self._listener: Any = target
        self._url: Secret | None = None
        if isinstance(target, Secret):
            self._url, self._timeout = target, timeout
            self._client, self._listener = _client(target, timeout), None

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[object]) -> Any:
        """Run a script.

        Raises:
            ConfigurationError: The server refuses it for good.
            RedisUnavailableError: It cannot be reached, or not written to, at the moment.
        """
        try:
            try:
                return await self._client.evalsha(script.digest, len(keys), *keys, *args)
            except self._errors.NoScriptError:
                return await self._client.eval(script.text, len(keys), *keys, *args)
        except (self._errors.RedisError, OSError) as problem:
            explained = self._explain(problem)
        raise explained  # here, so that no frame of the client stands behind it

    async def messages(self, channel: str) -> AsyncGenerator[str]:
        """Yield what is published on a channel, until the server is away.

        Raises:
            ConfigurationError: The server refuses it for good.
            RedisUnavailableError: The server cannot be reached, or has gone.
        """
        if self._url is not None and self._listener is None:
            self._listener = _client(self._url, self._timeout, is_listening=True)
        if not hasattr(self._listener, "pubsub"):  # clients of clusters, of old releases
            raise ConfigurationError(f"{type(self._listener).__name__} cannot listen to a channel")
        try:
            await self._listener.initialize()  # a cluster's client does not do so by itself
            subscription = self._listener.pubsub(ignore_subscribe_messages=True)
            try:
                await subscription.subscribe(channel)
                async for message in subscription.listen():
                    data = message["data"]
                    yield data.decode() if isinstance(data, bytes) else str(data)
            finally:
                with contextlib.suppress(self._errors.RedisError, OSError):
                    await subscription.aclose()
        except (self._errors.RedisError, OSError) as problem:
            explained = self._explain(problem)
        else:
            return
        raise explained

    async def aclose(self) -> None:
        """Close the clients, unless they were given."""
        if self._is_own:
            for client in (self._client, self._listener):
                with contextlib.suppress(self._errors.RedisError, OSError):
                    if client is not None:
                        await client.aclose()

    def _explain(self, problem: Exception) -> ConfigurationError | RedisUnavailableError:
        """Return an error of the client in this library's words."""
        wrong = str(problem)
        if isinstance(problem, self._errors.MovedError):
            wrong = (
                "it is one node of a cluster and has other keys: give a redis.asyncio.RedisCluster"
            )
        elif isinstance(problem, self._errors.ClusterCrossSlotError):
            wrong = f"CROSSSLOT {problem}"
        elif isinstance(problem, self._errors.AuthenticationError) or "HELLO AUTH" in wrong:
            wrong = f"user or password in its URL are missing or wrong ({wrong})"
        elif _is_untrusted(problem, is_tls=self.place.startswith(_WITH_TLS)):
            wrong = f"its certificate cannot be checked: give ssl_ca_certs in the URL ({wrong})"
        elif not _is_for_good(self._errors, problem):
            if "maxmemory" in wrong:
                wrong = f"its memory is full, raise maxmemory or free some there ({wrong})"
            return RedisUnavailableError(f"{self.place}: {_line(wrong)}")
        return ConfigurationError(f"the server {self.place} refuses it: {_line(wrong)}")


def hold_target(target: object) -> object:
    """Hold a URL so that nothing shows its password; a client is returned as it is.

    Raises:
        ConfigurationError: It is neither a URL nor an asynchronous client.
    """
    held = Secret(target) if isinstance(target, str) else target
    del target  # so that no traceback shows it
    is_client = hasattr(held, "evalsha") and (
        hasattr(held, "__aenter__") or not hasattr(held, "__enter__")
    )
    if not isinstance(held, Secret) and not is_client:
        raise ConfigurationError(
            "give the URL of a Redis or Valkey server, such as redis://host:6379/0, or a "
            f"redis.asyncio.Redis, not {type(held).__name__}"
        )
    return held


def reveal_url(target: object) -> str:
    """Return a held URL, for another process that connects by itself.

    Raises:
        TypeError: It is a client.
    """
    if not isinstance(target, Secret):
        raise TypeError("what was made with a client cannot go to other processes")
    return target.reveal()


def shown(target: object) -> str:
    """Return a held URL without what may be secret in it, or the name of a client's type."""
    if not isinstance(target, Secret):
        return type(target).__name__
    return _read_place(target) or "(no URL)"


def _read_place(url: Secret) -> str | None:
    """Return scheme, host, port and path of a URL; `None` where they cannot be told for sure."""
    try:
        parts = urlsplit(url.reveal())
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    # What stands before a further @ is the half of a password that is not escaped.
    if "://" not in url.reveal() or "@" in parts.path + parts.query + parts.fragment:
        return None
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}{'' if port is None else f':{port}'}{parts.path}"


def _client(url: Secret, timeout: float, *, is_listening: bool = False) -> Any:
    """Make a client; it connects when it is used."""
    place = _read_place(url)
    scheme = "" if place is None else place.partition("://")[0]
    if scheme not in _SCHEMES:
        raise ConfigurationError(
            f"{shown(url)} is no URL of a Redis or Valkey server: write redis://host:6379/0, or "
            "rediss://... for TLS, with user and password percent-encoded"
        )
    database = urlsplit(url.reveal()).path.strip("/")
    if scheme != "unix" and database and not database.isdecimal():
        # The client would take database 0, where others with the right number are not.
        raise ConfigurationError(f"{place} has no number of a database at its end, such as /0")
    redis = load_package("redis.asyncio")
    retry = load_package("redis.asyncio.retry").Retry(load_package("redis.backoff").NoBackoff(), 0)
    try:
        made = redis.Redis.from_url(
            scheme.replace("valkey", "redis") + url.reveal()[len(scheme) :],
            socket_timeout=None if is_listening else timeout,  # a listener may wait for ever
            socket_keepalive=is_listening,
            socket_connect_timeout=timeout,
            retry=retry,
        )
        made.connection_pool.make_connection()  # which refuses options that it does not know
    except (ValueError, TypeError) as problem:
        reason = url.redact(_line(str(problem)))
    else:
        return made
    raise ConfigurationError(f"{place} cannot be used: {reason}")


def _is_untrusted(problem: BaseException | None, *, is_tls: bool) -> bool:
    """Whether a certificate is none that is trusted, or a file to check it with is not there."""
    while problem is not None and is_tls:
        if isinstance(problem, (ssl.SSLCertVerificationError, FileNotFoundError)):
            return True
        problem = problem.__cause__ or problem.__context__
    return False


def _is_for_good(errors: Any, problem: Exception) -> bool:
    """Whether a server refuses for good."""
    text = str(problem).upper()
    if isinstance(problem, errors.InvalidResponse) or "PROTOCOL ERROR" in text:
        return True  # it speaks something else
    if isinstance(problem, (errors.AuthenticationError, errors.NoPermissionError)):
        return True
    return isinstance(problem, errors.ResponseError) and text.startswith(_FOR_GOOD)


def _line(text: str) -> str:
    return " ".join(text.split())[:200]
