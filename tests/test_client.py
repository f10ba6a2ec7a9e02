"""The client: its one credential, its life, and the way out for calls without a method."""

from __future__ import annotations

import copy
import json
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from support import session_in

from humeai_async import (
    BadRequestError,
    ClientClosedError,
    ConfigurationError,
    GatewayUnsupportedError,
    HumeAI,
    HumeWarning,
    InvalidArgumentError,
    Limiter,
    NotFoundError,
    Polling,
    Retry,
    ServerError,
    Timeout,
    catalog,
)
from humeai_async.http.endpoint import Endpoint
from humeai_async.http.origin_arguments import CREDENTIALS
from humeai_async.http.raw_calls import bucket_of
from humeai_async.http.session import Session
from humeai_async.testing import FakeHume, Fault

pytestmark = pytest.mark.anyio

NOWHERE = "http://127.0.0.1:9"
VARIABLES = (*CREDENTIALS.values(), "HUME_BASE_URL")
SECRETS = {"api_token": "at_secret", "api_key": "key-secret", "access_token": "token-secret"}


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def client(**settings: Any) -> HumeAI:
    return HumeAI(**settings)


def client_of(fake: FakeHume, **settings: Any) -> HumeAI:
    return HumeAI(api_key=fake.api_key, base_url=fake.url, **settings)


# Credentials.


@pytest.mark.parametrize("name", SECRETS)
def test_each_credential_can_be_given(name: str) -> None:
    gateway = "https://api.lowcodeapi.com/humeai"
    expected = gateway if name == "api_token" else "https://api.hume.ai"
    assert client(**{name: SECRETS[name]}).base_url == expected


@pytest.mark.parametrize("name", SECRETS)
def test_each_credential_can_come_from_the_environment(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CREDENTIALS[name], SECRETS[name])
    assert client().base_url == client(**{name: SECRETS[name]}).base_url


def test_the_environment_is_read_when_the_client_is_built_and_not_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ConfigurationError):
        HumeAI()
    monkeypatch.setenv("HUME_API_KEY", "key")
    HumeAI()


def test_no_credential_is_an_error_that_names_them_all() -> None:
    with pytest.raises(ConfigurationError) as caught:
        HumeAI()
    for name, variable in CREDENTIALS.items():
        assert f"{name}=" in caught.value.message
        assert variable in caught.value.message


