"""Uploads and runs: what the official package does, and what this one does.

The package is optional; without it these are skipped.
"""

from __future__ import annotations

import asyncio
import inspect
import io
import logging
import re
import threading
import typing
from pathlib import Path
from typing import Any

import pytest
from live_support import extensible_wav, silence, speech, wav
from official_expression import MARKS, httpx, module, official, theirs
from support import client_of

import humeai_async
from humeai_async import (
    AuthenticationError,
    DecodeError,
    HumeAI,
    HumeError,
    InvalidArgumentError,
    PermissionDeniedError,
    Retry,
    ServerError,
    Upload,
)
from humeai_async.testing import FakeHume, Fault

pytestmark = MARKS

CLIP = wav(speech(1))
AIFF = b"FORM" + (60_004).to_bytes(4, "big") + b"AIFF" + bytes(60_000)


@pytest.mark.parametrize(("status", "ours"), [(403, PermissionDeniedError), (200, DecodeError)])
async def test_a_body_of_an_unexpected_shape(
    hume: HumeAI, fake: FakeHume, status: int, ours: type[HumeError]
) -> None:
    fault = Fault("status", status=status, body=b'{"message": "no"}', times=None)
    fake.faults.add(fault)
    async with theirs(fake, max_retries=0) as client:
        with pytest.raises(module("core.parse_error").ParsingError) as caught:
            await client.audio.measure(file=("clip.wav", CLIP))
    assert not isinstance(caught.value, module("core.api_error").ApiError)
    with pytest.raises(ours):
        await hume.expression.measure_audio(CLIP)


async def test_the_key_in_logs_for_debugging(
    hume: HumeAI, fake: FakeHume, caplog: pytest.LogCaptureFixture
) -> None:
    lines: list[str] = []

    class Lines:
        def debug(self, message: str, **facts: Any) -> None:
            lines.append(f"{message} {facts}")

        info = warn = error = debug

    logger = module("core.logging").Logger(level="debug", logger=Lines(), silent=False)
    async with theirs(fake, logging=logger) as client:
        await client.audio.measure(file=("clip.wav", CLIP))
    assert fake.api_key in "\n".join(lines)
    with caplog.at_level(logging.DEBUG):
        await hume.expression.measure_audio(CLIP)
    assert fake.api_key not in caplog.text


async def test_an_upload_that_failed_after_it_was_measured(
    fake: FakeHume, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module("core.http_client"), "INITIAL_RETRY_DELAY_SECONDS", 0.001)
    fake.faults.add(Fault("status", status=503, after_work=True, times=None))
    async with theirs(fake) as client:
        with pytest.raises(module("core.parse_error").ParsingError):
            await client.audio.measure(file=("clip.wav", CLIP))
    assert (fake.count(method="POST"), fake.expression.metered_seconds) == (3, 30.0)
    async with client_of(fake) as hume:
        with pytest.raises(ServerError) as caught:
            await hume.expression.measure_audio(CLIP)
    assert caught.value.outcome_unknown
    assert (fake.count(method="POST"), fake.expression.metered_seconds) == (4, 40.0)


async def test_a_wait_in_milliseconds(fake: FakeHume) -> None:
    told = {"retry-after-ms": "250"}
    assert module("core.http_client")._parse_retry_after(httpx.Headers(told)) is None
    fake.faults.add(Fault("status", status=503, headers=told))
    async with client_of(fake, retry=Retry(attempts=1)) as hume:
        with pytest.raises(ServerError) as caught:
            await hume.expression.runs.list()
    assert caught.value.retry_after == 0.25


