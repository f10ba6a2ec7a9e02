"""Large results are read beside the event loop, and what is missing is waited for a while."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import pytest
from support import client_of
from virtual_time import VirtualLoop

from humeai_async import BulkOptions, NotFoundError
from humeai_async.batch.bulk_jobs import JobWork
from humeai_async.bulk import collecting
from humeai_async.bulk.bodies import Body
from humeai_async.bulk.collecting import Results
from humeai_async.bulk.ledger import Memory
from humeai_async.bulk.ledger_records import Plan
from humeai_async.bulk.patience import Patience
from humeai_async.bulk.submissions import Submissions
from humeai_async.bulk.work import Item, Pipes, Reading, RecordedRequest, ServiceClock, Submitted
from humeai_async.testing import FakeHume

pytestmark = pytest.mark.anyio
URLS = [f"https://media.example.com/{n}.mp4" for n in range(3)]


@pytest.mark.parametrize("is_large", [False, True])
async def test_large_results_are_read_in_a_thread(
    is_large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []
    read = JobWork.read

    def noting(work: JobWork, *given: Any) -> Any:
        threads.append(threading.current_thread())
        return read(work, *given)

    monkeypatch.setattr(JobWork, "read", noting)
    if is_large:
        monkeypatch.setattr(collecting, "_LARGE_BODY", 1)
    async with FakeHume(frames=2) as fake, client_of(fake) as hume:
        found = [one async for one in hume.batch.predict(URLS, models={"face": {}})]
    assert sorted(str(one.source) for one in found) == URLS
    assert all(one.predictions is not None for one in found)
    assert [one is threading.main_thread() for one in threads] == [not is_large]


class Forgetful:
    """A kind of work at a service that does not know it, now and then.

    Args:
        looks: What each look at the piece of work does: seconds until it is seen unfinished, or
            `None` where it is not, and seconds until a 404 then; results after the last one.
    """

    longest_submission = None

    def __init__(self, *looks: tuple[float | None, float]) -> None:
        self.looks = list(looks)

    async def collect(
        self,
        work_id: str,
        timeout: float | None,
        on_request: Callable[[RecordedRequest | None], None],
        into: Body,
    ) -> None:
        del timeout
        if not self.looks:
            into.hold(b"there")
            return
        known, gone = self.looks.pop(0)
        if known is not None:
            await anyio.sleep(known)
            on_request(None)
        await anyio.sleep(gone)
        raise NotFoundError(f"no {work_id}", status=404)

    def read(self, plan: Plan, work_id: str, body: Body, items: Any) -> Iterator[Reading[bytes]]:
        del plan, work_id, items
        return iter([Reading(body.whole())])


def fetch(kind: Any, search_patience: float = 60.0) -> bytes:
    """Fetch what a piece of work that was named long ago has, in virtual time."""
    pipes = Pipes[str, bytes](
        kind=kind,
        options=BulkOptions(search_patience=search_patience),
        clock=ServiceClock(),
        patience=Patience(anyio.sleep, 600.0),
    )
    plan = Plan(number=1, kind="urls", keys=(b"key",), marks=(b"mark",), planned_ms=0)

    async def work() -> list[Reading[bytes]]:
        memory, slots = Memory(), anyio.Semaphore(1)
        submissions = Submissions[str, bytes](pipes, memory, slots, [], lambda _: None)
        await anyio.sleep(search_patience)
        results = Results[str, bytes](pipes, memory, submissions, None)
        with anyio.fail_after(86_400):
            return await results.fetch_and_read(plan, Submitted("job"), [Item("urls", b"key", "a")])

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        (reading,) = runner.run(work())
    assert reading.result is not None
    return reading.result


@pytest.mark.parametrize("patience", [60.0, 0.05], ids=["a minute", "less than a request"])
def test_a_job_that_is_not_there_is_given_up_however_long_each_look_takes(patience: float) -> None:
    with pytest.raises(NotFoundError):
        fetch(Forgetful(*[(None, 90.0)] * 10_000), patience)


def test_a_job_that_was_seen_again_is_missing_anew() -> None:
    assert fetch(Forgetful(*[(600.0, 1.0), (None, 1.0)] * 20)) == b"there"


def test_an_outage_between_two_404s_does_not_give_up_a_job() -> None:
    assert fetch(Forgetful((None, 1.0), (None, 500.0), (None, 1.0))) == b"there"
