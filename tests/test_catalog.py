"""The catalog against the facts, row by row.

`samples/endpoints.json` holds the 63 rows of the documented table in its order, then the job
list, the start of a job from local files and the chat socket, as Hume's own reference and
clients have them. Row 1 is as documented, with the path that it has in the table.
"""

from __future__ import annotations

import datetime as dt
import importlib
import json
import pkgutil
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
from humeai_async.types.registry import FileRequest
from humeai_async.types.training import CustomModelInferenceRequest, TrainingRequest

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

TABLES = [
    importlib.import_module(f"{catalog.__name__}.{module.name}")
    for module in pkgutil.iter_modules(catalog.__path__)
]
CONSTANTS: dict[str, Any] = {
    name: value
    for table in TABLES
    for name, value in vars(table).items()
    if isinstance(value, Endpoint)
}


def test_a_name_that_is_no_endpoint_is_not_there() -> None:
    for name in ("CONFIGS_PAINT", "configs", "_ALL"):
        assert not hasattr(catalog, name)


def test_the_table_has_63_rows() -> None:
    assert len(catalog.TABLE) == 63


def test_the_rows_stand_in_the_order_of_the_table() -> None:
    assert [endpoint.row for endpoint in catalog.TABLE] == [fact["row"] for fact in ROWS]


def test_the_table_comes_first() -> None:
    assert catalog.ALL[:63] == catalog.TABLE


def test_no_two_endpoints_have_the_same_name() -> None:
    assert len({endpoint.name for endpoint in catalog.ALL}) == len(catalog.ALL)


def test_a_constant_is_named_for_its_method() -> None:
    for name, endpoint in CONSTANTS.items():
        assert endpoint.name.replace(".", "_").upper() == name


def test_every_constant_is_listed() -> None:
    for name, endpoint in CONSTANTS.items():
        assert getattr(catalog, name) is endpoint
        assert endpoint in catalog.ALL


def test_method_and_path_are_those_of_the_facts() -> None:
    for fact, endpoint in PAIRS:
        assert (endpoint.method, endpoint.path) == (fact["method"], fact["path"])


def test_the_query_fields_are_those_of_the_facts() -> None:
    for fact, endpoint in PAIRS:
        assert sorted(endpoint.query) == sorted(fact["query"])


def test_the_body_fields_are_those_of_the_facts() -> None:
    for fact, endpoint in PAIRS:
        assert sorted(endpoint.body) == sorted(fact["body"])


def test_the_body_is_encoded_as_in_the_facts() -> None:
    for fact, endpoint in PAIRS:
        assert endpoint.encoding == fact["encoding"]


def test_lists_are_paged_as_in_the_facts() -> None:
    for fact, endpoint in PAIRS:
        assert (endpoint.paging, endpoint.items) == (fact["paging"], fact["items"])


def test_a_page_type_has_the_field_with_the_items() -> None:
    for fact, endpoint in PAIRS:
        if fact["items"] is not None:
            assert fact["items"] in attrs.fields_dict(endpoint.returns)
        else:
            assert endpoint.items is None


def test_only_raw_answers_are_bytes() -> None:
    for fact, endpoint in PAIRS:
        is_raw = fact["answer"] == "bytes"
        returns = endpoint.returns
        is_bytes = isinstance(returns, type) and issubclass(returns, bytes)
        assert (endpoint.binary, is_bytes) == (is_raw, is_raw)


def test_what_answers_nothing_returns_none() -> None:
    for fact, endpoint in PAIRS:
        assert (endpoint.returns is type(None)) == (fact["answer"] == "none")


def test_only_answers_of_unknown_form_are_free() -> None:
    for fact, endpoint in PAIRS:
        assert (endpoint.returns is object) == (fact["answer"] == "any")


def test_the_last_day_is_that_of_the_facts() -> None:
    for fact, endpoint in PAIRS:
        if fact["lifecycle"] == "retired":
            assert endpoint.sunset == NO_DATE_KNOWN
        else:
            assert f"sunset {endpoint.sunset}" == fact["lifecycle"]


def test_the_source_is_the_page_of_the_facts() -> None:
    for fact, endpoint in PAIRS:
        if fact["docs"] is not None:
            assert endpoint.source == fact["docs"]
        else:
            assert endpoint.source.startswith("https://dev.hume.ai/reference/")


def test_what_may_be_sent_twice_is_what_changes_nothing_twice() -> None:
    for endpoint in catalog.ALL:
        is_free = endpoint is catalog.DECISIONS_ESTIMATE
        assert endpoint.repeatable == (is_free or endpoint.method in {"GET", "DELETE"})


def test_the_bucket_is_the_products() -> None:
    for endpoint in catalog.ALL:
        by_prefix = {
            "/v0/registry/": "registry",
            "/v0/evi/": "evi",
            "/v0/batch/jobs/tl/": "registry",
            "/v1/expression/": "expression",
            "/v0/decisions/": "decisions",
        }
        found = [bucket for prefix, bucket in by_prefix.items() if endpoint.path.startswith(prefix)]
        assert endpoint.bucket == (found[0] if found else "batch")


def test_every_end_says_what_came_after() -> None:
    for endpoint in catalog.ALL:
        assert (endpoint.sunset is None) == endpoint.is_cloud
        assert bool(endpoint.replacement) != endpoint.is_cloud


def test_a_body_has_an_encoding_and_no_body_has_none() -> None:
    for endpoint in catalog.ALL:
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
