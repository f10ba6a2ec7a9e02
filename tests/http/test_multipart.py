"""What users give as files becomes parts that can be read piece by piece, and again."""

from __future__ import annotations

import io
import os
import tempfile
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from foreign_values import Url

from humeai_async.errors import InvalidArgumentError
from humeai_async.http.messages import Part, Upload
from humeai_async.http.multipart import LARGEST_FILE, as_part

pytestmark = pytest.mark.anyio

BODY = bytes(range(256)) * 4096
"""A megabyte, which is more than one piece."""


async def read(part: Part) -> bytes:
    if isinstance(part.content, bytes):
        return part.content
    return b"".join([piece async for piece in part.content()])


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    path = tmp_path / "sound.wav"
    path.write_bytes(BODY)
    return path


async def refusal(file: Any, **settings: Any) -> str:
    with pytest.raises(InvalidArgumentError) as caught:
        await as_part(file, **settings)
    assert caught.value.field == "files"
    return caught.value.message


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
async def test_bytes_are_a_part_of_known_size(kind: Any) -> None:
    part = await as_part(kind(BODY))
    assert part == Part("file", BODY, "file", "application/octet-stream", len(BODY))


async def test_a_view_of_wider_items_is_measured_in_bytes() -> None:
    view: Any = memoryview(BODY).cast("I")
    part = await as_part(view)
    assert (part.content, part.size) == (BODY, len(BODY))


async def test_a_path_is_read_piece_by_piece_and_again(sound: Path) -> None:
    part = await as_part(sound)
    assert (part.filename, part.size, part.repeatable) == ("sound.wav", len(BODY), True)
    assert part.content_type in {"audio/wav", "audio/x-wav"}
    assert callable(part.content)
    assert len([piece async for piece in part.content()]) > 1
    assert [await read(part), await read(part)] == [BODY, BODY]


async def test_name_type_and_part_may_be_given(sound: Path) -> None:
    part = await as_part(Upload(sound, "other.mp4", "video/x"), name="labels_file")
    assert (part.name, part.filename, part.content_type) == ("labels_file", "other.mp4", "video/x")


async def test_an_unknown_type_is_just_bytes(tmp_path: Path) -> None:
    path = tmp_path / "thing.unheard-of"
    path.write_bytes(b"")
    part = await as_part(path)
    assert (part.content_type, part.size) == ("application/octet-stream", 0)


