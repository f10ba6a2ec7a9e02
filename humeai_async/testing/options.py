"""How a fake behaves, as one frozen value.

Only plain settings with their ranges. `FakeHume` makes it from its keyword arguments; the
modules with state read it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

from attrs import frozen

from humeai_async.testing.jobstate import FakeJob, Outcome

Seconds: TypeAlias = float | Callable[[FakeJob], float]
"""A duration of the fake's clock, or a function that picks one for each job."""


@frozen
class Options:
    """Settings of the upstream application."""

    queue_seconds: Seconds = 0.0
    """Time a job is QUEUED."""
    run_seconds: Seconds = 0.0
    """Time a job is IN_PROGRESS."""
    outcome: Callable[[FakeJob], Outcome | None] | None = None
    """Decides how a job ends; `None` from it leaves that to the sources' names."""
    frames: int = 3
    """Frames of a video or image sequence with a face, and sentences that are spoken."""
    max_queued: int = 500
    """Jobs that may wait at once; one more is refused."""
    list_cap: int = 100
    """Most jobs that one list holds, whatever `limit` asks for."""
    delete_status: Literal[200, 204] = 200
    """Status of EVI's deletes; Hume's definition says 200, clients should take both."""
    nulls_in_pages: bool = False
    """Put a null into each page of prompts and tools, as Hume's reference allows."""
    ranges: bool = True
    """Whether a request for a part of predictions or artifacts gets that part. Whether Hume does
    this is not documented."""
    dataset_files_as: Literal["list", "page"] = "list"
    """The reference types dataset file listings as a list of pages, probably by a slip."""
    samples: bool = True
    """Begin with two chats in one group and one custom model of two versions."""
