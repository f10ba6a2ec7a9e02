"""Bodies of responses, unpacked into memory or piece by piece, and of requests for aiohttp.

What counts is what would lie in memory: bytes after unpacking. A body that says of itself that
it is small is read in one go; any other is read and unpacked in pieces, so that one that grows
too large, a bomb of a few packed kilobytes perhaps, is left where it is, and its connection
dropped. Pieces go to their place in the body as they come: joining them in the end would take
twice the memory, and hold the event loop. aiohttp unpacks whole bodies at once before 3.14,
so unpacking is done here. The transport and the sockets call it.
"""

from __future__ import annotations

import asyncio
import io
import uuid
import zlib
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Coroutine,
    Iterable,
    Iterator,
)
from math import inf
from typing import Any, cast

import aiohttp
from attrs import evolve

from humeai_async._base.cancellation import close_stream, run_uncancelled
from humeai_async.errors import ResponseTooLargeError
from humeai_async.http.messages import PACKINGS, Part, encoding_of

__all__ = [
    "LARGEST_ERROR",
    "RequestBody",
    "UnpackError",
    "UploadSourceError",
    "arrived_body",
    "chunks_of",
    "read_at_most",
    "read_body",
    "too_large",
]

LARGEST_ERROR = 1 << 20
"""Bytes of a response with an error status that are read; what follows is cut off."""

_PIECE = 1 << 18
"""Bytes of a body that is read in one go, and that are unpacked or handed on at once."""
_FIRST_ERROR = 300
"""First status that is no success."""


class UnpackError(Exception):
    """A body is not packed as its headers say, or was cut off."""


def arrived_body(response: aiohttp.ClientResponse, limit: int) -> bytes | None:
    """Return the body of a response if all of it has come, as nearly always.

    Args:
        response: The response, opened, its body not unpacked.
        limit: Bytes that the body may have.

    Returns:
        The body; `None` where there is more to it than to take it, which `read_body` does then.
    """
    content = response.content
    if (
        not content.is_eof()
        or content.total_bytes > min(limit, _PIECE)
        or encoding_of(response.headers) in PACKINGS
    ):
        return None
    return content.read_nowait()


def read_body(response: aiohttp.ClientResponse, limit: int) -> Coroutine[Any, Any, bytes]:
    """Read the body of a response.

    Args:
        response: The response, opened, its body not unpacked.
        limit: Bytes that the body of a success may have.

    Returns:
        The body, unpacked; of an error status no more than `LARGEST_ERROR` bytes.

    Raises:
        ResponseTooLargeError: It has more bytes than that.
        UnpackError: It is not packed as it says.
    """
    is_error = response.status >= _FIRST_ERROR
    limit = min(limit, LARGEST_ERROR) if is_error else limit
    size = None if encoding_of(response.headers) in PACKINGS else response.content_length
    if size is not None and size <= _PIECE and size <= limit:
        return response.read()
    return _read_in_pieces(response, limit, size, is_error=is_error)


async def _read_in_pieces(
    response: aiohttp.ClientResponse, limit: int, size: int | None, *, is_error: bool
) -> bytes:
    """Read a body that is packed, large, or of a size that nobody said."""
    if is_error or (size is not None and size <= limit):
        return await read_at_most(response, limit, size or 0)
    # The response to HEAD has the length of a body, and none.
    if size is None or response.content.at_eof():
        body = await read_at_most(response, limit + 1)
        if len(body) <= limit:
            return body
        size = len(body)
    raise too_large(size, limit, response.status)


def too_large(size: int, limit: int, status: int) -> ResponseTooLargeError:
    """Say that a body has more bytes than it may have.

    Args:
        size: Bytes that it has at least.
        limit: Bytes that it may have.
        status: Status of its response.
    """
    return ResponseTooLargeError(
        f"the response has {size} bytes or more, but no more than {limit} are read into memory; "
        "allow more with Pool(max_body=...), or save predictions to a file",
        size=size,
        limit=limit,
        status=status,
        outcome_unknown=True,
    )


async def read_at_most(response: aiohttp.ClientResponse, limit: int, size: int = 0) -> bytes:
    """Read a body to its end, but no more than the first so many bytes of it, unpacked.

    Args:
        response: The response, its body not unpacked.
        limit: Bytes that are read.
        size: Bytes that are expected; room for them is made before.
    """
    # It gives its bytes away without a copy, as a bytearray would not.
    body = io.BytesIO(bytes(size))
    async for piece in chunks_of(response):
        body.write(piece[: limit - body.tell()])
        if body.tell() >= limit:
            break
    body.truncate()
    return body.getvalue()


