"""Workers of a Dask cluster.

Each worker process has one event loop in a thread of its own, with one client for all partitions
that it is given; a task is a plain function that waits for that loop.
"""

from __future__ import annotations

import asyncio
import importlib
import threading
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from humeai_async._base.packages import load_package
from humeai_async.bulk.options import BulkOptions
from humeai_async.distributed.partition import Partition, work
from humeai_async.distributed.redis_ledger import RedisLedger
from humeai_async.distributed.results import PartitionProgress, PartitionReport
from humeai_async.errors import ConfigurationError
from humeai_async.limiter.limiter import Limiter
from humeai_async.shared.quota import RedisQuota

if TYPE_CHECKING:
    from humeai_async.client import HumeAI

LONGEST_END = 60.0
"""Seconds that the end of a run waits for what is under way on a worker, at most."""


class WorkerClients:
    """A worker's event loop and its one client; a plugin of Dask workers.

    Args:
        name: Name of this start of the run.
        client: Where to find what makes the client, as `"module:function"`.
        ledger: Where all workers write down what they submit.
        options: How partitions are worked on.
        quota: The quota that all workers share.
        rate: Calls a second of all workers together.
        budget: What the run may be billed over all workers and starts.
    """

    def __init__(
        self,
        name: str,
        client: str,
        ledger: RedisLedger | None,
        options: BulkOptions | None,
        quota: RedisQuota | None = None,
        rate: float | None = None,
        budget: float | None = None,
    ) -> None:
        self.name = name
        self._client = client
        self._ledger = ledger
        self._options = options
        self._quota = quota
        self._rate = rate
        self._budget = budget
        self._hume: HumeAI | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended = asyncio.Event()
        self._running: set[asyncio.Task[Any]] = set()
        """Partitions under way, without the tasks that they have started."""
        self._thread: threading.Thread | None = None
        self._worker: Any = None

    def __reduce__(self) -> tuple[Any, ...]:
        # What workers make for themselves stays there.
        given = (self._client, self._ledger, self._options, self._quota, self._rate, self._budget)
        return type(self), (self.name, *given)

    def setup(self, worker: Any) -> None:
        """Start the event loop of a worker."""
        self._worker = worker
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._serve, args=(self._loop,), name=self.name, daemon=True
        )
        self._thread.start()

    async def teardown(self, worker: Any) -> None:
        """Close the client and the event loop of a worker.

        Waits for requests under way that may be paid for: the process may end after this.
        """
        del worker
        loop, self._loop = self._loop, None
        if loop is not None and self._thread is not None:
            loop.call_soon_threadsafe(self._ended.set)
            await asyncio.to_thread(self._thread.join, LONGEST_END)  # this is Dask's own loop

    def work(self, partition: Partition) -> PartitionReport:
        """Work on a partition, and wait for its end."""
        return self._wait(self._work(partition))

    def _wait(self, work: Coroutine[Any, Any, PartitionReport]) -> PartitionReport:
        loop = self._loop
        if loop is None:
            work.close()
            raise ConfigurationError("the run has ended on this worker")
        return asyncio.run_coroutine_threadsafe(work, loop).result()

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run the event loop until the end of the run; no socket of it is left."""
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(self._serve_until_ended())

    async def _work(self, partition: Partition) -> PartitionReport:
        if self._hume is None:
            self._hume = _make_client(self._client, self._quota, self._rate)
        working = work(
            partition,
            self._hume,
            ledger=self._ledger,
            options=self._options,
            budget=self._budget,
            on_progress=self._report_progress,
        )
        task = asyncio.create_task(working)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await task

    def _report_progress(self, progress: PartitionProgress) -> None:
        counts = (progress.number, progress.done, progress.failed)
        self._worker.loop.add_callback(self._worker.log_event, self.name, counts)

    async def _serve_until_ended(self) -> None:
        async with AsyncExitStack() as stack:
            if self._ledger is not None:  # one connection for all partitions
                await stack.enter_async_context(self._ledger.connected())
            await self._ended.wait()
            await self._end()

    async def _end(self) -> None:
        running = tuple(self._running)
        for one in running:
            one.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        if self._hume is not None:
            await self._hume.aclose()
        if self._quota is not None:
            await self._quota.aclose()


def work_on_dask(partition: Partition, name: str) -> PartitionReport:
    """Work on a partition in a task of Dask, with the client of a start."""
    clients = load_package("distributed").get_worker().plugins.get(name)
    if not isinstance(clients, WorkerClients):
        raise ConfigurationError("the run has ended on this worker")
    return clients.work(partition)


def _make_client(place: str, quota: RedisQuota | None, rate: float | None) -> HumeAI:
    """Call what makes a worker's client."""
    module, _, name = place.partition(":")
    try:
        make = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as problem:
        reason = str(problem)
    else:
        shared = {} if quota is None else {"limiter": Limiter(rate=rate, shared=quota)}
        made: HumeAI = make(**shared)
        return made
    raise ConfigurationError(f"a worker cannot make a client by {place!r}: {reason}")
