"""The ledger's tables, and what is read from and written to them in one transaction.

Each function takes a connection and does one step inside of a transaction that the ledger
opens and ends. It knows neither threads nor errors of the disk.

Rows are appended in the order in which sources come, so that the sources of one piece of work
share a few pages; `connection.py` finds them. Counts are kept as sources change their state, so
that no status counts rows.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

from humeai_async.bulk.connection import Connection, conditions
from humeai_async.bulk.ledger_records import (
    KEY_SIZE,
    MARK_SIZE,
    PART,
    WHOLE,
    Draft,
    Entry,
    Note,
    Plan,
    RunStatus,
    numbered,
    request_of,
)
from humeai_async.bulk.states import PAID, TRANSITIONS, WORK_TRANSITIONS, State, WorkState

S = TypeVar("S", bound=State | WorkState)

VERSION = 4
"""Version of the file's layout."""
PAGE_SIZE = 1024
"""Bytes of a page: most steps change a few rows at the end of a table."""
_UNDELIVERED = PAID - {State.ARRIVED}
"""States of sources that are planned anew only once their piece of work has lost its name."""

LAYOUT = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE counts (state INTEGER PRIMARY KEY, sources INTEGER NOT NULL);
CREATE TABLE reasons (
    number INTEGER PRIMARY KEY,
    reason TEXT NOT NULL UNIQUE,
    sources INTEGER NOT NULL
);
CREATE TABLE works (
    number INTEGER PRIMARY KEY,
    state INTEGER NOT NULL,
    kind TEXT NOT NULL,
    planned_ms INTEGER NOT NULL,
    sent_ms INTEGER,
    after_ms INTEGER,
    attempt INTEGER NOT NULL,
    work_id TEXT
);
CREATE TABLE plans (
    work INTEGER PRIMARY KEY,
    digest BLOB NOT NULL,
    keys BLOB NOT NULL,
    marks BLOB NOT NULL
);
CREATE TABLE results (
    work INTEGER PRIMARY KEY,
    cost REAL NOT NULL,
    body BLOB
);
CREATE TABLE sources (
    number INTEGER PRIMARY KEY,
    key BLOB NOT NULL,
    work INTEGER NOT NULL,
    state INTEGER NOT NULL,
    reason INTEGER
);
CREATE TABLE known (key BLOB PRIMARY KEY, source INTEGER NOT NULL) WITHOUT ROWID
"""


class ContentError(Exception):
    """The ledger holds what no run has written."""


class StepError(ContentError):
    """A source or a piece of work was to take a step that the table of states does not have."""


def create(connection: sqlite3.Connection, configuration: str) -> None:
    """Make the tables of a new ledger."""
    for statement in LAYOUT.split(";"):
        connection.execute(statement)
    connection.execute("INSERT INTO facts VALUES ('configuration', ?)", (configuration,))
    connection.execute("INSERT INTO facts VALUES ('indexed', '0')")
    connection.executemany("INSERT INTO counts VALUES (?, 0)", [(state,) for state in State])
    connection.execute(f"PRAGMA user_version = {VERSION}")


def configure(connection: sqlite3.Connection, configuration: str) -> str:
    """Give the settings of this start to a ledger in which no source is noted yet.

    An earlier start that ended before it planned anything, such as one with a wrong credential,
    binds nobody.

    Returns:
        The settings that the ledger has.
    """
    found = configuration_of(connection)
    (is_used,) = connection.execute(
        "SELECT EXISTS(SELECT * FROM works) OR EXISTS(SELECT * FROM sources)"
    ).fetchone()
    if found == configuration or is_used:
        return found
    connection.execute("DELETE FROM facts WHERE name LIKE 'position %'")
    connection.execute("UPDATE facts SET value = ? WHERE name = 'configuration'", (configuration,))
    return configuration


def configuration_of(connection: sqlite3.Connection) -> str:
    """Return what the results depend on besides the sources."""
    row = connection.execute("SELECT value FROM facts WHERE name = 'configuration'").fetchone()
    if row is None:
        raise ContentError("configuration is missing")
    return str(row[0])


def look_up(connection: Connection, keys: Sequence[bytes]) -> dict[bytes, Entry]:
    """Return what is known of some sources."""
    found: dict[bytes, Entry] = {}
    for which, values in conditions(list(connection.find(keys).values())):
        rows = connection.execute(
            "SELECT key, sources.state, work, works.state FROM sources "  # noqa: S608 - a condition with question marks
            f"JOIN works ON works.number = work WHERE sources.number {which}",
            values,
        )
        for key, state, work, work_state in rows:
            found[key] = Entry(key, _state(State, state), work, _state(WorkState, work_state))
    return found


def plan(connection: Connection, draft: Draft) -> Plan:
    """Write down a piece of work that is about to be submitted, with its sources."""
    number = connection.execute(
        "INSERT INTO works (state, kind, planned_ms, after_ms, attempt) VALUES (?, ?, ?, ?, ?)",
        (WorkState.PLANNED, draft.kind, draft.planned_ms, draft.after_ms, draft.attempt),
    ).lastrowid
    assert number is not None  # noqa: S101 - an INSERT has one
    connection.execute(
        "INSERT INTO plans VALUES (?, ?, ?, ?)",
        (number, _digest(connection, draft), b"".join(draft.keys), b"".join(draft.marks)),
    )
    known = connection.find(draft.keys)
    _move(connection, list(known.values()), State.PLANNED, unless=_UNDELIVERED)
    connection.executemany(
        "UPDATE sources SET work = ? WHERE number = ?", [(number, one) for one in known.values()]
    )
    _append(connection, number, [key for key in draft.keys if key not in known])
    return numbered(draft, number)


def _append(connection: Connection, work: int, keys: Sequence[bytes]) -> None:
    """Add sources that the ledger has not seen before."""
    last = connection.execute("SELECT coalesce(max(number), 0) FROM sources").fetchone()[0]
    fresh = {key: number for number, key in enumerate(dict.fromkeys(keys), last + 1)}
    connection.executemany(
        "INSERT INTO sources (number, key, work, state) VALUES (?, ?, ?, ?)",
        [(number, key, work, State.PLANNED) for key, number in fresh.items()],
    )
    _count(connection, {State.PLANNED: len(fresh)})
    connection.add(fresh)


def read_plan(connection: sqlite3.Connection, number: int) -> Plan:
    """Return one piece of work with its sources."""
    row = connection.execute(
        "SELECT state, kind, planned_ms, sent_ms, after_ms, attempt, work_id, digest, keys, marks"
        " FROM works JOIN plans ON work = number WHERE number = ?",
        (number,),
    ).fetchone()
    if row is None:
        raise ContentError(f"piece of work {number} is missing")
    state, kind, planned_ms, sent_ms, after_ms, attempt, work_id, digest, keys, marks = row
    found = Plan(
        number=number,
        state=_state(WorkState, state),
        kind=kind,
        keys=_split(keys, KEY_SIZE),
        marks=_split(marks, MARK_SIZE),
        planned_ms=planned_ms,
        sent_ms=sent_ms,
        after_ms=after_ms,
        attempt=attempt,
        work_id=work_id,
    )
    if digest != _digest(connection, found):
        raise ContentError(f"piece of work {number} is not what was planned")
    return found


def _digest(connection: sqlite3.Connection, draft: Draft) -> bytes:
    """Return the digest of a whole request: settings, kind, sources in order, their content."""
    text = (configuration_of(connection), draft.kind, str(draft.planned_ms))
    parts = (*[part.encode() for part in text], *draft.keys, b"", *draft.marks)
    return hashlib.blake2b(b"\0".join(parts), digest_size=MARK_SIZE).digest()


def requests(connection: sqlite3.Connection) -> list[tuple[str | None, bytes]]:
    """Return of each piece of work its name at the service, if known, and its `request_of`."""
    rows = connection.execute("SELECT work_id, kind, marks FROM works JOIN plans ON work = number")
    return [(name, request_of(kind, _split(marks, MARK_SIZE))) for name, kind, marks in rows]


def send(connection: sqlite3.Connection, number: int, sent_ms: int | None) -> None:
    """Write down that a piece of work is about to be sent, and when by the service's clock."""
    _move_work(connection, number, WorkState.SENT, unless={WorkState.SUBMITTED})
    connection.execute("UPDATE works SET sent_ms = ? WHERE number = ?", (sent_ms, number))


