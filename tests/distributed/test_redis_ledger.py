"""The ledger of many workers, on real servers: killed, frozen, emptied, and workers likewise."""

from __future__ import annotations

import asyncio
import importlib
import os
import secrets
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import distributed_support
import pytest
from bulk_support import search_quickly, submitted
from distributed_support import MODELS, make_client, sources_in, urls
from redis_servers import KINDS, Server, running

from humeai_async import ConfigurationError, LedgerError
from humeai_async._base.packages import load_package
from humeai_async.bulk.ledger_records import Draft, Plan
from humeai_async.bulk.options import BulkOptions
from humeai_async.bulk.states import WorkState
from humeai_async.bulk.work import local_ms
from humeai_async.distributed import RedisLedger, partitions, plan, work
from humeai_async.distributed.steps import SteppedLedger
from humeai_async.shared.connection import Connection, RedisUnavailableError
from humeai_async.testing import FakeHume

pytestmark = [pytest.mark.anyio, pytest.mark.server]


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    folder = tmp_path / "server"
    folder.mkdir()
    with running(request.param, folder) as started:
        yield started


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    search_quickly(monkeypatch)
    monkeypatch.setattr("humeai_async.distributed.redis_ledger.PATIENCE", 5.0)


@asynccontextmanager
async def holding(server: Server, *, since: int | None = None) -> AsyncGenerator[SteppedLedger]:
    """Take a partition, and hold it."""
    ledger = RedisLedger(server.url)
    async with ledger.connected() as connection:
        log = ledger.log(connection, "run", 7)
        yield await SteppedLedger.start(log, begun_since_ms=since)


async def take(url: str) -> None:
    ledger = RedisLedger(url)
    async with ledger.connected() as connection:
        await ledger.log(connection, "run", 0).take(b"first")


def draft(count: int = 2) -> Draft:
    keys = tuple(bytes([n]) * 12 for n in range(count))
    marks = tuple(bytes([n]) * 16 for n in range(count))
    return Draft(kind="urls", keys=keys, marks=marks, planned_ms=local_ms())


async def test_the_next_holder_goes_on_with_the_steps(server: Server) -> None:
    async with holding(server) as first:
        made = await plan_and_send(first)
        await first.submit(made.number, "job-1")
    async with holding(server) as second:
        found = await second.read_plan(made.number)
        assert (found.work_id, found.keys, found.sent_ms) == ("job-1", draft().keys, 5)
        assert {name for name, _ in await second.requests()} == {"job-1"}


async def plan_and_send(ledger: SteppedLedger, count: int = 2) -> Plan:
    made = await ledger.plan(draft(count))
    await ledger.send(made.number, 5)
    return made


@pytest.mark.parametrize("step", ["send", "finish"])
async def test_a_holder_that_was_overtaken_can_send_and_finish_nothing(
    step: str, server: Server
) -> None:
    async with holding(server) as first:
        made = await plan_and_send(first)
        async with holding(server) as second:
            with pytest.raises(LedgerError, match="another worker"):
                await (plan_and_send(first, 3) if step == "send" else first.finish())
            await second.send(made.number, None)
            await second.finish()


async def test_a_plan_that_was_never_sent_is_nothing_to_the_next_holder(server: Server) -> None:
    async with holding(server) as first:
        await first.plan(draft())
    async with holding(server, since=local_ms()) as second:
        assert await second.requests() == []
        assert (await second.plan(draft())).state is WorkState.PLANNED  # nothing was lost


