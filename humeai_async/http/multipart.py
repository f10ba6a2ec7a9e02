"""What users give as files, checked and made into parts of a multipart body.

Paths, bytes, open files and async iterators all become a `Part` that can be read piece by
piece without blocking the event loop, and again for a repeat where that is possible. It
sends nothing; resources call it.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import io
import mimetypes
import os
import re
import stat
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable
from contextlib import aclosing
from operator import methodcaller
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias, TypeGuard, cast

from attrs import evolve

from humeai_async._base.base_values import as_base
from humeai_async._base.cancellation import close_stream, in_thread
from humeai_async.errors import InvalidArgumentError
from humeai_async.http.messages import Content, Part, Upload

File: TypeAlias = Upload | Content | str
"""A file to upload: an `Upload` with name and type, or just its content."""

Refusal: TypeAlias = Callable[[str], InvalidArgumentError]
"""Makes the error for the argument that a file was given in."""

MEGABYTE = 1_000_000
LARGEST_FILE = 100 * MEGABYTE
"""Bytes of one uploaded file at most, as Hume documents it."""
_CHUNK = 1 << 18
"""Bytes read from a file at once."""


async def as_part(
    file: File,
    *,
    name: str = "file",
    argument: str = "files",
    largest: int = LARGEST_FILE,
    too_large: str | None = None,
    md5: bytes | None = None,
) -> Part:
    """Make a part of a file.

    Args:
        file: What to upload.
        name: Name of the part.
        argument: Argument that the file was given in, for errors.
        largest: Bytes at most.
        too_large: The service's code for a larger one.
        md5: MD5 that a file of a path must have, so that it is not sent whole with another.

    Raises:
        InvalidArgumentError: It is not there, not readable, empty of a path, or too large.
    """
    refuse: Refusal = functools.partial(InvalidArgumentError, field=argument)
    upload = (
        file if isinstance(file, Upload) else Upload(Path(file) if isinstance(file, str) else file)
    )
    _check_names(upload, refuse)
    content = upload.content
    if isinstance(content, (bytes, bytearray, memoryview)):
        whole = bytes(content)
        part = _part(upload, whole, name, size=len(whole))
    elif _is_path(content):
        part = await _path_part(upload, Path(content), name, refuse, md5)
    elif _is_stream(content):
        once = content
        part = _part(upload, lambda: once, name, repeatable=False)
    elif callable(content):
        part = _part(upload, content, name)
    elif hasattr(content, "read"):
        part = await _file_part(upload, cast("BinaryIO", content), name, refuse)
    else:
        raise refuse(
            f"a file is bytes, a path, an open file or an async iterator, not "
            f"{type(content).__name__}"
        )
    if part.size is not None and part.size > largest:
        raise InvalidArgumentError(
            f"{part.filename} has {part.size / MEGABYTE:.0f} MB; "
            f"{largest // MEGABYTE} MB are the most for one uploaded file",
            field=argument,
            code=too_large,
        )
    if isinstance(part.content, bytes):
        return part
    watched = functools.partial(_measured, part, part.content, largest, refuse)
    return evolve(part, content=watched)


async def read_whole(part: Part) -> bytes:
    """Return the content of a part whose size is bounded.

    Raises:
        InvalidArgumentError: It gave out while it was read, or is too large.
    """
    if isinstance(part.content, bytes):
        return part.content
    async with aclosing(pieces_of(part)) as content:
        pieces = [piece async for piece in content]
    return await in_thread(join_pieces, pieces) if len(pieces) > 1 else join_pieces(pieces)


async def pieces_of(part: Part) -> AsyncGenerator[bytes]:
    """Give the content of a part piece by piece.

    To be read within `aclosing`: who stops halfway, or is cancelled, closes the file by that.

    Raises:
        InvalidArgumentError: It gave out while it was read, or is too large.
    """
    if isinstance(part.content, bytes):
        yield part.content
        return
    pieces = part.content()
    try:
        async for piece in pieces:
            yield piece
    finally:
        await close_stream(pieces)


async def read_first(part: Part, size: int) -> bytes:
    """Return so many bytes from the start of a part, or all where it has no more.

    Raises:
        InvalidArgumentError: It gave out while it was read.
    """
    found = b""
    async with aclosing(pieces_of(part)) as pieces:
        async for piece in pieces:
            found += piece[:size]
            if len(found) >= size:
                break
    return found[:size]


def join_pieces(pieces: list[bytes]) -> bytes:
    """Join pieces and let go of them; both take longer than the event loop should be held."""
    joined = b"".join(pieces)
    pieces.clear()
    return joined


async def _measured(
    part: Part,
    content: Callable[[], AsyncIterable[bytes]],
    largest: int,
    refuse: Refusal,
) -> AsyncIterator[bytes]:
    """Pass content on as long as it is what it was said to be.

    The length of a file goes out ahead of it, so one that changed meanwhile would leave the
    server waiting for the rest, or with a broken body.
    """
    pieces, sent = content(), 0
    if not _is_stream(cast("object", pieces)):
        kind = type(pieces).__name__
        raise refuse(f"{part.filename} comes from what gives no async iterator but a {kind}")
    try:
        async for piece in pieces:
            if not isinstance(cast("object", piece), (bytes, bytearray, memoryview)):
                raise refuse(f"{part.filename} gives {type(piece).__name__}, not bytes")
            sent += len(piece)
            if sent > largest:
                raise refuse(
                    f"{part.filename} has more than {largest // MEGABYTE} MB, "
                    "the most for one uploaded file"
                )
            if part.size is not None and sent > part.size:
                break
            yield piece
    finally:
        await close_stream(pieces)
    if part.size is not None and sent != part.size:
        raise refuse(f"{part.filename} changed while it was sent")


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
    filename = _printable(as_base(upload.filename) or default_name)
    guessed = as_base(upload.content_type) or mimetypes.guess_type(filename)[0]
    return Part(name, content, filename, guessed or "application/octet-stream", size, repeatable)


_TOKEN = r"[\w!#$%&'*+.^`|~-]+"  # noqa: S105 - a word of the standard for media types
_MEDIA_TYPE = re.compile(rf'{_TOKEN}/{_TOKEN}(\s*;\s*{_TOKEN}=({_TOKEN}|"[ -!#-~]*"))*', re.ASCII)


def _check_names(upload: Upload, refuse: Refusal) -> None:
    """Refuse a name or a type that could not stand in a header."""
    filename, content_type = cast("tuple[object, object]", (upload.filename, upload.content_type))
    if not (filename is None or isinstance(filename, str)):
        raise refuse(f"the filename of an Upload is a text, not {type(filename).__name__}")
    if content_type and not (isinstance(content_type, str) and _MEDIA_TYPE.fullmatch(content_type)):
        raise refuse(
            "the content_type of an Upload is a type such as 'audio/wav', or left out: "
            f"{content_type!a:.100} is not one"
        )


def _printable(filename: str) -> str:
    """Replace what must not stand in a header: line ends, and bytes that were no text."""
    return "".join(one if one.isprintable() else "_" for one in filename)


_ADDRESS = re.compile(r"(?:https?|wss?|ftp|file|s3|gs):/", re.IGNORECASE)
"""How a URL begins, also after `Path` has taken one of its slashes."""


async def _path_part(
    upload: Upload, path: Path, name: str, refuse: Refusal, md5: bytes | None
) -> Part:
    if _ADDRESS.match(str(path)):  # not repeated: it may hold a password or a signature
        raise refuse(
            "a URL is not a file: pass it as urls= where there is such an argument; elsewhere "
            "fetch the media yourself, and give a path or bytes"
        )
    size, reason = await in_thread(_look_at, path)
    if reason:
        raise refuse(f"cannot upload {path}: {reason}")

    async def read() -> AsyncIterator[bytes]:
        digest = hashlib.md5(usedforsecurity=False)

        def read_piece(opened: io.BufferedReader) -> bytes:
            piece = opened.read(_CHUNK)
            if md5 is not None:
                digest.update(piece)
            return piece

        try:
            opened = await in_thread(lambda: path.open("rb"), discard=methodcaller("close"))
            try:
                while piece := await in_thread(read_piece, opened):
                    yield piece
            finally:
                opened.close()
        except OSError as problem:
            failure = refuse(f"cannot upload {path}: {_reason(problem)}")
        else:
            if md5 is None or digest.digest() == md5:
                return
            # The end of the body has not gone out, so nothing is carried out.
            failure = refuse(f"{path} was changed during the run: start it again")
        raise failure

    return _part(upload, read, name, default_name=path.name, size=size)


def _look_at(path: Path) -> tuple[int, str]:
    """Return the size of a file, and what keeps it from being read, if anything."""
    try:
        # A named pipe would keep `open` waiting, so look first.
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            return 0, "it is not a file"
        with path.open("rb"):
            return found.st_size, ""
    except (OSError, ValueError) as problem:  # ValueError: a null character
        return 0, _reason(problem)


def _reason(problem: Exception) -> str:
    said = problem.strerror if isinstance(problem, OSError) else str(problem)
    return said or type(problem).__name__


async def _file_part(upload: Upload, opened: BinaryIO, name: str, refuse: Refusal) -> Part:
    """Read an open file from where it stands, now and at each repeat."""
    if inspect.iscoroutinefunction(cast("object", opened.read)):
        kind = type(opened).__name__
        raise refuse(
            f"{kind}.read() is asynchronous, which an open file's is not: give its `file`, or "
            "the bytes that `await read()` returns"
        )
    if isinstance(opened, io.TextIOBase):
        raise refuse('the file is open as text; open it with open(path, "rb")')
    if getattr(opened, "closed", False):
        raise refuse("the file is closed already")
    start, size = await in_thread(_measure, opened)

    async def read() -> AsyncIterator[bytes]:
        if start is not None:
            await in_thread(opened.seek, start)
        while piece := await in_thread(opened.read, _CHUNK):
            yield piece

    return _part(
        upload,
        read,
        name,
        default_name=_name_of(opened),
        size=size,
        repeatable=start is not None,
    )


def _name_of(opened: BinaryIO) -> str:
    """Return the name of an open file; a pipe or temporary file has a number for one."""
    name: object = getattr(opened, "name", None)
    return Path(name).name if isinstance(name, str) else "file"


def _measure(opened: Any) -> tuple[int | None, int | None]:
    """Return where an open file stands and how much is left, or nothing for a pipe."""
    try:
        start = opened.tell()
        end = opened.seek(0, os.SEEK_END)
        opened.seek(start)
    except (OSError, AttributeError, ValueError):
        return None, None
    return start, end - start
