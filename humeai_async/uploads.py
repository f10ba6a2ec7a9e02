"""What users give as files, checked and made into parts of a multipart body.

Paths, bytes, open files and async iterators all become a `Part` that can be read piece by
piece without blocking the event loop, and again for a repeat where that is possible. It
sends nothing; resources call it.
"""

from __future__ import annotations

import mimetypes
import os
from collections.abc import AsyncIterable, AsyncIterator, Callable
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias, TypeGuard, cast

import anyio
import anyio.to_thread

from humeai_async.errors import InvalidArgumentError
from humeai_async.wire import Content, Part, Upload

File: TypeAlias = Upload | Content
"""A file to upload: an `Upload` with name and type, or just its content."""

MEGABYTE = 1_000_000
LARGEST_FILE = 100 * MEGABYTE
"""Bytes of one uploaded file at most, as Hume documents it."""
_CHUNK = 1 << 18
"""Bytes read from a file at once."""


async def as_part(
    file: File, *, name: str = "file", argument: str = "files", largest: int = LARGEST_FILE
) -> Part:
    """Make a part of a file.

    Args:
        file: What to upload.
        name: Name of the part.
        argument: Argument that the file was given in, for errors.
        largest: Bytes at most.

    Raises:
        InvalidArgumentError: It is not there, not readable, empty of a path, or too large.
    """
    upload = file if isinstance(file, Upload) else Upload(file)
    content = upload.content
    if isinstance(content, (bytes, bytearray, memoryview)):
        part = _part(upload, bytes(content), name, size=len(content))
    elif _is_path(content):
        part = await _path_part(upload, Path(content), name, argument)
    elif _is_stream(content):
        once = content
        part = _part(upload, lambda: once, name, repeatable=False)
    elif callable(content):
        part = _part(upload, content, name)
    elif hasattr(content, "read"):
        part = await _file_part(upload, cast("BinaryIO", content), name)
    else:
        raise InvalidArgumentError(
            f"a file is bytes, a path, an open file or an async iterator, not "
            f"{type(content).__name__}; for a name on disk pass pathlib.Path(...)",
            field=argument,
        )
    if part.size is not None and part.size > largest:
        raise InvalidArgumentError(
            f"{part.filename} has {part.size / MEGABYTE:.0f} MB; "
            f"{largest // MEGABYTE} MB are the most for one uploaded file",
            field=argument,
        )
    return part


def _is_path(content: object) -> TypeGuard[os.PathLike[str]]:
    return isinstance(content, os.PathLike)


def _is_stream(content: object) -> TypeGuard[AsyncIterable[bytes]]:
    return isinstance(content, AsyncIterable)


def _part(
    upload: Upload,
    content: bytes | Callable[[], AsyncIterable[bytes]],
    name: str,
    *,
    default_name: str = "file",
    size: int | None = None,
    repeatable: bool = True,
) -> Part:
    filename = upload.filename or default_name
    guessed = upload.content_type or mimetypes.guess_type(filename)[0]
    return Part(name, content, filename, guessed or "application/octet-stream", size, repeatable)


async def _path_part(upload: Upload, path: Path, name: str, argument: str) -> Part:
    place = anyio.Path(path)
    try:
        size = (await place.stat()).st_size
        is_file = await place.is_file()
        reason = "" if is_file else "it is not a file"
    except OSError as problem:
        size, reason = 0, problem.strerror or type(problem).__name__
    if reason:
        raise InvalidArgumentError(f"cannot upload {place}: {reason}", field=argument)

    async def read() -> AsyncIterator[bytes]:
        async with await place.open("rb") as opened:
            while chunk := await opened.read(_CHUNK):
                yield chunk

    return _part(upload, read, name, default_name=place.name, size=size)


async def _file_part(upload: Upload, opened: BinaryIO, name: str) -> Part:
    """Read an open file from where it stands, now and at each repeat."""
    default_name = os.path.basename(str(getattr(opened, "name", "file")))  # noqa: PTH119 - a name, no path
    start, size = await anyio.to_thread.run_sync(_measure, opened)

    async def read() -> AsyncIterator[bytes]:
        if start is not None:
            await anyio.to_thread.run_sync(opened.seek, start)
        while chunk := await anyio.to_thread.run_sync(opened.read, _CHUNK):
            yield chunk

    repeatable = start is not None
    return _part(upload, read, name, default_name=default_name, size=size, repeatable=repeatable)


def _measure(opened: Any) -> tuple[int | None, int | None]:
    """Return where an open file stands and how much is left, or nothing for a pipe."""
    try:
        start = opened.tell()
        end = opened.seek(0, os.SEEK_END)
        opened.seek(start)
    except (OSError, AttributeError, ValueError):
        return None, None
    return start, end - start
