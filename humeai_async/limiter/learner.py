"""What the quota is: how many calls a second, and its window if it has one.

Pure sums over times that the caller hands in. The gate tells of accepted calls and of each
*contact* with the quota, from the refusal that closed it to the call that got through again,
and keeps to the pace that follows. Nothing here knows of probes, headers or queues, so the
learners of several processes may share what they find (`shared_learner.py`).

How contacts are measured is told in `measure.py`.

Evenly spaced calls at a little under the rate are let in by every shape of quota. So nothing else
is done but that, and a look upward from time to time, whose price is one refusal or two.

Each constant names the cells of the zoo (`tests/limiter_zoo.py`) that move if it changes.
"""

from __future__ import annotations

import math
from typing import Final

from humeai_async.limiter.measure import BEYOND, FEW, QUICK, Contact, Measure
from humeai_async.limiter.token_bucket import WindowCount

FASTEST: Final = 1e6
"""Calls a second; no pacing is needed beyond. None: no cell is as fast."""
SLOWEST: Final = 0.01
"""Calls a second; a lower measure is a mistake. Windows of 60 s with 2 calls."""
DECLARED_MARGIN: Final = 0.99
"""Share of a declared rate that is used: clocks and networks jitter by that much. None: no cell
declares one."""
_MARGIN: Final = 0.985
"""Share of a measured rate that is used between looks upward. Buckets of burst 1."""
_DOUBLING_TRIPS: Final = 4.0
"""Round trips in which an unknown rate doubles: so 9 % of a window are lost at first contact."""
_FASTEST_DOUBLING: Final = 0.04
_SLOWEST_DOUBLING: Final = 0.1
"""Seconds, the bounds of it. Limits above 1,000: their 3,000 calls are over in seconds."""
_STEP: Final = 0.1
"""Seconds of growth that one response brings at most, or twice its calls' time. Slow quotas."""
_LOOK_AFTER: Final = 1.5
_LOOK_CALLS: Final = 20.0
_LOOK_TRIPS: Final = 10.0
_LOOK_WINDOWS: Final = 0.25
"""After 1.5 units at a measured rate it looks upward. A unit is a second, 20 calls, 10 round
trips or a quarter window, whichever is longest. Refusals of all cells with limits below 300."""
_FIRST_STEP: Final = 0.01
_STEEPNESS: Final = 2.0
"""The look is 1 % of the rate at first and 7.4 times as much after each unit: a tripled quota is
found in 4 s; and a rate that is known for a lower bound doubles twice in a unit. Cells whose first
measure is too low."""
_SAVED_SECONDS: Final = 1.0
"""Seconds of calls that a quota may have saved while there was less to do. None: no cell rests."""
_REST: Final = 1.0
"""Seconds without a call that waited or had others beside it are a rest. None: no cell rests."""
_MOST_HELD: Final = 10.0
"""Units, at most: what follows from more, no float holds. None: no rate is so far off."""
_HELD_SAVED: Final = _LOOK_AFTER + math.log1p((BEYOND - _MARGIN) / _FIRST_STEP) / _STEEPNESS
"""Units after which the look has come to a pace that is still measured by the calls let in."""


