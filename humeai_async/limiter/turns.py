"""The part that one process has in a rate that many share, in virtual time.

Whoever shares a rate takes turns: a turn is a few calls with the times at which they may go, one
after the other. `Turns` keeps the calls in hand, says when the next turn is to be asked for and
of what size, and goes on by itself while nobody can be asked. It reads no clock and knows no
server; `shared/turn_source.py` asks for turns, and the limiter takes the calls.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

from humeai_async._base.frozen import frozen
from humeai_async.limiter.gate import SLACK
from humeai_async.limiter.token_bucket import HAIR

SHARE_SECONDS: Final = 2.0
"""Seconds of calls by which a share is known."""
FIRST_WAIT: Final = 1.0
"""Seconds that a process without a share waits for a server that is away."""
FIRST_SHARE: Final = 1 / 16
"""Share of the rate that such a process takes then."""
MOST: Final = 1 << 16
"""Calls in one turn, at most."""
_MORE: Final = 1.06
"""How much larger the next turn is where all calls of one went, and nobody waited for it."""


@frozen(kw_only=True)
class Turn:
    """Calls that were granted, counted from when the response came."""

    calls: int
    """How many; 0 where a server that was away has all keep their shares for a moment."""
    first: float
    """Seconds until the first may go, or until the next turn may be asked for."""
    gap: float
    """Seconds between two."""
    members: int
    """Processes that share the rate."""
    haste: float = 1.0
    """How much faster than the rate they go, to make up for a pause."""


class Turns:
    """Calls in hand, and what to ask for next.

    Args:
        rate: Calls a second of all processes together.
        now: The time, in seconds of any steady clock.
    """

    __slots__ = (
        "_alone_rate", "_alone_until", "_began", "_calls", "_debt", "_expired", "_granted",
        "_haste", "_held_since", "_held_until", "_is_hungry", "_next_alone", "_next_turn", "_size",
        "_started", "_went", "members", "rate",
    )  # fmt: skip

    def __init__(self, rate: float, now: float) -> None:
        self.rate: float = rate
        self.members: int = 1
        self._began = now
        self._calls: deque[float] = deque()
        """When each call in hand may go."""
        self._went: deque[tuple[float, float]] = deque()
        """When calls went, of the last `SHARE_SECONDS`, and what each counts for."""
        self._haste = 1.0
        self._size = 1.0
        self._granted = self._started = self._expired = 0
        """Calls of the last turn; those that went, and those that nobody took in time, since."""
        self._is_hungry = False
        self._debt = 0.0
        self._alone_rate: float | None = None
        self._next_alone = now
        self._alone_until = math.inf
        """When all who went on alone take turns again, once the server is back."""
        self._held_until = -math.inf
        """Until when all wait, as far as is known: the quota is used up."""
        self._held_since: float | None = None
        self._next_turn = -math.inf
        """When the next turn may be asked for."""

    @property
    def is_alone(self) -> bool:
        """Whether the server is away."""
        return self._alone_rate is not None

    @property
    def in_hand(self) -> int:
        """Calls of this process that may go now."""
        return len(self._calls)

    def ready_in(self, now: float) -> float:
        """Return the seconds until a call may go; infinite where a turn has to come first."""
        while self._calls and self._calls[0] < now - SLACK:
            self._calls.popleft()
            self._expired += 1
        if self._calls:
            wait = self._calls[0] - now
            return wait if wait > HAIR else 0.0
        if self._alone_rate is not None and now < self._alone_until:
            # Time that nobody used is gone here too.
            self._next_alone = max(self._next_alone, now - SLACK)
            return max(0.0, min(self._next_alone, self._alone_until) - now)
        if now < (until := max(self._held_until, self._next_turn)) - HAIR:
            return until - now
        self._is_hungry |= self._is_soon(now)
        return math.inf

    def _is_soon(self, now: float) -> bool:
        """Whether the last call went a moment ago: who comes much later needs but the next one."""
        return not self._went or now - self._went[-1][0] < SLACK / 2

    def held_for(self, now: float) -> float:
        """Return the seconds for which all wait, because one of them found the quota used up."""
        return max(0.0, self._held_until - now) if self._alone_rate is None else 0.0

    def take(self, now: float, cost: float) -> None:
        """Let a call go that was ready; what it costs beyond one is taken from the next."""
        if self._calls:
            # Who waits for each call, one soon after the other, could do with more of them.
            is_late = now - self._calls.popleft() > SLACK / 10
            self._is_hungry |= not is_late and self._is_soon(now)
            self._started += 1
            self._debt += cost - 1.0
            self._pay_debt()
        elif self._alone_rate is not None:
            self._next_alone += cost / self._alone_rate
        self._went.append((now, 1.0 / self._haste))
        self._forget(now)

    def give_back(self) -> None:
        """Take back a call that did not go: it may go as long as any other."""
        if self._went:
            self._started = max(0, self._started - 1)  # it may have gone before the last turn came
            self._calls.appendleft(self._went.pop()[0])

    def wants(self, now: float) -> int:
        """Return how many calls to ask for now; 0 while enough are in hand, or all wait."""
        if now < max(self._held_until, self._next_turn) - HAIR and self._alone_rate is None:
            return 0
        is_enough = 2 * len(self._calls) > self._granted
        return 0 if self._granted and is_enough else max(1, min(MOST, int(self._size)))

    def receive(self, now: float, turn: Turn) -> None:
        """Take a turn in hand."""
        self.members = turn.members
        if not turn.calls:
            self._next_turn = self._alone_until = now + turn.first
            return
        self._alone_rate = None
        self._cut_pause(now)
        self._held_until = self._next_turn = -math.inf
        self._haste = turn.haste
        # By what was used of the last one, not by who waits: a few workers of a process may
        # never all wait at once, and would get a few calls a turn. What nobody takes is lost to
        # all, so a turn grows slowly where it comes in time.
        if self._expired:
            self._size = self._granted * self._started / (self._started + self._expired)
        elif self._is_hungry or self._started >= self._granted > 0:
            more = 2.0 if self._is_hungry else _MORE
            self._size = min(more * max(self._size, turn.calls), 2.0 * turn.calls)
        self._granted, self._is_hungry = turn.calls, False
        self._started = self._expired = 0
        times = (turn.first + n * turn.gap for n in range(turn.calls))
        self._calls.extend(now + max(0.0, seconds) for seconds in times)
        self._pay_debt()

    def hold(self, now: float, seconds: float) -> None:
        """Let nothing go for so long, and drop the calls in hand: the quota is used up.

        Args:
            now: The time.
            seconds: How long; 0 ends it.
        """
        self._held_until, self._next_turn = now + seconds, -math.inf
        if seconds > 0.0:
            self._calls.clear()
            self._held_since = now if self._held_since is None else self._held_since
        else:
            self._cut_pause(now)
        if not self._calls:
            self._granted = 0

    def lose(self, now: float, waited: float = 0.0) -> None:
        """Note that the server is away, and go on by the share so far.

        Args:
            now: The time.
            waited: Seconds for which the server was waited for: where no call could go meanwhile,
                they say nothing of the share. A process without a share waits so much less.
        """
        self._alone_until = math.inf
        if self._alone_rate is not None:
            return
        self._cut_pause(now)
        idle = min(waited, now - self._went[-1][0]) if self._went else 0.0
        share = self.known_share(now, idle)
        if share is not None:
            self._alone_rate = min(self.rate, share)
            last = self._calls[-1] if self._calls else self._went[-1][0]
            self._next_alone = max(now, last + 1.0 / self._alone_rate)
        else:
            self._alone_rate = self.rate * FIRST_SHARE
            self._next_alone = now + max(0.0, FIRST_WAIT - waited)
        self._granted = 0

    def go_free(self, now: float) -> None:
        """Hold nothing back while the server is away: the gate learns alone."""
        self._alone_rate, self._next_alone, self._alone_until = math.inf, now, math.inf

    def known_share(self, now: float, idle: float = 0.0) -> float | None:
        """Return the calls a second of this process lately; `None` if there were none.

        Args:
            now: The time.
            idle: Seconds until now that say nothing of it.
        """
        self._forget(now)
        seconds = max(SLACK, min(SHARE_SECONDS, now - self._began) - idle)
        return sum(count for _, count in self._went) / seconds if self._went else None

    def share(self, now: float) -> float:
        """Return the calls a second that this process may send, as far as is known."""
        if self._alone_rate is not None and math.isfinite(self._alone_rate):
            return self._alone_rate
        self._forget(now)
        return max(self.rate / max(1, self.members), len(self._went) / SHARE_SECONDS)

    def shift(self, seconds: float) -> None:
        """Move to a clock that shows this many seconds more.

        Calls in hand stay behind: after a fork they are the parent's.
        """
        self._began += seconds
        self._next_alone += seconds
        self._held_until += seconds
        self._next_turn = -math.inf
        self._calls.clear()
        self._granted = 0
        self._held_since = None
        self._went = deque((at + seconds, count) for at, count in self._went)

    def _pay_debt(self) -> None:
        while self._debt >= 1.0 and self._calls:
            self._calls.popleft()
            self._debt -= 1.0

    def _cut_pause(self, now: float) -> None:
        """Leave the time for which all waited out of what the share is known by."""
        if self._held_since is not None:
            passed, self._held_since = now - self._held_since, None
            self._began += passed
            self._went = deque((min(now, at + passed), count) for at, count in self._went)

    def _forget(self, now: float) -> None:
        while self._went and self._went[0][0] <= now - SHARE_SECONDS:
            self._went.popleft()
