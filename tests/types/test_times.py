"""Times beside the fields that hold what came."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from humeai_async.http import codec
from humeai_async.types.batch import JobState
from humeai_async.types.decisions import DecisionRun
from humeai_async.types.evi import Prompt, Tool
from humeai_async.types.evi_chats import Chat, ChatEvent, ChatGroup
from humeai_async.types.evi_configs import Config
from humeai_async.types.expression_runs import ExpressionRun

MS = 1_764_324_000_123
TIME = dt.datetime(2025, 11, 28, 10, 0, 0, 123_000, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("thing", "name"),
    [
        (JobState(created_timestamp_ms=MS), "created_at"),
        (JobState(started_timestamp_ms=MS), "started_at"),
        (JobState(ended_timestamp_ms=MS), "ended_at"),
        (Config(id="c", version=0, created_on=MS), "created_at"),
        (Config(id="c", version=0, modified_on=MS), "modified_at"),
        (Prompt(id="p", version=0, created_on=MS), "created_at"),
        (Tool(id="t", version=0, modified_on=MS), "modified_at"),
        (Chat(id="c", start_timestamp=MS), "started_at"),
        (Chat(id="c", end_timestamp=MS), "ended_at"),
        (ChatEvent(id="e", timestamp=MS), "occurred_at"),
        (ChatGroup(id="g", first_start_timestamp=MS), "first_started_at"),
        (ChatGroup(id="g", most_recent_start_timestamp=MS), "most_recently_started_at"),
        (DecisionRun(run_id="r", started_at="2025-11-28T10:00:00.123Z"), "start_time"),
        (ExpressionRun(run_id="r", ended_at="2025-11-28T11:00:00.123+01:00"), "end_time"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_a_time_is_told_in_utc(thing: Any, name: str) -> None:
    assert getattr(thing, name) == TIME
    assert getattr(thing, name).tzinfo is dt.UTC


@pytest.mark.parametrize("milliseconds", [None, 10**18, -(10**18)])
def test_a_time_that_python_cannot_tell_is_none(milliseconds: int | None) -> None:
    assert Chat(id="c", start_timestamp=milliseconds).started_at is None


@pytest.mark.parametrize("text", [None, "", "yesterday", "2025-13-01T00:00:00Z"])
def test_a_text_that_is_no_time_is_none(text: str | None) -> None:
    assert DecisionRun(run_id="r", started_at=text).start_time is None


def test_what_is_written_has_the_fields_alone() -> None:
    assert (
        codec.parse(codec.encode(JobState(created_timestamp_ms=MS)))["created_timestamp_ms"] == MS
    )
    assert b"created_at" not in codec.encode(JobState(created_timestamp_ms=MS))
