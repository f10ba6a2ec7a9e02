"""How well does the limiter find, keep and use a quota?

    python -m benchmarks.limiter [--calls 3000] [--rate 200] [--shapes token fixed sliding]
                                 [--hints retry-after ratelimit silent] [--changes] [--speed]

A server in a process of its own holds the quota; the clients keep 64 calls in flight:

- this library, the quota unknown, and declared;
- the official SDK, as it comes and with 50 retries, if it is installed;
- bare aiohttp paced by `aiolimiter`, told the rate, if that is installed.

`--changes` halves the quota and then triples it while calls go on, and shows what share of
the new pace is used from 5 s after. `--speed` times the limiter itself. Peers come with
`pip install humeai_async[bench]`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import importlib
import importlib.util
import itertools
import time
import tracemalloc
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from multiprocessing.connection import Connection
from typing import TypeAlias, cast

import aiohttp
from aiohttp import web
from attrs import define, field

from benchmarks import clients
from benchmarks.measuring import OFFICIAL, PATIENCE, Verdict, is_there, ratio, serving
from humeai_async import HumeAI, HumeError, Limiter, Timeout
from humeai_async.testing import Hint, Quota, Shape

PATH = "/v0/evi/configs"
EMPTY_PAGE = b'{"page_number":0,"page_size":10,"total_pages":1,"configs_page":[]}'
IN_FLIGHT = 64
LEARNED, DECLARED = "humeai_async", "humeai_async, declared"
TOLD = "aiolimiter, told the rate"
MOST_REFUSED = {"ratelimit": 0.01, "retry-after": 0.03, "silent": 0.05}
"""Share of the calls that may meet a 429 while the rate is learned."""
WINDOW = 2.0
REFUSED = 429


Call: TypeAlias = Callable[[], Awaitable[bool]]
"""Makes one call; says whether it worked."""
Opened: TypeAlias = contextlib.AbstractAsyncContextManager[Call]


@define
class Server:
    """A quota behind a socket, set anew for each run."""

    quota: Quota = field(factory=lambda: Quota(1e9))

    async def answer(self, request: web.Request) -> web.Response:
        del request
        verdict = self.quota.take()
        return web.Response(
            status=200 if verdict.allowed else REFUSED,
            headers=verdict.headers,
            body=EMPTY_PAGE if verdict.allowed else b'{"message":"Too many requests"}',
            content_type="application/json",
        )

    async def reset(self, request: web.Request) -> web.Response:
        asked = request.query
        shape = cast("Shape", asked["shape"])
        per = 1.0 if shape == "token" else WINDOW
        self.quota = Quota(
            float(asked["rate"]) * per, per, shape=shape, hints=cast("Hint", asked["hint"])
        )
        return web.Response()

    async def change(self, request: web.Request) -> web.Response:
        self.quota.rate = float(request.query["rate"]) * self.quota.per
        return web.Response()

    async def count(self, request: web.Request) -> web.Response:
        del request
        return web.json_response({"asked": self.quota.asked, "refused": self.quota.refused})


async def _serve(told: Connection) -> None:
    server = Server()
    app = web.Application()
    app.router.add_get(PATH, server.answer)
    app.router.add_post("/reset", server.reset)
    app.router.add_post("/change", server.change)
    app.router.add_get("/count", server.count)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    told.send(runner.addresses[0][1])
    await asyncio.Event().wait()


@contextlib.asynccontextmanager
async def ours(url: str, rate: float | None = None) -> AsyncGenerator[Call]:
    limiter = Limiter(rate=rate)
    async with HumeAI(
        api_key="key", base_url=url, limiter=limiter, timeout=Timeout(total=120.0)
    ) as hume:

        async def call() -> bool:
            try:
                await hume.request("GET", PATH)
            except HumeError:
                return False
            return True

        yield call


@contextlib.asynccontextmanager
async def official(url: str, retries: int = 2) -> AsyncGenerator[Call]:
    client = clients.official(url)
    options = {"max_retries": retries}

    async def call() -> bool:
        try:
            pager = client.empathic_voice.configs.list_configs(
                page_number=0, page_size=10, request_options=options
            )
            await pager
        except Exception:  # noqa: BLE001 - a peer fails in whatever way it likes
            return False
        return True

    yield call


@contextlib.asynccontextmanager
async def paced_by_aiolimiter(url: str, rate: float) -> AsyncGenerator[Call]:
    limiter = importlib.import_module("aiolimiter").AsyncLimiter(rate, 1.0)
    async with aiohttp.ClientSession() as session:

        async def call() -> bool:
            async with limiter, session.get(url + PATH) as answer:
                await answer.read()
                return answer.status < 400

        yield call


@define
class Result:
    seconds: float
    failed: int
    refused: int
    finished: list[float]


async def measure(
    url: str, opened: Opened, shape: str, hint: str, rate: float, go_on: Callable[[], bool]
) -> Result:
    """Keep 64 calls in flight for as long as there are any to make."""
    async with aiohttp.ClientSession() as control:
        await control.post(f"{url}/reset?shape={shape}&hint={hint}&rate={rate}")
        finished: list[float] = []
        failed = 0
        began = time.perf_counter()

        async def work(call: Call) -> None:
            nonlocal failed
            while go_on():
                if await call():
                    finished.append(time.perf_counter() - began)
                else:
                    failed += 1

        async with asyncio.timeout(PATIENCE), opened as call:
            await asyncio.gather(*[work(call) for _ in range(IN_FLIGHT)])
        async with control.get(f"{url}/count") as answer:
            refused = (await answer.json())["refused"]
    return Result(time.perf_counter() - began, failed, refused, finished)


def calls_left(number: int) -> Callable[[], bool]:
    left = iter(range(number))
    return lambda: next(left, None) is not None


def opened_for(url: str, rate: float, *, peers: bool, full: bool) -> dict[str, Opened]:
    found: dict[str, Opened] = {LEARNED: ours(url), DECLARED: ours(url, rate)}
    if peers and importlib.util.find_spec("hume"):
        found[OFFICIAL] = official(url)
        if full:
            found[f"{OFFICIAL}, 50 retries"] = official(url, 50)
    if peers and importlib.util.find_spec("aiolimiter"):
        found[TOLD] = paced_by_aiolimiter(url, rate)
    return found


@define
class Shares:
    """What came of the calls, as shares of their number or of the quota's pace."""

    pace: float
    refused: float
    failed: float

    def __str__(self) -> str:
        failed = f", {self.failed:.1%} failed" if self.failed else ""
        return f"{self.refused:.2%} 429s, {self.pace:.1%} pace{failed}"

    @classmethod
    def of(cls, result: Result, calls: int, rate: float) -> Shares:
        pace = (calls - result.failed) / result.seconds / rate
        return cls(pace, result.refused / calls, result.failed / calls)


