"""Arguments checked before anything is sent.

Each function refuses one kind of bad argument with an `InvalidArgumentError` that names it.
They know no endpoint; ids that go into a path are checked by `endpoint.py`. The resources and
`pagination.py` call them.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

from attrs import has

from humeai_async._base.base_values import as_base
from humeai_async._base.unset import Unset
from humeai_async.errors import InvalidArgumentError

MOST_SOURCES = 100
"""URLs, texts or files in one job at most, each kind by itself, as Hume documents it."""


def check_number(name: str, value: int, *, least: int, most: int | None = None) -> int:
    """Return a whole number within its range as Python's own, whoever's it is.

    Raises:
        InvalidArgumentError: It is something else; `field` names the argument.
    """
    plain = value if type(value) is int else as_base(value)
    if type(plain) is not int or plain < least or (most is not None and plain > most):
        reach = f"{least} or more" if most is None else f"from {least} to {most}"
        reach = reach if type(plain) is int else f"{reach} and a whole number"
        raise InvalidArgumentError(f"{name} must be {reach}, not {value!r}", field=name)
    return plain


def check_text(name: str, value: object) -> None:
    """Refuse what is not a text, or an empty one.

    Raises:
        InvalidArgumentError: `field` names the argument.
    """
    if not isinstance(value, str) or not value.strip():
        raise InvalidArgumentError(f"{name} must be text that is not blank", field=name)


def check_path(name: str, value: object) -> Path:
    """Return the path of a file or a folder.

    Raises:
        InvalidArgumentError: It is none, or empty; `field` names the argument.
    """
    try:
        text: object = os.fspath(cast("os.PathLike[str]", value))
    except TypeError:
        text = value
    if isinstance(text, str) and text:
        return Path(text)
    given = repr(value) if isinstance(value, (str, bytes)) else type(value).__name__
    reason = f"{name} must be a path as text or a Path, not {given}"
    raise InvalidArgumentError(reason, field=name)


def check_sources(**sources: Sequence[object] | None) -> None:
    """Refuse a job without sources, with too many, or with one text in place of a list.

    Args:
        sources: All arguments that a job's sources may come in, by name.

    Raises:
        InvalidArgumentError: `field` names the argument.
    """
    name, reason = _first_wrong(sources)
    if reason:
        raise InvalidArgumentError(reason, field=name)


def _first_wrong(sources: dict[str, Sequence[object] | None]) -> tuple[str, str]:
    """Return which of the sources cannot be sent, and why; no reason where all can."""
    for name, given in sources.items():
        if isinstance(given, (str, bytes)):
            return name, f"{name} must be a list; put [] around the value"
        # Before anything asks for its truth value, which a column of a table has not.
        if given is not None and not isinstance(cast("object", given), Sequence):
            kind = type(given).__name__
            return name, f"{name} is a list, not {kind}; give {name}=list({name}) of what it holds"
    if not any(sources.values()):
        names = ", ".join(sources)
        return next(iter(sources)), f"a job needs at least one source: give any of {names}"
    for name, given in sources.items():
        if given is not None and len(given) > MOST_SOURCES:
            return name, (
                f"{name} has {len(given)} entries and a job takes {MOST_SOURCES}; split them "
                "over several jobs, or let hume.batch.predict do so"
            )
        if name != "files" and not all(isinstance(one, str) and one for one in given or ()):
            return name, f"{name} must hold non-empty texts only"
    return "", ""


def check_settings(**settings: object) -> None:
    """Refuse settings of a job that are neither an attrs object nor a dict, such as `"face"`.

    Args:
        settings: All arguments that hold settings, by name; `None` and what is left out pass.

    Raises:
        InvalidArgumentError: `field` names the argument.
    """
    for name, value in settings.items():
        if value is not None and not isinstance(value, (Mapping, Unset)) and not has(type(value)):
            kind = type(value).__name__
            raise InvalidArgumentError(
                f"{name} must be a dict of settings or an object of that type, not {kind}",
                field=name,
            )


def check_bytes(name: str, value: object) -> None:
    """Refuse what is no bytes: `bytes(value)` would make zeros of a number.

    Raises:
        InvalidArgumentError: `field` names the argument.
    """
    if not isinstance(value, (bytes, bytearray, memoryview)):
        kind = type(value).__name__
        raise InvalidArgumentError(f"{name} must be bytes, not {kind}", field=name)


def check_many(name: str, value: object) -> None:
    """Refuse one thing where many are asked for: a text would be taken letter by letter.

    Raises:
        InvalidArgumentError: `field` names the argument.
    """
    if isinstance(value, (str, bytes, os.PathLike)):
        raise InvalidArgumentError(f"{name} must be a list; put [] around the value", field=name)
    if not isinstance(value, (Iterable, AsyncIterable)):
        kind = type(value).__name__
        raise InvalidArgumentError(f"{name} must be iterable, not {kind}", field=name)


def check_seconds(name: str, value: float | None) -> None:
    """Refuse what is no length of time; `None` is without limit.

    Raises:
        InvalidArgumentError: `field` names the argument.
    """
    value = as_base(value)
    if value is None:
        return
    is_number = isinstance(cast("object", value), (int, float)) and not isinstance(value, bool)
    # An integer may be longer than any clock can count.
    if not is_number or not (0 <= value <= sys.float_info.max or value == math.inf):
        raise InvalidArgumentError(f"{name} must be a number of seconds, not {value!r}", field=name)
