"""What a quota is, judged from when it closed and opened: rate, and window if it has one.

Pure sums over times that the caller hands in. Nothing here decides when a call may go; the
pacer feeds in accepted calls and each *contact* with the quota, from the refusal that closed
it to the call that got through again, and asks what rate that shows.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

from humeai_async._base.frozen import frozen
from humeai_async.limiter.token_bucket import WindowCount

CUSTOMARY: Final = (1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0)
"""Seconds; services pick their windows from few numbers, which makes a vague one exact."""
LONGEST_WINDOW: Final = 60.0
"""Seconds; a longer window is paced like a token bucket."""
SLOWEST: Final = 0.05
"""Calls a second; no estimate is lower, so that a mistake can be found out."""
_FINENESS: Final = 1024
_TIMING: Final = 0.01
"""Seconds; no time of ours is known better."""
_SOON: Final = 0.25
_STALE: Final = 3.0
_UNSURE: Final = 1.1
"""A first estimate leans up: too high is told at once by a refusal, too low by nothing."""


@frozen
class Contact:
    """One closing and opening of a quota, in seconds of the pacer's clock."""

    closed: float
    """When the first refused call was sent."""
    earliest: float
    """The quota was still closed then."""
    latest: float
    """The quota was open again then."""
    hinted: bool = False
    """The service said how long to wait."""
    coarse: bool = False
    """It said so in whole seconds, of which the last may be any part."""
    missed: int = 0
    """Calls refused between closing and opening."""
    alone: bool = False
    """So few calls were refused lately that there may be no quota at all."""

    @property
    def opened(self) -> float:
        """The likeliest time of opening."""
        return (self.earliest + self.latest) / 2

    @property
    def doubt(self) -> float:
        """How far the time of opening may be off, in seconds."""
        return (self.latest - self.earliest) / 2


