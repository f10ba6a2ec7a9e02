"""Sessions against the stand-in: pacing, refusals, lost connections, and every frame accounted."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import anyio
import pytest
from live_support import silence, speech, wav
from support import client_of, jpeg_file

from humeai_async import (
    APITimeoutError,
    AuthenticationError,
    GatewayUnsupportedError,
    HumeAI,
    InvalidArgumentError,
    PermissionDeniedError,
    Reconnect,
    SessionClosedError,
)
from humeai_async.expression.audio_session import AudioSession
from humeai_async.expression.timing import AudioPacer, VideoPacer
from humeai_async.testing import FakeHume, Fault
from humeai_async.testing.expression_sockets import SessionDrop
from humeai_async.types.expression_messages import (
    AudioMeasured,
    AudioMessage,
    SessionClosed,
    SessionCreated,
    SessionError,
    SessionResumed,
    SessionUpdated,
    UtteranceEnd,
    UtteranceStart,
    VideoMeasured,
)

pytestmark = pytest.mark.anyio

TALK = silence(0.5) + speech(4) + silence(1) + speech(2) + silence(1)
QUICK = Reconnect(initial_delay=0.001, jitter=0, max_delay=0.01)


@pytest.fixture(autouse=True)
def _time_flies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pacing is tested by itself; here it would take as long as the audio plays."""

    def wait(pacer: object, now: float) -> float:
        del pacer, now
        return 0.0005

    monkeypatch.setattr(AudioPacer, "wait", wait)
    monkeypatch.setattr(VideoPacer, "wait", wait)


async def talk(session: Any, media: list[bytes]) -> list[Any]:
    """Send media and say that no more come, while all messages are read."""
    messages: list[Any] = []

    async def send() -> None:
        for one in media:
            await session.send(one)
        await session.finish()

    with anyio.fail_after(20):
        async with session, anyio.create_task_group() as tasks:
            tasks.start_soon(send)
            messages.extend([message async for message in session])
    return messages


def pieces(samples: bytes, size: int = 5_000) -> list[bytes]:
    return [samples[at : at + size] for at in range(0, len(samples), size)]


def of(kind: type[Any], messages: list[Any]) -> list[Any]:
    return [one for one in messages if isinstance(one, kind)]


def ends(messages: list[Any]) -> list[tuple[int, int, int]]:
    return [
        (one.utterance_id, one.audio_start_ms, one.audio_end_ms)
        for one in of(UtteranceEnd, messages)
    ]


WHOLE = [(0, 500, 4_500), (1, 5_500, 7_500)]


async def test_a_voice_is_measured_while_it_speaks(hume: HumeAI, fake: FakeHume) -> None:
    session = hume.expression.connect_audio(measurement_timer_ms=3000)
    messages = await talk(session, pieces(TALK))
    assert [type(one) for one in messages[:2]] == [SessionCreated, SessionUpdated]
    assert ends(messages) == WHOLE
    assert [one.measurement_id for one in of(AudioMeasured, messages)] == [0, 1, 2]
    assert isinstance(messages[-1], SessionClosed)
    assert b"".join(fake.sessions.sessions[0].media) == TALK
    assert {len(one) for one in fake.sessions.sessions[0].media[:-1]} == {3_200}
    report = session.report
    assert (report.sent, report.measured, report.refused, report.lost) == (85, 85, 0, 0)
    assert session.run_ids == [fake.expression.runs[0]["run_id"]]


async def test_a_refused_frame_is_sent_again_in_its_place(hume: HumeAI, fake: FakeHume) -> None:
    fake.sessions.refuse = {10, 30}
    session = hume.expression.connect_audio()
    messages = await talk(session, pieces(TALK))
    assert sum(map(len, fake.sessions.sessions[0].media)) == len(TALK)
    assert session.report.refused == 2
    assert session.report.measured == 85
    assert session.report.sent == session.report.measured + session.report.refused
    assert len(of(SessionError, messages)) == 2
    for ours, whole in zip(ends(messages), WHOLE, strict=True):
        assert ours == pytest.approx(whole, abs=20)


async def test_times_are_right_after_a_frame_that_is_left_out(hume: HumeAI, fake: FakeHume) -> None:
    fake.sessions.refuse = {48}  # in the silence between the utterances
    session = hume.expression.connect_audio(sends_again=False)
    messages = await talk(session, pieces(TALK))
    report = session.report
    assert (report.sent, report.measured, report.refused, report.lost) == (85, 84, 1, 1)
    for ours, whole in zip(ends(messages), WHOLE, strict=True):
        assert ours == pytest.approx(whole, abs=100)


