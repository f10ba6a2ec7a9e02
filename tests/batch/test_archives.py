"""Archives from elsewhere: what is in them lands in one folder, and nowhere else."""

from __future__ import annotations

import io
import os
import random
import stat
import struct
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from humeai_async import SaveError, unpack
from humeai_async.batch import archives

pytestmark = pytest.mark.anyio


def write(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def special(name: str, mode: int, content: bytes = b"/etc/passwd") -> tuple[zipfile.ZipInfo, bytes]:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (mode | 0o644) << 16
    return entry, content


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path / "a.zip"


def left(tmp_path: Path) -> set[str]:
    """Name what is there beside the archive."""
    return {path.name for path in tmp_path.iterdir()} - {"a.zip"}


async def test_everything_is_unpacked_under_its_name(archive: Path, tmp_path: Path) -> None:
    members = [("000-a/face.csv", b"file,id\r\n"), ("000-a/empty.csv", b""), ("b/", b"")]
    files = await unpack(write(archive, *members), tmp_path / "out")
    assert files == [tmp_path / "out/000-a/face.csv", tmp_path / "out/000-a/empty.csv"]
    assert [path.read_bytes() for path in files] == [b"file,id\r\n", b""]
    assert (tmp_path / "out/b").is_dir()
    assert left(tmp_path) == {"out"}


async def test_an_empty_folder_is_filled(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    await unpack(write(archive, ("a.csv", b"1")), tmp_path / "out")
    assert (tmp_path / "out/a.csv").read_bytes() == b"1"


async def test_a_folder_with_something_in_it_is_left_alone(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine").write_text("mine")
    with pytest.raises(SaveError, match="is not empty"):
        await unpack(write(archive, ("a.csv", b"1")), tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]


@pytest.mark.parametrize(
    "name",
    [
        "../climbed.csv",
        "a/../../climbed.csv",
        "a/..",
        "/absolute.csv",
        "//host/share.csv",
        "C:/windows.csv",
        "c:drive.csv",
        "..\\climbed.csv",
        "a\\b.csv",
        "./here.csv",
        "a//b.csv",
        "line\nbreak.csv",
        "nul\x00.csv",
    ],
)
async def test_a_name_that_leads_elsewhere_is_refused(
    name: str, archive: Path, tmp_path: Path
) -> None:
    entry = zipfile.ZipInfo("x")
    entry.filename = name
    write(archive, ("good.csv", b"1"), (entry, b"2"))
    with pytest.raises(SaveError, match="was not unpacked"):
        await unpack(archive, tmp_path / "out")
    assert left(tmp_path) == set()
    assert not (tmp_path.parent / "climbed.csv").exists()


WINDOWS_NAMES = [
    "CON", "nul.csv", "a/aux.tar.gz", "com1", "LPT9.csv", "com¹.csv", "nul .csv", "a.csv:stream",
    "a.csv.", "a.csv ", "what?.csv", "a|b", "folder./a.csv",
]  # fmt: skip


@pytest.mark.parametrize("name", WINDOWS_NAMES)
@pytest.mark.parametrize("on_windows", [True, False])
async def test_a_name_that_is_no_files_on_windows_is_refused_there(
    name: str, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, on_windows: bool
) -> None:
    monkeypatch.setattr(archives, "_ON_WINDOWS", on_windows)
    write(archive, (name, b"1"))
    if not on_windows:
        assert await unpack(archive, tmp_path / "out") == [tmp_path / "out" / name]
        return
    with pytest.raises(SaveError, match="not a valid file name on Windows"):
        await unpack(archive, tmp_path / "out")
    assert left(tmp_path) == set()


@pytest.mark.parametrize("name", ["console.csv", "nullable", "com10.csv", "a.con", ".csv"])
async def test_a_name_like_that_of_a_device_is_taken_on_windows(
    name: str, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "_ON_WINDOWS", True)
    assert len(await unpack(write(archive, (name, b"1")), tmp_path / "out")) == 1


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
async def test_links_and_special_files_are_refused(
    mode: int, archive: Path, tmp_path: Path
) -> None:
    write(archive, ("good.csv", b"1"), special("link", mode))
    with pytest.raises(SaveError, match="a link or a special file"):
        await unpack(archive, tmp_path / "out")
    assert left(tmp_path) == set()


async def test_a_name_that_is_there_twice_is_refused(archive: Path, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        write(archive, ("a.csv", b"1"), ("a.csv", b"2"))
    with pytest.raises(SaveError, match="File exists"):
        await unpack(archive, tmp_path / "out")
    assert left(tmp_path) == set()


async def test_a_file_that_is_a_folder_too_is_refused(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(SaveError):
        await unpack(write(archive, ("a", b"1"), ("a/b", b"2")), tmp_path / "out")
    assert left(tmp_path) == set()


async def test_too_many_entries_are_refused(archive: Path, tmp_path: Path) -> None:
    write(archive, *((f"{n}.csv", b"") for n in range(4)))
    with pytest.raises(SaveError, match="4 entries, more than 3"):
        await unpack(archive, tmp_path / "out", max_files=3)
    assert len(await unpack(archive, tmp_path / "out", max_files=4)) == 4


async def test_too_many_bytes_are_refused(archive: Path, tmp_path: Path) -> None:
    write(archive, ("a", os.urandom(600)), ("b", os.urandom(401)))
    with pytest.raises(SaveError, match="1001 bytes, more than 1000"):
        await unpack(archive, tmp_path / "out", max_bytes=1000)
    assert len(await unpack(archive, tmp_path / "out", max_bytes=1001)) == 2


async def test_a_bomb_is_refused(archive: Path, tmp_path: Path) -> None:
    write(archive, ("zeros", bytes(20 << 20)))
    with pytest.raises(SaveError, match="200 times its own size"):
        await unpack(archive, tmp_path / "out")
    assert left(tmp_path) == set()


async def test_a_small_archive_may_be_dense(archive: Path, tmp_path: Path) -> None:
    write(archive, ("zeros", bytes(1 << 20)))
    assert len(await unpack(archive, tmp_path / "out")) == 1


def overlapping(path: Path, copies: int) -> Path:
    """Write an archive whose directory names the same bytes many times."""
    write(path, ("zeros", bytes(5 << 20)))
    whole = path.read_bytes()
    end = whole.rindex(b"PK\x05\x06")
    size, start = struct.unpack_from("<II", whole, end + 12)
    one = bytearray(whole[start : start + size])
    directory = b""
    for number in range(copies):
        one[46:51] = f"{number:05d}".encode()
        directory += one
    tail = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, copies, copies, len(directory), start, 0)
    path.write_bytes(whole[:start] + directory + tail)
    return path


async def test_entries_that_share_their_bytes_are_a_bomb(archive: Path, tmp_path: Path) -> None:
    overlapping(archive, 50)
    with pytest.raises(SaveError, match="times its own size"):
        await unpack(archive, tmp_path / "out")
    assert "times its own size" in archives.check(archive)


async def test_an_entry_larger_than_it_says_is_refused(archive: Path, tmp_path: Path) -> None:
    write(archive, ("a", bytes(3 << 20)))
    whole = bytearray(archive.read_bytes())
    for mark, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", whole, whole.index(mark) + place, 10)
    archive.write_bytes(whole)
    with pytest.raises(SaveError, match="cannot be read"):
        await unpack(archive, tmp_path / "out")
    assert left(tmp_path) == set()


@pytest.mark.parametrize("content", [b"", b"PK", b"<html></html>", b"PK\x05\x06" + b"\xff" * 18])
async def test_what_is_no_archive_is_told(content: bytes, archive: Path, tmp_path: Path) -> None:
    archive.write_bytes(content)
    with pytest.raises(SaveError, match="was not unpacked"):
        await unpack(archive, tmp_path / "out")
    assert "archive" in archives.check(archive)
    assert left(tmp_path) == set()


async def test_an_archive_that_is_not_there_is_told(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(SaveError, match="No such file"):
        await unpack(archive, tmp_path / "out")


def flipped(whole: bytearray) -> bytearray:
    whole[40] ^= 0xFF
    return whole


def encrypted(whole: bytearray) -> bytearray:
    whole[6] |= 1
    whole[whole.index(b"PK\x01\x02") + 8] |= 1
    return whole


def strangely_packed(whole: bytearray) -> bytearray:
    struct.pack_into("<H", whole, 8, 97)
    struct.pack_into("<H", whole, whole.index(b"PK\x01\x02") + 10, 97)
    return whole


@pytest.mark.parametrize("spoil", [flipped, encrypted, strangely_packed])
async def test_a_damaged_archive_leaves_nothing(
    spoil: Callable[[bytearray], bytearray], archive: Path, tmp_path: Path
) -> None:
    write(archive, ("a.csv", b"some text, some text, " * 20))
    archive.write_bytes(spoil(bytearray(archive.read_bytes())))
    with pytest.raises(SaveError, match="was not unpacked"):
        await unpack(archive, tmp_path / "out")
    assert archives.check(archive)
    assert left(tmp_path) == set()


def test_a_whole_archive_has_nothing_wrong(archive: Path) -> None:
    assert not archives.check(write(archive, ("a.csv", b"1")))


def test_a_flood_of_damaged_archives_never_crashes_the_check(archive: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as whole:
        whole.writestr("a.csv", b"some text, some text, " * 5)
    good = buffer.getvalue()
    for place in range(len(good)):
        damaged = bytearray(good)
        damaged[place] ^= 0x55
        archive.write_bytes(damaged)
        assert isinstance(archives.check(archive), str)


async def test_a_cancelled_call_stops_and_leaves_nothing(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(archive, *((f"{n}.csv", b"1") for n in range(3)))
    begun, cancelled = anyio.Event(), threading.Event()
    real = archives._extract  # pyright: ignore[reportPrivateUsage]  # the step to hold up

    def extract(*args: object) -> None:
        anyio.from_thread.run_sync(begun.set)
        cancelled.wait(5)
        real(*args)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(archives, "_extract", extract)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(unpack, archive, tmp_path / "out")
        await begun.wait()
        tasks.cancel_scope.cancel()
        cancelled.set()
    assert left(tmp_path) == set()


def test_an_archive_that_was_read_as_text_on_the_way_is_ruined(archive: Path) -> None:
    noise = random.Random(1).randbytes(300)  # noqa: S311 - bytes that are no UTF-8, no secret
    whole = write(archive, ("a.csv", noise), ("b.csv", noise)).read_bytes()
    ruined = whole.decode("utf-8", errors="replace").encode()
    assert ruined.startswith(b"PK")
    assert "not at its place" in archives.check_bytes(ruined)
    archive.write_bytes(ruined)
    assert archives.check(archive) == archives.check_bytes(ruined)


@pytest.mark.parametrize("place", ["before", "inside"])
def test_an_archive_with_bytes_too_many_is_not_as_long_as_it_says(
    place: str, archive: Path
) -> None:
    whole = write(archive, ("a.csv", b"1")).read_bytes()
    end = whole.rindex(b"PK\5\6")
    more = b"more" + whole if place == "before" else whole[:end] + b"more" + whole[end:]
    assert "not at its place" in archives.check_bytes(more)


def test_a_whole_archive_with_a_comment_is_fine(archive: Path) -> None:
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("a.csv", b"1")
        opened.comment = b"x" * 0xFFFF
    assert archives.check(archive) == ""


@pytest.mark.slow
def test_an_archive_of_so_many_files_that_it_needs_longer_numbers_is_fine(archive: Path) -> None:
    with zipfile.ZipFile(archive, "w") as opened:
        for number in range(0x10000):
            opened.writestr(f"{number}", b"")
    whole = archive.read_bytes()
    assert b"PK\6\6" in whole
    assert archives.check_bytes(whole) == ""
    assert "not at its place" in archives.check_bytes(b"more" + whole)


async def test_a_folder_that_is_a_link_stays_one_and_keeps_its_mode(
    archive: Path, tmp_path: Path
) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir(mode=0o700)
    link.symlink_to(real)
    files = await unpack(write(archive, ("a.csv", b"1")), link)
    assert link.is_symlink()
    assert files == [link / "a.csv"]
    assert (real / "a.csv").read_bytes() == b"1"
    assert stat.S_IMODE(real.stat().st_mode) == 0o700
