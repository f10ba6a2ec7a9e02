"""Artifacts handed on by the guide's web backends: no faster than they are read, never faked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest
from attrs import define, frozen
from backends import KINDS, PATIENCE, Backend, backend
from rawserver import HALF_A_BODY, RawServer

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

PIECE = bytes(1 << 16)
PIECES = 2048
"""128 MiB in all: far beyond what the sockets between Hume and the browser hold."""


@define
class Archive:
    """What Hume sends: a large body, one without end, a broken one."""

    sent: int = 0
    """Pieces."""

    async def whole(self, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(PIECE) * PIECES}\r\n\r\n".encode())
        for self.sent in range(1, PIECES + 1):
            writer.write(PIECE)
            await writer.drain()

    async def endless(self, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {1 << 50}\r\n\r\n".encode())
        while True:
            writer.write(PIECE)
            await writer.drain()

    async def broken(self, writer: asyncio.StreamWriter) -> None:
        writer.write(HALF_A_BODY)
        await writer.drain()
        writer.close()

    async def settled(self) -> int:
        """Wait until no more is sent for a while, and return how much was."""
        before = -1
        while before != self.sent or not self.sent:
            before = self.sent
            await asyncio.sleep(0.2)
        return self.sent


@frozen
class Served:
    """A backend, and the Hume behind it."""

    archive: Archive
    hume: RawServer
    backend: Backend


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """Let all tests of this module share their backends."""
    return "asyncio"


@pytest.fixture(scope="module", params=KINDS)
async def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Served]:
    archive = Archive()
    async with RawServer(archive.whole) as hume:
        async with backend(request.param, tmp_path_factory.mktemp("web"), hume.url) as running:
            yield Served(archive, hume, running)


async def test_a_download_is_read_no_faster_than_the_browser_does(served: Served) -> None:
    served.hume.acts[-1] = served.archive.whole
    browser = await served.backend.ask("/artifacts/job-1")
    assert (await browser.head()).headers["content-type"] == "application/zip"
    assert await served.archive.settled() < PIECES // 2
    received = 0
    while received < len(PIECE) * PIECES:
        received += len(await browser.reader.read(1 << 20))
    assert served.archive.sent == PIECES


async def test_a_browser_that_leaves_ends_its_download(served: Served) -> None:
    served.hume.acts[-1] = served.archive.endless
    browser = await served.backend.ask("/artifacts/job-1")
    await browser.head()
    await browser.leave()
    async with asyncio.timeout(PATIENCE):
        await served.hume.emptied.wait()  # or never, for there is always more to send


async def test_a_download_that_breaks_off_does_not_look_whole(served: Served) -> None:
    served.hume.acts[-1] = served.archive.broken
    browser = await served.backend.ask("/artifacts/job-1")
    async with asyncio.timeout(PATIENCE):
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await browser.answer()
