"""A Dask cluster that fails as a whole: its scheduler dies, or its workers lack the package."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import pytest
from bulk_support import submitted
from distributed_support import MODELS, OPTIONS, sources_in, urls
from redis_servers import Server, running

from humeai_async import ConfigurationError, HumeAI
from humeai_async._base.packages import load_package
from humeai_async.distributed import RedisLedger, predict_over
from humeai_async.testing import FakeHume

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.server,
    pytest.mark.filterwarnings("ignore"),  # Dask's own, of which there are many
]
CLIENT = "distributed_support:make_client"
WITHOUT_PACKAGE = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "humeai_async":
            raise ModuleNotFoundError(f"No module named {name!r}")

sys.meta_path.insert(0, Missing())
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running("redis", tmp_path) as started:
        yield started


async def start(module: str, *words: str, **environment: str) -> Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"distributed.cli.{module}", *words),
        stdout=DEVNULL, stderr=DEVNULL,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | environment,
    )  # fmt: skip


@contextlib.asynccontextmanager
async def cluster(folder: Path, **environment: str) -> AsyncGenerator[tuple[Any, Process]]:
    """Start a scheduler and one worker; give the client and the scheduler's process."""
    listed = folder / "scheduler.json"
    listed.unlink(missing_ok=True)
    place = ("--scheduler-file", str(listed), "--no-dashboard")
    scheduler = await start("dask_scheduler", "--port", "0", "--host", "127.0.0.1", *place)
    worker = await start("dask_worker", *place, "--no-nanny", "--nthreads", "1", **environment)
    try:
        async with asyncio.timeout(30):
            while not listed.exists():
                await asyncio.sleep(0.05)
        kind = load_package("distributed").Client
        async with kind(scheduler_file=str(listed), asynchronous=True, timeout=5) as dask:
            await dask.wait_for_workers(1, timeout=30)
            yield dask, scheduler
    finally:
        for process in (worker, scheduler):
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


@pytest.mark.slow
async def test_a_scheduler_that_dies_leaves_partitions_to_the_next_start(
    server: Server, tmp_path: Path
) -> None:
    into = tmp_path / "run"
    given: dict[str, Any] = {
        "models": MODELS, "ledger": RedisLedger(server.url), "client": CLIENT,
        "options": OPTIONS, "partition_size": 10,
    }  # fmt: skip
    async with FakeHume() as fake:
        async with cluster(tmp_path, HUME_BASE_URL=fake.url) as (dask, scheduler):
            run = asyncio.create_task(predict_over(dask, into, urls(60), **given))
            while len(fake.jobs) < 2:
                await asyncio.sleep(0.01)
            scheduler.kill()
            async with asyncio.timeout(60):
                report = await run
        assert report.done < report.partitions
        reasons = {reason.partition(":")[0] for reason in report.problems.values()}
        assert reasons <= {"the scheduler has gone", "the scheduler has lost it"}
        assert len(report.problems) == report.partitions - report.done
        async with cluster(tmp_path, HUME_BASE_URL=fake.url) as (dask, _):
            report = await predict_over(dask, into, urls(60), **given)
        assert (report.arrived, report.problems) == (60, {})
        assert set(submitted(fake).values()) == {1}
    assert sources_in(into) == dict.fromkeys(urls(60), 1)


@pytest.mark.slow
async def test_workers_without_the_package_are_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_PACKAGE)
    places = os.pathsep.join([str(tmp_path), *sys.path])
    async with cluster(tmp_path, PYTHONPATH=places) as (dask, _):
        with pytest.raises(ConfigurationError, match=r"install.*on every worker"):
            async with asyncio.timeout(30):
                await predict_over(dask, tmp_path / "run", urls(3), models=MODELS, client=CLIENT)


class NoCluster:
    """Stands for the client of a cluster that is never reached."""

    asynchronous = True


async def test_a_client_that_cannot_go_to_workers_is_refused_before_anything_is_planned(
    tmp_path: Path,
) -> None:
    hume = HumeAI(api_key="fake-hume-key")
    for client in (hume, lambda: hume, "humeai_async", ":HumeAI", "humeai_async:"):
        given: Any = client
        with pytest.raises(ConfigurationError, match="module:function"):
            await predict_over(NoCluster(), tmp_path / "run", urls(3), models=MODELS, client=given)
    assert not (tmp_path / "run").exists()
    await hume.aclose()


async def test_a_ledger_that_cannot_go_to_workers_is_refused_before_anything_is_planned(
    tmp_path: Path,
) -> None:
    ledger = RedisLedger(load_package("redis.asyncio").Redis())
    with pytest.raises(ConfigurationError, match="make it with a URL"):
        await predict_over(
            NoCluster(), tmp_path / "run", urls(3), models=MODELS, ledger=ledger, client=CLIENT
        )
    assert not (tmp_path / "run").exists()
