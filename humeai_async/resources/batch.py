"""Batch jobs: expression measurement of many sources at once.

Starts jobs, finds them again and fetches what came of them. A started job comes back as a
`Job`, which waits for itself.
"""

from __future__ import annotations

import functools
import os
from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from humeai_async import catalog
from humeai_async._base.unset import UNSET, Unset
from humeai_async.batch.job import AsCompleted, Job, start
from humeai_async.batch.listing import DEFAULT_LIMIT, JobCursor, TimedPages
from humeai_async.batch.poller import Poller
from humeai_async.errors import InvalidArgumentError
from humeai_async.http import codec
from humeai_async.http.arguments import (
    MOST_SOURCES,
    check_many,
    check_number,
    check_seconds,
    check_sources,
)
from humeai_async.http.endpoint import QueryValue, fill
from humeai_async.http.messages import Part
from humeai_async.http.multipart import File, as_part
from humeai_async.http.pagination import Pages
from humeai_async.http.session import Session
from humeai_async.limiter.limiter import BULK, BucketState
from humeai_async.resources._base import Resource
from humeai_async.types.batch import (
    InferenceRequest,
    JobDetails,
    JobSortBy,
    JobStatus,
    JobType,
    JobWhen,
    Models,
    SortDirection,
    Transcription,
)
from humeai_async.types.predictions.predictions import Predictions, SourcePredictions

if TYPE_CHECKING:
    from humeai_async.bulk.ledger import Ledger
    from humeai_async.bulk.outcomes import BulkSource, Outcomes


