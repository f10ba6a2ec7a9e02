"""What jobs of custom models are started with: to train a model, and to run one.

Fields carry the wire's names. Datasets, files and models are in `registry.py`; jobs as they run are
in `batch.py`. Nothing here does I/O.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field

from humeai_async._base.frozen import frozen
from humeai_async._base.urls import repr_host_only, repr_without_query


class TaskType(enum.StrEnum):
    """Kinds of tasks that a model can be trained for."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"


class TrainingAlternative(enum.StrEnum):
    """Further models that a training job can make."""

    LANGUAGE_ONLY = "language_only"


@frozen(kw_only=True)
class NewModel:
    """The model that a training job makes."""

    name: str
    """Name of the new model."""
    description: str | None = None
    """Note about the new model, for people."""
    tags: Sequence[Tag | Mapping[str, Any]] | None = None
    """Keys and values to attach to the new model."""


@frozen(kw_only=True)
class Tag:
    """A key and a value attached to a version of a model."""

    key: str | None = None
    """Key of the tag."""
    value: str | None = None
    """Value of the tag."""


@frozen(kw_only=True)
class ModelRef:
    """A custom model: its newest version by `id`, or one version by `version_id`."""

    id: str | None = None
    """Id of the model."""
    version_id: str | None = None
    """Id of a model version, instead of a model id."""


@frozen(kw_only=True)
class DatasetRef:
    """A dataset: its newest version by `id`, or one version by `version_id`."""

    id: str | None = None
    """Id of the dataset."""
    version_id: str | None = None
    """Id of a dataset version, instead of a dataset id."""


@frozen(kw_only=True)
class TrainingTask:
    """The task that a training job trains a model for."""

    type: TaskType | str | None = None
    """Kind of task: classification or regression."""


@frozen(kw_only=True)
class Validation:
    """How a trained model is validated."""

    positive_label: int | float | str | None = None
    """Value of the label that counts as positive."""


@frozen(kw_only=True)
class Evaluation:
    """How a trained model is evaluated."""

    validation: Validation | None = None
    """How the model is validated."""


@frozen(kw_only=True)
class TrainingRequest:
    """Everything that a training job is started with."""

    custom_model: NewModel | Mapping[str, Any] | None = None
    """Model to make; it needs a name."""
    dataset: DatasetRef | Mapping[str, Any] | None = None
    """Dataset to train the model on."""
    target_feature: str | None = None
    """Label column to predict; `label` if left out."""
    task: TrainingTask | Mapping[str, Any] | None = None
    """Task to train for; guessed from the labels if left out."""
    evaluation: Evaluation | Mapping[str, Any] | None = None
    """How to evaluate the model."""
    alternatives: Sequence[TrainingAlternative | str] | None = None
    """Further models to make."""
    callback_url: str | None = field(default=None, repr=repr_host_only)
    """URL that the service posts to when the job ends."""
    notify: bool | None = None
    """If true, the service sends an e-mail when the job ends."""


@frozen(kw_only=True)
class CustomModelInferenceRequest:
    """Everything that a job that runs a custom model is started with."""

    custom_model: ModelRef | Mapping[str, Any] | None = None
    """Model to run, by its id or by a version's."""
    urls: Sequence[str] | None = field(default=None, repr=repr_without_query)
    """Public URLs of media, 100 at most."""
    registry_files: Sequence[str] | None = None
    """Ids of registry files, 100 at most."""
    callback_url: str | None = field(default=None, repr=repr_host_only)
    """URL that the service posts to when the job ends."""
    notify: bool | None = None
    """If true, the service sends an e-mail when the job ends."""
