"""A WebSocket server that plays recorded sessions: each connection gets the next one."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from aiohttp import web
from attrs import frozen

from humeai_async import Reconnect
from humeai_async.expression.timing import AudioPacer, VideoPacer

Url: TypeAlias = AsyncGenerator[str]
QUICK = Reconnect(initial_delay=0.001, jitter=0, max_delay=0.01)
CREATED = {"type": "session.created", "session_id": "s"}
ANSWERS = Path(__file__).parents[1] / "samples" / "answers"


def stop_pacing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let media of sessions go as fast as they can."""

    def wait(pacer: object, now: float) -> float:
        del pacer, now
        return 0.0

    monkeypatch.setattr(AudioPacer, "wait", wait)
    monkeypatch.setattr(VideoPacer, "wait", wait)


@frozen
class Played:
    """One session: what the server says whatever comes, and the close code."""

    messages: Sequence[dict[str, Any]]
    code: int = 1000


def example(name: str) -> list[dict[str, Any]]:
    """Return the messages of an example."""
    found: list[dict[str, Any]] = json.loads((ANSWERS / f"extra_em_{name}.json").read_bytes())
    return found


@contextlib.asynccontextmanager
async def scripted(script: Callable[[web.WebSocketResponse, int], Awaitable[None]]) -> Url:
    """Serve sockets, each by a call of the script with its number, from 0; gives the URL."""
    numbers = itertools.count()

    async def serve(request: web.BaseRequest) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        with contextlib.suppress(ConnectionError):
            await script(socket, next(numbers))
        return socket

    async with _served(serve) as url:
        yield url


@contextlib.asynccontextmanager
async def playing(*sessions: Played) -> Url:
    """Serve the sessions, one a connection; gives the URL. Later handshakes are refused."""
    left = list(sessions)

    async def serve(request: web.BaseRequest) -> web.StreamResponse:
        if not left:
            return web.json_response({"message": "no more sessions"}, status=403)
        played = left.pop(0)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for message in played.messages:
            await socket.send_json(message)
        await socket.close(code=played.code)
        return socket

    async with _served(serve) as url:
        yield url


@contextlib.asynccontextmanager
async def _served(serve: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> Url:
    runner = web.ServerRunner(web.Server(serve), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()
