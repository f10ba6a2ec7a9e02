"""The command line as a process: its streams, its terminal and its environment."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from cli_support import run as run_here
from proxyserver import ProxyServer
from support import wav_file

from humeai_async.cli.output import make_console, print_message, writing_output
from humeai_async.testing import FakeHume

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

# Without -P it would be the package in the working directory, not the installed one.
COMMAND = [sys.executable, "-P", "-m", "humeai_async"]
URL = "https://media.example.com/a.mp4"
ODD = ["a[/b].wav", "[id].wav", "[red]c.wav", "d:smile:.wav", "\x1b[2Je.wav", "ü€.wav"]
"""Names of files that mean something to a terminal, or to those who draw on it."""


async def run(
    fake: FakeHume | None, *arguments: str | Path, through: str = "", **settings: Any
) -> subprocess.CompletedProcess[bytes]:
    """Run a command as a process of its own.

    Args:
        fake: Where its calls go.
        arguments: Words of the command.
        through: Redirections, such as `<&-`.
        settings: Environment variables to set.
    """
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("HUME_", "LOWCODEAPI_"))}
    kept |= {} if fake is None else {"HUME_API_KEY": fake.api_key, "HUME_BASE_URL": fake.url}
    kept |= settings
    words = [*COMMAND, *map(str, arguments)]
    command = ["sh", "-c", f'"$@" {through}', "sh", *words] if through else words
    with anyio.fail_after(60):
        return await anyio.to_thread.run_sync(
            lambda: subprocess.run(command, capture_output=True, env=kept, check=False)  # noqa: S603 - our own command
        )


async def test_names_that_mean_something_to_a_terminal_are_printed_as_they_are(
    fake: FakeHume, tmp_path: Path
) -> None:
    media = tmp_path / "[bold]media"
    media.mkdir()
    for number, name in enumerate(ODD):
        wav_file(media / Path(name).name, number)
    arguments = ("predict", media, "--models", "prosody", "--out", tmp_path / "[/out]")
    done = await run(fake, *arguments, COLUMNS="300")
    assert done.returncode == 0, done.stderr
    text = done.stdout.decode()
    for name in ("b].wav", "[id].wav", "[red]c.wav", "d:smile:.wav", "ü€.wav", "\\x1b[2Je.wav"):
        assert name in text
    assert "\x1b[2J" not in text
    assert f"wrote {tmp_path / '[/out]' / 'predictions.csv'}" in text
    status = await run_here(["status", tmp_path / "[/out]"], fake)
    assert f"Run in {tmp_path / '[/out]'}" in status.stdout


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8"])
async def test_a_good_run_ends_well_whatever_standard_output_can_write(
    fake: FakeHume, tmp_path: Path, encoding: str
) -> None:
    path = wav_file(tmp_path / "中文-ü.wav", 1)
    done = await run(
        fake, "predict", path, "--out", tmp_path / "out", PYTHONIOENCODING=encoding, COLUMNS="300"
    )
    assert done.returncode == 0, done.stderr
    expected = "中文" if encoding == "utf-8" else "\\u4e2d\\u6587"
    assert expected in done.stdout.decode(encoding)
    assert b"Traceback" not in done.stderr


async def test_a_name_that_is_no_text_is_printed_with_escapes(
    fake: FakeHume, tmp_path: Path
) -> None:
    name = os.fsdecode(b"\xff.wav")
    wav_file(tmp_path / "a.wav", 1).rename(tmp_path / name)
    done = await run(fake, "predict", tmp_path / name, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    words: list[str | Path] = ["predict", tmp_path / (name + "x"), "--out", tmp_path / "out"]
    missing = await run_here(words, fake)
    assert missing.returncode == 2
    assert "no such file" in missing.stderr


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
async def test_a_list_on_standard_input_may_begin_with_a_byte_order_mark(
    fake: FakeHume, tmp_path: Path, encoding: str
) -> None:
    listed = f"{URL}\r\n# no\r\n".encode(encoding)
    words: list[str | Path] = ["predict", "-", "--json", "--out", tmp_path / "out"]
    done = await run_here(words, fake, listed)
    assert done.returncode == 0, done.stderr
    [job] = fake.jobs.values()
    assert job.request["urls"] == [URL]


async def test_lines_of_a_list_may_end_in_carriage_returns_alone(
    fake: FakeHume, tmp_path: Path
) -> None:
    listed = tmp_path / "urls.txt"
    listed.write_bytes(f"{URL}\r{URL}2\r".encode())
    done = await run_here(["predict", "--from", listed, "--out", tmp_path / "out"], fake)
    assert done.returncode == 0, done.stderr
    [job] = fake.jobs.values()
    assert job.request["urls"] == [URL, f"{URL}2"]


async def test_a_list_that_is_no_text_is_a_mistake(fake: FakeHume, tmp_path: Path) -> None:
    done = await run_here(["predict", "--from", sys.executable, "--out", tmp_path / "out"], fake)
    assert done.returncode == 2
    assert "it is not UTF-8 text" in done.stderr


async def test_closed_standard_input_is_a_mistake_where_it_is_read(
    fake: FakeHume, tmp_path: Path
) -> None:
    read = await run(fake, "predict", "--out", tmp_path / "out", "-", through="<&-")
    assert (read.returncode, fake.requests) == (2, [])
    assert b"cannot read standard input: it is closed" in read.stderr


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
async def test_a_run_ends_well_without_standard_streams(
    fake: FakeHume, tmp_path: Path, closed: str
) -> None:
    done = await run(fake, "predict", URL, "--out", tmp_path / "out", through=closed)
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert len((tmp_path / "out" / "predictions.jsonl").read_text().splitlines()) == 1


@pytest.mark.parametrize("arguments", [["predict", URL], ["predict", URL, "--json"], ["--help"]])
async def test_full_standard_output_is_told_in_a_line_and_an_exit_code_of_its_own(
    fake: FakeHume, tmp_path: Path, arguments: list[str]
) -> None:
    out = ["--out", str(tmp_path / "out")] if "predict" in arguments else []
    done = await run(fake, *arguments, *out, through="> /dev/full")
    assert done.returncode == 3
    message = b"humeai-async: cannot write to standard output: No space left on device\n"
    assert done.stderr == message


async def test_full_standard_error_changes_nothing(fake: FakeHume, tmp_path: Path) -> None:
    done = await run(
        fake, "demo", "--sources", "2", "--out", tmp_path / "o", through="2> /dev/full"
    )
    assert done.returncode == 0


async def test_a_reader_that_has_gone_is_no_failure(fake: FakeHume, tmp_path: Path) -> None:
    failing = "https://media.example.com/missing.mp4"
    arguments = ("predict", failing, "--json", "--out", tmp_path / "out")
    done = await run(fake, *arguments, through="| true")
    assert done.stderr == b""


async def test_a_demo_without_a_temporary_folder_says_how_to_do_without(tmp_path: Path) -> None:
    block = "import tempfile; tempfile.tempdir = '/nowhere/at/all'"
    (tmp_path / "sitecustomize.py").write_text(block)
    done = await run(None, "demo", "--sources", "1", PYTHONPATH=str(tmp_path))
    assert done.returncode == 3
    assert b"cannot make a temporary folder" in done.stderr
    assert b"--out" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
async def test_a_folder_that_cannot_be_read_is_not_passed_over(tmp_path: Path) -> None:
    closed = tmp_path / "media" / "closed"
    closed.mkdir(parents=True)
    wav_file(tmp_path / "media" / "a.wav", 1)
    closed.chmod(0)
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(0o755)
    done = await anyio.to_thread.run_sync(
        lambda: subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-c", CLOSED, str(tmp_path / "media")],
            capture_output=True,
            check=False,
        )
    )
    assert b"closed': Permission denied" in done.stdout, done


CLOSED = """
import os, sys
from humeai_async.cli.sources import collect_sources
os.setuid(65534)
try:
    list(collect_sources(sys.argv[1:], None))
