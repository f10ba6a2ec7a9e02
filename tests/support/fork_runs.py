"""A program that starts runs as processes of their own within milliseconds, and kills them.

It has the library imported and forks for each request: one JSON object a line on standard
input, one on standard output once the run has ended. `killed_runs.py` is its other side. POSIX
only. A request has

- `id`: given back with the answer;
- `main`: arguments of the command line, or `script`: settings of `run_script`;
- `log`: file for everything that the run prints;
- `env`: environment variables that the run gets;
- `patch`: values for module attributes, by dotted name;
- `line`: the run kills itself when it comes to so many lines of `bulk/` and `batch/`;
- `after`: the run is killed after so many seconds;
- `signal`: the number of the signal;
- `again`: it is sent again so many seconds later;
- `user`: the number of the user that the run is to be;
- `file_size`: bytes beyond which no file can grow, as if the disk were full;
- `clock`: seconds by which the run takes the wall clock to be ahead;
- `watch`: a folder; a run that changes nothing there for `stalls_after` seconds ends with `HANGS`.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import importlib
import json
import math
import os
import resource
import signal
import socket
import sys
import threading
import time
import traceback
import warnings
from pathlib import Path
from types import FrameType
from typing import Any

import anyio
from run_watch import HANGS, start_watch

import humeai_async.bulk.ledger
import humeai_async.cli.main
from humeai_async import HumeAI, HumeError, Polling, Timeout
from humeai_async.bulk.outcome import Outcome
from humeai_async.types.predictions.predictions import SourcePredictions
from humeai_async.types.sources import BulkSource

STALLS_AFTER = 40.0
"""Seconds without progress after which a run hangs."""
LIMIT = 300.0
"""Seconds after which a run is killed, progress or not."""
FOREIGN_ERROR = 70
"""Exit code of a run that ended with an error that is not the library's."""
_PACKAGE = os.fspath(Path(humeai_async.bulk.ledger.__file__).parent.parent)
_TRACED = tuple(os.path.join(_PACKAGE, room, "") for room in ("bulk", "batch"))  # noqa: PTH118 - the form of co_filename


class LineCount:
    """Counts lines as they are run, in every thread, and sends a signal at one of them."""

    def __init__(self, at: int | None, number: int) -> None:
        self.count = 0
        self._at = at
        self._signal = number

    def start(self) -> None:
        """Begin counting."""
        threading.settrace(self._enter)
        sys.settrace(self._enter)

    def _enter(self, frame: FrameType, _: str, __: Any) -> Any:
        return self._line if frame.f_code.co_filename.startswith(_TRACED) else None

    def _line(self, _: FrameType, event: str, __: Any) -> Any:
        if event == "line":
            self.count += 1
            if self.count == self._at:
                os.kill(os.getpid(), self._signal)
        return self._line


def serve() -> None:
    """Start a run for each line of standard input."""
    anyio.run(anyio.sleep, 0)  # imports what belongs to the event loop
    for name in ("batch.bulk_jobs", "bulk.pipeline", "bulk.runs", "bulk.sinks"):
        importlib.import_module(f"humeai_async.{name}")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that wait for runs
    for line in sys.stdin:
        if not os.fork():
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _supervise(json.loads(line))
            os._exit(0)


def _supervise(request: dict[str, Any]) -> None:
    """Start a run, kill it if that is its time, and tell how it ended."""
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(read)
        _be_the_run(request, write)
    os.close(write)
    begun = time.monotonic()
    after, again, hangs = request.get("after"), None, False
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            break
        passed = time.monotonic() - begun
        if after is not None and passed >= after:
            os.kill(pid, request["signal"])
            after, again = None, passed + request.get("again", math.inf)
        if again is not None and passed >= again:
            os.kill(pid, request["signal"])
            again = None
        if passed > LIMIT and not hangs:
            hangs = True
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.002)
    with os.fdopen(read) as told:
        lines = told.read()
    code = HANGS if hangs else os.waitstatus_to_exitcode(status)
    answer = {"id": request["id"], "code": code, "lines": int(lines or 0)}
    os.write(1, json.dumps(answer).encode() + b"\n")


