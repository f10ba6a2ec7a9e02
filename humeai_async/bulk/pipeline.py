"""The pipeline of `hume.batch.predict`: group, submit, wait, fetch, match, remember.

Sources are grouped into jobs, a bounded number of jobs is in flight, and each source's share
of the predictions is handed over. With a ledger every step that must not be done twice is
written down before and after, so that the same run, started again, goes on: what arrived is
passed over, jobs that were submitted are waited for, and a job whose submission was never
answered is looked for in the list of jobs before it is submitted again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias, cast

import anyio
from attrs import evolve, field, frozen

from humeai_async._base.cancellation import in_thread, run_uncancelled
from humeai_async.batch.job import Job
from humeai_async.batch.listing import JobCursor
from humeai_async.bulk.ledger import Ledger, PlannedJob, Settled, State, key_of
from humeai_async.bulk.outcomes import (
    FATAL_ERRORS,
    BulkSource,
    Outcome,
    OutcomeQueue,
    SourceFailedError,
    each,
)
from humeai_async.errors import (
    APIConnectionError,
    HumeError,
    InvalidArgumentError,
    JobTimeoutError,
    RateLimitError,
    RateLimitWaitError,
    ResponseTooLargeError,
    ServerError,
)
from humeai_async.http.multipart import as_part
from humeai_async.http.secrets import without_secrets
from humeai_async.types.batch import InferenceRequest, JobDetails
from humeai_async.types.predictions.predictions import Predictions, SourcePredictions
from humeai_async.types.urls import repr_without_query, without_queries

SourceOutcome: TypeAlias = Outcome[BulkSource, SourcePredictions]

REFUSED = "refused"
"""Kind of what is no source at all."""
SEARCH_PAUSES = (0.5, 2.0, 5.0)
"""Seconds before each search for a job whose submission was not answered: it may show late."""
CLOCK_SLACK = 600.0
"""Seconds by which Hume's clock and this machine's may differ."""

_PASSING = (
    JobTimeoutError,
    ResponseTooLargeError,
    APIConnectionError,
    ServerError,
    RateLimitError,
    RateLimitWaitError,
)
"""Errors that say nothing against the source: the next start of the run goes on with it."""


@frozen
class Item:
    """One source on its way."""

    key: bytes
    source: BulkSource = field(repr=repr_without_query)
    problem: InvalidArgumentError | None = None
    """Why it is refused without being sent."""
    md5: str | None = None
    """Of a file: what its predictions are known by, since names were lost at times."""


@frozen
class Group:
    """Sources of one kind that go into one job, or went into one in an earlier run."""

    kind: str
    items: list[Item]
    earlier: PlannedJob | None = None


@frozen(kw_only=True)
class Settings:
    """How a run is done."""

    job_size: int
    jobs_at_once: int
    timeout: float | None
    """Seconds to wait for one job."""
    ledger: str | os.PathLike[str] | Ledger | None
    retry_failed: bool
    configuration: str
    """What the results depend on besides the sources, as text."""
    on_job: Callable[[Job], None] | None = None
    """Called with each job once it is at Hume."""


def is_open(outcome: SourceOutcome) -> bool:
    """Whether an outcome is none yet: a run with a ledger goes on with its source."""
    return isinstance(outcome.error, _PASSING)


def reason_of(problem: HumeError) -> str:
    """Return why a source failed, in a line."""
    return f"{type(problem).__name__}: {problem.message}"


def kind_of(source: BulkSource) -> str:
    """Say which list of a job a source belongs to: `urls`, `text` or `files`.

    Raises:
        InvalidArgumentError: It is neither text nor path, empty, or text that cannot be sent.
    """
    if isinstance(source, os.PathLike):
        return "files"
    if not isinstance(cast("object", source), str) or not source.strip():
        raise InvalidArgumentError(
            f"a source is a URL, a text or a path, not {repr_without_query(source)}",
            field="sources",
        )
    try:
        source.encode()
    except UnicodeEncodeError:
        reason = f"a source holds characters that cannot be sent: {repr_without_query(source)}"
        raise InvalidArgumentError(reason, field="sources") from None
    return "urls" if source.lower().startswith(("http://", "https://")) else "text"


class Grouping:
    """Sorts sources into groups: new ones by kind, those of an earlier run by their job.

    Args:
        size: Sources in one job.
        ledger: What earlier runs did. With it a source that is given twice goes in once.
        retry_failed: Whether sources that failed earlier are tried again.
    """

    def __init__(self, size: int, ledger: Ledger | None, *, retry_failed: bool) -> None:
        self._size = size
        self._ledger = ledger
        self._retry_failed = retry_failed
        self._fresh: dict[str, list[Item]] = {}
        self._fresh_keys: set[bytes] = set()
        self._earlier: dict[int, Group] = {}
        self._made: set[int] = set()

    def made(self, job: PlannedJob) -> None:
        """Note a job of this run: its sources are nothing new when they come again."""
        self._made.add(job.number)
        self._fresh_keys.difference_update(job.keys)

    async def groups(
        self, sources: Iterable[BulkSource] | AsyncIterable[BulkSource]
    ) -> AsyncIterator[Group]:
        """Read sources and give groups as they are full, the rest at the end."""
        async for chunk in _chunks(sources, self._size):
            for group in await self._sort(chunk):
                yield group
        for kind, items in self._fresh.items():
            yield Group(kind, items)
        for group in self._earlier.values():
            yield group

    async def _sort(self, chunk: list[tuple[str, Item]]) -> list[Group]:
        """Sort some sources in, and return the groups that are full by that."""
        known = await self._ledger.look_up([i.key for _, i in chunk]) if self._ledger else {}
        full: list[Group] = []
        for kind, item in chunk:
            entry = known.get(item.key)
            if entry is None:
                full += self._add(kind, item)
            elif entry.job in self._made or entry.state is State.ARRIVED:
                continue
            elif entry.state is not State.FAILED:
                full += await self._go_on(entry.job, item)
            elif self._retry_failed:
                full += self._add(kind, item)
        return full

    def _add(self, kind: str, item: Item) -> list[Group]:
        if self._ledger is not None:
            if item.key in self._fresh_keys:
                return []
            self._fresh_keys.add(item.key)
        items = self._fresh.setdefault(kind, [])
        items.append(item)
        return [Group(kind, self._fresh.pop(kind))] if len(items) >= self._size else []

    async def _go_on(self, number: int, item: Item) -> list[Group]:
        """Add a source to the job it went into earlier; once a job is whole it goes on."""
        assert self._ledger is not None  # noqa: S101 - only a ledger knows earlier jobs
        group = self._earlier.get(number)
        if group is None:
            job = await self._ledger.job(number)
            group = self._earlier[number] = Group(job.kind, [], job)
        if item.key not in {one.key for one in group.items}:
            group.items.append(item)
        assert group.earlier is not None  # noqa: S101 - made so above
        whole = len(group.items) == len(group.earlier.keys)
        return [self._earlier.pop(number)] if whole else []


async def _chunks(
    sources: Iterable[BulkSource] | AsyncIterable[BulkSource], size: int
) -> AsyncIterator[list[tuple[str, Item]]]:
    chunk: list[tuple[str, Item]] = []
    async for source in each(sources):
        chunk.append(_item(source))
        if len(chunk) >= size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _item(source: BulkSource) -> tuple[str, Item]:
    """Return what a source is taken for, and the source on its way."""
    try:
        kind = kind_of(source)
    except InvalidArgumentError as problem:
        return REFUSED, Item(key_of(REFUSED, repr(source)), source, problem=problem)
    return kind, Item(key_of(kind, os.fspath(source)), source)


def keys_of(sources: Iterable[BulkSource]) -> list[bytes]:
    """Return what stands for some sources in a ledger, each once."""
    return list(dict.fromkeys(_item(source)[1].key for source in sources))


class Prediction:
    """The pipeline itself; see the module's first lines.

    Args:
        sources: What to predict.
        start: Starts a job with `urls`, `text` or `files`.
        attach: Makes a `Job` of an id.
        walk: Begins a walk along the list of jobs, newest first.
        pause: Sleeps for so many seconds.
        settings: How the run is done.
    """

    def __init__(
        self,
        sources: Iterable[BulkSource] | AsyncIterable[BulkSource],
        *,
        start: Callable[..., Awaitable[Job]],
        attach: Callable[[str], Job],
        walk: Callable[[], JobCursor],
        pause: Callable[[float], Awaitable[None]],
        settings: Settings,
    ) -> None:
        self._sources = sources
        self._start = start
        self._attach = attach
        self._walk = walk
        self._pause = pause
        self._settings = settings
        self._slots = anyio.Semaphore(settings.jobs_at_once)
        self._ledger: Ledger | None = None
        self._grouping = Grouping(0, None, retry_failed=False)
        self._own_jobs: set[str] = set()

    async def run(self, handover: OutcomeQueue[BulkSource, SourcePredictions]) -> None:
        """Run the pipeline; a slot is free again once the consumer has all of a job."""
        settings = self._settings
        async with contextlib.AsyncExitStack() as stack:
            self._ledger = await self._open_ledger(stack)
            self._grouping = Grouping(
                settings.job_size, self._ledger, retry_failed=settings.retry_failed
            )
            async with anyio.create_task_group() as keeping:
                if self._ledger is not None:
                    handover.on_taken = self._note
                    keeping.start_soon(self._ledger.keep)
                async with anyio.create_task_group() as tasks:
                    async for group in self._grouping.groups(self._sources):
                        await self._slots.acquire()
                        tasks.start_soon(self._run_group, group, handover)
                await handover.all_taken()
                keeping.cancel_scope.cancel()
            if self._ledger is not None and self._ledger.before_checkpoint is None:
                await self._ledger.checkpoint()

    async def _open_ledger(self, stack: contextlib.AsyncExitStack) -> Ledger | None:
        given = self._settings.ledger
        if given is None or isinstance(given, Ledger):
            ledger = given
        else:
            opened = await Ledger.open(given, self._settings.configuration)
            ledger = await stack.enter_async_context(opened)
        if ledger is not None:
            self._own_jobs = await ledger.known_jobs()
        return ledger

    def _note(self, outcomes: Sequence[SourceOutcome]) -> None:
        """Note that the consumer is done with some outcomes."""
        assert self._ledger is not None  # noqa: S101 - set where this is
        self._ledger.note([_settled(outcome) for outcome in outcomes if not is_open(outcome)])

    async def _run_group(
        self, group: Group, handover: OutcomeQueue[BulkSource, SourcePredictions]
    ) -> None:
        async for outcomes in self._outcomes(group):
            await handover.give(outcomes)
        # Not where an error ends the run: no further job is to be started then.
        self._slots.release()

    async def _outcomes(self, group: Group) -> AsyncIterator[list[SourceOutcome]]:
        """Do one job, and give an outcome for each of its sources, those at once that can be."""
        group, refused = await _checked(group)
        planned = await self._plan(group, refused)
        yield [Outcome(source=one.source, error=why, key=one.key) for one, why in refused]
        if not group.items:
            return
        job: Job | None = None
        try:
            job, planned = await self._submit(group, planned)
            if self._settings.on_job is not None:
                self._settings.on_job(job)
            await job.wait(timeout=self._settings.timeout)
            shares = _match(group, planned, await job.predictions())
        except FATAL_ERRORS:
            raise
        except HumeError as problem:
            yield _all_failed(group, job, problem)
        else:
            yield [_outcome(*each, job.id) for each in zip(group.items, shares, strict=True)]

    async def _plan(self, group: Group, refused: Sequence[tuple[Item, HumeError]]) -> PlannedJob:
        """Write the job down, unless an earlier run did."""
        if group.earlier is not None:
            return group.earlier
        items = [*group.items, *(item for item, _ in refused)]
        if self._ledger is None:
            keys = tuple(item.key for item in items)
            md5s = tuple(item.md5 for item in items)
            return PlannedJob(0, group.kind, round(time.time() * 1000), None, keys, md5s)
        planned = await self._ledger.plan(group.kind, [(item.key, item.md5) for item in items])
        self._grouping.made(planned)
        return planned

    async def _submit(self, group: Group, planned: PlannedJob) -> tuple[Job, PlannedJob]:
        """Return the job of a group: the one it has, the one it turns out to have, a new one."""
        if planned.job_id is not None:
            return self._attach(planned.job_id), planned
        job = await self._find(planned) if group.earlier else None
        if job is None:
            if group.earlier is not None:
                planned = await self._plan(evolve(group, earlier=None), ())
            job = await self._start_once(group, planned)
        self._own_jobs.add(job.id)
        if self._ledger is not None:
            await run_uncancelled(self._ledger.submit(planned.number, job.id))
        return job, planned

    async def _start_once(self, group: Group, planned: PlannedJob) -> Job:
        """Submit a job; where nobody knows whether that worked, look for it before repeating."""
        for pause in SEARCH_PAUSES:
            try:
                return await self._start_anew(group)
            except HumeError as problem:
                if not problem.outcome_unknown:
                    raise
            await self._pause(pause)
            job = await self._find(planned)
            if job is not None:
                return job
        return await self._start_anew(group)

    def _start_anew(self, group: Group) -> Awaitable[Job]:
        return self._start(**{group.kind: [item.source for item in group.items]})

    async def _find(self, planned: PlannedJob) -> Job | None:
        """Look for a job among those that Hume has, by its sources and its time."""
        since = planned.planned_ms - CLOCK_SLACK * 1000
        walk = self._walk()
        while found := await walk.step():
            for details in found:
                if details.job_id not in self._own_jobs and _is_same(details, planned):
                    return self._attach(details.job_id)
            if any((one.state.created_timestamp_ms or since) < since for one in found):
                return None
        return None


async def _checked(group: Group) -> tuple[Group, list[tuple[Item, HumeError]]]:
    """Part the files that cannot be uploaded from the others, which get their MD5."""
    if group.kind == REFUSED:
        return evolve(group, items=[]), [(i, i.problem) for i in group.items if i.problem]
    if group.kind != "files" or group.earlier is not None:
        return group, []
    good: list[Item] = []
    refused: list[tuple[Item, HumeError]] = []
    for item in group.items:
        path = Path(item.source)
        try:
            await as_part(path)
            md5 = await in_thread(_md5, path)
        except InvalidArgumentError as problem:
            refused.append((item, problem))
        else:
            good.append(evolve(item, md5=md5))
    return evolve(group, items=good), refused


def _md5(path: Path) -> str:
    try:
        with path.open("rb") as opened:
            return hashlib.file_digest(opened, _new_md5).hexdigest()
    except OSError as problem:
        reason = problem.strerror or type(problem).__name__
    raise InvalidArgumentError(f"cannot read {path}: {reason}", field="sources")


def _new_md5() -> Any:
    return hashlib.md5(usedforsecurity=False)


def _is_same(details: JobDetails, planned: PlannedJob) -> bool:
    """Whether a job at Hume has just the sources of a planned one."""
    request = getattr(details, "request", None)
    if not isinstance(request, InferenceRequest):
        return False
    if planned.kind == "files":
        uploaded = sorted(file.md5sum for file in request.files or ())
        return uploaded == sorted(md5 for md5 in planned.md5s if md5)
    given = (request.urls if planned.kind == "urls" else request.text) or ()
    return sorted(key_of(planned.kind, one) for one in given) == sorted(planned.keys)


def _match(
    group: Group, planned: PlannedJob, predictions: Predictions
) -> list[SourcePredictions | None]:
    """Find each source's share by what it is, for the order is not promised.

    Texts are told by nothing but their place.
    """
    if group.kind == "text":
        texts = [one for one in predictions if one.source.type == "text"]
        places = {key: place for place, key in enumerate(planned.keys)}
        return [_at(texts, places[item.key]) for item in group.items]
    if group.kind == "urls":
        by_url = {one.source.url: one for one in predictions}
        return [by_url.get(str(item.source)) for item in group.items]
    by_content: dict[str | None, list[SourcePredictions]] = {}
    for one in predictions:
        by_content.setdefault(one.source.md5sum, []).append(one)
    md5s = dict(zip(planned.keys, planned.md5s, strict=True))
    return [_own(by_content.get(md5s[item.key], []), item.source) for item in group.items]


def _own(alike: list[SourcePredictions], source: BulkSource) -> SourcePredictions | None:
    """Take a file's share from those of the same content: the one of its name, if names are kept.

    The last one stays for whoever comes after, should the service have joined the files.
    """
    if len(alike) < 2:  # noqa: PLR2004 - nothing to choose
        return next(iter(alike), None)
    names = [one.source.filename for one in alike]
    name = Path(source).name
    return alike.pop(names.index(name) if name in names else 0)


def _at(texts: Sequence[SourcePredictions], place: int) -> SourcePredictions | None:
    return texts[place] if place < len(texts) else None


def _all_failed(group: Group, job: Job | None, problem: HumeError) -> list[SourceOutcome]:
    job_id = job.id if job else None
    return [
        Outcome(source=item.source, job_id=job_id, error=problem, key=item.key)
        for item in group.items
    ]


def _settled(outcome: SourceOutcome) -> Settled:
    """Return what the ledger is to know of an outcome."""
    assert outcome.key is not None  # noqa: S101 - the pipeline sets it
    if outcome.error is None:
        return Settled(outcome.key, State.ARRIVED)
    return Settled(outcome.key, State.FAILED, reason_of(outcome.error))


def _outcome(item: Item, share: SourcePredictions | None, job_id: str) -> SourceOutcome:
    if share is None:
        reason = "the job is completed, but says nothing of this source"
    elif share.results is None:
        said = without_secrets(share.error or "no reason given", {"urls": [item.source]})
        reason = without_queries(said)
    else:
        return Outcome(source=item.source, job_id=job_id, predictions=share, key=item.key)
    problem = SourceFailedError(reason, job_id=job_id)
    return Outcome(source=item.source, job_id=job_id, error=problem, key=item.key)
