"""Configs, prompts, tools, chats and privacy of the fake."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest
from raw_client import RawClient, open_raw_client

from humeai_async.testing import ManualClock, Options

pytestmark = pytest.mark.anyio

BODIES: dict[str, dict[str, Any]] = {
    "configs": {"evi_version": "3"},
    "prompts": {"text": "Be brief."},
    "tools": {"parameters": '{"type": "object"}'},
}
KINDS = pytest.mark.parametrize("kind", list(BODIES))


async def create(call: RawClient, kind: str, name: str = "first", **fields: Any) -> Any:
    reply = await call("POST", f"/v0/evi/{kind}", json={"name": name, **BODIES[kind], **fields})
    assert reply.status == 201, reply.body
    return reply.json


@KINDS
async def test_a_new_thing_begins_with_version_0(kind: str) -> None:
    clock = ManualClock()
    async with open_raw_client(clock=clock) as call:
        made = await create(call, kind, version_description="begin")
        got = await call("GET", f"/v0/evi/{kind}/{{id}}/version/{{version}}", made["id"], 0)
    assert made["version"] == 0
    assert made["name"] == "first"
    assert made["version_description"] == "begin"
    assert made["created_on"] == made["modified_on"] == clock.epoch_ms()
    assert got.json == made


@KINDS
async def test_versions_count_up_and_are_never_used_twice(kind: str) -> None:
    async with open_raw_client() as call:
        made = (await create(call, kind))["id"]
        path = f"/v0/evi/{kind}/{{id}}"
        numbers = [
            (await call("POST", path, made, json=BODIES[kind])).json["version"] for _ in range(2)
        ]
        deleted = await call("DELETE", path + "/version/{version}", made, 2)
        again = await call("POST", path, made, json=BODIES[kind])
    assert numbers == [1, 2]
    assert (deleted.status, deleted.body) == (200, b"")
    assert again.status == 201
    assert again.json["version"] == 3


@KINDS
async def test_lists_show_the_newest_version_unless_told_otherwise(kind: str) -> None:
    async with open_raw_client() as call:
        ids = [(await create(call, kind, name))["id"] for name in ("a", "b")]
        await call("POST", f"/v0/evi/{kind}/{{id}}", ids[0], json=BODIES[kind])

        async def listed(path: str, *in_path: str, **query: str) -> list[tuple[str, int]]:
            page = (await call("GET", path, *in_path, query=query)).json
            return [(item["name"], item["version"]) for item in page[f"{kind}_page"]]

        base, one = f"/v0/evi/{kind}", f"/v0/evi/{kind}/{{id}}"
        assert await listed(base) == [("b", 0), ("a", 1)]
        assert await listed(base, restrict_to_most_recent="false") == [("b", 0), ("a", 1), ("a", 0)]
        assert await listed(base, name="a") == [("a", 1)]
        assert await listed(one, ids[0]) == [("a", 1)]
        assert await listed(one, ids[0], restrict_to_most_recent="false") == [("a", 1), ("a", 0)]


@KINDS
async def test_a_rename_holds_for_all_versions_and_answers_text(kind: str) -> None:
    async with open_raw_client() as call:
        made = (await create(call, kind))["id"]
        await call("POST", f"/v0/evi/{kind}/{{id}}", made, json=BODIES[kind])
        reply = await call("PATCH", f"/v0/evi/{kind}/{{id}}", made, json={"name": "second"})
        old = await call("GET", f"/v0/evi/{kind}/{{id}}/version/{{version}}", made, 0)
    assert reply.status == 200
    assert reply.headers["Content-Type"].startswith("text/plain")
    assert old.json["name"] == "second"


@KINDS
async def test_a_description_belongs_to_one_version(kind: str) -> None:
    async with open_raw_client() as call:
        made = (await create(call, kind))["id"]
        path = f"/v0/evi/{kind}/{{id}}/version/{{version}}"
        reply = await call("PATCH", path, made, 0, json={"version_description": "better"})
        cleared = await call("PATCH", path, made, 0, json={"version_description": None})
    assert reply.json["version_description"] == "better"
    assert cleared.json["version_description"] is None


@KINDS
async def test_what_is_deleted_is_gone(kind: str) -> None:
    async with open_raw_client() as call:
        made = (await create(call, kind))["id"]
        path = f"/v0/evi/{kind}/{{id}}"
        assert (await call("DELETE", path, made)).status == 200
        for method in ("GET", "DELETE"):
            assert (await call(method, path, made)).status == 404
        assert (await call("PATCH", path, made, json={"name": "x"})).status == 404
        assert (await call("POST", path, made, json=BODIES[kind])).status == 404
        assert (await call("GET", path + "/version/{version}", made, 0)).status == 404
        assert (await call("GET", f"/v0/evi/{kind}")).json["total_pages"] == 0


@KINDS
async def test_with_its_last_version_a_thing_is_gone(kind: str) -> None:
    async with open_raw_client(options=Options(delete_status=204)) as call:
        made = (await create(call, kind))["id"]
        path = f"/v0/evi/{kind}/{{id}}"
        assert (await call("DELETE", path + "/version/{version}", made, 0)).status == 204
        assert (await call("GET", path, made)).status == 404


@KINDS
async def test_pages_are_numbered_from_0_and_end(kind: str) -> None:
    async with open_raw_client() as call:
        for number in range(5):
            await create(call, kind, f"n{number}")
        pages = [
            (await call("GET", f"/v0/evi/{kind}", query={"page_number": str(n), "page_size": "2"}))
            for n in range(4)
        ]
    names = [[item["name"] for item in page.json[f"{kind}_page"]] for page in pages]
    assert names == [["n4", "n3"], ["n2", "n1"], ["n0"], []]
    assert {page.json["total_pages"] for page in pages} == {3}
    assert [page.json["page_number"] for page in pages] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "query",
    [
        {"page_size": "0"},
        {"page_size": "101"},
        {"page_size": "x"},
        {"page_number": "-1"},
        {"restrict_to_most_recent": "False"},
    ],
)
async def test_bad_page_queries_are_refused(query: dict[str, str]) -> None:
    async with open_raw_client() as call:
        assert (await call("GET", "/v0/evi/prompts", query=query)).status == 400


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("configs", {"name": "n"}),
        ("prompts", {"text": "t"}),
        ("prompts", {"name": "n"}),
        ("prompts", {"name": "n", "text": "t", "colour": "red"}),
        ("tools", {"name": "n", "parameters": "{"}),
        ("tools", {"name": "n", "parameters": {"type": "object"}}),
        ("configs", {"name": "n", "evi_version": "3", "tools": {}}),
        ("configs", {"name": "n", "evi_version": "3", "timeouts": {"sleep": {}}}),
        ("configs", {"name": "n", "evi_version": "3", "voice": {"provider": "HUME_AI"}}),
    ],
)
async def test_bad_bodies_are_refused(kind: str, body: dict[str, Any]) -> None:
    async with open_raw_client() as call:
        assert (await call("POST", f"/v0/evi/{kind}", json=body)).status == 400


async def test_lists_mark_the_newest_version() -> None:
    async with open_raw_client() as call:
        made = await create(call, "prompts")
        await call("POST", "/v0/evi/prompts/{id}", made["id"], json=BODIES["prompts"])
        page = await call(
            "GET", "/v0/evi/prompts/{id}", made["id"], query={"restrict_to_most_recent": "false"}
        )
    listed = page.json["prompts_page"]
    assert made["version_type"] == "FIXED"
    assert [prompt["version_type"] for prompt in listed] == ["LATEST", "FIXED"]
    assert "prompt_expansion" in made
    assert "prompt_expansion" not in listed[0]


@pytest.mark.parametrize("kind", ["prompts", "tools"])
async def test_pages_may_hold_nulls(kind: str) -> None:
    async with open_raw_client(options=Options(nulls_in_pages=True)) as call:
        await create(call, kind)
        page = (await call("GET", f"/v0/evi/{kind}")).json
    assert None in page[f"{kind}_page"]


async def test_a_config_takes_its_parts_from_the_other_stores() -> None:
    async with open_raw_client() as call:
        prompt = await create(call, "prompts")
        tool = await create(call, "tools", "get_forecast")
        config = await create(
            call,
            "configs",
            prompt={"id": prompt["id"], "version": 0},
            tools=[{"id": tool["id"]}],
            builtin_tools=[{"name": "hang_up"}],
            voice={"name": "Library Narrator"},
            event_messages={"on_new_chat": {"enabled": True, "text": "Hello"}},
            timeouts={"inactivity": {"enabled": True, "duration_secs": 60}},
            webhooks=[{"url": "https://hooks.example.com", "events": ["chat_started"]}],
        )
    assert config["prompt"]["text"] == "Be brief."
    assert config["tools"][0]["name"] == "get_forecast"
    assert config["builtin_tools"] == [
        {"tool_type": "BUILTIN", "name": "hang_up", "fallback_content": None}
    ]
    assert config["voice"]["compatible_octave_models"] == ["1", "2"]
    assert config["event_messages"]["on_new_chat"] == {"enabled": True, "text": "Hello"}
    assert config["event_messages"]["on_inactivity_timeout"] == {"enabled": False, "text": None}
    assert config["timeouts"]["inactivity"]["duration_secs"] == 60
    assert config["timeouts"]["max_duration"]["duration_secs"] == 1800
    assert config["nudges"] == {"enabled": False, "interval_secs": None}


async def test_a_config_makes_a_prompt_of_a_text() -> None:
    async with open_raw_client() as call:
        config = await create(call, "configs", prompt={"text": "New."})
        made = config["prompt"]["id"]
        prompt = await call("GET", "/v0/evi/prompts/{id}/version/{version}", made, 0)
    assert prompt.json["text"] == "New."


async def test_a_config_with_an_unknown_tool_is_refused() -> None:
    async with open_raw_client() as call:
        body = {"name": "n", "evi_version": "3", "tools": [{"id": "nobody"}]}
        assert (await call("POST", "/v0/evi/configs", json=body)).status == 404


async def test_sample_chats_are_there_oldest_first() -> None:
    async with open_raw_client() as call:
        up = (await call("GET", "/v0/evi/chats")).json
        down = (await call("GET", "/v0/evi/chats", query={"ascending_order": "false"})).json
    assert up["pagination_direction"] == "ASC"
    assert down["pagination_direction"] == "DESC"
    assert up["chats_page"] == down["chats_page"][::-1]
    starts = [chat["start_timestamp"] for chat in up["chats_page"]]
    assert starts == sorted(starts)
    assert up["chats_page"][1]["end_timestamp"] is None


async def test_chats_filter_by_status_and_config() -> None:
    async with open_raw_client(options=Options(samples=False)) as call:
        call.fake.add_chat(config={"id": "c1", "version": 0})
        active = call.fake.add_chat(status="ACTIVE", config={"id": "c2", "version": 0})
        for query in ({"status": "ACTIVE"}, {"config_id": "c2"}):
            page = (await call("GET", "/v0/evi/chats", query=query)).json["chats_page"]
            assert [chat["id"] for chat in page] == [active.id]


async def test_a_chat_carries_one_page_of_its_events() -> None:
    async with open_raw_client() as call:
        made = next(iter(call.fake.upstream.evi.chats.chats))
        reply = (await call("GET", "/v0/evi/chats/{id}", made, query={"page_size": "5"})).json
        assert (await call("GET", "/v0/evi/chats/{id}", "nobody")).status == 404
    assert reply["id"] == made
    assert (reply["total_pages"], len(reply["events_page"])) == (2, 5)
    said = next(event for event in reply["events_page"] if event["type"] == "USER_MESSAGE")
    assert len(json.loads(said["emotion_features"])) == 48
    assert all(
        event["emotion_features"] is None for event in reply["events_page"] if event is not said
    )


async def test_a_group_holds_the_events_of_all_its_chats() -> None:
    async with open_raw_client() as call:
        (group,) = (await call("GET", "/v0/evi/chat_groups")).json["chat_groups_page"]
        events = await call("GET", "/v0/evi/chat_groups/{id}/events", group["id"])
        shown = await call("GET", "/v0/evi/chat_groups/{id}", group["id"])
        assert (await call("GET", "/v0/evi/chat_groups/{id}/events", "nobody")).status == 404
    assert group["num_chats"] == 2
    assert group["active"] is True
    assert events.json["id"] == group["id"]
    assert events.json["total_pages"] == 2
    assert [chat["id"] for chat in shown.json["chats_page"]][-1] == group["most_recent_chat_id"]


async def test_privacy_settings_are_patched_in_the_query() -> None:
    async with open_raw_client() as call:
        path = "/v0/evi/privacy/settings"
        before = (await call("GET", path)).json
        await call("PATCH", path, query={"allowRetention": "false"})
        after = (await call("GET", path)).json
        assert (await call("PATCH", path, query={"allowTraining": "yes"})).status == 400
    assert before["do_not_retain_data"] is False
    assert after["do_not_retain_data"] is True
    assert after["do_not_use_for_training"] == before["do_not_use_for_training"]


async def test_deleting_data_forgets_chats() -> None:
    async with open_raw_client() as call:
        assert (await call("DELETE", "/v0/evi/privacy")).status == 200
        assert (await call("GET", "/v0/evi/chats")).json["chats_page"] == []


async def test_a_config_with_the_name_of_another_is_refused() -> None:
    async with open_raw_client() as call:
        body = {"name": "Support", "evi_version": "3"}
        first = await call("POST", "/v0/evi/configs", json=body)
        again = await call("POST", "/v0/evi/configs", json=body)
        assert (first.status, again.status) == (201, 409)
        other = await call("POST", "/v0/evi/configs", json={**body, "name": "Sales"})
        path, rename = "/v0/evi/configs/{id}", {"name": "Support"}
        refused = await call("PATCH", path, other.result["id"], json=rename)
        kept = await call("PATCH", path, first.result["id"], json=rename)
        assert (refused.status, kept.status) == (409, 200)


@pytest.mark.parametrize("query", [{"config_id": "none"}, {"config_id": "", "version": "7"}])
async def test_a_chat_with_a_config_that_is_not_there_is_refused(query: dict[str, str]) -> None:
    async with open_raw_client() as call:
        made = await call("POST", "/v0/evi/configs", json={"name": "a", "evi_version": "3"})
        fields = {"config_id": query["config_id"] or str(made.result["id"])}
        fields |= {"config_version": query["version"]} if "version" in query else {}
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await call.session.ws_connect(
                call.fake.url + "/v0/evi/chat", params={**fields, "api_key": call.fake.api_key}
            )
    assert refused.value.status == 404
