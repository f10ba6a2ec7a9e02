"""Bodies to disk: streamed, checked, and under their final name only when complete.

A download goes to a temporary file beside its target, is flushed, checked and renamed; when
anything goes wrong, cancellation included, the temporary file goes away. It knows no job and
no network, only pieces of bytes. `Job` calls it.
"""

from __future__ import annotations

import os
import secrets
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import BinaryIO

import anyio
import anyio.to_thread

from humeai_async.errors import SaveError

_PIECE = 1 << 20
"""Bytes of a body in memory that are written at once."""


async def save(
    chunks: AsyncIterator[bytes], path: str | os.PathLike[str], check: Callable[[Path], str]
) -> None:
    """Write pieces to a file.

    Args:
        chunks: The body.
        path: Final name; a file that is there is replaced.
        check: Looks at the complete file and says what is wrong with it, or nothing.

    Raises:
        SaveError: The file cannot be written, or the check found something.
    """
    target = Path(path)
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    reason = ""
    try:
        try:
            opened = await anyio.to_thread.run_sync(lambda: partial.open("xb"))
            await _write(opened, chunks)
            reason = await anyio.to_thread.run_sync(check, partial)
            if not reason:
                await anyio.to_thread.run_sync(os.replace, partial, target)
        except OSError as problem:
            reason = problem.strerror or type(problem).__name__
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(lambda: partial.unlink(missing_ok=True))
    if reason:
        raise SaveError(f"{target} was not saved: {reason}")


async def _write(opened: BinaryIO, chunks: AsyncIterator[bytes]) -> None:
    try:
        async for chunk in chunks:
            await anyio.to_thread.run_sync(opened.write, chunk)
        await anyio.to_thread.run_sync(_flush, opened)
    finally:
        opened.close()


def _flush(opened: BinaryIO) -> None:
    opened.flush()
    os.fsync(opened.fileno())


async def pieces(body: bytes) -> AsyncIterator[bytes]:
    """Cut a body in memory into pieces."""
    for start in range(0, len(body), _PIECE):
        yield body[start : start + _PIECE]


def check_json(path: Path) -> str:
    """Say what keeps a file from being a whole JSON array."""
    with path.open("rb") as opened:
        first = opened.read(64).lstrip()[:1]
        opened.seek(max(0, path.stat().st_size - 64))
        last = opened.read().rstrip()[-1:]
    return "" if (first, last) == (b"[", b"]") else "what came is not a whole JSON array"


def check_zip(path: Path) -> str:
    """Say what keeps a file from being a ZIP archive whose members are all readable."""
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
    except zipfile.BadZipFile:
        return "what came is not a ZIP archive"
    return f"{broken} in the archive is damaged" if broken else ""
