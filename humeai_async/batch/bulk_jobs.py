"""Batch jobs as a kind of work for bulk runs: many sources in one paid job.

It says what a source is, submits jobs, searches for those whose submission was not answered,
waits, fetches, and reads results. When and how often is the pipeline's affair. `hume.batch`
makes one for each run.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import anyio
from attrs import evolve

from humeai_async._base.cancellation import in_thread
from humeai_async._base.urls import repr_without_query, without_queries
from humeai_async.batch.downloads import fetch_into
from humeai_async.batch.job import Job, is_finished
from humeai_async.batch.job_search import created_ms, find_job, has_settings, newest_jobs
from humeai_async.batch.matching import are_in_order, given_text, match
from humeai_async.batch.poller import Poller
from humeai_async.batch.submission import start_inference
from humeai_async.batch.url_forms import mark_of
from humeai_async.bulk.bodies import Body
from humeai_async.bulk.ledger_records import MARK_SIZE, Plan, key_of
from humeai_async.bulk.outcome import SourceFailedError
from humeai_async.bulk.patience import is_passing
from humeai_async.bulk.work import (
    REFUSED,
    Item,
    Reading,
    RecordedRequest,
    Sending,
    ServiceClock,
    Submitted,
)
from humeai_async.catalog.results import BATCH_GET_PREDICTIONS
from humeai_async.errors import DecodeError, HumeError, InvalidArgumentError
from humeai_async.http import codec
from humeai_async.http.endpoint import Endpoint, fill
from humeai_async.http.multipart import as_part
from humeai_async.http.secrets import without_secrets
from humeai_async.http.session import Session
from humeai_async.types.batch import InferenceJob, InferenceRequest, JobDetails
from humeai_async.types.predictions.measurements import SourcePredictions
from humeai_async.types.predictions.predictions import UnreadPredictions
from humeai_async.types.predictions.stored import StoredPredictions, WrongCutError
from humeai_async.types.sources import BulkSource, is_url, read_source

_NEW_MD5 = functools.partial(hashlib.md5, usedforsecurity=False)


class JobWork:
    """Batch jobs, as the pipeline runs them.

    Args:
        session: Makes the calls.
        poller: Waits for jobs.
        request: Settings that all jobs are sent with.
    """

    keeps_results: bool = True
    """Whether the service keeps results."""

    def __init__(self, session: Session, poller: Poller, request: InferenceRequest) -> None:
        self._session = session
        self._poller = poller
        self._request = request
        self.longest_submission: float | None = session.timeout.total
        """Seconds that a submission may be on its way, uploads included; `None` is no limit."""
        self.clock: ServiceClock = ServiceClock()
        """Learns the service's time."""
        self._older: frozenset[str] = frozenset()
        """Jobs that were at the service before the first one of this run."""
        self._digests: dict[str, tuple[object, bytes]] = {}
        """MD5 of files that were read, with what tells that they are still the same."""
        self._sent: dict[str, tuple[str, ...]] = {}
        """URLs or texts of jobs in flight, as they were sent, by the id of the job."""
        self._named: set[str] = set()
        """Ids that responses have given to submissions."""
        self._usual: tuple[object, object] | None = None
        """Models and transcription as the service tells those of this run's jobs."""

    @property
    def configuration(self) -> str:
        """What the results depend on besides the sources, as text."""
        return codec.encode(self._request).decode()

    async def identify(self, sources: Sequence[BulkSource]) -> list[Item[BulkSource]]:
        """Say what each source is. Files are read once, for their MD5."""
        if all(isinstance(source, str) and is_url(source) for source in sources):
            return [identified(source) for source in sources]  # which needs no look at the disk
        found = await in_thread(lambda: [identified(source) for source in sources])
        return [await self._with_digest(one) if one.kind == "files" else one for one in found]

    async def begin(self) -> int | None:
        """Return when the newest job was made, by the service's clock; costs one request."""
        jobs = await newest_jobs(self._session, self.clock)
        self._older = frozenset(one["job_id"] for one in jobs)
        times = [created for one in jobs if (created := created_ms(one)) is not None]
        if times:
            return max(times)
        return None if jobs else 0

    async def submit(self, items: Sequence[Item[BulkSource]], sending: Sending) -> Submitted:
        """Start a job; costs one request."""
        given = [given_text(item) for item in items]
        kind, request, files = items[0].kind, self._request, None
        if kind == "files":
            files = [Path(one) for one in given]
        elif kind == "urls":
            request = evolve(request, urls=given)
        else:
            request = evolve(request, text=given)
        # Results and lost jobs are told apart by what a file held when it was planned.
        md5s = [item.mark for item in items]
        job = await start_inference(request, files, self._session, self._poller, sending, md5s)
        if job.id in self._older:
            reason = "the response names a job that was there before"
            raise DecodeError(reason, path="$.job_id", outcome_unknown=True)
        if files is None and job.id not in self._named:
            self._sent[job.id] = tuple(given)
        else:
            self._sent.pop(job.id, None)  # of two that have one id, nobody knows whose it is
        self._named.add(job.id)
        return Submitted(job.id)

    async def search(
        self,
        plan: Plan,
        items: Sequence[Item[BulkSource]],
        known: Collection[str],
        *,
        is_new: bool,
    ) -> Submitted | None:
        """Look for a job in the list of jobs; costs a request for fifty jobs made since."""
        # Those that were there before are no new job, whatever the clocks say.
        del items
        others = {*known, *self._older} if is_new else known
        found = await find_job(self._session, self.clock, plan, self._request, others)
        return None if found is None else Submitted(found)

    async def collect(
        self,
        work_id: str,
        timeout: float | None,
        on_request: Callable[[RecordedRequest | None], None],
        into: Body,
    ) -> None:
        """Wait for a job and fetch its predictions; one request and a share of the polling."""
        job = Job(work_id, self._session, self._poller)
        failures: list[HumeError] = []
        is_checked = False
        sent = self._sent.pop(work_id, None)

        def check(seen: Job) -> None:
            # Whose results these are is checked once, be they good or bad.
            nonlocal is_checked
            if (
                not is_checked
                and (recorded := self._recorded_request(seen.details, sent)) is not None
            ):
                on_request(recorded)
            is_checked = True
            if not is_finished(seen.details):
                on_request(None)

        with anyio.CancelScope() as scope:

            def stop(problem: HumeError) -> None:
                # How long an outage is waited for, and who gets to know it, is the run's affair.
                if is_passing(problem):
                    failures.append(problem)
                    scope.cancel()

            await job.wait(timeout, check, on_failure=stop)
        if scope.cancelled_caught:
            raise failures[0]
        if self._session.has_envelopes:
            into.hold((await job.unread_predictions()).body)
            return
        call = fill(BATCH_GET_PREDICTIONS, work_id)
        look = functools.partial(_problem_with_ends, into, call.endpoint)
        await fetch_into(self._session, call, into, check=look)

    def read(
        self, plan: Plan, work_id: str, body: Body, items: Sequence[Item[BulkSource]]
    ) -> Iterator[Reading[SourcePredictions]]:
        """Find each source's predictions; of a body on disk, one source is in memory at a time.

        Raises:
            DecodeError: Nothing, or nothing more, can be read.
        """
        stored = StoredPredictions.find(body.file) if body.is_on_disk else None
        # In order, each is proven before it is given; else all have to be before the first is.
        if stored and (are_in_order(plan, items, stored.sources) or stored.prove()):
            return _read_stored(stored, plan, work_id, body, items)
        return _read_whole(plan, work_id, body, items)

    def _recorded_request(
        self, details: JobDetails | None, sent: tuple[str, ...] | None
    ) -> RecordedRequest | None:
        """Return the request that Hume has recorded for a job, unless it is what was sent."""
        if not isinstance(details, InferenceJob):
            return None
        request = details.request
        # A service that does not say which models it runs says nothing that is odd.
        is_odd = request.models is not None and not self._has_settings(request)
        if sent is not None and not is_odd and sent in (request.urls, request.text):
            return None
        found = _recorded_sources(request)
        if found is None:
            return None
        kind, marks = found
        return RecordedRequest(
            kind,
            marks,
            made_ms=details.state.created_timestamp_ms,
            has_content=kind == "files" and all(marks),
            is_odd=is_odd,
        )

    def _has_settings(self, request: InferenceRequest) -> bool:
        """Whether a job's settings are those of this run, with what the service fills in."""
        settings = (request.models, request.transcription)
        if settings != self._usual:  # all jobs of a run are alike
            sent, recorded = codec.to_plain(self._request), codec.to_plain(request)
            if not has_settings(recorded, sent):
                return False
            self._usual = settings
        return True

    async def _with_digest(self, item: Item[BulkSource]) -> Item[BulkSource]:
        """Return a file with the MD5 of its content, by which the service tells files apart."""
        path = Path.cwd() / given_text(item)
        try:
            await as_part(path, argument="sources")
            digest = await in_thread(self._md5, path)
        except InvalidArgumentError as problem:
            return Item(REFUSED, key_of(REFUSED, str(path)), item.source, problem=problem)
        return evolve(item, key=key_of("files", f"{path}\0{digest.hex()}"), mark=digest)

    def _md5(self, path: Path) -> bytes:
        try:
            found = path.stat()
            state = (found.st_size, found.st_mtime_ns, found.st_ino)
            known = self._digests.get(str(path))
            if known is None or known[0] != state:
                with path.open("rb") as opened:
                    known = state, hashlib.file_digest(opened, _NEW_MD5).digest()
                self._digests[str(path)] = known
        except OSError as problem:
            reason = problem.strerror or type(problem).__name__
        else:
            return known[1]
        raise InvalidArgumentError(f"cannot read {path}: {reason}", field="sources")


