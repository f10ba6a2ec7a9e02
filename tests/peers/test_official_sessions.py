"""Sessions: what the official package does, and what this one does.

The package is optional; without it these are skipped.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import types
import warnings
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from live_support import silence, speech, wav
from official_expression import MARKS, client_at, module, official, theirs
from played_sessions import Played, example, playing
from support import client_of, jpeg_file

from humeai_async import (
    APITimeoutError,
    HumeAI,
    InvalidArgumentError,
    PermissionDeniedError,
    Reconnect,
)
from humeai_async.media.conversion import samples_of
from humeai_async.media.recordings import Recording
from humeai_async.testing import FakeHume, Fault, ManualClock
from humeai_async.testing.expression_sockets import SessionDrop
from humeai_async.types.expression_messages import (
    SessionClosed,
    SessionResumed,
    UnknownMessage,
    UtteranceEnd,
    VideoMeasured,
)

pytestmark = [*MARKS, pytest.mark.slow]  # its package keeps to times of its own

QUICK = Reconnect(initial_delay=0.001, jitter=0, max_delay=0.01)


@pytest.fixture(autouse=True)
def _reconnects_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the package's reconnects a pause that a test can wait for."""
    monkeypatch.setattr(module("reconnect._policy"), "_FIRST_DELAY_RANGE", (0.3, 0.3))


async def close(socket: Any) -> None:
    await socket.send_audio_session_close(official.SessionClose(type="session.close"))


async def test_messages_of_types_that_nobody_knows() -> None:
    recorded = Played(example("audio_realtime_unknown_types"))
    async with playing(recorded) as url, client_at(url) as client:
        async with client.audio.connect() as socket:
            kinds = [type(message).__name__ async for message in socket]
    assert kinds[1:4] == ["UtteranceStart", "Error", "AudioSessionClosed"]
    async with playing(recorded) as url, HumeAI(api_key="key", base_url=url) as hume:
        async with hume.expression.connect_audio() as session:
            messages = [message async for message in session]
    assert [type(one) for one in messages[1:4]] == [UnknownMessage] * 3
    assert [type(one) for one in messages].count(SessionClosed) == 1


async def test_a_pause_that_looks_like_the_end_stops_the_packages_reconnects() -> None:
    paused = {**example("audio_realtime_shutdown")[-1], "type": "session.paused", "reason": "error"}
    shutdown = example("audio_realtime_shutdown")
    recorded = Played([*shutdown, paused], 1000), Played(example("audio_realtime_idle"))
    async with playing(*recorded) as url, client_at(url) as client:
        async with module("reconnect").reconnecting(client.audio) as socket:
            received = [message async for message in socket]
    assert sum(isinstance(one, official.AudioSessionCreated) for one in received) == 1
    async with playing(*recorded) as url, HumeAI(api_key="key", base_url=url) as hume:
        async with hume.expression.connect_audio(reconnect=QUICK) as session:
            messages = [message async for message in session]
    assert session.report.connections == 2
    assert sum(isinstance(one, SessionResumed) for one in messages) == 1


async def test_a_refused_handshake(hume: HumeAI, fake: FakeHume) -> None:
    body = b'{"message": "ask Hume for access", "request_id": "r-1"}'
    sent = {"X-Served-By": "edge-7"}
    fake.faults.add(Fault("status", status=403, body=body, headers=sent, times=None))
    async with theirs(fake) as client:
        with pytest.raises(module("core.api_error").ApiError) as caught:
            async with client.audio.connect():
                pass
    assert caught.value.body == "Unexpected error when initializing websocket connection."
    with pytest.raises(PermissionDeniedError, match="ask Hume for access") as ours:
        async with hume.expression.connect_audio():
            pass
    assert ours.value.body == body.decode()
    assert ours.value.status == 403
    for refusal in (caught.value, ours.value):
        assert refusal.headers["x-served-by"] == "edge-7"


async def test_warnings_that_a_session_prints(hume: HumeAI) -> None:
    def printed(imported: str) -> str:
        command = [sys.executable, "-W", "default", "-c", f"import {imported}"]
        done = subprocess.run(  # noqa: S603 - our own command
            command, capture_output=True, text=True, check=True
        )
        return done.stderr

    theirs_prints = await asyncio.to_thread(printed, "hume_expression_measurement.audio.raw_client")
    assert "DeprecationWarning: websockets.legacy is deprecated" in theirs_prints
    our_prints = await asyncio.to_thread(printed, "humeai_async.resources.expression")
    assert "DeprecationWarning" not in our_prints
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        async with hume.expression.connect_audio() as session:
            await session.send(silence(0.1))


