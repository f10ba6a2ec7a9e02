"""How each row of the documented table is called, and what it must send, as data.

A `Case` stands for one row: the call with every argument it has, the ids that belong into the
path, and the query and body that must come of it. The contract test drives them all.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from attrs import field, frozen

from humeai_async import HumeAI, Upload
from humeai_async.testing import Arrival, FakeHume, FormPart
from humeai_async.types.dicts import AttributeDict, FileInputDict

LABELS = b"file,label\ncall.wav,calm\n"
SCHEMA = '{"type": "object", "properties": {}}'


@frozen(kw_only=True)
class Things:
    """What a fake holds before a case begins, by id."""

    config: str
    prompt: str
    tool: str
    job: str
    chat: str
    group: str
    dataset: str
    dataset_version: str
    file: str
    model: str
    model_version: str
    version: int = 0


def furnish(fake: FakeHume) -> Things:
    """Put one thing of each kind into a fake, behind its front."""

    def post(path: str, body: object = None, parts: tuple[FormPart, ...] | None = None) -> Any:
        arrival = Arrival(
            "POST",
            path,
            headers={"x-hume-api-key": fake.api_key},
            body=b"" if body is None else json.dumps(body).encode(),
            parts=parts,
        )
        return json.loads(fake.upstream.handle(arrival).body)

    prompt = {"name": "Narrator", "text": "Be brief."}
    parts = (FormPart.of("name", b"Calls"), FormPart.of("labels_file", LABELS, filename="l.csv"))
    file = {"name": "call.wav", "hume_storage": False, "data_type": "audio"}
    dataset = post("/v0/registry/datasets", parts=parts)
    chat = next(iter(fake.upstream.evi.chats.chats.values()))
    model, versions = next(iter(fake.upstream.registry.models.models.items()))
    return Things(
        config=post("/v0/evi/configs", {"name": "Desk", "evi_version": "3"})["id"],
        prompt=post("/v0/evi/prompts", prompt)["id"],
        tool=post("/v0/evi/tools", {"name": "weather", "parameters": SCHEMA})["id"],
        job=post("/v0/batch/jobs", {"text": ["Hello."], "models": {"language": {}}})["job_id"],
        chat=chat.id,
        group=chat.group_id,
        dataset=dataset["id"],
        dataset_version=dataset["latest_version"]["id"],
        file=post("/v0/registry/files", [{"file": file}])[0]["file"]["id"],
        model=model,
        model_version=versions[0]["id"],
    )


@frozen(kw_only=True)
class Case:
    """One row: the call, and what must come of it."""

    call: Callable[[HumeAI, Things], Awaitable[Any]]
    ids: tuple[str, ...] = ()
    """Fields of `Things` that stand in the path, in its order."""
    query: dict[str, str] = field(factory=dict[str, str])
    body: Any = None
    """JSON body; for uploads the parts by name, text or the bytes of a file."""
    check: Callable[[Any, Things], bool] = lambda _, __: True
    """Looks into the typed answer."""


_PAGE = {"page_number": "0", "page_size": "5"}
_PAGING: dict[str, Any] = {"page_size": 5}
_DIRECTED = {**_PAGE, "ascending_order": "false"}
_SHARED = {**_PAGE, "shared_assets": "true"}
_FILE: FileInputDict = {
    "name": "new.wav",
    "hume_storage": True,
    "data_type": "audio",
    "uri": "s3://a/b",
}
_NAMED: list[AttributeDict] = [{"name": "speaker", "value": "Ada"}]
_PROMPT: dict[str, Any] = {
    "text": "Be kind.",
    "version_description": "kinder",
    "prompt_expansion": {"enabled": False},
}
_TOOL = {
    "parameters": SCHEMA,
    "version_description": "first",
    "description": "Tells the weather.",
    "fallback_content": "No idea.",
}
_CONFIG: dict[str, Any] = {
    "evi_version": "3",
    "version_description": "all of it",
    "prompt": {"text": "Be brief."},
    "voice": {"name": "Library Narrator", "provider": "HUME_AI"},
    "language_model": {"model_provider": "OPEN_AI", "model_resource": "m", "temperature": 0.5},
    "ellm_model": {"allow_short_responses": True},
    "tools": [],
    "builtin_tools": [{"name": "web_search", "fallback_content": "Not now."}],
    "event_messages": {"on_new_chat": {"enabled": True, "text": "Hello!"}},
    "timeouts": {"inactivity": {"enabled": True, "duration_secs": 120}},
    "nudges": {"enabled": True, "interval_secs": 6},
    "interruption": {"min_interruption_ms": 500},
    "turn_detection": {"end_of_turn_silence_ms": 900},
    "webhooks": [{"url": "https://example.com/hook", "events": ["chat_ended"]}],
}
_INFERENCE: dict[str, Any] = {
    "models": {"language": {}},
    "transcription": None,
    "urls": ["https://example.com/a.mp4"],
    "text": ["Hello."],
    "registry_files": ["f"],
    "callback_url": "https://example.com/done",
    "notify": False,
}
_TRAINING: dict[str, Any] = {
    "custom_model": {"name": "Moods", "tags": [{"key": "team", "value": "a"}]},
    "dataset": {"id": "d"},
    "target_feature": "label",
    "task": {"type": "classification"},
    "evaluation": {"validation": {"positive_label": "calm"}},
    "alternatives": ["language_only"],
    "callback_url": "https://example.com/done",
    "notify": True,
}
_CUSTOM: dict[str, Any] = {
    "urls": ["https://example.com/a.mp4"],
    "registry_files": ["f"],
    "callback_url": "https://example.com/done",
    "notify": True,
}


def _custom(things: Things) -> dict[str, Any]:
    return {"custom_model": {"id": things.model}, **_CUSTOM}


def _versioned(kind: str, attribute: str, fields: dict[str, Any]) -> dict[str, Case]:
    """Return the nine cases of configs, prompts or tools."""
    row, new_name = kind.removesuffix("s"), {"name": f"New {kind}"}
    versions = {**_PAGE, "restrict_to_most_recent": "true"}

    def id_of(things: Things) -> str:
        return str(getattr(things, attribute))

    def made(answer: Any, _: Things) -> bool:
        return bool(answer.version == 0 and answer.name == f"New {kind}")

    return {
        f"List {kind}": Case(
            call=lambda hume, _: getattr(hume, kind).list(
                **_PAGING, restrict_to_most_recent=True, name="x"
            ),
            query={**versions, "name": "x"},
            check=lambda page, _: page.total_pages == 0 and len(page) == 0,
        ),
        f"Create {row}": Case(
            call=lambda hume, _: getattr(hume, kind).create(**new_name, **fields),
            body={**new_name, **fields},
            check=made,
        ),
        f"List {row} versions": Case(
            call=lambda hume, things: getattr(hume, kind).list_versions(id_of(things), **_PAGING),
            ids=(attribute,),
            query={**_PAGE, "restrict_to_most_recent": "false"},
            check=lambda page, things: [item.id for item in page] == [id_of(things)],
        ),
        f"Create {row} version": Case(
            call=lambda hume, things: getattr(hume, kind).create_version(id_of(things), **fields),
            ids=(attribute,),
            body=fields,
            check=lambda item, things: item.id == id_of(things) and item.version == 1,
        ),
        f"Delete {row}": Case(
            call=lambda hume, things: getattr(hume, kind).delete(id_of(things)), ids=(attribute,)
        ),
        f"Update {row} name": Case(
            call=lambda hume, things: getattr(hume, kind).update_name(id_of(things), **new_name),
            ids=(attribute,),
            body=new_name,
        ),
        f"Get {row} version": Case(
            call=lambda hume, things: getattr(hume, kind).get_version(id_of(things), 0),
            ids=(attribute, "version"),
            check=lambda item, things: item.id == id_of(things) and item.version == 0,
        ),
        f"Delete {row} version": Case(
            call=lambda hume, things: getattr(hume, kind).delete_version(id_of(things), 0),
            ids=(attribute, "version"),
        ),
        f"Update {row} description": Case(
            call=lambda hume, things: getattr(hume, kind).update_description(
                id_of(things), 0, version_description="better"
            ),
            ids=(attribute, "version"),
            body={"version_description": "better"},
            check=lambda item, _: item.version_description == "better",
        ),
    }


_BATCH_AND_CHATS = {
    "Chat": Case(
        call=lambda hume, _: hume.chat.get(
            access_token="a",
            api_key="b",
            config_id="c",
            config_version=2,
            resumed_chat_group_id="g",
        ),
        query={
            "access_token": "a",
            "api_key": "b",
            "config_id": "c",
            "config_version": "2",
            "resumed_chat_group_id": "g",
        },
        check=lambda jobs, things: [job.job_id for job in jobs] == [things.job],
    ),
    "Start inference job": Case(
        call=lambda hume, _: hume.batch.start_job(**_INFERENCE), body=_INFERENCE
    ),
    "Get job details": Case(
        call=lambda hume, things: hume.batch.get_job(things.job),
        ids=("job",),
        check=lambda details, things: details.job_id == things.job,
    ),
    "Get job predictions": Case(
        call=lambda hume, things: hume.batch.get_predictions(things.job),
        ids=("job",),
        check=lambda sources, _: len(sources) == 1,
    ),
    "Get job artifacts": Case(
        call=lambda hume, things: hume.batch.get_artifacts(things.job),
        ids=("job",),
        check=lambda archive, _: archive[:2] == b"PK",
    ),
    "List chat_groups": Case(
        call=lambda hume, _: hume.chat_groups.list(**_PAGING, ascending_order=False, config_id="c"),
        query={**_DIRECTED, "config_id": "c"},
    ),
    "List chat events from a specific chat_group": Case(
        call=lambda hume, things: hume.chat_groups.list_events(
            things.group, **_PAGING, ascending_order=False
        ),
        ids=("group",),
        query=_DIRECTED,
        check=lambda page, things: page.envelope.id == things.group and len(page) == 5,
    ),
    "List chats": Case(
        call=lambda hume, _: hume.chats.list(
            **_PAGING, ascending_order=False, config_id="c", status="ACTIVE"
        ),
        query={**_DIRECTED, "config_id": "c", "status": "ACTIVE"},
    ),
    "List chat events": Case(
        call=lambda hume, things: hume.chats.list_events(
            things.chat, **_PAGING, ascending_order=False
        ),
        ids=("chat",),
        query=_DIRECTED,
        check=lambda page, things: page.envelope.chat_group_id == things.group,
    ),
}

_DATASETS_AND_FILES = {
    "List datasets": Case(
        call=lambda hume, _: hume.datasets.list(name="Calls", **_PAGING, shared_assets=True),
        query={"name": "Calls", **_SHARED},
        check=lambda page, things: [dataset.id for dataset in page] == [things.dataset],
    ),
    "Create dataset": Case(
        call=lambda hume, _: hume.datasets.create(
            name="Calls", labels_file=LABELS, feature_types={"label": "TEXT"}
        ),
        body={"name": b"Calls", "labels_file": LABELS, "feature_types": b'{"label":"TEXT"}'},
        check=lambda dataset, _: dataset.latest_version.feature_types["label"] == "TEXT",
    ),
    "Get dataset": Case(
        call=lambda hume, things: hume.datasets.get(things.dataset),
        ids=("dataset",),
        check=lambda dataset, things: dataset.id == things.dataset,
    ),
    "Create dataset version": Case(
        call=lambda hume, things: hume.datasets.create_version(
            things.dataset, labels_file=LABELS, feature_types={"label": "TEXT"}
        ),
        ids=("dataset",),
        body={"labels_file": LABELS, "feature_types": b'{"label":"TEXT"}'},
        check=lambda datasets, _: datasets[0].latest_version.dataset_version == 1,
    ),
    "Delete dataset": Case(
        call=lambda hume, things: hume.datasets.delete(things.dataset), ids=("dataset",)
    ),
    "List dataset versions": Case(
        call=lambda hume, things: hume.datasets.list_versions(
            things.dataset, **_PAGING, shared_assets=True
        ),
        ids=("dataset",),
        query=_SHARED,
        check=lambda page, things: page[0].id == things.dataset_version,
    ),
    "List dataset files": Case(
        call=lambda hume, things: hume.datasets.list_files(
            things.dataset, **_PAGING, shared_assets=True
        ),
        ids=("dataset",),
        query=_SHARED,
        check=lambda page, things: page[0].file.id == things.file,
    ),
    "Get dataset version": Case(
        call=lambda hume, things: hume.datasets.get_version(things.dataset_version),
        ids=("dataset_version",),
        check=lambda version, things: version.dataset_id == things.dataset,
    ),
    "List dataset version files": Case(
        call=lambda hume, things: hume.datasets.list_version_files(
            things.dataset_version, **_PAGING, shared_assets=True
        ),
        ids=("dataset_version",),
        query=_SHARED,
        check=lambda page, things: page[0].file.id == things.file,
    ),
    "List files": Case(
        call=lambda hume, _: hume.files.list(**_PAGING, shared_assets=True),
        query=_SHARED,
        check=lambda page, things: page[0].file.id == things.file,
    ),
    "Create files": Case(
        call=lambda hume, _: hume.files.create(file=_FILE, attributes=_NAMED),
        body=[{"file": _FILE, "attributes": _NAMED}],
        check=lambda files, _: files[0].attributes[0].value == "Ada",
    ),
    "Upload file": Case(
        call=lambda hume, _: hume.files.upload(file=Upload(b"RIFF", "new.wav"), attributes=_NAMED),
        body={"file": b"RIFF", "attributes": b'[{"name":"speaker","value":"Ada"}]'},
        check=lambda file, _: file.file.name == "new.wav" and file.file.data_type == "audio",
    ),
    "Get file": Case(
        call=lambda hume, things: hume.files.get(things.file),
        ids=("file",),
        check=lambda file, things: file.file.id == things.file,
    ),
    "Delete file": Case(call=lambda hume, things: hume.files.delete(things.file), ids=("file",)),
    "Update file name": Case(
        call=lambda hume, things: hume.files.update_name(things.file, name="old & new.wav"),
        ids=("file",),
        query={"name": "old & new.wav"},
        check=lambda file, _: file.file.name == "old & new.wav",
    ),
    "Get file predictions": Case(
        call=lambda hume, things: hume.files.get_predictions(things.file),
        ids=("file",),
        check=lambda predictions, _: len(predictions) == 1,
    ),
}

_MODELS_AND_PRIVACY = {
    "Start training job": Case(
        call=lambda hume, _: hume.jobs.start_training(**_TRAINING), body=_TRAINING
    ),
    "Start custom models inference job": Case(
        call=lambda hume, things: hume.jobs.start_inference(**_custom(things)),
        body=_custom,
    ),
    "List models": Case(
        call=lambda hume, _: hume.models.list(
            name="Call mood model", **_PAGING, shared_assets=True
        ),
        query={"name": "Call mood model", **_SHARED},
        check=lambda page, things: page[0].id == things.model,
    ),
    "Get model details": Case(
        call=lambda hume, things: hume.models.get(things.model),
        ids=("model",),
        check=lambda model, things: model.id == things.model,
    ),
    "Update model name": Case(
        call=lambda hume, things: hume.models.update_name(things.model, name="Moods"),
        ids=("model",),
        query={"name": "Moods"},
        check=lambda model, _: model.name == "Moods",
    ),
    "List model versions": Case(
        call=lambda hume, _: hume.models.list_versions(
            id="v", name="Call mood model", version="0", shared_assets=True
        ),
        query={"id": "v", "name": "Call mood model", "version": "0", "shared_assets": "true"},
        check=lambda page, _: page.total_pages == 1,
    ),
    "Get model version": Case(
        call=lambda hume, things: hume.models.get_version(things.model_version, shared_assets=True),
        ids=("model_version",),
        query={"shared_assets": "true"},
        check=lambda version, things: version.model_id == things.model,
    ),
    "Update model description": Case(
        call=lambda hume, things: hume.models.update_version_description(
            things.model_version, description="good"
        ),
        ids=("model_version",),
        body="good",
        check=lambda version, _: version.description == "good",
    ),
    "Get User Privacy Settings": Case(
        call=lambda hume, _: hume.privacy.get_settings(),
        check=lambda settings, _: settings.do_not_retain_data is False,
    ),
    "Patch User Privacy Settings": Case(
        call=lambda hume, _: hume.privacy.update_settings(
            allow_retention=False, allow_training=True
        ),
        query={"allowRetention": "false", "allowTraining": "true"},
    ),
    "Delete User Data": Case(call=lambda hume, _: hume.privacy.delete_data()),
}

CASES: dict[str, Case] = {
    **_BATCH_AND_CHATS,
    **_versioned("configs", "config", _CONFIG),
    **_versioned("prompts", "prompt", _PROMPT),
    **_versioned("tools", "tool", _TOOL),
    **_DATASETS_AND_FILES,
    **_MODELS_AND_PRIVACY,
}
"""Every row of the documented table."""