def identified(source: BulkSource) -> Item[BulkSource]:
    """Say what a source is, without a look into files.

    Args:
        source: What was given. What cannot be sent has a `problem`.
    """
    try:
        kind, given = read_source(source)
    except InvalidArgumentError as problem:
        return Item(REFUSED, key_of(REFUSED, repr(source)), source, problem=problem)
    return Item(kind, key_of(kind, given), source, mark_of(kind, given, MARK_SIZE))


def _recorded_sources(request: InferenceRequest) -> tuple[str, tuple[bytes, ...]] | None:
    """Return the kind and the marks of the sources in a job's recorded request, if any."""
    for kind, given in (("urls", request.urls), ("text", request.text)):
        if given:
            return kind, tuple([mark_of(kind, one, MARK_SIZE) for one in given])
    marks = tuple([_bytes_of(one.md5sum or "") for one in request.files or ()])
    return ("files", marks) if marks else None


def _bytes_of(digest: str) -> bytes:
    """Return the bytes of a digest in hex; none where it is something else."""
    try:
        return bytes.fromhex(digest)
    except ValueError:
        return b""


async def _problem_with_ends(body: Body, endpoint: Endpoint[Any]) -> DecodeError | None:
    """Say what is wrong with what came, unless it is a list by its ends."""
    start, end = await in_thread(body.ends) if body.is_on_disk else body.ends()
    if (start.lstrip()[:1], end.rstrip()[-1:]) == (b"[", b"]"):
        return None
    try:
        found = await in_thread(lambda: UnreadPredictions.from_json(body.whole()))
    except DecodeError as problem:
        failure = problem
    else:
        await body.restart()
        body.hold(found.body)
        return None
    return DecodeError(
        failure.message,
        path=failure.path,
        is_whole=failure.is_whole,
        method=endpoint.method,
        endpoint=endpoint.path,
    )


