"""Who goes next: the order in which waiting calls are let go.

Pure bookkeeping over futures that somebody else resolves; it knows neither clocks nor quotas.
The limiter keeps one `WaitQueue` a bucket.
"""

from __future__ import annotations

import asyncio
import enum
import heapq
import itertools
import math
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

from humeai_async._base.frozen import define

_BULK_SHARE: Final = 8
"""While both wait, one call in so many is a bulk one, so that none waits for ever."""
_MOST_GONE: Final = 100
"""Deadlines of calls that have gone, beyond as many as wait, until they are cleared away."""


class Priority(enum.IntEnum):
    """Who goes first when calls wait."""

    INTERACTIVE = 0
    """Somebody waits for the response."""
    BULK = 1
    """Goes when nothing interactive waits, and one time in eight when something does."""


@define(eq=False)
class Ticket:
    """One call that waits in the queue."""

    future: asyncio.Future[Any]
    cost: float
    deadline: float
    """Loop time at which it gives up; may be infinite."""


_Tickets: TypeAlias = OrderedDict[asyncio.Future[Any], Ticket]


class WaitQueue:
    """First come, first served, within two priorities; a retried call before fresh ones."""

    __slots__ = ("_costs", "_deadlines", "_next", "_numbers", "_queues", "_streak", "waiting")

    def __init__(self) -> None:
        # Retried and fresh calls of each priority. Ordered dicts, for a cancelled waiter must
        # leave at once from wherever it stands, in constant time.
        self._queues: tuple[_Tickets, _Tickets, _Tickets, _Tickets] = (
            OrderedDict(), OrderedDict(), OrderedDict(), OrderedDict(),
        )  # fmt: skip
        self._costs = [0.0, 0.0, 0.0, 0.0]
        self._streak = self._next = 0
        # A heap of deadlines, numbers that no two share, places in `_queues`, and calls; those
        # of calls that have gone stay until they come to the top or are too many.
        self._deadlines: list[tuple[float, int, int, asyncio.Future[Any]]] = []
        self._numbers = itertools.count()
        self.waiting: int = 0
        """Calls that wait; counted, for every call asks."""

    @property
    def next_deadline(self) -> float:
        """When the first of the waiting calls gives up; infinite where none will."""
        return self._deadlines[0][0] if self._deadlines else math.inf

    @property
    def is_urgent(self) -> bool:
        """Whether an interactive call waits."""
        return bool(self._queues[0] or self._queues[1])

    def cost_ahead(self, priority: Priority, *, head: bool) -> float:
        """Return the cost of all calls that would go before a new one."""
        return sum(self._costs[: 2 * priority + 1 if head else 2 * priority + 2])

    def add(self, ticket: Ticket, priority: Priority, *, head: bool) -> None:
        """Let a call queue up."""
        number = 2 * priority + (not head)
        self._queues[number][ticket.future] = ticket
        self._costs[number] += ticket.cost
        self.waiting += 1
        if ticket.deadline < math.inf:
            heapq.heappush(
                self._deadlines, (ticket.deadline, next(self._numbers), number, ticket.future)
            )

    def discard(self, future: asyncio.Future[Any]) -> bool:
        """Take a call out, wherever it stands; say whether it was there."""
        for number, queue in enumerate(self._queues):
            if future in queue:
                self._take(number, future)
                return True
        return False

    def first(self) -> Ticket | None:
        """Return the call that goes next."""
        retried, fresh, bulk_retried, bulk = self._queues
        number = 0
        if (bulk or bulk_retried) and (self._streak >= _BULK_SHARE - 1 or not (retried or fresh)):
            number, retried, fresh = 2, bulk_retried, bulk
        if fresh and not retried:
            number += 1
        self._next = number
        queue = self._queues[number]
        return queue[next(iter(queue))] if queue else None

    def remove_first(self, ticket: Ticket) -> None:
        """Take out the call that `first` named: it goes now."""
        _, _, bulk_retried, bulk = self._queues
        number = self._next
        self._streak = self._streak + 1 if number < 2 and (bulk or bulk_retried) else 0  # noqa: PLR2004 - the bulk queues
        self._take(number, ticket.future)

    def _take(self, number: int, future: asyncio.Future[Any]) -> None:
        queue = self._queues[number]
        cost = queue.pop(future).cost
        self.waiting -= 1
        # An empty queue starts its sum anew, so that float errors cannot pile up.
        self._costs[number] = self._costs[number] - cost if queue else 0.0
        deadlines = self._deadlines
        while deadlines and deadlines[0][3] not in self._queues[deadlines[0][2]]:
            heapq.heappop(deadlines)
        if len(deadlines) > 2 * self.waiting + _MOST_GONE:
            deadlines[:] = [one for one in deadlines if one[3] in self._queues[one[2]]]
            heapq.heapify(deadlines)

    def expired(self, until: float) -> Iterator[Ticket]:
        """Take out all calls whose deadline is not after a time, the earliest first."""
        while self._deadlines and self._deadlines[0][0] <= until:
            _, _, number, future = self._deadlines[0]
            ticket = self._queues[number][future]
            self._take(number, future)
            yield ticket
