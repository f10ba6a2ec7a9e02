"""Waits for jobs, and what they cost in requests."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from itertools import pairwise

import anyio
import anyio.lowlevel
import pytest
from support import client_of
from virtual_time import BACKEND

from humeai_async import (
    APIConnectionError,
    AuthenticationError,
    DecodeError,
    HumeAI,
    InvalidArgumentError,
    JobFailedError,
    JobTimeoutError,
    NotFoundError,
    Polling,
    Request,
    Retry,
    ServerError,
)
from humeai_async.batch import poller
from humeai_async.batch.job import Job
from humeai_async.testing import FakeHume, Fault, ManualClock, MockTransport, Options

pytestmark = pytest.mark.anyio

QUEUED = {"status": "QUEUED", "created_timestamp_ms": 1}


async def start(hume: HumeAI, count: int, name: str = "clip") -> list[Job]:
    urls = [f"https://media.example.com/{name}-{n}.mp4" for n in range(count)]
    return [await hume.batch.start_job(urls=[url], models={"face": {}}) for url in urls]


@pytest.fixture
async def slow() -> AsyncIterator[FakeHume]:
    """A fake whose jobs end ten seconds of its own clock after they began."""
    async with FakeHume(clock=ManualClock(), run_seconds=10) as fake:
        yield fake


async def wait_all(jobs: list[Job]) -> None:
    async with anyio.create_task_group() as tasks:
        for job in jobs:
            tasks.start_soon(job.wait)


def clock_of(fake: FakeHume) -> ManualClock:
    assert isinstance(fake.clock, ManualClock)
    return fake.clock


@pytest.mark.slow
async def test_500_jobs_waited_for_together_cost_fewer_than_20_requests_a_round(
    slow: FakeHume,
) -> None:
    async with client_of(slow) as hume:
        jobs = await start(hume, 500)
        before = hume.stats.requests
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait_all, jobs)
            while hume.stats.requests == before:
                await anyio.sleep(0.001)
            clock_of(slow).advance(20)
        lists = [r for r in slow.requests if r.method == "GET"]
        rounds = sum("when" not in dict(r.query) for r in lists)
        assert {"COMPLETED"} == {str(job.status) for job in jobs}
    assert slow.count(path="/v0/batch/jobs/*") == 0
    assert rounds >= 1
    assert len(lists) <= 6 * rounds


async def test_a_server_that_gives_shorter_lists_is_walked_all_the_same() -> None:
    async with FakeHume(options=Options(list_cap=50)) as fake, client_of(fake) as hume:
        jobs = await start(hume, 120)
        before = hume.stats.requests
        await wait_all(jobs)
    assert hume.stats.requests - before <= 3


async def test_one_job_alone_is_asked_for_by_itself() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        (job,) = await start(hume, 1)
        await job.wait()
        assert fake.count(method="GET", path="/v0/batch/jobs/*") == 1
        assert fake.count(method="GET", path="/v0/batch/jobs") == 0


async def test_one_wait_after_another_asks_at_once_each_time() -> None:
    hours = Polling(min_interval=3600, max_interval=3600)
    async with FakeHume() as fake, client_of(fake, polling=hours) as hume:
        jobs = await start(hume, 3)
        with anyio.fail_after(30):
            for job in jobs:
                await job.wait(timeout=20)
    assert fake.count(path="/v0/batch/jobs/*") == 3


@pytest.mark.slow
async def test_a_job_that_the_list_does_not_show_is_asked_for_by_itself() -> None:
    async with FakeHume(clock=ManualClock()) as fake, client_of(fake) as hume:
        old = await start(hume, 1, "old")
        clock_of(fake).advance(60)
        await start(hume, 450, "others")
        clock_of(fake).advance(60)
        new = await start(hume, 2, "new")
        await wait_all(old + new)
        assert fake.count(method="GET", path="/v0/batch/jobs/*") == 1


async def test_a_settled_job_costs_no_request() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        (job,) = await start(hume, 1)
        await job.wait()
        before = hume.stats.requests
        await job.wait()
        assert before == hume.stats.requests


async def test_a_wait_ends_with_its_timeout_and_the_job_goes_on(slow: FakeHume) -> None:
    async with client_of(slow) as hume:
        (job,) = await start(hume, 1)
        with pytest.raises(JobTimeoutError, match="wait again") as caught:
            await job.wait(timeout=0.05)
        assert caught.value.job_id == job.id
        assert caught.value.job_status == "IN_PROGRESS"
        assert 0.05 <= caught.value.elapsed < 5
        clock_of(slow).advance(20)
        await job.wait(timeout=5)


async def test_an_unknown_status_is_waited_on() -> None:
    unknown = Fault(
        "status",
        status=200,
        path="/v0/batch/jobs/*",
        method="GET",
        times=2,
        body=b'{"type":"INFERENCE","job_id":"%s","request":{},"state":{"status":"PAUSED"}}',
    )
    async with FakeHume() as fake, client_of(fake) as hume:
        (job,) = await start(hume, 1)
        assert unknown.body is not None
        body = unknown.body % job.id.encode()
        fake.faults.add(
            Fault("status", status=200, path=unknown.path, method="GET", times=2, body=body)
        )
        seen: list[str] = []
        await job.wait(timeout=5, on_update=lambda job: seen.append(str(job.status)))
    assert seen == ["PAUSED", "COMPLETED"]


async def test_updates_come_once_for_each_change_and_may_be_async(slow: FakeHume) -> None:
    seen: list[str] = []

    async def note(job: Job) -> None:
        await anyio.lowlevel.checkpoint()
        seen.append(str(job.status))
        clock_of(slow).advance(20)

    async with client_of(slow) as hume:
        (job,) = await start(hume, 1)
        await job.wait(on_update=note)
    assert seen == ["IN_PROGRESS", "COMPLETED"]


async def test_an_error_in_one_callers_callback_hurts_nobody_else(slow: FakeHume) -> None:
    def fail(_: Job) -> None:
        raise ZeroDivisionError

    async with client_of(slow) as hume:
        jobs = await start(hume, 3)

        async def wait_badly() -> None:
            with pytest.raises(ZeroDivisionError):
                await jobs[0].wait(on_update=fail)
            clock_of(slow).advance(20)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait_badly)
            tasks.start_soon(wait_all, jobs)
        assert {"COMPLETED"} == {str(job.status) for job in jobs}


async def test_when_the_leader_is_cancelled_another_wait_takes_over(slow: FakeHume) -> None:
    async with client_of(slow) as hume:
        jobs = await start(hume, 4)
        leader = anyio.CancelScope()

        async def lead() -> None:
            with leader:
                await jobs[0].wait()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lead)
            await anyio.sleep(0.02)
            tasks.start_soon(wait_all, jobs[1:])
            await anyio.sleep(0.02)
            leader.cancel()
            clock_of(slow).advance(20)
        assert {"COMPLETED"} == {str(job.status) for job in jobs[1:]}
        assert jobs[0].status != "COMPLETED"


async def test_cancelling_at_any_moment_leaves_the_others_waiting_well(slow: FakeHume) -> None:
    async with client_of(slow) as hume:
        jobs = await start(hume, 12)
        scopes = [anyio.CancelScope() for _ in jobs]

        async def wait(job: Job, scope: anyio.CancelScope) -> None:
            with scope:
                await job.wait()

        async with anyio.create_task_group() as tasks:
            for job, scope in zip(jobs, scopes, strict=True):
                tasks.start_soon(wait, job, scope)
            for scope in scopes[:-1]:
                await anyio.sleep(0.003)
                scope.cancel()
            clock_of(slow).advance(20)
        assert jobs[-1].status == "COMPLETED"


async def test_a_vanished_job_raises_for_its_own_wait_only() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        jobs = await start(hume, 3)
        gone = hume.batch.job("gone")
        outcomes: list[type[Exception]] = []

        async def wait_gone() -> None:
            with pytest.raises(NotFoundError) as caught:
                await gone.wait(timeout=5)
            outcomes.append(type(caught.value))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait_gone)
            tasks.start_soon(wait_all, jobs)
    assert len(outcomes) == 1


async def test_rounds_that_fail_in_passing_are_sat_out() -> None:
    async with FakeHume() as fake, client_of(fake, retry=Retry(attempts=1)) as hume:
        jobs = await start(hume, 3)
        fake.faults.add(Fault("status", status=500, method="GET", times=3))
        await wait_all(jobs)


async def test_a_service_that_stays_of_no_use_ends_the_waits_with_its_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(poller, "PATIENCE", 0.1)
    async with FakeHume() as fake, client_of(fake, retry=Retry(attempts=1)) as hume:
        (job,) = await start(hume, 1)
        fake.faults.add(Fault("status", status=500, method="GET", times=None))
        began = anyio.current_time()
        with pytest.raises(ServerError, match="500"):
            await job.wait(timeout=20)
        assert anyio.current_time() - began >= 0.1


@pytest.mark.parametrize("jobs", [1, 5])
async def test_an_outage_longer_than_many_rounds_is_waited_out(jobs: int) -> None:
    rounds = Polling(min_interval=0.002, max_interval=0.01)
    once = Retry(attempts=1)
    async with FakeHume() as fake, client_of(fake, retry=once, polling=rounds) as hume:
        handles = await start(hume, jobs)
        fake.faults.add(Fault("reset", method="GET", times=12))
        await wait_all(handles)
        assert {"COMPLETED"} == {str(job.status) for job in handles}


async def test_a_wait_that_an_outage_outlasts_says_what_failed() -> None:
    async with FakeHume() as fake, client_of(fake, retry=Retry(attempts=1)) as hume:
        (job,) = await start(hume, 1)
        fake.faults.add(Fault("reset", method="GET", times=None))
        with pytest.raises(JobTimeoutError, match="failed with APIConnectionError") as caught:
            await job.wait(timeout=0.2)
    assert isinstance(caught.value.__cause__, APIConnectionError)


def broken_list(job_ids: list[str], broken: int) -> bytes:
    """Write a list of completed jobs, of which one cannot be read."""
    jobs: list[dict[str, object]] = [
        {"type": "INFERENCE", "job_id": job_id, "request": {}, "state": {"status": "COMPLETED"}}
        for job_id in job_ids
    ]
    jobs[broken] = {"type": "INFERENCE", "job_id": job_ids[broken], "state": 5}
    return json.dumps(jobs).encode()


async def test_a_job_list_with_one_entry_that_cannot_be_read_serves_the_others() -> None:
    async with FakeHume() as fake, client_of(fake, retry=Retry(attempts=1)) as hume:
        jobs = await start(hume, 5)
        body = broken_list([job.id for job in jobs], 2)
        fake.faults.add(
            Fault("status", status=200, method="GET", path="/v0/batch/jobs", body=body, times=None)
        )
        await wait_all(jobs)
        assert {"COMPLETED"} == {str(job.status) for job in jobs}


async def test_a_job_that_cannot_be_read_fails_its_own_wait_only() -> None:
    async with FakeHume() as fake, client_of(fake, retry=Retry(attempts=1)) as hume:
        jobs = await start(hume, 5)
        odd = jobs[2].id
        body = broken_list([job.id for job in jobs], 2)
        fake.faults.add(
            Fault("status", status=200, method="GET", path="/v0/batch/jobs", body=body, times=None)
        )
        path = f"/v0/batch/jobs/{odd}"
        fake.faults.add(
            Fault("status", status=200, method="GET", path=path, body=b'{"state": 5}', times=None)
        )

        async def wait_in_vain() -> None:
            with pytest.raises(DecodeError):
                await jobs[2].wait(timeout=20)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait_in_vain)
            tasks.start_soon(wait_all, jobs[:2] + jobs[3:])


async def test_a_refused_credential_ends_all_waits_at_once() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        jobs = await start(hume, 3)
        fake.faults.add(Fault("status", status=401, method="GET", times=None))
        for job in jobs:
            with pytest.raises(AuthenticationError):
                await job.wait(timeout=20)


@pytest.mark.parametrize("anyio_backend", [BACKEND], ids=["virtual"])
async def test_the_pauses_between_rounds_grow_with_the_time_waited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_jitter(_low: float, _high: float) -> float:
        return 1.0

    monkeypatch.setattr("humeai_async.batch.poller.random.uniform", no_jitter)
    rounds: list[float] = []

    def describe(_: Request) -> tuple[int, object]:
        rounds.append(anyio.current_time())
        return 200, {"type": "INFERENCE", "job_id": "a", "request": {}, "state": QUEUED}

    hume = HumeAI(
        api_key="k",
        transport=MockTransport(describe),
        polling=Polling(min_interval=1, max_interval=4),
    )
    async with hume:
        with pytest.raises(JobTimeoutError):
            await hume.batch.job("a").wait(timeout=50)
    pauses = [later - earlier for earlier, later in pairwise(rounds)]
    waited = [at - rounds[0] for at in rounds]
    assert pauses == pytest.approx([min(max(1, one / 4), 4) for one in waited[:-1]])
    assert (pauses[0], pauses[-1]) == pytest.approx((1, 4))


async def test_jobs_are_given_as_they_end_failed_ones_included() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        jobs = await start(hume, 5) + await start(hume, 1, "fail-job")
        before = hume.stats.requests
        seen = [job async for job in hume.batch.as_completed(jobs)]
        requests = hume.stats.requests - before
    assert {job.id for job in jobs} == {job.id for job in seen}
    assert sum(job.status == "FAILED" for job in seen) == 1
    assert requests == 1


async def test_several_tasks_may_take_jobs_as_they_end() -> None:
    ended: list[str] = []
    async with FakeHume(run_seconds=0.1) as fake, client_of(fake) as hume:
        jobs = await start(hume, 4)
        completed = hume.batch.as_completed(jobs)

        async def take() -> None:
            async for job in completed:
                ended.append(job.id)  # noqa: PERF401 - the tasks share it

        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                for _ in range(3):
                    tasks.start_soon(take)
    assert sorted(job.id for job in jobs) == sorted(ended)


async def test_the_order_of_completion_is_the_order_given() -> None:
    clock = ManualClock()
    slowest = {"clip-0": 30.0, "clip-1": 10.0, "clip-2": 20.0}

    def seconds(job: object) -> float:
        return next(value for name, value in slowest.items() if name in repr(job))

    async with FakeHume(clock=clock, run_seconds=seconds) as fake, client_of(fake) as hume:
        jobs = await start(hume, 3)
        order: list[int] = []
        completed = hume.batch.as_completed(jobs)
        for _ in jobs:
            clock.advance(11)
            order.append(jobs.index(await anext(completed)))
    assert order == [1, 2, 0]


async def test_waiting_for_a_job_that_failed_before_raises_at_once() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        (job,) = await start(hume, 1, "fail-job")
        await job.refresh()
        before = hume.stats.requests
        with pytest.raises(JobFailedError):
            await job.wait()
        assert before == hume.stats.requests


@pytest.mark.parametrize("status", [403, 404, 405, 422, 500, 501])
async def test_where_there_is_no_list_jobs_are_asked_for_singly(status: int) -> None:
    async with FakeHume() as fake, client_of(fake, retry=Retry(attempts=1)) as hume:
        jobs = await start(hume, 5)
        fake.faults.add(
            Fault("status", status=status, method="GET", path="/v0/batch/jobs", times=None)
        )
        await wait_all(jobs)
        assert {"COMPLETED"} == {str(job.status) for job in jobs}


async def test_a_job_that_is_gone_is_told_after_those_that_ended() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        jobs = await start(hume, 2)
        completed = hume.batch.as_completed([*jobs, "gone"])
        seen = {(await anext(completed)).id for _ in jobs}
        with pytest.raises(NotFoundError):
            await anext(completed)
        assert [job async for job in completed] == []
    assert {job.id for job in jobs} == seen


def done(job_id: str) -> Fault:
    """Answer for one job, whichever is asked for."""
    body = b'{"type":"INFERENCE","job_id":"%s","request":{},"state":{"status":"COMPLETED"}}'
    return Fault(
        "status",
        status=200,
        method="GET",
        path="/v0/batch/jobs/*",
        times=None,
        body=body % job_id.encode(),
    )


async def test_the_case_of_a_jobs_id_does_not_matter() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        fake.faults.add(done("8b1c2f3a-4d5e"))
        job = hume.batch.job("8B1C2F3A-4D5E")
        await job.wait(timeout=5)
    assert (job.id, job.status) == ("8B1C2F3A-4D5E", "COMPLETED")


async def test_news_of_another_job_are_none_of_the_one_asked_for() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        fake.faults.add(done("theirs"))
        job = hume.batch.job("ours")
        with pytest.raises(
            DecodeError, match="the response about job ours names a different job"
        ) as caught:
            await job.wait(timeout=5)
    assert caught.value.path == "$.job_id"
    assert job.details is None


async def test_ids_can_be_given_in_place_of_jobs() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        jobs = await start(hume, 3)
        seen = [job.id async for job in hume.batch.as_completed([job.id for job in jobs])]
    assert {job.id for job in jobs} == set(seen)


async def test_a_callback_ends_a_wait_in_one_request(slow: FakeHume) -> None:
    polling = Polling(min_interval=30, max_interval=60)  # the test would not wait for it
    async with client_of(slow, polling=polling) as hume:
        [job] = await start(hume, 1)
        before = 0
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(job.wait)
            while job.status is None:
                await anyio.sleep(0.001)
            clock_of(slow).advance(20)
            before = hume.stats.requests
            with anyio.fail_after(5):
                hume.batch.wake(job.id.upper())
                while str(job.status) != "COMPLETED":
                    await anyio.sleep(0.001)
    assert hume.stats.requests == before + 1


async def test_a_callback_asks_for_its_job_and_no_other(slow: FakeHume) -> None:
    polling = Polling(min_interval=30, max_interval=60)
    async with client_of(slow, polling=polling) as hume:
        jobs = await start(hume, 5)
        async with anyio.create_task_group() as tasks:
            for job in jobs:
                tasks.start_soon(job.wait)
            while any(job.status is None for job in jobs):
                await anyio.sleep(0.001)
            clock_of(slow).advance(20)
            before = hume.stats.requests
            with anyio.fail_after(5):
                hume.batch.wake(jobs[3].id)
                while str(jobs[3].status) != "COMPLETED":
                    await anyio.sleep(0.001)
            assert hume.stats.requests == before + 1
            tasks.cancel_scope.cancel()


async def test_callbacks_for_one_job_cost_one_request_an_interval(slow: FakeHume) -> None:
    polling = Polling(min_interval=30, max_interval=60)
    async with client_of(slow, polling=polling) as hume:
        [job] = await start(hume, 1)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(job.wait)
            while job.status is None:
                await anyio.sleep(0.001)
            before = hume.stats.requests
            for _ in range(20):
                hume.batch.wake(job.id)
                await anyio.sleep(0.005)
            assert hume.stats.requests == before + 1
            tasks.cancel_scope.cancel()


async def test_a_callback_for_a_job_that_nobody_waits_for_costs_nothing(slow: FakeHume) -> None:
    async with client_of(slow) as hume:
        [job] = await start(hume, 1)
        before = hume.stats.requests
        hume.batch.wake(job.id)
        hume.batch.wake("0d1e")
        await anyio.sleep(0.02)
    assert hume.stats.requests == before


async def test_a_callback_with_an_id_that_is_none_is_refused(slow: FakeHume) -> None:
    async with client_of(slow) as hume:
        with pytest.raises(InvalidArgumentError, match="job_id"):
            hume.batch.wake("../admin")
