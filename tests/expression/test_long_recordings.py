"""A real recording of forty minutes, measured by parts, is the same measured whole."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from attrs import evolve
from raw_client import RawClient
from spoken_recordings import PROGRAMS, Spoken, has_programs, speak
from support import client_of

from humeai_async.http import codec
from humeai_async.media.conversion import samples_of
from humeai_async.media.recordings import Recording
from humeai_async.media.wav import to_wav
from humeai_async.testing import FakeHume
from humeai_async.types.expression import AudioResult

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.media,
    pytest.mark.slow,
    pytest.mark.skipif(not has_programs(), reason=f"needs the programs {', '.join(PROGRAMS)}"),
]

SECONDS = 40 * 60.0
TIMER = 4000


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spoken]:
    """Make the recording once; half a gigabyte is not kept."""
    made = speak(tmp_path_factory.mktemp("spoken"), SECONDS)
    yield made
    made.wav.unlink()
    made.mp3.unlink()


async def measure_whole(fake: FakeHume, path: Path) -> AudioResult:
    """Upload all of it at once, without the library."""
    samples = b"".join([block async for block in samples_of(Recording(path))])
    fake.expression.has_size_limit = False
    form = aiohttp.FormData()
    form.add_field(
        "config", f'{{"measurement_timer_ms": {TIMER}}}', content_type="application/json"
    )
    form.add_field(
        "file", io.BytesIO(to_wav(samples)), filename="whole.wav", content_type="audio/wav"
    )
    async with aiohttp.ClientSession() as session:
        reply = await RawClient(fake, session)("POST", "/v1/expression/audio/file", data=form)
    fake.expression.has_size_limit = True
    assert reply.status == 200, reply.body[:200]
    return codec.decode(AudioResult, reply.body)


def without_runs(result: AudioResult) -> AudioResult:
    return evolve(result, run_id="", run_ids=(), request_id=None)


@pytest.mark.parametrize("form", ["mp3", "wav"])
async def test_forty_minutes_by_parts_are_the_forty_minutes_whole(
    spoken: Spoken, form: str
) -> None:
    path: Path = getattr(spoken, form)
    async with FakeHume() as fake, client_of(fake) as hume:
        result = await hume.expression.measure(path, measurement_timer_ms=TIMER)
        assert len(result.run_ids) >= 4
        whole = await measure_whole(fake, path)
    assert len(whole.utterances) > 100
    assert without_runs(result) == without_runs(whole)
    assert not any(one.is_joined for one in result.utterances)
    billed = sum(run["metered_seconds"] for run in fake.expression.runs[:-1])
    assert billed < 1.02 * SECONDS + 60


async def test_times_are_those_of_the_recording_as_it_was_put_together(spoken: Spoken) -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        result = await hume.expression.measure(spoken.mp3)
    stretches = [(one.audio_start_ms, one.audio_end_ms) for one in result.utterances]
    for start, end in spoken.turns:
        middle = 500 * (start + end)
        assert any(first - 100 <= middle <= last + 100 for first, last in stretches)
    first, last = spoken.turns[0], spoken.turns[-1]
    assert stretches[0][0] == pytest.approx(first[0] * 1000, abs=300)
    assert stretches[-1][1] == pytest.approx(last[1] * 1000, abs=700)
