"""Bodies to disk: whole under their name, or not at all."""

from __future__ import annotations

import asyncio
import errno
import io
import itertools
import json
import os
import socket
import stat
import tempfile
import threading
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, BinaryIO, Self

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_transport import Reply, ScriptedTransport, json_answer
from support import client_of, session_of

from humeai_async import catalog, unpack
from humeai_async._base import atomic_files
from humeai_async.batch import archives, downloads
from humeai_async.batch.downloads import check_json, download, save
from humeai_async.errors import (
    APIConnectionError,
    HumeError,
    InvalidArgumentError,
    NotFoundError,
    SaveError,
)
from humeai_async.http.endpoint import fill
from humeai_async.http.messages import Request, Response
from humeai_async.settings import Retry
from humeai_async.testing import FakeHume

pytestmark = pytest.mark.anyio

CALL = fill(catalog.BATCH_GET_ARTIFACTS, "job-1")
PREDICTIONS = b'[{"source": {"type": "url"}}]'
ONCE = Retry(attempts=1)


def zip_of(*sizes: int) -> bytes:
    """Make an archive with a file of each size."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, size in enumerate(sizes):
            archive.writestr(f"{number}.csv", bytes(n * 31 % 251 for n in range(size)))
    return buffer.getvalue()


ARCHIVE = zip_of(10, 3000)


def fine(_: Path) -> str:
    return ""


async def fetch(path: Path, *script: Reply, check: Any = fine) -> None:
    session = session_of(ScriptedTransport(*script), retry=ONCE)
    await download(session, CALL, path, check)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(params=["new", "old"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Name a file that is not there yet, and one that is."""
    path = tmp_path / "out.json"
    if request.param == "old":
        path.write_bytes(b"before")
    return path


def before(target: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in target.parent.iterdir()}


async def test_a_body_in_memory_is_saved_whole_and_alone(target: Path) -> None:
    body = b"[" + b" " * 3_000_000 + b"]"
    await save(body, target, check_json)
    assert target.read_bytes() == body
    assert names(target.parent) == ["out.json"]


async def test_a_streamed_body_is_saved_whole_and_alone(target: Path) -> None:
    await fetch(target, json_answer(PREDICTIONS), check=check_json)
    assert target.read_bytes() == PREDICTIONS
    assert names(target.parent) == ["out.json"]


async def test_a_path_may_be_text(tmp_path: Path) -> None:
    await save(b"[]", str(tmp_path / "a.json"), check_json)
    assert names(tmp_path) == ["a.json"]


async def test_an_empty_body_is_a_body(tmp_path: Path) -> None:
    await save(b"", tmp_path / "a", fine)
    assert (tmp_path / "a").read_bytes() == b""


async def test_nothing_shows_under_the_name_until_all_is_there(target: Path) -> None:
    seen: list[dict[str, bytes]] = []
    there = before(target)

    def check(partial: Path) -> str:
        seen.append({name: body for name, body in before(target).items() if name != partial.name})
        return ""

    await save(PREDICTIONS, target, check)
    assert seen == [there]


@pytest.mark.parametrize(
    ("body", "check", "reason"),
    [
        (b"<html>", check_json, "what came is not a whole JSON array"),
        (b'[{"a": 1}', check_json, "what came is not a whole JSON array"),
        (b"", check_json, "what came is not a whole JSON array"),
        (b"<html>", archives.check, "what came is not a ZIP archive"),
        (b"", archives.check, "what came is not a ZIP archive"),
        (ARCHIVE[:-30], archives.check, "what came is not a ZIP archive"),
    ],
)
async def test_what_fails_its_check_is_not_saved(
    target: Path, body: bytes, check: Any, reason: str
) -> None:
    there = before(target)
    with pytest.raises(SaveError) as caught:
        await save(body, target, check)
    assert str(caught.value) == f"{target} was not saved: {reason}"
    assert before(target) == there


async def test_a_call_that_fails_saves_nothing(target: Path) -> None:
    there = before(target)
    with pytest.raises(NotFoundError):
        await fetch(target, json_answer(b"{}", 404))
    with pytest.raises(APIConnectionError):
        await fetch(target, APIConnectionError("refused"))
    assert before(target) == there


