"""Audio Decisions against the stand-in: what is sent, refused, read and billed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from live_support import clip, mp3, speech, wav
from support import client_of

from humeai_async import (
    HumeAI,
    InvalidArgumentError,
    NotFoundError,
    RateLimitError,
    RateLimitWaitError,
    Upload,
)
from humeai_async.decisions import Choice, Noul, QuestionSet, Score, Span
from humeai_async.errors import BadRequestError
from humeai_async.testing import FakeHume, Fault, FormPart, ManualClock

pytestmark = pytest.mark.anyio


def parts_of(fake: FakeHume) -> tuple[FormPart, ...]:
    return fake.requests[0].parts or (FormPart.of("none", b""),)


QUESTIONS = QuestionSet(
    {
        "frustrated": Noul("Does the caller sound frustrated?", {"true": "sighs"}),
        "reason": Choice("Why does the caller call?", ["billing", "fault"]),
        "natural": Score("How natural is the voice?", ["robotic", "passable", "natural"]),
        "cancels": Span("The caller asks to cancel."),
    },
    context="A support call.",
)


async def test_each_question_has_a_result(hume: HumeAI, fake: FakeHume) -> None:
    decision = await hume.decisions.create(clip(), QUESTIONS)
    assert 0 <= decision["frustrated"].noul <= 1
    assert decision["reason"].choice in {"billing", "fault"}
    assert decision["natural"].legend[2] == "natural"
    assert len(decision["cancels"].spans) == 1
    assert decision.input_tokens == fake.decisions.input_tokens
    request, file = parts_of(fake)
    assert (request.name, request.content_type, request.filename) == (
        "request",
        "application/json",
        None,
    )
    assert json.loads(request.content) == QUESTIONS.to_wire()
    assert (file.name, file.filename, file.content_type) == ("file", "clip.wav", "audio/wav")


async def test_mp3_is_sent_as_it_is(hume: HumeAI, fake: FakeHume) -> None:
    await hume.decisions.create(mp3(6), {"a": Noul("Calm?")})
    file = parts_of(fake)[1]
    assert (file.filename, file.content_type) == ("audio.mp3", "audio/mpeg")


async def test_a_question_without_a_result_costs_no_other(hume: HumeAI, fake: FakeHume) -> None:
    fake.decisions.omit.add("reason")
    decision = await hume.decisions.create(clip(), QUESTIONS)
    assert decision.missing == ("reason",)
    assert decision["frustrated"].noul >= 0


@pytest.mark.parametrize(
    ("file", "code"),
    [
        (wav(speech(0.9)), "audio_too_short"),
        (wav(bytes(2 * 8_000 * 301), rate=8_000), "audio_too_long"),
        (mp3(301), "audio_too_long"),
        (b"", "audio_format_unsupported"),
        (speech(2), "audio_format_unsupported"),
        (b"RIFF\0\0\0\0AVI LIST", "audio_format_unsupported"),
        (wav(speech(2))[:-10], "audio_format_unsupported"),
        (wav(bytes(26_000_000), rate=48_000, channels=2), "payload_too_large"),
    ],
)
async def test_audio_that_the_service_would_refuse_is_not_sent(
    hume: HumeAI, fake: FakeHume, file: bytes, code: str
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        await hume.decisions.create(file, QUESTIONS)
    assert caught.value.code == code
    assert fake.requests == []


async def test_an_estimate_costs_nothing(hume: HumeAI, fake: FakeHume) -> None:
    estimate = await hume.decisions.estimate(QUESTIONS, audio_duration_ms=3000)
    decision = await hume.decisions.create(clip(3), QUESTIONS)
    assert estimate.tokens == decision.input_tokens
    assert len(fake.decisions.runs) == 1


@pytest.mark.parametrize(
    ("duration", "code"), [(999, "audio_too_short"), (300_001, "audio_too_long")]
)
async def test_an_estimate_of_an_impossible_length_is_refused(
    hume: HumeAI, duration: int, code: str
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        await hume.decisions.estimate(QUESTIONS, audio_duration_ms=duration)
    assert (caught.value.code, caught.value.param) == (code, "/audio_duration_ms")


async def test_an_estimate_is_read_under_another_name(hume: HumeAI, fake: FakeHume) -> None:
    body = b'{"estimated": 12}'
    fake.faults.add(Fault("status", status=200, body=body, content_type="application/json"))
    assert (await hume.decisions.estimate(QUESTIONS, audio_duration_ms=3000)).tokens == 12


async def test_runs_tell_what_was_billed(hume: HumeAI) -> None:
    decision = await hume.decisions.create(clip(), QUESTIONS)
    (run,) = await hume.decisions.runs.list(status="ended").collect()
    assert run.is_billed
    whole = await hume.decisions.runs.get(str(decision.run_id))
    assert whole.request == QUESTIONS.to_wire()
    with pytest.raises(NotFoundError) as caught:
        await hume.decisions.runs.get("01a1e9d3-6ae4-770b-a337-e34afef333ba")
    assert caught.value.code == "not_found"


async def test_an_error_names_its_place(hume: HumeAI, fake: FakeHume) -> None:
    body = {
        "type": "error",
        "code": "question_invalid",
        "message": "two levels or more",
        "param": "/questions/natural/criteria",
        "request_id": "req_1",
    }
    fake.faults.add(Fault("status", status=400, body=json.dumps(body).encode()))
    with pytest.raises(BadRequestError) as caught:
        await hume.decisions.create(clip(), QUESTIONS)
    assert caught.value.code == "question_invalid"
    assert caught.value.param == "/questions/natural/criteria"


async def test_a_refusal_for_the_rate_is_told_where_it_cannot_be_waited_for() -> None:
    async with FakeHume(clock=ManualClock()) as fake, client_of(fake, timeout=0.5) as hume:
        fake.decisions.calls_a_minute = 2
        for _ in range(2):
            await hume.decisions.estimate(QUESTIONS, audio_duration_ms=3000)
        with pytest.raises(RateLimitWaitError) as caught:
            await hume.decisions.estimate(QUESTIONS, audio_duration_ms=3000)
        assert 60 < caught.value.seconds < 61
        assert isinstance(caught.value.__cause__, RateLimitError)
        assert caught.value.__cause__.message == "API rate limit exceeded"


async def test_an_upload_without_a_name_gets_one(hume: HumeAI, fake: FakeHume) -> None:
    file: Any = Upload(wav(speech(2)))
    await hume.decisions.create(file, QUESTIONS)
    assert parts_of(fake)[1].filename == "audio.wav"
