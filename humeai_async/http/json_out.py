"""Typed objects as plain JSON, for whoever hands them on.

The codec writes types; what is made of several of them (a page, a job, an outcome, an error) says
by `json_members` what it consists of. Programs call it; the library itself does not.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, cast

import msgspec

from humeai_async.errors import InvalidArgumentError
from humeai_async.http import codec

__all__ = ["to_dict", "to_json"]


def to_dict(value: object) -> Any:
    """Make plain JSON values of anything that the library gives out.

    Dicts, lists, texts, numbers, truths and `None` come out, under the names that the service
    uses; enums are texts, a score that is missing is `None`. Fields that hold their default,
    such as those that the service did not send, are left out. Members of configs, prompts and
    tools that the library does not know are among the others. URLs with their queries, and any
    keys that you put into a request, are written as they are.

    Args:
        value: A response, an event, predictions, a part of one, a `Page`, `Job`, `Outcome` or
            error; or a list, tuple or mapping of such.

    Raises:
        InvalidArgumentError: It cannot be written as JSON.
    """
    with contextlib.suppress(RecursionError):
        return _plain(value)
    raise InvalidArgumentError(
        f"{type(value).__name__} cannot be written as JSON: it holds itself, or is too deep",
        field="value",
    )


def _plain(value: object) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in cast("list[object]", value)]
    describe = getattr(value, "json_members", None)
    if callable(describe):
        return _plain(describe())
    if isinstance(value, Mapping):
        members = cast("Mapping[object, object]", value)
        return {str(name): _plain(one) for name, one in members.items()}
    try:
        text = codec.encode(value)
    except InvalidArgumentError as problem:
        reason = problem.message.removeprefix("the request cannot be written as JSON: ")
    else:
        return codec.parse(text)
    raise InvalidArgumentError(
        f"{type(value).__name__} cannot be written as JSON: {reason}", field="value"
    )


def to_json(value: object) -> str:
    """Write anything that the library gives out as JSON text; see `to_dict`.

    Raises:
        InvalidArgumentError: It cannot be written as JSON.
    """
    return msgspec.json.encode(to_dict(value)).decode()