@pytest.mark.skipif(os.name == "nt", reason="file names are text there")
async def test_a_file_name_that_is_no_text_can_still_be_sent(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.wav"))
    path.write_bytes(b"x")
    part = await as_part(path)
    assert (part.filename or "").encode()
    assert await read(part) == b"x"


@pytest.mark.parametrize("name", ['a"b.wav', "a\r\nX-Header: y.wav", "a\x00b", "ü.wav"])
async def test_a_file_name_never_breaks_the_header_it_stands_in(name: str) -> None:
    part = await as_part(Upload(b"x", name))
    assert (part.filename or "").isprintable()
    assert part.filename is not None
    assert part.filename.startswith(name[0])


async def test_an_open_file_is_read_from_where_it_stands_and_again_from_there(sound: Path) -> None:
    with sound.open("rb") as opened:
        opened.seek(1000)
        part = await as_part(opened)
        assert (part.filename, part.size, part.repeatable) == ("sound.wav", len(BODY) - 1000, True)
        assert opened.tell() == 1000
        assert [await read(part), await read(part)] == [BODY[1000:], BODY[1000:]]


async def test_a_file_in_memory_has_no_name() -> None:
    part = await as_part(io.BytesIO(BODY))
    assert (part.filename, part.size) == ("file", len(BODY))
    assert await read(part) == BODY


async def test_a_temporary_file_without_a_name_has_none() -> None:
    with tempfile.TemporaryFile() as opened:
        assert (await as_part(opened)).filename == "file"


async def test_a_pipe_is_read_once() -> None:
    out, into = os.pipe()
    with os.fdopen(into, "wb") as writing:
        writing.write(b"x" * 1000)
    with os.fdopen(out, "rb") as reading:
        part = await as_part(reading)
        assert (part.filename, part.size, part.repeatable) == ("file", None, False)
        assert await read(part) == b"x" * 1000


async def test_an_async_iterator_is_read_once() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"a"
        yield b"b"

    part = await as_part(pieces())
    assert (part.size, part.repeatable) == (None, False)
    assert await read(part) == b"ab"


async def test_a_function_that_gives_iterators_is_called_anew_each_time() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"a"

    part = await as_part(pieces)
    assert part.repeatable
    assert [await read(part), await read(part)] == [b"a", b"a"]


async def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "missing.wav"
    assert await refusal(path) == f"cannot upload {path}: No such file or directory"


async def test_a_directory_is_no_file(tmp_path: Path) -> None:
    assert await refusal(tmp_path) == f"cannot upload {tmp_path}: it is not a file"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are none on this system")
async def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with anyio.fail_after(5):
        assert "it is not a file" in await refusal(path)


async def test_a_file_that_may_not_be_read_is_refused_at_once(
    sound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(io, "open", forbidden)
    monkeypatch.setattr(Path, "open", forbidden)
    assert await refusal(sound) == f"cannot upload {sound}: Permission denied"


async def test_a_path_with_a_null_in_it_is_refused() -> None:
    assert "cannot upload" in await refusal(Path("a\x00b"))


@pytest.mark.parametrize("file", [7, None, ["a.wav"], object()])
async def test_what_is_no_file_is_refused_with_advice(file: Any) -> None:
    assert "a file is bytes, a path" in await refusal(file)


async def test_a_text_is_taken_for_a_path(sound: Path) -> None:
    assert (await as_part(sound)).filename == (await as_part(str(sound))).filename


async def test_a_file_opened_as_text_is_refused(sound: Path) -> None:
    with sound.open(encoding="latin-1") as opened:
        assert '"rb"' in await refusal(opened)
    assert '"rb"' in await refusal(io.StringIO("text"))


async def test_a_closed_file_is_refused(sound: Path) -> None:
    with sound.open("rb") as opened:
        pass
    assert "closed" in await refusal(opened)


async def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.mp4"
    with path.open("wb") as opened:
        opened.truncate(LARGEST_FILE + 1)
    assert await refusal(path) == ("huge.mp4 has 100 MB; 100 MB are the most for one uploaded file")
    with path.open("rb") as opened:
        await refusal(opened)
        opened.seek(1)
        assert (await as_part(opened)).size == LARGEST_FILE


async def test_the_limit_itself_is_allowed() -> None:
    assert (await as_part(b"x" * 10, largest=10)).size == 10
    await refusal(b"x" * 11, largest=10)


async def lines() -> AsyncIterator[Any]:
    yield b"bytes, and then "
    yield "text"


@pytest.mark.parametrize(("content", "kind"), [(lines, "str"), (lines(), "str"), (list, "list")])
async def test_what_gives_something_else_than_bytes_is_told(content: Any, kind: str) -> None:
    part = await as_part(Upload(content, "a.wav"))
    with pytest.raises(InvalidArgumentError, match=rf"a\.wav .*gives .*{kind}") as caught:
        await read(part)
    assert caught.value.field == "files"


async def test_what_does_not_tell_its_size_is_cut_short_at_the_limit() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 10

    part = await as_part(Upload(pieces, "a.wav"), largest=95)
    with pytest.raises(InvalidArgumentError, match=r"a\.wav has more than"):
        await read(part)


@pytest.mark.parametrize("change", [b"", BODY + b"more"], ids=["shorter", "longer"])
async def test_a_file_that_changes_before_it_is_sent_is_told(sound: Path, change: bytes) -> None:
    part = await as_part(sound)
    sound.write_bytes(change)
    with pytest.raises(InvalidArgumentError, match="changed"):
        await read(part)


async def test_a_file_that_goes_away_before_it_is_sent_is_told(sound: Path) -> None:
    part = await as_part(sound)
    sound.unlink()
    with pytest.raises(InvalidArgumentError, match="No such file"):
        await read(part)


class Slow(io.BytesIO):
    """A file on a disk that waits for something that the event loop must do first."""

    def __init__(self, body: bytes, freed: Any) -> None:
        super().__init__(body)
        self._freed = freed

    def read(self, size: int | None = -1, /) -> bytes:
        self._freed.wait(5)
        return super().read(size)


async def test_reading_a_file_leaves_the_event_loop_free() -> None:
    freed = threading.Event()
    part = await as_part(Slow(b"body", freed))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(anyio.to_thread.run_sync, freed.set)
        assert await read(part) == b"body"
    assert freed.is_set()


async def test_the_argument_that_a_file_was_given_in_is_named(tmp_path: Path) -> None:
    wrong: list[Any] = [tmp_path, 7, io.StringIO(), b"x" * 11]
    for bad in wrong:
        with pytest.raises(InvalidArgumentError) as caught:
            await as_part(bad, argument="labels_file", largest=10)
        assert caught.value.field == "labels_file"


async def test_the_repr_of_a_part_shows_no_content() -> None:
    assert "private" not in repr(await as_part(Upload(b"private", "a.txt")))


async def test_a_file_of_a_web_framework_is_refused_with_what_to_give_instead() -> None:
    class UploadFile:
        """As Starlette has it: a file whose methods are asynchronous."""

        file = io.BytesIO(b"body")

        async def read(self, size: int = -1) -> bytes:
            raise NotImplementedError(size)

    wrong: Any = UploadFile()
    with pytest.raises(InvalidArgumentError, match=r"UploadFile.read\(\) is asynchronous.*`file`"):
        await as_part(wrong)


@pytest.mark.parametrize(
    "content_type",
    [
        "\ud800/x",
        "audio/\ud83d",
        "te\r\nxt/plain",
        "audio",
        "audio/",
        "a/b;",
        "a b/c",
        "a/ü",
        5,
    ],
)
async def test_a_type_that_cannot_stand_in_a_header_is_refused_at_once(content_type: Any) -> None:
    said = await refusal(Upload(b"x", "a.wav", content_type))
    assert "the content_type of an Upload is a type such as 'audio/wav'" in said
    assert said.isascii()


@pytest.mark.parametrize(
    "content_type",
    ["audio/wav", "application/vnd.api+json", 'text/csv; charset=utf-8; header="a b"', "audio/x-w"],
)
async def test_types_are_taken_as_they_are_given(content_type: str) -> None:
    part = await as_part(Upload(b"x", "a.wav", content_type))
    assert part.content_type == content_type


async def test_a_type_that_is_left_empty_is_guessed() -> None:
    assert (await as_part(Upload(b"x", "a.png", ""))).content_type == "image/png"


async def test_names_and_types_of_other_classes_are_texts() -> None:
    part = await as_part(Upload(b"x", Url("a.wav"), Url("audio/wav")))
    assert (part.filename, part.content_type) == ("a.wav", "audio/wav")
    assert (type(part.filename), type(part.content_type)) == (str, str)


async def test_a_name_that_is_no_text_is_refused() -> None:
    name: Any = 5
    assert "the filename of an Upload is a text, not int" in await refusal(Upload(b"x", name))


@pytest.mark.parametrize(
    "address",
    [
        "https://user:m4rk3d@media.example.com/a.wav?sig=m4rk3d",
        Path("https://media.example.com/a.wav?sig=m4rk3d"),
        "s3://bucket/m4rk3d.wav",
    ],
)
async def test_a_url_in_place_of_a_file_is_refused_and_not_repeated(address: Any) -> None:
    said = await refusal(address)
    assert "a URL is not a file" in said
    assert "m4rk3d" not in said
