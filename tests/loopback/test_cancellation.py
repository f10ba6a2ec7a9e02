"""Cancelled at every suspension, on real sockets: nothing stays behind, and the next call works."""

from __future__ import annotations

import contextlib
import json
import shutil
import zipfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from attrs import define
from cancelling import (
    Means,
    Trial,
    assert_idle,
    cut_everywhere,
    no_complaints,
    no_permit_dropped,
    open_files,
    settle,
)
from support import client_of, wav_file

from humeai_async import HumeAI, Limiter, Pool, Retry, unpack
from humeai_async.batch.job import Job
from humeai_async.settings import Polling
from humeai_async.testing import FakeHume, Fault
from humeai_async.types.dicts import ModelsDict

pytestmark = pytest.mark.anyio

LIMIT = 60.0
"""Seconds after which a test is taken for hung."""
ROUNDS = Polling(min_interval=0.002, max_interval=0.002)
MODELS: ModelsDict = {"face": {}}


@define
class Stage:
    """What operations work with."""

    fake: FakeHume
    hume: HumeAI
    folder: Path
    """Where operations write, empty at first."""
    done: Job
    """A job that has ended well."""
    sound: Path
    archive: Path


Scene = Callable[[Stage], Awaitable[object]]


@contextlib.asynccontextmanager
async def stage_of(tmp_path: Path, **settings: Any) -> AsyncGenerator[Stage]:
    settings.setdefault("limiter", Limiter(rate=1e6))
    settings.setdefault("retry", Retry(initial_delay=0.002, budget=1e6))
    settings.setdefault("polling", ROUNDS)
    folder = tmp_path / "out"
    folder.mkdir()
    async with FakeHume(run_seconds=0.005) as fake, client_of(fake, **settings) as hume:
        job = await hume.batch.start_job(urls=["https://example.com/a.mp4"], models=MODELS)
        await job.wait()
        archive = tmp_path / "artifacts.zip"
        await job.save_artifacts(archive)
        sound = wav_file(tmp_path / "sound.wav", 1)
        yield Stage(fake, hume, folder, job, sound, archive)


async def read(stage: Stage) -> None:
    assert await stage.hume.batch.get_predictions(stage.done.id)


async def write(stage: Stage) -> None:
    await stage.hume.batch.start_job(text=["What a day!"], models={"language": {}})


async def retried(stage: Stage) -> None:
    stage.fake.faults.add(Fault("status", status=503))
    await read(stage)
    assert stage.fake.faults.fired


async def two_in_turn(stage: Stage) -> None:
    await read(stage)
    await read(stage)


async def two_at_once(stage: Stage) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read, stage)
        tasks.start_soon(read, stage)


async def upload(stage: Stage) -> None:
    await stage.hume.batch.start_job(files=[stage.sound, stage.sound], models={"prosody": {}})


async def save_predictions(stage: Stage) -> None:
    await stage.done.save_predictions(stage.folder / "predictions.json")


async def save_artifacts(stage: Stage) -> None:
    stage.fake.faults.add(Fault("truncate", path="*/artifacts"))
    await stage.done.save_artifacts(stage.folder / "artifacts.zip")


async def unpack_artifacts(stage: Stage) -> None:
    await unpack(stage.archive, stage.folder / "artifacts")


async def pages(stage: Stage) -> None:
    found = [one async for one in stage.hume.chats.list(page_size=1, prefetch=4)]
    assert found


async def wait_for_a_job(stage: Stage) -> None:
    job = await stage.hume.batch.start_job(urls=["https://example.com/a.mp4"], models=MODELS)
    await job.wait(timeout=30)


async def wait_for_many(stage: Stage) -> None:
    started = [
        await stage.hume.batch.start_job(urls=[f"https://example.com/{n}.mp4"], models=MODELS)
        for n in range(4)
    ]
    async with anyio.create_task_group() as tasks:
        for job in started:
            tasks.start_soon(job.wait)


async def as_completed(stage: Stage) -> None:
    started = [
        await stage.hume.batch.start_job(urls=[f"https://example.com/{n}.mp4"], models=MODELS)
        for n in range(3)
    ]
    assert 3 == len([job async for job in stage.hume.batch.as_completed(started)])


