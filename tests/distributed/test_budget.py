"""A budget over the partitions of a run, whoever works on them: never more is billed."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from distributed_support import sources_in
from live_support import clips

from humeai_async import ConfigurationError, HumeAI, InvalidArgumentError, LedgerError
from humeai_async.bulk.options import BulkOptions
from humeai_async.decisions import Noul
from humeai_async.distributed import (
    PartitionReport,
    collect,
    partitions,
    plan,
    plan_decisions,
    plan_measurements,
    work,
)
from humeai_async.distributed.budget import grant
from humeai_async.distributed.results import results_name, write_facts
from humeai_async.distributed.store import LocalStore
from humeai_async.testing import FakeHume, Fault

pytestmark = pytest.mark.anyio
PATIENT = BulkOptions(search_patience=0.5, jobs_at_once=2)
LEAST = 10.0
"""Seconds that each of the clips is billed."""


async def work_on_all(into: Path, hume: HumeAI, budget: float) -> list[PartitionReport]:
    """Work on all partitions at the same time."""
    async with asyncio.TaskGroup() as tasks:
        begun = [
            tasks.create_task(work(one, hume, options=PATIENT, budget=budget))
            for one in await partitions(into)
        ]
    return [one.result() for one in begun]


def end(store: LocalStore, number: int, billed: float) -> None:
    """Put a report in place as of a partition that is done."""
    facts = {"number": number, "sources": 1, "arrived": 1, "failed": 0, "billed": billed}
    write_facts(store, number, facts)
    store.put(results_name(number), b"")


def test_partitions_share_what_is_left_and_what_is_done_counts_as_billed(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    assert grant(store, 0, 100.0, 0.0, 60.0) == 60.0
    assert grant(store, 1, 100.0, 0.0, 60.0) == 40.0
    assert grant(store, 2, 100.0, 0.0, 5.0) == 0.0
    end(store, 0, 45.0)
    assert grant(store, 2, 100.0, 0.0, 20.0) == 15.0
    # Its worker died after 30 of them: who goes on with it has the rest, and no more.
    assert grant(store, 1, 100.0, 30.0, 70.0) == 40.0
    assert grant(store, 3, 100.0, 0.0, 1.0) == 0.0
    assert grant(store, 3, 120.0, 0.0, 30.0) == 20.0


def test_what_was_spent_before_there_was_a_budget_counts(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    end(store, 0, 70.0)
    assert grant(store, 1, 100.0, 50.0, 80.0) == 50.0
    assert grant(store, 2, 100.0, 0.0, 1.0) <= 0.0


def test_two_workers_that_ask_at_once_are_not_given_the_same_rest(tmp_path: Path) -> None:
    given: list[float] = []

    class Slow(LocalStore):
        def put_new(self, name: str, content: bytes) -> bool:
            if not given:
                given.append(grant(LocalStore(tmp_path), 1, 100.0, 0.0, 70.0))
            return super().put_new(name, content)

    given.append(grant(Slow(tmp_path), 0, 100.0, 0.0, 70.0))
    assert given == [70.0, 30.0]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"0": "much"}', b'{"a": 1}'])
def test_grants_that_cannot_be_read_are_named(content: bytes, tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.put("_run/budget/00000", content)
    with pytest.raises(LedgerError, match="may be billed cannot be read"):
        grant(store, 0, 100.0, 0.0, 1.0)


async def test_no_more_is_billed_than_the_budget_and_a_larger_one_pays_for_the_rest_alone(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    paths, into = clips(tmp_path, 9), tmp_path / "run"
    await plan_measurements(into, paths, partition_size=3)
    reports = await work_on_all(into, hume, 5.5 * LEAST)
    assert fake.expression.metered_seconds == 5 * LEAST
    assert sum(one.left_open for one in reports) == 4
    assert {reason.partition(":")[0] for one in reports for reason in one.reasons} == {
        "BudgetReachedError"
    }
    assert (await collect(into)).done == 1
    await work_on_all(into, hume, 8 * LEAST)
    assert fake.expression.metered_seconds == 8 * LEAST
    await work_on_all(into, hume, 9 * LEAST)
    report = await collect(into)
    assert (report.arrived, report.left_open, report.billed) == (9, 0, 9 * LEAST)
    assert sources_in(into) == {str(path): 1 for path in paths}
    assert set(Counter(run["bytes_received"] for run in fake.expression.runs).values()) == {1}


async def test_what_a_worker_was_given_that_died_goes_to_no_other_partition(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    paths, into, budget = clips(tmp_path, 6), tmp_path / "run", 4 * LEAST
    await plan_measurements(into, paths, partition_size=3)
    first, second = await partitions(into)
    fake.faults.add(
        Fault("reset", "POST", "*/file", after_work=True)
    )  # billed, and not known to be
    cut = asyncio.create_task(work(first, hume, options=PATIENT, budget=budget))
    while not fake.expression.runs and not cut.done():
        await asyncio.sleep(0)
    cut.cancel()
    await asyncio.wait([cut])
    report = await work(second, hume, options=PATIENT, budget=budget)
    assert (report.arrived, report.left_open) == (1, 2)
    await work(first, hume, options=PATIENT, budget=budget)
    assert fake.expression.metered_seconds == budget
    assert (await collect(into)).done == 1


async def test_tokens_of_decisions_have_a_budget_too_and_none_sends_nothing(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    paths, into = clips(tmp_path, 4), tmp_path / "run"
    questions = {"calm": Noul("Calm?")}
    await plan_decisions(into, paths, questions, partition_size=2)
    await work_on_all(into, hume, 0)
    assert fake.decisions.input_tokens == 0
    one = (await hume.decisions.estimate(questions, audio_duration_ms=1300)).tokens or 0
    await work_on_all(into, hume, 3 * one)
    assert 0 < fake.decisions.input_tokens <= 3 * one
    await work_on_all(into, hume, 10 * one)
    report = await collect(into)
    assert (report.arrived, report.billed) == (4, fake.decisions.input_tokens)


async def test_a_budget_that_cannot_be_kept_or_is_none_is_refused_before_anything_is_sent(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    await plan(tmp_path / "jobs", ["https://media.example.com/1.mp4"], models={"face": {}})
    await plan_measurements(tmp_path / "run", clips(tmp_path, 1))
    with pytest.raises(ConfigurationError, match="predictions cannot have a budget"):
        await work((await partitions(tmp_path / "jobs"))[0], hume, budget=1.0)
    with pytest.raises(InvalidArgumentError, match="budget"):
        await work((await partitions(tmp_path / "run"))[0], hume, budget=-1.0)
    assert fake.requests == []
