"""What says nothing against a source never costs it: quotas, outages, doubts, one bad neighbour."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from bulk_support import PATIENCE, search_quickly, submitted, urls
from support import client_of, media_folder
from waiting import until

from humeai_async import (
    APIStatusError,
    BulkOptions,
    HumeAI,
    InvalidArgumentError,
    LedgerError,
    Retry,
)
from humeai_async.bulk import storage
from humeai_async.bulk.ledger import read_status
from humeai_async.bulk.progress import Progress
from humeai_async.bulk.runs import LEDGER
from humeai_async.bulk.sinks import SourceOutcome
from humeai_async.bulk.states import DONE, State
from humeai_async.testing import FakeHume, Fault
from humeai_async.testing.exchange import JSON_TYPE, FakeResponse
from humeai_async.types.dicts import ModelsDict

pytestmark = pytest.mark.anyio

MODELS: ModelsDict = {"face": {}}
JOBS = "/v0/batch/jobs"


@pytest.fixture(autouse=True)
def quick_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    search_quickly(monkeypatch)
    monkeypatch.setattr("humeai_async.bulk.patience.FIRST_PAUSE", 0.01)
    monkeypatch.setattr("humeai_async.bulk.patience.LONGEST_PAUSE", 0.05)


async def run(hume: HumeAI, sources: Any, **settings: Any) -> list[SourceOutcome]:
    given: dict[str, Any] = {"models": MODELS, "search_patience": PATIENCE, **settings}
    async with hume.batch.predict(sources, **given) as outcomes:
        return [outcome async for outcome in outcomes]


async def test_one_refused_url_fails_alone_and_the_others_go_on() -> None:
    sources = urls(13)
    refused = 0
    async with FakeHume() as fake, client_of(fake) as hume:
        inside: Any = fake
        handle = inside.upstream.handle

        def refuse_one(arrival: Any) -> FakeResponse:
            nonlocal refused
            if arrival.method == "POST" and b"/5.mp4" in arrival.body:
                refused += 1
                return FakeResponse(
                    422, b'{"message": "no such scheme"}', {"Content-Type": JSON_TYPE}
                )
            answer: FakeResponse = handle(arrival)
            return answer

        inside.upstream.handle = refuse_one
        outcomes = await run(hume, sources)
        failed = [one for one in outcomes if one.error]
        assert [sources[5]] == [one.source for one in failed]
        assert {422} == {one.error.status for one in failed if one.error}
        assert Counter(sources) - Counter({sources[5]: 1}) == submitted(fake)
    assert refused <= 5  # 13, 7, 4, 2, 1


@pytest.mark.slow
async def test_a_quota_that_is_used_up_costs_no_source() -> None:
    async with FakeHume() as fake, client_of(fake, retry=Retry(attempts=1)) as hume:
        fake.faults.add(
            Fault("status", status=429, method="POST", headers={"Retry-After": "0"}, times=9)
        )
        outcomes = await run(hume, urls(6), job_size=2)
        assert Counter(urls(6)) == submitted(fake)
    assert [None] * 6 == [one.error for one in outcomes]


@pytest.mark.parametrize(
    ("status", "body"),
    [(402, b"{}"), (400, b'{"code": "E0300", "message": "exhausted credit balance"}')],
)
async def test_an_account_without_credit_ends_the_run_and_costs_no_source(
    status: int, body: bytes, tmp_path: Path
) -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        fake.faults.add(Fault("status", status=status, body=body, method="POST", times=99))
        given: dict[str, Any] = {"ledger": tmp_path / "run.db", "job_size": 4, "jobs_at_once": 2}
        with pytest.raises(APIStatusError) as caught:
            await run(hume, urls(40), **given)
        assert status == caught.value.status
        assert 2 >= sum(one.method == "POST" for one in fake.requests)
        fake.faults.clear()
        outcomes = await run(hume, urls(40), **given)
        assert Counter(urls(40)) == submitted(fake)
    assert [None] * 40 == [one.error for one in outcomes]


@pytest.mark.slow
async def test_a_service_that_cannot_be_reached_is_waited_for_and_told(tmp_path: Path) -> None:
    told: list[Progress] = []
    async with FakeHume() as fake, client_of(fake, retry=Retry(attempts=1)) as hume:
        fake.faults.add(Fault("status", status=503, headers={"Retry-After": "0"}, times=4))
        report = await hume.batch.predict_into(
            tmp_path, urls(4), models=MODELS, job_size=2, on_progress=told.append
        )
    assert report.counts[State.ARRIVED] == 4
    assert any("the service has been failing" in str(one.holdup) for one in told)
    assert told[-1].holdup is None


async def test_while_nobody_listens_no_source_is_given_up(tmp_path: Path) -> None:
    told: list[Progress] = []
    outage = anyio.Event()

    def watch(progress: Progress) -> None:
        told.append(progress)
        if progress.holdup is not None and progress.holdup.kind == "service":
            outage.set()

    async with FakeHume() as gone:
        port = gone.port
    fake = FakeHume(port=port)  # which nobody has started yet
    url = f"http://127.0.0.1:{port}"
    async with HumeAI(api_key=fake.api_key, base_url=url, retry=Retry(attempts=1)) as hume:
        given: dict[str, Any] = {"models": MODELS, "job_size": 2, "on_progress": watch}
        running = asyncio.ensure_future(hume.batch.predict_into(tmp_path, urls(60), **given))
        with anyio.fail_after(20):
            await outage.wait()
            async with fake:
                report = await running
    assert Counter(urls(60)) == submitted(fake)
    assert report.counts[State.ARRIVED] == 60
    assert "could not connect" in str(next(one.holdup for one in told if one.holdup))


async def test_an_outage_while_jobs_are_waited_for_is_told_and_waited_out(tmp_path: Path) -> None:
    told: list[Progress] = []
    async with FakeHume() as fake, client_of(fake, retry=Retry(attempts=1)) as hume:

        def is_poll(method: str, path: str) -> bool:
            return method == "GET" and bool(fake.jobs) and "predictions" not in path

        fake.faults.add(Fault("close", when=is_poll, times=5))
        report = await hume.batch.predict_into(
            tmp_path, urls(4), models=MODELS, job_size=2, on_progress=told.append
        )
        assert Counter(urls(4)) == submitted(fake)
    assert report.counts[State.ARRIVED] == 4
    assert any("the service has been failing" in str(one.holdup) for one in told)


async def test_an_outage_beyond_the_patience_leaves_sources_open(tmp_path: Path) -> None:
    async with FakeHume() as fake:
        url, key = fake.url, fake.api_key
    path = tmp_path / "run.db"
    async with HumeAI(api_key=key, base_url=url, retry=Retry(attempts=1)) as hume:
        outcomes = await run(hume, urls(4), job_size=2, ledger=path, outage_patience=0.1)
    assert [True] * 4 == [one.is_open for one in outcomes]
    status = await read_status(path)
    assert sum(status.counts[state] for state in DONE) == 0


async def test_a_partly_filled_group_goes_after_a_moment() -> None:
    gone = anyio.Event()

    async def sources() -> AsyncIterator[str]:
        yield urls(1)[0]
        await gone.wait()

    async with FakeHume() as fake, client_of(fake) as hume:
        with anyio.fail_after(20):
            async with hume.batch.predict(sources(), models=MODELS, group_wait=0.05) as outcomes:
                first = await anext(outcomes)
                gone.set()
    assert first.source == urls(1)[0]


async def test_files_whose_submission_was_cut_off_are_found_after_the_restart(
    tmp_path: Path,
) -> None:
    files = media_folder(tmp_path / "media", 3)
    path = tmp_path / "run.db"
    async with FakeHume() as fake, client_of(fake) as hume:
        fake.faults.add(Fault("stall", method="POST", after_work=True))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(run, hume, files, ledger=path, models=None))
            await until(lambda: fake.jobs)
            tasks.cancel_scope.cancel()
        assert len(fake.jobs) == 1
        outcomes = await run(hume, files, ledger=path, models=None)
        assert len(fake.jobs) == 1
    assert [None] * 3 == [one.error for one in outcomes]


async def test_a_search_that_cannot_read_the_list_leaves_sources_open_and_buys_nothing(
    tmp_path: Path,
) -> None:
    path = tmp_path / "run.db"
    async with FakeHume() as fake, client_of(fake) as hume:
        fake.faults.add(Fault("reset", method="POST", after_work=True))
        fake.faults.add(Fault("status", status=403, method="GET", path=JOBS, times=None))
        first = await run(hume, urls(3), ledger=path)
        fake.faults.clear()
        again = await run(hume, urls(3), ledger=path)
        assert Counter(urls(3)) == submitted(fake)
    assert {"UnknownSubmissionError"} == {type(one.error).__name__ for one in first}
    assert [True] * 3 == [one.is_open for one in first]
    assert [None] * 3 == [one.error for one in again]


async def test_an_outage_longer_than_the_search_is_waited_out_and_the_job_is_found() -> None:
    async with FakeHume() as fake, client_of(fake, retry=Retry(attempts=1)) as hume:

        def is_search(method: str, path: str) -> bool:
            return (method, path) == ("GET", JOBS) and bool(fake.jobs)

        fake.faults.add(Fault("reset", method="POST", after_work=True))
        fake.faults.add(Fault("status", status=503, when=is_search, times=5))
        outcomes = await run(hume, urls(3), search_patience=0.0)
        assert Counter(urls(3)) == submitted(fake)
    assert [None] * 3 == [one.error for one in outcomes]


@pytest.mark.parametrize("step", ["plan", "send", "submit", "note"])
async def test_an_error_of_the_ledger_ends_the_run_and_is_no_outcome(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.db"
    async with FakeHume() as fake, client_of(fake) as hume:

        def full(*_: Any) -> None:
            raise OSError(28, "No space left on device")

        full.__name__ = step
        with monkeypatch.context() as patch:
            patch.setattr(storage, step, full)
            with pytest.raises(LedgerError, match="No space"):
                await run(hume, urls(4), job_size=2, ledger=path)
        outcomes = await run(hume, urls(4), job_size=2, ledger=path)
        assert Counter(urls(4)) == submitted(fake)
    assert [None] * len(outcomes) == [one.error for one in outcomes]


async def test_a_run_that_is_left_complains_of_nothing_when_the_client_is_closed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.ERROR, "asyncio")
    async with FakeHume(run_seconds=5) as fake:
        async with client_of(fake) as hume:
            run_ = hume.batch.predict(urls(2), models=MODELS, job_size=1)
            with anyio.move_on_after(0.2):
                async for _ in run_:
                    break
        await anyio.sleep(0.05)
        del run_
        gc.collect()
        await anyio.lowlevel.checkpoint()
    assert "never retrieved" not in caplog.text


@pytest.mark.parametrize("after", [1, 60, 130])
async def test_file_ledger_and_progress_tell_the_same_number_after_a_cancellation(
    after: int, tmp_path: Path
) -> None:
    told: list[Progress] = []
    written = 0

    def count(_: SourceOutcome) -> None:
        nonlocal written
        written += 1
        if written == after:
            task.cancel()

    async with FakeHume(frames=2) as fake, client_of(fake) as hume:
        task = asyncio.ensure_future(
            hume.batch.predict_into(
                tmp_path,
                urls(200),
                models=MODELS,
                job_size=10,
                on_outcome=count,
                on_progress=told.append,
            )
        )
        with pytest.raises(asyncio.CancelledError):
            await task
    text = (tmp_path / "predictions.jsonl").read_text()
    lines = len([json.loads(line) for line in text.splitlines()])
    status = await read_status(tmp_path / LEDGER)
    assert after <= lines == status.counts[State.ARRIVED] == written == told[-1].done


async def test_options_travel_as_one_object_and_arguments_go_before_it() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        options = BulkOptions(job_size=2, jobs_at_once=1)
        await run(hume, urls(4), options=options)
        await run(hume, urls(4), options=options, job_size=4)
        assert [2, 2, 4] == [len(job.sources) for job in fake.jobs.values()]


async def test_a_text_that_looks_like_a_file_is_refused_everywhere() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        (outcome,) = await run(hume, ["clip.mp4"])
        with pytest.raises(InvalidArgumentError, match="looks like a file name"):
            await hume.batch.start_job(text=["clip.mp4"])
        assert not fake.jobs
    assert isinstance(outcome.error, InvalidArgumentError)


class Column:
    """A column of a table, as pandas has them: a sequence of no Sequence, without a truth."""

    def __init__(self, values: list[str]) -> None:
        self._values = values

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, place: int) -> str:
        return self._values[place]

    def __bool__(self) -> bool:
        raise ValueError("The truth value of a Series is ambiguous")


async def test_a_column_of_a_table_is_refused_with_what_to_write() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        given: Any = Column(urls(2))
        with pytest.raises(InvalidArgumentError, match=r"list\(urls\)"):
            await hume.batch.start_job(urls=given)
