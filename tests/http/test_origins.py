"""Where calls go: addresses, envelopes and URL formats, as tables and without a socket.

`samples/transcripts.json` holds 80 exchanges recorded from the open-source LowCodeAPI server.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from routes import is_final, request_of, url_of

from humeai_async import catalog
from humeai_async._base.secret import Secret
from humeai_async.errors import ConfigurationError, GatewayUnsupportedError
from humeai_async.http.endpoint import Call, Encoding, Endpoint, fill
from humeai_async.http.gateway import LowCodeAPI
from humeai_async.http.messages import Part, Responder, Response
from humeai_async.http.origins import Direct, Format, check_base_url, check_credential
from humeai_async.limiter.headers import parse_retry_after

RECORDED = json.loads(
    (Path(__file__).parents[1] / "samples" / "transcripts.json").read_text("utf-8")
)
ANSWERED = {one["name"]: one for one in RECORDED if one["response"] is not None}
TOKEN = "at_REDACTED"
JOB = "8b1c2f3a-4d5e-4f60-9a7b-1c2d3e4f5a6b"
GATEWAY = "https://api.lowcodeapi.com/humeai"
JSON_HEADERS = {"content-type": "application/json; charset=utf-8"}

WRAPPING = (
    "code", "message", "provider", "response_headers", "status", "statusCode", "success",
)  # fmt: skip
"""All that may stand beside an answer in an envelope."""

RESPONDERS = {
    "no_credentials_stored": Responder.GATEWAY,
    "shipped_definition_job_old_format": Responder.GATEWAY,
    "shipped_definition_job_new_format": Responder.ROUTER,
    "put_not_routed": Responder.ROUTER,
    "new_format_get_item": Responder.ROUTER,
    "new_format_post_item": Responder.ROUTER,
    "new_format_patch_item": Responder.ROUTER,
    "new_format_delete_item": Responder.ROUTER,
    "token_missing": Responder.GATEWAY,
    "token_unknown": Responder.GATEWAY,
    "token_in_header_bearer": Responder.GATEWAY,
    "unknown_provider": Responder.ROUTER,
    "unknown_route": Responder.ROUTER,
    "provider_root": Responder.ROUTER,
    "upstream_400_get": Responder.HUME,
    "upstream_401_get": Responder.HUME,
    "upstream_404_get": Responder.HUME,
    "upstream_422_get": Responder.HUME,
    "upstream_429_get": Responder.HUME,
    "upstream_500_get": Responder.HUME,
    "upstream_502_html": Responder.HUME,
    "upstream_500_empty": Responder.HUME,
    "upstream_conn_reset": Responder.GATEWAY,
    "upstream_307_no_location": Responder.ROUTER,
    "upstream_refused_get": Responder.GATEWAY,
    "json_primitive_body": Responder.ROUTER,
    "json_malformed_body": Responder.ROUTER,
    "json_body_over_100MiB": Responder.ROUTER,
    "etag_if_none_match": Responder.ROUTER,
    "url_17k": Responder.ROUTER,
    "openapi_no_token": Responder.ROUTER,
}
"""Who wrote each recorded answer that is no success."""

HUMES_ERRORS = [name for name, sender in RESPONDERS.items() if sender is Responder.HUME]


def gateway(**settings: Any) -> LowCodeAPI:
    return LowCodeAPI(TOKEN, **settings)


def recorded(name: str) -> Response:
    response = ANSWERED[name]["response"]
    headers = {key.lower(): value for key, value in response["headers"].items()}
    return Response(response["status"], headers, response["body"].encode())


def read(status: int, body: object, headers: dict[str, str] | None = None) -> Response:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return gateway().read(Response(status, {**JSON_HEADERS, **(headers or {})}, text))


def call_of(endpoint: Endpoint[Any], **filled: Any) -> Call[Any]:
    """Fill an endpoint in with the id and version of the recordings."""
    ids = {"id": JOB, "version": "3"}
    return fill(endpoint, *(ids.get(name, f"{name}-1") for name in endpoint.parameters), **filled)


def test_every_recorded_answer_that_is_no_success_has_its_sender_written_down() -> None:
    bad = {name for name, one in ANSWERED.items() if one["response"]["status"] >= 300}
    assert bad == set(RESPONDERS)


@pytest.mark.parametrize("name", RESPONDERS)
def test_who_wrote_a_recorded_answer_is_seen(name: str) -> None:
    answer = gateway().read(recorded(name))
    assert answer.status == ANSWERED[name]["response"]["status"]
    assert answer.responder is RESPONDERS[name]


@pytest.mark.parametrize("name", [name for name in ANSWERED if name not in RESPONDERS])
def test_a_recorded_success_loses_exactly_one_envelope(name: str) -> None:
    text = ANSWERED[name]["response"]["body"]
    answer = gateway().read(recorded(name))
    try:
        envelope = json.loads(text)
    except ValueError:
        envelope = None
    if isinstance(envelope, dict) and "response_headers" in envelope:
        assert json.loads(answer.body) == envelope["result"]
        assert answer.headers == envelope["response_headers"]
    else:
        assert answer.body == text.encode()
    assert (answer.status, answer.responder) == (200, Responder.HUME)


@pytest.mark.parametrize("name", HUMES_ERRORS)
def test_humes_own_error_and_headers_come_out_of_the_envelope(name: str) -> None:
    envelope = json.loads(ANSWERED[name]["response"]["body"])
    answer = gateway().read(recorded(name))
    assert answer.headers == envelope["headers"]
    if name == "upstream_500_empty":
        assert json.loads(answer.body) == {"message": "Error received from the humeai API"}
    else:
        assert json.loads(answer.body) == envelope["error"]


@pytest.mark.parametrize(
    ("name", "seconds"), [("upstream_429_get", 7.0), ("upstream_500_get", None)]
)
def test_retry_after_is_found_inside_the_json(name: str, seconds: float | None) -> None:
    answer = gateway().read(recorded(name))
    assert seconds == parse_retry_after(answer.headers, now_epoch=0.0)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"data": {"job_id": "a"}}, {"job_id": "a"}),
        ({"data": [1, 2]}, [1, 2]),
        ({"data": None}, None),
        ({"data": {"data": 1}}, {"data": 1}),
        ({"message": "", "provider": "humeai", "result": {"data": 1}}, {"data": 1}),
        ({"provider": "humeai", "result": {"result": 1}}, {"result": 1}),
        ({"job_id": "a"}, {"job_id": "a"}),
        ({"data": 1, "page": 2}, {"data": 1, "page": 2}),
        ({"result": 1}, 1),
        ({"message": "ok", "result": {"a": 1}}, {"a": 1}),
        ({"data": [1], "success": True}, [1]),
        ({"data": 1, "more": 2}, {"data": 1, "more": 2}),
        ({"success": False, "data": None}, {"success": False, "data": None}),
        (
            {"success": False, "result": 1, "code": 404},
            {"success": False, "result": 1, "code": 404},
        ),
        ({"result": 1} | dict.fromkeys(WRAPPING), 1),
        ([{"data": 1}], [{"data": 1}]),
        ("text", "text"),
        ({}, {}),
    ],
)
def test_all_envelopes_of_success_and_none_come_off_by_one_level(body: Any, expected: Any) -> None:
    assert json.loads(read(200, body).body) == expected


def test_an_envelope_with_white_space_around_it_comes_off_too() -> None:
    assert json.loads(read(200, b' \r\n{ "data" : [1] }\n').body) == [1]


def test_the_text_inside_an_envelope_is_not_changed() -> None:
    exact = b'{"big":12345678901234567890, "exact": 1.0, "twice":1,"twice":2}'
    assert read(200, b'{"data":' + exact + b"}").body == exact


@pytest.mark.parametrize(
    ("status", "body", "sender"),
    [
        (404, {"data": {"error": {"message": "no", "code": "N"}}}, Responder.UNKNOWN),
        (404, {"message": "Not Found"}, Responder.ROUTER),
        (404, {"status": 404, "error": "Not Found", "message": "no"}, Responder.UNKNOWN),
        (404, {"detail": "Not Found"}, Responder.UNKNOWN),
        (404, {"error": "Not Found", "message": "no", "code": "E0404"}, Responder.HUME),
        (422, {"detail": []}, Responder.HUME),
        (401, {"fault": {"faultstring": "no"}}, Responder.HUME),
        (500, {"message": "no", "provider": "humeai"}, Responder.GATEWAY),
        (500, {"provider": "humeai", "headers": {}}, Responder.HUME),
        (502, b"<html>", Responder.ROUTER),
        (502, b"", Responder.ROUTER),
        (502, [], Responder.ROUTER),
    ],
)
def test_who_wrote_other_errors_is_seen(status: int, body: Any, sender: Responder) -> None:
    assert read(status, body).responder is sender


def test_an_envelope_comes_off_every_success_and_nothing_else() -> None:
    body = b'{"data": {"a": 1}}'
    assert [read(status, body).body for status in (299, 300, 404)] == [b'{"a": 1}', body, body]


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ({"error": {"code": "E0404"}}, b'{"code": "E0404"}'),
        ({"error": {"headers": {}, "code": 1}, "message": "no"}, b'{"message":"no"}'),
        ({"error": {"headers": {}, "code": 1}}, b'{"message":""}'),
        ({}, b""),
    ],
)
def test_what_hume_said_is_the_body_of_its_error(inside: dict[str, Any], expected: bytes) -> None:
    assert read(500, {"provider": "humeai", "headers": {}, **inside}).body == expected


@pytest.mark.parametrize("body", [{"data": 1}, {"job_id": "a"}, {"result": 1, "message": "ok"}])
def test_outer_headers_stay_with_a_success_that_brings_none(body: object) -> None:
    assert read(200, body, {"x-request-id": "r"}).headers == {**JSON_HEADERS, "x-request-id": "r"}


def test_headers_of_a_strange_form_inside_an_envelope_are_left_out() -> None:
    headers = {"Retry-After": "3", "set-cookie": ["a", "b"], "x": None}
    answer = read(429, {"provider": "humeai", "error": {}, "headers": headers})
    assert answer.headers == {"retry-after": "3"}


@pytest.mark.parametrize("headers", [None, [], "text", 7])
def test_outer_headers_stay_where_there_are_none_inside(headers: object) -> None:
    answer = read(429, {"provider": "humeai", "headers": headers}, {"retry-after": "4"})
    assert answer.headers["retry-after"] == "4"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "data",
                    "message",
                    "provider",
                    "result",
                    "response_headers",
                    "error",
                    "headers",
                    "code",
                ]
            )
            | st.text(max_size=3),
            inner,
            max_size=5,
        )
    ),
    max_leaves=6,
)
STATUSES = st.integers(100, 599)


@given(STATUSES, JSON)
def test_no_json_breaks_the_reading(status: int, body: object) -> None:
    assert read(status, body).status == status


@given(STATUSES, st.binary(max_size=60))
def test_no_bytes_break_the_reading(status: int, body: bytes) -> None:
    assert read(status, body).status == status


@given(STATUSES, JSON, st.data())
def test_no_damage_to_an_envelope_breaks_the_reading(
    status: int, body: object, data: st.DataObject
) -> None:
    whole = json.dumps({"provider": "humeai", "headers": body, "error": {"headers": {}, "code": 1}})
    text = bytearray(whole.encode())
    place = data.draw(st.integers(0, len(text) - 1))
    text[place] = data.draw(st.integers(0, 255))
    assert read(status, bytes(text)).status == status


@pytest.mark.parametrize("status", [200, 404])
def test_hume_itself_puts_nothing_around_its_answers(status: int) -> None:
    answer = Direct(api_key="key").read(Response(status, {"a": "b"}, b'{"data": 1}'))
    assert (answer.status, answer.headers, answer.body) == (status, {"a": "b"}, b'{"data": 1}')
    assert answer.responder is Responder.HUME


# Addresses.

OLD_RECORDINGS: dict[str, Endpoint[Any]] = {
    "get_old_format": catalog.BATCH_GET_JOB,
    "response_20MB": catalog.BATCH_GET_PREDICTIONS,
    "env_binary_octet": catalog.BATCH_GET_ARTIFACTS,
    "post_old_format": catalog.CONFIGS_CREATE_VERSION,
    "patch_old_format_version": catalog.CONFIGS_UPDATE_DESCRIPTION,
    "delete_old_format": catalog.CONFIGS_DELETE,
    "new_format_get_item": catalog.BATCH_GET_JOB,
    "new_format_delete_item": catalog.CONFIGS_DELETE,
    "new_format_post_item": catalog.CONFIGS_CREATE_VERSION,
}


@pytest.mark.parametrize("name", OLD_RECORDINGS)
def test_urls_are_those_of_the_recordings(name: str) -> None:
    url_format = Format.NEW if name.startswith("new_format") else Format.OLD
    request = request_of(gateway(), call_of(OLD_RECORDINGS[name]), None, url_format)
    seen: dict[str, str] = ANSWERED[name]["request"]
    url = urlsplit(url_of(request))
    assert request.method == seen["method"]
    assert url.path == seen["url_path"]
    assert sorted(parse_qsl(url.query)) == sorted(parse_qsl(seen["query"]))


def test_the_old_format_has_names_in_the_path_and_values_in_the_query() -> None:
    for endpoint in catalog.ALL:
        request = request_of(gateway(), call_of(endpoint), None, Format.OLD)
        url = urlsplit(url_of(request))
        assert url.path == "/humeai" + endpoint.path.translate({ord("{"): None, ord("}"): None})
        query = parse_qsl(url.query)
        assert [name for name, _ in query] == [*endpoint.parameters, "api_token"]
        assert "" not in dict(query).values()


@pytest.mark.parametrize("origin", [Direct(api_key="key"), gateway()], ids=["direct", "gateway"])
def test_the_new_format_has_values_in_the_path(origin: Direct | LowCodeAPI) -> None:
    for endpoint in catalog.ALL:
        call = call_of(endpoint)
        path = urlsplit(url_of(request_of(origin, call, None, Format.NEW))).path
        expected = endpoint.path
        for name, value in zip(endpoint.parameters, call.ids, strict=True):
            expected = expected.replace("{" + name + "}", value)
        assert path.removeprefix("/humeai") == expected


def test_a_key_a_token_and_a_gateway_token_each_have_their_place() -> None:
    call = call_of(catalog.BATCH_GET_JOB)
    key = request_of(Direct(api_key="k-1"), call, None, Format.NEW)
    bearer = request_of(Direct(access_token="t-1"), call, None, Format.NEW)
    token = request_of(gateway(), call, None, Format.NEW)
    assert key.signed()[1]["X-Hume-Api-Key"] == "k-1"
    assert "Authorization" not in key.signed()[1]
    assert bearer.signed()[1]["Authorization"] == "Bearer t-1"
    assert "X-Hume-Api-Key" not in bearer.signed()[1]
    assert "k-1" not in url_of(key)
    assert parse_qsl(urlsplit(url_of(token)).query) == [("api_token", TOKEN)]
    assert not {"Authorization", "X-Hume-Api-Key"} & set(token.signed()[1])


def test_queries_are_escaped_and_their_repeats_kept() -> None:
    call = fill(catalog.BATCH_LIST_JOBS, query={"status": ["A B", "ü&="], "limit": 3})
    for origin in (Direct(api_key="key"), gateway()):
        query = parse_qsl(urlsplit(url_of(request_of(origin, call, None, Format.NEW))).query)
        expected = [("status", "A B"), ("status", "ü&="), ("limit", "3")]
        assert [pair for pair in query if pair[0] != "api_token"] == expected


def test_only_json_bodies_get_the_json_type_here() -> None:
    call = call_of(catalog.CONFIGS_CREATE_VERSION)
    origin = gateway()
    assert request_of(origin, call, b"{}", Format.NEW).headers["Content-Type"] == "application/json"
    for body in (None, (Part("file", b""),)):
        assert "Content-Type" not in request_of(origin, call, body, Format.NEW).headers


def test_every_request_asks_for_json_before_anything_else() -> None:
    for origin in (Direct(api_key="key"), gateway()):
        request = request_of(origin, call_of(catalog.BATCH_GET_ARTIFACTS), None, Format.NEW)
        assert request.headers["Accept"] == "application/json, */*;q=0.5"


def test_a_request_and_an_origin_show_no_credential() -> None:
    for origin in (Direct(api_key=TOKEN), Direct(access_token=TOKEN), gateway()):
        request = request_of(origin, call_of(catalog.BATCH_GET_JOB), None, Format.NEW)
        assert TOKEN not in f"{request!r} {origin!r} {vars(origin)!r} {origin.account}"


@pytest.mark.parametrize("secret", ["at_plain", "a/b+c=&d", 'quo"te\\', "schlüssel", "%41"])
def test_a_credential_is_scrubbed_in_every_form_it_may_come_back_in(secret: str) -> None:
    origin = LowCodeAPI(secret)
    request = request_of(origin, call_of(catalog.BATCH_GET_JOB), None, Format.NEW)
    echo = json.dumps({"query": secret, "url": url_of(request)}, ensure_ascii=False)
    scrubbed = origin.redact(echo) + origin.redact(secret) + origin.redact(url_of(request))
    assert secret not in scrubbed
    assert json.loads(origin.redact(echo))["query"] == "***"


@pytest.mark.parametrize(
    "form",
    [
        "a/b+c=&d",
        "a%2Fb%2Bc%3D%26d",
        "a\\/b+c=&d",
    ],
    ids=["as it is", "in a URL", "in JSON with its slashes escaped"],
)
def test_each_form_of_a_credential_is_scrubbed_whole(form: str) -> None:
    origin = Direct(api_key="a/b+c=&d")
    assert origin.redact(f"before {form} and {form} after") == "before *** and *** after"


def test_secrets_and_origins_say_what_they_are() -> None:
    assert repr(Secret("word")) == "Secret(***)"
    assert repr(Direct(api_key="word")) == "Direct(https://api.hume.ai)"
    assert repr(gateway()) == f"LowCodeAPI({GATEWAY})"


@pytest.mark.parametrize(
    "body", [None, b"{}", (Part("file", b"x"),)], ids=["none", "json", "parts"]
)
@pytest.mark.parametrize("origin", [Direct(api_key="key"), gateway()], ids=["direct", "gateway"])
def test_a_request_has_the_method_label_and_body_of_its_call(
    origin: Direct | LowCodeAPI, body: bytes | tuple[Part, ...] | None
) -> None:
    request = request_of(origin, call_of(catalog.CONFIGS_CREATE_VERSION), body, Format.NEW)
    assert (request.method, request.label) == ("POST", "/v0/evi/configs/{id}")
    assert request.body is body
    assert ("Content-Type" in request.headers) == isinstance(body, bytes)
    assert "application/json" in request.headers["Accept"]


def test_an_id_cannot_leave_its_place_in_a_url() -> None:
    call = Call(catalog.CONFIGS_CREATE_VERSION, ("a/b?c#d e",), ())
    direct = request_of(Direct(api_key="key"), call, None, Format.NEW)
    assert url_of(direct) == "https://api.hume.ai/v0/evi/configs/a%2Fb%3Fc%23d%20e"
    old = request_of(gateway(), call, None, Format.OLD)
    assert urlsplit(url_of(old)).path == "/humeai/v0/evi/configs/id"
    assert parse_qsl(urlsplit(url_of(old)).query)[0] == ("id", "a/b?c#d e")


# Which URL format.


def not_found() -> Response:
    return read(404, {"message": "Not Found"})


def humes_not_found() -> Response:
    return read(404, {"provider": "humeai", "error": {"message": "no"}, "headers": {}})


def unclear(status: int) -> Response:
    return read(status, {"data": {"error": {"message": "no", "code": str(status)}}})


GOOD = Response(200, {}, b"{}")
GET_JOB = call_of(catalog.BATCH_GET_JOB)
POST_VERSION = call_of(catalog.CONFIGS_CREATE_VERSION)
START_JOB = call_of(catalog.BATCH_START_JOB)


def test_hume_itself_has_one_format_and_takes_every_response() -> None:
    route = Direct(api_key="key").route(GET_JOB, None)
    assert route.choose(not_found()) == not_found()
    route.note_silence()


def test_a_route_through_the_gateway_gives_one_request_after_the_other_until_one_is_final() -> None:
    route = gateway().route(GET_JOB, None)
    paths: list[str] = []
    for response in (not_found(), GOOD):
        paths.append(urlsplit(route.request.url).path)
        chosen = route.choose(response)
    assert paths == [f"/humeai/v0/batch/jobs/{GET_JOB.ids[0]}", "/humeai/v0/batch/jobs/id"]
    assert chosen is GOOD


def test_the_new_format_is_tried_first_and_the_old_one_after_it() -> None:
    assert gateway().formats(GET_JOB) == (Format.NEW, Format.OLD)


def test_calls_without_ids_have_one_format_and_teach_nothing() -> None:
    origin = gateway()
    assert origin.formats(START_JOB) == (Format.NEW,)
    assert is_final(origin, START_JOB, Format.NEW, not_found())
    assert is_final(origin, START_JOB, Format.NEW, GOOD)
    assert origin.formats(GET_JOB) == (Format.NEW, Format.OLD)


@pytest.mark.parametrize("status", [404, 405])
@pytest.mark.parametrize("call", [GET_JOB, POST_VERSION], ids=["get", "post"])
def test_the_other_format_is_tried_where_the_route_does_not_exist(
    call: Call[Any], status: int
) -> None:
    assert not is_final(gateway(), call, Format.NEW, read(status, {"message": "Not Found"}))


def test_what_worked_is_remembered_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    origin = gateway()
    for _ in range(3):
        assert is_final(origin, GET_JOB, Format.OLD, GOOD)
        assert origin.formats(POST_VERSION) == (Format.OLD, Format.NEW)
    assert [record.getMessage() for record in caplog.records] == [
        f"the gateway at {GATEWAY} takes the old URL format"
    ]


@pytest.mark.parametrize("call", [GET_JOB, POST_VERSION], ids=["get", "post"])
def test_an_error_of_humes_own_is_the_answer_and_shows_that_the_format_works(
    call: Call[Any],
) -> None:
    origin = gateway()
    assert is_final(origin, call, Format.NEW, humes_not_found())
    assert is_final(origin, call, Format.NEW, unclear(500))


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500, 502])
def test_a_repeatable_call_tries_the_other_format_on_any_unclear_error(status: int) -> None:
    assert not is_final(gateway(), GET_JOB, Format.NEW, unclear(status))


@pytest.mark.parametrize("status", [400, 401, 403, 500, 502])
def test_a_write_keeps_an_answer_that_may_be_humes(status: int) -> None:
    assert is_final(gateway(), POST_VERSION, Format.NEW, unclear(status))


@pytest.mark.parametrize("status", [404, 405])
def test_a_write_that_found_nothing_tries_the_other_format(status: int) -> None:
    assert not is_final(gateway(), POST_VERSION, Format.NEW, unclear(status))


PAGE = b"<!DOCTYPE html><html><body>Please log in</body></html>"


@pytest.mark.parametrize(
    "response",
    [
        Response(200, {"content-type": "text/html"}, b""),
        Response(200, {}, PAGE),
        Response(200, {}, b'{"success": false}'),
        Response(200, {}, b'{"error": "who are you?"}'),
    ],
    ids=["html", "page", "failure", "error"],
)
def test_a_good_status_that_may_come_from_anywhere_proves_no_format(response: Response) -> None:
    origin = gateway()
    assert not is_final(origin, GET_JOB, Format.NEW, unclear(500))
    assert is_final(origin, GET_JOB, Format.OLD, response)
    assert origin.formats(GET_JOB) == (Format.NEW, Format.OLD)
    # What belongs there is still found.
    assert is_final(origin, GET_JOB, Format.NEW, GOOD)
    assert origin.formats(GET_JOB) == (Format.NEW, Format.OLD)


def test_an_endpoint_that_differs_from_the_others_keeps_its_own_format() -> None:
    origin = gateway()
    assert is_final(origin, GET_JOB, Format.NEW, GOOD)
    assert is_final(origin, POST_VERSION, Format.OLD, GOOD)
    assert origin.formats(GET_JOB)[0] is Format.NEW
    assert origin.formats(POST_VERSION)[0] is Format.OLD


def test_no_format_is_tried_in_vain_against_a_rate_limit() -> None:
    assert is_final(gateway(), GET_JOB, Format.NEW, unclear(429))


def test_no_format_is_tried_in_vain_against_a_service_that_is_down() -> None:
    body = b'{"data": {"error": "down"}}'
    answer = gateway().read(Response(503, {"retry-after": "3"}, body))
    assert is_final(gateway(), GET_JOB, Format.NEW, answer)


@pytest.mark.parametrize("body", [{"fault": {"faultstring": "no"}}, {"code": "E0300"}])
def test_an_error_that_only_hume_writes_is_humes_even_where_a_route_may_be_missing(
    body: dict[str, Any],
) -> None:
    assert read(404, body).responder is Responder.HUME
    assert read(404, {**body, "provider": "humeai"}).responder is Responder.GATEWAY


def test_once_a_format_is_known_an_unclear_error_is_the_answer() -> None:
    origin = gateway()
    is_final(origin, GET_JOB, Format.NEW, GOOD)
    assert is_final(origin, GET_JOB, Format.NEW, unclear(404))
    assert not is_final(origin, GET_JOB, Format.NEW, not_found())


def test_an_unclear_error_teaches_nothing() -> None:
    origin = gateway()
    is_final(origin, POST_VERSION, Format.NEW, unclear(404))
    assert origin.formats(GET_JOB) == (Format.NEW, Format.OLD)


def test_after_a_hang_up_on_the_new_format_the_old_one_goes_first() -> None:
    origin = gateway()
    is_final(origin, GET_JOB, Format.NEW, None)
    assert origin.formats(GET_JOB) == (Format.OLD, Format.NEW)
    is_final(origin, GET_JOB, Format.NEW, GOOD)
    assert origin.formats(GET_JOB) == (Format.NEW, Format.OLD)


def test_a_hang_up_is_no_reason_to_send_the_call_again_at_once() -> None:
    assert is_final(gateway(), GET_JOB, Format.NEW, None)


def test_after_a_hang_up_and_a_good_answer_the_old_format_is_the_only_one() -> None:
    origin = gateway()
    is_final(origin, GET_JOB, Format.NEW, None)
    is_final(origin, GET_JOB, Format.OLD, GOOD)
    assert origin.formats(POST_VERSION) == (Format.OLD,)


def test_a_hang_up_means_nothing_once_a_format_is_known() -> None:
    origin = gateway()
    is_final(origin, GET_JOB, Format.NEW, GOOD)
    is_final(origin, GET_JOB, Format.NEW, None)
    assert origin.formats(GET_JOB) == (Format.NEW, Format.OLD)


def test_a_hang_up_on_a_write_teaches_nothing() -> None:
    origin = gateway()
    is_final(origin, POST_VERSION, Format.NEW, None)
    assert origin.formats(POST_VERSION) == (Format.NEW, Format.OLD)


# What cannot be carried.

LOST = {
    endpoint.name: "uploads" if endpoint.encoding is Encoding.MULTIPART else "binary"
    for endpoint in catalog.ALL
    if endpoint.encoding is Encoding.MULTIPART or endpoint.binary
}


def test_uploads_and_the_artifacts_are_what_is_lost() -> None:
    assert LOST["batch.get_artifacts"] == "binary"
    assert {"files.upload", "datasets.create", "datasets.create_version"} < set(LOST)


def test_what_the_gateway_loses_is_refused_by_name() -> None:
    for endpoint in catalog.ALL:
        bare = endpoint.encoding is Encoding.BARE_JSON
        if endpoint.name in LOST or bare or endpoint.socket or endpoint.is_cloud:
            with pytest.raises(GatewayUnsupportedError, match=endpoint.name) as caught:
                gateway().ensure_supported(endpoint)
            assert "call Hume directly (api_key=...)" in caught.value.message
            assert (caught.value.method, caught.value.endpoint) == (endpoint.method, endpoint.path)
        else:
            gateway().ensure_supported(endpoint)


def test_hume_refuses_nothing_and_a_trusted_gateway_only_what_no_gateway_reaches() -> None:
    trusted = gateway(carries=frozenset({"uploads", "binary", "bare_json"}))
    for endpoint in catalog.ALL:
        Direct(api_key="key").ensure_supported(endpoint)
        if not (endpoint.socket or endpoint.is_cloud):
            trusted.ensure_supported(endpoint)


def test_one_ability_does_not_stand_for_another() -> None:
    with pytest.raises(GatewayUnsupportedError, match="gateway_carries="):
        gateway(carries=frozenset({"uploads"})).ensure_supported(catalog.BATCH_GET_ARTIFACTS)


def test_an_unknown_ability_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="websockets"):
        gateway(carries=frozenset({"websockets"}))


# What is checked at once.


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://api.hume.ai", "https://api.hume.ai"),
        ("https://api.hume.ai/", "https://api.hume.ai"),
        ("http://127.0.0.1:8080/humeai//", "http://127.0.0.1:8080/humeai"),
        ("http://[::1]:80/x", "http://[::1]:80/x"),
        ("http://localhost:1", "http://localhost:1"),
    ],
)
def test_base_urls_are_taken_without_the_last_slash(url: str, expected: str) -> None:
    assert check_base_url(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.hume.ai",
        "//api.hume.ai",
        "ftp://api.hume.ai",
        "wss://api.hume.ai",
        "https://",
        "https://[::1",
        "https://api.hume.ai:port",
        "https://api.hume.ai:99999",
        "https://api.hume.ai:0",
        " https://api.hume.ai",
        "https://api.hume.ai ",
        "https://api.hume.ai\n/v0",
        "https://api hume.ai",
    ],
)
def test_other_base_urls_are_refused(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_base_url(url)
    assert str(caught.value) == "base_url must be a URL such as https://api.hume.ai"


@pytest.mark.parametrize("url", ["https://api.hume.ai/v0", "http://h:1/humeai/v0/", "http://h/v1"])
def test_a_base_url_with_the_version_of_the_paths_says_to_leave_it_off(url: str) -> None:
    version = url.rstrip("/")[-3:]
    with pytest.raises(ConfigurationError, match=f"base_url ends with '{version}'.*leave it off"):
        check_base_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://?x=1",
        "https://api.hume.ai?x=1",
        "https://api.hume.ai/?",
        "https://api.hume.ai#x",
        "https://user:word@api.hume.ai",
        "https://@api.hume.ai",
        "https://api.hume.ai\\x",
    ],
)
def test_base_urls_with_more_than_host_and_path_are_refused(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_base_url(url)
    assert str(caught.value) == "base_url must hold host and path only: no query, no user"


@pytest.mark.parametrize("text", ["", " ", "a b", "key\n", "\tkey", "k\x00", "k\x7f", "k\ud800"])
def test_credentials_that_were_not_copied_whole_are_refused(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_credential(Secret(text))
    assert str(caught.value) == (
        "the credential is empty or holds white space or control characters; was it copied whole?"
    )


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://api.hume.ai", True),
        ("https://API.Hume.AI", True),
        ("https://api.cloud.hume.ai", True),
        ("https://hume.ai.example.com", False),
        ("https://evilhume.ai", False),
        ("http://127.0.0.1:9", False),
    ],
)
def test_humes_own_hosts_are_known(url: str, *, expected: bool) -> None:
    assert Direct(url, api_key="key").is_hume is expected
    assert gateway(base_url=url).is_hume is False


def test_accounts_tell_credentials_apart() -> None:
    assert Direct(api_key="a").account != Direct(api_key="b").account
    assert Direct(api_key="a").account == Direct("http://127.0.0.1", api_key="a").account
