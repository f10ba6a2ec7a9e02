"""A closed quota: from the refusal that closed it to the call that gets through.

Single calls try it: at the ends of customary windows while nothing is known, later after the time
of one call and then twice as long each time. `Retry-After` is obeyed; after it was obeyed twice, or
calls on their way were let in meanwhile, one call tries after a quarter of it, and one after
another half, unless what the service says counts down; what they find counts the next time. That of
a 503 is always obeyed.

Once it is open, a lone refusal is borne, and a pause that was longer than the quota asked for is
made up for.
"""

from __future__ import annotations

import math
from typing import Final

from humeai_async._base.frozen import define
from humeai_async.limiter.account import Account
from humeai_async.limiter.learner import Learner
from humeai_async.limiter.measure import CUSTOMARY, MANY, Contact
from humeai_async.limiter.token_bucket import TokenBucket

LONGEST_PAUSE: Final = 600.0
"""Seconds; after a longer hint the service is asked again all the same."""
_FIRST_TRY: Final = 0.01
_SERIES: Final = (0.1, 0.25, *CUSTOMARY)
"""Seconds from the start at which a closed quota is probed while nothing is known. Silent cells
with limits below 20: each probe is a refusal."""
_PROBES: Final = 100.0
_FINEST: Final = 0.25
"""A closed quota is probed after a share of its pause: so many calls over those that were let in
before, for a quota of many is worth knowing well, and one of few is not to be used up by probes."""
_GRACE: Final = 2.0
_GRACE_SHARE: Final = 0.02
"""Lone refusals that are borne at no more than their pause, and their share of calls: proxies and
busy machines refuse a call now and then. Buckets with bursts."""
CATCH_UP: Final = 2.0
_IN_VAIN: Final = 2
"""How much faster than its pace it makes up for a needless pause where many calls fit a window, and
refusals meanwhile after which it does not. Retry-After in whole seconds."""
_OBEYED: Final = 2
_UNDERCUT: Final = 0.25
"""Times that `Retry-After` is obeyed before one call tries after a share of it. Constant ones."""


@define(eq=False)
class Pause:
    """One closing of a quota, and the calls that try it."""

    closed: float
    """When the first refused call was sent."""
    noticed: float
    """When its response was there."""
    pace: float
    """Calls a second that were sent then."""
    refused: int
    """Refusals so far, with this one."""
    until: float
    """When the next call goes."""
    earliest: float
    """When the last refused call was sent."""
    tries: int = 0
    """Calls that tried and were refused."""
    between: float = 0.0
    """Cost of the calls let in that were sent after the first refused one."""
    down_until: float = -math.inf
    """Until when a 503 asked to wait, which says nothing of the quota."""

    @property
    def is_down(self) -> bool:
        """Whether a 503 asked for it."""
        return self.down_until > -math.inf

    def record_try(self, now: float, sent: float) -> None:
        """Note that a call that tried was refused."""
        self.tries += 1
        self.end_hold(now)
        self.earliest = max(self.earliest, sent)

    def record_lost_try(self, now: float) -> None:
        """Note that a call that tried got no response: the next one goes soon."""
        self.until = min(self.until, max(now + _FIRST_TRY, self.down_until))

    def hold(self, now: float, seconds: float) -> None:
        """Let nobody go for so long."""
        self.until = max(self.until, now + min(seconds, LONGEST_PAUSE))

    def hold_down(self, now: float, seconds: float) -> None:
        """Let nobody go for so long, whatever the quota's refusals say: the service is down."""
        self.hold(now, seconds)
        self.down_until = max(self.down_until, now + min(seconds, LONGEST_PAUSE))

    def end_hold(self, now: float) -> None:
        """Let one go now, or as soon as the service is up again."""
        self.until = max(now, self.down_until)

    def contact(self, opened: float, *, is_hinted: bool) -> Contact:
        """Return what there is to measure, now that a call sent at a time got through."""
        earliest = min(self.earliest, opened)
        return Contact(
            self.closed, self.noticed, earliest, opened, self.pace, is_hinted, self.between
        )

    def next_try(
        self, now: float, learner: Learner, account: Account, *, is_asked_for: bool
    ) -> float:
        """Return the seconds until one call tries; few where the service asks for it at once."""
        reset, passed = account.reset, now - self.closed
        share = 1.0 if reset else min(max(_PROBES / learner.used, _FINEST), 1.0)
        if not learner.is_known:
            first = learner.time_windows(has_reset=reset is not None)
            least = min(reset or 0.0, (now - first) / 2) if account.used_up else 0.0
            soon = _FIRST_TRY * 2.0**self.tries if is_asked_for else math.inf
            finer = share * passed if share < 1.0 else math.inf
            for seconds in _SERIES:
                wait = first + seconds - now
                if wait > least:
                    return min(wait, finer, reset or math.inf, soon)
        delay = max(_FIRST_TRY, 1.0 / learner.rate, share * passed)
        if self.tries:
            delay = max(delay, _FINEST * min(reset or 0.0, 1.0) / 2)
        return min(delay, reset or math.inf, CUSTOMARY[-1])

    def shift(self, seconds: float) -> None:
        """Move to a clock that shows this many seconds more."""
        self.closed += seconds
        self.noticed += seconds
        self.until += seconds
        self.earliest += seconds
        self.down_until += seconds


