"""The endpoints of the Expression Measurement API that Hume serves today, but for its WebSockets.

Evidence: method, path, fields and statuses are those of the official package
hume-expression-measurement 0.1.0 and of Hume's documentation of autumn 2026; a comment beside a
row says what is known of it otherwise. It knows neither hosts nor credentials.
"""

from __future__ import annotations

from humeai_async.catalog.product import Product
from humeai_async.http.endpoint import Encoding, Pagination
from humeai_async.types.expression import AudioResult, ImagesResult
from humeai_async.types.expression_runs import ExpressionRun, ExpressionRunPage, RunEventsPage

EXPRESSION = Product(
    bucket="expression",
    docs="https://dev.hume.ai/docs/expression-measurement/",
    is_cloud=True,
)
"""Launched on 6 October 2026; no request rate and no end are documented."""

# fmt: off

EXPRESSION_MEASURE_AUDIO = EXPRESSION.endpoint(
    "expression.measure_audio", "POST", "/v1/expression/audio/file", AudioResult,
    docs="overview", body=("config", "file"), encoding=Encoding.MULTIPART)
# The part `file` comes once for each image; their order numbers the results.
EXPRESSION_MEASURE_IMAGES = EXPRESSION.endpoint(
    "expression.measure_images", "POST", "/v1/expression/video/file", ImagesResult,
    docs="overview", body=("config", "file"), encoding=Encoding.MULTIPART)
# The range of page_size is that of the events; of runs only the default is documented.
EXPRESSION_RUNS_LIST = EXPRESSION.endpoint(
    "expression.runs.list", "GET", "/v1/expression/run", ExpressionRunPage,
    docs="overview", items="runs", paging=Pagination.CURSOR,
    query=("page_size", "cursor", "user_id", "status", "mode", "endpoint", "started_before",
           "started_after"))
EXPRESSION_RUNS_GET = EXPRESSION.endpoint(
    "expression.runs.get", "GET", "/v1/expression/run/{run_id}", ExpressionRun,
    docs="overview")
EXPRESSION_RUNS_EVENTS = EXPRESSION.endpoint(
    "expression.runs.events", "GET", "/v1/expression/run/{run_id}/events", RunEventsPage,
    docs="overview", items="events", paging=Pagination.CURSOR, query=("page_size", "cursor"))

# fmt: on
