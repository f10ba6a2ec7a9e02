"""The transport on real sockets, against servers that do all a bad server can do."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import io
import socket
import threading
from collections.abc import AsyncIterator

import aiohttp
import pytest
from rawserver import (
    HALF_A_BODY,
    HALF_A_CHUNK,
    NOT_GZIP,
    NOT_HTTP,
    Act,
    RawServer,
    after,
    answer,
    raw,
    reset,
    silence,
)
from unreachable import hanging_url, refusing_url
from yarl import URL

from humeai_async.errors import (
    APIConnectionError,
    APITimeoutError,
    ClientClosedError,
    InvalidArgumentError,
)
from humeai_async.http.messages import Part, Request, Response
from humeai_async.http.transport.bodies import RequestBody
from humeai_async.http.transport.pool import AiohttpTransport
from humeai_async.settings import Pool, Timeout

pytestmark = pytest.mark.anyio

TIMEOUT = Timeout(connect=5.0, read=5.0)
SHORT = 0.05
NOW = asyncio.Event


def request_to(
    url: str, method: str = "GET", body: bytes | tuple[Part, ...] | None = None
) -> Request:
    return Request(method, "/v0/thing/{id}", f"{url}/v0/thing/1?api_token=at_x", {}, body)


async def send(
    transport: AiohttpTransport, request: Request, timeout: Timeout = TIMEOUT
) -> Response:
    """Exchange a request for its whole response."""
    async with contextlib.aclosing(await transport.open(request, timeout)) as opened:
        return Response(opened.status, opened.headers, await opened.read())


async def send_to(
    server: RawServer, method: str = "GET", *, timeout: Timeout = TIMEOUT
) -> Response:
    transport = AiohttpTransport(Pool())
    try:
        return await send(transport, request_to(server.url, method), timeout)
    finally:
        await transport.aclose()


async def failure_of(
    server: RawServer, method: str = "GET", *, timeout: Timeout = TIMEOUT
) -> APIConnectionError:
    with pytest.raises(APIConnectionError) as caught:
        await send_to(server, method, timeout=timeout)
    assert caught.value.method == method
    assert caught.value.endpoint == "/v0/thing/{id}"
    return caught.value


async def test_an_answer_comes_back_as_it_was_sent() -> None:
    async with RawServer(answer(b'{"a": 1}', headers={"X-Request-Id": "r-1"})) as server:
        response = await send_to(server)
    assert (response.status, response.body) == (200, b'{"a": 1}')
    assert response.headers["x-request-id"] == "r-1"


async def test_a_refused_connection_was_surely_not_carried_out() -> None:
    transport = AiohttpTransport(Pool())
    with refusing_url() as url, pytest.raises(APIConnectionError) as caught:
        await send(transport, request_to(url, "POST"), TIMEOUT)
    await transport.aclose()
    assert not isinstance(caught.value, APITimeoutError)
    assert not caught.value.outcome_unknown
    assert f"could not connect to {url.removeprefix('http://')}" in caught.value.message
    assert "refused" in caught.value.message


async def test_a_name_that_nobody_knows_is_a_failed_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
    transport = AiohttpTransport(Pool())
    with pytest.raises(APIConnectionError, match="Name or service not known") as caught:
        await send(transport, request_to("http://hume.invalid"), TIMEOUT)
    await transport.aclose()
    assert not caught.value.outcome_unknown


async def test_a_server_without_tls_is_a_failed_connection() -> None:
    async def speak_first(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(NOT_HTTP)
        writer.close()

    async with await asyncio.start_server(speak_first, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        transport = AiohttpTransport(Pool())
        with pytest.raises(APIConnectionError, match="could not connect") as caught:
            await send(transport, request_to(f"https://127.0.0.1:{port}"), TIMEOUT)
        await transport.aclose()
    assert not caught.value.outcome_unknown


async def test_a_connection_that_takes_too_long_was_surely_not_carried_out() -> None:
    transport = AiohttpTransport(Pool())
    with (
        hanging_url() as url,
        pytest.raises(APITimeoutError, match="was not made in time") as caught,
    ):
        await send(transport, request_to(url, "POST"), Timeout(connect=SHORT, read=5.0))
    await transport.aclose()
    assert not caught.value.outcome_unknown


@pytest.mark.parametrize("start", [b"", HALF_A_BODY], ids=["at all", "on and on"])
async def test_an_answer_that_does_not_come_may_hide_a_success(start: bytes) -> None:
    async with RawServer(silence(start)) as server:
        failure = await failure_of(server, timeout=Timeout(connect=5.0, read=SHORT))
    assert isinstance(failure, APITimeoutError)
    assert failure.outcome_unknown


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(reset(), id="reset before the answer"),
        pytest.param(raw(b""), id="closed before the answer"),
        pytest.param(reset(HALF_A_BODY), id="reset inside the body"),
        pytest.param(raw(HALF_A_BODY), id="cut off inside the body"),
        pytest.param(raw(HALF_A_CHUNK), id="cut off inside a chunk"),
        pytest.param(raw(b"HTTP/1.1 200 OK\r\nContent-Le"), id="cut off inside the head"),
        pytest.param(raw(NOT_GZIP, close=False), id="not what it says it is packed with"),
        pytest.param(raw(NOT_HTTP), id="another protocol"),
        pytest.param(raw(b"\x00\xff" * 40), id="noise"),
        pytest.param(
            raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n"), id="endless head"
        ),
        pytest.param(raw(b"HTTP/1.1 200 " + b"x" * 70_000 + b"\r\n\r\n"), id="endless status"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_broken_answer_may_hide_a_success(act: Act, method: str) -> None:
    async with RawServer(act) as server:
        failure = await failure_of(server, method)
        assert len(server.heads) == 1
    assert not isinstance(failure, APITimeoutError)
    assert failure.outcome_unknown
    assert "broke before the response was complete" in failure.message
    assert "Error" not in failure.message


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
async def test_a_request_is_never_repeated_in_secret_on_a_stale_connection(method: str) -> None:
    async with RawServer(answer(), raw(b""), answer()) as server:
        transport = AiohttpTransport(Pool())
        await send(transport, request_to(server.url), TIMEOUT)
        with pytest.raises(APIConnectionError):
            await send(transport, request_to(server.url, method), TIMEOUT)
        await transport.aclose()
        assert (len(server.heads), server.connections) == (2, 1)


async def test_a_connection_is_used_again() -> None:
    async with RawServer(answer()) as server:
        transport = AiohttpTransport(Pool())
        for _ in range(3):
            await send(transport, request_to(server.url), TIMEOUT)
        await transport.aclose()
        assert (len(server.heads), server.connections) == (3, 1)


async def test_an_idle_connection_is_dropped_in_time() -> None:
    async with RawServer(answer()) as server:
        transport = AiohttpTransport(Pool(keepalive=0.01))
        await send(transport, request_to(server.url), TIMEOUT)
        await asyncio.sleep(0.02)
        await send(transport, request_to(server.url), TIMEOUT)
        await transport.aclose()
        assert server.connections == 2


async def test_waiting_for_the_pool_is_not_billed_to_connect_or_read() -> None:
    freed = asyncio.Event()
    async with RawServer(after(freed, answer()), answer()) as server:
        transport = AiohttpTransport(Pool(limit=1))
        first = asyncio.ensure_future(send(transport, request_to(server.url), TIMEOUT))
        await server.arrived.wait()
        hasty = Timeout(connect=0.01, read=0.02)
        second = asyncio.ensure_future(send(transport, request_to(server.url), hasty))
        await asyncio.sleep(0.04)
        freed.set()
        answers = await asyncio.gather(first, second)
        await transport.aclose()
    assert [one.status for one in answers] == [200, 200]


async def test_redirects_are_not_followed() -> None:
    async with RawServer() as other, RawServer() as server:
        server.acts = [answer(b"", status="302 Found", headers={"Location": other.url})]
        response = await send_to(server)
        assert (len(server.heads), other.connections) == (1, 0)
    assert response.status == 302


async def test_cookies_are_not_kept() -> None:
    async with RawServer(answer(headers={"Set-Cookie": "sid=1; Path=/"})) as server:
        transport = AiohttpTransport(Pool())
        for _ in range(2):
            await send(transport, request_to(server.url), TIMEOUT)
        await transport.aclose()
        assert not any("cookie" in head.lower() for head in server.heads)


async def test_closing_ends_calls_in_flight_and_in_the_queue() -> None:
    async with RawServer(silence()) as server:
        transport = AiohttpTransport(Pool(limit=1))
        calls = [
            asyncio.ensure_future(send(transport, request_to(server.url, "POST"), TIMEOUT))
            for _ in range(3)
        ]
        await server.arrived.wait()
        await transport.aclose()
        problems = await asyncio.gather(*calls, return_exceptions=True)
        await server.emptied.wait()
    assert [type(problem) for problem in problems] == [ClientClosedError] * 3


async def test_closing_ends_a_stream() -> None:
    async with RawServer(silence(HALF_A_BODY)) as server:
        transport = AiohttpTransport(Pool())
        async with contextlib.aclosing(
            await transport.open(request_to(server.url), TIMEOUT)
        ) as download:
            await transport.aclose()
            with pytest.raises(ClientClosedError):
                await download.read()


async def test_a_closed_transport_says_so() -> None:
    transport = AiohttpTransport(Pool())
    await transport.aclose()
    await transport.aclose()
    with pytest.raises(ClientClosedError, match="build a new one"):
        await send(transport, request_to("http://127.0.0.1:9"), TIMEOUT)


async def test_a_cancelled_call_frees_its_place_in_the_pool() -> None:
    async with RawServer(silence(), answer()) as server:
        transport = AiohttpTransport(Pool(limit=1))
        call = asyncio.ensure_future(send(transport, request_to(server.url), TIMEOUT))
        await server.arrived.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await server.emptied.wait()
        assert (await send(transport, request_to(server.url), TIMEOUT)).status == 200
        await transport.aclose()


async def test_a_stream_that_is_left_early_frees_its_place_in_the_pool() -> None:
    async with RawServer(silence(HALF_A_BODY), answer()) as server:
        transport = AiohttpTransport(Pool(limit=1))
        async with contextlib.aclosing(
            await transport.open(request_to(server.url), TIMEOUT)
        ) as download:
            assert await anext(download.chunks()) == b'{"half": '
        await server.emptied.wait()
        assert (await send(transport, request_to(server.url), TIMEOUT)).status == 200
        await transport.aclose()


async def test_a_stream_gives_pieces_as_they_come() -> None:
    rest = asyncio.Event()

    async def in_two(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\none")
        await rest.wait()
        writer.write(b"two")

    async with RawServer(in_two) as server:
        transport = AiohttpTransport(Pool())
        async with contextlib.aclosing(
            await transport.open(request_to(server.url), TIMEOUT)
        ) as download:
            pieces: list[bytes] = []
            async for piece in download.chunks():
                pieces.append(piece)
                rest.set()
        await transport.aclose()
    assert pieces == [b"one", b"two"]


@pytest.mark.parametrize("act", [raw(HALF_A_BODY), reset(HALF_A_BODY), raw(NOT_GZIP)])
async def test_a_stream_that_breaks_off_is_told(act: Act) -> None:
    async with RawServer(act) as server:
        transport = AiohttpTransport(Pool())
        with pytest.raises(APIConnectionError, match="broke before the response was complete"):
            async with contextlib.aclosing(
                await transport.open(request_to(server.url), TIMEOUT)
            ) as download:
                await download.read()
        await transport.aclose()


async def test_a_stream_that_never_begins_is_told() -> None:
    async with RawServer(reset()) as server:
        transport = AiohttpTransport(Pool())
        with pytest.raises(APIConnectionError):
            async with contextlib.aclosing(await transport.open(request_to(server.url), TIMEOUT)):
                raise AssertionError("there is nothing to read")
        await transport.aclose()


def test_each_event_loop_gets_its_own_pool() -> None:
    transport = AiohttpTransport(Pool())

    async def use(*, close: bool) -> int:
        async with RawServer(answer()) as server:
            status = (await send(transport, request_to(server.url), TIMEOUT)).status
            if close:
                await transport.aclose()
            return status

    assert [asyncio.run(use(close=False)), asyncio.run(use(close=True))] == [200, 200]
    gc.collect()


def test_loops_in_two_threads_share_a_transport() -> None:
    transport = AiohttpTransport(Pool())
    both_there = threading.Barrier(2, timeout=10)
    statuses: list[int] = []

    async def use() -> None:
        async with RawServer(answer()) as server:
            for _ in range(5):
                response = await send(transport, request_to(server.url), TIMEOUT)
                statuses.append(response.status)
            await asyncio.to_thread(both_there.wait)

    threads = [threading.Thread(target=lambda: asyncio.run(use())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asyncio.run(transport.aclose())
    gc.collect()
    assert statuses == [200] * 10


async def test_a_borrowed_session_stays_open() -> None:
    async with RawServer(answer()) as server, aiohttp.ClientSession() as session:
        transport = AiohttpTransport(Pool(), session)
        assert (await send(transport, request_to(server.url), TIMEOUT)).status == 200
        await transport.aclose()
        assert not session.closed
        with pytest.raises(ClientClosedError):
            await send(transport, request_to(server.url), TIMEOUT)


async def test_a_borrowed_session_that_its_owner_closed_is_named() -> None:
    session = aiohttp.ClientSession()
    await session.close()
    with pytest.raises(ClientClosedError, match="handed in"):
        await send(AiohttpTransport(Pool(), session), request_to("http://127.0.0.1:9"), TIMEOUT)


async def test_a_borrowed_sessions_own_timeout_and_redirects_do_not_apply() -> None:
    act = answer(status="302 Found", headers={"Location": "/elsewhere"})
    freed = asyncio.Event()
    impatient = aiohttp.ClientTimeout(total=0.01)
    async with (
        RawServer(after(freed, act)) as server,
        aiohttp.ClientSession(timeout=impatient) as session,
    ):
        transport = AiohttpTransport(Pool(), session)
        call = asyncio.ensure_future(send(transport, request_to(server.url), TIMEOUT))
        await asyncio.sleep(0.03)
        freed.set()
        assert (await call).status == 302


async def test_headers_go_before_a_borrowed_sessions_cookies_and_headers() -> None:
    jar = aiohttp.CookieJar(unsafe=True)  # which takes those of an address, too
    owned = {"Authorization": "Basic its-own", "X-Tag": "its-own"}
    async with (
        RawServer(answer()) as server,
        aiohttp.ClientSession(cookie_jar=jar, headers=owned) as session,
    ):
        jar.update_cookies({"name": "its-own"}, URL(server.url))
        request = request_to(server.url)
        request.headers = {"Cookie": "name=ours", "Authorization": "Bearer ours"}
        await send(AiohttpTransport(Pool(), session), request, TIMEOUT)
    sent = [line for line in server.heads[0].split("\r\n") if "ours" in line or "its-own" in line]
    assert sorted(sent) == ["Authorization: Bearer ours", "Cookie: name=ours", "X-Tag: its-own"]


@pytest.mark.parametrize("size", [100, 3_000_000])
async def test_a_json_body_arrives_whole(size: int) -> None:
    body = b"x" * size
    async with RawServer(answer()) as server:
        transport = AiohttpTransport(Pool())
        await send(transport, request_to(server.url, "POST", body), TIMEOUT)
        await transport.aclose()
        assert server.bodies == [body]


MEGABYTE = 1 << 20


@pytest.mark.parametrize("size", [40 * MEGABYTE, None], ids=["known length", "in chunks"])
async def test_a_large_upload_is_read_only_as_fast_as_it_leaves(size: int | None) -> None:
    read_on = asyncio.Event()
    made = 0

    async def content() -> AsyncIterator[bytes]:
        nonlocal made
        for _ in range(40):
            made += 1
            yield b"x" * MEGABYTE

    part = Part("file", content, "a.bin", "application/octet-stream", size)
    async with RawServer(answer(), reads_after=read_on) as server:
        transport = AiohttpTransport(Pool())
        call = asyncio.ensure_future(
            send(transport, request_to(server.url, "POST", (part,)), TIMEOUT)
        )
        await asyncio.sleep(0.05)
        made_before = made
        read_on.set()
        assert (await call).status == 200
        await transport.aclose()
        assert ("content-length" in server.heads[0].lower()) == (size is not None)
    assert made_before < 20
    assert made == 40
    assert server.bodies[0].count(b"x" * MEGABYTE) >= 39


async def test_a_broken_upload_is_a_broken_connection() -> None:
    async def content() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * MEGABYTE

    part = Part("file", content, "a.bin")
    async with RawServer(reset(), reads_bodies=False) as server:
        transport = AiohttpTransport(Pool())
        with pytest.raises(APIConnectionError) as caught:
            await send(transport, request_to(server.url, "POST", (part,)), TIMEOUT)
        await transport.aclose()
    assert caught.value.outcome_unknown
    assert "at_x" not in str(caught.value)


async def test_an_answer_before_the_end_of_an_upload_is_taken() -> None:
    async def content() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.Event().wait()

    act = answer(
        b'{"message": "too large"}', status="413 Too Large", headers={"Connection": "close"}
    )
    async with RawServer(act, reads_bodies=False) as server:
        transport = AiohttpTransport(Pool())
        part = Part("file", content, "a.bin")
        response = await send(transport, request_to(server.url, "POST", (part,)), TIMEOUT)
        await transport.aclose()
    assert response.status == 413


@pytest.mark.parametrize(
    "problem", [KeyError("mine"), OSError(5, "mine"), InvalidArgumentError("mine", field="files")]
)
async def test_what_a_users_own_iterator_raises_comes_out_as_it_is(problem: Exception) -> None:
    async def content() -> AsyncIterator[bytes]:
        yield b"x" * 10
        raise problem

    async with RawServer(answer()) as server:
        transport = AiohttpTransport(Pool())
        part = Part("file", content, "a.bin", size=100)
        with pytest.raises(type(problem)) as caught:
            await send(transport, request_to(server.url, "POST", (part,)), TIMEOUT)
        await transport.aclose()
    assert caught.value is problem


async def test_parts_without_a_file_name_are_plain_fields() -> None:
    parts = (
        Part("json", b'{"a": 1}', content_type="application/json"),
        Part("file", b"RIFF", "a.wav", "audio/wav"),
    )
    async with RawServer(answer()) as server:
        transport = AiohttpTransport(Pool())
        await send(transport, request_to(server.url, "POST", parts), TIMEOUT)
        await transport.aclose()
        body = server.bodies[0].decode()
    assert 'name="json"' in body
    assert 'name="file"; filename="a.wav"' in body
    assert "Content-Type: audio/wav" in body


async def test_parts_in_memory_are_one_body_of_what_aiohttp_sends_in_pieces() -> None:
    parts = (
        Part("json", b'{"a": 1}', content_type="application/json"),
        Part("name", "Gr\u00fc\u00dfe".encode()),
        Part("file", bytes(range(256)), 'a "b\\c" \u00fc.bin', "audio/wav"),
    )
    form = aiohttp.FormData(quote_fields=False)
    for part in parts:
        content = part.content
        assert isinstance(content, bytes)
        value = content.decode() if part.filename is None else io.BytesIO(content)
        form.add_field(part.name, value, filename=part.filename, content_type=part.content_type)
    assert isinstance(RequestBody().payload(parts), aiohttp.BytesPayload)
    async with RawServer(answer(), answer()) as server, aiohttp.ClientSession() as session:
        transport = AiohttpTransport(Pool())
        await send(transport, request_to(server.url, "POST", parts), TIMEOUT)
        await transport.aclose()
        async with session.post(server.url, data=form):
            pass
        ours, theirs = server.bodies
    mine, other = (body.partition(b"\r\n")[0] for body in (ours, theirs))
    assert theirs == ours.replace(mine, other)
