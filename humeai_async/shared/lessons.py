"""What processes write to each other of a quota that they learn: a lesson as a line of JSON.

A line that another release wrote, and this one cannot read, is no lesson; it is not an error.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from humeai_async.limiter.measure import Contact
from humeai_async.limiter.shared_learner import Lesson

_Contact: TypeAlias = tuple[float, float, float, float, float, bool, float]
_Lesson: TypeAlias = tuple[float, float, float | None, bool, bool, bool, _Contact | None, float]


def write_lesson(lesson: Lesson) -> str:
    """Return a lesson as text without a space."""
    contact = lesson.contact
    times: _Contact | None = None
    if contact is not None:
        times = (
            contact.closed, contact.noticed, contact.earliest, contact.opened, contact.pace,
            contact.is_hinted, contact.between,
        )  # fmt: skip
    found: _Lesson = (
        lesson.rate, lesson.pace, lesson.window, lesson.is_known, lesson.is_even, lesson.is_rough,
        times, lesson.owed,
    )  # fmt: skip
    return msgspec.json.encode(found).decode()


def read_lesson(text: str) -> Lesson | None:
    """Return the lesson of a text; `None` if it is none."""
    try:
        found = msgspec.json.decode(text, type=_Lesson)
    except msgspec.MsgspecError:
        return None
    rate, pace, window, is_known, is_even, is_rough, contact, owed = found
    return Lesson(
        rate=rate,
        pace=pace,
        window=window,
        is_known=is_known,
        is_even=is_even,
        is_rough=is_rough,
        contact=None if contact is None else Contact(*contact),
        owed=owed,
    )
