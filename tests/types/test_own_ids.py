"""What the service names by an id has one, so that it can be passed on without a check."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from humeai_async.errors import DecodeError
from humeai_async.http import codec
from humeai_async.types.evi import Prompt, Tool
from humeai_async.types.evi_chats import (
    Chat,
    ChatEvent,
    ChatEventsPage,
    ChatGroup,
)
from humeai_async.types.evi_configs import Config
from humeai_async.types.registry import (
    Dataset,
    DatasetLabels,
    DatasetVersion,
    Model,
    ModelVersion,
    RegistryFile,
)

OWN: list[tuple[type[Any], list[str]]] = [
    (Chat, ["id"]),
    (ChatEvent, ["id"]),
    (ChatGroup, ["id"]),
    (Config, ["id", "version"]),
    (Dataset, ["id"]),
    (DatasetLabels, ["id", "dataset_version"]),
    (DatasetVersion, ["id", "dataset_version"]),
    (Model, ["id"]),
    (ModelVersion, ["id", "version"]),
    (Prompt, ["id", "version"]),
    (RegistryFile, ["id"]),
    (Tool, ["id", "version"]),
]


@pytest.mark.parametrize(("kind", "names"), OWN)
def test_nothing_is_required_of_a_response_but_its_own_id_and_version(
    kind: type[Any], names: list[str]
) -> None:
    required = [one.name for one in attrs.fields(kind) if one.default is attrs.NOTHING]
    assert required == names
    with pytest.raises(DecodeError, match="id"):
        codec.decode(kind, b"{}")


def test_an_event_without_an_id_does_not_cost_its_page() -> None:
    text = b'{"id": "c", "events_page": [{"id": "e"}, {"type": "USER_MESSAGE"}]}'
    page = codec.decode(ChatEventsPage, text)
    assert [event.id for event in page.events_page] == ["e"]
    assert [odd.path for odd in page.undecodable] == ["$.id"]
