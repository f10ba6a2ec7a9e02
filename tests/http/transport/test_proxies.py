"""Passwords of proxies: any characters work, and none is ever shown."""

from __future__ import annotations

import base64
import subprocess
import sys
from urllib.parse import quote

import pytest
from proxyserver import ProxyServer
from support import client_of

from humeai_async import HumeAI, Pool, Retry
from humeai_async._base.secret import Secret
from humeai_async.http.transport.proxies import Proxy
from humeai_async.testing import FakeHume

PASSWORDS = ["пар-marked", "p:a:marked", "p@/?#marked", "100%marked", "ma rked", "\u20acmarked", ""]


@pytest.mark.anyio
@pytest.mark.parametrize("password", PASSWORDS)
async def test_a_password_of_any_characters_is_sent_to_the_proxy(password: str) -> None:
    user = f"me:{password}"
    async with FakeHume() as fake, ProxyServer(user) as proxy:
        url = proxy.url_for(f"me:{quote(password, safe='')}")
        async with client_of(fake, pool=Pool(proxy=url)) as hume:
            await hume.configs.list()
            async with hume.chat.connect(reconnect=False) as chat:
                await chat.send_text("hi")
                await anext(chat)
    assert proxy.heads


def test_a_password_may_also_stand_in_the_url_as_it_is() -> None:
    as_it_is, escaped = (
        Proxy.read(Secret(f"http://me:{one}@h:1")) for one in ("пар", quote("пар"))
    )
    assert as_it_is.authorization is not None
    assert escaped.authorization is not None
    assert as_it_is.authorization.reveal() == escaped.authorization.reveal()


@pytest.mark.parametrize("password", PASSWORDS[:3])
def test_a_proxy_shows_no_password(password: str) -> None:
    shown = repr(Proxy.read(Secret(f"http://me:{quote(password, safe='')}@127.0.0.1:3128")))
    assert "marked" not in shown
    assert "http://127.0.0.1:3128" in shown


CUT_OFF = """
import asyncio, gc, logging, sys
from humeai_async import HumeAI, Pool

async def hang(reader, writer):
    await reader.readuntil(b"\\r\\n\\r\\n")
    arrived.set()

async def begin():
    global arrived, hume, call, server
    arrived = asyncio.Event()
    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    proxy = f"http://me:m4rk3d%D0%BF@127.0.0.1:{server.sockets[0].getsockname()[1]}"
    hume = HumeAI(api_key="k" * 20, base_url=sys.argv[1], pool=Pool(proxy=proxy))
    call = asyncio.ensure_future(hume.request("GET", "/v0/x"))
    await arrived.wait()

logging.basicConfig(level=logging.DEBUG)
loop = asyncio.new_event_loop()
loop.run_until_complete(begin())
loop.close()
del hume, call, server
gc.collect()
"""


@pytest.mark.slow
@pytest.mark.parametrize("url", ["http://hume.test", "https://hume.test"])
def test_an_event_loop_that_is_closed_with_a_call_open_warns_without_the_password(
    url: str,
) -> None:
    done = subprocess.run(  # noqa: S603 - our own
        [sys.executable, "-X", "dev", "-W", "always", "-c", CUT_OFF, url],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "ResourceWarning" in done.stderr
    assert "m4rk3d" not in done.stderr
    assert base64.b64encode("me:m4rk3dп".encode()).decode() not in done.stderr
    assert "NoEventLoopError" not in done.stderr  # nothing goes on without an event loop


@pytest.mark.anyio
async def test_a_proxy_that_fails_in_any_way_is_told_without_its_password() -> None:
    async with FakeHume() as fake, ProxyServer("somebody:else") as proxy:
        pool = Pool(proxy=proxy.url_for("me:m4rk3d"))
        for url in (fake.url, fake.url.replace("http:", "https:")):
            async with HumeAI(api_key="k", base_url=url, pool=pool, retry=Retry(attempts=1)) as h:
                with pytest.raises(Exception) as caught:  # noqa: PT011 - of any kind
                    await h.configs.list()
                assert "m4rk3d" not in repr(caught.value)
                assert "m4rk3d" not in str(caught.value.__cause__)
                assert caught.value.__context__ is None
