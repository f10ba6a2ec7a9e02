"""Datasets, files, custom models and their jobs."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from raw_client import RawClient, open_raw_client

from humeai_async.testing import ManualClock, Options

pytestmark = pytest.mark.anyio

LABELS = b"file,label,age\ncall-001.wav,happy,31\ncall-002.wav,sad,44\n"
DATASETS, FILES, MODELS = "/v0/registry/datasets", "/v0/registry/files", "/v0/registry/models"


def labels(name: str | None = "Call moods") -> aiohttp.FormData:
    form = aiohttp.FormData()
    if name is not None:
        form.add_field("name", name)
    form.add_field("labels_file", LABELS, filename="labels.csv", content_type="text/csv")
    return form


async def create_files(call: RawClient, *names: str) -> Any:
    body = [
        {
            "file": {"name": name, "data_type": "audio", "hume_storage": True},
            "attributes": [{"name": "channel", "value": "left"}],
        }
        for name in names
    ]
    reply = await call("POST", FILES, json=body)
    assert reply.status == 201
    return reply.json


async def test_a_dataset_is_made_of_a_labels_file() -> None:
    async with open_raw_client() as call:
        made = await call("POST", DATASETS, data=labels())
        got = await call("GET", DATASETS + "/{id}", made.json["id"])
    assert made.status == 201
    assert made.json == got.json
    version = made.json["latest_version"]
    assert version["dataset_version"] == 0
    assert version["feature_types"] == {
        "file": "CATEGORICAL",
        "label": "CATEGORICAL",
        "age": "NUMERIC",
    }


async def test_a_new_version_answers_a_list_of_datasets() -> None:
    async with open_raw_client() as call:
        made = (await call("POST", DATASETS, data=labels())).json
        reply = await call("POST", DATASETS + "/{id}", made["id"], data=labels(None))
        versions = (await call("GET", DATASETS + "/{id}/versions", made["id"])).json
        ids = [version["id"] for version in versions["content"]]
        shown = [(await call("GET", DATASETS + "/version/{id}", one)).json for one in ids]
    assert reply.status == 200
    assert reply.json[0]["latest_version"]["dataset_version"] == 1
    assert [version["dataset_version"] for version in versions["content"]] == [0, 1]
    assert [version["is_most_recent_version"] for version in shown] == [False, True]
    assert shown[0]["feature_type_json_uri"].endswith(".json")


async def test_a_dataset_lists_the_files_its_labels_name() -> None:
    async with open_raw_client() as call:
        await create_files(call, "call-001.wav", "other.wav", "call-002.wav")
        made = (await call("POST", DATASETS, data=labels())).json
        of_set = (await call("GET", DATASETS + "/{id}/files", made["id"])).json
        version = made["latest_version"]["id"]
        of_version = (await call("GET", DATASETS + "/version/{id}/files", version)).json
    (page,) = of_set
    assert [item["file"]["name"] for item in page["content"]] == ["call-001.wav", "call-002.wav"]
    assert of_version == of_set


async def test_dataset_files_may_be_one_page() -> None:
    async with open_raw_client(options=Options(dataset_files_as="page")) as call:
        made = (await call("POST", DATASETS, data=labels())).json
        page = (await call("GET", DATASETS + "/{id}/files", made["id"])).json
    assert page["content"] == []
    assert page["empty"] is True


@pytest.mark.parametrize("missing", ["name", "labels_file"])
async def test_a_dataset_without_a_part_is_refused(missing: str) -> None:
    form = aiohttp.FormData()
    if missing != "name":
        form.add_field("name", "n")
    if missing != "labels_file":
        form.add_field("labels_file", LABELS, filename="labels.csv")
    form.add_field("file", b"", filename="x")
    async with open_raw_client() as call:
        reply = await call("POST", DATASETS, data=form)
    assert reply.status == 400
    assert missing in reply.json["message"]


async def test_a_deleted_dataset_is_gone() -> None:
    async with open_raw_client() as call:
        made = (await call("POST", DATASETS, data=labels())).json["id"]
        reply = await call("DELETE", DATASETS + "/{id}", made)
        assert (reply.status, reply.body) == (204, b"")
        for tail in ("", "/versions", "/files"):
            assert (await call("GET", DATASETS + "/{id}" + tail, made)).status == 404


async def test_registry_pages_are_spring_pages() -> None:
    async with open_raw_client() as call:
        await create_files(call, *(f"f{number}" for number in range(5)))
        pages = [
            (await call("GET", FILES, query={"page_number": str(n), "page_size": "2"})).json
            for n in range(3)
        ]
    assert [page["number_of_elements"] for page in pages] == [2, 2, 1]
    assert [page["last"] for page in pages] == [False, False, True]
    assert [page["first"] for page in pages] == [True, False, False]
    assert {page["total_pages"] for page in pages} == {3}
    assert {page["total_elements"] for page in pages} == {5}
    assert pages[1]["pageable"]["offset"] == 2


async def test_created_files_say_where_to_put_their_bytes() -> None:
    async with open_raw_client() as call:
        (made,) = await create_files(call, "call-001.wav")
        got = (await call("GET", FILES + "/{id}", made["file"]["id"])).json
    assert made["file"]["upload_uri"].startswith("https://upload.example.com/")
    assert made["attributes"] == [{"name": "channel", "value": "left"}]
    assert got == made


@pytest.mark.parametrize(
    "body", [{}, [], [{}], [{"file": {"name": "x"}}], [{"file": {"name": "x"}, "attributes": 1}]]
)
async def test_bad_files_are_refused(body: object) -> None:
    async with open_raw_client() as call:
        assert (await call("POST", FILES, json=body)).status == 400


async def test_an_uploaded_file_is_kept_and_checksummed() -> None:
    form = aiohttp.FormData()
    form.add_field("file", b"RIFF", filename="a.wav", content_type="audio/wav")
    form.add_field("attributes", '[{"name": "channel", "value": "right"}]')
    async with open_raw_client() as call:
        reply = await call("POST", FILES + "/upload", data=form)
        assert call.fake.uploads[0].content == b"RIFF"
    assert reply.status == 201
    assert reply.json["file"]["data_type"] == "audio"
    assert reply.json["file"]["upload_uri"] is None
    assert reply.json["attributes"][0]["value"] == "right"


async def test_a_file_is_renamed_in_the_query_and_deleted() -> None:
    async with open_raw_client() as call:
        (made,) = await create_files(call, "old.wav")
        file = made["file"]["id"]
        renamed = await call("PATCH", FILES + "/{id}", file, query={"name": "new.wav"})
        refused = await call("PATCH", FILES + "/{id}", file, json={"name": "newer.wav"})
        predictions = await call("GET", FILES + "/{id}/predictions", file)
        assert (await call("DELETE", FILES + "/{id}", file)).status == 204
        assert (await call("GET", FILES + "/{id}", file)).status == 404
    assert renamed.json["file"]["name"] == "new.wav"
    assert refused.status == 400
    assert predictions.json[0]["source"]["url"].endswith("old.wav")


async def test_models_are_renamed_in_the_query_and_described_by_a_bare_string() -> None:
    async with open_raw_client() as call:
        (model,) = (await call("GET", MODELS)).json["content"]
        renamed = await call("PATCH", MODELS + "/{id}", model["id"], query={"name": "v2"})
        version = model["latest_version"]["id"]
        path = MODELS + "/version/{id}"
        described = await call("PATCH", path, version, json="spring calls")
        refused = await call("PATCH", path, version, json={"description": "x"})
        got = await call("GET", path, version, query={"shared_assets": "true"})
        shown = await call("GET", MODELS + "/{id}", model["id"])
    assert renamed.json["name"] == shown.json["name"] == "v2"
    assert described.json["description"] == got.json["description"] == "spring calls"
    assert refused.status == 400


async def test_model_versions_are_a_bare_list_with_a_repeated_filter() -> None:
    async with open_raw_client() as call:
        (model,) = (await call("GET", MODELS)).json["content"]
        path = MODELS + "/version"
        everything = (await call("GET", path)).json
        chosen = (await call("GET", path, query=[("id", "x"), ("id", model["id"])])).json
        first = (await call("GET", path, query={"version": "0"})).json
        none = (await call("GET", path, query={"id": "x"})).json
    assert [version["version"] for version in everything] == ["0", "1"]
    assert chosen == everything
    assert first == everything[:1]
    assert none == []


@pytest.mark.parametrize("prefix", ["/v0/registry", ""])
async def test_a_trained_model_appears_when_its_job_has_ended(prefix: str) -> None:
    clock = ManualClock()
    async with open_raw_client(
        clock=clock, run_seconds=5.0, options=Options(samples=False)
    ) as call:
        body = {"custom_model": {"name": "Moods"}, "dataset": {"id": "d"}}
        reply = await call("POST", prefix + "/v0/batch/jobs/tl/train", json=body)
        job = reply.json["job_id"]
        assert (await call("GET", MODELS)).json["content"] == []
        clock.advance(5.0)
        (model,) = (await call("GET", MODELS)).json["content"]
        details = (await call("GET", "/v0/batch/jobs/{id}", job)).json
        listed = (await call("GET", "/v0/batch/jobs", query={"type": "TRAINING"})).json
    assert details["type"] == "TRAINING"
    assert details["state"]["custom_model"] == {
        "id": model["id"],
        "version_id": model["latest_version"]["id"],
    }
    assert model["latest_version"]["training_job_id"] == job
    assert listed == [details]


@pytest.mark.parametrize("prefix", ["/v0/registry", ""])
async def test_a_custom_model_runs_over_urls(prefix: str) -> None:
    async with open_raw_client() as call:
        (model,) = (await call("GET", MODELS)).json["content"]
        body = {
            "custom_model": {"version_id": model["latest_version"]["id"]},
            "urls": ["https://a.example/x.mp3"],
        }
        reply = await call("POST", prefix + "/v0/batch/jobs/tl/inference", json=body)
        job = reply.json["job_id"]
        details = (await call("GET", "/v0/batch/jobs/{id}", job)).json
        (element,) = (await call("GET", "/v0/batch/jobs/{id}/predictions", job)).json
    assert details["type"] == "TL_INFERENCE"
    assert details["state"]["num_predictions"] == 1
    (file,) = element["results"]["predictions"]
    output = file["custom_models"][model["name"]]["output"]
    assert sum(output.values()) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("train", {"dataset": {"id": "d"}}),
        ("train", {"custom_model": {}, "dataset": {"id": "d"}}),
        ("train", {"custom_model": {"name": "n"}, "dataset": {}}),
        (
            "train",
            {"custom_model": {"name": "n"}, "dataset": {"id": "d"}, "task": {"type": "sorting"}},
        ),
        ("inference", {"custom_model": {}, "urls": ["https://a.example/x"]}),
        ("inference", {"urls": ["https://a.example/x"]}),
    ],
)
async def test_bad_model_jobs_are_refused(path: str, body: dict[str, Any]) -> None:
    async with open_raw_client() as call:
        reply = await call("POST", f"/v0/registry/v0/batch/jobs/tl/{path}", json=body)
    assert reply.status == 400


@pytest.mark.parametrize("attributes", ["{", "{}", '[{"name": "x"}]'])
async def test_bad_attributes_of_an_upload_are_refused(attributes: str) -> None:
    form = aiohttp.FormData()
    form.add_field("file", b"RIFF", filename="a.wav")
    form.add_field("attributes", attributes)
    async with open_raw_client() as call:
        assert (await call("POST", FILES + "/upload", data=form)).status == 400


async def test_feature_types_may_be_given() -> None:
    form = labels()
    form.add_field("feature_types", '{"age": "TEXT"}')
    async with open_raw_client() as call:
        made = (await call("POST", DATASETS, data=form)).json
    assert made["latest_version"]["feature_types"]["age"] == "TEXT"


@pytest.mark.parametrize("given", ["[", "[]", '{"age": "COLOUR"}'])
async def test_bad_feature_types_are_refused(given: str) -> None:
    form = labels()
    form.add_field("feature_types", given)
    async with open_raw_client() as call:
        assert (await call("POST", DATASETS, data=form)).status == 400
