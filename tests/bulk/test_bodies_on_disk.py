"""A large job of a bulk run lies on disk, and one of its sources in memory."""

from __future__ import annotations

import asyncio
import errno
import functools
import io
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from bulk_support import submitted, urls
from cancelling import open_files
from support import client_of, media_folder

from humeai_async import DecodeError, HumeAI, ResponseTooLargeError, SaveError
from humeai_async.bulk import bodies, collecting, runs
from humeai_async.bulk.bodies import Body
from humeai_async.settings import Pool
from humeai_async.testing import FakeHume, Fault
from humeai_async.types.predictions.stored import StoredPredictions

pytestmark = pytest.mark.anyio
PREDICTIONS = "*/predictions"
WHOLE = 10_000_000


@pytest.fixture(autouse=True)
def all_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "IN_MEMORY", 1000)
    monkeypatch.setattr(collecting, "_LARGE_BODY", 1000)
    monkeypatch.setattr(collecting, "STEP_BYTES", 1)


@pytest.fixture
async def fake() -> AsyncIterator[FakeHume]:
    async with FakeHume(frames=4) as fake:
        yield fake


@pytest.fixture
async def hume(fake: FakeHume) -> AsyncIterator[HumeAI]:
    async with client_of(fake) as hume:
        yield hume


async def take(outcomes: Any) -> list[Any]:
    return [one async for one in outcomes]


def given(kind: str, folder: Path) -> list[Any]:
    if kind == "urls":
        return urls(5)
    if kind == "files":
        return list(media_folder(folder, 4))
    return [f"What a day it was, number {number}!" for number in range(5)]


