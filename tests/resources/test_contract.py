"""All 63 rows of the documented table, each through every way in.

What is sent is checked against the facts of the API (`samples/endpoints.json`), what comes
back against the type that belongs to it. Nothing is skipped: a row that a gateway cannot carry
must say so by name.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from contract import CASES, Case, Things, furnish
from support import DIALECTS, client_of

from humeai_async import APITimeoutError, GatewayUnsupportedError, Job, Page, Timeout, catalog
from humeai_async.testing import Dialect, FakeHume, Recorded
from humeai_async.types import batch, evi, evi_chats, evi_configs, registry
from humeai_async.types.predictions import predictions

pytestmark = pytest.mark.anyio

SAMPLES = Path(__file__).parents[1] / "samples"
FACTS: dict[str, dict[str, Any]] = {
    fact["row"]: fact
    for fact in json.loads((SAMPLES / "endpoints.json").read_text("utf-8"))
    if fact["row"] is not None
}

ANSWERS: dict[str, Any] = {
    "list[BatchJob]": [batch.JobDetails],
    "JobId": Job,
    "BatchJob": batch.JobDetails,
    "list[UnionPredictResult]": predictions.Predictions,
    "bytes": bytes,
    "ReturnPagedChatGroups": evi_chats.ChatGroupPage,
    "ReturnChatGroupPagedEvents": evi_chats.ChatGroupEventsPage,
    "ReturnPagedChats": evi_chats.ChatPage,
    "ReturnChatPagedEvents": evi_chats.ChatEventsPage,
    "ReturnPagedConfigs": evi_configs.ConfigPage,
    "ReturnConfig": evi_configs.Config,
    "none": type(None),
    "DatasetPage": registry.DatasetPage,
    "ReturnDataset": registry.Dataset,
    "list[ReturnDataset]": [registry.Dataset],
    "DatasetVersionPage": registry.DatasetVersionPage,
    "list[FilePage]": registry.FilePage,
    "FilePage": registry.FilePage,
    "DatasetLabels": registry.DatasetLabels,
    "list[FileWithAttributes]": [registry.FileWithAttributes],
    "FileWithAttributes": registry.FileWithAttributes,
    "any": object,
    "ModelPage": registry.ModelPage,
    "ExternalModel": registry.Model,
    "list[ExternalModelVersion]": [registry.ModelVersion],
    "ExternalModelVersion": registry.ModelVersion,
    "PrivacySettings": evi_chats.PrivacySettings,
    "ReturnPagedPrompts": evi.PromptPage,
    "ReturnPrompt": evi.Prompt,
    "ReturnPagedUserDefinedTools": evi.ToolPage,
    "ReturnUserDefinedTool": evi.Tool,
}
"""Our type for each of Hume's."""

NOT_CARRIED = {
    "Get job artifacts",
    "Create dataset",
    "Create dataset version",
    "Upload file",
    "Update model description",
}
"""Rows that the open-source gateway would ruin: archives, uploads, single JSON values."""

NEVER_ANSWERED = {"Delete dataset", "Delete file"}
"""Rows that Hume answers with 204, which that gateway never passes on."""

EVERYTHING = frozenset({"uploads", "binary", "bare_json"})


def effective(fake: FakeHume) -> Recorded:
    """Return the one request that reached Hume."""
    reached = [request for request in fake.requests if request.upstream is not None]
    assert len(reached) == 1
    return reached[0]


def sent_query(fake: FakeHume, parameters: list[str]) -> list[tuple[str, str]]:
    """Return the query as sent, without what the gateway's URL formats add."""
    request = effective(fake)
    is_old = fake.dialect != "direct" and all(f"/{name}" in request.path for name in parameters)
    added = {"api_token", *parameters} if is_old else {"api_token"}
    return sorted(pair for pair in request.query if pair[0] not in added)


