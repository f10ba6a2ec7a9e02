"""A revision is the newest version with everything in it, but for what is named."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from support import DIALECTS, client_of

from humeai_async import DecodeError, HumeAI, InvalidArgumentError, NotFoundError
from humeai_async.resources._request_bodies import revised
from humeai_async.testing import Dialect, FakeHume
from humeai_async.testing.exchange import FakeResponse

pytestmark = pytest.mark.anyio

SAMPLES = Path(__file__).parents[1] / "samples" / "answers"


@pytest.fixture(params=DIALECTS)
async def pair(request: pytest.FixtureRequest) -> AsyncIterator[tuple[FakeHume, HumeAI]]:
    dialect: Dialect = request.param
    async with FakeHume(dialect=dialect) as fake, client_of(fake) as hume:
        yield fake, hume


def sent(fake: FakeHume) -> Any:
    upstream = fake.requests[-1].upstream
    assert upstream is not None
    return json.loads(upstream.body)


async def test_a_config_keeps_all_that_is_not_named(pair: tuple[FakeHume, HumeAI]) -> None:
    fake, hume = pair
    first = await hume.configs.create(
        name="Helper",
        evi_version="3",
        voice={"name": "ITO", "provider": "HUME_AI"},
        language_model={"model_provider": "ANTHROPIC", "model_resource": "claude"},
        timeouts={"inactivity": {"enabled": True, "duration_secs": 60}},
    )
    second = await hume.configs.revise(first.id, version_description="louder")
    body = sent(fake)
    assert (second.id, second.version) == (first.id, 1)
    assert second.version_description == "louder"
    assert body["evi_version"] == "3"
    assert body["language_model"] == {"model_provider": "ANTHROPIC", "model_resource": "claude"}
    assert body["timeouts"]["inactivity"] == {"enabled": True, "duration_secs": 60}
    assert not {"id", "version", "name", "created_on", "modified_on"} & body.keys()


async def test_the_newest_version_is_the_one_that_is_copied(pair: tuple[FakeHume, HumeAI]) -> None:
    fake, hume = pair
    prompt = await hume.prompts.create(name="P", text="zero")
    await hume.prompts.create_version(prompt.id, text="one", version_description="note")
    third = await hume.prompts.revise(prompt.id, version_description="two")
    assert (third.version, third.text) == (2, "one")
    assert sent(fake) == {"text": "one", "version_description": "two"}


async def test_a_tool_keeps_its_parameters(pair: tuple[FakeHume, HumeAI]) -> None:
    fake, hume = pair
    schema = '{"type": "object"}'
    tool = await hume.tools.create(name="weather", parameters=schema, description="Looks.")
    again = await hume.tools.revise(tool.id, fallback_content="no idea")
    assert again.parameters == schema
    assert sent(fake)["description"] == "Looks."


async def test_a_revision_costs_two_requests() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        prompt = await hume.prompts.create(name="P", text="zero")
        before = hume.stats.requests
        await hume.prompts.revise(prompt.id, text="one")
    assert hume.stats.requests == before + 2


@pytest.mark.parametrize("changes", [{}, {"text": "zero"}, {"version_description": None}])
async def test_a_revision_that_changes_nothing_makes_no_version(
    pair: tuple[FakeHume, HumeAI], changes: dict[str, Any]
) -> None:
    fake, hume = pair
    prompt = await hume.prompts.create(name="P", text="zero")
    again = await hume.prompts.revise(prompt.id, **changes)
    assert (again.id, again.version, again.text) == (prompt.id, 0, "zero")
    assert fake.count(method="POST", is_carried_out=True) == 1


async def test_an_unknown_field_is_refused_before_anything_is_sent() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        with pytest.raises(InvalidArgumentError, match="did you mean 'voice'"):
            await hume.configs.revise("0d1e", voise={})
        with pytest.raises(InvalidArgumentError, match="use update_name"):
            await hume.configs.revise("0d1e", name="New")
        assert fake.requests == []


async def test_an_id_that_nothing_has_is_not_found() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        with pytest.raises(NotFoundError):
            await hume.tools.revise("00000000-0000-4000-8000-000000000000", description="x")


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"prompts_page": 5}', b"null"])
async def test_what_is_no_page_of_versions_is_a_decode_error(
    body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeHume() as fake, client_of(fake) as hume:

        def handle(_: object) -> FakeResponse:
            return FakeResponse(200, body=body)

        monkeypatch.setattr(fake.upstream, "handle", handle)
        with pytest.raises(DecodeError):
            await hume.prompts.revise("0d1e", text="x")


def test_a_part_of_a_response_becomes_a_reference() -> None:
    newest: dict[str, Any] = {
        "id": "c1",
        "version": 4,
        "evi_version": "3",
        "prompt": {"id": "p1", "version": 2, "version_type": "FIXED", "text": "Be kind."},
        "voice": {"id": "v1", "name": "ITO", "provider": "HUME_AI", "compatible_octave_models": []},
        "tools": [None, {"id": "t1", "version": 1, "version_type": "LATEST", "name": "weather"}],
        "builtin_tools": [{"tool_type": "BUILTIN", "name": "hang_up", "fallback_content": None}],
        "nudges": None,
    }
    assert revised(newest, {}) == {
        "evi_version": "3",
        "prompt": {"id": "p1", "version": 2},
        "voice": {"id": "v1", "provider": "HUME_AI"},
        "tools": [{"id": "t1"}],
        "builtin_tools": [{"name": "hang_up"}],
    }


def test_members_that_nobody_knows_go_back_as_they_were() -> None:
    newest = {"id": "p1", "version": 0, "text": "a", "mood": {"deep": [1, {"x": "y"}]}}
    assert revised(newest, {"text": "b"}) == {"text": "b", "mood": {"deep": [1, {"x": "y"}]}}


def test_none_leaves_a_field_to_the_service() -> None:
    assert revised({"text": "a", "version_description": "old"}, {"version_description": None}) == {
        "text": "a"
    }


async def test_what_a_response_gives_can_be_given_back() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        prompt = await hume.prompts.create(name="P", text="Be kind.")
        one = await hume.configs.create(name="A", evi_version="3", prompt={"id": prompt.id})
        two = await hume.configs.create(name="B", evi_version="3")
        assert one.prompt is not None
        await hume.configs.revise(two.id, prompt=one.prompt, voice=one.voice)
        assert sent(fake)["prompt"]["id"] == prompt.id
        assert "text" not in sent(fake)["prompt"]
