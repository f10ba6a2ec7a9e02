"""Pools that are borrowed, never closed, or closed from elsewhere; on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import gzip
import logging
import queue
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, TypeAlias

import aiohttp
import pytest
from rawserver import RawServer, answer
from support import client_of

from humeai_async import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    ClientClosedError,
    ConfigurationError,
    HumeAI,
    HumeError,
    NotFoundError,
    RateLimitError,
    Retry,
    ServerError,
)
from humeai_async.http.transport import pool
from humeai_async.testing import FakeHume

QUICK = Retry(attempts=2, initial_delay=0.001)
WAIT = 10.0
"""Seconds after which a test is taken for hung."""


def borrower(session: aiohttp.ClientSession, url: str, **settings: Any) -> HumeAI:
    settings.setdefault("retry", QUICK)
    return HumeAI(api_key="k" * 20, base_url=url, session=session, **settings)


async def first_page(hume: HumeAI) -> object:
    return await hume.configs.list()


async def failure_of(call: Awaitable[object]) -> HumeError:
    with pytest.raises(HumeError) as caught:
        await call
    return caught.value


# Settings of a borrowed session that would change what a response is.


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("status", "expected", "requests"),
    [
        ("400 Bad Request", BadRequestError, 1),
        ("401 Unauthorized", AuthenticationError, 1),
        ("404 Not Found", NotFoundError, 1),
        ("500 Internal Server Error", ServerError, 2),
    ],
)
async def test_a_borrowed_session_that_raises_for_status_changes_no_error(
    status: str, expected: type[APIStatusError], requests: int
) -> None:
    async with (
        RawServer(answer(b'{"message": "said by Hume"}', status=status)) as server,
        aiohttp.ClientSession(raise_for_status=True) as session,
        borrower(session, server.url) as hume,
    ):
        failure = await failure_of(first_page(hume))
        assert len(server.heads) == requests
    assert type(failure) is expected
    assert failure.message.startswith("said by Hume")
    assert not failure.outcome_unknown


@pytest.mark.anyio
async def test_a_429_is_counted_on_a_borrowed_session_that_raises_for_status() -> None:
    async with (
        RawServer(answer(status="429 Too Many Requests")) as server,
        aiohttp.ClientSession(raise_for_status=True) as session,
        borrower(session, server.url, retry=Retry(attempts=1)) as hume,
    ):
        failure = await failure_of(hume.batch.start_job(urls=["https://m.example/1.mp4"]))
        assert hume.stats.rate_limited == 1
    assert type(failure) is RateLimitError
    assert not failure.outcome_unknown


@pytest.mark.anyio
@pytest.mark.parametrize("unpacks", [True, False])
async def test_a_packed_body_is_read_whatever_a_borrowed_session_unpacks(*, unpacks: bool) -> None:
    body = gzip.compress(b'{"configs_page": [{"id": "c-1", "version": 0, "name": "n"}]}')
    async with (
        RawServer(answer(body, headers={"Content-Encoding": "gzip"})) as server,
        aiohttp.ClientSession(auto_decompress=unpacks) as session,
        borrower(session, server.url) as hume,
    ):
        assert [one.id for one in await hume.configs.list()] == ["c-1"]


@pytest.mark.anyio
async def test_a_download_and_a_chat_work_on_a_borrowed_session_that_raises_for_status() -> None:
    async with (
        FakeHume() as fake,
        aiohttp.ClientSession(raise_for_status=True, auto_decompress=False) as session,
        client_of(fake, session=session, retry=QUICK) as hume,
    ):
        with pytest.raises(NotFoundError):
            await hume.batch.job("job-1").save_artifacts("never-written.zip")
        async with hume.chat.connect(reconnect=False) as chat:
            await chat.send_text("hi")
            await anext(chat)


@pytest.mark.anyio
async def test_a_refused_handshake_is_its_status_on_a_session_that_raises_for_status() -> None:
    async with (
        RawServer(answer(b'{"message": "no such key"}', status="401 Unauthorized")) as server,
        aiohttp.ClientSession(raise_for_status=True) as session,
        borrower(session, server.url) as hume,
    ):
        failure = await failure_of(hume.chat.connect().__aenter__())
    assert type(failure) is AuthenticationError


# One client over several event loops, and one that nobody closes.


@contextlib.contextmanager
def in_thread(server: RawServer | FakeHume) -> Generator[str]:
    """Serve on an event loop of its own, so that others can come and go."""
    urls: queue.Queue[tuple[str, Callable[[], object]]] = queue.Queue()

    async def serve() -> None:
        over = asyncio.Event()
        async with server:
            urls.put((server.url, functools.partial(loop_of().call_soon_threadsafe, over.set)))
            await over.wait()

    loop_of = asyncio.get_running_loop
    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    url, end = urls.get(timeout=WAIT)
    try:
        yield url
    finally:
        end()
        thread.join(WAIT)


def test_one_client_serves_one_event_loop_after_another_without_a_warning() -> None:
    with in_thread(RawServer(answer())) as url:
        hume = HumeAI(api_key="k" * 20, base_url=url)
        for _ in range(3):
            asyncio.run(hume.request("GET", "/v0/x"))
        asyncio.run(hume.aclose())
        gc.collect()  # with warnings as errors


NEVER_CLOSED = """
import asyncio, gc, sys
import humeai_async

