"""The endpoints of Audio Decisions, which Hume serves today.

Evidence: Hume's documentation and changelog of November 2026. Names inside of results are
partly those of sister APIs, so `types/decision_results.py` reads them leniently. It knows neither
hosts nor credentials.
"""

from __future__ import annotations

from humeai_async.catalog.product import Product
from humeai_async.http.endpoint import Encoding, Endpoint, Pagination
from humeai_async.limiter.allowance import Allowance
from humeai_async.types.decisions import (
    DecisionResponse,
    DecisionRun,
    DecisionRunPage,
    TokenEstimate,
)

DECISIONS = Product(
    bucket="decisions",
    site="https://dev.hume.ai/docs/audio-decisions/",
    is_cloud=True,
    # Per organization, over all keys and calls, estimates and runs too; since 6 November 2026.
    allowance=Allowance(600, 60.0),
)
"""Launched on 2 November 2026; no end is documented."""

# fmt: off

# Documented in this order: `request`, then `file`, of which there is one.
DECISIONS_CREATE = Endpoint(
    "decisions.create", "POST", "/v0/decisions/file", DecisionResponse, **DECISIONS,
    docs="overview", body=("request", "file"), encoding=Encoding.MULTIPART)
# Takes no audio and is not billed, so that it may be sent again.
DECISIONS_ESTIMATE = Endpoint(
    "decisions.estimate", "POST", "/v0/decisions/file/input_tokens", TokenEstimate, **DECISIONS,
    docs="overview", body=("questions", "context", "audio_duration_ms"), repeatable=True)
DECISIONS_RUNS_LIST = Endpoint(
    "decisions.runs.list", "GET", "/v0/decisions/run", DecisionRunPage, **DECISIONS,
    docs="overview", items="runs", paging=Pagination.CURSOR,
    query=("page_size", "cursor", "user_id", "status", "started_before", "started_after"))
# 404 for a moment after the decision.
DECISIONS_RUNS_GET = Endpoint(
    "decisions.runs.get", "GET", "/v0/decisions/run/{run_id}", DecisionRun, **DECISIONS,
    docs="overview")

# fmt: on
