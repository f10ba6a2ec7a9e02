"""Secrets planted wherever one can be given show in nothing that anybody could look at.

The server here repeats each request, credential and headers included, in its headers and in its
bodies, and fails in all the ways that make errors.
"""

from __future__ import annotations

import base64
import inspect
import json
import logging
from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import attrs
import msgspec
import pytest
from error_text import collect_error_text
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from support import session_in
from virtual_time import BACKEND

from humeai_async import (
    ConfigurationError,
    HumeAI,
    HumeError,
    OAuth,
    Observer,
    Pool,
    RateLimitError,
    Request,
    Response,
    Retry,
    to_json,
    webhooks,
)
from humeai_async.http.session import Session
from humeai_async.telemetry import OpenTelemetry
from humeai_async.testing import MockTransport

pytestmark = pytest.mark.anyio

MARK = "m4rk3d"
HEADERS = {"X-Credential-Key": "api_key", "X-Credential-Value": f"{MARK}-own/key+1"}
STATUSES = (200, 400, 401, 403, 404, 429, 500, 503)
FIRST_ERROR = 400
BODY = b'{"event_name":"chat_started"}'


async def ask_slowly() -> str:
    await anyio.lowlevel.checkpoint()
    return f"at_{MARK}-asked/slowly+1"


GIVEN: dict[str, dict[str, Any]] = {
    "an API key": {"api_key": f"{MARK}-key/+1"},
    "an access token": {"access_token": f"{MARK}-token/+1"},
    "a gateway's token": {"api_token": f"at_{MARK}-token/+1"},
    "a function": {"api_key": lambda: f"{MARK}-asked/+1"},
    "a gateway's asynchronous function": {"api_token": ask_slowly},
    "an OAuth pair": {"access_token": OAuth(f"{MARK}-oauth-key", f"{MARK}-oauth/secret")},
}
PAIR = base64.b64encode(f"{MARK}-oauth-key:{MARK}-oauth/secret".encode()).decode()
FORMS = (MARK, PAIR[:16], PAIR[-16:])
"""The mark as it is, and as it is sent with the pair of an OAuth."""