@pytest.mark.parametrize("names", [("api_key", "api_token"), ("api_key", "access_token")])
def test_two_credentials_are_an_error_that_names_both(
    names: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        client(**{name: SECRETS[name] for name in names})
    assert all(name in caught.value.message for name in names)
    for name in names:
        monkeypatch.setenv(CREDENTIALS[name], SECRETS[name])
    with pytest.raises(ConfigurationError) as caught:
        HumeAI()
    assert all(CREDENTIALS[name] in caught.value.message for name in names)
    assert not any(secret in caught.value.message for secret in SECRETS.values())


def test_a_given_credential_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOWCODEAPI_API_TOKEN", "at_other")
    monkeypatch.setenv("HUME_ACCESS_TOKEN", "other")
    assert HumeAI(api_key="key").base_url == "https://api.hume.ai"


def test_an_empty_variable_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOWCODEAPI_API_TOKEN", "")
    monkeypatch.setenv("HUME_API_KEY", "key")
    assert HumeAI().base_url == "https://api.hume.ai"


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("text", ["", "  ", "key\n"])
def test_a_credential_that_was_not_copied_whole_is_refused(name: str, text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HumeWarning)
        with pytest.raises(ConfigurationError, match="copied whole"):
            client(**{name: text})


def test_a_gateway_token_of_a_strange_form_is_only_a_warning() -> None:
    with pytest.warns(HumeWarning, match="'at_'") as caught:
        HumeAI(api_token="strange")
    assert caught[0].filename == __file__
    assert "strange" not in str(caught[0].message)


def test_the_base_url_can_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUME_BASE_URL", "http://127.0.0.1:1/")
    assert HumeAI(api_key="key").base_url == "http://127.0.0.1:1"
    assert HumeAI(api_key="key", base_url="http://127.0.0.1:2").base_url == "http://127.0.0.1:2"


@pytest.mark.parametrize("carries", [{"uploads"}, ["telepathy"]])
def test_abilities_of_a_gateway_need_a_gateway_that_can_have_them(carries: Any) -> None:
    with pytest.raises(ConfigurationError, match="gateway_carries"):
        HumeAI(api_key="key", gateway_carries=carries)
    if "uploads" in carries:
        HumeAI(api_token="at_x", gateway_carries=carries)
    else:
        with pytest.raises(ConfigurationError, match="telepathy"):
            HumeAI(api_token="at_x", gateway_carries=carries)


@pytest.mark.parametrize("timeout", [0, -1, "soon"])
def test_a_timeout_that_cannot_be_is_refused(timeout: Any) -> None:
    with pytest.raises(ConfigurationError, match="total"):
        HumeAI(api_key="key", timeout=timeout)


@pytest.mark.parametrize("name", SECRETS)
def test_the_repr_shows_where_calls_go_and_no_credential(name: str) -> None:
    hume = client(**{name: SECRETS[name]})
    assert hume.base_url in repr(hume)
    assert SECRETS[name] not in f"{hume!r} {vars(hume)!r}"


# Life.


@pytest.mark.parametrize("copied", [pickle.dumps, copy.copy, copy.deepcopy])
def test_neither_a_client_nor_what_hangs_on_it_can_be_pickled(
    copied: Callable[[object], object],
) -> None:
    hume = HumeAI(api_key="key", base_url=NOWHERE)
    with pytest.raises(TypeError, match="with_options"):
        copied(hume)
    with pytest.raises(TypeError, match="keep its id"):
        pickle.dumps(hume.batch.job("job-1"))


def test_a_client_can_be_built_without_an_event_loop() -> None:
    HumeAI(api_key="key")


async def test_leaving_the_block_closes_the_client() -> None:
    async with FakeHume() as fake:
        async with client_of(fake) as hume:
            await hume.request("GET", "/v0/batch/jobs")
        with pytest.raises(ClientClosedError):
            await hume.request("GET", "/v0/batch/jobs")
        assert fake.count() == 1


async def test_closing_twice_is_closing_once() -> None:
    hume = HumeAI(api_key="key")
    await hume.aclose()
    await hume.aclose()


async def test_a_client_that_was_never_used_closes_too() -> None:
    async with HumeAI(api_key="key"):
        pass


def test_a_plain_with_is_met_with_advice() -> None:
    hume: Any = HumeAI(api_key="key")
    with pytest.raises(TypeError, match="async with"), hume:
        raise AssertionError("the block must not run")


async def test_a_borrowed_session_is_used_and_left_open() -> None:
    async with FakeHume() as fake, aiohttp.ClientSession(headers={"X-Mine": "1"}) as session:
        async with client_of(fake, session=session) as hume:
            await hume.request("GET", "/v0/batch/jobs")
        assert not session.closed
        assert fake.requests[0].headers["x-mine"] == "1"


async def test_a_client_with_other_options_shares_pool_limiter_and_counters() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        other = hume.with_options(timeout=5, retry=Retry(attempts=1))
        await hume.request("GET", "/v0/batch/jobs")
        await other.request("GET", "/v0/batch/jobs")
        assert fake.connections_opened == 1
        assert other.limiter is hume.limiter
        assert hume.stats is other.stats
        assert hume.stats.calls == 2
        await other.aclose()
        with pytest.raises(ClientClosedError):
            await hume.request("GET", "/v0/batch/jobs")


async def test_other_options_hold_for_the_new_client_alone() -> None:
    faults = [Fault("status", status=500, times=2)]
    async with (
        FakeHume(faults=faults) as fake,
        client_of(fake, retry=Retry(initial_delay=0.001)) as hume,
    ):
        with pytest.raises(ServerError):
            await hume.with_options(retry=Retry(attempts=1)).request("GET", "/v0/batch/jobs")
        await hume.request("GET", "/v0/batch/jobs")
        assert fake.count() == 3


def settings_of(hume: HumeAI) -> Session:
    """Look inside: nothing else shows the settings without sending anything."""
    session: Session = session_in(hume)
    return session


def test_options_that_are_left_out_stay_as_they_are() -> None:
    limiter = Limiter()
    hume = HumeAI(api_key="key", timeout=7, retry=Retry(attempts=2), limiter=limiter)
    same = hume.with_options()
    assert same.limiter is limiter
    assert settings_of(same).timeout == Timeout(total=7)
    assert settings_of(same).retry == Retry(attempts=2)
    assert settings_of(hume.with_options(timeout=None)).timeout.total is None
    assert (
        settings_of(hume.with_options(polling=Polling(min_interval=2.0))).polling.min_interval
        == 2.0
    )
    assert settings_of(hume).timeout == Timeout(total=7)


def test_two_clients_may_share_a_limiter() -> None:
    limiter = Limiter()
    clients = [HumeAI(api_key=key, limiter=limiter) for key in ("a", "b")]
    assert [one.limiter for one in clients] == [limiter, limiter]


# The way out.


async def test_a_request_gives_status_headers_and_bytes() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        answer = await hume.request("get", "/v0/batch/jobs", query={"limit": 3, "status": None})
    assert answer.status == 200
    assert "json" in answer.headers["content-type"]
    assert answer.json() == []
    assert fake.requests[0].query == (("limit", "3"),)
    assert fake.requests[0].headers["x-hume-api-key"] == fake.api_key


async def test_a_request_can_send_json() -> None:
    body = {"urls": ["https://media.example.com/a.mp4"]}
    async with FakeHume() as fake, client_of(fake) as hume:
        answer = await hume.request("POST", "/v0/batch/jobs", json=body)
    assert json.loads(fake.requests[0].body) == body
    assert set(answer.json()) == {"job_id"}


async def test_a_request_through_the_gateway_comes_without_envelope() -> None:
    async with FakeHume(dialect="gateway-recorded") as fake:
        hume = HumeAI(api_token=fake.api_token, base_url=fake.url)
        answer = await hume.request("GET", "/v0/batch/jobs")
        await hume.aclose()
    assert answer.json() == []


async def test_a_request_that_fails_raises_like_any_call() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        with pytest.raises(NotFoundError) as caught:
            await hume.request("GET", "/v0/nothing/here")
        assert caught.value.endpoint == "/v0/nothing/here"
        with pytest.raises(BadRequestError):
            await hume.request("POST", "/v0/batch/jobs", json={"urls": 7})


@pytest.mark.parametrize(
    ("method", "requests"), [("GET", 3), ("PUT", 3), ("DELETE", 3), ("POST", 1), ("PATCH", 1)]
)
async def test_a_request_is_repeated_as_its_method_allows(method: str, requests: int) -> None:
    faults = [Fault("status", status=500, times=None)]
    retry = Retry(attempts=3, initial_delay=0.001)
    async with FakeHume(faults=faults) as fake, client_of(fake, retry=retry) as hume:
        with pytest.raises(ServerError):
            await hume.request(method, "/v0/batch/jobs")
        assert fake.count() == requests


@pytest.mark.parametrize("method", ["", "FETCH", "GET /", "CONNECT", "OPTIONS\r\n", None, b"GET"])
async def test_a_method_that_does_not_exist_is_refused(method: Any) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        await HumeAI(api_key="key", base_url=NOWHERE).request(method, "/v0/batch/jobs")
    assert caught.value.field == "method"


@pytest.mark.parametrize(
    "path",
    ["", "v0", "//evil.example/v0", "/v0?x=1", "/v0#x", "/v0/{id}", "/v0 ", "/v0\n", "\\v0",
     "https://evil.example", "/v0/\ud800", "/v0/../x", "/v0/./x", "/..", None, b"/v0"],
)  # fmt: skip
async def test_a_path_that_could_lead_elsewhere_is_refused(path: Any) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        await HumeAI(api_key="key", base_url=NOWHERE).request("GET", path)
    assert caught.value.field == "path"


@pytest.mark.parametrize("query", ["a=b", [("a", "b")]])
async def test_a_query_that_is_no_dict_is_refused(query: Any) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        await HumeAI(api_key="key", base_url=NOWHERE).request("GET", "/v0", query=query)
    assert caught.value.field == "query"


@pytest.mark.parametrize("value", ["text", 7, 1.5, True])
async def test_a_single_value_as_a_body_is_not_for_the_gateway(value: object) -> None:
    with pytest.raises(GatewayUnsupportedError, match="bare_json"):
        await HumeAI(api_token="at_x").request("PATCH", "/v0/things", json=value)


async def test_none_for_a_body_is_no_body() -> None:
    faults = [Fault("status", status=400)]
    async with FakeHume(faults=faults) as fake, client_of(fake) as hume:
        with pytest.raises(BadRequestError):
            await hume.request("PATCH", "/v0/things", json=None)
    assert fake.requests[0].body == b""


@pytest.mark.parametrize(
    ("name", "value"),
    [("api_key", 5), ("base_url", 5), ("retry", 3), ("pool", 100), ("limiter", 50),
     ("session", 5), ("polling", 3), ("gateway_carries", "uploads"),
     ("gateway_carries", [["uploads"]])],
)  # fmt: skip
def test_a_setting_of_the_wrong_kind_is_named(name: str, value: object) -> None:
    settings: dict[str, Any] = {"api_key": "k", name: value}
    with pytest.raises(ConfigurationError, match=name):
        HumeAI(**settings)


SETTINGS = set(HumeAI.__init__.__kwdefaults__ or ())


@pytest.mark.parametrize("name", sorted(SETTINGS - {"base_url", "cloud_url", "limiter"}))
def test_a_setting_cannot_be_changed_on_a_client(name: str) -> None:
    hume: Any = HumeAI(api_key="k")
    with pytest.raises(ConfigurationError, match=f"{name} cannot be changed on a client: build"):
        setattr(hume, name, "marked")
    assert not hasattr(hume, name)


def test_what_a_client_shows_of_its_settings_cannot_be_changed_either() -> None:
    hume: Any = HumeAI(api_key="k")
    for name in ("base_url", "limiter"):
        with pytest.raises(ConfigurationError, match=f"{name} cannot be changed"):
            setattr(hume, name, "marked")


@pytest.mark.parametrize("endpoint", catalog.TABLE, ids=lambda endpoint: endpoint.name)
def test_a_raw_request_draws_on_the_quota_of_the_method_it_stands_for(
    endpoint: Endpoint[Any],
) -> None:
    assert endpoint.bucket == bucket_of(endpoint.path)


def test_a_raw_request_elsewhere_has_a_quota_of_its_own() -> None:
    assert ["request"] * 3 == [bucket_of(p) for p in ("/", "/v0", "/v1/tts/x")]
