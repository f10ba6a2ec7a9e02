"""Sessions whose messages are doubled, unreadable, unasked for or in another order than usual."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import anyio
import pytest
from aiohttp import web
from live_support import picture, silence
from played_sessions import CREATED, QUICK, scripted, stop_pacing

from humeai_async import DecodeError, HumeAI, Reconnect, SessionClosedError
from humeai_async.expression.audio_session import AudioSession
from humeai_async.types.expression_messages import (
    AudioMeasured,
    SessionResumed,
    UtteranceEnd,
    UtteranceStart,
    VideoMeasured,
)

pytestmark = pytest.mark.anyio

FAILED = {"type": "error", "code": "internal_error", "message": "it broke", "retryable": False}


@pytest.fixture(autouse=True)
def _time_flies(monkeypatch: pytest.MonkeyPatch) -> None:
    stop_pacing(monkeypatch)


def start(number: int, ms: int) -> dict[str, Any]:
    return {"type": "utterance.start", "utterance_id": number, "audio_start_ms": ms}


def end(number: int, start_ms: int, end_ms: int) -> dict[str, Any]:
    times = {"audio_start_ms": start_ms, "audio_end_ms": end_ms}
    return {"type": "utterance.end", "utterance_id": number, **times}


def result(number: int, utterance: int, start_ms: int, end_ms: int) -> dict[str, Any]:
    ids = {"measurement_id": number, "utterance_id": utterance}
    times = {"audio_start_ms": start_ms, "audio_end_ms": end_ms}
    return {"type": "measurement.result", **ids, **times, "trigger": "interval"}


def closed(reason: str, frames: int) -> dict[str, Any]:
    return {"type": "session.closed", "reason": reason, "received": {"frames": frames}}


async def say_all(socket: web.WebSocketResponse, messages: Sequence[Any]) -> None:
    for message in messages:
        if isinstance(message, dict):
            await socket.send_json(message)
        else:
            await socket.send_str(message)


async def take_frames(socket: web.WebSocketResponse, count: int) -> None:
    while count:
        count -= (await socket.receive()).type is web.WSMsgType.BINARY


async def until_closing(socket: web.WebSocketResponse) -> None:
    async for message in socket:
        if message.type is web.WSMsgType.TEXT and "close" in message.data:
            return


async def talk(messages: Sequence[Any], frames: int, code: int = 1000, **settings: Any) -> Any:
    """Hold an audio session whose service takes frames, says something and closes."""

    async def script(socket: web.WebSocketResponse, number: int) -> None:
        await socket.send_json(CREATED)
        if number == 0:
            await take_frames(socket, frames)
            await say_all(socket, messages)
            await socket.close(code=code)
        else:
            await until_closing(socket)
            await socket.send_json(closed("client_request", 0))
            await socket.close()

    found: list[Any] = []
    async with scripted(script) as url, HumeAI(api_key="k", cloud_url=url) as hume:
        async with hume.expression.connect_audio(**settings) as session:
            await session.send(silence(frames / 10))
            try:
                async for message in session:
                    found.append(message)
                    if isinstance(message, SessionResumed):
                        await session.finish()
            except SessionClosedError as problem:
                found.append(problem)
    return session, found


async def test_a_session_that_failed_ends_for_that_whatever_it_still_said() -> None:
    messages = [start(0, 0), FAILED, end(0, 0, 900), closed("error", 30)]
    session, found = await talk(messages, 30, 1008, reconnect=False)
    assert isinstance(found[-1], SessionClosedError)
    assert found[-1].code == "internal_error"
    assert session.report.measured + session.report.lost == 30


async def test_a_session_that_says_that_it_failed_does_not_end_in_good_order() -> None:
    session, found = await talk([start(0, 0), closed("error", 30)], 30, reconnect=False)
    assert isinstance(found[-1], SessionClosedError)
    assert session.report.lost > 0


async def test_a_failed_session_goes_on_in_another_whatever_it_still_said() -> None:
    messages = [start(0, 0), FAILED, {"type": "session.note"}, closed("error", 20)]
    session, found = await talk(messages, 20, 1008, reconnect=QUICK)
    assert any(isinstance(one, SessionResumed) for one in found), found
    assert session.report.replayed == 20


async def test_results_whose_times_go_back_are_handed_out() -> None:
    messages = [start(0, 0), result(0, 0, 0, 3000), result(1, 0, 0, 2000), closed("idle", 30)]
    _, found = await talk(messages, 30)
    assert [one.audio_end_ms for one in found if isinstance(one, AudioMeasured)] == [3000, 2000]


async def test_an_utterance_whose_start_cannot_be_read_has_an_id_of_its_own() -> None:
    messages = [
        start(0, 0), result(0, 0, 0, 500), end(0, 0, 500),
        {"type": "utterance.start", "utterance_id": 1}, result(1, 1, 600, 1000),
        end(1, 600, 1000), start(2, 1500), result(2, 2, 1500, 2500), end(2, 1500, 2500),
        closed("idle", 30),
    ]  # fmt: skip

    async def script(socket: web.WebSocketResponse, number: int) -> None:
        del number
        await say_all(socket, [CREATED, *messages])
        await socket.close()

    found: list[Any] = []
    async with scripted(script) as url, HumeAI(api_key="k", cloud_url=url) as hume:
        async with hume.expression.connect_audio() as session:
            while not session.is_over:
                try:
                    found.append(await anext(session))
                except (DecodeError, StopAsyncIteration) as problem:
                    found.append(problem)
    assert [(m.utterance_id, m.audio_start_ms) for m in found if isinstance(m, UtteranceEnd)] == [
        (0, 0), (1, 600), (2, 1500)
    ]  # fmt: skip
    assert [m.utterance_id for m in found if isinstance(m, AudioMeasured)] == [0, 1, 2]
    assert [m.utterance_id for m in found if isinstance(m, UtteranceStart)] == [0, 2]


async def test_an_end_that_is_told_twice_does_not_end_the_next_utterance() -> None:
    messages = [
        start(0, 0), end(0, 0, 500), start(1, 600), end(0, 0, 500), closed("server_shutdown", 20),
    ]  # fmt: skip
    _, found = await talk(messages, 20, 1001, reconnect=QUICK)
    ends = [(m.utterance_id, m.audio_start_ms) for m in found if isinstance(m, UtteranceEnd)]
    assert ends == [(0, 0), (0, 0)]
    (note,) = [one for one in found if isinstance(one, SessionResumed)]
    assert note.replayed_ms == 1400


async def test_what_is_due_is_not_lost_behind_a_message_that_cannot_be_read() -> None:
    async def script(socket: web.WebSocketResponse, number: int) -> None:
        del number
        await socket.send_json(CREATED)
        await until_closing(socket)
        await say_all(socket, ["{", result(0, 0, 0, 1000), closed("client_request", 10)])
        await socket.close()

    async with scripted(script) as url, HumeAI(api_key="k", cloud_url=url) as hume:
        async with hume.expression.connect_audio() as session:
            await session.send(silence(1))
    assert any(isinstance(one, AudioMeasured) for one in session.remaining)
    assert (session.report.measured, session.report.lost) == (10, 0)


async def test_a_result_that_belongs_to_no_image_is_not_counted() -> None:
    async def script(socket: web.WebSocketResponse, number: int) -> None:
        del number
        await socket.send_json(CREATED)
        await take_frames(socket, 1)
        for place in range(3):
            await socket.send_json({"type": "measurement.result", "frame_id": place, "faces": []})
        await until_closing(socket)
        await socket.send_json(closed("client_request", 1))
        await socket.close()

    async with scripted(script) as url, HumeAI(api_key="k", cloud_url=url) as hume:
        async with hume.expression.connect_video() as session:
            await session.send(picture())
            await session.finish()
            found = [one async for one in session]
    assert [one.frame_id for one in found if isinstance(one, VideoMeasured)] == [0, 1, 2]
    assert (session.report.measured, session.report.lost) == (1, 0)


async def test_a_session_whose_closing_is_cancelled_lets_go_of_its_connection() -> None:
    gone = anyio.Event()

    async def script(socket: web.WebSocketResponse, number: int) -> None:
        del number
        await socket.send_json(CREATED)
        async for _ in socket:
            pass
        gone.set()

    async with scripted(script) as url, HumeAI(api_key="k", cloud_url=url) as hume:
        session = hume.expression.connect_audio()
        with anyio.move_on_after(0.1):
            async with session:
                pass  # the service never closes it
        with anyio.fail_after(2):
            await gone.wait()
        assert session.is_over


@pytest.mark.parametrize("reconnect", [False, QUICK])
async def test_an_end_that_was_found_out_holds_wherever_its_finder_is_cancelled(
    reconnect: bool | Reconnect,
) -> None:
    async def script(socket: web.WebSocketResponse, number: int) -> None:
        del number
        await socket.send_json(CREATED)
        await take_frames(socket, 1)
        await socket.close(code=1000)

    async def receive_to_the_end(session: AudioSession) -> None:
        [message async for message in session]

    steps, is_whole = 0, False
    async with scripted(script) as url, HumeAI(api_key="k", cloud_url=url) as hume:
        while not is_whole and steps < 60:
            async with hume.expression.connect_audio(reconnect=reconnect) as session:
                await session.send(silence(0.1))
                task = asyncio.ensure_future(receive_to_the_end(session))
                for _ in range(steps):
                    await asyncio.sleep(0)
                is_whole = task.done()
                task.cancel()
                await asyncio.wait([task])
                with pytest.raises(SessionClosedError, match="code 1000"):
                    await receive_to_the_end(session)
            assert session.report.connections == 1
            steps += 1
    assert is_whole


async def test_frames_that_were_refused_together_are_sent_again_in_their_order() -> None:
    refusal = {"type": "error", "code": "rate_limited", "retryable": True}
    came: list[int] = []

    async def script(socket: web.WebSocketResponse, number: int) -> None:
        del number
        await socket.send_json(CREATED)
        async for message in socket:
            if message.type is web.WSMsgType.TEXT:
                break
            came.append(int.from_bytes(message.data[:2], "little"))
            if len(came) == 3:
                await say_all(socket, [refusal, refusal])
        await socket.send_json(closed("client_request", 3))
        await socket.close()

    async with scripted(script) as url, HumeAI(api_key="k", cloud_url=url) as hume:
        async with hume.expression.connect_audio() as session:
            for number in range(3):
                await session.send(number.to_bytes(2, "little") + bytes(3_198))
            for _ in range(3):  # that the session began, and the refusals
                await anext(session)
            await session.finish()
            [message async for message in session]
    assert came == [0, 1, 2, 1, 2]
    report = session.report
    assert (report.sent, report.refused, report.measured, report.lost) == (5, 2, 3, 0)
