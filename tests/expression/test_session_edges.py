"""Sessions used or ended in ways that nobody planned: nothing hangs, is sent twice or leaks."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from aiohttp import web
from live_support import silence, speech
from played_sessions import CREATED, QUICK, scripted, stop_pacing
from support import jpeg_file
from waiting import until

from humeai_async import (
    APIConnectionError,
    HumeAI,
    InvalidArgumentError,
    Reconnect,
    SessionClosedError,
)
from humeai_async.expression.timing import AudioPacer
from humeai_async.http.transport import websocket
from humeai_async.testing import FakeHume
from humeai_async.testing.expression_sockets import SessionDrop
from humeai_async.types.expression_messages import (
    AudioMeasured,
    SessionClosed,
    SessionCreated,
    SessionResumed,
    UnknownMessage,
    UtteranceEnd,
    VideoMeasured,
)

pytestmark = pytest.mark.anyio

Act = Callable[[web.WebSocketResponse], Awaitable[Any]]


@pytest.fixture(autouse=True)
def _time_flies(monkeypatch: pytest.MonkeyPatch) -> None:
    stop_pacing(monkeypatch)


def never(pacer: object, now: float) -> float:
    """Wait as a pacer that lets no frame out."""
    del pacer, now
    return 60.0


async def take_all(socket: web.WebSocketResponse) -> None:
    """Take what comes, and close the session in good order when that is wanted."""
    frames = 0
    async for message in socket:
        frames += message.type is web.WSMsgType.BINARY
        if message.type is web.WSMsgType.TEXT and "close" in message.data:
            closed = {"type": "session.closed", "reason": "client_request"}
            await socket.send_json({**closed, "received": {"frames": frames}})
            await socket.close()


async def test_a_lost_session_goes_on_where_nobody_receives(hume: HumeAI, fake: FakeHume) -> None:
    fake.sessions.drops.append(SessionDrop(after=8))
    with anyio.fail_after(10):
        async with hume.expression.connect_audio(reconnect=QUICK) as session:
            await session.send(silence(0.5) + speech(1))
            while session.report.connections == 1:  # until the loss is found out
                await session.send(silence(0.1))
                await anyio.sleep(0.001)
            await session.finish()
            messages = [message async for message in session]
    kinds = [type(one) for one in messages]
    assert SessionResumed in kinds
    assert kinds.count(UtteranceEnd) == 1
    assert isinstance(messages[-1], SessionClosed)
    assert session.report.lost == 0


async def test_whoever_sends_goes_on_where_the_one_who_receives_has_left(
    hume: HumeAI, fake: FakeHume
) -> None:
    fake.sessions.drops.append(SessionDrop(after=2))
    with anyio.fail_after(10):
        async with hume.expression.connect_audio(reconnect=QUICK) as session:
            with anyio.move_on_after(0.05):
                [message async for message in session]
            while session.report.connections == 1:
                await session.send(silence(0.1))
                await anyio.sleep(0.001)
            await session.finish()
    assert session.report.connections == 2


async def test_a_session_that_is_closed_is_not_opened_anew() -> None:
    async def script(socket: web.WebSocketResponse, number: int) -> None:
        assert number == 0
        await socket.send_json(CREATED)
        await socket.close(code=1012)

    async with scripted(script) as url, HumeAI(api_key="k", cloud_url=url) as hume:
        session = hume.expression.connect_audio(reconnect=Reconnect(initial_delay=30, jitter=0))
        inside: Any = session
        got: list[Any] = []
        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                async with session:

                    async def receive() -> None:
                        got.extend([message async for message in session])

                    tasks.start_soon(receive)
                    await until(lambda: inside._reconnection.tries)  # it waits before the next one
                    await session.aclose()
    assert [type(one) for one in got] == [SessionCreated]
    assert session.report.connections == 1


async def test_what_comes_before_the_session_is_a_message_as_any_other() -> None:
    async def script(socket: web.WebSocketResponse, number: int) -> None:
        del number
        await socket.send_json({"type": "session.welcome"})
        await socket.send_json(CREATED)
        await take_all(socket)

    async with scripted(script) as url, HumeAI(api_key="k", cloud_url=url) as hume:
        async with hume.expression.connect_audio() as session:
            assert session.run_ids == ["s"]
            await session.finish()
            messages = [message async for message in session]
    assert [type(one) for one in messages] == [SessionCreated, UnknownMessage, SessionClosed]


@pytest.mark.parametrize(
    ("retryable", "kind"), [(True, APIConnectionError), (False, SessionClosedError)]
)
async def test_an_error_in_place_of_a_session_is_told(
    retryable: bool, kind: type[Exception]
) -> None:
    async def script(socket: web.WebSocketResponse, number: int) -> None:
        del number
        error = {"type": "error", "code": "server_busy", "message": "later", "retryable": retryable}
        await socket.send_json(error)
        await socket.close(code=1013)

    async with scripted(script) as url, HumeAI(api_key="k", cloud_url=url) as hume:
        with pytest.raises(kind, match=r"later \[code server_busy\]"):
            async with hume.expression.connect_audio():
                pass


@pytest.mark.parametrize(
    ("code", "close_code", "connections"),
    [("new", 1011, 2), ("new", 1008, 1), ("internal_error", 1008, 2), ("config_invalid", 1011, 1)],
)
async def test_the_error_and_the_close_code_decide_whether_a_session_goes_on(
    code: str, close_code: int, connections: int
) -> None:
    async def script(socket: web.WebSocketResponse, number: int) -> None:
        await socket.send_json(CREATED)
        if number:
            await take_all(socket)
            return
        await socket.receive()
        await socket.send_json({"type": "error", "code": code, "retryable": False})
        await socket.close(code=close_code)

    async with scripted(script) as url, HumeAI(api_key="k", cloud_url=url) as hume:
        session = hume.expression.connect_audio(reconnect=QUICK)
        async with session:
            await session.send(silence(0.1))
            if connections == 1:
                with pytest.raises(SessionClosedError, match=f"code {code}"):
                    [message async for message in session]
            else:
                async for message in session:
                    if isinstance(message, SessionResumed):
                        break
            await session.aclose()
    assert session.report.connections == connections


async def test_a_frame_whose_sending_was_cancelled_is_not_sent_twice() -> None:
    came: list[bytes] = []
    may_read = anyio.Event()

    async def script(socket: web.WebSocketResponse, number: int) -> None:
        del number
        await socket.send_json(CREATED)
        await may_read.wait()
        async for message in socket:
            if message.type is web.WSMsgType.BINARY:
                came.append(message.data)
            elif "close" in json.dumps(message.data):
                await socket.close()

    async with scripted(script) as url, HumeAI(api_key="k", cloud_url=url) as hume:
        async with hume.expression.connect_audio() as session:
            number = cancelled = 0
            sent: list[int] = []
            while cancelled < 3:
                with anyio.move_on_after(0.05) as scope:
                    await session.send(number.to_bytes(2, "little") + bytes(3_198))
                if session.report.sent > len(sent):  # else it was cancelled before
                    sent.append(number)
                    cancelled += scope.cancelled_caught
                number += 1
            may_read.set()
            await session.finish()
            [message async for message in session]
    assert [int.from_bytes(one[:2], "little") for one in came] == sent
    assert session.report.sent == len(sent)


async def test_what_a_cancelled_call_left_goes_out_frame_by_frame(
    hume: HumeAI, fake: FakeHume, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hume.expression.connect_audio() as session:
        with monkeypatch.context() as patch, anyio.move_on_after(0.01):
            patch.setattr(AudioPacer, "wait", never)
            await session.send(silence(11))  # in one frame it would be refused
        await session.finish()
        [message async for message in session]
    assert (session.report.sent, session.report.refused, session.report.lost) == (110, 0, 0)
    assert fake.sessions.sessions[0].milliseconds == 11_000


async def test_what_was_never_sent_is_counted_as_lost_frame_by_frame(
    hume: HumeAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hume.expression.connect_audio() as session:
        monkeypatch.setattr(AudioPacer, "wait", never)
        with anyio.move_on_after(0.01):
            await session.send(silence(1) + silence(0.05))
        await session.aclose(wait=False)
    assert (session.report.sent, session.report.lost) == (0, 11)


async def test_a_session_that_is_not_open_says_so_at_once(hume: HumeAI) -> None:
    session = hume.expression.connect_audio()
    with anyio.fail_after(1), pytest.raises(SessionClosedError, match="async with"):
        await anext(session)
    with anyio.fail_after(1), pytest.raises(SessionClosedError, match="async with"):
        await session.send(silence(0.1))


@pytest.mark.parametrize("media", ["text", 4, None, [1, 2]])
async def test_media_that_are_no_bytes_are_refused(hume: HumeAI, media: Any) -> None:
    async with hume.expression.connect_audio() as session:
        with pytest.raises(InvalidArgumentError, match="samples must be bytes"):
            await session.send(media)
    async with hume.expression.connect_video() as video:
        with pytest.raises(InvalidArgumentError, match="image must be bytes"):
            await video.send(media)


async def test_sending_into_a_session_that_ended_says_why(hume: HumeAI, fake: FakeHume) -> None:
    fake.sessions.idle_seconds = 0.02
    async with hume.expression.connect_audio() as session:
        assert not [one async for one in session if isinstance(one, AudioMeasured)]
        with pytest.raises(SessionClosedError, match="idle_timeout"):
            await session.send(silence(0.1))


async def test_a_connection_that_takes_nothing_more_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(websocket, "SEND_WAIT", 0.05)
    is_over = anyio.Event()

    async def script(socket: web.WebSocketResponse, number: int) -> None:
        await socket.send_json(CREATED)
        if number == 0:
            await is_over.wait()
        else:
            await take_all(socket)

    async with scripted(script) as url, HumeAI(api_key="k", cloud_url=url) as hume:
        with anyio.fail_after(10):
            async with hume.expression.connect_audio(reconnect=QUICK) as session:
                while session.report.connections == 1:
                    await session.send(silence(1))
                await session.finish()
                messages = [message async for message in session]
            is_over.set()
    assert isinstance(messages[-1], SessionClosed)
    assert session.report.connections == 2


async def test_a_video_session_is_finished_where_nobody_receives(
    hume: HumeAI, tmp_path: Path
) -> None:
    image = jpeg_file(tmp_path / "a.jpg", 1).read_bytes()
    with anyio.fail_after(10):
        async with hume.expression.connect_video() as session:
            numbers = [await session.send(image) for _ in range(2)]
            await session.finish()
            messages = [message async for message in session]
    found = [one.frame_id for one in messages if isinstance(one, VideoMeasured)]
    assert found == numbers


async def test_a_session_can_be_opened_only_once(hume: HumeAI) -> None:
    session = hume.expression.connect_audio()
    async with session:
        pass
    with pytest.raises(SessionClosedError, match="only once"):
        async with session:
            pass


async def test_nothing_can_be_sent_into_a_session_that_was_finished(hume: HumeAI) -> None:
    async with hume.expression.connect_audio() as session:
        await session.finish()
        await session.finish()
        with pytest.raises(SessionClosedError, match=r"was finished|is over"):
            await session.send(silence(0.1))


async def test_a_connection_that_ends_before_there_is_a_session_is_an_error_of_connections() -> (
    None
):
    async def script(socket: web.WebSocketResponse, number: int) -> None:
        del number
        await socket.close()

    async with scripted(script) as url, HumeAI(api_key="k", cloud_url=url) as hume:
        with pytest.raises(APIConnectionError, match="closed at once"):
            async with hume.expression.connect_audio():
                pass


async def test_a_session_that_cannot_be_opened_anew_ends_after_its_tries() -> None:
    numbers: list[int] = []

    async def script(socket: web.WebSocketResponse, number: int) -> None:
        numbers.append(number)
        if number == 0:
            await socket.send_json({"type": "session.created"})  # without its ID
        await socket.close(code=1012)

    tries = Reconnect(attempts=2, initial_delay=0.001, jitter=0, min_uptime=0)
    async with scripted(script) as url, HumeAI(api_key="k", cloud_url=url) as hume:
        async with hume.expression.connect_audio(reconnect=tries) as session:
            with pytest.raises(SessionClosedError, match="not resumed in 2 tries"):
                [message async for message in session]
    assert numbers == [0, 1, 2]
    assert session.session_id is None
    assert session.run_ids == []


async def test_an_error_after_which_a_session_goes_on_does_not_end_it_later() -> None:
    """Its close code alone decides then."""
    error = {"type": "error", "code": "odd", "message": "no", "retryable": False}

    async def script(socket: web.WebSocketResponse, number: int) -> None:
        await socket.send_json(CREATED)
        if number == 0:
            await socket.send_json(error)
            await socket.send_json({"type": "session.odd"})
            await socket.close(code=1012)
        await take_all(socket)

    async with scripted(script) as url, HumeAI(api_key="k", cloud_url=url) as hume:
        async with hume.expression.connect_audio(reconnect=QUICK) as session:
            kinds: list[type] = []
            async for message in session:
                kinds.append(type(message))
                if isinstance(message, SessionResumed):
                    await session.finish()
    assert kinds[-2:] == [SessionResumed, SessionClosed]
