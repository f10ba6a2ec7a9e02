"""Runs over several workers: each promise beside its number, and the machine's load.

    python -m benchmarks.distributed [--full] [--only bulk]

starts a redis-server on a free port and a Dask cluster of four worker processes:

- `import`: modules of the extras that a base import brings;
- `bulk`: sources a second and CPU a source of four workers, beside the same run by one process;
  what planning, collecting and the engine take for a partition of 1,000 sources;
- `quota`: a run under a quota that nobody declared, each worker learning alone and all sharing;
- `killed`: a run of which a worker is killed, beside the same run without;
- `crash`, with `--full`: the whole cluster lost twice, the ledger emptied, then a worker killed and
  one frozen that comes back; with three seeds.

Needs the extras `redis` and `dask` and the program `redis-server`; under a minute, with `--full`
some minutes. Seconds say little on a busy machine: look at the load.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import logging
import os
import random
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Collection
from pathlib import Path
from typing import Any

from benchmarks.bulk import MODELS, client, predict_to_parquet, urls
from benchmarks.canned import canned_server
from benchmarks.fleet import Redis, show
from benchmarks.measuring import Spent, Stopwatch, fresh
from humeai_async import HumeAI, Limiter, Polling, Retry
from humeai_async.bulk.options import BulkOptions
from humeai_async.distributed import RedisLedger, RunReport, collect, plan, predict_over
from humeai_async.distributed.dask import PARTITIONS_AT_A_THREAD, RunProgress
from humeai_async.shared import RedisQuota
from humeai_async.testing import FakeHume, Quota

WORKERS = 4
SHORT = ("import", "bulk", "quota", "killed")
"""What the short form runs."""
EXTRAS = frozenset({"redis", "dask", "distributed", "fsspec", "pyarrow"})


def make_client(limiter: Limiter | None = None) -> HumeAI:
    """Build a worker's client, of which the limiter never makes anybody wait."""
    del limiter
    return client(os.environ["HUME_BASE_URL"])


def make_paced_client(limiter: Limiter | None = None) -> HumeAI:
    """Build a worker's client that learns the quota, alone or with others."""
    return HumeAI(
        api_key="fake-hume-key",
        polling=Polling(min_interval=0.05, max_interval=0.2),
        retry=Retry(initial_delay=0.05),
        limiter=limiter or Limiter(),
    )


