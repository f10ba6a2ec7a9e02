"""A batch API on a real socket that does its worst with each request, and keeps the books.

It shares no code with `FakeHume`. What it does with a request is scripted (`service.posts`,
`service.lists`, ...) or drawn by a seed (`service.disturb`). Whatever it does, it is truthful:
each result names its source and holds a score that only this source has (`score_of`), and
`service.journal` has every submission that was carried out, whether anybody was told or not.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import random
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from email.parser import Parser
from email.utils import formatdate
from typing import Any, Self

from aiohttp import ClientError, web
from attrs import Factory, define, field
from hostile_gateway import Dialect, hang_up, paths_of, settings_of, wrapping
from hostile_results import Json, Kind, Source, request_of, results_of

POSTS = (
    "reset-before", "reset-after", "hang-before", "hang-after", "late", "slow", "next-start",
    "same-id", "replayed", "429", "503-retry", "503-after", "500-before", "500-after", "408-after",
    "html-before", "html-after", "other-json-after", "cut-after", "gateway-502-after", "foreign",
)  # fmt: skip
"""What can become of a submission: `before` and `after` say when, seen from its being carried out.

`late` and `slow` carry it out when the client has been cut off or has given up, `next-start` when
the client is started again; `same-id` carries it out and names the job that was carried out last,
`replayed` does not even carry it out; whether anybody was told of that job or not. `foreign`
carries it out and names the newest job of somebody else.
"""
LISTS = ("403", "404", "garbage", "html", "500", "reset", "429", "other-json", "cut")
"""What can become of a list of jobs; `garbage` has one entry that nobody can read."""
FETCHES = ("500", "reset", "429", "html", "cut", "hang", "503-retry", "404", "400")
"""What can become of a look at a job or its predictions."""
_PAGE = "<!DOCTYPE html><html><body>Please log in</body></html>"
_REFUSALS = {
    "html": (200, "text/html", _PAGE),
    "other-json": (200, "application/json", '{"success": true}'),
    "gateway-502": (502, "text/html", _PAGE),
    "503-retry": (503, "application/json", "{}"),
}
"""Status, type and body."""


_wall_clock = time.time
"""This machine's, whatever a test puts in its place."""


@define(eq=False)
class Job:
    """One job that was carried out, ours or somebody else's."""

    id: str
    kind: Kind
    sources: list[Source]
    request: Json
    created_ms: int
    is_ours: bool
    done_at: float
    """By this machine's monotonic clock."""
    listed_at: float = 0.0


