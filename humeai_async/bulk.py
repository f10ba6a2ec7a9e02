"""Many sources in, one outcome for each out.

`Outcomes` runs a pipeline while it is iterated: sources are read and grouped into jobs, a
bounded number of jobs is submitted and waited for through the client's one poller, predictions
are fetched, and each source's share is handed to the consumer. Nothing is read ahead of a
consumer that is slow. `hume.batch.predict` and `hume.batch.fetch_predictions` make one.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Self, TypeAlias, TypeVar, cast

import anyio
import anyio.to_thread
from anyio.streams.memory import MemoryObjectSendStream
from attrs import frozen

from humeai_async.errors import (
    AuthenticationError,
    ClientClosedError,
    GatewayUnsupportedError,
    HumeError,
    InvalidArgumentError,
    PermissionDeniedError,
)
from humeai_async.job import Job
from humeai_async.types.predictions import Predictions, SourcePredictions

BulkSource: TypeAlias = str | os.PathLike[str]
"""A source: a text that begins with http:// or https:// is a URL, any other is a text to be
analysed itself, and a path is a file to upload."""

S = TypeVar("S")
P = TypeVar("P")
T = TypeVar("T")

_HOPELESS = (
    AuthenticationError,
    PermissionDeniedError,
    GatewayUnsupportedError,
    ClientClosedError,
)
"""Errors that every other source would meet too, so they end the run."""


@frozen(kw_only=True)
class Outcome(Generic[S, P]):
    """What came of one source; either `predictions` or `error` is set."""

    source: S
    """The source as it was given."""
    job_id: str | None = None
    """Job it went into; `None` where no job was started."""
    predictions: P | None = None
    error: HumeError | None = None
    """Why there are none."""


class SourceFailedError(HumeError):
    """Hume could not process one source of a job.

    Attributes:
        job_id: The job.
    """

    def __init__(self, message: str, *, job_id: str) -> None:
        super().__init__(message)
        self.job_id = job_id


class Outcomes(Generic[S, P]):
    """Outcomes as they come in; an async iterator.

    Leaving the loop early ends everything that runs for it. `async with` makes that certain
    on interpreters that do not collect garbage at once.
    """

    def __init__(
        self, run: Callable[[MemoryObjectSendStream[Outcome[S, P]]], Awaitable[None]]
    ) -> None:
        self._run = run
        self._send, self._receive = anyio.create_memory_object_stream[Outcome[S, P]](0)
        self._host: asyncio.Task[None] | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Outcome[S, P]:
        if self._host is None:
            self._host = asyncio.create_task(_host(self._run, self._send))
        try:
            return await self._receive.receive()
        except anyio.EndOfStream:
            await self._host
            raise StopAsyncIteration from None

    async def aclose(self) -> None:
        """End everything that runs for this iterator, and wait until it has."""
        self._send.close()
        self._receive.close()
        if self._host is not None and not self._host.done():
            self._host.cancel()
            await asyncio.wait([self._host])

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        self._send.close()
        self._receive.close()
        if self._host is not None and not self._host.get_loop().is_closed():
            self._host.cancel()


async def _host(
    run: Callable[[MemoryObjectSendStream[T]], Awaitable[None]], send: MemoryObjectSendStream[T]
) -> None:
    """Run a pipeline; it holds no reference to the iterator, so that one can be collected."""
    async with send:
        try:
            await run(send)
        except BaseExceptionGroup as group:
            problem = _first(group)
        else:
            return
        raise problem


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Take the first error out of the groups that task groups put around it."""
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


@frozen
class _Group:
    """Sources of one kind that go into one job."""

    kind: str
    sources: list[BulkSource]


def kind_of(source: BulkSource) -> str:
    """Say which list of a job a source belongs to: `urls`, `text` or `files`.

    Raises:
        InvalidArgumentError: It is neither text nor path, or empty.
    """
    if isinstance(source, os.PathLike):
        return "files"
    if not isinstance(cast("object", source), str) or not source.strip():
        raise InvalidArgumentError(
            f"a source is a URL, a text or a path, not {source!r}", field="sources"
        )
    return "urls" if source.startswith(("http://", "https://")) else "text"


async def grouped(
    sources: Iterable[BulkSource] | AsyncIterable[BulkSource], size: int
) -> AsyncIterator[_Group]:
    """Group sources by kind, so many to a job; one that is there twice goes in once a job."""
    open_groups: dict[str, _Group] = {}
    async for source in each(sources):
        kind = kind_of(source)
        group = open_groups.setdefault(kind, _Group(kind, []))
        if source in group.sources and kind != "text":
            yield open_groups.pop(kind)
            group = open_groups.setdefault(kind, _Group(kind, []))
        group.sources.append(source)
        if len(group.sources) >= size:
            yield open_groups.pop(kind)
    for group in open_groups.values():
        yield group


async def each(items: Iterable[T] | AsyncIterable[T]) -> AsyncIterator[T]:
    """Iterate over a plain or an asynchronous iterable alike."""
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item


