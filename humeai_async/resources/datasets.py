"""Datasets of the custom models: labelled files, in versions.

Lists datasets, their versions and files, and makes new ones of a CSV with labels. It knows
nothing of how calls are made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from humeai_async.catalog import custom_models as catalog
from humeai_async.errors import InvalidArgumentError
from humeai_async.http import codec
from humeai_async.http.arguments import check_text
from humeai_async.http.endpoint import fill
from humeai_async.http.messages import Part, Upload
from humeai_async.http.multipart import File, as_part
from humeai_async.http.pages import Pages
from humeai_async.http.pagination import NumberedPages
from humeai_async.resources._base import Resource
from humeai_async.types.registry import (
    Dataset,
    DatasetLabels,
    DatasetPage,
    DatasetVersion,
    DatasetVersionPage,
    FeatureType,
    FilePage,
    FileWithAttributes,
)


class Datasets(Resource):
    """Datasets of labelled files for training custom models, and their versions.

    Source: https://dev.hume.ai/reference/custom-models-api/datasets/list-datasets
    """

    __slots__ = ()

    def list(
        self,
        *,
        name: str | None = None,
        page_number: int = 0,
        page_size: int | None = None,
        shared_assets: bool | None = None,
        prefetch: int = 0,
    ) -> Pages[Dataset, DatasetPage]:
        """List the datasets of the account.

        Costs one request a page.

        Args:
            name: Only those of this name.
            page_number: Page to begin with; the first is 0.
            page_size: Datasets a page, 1 or more; the upper limit was never published.
            shared_assets: Also what others share with the account; off if left out.
            prefetch: Pages to fetch ahead, once their number is known.

        Returns:
            Pages of datasets.

        Raises:
            InvalidArgumentError: A number is out of range.

        Source: https://dev.hume.ai/reference/custom-models-api/datasets/list-datasets
        """
        call = fill(catalog.DATASETS_LIST, query={"name": name, "shared_assets": shared_assets})
        return NumberedPages(self._session, call, page_number, page_size, prefetch)

    async def create(
        self,
        *,
        name: str,
        labels_file: File | None = None,
        feature_types: File | Mapping[str, FeatureType | str] | None = None,
    ) -> Dataset:
        """Create a dataset from a CSV file with labels.

        Costs one request. The files are read piece by piece as they are sent.

        Args:
            name: Name of the dataset.
            labels_file: CSV with the labels, 100 MB at most: a path, bytes, an open file, an
                async iterator, or an `Upload` for a name and type. Hume requires it, although
                the documented table calls it optional.
            feature_types: What the columns hold: a dict such as `{"mood": "CATEGORICAL"}`, or
                a JSON file of one.

        Returns:
            The dataset as made.

        Raises:
            InvalidArgumentError: The name is empty, or a file is missing or cannot be read.
            GatewayUnsupportedError: Through the gateway; no file was read.

        Source: https://dev.hume.ai/reference/custom-models-api/datasets/create-dataset
        """
        check_text("name", name)
        _check_given(labels_file)
        self._session.ensure_supported(catalog.DATASETS_CREATE)
        parts = [Part("name", name.encode()), *await _parts(labels_file, feature_types)]
        return await self._session.call(fill(catalog.DATASETS_CREATE, parts=parts))

    async def get(self, id: str) -> Dataset:
        """Fetch a dataset with its newest version.

        Costs one request.

        Args:
            id: Dataset id.

        Raises:
            InvalidArgumentError: The id cannot be one.

        Source: https://dev.hume.ai/reference/custom-models-api/datasets/get-dataset
        """
        return await self._session.call(fill(catalog.DATASETS_GET, id))

    async def create_version(
        self,
        id: str,
        *,
        labels_file: File | None = None,
        feature_types: File | Mapping[str, FeatureType | str] | None = None,
    ) -> Sequence[Dataset]:
        """Create a new version of a dataset.

        Costs one request. The files are read piece by piece as they are sent.

        Args:
            id: Dataset id.
            labels_file: CSV with the labels, 100 MB at most, as for `create`; required.
            feature_types: What the columns hold: a dict, or a JSON file of one.

        Returns:
            A list of datasets, as Hume's reference has it; one element where a single dataset
            is answered.

        Raises:
            InvalidArgumentError: The id cannot be one, or a file is missing or cannot be read.
            GatewayUnsupportedError: Through the gateway; no file was read.

        Source: https://dev.hume.ai/reference/custom-models-api/datasets/create-dataset-version
        """
        call = fill(catalog.DATASETS_CREATE_VERSION, id)
        _check_given(labels_file)
        self._session.ensure_supported(call.endpoint)
        parts = await _parts(labels_file, feature_types)
        return await self._session.call(fill(call.endpoint, id, parts=parts))

    async def delete(self, id: str) -> None:
        """Delete a dataset by its id.

        Costs one request. Through the gateway an empty response never arrives: an
        `APITimeoutError` with `outcome_unknown` then probably means that it worked.

        Args:
            id: Dataset id.

        Raises:
            InvalidArgumentError: The id cannot be one.

        Source: https://dev.hume.ai/reference/custom-models-api/datasets/delete-dataset
        """
        await self._session.call(fill(catalog.DATASETS_DELETE, id))

    def list_versions(
        self,
        id: str,
        *,
        page_number: int = 0,
        page_size: int | None = None,
        shared_assets: bool | None = None,
        prefetch: int = 0,
    ) -> Pages[DatasetVersion, DatasetVersionPage]:
        """List the versions of a dataset.

        Costs one request a page.

        Args:
            id: Dataset id.
            page_number: Page to begin with; the first is 0.
            page_size: Versions a page, 1 or more.
            shared_assets: Also what others share with the account; off if left out.
            prefetch: Pages to fetch ahead, once their number is known.

        Returns:
            Pages of versions.

        Raises:
            InvalidArgumentError: The id cannot be one, or a number is out of range.

        Source: https://dev.hume.ai/reference/custom-models-api/datasets/list-dataset-versions
        """
        call = fill(catalog.DATASETS_LIST_VERSIONS, id, query={"shared_assets": shared_assets})
        return NumberedPages(self._session, call, page_number, page_size, prefetch)

    def list_files(
        self,
        id: str,
        *,
        page_number: int = 0,
        page_size: int | None = None,
        shared_assets: bool | None = None,
        prefetch: int = 0,
    ) -> Pages[FileWithAttributes, FilePage]:
        """List the files of a dataset's newest version.

        Costs one request a page. Hume's reference has an array of pages here, probably by a
        slip: an array is read as one page of all their items.

        Args:
            id: Dataset id; the documented table calls it a version's.
            page_number: Page to begin with; the first is 0.
            page_size: Files a page, 1 or more.
            shared_assets: Also what others share with the account; off if left out.
            prefetch: Pages to fetch ahead, once their number is known.

        Returns:
            Pages of files.

        Raises:
            InvalidArgumentError: The id cannot be one, or a number is out of range.

        Source: https://dev.hume.ai/reference/custom-models-api/datasets/list-dataset-files
        """
        call = fill(catalog.DATASETS_LIST_FILES, id, query={"shared_assets": shared_assets})
        return NumberedPages(self._session, call, page_number, page_size, prefetch)

    async def get_version(self, id: str) -> DatasetLabels:
        """Fetch one version of a dataset.

        Costs one request.

        Args:
            id: Dataset version id.

        Raises:
            InvalidArgumentError: The id cannot be one.

        Source: https://dev.hume.ai/reference/custom-models-api/datasets/get-dataset-version
        """
        return await self._session.call(fill(catalog.DATASETS_GET_VERSION, id))

    def list_version_files(
        self,
        id: str,
        *,
        page_number: int = 0,
        page_size: int | None = None,
        shared_assets: bool | None = None,
        prefetch: int = 0,
    ) -> Pages[FileWithAttributes, FilePage]:
        """List the files of one version of a dataset.

        Costs one request a page. An array of pages is read as for `list_files`.

        Args:
            id: Dataset version id.
            page_number: Page to begin with; the first is 0.
            page_size: Files a page, 1 or more.
            shared_assets: Also what others share with the account; off if left out.
            prefetch: Pages to fetch ahead, once their number is known.

        Returns:
            Pages of files.

        Raises:
            InvalidArgumentError: The id cannot be one, or a number is out of range.

        Source: https://dev.hume.ai/reference/custom-models-api/datasets/get-dataset-version
        """
        call = fill(catalog.DATASETS_LIST_VERSION_FILES, id, query={"shared_assets": shared_assets})
        return NumberedPages(self._session, call, page_number, page_size, prefetch)


def _check_given(labels_file: File | None) -> None:
    if labels_file is None:
        raise InvalidArgumentError("a dataset needs its labels_file", field="labels_file")


async def _parts(
    labels_file: File | None, feature_types: File | Mapping[str, FeatureType | str] | None
) -> list[Part]:
    """Make the parts of the two files."""
    if isinstance(labels_file, bytes):
        labels_file = Upload(labels_file, "labels.csv", "text/csv")
    if isinstance(feature_types, Mapping):
        table = codec.encode(cast("object", feature_types))
        feature_types = Upload(table, "feature_types.json", "application/json")
    files = {"labels_file": labels_file, "feature_types": feature_types}
    return [
        await as_part(file, name=name, argument=name)
        for name, file in files.items()
        if file is not None
    ]