def _be_the_run(request: dict[str, Any], told: int) -> None:
    code = FOREIGN_ERROR
    counting = LineCount(request.get("line"), request["signal"])
    try:
        log = os.open(request["log"], os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        null = os.open(os.devnull, os.O_RDONLY)
        for target, source in ((0, null), (1, log), (2, log)):
            os.dup2(source, target)
        sys.stdin, sys.stdout = open(0), open(1, "w")  # noqa: SIM115 - the run's own
        sys.stderr = open(2, "w")  # noqa: SIM115 - the run's own
        for name, value in request["env"].items():
            os.environ[name] = value
        for name, value in request["patch"].items():
            module, _, attribute = name.rpartition(".")
            getattr(importlib.import_module(module), attribute)  # a wrong name is an error
            setattr(importlib.import_module(module), attribute, value)
        if "user" in request:
            os.setgroups([])
            os.setgid(request["user"])
            os.setuid(request["user"])
        if "file_size" in request:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (request["file_size"],) * 2)
        _set_clock(request.get("clock", 0.0))
        if "watch" in request:
            start_watch(Path(request["watch"]), request.get("stalls_after", STALLS_AFTER))
        faulthandler.dump_traceback_later(LIMIT - 10.0)  # where it is, if that does not end it
        counting.start()
        code = _run(request)
    except KeyboardInterrupt:
        code = 130  # before it began
    except BaseException:  # noqa: BLE001 - it goes to the log, whatever it is
        traceback.print_exc()
    finally:
        sys.settrace(None)
        threading.settrace(None)
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        with contextlib.suppress(OSError):
            sys.stderr.flush()
        os.write(told, str(counting.count).encode())
        os._exit(code)


def _run(request: dict[str, Any]) -> int:
    warnings.simplefilter("default")
    try:
        if "main" in request:
            humeai_async.cli.main.main(request["main"])
        else:
            asyncio.run(_run_woken(request["script"]))
    except SystemExit as ending:
        return int(ending.code or 0)
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130
    except HumeError:
        with contextlib.suppress(OSError):  # the log, too, may grow no further
            traceback.print_exc()
        return 1
    return 0


async def _run_woken(script: dict[str, Any]) -> None:
    """Run a script in an event loop that each signal wakes.

    A signal that comes as the main thread is about to wait in `select` is handled once it wakes.
    Meanwhile CPython 3.11 lets no traced thread enter a function: where the main thread waits
    for such a thread, both would wait for ever. Without tracing the thread just goes on.
    """
    read, write = socket.socketpair()
    with read, write:
        read.setblocking(False)
        write.setblocking(False)
        asyncio.get_running_loop().add_reader(read, read.recv, 4096)
        signal.set_wakeup_fd(write.fileno())
        try:
            await run_script(**script)
        finally:
            signal.set_wakeup_fd(-1)
            asyncio.get_running_loop().remove_reader(read)


def _set_clock(ahead: float) -> None:
    real, real_ns = time.time, time.time_ns
    time.time = lambda: real() + ahead
    time.time_ns = lambda: real_ns() + round(ahead * 1e9)


async def run_script(
    *,
    folder: str,
    sources: list[list[str]],
    client: dict[str, Any],
    read: float,
    own_lines: bool = False,
    **settings: Any,
) -> None:
    """Run sources into a folder, as a user's script does; with `own_lines` it writes the lines."""
    given = [Path(value) if kind == "files" else value for kind, value in sources]
    client["gateway_carries"] = frozenset(client.get("gateway_carries", ()))
    async with HumeAI(
        **client,
        polling=Polling(min_interval=0.01, max_interval=0.05),
        timeout=Timeout(read=read),
    ) as hume:
        if not own_lines:
            await hume.batch.predict_into(folder, given, **settings)
            return
        into = Path(folder)
        into.mkdir(exist_ok=True)
        run = hume.batch.predict(given, ledger=into / "ledger.db", **settings)
        with (into / "predictions.jsonl").open("a") as lines:
            async for outcome in run:
                if not outcome.is_open:
                    lines.write(json.dumps(_line(outcome)) + "\n")
                    lines.flush()


def _line(outcome: Outcome[BulkSource, SourcePredictions]) -> dict[str, Any]:
    source = str(outcome.source)
    if outcome.predictions is None:
        return {"source": source, "error": str(outcome.error)}
    language: Any = outcome.predictions.files[0].models.language
    found = [one for group in language.grouped_predictions for one in group.predictions]
    scores = [{"score": score.score} for one in found for score in one.emotions]
    return {"source": source, "predictions": scores}


if __name__ == "__main__":
    serve()
