"""What the README shows works as it stands there."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import anyio
import pytest
from live_support import silence, speech, wav
from nested_pytest import ALONE, PLUGINS

from humeai_async.testing import Dialect, FakeHume

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
BLOCKS: list[tuple[str, str]] = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)
PYTHON = [code for language, code in BLOCKS if language == "python"]


def block(start: str) -> str:
    """Return the one block of Python that holds a text."""
    [found] = [code for code in PYTHON if start in code]
    return found


def test_every_block_of_python_can_be_compiled() -> None:
    for code in PYTHON:
        flags = 0x2000  # ast.PyCF_ALLOW_TOP_LEVEL_AWAIT: some blocks are lines of a coroutine
        compile(code, "README.md", "exec", flags)


@pytest.mark.slow
def test_the_test_of_your_own_code_passes(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(block("async def test_my_code"))
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-P", "-m", "pytest", "-q", *PLUGINS, tmp_path],
        capture_output=True,
        cwd=tmp_path,
        env=os.environ | ALONE | {"PYTHONPATH": str(tmp_path)},
        check=False,
    )
    assert b"1 passed" in done.stdout, done.stdout.decode()
    assert done.returncode == 0


@pytest.mark.slow
@pytest.mark.anyio
async def test_every_command_runs(tmp_path: Path) -> None:
    lines = [
        line for language, code in BLOCKS if language == "console" for line in code.split("\n")
    ]
    commands = [line[2:] for line in lines if "humeai-async " in line and "install" not in line]
    assert len(commands) == 5
    (tmp_path / "recordings").mkdir()
    (tmp_path / "recordings" / "a.wav").write_bytes(wav(speech(2)))
    (tmp_path / "calls").mkdir()
    (tmp_path / "calls" / "b.wav").write_bytes(wav(speech(3)))
    questions = {"calm": {"type": "noul", "instructions": "Does the caller sound calm?"}}
    (tmp_path / "questions.json").write_text(json.dumps(questions))
    (tmp_path / "urls.txt").write_text("https://media.example.com/a.mp4\n")
    program = shlex.join([sys.executable, "-P", "-m", "humeai_async"])
    async with FakeHume() as fake:
        environment = os.environ | {"HUME_API_KEY": fake.api_key, "HUME_BASE_URL": fake.url}
        for command in commands:
            done = await anyio.run_process(
                command.replace("humeai-async", program),
                cwd=tmp_path,
                env=environment,
                check=False,
            )
            assert done.returncode == 0, (command, done.stderr)


@pytest.mark.anyio
@pytest.mark.slow
async def test_fifty_urls_become_a_frame_and_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("vl_convert", reason="comes with the extra report")
    pytest.importorskip("altair", reason="comes with the extra report")
    async with FakeHume() as fake:
        settings = {"HUME_API_KEY": fake.api_key, "HUME_BASE_URL": fake.url}
        done = await anyio.run_process(
            [sys.executable, "-P", "-c", block("timeline.html")],
            cwd=tmp_path,
            env=os.environ | settings,
            check=False,
        )
    assert done.returncode == 0, done.stderr.decode()
    assert "strongest expressions" in done.stdout.decode()
    assert "cdn" not in (tmp_path / "timeline.html").read_text("utf-8")[-20_000:]


@pytest.mark.anyio
@pytest.mark.slow
@pytest.mark.parametrize(
    ("start", "dialect", "expected"),
    [("timeline.mean", "direct", "0."), ("start_job(\n", "gateway-documented", "name='")],
)
async def test_both_quick_starts_run(
    start: str, dialect: Dialect, expected: str, tmp_path: Path
) -> None:
    talk = silence(0.5) + speech(4) + silence(1) + speech(4)
    (tmp_path / "interview.wav").write_bytes(wav(talk))
    async with FakeHume(dialect=dialect) as fake:
        code = block(start).replace('"at_..."', repr(fake.api_token))
        code = code.replace('api_key="..."', "")
        done = await anyio.run_process(
            [sys.executable, "-P", "-c", code],
            cwd=tmp_path,
            env=os.environ | {n: v for n, v in fake.environment.items() if "TOKEN" not in n},
            check=False,
        )
    assert done.returncode == 0, done.stderr.decode()
    assert expected in done.stdout.decode()
