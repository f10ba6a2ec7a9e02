"""What notebooks show of predictions, scores, pages, jobs, outcomes and limiters."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from scripted_transport import ScriptedTransport
from support import client_of, session_of

from humeai_async import Limiter, SourceFailedError, Upload
from humeai_async._base.html import MOST_BYTES
from humeai_async.batch.job import Job
from humeai_async.batch.poller import Poller
from humeai_async.bulk.outcome import Outcome
from humeai_async.bulk.outcome_queue import OutcomeQueue
from humeai_async.bulk.outcomes import Outcomes
from humeai_async.http.pages import Page
from humeai_async.testing import FakeHume
from humeai_async.types.batch import InferenceJob, InferenceRequest, JobState, UnknownJob
from humeai_async.types.decision_results import (
    ChoiceResult,
    NoulResult,
    Result,
    ScoreResult,
    SpanResult,
    TimeSpan,
    UnknownResult,
)
from humeai_async.types.decisions import Decision
from humeai_async.types.evi_configs import Config
from humeai_async.types.expression import (
    AudioMeasurement,
    AudioResult,
    Face,
    ImageMeasurement,
    ImagesResult,
    NamedScore,
)
from humeai_async.types.paging import Items, Undecodable
from humeai_async.types.predictions.predictions import Predictions, UnreadPredictions
from humeai_async.types.predictions.scores import Scores
from humeai_async.types.questions import Noul, QuestionSet

pytestmark = pytest.mark.anyio

SIGNED = "https://user:pa55@media.example/a.mp4?Signature=s3cret#fragm3nt"
NASTY = f"<script>alert(1)</script>\"'&\ud800 {SIGNED} "
JOB_ID = "a0000000-0000-4000-8000-000000000000"
HUGE = NASTY * 100


def show(value: Any) -> str:
    """Do what a notebook does."""
    page: str = value._repr_html_()
    return page


def predictions_of(text: str, count: int = 1) -> Predictions:
    emotions = [{"name": text, "score": 0.9}, {"name": "Joy", "score": 0.5}]
    one = {"time": {"begin": 1.5, "end": 2}, "text": text, "emotions": emotions}
    models = {"prosody": {"grouped_predictions": [{"id": text, "predictions": [one] * count}]}}
    results = {
        "predictions": [{"file": text, "models": models}],
        "errors": [{"message": text, "file": text}] * count,
    }
    sources = [{"source": {"type": "url", "url": text}, "results": results, "error": None}]
    return Predictions.from_json(json.dumps(sources * count))


def page_of(text: str, count: int = 1) -> Page[Config]:
    odd = [Undecodable(json=text, reason=text, path="$", index=0)]
    items = [Config(id=text, version=0, name=text, version_description=text)] * count
    return Page(items=items, undecodable=odd, total_pages=3)


def job_of(text: str, details: Any = None) -> Job:
    request = InferenceRequest(urls=[text], callback_url=SIGNED)
    state = JobState(status="FAILED", message=text, created_timestamp_ms=1_700_000_000_000)
    session = session_of(ScriptedTransport())
    details = details or InferenceJob(job_id=text, state=state, request=request)
    return Job("job-1", session, Poller(session), details)


def scores_of(text: str, count: int = 1) -> Scores:
    return Scores([(text, 0.9), ("Joy", 0.5), ("Awe", float("nan"))] * count)


async def outcomes_of(text: str, count: int = 1) -> Outcomes[Any, Any]:
    """Make a run whose first outcome is in the consumer's hands."""
    failure = SourceFailedError(text, job_id=text)

    async def run(queue: OutcomeQueue[Any, Any]) -> None:
        one: Outcome[Any, Any] = Outcome(source=text, job_id=text, error=failure)
        await queue.give([one] * count)

    outcomes = Outcomes(run)
    await anext(outcomes)
    return outcomes


async def limiter_of(text: str, count: int = 1) -> Limiter:
    limiter = Limiter(rate=100)
    for number in range(count):
        (await limiter.acquire(f"{text}{number}")).done(200)
    return limiter


def measured(text: str, count: int = 1) -> AudioResult:
    label = NamedScore(name=text, probability=0.9)
    one = AudioMeasurement(
        measurement_id=0, utterance_id=0, audio_start_ms=1500, audio_end_ms=4500,
        expressions=[label] * 5, voice_attributes=[label],
    )  # fmt: skip
    return AudioResult(run_id=text, utterances=Items(()), measurements=Items([one] * count))


