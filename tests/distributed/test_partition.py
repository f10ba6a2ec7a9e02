"""A run in partitions, without an engine: each source once in the results, none paid for twice."""

from __future__ import annotations

import asyncio
import errno
import io
import os
import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bulk_support import submitted
from distributed_support import MODELS, make_client, sources_in, urls

from humeai_async import (
    AuthenticationError,
    ConfigurationError,
    HumeAI,
    InvalidArgumentError,
    LedgerError,
    SaveError,
    Text,
)
from humeai_async._base.cancellation import in_thread
from humeai_async.distributed import (
    Partition,
    PartitionProgress,
    collect,
    partitions,
    plan,
    retries,
    retry_failed,
    work,
)
from humeai_async.distributed.plan import PlannedSource
from humeai_async.distributed.store import LocalStore, Store
from humeai_async.testing import FakeHume

pytestmark = pytest.mark.anyio


async def work_on_all(into: Any, hume: HumeAI, **given: Any) -> None:
    for partition in await partitions(into):
        await work(partition, hume, **given)


async def test_each_source_is_once_in_the_results_and_submitted_once(tmp_path: Path) -> None:
    async with FakeHume() as fake, make_client(str(fake.url)) as hume:
        planned = await plan(tmp_path, urls(25), models=MODELS, partition_size=10, job_size=5)
        await work_on_all(tmp_path, hume)
        assert set(submitted(fake).values()) == {1}
    assert (planned.partitions, planned.sources) == (3, 25)
    assert sources_in(tmp_path) == dict.fromkeys(urls(25), 1)
    assert sorted(one.name for one in tmp_path.iterdir() if one.is_file()) == [
        f"part-0000{n}.parquet" for n in range(3)
    ]
    report = await collect(tmp_path)
    assert (report.done, report.arrived, report.failed, report.left_open) == (3, 25, 0, 0)


async def test_urls_are_not_looked_at_in_threads_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hops = list[object]()

    async def count(function: Any, *args: Any, **options: Any) -> Any:
        hops.append(function)
        return await in_thread(function, *args, **options)

    monkeypatch.setattr("humeai_async.distributed.partition.in_thread", count)
    async with FakeHume() as fake, make_client(str(fake.url)) as hume:
        await plan(tmp_path, urls(100), models=MODELS, job_size=100)
        await work_on_all(tmp_path, hume)
    assert len(hops) < 30


async def test_a_partition_that_is_done_costs_nothing(tmp_path: Path) -> None:
    async with FakeHume() as fake, make_client(str(fake.url)) as hume:
        await plan(tmp_path, urls(4), models=MODELS)
        (partition,) = await partitions(tmp_path)
        first = await work(partition, hume)
        requests = len(fake.requests)
        assert await work(partition, hume) == first
        assert len(fake.requests) == requests
    assert await partitions(tmp_path) == []


async def test_a_partition_looks_through_no_folder_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A run may have many thousands, and each would look at all.
    async with FakeHume() as fake, make_client(str(fake.url)) as hume:
        await plan(tmp_path, urls(3), models=MODELS)
        (partition,) = await partitions(tmp_path)
        with monkeypatch.context() as patched:
            patched.delattr(LocalStore, "names")
            first = await work(partition, hume)
            assert await work(partition, hume) == first
    assert (await collect(tmp_path)).arrived == 3


async def test_a_partition_that_was_cut_off_is_whole_and_paid_once(tmp_path: Path) -> None:
    async with FakeHume() as fake, make_client(str(fake.url)) as hume:
        await plan(tmp_path, urls(20), models=MODELS, job_size=5)
        (partition,) = await partitions(tmp_path)
        for events in range(1, 5):
            cut = asyncio.create_task(work(partition, hume))
            while len(fake.jobs) < min(events, 4) and not cut.done():
                await asyncio.sleep(0)
            cut.cancel()
            await asyncio.wait([cut])
        await work(partition, hume)
        assert set(submitted(fake).values()) == {1}
    assert sources_in(tmp_path) == dict.fromkeys(urls(20), 1)


async def test_more_sources_are_further_partitions(tmp_path: Path) -> None:
    await plan(tmp_path, urls(3), models=MODELS, partition_size=2)
    planned = await plan(tmp_path, urls(5), models=MODELS, partition_size=2)
    assert (planned.partitions, planned.sources) == (3, 5)


