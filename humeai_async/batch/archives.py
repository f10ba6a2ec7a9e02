"""ZIP archives from elsewhere: looked through, and unpacked without trust.

An archive may name files outside its folder, hold links, or unpack to a thousand times its
size; nothing of that reaches the disk. It knows only files. `Job` checks its downloads with
it, users unpack with it.
"""

from __future__ import annotations

import io
import lzma
import os
import re
import shutil
import stat
import struct
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

import anyio.from_thread

from humeai_async._base import atomic_files
from humeai_async._base.cancellation import in_thread
from humeai_async.errors import SaveError
from humeai_async.http.arguments import check_path

MAX_FILES = 100_000
"""Entries of an archive that are unpacked at most, unless given otherwise."""
MAX_BYTES = 16 << 30
"""Bytes that an archive may unpack to, unless given otherwise."""
MAX_RATIO = 200
"""Times its own size that an archive may unpack to, unless given otherwise."""

_DENSEST = 1100
"""Deflate packs to a 1032nd at most; an archive beyond that holds its entries many times."""
_SMALL = 1 << 20
"""Bytes that an archive may unpack to whatever the ratio."""
_PIECE = 1 << 20
_ENCRYPTED = 1
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DRIVE = re.compile(r"[A-Za-z]:")
_ON_WINDOWS = os.name == "nt"
_WINDOWS_ONLY = re.compile(
    r'.*[<>:"|?*].*|.*[. ]|(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])( *\..*)?', re.IGNORECASE
)
"""Names that mean something else than a file there: streams, devices, names without their end."""
_DAMAGE = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    NotImplementedError,  # a method of compression that zipfile does not know
    RuntimeError,  # encrypted
    ValueError,
    IndexError,
    KeyError,
)
"""What zipfile raises for archives that are not what they should be."""


class _RefusedError(Exception):
    """The archive, or an entry of it, is not taken; the message says why."""


def check(path: Path) -> str:
    """Say what keeps a file from being a ZIP archive whose entries are all readable."""
    try:
        with path.open("rb") as opened:
            return _check(opened)
    except OSError as problem:
        return f"the archive cannot be read: {problem.strerror}"


def check_bytes(body: bytes) -> str:
    """Say what keeps a body from being a ZIP archive whose entries are all readable."""
    return _check(io.BytesIO(body))


def _check(opened: BinaryIO) -> str:
    try:
        _check_directory(opened)
        with zipfile.ZipFile(opened) as archive:
            _check_size(archive, _size_of(opened), max_bytes=None, max_ratio=_DENSEST)
            broken = archive.testzip()
    except zipfile.BadZipFile:
        return "what came is not a ZIP archive"
    except _RefusedError as problem:
        return str(problem)
    except (*_DAMAGE, OSError) as problem:
        return f"the archive cannot be read: {problem}"
    return f"{broken} in the archive is damaged" if broken else ""


_END, _END64, _LOCATOR64 = b"PK\5\6", b"PK\6\6", b"PK\6\7"
"""How the records at an archive's end begin (PKWARE's APPNOTE, 4.3.14 to 4.3.16)."""
_END_SIZE, _LOCATOR_SIZE, _LONGEST_COMMENT = 22, 20, 0xFFFF


def _check_directory(opened: BinaryIO) -> None:
    """Refuse an archive whose directory does not end where its end record begins.

    `zipfile` allows bytes before an archive. But a server that reads archives as text replaces
    bytes by longer ones; those that a small archive is found by may survive that.

    Raises:
        _RefusedError: The archive is not as long as it says.
        BadZipFile: It is none.
    """
    size = _size_of(opened)
    start = opened.seek(max(0, size - _END_SIZE - _LONGEST_COMMENT - _LOCATOR_SIZE))
    tail = opened.read()
    end = tail.rfind(_END)
    if end < 0 or len(tail) - end < _END_SIZE:
        raise zipfile.BadZipFile
    length, offset = struct.unpack_from("<LL", tail, end + 12)
    if tail[max(0, end - _LOCATOR_SIZE) :].startswith(_LOCATOR64):
        (start64,) = struct.unpack_from("<Q", tail, end - _LOCATOR_SIZE + 8)
        opened.seek(min(start64, size))
        record = opened.read(56)
        if not record.startswith(_END64):
            raise _RefusedError(_RUINED)
        length, offset = struct.unpack_from("<QQ", record, 40)
        is_whole = offset + length == start64
    else:
        is_whole = offset + length == start + end
    if not is_whole:
        raise _RefusedError(_RUINED)


_RUINED = "bytes of the archive were changed or lost on the way: its directory is not at its place"


