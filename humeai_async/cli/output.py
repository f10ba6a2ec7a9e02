"""How a command ends: its exit code, and the one line that says what went wrong.

It knows no command. Every command runs its work through `run`.
"""

from __future__ import annotations

import asyncio
import sys
import warnings
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import click

from humeai_async.errors import ConfigurationError, HumeError, InvalidArgumentError

T = TypeVar("T")

WRONG_USE, FAILED, INTERRUPTED = 2, 1, 130
"""Exit codes."""


def run(work: Callable[[], Coroutine[Any, Any, int]]) -> None:
    """Run a command to its exit code."""
    warnings.showwarning = show_warning
    sys.exit(told(lambda: asyncio.run(work())))


def told(work: Callable[[], T]) -> T:
    """Do some work, and end the command in a line where it goes wrong."""
    try:
        return work()
    except (ConfigurationError, InvalidArgumentError) as problem:
        code, said = WRONG_USE, str(problem)
    except HumeError as problem:
        code, said = FAILED, str(problem)
    except KeyboardInterrupt:
        code, said = INTERRUPTED, ""
    if said:
        say(said)
    sys.exit(code)


def say(text: str) -> None:
    """Print a line for the person at the terminal, apart from what the command puts out."""
    click.echo(f"humeai-async: {text}", err=True)


def show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """Print a warning as a line, without the place in the code."""
    say(str(message))