def quota(
    url: str, shape: str, hint: str, options: argparse.Namespace, *, full: bool = True
) -> dict[str, Shares]:
    """Let everybody find out one kind of quota, and print a line for each."""
    found: dict[str, Shares] = {}
    people = opened_for(url, options.rate, peers=options.peers, full=full)
    for name, opened in people.items():
        go_on = calls_left(options.calls)
        result = asyncio.run(measure(url, opened, shape, hint, options.rate, go_on))
        found[name] = one = Shares.of(result, options.calls, options.rate)
        print(
            f"{name:26s} {shape:8s} {hint:12s} {result.seconds:7.2f} s {one.pace:7.1%} of the pace"
            f" {one.refused:7.2%} 429s {one.failed:7.2%} failed",
            flush=True,
        )
    return found


def quotas(url: str, options: argparse.Namespace) -> None:
    for shape in options.shapes:
        for hint in options.hints:
            quota(url, shape, hint, options)


def run(*, full: bool) -> list[Verdict]:
    """Measure each shape and each hint, or with `full` all of both, against the promises."""
    options = _parser().parse_args([])
    for package in ("hume", "aiolimiter"):
        is_there(package)
    pairs: Iterable[tuple[str, str]] = zip(options.shapes, options.hints, strict=True)
    if full:
        pairs = itertools.product(options.shapes, options.hints)
    verdicts: list[Verdict] = []
    print()
    with serving(_serve) as url:
        for shape, hint in pairs:
            found = quota(url, shape, hint, options, full=full)
            verdicts += _verdicts(f"{shape}, {hint}", MOST_REFUSED[hint], found)
    return verdicts


