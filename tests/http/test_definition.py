"""The gateway's own definition: where it is looked for, what is sent there, how it is read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from humeai_async import (
    AuthenticationError,
    ConfigurationError,
    DecodeError,
    HumeAI,
    NotFoundError,
    Request,
    Response,
    Retry,
    ServerError,
    catalog,
)
from humeai_async.catalog.comparison import Change, compare
from humeai_async.testing import MockTransport
from humeai_async.types.definition import Definition

pytestmark = pytest.mark.anyio

BACKEND = "https://backend.lowcodeapi.com/humeai"
TOKEN = "at_planted_secret"


def recorded() -> dict[str, Any]:
    """Return the catalog in the form of the open-source gateway, which is no valid OpenAPI."""
    paths: dict[str, Any] = {}
    for row in catalog.TABLE:
        ids = [{"name": name, "in": "path", "required": True} for name in row.parameters]
        query = [
            {"name": name, "in": "query", "schema": {"type": "enum", "example": ""}}
            for name in row.query
        ]
        operation: dict[str, Any] = {
            "tags": ["Batch"],
            "parameters": [*ids, *query],
            "responses": {"401": {"description": "API token required"}},
            "security": [{"ApiToken": []}],
        }
        if row.body:
            members = {name: {"type": "string"} for name in row.body}
            schema = {"type": "object", "properties": members}
            operation["requestBody"] = {"content": {"application/json": {"schema": schema}}}
        path = row.path.replace("{", "").replace("}", "")
        paths.setdefault(path, {})[row.method.lower()] = operation
    return {"openapi": "3.0.0", "info": {"description": ""}, "paths": paths}


class Places:
    """Hosts that publish something, and the requests that came to them."""

    def __init__(self, **bodies: bytes | int) -> None:
        self.bodies = bodies
        self.requests: list[tuple[str, dict[str, str]]] = []

    def __call__(self, request: Request) -> Response:
        url, headers = request.signed()
        self.requests.append((url, dict(headers)))
        name = "own" if BACKEND not in url else url.rpartition("/")[2]
        found = self.bodies.get(name, 404)
        if isinstance(found, int):
            return Response(found, {}, b'{"message":"Not Found"}')
        return Response(200, {"Content-Type": "application/json"}, found)

    @property
    def urls(self) -> list[str]:
        return [url for url, _ in self.requests]


async def fetch(places: Places, **settings: Any) -> Definition:
    settings.setdefault("api_token", TOKEN)
    retry = Retry(attempts=1)
    async with HumeAI(transport=MockTransport(places), retry=retry, **settings) as hume:
        return await hume.definition()


DOCUMENT = json.dumps(recorded()).encode()


async def test_the_new_address_is_asked_first_and_then_the_old() -> None:
    places = Places(definition=DOCUMENT)
    found = await fetch(places)
    assert places.urls == [f"{BACKEND}/openapi", f"{BACKEND}/definition"]
    assert found.url == f"{BACKEND}/definition"
    assert len(found.operations) == 63


async def test_a_gateway_of_ones_own_is_asked_before_the_hosted_one() -> None:
    places = Places(own=DOCUMENT)
    await fetch(places, base_url="https://gateway.example/humeai")
    assert places.urls == ["https://gateway.example/humeai/definition"]


async def test_what_a_gateway_of_ones_own_lacks_comes_from_the_hosted_one() -> None:
    places = Places(own=b"<html>welcome</html>", openapi=DOCUMENT)
    await fetch(places, base_url="https://gateway.example/humeai")
    assert places.urls[-1] == f"{BACKEND}/openapi"


async def test_no_token_and_no_header_of_the_user_goes_there() -> None:
    places = Places(definition=DOCUMENT)
    headers = {"X-Credential-Key": "api_key", "X-Credential-Value": "planted_value"}
    await fetch(places, headers=headers, base_url="https://gateway.example/humeai")
    sent = repr(places.requests)
    assert "planted" not in sent
    assert "X-Credential" not in sent
    assert "X-Hume-Api-Key" not in sent


async def test_without_a_gateway_there_is_no_definition() -> None:
    with pytest.raises(ConfigurationError, match="api_token"):
        await fetch(Places(), api_token=None, api_key="key")


async def test_no_definition_anywhere_is_not_found() -> None:
    with pytest.raises(NotFoundError):
        await fetch(Places())


@pytest.mark.parametrize("body", [b"[]", b'{"paths": 3}', b'{"message": "hello"}', b"null"])
async def test_something_else_is_a_decode_error_that_names_the_place(body: bytes) -> None:
    with pytest.raises(DecodeError, match=r"backend\.lowcodeapi\.com/humeai/definition"):
        await fetch(Places(openapi=body, definition=body))


async def test_a_failing_server_is_not_taken_for_one_without_a_definition() -> None:
    places = Places(openapi=500, definition=DOCUMENT)
    with pytest.raises(ServerError):
        await fetch(places)
    assert places.urls == [f"{BACKEND}/openapi"]


async def test_hume_itself_refuses_and_that_says_what_to_give_instead() -> None:
    with pytest.raises(AuthenticationError, match=r"^https://api.hume.example is no LowCodeAPI"):
        await fetch(Places(own=401), base_url="https://api.hume.example")


async def test_a_later_place_that_fails_names_the_one_before() -> None:
    with pytest.raises(ServerError, match=r"gateway\.example/humeai/definition has no definition"):
        await fetch(Places(openapi=500), base_url="https://gateway.example/humeai")


def read(document: object) -> Definition:
    found = Definition.of(document, "https://gateway.example/definition")
    assert found is not None
    return found


async def test_the_recorded_form_equals_the_catalog() -> None:
    assert compare(read(recorded()), catalog.TABLE).is_equal


async def test_valid_openapi_with_references_and_an_envelope_is_read_too() -> None:
    document: dict[str, Any] = {
        "components": {
            "parameters": {"id": {"name": "id", "in": "path"}},
            "schemas": {
                "Name": {"properties": {"name": {}}},
                "New": {"allOf": [{"$ref": "#/components/schemas/Name"}, {"$ref": "#/nowhere"}]},
            },
        },
        "paths": {
            "/humeai/v0/evi/configs/{id}": {
                "parameters": [{"$ref": "#/components/parameters/id"}],
                "patch": {
                    "requestBody": {
                        "content": {
                            "application/json": {"schema": {"$ref": "#/components/schemas/New"}}
                        }
                    }
                },
            }
        },
    }
    [row] = read({"data": document}).operations
    assert (row.method, row.path) == ("PATCH", "/v0/evi/configs/{id}")
    assert row.body == ("name",)


async def test_the_last_of_two_equal_steps_is_the_parameter() -> None:
    parameters = [{"name": "id", "in": "path"}, {"name": "version", "in": "path"}]
    path = "/v0/evi/configs/id/version/version"
    [row] = read({"paths": {path: {"get": {"parameters": parameters}}}}).operations
    assert row.path == "/v0/evi/configs/{id}/version/{version}"


@pytest.mark.parametrize(
    "paths",
    [
        {"/a": None, "/b": [], "/c": {"get": 3, "x-note": {}, "parameters": "none"}},
        {"/a": {"get": {"parameters": [None, {"in": "query"}], "tags": [1], "requestBody": 5}}},
        {"/a": {"get": {"requestBody": {"$ref": "#/paths/~1a/get/requestBody"}}}},
    ],
)
async def test_odd_parts_cost_themselves_only(paths: dict[str, Any]) -> None:
    assert all(one.body == one.query == () for one in read({"paths": paths}).operations)


async def test_missing_new_and_changed_rows_are_told() -> None:
    document = recorded()
    del document["paths"]["/v0/evi/tools"]["get"]
    document["paths"]["/v1/new"] = {"get": {}}
    listed = document["paths"]["/v0/evi/configs"]["get"]["parameters"]
    listed[:] = [one for one in listed if one["name"] != "page_size"]
    listed.append({"name": "colour", "in": "query"})
    found = compare(read(document), catalog.TABLE)
    assert found.missing == ("GET /v0/evi/tools",)
    assert found.new == ("GET /v1/new",)
    assert found.changed == (Change("GET /v0/evi/configs", ("page_size",), ("colour",)),)
