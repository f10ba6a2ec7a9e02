"""What does a client make of a service that fails one time in twenty?

    python -m benchmarks.faults [--gets 2000] [--posts 1000] [--share 0.05] [--limit 300]

A fake Hume in a process of its own spoils a share of the requests: 429, 500 and 503, resets
before the answer and inside the body, truncated JSON, stalls; before and after the work was
done. Each client runs with its default settings, 64 calls in flight:

- this library;
- the official SDK, if it is installed (`pip install humeai_async[bench]`).

Each POST makes a prompt of a name of its own, so that the fake tells how often it was carried
out. `unmarked` are the POSTs that were carried out although the caller got an error which does
not say that this may be so. Stalls last until a client gives up, which is 60 s by both defaults;
`--limit` are the seconds after which what is still open counts as failed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import importlib.util
import multiprocessing
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from multiprocessing.connection import Connection
from typing import Any, TypeAlias

from attrs import define, field, frozen

from humeai_async import HumeAI, HumeError
from humeai_async.testing import FakeHume, Fault

IN_FLIGHT = 64
FAULTS = (
    Fault("status", status=429, headers={"Retry-After": "1"}),
    Fault("status", status=500),
    Fault("status", status=500, after_work=True),
    Fault("status", status=503, headers={"Retry-After": "1"}),
    Fault("status", status=503, after_work=True),
    Fault("reset"),
    Fault("reset", after_work=True),
    Fault("reset-body"),
    Fault("truncate"),
    Fault("garbage"),
    Fault("stall"),
    Fault("stall", after_work=True),
)


Call: TypeAlias = Callable[[str], Awaitable[object]]
"""Makes the call of a name; raises what the client raises."""


@frozen
class Client:
    """The two calls of one client."""

    get: Call
    post: Call


Opened: TypeAlias = contextlib.AbstractAsyncContextManager[Client]


def spoiled(share: float) -> list[Fault]:
    """Spread a share over the faults; the dice of each are thrown where those before it missed."""
    each, left = share / len(FAULTS), 1.0
    faults: list[Fault] = []
    for fault in FAULTS:
        faults.append(_often(fault, each / left))
        left -= each
    return faults


def _often(fault: Fault, probability: float) -> Fault:
    return Fault(
        fault.kind,
        status=fault.status,
        headers=fault.headers,
        after_work=fault.after_work,
        probability=probability,
        times=None,
    )


async def _serve(share: float, pipe: Connection) -> None:
    async with FakeHume(faults=spoiled(share), record_bodies=False) as fake:
        pipe.send((fake.url, fake.api_key))
        await asyncio.to_thread(pipe.recv)
        made = fake.upstream.evi.prompts.things.values()
        names = Counter(str(version["name"]) for versions in made for version in versions.values())
        pipe.send((names, len(fake.faults.fired)))


def _run(share: float, pipe: Connection) -> None:
    asyncio.run(_serve(share, pipe))


@define
class Server:
    """The fake in its process."""

    url: str
    key: str
    _pipe: Connection = field(repr=False)

    def stop(self) -> tuple[Counter[str], int]:
        """End it; return how often each name was carried out, and how many faults struck."""
        self._pipe.send("stop")
        names, fired = self._pipe.recv()
        return names, fired


@contextlib.contextmanager
def faulty_hume(share: float) -> Generator[Server]:
    """Run the fake in a process of its own."""
    here, there = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_run, args=(share, there), daemon=True)
    process.start()
    try:
        url, key = here.recv()
        yield Server(url, key, here)
    finally:
        process.terminate()
        process.join()


@contextlib.asynccontextmanager
async def ours(server: Server) -> AsyncGenerator[Client]:
    async with HumeAI(api_key=server.key, base_url=server.url) as hume:

        async def get(_: str) -> object:
            return await hume.configs.list(page_number=0, page_size=10)

        async def post(name: str) -> object:
            return await hume.prompts.create(name=name, text="Be brief.")

        yield Client(get, post)


@contextlib.asynccontextmanager
async def official(server: Server) -> AsyncGenerator[Client]:
    hume: Any = importlib.import_module("hume")
    client = hume.AsyncHumeClient(api_key=server.key, base_url=server.url)

    async def get(_: str) -> object:
        return await client.empathic_voice.configs.list_configs(page_number=0, page_size=10)

    async def post(name: str) -> object:
        return await client.empathic_voice.prompts.create_prompt(name=name, text="Be brief.")

    yield Client(get, post)


@define
class Result:
    """What a client made of its calls."""

    calls: int
    seconds: float = 0.0
    errors: Counter[str] = field(factory=Counter[str])
    failed: set[str] = field(factory=set[str])
    marked: set[str] = field(factory=set[str])
    """Calls whose error says that they may have been carried out."""


async def measure(call: Call, count: int, limit: float) -> Result:
    """Make so many calls, 64 in flight."""
    result = Result(count)
    names = iter([f"call-{number}" for number in range(count)])
    open_calls: set[str] = set()

    async def work() -> None:
        for name in names:
            open_calls.add(name)
            try:
                await call(name)
            except Exception as problem:  # noqa: BLE001 - a peer fails in whatever way it likes
                kind = type(problem)
                result.errors[f"{kind.__module__.partition('.')[0]}.{kind.__name__}"] += 1
                result.failed.add(name)
                if isinstance(problem, HumeError) and problem.outcome_unknown:
                    result.marked.add(name)
            open_calls.discard(name)

    began = time.perf_counter()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limit):
            await asyncio.gather(*[work() for _ in range(IN_FLIGHT)])
    result.seconds = time.perf_counter() - began
    late = open_calls | set(names)
    result.errors["not ended"] += len(late)
    result.failed |= late
    return result


def report(client: str, method: str, result: Result, carried: Counter[str], fired: int) -> None:
    doubled = sum(1 for times in carried.values() if times > 1)
    unmarked = len((result.failed & carried.keys()) - result.marked)
    print(
        f"{client:14s} {result.calls:6d} {method:5s} {fired:4d} faults"
        f" {len(result.failed):4d} failed ({len(result.failed) / result.calls:.2%})"
        f" {doubled:3d} doubled {unmarked:3d} unmarked {result.seconds:6.1f} s"
        f"  {dict(+result.errors)}",
        flush=True,
    )


async def run(opened: Opened, method: str, count: int, limit: float) -> Result:
    async with opened as client:
        return await measure(client.get if method == "GET" else client.post, count, limit)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gets", type=int, default=2000)
    parser.add_argument("--posts", type=int, default=1000)
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--limit", type=float, default=300.0)
    options = parser.parse_args()
    clients: dict[str, Callable[[Server], Opened]] = {"humeai_async": ours}
    if importlib.util.find_spec("hume"):
        clients["hume"] = official
    else:
        print("the official SDK is not installed: pip install '.[bench]'")
    for name, opened in clients.items():
        for method, count in (("GET", options.gets), ("POST", options.posts)):
            with faulty_hume(options.share) as server:
                result = asyncio.run(run(opened(server), method, count, options.limit))
                carried, fired = server.stop()
            report(name, method, result, carried, fired)


if __name__ == "__main__":
    main()