async def test_a_key_in_the_environment_that_is_set_after_the_import(
    fake: FakeHume, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUME_API_KEY", fake.api_key)
    with pytest.raises(module("core.api_error").ApiError):
        official.AsyncExpressionMeasurementClient()
    async with HumeAI(base_url=fake.url) as hume:
        await hume.expression.measure_audio(CLIP)


async def test_closing_the_client() -> None:
    client = official.AsyncExpressionMeasurementClient(api_key="key")
    assert not {"aclose", "close", "__aenter__"} & set(dir(client))
    assert {"aclose", "__aenter__"} <= set(dir(HumeAI))


async def test_runs_that_fill_more_than_one_page(hume: HumeAI, fake: FakeHume) -> None:
    for _ in range(60):
        fake.expression.end(fake.expression.begin("audio", "file", {}), 10.0, 1)
    async with theirs(fake) as client:
        page = await client.runs.list()
        assert (len(page.runs), bool(page.next_cursor)) == (50, True)
        assert not hasattr(page, "__aiter__")
    assert len([run async for run in hume.expression.runs.list()]) == 60


@pytest.mark.parametrize(("data", "length_ms"), [(AIFF, 1875), (speech(1) * 3, 3000)])
async def test_sound_that_the_service_takes_for_raw_samples(
    hume: HumeAI, fake: FakeHume, data: bytes, length_ms: int
) -> None:
    async with theirs(fake) as client:
        result = await client.audio.measure(file=("voice", data))
    assert result.received.audio_duration_ms == pytest.approx(length_ms, abs=2)
    assert fake.expression.metered_seconds == 10
    with pytest.raises(InvalidArgumentError) as caught:
        await hume.expression.measure_audio(data)
    assert caught.value.code == "unsupported_media_type"
    assert fake.count(method="POST") == 1


async def test_a_wav_file_with_the_longer_header(hume: HumeAI, fake: FakeHume) -> None:
    data = extensible_wav(speech(1))
    async with theirs(fake) as client:
        with pytest.raises(official.BadRequestError):
            await client.audio.measure(file=("clip.wav", data))
    assert len((await hume.expression.measure_audio(data)).utterances) == 1


async def test_a_setting_out_of_range(hume: HumeAI, fake: FakeHume) -> None:
    config = official.AudioFileConfig(measurement_timer_ms=20_000)
    async with theirs(fake) as client:
        with pytest.raises(official.BadRequestError):
            await client.audio.measure(file=("clip.wav", CLIP), config=config)
    assert fake.count(method="POST") == 1
    with pytest.raises(InvalidArgumentError, match="measurement_timer_ms"):
        await hume.expression.measure_audio(CLIP, measurement_timer_ms=20_000)
    assert fake.count(method="POST") == 1


async def test_a_refused_key(fake: FakeHume) -> None:
    async with theirs(fake) as client:
        assert await client.audio.measure(file=("clip.wav", CLIP))
    async with HumeAI(api_key="wrong", base_url=fake.url) as hume:
        with pytest.raises(AuthenticationError, match="Unauthorized"):
            await hume.expression.measure_audio(CLIP)


async def test_a_score_by_its_name_and_types_that_check(hume: HumeAI, fake: FakeHume) -> None:
    async with theirs(fake) as client:
        (measured, *_) = (await client.audio.measure(file=("clip.wav", CLIP))).measurements
    with pytest.raises(TypeError):
        measured["joy"]
    assert Any in typing.get_args(official.MeasurementTrigger)
    with pytest.raises(ValueError, match="type"):
        official.SessionClose()
    (ours, *_) = (await hume.expression.measure_audio(CLIP)).measurements
    scores = {one.name: one.probability for one in measured.expressions}
    assert ours["joy"] == scores.get("joy")


class Watched(io.BytesIO):
    """A file that knows which threads read it."""

    readers: set[str]

    def read(self, size: int | None = -1, /) -> bytes:
        self.readers.add(threading.current_thread().name)
        return super().read(size)


async def test_who_reads_a_file(hume: HumeAI, fake: FakeHume) -> None:
    loop = threading.current_thread().name
    file = Watched(CLIP)
    file.readers = set()
    async with theirs(fake) as client:
        await client.audio.measure(file=("clip.wav", file))
    assert file.readers == {loop}
    file = Watched(CLIP)
    file.readers = set()
    await hume.expression.measure_audio(Upload(file, "clip.wav"))
    assert file.readers
    assert loop not in file.readers


async def test_a_recording_over_the_size_limit(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    path = tmp_path / "long.wav"
    path.write_bytes(await asyncio.to_thread(wav, silence(790) + speech(2) + silence(1)))
    async with theirs(fake, max_retries=0) as client:
        with path.open("rb") as file, pytest.raises(official.ContentTooLargeError):
            await client.audio.measure(file=("long.wav", file))
    assert not {"measure_many", "create_many"} & set(dir(client.audio))
    result = await hume.expression.measure(path)
    assert [(one.audio_start_ms, one.audio_end_ms) for one in result.utterances] == [
        (790_000, 792_000)
    ]


async def test_how_often_a_call_is_written() -> None:
    for room, calls in (("audio", 2), ("video", 2), ("runs", 3)):
        raw = module(f"{room}.raw_client")
        name = f"Raw{room.capitalize()}Client"
        classes: list[type[object]] = [getattr(raw, name), getattr(raw, f"Async{name}")]
        written = [
            [method for method, value in vars(one).items() if callable(value) and method[0] != "_"]
            for one in classes
        ]
        assert written[0] == written[1]
        assert len(written[0]) == calls
        paths = re.findall(r'"/?(v1/expression/[^"]*)"', inspect.getsource(raw))
        assert (len(paths), len(set(paths))) == (2 * calls, calls)
    package = Path(humeai_async.__file__).parent
    source = "".join(
        path.read_text("utf-8")
        for path in package.rglob("*.py")
        if package / "testing" not in path.parents  # the fake shares no code with the client
    )
    paths = re.findall(r'"(/v1/expression/[^"]*)"', source)
    assert (len(paths), len(set(paths))) == (7, 7)
