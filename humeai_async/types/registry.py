"""The registry of the custom models: datasets, files, models, and the jobs made of them.

Fields carry the wire's names. The reference never said in which unit the registry counts
times; its known answers are milliseconds since 1970. Nothing here does I/O; jobs as they run
are in `batch.py`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import Factory, field

from humeai_async._base.frozen import frozen
from humeai_async.types.paging import SpringPage
from humeai_async.types.urls import repr_host_only, repr_without_query


class FeatureType(enum.StrEnum):
    """What a label column holds."""

    CATEGORICAL = "CATEGORICAL"
    NUMERIC = "NUMERIC"
    TEXT = "TEXT"
    DATETIME = "DATETIME"
    UNDEFINED = "UNDEFINED"


class DataType(enum.StrEnum):
    """What a file holds; MIME types have been seen in its place."""

    VIDEO = "video"
    AUDIO = "audio"
    VIDEO_NO_AUDIO = "video_no_audio"
    IMAGE = "image"
    TEXT = "text"
    MEDIAPIPE_FACEMESH = "mediapipe_facemesh"


class TaskType(enum.StrEnum):
    """What a model learns."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"


class TrainingAlternative(enum.StrEnum):
    """Further models that a training job can make."""

    LANGUAGE_ONLY = "language_only"


@frozen(kw_only=True)
class DatasetVersion:
    """One version of a dataset, as datasets and lists of versions hold it."""

    id: str
    """Dataset version id."""
    user_id: str
    """Owner."""
    labels_file_uri: str = field(repr=repr_without_query)
    """Where the CSV with the labels is."""
    feature_types: dict[str, FeatureType | str]
    """What each label column holds."""
    dataset_id: str
    """Dataset it belongs to."""
    dataset_version: int
    """Number of the version."""
    created_on: int
    """Time it was made; unit not documented."""


@frozen(kw_only=True)
class DatasetLabels:
    """One version of a dataset, as `datasets.get_version` tells it."""

    id: str
    """Dataset version id."""
    user_id: str
    """Owner."""
    labels_file_uri: str = field(repr=repr_without_query)
    """Where the CSV with the labels is."""
    feature_type_json_uri: str = field(repr=repr_without_query)
    """Where the JSON with the types of the columns is."""
    dataset_id: str
    """Dataset it belongs to."""
    dataset_version: int
    """Number of the version."""
    created_on: int
    """Time it was made; unit not documented."""
    is_most_recent_version: bool
    """Whether it is the newest."""


@frozen(kw_only=True)
class Dataset:
    """A dataset: labelled files to train a model on."""

    name: str
    """Name of the dataset."""
    id: str | None = None
    """Dataset id."""
    latest_version: DatasetVersion | None = None
    """Its newest version."""
    modified_on: int | None = None
    """Time of its last change; unit not documented."""
    metadata: dict[str, Any] | None = None
    """Free details."""


@frozen(kw_only=True)
class DatasetPage(SpringPage):
    """One page of datasets."""

    content: list[Dataset] = Factory(list[Dataset])
    """The datasets."""


@frozen(kw_only=True)
class DatasetVersionPage(SpringPage):
    """One page of versions of a dataset."""

    content: list[DatasetVersion] = Factory(list[DatasetVersion])
    """The versions."""


@frozen(kw_only=True)
class Attribute:
    """A key and a value attached to a file."""

    name: str
    """Key."""
    value: str
    """Value."""


@frozen(kw_only=True)
class RegistryFile:
    """A file of the registry."""

    id: str
    """File id."""
    user_id: str
    """Owner."""
    data_type: DataType | str
    """What it holds."""
    is_sanitized: bool
    """Whether it was cleaned for sharing."""
    is_owned_by_reader: bool
    """Whether it is the caller's."""
    name: str | None = None
    """Name of the file."""
    uri: str | None = field(default=None, repr=repr_without_query)
    """Where it is read from."""
    upload_uri: str | None = field(default=None, repr=repr_without_query)
    """Signed URL to PUT the bytes to, if Hume is to store them."""
    thumbnail_uri: str | None = field(default=None, repr=repr_without_query)
    """Small picture of it."""
    created_on: int | None = None
    """Time it was made; unit not documented."""
    modified_on: int | None = None
    """Time of its last change; unit not documented."""
    metadata: dict[str, Any] | None = None
    """Free details."""
    hume_storage: bool | None = None
    """Whether Hume stores it."""
    hume_storage_upload_timestamp: int | None = None
    """Time its bytes arrived; unit not documented."""
    is_linked_to_publicly_shared: bool | None = None
    """Whether a public model uses it."""
    is_linked_to_hume_model: bool | None = None
    """Whether one of Hume's models uses it."""


@frozen(kw_only=True)
class FileWithAttributes:
    """A file and what is attached to it."""

    file: RegistryFile
    """The file."""
    attributes: list[Attribute] | None = None
    """Keys and values attached."""


@frozen(kw_only=True)
class FilePage(SpringPage):
    """One page of files."""

    content: list[FileWithAttributes] = Factory(list[FileWithAttributes])
    """The files."""


