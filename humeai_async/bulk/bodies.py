"""Bytes of results on their way to the reader: in memory while they are few, else on disk.

What many sources share can be larger than memory, so a large result goes to a temporary file
as it arrives, and is read from there, a part at a time. The file has no name: it is gone with the
process, whatever ends that. Kinds of work fill a `Body`, and `collecting.py` has it read.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Self

from humeai_async._base.atomic_files import saving
from humeai_async._base.cancellation import in_thread, run_uncancelled

IN_MEMORY = 8_000_000
"""Bytes up to which a result stays in memory."""
_PIECE = 1 << 20
_END = 64
"""Bytes at either end that are looked at."""


class Body:
    """The bytes of one result.

    Args:
        folder: That of the run's ledger, where a large one goes; without a ledger it is the
            system's folder for temporary files.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._opened: BinaryIO = io.BytesIO()
        self.size: int = 0
        self.is_on_disk: bool = False
        """Whether it is a file, which is read in parts, and in a thread."""

    @classmethod
    def of(cls, content: bytes) -> Self:
        """Make one of bytes that are in memory."""
        found = cls()
        found.hold(content)
        return found

    @classmethod
    def at(cls, path: Path) -> Self:
        """Open a file.

        Raises:
            OSError: It cannot be read.
        """
        found = cls(path.parent)
        found.size = path.stat().st_size
        if found.size <= IN_MEMORY:
            found.hold(path.read_bytes())
        else:
            found._opened, found.is_on_disk = path.open("rb"), True
        return found

    def hold(self, content: bytes) -> None:
        """Take bytes that are in memory, in place of what was there."""
        self._opened = io.BytesIO(content)  # which copies nothing
        self.size, self.is_on_disk = len(content), False

    async def restart(self) -> None:
        """Drop what has come so far."""
        await self.aclose()
        self.hold(b"")

    async def write(self, pieces: Sequence[bytes]) -> None:
        """Take the next pieces in.

        Raises:
            SaveError: The disk refuses them.
        """
        self.size += sum(map(len, pieces))
        if self.is_on_disk or self.size > IN_MEMORY:
            await in_thread(self._write_to_disk, pieces)
        else:
            self._opened.writelines(pieces)

    def _write_to_disk(self, pieces: Sequence[bytes]) -> None:
        with self._explained("be kept while they arrive"):
            if not self.is_on_disk:
                so_far, self._opened = self._opened, _temporary_file(self._folder)
                self.is_on_disk = True
                so_far.seek(0)
                self._opened.write(so_far.read())
            self._opened.writelines(pieces)

    @property
    def file(self) -> BinaryIO:
        """The bytes as a file; it belongs to the body."""
        return self._opened

    def whole(self) -> bytes:
        """Return all of it.

        Raises:
            SaveError: The disk does not give it.
        """
        opened = self._opened
        if isinstance(opened, io.BytesIO):
            return opened.getvalue()
        return b"".join(self.pieces())

    def pieces(self) -> Iterator[bytes]:
        """Give all of it, piece by piece.

        Raises:
            SaveError: The disk does not give it.
        """
        with self.reading():
            self._opened.seek(0)
            while piece := self._opened.read(_PIECE):
                yield piece

    def ends(self) -> tuple[bytes, bytes]:
        """Return the first and the last few bytes.

        Raises:
            SaveError: The disk does not give them.
        """
        with self.reading():
            self._opened.seek(0)
            first = self._opened.read(_END)
            self._opened.seek(max(self.size - _END, 0))
            return first, self._opened.read(_END)

    def reading(self) -> contextlib.AbstractContextManager[None]:
        """Turn what the disk says while results are read from it into a `SaveError`."""
        return self._explained("be read back from the disk")

    def _explained(self, what: str) -> contextlib.AbstractContextManager[None]:
        advice = "the next start with the same ledger fetches them"
        if self._folder is None:
            advice = "without a ledger the next start pays for their sources again"
        return saving(f"results cannot {what}; the service still has them, and {advice}")

    async def aclose(self) -> None:
        """Let go of it."""
        if self.is_on_disk:
            # In a thread, for the disk frees its blocks, which takes a while.
            await run_uncancelled(in_thread(_let_go, self._opened))
        else:
            self._opened.close()


def _let_go(opened: BinaryIO) -> None:
    # A full disk refuses what was still to be written once more, and then nobody needs that.
    with contextlib.suppress(OSError):
        opened.close()


def _temporary_file(folder: Path | None) -> BinaryIO:
    return tempfile.TemporaryFile(dir=folder)
