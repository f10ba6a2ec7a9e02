"""Whether a ledger that was begun before is as it was written.

SQLite keeps no checksums in its main file: a bit that flips there can make a source look like one
that was never submitted, which would be paid for again. What a run writes stands in two tables
that must agree. The log beside the file has checksums, and where one is wrong SQLite passes over
all that follows without a word. It changes nothing; the tables are `storage.py`'s.
"""

from __future__ import annotations

import sqlite3
import struct
from pathlib import Path

from humeai_async.bulk.ledger_records import KEY_SIZE
from humeai_async.bulk.states import WorkState
from humeai_async.bulk.storage import PAGE_SIZE, ContentError

_CHECKS = {
    "a source is not in the piece of work that it is said to be in": """
        SELECT (SELECT count(*) FROM sources) - count(*) FROM sources
        JOIN plans ON plans.work = sources.work WHERE instr(keys, key) % :key_size = 1
    """,
    "a source cannot be looked up": """
        SELECT (SELECT value FROM facts WHERE name = 'indexed') - count(*) FROM known
        JOIN sources ON number = source AND sources.key = known.key
    """,
    "the sources are in other states than were counted": """
        SELECT count(*) FROM counts LEFT JOIN
        (SELECT state, count(*) AS found FROM sources GROUP BY state) USING (state)
        WHERE sources != coalesce(found, 0)
    """,
    "a piece of work is in a state that it cannot be in": """
        SELECT count(*) FROM works WHERE state NOT BETWEEN 0 AND :last
        OR (state = :submitted) != (work_id IS NOT NULL)
        OR (state = :planned AND sent_ms IS NOT NULL)
    """,
}
"""What is wrong, and a query that gives 0 unless it is."""
_VALUES = {
    "key_size": KEY_SIZE,
    "planned": WorkState.PLANNED,
    "submitted": WorkState.SUBMITTED,
    "last": max(WorkState),
}
_LOG_HEADER = struct.Struct(">16x II 8x")
"""The start of a log: two salts, with which each of its frames begins."""
_FRAME_HEADER = struct.Struct(">4x III 8x")
"""The start of a frame: pages of the file if it ends a transaction, else 0; the two salts."""
_FRAME_SIZE = _FRAME_HEADER.size + PAGE_SIZE


def committed_frames(log: Path) -> int:
    """Return how many frames of SQLite's log stand before the end of its last transaction.

    Frames of earlier use, whose salts are others, may follow and do not count.
    """
    try:
        content = log.open("rb")
    except FileNotFoundError:
        return 0
    last = 0
    with content:
        start = content.read(_LOG_HEADER.size)
        if len(start) < _LOG_HEADER.size:
            return 0
        salts = _LOG_HEADER.unpack(start)
        for number in range(1, (log.stat().st_size - len(start)) // _FRAME_SIZE + 1):
            ends, *own = _FRAME_HEADER.unpack(content.read(_FRAME_HEADER.size))
            content.seek(PAGE_SIZE, 1)
            # One of them may have changed by itself.
            if ends and (own[0] == salts[0] or own[1] == salts[1]):
                last = number
    return last


def is_log_read(connection: sqlite3.Connection, frames: int) -> bool:
    """Whether SQLite found so many frames, counted before it was opened, or more."""
    if not frames:
        return True
    _, found, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return bool(found >= frames)


def ensure_whole(connection: sqlite3.Connection) -> None:
    """Refuse a ledger whose tables contradict one another.

    Raises:
        ContentError: They do.
    """
    for fault, query in _CHECKS.items():
        if connection.execute(query, _VALUES).fetchone() != (0,):
            raise ContentError(fault)