def _verdicts(kind: str, most: float, found: dict[str, Shares]) -> Iterator[Verdict]:
    official = found.get(OFFICIAL)
    for how, name, theirs, refused, pace in (
        ("learned", LEARNED, OFFICIAL, most, 0.95),
        ("declared", DECLARED, TOLD, 0.005, 0.98),
    ):
        one, peer = found[name], found.get(theirs)
        yield Verdict(
            f"quota {how}: {kind}",
            str(one),
            f"{theirs.split(',')[0]} {peer}" if peer else "",
            ratio(one.pace, peer.pace) if peer else None,
            f"{refused:.1%} 429s, {pace:.0%} pace, none failed",
            one.refused <= refused and one.pace >= pace and not one.failed,
            ratio(one.pace, official.pace) if official else None,
        )


def changes(url: str, options: argparse.Namespace) -> None:
    rates = (options.rate, options.rate / 2, options.rate * 1.5)
    each = 11.0

    async def run(shape: str, hint: str) -> Result:
        end = time.perf_counter() + len(rates) * each
        measured = asyncio.create_task(
            measure(url, ours(url), shape, hint, rates[0], lambda: time.perf_counter() < end)
        )
        async with aiohttp.ClientSession() as control:
            for rate in rates[1:]:
                await asyncio.sleep(each)
                await control.post(f"{url}/change?rate={rate}")
            return await measured

    for shape in options.shapes:
        for hint in options.hints:
            result = asyncio.run(run(shape, hint))
            shares: list[str] = []
            for number, rate in enumerate(rates):
                start, end = number * each + 5.0, (number + 1) * each
                inside = sum(start <= at < end for at in result.finished)
                shares.append(f"{inside / (end - start) / rate:7.1%} of {rate:g}/s")
            share = result.refused / max(1, len(result.finished))
            print(
                f"{shape:8s} {hint:12s} {'  '.join(shares)}  {share:.2%} 429s"
                f"  {result.failed} failed",
                flush=True,
            )


async def speed() -> None:
    idle = Limiter(rate=1e6, burst=1e6)
    began = time.perf_counter()
    for _ in range(100_000):
        await idle.acquire()
    print(f"acquire on an idle bucket: {(time.perf_counter() - began) * 10:.2f} microseconds")
    crowded = Limiter(rate=1_000_000)

    async def ten() -> None:
        for _ in range(10):
            (await crowded.acquire()).done(200)

    cpu = time.process_time()
    await asyncio.gather(*[ten() for _ in range(10_000)])
    print(f"100,000 acquires by 10,000 waiters: {time.process_time() - cpu:.2f} s of CPU")
    bare, waiting = await memory(asyncio.Event().wait), await memory(_blocked().acquire)
    print(f"memory: a waiting task {bare:.0f} B, one that waits for the limiter {waiting:.0f} B")


def _blocked() -> Limiter:
    """Return a limiter that lets nobody go for a long time."""
    return Limiter(rate=1e-6)


async def memory(wait: Callable[[], Awaitable[object]], tasks: int = 10_000) -> float:
    """Return the bytes that one task takes which waits for something."""

    async def one() -> None:
        await wait()

    warm = [asyncio.create_task(one()) for _ in range(10)]
    await asyncio.sleep(0)
    gc.collect()
    tracemalloc.start()
    running = [asyncio.create_task(one()) for _ in range(tasks)]
    await asyncio.sleep(0.5)
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    for task in warm + running:
        task.cancel()
    await asyncio.gather(*warm, *running, return_exceptions=True)
    return used / tasks


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=3000)
    parser.add_argument("--rate", type=float, default=200.0, help="calls a second of the quota")
    parser.add_argument("--shapes", nargs="+", default=["token", "fixed", "sliding"])
    parser.add_argument("--hints", nargs="+", default=["retry-after", "ratelimit", "silent"])
    parser.add_argument("--no-peers", dest="peers", action="store_false")
    parser.add_argument("--changes", action="store_true")
    parser.add_argument("--speed", action="store_true")
    return parser


def main() -> None:
    options = _parser().parse_args()
    if options.speed:
        asyncio.run(speed())
        return
    with serving(_serve) as url:
        (changes if options.changes else quotas)(url, options)


if __name__ == "__main__":
    main()