async def chunks_of(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Read a body piece by piece, unpacked; as it came where it is packed in an unknown way.

    Raises:
        UnpackError: It is not packed as it says.
    """
    content, encoding = response.content, encoding_of(response.headers)
    unpacker = _Unpacker(encoding) if encoding in PACKINGS else None
    while chunk := await content.read(_PIECE):
        if unpacker is None:
            yield chunk
            continue
        for n, piece in enumerate(unpacker.feed(chunk)):
            if n:  # a few packed bytes may hold much, and others want their turn
                await asyncio.sleep(0)
            yield piece
    if unpacker is not None:
        unpacker.end()


class _Unpacker:
    """Unpacks gzip and deflate, a bounded piece at a time."""

    def __init__(self, encoding: str) -> None:
        self._is_gzip = encoding.endswith("gzip")
        self._stream: Any = None  # its type has a private name only
        self._has_output = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Unpack a piece of a body.

        Raises:
            UnpackError: It is not packed so.
        """
        while chunk:
            if self._stream is None:
                self._stream = zlib.decompressobj(wbits=self._bits(chunk))
            try:
                piece = self._stream.decompress(chunk, _PIECE)
            except zlib.error:
                break
            if piece:
                self._has_output = True
                yield piece
            chunk = self._stream.unconsumed_tail
            if self._stream.eof:
                # A gzip file may be followed by further ones; zeros may fill it up.
                chunk = self._stream.unused_data.lstrip(b"\0") if self._is_gzip else b""
                self._stream = None if chunk else self._stream
        else:
            return
        raise UnpackError

    def end(self) -> None:
        """Make sure that the body was whole.

        Raises:
            UnpackError: It was cut off.
        """
        # Where nothing has come out the body is empty, be it cut off or not.
        if self._has_output and self._stream is not None and not self._stream.eof:
            raise UnpackError

    def _bits(self, chunk: bytes) -> int:
        """Tell zlib the format: some servers leave out what deflate begins with."""
        if self._is_gzip:
            return 16 + zlib.MAX_WBITS
        has_header = chunk[0] & 0x0F == 8  # noqa: PLR2004 - the number of the method deflate
        return zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS


_TEXT = "text/plain; charset=utf-8"
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
        self._known_size = part.size

    @property
    def size(self) -> int | None:
        """Bytes, where known."""
        return self._known_size


async def _pieces_of(content: bytes) -> AsyncGenerator[bytes]:
    """Give bytes a piece at a time, so that others have their turn in between."""
    for at in range(0, len(content), _PIECE):
        yield content[at : at + _PIECE]
        await asyncio.sleep(0)


def join_parts(parts: Iterable[Part]) -> aiohttp.BytesPayload:
    """Make a multipart body of parts in memory.

    It is what aiohttp makes of them, in one piece: aiohttp sends each line by itself, nine packets
    for two parts.
    """
    boundary = uuid.uuid4().hex
    pieces: list[bytes] = []
    for part in parts:
        is_text = part.filename is None
        kind = part.content_type or (_TEXT if is_text else "application/octet-stream")
        named = f'name="{_quoted(part.name)}"'
        if part.filename is not None:
            named += f'; filename="{_quoted(part.filename)}"'
        pieces += (
            f"--{boundary}\r\nContent-Type: {kind}\r\n"
            f"Content-Disposition: form-data; {named}\r\n\r\n".encode(),
            cast("bytes", part.content),
            b"\r\n",
        )
    pieces.append(f"--{boundary}--\r\n".encode())
    kind = f"multipart/form-data; boundary={boundary}"
    return aiohttp.BytesPayload(b"".join(pieces), content_type=kind)


def _quoted(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', '\\"')


class RequestBody:
    """One request's content on its way: what gave out, and what is still open."""

    def __init__(self) -> None:
        self.failure: UploadSourceError | None = None
        """Why content gave out, if it did."""
        self._streams: list[AsyncGenerator[bytes]] = []
        self._writer: asyncio.Task[object] | None = None

    def payload(
        self, body: bytes | tuple[Part, ...]
    ) -> bytes | io.BytesIO | aiohttp.BytesPayload | aiohttp.FormData:
        """Return what aiohttp writes, what is large piece by piece.

        Args:
            body: JSON text, or the parts of a multipart body.
        """
        if isinstance(body, bytes):
            return body if len(body) < _LARGE_BODY else io.BytesIO(body)
        size = sum(len(one.content) if isinstance(one.content, bytes) else inf for one in body)
        if size < _LARGE_BODY:
            return join_parts(body)
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
        content = part.content
        if not isinstance(content, bytes):
            return self._stream(part, content())
        if part.filename is None:
            return content.decode()
        if len(content) < _LARGE_BODY:
            return io.BytesIO(content)
        # aiohttp would copy it at once, to know its size.
        return self._stream(evolve(part, size=len(content)), _pieces_of(content))

    def _stream(self, part: Part, chunks: AsyncIterable[bytes]) -> _SizedPayload:
        stream = self._watched(chunks)
        self._streams.append(stream)
        return _SizedPayload(part, stream)

    async def _watched(self, chunks: AsyncIterable[bytes]) -> AsyncGenerator[bytes]:
        """Pass content on and note its error, which aiohttp would make one of the connection."""
        self._writer = asyncio.current_task()
        try:
            async for chunk in chunks:
                yield chunk
        except Exception as problem:  # noqa: BLE001 - it is passed on as it is
            self.failure = UploadSourceError(problem)
            raise self.failure from None
        finally:
            await close_stream(chunks)