@define(eq=False, kw_only=True)
class HostileService:
    """See the module's first lines; an async context manager.

    Args:
        clock: Seconds by which its clock is ahead of this machine's.
        late: Seconds after which `late` and `slow` submissions are carried out.
        held: Seconds for which `next-start` submissions wait for the client's next start.
        lag: Seconds until a job shows in the list.
        latency: Seconds that a submission takes before it is carried out, and again after.
        run_seconds: Seconds that a job takes.
        shapes: What is done to each job's predictions, of `SHAPES`.
        newer: Jobs of others that follow each of ours in the list.
        gateway: The dialect of the gateway in front of it; none where it is called directly.
    """

    clock: float = 0.0
    late: float = 0.1
    held: float = 3600.0
    lag: float = 0.0
    latency: float = 0.0
    run_seconds: float = 0.0
    shapes: frozenset[str] = frozenset()
    newer: int = 0
    gateway: Dialect | None = None
    posts: deque[str] = field(factory=deque[str])
    """What becomes of the next submissions; `ok` afterwards."""
    lists: deque[str] = field(factory=deque[str])
    """What becomes of the next lists."""
    fetches: deque[str] = field(factory=deque[str])
    """What becomes of the next looks at jobs and predictions."""
    on_event: Callable[[str], None] = field(default=lambda _: None)
    """Told each transition: `arrived`, `carried-out`, `answered`, `list`, `job`, `predictions`."""
    spoil: Callable[[list[Json]], list[Json]] | None = None
    """What is done to the entries of predictions, lies included."""
    journal: list[Job] = field(factory=list[Job], init=False)
    """Our jobs that were carried out, each of which costs."""
    jobs: dict[str, Job] = field(factory=dict[str, Job], init=False)
    """All jobs by their id."""
    requests: Counter[str] = field(factory=Counter[str], init=False)
    url: str = field(default="", init=False)
    _held: list[tuple[float, Callable[[], Job]]] = field(
        factory=list[tuple[float, Callable[[], Job]]], init=False
    )
    _tasks: set[asyncio.Task[None]] = field(factory=set[asyncio.Task[None]], init=False)
    _closing: asyncio.Event = field(factory=asyncio.Event, init=False)
    _runner: web.AppRunner | None = field(default=None, init=False)
    _dice: random.Random = field(default=Factory(lambda: random.Random(0)), init=False)  # noqa: S311 - a test's dice
    _numbers: itertools.count[int] = field(factory=itertools.count, init=False)
    _hang_ups: itertools.count[int] = field(factory=itertools.count, init=False)

    # What a test says and asks.

    def disturb(self, seed: int, *, posts: int, lists: int, fetches: int) -> None:
        """Draw what becomes of the next requests; so many of each are disturbed at most."""
        self._dice = dice = random.Random(seed)  # noqa: S311 - a test's dice
        for found, kinds, count in (
            (self.posts, POSTS, posts),
            (self.lists, LISTS, lists),
            (self.fetches, FETCHES, fetches),
        ):
            found.extend(dice.choice((*kinds, "ok", "ok")) for _ in range(count))

    def calm(self) -> None:
        """Disturb nothing from now on."""
        for found in (self.posts, self.lists, self.fetches):
            found.clear()

    def client_started(self) -> None:
        """Carry out, a moment from now, what was held until the client is started again."""
        held, self._held = self._held, []
        for since, carry_out in held:
            if time.monotonic() - since < self.held:
                self._later(carry_out)

    def add_foreign(
        self,
        kind: Kind,
        sources: Iterable[str],
        models: Mapping[str, Any],
        *,
        age: float,
        **settings: Any,
    ) -> Job:
        """Add a job of somebody else on the same account, created so many seconds ago."""
        given = [Source(kind, one) for one in sources]
        request: Json = {"models": dict(models), kind: [one.identity for one in given], **settings}
        if kind == "files":
            request["files"] = [one.as_file for one in given]
        job = self._add(kind, given, request, is_ours=False)
        job.created_ms -= round(age * 1000)
        return job

    @property
    def carried_out(self) -> Counter[str]:
        """How often each source was carried out, by identity."""
        return Counter(source.identity for job in self.journal for source in job.sources)

    # The server.

    async def __aenter__(self) -> Self:
        wraps = [] if self.gateway is None else [wrapping(self.gateway, self._headers)]
        app = web.Application(client_max_size=1 << 28, middlewares=wraps)
        jobs, job, predictions = paths_of(self.gateway)
        app.router.add_post(jobs, self._post)
        app.router.add_get(jobs, self._list)
        app.router.add_get(job, self._job)
        app.router.add_get(predictions, self._predictions)
        app.on_response_prepare.append(self._date)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        assert self._runner is not None
        await self._runner.cleanup()

    @property
    def settings(self) -> dict[str, Any]:
        """Settings of a client of it."""
        return settings_of(self.url, self.gateway)

    async def _date(self, _: web.Request, response: web.StreamResponse) -> None:
        # A gateway has a clock of its own.
        now = self._now() if self.gateway is None else _wall_clock()
        response.headers["Date"] = formatdate(now, usegmt=True)

    def _headers(self) -> dict[str, str]:
        return {"date": formatdate(self._now(), usegmt=True)}

    def _now(self) -> float:
        return _wall_clock() + self.clock

    # Submissions.

    async def _post(self, request: web.Request) -> web.StreamResponse:
        self.requests["post"] += 1
        try:
            kind, sources, body = await _submission(request)
        except (ConnectionError, ClientError, web.RequestPayloadError, ValueError):
            return self._cut_off(request)  # cut in mid-upload: not carried out
        self.on_event("arrived")
        bad = _refusal(sources)
        if bad is not None:
            return bad
        act = self.posts.popleft() if self.posts else "ok"

        def carry_out() -> Job:
            return self._add(kind, sources, body, is_ours=True)

        return await self._act_on_post(request, act, carry_out)

    async def _act_on_post(
        self, request: web.Request, act: str, carry_out: Callable[[], Job]
    ) -> web.StreamResponse:
        before = self.journal[-1].id if self.journal else None
        if act == "next-start":
            self._held.append((time.monotonic(), carry_out))
            return self._cut_off(request)
        if act == "late":
            self._later(carry_out)
            return self._cut_off(request)
        if act == "slow":
            await self._pause(self.late)
        if act in {"reset-before", "hang-before", "500-before", "html-before", "429", "503-retry"}:
            return await self._refuse(request, act.removesuffix("-before"))
        if act == "replayed" and before is not None:
            return web.json_response({"job_id": before})
        await self._pause(self.latency)
        job = carry_out()
        await self._pause(self.latency)
        if act.endswith("-after"):
            return await self._refuse(request, act.removesuffix("-after"))
        named = before if act == "same-id" and before is not None else job.id
        if act == "foreign":
            named = next((j.id for j in reversed(self.jobs.values()) if not j.is_ours), job.id)
        self.on_event("answered")
        return web.json_response({"job_id": named})

    def _cut_off(self, request: web.Request) -> web.Response:
        """Break off, to the client or to the gateway, which says so."""
        if self.gateway is not None and next(self._hang_ups) % 2:
            return hang_up()
        return _abort(request)

    async def _refuse(self, request: web.Request, act: str) -> web.StreamResponse:
        """Answer with nothing that helps."""
        if act == "hang":
            await self._pause(3600)
        if act == "cut":
            response = web.StreamResponse(headers={"Content-Length": "60"})
            response.content_type = "application/json"
            await response.prepare(request)
            await response.write(b'{"job_id": "')
            return _abort(request)
        if act in {"hang", "reset"}:
            return self._cut_off(request)
        status, kind, body = _REFUSALS.get(act) or (int(act), "application/json", "{}")
        headers = {"Retry-After": "0"} if act == "503-retry" else None
        return web.Response(status=status, content_type=kind, text=body, headers=headers)

    def _later(self, carry_out: Callable[[], Job]) -> None:
        async def wait() -> None:
            await asyncio.sleep(self.late)
            carry_out()

        task = asyncio.create_task(wait())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pause(self, seconds: float) -> None:
        waiting = asyncio.ensure_future(self._closing.wait())
        await asyncio.wait([waiting], timeout=seconds)
        waiting.cancel()

    def _add(self, kind: Kind, sources: list[Source], request: Json, *, is_ours: bool) -> Job:
        now = time.monotonic()
        job_id = str(uuid.UUID(int=(next(self._numbers) << 8) | 0x1234 << 112, version=4))
        created_ms = round(self._now() * 1000)
        job = Job(job_id, kind, sources, request, created_ms, is_ours, now + self.run_seconds)
        self.jobs[job.id] = job
        if is_ours:
            job.listed_at = now + self.lag
            self.journal.append(job)
            for number in range(self.newer):
                url = f"https://others.example.com/{len(self.jobs)}-{number}.mp4"
                self.add_foreign("urls", [url], {"face": {}}, age=-0.001)
            self.on_event("carried-out")
        return job

    # Looks.

    async def _list(self, request: web.Request) -> web.StreamResponse:
        self.requests["list"] += 1
        self.on_event("list")
        act = self.lists.popleft() if self.lists else "ok"
        if act not in {"ok", "garbage"}:
            return await self._refuse(request, act)
        query = request.query
        found = [job for job in self.jobs.values() if job.listed_at <= time.monotonic()]
        found.sort(key=lambda job: job.created_ms, reverse=query.get("direction") != "asc")
        if "timestamp_ms" in query:
            pivot, when = int(query["timestamp_ms"]), query.get("when", "created_before")
            is_before = when == "created_before"
            found = [j for j in found if (j.created_ms < pivot) is is_before]
        entries: list[Any] = [self._details(job) for job in found]
        entries = entries[: min(int(query.get("limit", 50)), 50)]
        if act == "garbage":
            entries.insert(len(entries) // 2, {"job_id": 7, "state": "?"})
        return web.json_response(entries)

    async def _job(self, request: web.Request) -> web.StreamResponse:
        return await self._look(request, "job", self._details)

    async def _predictions(self, request: web.Request) -> web.StreamResponse:
        return await self._look(request, "predictions", self._results)

    async def _look(
        self, request: web.Request, what: str, answer: Callable[[Job], Any]
    ) -> web.StreamResponse:
        self.requests[what] += 1
        self.on_event(what)
        act = self.fetches.popleft() if self.fetches else "ok"
        if act != "ok":
            return await self._refuse(request, act)
        job = self.jobs.get(request.match_info.get("id") or request.query["id"])
        if job is None:
            return web.json_response({"message": "job not found"}, status=404)
        if what == "predictions" and not self._is_done(job):
            return web.json_response({"message": "job is not completed"}, status=400)
        return web.json_response(answer(job))

    def _is_done(self, job: Job) -> bool:
        return job.done_at <= time.monotonic()

    def _details(self, job: Job) -> Json:
        state: Json = {"status": "IN_PROGRESS", "created_timestamp_ms": job.created_ms}
        if self._is_done(job):
            failed = any("fail-job" in s.name for s in job.sources)
            state |= {
                "status": "FAILED" if failed else "COMPLETED",
                "started_timestamp_ms": job.created_ms + 1,
                "ended_timestamp_ms": job.created_ms + 2,
                "message": "it failed" if failed else None,
            }
        if "punctual" in self.shapes:
            state["created_timestamp_ms"] -= job.created_ms % 1000
        request = request_of(job.sources, job.request, self.shapes)
        return {"type": "INFERENCE", "job_id": job.id, "request": request, "state": state}

    def _results(self, job: Job) -> list[Json]:
        asked: Json = job.request.get("models") or {}
        found = results_of(job.sources, asked, self.shapes, self._dice)
        return found if self.spoil is None else self.spoil(found)


def _refusal(sources: Iterable[Source]) -> web.Response | None:
    """Refuse a job for one source that says so in its name, as a service that validates does."""
    for place, one in enumerate(sources):
        for status in (400, 413, 422):
            if f"refused-{status}" in one.name:
                told: Json = {"message": "one of the sources cannot be taken"}
                if status == 422:
                    told = {"detail": [{"loc": ["body", one.kind, place], "msg": "invalid"}]}
                return web.json_response(told, status=status)
    return None


def _abort(request: web.Request) -> web.Response:
    """Reset the connection; what is returned goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _submission(request: web.Request) -> tuple[Kind, list[Source], Json]:
    """Read the body of a submission, whole."""
    data = await request.read()
    if not request.content_type.startswith("multipart/"):
        body: Json = json.loads(data)
        kind: Kind = "urls" if body.get("urls") else "text"
        return kind, [Source(kind, one) for one in body[kind]], body
    _, _, boundary = request.headers["Content-Type"].partition("boundary=")
    body, files = {}, list[Source]()
    for part in data.split(b"--" + boundary.strip('"').encode())[1:-1]:
        head, _, content = part.removesuffix(b"\r\n").partition(b"\r\n\r\n")
        headers = Parser().parsestr(head.decode().strip())
        if headers.get_param("name", header="content-disposition") == "json":
            body = json.loads(content)
        else:
            md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
            files.append(Source("files", md5, headers.get_filename(), headers["Content-Type"]))
    return "files", files, {**body, "files": [one.as_file for one in files]}