@frozen(kw_only=True)
class FileInput:
    """A file to register; its bytes come later, or lie elsewhere."""

    name: str
    """Name of the file."""
    hume_storage: bool
    """Whether Hume is to store it; the answer then has an `upload_uri` to PUT the bytes to."""
    data_type: DataType | str
    """What it holds."""
    uri: str | None = field(default=None, repr=repr_without_query)
    """Where it lies already."""


@frozen(kw_only=True)
class FileRequest:
    """One file of `files.create`."""

    file: FileInput | Mapping[str, Any] = field(repr=repr_without_query)
    """The file."""
    attributes: Sequence[Attribute | Mapping[str, Any]] | None = None
    """Keys and values to attach."""


@frozen(kw_only=True)
class Tag:
    """A key and a value attached to a version of a model."""

    key: str
    """Key."""
    value: str
    """Value."""


@frozen(kw_only=True)
class ModelVersion:
    """One version of a custom model."""

    id: str
    """Model version id."""
    model_id: str
    """Model it belongs to."""
    user_id: str
    """Owner."""
    version: str
    """Number of the version, as text."""
    source_uri: str = field(repr=repr_without_query)
    """Where its weights are."""
    dataset_version_id: str
    """What it was trained on."""
    created_on: int
    """Time it was made; unit not documented."""
    metadata: dict[str, Any] | None = None
    """Free details."""
    description: str | None = None
    """Note on this version."""
    tags: list[Tag] | None = None
    """Keys and values attached."""
    file_type: DataType | str | None = None
    """Media it takes."""
    target_feature: str | None = None
    """Label column it predicts."""
    task_type: TaskType | str | None = None
    """What it learned."""
    training_job_id: str | None = None
    """Job that made it."""


@frozen(kw_only=True)
class Model:
    """A custom model."""

    id: str
    """Model id."""
    name: str
    """Name of the model."""
    created_on: int
    """Time it was made; unit not documented."""
    modified_on: int
    """Time of its last change; unit not documented."""
    total_stars: int
    """Users who starred it."""
    model_is_starred_by_user: bool
    """Whether the caller did."""
    archived: bool
    """Whether it was put away."""
    is_publicly_shared: bool
    """Whether everybody may use it."""
    latest_version: ModelVersion | None = None
    """Its newest version."""


@frozen(kw_only=True)
class ModelPage(SpringPage):
    """One page of models."""

    content: list[Model] = Factory(list[Model])
    """The models."""


@frozen(kw_only=True)
class NewModel:
    """The model that a training job is to make."""

    name: str
    """Name of the model."""
    description: str | None = None
    """Note on it."""
    tags: Sequence[Tag | Mapping[str, Any]] | None = None
    """Keys and values to attach."""


@frozen(kw_only=True)
class ModelRef:
    """A custom model: its newest version by `id`, or one version by `version_id`."""

    id: str | None = None
    """Model id."""
    version_id: str | None = None
    """Model version id, in place of a model id."""


@frozen(kw_only=True)
class DatasetRef:
    """A dataset: its newest version by `id`, or one version by `version_id`."""

    id: str | None = None
    """Dataset id."""
    version_id: str | None = None
    """Dataset version id, in place of a dataset id."""


@frozen(kw_only=True)
class TrainingTask:
    """What a training job is to teach."""

    type: TaskType | str
    """Classification or regression."""


@frozen(kw_only=True)
class Validation:
    """How a trained model is checked."""

    positive_label: int | float | str | None = None
    """Value of the label that counts as positive."""


@frozen(kw_only=True)
class Evaluation:
    """How a trained model is measured."""

    validation: Validation | None = None
    """How it is checked."""


@frozen(kw_only=True)
class TrainingRequest:
    """What a training job is asked, or was asked."""

    custom_model: NewModel | Mapping[str, Any]
    """Model to make."""
    dataset: DatasetRef | Mapping[str, Any]
    """What to train it on."""
    target_feature: str | None = None
    """Label column to predict; `label` if left out."""
    task: TrainingTask | Mapping[str, Any] | None = None
    """What to teach; guessed from the labels if left out."""
    evaluation: Evaluation | Mapping[str, Any] | None = None
    """How to measure it."""
    alternatives: Sequence[TrainingAlternative | str] | None = None
    """Further models to make."""
    callback_url: str | None = field(default=None, repr=repr_host_only)
    """URL that the service posts to when the job ends."""
    notify: bool | None = None
    """Send an e-mail when the job ends; off if left out."""


@frozen(kw_only=True)
class CustomModelInferenceRequest:
    """What a job that runs a custom model is asked, or was asked."""

    custom_model: ModelRef | Mapping[str, Any]
    """Model to run."""
    urls: Sequence[str] | None = field(default=None, repr=repr_without_query)
    """Public URLs of media, 100 at most."""
    registry_files: Sequence[str] | None = None
    """Ids of registry files."""
    callback_url: str | None = field(default=None, repr=repr_host_only)
    """URL that the service posts to when the job ends."""
    notify: bool | None = None
    """Send an e-mail when the job ends; off if left out."""
