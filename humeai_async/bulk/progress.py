"""How far a bulk run is, for those who draw it.

`Progress` is one state of a run; `Track` counts and makes a new one whenever something has
happened. It knows neither files nor requests; `runs.py` calls it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from time import monotonic
from typing import Any

from humeai_async._base.frozen import frozen
from humeai_async.bulk.outcome import Outcome
from humeai_async.bulk.patience import Holdup
from humeai_async.bulk.states import DONE, State
from humeai_async.limiter.limiter import BucketState


@frozen(kw_only=True)
class Progress:
    """How far a bulk run is: sources, jobs, pace, and what it waits for."""

    total: int | None
    """Sources given, each once; `None` where they are not a list."""
    done: int
    """Sources that arrived or failed, at this start and at earlier ones."""
    failed: int
    """Sources that failed at this start."""
    left_open: int
    """Sources that met an outage or a timeout at this start; the next one goes on with them."""
    jobs: int
    """Jobs begun at this start: submitted, or found at Hume."""
    seconds: float
    """Seconds since the run was started."""
    rate: float
    """Sources done a second, on the average of this start."""
    pace: BucketState
    """What the limiter knows of the quota: rate, pauses, calls in the queue."""
    holdup: Holdup | None = None
    """What the run waits for, such as a service that cannot be reached; as text, a sentence for
    people. `None` while nothing holds it up."""

    @property
    def eta(self) -> float | None:
        """Seconds until all is done, at the rate so far; `None` while that cannot be said."""
        if self.total is None or not self.rate:
            return None
        return max(self.total - self.done - self.left_open, 0) / self.rate


class Track:
    """Counts what happens in a run, and tells how far it is after each change.

    Args:
        pace: Gives the limiter's state.
        holdup: Gives what the run waits for.
        on_progress: Called with each new state; `None` makes none.
    """

    def __init__(
        self,
        pace: Callable[[], BucketState],
        holdup: Callable[[], Holdup | None],
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        self._pace = pace
        self._holdup = holdup
        self._on_progress = on_progress
        self._began = monotonic()
        self._total: int | None = None
        self._before = 0
        self._done = self._failed = self._left_open = self._jobs = 0

    def begin(self, counts: Mapping[State, int], total: int | None, *, retries: bool) -> None:
        """Take note of what earlier starts have done."""
        self._total = total
        passed_over = {State.ARRIVED} if retries else DONE
        self._before = sum(counts[state] for state in passed_over)
        self.publish()

    def count_job(self, _: Any) -> None:
        """Count a job that is at Hume."""
        self._jobs += 1
        self.publish()

    def count_outcomes(self, outcomes: Iterable[Outcome[Any, Any]]) -> None:
        """Count outcomes that are on disk."""
        for outcome in outcomes:
            if outcome.is_open:
                self._left_open += 1
            else:
                self._done += 1
                self._failed += outcome.error is not None
        self.publish()

    def publish(self) -> None:
        """Make a new state and hand it on."""
        if self._on_progress is None:
            return
        seconds = monotonic() - self._began
        self._on_progress(
            Progress(
                total=self._total,
                done=self._before + self._done,
                failed=self._failed,
                left_open=self._left_open,
                jobs=self._jobs,
                seconds=seconds,
                rate=self._done / seconds if seconds else 0.0,
                pace=self._pace(),
                holdup=self._holdup(),
            )
        )
