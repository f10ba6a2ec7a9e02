"""One client for many workers: processes that import it, forked ones, threads with loops."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

import anyio.to_thread
import pytest
from backends import backend
from support import QUICK

from humeai_async import HumeAI
from humeai_async.testing import FakeHume

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

THREADS = 8

FORKS = """
import asyncio, os, sys
from humeai_async import HumeAI

hume = HumeAI()


async def ask() -> None:
    async with hume:
        await hume.configs.list(page_size=10)


children = []
for _ in range(3):
    if not (child := os.fork()):
        asyncio.run(ask())
        sys.exit(0)
    children.append(child)
asyncio.run(ask())
sys.exit(sum(os.waitpid(child, 0)[1] for child in children))
"""


async def test_each_worker_process_has_a_pool_of_its_own_behind_a_client_of_the_module(
    tmp_path: Path,
) -> None:
    async with FakeHume() as fake:
        config = fake.upstream.evi.configs.add({"name": "Front desk", "evi_version": "3"})
        options = ("--workers", "2")
        async with backend("fastapi", tmp_path, fake.url, *options, key=fake.api_key) as running:
            processes: set[int] = set()
            while len(processes) < 2:
                answers = [running.get(f"/process/{config['id']}") for _ in range(20)]
                for answer in await asyncio.gather(*answers):
                    assert answer.status == 200
                    processes.add(json.loads(answer.body)["process"])
            assert running.process.pid not in processes
            assert await running.stop(signal.SIGTERM) == 0


async def test_forked_workers_may_use_a_client_made_before_the_fork() -> None:
    async with FakeHume() as fake:
        settings = {"HUME_API_KEY": fake.api_key, "HUME_BASE_URL": fake.url}
        command = [sys.executable, "-W", "error::ResourceWarning", "-c", FORKS]
        done = await anyio.run_process(command, env=settings, check=False, stderr=subprocess.STDOUT)
        asked = fake.count(path="/v0/evi/configs", status=200)
    assert (done.returncode, done.stdout, asked) == (0, b"", 4)


async def test_threads_with_loops_of_their_own_share_a_client() -> None:
    asked, closed = threading.Barrier(THREADS + 1), threading.Event()
    async with FakeHume(run_seconds=0.01) as fake:
        hume = HumeAI(api_key=fake.api_key, base_url=fake.url, polling=QUICK)

        async def ask() -> None:
            await asyncio.gather(*[hume.configs.list(page_size=10) for _ in range(10)])
            job = await hume.batch.start_job(text=["Hello."], models={"language": {}})
            await job.wait(timeout=60)
            await asyncio.to_thread(asked.wait)  # all loops are at work at once
            await asyncio.to_thread(closed.wait)

        async with anyio.create_task_group() as group:
            for _ in range(THREADS):
                group.start_soon(anyio.to_thread.run_sync, lambda: asyncio.run(ask()))
            await asyncio.to_thread(asked.wait)
            await hume.aclose()
            while fake.connections_open:
                await asyncio.sleep(0.01)
            closed.set()
        assert fake.count(path="/v0/evi/configs", status=200) == THREADS * 10
        assert hume.stats.calls - hume.stats.failures == fake.count(status=200)
