"""A client and a service in virtual time: minutes of traffic in fractions of a second.

A row of callers keeps calls in flight through a real `Gate`; a real `Quota` answers them
after a latency. No event loop, no sockets: events are taken from a heap in order of time.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Sequence
from email.utils import formatdate

from attrs import define, field

from humeai_async.limiter.gate import Gate, Sent
from humeai_async.limiter.headers import parse_retry_after, read_quotas
from humeai_async.testing import Hint, Quota, Shape

EPOCH = 1_700_000_000.0
WINDOW = 2.0
TIMER_LATE = 0.0012
TRANSIT = 0.002
"""Seconds to a service whose latency is all in its own work."""


@define
class Traffic:
    """What to simulate, and what came of it."""

    shape: Shape = "token"
    hint: Hint = "silent"
    rate: float = 200.0
    """Calls a second that the service allows."""
    calls: int = 3000
    in_flight: int = 64
    latency: float = 0.005
    jitter: float = 0.2
    seed: int = 0
    declared: float | None = None
    burst: int | None = None
    """Size of the service's token bucket."""
    most_in_flight: int | None = None
    """The service refuses more calls at the same time than this, and has no other quota."""
    changes: Sequence[tuple[float, float]] = ()
    """Times from the start, and the rates from then on."""
    unanswered: float = 0.0
    """Share of calls that get no answer."""
    stray: float = 0.0
    """Share of calls that are answered 429 whatever the quota says."""
    stray_headers: dict[str, str] = field(factory=dict[str, str])
    used: float = 0.0
    """Share of the quota that somebody else has used when the first call is made."""
    horizon: float = 10_000.0
    """Seconds after which the run is over; reaching it with calls left is a hang."""

    gate: Gate = field(init=False)
    quota: Quota = field(init=False)
    finished: list[float] = field(init=False, factory=list[float])
    sent: list[float] = field(init=False, factory=list[float])
    refused: int = field(init=False, default=0)
    failed: int = field(init=False, default=0)
    lost: int = field(init=False, default=0)
    attempts: dict[int, int] = field(init=False, factory=dict[int, int])
    now: float = field(init=False, default=0.0)

    _events: list[tuple[float, int, str, tuple[float, ...]]] = field(
        init=False, factory=list[tuple[float, int, str, tuple[float, ...]]]
    )
    _number: int = field(init=False, default=0)
    _fresh: deque[int] = field(init=False, factory=deque[int])
    _retried: deque[int] = field(init=False, factory=deque[int])
    _made: int = field(init=False, default=0)
    _timer: float = field(init=False, default=float("inf"))
    _active: int = field(init=False, default=0)
    _replies: list[dict[str, str]] = field(init=False, factory=list[dict[str, str]])

    def run(self) -> Traffic:
        """Run until all calls are over."""
        chance = random.Random(self.seed)  # noqa: S311 - traffic, no secret
        self.now = start = 100.0 + 10 * chance.random()
        per = 1.0 if self.shape == "token" else WINDOW
        self.quota = Quota(
            self.rate * per,
            per,
            burst=self.burst,
            shape=self.shape,
            hints=self.hint,
            clock=lambda: self.now,
            wall=lambda: EPOCH + self.now,
        )
        for _ in range(round(self.used * self.quota.rate)):
            self.quota.take()
        self.gate = Gate(self.now, self.declared)
        for at, rate in self.changes:
            self._later(start + at, "change", rate * per)
        for _ in range(min(self.in_flight, self.calls)):
            self._make()
        self._pump(chance, start)
        while self._events:
            self.now, _, kind, values = heapq.heappop(self._events)
            assert self.now - start < self.horizon, "a call waits for ever"
            if kind == "change":
                self.quota.rate = values[0]
            elif kind == "timer":
                if values[0] <= self._timer:
                    self._timer = float("inf")
            elif kind == "arrive":
                self._arrive(chance, values)
                continue
            else:
                self._answer(values, start)
            self._pump(chance, start)
        assert len(self.finished) + self.failed + self.lost == self.calls, "a call was forgotten"
        return self

    @property
    def seconds(self) -> float:
        """Seconds until the last call was over."""
        return self.finished[-1]

    def share(self, start: float, end: float, rate: float) -> float:
        """Share of a rate that was used between two times."""
        return sum(start <= at < end for at in self.finished) / (end - start) / rate

    def _later(self, at: float, kind: str, *values: float) -> None:
        self._number += 1
        heapq.heappush(self._events, (at, self._number, kind, values))

    def _make(self) -> None:
        if self._made < self.calls:
            self.attempts[self._made] = 0
            self._fresh.append(self._made)
            self._made += 1

    def _pump(self, chance: random.Random, start: float) -> None:
        while self._fresh or self._retried:
            wait = self.gate.ready_in(self.now, 1.0)
            if wait > 0:
                at = self.now + wait
                if at < self._timer:
                    self._timer = at
                    self._later(at + TIMER_LATE * chance.random(), "timer", at)
                return
            fresh = not self._retried
            call = (self._fresh if fresh else self._retried).popleft()
            self.attempts[call] += 1
            era = self.gate.take(self.now, 1.0).era
            self.sent.append(self.now - start)
            latency = self.latency * (1 + self.jitter * chance.uniform(-1, 1))
            way = latency / 2 if self.most_in_flight is None else TRANSIT
            self._later(self.now + way, "arrive", call, self.now, era, latency)

    def _arrive(self, chance: random.Random, values: tuple[float, ...]) -> None:
        call, sent, era, latency = values
        if chance.random() < self.unanswered:
            self._later(self.now + latency / 2, "lost", call, sent, era, 0, 0)
        elif self.stray and chance.random() < self.stray:
            self._replies.append(self.stray_headers)
            self._later(
                self.now + latency / 2, "answer", call, sent, era, 429, len(self._replies) - 1
            )
        elif self.most_in_flight is None:
            verdict = self.quota.take()
            status = 200.0 if verdict.allowed else 429.0
            reply = len(self._replies)
            self._replies.append(verdict.headers | {"Date": formatdate(EPOCH + self.now)})
            self._later(self.now + latency / 2, "answer", call, sent, era, status, reply)
        elif self._active < self.most_in_flight:
            self._active += 1
            self._later(self.now + latency, "answer", call, sent, era, 200, -1)
        else:
            self._later(self.now + TRANSIT, "answer", call, sent, era, 429, -1)

    def _answer(self, values: tuple[float, ...], start: float) -> None:
        number, sent, era, status, reply = values
        call = int(number)
        if status == 0:
            self.gate.record_response(self.now, Sent(int(era), sent, 1.0), None)
            self.lost += 1
            self._make()
            return
        headers = {} if reply < 0 else self._replies[int(reply)]
        headers = {name.lower(): text for name, text in headers.items()}
        epoch = EPOCH + self.now
        hint = parse_retry_after(headers, now_epoch=epoch) if status == 429 else None
        quotas = read_quotas(headers, now_epoch=epoch)
        self.gate.record_response(self.now, Sent(int(era), sent, 1.0), int(status), hint, quotas)
        if status == 200:
            self._active -= self.most_in_flight is not None
            self.finished.append(self.now - start)
            self._make()
            return
        self.refused += 1
        self._retried.append(call)
