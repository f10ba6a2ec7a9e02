"""Chats whose connection is lost: what is resumed, what is kept, when it is given up."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from attrs import evolve
from chat_support import NEVER_SOON, QUICK, chat_with, kinds, read_all, read_turn
from scripted_transport import ScriptedTransport
from support import session_of

from humeai_async import HumeAI
from humeai_async.chat.connections import ReconnectingSocket
from humeai_async.chat.socket import ChatSocket
from humeai_async.errors import (
    APIConnectionError,
    AuthenticationError,
    ChatClosedError,
    ClientClosedError,
    DecodeError,
    ServerError,
)
from humeai_async.http.messages import Request
from humeai_async.http.transport.websocket import Closed, Socket
from humeai_async.limiter.bucket import Permit
from humeai_async.limiter.limiter import Limiter
from humeai_async.settings import Retry, Timeout
from humeai_async.testing import Drop, FakeHume, Fault
from humeai_async.types.chat import AssistantMessage, ChatMetadata, SessionSettings
from humeai_async.types.chat_settings import ConnectSettings, SessionContext

pytestmark = pytest.mark.anyio

CHAT = "/v0/evi/chat"


class Gate(Limiter):
    """A limiter that lets nothing pass while it is shut."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = anyio.Event()
        self.opened.set()
        self.waiting = anyio.Event()

    async def acquire(self, *args: Any, **keywords: Any) -> Permit:
        self.waiting.set()
        await self.opened.wait()
        return await super().acquire(*args, **keywords)

    def shut(self) -> None:
        self.opened, self.waiting = anyio.Event(), anyio.Event()


async def lose(chat: ChatSocket) -> None:
    """Read until the connection is known to be lost; somebody else reads on meanwhile."""
    with anyio.fail_after(5):
        while chat.is_connected:
            await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize("code", [1001, 1011, 1012, 1013, None])
async def test_a_lost_chat_is_resumed_in_its_group(code: int | None) -> None:
    async with FakeHume() as fake:
        fake.add_config(id="c-1")
        fake.chat.drops.append(Drop(after=1, code=code))
        async with chat_with(fake, config_id="c-1", event_limit=5) as chat:
            first = await anext(chat)
            assert isinstance(first, ChatMetadata)
            await chat.send_text("lost on the way")
            again = await anext(chat)
            assert isinstance(again, ChatMetadata)
            await chat.send_text("hello again")
            events = await read_turn(chat)
    assert again.chat_group_id == first.chat_group_id
    assert again.chat_id != first.chat_id
    assert chat.chat_id == again.chat_id
    assert kinds(events)[0] == "user_message"
    assert dict(fake.chat.connections[1].query) == {
        "config_id": "c-1",
        "event_limit": "5",
        "resumed_chat_group_id": first.chat_group_id,
    }


async def test_a_chat_that_broke_before_its_group_was_known_begins_anew() -> None:
    async with FakeHume() as fake:
        # The first message cannot be read, so the group stays unknown.
        fake.chat.greetings.append("not json")
        fake.chat.drops.append(Drop(after=0))
        async with chat_with(fake, resumed_chat_group_id="g-7") as chat:
            with pytest.raises(DecodeError):
                await anext(chat)
            assert chat.chat_group_id is None
            await anext(chat)
            assert fake.chat.connections[1].first("resumed_chat_group_id") == "g-7"


async def test_the_settings_go_out_first_after_a_resumption() -> None:
    begin = ConnectSettings(
        system_prompt="begin", custom_session_id="mine", event_limit=3, voice_id="v"
    )
    async with FakeHume() as fake:
        fake.chat.drops.append(Drop(after=3))
        async with chat_with(fake, session_settings=begin) as chat:
            await chat.send_settings(SessionSettings(system_prompt="later"))
            await chat.send_settings({"variables": {"city": "Porto"}})
            await chat.send_settings(SessionSettings(context=SessionContext(text="just once")))
            while len(fake.chat.connections) == 1:
                await anext(chat)
            await chat.send_text("hello")
            await read_turn(chat)
        assert fake.chat.connections[1].received[0] == {
            "type": "session_settings",
            "system_prompt": "later",
            "custom_session_id": "mine",
            "voice_id": "v",
            "variables": {"city": "Porto"},
        }
        assert fake.chat.connections[1].types() == ["session_settings", "user_input"]
        assert fake.chat.connections[1].first("session_settings[system_prompt]") is None


