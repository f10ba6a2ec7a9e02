"""Workers of a Dask cluster in this process: what one does with its partitions and its client."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from bulk_support import submitted
from distributed_support import MODELS, sources_in, urls

from humeai_async import ConfigurationError
from humeai_async._base.packages import load_package
from humeai_async.bulk.options import BulkOptions
from humeai_async.distributed import RunProgress, partitions, plan, predict_over
from humeai_async.distributed.dask_workers import WorkerClients
from humeai_async.testing import FakeHume, Fault

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.server,  # Dask is in the extra
    pytest.mark.filterwarnings("ignore"),  # Dask's own, of which there are many
]
CLIENT = "distributed_support:make_client"
OPTIONS = BulkOptions(search_patience=0.1, outage_patience=0.1)


@pytest.fixture
async def fake(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeHume]:
    async with FakeHume() as started:
        monkeypatch.setenv("HUME_BASE_URL", started.url)
        yield started


@pytest.fixture
async def dask(fake: FakeHume) -> AsyncIterator[Any]:
    distributed = load_package("distributed")
    del fake  # the workers' client finds it by the environment
    async with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None,
        asynchronous=True,
    ) as cluster:  # fmt: skip
        async with distributed.Client(cluster, asynchronous=True) as client:
            yield client


async def test_a_partition_with_sources_left_open_is_named_and_the_next_start_goes_on(
    dask: Any, fake: FakeHume, tmp_path: Path
) -> None:
    fake.faults.add(Fault("close", times=None))
    given: dict[str, Any] = {"models": MODELS, "client": CLIENT, "options": OPTIONS}
    report = await predict_over(dask, tmp_path, urls(3), **given)
    assert (report.done, report.left_open) == (0, 3)
    assert report.problems[0].startswith("3 sources are open: ")
    fake.faults.clear()
    told: list[RunProgress] = []
    report = await predict_over(dask, tmp_path, urls(3), **given, on_progress=told.append)
    assert (report.arrived, report.problems) == (3, {})
    assert (told[-1].partitions_done, told[-1].done) == (1, 3)
    assert sources_in(tmp_path) == dict.fromkeys(urls(3), 1)
    assert set(submitted(fake).values()) == {1}


async def test_an_error_of_a_worker_is_named_and_its_partition_stays_open(
    dask: Any, tmp_path: Path
) -> None:
    broken = "distributed_support:make_no_client"
    report = await predict_over(dask, tmp_path, urls(3), models=MODELS, client=broken)
    assert report.problems == {0: "ZeroDivisionError: no client"}
    assert report.left_open == 3


async def test_a_client_that_is_closed_is_a_configuration_error(dask: Any, tmp_path: Path) -> None:
    await dask.close()
    with pytest.raises(ConfigurationError):
        await predict_over(dask, tmp_path, urls(3), models=MODELS, client=CLIENT)


async def test_a_worker_that_goes_away_while_a_run_begins_does_not_end_it(
    dask: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register = dask.register_plugin

    async def lose_a_worker(plugin: WorkerClients) -> None:
        await register(plugin)
        monkeypatch.setattr(dask, "register_plugin", register)
        raise load_package("distributed").comm.CommClosedError("Stream is closed")

    monkeypatch.setattr(dask, "register_plugin", lose_a_worker)
    report = await predict_over(dask, tmp_path, urls(3), models=MODELS, client=CLIENT)
    assert (report.arrived, report.problems) == (3, {})


class Worker:
    """Takes the place of Dask's own worker."""

    loop: Any = None


async def test_a_run_that_has_ended_leaves_nothing_on_a_worker_and_takes_no_further_partition(
    fake: FakeHume, tmp_path: Path
) -> None:
    await plan(tmp_path, urls(1), models=MODELS)
    (partition,) = await partitions(tmp_path)
    clients = WorkerClients("run of a test", CLIENT, None, OPTIONS)
    clients.setup(Worker())
    (thread,) = (one for one in threading.enumerate() if one.name == "run of a test")
    loop = vars(clients)["_loop"]
    for _ in range(2):
        await clients.teardown(Worker())
    assert not thread.is_alive()
    assert loop.is_closed()  # a worker outlives many runs
    with pytest.raises(ConfigurationError, match="run has ended"):
        await asyncio.to_thread(clients.work, partition)
    assert fake.requests == []