async def test_two_that_plan_the_same_run_at_once_lose_and_double_nothing(tmp_path: Path) -> None:
    given: dict[str, Any] = {"models": MODELS, "partition_size": 3}
    await asyncio.gather(*(plan(tmp_path, urls(20, start=start), **given) for start in (0, 5, 10)))
    planned = await plan(tmp_path, urls(30), **given)
    assert planned.sources == 30


async def test_other_settings_are_refused(tmp_path: Path) -> None:
    await plan(tmp_path, urls(3), models=MODELS)
    with pytest.raises(LedgerError, match="other settings"):
        await plan(tmp_path, urls(3), models={"prosody": {}})


async def test_what_cannot_be_sent_fails_alone(tmp_path: Path) -> None:
    async with FakeHume() as fake, make_client(str(fake.url)) as hume:
        given: list[Any] = [*urls(2), "photo.jpg", "", io.BytesIO(b"RIFF"), lambda: None, None]
        await plan(tmp_path, given, models=MODELS)
        (partition,) = await partitions(tmp_path)
        report = await work(partition, hume)
    assert (report.arrived, report.failed) == (2, 5)
    assert sum((await collect(tmp_path)).reasons.values()) == 5


async def test_a_folder_of_a_run_of_one_process_is_refused_and_the_other_way_round(
    tmp_path: Path,
) -> None:
    one, many = tmp_path / "one", tmp_path / "many"
    async with FakeHume() as fake, make_client(fake.url) as hume:
        await hume.batch.predict_into(one, urls(1), models=MODELS)
        with pytest.raises(LedgerError, match="run of one process"):
            await plan(one, urls(1), models=MODELS)
        await plan(many, urls(1), models=MODELS)
        with pytest.raises(LedgerError, match="over many workers"):
            await hume.batch.predict_into(many, urls(1), models=MODELS)
        assert len(fake.jobs) == 1
    assert len(await partitions(many)) == 1


async def test_a_folder_that_is_full_leaves_the_partition_open_and_costs_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async with FakeHume() as fake, make_client(fake.url) as hume:
        await plan(tmp_path, urls(6), models=MODELS, partition_size=3)
        for partition in await partitions(tmp_path):
            with monkeypatch.context() as patched:
                patched.setattr("humeai_async._base.atomic_files.put_in_place", is_full)
                with pytest.raises(SaveError, match="space"):
                    await work(partition, hume)
        assert len(await partitions(tmp_path)) == 2
        assert (await collect(tmp_path)).left_open == 6
        await work_on_all(tmp_path, hume)
        assert set(submitted(fake).values()) == {1}
    assert sources_in(tmp_path) == dict.fromkeys(urls(6), 1)


async def test_a_worker_without_a_temporary_folder_says_so_and_sends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    into = tmp_path / "run"
    async with FakeHume() as fake, make_client(str(fake.url)) as hume:
        await plan(into, urls(3), models=MODELS)
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
        with pytest.raises(SaveError, match="temporary folder"):
            await work_on_all(into, hume)
        assert not fake.jobs


async def test_what_failed_is_tried_again_and_what_arrived_is_not(tmp_path: Path) -> None:
    bad = urls(2)
    async with FakeHume() as fake, make_client(str(fake.url)) as hume:
        for url in bad:
            fake.set_predictions(url, error="no such file")
        await plan(tmp_path, [*urls(20), "photo.jpg"], models=MODELS, partition_size=10)
        await work_on_all(tmp_path, hume)
        assert (await collect(tmp_path)).failed == 3
        fake.set_predictions(bad[0], face={"Joy": 0.9})
        assert await retry_failed(tmp_path) == 2
        planned = await collect(tmp_path)
        assert (planned.sources, planned.failed, planned.left_open) == (21, 1, 2)
        await work_on_all(tmp_path, hume)
        report = await collect(tmp_path)
        assert (report.sources, report.arrived, report.failed, report.left_open) == (21, 19, 2, 0)
        counts = submitted(fake)
        assert {counts[url] for url in bad} == {2}
        assert {counts[url] for url in urls(20)[2:]} == {1}
        assert await retry_failed(tmp_path) == 1
    assert sources_in(tmp_path) == dict.fromkeys(urls(20, start=0)[:1] + urls(20)[2:], 1)


