"""Where a pipeline and its consumer meet: outcomes handed over, and confirmed once dealt with.

It bounds how far a pipeline is ahead of its consumer, and says when outcomes may be forgotten. It
knows neither of the two.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

import anyio
import anyio.lowlevel
from attrs import field

from humeai_async._base.frozen import frozen
from humeai_async.bulk.outcome import Outcome

S = TypeVar("S")
P = TypeVar("P")


@frozen(eq=False)
class _Offer(Generic[S, P]):
    """Outcomes handed over together, until the consumer has taken all of them."""

    left: deque[Outcome[S, P]]
    """Those that the consumer does not have yet."""
    is_empty: anyio.Event = field(factory=anyio.Event)


class OutcomeQueue(Generic[S, P]):
    """Where a pipeline and its consumer meet.

    Outcomes are given as many at a time as there are together: what each of them costs decides
    how many a second there can be.
    """

    def __init__(self) -> None:
        self._offers: deque[_Offer[S, P]] = deque()
        self._news = anyio.Event()
        self._has_ended = False
        self._in_hand: list[Outcome[S, P]] = []
        self._is_due = False
        """Whether the consumer is to let others run before it gets more."""
        self._unacked = 0
        """Outcomes handed over that the consumer has not dealt with yet."""
        self.taken: int = 0
        """Outcomes that the consumer has had."""
        self.failed: int = 0
        """Those of them that were known to have failed."""
        self._all_acked = anyio.Event()
        self.is_all_or_nothing = False
        """Whether what the consumer makes of the outcomes is there only after the last one."""
        self.is_all_given: bool = False
        """Whether the run waits for the consumer to have made that of them."""
        self._is_made = anyio.Event()
        self.on_ack: Callable[[Sequence[Outcome[S, P]]], None] | None = None
        """Called with outcomes once the consumer has asked for the next ones."""

    async def give(self, outcomes: Iterable[Outcome[S, P]]) -> None:
        """Hand outcomes over; returns when the consumer has the last of them."""
        offer = _Offer(deque(outcomes))
        if not offer.left:
            return
        self._offers.append(offer)
        self._unacked += len(offer.left)
        self._news.set()
        try:
            await offer.is_empty.wait()
        finally:
            if offer.left:
                self._unacked -= len(offer.left)
                self._offers.remove(offer)

    async def all_acked(self) -> None:
        """Wait until the consumer has asked for another one after the last, and made all of it."""
        while self._unacked:
            self._all_acked = anyio.Event()
            await self._all_acked.wait()
        if self.is_all_or_nothing:
            self.is_all_given = True
            self.end()
            await self._is_made.wait()

    def confirm(self) -> None:
        """Note that there is what the consumer makes of the outcomes, all of them."""
        self.is_all_given = False
        self._is_made.set()

    async def next_batch(self, most: int, *, acks: bool = True) -> list[Outcome[S, P]]:
        """Return the next outcomes.

        Args:
            most: Outcomes at most.
            acks: Whether asking for more says that the last ones are dealt with.

        Returns:
            One or more outcomes; none after the last.
        """
        if acks:
            self.ack()
        if self._is_due:
            # A consumer that never waits would keep the loop from all else.
            self._is_due = False
            await anyio.lowlevel.checkpoint()
        while not self._offers:
            if self._has_ended:
                return []
            if self._news.is_set():  # else another task waits for it already
                self._news = anyio.Event()
            await self._news.wait()
        offer = self._offers[0]
        batch = [offer.left.popleft() for _ in range(min(most, len(offer.left)))]
        self._in_hand += batch
        self.taken += len(batch)
        self.failed += sum(one.is_known_to_fail for one in batch)
        if not offer.left:
            self._offers.popleft()
            offer.is_empty.set()
            self._is_due = True
        return batch

    def ack(self, dealt_with: Sequence[Outcome[S, P]] | None = None) -> None:
        """Note that the consumer has dealt with the outcomes in its hands, if there are any.

        Args:
            dealt_with: The outcomes as the consumer has them, where it changed some.
        """
        outcomes, self._in_hand = self._in_hand, []
        if not outcomes:
            return
        self._unacked -= len(outcomes)
        if self.on_ack is not None:
            self.on_ack(outcomes if dealt_with is None else dealt_with)
        if not self._unacked:
            self._all_acked.set()

    def at_hand(self) -> Iterator[Outcome[S, P]]:
        """Give the outcomes that the consumer deals with now, and those that wait for it."""
        yield from self._in_hand
        for offer in self._offers:
            yield from offer.left

    def end(self) -> None:
        """Say that no more outcomes come."""
        self._has_ended = True
        self._news.set()
