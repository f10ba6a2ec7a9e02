"""What processes write to each other of a quota that they learn: a lesson as a line of JSON.

A line that another release wrote, and this one cannot read, is no lesson; it is not an error.
"""

from __future__ import annotations

import msgspec

from humeai_async.limiter.shared_learner import Lesson


def write_lesson(lesson: Lesson) -> str:
    """Return a lesson as text without a space."""
    return msgspec.json.encode(lesson).decode()


def read_lesson(text: str) -> Lesson | None:
    """Return the lesson of a text; `None` if it is none."""
    try:
        return msgspec.json.decode(text, type=Lesson)
    except msgspec.MsgspecError:
        return None
