"""Outcomes of requests that are paid for one by one: how a run of them is started, and its bill.

Resources call `start` with their kind of work. It knows no product.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Callable, Iterable
from typing import TypeVar

from humeai_async.bulk.bill import Bill
from humeai_async.bulk.ledger import Ledger
from humeai_async.bulk.options import BulkOptions
from humeai_async.bulk.outcomes import Outcomes
from humeai_async.bulk.patience import Patience
from humeai_async.bulk.pipeline import Pipeline
from humeai_async.bulk.single_requests import SingleRequests
from humeai_async.bulk.work import Pipes, ServiceClock
from humeai_async.http.multipart import File
from humeai_async.http.session import Session

R = TypeVar("R")


class PaidOutcomes(Outcomes[File, R]):
    """Outcomes as they come in, and what they cost; an async iterator.

    Leaving the loop early ends everything that runs for it.

    Args:
        pipes: What the run works with.
        sources: What to send.
    """

    def __init__(
        self, pipes: Pipes[File, R], sources: Iterable[File] | AsyncIterable[File]
    ) -> None:
        super().__init__(Pipeline(sources, pipes).run)
        self.bill: Bill = pipes.bill
        """What the run costs, so far and over all of its starts."""


def pipes_of(
    session: Session,
    kind: Callable[[ServiceClock, Bill], SingleRequests[R]],
    bill: Bill,
    options: BulkOptions,
    ledger: str | os.PathLike[str] | Ledger | None,
) -> Pipes[File, R]:
    """Put together what a run of single requests works with.

    Args:
        session: Makes its calls.
        kind: Makes its kind of work.
        bill: What it costs.
        options: How it is done.
        ledger: What it remembers.
    """
    clock = ServiceClock()
    return Pipes(
        kind=kind(clock, bill),
        options=options,
        clock=clock,
        pause=session.pause,
        patience=Patience(session.pause, options.outage_patience),
        ledger=ledger,
        bill=bill,
    )
