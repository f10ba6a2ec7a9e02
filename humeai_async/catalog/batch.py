"""The endpoints of batch jobs; those of their results are in `results.py`.

A constant is named for the method that calls it: `BATCH_GET_JOB` belongs to `batch.get_job`.
Where the documented table is wrong about Hume, the constant does what Hume does and a comment
beside it says so. It knows neither hosts nor credentials; resources fill its constants in.
"""

from __future__ import annotations

import datetime as dt

from humeai_async.catalog.product import Product
from humeai_async.http.endpoint import Encoding, Endpoint
from humeai_async.types.batch import JobDetails, JobId
from humeai_async.types.paging import Items

BATCH = Product(
    bucket="batch",
    site="https://dev.hume.ai/reference/expression-measurement-api/",
    # 14 June 2026 was the last day for calls and for fetching results.
    sunset=dt.date(2026, 6, 15),
    replacement="the Expression Measurement API at api.cloud.hume.ai, with results of another form",
)

# An entry reads like a row of the reference: what, where, what comes back; then the rest.
# fmt: off

# The documented row 1 is the EVI WebSocket (CHAT_CONNECT) filed under the path of the job list.
# Called as documented it lists jobs, and its parameters mean nothing to Hume.
CHAT_GET = Endpoint(
    "chat.get", "GET", "/v0/batch/jobs", Items[JobDetails], **BATCH,
    row="Chat", docs="/reference/empathic-voice-interface-evi/chat/chat",
    query=("access_token", "api_key", "config_id", "config_version", "resumed_chat_group_id"))
# The documented body is the query of BATCH_LIST_JOBS; this is Hume's own.
BATCH_START_JOB = Endpoint(
    "batch.start_job", "POST", "/v0/batch/jobs", JobId, **BATCH,
    row="Start inference job", docs="batch/start-inference-job",
    body=("models", "transcription", "urls", "text", "registry_files", "callback_url", "notify"))
BATCH_GET_JOB = Endpoint(
    "batch.get_job", "GET", "/v0/batch/jobs/{id}", JobDetails, **BATCH,
    row="Get job details", docs="batch/get-job-details")
# A bare array without pages; older jobs are reached with when=created_before and timestamp_ms.
# type was known to the service in 2024 only.
BATCH_LIST_JOBS = Endpoint(
    "batch.list_jobs", "GET", "/v0/batch/jobs", Items[JobDetails], **BATCH,
    docs="batch/list-jobs",
    query=("limit", "status", "when", "timestamp_ms", "sort_by", "direction", "type"))
# The same path as BATCH_START_JOB: the content type decides. `json` holds that one's body.
BATCH_START_JOB_FILES = Endpoint(
    "batch.start_job_files", "POST", "/v0/batch/jobs", JobId, **BATCH,
    docs="batch/start-inference-job-from-local-file",
    body=("json", "file"), encoding=Encoding.MULTIPART)

# fmt: on
