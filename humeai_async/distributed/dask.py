"""Runs on a Dask cluster: the driver. It and `dask_workers.py` alone know Dask.

Tasks carry the name of a partition and nothing else, for Dask logs the arguments of tasks that
fail. The driver submits a few partitions a thread at a time, and may die: the next start goes on.
"""

from __future__ import annotations

import pickle
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from humeai_async._base.cancellation import run_uncancelled
from humeai_async._base.frozen import frozen
from humeai_async._base.packages import load_package
from humeai_async._base.urls import without_queries
from humeai_async.bulk.options import BulkOptions
from humeai_async.distributed.collect import RunReport, collect
from humeai_async.distributed.dask_workers import WorkerClients, work_on_dask
from humeai_async.distributed.partition import Partition, partitions
from humeai_async.distributed.plan import RunPlan
from humeai_async.distributed.redis_ledger import RedisLedger
from humeai_async.distributed.results import PartitionReport
from humeai_async.distributed.retries import retry_failed as plan_failed
from humeai_async.distributed.store import IntoFolder
from humeai_async.errors import ConfigurationError, HumeError, MissingPackageError
from humeai_async.http.fatal_errors import is_fatal
from humeai_async.limiter.limiter import Limiter
from humeai_async.shared.quota import RedisQuota

PARTITIONS_AT_A_THREAD = 2
"""Partitions that are submitted for each thread of the cluster: one under way, one to follow."""
_REGISTRATIONS = 3
"""Times that workers are told of a run, where one of them goes away meanwhile."""
_GONE = "the scheduler has gone: start the run again with another cluster"


@frozen(kw_only=True)
class RunProgress:
    """How far a run over many workers is."""

    partitions: int
    partitions_done: int
    sources: int
    done: int
    """Sources that have their outcome, at this start and at earlier ones."""
    failed: int
    """Those of them that failed."""
    workers: int
    """Worker processes of the cluster."""


async def run_over(
    dask: Any,
    into: IntoFolder,
    planning: Callable[[], Awaitable[RunPlan]],
    *,
    ledger: RedisLedger | None = None,
    client: str,
    options: BulkOptions | None,
    partition_size: int,
    retry_failed: bool,
    budget: float | None = None,
    quota: RedisQuota | None,
    rate: float | None,
    on_progress: Callable[[RunProgress], None] | None,
) -> RunReport:
    """Plan a run, and have a cluster work on its partitions.

    Args:
        dask: The cluster's client.
        into: The run's folder.
        planning: Plans it, once all else is known to be right.
        ledger: Where all workers write down what they submit.
        client: Where workers find what makes their client.
        options: How it is done.
        partition_size: Sources in a partition of those that are tried again.
        retry_failed: Whether to do sources once more that failed at an earlier start.
        budget: What it may be billed over all workers and starts.
        quota: The quota that all workers share.
        rate: Calls a second of all workers together.
        on_progress: Called with how far the run is.
    """
    load_package("distributed")
    if not getattr(dask, "asynchronous", False):
        raise ConfigurationError(
            "a run over a cluster needs an asynchronous client: Client(address, asynchronous=True)"
        )
    _check_place(client)
    if ledger is not None:
        _check_picklable("ledger", ledger)
    if quota is not None or rate is not None:
        check_quota(quota, rate)
    BulkOptions.of(options)
    made = await planning()
    if retry_failed:
        await plan_failed(into, partition_size=partition_size)
    stands = await collect(into)
    # Of this start alone: another may be at work on the same run.
    name = f"humeai_async-{made.name}-{secrets.token_hex(4)}"
    driver = _Driver(dask, name, stands, on_progress)
    # Dask takes only plugins of its own class, which is not there in a base install.
    kind = type("DaskWorkerClients", (WorkerClients, load_package("distributed").WorkerPlugin), {})
    plugin: WorkerClients = kind(name, client, ledger, options, quota, rate, budget)
    await driver.register(plugin)
    try:
        problems = await driver.run(await partitions(into))
    finally:
        await run_uncancelled(driver.end(plugin))
    return await collect(into, problems=problems)


def check_quota(quota: RedisQuota | None, rate: float | None) -> None:
    """Check that a quota can be shared by workers.

    Raises:
        ConfigurationError: Rate or quota is missing, or it cannot be sent to them.
    """
    if quota is None:
        raise ConfigurationError("rate needs a quota that workers share: pass quota, too")
    Limiter(rate=rate, shared=quota)
    _check_picklable("quota", quota)


def _check_picklable(what: str, given: object) -> None:
    """Check that an argument can be sent to workers."""
    try:
        pickle.dumps(given)
    except (TypeError, AttributeError, pickle.PicklingError) as problem:
        reason = str(problem)
    else:
        return
    raise ConfigurationError(f"workers cannot have this {what}, make it with a URL: {reason}")


def _check_place(client: object) -> None:
    """Check that it names what makes a client: the client itself cannot go to workers."""
    parts = client.partition(":") if isinstance(client, str) else ("", "", "")
    if all(parts):
        return
    given = repr(client) if isinstance(client, str) else type(client).__name__
    raise ConfigurationError(
        "each worker makes a client of its own: pass client as the name of a function that "
        f'returns one, "module:function", not {given}'
    )


