"""Batch jobs: expression measurement of many sources at once.

Starts jobs, finds them again and fetches what came of them. A started job comes back as a
`Job`, which waits for itself.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any

from humeai_async import catalog, codec
from humeai_async.bulk import BulkSource, Fetching, Outcomes, Prediction, each
from humeai_async.endpoint import fill
from humeai_async.errors import InvalidArgumentError
from humeai_async.job import AsCompleted, Job
from humeai_async.poller import Poller
from humeai_async.resources._base import Resource
from humeai_async.session import Session
from humeai_async.types.batch import InferenceRequest, JobDetails, Models, Transcription
from humeai_async.types.predictions import Predictions, SourcePredictions
from humeai_async.unset import UNSET, Unset
from humeai_async.uploads import File, as_part
from humeai_async.wire import Part

MOST_SOURCES = 100
"""URLs, texts or files in one job at most, each kind by itself, as Hume documents it."""


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
        check_sources(urls=urls, text=text, files=files, registry_files=registry_files)
        request = InferenceRequest(
            models=models,
            transcription=transcription,
            urls=urls or None,
            text=text or None,
            registry_files=registry_files or None,
            callback_url=callback_url,
            notify=notify,
        )
        if files:
            self._session.origin.refuse(catalog.BATCH_START_JOB_FILES)
            parts = [_json_part(request), *[await as_part(file) for file in files]]
            call = fill(catalog.BATCH_START_JOB_FILES, parts=parts)
        else:
            call = fill(catalog.BATCH_START_JOB, body=request)
        started = await self._session.call(call)
        return self.job(started.job_id)

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

        Source: https://dev.hume.ai/reference/expression-measurement-api/batch/get-job-artifacts
        """
        return await self._session.call(fill(catalog.BATCH_GET_ARTIFACTS, id))

    def as_completed(self, jobs: Iterable[Job]) -> AsCompleted:
        """Iterate over jobs in the order in which they end, failed ones included.

        All share the client's one poller.
        """
        return AsCompleted(jobs, self._poller)

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
            job_ids: Ids or jobs; read only as fast as outcomes are taken.
            concurrency: Jobs in flight, and so predictions in memory, at most.
            timeout: Seconds to wait for one job; `None` is without limit.

        Returns:
            Async iterator of one `Outcome` a job, in the order in which they arrive. A job
            that failed, or is not there, has an `error` and ends nothing.
        """
        check_positive("concurrency", concurrency)
        jobs = _as_jobs(job_ids, self.job)
        fetching = Fetching(jobs, concurrency=concurrency, timeout=timeout)
        return Outcomes(fetching.run)

    def predict(
        self,
        sources: Iterable[BulkSource] | AsyncIterable[BulkSource],
        *,
        models: Models | Mapping[str, Any] | None = None,
        transcription: Transcription | Mapping[str, Any] | Unset | None = UNSET,
        job_size: int = MOST_SOURCES,
        jobs_at_once: int = 32,
        timeout: float | None = None,
    ) -> Outcomes[BulkSource, SourcePredictions]:
        """Predict any number of sources: split into jobs, wait, and fetch.

        Costs two requests for every `job_size` sources, and a share of the common polling.

        Args:
            sources: URLs, texts and paths (see `BulkSource`), from any iterable; read only as
                fast as outcomes are taken.
            models: Models to run, such as `{"face": {}}`; all of them if left out.
            transcription: Settings of the transcription; `None` switches it off.
            job_size: Sources in one job, 1 to 100.
            jobs_at_once: Jobs in flight; Hume queues 500 at most.
            timeout: Seconds to wait for one job; `None` is without limit.

        Returns:
            Async iterator of one `Outcome` a source, in the order in which they arrive. A
            source that failed has an `error` and ends nothing.

        Raises:
            InvalidArgumentError: A setting is out of range.
            AuthenticationError: The credential is refused; no source could succeed.
        """
        check_positive("jobs_at_once", jobs_at_once)
        check_positive("job_size", job_size)
        if job_size > MOST_SOURCES:
            raise InvalidArgumentError(
                f"job_size is {MOST_SOURCES} at most, not {job_size}", field="job_size"
            )
        start = functools.partial(self.start_job, models=models, transcription=transcription)
        prediction = Prediction(
            sources, start, job_size=job_size, jobs_at_once=jobs_at_once, timeout=timeout
        )
        return Outcomes(prediction.run)


async def _as_jobs(
    job_ids: Iterable[str | Job] | AsyncIterable[str | Job], make: Callable[[str], Job]
) -> AsyncIterator[Job]:
    async for one in each(job_ids):
        yield make(one) if isinstance(one, str) else one


def check_positive(name: str, value: int) -> None:
    """Refuse a number below 1.

    Raises:
        InvalidArgumentError: `field` names the argument.
    """
    if value < 1:
        raise InvalidArgumentError(f"{name} must be 1 or more, not {value}", field=name)


def check_sources(**sources: Sequence[object] | None) -> None:
    """Refuse a job without sources, with too many, or with one text in place of a list.

    Raises:
        InvalidArgumentError: `field` names the argument.
    """
    if not any(sources.values()):
        raise InvalidArgumentError(
            "a job needs at least one source: urls, text or files", field="urls"
        )
    for name, given in sources.items():
        if isinstance(given, (str, bytes)):
            raise InvalidArgumentError(f"{name} is a list; put [] around it", field=name)
        if given is not None and len(given) > MOST_SOURCES:
            raise InvalidArgumentError(
                f"{name} has {len(given)} entries and a job takes {MOST_SOURCES}; split them "
                "over several jobs, or let hume.batch.predict do so",
                field=name,
            )
        if name != "files" and not all(isinstance(one, str) and one for one in given or ()):
            raise InvalidArgumentError(f"{name} must hold non-empty texts only", field=name)


def _json_part(request: InferenceRequest) -> Part:
    return Part("json", codec.encode(request), content_type="application/json")