class RetryAfter:
    """How long the service asks to wait, and how far it is believed, from pause to pause."""

    __slots__ = ("_obeyed", "_seconds", "_share", "is_cut_short", "is_obeyed")

    def __init__(self) -> None:
        """Begin without any."""
        self.is_obeyed: bool = False
        """Whether everybody waits as long as the service asked in this pause."""
        self.is_cut_short: bool = False
        """Whether one call tries before."""
        self._seconds = 0.0
        self._obeyed = 0  # times, or calls that were let in before the time: none was needed then
        self._share = _UNDERCUT

    @property
    def was_waited_for(self) -> bool:
        """Whether some of it passed before a call tried: nobody knows if that was needed."""
        return self.is_obeyed or self.is_cut_short

    def close(self) -> None:
        """Begin a pause, of which nothing was said yet."""
        self._seconds = 0.0
        self.is_obeyed = self.is_cut_short = False

    def wait(self, seconds: float, rate: float, *, is_first: bool) -> float:
        """Return after how many seconds a call tries.

        Args:
            seconds: How long the service asks to wait; above 0.
            rate: Calls a second, as far as is known.
            is_first: Whether no call has tried in this pause.
        """
        if is_first and not self._seconds:
            self._seconds = seconds
            is_long = seconds * rate > 1.0  # than a call has to wait anyway
            self.is_cut_short = is_long and self._obeyed >= _OBEYED
        if self.is_cut_short:
            return self._seconds * self._share
        self.is_obeyed = True
        return seconds

    def doubt(self, window: float) -> bool:
        """Learn that a call was let in that went while all were to wait; say if one tries now.

        In a sliding window calls are let in as others fall out of it.
        """
        self._obeyed += 1
        if self._obeyed < _OBEYED or self._seconds <= window:
            return False
        self.is_obeyed, self.is_cut_short = False, True
        return True

    def record_try(self, passed: float, seconds: float) -> None:
        """Learn that a call that tried was refused: the next one goes later.

        It waits for the whole time if the service counts down, and so knows it.

        Args:
            passed: Seconds since the service said first how long to wait.
            seconds: How long it asks to wait now.
        """
        self.is_obeyed = False
        if self.is_cut_short:
            self._share *= 2
            later = passed + seconds - self._seconds
            self.is_cut_short = self._share < 1.0 and later > passed / 2
            if not self.is_cut_short:
                self._share, self._obeyed = _UNDERCUT, 0

    def open(self) -> None:
        """Learn that a call got through."""
        if self.is_cut_short:
            self._share *= _UNDERCUT
        elif self.is_obeyed:
            self._obeyed += 1


class LoneRefusals:
    """Refusals that show no quota, such as proxies send now and then."""

    __slots__ = ("_are_usual", "_budget")

    def __init__(self) -> None:
        """Begin with a few that will be borne."""
        self._budget = TokenBucket(_GRACE_SHARE, _GRACE, 0.0, _GRACE)  # its clock counts calls
        self._are_usual = False  # they came when nothing looked upward, too

    def count(self, accepted: float) -> None:
        """Count one more, after so many accepted calls."""
        self._budget.take(accepted, 1.0)

    def bear(self, accepted: float, *, is_lone: bool, is_looking: bool) -> bool:
        """Count one more, and say whether it is borne.

        Args:
            accepted: Accepted calls so far.
            is_lone: Whether no other call was refused with it.
            is_looking: Whether the pace was above what was measured: then only if some came
                before it was.
        """
        self.count(accepted)
        self._are_usual = is_lone and (self._are_usual or not is_looking)
        return self._are_usual and self._budget.tokens(accepted) >= 0.0

    def restart(self, accepted: float) -> None:
        """Bear none for a while: a quota was measured."""
        self._budget.reset(accepted, _GRACE_SHARE, _GRACE, 0.0)


class CatchUp:
    """Calls by which all goes faster than its pace for a while, to make up for a pause."""

    __slots__ = ("_in_vain", "owed")

    def __init__(self) -> None:
        """Begin with none."""
        self.owed: float = 0.0
        """Calls that are still to be made up for; none where it is not above 0."""
        self._in_vain = 0

    def open(self, learner: Learner, seconds: float) -> None:
        """Make up for a pause whose last seconds may not have been needed."""
        window = learner.window or 0.0
        if self._in_vain < _IN_VAIN and learner.rate * window > MANY:
            self.owed = learner.pace * min(seconds, window)

    def take(self, cost: float) -> None:
        """Count a call that went faster."""
        self.owed -= cost * (1 - 1 / CATCH_UP)

    def close(self) -> None:
        """End it: the quota is used up, which was in vain if something was left."""
        self._in_vain += self.owed > 0.0
        self.owed = 0.0