except ValueError as error:
    print(error)
"""


@pytest.mark.parametrize("by", ["option", "HTTP_PROXY"])
async def test_calls_go_through_the_proxy_that_is_named(
    fake: FakeHume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    async with ProxyServer() as proxy:
        option = ["--proxy", proxy.url] if by == "option" else []
        if by == "HTTP_PROXY":
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            monkeypatch.setenv("NO_PROXY", "")
        done = await run_here(["predict", URL, *option, "--out", tmp_path / "out"], fake)
    assert done.returncode == 0, done.stderr
    assert proxy.heads


async def test_a_line_of_progress_comes_where_there_is_no_terminal(tmp_path: Path) -> None:
    quick = "import humeai_async.cli.progress as p; p.LINE_SECONDS = 0.2"
    (tmp_path / "quick.py").write_text(f"{quick}\nfrom humeai_async.cli.main import main\nmain()\n")
    async with FakeHume(run_seconds=2.5) as fake:
        with anyio.fail_after(60):
            done = await anyio.run_process(
                [
                    sys.executable,
                    str(tmp_path / "quick.py"),
                    "predict",
                    URL,
                    "--out",
                    tmp_path / "o",
                ],
                env=os.environ | {"HUME_API_KEY": fake.api_key, "HUME_BASE_URL": fake.url},
            )
    lines = done.stderr.decode().splitlines()
    assert len(lines) > 3
    assert "humeai-async: 0/1 done, 1 job" in lines


async def on_terminal(fake: FakeHume, columns: int, *arguments: str) -> str:
    """Run a command on a terminal of so many columns and return all that it drew."""
    ours, its = pty.openpty()
    environment = {"COLUMNS": str(columns), "TERM": "xterm", "HUME_API_KEY": fake.api_key}
    environment |= {"HUME_BASE_URL": fake.url}
    drawn = bytearray()

    def read() -> None:
        with contextlib.suppress(OSError):  # EIO: nobody holds the other end any more
            while chunk := os.read(ours, 65536):
                drawn.extend(chunk)

    async with (
        anyio.create_task_group() as tasks,
        await anyio.open_process(
            [*COMMAND, *arguments], stdout=its, stderr=its, env=os.environ | environment
        ) as process,
    ):
        os.close(its)
        tasks.start_soon(anyio.to_thread.run_sync, read)
        try:
            with anyio.fail_after(60):
                await process.wait()
        finally:
            if process.returncode is None:  # anyio waits for its end, however long that takes
                process.kill()
    os.close(ours)
    return drawn.decode()


@pytest.mark.parametrize("columns", [40, 120])
async def test_the_progress_line_says_first_what_matters_most(tmp_path: Path, columns: int) -> None:
    urls = [f"https://media.example.com/{n}.mp4" for n in range(20)]
    async with FakeHume(run_seconds=lambda job: 0.5 * len(job.id) % 3) as fake:
        drawn = await on_terminal(
            fake, columns, "predict", *urls, "--job-size", "2", "--out", str(tmp_path / "out")
        )
    assert "20/20 done" in drawn
    assert "…" not in drawn.partition("Strongest")[0]
    assert " left" in drawn
    if columns > 40:
        assert "10 jobs" in drawn


def test_a_reader_that_has_gone_ends_no_table(monkeypatch: pytest.MonkeyPatch) -> None:
    class Pipe(io.StringIO):
        def write(self, _: str, /) -> int:
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr(sys, "stdout", Pipe())
    with writing_output():
        make_console().print("for nobody")


def test_errors_of_a_terminal_that_has_gone_end_no_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Gone:
        encoding = "utf-8"

        def fileno(self) -> int:
            raise OSError(errno.EBADF, "Bad file descriptor")

        def write(self, _: str) -> int:
            raise OSError(errno.EIO, "Input/output error")

        def flush(self) -> None:
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(sys, "stderr", Gone())
    print_message("lost")


async def test_a_format_whose_package_is_missing_leaves_nothing_behind(
    fake: FakeHume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    arguments: list[str | Path] = ["predict", URL, "--out", tmp_path / "out"]
    done = await run_here([*arguments, "--format", "parquet"], fake)
    assert (done.returncode, fake.requests) == (2, [])
    assert "pip install" in done.stderr
    again = await run_here(arguments, fake)
    assert again.returncode == 0, again.stderr


async def test_the_status_of_a_run_in_a_folder_that_may_only_be_read_leaves_no_trace(
    fake: FakeHume, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    await run_here(["predict", URL, "--out", out], fake)
    before = sorted(out.iterdir())
    for path in (*before, out, *tmp_path.parents[:-2], tmp_path):
        path.chmod(0o555 if path.is_dir() else 0o444)
    done = await run_here(["status", out, "--json"])
    assert done.returncode == 0, done.stderr
    assert sorted(out.iterdir()) == before


async def test_a_name_of_a_file_is_that_file_and_any_other_text_is_refused(
    fake: FakeHume, tmp_path: Path
) -> None:
    wav_file(tmp_path / "clip.wav", 1)
    done = await run_here(["predict", tmp_path / "clip.wav", "--out", tmp_path / "out"], fake)
    assert done.returncode == 0, done.stderr
    [job] = fake.jobs.values()
    assert [source.kind for source in job.sources] == ["file"]
    words: list[str | Path] = ["predict", "What a day!", "--out", tmp_path / "other"]
    refused = await run_here(words, fake)
    assert refused.returncode == 2
    assert len(fake.jobs) == 1
