"""The way to a server: whose certificates are trusted, and which proxies are used."""

from __future__ import annotations

import ssl
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest
import trustme
from proxyserver import ProxyServer, TlsFront
from rawserver import RawServer, answer

from humeai_async import (
    APIConnectionError,
    APIStatusError,
    ConfigurationError,
    HumeAI,
    HumeError,
    Pool,
    Retry,
)
from humeai_async.testing import FakeHume

pytestmark = pytest.mark.anyio

ONCE = Retry(attempts=1)
USER = "me:mar%2Fked"
USER_AS_SENT = "me:mar/ked"


async def chat(hume: HumeAI) -> None:
    async with hume.chat.connect(reconnect=False) as opened:
        await opened.send_text("hi")
        await anext(opened)


async def download(hume: HumeAI) -> None:
    with pytest.raises(APIStatusError, match="404"):  # there is no such job
        await hume.batch.job("job-1").save_artifacts("never-written.zip")


CALLS: dict[str, Callable[[HumeAI], Awaitable[Any]]] = {
    "call": lambda hume: hume.configs.list(),
    "download": download,
    "chat": chat,
}
"""A call by each of the transport's ways."""


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_side(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with authority.issue_cert(name).private_key_and_cert_chain_pem.tempfile() as path:
        context.load_cert_chain(path)
    return context


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())


def hume_at(url: str, fake: FakeHume, **pool: Any) -> HumeAI:
    return HumeAI(api_key=fake.api_key, base_url=url, pool=Pool(**pool), retry=ONCE)


async def refusal(call: Callable[[HumeAI], Awaitable[Any]], hume: HumeAI) -> str:
    """Return what a call says that never reached a server."""
    async with hume:
        with pytest.raises(APIConnectionError) as caught:
            await call(hume)
    assert not caught.value.outcome_unknown
    return str(caught.value)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_an_authority_that_nobody_knows_is_refused_and_the_remedy_named(
    call: Callable[[HumeAI], Awaitable[Any]], authority: trustme.CA
) -> None:
    async with FakeHume() as fake, TlsFront(fake.url, server_side(authority)) as front:
        said = await refusal(call, hume_at(front.url, fake))
        assert fake.requests == []
    assert "its certificate is refused" in said
    assert "Pool(ssl=ssl.create_default_context(cafile=...))" in said
    assert "SSL_CERT_FILE" in said


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_an_authority_of_ones_own_is_trusted_when_given(
    call: Callable[[HumeAI], Awaitable[Any]], authority: trustme.CA
) -> None:
    async with FakeHume() as fake, TlsFront(fake.url, server_side(authority)) as front:
        async with hume_at(front.url, fake, ssl=trusting(authority)) as hume:
            await call(hume)


async def test_a_certificate_of_another_host_is_refused(authority: trustme.CA) -> None:
    tls = server_side(authority, "other.example")
    async with FakeHume() as fake, TlsFront(fake.url, tls) as front:
        said = await refusal(CALLS["call"], hume_at(front.url, fake, ssl=trusting(authority)))
    assert "not valid for '127.0.0.1'" in said
    assert "cafile" not in said


CALL_WITH_TRUST_FROM_THE_ENVIRONMENT = """
import asyncio, sys
from humeai_async import HumeAI

async def main():
    async with HumeAI(api_key="k", base_url=sys.argv[1]) as hume:
        print((await hume.request("GET", "/v0/x")).status)

asyncio.run(main())
"""


