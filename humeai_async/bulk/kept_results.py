"""Results that were paid for and are kept as bytes, beside the ledger.

What cannot be read today may be read by a later version, and what came with the response to a
submission exists nowhere else. It blocks; the pipeline calls it in threads.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from pathlib import Path
from typing import Self

from humeai_async._base.atomic_files import saving, write_whole
from humeai_async.bulk.bodies import Body
from humeai_async.bulk.ledger_records import Plan


class KeptResults:
    """A folder with one file for each piece of work whose results are kept.

    Args:
        ledger: The ledger's file; the folder is named after it.
    """

    def __init__(self, ledger: Path) -> None:
        self.folder: Path = ledger.with_name(ledger.name + ".kept")
        self._names: set[str] = set()
        """Names of the files that are there."""

    def open(self) -> Self:
        """Find out what earlier starts have kept.

        Raises:
            SaveError: The folder cannot be read.
        """
        with saving(f"cannot read {self.folder}"), contextlib.suppress(FileNotFoundError):
            self._names = {path.name for path in self.folder.iterdir()}
        return self

    def has(self, plan: Plan, work_id: str) -> bool:
        """Whether anything is kept for a piece of work. Does not look at the disk."""
        return self._path_of(plan, work_id).name in self._names

    def _path_of(self, plan: Plan, work_id: str) -> Path:
        """Return the file for a piece of work under the service's name."""
        # The name alone may be that of another run's, whose ledger was moved away.
        parts = (work_id.encode(errors="surrogatepass"), b"%d" % plan.planned_ms, *plan.keys)
        digest = hashlib.blake2b(b"\0".join(parts), digest_size=16)
        return self.folder / f"{digest.hexdigest()}.json"

    def keep(self, plan: Plan, work_id: str, body: Body) -> None:
        """Put results onto the disk for good.

        Raises:
            SaveError: The disk refuses it.
        """
        target = self._path_of(plan, work_id)
        with saving(f"results cannot be kept in {target}"):
            self.folder.mkdir(exist_ok=True)
            write_whole(target, body.pieces())
        self._names.add(target.name)

    def read(self, plan: Plan, work_id: str) -> Body | None:
        """Return what is kept for a piece of work; `None` where nothing is."""
        try:
            return Body.at(self._path_of(plan, work_id))
        except OSError:
            return None

    def forget(self, plan: Plan, work_id: str) -> None:
        """Remove what is kept for a piece of work."""
        target = self._path_of(plan, work_id)
        self._names.discard(target.name)
        with contextlib.suppress(OSError):
            target.unlink()
            if not any(self.folder.iterdir()):
                shutil.rmtree(self.folder)
