"""All that an error says, wherever one looks."""

from __future__ import annotations

import pickle
import re
import traceback
from collections.abc import Iterator
from types import TracebackType

NOTHING = r"(?!)"


def chain(error: BaseException) -> Iterator[BaseException]:
    """Walk over an error and everything that it is linked to."""
    seen: list[BaseException] = []
    left: list[BaseException | None] = [error]
    while left:
        one = left.pop()
        if one is not None and one not in seen:
            seen.append(one)
            left += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]
            yield one


def below(trace: TracebackType | None, file: str) -> TracebackType | None:
    """Skip the frames of a file, which hold the secrets themselves."""
    while trace is not None and trace.tb_frame.f_code.co_filename == file:
        trace = trace.tb_next
    return trace


def collect_error_text(error: BaseException, file: str, own: str = NOTHING) -> str:
    """Collect all that a log, a debugger, an error tracker or another process could be shown.

    Args:
        error: The error.
        file: The test's own file, whose frames are not looked at.
        own: Pattern of what the caller gave and may stand in the frames of the call, such as
            URLs of media; credentials may not.
    """
    said: list[str] = []
    for one in chain(error):
        said += [str(one), repr(one), repr(one.args), repr(vars(one))]
        walk = traceback.walk_tb(below(one.__traceback__, file))
        # Without the places in lines, which take longest to find: lines are read anyhow.
        stack = traceback.StackSummary.extract(walk, capture_locals=True)
        said += [re.sub(own, "***", line) for line in stack.format()]
        said += traceback.format_exception_only(one)
    said.append(pickle.dumps(error).decode("latin-1"))
    return "\n".join(said)
