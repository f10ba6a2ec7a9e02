"""One job of the fake: what was requested and where it stands at a given time.

A job has no task behind it: its state is worked out from the times when somebody asks. It
knows no clock and no other job; the job store keeps both.
"""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias

from attrs import define, field, frozen

from humeai_async.testing.exchange import Record
from humeai_async.testing.sources import Source

JobType: TypeAlias = Literal["INFERENCE", "TRAINING", "TL_INFERENCE"]


@frozen
class Outcome:
    """How a job ends."""

    kind: Literal["completed", "failed", "stuck"]
    """`stuck` stays IN_PROGRESS for ever."""
    message: str = "no source could be read"
    """What a failed job says."""


@define
class FakeJob:
    """One job; tests may read it, and change `outcome` before it ends."""

    id: str
    type: JobType
    user_id: str
    request: Record
    """The request as details echo it."""
    sources: tuple[Source, ...] = field(repr=False)
    created: float
    """Seconds of the fake's clock."""
    created_ms: int
    """Epoch milliseconds; no two jobs of a fake share them, so lists can be walked by time."""
    queue_seconds: float = 0.0
    run_seconds: float = 0.0
    outcome: Outcome = field(factory=lambda: Outcome("completed"))
    result: Record = field(factory=dict[str, Any])
    """Further fields of its state once it is COMPLETED."""
    model_name: str = ""
    """The custom model that it runs or trains."""

    @property
    def started(self) -> float:
        """When it goes from QUEUED to IN_PROGRESS."""
        return self.created + self.queue_seconds

    @property
    def ended(self) -> float:
        """When it ends; infinity if never."""
        if self.outcome.kind == "stuck":
            return math.inf
        return self.started + self.run_seconds

    def status(self, now: float) -> str:
        """Return QUEUED, IN_PROGRESS, COMPLETED or FAILED."""
        if now < self.started:
            return "QUEUED"
        if now < self.ended:
            return "IN_PROGRESS"
        return "FAILED" if self.outcome.kind == "failed" else "COMPLETED"

    def state(self, now: float) -> Record:
        """Return the `state` object of details and lists."""
        status = self.status(now)
        state: Record = {"status": status, "created_timestamp_ms": self.created_ms}
        if status == "QUEUED":
            return state
        state["started_timestamp_ms"] = self._ms(self.started)
        if status == "IN_PROGRESS":
            return state
        state["ended_timestamp_ms"] = self._ms(self.ended)
        return {**state, **(self.result if status == "COMPLETED" else self._failure())}

    def record(self, now: float, *, with_user: bool) -> Record:
        """Return the job as details (with the user) or lists (without, for plain inference)."""
        record: Record = {"type": self.type, "job_id": self.id}
        if with_user or self.type != "INFERENCE":
            record["user_id"] = self.user_id
        return {**record, "request": self.request, "state": self.state(now)}

    def _failure(self) -> Record:
        return {"message": self.outcome.message}

    def _ms(self, at: float) -> int:
        return self.created_ms + round((at - self.created) * 1000)
