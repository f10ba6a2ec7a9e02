"""One client in several places: forked processes, one event loop after another, two at once.

Everything that could hang does so in a process of its own, which is given up after a while.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import pytest
from support import client_of, session_in

from humeai_async import ClientClosedError, ConfigurationError, HumeAI, HumeError, Limiter
from humeai_async.settings import Polling, Timeout
from humeai_async.testing import FakeHume, Fault
from humeai_async.types.dicts import ModelsDict

LIMIT = 60.0
"""Seconds after which something is taken for hung."""
HOUR = 3600.0
STUCK = "https://example.com/stuck-job.mp4"
MODELS: ModelsDict = {"face": {}}

LEAVES_SOCKETS = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"
)
"""asyncio can close a socket of a closed event loop by garbage collection alone, and warns then."""

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


class ServerThread:
    """A fake on an event loop and a thread of its own, so that clients' loops are free to end."""

    def __init__(self, fake: FakeHume) -> None:
        self.fake = fake
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> FakeHume:
        self._thread.start()
        self._run(self.fake.start())
        return self.fake

    def __exit__(self, *_: object) -> None:
        self._run(self.fake.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(LIMIT)
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(LIMIT)


@pytest.fixture
def fake() -> Generator[FakeHume]:
    with ServerThread(FakeHume()) as started:
        yield started


def run(work: Callable[[], Awaitable[object]]) -> None:
    """Run work on a new event loop, but not for ever."""

    async def limited() -> None:
        with anyio.fail_after(LIMIT):
            await work()

    asyncio.run(limited())


def in_child(work: Callable[[], object]) -> None:
    """Fork, do work in the child, and make sure that it went well there."""
    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join(LIMIT)
    is_hung = child.is_alive()
    child.kill()
    child.join()
    assert not is_hung, "the child hangs"
    assert child.exitcode == 0


async def in_child_meanwhile(work: Callable[[], object]) -> None:
    """Fork in the middle of an event loop, which goes on while the child works."""
    context = multiprocessing.get_context("fork")
    child = context.Process(target=work)
    child.start()
    with anyio.fail_after(LIMIT):
        while child.is_alive():
            await asyncio.sleep(0.005)
    assert child.exitcode == 0


async def list_one(hume: HumeAI) -> None:
    await hume.configs.list()


async def list_tools(hume: HumeAI) -> None:
    await hume.tools.list()


async def list_twice(hume: HumeAI) -> None:
    await hume.configs.list()
    assert await hume.chats.list()


@pytest.mark.parametrize("limiter", [Limiter(), Limiter(rate=1000)], ids=["learning", "declared"])
def test_a_child_forked_in_mid_flight_has_a_pool_of_its_own(
    fake: FakeHume, limiter: Limiter
) -> None:
    hume = client_of(fake, limiter=limiter)

    async def parent() -> None:
        await list_twice(hume)
        fake.faults.add(Fault("stall", path="/v0/evi/tools", seconds=0.2))
        in_flight = asyncio.ensure_future(hume.tools.list())
        while not fake.faults.fired:
            await asyncio.sleep(0.001)
        opened = fake.connections_opened
        await in_child_meanwhile(lambda: run(lambda: list_twice(hume)))
        assert fake.connections_opened == opened + 1
        await in_flight
        await list_twice(hume)
        assert fake.connections_opened == opened + 1
        await hume.aclose()

    run(parent)


# As errors, warnings would keep what they are about from being collected.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("is_busy", [True, False], ids=["in flight", "idle"])
@pytest.mark.parametrize("does", ["close", "drop"])
@pytest.mark.slow
def test_a_child_that_is_done_with_the_client_leaves_the_parents_connections_alone(
    fake: FakeHume, does: str, *, is_busy: bool
) -> None:
    clients = [client_of(fake, timeout=Timeout(read=5))]

    async def close() -> None:
        async with clients[0]:
            pass

    def child() -> None:
        if does == "close":
            run(close)
        clients.clear()
        gc.collect()

    async def parent() -> None:
        calls: list[asyncio.Future[Any]] = []
        await list_twice(clients[0])
        if is_busy:
            fake.faults.add(Fault("stall", path="/v0/evi/tools", seconds=0.2))
            calls.append(asyncio.ensure_future(list_tools(clients[0])))
            while not fake.faults.fired:
                await asyncio.sleep(0.001)
        opened = fake.connections_opened
        await in_child_meanwhile(child)
        await asyncio.gather(*calls)
        await list_twice(clients[0])
        assert fake.connections_opened == opened
        await clients[0].aclose()

    run(parent)


def test_a_child_waits_for_jobs_although_its_parent_did_so_when_it_forked(fake: FakeHume) -> None:
    hume = client_of(fake, polling=Polling(min_interval=0.005, max_interval=0.005))

    async def child() -> None:
        job = await hume.batch.start_job(urls=["https://example.com/a.mp4"], models=MODELS)
        await job.wait(timeout=LIMIT)

    async def parent() -> None:
        job = await hume.batch.start_job(urls=[STUCK], models=MODELS)
        waiting = asyncio.ensure_future(job.wait())
        while fake.count(method="GET") < 2:
            await asyncio.sleep(0.001)
        await in_child_meanwhile(lambda: run(child))
        asked = fake.count(method="GET")
        while fake.count(method="GET") <= asked:
            await asyncio.sleep(0.001)
        fake.finish_job(job.id)
        await waiting
        await hume.aclose()

    run(parent)


def test_a_chat_goes_on_while_a_child_closes_the_client(fake: FakeHume) -> None:
    hume = client_of(fake)

    async def close() -> None:
        await hume.aclose()

    async def parent() -> None:
        async with hume.chat.connect() as chat:
            assert (await anext(chat)).type == "chat_metadata"
            await in_child_meanwhile(lambda: run(close))
            await chat.send_text("hello")
            async for event in chat:
                if event.type == "assistant_end":
                    break
        await hume.aclose()

    run(parent)


def test_what_was_learned_of_the_quota_is_known_in_the_child(fake: FakeHume) -> None:
    hume = client_of(fake, limiter=Limiter(rate=1 / HOUR, burst=1))

    def child() -> None:
        async def second() -> None:
            with pytest.raises(HumeError, match="the limiter would make this call wait"):
                await hume.with_options(timeout=1).configs.list()

        run(second)

    run(lambda: list_one(hume))
    in_child(child)
    run(hume.aclose)


def test_a_run_is_of_use_to_the_event_loop_that_began_it_alone(fake: FakeHume) -> None:
    hume = client_of(fake)
    outcomes = hume.batch.predict(["https://example.com/a.mp4", STUCK], models=MODELS, job_size=1)

    async def is_refused() -> None:
        for use in (outcomes.__anext__, outcomes.aclose):
            with pytest.raises(ConfigurationError, match="another event loop"):
                await use()

    async def work() -> None:
        async with hume, outcomes:
            await anext(outcomes)
            await in_child_meanwhile(lambda: run(is_refused))
            await asyncio.to_thread(run, is_refused)

    run(work)


@LEAVES_SOCKETS
def test_one_event_loop_after_another_is_served(fake: FakeHume) -> None:
    hume = client_of(fake, polling=Polling(min_interval=0.005, max_interval=0.005))

    async def work() -> None:
        await list_twice(hume)
        job = await hume.batch.start_job(urls=["https://example.com/a.mp4"], models=MODELS)
        await job.wait()
        async with hume.chat.connect() as chat:
            assert (await anext(chat)).type == "chat_metadata"

    for _ in range(3):
        run(work)
    run(hume.aclose)
    with pytest.raises(ClientClosedError):
        run(hume.configs.list().collect)
    gc.collect()


def abandon(work: Callable[[], Awaitable[object]], is_there: Callable[[], object]) -> Any:
    """Run work on an event loop that is closed in the middle of it; return the dead task."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(_coroutine(work))
    give_up = time.monotonic() + LIMIT
    while not is_there():
        loop.run_until_complete(asyncio.sleep(0.001))
        assert time.monotonic() < give_up
    loop.close()
    return task


async def _coroutine(work: Callable[[], Awaitable[object]]) -> None:
    await work()


@pytest.mark.slow
@LEAVES_SOCKETS
def test_calls_that_died_with_their_event_loop_hold_up_nobody_on_the_next(fake: FakeHume) -> None:
    limiter = Limiter(rate=1000)
    hume = client_of(fake, limiter=limiter, polling=Polling(min_interval=0.005, max_interval=0.005))
    fake.faults.add(Fault("stall", path="/v0/evi/configs"))
    dead = [abandon(lambda: list_one(hume), lambda: fake.faults.fired)]

    async def wait_for_ever() -> None:
        job = await hume.batch.start_job(urls=[STUCK], models=MODELS)
        await job.wait()

    dead.append(abandon(wait_for_ever, lambda: fake.count(path="/v0/batch/jobs/*") > 2))

    async def work() -> None:
        await list_twice(hume)
        job = await hume.batch.start_job(urls=["https://example.com/a.mp4"], models=MODELS)
        await job.wait(timeout=LIMIT)
        for task in dead:
            task._log_destroy_pending = False
        dead.clear()
        gc.collect()
        for name in limiter.buckets:
            assert limiter.snapshot(name).in_flight == 0
        await list_twice(hume)
        await hume.aclose()

    run(work)
    gc.collect()


@LEAVES_SOCKETS
def test_two_event_loops_at_once_share_a_client_but_no_declared_rate(fake: FakeHume) -> None:
    hume = client_of(fake)
    declared = hume.with_options(limiter=Limiter(rate=1e6))

    def elsewhere(client: HumeAI) -> str:
        try:
            run(lambda: list_twice(client))
        except ConfigurationError as problem:
            return str(problem)
        return "served"

    async def here() -> None:
        loop = asyncio.get_running_loop()
        for client in (hume, declared):
            await list_twice(client)
        with ThreadPoolExecutor() as threads:
            served = await loop.run_in_executor(threads, elsewhere, hume)
            said = await loop.run_in_executor(threads, elsewhere, declared)
        assert served == "served"
        assert "in use on another event loop" in said
        assert "its share of the rate" in said
        for client in (hume, declared):
            await list_twice(client)
        await hume.aclose()

    run(here)
    gc.collect()


@LEAVES_SOCKETS
def test_two_event_loops_at_once_wait_for_the_same_job(fake: FakeHume) -> None:
    hume = client_of(fake, polling=Polling(min_interval=0.005, max_interval=0.005))
    job_id: list[str] = []

    async def wait() -> None:
        await hume.batch.job(job_id[0]).wait()

    async def here() -> None:
        job_id.append((await hume.batch.start_job(urls=[STUCK], models=MODELS)).id)
        waiting = asyncio.ensure_future(wait())
        elsewhere = asyncio.get_running_loop().run_in_executor(None, run, wait)
        poller: Any = vars(hume)["_poller"]
        while len(poller._loops.all()) < 2 or fake.count(method="GET") < 4:
            await asyncio.sleep(0.001)
        assert not waiting.done()
        assert not elsewhere.done()
        fake.finish_job(job_id[0])
        await asyncio.gather(waiting, elsewhere)
        await hume.aclose()

    run(here)
    gc.collect()


def test_closing_on_one_event_loop_ends_the_calls_on_another(fake: FakeHume) -> None:
    hume = client_of(fake)
    other = hume.with_options(limiter=Limiter(rate=1 / HOUR, burst=1), timeout=10 * HOUR)
    fake.faults.add(Fault("stall", path="/v0/evi/tools"))

    async def listing() -> None:
        transport: Any = session_in(other).transport
        await list_one(other)
        pool = transport.connections().session
        with pytest.raises(ClientClosedError):
            await list_one(other)
        while not pool.closed:
            await asyncio.sleep(0.001)
        # One turn more for what the end of the closing task has set off.
        await asyncio.sleep(0)

    async def here() -> None:
        there = asyncio.get_running_loop().run_in_executor(None, run, listing)
        own = asyncio.ensure_future(list_tools(hume))
        while not (fake.faults.fired and any(waiting(other))):
            await asyncio.sleep(0.001)
        await hume.aclose()
        await there
        with pytest.raises(ClientClosedError):
            await own

    run(here)


def waiting(hume: HumeAI) -> list[int]:
    return [hume.limiter.snapshot(name).waiting for name in hume.limiter.buckets]
