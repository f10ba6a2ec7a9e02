"""Connections that are used again, waited for, or left in the middle of an answer."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator
from pathlib import Path

import aiohttp
import anyio
import pytest
from contract import furnish
from rawserver import Act, RawServer, answer
from support import client_of

from humeai_async import HumeAI, Retry, Timeout
from humeai_async.errors import APIConnectionError, APITimeoutError
from humeai_async.http.messages import Request
from humeai_async.http.transport.pool import AiohttpTransport
from humeai_async.settings import Pool
from humeai_async.testing import FakeHume, Fault, Options

pytestmark = pytest.mark.anyio

METHODS = ["GET", "PUT", "DELETE", "PATCH", "POST"]
PATIENT = Timeout(connect=30, read=30)
UNASKED = b'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"unasked"'


async def send(transport: AiohttpTransport, server: RawServer, method: str = "GET") -> bytes:
    request = Request(method, "/v0/thing", f"{server.url}/v0/thing", {})
    async with contextlib.aclosing(await transport.open(request, PATIENT)) as opened:
        return await opened.read()


async def few_turns() -> None:
    """Let what was written on this machine be read."""
    for _ in range(20):
        await asyncio.sleep(0)


def numbered(writers: list[asyncio.StreamWriter]) -> Act:
    """Answer with the number of the request, and keep the connections."""

    async def act(writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await answer(b"%d" % len(writers))(writer)

    return act


@contextlib.asynccontextmanager
async def transport_of(pool: str) -> AsyncGenerator[AiohttpTransport]:
    """Make a transport with a pool of its own, or on a session that somebody else has made."""
    async with contextlib.AsyncExitStack() as stack:
        session = None
        if pool == "borrowed":
            session = await stack.enter_async_context(aiohttp.ClientSession())
        transport = AiohttpTransport(Pool(), session)
        stack.push_async_callback(transport.aclose)
        yield transport


POOLS = ["own", "borrowed"]


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("method", METHODS)
async def test_what_comes_unasked_is_not_taken_for_the_next_answer(method: str, pool: str) -> None:
    writers: list[asyncio.StreamWriter] = []
    async with RawServer(numbered(writers)) as server, transport_of(pool) as transport:
        assert await send(transport, server) == b"1"
        writers[0].write(UNASKED)
        await few_turns()
        assert [await send(transport, server, method) for _ in range(3)] == [b"2", b"3", b"4"]
        assert server.connections == 2


@pytest.mark.parametrize("pool", POOLS)
async def test_a_server_that_speaks_on_every_connection_is_named(pool: str) -> None:
    writers: list[asyncio.StreamWriter] = []
    async with RawServer(numbered(writers)) as server, transport_of(pool) as transport:
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(send, transport, server)
        assert server.connections == 5
        for writer in writers:
            writer.write(UNASKED)
        await few_turns()
        with pytest.raises(APIConnectionError, match="sent data on an idle connection") as caught:
            await send(transport, server, "POST")
        assert not caught.value.outcome_unknown
        assert len(server.heads) == 5
        assert await send(transport, server, "POST") == b"6"


@pytest.mark.parametrize("method", METHODS)
async def test_a_connection_closed_as_the_request_leaves_is_not_replaced_in_secret(
    method: str,
) -> None:
    writers: list[asyncio.StreamWriter] = []
    async with RawServer(numbered(writers)) as server:
        transport = AiohttpTransport(Pool())
        await send(transport, server)
        await few_turns()
        # No turn of the loop is between this and the request: the client cannot know of it.
        writers[0].get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        with pytest.raises(APIConnectionError) as caught:
            await send(transport, server, method)
        await transport.aclose()
        assert (len(server.heads), server.connections) == (1, 1)
    assert caught.value.outcome_unknown


async def test_hints_without_end_end_with_the_call() -> None:
    async def hint(writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
            await writer.drain()
            await asyncio.sleep(0.001)

    async with (
        RawServer(hint) as server,
        HumeAI(api_key="key", base_url=server.url, timeout=0.1) as hume,
    ):
        with pytest.raises(APITimeoutError) as caught:
            await hume.batch.start_job(text=["Hello."], models={"language": {}})
        assert len(server.heads) == 1
    assert caught.value.outcome_unknown


async def test_a_call_whose_time_is_up_before_it_got_a_connection_was_not_carried_out() -> None:
    async with FakeHume() as fake, client_of(fake, pool=Pool(limit=1), timeout=None) as hume:
        things = furnish(fake)
        before = len(fake.jobs)
        await hume.batch.get_job(things.job)  # so that there is a connection
        fake.faults.add(Fault("stall", after_work=True, times=None))
        hasty = hume.with_options(timeout=0.1)

        async def start() -> APITimeoutError:
            with pytest.raises(APITimeoutError) as caught:
                await hasty.batch.start_job(text=["Hello."], models={"language": {}})
            return caught.value

        assert (await start()).outcome_unknown
        async with anyio.create_task_group() as group:
            group.start_soon(hume.batch.get_job, things.job)
            while fake.count(method="GET") < 2:
                await asyncio.sleep(0)
            assert not (await start()).outcome_unknown
            group.cancel_scope.cancel()
        assert len(fake.jobs) == before + 1


@pytest.mark.parametrize("method", ["save_predictions", "save_artifacts"])
async def test_a_body_that_breaks_off_is_an_error_with_all_that_is_known(
    method: str, tmp_path: Path
) -> None:
    async with FakeHume() as fake, client_of(fake, retry=Retry(attempts=1)) as hume:
        job = hume.batch.job(furnish(fake).job)
        fake.faults.add(Fault("reset-body"))
        with pytest.raises(APIConnectionError) as caught:
            await getattr(job, method)(tmp_path / "file")
        assert (hume.stats.calls, hume.stats.failures) == (1, 1)
    error = caught.value
    assert (error.method, error.attempts, error.outcome_unknown) == ("GET", 1, False)
    assert str(error.endpoint).startswith("/v0/batch/jobs/{id}/")
    assert error.elapsed > 0


async def test_a_download_that_is_given_up_counts_all_its_requests(tmp_path: Path) -> None:
    retry = Retry(attempts=3, initial_delay=0.001)
    async with FakeHume() as fake, client_of(fake, retry=retry) as hume:
        job = hume.batch.job(furnish(fake).job)
        fake.faults.add(Fault("reset-body"))
        fake.faults.add(Fault("truncate-chunk", times=None))
        with pytest.raises(APIConnectionError) as caught:
            await job.save_artifacts(tmp_path / "file")
        assert caught.value.attempts == hume.stats.requests == fake.count()
    assert caught.value.attempts >= 3


async def test_a_gateway_that_never_answers_a_delete_is_not_asked_twice() -> None:
    options = Options(delete_status=204)
    async with (
        FakeHume(dialect="gateway-recorded", options=options) as fake,
        client_of(fake, retry=Retry(attempts=4, initial_delay=0.001)) as hume,
    ):
        things = furnish(fake)
        await hume.batch.get_job(things.job)
        with pytest.raises(APITimeoutError) as caught:
            await hume.with_options(timeout=Timeout(read=0.1)).prompts.delete(things.prompt)
        assert fake.count(method="DELETE", is_carried_out=True) == 1
        assert fake.count(method="DELETE") == 1
    assert caught.value.outcome_unknown
