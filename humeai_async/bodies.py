"""Bodies of answers into memory, and no more of them than is allowed.

What counts is what would lie in memory: bytes after unpacking. A body that says of itself that
it is small is read in one go; any other is read in pieces, so that one that grows too large, a
bomb of a few packed kilobytes perhaps, is left where it is, and its connection dropped. Pieces
go to their place in the body as they come: joining them in the end would take twice the memory,
and hold the event loop. The transport and the sockets call it.
"""

from __future__ import annotations

import io

import aiohttp

from humeai_async.errors import AnswerTooLargeError

__all__ = ["LARGEST_ERROR", "read_body", "read_start"]

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
        AnswerTooLargeError: It has more bytes than that.
    """
    is_error = response.status >= _FIRST_ERROR
    limit = min(limit, LARGEST_ERROR) if is_error else limit
    size = response.content_length
    is_known = size is not None and size <= limit and "Content-Encoding" not in response.headers
    if size is not None and is_known and size <= _SMALL:
        return await response.read()  # which lets go of the connection by itself
    async with response:
        if size is not None and is_known:
            return await read_start(response.content, limit, size)
        if is_error:
            return await read_start(response.content, limit)
        # The answer to HEAD has the length of a body, and none.
        if size is None or size <= limit or response.content.at_eof():
            body = await read_start(response.content, limit + 1)
            if len(body) <= limit:
                return body
            size = len(body)
    raise AnswerTooLargeError(
        f"the answer has {size} bytes or more, but no more than {limit} are read into memory; "
        "allow more with Pool(max_body=...), or save predictions to a file",
        size=size,
        limit=limit,
        status=response.status,
        outcome_unknown=True,
    )


async def read_start(content: aiohttp.StreamReader, limit: int, size: int = 0) -> bytes:
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
