"""A server of canned answers in a process of its own, so that only the client is measured.

It speaks as much of Hume's batch API as the benchmarks need: jobs are completed at once or some
seconds after somebody asked first, and predictions are small faces or bodies of a given size.
`/asked` tells how often states were asked for. Run by the benchmarks, not by hand.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from contextlib import AbstractContextManager
from multiprocessing.connection import Connection
from typing import Any

from aiohttp import web

from benchmarks.measuring import serving
from humeai_async.types.predictions.rows import EXPRESSIONS

STATE = {
    "status": "COMPLETED",
    "created_timestamp_ms": 1,
    "started_timestamp_ms": 1,
    "ended_timestamp_ms": 2,
    "num_predictions": 1,
    "num_errors": 0,
}


def face(seed: int) -> dict[str, Any]:
    """Make one face with 48 scores: about 2.6 kB of JSON."""
    chance = random.Random(seed)
    return {
        "frame": seed,
        "time": seed / 3,
        "prob": 0.9987,
        "box": {"x": 412.5, "y": 96.25, "w": 188.0, "h": 241.75},
        "emotions": [{"name": name, "score": chance.random()} for name in EXPRESSIONS],
        "facs": None,
        "descriptions": None,
    }


def predictions(url: str, faces: int) -> str:
    """Make the predictions of one source."""
    group = {"id": "face_0", "predictions": [face(n) for n in range(faces)]}
    found = {"metadata": None, "grouped_predictions": [group]}
    file = {"file": "a.mp4", "models": {"face": found}}
    source = {"type": "url", "url": url}
    return json.dumps({"source": source, "results": {"predictions": [file], "errors": []}})


class Jobs:
    """Jobs that are completed as soon as they are started, or later.

    Args:
        faces: Faces in the predictions of each source.
        count: Jobs that are there from the start, of one source each.
        seconds: How long after the first question for a state all are completed.
    """

    def __init__(self, faces: int, count: int, seconds: float) -> None:
        self._seconds = seconds
        self._completed_at: float | None = None
        self._asked = 0
        self._jobs: list[list[str]] = []
        self._details: list[bytes] = []
        before, _, after = predictions("@url@", faces).partition("@url@")
        self._before, self._after = before, after

        for number in range(count):
            self._add([f"https://media.example.com/{number}.mp4"])

    def _add(self, urls: list[str]) -> str:
        number = len(self._jobs)
        self._jobs.append(urls)
        details: dict[str, Any] = {
            "type": "INFERENCE",
            "job_id": f"job-{number}",
            "request": {"urls": urls, "files": []},
            "state": STATE | {"created_timestamp_ms": number},
        }
        self._details.append(json.dumps(details).encode())
        return f"job-{number}"

    async def start(self, request: web.Request) -> web.Response:
        """Start a job."""
        return web.json_response({"job_id": self._add((await request.json())["urls"])})

    async def list(self, request: web.Request) -> web.Response:
        """List the newest jobs, or those before a time."""
        before = int(request.query.get("timestamp_ms", len(self._jobs)))
        limit = int(request.query.get("limit", 50))
        end = min(before, len(self._jobs))
        found = self._details[max(0, end - limit) : end][::-1]
        return self._state(b"[" + b",".join(found) + b"]")

    async def get(self, request: web.Request) -> web.Response:
        """Tell one job."""
        return self._state(self._details[_number(request)])

    def _state(self, details: bytes) -> web.Response:
        self._asked += 1
        now = time.monotonic()
        if self._completed_at is None:
            self._completed_at = now + self._seconds
        if now < self._completed_at:
            details = details.replace(b"COMPLETED", b"IN_PROGRESS")
        return web.Response(body=details, content_type="application/json")

    async def asked(self, request: web.Request) -> web.Response:
        """Tell how often states were asked for."""
        del request
        return web.json_response(self._asked)

    async def predictions(self, request: web.Request) -> web.Response:
        """Give the predictions of one job."""
        urls = self._jobs[_number(request)]
        text = ",".join(f"{self._before}{url}{self._after}" for url in urls)
        return web.Response(text=f"[{text}]", content_type="application/json")


def _number(request: web.Request) -> int:
    return int(request.match_info["id"].removeprefix("job-"))


async def _serve(told: Connection, faces: int, count: int, seconds: float) -> None:
    jobs = Jobs(faces, count, seconds)
    app = web.Application(client_max_size=1 << 28)
    app.router.add_post("/v0/batch/jobs", jobs.start)
    app.router.add_get("/v0/batch/jobs", jobs.list)
    app.router.add_get("/v0/batch/jobs/{id}", jobs.get)
    app.router.add_get("/v0/batch/jobs/{id}/predictions", jobs.predictions)
    app.router.add_get("/asked", jobs.asked)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    told.send(runner.addresses[0][1])
    await asyncio.Event().wait()


def canned_server(
    faces: int = 1, count: int = 0, seconds: float = 0.0
) -> AbstractContextManager[str]:
    """Run the server in a process of its own, and give its URL.

    Args:
        faces: Faces in the predictions of each source.
        count: Jobs that are there from the start: `job-0` and so on, of one source each.
        seconds: How long after the first question for a state all jobs are completed.
    """
    return serving(_serve, faces, count, seconds)
