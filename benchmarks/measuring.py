"""What every benchmark needs: fresh processes, repeats in turn, and tables of ratios.

Servers and clients each have a process of their own, so that CPU time is the client's alone.
Peers take turns in short bursts, so that a busy machine slows all of them; the least of the
bursts counts, since noise only ever adds.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import multiprocessing
import resource
import time
import urllib.request
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self, TypeAlias, TypeVar

from attrs import frozen

T = TypeVar("T")

OFFICIAL = "hume 0.13.13"
"""The last official SDK with the batch API."""
PATIENCE = 300.0
"""Seconds for which a process is waited for at most."""

Call: TypeAlias = Callable[[], Awaitable[object]]
"""Makes one call."""
Opened: TypeAlias = contextlib.AbstractAsyncContextManager[Call]
"""A client, as the call that it makes over and over."""

_spawn = multiprocessing.get_context("spawn")


class Spent(NamedTuple):
    """What a piece of work took, in seconds."""

    cpu: float
    wall: float

    def per(self, count: int) -> Spent:
        return Spent(self.cpu / count, self.wall / count)


class Stopwatch:
    """Counts CPU and wall time of this process from when it is made."""

    def __init__(self) -> None:
        self._cpu, self._wall = time.process_time(), time.perf_counter()

    def read(self) -> Spent:
        return Spent(time.process_time() - self._cpu, time.perf_counter() - self._wall)


def least(found: Iterable[Spent]) -> Spent:
    """Take the least of each figure."""
    cpu, wall = zip(*found, strict=True)
    return Spent(min(cpu), min(wall))


def run(main: Coroutine[Any, Any, T], loop: str = "asyncio") -> T:
    """Run a coroutine on asyncio's own loop or on uvloop."""
    if loop == "asyncio":
        return asyncio.run(main)
    with asyncio.Runner(loop_factory=importlib.import_module(loop).new_event_loop) as runner:
        return runner.run(main)


def fresh(work: Callable[..., T], *arguments: object, seconds: float = PATIENCE) -> T:
    """Call a function in a process of its own and return what it returns.

    Raises:
        TimeoutError: It took longer than `seconds`; the process is killed.
        RuntimeError: It failed; its traceback is on standard error.
    """
    here, there = _spawn.Pipe(duplex=False)
    process = _spawn.Process(target=_tell, args=(there, work, arguments), daemon=True)
    process.start()
    there.close()
    try:
        found: T = received(here, work.__name__, seconds)
    except EOFError:
        raise RuntimeError(f"{work.__name__} failed") from None
    finally:
        process.kill()
        process.join()
    return found


def received(pipe: Connection, what: str, seconds: float = PATIENCE) -> Any:
    """Wait for what a process sends, but not for ever."""
    if not pipe.poll(seconds):
        raise TimeoutError(f"{what} took longer than {seconds:g} s")
    return pipe.recv()


def _tell(told: Connection, work: Callable[..., object], arguments: tuple[object, ...]) -> None:
    told.send(work(*arguments))


@contextlib.contextmanager
def serving(serve: Callable[..., Coroutine[Any, Any, None]], *arguments: object) -> Generator[str]:
    """Run a server in a process of its own, and give its URL.

    Args:
        serve: Sends its port through the connection that is its first argument, and serves
            until it is cancelled.
        arguments: Its other arguments.
    """
    here, there = _spawn.Pipe()
    process = _spawn.Process(target=_serve, args=(serve, there, *arguments), daemon=True)
    process.start()
    there.close()
    try:
        yield f"http://127.0.0.1:{received(here, 'a server')}"
    finally:
        process.kill()
        process.join()


def asked(url: str) -> int:
    """Ask a server how many requests it got."""
    with urllib.request.urlopen(f"{url}/asked") as answer:  # noqa: S310 - our own server
        return int(answer.read())


def _serve(serve: Callable[..., Coroutine[Any, Any, None]], *arguments: object) -> None:
    asyncio.run(serve(*arguments))


class Caller:
    """A client in a process of its own that makes bursts of calls when it is told to.

    Args:
        opened: Opens the client, given the arguments.
        arguments: Mostly the server's URL.
        loop: `asyncio` or `uvloop`.
    """

    def __init__(
        self, opened: Callable[..., Opened], *arguments: object, loop: str = "asyncio"
    ) -> None:
        self._pipe, there = _spawn.Pipe()
        self._process = _spawn.Process(
            target=_obey, args=(there, loop, opened, arguments), daemon=True
        )
        self._process.start()
        there.close()

    def burst(self, calls: int, in_flight: int) -> Spent:
        """Make some calls, after a few that do not count; return what each took."""
        self._pipe.send((calls, in_flight))
        spent: Spent = received(self._pipe, "a burst of calls")
        return spent.per(calls)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.join()


