"""The main job by all ways in: sources in, jobs run, predictions out."""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
from pathlib import Path

import anyio
import pytest
from scripted_transport import ScriptedTransport
from support import DIALECTS, client_of, session_of

from humeai_async import (
    DecodeError,
    GatewayUnsupportedError,
    HumeAI,
    InvalidArgumentError,
    JobFailedError,
    JobTimeoutError,
    NotFoundError,
    Polling,
    Text,
    Upload,
)
from humeai_async.batch.poller import Poller
from humeai_async.http.messages import Response
from humeai_async.resources.batch import Batch
from humeai_async.testing import Dialect, FakeHume, Fault, ManualClock, Outcome
from humeai_async.types.batch import (
    Face,
    InferenceJob,
    InferenceRequest,
    JobDetails,
    JobState,
    Models,
    Prosody,
)
from humeai_async.types.dicts import ModelsDict

pytestmark = pytest.mark.anyio

URLS = ["https://media.example.com/a.mp4", "https://media.example.com/b.mp4"]
ALL_MODELS: ModelsDict = {
    "face": {"facs": {}, "descriptions": {}},
    "burst": {},
    "prosody": {},
    "language": {"sentiment": {}, "toxicity": {}},
    "ner": {},
    "facemesh": {},
}


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_urls_go_in_and_typed_predictions_come_out(dialect: Dialect) -> None:
    async with FakeHume(dialect=dialect, run_seconds=0.02) as fake, client_of(fake) as hume:
        job = await hume.batch.start_job(urls=URLS, models=ALL_MODELS)
        done = await job.wait(timeout=10)
        predictions = await job.predictions()
        predictions.validate()
    assert done is job
    assert job.status == "COMPLETED"
    assert [one.source.url for one in predictions] == URLS
    models = predictions[0].files[0].models
    assert models.face is not None
    face = models.face.grouped_predictions[0].predictions[0]
    assert len(face.emotions) == 48
    assert 0 <= face.emotions["Joy"] <= 1
    assert face.facs is not None
    assert face.descriptions is not None
    assert models.language is not None
    word = models.language.grouped_predictions[0].predictions[0]
    assert len(word.emotions) == 53
    assert [score.name for score in word.sentiment or ()] == [str(n) for n in range(1, 10)]
    assert len(word.toxicity or ()) == 6
    assert all((models.burst, models.prosody, models.ner, models.facemesh))


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_every_dialect_gives_the_same_predictions(dialect: Dialect) -> None:
    found: dict[Dialect, object] = {}
    for one in ("direct", dialect):
        async with FakeHume(dialect=one) as fake, client_of(fake) as hume:
            job = await hume.batch.start_job(urls=URLS, models=ALL_MODELS)
            await job.wait()
            found[one] = json.loads((await job.predictions()).body)
    assert found["direct"] == found[dialect]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_the_request_arrives_as_it_was_given(dialect: Dialect) -> None:
    async with FakeHume(dialect=dialect) as fake, client_of(fake) as hume:
        job = await hume.batch.start_job(
            urls=URLS,
            text=["What a day!"],
            models=Models(face=Face(fps_pred=1.0), prosody=Prosody(granularity="word")),
            transcription=None,
            callback_url="https://hooks.example.com/done",
            notify=True,
        )
        details = await hume.batch.get_job(job.id)
        sent = json.loads(fake.requests[0].body)
    assert sent == {
        "models": {"face": {"fps_pred": 1.0}, "prosody": {"granularity": "word"}},
        "transcription": None,
        "urls": URLS,
        "text": ["What a day!"],
        "callback_url": "https://hooks.example.com/done",
        "notify": True,
    }
    assert isinstance(details, InferenceJob)
    assert isinstance(details.request, InferenceRequest)
    assert details.request.urls == tuple(URLS)
    assert details.request.transcription is None


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_failed_job_says_why(dialect: Dialect) -> None:
    async with FakeHume(dialect=dialect) as fake, client_of(fake) as hume:
        job = await hume.batch.start_job(urls=["https://media.example.com/fail-job.mp4"])
        with pytest.raises(JobFailedError) as caught:
            await job.wait(timeout=10)
    assert caught.value.job_id == job.id
    assert caught.value.job_status == "FAILED"
    assert "no source could be read" in str(caught.value)


