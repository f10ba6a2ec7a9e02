"""Headers and query fields that a client puts on each call, and what may be none."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from error_text import collect_error_text
from replay_server import ReplayServer
from support import session_in

import humeai_async
from humeai_async import AuthenticationError, ConfigurationError, HumeAI, Request, Retry
from humeai_async.http.additions import NO_ADDITIONS, hold_headers
from humeai_async.testing import FakeHume, MockTransport

pytestmark = pytest.mark.anyio

SAMPLES = Path(__file__).parents[1] / "samples"
EXCHANGES: list[dict[str, Any]] = json.loads((SAMPLES / "transcripts.json").read_text("utf-8"))
SECRET = "m4rk3d-header-value"
ONE_PAGE: dict[str, Any] = {"page_number": 0, "page_size": 10, "total_pages": 1, "configs_page": []}


def sent_by(seen: list[Request]) -> Callable[[Request], Any]:
    def handler(request: Request) -> Any:
        seen.append(request)
        return ONE_PAGE

    return handler


def client_of(seen: list[Request], **settings: Any) -> HumeAI:
    return HumeAI(api_key="key", transport=MockTransport(sent_by(seen)), **settings)


def headers_of(request: Request) -> dict[str, str]:
    return {name.lower(): text for name, text in request.signed()[1].items()}


async def test_each_request_says_which_library_and_version_sends_it() -> None:
    async with FakeHume() as fake:
        hume = HumeAI(api_key=fake.api_key, base_url=fake.url)
        async with hume:
            await hume.configs.list()
        agent = fake.requests[-1].headers["user-agent"]
    assert agent.startswith(f"humeai_async/{humeai_async.__version__} (")
    assert ".".join(map(str, sys.version_info[:2])) in agent


async def test_a_header_of_the_caller_goes_with_each_call_and_replaces_one_of_its_name() -> None:
    seen: list[Request] = []
    async with client_of(seen, headers={"user-agent": "mine/1", "X-Team": SECRET}) as hume:
        await hume.configs.list()
        await hume.prompts.list()
    for request in seen:
        headers = headers_of(request)
        assert headers["user-agent"] == "mine/1"
        assert headers["x-team"] == SECRET
        assert headers["x-hume-api-key"] == "key"
        assert len(headers) == len(request.signed()[1]), "a header is there twice"


async def test_with_options_adds_changes_and_takes_away_headers() -> None:
    seen: list[Request] = []
    async with client_of(seen, headers={"X-Team": "a", "X-Other": "b"}) as hume:
        relative = hume.with_options(headers={"x-team": "c", "X-Other": None, "X-New": "d"})
        await relative.configs.list()
        await hume.configs.list()
    changed, kept = map(headers_of, seen)
    assert (changed["x-team"], changed.get("x-other"), changed["x-new"]) == ("c", None, "d")
    assert (kept["x-team"], kept["x-other"], kept.get("x-new")) == ("a", "b", None)


async def test_with_options_adds_query_fields_but_a_call_knows_better() -> None:
    seen: list[Request] = []
    async with client_of(seen) as hume:
        relative = hume.with_options(query={"beta": True, "page_size": 7, "many": ["a", "b"]})
        await relative.configs.list(page_size=3)
        await relative.with_options(query={"beta": None, "many": "c"}).configs.list(page_size=3)
        await relative.request("GET", "/v0/evi/configs")
    first, second, third = (request.query for request in seen)
    assert first == {"page_number": ["0"], "page_size": ["3"], "beta": ["true"], "many": ["a", "b"]}
    assert second["many"] == ["c"]
    assert third == {"beta": ["true"], "page_size": ["7"], "many": ["a", "b"]}


async def test_a_bulk_client_stands_behind_interactive_ones() -> None:
    hume = client_of([])
    for name in ("bulk", "interactive"):
        session: Any = session_in(hume.with_options(priority=name))
        assert session.priority.name == name.upper()
    with pytest.raises(ConfigurationError, match='"interactive" or "bulk"'):
        hume.with_options(priority="urgent")  # type: ignore[arg-type]  # the mistake under test


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"X Team": "a"}, "cannot be the name"),
        ({1: "a"}, "cannot be the name"),
        ({"": "a"}, "cannot be the name"),
        ({"X-Team": f"{SECRET}\r\nX-Other: 1"}, "cannot stand in one"),
        ({"X-Team": f"{SECRET} "}, "cannot stand in one"),
        ({"X-Team": f"{SECRET}ü"}, "cannot stand in one"),
        ({"X-Team": SECRET.encode()}, "is a text"),
        ({"Content-Length": "3"}, "set by the library"),
        ({"host": SECRET}, "set by the library"),
        ({"x-hume-api-key": SECRET}, "credential already"),
        ([("X-Team", SECRET)], "a dict of names and values"),
    ],
)
def test_headers_that_cannot_be_are_refused_without_showing_a_value(
    headers: Any, message: str
) -> None:
    hume = HumeAI(api_key="key")
    for make in (functools.partial(HumeAI, api_key="key"), hume.with_options):
        with pytest.raises(ConfigurationError, match=message) as caught:
            make(headers=headers)
        assert SECRET not in collect_error_text(caught.value, __file__)


def test_a_token_of_the_gateway_is_no_query_field() -> None:
    with pytest.raises(ConfigurationError, match="api_token holds"):
        HumeAI(api_token="at_x").with_options(query={"api_token": "at_y"})
    with pytest.raises(ConfigurationError, match="query is a dict"):
        HumeAI(api_token="at_x").with_options(query="a=b")  # type: ignore[arg-type]  # under test


def test_no_repr_shows_the_value_of_a_header() -> None:
    hume = HumeAI(api_key="key", headers={"X-Team": SECRET})
    session = session_in(hume)
    assert SECRET not in f"{hume!r} {vars(hume)!r} {session!r} {session.additions!r}"
    assert SECRET not in repr(hold_headers({"X-Team": SECRET.encode()}))


def test_a_short_value_such_as_a_number_is_not_taken_out_of_messages() -> None:
    additions = NO_ADDITIONS.with_headers(hold_headers({"X-Level": "4", "X-Key": SECRET}))
    assert additions.redact(f"status 404 of {SECRET}") == "status 404 of ***"


async def test_an_error_does_not_repeat_a_header_that_the_server_repeats() -> None:
    def handler(request: Request) -> Any:
        return 401, {"message": f"bad {request.signed()[1]['X-Team']}", "code": "E0401"}

    async with HumeAI(
        api_key="key", headers={"X-Team": SECRET}, transport=MockTransport(handler)
    ) as hume:
        with pytest.raises(AuthenticationError, match=r"bad \*\*\*") as caught:
            await hume.configs.list()
    assert SECRET not in collect_error_text(caught.value, __file__)


# The gateway's own headers, as recorded.


async def test_a_gateway_takes_the_callers_own_key_where_its_operator_allows_it() -> None:
    """The recording shows Hume's side: it saw the caller's key in place of the saved one."""
    name = "x_credential_headers_allowed"
    recorded = next(one for one in EXCHANGES if one["name"] == name)
    async with ReplayServer(EXCHANGES) as server:
        server.serve(name)
        async with HumeAI(
            api_token="at_REDACTED",
            base_url=server.url,
            headers=recorded["request"]["headers"],
            retry=Retry(attempts=1),
        ) as hume:
            response = await hume.request("GET", "/v0/batch/jobs")
        sent = server.requests[-1]
    for header, value in recorded["request"]["headers"].items():
        assert sent.headers[header.lower()] == value
    seen = dict(response.json()["seen"]["headers"])
    assert seen["X-Hume-Api-Key"] == recorded["request"]["headers"]["X-Credential-Value"]


@pytest.mark.parametrize(
    ("headers", "said"),
    [([("X-Mine", "x")], "not list"), ({"X-Mine": 1}, "not int"), ({"X-Mine": b"x"}, "not bytes")],
)
def test_what_is_no_header_is_named_by_its_type(headers: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{said}$"):
        HumeAI(api_key="key", headers=headers)
