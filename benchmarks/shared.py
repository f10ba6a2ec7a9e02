"""Many processes on one declared quota: each promise beside its number, and the machine's load.

    python -m benchmarks.shared [--seconds 6] [--processes 8] [--only "2,000"]

starts a redis-server on a free port, and processes of callers each. Beside them in the same run:
`Limiter(rate=R)` in each process, which is what happens without a shared quota, and the library
`limits` asked through the same server until it lets a call go. Pace and milliseconds say little
on a busy machine: look at the load. Needs the extra `redis` and the program `redis-server`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

from attrs import asdict, evolve, frozen

from humeai_async import Limiter
from humeai_async.limiter.limiter import BULK, INTERACTIVE
from humeai_async.shared import RedisQuota

LEAD = 0.5
"""Seconds from the signal to the start."""
WARM_UP = 1.0
"""Seconds at the start of a run that count for nothing."""


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


@contextlib.asynccontextmanager
async def opened(job: Job) -> AsyncGenerator[Callable[[], Any]]:
    """Give what waits until a call may go."""
    if job.way == "limits":
        limits = importlib.import_module("limits")
        storage = importlib.import_module("limits.storage").storage_from_string(
            f"async+{job.url}", implementation="redispy"
        )
        line = importlib.import_module("limits.aio.strategies").MovingWindowRateLimiter(storage)
        item = limits.RateLimitItemPerSecond(int(job.rate))

        async def poll() -> None:
            while not await line.hit(item, "fleet"):  # noqa: ASYNC110 - it has no way to wait
                await asyncio.sleep(0.005)

        yield poll
        return
    priority = INTERACTIVE if job.is_urgent else BULK
    async with RedisQuota(job.url) as quota:
        shared = quota if job.way == "shared" else None
        limiter = Limiter(rate=job.rate, shared=shared)

        async def acquire() -> None:
            (await limiter.acquire(priority=priority)).done(200)

        yield acquire


async def work(job: Job) -> list[tuple[float, float]]:
    """Make calls from a common start on; returns when each went, and how long it waited."""
    went: list[tuple[float, float]] = []

    async def call(wait: Callable[[], Any], start: float) -> None:
        while (began := time.monotonic()) < start + job.seconds:
            await wait()
            now = time.monotonic()
            went.append((now - start, now - began))
            if job.pause:
                await asyncio.sleep(job.pause)

    async with opened(job) as wait:
        await wait()  # by then all is imported and connected
        print("ready", flush=True)
        start = float(await asyncio.to_thread(sys.stdin.readline))
        await asyncio.sleep(start - time.monotonic())
        await asyncio.gather(*(call(wait, start) for _ in range(job.callers)))
    return went


def begin(jobs: Sequence[Job]) -> list[subprocess.Popen[bytes]]:
    """Start processes, wait until all have imported what they need, and give the signal."""
    words = [sys.executable, "-m", "benchmarks.shared", "--work"]
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
        self.found, self.rate = found, rate
        self.times: list[float] = sorted(at for one in found for at, _ in one)

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

    def jain(self) -> float:
        counts = [len(one) for one in self.found]
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


def steady(redis: Redis, rate: float, most_trips: float, processes: int, seconds: float) -> None:
    """All processes greedy, at one rate."""
    redis.empty()
    jobs = [Job(url=redis.url, rate=rate, seconds=seconds)] * processes
    found = ended(begin(jobs), rate)
    name = f"{processes} sharing {rate:,.0f}/s"
    show(name, "pace", f"{found.pace(WARM_UP, seconds):.1%}", "at least 98 %")
    show(name, "most in any second", f"{found.most():.1%}", "at most 102 %")
    show(name, "Jain index", f"{found.jain():.3f}")
    trips = redis.trips() / max(1, len(found.times))
    show(name, "script calls a call", f"{trips:.3f}", f"at most {most_trips:g}")


def beside(redis: Redis, processes: int, seconds: float) -> None:
    """The same without a shared quota, and by a library."""
    redis.empty()
    for way, name in (("alone", "8 limiters, each on its own"), ("limits", "the library limits")):
        if way == "limits" and importlib.util.find_spec("limits") is None:
            show(name, "not installed", "-")
            continue
        jobs = [Job(url=redis.url, rate=200.0, seconds=seconds, way=way)] * processes
        found = ended(begin(jobs), 200.0)
        show(name, "pace", f"{found.pace(WARM_UP, seconds):.1%}")
        show(name, "most in any second", f"{found.most():.1%}")
        show(name, "Jain index", f"{found.jain():.3f}")
        if way == "limits":
            trips = redis.trips() / max(1, len(found.times))
            show(name, "server calls a call", f"{trips:.1f}")


def unequal(redis: Redis, seconds: float) -> None:
    """Four small processes and four greedy ones: each gets what is fair."""
    redis.empty()
    rate, base = 2000.0, Job(url=redis.url, rate=2000.0, seconds=seconds)
    small = [
        evolve(base, callers=1, pause=1 / (rate * share)) for share in (0.01, 0.02, 0.04, 0.08)
    ]
    greedy = [evolve(base, callers=callers) for callers in (4, 16, 64, 256)]
    found = ended(begin([*small, *greedy]), rate)
    counts = [sum(at >= WARM_UP for at, _ in one) for one in found.found]
    fair = sum(counts[4:]) / 4
    shares = [count / fair for count in counts[4:]]
    show(
        "unequal demand, 2,000/s",
        "got against fair, greedy",
        f"{min(shares):.2f}-{max(shares):.2f}",
        "0.90-1.10",
    )
    show("unequal demand, 2,000/s", "pace", f"{found.pace(WARM_UP, seconds):.1%}", "at least 98 %")


def urgent(redis: Redis, seconds: float) -> None:
    """A small interactive caller beside four bulk processes."""
    redis.empty()
    base = Job(url=redis.url, rate=200.0, seconds=seconds)
    caller = evolve(base, callers=1, pause=0.1, is_urgent=True)
    found = ended(begin([*[base] * 4, caller]), 200.0)
    waits = found.waits(4) or [0.0]
    for share, promise in ((0.5, "at most 2 ms"), (0.99, "at most 40 ms")):
        wait = waits[min(len(waits) - 1, int(share * len(waits)))]
        show(
            "interactive beside bulk", f"wait, p{share * 100:.0f}", f"{wait * 1e3:.1f} ms", promise
        )


def killed(redis: Redis) -> None:
    """Three of eight processes are killed."""
    redis.empty()
    processes = begin([Job(url=redis.url, rate=200.0, seconds=6.0)] * 8)
    time.sleep(3.0)
    for one in processes[:3]:
        one.kill()
    found = ended(processes, 200.0 * 1)
    # What the killed ones sent until then nobody knows.
    show(
        "3 of 8 killed at 3 s",
        "pace from 0.5 s later on",
        f"{found.pace(3.7, 6.0):.1%}",
        "at least 94 %",
    )
    show(
        "3 of 8 killed at 3 s",
        "most in a second after it",
        f"{found.most(3.0):.1%}",
        "at most 102 %",
    )


def away(redis: Redis, *, is_frozen: bool) -> None:
    """The server is gone for ten seconds."""
    redis.empty()
    processes = begin([Job(url=redis.url, rate=200.0, seconds=17.0)] * 8)
    time.sleep(3.0)
    redis.signal(signal.SIGSTOP if is_frozen else signal.SIGKILL)
    time.sleep(10.0)
    if is_frozen:
        redis.signal(signal.SIGCONT)
    else:
        redis.kill()
        redis.start()
    found = ended(processes, 200.0)
    name = f"Redis {'frozen' if is_frozen else 'killed'}, 3 s to 13 s"
    show(name, "pace meanwhile", f"{found.pace(3.0, 13.0):.1%}", "at least 97 %")
    show(name, "longest gap", f"{found.gap(2.5, 13.0):.2f} s", "at most 0.3 s")
    show(name, "most in any second, meanwhile", f"{found.most(3.0, 13.0):.1%}", "at most 105 %")
    show(name, "most in any second, after it", f"{found.most(13.0):.1%}", "at most 102 %")


def main(arguments: Any) -> None:
    processes, seconds = arguments.processes, arguments.seconds
    with tempfile.TemporaryDirectory() as folder:
        redis = Redis(folder)
        cases: dict[str, Callable[[], None]] = {
            "200": lambda: steady(redis, 200.0, 0.6, processes, seconds),
            "2,000": lambda: steady(redis, 2000.0, 0.1, processes, seconds),
            "20,000": lambda: steady(redis, 20000.0, 0.01, processes, seconds),
            "beside": lambda: beside(redis, processes, seconds),
            "unequal": lambda: unequal(redis, max(seconds, 10.0)),
            "urgent": lambda: urgent(redis, seconds),
            "killed": lambda: killed(redis),
            "frozen": lambda: away(redis, is_frozen=True),
            "away": lambda: away(redis, is_frozen=False),
        }
        for name, case in cases.items():
            if not arguments.only or name in arguments.only:
                case()
        redis.kill()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--only", nargs="+", default=[])
    parser.add_argument("--work")
    given = parser.parse_args()
    if given.work is None:
        main(given)
    else:
        print(json.dumps(asyncio.run(work(Job(**json.loads(given.work))))))
