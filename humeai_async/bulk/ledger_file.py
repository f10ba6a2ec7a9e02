"""The ledger's file: opened, locked, read by others, and its errors in words.

It knows that the file is SQLite's and how SQLite fails; what stands in it is `storage.py`'s.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TypeVar

from humeai_async._base.atomic_files import resolve_target
from humeai_async._base.file_lock import FileLock
from humeai_async.bulk import storage
from humeai_async.bulk.connection import Connection
from humeai_async.bulk.integrity import committed_frames, ensure_whole, is_log_read
from humeai_async.errors import LedgerError

T = TypeVar("T")

_PRIMARY = 0xFF
"""Part of an error code that says what SQLite could not do; the rest says where."""
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_AFTER_STEP = (
    "The ledger was not changed: start the run again. If that gives the same error, report it, "
    "and keep the file: it says what was paid for"
)


_LOG_BROKEN = (
    "the end of the log of {path} cannot be read, because it is damaged or the power failed while "
    "it was written: the ledger is as it was some steps earlier, and what was submitted since may "
    "be paid for again. Look at the service for what was submitted last; then start the run "
    "again, which goes on from there"
)


def real_path(path: object) -> Path:
    """Return the one name of a ledger's file, whatever links lead to it.

    Raises:
        LedgerError: It cannot be the name of a file.
    """
    try:
        text = os.fspath(path)  # type: ignore[call-overload]  # refused below
    except TypeError:
        text = None
    if not isinstance(text, str) or not Path(text).name or "\0" in text:
        raise LedgerError(f"{path!r} cannot be the name of a ledger: give the path of a file")
    if text == ":memory:" or text.startswith("file:"):
        raise LedgerError(
            f"{text!r} cannot be a ledger: a ledger is a file, so that the run can continue "
            "after a crash. Leave ledger out to keep no record"
        )
    try:
        return resolve_target(Path(text))
    except (OSError, RuntimeError, ValueError) as problem:  # a loop of links
        reason = getattr(problem, "strerror", None) or str(problem)
    raise LedgerError(f"cannot open {text}: {reason}")


def open_file(path: Path, configuration: str) -> tuple[Connection, FileLock]:
    """Lock a ledger and open it, or make it.

    Returns:
        The connection to it, and the lock.

    Raises:
        LedgerError: Another run is using it, it belongs to other settings, or it cannot be
            opened; nothing is locked then.
    """
    with contextlib.ExitStack() as stack:
        with rejected(path):
            _refuse_other_files(path)
            lock = _take_lock(path)
            stack.callback(lock.close)
            frames = committed_frames(_log_of(path))
            connection = Connection(path, isolation_level=None, check_same_thread=False)
            stack.callback(connection.close)
            connection.execute(f"PRAGMA page_size = {storage.PAGE_SIZE}")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA wal_autocheckpoint = 8000")
            if not is_log_read(connection, frames):
                raise LedgerError(_LOG_BROKEN.format(path=path))
            _prepare(connection, path, configuration)
            connection.load_keys()
        stack.pop_all()
    return connection, lock


def _refuse_other_files(path: Path) -> None:
    """Refuse what is no file, and one that has a second name: lock and log stand beside one.

    Raises:
        LedgerError: It is a folder or a device, or there is a hard link to it.
    """
    if path.is_dir():
        raise LedgerError(f"{path} is a folder: give the path of a file in it, such as run.db")
    if path.exists() and not path.is_file():
        raise LedgerError(f"cannot open {path}: it is a device or a pipe, and no file")
    if path.exists() and path.stat().st_nlink > 1:
        raise LedgerError(
            f"{path} has a second name (a hard link), by which another run could use it; copy the "
            "file, and use the copy"
        )


def close_file(connection: sqlite3.Connection, lock: FileLock) -> None:
    """Close a ledger so that it is one plain file, and let go of its lock."""
    try:
        with contextlib.suppress(sqlite3.Error):  # somebody reads it: the log stays for now
            connection.execute("PRAGMA journal_mode = DELETE")
    finally:
        connection.close()
        lock.close()


def read_copy(path: Path, work: Callable[[sqlite3.Connection], T]) -> T:
    """Read a ledger without a trace: nothing in its folder is made, changed or locked away.

    Raises:
        LedgerError: It cannot be read, or is none.
    """
    log = _log_of(path)
    shared = path.with_name(path.name + "-shm")
    with rejected(path), contextlib.ExitStack() as stack:
        name, frames = path.as_uri(), 0
        if not _has_content(log):
            # Nothing but the file counts. SQLite would make files to find that out.
            name += "?immutable=1"
        elif shared.exists():
            name += "?mode=ro"
        else:
            # The log of a run that was killed, or of a copy. To read it SQLite makes files.
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            for file in (path, log):
                shutil.copyfile(file, folder / file.name)
            name, frames = (folder / path.name).as_uri(), committed_frames(folder / log.name)
        connection = sqlite3.connect(name, uri=True, isolation_level=None)
        stack.callback(connection.close)
        if not is_log_read(connection, frames):
            raise LedgerError(_LOG_BROKEN.format(path=path))
        connection.execute("PRAGMA query_only = 1")
        connection.execute("BEGIN")
        _check_version(connection, path)
        return work(connection)
    raise AssertionError("unreachable")  # `rejected` swallows nothing


@contextlib.contextmanager
def rejected(path: Path) -> Generator[None]:
    """Turn what goes wrong with a ledger's file into a `LedgerError`."""
    try:
        yield
    except sqlite3.Error as problem:
        reason, is_damaged = str(problem), _is_damage(problem)
        if _code(problem) & _PRIMARY == sqlite3.SQLITE_IOERR:
            reason += (
                ". The disk failed, or its file system cannot lock files or share memory, as some "
                "network folders: nothing is lost; move the whole folder of the run to a local "
                "disk and start the run again"
            )
    except OSError as problem:
        reason, is_damaged = problem.strerror or type(problem).__name__, False
    except storage.StepError as problem:
        reason, is_damaged = f"{problem}, which no run does. {_AFTER_STEP}", False
    except (storage.ContentError, UnicodeError, ValueError) as problem:
        reason, is_damaged = str(problem), True
    else:
        return
    if not is_damaged:
        raise LedgerError(f"the ledger {path} cannot be used: {reason}")
    raise LedgerError(
        f"the ledger {path} is damaged, or is no ledger: {reason}. Replace it with a backup "
        "if there is one; if you move it away, the run starts again, and jobs are paid twice"
    )


