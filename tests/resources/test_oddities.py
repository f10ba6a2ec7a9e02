"""What Hume does otherwise than its documentation, or than one would think."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from scripted_transport import ScriptedTransport, query_of, reply_json
from support import client_of, session_of

from humeai_async import (
    APITimeoutError,
    GatewayUnsupportedError,
    HumeAI,
    NotFoundError,
    Timeout,
    Upload,
)
from humeai_async.batch.poller import Poller
from humeai_async.http.gateway import LowCodeAPI
from humeai_async.http.messages import Part, Response
from humeai_async.http.session import Session
from humeai_async.resources.configs import Configs
from humeai_async.resources.datasets import Datasets
from humeai_async.resources.files import Files
from humeai_async.resources.jobs import Jobs
from humeai_async.resources.models import Models
from humeai_async.resources.privacy import Privacy
from humeai_async.resources.prompts import Prompts
from humeai_async.resources.tools import Tools
from humeai_async.testing import FakeHume, Options
from humeai_async.types.batch import CustomModelInferenceJob, TrainingJob
from humeai_async.types.evi import BuiltinToolConfig
from humeai_async.types.evi_configs import ConfigPrompt, EventMessage, EventMessages, EviVersion
from humeai_async.types.registry import Attribute, FileInput, FileRequest
from humeai_async.types.training import DatasetRef, NewModel

pytestmark = pytest.mark.anyio

LABELS = b"file,label\ncall.wav,calm\n"
FILE = {
    "id": "f", "user_id": "u", "data_type": "video/mp4",
    "is_sanitized": False, "is_owned_by_reader": True,
}  # fmt: skip


def body_of(transport: ScriptedTransport) -> Any:
    body = transport.requests[-1].body
    assert isinstance(body, bytes)
    return json.loads(body)


def parts_of(transport: ScriptedTransport) -> dict[str, Part]:
    body = transport.requests[-1].body
    assert isinstance(body, tuple)
    return {part.name: part for part in body}


@pytest.mark.parametrize("resource", [Configs, Prompts, Tools])
@pytest.mark.parametrize(
    "answer",
    [Response(200, {}, b""), Response(200, {}, b"New name"), Response(204, {}, b"")],
    ids=["empty", "text", "204"],
)
async def test_renames_and_deletes_take_whatever_is_answered(
    resource: type[Configs | Prompts | Tools], answer: Response
) -> None:
    things = resource(session_of(ScriptedTransport(otherwise=answer)))
    await things.update_name("id", name="New name")
    await things.delete("id")
    await things.delete_version("id", 0)


@pytest.mark.parametrize("status", [200, 201])
async def test_creates_answered_with_200_or_201_are_alike(status: int) -> None:
    configs = Configs(session_of(ScriptedTransport(reply_json({"id": "c", "version": 0}, status))))
    assert (await configs.create(name="Desk", evi_version="3")).id == "c"


async def test_versions_are_really_listed_unless_asked_otherwise() -> None:
    transport = ScriptedTransport(otherwise=reply_json({"total_pages": 0, "tools_page": []}))
    tools = Tools(session_of(transport))
    await tools.list_versions("t")
    await tools.list_versions("t", restrict_to_most_recent=True)
    await tools.list()
    sent = [
        dict(query_of(request)).get("restrict_to_most_recent") for request in transport.requests
    ]
    assert sent == ["false", "true", None]


async def test_all_versions_of_a_config_come_from_the_service() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        config = await hume.configs.create(name="Desk", evi_version=EviVersion.EVI_3)
        assert config.id is not None
        await hume.configs.create_version(config.id, evi_version="3", version_description="two")
        versions = await hume.configs.list_versions(config.id).collect()
    assert [version.version for version in versions] == [1, 0]


async def test_a_thing_is_gone_after_its_deletion() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        prompt = await hume.prompts.create(name="Narrator", text="Be brief.")
        await hume.prompts.update_name(prompt.id, name="Teller")
        assert (await hume.prompts.get_version(prompt.id, 0)).name == "Teller"
        await hume.prompts.delete(prompt.id)
        with pytest.raises(NotFoundError):
            await hume.prompts.get_version(prompt.id, 0)


async def test_parts_may_be_typed_or_plain_and_are_sent_alike() -> None:
    transport = ScriptedTransport(otherwise=reply_json({"id": "c", "version": 0}))
    configs = Configs(session_of(transport))
    await configs.create(
        name="Desk",
        evi_version=EviVersion.EVI_4_MINI,
        prompt=ConfigPrompt(text="Be brief."),
        builtin_tools=[BuiltinToolConfig(name="a_tool_of_tomorrow")],
        event_messages=EventMessages(on_new_chat=EventMessage(enabled=True)),
    )
    typed = body_of(transport)
    await configs.create(
        name="Desk",
        evi_version="4-mini",
        prompt={"text": "Be brief."},
        builtin_tools=[{"name": "a_tool_of_tomorrow"}],
        event_messages={"on_new_chat": {"enabled": True}},
    )
    assert typed == body_of(transport)


async def test_a_description_can_be_set_to_null() -> None:
    transport = ScriptedTransport(reply_json({"id": "c", "version": 0}))
    await Configs(session_of(transport)).update_description("c", 0, version_description=None)
    assert body_of(transport) == {"version_description": None}


async def test_the_names_of_files_and_models_go_into_the_query() -> None:
    transport = ScriptedTransport(reply_json({"file": FILE}))
    file = await Files(session_of(transport)).update_name("f", name="a & b?.wav")
    assert query_of(transport.requests[0]) == [("name", "a & b?.wav")]
    assert transport.requests[0].body is None
    assert file.file.data_type == "video/mp4"


async def test_the_description_of_a_model_is_a_single_json_text() -> None:
    version = {
        "id": "v", "model_id": "m", "user_id": "u", "version": "0", "source_uri": "s",
        "dataset_version_id": "d", "created_on": 1,
    }  # fmt: skip
    transport = ScriptedTransport(reply_json(version))
    models = Models(session_of(transport))
    await models.update_version_description("v", description='It says "hi"')
    assert body_of(transport) == 'It says "hi"'


async def test_privacy_settings_go_into_the_query_in_camel_case() -> None:
    transport = ScriptedTransport(otherwise=Response(200, {}, b"whatever"))
    privacy = Privacy(session_of(transport))
    await privacy.update_settings(allow_retention=False)
    assert query_of(transport.requests[0]) == [("allowRetention", "false")]
    assert transport.requests[0].body is None


async def test_privacy_settings_of_an_unknown_form_are_all_none() -> None:
    privacy = Privacy(session_of(ScriptedTransport(reply_json({"allowRetention": True}))))
    assert (await privacy.get_settings()).do_not_retain_data is None


async def test_many_files_are_registered_with_one_array() -> None:
    transport = ScriptedTransport(reply_json([{"file": FILE}, {"file": FILE}]))
    one = FileInput(name="a.wav", hume_storage=True, data_type="audio")
    made = await Files(session_of(transport)).create(
        files=[
            FileRequest(file=one, attributes=[Attribute(name="who", value="Ada")]),
            {"file": {"name": "b.wav", "hume_storage": False, "data_type": "audio"}},
        ]
    )
    assert [entry["file"]["name"] for entry in body_of(transport)] == ["a.wav", "b.wav"]
    assert body_of(transport)[0]["attributes"] == [{"name": "who", "value": "Ada"}]
    assert len(made) == 2


@pytest.mark.parametrize(
    "answer", [{"id": "d", "name": "Calls"}, [{"id": "d", "name": "Calls"}]], ids=["one", "array"]
)
async def test_a_new_dataset_version_is_a_list_whatever_is_answered(answer: Any) -> None:
    datasets = Datasets(session_of(ScriptedTransport(reply_json(answer))))
    made = await datasets.create_version("d", labels_file=LABELS)
    assert [dataset.name for dataset in made] == ["Calls"]


@pytest.mark.parametrize("form", ["list", "page"])
async def test_the_files_of_a_dataset_are_read_as_a_page_or_an_array_of_pages(form: Any) -> None:
    options = Options(dataset_files_as=form)
    async with FakeHume(options=options) as fake, client_of(fake) as hume:
        dataset = await hume.datasets.create(name="Calls", labels_file=LABELS)
        await hume.files.upload(file=Upload(b"RIFF", "call.wav"))
        files = await hume.datasets.list_files(str(dataset.id)).collect()
    assert [entry.file.name for entry in files] == ["call.wav"]


async def test_an_array_of_several_pages_is_read_as_one_with_all_their_items() -> None:
    array = [
        {
            "content": [{"file": {**FILE, "id": str(n)}}],
            "number": n,
            "total_pages": 2,
            "last": n == 1,
        }
        for n in range(2)
    ]
    transport = ScriptedTransport(reply_json(array))
    files = await Datasets(session_of(transport)).list_files("d").collect()
    assert [entry.file.id for entry in files] == ["0", "1"]
    assert len(transport.requests) == 1


@pytest.mark.parametrize(
    ("doubled", "prefix"), [(True, "/v0/registry/v0/batch"), (False, "/v0/batch")]
)
async def test_the_prefix_of_custom_model_jobs_stands_twice_unless_asked_otherwise(
    doubled: bool, prefix: str
) -> None:
    transport = ScriptedTransport(otherwise=reply_json({"job_id": "j"}))
    session = session_of(transport)
    jobs = Jobs(session, Poller(session))
    await jobs.start_training(
        custom_model=NewModel(name="Moods"),
        dataset=DatasetRef(version_id="v"),
        doubled_prefix=doubled,
    )
    await jobs.start_inference(
        custom_model={"version_id": "v"}, registry_files=["f"], doubled_prefix=doubled
    )
    paths = [request.url.removeprefix("https://hume.test") for request in transport.requests]
    assert paths == [f"{prefix}/jobs/tl/train", f"{prefix}/jobs/tl/inference"]


async def test_jobs_of_custom_models_are_waited_for_like_any_other() -> None:
    async with FakeHume(run_seconds=0.02) as fake, client_of(fake) as hume:
        dataset = await hume.datasets.create(name="Calls", labels_file=LABELS)
        training = await hume.jobs.start_training(
            custom_model={"name": "Moods"}, dataset={"id": dataset.id}
        )
        await training.wait(timeout=10)
        assert isinstance(training.details, TrainingJob)
        made = training.details.state.custom_model
        assert made is not None
        assert made.id is not None
        job = await hume.jobs.start_inference(
            custom_model={"id": made.id}, urls=["https://example.com/a.mp4"]
        )
        await job.wait(timeout=10)
        assert isinstance(job.details, CustomModelInferenceJob)


async def test_204_is_as_good_as_200_for_a_delete() -> None:
    async with FakeHume(options=Options(delete_status=204)) as fake, client_of(fake) as hume:
        tool = await hume.tools.create(name="weather", parameters="{}")
        await hume.tools.delete_version(tool.id, 0)


async def test_a_delete_that_the_gateway_never_answers_is_sent_once_and_may_have_worked() -> None:
    options = Options(delete_status=204)
    async with FakeHume(dialect="gateway-recorded", options=options) as fake:
        async with client_of(fake, timeout=Timeout(read=0.2)) as hume:
            tool = await hume.tools.create(name="weather", parameters="{}")
            with pytest.raises(APITimeoutError) as caught:
                await hume.tools.delete(tool.id)
            assert caught.value.outcome_unknown
            with pytest.raises(NotFoundError):
                await hume.tools.list_versions(tool.id)
        reached = [r for r in fake.requests if r.method == "DELETE" and r.upstream is not None]
    assert len(reached) == 1


async def pieces() -> AsyncIterator[bytes]:
    yield LABELS[:5]
    yield LABELS[5:]


@pytest.mark.parametrize("kind", ["bytes", "path", "file", "iterator", "factory", "upload"])
async def test_labels_are_uploaded_from_whatever_holds_them(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes(LABELS)
    sources: dict[str, Any] = {
        "bytes": LABELS,
        "path": path,
        "file": io.BytesIO(LABELS),
        "iterator": pieces(),
        "factory": pieces,
        "upload": Upload(LABELS, "my.csv", "text/csv"),
    }
    async with FakeHume() as fake, client_of(fake) as hume:
        await hume.datasets.create(name="Calls", labels_file=sources[kind])
        parts = {part.name: part for part in fake.requests[-1].parts or ()}
    assert parts["labels_file"].content == LABELS
    assert parts["labels_file"].filename is not None
    assert parts["name"].content == b"Calls"
    assert parts["name"].filename is None


async def test_a_file_goes_with_its_name_and_type_and_its_attributes_as_json() -> None:
    transport = ScriptedTransport(reply_json({"file": FILE}))
    await Files(session_of(transport)).upload(
        file=Upload(b"RIFF", "call.wav"), attributes=[Attribute(name="who", value="Ada")]
    )
    parts = parts_of(transport)
    assert (parts["file"].filename, parts["file"].content_type) == ("call.wav", "audio/x-wav")
    assert parts["attributes"].content_type == "application/json"
    assert parts["attributes"].content == b'[{"name":"who","value":"Ada"}]'


async def test_the_types_of_the_columns_may_be_a_file() -> None:
    transport = ScriptedTransport(reply_json({"id": "d", "name": "Calls"}))
    await Datasets(session_of(transport)).create(
        name="Calls", labels_file=LABELS, feature_types=b'{"label": "TEXT"}'
    )
    assert parts_of(transport)["feature_types"].content == b'{"label": "TEXT"}'


MISSING = Path("/nowhere/labels.csv")
"""Reading it would be an `InvalidArgumentError`."""

UPLOADS: list[Callable[[Session], Awaitable[Any]]] = [
    lambda session: Datasets(session).create(name="Calls", labels_file=MISSING),
    lambda session: Datasets(session).create_version("d", labels_file=MISSING),
    lambda session: Files(session).upload(file=MISSING),
]


@pytest.mark.parametrize("call", UPLOADS, ids=["dataset", "version", "file"])
async def test_uploads_through_the_gateway_are_refused_before_a_file_is_read(
    call: Callable[[Session], Awaitable[Any]],
) -> None:
    session = session_of(ScriptedTransport(), origin=LowCodeAPI("at_token"))
    with pytest.raises(GatewayUnsupportedError):
        await call(session)


async def test_the_documented_chat_row_lists_jobs() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        job = await hume.batch.start_job(text=["Hello."])
        found = await hume.chat.get(config_id="c")
    assert [details.job_id for details in found] == [job.id]


async def test_every_category_hangs_on_the_client() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        async with HumeAI(api_key="key") as hume:
            other = hume.with_options(timeout=5)
            for name in HumeAI.__annotations__:
                assert type(getattr(hume, name)) is type(getattr(other, name))
                assert getattr(hume, name) is not getattr(other, name)
