"""May a call go now? The gate is open, or closed until one call got through again.

A pure state machine in virtual time: the bucket asks `ready_in` before a call, says `take` when
it goes and `record_response`, with what `take` returned, when its response is there. What the
quota is, the learner knows.

Open, calls go evenly at the learner's pace, in no greater number than the window holds. A 429
closes the gate for everybody. Closed, single calls probe: at the ends of customary windows while
nothing is known, later after the time of one call and then twice as long each time. The first
that gets through opens it. At most one call probes at a time.

Headers are hypotheses. `Retry-After` is obeyed; after it was obeyed twice, or calls on their way
were let in meanwhile, one call tries after a quarter of it, and one after another half, unless what
the service says counts down; what they find counts the next time. That of a 503 is always obeyed. A
remaining number holds calls back only where the pace is not measured, never all of them, and for a
second at most before it is taken for false. A policy is believed if the measure is near it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from humeai_async._base.frozen import define
from humeai_async.limiter.account import Account
from humeai_async.limiter.headers import Quota
from humeai_async.limiter.learner import Learner
from humeai_async.limiter.measure import CUSTOMARY, MANY, Contact
from humeai_async.limiter.token_bucket import TokenBucket

TOO_MANY_REQUESTS: Final = 429
SERVICE_UNAVAILABLE: Final = 503
LONGEST_PAUSE: Final = 600.0
"""Seconds; after a longer hint the service is asked again all the same."""

_START_CALLS: Final = 4.0
_START_ROOM: Final = 8
"""Calls at once, and in flight, before anything is known. Limits below 10, slow networks."""
SLACK: Final = 0.05
"""Seconds of calls that are made up for after a timer came late, or a rest. Real sockets only."""
_FIRST_PROBE: Final = 0.01
_SERIES: Final = (0.1, 0.25, *CUSTOMARY)
"""Seconds from the start at which a closed quota is probed while nothing is known. Silent cells
with limits below 20: each probe is a refusal."""
_PROBES: Final = 100.0
_FINEST: Final = 0.25
"""A closed quota is probed after a share of its pause: so many calls over those that were let in
before, for a quota of many is worth knowing well, and one of few is not to be used up by probes."""
GRACE: Final = 2.0
GRACE_SHARE: Final = 0.02
"""Lone refusals that are borne at no more than their pause, and their share of calls: proxies and
busy machines refuse a call now and then. Buckets with bursts."""
_OBEYED: Final = 2
_UNDERCUT: Final = 0.25
"""Times that `Retry-After` is obeyed before one call tries after a share of it. Constant ones."""
CATCH_UP: Final = 2.0
_IN_VAIN: Final = 2
"""How much faster than its pace it makes up for a needless pause where many calls fit a window, and
refusals meanwhile after which it does not. Retry-After in whole seconds."""


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
        "_account", "_between", "_bucket", "_burst", "_closed_at", "_earliest", "_era",
        "_first_era", "_grace", "_hint", "_in_vain", "_is_down", "_is_hinted", "_is_noisy",
        "_is_pressed", "_is_undercut", "_last_take", "_noticed", "_obeyed", "_owed", "_pace",
        "_refused_at", "_room", "_share", "_tries", "_until", "accepted", "closed", "in_flight",
        "learner", "pauses", "refused",
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
        self._until = self._last_take = -math.inf
        self._closed_at = self._noticed = self._earliest = now
        self._pace = self._between = self._hint = self._owed = 0.0
        self._tries = self._obeyed = self._refused_at = self._in_vain = 0
        self._share = _UNDERCUT
        self._is_pressed = self._is_down = self._is_hinted = False
        self._is_undercut = self._is_noisy = False
        self._account = Account()
        # Its clock counts accepted calls.
        self._grace = TokenBucket(GRACE_SHARE, GRACE, 0.0, GRACE)

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
        return min(learner.pace * CATCH_UP, learner.ceiling) if self._owed > 0.0 else learner.pace

    def tokens(self, now: float) -> float:
        """Return how many calls could go at once; below 0 is debt."""
        return self._bucket.tokens(now)

    def paused_for(self, now: float) -> float:
        """Return the seconds for which surely no call goes."""
        return max(0.0, self._until - now) if self.closed else 0.0

    def ready_in(self, now: float, cost: float) -> float:
        """Return the seconds until a call may go or it is worth asking again; 0 is now."""
        if self.closed:
            return max(0.0, self._until - now)
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
        self._bucket.take(now, cost)
        self._account.left -= cost
        if self._owed > 0.0:
            self._owed -= cost * (1 - 1 / CATCH_UP)
        self.in_flight += 1
        self._last_take = now
        if self.closed:
            # If this one takes long to be answered, another is risked.
            self._until = now + max(1.0, 4 * self.learner.round_trip)
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
                self._until = min(self._until, now + _FIRST_PROBE)
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
            self._is_down = True
            self._until = max(self._until, now + min(retry_after, LONGEST_PAUSE))
        else:
            self._accept(now, sent, is_current=is_current)
            if account.used_up and not self.closed and learner.ceiling == math.inf:
                self._refuse(now, sent.at, None, is_current=True)
                self._refused_at = -1  # this was no chance

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
        elif sent.at > self._closed_at:
            self._between += sent.cost
            if self._is_hinted and sent.at > self._closed_at + learner.round_trip / 2:
                self._doubt_hint(now)

    def _close(self, now: float, sent: float) -> None:
        self.closed = True
        self.pauses += 1
        self._era += 1
        self._closed_at = self._earliest = sent
        self._noticed = self._until = now
        self._pace = self._speed
        self._refused_at = self.refused
        self._in_vain += self._owed > 0.0
        self._owed = self._between = self._hint = 0.0
        self._tries = 0
        self._is_down = self._is_hinted = self._is_undercut = False

    def _refuse(self, now: float, sent: float, hint: float | None, *, is_current: bool) -> None:
        if self.closed and is_current:
            self._tries += 1
            self._until = now
            self._is_hinted = False
            self._earliest = max(self._earliest, sent)
            if self._is_undercut:
                self._end_undercut(now, hint or 0.0)
        elif self.closed:
            # Sent before the closing: it says nothing new, but perhaps how long to wait.
            if not hint or self._is_undercut:
                return
        elif is_current:
            self._close(now, sent)
        else:
            return
        if hint and not self._hint and not self._tries:
            self._hint = min(hint, LONGEST_PAUSE)
            is_long = self._hint * self.learner.rate > 1.0  # than a call has to wait anyway
            self._is_undercut = is_long and self._obeyed >= _OBEYED
        if not hint:
            self._until = max(self._until, self._next_probe(now, is_asked_for=hint is not None))
        elif self._is_undercut:
            self._until = now + self._hint * self._share
        else:
            self._is_hinted = True
            self._until = max(self._until, now + min(hint, LONGEST_PAUSE))

    def _doubt_hint(self, now: float) -> None:
        """Learn that a call was let in that went while all were asked to wait."""
        self._obeyed += 1
        # In a sliding window calls are let in as others fall out of it.
        is_false = self._obeyed >= _OBEYED and self._hint > (self.learner.window or 0.0)
        if is_false and not self._is_down:
            self._is_hinted, self._is_undercut, self._until = False, True, now

    def _end_undercut(self, now: float, hint: float) -> None:
        """Learn that a call that went before its time was refused: the next one goes later.

        It waits for the whole time if the service counts down, and so knows it.
        """
        later = now + hint - self._noticed - self._hint
        self._share *= 2
        self._is_undercut = self._share < 1.0 and later > (now - self._noticed) / 2
        if not self._is_undercut:
            self._share, self._obeyed = _UNDERCUT, -_OBEYED

    def _next_probe(self, now: float, *, is_asked_for: bool = False) -> float:
        """Return when one call tries again; soon where the service asks for it at once."""
        learner = self.learner
        reset = self._account.reset
        share = 1.0 if reset else min(max(_PROBES / learner.used, _FINEST), 1.0)
        if not learner.is_known:
            first = learner.time_windows(has_reset=reset is not None)
            soonest = now + (min(reset or 0.0, (now - first) / 2) if self._account.used_up else 0.0)
            soon = now + _FIRST_PROBE * 2.0**self._tries if is_asked_for else math.inf
            for seconds in _SERIES:
                if first + seconds > soonest:
                    finer = math.inf if share == 1.0 else soonest + share * (now - self._closed_at)
                    return min(first + seconds, finer, now + (reset or math.inf), soon)
        if self._tries == 1:
            opening = learner.next_opening(now)
            if opening is not None:
                return opening
        delay = max(_FIRST_PROBE, 1.0 / learner.rate, share * (now - self._closed_at))
        if self._tries:
            delay = max(delay, _FINEST * min(reset or 0.0, 1.0) / 2)
        return now + min(delay, reset or math.inf, CUSTOMARY[-1])

    def _open(self, now: float, sent: float) -> None:
        self.closed = False
        self._era += 1
        self._account.reopen()
        if self._is_undercut:
            self._share *= _UNDERCUT
        elif self._is_hinted:
            self._obeyed += 1
        learner = self.learner
        if not self._is_down and not self._is_borne():
            earliest = min(self._earliest, sent)
            contact = Contact(
                self._closed_at, self._noticed, earliest, sent, self._pace,
                self._is_hinted or self._is_undercut, self._between,
            )  # fmt: skip
            learner.open(now, contact, self._account.policy)
            self._grace.reset(self.accepted, GRACE_SHARE, GRACE, 0.0)
        if learner.is_known:
            self._room = math.inf
            window = learner.window or 0.0
            if self._in_vain < _IN_VAIN and learner.rate * window > MANY:
                self._owed = learner.pace * min(sent - self._earliest, window)
        self._bucket.reset(now, self._speed, self._size, 0.0)

    def _is_borne(self) -> bool:
        """Whether this was a lone refusal, as a proxy sends, that shows no quota.

        While it looks upward, only if some came before it did.
        """
        learner = self.learner
        self._grace.take(self.accepted, 1.0)
        is_lone = self.refused == self._refused_at and learner.is_known
        self._is_noisy = is_lone and (self._is_noisy or not learner.is_looking)
        return self._is_noisy and self._grace.tokens(self.accepted) >= 0.0

    def shift(self, seconds: float) -> None:
        """Move to a clock that shows this many seconds more; responses on the way are lost."""
        self._bucket.shift(seconds)
        self.learner.shift(seconds)
        self._account.shift(seconds)
        for name in ("_until", "_last_take", "_closed_at", "_noticed", "_earliest"):
            setattr(self, name, getattr(self, name) + seconds)
        self.in_flight = 0
        self._era += 1
        self._first_era = self._era
