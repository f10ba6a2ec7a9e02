"""Where a run stands is read without a trace, whoever reads it and wherever."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from bulk_support import draft, urls

from humeai_async import LedgerError
from humeai_async.bulk.ledger import Ledger, read_status
from humeai_async.bulk.states import State

pytestmark = pytest.mark.anyio


async def make(path: Path) -> Ledger:
    ledger = await Ledger.open(path, "")
    await ledger.plan(draft("urls", urls(3)))
    return ledger


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


async def test_the_ledger_of_a_run_that_ended_is_one_file_and_its_lock(tmp_path: Path) -> None:
    await (await make(tmp_path / "run.db")).aclose()
    assert names(tmp_path) == {"run.db", "run.db.lock"}


async def test_reading_a_finished_run_changes_nothing_in_its_folder(tmp_path: Path) -> None:
    await (await make(tmp_path / "run.db")).aclose()
    before = {file: (file.stat().st_mtime_ns, file.read_bytes()) for file in tmp_path.iterdir()}
    assert (await read_status(tmp_path / "run.db")).counts[State.PLANNED] == 3
    after = {file: (file.stat().st_mtime_ns, file.read_bytes()) for file in tmp_path.iterdir()}
    assert before == after


async def test_reading_a_run_that_goes_on_leaves_no_file_behind(tmp_path: Path) -> None:
    ledger = await make(tmp_path / "run.db")
    before = names(tmp_path)
    assert (await read_status(tmp_path / "run.db")).counts[State.PLANNED] == 3
    assert names(tmp_path) == before
    await ledger.aclose()
    assert names(tmp_path) == {"run.db", "run.db.lock"}


async def test_a_run_that_was_killed_is_read_with_its_last_steps_and_goes_on(
    tmp_path: Path,
) -> None:
    ledger = await make(tmp_path / "run.db")
    killed = tmp_path / "killed"
    killed.mkdir()
    for name in ("run.db", "run.db-wal"):
        shutil.copy(tmp_path / name, killed / name)
    await ledger.aclose()
    assert (await read_status(killed / "run.db")).counts[State.PLANNED] == 3
    assert names(killed) == {"run.db", "run.db-wal"}
    async with await Ledger.open(killed / "run.db", ""):
        pass


async def test_a_reader_while_the_run_ends_does_not_keep_it_from_going_on(tmp_path: Path) -> None:
    for _ in range(3):
        ledger = await make(tmp_path / "run.db")
        await read_status(tmp_path / "run.db")
        await ledger.aclose()
        await read_status(tmp_path / "run.db")


@pytest.mark.parametrize("way", ["a folder", "the file"])
async def test_two_runs_exclude_each_other_through_links(tmp_path: Path, way: str) -> None:
    folder = tmp_path / "real"
    folder.mkdir()
    path = folder / "run.db"
    ledger = await make(path)
    linked = tmp_path / "linked"
    if way == "a folder":
        linked.symlink_to(folder)
        linked = linked / "run.db"
    else:
        linked.symlink_to(path)
    with pytest.raises(LedgerError, match="another run"):
        await Ledger.open(linked, "")
    await ledger.aclose()


async def test_a_ledger_with_a_second_name_is_refused(tmp_path: Path) -> None:
    await (await make(tmp_path / "run.db")).aclose()
    (tmp_path / "second.db").hardlink_to(tmp_path / "run.db")
    with pytest.raises(LedgerError, match="hard link"):
        await Ledger.open(tmp_path / "second.db", "")


@pytest.mark.parametrize("name", [":memory:", "file:run.db", "", ".", "a\0b", 5, None, b"a"])
async def test_what_is_no_name_of_a_file_is_refused_with_advice(name: object) -> None:
    for use in (Ledger.open(name, ""), read_status(name)):
        with pytest.raises(LedgerError, match=r"cannot be (the name of )?a ledger"):
            await use


async def test_a_kill_while_a_ledger_is_made_does_not_spoil_its_folder(tmp_path: Path) -> None:
    (tmp_path / "run.db").write_bytes(b"")
    await (await make(tmp_path / "run.db")).aclose()


async def test_the_lock_is_let_go_where_a_ledger_is_refused(tmp_path: Path) -> None:
    await (await make(tmp_path / "run.db")).aclose()
    with pytest.raises(LedgerError, match="other settings"):
        await Ledger.open(tmp_path / "run.db", "others")
    await (await Ledger.open(tmp_path / "run.db", "")).aclose()


async def test_only_what_is_damaged_is_told_to_be_moved_away(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    path.write_bytes(b"not a database" * 500)
    with pytest.raises(LedgerError, match="move it away"):
        await Ledger.open(path, "")
    path.unlink()
    path.mkdir()
    with pytest.raises(LedgerError) as caught:
        await Ledger.open(path, "")
    assert "move it away" not in str(caught.value)
