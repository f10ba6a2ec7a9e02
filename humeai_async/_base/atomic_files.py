"""What makes files safe: bytes that are on the disk, and names that appear whole.

A few calls of the operating system, under names that say what they are for. Nothing here is
asynchronous: the callers are in worker threads, or do not mind. Sinks, downloads and the
unpacking of archives call it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import IO, Any, BinaryIO

from humeai_async.errors import SaveError

_MOST_KEPT = 40
"""Characters of a name that are kept in that of its partial file."""


@contextlib.contextmanager
def saving(what: str) -> Generator[None]:
    """Turn what the operating system refuses in a block into a `SaveError`.

    Args:
        what: What cannot be done then; the system's reason follows it.
    """
    try:
        yield
    except OSError as problem:
        reason = problem.strerror or type(problem).__name__
    else:
        return
    raise SaveError(f"{what}: {reason}")


def flush(opened: IO[Any]) -> None:
    """Write everything that was written to a file through to the disk.

    Raises:
        OSError: The disk refuses it.
    """
    opened.flush()
    os.fsync(opened.fileno())


def sync_folder(folder: Path) -> None:
    """Write the names in a folder through to the disk, where the system has such a call.

    Raises:
        OSError: The disk refuses it.
    """
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def resolve_target(target: Path) -> Path:
    """Follow links to the place that is to be written.

    Raises:
        OSError: There is a device, a pipe or a socket, which a file would replace, or it is a
            stream of this process, or the links lead nowhere.
    """
    if _is_own_stream(target):
        raise OSError(errno.EINVAL, "it is a stream of this process; give the path of a file")
    try:
        target = target.resolve()
    except RuntimeError:  # how Python before 3.13 says it
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from None
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        kind = stat.S_IFMT(target.stat().st_mode)
        if kind not in {stat.S_IFREG, stat.S_IFDIR}:
            name = _SPECIAL.get(kind, "no file")
            raise OSError(errno.EINVAL, f"it is {name}, and a file would replace it")
    return target


def _is_own_stream(target: Path) -> bool:
    """Whether a path such as `/dev/stdout` names what this process has open.

    Where that is a file, it would be replaced under whoever writes to it.
    """
    for _ in range(_MOST_LINKS):
        folder = target.parent.resolve()
        if folder.parts[:2] == ("/", "proc") and folder.name == "fd":
            return True
        place = folder / target.name
        if not place.is_symlink():
            return False
        target = folder / place.readlink()
    return False


_MOST_LINKS = 40
_SPECIAL = {
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}


def partial_name(target: Path) -> Path:
    """Return a hidden name that nobody else uses, beside a target or what it links to.

    Raises:
        OSError: The target is no name, such as `.` or a text with a null in it, or it cannot be
            replaced by a file.
    """
    with contextlib.suppress(UnicodeEncodeError):  # half a character
        if target.name and b"\0" not in os.fsencode(target):
            target = resolve_target(target)
            # Cut, so that the longest name that the system allows does not get too long by this.
            name = f".{target.name[:_MOST_KEPT]}.{os.urandom(4).hex()}.part"
            return target.with_name(name)
    raise OSError(errno.EINVAL, "that is not the name of a file")


def create_partial(partial: Path, target: Path) -> BinaryIO:
    """Open a new partial file that no more users may read than what it will replace.

    Raises:
        OSError: The disk refuses it.
    """
    opened = partial.open("xb")
    try:
        keep_attributes(partial, target)
    except BaseException:
        opened.close()
        raise
    return opened


def keep_attributes(partial: Path, target: Path) -> None:
    """Give a partial file or folder the mode and, where allowed, the owner of its target.

    Raises:
        OSError: The disk refuses it.
    """
    try:
        old = target.stat()
    except (FileNotFoundError, NotADirectoryError):
        return
    new = partial.stat()
    if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid) and os.name == "posix":
        with contextlib.suppress(PermissionError):
            os.chown(partial, old.st_uid, old.st_gid)
    partial.chmod(stat.S_IMODE(old.st_mode))


def put_in_place(partial: Path, target: Path) -> None:
    """Give a complete file its final name, in place of what may stand there.

    A link stays one: what it links to is replaced. Mode and owner of a file stay.

    Raises:
        OSError: The disk refuses it, or there is a device, a pipe or a socket.
    """
    target = resolve_target(target)
    keep_attributes(partial, target)
    partial.replace(target)
    sync_folder(target.parent)


def write_whole(target: Path, pieces: Iterable[bytes]) -> None:
    """Put a file in place with all of its bytes, or not at all.

    Args:
        target: Its name.
        pieces: The bytes, piece by piece.

    Raises:
        OSError: The disk refuses it.
    """
    partial = partial_name(target)
    try:
        with create_partial(partial, target) as opened:
            opened.writelines(pieces)
            flush(opened)
        put_in_place(partial, target)
    finally:
        partial.unlink(missing_ok=True)
