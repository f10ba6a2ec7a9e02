"""What all commands share: exit codes, messages, and streams that cannot take every text.

It knows no command. `main` uses it around every command, and the commands to print.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
import warnings
from collections.abc import Callable, Generator
from enum import IntEnum
from typing import TextIO

from rich.console import Console

from humeai_async.errors import (
    ConfigurationError,
    HumeError,
    InvalidArgumentError,
    LedgerError,
    MissingPackageError,
    SaveError,
)


class ExitCode(IntEnum):
    """How a command ended, as the README lists it."""

    OK = 0
    """Every source arrived."""
    FAILED = 1
    """Sources failed or are still open, or the service refused or could not be reached."""
    WRONG_USE = 2
    """A mistake in the command or its settings; nothing was sent."""
    LOCAL_PROBLEM = 3
    """A folder or standard output cannot be read or written, or another run has the folder."""
    INTERRUPTED = 130
    """Ctrl-C."""


def exit_code_of(error: HumeError) -> ExitCode:
    """Return the exit code for an error that ended a command."""
    if isinstance(error, (ConfigurationError, InvalidArgumentError, MissingPackageError)):
        return ExitCode.WRONG_USE
    if isinstance(error, (LedgerError, SaveError)):
        return ExitCode.LOCAL_PROBLEM
    return ExitCode.FAILED


def escape_controls(text: str) -> str:
    """Write control characters as escapes: names and messages must not steer a terminal."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or "\ud800" <= c <= "\udfff" else c.encode("unicode_escape").decode()
        for c in text
    )


def print_message(text: str) -> None:
    """Print a line for the person at the terminal, apart from what the command puts out."""
    stream = lossy_stderr()
    stream.write(f"humeai-async: {escape_controls(text)}\n")
    stream.flush()


def make_console(file: TextIO | None = None) -> Console:
    """Make a console that prints names and messages as they are, brackets included.

    Args:
        file: Where it prints; standard output if left out.
    """
    return _Console(file=file, markup=False, emoji=False, highlight=False)


class _Console(Console):
    """A console that leaves a reader that has gone to `writing_output`."""

    def on_broken_pipe(self) -> None:
        """Raise what rich has caught; it would end the command with an exit code of its own."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


class _LossyStream(io.TextIOBase):
    """A stream whose failures are ignored: progress must not end a run that is paid for."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed has it as a plain attribute
        return getattr(self._stream, "encoding", None) or "utf-8"

    def isatty(self) -> bool:
        return self._stream is not None and self._stream.isatty()

    def fileno(self) -> int:
        if self._stream is None:
            raise io.UnsupportedOperation("fileno")
        return self._stream.fileno()

    def write(self, text: str, /) -> int:
        with self._ignoring_failures() as stream:
            stream.write(text)
        return len(text)

    def flush(self) -> None:
        with self._ignoring_failures() as stream:
            stream.flush()

    @contextlib.contextmanager
    def _ignoring_failures(self) -> Generator[TextIO]:
        stream = self._stream
        if stream is None:
            yield io.StringIO()
            return
        try:
            yield stream
        except (OSError, ValueError):  # it is full, gone or closed
            _discard(stream)
            self._stream = None


def lossy_stderr() -> TextIO:
    """Return standard error as a stream that never fails."""
    return _LossyStream(sys.stderr)  # type: ignore[return-value]  # all of TextIO that is used


def _discard(stream: TextIO) -> None:
    """Send what a broken stream still holds nowhere, or Python fails on it at exit."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        stream.flush()


class OutputError(Exception):
    """Standard output cannot be written."""


@contextlib.contextmanager
def writing_output() -> Generator[None]:
    """Run code that prints to standard output, and empty its buffer.

    A reader that has gone (`| head`) is no failure: the rest is for nobody.

    Raises:
        OutputError: Standard output is full or broken.
    """
    stream: TextIO | None = sys.stdout  # `None` where the process began without one
    try:
        yield
        if stream is not None:
            stream.flush()
    except OSError as problem:
        if stream is not None:
            _discard(stream)
        if problem.errno in {errno.EPIPE, errno.EINVAL}:  # EINVAL: the same on Windows
            return
        reason = problem.strerror or type(problem).__name__
        raise OutputError(f"cannot write to standard output: {reason}") from None


def accept_any_text() -> None:
    """Let standard output write what its encoding lacks as escapes, as standard error does."""
    reconfigure: Callable[..., None] | None = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:  # it is there, and a stream of the operating system
        reconfigure(errors="backslashreplace")


@contextlib.contextmanager
def warnings_as_messages() -> Generator[None]:
    """Print warnings as messages, without the place in the code."""
    with warnings.catch_warnings():
        warnings.showwarning = _print_warning
        yield


def _print_warning(message: Warning | str, *_: object, **__: object) -> None:
    print_message(str(message))
