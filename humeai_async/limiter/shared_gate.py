"""A gate of a quota that many processes share.

It is the usual gate, which closes where the service says 429, behind the turns of a shared quota:
a call goes when both let it. Where the rate is not declared all learn it together: the one whose
call opened the quota measures, and the others take that over. It knows no server; the quota that
it takes part in does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from attrs import evolve

from humeai_async.limiter.gate import Gate, Sent
from humeai_async.limiter.headers import Quota
from humeai_async.limiter.learner import Learner
from humeai_async.limiter.measure import START_RATE
from humeai_async.limiter.pause import CATCH_UP
from humeai_async.limiter.shared_learner import Lesson, SharedLearner
from humeai_async.limiter.turns import Turns

if TYPE_CHECKING:
    from humeai_async.limiter.bucket import Bucket

_LONGEST = 1.0
"""Seconds until a turn is waited for no longer without another look."""


class TurnSource(Protocol):
    """Where turns come from; one for each bucket on an event loop."""

    turns: Turns

    @property
    def is_away(self) -> bool:
        """Whether whoever grants turns could not be reached when last tried."""
        ...

    @property
    def learns_alone(self) -> bool:
        """Whether each process learns by itself while the server is away."""
        ...

    def ask(self, calls: int) -> None:
        """Ask for a turn in the background, if it is time; the bucket is told when it came."""

    def follow_with(self, gate: SharedGate) -> None:
        """Tell a gate what the other processes see and find."""

    def count(self, cost: float) -> None:
        """Tell the others that a call was let in."""

    def close(self, seconds: float) -> None:
        """Stop everybody for so long: the service says that the quota is used up."""

    def reopen(self, lesson: Lesson | None, owed: float, haste: float) -> None:
        """Let everybody go on: a call got through, and this was learned from it."""

    def restart(self) -> None:
        """Go on on another event loop, perhaps in another process."""


class SharedQuota(Protocol):
    """A rate that several processes share."""

    def join(self, bucket: Bucket, rate: float | None, burst: float | None) -> TurnSource:
        """Take part in one bucket's rate, on the event loop that runs."""
        ...


