"""What a bulk run remembers on disk, so that the same run goes on after a crash.

A ledger is one SQLite file. Every source of a run has a row in it, known by a digest: planned
before its job is submitted, submitted once Hume has named the job, arrived or failed once the
consumer has its outcome. What a source is (a URL may be signed) is not written down. All
access is in one worker thread, never on the event loop; a second file next to it is locked as
long as a run uses the ledger, so that two runs cannot. It knows nothing of jobs or requests.
"""

from __future__ import annotations

import enum
import hashlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Concatenate, ParamSpec, Self, TypeVar

import anyio
from attrs import frozen

from humeai_async._base.cancellation import in_thread, run_uncancelled
from humeai_async.errors import LedgerError

P = ParamSpec("P")
T = TypeVar("T")

VERSION = 1
"""Version of the file's layout."""

_LOOKED_UP = 500
"""Sources looked up at once."""

# Rows lie in the order in which they come, so that the sources of a job share a few pages,
# which are written again when its outcomes arrive. That a source is submitted is said once, by
# its job: the row's own state goes from PLANNED to ARRIVED or FAILED.
_LAYOUT = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE jobs (
    number INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    planned_ms INTEGER NOT NULL,
    job_id TEXT
);
CREATE TABLE sources (
    key BLOB NOT NULL UNIQUE,
    job INTEGER NOT NULL REFERENCES jobs (number),
    place INTEGER NOT NULL,
    state INTEGER NOT NULL,
    md5 TEXT,
    reason TEXT
);
CREATE INDEX sources_by_job ON sources (job);
"""


_STATE = "max(state, job_id NOTNULL)"
"""State of a source, as SQL: what was planned is submitted once its job has an id."""


class State(enum.IntEnum):
    """Where a source is."""

    PLANNED = 0
    """Its job is about to be submitted, or was; nobody knows."""
    SUBMITTED = 1
    """Its job is at Hume."""
    ARRIVED = 2
    """The consumer has its predictions."""
    FAILED = 3
    """The consumer has its error, and trying again means submitting again."""


@frozen
class Entry:
    """What the ledger knows of one source."""

    key: bytes
    state: State
    job: int
    """Number of the job in the ledger."""
    place: int
    """Place among the sources of its job."""


@frozen
class PlannedJob:
    """What the ledger knows of one job."""

    number: int
    kind: str
    """`urls`, `text` or `files`."""
    planned_ms: int
    """Milliseconds since 1970, by this machine's clock, before it was submitted."""
    job_id: str | None
    """Hume's id; `None` where the answer never came."""
    keys: tuple[bytes, ...]
    """Its sources, in their order."""
    md5s: tuple[str | None, ...] = ()
    """MD5 of each source that is a file."""


@frozen
class Settled:
    """A source whose outcome the consumer has."""

    key: bytes
    state: State
    reason: str | None = None


@frozen
class Standing:
    """Where a run stands."""

    counts: Mapping[State, int]
    """Sources in each state."""
    jobs: int
    """Jobs submitted."""
    reasons: Mapping[str, int]
    """Why sources failed, and how many."""


def key_of(kind: str, source: str) -> bytes:
    """Return the digest that stands for a source."""
    # Names of files may hold bytes that are no text.
    text = f"{kind}\0{source}".encode(errors="surrogatepass")
    return hashlib.blake2b(text, digest_size=16).digest()


