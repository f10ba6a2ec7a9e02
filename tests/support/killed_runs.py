"""Runs as processes that a test kills: the other side of `fork_runs.py`."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

PROGRAM = Path(__file__).with_name("fork_runs.py")


@frozen
class Ending:
    """How a run ended."""

    code: int
    """Its exit code; minus the signal that killed it."""
    lines: int
    """Lines of `bulk/` and `batch/` that it came to; 0 if it was killed."""


@define(eq=False)
class Starter:
    """Starts runs through one `fork_runs.py`; made by `starter`."""

    _process: Process
    _numbers: itertools.count[int] = field(factory=itertools.count, init=False)
    _waiting: dict[int, asyncio.Future[Ending]] = field(
        factory=dict[int, "asyncio.Future[Ending]"], init=False
    )

    async def run(self, *, signal: int = 9, **request: Any) -> Ending:
        """Start a run and wait for its end; see `fork_runs.py` for what a request has."""
        number = next(self._numbers)
        ended = self._waiting[number] = asyncio.get_running_loop().create_future()
        line = json.dumps({"env": {}, "patch": {}, "id": number, "signal": signal, **request})
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        await self._process.stdin.drain()
        ending: Ending = await ended
        return ending

    async def read_answers(self) -> None:
        """Hear of runs that ended, for ever."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            told = json.loads(line)
            self._waiting.pop(told["id"]).set_result(Ending(told["code"], told["lines"]))
        for ended in self._waiting.values():
            ended.set_exception(EOFError("fork_runs.py has ended"))


@contextlib.asynccontextmanager
async def starter() -> AsyncGenerator[Starter]:
    """Start `fork_runs.py`, for as long as it is needed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(PROGRAM), stdin=PIPE, stdout=PIPE
    )
    found = Starter(process)
    reading = asyncio.create_task(found.read_answers())
    try:
        yield found
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
        await reading