async def fetch_predictions(stage: Stage) -> None:
    ids = [stage.done.id] * 3
    async with stage.hume.batch.fetch_predictions(ids, concurrency=2) as outcomes:
        assert 3 == len([outcome async for outcome in outcomes])


async def predict(stage: Stage) -> None:
    urls = [f"https://example.com/{n}.mp4" for n in range(3)]
    async with stage.hume.batch.predict(urls, models=MODELS, job_size=2) as outcomes:
        assert 3 == len([outcome async for outcome in outcomes])


async def open_a_chat(stage: Stage) -> None:
    async with stage.hume.chat.connect():
        pass


async def talk(stage: Stage) -> None:
    async with stage.hume.chat.connect() as chat:
        await chat.send_text("hello")
        async for event in chat:
            if event.type == "assistant_end":
                break


async def live(stage: Stage) -> None:
    async with client_of(stage.fake) as hume:
        await hume.batch.get_job(stage.done.id)


def assert_whole(stage: Stage) -> None:
    """Make sure that a folder holds nothing half done; a late cancellation may find all done."""
    found = {path.name: path for path in stage.folder.iterdir()}
    assert found.keys() <= {"predictions.json", "artifacts.zip", "artifacts"}
    if path := found.get("predictions.json"):
        assert json.loads(path.read_bytes())
    with zipfile.ZipFile(stage.archive) as archive:
        names = archive.namelist()
    if path := found.get("artifacts.zip"):
        with zipfile.ZipFile(path) as archive:
            assert archive.namelist() == names
    if path := found.get("artifacts"):
        assert {str(one.relative_to(path)) for one in path.rglob("*.csv")} == set(names)
    shutil.rmtree(stage.folder)
    stage.folder.mkdir()


SCENES: dict[str, tuple[Scene, dict[str, Any]]] = {
    "read": (read, {}),
    "write": (write, {}),
    "retried": (retried, {}),
    "in the limiter": (two_in_turn, {"limiter": Limiter(rate=300, burst=1)}),
    "in the pool": (two_at_once, {"pool": Pool(limit=1)}),
    "upload": (upload, {}),
    "save predictions": (save_predictions, {}),
    "save artifacts": (save_artifacts, {}),
    "unpack": (unpack_artifacts, {}),
    "pages": (pages, {}),
    "wait": (wait_for_a_job, {}),
    "waits": (wait_for_many, {}),
    "as completed": (as_completed, {}),
    "fetch predictions": (fetch_predictions, {}),
    "predict": (predict, {}),
    "chat": (open_a_chat, {}),
    "talk": (talk, {}),
    "client": (live, {}),
}


BY_TASK = (Means.TASK, Means.LATE)
BY_ALL = frozenset(
    {
        "in the limiter",
        "in the pool",
        "upload",
        "save artifacts",
        "unpack",
        "wait",
        "talk",
        "client",
    }
)
"""Scenes that are cancelled by every means: one for each kind of thing that may stay behind."""
INNER = frozenset({"write", "in the limiter", "wait", "predict"})
"""Scenes that the inner loop runs, by one means each."""
CASES = [
    pytest.param(
        name,
        means,
        id=f"{name}-{means.name.lower()}",
        marks=() if name in INNER and means is Means.TASK else pytest.mark.slow,
    )
    for name in SCENES
    for means in (Means if name in BY_ALL else BY_TASK)
]


@pytest.mark.parametrize(("name", "means"), CASES)
async def test_cancelled_anywhere_an_operation_leaves_nothing_behind(
    name: str, means: Means, tmp_path: Path
) -> None:
    scene, settings = SCENES[name]
    with anyio.fail_after(LIMIT):
        async with no_complaints(), stage_of(tmp_path, **settings) as stage:
            files = open_files()

            async def check(trial: Trial) -> None:
                await settle(trial)
                assert_idle(stage.hume)
                assert_whole(stage)
                assert files == open_files()
                stage.fake.faults.clear()
                await stage.hume.batch.get_job(stage.done.id)

            with no_permit_dropped():
                cut = await cut_everywhere(lambda: scene(stage), check, means)
            assert cut > 0
