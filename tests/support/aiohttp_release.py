"""What the installed release of aiohttp does: the tests also run on the oldest that is allowed."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp

IS_3_14 = tuple(int(part) for part in aiohttp.__version__.split(".")[:2]) >= (3, 14)
"""Since 3.14 it counts the headers of a message, refuses a broken URL by status, and no longer
forgets what it waited with when an upload is refused early."""


class _WithoutForgottenWaits(asyncio.SelectorEventLoop):
    """Reports all errors but that of a wait that aiohttp before 3.14 forgets.

    There a cancelled upload leaves its wait for room in the socket's buffer behind; when the
    connection ends, asyncio reports that nobody looks at it.
    """

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if not isinstance(context.get("exception"), ConnectionError):
            super().call_exception_handler(context)


BACKEND: tuple[str, dict[str, Any]] = (
    "asyncio",
    {} if IS_3_14 else {"loop_factory": _WithoutForgottenWaits},
)
"""What the fixture `anyio_backend` returns for tests of uploads that are refused early."""
