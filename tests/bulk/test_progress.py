"""How far a run is: what those are told who draw it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from bulk_support import urls
from support import client_of

from humeai_async import HumeAI, Retry
from humeai_async.bulk.progress import Progress
from humeai_async.limiter.limiter import Limiter
from humeai_async.testing import FakeHume, Fault

pytestmark = pytest.mark.anyio


async def run(hume: HumeAI, folder: Path, sources: Any, **settings: Any) -> list[Progress]:
    told: list[Progress] = []
    await hume.batch.predict_into(
        folder,
        sources,
        models={"face": {}},
        job_size=5,
        on_progress=told.append,
        **settings,
    )
    return told


async def test_the_total_is_known_at_once_and_jobs_show_before_outcomes(tmp_path: Path) -> None:
    async with FakeHume(run_seconds=0.02) as fake, client_of(fake) as hume:
        told = await run(hume, tmp_path, urls(20))
    first, second = told[:2]
    assert (20, 0, 0, None) == (first.total, first.done, first.jobs, first.eta)
    assert (0, 1) == (second.done, second.jobs)
    assert (20, 4, 0.0) == (told[-1].done, told[-1].jobs, told[-1].eta)
    assert [one.done for one in told] == sorted(one.done for one in told)


async def test_what_earlier_starts_have_done_counts_but_makes_no_rate(tmp_path: Path) -> None:
    sources = ["https://media.example.com/missing.mp4", *urls(4)]
    async with FakeHume() as fake, client_of(fake) as hume:
        await run(hume, tmp_path, sources)
        again = await run(hume, tmp_path, sources)
        retried = await run(hume, tmp_path, sources, retry_failed=True)
    assert [(5, 0.0, 0)] * len(again) == [(one.done, one.rate, one.jobs) for one in again]
    assert (4, 0) == (retried[0].done, retried[0].failed)
    assert (5, 1, 1) == (retried[-1].done, retried[-1].failed, retried[-1].jobs)


async def test_sources_that_stay_open_are_not_done(tmp_path: Path) -> None:
    async with FakeHume() as fake, client_of(fake, retry=Retry(attempts=1)) as hume:
        fake.faults.add(Fault("status", status=503, path="/v0/batch/jobs/*/predictions"))
        told = await run(hume, tmp_path, urls(10), jobs_at_once=1, outage_patience=0)
    assert (5, 5, 0.0) == (told[-1].done, told[-1].left_open, told[-1].eta)


async def test_sources_that_are_no_list_have_no_total_and_no_eta(tmp_path: Path) -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        told = await run(hume, tmp_path, iter(urls(10)))
    assert {(None, None)} == {(one.total, one.eta) for one in told}
    assert told[-1].done == 10


async def test_the_limiters_state_is_told(tmp_path: Path) -> None:
    async with FakeHume() as fake, client_of(fake, limiter=Limiter(rate=500)) as hume:
        fake.faults.add(Fault("status", status=429, headers={"Retry-After": "0"}, times=2))
        told = await run(hume, tmp_path, urls(10))
    assert (Limiter(rate=500).snapshot().rate, 0) == (told[0].pace.rate, told[0].pace.refused)
    assert told[-1].pace.refused == 2