async def test_a_pause_outlasts_a_lost_connection() -> None:
    async with FakeHume() as fake:
        fake.chat.drops.append(Drop(after=1))
        async with chat_with(fake) as chat:
            await chat.pause()
            while len(fake.chat.connections) == 1:
                await anext(chat)
            await chat.resume()
            await chat.aclose()
        assert fake.chat.connections[1].types() == [
            "pause_assistant_message",
            "resume_assistant_message",
        ]


async def test_while_away_settings_are_kept_audio_is_dropped_and_texts_are_refused() -> None:
    gate = Gate()
    async with (
        FakeHume() as fake,
        HumeAI(api_key=fake.api_key, base_url=fake.url, limiter=gate) as hume,
    ):
        fake.chat.drops.append(Drop(after=1))
        async with hume.chat.connect(reconnect=QUICK) as chat:
            await anext(chat)
            gate.shut()
            await chat.send_text("breaks it")
            events: list[Any] = []
            async with anyio.create_task_group() as tasks:

                async def read() -> None:
                    events.extend(await read_turn(chat))

                tasks.start_soon(read)
                await gate.waiting.wait()
                assert not chat.is_connected
                assert not await chat.send_audio(b"too late")
                with pytest.raises(APIConnectionError, match="not been resumed yet"):
                    await chat.send_text("refused")
                await chat.send_settings(SessionSettings(system_prompt="kept"))
                await chat.pause()
                await chat.resume()
                gate.opened.set()
                while not chat.is_connected:
                    await anyio.lowlevel.checkpoint()
                await chat.speak("back")
        assert fake.chat.connections[1].types() == ["session_settings", "assistant_input"]
        assert fake.chat.connections[1].received[0]["system_prompt"] == "kept"
        said = [event for event in events if isinstance(event, AssistantMessage)]
        assert [message.message.content for message in said] == ["back"]


async def test_a_chat_that_is_not_to_be_resumed_ends_with_the_code() -> None:
    async with FakeHume() as fake:
        fake.chat.drops.append(Drop(after=0))
        async with chat_with(fake, reconnect=False) as chat:
            with pytest.raises(ChatClosedError, match="connection was lost") as caught:
                await read_all(chat)
            assert caught.value.close_code == 1006
        assert len(fake.chat.connections) == 1


async def test_resuming_is_tried_again_after_passing_failures() -> None:
    async with FakeHume() as fake:
        fake.chat.drops.append(Drop(after=0))
        async with chat_with(fake) as chat:
            await anext(chat)
            for fault in (Fault("status", status=503), Fault("reset"), Fault("status", status=408)):
                fake.faults.add(evolve(fault, path=CHAT))
            assert isinstance(await anext(chat), ChatMetadata)
        assert len(fake.faults.fired) == 3


async def test_resuming_is_given_up_after_the_last_try() -> None:
    async with FakeHume() as fake:
        fake.chat.drops.append(Drop(after=0))
        async with chat_with(fake) as chat:
            await anext(chat)
            fake.faults.add(Fault("status", path=CHAT, status=503, times=None))
            with pytest.raises(ChatClosedError, match="not resumed in 4 tries") as caught:
                await anext(chat)
            assert isinstance(caught.value.__cause__, ServerError)
        assert len(fake.faults.fired) == 4


async def test_a_refused_resumption_is_not_tried_again() -> None:
    async with FakeHume() as fake:
        fake.chat.drops.append(Drop(after=0))
        async with chat_with(fake) as chat:
            await anext(chat)
            fake.faults.add(Fault("status", path=CHAT, status=401, times=None))
            with pytest.raises(ChatClosedError, match="refused") as caught:
                await anext(chat)
            assert isinstance(caught.value.__cause__, AuthenticationError)
        assert len(fake.faults.fired) == 1


