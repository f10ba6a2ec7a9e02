"""Faults below HTTP: nobody there, no name, no trust. Nothing is sent, so nothing is in doubt."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest
import trustme
from contract import furnish
from fault_support import KINDS, attempt
from rawserver import RawServer, raw
from support import client_of
from unreachable import hanging_url, refusing_url

from humeai_async import HumeAI, Limiter, Retry, Timeout, Upload
from humeai_async.errors import (
    APIConnectionError,
    APITimeoutError,
    GatewayUnsupportedError,
    HumeError,
    TLSError,
)
from humeai_async.testing import FakeHume

pytestmark = pytest.mark.anyio

TIMEOUT = Timeout(connect=30, read=30, total=60)
CREDENTIALS: dict[str, dict[str, Any]] = {
    "direct": {"api_key": "key"},
    "gateway": {"api_token": "at_x"},
}
NOWHERE = "https://hume.invalid"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_side(authority: trustme.CA, name: str) -> ssl.SSLContext:
    """Return a server's side of TLS with a certificate for a name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate: Any = authority.issue_cert(name)  # its types name a package that may be missing
    certificate.configure_cert(context)
    return context


def client_side(authority: trustme.CA) -> aiohttp.ClientSession:
    """Return a session that trusts an authority."""
    context = ssl.create_default_context()
    trusted: Any = authority
    trusted.configure_trust(context)
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context))


@contextlib.asynccontextmanager
async def refused(_: trustme.CA) -> AsyncGenerator[str]:
    with refusing_url() as url:
        yield url


@contextlib.asynccontextmanager
async def hanging(_: trustme.CA) -> AsyncGenerator[str]:
    with hanging_url() as url:
        yield url


@contextlib.asynccontextmanager
async def untrusted(authority: trustme.CA) -> AsyncGenerator[str]:
    async with FakeHume(tls=server_side(authority, "127.0.0.1")) as fake:
        yield fake.url
        assert fake.requests == []


@contextlib.asynccontextmanager
async def without_tls(_: trustme.CA) -> AsyncGenerator[str]:
    async with FakeHume() as fake:
        yield fake.url.replace("http:", "https:")
        assert fake.requests == []


@contextlib.asynccontextmanager
async def nameless(_: trustme.CA) -> AsyncGenerator[str]:
    async def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio.get_running_loop(), "getaddrinfo", fail)
        yield NOWHERE


Place = Callable[[trustme.CA], AbstractAsyncContextManager[str]]

PLACES: dict[str, tuple[Place, type[HumeError], str, int]] = {
    "refused": (refused, APIConnectionError, "Connection refused", 2),
    "never made": (hanging, APITimeoutError, "was not made in time", 2),
    "unknown name": (nameless, APIConnectionError, "Name or service not known", 2),
    "unknown authority": (untrusted, TLSError, "Pool(ssl=ssl.create_default_context", 1),
    "no TLS": (without_tls, TLSError, "it does not speak TLS", 1),
}
"""What is there, what calls end with, and after how many attempts."""


@pytest.mark.parametrize("origin", CREDENTIALS)
@pytest.mark.parametrize("place", PLACES)
async def test_what_never_left_is_named_and_known_not_to_be_carried_out(
    place: str, origin: str, authority: trustme.CA, tmp_path: Path
) -> None:
    make, error, message, attempts = PLACES[place]
    things = furnish(FakeHume())
    timeout = Timeout(connect=0.1, total=60) if make is hanging else TIMEOUT
    found: dict[str, object] = {}
    async with make(authority) as url:

        async def run(name: str) -> None:
            async with HumeAI(
                base_url=url,
                timeout=timeout,
                retry=Retry(attempts=2, initial_delay=0.001),
                limiter=Limiter(rate=1e6),
                **CREDENTIALS[origin],
            ) as hume:
                problem = await attempt(hume, KINDS[name], things, tmp_path / name)
                assert problem is not None
                assert hume.stats.requests == problem.attempts
            if type(problem) is error:
                assert message in problem.message
            found[name] = type(problem), problem.outcome_unknown, problem.attempts

        tasks = asyncio.all_tasks()
        async with anyio.create_task_group() as group:
            for name in KINDS:
                group.start_soon(run, name)
        assert asyncio.all_tasks() == tasks
    # Where a second attempt could help all went again, those that must not be repeated too.
    assert found == {
        name: (GatewayUnsupportedError, False, 0)
        if kind.is_direct_only and origin == "gateway"
        else (error, False, attempts)
        for name, kind in KINDS.items()
    }


@pytest.mark.parametrize("name", KINDS)
async def test_a_certificate_is_for_its_own_host_alone(
    name: str, authority: trustme.CA, tmp_path: Path
) -> None:
    found: list[type[HumeError] | None] = []
    for host in ("127.0.0.1", "elsewhere.example"):
        async with (
            FakeHume(tls=server_side(authority, host)) as fake,
            client_side(authority) as session,
            client_of(fake, session=session, retry=Retry(attempts=2)) as hume,
        ):
            things = furnish(fake)
            problem = await attempt(hume, KINDS[name], things, tmp_path / host)
            found.append(type(problem) if problem else None)
            assert problem is None or problem.attempts == 1
            assert (fake.requests == []) == (problem is not None or name == "socket")
    assert found == [None, TLSError]


async def test_a_name_that_is_looked_up_for_ever_ends_with_the_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def look_up(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up)
    async with HumeAI(api_key="key", base_url=NOWHERE, timeout=0.1) as hume:
        with pytest.raises(APITimeoutError) as caught:
            await hume.batch.start_job(text=["Hello."], models={"language": {}})
    assert not caught.value.outcome_unknown


REPEATS = Retry(attempts=2, initial_delay=0.001)
TO_NO_TLS = b"\x15\x03\x01\x00\x02\x02\x46"
"""What a server with TLS says to a request without: the version of that protocol is unknown."""


@pytest.mark.parametrize("name", KINDS)
async def test_a_server_with_tls_that_is_spoken_to_without_is_named(
    name: str, tmp_path: Path
) -> None:
    async with (
        RawServer(raw(TO_NO_TLS), reads_bodies=False) as server,
        HumeAI(api_key="key", base_url=server.url, retry=REPEATS) as hume,
    ):
        problem = await attempt(hume, KINDS[name], furnish(FakeHume()), tmp_path / "out")
    # What it says is no HTTP, which may hide anything.
    assert type(problem) is APIConnectionError
    assert "must begin with https://" in problem.message


@pytest.mark.parametrize("waits", [True, False])
async def test_a_call_whose_upload_is_cut_off_ends_after_its_content(waits: bool) -> None:
    closed = False

    async def content() -> AsyncGenerator[bytes]:
        nonlocal closed
        try:
            while True:
                yield bytes(1 << 16)
                await anyio.sleep(60 * waits)
        finally:
            closed = True

    async with (
        RawServer(raw(TO_NO_TLS), reads_bodies=False) as server,
        HumeAI(api_key="key", base_url=server.url, retry=Retry(attempts=1)) as hume,
    ):
        with pytest.raises(HumeError):
            await hume.batch.start_job(files=[Upload(content(), "a.wav")])
        assert closed
