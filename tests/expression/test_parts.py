"""A recording measured in parts is the recording measured whole."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from live_support import silence, speech, wav
from support import client_of

from humeai_async import InvalidArgumentError, PartialResultError, Retry
from humeai_async.expression import recordings
from humeai_async.expression.parts import STEP_MS, Joiner, find_cut
from humeai_async.expression.recordings import measure_recording
from humeai_async.http import codec
from humeai_async.http.messages import Part
from humeai_async.media.conversion import ConversionError
from humeai_async.media.recordings import Recording
from humeai_async.testing import FakeHume, Fault
from humeai_async.testing.live_media import SpeechFinder
from humeai_async.types.expression import AudioResult

pytestmark = pytest.mark.anyio


class Service:
    """Measures parts as the stand-in does, without a socket."""

    def __init__(self) -> None:
        self.lengths_ms: list[int] = []

    async def measure(self, part: Part, start_ms: int) -> AudioResult:
        del start_ms
        assert isinstance(part.content, bytes)
        samples = part.content[44:]
        self.lengths_ms.append(len(samples) // 32)
        finder = SpeechFinder(3000)
        messages = [*finder.feed(samples), *finder.end()]
        body: dict[str, Any] = {
            "run_id": f"run-{len(self.lengths_ms)}",
            "utterances": [one for one in messages if one["type"] == "utterance.end"],
            "measurements": [one for one in messages if one["type"] == "measurement.result"],
        }
        return codec.decode(AudioResult, json.dumps(body).encode())


async def measured(samples: bytes, longest_ms: int) -> tuple[AudioResult, Service]:
    service = Service()
    recording = Recording(samples, is_headerless=True)
    result = await measure_recording(recording, service.measure, longest_ms=longest_ms)
    return result, service


def as_whole(result: AudioResult) -> AudioResult:
    return evolve(result, run_id="", run_ids=(), request_id=None, received=None)


async def test_the_parts_of_a_conversation_equal_the_whole() -> None:
    talk = b"".join(silence(1 + n % 3) + speech(2 + n % 5, pitch=180 + 7 * n) for n in range(16))
    whole, _ = await measured(talk, 10_000_000)
    parts, service = await measured(talk, 30_000)
    assert len(service.lengths_ms) > 3
    assert as_whole(parts) == as_whole(whole)
    assert parts.received == whole.received


@pytest.mark.slow
@examples(max_examples=15)
@given(st.lists(st.tuples(st.integers(35, 200), st.integers(5, 200)), min_size=1, max_size=12))
async def test_wherever_speech_and_silence_fall_the_parts_equal_the_whole(
    stretches: list[tuple[int, int]],
) -> None:
    talk = b"".join(silence(0.02 * quiet) + speech(0.02 * loud) for quiet, loud in stretches)
    whole, _ = await measured(talk, 10_000_000)
    parts, _ = await measured(talk, 12_000)
    assert as_whole(parts) == as_whole(whole)


async def test_speech_that_is_longer_than_a_part_is_joined_and_marked() -> None:
    talk = silence(1) + speech(45) + silence(2) + speech(3) + silence(1)
    result, service = await measured(talk, 20_000)
    assert [(one.audio_start_ms, one.audio_end_ms, one.is_joined) for one in result.utterances] == [
        (1000, 46000, True),
        (48000, 51000, False),
    ]
    assert {one.utterance_id for one in result.measurements} == {0, 1}
    assert [one.measurement_id for one in result.measurements] == list(
        range(len(result.measurements))
    )
    assert sum(service.lengths_ms) < 2 * 52_000


def test_a_part_ends_at_the_quietest_place() -> None:
    talk = speech(12) + silence(0.12) + speech(8)
    assert 12_000 <= find_cut(talk, 20_000) <= 12_120
    assert find_cut(talk, 20_000) % STEP_MS == 0


async def test_a_recording_in_parts_is_uploaded_over_the_wire() -> None:
    talk = b"".join(silence(1.5) + speech(3, pitch=200 + n) for n in range(8))
    async with FakeHume() as fake, client_of(fake) as hume:
        result = await hume.expression.measure(wav(talk))
        assert len(result.utterances) == 8
        assert result.run_ids == (fake.expression.runs[0]["run_id"],)
        raw = await hume.expression.measure(talk, is_headerless=True, measurement_timer_ms=5000)
        assert len(raw.utterances) == 8


async def test_what_was_measured_before_a_failure_is_not_lost() -> None:
    talk = b"".join(silence(1) + speech(4, pitch=200 + n) for n in range(20))
    async with FakeHume() as fake, client_of(fake, retry=Retry(attempts=1)) as hume:
        fail = Fault("status", status=503, after_work=True)

        async def upload(part: Part, _: int) -> AudioResult:
            if len(fake.expression.runs) == 2:
                fake.faults.add(fail)
            assert isinstance(part.content, bytes)
            return await hume.expression.measure_audio(part.content)

        with pytest.raises(PartialResultError) as caught:
            await measure_recording(Recording(wav(talk)), upload, longest_ms=30_000)
    assert len(caught.value.result.run_ids) == 2
    assert caught.value.outcome_unknown
    assert caught.value.__cause__ is not None


async def test_what_was_measured_before_a_damaged_place_is_not_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def damaged(recording: Recording) -> AsyncGenerator[bytes]:
        assert isinstance(recording.source, bytes)
        yield recording.source[44:]
        raise ConversionError("it cannot be decoded")

    monkeypatch.setattr(recordings, "samples_of", damaged)
    talk = b"".join(silence(1) + speech(4, pitch=200 + n) for n in range(20))
    async with FakeHume() as fake, client_of(fake) as hume:

        async def upload(part: Part, _: int) -> AudioResult:
            assert isinstance(part.content, bytes)
            return await hume.expression.measure_audio(part.content)

        with pytest.raises(PartialResultError, match="cannot be decoded") as caught:
            await measure_recording(Recording(wav(talk)), upload, longest_ms=30_000)
        runs = [run["run_id"] for run in fake.expression.runs]
    assert sorted(caught.value.result.run_ids) == sorted(runs)
    assert runs


@pytest.mark.parametrize("source", [b"", b'{"no": "sound, no sound"}', speech(1)])
async def test_what_is_no_recording_is_refused(source: bytes) -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        with pytest.raises(InvalidArgumentError) as caught:
            await hume.expression.measure(source)
        assert caught.value.code == "unsupported_media_type"
        assert fake.requests == []


def _part(utterances: list[dict[str, Any]], measurements: list[dict[str, Any]]) -> AudioResult:
    body = {"run_id": "r", "utterances": utterances, "measurements": measurements}
    return codec.decode(AudioResult, json.dumps(body).encode())


def _placed(number: int, start_ms: int, end_ms: Any) -> dict[str, Any]:
    times = {"audio_start_ms": start_ms, "audio_end_ms": end_ms}
    return {"utterance_id": number, "measurement_id": number, **times}


def test_what_cannot_be_read_of_a_part_is_kept_and_costs_no_measurement() -> None:
    joiner = Joiner()
    utterances = [_placed(0, 0, 900), _placed(1, 2000, "?"), _placed(2, 5000, 6000)]
    measured = [_placed(0, 0, 900), _placed(1, 2000, 3000), _placed(2, 5000, 6000)]
    joiner.add(_part(utterances, [*measured, {}]), 0, 30_000, is_last=False)
    joiner.add(_part([_placed(0, 100, 900)], [_placed(0, 100, 900)]), 28_000, 30_000, is_last=True)
    result = joiner.result()
    assert [one.audio_start_ms for one in result.measurements] == [0, 2000, 5000, 28_100]
    assert len({one.utterance_id for one in result.measurements}) == 4
    by_id = {one.utterance_id: one.audio_start_ms for one in result.utterances}
    assert list(by_id.values()) == [0, 5000, 28_100]
    assert [by_id.get(one.utterance_id) for one in result.measurements] == [0, None, 5000, 28_100]
    assert len(result.utterances.undecodable) == len(result.measurements.undecodable) == 1


@pytest.mark.parametrize("utterances", [[(90_000, 95_000)], [(0, 50_000), (29_000, 29_900)]])
def test_no_part_begins_behind_the_end_of_the_one_before(utterances: list[tuple[int, int]]) -> None:
    told = [_placed(number, *times) for number, times in enumerate(utterances)]
    assert Joiner().add(_part(told, []), 0, 30_000, is_last=False) <= 30_000
