"""What a bulk run remembers on disk, so that the same run goes on after a crash.

A ledger is one SQLite file: the plan of every piece of work, written before it is sent, and the
state of every source (`states.py` has them all). What a source is (a URL may be signed) is not
written down, only a digest of it. All access is in one worker thread, never on the event loop.
A file beside it is locked as long as a run uses the ledger, so that two runs cannot, by
whatever name they open it. It knows no requests; `storage.py` has its tables.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, ParamSpec, Self, TypeVar

import anyio

from humeai_async._base.cancellation import in_executor, in_thread, run_uncancelled
from humeai_async._base.file_lock import FileLock
from humeai_async.bulk import storage
from humeai_async.bulk.connection import Connection
from humeai_async.bulk.ledger_file import close_file, open_file, read_copy, real_path, rejected
from humeai_async.bulk.ledger_records import Draft, Entry, Note, Plan, RunStatus, numbered
from humeai_async.bulk.states import State, WorkState
from humeai_async.errors import LedgerError

P = ParamSpec("P")
T = TypeVar("T")

_LOOKED_UP = 500
"""Sources looked up at once."""


class Memory:
    """What the pipeline remembers a run by; this one forgets all but the numbers it gave out."""

    is_lasting = False
    """Whether it outlives the program."""
    _last = 0
    """Number of the last piece of work."""

    async def look_up(self, keys: Sequence[bytes]) -> dict[bytes, Entry]:
        """Return what is known of some sources."""
        del keys
        return {}

    async def read_plan(self, number: int) -> Plan:
        """Return one piece of work with its sources."""
        raise KeyError(number)

    async def requests(self) -> list[tuple[str | None, bytes]]:
        """Return of each piece of work so far its name, if known, and its `request_of`."""
        return []

    async def plan(self, draft: Draft) -> Plan:
        """Write down a piece of work that is about to be submitted."""
        self._last += 1
        return numbered(draft, self._last)

    async def send(self, number: int, sent_ms: int | None) -> None:
        """Write down that a piece of work is about to be sent, and when.

        Args:
            number: The piece of work.
            sent_ms: Milliseconds since 1970 by the service's clock; `None` if it is not known.
        """

    async def submit(
        self, number: int, work_id: str, body: bytes | None = None, cost: float = 0.0
    ) -> None:
        """Write down that a piece of work is at the service, whoever is cancelled meanwhile.

        Args:
            number: The piece of work.
            work_id: The service's name for it.
            body: The result, where it came with the response.
            cost: What it is billed for, where the service says so.
        """

    async def read_result(self, number: int) -> bytes | None:
        """Return the result that came with the response to a submission, if one did."""
        del number
        return None

    async def read_cost(self) -> float:
        """Return what all pieces of work so far were billed for, as far as the service told."""
        return 0.0

    async def end_work(self, number: int, state: WorkState) -> None:
        """Write down that a piece of work is not at the service, or not under its name."""

    def note(self, notes: Iterable[Note]) -> None:
        """Take note of outcomes that the consumer has."""


class Ledger(Memory):
    """An open ledger; made by `Ledger.open`, and an async context manager.

    Args:
        path: The file.
        connection: Connection to it, with its keys loaded.
        lock: The lock beside it.
    """

    is_lasting = True

    def __init__(self, path: Path, connection: Connection, lock: FileLock) -> None:
        self.path = path
        self._connection = connection
        self._lock = lock
        self._thread = ThreadPoolExecutor(1, "ledger")
        self._notes: list[Note] = []
        self._has_notes = anyio.Event()
        self._is_behind = False
        """Whether a checkpoint has failed, so that the files are ahead of what stands here."""
        self._is_closed = False
        self.before_checkpoint: Callable[[], Mapping[str, int]] | None = None
        """Called in the worker thread before each checkpoint: puts everything that was noted
        safely on disk and returns how far each file of results is then."""

    @classmethod
    async def open(cls, path: object, configuration: str) -> Self:
        """Open a ledger, or make it.

        Args:
            path: The file.
            configuration: What the run's results depend on besides the sources.

        Raises:
            LedgerError: Another run is using it, it is of another version or configuration,
                or it is no ledger.
        """
        file = real_path(path)
        opened = await in_thread(
            open_file, file, configuration, discard=lambda pair: close_file(*pair)
        )
        return cls(file, *opened)

    async def look_up(self, keys: Sequence[bytes]) -> dict[bytes, Entry]:
        """Return what is known of some sources."""
        if not self._connection.may_know(keys):
            return {}
        return await self._read(storage.look_up, keys)

    async def counts(self, keys: Sequence[bytes]) -> dict[State, int]:
        """Return how many of some sources are in each state; those it does not know in none."""
        counts = dict.fromkeys(State, 0)
        for start in range(0, len(keys), _LOOKED_UP):
            found = await self.look_up(keys[start : start + _LOOKED_UP])
            for entry in found.values():
                counts[entry.state] += 1
        return counts

    async def read_plan(self, number: int) -> Plan:
        """Return one piece of work with its sources."""
        return await self._read(storage.read_plan, number)

    async def requests(self) -> list[tuple[str | None, bytes]]:
        """Return of each piece of work its name at the service, if known, and its `request_of`."""
        return await self._read(storage.requests)

    async def plan(self, draft: Draft) -> Plan:
        """Write down a piece of work that is about to be submitted."""
        return await self._write(storage.plan, draft)

    async def send(self, number: int, sent_ms: int | None) -> None:
        """Write down that a piece of work is about to be sent, and when."""
        await self._write(storage.send, number, sent_ms)

    async def submit(
        self, number: int, work_id: str, body: bytes | None = None, cost: float = 0.0
    ) -> None:
        """Write down that a piece of work is at the service, whoever is cancelled meanwhile."""
        await self._write(storage.submit, number, work_id, body, cost)

    async def read_result(self, number: int) -> bytes | None:
        """Return the result that came with the response to a submission, if one did."""
        return await self._read(storage.read_result, number)

    async def read_cost(self) -> float:
        """Return what all pieces of work so far were billed for, as far as the service told."""
        return await self._read(storage.read_cost)

    async def end_work(self, number: int, state: WorkState) -> None:
        """Write down that a piece of work is not at the service, or not under its name."""
        await self._write(storage.end_work, number, state)

    def note(self, notes: Iterable[Note]) -> None:
        """Take note of outcomes that the consumer has; a checkpoint puts them on disk."""
        self._notes += notes
        self._has_notes.set()

    def drop_notes(self) -> None:
        """Forget what is not on disk yet; the next start of the run gives it again."""
        self._notes.clear()

    async def write_notes_forever(self) -> None:
        """Put notes on disk as they come, until cancelled.

        Does nothing where files have to be brought on disk with them: whoever writes those
        knows when they and the notes say the same, and makes the checkpoints.
        """
        while self.before_checkpoint is None:
            await self._has_notes.wait()
            self._has_notes = anyio.Event()
            await self.checkpoint()

    async def checkpoint(self) -> None:
        """Put all that was noted on disk, together with how far the results' files are."""
        await run_uncancelled(self._checkpoint())

    async def _checkpoint(self) -> None:
        notes, self._notes = self._notes, []
        if self._is_behind:
            return
        # After one that fails there is no other: it would say how far the files are, without
        # the outcomes that were in this one, and the next start would write those twice.
        self._is_behind = True
        if self.before_checkpoint is not None:
            await self._write(storage.checkpoint, notes, self.before_checkpoint)
        elif notes:
            await self._write(storage.note, notes)
        self._is_behind = False

    async def positions(self) -> dict[str, int] | None:
        """Return how far each file of results was at the last checkpoint; `None` before it."""
        return await self._read(storage.positions)

    async def status(self) -> RunStatus:
        """Count the run's sources by state, its pieces of work and its failures."""
        return await self._read(storage.status)

    async def aclose(self) -> None:
        """Make a last checkpoint and close the ledger; a second call does nothing."""
        if not self._is_closed:
            self._is_closed = True
            await run_uncancelled(self._finish())

    async def _finish(self) -> None:
        try:
            await self._checkpoint()
        finally:
            await in_executor(self._thread, lambda: close_file(self._connection, self._lock))
            self._thread.shutdown(wait=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _read(
        self,
        work: Callable[Concatenate[Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Read in the worker thread; nobody else writes meanwhile."""
        return await self._in_thread(functools.partial(work, self._connection, *args, **kwargs))

    async def _write(
        self,
        work: Callable[Concatenate[Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Do one piece of work in the worker thread, as one transaction."""

        def transact() -> T:
            # Steps that must not be done twice wait for the disk, and take what came before them
            # along. A note that is lost with the power makes a source come twice, no more; a plan
            # was not sent; one that is lost with the process cannot be.
            is_lesser = work in {storage.note, storage.plan}
            if work is not storage.submit:  # what was paid for may be in the response alone
                self._ensure_locked()
            with self._connection.transaction(synchronous="NORMAL" if is_lesser else "FULL"):
                return work(self._connection, *args, **kwargs)

        return await self._in_thread(transact)

    def _ensure_locked(self) -> None:
        """Refuse to write where another run may have begun since.

        Raises:
            LedgerError: The file of the lock was moved or removed.
        """
        if not self._lock.is_in_place():
            raise LedgerError(
                f"{self._lock.path} was moved or removed during the run, so that another one can "
                "begin beside it: start the run again, and leave that file where it is"
            )

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """Do work in the ledger's thread, one after another; a cancelled caller waits for it."""

        def run() -> T:
            with rejected(self.path):
                return work()
            raise AssertionError("unreachable")  # `rejected` swallows nothing

        return await in_executor(self._thread, run)


async def read_status(path: object) -> RunStatus:
    """Return where the run of a ledger stands, while it runs or afterwards.

    Only reads: it works in a folder that cannot be written to, and leaves no file behind.

    Raises:
        LedgerError: There is no ledger, or it cannot be read.
    """
    file = real_path(path)
    if not file.is_file():
        raise LedgerError(f"there is no ledger {file}")
    return await in_thread(read_copy, file, storage.status)