class Ledger:
    """An open ledger; made by `Ledger.open`, and an async context manager.

    Args:
        path: The file.
        connection: Connection to it.
        lock: Connection that holds the lock beside it.
    """

    def __init__(
        self, path: Path, connection: sqlite3.Connection, lock: sqlite3.Connection
    ) -> None:
        self.path = path
        self._connection = connection
        self._lock = lock
        self._thread = anyio.CapacityLimiter(1)
        self._mutex = threading.Lock()
        self._settled: list[Settled] = []
        self._noted = anyio.Event()
        self.before_checkpoint: Callable[[], Mapping[str, int]] | None = None
        """Called in the worker thread before each checkpoint: puts everything that was noted
        safely on disk and returns how far each file of results is then."""

    @classmethod
    async def open(cls, path: str | os.PathLike[str], configuration: str) -> Self:
        """Open a ledger, or make it.

        Args:
            path: The file.
            configuration: What the run's results depend on besides the sources.

        Raises:
            LedgerError: Another run is using it, it is of another version or configuration,
                or it is no ledger.
        """
        file = Path(path)
        if not file.name or "\0" in str(file):
            raise LedgerError(f"{str(file)!r} cannot be the name of a ledger")
        return await in_thread(cls._open, file, configuration, discard=cls._close)

    @classmethod
    def _open(cls, path: Path, configuration: str) -> Self:
        lock = _take_lock(path)
        connection = None
        try:
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            connection.execute("PRAGMA journal_mode = WAL")
            _check(connection, path, configuration)
            return cls(path, connection, lock)
        except sqlite3.Error as problem:
            reason: LedgerError = _unreadable(path, problem)
        except LedgerError as problem:
            reason = problem
        if connection is not None:
            connection.close()
        lock.close()
        raise reason

    async def look_up(self, keys: Sequence[bytes]) -> dict[bytes, Entry]:
        """Return what is known of some sources."""
        return await self._run(_look_up, keys)

    async def counts(self, keys: Sequence[bytes]) -> dict[State, int]:
        """Return how many of some sources are in each state; those it does not know in none."""
        counts = dict.fromkeys(State, 0)
        for start in range(0, len(keys), _LOOKED_UP):
            found = await self.look_up(keys[start : start + _LOOKED_UP])
            for entry in found.values():
                counts[entry.state] += 1
        return counts

    async def job(self, number: int) -> PlannedJob:
        """Return one job with its sources."""
        return await self._run(_job, number)

    async def known_jobs(self) -> set[str]:
        """Return the ids of all jobs that are in the ledger."""
        return await self._run(_known_jobs)

    async def plan(self, kind: str, sources: Sequence[tuple[bytes, str | None]]) -> PlannedJob:
        """Write down a job that is about to be submitted.

        Args:
            kind: `urls`, `text` or `files`.
            sources: Key and, for files, MD5 of each source.
        """
        return await self._run(_plan, kind, sources, round(time.time() * 1000))

    async def submit(self, number: int, job_id: str) -> None:
        """Write down that a job is at Hume."""
        await self._run(_submit, number, job_id)

    def note(self, settled: Iterable[Settled]) -> None:
        """Note that the consumer has some outcomes; `keep` puts that on disk."""
        self._settled += settled
        self._noted.set()

    def drop_notes(self) -> None:
        """Forget what is not on disk yet; the next start of the run gives it again."""
        self._settled.clear()

    async def keep(self) -> None:
        """Put notes on disk as they come, until cancelled.

        Does nothing where files have to be brought on disk with them: whoever writes those
        knows when they and the notes say the same, and makes the checkpoints.
        """
        while self.before_checkpoint is None:
            await self._noted.wait()
            self._noted = anyio.Event()
            await self.checkpoint()

    async def checkpoint(self) -> None:
        """Put all that was noted on disk, together with how far the results' files are."""
        settled, self._settled = self._settled, []
        if settled or self.before_checkpoint is not None:
            if self.before_checkpoint is None:
                await run_uncancelled(self._run(_note_settled, settled))
            else:
                await run_uncancelled(self._run(_checkpoint, settled, self.before_checkpoint))

    async def positions(self) -> dict[str, int] | None:
        """Return how far each file of results was at the last checkpoint; `None` before it."""
        return await self._run(_positions)

    async def standing(self) -> Standing:
        """Return where the run stands."""
        return await self._run(_standing)

    async def aclose(self) -> None:
        """Make a last checkpoint and close the ledger."""
        await run_uncancelled(self._finish())

    async def _finish(self) -> None:
        try:
            await self.checkpoint()
        finally:
            await in_thread(self._close)

    def _close(self) -> None:
        with self._mutex:
            self._connection.close()
            self._lock.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _run(
        self,
        work: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Do one piece of work in the worker thread, as one transaction."""

        def transact() -> T:
            # An event loop that is shut down leaves threads behind; the next one has to wait
            # for them.
            with self._mutex:
                return _transaction(self.path, self._connection, work, *args, **kwargs)

        return await in_thread(transact, limiter=self._thread)


async def standing_of(path: str | os.PathLike[str]) -> Standing:
    """Return where the run of a ledger stands, while it runs or afterwards.

    Raises:
        LedgerError: There is no ledger, or it cannot be read.
    """
    return await in_thread(_read_standing, Path(path))


def _read_standing(path: Path) -> Standing:
    if not path.is_file():
        raise LedgerError(f"there is no ledger {path}")
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as opened:
            return _standing(opened)
    except sqlite3.Error as problem:
        failure = _unreadable(path, problem)
    raise failure


def _take_lock(path: Path) -> sqlite3.Connection:
    """Lock a file beside the ledger; the system lets go of it when the process dies."""
    busy = False
    try:
        lock = sqlite3.connect(
            path.with_name(path.name + ".lock"),
            isolation_level=None,
            check_same_thread=False,
            timeout=0,
        )
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as problem:
        busy = "locked" in str(problem)
        reason = str(problem)
    else:
        return lock
    if busy:
        raise LedgerError(f"another run is using {path}; wait for its end, or use another folder")
    raise LedgerError(f"cannot open {path}: {reason}")


def _unreadable(path: Path, problem: sqlite3.Error) -> LedgerError:
    return LedgerError(
        f"{path} cannot be used as a ledger: {problem}. If it was damaged, move it away: the "
        "run starts anew"
    )


def _check(connection: sqlite3.Connection, path: Path, configuration: str) -> None:
    """Make the layout of a new ledger, or check that of an old one."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if version == 0 and not tables:
        connection.executescript(f"BEGIN; {_LAYOUT} PRAGMA user_version = {VERSION}; COMMIT")
        connection.execute("INSERT INTO facts VALUES ('configuration', ?)", (configuration,))
        return
    if version != VERSION:
        raise LedgerError(
            f"{path} is a ledger of version {version}; this release reads version {VERSION}"
        )
    (found,) = connection.execute(
        "SELECT value FROM facts WHERE name = 'configuration'"
    ).fetchone() or ("",)
    if found != configuration:
        raise LedgerError(
            f"{path} belongs to a run with other settings ({found}); this one has "
            f"{configuration}: use another folder"
        )


def _transaction(
    path: Path,
    connection: sqlite3.Connection,
    work: Callable[Concatenate[sqlite3.Connection, P], T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    # Steps that must not be done twice wait for the disk. A note that is lost with the power
    # makes a source come twice, no more; one that is lost with the process cannot be.
    level = "NORMAL" if work is _note_settled else "FULL"
    try:
        connection.execute(f"PRAGMA synchronous = {level}")
        connection.execute("BEGIN IMMEDIATE")
        try:
            result = work(connection, *args, **kwargs)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        else:
            return result
    except sqlite3.Error as problem:
        failure = _unreadable(path, problem)
    raise failure


def _look_up(connection: sqlite3.Connection, keys: Sequence[bytes]) -> dict[bytes, Entry]:
    marks = ",".join("?" * len(keys))
    found = connection.execute(
        f"SELECT key, {_STATE}, job, place FROM sources JOIN jobs ON job = number "  # noqa: S608 - only question marks
        f"WHERE key IN ({marks})",
        keys,
    )
    return {row[0]: Entry(row[0], State(row[1]), row[2], row[3]) for row in found}


def _job(connection: sqlite3.Connection, number: int) -> PlannedJob:
    kind, planned_ms, job_id = connection.execute(
        "SELECT kind, planned_ms, job_id FROM jobs WHERE number = ?", (number,)
    ).fetchone()
    rows = connection.execute(
        "SELECT key, md5 FROM sources WHERE job = ? ORDER BY place", (number,)
    ).fetchall()
    keys, md5s = tuple(row[0] for row in rows), tuple(row[1] for row in rows)
    return PlannedJob(number, kind, planned_ms, job_id, keys, md5s)


def _known_jobs(connection: sqlite3.Connection) -> set[str]:
    return {row[0] for row in connection.execute("SELECT job_id FROM jobs WHERE job_id NOTNULL")}


def _plan(
    connection: sqlite3.Connection,
    kind: str,
    sources: Sequence[tuple[bytes, str | None]],
    now_ms: int,
) -> PlannedJob:
    number = connection.execute(
        "INSERT INTO jobs (kind, planned_ms) VALUES (?, ?)", (kind, now_ms)
    ).lastrowid
    assert number is not None  # noqa: S101 - an INSERT has one
    connection.executemany(
        "INSERT OR REPLACE INTO sources (key, job, place, state, md5) VALUES (?, ?, ?, ?, ?)",
        [(key, number, place, State.PLANNED, md5) for place, (key, md5) in enumerate(sources)],
    )
    keys, md5s = tuple(key for key, _ in sources), tuple(md5 for _, md5 in sources)
    return PlannedJob(number, kind, now_ms, None, keys, md5s)


def _submit(connection: sqlite3.Connection, number: int, job_id: str) -> None:
    connection.execute("UPDATE jobs SET job_id = ? WHERE number = ?", (job_id, number))


def _note_settled(connection: sqlite3.Connection, settled: Sequence[Settled]) -> None:
    connection.executemany(
        "UPDATE sources SET state = ?, reason = ? WHERE key = ?",
        [(one.state, one.reason, one.key) for one in settled],
    )


def _checkpoint(
    connection: sqlite3.Connection,
    settled: Sequence[Settled],
    before: Callable[[], Mapping[str, int]],
) -> None:
    _note_settled(connection, settled)
    connection.executemany(
        "INSERT OR REPLACE INTO facts VALUES (?, ?)",
        [(f"position {name}", str(value)) for name, value in before().items()],
    )


def _positions(connection: sqlite3.Connection) -> dict[str, int] | None:
    rows = connection.execute("SELECT name, value FROM facts WHERE name LIKE 'position %'")
    found = {name.removeprefix("position "): int(value) for name, value in rows}
    return found or None


def _standing(connection: sqlite3.Connection) -> Standing:
    counts = connection.execute(
        f"SELECT {_STATE}, count(*) FROM sources JOIN jobs ON job = number GROUP BY 1"  # noqa: S608 - a constant
    )
    (jobs,) = connection.execute("SELECT count(job_id) FROM jobs").fetchone()
    reasons = connection.execute(
        "SELECT coalesce(reason, ''), count(*) FROM sources WHERE state = ? "
        "GROUP BY reason ORDER BY 2 DESC",
        (State.FAILED,),
    )
    found = {State(state): count for state, count in counts}
    return Standing({state: found.get(state, 0) for state in State}, jobs, dict(reasons))