def faces_of(text: str, count: int = 1) -> ImagesResult:
    faces = [Face(face_id=3, expressions=[NamedScore(name=text, probability=0.9)]), Face()]
    images = [ImageMeasurement(frame_id=7, faces=faces)] * count
    return ImagesResult(run_id=text, measurements=Items(images))


def decided(text: str, count: int = 1) -> Decision:
    questions = QuestionSet({f"{n} {text}"[:250]: Noul("Is it?") for n in range(min(count, 20))})
    answers: list[Result] = [
        NoulResult(raw=0, noul=0.75),
        ChoiceResult(raw=0, choice=text, probabilities={"a": 0.25, text: 0.5}),
        ScoreResult(raw=0, score=0.5, probabilities={0: 0.5, 1: 0.25}, legend={0: text}),
        SpanResult(raw=0, spans=(TimeSpan(0, 1000),)),
        UnknownResult(raw=text),
    ]
    results = dict(zip(questions, answers * 4, strict=False))
    return Decision(run_id=text, questions=questions, results=results)


async def show_all(text: str, count: int = 1) -> dict[str, str]:
    outcomes = await outcomes_of(text, count)
    shown: list[Any] = [
        predictions_of(text.replace("\ud800", ""), count),
        predictions_of(text.replace("\ud800", ""), count).summary(),
        predictions_of(text.replace("\ud800", ""), count).failures,
        measured(text, count),
        faces_of(text, count),
        decided(text, count),
        page_of(text, count),
        job_of(text),
        scores_of(text, count),
        outcomes,
        await limiter_of(text, count),
    ]
    pages = {type(one).__name__: show(one) for one in shown}
    await outcomes.aclose()
    return pages


async def test_each_of_them_is_a_table() -> None:
    for name, page in (await show_all("a name")).items():
        assert name.removesuffix("s") in page
        assert page.count("<table>") == page.count("</table>") >= 1
        assert "a name" in page or name == "Job"
        assert "more</div>" not in page or name == "Predictions"


async def test_nothing_in_them_is_a_script_a_query_or_a_user() -> None:
    for page in (await show_all(NASTY, 3)).values():
        page.encode()
        assert "<script" not in page
        for secret in ("s3cret", "Signature", "pa55", "fragm3nt"):
            assert secret not in page


async def test_huge_contents_stay_below_20_kb_and_the_rest_is_counted() -> None:
    for name, page in (await show_all(HUGE, 25)).items():
        assert len(page.encode()) <= MOST_BYTES
        assert "<script" not in page
        assert "s3cret" not in page
        assert " more</div>" in page or name in {"Job", "Summary", "Decision"}  # of few rows


def test_measurements_show_their_time_and_what_is_listed() -> None:
    page = show(measured("joy"))
    assert page.count("joy 0.900") == 4  # three expressions, one voice attribute
    assert "<td" in page
    assert ">1.5</td>" in page
    assert ">4.5</td>" in page


def test_faces_that_were_not_measured_have_a_row_too() -> None:
    page = show(faces_of("joy"))
    assert "ImagesResult: 2 faces in 1 images" in page
    assert page.count("<tr>") == 3


def test_answers_show_the_shares_of_raters() -> None:
    page = show(decided("low", 5))
    assert page.index("yes 0.750") < page.index("low 0.500") < page.index("a 0.250")
    assert "1 0.250" in page  # a level without a name
    assert page.count("<tr>") == 6


def test_predictions_show_the_strongest_scores_of_the_first_rows_as_bars() -> None:
    page = show(predictions_of("a", 30))
    assert "Predictions: 900 from 30 sources" in page
    assert "width:90%" in page
    assert "… and 888 more" in page
    assert "30 failed" not in page
    assert "900 failed" in page


def test_predictions_read_no_more_than_the_first_rows() -> None:
    body = predictions_of("a").body
    start, end = body.index(b'[{"time"') + 1, body.index(b"]}]}}")
    good, bad = body[start:end], b"7"
    many = Predictions.from_json(body[:start] + b",".join([good] * 3 + [bad] * 9) + body[end:])
    page = show(many)
    assert "12 from 1 sources" in page
    assert "cannot be read" not in page


def test_a_prediction_that_cannot_be_read_has_a_row_that_says_so() -> None:
    body = predictions_of("a", 2).body.replace(b'"emotions": [', b'"emotions": [7, ', 4)
    page = show(Predictions.from_json(body))
    assert "cannot be read" in page


def test_no_predictions_are_an_empty_table() -> None:
    assert "Predictions: 0 from 0 sources" in show(Predictions([]))


