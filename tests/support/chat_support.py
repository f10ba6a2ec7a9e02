"""What the tests of the chat share: servers, a client with a chat, and readers of events."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, TypeAlias

from aiohttp import web

from humeai_async import HumeAI
from humeai_async.chat.socket import ChatSocket
from humeai_async.settings import Reconnect
from humeai_async.testing import FakeHume
from humeai_async.types.chat import AssistantEnd, ServerEvent

QUICK = Reconnect(attempts=4, initial_delay=0.001, jitter=0)
"""Resumes at once."""
NEVER_SOON = Reconnect(initial_delay=3600, max_delay=3600)
"""Waits longer than any test."""


Serve: TypeAlias = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@contextlib.asynccontextmanager
async def web_server(serve: Serve) -> AsyncGenerator[str]:
    """Run a web server with one handler; gives its URL."""
    runner = web.ServerRunner(web.Server(serve, handler_cancellation=True), shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def chat_with(fake: FakeHume, **arguments: Any) -> AsyncGenerator[ChatSocket]:
    """Open a chat with a fake by a client of its own."""
    arguments.setdefault("reconnect", QUICK)
    async with (
        HumeAI(api_key=fake.api_key, base_url=fake.url) as hume,
        hume.chat.connect(**arguments) as chat,
    ):
        yield chat


async def read_turn(chat: ChatSocket) -> list[ServerEvent]:
    """Read events up to the end of the assistant's turn."""
    events: list[ServerEvent] = []
    async for event in chat:
        events.append(event)
        if isinstance(event, AssistantEnd):
            break
    return events


async def read_all(chat: ChatSocket) -> list[ServerEvent]:
    """Read events until the chat is over."""
    return [event async for event in chat]


def kinds(events: list[ServerEvent]) -> list[str]:
    """Return the types of events."""
    return [event.type for event in events]
