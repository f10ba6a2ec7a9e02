"""One poller for all waits of a client, with rounds of its own on each event loop.

A thousand waits for jobs cost a handful of requests a round, not a thousand: one round asks
"List jobs" for all of them and "Get job details" only for those the list does not show. There
is no background task. One of the waiting callers, the leader, makes the rounds and hands the
others what it learned; when it leaves, whatever the reason, another one takes over.
"""

from __future__ import annotations

import asyncio
import functools
import math
import random
from collections import deque
from collections.abc import Iterable

import anyio
import anyio.lowlevel
from attrs import define, evolve, field

from humeai_async import catalog
from humeai_async._base.event_loops import PerLoop
from humeai_async.batch.listing import JobCursor
from humeai_async.errors import (
    APIConnectionError,
    APIStatusError,
    DecodeError,
    HumeError,
    NotFoundError,
    RateLimitError,
    RateLimitWaitError,
    ServerError,
)
from humeai_async.http.endpoint import fill
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
BAD_ROUNDS = 5
"""Rounds in a row that may fail before every wait is told; each was retried already."""
BAD_LISTS = 2
"""Lists in a row that may fail before jobs are asked for singly instead."""
_FOR_EVERY_CALL = frozenset({401, 429})
_NO_LIST = frozenset({400, 403, 404, 405, 410, 422, 501})
"""Statuses that say that there is no list to be had here."""
SHARE = 0.25
"""Pause between rounds, as a share of the time waited so far."""

_PASSING = (APIConnectionError, ServerError, RateLimitError, RateLimitWaitError, DecodeError)
"""Errors that may be over by the next round."""


@define(eq=False)
class Wait:
    """One caller's wait for one or more jobs; used by `Job` and `AsCompleted`."""

    pending: dict[str, JobDetails | None]
    """Last news of each job still waited for."""
    since: float
    news: deque[JobDetails] = field(factory=deque[JobDetails])
    """What the caller has not been told yet."""
    failures: dict[str, HumeError] = field(factory=dict[str, HumeError])
    """Jobs that cannot be waited for, and why."""
    is_blocked: bool = False
    signal: anyio.Event = field(factory=anyio.Event)

    def tell(self, details: JobDetails) -> None:
        """Note news of a job, if it is one of ours and news."""
        if details.job_id in self.pending and self.pending[details.job_id] != details:
            self.news.append(details)
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


class Poller:
    """All waits of a client and its relatives, those of each event loop apart."""

    def __init__(self, session: Session) -> None:
        self._rounds = PerLoop(functools.partial(_rounds, session))

    def here(self) -> Rounds:
        """Return the rounds that are made on this event loop."""
        return self._rounds.here()


def _rounds(session: Session, _: asyncio.AbstractEventLoop) -> Rounds:
    return Rounds(session)


class Rounds:
    """Makes the rounds for all waits on one event loop."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._bad_rounds = 0
        self._can_list = True
        self._bad_lists = 0
        self._waits: dict[Wait, tuple[str, ...]] = {}
        """Every wait, with the jobs it began with."""
        self._watched: dict[str, dict[Wait, None]] = {}
        """The waits for each job."""
        self._leader: Wait | None = None
        self._due = -math.inf
        self._last_round = -math.inf
        self._wake = anyio.Event()

    def watch(self, job_ids: Iterable[str], since: float | None = None) -> Wait:
        """Begin a wait, or go on with one begun at `since`; the next round asks for its jobs."""
        now = anyio.current_time()
        wait = Wait(dict.fromkeys(job_ids), now if since is None else since)
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

    def forget(self, wait: Wait) -> None:
        """End a wait."""
        for job_id in self._waits.pop(wait, ()):
            waits = self._watched[job_id]
            del waits[wait]
            if not waits:
                del self._watched[job_id]
        self._hand_over(wait)

    async def hear(self, wait: Wait) -> None:
        """Wait until there is news of a wait's jobs, or a failure, or nothing left to wait for.

        Raises:
            ClientClosedError: The client was closed.
        """
        with self._session.until_closed():
            await self._hear(wait)

    async def _hear(self, wait: Wait) -> None:
        wait.is_blocked = True
        try:
            while wait.pending and not wait.news and not wait.failures:
                if self._leader is None:
                    self._leader = wait
                if self._leader is wait:
                    await self._round()
                else:
                    await wait.signal.wait()
                    wait.signal = anyio.Event()
        finally:
            wait.is_blocked = False
            self._hand_over(wait)

    def _hand_over(self, wait: Wait) -> None:
        """Make another blocked wait the leader, if this one was."""
        if self._leader is wait:
            self._leader = None
            heir = next((other for other in self._waits if other.is_blocked), None)
            if heir is not None:
                heir.signal.set()

    async def _round(self) -> None:
        """Wait until the next round is due, and make it."""
        await anyio.lowlevel.checkpoint()  # lets waits that start together share the round
        while anyio.current_time() < self._due:
            self._wake = anyio.Event()
            with anyio.move_on_at(self._due):
                await self._wake.wait()
        wanted = {job_id for wait in self._waits for job_id in wait.pending}
        try:
            await self._ask(wanted)
            self._bad_rounds = 0
        except HumeError as problem:
            self._bad_rounds += 1
            if not isinstance(problem, _PASSING) or self._bad_rounds >= BAD_ROUNDS:
                for job_id in wanted:
                    self._give_up(job_id, problem)
        self._plan()

    def _plan(self) -> None:
        """Set the time of the next round: the youngest wait decides how soon."""
        now = self._last_round = anyio.current_time()
        youngest = max((wait.since for wait in self._waits if wait.pending), default=now)
        polling = self._session.polling
        pause = min(max(SHARE * (now - youngest), polling.min_interval), polling.max_interval)
        self._due = now + pause * random.uniform(0.8, 1.2)  # noqa: S311 - jitter, no secret

    async def _ask(self, wanted: set[str]) -> None:
        """Ask for the state of jobs, in as few requests as it takes."""
        if len(wanted) > FEW and self._can_list:
            try:
                await self._ask_list(wanted)
                self._bad_lists = 0
            except (APIStatusError, DecodeError) as problem:
                self._doubt_the_list(problem)
        limiter = anyio.CapacityLimiter(AT_ONCE)
        failures: list[HumeError] = []
        async with anyio.create_task_group() as tasks:
            for job_id in wanted:
                tasks.start_soon(self._ask_one, job_id, limiter, failures)
        if failures:
            raise failures[0]

    def _doubt_the_list(self, problem: HumeError) -> None:
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
        """Walk back through the list of jobs; what is found is told and taken from `wanted`."""
        walk = JobCursor(self._session, PAGE, {"sort_by": "created", "direction": "desc"})
        count = len(wanted)
        for _ in range(max(math.ceil(count / PAGE) + SPARE_PAGES, count // JOBS_A_PAGE)):
            for details in await walk.step():
                self._tell(details)
                wanted.discard(details.job_id)
            if not wanted or walk.is_done:
                return

    async def _ask_one(
        self, job_id: str, limiter: anyio.CapacityLimiter, failures: list[HumeError]
    ) -> None:
        async with limiter:
            try:
                details = await self._session.call(fill(catalog.BATCH_GET_JOB, job_id))
                self._tell(_about(job_id, details))
            except NotFoundError as problem:
                self._give_up(job_id, problem)
            except HumeError as problem:
                failures.append(problem)

    def _tell(self, details: JobDetails) -> None:
        for wait in self._watched.get(details.job_id, ()):
            wait.tell(details)

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
    raise DecodeError(f"the answer about job {job_id} names another one", path="$.job_id")
