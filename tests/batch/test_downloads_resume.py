"""Bodies to disk that break off on the way: gone on with, or begun anew, and never spoiled."""

from __future__ import annotations

import asyncio
import gzip
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

import anyio
import pytest
from rawserver import Act, RawServer, answer, raw
from support import client_of

from humeai_async import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    HumeAI,
    Retry,
    SaveError,
    Timeout,
)
from humeai_async.batch import downloads
from humeai_async.testing import FakeHume, Fault
from humeai_async.testing.options import Options

pytestmark = pytest.mark.anyio

BODY = b"[" + bytes(range(48, 58)) * 20_000 + b"]"
HALF = len(BODY) // 2
TAG = {"ETag": '"one"'}
EARLY, LATE = "Mon, 12 May 2025 14:00:00 GMT", "Mon, 12 May 2025 15:00:00 GMT"
QUICK = Retry(attempts=3, initial_delay=0.001)


class Progress:
    """Notes how a download goes, and tells when something has come."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, int | None]] = []
        self.came = asyncio.Event()

    def __call__(self, done: int, total: int | None) -> None:
        self.seen.append((done, total))
        if done >= HALF:
            self.came.set()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each piece written, and told, when it comes: servers here wait for that."""
    monkeypatch.setattr(downloads, "_PATIENCE", 0.0)


@pytest.fixture
def progress() -> Progress:
    return Progress()