def _read_stored(
    stored: StoredPredictions,
    plan: Plan,
    work_id: str,
    body: Body,
    items: Sequence[Item[BulkSource]],
) -> Iterator[Reading[SourcePredictions]]:
    """Read one source after the other; from a wrong cut on, the whole."""
    sizes = stored.sizes
    for number, place in enumerate(match(plan, items, stored.sources, stored.read)):
        try:
            found = None if place is None else (stored.read(place), sizes[place])
        except WrongCutError:
            yield from _read_whole(plan, work_id, body, items[number:])
            return
        yield _reading(items[number], found, work_id)


def _read_whole(
    plan: Plan, work_id: str, body: Body, items: Sequence[Item[BulkSource]]
) -> Iterator[Reading[SourcePredictions]]:
    found = UnreadPredictions(body.whole()).read()
    places = match(plan, items, [one.source for one in found], found.__getitem__)
    size = body.size // max(len(found), 1)
    for item, place in zip(items, places, strict=True):
        yield _reading(item, None if place is None else (found[place], size), work_id)


def _reading(
    item: Item[BulkSource], found: tuple[SourcePredictions, int] | None, job_id: str
) -> Reading[SourcePredictions]:
    """Return what a job says of one source, with the bytes that it takes to say so."""
    if found is None:
        name = repr_without_query(item.source)[:200]
        reason = f"the job is completed, but which of its results are those of {name} is unclear"
        return Reading(error=SourceFailedError(reason, job_id=job_id), is_unreadable=True)
    share, size = found
    undecodable = share.undecodable
    if undecodable is not None:
        reason = without_queries(str(undecodable.reason))
        problem = DecodeError(reason, path=undecodable.path)
        return Reading(error=problem, is_unreadable=True)
    if share.results is None:
        reason = without_secrets(share.error or "no reason given", {"urls": [given_text(item)]})
        return Reading(error=SourceFailedError(without_queries(reason), job_id=job_id))
    return Reading(share, size=size)
