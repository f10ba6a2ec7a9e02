"""The command line against a fake on a real socket.

As a process of its own where it matters, and else in a thread, which starts at once and lets
coverage see what it does.
"""

from __future__ import annotations

import csv
import hashlib
import importlib
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from cli_support import COMMAND, environment, run
from run_checks import lines_of
from support import DIALECTS, media_folder, parquet_column

from humeai_async.testing import Dialect, FakeHume, Fault
from humeai_async.types.predictions.rows import COLUMNS

pytestmark = pytest.mark.anyio


@pytest.mark.slow
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_file_of_250_urls_is_predicted(dialect: Dialect, tmp_path: Path) -> None:
    urls = [f"https://media.example.com/{n}.mp4" for n in range(250)]
    listed = tmp_path / "urls.txt"
    listed.write_text("# media of today\n\n" + "\n".join(urls) + "\n")
    out = tmp_path / "out"
    async with FakeHume(dialect=dialect) as fake:
        done = await run(
            ["predict", "--from", listed, "--models", "face,prosody", "--out", out, "--json"], fake
        )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["sources"], summary["failed"], summary["jobs"]) == (250, 0, 3)
    assert set(urls) == {line["source"] for line in lines_of(out)}
    with (out / "predictions.csv").open(newline="") as opened:
        table = list(csv.DictReader(opened))
    assert set(urls) == {row["source"] for row in table}
    assert {"face", "prosody"} == {row["model"] for row in table}
    assert list(COLUMNS) == list(table[0])


async def test_a_folder_of_real_media_is_uploaded_byte_for_byte(
    fake: FakeHume, tmp_path: Path
) -> None:
    files = media_folder(tmp_path / "media" / "deep")
    (tmp_path / "media" / "notes.md").write_text("not media")
    done = await run(["predict", tmp_path / "media", "--out", tmp_path / "out"], fake)
    assert done.returncode == 0, done.stderr
    expected = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    assert len(expected) == 24
    assert expected == {upload.filename: upload.sha256 for upload in fake.uploads}
    assert {str(path) for path in files} == {line["source"] for line in lines_of(tmp_path / "out")}


async def test_sources_come_from_standard_input_too(fake: FakeHume, tmp_path: Path) -> None:
    given = "https://media.example.com/a.mp4\nhttps://media.example.com/b.mp4"
    done = await run(["predict", "-", "--out", tmp_path / "out"], fake, given)
    assert done.returncode == 0, done.stderr
    assert len(lines_of(tmp_path / "out")) == 2
    assert "Strongest expressions" in done.stdout


async def test_failed_sources_give_exit_code_1_and_are_told(fake: FakeHume, tmp_path: Path) -> None:
    urls = ["https://media.example.com/missing.mp4", "https://media.example.com/b.mp4"]
    done = await run(["predict", *urls, "--out", tmp_path / "out"], fake)
    assert done.returncode == 1
    assert "1 failed: SourceFailedError: missing.mp4" in done.stdout
    assert len(lines_of(tmp_path / "out")) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no sources"),
        (["nowhere.wav"], "cannot use 'nowhere.wav': it is not an http or https URL, and there"),
        (["What a day this was! " * 300], "cannot use 'What a day this was!"),
        (["a\0b.wav"], "'a\\\\x00b.wav': it is not"),
        ([""], "cannot use '': it is not"),
        (["/dev/null"], "neither a regular file nor a folder"),
        (["--from", "nowhere.txt"], "cannot read 'nowhere.txt': No such file or directory"),
        (["--from", "a" * 5000], "File name too long"),
        (["--from", "."], "Is a directory"),
        (["https://x.example/a.mp4", "--proxy", "socks5://x"], "proxy must be a URL such as"),
        (["https://x.example/a.mp4", "--models", "face,smile"], "not smile"),
        (["https://x.example/a.mp4", "--models", ","], "not nothing"),
        (["https://x.example/a.mp4", "--base-url", "ftp://x"], "base_url"),
        (["https://x.example/a.mp4", "--job-size", "101"], "101"),
        (["https://x.example/a.mp4", "--out", ""], "--out is empty: name a folder"),
    ],
)
async def test_a_users_mistake_is_one_line_and_exit_code_2(
    fake: FakeHume, tmp_path: Path, arguments: list[str], message: str
) -> None:
    done = await run(["predict", "--out", tmp_path / "out", *arguments], fake)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


async def test_a_folder_without_media_is_a_mistake(fake: FakeHume, tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "notes.md").write_text("not media")
    done = await run(["predict", tmp_path / "media", "--out", tmp_path / "out"], fake)
    assert done.returncode == 2
    assert "holds no media files" in done.stderr
    assert fake.requests == []


async def test_sources_that_are_not_done_in_time_stay_open_and_are_told(
    fake: FakeHume, tmp_path: Path
) -> None:
    urls = ["https://media.example.com/stuck-job.mp4", "https://media.example.com/b.mp4"]
    settings = ["--job-size", "1", "--timeout", "1"]
    done = await run(["predict", *urls, *settings, "--out", tmp_path / "out"], fake)
    assert done.returncode == 1
    assert "1 open: " in done.stdout
    assert "run the same command again to continue with the open sources" in done.stdout