async def test_a_server_that_drops_every_connection_is_given_up() -> None:
    async with FakeHume() as fake:
        fake.chat.drops.extend([Drop(after=0, code=1011)] * 50)
        async with chat_with(fake) as chat:
            with pytest.raises(ChatClosedError, match="not resumed in 4 tries"):
                await read_all(chat)
        assert len(fake.chat.connections) == 5


async def test_tries_count_anew_after_a_connection_that_held() -> None:
    async with FakeHume() as fake:
        fake.chat.drops.extend([Drop(after=0, code=1011)] * 7)
        async with chat_with(fake, reconnect=evolve(QUICK, attempts=1, min_uptime=0)) as chat:
            metadata = [await anext(chat) for _ in range(8)]
            assert {event.type for event in metadata} == {"chat_metadata"}


async def test_a_first_connection_that_fails_is_not_resumed() -> None:
    async with (
        FakeHume(faults=[Fault("reset", path=CHAT, times=None)]) as fake,
        HumeAI(api_key=fake.api_key, base_url=fake.url, retry=Retry(attempts=1)) as hume,
    ):
        with pytest.raises(APIConnectionError):
            async with hume.chat.connect(reconnect=QUICK):
                pass
        assert len(fake.faults.fired) == 1


async def test_closing_does_not_wait_for_the_next_try() -> None:
    ended: list[str] = []
    async with FakeHume() as fake:
        fake.chat.drops.append(Drop(after=0))
        async with (
            chat_with(fake, reconnect=NEVER_SOON) as chat,
            anyio.create_task_group() as tasks,
        ):

            async def read() -> None:
                ended.extend(kinds(await read_all(chat)))

            tasks.start_soon(read)
            await lose(chat)
            with anyio.fail_after(5):
                await chat.aclose()
        assert ended == ["chat_metadata"]
        assert len(fake.chat.connections) == 1


async def test_closing_ends_a_handshake_that_is_under_way() -> None:
    gate = Gate()
    async with (
        FakeHume() as fake,
        HumeAI(api_key=fake.api_key, base_url=fake.url, limiter=gate) as hume,
    ):
        fake.chat.drops.append(Drop(after=1))
        async with hume.chat.connect(reconnect=QUICK) as chat, anyio.create_task_group() as tasks:
            await anext(chat)
            gate.shut()
            await chat.send_text("breaks it")
            tasks.start_soon(read_all, chat)
            await gate.waiting.wait()
            with anyio.fail_after(5):
                await chat.aclose()
        assert len(fake.chat.connections) == 1


async def test_a_cancelled_resumption_goes_on_with_the_next_read() -> None:
    gate = Gate()
    async with (
        FakeHume() as fake,
        HumeAI(api_key=fake.api_key, base_url=fake.url, limiter=gate) as hume,
    ):
        fake.chat.drops.append(Drop(after=1))
        async with hume.chat.connect(reconnect=QUICK) as chat:
            await anext(chat)
            gate.shut()
            await chat.send_text("breaks it")
            with anyio.CancelScope() as scope:
                async with anyio.create_task_group() as tasks:

                    async def cancel() -> None:
                        await gate.waiting.wait()
                        scope.cancel()

                    tasks.start_soon(cancel)
                    await anext(chat)
            assert scope.cancelled_caught
            gate.opened.set()
            assert isinstance(await anext(chat), ChatMetadata)


async def test_closing_the_client_while_a_chat_is_away_ends_it_by_name() -> None:
    gate = Gate()
    async with FakeHume() as fake:
        hume = HumeAI(api_key=fake.api_key, base_url=fake.url, limiter=gate)
        fake.chat.drops.append(Drop(after=1))
        async with hume.chat.connect(reconnect=QUICK) as chat:
            await anext(chat)
            gate.shut()
            await chat.send_text("breaks it")

            async def close() -> None:
                await gate.waiting.wait()
                await hume.aclose()
                gate.opened.set()

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(close)
                with pytest.raises(ClientClosedError):
                    await anext(chat)
            with pytest.raises(ChatClosedError, match="the client was closed"):
                await chat.send_text("hi")


