"""The catalog against the facts, row by row.

`samples/endpoints.json` holds the 63 rows of the documented table in its order, then the job
list, the start of a job from local files and the chat socket, as Hume's own reference and
clients have them. Row 1 is as documented, with the path that it has in the table.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest

from humeai_async import catalog
from humeai_async.http.endpoint import Encoding, Endpoint
from humeai_async.types.batch import InferenceRequest
from humeai_async.types.evi import PromptRequest, ToolRequest
from humeai_async.types.evi_configs import ConfigRequest
from humeai_async.types.registry import CustomModelInferenceRequest, FileRequest, TrainingRequest

FACTS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[0] / "samples" / "endpoints.json").read_text("utf-8")
)
BEYOND = {
    "list_jobs": catalog.BATCH_LIST_JOBS,
    "start_inference_job_from_local_file": catalog.BATCH_START_JOB_FILES,
    "chat_socket": catalog.CHAT_CONNECT,
}
ROWS = [fact for fact in FACTS if fact["row"] is not None]
PAIRS = [
    *zip(ROWS, catalog.TABLE, strict=True),
    *((fact, BEYOND[fact["operation"]]) for fact in FACTS if fact["row"] is None),
]
NO_DATE_KNOWN = dt.date(2024, 7, 22)
"""What stands for "retired": the day the last official client dropped the custom models."""

pairs = pytest.mark.parametrize(
    ("fact", "endpoint"), [pytest.param(*pair, id=pair[0]["operation"]) for pair in PAIRS]
)
constants = pytest.mark.parametrize(
    "name", [name for name, value in vars(catalog).items() if isinstance(value, Endpoint)]
)


def test_the_table_has_63_rows() -> None:
    assert len(catalog.TABLE) == 63


def test_the_rows_stand_in_the_order_of_the_table() -> None:
    assert [endpoint.row for endpoint in catalog.TABLE] == [fact["row"] for fact in ROWS]


def test_the_table_comes_first() -> None:
    assert catalog.ALL[:63] == catalog.TABLE


def test_no_two_endpoints_have_the_same_name() -> None:
    assert len({endpoint.name for endpoint in catalog.ALL}) == len(catalog.ALL)


@constants
def test_a_constant_is_named_for_its_method(name: str) -> None:
    endpoint: Endpoint[Any] = getattr(catalog, name)
    assert endpoint.name.replace(".", "_").upper() == name


@constants
def test_every_constant_is_listed(name: str) -> None:
    assert getattr(catalog, name) in catalog.ALL


@pairs
def test_method_and_path_are_those_of_the_facts(
    fact: dict[str, Any], endpoint: Endpoint[Any]
) -> None:
    assert (endpoint.method, endpoint.path) == (fact["method"], fact["path"])


@pairs
def test_the_query_fields_are_those_of_the_facts(
    fact: dict[str, Any], endpoint: Endpoint[Any]
) -> None:
    assert sorted(endpoint.query) == sorted(fact["query"])


@pairs
def test_the_body_fields_are_those_of_the_facts(
    fact: dict[str, Any], endpoint: Endpoint[Any]
) -> None:
    assert sorted(endpoint.body) == sorted(fact["body"])


@pairs
def test_the_body_is_encoded_as_in_the_facts(fact: dict[str, Any], endpoint: Endpoint[Any]) -> None:
    assert endpoint.encoding == fact["encoding"]


@pairs
def test_lists_are_paged_as_in_the_facts(fact: dict[str, Any], endpoint: Endpoint[Any]) -> None:
    assert (endpoint.paging, endpoint.items) == (fact["paging"], fact["items"])


@pairs
def test_a_page_type_has_the_field_with_the_items(
    fact: dict[str, Any], endpoint: Endpoint[Any]
) -> None:
    if fact["items"] is not None:
        assert fact["items"] in attrs.fields_dict(endpoint.returns)
    else:
        assert endpoint.items is None


@pairs
def test_only_raw_answers_are_bytes(fact: dict[str, Any], endpoint: Endpoint[Any]) -> None:
    is_raw = fact["answer"] == "bytes"
    assert (endpoint.binary, issubclass(endpoint.returns, bytes)) == (is_raw, is_raw)


@pairs
def test_what_answers_nothing_returns_none(fact: dict[str, Any], endpoint: Endpoint[Any]) -> None:
    assert (endpoint.returns is type(None)) == (fact["answer"] == "none")


@pairs
def test_only_answers_of_unknown_form_are_free(
    fact: dict[str, Any], endpoint: Endpoint[Any]
) -> None:
    assert (endpoint.returns is object) == (fact["answer"] == "any")


@pairs
def test_the_last_day_is_that_of_the_facts(fact: dict[str, Any], endpoint: Endpoint[Any]) -> None:
    if fact["lifecycle"] == "retired":
        assert endpoint.sunset == NO_DATE_KNOWN
    else:
        assert f"sunset {endpoint.sunset}" == fact["lifecycle"]


@pairs
def test_the_source_is_the_page_of_the_facts(fact: dict[str, Any], endpoint: Endpoint[Any]) -> None:
    if fact["docs"] is not None:
        assert endpoint.source == fact["docs"]
    else:
        assert endpoint.source.startswith("https://dev.hume.ai/reference/")


@pytest.mark.parametrize("endpoint", catalog.ALL, ids=lambda endpoint: endpoint.name)
def test_what_may_be_sent_twice_is_what_changes_nothing_twice(endpoint: Endpoint[Any]) -> None:
    assert endpoint.repeatable == (endpoint.method in {"GET", "DELETE"})


@pytest.mark.parametrize("endpoint", catalog.ALL, ids=lambda endpoint: endpoint.name)
def test_the_bucket_is_the_products(endpoint: Endpoint[Any]) -> None:
    by_prefix = {"/v0/registry/": "registry", "/v0/evi/": "evi", "/v0/batch/jobs/tl/": "registry"}
    found = [bucket for prefix, bucket in by_prefix.items() if endpoint.path.startswith(prefix)]
    assert endpoint.bucket == (found[0] if found else "batch")


@pytest.mark.parametrize("endpoint", catalog.ALL, ids=lambda endpoint: endpoint.name)
def test_every_end_says_what_came_after(endpoint: Endpoint[Any]) -> None:
    assert endpoint.replacement


@pytest.mark.parametrize("endpoint", catalog.ALL, ids=lambda endpoint: endpoint.name)
def test_a_body_has_an_encoding_and_no_body_has_none(endpoint: Endpoint[Any]) -> None:
    has_body = bool(endpoint.body) or endpoint.encoding is Encoding.BARE_JSON
    assert (endpoint.encoding is not Encoding.NONE) == has_body


@pytest.mark.parametrize(
    ("request_type", "endpoint", "not_sent"),
    [
        (InferenceRequest, catalog.BATCH_START_JOB, ["files"]),
        (ConfigRequest, catalog.CONFIGS_CREATE, []),
        (ConfigRequest, catalog.CONFIGS_CREATE_VERSION, ["name"]),
        (PromptRequest, catalog.PROMPTS_CREATE, []),
        (PromptRequest, catalog.PROMPTS_CREATE_VERSION, ["name"]),
        (ToolRequest, catalog.TOOLS_CREATE, []),
        (ToolRequest, catalog.TOOLS_CREATE_VERSION, ["name"]),
        (FileRequest, catalog.FILES_CREATE, []),
        (TrainingRequest, catalog.JOBS_START_TRAINING, []),
        (CustomModelInferenceRequest, catalog.JOBS_START_INFERENCE, []),
    ],
)
def test_a_request_type_has_the_fields_of_its_body(
    request_type: type[attrs.AttrsInstance], endpoint: Endpoint[Any], not_sent: Sequence[str]
) -> None:
    names = [field.name for field in attrs.fields(request_type)]
    assert sorted(names) == sorted([*endpoint.body, *not_sent])
