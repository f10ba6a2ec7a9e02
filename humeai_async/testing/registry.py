"""The registry endpoints for datasets and files; custom models are in `custom_models`.

Datasets are made of a labels file in CSV, files are metadata with attributes. It knows no
URL but those it hands to the upstream application.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from typing import Any

from attrs import define, field

from humeai_async.testing.custom_models import CustomModels
from humeai_async.testing.exchange import (
    Arrival,
    FakeResponse,
    FormPart,
    Record,
    Refusal,
    as_list,
    as_record,
    found,
    invalid,
    json_response,
    read_json,
)
from humeai_async.testing.jobs import JobStore
from humeai_async.testing.paging import spring
from humeai_async.testing.predictions import Recipe, predict_source
from humeai_async.testing.sources import Source
from humeai_async.testing.world import World

_MOST_BYTES = 100 * 1024 * 1024
_FEATURE_TYPES = frozenset({"CATEGORICAL", "NUMERIC", "TEXT", "DATETIME", "UNDEFINED"})


@define
class _Dataset:
    id: str
    name: str
    versions: list[Record] = field(factory=list[Record])
    labels: dict[str, frozenset[str]] = field(factory=dict[str, frozenset[str]])
    """Every cell of the labels file, by version id: the files it names are among them."""

    def record(self) -> Record:
        newest = self.versions[-1]
        return {
            "id": self.id,
            "name": self.name,
            "latest_version": newest,
            "modified_on": newest["created_on"],
            "metadata": None,
        }


class Registry:
    """Everything under `/v0/registry`."""

    def __init__(self, world: World, jobs: JobStore) -> None:
        self.files: dict[str, Record] = {}
        """Files with their attributes, by id."""
        self.models: CustomModels = CustomModels(world, jobs)
        self._datasets: dict[str, _Dataset] = {}
        self._world = world

    def routes(self) -> dict[str, Callable[..., FakeResponse]]:
        """Return all handlers."""
        datasets, files = "/v0/registry/datasets", "/v0/registry/files"
        return {
            **self.models.routes(),
            f"GET {datasets}": self.list_datasets,
            f"POST {datasets}": self.create_dataset,
            f"GET {datasets}/{{id}}": self.get_dataset,
            f"POST {datasets}/{{id}}": self.create_dataset_version,
            f"DELETE {datasets}/{{id}}": self.delete_dataset,
            f"GET {datasets}/{{id}}/versions": self.list_dataset_versions,
            f"GET {datasets}/{{id}}/files": self.list_dataset_files,
            f"GET {datasets}/version/{{id}}": self.get_dataset_version,
            f"GET {datasets}/version/{{id}}/files": self.list_version_files,
            f"GET {files}": self.list_files,
            f"POST {files}": self.create_files,
            f"POST {files}/upload": self.upload_file,
            f"GET {files}/{{id}}": self.get_file,
            f"DELETE {files}/{{id}}": self.delete_file,
            f"PATCH {files}/{{id}}": self.update_file_name,
            f"GET {files}/{{id}}/predictions": self.file_predictions,
        }

    def list_datasets(self, arrival: Arrival) -> FakeResponse:
        """GET /v0/registry/datasets."""
        name = arrival.first("name")
        found = [d for d in self._datasets.values() if name is None or d.name == name]
        return json_response(spring(arrival, found, _Dataset.record))

    def create_dataset(self, arrival: Arrival) -> FakeResponse:
        """POST /v0/registry/datasets: multipart with `name` and `labels_file`."""
        part = arrival.part("name")
        name = part.content.decode("utf-8", "replace") if part is not None else ""
        if not name:
            raise invalid("The part name is required")
        cells, features = _labels(arrival)
        dataset = _Dataset(self._world.new_id("dataset"), name)
        self._add_version(dataset, cells, features)
        self._datasets[dataset.id] = dataset
        return json_response(dataset.record(), 201)

    def get_dataset(self, _: Arrival, id: str) -> FakeResponse:
        """GET /v0/registry/datasets/{id}."""
        return json_response(self._dataset(id).record())

    def create_dataset_version(self, arrival: Arrival, id: str) -> FakeResponse:
        """POST /v0/registry/datasets/{id}: the response is a list, as documented."""
        dataset = self._dataset(id)
        self._add_version(dataset, *_labels(arrival))
        return json_response([dataset.record()])

    def delete_dataset(self, _: Arrival, id: str) -> FakeResponse:
        """DELETE /v0/registry/datasets/{id}."""
        self._dataset(id)
        del self._datasets[id]
        return FakeResponse(204)

    def list_dataset_versions(self, arrival: Arrival, id: str) -> FakeResponse:
        """GET /v0/registry/datasets/{id}/versions."""
        return json_response(spring(arrival, self._dataset(id).versions, dict[str, Any]))

    def list_dataset_files(self, arrival: Arrival, id: str) -> FakeResponse:
        """GET /v0/registry/datasets/{id}/files: those of its newest version."""
        dataset = self._dataset(id)
        return self._files_page(arrival, dataset.labels[dataset.versions[-1]["id"]])

    def get_dataset_version(self, _: Arrival, id: str) -> FakeResponse:
        """GET /v0/registry/datasets/version/{id}."""
        dataset, version = self._dataset_version(id)
        shown = {name: value for name, value in version.items() if name != "feature_types"}
        uri = version["labels_file_uri"].removesuffix(".csv") + ".json"
        newest = version is dataset.versions[-1]
        return json_response(
            {**shown, "feature_type_json_uri": uri, "is_most_recent_version": newest}
        )

    def list_version_files(self, arrival: Arrival, id: str) -> FakeResponse:
        """GET /v0/registry/datasets/version/{id}/files."""
        dataset, _ = self._dataset_version(id)
        return self._files_page(arrival, dataset.labels[id])

    def list_files(self, arrival: Arrival) -> FakeResponse:
        """GET /v0/registry/files."""
        return json_response(spring(arrival, list(self.files.values()), dict[str, Any]))

    def create_files(self, arrival: Arrival) -> FakeResponse:
        """POST /v0/registry/files: a list in, a list out; metadata only."""
        items = as_list(arrival.json())
        if not items:
            raise invalid("The payload must be a list of files")
        made = [_posted_file(item) for item in items]
        return json_response([self._add_file(*fields) for fields in made], 201)

    def upload_file(self, arrival: Arrival) -> FakeResponse:
        """POST /v0/registry/files/upload: multipart with `file` and optional `attributes`."""
        part = arrival.part("file")
        if part is None or part.filename is None:
            raise invalid("The part file is required")
        if part.size > _MOST_BYTES:
            raise Refusal(413, "The file is over 100 MB", "E0101")
        self._world.uploads.append(part)
        attributes = arrival.part("attributes")
        listed = _attributes(_json_of(attributes) if attributes else None)
        kind = (part.content_type or "").partition("/")[0]
        fields: Record = {
            "name": part.filename,
            "data_type": kind if kind in {"audio", "image", "text"} else "video",
            "hume_storage": True,
        }
        record = self._add_file(fields, listed)
        record["file"]["upload_uri"] = None
        record["file"]["hume_storage_upload_timestamp"] = self._world.now_ms()
        return json_response(record, 201)

    def get_file(self, _: Arrival, id: str) -> FakeResponse:
        """GET /v0/registry/files/{id}."""
        return json_response(self._file(id))

    def delete_file(self, _: Arrival, id: str) -> FakeResponse:
        """DELETE /v0/registry/files/{id}."""
        self._file(id)
        del self.files[id]
        return FakeResponse(204)

    def update_file_name(self, arrival: Arrival, id: str) -> FakeResponse:
        """PATCH /v0/registry/files/{id}: the name stands in the query."""
        record, name = self._file(id), arrival.first("name")
        if not name:
            raise invalid("The query field name is required")
        record["file"]["name"] = name
        record["file"]["modified_on"] = self._world.now_ms()
        return json_response(record)

    def file_predictions(self, _: Arrival, id: str) -> FakeResponse:
        """GET /v0/registry/files/{id}/predictions: shaped like a job's, which is a guess."""
        source = Source.of_url(str(self._file(id)["file"]["uri"]))
        return json_response([predict_source(source, Recipe({"burst": {}}))])

    def _dataset(self, id: str) -> _Dataset:
        return found(self._datasets, id, "dataset")

    def _dataset_version(self, id: str) -> tuple[_Dataset, Record]:
        for dataset in self._datasets.values():
            for version in dataset.versions:
                if version["id"] == id:
                    return dataset, version
        raise Refusal(404, f"dataset version {id} not found", "E0404")

    def _file(self, id: str) -> Record:
        return found(self.files, id, "file")

    def _add_version(self, dataset: _Dataset, cells: frozenset[str], features: Record) -> None:
        number = len(dataset.versions)
        version: Record = {
            "id": self._world.new_id("dataset-version"),
            "user_id": self._world.user_id,
            "labels_file_uri": f"s3://assets.example/labels/{dataset.id}/{number}.csv",
            "feature_types": features,
            "dataset_id": dataset.id,
            "dataset_version": number,
            "created_on": self._world.now_ms(),
        }
        dataset.versions.append(version)
        dataset.labels[version["id"]] = cells

    def _add_file(self, fields: Record, attributes: list[Record]) -> Record:
        file_id, now = self._world.new_id("file"), self._world.now_ms()
        name, stored = fields["name"], bool(fields["hume_storage"])
        upload_uri = f"https://upload.example.com/f/{file_id}?signature=abc" if stored else None
        file: Record = {
            "id": file_id,
            "name": name,
            "uri": fields.get("uri") or f"https://assets.example.com/f/{name}",
            "upload_uri": upload_uri,
            "thumbnail_uri": None,
            "user_id": self._world.user_id,
            "data_type": fields["data_type"],
            "created_on": now,
            "modified_on": now,
            "metadata": None,
            "hume_storage": stored,
            "hume_storage_upload_timestamp": None,
            "is_sanitized": False,
            "is_owned_by_reader": True,
            "is_linked_to_publicly_shared": False,
            "is_linked_to_hume_model": False,
        }
        self.files[file_id] = {"file": file, "attributes": attributes}
        return self.files[file_id]

    def _files_page(self, arrival: Arrival, named: frozenset[str]) -> FakeResponse:
        """Return the files that a labels file names, by id or by name."""
        found = [
            record
            for file_id, record in self.files.items()
            if file_id in named or record["file"]["name"] in named
        ]
        page = spring(arrival, found, dict[str, Any])
        return json_response([page] if self._world.options.dataset_files_as == "list" else page)


