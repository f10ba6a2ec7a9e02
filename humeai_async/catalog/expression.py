"""The endpoints of the Expression Measurement API that Hume serves today, but for its WebSockets.

Evidence: method, path, fields and statuses are those of the official package
hume-expression-measurement 0.1.0 and of Hume's documentation of autumn 2026; a comment beside a
row says what is known of it otherwise. It knows neither hosts nor credentials.
"""

from __future__ import annotations

from humeai_async.catalog.product import Product
from humeai_async.http.endpoint import Encoding, Endpoint, Pagination
from humeai_async.types.expression import AudioResult, ImagesResult
from humeai_async.types.expression_runs import ExpressionRun, ExpressionRunPage, RunEventsPage

EXPRESSION = Product(
    bucket="expression",
    site="https://dev.hume.ai/docs/expression-measurement/",
    is_cloud=True,
)
"""Launched on 6 October 2026; no request rate and no end are documented."""

# fmt: off

EXPRESSION_MEASURE_AUDIO = Endpoint(
    "expression.measure_audio", "POST", "/v1/expression/audio/file", AudioResult, **EXPRESSION,
    docs="overview", body=("config", "file"), encoding=Encoding.MULTIPART)
# The part `file` comes once for each image; their order numbers the results.
EXPRESSION_MEASURE_IMAGES = Endpoint(
    "expression.measure_images", "POST", "/v1/expression/video/file", ImagesResult, **EXPRESSION,
    docs="overview", body=("config", "file"), encoding=Encoding.MULTIPART)
# The range of page_size is that of the events; of runs only the default is documented.
EXPRESSION_RUNS_LIST = Endpoint(
    "expression.runs.list", "GET", "/v1/expression/run", ExpressionRunPage, **EXPRESSION,
    docs="overview", items="runs", paging=Pagination.CURSOR,
    query=("page_size", "cursor", "user_id", "status", "mode", "endpoint", "started_before",
           "started_after"))
EXPRESSION_RUNS_GET = Endpoint(
    "expression.runs.get", "GET", "/v1/expression/run/{run_id}", ExpressionRun, **EXPRESSION,
    docs="overview")
EXPRESSION_RUNS_EVENTS = Endpoint(
    "expression.runs.events", "GET", "/v1/expression/run/{run_id}/events", RunEventsPage,
    **EXPRESSION, docs="overview", items="events", paging=Pagination.CURSOR,
    query=("page_size", "cursor"))

# fmt: on
