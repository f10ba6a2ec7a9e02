"""The endpoints of the custom models: datasets, files and models; their jobs stand beside it.

A constant is named for the method that calls it: `DATASETS_LIST` belongs to `datasets.list`.
Where the documented table is wrong about Hume, the constant does what Hume does and a comment
beside it says so. It knows neither hosts nor credentials; resources fill its constants in.
"""

from __future__ import annotations

from humeai_async.catalog.product import NOTHING, PAGE, REGISTRY
from humeai_async.http.endpoint import Encoding, Endpoint
from humeai_async.types.paging import Items, OneOrMany
from humeai_async.types.registry import (
    Dataset,
    DatasetLabels,
    DatasetPage,
    DatasetVersionPage,
    FilePage,
    FileWithAttributes,
    Model,
    ModelPage,
    ModelVersion,
)

_SHARED = (*PAGE, "shared_assets")
_DATASET = ("labels_file", "feature_types")

# An entry reads like a row of the reference: what, where, what comes back; then the rest.
# fmt: off

DATASETS_LIST = Endpoint(
    "datasets.list", "GET", "/v0/registry/datasets", DatasetPage, **REGISTRY,
    row="List datasets", docs="datasets/list-datasets", query=("name", *_SHARED), items="content")
# The table has JSON and calls the file optional; Hume takes multipart with the file.
DATASETS_CREATE = Endpoint(
    "datasets.create", "POST", "/v0/registry/datasets", Dataset, **REGISTRY,
    row="Create dataset", docs="datasets/create-dataset",
    body=("name", *_DATASET), encoding=Encoding.MULTIPART)
DATASETS_GET = Endpoint(
    "datasets.get", "GET", "/v0/registry/datasets/{id}", Dataset, **REGISTRY,
    row="Get dataset", docs="datasets/get-dataset")
# Multipart again. The reference gives an array, unlike for `datasets.create`; a single object
# is accepted too.
DATASETS_CREATE_VERSION = Endpoint(
    "datasets.create_version", "POST", "/v0/registry/datasets/{id}", OneOrMany[Dataset], **REGISTRY,
    row="Create dataset version", docs="datasets/create-dataset-version",
    body=_DATASET, encoding=Encoding.MULTIPART)
DATASETS_DELETE = Endpoint(
    "datasets.delete", "DELETE", "/v0/registry/datasets/{id}", NOTHING, **REGISTRY,
    row="Delete dataset", docs="datasets/delete-dataset")
DATASETS_LIST_VERSIONS = Endpoint(
    "datasets.list_versions", "GET", "/v0/registry/datasets/{id}/versions", DatasetVersionPage,
    **REGISTRY, row="List dataset versions", docs="datasets/list-dataset-versions",
    query=_SHARED, items="content")
# The reference gives an array of pages here, probably by mistake: one page and an array of
# pages are both accepted. The table calls id a dataset version's; it is the dataset's.
DATASETS_LIST_FILES = Endpoint(
    "datasets.list_files", "GET", "/v0/registry/datasets/{id}/files", FilePage, **REGISTRY,
    row="List dataset files", docs="datasets/list-dataset-files", query=_SHARED, items="content")
DATASETS_GET_VERSION = Endpoint(
    "datasets.get_version", "GET", "/v0/registry/datasets/version/{id}", DatasetLabels, **REGISTRY,
    row="Get dataset version", docs="datasets/get-dataset-version")
# One page or an array of pages, as above. The table's link is that of the row before; no better
# one is known.
DATASETS_LIST_VERSION_FILES = Endpoint(
    "datasets.list_version_files", "GET", "/v0/registry/datasets/version/{id}/files", FilePage,
    **REGISTRY, row="List dataset version files", docs="datasets/get-dataset-version",
    query=_SHARED, items="content")
FILES_LIST = Endpoint(
    "files.list", "GET", "/v0/registry/files", FilePage, **REGISTRY,
    row="List files", docs="files/list-files", query=_SHARED, items="content")
# Arrays both ways, of objects with these fields; the table has one object. Only registers: the
# bytes go to the `upload_uri` of the response.
FILES_CREATE = Endpoint(
    "files.create", "POST", "/v0/registry/files", Items[FileWithAttributes], **REGISTRY,
    row="Create files", docs="files/create-files", body=("file", "attributes"))
# The table has JSON; Hume takes multipart.
FILES_UPLOAD = Endpoint(
    "files.upload", "POST", "/v0/registry/files/upload", FileWithAttributes, **REGISTRY,
    row="Upload file", docs="files/upload-file",
    body=("file", "attributes"), encoding=Encoding.MULTIPART)
FILES_GET = Endpoint(
    "files.get", "GET", "/v0/registry/files/{id}", FileWithAttributes, **REGISTRY,
    row="Get file", docs="files/get-file")
FILES_DELETE = Endpoint(
    "files.delete", "DELETE", "/v0/registry/files/{id}", NOTHING, **REGISTRY,
    row="Delete file", docs="files/delete-file")
# The name goes into the query; the table has it in the body.
FILES_UPDATE_NAME = Endpoint(
    "files.update_name", "PATCH", "/v0/registry/files/{id}", FileWithAttributes, **REGISTRY,
    row="Update file name", docs="files/update-file-name", query=("name",))
# No form of the response was ever published; it probably is that of BATCH_GET_PREDICTIONS.
FILES_GET_PREDICTIONS = Endpoint(
    "files.get_predictions", "GET", "/v0/registry/files/{id}/predictions", object, **REGISTRY,
    row="Get file predictions", docs="files/get-file-predictions")
MODELS_LIST = Endpoint(
    "models.list", "GET", "/v0/registry/models", ModelPage, **REGISTRY,
    row="List models", docs="models/list-models", query=("name", *_SHARED), items="content")
MODELS_GET = Endpoint(
    "models.get", "GET", "/v0/registry/models/{id}", Model, **REGISTRY,
    row="Get model details", docs="models/get-model-details")
# The name goes into the query; the table has it in the body.
MODELS_UPDATE_NAME = Endpoint(
    "models.update_name", "PATCH", "/v0/registry/models/{id}", Model, **REGISTRY,
    row="Update model name", docs="models/update-model-name", query=("name",))
# A bare array without pages. id is a filter that may be given again and again; the table has
# one text.
MODELS_LIST_VERSIONS = Endpoint(
    "models.list_versions", "GET", "/v0/registry/models/version", Items[ModelVersion], **REGISTRY,
    row="List model versions", docs="models/list-model-versions",
    query=("id", "name", "version", "shared_assets"))
MODELS_GET_VERSION = Endpoint(
    "models.get_version", "GET", "/v0/registry/models/version/{id}", ModelVersion, **REGISTRY,
    row="Get model version", docs="models/get-model-version", query=("shared_assets",))
# The body is the description itself, as a bare JSON text; the table has no body.
MODELS_UPDATE_VERSION_DESCRIPTION = Endpoint(
    "models.update_version_description", "PATCH", "/v0/registry/models/version/{id}", ModelVersion,
    **REGISTRY, row="Update model description", docs="models/update-model-description",
    encoding=Encoding.BARE_JSON)

# fmt: on
