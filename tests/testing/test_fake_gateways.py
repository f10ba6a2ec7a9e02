"""The two gateways, the second held against what was recorded from the real one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import aiohttp
import pytest
from raw_client import open_raw_client
from yarl import URL

from humeai_async.testing import Dialect, FakeHume, Fault, javascript
from humeai_async.testing.rows import ROWS

pytestmark = pytest.mark.anyio

SAMPLES = Path(__file__).parents[1] / "samples"
RECORDED: dict[str, Any] = {
    exchange["name"]: exchange
    for exchange in json.loads((SAMPLES / "transcripts.json").read_text())
}
JOB = "8b1c2f3a-4d5e-4f60-9a7b-1c2d3e4f5a6b"


_UNKNOWN_KEY = json.dumps(
    {"fault": {"faultstring": "Invalid ApiKey", "detail": {"errorcode": "oauth.v2.InvalidApiKey"}}}
).encode()
_NUMBERS = b"""{"a":12345678901234567890,"b":9007199254740993,"c":1.0,"d":1e400,
"e":0.12345678901234568,"f":-0.0}"""


def recorded_body(name: str) -> Any:
    return json.loads(RECORDED[name]["response"]["body"])


def shape(value: Any) -> Any:
    """Keys and types of a JSON object, without its contents."""
    return {key: type(item).__name__ for key, item in value.items()}


async def ask(
    fake: FakeHume,
    exchange: dict[str, Any],
    *,
    token: str | None = None,
) -> tuple[int, dict[str, str], bytes]:
    """Send a recorded request to the fake."""
    request = exchange["request"]
    query = (request["query"] or "").replace("at_REDACTED", token or fake.api_token)
    url = f"{fake.origin}{request['url_path']}" + (f"?{query}" if query else "")
    headers = {"Accept": "application/json", **request["headers"]}
    headers = {k: v.replace("at_REDACTED", fake.api_token) for k, v in headers.items()}
    body = request["body"]
    timeout = aiohttp.ClientTimeout(total=5)
    async with (
        aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as session,
        session.request(
            request["method"],
            URL(url, encoded=True),
            headers=headers,
            data=None if body is None else body.encode(),
            skip_auto_headers=["Content-Type", "Accept-Encoding", "User-Agent"],
            allow_redirects=False,
        ) as response,
    ):
        return response.status, dict(response.headers), await response.read()


def seen_by_hume(fake: FakeHume) -> tuple[str, str, list[tuple[str, str]], bytes] | None:
    upstream = fake.requests[-1].upstream
    if upstream is None:
        return None
    return upstream.method, upstream.path, list(upstream.query), upstream.body


@pytest.mark.parametrize(
    "name",
    [
        "get_collection",
        "get_old_format",
        "post_collection",
        "post_old_format",
        "patch_old_format_version",
        "delete_old_format",
        "delete_with_body",
        "get_with_body",
        "put_not_routed",
        "new_format_get_item",
        "new_format_post_item",
        "new_format_patch_item",
        "new_format_delete_item",
        "old_format_id_missing",
        "old_format_id_traversal",
        "old_format_id_dollar",
        "query_extra_unknown",
        "query_array_repeated",
        "query_bool_number",
        "query_encoding",
        "multipart_job",
        "multipart_registry_files",
        "urlencoded_body",
        "no_body_post",
        "json_primitive_body",
        "json_malformed_body",
        "unknown_route",
        "unknown_provider",
        "token_missing",
        "token_in_header_bearer",
        "client_headers_not_forwarded",
    ],
)
async def test_hume_sees_what_was_recorded(name: str) -> None:
    exchange = RECORDED[name]
    async with FakeHume(dialect="gateway-recorded") as fake:
        await ask(fake, exchange)
        seen = seen_by_hume(fake)
    if not exchange["upstream_saw"]:
        assert seen is None
        return
    (expected,) = exchange["upstream_saw"]
    assert seen is not None
    method, path, query, body = seen
    assert (method, path) == (expected["method"], expected["path"])
    assert query == parse_qsl(expected["query_string"], keep_blank_values=True)
    sent = json.loads(expected["body"]) if expected["body"] else None
    assert (json.loads(body) if body else None) == sent


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("put_not_routed", "working"),
        ("new_format_get_item", "working"),
        ("unknown_route", "working"),
        ("unknown_provider", "working"),
        ("token_unknown", "working"),
        ("json_malformed_body", "working"),
        ("json_primitive_body", "working"),
        ("shipped_definition_job_old_format", "shipped"),
        ("shipped_definition_job_new_format", "shipped"),
        ("no_credentials_stored", "no-credentials"),
    ],
)
async def test_the_gateways_own_refusals_are_as_recorded(name: str, state: Any) -> None:
    async with FakeHume(dialect="gateway-recorded", gateway_state=state) as fake:
        status, headers, body = await ask(fake, RECORDED[name])
    expected = RECORDED[name]["response"]
    assert status == expected["status"]
    assert json.loads(body) == json.loads(expected["body"])
    compared = {"Content-Type", "Content-Length", "Keep-Alive", "Vary", "Etag", "ETag"}
    expected_headers = {k.title(): v for k, v in expected["headers"].items() if k in compared}
    given = {k.title(): v for k, v in headers.items() if k.title() in expected_headers}
    assert given == expected_headers
    assert ("Set-Cookie" in headers) == ("Set-Cookie" in expected["headers"])


@pytest.mark.parametrize("name", ["token_missing", "token_in_header_bearer"])
async def test_a_401_repeats_the_request(name: str) -> None:
    async with FakeHume(dialect="gateway-recorded") as fake:
        status, _, body = await ask(fake, RECORDED[name])
    given, expected = json.loads(body), recorded_body(name)
    assert status == 401
    logging = given["error"]["logging"]
    assert logging["query"] == expected["error"]["logging"]["query"]
    assert set(expected["error"]["logging"]["headers"]) - {"user-agent"} <= set(logging["headers"])
    for body_ in (given, expected):
        del body_["error"]["logging"]["headers"]
    assert given == expected


async def test_a_success_is_wrapped_as_recorded() -> None:
    async with open_raw_client(dialect="gateway-recorded") as call:
        job = await call.start("https://a.example/a.mp4")
        reply = await call("GET", "/v0/batch/jobs/{id}", job)
    recorded = recorded_body("get_old_format")
    assert reply.status == 200
    assert list(reply.json) == list(recorded)
    assert reply.json["message"] == "Request completed"
    assert shape(reply.json["response_headers"]) == shape(recorded["response_headers"])
    assert set(RECORDED["get_old_format"]["response"]["headers"]) <= {
        *reply.headers,
        "ETag",
        "Content-Length",
    } | {"Transfer-Encoding"}


async def test_a_created_thing_is_a_200_as_recorded() -> None:
    async with open_raw_client(dialect="gateway-recorded") as call:
        body = {"name": "n", "text": "t"}
        reply = await call("POST", "/v0/evi/prompts", json=body)
    assert reply.status == 200
    assert reply.result["version"] == 0


@pytest.mark.parametrize(
    ("status", "body", "content_type", "name"),
    [
        (400, b'{"message":"Request was malformed","code":"E0300"}', None, "upstream_400_get"),
        (
            401,
            _UNKNOWN_KEY,
            None,
            "upstream_401_get",
        ),
        (500, b"", "text/plain", "upstream_500_empty"),
        (
            502,
            b"<html><body><h1>502 Bad Gateway</h1></body></html>",
            "text/html",
            "upstream_502_html",
        ),
    ],
)
async def test_errors_of_hume_are_wrapped_as_recorded(
    status: int, body: bytes, content_type: str | None, name: str
) -> None:
    fault = Fault("status", status=status, body=body, content_type=content_type)
    async with FakeHume(dialect="gateway-recorded", faults=[fault]) as fake:
        given_status, headers, given_body = await ask(fake, RECORDED[name])
    given, expected = json.loads(given_body), recorded_body(name)
    assert given_status == status
    assert "Retry-After" not in headers
    assert list(given) == list(expected)
    if name != "upstream_500_empty":
        for key in ("message", "provider", "error"):
            assert given[key] == expected[key]
    else:
        assert given["message"] == expected["message"]
        assert set(given["error"]) == set(expected["error"])
    assert {"x-request-id", "content-length", "date", "server"} <= set(given["headers"])


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (
            _NUMBERS,
            "env_big_int",
        ),
        (b'{"a": NaN}', "env_invalid_json_nan"),
        (b'{"message":"Deleted","id":1}', "env_upstream_has_message"),
    ],
)
async def test_json_is_rewritten_as_recorded(body: bytes, name: str) -> None:
    async with FakeHume(
        dialect="gateway-recorded", faults=[Fault("status", status=200, body=body)]
    ) as fake:
        _, _, given = await ask(fake, RECORDED[name])
    expected = recorded_body(name)
    assert json.loads(given)["result"] == expected["result"]
    assert json.loads(given)["message"] == expected["message"]


async def test_problem_json_passes_bare() -> None:
    fault = Fault(
        "status", status=200, body=b'{"title":"x"}', content_type="application/problem+json"
    )
    async with FakeHume(dialect="gateway-recorded", faults=[fault]) as fake:
        _, headers, body = await ask(fake, RECORDED["env_problem_json"])
    recorded = RECORDED["env_problem_json"]["response"]
    assert body.decode() == recorded["body"]
    assert headers["Content-Type"] == recorded["headers"]["Content-Type"]


async def test_binary_answers_are_ruined() -> None:
    fault = Fault(
        "status", status=200, body=bytes(range(256)), content_type="application/octet-stream"
    )
    async with FakeHume(dialect="gateway-recorded", faults=[fault]) as fake:
        _, headers, body = await ask(fake, RECORDED["env_binary_octet"])
    recorded = RECORDED["env_binary_octet"]["response"]
    assert body == recorded["body"].encode()
    assert len(body) == 512
    assert headers["Content-Type"] == recorded["headers"]["Content-Type"]


@pytest.mark.parametrize("body", [b"null", b" null "])
async def test_a_json_null_is_never_answered(body: bytes) -> None:
    fault = Fault("status", status=200, body=body)
    async with open_raw_client(dialect="gateway-recorded", faults=[fault], timeout=0.2) as call:
        with pytest.raises(TimeoutError):
            await call("GET", "/v0/batch/jobs")
        assert call.fake.requests[-1].status is None


async def test_a_204_is_never_answered_though_the_work_is_done() -> None:
    async with open_raw_client(dialect="gateway-recorded", timeout=0.2) as call:
        body = [{"file": {"name": "a", "data_type": "audio", "hume_storage": True}}]
        made = (await call("POST", "/v0/registry/files", json=body)).result
        file = made[0]["file"]["id"]
        with pytest.raises(TimeoutError):
            await call("DELETE", "/v0/registry/files/{id}", file)
        assert (await call("GET", "/v0/registry/files/{id}", file)).status == 404


async def test_what_is_never_answered_may_be_closed_instead() -> None:
    # The client repeats a GET once by itself when its connection is closed.
    fault = Fault("status", status=200, body=b"null", times=None)
    async with open_raw_client(
        dialect="gateway-recorded", faults=[fault], never_answer=False
    ) as call:
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await call("GET", "/v0/batch/jobs")


async def test_a_held_answer_does_not_hold_up_the_end() -> None:
    fault = Fault("status", status=200, body=b"null")
    async with open_raw_client(dialect="gateway-recorded", faults=[fault], timeout=0.1) as call:
        with pytest.raises(TimeoutError):
            await call("GET", "/v0/batch/jobs")


async def test_a_token_given_twice_is_a_500() -> None:
    async with open_raw_client(dialect="gateway-recorded") as call:
        reply = await call("GET", "/v0/batch/jobs", query=[("api_token", "at_x")])
    assert reply.status == 500


async def test_a_body_over_the_limit_is_a_413() -> None:
    async with open_raw_client(dialect="gateway-recorded", body_limit=1000) as call:
        reply = await call("POST", "/v0/batch/jobs", json={"text": ["x" * 1000]})
    assert reply.status == 413
    assert reply.json == recorded_body("json_body_over_100MiB")


async def test_a_head_over_16_kb_is_a_431() -> None:
    async with open_raw_client(dialect="gateway-recorded") as call:
        reply = await call("GET", "/v0/batch/jobs", query=[("q", "a" * 17000)])
    assert (reply.status, reply.body) == (431, b"")


async def test_paths_are_matched_without_case_and_with_a_slash_at_the_end() -> None:
    async with open_raw_client(dialect="gateway-recorded") as call:
        assert (await call("GET", "/V0/Batch/JOBS/")).status == 200
        assert (await call("GET", "/v0//batch/jobs")).status == 404


async def test_the_root_leads_away() -> None:
    async with FakeHume(dialect="gateway-recorded") as fake:
        status, headers, _ = await ask(fake, RECORDED["provider_root"])
    assert status == 302
    assert "Location" in headers


async def test_an_etag_that_is_known_is_a_304() -> None:
    async with open_raw_client(dialect="gateway-recorded") as call:
        first = await call("GET", "/v0/evi/privacy/settings")
        # The envelope carries the time and a request id, so only a bare answer repeats.
        assert first.headers["ETag"].startswith('W/"')
        fault = Fault("status", status=200, body=b"hi", content_type="text/plain", times=2)
        call.fake.faults.add(fault)
        bare = await call("GET", "/v0/evi/tools")
        again = await call("GET", "/v0/evi/tools", headers={"If-None-Match": bare.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")


async def test_the_session_cookie_is_set_until_it_is_kept() -> None:
    async with open_raw_client(dialect="gateway-recorded") as call:
        first = await call("GET", "/v0/batch/jobs")
        second = await call("GET", "/v0/batch/jobs", headers={"Cookie": "connect.sid=x"})
    assert "connect.sid" in first.headers["Set-Cookie"]
    assert "Set-Cookie" not in second.headers


async def test_long_answers_are_compressed() -> None:
    async with open_raw_client(dialect="gateway-recorded") as call:
        job = await call.start("https://a.example/a.mp4")
        reply = await call("GET", "/v0/batch/jobs/{id}", job, headers={"Accept-Encoding": "gzip"})
    assert reply.headers["Content-Encoding"] == "gzip"
    assert reply.result["job_id"] == job


def test_the_table_has_63_rows_and_41_with_parameters() -> None:
    assert len(ROWS) == len(set(ROWS)) == 63
    assert sum(bool(row.parameters) for row in ROWS) == 41
    assert len({row.old_path for row in ROWS}) == 35
    assert [(row.method, row.path) for row in ROWS] == [
        (row["method"], row["path"])
        for row in json.loads((SAMPLES / "endpoints.json").read_text())[:63]
    ]


GATEWAYS = pytest.mark.parametrize("dialect", ["gateway-documented", "gateway-recorded"])


@GATEWAYS
async def test_a_gateway_waits_without_limit_for_hume(dialect: Dialect) -> None:
    fault = Fault("stall", upstream=True)
    async with open_raw_client(dialect=dialect, faults=[fault], timeout=0.2) as call:
        with pytest.raises(TimeoutError):
            await call("GET", "/v0/batch/jobs")
        assert call.fake.requests[0].status is None


@GATEWAYS
async def test_a_body_that_hume_cut_off_is_a_500(dialect: Dialect) -> None:
    async with open_raw_client(dialect=dialect, faults=[Fault("truncate", upstream=True)]) as call:
        reply = await call("GET", "/v0/batch/jobs")
    assert reply.status == 500
    assert b"socket hang up" in reply.body


@GATEWAYS
async def test_garbage_from_hume_arrives_as_text(dialect: Dialect) -> None:
    async with open_raw_client(dialect=dialect, faults=[Fault("garbage")]) as call:
        reply = await call("GET", "/v0/batch/jobs")
    assert reply.status == 200
    assert isinstance(reply.result, str)
    assert reply.result.startswith('{"job_id"')


@GATEWAYS
async def test_an_error_page_of_hume_is_wrapped(dialect: Dialect) -> None:
    async with open_raw_client(dialect=dialect, faults=[Fault("html", status=500)]) as call:
        reply = await call("GET", "/v0/batch/jobs")
    assert reply.status == 500
    assert reply.headers["Content-Type"].startswith("application/json")
    assert b"Error received from the humeai API" in reply.body


async def test_xml_is_wrapped_twice() -> None:
    fault = Fault("status", status=200, body=b"<a>1</a>", content_type="text/xml")
    async with open_raw_client(dialect="gateway-recorded", faults=[fault]) as call:
        assert (await call("GET", "/v0/batch/jobs")).result == {"xml": "<a>1</a>", "json": {}}


async def test_a_redirect_of_hume_leads_to_the_root() -> None:
    fault = Fault("status", status=307, body=b"")
    async with FakeHume(dialect="gateway-recorded", faults=[fault]) as fake:
        status, headers, _ = await ask(fake, RECORDED["upstream_307_no_location"])
    recorded = RECORDED["upstream_307_no_location"]["response"]
    assert status == recorded["status"]
    assert headers["Location"] == recorded["headers"]["Location"]


@pytest.mark.parametrize("content_type", ["", "Application/JSON", "text/csv"])
async def test_odd_content_types_have_no_envelope(content_type: str) -> None:
    fault = Fault("status", status=200, body=b"{}", content_type=content_type or "nonsense")
    async with open_raw_client(dialect="gateway-recorded", faults=[fault], timeout=0.2) as call:
        if not content_type:
            with pytest.raises(TimeoutError):
                await call("GET", "/v0/batch/jobs")
            return
        reply = await call("GET", "/v0/batch/jobs")
    assert reply.body == b"{}"
    assert reply.headers["Content-Type"] == f"{content_type}; charset=utf-8"


async def test_a_null_error_of_hume_breaks_the_gateway() -> None:
    fault = Fault("status", status=404, body=b"null")
    async with open_raw_client(dialect="gateway-recorded", faults=[fault]) as call:
        reply = await call("GET", "/v0/batch/jobs")
    assert reply.status == 500
    assert "headers" not in reply.json


async def test_a_charset_that_is_not_unicode_is_a_415() -> None:
    async with open_raw_client(dialect="gateway-recorded") as call:
        kind = {"Content-Type": "application/json; charset=latin1"}
        reply = await call("POST", "/v0/batch/jobs", data=b"{}", headers=kind)
    assert reply.status == 415
    assert reply.json == {"message": 'unsupported charset "LATIN1"'}


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ('{"b":1,"10":2,"2":3}', b'{"2":3,"10":2,"b":1}'),
        ("[1.50, -0, 1e2, 1e21]", b"[1.5,0,100,1e+21]"),
        ("[123456789012345678901234567890]", b"[1.2345678901234568e+29]"),
        ('["\\u00e9"]', '["é"]'.encode()),
    ],
)
def test_json_is_written_as_javascript_does(text: str, written: bytes) -> None:
    assert javascript.dumps(javascript.loads(text)) == written


DOCUMENTED: Dialect = "gateway-documented"


async def test_the_documented_gateway_wraps_in_data() -> None:
    async with open_raw_client(dialect=DOCUMENTED) as call:
        reply = await call("POST", "/v0/evi/prompts", json={"name": "n", "text": "t"})
    assert reply.status == 200
    assert list(reply.json) == ["data"]
    assert reply.json["data"]["name"] == "n"


async def test_the_documented_gateway_takes_both_url_formats() -> None:
    async with open_raw_client(dialect=DOCUMENTED) as call:
        job = await call.start("https://a.example/a.mp4")
        new = await call("GET", "/v0/batch/jobs/{id}", job)
        old = await call("GET", "/v0/batch/jobs/id", query={"id": job})
        assert new.json == old.json
        upstream = call.fake.requests[-1].upstream
        assert upstream is not None
        assert upstream.path == f"/v0/batch/jobs/{job}"
        assert upstream.query == ()


async def test_the_documented_gateway_knows_words_from_ids() -> None:
    async with open_raw_client(dialect=DOCUMENTED) as call:
        versions = await call("GET", "/v0/registry/models/version")
        version = versions.result[0]["id"]
        assert (await call("GET", "/v0/registry/models/version/{id}", version)).status == 200
        old = await call("GET", "/v0/registry/models/version/id", query={"id": version})
        assert old.result["id"] == version


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/v0/batch/jobs/nobody", None, 404),
        ("/v0/nope", None, 404),
        ("/v0/evi/tools", {"page_size": "1000"}, 400),
    ],
)
async def test_the_documented_gateway_wraps_errors(
    path: str, query: dict[str, str] | None, status: int
) -> None:
    async with open_raw_client(dialect=DOCUMENTED) as call:
        reply = await call("GET", path, query=query)
    assert reply.status == status
    error = reply.json["data"]["error"]
    assert set(error) == {"message", "code"}
    assert isinstance(error["code"], str)


async def test_the_documented_gateway_checks_the_token() -> None:
    async with FakeHume(dialect=DOCUMENTED) as fake, aiohttp.ClientSession() as session:
        for query, status in (("", 401), ("?api_token=at_other", 403)):
            async with session.get(fake.url + "/v0/batch/jobs" + query) as response:
                assert response.status == status
                assert (await response.json())["data"]["error"]["code"] == str(status)


async def test_the_documented_gateway_carries_uploads_and_archives() -> None:
    form = aiohttp.FormData()
    form.add_field("file", b"x", filename="a.wav")
    async with open_raw_client(dialect=DOCUMENTED) as call:
        job = (await call("POST", "/v0/batch/jobs", data=form)).result["job_id"]
        reply = await call("GET", "/v0/batch/jobs/{id}/artifacts", job)
        assert call.fake.uploads
    assert reply.body.startswith(b"PK")


async def test_other_statuses_become_the_nearest_documented_one() -> None:
    faults = [Fault("status", status=422), Fault("status", status=503)]
    async with open_raw_client(dialect=DOCUMENTED, faults=faults) as call:
        assert (await call("GET", "/v0/batch/jobs")).status == 400
        assert (await call("GET", "/v0/batch/jobs")).status == 500


async def test_answers_without_a_body_have_null_data() -> None:
    async with open_raw_client(dialect=DOCUMENTED) as call:
        made = await call("POST", "/v0/evi/prompts", json={"name": "n", "text": "t"})
        reply = await call("DELETE", "/v0/evi/prompts/{id}", made.result["id"])
    assert reply.status == 200
    assert reply.json == {"data": None}
