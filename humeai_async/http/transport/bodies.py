"""Bodies of requests as aiohttp writes them, and of answers into memory.

JSON and multipart bodies become what aiohttp takes. Content that gives out while it is sent
keeps its own error, which aiohttp would make one of the connection.

What counts is what would lie in memory: bytes after unpacking. A body that says of itself that
it is small is read in one go; any other is read in pieces, so that one that grows too large, a
bomb of a few packed kilobytes perhaps, is left where it is, and its connection dropped. Pieces
go to their place in the body as they come: joining them in the end would take twice the memory,
and hold the event loop. The transport and the sockets call it.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator, AsyncIterable

import aiohttp

from humeai_async._base.cancellation import run_uncancelled
from humeai_async.errors import ResponseTooLargeError
from humeai_async.http.messages import Part

__all__ = ["LARGEST_ERROR", "Sending", "UploadSourceError", "read_at_most", "read_body"]

LARGEST_ERROR = 1 << 20
"""Bytes of an answer with an error status that are read; what follows is cut off."""

_SMALL = 1 << 18
"""Bytes of a body that is read in one go."""
_FIRST_ERROR = 300
"""First status that is no success."""


async def read_body(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """Read the body of an answer, and let its connection go.

    Args:
        response: The answer, opened.
        limit: Bytes that the body of a success may have.

    Returns:
        The body; of an error status no more than `LARGEST_ERROR` bytes.

    Raises:
        ResponseTooLargeError: It has more bytes than that.
    """
    is_error = response.status >= _FIRST_ERROR
    limit = min(limit, LARGEST_ERROR) if is_error else limit
    size = response.content_length
    is_known = size is not None and size <= limit and "Content-Encoding" not in response.headers
    if size is not None and is_known and size <= _SMALL:
        return await response.read()  # which lets go of the connection by itself
    async with response:
        if size is not None and is_known:
            return await read_at_most(response.content, limit, size)
        if is_error:
            return await read_at_most(response.content, limit)
        # The answer to HEAD has the length of a body, and none.
        if size is None or size <= limit or response.content.at_eof():
            body = await read_at_most(response.content, limit + 1)
            if len(body) <= limit:
                return body
            size = len(body)
    raise ResponseTooLargeError(
        f"the answer has {size} bytes or more, but no more than {limit} are read into memory; "
        "allow more with Pool(max_body=...), or save predictions to a file",
        size=size,
        limit=limit,
        status=response.status,
        outcome_unknown=True,
    )


async def read_at_most(content: aiohttp.StreamReader, limit: int, size: int = 0) -> bytes:
    """Read a body to its end, but no more than the first so many bytes of it.

    Args:
        content: The body.
        limit: Bytes that are read.
        size: Bytes that are expected; room for them is made before.
    """
    # It gives its bytes away without a copy, as a bytearray would not.
    body = io.BytesIO(bytes(size))
    while (left := limit - body.tell()) > 0 and (piece := await content.readany()):
        body.write(piece[:left])
    body.truncate()
    return body.getvalue()


_LARGE_BODY = 1 << 20
"""Bodies above this are written by aiohttp in pieces, so that one never holds the loop."""


class UploadSourceError(Exception):
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
        self.spoiled: UploadSourceError | None = None
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
            await run_uncancelled(self._end())

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
            self.spoiled = UploadSourceError(problem)
            raise self.spoiled from None
        finally:
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()