def submit(
    connection: Connection,
    number: int,
    work_id: str,
    body: bytes | None = None,
    cost: float = 0.0,
) -> None:
    """Write down that a piece of work is at the service, under a name.

    A result that came with the response is put down in the same transaction: it exists nowhere
    else.
    """
    _move_work(connection, number, WorkState.SUBMITTED)
    connection.execute("UPDATE works SET work_id = ? WHERE number = ?", (work_id, number))
    if body is not None or cost:
        connection.execute("INSERT OR REPLACE INTO results VALUES (?, ?, ?)", (number, cost, body))
    _move(connection, _sources_of(connection, number), State.SUBMITTED)


def read_result(connection: sqlite3.Connection, number: int) -> bytes | None:
    """Return the result that came with the response to a submission, if one did."""
    row = connection.execute("SELECT body FROM results WHERE work = ?", (number,)).fetchone()
    return None if row is None else row[0]


def read_cost(connection: sqlite3.Connection) -> float:
    """Return what all pieces of work so far were billed for, as far as the service told."""
    (cost,) = connection.execute("SELECT coalesce(sum(cost), 0.0) FROM results").fetchone()
    return float(cost)


def end_work(connection: Connection, number: int, state: WorkState) -> None:
    """Write down that a piece of work is not at the service, or not under the name it had."""
    _move_work(connection, number, state)
    if state is WorkState.SENT:
        _move(connection, _sources_of(connection, number, _UNDELIVERED), State.PLANNED)


