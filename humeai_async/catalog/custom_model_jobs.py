"""The endpoints of the jobs that train and run custom models.

They stand apart from those of datasets, files and models, whose types a job does without.
"""

from __future__ import annotations

from humeai_async.catalog.product import REGISTRY
from humeai_async.http.endpoint import Endpoint
from humeai_async.types.batch import JobId

_TRAINING = (
    "custom_model",
    "dataset",
    "target_feature",
    "task",
    "evaluation",
    "alternatives",
    "callback_url",
    "notify",
)
_INFERENCE = ("custom_model", "urls", "registry_files", "callback_url", "notify")

# fmt: off

# The prefix stands twice in both paths: in Hume's reference and its SDKs of May to July 2024.
# The SDK of April 2024 had it once (JOBS_START_TRAINING_PLAIN); which one was served is unknown.
JOBS_START_TRAINING = Endpoint(
    "jobs.start_training", "POST", "/v0/registry/v0/batch/jobs/tl/train", JobId, **REGISTRY,
    row="Start training job", docs="jobs/start-training-job", body=_TRAINING)
JOBS_START_INFERENCE = Endpoint(
    "jobs.start_inference", "POST", "/v0/registry/v0/batch/jobs/tl/inference", JobId, **REGISTRY,
    row="Start custom models inference job", docs="jobs/start-custom-models-inference-job",
    body=_INFERENCE)
# The paths of the custom models' jobs as of April 2024, without the prefix.
JOBS_START_TRAINING_PLAIN = Endpoint(
    "jobs.start_training_plain", "POST", "/v0/batch/jobs/tl/train", JobId, **REGISTRY,
    docs="jobs/start-training-job", body=_TRAINING)
JOBS_START_INFERENCE_PLAIN = Endpoint(
    "jobs.start_inference_plain", "POST", "/v0/batch/jobs/tl/inference", JobId, **REGISTRY,
    docs="jobs/start-custom-models-inference-job", body=_INFERENCE)

# fmt: on
