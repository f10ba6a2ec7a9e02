"""One poller for all waits of a client, with a loop of its own on each event loop.

A thousand waits for jobs cost a handful of requests a round, not a thousand: one round asks
"List jobs" for all of them and "Get job details" only for those the list does not show. There
is no background task. One of the waiting callers, the leader, makes the rounds and publishes
what it learned to the others; when it leaves, whatever the reason, another one takes over.

A round that fails in passing ends no wait before its patience does: the time since the service
was last of use, for one job or for all. What concerns one job never ends the wait for another.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
from collections import deque
from collections.abc import Callable, Iterable

import anyio
import anyio.lowlevel
from attrs import define, evolve, field

from humeai_async._base.event_loops import PerLoop
from humeai_async.batch.listing import JobCursor
from humeai_async.catalog import batch as catalog
from humeai_async.errors import (
    APIStatusError,
    DecodeError,
    HumeError,
    NotFoundError,
)
from humeai_async.http.endpoint import fill
from humeai_async.http.retry import Trouble, trouble_of
from humeai_async.http.session import Session
from humeai_async.types.batch import JobDetails

PAGE = 100
"""Jobs asked for in one list; the server may give fewer."""
FEW = 2
"""Up to this many jobs, asking for each is no dearer than asking for a list."""
SPARE_PAGES = 2
"""Pages read beyond those that would hold all jobs, before the rest is asked for singly."""
JOBS_A_PAGE = 16
"""Jobs still looked for that make one more page worth its while, for those of long ago."""
AT_ONCE = 8
"""Single requests in flight."""
PATIENCE = 600.0
"""Seconds that a wait outlasts a service that cannot be reached or fails; then it ends with the
last error. A shorter timeout of the wait ends it earlier."""
ODD_RESPONSES = 5
"""Responses about one job in a row that cannot be read, before its wait ends: unlike an outage
they hardly pass."""
BAD_LISTS = 2
"""Lists in a row that may fail before jobs are asked for singly instead."""
_FOR_EVERY_CALL = frozenset({401, 429})
_NO_LIST = frozenset({400, 403, 404, 405, 410, 422, 501})
"""Statuses that say that there is no list to be had here."""
SHARE = 0.25
"""Pause between rounds, as a share of the time waited so far."""


@define(eq=False)
class Subscription:
    """One caller's wait for one or more jobs; used by `Job` and `AsCompleted`."""

    pending: dict[str, JobDetails | None]
    """Last news of each job still waited for."""
    since: float
    """When the wait began, by the clock of the event loop."""
    news: deque[JobDetails] = field(factory=deque[JobDetails])
    """News that the caller has not taken yet."""
    failures: dict[str, HumeError] = field(factory=dict[str, HumeError])
    """Jobs that cannot be waited for, and why."""
    last_failure: HumeError | None = None
    """What the last request for one of the jobs ended with, if it failed in passing."""
    on_failure: Callable[[HumeError], None] | None = None
    """Called with each such failure."""
    is_blocked: bool = False
    """Whether the caller waits for the next event at the moment."""
    # Not anyio's: to name it imports half of anyio, in which the event loop stands still.
    signal: asyncio.Event = field(factory=asyncio.Event)

    def publish(self, details: JobDetails) -> None:
        """Take news of a job, if it is one of those waited for and they are news."""
        if details.job_id in self.pending and self.pending[details.job_id] != details:
            self.news.append(details)
            self.last_failure = None
            if details.state.is_finished:
                del self.pending[details.job_id]
            else:
                self.pending[details.job_id] = details
            self.signal.set()

    def give_up(self, job_id: str, failure: HumeError) -> None:
        """Note that a job cannot be waited for."""
        if job_id in self.pending:
            del self.pending[job_id]
            self.failures[job_id] = failure
            self.signal.set()


@define(eq=False)
class _Trouble:
    """Failures in a row, of one job or of the whole service."""

    since: float
    """When the first of the requests that failed was sent."""
    odd: int = 0
    """How many were responses that cannot be read."""

    def has_lasted(self, failure: HumeError) -> bool:
        """Count one more failure, and say whether to wait no longer."""
        trouble = trouble_of(failure)
        if trouble is None:
            return True
        self.odd += trouble is Trouble.RESPONSE
        return self.odd >= ODD_RESPONSES or anyio.current_time() - self.since >= PATIENCE


