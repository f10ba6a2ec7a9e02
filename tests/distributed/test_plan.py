"""How sources of all kinds are written down, and what of it can be read back."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from bulk_support import submitted
from distributed_support import MODELS, make_client, urls
from support import wav_file

from humeai_async import LedgerError, Text
from humeai_async.distributed import collect, partitions, plan, retry_failed, work
from humeai_async.distributed.plan import SOURCES, read_sources
from humeai_async.distributed.store import LocalStore
from humeai_async.testing import FakeHume

pytestmark = pytest.mark.anyio


async def test_files_and_texts_reach_a_worker_that_runs_in_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wav_file(tmp_path / "sound.wav", 1)
    monkeypatch.chdir(tmp_path)
    await plan(tmp_path / "run", [Path("sound.wav"), Text("good day")], models={"prosody": {}})
    (partition,) = await partitions(tmp_path / "run")
    monkeypatch.chdir("/")
    async with FakeHume() as fake, make_client(fake.url) as hume:
        report = await work(partition, hume)
    assert (report.arrived, report.failed) == (2, 0)


async def test_a_file_whose_name_is_no_text_fails_alone(tmp_path: Path) -> None:
    odd = Path(os.fsdecode(b"caf\xe9.wav"))
    await plan(tmp_path, [odd, *urls(1)], models=MODELS)
    (partition,) = await partitions(tmp_path)
    async with FakeHume() as fake, make_client(fake.url) as hume:
        report = await work(partition, hume)
    assert (report.arrived, report.failed) == (1, 1)
    assert ["InvalidArgumentError: names of files that are no text cannot be planned"] == list(
        report.reasons
    )


async def test_sources_that_come_over_time_fill_one_partition_after_the_other(
    tmp_path: Path,
) -> None:
    async def sources() -> AsyncIterator[str]:
        for url in urls(5):
            yield url

    planned = await plan(tmp_path, sources(), models=MODELS, partition_size=2)
    assert (planned.partitions, planned.sources) == (3, 5)


@pytest.mark.parametrize("content", [None, b"{", b"7", b'["urls"]'])
async def test_sources_that_cannot_be_read_are_a_ledger_error(
    content: bytes | None, tmp_path: Path
) -> None:
    await plan(tmp_path, urls(1), models=MODELS)
    file = tmp_path / SOURCES / "00000"
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(LedgerError, match=r"sources of partition 0 in .* cannot be read"):
        read_sources(LocalStore(tmp_path), 0)


async def test_a_run_of_a_later_version_is_not_touched(tmp_path: Path) -> None:
    await plan(tmp_path, urls(1), models=MODELS)
    (file,) = (one for one in (tmp_path / "_run").iterdir() if one.is_file())
    later = {**json.loads(file.read_bytes()), "version": 99}
    file.write_text(json.dumps(later))
    with pytest.raises(LedgerError, match="not of version 1"):
        await plan(tmp_path, urls(2), models=MODELS)
    assert json.loads(file.read_bytes()) == later


async def test_two_that_plan_failures_again_at_once_double_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one is quicker by one file."""
    async with FakeHume() as fake, make_client(fake.url) as hume:
        fake.set_predictions(urls(1)[0], error="no such file")
        await plan(tmp_path, urls(2), models=MODELS)
        (partition,) = await partitions(tmp_path)
        await work(partition, hume)
        put_new = LocalStore.put_new

        def be_late(store: LocalStore, name: str, content: bytes) -> bool:
            return put_new(store, name, content) and put_new(store, name, content)

        monkeypatch.setattr(LocalStore, "put_new", be_late)
        assert await retry_failed(tmp_path) == 0
        report = await collect(tmp_path)
        assert (report.partitions, report.sources, report.left_open) == (2, 2, 1)
        assert submitted(fake)[urls(1)[0]] == 1


@pytest.mark.parametrize("content", [b"{", b"7", b"{}"])
async def test_a_report_that_cannot_be_read_is_a_ledger_error(
    content: bytes, tmp_path: Path
) -> None:
    await plan(tmp_path, urls(1), models=MODELS)
    (partition,) = await partitions(tmp_path)
    async with FakeHume() as fake, make_client(fake.url) as hume:
        await work(partition, hume)
        (tmp_path / "_run/done/00000").write_bytes(content)
        with pytest.raises(LedgerError, match="report of partition 0 cannot be read"):
            await work(partition, hume)
    with pytest.raises(LedgerError, match="report of partition 0 cannot be read"):
        await retry_failed(tmp_path)