def _size_of(opened: BinaryIO) -> int:
    return opened.seek(0, os.SEEK_END)


async def unpack(
    archive: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    max_files: int = MAX_FILES,
    max_bytes: int = MAX_BYTES,
    max_ratio: float = MAX_RATIO,
) -> list[Path]:
    """Unpack a ZIP archive into a new folder.

    The folder appears under its name only when all is unpacked. The work is done in a worker
    thread, and stops there when the call is cancelled.

    Args:
        archive: The file.
        folder: Folder to make; it must not exist, or be empty.
        max_files: Entries that the archive may have, folders among them.
        max_bytes: Bytes that it may unpack to.
        max_ratio: Times its own size that it may unpack to, beyond the first megabyte.

    Returns:
        The files, in the archive's order.

    Raises:
        InvalidArgumentError: One of the two is no path.
        SaveError: It is not a ZIP archive or is damaged; an entry has an absolute path, leads
            out of the folder, is a link or stands there twice; it exceeds a limit; the
            folder has something in it or cannot be written. Nothing is left behind.
    """
    source, target = check_path("archive", archive), check_path("folder", folder)

    def work() -> list[Path]:
        return _unpack(source, target, max_files, max_bytes, max_ratio)

    reason = ""
    try:
        return await in_thread(work)
    except _RefusedError as problem:
        reason = str(problem)
    except OSError as problem:
        reason = problem.strerror or str(problem)
    except _DAMAGE as problem:
        reason = f"the archive cannot be read: {problem}"
    raise SaveError(f"{archive} was not unpacked: {reason}")


def _unpack(
    path: Path, target: Path, max_files: int, max_bytes: int, max_ratio: float
) -> list[Path]:
    named, target = target, atomic_files.resolve_target(target)
    partial = atomic_files.partial_name(target)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > max_files:
                raise _RefusedError(f"it has {len(entries)} entries, more than {max_files}")
            _check_size(archive, path.stat().st_size, max_bytes=max_bytes, max_ratio=max_ratio)
            names = [_safe_name(entry) for entry in entries]
            if target.is_dir() and any(target.iterdir()):
                raise _RefusedError(f"{target} is not empty")
            partial.mkdir(parents=True)
            for entry, name in zip(entries, names, strict=True):
                _extract(archive, entry, partial / name)
        atomic_files.keep_attributes(partial, target)
        if target.is_dir():
            target.rmdir()
        atomic_files.put_in_place(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    files = zip(entries, names, strict=True)
    return [named / name for entry, name in files if not entry.is_dir()]


def _check_size(
    archive: zipfile.ZipFile, size: int, *, max_bytes: int | None, max_ratio: float
) -> None:
    """Refuse bombs by what they say of themselves; no entry unpacks to more than it says."""
    total = sum(entry.file_size for entry in archive.infolist())
    if max_bytes is not None and total > max_bytes:
        raise _RefusedError(f"it would unpack to {total} bytes, more than {max_bytes}")
    if total > max(_SMALL, size * max_ratio):
        raise _RefusedError(
            f"it would unpack to {total} bytes, more than {max_ratio:g} times its own size"
        )


def _safe_name(entry: zipfile.ZipInfo) -> str:
    """Return the path of an entry inside the folder.

    Raises:
        _RefusedError: It leads elsewhere, or the entry is no plain file or folder.
    """
    name = entry.filename
    if entry.orig_filename != name or _CONTROL.search(name):
        raise _RefusedError(f"{entry.orig_filename!r} has characters that file names must not have")
    if name.startswith("/") or _DRIVE.match(name) or "\\" in name:
        raise _RefusedError(f"{name!r} is not a path inside the archive")
    parts = name.removesuffix("/").split("/")
    if any(part in {"", ".", ".."} for part in parts):
        raise _RefusedError(f"{name!r} leads out of the target folder, or nowhere")
    if _ON_WINDOWS and any(_WINDOWS_ONLY.fullmatch(part) for part in parts):
        raise _RefusedError(f"{name!r} is not a valid file name on Windows")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in {0, stat.S_IFDIR if entry.is_dir() else stat.S_IFREG}:
        raise _RefusedError(f"{name!r} is a link or a special file")
    if entry.flag_bits & _ENCRYPTED:
        raise _RefusedError(f"{name!r} is encrypted")
    return name


def _extract(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path) -> None:
    anyio.from_thread.check_cancelled()
    if entry.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    # A name that stands there twice fails here: `x` makes new files only.
    with archive.open(entry) as packed, path.open("xb") as opened:
        while piece := packed.read(_PIECE):
            opened.write(piece)
            anyio.from_thread.check_cancelled()
        atomic_files.flush(opened)