def _sources_of(
    connection: Connection, number: int, states: Collection[State] = frozenset(State)
) -> list[int]:
    """Return those sources of a piece of work, in some states, that are in no other one since."""
    sources = list(connection.find(read_plan(connection, number).keys).values())
    found: list[int] = []
    for which, values in conditions(sources):
        rows = connection.execute(
            f"SELECT number, state FROM sources WHERE number {which} AND work = ?",  # noqa: S608 - a condition with question marks
            (*values, number),
        )
        found += [source for source, state in rows if _state(State, state) in states]
    return found


def note(connection: Connection, notes: Sequence[Note]) -> None:
    """Write down the outcomes that the consumer has."""
    numbers = connection.find([one.key for one in notes])
    by_state: dict[tuple[State, str | None], list[int]] = {}
    for one in notes:
        if one.key not in numbers:
            raise StepError("a source that has an outcome was never planned")
        by_state.setdefault((one.state, one.reason), []).append(numbers[one.key])
    for (state, reason), some in by_state.items():
        _move(connection, list(dict.fromkeys(some)), state, reason)


def checkpoint(
    connection: Connection,
    notes: Sequence[Note],
    before: Callable[[], Mapping[str, int]],
) -> None:
    """Write down outcomes together with how far the files of results are."""
    note(connection, notes)
    connection.executemany(
        "INSERT OR REPLACE INTO facts VALUES (?, ?)",
        [(f"position {name}", str(value)) for name, value in before().items()],
    )


def positions(connection: sqlite3.Connection) -> dict[str, int] | None:
    """Return how far each file of results was at the last checkpoint; `None` before it."""
    rows = connection.execute("SELECT name, value FROM facts WHERE name LIKE 'position %'")
    found = {name.removeprefix("position "): int(value) for name, value in rows}
    return found or None


def status(connection: sqlite3.Connection) -> RunStatus:
    """Count the run's sources by state, its pieces of work and its failures."""
    rows = connection.execute("SELECT state, sources FROM counts")
    counts = {_state(State, state): count for state, count in rows}
    (sources,) = connection.execute("SELECT coalesce(max(number), 0) FROM sources").fetchone()
    if sum(counts.values()) != sources:
        raise ContentError("more or fewer sources were counted than there are")
    for state, count in _count_parts(connection):
        counts[_state(State, state)] -= count
    (jobs,) = connection.execute(
        "SELECT count(work_id) FROM works WHERE kind != ?", (WHOLE,)
    ).fetchone()
    (resubmitted,) = connection.execute(
        "SELECT count(*) FROM works WHERE state = ?", (WorkState.ABANDONED,)
    ).fetchone()
    reasons = connection.execute(
        "SELECT reason, sources FROM reasons WHERE sources > 0 ORDER BY sources DESC, number"
    )
    known = {state: counts.get(state, 0) for state in State}
    return RunStatus(known, jobs, dict(reasons), resubmitted)


