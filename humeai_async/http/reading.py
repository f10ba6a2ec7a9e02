"""Responses to results: what a session reads of a body, and how others have turns meanwhile.

Small bodies are decoded in one go, large ones step by step where their type knows how, with a
turn for the event loop between two steps. The session calls it.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Generator
from typing import Any, TypeAlias

from humeai_async.errors import DecodeError
from humeai_async.http.codec import decode
from humeai_async.http.messages import Response

Read: TypeAlias = Callable[[type[Any], Response], Any]
"""Makes a type of a response."""

LARGE = 1 << 18
"""Bytes of a body from which on each step with it takes a noticeable time."""


def decoded(returns: type[Any], response: Response) -> Any:
    """Return what a body holds as a type.

    Raises:
        DecodeError: It is not of that type.
    """
    return decode(returns, response.body)


def decoded_with_id(returns: type[Any], response: Response) -> tuple[Any, str | None]:
    """Return what a body holds as a type, and the service's id of the request.

    Raises:
        DecodeError: It is not of that type.
    """
    return decode(returns, response.body), response.request_id


async def read_in_steps(read: Read, returns: Any, response: Response) -> Read:
    """Read a large body little by little, where its type knows how, so that others have turns.

    Returns:
        What gives the result: the reader itself where there is none yet.
    """
    in_steps = getattr(returns, "from_json_in_steps", None)
    if in_steps is None or response.is_error:
        return read
    reading: Generator[None, None, Any] = in_steps(response.body)
    while True:
        try:
            next(reading)
        except StopIteration as ended:
            return functools.partial(_give, ended.value)
        except DecodeError:
            return read  # the reader tells what is wrong
        await yield_to_loop()


def _give(found: Any, *_: object) -> Any:
    """Give what was read already."""
    return found


async def yield_to_loop() -> None:
    """Let the event loop see to everything else between two long steps with a large body."""
    # Timers and sockets that fell due queue up behind the first turn, and the tasks that they
    # wake behind the second.
    for _ in range(3):
        await asyncio.sleep(0)
