"""What commands with `--dask` refuse, what they print on the way, and how they say it ended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from humeai_async.cli import cluster
from humeai_async.cli.cluster import print_report
from humeai_async.cli.main import main
from humeai_async.cli.progress import LINE_SECONDS
from humeai_async.distributed import RunProgress, RunReport

WHOLE = RunReport(partitions=2, done=2, sources=9, arrived=9, failed=0, left_open=0, files=("a",))
BROKEN = RunReport(
    partitions=2, done=1, sources=9, arrived=4, failed=1, left_open=4,
    reasons={"no such file": 1}, problems={1: "workers died\x1b[2J"},
)  # fmt: skip
PROGRESS = RunProgress(partitions=9, partitions_done=2, sources=90, done=25, failed=0, workers=4)


DASK = ["--dask", "tcp://x:1"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["predict", *DASK, "--format", "csv"], "leave --format out"),
        (["predict", *DASK, "--score-bits", "64"], "--score-bits is for runs without --dask"),
        (["predict", *DASK, "--base-url", "http://x"], "--base-url is for runs without --dask"),
        (["predict", "--ledger", "redis://x"], "--ledger is for runs with --dask"),
        (["measure", *DASK, "--format", "csv"], "leave --format out"),
        (["measure", *DASK, "--proxy", "http://x"], "--proxy is for runs without --dask"),
        (["decide", "--questions", "q.json", *DASK, "--base-url", "http://x"], "--base-url is for"),
    ],
)
def test_options_that_do_not_go_together_are_a_mistake(
    words: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.wav").touch()
    Path("q.json").write_text('{"calm": {"type": "noul", "instructions": "Calm?"}}')
    with pytest.raises(SystemExit) as done:
        main([*words, "a.wav"])
    assert done.value.code == 2
    assert message in capsys.readouterr().err


def test_a_line_of_progress_comes_from_time_to_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    show = vars(cluster)["_Lines"]()
    for now in (1.0, LINE_SECONDS, LINE_SECONDS + 1.0):  # noqa: B007 - the clock
        show(PROGRESS)
    assert capsys.readouterr().err.splitlines() == [
        "humeai-async: 25/90 done, 2/9 partitions, 4 workers"
    ]


def test_a_run_that_is_whole_is_a_table_and_exit_code_0(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert print_report(WHOLE, as_json=False) == 0
    told = capsys.readouterr().out
    assert "wrote 1 files" in told
    assert "billed" not in told
    assert print_report(evolve(WHOLE, billed=30.0), as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["billed"] == 30


def test_partitions_that_are_open_are_named_and_exit_code_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert print_report(BROKEN, as_json=False) == 1
    assert "partition 1 is open: workers died\\x1b[2J" in capsys.readouterr().out
    assert print_report(BROKEN, as_json=True) == 1
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert found["problems"] == {"1": "workers died\x1b[2J"}
    assert (found["arrived"], found["open"]) == (4, 4)
