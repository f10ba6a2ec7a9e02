"""Batch jobs: expression measurement of many sources at once.

Starts jobs, finds them again and fetches their results. A started job is returned as a `Job`,
which has methods to wait for it.
"""

from __future__ import annotations

import functools
import os
from collections.abc import AsyncIterable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Unpack

from attrs import evolve

from humeai_async._base.cancellation import in_thread
from humeai_async._base.unset import UNSET, Unset
from humeai_async.batch.as_completed import AsCompleted
from humeai_async.batch.job import Job, fetch_artifacts
from humeai_async.batch.listing import DEFAULT_LIMIT, JobCursor, TimedPages
from humeai_async.batch.poller import Poller
from humeai_async.batch.submission import start_inference
from humeai_async.catalog import batch as catalog
from humeai_async.errors import InvalidArgumentError
from humeai_async.http.arguments import (
    check_many,
    check_number,
    check_path,
    check_seconds,
    check_settings,
    check_sources,
)
from humeai_async.http.endpoint import QueryValue, check_id, fill
from humeai_async.http.multipart import File
from humeai_async.http.pages import Pages
from humeai_async.http.parts import check_parts
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
from humeai_async.types.sources import BulkSource, Text, refuse_file_name, unwrap_texts

if TYPE_CHECKING:
    from humeai_async.bulk.ledger import Memory
    from humeai_async.bulk.options import BulkFields, BulkOptions
    from humeai_async.bulk.outcomes import Outcomes
    from humeai_async.bulk.progress import Progress
    from humeai_async.bulk.runs import Report
    from humeai_async.bulk.text_files import SourceOutcome
    from humeai_async.bulk.work import Pipes
    from humeai_async.types.dicts import ModelsDict, TranscriptionDict
    from humeai_async.types.predictions.predictions import Predictions, SourcePredictions