async def test_a_failed_job_does_not_repeat_its_webhook_or_its_signatures() -> None:
    url, hook = "https://a.example/a.mp4?Sig=s3cretSign", "https://b.example/services/s3cretPath"
    async with FakeHume() as fake, client_of(fake) as hume:
        job = await hume.batch.start_job(urls=[url], callback_url=hook)
        said = "s3cretSign of a.mp4 is wrong, and /services/s3cretPath is gone"
        fake.jobs[job.id].outcome = Outcome("failed", message=said)
        with pytest.raises(JobFailedError, match=r"\*\*\* of a.mp4 is wrong, and /\*\*\* is gone"):
            await job.wait(timeout=10)


async def test_a_secret_in_the_reason_for_a_failure_does_not_show() -> None:
    state = JobState(status="FAILED", message="no key https://a.example/b?signature")
    details = JobDetails(job_id="j", state=state)
    async with HumeAI(api_key="key", base_url="http://127.0.0.1:9") as hume:
        job = hume.batch.job("j")
        job.update(details)
        with pytest.raises(JobFailedError) as caught:
            await job.wait()
    assert caught.value.message == "job j failed: no *** https://a.example/b?***"


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_source_that_failed_has_an_error_and_the_others_have_results(
    dialect: Dialect,
) -> None:
    async with FakeHume(dialect=dialect) as fake, client_of(fake) as hume:
        job = await hume.batch.start_job(urls=["https://media.example.com/missing.mp4", URLS[0]])
        await job.wait()
        failed, fine = await job.predictions()
    assert failed.results is None
    assert failed.error
    assert failed.files == []
    assert fine.results is not None
    assert fine.error is None


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_job_that_is_not_there_is_not_found(dialect: Dialect) -> None:
    async with FakeHume(dialect=dialect) as fake, client_of(fake) as hume:
        with pytest.raises(NotFoundError) as caught:
            await hume.batch.get_job("00000000-0000-0000-0000-000000000000")
    assert caught.value.status == 404


async def test_uploaded_files_arrive_whole_with_name_and_type(tmp_path: Path) -> None:
    path = tmp_path / "clip é.wav"
    path.write_bytes(b"RIFF" * 100_000)
    async with FakeHume() as fake, client_of(fake) as hume:
        with (tmp_path / "clip é.wav").open("rb") as opened:
            opened.seek(4)
            job = await hume.batch.start_job(
                files=[path, b"abc", Upload(b"xyz", "x.jpg"), opened], models={"face": {}}
            )
        await job.wait()
        predictions = await job.predictions()
        uploads = fake.uploads
    assert [(u.filename, u.size) for u in uploads] == [
        ("clip é.wav", 400_000),
        ("file", 3),
        ("x.jpg", 3),
        ("clip é.wav", 399_996),
    ]
    assert uploads[2].content_type == "image/jpeg"
    assert [one.source.md5sum for one in predictions] == [u.md5 for u in uploads]


@pytest.mark.parametrize("dialect", DIALECTS[1:])
async def test_the_gateway_is_not_asked_to_carry_uploads(dialect: Dialect) -> None:
    async with FakeHume(dialect=dialect) as fake, client_of(fake) as hume:
        with pytest.raises(GatewayUnsupportedError, match="uploads"):
            await hume.batch.start_job(files=[b"abc"])
        assert fake.requests == []


