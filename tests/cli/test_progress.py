"""The progress line: what it says, and what it leaves out where there is no room."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest
from attrs import evolve

from humeai_async.bulk.patience import Holdup, HoldupKind
from humeai_async.bulk.progress import Progress
from humeai_async.cli.progress import RunDisplay, describe_progress
from humeai_async.limiter.limiter import Limiter

PROGRESS = Progress(
    total=100,
    done=40,
    failed=0,
    left_open=0,
    jobs=7,
    seconds=20.0,
    rate=0.5,
    pace=Limiter().snapshot(),
)


@pytest.mark.parametrize(
    ("changes", "pace", "line"),
    [
        ({}, {}, "40/100 done, 2:00 left, 0.5/s, 7 jobs"),
        ({"rate": 0.0}, {}, "40/100 done, 7 jobs"),
        ({"rate": 0.005}, {}, "40/100 done, 3:20:00 left, 0.0/s, 7 jobs"),
        ({"done": 100}, {}, "100/100 done, 0.5/s, 7 jobs"),
        (
            {"failed": 1, "left_open": 10},
            {},
            "40/100 done, 1:40 left, 1 failed, 10 open, 0.5/s, 7 jobs",
        ),
        ({"rate": 1234.5, "total": None}, {"rate": 12.5}, "40 done, 1234/s, 7 jobs"),
        (
            {"total": None},
            {"rate": 9.0, "paused_for": 2.6, "waiting": 3, "refused": 4},
            "40 done, 0.5/s, 7 jobs, quota used up for 3 s, 4 x 429",
        ),
    ],
)
def test_a_line_says_how_far_a_run_is(
    changes: dict[str, Any], pace: dict[str, Any], line: str
) -> None:
    progress = evolve(PROGRESS, **changes)
    assert line == describe_progress(evolve(progress, pace=evolve(progress.pace, **pace)))


def test_a_narrow_line_keeps_what_is_done_and_the_time_left() -> None:
    progress = evolve(PROGRESS, failed=1, pace=evolve(PROGRESS.pace, refused=4))
    assert describe_progress(progress, 64) == (
        "40/100 done, 2:00 left, 1 failed, 0.5/s, 7 jobs, 4 x 429"
    )
    assert describe_progress(progress, 40) == "40/100 done, 2:00 left, 1 failed, 0.5/s"
    assert describe_progress(progress, 24) == "40/100 done, 2:00 left"
    assert describe_progress(progress, 5) == "40/100 done"


def test_a_narrow_line_says_that_the_service_fails_without_the_reason() -> None:
    reason = "could not connect to api.hume.ai:443: Connection refused"
    holdup = Holdup(kind="service", seconds=12.0, left=3.0, reason=reason, count=1)
    progress = evolve(PROGRESS, holdup=holdup)
    held = "40/100 done, the service has been failing for 12 s"
    assert describe_progress(progress, 64) == f"{held}, 2:00 left"
    assert describe_progress(progress).startswith(f"{held} ({reason}), 2:00 left")


def test_a_bar_has_each_reason_of_the_service_above_it_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    holdup = Holdup(kind="service", seconds=12.0, left=3.0, reason="refused", count=1)
    display = RunDisplay(100)
    with display:
        display.update(PROGRESS)
        for seconds in (1.0, 2.0):
            display.update(evolve(PROGRESS, holdup=evolve(holdup, seconds=seconds)))
        display.update(evolve(PROGRESS, holdup=evolve(holdup, reason="no such host")))
    shown = capsys.readouterr().err
    assert shown.count("humeai-async: the service fails: refused") == 1
    assert "humeai-async: the service fails: no such host" in shown


@pytest.mark.anyio
@pytest.mark.parametrize(("term", "has_bar"), [("xterm", True), ("dumb", False)])
async def test_a_terminal_that_cannot_draw_a_bar_gets_lines(
    term: str, has_bar: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr("humeai_async.cli.progress.LINE_SECONDS", 0.0)
    monkeypatch.setenv("TERM", term)
    display = RunDisplay(100)
    display.update(PROGRESS)
    with display:
        for _ in range(3):  # turns of the event loop
            await asyncio.sleep(0)
    lines = "humeai-async: 40/100 done, 2:00 left" in capsys.readouterr().err
    assert lines is not has_bar


@pytest.mark.parametrize(
    ("kind", "count", "text"),
    [
        ("quota", 3, "the quota is used up, next call in 3 s"),
        ("service", 1, "the service has been failing for 12 s (refused)"),
        ("search", 1, "looking for a submission without a response, 3 s left"),
        ("search", 2, "looking for 2 submissions without a response, 3 s left"),
    ],
)
def test_what_a_run_waits_for_is_a_sentence(kind: HoldupKind, count: int, text: str) -> None:
    holdup = Holdup(kind=kind, seconds=12.0, left=3.0, reason="refused", count=count)
    assert str(holdup) == text
