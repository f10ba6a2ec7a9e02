"""The EVI endpoints: configs, prompts, tools and privacy; chats are in `chats`.

It says what the fields of each kind are and how a config takes its prompt and tools from
the other stores. It knows no URL but those it hands to the upstream application.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from humeai_async.testing.chats import ChatStore
from humeai_async.testing.exchange import (
    TEXT_TYPE,
    Arrival,
    FakeResponse,
    Record,
    as_list,
    as_record,
    invalid,
    json_response,
    read_json,
)
from humeai_async.testing.versions import Kind, VersionedStore
from humeai_async.testing.world import World

_CONFIG_FIELDS = (
    "prompt",
    "voice",
    "language_model",
    "ellm_model",
    "tools",
    "builtin_tools",
    "event_messages",
    "timeouts",
    "nudges",
    "interruption",
    "turn_detection",
    "webhooks",
)
_LISTS = ("tools", "builtin_tools", "webhooks")
_DEFAULTS: Record = {
    "language_model": None,
    "ellm_model": {"allow_short_responses": False},
    "nudges": {"enabled": False, "interval_secs": None},
    "interruption": {"min_interruption_ms": 800},
    "turn_detection": {
        "end_of_turn_silence_ms": 800,
        "prefix_padding_ms": 300,
        "speech_detection_threshold": 0.5,
    },
}
_TIMEOUTS: Record = {
    "inactivity": {"enabled": True, "duration_secs": 600},
    "max_duration": {"enabled": True, "duration_secs": 1800},
}
_EVENTS = ("on_new_chat", "on_inactivity_timeout", "on_max_duration_timeout")


class EviStore:
    """Everything under `/v0/evi`."""

    def __init__(self, world: World) -> None:
        self.prompts: VersionedStore = VersionedStore(world, _PROMPT)
        self.tools: VersionedStore = VersionedStore(world, _TOOL)
        self.configs: VersionedStore = VersionedStore(world, _config_kind(self.prompts, self.tools))
        self.chats: ChatStore = ChatStore(world)
        self.privacy: Record = {
            "id": world.new_id("privacy"),
            "do_not_retain_data": False,
            "do_not_use_for_training": True,
        }

    def routes(self) -> dict[str, Callable[..., FakeResponse]]:
        """Return all handlers."""
        return {
            **self.configs.routes(),
            **self.prompts.routes(),
            **self.tools.routes(),
            **self.chats.routes(),
            "GET /v0/evi/privacy/settings": self.get_privacy,
            "PATCH /v0/evi/privacy/settings": self.update_privacy,
            "DELETE /v0/evi/privacy": self.delete_data,
        }

    def get_privacy(self, _: Arrival) -> FakeResponse:
        """GET /v0/evi/privacy/settings."""
        return json_response(self.privacy)

    def update_privacy(self, arrival: Arrival) -> FakeResponse:
        """PATCH /v0/evi/privacy/settings: camelCase fields in the query."""
        retain, train = self.privacy["do_not_retain_data"], self.privacy["do_not_use_for_training"]
        self.privacy["do_not_retain_data"] = not arrival.flag("allowRetention", default=not retain)
        self.privacy["do_not_use_for_training"] = not arrival.flag(
            "allowTraining", default=not train
        )
        return json_response(self.privacy)

    def delete_data(self, _: Arrival) -> FakeResponse:
        """DELETE /v0/evi/privacy: all chats go. The response is not documented."""
        self.chats.clear()
        return FakeResponse(200, b"", {"Content-Type": TEXT_TYPE})


def _build_prompt(body: Record) -> Record:
    return {
        "text": body["text"],
        "prompt_expansion": body.get("prompt_expansion") or {"enabled": True},
    }


def _build_tool(body: Record) -> Record:
    read_json(body["parameters"], "The text in parameters")
    return {
        "tool_type": "FUNCTION",
        "parameters": body["parameters"],
        "description": body.get("description"),
        "fallback_content": body.get("fallback_content"),
    }


_PROMPT = Kind(
    "prompt",
    "prompts_page",
    required=("text",),
    optional=("prompt_expansion",),
    build=_build_prompt,
    unlisted=("prompt_expansion",),
)
_TOOL = Kind(
    "tool",
    "tools_page",
    required=("parameters",),
    optional=("description", "fallback_content"),
    build=_build_tool,
)


def _config_kind(prompts: VersionedStore, tools: VersionedStore) -> Kind:
    def build(body: Record) -> Record:
        for name in _CONFIG_FIELDS:
            expected = list if name in _LISTS else dict
            if body.get(name) is not None and not isinstance(body[name], expected):
                raise invalid(f"{name} must be a JSON {expected.__name__}")
        chosen = {name: body.get(name) or default for name, default in _DEFAULTS.items()}
        return {
            "evi_version": body["evi_version"],
            "prompt": _prompt(body, prompts),
            "voice": _voice(body.get("voice")),
            **chosen,
            "tools": [_tool(spec, tools) for spec in as_list(body.get("tools")) or []],
            "builtin_tools": [
                {"tool_type": "BUILTIN", "fallback_content": None, **spec}
                for spec in _objects(body, "builtin_tools")
            ],
            "event_messages": {
                event: {"text": None, **message} if message else {"enabled": False, "text": None}
                for event, message in _each(body, "event_messages", _EVENTS)
            },
            "timeouts": {
                name: {**_TIMEOUTS[name], **(spec or {})}
                for name, spec in _each(body, "timeouts", tuple(_TIMEOUTS))
            },
            "webhooks": body.get("webhooks") or [],
        }

    return Kind(
        "config",
        "configs_page",
        required=("evi_version",),
        optional=_CONFIG_FIELDS,
        build=build,
        typed=False,
        has_unique_names=True,
    )


def _each(body: Record, name: str, fields: tuple[str, ...]) -> list[tuple[str, Any]]:
    given = as_record(body.get(name)) or {}
    unknown = given.keys() - set(fields)
    if unknown:
        raise invalid(f"{name}: unknown field {min(unknown)!r}")
    for field, value in given.items():
        if value is not None and as_record(value) is None:
            raise invalid(f"{name}.{field} must be an object")
    return [(field, given.get(field)) for field in fields]


def _objects(body: Record, name: str) -> list[Record]:
    given = as_list(body.get(name)) or []
    objects = [record for record in map(as_record, given) if record is not None]
    if len(objects) != len(given):
        raise invalid(f"{name} must be a list of objects")
    return objects


def _prompt(body: Record, prompts: VersionedStore) -> Record | None:
    spec = as_record(body.get("prompt"))
    if not spec:
        return None
    if spec.get("id") is not None:
        return {**prompts.find(str(spec["id"]), spec.get("version")), "version_type": "FIXED"}
    if not spec.get("text"):
        raise invalid("prompt needs an id or a text")
    made = prompts.add({**spec, "name": f"{body['name']} prompt"})
    return {**made, "version_type": "FIXED"}


def _tool(spec: Any, tools: VersionedStore) -> Record:
    wanted = as_record(spec)
    if wanted is None or "id" not in wanted:
        raise invalid("tools: each needs an id")
    return {**tools.find(str(wanted["id"]), wanted.get("version")), "version_type": "FIXED"}


def _voice(spec: Record | None) -> Record | None:
    if not spec:
        return None
    if not (spec.get("id") or spec.get("name")):
        raise invalid("voice needs an id or a name")
    return {
        "id": spec.get("id") or "1433ebe1-2920-579c-85b1-3e210523e75f",
        "name": spec.get("name") or "Library Narrator",
        "provider": spec.get("provider") or "HUME_AI",
        "compatible_octave_models": ["1", "2"],
    }