async def main():
    hume = humeai_async.HumeAI(api_key="marked-" * 3, base_url=sys.argv[1])
    await hume.request("GET", "/v0/x")
    del hume
    gc.collect()

asyncio.run(main())
"""


@pytest.mark.slow
def test_a_client_that_is_never_closed_says_how_to_close_it_and_nothing_else_does() -> None:
    with in_thread(RawServer(answer())) as url:
        done = subprocess.run(  # noqa: S603 - our own
            [sys.executable, "-W", "always::ResourceWarning", "-c", NEVER_CLOSED, url],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    assert "a HumeAI client was never closed: use `async with HumeAI(...) as hume:`" in done.stderr
    assert done.stderr.count("ResourceWarning") == 1
    assert "nclosed client session" not in done.stderr
    assert "marked" not in done.stderr


Begun: TypeAlias = Callable[[HumeAI], Coroutine[Any, Any, object]]
BEGUN: dict[str, Begun] = {
    "call": first_page,
    "request": lambda hume: hume.request("GET", "/v0/x"),
    "chat": lambda hume: hume.chat.connect().__aenter__(),
    "wait": lambda hume: hume.batch.job("j").wait(),
    "close": lambda hume: hume.aclose(),
}


@pytest.mark.parametrize("call", BEGUN.values(), ids=BEGUN)
def test_without_an_event_loop_of_asyncio_a_call_says_so(call: Begun) -> None:
    # As Trio drives coroutines: step by step, while no event loop of asyncio runs.
    driven = call(HumeAI(api_key="k" * 20))
    with pytest.raises(ConfigurationError, match="a library for asyncio"):
        driven.send(None)
    gc.collect()  # nothing complains of a coroutine that was never awaited


# Closing.


def test_closing_a_client_ends_its_chats_on_other_event_loops() -> None:
    opened, ended = threading.Event(), threading.Event()
    failures: list[BaseException] = []

    async def chat(hume: HumeAI) -> None:
        async with hume.chat.connect() as socket:
            opened.set()
            with pytest.raises(ClientClosedError) as caught:
                async for _ in socket:
                    pass
        failures.append(caught.value)
        ended.set()

    fake = FakeHume()
    with in_thread(fake):
        hume = client_of(fake)
        elsewhere = threading.Thread(target=lambda: asyncio.run(chat(hume)))
        elsewhere.start()
        assert opened.wait(WAIT)
        asyncio.run(hume.aclose())
        assert ended.wait(WAIT)
        elsewhere.join(WAIT)
    assert len(failures) == 1


def test_a_failure_to_close_in_the_background_is_logged_by_name_alone(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    over, ready, closed = threading.Event(), threading.Event(), threading.Event()

    async def use(hume: HumeAI) -> None:
        await hume.request("GET", "/v0/x")
        ready.set()
        await asyncio.to_thread(over.wait, WAIT)

    close = pool.Connections.close

    async def fail(connections: pool.Connections) -> None:
        await close(connections)
        closed.set()
        raise OSError("marked")

    with in_thread(RawServer(answer())) as url, caplog.at_level(logging.WARNING):
        hume = HumeAI(api_key="k" * 20, base_url=url)
        elsewhere = threading.Thread(target=lambda: asyncio.run(use(hume)))
        elsewhere.start()
        assert ready.wait(WAIT)
        with monkeypatch.context() as patch:
            patch.setattr(pool.Connections, "close", fail)
            asyncio.run(hume.aclose())
            assert closed.wait(WAIT)
            over.set()
            elsewhere.join(WAIT)
        gc.collect()
    assert [record.getMessage() for record in caplog.records] == [
        "closing connections failed: OSError"
    ]
