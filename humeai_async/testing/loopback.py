"""A web server on a real socket of this machine, with everything a bad server can do.

It turns requests into `Arrival` values and puts `FakeResponse` values on the wire, faults
included. It knows no endpoint; the fake Hume and the replay of recordings are built on it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import socket
import ssl
import struct
from types import TracebackType
from typing import Any, Self, cast

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError
from anyio.from_thread import start_blocking_portal
from multidict import CIMultiDict
from yarl import URL

from humeai_async.testing.exchange import Arrival, FakeResponse, FormPart
from humeai_async.testing.framing import frame
from humeai_async.testing.live_media import LIVE_PRODUCTS

_PIECE = 1 << 20
"""Bytes read of a part at once: more than aiohttp ever has in its buffer. Where it has more than is
asked for, its reader calls a method that it has deprecated itself, and warns."""
_KEPT_BYTES = 1024 * 1024
_LIVE_KEPT_BYTES = 256 * 1024 * 1024
_LONGEST_HEAD = 128 * 1024
_NO_BODY = frozenset({204, 304})
_HEAD_START = 0.01
"""Seconds; a reset at once would overtake the bytes before it."""


class _Server(web.Server):
    """aiohttp's low-level server, which also counts connections."""

    opened = 0

    def connection_made(self, handler: Any, transport: asyncio.Transport) -> None:
        self.opened += 1
        super().connection_made(handler, transport)


class _Sent(web.Response):
    """Stands for a response whose bytes are on the wire already."""

    def __init__(self, *, keep_alive: bool) -> None:
        super().__init__()
        self._stays = keep_alive

    @property
    def keep_alive(self) -> bool:
        """Whether the connection stays open."""
        return self._stays

    async def prepare(self, request: web.BaseRequest) -> None:
        """Send nothing more."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Send nothing more."""