async def test_a_text_that_looks_like_a_source_that_failed_is_not_sent_again(
    tmp_path: Path,
) -> None:
    failing, refused = "https://media.example.com/missing.mp4", "photo.jpg"
    sources: list[str | Text] = [failing, Text(failing), refused, Text(refused)]
    async with FakeHume() as fake, make_client(str(fake.url)) as hume:
        await plan(tmp_path, sources, models={"language": {}})
        await work_on_all(tmp_path, hume)
        assert (await collect(tmp_path)).failed == 2
        assert await retry_failed(tmp_path) == 1
        await work_on_all(tmp_path, hume)
        assert submitted(fake) == {failing: 3, refused: 1}  # two of the URL, one of the text
        report = await collect(tmp_path)
    assert (report.sources, report.arrived, report.failed) == (4, 2, 2)
    assert sources_in(tmp_path) == {failing: 1, refused: 1}


def crash(*_: object) -> None:
    raise ZeroDivisionError


async def run_with_a_failure(into: Path, fake: FakeHume, hume: HumeAI) -> None:
    """Run three sources, of which the first fails."""
    fake.set_predictions(urls(1)[0], error="no such file")
    await plan(into, urls(3), models=MODELS)
    await work_on_all(into, hume)


async def test_a_crash_while_failures_are_planned_again_doubles_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeHume() as fake, make_client(str(fake.url)) as hume:
        await run_with_a_failure(tmp_path, fake, hume)
        with monkeypatch.context() as patched:
            patched.setattr(LocalStore, "put", crash)
            with pytest.raises(ZeroDivisionError):
                await retry_failed(tmp_path)
        assert await retry_failed(tmp_path) == 0
        report = await collect(tmp_path)
    assert (report.partitions, report.sources, report.left_open) == (2, 3, 1)


async def test_two_that_plan_what_failed_at_once_plan_each_source_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeHume() as fake, make_client(str(fake.url)) as hume:
        await run_with_a_failure(tmp_path, fake, hume)
        others: list[int] = []

        def failed_while_another_plans(store: Store) -> list[PlannedSource]:
            found = failed(store)
            monkeypatch.setattr(retries, "_failed", failed)
            others.append(asyncio.run(retry_failed(tmp_path)))
            return found

        failed: Callable[[Store], list[PlannedSource]] = vars(retries)["_failed"]
        monkeypatch.setattr(retries, "_failed", failed_while_another_plans)
        assert await retry_failed(tmp_path) == 0
        assert others == [1]
        await work_on_all(tmp_path, hume)
        assert submitted(fake)[urls(1)[0]] == 2


async def test_a_partition_holds_no_source(tmp_path: Path) -> None:
    await plan(tmp_path, ["https://media.example.com/a.mp4?signature=s3cret"], models=MODELS)
    (partition,) = await partitions(tmp_path)
    assert b"s3cret" not in pickle.dumps(partition)


async def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="holds no run"):
        await partitions(tmp_path)


async def test_a_partition_of_another_run_is_refused(tmp_path: Path) -> None:
    await plan(tmp_path, urls(1), models=MODELS)
    with pytest.raises(LedgerError, match="another run"):
        async with make_client("http://127.0.0.1:9") as hume:
            await work(Partition(into=str(tmp_path), run="other", number=0), hume)


async def test_a_refused_credential_ends_it(tmp_path: Path) -> None:
    await plan(tmp_path, urls(1), models=MODELS)
    async with FakeHume() as fake:
        async with HumeAI(api_key="wrong", base_url=str(fake.url)) as hume:
            (partition,) = await partitions(tmp_path)
            with pytest.raises(AuthenticationError):
                await work(partition, hume)
    assert len(await partitions(tmp_path)) == 1


async def test_progress_ends_with_all_sources(tmp_path: Path) -> None:
    told: list[PartitionProgress] = []
    async with FakeHume() as fake, make_client(str(fake.url)) as hume:
        await plan(tmp_path, urls(6), models=MODELS, job_size=2)
        await work_on_all(tmp_path, hume, on_progress=told.append)
    assert (told[-1].sources, told[-1].done, told[-1].failed) == (6, 6, 0)


async def test_sources_must_be_a_list(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="sources"):
        await plan(tmp_path, "https://media.example.com/a.mp4", models=MODELS)


@pytest.mark.server  # fsspec is in the extra
async def test_a_url_of_no_known_store_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError):
        await plan("nosuchscheme://bucket/run", urls(1), models=MODELS)


@pytest.mark.server  # fsspec is in the extra
async def test_an_object_store_needs_a_ledger() -> None:
    into = "memory://needs-a-ledger"
    await plan(into, urls(1), models=MODELS)
    (partition,) = await partitions(into)
    async with make_client("http://127.0.0.1:9") as hume:
        with pytest.raises(ConfigurationError, match="RedisLedger"):
            await work(partition, hume)
