"""A run on a Dask cluster of worker processes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from bulk_support import submitted
from distributed_support import MODELS, make_client, set_environment, sources_in, urls
from live_support import silence, speech, wav
from redis_servers import Server, running

from humeai_async import AuthenticationError, ConfigurationError
from humeai_async._base.packages import load_package
from humeai_async.bulk.options import BulkOptions
from humeai_async.decisions import Noul
from humeai_async.distributed import (
    RedisLedger,
    RunProgress,
    collect,
    decide_over,
    measure_over,
    partitions,
    predict_over,
    work,
)
from humeai_async.shared import RedisQuota
from humeai_async.testing import FakeHume, Fault

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.server,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # Dask's own, of which there are many
]
CLIENT = "distributed_support:make_client"
OPTIONS = BulkOptions(job_size=5, search_patience=0.5)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running("redis", tmp_path) as started:
        yield started


@pytest.fixture
async def fake(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeHume]:
    async with FakeHume() as started:
        monkeypatch.setenv("HUME_BASE_URL", started.url)  # the workers inherit it
        yield started


@pytest.fixture
async def dask(fake: FakeHume) -> AsyncIterator[Any]:
    distributed = load_package("distributed")
    del fake  # started before the workers are
    async with distributed.LocalCluster(
        n_workers=4, threads_per_worker=1, dashboard_address=None, asynchronous=True
    ) as cluster:
        async with distributed.Client(cluster, asynchronous=True) as client:
            yield client


async def test_a_run_on_four_workers_is_whole_and_paid_once(
    dask: Any, fake: FakeHume, server: Server, tmp_path: Path
) -> None:
    told: list[RunProgress] = []
    into, ledger = tmp_path / "run", RedisLedger(server.url)
    given: dict[str, Any] = {"models": MODELS, "ledger": ledger, "client": CLIENT}
    given |= {"options": OPTIONS, "partition_size": 10}
    report = await predict_over(dask, into, urls(85), **given, on_progress=told.append)
    assert (report.partitions, report.done, report.arrived) == (9, 9, 85)
    assert report.problems == {}
    assert sources_in(into) == dict.fromkeys(urls(85), 1)
    assert (told[-1].partitions_done, told[-1].done, told[-1].workers) == (9, 85, 4)
    # Started again, it costs nothing; with more sources it goes on.
    await predict_over(dask, into, urls(90), **given)
    assert sources_in(into) == dict.fromkeys(urls(90), 1)
    assert set(submitted(fake).values()) == {1}


async def test_a_worker_that_is_killed_costs_no_source(
    dask: Any, fake: FakeHume, server: Server, tmp_path: Path
) -> None:
    pids = list((await dask.run(os.getpid)).values())

    def kill_one(progress: RunProgress) -> None:
        if progress.partitions_done and pids:
            os.kill(pids.pop(), signal.SIGKILL)
            pids.clear()

    into = tmp_path / "run"
    report = await predict_over(
        dask, into, urls(120), models=MODELS, ledger=RedisLedger(server.url), client=CLIENT,
        options=OPTIONS, partition_size=10, on_progress=kill_one,
    )  # fmt: skip
    assert not pids
    assert (report.done, report.arrived, report.problems) == (12, 120, {})
    assert sources_in(into) == dict.fromkeys(urls(120), 1)
    assert set(submitted(fake).values()) == {1}


@pytest.mark.parametrize("product", ["measurements", "decisions"])
async def test_a_killed_worker_has_no_recording_paid_for_twice(
    dask: Any, fake: FakeHume, tmp_path: Path, product: str
) -> None:
    fake.decisions.calls_a_minute = 1_000_000
    paths, into = [tmp_path / f"clip-{n:02}.wav" for n in range(40)], tmp_path / "run"
    for number, path in enumerate(paths):  # each has a length of its own
        path.write_bytes(wav(speech(1 + number / 50) + silence(0.2)))
    pids = list((await dask.run(os.getpid)).values())

    def kill_one(progress: RunProgress) -> None:
        if progress.partitions_done and pids:
            os.kill(pids.pop(), signal.SIGKILL)
            pids.clear()

    given: dict[str, Any] = {"client": CLIENT, "options": OPTIONS, "partition_size": 5}
    if product == "measurements":
        report = await measure_over(dask, into, paths, **given, on_progress=kill_one)
        sizes = Counter(run["bytes_received"] for run in fake.expression.runs)
    else:
        questions = {"calm": Noul("Calm?")}
        report = await decide_over(dask, into, paths, questions, **given, on_progress=kill_one)
        sizes = Counter(run["received"]["file_bytes"] for run in fake.decisions.runs)
    assert not pids
    assert (report.partitions, report.done, report.problems) == (8, 8, {})
    # The response to what was on its way was lost with the worker, and is named.
    assert {reason.partition(":")[0] for reason in report.reasons} <= {"ResultLostError"}
    assert report.arrived + report.failed == 40
    found = sources_in(into)
    assert len(found) == report.arrived
    assert set(found.values()) == {1}
    assert sizes == {path.stat().st_size: 1 for path in paths}


async def test_a_run_that_ends_with_an_error_keeps_the_results_that_are_on_their_way(
    dask: Any, fake: FakeHume, tmp_path: Path
) -> None:
    paths, into = [tmp_path / f"clip-{n}.wav" for n in range(2)], tmp_path / "run"
    for number, path in enumerate(paths):
        path.write_bytes(wav(speech(1 + number) + silence(0.2)))

    def is_other_on_its_way(method: str, path: str) -> bool:
        del method, path
        return bool(fake.expression.runs)

    fake.faults.add(Fault("status", "POST", "*/file", status=401, when=is_other_on_its_way))
    fake.faults.add(Fault("stall", "POST", "*/file", after_work=True, seconds=1.0))
    given: dict[str, Any] = {"client": CLIENT, "options": OPTIONS, "partition_size": 1}
    with pytest.raises(AuthenticationError):
        await measure_over(dask, into, paths, **given)
    for pid in (await dask.run(os.getpid)).values():  # the cluster ends with its driver
        os.kill(pid, signal.SIGKILL)
    async with make_client(fake.url) as hume:
        for partition in await partitions(into):
            await work(partition, hume, options=OPTIONS)
    report = await collect(into)
    assert (report.arrived, dict(report.reasons)) == (2, {})
    assert len(fake.expression.runs) == 2


async def test_workers_without_a_credential_are_a_configuration_error(
    dask: Any, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match="credential"):
        await predict_over(dask, tmp_path / "run", urls(3), models=MODELS)
    with pytest.raises(ConfigurationError, match="nowhere"):
        await predict_over(dask, tmp_path / "run", urls(3), models=MODELS, client="nowhere:make")
    with pytest.raises(AuthenticationError):
        await predict_over(
            dask, tmp_path / "run", urls(3), models=MODELS,
            client="distributed_support:make_refused_client",
        )  # fmt: skip


async def test_a_partition_that_kills_its_workers_is_named_and_stays_open(
    dask: Any, server: Server, tmp_path: Path
) -> None:
    given: dict[str, Any] = {"models": MODELS, "ledger": RedisLedger(server.url)}
    report = await predict_over(
        dask, tmp_path / "run", urls(3), **given, client="distributed_support:kill_worker"
    )
    assert (report.done, report.left_open) == (0, 3)
    assert report.problems == {0: "workers died while they worked on it"}
    report = await predict_over(dask, tmp_path / "run", urls(3), **given, client=CLIENT)
    assert (report.done, report.left_open, report.problems) == (1, 0, {})


async def test_workers_share_a_quota_and_what_failed_is_tried_again(
    dask: Any, fake: FakeHume, server: Server, tmp_path: Path
) -> None:
    fake.set_predictions(urls(1)[0], error="no such file")
    given: dict[str, Any] = {"models": MODELS, "client": CLIENT, "options": OPTIONS}
    async with RedisQuota(server.url) as quota:
        given |= {"quota": quota, "rate": 100.0, "partition_size": 10}
        report = await predict_over(dask, tmp_path / "run", urls(40), **given)
        assert (report.arrived, report.failed) == (39, 1)
        (bucket,) = await quota.state()
        assert len(bucket.members) > 1
        fake.set_predictions(urls(1)[0], face={"Joy": 0.9})
        report = await predict_over(dask, tmp_path / "run", urls(40), **given, retry_failed=True)
    assert (report.arrived, report.failed, report.problems) == (40, 0, {})
    assert sources_in(tmp_path / "run") == dict.fromkeys(urls(40), 1)


async def test_the_command_runs_on_a_cluster(
    dask: Any, fake: FakeHume, server: Server, tmp_path: Path
) -> None:
    into, listed = tmp_path / "run", tmp_path / "urls.txt"
    listed.write_text("\n".join(urls(12)))
    words = [
        *("predict", "--from", str(listed), "--out", str(into), "--models", "face", "--json"),
        *("--dask", dask.scheduler.address, "--quota", server.url, "--rate", "100"),
    ]
    await dask.run(set_environment, HUME_API_KEY=fake.api_key)
    facts = await printed_by(words)
    assert (facts["arrived"], facts["problems"], facts["partitions_done"]) == (12, {}, 1)
    assert sources_in(into) == dict.fromkeys(urls(12), 1)


async def printed_by(words: list[str], exit_code: int = 0) -> dict[str, Any]:
    command = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "humeai_async", *words, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await asyncio.wait_for(command.communicate(), 60)
    assert command.returncode == exit_code
    facts: dict[str, Any] = json.loads(output)
    return facts


async def test_the_commands_for_recordings_run_on_a_cluster(
    dask: Any, fake: FakeHume, tmp_path: Path
) -> None:
    media = tmp_path / "media"
    media.mkdir()
    for number in range(5):
        (media / f"{number}.wav").write_bytes(wav(speech(1.0, pitch=200 + number)))
    questions = tmp_path / "questions.json"
    questions.write_text('{"calm": {"type": "noul", "instructions": "Calm?"}}')
    await dask.run(set_environment, HUME_API_KEY=fake.api_key)
    given = [str(media), "--json", "--dask", dask.scheduler.address]
    little = ["measure", *given, "--out", str(tmp_path / "measure"), "--budget", "30"]
    facts = await printed_by(little, exit_code=1)
    assert "BudgetReachedError" in facts["problems"]["0"]
    assert fake.expression.metered_seconds == 30
    for words in (["measure"], ["decide", "--questions", str(questions)]):
        facts = await printed_by([*words, *given, "--out", str(tmp_path / words[0])])
        assert (facts["arrived"], facts["problems"]) == (5, {})
        assert facts["billed"] > 0
    assert len(fake.expression.runs) == len(fake.decisions.runs) == 5


async def test_what_a_quota_of_workers_lacks_is_told_at_once(tmp_path: Path) -> None:
    class Client:
        asynchronous = True

    given: dict[str, Any] = {"models": MODELS}
    with pytest.raises(ConfigurationError, match="pass quota"):
        await predict_over(Client(), tmp_path, urls(3), **given, rate=5.0)
    quota = RedisQuota(load_package("redis.asyncio").Redis())
    with pytest.raises(ConfigurationError, match="URL"):
        await predict_over(Client(), tmp_path, urls(3), **given, quota=quota, rate=5.0)


async def test_a_client_that_is_not_asynchronous_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="asynchronous=True"):
        await predict_over(object(), tmp_path / "run", urls(3), models=MODELS)
