"""ZIP archives from elsewhere: looked through, and unpacked without trust.

An archive may name files outside its folder, hold links, or unpack to a thousand times its
size; nothing of that reaches the disk. It knows only files. `Job` checks its downloads with
it, users unpack with it.
"""

from __future__ import annotations

import lzma
import os
import re
import shutil
import stat
import struct
import zipfile
import zlib
from pathlib import Path

import anyio.from_thread

from humeai_async._base import atomic_files
from humeai_async._base.cancellation import in_thread
from humeai_async.errors import SaveError

MAX_FILES = 100_000
"""Entries of an archive that are unpacked at most, unless told otherwise."""
MAX_BYTES = 16 << 30
"""Bytes that an archive may unpack to, unless told otherwise."""
MAX_RATIO = 200
"""Times its own size that an archive may unpack to, unless told otherwise."""

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
        with zipfile.ZipFile(path) as archive:
            _check_size(archive, path, max_bytes=None, max_ratio=_DENSEST)
            broken = archive.testzip()
    except zipfile.BadZipFile:
        return "what came is not a ZIP archive"
    except _RefusedError as problem:
        return str(problem)
    except (*_DAMAGE, OSError) as problem:
        return f"the archive cannot be read: {problem}"
    return f"{broken} in the archive is damaged" if broken else ""


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
        SaveError: It is not a ZIP archive or is damaged; an entry has an absolute path, leads
            out of the folder, is a link or stands there twice; it exceeds a limit; the
            folder has something in it or cannot be written. Nothing is left behind.
    """
    target = Path(folder)

    def work() -> list[Path]:
        return _unpack(Path(archive), target, max_files, max_bytes, max_ratio)

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
    partial = atomic_files.partial_name(target)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > max_files:
                raise _RefusedError(f"it has {len(entries)} entries, more than {max_files}")
            _check_size(archive, path, max_bytes=max_bytes, max_ratio=max_ratio)
            names = [_safe_name(entry) for entry in entries]
            if target.is_dir() and any(target.iterdir()):
                raise _RefusedError(f"{target} is not empty")
            partial.mkdir(parents=True)
            for entry, name in zip(entries, names, strict=True):
                _extract(archive, entry, partial / name)
        if target.is_dir():
            target.rmdir()
        atomic_files.put_in_place(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    files = zip(entries, names, strict=True)
    return [target / name for entry, name in files if not entry.is_dir()]


def _check_size(
    archive: zipfile.ZipFile, path: Path, *, max_bytes: int | None, max_ratio: float
) -> None:
    """Refuse bombs by what they say of themselves; no entry unpacks to more than it says."""
    total = sum(entry.file_size for entry in archive.infolist())
    if max_bytes is not None and total > max_bytes:
        raise _RefusedError(f"it would unpack to {total} bytes, more than {max_bytes}")
    if total > max(_SMALL, path.stat().st_size * max_ratio):
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
        raise _RefusedError(f"{entry.orig_filename!r} has characters that no name should have")
    if name.startswith("/") or _DRIVE.match(name) or "\\" in name:
        raise _RefusedError(f"{name!r} is not a path inside the archive")
    parts = name.removesuffix("/").split("/")
    if any(part in {"", ".", ".."} for part in parts):
        raise _RefusedError(f"{name!r} leads out of its folder, or nowhere")
    if _ON_WINDOWS and any(_WINDOWS_ONLY.fullmatch(part) for part in parts):
        raise _RefusedError(f"{name!r} is not the name of a file on Windows")
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