class ScriptedSocket:
    """A socket that gives what it is told and may refuse to send."""

    def __init__(self, *script: bytes | Closed, is_broken: bool = False) -> None:
        self.script = list(script)
        self.sent: list[bytes] = []
        self.is_broken = is_broken
        self.is_closed = False

    async def send(self, message: bytes) -> None:
        if self.is_broken:
            raise APIConnectionError("broken", outcome_unknown=True)
        self.sent.append(message)

    async def receive(self) -> bytes | Closed:
        return self.script.pop(0)

    async def aclose(self, *, wait: bool = True) -> None:
        del wait
        self.is_closed = True


class ScriptedSockets(ScriptedTransport):
    """A transport that opens scripted sockets."""

    def __init__(self, *sockets: ScriptedSocket) -> None:
        super().__init__()
        self.sockets = list(sockets)

    async def open_socket(self, request: Request, timeout: Timeout) -> Socket:  # type: ignore[override]  # it opens some
        del request, timeout
        return self.sockets.pop(0)


def line_on(
    *sockets: ScriptedSocket, settings: ConnectSettings | None = None
) -> ReconnectingSocket:
    session = session_of(ScriptedSockets(*sockets))
    return ReconnectingSocket(session, {}, settings or ConnectSettings(), QUICK)


async def test_a_connection_that_breaks_before_its_settings_are_out_is_replaced() -> None:
    first = ScriptedSocket(Closed(1006))
    broken = ScriptedSocket(is_broken=True)
    good = ScriptedSocket(b"hello")
    line = line_on(first, broken, good, settings=ConnectSettings(voice_id="v"))
    await line.open()
    assert await line.receive() == b"hello"
    assert broken.is_closed
    assert good.sent == [b'{"type":"session_settings","voice_id":"v"}']


async def test_a_first_connection_that_cannot_take_its_settings_is_closed() -> None:
    broken = ScriptedSocket(is_broken=True)
    line = line_on(broken, settings=ConnectSettings(language_model_api_key="llm"))
    with pytest.raises(APIConnectionError, match="broken"):
        await line.open()
    assert broken.is_closed


async def test_settings_that_change_while_a_connection_begins_go_out_before_all_else() -> None:
    class Slow(ScriptedSocket):
        async def send(self, message: bytes) -> None:
            await super().send(message)
            if len(self.sent) == 1:
                line.keep({"voice_id": "w"})

    slow = Slow(b"hello")
    line = line_on(ScriptedSocket(Closed(1012)), slow, settings=ConnectSettings(voice_id="v"))
    await line.open()
    await line.receive()
    assert slow.sent == [
        b'{"type":"session_settings","voice_id":"v"}',
        b'{"type":"session_settings","voice_id":"w"}',
    ]


async def test_audio_that_meets_a_broken_connection_is_dropped() -> None:
    broken = ScriptedSocket(is_broken=True)
    async with ChatSocket(line_on(broken)) as chat:
        assert not await chat.send_audio(b"sound")
        with pytest.raises(APIConnectionError) as caught:
            await chat.send_text("hi")
        assert caught.value.outcome_unknown


async def test_many_chats_that_break_again_and_again_all_end_and_leave_nothing() -> None:
    answers: list[str | None] = []

    async def talk(hume: HumeAI, number: int) -> None:
        async with hume.chat.connect(reconnect=QUICK) as chat:
            async for event in chat:
                if isinstance(event, ChatMetadata):
                    await chat.send_text(str(number))
                if isinstance(event, AssistantMessage):
                    answers.append(event.message.content)
                    break

    async with FakeHume() as fake, HumeAI(api_key=fake.api_key, base_url=fake.url) as hume:
        before = asyncio.all_tasks()
        fake.chat.drops.extend([Drop(after=1), Drop(after=1, code=1012), None, None] * 5)
        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(talk, hume, number)
        with anyio.fail_after(5):
            while fake.connections_open or asyncio.all_tasks() != before:
                await anyio.lowlevel.checkpoint()
        assert len(fake.chat.connections) == 30
    assert sorted(answers, key=str) == sorted(f"You said: {number}" for number in range(20))
