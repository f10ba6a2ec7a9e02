"""What a client takes from a server, at most: bytes of bodies, headers and messages."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import aiohttp
import anyio
import pytest
from aiohttp import web
from aiohttp_release import IS_3_14
from chat_support import web_server
from rawserver import Act, RawServer, answer, raw
from support import client_of

from humeai_async import (
    APIConnectionError,
    BadRequestError,
    ChatClosedError,
    HumeAI,
    Pool,
    ResponseTooLargeError,
    Retry,
    ServerError,
)
from humeai_async.errors import ConfigurationError
from humeai_async.http.status_errors import BODY_KEPT
from humeai_async.http.transport.bodies import LARGEST_ERROR
from humeai_async.http.transport.websocket import LARGEST_MESSAGE
from humeai_async.testing import FakeHume

pytestmark = pytest.mark.anyio

LIMIT = 200_000
LARGE = 1 << 20
"""Bytes of a body that is read in pieces, although its length is known."""
MANY = Retry(attempts=3, initial_delay=0.001)


def chunked(body: bytes, size: int = 65_536) -> Act:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    lines = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + lines + b"0\r\n\r\n")


def packed(body: bytes, encoding: str) -> Act:
    data = gzip.compress(body) if encoding == "gzip" else zlib.compress(body)
    return answer(data, headers={"Content-Encoding": encoding})


FRAMINGS: dict[str, Callable[[bytes], Act]] = {
    "a length": answer,
    "chunks": chunked,
    "the end of the connection": lambda body: raw(b"HTTP/1.1 200 OK\r\n\r\n" + body),
    "gzip": lambda body: packed(body, "gzip"),
    "deflate": lambda body: packed(body, "deflate"),
}


def hume_at(server: RawServer, max_body: int = LIMIT) -> HumeAI:
    return HumeAI(api_key="k", base_url=server.url, pool=Pool(max_body=max_body), retry=MANY)


def test_what_is_read_by_default_holds_the_largest_predictions() -> None:
    assert Pool().max_body == 1 << 30


@pytest.mark.parametrize("size", [LIMIT, LARGE])
@pytest.mark.parametrize("framing", FRAMINGS)
async def test_a_body_as_large_as_allowed_is_read(framing: str, size: int) -> None:
    body = (b"0123456789abcde" * (size // 15 + 1))[:size]
    async with RawServer(FRAMINGS[framing](body)) as server, hume_at(server, size) as hume:
        assert (await hume.request("GET", "/v0/x")).body == body


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("framing", FRAMINGS)
async def test_a_body_that_is_larger_is_named_and_not_asked_for_again(
    framing: str, method: str
) -> None:
    async with RawServer(FRAMINGS[framing](b"x" * (LIMIT + 1))) as server:
        async with hume_at(server) as hume:
            with pytest.raises(ResponseTooLargeError, match=r"Pool\(max_body=") as caught:
                await hume.request(method, "/v0/x")
    assert (caught.value.size, caught.value.limit) == (LIMIT + 1, LIMIT)
    assert str(LIMIT) in str(caught.value)
    assert (caught.value.status, caught.value.method) == (200, method)
    assert caught.value.outcome_unknown is (method == "POST")
    assert len(server.heads) == 1


async def test_a_body_without_end_is_left_and_its_connection_dropped() -> None:
    async def go_on(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"2710\r\n" + b"x" * 10_000 + b"\r\n")
            await writer.drain()

    async with RawServer(go_on) as server, hume_at(server) as hume:
        with anyio.fail_after(30):
            with pytest.raises(ResponseTooLargeError):
                await hume.request("GET", "/v0/x")
            await server.emptied.wait()


async def test_a_body_that_says_it_is_too_large_is_not_waited_for() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 5000000000\r\n\r\n"
    async with RawServer(raw(head, close=False)) as server, hume_at(server) as hume:
        with anyio.fail_after(10), pytest.raises(ResponseTooLargeError, match="5000000000 bytes"):
            await hume.request("GET", "/v0/x")


@pytest.mark.parametrize("size", [LARGE, 5_000_000_000])
async def test_a_head_request_may_tell_of_a_body_of_any_size(size: int) -> None:
    act = raw(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size, close=False)
    async with RawServer(act) as server, hume_at(server, max_body=LARGE) as hume:
        assert (await hume.request("HEAD", "/v0/x")).body == b""


@pytest.mark.parametrize("missing", [1, LARGE - 1])
async def test_a_large_body_that_breaks_off_is_never_taken_for_whole(missing: int) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE
    act = raw(head + b"x" * (LARGE - missing))
    async with RawServer(act) as server, hume_at(server, max_body=LARGE) as hume:
        with pytest.raises(APIConnectionError, match="broke before the response was complete"):
            await hume.request("POST", "/v0/x")


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_bomb_is_never_unpacked_whole(encoding: str) -> None:
    act = packed(bytes(200 << 20), encoding)
    async with RawServer(act) as server, hume_at(server, max_body=4 << 20) as hume:
        tracemalloc.start()
        try:
            with pytest.raises(ResponseTooLargeError):
                await hume.request("GET", "/v0/x")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 24 << 20


async def test_a_large_body_of_an_error_is_cut_and_the_error_stays_what_it_is() -> None:
    words = b'{"message": "' + b"no " * LARGEST_ERROR + b'"}'
    act = answer(words, status="500 Oops")
    async with RawServer(act) as server, hume_at(server, max_body=1 << 30) as hume:
        tracemalloc.start()
        try:
            with pytest.raises(ServerError) as caught:
                await hume.request("POST", "/v0/x")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        with anyio.fail_after(10):
            await server.emptied.wait()
    assert len(caught.value.body) == BODY_KEPT
    assert len(caught.value.message) < BODY_KEPT
    assert peak < len(words) + 12 * LARGEST_ERROR


async def test_a_bomb_in_an_error_is_cut_too() -> None:
    data = gzip.compress(bytes(64 << 20))
    act = answer(data, status="502 Bad Gateway", headers={"Content-Encoding": "gzip"})
    async with RawServer(act) as server, hume_at(server, max_body=1000) as hume:
        with pytest.raises(ServerError) as caught:
            await hume.request("POST", "/v0/x")
    assert len(caught.value.body) <= BODY_KEPT


async def test_the_words_of_an_error_have_a_bound() -> None:
    act = answer(
        b'{"message": "%b", "code": "%b"}' % ((b"a" * 50_000,) * 2), status="400 Bad Request"
    )
    async with RawServer(act) as server, hume_at(server) as hume:
        with pytest.raises(BadRequestError) as caught:
            await hume.request("GET", "/v0/x")
    assert len(str(caught.value)) < 2 * BODY_KEPT + 200


async def test_an_error_of_a_download_is_cut_too(tmp_path: Path) -> None:
    act = answer(b"no " * LARGEST_ERROR, status="500 Oops")
    async with RawServer(act) as server, hume_at(server) as hume:
        with pytest.raises(ServerError) as caught:
            await hume.batch.job("job-1").save_predictions(tmp_path / "a.json")
    assert len(caught.value.body) == BODY_KEPT


async def test_the_bound_holds_for_a_borrowed_session_too() -> None:
    async with RawServer(answer(b"x" * 11)) as server, aiohttp.ClientSession() as borrowed:
        pool = Pool(max_body=10)
        async with HumeAI(api_key="k", base_url=server.url, pool=pool, session=borrowed) as hume:
            with pytest.raises(ResponseTooLargeError):
                await hume.request("GET", "/v0/x")


async def test_what_is_saved_to_a_file_has_no_bound(tmp_path: Path) -> None:
    async with FakeHume() as fake, client_of(fake, pool=Pool(max_body=2000)) as hume:
        job = await hume.batch.start_job(urls=["https://media.example.com/a.mp4"])
        await job.wait(timeout=10)
        await job.save_predictions(tmp_path / "a.json")
        with pytest.raises(ResponseTooLargeError, match="save predictions to a file"):
            await job.predictions()
    assert (tmp_path / "a.json").stat().st_size > 2000


async def test_a_source_whose_predictions_are_too_large_stays_open_in_a_run() -> None:
    async with FakeHume() as fake, client_of(fake, pool=Pool(max_body=2000)) as hume:
        outcomes = [o async for o in hume.batch.predict(["https://media.example.com/a.mp4"])]
    assert [type(o.error) for o in outcomes] == [ResponseTooLargeError]
    assert outcomes[0].is_open


@pytest.mark.parametrize("value", [0, -1, 1.5, None, "1", True])
def test_the_bound_is_a_whole_number(value: int) -> None:
    with pytest.raises(ConfigurationError, match="max_body must be a whole number of 1 or more"):
        Pool(max_body=value)


HEADS = {
    "a long header": b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 9000,
    "a header without end": b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * (4 << 20),
    "a long status": b"HTTP/1.1 200 " + b"a" * 9000,
}
if IS_3_14:
    HEADS["many headers"] = b"HTTP/1.1 200 OK" + b"\r\nX-One: a" * 200
    HEADS["a flood of headers"] = b"HTTP/1.1 200 OK" + b"\r\nX-One: a" * 200_000


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
async def test_headers_beyond_the_bounds_are_named(head: bytes) -> None:
    act = raw(head + b"\r\nContent-Length: 2\r\n\r\n{}")
    async with RawServer(act) as server, hume_at(server) as hume:
        with pytest.raises(APIConnectionError, match=r"8,190 bytes, or more than 128") as caught:
            await hume.request("POST", "/v0/x")
    assert caught.value.outcome_unknown


async def test_headers_within_the_bounds_are_taken() -> None:
    headers = {f"X-{n}": "a" for n in range(100)} | {"X-Long": "a" * 8000}
    async with RawServer(answer(headers=headers)) as server, hume_at(server) as hume:
        assert (await hume.request("GET", "/v0/x")).headers["x-long"] == "a" * 8000


@pytest.mark.parametrize("excess", [0, 1])
async def test_a_message_of_a_chat_beyond_the_bound_ends_it_by_name(excess: int) -> None:
    head, tail = b'{"type": "x", "data": "', b'"}'
    message = head + b"a" * (LARGEST_MESSAGE - len(head + tail) + excess) + tail

    async def serve(request: web.BaseRequest) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str(message.decode())
        await socket.receive()
        return socket

    async with web_server(serve) as url, HumeAI(api_key="k", base_url=url) as hume:
        async with hume.chat.connect(reconnect=False) as chat:
            if not excess:
                assert str((await anext(chat)).type) == "x"
                return
            with pytest.raises(ChatClosedError, match="1009") as caught:
                await anext(chat)
    assert caught.value.close_code == 1009