class Batch(Resource):
    """The category "Batch" of the documented table.

    Source: https://dev.hume.ai/reference/expression-measurement-api/batch/start-inference-job
    """

    __slots__ = ("_poller",)

    def __init__(self, session: Session, poller: Poller) -> None:
        super().__init__(session)
        self._poller = poller

    async def start_job(
        self,
        *,
        urls: Sequence[str] | None = None,
        text: Sequence[str] | None = None,
        files: Sequence[File] | None = None,
        models: Models | Mapping[str, Any] | None = None,
        transcription: Transcription | Mapping[str, Any] | Unset | None = UNSET,
        registry_files: Sequence[str] | None = None,
        callback_url: str | None = None,
        notify: bool | None = None,
    ) -> Job:
        """Start an inference job.

        Costs one request, which is never repeated where it may have been carried out: an
        `APIConnectionError` with `outcome_unknown` means that the job may exist, and
        `list_jobs` tells.

        Args:
            urls: Public URLs of media or archives, 100 at most, 1 GB each.
            text: Texts for the language and ner models, 100 at most.
            files: Media or archives to upload, 100 at most, 100 MB each: paths, bytes, open
                files, async iterators, or `Upload` for a name and type. Not through the
                gateway.
            models: Models to run, such as `{"face": {}}`; all of them if left out.
            transcription: Settings of the transcription; `None` switches it off.
            registry_files: Ids of files in the asset registry (custom models only).
            callback_url: URL that Hume posts to when the job ends.
            notify: Send an e-mail when the job ends.

        Returns:
            The job, queued.

        Raises:
            InvalidArgumentError: No source, too many, or a file that cannot be uploaded.
            GatewayUnsupportedError: `files` through the gateway.

        Source: https://dev.hume.ai/reference/expression-measurement-api/batch/start-inference-job
        """
        request = InferenceRequest(
            models=models,
            transcription=transcription,
            urls=urls or None,
            text=text or None,
            registry_files=registry_files or None,
            callback_url=callback_url,
            notify=notify,
        )
        del urls, callback_url  # this frame stands in tracebacks, which may show its variables
        check_sources(
            urls=request.urls, text=text, files=files, registry_files=request.registry_files
        )
        if files:
            self._session.origin.refuse(catalog.BATCH_START_JOB_FILES)
            parts = [_json_part(request), *[await as_part(file) for file in files]]
            call = fill(catalog.BATCH_START_JOB_FILES, parts=parts)
        else:
            call = fill(catalog.BATCH_START_JOB, body=request)
        return await start(call, self._session, self._poller)

    def job(self, id: str) -> Job:
        """Return the handle of a job by its id; costs no request.

        Raises:
            InvalidArgumentError: The id cannot be one.
        """
        return Job(id, self._session, self._poller)

    async def get_job(self, id: str) -> JobDetails:
        """Ask what a job was asked for and where it is.

        Costs one request.

        Source: https://dev.hume.ai/reference/expression-measurement-api/batch/get-job-details
        """
        return await self._session.call(fill(catalog.BATCH_GET_JOB, id))

    async def get_predictions(self, id: str) -> Predictions:
        """Fetch the predictions of a completed job, one `SourcePredictions` a source.

        Costs one request. A job that has not ended is answered with an error.

        Source: https://dev.hume.ai/reference/expression-measurement-api/batch/get-job-predictions
        """
        return await self._session.call(fill(catalog.BATCH_GET_PREDICTIONS, id))

    async def get_artifacts(self, id: str) -> bytes:
        """Fetch the artifacts of a completed job: a ZIP of CSV files, whole in memory.

        Costs one request. For large ones `Job.save_artifacts` streams to disk.

        Raises:
            GatewayUnsupportedError: The gateway ruins archives.
            DecodeError: What came is no archive.

        Source: https://dev.hume.ai/reference/expression-measurement-api/batch/get-job-artifacts
        """
        return await self._session.call(fill(catalog.BATCH_GET_ARTIFACTS, id))

    def list_jobs(
        self,
        *,
        limit: int = DEFAULT_LIMIT,
        status: JobStatus | str | Sequence[JobStatus | str] | None = None,
        when: JobWhen | str | None = None,
        timestamp_ms: int | None = None,
        sort_by: JobSortBy | str | None = None,
        direction: SortDirection | str | None = None,
        type: JobType | str | Sequence[JobType | str] | None = None,
    ) -> Pages[JobDetails]:
        """List the account's jobs, newest first.

        Costs one request a page. Hume has no pages here: each request asks for what was
        created before the last job seen, and a job that was told already is left out. Jobs of
        one millisecond beyond what one answer holds cannot be reached. In an order other than
        that of creation there is no way on, and one page is all.

        Args:
            limit: Jobs a page, not in all (see `Pages.collect`); 1 or more.
            status: Only jobs of this status, or of one of these. The open-source gateway writes
                several in a form that Hume may not know.
            when: Which side of `timestamp_ms` to list: `created_before` or `created_after`.
            timestamp_ms: Milliseconds since 1970; now if left out.
            sort_by: Time to sort by: `created`, `started` or `ended`.
            direction: `desc` for newest first, `asc` for oldest first.
            type: Only jobs of this type, or of one of these; Hume knew this in 2024 only.

        Returns:
            Pages of jobs.

        Raises:
            InvalidArgumentError: A number is out of range, or `timestamp_ms` lacks `when`.

        Source: https://dev.hume.ai/reference/expression-measurement-api/batch/list-jobs
        """
        check_number("limit", limit, least=1)
        if timestamp_ms is not None:
            check_number("timestamp_ms", timestamp_ms, least=0)
            if when is None:
                raise InvalidArgumentError("timestamp_ms says nothing without when", field="when")
        given: dict[str, QueryValue] = {
            "status": status,
            "when": when,
            "timestamp_ms": timestamp_ms,
            "sort_by": sort_by,
            "direction": direction,
            "type": type,
        }
        query = {name: value for name, value in given.items() if value is not None}
        return TimedPages(lambda: JobCursor(self._session, limit, query))

    @property
    def pace(self) -> BucketState:
        """What the limiter knows of the quota that these calls draw on."""
        account, bucket = self._session.origin.account, catalog.BATCH_START_JOB.bucket
        return self._session.limiter.snapshot(f"{account}/{bucket}")

    def as_completed(self, jobs: Iterable[Job | str]) -> AsCompleted:
        """Iterate over jobs in the order in which they end, failed ones included.

        All share the client's one poller.

        Raises:
            InvalidArgumentError: Something is neither a job nor the id of one.
        """
        check_many("jobs", jobs)
        handles = [job if isinstance(job, Job) else self.job(job) for job in jobs]
        return AsCompleted(handles, self._poller)

    def fetch_predictions(
        self,
        job_ids: Iterable[str | Job] | AsyncIterable[str | Job],
        *,
        concurrency: int = 32,
        timeout: float | None = None,
    ) -> Outcomes[str, Predictions]:
        """Wait for jobs and fetch their predictions, each as soon as it is there.

        Costs one request a job, and a share of the common polling.

        Args:
            job_ids: Ids or jobs; read some 500 ahead of the outcomes that are taken.
            concurrency: Predictions fetched at once, and so in memory, at most.
            timeout: Seconds to wait for one job; `None` is without limit.

        Returns:
            Async iterator of one `Outcome` a job, in the order in which they arrive. A job
            that failed, or is not there, has an `error` and ends nothing.
        """
        from humeai_async.bulk.fetching import Fetching
        from humeai_async.bulk.outcomes import Outcomes

        check_number("concurrency", concurrency, least=1)
        check_many("job_ids", job_ids)
        check_seconds("timeout", timeout)
        batch = Batch(self._session.with_settings(priority=BULK), self._poller)
        fetching = Fetching(job_ids, batch.job, concurrency=concurrency, timeout=timeout)
        return Outcomes(fetching.run)

    def predict(
        self,
        sources: Iterable[BulkSource] | AsyncIterable[BulkSource],
        *,
        models: Models | Mapping[str, Any] | None = None,
        transcription: Transcription | Mapping[str, Any] | Unset | None = UNSET,
        ledger: str | os.PathLike[str] | Ledger | None = None,
        retry_failed: bool = False,
        job_size: int = MOST_SOURCES,
        jobs_at_once: int = 32,
        timeout: float | None = None,
        on_job: Callable[[Job], None] | None = None,
    ) -> Outcomes[BulkSource, SourcePredictions]:
        """Predict any number of sources: split into jobs, wait, and fetch.

        Costs two requests for every `job_size` sources, and a share of the common polling.

        Args:
            sources: URLs, texts and paths (see `BulkSource`), from any iterable; read only as
                fast as outcomes are taken.
            models: Models to run, such as `{"face": {}}`; all of them if left out.
            transcription: Settings of the transcription; `None` switches it off.
            ledger: File that remembers what was submitted and what arrived, made if it is not
                there: the same run, started again after a crash, submits nothing twice and
                gives what is missing. A source that is given twice goes in once.
            retry_failed: Try the sources again that failed in earlier runs of the ledger.
            job_size: Sources in one job, 1 to 100.
            jobs_at_once: Jobs in flight; Hume queues 500 at most.
            timeout: Seconds to wait for one job; `None` is without limit.
            on_job: Called with each job once it is at Hume, submitted or found there.

        Returns:
            Async iterator of one `Outcome` a source, in the order in which they arrive. A
            source that failed has an `error` and ends nothing.

        Raises:
            InvalidArgumentError: A setting is out of range.
            AuthenticationError: The credential is refused; no source could succeed.
            LedgerError: Another run has the ledger, or it is not this run's.
        """
        from humeai_async.bulk.outcomes import Outcomes
        from humeai_async.bulk.pipeline import Prediction, Settings

        check_many("sources", sources)
        check_seconds("timeout", timeout)
        check_number("jobs_at_once", jobs_at_once, least=1)
        check_number("job_size", job_size, least=1, most=MOST_SOURCES)
        request = InferenceRequest(models=models, transcription=transcription)
        settings = Settings(
            job_size=job_size,
            jobs_at_once=jobs_at_once,
            timeout=timeout,
            ledger=ledger,
            retry_failed=retry_failed,
            configuration=codec.encode(request).decode(),
            on_job=on_job,
        )
        behind = self._session.with_settings(priority=BULK)
        batch = Batch(behind, self._poller)
        newest_first = {"sort_by": "created", "direction": "desc"}
        prediction = Prediction(
            sources,
            start=functools.partial(batch.start_job, models=models, transcription=transcription),
            attach=batch.job,
            walk=lambda: JobCursor(behind, DEFAULT_LIMIT, newest_first),
            pause=behind.pause,
            settings=settings,
        )
        return Outcomes(prediction.run)


def _json_part(request: InferenceRequest) -> Part:
    return Part("json", codec.encode(request), content_type="application/json")
