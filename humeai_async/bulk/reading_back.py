"""Results that earlier starts of a run have paid for, read back from its ledger.

Nothing is sent: each source is read for its digest, and the ledger has the result.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import AsyncExitStack
from typing import Any, TypeVar

from humeai_async._base.cancellation import in_thread
from humeai_async.bulk.bodies import Body
from humeai_async.bulk.estimates import open_existing
from humeai_async.bulk.kept_results import KeptResults
from humeai_async.bulk.ledger import Ledger
from humeai_async.bulk.outcome import Outcome
from humeai_async.bulk.single_requests import SingleRequests
from humeai_async.bulk.work import Item, Reading
from humeai_async.errors import DecodeError, LedgerError
from humeai_async.http.multipart import File

R = TypeVar("R")


async def read_back(
    sources: Iterable[File], work: SingleRequests[R], ledger: object
) -> AsyncGenerator[Outcome[File, R]]:
    """Give an outcome for each source whose result is in the ledger.

    Args:
        sources: The sources of the run, or some of them.
        work: How they were sent.
        ledger: A `Ledger`, or the path of one.

    Yields:
        Outcomes in the order of the sources.

    Raises:
        LedgerError: There is no ledger, it is another run's, or in use.
    """
    async with AsyncExitStack() as stack:
        memory = await open_existing(stack, ledger, work.configuration)
        if memory is None:
            raise LedgerError(f"there is no ledger {ledger}")
        kept = await in_thread(KeptResults(memory.path).open)
        for source in sources:
            (item,) = await work.identify([source])
            found = await _find(memory, kept, item)
            if found is not None:
                yield await in_thread(_outcome, work, item, *found)


async def _find(
    memory: Ledger, kept: KeptResults, item: Item[File]
) -> tuple[Any, str, Body] | None:
    """Return plan, name and result of a source's piece of work."""
    entry = (await memory.look_up([item.key])).get(item.key)
    if entry is None or item.problem is not None:
        return None
    plan = await memory.read_plan(entry.work)
    if plan.work_id is None:
        return None
    result = await memory.read_result(entry.work)
    if result is not None:
        return plan, plan.work_id, Body.of(result)
    body = await in_thread(kept.read, plan, plan.work_id)
    return None if body is None else (plan, plan.work_id, body)


def _outcome(
    work: SingleRequests[R], item: Item[File], plan: Any, work_id: str, body: Body
) -> Outcome[File, R]:
    try:
        (reading,) = work.read(plan, work_id, body, [item])
    except DecodeError as problem:
        reading = Reading[R](error=problem, is_unreadable=True)
    finally:
        body.file.close()
    return item.outcome(reading, work_id)
