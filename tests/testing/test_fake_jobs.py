"""Jobs of the fake: their life, their requests, their lists."""

from __future__ import annotations

import hashlib
import io

import aiohttp
import pytest
from raw_client import RawClient, open_raw_client

from humeai_async.testing import FakeJob, ManualClock, Options, Outcome

pytestmark = pytest.mark.anyio

URL = "https://media.example.com/a.mp4"


async def test_a_job_goes_from_queued_to_completed_on_the_clock() -> None:
    clock = ManualClock()
    async with open_raw_client(clock=clock, queue_seconds=2.0, run_seconds=3.0) as call:
        job = await call.start(URL)
        seen = [await call.status(job)]
        for _ in range(5):
            clock.advance(1.0)
            seen.append(await call.status(job))
    assert seen == ["QUEUED", "QUEUED", *["IN_PROGRESS"] * 3, "COMPLETED"]


async def test_state_tells_times_and_counts() -> None:
    clock = ManualClock()
    async with open_raw_client(clock=clock, queue_seconds=2.0, run_seconds=3.0) as call:
        job = await call.start(URL, "https://media.example.com/missing.mp4")
        clock.advance(10.0)
        state = (await call("GET", "/v0/batch/jobs/{id}", job)).result["state"]
    created = clock.epoch_ms(0.0)
    assert state == {
        "status": "COMPLETED",
        "created_timestamp_ms": created,
        "started_timestamp_ms": created + 2000,
        "ended_timestamp_ms": created + 5000,
        "num_predictions": 1,
        "num_errors": 1,
    }


async def test_details_echo_the_request_with_defaults() -> None:
    async with open_raw_client() as call:
        job = await call.start(URL, models={"face": {"fps_pred": 1, "facs": {}}}, notify=True)
        details = (await call("GET", "/v0/batch/jobs/{id}", job)).result
    assert details["type"] == "INFERENCE"
    assert details["job_id"] == job
    assert details["user_id"]
    request = details["request"]
    assert request["urls"] == [URL]
    assert request["text"] == []
    assert request["files"] == []
    assert request["notify"] is True
    assert request["models"]["face"] == {
        "fps_pred": 1,
        "prob_threshold": 0.99,
        "identify_faces": False,
        "min_face_size": 60,
        "facs": {},
        "descriptions": None,
        "save_faces": False,
    }
    assert request["transcription"]["confidence_threshold"] == 0.5


async def test_a_null_transcription_stays_null() -> None:
    async with open_raw_client() as call:
        job = await call.start(URL, transcription=None)
        details = (await call("GET", "/v0/batch/jobs/{id}", job)).result
    assert details["request"]["transcription"] is None


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "At least one"),
        ({"urls": ["https://a.example/x"] * 101}, "100"),
        ({"text": ["x"] * 101}, "100"),
        ({"urls": ["ftp://a.example/x"]}, "URL"),
        ({"urls": "https://a.example/x"}, "list of strings"),
        ({"urls": [URL], "models": {"smell": {}}}, "smell"),
        ({"urls": [URL], "models": {"face": {"fps": 1}}}, "fps"),
        ({"urls": [URL], "models": {"face": {"fps_pred": "fast"}}}, "fps_pred"),
        ({"urls": [URL], "models": {"prosody": {"window": {"step": 0.1}}}}, "0.5"),
        (
            {"urls": [URL], "models": {"prosody": {"window": {}, "granularity": "word"}}},
            "exclude",
        ),
        ({"urls": [URL], "models": {"language": {"granularity": "letter"}}}, "granularity"),
        ({"urls": [URL], "notify": "yes"}, "notify"),
        ({"urls": [URL], "callback_url": 5}, "callback_url"),
        ([1], "object"),
    ],
)
async def test_a_bad_request_is_a_400_that_names_the_field(body: object, said: str) -> None:
    async with open_raw_client() as call:
        reply = await call("POST", "/v0/batch/jobs", json=body)
        assert reply.status == 400
        assert said in reply.json["message"]
        assert reply.json["code"] == "E0101"
        assert not call.fake.jobs


