"""One bucket of the limiter: its queue, its timer, and the permits it hands out.

It joins the gate (may a call go?) and the queue (which one?) to an event loop, whose clock it
reads. The limiter makes one for each quota; callers see only the permits and the events.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from humeai_async.errors import ConfigurationError, HumeError, RateLimitWaitError
from humeai_async.limiter.allowance import AllowanceGate
from humeai_async.limiter.events import LimiterEvent, Paused, RateChanged, Waited
from humeai_async.limiter.gate import SERVICE_UNAVAILABLE, TOO_MANY_REQUESTS, Gate, Sent
from humeai_async.limiter.headers import parse_retry_after, read_quotas
from humeai_async.limiter.queue import Priority, Ticket, WaitQueue

_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})
_PACED: Final = frozenset({TOO_MANY_REQUESTS, SERVICE_UNAVAILABLE})
"""Statuses that ask for a pause."""
_NEWS: Final = 0.2
"""A rate that changed by less is not worth an event."""

_logger = logging.getLogger("humeai_async.limiter")


class Permit:
    """Leave for one call to go; `done` takes how it went.

    A permit that is dropped counts as a call without a response.
    """

    __slots__ = ("_bucket", "_sent", "waited")

    def __init__(self, bucket: Bucket, sent: Sent) -> None:
        self._bucket: Bucket | None = bucket
        self._sent = sent
        self.waited: float = 0.0
        """Seconds that the call stood in the queue."""

    def done(
        self,
        status: int | None,
        headers: Mapping[str, str] = _NO_HEADERS,
        retry_after: float | None = None,
    ) -> None:
        """Tell how the call went. Only the first time counts; never raises.

        Args:
            status: Status of the response, or `None` if none came.
            headers: Headers of the response; names in lower case, or a mapping that ignores
                case.
            retry_after: Seconds the service asks to wait; read from the headers if left out.
        """
        bucket, self._bucket = self._bucket, None
        if bucket is None:
            return
        try:
            bucket.record_response(self._sent, status, headers, retry_after)
        except Exception:
            # Pacing is a service to the call, and must not break it.
            _logger.exception("%s: a response could not be counted", bucket.name)

    def __del__(self) -> None:
        # The garbage collector comes at any moment and in any thread, also while the bucket is at
        # work: the call is counted in a turn of its own.
        bucket = self._bucket
        if bucket is not None and not bucket.is_over:
            with contextlib.suppress(RuntimeError):  # another thread closed the loop just now
                bucket.loop.call_soon_threadsafe(self.done, None)

    def give_back(self) -> None:
        """Hand the permit back unused: its token is for the next in line."""
        bucket, self._bucket = self._bucket, None
        if bucket is not None:
            bucket.take_back(self._sent)


class Bucket:
    """One quota: its gate, its queue, and the one timer that serves it."""

    __slots__ = (
        "_is_abandoned",
        "_on_event",
        "_rate",
        "_timer",
        "_timer_at",
        "allowance",
        "gate",
        "loop",
        "name",
        "wait_queue",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        gate: Gate,
        loop: asyncio.AbstractEventLoop,
        on_event: Callable[[LimiterEvent], object] | None,
    ) -> None:
        self.name: str = name
        self.gate: Gate = gate
        self.allowance: AllowanceGate | None = None
        """What keeps to what the service documents, if it documents anything."""
        self.wait_queue: WaitQueue = WaitQueue()
        self.loop: asyncio.AbstractEventLoop = loop
        self._on_event = on_event
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf
        self._rate = gate.rate
        self._is_abandoned = False

    @property
    def is_over(self) -> bool:
        """Whether its event loop will never run again."""
        return self._is_abandoned or self.loop.is_closed()

    def now(self) -> float:
        """Return the time of its event loop."""
        return self.loop.time()

    def grant(self, now: float, cost: float) -> Permit:
        """Let a call go."""
        return Permit(self, self.gate.take(now, cost))

    def queue(
        self,
        now: float,
        cost: float,
        until: float,
        priority: Priority,
        head: bool,
        most: float,
    ) -> asyncio.Future[Permit]:
        """Line up, or tell at once that it is of no use."""
        wait = self.gate.expect(now, self.wait_queue.cost_ahead(priority, head=head) + cost)
        if self.wait_queue.waiting >= most:
            raise RateLimitWaitError(
                f"{self.wait_queue.waiting} calls are already waiting", seconds=wait
            )
        if until <= now or now + wait > until:
            wait = max(wait, self.gate.ready_in(now, cost))
            raise RateLimitWaitError(
                f"the limiter would make this call wait {wait:.3g} s, longer than allowed",
                seconds=wait,
            )
        future: asyncio.Future[Permit] = self.loop.create_future()
        self.wait_queue.add(Ticket(future, cost, until), priority, head=head)
        self.pump(now)
        return future

    def leave(self, future: asyncio.Future[Permit]) -> None:
        """Clean up after a waiter that was cancelled or got an error."""
        if future.done() and not future.cancelled() and future.exception() is None:
            future.result().give_back()
        elif self.wait_queue.discard(future):
            self.pump(self.now())

    def take_back(self, sent: Sent) -> None:
        """Take back a permit that was never used."""
        self.gate.give_back(sent)
        self.pump(self.now())

    def record_response(
        self,
        sent: Sent,
        status: int | None,
        headers: Mapping[str, str],
        retry_after: float | None,
    ) -> None:
        """Count a response, and let go whoever may now."""
        now = self.loop.time()
        gate = self.gate
        was_closed = gate.closed
        before = gate.paused_for(now) if was_closed else 0.0
        quotas = read_quotas(headers, now_epoch=time.time()) if headers else ()
        if retry_after is None and status in _PACED and headers:
            retry_after = parse_retry_after(headers, now_epoch=time.time())
        if status == TOO_MANY_REQUESTS and self.allowance is not None:
            self.allowance.refuse(now)
        gate.record_response(now, sent, status, retry_after, quotas)
        if gate.closed:
            pause = gate.paused_for(now)
            if pause > before:
                self._turn_away(now + pause, now)
                if not was_closed:
                    _logger.info("%s: the quota is used up, paused %.3g s", self.name, pause)
                    self.notify(Paused(self.name, pause))
        elif was_closed:
            self._report_rate()
        if self.wait_queue.waiting:
            self.pump(now)

    def pump(self, now: float) -> None:
        """Let go whoever may, and set the timer for the next."""
        wait_queue, gate = self.wait_queue, self.gate
        if self.loop.is_closed():
            return
        if wait_queue.next_deadline <= now:
            self._turn_away(now, now)
        while True:
            ticket = wait_queue.first()
            if ticket is None:
                return
            if ticket.future.done():
                # Cancelled, and its task had no turn yet.
                wait_queue.remove_first(ticket)
                continue
            wait = gate.ready_in(now, ticket.cost)
            if wait > 0.0:
                self._wake_at(min(now + wait, wait_queue.next_deadline))
                return
            wait_queue.remove_first(ticket)
            ticket.future.set_result(self.grant(now, ticket.cost))

    def turn_came(self) -> None:
        """Let go whoever may now: calls of a shared quota are in hand."""
        if self.wait_queue.waiting:
            self.pump(self.now())

    def fail(self, problem: HumeError) -> None:
        """Raise an error in everybody who waits."""
        wait_queue = self.wait_queue
        while (ticket := wait_queue.first()) is not None:
            wait_queue.remove_first(ticket)
            if not ticket.future.done():
                ticket.future.set_exception(problem)

    def move(self, loop: asyncio.AbstractEventLoop) -> None:
        """Go on on another event loop.

        Raises:
            ConfigurationError: The old one is still at work.
        """
        if not self.is_over and (self.loop.is_running() or self.wait_queue.waiting):
            raise ConfigurationError(
                "this limiter is in use on another event loop, and its rate applies to all "
                "calls together; give each loop its own limiter, with its share of the rate"
            )
        # Whoever waited on a closed loop will never run again.
        self._is_abandoned = False
        self.wait_queue = WaitQueue()
        self.allowance = None
        self._timer, self._timer_at = None, math.inf
        self.gate.shift(loop.time() - self.loop.time())
        self.loop = loop

    def abandon(self) -> None:
        """Take its event loop for dead: it is that of the process this one was forked from."""
        self._is_abandoned = True

    def report_wait(self, since: float) -> None:
        """Log that a call had to wait since then, and call the hook."""
        if self._on_event is not None or _logger.isEnabledFor(logging.DEBUG):
            seconds = self.now() - since
            _logger.debug("%s: waited %.3f s", self.name, seconds)
            self.notify(Waited(self.name, seconds))

    def _wake_at(self, when: float) -> None:
        if self._timer is not None:
            if self._timer_at <= when:
                return
            self._timer.cancel()
        self._timer_at = when
        self._timer = self.loop.call_at(when, self._wake)

    def _wake(self) -> None:
        # A timer may come early by the grain of its clock (a millisecond on uvloop); set again
        # at once it would come early again, hundreds of times.
        now = max(self.now(), self._timer_at)
        self._timer, self._timer_at = None, math.inf
        self.pump(now)

    def _turn_away(self, until: float, now: float) -> None:
        """Tell those whose deadline comes before the quota opens."""
        if self.wait_queue.next_deadline > until:
            return
        for ticket in self.wait_queue.expired(until):
            if not ticket.future.done():
                wait = max(0.0, until - now)
                ticket.future.set_exception(
                    RateLimitWaitError(
                        f"the call would time out before its turn, in {wait:.3g} s or later",
                        seconds=wait,
                    )
                )

    def _report_rate(self) -> None:
        rate, before = self.gate.rate, self._rate
        if rate is None or (before is not None and abs(rate - before) < _NEWS * before):
            return
        self._rate = rate
        _logger.info("%s: measured %.4g calls a second", self.name, rate)
        self.notify(RateChanged(self.name, before, rate))

    def notify(self, event: LimiterEvent) -> None:
        """Call the limiter's `on_event`; what it raises is logged."""
        if self._on_event is None:
            return
        try:
            self._on_event(event)
        except Exception:
            _logger.exception("on_event failed")
