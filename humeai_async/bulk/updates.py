"""The progress of a run as an async iterator, for a page in a browser or a display.

Whatever takes `on_progress` can be watched so: runs of any product, and those of a cluster. It
knows no run; a slow reader gets the newest state, and none of those that it missed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

from humeai_async._base.cancellation import run_uncancelled
from humeai_async._base.event_loops import ensure_running, running_loop
from humeai_async.errors import ClientClosedError, ConfigurationError

P = TypeVar("P")
P_co = TypeVar("P_co", covariant=True)
R_co = TypeVar("R_co", covariant=True)


class StartRun(Protocol[P_co, R_co]):
    """A call that runs to its end and says meanwhile how far it is."""

    def __call__(self, *, on_progress: Callable[[P_co], None]) -> Coroutine[Any, Any, R_co]:
        """Make the coroutine of the run."""
        ...


class RunUpdates(Generic[P, R_co]):
    """Runs something in the background, and gives its progress as it comes.

    ```python
    start = functools.partial(hume.batch.predict_into, "results", urls, models={"face": {}})
    async with RunUpdates(start) as updates:
        async for progress in updates:
            print(progress.done, progress.total, progress.eta)
        report = await updates.result()
    ```

    The loop ends with the run, and raises what the run raises. A loop that is slower than the
    run gets the newest state each time, and the last one always. Leaving the block before the
    end cancels the run; one into a folder is gone on with by the same call later. Costs nothing
    beyond the run.

    Args:
        start: Begins the run and takes `on_progress`: a `functools.partial` of `predict_into`,
            of `measure_many(...).write_to`, of `predict_over`.
    """

    def __init__(self, start: StartRun[P, R_co]) -> None:
        self._start = start
        self._run: asyncio.Task[R_co] | None = None
        self._news = asyncio.Event()
        self._latest: list[P] = []
        self._has_raised = False

    async def __aenter__(self) -> Self:
        if self._run is not None:
            raise ConfigurationError("these updates have begun: make new ones for another run")
        self._run = running_loop().create_task(self._start(on_progress=self._note))
        self._run.add_done_callback(lambda _: self._news.set())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        run = self._task
        await run_uncancelled(_end(run))
        if error is None and not run.cancelled():
            self._raise_once(run)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> P:
        run = self._task
        while not self._latest:
            if run.done():
                self._raise_once(run)
                raise StopAsyncIteration
            await self._news.wait()
            self._news.clear()
        return self._latest.pop()

    async def result(self) -> R_co:
        """Wait for the end of the run, and return what it returns.

        To cancel this wait leaves the run alone.

        Raises:
            HumeError: The run failed.
            ClientClosedError: The block was left before the end of the run.
        """
        run = self._task
        await asyncio.wait([run])
        self._has_raised = True
        return _result_of(run)

    @property
    def _task(self) -> asyncio.Task[R_co]:
        if self._run is None:
            raise ConfigurationError("write `async with RunUpdates(...) as updates:` first")
        ensure_running(self._run.get_loop(), "this run")
        return self._run

    def _note(self, progress: P) -> None:
        self._latest[:] = [progress]
        self._news.set()

    def _raise_once(self, run: asyncio.Task[R_co]) -> None:
        """Raise what the run failed with, unless the caller has had it."""
        if not self._has_raised:
            self._has_raised = True
            _result_of(run)


def _result_of(run: asyncio.Task[R_co]) -> R_co:
    """Return what a run returned; that it was cancelled cancels nobody else."""
    if run.cancelled():
        raise ClientClosedError(
            "the run was stopped before its end: what is missing is not lost. Start it again"
        )
    return run.result()


async def _end(run: asyncio.Task[Any]) -> None:
    run.cancel()
    await asyncio.wait([run])
    if not run.cancelled():
        run.exception()  # or the event loop would complain that nobody looked
