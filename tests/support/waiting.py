"""Waiting for what happens elsewhere: as long as it takes, and not a moment longer."""

from __future__ import annotations

from collections.abc import Callable

import anyio


async def until(is_so: Callable[[], object], *, patience: float = 20.0) -> None:
    """Wait until a condition holds; raises `TimeoutError` where that takes very long."""
    with anyio.fail_after(patience):
        while not is_so():
            await anyio.sleep(0.001)