@pytest.mark.parametrize("kind", ["urls", "files", "texts"])
async def test_what_is_read_from_disk_is_what_is_read_from_memory(
    kind: str, hume: HumeAI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = given(kind, tmp_path)
    models: Any = {"language": {}} if kind == "texts" else {"face": {}}
    on_disk = await take(hume.batch.predict(sources, models=models))
    monkeypatch.setattr(bodies, "IN_MEMORY", WHOLE)
    in_memory = await take(hume.batch.predict(sources, models=models))
    assert len(on_disk) == len(sources)
    for one, other in zip(on_disk, in_memory, strict=True):
        assert one.source == other.source
        assert one.predictions is not None
        assert one.predictions == other.predictions


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Note the places of sources that are read."""
    read: list[Any] = []
    read_one = StoredPredictions.read

    def noting(found: StoredPredictions, place: int) -> Any:
        read.append(place)
        return read_one(found, place)

    monkeypatch.setattr(StoredPredictions, "read", noting)
    return read


async def test_a_source_is_read_once_the_one_before_was_taken(
    hume: HumeAI, read: list[Any]
) -> None:
    async with hume.batch.predict(urls(5), models={"face": {}}) as outcomes:
        first = await anext(outcomes)
        assert read == [0]
        assert 0 < first.size < 100_000
        await take(outcomes)
    assert read == [0, 1, 2, 3, 4]


async def test_small_sources_are_read_a_few_at_a_time(
    hume: HumeAI, read: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hume.batch.predict(urls(1), models={"face": {}}) as outcomes:
        size = (await anext(outcomes)).size
    read.clear()
    monkeypatch.setattr(collecting, "STEP_BYTES", 2 * size - 100)
    async with hume.batch.predict(urls(5), models={"face": {}}) as outcomes:
        await anext(outcomes)
        assert read == [0, 1]
        await take(outcomes)
    assert read == [0, 1, 2, 3, 4]


async def test_sources_are_written_before_too_many_of_their_bytes_wait(
    hume: HumeAI, read: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "WRITE_BYTES", 1)
    monkeypatch.setattr(runs, "WRITE_SECONDS", 60.0)
    await hume.batch.predict_into(
        tmp_path, urls(5), models={"face": {}}, on_outcome=lambda _: read.append("written")
    )
    assert read.index("written") < read.index(4)


async def test_a_body_in_another_form_is_read_whole(
    hume: HumeAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StoredPredictions, "find", find_nothing)
    found = await take(hume.batch.predict(urls(3), models={"face": {}}))
    assert all(one.predictions is not None for one in found)


def find_nothing(_: object) -> None:
    pass


def altered(change: Callable[[Any], object]) -> Callable[[Body, list[bytes]], Any]:
    """Return a `Body.write` that takes another body in than the one that comes.

    Args:
        change: Changes the sources, or returns another text of them.
    """
    write, so_far = Body.write, bytearray()

    async def written(body: Body, pieces: list[bytes]) -> None:
        so_far.extend(b"".join(pieces))
        try:
            sources = json.loads(so_far)
        except ValueError:  # the rest is still to come
            return
        so_far.clear()
        text = change(sources)
        await write(body, [text if isinstance(text, bytes) else json.dumps(sources).encode()])

    return written


async def test_a_body_on_disk_that_ends_otherwise_is_let_go_of_once_it_is_in_memory(
    hume: HumeAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, opened, before = Body.write, list[Any](), open_files()

    async def written(body: Body, pieces: list[bytes]) -> None:
        await write(body, [*pieces, b" " * 100])
        opened.append(body.file)

    monkeypatch.setattr(Body, "write", written)
    found = await take(hume.batch.predict(urls(3), models={"face": {}}))
    assert [one.error for one in found] == [None] * 3
    assert opened
    assert open_files() == before


async def test_one_source_that_cannot_be_read_is_kept_with_the_whole_and_the_others_arrive(
    hume: HumeAI, fake: FakeHume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(sources: Any) -> None:
        sources[1]["results"] = 5

    ledger = tmp_path / "run.db"
    with monkeypatch.context() as patched:
        patched.setattr(Body, "write", altered(spoil))
        found = await take(hume.batch.predict(urls(3), models={"face": {}}, ledger=ledger))
    assert [one.is_unreadable for one in found] == [False, True, False]
    (kept,) = (tmp_path / "run.db.kept").iterdir()
    assert json.loads(kept.read_bytes())[1]["results"] == 5
    again = hume.batch.predict(urls(3), models={"face": {}}, ledger=ledger, retry_failed=True)
    (outcome,) = await take(again)
    assert outcome.source == urls(3)[1]
    assert outcome.predictions is not None
    assert not kept.exists()
    assert set(submitted(fake).values()) == {1}


@pytest.mark.parametrize("number", [0, 2, 4])
async def test_a_source_that_holds_what_sources_begin_with_is_read_as_in_memory(
    hume: HumeAI, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def nest(sources: Any) -> None:
        sources[number]["more"] = [1, {"source": sources[1]["source"]}, 2]

    monkeypatch.setattr(Body, "write", altered(nest))
    on_disk = await take(hume.batch.predict(urls(5), models={"face": {}}))
    monkeypatch.setattr(bodies, "IN_MEMORY", WHOLE)
    in_memory = await take(hume.batch.predict(urls(5), models={"face": {}}))
    assert [one.error for one in on_disk] == [None] * 5
    assert [one.predictions for one in on_disk] == [one.predictions for one in in_memory]


async def test_one_that_takes_the_place_of_the_next_is_seen_before_that_is_given(
    hume: HumeAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nest(sources: Any) -> None:
        # As many seem to come as were sent, each with the URL of its place.
        sources[1]["more"] = [1, sources[2], 2]
        del sources[2]

    monkeypatch.setattr(Body, "write", altered(nest))
    found = await take(hume.batch.predict(urls(4), models={"face": {}}))
    assert [one.is_unreadable for one in found] == [False, False, True, False]
    assert [one.source for one in found] == urls(4)


async def test_of_a_body_that_is_broken_in_its_middle_what_stands_before_is_given_and_paid_once(
    hume: HumeAI, fake: FakeHume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(sources: Any) -> bytes:
        before, place, after = json.dumps(sources).partition(urls(4)[2])
        return f"{before}{place}{after.replace(':', ';', 1)}".encode()

    ledger = tmp_path / "run.db"
    with monkeypatch.context() as patched:
        patched.setattr(Body, "write", altered(break_off))
        found = await take(hume.batch.predict(urls(4), models={"face": {}}, ledger=ledger))
    assert [one.is_unreadable for one in found] == [False, False, True, True]
    assert [type(one.error) for one in found[2:]] == [DecodeError] * 2
    again = hume.batch.predict(urls(4), models={"face": {}}, ledger=ledger, retry_failed=True)
    assert [(one.source, one.error) for one in await take(again)] == [
        (one, None) for one in urls(4)[2:]
    ]
    assert set(submitted(fake).values()) == {1}


async def test_sources_in_another_order_are_all_proven_before_the_first_is_given(
    hume: HumeAI, read: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Body, "write", altered(lambda sources: sources.reverse()))
    async with hume.batch.predict(urls(3), models={"face": {}}) as outcomes:
        first = await anext(outcomes)
        assert read == [0, 1, 2, 2]
        await take(outcomes)
    assert first.source == urls(3)[0]
    assert first.predictions is not None
    assert first.predictions.source.url == urls(3)[0]
    assert read == [0, 1, 2, 2, 1, 0]


async def test_what_is_kept_is_read_from_disk_and_fetches_nothing(
    hume: HumeAI, fake: FakeHume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = tmp_path / "run.db"
    with monkeypatch.context() as patched:
        patched.setattr(StoredPredictions, "find", refuse)
        await take(hume.batch.predict(urls(3), models={"face": {}}, ledger=ledger))
    before, files = len(fetches(fake)), open_files()
    again = hume.batch.predict(urls(3), models={"face": {}}, ledger=ledger, retry_failed=True)
    assert [one.error for one in await take(again)] == [None] * 3
    assert len(fetches(fake)) == before
    assert open_files() == files


async def test_what_is_kept_of_a_job_of_the_same_name_in_another_run_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = tmp_path / "run.db"
    with monkeypatch.context() as patched:
        patched.setattr(StoredPredictions, "find", refuse)
        async with FakeHume() as fake, client_of(fake) as hume:
            await take(hume.batch.predict(urls(3), models={"face": {}}, ledger=ledger))
    ledger.unlink()
    async with FakeHume() as another, client_of(another) as hume:
        found = await take(hume.batch.predict(urls(3), models={"face": {}}, ledger=ledger))
    assert [*another.jobs] == [*fake.jobs]
    assert [one.error for one in found] == [None] * 3
    assert len(fetches(another)) == 1


def refuse(_: object) -> Any:
    raise DecodeError("not today")


async def test_what_is_kept_and_the_disk_does_not_give_is_fetched_and_leaves_no_file_open(
    hume: HumeAI, fake: FakeHume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, before = tmp_path / "run.db", open_files()
    opened: list[Body] = []  # which nobody else holds
    open_at, find = Body.at, StoredPredictions.find

    def noting(path: Path) -> Body:
        opened.append(open_at(path))
        return opened[-1]

    def find_in_others(file: Any) -> Any:
        return fail_to_read() if file is opened[0].file else find(file)

    with monkeypatch.context() as patched:
        patched.setattr(Body, "at", noting)
        patched.setattr(StoredPredictions, "find", refuse)
        await take(hume.batch.predict(urls(3), models={"face": {}}, ledger=ledger))
        patched.setattr(StoredPredictions, "find", find_in_others)
        again = hume.batch.predict(urls(3), models={"face": {}}, ledger=ledger, retry_failed=True)
        assert [one.error for one in await take(again)] == [None] * 3
    assert len(opened) == 1
    assert open_files() == before
    assert set(submitted(fake).values()) == {1}


def fail_to_read(*_: object) -> Any:
    raise OSError(errno.EIO, "Input/output error")


def fetches(fake: FakeHume) -> list[Any]:
    return [one for one in fake.requests if one.path.endswith("/predictions")]


class FullDisk(io.FileIO):
    def write(self, piece: Any, /) -> int:
        del piece
        raise OSError(errno.ENOSPC, "No space left on device")


def full_disk(folder: Path, buffer_size: int) -> io.BufferedRandom:
    """Open a file that takes in no more than its buffer, which it writes once more at its end."""
    return io.BufferedRandom(FullDisk(folder / "full", "w+"), buffer_size)


@pytest.mark.parametrize("buffer_size", [1, 1 << 20])
async def test_a_full_disk_ends_the_run_and_fails_no_source(
    hume: HumeAI,
    fake: FakeHume,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    buffer_size: int,
) -> None:
    ledger, before = tmp_path / "run.db", open_files()
    with monkeypatch.context() as patched:
        full = functools.partial(full_disk, buffer_size=buffer_size)
        patched.setattr(bodies, "_temporary_file", full)
        outcomes = hume.batch.predict(urls(3), models={"face": {}}, ledger=ledger)
        with pytest.raises(SaveError, match=r"same ledger fetches them: No space left"):
            await anext(outcomes)
    assert open_files() == before
    again = await take(hume.batch.predict(urls(3), models={"face": {}}, ledger=ledger))
    assert [one.error for one in again] == [None] * 3
    assert set(submitted(fake).values()) == {1}


async def test_a_disk_that_gives_nothing_back_ends_the_run(
    hume: HumeAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StoredPredictions, "read", fail_to_read)
    with pytest.raises(SaveError, match=r"pays for their sources again: Input/"):
        await take(hume.batch.predict(urls(3), models={"face": {}}))


async def test_a_run_that_is_left_after_one_source_leaves_no_file_and_goes_on(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    ledger, before = tmp_path / "run.db", open_files()
    async with hume.batch.predict(urls(5), models={"face": {}}, ledger=ledger) as outcomes:
        first = await anext(outcomes)
        await anext(outcomes)  # which says that the first is dealt with
        assert open_files() > before
    assert open_files() == before
    rest = await take(hume.batch.predict(urls(5), models={"face": {}}, ledger=ledger))
    assert first.source not in [one.source for one in rest]
    assert len(rest) == 4
    assert set(submitted(fake).values()) == {1}
    assert {path.name for path in tmp_path.iterdir()} == {"run.db", "run.db.lock"}


async def test_a_run_that_is_cancelled_in_the_middle_of_a_body_leaves_no_file(
    hume: HumeAI, fake: FakeHume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, before, written = tmp_path / "run.db", open_files(), anyio.Event()
    write = Body.write

    async def stop(body: Body, pieces: list[bytes]) -> None:
        await write(body, pieces)
        written.set()
        await anyio.sleep_forever()

    with monkeypatch.context() as patched:
        patched.setattr(Body, "write", stop)
        outcomes = hume.batch.predict(urls(3), models={"face": {}}, ledger=ledger)
        running = asyncio.create_task(take(outcomes))
        await written.wait()
        running.cancel()
        await asyncio.wait([running])
        await outcomes.aclose()
    assert open_files() == before
    again = await take(hume.batch.predict(urls(3), models={"face": {}}, ledger=ledger))
    assert [one.error for one in again] == [None] * 3
    assert set(submitted(fake).values()) == {1}


@pytest.mark.parametrize("kind", ["truncate", "truncate-chunk", "reset-body", "garbage", "empty"])
async def test_a_body_that_breaks_off_is_asked_for_again(
    kind: Any, hume: HumeAI, fake: FakeHume
) -> None:
    fake.faults.add(Fault(kind, path=PREDICTIONS, times=1))
    found = await take(hume.batch.predict(urls(3), models={"face": {}}))
    assert [one.error for one in found] == [None] * 3


async def test_a_body_may_be_packed_and_of_any_size(hume: HumeAI, fake: FakeHume) -> None:
    fake.faults.add(Fault("bomb", path=PREDICTIONS))
    found = await take(hume.batch.predict(urls(3), models={"face": {}}))
    assert [one.error for one in found] == [None] * 3


@pytest.mark.parametrize("most", [500, 5000])
async def test_a_body_may_be_no_larger_on_disk_than_in_memory(fake: FakeHume, most: int) -> None:
    async with client_of(fake, pool=Pool(max_body=most)) as hume:
        found = await take(hume.batch.predict(urls(3), models={"face": {}}))
    assert {type(one.error) for one in found} == {ResponseTooLargeError}
    assert all(one.is_open for one in found)
    assert found[0].error.limit == most


async def test_a_bomb_is_left_where_it_is(fake: FakeHume) -> None:
    fake.faults.add(Fault("bomb", path=PREDICTIONS))
    async with client_of(fake, pool=Pool(max_body=1 << 20)) as hume:
        (found,) = await take(hume.batch.predict(urls(1), models={"face": {}}))
    assert isinstance(found.error, ResponseTooLargeError)
    assert found.is_open


async def test_what_is_kept_stays_while_another_of_its_sources_cannot_be_read(
    hume: HumeAI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(sources: Any) -> None:
        sources[0]["results"] = 5

    ledger = tmp_path / "run.db"
    monkeypatch.setattr(Body, "write", altered(spoil))
    async with hume.batch.predict(urls(3), models={"face": {}}, ledger=ledger) as outcomes:
        assert (await anext(outcomes)).is_unreadable
        assert not (await anext(outcomes)).is_unreadable
    (kept,) = (tmp_path / "run.db.kept").iterdir()
    rest = await take(hume.batch.predict(urls(3), models={"face": {}}, ledger=ledger))
    assert [one.is_unreadable for one in rest] == [False, False]
    assert kept.exists()
