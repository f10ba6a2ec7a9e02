"""Every step between states that the table has works on disk, and no other one does."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from bulk_support import draft, urls

import humeai_async.bulk.connection
from humeai_async.bulk import storage
from humeai_async.bulk.connection import Connection
from humeai_async.bulk.ledger_file import close_file, open_file
from humeai_async.bulk.ledger_records import Note, Plan
from humeai_async.bulk.states import TRANSITIONS, WORK_TRANSITIONS, State, WorkState
from humeai_async.bulk.storage import ContentError

KEYS = draft("urls", urls(3)).keys

TO: dict[State, tuple[State, ...]] = {
    State.PLANNED: (),
    State.SUBMITTED: (State.SUBMITTED,),
    State.ARRIVED: (State.SUBMITTED, State.ARRIVED),
    State.FAILED: (State.FAILED,),
    State.UNREADABLE: (State.SUBMITTED, State.UNREADABLE),
}
"""How a source that is planned comes into each state."""


@pytest.fixture
def connection() -> Iterator[Connection]:
    with closing(Connection(":memory:", isolation_level=None)) as opened:
        storage.create(opened, "")
        opened.load_keys()
        yield opened


def planned(connection: Connection) -> Plan:
    return storage.plan(connection, draft("urls", urls(3)))


def bring(connection: Connection, state: State) -> None:
    """Take one step with all sources."""
    if state is State.PLANNED:
        entry = storage.look_up(connection, KEYS)[KEYS[0]]
        if entry.state in {State.SUBMITTED, State.UNREADABLE}:
            storage.end_work(connection, entry.work, WorkState.SENT)
        else:
            planned(connection)
    elif state is State.SUBMITTED:
        entries = storage.look_up(connection, KEYS)
        storage.send(connection, entries[KEYS[0]].work, None)
        storage.submit(connection, entries[KEYS[0]].work, "job-1")
    else:
        reason = None if state is State.ARRIVED else f"why {state.name}"
        storage.note(connection, [Note(key, state, reason) for key in KEYS])


def states(connection: Connection) -> set[State]:
    return {entry.state for entry in storage.look_up(connection, KEYS).values()}


def counts(connection: Connection) -> dict[State, int]:
    return {s: n for s, n in storage.status(connection).counts.items() if n}


@pytest.mark.parametrize(("before", "after"), [*product(State, State)])
def test_a_source_takes_the_steps_of_the_table_and_no_others(
    connection: Connection, before: State, after: State
) -> None:
    planned(connection)
    for state in TO[before]:
        bring(connection, state)
    is_allowed = after in TRANSITIONS[before]
    # A piece of work is submitted once, whatever its sources are.
    if is_allowed:
        bring(connection, after)
    else:
        with pytest.raises(ContentError):
            bring(connection, after)
    assert not is_allowed or states(connection) == {after}
    assert not is_allowed or counts(connection) == {after: 3}


@pytest.mark.parametrize(("before", "after"), [*product(WorkState, WorkState)])
def test_a_piece_of_work_takes_the_steps_of_the_table_and_no_others(
    connection: Connection, before: WorkState, after: WorkState
) -> None:
    def step(number: int, state: WorkState) -> None:
        if state is WorkState.SENT and before is not WorkState.SUBMITTED:
            storage.send(connection, number, 1)
        elif state is WorkState.SUBMITTED:
            storage.submit(connection, number, "job-1")
        else:
            storage.end_work(connection, number, state)

    number = planned(connection).number
    for state in {WorkState.PLANNED: [], WorkState.SENT: [before]}.get(
        before, [WorkState.SENT, before]
    ):
        step(number, state)
    if after in WORK_TRANSITIONS[before]:
        step(number, after)
        assert storage.read_plan(connection, number).state is after
    else:
        with pytest.raises(ContentError):
            step(number, after)


def test_each_state_has_its_row_in_both_tables() -> None:
    assert {None, *State} == set(TRANSITIONS)
    assert {None, *WorkState} == set(WORK_TRANSITIONS)


def test_the_plan_of_a_piece_of_work_is_what_was_sent_whatever_becomes_of_its_sources(
    connection: Connection,
) -> None:
    first = planned(connection)
    bring(connection, State.FAILED)
    again = storage.plan(connection, draft("urls", urls(1)))
    assert storage.read_plan(connection, first.number).keys == KEYS
    assert storage.read_plan(connection, again.number).keys == KEYS[:1]
    assert storage.look_up(connection, KEYS)[KEYS[0]].work == again.number


def test_reasons_are_counted_as_sources_come_and_go(connection: Connection) -> None:
    planned(connection)
    notes = [Note(KEYS[0], State.FAILED, "a"), Note(KEYS[1], State.FAILED, "a")]
    storage.note(connection, [*notes, Note(KEYS[2], State.FAILED, "b")])
    assert storage.status(connection).reasons == {"a": 2, "b": 1}
    storage.plan(connection, draft("urls", urls(2)))
    assert storage.status(connection).reasons == {"b": 1}


def test_keys_are_found_after_they_went_into_the_index(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(humeai_async.bulk.connection, "RECENT", 5)
    for start in range(0, 20, 2):
        some = urls(20)[start : start + 2]
        storage.plan(connection, draft("urls", some))
    assert connection.execute("SELECT count(*) FROM known").fetchone() == (18,)
    found = storage.look_up(connection, draft("urls", urls(20)).keys)
    assert {(start // 2) + 1 for start in range(20)} == {entry.work for entry in found.values()}
    assert len(found) == 20


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE sources SET state = 9",
        "UPDATE works SET state = 'x'",
        "UPDATE plans SET keys = x'00'",
        "UPDATE plans SET marks = 5",
        "UPDATE works SET kind = 'text'",
        "DELETE FROM plans",
    ],
)
def test_content_that_no_run_wrote_is_told_as_such(connection: Connection, statement: str) -> None:
    number = planned(connection).number
    connection.execute(statement)

    def read() -> Any:
        storage.look_up(connection, KEYS)
        storage.read_plan(connection, number)

    with pytest.raises(ContentError):
        read()


@pytest.mark.parametrize("state", [State.SUBMITTED, State.UNREADABLE])
def test_what_is_paid_for_is_neither_planned_nor_sent_again_under_its_name(
    connection: Connection, state: State
) -> None:
    number = planned(connection).number
    for step in TO[state]:
        bring(connection, step)
    with pytest.raises(ContentError):
        planned(connection)
    with pytest.raises(ContentError):
        storage.send(connection, number, 1)


def test_a_piece_of_work_that_loses_its_name_takes_back_what_its_results_were_no_good_for(
    connection: Connection,
) -> None:
    number = planned(connection).number
    bring(connection, State.SUBMITTED)
    storage.note(connection, [Note(KEYS[0], State.ARRIVED), Note(KEYS[1], State.UNREADABLE, "x")])
    storage.end_work(connection, number, WorkState.SENT)
    assert counts(connection) == {State.ARRIVED: 1, State.PLANNED: 2}
    assert storage.read_plan(connection, number).work_id is None
    assert storage.status(connection).reasons == {}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="counts what the process writes")
def test_a_source_costs_a_kilobyte_on_disk_at_most_and_a_status_no_look_at_the_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # By scale three million sources: the index takes in as large a share of itself each time.
    monkeypatch.setattr(humeai_async.bulk.connection, "RECENT", 1000)
    count, size = 23_000, 100
    connection, lock = open_file(tmp_path / "run.db", "")
    before = written()
    for number, start in enumerate(range(0, count, size), 1):
        given = draft("urls", [f"https://media.example.com/{start + n}.mp4" for n in range(size)])
        for step in (
            partial(storage.plan, connection, given),
            partial(storage.send, connection, number, 1),
            partial(storage.submit, connection, number, f"job-{number}"),
            partial(storage.note, connection, [Note(key, State.ARRIVED) for key in given.keys]),
        ):
            with connection.transaction(synchronous="NORMAL"):
                step()
    steps = 0

    def count_steps() -> int:
        nonlocal steps
        steps += 1
        return 0

    connection.set_progress_handler(count_steps, 1)
    status = storage.status(connection)
    connection.set_progress_handler(None, 1)
    close_file(connection, lock)
    assert status.counts[State.ARRIVED] == count
    assert (written() - before) / count < 1024
    assert steps < count / 4


def written() -> int:
    """Return how many bytes this process has written so far."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["wchar"])


def test_keys_are_known_also_while_another_thread_brings_them_into_the_index() -> None:
    class Indexing(Connection):
        """Brings its keys into the index just after it was looked whether there is one."""

        indexed = 0
        is_hooked = False

        @property
        def _indexed(self) -> int:
            value = self.indexed
            if self.is_hooked:
                self.indexed, self._recent = 1, {}
            return value

        @_indexed.setter
        def _indexed(self, value: int) -> None:
            self.indexed = value

    with closing(Indexing(":memory:")) as connection:
        connection.add({KEYS[0]: 1})
        connection.is_hooked = True
        assert connection.may_know(KEYS[:1])
        assert connection.indexed == 1
