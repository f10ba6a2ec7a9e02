"""May a call go now? The gate is open, or closed until one call got through again.

A pure state machine in virtual time: the bucket asks `ready_in` before a call, says `take` when
it goes and `record_response`, with what `take` returned, when its response is there. What the
quota is, the learner knows.

Open, calls go evenly at the learner's pace, in no greater number than the window holds. A 429
closes the gate for everybody. Closed, single calls try it, at most one at a time, when `pause.py`
says; the first that gets through opens it.

Headers are hypotheses. A remaining number holds calls back only where the pace is not measured,
never all of them, and for a second or four round trips before it is taken for false. A policy is
believed if the measure is near it. How far `Retry-After` is believed, `pause.py` says, too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from humeai_async._base.frozen import define
from humeai_async.limiter.account import Account
from humeai_async.limiter.headers import Quota
from humeai_async.limiter.learner import Learner
from humeai_async.limiter.pause import CATCH_UP, CatchUp, LoneRefusals, Pause, RetryAfter
from humeai_async.limiter.token_bucket import TokenBucket

TOO_MANY_REQUESTS: Final = 429
SERVICE_UNAVAILABLE: Final = 503
_START_CALLS: Final = 4.0
_START_ROOM: Final = 8
"""Calls at once, and in flight, before anything is known. Limits below 10, slow networks."""
SLACK: Final = 0.05
"""Seconds of calls that are made up for after a timer came late, or a rest. Real sockets only."""


@define(eq=False)
class Sent:
    """A call that was let go, as its response will find it."""

    era: int
    """How often the gate had closed and opened when it went."""
    at: float
    """When it went."""
    cost: float


class Gate:
    """Lets calls go at the pace of a learner, and stops them while the quota is used up."""

    __slots__ = (
        "_account", "_bucket", "_burst", "_catch_up", "_era", "_first_era", "_is_pressed",
        "_last_take", "_lone", "_pause", "_retry_after", "_room", "accepted", "closed",
        "in_flight", "learner", "pauses", "refused",
    )  # fmt: skip

    def __init__(self, now: float, rate: float | None = None, burst: float | None = None) -> None:
        """Make an open gate.

        Args:
            now: The time, in seconds of any steady clock.
            rate: Calls a second that are allowed; `None` finds out.
            burst: Calls that may go at once after a time of rest.
        """
        self.learner: Learner = Learner(now, rate)
        self._burst = burst
        self._room: float = _START_ROOM if rate is None else math.inf
        size = self._size
        tokens = 1.0 if rate and not burst else size
        self._bucket = TokenBucket(self.learner.pace, size, now, tokens)
        self.closed: bool = False
        """Whether the quota is known to be used up."""
        self.in_flight: int = 0
        self.accepted: int = 0
        self.refused: int = 0
        """Responses with status 429."""
        self.pauses: int = 0
        self._era = self._first_era = 0
        self._last_take = -math.inf
        self._is_pressed = False
        self._account = Account()
        self._retry_after = RetryAfter()
        self._lone = LoneRefusals()
        self._catch_up = CatchUp()
        self._pause = self._paused(now, now)

    @property
    def rate(self) -> float | None:
        """Calls a second, or `None` while it is not known."""
        return self.learner.pace if self.learner.is_known else None

    @property
    def _size(self) -> float:
        """Calls that may go at once after a rest."""
        learner = self.learner
        if self._burst is not None:
            return self._burst
        is_single = learner.is_known or learner.is_even
        return max(1.0 if is_single else _START_CALLS, SLACK * learner.pace)

    @property
    def _speed(self) -> float:
        """Calls a second to send now."""
        learner = self.learner
        if self._catch_up.owed > 0.0:
            return min(learner.pace * CATCH_UP, learner.ceiling)
        return learner.pace

    def tokens(self, now: float) -> float:
        """Return how many calls could go at once; below 0 is debt."""
        return self._bucket.tokens(now)

    def paused_for(self, now: float) -> float:
        """Return the seconds for which surely no call goes."""
        return max(0.0, self._pause.until - now) if self.closed else 0.0

    def ready_in(self, now: float, cost: float) -> float:
        """Return the seconds until a call may go or it is worth asking again; 0 is now."""
        if self.closed:
            return max(0.0, self._pause.until - now)
        wait = self._bucket.wait(now, cost) or self._window_wait(now, cost)
        if wait > 0.0:
            self._is_pressed = True
            return wait
        return self._held_back(now, cost)

    def _held_back(self, now: float, cost: float) -> float:
        """Return the seconds for which a call waits that its pace would let go.

        A higher pace would not help it, so the pace does not grow meanwhile.
        """
        learner = self.learner
        if self.in_flight >= self._room:
            # For each second without a response as many more are risked as are in flight.
            return max(0.0, self._last_take + 1.0 / self.in_flight - now)
        if not self.in_flight or learner.is_known:
            return 0.0
        return self._account.hold(now, cost, learner.round_trip)

    def _window_wait(self, now: float, cost: float) -> float:
        """Return the seconds until the quota's window has room, as counted here."""
        count = self.learner.count
        if count is None:
            return 0.0
        most = self.learner.pace * count.window + 0.5
        return count.wait(now, max(0.0, most - self.in_flight - cost))

    def expect(self, now: float, cost: float) -> float:
        """Return the seconds until calls of this cost in all have gone, as far as is known.

        What is not known counts as 0, so a caller may be turned away by the response.
        """
        wait = self.paused_for(now)
        if self.learner.is_known:
            missing = cost - self._bucket.tokens(now + wait if wait else now)
            wait += max(0.0, missing / self._bucket.rate)
        return wait

    def take(self, now: float, cost: float) -> Sent:
        """Let a call go; what is returned belongs to its response."""
        if self._last_take == -math.inf:
            self.learner.start(now)
        elif not (self.in_flight or self.closed or self._is_pressed):
            self.learner.rest(now)
        self._bucket.take(now, cost)
        self._account.left -= cost
        if self._catch_up.owed > 0.0:
            self._catch_up.take(cost)
        self.in_flight += 1
        self._last_take = now
        if self.closed:
            # If this one takes long to be answered, another is risked.
            self._pause.until = now + max(1.0, 4 * self.learner.round_trip)
        return Sent(self._era, now, cost)

    def give_back(self, sent: Sent) -> None:
        """Take a call back that was let go but never sent."""
        if sent.era >= self._first_era:
            self.in_flight -= 1
            self._bucket.give(sent.cost)

    def record_response(
        self,
        now: float,
        sent: Sent,
        status: int | None,
        retry_after: float | None = None,
        quotas: Sequence[Quota] = (),
    ) -> None:
        """Learn from a response.

        Args:
            now: The time.
            sent: What `take` returned.
            status: Status of the response; `None` if there was none.
            retry_after: Seconds the service asks to wait, if it does.
            quotas: What the response's headers say of the quota.
        """
        if sent.era < self._first_era:
            return
        self.in_flight -= 1
        is_current = sent.era == self._era
        if status is None:
            if is_current and self.closed:
                self._pause.record_lost_try(now)
            return
        learner = self.learner
        trip = now - sent.at
        if trip < learner.round_trip:
            learner.round_trip = max(trip, 0.0)  # a timer that came early counts as in time
        account = self._account
        if quotas:
            account.read(quotas, self.in_flight, is_refused=status == TOO_MANY_REQUESTS)
        if status == TOO_MANY_REQUESTS:
            self.refused += 1
            self._refuse(now, sent.at, retry_after, is_current=is_current)
        elif status == SERVICE_UNAVAILABLE and retry_after is not None:
            if not self.closed:
                self._close(now, now)
            self._pause.hold_down(now, retry_after)
        else:
            self._accept(now, sent, is_current=is_current)
            if account.used_up and not self.closed and learner.ceiling == math.inf:
                self._refuse(now, sent.at, None, is_current=True)
                self._pause.refused = -1  # this was no chance

    def _accept(self, now: float, sent: Sent, *, is_current: bool) -> None:
        self.accepted += 1
        learner = self.learner
        is_pressed = self._is_pressed or self.closed
        learner.accept(now, sent.cost, is_pressed=is_pressed, is_busy=self.in_flight > 0)
        if not self.closed:
            self._is_pressed = False
            self._room += 1
            if self._speed != self._bucket.rate:
                self._bucket.set_rate(now, self._speed, self._size)
        elif is_current:
            self._open(now, sent.at)
        elif sent.at > self._pause.closed:
            self._let_in_between(now, sent)

    def _let_in_between(self, now: float, sent: Sent) -> None:
        """Learn from a call that was let in though it was sent after a refused one."""
        pause, learner = self._pause, self.learner
        pause.between += sent.cost
        if (
            self._retry_after.is_obeyed
            and not pause.is_down
            and sent.at > pause.closed + learner.round_trip / 2
            and self._retry_after.doubt(learner.window or 0.0)
        ):
            pause.end_hold(now)

    def _paused(self, now: float, sent: float) -> Pause:
        return Pause(sent, now, self._speed, self.refused, until=now, earliest=sent)

    def _close(self, now: float, sent: float) -> None:
        self.closed = True
        self.pauses += 1
        self._era += 1
        self._pause = self._paused(now, sent)
        self.learner.close(sent)
        self._retry_after.close()
        self._catch_up.close()

    def _refuse(self, now: float, sent: float, hint: float | None, *, is_current: bool) -> None:
        retry_after = self._retry_after
        if self.closed and is_current:
            self._pause.record_try(now, sent)
            retry_after.record_try(now - self._pause.noticed, hint or 0.0)
        elif self.closed:
            # Sent before the closing: it says nothing new, but perhaps how long to wait.
            if not hint or retry_after.is_cut_short:
                return
        elif is_current:
            self._close(now, sent)
        else:
            return
        pause, learner = self._pause, self.learner
        if hint:
            wait = retry_after.wait(hint, learner.rate, is_first=not pause.tries)
            if retry_after.is_cut_short:
                pause.end_hold(now)
        else:
            wait = pause.next_try(now, learner, self._account, is_asked_for=hint is not None)
        pause.hold(now, wait)

    def _open(self, now: float, sent: float) -> None:
        self.closed = False
        self._era += 1
        self._account.reopen()
        pause, retry_after, learner = self._pause, self._retry_after, self.learner
        retry_after.open()
        is_lone = self.refused == pause.refused and learner.is_known
        if not pause.is_down and not self._lone.bear(
            self.accepted, is_lone=is_lone, is_looking=learner.is_looking
        ):
            contact = pause.contact(sent, is_hinted=retry_after.was_waited_for)
            learner.open(now, contact, self._account.policy)
            self._lone.restart(self.accepted)
        if learner.is_known:
            self._room = math.inf
            self._catch_up.open(learner, sent - pause.earliest)
        self._bucket.reset(now, self._speed, self._size, 0.0)

    def shift(self, seconds: float) -> None:
        """Move to a clock that shows this many seconds more; responses on the way are lost."""
        self._bucket.shift(seconds)
        self.learner.shift(seconds)
        self._account.shift(seconds)
        self._pause.shift(seconds)
        self._last_take += seconds
        self.in_flight = 0
        self._era += 1
        self._first_era = self._era