def test_scores_are_shown_strongest_first() -> None:
    page = show(Scores([("Joy", 0.25), ("Awe", 0.75), ("Calm", float("nan"))]))
    assert page.index("Awe 0.750") < page.index("Joy 0.250") < page.index("Calm no number")


def test_scores_that_cannot_be_read_say_so() -> None:
    body = predictions_of("a").body.replace(b"0.9", b'"x"')
    found = Predictions.from_json(body)[0].files[0].models.prosody
    assert found is not None
    page = show(found.grouped_predictions[0].predictions[0].emotions)
    assert "problem" in page


def test_a_url_field_is_shown_as_its_repr_shows_it() -> None:
    page = show(job_of("a"))
    assert "https://media.example/***" in page
    assert "a.mp4" not in page


def test_a_job_without_news_says_how_to_ask_and_asks_for_nothing() -> None:
    transport = ScriptedTransport()
    session = session_of(transport)
    page = show(Job("job-1", session, Poller(session)))
    assert "await job.refresh()" in page
    assert not transport.requests


def test_a_job_shows_status_and_times() -> None:
    page = show(job_of("a"))
    assert "FAILED" in page
    assert "2023-11-14 22:13:20" in page


def test_an_unknown_job_shows_no_part_of_its_json() -> None:
    job = job_of("a", UnknownJob(job_id="a", data={"callback_url": SIGNED}))
    assert "media.example" not in show(job)


def test_a_page_tells_of_entries_that_could_not_be_read() -> None:
    assert "1 could not be read" in show(page_of("a"))


def test_a_page_of_other_things_shows_their_reprs() -> None:
    page = show(Page(items=[{"url": SIGNED}, "<b>"], number=2))
    assert "s3cret" not in page
    assert "&lt;b&gt;" in page


async def test_a_run_that_has_not_begun_is_not_begun_by_showing_it() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        outcomes = hume.batch.predict(["https://media.example/a.mp4"], models={"face": {}})
        page = show(outcomes)
        assert not outcomes.has_begun
        assert not fake.requests
    assert "not begun" in page


async def test_a_run_tells_how_far_it_is_until_it_has_finished() -> None:
    sources = [f"https://media.example/{number}.mp4" for number in range(3)]
    async with FakeHume(run_seconds=0.02) as fake, client_of(fake) as hume:
        outcomes = hume.batch.predict(sources, models={"face": {}})
        await anext(outcomes)
        assert "under way; 1 so far, 0 of them failed" in show(outcomes)
        assert len([one async for one in outcomes]) == 2
        sent = len(fake.requests)
        assert "finished; 3 so far" in show(outcomes)
        assert len(fake.requests) == sent


async def end_in_error(_: OutcomeQueue[Any, Any]) -> None:
    raise SourceFailedError("too bad", job_id="a")


async def wait_for_ever(queue: OutcomeQueue[Any, Any]) -> None:
    await queue.give([Outcome(source="a", predictions=1)] * 2)


async def test_a_run_that_an_error_ended_names_it() -> None:
    outcomes = Outcomes(end_in_error)
    with pytest.raises(SourceFailedError):
        await anext(outcomes)
    assert "ended by SourceFailedError: too bad" in show(outcomes)


async def test_a_run_that_was_left_is_stopped() -> None:
    async with Outcomes(wait_for_ever) as outcomes:
        await anext(outcomes)
    assert "stopped" in show(outcomes)


async def test_showing_outcomes_reads_none_of_them() -> None:
    outcome: Outcome[Any, Any] = Outcome(
        source=Upload(content=b"<script>", filename=NASTY), unread=UnreadPredictions(b"[nonsense]")
    )

    async def run(queue: OutcomeQueue[Any, Any]) -> None:
        await queue.give([outcome] * 2)

    async with Outcomes(run) as outcomes:
        await anext(outcomes)
        page = show(outcomes)
    assert "not read yet" in page
    assert outcome.known == "a result that was not read yet"


async def test_a_limiter_shows_what_it_counted() -> None:
    page = show(await limiter_of("bucket-", 2))
    assert "100 calls a second" in page
    assert "bucket-1" in page


def test_a_limiter_without_calls_says_so_outside_of_an_event_loop() -> None:
    page = show(Limiter())
    assert "No call has asked it yet" in page
    assert "learns its rate" in page


def test_a_limiter_is_shown_after_its_event_loop_has_closed() -> None:
    limiter = asyncio.run(limiter_of("bucket-"))
    assert "bucket-0" in show(limiter)


async def test_no_credential_is_shown() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        page, job = await hume.configs.list(), hume.batch.job(JOB_ID)
        assert not any(fake.api_key in show(one) for one in (page, job, hume.limiter))
