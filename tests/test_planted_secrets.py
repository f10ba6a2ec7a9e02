"""Secrets planted wherever one can be given show in nothing that anybody could look at.

The server here repeats each request, credential and headers included, in its headers and in its
bodies, and fails in all the ways that make errors.
"""

from __future__ import annotations

import base64
import json
import logging
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

from humeai_async import (
    HumeAI,
    HumeError,
    OAuth,
    Observer,
    RateLimitError,
    Request,
    Response,
    Retry,
    to_json,
)
from humeai_async.http.session import Session
from humeai_async.telemetry import OpenTelemetry
from humeai_async.testing import MockTransport

pytestmark = pytest.mark.anyio

MARK = "m4rk3d"
HEADERS = {"X-Credential-Key": "api_key", "X-Credential-Value": f"{MARK}-own/key+1"}
STATUSES = (200, 400, 401, 403, 404, 429, 500, 503)
FIRST_ERROR = 400


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
    session: Session = vars(hume)["_session"]
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