def _labels(arrival: Arrival) -> tuple[frozenset[str], Record]:
    """Read the labels file: all its cells, and the type of each column."""
    part = arrival.part("labels_file")
    if part is None:
        raise invalid("The part labels_file is required")
    text = part.content.decode("utf-8-sig", "replace")
    try:
        rows = list(csv.reader(io.StringIO(text, newline="")))
    except csv.Error as problem:
        raise invalid(f"labels_file is no CSV: {problem}") from None
    if not rows or not rows[0]:
        raise invalid("labels_file has no header")
    given = arrival.part("feature_types")
    features = _feature_types(given) if given else {}
    for place, column in enumerate(rows[0]):
        cells = [row[place] for row in rows[1:] if place < len(row)]
        features.setdefault(column, "NUMERIC" if _are_numbers(cells) else "CATEGORICAL")
    return frozenset(cell for row in rows[1:] for cell in row), features


def _feature_types(part: FormPart) -> Record:
    types = as_record(_json_of(part))
    if types is None:
        raise invalid("feature_types must be a JSON object")
    for name, value in types.items():
        if str(value) not in _FEATURE_TYPES:
            raise invalid(f"feature_types: {name} is {value!r}")
    return types


def _json_of(part: FormPart) -> Any:
    return read_json(part.content, f"The part {part.name}")


def _are_numbers(cells: Iterable[str]) -> bool:
    listed = list(cells)
    try:
        for cell in listed:
            float(cell)
    except ValueError:
        return False
    return bool(listed)


def _posted_file(item: object) -> tuple[Record, list[Record]]:
    posted = as_record(item) or {}
    file = as_record(posted.get("file")) or {}
    for name in ("name", "data_type", "hume_storage"):
        if name not in file:
            raise invalid(f"file.{name} is required")
    for name in ("name", "data_type", "uri"):
        if not isinstance(file.get(name, ""), str):
            raise invalid(f"file.{name} must be a string")
    return file, _attributes(posted.get("attributes"))


def _attributes(given: object) -> list[Record]:
    if given is None:
        return []
    attributes = [as_record(attribute) or {} for attribute in as_list(given) or [None]]
    if any({"name", "value"} != attribute.keys() for attribute in attributes):
        raise invalid("attributes must be a list of name and value")
    return attributes
