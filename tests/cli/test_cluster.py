"""What `predict --dask` refuses, what it prints on the way, and how it says that it ended."""

from __future__ import annotations

import json
from typing import Any

import pytest

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


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--dask", "tcp://x:1", "--format", "csv"], "use --format parquet"),
        (["--dask", "tcp://x:1", "--score-bits", "64"], "--score-bits is for runs without --dask"),
        (["--ledger", "redis://x"], "--ledger is for runs with --dask"),
    ],
)
def test_options_that_do_not_go_together_are_a_mistake(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as done:
        main(["predict", "https://media.example.com/a.mp4", *words])
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
    assert "wrote 1 files" in capsys.readouterr().out


def test_partitions_that_are_open_are_named_and_exit_code_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert print_report(BROKEN, as_json=False) == 1
    assert "partition 1 is open: workers died\\x1b[2J" in capsys.readouterr().out
    assert print_report(BROKEN, as_json=True) == 1
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert found["problems"] == {"1": "workers died\x1b[2J"}
    assert (found["arrived"], found["open"]) == (4, 4)
