"""A lock is held by one, and nothing but its holder lets go of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from humeai_async._base.file_lock import FileLock

TRY = """
import sys
from pathlib import Path
from humeai_async._base.file_lock import FileLock
try:
    FileLock(Path(sys.argv[1]))
except BlockingIOError:
    print("held")
"""


def is_held_for_others(file: Path) -> bool:
    command = [sys.executable, "-c", TRY, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own
    return "held" in done.stdout


def test_nobody_else_gets_it_until_it_is_closed(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "a.lock")
    with pytest.raises(BlockingIOError):
        FileLock(tmp_path / "a.lock")
    lock.close()
    lock.close()
    FileLock(tmp_path / "a.lock").close()


@pytest.mark.slow  # another process looks each time
def test_a_copy_of_its_folder_does_not_let_go_of_it(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    lock = FileLock(folder / "a.lock")
    shutil.copytree(folder, tmp_path / "copy")
    assert is_held_for_others(folder / "a.lock")
    lock.close()
    assert not is_held_for_others(folder / "a.lock")


def test_a_file_that_was_removed_or_replaced_is_not_in_place(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "a.lock")
    assert lock.is_in_place()
    (tmp_path / "a.lock").unlink()
    assert not lock.is_in_place()
    other = FileLock(tmp_path / "a.lock")
    assert not lock.is_in_place()
    assert other.is_in_place()
    other.close()
    assert not other.is_in_place()
    lock.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_a_forked_child_neither_holds_it_nor_lets_go_of_it(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "a.lock")
    ready, end = os.pipe(), os.pipe()
    child = os.fork()
    if not child:
        os.write(ready[1], b"x")
        os.close(end[1])
        os.read(end[0], 1)  # until the test is over
        os._exit(0)
    try:
        os.read(ready[0], 1)
        with pytest.raises(BlockingIOError):
            FileLock(tmp_path / "a.lock")
        lock.close()
        FileLock(tmp_path / "a.lock").close()
    finally:
        os.close(end[1])
        os.waitpid(child, 0)
