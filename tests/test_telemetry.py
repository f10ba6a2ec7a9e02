"""OpenTelemetry: a span a call, one an attempt below it, and what is measured."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from humeai_async import APIConnectionError, HumeAI, Limiter, MissingPackageError, Request, Retry
from humeai_async.telemetry import OpenTelemetry
from humeai_async.testing import MockTransport
from humeai_async.testing.mock_transport import MockHandler

pytestmark = pytest.mark.anyio

PAGE: dict[str, Any] = {
    "page_number": 0, "page_size": 10, "total_pages": 1, "configs_page": [],
}  # fmt: skip


class Scene:
    """A client, and what its telemetry gives out."""

    def __init__(self, handler: MockHandler, **settings: Any) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        telemetry = OpenTelemetry(self.tracers, MeterProvider([self.reader]))
        settings.setdefault("retry", Retry(attempts=3, initial_delay=0.001))
        settings.setdefault("api_key", "m4rk3d-key")
        self.hume = HumeAI(transport=MockTransport(handler), observers=[telemetry], **settings)

    @property
    def spans(self) -> dict[str, list[ReadableSpan]]:
        found: dict[str, list[ReadableSpan]] = {}
        for span in self.exporter.get_finished_spans():
            found.setdefault(span.name, []).append(span)
        return found

    def points(self) -> dict[str, list[Any]]:
        data: Any = self.reader.get_metrics_data()
        return {
            metric.name: list(metric.data.data_points)
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


async def test_a_call_is_a_span_with_a_child_for_each_attempt() -> None:
    replies: list[Any] = [(503, {}), PAGE]
    scene = Scene(lambda _: replies.pop(0))
    with scene.tracers.get_tracer("app").start_as_current_span("route"):
        await scene.hume.configs.list()
    (route,), (call,) = scene.spans["route"], scene.spans["configs.list"]
    first, second = scene.spans["GET /v0/evi/configs"]
    parents: list[Any] = [call.parent, first.parent, second.parent]
    owners: list[Any] = [route.context, call.context, call.context]
    assert [one.span_id for one in parents] == [one.span_id for one in owners]
    assert {span.kind for span in (first, second)} == {trace.SpanKind.CLIENT}
    assert dict(first.attributes or {}) == {
        "http.request.method": "GET",
        "server.address": "api.hume.ai",
        "server.port": 443,
        "url.full": "https://api.hume.ai/v0/evi/configs?page_number=0",
        "url.template": "/v0/evi/configs",
        "http.response.status_code": 503,
        "error.type": "503",
    }
    assert (second.attributes or {})["http.request.resend_count"] == 1
    assert not first.status.is_ok
    assert call.status.is_unset or call.status.is_ok


async def test_a_call_that_fails_says_why_and_shows_no_secret() -> None:
    def handler(_: Request) -> Any:
        raise ConnectionResetError

    scene = Scene(handler, api_key=None, api_token="at_m4rk3d")
    with pytest.raises(APIConnectionError):
        await scene.hume.request("GET", "/v0/x", query={"access_token": "m4rk3d"})
    (call,) = scene.spans["request"]
    assert (call.attributes or {})["error.type"] == "APIConnectionError"
    assert call.status.description
    shown = "".join(span.to_json() for spans in scene.spans.values() for span in spans)
    assert "m4rk3d" not in shown
    assert "access_token=***" in shown


async def test_durations_waits_refusals_and_repeats_are_measured() -> None:
    replies: list[Any] = [(503, {}), (429, {}), PAGE, PAGE]
    limiter = Limiter(rate=50, burst=1)
    scene = Scene(lambda _: replies.pop(0), limiter=limiter)
    await scene.hume.configs.list()
    await scene.hume.configs.list()
    points = scene.points()
    durations = points["http.client.request.duration"]
    counted = {p.attributes["http.response.status_code"]: p.count for p in durations}
    assert counted == {503: 1, 429: 1, 200: 2}
    assert sum(point.count for point in points["hume.client.queue.duration"]) >= 1
    (refused,) = points["hume.client.rate_limited"]
    assert (refused.value, dict(refused.attributes)) == (1, {"hume.endpoint": "configs.list"})
    assert sum(point.value for point in points["hume.client.retries"]) == 2


async def test_a_tracer_that_fails_costs_no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    replies: list[Any] = [(503, {}), PAGE]
    scene = Scene(lambda _: replies.pop(0), limiter=Limiter(rate=1000))

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr("opentelemetry.sdk.trace.Tracer.start_span", fail)
        async with scene.hume as hume:
            assert (await hume.configs.list()).items == []
    assert scene.spans == {}


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "opentelemetry.trace", None)
    with pytest.raises(MissingPackageError, match=r"humeai_async\[otel\]"):
        OpenTelemetry()