class Evidence:
    """Everything seen of one quota."""

    __slots__ = (
        "_anchors", "_log", "_quick", "_started", "accepted", "confirmed",
        "exact", "rate", "rough", "sure",
        "window",
    )  # fmt: skip

    def __init__(self, now: float, rate: float) -> None:
        """Begin with a rate to go by until there is evidence."""
        self.rate: float = rate
        self.accepted: float = 0.0
        """Cost of all accepted calls."""
        self.window: float | None = None
        """Length of the quota's window; `None` for a token bucket or not known."""
        self.confirmed: bool = False
        """Whether the window is known and not guessed."""
        self.sure: bool = True
        """Whether the rate was measured well."""
        self.rough: bool = False
        """Whether the rate is no more than a lower bound."""
        self.exact: bool = False
        """Whether the service itself named the rate, and measures do not speak against it."""
        self._started = now
        self._quick = 0
        self._anchors: deque[tuple[Contact, float]] = deque(maxlen=16)
        self._log = WindowCount(4.0, _FINENESS)

    def start(self, now: float) -> None:
        """Note when the first call went."""
        self._started = now

    def accept(self, at: float, cost: float) -> None:
        """Count an accepted call."""
        self.accepted += cost
        self._log.add(at, cost)

    def recent(self, window: float, now: float) -> WindowCount:
        """Return a count of the last calls over a window."""
        return self._log.over(window, now)

    def shift(self, seconds: float) -> None:
        """Move to a clock that shows this many seconds more; what spans the move is dropped."""
        self._started += seconds
        self._log.shift(seconds)
        self._anchors.clear()

    def first(self, contact: Contact, declared: tuple[float, float] | None) -> None:
        """Learn from the first contact after a start.

        Args:
            contact: The contact.
            declared: Calls and seconds of the window that the service itself names.
        """
        start = self._started
        elapsed = contact.opened - start
        measured = self.accepted / max(elapsed, _TIMING)
        self.sure = False
        self.rough = contact.alone
        # A policy within a factor of two of the measure is the one at work.
        if declared is not None and 0.5 < measured * declared[1] / declared[0] < 2.0:  # noqa: PLR2004 - see above
            self.rate = declared[0] / declared[1]
            self.exact = True
            self._set_window(declared[1], known=True)
        elif self._is_quick(contact, elapsed):
            # A token bucket: it started full, so the measure is far too high.
            self.rate = measured / 2
            self.rough = True
        else:
            window, known = _window(contact.earliest - start, contact.latest - start)
            self.rate = self.accepted / window * (1.0 if known else _UNSURE)
            self._set_window(window, known=known)
        self.sure = self.confirmed
        self.rate = max(self.rate, SLOWEST)
        self._anchors.append((contact, self.accepted))

    def next(self, contact: Contact, declared: tuple[float, float] | None) -> None:
        """Learn from a later contact; the arguments are those of `first`."""
        self.sure = True
        self.rough = False
        self._doubt_window(contact)
        if self._measure_window(contact):
            pass
        elif contact.coarse and not self.confirmed:
            window = self.window or 2.0
            self.rate = self._log.between(contact.closed - window, contact.closed + 1) / window
            self.sure = False
        elif self.window is not None and (self.confirmed or contact.doubt < 0.05 * self.window):
            self._count_window(contact, self.window)
        else:
            rate = self._between_contacts(contact)
            if rate is None:
                rate = self.rate * 0.97
            elif contact.closed - self._anchors[-1][0].latest > _STALE:
                # A bucket that was full in between refilled less than it might have. Rather
                # too high: then the next contact comes soon, and is exact.
                recent = self._log.between(contact.closed - 2.0, contact.latest) / 2.0
                if rate < 0.8 * recent:
                    rate = 0.8 * recent
                    self._anchors.clear()
            elif contact.closed - self._anchors[-1][0].latest < _SOON:
                # Still too fast, and a measure over so few calls is no better than this.
                rate *= 0.97
            self.rate = rate
        late = not self._anchors or contact.closed - self._anchors[-1][0].latest > _SOON
        if declared is not None and late:
            share = self.rate * declared[1] / declared[0]
            self.exact = 0.8 < share < 1.25  # noqa: PLR2004 - no measure is better than this
            if self.exact:
                self.rate = declared[0] / declared[1]
        else:
            self.exact = False
        self.rate = max(self.rate, SLOWEST)
        self._anchors.append((contact, self.accepted))

    def _set_window(self, window: float, *, known: bool) -> None:
        if window <= LONGEST_WINDOW:
            self.window = window
            self.confirmed = known
            if self._log.window < 2 * window + 2:
                self._log = self._log.over(2 * window + 2, -math.inf, _FINENESS)

    @staticmethod
    def _is_quick(contact: Contact, elapsed: float) -> bool:
        """Whether the quota opened again at once, as no window does."""
        if contact.hinted:
            return not contact.coarse and contact.latest - contact.closed < 0.05 * elapsed
        return contact.missed == 0

    def _doubt_window(self, contact: Contact) -> None:
        """Give a window up that keeps opening at once: it is a token bucket."""
        if self.window is None or not self._anchors or contact.hinted or contact.missed:
            self._quick = 0
            return
        if contact.opened - self._anchors[-1][0].latest < 0.5 * self.window:
            self._quick += 1
        else:
            self._quick = 0
        if self._quick >= 3:  # noqa: PLR2004 - chance makes two in a row
            self.window = None

    def _measure_window(self, contact: Contact) -> bool:
        """Read the window's length from two openings, which lie whole windows apart."""
        if self.window is None or self.confirmed or contact.coarse or not self._anchors:
            return False
        last, accepted = self._anchors[-1]
        span = contact.opened - last.opened
        doubt = contact.doubt + last.doubt
        count = self.accepted - accepted
        # No token bucket stays closed for long.
        long_closed = contact.latest - contact.closed > 0.04 * span
        if not (doubt < 0.15 * span and long_closed and count):
            return False
        for windows in (1, 2, 3):
            length = span / windows
            # The first window was measured with the rest of one before it: it is too long.
            if not 0.5 < length / self.window < 1.45:  # noqa: PLR2004 - the rest is under one
                continue
            near = [one for one in CUSTOMARY if abs(one - length) <= doubt / windows + 2 * _TIMING]
            if near:
                self._set_window(near[0], known=True)
                used = self._log.between(contact.earliest - near[0], contact.latest)
                # A last window that let in far less than the mean was not used to the full.
                mean = count / windows
                self.rate = (used if used > mean / 2 else mean) / near[0]
                return True
            if windows == 1 and length / self.window < 1.1:  # noqa: PLR2004 - not two in one
                self._set_window(span, known=False)
                self.rate = count / span
                return True
        return False

    def _count_window(self, contact: Contact, window: float) -> None:
        """Count what the last full window let through."""
        log = self._log
        rate = log.between(contact.opened - window, contact.opened) / window
        most = log.between(contact.earliest - window, contact.latest) / window
        least = log.between(contact.latest - window, contact.latest) / window
        if self.confirmed and (contact.coarse or least <= self.rate <= most):
            # A vague measure speaks against the rate no more than it must.
            rate = min(max(self.rate, least), most)
        if not self.confirmed:
            # The window may be shorter than thought: lean up, which brings the next contact
            # into the next window, and that tells the length.
            length = window
            while length > window / 2:
                length *= 0.95
                count = self._log.between(contact.opened - length, contact.opened)
                rate = max(rate, count / length)
            rate = 1.03 * max(rate, self._between_contacts(contact) or 0.0)
            self.sure = False
        self.rate = rate or self.rate / 2

    def _between_contacts(self, contact: Contact) -> float | None:
        """Divide calls by time between this contact and an earlier one.

        At both ends the quota was just used up, so for a token bucket this is its rate.
        """
        best: tuple[float, float] | None = None
        for anchor, accepted in reversed(self._anchors):
            span = contact.opened - anchor.opened
            count = self.accepted - accepted
            if span <= 0 or count < 1:
                continue
            error = (contact.doubt + anchor.doubt) / span + 1 / count
            if best is None or error < best[0]:
                best = error, count / span
            if error < 0.05 or span > 5.0:  # noqa: PLR2004 - good enough, too old
                break
        return best[1] if best is not None and best[0] < 0.3 else None  # noqa: PLR2004 - too vague


def _window(shortest: float, longest: float) -> tuple[float, bool]:
    """Pick a window's length from a range, and say whether a customary one lies in it."""
    for length in CUSTOMARY:
        if shortest - 2 * _TIMING < length <= longest + 2 * _TIMING:
            return length, True
    return max(_TIMING, shortest + (longest - shortest) / 4), False
