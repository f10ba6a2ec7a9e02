"""The limiter: every call asks it before it goes, and tells it what came back.

Services close when a quota is used up: they send 429 until time has passed. The quota is
mostly unknown, shared, and changes. The limiter finds it, keeps to it and uses all of it.

Who goes, and when. Each bucket (a credential and a product) has a token bucket that fills at
the rate believed right. A call that finds a token goes at once, without a turn of the event
loop; the others queue: first come, first served within a priority, interactive before bulk
but one in eight, calls that met a 429 before fresh ones. The first in line is never overtaken
by a cheaper one, and one timer serves all. A cancelled waiter leaves no trace.

How the quota is found is told where it is done: `gate.py` decides when a call may go, `pause.py`
when one tries a closed quota, and `learner.py` measures what it is.

Declared rates are kept to by 99 % (clocks and networks jitter) from the first call on, with
bursts of 50 ms of calls unless `burst` says more. On a 429 they fall like learned ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from attrs import evolve

from humeai_async._base import event_loops
from humeai_async._base.base_values import is_number
from humeai_async._base.frozen import frozen
from humeai_async.errors import ConfigurationError
from humeai_async.limiter.allowance import Allowance, AllowanceGate
from humeai_async.limiter.bucket import Bucket, Permit
from humeai_async.limiter.gate import Gate
from humeai_async.limiter.queue import Priority

if TYPE_CHECKING:
    from humeai_async.limiter.events import LimiterEvent
    from humeai_async.limiter.shared_gate import SharedGate, SharedQuota

INTERACTIVE: Final = Priority.INTERACTIVE
BULK: Final = Priority.BULK


@frozen
class BucketState:
    """What a limiter knows of one bucket, at one moment."""

    rate: float | None
    """Calls a second; `None` while it is not known."""
    window: float | None
    """Seconds of the quota's window, where one was found."""
    tokens: float
    """Number of calls that could be sent at once."""
    waiting: int
    """Number of calls that wait in the queue."""
    in_flight: int
    """Calls that were sent and have no response yet."""
    paused_for: float
    """Seconds for which no call will be sent, at least."""
    pauses: int
    """Number of times that the quota was found used up."""
    refused: int
    """Responses with status 429."""
    accepted: int
    """Number of other responses."""
    shared: str | None = None
    """`"yes"` while the quota is shared with other processes, `"outage"` while what they share it
    through cannot be reached; `None` where it is not shared."""
    members: int = 1
    """Processes that share it, as far as was heard last."""
    share: float | None = None
    """Calls a second that this process may send of what is shared, as far as is known."""


_SHOWN: Final = ("rate", "waiting", "in_flight", "paused_for", "accepted", "refused")
"""What a notebook shows of a bucket."""


