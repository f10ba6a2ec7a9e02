"""The call that starts an inference job, with URLs and texts or with uploads.

`hume.batch.start_job` and bulk runs make it the same way.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from attrs import evolve

from humeai_async.batch.job import Job, start
from humeai_async.batch.poller import Poller
from humeai_async.catalog import batch as catalog
from humeai_async.http import codec
from humeai_async.http.endpoint import fill
from humeai_async.http.messages import Part, Request
from humeai_async.http.multipart import File, as_part
from humeai_async.http.session import Session
from humeai_async.types.batch import InferenceRequest


async def start_inference(
    request: InferenceRequest,
    files: Sequence[File] | None,
    session: Session,
    poller: Poller,
    before_send: Callable[[Request], Awaitable[None]] | None = None,
) -> Job:
    """Start an inference job.

    Args:
        request: Everything but files.
        files: Files to upload.
        session: Makes the call.
        poller: Waits for the job.
        before_send: Awaited each time that the request is about to be sent.

    Raises:
        InvalidArgumentError: A file cannot be uploaded.
        GatewayUnsupportedError: Files through the gateway.
    """
    if not files:
        call = fill(catalog.BATCH_START_JOB, body=request)
        return await start(evolve(call, before_send=before_send), session, poller)
    session.ensure_supported(catalog.BATCH_START_JOB_FILES)
    parts = [
        Part("json", codec.encode_request(request), content_type="application/json"),
        *[await as_part(file) for file in files],
    ]
    call = fill(catalog.BATCH_START_JOB_FILES, parts=parts)
    return await start(evolve(call, before_send=before_send), session, poller)