class Learner(Measure):
    """What is known of one quota, and the pace that follows from it."""

    __slots__ = ("_at", "_busy_at", "_held", "_saved", "ceiling", "is_known", "pace")

    def __init__(self, now: float, rate: float | None = None) -> None:
        """Begin with a declared rate, or with none."""
        super().__init__(now)
        self.ceiling: float = math.inf
        """Calls a second that are never exceeded."""
        if rate is not None:
            self.ceiling = rate * DECLARED_MARGIN
            self.rate: float = self.ceiling
        self.pace: float = self.rate
        """Calls a second to send now."""
        self.is_known: bool = rate is not None
        """Whether the rate was measured or declared."""
        self._at = self._busy_at = now
        self._held = 0.0
        self._saved = now, 0.0

    @property
    def is_looking(self) -> bool:
        """Whether the pace is above what was measured."""
        return self.pace > self.rate

    def start(self, now: float) -> None:
        """Note when the first call went."""
        self._start, self._counted = (now, self.accepted), -math.inf
        self._at = self._busy_at = now

    def accept(self, now: float, cost: float, *, is_pressed: bool, is_busy: bool) -> None:
        """Count an accepted call, and let the pace grow.

        Args:
            now: The time.
            cost: Cost of the call.
            is_pressed: Whether a call has had to wait since the last one.
            is_busy: Whether others are in flight.
        """
        if self._counted < self.started:
            self._counted = now
        trip = self.round_trip
        self._add_accepted(now - trip / 2 if trip < 1.0 else now - 0.5, cost)
        passed, self._at = now - self._at, now
        self._count_saved(now, cost)
        if is_pressed or is_busy:
            self._busy_at = now
        elif now - self._busy_at > _REST:
            self._begin_anew(now)
        if is_pressed:
            self._grow(passed, cost)

    def rest(self, now: float) -> None:
        """Note that a call goes at once while none is in flight, perhaps after a rest."""
        if now - self._at > _REST:
            self._begin_anew(now)

    def _begin_anew(self, now: float) -> None:
        """Measure from now on: what nobody asked for was not used up."""
        self._anchors.clear()
        if not self.is_known:
            self._start, self._counted = (now, self.accepted), -math.inf

    def _count_saved(self, now: float, cost: float) -> None:
        """Count the calls that a quota may have saved while fewer were made than it allows."""
        at, saved = self._saved
        saved += (now - at) * self.rate - cost
        if saved < 0.0:  # at each call, where min() and max() would take more than all the rest
            saved = 0.0
        elif saved > (most := self.rate * _SAVED_SECONDS):
            saved = most
        self._saved = now, saved

    def _grow(self, passed: float, cost: float) -> None:
        if not self.is_known:
            doubling = max(_DOUBLING_TRIPS * self.round_trip, _FASTEST_DOUBLING)
            share = 2 ** (min(passed, _STEP) / min(doubling, _SLOWEST_DOUBLING))
            self.pace = min(self.pace * share, FASTEST)
            return
        if self.rate >= self.ceiling:
            self.pace = self.ceiling  # a declared rate has its own margin
            return
        step = min(passed, max(_STEP, 2.0 * cost / self.pace))
        if self._is_rough:
            self._held = min(self._held + step / max(1.0, 2.0 / self.rate), _MOST_HELD)
            share = 2 ** (_STEEPNESS * self._held)
        else:
            window = _LOOK_WINDOWS * (self.window or 0.0)
            trips = _LOOK_TRIPS * self.round_trip
            unit = max(1.0, _LOOK_CALLS / self.rate, trips, window)
            # Calls that were saved are let in at any pace, and say nothing of the rate.
            most = _HELD_SAVED if self._saved[1] > 2 * FEW else _MOST_HELD
            self._held = min(self._held + step / unit, most)
            beyond = max(self._held - _LOOK_AFTER, 0.0)
            share = _MARGIN + _FIRST_STEP * math.expm1(_STEEPNESS * beyond)
        self.pace = min(self.rate * share, FASTEST, self.ceiling)

    def open(self, now: float, contact: Contact, policy: tuple[float, float] | None) -> None:
        """Learn from a contact.

        Args:
            now: The time.
            contact: The contact.
            policy: Calls and seconds of the window that the service itself names.
        """
        if self.is_known:
            self._measure(contact)
        elif self._was_used_up(contact) or self._is_burst_refused(contact):
            return
        else:
            self._measure_first(contact, policy)
        self.rate = min(max(self.rate, SLOWEST), FASTEST, self.ceiling)
        self.is_known = True
        if self.window is not None and (self.count is None or self.count.window != self.window):
            self.count: WindowCount | None = self._log.over(self.window, now)
        if contact.is_hinted:
            self._anchors.clear()  # what a needless pause wasted was not used up
        self._anchors.append((contact, self.accepted))
        self._held = 0.0
        self._saved = now, 0.0
        self.pace = min(self.rate * (1.0 if self._is_rough else _MARGIN), self.ceiling)
        self._at = self._busy_at = now

    def _was_used_up(self, contact: Contact) -> bool:
        """Begin anew where others had used the quota up, which says nothing of its rate."""
        if self.accepted - self._start[1] > 1.0:
            return False
        self._start_at(contact)
        self.pace = self.rate
        return True

    def _is_burst_refused(self, contact: Contact) -> bool:
        """Take the first refusal for one of the burst at the start, and go on evenly."""
        count = self.accepted - self._start[1]
        if (
            self.is_even
            or count > FEW + 1
            or (contact.pause > QUICK and not contact.between and not contact.is_hinted)
        ):
            return False
        self.is_even = True
        self.pace = self.rate
        self._start_at(contact)
        return True

    def _start_at(self, contact: Contact) -> None:
        """Measure from an opening on."""
        self._start, self._counted = (contact.opened, self.accepted - 1), self._at

    def shift(self, seconds: float) -> None:
        """Move to a clock that shows this many seconds more; what spans the move is dropped."""
        super().shift(seconds)
        self._at += seconds
        self._busy_at += seconds
        self._saved = self._saved[0] + seconds, 0.0
