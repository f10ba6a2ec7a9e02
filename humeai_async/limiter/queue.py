"""Who goes next: the order in which waiting calls are let go.

Pure bookkeeping over futures that somebody else resolves; it knows neither clocks nor quotas.
The limiter keeps one `WaitQueue` a bucket.
"""

from __future__ import annotations

import asyncio
import enum
import math
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

from humeai_async._base.frozen import frozen

_BULK_SHARE: Final = 8
"""While both wait, one call in so many is a bulk one, so that none waits for ever."""


class Priority(enum.IntEnum):
    """Who goes first when calls wait."""

    INTERACTIVE = 0
    """Somebody waits for the response."""
    BULK = 1
    """Goes when nothing interactive waits, and one time in eight when something does."""


@frozen
class Ticket:
    """One call that waits in the queue."""

    future: asyncio.Future[Any]
    cost: float
    deadline: float
    """Loop time at which it gives up; may be infinite."""


_Tickets: TypeAlias = OrderedDict[asyncio.Future[Any], Ticket]


class WaitQueue:
    """First come, first served, within two priorities; a retried call before fresh ones."""

    __slots__ = ("_costs", "_next", "_queues", "_streak", "next_deadline", "waiting")

    def __init__(self) -> None:
        # Retried and fresh calls of each priority. Ordered dicts, for a cancelled waiter must
        # leave at once from wherever it stands, in constant time.
        self._queues: tuple[_Tickets, _Tickets, _Tickets, _Tickets] = (
            OrderedDict(), OrderedDict(), OrderedDict(), OrderedDict(),
        )  # fmt: skip
        self._costs = [0.0, 0.0, 0.0, 0.0]
        self._streak = self._next = 0
        self.next_deadline: float = math.inf
        """No waiting call gives up before this time."""
        self.waiting: int = 0
        """Calls that wait; counted, for every call asks."""

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
        self.next_deadline = min(self.next_deadline, ticket.deadline)

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

    def expired(self, until: float) -> Iterator[Ticket]:
        """Take out all calls whose deadline is not after a time."""
        late = [one for one in self if one.deadline <= until]
        for ticket in late:
            self.discard(ticket.future)
        self.next_deadline = min((one.deadline for one in self), default=math.inf)
        yield from late

    def __iter__(self) -> Iterator[Ticket]:
        for queue in self._queues:
            yield from queue.values()