async def test_without_a_credential_the_command_says_what_to_set(tmp_path: Path) -> None:
    done = await run(["predict", "https://x.example/a.mp4", "--out", tmp_path / "out"])
    assert done.returncode == 2
    assert "LOWCODEAPI_API_TOKEN" in done.stderr


async def test_a_refused_credential_is_told_with_the_variable_it_came_from(
    fake: FakeHume, tmp_path: Path
) -> None:
    fake.faults.add(Fault("status", status=401, times=None))
    done = await run(["predict", "https://x.example/a.mp4", "--out", tmp_path / "out"], fake)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "401" in done.stderr
    assert "the credential came from the variable HUME_API_KEY" in done.stderr


async def test_results_of_something_else_are_not_written_over(
    fake: FakeHume, tmp_path: Path
) -> None:
    (tmp_path / "predictions.csv").write_text("mine")
    done = await run(["predict", "https://x.example/a.mp4", "--out", tmp_path], fake)
    assert done.returncode == 3
    assert "there already" in done.stderr
    assert (tmp_path / "predictions.csv").read_text() == "mine"


@pytest.fixture
def ctrl_c_is_enabled() -> Iterator[None]:
    """Let Ctrl-C work here and in what is started here, even where this runs in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.slow
@pytest.mark.usefixtures("ctrl_c_is_enabled")
async def test_ctrl_c_keeps_what_had_arrived(tmp_path: Path) -> None:
    urls = [f"https://media.example.com/{n}.mp4" for n in range(20)]
    urls[10:] = ["https://media.example.com/stuck-job.mp4"]
    out = tmp_path / "out"
    async with FakeHume() as fake:
        process = await anyio.open_process(
            [*COMMAND, "predict", *urls, "--job-size", "1", "--out", str(out)],
            env=environment(fake),
        )
        try:
            with anyio.fail_after(60):
                while len(lines_of(out)) < 10:
                    await anyio.sleep(0.02)
                process.send_signal(signal.SIGINT)
                assert process.stderr is not None
                stderr = b"".join([chunk async for chunk in process.stderr])
                await process.wait()
        finally:
            if process.returncode is None:  # anyio waits for its end, however long that takes
                process.kill()
            await process.aclose()
    assert process.returncode == 130
    assert b"10 of 11 results are in" in stderr
    assert b"Traceback" not in stderr
    assert set(urls[:10]) == {line["source"] for line in lines_of(out)}


@pytest.mark.slow
async def test_the_demo_meets_429s_and_leaves_its_results(tmp_path: Path) -> None:
    arguments: list[str | Path] = [
        "demo",
        "--sources",
        "60",
        "--rate",
        "15",
        "--out",
        tmp_path / "out",
        "--json",
    ]
    done = await run(arguments)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert 60 == summary["sources"] == len(lines_of(tmp_path / "out"))
    assert summary["rate_limited"] > 0
    assert summary["failed"] == 0


async def test_the_demo_says_what_it_does_and_where_its_results_are(tmp_path: Path) -> None:
    done = await run(["demo", "--sources", "5", "--out", tmp_path / "out"])
    assert done.returncode == 0, done.stderr
    assert "5 sources, and a stand-in for Hume that allows 40 requests/s" in done.stderr
    assert f"wrote {tmp_path / 'out' / 'predictions.csv'}" in done.stdout


@pytest.mark.slow
async def test_help_names_the_commands() -> None:
    done = await anyio.run_process([*COMMAND, "--help"], env=environment(None))
    assert b"demo" in done.stdout
    assert b"predict" in done.stdout


async def test_the_same_command_again_goes_on(fake: FakeHume, tmp_path: Path) -> None:
    urls = [f"https://media.example.com/{n}.mp4" for n in range(6)]
    arguments: list[str | Path] = ["predict", "--job-size", "2", "--out", tmp_path / "out"]
    first = await run([*arguments, *urls[:4]], fake)
    second = await run([*arguments, *urls], fake)
    assert [first.returncode, second.returncode] == [0, 0]
    assert sorted(urls) == sorted(str(line["source"]) for line in lines_of(tmp_path / "out"))
    assert len(fake.jobs) == 3


async def test_an_account_without_credit_is_told_with_what_is_there_already(
    fake: FakeHume, tmp_path: Path
) -> None:
    urls = [f"https://media.example.com/{n}.mp4" for n in range(6)]
    arguments: list[str | Path] = ["predict", "--job-size", "2", "--out", tmp_path / "out"]
    await run([*arguments, *urls[:4]], fake)
    fake.faults.add(Fault("status", status=402, method="POST", times=9))
    done = await run([*arguments, *urls], fake)
    assert done.returncode == 1
    assert "status 402" in done.stderr
    assert "4 of 6 results are in" in done.stderr


async def test_other_settings_in_the_same_folder_are_refused(
    fake: FakeHume, tmp_path: Path
) -> None:
    arguments: list[str | Path] = ["predict", "https://x.example/a.mp4", "--out", tmp_path / "out"]
    await run([*arguments, "--models", "face"], fake)
    done = await run([*arguments, "--models", "prosody"], fake)
    assert done.returncode == 3
    assert "other settings" in done.stderr


async def test_failed_sources_are_tried_again_if_asked(fake: FakeHume, tmp_path: Path) -> None:
    url = "https://media.example.com/missing.mp4"
    arguments: list[str | Path] = ["predict", url, "--out", tmp_path / "out"]
    for extra, jobs in ([], 1), ([], 1), (["--retry-failed"], 2):
        done = await run([*arguments, *extra], fake)
        assert (1, jobs) == (done.returncode, len(fake.jobs))


async def test_the_status_of_a_folder_is_told(fake: FakeHume, tmp_path: Path) -> None:
    urls = ["https://media.example.com/missing.mp4", "https://media.example.com/b.mp4"]
    await run(["predict", *urls, "--out", tmp_path / "out"], fake)
    done = await run(["status", tmp_path / "out", "--json"])
    assert done.returncode == 1
    counts = json.loads(done.stdout)
    assert tuple(counts[name] for name in ("sources", "arrived", "failed", "open", "jobs")) == (
        2,
        1,
        1,
        0,
        1,
    )
    shown = await run(["status", tmp_path / "out"])
    assert "SourceFailedError" in shown.stdout


async def test_the_status_of_a_run_whose_sources_all_arrived_is_exit_code_0(
    fake: FakeHume, tmp_path: Path
) -> None:
    await run(["predict", "https://media.example.com/b.mp4", "--out", tmp_path / "out"], fake)
    done = await run(["status", tmp_path / "out"])
    assert done.returncode == 0


@pytest.mark.parametrize("folder", ["", "nothere", "file.txt", "a" * 5000])
async def test_the_status_of_a_folder_without_a_run_is_a_mistake(
    tmp_path: Path, folder: str
) -> None:
    (tmp_path / "file.txt").write_text("no run")
    done = await run(["status", tmp_path / folder])
    assert done.returncode == 2
    assert "holds no run: it has no file ledger.db" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["--format", "csv,jsonl.zst"],
        ["--format", "csv, jsonl.zst"],
        ["--format", "csv", "--format", "jsonl.zst,csv"],
    ],
)
async def test_formats_are_given_with_commas_or_one_by_one(
    fake: FakeHume, tmp_path: Path, words: list[str]
) -> None:
    out = tmp_path / "out"
    done = await run(["predict", "https://media.example.com/a.mp4", *words, "--out", out], fake)
    assert done.returncode == 0, done.stderr
    written = {path.name for path in out.iterdir() if path.name.startswith("predictions")}
    assert written == {"predictions.csv", "predictions.jsonl.zst"}


async def test_parquet_is_written_too(fake: FakeHume, tmp_path: Path) -> None:
    out = tmp_path / "out"
    urls = [f"https://media.example.com/{n}.mp4" for n in range(5)]
    done = await run(
        [
            "predict",
            *urls,
            "--models",
            "face",
            "--format",
            "parquet",
            "--score-bits",
            "64",
            "--out",
            out,
        ],
        fake,
    )
    assert done.returncode == 0, done.stderr
    parquet: Any = importlib.import_module("pyarrow.parquet")
    assert parquet.read_table(out / "predictions.parquet").schema.field("Joy").type == "double"
    assert set(urls) == set(parquet_column(out / "predictions.parquet", "source"))
    assert sorted(path.name for path in out.iterdir()) == [
        "ledger.db",
        "ledger.db.lock",
        "pace.jsonl",
        "predictions.parquet",
    ]


@pytest.mark.slow
async def test_report_writes_a_page_beside_the_results(fake: FakeHume, tmp_path: Path) -> None:
    pytest.importorskip("vl_convert", reason="comes with the extra report")
    source = "https://media.example.com/a.mp4?signature=secret"
    await run(["predict", source, "--models", "face", "--out", tmp_path], fake)
    done = await run(["report", tmp_path])
    assert (done.returncode, done.stdout) == (0, f"{tmp_path / 'report.html'}\n")
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "https://media.example.com/a.mp4" in page
    assert "secret" not in page
    again = await run(["report", tmp_path, "--out", tmp_path / "other.html"])
    assert again.returncode == 0
    assert (tmp_path / "other.html").exists()
    refused = await run(["report", tmp_path, "--out", "."])
    assert (refused.returncode, refused.stdout) == (3, "")
    assert "cannot write .: that is not the name of a file" in refused.stderr


async def test_report_of_a_folder_without_a_run_is_wrong_use(tmp_path: Path) -> None:
    done = await run(["report", tmp_path])
    assert done.returncode == 2
    assert "holds no run" in done.stderr
