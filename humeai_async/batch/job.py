"""A batch job as a handle: its state, its end, and what came of it.

A `Job` holds an id and the last news of it; it can be made anew from the id at any time, in
another process too. Waiting goes through the client's one poller. Nothing here cancels a job:
Hume offers no such call.
"""

from __future__ import annotations

import inspect
import math
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import anyio
from attrs import evolve

from humeai_async._base.advised import AsyncOnly
from humeai_async._base.cancellation import in_thread, time_limit
from humeai_async._base.urls import without_queries
from humeai_async.batch import downloads
from humeai_async.batch.downloads import OnProgress
from humeai_async.batch.poller import Poller, Subscription
from humeai_async.catalog import batch as catalog
from humeai_async.errors import (
    DecodeError,
    HumeError,
    InvalidArgumentError,
    JobFailedError,
    JobTimeoutError,
)
from humeai_async.http import codec
from humeai_async.http.arguments import check_seconds
from humeai_async.http.endpoint import Call, Endpoint, check_id, fill
from humeai_async.http.secrets import without_secrets
from humeai_async.http.session import Session
from humeai_async.http.transport.interface import Download
from humeai_async.types.batch import JobDetails, JobId, JobState, JobStatus

if TYPE_CHECKING:
    from humeai_async.types.predictions.predictions import Predictions, UnreadPredictions

OnUpdate: TypeAlias = "Callable[[Job], Awaitable[None] | None]"
"""Called with the job whenever its state has changed."""


