"""Many processes on one declared quota: pace, fairness, script calls, and Redis away for a while.

    python -m benchmarks.shared [--seconds 6] [--processes 8]

starts a redis-server on a free port, and processes of 8 callers each; beside it the same with
`Limiter(rate=R)` in each process, which is what happens without a shared quota. Needs the extra
`redis` and the program `redis-server`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from typing import Any

from humeai_async import Limiter
from humeai_async.limiter.limiter import BULK
from humeai_async.shared import RedisQuota

CALLERS = 8


async def work(url: str, rate: float, start: float, seconds: float) -> list[float]:
    """Make calls from a common start on; returns when each went."""
    went: list[float] = []

    async def call(limiter: Limiter) -> None:
        while time.monotonic() < start + seconds:
            (await limiter.acquire(priority=BULK)).done(200)
            went.append(time.monotonic() - start)

    async with RedisQuota(url or "redis://127.0.0.1") as quota:
        limiter = Limiter(rate=rate, shared=quota) if url else Limiter(rate=rate)
        await asyncio.sleep(start - time.monotonic())
        await asyncio.gather(*(call(limiter) for _ in range(CALLERS)))
    return went


def fleet(url: str, rate: float, processes: int, seconds: float) -> list[subprocess.Popen[bytes]]:
    start = time.monotonic() + 2.0 + processes * 0.25
    command = [sys.executable, "-m", "benchmarks.shared", "--work", url, "--rate", str(rate)]
    command += ["--start", str(start), "--seconds", str(seconds)]
    return [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(processes)]  # noqa: S603 - this program


def show(name: str, rate: float, found: list[list[float]], seconds: float, trips: int) -> None:
    times = sorted(at for one in found for at in one)
    steady = sum(1 for at in times if 1.0 <= at < seconds) / (seconds - 1.0)
    begin = most = 0
    for end, at in enumerate(times):
        while times[begin] <= at - 1.0:
            begin += 1
        most = max(most, end - begin + 1)
    counts = [len(one) for one in found]
    fair = sum(counts) ** 2 / (len(counts) * sum(count**2 for count in counts))
    print(
        f"{name:34} {rate:6g}/s  pace {steady / rate:6.1%}  most in a second {most / rate:6.1%}  "
        f"Jain {fair:.3f}  script calls a call {trips / max(1, len(times)):.3f}  "
        f"load {os.getloadavg()[0]:.1f}"
    )


class Redis:
    """A server of our own on a free port."""

    def __init__(self, folder: str) -> None:
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            self.port = listening.getsockname()[1]
        self._folder = folder
        self.start()

    def start(self) -> None:
        program = shutil.which("redis-server") or "redis-server"
        self._process = subprocess.Popen(  # noqa: S603 - a server that is installed
            [program, "--port", str(self.port), "--save", "", "--dir", self._folder],
            stdout=subprocess.DEVNULL,
        )
        time.sleep(0.3)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def say(self, *words: str) -> str:
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.sendall((" ".join(words) + "\r\n").encode())
            return connection.recv(1 << 16).decode()

    def trips(self) -> int:
        lines = [line for line in self.say("INFO commandstats").splitlines() if "_evalsha" in line]
        return sum(int(line.split("calls=")[1].split(",")[0]) for line in lines)


def results(processes: list[subprocess.Popen[bytes]]) -> list[list[float]]:
    found: list[list[float]] = [json.loads(one.communicate()[0]) for one in processes]
    return found


def main(arguments: Any) -> None:
    processes, seconds = arguments.processes, arguments.seconds
    with tempfile.TemporaryDirectory() as folder:
        redis = Redis(folder)
        url = f"redis://127.0.0.1:{redis.port}/0"
        for rate in (200.0, 2000.0):
            redis.say("FLUSHALL")
            redis.say("CONFIG RESETSTAT")
            found = results(fleet(url, rate, processes, seconds))
            show(f"{processes} processes sharing", rate, found, seconds, redis.trips())
        found = results(fleet("", 200.0, processes, seconds))
        show(f"{processes} processes, each on its own", 200.0, found, seconds, 0)
        redis.say("FLUSHALL")
        started = fleet(url, 200.0, processes, 12.0)
        time.sleep(2.0 + processes * 0.25 + 3.0)
        redis.kill()
        time.sleep(4.0)
        redis.start()
        show("Redis away from 3 s to 7 s", 200.0, results(started), 12.0, redis.trips())
        redis.kill()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--work")
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--start", type=float, default=0.0)
    given = parser.parse_args()
    if given.work is None:
        main(given)
    else:
        print(json.dumps(asyncio.run(work(given.work, given.rate, given.start, given.seconds))))