def _is_damage(problem: sqlite3.Error) -> bool:
    code = _code(problem)
    if not code:  # not from SQLite itself, but what it gave could not be read
        return type(problem) is sqlite3.DatabaseError
    return (code & _PRIMARY) in _DAMAGED


def _code(problem: sqlite3.Error) -> int:
    return getattr(problem, "sqlite_errorcode", None) or 0


def _log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _has_content(file: Path) -> bool:
    try:
        return file.stat().st_size > 0
    except FileNotFoundError:
        return False


def _take_lock(path: Path) -> FileLock:
    """Lock a file beside the ledger; the system lets go of it when the process dies."""
    try:
        return FileLock(path.with_name(path.name + ".lock"))
    except BlockingIOError:
        reason = ""
    except OSError as problem:
        reason = problem.strerror or type(problem).__name__
    if reason:
        raise LedgerError(f"cannot open {path}: {reason}")
    raise LedgerError(f"another run is using {path}; wait for its end, or use another ledger")


def _prepare(connection: Connection, path: Path, configuration: str) -> None:
    """Make the layout of a new ledger, or check that of an old one."""
    with connection.transaction():
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0 and not tables:
            storage.create(connection, configuration)
        _check_version(connection, path)
        ensure_whole(connection)
        found = storage.configure(connection, configuration)
    if found != configuration:
        raise LedgerError(
            f"{path} belongs to a run with other settings ({found}); this one has "
            f"{configuration}: use another ledger or folder"
        )


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version != storage.VERSION:
        raise LedgerError(
            f"{path} is a ledger of version {version}, and this release reads version "
            f"{storage.VERSION}: finish the run with the release that began it"
        )
