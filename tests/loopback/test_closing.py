"""A client that is closed in mid-flight, on real sockets: every call ends, and by that name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from attrs import field, frozen
from cancelling import Means, Trial, cut_everywhere, no_complaints, settle
from chat_support import NEVER_SOON
from support import client_of
from waiting import until

from humeai_async import ClientClosedError, HumeAI, Limiter, Pool, Retry
from humeai_async.settings import Polling, Timeout
from humeai_async.testing import Drop, FakeHume, Fault
from humeai_async.types.dicts import ModelsDict

pytestmark = pytest.mark.anyio

LIMIT = 60.0
"""Seconds after which a test is taken for hung."""
HOUR = 3600.0
PATIENT = Timeout(read=None, total=10 * HOUR)
STUCK = "https://example.com/stuck-job.mp4"
MODELS: ModelsDict = {"face": {}}


@frozen
class Scene:
    """One place where a call can be when its client is closed."""

    call: Callable[[HumeAI, FakeHume, Path], Awaitable[object]]
    is_there: Callable[[HumeAI, FakeHume], object]
    """Whether the call has come to the place."""
    faults: tuple[Fault, ...] = ()
    settings: dict[str, Any] = field(factory=dict[str, Any])


async def get(hume: HumeAI, _fake: FakeHume, _: Path) -> object:
    return await hume.configs.list()


async def get_two(hume: HumeAI, fake: FakeHume, folder: Path) -> None:
    await get(hume, fake, folder)
    await get(hume, fake, folder)


async def crowd(hume: HumeAI, fake: FakeHume, folder: Path) -> None:
    """Make many calls at once, of which each must end by itself."""
    calls = [asyncio.ensure_future(get(hume, fake, folder)) for _ in range(5)]
    await asyncio.wait(calls)
    assert {type(call.exception()) for call in calls} == {ClientClosedError}
    await calls[0]


async def post(hume: HumeAI, _fake: FakeHume, _: Path) -> None:
    await hume.batch.start_job(urls=[STUCK], models=MODELS)


async def upload(hume: HumeAI, _fake: FakeHume, _: Path) -> None:
    async def sound() -> AsyncIterator[bytes]:
        yield b"RIFF"
        await asyncio.Event().wait()

    await hume.batch.start_job(files=[sound()], models={"prosody": {}})


async def stream(hume: HumeAI, _fake: FakeHume, _: Path) -> None:
    job = await hume.batch.start_job(urls=["https://example.com/a.mp4"], models=MODELS)
    await job.wait()
    async with job.stream_artifacts() as artifacts:
        await artifacts.read()


async def use_a_stream_slowly(hume: HumeAI, _fake: FakeHume, _: Path) -> None:
    job = await hume.batch.start_job(urls=["https://example.com/a.mp4"], models=MODELS)
    await job.wait()
    async with job.stream_artifacts() as artifacts:
        while hume.stats.failures == 0:  # until the client is closed
            await anyio.sleep(0.001)
            await anext(artifacts.chunks(), b"")


async def save(hume: HumeAI, _fake: FakeHume, folder: Path) -> None:
    job = await hume.batch.start_job(urls=["https://example.com/a.mp4"], models=MODELS)
    await job.wait()
    await job.save_artifacts(folder / "artifacts.zip")


async def wait(hume: HumeAI, _fake: FakeHume, _: Path) -> None:
    job = await hume.batch.start_job(urls=[STUCK], models=MODELS)
    await job.wait()


async def wait_for_three(hume: HumeAI, _fake: FakeHume, _: Path) -> None:
    job = await hume.batch.start_job(urls=[STUCK], models=MODELS)
    waits = [asyncio.ensure_future(hume.batch.job(job.id).wait()) for _ in range(3)]
    await asyncio.wait(waits)
    assert {type(one.exception()) for one in waits} == {ClientClosedError}
    await waits[0]


async def as_completed(hume: HumeAI, _fake: FakeHume, _: Path) -> None:
    job = await hume.batch.start_job(urls=[STUCK], models=MODELS)
    async for _one in hume.batch.as_completed([job]):
        pass


async def fetch_predictions(hume: HumeAI, _fake: FakeHume, _: Path) -> None:
    job = await hume.batch.start_job(urls=[STUCK], models=MODELS)
    async for _one in hume.batch.fetch_predictions([job.id]):
        pass


async def predict(hume: HumeAI, _fake: FakeHume, folder: Path) -> None:
    async for _one in hume.batch.predict([STUCK], models=MODELS, ledger=folder / "run.db"):
        pass


async def pages(hume: HumeAI, fake: FakeHume, _: Path) -> None:
    async for _one in hume.chats.list(page_size=1, prefetch=4):
        fake.faults.add(Fault("stall", times=None))


async def chat(hume: HumeAI, _fake: FakeHume, _: Path) -> None:
    async with hume.chat.connect(reconnect=NEVER_SOON) as socket:
        async for _event in socket:
            pass


async def lost_chat(hume: HumeAI, fake: FakeHume, folder: Path) -> None:
    fake.chat.drops.append(Drop(after=0))
    await chat(hume, fake, folder)


async def chat_that_sends(hume: HumeAI, _fake: FakeHume, _: Path) -> None:
    async with hume.chat.connect() as socket:
        while True:
            await socket.send_text("hello")
            await asyncio.sleep(0)


def has_asked(_: HumeAI, fake: FakeHume) -> object:
    return fake.requests


def is_cut_off(hume: HumeAI, fake: FakeHume) -> object:
    return fake.faults.fired and is_idle(hume)


def is_between_rounds(hume: HumeAI, fake: FakeHume) -> object:
    return fake.count(method="GET") and is_idle(hume)


def is_busy(hume: HumeAI, fake: FakeHume) -> object:
    return fake.connections_open and not is_idle(hume)


def has_artifacts(_: HumeAI, fake: FakeHume) -> object:
    return fake.count(path="*/artifacts")


def has_fired(_: HumeAI, fake: FakeHume) -> object:
    return fake.faults.fired


def has_chat(_: HumeAI, fake: FakeHume) -> object:
    return fake.chat.connections


def has_lost_chat(hume: HumeAI, fake: FakeHume) -> object:
    inside: Any = hume
    return fake.chat.connections and not inside._session.transport.open_sockets


def has_waiter_in_limiter(hume: HumeAI, _: FakeHume) -> object:
    return any(hume.limiter.snapshot(name).waiting for name in hume.limiter.buckets)


def has_waiters_in_pool(hume: HumeAI, fake: FakeHume) -> object:
    return hume.stats.requests > len(fake.requests) > 0


def is_idle(hume: HumeAI) -> bool:
    inside: Any = hume
    return bool(inside._session.transport.in_flight == 0)


SLOW_RETRY: dict[str, Any] = {"retry": Retry(initial_delay=HOUR, max_delay=HOUR, budget=1e6)}
SLOW_ROUNDS: dict[str, Any] = {"polling": Polling(min_interval=HOUR, max_interval=HOUR)}

SCENES: dict[str, Scene] = {
    "limiter": Scene(
        get_two, has_waiter_in_limiter, settings={"limiter": Limiter(rate=1 / HOUR, burst=1)}
    ),
    "pool": Scene(
        crowd, has_waiters_in_pool, (Fault("stall", times=None),), {"pool": Pool(limit=1)}
    ),
    "many": Scene(crowd, has_asked, (Fault("stall", times=None),)),
    "backoff": Scene(get, is_cut_off, (Fault("status", status=500),), SLOW_RETRY),
    "request": Scene(get, has_asked, (Fault("stall"),)),
    "body": Scene(get, has_asked, (Fault("stall-body"),)),
    "write": Scene(post, has_asked, (Fault("stall", after_work=True),)),
    "upload": Scene(upload, is_busy),
    "stream": Scene(stream, has_fired, (Fault("stall-body", path="*/artifacts"),)),
    "stream in use": Scene(use_a_stream_slowly, has_artifacts),
    "download": Scene(save, has_fired, (Fault("stall-body", path="*/artifacts"),)),
    "download's pause": Scene(
        save, is_cut_off, (Fault("truncate", path="*/artifacts", times=9),), SLOW_RETRY
    ),
    "wait": Scene(wait, is_between_rounds, settings=SLOW_ROUNDS),
    "wait in a round": Scene(wait, has_fired, (Fault("stall", method="GET"),)),
    "waits": Scene(wait_for_three, is_between_rounds, settings=SLOW_ROUNDS),
    "as completed": Scene(as_completed, is_between_rounds, settings=SLOW_ROUNDS),
    "fetch predictions": Scene(fetch_predictions, is_between_rounds, settings=SLOW_ROUNDS),
    "predict": Scene(predict, is_between_rounds, settings=SLOW_ROUNDS),
    "predict's pause": Scene(predict, is_cut_off, (Fault("reset", method="POST"),)),
    "pages": Scene(pages, has_fired),
    "handshake": Scene(chat, has_fired, (Fault("stall", path="/v0/evi/chat"),)),
    "chat": Scene(chat, has_chat),
    "chat's pause": Scene(lost_chat, has_lost_chat),
    "chat that sends": Scene(chat_that_sends, has_chat),
}


def client_for(fake: FakeHume, scene: Scene) -> HumeAI:
    settings = {"limiter": Limiter(rate=1e6), "timeout": PATIENT, **scene.settings}
    settings.setdefault("retry", Retry(attempts=1))
    return client_of(fake, **settings)


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
@pytest.mark.slow
async def test_closing_the_client_ends_a_call_wherever_it_is(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("humeai_async.bulk.patience.SEARCH_PAUSES", (HOUR,))
    with anyio.fail_after(LIMIT):
        async with no_complaints(), FakeHume(faults=scene.faults) as fake:
            hume = client_for(fake, scene)
            trial = Trial(lambda: scene.call(hume, fake, tmp_path), Means.TASK, None)
            running = asyncio.ensure_future(trial.run())
            await until(lambda: scene.is_there(hume, fake) or running.done())
            await hume.aclose()
            with pytest.raises(ClientClosedError):
                await running
            await settle(trial)
            await until(lambda: not fake.connections_open)
    assert {path.name for path in tmp_path.iterdir()} <= {"run.db", "run.db.lock"}


@pytest.mark.parametrize(
    "call",
    [get, post, upload, stream, save, wait, pages, as_completed, fetch_predictions, predict, chat],
)
async def test_a_closed_client_says_so_at_once_and_sends_nothing(
    call: Callable[[HumeAI, FakeHume, Path], Awaitable[object]], tmp_path: Path
) -> None:
    with anyio.fail_after(LIMIT):
        async with FakeHume() as fake:
            hume = client_of(fake, limiter=Limiter(rate=1 / HOUR, burst=1), timeout=PATIENT)
            await hume.configs.list()  # the limiter has no other call to give
            await hume.aclose()
            with pytest.raises(ClientClosedError, match="closed"):
                await call(hume, fake, tmp_path)
            assert len(fake.requests) == 1


async def test_a_wait_that_was_begun_before_cannot_go_on_with_a_closed_client() -> None:
    with anyio.fail_after(LIMIT):
        async with FakeHume() as fake:
            hume = client_of(fake)
            job = await hume.batch.start_job(urls=[STUCK], models=MODELS)
            await hume.aclose()
            with pytest.raises(ClientClosedError):
                await job.wait()


@pytest.mark.parametrize("closes_first", ["parent", "relative"])
async def test_closing_a_client_ends_the_calls_of_its_relatives(closes_first: str) -> None:
    with anyio.fail_after(LIMIT):
        async with FakeHume(faults=[Fault("stall", times=None)]) as fake:
            parent = client_of(fake)
            relative = parent.with_options(timeout=HOUR, limiter=Limiter(), polling=Polling())
            calls = [asyncio.ensure_future(one.configs.list()) for one in (parent, relative)]
            await until(lambda: len(fake.requests) == 2)
            await (parent if closes_first == "parent" else relative).aclose()
            for call in calls:
                with pytest.raises(ClientClosedError):
                    await call
            for one in (parent, relative):
                with pytest.raises(ClientClosedError):
                    await one.configs.list()


async def test_a_client_can_be_closed_twice_and_from_two_tasks_at_once() -> None:
    with anyio.fail_after(LIMIT):
        async with FakeHume() as fake:
            hume = client_of(fake)
            await hume.configs.list()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(hume.aclose)
                tasks.start_soon(hume.aclose)
            await hume.aclose()
            await until(lambda: not fake.connections_open)


async def test_a_client_can_be_closed_while_its_block_is_left() -> None:
    with anyio.fail_after(LIMIT):
        async with FakeHume() as fake, anyio.create_task_group() as tasks:
            async with client_of(fake) as hume:
                await hume.configs.list()
                tasks.start_soon(hume.aclose)
            await until(lambda: not fake.connections_open)


async def test_a_call_that_closes_its_own_client_ends_by_that_name() -> None:
    with anyio.fail_after(LIMIT):
        async with FakeHume() as fake:
            hume = client_of(fake)
            job = await hume.batch.start_job(urls=["https://example.com/a.mp4"], models=MODELS)
            await job.wait()
            async with job.stream_artifacts() as artifacts:
                await hume.aclose()
                with pytest.raises(ClientClosedError):
                    await artifacts.read()
            task = asyncio.current_task()
            assert task is not None
            assert not task.cancelling()


async def test_a_write_that_was_under_way_is_of_unknown_outcome_and_a_waiting_one_is_not() -> None:
    with anyio.fail_after(LIMIT):
        async with FakeHume(faults=[Fault("stall", after_work=True)]) as fake:
            hume = client_of(fake, pool=Pool(limit=1), limiter=Limiter(rate=2 / HOUR, burst=1))
            sent = asyncio.ensure_future(hume.batch.start_job(urls=[STUCK], models=MODELS))
            await until(lambda: fake.requests)
            hume_waits = hume.with_options(timeout=10 * HOUR)
            waiting = asyncio.ensure_future(hume_waits.batch.start_job(urls=[STUCK], models=MODELS))
            await until(lambda: has_waiter_in_limiter(hume, fake))
            await hume.aclose()
            for call, is_unknown in ((sent, True), (waiting, False)):
                with pytest.raises(ClientClosedError) as caught:
                    await call
                assert caught.value.outcome_unknown == is_unknown


@pytest.mark.parametrize("means", Means, ids=lambda means: means.name.lower())
async def test_a_cancelled_close_closes_everything_all_the_same(means: Means) -> None:
    with anyio.fail_after(LIMIT):
        async with no_complaints(), FakeHume() as fake:
            stage: list[HumeAI] = []

            async def close() -> None:
                await stage[-1].aclose()

            async def prepare(_: Trial | None) -> None:
                if _ is not None:
                    await settle(_)
                    await until(lambda: not fake.connections_open)
                stage.append(client_of(fake))
                await stage[-1].configs.list()
                await stage[-1].chat.connect().__aenter__()

            await prepare(None)
            assert await cut_everywhere(close, prepare, means)
            await stage[-1].aclose()
