"""`FakeHume`: the whole fake behind one `async with`.

It puts the layers together (Hume, in front of it a gateway or none, in front of that the
socket), keeps a record of every request, and gives tests the handles they need. Tests, the
demo and benchmarks start here.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Sequence
from pathlib import Path
from ssl import SSLContext
from typing import Literal, TypeAlias, get_args

from aiohttp import web
from attrs import define, evolve, field

from humeai_async.testing.browsers import allow, preflight_response
from humeai_async.testing.chat_server import ChatServer
from humeai_async.testing.chats import FakeChat
from humeai_async.testing.clock import Clock
from humeai_async.testing.decisions import DecisionStore
from humeai_async.testing.exchange import Arrival, FakeResponse, FormPart, Pairs, Record
from humeai_async.testing.expression import ExpressionStore
from humeai_async.testing.expression_sockets import PATHS as EXPRESSION_PATHS
from humeai_async.testing.expression_sockets import ExpressionSockets
from humeai_async.testing.faults import Fault, Faults
from humeai_async.testing.gateway import PREFIX, Application, DocumentedGateway
from humeai_async.testing.gateway_recorded import GatewayState, RecordedGateway
from humeai_async.testing.jobstate import FakeJob, Outcome
from humeai_async.testing.loopback import LoopbackServer
from humeai_async.testing.options import Options, Seconds
from humeai_async.testing.quota import Quota
from humeai_async.testing.upstream import Credentials, Upstream
from humeai_async.testing.wanted import Scores, Wanted
from humeai_async.testing.world import World

Dialect: TypeAlias = Literal["direct", "gateway-documented", "gateway-recorded"]
"""Which server the fake is: Hume itself, LowCodeAPI by its documentation, or LowCodeAPI as
its open-source server was recorded."""

_GATEWAY_KEEPALIVE = 5.0
_DIRECT_KEEPALIVE = 75.0


@define
class Recorded:
    """One request that the fake got, secrets included, and the status it responded with."""

    method: str
    path: str
    """As sent, still escaped."""
    query: Pairs
    headers: dict[str, str] = field(repr=False)
    """Names in lower case."""
    body: bytes = field(repr=False)
    parts: tuple[FormPart, ...] | None = None
    """Parts of a multipart body."""
    upstream: Arrival | None = None
    """What Hume saw of it, or `None` if it never got that far."""
    status: int | None = None
    """Status that was sent back, or `None` if there was no response."""
    is_carried_out: bool = False
    """Whether Hume did what it asks for, whatever was sent back."""


class FakeHume(LoopbackServer):
    """A stand-in for Hume, or for LowCodeAPI in front of Hume, on a loopback socket.

    ```python
    async with FakeHume(run_seconds=0.5) as fake:
        async with HumeAI(api_key=fake.api_key, base_url=fake.url) as hume:
            job = await hume.batch.start_job(urls=["https://example.com/a.mp4"])
            await job.wait(timeout=10)
    ```

    Code that is not asynchronous writes `with FakeHume() as fake:`; it then serves on a thread of
    its own.

    Marks in the names of sources script trouble: `fail-job`, `stuck-job`, `missing`,
    `broken` (see `humeai_async.testing.sources`).
    """

    def __init__(
        self,
        *,
        dialect: Dialect = "direct",
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Clock | None = None,
        queue_seconds: Seconds | None = None,
        run_seconds: Seconds | None = None,
        outcome: Callable[[FakeJob], Outcome | None] | None = None,
        frames: int | None = None,
        latency: float | Callable[[Arrival], float] = 0.0,
        quota: Quota | None = None,
        faults: Sequence[Fault] = (),
        options: Options | None = None,
        credentials: Credentials | None = None,
        never_answer: bool = True,
        gateway_state: GatewayState = "working",
        body_limit: int = 100 * 1024 * 1024,
        record_bodies: bool = True,
        tls: SSLContext | None = None,
        allow_origin: str | None = None,
    ) -> None:
        """Make a fake; it listens from `async with` or `start()` on.

        Args:
            dialect: Which server it is.
            host: Address to listen on.
            port: Port to listen on; 0 lets the system choose.
            clock: What jobs move on; real time if left out.
            queue_seconds: Seconds of the clock that a job is QUEUED, or a function of the job;
                0 if left out.
            run_seconds: Seconds of the clock that a job is IN_PROGRESS, or a function of the
                job; 0 if left out.
            outcome: Decides how a job ends; `None` from it leaves that to the sources' names.
            frames: Frames and sentences that predictions cover; sets the size of
                responses; 3 if left out.
            latency: Real seconds between a request and its response, or a function of the
                request. The work is done when the request arrives.
            quota: Once it is used up, responses are 429.
            faults: What goes wrong from the start.
            options: Rarer settings; the arguments above win over its fields.
            credentials: What is accepted instead of the made-up defaults.
            never_answer: Whether responses that the recorded gateway never gives hold the
                connection open, as they do; otherwise it is closed without a response.
            gateway_state: In which state the recorded gateway is.
            body_limit: Bytes of a JSON body that the recorded gateway takes.
            record_bodies: Whether `requests` keep their bodies; switch it off for long runs.
            tls: Certificate and key of the fake, which then speaks HTTPS.
            allow_origin: Pages of this origin, or of all with `*`, may call it from a browser
                (CORS). What the services themselves allow is not known.

        Raises:
            ValueError: There is no such dialect.
        """
        if dialect not in get_args(Dialect):
            raise ValueError(f"dialect is one of {', '.join(get_args(Dialect))}, not {dialect!r}")
        is_recorded = dialect == "gateway-recorded"
        super().__init__(
            host=host,
            port=port,
            keepalive=_GATEWAY_KEEPALIVE if is_recorded else _DIRECT_KEEPALIVE,
            never_answer=never_answer,
            tls=tls,
        )
        self.dialect: Dialect = dialect
        self.clock: Clock = clock or Clock()
        """What jobs move on."""
        self.faults: Faults = Faults(*faults)
        """What goes wrong."""
        self.latency = latency
        """Seconds before a response; may be set anew at any time."""
        self.requests: list[Recorded] = []
        """Every request, in order."""
        own: Record = {"queue_seconds": queue_seconds, "run_seconds": run_seconds}
        own |= {"outcome": outcome, "frames": frames}
        own = {name: value for name, value in own.items() if value is not None}
        self._world = World(evolve(options or Options(), **own), self.clock)
        self._credentials = credentials or Credentials()
        self.upstream: Upstream = Upstream(self._world, self._credentials, quota, self.faults)
        """Hume behind it, with all state."""
        self.chat: ChatServer = ChatServer(self.upstream)
        """The EVI WebSocket, of the direct dialect alone: its connections, and what is to
        happen to them."""
        self.sessions: ExpressionSockets = ExpressionSockets(self.upstream)
        """The sockets of Expression Measurement: their sessions, and what is to happen to them."""
        self._record_bodies = record_bodies
        self._allow_origin = allow_origin
        self._application = self._front(gateway_state, body_limit)

    @property
    def url(self) -> str:
        """Base URL for a client of this dialect."""
        return self.origin + ("" if self.dialect == "direct" else PREFIX)

    @property
    def api_key(self) -> str:
        """The Hume key it accepts in the direct dialect."""
        return self._credentials.api_key

    @property
    def access_token(self) -> str:
        """The access token it accepts in the direct dialect."""
        return self._credentials.access_token

    @property
    def secret_key(self) -> str:
        """The secret key that makes access tokens together with `api_key`, for `OAuth`."""
        return self._credentials.secret_key

    @property
    def api_token(self) -> str:
        """The LowCodeAPI token it accepts in the gateway dialects."""
        return self._credentials.api_token

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which `HumeAI()` reaches it; those of other credentials are empty."""
        is_direct = self.dialect == "direct"
        return {
            "HUME_BASE_URL": self.url,
            "HUME_CLOUD_URL": self.url if is_direct else "",
            "HUME_API_KEY": self.api_key if is_direct else "",
            "HUME_ACCESS_TOKEN": "",
            "LOWCODEAPI_API_TOKEN": "" if is_direct else self.api_token,
        }

    @property
    def quota(self) -> Quota | None:
        """The quota; may be set anew at any time."""
        return self.upstream.quota

    @quota.setter
    def quota(self, quota: Quota | None) -> None:
        self.upstream.quota = quota

    @property
    def jobs(self) -> dict[str, FakeJob]:
        """All jobs by id, in the order they were started."""
        return self.upstream.jobs.jobs

    @property
    def expression(self) -> ExpressionStore:
        """Expression Measurement as it is today: its runs, and what they are billed."""
        return self.upstream.expression

    @property
    def decisions(self) -> DecisionStore:
        """Audio Decisions: its runs, and what they are billed."""
        return self.upstream.decisions

    @property
    def uploads(self) -> list[FormPart]:
        """Every file that was uploaded, with size, MD5 and SHA-256."""
        return self._world.uploads

    def count(
        self,
        *,
        method: str | None = None,
        path: str | None = None,
        status: int | None = None,
        is_carried_out: bool | None = None,
    ) -> int:
        """Count requests.

        Args:
            method: Only this method.
            path: Only paths that match this pattern, such as `/v0/batch/jobs/*`: the path that
                Hume saw, or the path that was sent.
            status: Only those that got this status.
            is_carried_out: Only those that Hume carried out, or only the others.
        """
        return sum(
            1
            for request in self.requests
            if (method is None or request.method == method)
            and (path is None or _has_path(request, path))
            and (status is None or request.status == status)
            and (is_carried_out is None or request.is_carried_out == is_carried_out)
        )

    def set_predictions(
        self,
        source: str | Path,
        *,
        error: str | None = None,
        **scores: Scores | Sequence[Scores],
    ) -> None:
        """Say what a source has, in place of the scores that are made up.

        ```python
        fake.set_predictions("https://example.com/a.mp4", face={"Joy": 0.9})
        fake.set_predictions("a.mp4", face=[{"Joy": 0.1}, {"Joy": 0.9}])  # two frames
        fake.set_predictions("What a day!", language={"Joy": 0.9})
        fake.set_predictions(path, error="no such file")
        ```

        Args:
            source: A URL, a text, or the name of a file, which stands for every URL and upload
                of that name. Of a path only the name counts.
            error: Why the source fails.
            **scores: By model, the scores of all of its predictions, or a list with those of
                each. Expressions that are not named have 0; models that are not named keep
                what is made up.

        Raises:
            ValueError: There is no such model or expression, or a score is not 0 to 1.
        """
        name = source.name if isinstance(source, Path) else source
        self.upstream.jobs.want(name, Wanted.of(scores, error))

    def add_chat(
        self,
        *,
        group_id: str | None = None,
        status: str = "USER_ENDED",
        config: Record | None = None,
        metadata: str | None = None,
        script: Sequence[tuple[str, str, str | None]] | None = None,
    ) -> FakeChat:
        """Add a chat after the others.

        Args:
            group_id: Group it belongs to; a new one if left out.
            status: Such as `ACTIVE`, which has no end.
            config: Its `id` and `version`.
            metadata: JSON in a string.
            script: Role, type and text of each event; a small talk of seven if left out.
        """
        return self.upstream.evi.chats.add(
            group_id=group_id, status=status, config=config, metadata=metadata, script=script
        )

    def add_config(self, *, id: str | None = None, name: str = "Config") -> str:
        """Add a config that a chat can be opened with.

        Args:
            id: Its id; a new one if left out.
            name: Its name.

        Returns:
            Its id.
        """
        body: Record = {"name": name, "evi_version": "3"}
        return str(self.upstream.evi.configs.add(body, id=id)["id"])

    def fail_job(self, id: str, message: str = "the job was made to fail") -> None:
        """Make a job end as FAILED now, unless it has ended.

        Raises:
            ValueError: There is no such job.
        """
        self._end(id, Outcome("failed", message))

    def finish_job(self, id: str) -> None:
        """Make a job end as COMPLETED now, unless it has ended.

        Raises:
            ValueError: There is no such job.
        """
        self._end(id, Outcome("completed"))

    def hold_job(self, id: str) -> None:
        """Keep a job from ever ending.

        Raises:
            ValueError: There is no such job.
        """
        self._job(id).outcome = Outcome("stuck")

    def state(self, id: str) -> Record:
        """Return the state of a job as its details would give it now.

        Raises:
            ValueError: There is no such job.
        """
        return self._job(id).state(self.clock.now())

    async def respond(self, arrival: Arrival) -> tuple[FakeResponse, float]:
        """Respond to one request; the socket layer calls it."""
        origin = self._allow_origin
        if origin is not None and (preflight := preflight_response(arrival, origin)) is not None:
            return preflight, 0.0
        recorded = Recorded(
            method=arrival.method,
            path=arrival.path,
            query=arrival.query,
            headers=dict(arrival.headers),
            body=arrival.body if self._record_bodies else b"",
            parts=arrival.parts,
        )
        self.requests.append(recorded)
        self.upstream.last, self.upstream.was_carried_out = None, False
        response = self._application.handle(arrival)
        if origin is not None:
            response = allow(response, origin)
        recorded.upstream = self.upstream.last
        recorded.is_carried_out = self.upstream.was_carried_out
        if not (response.silent or (response.fault and response.fault.is_mute)):
            recorded.status = response.status
        delay = self.latency(arrival) if callable(self.latency) else self.latency
        return response, delay

    async def socket(self, request: web.BaseRequest, arrival: Arrival) -> web.StreamResponse:
        """Serve a WebSocket; the socket layer calls it."""
        if self.dialect != "direct":
            return await super().socket(request, arrival)
        if arrival.path in EXPRESSION_PATHS:
            return await self.sessions.serve(request, arrival, self._respond)
        return await self.chat.serve(request, arrival, self._respond)

    def _job(self, id: str) -> FakeJob:
        if id not in self.jobs:
            raise ValueError(f"there is no job {id!r} among {len(self.jobs)}")
        return self.jobs[id]

    def _end(self, id: str, outcome: Outcome) -> None:
        job, now = self._job(id), self.clock.now()
        if job.ended <= now:
            return
        job.outcome = outcome
        job.queue_seconds = min(job.queue_seconds, now - job.created)
        job.run_seconds = now - job.started

    def _front(self, state: GatewayState, body_limit: int) -> Application:
        hume = self.upstream
        if self.dialect == "gateway-documented":
            return DocumentedGateway(hume, self._credentials)
        if self.dialect == "gateway-recorded":
            return RecordedGateway(hume, self._credentials, state=state, body_limit=body_limit)
        return hume


def _has_path(request: Recorded, pattern: str) -> bool:
    paths = [request.path, request.path.removeprefix(PREFIX)]
    if request.upstream is not None:
        paths.append(request.upstream.path)
    return any(fnmatch.fnmatchcase(path, pattern) for path in paths)
