"""Keys of plain dicts in requests: none goes out that no such part has."""

from __future__ import annotations

import json
import re
from typing import Any, Required, get_origin, get_type_hints

import pytest
from attrs import NOTHING, fields
from support import client_of

from humeai_async import HumeAI, InvalidArgumentError, SessionSettings
from humeai_async.http.parts import check_keys, check_parts
from humeai_async.resources._request_bodies import request_body
from humeai_async.testing import FakeHume
from humeai_async.types import (
    batch,
    chat,
    chat_settings,
    dicts,
    evi,
    evi_configs,
    registry,
    training,
)
from humeai_async.types.batch import Face, InferenceRequest, Models
from humeai_async.types.evi import (
    BuiltinToolConfig,
    EmbeddedPrompt,
    EmbeddedTool,
    Tool,
)
from humeai_async.types.evi_configs import BuiltinTool, ConfigRequest, Timeouts, Voice

pytestmark = pytest.mark.anyio

DICTS = [one for name, one in vars(dicts).items() if re.fullmatch(r"(?!Typed)\w+Dict", name)]


def test_a_dict_has_the_keys_of_its_class() -> None:
    for kind in DICTS:
        name = kind.__name__.removesuffix("Dict")
        modules = (evi_configs, batch, chat, chat_settings, evi, registry, training)
        cls = next(vars(module)[name] for module in modules if name in vars(module))
        known = [one for one in fields(cls) if one.name != "extra"]
        hints = get_type_hints(kind, include_extras=True)
        required = {name for name, hint in hints.items() if get_origin(hint) is Required}
        assert set(hints) == {one.name for one in known}
        assert required == {one.name for one in known if one.default is NOTHING}


async def misspell_a_model(hume: HumeAI) -> object:
    models: Any = {"fase": {}}
    return await hume.batch.start_job(urls=["https://a.example/a.mp4"], models=models)


async def misspell_in_bulk(hume: HumeAI) -> object:
    models: Any = {"face": {"fps_pred": 3}, "fase": {}}
    return [one async for one in hume.batch.predict(["https://a.example/a.mp4"], models=models)]


async def misspell_a_timeout(hume: HumeAI) -> object:
    timeouts: Any = {"inactivty": {"enabled": True}}
    return await hume.configs.create(name="a", evi_version="3", timeouts=timeouts)


async def misspell_in_a_revision(hume: HumeAI) -> object:
    return await hume.configs.revise("id", timeouts={"inactivty": {}})


async def misspell_a_file(hume: HumeAI) -> object:
    files: Any = [{"fille": {}}]
    return await hume.files.create(files=files)


async def misspell_a_model_to_train(hume: HumeAI) -> object:
    model: Any = {"name": "a", "tag": []}
    return await hume.jobs.start_training(custom_model=model, dataset={"id": "d"})


async def misspell_a_setting_of_a_chat(hume: HumeAI) -> object:
    settings: Any = {"audio": {"sample_rte": 1}}
    return hume.chat.connect(session_settings=settings)


@pytest.mark.parametrize(
    ("misspell", "field", "meant"),
    [
        (misspell_a_model, "models", "face"),
        (misspell_in_bulk, "models", "face"),
        (misspell_a_timeout, "timeouts", "inactivity"),
        (misspell_in_a_revision, "timeouts", "inactivity"),
        (misspell_a_file, "files", "file"),
        (misspell_a_model_to_train, "custom_model", "tags"),
        (misspell_a_setting_of_a_chat, "session_settings", "sample_rate"),
    ],
)
async def test_a_misspelled_key_is_refused_before_anything_is_sent(
    misspell: Any, field: str, meant: str
) -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        with pytest.raises(InvalidArgumentError, match=f"did you mean '{meant}'") as caught:
            await misspell(hume)
        assert caught.value.field == field
        assert fake.requests == []


def test_an_error_names_the_place_of_the_key() -> None:
    request = InferenceRequest(models={"face": {"fps": 3}})
    with pytest.raises(InvalidArgumentError, match=r"models\.face has no key 'fps'"):
        check_parts(request)


def test_a_dict_inside_of_a_typed_part_is_checked() -> None:
    face: Any = {"fps": 3}
    with pytest.raises(InvalidArgumentError, match=r"models\.face has no key 'fps'"):
        check_parts(InferenceRequest(models=Models(face=face)))


def test_a_model_without_settings_says_that_it_takes_none() -> None:
    with pytest.raises(InvalidArgumentError, match="it takes none"):
        check_parts(InferenceRequest(models={"burst": {"a": 1}}))


def test_a_key_that_is_no_text_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="has no key 1"):
        check_keys("models", {1: {}}, Models)


def test_typed_parts_within_a_dict_pass() -> None:
    check_parts(InferenceRequest(models={"face": Face(fps_pred=1), "burst": {}}))


def test_members_newer_than_the_library_go_out_by_extra() -> None:
    timeouts: Any = {"total": {}}
    with pytest.raises(InvalidArgumentError, match=r"Timeouts\(extra="):
        request_body(ConfigRequest(evi_version="3", timeouts=timeouts))
    body = request_body(ConfigRequest(evi_version="3", timeouts=Timeouts(extra={"total": {}})))
    assert body["timeouts"] == {"total": {}}


def test_free_details_may_have_any_keys() -> None:
    check_keys("settings", {"metadata": {"mine": {"deep": 1}}}, SessionSettings)


def test_what_a_config_came_with_is_named_by_its_id() -> None:
    body = request_body(
        ConfigRequest(
            evi_version="3",
            prompt=EmbeddedPrompt(id="p", version=2, name="Guide", text="Be brief.", created_on=1),
            tools=[EmbeddedTool(id="t", version=0, parameters="{}"), Tool(id="u", version=1), None],
            voice=Voice(id="v", name="Ito", compatible_octave_models=["2"]),
            builtin_tools=[BuiltinTool(tool_type="BUILTIN", name="web_search"), None],
        )
    )
    assert body == {
        "evi_version": "3",
        "prompt": {"id": "p", "version": 2},
        "tools": [{"id": "t", "version": 0}, {"id": "u", "version": 1}],
        "voice": {"id": "v"},
        "builtin_tools": [{"name": "web_search"}],
    }


def test_a_part_that_is_given_as_a_dict_goes_out_as_it_is() -> None:
    tools: list[Any] = [
        BuiltinToolConfig(name="hang_up"),
        {"name": "web_search", "fallback_content": "No."},
    ]
    body = request_body(ConfigRequest(evi_version="3", prompt={"text": "Hi"}, builtin_tools=tools))
    assert body["prompt"] == {"text": "Hi"}
    assert body["builtin_tools"] == [
        {"name": "hang_up"},
        {"name": "web_search", "fallback_content": "No."},
    ]


async def test_a_config_is_made_again_of_what_another_one_came_with() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        prompt = await hume.prompts.create(name="Guide", text="Be brief.")
        first = await hume.configs.create(name="A", evi_version="3", prompt=prompt)
        await hume.configs.create(name="B", evi_version="3", prompt=first.prompt)
        upstream = fake.requests[-1].upstream
    assert upstream is not None
    assert json.loads(upstream.body)["prompt"] == {"id": prompt.id, "version": 0}
