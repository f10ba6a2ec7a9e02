"""Waiting for a service that refuses, fails or cannot be reached, and saying so.

`Patience.call` makes a call again and again while nothing speaks against it but the state of
the service; what a run waits for stands in `holdups`, for its progress. It knows no kind of
work. A call is repeated only where it surely was not carried out, or may be repeated.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from itertools import chain, repeat
from typing import Literal, TypeAlias, TypeGuard, TypeVar

import anyio
from attrs import define

from humeai_async._base.frozen import frozen
from humeai_async.errors import HumeError, LedgerError, RateLimitWaitError, SaveError
from humeai_async.http.fatal_errors import is_fatal
from humeai_async.http.retry import Trouble, grown, trouble_of

T = TypeVar("T")

HoldupKind: TypeAlias = Literal["quota", "service", "search"]

SEARCH_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds between searches for a submission that got no response; the last one repeats."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 15.0
"""Seconds between two calls while the service refuses them; doubled each time."""


@frozen
class Holdup:
    """What a run waits for at the moment."""

    kind: HoldupKind
    """`quota`: the quota is used up. `service`: it fails or cannot be reached. `search`: a
    submission that got no response is looked for."""
    seconds: float
    """Since it began."""
    left: float | None
    """Seconds until the next try, or until the search is over."""
    reason: str
    """What the service, or the network, said last."""
    count: int
    """Calls, or submissions, that wait for it."""

    def __str__(self) -> str:
        if self.kind == "quota":
            return f"the quota is used up, next call in {self.left or 0:.0f} s"
        if self.kind == "service":
            return f"the service has been failing for {self.seconds:.0f} s ({self.reason})"
        what = "a submission" if self.count == 1 else f"{self.count} submissions"
        return f"looking for {what} without a response, {self.left or 0:.0f} s left"


@define(eq=False)
class _Waiting:
    kind: HoldupKind
    since: float
    until: float | None
    reason: str


class Patience:
    """Goes on with calls while the service cannot serve them.

    Args:
        pause: Sleeps for so many seconds.
        limit: Seconds that the service may be out of reach; `None` is without limit.
    """

    def __init__(
        self, pause: Callable[[float], Awaitable[None]], limit: float | None = None
    ) -> None:
        self.pause = pause
        """Sleeps for so many seconds."""
        self._limit = math.inf if limit is None else limit
        self._out_since: float | None = None
        """When the service was first out of reach with no good response since."""
        self._waiting: list[_Waiting] = []
        self.on_change: Callable[[], None] | None = None
        """Called whenever what the run waits for has changed."""

    @property
    def holdup(self) -> Holdup | None:
        """What the run waits for, the worst first; `None` while it does not."""
        for kind in ("service", "search", "quota"):
            found = [one for one in self._waiting if one.kind == kind]
            if found:
                now = anyio.current_time()
                untils = [one.until for one in found if one.until is not None]
                return Holdup(
                    found[0].kind,
                    seconds=now - min(one.since for one in found),
                    left=max(0.0, min(untils) - now) if untils else None,
                    reason=found[-1].reason,
                    count=len(found),
                )
        return None

    async def call(self, make: Callable[[], Awaitable[T]], *, deadline: float = math.inf) -> T:
        """Make a call until the service serves it.

        Args:
            make: Makes the call.
            deadline: Time of the event loop's clock after which it is not made again.

        Raises:
            HumeError: It cannot be repeated, the service was out of reach for longer than the
                limit, or the deadline is over.
        """
        since: float | None = None
        tries = 0
        while True:
            try:
                result = await make()
            except HumeError as problem:
                kind = _kind_of(problem)
                if kind is None:
                    raise
                now = anyio.current_time()
                since = now if since is None else since
                if kind == "service" and self._is_over(now, since):
                    raise
                wait = _wait_of(problem, grown(FIRST_PAUSE, 2.0, tries, LONGEST_PAUSE))
                if now + wait >= deadline:
                    raise
                reason = problem.message
            else:
                self._out_since = None
                return result
            with self.waiting(kind, reason, since=since, until=now + wait):
                await self.pause(wait)
            tries += 1

    @contextmanager
    def waiting(
        self, kind: HoldupKind, reason: str, *, since: float, until: float | None
    ) -> Generator[None]:
        """Say in a block what is waited for."""
        one = _Waiting(kind, since, until, reason)
        self._waiting.append(one)
        self._tell()
        try:
            yield
        finally:
            self._waiting.remove(one)
            self._tell()

    def _is_over(self, now: float, since: float) -> bool:
        """Whether the service has been out of reach, or has failed this call, for too long."""
        if self._out_since is None:
            self._out_since = now
        return now - min(since, self._out_since) >= self._limit

    def _tell(self) -> None:
        if self.on_change is not None:
            self.on_change()


def search_pauses() -> Iterator[float]:
    """Give the seconds between searches for what should be at the service, without end."""
    return chain(SEARCH_PAUSES, repeat(SEARCH_PAUSES[-1]))


def _kind_of(problem: HumeError) -> HoldupKind | None:
    """Say what an error is a reason to wait for; `None` where waiting does not help."""
    return None if problem.outcome_unknown else _KINDS.get(trouble_of(problem))


_KINDS: dict[Trouble | None, HoldupKind] = {Trouble.QUOTA: "quota", Trouble.SERVICE: "service"}


def is_passing(problem: HumeError) -> bool:
    """Whether an error says nothing but that the service cannot serve the call now."""
    return _kind_of(problem) is not None


def ends_run(problem: BaseException | None) -> TypeGuard[HumeError]:
    """Whether an error ends a run: every other source would meet it, or nothing can be kept."""
    return isinstance(problem, (LedgerError, SaveError)) or (
        isinstance(problem, HumeError) and is_fatal(problem)
    )


def _wait_of(problem: HumeError, pause: float) -> float:
    wait = problem.seconds if isinstance(problem, RateLimitWaitError) else problem.retry_after
    # Whoever pauses for an hour looks in between: the service may be back sooner.
    return pause if wait is None else min(max(wait, pause), 60.0)
