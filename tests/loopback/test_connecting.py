"""Opening a connection: bounded by `connect` as a whole, and nothing is sent before its end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager
from typing import Any

import anyio
import pytest
from cancelling import assert_idle
from rawserver import RawServer, raw, silence
from unreachable import hanging_url

from humeai_async import HumeAI, Pool, Retry, Timeout
from humeai_async.errors import APIConnectionError, APITimeoutError, ClientClosedError, HumeError
from humeai_async.testing import FakeHume

pytestmark = pytest.mark.anyio

NOWHERE = "https://hume.invalid"
SHORT = Timeout(connect=0.05, total=None)
LONG = Timeout(connect=60, total=60)
PATIENCE = 10.0
"""Seconds, on a busy machine, after which what should end at once is taken for hung."""


async def chat(hume: HumeAI) -> None:
    async with hume.chat.connect(reconnect=False):
        pass


CALLS: dict[str, Callable[[HumeAI], Awaitable[Any]]] = {
    "call": lambda hume: hume.batch.start_job(text=["Hello."], models={"language": {}}),
    "download": lambda hume: hume.batch.job("job-1").save_artifacts("never-written.zip"),
    "chat": chat,
}
"""A call by each of the transport's ways."""


def hume_at(url: str, timeout: Timeout, **pool: Any) -> HumeAI:
    return HumeAI(
        api_key="key", base_url=url, timeout=timeout, pool=Pool(**pool), retry=Retry(attempts=1)
    )


async def failure(work: Awaitable[Any]) -> HumeError:
    """Return what a call ends with; it must be soon."""
    with anyio.fail_after(PATIENCE), pytest.raises(HumeError) as caught:
        await work
    return caught.value


@contextlib.contextmanager
def stuck_names() -> Generator[list[str]]:
    """Let the operating system look names up for as long as the block takes; give them."""
    over, asked = threading.Event(), list[str]()
    look_up = socket.getaddrinfo

    def stuck(host: Any, *more: Any, **settings: Any) -> Any:
        if host == "127.0.0.1":
            return look_up(host, *more, **settings)
        asked.append(host)
        over.wait(PATIENCE)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", stuck)
        try:
            yield asked
        finally:
            over.set()


# Places at which a connection is never complete, each in another step.

Place = Callable[[], AbstractAsyncContextManager[tuple[str, dict[str, Any]]]]


@contextlib.asynccontextmanager
async def looked_up() -> AsyncGenerator[tuple[str, dict[str, Any]]]:
    async def look_up(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up)
        yield NOWHERE, {}


@contextlib.asynccontextmanager
async def connected() -> AsyncGenerator[tuple[str, dict[str, Any]]]:
    with hanging_url() as url:
        yield url, {}


@contextlib.asynccontextmanager
async def encrypted() -> AsyncGenerator[tuple[str, dict[str, Any]]]:
    async with RawServer(silence()) as server:
        yield server.url.replace("http:", "https:"), {}
        assert server.heads == []


@contextlib.asynccontextmanager
async def tunnelled() -> AsyncGenerator[tuple[str, dict[str, Any]]]:
    async with RawServer(silence()) as proxy:
        yield NOWHERE, {"proxy": proxy.url}
        assert [head.split(" ")[0] for head in proxy.heads] == ["CONNECT"]


PLACES: dict[str, Place] = {
    "name": looked_up,
    "TCP": connected,
    "TLS": encrypted,
    "tunnel": tunnelled,
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
async def test_each_step_of_a_connection_is_bounded_by_connect(
    place: Place, call: Callable[[HumeAI], Awaitable[Any]]
) -> None:
    async with place() as (url, pool), hume_at(url, SHORT, **pool) as hume:
        problem = await failure(call(hume))
        assert_idle(hume)
    assert type(problem) is APITimeoutError
    assert "was not made in time" in problem.message
    assert not problem.outcome_unknown


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
async def test_a_call_whose_time_is_up_before_it_is_connected_was_not_carried_out(
    place: Place,
) -> None:
    timeout = Timeout(connect=60, total=0.05)
    async with place() as (url, pool), hume_at(url, timeout, **pool) as hume:
        problem = await failure(CALLS["call"](hume))
    assert type(problem) is APITimeoutError
    assert "total timeout" in problem.message
    assert not problem.outcome_unknown


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
async def test_a_call_whose_client_closes_before_it_is_connected_was_not_carried_out(
    place: Place,
) -> None:
    async with place() as (url, pool), hume_at(url, LONG, **pool) as hume:
        inside: Any = hume
        call = asyncio.ensure_future(CALLS["call"](hume))
        while not inside._session.transport.in_flight:
            await asyncio.sleep(0)
        if place is tunnelled:
            await asyncio.sleep(0.05)
        await hume.aclose()
        problem = await failure(call)
    assert type(problem) is ClientClosedError
    assert not problem.outcome_unknown


async def test_a_name_that_is_looked_up_for_ever_holds_up_no_other_call() -> None:
    problems: list[HumeError] = []
    async with (
        FakeHume() as fake,
        HumeAI(api_key=fake.api_key, base_url=fake.url) as other,
        hume_at(NOWHERE, Timeout(connect=0.2, total=None), limit=1) as hume,
    ):

        async def ask() -> None:
            problems.append(await failure(CALLS["call"](hume)))

        with stuck_names() as asked:
            async with anyio.create_task_group() as group:
                for _ in range(2):  # the second waits for the first one's place in the pool
                    group.start_soon(ask)
                while not asked:
                    await asyncio.sleep(0.001)
                for _ in range(5):
                    await other.configs.list(page_size=10)
                assert problems == []
        assert_idle(hume)
    assert [type(one) for one in problems] == [APITimeoutError] * 2
    assert asked == ["hume.invalid"]  # not a thread more for each call that comes meanwhile


async def test_a_proxy_that_hangs_up_before_the_tunnel_is_there_has_passed_nothing_on() -> None:
    async with RawServer(raw(b"")) as proxy, hume_at(NOWHERE, LONG, proxy=proxy.url) as hume:
        patient = hume.with_options(retry=Retry(attempts=2, initial_delay=0.001))
        problem = await failure(CALLS["call"](patient))
        assert len(proxy.heads) == 2
    assert type(problem) is APIConnectionError
    assert (problem.attempts, problem.outcome_unknown) == (2, False)
