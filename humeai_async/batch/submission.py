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
    md5s: Sequence[bytes | None] | None = None,
) -> Job:
    """Start an inference job.

    Args:
        request: Everything but files.
        files: Files to upload.
        session: Makes the call.
        poller: Waits for the job.
        before_send: Awaited each time that the request is about to be sent.
        md5s: MD5 that each of the files must have, if it must have one.

    Raises:
        InvalidArgumentError: A file cannot be uploaded, or has another MD5.
        GatewayUnsupportedError: Files through the gateway.
    """
    if not files:
        call = fill(catalog.BATCH_START_JOB, body=request)
        return await start(evolve(call, before_send=before_send), session, poller)
    session.ensure_supported(catalog.BATCH_START_JOB_FILES)
    md5s = [None] * len(files) if md5s is None else md5s
    parts = [
        Part("json", codec.encode_request(request), content_type="application/json"),
        *[await as_part(file, md5=md5) for file, md5 in zip(files, md5s, strict=True)],
    ]
    call = fill(catalog.BATCH_START_JOB_FILES, parts=parts)
    return await start(evolve(call, before_send=before_send), session, poller)
