"""Images in a bulk run: each has its own result, however many share a request."""

from __future__ import annotations

import csv
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from attrs import evolve
from live_support import picture, silence, speech, wav

from humeai_async import (
    BudgetReachedError,
    DecodeError,
    HumeAI,
    InvalidArgumentError,
    LedgerError,
    Outcome,
    ResultLostError,
    Upload,
)
from humeai_async.bulk import bodies, single_requests
from humeai_async.bulk.bodies import Body
from humeai_async.bulk.ledger import Ledger, read_status
from humeai_async.bulk.ledger_records import Plan
from humeai_async.bulk.states import State
from humeai_async.bulk.work import Item
from humeai_async.expression import images, uploads
from humeai_async.expression.images import own_results
from humeai_async.testing import FakeHume, Fault
from humeai_async.testing.exchange import Arrival
from humeai_async.types.expression import AudioResult, ImagesResult

pytestmark = pytest.mark.anyio

LOST = Fault("reset", method="POST", path="*/video/file", after_work=True)
NEVER = Fault("reset", method="POST", path="*/video/file")


def photos(folder: Path, count: int) -> list[Path]:
    """Write images, each of a content and size of its own."""
    paths = [folder / f"photo-{n:02}.jpg" for n in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(picture(size=300 + 10 * number, seed=number))
    return paths


async def measure(hume: HumeAI, sources: Any, **settings: Any) -> list[Outcome[Any, Any]]:
    given: dict[str, Any] = {"search_patience": 0.5, **settings}
    return [one async for one in hume.expression.measure_many(sources, **given)]


async def alone(hume: HumeAI, source: Any) -> ImagesResult:
    return without_run(await hume.expression.measure_images([source]))


def without_run(result: Any) -> ImagesResult:
    assert isinstance(result, ImagesResult)
    return evolve(result, run_id="", request_id=None)


@pytest.mark.parametrize(
    ("most", "frames"), [(1, [1] * 7), (3, [3, 3, 1]), (100, [7])], ids=["alone", "three", "all"]
)
async def test_each_image_has_the_result_that_it_has_alone(
    hume: HumeAI, fake: FakeHume, tmp_path: Path, most: int, frames: list[int]
) -> None:
    run = hume.expression.measure_many(photos(tmp_path, 7), images_per_request=most)
    estimate = await run.estimate()
    assert (fake.requests, estimate.to_send) == ([], 7)
    outcomes = [one async for one in run]
    assert sorted(frames) == sorted(len(found) for found in fake.expression.files.values())
    assert estimate.cost == run.bill.spent == fake.expression.metered_seconds == 10 * len(frames)
    assert len({one.source for one in outcomes}) == 7
    for one in outcomes:
        assert await alone(hume, one.source) == without_run(one.result())


async def test_images_share_no_request_with_recordings(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    sound = [wav(speech(1.0, pitch=200 + n) + silence(0.2)) for n in range(3)]
    sources: list[Any] = [sound[0], *photos(tmp_path, 2), sound[1], picture(), sound[2]]
    run = hume.expression.measure_many(sources, images_per_request=30)
    estimate = await run.estimate()
    outcomes = [one async for one in run]
    kinds = [(one["endpoint"], len(fake.expression.files[one["run_id"]]))
             for one in fake.expression.runs]  # fmt: skip
    assert sorted(kinds) == [("audio", 1)] * 3 + [("video", 3)]
    assert estimate.cost == run.bill.spent == fake.expression.metered_seconds == 40
    for one in outcomes:
        is_sound = one.source in sound
        assert isinstance(one.result(), AudioResult if is_sound else ImagesResult)


async def test_images_of_more_than_one_upload_go_in_several(
    hume: HumeAI, fake: FakeHume, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "LARGEST_BODY", 34_000)  # 25 MB
    monkeypatch.setattr(images, "_ROOM", 33_000)
    sources = [picture(size=10_000, seed=n) for n in range(4)]
    run = hume.expression.measure_many(sources, images_per_request=30)
    estimate = await run.estimate()
    assert [None] * 4 == [one.error async for one in run]
    assert [1, 3] == sorted(len(found) for found in fake.expression.files.values())
    assert estimate.cost == run.bill.spent == 20
    assert fake.count(method="POST") == 2


async def test_an_image_that_is_given_twice_has_two_results_without_a_ledger(
    hume: HumeAI, tmp_path: Path
) -> None:
    sources = [picture(seed=1), picture(seed=2), picture(seed=1)]
    outcomes = await measure(hume, sources, images_per_request=3)
    for one in outcomes:
        assert await alone(hume, one.source) == without_run(one.result())
    assert len(outcomes) == 3
    outcomes = await measure(hume, sources, images_per_request=3, ledger=tmp_path / "run.db")
    assert len(outcomes) == 2


THUMBNAIL = b"\xff\xe1" + (2 + 6 + 300).to_bytes(2) + b"Exif\0\0" + picture(60_000, 60_000)


@pytest.mark.parametrize(
    ("source", "code", "reason"),
    [
        (b"\x89PNG\r\n\x1a\n", "unsupported_media_type", "it is PNG, and only JPEG is taken"),
        (b"\xff\xd8\xff\xd9", "image_decode_failed", "cut off"),
        (picture()[:-20], "image_decode_failed", "cut off within its picture"),
        (picture(size=2_100_000), "image_too_large", "2.1 MB, and 2 MB are the most"),
        (picture(60_000, 60_000), "image_too_large", "60000 x 60000 pixels"),
        (b"", "audio_decode_failed", "the file is empty"),
        ("missing.jpg", None, "missing.jpg"),
    ],
    ids=["png", "no picture", "cut", "bytes", "pixels", "empty", "missing"],
)
async def test_an_image_that_cannot_be_measured_costs_no_other(
    hume: HumeAI, fake: FakeHume, source: Any, code: str | None, reason: str
) -> None:
    good = [picture(seed=n) for n in range(3)]
    sources = [good[0], source, *good[1:]]
    run = hume.expression.measure_many(sources, images_per_request=30)
    (told,) = (await run.estimate()).failures
    outcomes = [one async for one in run]
    (bad,) = [one for one in outcomes if one.error is not None]
    assert isinstance(bad.error, InvalidArgumentError)
    assert (bad.source, bad.error.code) == (source, code)
    assert reason in bad.error.message == told.message
    assert [3] == [len(found) for found in fake.expression.files.values()]
    assert fake.count(method="POST") == 1


async def test_a_thumbnail_within_an_image_is_not_taken_for_it(hume: HumeAI) -> None:
    plain = picture()
    (outcome,) = await measure(hume, [plain[:2] + THUMBNAIL + plain[2:]])
    assert outcome.error is None


async def test_an_image_that_only_the_service_refuses_costs_no_other(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    plain = picture(seed=9)
    odd = plain[:2] + b"\xff" * 9 + plain[2:]  # fill bytes, which the stand-in does not read
    sources: list[Any] = [*photos(tmp_path, 3), odd]
    outcomes = await measure(hume, sources, images_per_request=4)
    failed = {one.source: one.error for one in outcomes if one.error is not None}
    assert [odd] == list(failed)
    assert getattr(failed[odd], "code", None) == "image_decode_failed"
    assert sum(len(found) for found in fake.expression.files.values()) == 3


async def test_a_run_started_again_pays_for_new_images_only(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    paths, ledger = photos(tmp_path, 6), tmp_path / "run.db"
    first = await measure(hume, paths[::2], images_per_request=3, ledger=ledger)
    assert await measure(hume, paths[::2], images_per_request=1, ledger=ledger) == []
    rest = hume.expression.measure_many(paths[::-1], images_per_request=2, ledger=ledger)
    estimate = await rest.estimate()
    assert (estimate.known, estimate.to_send, estimate.cost) == (3, 3, 20)
    assert {one.source async for one in rest} == {*paths[1::2]}
    assert len(fake.expression.runs) == 3
    again = hume.expression.measure_many(paths, ledger=ledger)
    results = {one.source: one.result() async for one in again.read_back()}
    assert list(results) == paths
    assert all(results[one.source] == one.result() for one in first)
    assert len(fake.expression.runs) == 3


async def test_a_lost_response_is_told_of_each_of_its_images_and_not_bought_again(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    paths, ledger = photos(tmp_path, 6), tmp_path / "run.db"
    fake.faults.add(LOST)
    outcomes = await measure(hume, paths, images_per_request=3, ledger=ledger)
    lost = [one for one in outcomes if one.error is not None]
    assert [ResultLostError] * 3 == [type(one.error) for one in lost]
    assert len({one.job_id for one in lost}) == 1
    assert len(fake.expression.runs) == 2
    assert await measure(hume, paths, images_per_request=3, ledger=ledger) == []
    bought = await measure(hume, paths, images_per_request=3, ledger=ledger, retry_failed=True)
    assert {one.source for one in bought} == {one.source for one in lost}
    assert len(fake.expression.runs) == 3


@pytest.fixture
def spoiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the second measurement of each request be one that cannot be read."""
    keep = single_requests.keep_result

    def keep_spoiled(seconds: float, response: bytes) -> bytes:
        content = json.loads(response)
        content["measurements"][1]["faces"] = 7
        return keep(seconds, json.dumps(content).encode())

    monkeypatch.setattr(single_requests, "keep_result", keep_spoiled)


@pytest.mark.usefixtures("spoiled")
async def test_an_image_whose_measurement_cannot_be_read_costs_no_other_and_is_not_bought_again(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    paths, ledger = photos(tmp_path, 3), tmp_path / "run.db"
    settings: dict[str, Any] = {"images_per_request": 3, "ledger": ledger}
    async with hume.expression.measure_many(paths, **settings) as run:
        assert [False, True, False] == [(await anext(run)).is_unreadable for _ in range(3)]
    (last,) = await measure(hume, paths, **settings)  # nobody said that it was dealt with
    assert (last.source, last.error) == (paths[2], None)
    (again,) = await measure(hume, paths, **settings, retry_failed=True)
    assert (again.source, again.is_unreadable) == (paths[1], True)
    assert len(fake.expression.runs) == 1


@pytest.mark.usefixtures("spoiled")
@pytest.mark.parametrize("is_kept_only", [False, True])
async def test_what_cannot_be_read_is_told_as_such_when_results_are_read_back(
    hume: HumeAI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_kept_only: bool
) -> None:
    paths, ledger, opened = photos(tmp_path, 3), tmp_path / "run.db", list[Body]()
    run = hume.expression.measure_many(paths, images_per_request=3, ledger=ledger)
    assert [False, True, False] == [one.is_unreadable async for one in run]
    if is_kept_only:
        open_at = Body.at

        async def no_result(memory: Ledger, number: int) -> None:
            del memory, number

        def noting(path: Path) -> Body:
            opened.append(open_at(path))
            return opened[-1]

        monkeypatch.setattr(Ledger, "read_result", no_result)
        monkeypatch.setattr(Body, "at", noting)
        monkeypatch.setattr(bodies, "IN_MEMORY", 10)
    again = hume.expression.measure_many(paths, ledger=ledger)
    assert [False, True, False] == [one.is_unreadable async for one in again.read_back()]
    assert [one.file.closed for one in opened] == [True] * 3 * is_kept_only


async def test_a_request_that_never_came_is_sent_again_after_the_search(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    paths = photos(tmp_path, 3)
    paths[2].write_bytes(picture(size=20_000))
    # Neither images of another size, nor such measured otherwise, nor a recording is it.
    await hume.expression.measure_images(paths[:2])
    await hume.expression.measure_images(paths, face={"threshold": 0.1})
    await hume.expression.measure_audio(wav(speech(1)))
    fake.faults.add(NEVER)
    outcomes = await measure(hume, paths, images_per_request=3, search_patience=0.2)
    assert [None] * 3 == [one.error for one in outcomes]
    assert len(fake.expression.runs) == 4


async def lose_request(hume: HumeAI, fake: FakeHume, paths: list[Path], ledger: Path) -> None:
    """Send images in one request, and end the run before it knows what became of it."""
    paths[0].write_bytes(picture(size=20_000))
    fake.faults.add(LOST)
    fake.faults.add(Fault("status", method="GET", path="*/run", status=503, times=None))
    with anyio.move_on_after(5) as scope:

        async def cancel() -> None:
            while not fake.expression.runs:
                await anyio.sleep(0.001)
            scope.cancel()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(cancel)
            run = hume.expression.measure_many(
                paths, images_per_request=len(paths), ledger=ledger, search_patience=9
            )
            async with run:
                [one async for one in run]
    fake.faults.clear()


async def test_a_lost_request_is_settled_although_not_all_of_its_images_are_given_again(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    paths, ledger = photos(tmp_path, 4), tmp_path / "run.db"
    await lose_request(hume, fake, paths, ledger)
    outcomes = await measure(hume, paths[2:], images_per_request=4, ledger=ledger)
    assert [ResultLostError] * 2 == [type(one.error) for one in outcomes]
    assert (await read_status(ledger)).counts[State.FAILED] == 2
    rest = await measure(hume, paths, images_per_request=4, ledger=ledger)
    assert {(one.source, type(one.error)) for one in rest} == {
        (path, ResultLostError) for path in paths[:2]
    }
    assert [4] == [len(found) for found in fake.expression.files.values()]


@pytest.mark.parametrize("concurrency", [1, 8])
async def test_a_lost_request_is_settled_once_although_its_images_come_one_by_one(
    hume: HumeAI,
    fake: FakeHume,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    concurrency: int,
) -> None:
    paths, ledger = photos(tmp_path, 4), tmp_path / "run.db"
    await lose_request(hume, fake, paths, ledger)
    monkeypatch.setattr("humeai_async.bulk.paid_outcomes.SHARING_WAIT", 0.01)

    def wait_in_searches(arrival: Arrival) -> float:
        return 0.05 if arrival.first("started_after") else 0.0

    fake.latency = wait_in_searches

    async def come() -> AsyncIterator[Path]:
        for path in paths:
            yield path
            await anyio.sleep(0.03)

    settings: dict[str, Any] = {"images_per_request": 4, "concurrency": concurrency}
    outcomes = await measure(hume, come(), ledger=ledger, **settings)
    assert [ResultLostError] * 4 == [type(one.error) for one in outcomes]
    assert [4] == [len(found) for found in fake.expression.files.values()]
    bought = await measure(hume, paths, ledger=ledger, retry_failed=True, **settings)
    assert [None] * 4 == [one.error for one in bought]


async def test_a_budget_counts_the_request_that_images_share(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    paths, ledger = photos(tmp_path, 9), tmp_path / "run.db"
    run = hume.expression.measure_many(paths, images_per_request=3, ledger=ledger, budget=25)
    outcomes = [one async for one in run]
    held = [one for one in outcomes if isinstance(one.error, BudgetReachedError)]
    assert (len(held), run.bill.spent) == (3, 20)
    assert all(one.is_open for one in held)
    more = await measure(hume, paths, images_per_request=3, ledger=ledger, budget=30)
    assert {one.source for one in more} == {one.source for one in held}
    assert fake.expression.metered_seconds == 30


async def test_settings_for_faces_are_sent_and_bind_the_ledger(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    ledger, face = tmp_path / "run.db", {"threshold": 0.5, "min_size": 20}
    await measure(hume, photos(tmp_path, 1), face=face, ledger=ledger)
    assert [face] == [one["config"]["face"] for one in fake.expression.runs]
    with pytest.raises(LedgerError):
        await measure(hume, photos(tmp_path, 1), ledger=ledger)
    usual = tmp_path / "usual.db"
    await measure(hume, [wav(speech(1))], ledger=usual)
    await measure(hume, photos(tmp_path, 1), face={"threshold": 0.9}, ledger=usual)


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"images_per_request": 0}, "images_per_request"),
        ({"images_per_request": 101}, "images_per_request"),
        ({"face": {"threshold": 2}}, "face"),
        ({"face": {"return_face_state": True}}, "face"),
    ],
)
async def test_settings_out_of_range_are_refused_by_name(
    hume: HumeAI, settings: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        hume.expression.measure_many([], **settings)
    assert caught.value.field == field


async def test_images_that_come_one_by_one_share_a_request(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    async def come() -> AsyncIterator[Path]:
        for path in photos(tmp_path, 3):
            await anyio.sleep(0.01)
            yield path

    assert len(await measure(hume, come(), images_per_request=30)) == 3
    assert [3] == [len(found) for found in fake.expression.files.values()]


async def test_an_image_is_read_again_before_it_is_sent(hume: HumeAI, fake: FakeHume) -> None:
    class Changing:
        """Gives another image the third time: its beginning and its digest are read before."""

        times = 0

        async def __call__(self) -> AsyncIterator[bytes]:
            self.times += 1
            yield picture(seed=self.times // 3)

    (outcome,) = await measure(hume, [Upload(Changing(), "a.jpg")])
    assert "a.jpg was changed during the run" in str(outcome.error)
    assert fake.expression.runs == []


async def test_files_have_a_row_a_face(hume: HumeAI, tmp_path: Path) -> None:
    paths = photos(tmp_path, 3)
    sources: list[Any] = [*paths, Upload(wav(speech(1)), "a.wav")]
    run = hume.expression.measure_many(sources, images_per_request=30)
    await run.write_to(tmp_path / "out", ("jsonl", "csv"))
    with (tmp_path / "out" / "measurements.csv").open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    lines = (tmp_path / "out" / "measurements.jsonl").read_text().splitlines()
    results = {line["source"]: line["predictions"] for line in map(json.loads, lines)}
    for path in paths:
        found = [row for row in rows if row["source"] == str(path)]
        (measured,) = results[str(path)]["measurements"]
        assert [str(face["face_id"]) for face in measured["faces"]] == [
            row["face_id"] for row in found
        ]
        assert found[0]["box_w"] == "200.5"
        assert not any(row["start_ms"] for row in found)
    assert [row["start_ms"] for row in rows if row["source"] == "a.wav"] == ["0"]


PLAN = Plan(number=1, kind="image", keys=(b"a", b"b", b"c"), planned_ms=0)
ITEMS = [Item[Any]("image", key, None) for key in PLAN.keys]


def response(*measurements: Any) -> dict[str, Any]:
    return {"run_id": "r", "received": {"frames": 3}, "measurements": list(measurements)}


def face(number: int | None) -> dict[str, Any]:
    return {"bbox": [0, 0, 1, 1], "face_id": number}


@pytest.mark.parametrize(
    "measurements",
    [
        [],
        [{"frame_id": 0}, {"frame_id": 1}],
        [{"frame_id": n} for n in range(4)],
        [{"frame_id": 0}, {"frame_id": 1}, {"frame_id": 1}],
        [{"frame_id": 1}, {"frame_id": 2}, {"frame_id": 3}],
    ],
    ids=["none", "too few", "too many", "twice", "from one"],
)
def test_results_that_may_be_of_other_images_are_nobodys(measurements: list[Any]) -> None:
    with pytest.raises(DecodeError, match="not one for each of 3 images"):
        own_results(response(*measurements), PLAN, ITEMS)


def test_each_image_is_found_by_its_number_in_the_request() -> None:
    frames = [{"frame_id": n, "faces": [face(7 + n), face(None), face(5)]} for n in (2, 0, 1)]
    found = own_results(response(*frames), PLAN, ITEMS[::-1])
    results = [one.result for one in found]
    for place, result in zip((2, 1, 0), results, strict=True):
        assert isinstance(result, ImagesResult)
        assert result.received is not None
        (measured,) = result.measurements
        assert (measured.frame_id, result.received.frames) == (0, 1)
        assert [0, None, 1] == [one.face_id for one in measured.faces], place


def test_a_measurement_that_cannot_be_read_costs_no_other() -> None:
    frames = [{"frame_id": 0}, {"frame_id": "?"}, {"frame_id": 2}]
    found = own_results(response(*frames), PLAN, ITEMS)
    assert [False, True, False] == [one.is_unreadable for one in found]
    assert isinstance(found[1].error, DecodeError)


async def test_what_cannot_be_told_apart_is_kept_and_never_bought_again(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    paths, ledger = photos(tmp_path, 2), tmp_path / "run.db"
    body = json.dumps(response({"frame_id": 0})).encode()
    fake.faults.add(Fault("status", method="POST", path="*/video/file", status=200, body=body))
    outcomes = await measure(hume, paths, images_per_request=2, ledger=ledger)
    assert [True, True] == [one.is_unreadable for one in outcomes]
    again = await measure(hume, paths, images_per_request=2, ledger=ledger, retry_failed=True)
    assert [True, True] == [one.is_unreadable for one in again]
    assert fake.count(method="POST") == 1
    async with await Ledger.open(ledger, "expression audio 3000") as opened:
        assert (await opened.status()).counts[State.UNREADABLE] == 2
