"""Whatever the library gives out can be handed on as plain JSON."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from support import client_of

from humeai_async import HumeError, InvalidArgumentError, Outcome, Text, to_dict, to_json
from humeai_async.http import codec
from humeai_async.testing import FakeHume
from humeai_async.types.chat import SERVER_EVENTS, ServerEvent
from humeai_async.types.evi import Prompt
from humeai_async.types.evi_configs import Config
from humeai_async.types.json import is_array, is_object

SAMPLES = Path(__file__).parents[1] / "samples" / "answers"
TYPES: dict[str, Any] = {"get_config_version": Config, "get_prompt_version": Prompt}


def is_plain(value: object) -> bool:
    if is_object(value):
        return type(value) is dict and all(type(n) is str and is_plain(v) for n, v in value.items())
    if is_array(value):
        return type(value) is list and all(is_plain(one) for one in value)
    return type(value) in {str, int, float, bool, type(None)}


@pytest.mark.parametrize("name", TYPES)
def test_a_response_comes_out_as_it_came_in(name: str) -> None:
    body = (SAMPLES / f"{name}.json").read_bytes()
    value = codec.decode(TYPES[name], body)
    out = to_dict(value)
    assert is_plain(out)
    assert json.loads(to_json(value)) == out
    assert codec.structure(TYPES[name], out) == value


@pytest.mark.parametrize("tag", SERVER_EVENTS.members)
def test_every_event_of_a_chat_keeps_its_type(tag: str) -> None:
    event = codec.structure(ServerEvent, {"type": tag})
    assert to_dict(event)["type"] == tag


def test_an_event_of_a_later_kind_comes_out_whole() -> None:
    event = codec.structure(ServerEvent, {"type": "new_kind", "deep": [1, {"a": None}]})
    assert to_dict(event) == {"type": "new_kind", "deep": [1, {"a": None}]}


def test_members_that_nobody_knows_are_kept_in_every_part_of_a_config() -> None:
    came: dict[str, Any] = {
        "id": "c1",
        "version": 0,
        "mood": [1],
        "prompt": {"id": "p1", "version": 0, "tone": "calm"},
        "voice": {"name": "ITO", "pitch": 2},
        "timeouts": {"inactivity": {"enabled": True, "grace": 1}, "new": {}},
        "tools": [{"id": "t1", "version": 0, "cost": 3}],
        "builtin_tools": [{"name": "hang_up", "delay": 1}],
        "webhooks": [{"url": "https://a.example", "events": [], "retries": 2}],
    }
    assert to_dict(codec.structure(Config, came)) == {
        **came,
        "webhooks": [{"url": "https://a.example", "retries": 2}],
    }


@pytest.mark.anyio
async def test_jobs_pages_predictions_and_outcomes_come_out() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        await hume.prompts.create(name="P", text="zero")
        page = to_dict(await hume.prompts.list())
        job = await hume.batch.start_job(urls=["https://media.example.com/a.mp4"])
        before = to_dict(job)
        await job.wait()
        predictions = await job.predictions()
        outcomes = [o async for o in hume.batch.fetch_predictions([job.id])]
    assert page["items"][0]["name"] == "P"
    assert (page["number"], page["undecodable"]) == (0, [])
    assert before == {"id": job.id, "status": None, "details": None}
    assert to_dict(job)["details"]["state"]["status"] == "COMPLETED"
    assert is_plain(to_dict(predictions))
    assert to_dict(predictions)[0]["source"]["url"] == "https://media.example.com/a.mp4"
    [outcome] = to_dict(outcomes)
    assert outcome["error"] is None
    assert outcome["predictions"] == to_dict(predictions)


def test_an_error_comes_out_with_what_is_known_of_it() -> None:
    out = to_dict(HumeError("it broke", status=500, attempts=2))
    assert out["error"] == "HumeError"
    assert (out["message"], out["status"], out["attempts"]) == ("it broke", 500, 2)


def test_a_number_that_is_none_is_null() -> None:
    assert to_dict({"score": math.nan, 5: (1, 2)}) == {"score": None, "5": [1, 2]}


def test_what_is_no_json_is_refused_by_name() -> None:
    with pytest.raises(InvalidArgumentError, match="object cannot be written as JSON"):
        to_dict([object()])


def test_a_list_that_holds_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(InvalidArgumentError, match="list cannot be written as JSON: it holds"):
        to_json(endless)


def test_the_source_of_an_outcome_is_the_text_that_was_measured() -> None:
    outcome: Outcome[Text, Any] = Outcome(source=Text("clip.mp4"))
    assert to_dict(outcome)["source"] == "clip.mp4"
