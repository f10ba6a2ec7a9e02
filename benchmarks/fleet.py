"""Fleets of processes on one quota, and a redis-server of our own: what benchmarks of them need.

A process of a fleet makes calls and notes when each went. Where the quota is to be found out there
is a service that enforces one and does not say so, over a connection for each caller.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Sequence
from typing import Any, TypeAlias

from attrs import asdict, frozen

from humeai_async import Limiter
from humeai_async.limiter.limiter import BULK, INTERACTIVE
from humeai_async.shared import RedisQuota
from humeai_async.testing import Quota

Call: TypeAlias = Callable[[], Coroutine[Any, Any, float]]
"""Makes a call; returns how long it waited for its turn, negative if it met a 429."""

LEAD = 0.5
"""Seconds from the signal to the start."""
WARM_UP = 1.0
"""Seconds at the start of a run that count for nothing."""
REFUSED = 429


@frozen(kw_only=True)
class Job:
    """What one process does."""

    url: str
    rate: float
    seconds: float = 6.0
    callers: int = 8
    pause: float = 0.0
    """Seconds between two calls of a caller."""
    is_urgent: bool = False
    way: str = "shared"
    """`shared`, `alone` (a limiter of its own) or `limits` (the library)."""
    service: int = 0
    """Port of a service that enforces the rate; limiters are not given it then."""


@contextlib.asynccontextmanager
async def _pacing(job: Job) -> AsyncGenerator[Callable[[], Coroutine[Any, Any, Any]]]:
    """Give what waits until a call may go, and returns what takes its outcome."""
    if job.way == "limits":
        limits = importlib.import_module("limits")
        storage = importlib.import_module("limits.storage").storage_from_string(
            f"async+{job.url}", implementation="redispy"
        )
        line = importlib.import_module("limits.aio.strategies").MovingWindowRateLimiter(storage)
        item = limits.RateLimitItemPerSecond(int(job.rate))

        async def poll() -> Callable[..., None]:
            while not await line.hit(item, "fleet"):  # noqa: ASYNC110 - it has no way to wait
                await asyncio.sleep(0.005)
            return lambda *_: None

        yield poll
        return
    priority = INTERACTIVE if job.is_urgent else BULK
    async with RedisQuota(job.url) as quota:
        shared = quota if job.way == "shared" else None
        limiter = Limiter(rate=None if job.service else job.rate, shared=shared)

        async def acquire() -> Callable[..., None]:
            return (await limiter.acquire(priority=priority)).done

        yield acquire


async def work(job: Job) -> list[tuple[float, float]]:
    """Make calls from a common start on; returns when each went, and how long it waited."""
    went: list[tuple[float, float]] = []

    async def call(wait: Callable[[], Coroutine[Any, Any, Any]], start: float) -> None:
        service = await _connected(job.service)
        while (began := time.monotonic()) < start + job.seconds:
            done = await wait()
            now = time.monotonic()
            status, headers = await service()
            done(status, headers)
            waited = now - began
            went.append((now - start, -1.0 if status == REFUSED else waited))
            if job.pause:
                await asyncio.sleep(job.pause)

    async with _pacing(job) as wait:
        if not job.service:
            (await wait())(200, {})  # by then all is imported and connected
        print("ready", flush=True)
        start = float(await asyncio.to_thread(sys.stdin.readline))
        await asyncio.sleep(start - time.monotonic())
        await asyncio.gather(*(call(wait, start) for _ in range(job.callers)))
    return went


async def _connected(port: int) -> Callable[[], Coroutine[Any, Any, tuple[int, dict[str, str]]]]:
    """Give what asks a service, or where there is none, lets everything through."""
    if not port:

        async def allow() -> tuple[int, dict[str, str]]:
            return 200, {}

        return allow
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def ask() -> tuple[int, dict[str, str]]:
        writer.write(b"call\n")
        status, headers = json.loads(await reader.readline())
        return status, headers

    return ask


@contextlib.contextmanager
def enforcing(quota: Quota) -> Generator[int]:
    """Run a service that enforces a quota, in a thread; give its port."""
    loop = asyncio.new_event_loop()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            verdict = quota.take()
            headers = {name.lower(): text for name, text in verdict.headers.items()}
            answered = [200 if verdict.allowed else REFUSED, headers]
            writer.write(json.dumps(answered).encode() + b"\n")

    server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def begin(jobs: Sequence[Job]) -> list[subprocess.Popen[bytes]]:
    """Start processes, wait until all have imported what they need, and give the signal."""
    words = [sys.executable, "-m", "benchmarks.fleet"]
    processes = [
        subprocess.Popen(  # noqa: S603 - this program
            [*words, json.dumps(asdict(job))], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for job in jobs
    ]
    for one in processes:
        if one.stdout is not None:
            one.stdout.readline()
    start = time.monotonic() + LEAD
    for one in processes:
        if one.stdin is not None:
            one.stdin.write(f"{start}\n".encode())
            one.stdin.flush()
    time.sleep(LEAD)
    return processes


class Calls:
    """What came of a run: when calls went, by process."""

    def __init__(self, found: Sequence[Sequence[tuple[float, float]]], rate: float) -> None:
        self.found: list[list[tuple[float, float]]] = [
            [(at, wait) for at, wait in one if wait >= 0.0] for one in found
        ]
        """Calls that were let in."""
        self.rate = rate
        self.times: list[float] = sorted(at for one in self.found for at, _ in one)
        self._refused: list[float] = [at for one in found for at, wait in one if wait < 0.0]

    def refused(self, begin: float = 0.0, end: float = 1e9) -> float:
        """Return the share of calls that met a 429."""
        refused = sum(begin <= at < end for at in self._refused)
        return refused / max(1, refused + sum(begin <= at < end for at in self.times))

    def pace(self, begin: float, end: float) -> float:
        """Return the share of the rate that was used between two times."""
        return sum(begin <= at < end for at in self.times) / (end - begin) / self.rate

    def most(self, begin: float = WARM_UP, end: float = 1e9) -> float:
        """Return the most calls within any second, as a share of the rate."""
        times = [at for at in self.times if begin <= at < end]
        first = most = 0
        for last, at in enumerate(times):
            while times[first] <= at - 1.0:
                first += 1
            most = max(most, last - first + 1)
        return most / self.rate

    def gap(self, begin: float, end: float) -> float:
        """Return the longest time without a call."""
        times = [begin, *(at for at in self.times if begin <= at < end), end]
        return max(after - before for before, after in itertools.pairwise(times))

    def jain(self, begin: float = 0.0) -> float:
        """Return how fair shares are: 1 where all are the same."""
        counts = [sum(at >= begin for at, _ in one) for one in self.found]
        return sum(counts) ** 2 / (len(counts) * sum(count**2 for count in counts) or 1)

    def waits(self, process: int) -> list[float]:
        return sorted(wait for at, wait in self.found[process] if at > WARM_UP)


def ended(processes: Sequence[subprocess.Popen[bytes]], rate: float) -> Calls:
    outputs = [one.communicate(timeout=120)[0] for one in processes]
    return Calls([json.loads(one) if one else [] for one in outputs], rate)


class Redis:
    """A server of our own on a free port."""

    def __init__(self, folder: str) -> None:
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            self.port = listening.getsockname()[1]
        self._folder = folder
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        program = shutil.which("redis-server") or "redis-server"
        self._process = subprocess.Popen(  # noqa: S603 - a server that is installed
            [program, "--port", str(self.port), "--save", "", "--dir", self._folder],
            stdout=subprocess.DEVNULL,
        )
        time.sleep(0.3)

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def empty(self) -> None:
        self.say("FLUSHALL")
        self.say("CONFIG RESETSTAT")

    def say(self, *words: str) -> str:
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.sendall((" ".join(words) + "\r\n").encode())
            return connection.recv(1 << 16).decode()

    def trips(self) -> int:
        found = self.say("INFO commandstats").splitlines()
        lines = [line for line in found if line.startswith(("cmdstat_eval", "cmdstat_hit"))]
        return sum(int(line.split("calls=")[1].split(",")[0]) for line in lines)


def show(name: str, what: str, figure: str, promise: str = "") -> None:
    print(
        f"{name:34} {what:30} {figure:>12}   {promise:22} load {os.getloadavg()[0]:.1f}", flush=True
    )


if __name__ == "__main__":
    print(json.dumps(asyncio.run(work(Job(**json.loads(sys.argv[1]))))))
