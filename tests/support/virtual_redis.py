"""A Redis in virtual time, which runs the real scripts: with a delay each way, and losses.

Its clock is that of the event loop that runs. It has the commands that the scripts use, nothing
expires, and its timing is no evidence for a real one: it shows faults of order and lateness.
"""

from __future__ import annotations

import asyncio
import importlib
import random
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable
from typing import Any

EPOCH = 1_700_000_000.0


class VirtualRedis:
    """One server, and its client for any number of limiters.

    Args:
        delay: Seconds of each way.
        loss: Share of requests that are never answered.
        seed: For delays, which differ by half, and losses.
    """

    def __init__(self, delay: float = 0.0003, loss: float = 0.0, seed: int = 0) -> None:
        self.delay, self.loss = delay, loss
        self.is_away = False
        self.trips = 0
        self._chance = random.Random(seed)  # noqa: S311 - traffic, no secret
        self.listeners: list[tuple[str, asyncio.Queue[str]]] = []
        self._lua = importlib.import_module("lupa.lua51").LuaRuntime(unpack_returned_tuples=True)
        self._scripts: dict[str, Any] = {}
        self.empty()
        self._lua.globals().redis = self._lua.table_from({"call": self._call})

    def empty(self) -> None:
        """Lose everything."""
        self.texts: dict[str, str] = {}
        self.hashes: dict[str, dict[str, str]] = defaultdict(dict)
        self.sorted: dict[str, dict[str, float]] = defaultdict(dict)
        self.sets: dict[str, set[str]] = defaultdict(set)

    async def initialize(self) -> None:
        """Be a client."""

    async def evalsha(self, *_: object) -> Any:
        raise importlib.import_module("redis.exceptions").NoScriptError("none is kept")

    async def eval(self, text: str, keys: int, *args: object) -> Any:
        await self._travel()
        self.trips += 1
        script = self._scripts.get(text)
        if script is None:
            script = self._scripts[text] = self._lua.eval(f"function(KEYS, ARGV) {text} end")
        words = [str(one) for one in args]
        found = script(self._lua.table(*words[:keys]), self._lua.table(*words[keys:]))
        await self._travel()
        return self._from_lua(found)

    def pubsub(self, **_: object) -> _Subscription:
        return _Subscription(self)

    async def _travel(self) -> None:
        if self.is_away or self._chance.random() < self.loss:
            await asyncio.sleep(3600)
        await asyncio.sleep(self.delay * self._chance.uniform(0.5, 1.5))

    def _from_lua(self, found: Any) -> Any:
        if found is False:
            return None
        if isinstance(found, (int, float)):
            return int(found)
        if isinstance(found, str):
            return found.encode()
        return [self._from_lua(found[n + 1]) for n in range(len(found))]

    def _call(self, name: str, *words: Any) -> Any:
        key, *rest = [_text(one) for one in words] or [""]
        command: Callable[..., Any] = getattr(self, f"_{name.lower()}")
        found = command(key, *rest)
        if isinstance(found, list):
            return self._lua.table(*found)
        return False if found is None else found

    def _time(self, _: str) -> list[str]:
        now = EPOCH + asyncio.get_running_loop().time()
        return [str(int(now)), str(int(now % 1 * 1e6))]

    def _get(self, key: str) -> str | None:
        return self.texts.get(key)

    def _set(self, key: str, text: str, *_: str) -> bool:
        self.texts[key] = text
        return True

    def _expire(self, *_: str) -> int:
        return 1

    def _zadd(self, key: str, score: str, member: str) -> int:
        self.sorted[key][member] = float(score)
        return 1

    def _zremrangebyscore(self, key: str, _: str, end: str) -> int:
        most = float(end.lstrip("("))
        kept = {one: at for one, at in self.sorted[key].items() if at >= most}
        self.sorted[key] = kept
        return 0

    def _zrange(self, key: str, *_: str) -> list[str]:
        return sorted(self.sorted[key], key=self.sorted[key].__getitem__)

    def _zcount(self, key: str, begin: str, _: str) -> int:
        return sum(at >= float(begin) for at in self.sorted[key].values())

    def _zcard(self, key: str) -> int:
        return len(self.sorted[key])

    def _hget(self, key: str, name: str) -> str | None:
        return self.hashes[key].get(name)

    def _hmget(self, key: str, *names: str) -> list[Any]:
        return [self.hashes[key].get(name, False) for name in names]

    def _hset(self, key: str, *words: str) -> int:
        self.hashes[key].update(zip(words[::2], words[1::2], strict=True))
        return 1

    def _hsetnx(self, key: str, name: str, text: str) -> int:
        return int(self.hashes[key].setdefault(name, text) == text)

    def _hdel(self, key: str, *names: str) -> int:
        return len([self.hashes[key].pop(name, None) for name in names])

    def _hexists(self, key: str, name: str) -> int:
        return int(name in self.hashes[key])

    def _hlen(self, key: str) -> int:
        return len(self.hashes[key])

    def _hgetall(self, key: str) -> list[str]:
        return [word for pair in self.hashes[key].items() for word in pair]

    def _hincrby(self, key: str, name: str, by: str) -> int:
        number = int(self.hashes[key].get(name, "0")) + int(by)
        self.hashes[key][name] = str(number)
        return number

    def _hincrbyfloat(self, key: str, name: str, by: str) -> str:
        self.hashes[key][name] = str(float(self.hashes[key].get(name, "0")) + float(by))
        return self.hashes[key][name]

    def _sadd(self, key: str, member: str) -> int:
        self.sets[key].add(member)
        return 1

    def _smembers(self, key: str) -> list[str]:
        return sorted(self.sets[key])

    def _publish(self, channel: str, text: str) -> int:
        loop = asyncio.get_running_loop()
        for name, queue in self.listeners:
            if name == channel and not self.is_away:
                loop.call_later(self.delay * self._chance.uniform(0.5, 1.5), queue.put_nowait, text)
        return len(self.listeners)


class _Subscription:
    def __init__(self, server: VirtualRedis) -> None:
        self._server = server
        self._queue: asyncio.Queue[str] = asyncio.Queue()

    async def subscribe(self, channel: str) -> None:
        self._server.listeners.append((channel, self._queue))

    async def listen(self) -> AsyncGenerator[dict[str, str]]:
        while True:
            yield {"data": await self._queue.get()}

    async def aclose(self) -> None:
        kept = [one for one in self._server.listeners if one[1] is not self._queue]
        self._server.listeners[:] = kept


def _text(word: Any) -> str:
    if isinstance(word, float) and word.is_integer():
        return str(int(word))
    return word.decode() if isinstance(word, bytes) else str(word)
