"""The pipeline runs work that is no batch job: one request, one result."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import anyio
import pytest

from humeai_async import APIConnectionError, BulkOptions, DecodeError, HumeError, RateLimitError
from humeai_async.bulk.bodies import Body
from humeai_async.bulk.ledger import read_status
from humeai_async.bulk.ledger_records import Plan, key_of
from humeai_async.bulk.outcome import Outcome
from humeai_async.bulk.outcomes import Outcomes
from humeai_async.bulk.patience import Patience
from humeai_async.bulk.pipeline import Pipeline
from humeai_async.bulk.states import State
from humeai_async.bulk.work import (
    Item,
    Pipes,
    Reading,
    RecordedRequest,
    Sending,
    ServiceClock,
    Submitted,
)
from humeai_async.http.messages import Request

pytestmark = pytest.mark.anyio


class Echo:
    """A service that gives a text back in capitals, for money, in the response itself."""

    configuration = "capitals"

    def __init__(self) -> None:
        self.carried_out: dict[str, str] = {}
        self.trouble: list[HumeError] = []
        """What goes wrong with the next submissions; with `outcome_unknown` after the work."""
        self.fetches = 0
        self.reads_all = False

    async def identify(self, sources: Sequence[str]) -> list[Item[str]]:
        return [Item("echo", key_of("echo", one), one) for one in sources]

    async def begin(self) -> int | None:
        return 0

    @property
    def longest_submission(self) -> float | None:
        return 1.0

    @property
    def keeps_results(self) -> bool:
        return True

    async def submit(self, items: Sequence[Item[str]], sending: Sending) -> Submitted:
        (item,) = items
        await sending(Request("POST", "/echo", "https://echo.example.com", {}))
        problem = self.trouble.pop(0) if self.trouble else None
        if problem is not None and not problem.outcome_unknown:
            raise problem
        name = f"run-{len(self.carried_out)}"
        self.carried_out[name] = item.source
        if problem is not None:
            raise problem
        return Submitted(name, item.source.upper().encode())

    async def search(
        self, plan: Plan, items: Sequence[Item[str]], known: Collection[str], *, is_new: bool
    ) -> Submitted | None:
        del is_new, items
        for name, text in self.carried_out.items():
            if name not in known and key_of("echo", text) == plan.keys[0]:
                return Submitted(name)
        return None

    async def collect(
        self,
        work_id: str,
        timeout: float | None,
        on_request: Callable[[RecordedRequest], None],
        into: Body,
    ) -> None:
        del timeout, on_request
        self.fetches += 1
        into.hold(self.carried_out[work_id].upper().encode())

    def read(
        self, plan: Plan, work_id: str, body: Body, items: Sequence[Item[str]]
    ) -> Iterator[Reading[str]]:
        del plan, work_id
        text = body.whole().decode()
        if "?" in text and not self.reads_all:
            raise DecodeError("a question mark")
        return iter([Reading(text) for _ in items])


async def run(
    service: Echo, sources: Sequence[str], ledger: Path | None = None, **options: float
) -> list[Outcome[str, str]]:
    given = {"job_size": 1, "search_patience": 0.05, **options}
    pipes = Pipes(
        kind=service,
        options=BulkOptions(**given),  # type: ignore[arg-type]  # of whatever type
        clock=ServiceClock(),
        patience=Patience(lambda seconds: anyio.sleep(min(seconds, 0.001)), 5.0),
        ledger=ledger,
    )
    return [one async for one in Outcomes(Pipeline(sources, pipes).run)]


async def test_each_request_has_its_own_result_from_the_response_itself(tmp_path: Path) -> None:
    service = Echo()
    outcomes = await run(service, ["a", "b", "c"], tmp_path / "run.db")
    assert {"a": "A", "b": "B", "c": "C"} == {one.source: one.result() for one in outcomes}
    assert (service.fetches, len(service.carried_out)) == (0, 3)
    assert await run(service, ["a", "b", "c"], tmp_path / "run.db") == []


async def test_a_response_that_was_lost_is_found_and_not_bought_again(tmp_path: Path) -> None:
    service = Echo()
    service.trouble = [APIConnectionError("reset", outcome_unknown=True)]
    (outcome,) = await run(service, ["a"], tmp_path / "run.db")
    assert outcome.result() == "A"
    assert list(service.carried_out.values()) == ["a"]


async def test_refusals_for_the_quota_and_outages_are_waited_out() -> None:
    service = Echo()
    service.trouble = [RateLimitError("429", status=429)] * 7
    service.trouble += [APIConnectionError("refused")] * 7
    outcomes = await run(service, ["a", "b"])
    assert [None, None] == [one.error for one in outcomes]
    assert sorted(service.carried_out.values()) == ["a", "b"]


async def test_a_result_that_cannot_be_read_is_kept_and_never_bought_again(tmp_path: Path) -> None:
    service, path = Echo(), tmp_path / "run.db"
    (first,) = await run(service, ["why?"], path)
    assert first.is_unreadable
    kept = [file.read_bytes() for file in (tmp_path / "run.db.kept").iterdir()]
    assert kept == [b"WHY?"]
    assert await run(service, ["why?"], path) == []
    (again,) = await run(service, ["why?"], path, retry_failed=True)
    assert again.is_unreadable
    assert len(service.carried_out) == 1
    assert (await read_status(path)).counts[State.UNREADABLE] == 1

    service.reads_all = True
    (now,) = await run(service, ["why?"], path, retry_failed=True)
    assert now.result() == "WHY?"
    assert not (tmp_path / "run.db.kept").exists()
    assert (await read_status(path)).counts[State.ARRIVED] == 1