@pytest.mark.parametrize("dialect", DIALECTS[1:])
async def test_the_gateway_is_not_asked_for_archives(dialect: Dialect, tmp_path: Path) -> None:
    async with FakeHume(dialect=dialect) as fake, client_of(fake) as hume:
        with pytest.raises(GatewayUnsupportedError, match="binary"):
            await hume.batch.job("some-id").save_artifacts(tmp_path / "a.zip")
        with pytest.raises(GatewayUnsupportedError, match="binary"):
            async with hume.batch.job("some-id").stream_artifacts():
                raise AssertionError("it was opened")
        assert fake.requests == []


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_predictions_are_saved_as_hume_wrote_them(dialect: Dialect, tmp_path: Path) -> None:
    target = tmp_path / "predictions.json"
    async with FakeHume(dialect=dialect) as fake, client_of(fake) as hume:
        job = await hume.batch.start_job(urls=URLS)
        await job.wait()
        await job.save_predictions(target)
        predictions = await job.predictions()
    assert target.read_bytes() == predictions.body
    assert [path.name for path in tmp_path.iterdir()] == ["predictions.json"]


async def test_artifacts_are_saved_as_an_archive_that_opens(tmp_path: Path) -> None:
    target = tmp_path / "artifacts.zip"
    async with FakeHume() as fake, client_of(fake) as hume:
        job = await hume.batch.start_job(urls=URLS, models={"face": {}})
        await job.wait()
        await job.save_artifacts(target)
        assert target.read_bytes() == await hume.batch.get_artifacts(job.id)
        async with job.stream_artifacts() as artifacts:
            assert target.read_bytes() == b"".join([chunk async for chunk in artifacts.chunks()])


@pytest.mark.parametrize("body", [b"", b"<html>", b"PK\x03\x04 and no end", b"[]"])
async def test_artifacts_that_are_no_archive_are_a_named_error(body: bytes) -> None:
    transport = ScriptedTransport(Response(200, {}, body))
    session = session_of(transport)
    with pytest.raises(DecodeError, match="not a ZIP archive"):
        await Batch(session, Poller(session)).get_artifacts("job-1")


async def test_artifacts_that_a_gateway_read_as_text_are_a_named_error() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.csv", bytes(range(256)))
    body = buffer.getvalue().decode("utf-8", errors="replace").encode()
    session = session_of(ScriptedTransport(Response(200, {}, body)))
    with pytest.raises(DecodeError, match=r"job-1 cannot be used: .* not at its place"):
        await Batch(session, Poller(session)).get_artifacts("job-1")


@pytest.mark.parametrize(
    ("sources", "field"),
    [
        ({}, "urls"),
        ({"urls": []}, "urls"),
        ({"urls": "https://media.example.com/a.mp4"}, "urls"),
        ({"urls": [URLS[0]] * 101}, "urls"),
        ({"text": [""]}, "text"),
        ({"text": ["x"] * 101}, "text"),
        ({"files": [b"x"] * 101}, "files"),
        ({"files": [Path("nowhere.wav")]}, "files"),
        ({"files": ["name.wav"]}, "files"),
        ({"urls": URLS, "models": "face"}, "models"),
        ({"urls": URLS, "models": ["face"]}, "models"),
        ({"urls": URLS, "transcription": "en"}, "transcription"),
    ],
)
async def test_bad_sources_are_told_before_anything_is_sent(
    sources: dict[str, list[str]], field: str
) -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        with pytest.raises(InvalidArgumentError) as caught:
            await hume.batch.start_job(**sources)  # type: ignore[arg-type]  # bad on purpose
        assert fake.requests == []
    assert caught.value.field == field


async def test_a_text_that_looks_like_a_file_is_sent_where_it_is_said_to_be_one() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        job = await hume.batch.start_job(text=[Text("clip.mp4"), "A day."])
        details = await job.refresh()
    assert isinstance(details, InferenceJob)
    assert list(details.request.text or ()) == ["clip.mp4", "A day."]


async def test_a_file_over_the_limit_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    path = tmp_path / "large.wav"
    with path.open("wb") as opened:
        opened.truncate(100_000_001)
    async with FakeHume() as fake, client_of(fake) as hume:
        with pytest.raises(InvalidArgumentError, match="100 MB"):
            await hume.batch.start_job(files=[path])
        assert fake.requests == []