@pytest.mark.parametrize(
    "drop",
    [
        SessionDrop(after=30),
        SessionDrop(after=30, code=1011),
        SessionDrop(after=30, reason="server_shutdown", code=1000),
        SessionDrop(after=30, reason="error", error="internal_error", code=1008),
        SessionDrop(after=50),
        SessionDrop(after=2),
    ],
    ids=str,
)
async def test_a_lost_session_goes_on_on_one_time_line(
    hume: HumeAI, fake: FakeHume, drop: SessionDrop
) -> None:
    fake.sessions.drops.append(drop)
    session = hume.expression.connect_audio(reconnect=QUICK)
    messages = await talk(session, pieces(TALK))
    (note,) = of(SessionResumed, messages)
    assert note.lost_ms == 0
    assert note.previous_session_id == session.run_ids[0]
    for ours, whole in zip(ends(messages), WHOLE, strict=True):
        assert ours == pytest.approx(whole, abs=20)
    assert [one.utterance_id for one in of(UtteranceStart, messages)] == [0, 1]
    measured = of(AudioMeasured, messages)
    assert [one.measurement_id for one in measured] == list(range(len(measured)))
    times = [one.audio_end_ms for one in measured]
    assert times == sorted(set(times))
    assert session.report.connections == 2


@pytest.mark.parametrize(
    "drops",
    [
        (SessionDrop(after=30), SessionDrop(after=2)),  # before it tells of the speech
        (SessionDrop(after=53),),  # the end of the first utterance is told by then
    ],
)
async def test_each_utterance_is_told_once(
    hume: HumeAI, fake: FakeHume, drops: tuple[SessionDrop, ...]
) -> None:
    fake.sessions.drops.extend(drops)
    messages = await talk(hume.expression.connect_audio(reconnect=QUICK), pieces(TALK))
    assert [one.utterance_id for one in of(UtteranceStart, messages)] == [0, 1]
    for ours, whole in zip(ends(messages), WHOLE, strict=True):
        assert ours == pytest.approx(whole, abs=20)


async def test_frames_are_accounted_for_where_the_session_is_not_opened_anew(
    hume: HumeAI, fake: FakeHume
) -> None:
    fake.sessions.drops.append(SessionDrop(after=30))
    session = hume.expression.connect_audio(reconnect=False)
    sent = 0
    async with session, anyio.create_task_group() as tasks:

        async def send() -> None:
            nonlocal sent
            with contextlib.suppress(SessionClosedError):
                for _ in range(60):
                    await session.send(speech(0.1))
                    sent += 1

        tasks.start_soon(send)
        with pytest.raises(SessionClosedError):
            async for _ in session:
                pass
    report = session.report
    assert sent <= report.measured + report.lost <= sent + 1
    assert report.lost >= 29  # of an utterance that never ended


async def test_what_is_more_than_is_kept_is_said_to_be_lost(hume: HumeAI, fake: FakeHume) -> None:
    fake.sessions.drops.append(SessionDrop(after=60))
    session = hume.expression.connect_audio(reconnect=QUICK, replay_seconds=2)
    messages = await talk(session, pieces(silence(1) + speech(8) + silence(1)))
    (note,) = of(SessionResumed, messages)
    assert note.lost_ms == pytest.approx(3_000, abs=300)
    assert note.replayed_ms <= 2_100


async def test_a_refused_key_is_told_with_its_status(fake: FakeHume) -> None:
    async with HumeAI(api_key="wrong", base_url=fake.url) as hume:
        with pytest.raises(AuthenticationError, match="Unauthorized") as caught:
            async with hume.expression.connect_audio():
                pass
    assert caught.value.status == 401
    assert '"request_id"' in caught.value.body


async def test_a_refused_handshake_is_told_with_its_headers(hume: HumeAI, fake: FakeHume) -> None:
    sent = {"X-Served-By": "edge-7", "Set-Cookie": "session=1"}
    fake.faults.add(Fault("status", status=403, headers=sent))
    with pytest.raises(PermissionDeniedError) as caught:
        async with hume.expression.connect_audio():
            pass
    assert caught.value.headers["x-served-by"] == "edge-7"
    assert "set-cookie" not in caught.value.headers


async def test_a_later_refusal_ends_it_for_good(hume: HumeAI, fake: FakeHume) -> None:
    fake.sessions.drops.append(SessionDrop(after=2))
    session = hume.expression.connect_audio(reconnect=QUICK)
    async with session:
        fake.faults.add(Fault("status", status=403))
        await session.send(speech(0.2))
        with pytest.raises(SessionClosedError) as caught:
            async for _ in session:
                pass
        assert caught.value.__cause__ is not None
        with pytest.raises(SessionClosedError):
            await session.send(speech(0.1))