class Poller:
    """All waits of a client and its relatives, those of each event loop apart."""

    def __init__(self, session: Session) -> None:
        self._loops = PerLoop(lambda _: PollLoop(session))

    def current(self) -> PollLoop:
        """Return the loop of polls that runs on this event loop."""
        return self._loops.current()


class PollLoop:
    """Asks for the state of all jobs that are waited for on one event loop."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._troubles: dict[str, _Trouble] = {}
        """Jobs whose last requests failed."""
        self._can_list = True
        self._bad_lists = 0
        self._waits: dict[Subscription, tuple[str, ...]] = {}
        """Every wait, with the jobs it began with."""
        self._watched: dict[str, dict[Subscription, None]] = {}
        """The waits for each job."""
        self._leader: Subscription | None = None
        self._due = -math.inf
        self._last_round = -math.inf
        self._wake = asyncio.Event()
        self._hinted: set[str] = set()
        """Jobs that are to be asked for at once."""
        self._hinted_at: dict[str, float] = {}
        """When that was done last, for each job that is waited for."""

    def subscribe(self, job_ids: Iterable[str], since: float | None = None) -> Subscription:
        """Begin a wait, or go on with one begun at `since`; the next round asks for its jobs."""
        now = anyio.current_time()
        wait = Subscription(dict.fromkeys(job_ids), now if since is None else since)
        # One wait after another asks at once each time, as a call would: only waits that go on
        # together save requests by the pace of their rounds.
        soonest = self._last_round + self._session.polling.min_interval if self._waits else now
        self._waits[wait] = tuple(wait.pending)
        for job_id in wait.pending:
            self._watched.setdefault(job_id, {})[wait] = None
        earliest = max(now, soonest)
        # A wait that goes on keeps the pace that the last round has set.
        if since is None and (earliest < self._due or self._leader is None):
            self._due = earliest
            self._wake.set()
        return wait

    def unsubscribe(self, wait: Subscription) -> None:
        """Remove a wait and the jobs that nobody else waits for."""
        for job_id in self._waits.pop(wait, ()):
            waits = self._watched[job_id]
            del waits[wait]
            if not waits:
                del self._watched[job_id]
                self._troubles.pop(job_id, None)
                self._hinted_at.pop(job_id, None)
                self._hinted.discard(job_id)
        self._promote_leader(wait)

    def wake(self, job_id: str) -> None:
        """Ask for a job at once, if it is waited for: somebody says that it has ended.

        Anybody may say so, so a job is asked for no more often than rounds are made at most.
        """
        now = anyio.current_time()
        for known in self._watched:
            if known.lower() == job_id.lower():
                last = self._hinted_at.get(known, -math.inf)
                if now - last >= self._session.polling.min_interval:
                    self._hinted_at[known] = now
                    self._hinted.add(known)
                    self._wake.set()

    async def next_event(self, wait: Subscription) -> None:
        """Wait until there is news of a wait's jobs, or a failure, or nothing left to wait for.

        Raises:
            ClientClosedError: The client was closed.
        """
        with self._session.until_closed():
            await self._next_event(wait)

    async def _next_event(self, wait: Subscription) -> None:
        wait.is_blocked = True
        try:
            while wait.pending and not wait.news and not wait.failures:
                if self._leader is None:
                    self._leader = wait
                if self._leader is wait:
                    await self._round()
                else:
                    await wait.signal.wait()
                    wait.signal.clear()
        finally:
            wait.is_blocked = False
            self._promote_leader(wait)

    def _promote_leader(self, wait: Subscription) -> None:
        """Make another blocked wait the leader, if this one was."""
        if self._leader is wait:
            self._leader = None
            successor = next((other for other in self._waits if other.is_blocked), None)
            if successor is not None:
                successor.signal.set()

    async def _round(self) -> None:
        """Wait until the next round is due, and make it."""
        await anyio.lowlevel.checkpoint()  # lets waits that start together share the round
        while not self._hinted and asyncio.get_running_loop().time() < self._due:
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(self._due):
                    await self._wake.wait()
        began = anyio.current_time()
        wanted = {job_id for wait in self._waits for job_id in wait.pending}
        is_hinted = bool(self._hinted)
        if is_hinted:
            wanted &= self._hinted
            self._hinted.clear()
        try:
            failures = await self._ask(wanted)
        except HumeError as problem:
            failures = dict.fromkeys(wanted, problem)
        for job_id, failure in failures.items():
            if self._troubles.setdefault(job_id, _Trouble(began)).has_lasted(failure):
                self._give_up(job_id, failure)
            for wait in self._watched.get(job_id, ()):
                wait.last_failure = failure
                if wait.on_failure is not None:
                    wait.on_failure(failure)
        if not is_hinted:
            self._plan()

    def _plan(self) -> None:
        """Set the time of the next round: the youngest wait decides how soon."""
        now = self._last_round = anyio.current_time()
        youngest = max((wait.since for wait in self._waits if wait.pending), default=now)
        polling = self._session.polling
        pause = min(max(SHARE * (now - youngest), polling.min_interval), polling.max_interval)
        self._due = now + pause * random.uniform(0.8, 1.2)  # noqa: S311 - jitter, no secret

    async def _ask(self, wanted: set[str]) -> dict[str, HumeError]:
        """Ask for the state of jobs, in as few requests as it takes.

        Returns:
            The jobs that could not be asked for, and why.

        Raises:
            HumeError: The list failed in a way that single requests would fare no better.
        """
        if len(wanted) > FEW and self._can_list:
            try:
                await self._ask_list(wanted)
                self._bad_lists = 0
            except (APIStatusError, DecodeError) as problem:
                self._fall_back_to_single(problem)
        limiter = anyio.CapacityLimiter(AT_ONCE)
        failures: dict[str, HumeError] = {}
        async with anyio.create_task_group() as tasks:
            for job_id in wanted:
                tasks.start_soon(self._ask_one, job_id, limiter, failures)
        return failures

    def _fall_back_to_single(self, problem: HumeError) -> None:
        """Do without the list, where it is the list that fails.

        Raises:
            HumeError: Single requests would fare no better, or the list may be back next time.
        """
        if problem.status in _FOR_EVERY_CALL:
            raise problem
        self._bad_lists += 1
        self._can_list = problem.status not in _NO_LIST
        if self._can_list and self._bad_lists < BAD_LISTS:
            raise problem

    async def _ask_list(self, wanted: set[str]) -> None:
        """Walk back through the list of jobs; what is found is published, and no more wanted."""
        cursor = JobCursor(self._session, PAGE, {"sort_by": "created", "direction": "desc"})
        count = len(wanted)
        for _ in range(max(math.ceil(count / PAGE) + SPARE_PAGES, count // JOBS_A_PAGE)):
            for details in await cursor.step():
                self._publish(details)
                wanted.discard(details.job_id)
            if not wanted or cursor.is_done:
                return

    async def _ask_one(
        self, job_id: str, limiter: anyio.CapacityLimiter, failures: dict[str, HumeError]
    ) -> None:
        async with limiter:
            try:
                details = await self._session.call(fill(catalog.BATCH_GET_JOB, job_id))
                self._publish(_about(job_id, details))
            except NotFoundError as problem:
                self._give_up(job_id, problem)
            except HumeError as problem:
                failures[job_id] = problem

    def _publish(self, details: JobDetails) -> None:
        self._troubles.pop(details.job_id, None)
        for wait in self._watched.get(details.job_id, ()):
            wait.publish(details)

    def _give_up(self, job_id: str, failure: HumeError) -> None:
        for wait in self._watched.get(job_id, ()):
            wait.give_up(job_id, failure)


def _about(job_id: str, details: JobDetails) -> JobDetails:
    """Return news of one job under the id that it was asked for by, in whatever case.

    Raises:
        DecodeError: They are about another job.
    """
    if details.job_id == job_id:
        return details
    if details.job_id.lower() == job_id.lower():
        return evolve(details, job_id=job_id)
    raise DecodeError(f"the response about job {job_id} names a different job", path="$.job_id")