class Job(AsyncOnly):
    """A batch job at Hume: wait for it and fetch its results.

    Attributes:
        id: Job id, a UUID.
        request_id: The service's id of the last request made with this handle, or of that which
            started the job; `None` before, and where waits share one.
    """

    __slots__ = ("_details", "_poller", "_session", "id", "request_id")

    _instead = "write `await job.wait()`, and then `await job.predictions()`"

    def __init__(
        self, id: str, session: Session, poller: Poller, details: JobDetails | None = None
    ) -> None:
        self._details = details
        self.request_id: str | None = None
        self.id: str = check_id(id, "id")
        self._session = session
        self._poller = poller

    @property
    def details(self) -> JobDetails | None:
        """The last state of the job that was fetched; `None` before the first request for it."""
        return self._details

    @property
    def status(self) -> JobStatus | str | None:
        """Its last seen status; `None` before the first request for it."""
        return self._details.state.status if self._details else None

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied: the client that it hangs on holds the credential."""
        raise TypeError("what belongs to a client cannot be pickled or copied; keep its id")

    def json_members(self) -> dict[str, object]:
        """Say what is known of the job, for `to_dict`."""
        return {"id": self.id, "status": self.status, "details": self._details}

    def _repr_html_(self) -> str:
        """Show in a notebook what is known of the job; asks for nothing."""
        from humeai_async._base.html import flatten, table

        known = [*flatten(self._details)] if self._details is not None else []
        notes = () if known else ("No state yet: `await job.refresh()` asks for it once.",)
        return table(f"Job {self.id}", (), known, total=len(known), notes=notes)

    def update(self, details: JobDetails) -> None:
        """Take over news of the job that came another way, such as a list of jobs."""
        self._details = details

    async def refresh(self) -> JobDetails:
        """Ask for the job's state once.

        Costs one request.

        Raises:
            NotFoundError: There is no such job.
        """
        call = fill(catalog.BATCH_GET_JOB, self.id)
        details, self.request_id = await self._session.call_with_id(call)
        self._details = details
        return details

    async def wait(
        self,
        timeout: float | None = None,
        on_update: OnUpdate | None = None,
        *,
        on_failure: Callable[[HumeError], None] | None = None,
    ) -> Job:
        """Wait until the job is completed.

        All waits of a client share their requests: 500 jobs waited for together cost a few
        requests a round. The first round is at once, or soon after that of other waits; later
        ones come at growing intervals (`Polling`). Cancelling the wait does nothing to the job,
        and an unknown status is waited on. A service that cannot be reached, fails or sets
        limits is waited for too, up to ten minutes in a row.

        Args:
            timeout: Seconds at most; `None` is without limit.
            on_update: Called with this job at each change of its state; may be async.
            on_failure: Called with the error of each request for its state that failed, while
                the wait goes on.

        Returns:
            This job, completed.

        Raises:
            JobFailedError: The job failed; the message is Hume's.
            JobTimeoutError: The time is over; the job goes on.
            NotFoundError: There is no such job.
            HumeError: The last of the errors, where the service was of no use for ten minutes.
        """
        check_seconds("timeout", timeout)
        if self._details is not None and is_finished(self._details):
            return self._ended(self._details)
        polls = self._poller.current()
        wait = polls.subscribe([self.id])
        wait.on_failure = on_failure
        try:
            async with time_limit(timeout):
                while True:
                    await polls.next_event(wait)
                    for failure in wait.failures.values():
                        raise failure
                    while wait.news:
                        details = self._details = wait.news.popleft()
                        await _call(on_update, self)
                        if details.state.is_finished:
                            return self._ended(details)
        finally:
            polls.unsubscribe(wait)
        raise self._timeout_error(timeout or 0.0, wait)

    async def updates(self, timeout: float | None = None) -> AsyncGenerator[JobState]:
        """Wait for the job as `wait` does, and give each state that is news.

        ```python
        async for state in job.updates():
            print(state.status)
        ```

        The first state comes with the first response, the last one is `COMPLETED` or `FAILED`;
        a failed job does not raise here. Leaving the loop does nothing to the job. Costs what
        `wait` costs.

        Args:
            timeout: Seconds at most, your own work in the loop included; `None` is without
                limit.

        Raises:
            JobTimeoutError: The time is over; the job goes on.
            NotFoundError: There is no such job.
            HumeError: The service was of no use for ten minutes.
        """
        check_seconds("timeout", timeout)
        if self._details is not None and is_finished(self._details):
            yield self._details.state
            return
        polls = self._poller.current()
        wait = polls.subscribe([self.id])
        until = math.inf if timeout is None else wait.since + timeout
        try:
            while True:
                # No scope may be open while the caller has a state, so each wait has its own.
                async with time_limit(until - anyio.current_time()) as scope:
                    await polls.next_event(wait)
                if scope.expired():
                    raise self._timeout_error(timeout or 0.0, wait)
                for failure in wait.failures.values():
                    raise failure
                while wait.news:
                    details = self._details = wait.news.popleft()
                    yield details.state
                    if details.state.is_finished:
                        return
        finally:
            polls.unsubscribe(wait)

    def _timeout_error(self, timeout: float, wait: Subscription) -> JobTimeoutError:
        seen = f"last seen: {self.status or 'not yet'}"
        if wait.last_failure is not None:
            seen += f"; the last request for it failed with {type(wait.last_failure).__name__}"
        error = JobTimeoutError(
            f"job {self.id} has not ended after {timeout:g} s ({seen}). It "
            f"continues at Hume: wait again, now or later, with hume.batch.job({self.id!r})",
            job_id=self.id,
            job_status=self.status,
            elapsed=anyio.current_time() - wait.since,
        )
        error.__cause__ = wait.last_failure
        return error

    def _ended(self, details: JobDetails) -> Job:
        if details.state.status == JobStatus.FAILED:
            raise JobFailedError(
                f"job {self.id} failed: {self._reason(details)}",
                job_id=self.id,
                job_status=details.state.status,
            )
        return self

    def _reason(self, details: JobDetails) -> str:
        """Return why the job failed, without credentials and the secrets of its request."""
        reason = self._session.redact(details.state.message or "no reason given")
        request = codec.to_plain(getattr(details, "request", None))
        return without_queries(without_secrets(reason, request))

    async def predictions(self) -> Predictions:
        """Fetch the predictions of a completed job, one `SourcePredictions` a source.

        Costs one request. For a job that has not ended, Hume sends an error.
        """
        from humeai_async.catalog import results

        return await self._session.call(fill(results.BATCH_GET_PREDICTIONS, self.id))

    async def unread_predictions(self) -> UnreadPredictions:
        """Fetch the predictions of a completed job, to be read later or only kept.

        Costs one request, as `predictions` does, but no reading.
        """
        from humeai_async.catalog import results
        from humeai_async.types.predictions.predictions import UnreadPredictions

        endpoint: Endpoint[Any] = results.BATCH_GET_PREDICTIONS
        call: Call[UnreadPredictions] = fill(evolve(endpoint, returns=UnreadPredictions), self.id)
        return await self._session.call(call)

    async def save_predictions(
        self, path: str | os.PathLike[str], *, on_progress: OnProgress | None = None
    ) -> None:
        """Stream the predictions to a file as Hume's JSON.

        Costs one request, and one more each time the body breaks off: what is missing is
        fetched where the server can send a part, else the whole again. The file appears under its
        name only when it is complete; one that exists is replaced. Through the gateway the
        body is held in memory once.

        Args:
            path: The file.
            on_progress: Called with the bytes so far and their number in the end, or `None`
                where that is not known; the first falls back where a download starts anew.

        Raises:
            HumeError: The file cannot be written, or the response is not JSON.
        """
        from humeai_async.catalog import results

        call = fill(results.BATCH_GET_PREDICTIONS, self.id)
        if self._session.has_envelopes:
            response = await self._session.send(call)
            await downloads.save(response.body, path, downloads.check_json, on_progress)
        else:
            await downloads.download(self._session, call, path, downloads.check_json, on_progress)

    async def save_artifacts(
        self, path: str | os.PathLike[str], *, on_progress: OnProgress | None = None
    ) -> None:
        """Stream the artifacts, a ZIP of CSV files, to a file.

        Costs one request, and one more each time the body breaks off, as in
        `save_predictions`. The file appears under its name only when it is complete and opens
        as an archive; one that exists is replaced. `humeai_async.unpack` unpacks it.

        Args:
            path: The file.
            on_progress: Called with the bytes so far and their number in the end, or `None`
                where that is not known.

        Raises:
            GatewayUnsupportedError: The gateway ruins archives.
            HumeError: The file cannot be written, or what came is no archive.
        """
        from humeai_async.batch import archives
        from humeai_async.catalog import results

        call = fill(results.BATCH_GET_ARTIFACTS, self.id)
        await downloads.download(self._session, call, path, archives.check, on_progress)

    def stream_artifacts(self) -> AbstractAsyncContextManager[Download]:
        """Open the artifacts, a ZIP of CSV files, to be handed on piece by piece.

        Costs one request. Nothing is read ahead of whoever takes the pieces but what is in the
        socket's buffers. A body that breaks off raises, for what was handed on cannot be taken
        back. The client's total timeout is for the whole body, and a connection of the pool is
        taken until its end.

        Returns:
            A context manager that gives `status`, `headers`, `read()` and `chunks()`.

        Raises:
            GatewayUnsupportedError: The gateway ruins archives.
            HumeError: On entering, as any call; from `chunks()` where the body breaks off.
        """
        from humeai_async.catalog import results

        return self._session.stream(fill(results.BATCH_GET_ARTIFACTS, self.id))

    def __repr__(self) -> str:
        return f"Job({self.id}, {self.status or 'not fetched yet'})"


async def start(call: Call[JobId], session: Session, poller: Poller) -> Job:
    """Make a call that starts a job, and return its handle.

    Raises:
        DecodeError: The response names no usable job, although one was probably started.
    """
    started, request_id = await session.call_with_id(call)
    try:
        job = Job(started.job_id, session, poller)
    except InvalidArgumentError:
        endpoint = call.endpoint
    else:
        job.request_id = request_id
        return job
    # The id that came is not shown: it may be of any length, and hold anything.
    del started
    raise DecodeError(
        "the response names a job by a malformed id",
        path="$.job_id",
        method=endpoint.method,
        endpoint=endpoint.path,
        attempts=1,
        outcome_unknown=True,
    )


async def fetch_artifacts(job_id: str, session: Session) -> bytes:
    """Fetch the artifacts of a job into memory, and look at each entry of the archive.

    Raises:
        DecodeError: What came is no archive, or was damaged on its way.
    """
    from humeai_async.batch import archives
    from humeai_async.catalog import results

    call = fill(results.BATCH_GET_ARTIFACTS, job_id)
    artifacts = await session.call(call)
    if reason := await in_thread(archives.check_bytes, artifacts):
        endpoint = call.endpoint
        raise DecodeError(
            f"the artifacts of job {job_id} cannot be used: {reason}",
            method=endpoint.method,
            endpoint=endpoint.path,
            attempts=1,
        )
    return artifacts


def is_finished(details: JobDetails | None) -> bool:
    """Whether a job has ended, as far as is known."""
    return details is not None and details.state.is_finished


async def _call(on_update: OnUpdate | None, job: Job) -> None:
    if on_update is not None:
        result = on_update(job)
        if inspect.isawaitable(result):
            await result