def broken(
    progress: Progress, headers: Mapping[str, str], body: bytes = BODY, half: int = HALF
) -> Act:
    """Promise a whole body and close once the client has written the first half."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())

    async def act(writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n{lines}\r\n"
        writer.write(head.encode() + body[:half])
        await progress.came.wait()
        writer.close()

    return act


def rest(
    start: int = HALF,
    body: bytes = BODY,
    total: int | None = None,
    headers: Mapping[str, str] = TAG,
) -> Act:
    """Send a part, from one byte on."""
    where = f"bytes {start}-{len(body) - 1}/{total or len(body)}"
    fields = {"Content-Range": where, **headers}
    return answer(body[start:], status="206 Partial Content", headers=fields)


def asked(server: RawServer) -> list[str | None]:
    """Return the Range of each request."""
    found = [re.search(r"(?im)^range: (.*?)\r$", head) for head in server.heads]
    return [match[1] if match else None for match in found]


def client(server: RawServer, **settings: object) -> HumeAI:
    return HumeAI(api_key="key", base_url=server.url, **{"retry": QUICK, **settings})  # type: ignore[arg-type]  # settings of some tests


async def save(server: RawServer, target: Path, progress: Progress, **settings: object) -> None:
    async with client(server, **settings) as hume:
        await hume.batch.job("job-1").save_predictions(target, on_progress=progress)


async def test_the_rest_is_asked_for_where_a_body_broke_off(
    tmp_path: Path, progress: Progress
) -> None:
    target = tmp_path / "a.json"
    async with RawServer(broken(progress, TAG), rest()) as server:
        await save(server, target, progress)
    assert target.read_bytes() == BODY
    assert asked(server) == [None, f"bytes={HALF}-"]
    assert 'If-Range: "one"' in server.heads[1]
    assert "Accept-Encoding: identity" in server.heads[1]
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


async def test_progress_goes_on_from_where_it_was(tmp_path: Path, progress: Progress) -> None:
    async with RawServer(broken(progress, TAG), rest()) as server:
        await save(server, tmp_path / "a.json", progress)
    counts = [done for done, _ in progress.seen]
    assert counts == sorted(counts)
    assert {total for _, total in progress.seen} == {len(BODY)}
    assert counts[-1] == len(BODY)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"ETag": 'W/"weak"'},
        {"Last-Modified": EARLY},
        {"Last-Modified": EARLY, "Date": EARLY},
        {"Last-Modified": "yesterday", "Date": LATE},
        {"Last-Modified": EARLY, "Date": LATE, "ETag": 'W/"weak"'},
    ],
    ids=["nothing", "weak tag", "date alone", "just changed", "no date", "date and weak tag"],
)
async def test_a_body_that_nothing_names_for_sure_begins_anew(
    headers: dict[str, str], tmp_path: Path, progress: Progress
) -> None:
    async with RawServer(broken(progress, headers), answer(BODY)) as server:
        await save(server, tmp_path / "a.json", progress)
    assert (tmp_path / "a.json").read_bytes() == BODY
    assert asked(server) == [None, None]


async def test_a_body_that_changed_long_before_it_was_sent_is_gone_on_with(
    tmp_path: Path, progress: Progress
) -> None:
    dates = {"Last-Modified": EARLY, "Date": LATE}
    async with RawServer(broken(progress, dates), rest(headers=dates)) as server:
        await save(server, tmp_path / "a.json", progress)
    assert (tmp_path / "a.json").read_bytes() == BODY
    assert f"If-Range: {EARLY}" in server.heads[1]


OTHER = b"[" + bytes(range(49, 59)) * 20_000 + b"]"
DATES = {"Last-Modified": EARLY, "Date": LATE}
MIXES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "another tag": (TAG, {"ETag": '"two"'}),
    "the tag grown weak": (TAG, {"ETag": 'W/"one"'}),
    "no tag": (TAG, {}),
    "another date beside the tag": ({**TAG, **DATES}, {**TAG, "Last-Modified": LATE}),
    "another date": (DATES, {"Last-Modified": LATE}),
    "no date": (DATES, {}),
    "a tag beside the date": (DATES, {**DATES, **TAG}),
    "packed": (TAG, {**TAG, "Content-Encoding": "gzip"}),
    "an end beyond the body": (TAG, {**TAG, "Content-Range": f"bytes {HALF}-9999999/{len(BODY)}"}),
    "no total": (TAG, {**TAG, "Content-Range": f"bytes {HALF}-{len(BODY) - 1}/*"}),
    "other units": (TAG, {**TAG, "Content-Range": f"items {HALF}-{len(BODY) - 1}/{len(BODY)}"}),
}


@pytest.mark.parametrize("mix", MIXES)
async def test_parts_of_two_bodies_are_never_mixed(
    mix: str, tmp_path: Path, progress: Progress
) -> None:
    first, second = MIXES[mix]
    part = rest(body=OTHER, headers=second)
    async with RawServer(broken(progress, first), part, answer(OTHER)) as server:
        await save(server, tmp_path / "a.json", progress)
    assert (tmp_path / "a.json").read_bytes() == OTHER
    assert asked(server) == [None, f"bytes={HALF}-", None]


async def test_a_part_that_nobody_asked_for_is_not_taken_for_the_whole(
    tmp_path: Path, progress: Progress
) -> None:
    async with RawServer(rest(0), answer(BODY)) as server:
        await save(server, tmp_path / "a.json", progress)
    assert asked(server) == [None, None]


async def test_a_server_that_sends_the_rest_in_parts_is_asked_for_each(
    tmp_path: Path, progress: Progress
) -> None:
    third = HALF + 1000
    where = {**TAG, "Content-Range": f"bytes {HALF}-{third - 1}/{len(BODY)}"}
    part = answer(BODY[HALF:third], status="206 Partial Content", headers=where)
    async with RawServer(broken(progress, TAG), part, rest(third)) as server:
        await save(server, tmp_path / "a.json", progress)
    assert (tmp_path / "a.json").read_bytes() == BODY
    assert asked(server) == [None, f"bytes={HALF}-", f"bytes={third}-"]


async def test_a_body_without_a_length_that_is_cut_behind_an_inner_bracket_is_not_saved(
    tmp_path: Path, progress: Progress
) -> None:
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    async with RawServer(raw(head + b'[{"a": [1]},{"b": [2]')) as server:
        with pytest.raises(SaveError, match="not a whole JSON array"):
            await save(server, tmp_path / "a.json", progress)
    assert list(tmp_path.iterdir()) == []


async def test_a_server_that_sends_the_whole_again_is_taken_at_its_word(
    tmp_path: Path, progress: Progress
) -> None:
    other = b"[" + b"2" * 1000 + b"]"
    async with RawServer(broken(progress, TAG), answer(other)) as server:
        await save(server, tmp_path / "a.json", progress)
    assert (tmp_path / "a.json").read_bytes() == other
    assert progress.seen[-1] == (len(other), len(other))


@pytest.mark.parametrize(
    "wrong",
    [
        rest(HALF + 1),
        rest(0),
        rest(total=len(BODY) + 1),
        answer(BODY[HALF:], status="206 Partial Content"),
        answer(b"", status="416 Range Not Satisfiable"),
    ],
    ids=["later", "earlier", "another-size", "no-content-range", "416"],
)
async def test_a_part_that_does_not_fit_is_not_written(
    wrong: Act, tmp_path: Path, progress: Progress
) -> None:
    async with RawServer(broken(progress, TAG), wrong, answer(BODY)) as server:
        await save(server, tmp_path / "a.json", progress)
    assert (tmp_path / "a.json").read_bytes() == BODY
    assert asked(server) == [None, f"bytes={HALF}-", None]


@pytest.mark.parametrize(
    ("headers", "sent"),
    [({**TAG, "Accept-Ranges": "none"}, BODY), ({**TAG, "Content-Encoding": "gzip"}, None)],
    ids=["no-ranges", "packed"],
)
async def test_a_body_that_cannot_be_gone_on_with_begins_anew(
    headers: dict[str, str], sent: bytes | None, tmp_path: Path, progress: Progress
) -> None:
    packed = gzip.compress(BODY, 0)
    first = broken(progress, headers, sent or packed, half=len(packed) - 100)
    async with RawServer(first, answer(BODY)) as server:
        await save(server, tmp_path / "a.json", progress)
    assert (tmp_path / "a.json").read_bytes() == BODY
    assert asked(server) == [None, None]


async def test_a_body_that_always_breaks_off_ends_the_download(
    tmp_path: Path, progress: Progress
) -> None:
    start = f"bytes {HALF}-{len(BODY) - 1}/{len(BODY)}"

    async def nothing_more(writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 206 Partial Content\r\nContent-Length: {len(BODY) - HALF}\r\n"
        writer.write(f'{head}Content-Range: {start}\r\nETag: "one"\r\n\r\n'.encode())
        writer.close()

    async with RawServer(broken(progress, TAG), nothing_more) as server:
        with pytest.raises(APIConnectionError):
            await save(server, tmp_path / "a.json", progress)
    assert len(server.heads) == 1 + (QUICK.attempts - 1)
    assert list(tmp_path.iterdir()) == []


async def test_breaks_are_no_reason_to_give_up_while_bytes_come(tmp_path: Path) -> None:
    steps = 20
    size = len(BODY) // steps
    seen = asyncio.Event()

    def piece(start: int) -> Act:
        async def act(writer: asyncio.StreamWriter) -> None:
            seen.clear()
            part = 'ETag: "one"\r\n'
            if start:
                part += f"Content-Range: bytes {start}-{len(BODY) - 1}/{len(BODY)}\r\n"
            status = "206 Partial Content" if start else "200 OK"
            head = f"HTTP/1.1 {status}\r\nContent-Length: {len(BODY) - start}\r\n{part}\r\n"
            writer.write(head.encode() + BODY[start : start + size])
            await seen.wait()
            writer.close()

        return act

    def note(done: int, _: int | None) -> None:
        if done % size == 0:
            seen.set()

    acts = [piece(n * size) for n in range(steps)]
    async with RawServer(*acts, rest(steps * size)) as server, client(server) as hume:
        await hume.batch.job("job-1").save_predictions(tmp_path / "a.json", on_progress=note)
    assert (tmp_path / "a.json").read_bytes() == BODY
    assert len(server.heads) > 3 * QUICK.attempts


async def test_an_error_on_the_way_back_is_raised(tmp_path: Path, progress: Progress) -> None:
    gone = answer(b'{"message": "gone"}', status="404 Not Found")
    async with RawServer(broken(progress, TAG), gone) as server:
        with pytest.raises(APIStatusError, match="gone"):
            await save(server, tmp_path / "a.json", progress)
    assert list(tmp_path.iterdir()) == []


async def test_the_total_timeout_is_for_all_parts_together(
    tmp_path: Path, progress: Progress
) -> None:
    async def never(_: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with RawServer(broken(progress, TAG), never) as server:
        began = anyio.current_time()
        with pytest.raises(APITimeoutError):
            await save(server, tmp_path / "a.json", progress, timeout=Timeout(total=0.3))
        assert anyio.current_time() - began < 0.6
    assert list(tmp_path.iterdir()) == []


async def test_a_cancelled_download_leaves_nothing(tmp_path: Path, progress: Progress) -> None:
    async def stuck(writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(BODY)}\r\n\r\n".encode())
        writer.write(BODY[:HALF])
        await asyncio.Event().wait()

    async with RawServer(stuck) as server, anyio.create_task_group() as tasks:
        tasks.start_soon(save, server, tmp_path / "a.json", progress)
        await progress.came.wait()
        assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
        tasks.cancel_scope.cancel()
    assert list(tmp_path.iterdir()) == []


async def test_a_file_that_was_there_stays_when_a_download_fails(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    target.write_text("old")
    async with RawServer(answer(b"<html>")) as server, client(server) as hume:
        with pytest.raises(SaveError, match="not a whole JSON array"):
            await hume.batch.job("job-1").save_predictions(target)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


async def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    async with RawServer(answer(BODY)) as server, client(server) as hume:
        with pytest.raises(SaveError, match="No such file"):
            await hume.batch.job("job-1").save_predictions(tmp_path / "no" / "a.json")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["truncate", "reset-body"])
@pytest.mark.parametrize("ranges", [True, False])
async def test_artifacts_survive_broken_connections(
    kind: str, ranges: bool, tmp_path: Path
) -> None:
    fault = Fault(kind, path="*/artifacts", times=2)  # type: ignore[arg-type]  # one of two kinds
    options = Options(ranges=ranges, frames=200)
    target = tmp_path / "a.zip"
    async with FakeHume(options=options) as fake, client_of(fake, retry=QUICK) as hume:
        job = await hume.batch.start_job(urls=["https://media.example.com/a.mp4"])
        await job.wait()
        expected = await hume.batch.get_artifacts(job.id)
        fake.faults.add(fault)
        await job.save_artifacts(target)
        assert target.read_bytes() == expected
    assert zipfile.ZipFile(target).testzip() is None
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


@pytest.mark.parametrize("dialect", ["gateway-documented", "gateway-recorded"])
async def test_progress_is_told_through_a_gateway_too(dialect: str, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []

    def note(done: int, total: int | None) -> None:
        seen.append((done, total))

    async with FakeHume(dialect=dialect) as fake, client_of(fake) as hume:  # type: ignore[arg-type]  # one of two
        job = await hume.batch.start_job(urls=["https://media.example.com/a.mp4"])
        await job.wait()
        await job.save_predictions(tmp_path / "a.json", on_progress=note)
    size = (tmp_path / "a.json").stat().st_size
    assert seen[-1] == (size, size)