def _count_parts(connection: sqlite3.Connection) -> list[tuple[int, int]]:
    """Count parts of sources by state; they are none that anybody gave."""
    one = connection.execute("SELECT * FROM works WHERE kind = ? LIMIT 1", (PART,)).fetchone()
    if one is None:  # which is nearly always so, and most ledgers have more sources than works
        return []
    return connection.execute(
        "SELECT sources.state, count(*) FROM sources JOIN works ON works.number = work "
        "WHERE kind = ? GROUP BY sources.state",
        (PART,),
    ).fetchall()


def _move(
    connection: sqlite3.Connection,
    numbers: list[int],
    state: State,
    reason: str | None = None,
    *,
    unless: Collection[State] = (),
) -> None:
    """Bring sources into a state, where the table of states allows it, and keep count."""
    changes: dict[State, int] = {state: 0}
    number = None if reason is None else _reason(connection, reason, len(numbers))
    for which, values in conditions(numbers):
        rows = connection.execute(
            "SELECT state, reason, count(*) FROM sources "  # noqa: S608 - a condition with question marks
            f"WHERE number {which} GROUP BY state, reason",
            values,
        ).fetchall()
        for old, old_reason, count in rows:
            before = _state(State, old)
            if state not in TRANSITIONS[before] or before in unless:
                raise StepError(f"a source would go from {before.name} to {state.name}")
            changes[before] = changes.get(before, 0) - count
            changes[state] += count
            connection.execute(
                "UPDATE reasons SET sources = sources - ? WHERE number = ?", (count, old_reason)
            )
        connection.execute(
            f"UPDATE sources SET state = ?, reason = ? WHERE number {which}",  # noqa: S608 - a condition with question marks
            (state, number, *values),
        )
    _count(connection, changes)


def _move_work(
    connection: sqlite3.Connection,
    number: int,
    state: WorkState,
    *,
    unless: Collection[WorkState] = (),
) -> None:
    row = connection.execute("SELECT state FROM works WHERE number = ?", (number,)).fetchone()
    before = _state(WorkState, row[0] if row else -1)
    if state not in WORK_TRANSITIONS[before] or before in unless:
        raise StepError(f"a piece of work would go from {before.name} to {state.name}")
    # In no state but SUBMITTED it has a name.
    connection.execute(
        "UPDATE works SET state = ?, work_id = NULL WHERE number = ?", (state, number)
    )


def _count(connection: sqlite3.Connection, changes: Mapping[State, int]) -> None:
    connection.executemany(
        "UPDATE counts SET sources = sources + ? WHERE state = ?",
        [(change, state) for state, change in changes.items() if change],
    )


def _reason(connection: sqlite3.Connection, reason: str, count: int) -> int:
    connection.execute(
        "INSERT INTO reasons (reason, sources) VALUES (?, ?) "
        "ON CONFLICT (reason) DO UPDATE SET sources = sources + excluded.sources",
        (reason, count),
    )
    number: int
    (number,) = connection.execute(
        "SELECT number FROM reasons WHERE reason = ?", (reason,)
    ).fetchone()
    return number


def _state(kind: type[S], value: object) -> S:
    try:
        return kind(value)  # type: ignore[arg-type]  # whatever the file holds
    except ValueError:
        reason = f"{value!r} is no state"
    raise ContentError(reason)


def _split(blob: object, size: int) -> tuple[bytes, ...]:
    if not isinstance(blob, bytes) or len(blob) % size:
        raise ContentError("the sources of a piece of work cannot be read")
    return tuple(blob[at : at + size] for at in range(0, len(blob), size))
