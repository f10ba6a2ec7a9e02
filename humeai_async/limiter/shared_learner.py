"""A learner of a quota that many processes use: it counts the calls of all, and passes on lessons.

Each process has one. It is given the calls that the others had let in, so a measure is that of all
together. The process whose call opened a closed quota measures, and the others take over what it
found, as a `Lesson`, whose times are ages: no process' clock matters. It knows no network.
"""

from __future__ import annotations

import itertools
import math
from typing import Final

from attrs import evolve

from humeai_async._base.frozen import frozen
from humeai_async.limiter.learner import Learner
from humeai_async.limiter.measure import Contact
from humeai_async.limiter.token_bucket import WindowCount

_LATELY: Final = 0.1
"""Seconds, in which each process hears of the calls of all others."""
_FREELY: Final = 100.0
"""Calls a second up to which it may double freely: what comes too much then is a few calls."""
_AHEAD: Final = 4.0
"""Share of the calls seen lately that an unknown pace reaches at most: turns are granted ahead, so
a pace that doubles would be far above what has been tried when the first refusal comes."""


@frozen(kw_only=True)
class Lesson:
    """What was found of a quota when it opened."""

    rate: float
    """Calls a second, as measured."""
    pace: float
    """Calls a second to send from then on."""
    window: float | None
    """Seconds of its window, if it has one."""
    is_known: bool
    """Whether the rate was measured."""
    is_even: bool
    """Whether the quota bears no burst."""
    is_rough: bool
    """Whether the rate is a lower bound."""
    contact: Contact | None
    """The closing and opening; its times are seconds from the lesson on, so none is above 0."""
    owed: float = 0.0
    """Calls by which all go faster than the pace at first, to make up for the pause."""


class SharedLearner(Learner):
    """A learner that takes in what other processes see and find."""

    __slots__ = ("_found", "_is_hinted", "_joined", "_lately")

    def __init__(self, now: float, rate: float | None = None) -> None:
        """Begin with a declared rate, or with none."""
        super().__init__(now, rate)
        self._found: Contact | None = None
        self._is_hinted = False
        self._joined: tuple[float, float] | None = None
        self._lately = WindowCount(_LATELY, 16)

    def join(self, began: float) -> None:
        """Measure from when the first of the others began, for theirs was the first call."""
        self._joined = began, self.accepted

    def start(self, now: float) -> None:
        """Note when the first call went, here or of the others."""
        super().start(now)
        self._start, self._joined = self._joined or self._start, None

    def forget_calls(self, now: float) -> None:
        """Measure from now on: whose calls are counted is about to change."""
        self._anchors.clear()
        self._start, self._counted = (now, self.accepted), now

    def accept(self, now: float, cost: float, *, is_pressed: bool, is_busy: bool) -> None:
        """Count an accepted call, and let the pace grow, but not far ahead of the calls seen."""
        self._lately.add(now, cost)
        before = self.pace
        super().accept(now, cost, is_pressed=is_pressed, is_busy=is_busy)
        if not self.is_known and self.pace > before:
            seen = self._lately.between(now - _LATELY, now) / _LATELY
            self.pace = max(before, min(self.pace, max(_FREELY, _AHEAD * seen)))

    def shift(self, seconds: float) -> None:
        """Move to a clock that shows this many seconds more; what spans the move is dropped."""
        super().shift(seconds)
        self._lately.shift(seconds)

    def open(self, now: float, contact: Contact, policy: tuple[float, float] | None) -> None:
        """Learn from a contact of this process."""
        super().open(now, contact, policy)
        self._found = contact
        self._is_hinted = contact.is_hinted

    def lesson(self, now: float) -> Lesson:
        """Return what is known, and the contact it is known from if that is news."""
        found, self._found = self._found, None
        return Lesson(
            rate=self.rate,
            pace=self.pace,
            window=self.window,
            is_known=self.is_known,
            is_even=self.is_even,
            is_rough=self._is_rough,
            contact=None if found is None else _moved(found, -now),
        )

    @property
    def opens_for_few(self) -> bool:
        """Whether the quota closed again after a few calls, as a sliding window does."""
        return self._row > 1

    def recent(self, now: float, slots: int) -> list[float]:
        """Return the calls of all in the last window, oldest first.

        None without a window, and none where the service says when to go on: pauses that it asks
        for are made up for by going faster, which a count of calls would prevent.

        Args:
            now: The time.
            slots: By how many parts of the window to count; one part more is returned.
        """
        if self.window is None or self._is_hinted:
            return []
        edges = [now - self.window * n / slots for n in range(slots + 1, -1, -1)]
        return [self._log.between(*pair) for pair in itertools.pairwise(edges)]

    def learn(self, at: float, lesson: Lesson) -> None:
        """Take over what another process has found.

        Args:
            at: When it was found, by the clock of this process.
            lesson: What was found.
        """
        self.rate: float = min(lesson.rate, self.ceiling)
        self.window: float | None = lesson.window
        self.pace: float = min(lesson.pace, self.ceiling)
        self.is_known: bool = lesson.is_known
        self.is_even: bool = lesson.is_even
        self._is_rough = lesson.is_rough
        if lesson.window is None:
            self.count = None
        elif self.count is None or self.count.window != lesson.window:
            self.count = self._log.over(lesson.window, at)
        if not lesson.is_known:
            self._start, self._counted = (at, self.accepted), at
        elif lesson.contact is not None and at >= self.started:  # all calls since were seen here
            contact = _moved(lesson.contact, at)
            if contact.is_hinted:
                self._anchors.clear()
            self._anchors.append((contact, self.accepted))
        self._held, self._found, self._joined = 0.0, None, None
        self._saved = at, 0.0
        self._at = self._busy_at = max(at, self._at)

    def count_others(self, now: float, cost: float, *, is_pressed: bool) -> None:
        """Count calls of other processes that were let in lately.

        Args:
            now: The time.
            cost: Cost of them.
            is_pressed: Whether calls of this process wait, so that the pace may grow.
        """
        at = self._at
        self.accept(now, cost, is_pressed=is_pressed, is_busy=True)
        if not is_pressed:
            self._at = at  # the time is that of the next call of this process

    def keep_up(self, pace: float) -> None:
        """Go as fast as another process that has learned nothing else, and has seen it borne."""
        if math.isfinite(pace):
            self.pace = min(max(self.pace, pace), self.ceiling)


def _moved(contact: Contact, seconds: float) -> Contact:
    return evolve(
        contact,
        closed=contact.closed + seconds,
        noticed=contact.noticed + seconds,
        earliest=contact.earliest + seconds,
        opened=contact.opened + seconds,
    )