class Prediction:
    """The pipeline of `hume.batch.predict`: group, submit, wait, fetch, match.

    Args:
        sources: What to predict.
        start: Starts a job with `urls`, `text` or `files`.
        job_size: Sources in one job.
        jobs_at_once: Jobs in flight.
        timeout: Seconds to wait for one job; `None` is without limit.
    """

    def __init__(
        self,
        sources: Iterable[BulkSource] | AsyncIterable[BulkSource],
        start: Callable[..., Awaitable[Job]],
        *,
        job_size: int,
        jobs_at_once: int,
        timeout: float | None,
    ) -> None:
        self._sources = sources
        self._start = start
        self._job_size = job_size
        self._slots = anyio.Semaphore(jobs_at_once)
        self._timeout = timeout

    async def run(
        self, send: MemoryObjectSendStream[Outcome[BulkSource, SourcePredictions]]
    ) -> None:
        """Run the pipeline; a slot is free again once the consumer has all of a job."""
        async with anyio.create_task_group() as tasks:
            async for group in grouped(self._sources, self._job_size):
                await self._slots.acquire()
                tasks.start_soon(self._run_group, group, send)

    async def _run_group(
        self,
        group: _Group,
        send: MemoryObjectSendStream[Outcome[BulkSource, SourcePredictions]],
    ) -> None:
        try:
            for outcome in await self._outcomes(group):
                await send.send(outcome)
        finally:
            self._slots.release()

    async def _outcomes(self, group: _Group) -> list[Outcome[BulkSource, SourcePredictions]]:
        job: Job | None = None
        try:
            job = await self._start(**{group.kind: group.sources})
            await job.wait(timeout=self._timeout)
            predictions = await job.predictions()
            found = await _match(group, predictions)
        except _HOPELESS:
            raise
        except HumeError as problem:
            job_id = job.id if job else None
            return [Outcome(source=s, job_id=job_id, error=problem) for s in group.sources]
        return [
            _outcome(source, job.id, share)
            for source, share in zip(group.sources, found, strict=True)
        ]


def _outcome(
    source: BulkSource, job_id: str, share: SourcePredictions | None
) -> Outcome[BulkSource, SourcePredictions]:
    if share is None:
        reason = "the job is completed, but says nothing of this source"
    elif share.results is None:
        reason = share.error or "no reason given"
    else:
        return Outcome(source=source, job_id=job_id, predictions=share)
    return Outcome(source=source, job_id=job_id, error=SourceFailedError(reason, job_id=job_id))


async def _match(group: _Group, predictions: Predictions) -> list[SourcePredictions | None]:
    """Find each source's share by what it is, for the order is not promised.

    Texts are told by nothing but their place; files by their content, since names were lost
    at times.
    """
    if group.kind == "text":
        texts = [one for one in predictions if one.source.type == "text"]
        return [*texts, *[None] * len(group.sources)][: len(group.sources)]
    if group.kind == "urls":
        by_url = {one.source.url: one for one in predictions}
        return [by_url.get(str(source)) for source in group.sources]
    by_content = {one.source.md5sum: one for one in predictions}
    digests = await anyio.to_thread.run_sync(_digests, group.sources)
    return [by_content.get(digest) for digest in digests]


def _digests(paths: Sequence[BulkSource]) -> list[str | None]:
    return [_md5(Path(path)) for path in paths]


def _md5(path: Path) -> str | None:
    try:
        with path.open("rb") as opened:
            return hashlib.file_digest(opened, _new_md5).hexdigest()
    except OSError:
        return None


def _new_md5() -> Any:
    return hashlib.md5(usedforsecurity=False)


class Fetching:
    """The pipeline of `hume.batch.fetch_predictions`: wait for jobs and fetch what they made.

    Args:
        jobs: The jobs.
        concurrency: Jobs in flight.
        timeout: Seconds to wait for one job; `None` is without limit.
    """

    def __init__(
        self,
        jobs: Iterable[Job] | AsyncIterable[Job],
        *,
        concurrency: int,
        timeout: float | None,
    ) -> None:
        self._jobs = jobs
        self._slots = anyio.Semaphore(concurrency)
        self._timeout = timeout

    async def run(self, send: MemoryObjectSendStream[Outcome[str, Predictions]]) -> None:
        """Run the pipeline; a slot is free again once the consumer has the outcome."""
        async with anyio.create_task_group() as tasks:
            async for job in each(self._jobs):
                await self._slots.acquire()
                tasks.start_soon(self._fetch, job, send)

    async def _fetch(
        self, job: Job, send: MemoryObjectSendStream[Outcome[str, Predictions]]
    ) -> None:
        try:
            await job.wait(timeout=self._timeout)
            found = await job.predictions()
            outcome = Outcome(source=job.id, job_id=job.id, predictions=found)
        except _HOPELESS:
            raise
        except HumeError as problem:
            outcome = Outcome[str, Predictions](source=job.id, job_id=job.id, error=problem)
        try:
            await send.send(outcome)
        finally:
            self._slots.release()
