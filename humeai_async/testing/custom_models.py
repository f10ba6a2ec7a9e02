"""Custom models, and the jobs that train and run them.

A model appears when the job that trains it has ended. It knows no URL but those it hands
out; the registry passes them on to the upstream application.
"""

from __future__ import annotations

from collections.abc import Callable

from humeai_async.testing.exchange import (
    Arrival,
    FakeResponse,
    Record,
    Refusal,
    as_list,
    as_record,
    found,
    invalid,
    json_response,
)
from humeai_async.testing.jobs import JobStore
from humeai_async.testing.jobstate import FakeJob
from humeai_async.testing.paging import spring
from humeai_async.testing.requests import check_urls, read_notices, read_strings
from humeai_async.testing.sources import Source
from humeai_async.testing.world import World

_TASKS = frozenset({"classification", "regression"})


class CustomModels:
    """All custom models of one fake."""

    def __init__(self, world: World, jobs: JobStore) -> None:
        self.models: dict[str, list[Record]] = {}
        """Versions of each model by id, oldest first; each version carries its model."""
        self._names: dict[str, str] = {}
        self._world = world
        self._jobs = jobs
        self._in_training: list[FakeJob] = []
        if world.options.samples:
            model = self._add("Call mood model", world.new_id("sample-dataset"), "label", None)
            self._add_version(model, world.new_id("sample-dataset"), "label", None)

    def routes(self) -> dict[str, Callable[..., FakeResponse]]:
        """Return all handlers; those of the jobs under both prefixes that Hume ever had."""
        models = "/v0/registry/models"
        return {
            f"GET {models}": self.list_models,
            f"GET {models}/{{id}}": self.get,
            f"PATCH {models}/{{id}}": self.update_name,
            f"GET {models}/version": self.list_versions,
            f"GET {models}/version/{{id}}": self.get_version,
            f"PATCH {models}/version/{{id}}": self.update_description,
            "POST /v0/registry/v0/batch/jobs/tl/train": self.start_training,
            "POST /v0/registry/v0/batch/jobs/tl/inference": self.start_inference,
            "POST /v0/batch/jobs/tl/train": self.start_training,
            "POST /v0/batch/jobs/tl/inference": self.start_inference,
        }

    def list_models(self, arrival: Arrival) -> FakeResponse:
        """GET /v0/registry/models."""
        self._settle()
        name = arrival.first("name")
        found = [model for model in self.models if name is None or self._names[model] == name]
        return json_response(spring(arrival, found, self._record))

    def get(self, _: Arrival, id: str) -> FakeResponse:
        """GET /v0/registry/models/{id}."""
        self._find(id)
        return json_response(self._record(id))

    def update_name(self, arrival: Arrival, id: str) -> FakeResponse:
        """PATCH /v0/registry/models/{id}: the name stands in the query."""
        self._find(id)
        name = arrival.first("name")
        if not name:
            raise invalid("The query field name is required")
        self._names[id] = name
        return json_response(self._record(id))

    def list_versions(self, arrival: Arrival) -> FakeResponse:
        """GET /v0/registry/models/version: a bare list; `id` repeats and names models."""
        self._settle()
        wanted, name = set(arrival.every("id")), arrival.first("name")
        number = arrival.first("version")
        return json_response(
            [
                version
                for model, versions in self.models.items()
                for version in versions
                if (not wanted or model in wanted)
                and (name is None or self._names[model] == name)
                and (number is None or version["version"] == number)
            ]
        )

    def get_version(self, arrival: Arrival, id: str) -> FakeResponse:
        """GET /v0/registry/models/version/{id}."""
        arrival.flag("shared_assets", default=False)
        return json_response(self._find_version(id))

    def update_description(self, arrival: Arrival, id: str) -> FakeResponse:
        """PATCH /v0/registry/models/version/{id}: the body is a bare JSON string."""
        version, description = self._find_version(id), arrival.json()
        if not isinstance(description, str):
            raise invalid("The payload must be a JSON string")
        version["description"] = description
        return json_response(version)

    def start_training(self, arrival: Arrival) -> FakeResponse:
        """POST .../tl/train."""
        body = arrival.object()
        model, dataset = _object(body, "custom_model"), _object(body, "dataset")
        if not model.get("name"):
            raise invalid("custom_model.name is required")
        if not (dataset.get("id") or dataset.get("version_id")):
            raise invalid("dataset needs an id or a version_id")
        task = body.get("task")
        if task is not None and str(_object(body, "task").get("type")) not in _TASKS:
            raise invalid("task.type must be classification or regression")
        request: Record = {
            "custom_model": {"description": None, "tags": [], **model},
            "dataset": dataset,
            "target_feature": body.get("target_feature") or "label",
            "task": task,
            "evaluation": body.get("evaluation"),
            "alternatives": body.get("alternatives"),
            **read_notices(body),
        }
        job = self._jobs.make("TRAINING", request, (), model_name=str(model["name"]))
        trained = {"id": self._world.new_id("model"), "version_id": self._world.new_id("model-v")}
        alternatives = {
            str(name): {"id": self._world.new_id("model"), "version_id": None}
            for name in as_list(body.get("alternatives")) or []
        }
        job.result = {"custom_model": trained, "alternatives": alternatives or None}
        self._in_training.append(job)
        return self._jobs.start(job)

    def start_inference(self, arrival: Arrival) -> FakeResponse:
        """POST .../tl/inference."""
        body = arrival.object()
        model = _object(body, "custom_model")
        if not (model.get("id") or model.get("version_id")):
            raise invalid("custom_model needs an id or a version_id")
        self._settle()
        model_id = str(model.get("id") or self._find_version(model["version_id"])["model_id"])
        self._find(model_id)
        urls = read_strings(body, "urls")
        files = read_strings(body, "registry_files")
        check_urls(urls)
        if not (urls or files):
            raise invalid("At least one of urls and registry_files is needed")
        request = {
            "custom_model": model,
            "urls": urls,
            "registry_files": files or None,
            **read_notices(body),
        }
        registered = [f"https://assets.example.com/f/{file}" for file in files]
        sources = tuple(Source.of_url(url) for url in (*urls, *registered))
        name = self._names[model_id]
        return self._jobs.start(self._jobs.make("TL_INFERENCE", request, sources, model_name=name))

    def _settle(self) -> None:
        """Let the models of ended training jobs appear."""
        now = self._world.clock.now()
        for job in self._in_training[:]:
            if job.status(now) in {"QUEUED", "IN_PROGRESS"}:
                continue
            self._in_training.remove(job)
            if job.status(now) == "COMPLETED":
                self._add_trained(job)

    def _add_trained(self, job: FakeJob) -> None:
        trained, request = job.result["custom_model"], job.request
        dataset = request["dataset"].get("version_id") or request["dataset"].get("id")
        model = self._add(
            job.model_name, dataset, request["target_feature"], job.id, id=trained["id"]
        )
        version = self.models[model][0]
        version["id"] = trained["version_id"]
        version["task_type"] = (as_record(request["task"]) or {}).get("type", "classification")
        version["tags"] = request["custom_model"]["tags"] or []
        version["description"] = request["custom_model"]["description"]

    def _add(
        self, name: str, dataset: str, target: str, job_id: str | None, *, id: str | None = None
    ) -> str:
        model = id or self._world.new_id("model")
        self.models[model] = []
        self._names[model] = name
        self._add_version(model, dataset, target, job_id)
        return model

    def _add_version(self, model: str, dataset: str, target: str, job_id: str | None) -> None:
        number = len(self.models[model])
        version: Record = {
            "id": self._world.new_id("model-v"),
            "model_id": model,
            "user_id": self._world.user_id,
            "version": str(number),
            "source_uri": f"s3://assets.example/models/{model}/{number}",
            "dataset_version_id": dataset,
            "created_on": self._world.now_ms(),
            "metadata": None,
            "description": None,
            "tags": [{"key": "team", "value": "support"}],
            "file_type": "audio",
            "target_feature": target,
            "task_type": "classification",
            "training_job_id": job_id,
        }
        self.models[model].append(version)

    def _record(self, id: str) -> Record:
        versions = self.models[id]
        return {
            "id": id,
            "name": self._names[id],
            "created_on": versions[0]["created_on"],
            "modified_on": versions[-1]["created_on"],
            "total_stars": 0,
            "model_is_starred_by_user": False,
            "archived": False,
            "latest_version": versions[-1],
            "is_publicly_shared": False,
        }

    def _find(self, id: str) -> None:
        self._settle()
        found(self.models, id, "model")

    def _find_version(self, id: str) -> Record:
        self._settle()
        for versions in self.models.values():
            for version in versions:
                if version["id"] == id:
                    return version
        raise Refusal(404, f"model version {id} not found", "E0404")


def _object(body: Record, name: str) -> Record:
    value = as_record(body.get(name))
    if value is None:
        raise invalid(f"{name} must be an object")
    return value