def cpu_seconds() -> float:
    """Return the CPU time of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def do_nothing(number: int) -> int:
    """Be a task of the engine."""
    return number


def set_address(url: str) -> None:
    os.environ["HUME_BASE_URL"] = url


async def point_to(dask: Any, url: str) -> None:
    """Have workers find their service there, those too that come later."""
    set_address(url)
    await dask.run(set_address, url)


@contextlib.asynccontextmanager
async def dask_cluster() -> AsyncGenerator[Any]:
    """Give the client of a new cluster of four worker processes."""
    distributed = importlib.import_module("distributed")
    async with (
        distributed.LocalCluster(
            n_workers=WORKERS,
            threads_per_worker=1,
            dashboard_address=None,
            asynchronous=True,
            silence_logs=50,
        ) as cluster,
        distributed.Client(cluster, asynchronous=True) as dask,
    ):
        yield dask


def predict_alone(url: str, count: int, folder: str) -> Spent:
    """Run all sources in this process; returns its CPU and its time, without imports."""
    watch = Stopwatch()
    assert asyncio.run(predict_to_parquet(url, count, Path(folder))) == count
    return watch.read()


async def bulk(dask: Any, redis: Redis, folder: str, *, full: bool) -> None:
    """Compare four workers with one process, and see what partitions take."""
    count = 40_000 if full else 8_000
    name = f"bulk, {count:,} sources"
    with canned_server() as url:
        alone = fresh(predict_alone, url, count, folder)
        await point_to(dask, url)
        given: dict[str, Any] = {
            "models": MODELS, "ledger": RedisLedger(redis.url),
            "client": "benchmarks.distributed:make_client",
        }  # fmt: skip
        # What is imported at the first partition does not count, as it does not alone.
        await predict_over(dask, Path(folder) / "warm", urls(400), **given, partition_size=25)
        before = sum((await dask.run(cpu_seconds)).values())
        began = time.perf_counter()
        report = await predict_over(dask, Path(folder) / "over", urls(count), **given)
        seconds = time.perf_counter() - began
        spent = sum((await dask.run(cpu_seconds)).values()) - before
        assert report.arrived == count
        engine = await _timed(_engine_tasks(dask, 500)) / 500  # as many at once as in a run
    show(name, "one process, sources a second", f"{count / alone.wall:,.0f}")
    show(name, f"{WORKERS} workers, sources a second", f"{count / seconds:,.0f}")
    show(name, "one process, CPU a source", f"{alone.cpu / count * 1e6:.0f} us")
    show(name, f"{WORKERS} workers, CPU a source", f"{spent / count * 1e6:.0f} us")
    show(name, "ratio of CPU", f"{spent / alone.cpu:.2f}x", "at most 1.3x")
    planned = await _timed(plan(Path(folder) / "planned", urls(count), models=MODELS))
    collected = await _timed(collect(Path(folder) / "over"))
    for what, figure in (("engine", engine), ("collect", collected / report.partitions)):
        show("a partition of 1,000", what, f"{figure * 1e3:.1f} ms", "at most 5 ms")
    show("a partition of 1,000", "plan", f"{planned / report.partitions * 1e3:.1f} ms")


async def _engine_tasks(dask: Any, count: int) -> None:
    """Have the engine do tasks of nothing, as many at once as in a run."""
    slots = asyncio.Semaphore(PARTITIONS_AT_A_THREAD * WORKERS)

    async def task(number: int) -> None:
        async with slots:
            await dask.submit(do_nothing, number, pure=False)

    async with asyncio.TaskGroup() as tasks:
        for number in range(count):
            tasks.create_task(task(number))


async def _timed(work: Awaitable[object]) -> float:
    began = time.perf_counter()
    await work
    return time.perf_counter() - began


async def under_quota(dask: Any, redis: Redis, folder: str, *, full: bool) -> None:
    """Run under a quota that nobody declared: each worker learns alone, and all together."""
    count, rate = (12_000, 100.0) if full else (1_600, 50.0)
    for is_shared in (False, True):
        redis.empty()
        service = Quota(rate)
        async with FakeHume(quota=service) as fake, RedisQuota(redis.url) as quota:
            await point_to(dask, fake.url)
            given = run_settings(redis, count // 12)
            given["options"] = BulkOptions(job_size=10)
            into = Path(folder) / f"quota-{is_shared}"
            halfway: list[tuple[int, int]] = []

            def note(progress: RunProgress, seen: list[Any] = halfway, at: Quota = service) -> None:
                if progress.done >= progress.sources / 2 and not seen:
                    seen.append((at.asked, at.refused))

            began = time.perf_counter()
            report = await predict_over(
                dask, into, urls(count), **given, quota=quota if is_shared else None,
                on_progress=note,
            )  # fmt: skip
            seconds = time.perf_counter() - began
        name = f"{'sharing' if is_shared else 'alone'}, {rate:.0f}/s, nobody declares"
        asked, refused = halfway[0]
        show(name, "429s, first half", f"{refused / max(1, asked):.1%}")
        later = (service.refused - refused) / max(1, service.asked - asked)
        show(name, "429s, second half", f"{later:.1%}", "at most 1 %" if is_shared else "")
        show(name, f"seconds for {service.asked:,} calls", f"{seconds:.1f}")
        show(name, "arrived", f"{report.arrived}/{count}", "all")


def run_settings(redis: Redis, partition_size: int) -> dict[str, Any]:
    return {
        "models": MODELS, "client": "benchmarks.distributed:make_paced_client",
        "ledger": RedisLedger(redis.url), "partition_size": partition_size,
        "options": BulkOptions(job_size=10, search_patience=0.5, jobs_at_once=1),
    }  # fmt: skip


def sources_in(into: Path) -> Counter[str]:
    """Count in how many files of results each source is."""
    reader = importlib.import_module("pyarrow.parquet")
    found: Counter[str] = Counter()
    for file in into.glob("part-*.parquet"):
        found.update(set(reader.read_table(file)["source"].to_pylist()))
    return found


def jobs_fetched(fake: FakeHume, first: int = 0) -> list[str]:
    """Return the ids of jobs whose predictions were fetched, from a request on."""
    paths = [one.path.split("/") for one in fake.requests[first:]]
    return [parts[-2] for parts in paths if parts[-1] == "predictions"]


def show_counts(name: str, fake: FakeHume, into: Path, report: RunReport) -> None:
    sent = Counter(one.identity for job in fake.jobs.values() for one in job.sources)
    once = sum(times == 1 for times in sources_in(into).values())
    show(name, "sources once in the results", f"{once}/{report.sources}", "all")
    show(name, "submitted twice", str(sum(times > 1 for times in sent.values())), "0")
    show(name, "left open", str(report.left_open), "0")


async def killed(dask: Any, redis: Redis, folder: str) -> None:
    """See what a worker that is killed costs."""
    count, size, seconds = 1_000, 50, list[float]()
    name = f"a worker killed, {count:,} sources"
    for is_killed in (False, True):
        into = Path(folder) / f"killed-{is_killed}"
        async with FakeHume(latency=0.02) as fake:
            await point_to(dask, fake.url)
            victim = next(iter((await dask.run(os.getpid)).values()))
            began = time.perf_counter()
            given = run_settings(redis, size)
            run = asyncio.create_task(predict_over(dask, into, urls(count), **given))
            if is_killed:
                await _see_jobs(fake, count // 20, run)
                os.kill(victim, signal.SIGKILL)
            report = await run
            seconds.append(time.perf_counter() - began)
        if is_killed:
            show_counts(name, fake, into, report)
            fetched = jobs_fetched(fake)
            again = len(fetched) - len(set(fetched))
            # Dask holds a partition under way and one to follow on each worker.
            show(name, "jobs of 10 fetched again", str(again), f"at most {2 * size // 10}")
    show(name, "seconds, and without a kill", f"{seconds[1]:.1f}, {seconds[0]:.1f}")


async def crash(redis: Redis, folder: str, seed: int) -> None:
    """Lose the cluster twice and the ledger; then kill a worker and freeze another."""
    importlib.import_module("distributed")  # it brings its settings
    dask_config = importlib.import_module("dask").config
    chance = random.Random(seed)
    name, count, into = f"killed, frozen, lost; seed {seed}", 2_000, Path(folder) / f"crash-{seed}"
    given = run_settings(redis, 100)
    began = time.perf_counter()
    done, first = Counter[str](), 0
    async with FakeHume(latency=0.02) as fake:
        for round_ in range(3):
            done, first = sources_in(into), len(fake.requests)
            with dask_config.set({"distributed.scheduler.worker-ttl": "3s"}):
                async with dask_cluster() as dask:
                    await point_to(dask, fake.url)
                    pids = list((await dask.run(os.getpid)).values())
                    chance.shuffle(pids)
                    enough = len(fake.jobs) + chance.randint(40, 70)
                    run = asyncio.create_task(predict_over(dask, into, urls(count), **given))
                    await _see_jobs(fake, enough, run)
                    if round_ < 2:
                        for pid in pids:
                            os.kill(pid, signal.SIGKILL)
                        run.cancel()
                        await asyncio.wait([run])
                    else:
                        os.kill(pids[0], signal.SIGKILL)
                        os.kill(pids[1], signal.SIGSTOP)
                        asyncio.get_running_loop().call_later(5.0, thaw, pids[1])
                        show_counts(name, fake, into, await run)
            if round_ == 1:
                redis.empty()
        again = {fake.jobs[one].sources[0].identity for one in jobs_fetched(fake, first)} & {*done}
    show(name, f"fetched of {len(done)} in place", str(len(again)), "0")
    show(name, "seconds in all", f"{time.perf_counter() - began:.0f}")


async def _see_jobs(fake: FakeHume, count: int, run: asyncio.Task[Any]) -> None:
    """Wait until so many jobs were submitted, or the run has ended."""
    while len(fake.jobs) < count and not run.done():  # noqa: ASYNC110 - a stand-in tells nobody
        await asyncio.sleep(0.002)


def thaw(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # its nanny may have ended it
        os.kill(pid, signal.SIGCONT)


async def base_import() -> None:
    """See what of the extras is imported with the library."""
    program = "import humeai_async, sys; print(*sys.modules)"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE
    )
    names = (await process.communicate())[0].decode().split()
    assert "humeai_async" in names
    found = EXTRAS & {one.partition(".")[0] for one in names}
    show("import humeai_async", "modules of redis, dask", str(len(found)), "0")


async def measure(redis: Redis, folder: str, chosen: Collection[str], *, full: bool) -> None:
    """Run what was chosen."""
    if "import" in chosen:
        await base_import()
    if not {"bulk", "quota", "killed"}.isdisjoint(chosen):
        async with dask_cluster() as dask:
            if "bulk" in chosen:
                await bulk(dask, redis, folder, full=full)
            if "quota" in chosen:
                await under_quota(dask, redis, folder, full=full)
            if "killed" in chosen:
                await killed(dask, redis, folder)
    if "crash" in chosen:
        for seed in range(3):
            await crash(redis, folder, seed)


def main(arguments: argparse.Namespace) -> None:
    for name in ("asyncio", "distributed", "tornado"):  # which log what is killed here
        logging.getLogger(name).setLevel(logging.CRITICAL)
    chosen = arguments.only or [*SHORT, *(["crash"] if arguments.full else [])]
    with tempfile.TemporaryDirectory() as folder:
        redis = Redis(folder)
        try:
            asyncio.run(measure(redis, folder, chosen, full=arguments.full))
        finally:
            redis.kill()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="more sources, and what crashes")
    parser.add_argument("--only", nargs="+", choices=(*SHORT, "crash"), default=[])
    main(parser.parse_args())
