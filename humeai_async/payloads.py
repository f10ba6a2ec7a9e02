"""What a request sends, as aiohttp writes it: piece by piece, and watched on the way.

JSON and multipart bodies become what aiohttp takes. Content that gives out while it is sent
keeps its own error, which aiohttp would make one of the connection. The transport calls it;
nothing here opens a connection or knows a URL.
"""

from __future__ import annotations

import io
from collections.abc import AsyncGenerator, AsyncIterable

import aiohttp

from humeai_async.wire import Part

__all__ = ["SpoiledError", "payload"]

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


async def _watched(
    chunks: AsyncIterable[bytes], spoiled: list[SpoiledError]
) -> AsyncGenerator[bytes]:
    """Pass content on and note its error, which aiohttp would make one of the connection."""
    try:
        async for chunk in chunks:
            yield chunk
    except Exception as problem:  # noqa: BLE001 - it is passed on as it is
        spoiled.append(SpoiledError(problem))
        raise spoiled[0] from None
    finally:
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()


def payload(
    body: bytes | tuple[Part, ...], spoiled: list[SpoiledError]
) -> bytes | io.BytesIO | aiohttp.FormData:
    """Return what aiohttp writes piece by piece.

    Args:
        body: JSON text, or the parts of a multipart body.
        spoiled: Where it is noted when content gives out.
    """
    if isinstance(body, bytes):
        return body if len(body) < _LARGE_BODY else io.BytesIO(body)
    form = aiohttp.FormData(quote_fields=False)
    for part in body:
        form.add_field(
            part.name,
            _field(part, spoiled),
            filename=part.filename,
            content_type=part.content_type,
        )
    return form


def _field(part: Part, spoiled: list[SpoiledError]) -> str | io.BytesIO | _SizedPayload:
    """Return what aiohttp takes as a part: text without a file name is a plain field."""
    if not isinstance(part.content, bytes):
        return _SizedPayload(part, _watched(part.content(), spoiled))
    return part.content.decode() if part.filename is None else io.BytesIO(part.content)