async def test_steps_that_come_together_go_in_few_trips(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    trips = list[object]()
    run = Connection.run

    async def count(connection: Connection, *given: Any) -> Any:
        trips.append(given)
        return await run(connection, *given)

    monkeypatch.setattr(Connection, "run", count)
    async with holding(server) as ledger:
        plans = [await ledger.plan(draft(n)) for n in range(1, 11)]
        async with asyncio.TaskGroup() as tasks:
            for one in plans:
                tasks.create_task(ledger.send(one.number, 5))
    assert len(trips) == 2  # one to take it
    async with holding(server) as second:
        assert [(await second.read_plan(one.number)).sent_ms for one in plans] == [5] * 10


async def test_partitions_under_way_together_have_one_connection(server: Server) -> None:
    ledger = RedisLedger(server.url)
    async with ledger.connected() as first:
        async with ledger.connected() as second:
            assert second is first
        await ledger.log(first, "run", 7).take(b"first")  # it is still open
    async with ledger.connected() as third:
        assert third is not first


@pytest.mark.parametrize("lost", [1, 2])
async def test_steps_whose_response_was_lost_are_written_once(
    lost: int, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    trips, run = list[object](), Connection.run

    async def lose(connection: Connection, *given: Any) -> Any:
        trips.append(given)
        found = await run(connection, *given)
        if len(trips) == lost:
            raise RedisUnavailableError("the response was lost")
        return found

    monkeypatch.setattr(Connection, "run", lose)
    async with holding(server) as ledger:
        await plan_and_send(ledger)
    assert len(trips) == 3
    assert server.say("LLEN", "humeai_async:{run:7}:steps") == b":3\r\n"  # begin, plan, send


async def test_what_a_worker_began_and_the_server_lost_is_searched_for_first(
    server: Server,
) -> None:
    async with holding(server, since=local_ms()) as ledger:
        made = await ledger.plan(draft())
        assert made.state is WorkState.SENT
        await ledger.end_work(made.number, WorkState.ABANDONED)


async def test_what_the_server_lost_is_searched_for_by_every_holder_after_that(
    server: Server,
) -> None:
    async with holding(server) as ledger:
        for count in (2, 3):
            await plan_and_send(ledger, count)
    server.say("FLUSHALL")
    for count in (2, 3):  # the first one ends before it comes to the second piece
        async with holding(server, since=local_ms()) as ledger:
            assert (await ledger.plan(draft(count))).state is WorkState.SENT


async def test_a_holder_whose_server_lost_everything_is_refused(server: Server) -> None:
    async with holding(server) as ledger:
        await plan_and_send(ledger)
        server.kill()
        server.start()
        for _ in range(2):  # and so it is from then on
            with pytest.raises(LedgerError, match="lost it"):
                await plan_and_send(ledger, 3)


async def test_a_frozen_server_is_waited_for(server: Server) -> None:
    async with holding(server) as ledger:
        server.freeze()
        planning = asyncio.create_task(plan_and_send(ledger))
        await asyncio.sleep(0.3)
        assert not planning.done()
        server.thaw()
        made = await planning
    async with holding(server) as second:
        assert (await second.read_plan(made.number)).keys == draft().keys


async def test_a_server_that_is_gone_is_a_ledger_error(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("humeai_async.distributed.redis_ledger.PATIENCE", 0.3)
    async with holding(server) as ledger:
        server.kill()
        with pytest.raises(LedgerError, match=r"redis://127\.0\.0\.1"):
            await plan_and_send(ledger)


async def test_a_server_whose_memory_is_full_is_waited_for(server: Server) -> None:
    async with holding(server) as ledger:
        server.fill()
        planning = asyncio.create_task(plan_and_send(ledger))
        await asyncio.sleep(0.3)
        assert not planning.done()
        server.empty_out()
        made = await planning
    async with holding(server) as second:
        assert (await second.read_plan(made.number)).keys == draft().keys


async def test_a_server_that_stays_full_is_a_ledger_error_that_says_what_to_do(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("humeai_async.distributed.redis_ledger.PATIENCE", 0.3)
    server.fill()
    with pytest.raises(LedgerError, match=r"raise maxmemory or free some there.*start the run"):
        async with holding(server):
            pass


async def test_a_replica_that_takes_no_writes_is_waited_for(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("humeai_async.distributed.redis_ledger.PATIENCE", 0.3)
    folder = tmp_path / "replica"
    folder.mkdir()
    with running(server.kind, folder, "--replicaof", "127.0.0.1", str(server.port)) as replica:
        with pytest.raises(LedgerError, match="read only"):
            await take(replica.url)
        replica.say("REPLICAOF", "NO", "ONE")
        await take(replica.url)


async def test_what_was_sent_is_never_taken_for_not_sent_where_the_server_is_full_afterwards(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("humeai_async.distributed.redis_ledger.PATIENCE", 0.3)
    async with holding(server) as first:
        plans = [await first.plan(draft(count)) for count in (2, 3)]
        for one in plans:
            await first.send(one.number, 5)
        server.fill()
        for step in (
            first.submit(plans[0].number, "job-1"),
            first.end_work(plans[1].number, WorkState.REJECTED),
        ):
            with pytest.raises(LedgerError, match="maxmemory"):
                await step
    server.empty_out()
    async with holding(server) as second:
        for one in plans:
            found = await second.read_plan(one.number)
            assert (found.state, found.sent_ms) == (WorkState.SENT, 5)


@pytest.mark.parametrize("key", ["holder", "steps"])
async def test_a_holder_whose_keys_were_evicted_is_refused_and_the_next_one_searches(
    key: str, server: Server
) -> None:
    async with holding(server) as first:
        made = await plan_and_send(first)
        server.evict(f"humeai_async:{{run:7}}:{key}")
        with pytest.raises(LedgerError, match="lost it"):
            await plan_and_send(first, 3)
    has_steps = server.say("EXISTS", "humeai_async:{run:7}:steps") == b":1\r\n"
    async with holding(server, since=local_ms()) as second:
        if has_steps:
            assert (await second.read_plan(made.number)).state is WorkState.SENT
        else:
            assert (await second.plan(draft(4))).state is WorkState.SENT


@pytest.mark.slow
async def test_a_run_whose_ledger_is_full_or_loses_keys_all_the_time_doubles_nothing(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("humeai_async.distributed.redis_ledger.PATIENCE", 0.2)
    into, options = tmp_path / "run", BulkOptions(search_patience=0.5)
    refused = 0
    async with FakeHume() as fake, make_client(fake.url) as hume:
        await plan(into, urls(60), models=MODELS, partition_size=20, job_size=5)
        for round_ in range(30):
            for partition in await partitions(into):
                jobs = len(fake.jobs)
                working = asyncio.create_task(
                    work(partition, hume, ledger=RedisLedger(server.url), options=options)
                )
                while len(fake.jobs) <= jobs + round_ % 3 and not working.done():
                    await asyncio.sleep(0)
                if round_ < 6 and round_ % 2:
                    server.fill()
                elif round_ < 6:
                    server.evict(f"humeai_async:{{{partition.run}:{partition.number}}}:steps")
                await asyncio.wait([working])
                server.empty_out()
                refused += isinstance(working.exception(), LedgerError)
            if not await partitions(into):
                break
        assert set(submitted(fake).values()) == {1}
    assert refused
    assert sources_in(into) == dict.fromkeys(urls(60), 1)


async def test_jobs_that_the_server_lost_are_found_where_the_planner_had_its_clock_ahead(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    into, options = tmp_path / "run", BulkOptions(search_patience=0.1)
    with monkeypatch.context() as planner:
        ahead = local_ms() + 12 * 3600 * 1000
        module = importlib.import_module("humeai_async.distributed.plan")
        planner.setattr(module, "local_ms", lambda: ahead)
        await plan(into, urls(3), models=MODELS)
    (partition,) = await partitions(into)
    async with FakeHume() as fake, make_client(fake.url) as hume:
        cut = asyncio.create_task(work(partition, hume, ledger=RedisLedger(server.url)))
        while not fake.jobs:
            await asyncio.sleep(0)
        cut.cancel()
        await asyncio.wait([cut])
        server.say("FLUSHALL")
        await work(partition, hume, ledger=RedisLedger(server.url), options=options)
        assert submitted(fake) == dict.fromkeys(urls(3), 1)
    assert sources_in(into) == dict.fromkeys(urls(3), 1)


async def test_a_wrong_password_is_a_configuration_error_and_not_shown(tmp_path: Path) -> None:
    with running("redis", tmp_path, "--requirepass", "right") as server:
        for user in (":wr0ng@", ""):
            url = server.url.replace("redis://", f"redis://{user}")
            with pytest.raises(ConfigurationError) as caught:
                await take(url)
            assert "wr0ng" not in str(caught.value)


async def test_a_server_that_is_no_redis_is_a_configuration_error() -> None:
    async with FakeHume() as fake:
        with pytest.raises(ConfigurationError):
            await take(fake.url.replace("http://", "redis://"))


async def test_results_go_to_an_object_store(server: Server) -> None:
    into = f"memory://{secrets.token_hex(4)}"
    async with FakeHume() as fake, make_client(fake.url) as hume:
        await plan(into, urls(5), models=MODELS, partition_size=2)
        for partition in await partitions(into):
            await work(partition, hume, ledger=RedisLedger(server.url))
        assert set(submitted(fake).values()) == {1}
    names = (
        load_package("fsspec")
        .filesystem("memory")
        .glob(f"/{into.partition('://')[2]}/part-*.parquet")
    )
    assert len(names) == 3
    assert await partitions(into) == []


@pytest.mark.parametrize("begins_with_server", [True, False])
async def test_a_partition_goes_on_only_with_the_kind_of_ledger_that_it_was_begun_with(
    server: Server, tmp_path: Path, begins_with_server: bool
) -> None:
    into, given = tmp_path / "run", (RedisLedger(server.url), None)
    first, other = given if begins_with_server else given[::-1]
    await plan(into, urls(3), models=MODELS)
    (partition,) = await partitions(into)
    async with FakeHume() as fake, make_client(str(fake.url)) as hume:
        cut = asyncio.create_task(work(partition, hume, ledger=first))
        while not fake.jobs and not cut.done():
            await asyncio.sleep(0)
        cut.cancel()
        await asyncio.wait([cut])
        with pytest.raises(LedgerError, match="begun with"):
            await work(partition, hume, ledger=other)
        await work(partition, hume, ledger=first)
        assert submitted(fake) == dict.fromkeys(urls(3), 1)
    assert sources_in(into) == dict.fromkeys(urls(3), 1)


async def test_nothing_is_left_in_the_server_when_a_run_is_done(
    server: Server, tmp_path: Path
) -> None:
    async with FakeHume() as fake, make_client(fake.url) as hume:
        await plan(tmp_path / "run", urls(5), models=MODELS)
        (partition,) = await partitions(tmp_path / "run")
        await work(partition, hume, ledger=RedisLedger(server.url))
    assert server.say("DBSIZE") == b":0\r\n"


async def start_worker(into: Path, server: Server, fake: FakeHume) -> Process:
    program = distributed_support.__file__
    environment = os.environ | {"HUME_BASE_URL": fake.url, "PYTHONPATH": os.pathsep.join(sys.path)}
    return await asyncio.create_subprocess_exec(
        sys.executable, program, str(into), server.url,
        stderr=PIPE, env=environment,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
async def test_workers_killed_and_frozen_and_an_emptied_ledger_double_nothing(
    seed: int, server: Server, tmp_path: Path
) -> None:
    into = tmp_path / "run"
    options = BulkOptions(search_patience=0.5)
    async with FakeHume() as fake, make_client(fake.url) as hume:
        await plan(into, urls(120), models=MODELS, partition_size=30, job_size=5)
        # Two are killed at some job, with the ledger emptied after the second.
        for round_ in range(2):
            worker = await start_worker(into, server, fake)
            enough = len(fake.jobs) + 2 + seed + round_
            while len(fake.jobs) < enough and worker.returncode is None:
                await asyncio.sleep(0.001)
            worker.kill()
            await worker.wait()
        server.say("FLUSHALL")
        # One is frozen in the midst of a partition, which another takes, and comes back.
        frozen = await start_worker(into, server, fake)
        enough = len(fake.jobs) + 2
        while len(fake.jobs) < enough and frozen.returncode is None:
            await asyncio.sleep(0.001)
        if frozen.returncode is None:
            frozen.send_signal(signal.SIGSTOP)
        for partition in await partitions(into):
            await work(partition, hume, ledger=RedisLedger(server.url), options=options)
        if frozen.returncode is None:
            frozen.send_signal(signal.SIGCONT)
            await frozen.wait()
            frozen_said = await frozen.stderr.read() if frozen.stderr else b""
            assert not frozen_said or b"LedgerError" in frozen_said
        assert set(submitted(fake).values()) == {1}
    assert sources_in(into) == dict.fromkeys(urls(120), 1)
