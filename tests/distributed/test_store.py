"""The folder of a run on a disk without links, in stores without renames, and where it is not."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from humeai_async import ConfigurationError, SaveError
from humeai_async.distributed.store import LocalStore, ObjectStore, open_store


def no_links(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def link(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", link)


def test_what_is_not_there_is_none_and_no_names(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "run")
    assert store.read("a") is None
    assert not store.has("a")
    assert store.names("sources") == []


@pytest.mark.parametrize("kind", ["local", pytest.param("memory", marks=pytest.mark.server)])
def test_a_file_that_is_there_is_and_a_folder_is_no_file(kind: str, tmp_path: Path) -> None:
    store = open_store(tmp_path if kind == "local" else f"memory://{tmp_path}")
    store.put("folder/a", b"")
    assert store.has("folder/a")
    assert not store.has("folder")
    assert not store.has("folder/b")


@pytest.mark.server
def test_a_store_that_fails_is_not_taken_for_one_without_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ConnectionError("gone")

    monkeypatch.setattr("fsspec.implementations.memory.MemoryFileSystem.info", fail)
    with pytest.raises(SaveError, match="gone"):
        open_store("memory://somewhere").has("a")


def test_partial_files_are_not_among_the_names(tmp_path: Path) -> None:
    for name in ("b", "a", ".c.part"):
        (tmp_path / name).touch()
    (tmp_path / "folder").mkdir()
    assert LocalStore(tmp_path).names("") == ["a", "b"]


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP])
def test_a_disk_without_links_keeps_what_was_there_first(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_links(monkeypatch, number)
    store = LocalStore(tmp_path)
    assert store.put_new("a", b"first")
    assert not store.put_new("a", b"second")
    assert store.read("a") == b"first"
    assert [one.name for one in tmp_path.iterdir()] == ["a"]


def test_a_disk_that_fails_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_links(monkeypatch, errno.EIO)
    with pytest.raises(SaveError, match=str(tmp_path)):
        LocalStore(tmp_path).put_new("a", b"")
    assert not list(tmp_path.iterdir())


def test_a_url_of_a_file_is_a_folder_of_this_machine(tmp_path: Path) -> None:
    store = open_store((tmp_path / "run 7").as_uri())
    assert isinstance(store, LocalStore)
    assert store.folder == tmp_path / "run 7"


@pytest.mark.server  # fsspec is in the extra
@pytest.mark.parametrize("into", ["nowhere://a", "zip://a::file:///not-there.zip", "reference://"])
def test_what_fsspec_cannot_open_is_a_configuration_error(into: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be used"):
        open_store(into)


@pytest.mark.parametrize("into", ["", 7, b"bytes", "a\0b"])
def test_what_is_no_path_is_a_configuration_error(into: Any) -> None:
    with pytest.raises(ConfigurationError, match="is no folder"):
        open_store(into)


@pytest.mark.server  # fsspec is in the extra
def test_a_store_that_shows_half_a_file_is_written_beside_and_renamed(tmp_path: Path) -> None:
    store = ObjectStore(f"file://{tmp_path}/run", "sftp")
    store.put("sources/a", b"one")
    (tmp_path / "local").write_bytes(b"two")
    store.put_file("b", tmp_path / "local")
    assert (store.read("sources/a"), store.read("b"), store.read("c")) == (b"one", b"two", None)
    assert store.names("") == ["b"]
    assert store.names("sources") == ["a"]
    assert store.names("nowhere") == []
