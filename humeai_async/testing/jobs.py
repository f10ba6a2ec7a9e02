"""The batch endpoints: jobs that are started, watched, and looked into.

It keeps every job and works its state out of the clock when it is needed, so nothing runs in
the background. It knows no URL; the upstream application calls its handlers.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator

from humeai_async.testing import artifacts
from humeai_async.testing import predictions as predicting
from humeai_async.testing.exchange import (
    JSON_TYPE,
    Arrival,
    FakeResponse,
    Record,
    Refusal,
    invalid,
    json_response,
)
from humeai_async.testing.jobstate import FakeJob, JobType, Outcome
from humeai_async.testing.options import Seconds
from humeai_async.testing.ranges import in_part
from humeai_async.testing.requests import read_inference
from humeai_async.testing.sources import Source
from humeai_async.testing.wanted import Wanted
from humeai_async.testing.world import World

_KEPT = 64
"""Responses with predictions that are kept; older ones are made again when requested."""
_DEFAULT_LIMIT = 50


class JobStore:
    """All jobs of one fake."""

    def __init__(self, world: World) -> None:
        self.jobs: dict[str, FakeJob] = {}
        self._world = world
        self._waiting: list[FakeJob] = []
        self._latest_ms = 0
        self._kept: dict[str, bytes] = {}

    def start_inference(self, arrival: Arrival) -> FakeResponse:
        """POST /v0/batch/jobs."""
        request, sources = read_inference(arrival)
        self._world.uploads.extend(p for p in arrival.parts or () if p.name == "file")
        return self.start(self.make("INFERENCE", request, sources))

    def start(self, job: FakeJob) -> FakeResponse:
        """Take a job in and respond with its id.

        Raises:
            Refusal: Too many jobs are queued. Hume documents the limit but not the response; the
                fake says 400, since it is no matter of pace.
        """
        now = self._world.clock.now()
        self._waiting = [other for other in self._waiting if other.status(now) == "QUEUED"]
        if len(self._waiting) >= self._world.options.max_queued:
            raise invalid(f"{len(self._waiting)} jobs are queued, no more are taken")
        self.jobs[job.id] = job
        self._waiting.append(job)
        return json_response({"job_id": job.id})

    def want(self, name: str, wanted: Wanted) -> None:
        """Give a source other predictions than the usual ones, from now on."""
        self._world.wanted[name] = wanted
        self._kept.clear()

    def make(
        self, type: JobType, request: Record, sources: tuple[Source, ...], *, model_name: str = ""
    ) -> FakeJob:
        """Make a job, with its times and how it will end."""
        self._latest_ms = max(self._latest_ms + 1, self._world.now_ms())
        options = self._world.options
        job = FakeJob(
            id=self._world.new_id("job"),
            type=type,
            user_id=self._world.user_id,
            request=request,
            sources=sources,
            created=self._world.clock.now(),
            created_ms=self._latest_ms,
            model_name=model_name,
        )
        job.outcome = (options.outcome and options.outcome(job)) or _marked_outcome(sources)
        job.queue_seconds = _seconds(options.queue_seconds, job)
        job.run_seconds = _seconds(options.run_seconds, job)
        if job.type != "TRAINING":
            counts = [predicting.count(source, self._settings(job)) for source in sources]
            job.result["num_predictions"] = sum(good for good, _ in counts)
            job.result["num_errors"] = sum(bad for _, bad in counts)
        return job

    def get(self, _: Arrival, id: str) -> FakeResponse:
        """GET /v0/batch/jobs/{id}."""
        return json_response(self._find(id).record(self._world.clock.now(), with_user=True))

    def predictions(self, arrival: Arrival, id: str) -> FakeResponse:
        """GET /v0/batch/jobs/{id}/predictions."""
        job = self._find_completed(id)
        if id not in self._kept:
            if len(self._kept) >= _KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[id] = json.dumps(self._predict(job)).encode()
        return self._ranged(arrival, FakeResponse(200, self._kept[id], {"Content-Type": JSON_TYPE}))

    def artifacts(self, arrival: Arrival, id: str) -> FakeResponse:
        """GET /v0/batch/jobs/{id}/artifacts."""
        body = artifacts.pack(self._predict(self._find_completed(id)))
        disposition = 'attachment; filename="artifacts.zip"'
        headers = {"Content-Type": "application/octet-stream", "Content-Disposition": disposition}
        return self._ranged(arrival, FakeResponse(200, body, headers))

    def _ranged(self, arrival: Arrival, response: FakeResponse) -> FakeResponse:
        return in_part(arrival, response) if self._world.options.ranges else response

    def list_jobs(self, arrival: Arrival) -> FakeResponse:
        """GET /v0/batch/jobs."""
        limit = arrival.number("limit", default=_DEFAULT_LIMIT, least=1)
        found = itertools.islice(self._listed(arrival), min(limit, self._world.options.list_cap))
        now = self._world.clock.now()
        return json_response([job.record(now, with_user=False) for job in found])

    def _listed(self, arrival: Arrival) -> Iterator[FakeJob]:
        now = self._world.clock.now()
        statuses, types = set(arrival.every("status")), set(arrival.every("type"))
        before, after = _time_bounds(arrival)
        for job in self._sorted(arrival):
            if statuses and job.status(now) not in statuses:
                continue
            if types and job.type not in types:
                continue
            if (before is None or job.created_ms < before) and (
                after is None or job.created_ms > after
            ):
                yield job

    def _sorted(self, arrival: Arrival) -> Iterator[FakeJob]:
        sort_by = _choice(arrival, "sort_by", ("created", "started", "ended"))
        descending = _choice(arrival, "direction", ("desc", "asc")) == "desc"
        jobs = list(self.jobs.values())
        if sort_by != "created":
            jobs.sort(key=lambda job: job.started if sort_by == "started" else job.ended)
        return reversed(jobs) if descending else iter(jobs)

    def _find(self, id: str) -> FakeJob:
        job = self.jobs.get(id)
        if job is None:
            raise Refusal(404, "Job not found", "E0404")
        return job

    def _find_completed(self, id: str) -> FakeJob:
        job = self._find(id)
        status = job.status(self._world.clock.now())
        if status != "COMPLETED":
            # The status of this response is not documented; 400 is the fake's choice.
            raise invalid(f"The job is {status}, it has no predictions")
        return job

    def _predict(self, job: FakeJob) -> list[Record]:
        settings = self._settings(job)
        if job.type == "TL_INFERENCE":
            name = job.model_name
            return [predicting.predict_custom(source, settings, name) for source in job.sources]
        return [predicting.predict_source(source, settings) for source in job.sources]

    def _settings(self, job: FakeJob) -> predicting.Recipe:
        return predicting.Recipe(
            models=job.request.get("models") or {},
            transcribed=job.request.get("transcription", {}) is not None,
            frames=self._world.options.frames,
            wanted=self._world.wanted,
        )


def _seconds(value: Seconds, job: FakeJob) -> float:
    return float(value(job) if callable(value) else value)


def _marked_outcome(sources: tuple[Source, ...]) -> Outcome:
    for source in sources:
        if source.is_marked("fail-job"):
            return Outcome("failed")
        if source.is_marked("stuck-job"):
            return Outcome("stuck")
    return Outcome("completed")


def _choice(arrival: Arrival, name: str, known: tuple[str, ...]) -> str:
    value = arrival.first(name) or known[0]
    if value not in known:
        raise invalid(f"{name} must be one of {', '.join(known)}")
    return value


def _time_bounds(arrival: Arrival) -> tuple[int | None, int | None]:
    when = arrival.first("when")
    if when is None:
        return None, None
    _choice(arrival, "when", ("created_before", "created_after"))
    at = arrival.number("timestamp_ms", default=0, least=0)
    return (at, None) if when == "created_before" else (None, at)
