"""Downloads that never let their reader wait: they can be cancelled all the same."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any, Self

import anyio
import pytest
from support import session_of

from humeai_async import catalog
from humeai_async.http.endpoint import fill

pytestmark = pytest.mark.anyio

MOST = 1000
"""Pieces after which a cancellation is taken for lost; it takes one or two."""


class Torrent:
    """A transport whose answer has a piece ready whenever anything but its reader has a turn.

    So does a socket that is filled faster than it is read. anyio then never finds the reader
    waiting, and cancels nobody else.
    """

    def __init__(self) -> None:
        self.status, self.headers = 200, dict[str, str]()
        self._awaited: asyncio.Future[None] | None = None

    async def open(self, *_: object) -> Self:
        self._readable, self._other = socket.socketpair()
        self._other.send(b"x")  # which is never read
        asyncio.get_running_loop().add_reader(self._readable, self._come)
        return self

    async def aclose(self) -> None:
        asyncio.get_running_loop().remove_reader(self._readable)
        self._readable.close()
        self._other.close()

    def _come(self) -> None:
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_result(None)

    async def chunks(self) -> AsyncIterator[bytes]:
        while True:
            self._awaited = asyncio.get_running_loop().create_future()
            await self._awaited
            yield b"x"


async def test_a_cancel_scope_ends_a_download_that_never_lets_its_reader_wait() -> None:
    torrent: Any = Torrent()
    count, call = 0, fill(catalog.BATCH_GET_ARTIFACTS, "job-1")

    async with session_of(torrent).stream(call) as download:

        async def read() -> None:
            nonlocal count
            async for _ in download.chunks():
                count += 1
                assert count < MOST, "the cancellation was lost"

        async with anyio.create_task_group() as group:
            group.start_soon(read)
            while count < 3:
                await asyncio.sleep(0)
            group.cancel_scope.cancel()
    assert count < 10
