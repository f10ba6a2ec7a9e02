"""The client against the gateway's recorded answers, on a real socket."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from replay_server import ReplayServer
from support import QUICK

from humeai_async import (
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    DecodeError,
    HumeAI,
    NotFoundError,
    PermissionDeniedError,
    RateLimitWaitError,
    Retry,
    ServerError,
    Timeout,
    UnprocessableEntityError,
)

pytestmark = pytest.mark.anyio

SAMPLES = Path(__file__).parents[0] / "samples"
EXCHANGES: list[dict[str, Any]] = json.loads((SAMPLES / "transcripts.json").read_text("utf-8"))
BY_NAME = {exchange["name"]: exchange for exchange in EXCHANGES}
JOB_ID = "8b1c2f3a-4d5e-4f60-9a7b-1c2d3e4f5a6b"


def sample(name: str) -> Any:
    return json.loads((SAMPLES / "answers" / f"{name}.json").read_text("utf-8"))


def with_result(name: str, result: object, method: str, path: str, query: str) -> dict[str, Any]:
    """Put an answer of Hume's into a recorded envelope, headers and all."""
    recorded = BY_NAME[name]["response"]
    envelope = json.loads(BY_NAME["env_object"]["response"]["body"]) | {"result": result}
    return {
        "name": f"{name} with a result",
        "request": {"method": method, "url_path": path, "query": query},
        "response": {**recorded, "body": json.dumps(envelope), "body_truncated_from_bytes": None},
    }


def whole(exchange: dict[str, Any]) -> dict[str, Any]:
    exchange["response"].pop("body_truncated_from_bytes")
    return exchange


def client_of(server: ReplayServer, **settings: Any) -> HumeAI:
    settings.setdefault("retry", Retry(attempts=1))
    return HumeAI(api_token="at_REDACTED", base_url=server.url, polling=QUICK, **settings)


async def test_the_main_job_runs_through_recorded_envelopes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    jobs, one, query = "/humeai/v0/batch/jobs", "/humeai/v0/batch/jobs/id", f"id={JOB_ID}"
    details = sample("get_job_details") | {"job_id": JOB_ID}
    found = sample("get_job_predictions")
    exchanges = [
        whole(with_result("post_collection", {"job_id": JOB_ID}, "POST", jobs, "")),
        whole(with_result("get_old_format", details, "GET", one, query)),
        whole(with_result("response_20MB", found, "GET", f"{one}/predictions", query)),
    ]
    for number, exchange in enumerate(exchanges):
        exchange["name"] += f" {number}"
    caplog.set_level(logging.INFO)
    async with ReplayServer([*exchanges, BY_NAME["new_format_get_item"]]) as server:
        async with client_of(server) as hume:
            job = await hume.batch.start_job(urls=["https://media.example.com/a.mp4"])
            await job.wait(timeout=10)
            predictions = await job.predictions()
    assert JOB_ID == job.id
    assert len(found) == len(predictions)
    predictions.validate()
    assert "new_format_get_item" in server.served
    assert 1 == sum("old URL format" in record.getMessage() for record in caplog.records)


REFUSALS = [
    ("no_credentials_stored", PermissionDeniedError, "authorize your humeai"),
    ("shipped_definition_job_old_format", AuthenticationError, "not implemented"),
    ("token_missing", AuthenticationError, "valid API token"),
    ("token_unknown", PermissionDeniedError, "Invalid api_token"),
    ("unknown_route", NotFoundError, "Not Found"),
    ("upstream_400_get", BadRequestError, "malformed"),
    ("upstream_401_get", AuthenticationError, "Invalid ApiKey"),
    ("upstream_404_get", NotFoundError, "Job not found"),
    ("upstream_422_get", UnprocessableEntityError, "body.name: field required"),
    ("upstream_500_get", ServerError, "Internal server error"),
    ("upstream_502_html", ServerError, "HTML page"),
    ("upstream_500_empty", ServerError, "humeai API"),
    ("upstream_conn_reset", ServerError, "socket hang up"),
    ("upstream_refused_get", ServerError, "ECONNREFUSED"),
    ("env_invalid_json_nan", DecodeError, "got text"),
]


@pytest.mark.parametrize(("name", "error", "said"), REFUSALS)
async def test_every_recorded_refusal_is_the_right_error(
    name: str, error: type[Exception], said: str
) -> None:
    async with ReplayServer(EXCHANGES) as server, client_of(server) as hume:
        server.serve(name, name)
        with pytest.raises(error, match=said):
            await hume.batch.get_job(JOB_ID)


async def test_the_wait_that_hume_asked_for_is_found_inside_the_json() -> None:
    async with ReplayServer(EXCHANGES) as server:
        async with client_of(server, retry=Retry(attempts=4), timeout=2.0) as hume:
            server.serve("upstream_429_get")
            with pytest.raises(RateLimitWaitError) as caught:
                await hume.batch.get_job(JOB_ID)
    assert 5.0 < caught.value.seconds <= 8.0


async def test_the_echo_in_a_401_shows_no_secret() -> None:
    async with ReplayServer(EXCHANGES) as server, client_of(server) as hume:
        server.serve("token_in_header_bearer", "token_in_header_bearer")
        with pytest.raises(AuthenticationError) as caught:
            await hume.batch.get_job(JOB_ID)
    assert "logging" not in caught.value.body
    assert "authorization" not in caught.value.body.lower()


@pytest.mark.parametrize("name", ["env_null", "env_no_content_type_json"])
async def test_what_the_gateway_never_answers_is_a_timeout(name: str) -> None:
    async with ReplayServer(EXCHANGES) as server:
        async with client_of(server, timeout=Timeout(read=0.05)) as hume:
            server.serve(name, name)
            with pytest.raises(APITimeoutError):
                await hume.batch.get_job(JOB_ID)


async def test_a_delete_that_is_never_answered_is_not_sent_again() -> None:
    async with ReplayServer(EXCHANGES) as server:
        settings = {"timeout": Timeout(read=0.05), "retry": Retry(attempts=4)}
        async with client_of(server, **settings) as hume:
            server.serve("env_204_delete", "env_204_delete")
            with pytest.raises(APITimeoutError) as caught:
                await hume.configs.delete(JOB_ID)
    assert caught.value.outcome_unknown
    assert 1 == len(server.requests)


@pytest.mark.parametrize("name", ["env_json_empty_body", "env_204_with_text_content_type"])
async def test_empty_answers_to_calls_that_say_nothing_are_fine(name: str) -> None:
    async with ReplayServer(EXCHANGES) as server, client_of(server) as hume:
        server.serve(name)
        await hume.configs.update_name(JOB_ID, name="new")


async def test_a_gateway_that_dies_of_the_new_format_is_asked_in_the_old_one() -> None:
    async with ReplayServer(EXCHANGES) as server:
        async with client_of(server, retry=Retry(attempts=2, initial_delay=0.01)) as hume:
            server.serve("proxylist_new_format", "env_object")
            assert (await hume.batch.get_job(JOB_ID)).job_id == JOB_ID
    paths = [request.path for request in server.requests]
    assert [f"/humeai/v0/batch/jobs/{JOB_ID}", "/humeai/v0/batch/jobs/id"] == paths
