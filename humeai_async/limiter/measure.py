"""What contacts with a quota say of its rate and its window.

The one estimator is *calls let in between two openings, divided by the time between them*: at
both ends the quota was just used up, whatever its shape. An opening is known no better than the
probes that found it, so the estimator gives a least and a most, and the rate is moved no further
than they demand. Four things sharpen it:

- calls that are let in although they were sent after a refused one come from a bucket or a limit
  of calls in flight (a window lets nobody in until it opens): their flow is the rate;
- the first time a quota opens, a customary length between the bounds is taken for its window;
- a rate that was left behind by growth says nothing of the last seconds: then the calls of the
  last window count, or, without a window, the middle between the measure and the pace reached;
- a window of many calls bears no more than it held when it closed, however long nobody called
  after that; an opening after a pause that was asked for is bounded by nothing else.

Each constant names the cells of the zoo (`tests/limiter_zoo.py`) that move if it changes.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

from humeai_async._base.frozen import frozen
from humeai_async.limiter.token_bucket import WindowCount

CUSTOMARY: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0)
"""Seconds; services pick windows from few numbers. Fixed and sliding windows, silent."""
START_RATE: Final = 24.0
"""Calls a second before anything is known: a page of calls in a second, and little harm to a
quota of few. Limits below 10."""
_LOWER: Final = 0.8
"""What a refusal takes off where nothing can be measured. Small buckets, slow networks."""
_NUDGE: Final = 0.97
"""What a refusal takes off a rate that the measure does not speak against. Buckets."""
_REACHED: Final = 0.92
"""Share of a pace that was refused which a quota without bursts bears. Buckets of burst 1."""
_COMPARABLE: Final = 4.0
"""A pause so many times longer than another is that of another quota. Two quotas at once."""
_TIMING: Final = 0.01
"""Seconds; no time of ours is known better."""
_CONNECTED: Final = 2.2
"""Round trips after which the first response is late. Scenes on real sockets."""
_SHORT_TRIP: Final = 0.05
"""Seconds by which a quota of many may be asked late. Scenes on real sockets."""
_LONG_TRIP: Final = 0.2
"""Seconds; half a longer round trip is not waited for. Short windows, slow networks."""
_HAIR: Final = 1e-6
"""Seconds; what two sums of floats differ by. None."""
FEW: Final = 5.0
"""Calls below which a flow is no measure. Slow networks."""
MANY: Final = 20.0
"""Calls of which a twentieth more or less is precise enough. Buckets at first contact."""
_PRECISE: Final = 100.0
"""Calls in a window of which one more or less does not matter. Sliding windows."""
_ROW: Final = 4
_ROW_SECONDS: Final = 0.05
"""Closings after a few calls, or so many seconds of them, one after the other, that are no chance.
Small buckets, and large ones that were taken for windows."""
BEYOND: Final = 1.3
"""Growth by which a rate was left behind. Quotas at once, tripled quotas."""
QUICK: Final = 1.5
"""Seconds; a longer pause is that of a window. Buckets at first contact."""


@frozen
class Contact:
    """One closing and opening of a quota, in seconds of the gate's clock."""

    closed: float
    """When the first refused call was sent."""
    noticed: float
    """When its response was there: until then calls were sent."""
    earliest: float
    """The quota was still closed then."""
    opened: float
    """The quota was open again then."""
    pace: float
    """Calls a second that were sent when it closed."""
    is_hinted: bool = False
    """Whether everybody waited as the service had asked, so nobody knows if that was needed."""
    between: float = 0.0
    """Cost of the calls let in that were sent after the first refused one."""

    @property
    def pause(self) -> float:
        """Seconds for which it was closed, at most."""
        return self.opened - self.closed

    @property
    def is_quick(self) -> bool:
        """Whether it was open as soon as it was tried, and that was soon."""
        return self.earliest <= self.closed and self.pause < QUICK

    @property
    def flow(self) -> float | None:
        """Calls a second that were let in while others were refused, if they are enough."""
        if self.between < FEW:
            return None
        return self.between / max(self.noticed - self.closed, _TIMING)


