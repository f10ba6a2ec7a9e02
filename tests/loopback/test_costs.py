"""What calls and bodies cost, as counts: copies, objects, tasks and what is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import multiprocessing
import subprocess
import sys
import tracemalloc
from collections.abc import Generator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from bytes_left import bytes_left_by
from scripted_transport import ScriptedTransport
from support import session_of

from humeai_async import HumeAI, catalog
from humeai_async.http.endpoint import fill
from humeai_async.http.messages import Request, Response
from humeai_async.http.origins import Direct
from humeai_async.testing.scores import EXPRESSIONS
from humeai_async.types.predictions.measurements import FacePrediction
from humeai_async.types.predictions.predictions import Predictions
from humeai_async.types.predictions.scores import ExpressionScore

pytestmark = pytest.mark.anyio

PAGE: dict[str, Any] = {"page_number": 0, "page_size": 10, "total_pages": 1, "configs_page": []}

SERVE_FILES = """
import pathlib, socket, sys, threading
answers = {}
for argument in sys.argv[1:]:
    path, _, file = argument.partition("=")
    body = pathlib.Path(file).read_bytes()
    answers[path] = b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body) + body
def serve(connection):
    received = b""
    while piece := connection.recv(65536):
        received += piece
        while b"\\r\\n\\r\\n" in received:
            head, _, received = received.partition(b"\\r\\n\\r\\n")
            connection.sendall(answers[head.split()[1].decode().partition("?")[0]])
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=server.accept()[:1], daemon=True).start()
"""
"""In a process of its own, so that none of its memory and no task is counted."""


@contextlib.contextmanager
def serving(**files: Path) -> Generator[str]:
    arguments = [f"/{name.replace('__', '/')}={file}" for name, file in files.items()]
    process = subprocess.Popen(  # noqa: S603 - our own
        [sys.executable, "-c", SERVE_FILES, *arguments], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def body_of(faces: int) -> bytes:
    face = {
        "frame": 1,
        "time": 0.5,
        "prob": 0.9987,
        "box": {"x": 412.5, "y": 96.25, "w": 188.0, "h": 241.75},
        "emotions": [{"name": name, "score": 0.12345678901234567} for name in EXPRESSIONS],
        "facs": None,
    }
    group = {"id": "face_0", "predictions": [face] * faces}
    file = {"file": "a.mp4", "models": {"face": {"grouped_predictions": [group]}}}
    results = {"predictions": [file], "errors": []}
    return json.dumps([{"source": {"type": "url"}, "results": results}]).encode()


def objects_of(kind: type) -> int:
    return sum(type(thing) is kind for thing in gc.get_objects())


def client_at(url: str, way: str) -> HumeAI:
    if way == "gateway":
        return HumeAI(api_token="at_key", base_url=url)
    return HumeAI(api_key="key", base_url=url)


@pytest.mark.parametrize("way", ["direct", "gateway"])
@pytest.mark.slow
async def test_a_fetched_body_is_in_memory_once_and_twice_while_an_envelope_is_taken_off(
    tmp_path: Path, way: str
) -> None:
    body, small = body_of(4000), body_of(1)
    for name, bare in (("big", body), ("small", small)):
        whole = b'{"result": ' + bare + b', "message": "ok"}' if way == "gateway" else bare
        (tmp_path / name).write_bytes(whole)
    files = {f"v0__batch__jobs__{name}__predictions": tmp_path / name for name in ("big", "small")}
    with serving(**files) as url:
        async with client_at(url, way) as hume:
            await hume.batch.get_predictions("small")  # imports and connections
            gc.collect()
            tracemalloc.start()
            try:
                found = await hume.batch.get_predictions("big")
                gc.collect()
                held, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
    assert len(found) == 1
    assert held < 1.1 * len(body)
    # An envelope and what was inside of it are there together for a moment.
    assert peak < (2.2 if way == "gateway" else 1.2) * len(body)


def faces_of(found: Predictions) -> Sequence[FacePrediction]:
    faces = found[0].files[0].models.face
    assert faces is not None
    return faces.grouped_predictions[0].predictions


def test_no_prediction_is_made_before_somebody_looks_and_none_is_kept() -> None:
    few, many = body_of(1), body_of(500)
    Predictions.from_json(few).validate()
    gc.collect()
    before = len(gc.get_objects())
    smallest = Predictions.from_json(few)
    shell = len(gc.get_objects()) - before
    found = Predictions.from_json(many)
    assert sum(1 for _ in faces_of(found)) == 500
    found.validate()
    assert objects_of(FacePrediction) == 0
    assert len(gc.get_objects()) - before <= 2 * shell + 5
    del smallest


def test_no_score_is_read_before_somebody_looks() -> None:
    first, second, *_ = [face.emotions for face in faces_of(Predictions.from_json(body_of(10)))]
    assert first["Joy"] > 0
    assert first._numbers is not None  # pyright: ignore[reportPrivateUsage]  # inside on purpose
    assert second._numbers is None  # pyright: ignore[reportPrivateUsage]  # inside on purpose


def test_scores_that_were_touched_are_numbers_and_not_objects() -> None:
    faces = [*faces_of(Predictions.from_json(body_of(100)))]
    gc.collect()
    pairs, everything = objects_of(ExpressionScore), len(gc.get_objects())
    total = sum(len(face.emotions) for face in faces)
    assert total == 100 * len(EXPRESSIONS)
    assert objects_of(ExpressionScore) == pairs
    assert len(gc.get_objects()) <= everything + 100 + 10  # an array each


async def test_all_faces_share_one_tuple_of_names() -> None:
    first = Predictions.from_json(body_of(1))
    second = Predictions.from_json(body_of(1))
    names = [faces_of(found)[0].emotions.split()[0] for found in (first, second)]
    assert names[0] is names[1]


async def test_a_call_makes_no_task(tmp_path: Path) -> None:
    (tmp_path / "page").write_text(json.dumps(PAGE))
    made: list[object] = []

    def make(loop: asyncio.AbstractEventLoop, coroutine: Any, **more: Any) -> asyncio.Task[Any]:
        made.append(coroutine)
        return asyncio.Task(coroutine, loop=loop, **more)

    with serving(v0__evi__configs=tmp_path / "page") as url:
        async with HumeAI(api_key="key", base_url=url) as hume:
            await hume.configs.list()
            loop = asyncio.get_running_loop()
            loop.set_task_factory(make)
            try:
                for _ in range(20):
                    await hume.configs.list()
            finally:
                loop.set_task_factory(None)
    assert made == []


@pytest.mark.slow
def test_a_call_that_is_done_leaves_nothing_in_memory() -> None:
    # In a process of its own: what measures coverage here keeps a note of each line that ran.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as other:
        left = other.submit(bytes_left_by, 500).result()
    assert left < 500 * 8


@pytest.mark.parametrize("faces", [1, 200])
async def test_others_have_their_turn_between_the_steps_with_a_large_body(faces: int) -> None:
    body = body_of(faces)
    seen: list[int] = []
    ticks: list[int] = []

    async def tick() -> None:
        while True:
            await asyncio.sleep(1e-9)  # 0 would not go through a timer
            ticks.append(len(ticks))

    class Watched(Direct):
        def read(self, response: Response) -> Response:
            seen.append(len(ticks))
            return super().read(response)

    def reply(request: Request) -> Response:
        del request
        seen.append(len(ticks))
        return Response(200, {}, body)

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0)
    origin = Watched("https://hume.test", api_key="key")
    session = session_of(ScriptedTransport(reply), origin=origin)
    await session.call(fill(catalog.BATCH_GET_PREDICTIONS, "id"))
    ticking.cancel()
    arrived, unpacked = seen
    is_large = len(body) > 1 << 18
    assert (unpacked > arrived) == is_large
    assert (len(ticks) > unpacked) == is_large
