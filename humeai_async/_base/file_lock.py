"""A file that one holder at a time has locked, until it closes it or its process ends.

The lock hangs on the open file itself: whatever else the process does with a file of that name,
such as a copy of its folder, does not let go of it. It knows nothing of what is kept apart.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from humeai_async._base.event_loops import watch

__all__ = ["FileLock"]

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            raise BlockingIOError from None

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        # Not `lockf`: such a lock is lost when the process closes any file of that name.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class FileLock:
    """A lock that is held.

    Args:
        file: The file; made if it is not there.

    Raises:
        BlockingIOError: Somebody else holds it.
        OSError: The file cannot be opened, or not locked.
    """

    def __init__(self, file: Path) -> None:
        self.path = file
        self._file = file.open("ab")
        try:
            _lock(self._file.fileno())
        except BaseException:
            self._file.close()
            raise
        watch(self, FileLock.close)  # a forked child would hold it longer than its parent

    def is_in_place(self) -> bool:
        """Whether whoever comes meets it: its file was neither moved nor removed."""
        try:
            return os.path.samestat(self.path.stat(), os.fstat(self._file.fileno()))
        except (OSError, ValueError):  # it is gone, or closed here
            return False

    def close(self) -> None:
        """Let go of it; a second call does nothing."""
        self._file.close()
