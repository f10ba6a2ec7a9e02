"""Traces and metrics of calls through OpenTelemetry (extra `otel`).

`OpenTelemetry` is an observer like any other: it turns the records of a call into spans and
measurements by the stable semantic conventions for HTTP clients. It never sees a credential. It
is imported by whoever uses it and by nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

from attrs import define, field

from humeai_async._base.packages import load_package
from humeai_async._base.version import __version__
from humeai_async.errors import HumeError
from humeai_async.http.observing import (
    AttemptEnded,
    AttemptStarted,
    CallEnded,
    CallStarted,
    Observer,
    Paced,
    RetryScheduled,
)

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import Span, TracerProvider
    from opentelemetry.util.types import AttributeValue

__all__ = ["OpenTelemetry"]

_DURATIONS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Bounds in seconds that the conventions advise for durations of requests."""
_FIRST_ERROR = 400
_REFUSED = 429
_PORTS = {"http": 80, "https": 443}

Attributes: TypeAlias = "dict[str, AttributeValue]"


@define(eq=False)
class _Open:
    """A call that goes on: its spans, and what all measurements of its request have."""

    span: Span
    attempt: Span | None = None
    about: Attributes = field(factory=dict[str, "AttributeValue"])


class OpenTelemetry(Observer):
    """Makes a span of each call, a child span of each attempt, and metrics of both.

    ```python
    hume = HumeAI(api_key="...", observers=[OpenTelemetry()])
    ```

    A call's span is named for its endpoint, such as `configs.list`, and stands below the span
    that is current where the call begins. An attempt's span, `GET /v0/evi/configs`, is of kind
    client, with `http.request.method`, `url.full` (values in the query that may be keys are
    `***`), `server.address`, `server.port`, `http.response.status_code`, `error.type` and
    `http.request.resend_count`.

    Metrics: `http.client.request.duration` in seconds, of each attempt;
    `hume.client.queue.duration` in seconds, of each wait for the limiter; `hume.client.retries`,
    and `hume.client.rate_limited` for responses with status 429, each by `hume.endpoint`.

    Args:
        tracer_provider: Where spans go; the global one if left out.
        meter_provider: Where measurements go; the global one if left out.

    Raises:
        MissingPackageError: opentelemetry-api is not installed.
    """

    def __init__(
        self,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
    ) -> None:
        self._trace: Any = load_package("opentelemetry.trace")
        metrics: Any = load_package("opentelemetry.metrics")
        self._tracer = self._trace.get_tracer("humeai_async", __version__, tracer_provider)
        meter = metrics.get_meter("humeai_async", __version__, meter_provider)
        self._durations = meter.create_histogram(
            "http.client.request.duration",
            unit="s",
            description="Duration of HTTP client requests.",
            explicit_bucket_boundaries_advisory=_DURATIONS,
        )
        self._waits = meter.create_histogram(
            "hume.client.queue.duration",
            unit="s",
            description="Time that requests waited for the limiter.",
            explicit_bucket_boundaries_advisory=_DURATIONS,
        )
        self._retries = meter.create_counter(
            "hume.client.retries", unit="{retry}", description="Attempts that will be repeated."
        )
        self._refusals = meter.create_counter(
            "hume.client.rate_limited",
            unit="{response}",
            description="Responses with status 429.",
        )
        self._open: dict[str, _Open] = {}

    def call_started(self, record: CallStarted) -> None:
        """Begin the span of a call."""
        attributes = {"hume.endpoint": record.endpoint, "hume.call_id": record.call_id}
        self._open[record.call_id] = _Open(
            self._tracer.start_span(record.endpoint, attributes=attributes)
        )

    def paced(self, record: Paced) -> None:
        """Measure a wait for the limiter."""
        self._waits.record(record.seconds, {"hume.endpoint": record.endpoint})
        if opened := self._open.get(record.call_id):
            opened.span.add_event("hume.paced", {"hume.wait": record.seconds})

    def attempt_started(self, record: AttemptStarted) -> None:
        """Begin the span of an attempt."""
        opened = self._open.get(record.call_id)
        if opened is None:
            return
        parts = urlsplit(record.url)
        opened.about = {
            "http.request.method": record.method,
            "server.address": parts.hostname or "",
            "server.port": parts.port or _PORTS.get(parts.scheme, 0),
        }
        attributes = {**opened.about, "url.full": record.url, "url.template": record.path}
        if record.attempt > 1:
            attributes["http.request.resend_count"] = record.attempt - 1
        opened.attempt = self._tracer.start_span(
            f"{record.method} {record.path}",
            context=self._trace.set_span_in_context(opened.span),
            kind=self._trace.SpanKind.CLIENT,
            attributes=attributes,
        )

    def attempt_ended(self, record: AttemptEnded) -> None:
        """End the span of an attempt, and measure it."""
        opened = self._open.get(record.call_id)
        if opened is None or opened.attempt is None:
            return
        span, about = opened.attempt, opened.about
        opened.attempt = None
        if record.status is not None:
            about = {**about, "http.response.status_code": record.status}
        error_type = _error_type(record)
        if error_type is not None:
            about = {**about, "error.type": error_type}
            span.set_status(self._trace.StatusCode.ERROR)
        span.set_attributes(about)
        if record.request_id is not None:
            span.set_attribute("hume.request_id", record.request_id)
        span.end()
        self._durations.record(record.seconds, about)
        if record.status == _REFUSED:
            self._refusals.add(1, {"hume.endpoint": record.endpoint})

    def retry_scheduled(self, record: RetryScheduled) -> None:
        """Count one repeated attempt, by endpoint and reason."""
        reason = type(record.error).__name__
        self._retries.add(1, {"hume.endpoint": record.endpoint, "error.type": reason})

    def call_ended(self, record: CallEnded) -> None:
        """End the span of a call."""
        opened = self._open.pop(record.call_id, None)
        if opened is None:
            return
        if record.error is not None:
            opened.span.set_attribute("error.type", type(record.error).__name__)
            # What an error that is not this library's says may hold anything.
            message = str(record.error) if isinstance(record.error, HumeError) else None
            opened.span.set_status(self._trace.StatusCode.ERROR, message)
        opened.span.end()


def _error_type(record: AttemptEnded) -> str | None:
    """Name an error as the conventions do: by the status, or by the class of what was raised."""
    if record.error is not None:
        return type(record.error).__name__
    is_error = record.status is not None and record.status >= _FIRST_ERROR
    return str(record.status) if is_error else None
