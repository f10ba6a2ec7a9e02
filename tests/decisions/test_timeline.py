"""Questions over time: windows, spans in the recording's time, and what failed."""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, AsyncIterator

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from live_support import silence, speech, wav
from support import client_of

from humeai_async import (
    AuthenticationError,
    HumeAI,
    InvalidArgumentError,
    PartialResultError,
    Retry,
)
from humeai_async.decisions import Choice, Noul, QuestionSet, Span, recordings
from humeai_async.decisions.timeline import DecisionWindow, Timeline, windows_of
from humeai_async.media.conversion import ConversionError
from humeai_async.media.recordings import Recording
from humeai_async.media.wav import BYTES_A_MS
from humeai_async.testing import FakeHume, Fault
from humeai_async.types.decision_results import SpanResult, TimeSpan
from humeai_async.types.decisions import Decision

pytestmark = pytest.mark.anyio

QUESTIONS = {
    "calm": Noul("Calm?"),
    "why": Choice("Why?", ["fault", "other"]),
    "sighs": Span("The caller sighs."),
}


async def cut(
    total_ms: int, window_ms: int, hop_ms: int, block: int = 7_777
) -> list[tuple[int, int]]:
    samples = bytes(total_ms * BYTES_A_MS)

    async def blocks() -> AsyncIterator[bytes]:
        for at in range(0, len(samples), block):
            yield samples[at : at + block]

    return [
        (start, start + len(one) // BYTES_A_MS)
        async for start, one in windows_of(blocks(), window_ms, hop_ms)
    ]


@pytest.mark.parametrize(
    ("total", "window", "hop", "expected"),
    [
        (60_000, 30_000, 30_000, [(0, 30_000), (30_000, 60_000)]),
        (40_000, 30_000, 30_000, [(0, 30_000), (30_000, 40_000)]),
        (31_000, 30_000, 30_000, [(0, 30_000), (26_000, 31_000)]),
        (20_000, 10_000, 5_000, [(0, 10_000), (5_000, 15_000), (10_000, 20_000)]),
        (4_000, 30_000, 30_000, [(0, 4_000)]),
        (
            10_010,
            2_000,
            2_000,
            [(n, n + 2_000) for n in range(0, 10_000, 2_000)] + [(8_010, 10_010)],
        ),
        (0, 30_000, 30_000, []),
    ],
)
async def test_windows_cover_the_recording(
    total: int, window: int, hop: int, expected: list[tuple[int, int]]
) -> None:
    assert await cut(total, window, hop) == expected


@examples(max_examples=40)
@given(st.integers(1_000, 20_000), st.integers(1_000, 9_000), st.integers(500, 9_000))
async def test_nothing_is_left_out_and_no_window_is_too_long(
    total: int, window: int, hop: int
) -> None:
    hop = min(hop, window)
    windows = await cut(total, window, hop, 50_000)
    assert windows[0][0] == 0
    assert windows[-1][1] == total
    assert all(1_000 <= end - start <= max(window, 5_000) for start, end in windows)
    assert all(after[0] <= before[1] for before, after in itertools.pairwise(windows))


async def test_a_recording_is_decided_window_by_window() -> None:
    talk = wav(speech(50) + silence(10) + speech(13))
    async with FakeHume() as fake, client_of(fake) as hume:
        timeline = await hume.decisions.over(talk, QUESTIONS, window=20)
        assert [(one.start_ms, one.end_ms) for one in timeline] == [
            (0, 20_000), (20_000, 40_000), (40_000, 60_000), (60_000, 73_000),
        ]  # fmt: skip
        assert timeline.input_tokens == fake.decisions.input_tokens
        assert 0 <= (timeline.mean("calm") or 0) <= 1
        assert all(s <= span.start_ms < e for s, e, r in timeline["sighs"] for span in r.spans)
        rows = list(timeline.rows())
        assert rows[2]["start_ms"] == 40_000
        assert rows[0]["why"] in {"fault", "other"}


@pytest.mark.parametrize("seconds", [0.1, 0.999])
async def test_a_recording_that_is_too_short_for_a_window_is_refused(seconds: float) -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        with pytest.raises(InvalidArgumentError, match="1 second is the least") as caught:
            await hume.decisions.over(wav(speech(seconds)), QUESTIONS, window=5)
        assert caught.value.code == "audio_too_short"
        assert fake.requests == []
        assert len(await hume.decisions.over(wav(speech(1)), QUESTIONS, window=5)) == 1


async def test_a_window_that_fails_costs_no_other() -> None:
    async with FakeHume() as fake, client_of(fake, retry=Retry(attempts=1)) as hume:
        fake.faults.add(Fault("status", status=500, times=1))
        timeline = await hume.decisions.over(wav(speech(60)), QUESTIONS, window=20)
        assert len(timeline.failures) == 1
        assert len([one for one in timeline if one.decision]) == 2


async def test_what_was_decided_before_a_damaged_place_is_not_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def damaged(recording: Recording) -> AsyncGenerator[bytes]:
        del recording
        yield speech(45)
        raise ConversionError("it cannot be decoded")

    monkeypatch.setattr(recordings, "samples_of", damaged)
    async with FakeHume() as fake, client_of(fake) as hume:
        with pytest.raises(PartialResultError, match="cannot be decoded") as caught:
            await hume.decisions.over(wav(speech(60)), QUESTIONS, window=20)
        assert caught.value.result.input_tokens == fake.decisions.input_tokens
    assert len(caught.value.result) == 2


async def test_a_credential_that_is_refused_ends_it() -> None:
    async with FakeHume() as fake, HumeAI(api_key="wrong", base_url=fake.url) as hume:
        with pytest.raises(AuthenticationError):
            await hume.decisions.over(wav(speech(60)), QUESTIONS, window=5)


@pytest.mark.parametrize("status", [401, 402])
async def test_windows_under_way_are_decided_where_one_shows_that_no_more_can_be(
    status: int,
) -> None:
    async with FakeHume() as fake, client_of(fake, retry=Retry(attempts=1)) as hume:
        fake.faults.add(Fault("stall-body", seconds=0.05, times=2))
        fake.faults.add(Fault("status", status=status, times=1))
        with pytest.raises(PartialResultError) as caught:
            await hume.decisions.over(wav(speech(120)), QUESTIONS, window=10, concurrency=3)
        result: Timeline = caught.value.result
        assert result.input_tokens == fake.decisions.input_tokens > 0
        assert len(result) < 12


@pytest.mark.parametrize(
    ("settings", "field"),
    [({"window": 0.9}, "window"), ({"window": 301}, "window"), ({"window": 5, "hop": 6}, "hop")],
)
async def test_windows_that_the_service_would_refuse_are_not_cut(
    settings: dict[str, float], field: str
) -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        with pytest.raises(InvalidArgumentError) as caught:
            await hume.decisions.over(wav(speech(2)), QUESTIONS, **settings)  # type: ignore[arg-type]  # any settings
        assert caught.value.field == field


def test_spans_on_both_sides_of_a_cut_are_one() -> None:
    questions = QuestionSet({"a": Span("When?")})

    def window(start: int, *spans: TimeSpan) -> DecisionWindow:
        results = {"a": SpanResult(raw=None, spans=spans)}
        decision = Decision(run_id="r", questions=questions, results=results)
        return DecisionWindow(start, start + 10_000, decision)

    timeline = Timeline(
        (
            window(0, TimeSpan(9_000, 10_000, 0.6)),
            window(10_000, TimeSpan(10_000, 11_000, 0.9), TimeSpan(15_000, 16_000, 0.2)),
        ),
        questions,
    )
    assert timeline.spans("a") == (TimeSpan(9_000, 11_000, 0.9), TimeSpan(15_000, 16_000, 0.2))
    assert len(timeline.spans("a", threshold=0.5)) == 1