class Measure:
    """The rate and the window of one quota, as measured by contacts with it."""

    __slots__ = (
        "_anchors", "_before", "_counted", "_is_rough", "_log", "_longest", "_row", "_row_start",
        "_start", "_timed_from", "accepted", "count", "is_even", "rate", "round_trip", "window",
    )  # fmt: skip

    def __init__(self, now: float) -> None:
        """Begin with nothing known."""
        self.rate: float = START_RATE
        """Calls a second, as measured."""
        self.is_even: bool = False
        """Whether the quota bears no burst."""
        self.window: float | None = None
        """Length of the quota's window in seconds, if one was found."""
        self.count: WindowCount | None = None
        """Calls of the last window, where there is one."""
        self.accepted: float = 0.0
        """Cost of all accepted calls."""
        self.round_trip: float = math.inf
        """Shortest time to a response seen, in seconds; the gate keeps it."""
        self._is_rough = False
        self._start = self._row_start = now, 0.0
        self._counted = self._timed_from = -math.inf
        self._row = 0
        self._before = 0.0
        self._longest = math.inf
        self._anchors: deque[tuple[Contact, float]] = deque(maxlen=16)
        self._log = WindowCount(64.0, 1024)

    @property
    def started(self) -> float:
        """When the calls began by which the rate will be measured."""
        return self._start[0]

    def _add_accepted(self, at: float, cost: float) -> None:
        """Count an accepted call at the time at which the service saw it."""
        self.accepted += cost
        self._log.add(at, cost)
        if self.count is not None:
            self.count.add(at, cost)

    def close(self, at: float) -> None:
        """Note what the window holds, as a call that was sent then was refused."""
        count = self.count
        held = 0.0 if count is None else count.between(at - count.window, math.inf)
        self._before = self.accepted - held

    def time_windows(self, *, has_reset: bool) -> float:
        """Return from when on windows are timed: when the first of those calls was counted.

        A connection may have been opened for it, and nobody knows for how much of the time until
        its response. So they are timed from that response on where it took far longer than
        others, or where that costs little: who asks a hair too early loses a whole window. One of
        a few calls is timed from the first call on, for its responses are too few to compare.

        Args:
            has_reset: Whether the service says when the quota opens, and a hair does not matter.
        """
        seconds = self._counted - self.started
        is_late = seconds > _CONNECTED * self.round_trip
        is_cheap = 0.0 <= seconds < _SHORT_TRIP and not has_reset
        if self.used >= MANY and (is_late or is_cheap):
            self._timed_from = self._counted
        else:
            self._timed_from = self.started + min(self.round_trip, _LONG_TRIP) / 2
        return self._timed_from

    @property
    def used(self) -> float:
        """Cost of the calls that were let in since the quota last opened; at least 1."""
        before = self._anchors[-1][1] if self._anchors else self._start[1]
        return max(1.0, self.accepted - before)

    def _measure_first(self, contact: Contact, policy: tuple[float, float] | None) -> None:
        start, before = self._start
        count = self.accepted - before
        longest = max(contact.opened - start, _TIMING)
        shortest = max(contact.earliest - max(self._timed_from, start), longest / 4)
        average = count / longest
        share = contact.pause / longest
        if contact.flow is not None:
            self.rate = contact.flow
            self._is_rough = contact.noticed - contact.closed < _TIMING  # it was taken for more
        elif policy is not None and 0.5 < average * policy[1] / policy[0] < 2.0:  # noqa: PLR2004 - near the measure
            self.rate = policy[0] / policy[1]
            if share > 0.1 and not contact.between:  # noqa: PLR2004 - a bucket opens at once
                self._set_window(policy[1])
        elif contact.between:
            self.rate = (count - 1.0) / max(contact.noticed - start, _TIMING)
            self._is_rough = count < 2 * MANY  # the mean of a pace that grew
        elif share < 0.1:  # noqa: PLR2004 - as above: it began full, the measure is too high
            self.rate = average / 2
            self._is_rough = True
        elif share < 0.5:  # noqa: PLR2004 - more than one window since the start
            self.rate = math.sqrt(average * max(average, contact.pace))
        else:
            # Where nothing was tried before the opening the longest of its lengths is as likely.
            is_hinted = contact.is_hinted or contact.earliest <= contact.closed
            self._measure_window(count, shortest, longest, is_hinted=is_hinted)
            # Nobody knows how much others had used when the calls began.
            self._is_rough = count < 2 * FEW

    def _measure_window(
        self, count: float, shortest: float, longest: float, *, is_hinted: bool
    ) -> None:
        near = [one for one in CUSTOMARY if shortest + _HAIR < one <= longest + 2 * _TIMING]
        if not near:
            self.rate = count / math.sqrt(longest * shortest)
            return
        window = near[-1] if is_hinted else near[0]
        self.rate = max(count - 1.0, 1.0) / window  # the last one is of the next window
        if count > FEW + 1:
            self._set_window(window)

    def _set_window(self, window: float) -> None:
        if window <= CUSTOMARY[-1]:
            self.window = window

    def _measure(self, contact: Contact) -> None:
        was_rough, self._is_rough = self._is_rough, False
        if self._measure_row(contact) or self._measure_even(contact, was_rough=was_rough):
            return
        if contact.flow is not None:
            self.rate = contact.flow
        elif not self._measure_held(contact) and not self._measure_period(contact):
            before = self.rate
            self._measure_between(contact)
            # The mean of a pace that grew on and on is a lower bound, as the one before it was.
            self._is_rough = was_rough and before * BEYOND < self.rate < contact.pace / BEYOND
            # A sliding window lets in as few calls as came a window ago.
            self._is_rough |= self.used <= FEW and self.rate < before / 2

    def _measure_even(self, contact: Contact, *, was_rough: bool) -> bool:
        """Measure a quota without bursts by the pace that it refused; say if it is one.

        A little above its rate it refuses every other call, so a flow may be half of the rate.
        """
        flow, pace = contact.flow, contact.pace
        if not self.is_even or self.window is not None:
            return False
        if pace > self.rate:
            reached = math.sqrt(self.rate * pace) if was_rough else pace * _REACHED
            self.rate = max(flow or 0.0, self.rate, reached)
        elif flow is None:
            return False
        else:
            self.rate = math.sqrt(flow * pace) if self.used <= MANY else pace * _NUDGE
        return True

    def _measure_between(self, contact: Contact) -> None:
        """Move the rate as far as calls between two openings demand."""
        bounds = self._bounds(contact)
        if bounds is None:
            self._measure_alone(contact)
            return
        least, most = bounds
        middle = self._between_closings(contact)
        if middle < self.rate / 1.1:
            self.rate = max(middle, least)
            return
        rate = min(max(self.rate, least), most)
        if contact.pace <= self.rate:
            rate = min(rate, self.rate)  # what was refused at this pace bears no higher one
        if contact.pace <= BEYOND * rate:
            if rate == self.rate and contact.pace <= self.rate:
                rate *= _NUDGE
        elif self.count is not None:
            held = self._count_held(contact) / self.count.window
            if held > 1.1 * rate:  # what others count is heard of late
                rate = held
        elif contact.is_hinted or contact.pause * rate < 0.1 * most:
            rate = math.sqrt(max(rate, min(most, contact.pace)) * contact.pace)
        self.rate = min(rate, self._held_at_most(contact))

    def _measure_alone(self, contact: Contact) -> None:
        if self._anchors or contact.pace <= self.rate:
            self.rate *= _LOWER if self.window is None else 1 - (1 - _NUDGE) / 3
        elif self.count is not None:  # it was full; after a rest a bucket lets in what it saved
            self.rate = max(self.rate, self._count_held(contact) / self.count.window)
        self.rate = min(self.rate, self._held_at_most(contact))

    def _measure_row(self, contact: Contact) -> bool:
        """Give way to calls that are refused again and again after a few; say whether it did."""
        if self.used > max(FEW, _ROW_SECONDS * self.rate):
            self._row = 0
        if not self._row:
            self._row_start = contact.opened, self.accepted
        self._row += 1
        if self._row <= _ROW:
            return False
        opened, before = self._row_start
        rate = max((self.accepted - before) / (contact.closed - opened), self.rate / 4)
        self._row = 0
        if rate <= self.rate / 2:
            self.window = self.count = None
            self._is_rough = rate == self.rate / 4  # a sliding window lets in few at first
        elif self.used <= FEW:
            return False
        self.rate = min(self.rate, rate)
        return True

    def _measure_held(self, contact: Contact) -> bool:
        """Count what a window held that opened at once; say if it is a sliding one.

        That is refused when it holds exactly its limit. Where something else opens at once, twice
        within its window, it has none.
        """
        is_instant = contact.is_quick and not contact.is_hinted
        if self.window is None or self.count is None or not is_instant:
            return False
        limit, held = self.rate * self.window, self._count_held(contact)
        if limit < _PRECISE:
            return False
        if abs(held - limit) < 0.1 * limit:
            self.rate = min(held / self.window, (1 - (1 - _NUDGE) / 3) * contact.pace)
            return True
        last = self._anchors[-1][0] if self._anchors else None
        if last is not None and last.is_quick and contact.closed - last.closed < 0.9 * self.window:
            self.window = self.count = None
        return False

    def _count_held(self, contact: Contact) -> float:
        """Return the calls that the window held when it closed."""
        return self.accepted - self._before - contact.between - 1.0

    def _held_at_most(self, contact: Contact) -> float:
        """Return the rate of a window that holds no more than it did when it closed."""
        if self.window is None or contact.is_quick or self.rate * self.window < _PRECISE:
            return math.inf
        if contact.closed - self.window < self.started:
            return math.inf  # who joined others, or lost sight of them, has not counted all of it
        return max(self._count_held(contact) / self.window, self.rate / 2)

    def _between_closings(self, contact: Contact) -> float:
        """Return the rate of a bucket, which was empty at both closings; infinite for others."""
        anchor, accepted = self._anchors[-1]
        used = self.accepted - accepted
        if self.window is not None or used <= MANY or not contact.is_quick:
            return math.inf
        return used / (contact.closed - anchor.closed)

    def _measure_period(self, contact: Contact) -> bool:
        """Read the window off two openings, which lie whole windows apart; say if it is new."""
        if not self._anchors:
            return False
        anchor, accepted = self._anchors[-1]
        least, most = contact.earliest - anchor.opened, contact.opened - anchor.earliest
        self._longest = min(self._longest, most)
        if contact.is_hinted or contact.earliest <= contact.closed or anchor.is_quick:
            return False
        for window in (self.window or math.inf, *reversed(CUSTOMARY)):
            count = math.floor(most / window)
            if window == self.window and count * window >= least:
                return False  # another would do as well, but this one was measured before
            fits = contact.earliest - contact.closed < window <= self._longest
            if fits and count * window >= least > 0.0 and most - least < window / 4:
                used = (self.accepted - accepted - 1.0) / count
                if count > 1:
                    used = max(used, self._log.between(contact.opened - window, contact.opened) - 1)
                self.window, self.rate = window, max(used, 1.0) / window
                return True
        return False

    def _bounds(self, contact: Contact) -> tuple[float, float] | None:
        """Return the least and the most that was let in between two openings, a second."""
        best: tuple[float, float] | None = None
        window = self.window or 0.0
        still = contact.closed if contact.is_hinted or contact.between else contact.earliest
        until = contact.noticed if contact.between else contact.opened
        for anchor, accepted in reversed(self._anchors):
            count, shortest = self.accepted - accepted, still - anchor.opened
            is_other = contact.pause > _COMPARABLE * anchor.pause and not contact.is_hinted
            if is_other or shortest <= window / 2 or count < 1.0:
                continue
            least, most = count / (until - anchor.earliest), count / shortest
            if best is None or most / least < best[1] / best[0]:
                best = least, most
            # Far enough back; or the quota is smaller now, of which older ones know nothing.
            enough = count > MANY
            is_less = self.rate > 1.1 * most and 0.0 < window < 10 * contact.pause
            if enough and is_less:
                return least, most
            if most < 1.1 * least or (enough and until - anchor.earliest > 5.0):  # noqa: PLR2004 - see above
                break
        return best

    def shift(self, seconds: float) -> None:
        """Move to a clock that shows this many seconds more; what spans the move is dropped."""
        self._start = self._start[0] + seconds, self._start[1]
        self._counted += seconds
        self._timed_from += seconds
        self._anchors.clear()
        self._log.shift(seconds)
        if self.count is not None:
            self.count.shift(seconds)