async def test_the_queue_has_an_end() -> None:
    clock = ManualClock()
    async with open_raw_client(
        clock=clock, queue_seconds=1.0, options=Options(max_queued=2)
    ) as call:
        await call.start(URL)
        await call.start(URL)
        reply = await call("POST", "/v0/batch/jobs", json={"urls": [URL]})
        clock.advance(1.0)
        await call.start(URL)
    assert reply.status == 400
    assert "queued" in reply.json["message"]


async def test_a_source_named_fail_job_fails_its_job() -> None:
    async with open_raw_client() as call:
        job = await call.start("https://media.example.com/fail-job.mp4")
        details = (await call("GET", "/v0/batch/jobs/{id}", job)).result
        predictions = await call("GET", "/v0/batch/jobs/{id}/predictions", job)
    assert details["state"]["status"] == "FAILED"
    assert details["state"]["message"] == "no source could be read"
    assert predictions.status == 400


async def test_a_source_named_stuck_job_never_ends() -> None:
    clock = ManualClock()
    async with open_raw_client(clock=clock) as call:
        job = await call.start("https://media.example.com/stuck-job.mp4")
        clock.advance(1e6)
        assert await call.status(job) == "IN_PROGRESS"


async def test_a_function_decides_how_jobs_end() -> None:
    def decide(job: FakeJob) -> Outcome | None:
        return Outcome("failed", "not today") if job.sources else None

    async with open_raw_client(outcome=decide) as call:
        job = await call.start(URL)
        assert call.fake.state(job)["message"] == "not today"


async def test_a_running_job_can_be_failed_finished_and_held() -> None:
    clock = ManualClock()
    async with open_raw_client(clock=clock, run_seconds=10.0) as call:
        failed, finished, held = [await call.start(URL) for _ in range(3)]
        clock.advance(1.0)
        call.fake.fail_job(failed, "by hand")
        call.fake.finish_job(finished)
        call.fake.hold_job(held)
        assert await call.status(failed) == "FAILED"
        assert await call.status(finished) == "COMPLETED"
        clock.advance(100.0)
        assert await call.status(held) == "IN_PROGRESS"


async def test_a_job_that_is_not_there_is_a_404() -> None:
    async with open_raw_client() as call:
        for tail in ("", "/predictions", "/artifacts"):
            reply = await call("GET", "/v0/batch/jobs/{id}" + tail, "nobody")
            assert reply.status == 404
            assert reply.json["message"] == "Job not found"


async def test_predictions_of_an_unfinished_job_are_refused() -> None:
    async with open_raw_client(clock=ManualClock(), run_seconds=1.0) as call:
        job = await call.start(URL)
        reply = await call("GET", "/v0/batch/jobs/{id}/predictions", job)
    assert reply.status == 400
    assert "IN_PROGRESS" in reply.json["message"]


async def _listed(call: RawClient, *query: tuple[str, str]) -> list[str]:
    reply = await call("GET", "/v0/batch/jobs", query=list(query))
    assert reply.status == 200
    return [job["job_id"] for job in reply.result]


async def test_lists_are_newest_first_and_50_long() -> None:
    async with open_raw_client(clock=ManualClock()) as call:
        jobs = [await call.start(URL) for _ in range(60)]
        assert await _listed(call) == jobs[:9:-1]
        assert await _listed(call, ("direction", "asc"), ("limit", "3")) == jobs[:3]


async def test_a_limit_beyond_the_cap_is_cut_without_a_word() -> None:
    async with open_raw_client(options=Options(list_cap=4)) as call:
        jobs = [await call.start(URL) for _ in range(6)]
        assert await _listed(call, ("limit", "500")) == jobs[:1:-1]


async def test_lists_can_be_walked_back_by_time() -> None:
    async with open_raw_client(clock=ManualClock()) as call:
        jobs = [await call.start(URL) for _ in range(7)]
        seen: list[str] = []
        query: list[tuple[str, str]] = [("limit", "3")]
        while page := (await call("GET", "/v0/batch/jobs", query=query)).result:
            seen += [job["job_id"] for job in page]
            oldest = page[-1]["state"]["created_timestamp_ms"]
            query = [("limit", "3"), ("when", "created_before"), ("timestamp_ms", str(oldest))]
        assert seen == jobs[::-1]


