"""Provisional: replaced by the learning limiter."""

from __future__ import annotations

from collections.abc import Mapping

import anyio

from humeai_async.errors import RateLimitWaitError


class Permit:
    """Provisional."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter
        self._is_done = False

    def done(
        self,
        status: int | None,
        headers: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        """Provisional."""
        if self._is_done:
            return
        self._is_done = True
        if status == 429:  # noqa: PLR2004
            self._limiter._until = max(
                self._limiter._until, anyio.current_time() + (retry_after or 0.25)
            )


class Limiter:
    """Provisional."""

    def __init__(
        self, rate: float | None = None, per: float = 1.0, burst: float | None = None
    ) -> None:
        self._until = 0.0
        self._lock = anyio.Lock()
        self._gap = per / rate if rate else 0.0
        self._next = 0.0

    async def acquire(
        self,
        bucket: str = "",
        *,
        cost: float = 1.0,
        deadline: float | None = None,
        head: bool = False,
    ) -> Permit:
        """Provisional."""
        async with self._lock:
            while True:
                now = anyio.current_time()
                wait = max(self._until, self._next) - now
                if wait <= 0:
                    break
                if deadline is not None and now + wait > deadline:
                    raise RateLimitWaitError("too long", seconds=wait)
                await anyio.sleep(wait)
            self._next = max(self._next, anyio.current_time()) + self._gap
        return Permit(self)
