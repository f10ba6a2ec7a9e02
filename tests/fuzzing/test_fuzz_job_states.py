"""Jobs whose states come in any order: a wait ends as it should, in time, and never spins.

In virtual time. A server answers each request, for one job or for the list, with whatever comes
next in its script, and when that is over goes on with the last.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from attrs import define, field
from fuzzing.budget import examples
from hypothesis import given
from hypothesis import strategies as st
from scripted_transport import ScriptedTransport, json_answer, reply_json
from support import session_of
from virtual_time import VirtualLoop

from humeai_async import Limiter
from humeai_async.batch.as_completed import AsCompleted
from humeai_async.batch.job import Job
from humeai_async.batch.poller import Poller
from humeai_async.errors import (
    DecodeError,
    HumeError,
    JobFailedError,
    JobTimeoutError,
    NotFoundError,
)
from humeai_async.http.messages import Request, Response


def unpaced() -> Limiter:
    """Return a limiter that never has anybody wait."""
    return Limiter(rate=1e6, burst=1_000_000)


STATES = st.sampled_from(["QUEUED", "IN_PROGRESS", "COMPLETED", "FAILED", "PAUSED", ""])
ERRORS = st.sampled_from([400, 401, 403, 404, 410, 429, 500, 503, 200])
"""200 is for what is no JSON."""
OPEN_STATES = st.sampled_from(["QUEUED", "IN_PROGRESS", "PAUSED", ""])
ONE = st.one_of(OPEN_STATES, OPEN_STATES, STATES, ERRORS, st.just("another job"))
LISTED = st.lists(st.tuples(st.integers(0, 5), STATES, st.none() | st.integers(0, 9)), max_size=6)
LIST = LISTED | LISTED | ERRORS


def details(number: int, status: str, created: int | None = 5) -> dict[str, Any]:
    state = {"status": status, "created_timestamp_ms": created, "message": "no reason"}
    return {"job_id": f"job-{number}", "type": "NEW", "state": state}


@define
class Server:
    """Says of jobs what its scripts say, in the order of the requests."""

    ones: list[Any]
    lists: list[Any]
    served: dict[int, set[str]] = field(factory=dict[int, set[str]])
    """States that were told of each job."""
    errors: set[int] = field(factory=set[int])
    gone: set[int] = field(factory=set[int])
    requests: int = 0

    def __call__(self, request: Request) -> Response:
        self.requests += 1
        if self.requests > 5000:
            raise AssertionError("this spins")
        _, _, last = request.url.partition("?")[0].rpartition("/")
        if last == "jobs":
            return self._answer(self.lists.pop(0) if len(self.lists) > 1 else self.lists[0])
        number = int(last.removeprefix("job-"))
        step = self.ones.pop(0) if len(self.ones) > 1 else self.ones[0]
        if step == 404:
            self.gone.add(number)
        if isinstance(step, int):
            return self._answer(step)
        if step == "another job":
            self.errors.add(200)
            return reply_json(details(99, "COMPLETED"))
        self.served.setdefault(number, set()).add(step)
        return reply_json(details(number, step))

    def _answer(self, step: Any) -> Response:
        if isinstance(step, int):
            self.errors.add(step)
            return json_answer(b"<html>", step)
        for number, status, _ in step:
            self.served.setdefault(number, set()).add(status)
        return reply_json([details(*one) for one in step])


SCRIPTS = st.builds(
    Server, st.lists(ONE, min_size=1, max_size=12), st.lists(LIST, min_size=1, max_size=8)
)
TIMEOUTS = st.sampled_from([0.0, 0.5, 3.0, 60.0, 900.0])


def most_requests(jobs: int, seconds: float) -> float:
    """Count what a wait may cost: rounds that come less and less often, of a few requests."""
    return (20 + seconds / 10) * (jobs + 4)


@pytest.mark.slow
@examples(200)
@given(SCRIPTS, st.lists(TIMEOUTS, min_size=1, max_size=5))
def test_every_wait_ends_in_time_with_what_was_told(server: Server, timeouts: list[float]) -> None:
    session = session_of(ScriptedTransport(otherwise=server), limiter=unpaced())
    poller = Poller(session)
    jobs = [Job(f"job-{number}", session, poller) for number in range(len(timeouts))]
    heard: list[list[str]] = [[] for _ in jobs]

    async def wait(number: int) -> tuple[Any, float]:
        began = asyncio.get_running_loop().time()
        outcome: Any = None
        try:
            outcome = await jobs[number].wait(
                timeouts[number], lambda job: heard[number].append(str(job.status))
            )
        except HumeError as problem:
            outcome = problem
        return outcome, asyncio.get_running_loop().time() - began

    async def wait_for_all() -> list[tuple[Any, float]]:
        return await asyncio.gather(*(wait(number) for number in range(len(jobs))))

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        outcomes = runner.run(wait_for_all())
    for number, (outcome, seconds) in enumerate(outcomes):
        told = server.served.get(number, set())
        assert seconds <= timeouts[number] + 0.001
        assert set(heard[number]) <= told
        if outcome is jobs[number]:
            assert heard[number][-1] == "COMPLETED"
        elif isinstance(outcome, JobFailedError):
            assert heard[number][-1] == "FAILED"
        elif isinstance(outcome, JobTimeoutError):
            assert seconds >= timeouts[number] - 0.001
            assert not {"COMPLETED", "FAILED"} & set(heard[number])
        elif isinstance(outcome, NotFoundError) and number in server.gone:
            assert "COMPLETED" not in heard[number]
        else:
            assert (outcome.status or 200) in server.errors
    assert server.requests <= most_requests(len(jobs), max(timeouts))


@pytest.mark.slow
@examples(100)
@given(SCRIPTS, st.integers(1, 6))
def test_as_completed_gives_each_job_once_or_says_why_not(server: Server, count: int) -> None:
    session = session_of(ScriptedTransport(otherwise=server), limiter=unpaced())
    poller = Poller(session)
    ended = AsCompleted([Job(f"job-{n}", session, poller) for n in range(count)], poller)
    given_out: list[str] = []
    failures: list[HumeError] = []

    async def read() -> None:
        async with asyncio.timeout(120):
            while True:
                try:
                    given_out.append((await anext(ended)).id)
                except HumeError as problem:
                    failures.append(problem)
                except StopAsyncIteration:
                    return

    is_over = True
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        try:
            runner.run(read())
        except TimeoutError:
            is_over = False
    assert len(given_out) == len(set(given_out))
    assert len(given_out) + len(failures) <= count
    assert not is_over or len(given_out) + len(failures) == count
    for name in given_out:
        assert {"COMPLETED", "FAILED"} & server.served[int(name.removeprefix("job-"))]
    assert all((problem.status or 200) in server.errors for problem in failures)
    assert server.requests <= most_requests(count, 120)


def test_as_completed_asks_less_and_less_often_like_a_wait() -> None:
    server = Server(["IN_PROGRESS"], [[]])
    session = session_of(ScriptedTransport(otherwise=server), limiter=unpaced())
    poller = Poller(session)
    ended = AsCompleted([Job("job-0", session, poller)], poller)

    async def read() -> None:
        async with asyncio.timeout(600):
            await anext(ended)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner, pytest.raises(TimeoutError):
        runner.run(read())
    assert 30 < server.requests < 80


@pytest.mark.parametrize(("told", "outcome"), [("JOB-0", Job), ("job-1", DecodeError)])
def test_news_of_a_job_count_for_it_in_whatever_case_its_id_is_written(
    told: str, outcome: type
) -> None:
    answer = reply_json({**details(0, "COMPLETED"), "job_id": told})
    session = session_of(ScriptedTransport(otherwise=answer), limiter=unpaced())
    job = Job("job-0", session, Poller(session))

    async def wait() -> object:
        try:
            return await job.wait(timeout=3600)
        except HumeError as problem:
            return problem

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert isinstance(runner.run(wait()), outcome)