class Batch(Resource):
    """Start, list and await expression-measurement jobs, one by one or in bulk.

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
        text: Sequence[str | Text] | None = None,
        files: Sequence[File] | None = None,
        models: Models | ModelsDict | None = None,
        transcription: Transcription | TranscriptionDict | Unset | None = UNSET,
        registry_files: Sequence[str] | None = None,
        callback_url: str | None = None,
        notify: bool | None = None,
    ) -> Job:
        """Start a job that measures expressions.

        Costs one request, which is never repeated where it may have been carried out: an
        `APIConnectionError` with `outcome_unknown` means that the job may exist, and
        `list_jobs` tells.

        Args:
            urls: Public URLs of media or archives, 100 at most, 1 GB each.
            text: Texts for the language and ner models, 100 at most; a `Text` for one that looks
                like the name of a file.
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
        check_settings(models=models, transcription=transcription)
        texts = unwrap_texts(text)
        request = InferenceRequest(
            models=models,
            transcription=transcription,
            urls=urls,
            text=texts,
            registry_files=registry_files,
            callback_url=callback_url,
            notify=notify,
        )
        check_parts(request)
        del urls, callback_url  # this frame stands in tracebacks, which may show its variables
        check_sources(
            urls=request.urls, text=texts, files=files, registry_files=request.registry_files
        )
        for one in text or ():
            if not isinstance(one, Text):
                await in_thread(refuse_file_name, one, "text")
        # Now that they are lists for certain: what else could be given has no truth value.
        request = evolve(
            request,
            urls=request.urls or None,
            text=texts or None,
            registry_files=request.registry_files or None,
        )
        return await start_inference(request, files, self._session, self._poller)

    def job(self, id: str) -> Job:
        """Return the handle of a job by its id; costs no request.

        Raises:
            InvalidArgumentError: The id cannot be one.
        """
        return Job(id, self._session, self._poller)

    async def get_job(self, id: str) -> JobDetails:
        """Fetch the request and the current state of a job.

        Costs one request.

        Source: https://dev.hume.ai/reference/expression-measurement-api/batch/get-job-details
        """
        return await self._session.call(fill(catalog.BATCH_GET_JOB, id))

    async def get_predictions(self, id: str) -> Predictions:
        """Fetch the predictions of a completed job, one `SourcePredictions` for each source.

        Costs one request. For a job that has not ended, Hume sends an error.

        Source: https://dev.hume.ai/reference/expression-measurement-api/batch/get-job-predictions
        """
        return await self.job(id).predictions()

    async def get_artifacts(self, id: str) -> bytes:
        """Fetch the artifacts of a completed job: a ZIP of CSV files, whole in memory.

        Costs one request. For large ones `Job.save_artifacts` streams to disk.

        Raises:
            GatewayUnsupportedError: The gateway ruins archives.
            DecodeError: What came is no archive, or was damaged on its way.

        Source: https://dev.hume.ai/reference/expression-measurement-api/batch/get-job-artifacts
        """
        return await fetch_artifacts(id, self._session)

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
        created before the last job seen, and a job that was listed already is left out. Jobs of
        one millisecond beyond what one response holds cannot be reached. In an order other than
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
        limit = check_number("limit", limit, least=1)
        if timestamp_ms is not None:
            check_number("timestamp_ms", timestamp_ms, least=0)
            if when is None:
                raise InvalidArgumentError("timestamp_ms has no effect without when", field="when")
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
        """The limiter's current knowledge of the quota for batch calls."""
        return self._session.quota(catalog.BATCH_START_JOB.bucket)

    def wake(self, job_id: str) -> None:
        """Have the waits for a job ask for it at once: somebody says that it has ended.

        For the route that Hume's `callback_url` names: anybody can post there, so what comes is
        a hint and no more. Costs one request where a wait for this job is running on this event
        loop, and none elsewhere; a job is asked for so no more often than every
        `Polling.min_interval` seconds.

        Args:
            job_id: Job id.

        Raises:
            InvalidArgumentError: The id is malformed.
        """
        self._poller.current().wake(check_id(job_id, "job_id"))

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
        from humeai_async.batch.fetching import fetch_jobs
        from humeai_async.bulk.outcomes import Outcomes

        concurrency = check_number("concurrency", concurrency, least=1)
        check_many("job_ids", job_ids)
        check_seconds("timeout", timeout)
        batch = Batch(self._session.with_settings(priority=BULK), self._poller)
        return Outcomes(
            functools.partial(
                fetch_jobs,
                jobs=job_ids,
                attach=batch.job,
                concurrency=concurrency,
                timeout=timeout,
            )
        )

    def predict(
        self,
        sources: Iterable[BulkSource] | AsyncIterable[BulkSource],
        *,
        models: Models | ModelsDict | None = None,
        transcription: Transcription | TranscriptionDict | Unset | None = UNSET,
        ledger: str | os.PathLike[str] | Memory | None = None,
        options: BulkOptions | None = None,
        on_job: Callable[[Job], None] | None = None,
        **changes: Unpack[BulkFields],
    ) -> Outcomes[BulkSource, SourcePredictions]:
        """Predict any number of sources: split them into jobs, wait, and fetch the results.

        Costs two requests for every `job_size` sources, one at the start, and a share of the
        common polling. While the quota is used up, or the service cannot be reached, it waits;
        what it cannot finish stays open (`Outcome.is_open`), and the next start of a run with
        a ledger goes on with it.

        Args:
            sources: URLs, texts and paths (see `BulkSource`), from any iterable; read only as
                fast as outcomes are taken.
            models: Models to run, such as `{"face": {}}`; all of them if left out.
            transcription: Settings of the transcription; `None` switches it off.
            ledger: File that remembers what was submitted and what arrived, made if it is not
                there: the same run, started again after a crash, submits nothing twice and
                gives what is missing. A source that is given twice goes in once.
            options: How the run is done.
            on_job: Called with each job once it is at Hume, submitted or found there.
            **changes: Fields of `BulkOptions`, which take precedence over `options`: `job_size`,
                `jobs_at_once`, `timeout`, `retry_failed`, `group_wait`, `search_patience` and
                `outage_patience`.

        Returns:
            Async iterator of one `Outcome` a source, in the order in which they arrive. A
            source that failed has an `error` and ends nothing.

        Raises:
            InvalidArgumentError: A setting is out of range.
            AuthenticationError: The credential is refused; no source could succeed.
            APIStatusError: The account has no credit (402, or Hume's code E0300).
            LedgerError: Another run has the ledger, it is not this run's, or it cannot be
                written.
        """
        from humeai_async.bulk.options import BulkOptions
        from humeai_async.bulk.outcomes import Outcomes
        from humeai_async.bulk.pipeline import Pipeline

        check_many("sources", sources)
        chosen = BulkOptions.of(options, **changes)
        check_settings(models=models, transcription=transcription)
        request = InferenceRequest(models=models, transcription=transcription)
        check_parts(request)
        return Outcomes(Pipeline(sources, self._pipes(request, chosen, ledger, on_job)).run)

    async def predict_into(
        self,
        folder: str | os.PathLike[str],
        sources: Iterable[BulkSource] | AsyncIterable[BulkSource],
        *,
        formats: Sequence[str] = ("jsonl",),
        score_bits: int = 32,
        models: Models | ModelsDict | None = None,
        transcription: Transcription | TranscriptionDict | Unset | None = UNSET,
        options: BulkOptions | None = None,
        on_job: Callable[[Job], None] | None = None,
        on_outcome: Callable[[SourceOutcome], None] | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        **changes: Unpack[BulkFields],
    ) -> Report:
        """Predict sources and write the results to files; continue where an earlier run stopped.

        Every outcome is written once, whatever stops the program and however often it is
        started again. Costs what `predict` costs.

        Args:
            folder: Where ledger and results are kept; made if it is not there.
            sources: As for `predict`.
            formats: Any of `jsonl`, `jsonl.zst`, `csv` and `parquet`; the same at every start.
                Parquet is a folder of files that readers take for one table.
            score_bits: 32 or 64, the size of the numbers in Parquet's columns of scores.
            models: As for `predict`; the same at every start.
            transcription: As for `predict`; the same at every start.
            options: How the run is done.
            on_job: Called with each job once it is at Hume, submitted or found there.
            on_outcome: Called with each outcome, once it is written.
            on_progress: Called with how far the run is: at the start, with each job that is at
                Hume, whenever outcomes were written, and when something holds it up.
            **changes: As for `predict`. With `retry_failed` new outcomes are added to the files.

        Returns:
            A summary of the run. Sources without an outcome are not written: the next run
            continues with them.

        Raises:
            InvalidArgumentError: `sources` is no list of sources, or a setting is out of range.
            MissingPackageError: A format needs a package that is not installed.
            LedgerError: Another run has the folder, or it belongs to other settings.
            SaveError: The results cannot be written.
        """
        from humeai_async.bulk.options import BulkOptions
        from humeai_async.bulk.runs import Into, run_into

        check_many("sources", sources)
        chosen = BulkOptions.of(options, **changes)
        if isinstance(formats, str):
            formats = (formats,)
        check_many("formats", formats)
        into = Into(
            folder=check_path("folder", folder),
            formats=tuple(formats),
            pace=lambda: self.pace,
            score_bits=score_bits,
            on_outcome=on_outcome,
            on_progress=on_progress,
        )
        check_settings(models=models, transcription=transcription)
        request = InferenceRequest(models=models, transcription=transcription)
        check_parts(request)
        return await run_into(into, sources, self._pipes(request, chosen, None, on_job))

    def _pipes(
        self,
        request: InferenceRequest,
        options: BulkOptions,
        ledger: str | os.PathLike[str] | Memory | None,
        on_job: Callable[[Job], None] | None,
    ) -> Pipes[BulkSource, SourcePredictions]:
        """Put together what a bulk run works with; its calls yield to all others."""
        from humeai_async.batch.bulk_jobs import JobWork
        from humeai_async.bulk.patience import Patience
        from humeai_async.bulk.work import Pipes

        session, poller = self._session.with_settings(priority=BULK), self._poller
        work = JobWork(session, poller, request)
        return Pipes(
            kind=work,
            options=options,
            clock=work.clock,
            patience=Patience(session.pause, options.outage_patience),
            on_submitted=lambda job_id: on_job and on_job(Job(job_id, session, poller)),
            ledger=ledger,
        )
