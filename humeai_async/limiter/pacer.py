"""The rules by which a pacer finds a quota, keeps to it and uses all of it.

A pure state machine in virtual time: the limiter asks `ready_in` before a call, says `take`
when it goes and `record_response` when its response is there. Nothing here reads a clock or
waits; the theory stands at the head of `limiter.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from humeai_async.limiter.concurrency import Concurrency
from humeai_async.limiter.estimator import Contact, Evidence
from humeai_async.limiter.growth import FASTEST, Growth, margin
from humeai_async.limiter.headers import Quota
from humeai_async.limiter.remaining import TOO_MANY_REQUESTS, Credit
from humeai_async.limiter.token_bucket import TokenBucket, WindowCount

SERVICE_UNAVAILABLE: Final = 503
LONGEST_PAUSE: Final = 600.0
"""Seconds; after a longer hint the service is asked again all the same."""

_START_RATE: Final = 24.0
_START_CALLS: Final = 4.0
_START_WINDOW: Final = 8
_DECLARED_MARGIN: Final = 0.99
"""Share of a declared rate that is used: clocks and networks jitter by that much."""
_SLACK: Final = 0.05
"""Seconds of calls that are made up for after a timer came late."""
_SMOOTH: Final = 0.02
"""Seconds of calls that may go at once while a pause is made up for."""
_CATCH_UP: Final = 3.0
"""How much faster than its rate the pacer makes up for a pause."""
_FIRST_PROBE: Final = 0.01
_PROBE_GROWTH: Final = 1.5
_PROBE_GROWTH_TOLD: Final = 2.0
"""The same where headers tell of the quota: it needs less trying."""
_LONGEST_PROBE: Final = 0.25
_PROBE_SHARE: Final = 0.125
"""After a while they come at this share of the time since the closing: a window is measured as
well by it, and a long one refuses a few calls instead of hundreds."""
_TRUST: Final = 3
"""Responses after an opening until calls that were refused before are risked again."""
_TRUST_UNCHANGED: Final = 15
"""The same where the pace was not lowered, so that no call meets one refusal after the other."""
_GRACE: Final = 2.0
"""Refusals that are borne before one is believed to show a quota."""
_GRACE_SHARE: Final = 0.02
"""Share of all calls that may be refused for ever without being believed."""
_TRICKLE: Final = 0.25
"""Seconds after which one more call is risked however little is left."""
_UNANSWERED: Final = 2.0
"""The same, divided by the calls in flight, while responses are waited for at the start."""
_ASK: Final = 0.1
"""Seconds without a call after which one is sent to hear what is left."""
_TRICKLE_FULL: Final = 5.0
"""The same where the service limits the calls in flight."""
_SHORT_RESET: Final = 2.0
"""Seconds; see `Pacer._binding`."""


class Pacer:
    """Paces the calls on one quota."""

    __slots__ = (
        "_bucket", "_closed_at", "_coarse", "_concurrency", "_count", "_credit", "_delay",
        "_earliest", "_era", "_evidence", "_first_era", "_grace", "_growth", "_hinted",
        "_is_refused", "_last_take",
        "_lesson", "_level", "_missed", "_missed_below", "_peak", "_probe_level",
        "_ramping", "_told", "_trusted", "_until", "_window", "accepted", "ceiling",
        "closed", "in_flight", "pauses", "refused", "round_trip",
    )  # fmt: skip

    def __init__(self, now: float, rate: float | None = None, burst: float | None = None) -> None:
        """Make a pacer.

        Args:
            now: The time, in seconds of any steady clock.
            rate: Calls a second that are allowed; `None` finds out.
            burst: Calls that may go at once after a time of rest.
        """
        self.ceiling: float = math.inf if rate is None else rate * _DECLARED_MARGIN
        """Calls a second that are never exceeded."""
        start = _START_RATE if rate is None else self.ceiling
        size = burst or (_START_CALLS if rate is None else max(1.0, _SLACK * start))
        self._bucket = TokenBucket(start, size, now, 1.0 if rate and not burst else size)
        self._peak = TokenBucket(math.inf, 1.0, now, 1.0)
        self._count: WindowCount | None = None
        self._evidence = Evidence(now, start)
        self._credit = Credit()
        self._concurrency = Concurrency()
        self._level = self._probe_level = self._missed_below = 0
        self._ramping = rate is None
        self._window: float = _START_WINDOW if rate is None else math.inf
        self.closed: bool = False
        """Whether the quota is known to be used up."""
        self.in_flight: int = 0
        self.accepted: int = 0
        self.refused: int = 0
        """Responses with status 429."""
        self.pauses: int = 0
        self.round_trip: float = math.inf
        """Shortest time to a response seen, in seconds."""
        self._era = self._first_era = 0
        self._until = self._last_take = -math.inf
        self._closed_at = self._earliest = now
        self._delay = _FIRST_PROBE
        self._hinted = self._coarse = self._lesson = False
        self._told = math.inf
        self._is_refused = False
        self._missed = 0
        self._trusted = _TRUST
        self._growth = Growth(now)
        # Its clock counts accepted calls.
        self._grace = TokenBucket(_GRACE_SHARE, _GRACE, 0.0, _GRACE)

    @property
    def rate(self) -> float | None:
        """Calls a second, or `None` while it is not known."""
        return None if self._ramping else self._bucket.rate

    @property
    def window(self) -> float | None:
        """Length of the quota's window in seconds, if it is known to have one."""
        return self._evidence.window

    @property
    def wants_fresh(self) -> bool:
        """Whether a call that was never refused should go first: it can bear a refusal."""
        return not self._hinted and (self.closed or self._trusted < _TRUST)

    @property
    def most_in_flight(self) -> float:
        """Calls the service allows in flight; infinite if no such limit was found."""
        return self._concurrency.limit

    def tokens(self, now: float) -> float:
        """Return how many calls the bucket would let go at once; below 0 is debt."""
        return self._bucket.tokens(now)

    def paused_for(self, now: float) -> float:
        """Return the seconds for which surely no call goes."""
        return max(0.0, self._until - now) if self.closed else 0.0

    def ready_in(self, now: float, cost: float) -> float:
        """Return the seconds until a call may go or it is worth asking again; 0 is now."""
        if self.closed:
            full = self.in_flight >= self._concurrency.limit
            return max(0.0, self._until - now, self._last_take + _TRICKLE - now if full else 0.0)
        wait = self._bucket.wait(now, cost)
        if wait == 0.0 and (self.in_flight or self._count is not None):
            wait = self._held_back(now, cost)
        if wait > 0.0:
            self._growth.pressed = True
        elif self._peak.rate != math.inf:
            wait = self._peak.wait(now, 1.0)
        return wait

    def _held_back(self, now: float, cost: float) -> float:
        """Return the seconds for which a call waits although it has a token."""
        # Where some is left by the service's own account, it does not count as we do.
        if self._count is not None and not self._credit.has_some:
            room = self._bucket.rate * self._count.window - self.in_flight - cost
            wait = self._count.wait(now, max(0.0, room))
            if wait > 0.0:
                # A single call is safe by that account, and brings a newer one.
                told = self._credit.is_known and self._credit.left >= cost + 1
                return min(wait, max(0.0, self._last_take + _ASK - now)) if told else wait
        if self.in_flight >= self._concurrency.limit:
            return max(0.0, self._last_take + _TRICKLE_FULL - now)
        if self.in_flight and self._credit.left < cost:
            return max(0.0, self._last_take + _TRICKLE - now)
        if self.in_flight >= self._window:
            return max(0.0, self._last_take + _UNANSWERED / self.in_flight - now)
        return 0.0

    def expect(self, now: float, cost: float) -> float:
        """Return the seconds until calls of this cost in all have gone, as far as is known.

        What is not known counts as 0, so a caller may be turned away by the response.
        """
        wait = self.paused_for(now)
        if not self._ramping:
            missing = cost - self._bucket.tokens(now + wait if wait else now)
            wait += max(0.0, missing / self._bucket.rate)
        return wait

    def take(self, now: float, cost: float) -> int:
        """Let a call go; the number returned belongs to its response."""
        if self._last_take == -math.inf:
            self._evidence.start(now)
            self._growth.restart(now)
        self._bucket.take(now, cost)
        if self._peak.rate != math.inf:
            self._peak.take(now, 1.0)
        self._credit.left -= cost
        self._probe_level = self.in_flight
        self.in_flight += 1
        self._last_take = now
        if self.closed:
            # If this one takes long to be answered, another is risked.
            self._until = now + max(1.0, 4 * min(self.round_trip, LONGEST_PAUSE))
        return self._era

    def give_back(self, era: int, cost: float) -> None:
        """Take a call back that was let go but never sent."""
        if era < self._first_era:
            return
        self.in_flight -= 1
        self._bucket.give(cost)

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
        """Learn from a response.

        Args:
            now: The time.
            era: What `take` returned.
            sent: When the call went.
            cost: Its cost.
            status: Status of the response; `None` if there was none.
            retry_after: Seconds the service asks to wait, if it does.
            quotas: What the response's headers say of the quota.
        """
        if era < self._first_era:
            return
        self.in_flight -= 1
        current = era == self._era
        if status is None:
            if current and self.closed:
                self._until = min(self._until, now + self._delay)
            return
        self.round_trip = min(self.round_trip, max(0.0, now - sent))
        reset = self._credit.read(quotas, self.in_flight, now, status) if quotas else None
        if status == TOO_MANY_REQUESTS:
            self.refused += 1
            self._is_refused = True
            self._grace.take(self.accepted, 1.0)
            hint = self._binding(retry_after, reset)
            if reset is not None and retry_after is None:
                self._told = now + reset
            if current or not self.closed:
                self._refuse(now, sent, hint, current=current)
            elif hint is not None:
                self._apply_hint(now, hint)
        elif status == SERVICE_UNAVAILABLE and retry_after is not None:
            self._pause(now, retry_after)
        else:
            self._credit.accepted(now, sent)
            self._accept(now, sent, cost, current=current)
            if self._credit.used_up and not self.closed and self._believes(reset):
                self._end_grace(-1.0)  # the service's own account is no chance
                self._refuse(now, sent, self._binding(None, reset), current=True)
                self._is_refused = False

    def shift(self, seconds: float) -> None:
        """Move to a clock that shows this many seconds more; responses on the way are lost."""
        self._bucket.shift(seconds)
        self._peak.shift(seconds)
        self._evidence.shift(seconds)
        self._credit.shift(seconds)
        self._told += seconds
        self._concurrency.shift(seconds)
        if self._count is not None:
            self._count.shift(seconds)
        self._growth.shift(seconds)
        self._until += seconds
        self._last_take += seconds
        self._closed_at += seconds
        self._earliest += seconds
        self.in_flight = 0
        self._era += 1
        self._first_era = self._era

    def _accept(self, now: float, sent: float, cost: float, *, current: bool) -> None:
        self.accepted += 1
        if self.closed:
            if current:
                self._open(now, sent)
        else:
            self._trusted += current
            if self._concurrency.limit != math.inf:
                self._concurrency.used(now, self.in_flight)
            if self._ramping:
                self._double(now)
            else:
                self._look_up(now)
        # The service counted the call between half a round trip ago and one.
        self._evidence.accept(now - self.round_trip / 2, cost)
        if self._count is not None:
            self._count.add(now - self.round_trip, cost)

    def _close(self, now: float, sent: float) -> None:
        self.closed = True
        self.pauses += 1
        self._era += 1
        self._closed_at = self._earliest = sent
        self._level = self.in_flight
        self._missed_below = 0
        self._delay = _FIRST_PROBE
        self._until = now + self._delay
        self._hinted = self._coarse = self._lesson = False
        self._told = math.inf
        self._missed = 0

    def _refuse(self, now: float, sent: float, hint: float | None, *, current: bool) -> None:
        if not self.closed:
            if not current and hint is None:
                return  # sent before the last closing: it says nothing new
            self._close(now, sent)
        elif current:
            self._earliest = max(self._earliest, sent)
            self._missed += 1
            self._missed_below += self._probe_level < self._level
            growth = _PROBE_GROWTH_TOLD if self._credit.is_known else _PROBE_GROWTH
            longest = max(_LONGEST_PROBE, _PROBE_SHARE * (now - self._closed_at))
            self._delay = min(self._delay * growth, longest)
            self._until = now + self._delay
        self._lesson = True
        if hint is not None:
            self._apply_hint(now, hint)

    def _binding(self, retry_after: float | None, reset: float | None) -> float | None:
        """Return the seconds for which nobody may go.

        Whole seconds cannot say less than one, nor the date of a reset less than two. Once
        the quota is measured, a refusal comes from a look upward by one or two calls; such a
        hint is then no more than a bound, and single calls try, further and further apart.
        """
        measured = not self._ramping and self.ceiling == math.inf
        if retry_after is not None:
            return None if measured and retry_after == 1.0 else retry_after
        if not self._believes(reset) or (measured and reset and reset <= _SHORT_RESET):
            return None
        self._credit.obeyed()
        return reset

    def _believes(self, reset: float | None) -> bool:
        """Whether everybody waits until the time that headers tell."""
        window = self._evidence.window if self._evidence.confirmed else None
        believes = reset is not None and self._credit.believes_reset(reset, window)
        return believes and self.ceiling == math.inf

    def _apply_hint(self, now: float, hint: float) -> None:
        """Wait as long as the service says, everybody."""
        self._hinted = True
        self._coarse = hint >= 1.0
        pause = min(hint, LONGEST_PAUSE)
        self._until = max(self._until, now + pause)
        earliest = now + pause - self._coarse - min(self.round_trip, 1.0) / 2
        self._earliest = max(self._earliest, earliest)

    def _pause(self, now: float, seconds: float) -> None:
        """Stand still for a service that is down, which says nothing about its quota."""
        if not self.closed:
            self._close(now, now)
        self._hinted = True
        self._until = max(self._until, now + min(seconds, LONGEST_PAUSE))

    def _open(self, now: float, sent: float) -> None:
        self.closed = False
        self._era += 1
        earliest = min(self._earliest, sent)
        if self._told < math.inf and not self._hinted:
            self._credit.opened(self._told, earliest, now)
        # Nothing left after a call or two, without a refusal, is likely no quota's account.
        doubtful = not self._is_refused and self.accepted < _START_WINDOW
        alone = doubtful or self._grace.tokens(self.accepted) >= 0.0
        # Whoever waited as told does not know how many would have been refused meanwhile.
        believed = self._lesson and (self._hinted or not alone)
        self._trusted = 0 if believed else _TRUST - _TRUST_UNCHANGED
        rate = self._bucket.rate
        if believed:
            self._end_grace(0.0)
            hints = self._hinted, self._coarse
            self._learn(Contact(self._closed_at, earliest, sent, *hints, self._missed, alone), now)
            self._growth.restart(now)
            rate = self._evidence.rate * margin(self._evidence)
        if self._concurrency.limit != math.inf:
            self._run_free(now)
        elif self.ceiling == math.inf and not self._ramping:
            # What the quota would have allowed since it opened is made up for.
            debt = min(rate * (sent - earliest), rate)
            size = max(1.0, _SLACK * rate, debt, rate / 2 if self._count else 0.0)
            self._bucket.reset(now, rate, size, debt)
            self._peak.reset(now, _CATCH_UP * rate, max(1.0, _SMOOTH * rate), 1.0)

    def _end_grace(self, left: float) -> None:
        """Bear no more refusals than are `left`; below 0, the one at hand is believed."""
        self._grace.reset(self.accepted, _GRACE_SHARE, _GRACE, left)

    def _run_free(self, now: float) -> None:
        """Let the limit of calls in flight do the pacing."""
        self._count = None
        rate = min(max(self._bucket.rate, 1.0) * 2, self.ceiling, FASTEST)
        self._bucket.reset(now, rate, max(1.0, _SLACK * rate), 1.0)
        self._peak.reset(now, math.inf, 1.0, 1.0)

    def _learn(self, contact: Contact, now: float) -> None:
        if not self._ramping and self._concurrency.contact(
            now, self._level, at_once=not (self._missed_below or contact.hinted)
        ):
            return
        if self._ramping and not self._evidence.accepted:
            return  # nothing is known yet
        if self._ramping:
            self._evidence.first(contact, self._credit.policy)
            self._ramping = False
            self._window = math.inf
        else:
            self._evidence.next(contact, self._credit.policy)
        window = self._evidence.window
        if window is None or self.ceiling != math.inf:
            self._count = None
        elif contact.coarse and not self._evidence.confirmed:
            pass  # a guess would hold back more than it helps
        elif self._count is None or self._count.window != window:
            self._count = self._evidence.recent(window, now)

    def _double(self, now: float) -> None:
        """Grow while nothing was ever refused."""
        rate = self._growth.doubled(now, self._bucket.rate)
        if rate is not None:
            self._window += 1
            self._bucket.set_rate(now, rate, max(_START_CALLS, _SMOOTH * rate))

    def _look_up(self, now: float) -> None:
        """Leave the measured rate after a while, to see whether there is more."""
        if self._concurrency.limit != math.inf:
            rate = self._growth.doubled(now, self._bucket.rate)
        else:
            rate = self._growth.crept(now, self._bucket.rate, self._evidence, self._credit)
        if rate is None:
            return
        rate = min(rate, self.ceiling)
        if self.ceiling != math.inf:
            self._bucket.set_rate(now, rate, self._bucket.size)
            return
        self._bucket.set_rate(now, rate, max(1.0, _SLACK * rate, self._bucket.tokens(now)))
        if self._peak.rate != math.inf:
            self._peak.set_rate(now, _CATCH_UP * rate, max(1.0, _SMOOTH * rate))
