"""A gate of a declared rate that many processes share.

It is the usual gate, which closes where the service says 429, behind the turns of a shared quota:
a call goes when both let it. It knows no server; the quota that it takes part in does.
"""

from __future__ import annotations

from collections.abc import Sequence

from humeai_async.limiter.gate import Gate
from humeai_async.limiter.headers import Quota
from humeai_async.limiter.turns import TurnSource

_LONGEST = 1.0
"""Seconds until a turn is waited for no longer without another look."""


class SharedGate(Gate):
    """Paces the calls of one process on a quota of many.

    Args:
        now: The time, in seconds of any steady clock.
        rate: Calls a second that are allowed to all together.
        burst: Calls that may go at once after a time of rest.
        source: Where turns come from.
    """

    __slots__ = ("source",)

    def __init__(self, now: float, rate: float, burst: float | None, source: TurnSource) -> None:
        super().__init__(now, rate, burst)
        self.source: TurnSource = source

    def paused_for(self, now: float) -> float:
        """Return the seconds for which surely no call goes, whoever found the quota used up."""
        return max(super().paused_for(now), self.source.turns.held_for(now))

    def ready_in(self, now: float, cost: float) -> float:
        """Return the seconds until a call may go, or until it is worth asking again."""
        wait = super().ready_in(now, cost)
        if wait > 0.0:
            return wait
        turns = self.source.turns
        wait = turns.ready_in(now)
        if wants := turns.wants(now):
            self.source.ask(wants)
        return min(wait, _LONGEST)

    def expect(self, now: float, cost: float) -> float:
        """Return the seconds that a call will wait with so much before it, as far as is known."""
        turns = self.source.turns
        waiting = cost - turns.in_hand - 1.0
        return max(super().expect(now, cost), waiting / turns.share(now) if waiting > 0 else 0.0)

    def take(self, now: float, cost: float) -> int:
        """Let a call go; returns the era that its response belongs to."""
        self.source.turns.take(now, cost)
        return super().take(now, cost)

    def give_back(self, era: int, cost: float) -> None:
        """Take back a call that did not go."""
        super().give_back(era, cost)
        self.source.turns.give_back()

    def record_response(
        self,
        now: float,
        era: int,
        sent: float,
        cost: float,
        status: int | None,
        retry_after: float | None = None,
        quotas: Sequence[Quota] = (),
    ) -> None:
        """Learn from a response; what closes or opens the quota is told to all who share it."""
        was_closed, before = self.closed, super().paused_for(now)
        super().record_response(now, era, sent, cost, status, retry_after, quotas)
        if not self.closed:
            if was_closed:
                self.source.reopen()
        elif (pause := super().paused_for(now)) > before or not was_closed:
            self.source.close(pause)

    def shift(self, seconds: float) -> None:
        """Move to a clock that shows this many seconds more."""
        super().shift(seconds)
        self.source.turns.shift(seconds)
        self.source.restart()