class Keeping(Observer):
    """Shows all records."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        for event in ("call_started", "paced", "attempt_started", "attempt_ended",
                      "retry_scheduled", "call_ended"):  # fmt: skip
            setattr(self, event, self.keep)

    def keep(self, record: Any) -> None:
        self.shown += [repr(record), str(msgspec.structs.astuple(record))]


def show_in_notebook(value: Any) -> str:
    """Do what a notebook does."""
    page: str = value._repr_html_()
    return page


def echo(request: Request) -> Response:
    """Repeat a request in a response of the status that its query names."""
    url, headers = request.signed()
    if request.path.endswith("/token"):
        return Response(200, {}, b'{"access_token":"m4rk3d-made/token+1","expires_in":1800}')
    status = int(request.query.get("status", ["200"])[0])
    said = f"{url} {headers}"
    body = {"message": said, "code": said, "error": {"logging": {"headers": headers, "url": url}}}
    echoed = {"x-request-id": said, "location": url, "set-cookie": said, "x-echo": said}
    echoed |= {"X-Hume-Api-Key": "half of it", "Proxy-Authorization": "Basic abc"}
    return Response(status, echoed, json.dumps(body).encode())


@pytest.mark.parametrize("given", GIVEN.values(), ids=GIVEN)
async def test_an_error_keeps_headers_without_their_secrets(given: dict[str, Any]) -> None:
    client = HumeAI(
        **given,
        headers=HEADERS,
        base_url="http://stand-in.example",
        transport=MockTransport(echo),
        retry=Retry(attempts=1),
    )
    async with client as hume:
        with pytest.raises(RateLimitError) as caught:
            await hume.request("GET", "/v0/x", query={"status": 429})
    headers = caught.value.headers
    assert {"x-request-id", "location", "x-echo"} == headers.keys()
    assert "***" in headers["x-echo"]
    assert not any(form in text for form in FORMS for text in headers.values())


@pytest.mark.parametrize("anyio_backend", [BACKEND], ids=["virtual"])  # it repeats calls
@pytest.mark.parametrize("given", GIVEN.values(), ids=GIVEN)
async def test_a_secret_shows_nowhere(
    given: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    exporter, reader, keeping = InMemorySpanExporter(), InMemoryMetricReader(), Keeping()
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    telemetry = OpenTelemetry(tracers, MeterProvider([reader]))
    shown: list[str] = []
    hume = HumeAI(
        **given,
        headers=HEADERS,
        base_url="http://stand-in.example",
        transport=MockTransport(echo),
        observers=[keeping, telemetry],
        retry=Retry(attempts=2, initial_delay=0.001),
    )
    session: Session = session_in(hume)
    relative = hume.with_options(headers={"X-More": f"{MARK}-more-value"}, timeout=0.5)
    async with hume:
        with hume.capture() as exchanges:
            for status in STATUSES:
                try:
                    await relative.request("GET", "/v0/x", query={"status": status})
                except HumeError as problem:
                    shown.append(collect_error_text(problem, __file__))
                else:
                    assert status < FIRST_ERROR
            # The server repeats everything in its bodies, so they are no type's JSON.
            job = relative.batch.job("job-1")
            for call in (relative.configs.list, job.refresh, job.predictions):
                try:
                    shown.append(repr(await call()))
                except HumeError as problem:
                    shown += [collect_error_text(problem, __file__), to_json(problem)]
            shown += [show_in_notebook(job), show_in_notebook(hume.limiter), repr(job)]
        shown += [repr(hume), repr(vars(hume)), repr(session), repr(session.origin)]
        shown += [repr(vars(session.origin)), repr(session.additions), repr(session.origin.source)]
    shown += [f"{one!r} {attrs.astuple(one)} {one.request_line}" for one in exchanges]
    shown += [to_json(one) for one in exchanges]
    shown += keeping.shown
    shown += [f"{line.getMessage()} {line.exc_text} {line.args}" for line in caplog.records]
    shown += [span.to_json() for span in exporter.get_finished_spans()]
    shown.append(str(reader.get_metrics_data()))
    assert len(exchanges) >= len(STATUSES)
    for text in shown:
        assert not any(form in text for form in FORMS), text


TOKENS = (
    f'{{"token": "{MARK}", "error": "invalid_client"}}',
    f'{{"access_token": "{MARK}"',
    f'["{MARK}"]',
    f"<html>{MARK}",
    f'{{"access_token": "{MARK} and more"}}',
    f'{{"access_token": "{MARK}\\u00e9"}}',
    f'{{"access_token": 3, "refresh_token": "{MARK}"}}',
)


@pytest.mark.parametrize("body", TOKENS)
@pytest.mark.parametrize("status", [200, 302, 400, 401, 500])
async def test_a_token_that_cannot_be_used_is_not_shown(status: int, body: str) -> None:
    given = OAuth(f"{MARK}-oauth-key", f"{MARK}-oauth/secret")
    transport = MockTransport(lambda _: Response(status, {}, body.encode()))
    async with HumeAI(access_token=given, transport=transport, retry=Retry(attempts=1)) as hume:
        with pytest.raises(HumeError) as caught:
            await hume.request("GET", "/v0/x", query={"key": f"{MARK}-1"}, json={"key": MARK})
    text = collect_error_text(caught.value, __file__)
    assert MARK not in text
    assert ("invalid_client" in text) == ("invalid_client" in body and status != 200)


PLANTED = HumeAI(api_key="key", base_url="http://127.0.0.1:9")


def begin_list(**given: Any) -> None:
    PLANTED.chat.get(**given).send(None)


def begin_request(**given: Any) -> None:
    PLANTED.request("GET", **given).send(None)


def begin_message(**given: Any) -> None:
    PLANTED.chat.connect().send(given).send(None)


TAKES: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "HumeAI": (
        HumeAI,
        {"api_key": f"{MARK}-key", "headers": HEADERS, "base_url": f"http://me:{MARK}@127.0.0.1"},
    ),
    "HumeAI's cloud_url": (
        HumeAI,
        {"access_token": f"{MARK}-key", "cloud_url": f"http://127.0.0.1?key={MARK}"},
    ),
    "HumeAI with a gateway's token": (HumeAI, {"api_token": f"at_{MARK}", "headers": HEADERS}),
    "with_options": (
        PLANTED.with_options,
        {"headers": HEADERS, "query": {"token": f"{MARK}-1", "other": object()}},
    ),
    "Pool": (Pool, {"proxy": f"http://me:{MARK}@proxy.example:3128"}),
    "OAuth": (OAuth, {"api_key": f"{MARK}-key", "secret_key": f"{MARK}-secret"}),
    "verify": (webhooks.verify, {"body": BODY, "headers": {}, "key": [f"{MARK}-1", f"{MARK}-2"]}),
    "sign": (webhooks.sign, {"body": BODY, "key": f"{MARK}-key", "timestamp": 1}),
    "chat.get": (
        begin_list,
        {"api_key": f"{MARK}-key", "access_token": f"{MARK}-token", "config_version": -1},
    ),
    "request": (
        begin_request,
        {"path": "no-path", "query": {"key": f"{MARK}-1"}, "json": {"key": MARK}},
    ),
    "chat.connect": (
        PLANTED.chat.connect,
        {"session_settings": {"language_model_api_key": f"{MARK}-key"}},
    ),
    "chat.send": (
        begin_message,
        {"type": "session_settings", "language_model_api_key": f"{MARK}-key"},
    ),
}
"""What takes secrets, and what it is given."""
ARGUMENTS: dict[str, tuple[str, ...]] = {
    "chat.get": ("api_key", "access_token", "config_id"),
    "chat.send": ("type", "audio"),
    "request": ("path", "query"),
}
"""Of those that take any here."""
SECRET = {
    *("api_key", "access_token", "api_token", "secret_key", "key", "proxy", "base_url"),
    *("cloud_url", "headers", "query", "session_settings"),
}


@pytest.mark.filterwarnings("ignore:a LowCodeAPI token")
@pytest.mark.parametrize("takes", TAKES)
def test_what_refuses_an_argument_shows_no_secret_of_the_others(takes: str) -> None:
    make, given = TAKES[takes]
    errors: list[HumeError] = []
    malformed = (f"{MARK}\n".encode(), f"{MARK}\n", f"http://me:{MARK}@:x", [MARK, object()])
    for name in ARGUMENTS.get(takes) or inspect.signature(make).parameters:
        for wrong in (
            malformed if name in SECRET and given.get(name) else (object(), given.get(name))
        ):
            try:
                made = make(**{**given, name: wrong})
            except HumeError as problem:
                errors.append(problem)
            else:
                assert MARK not in repr(made)
    assert errors
    for error in errors:
        assert MARK not in collect_error_text(error, __file__)


@pytest.mark.parametrize("name", ["HUME_BASE_URL", "HUME_CLOUD_URL"])
@pytest.mark.parametrize("url", ["http://me:{}@h", "nope://me:{}@h", "http://me:{}@:x", "{} x"])
def test_a_variable_that_holds_a_malformed_url_is_not_shown(
    name: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, url.format(MARK))
    with pytest.raises(ConfigurationError, match=f"^{name} must") as caught:
        HumeAI(api_key="key")
    assert MARK not in collect_error_text(caught.value, __file__)


async def test_a_malformed_proxy_of_the_environment_is_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", f"http://me:{MARK}@:x")
    pool = Pool(trust_env=True)
    async with HumeAI(api_key="key", base_url="http://h.example", pool=pool) as hume:
        with pytest.raises(ConfigurationError, match="HTTP_PROXY must") as caught:
            await hume.configs.list()
    assert MARK not in collect_error_text(caught.value, __file__)


def test_pools_with_the_same_proxy_are_equal_and_can_be_changed() -> None:
    pool = Pool(proxy=f"http://me:{MARK}@proxy.example:3128")
    assert pool == Pool(proxy=f"http://me:{MARK}@proxy.example:3128") != Pool()
    assert attrs.evolve(pool, limit=1).proxy == pool.proxy
