"""What several tests of bulk runs need: plans as a run writes them, and quick searches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from humeai_async.batch.url_forms import mark_of
from humeai_async.bulk.ledger_records import MARK_SIZE, Draft, key_of
from humeai_async.bulk.work import local_ms
from humeai_async.testing import FakeHume

PATIENCE = 0.3
"""Seconds that a lost submission is searched for, where nothing is late."""


def search_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Search for lost submissions every few milliseconds."""
    monkeypatch.setattr("humeai_async.bulk.patience.SEARCH_PAUSES", (0.01,))


def urls(count: int) -> list[str]:
    return [f"https://media.example.com/{n}.mp4" for n in range(count)]


def draft(kind: str, sources: Sequence[str], *, age: float = 0.0) -> Draft:
    """Return the plan of a job, made so many seconds ago."""
    marks = [] if kind == "files" else [mark_of(kind, source, MARK_SIZE) for source in sources]
    return Draft(
        kind=kind,
        keys=tuple(key_of(kind, source) for source in sources),
        marks=tuple(marks),
        planned_ms=local_ms() - round(age * 1000),
    )


def submitted(fake: FakeHume) -> Counter[str]:
    """Count how often each source was submitted."""
    return Counter(source.identity for job in fake.jobs.values() for source in job.sources)
