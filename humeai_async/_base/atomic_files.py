"""What makes files safe: bytes that are on the disk, and names that appear whole.

A few calls of the operating system, under names that say what they are for. Nothing here is
asynchronous: the callers are in worker threads, or do not mind. Sinks, downloads and the
unpacking of archives call it.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import IO, Any

_MOST_KEPT = 40
"""Characters of a name that are kept in that of its partial file."""


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


def partial_name(target: Path) -> Path:
    """Return a hidden name beside a target that nobody else uses.

    Raises:
        ValueError: The target is no name, such as `.` or a text with a null in it.
    """
    if b"\0" in os.fsencode(target):  # which refuses what is half a character
        raise ValueError("there is a null in it")
    # Cut, so that the longest name that the system allows does not get too long by this.
    return target.with_name(f".{target.name[:_MOST_KEPT]}.{secrets.token_hex(4)}.part")


def put_in_place(partial: Path, target: Path) -> None:
    """Give a complete file its final name, in place of what may stand there.

    Raises:
        OSError: The disk refuses it.
    """
    partial.replace(target)
    sync_folder(target.parent)
