"""What a run of single requests would cost, found out before anything is paid for.

Each source is read as the run reads it; what the ledger has costs nothing again. It sends no
source.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AsyncExitStack
from typing import Any

from attrs import field

from humeai_async._base.frozen import frozen
from humeai_async.bulk.ledger import Ledger
from humeai_async.bulk.ledger_file import real_path
from humeai_async.bulk.options import BulkOptions
from humeai_async.bulk.outcome import label_of
from humeai_async.bulk.single_requests import Quote, SingleRequests
from humeai_async.bulk.states import PAID, State
from humeai_async.errors import InvalidArgumentError, SaveError
from humeai_async.http.multipart import File
from humeai_async.types.predictions.failures import Failure, Failures


@frozen(kw_only=True)
class CostEstimate:
    """What a run would be billed for, and for which of its sources."""

    cost: float
    """What the run may be billed for, in `unit`."""
    unit: str
    """What is counted, such as `seconds` or `input tokens`."""
    to_send: int
    """Sources that would be sent."""
    seconds: float
    """Length of what would be sent, in seconds."""
    known: int
    """Sources that cost nothing: the ledger has their outcomes, or they are there twice."""
    failures: Failures = field(repr=False)
    """Sources that would be refused before they are sent, and why."""


async def estimate_cost(
    sources: Iterable[File],
    work: SingleRequests[Any],
    options: BulkOptions,
    ledger: object,
    configuration: str,
) -> CostEstimate:
    """Find out what a run would cost.

    Args:
        sources: What would be sent.
        work: How.
        options: How many sources may share a request, and whether what failed would be sent again.
        ledger: A `Ledger`, the path of one that may exist, or `None`.
        configuration: What binds that ledger.

    Raises:
        LedgerError: The ledger is another run's, or in use.
    """
    cost = length = 0.0
    to_send = known = 0
    seen: set[bytes] = set()
    sharing: list[Quote] = []
    failures: list[Failure] = []
    async with AsyncExitStack() as stack:
        memory = await open_existing(stack, ledger, configuration)
        for source in sources:
            try:
                quote = await work.quote(source)
            except (InvalidArgumentError, SaveError) as problem:
                name, kind = label_of(source), type(problem).__name__
                failures.append(Failure(source=name, error=kind, message=problem.message))
                continue
            entry = None
            if memory is not None:
                entry = (await memory.look_up([quote.key])).get(quote.key)
            is_failed = entry is not None and entry.state is State.FAILED
            is_done = entry is not None and entry.state in PAID
            is_twice = ledger is not None and quote.key in seen
            seen.add(quote.key)
            if is_done or is_twice or (is_failed and not options.retry_failed):
                known += 1
                continue
            to_send, length = to_send + 1, length + quote.seconds
            if quote.share < 1:
                sharing.append(quote)
            else:
                cost += quote.cost
        cost += sum([await work.price(one) for one in _lengths(sharing, options.job_size)])
    return CostEstimate(
        cost=cost,
        unit=work.unit,
        to_send=to_send,
        seconds=length,
        known=known,
        failures=Failures(failures),
    )


def _lengths(quotes: Iterable[Quote], together: int) -> Iterator[float]:
    """Give the length of each request that sources share, filled as a run fills them."""
    length, count, share = 0.0, 0, 0.0
    for one in quotes:
        if count == together or share + one.share > 1:
            yield length
            length, count, share = 0.0, 0, 0.0
        length, count, share = length + one.seconds, count + 1, share + one.share
    if count:
        yield length


async def open_existing(stack: AsyncExitStack, ledger: object, configuration: str) -> Ledger | None:
    """Open a ledger that is there; `None` where there is none yet.

    Raises:
        LedgerError: It is another run's, or in use.
    """
    if ledger is None or isinstance(ledger, Ledger):
        return ledger
    if not real_path(ledger).is_file():
        return None
    return await stack.enter_async_context(await Ledger.open(ledger, configuration))