@pytest.mark.parametrize(
    "bad_id", ["", ".", "..", "a/b", "a\\b", "a?b", "a#b", "a%b", "a b", "a\n"]
)
async def test_an_id_that_could_change_the_path_is_refused(bad_id: str) -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        with pytest.raises(ValueError, match="plain id"):
            await hume.batch.get_job(bad_id)
        assert fake.requests == []


@pytest.mark.parametrize("left_out", ["type", "request"])
async def test_waiting_needs_no_more_of_a_job_than_its_state(left_out: str) -> None:
    job = {"type": "INFERENCE", "job_id": "j", "request": {}, "state": {"status": "COMPLETED"}}
    del job[left_out]
    body = json.dumps(job).encode()
    async with FakeHume() as fake, client_of(fake) as hume:
        fake.faults.add(Fault("status", status=200, path="/v0/batch/jobs/*", body=body))
        done = await hume.batch.job("j").wait(timeout=5)
    assert done.status == "COMPLETED"


@pytest.mark.parametrize("job_id", ["", "a/b"])
async def test_a_job_under_an_id_that_cannot_be_one_may_have_been_started(job_id: str) -> None:
    body = json.dumps({"job_id": job_id}).encode()
    async with FakeHume() as fake, client_of(fake) as hume:
        fake.faults.add(Fault("status", status=200, method="POST", body=body))
        with pytest.raises(DecodeError) as caught:
            await hume.batch.start_job(urls=URLS)
    assert ("$.job_id", True) == (caught.value.path, caught.value.outcome_unknown)


async def test_each_state_of_a_job_comes_once_and_the_last_ends_the_loop() -> None:
    async with FakeHume(clock=ManualClock(), queue_seconds=5, run_seconds=5) as fake:
        polling = Polling(min_interval=0.01, max_interval=0.01)
        async with client_of(fake, polling=polling) as hume:
            job = await hume.batch.start_job(urls=["https://media.example.com/a.mp4"])
            seen: list[str] = []
            async for state in job.updates(timeout=10):
                seen.append(str(state.status))
                assert isinstance(fake.clock, ManualClock)
                fake.clock.advance(6)
            again = [str(state.status) async for state in job.updates()]
    assert seen == ["QUEUED", "IN_PROGRESS", "COMPLETED"]
    assert again == ["COMPLETED"]


async def test_the_states_of_a_failed_job_end_without_an_error() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        job = await hume.batch.start_job(urls=["https://media.example.com/fail-job.mp4"])
        states = [state async for state in job.updates(timeout=10)]
    assert str(states[-1].status) == "FAILED"
    assert states[-1].message


async def test_states_that_do_not_come_in_time_are_an_error_and_leave_no_wait() -> None:
    async with FakeHume(clock=ManualClock(), run_seconds=5) as fake, client_of(fake) as hume:
        job = await hume.batch.start_job(urls=["https://media.example.com/a.mp4"])
        with pytest.raises(JobTimeoutError, match="IN_PROGRESS"):
            async for _ in job.updates(timeout=0.1):
                pass
        before = hume.stats.requests
        await anyio.sleep(0.05)
        assert hume.stats.requests == before


async def test_leaving_the_states_early_asks_for_nothing_more() -> None:
    async with FakeHume(clock=ManualClock(), run_seconds=5) as fake, client_of(fake) as hume:
        job = await hume.batch.start_job(urls=["https://media.example.com/a.mp4"])
        async with contextlib.aclosing(job.updates()) as states:
            async for _ in states:
                break
        before = hume.stats.requests
        await anyio.sleep(0.05)
        assert hume.stats.requests == before


async def test_the_states_of_a_job_that_is_not_there_are_an_error() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        with pytest.raises(NotFoundError):
            async for _ in hume.batch.job("00000000-0000-4000-8000-000000000000").updates():
                pass