def _obey(
    pipe: Connection, loop: str, opened: Callable[..., Opened], arguments: tuple[object, ...]
) -> None:
    async def main() -> None:
        async with opened(*arguments) as call:
            while True:
                calls, in_flight = pipe.recv()  # holds the loop, which has nothing to do
                await keep_in_flight(call, min(calls, in_flight), in_flight)
                watch = Stopwatch()
                await keep_in_flight(call, calls, in_flight)
                pipe.send(watch.read())

    run(main(), loop)


async def keep_in_flight(call: Call, calls: int, in_flight: int) -> None:
    """Make some calls, a number of them at the same time."""
    left = iter(range(calls))

    async def work() -> None:
        for _ in left:
            await call()

    await asyncio.gather(*[work() for _ in range(in_flight)])


SLOW_ROUNDS = 2
"""Rounds of a peer that is so much slower that more of them would tell nothing new."""


def in_turn(
    callers: Mapping[str, Callable[[], Spent]], rounds: int, slow: str = ""
) -> dict[str, Spent]:
    """Let each make its burst, round after round; return the least of each.

    Args:
        callers: Bursts by name.
        rounds: How often.
        slow: Name of the one that takes part in the first rounds only.
    """
    found: dict[str, list[Spent]] = {name: [] for name in callers}
    for turn in range(rounds):
        for name, burst in callers.items():
            if name != slow or turn < SLOW_ROUNDS:
                found[name].append(burst())
    return {name: least(spent) for name, spent in found.items()}


class Memory(NamedTuple):
    """Memory of this process, in bytes."""

    now: int
    peak: int


def memory() -> Memory:
    """Ask how much of this process is in memory, and how much was at most.

    What `getrusage` says is no less than the parent had when it made this process, so Linux's
    own account is better where there is one.
    """
    try:
        status = Path("/proc/self/status").read_text("ascii")
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return Memory(peak, peak)
    sizes = {line.split(":")[0]: line.split()[1] for line in status.splitlines() if "kB" in line}
    return Memory(int(sizes["VmRSS"]) * 1024, int(sizes["VmHWM"]) * 1024)


def is_there(package: str) -> bool:
    """Whether a peer is installed; if it is not, say so in one line."""
    found = importlib.util.find_spec(package) is not None
    if not found:
        print(f"{package} is not installed, so it is not measured: pip install '.[bench]'")
    return found


@frozen
class Verdict:
    """One line of the closing table: a question, our figure, a peer's, and the bar."""

    question: str
    ours: str
    peer: str
    ratio: float | None
    """Ours by the peer's."""
    bar: str
    met: bool | None
    """`None` where there is no bar."""
    official: float | None = None
    """Ours by the official SDK's, where that was measured."""

    def cells(self) -> tuple[str, ...]:
        met = {True: "met", False: "NOT MET", None: ""}[self.met]
        ratios = _times(self.ratio), _times(self.official)
        return self.question, self.ours, self.peer, *ratios, self.bar, met


class Run(Protocol):
    """A benchmark."""

    def __call__(self, *, full: bool) -> list[Verdict]: ...


def run_alone(run: Run, about: str | None) -> None:
    """Run one benchmark as a command.

    Args:
        run: The benchmark.
        about: What it asks, for `--help`.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--full", action="store_true", help="more rounds")
    print_verdicts(run(full=parser.parse_args().full))


VERDICT_HEADER = ("question", "ours", "peer", "ratio", f"to {OFFICIAL}", "bar", "")


def ratio(ours: float, theirs: float | None) -> float | None:
    """Return ours by theirs, or nothing where theirs was not measured or is nothing."""
    return ours / theirs if theirs else None


def _times(figure: float | None) -> str:
    return "" if figure is None else f"{figure:.3g}x"


def print_verdicts(verdicts: Sequence[Verdict]) -> None:
    print_table("", VERDICT_HEADER, [verdict.cells() for verdict in verdicts])


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print aligned columns: the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    print(f"\n{title}" if title else "", flush=True)
    for row in (header, ["-" * width for width in widths], *rows):
        first, *rest = row
        cells = [first.ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        print("  ".join(cells).rstrip(), flush=True)
