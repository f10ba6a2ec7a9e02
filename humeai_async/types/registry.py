"""The registry of the custom models: datasets, files and models.

Fields carry the wire's names. The reference never said in which unit the registry counts
times; those that it is known to send are milliseconds since 1970. Nothing here does I/O; jobs
as they run are in `batch.py`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from attrs import Factory, field

from humeai_async._base.frozen import frozen
from humeai_async._base.urls import repr_without_query
from humeai_async.types.paging import Items, ListPage
from humeai_async.types.training import Tag, TaskType


class FeatureType(enum.StrEnum):
    """Kinds of values that a label column can hold."""

    CATEGORICAL = "CATEGORICAL"
    NUMERIC = "NUMERIC"
    TEXT = "TEXT"
    DATETIME = "DATETIME"
    UNDEFINED = "UNDEFINED"


class DataType(enum.StrEnum):
    """Kinds of media that a file can hold; MIME types have been seen in their place."""

    VIDEO = "video"
    AUDIO = "audio"
    VIDEO_NO_AUDIO = "video_no_audio"
    IMAGE = "image"
    TEXT = "text"
    MEDIAPIPE_FACEMESH = "mediapipe_facemesh"


@frozen(kw_only=True)
class Sort:
    """How the items of a registry page are sorted."""

    empty: bool | None = None
    """True if the request asked for no order."""
    sorted: bool | None = None
    """True if the items are sorted."""
    unsorted: bool | None = None
    """True if the items are not sorted."""


@frozen(kw_only=True)
class Pageable:
    """Which page of a registry list was requested."""

    offset: int | None = None
    """Number of items before the first one of this page."""
    sort: Sort | None = None
    """Order that was requested."""
    paged: bool | None = None
    """True if the list was requested page by page."""
    unpaged: bool | None = None
    """True if the whole list was requested."""
    page_number: int | None = None
    """Index of the requested page."""
    page_size: int | None = None
    """Requested number of items on a page."""


@frozen(kw_only=True)
class SpringPage(ListPage):
    """A page of the registry's lists; subclasses add `content`, the items.

    The reference does not say whether `number` starts at 0; pages of this make (Java's Spring)
    do.
    """

    may_come_in_parts: ClassVar[bool] = True
    number: int | None = None
    """Index of this page."""
    size: int | None = None
    """Largest number of items on a page."""
    total_pages: int | None = None
    """Number of pages in the whole list."""
    total_elements: int | None = None
    """Number of items on all pages together."""
    total: int | None = None
    """Another total of the service, which the reference does not explain."""
    number_of_elements: int | None = None
    """Number of items on this page."""
    first: bool | None = None
    """True if this is the first page."""
    last: bool | None = None
    """True if this is the last page."""
    empty: bool | None = None
    """True if this page has no items."""
    pageable: Pageable | None = None
    """Which page was requested."""
    sort: Sort | None = None
    """How the items are sorted."""


@frozen(kw_only=True)
class _DatasetVersionFields:
    """What is told of a version of a dataset everywhere."""

    id: str
    """Id of the dataset version."""
    user_id: str | None = None
    """Id of the owner's account."""
    labels_file_uri: str | None = field(default=None, repr=repr_without_query)
    """URI of the CSV file with the labels."""
    dataset_id: str | None = None
    """Id of the dataset that the version belongs to."""
    dataset_version: int
    """Number of the version."""
    created_on: int | None = None
    """Time of the version's creation; unit not documented."""


@frozen(kw_only=True)
class DatasetVersion(_DatasetVersionFields):
    """One version of a dataset, as datasets and lists of versions hold it."""

    feature_types: dict[str, FeatureType | str] | None = None
    """Kind of values in each label column, by the column's name."""


@frozen(kw_only=True)
class DatasetLabels(_DatasetVersionFields):
    """One version of a dataset, as `datasets.get_version` returns it."""

    feature_type_json_uri: str | None = field(default=None, repr=repr_without_query)
    """URI of the JSON file with the kinds of the label columns."""
    is_most_recent_version: bool | None = None
    """True if no newer version of the dataset exists."""


@frozen(kw_only=True)
class Dataset:
    """A dataset: labelled files to train a model on."""

    id: str
    """Id of the dataset."""
    name: str | None = None
    """Name of the dataset."""
    latest_version: DatasetVersion | None = None
    """Newest version of the dataset."""
    modified_on: int | None = None
    """Time of the dataset's last change; unit not documented."""
    metadata: dict[str, Any] | None = None
    """Free details about the dataset."""


@frozen(kw_only=True)
class DatasetPage(SpringPage):
    """One page of datasets."""

    content: Items[Dataset] = Factory(Items[Dataset])
    """The datasets on this page."""


@frozen(kw_only=True)
class DatasetVersionPage(SpringPage):
    """One page of the versions of a dataset."""

    content: Items[DatasetVersion] = Factory(Items[DatasetVersion])
    """The dataset versions on this page."""


@frozen(kw_only=True)
class Attribute:
    """A key and a value attached to a file."""

    name: str | None = None
    """Key of the attribute."""
    value: str | None = None
    """Value of the attribute."""


@frozen(kw_only=True)
class RegistryFile:
    """A file of the registry, from which datasets are made."""

    id: str
    """Id of the file."""
    user_id: str | None = None
    """Id of the owner's account."""
    data_type: DataType | str | None = None
    """Kind of media that the file holds."""
    is_sanitized: bool | None = None
    """True if the file was cleaned for sharing."""
    is_owned_by_reader: bool | None = None
    """True if the file belongs to the account that made the request."""
    name: str | None = None
    """Name of the file."""
    uri: str | None = field(default=None, repr=repr_without_query)
    """URI from which the service reads the file."""
    upload_uri: str | None = field(default=None, repr=repr_without_query)
    """Signed URL to PUT the file's bytes to, if Hume is to store them."""
    thumbnail_uri: str | None = field(default=None, repr=repr_without_query)
    """URI of a small picture of the file."""
    created_on: int | None = None
    """Time of the file's creation; unit not documented."""
    modified_on: int | None = None
    """Time of the file's last change; unit not documented."""
    metadata: dict[str, Any] | None = None
    """Free details about the file."""
    hume_storage: bool | None = None
    """True if Hume stores the file's bytes."""
    hume_storage_upload_timestamp: int | None = None
    """Time at which the file's bytes arrived; unit not documented."""
    is_linked_to_publicly_shared: bool | None = None
    """True if a public model uses the file."""
    is_linked_to_hume_model: bool | None = None
    """True if one of Hume's own models uses the file."""


@frozen(kw_only=True)
class FileWithAttributes:
    """A file of the registry with the attributes attached to it."""

    file: RegistryFile
    """The file itself, with its id."""
    attributes: list[Attribute] | None = None
    """Keys and values attached to the file."""


@frozen(kw_only=True)
class FilePage(SpringPage):
    """One page of files."""

    content: Items[FileWithAttributes] = Factory(Items[FileWithAttributes])
    """The files on this page."""


@frozen(kw_only=True)
class FileInput:
    """A file to register; its bytes are uploaded later, or are stored elsewhere."""

    name: str
    """Name of the file."""
    hume_storage: bool
    """If true, Hume stores the file; the response then has an `upload_uri` for its bytes."""
    data_type: DataType | str
    """Kind of media that the file holds."""
    uri: str | None = field(default=None, repr=repr_without_query)
    """URI of a file that is stored elsewhere."""


@frozen(kw_only=True)
class FileRequest:
    """One file to register with `files.create`."""

    file: FileInput | Mapping[str, Any] = field(repr=repr_without_query)
    """The file to register."""
    attributes: Sequence[Attribute | Mapping[str, Any]] | None = None
    """Keys and values to attach to the file."""


@frozen(kw_only=True)
class ModelVersion:
    """One version of a custom model."""

    id: str
    """Id of the model version."""
    model_id: str | None = None
    """Id of the model that the version belongs to."""
    user_id: str | None = None
    """Id of the owner's account."""
    version: str
    """Number of the version, as text."""
    source_uri: str | None = field(default=None, repr=repr_without_query)
    """URI of the model's weights."""
    dataset_version_id: str | None = None
    """Id of the dataset version that the model was trained on."""
    created_on: int | None = None
    """Time of the version's creation; unit not documented."""
    metadata: dict[str, Any] | None = None
    """Free details about the version."""
    description: str | None = None
    """Note about this version, for people."""
    tags: list[Tag] | None = None
    """Keys and values attached to the version."""
    file_type: DataType | str | None = None
    """Kind of media that the model takes."""
    target_feature: str | None = None
    """Label column that the model predicts."""
    task_type: TaskType | str | None = None
    """Kind of task that the model was trained for."""
    training_job_id: str | None = None
    """Id of the job that trained the version."""


@frozen(kw_only=True)
class Model:
    """A custom model in the registry."""

    id: str
    """Id of the model."""
    name: str | None = None
    """Name of the model."""
    created_on: int | None = None
    """Time of the model's creation; unit not documented."""
    modified_on: int | None = None
    """Time of the model's last change; unit not documented."""
    total_stars: int | None = None
    """Number of users who starred the model."""
    model_is_starred_by_user: bool | None = None
    """True if the account that made the request starred the model."""
    archived: bool | None = None
    """True if the model is archived."""
    is_publicly_shared: bool | None = None
    """True if everybody may use the model."""
    latest_version: ModelVersion | None = None
    """Newest version of the model."""


@frozen(kw_only=True)
class ModelPage(SpringPage):
    """One page of custom models."""

    content: Items[Model] = Factory(Items[Model])
    """The models on this page."""