class Limiter:
    """Paces calls; finds out how fast they may go, if it is not told.

    One limiter may serve several clients. Where it learns the rate it works on any number of
    event loops, in threads of their own, and learns on each by itself, as in several processes.
    A declared rate is for all calls together, and kept on one event loop at a time.
    """

    def __init__(
        self,
        rate: float | None = None,
        per: float = 1.0,
        burst: float | None = None,
        *,
        max_wait: float | None = None,
        max_waiting: int | None = None,
        shared: SharedQuota | None = None,
        on_event: Callable[[LimiterEvent], object] | None = None,
    ) -> None:
        """Make a limiter.

        Args:
            rate: Calls allowed in each `per`; `None` finds out.
            per: Seconds.
            burst: Calls that may go at once after a rest; 50 ms of calls, and at least
                one, if left out. Needs `rate`.
            max_wait: Seconds a call may wait at most; 0 never waits.
            max_waiting: Calls that may wait at the same time in one bucket.
            shared: A `shared.RedisQuota` that other processes have too: `rate` is that of all
                together then, and without it all find it out together.
            on_event: Called with a `Waited`, `Paused` or `RateChanged` of `limiter.events`, and
                for a shared quota with `Shared` and `Alone`. Must be quick; what it raises is
                logged. Each event loop's thread calls it.

        Raises:
            ConfigurationError: Something is no positive number, or `burst` stands without `rate`.
        """
        _check("rate", rate)
        _check("per", per, optional=False)
        _check("burst", burst, least=1.0)
        _check("max_wait", max_wait, least=0.0)
        _check("max_waiting", max_waiting, least=0.0)
        if burst is not None and rate is None:
            raise ConfigurationError("burst needs a rate: pass rate, too")
        self._rate = None if rate is None else rate / per
        self._burst = burst
        self._max_wait = math.inf if max_wait is None else max_wait
        self._max_waiting = math.inf if max_waiting is None else max_waiting
        self._shared = shared
        self._shared_gate = None if shared is None else _shared_gate()
        self._on_event = on_event
        self._buckets: dict[str, list[Bucket]] = {}
        """Those of a name, one for each event loop; none of the lists is empty."""
        self._placing = threading.Lock()
        event_loops.watch(self, Limiter._forget_parent)

    async def acquire(
        self,
        bucket: str = "",
        *,
        cost: float = 1.0,
        deadline: float | None = None,
        priority: Priority = INTERACTIVE,
        head: bool = False,
        allowance: Allowance | None = None,
    ) -> Permit:
        """Wait until a call may go. If it may at once, the event loop gets no turn.

        Args:
            bucket: Which quota it draws on.
            cost: How many calls it counts for; above 0.
            deadline: Time of the event loop's clock until which it may wait.
            priority: Whether somebody waits for the response.
            head: Go before all calls of the same priority that were never sent, as a call
                does that was refused.
            allowance: What the service documents of the quota, to be kept to from the first call
                on; a declared rate goes before it.

        Returns:
            Leave to go.

        Raises:
            RateLimitWaitError: It would wait, as far as is known, beyond its deadline or
                `max_wait`, or too many wait already: told at once. Or it has waited so long.
            ConfigurationError: The rate is declared, and the limiter in use on another event
                loop; or the cost is not positive.
        """
        loop = asyncio.get_running_loop()
        places = self._buckets.get(bucket)
        if places is None or (place := places[0]).loop is not loop:
            place = self._place(bucket, loop)
        if not cost > 0.0:
            raise ConfigurationError(f"cost must be a positive number, not {cost!r}")
        now = loop.time()
        if allowance is not None and self._rate is None:
            if place.allowance is None:
                place.allowance = AllowanceGate(allowance)
            until = self._waits_until(now, deadline)
            await place.allowance.enter(until)
            permit = await self.acquire(
                bucket, cost=cost, deadline=until, priority=priority, head=head
            )
            permit.waited = loop.time() - now
            return permit
        gate = place.gate
        if not place.wait_queue.waiting and gate.ready_in(now, cost) <= 0.0:
            return place.grant(now, cost)
        until = self._waits_until(now, deadline)
        future = place.queue(now, cost, until, priority, head, self._max_waiting)
        try:
            permit = await future
        except BaseException:
            place.leave(future)
            raise
        place.report_wait(now)
        permit.waited = loop.time() - now
        return permit

    def _waits_until(self, now: float, deadline: float | None) -> float:
        """Return the time until which a call may wait."""
        return min(now + self._max_wait, math.inf if deadline is None else deadline)

    def snapshot(self, bucket: str = "") -> BucketState:
        """Return the state of a bucket; one never used looks like a new one.

        Where several event loops use it, that on the running one, else that on the first.
        """
        places = self._buckets.get(bucket)
        if places is None:
            return _state(Gate(0.0, self._rate, self._burst), 0, 0.0)
        loop = None
        with contextlib.suppress(RuntimeError):  # none is running
            loop = asyncio.get_running_loop()
        place = next((one for one in places if one.loop is loop), places[0])
        now, gate = place.now(), place.gate
        state = _state(gate, place.wait_queue.waiting, now)
        if self._shared_gate is None or not isinstance(gate, self._shared_gate):
            return state
        source = gate.source
        return evolve(
            state,
            shared="outage" if source.is_away else "yes",
            members=source.turns.members,
            share=source.turns.share(now),
        )

    @property
    def buckets(self) -> tuple[str, ...]:
        """Names of the buckets used so far."""
        return tuple(self._buckets)

    def _repr_html_(self) -> str:
        """Show in a notebook what is known of each bucket."""
        from humeai_async._base.html import MOST_ROWS, table

        names = self.buckets
        states = ((name, self.snapshot(name)) for name in names[:MOST_ROWS])
        rate = "learns its rate" if self._rate is None else f"{self._rate:g} calls a second"
        return table(
            f"Limiter: {rate}",
            ("bucket", *_SHOWN),
            ([name, *(getattr(state, one) for one in _SHOWN)] for name, state in states),
            total=len(names),
            notes=() if names else ("No call has asked it yet.",),
        )

    def _forget_parent(self) -> None:
        """Start anew in a forked process; what was learned stays."""
        self._placing = threading.Lock()  # another thread may have held the old one
        for places in self._buckets.values():
            for place in places:
                place.abandon()

    def _place(self, name: str, loop: asyncio.AbstractEventLoop) -> Bucket:
        """Find the bucket of an event loop; else move one from a loop that is over, or make one."""
        with self._placing:
            places = self._buckets.get(name, [])
            for place in places:
                if place.loop is loop:
                    return place
            # A declared rate is for all calls together, so its one bucket has to move.
            free = [one for one in places if one.is_over or self._rate is not None]
            if free:
                free[0].move(loop)
                return free[0]
            place = self._made(name, loop)
            self._buckets[name] = [*places, place]
            return place

    def _made(self, name: str, loop: asyncio.AbstractEventLoop) -> Bucket:
        now = loop.time()
        bucket = Bucket(name, Gate(now, self._rate, self._burst), loop, self._on_event)
        if self._shared is not None and self._shared_gate is not None:
            source = self._shared.join(bucket, self._rate, self._burst)
            bucket.gate = self._shared_gate(now, self._rate, self._burst, source)
        return bucket


def _check(
    name: str, value: float | None, least: float | None = None, *, optional: bool = True
) -> None:
    if value is None and optional:
        return
    if not is_number(value) or (value <= 0 if least is None else value < least):
        bound = "a positive number" if least is None else f"{least:g} or more"
        raise ConfigurationError(f"{name} must be {bound}, not {value!r}")


def _shared_gate() -> type[SharedGate]:
    """Import what paces a shared quota, which most limiters do without."""
    from humeai_async.limiter.shared_gate import SharedGate

    return SharedGate


def _state(gate: Gate, waiting: int, now: float) -> BucketState:
    return BucketState(
        rate=gate.rate,
        window=gate.learner.window,
        tokens=gate.tokens(now),
        waiting=waiting,
        in_flight=gate.in_flight,
        paused_for=gate.paused_for(now),
        pauses=gate.pauses,
        refused=gate.refused,
        accepted=gate.accepted,
    )