class SharedGate(Gate):
    """Paces the calls of one process on a quota of many.

    Args:
        now: The time, in seconds of any steady clock.
        rate: Calls a second that are allowed to all together.
        burst: Calls that may go at once after a time of rest.
        source: Where turns come from.
    """

    __slots__ = ("_before", "_is_alone", "_made_up", "is_declared", "shared_learner", "source")

    def __init__(
        self, now: float, rate: float | None, burst: float | None, source: TurnSource
    ) -> None:
        super().__init__(now, rate, burst)
        self.shared_learner: SharedLearner = SharedLearner(now, rate)
        """The learner, by its own type."""
        self.learner: Learner = self.shared_learner
        self.is_declared: bool = rate is not None
        self.source: TurnSource = source
        self._is_alone = False
        self._made_up = -math.inf, 0.0
        """When the quota opened, and calls by which all have gone faster than the pace since."""
        self._before: Lesson | None = None
        """What all together knew when the server was lost."""
        source.follow_with(self)

    def paused_for(self, now: float) -> float:
        """Return the seconds for which surely no call goes, whoever found the quota used up."""
        return max(super().paused_for(now), self.source.turns.held_for(now))

    def ready_in(self, now: float, cost: float) -> float:
        """Return the seconds until a call may go, or until it is worth asking again."""
        if self.source.is_away is not self._is_alone:
            self._change_over(now)
        wait = super().ready_in(now, cost)
        if wait > 0.0:
            return wait
        turns = self.source.turns
        wait = turns.ready_in(now)
        if wait > 0.0:
            self._is_pressed = True
        if wants := turns.wants(now):
            self.source.ask(wants)
        return min(wait, _LONGEST)

    def _window_wait(self, now: float, cost: float) -> float:  # noqa: ARG002 - as the base has it
        """Never wait: whoever has heard of most calls would leave the window to the others."""
        return 0.0

    def expect(self, now: float, cost: float) -> float:
        """Return the seconds that a call will wait with so much before it, as far as is known."""
        turns = self.source.turns
        waiting = cost - turns.in_hand - 1.0
        return max(super().expect(now, cost), waiting / turns.share(now) if waiting > 0 else 0.0)

    def take(self, now: float, cost: float) -> Sent:
        """Let a call go; what is returned belongs to its response."""
        self.source.turns.take(now, cost)
        return super().take(now, cost)

    def give_back(self, sent: Sent) -> None:
        """Take back a call that did not go."""
        super().give_back(sent)
        self.source.turns.give_back()

    def record_response(
        self,
        now: float,
        sent: Sent,
        status: int | None,
        retry_after: float | None = None,
        quotas: Sequence[Quota] = (),
    ) -> None:
        """Learn from a response; all who share the quota learn what closes or opens it."""
        was_closed, before, accepted = self.closed, super().paused_for(now), self.accepted
        tries = self._pause.tries
        super().record_response(now, sent, status, retry_after, quotas)
        if self.accepted > accepted:
            self.source.count(sent.cost)
        if not self.closed:
            if was_closed:
                lesson = None if self.is_declared else self._lesson(now)
                self.source.reopen(lesson, max(0.0, self._catch_up.owed), CATCH_UP)
                self._catch_up.owed = 0.0  # all make up for it together
        elif (
            (pause := super().paused_for(now)) > before
            or not was_closed
            or self._pause.tries > tries
        ):
            self.source.close(pause)

    def _lesson(self, now: float) -> Lesson:
        """Return what is known, and how much of the pause all make up for."""
        self._made_up = now, max(0.0, self._catch_up.owed)
        return evolve(self.shared_learner.lesson(now), owed=self._made_up[1])

    def _close(self, now: float, sent: float) -> None:
        super()._close(now, sent)
        opened, owed = self._made_up
        if self.learner.window is not None and sent - opened < self.learner.window:
            self._pause.pace += owed / self.learner.window  # so fast went what used the window up

    def stand_aside(self) -> None:
        """Leave the trying to another process, which found the quota used up before this one."""
        self.closed = False
        self._era += 1

    def learn(self, now: float, at: float, lesson: Lesson) -> None:
        """Take over what another process has found, at a time by the clock of this one."""
        if self._is_alone:
            self._before = lesson
            return
        self.shared_learner.learn(at, lesson)
        self._made_up = at, lesson.owed
        # A lone refusal that one has borne is borne for all.
        if lesson.contact is None:
            self._lone.count(self.accepted)
        else:
            self._lone.restart(self.accepted)
        self._apply(now)

    @property
    def shared_pace(self) -> float:
        """Calls a second of all together; what one measures while the server is away is its own."""
        return self.learner.pace if self._before is None else self._before.pace

    def _apply(self, now: float) -> None:
        """Begin anew at the pace of the learner."""
        self._room = math.inf if self.learner.is_known else max(self._room, self.in_flight + 1)
        self._catch_up.owed = 0.0
        self._account.reopen()
        self._bucket.reset(now, self._speed, self._size, 0.0)

    def _change_over(self, now: float) -> None:
        """Begin to go on without the server, or with it again."""
        self._is_alone = self.source.is_away
        self.shared_learner.forget_calls(now)
        if self._is_alone:
            self._before = self.shared_learner.lesson(now)
            if self.source.learns_alone:
                share = self.source.turns.known_share(now)
                known = self.learner.is_known and share is not None
                rate = share if known and share is not None else START_RATE
                alone = evolve(self._before, rate=rate, pace=rate, is_known=known, contact=None)
                self.shared_learner.learn(now, alone)
                self.source.turns.go_free(now)
                self._apply(now)
        elif self._before is not None:
            # What was measured meanwhile is the part of one process.
            self.shared_learner.learn(now, self._before)
            self._before = None
            self.stand_aside()
            self._apply(now)

    def shift(self, seconds: float) -> None:
        """Move to a clock that shows this many seconds more."""
        super().shift(seconds)
        self.source.turns.shift(seconds)
        self.source.restart()