@pytest.mark.slow
async def test_an_authority_is_taken_from_the_environment(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    async with RawServer(answer()) as server:
        async with TlsFront(server.url, server_side(authority)) as front:
            done = await anyio.run_process(
                [sys.executable, "-c", CALL_WITH_TRUST_FROM_THE_ENVIRONMENT, front.url],
                stderr=subprocess.STDOUT,
            )
    assert done.stdout == b"200\n"


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_a_proxy_passes_plain_calls_on(call: Callable[[HumeAI], Awaitable[Any]]) -> None:
    async with FakeHume() as fake, ProxyServer() as proxy:
        async with hume_at(fake.url, fake, proxy=proxy.url) as hume:
            await call(hume)
    assert f" {fake.url}/v0/" in proxy.heads[0]


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_a_proxy_tunnels_tls_and_sees_no_credential(
    call: Callable[[HumeAI], Awaitable[Any]], authority: trustme.CA
) -> None:
    async with (
        FakeHume() as fake,
        TlsFront(fake.url, server_side(authority)) as front,
        ProxyServer(user=USER_AS_SENT) as proxy,
    ):
        settings = {"ssl": trusting(authority), "proxy": proxy.url_for(USER)}
        async with hume_at(front.url, fake, **settings) as hume:
            await call(hume)
    assert [head.split(" ")[0] for head in proxy.heads] == ["CONNECT"]
    assert fake.api_key not in "".join(proxy.heads)


async def test_a_server_behind_a_proxy_is_verified_too(authority: trustme.CA) -> None:
    async with (
        FakeHume() as fake,
        TlsFront(fake.url, server_side(authority)) as front,
        ProxyServer() as proxy,
    ):
        said = await refusal(CALLS["call"], hume_at(front.url, fake, proxy=proxy.url))
        assert fake.requests == []
    assert "its certificate is refused" in said


@pytest.mark.parametrize("call", [CALLS["call"], CALLS["chat"]], ids=["call", "chat"])
async def test_a_proxy_that_refuses_the_user_is_named(
    call: Callable[[HumeAI], Awaitable[Any]], authority: trustme.CA
) -> None:
    async with FakeHume() as fake, TlsFront(fake.url, server_side(authority)) as front:
        async with ProxyServer(user="somebody:else") as proxy:
            said = await refusal(call, hume_at(front.url, fake, proxy=proxy.url_for(USER)))
    assert "the proxy did not let the call through: status 407" in said
    assert "ked" not in said


async def test_a_proxy_that_refuses_the_user_of_a_plain_call_is_named() -> None:
    async with FakeHume() as fake, ProxyServer(user="somebody:else") as proxy:
        async with hume_at(fake.url, fake, proxy=proxy.url_for(USER)) as hume:
            with pytest.raises(APIStatusError, match="407"):
                await hume.configs.list()


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_a_proxy_that_is_not_there_is_named(
    call: Callable[[HumeAI], Awaitable[Any]],
) -> None:
    async with ProxyServer() as proxy:
        url = proxy.url_for(USER)
    async with FakeHume() as fake:
        said = await refusal(call, hume_at(fake.url, fake, proxy=url))
    assert "could not connect to the proxy" in said
    assert "ked" not in said


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_a_proxy_is_taken_from_the_environment_where_asked_for(
    call: Callable[[HumeAI], Awaitable[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeHume() as fake, ProxyServer(user=USER_AS_SENT) as proxy:
        # Without a scheme, as it is often written.
        monkeypatch.setenv("http_proxy", proxy.url_for(USER).removeprefix("http://"))
        monkeypatch.delenv("no_proxy", raising=False)
        async with hume_at(fake.url, fake, trust_env=True) as hume:
            await call(hume)
        assert len(proxy.heads) >= 1
        passed = len(proxy.heads)
        async with hume_at(fake.url, fake) as hume:
            await call(hume)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        async with hume_at(fake.url, fake, trust_env=True) as hume:
            await call(hume)
    assert len(proxy.heads) == passed


@pytest.mark.parametrize("proxy", ["socks5://me:marked@127.0.0.1:1", "http://me:marked@"])
async def test_a_proxy_of_the_environment_that_cannot_be_used_is_named(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.delenv("no_proxy", raising=False)
    async with FakeHume() as fake, hume_at(fake.url, fake, trust_env=True) as hume:
        with pytest.raises(ConfigurationError, match="HTTP_PROXY must be a URL") as caught:
            await hume.configs.list()
    assert "ked" not in str(caught.value)


async def test_passwords_of_other_programs_are_not_sent_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login me password marked\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    async with RawServer(answer()) as server:
        for credential in ({"api_key": "k"}, {"access_token": "t"}):
            settings: dict[str, Any] = {**credential, "pool": Pool(trust_env=True)}
            async with HumeAI(base_url=server.url, **settings) as hume:
                await hume.request("GET", "/v0/x")
    assert "Authorization" not in server.heads[0]
    assert "Authorization: Bearer t" in server.heads[1]


async def test_a_borrowed_session_keeps_its_own_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    async with FakeHume() as fake, ProxyServer() as proxy:
        async with aiohttp.ClientSession(proxy=proxy.url) as session:
            pool = Pool(proxy="http://127.0.0.1:9")
            settings: dict[str, Any] = {"base_url": fake.url, "pool": pool, "session": session}
            async with HumeAI(api_key=fake.api_key, **settings) as hume:
                await hume.configs.list()
    assert len(proxy.heads) == 1


@pytest.mark.parametrize(
    "proxy", ["", "proxy:3128", "socks5://me:marked@a:1", "http://me:marked@", "http://a:x", 3128]
)
def test_a_proxy_is_a_url(proxy: Any) -> None:
    with pytest.raises(ConfigurationError, match="proxy must be a URL") as caught:
        Pool(proxy=proxy)
    assert "ked" not in str(caught.value)


@pytest.mark.parametrize("context", [True, False, "ca.pem"])
def test_how_servers_are_verified_is_a_context(context: Any) -> None:
    with pytest.raises(HumeError, match=r"ssl must be an ssl\.SSLContext, not"):
        Pool(ssl=context)


def test_a_pool_does_not_show_the_password_of_its_proxy() -> None:
    assert "ked" not in repr(Pool(proxy="http://me:marked@127.0.0.1:1"))