async def test_lists_filter_by_repeated_status_and_type() -> None:
    clock = ManualClock()
    async with open_raw_client(clock=clock, queue_seconds=1.0, run_seconds=1.0) as call:
        done = await call.start(URL)
        clock.advance(1.0)
        running = await call.start(URL)
        clock.advance(1.0)
        queued = await call.start(URL)
        assert await _listed(call, ("status", "QUEUED")) == [queued]
        both = await _listed(call, ("status", "IN_PROGRESS"), ("status", "COMPLETED"))
        assert both == [running, done]
        assert await _listed(call, ("type", "TRAINING")) == []


@pytest.mark.parametrize(
    "query", [("limit", "0"), ("limit", "many"), ("sort_by", "size"), ("direction", "up")]
)
async def test_bad_list_queries_are_refused(query: tuple[str, str]) -> None:
    async with open_raw_client() as call:
        assert (await call("GET", "/v0/batch/jobs", query=[query])).status == 400


async def test_uploads_are_checksummed_and_echoed() -> None:
    content = bytes(range(256)) * 9000  # over the part that the fake keeps
    form = aiohttp.FormData()
    form.add_field("json", '{"models": {"prosody": {}}}', content_type="application/json")
    form.add_field("file", io.BytesIO(content), filename="a-b.wav", content_type="audio/wav")
    form.add_field("file", b"small", filename="c.mp3", content_type="audio/mpeg")
    async with open_raw_client() as call:
        reply = await call("POST", "/v0/batch/jobs", data=form)
        job = reply.result["job_id"]
        details = (await call("GET", "/v0/batch/jobs/{id}", job)).result
        predictions = (await call("GET", "/v0/batch/jobs/{id}/predictions", job)).result
        first, second = call.fake.uploads
    assert first.filename == "a-b.wav"
    assert first.content_type == "audio/wav"
    assert first.size == len(content)
    assert first.sha256 == hashlib.sha256(content).hexdigest()
    assert second.md5 == hashlib.md5(b"small", usedforsecurity=False).hexdigest()
    assert second.content == b"small"
    echoed = details["request"]["files"]
    assert [file["md5sum"] for file in echoed] == [first.md5, second.md5]
    assert [element["source"] for element in predictions] == [
        {"type": "file", **file} for file in echoed
    ]


async def test_unknown_parts_of_an_upload_are_refused() -> None:
    form = aiohttp.FormData()
    form.add_field("files", b"x", filename="a.wav")
    async with open_raw_client() as call:
        reply = await call("POST", "/v0/batch/jobs", data=form)
    assert reply.status == 400
    assert "files" in reply.json["message"]


@pytest.mark.parametrize("part", ["[", "[]"])
async def test_a_bad_json_part_is_refused(part: str) -> None:
    form = aiohttp.FormData()
    form.add_field("json", part)
    form.add_field("file", b"x", filename="a.wav")
    async with open_raw_client() as call:
        assert (await call("POST", "/v0/batch/jobs", data=form)).status == 400


async def test_a_job_takes_100_files_and_no_more() -> None:
    form = aiohttp.FormData()
    for number in range(101):
        form.add_field("file", b"x", filename=f"{number}.wav")
    async with open_raw_client() as call:
        reply = await call("POST", "/v0/batch/jobs", data=form)
    assert reply.status == 400
    assert "100 files" in reply.json["message"]


async def test_lists_sort_by_the_end() -> None:
    def seconds(job: FakeJob) -> float:
        return 9.0 if "slow" in job.sources[0].name else 1.0

    clock = ManualClock()
    async with open_raw_client(clock=clock, run_seconds=seconds) as call:
        slow = await call.start("https://a.example/slow.mp4")
        fast = await call.start("https://a.example/fast.mp4")
        clock.advance(20.0)
        assert await _listed(call, ("sort_by", "ended")) == [slow, fast]
        assert await _listed(call, ("sort_by", "started")) == [fast, slow]
        after = call.fake.jobs[slow].created_ms
        query = (("when", "created_after"), ("timestamp_ms", str(after)))
        assert await _listed(call, *query) == [fast]
