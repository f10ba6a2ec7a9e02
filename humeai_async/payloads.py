"""What a request sends, as aiohttp writes it: piece by piece, and watched on the way.

JSON and multipart bodies become what aiohttp takes. Content that gives out while it is sent
keeps its own error, which aiohttp would make one of the connection. The transport calls it;
nothing here opens a connection or knows a URL.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator, AsyncIterable

import aiohttp

from humeai_async.shielding import to_the_end
from humeai_async.wire import Part

__all__ = ["Sending", "SpoiledError"]

_LARGE_BODY = 1 << 20
"""Bodies above this are written by aiohttp in pieces, so that one never holds the loop."""


class SpoiledError(Exception):
    """Content gave out while it was sent.

    It goes through aiohttp in place of the content's own error, so that that one keeps a short
    traceback, without aiohttp's frames and the URLs in them.
    """

    def __init__(self, reason: Exception) -> None:
        super().__init__(reason)
        self.reason = reason


class _SizedPayload(aiohttp.AsyncIterablePayload):
    """An async iterator of known length, which saves the body from going out in chunks."""

    def __init__(self, part: Part, chunks: AsyncIterable[bytes]) -> None:
        super().__init__(chunks, content_type=part.content_type)
        self._size = part.size


class Sending:
    """One request's content on its way: what gave out, and what is still open."""

    def __init__(self) -> None:
        self.spoiled: SpoiledError | None = None
        """Why content gave out, if it did."""
        self._streams: list[AsyncGenerator[bytes]] = []
        self._writer: asyncio.Task[object] | None = None

    def payload(self, body: bytes | tuple[Part, ...]) -> bytes | io.BytesIO | aiohttp.FormData:
        """Return what aiohttp writes piece by piece.

        Args:
            body: JSON text, or the parts of a multipart body.
        """
        if isinstance(body, bytes):
            return body if len(body) < _LARGE_BODY else io.BytesIO(body)
        form = aiohttp.FormData(quote_fields=False)
        for part in body:
            form.add_field(
                part.name,
                self._field(part),
                filename=part.filename,
                content_type=part.content_type,
            )
        return form

    async def aclose(self) -> None:
        """End the writing, and close what is open, before the call is over.

        aiohttp cancels the task that writes, but waits for nothing, and leaves the stream to the
        collector. A file that is being opened at that moment would stay open.
        """
        if self._streams:
            await to_the_end(self._end())

    async def _end(self) -> None:
        if self._writer is not None and not self._writer.done():
            if not self._writer.cancelling():  # a second time would end what cleans up
                self._writer.cancel()
            await asyncio.wait([self._writer])
        for stream in self._streams:
            await stream.aclose()

    def _field(self, part: Part) -> str | io.BytesIO | _SizedPayload:
        """Return what aiohttp takes as a part: text without a file name is a plain field."""
        if isinstance(part.content, bytes):
            return part.content.decode() if part.filename is None else io.BytesIO(part.content)
        stream = self._watched(part.content())
        self._streams.append(stream)
        return _SizedPayload(part, stream)

    async def _watched(self, chunks: AsyncIterable[bytes]) -> AsyncGenerator[bytes]:
        """Pass content on and note its error, which aiohttp would make one of the connection."""
        self._writer = asyncio.current_task()
        try:
            async for chunk in chunks:
                yield chunk
        except Exception as problem:  # noqa: BLE001 - it is passed on as it is
            self.spoiled = SpoiledError(problem)
            raise self.spoiled from None
        finally:
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()