async def test_a_full_disk_saves_nothing(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = before(target)

    def full(_: BinaryIO) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(atomic_files, "flush", full)
    with pytest.raises(SaveError, match="was not saved: No space left on device"):
        await save(PREDICTIONS, target, check_json)
    with pytest.raises(SaveError, match="was not saved: No space left on device"):
        await fetch(target, json_answer(PREDICTIONS))
    assert before(target) == there


class FullFile(io.FileIO):
    """A file on a disk that is full after a few bytes."""

    @staticmethod
    def made(path: Path, mode: str) -> FullFile:
        """Stand in for `Path.open`."""
        return FullFile(path, mode)

    def write(self, piece: Any, /) -> int:
        if self.tell() + len(piece) > 20:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(piece)


async def test_a_disk_that_fills_up_while_a_body_comes_saves_nothing(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = before(target)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", FullFile.made)
        with pytest.raises(SaveError, match="No space left on device"):
            await fetch(target, json_answer(PREDICTIONS))
    assert before(target) == there


@pytest.mark.parametrize("name", ["no/such/folder/a.json", ".", "a\x00b", "a" * 256, "\ud800"])
async def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(SaveError, match="was not saved"):
        await save(b"[]", tmp_path / name if name != "" else "", check_json)
    assert names(tmp_path) == []


async def test_the_longest_name_that_there_can_be_is_one(tmp_path: Path) -> None:
    longest = "a" * 255
    await save(b"[]", tmp_path / longest, check_json)
    assert names(tmp_path) == [longest]


async def test_a_folder_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(SaveError, match="directory"):
        await save(b"[]", tmp_path / "out", check_json)
    assert names(tmp_path) == ["out"]


async def test_a_cancelled_download_leaves_nothing(target: Path) -> None:
    there = before(target)
    asked = asyncio.Event()

    async def never(_: Request) -> Response:
        asked.set()
        await anyio.sleep_forever()
        raise AssertionError

    task = asyncio.ensure_future(fetch(target, never))
    await asked.wait()
    assert len(names(target.parent)) == len(there) + 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert before(target) == there


async def test_a_download_cancelled_while_it_is_checked_leaves_nothing(target: Path) -> None:
    there = before(target)
    checking, go_on = threading.Event(), threading.Event()

    def check(_: Path) -> str:
        checking.set()
        go_on.wait(5)
        return ""

    task = asyncio.ensure_future(save(PREDICTIONS, target, check))
    await anyio.to_thread.run_sync(checking.wait)
    task.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert before(target) == there


async def test_writing_and_checking_leave_the_event_loop_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: set[threading.Thread] = set()

    class Watched(io.FileIO):
        def write(self, piece: Any, /) -> int:
            threads.add(threading.current_thread())
            return super().write(piece)

    def check(_: Path) -> str:
        threads.add(threading.current_thread())
        return ""

    def opened(path: Path, mode: str) -> Watched:
        return Watched(path, mode)

    monkeypatch.setattr(Path, "open", opened)
    await fetch(tmp_path / "a", json_answer(PREDICTIONS), check=check)
    assert threads
    assert threading.current_thread() not in threads


class Pieces:
    """A transport whose answers come in pieces, with errors and pauses in seconds among them."""

    def __init__(self, *answers: tuple[int, dict[str, str], list[Any]]) -> None:
        self._answers = list(answers)
        self.now = 0.0
        self.asked: list[str | None] = []
        """The Range of each request."""

    async def open(self, request: Request, _: object) -> Self:
        self.asked.append(request.headers.get("Range"))
        self.status, self.headers, self._steps = self._answers.pop(0)
        return self

    async def aclose(self) -> None:
        await anyio.lowlevel.checkpoint()

    async def chunks(self) -> AsyncIterator[bytes]:
        for step in self._steps:
            if isinstance(step, bytes):
                yield step
            elif isinstance(step, HumeError):
                raise step
            else:
                self.now += step


async def writes_of(path: Path, transport: Any) -> list[int]:
    """Save what comes, and return how much was written at once."""
    seen: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(anyio, "current_time", lambda: transport.now)
        session = session_of(transport, retry=Retry(attempts=2, initial_delay=0.001))
        await download(session, CALL, path, fine, lambda done, _: seen.append(done))
    return [now - before for before, now in itertools.pairwise([0, *seen])]


async def test_pieces_that_come_fast_are_written_together_but_boundedly(tmp_path: Path) -> None:
    pieces: list[Any] = [bytes([n]) * (1 << 18) for n in range(40)]
    assert await writes_of(tmp_path / "a", Pieces((200, {}, pieces))) == [
        1 << 18, *[1 << 21] * 4, 7 << 18,
    ]  # fmt: skip
    assert (tmp_path / "a").read_bytes() == b"".join(pieces)


async def test_pieces_that_come_slowly_are_written_as_they_come(tmp_path: Path) -> None:
    steps: list[Any] = [b"a", 0.1, b"b", 0.05, b"c", 0.05, b"d", b"e"]
    assert await writes_of(tmp_path / "a", Pieces((200, {}, steps))) == [1, 1, 2, 1]


async def test_what_came_before_a_body_broke_off_is_not_asked_for_again(tmp_path: Path) -> None:
    broken = APIConnectionError("broken off")
    transport = Pieces(
        (200, {"Content-Length": "5", "ETag": '"1"'}, [b"a", b"b", b"c", broken]),
        (206, {"Content-Range": "bytes 3-4/5", "ETag": '"1"'}, [b"d", b"e"]),
    )
    await writes_of(tmp_path / "a", transport)
    assert (tmp_path / "a").read_bytes() == b"abcde"
    assert transport.asked == [None, "bytes=3-"]


async def test_progress_is_told_piece_by_piece(tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    await save(
        b"x" * 2_500_000, tmp_path / "a", fine, lambda done, whole: told.append((done, whole))
    )
    assert told[-1] == (2_500_000, 2_500_000)
    assert [done for done, _ in told] == sorted({done for done, _ in told})


def check_bytes(folder: Path, body: bytes) -> str:
    path = folder / "a.zip"
    path.write_bytes(body)
    return archives.check(path)


def test_a_whole_archive_is_fine(tmp_path: Path) -> None:
    assert check_bytes(tmp_path, ARCHIVE) == ""
    assert check_bytes(tmp_path, zip_of()) == ""


def test_an_archive_whose_bytes_were_ruined_is_found(tmp_path: Path) -> None:
    # What a gateway does that takes bytes for text.
    assert check_bytes(tmp_path, ARCHIVE.decode("utf-8", "replace").encode()) != ""


@given(st.integers(0, len(ARCHIVE) - 1), st.integers(0, 255))
def test_no_damage_to_an_archive_breaks_its_check(
    tmp_path_factory: pytest.TempPathFactory, place: int, byte: int
) -> None:
    body = bytearray(ARCHIVE)
    body[place] = byte
    assert isinstance(check_bytes(tmp_path_factory.getbasetemp(), bytes(body)), str)


@pytest.mark.parametrize(
    ("body", "good"),
    [
        (b"[]", True),
        (b" \n[1, 2]\n ", True),
        (b"[" + b"1," * 100_000 + b"1]", True),
        (b"{}", False),
        (b"[1, 2", False),
        (b"<html></html>", False),
        (b"", False),
        (b'"[]"', False),
        (b'[{"a": [1]}, {"b": [2]', False),
        (b'[{"a": "]"}, {"b": "[["}]', True),
        (rb'[{"a": "\"]"}, "\\", "\\\""]', True),
        (rb'["\\\\"]"]', False),
        (b'[["a]]', False),
        (b'["' + b"x" * (1 << 16) + b'"]', True),
    ],
)
def test_a_whole_json_array_is_one_whose_brackets_all_close(
    tmp_path: Path, body: bytes, *, good: bool
) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(body)
    assert (check_json(path) == "") is good


@given(
    st.recursive(
        st.none() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
@pytest.mark.slow
def test_json_that_is_cut_anywhere_is_no_whole_array(value: object) -> None:
    body = json.dumps([value, [1]]).encode()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.json"
        path.write_bytes(body)
        assert check_json(path) == ""
        for end in range(0, len(body), 1 + len(body) // 8):
            path.write_bytes(body[:end])
            assert check_json(path) != ""


@pytest.mark.parametrize("size", range(1, 6))
def test_a_backslash_at_the_end_of_a_step_is_read_with_the_next(
    size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "_SCANNED", size)
    path = tmp_path / "a.json"
    path.write_bytes(rb'["\"]", "\\", "\\\"[", {"\\\\": []}]')
    assert check_json(path) == ""


async def test_a_link_stays_one_and_what_it_links_to_is_replaced(tmp_path: Path) -> None:
    real, link = tmp_path / "real" / "a.json", tmp_path / "a.json"
    real.parent.mkdir()
    real.write_bytes(b"old")
    link.symlink_to(real)
    await save(b"new", link, fine)
    assert link.is_symlink()
    assert real.read_bytes() == b"new"
    assert [path.name for path in real.parent.iterdir()] == ["a.json"]


async def test_a_link_to_what_is_not_there_yet_makes_it(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("later.json")
    await save(b"new", tmp_path / "link", fine)
    assert (tmp_path / "later.json").read_bytes() == b"new"


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666])
async def test_the_mode_of_a_file_that_is_replaced_stays_and_holds_while_it_is_written(
    mode: int, tmp_path: Path
) -> None:
    target = tmp_path / "a.json"
    target.write_bytes(b"old")
    target.chmod(mode)
    seen: list[int] = []

    def look(partial: Path) -> str:
        seen.append(stat.S_IMODE(partial.stat().st_mode))
        return ""

    await save(b"new", target, look)
    assert [*seen, stat.S_IMODE(target.stat().st_mode)] == [mode, mode]


def make_device(path: Path) -> None:
    path.symlink_to("/dev/null")


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


@pytest.mark.parametrize(
    ("make", "kind"),
    [(os.mkfifo, "a pipe"), (make_device, "a device"), (make_socket, "a socket")],
)
async def test_what_is_no_file_is_refused_by_name_and_stays(
    make: Callable[[Path], None], kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    target = Path("odd")
    make(target)
    before = target.stat()
    with pytest.raises(SaveError, match=f"it is {kind}"):
        await save(b"new", target, fine)
    assert target.stat() == before
    assert [path.name for path in tmp_path.iterdir()] == ["odd"]


async def test_links_that_lead_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(SaveError, match="symbolic links"):
        await save(b"new", tmp_path / "a", fine)


@pytest.mark.parametrize("path", [b"results.json", 5, None, "", ["a"]], ids=repr)
async def test_what_is_no_path_is_refused_before_anything_is_asked_for(path: Any) -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        requests = len(fake.requests)
        job = hume.batch.job("3fa85f64-5717-4562-b3fc-2c963f66afa6")
        with pytest.raises(InvalidArgumentError, match="path must be a path"):
            await job.save_predictions(path)
        with pytest.raises(InvalidArgumentError, match="path must be a path"):
            await job.save_artifacts(path)
        with pytest.raises(InvalidArgumentError, match="folder must be a path"):
            await hume.batch.predict_into(path, ["https://media.example.com/a.mp4"])
        with pytest.raises(InvalidArgumentError, match="archive must be a path"):
            await unpack(path, "folder")
        with pytest.raises(InvalidArgumentError, match="folder must be a path"):
            await unpack("archive.zip", path)
        assert requests == len(fake.requests)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="there is no such folder here")
@pytest.mark.parametrize("way", ["/dev/fd/{}", "/proc/self/fd/{}", "link"])
def test_a_stream_of_the_process_is_not_replaced(way: str, tmp_path: Path) -> None:
    output = tmp_path / "output"
    with output.open("wb") as opened:
        target = Path(way.format(opened.fileno()))
        if way == "link":
            target = tmp_path / "link"
            target.symlink_to(f"/dev/fd/{opened.fileno()}")
        with pytest.raises(OSError, match="a stream of this process"):
            atomic_files.write_whole(target, [b"results"])
        opened.write(b"what is printed")
    assert b"what is printed" == output.read_bytes()
