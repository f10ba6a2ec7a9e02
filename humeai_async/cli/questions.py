"""The file with the questions of `humeai-async decide`: JSON, read with errors that name the place.

It knows no command and no run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from humeai_async.errors import InvalidArgumentError
from humeai_async.types.questions import QuestionSet

_WRAPPED = frozenset({"questions", "context"})
_PREFIX = "/questions"


def read_questions(path: Path) -> QuestionSet:
    """Read questions by their ids, and perhaps a context.

    The file holds `{"calm": {"type": "noul", "instructions": "..."}}`, or that as the member
    `questions` beside a `context`.

    Args:
        path: The file.

    Raises:
        InvalidArgumentError: It cannot be read, is no JSON, or holds something that is no question;
            the message says where.
    """
    found = _parse(path, _read(path))
    is_wrapped = _is_wrapped(found)
    questions = found["questions"] if is_wrapped else found
    context = found.get("context") if is_wrapped else None
    try:
        return QuestionSet(questions, context)
    except InvalidArgumentError as problem:
        place = problem.param or ""
        if not is_wrapped:
            place = place.removeprefix(_PREFIX)
        reason = problem.message
    raise _refuse(path, f"at {place}: {reason}" if place else reason)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        reason = problem.strerror or type(problem).__name__
    except ValueError:  # a name with a null character
        reason = "there is no such file"
    raise _refuse(path, reason)


def _parse(path: Path, content: bytes) -> Mapping[str, Any]:
    try:
        found: object = json.loads(content, object_pairs_hook=_members)
        json.dumps(found, ensure_ascii=False).encode()
    except _TwiceError as problem:
        reason = f"{problem.args[0]!r} is there twice"
    except json.JSONDecodeError as problem:
        reason = f"line {problem.lineno}, column {problem.colno}: it is no JSON ({problem.msg})"
    except UnicodeError:
        reason = "it is not UTF-8 text"
    except RecursionError:
        reason = "it is nested too deeply"
    else:
        if isinstance(found, dict):
            return cast("Mapping[str, Any]", found)
        reason = "it must hold an object of questions by id"
    raise _refuse(path, reason)


class _TwiceError(Exception):
    """An object has two members of the same name; one question would be lost in silence."""


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise _TwiceError(name)
        members[name] = value
    return members


def _is_wrapped(found: Mapping[str, Any]) -> bool:
    """Whether the questions are a member, and not one of them called so."""
    inner = found.get("questions")
    is_question = isinstance(inner, dict) and isinstance(inner.get("type"), str)  # pyright: ignore[reportUnknownMemberType]  # free JSON
    return "questions" in found and found.keys() <= _WRAPPED and not is_question


def _refuse(path: Path, reason: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"cannot use the questions of {path}: {reason}", field="questions")