async def test_a_deadline_of_a_handshake(fake: FakeHume) -> None:
    fake.faults.add(Fault("stall", times=None))
    async with theirs(fake) as client:
        with anyio.move_on_after(0.6) as scope:
            options = {"timeout_in_seconds": 0.1}
            async with client.audio.connect(request_options=options):
                pass
    assert scope.cancelled_caught
    async with client_of(fake, timeout=0.1) as hume:
        with anyio.fail_after(5), pytest.raises(APITimeoutError):
            async with hume.expression.connect_audio():
                pass


async def test_the_pace_of_audio(hume: HumeAI, fake: FakeHume) -> None:
    talk = [speech(0.1)] * 12
    async with FakeHume(clock=ManualClock()) as still:  # all that comes, comes at once
        still.sessions.burst_seconds = 0.3
        async with theirs(still) as client, client.audio.connect() as socket:
            for frame in talk:
                await socket.send_audio_frame(frame)
            await close(socket)
            received = [message async for message in socket]
    assert sum(isinstance(one, official.Error) for one in received) == 8
    assert received[-1].received.audio_duration_ms == 400
    fake.sessions.burst_seconds = 0.5
    start = anyio.current_time()
    async with hume.expression.connect_audio() as session:
        for frame in talk:
            await session.send(frame)
        assert anyio.current_time() - start >= 1.1
    assert (session.report.measured, session.report.lost) == (12, 0)
    assert fake.sessions.sessions[0].milliseconds == 1200


@pytest.mark.parametrize("samples", [b"", b"\0", wav(speech(0.1))])
async def test_a_frame_that_cannot_be_one(hume: HumeAI, fake: FakeHume, samples: bytes) -> None:
    async with theirs(fake) as client, client.audio.connect() as socket:
        await socket.send_audio_frame(samples)
        await close(socket)
        received = [message async for message in socket]
    assert fake.sessions.sessions[0].came == 1
    is_measured_as_noise = samples[:4] == b"RIFF"
    assert any(isinstance(one, official.Error) for one in received) != is_measured_as_noise
    async with hume.expression.connect_audio() as session:
        with pytest.raises(InvalidArgumentError):
            await session.send(samples)
    assert fake.sessions.sessions[1].came == 0


TALK = silence(0.2) + speech(1.2) + silence(0.7)
FRAMES = [TALK[at : at + 3_200] for at in range(0, len(TALK), 3_200)]


async def test_a_connection_that_is_lost(hume: HumeAI, fake: FakeHume) -> None:
    fake.sessions.drops.append(SessionDrop(after=8))
    failures = 0
    received: list[Any] = []

    async def send(socket: Any) -> None:
        nonlocal failures
        for frame in FRAMES:
            try:
                await socket.send_audio_frame(frame)
            except Exception:  # noqa: BLE001 - its dependency's own errors
                failures += 1
            await anyio.sleep(0.1)
        await close(socket)

    async with theirs(fake) as client, module("reconnect").reconnecting(client.audio) as socket:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send, socket)
            received = [message async for message in socket]
    ends = [
        (one.audio_start_ms, one.audio_end_ms)
        for one in received
        if isinstance(one, official.UtteranceEnd)
    ]
    assert failures >= 1
    assert ends != [(200, 1400)]
    assert sum(len(one) for session in fake.sessions.sessions for one in session.media) < len(TALK)

    fake.sessions.drops.append(SessionDrop(after=8))
    found: list[Any] = []
    session = hume.expression.connect_audio(reconnect=QUICK)

    async def send_ours() -> None:
        for frame in FRAMES:
            await session.send(frame)
        await session.finish()

    async with session, anyio.create_task_group() as tasks:
        tasks.start_soon(send_ours)
        found = [message async for message in session]
    assert [
        (one.audio_start_ms, one.audio_end_ms) for one in found if isinstance(one, UtteranceEnd)
    ] == [(200, 1400)]
    assert session.report.lost == 0


@pytest.fixture
def images(tmp_path: Path) -> list[bytes]:
    return [jpeg_file(tmp_path / f"{n}.jpg", n).read_bytes() for n in range(4)]


