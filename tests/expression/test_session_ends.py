"""First and last messages of sessions that are not what they should be: nothing is hidden."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import anyio
import pytest
from aiohttp import web
from live_support import silence, speech
from played_sessions import CREATED, QUICK, scripted, stop_pacing
from support import jpeg_file

from humeai_async import (
    APITimeoutError,
    DecodeError,
    HumeAI,
    Reconnect,
    SessionClosedError,
    Timeout,
)
from humeai_async.http.transport import websocket
from humeai_async.types.expression_messages import (
    SessionClosed,
    SessionCreated,
    SessionResumed,
    VideoMeasured,
)

pytestmark = pytest.mark.anyio

UNREADABLE = ['{"type": "session.cre', b"\x00\xff", "[1]", "null"]


@pytest.fixture(autouse=True)
def _time_flies(monkeypatch: pytest.MonkeyPatch) -> None:
    stop_pacing(monkeypatch)


async def say(socket: web.WebSocketResponse, message: str | bytes) -> None:
    if isinstance(message, bytes):
        await socket.send_bytes(message)
    else:
        await socket.send_str(message)


async def close_in_order(socket: web.WebSocketResponse) -> None:
    """Take what comes until the session is to be closed, and close it."""
    frames = 0
    async for message in socket:
        frames += message.type is web.WSMsgType.BINARY
        if message.type is web.WSMsgType.TEXT and "close" in message.data:
            closed = {"type": "session.closed", "reason": "client_request"}
            await socket.send_json({**closed, "received": {"frames": frames}})
            await socket.close()


async def take_all(session: Any) -> list[Any]:
    """Return the messages of a session, and the errors between them."""
    found: list[Any] = []
    while not found or not isinstance(found[-1], (SessionClosed, SessionClosedError)):
        try:
            found.append(await anext(session))
        except (DecodeError, SessionClosedError) as problem:
            found.append(problem)
        except StopAsyncIteration:
            break
    return found


@pytest.mark.parametrize("message", UNREADABLE)
async def test_an_unreadable_message_before_the_session_is_told_and_ends_nothing(
    message: str | bytes,
) -> None:
    async def script(socket: web.WebSocketResponse, number: int) -> None:
        del number
        await say(socket, message)
        await socket.send_json(CREATED)
        await close_in_order(socket)

    async with scripted(script) as url, HumeAI(api_key="k", cloud_url=url) as hume:
        async with hume.expression.connect_audio() as session:
            assert session.session_id == "s"
            await session.finish()
            found = await take_all(session)
    assert [type(one) for one in found] == [SessionCreated, DecodeError, SessionClosed]


@pytest.mark.parametrize("message", UNREADABLE)
async def test_an_unreadable_message_before_a_session_that_is_opened_anew_ends_nothing(
    message: str | bytes,
) -> None:
    async def script(socket: web.WebSocketResponse, number: int) -> None:
        if number:
            await say(socket, message)
        await socket.send_json(CREATED)
        if number:
            await close_in_order(socket)
        else:
            await socket.close(code=1012)

    async with scripted(script) as url, HumeAI(api_key="k", cloud_url=url) as hume:
        async with hume.expression.connect_audio(reconnect=QUICK) as session:
            assert isinstance(await anext(session), SessionCreated)
            kinds: set[type[object]] = {type(await anext_or_error(session)) for _ in range(2)}
            assert kinds == {DecodeError, SessionResumed}


async def anext_or_error(session: Any) -> Any:
    try:
        return await anext(session)
    except DecodeError as problem:
        return problem


async def test_a_session_whose_settings_cannot_be_read_is_a_session() -> None:
    async def script(socket: web.WebSocketResponse, number: int) -> None:
        del number
        await socket.send_json({**CREATED, "measurement_timer_ms": {"a": 1}, "audio": 5})
        await close_in_order(socket)

    async with scripted(script) as url, HumeAI(api_key="k", cloud_url=url) as hume:
        with anyio.fail_after(5):
            async with hume.expression.connect_audio() as session:
                assert session.run_ids == ["s"]
                await session.finish()
                found = await take_all(session)
    assert isinstance(found[0], SessionCreated)
    assert isinstance(found[-1], SessionClosed)


async def test_unreadable_messages_and_no_session_are_a_timeout_that_names_them() -> None:
    async def script(socket: web.WebSocketResponse, number: int) -> None:
        del number
        await socket.send_str('{"type": "session.cre')
        await socket.receive()

    async with (
        scripted(script) as url,
        HumeAI(api_key="k", cloud_url=url, timeout=Timeout(total=0.2)) as hume,
    ):
        with pytest.raises(APITimeoutError, match="no session") as caught:
            async with hume.expression.connect_audio():
                pass
    assert isinstance(caught.value.__cause__, DecodeError)


async def close_after(socket: web.WebSocketResponse, frames: int) -> None:
    await socket.send_json(CREATED)
    for _ in range(frames):
        await socket.receive()
    await socket.close(code=1000)


async def test_a_close_without_the_last_message_says_what_was_lost() -> None:
    async def script(socket: web.WebSocketResponse, number: int) -> None:
        assert number == 0
        await close_after(socket, 8)

    async with scripted(script) as url, HumeAI(api_key="k", cloud_url=url) as hume:
        async with hume.expression.connect_audio(reconnect=QUICK) as session:
            await session.send(speech(0.8))
            created, problem = await take_all(session)
    assert isinstance(created, SessionCreated)
    assert isinstance(problem, SessionClosedError)
    assert problem.close_code == 1000
    assert "8 frames" in problem.message
    assert (session.report.sent, session.report.measured, session.report.lost) == (8, 0, 8)


async def test_a_close_without_the_last_message_says_which_images_were_lost(
    tmp_path: Path,
) -> None:
    async def script(socket: web.WebSocketResponse, number: int) -> None:
        assert number == 0
        await close_after(socket, 2)

    image = jpeg_file(tmp_path / "a.jpg", 1).read_bytes()
    async with scripted(script) as url, HumeAI(api_key="k", cloud_url=url) as hume:
        async with hume.expression.connect_video(reconnect=QUICK) as session:
            await session.send(image)
            await session.send(image)
            _, problem = await take_all(session)
    assert isinstance(problem, SessionClosedError)
    assert session.report.lost == 2


async def test_a_close_that_was_asked_for_needs_no_last_message_and_its_loss_is_counted() -> None:
    async def script(socket: web.WebSocketResponse, number: int) -> None:
        assert number == 0
        await close_after(socket, 6)  # five frames, and the wish to close

    async with scripted(script) as url, HumeAI(api_key="k", cloud_url=url) as hume:
        async with hume.expression.connect_audio() as session:
            await session.send(silence(0.5))
            await session.finish()
            found = await take_all(session)
    assert [type(one) for one in found] == [SessionCreated]
    assert session.report.lost == 5


async def test_a_last_message_with_counts_of_another_form_is_the_last_message() -> None:
    async def script(socket: web.WebSocketResponse, number: int) -> None:
        await socket.send_json(CREATED)
        if number:
            await close_in_order(socket)
            return
        await socket.send_json(
            {"type": "session.closed", "reason": "server_shutdown", "received": "much"}
        )
        await socket.close(code=1000)

    async with scripted(script) as url, HumeAI(api_key="k", cloud_url=url) as hume:
        async with hume.expression.connect_audio(reconnect=QUICK) as session:
            kinds = [type(await anext(session)) for _ in range(2)]
    assert kinds == [SessionCreated, SessionResumed]


async def test_a_result_that_cannot_be_read_is_that_of_its_image_all_the_same(
    tmp_path: Path,
) -> None:
    async def script(socket: web.WebSocketResponse, number: int) -> None:
        del number
        await socket.send_json(CREATED)
        await socket.receive()
        await socket.send_json({"type": "measurement.result", "frame_id": "first", "faces": 1})
        await socket.receive()
        await socket.send_json({"type": "measurement.result", "frame_id": 1, "faces": []})
        await close_in_order(socket)

    image = jpeg_file(tmp_path / "a.jpg", 1).read_bytes()
    async with scripted(script) as url, HumeAI(api_key="k", cloud_url=url) as hume:
        async with hume.expression.connect_video() as session:
            await session.send(image)
            await session.send(image)
            await session.finish()
            found = await take_all(session)
    kinds = [SessionCreated, DecodeError, VideoMeasured, SessionClosed]
    assert [type(one) for one in found] == kinds
    assert found[2].frame_id == 1
    assert (session.report.measured, session.report.lost) == (1, 1)


@pytest.mark.parametrize("reconnect", [False, QUICK])
async def test_what_a_server_that_reads_nothing_was_sent_is_not_believed_measured(
    monkeypatch: pytest.MonkeyPatch, reconnect: bool | Reconnect
) -> None:
    monkeypatch.setattr(websocket, "SEND_WAIT", 0.05)
    is_over = anyio.Event()

    async def script(socket: web.WebSocketResponse, number: int) -> None:
        await socket.send_json(CREATED)
        if number == 0:
            await is_over.wait()
        else:
            await close_in_order(socket)

    async with scripted(script) as url, HumeAI(api_key="k", cloud_url=url) as hume:
        async with hume.expression.connect_audio(reconnect=reconnect) as session:
            with contextlib.suppress(SessionClosedError):
                while session.report.connections == 1:
                    await session.send(silence(1))
                await session.finish()
                await take_all(session)
        is_over.set()
    report = session.report
    assert report.lost > 1000
    first_sent = report.sent - report.replayed
    assert report.measured == (0 if reconnect is False else first_sent - report.lost)
