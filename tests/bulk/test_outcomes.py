"""Many sources in, one outcome for each out."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from bulk_support import urls
from support import DIALECTS, client_of, media_folder
from waiting import until

from humeai_async import (
    AuthenticationError,
    ClientClosedError,
    ConfigurationError,
    DecodeError,
    GatewayUnsupportedError,
    HumeAI,
    InvalidArgumentError,
    NotFoundError,
    Pool,
    Retry,
    SourceFailedError,
)
from humeai_async.bulk.outcome_queue import OutcomeQueue
from humeai_async.bulk.outcomes import Outcomes
from humeai_async.bulk.states import State
from humeai_async.limiter.bucket import Permit
from humeai_async.limiter.limiter import BULK, INTERACTIVE, Limiter
from humeai_async.limiter.queue import Priority
from humeai_async.testing import Dialect, FakeHume, Fault
from humeai_async.types.dicts import ModelsDict
from humeai_async.types.predictions.predictions import Predictions
from humeai_async.types.sources import BulkSource

pytestmark = pytest.mark.anyio

MODELS: ModelsDict = {"face": {}}


@pytest.mark.slow
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_every_source_has_one_outcome_with_its_own_predictions(dialect: Dialect) -> None:
    sources: list[BulkSource] = [*urls(130), "What a day!", "Not again."]
    async with FakeHume(dialect=dialect) as fake, client_of(fake) as hume:
        outcomes = [o async for o in hume.batch.predict(sources, models=MODELS | {"language": {}})]
    assert Counter(sources) == Counter(o.source for o in outcomes)
    for outcome in outcomes:
        assert outcome.error is None
        assert outcome.predictions is not None
        expected = None if outcome.predictions.source.type == "text" else outcome.source
        assert expected == outcome.predictions.source.url


async def test_files_are_matched_by_their_content(tmp_path: Path) -> None:
    files = media_folder(tmp_path)
    async with FakeHume() as fake, client_of(fake) as hume:
        outcomes = [o async for o in hume.batch.predict(files, job_size=7)]
        uploads = {u.filename: u.md5 for u in fake.uploads}
    assert set(files) == {o.source for o in outcomes}
    for outcome in outcomes:
        assert outcome.predictions is not None
        assert uploads[Path(str(outcome.source)).name] == outcome.predictions.source.md5sum


async def test_files_of_the_same_content_have_their_own_predictions_each(tmp_path: Path) -> None:
    content = media_folder(tmp_path, 1)[0].read_bytes()
    files = [tmp_path / "one" / "a.jpg", tmp_path / "one" / "b.jpg", tmp_path / "two" / "a.jpg"]
    for file in files:
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
    async with FakeHume() as fake, client_of(fake) as hume:
        outcomes = [o async for o in hume.batch.predict(files, models=MODELS)]
    found = {o.source: o.predictions for o in outcomes}
    names = {path: share.source.filename for path, share in found.items() if share}
    assert {path: path.name for path in files} == names
    assert len({id(share) for share in found.values()}) == 3


async def test_sources_are_split_by_the_size_of_a_job() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        async for _ in hume.batch.predict(urls(250), models=MODELS):
            pass
        assert [len(job.sources) for job in fake.jobs.values()] == [100, 100, 50]


async def test_a_source_given_twice_has_two_outcomes() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        outcomes = [o async for o in hume.batch.predict(urls(2) * 2, models=MODELS)]
    assert Counter(urls(2) * 2) == Counter(o.source for o in outcomes)
    assert [o.error for o in outcomes] == [None] * 4


async def test_a_failed_source_has_an_error_and_ends_nothing() -> None:
    sources = ["https://media.example.com/missing.mp4", *urls(3)]
    async with FakeHume() as fake, client_of(fake) as hume:
        outcomes = {o.source: o async for o in hume.batch.predict(sources, models=MODELS)}
    assert isinstance(outcomes[sources[0]].error, SourceFailedError)
    assert [outcomes[source].error for source in sources[1:]] == [None] * 3


async def test_a_failed_source_does_not_repeat_its_signature() -> None:
    url = "https://media.example.com/a.mp4?Sig=s3cretSign"
    share = {"source": {"type": "url", "url": url}, "results": None, "error": "no s3cretSign"}
    async with FakeHume() as fake, client_of(fake) as hume:
        fake.faults.add(spoiled(json.dumps([share]).encode()))
        (outcome,) = [o async for o in hume.batch.predict([url], models=MODELS)]
    assert isinstance(outcome.error, SourceFailedError)
    assert outcome.error.message == "no ***"


async def test_a_failed_job_fails_its_own_sources_only() -> None:
    sources = ["https://media.example.com/fail-job.mp4", *urls(3)]
    async with FakeHume() as fake, client_of(fake) as hume:
        run = hume.batch.predict(sources, models=MODELS, job_size=2)
        failed = {o.source async for o in run if o.error}
    assert set(sources[:2]) == failed


async def test_a_job_that_is_refused_fails_its_own_sources_only() -> None:
    async with FakeHume() as fake, client_of(fake, retry=Retry(attempts=1)) as hume:
        fake.faults.add(Fault("status", status=404, method="POST", times=1))
        run = hume.batch.predict(urls(4), models=MODELS, job_size=2, jobs_at_once=1)
        failed = [o.source async for o in run if o.error]
    assert urls(2) == failed


async def test_a_refused_credential_ends_the_run() -> None:
    async with FakeHume() as fake, HumeAI(api_key="wrong", base_url=fake.url) as hume:
        with pytest.raises(AuthenticationError):
            async for _ in hume.batch.predict(urls(1000), models=MODELS, jobs_at_once=1):
                pass
        assert len(fake.requests) == 1


@pytest.mark.parametrize("is_proxy_bad", [True, False])
async def test_settings_that_let_no_request_out_end_the_run_and_fail_no_source(
    is_proxy_bad: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_proxy_bad:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:x")
    hume = HumeAI(
        api_key="key" if is_proxy_bad else lambda: "",
        base_url="http://hume.example",
        pool=Pool(trust_env=True),
    )
    async with hume:
        with pytest.raises(ConfigurationError):
            await hume.batch.predict_into(tmp_path, urls(3), models=MODELS)
    async with FakeHume() as fake, client_of(fake) as good:
        found = await good.batch.predict_into(tmp_path, urls(3), models=MODELS)
    assert found.counts[State.ARRIVED] == 3


async def test_files_through_the_gateway_are_told_at_once(tmp_path: Path) -> None:
    async with FakeHume(dialect="gateway-recorded") as fake, client_of(fake) as hume:
        with pytest.raises(GatewayUnsupportedError):
            async for _ in hume.batch.predict(media_folder(tmp_path, 2)):
                pass


async def test_an_error_in_the_list_of_sources_ends_the_run_as_itself() -> None:
    def sources() -> Iterator[str]:
        yield from urls(3)
        raise ZeroDivisionError

    async with FakeHume() as fake, client_of(fake) as hume:
        with pytest.raises(ZeroDivisionError):
            async for _ in hume.batch.predict(sources(), models=MODELS, job_size=1):
                pass


async def test_sources_are_read_no_faster_than_outcomes_are_taken() -> None:
    read = 0

    async def sources() -> AsyncIterator[str]:
        nonlocal read
        for url in urls(1000):
            read += 1
            yield url

    async with FakeHume() as fake, client_of(fake) as hume:
        run = hume.batch.predict(sources(), models=MODELS, job_size=10, jobs_at_once=2)
        async with run:
            await anext(run)
            await anyio.sleep(0.1)
            assert 20 <= read <= 40


async def test_jobs_in_flight_are_bounded() -> None:
    in_flight: list[int] = []
    async with FakeHume(run_seconds=0.03) as fake, client_of(fake) as hume:
        async for _ in hume.batch.predict(urls(40), models=MODELS, job_size=1, jobs_at_once=5):
            states = [fake.state(job_id)["status"] for job_id in fake.jobs]
            in_flight += [len(states) - states.count("COMPLETED")]
    assert max(in_flight) <= 5


async def test_leaving_the_loop_early_leaves_nothing_running() -> None:
    async with FakeHume(run_seconds=0.02) as fake, client_of(fake) as hume:
        before = asyncio.all_tasks()
        async for _ in hume.batch.predict(urls(500), models=MODELS, job_size=1):
            break
        gc.collect()
        with anyio.fail_after(10):
            while any("humeai_async/bulk" in repr(task) for task in asyncio.all_tasks() - before):
                await anyio.sleep(0.005)


class Endless(asyncio.Future[None]):
    """What never comes; notes the thread in which it is cancelled."""

    cancelled_in: int | None = None

    def cancel(self, msg: object = None) -> bool:
        self.cancelled_in = threading.get_ident()
        return super().cancel(msg)


async def test_a_run_that_is_collected_in_another_thread_ends_in_that_of_its_loop() -> None:
    endless = Endless()

    async def run(_: OutcomeQueue[str, str]) -> None:
        await endless

    runs = [Outcomes(run)]
    with anyio.move_on_after(0.01):
        await anext(runs[0])
    await anyio.to_thread.run_sync(runs.clear)
    await until(endless.cancelled)
    assert threading.get_ident() == endless.cancelled_in


async def test_several_tasks_may_take_from_a_run_and_all_come_to_its_end() -> None:
    found: list[BulkSource] = []
    async with FakeHume() as fake, client_of(fake) as hume:
        outcomes = hume.batch.predict(urls(6), models={"face": {}}, job_size=2)

        async def take() -> None:
            async for outcome in outcomes:
                found.append(outcome.source)  # noqa: PERF401 - the tasks share it

        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                for _ in range(3):
                    tasks.start_soon(take)
    assert Counter(urls(6)) == Counter(found)


async def test_closing_a_run_ends_it_and_waits_for_the_end() -> None:
    async with FakeHume(run_seconds=5) as fake, client_of(fake) as hume:
        async with hume.batch.predict(urls(5), models=MODELS, job_size=1) as run:
            with anyio.move_on_after(0.05):
                await anext(run)
        count = len(fake.requests)
        await anyio.sleep(0.05)
        assert count == len(fake.requests)


async def test_a_run_that_was_closed_gives_no_more_and_cancels_nobody() -> None:
    async with FakeHume(run_seconds=5) as fake, client_of(fake) as hume:

        def posts() -> int:
            return sum(request.method == "POST" for request in fake.requests)

        begun, unbegun = (hume.batch.predict(urls(5), models=MODELS) for _ in range(2))
        consumer = asyncio.ensure_future(anext(begun))
        while posts() < 1:
            await asyncio.sleep(0)
        await begun.aclose()
        await unbegun.aclose()
        for next_outcome in (consumer, anext(begun), anext(unbegun)):
            with pytest.raises(ClientClosedError, match="the run was closed before its end"):
                await next_outcome
        assert 1 == posts()


async def test_a_run_at_its_end_can_be_closed_and_stays_at_its_end() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        run = hume.batch.predict(urls(2), models=MODELS)
        assert 2 == len([one async for one in run])
        await run.aclose()
        assert [] == [one async for one in run]


async def test_cancelling_the_consumer_ends_the_run() -> None:
    async with FakeHume(run_seconds=5) as fake, client_of(fake) as hume:
        run = hume.batch.predict(urls(5), models=MODELS, job_size=1)
        with anyio.move_on_after(0.05) as scope:
            async for _ in run:
                pass
        await run.aclose()
        assert scope.cancelled_caught


@pytest.mark.parametrize(
    ("settings", "field"),
    [({"job_size": 0}, "job_size"), ({"job_size": 101}, "job_size"),
     ({"jobs_at_once": 0}, "jobs_at_once")],
)  # fmt: skip
async def test_settings_out_of_range_are_refused(settings: dict[str, int], field: str) -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        with pytest.raises(InvalidArgumentError) as caught:
            hume.batch.predict(urls(1), **settings)  # type: ignore[arg-type]  # bad on purpose
    assert field == caught.value.field


@pytest.mark.parametrize(
    "source", ["", "   ", 5, None, b"bytes", "half \ud800", Path("\udcff.wav")]
)
async def test_what_is_no_source_is_refused(source: object) -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        run = hume.batch.predict([source, *urls(1)])  # type: ignore[list-item]  # bad on purpose
        outcomes = [outcome async for outcome in run]
    assert [source] == [o.source for o in outcomes if isinstance(o.error, InvalidArgumentError)]
    assert 2 == len(outcomes)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.slow
async def test_predictions_of_many_jobs_are_fetched_as_they_arrive(dialect: Dialect) -> None:
    async with FakeHume(dialect=dialect, run_seconds=0.02) as fake, client_of(fake) as hume:
        jobs = [await hume.batch.start_job(urls=[url], models=MODELS) for url in urls(40)]
        ids = [job.id for job in jobs[:20]]
        outcomes = [o async for o in hume.batch.fetch_predictions([*ids, *jobs[20:], "gone"])]
    assert {job.id for job in jobs} == {o.job_id for o in outcomes if o.predictions}
    (gone,) = [o for o in outcomes if o.error]
    assert isinstance(gone.error, NotFoundError)
    assert gone.job_id == "gone"


@pytest.mark.parametrize("sources", ["https://media.example.com/a.mp4", b"x", Path("a"), 5])
async def test_one_source_in_place_of_a_list_is_refused(sources: Any) -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        with pytest.raises(InvalidArgumentError, match="sources"):
            hume.batch.predict(sources)


@pytest.mark.slow
async def test_fetching_many_jobs_costs_a_request_a_job_and_a_few_lists() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        jobs = [await hume.batch.start_job(urls=[url], models=MODELS) for url in urls(300)]
        before = hume.stats.requests
        outcomes = [o async for o in hume.batch.fetch_predictions([job.id for job in jobs])]
        assert hume.stats.requests - before <= 300 + 6
    assert {job.id for job in jobs} == {o.job_id for o in outcomes if o.predictions}


@pytest.mark.slow
async def test_jobs_of_long_ago_are_found_in_the_list_too() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        jobs = [await hume.batch.start_job(urls=urls(1), models=MODELS) for _ in range(500)]
        before = hume.stats.requests
        outcomes = [o async for o in hume.batch.fetch_predictions(jobs[:100])]
        assert hume.stats.requests - before <= 100 + 8
    assert [None] * 100 == [outcome.error for outcome in outcomes]


PREDICTIONS = "/v0/batch/jobs/*/predictions"


def spoiled(body: bytes, times: int | None = None) -> Fault:
    return Fault("status", status=200, body=body, path=PREDICTIONS, times=times)


@pytest.mark.parametrize(
    ("body", "path"),
    [(b"<html>busy</html>", "$"), (b'{"message": "busy"}', "$"), (b"", "$"),
     (b'[{"source": {"type": 5}}]', "$[0].source.type"), (b"[{]", "$"), (b"[1, 2]", "$[0]")],
)  # fmt: skip
async def test_predictions_that_are_none_are_an_error(body: bytes, path: str) -> None:
    async with FakeHume() as fake, client_of(fake, retry=Retry(attempts=1)) as hume:
        fake.faults.add(spoiled(body))
        job = await hume.batch.start_job(urls=urls(1), models=MODELS)
        (outcome,) = [o async for o in hume.batch.fetch_predictions([job])]
    assert isinstance(outcome.error, DecodeError)
    assert path == outcome.error.path
    assert outcome.predictions is None
    assert outcome.body is None


async def test_predictions_that_break_off_are_fetched_again() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        fake.faults.add(Fault("garbage", path=PREDICTIONS, times=2))
        fake.faults.add(Fault("truncate", path=PREDICTIONS, times=2))
        jobs = [await hume.batch.start_job(urls=[url], models=MODELS) for url in urls(4)]
        outcomes = [o async for o in hume.batch.fetch_predictions(jobs)]
    assert [None] * 4 == [o.error for o in outcomes]


async def test_the_body_of_a_job_can_be_had_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        job = await hume.batch.start_job(urls=urls(1), models=MODELS)
        await job.wait()
        expected = await job.predictions()
        (outcome,) = [o async for o in hume.batch.fetch_predictions([job])]
        with monkeypatch.context() as patch:
            patch.delattr(Predictions, "from_json")
            assert expected.body == outcome.body
    assert expected == outcome.predictions
    assert expected.body == outcome.body


async def test_predictions_in_memory_are_bounded() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        jobs = [await hume.batch.start_job(urls=[url], models=MODELS) for url in urls(40)]
        async with hume.batch.fetch_predictions(jobs, concurrency=3) as run:
            await anext(run)
            await anyio.sleep(0.1)
            assert 1 <= fake.count(path="/v0/batch/jobs/*/predictions") <= 4


@pytest.mark.parametrize("bad", ["a/b", None, b"a"])
async def test_an_id_that_cannot_be_one_ends_nothing(bad: Any) -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        job = await hume.batch.start_job(urls=urls(1), models=MODELS)
        outcomes = {o.source: o.error async for o in hume.batch.fetch_predictions([bad, job.id])}
    assert isinstance(outcomes[str(bad)], InvalidArgumentError)
    assert outcomes[job.id] is None


async def test_bulk_runs_stand_behind_interactive_calls() -> None:
    asked: list[tuple[str, Priority]] = []

    class Listening(Limiter):
        async def acquire(self, bucket: str = "", **keywords: Any) -> Permit:
            asked.append((bucket.partition("/")[2], keywords["priority"]))
            return await super().acquire(bucket, **keywords)

    async with FakeHume() as fake, client_of(fake, limiter=Listening(rate=1e6)) as hume:
        job = await hume.batch.start_job(urls=urls(1), models=MODELS)
        assert [("batch", INTERACTIVE)] == asked
        asked.clear()
        async for _ in hume.batch.predict(urls(2), models=MODELS):
            pass
        async for _ in hume.batch.fetch_predictions([job.id]):
            pass
    assert [BULK] * 4 == [priority for _, priority in asked if priority == BULK]