def check_request(fake: FakeHume, fact: dict[str, Any], case: Case, things: Things) -> None:
    upstream = effective(fake).upstream
    assert upstream is not None
    path = fact["path"]
    parameters = ["id", "version"][: len(case.ids)]
    for name, thing in zip(parameters, case.ids, strict=True):
        path = path.replace(f"{{{name}}}", str(getattr(things, thing)))
    assert (upstream.method, upstream.path) == (fact["method"], path)
    assert sent_query(fake, parameters) == sorted(case.query.items())
    assert set(case.query) == set(fact["query"])
    check_body(fake, fact, case.body(things) if callable(case.body) else case.body)


def check_body(fake: FakeHume, fact: dict[str, Any], expected: Any) -> None:
    request = effective(fake)
    if fact["encoding"] == "multipart":
        assert {part.name: part.content for part in request.parts or ()} == expected
        assert set(expected) == set(fact["body"])
    elif expected is None:
        assert (request.body, fact["body"], fact["encoding"]) == (b"", [], "none")
    else:
        assert json.loads(request.body) == expected
        fields = json.loads(request.body)[0] if request.body[:1] == b"[" else expected
        assert fact["encoding"] == "bare_json" or set(fields) == set(fact["body"])


def check_answer(answer: Any, fact: dict[str, Any]) -> None:
    expected = ANSWERS[fact["answer"]]
    content: Any = getattr(answer, "envelope", answer)  # of a page
    if type(expected) is list:
        items: list[Any] = content
        assert isinstance(items, list)
        assert all(isinstance(item, expected[0]) for item in items)
    else:
        assert isinstance(content, expected)
    assert isinstance(answer, Page) == (fact["paging"] != "none" or answer is not content)


async def drive(fake: FakeHume, row: str, **settings: Any) -> None:
    """Make the call of a row, and check all that came of it."""
    fact, case, things = FACTS[row], CASES[row], furnish(fake)
    async with client_of(fake, **settings) as hume:
        answer = await case.call(hume, things)
    check_request(fake, fact, case, things)
    check_answer(answer, fact)
    assert case.check(answer, things)


async def refuse(fake: FakeHume, row: str) -> None:
    """Make a call that the gateway cannot carry: nothing may be sent."""
    things = furnish(fake)
    async with client_of(fake) as hume:
        with pytest.raises(GatewayUnsupportedError, match="gateway"):
            await CASES[row].call(hume, things)
    assert fake.requests == []


async def wait_in_vain(fake: FakeHume, row: str) -> None:
    """Make a call that works and is never answered: it may not be repeated."""
    case, things = CASES[row], furnish(fake)
    async with client_of(fake, timeout=Timeout(read=0.2)) as hume:
        with pytest.raises(APITimeoutError) as caught:
            await case.call(hume, things)
    assert caught.value.outcome_unknown
    check_request(fake, FACTS[row], case, things)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("row", CASES)
async def test_every_row_does_what_the_facts_say_by_every_way_in(
    row: str, dialect: Dialect
) -> None:
    async with FakeHume(dialect=dialect) as fake:
        if dialect != "direct" and row in NOT_CARRIED:
            await refuse(fake, row)
        elif dialect == "gateway-recorded" and row in NEVER_ANSWERED:
            await wait_in_vain(fake, row)
        else:
            await drive(fake, row)


@pytest.mark.parametrize("row", sorted(NOT_CARRIED))
async def test_a_gateway_that_can_be_trusted_carries_the_rest(row: str) -> None:
    async with FakeHume(dialect="gateway-documented") as fake:
        await drive(fake, row, gateway_carries=EVERYTHING)


def test_the_cases_are_the_63_rows_of_the_table_in_the_catalog() -> None:
    assert len(CASES) == 63
    assert set(CASES) == set(FACTS) == {endpoint.row for endpoint in catalog.TABLE}


def test_what_is_not_carried_is_what_the_facts_say() -> None:
    odd = {row for row, fact in FACTS.items() if fact["encoding"] in {"multipart", "bare_json"}}
    assert odd | {"Get job artifacts"} == NOT_CARRIED
