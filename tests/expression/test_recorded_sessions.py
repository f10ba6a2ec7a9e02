"""Recorded sessions, played to the client over a socket: what it hands out and how it ends."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest
from played_sessions import Played, example, playing

from humeai_async import HumeAI, Reconnect, SessionClosedError
from humeai_async.http import codec
from humeai_async.types.expression_messages import (
    SessionClosed,
    SessionResumed,
    UnknownMessage,
)

pytestmark = pytest.mark.anyio

QUICK = Reconnect(initial_delay=0.001, jitter=0, max_delay=0.01, attempts=2)


async def receive(url: str, kind: str) -> tuple[Any, list[Any], SessionClosedError | None]:
    """Open a session and read all that comes; return the session, the messages and the error."""
    messages: list[Any] = []
    async with HumeAI(api_key="key", base_url=url) as hume:
        session: Any = (
            hume.expression.connect_audio(reconnect=QUICK)
            if kind == "audio"
            else hume.expression.connect_video(reconnect=QUICK)
        )
        try:
            with anyio.fail_after(10):
                async with session:
                    messages.extend([one async for one in session])
        except SessionClosedError as problem:
            return session, messages, problem
    return session, messages, None


def plain(message: Any) -> dict[str, Any]:
    """Return what a message says, without what equals the service's one format."""
    found: dict[str, Any] = json.loads(codec.encode(message))
    return {name: value for name, value in found.items() if name not in {"audio", "image"}}


def without_format(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in one.items() if name not in {"audio", "image"}}
        for one in messages
    ]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("audio_realtime", 1000),
        ("audio_realtime_idle", 1000),
        ("audio_realtime_unknown_types", 1000),
        ("video_realtime", 1000),
    ],
)
async def test_a_session_is_handed_out_as_it_came_and_ends_in_good_order(
    name: str, code: int
) -> None:
    messages = example(name)
    async with playing(Played(messages, code)) as url:
        session, found, problem = await receive(url, name.partition("_")[0])
    assert problem is None
    assert [plain(one) for one in found] == without_format(messages)
    assert session.report.connections == 1


async def test_messages_of_unknown_types_end_nothing() -> None:
    messages = example("audio_realtime_unknown_types")
    async with playing(Played(messages)) as url:
        session, found, _ = await receive(url, "audio")
    unknown = [one for one in found if isinstance(one, UnknownMessage)]
    assert [one.type for one in unknown] == ["utterance.partial", "warning", "session.paused"]
    assert isinstance(found[-1], SessionClosed)
    assert session.report.connections == 1


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("audio_realtime_config_invalid", "config_invalid"),
        ("video_realtime_five_failures", "internal_error"),
        ("video_realtime_too_large", "message_too_large"),
    ],
)
async def test_a_session_that_ends_for_an_error_says_which(name: str, code: str) -> None:
    async with playing(Played(example(name), 1008)) as url:
        session, _, problem = await receive(url, name.partition("_")[0])
    assert problem is not None
    assert problem.code == code
    assert session.report.connections == 1


@pytest.mark.parametrize(
    ("name", "code"), [("audio_realtime_shutdown", 1001), ("audio_realtime_internal_error", 1008)]
)
async def test_a_session_that_the_service_shuts_down_goes_on_in_another(
    name: str, code: int
) -> None:
    following = example("audio_realtime_idle")
    async with playing(Played(example(name), code), Played(following)) as url:
        session, found, problem = await receive(url, "audio")
    assert problem is None
    assert session.report.connections == 2
    (note,) = [one for one in found if isinstance(one, SessionResumed)]
    assert note.previous_session_id == example(name)[0]["session_id"]
    assert isinstance(found[-1], SessionClosed)
    assert found[-1].session_id == following[0]["session_id"]