class LoopbackServer:
    """Lifecycle and socket work of a test server; subclasses make its responses."""

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        keepalive: float = 75.0,
        never_answer: bool = True,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._host = host
        self._wanted_port = port
        self._port: int | None = None
        self._keepalive = keepalive
        self._never_answer = never_answer
        self._tls = tls
        self._stopping = asyncio.Event()
        self._stale: set[object] = set()
        """Connections that are closed when the next request comes."""
        self._server: _Server | None = None
        self._runner: web.ServerRunner | None = None
        self._thread = contextlib.ExitStack()
        """The thread that serves, between `with` and its end."""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    def __enter__(self) -> Self:
        """Serve on a thread of its own, for code that is not asynchronous."""
        with contextlib.ExitStack() as stack:
            portal = stack.enter_context(start_blocking_portal("asyncio"))
            portal.call(self.start)
            stack.callback(portal.call, self.stop)
            self._thread = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._thread.close()

    async def start(self) -> None:
        """Listen; `async with` does it by itself.

        Raises:
            OSError: The port is taken.
        """
        self._stopping.clear()
        self._server = _Server(
            self._serve,
            handler_cancellation=True,
            keepalive_timeout=self._keepalive,
            access_log=None,
            max_line_size=_LONGEST_HEAD,
            max_field_size=_LONGEST_HEAD,
        )
        self._runner = web.ServerRunner(self._server, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(
            self._runner, self._host, self._wanted_port, backlog=1024, ssl_context=self._tls
        )
        await site.start()
        self._port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Close the port and every connection; held responses are let go."""
        self._stopping.set()
        self._stale.clear()
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    @property
    def port(self) -> int:
        """The port it listens on.

        Raises:
            RuntimeError: It was never started.
        """
        if self._port is None:
            raise RuntimeError("the server is not started: use `async with`")
        return self._port

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://{self._host}:{self.port}"

    @property
    def connections_opened(self) -> int:
        """Connections that were ever made to it."""
        return self._server.opened if self._server is not None else 0

    @property
    def connections_open(self) -> int:
        """Connections that are open now."""
        return len(self._server.connections) if self._server is not None else 0

    async def respond(self, arrival: Arrival) -> tuple[FakeResponse, float]:
        """Return a response, and the seconds to wait before it is sent."""
        raise NotImplementedError

    async def socket(self, request: web.BaseRequest, arrival: Arrival) -> web.StreamResponse:
        """Serve a request to open a WebSocket."""
        del arrival
        return await self._respond(request, FakeResponse(404))

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.protocol in self._stale:
            self._stale.discard(request.protocol)
            return _cut(request, reset=False)
        try:
            arrival = await read_arrival(request)
        except (ValueError, web.RequestPayloadError, HttpProcessingError):
            # No URL, no multipart, not packed as it says: whatever stands in front refuses it.
            return await _send(request, FakeResponse(400, b"Bad Request", {"Connection": "close"}))
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self.socket(request, arrival)
        response, delay = await self.respond(arrival)
        if delay > 0:
            await self._hold(delay)
        return await self._respond(request, response)

    async def _respond(
        self, request: web.BaseRequest, response: FakeResponse
    ) -> web.StreamResponse:
        """Put a response on the wire, with whatever goes wrong with it."""
        if response.silent:
            if self._never_answer:
                await self._hold(None)
            return _cut(request, reset=False)
        framed = None if response.fault is None else frame(response, response.fault)
        if response.fault is None or framed is None:
            return await _send(request, response)
        _write(request, framed.data)
        if framed.then == "stall":
            await self._hold(response.fault.seconds)
            _write(request, framed.rest)
        elif framed.then == "stale":
            self._stale.add(request.protocol)
        elif framed.then == "reset" and framed.data:
            await asyncio.sleep(_HEAD_START)
        if framed.then in {"close", "reset"}:
            return _cut(request, reset=framed.then == "reset")
        return _Sent(keep_alive=True)

    async def _hold(self, seconds: float | None) -> None:
        """Wait that long, but no longer than the server runs.

        A client that goes away ends it too: aiohttp then cancels the handler.
        """
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass


async def read_arrival(request: web.BaseRequest) -> Arrival:
    """Read a request whole; of uploaded files the checksums and the first megabyte are kept."""
    parts: tuple[FormPart, ...] | None = None
    body = b""
    if request.content_type == "multipart/form-data":
        is_live = request.path.startswith(LIVE_PRODUCTS)
        parts = await _read_parts(request, _LIVE_KEPT_BYTES if is_live else _KEPT_BYTES)
    else:
        body = b"".join([chunk async for chunk in request.content.iter_any()])
    url = URL(request.raw_path, encoded=True)
    return Arrival(
        method=request.method,
        path=url.raw_path,
        query=tuple(url.query.items()),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=body,
        parts=parts,
        raw_target=request.raw_path,
    )


async def _read_parts(request: web.BaseRequest, most: int) -> tuple[FormPart, ...]:
    reader = await request.multipart()
    return tuple(
        [await _read_part(part, most) async for part in reader if isinstance(part, BodyPartReader)]
    )


async def _read_part(part: BodyPartReader, most: int) -> FormPart:
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    kept, size = bytearray(), 0
    while chunk := await part.read_chunk(_PIECE):
        md5.update(chunk)
        sha256.update(chunk)
        size += len(chunk)
        if part.filename is None or len(kept) < most:
            kept += chunk
    return FormPart(
        name=part.name or "",
        filename=part.filename,
        content_type=part.headers.get("Content-Type"),
        size=size,
        md5=md5.hexdigest(),
        sha256=sha256.hexdigest(),
        content=bytes(kept),
    )


def _headers(response: FakeResponse) -> CIMultiDict[str]:
    return CIMultiDict(response.headers)


async def _send(request: web.BaseRequest, response: FakeResponse) -> web.StreamResponse:
    body = None if response.status in _NO_BODY else response.body
    sent = web.Response(status=response.status, body=body, headers=_headers(response))
    if response.headers.get("Connection") == "close":
        sent.force_close()
    try:
        await sent.prepare(request)
        await sent.write_eof()
    except ConnectionResetError:  # the client has gone
        return _cut(request, reset=False)
    return sent


def _write(request: web.BaseRequest, data: bytes) -> None:
    """Put bytes on a connection as they are."""
    if data and request.transport is not None:
        request.transport.write(data)


def _cut(request: web.BaseRequest, *, reset: bool) -> web.StreamResponse:
    """End the connection without another byte."""
    transport = request.transport
    if transport is not None and reset:
        raw = cast("socket.socket | None", transport.get_extra_info("socket"))
        if raw is not None:
            # Closing with a linger time of 0 sends a reset instead of an orderly end.
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    elif transport is not None:
        transport.close()
    return _Sent(keep_alive=False)