class _Driver:
    """Has a cluster work on the partitions of a run.

    Args:
        dask: The cluster's client.
        name: Name of this start of the run.
        stands: How the run stands at its start.
        on_progress: Called with how far it is.
    """

    def __init__(
        self,
        dask: Any,
        name: str,
        stands: RunReport,
        on_progress: Callable[[RunProgress], None] | None,
    ) -> None:
        self._dask = dask
        self._distributed = load_package("distributed")
        self._name = name
        self._stands = stands
        self._on_progress = on_progress
        self._under_way: dict[int, tuple[int, int]] = {}
        self._ended: set[int] = set()
        """Partitions that this start has done."""
        self._done = stands.arrived + stands.failed
        self._failed = stands.failed
        self._workers = 0

    async def register(self, plugin: WorkerClients) -> None:
        """Have every worker make its client, those that come later too."""
        reason = ""
        for _ in range(_REGISTRATIONS):
            try:
                await self._dask.register_plugin(plugin)
            except HumeError:
                raise
            except OSError as problem:  # a worker went away meanwhile; another may have come
                reason = f"{type(problem).__name__}: {problem}"
            except Exception as problem:  # noqa: BLE001 - whatever a worker raises
                reason = f"{type(problem).__name__}: {problem}"
                break
            else:
                reason = ""
                break
        if reason:
            raise ConfigurationError(
                f"the workers cannot run humeai_async: {reason}. Have them install it with the "
                'same extras as here, pip install "humeai_async[dask,redis]", on every worker'
            )
        self._dask.subscribe_topic(self._name, self._see)

    async def end(self, plugin: WorkerClients) -> None:
        """Have the workers close their clients."""
        try:
            self._dask.unsubscribe_topic(self._name)
            await self._dask.unregister_worker_plugin(plugin.name)
        except Exception:  # noqa: BLE001 - the scheduler may be gone, and the workers with it
            return

    async def run(self, todo: list[Partition]) -> dict[int, str]:
        """Work on partitions; returns why some are not done, by their numbers."""
        waiting = deque(todo)
        futures: dict[Any, int] = {}
        problems: dict[int, str] = {}
        self._report_progress()
        try:
            while waiting or futures:
                if not await self._progress(waiting, futures):
                    open_numbers = [*futures.values(), *(one.number for one in waiting)]
                    return problems | dict.fromkeys(open_numbers, _GONE)
                for future in [one for one in futures if one.status != "pending"]:
                    number = futures.pop(future)
                    problem = await self._see_end(future)
                    if problem:
                        problems[number] = problem
        finally:
            for future in futures:
                future.release()
        return problems

    async def _progress(self, waiting: deque[Partition], futures: dict[Any, int]) -> bool:
        """Submit what the cluster has room for and wait until one ends; false without a cluster."""
        if self._has_ended():
            return False
        try:
            threads = await self._threads()
            while waiting and len(futures) < max(1, PARTITIONS_AT_A_THREAD * threads):
                partition = waiting.popleft()
                futures[self._submit(partition)] = partition.number
            await self._distributed.wait(list(futures), timeout=None, return_when="FIRST_COMPLETED")
        except OSError:  # what Dask's errors of connections are
            return False
        except self._distributed.client.FuturesCancelledError:
            pass  # each future has its reason, or the client has ended
        return not self._has_ended()

    def _has_ended(self) -> bool:
        """Whether the client has given up on its scheduler."""
        return self._dask.status in {"closing", "closed"}

    def _submit(self, partition: Partition) -> Any:
        # Of this start alone: Dask keeps how tasks ended while anybody may ask.
        key = f"predict-{self._name[-8:]}-{partition.number:05}"
        return self._dask.submit(work_on_dask, partition, self._name, key=key, pure=False)

    async def _threads(self) -> int:
        found: Mapping[str, int] = await self._dask.nthreads()
        self._workers = len(found)
        return sum(found.values())

    async def _see_end(self, future: Any) -> str | None:
        """Take note of a partition's end; returns why it is not done, if it is not."""
        if future.status == "finished":
            report: PartitionReport = await future
            self._under_way.pop(report.number, None)
            if report.is_done:
                self._ended.add(report.number)
                self._done += report.arrived + report.failed
                self._failed += report.failed
                self._report_progress()
                return None
            return f"{report.left_open} sources are open: {next(iter(report.reasons), '')}"
        if future.status != "error":
            return "the scheduler has lost it"
        problem = await future.exception()
        is_fatal_here = isinstance(problem, HumeError) and is_fatal(problem)
        if is_fatal_here or isinstance(problem, MissingPackageError):
            raise problem  # every other partition would meet it too
        if isinstance(problem, self._distributed.KilledWorker):
            return "workers died while they worked on it"
        return without_queries(f"{type(problem).__name__}: {problem}")[:500]

    def _see(self, event: Any) -> None:
        """Take note of a worker's progress."""
        _, counts = event
        number, done, failed = counts
        if number not in self._ended:
            self._under_way[int(number)] = (int(done), int(failed))
            self._report_progress()

    def _report_progress(self) -> None:
        if self._on_progress is None:
            return
        # Of those that are done the sums alone: a run may have many thousands.
        before, under_way = self._stands, self._under_way.values()
        self._on_progress(
            RunProgress(
                partitions=before.partitions,
                partitions_done=before.done + len(self._ended),
                sources=before.sources,
                done=self._done + sum(done for done, _ in under_way),
                failed=self._failed + sum(failed for _, failed in under_way),
                workers=self._workers,
            )
        )
