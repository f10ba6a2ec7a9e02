"""Whether a ledger that was begun before says one thing in all its tables.

SQLite keeps no checksums in its main file: a bit that flips there can make a source look like one
that was never submitted, which would be paid for again. What a run writes stands in two tables
that must agree. It only reads; the tables are `storage.py`'s.
"""

from __future__ import annotations

import sqlite3

from humeai_async.bulk.ledger_records import KEY_SIZE
from humeai_async.bulk.states import WorkState
from humeai_async.bulk.storage import ContentError

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


def ensure_whole(connection: sqlite3.Connection) -> None:
    """Refuse a ledger whose tables contradict one another.

    Raises:
        ContentError: They do.
    """
    for fault, query in _CHECKS.items():
        if connection.execute(query, _VALUES).fetchone() != (0,):
            raise ContentError(fault)
