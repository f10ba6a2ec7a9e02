"""Jobs of the custom models: training one, and running one.

Both come back as a `Job`, which waits for itself like any batch job. It knows nothing of how
calls are made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from humeai_async.batch.job import Job, start
from humeai_async.batch.poller import Poller
from humeai_async.catalog import custom_model_jobs as catalog
from humeai_async.errors import InvalidArgumentError
from humeai_async.http import codec
from humeai_async.http.arguments import check_sources
from humeai_async.http.endpoint import Endpoint, fill
from humeai_async.http.session import Session
from humeai_async.resources._base import Resource
from humeai_async.types.batch import JobId
from humeai_async.types.training import (
    CustomModelInferenceRequest,
    DatasetRef,
    Evaluation,
    ModelRef,
    NewModel,
    TrainingAlternative,
    TrainingRequest,
    TrainingTask,
)

if TYPE_CHECKING:
    from humeai_async.types.dicts import (
        DatasetRefDict,
        EvaluationDict,
        ModelRefDict,
        NewModelDict,
        TrainingTaskDict,
    )


class Jobs(Resource):
    """Start jobs that train or run custom models.

    Source: https://dev.hume.ai/reference/custom-models-api/jobs/start-training-job
    """

    __slots__ = ("_poller",)

    def __init__(self, session: Session, poller: Poller) -> None:
        super().__init__(session)
        self._poller = poller

    async def start_training(
        self,
        *,
        custom_model: NewModel | NewModelDict,
        dataset: DatasetRef | DatasetRefDict,
        target_feature: str | None = None,
        task: TrainingTask | TrainingTaskDict | None = None,
        evaluation: Evaluation | EvaluationDict | None = None,
        alternatives: Sequence[TrainingAlternative | str] | None = None,
        callback_url: str | None = None,
        notify: bool | None = None,
        doubled_prefix: bool = True,
    ) -> Job:
        """Start a job that trains a custom model.

        Costs one request, which is never repeated where it may have been carried out.

        Args:
            custom_model: Model to make, with at least a `name`.
            dataset: What to train it on: `id` for a dataset's newest version, or `version_id`.
            target_feature: Label column to predict; `label` if left out.
            task: What to teach, such as `{"type": "classification"}`; guessed from the labels
                if left out.
            evaluation: How to measure the model.
            alternatives: Further models to make.
            callback_url: URL that the service posts to when the job ends.
            notify: Send an e-mail when the job ends.
            doubled_prefix: Call `/v0/registry/v0/batch/jobs/tl/train`, as Hume's reference and
                the documented table have it; false calls `/v0/batch/jobs/tl/train`, as Hume's
                first client did, which no gateway routes.

        Returns:
            The job, queued.

        Raises:
            InvalidArgumentError: The model has no name, or the dataset no id.

        Source: https://dev.hume.ai/reference/custom-models-api/jobs/start-training-job
        """
        _check_part("custom_model", custom_model, "name")
        _check_part("dataset", dataset, "id", "version_id")
        request = TrainingRequest(
            custom_model=custom_model,
            dataset=dataset,
            target_feature=target_feature,
            task=task,
            evaluation=evaluation,
            alternatives=alternatives,
            callback_url=callback_url,
            notify=notify,
        )
        plain, doubled = catalog.JOBS_START_TRAINING_PLAIN, catalog.JOBS_START_TRAINING
        return await self._start(doubled if doubled_prefix else plain, request)

    async def start_inference(
        self,
        *,
        custom_model: ModelRef | ModelRefDict,
        urls: Sequence[str] | None = None,
        registry_files: Sequence[str] | None = None,
        callback_url: str | None = None,
        notify: bool | None = None,
        doubled_prefix: bool = True,
    ) -> Job:
        """Start a job that runs a custom model.

        Costs one request, which is never repeated where it may have been carried out.

        Args:
            custom_model: Model to run: `id` for its newest version, or `version_id`.
            urls: Public URLs of media, 100 at most.
            registry_files: Ids of files in the registry, 100 at most.
            callback_url: URL that the service posts to when the job ends.
            notify: Send an e-mail when the job ends.
            doubled_prefix: Call `/v0/registry/v0/batch/jobs/tl/inference`, as Hume's reference
                and the documented table have it; false leaves the first prefix out, as Hume's
                first client did.

        Returns:
            The job, queued.

        Raises:
            InvalidArgumentError: The model has no id, or there are no sources or too many.

        Source:
        https://dev.hume.ai/reference/custom-models-api/jobs/start-custom-models-inference-job
        """
        _check_part("custom_model", custom_model, "id", "version_id")
        request = CustomModelInferenceRequest(
            custom_model=custom_model,
            urls=urls or None,
            registry_files=registry_files or None,
            callback_url=callback_url,
            notify=notify,
        )
        check_sources(urls=request.urls, registry_files=request.registry_files)
        plain, doubled = catalog.JOBS_START_INFERENCE_PLAIN, catalog.JOBS_START_INFERENCE
        return await self._start(doubled if doubled_prefix else plain, request)

    async def _start(self, endpoint: Endpoint[JobId], request: object) -> Job:
        return await start(fill(endpoint, body=request), self._session, self._poller)


def _check_part(name: str, part: object, *needed: str) -> None:
    """Refuse a part of a request that has none of the keys it needs.

    Raises:
        InvalidArgumentError: `field` names the argument.
    """
    plain: Any = codec.to_plain(part)
    if not hasattr(plain, "get") or not any(plain.get(key) for key in needed):
        keys = " or ".join(needed)
        raise InvalidArgumentError(f"{name} needs its {keys}", field=name)