async def test_a_server_that_says_nothing_is_a_timeout(fake: FakeHume) -> None:
    fake.sessions.is_silent = True
    async with client_of(fake, timeout=0.1) as hume:
        with pytest.raises(APITimeoutError):
            async with hume.expression.connect_audio():
                pass


async def test_an_idle_session_ends_quietly(hume: HumeAI, fake: FakeHume) -> None:
    fake.sessions.idle_seconds = 0.05
    async with hume.expression.connect_audio() as session:
        messages = [message async for message in session]
    assert isinstance(messages[-1], SessionClosed)
    assert messages[-1].reason == "idle_timeout"
    assert session.report.connections == 1


async def test_what_is_due_at_the_end_is_not_lost(hume: HumeAI) -> None:
    async with hume.expression.connect_audio() as session:
        await session.send(silence(0.2) + speech(2))
    assert len(of(AudioMeasured, session.remaining)) == 1
    assert isinstance(session.remaining[-1], SessionClosed)


@pytest.mark.parametrize("samples", [b"", b"\0", wav(speech(0.1))])
async def test_samples_that_the_service_would_refuse_are_not_sent(
    hume: HumeAI, fake: FakeHume, samples: bytes
) -> None:
    async with hume.expression.connect_audio() as session:
        with pytest.raises(InvalidArgumentError) as caught:
            await session.send(samples)
        assert caught.value.code == "invalid_audio_frame"
    assert fake.sessions.sessions[0].came == 0


async def test_settings_are_checked_before_anything_is_opened(hume: HumeAI) -> None:
    with pytest.raises(InvalidArgumentError):
        hume.expression.connect_audio(measurement_timer_ms=20_000)
    with pytest.raises(InvalidArgumentError):
        hume.expression.connect_video(face={"return_face_state": True})


async def test_a_gateway_carries_no_session() -> None:
    async with FakeHume(dialect="gateway-recorded") as fake, client_of(fake) as hume:
        with pytest.raises(GatewayUnsupportedError):
            async with hume.expression.connect_video():
                pass


@pytest.fixture
def images(tmp_path: Path) -> list[bytes]:
    return [jpeg_file(tmp_path / f"{n}.jpg", n).read_bytes() for n in range(12)]


async def test_each_result_is_told_its_frame(
    hume: HumeAI, fake: FakeHume, images: list[bytes]
) -> None:
    fake.sessions.refuse, fake.sessions.fail = {2}, {5}
    session = hume.expression.connect_video(face={"threshold": 0.5, "min_size": 40})
    messages = await talk(session, images)
    assert fake.sessions.sessions[0].updates[0]["face"] == {"threshold": 0.5, "min_size": 40}
    found = [one.frame_id for one in of(VideoMeasured, messages)]
    assert sorted(found) == list(range(12))
    report = session.report
    assert (report.sent, report.measured, report.refused, report.lost) == (14, 12, 1, 0)


async def test_frames_without_a_reply_are_sent_again(
    hume: HumeAI, fake: FakeHume, images: list[bytes]
) -> None:
    fake.sessions.drops.append(SessionDrop(after=5))
    session = hume.expression.connect_video(reconnect=QUICK)
    messages = await talk(session, images)
    (note,) = of(SessionResumed, messages)
    assert note.replayed_frames >= 1
    assert sorted({one.frame_id for one in of(VideoMeasured, messages)}) == list(range(12))


async def test_the_fifth_failure_in_a_row_ends_a_session(
    hume: HumeAI, fake: FakeHume, images: list[bytes]
) -> None:
    fake.sessions.fail = set(range(20))
    session = hume.expression.connect_video(sends_again=False)
    with pytest.raises((SessionClosedError, ExceptionGroup)):
        await talk(session, images)
    assert session.report.connections == 1


async def test_an_image_that_would_be_billed_and_refused_is_not_sent(hume: HumeAI) -> None:
    async with hume.expression.connect_video() as session:
        with pytest.raises(InvalidArgumentError) as caught:
            await session.send(b"GIF89a")
        assert caught.value.code == "invalid_image_frame"


async def test_a_session_shows_no_credential(hume: HumeAI, fake: FakeHume) -> None:
    session: AudioSession = hume.expression.connect_audio()
    assert fake.api_key not in repr(session)
    with pytest.raises(SessionClosedError):
        await session.send(speech(0.1))
    first: AudioMessage | None = None
    async with session:
        first = await anext(session)
    assert isinstance(first, SessionCreated)