async def test_video_over_a_connection_that_is_lost(
    hume: HumeAI, fake: FakeHume, images: list[bytes]
) -> None:
    frame = module("video_helpers").VideoFrame

    async def frames() -> AsyncIterator[Any]:
        for number, image in enumerate(images):
            yield frame(data=image, timestamp_ms=333 * number)

    stream = module("video_helpers").stream_video
    async with theirs(fake) as client, module("reconnect").reconnecting(client.video) as socket:
        with pytest.raises(TypeError, match="does not reconnect"):
            stream(socket, frames())
    fake.sessions.drops.append(SessionDrop(after=3))
    session = hume.expression.connect_video(reconnect=QUICK)
    messages: list[Any] = []
    async with session, anyio.create_task_group() as tasks:

        async def send() -> None:
            for image in images:
                await session.send(image)
            await session.finish()

        tasks.start_soon(send)
        messages = [message async for message in session]
    measured = {one.frame_id for one in messages if isinstance(one, VideoMeasured)}
    assert measured == {0, 1, 2, 3}


async def test_video_while_nobody_takes_results(
    hume: HumeAI, fake: FakeHume, images: list[bytes]
) -> None:
    frame = module("video_helpers").VideoFrame

    async def frames() -> AsyncIterator[Any]:
        for number, image in enumerate(images):
            yield frame(data=image, timestamp_ms=333 * number)

    async with theirs(fake) as client, client.video.connect() as socket:
        await socket.recv()
        stream = aiter(module("video_helpers").stream_video(socket, frames()))
        await anext(stream)
        came = fake.sessions.sessions[0].came
        await anyio.sleep(0.8)
        assert fake.sessions.sessions[0].came <= came + 1
        await stream.aclose()
    async with hume.expression.connect_video() as session:
        await anext(session)
        for image in images:  # nobody takes the results meanwhile
            await session.send(image)
        with anyio.fail_after(5):
            while fake.sessions.sessions[1].came < 4:
                await anyio.sleep(0.01)


async def test_who_converts_sound(tmp_path: Path) -> None:
    pytest.importorskip("soxr", reason="comes with the official package")
    path = tmp_path / "voice.wav"
    path.write_bytes(wav(speech(4), rate=8_000))
    resampler = module("audio_helpers.resampler").Resampler
    threads: set[str] = set()
    process = resampler.process

    def noted(self: Any, audio: Any) -> bytes:
        threads.add(threading.current_thread().name)
        converted: bytes = process(self, audio)
        return converted

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resampler, "process", noted)
        for _ in module("audio_helpers").iter_wav_frames(path):
            pass
    assert threads == {threading.current_thread().name}
    # Ours goes block by block in threads: the loop goes on meanwhile.
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(count())
    size = sum([len(block) async for block in samples_of(Recording(path))])
    task.cancel()
    assert size == pytest.approx(8 * 32_000, abs=640)
    assert turns > 10


class Device:
    """A microphone without a machine."""

    PortAudioError = OSError

    def query_devices(self, *_: Any, **__: Any) -> dict[str, Any]:
        return {"name": "test", "default_samplerate": 16_000.0, "hostapi": 0}

    def InputStream(self, **settings: Any) -> Any:  # noqa: N802 - the library's name
        self.callback = settings["callback"]
        return types.SimpleNamespace(start=_nothing, stop=_nothing, close=_nothing)


def _nothing() -> None:
    """Do nothing."""


async def test_a_loop_that_is_slower_than_the_microphone(
    hume: HumeAI, fake: FakeHume, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("soxr", reason="comes with the official package")
    numpy: Any = pytest.importorskip("numpy", reason="comes with the official package")
    device = Device()
    monkeypatch.setitem(sys.modules, "sounddevice", device)
    async with module("audio_helpers.microphone").Microphone.open() as microphone:
        frames = aiter(microphone)
        for second in range(11):
            when = types.SimpleNamespace(inputBufferAdcTime=float(second))
            flags = types.SimpleNamespace(input_overflow=False)
            device.callback(numpy.zeros((16_000, 1), "float32"), 16_000, when, flags)
        with pytest.raises(RuntimeError, match="More than 10 seconds"):
            await anext(frames)
    # Ours takes samples from wherever they come, and sends each at its time; nothing piles up.
    async with hume.expression.connect_audio() as session:
        with anyio.move_on_after(0.3):
            await session.send(silence(1))
        assert 2 <= session.report.sent <= 6
    assert fake.sessions.sessions[0].milliseconds == session.report.measured * 100 == 1_000
