"""What goes wrong with the server of a shared quota, on real servers: an outage, or an error."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import shared_quota
from redis_servers import KINDS, Server, delayed, free_port, running
from shared_quota import Member, most_in_a_second

from humeai_async import ConfigurationError, Limiter
from humeai_async._base.packages import load_package
from humeai_async.limiter.events import Alone, LimiterEvent
from humeai_async.shared import RedisQuota
from humeai_async.shared.connection import Connection, Script, hold_target

pytestmark = [pytest.mark.anyio, pytest.mark.server]
RATE = 200.0
KEY = "humeai_async:{default}::"
"""How the keys of the bucket without a name begin."""


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    with running(request.param, tmp_path) as started:
        yield started


async def go(limiter: Limiter, calls: int = 1, seconds: float = 3.0) -> None:
    async with asyncio.timeout(seconds):
        for _ in range(calls):
            (await limiter.acquire()).done(200)


def cluster_mode() -> list[str]:
    # Left out, the port of its bus is 10,000 higher, and may be none.
    return ["--cluster-enabled", "yes", "--cluster-port", str(free_port())]


async def say(url: str, *words: str) -> Any:
    client: Any = load_package("redis.asyncio").Redis.from_url(url)
    async with client:
        return await client.execute_command(*words)


async def test_scripts_that_the_server_has_forgotten_are_loaded_again(server: Server) -> None:
    async with RedisQuota(server.url) as quota:
        limiter = Limiter(rate=RATE, shared=quota)
        await go(limiter, 5)
        assert server.say("SCRIPT", "FLUSH") == b"+OK\r\n"
        await go(limiter, 20)
        assert limiter.snapshot().shared == "yes"


async def test_a_replica_that_takes_no_writes_is_an_outage(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "replica"
    folder.mkdir()
    with running(server.kind, folder, "--replicaof", "127.0.0.1", str(server.port)) as replica:
        async with RedisQuota(replica.url) as quota:
            limiter = Limiter(rate=RATE, shared=quota)
            await go(limiter, 3)
            assert limiter.snapshot().shared == "outage"
            replica.say("REPLICAOF", "NO", "ONE")
            async with asyncio.timeout(5):
                while limiter.snapshot().shared == "outage":
                    await go(limiter)


async def test_a_server_that_is_far_away_costs_no_pace_and_no_overrun(server: Server) -> None:
    async with delayed(server, 0.02) as url, RedisQuota(url) as one, RedisQuota(url) as other:
        fleet = [Member(quota, RATE) for quota in (one, other)]
        began = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            for member in fleet * 4:
                tasks.create_task(member.work(began + 2.0))
        assert {member.limiter.snapshot().shared for member in fleet} == {"yes"}
    # A process that is held up may make its calls 50 ms late, beside those of the next second.
    assert most_in_a_second(fleet, since=began + 0.5) <= 1.1 * RATE
    assert sum(len(member.went) for member in fleet) > 0.6 * 2 * RATE


async def test_a_server_that_is_too_slow_is_an_outage_and_holds_nobody(server: Server) -> None:
    async with delayed(server, 0.4) as url, RedisQuota(url) as quota:
        limiter = Limiter(rate=RATE, shared=quota)
        await go(limiter, 5, seconds=4.0)
        assert limiter.snapshot().shared == "outage"


async def test_a_server_whose_memory_is_full_is_an_outage_that_says_what_to_do(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    async with RedisQuota(server.url) as quota:
        limiter = Limiter(rate=RATE, shared=quota)
        await go(limiter, 5)
        server.fill()
        await asyncio.sleep(0.1)  # what was in hand is gone
        await go(limiter, 5)
        assert limiter.snapshot().shared == "outage"
        assert caplog.text.count("raise maxmemory or free some there") == 1
        assert [one.name for one in await quota.state()] == [""]
        server.empty_out()
        async with asyncio.timeout(5):
            while limiter.snapshot().shared == "outage":
                await go(limiter)


async def test_a_server_that_is_full_from_the_start_holds_a_fleet_to_a_part_of_its_rate(
    server: Server,
) -> None:
    server.fill()
    async with RedisQuota(server.url) as one, RedisQuota(server.url) as other:
        fleet = [Member(one, RATE), Member(other, RATE)]
        async with asyncio.TaskGroup() as tasks:
            for member in fleet:
                tasks.create_task(member.work(time.monotonic() + 2.0))
    assert fleet[0].went
    assert most_in_a_second(fleet) <= 2 * RATE / 16 * 1.2


@pytest.mark.parametrize("key", ["line", "members", "rates", "shares"])
async def test_a_key_that_is_evicted_holds_nobody_and_brings_no_burst(
    key: str, server: Server
) -> None:
    async with RedisQuota(server.url) as one, RedisQuota(server.url) as other:
        fleet = [Member(one, RATE), Member(other, RATE)]
        began = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            for member in fleet:
                tasks.create_task(member.work(began + 1.8))
            await asyncio.sleep(0.8)
            await asyncio.to_thread(server.evict, f"{KEY}{key}")
        assert {member.limiter.snapshot().shared for member in fleet} == {"yes"}
    times = sorted(at - began for member in fleet for at in member.went)
    assert max(times) > 1.6
    # Over the whole time: a machine that stands still for a moment has the rest of it in a bunch.
    assert len(times) <= 1.1 * RATE * max(times)


async def test_a_server_that_still_loads_its_data_is_an_outage(tmp_path: Path) -> None:
    slow = ("--key-load-delay", "20000", "--loading-process-events-interval-bytes", "1024")
    with running("redis", tmp_path) as server:
        for n in range(0, 1000, 10):
            server.say("MSET", *(word for m in range(n, n + 10) for word in (f"k{m}", "x" * 100)))
        server.say("SAVE")
    with running("redis", tmp_path, *slow) as server:
        assert server.say("GET", "k1").startswith(b"-LOADING")
        async with RedisQuota(server.url) as quota:
            limiter = Limiter(rate=RATE, shared=quota)
            await go(limiter, 3)
            assert limiter.snapshot().shared == "outage"


async def test_keys_that_are_evicted_or_flushed_bring_no_burst(server: Server) -> None:
    async with RedisQuota(server.url) as one, RedisQuota(server.url) as other:
        fleet = [Member(one, RATE), Member(other, RATE)]
        began = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            for member in fleet:
                tasks.create_task(member.work(began + 2.5))
            for _ in range(3):
                await asyncio.sleep(0.5)
                server.say("FLUSHALL")
    # At each flush, everybody's turn and what may go at once after a rest.
    assert most_in_a_second(fleet, since=began + 0.3) <= 1.3 * RATE


async def test_a_clock_that_was_set_holds_nobody(server: Server) -> None:
    async with RedisQuota(server.url) as quota:
        limiter = Limiter(rate=RATE, shared=quota)
        await go(limiter)
        ahead = str(time.time() + 3600)
        server.say("SET", f"{KEY}line", ahead)
        server.say("HSET", f"{KEY}gate", "until", ahead, "probing", ahead, "prober", "another")
        await go(limiter, 5, seconds=2.0)


@pytest.fixture
async def tls_server(tmp_path: Path) -> AsyncIterator[tuple[Server, str]]:
    """Give a server with a password, and a URL of its port with TLS."""
    trustme = pytest.importorskip("trustme", reason="comes with the extra test")
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with running("redis", tmp_path, "--requirepass", "s3cret") as plain:
        tls_port = str(free_port())
        settings = {"tls-cert-file": "cert.pem", "tls-key-file": "key.pem"}
        settings |= {"tls-ca-cert-file": "ca.pem", "tls-auth-clients": "no", "tls-port": tls_port}
        words = [
            word
            for name, value in settings.items()
            for word in (name, str(tmp_path / value) if value.endswith(".pem") else value)
        ]
        assert await say(plain.url.replace("//", "//:s3cret@"), "CONFIG", "SET", *words)
        yield plain, f"rediss://:s3cret@127.0.0.1:{tls_port}/0"


async def test_a_password_over_tls_works_and_shows_nowhere(
    tls_server: tuple[Server, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server, url = tls_server
    async with RedisQuota(f"{url}?ssl_ca_certs={tmp_path / 'ca.pem'}") as quota:
        limiter = Limiter(rate=RATE, shared=quota)
        await go(limiter, 5)
        assert limiter.snapshot().shared == "yes"
        server.kill()
        await go(limiter, 5)
        assert "s3cret" not in repr(quota)
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize("given", ["", "?ssl_ca_certs=/nowhere/ca.pem"])
async def test_a_certificate_that_cannot_be_checked_is_a_configuration_error(
    given: str, tls_server: tuple[Server, str]
) -> None:
    _, url = tls_server
    async with RedisQuota(f"{url}{given}") as quota:
        with pytest.raises(ConfigurationError, match="give ssl_ca_certs"):
            await go(Limiter(rate=RATE, shared=quota))


async def test_another_version_of_the_scripts_is_logged_once(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    async with RedisQuota(server.url) as quota:
        limiter = Limiter(rate=RATE, shared=quota)
        server.say("ZADD", f"{KEY}rates", str(time.time()), "500.000000 0ther")
        await go(limiter, 30)
    assert caplog.text.count("0ther") == 1


async def test_two_declared_rates_are_logged_and_the_lowest_holds(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    async with RedisQuota(server.url) as one, RedisQuota(server.url) as other:
        await go(Limiter(rate=20, shared=one))
        limiter = Limiter(rate=500, shared=other)
        await go(limiter, 10)
        assert (await one.state())[0].rate == pytest.approx(19.8)
    assert "another process declares 19.8" in caplog.text


async def test_a_cluster_keeps_a_quota_on_one_node(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with running("redis", tmp_path, *cluster_mode()) as server:
        assert server.say("CLUSTER", "ADDSLOTSRANGE", "0", "16383") == b"+OK\r\n"
        async with asyncio.timeout(10):
            while b"cluster_state:ok" not in server.say("CLUSTER", "INFO"):
                await asyncio.sleep(0.05)
        cluster: Any = load_package("redis.asyncio").RedisCluster.from_url(server.url)
        for target in (server.url, cluster):
            async with RedisQuota(target, "fleet") as quota:
                limiter = Limiter(rate=RATE, shared=quota)
                await go(limiter, 5)
                assert limiter.snapshot().shared == "yes"
                assert [one.name for one in await quota.state()] == [""]
                await asyncio.sleep(0.1)
        assert "nobody listens" not in caplog.text
        await cluster.aclose()
        connection = Connection(hold_target(server.url), timeout=1.0)
        with pytest.raises(ConfigurationError, match="CROSSSLOT"):
            await connection.run(Script("return redis.call('GET', KEYS[1])"), ["a", "b"], ())
        await connection.aclose()


async def test_one_node_of_a_cluster_in_place_of_all_is_a_configuration_error(
    tmp_path: Path,
) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    with (
        running("redis", tmp_path / "one", *cluster_mode()) as one,
        running("redis", tmp_path / "other", *cluster_mode()) as other,
    ):
        one.say("CLUSTER", "ADDSLOTSRANGE", "0", "8191")
        other.say("CLUSTER", "ADDSLOTSRANGE", "8192", "16383")
        one.say("CLUSTER", "MEET", "127.0.0.1", str(other.port), other.arguments[-1])
        async with asyncio.timeout(20):
            for node in (one, other):
                while b"cluster_state:ok" not in node.say("CLUSTER", "INFO"):
                    await asyncio.sleep(0.05)
        problems: list[str] = []
        for node in (one, other):
            async with RedisQuota(node.url) as quota:
                try:
                    await go(Limiter(rate=RATE, shared=quota))
                except ConfigurationError as problem:
                    problems.append(str(problem))
    assert len(problems) == 1
    assert "RedisCluster" in problems[0]


async def test_what_nobody_foresaw_is_an_outage_too(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: object) -> None:
        raise LookupError("no such thing")

    async with RedisQuota(server.url) as quota:
        limiter = Limiter(rate=RATE, shared=quota)
        with monkeypatch.context() as patched:
            patched.setattr(Connection, "run", fail)
            await go(limiter, 2)
        assert limiter.snapshot().shared == "outage"
        assert "no such thing" in caplog.text
        async with asyncio.timeout(5):
            while limiter.snapshot().shared == "outage":
                await go(limiter)


async def test_an_event_loop_that_was_held_up_is_no_outage(server: Server) -> None:
    told: list[LimiterEvent] = []
    async with RedisQuota(server.url) as quota:
        limiter = Limiter(rate=RATE, shared=quota, on_event=told.append)
        await go(limiter)
        for turns in range(1, 6):
            await asyncio.sleep(0.1)  # what was in hand is gone
            call = asyncio.create_task(go(limiter))
            for _ in range(turns):  # in one of them the request is on its way
                await asyncio.sleep(0)
            time.sleep(0.4)  # noqa: ASYNC251 - what is tested
            await call
    assert not [one for one in told if isinstance(one, Alone)]


@pytest.mark.slow
async def test_a_process_that_is_killed_costs_its_turn_and_no_more(server: Server) -> None:
    command = [sys.executable, shared_quota.__file__, server.url, str(RATE), "30"]
    others = [subprocess.Popen(command) for _ in range(2)]  # noqa: S603, ASYNC220 - this program
    try:
        async with RedisQuota(server.url) as quota:
            member = Member(quota, RATE)
            async with asyncio.timeout(20):
                while member.limiter.snapshot().members < 3:
                    await member.work(time.monotonic() + 0.2)
            for one in others:
                os.kill(one.pid, signal.SIGKILL)
            killed = time.monotonic()
            async with asyncio.TaskGroup() as tasks:
                for _ in range(4):
                    tasks.create_task(member.work(killed + 2.0))
            after = [at for at in member.went if at > killed + 0.5]
            assert len(after) > 0.85 * 1.5 * RATE
            assert most_in_a_second([member]) <= 1.05 * RATE
    finally:
        for one in others:
            one.kill()
            one.wait()
