"""Runs commands in tests: in a thread of this process, or as a process of their own."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

import anyio.to_thread
import pytest

from humeai_async.cli.main import main
from humeai_async.testing import FakeHume

# Without -P it would be the package in the working directory, not the installed one.
COMMAND = [sys.executable, "-P", "-m", "humeai_async"]


def environment(fake: FakeHume | None) -> dict[str, str]:
    """Return this process's environment with the fake's credential and no other."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HUME_", "LOWCODEAPI_"))
    }
    if fake is None:
        return kept
    name = "HUME_API_KEY" if fake.dialect == "direct" else "LOWCODEAPI_API_TOKEN"
    credential = fake.api_key if fake.dialect == "direct" else fake.api_token
    return kept | {name: credential, "HUME_BASE_URL": fake.url}


async def run(
    arguments: Sequence[str | Path], fake: FakeHume | None = None, given: str | bytes = ""
) -> subprocess.CompletedProcess[str]:
    """Run a command in a thread of this process."""
    words = [str(argument) for argument in arguments]
    stdout, stderr = io.StringIO(), io.StringIO()
    stdin = io.TextIOWrapper(io.BytesIO(given.encode() if isinstance(given, str) else given))

    def work() -> object:
        with pytest.raises(SystemExit) as done:
            main(words)
        return done.value.code

    with (
        patch.dict(os.environ, environment(fake), clear=True),
        patch.object(sys, "stdin", stdin),
        contextlib.redirect_stdout(stdout),
        contextlib.redirect_stderr(stderr),
        warnings.catch_warnings(action="default"),
    ):
        code = await anyio.to_thread.run_sync(work)
    assert isinstance(code, int)
    return subprocess.CompletedProcess(words, code, stdout.getvalue(), stderr.getvalue())
