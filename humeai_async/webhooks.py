"""Requests that Hume sends to you: whether they are Hume's, and what they say.

`verify` needs the raw bytes of the body, before any framework has read them as JSON: the
signature is of those bytes. Nothing here opens a socket; your web framework receives the request.
What Hume posts at the end of a batch job (`callback_url`) is not signed: `read_callback` reads it,
`hume.batch.wake` takes its `job_id`, and nothing else of it is to be believed.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from humeai_async._base.secret import Secret
from humeai_async.errors import (
    ConfigurationError,
    DecodeError,
    InvalidArgumentError,
    WebhookError,
)
from humeai_async.http.arguments import check_number, check_seconds
from humeai_async.http.codec import parse, structure
from humeai_async.http.endpoint import check_id
from humeai_async.types.webhooks import (
    AnyWebhookEvent,
    BatchCallback,
    ChatStartType,
    ChatWebhookEvent,
    UnknownWebhookEvent,
    WebhookChatEnded,
    WebhookChatStarted,
    WebhookEndReason,
    WebhookEvent,
    WebhookToolCall,
)

__all__ = [
    "SIGNATURE_HEADER",
    "TIMESTAMP_HEADER",
    "TOLERANCE",
    "AnyWebhookEvent",
    "BatchCallback",
    "ChatStartType",
    "ChatWebhookEvent",
    "UnknownWebhookEvent",
    "WebhookChatEnded",
    "WebhookChatStarted",
    "WebhookEndReason",
    "WebhookError",
    "WebhookEvent",
    "WebhookToolCall",
    "read_callback",
    "sign",
    "verify",
]

SIGNATURE_HEADER = "X-Hume-AI-Webhook-Signature"
TIMESTAMP_HEADER = "X-Hume-AI-Webhook-Timestamp"
TOLERANCE = 180.0
"""Seconds between Hume's clock and yours, either way, after which a request is refused."""

_SECONDS = re.compile(r"[0-9]{1,15}")


def verify(
    body: bytes,
    headers: Mapping[str, str],
    key: str | Sequence[str],
    *,
    tolerance: float = TOLERANCE,
    is_new: Callable[[str], bool] | None = None,
    now: float | None = None,
) -> AnyWebhookEvent:
    """Check that a request is Hume's, and read it.

    Args:
        body: Bytes of the body as they came.
        headers: Headers of the request; the case of names does not matter.
        key: Webhook signing key of the account. While keys are changed, several: a signature by
            any of them is accepted.
        tolerance: Seconds between the request's timestamp and now, either way.
        is_new: Called last, with the signature; false refuses a request that came before. Keep
            the signatures that it was called with for twice the tolerance, and let a single
            operation look one up and keep it (in Redis, `SET ... NX EX 360`).
        now: Seconds since 1970, for tests; the clock's if left out.

    Returns:
        The event: a `WebhookChatStarted`, `WebhookChatEnded`, `WebhookToolCall`, or an
        `UnknownWebhookEvent` of a later kind.

    Raises:
        WebhookError: The request is not Hume's, too old, or came before; answer with status 400.
        DecodeError: It is Hume's, and is no event.
        ConfigurationError: There is no key, or it is no text; the body is no bytes; the headers
            are no mapping.
        InvalidArgumentError: The tolerance is no number of seconds.

    Source: https://dev.hume.ai/docs/empathic-voice-interface-evi/configuration/webhooks
    """
    keys = _hold_keys(key)
    del key  # so that no traceback shows it
    _check_keys(keys)
    raw = _check_body(body)
    check_seconds("tolerance", tolerance)
    if not hasattr(cast("object", headers), "items"):
        kind = type(headers).__name__
        raise ConfigurationError(f"headers are those of the request, a mapping, not {kind}")
    timestamp = _header(headers, TIMESTAMP_HEADER)
    signature = _header(headers, SIGNATURE_HEADER).lower()
    if not _SECONDS.fullmatch(timestamp):
        raise WebhookError(f"the header {TIMESTAMP_HEADER} is no number of seconds")
    # All keys are tried, so that the time taken does not say which one it was.
    given = signature.encode(errors="replace")
    matches = [hmac.compare_digest(given, _sign(raw, timestamp, one).encode()) for one in keys]
    if not any(matches):
        raise WebhookError(
            "the signature is not of this body and key: use the raw bytes of the body, and the "
            "webhook signing key of the account"
        )
    age = (time.time() if now is None else now) - int(timestamp)
    if not abs(age) <= tolerance:
        way = "old" if age > 0 else "ahead of this clock"
        raise WebhookError(f"the request is {abs(age):.0f} s {way}; {tolerance:g} s are allowed")
    event = cast("AnyWebhookEvent", structure(WebhookEvent, _parse(raw)))
    if is_new is not None and not is_new(signature):
        raise WebhookError("the request came before")
    return event


def sign(body: bytes, key: str, timestamp: int) -> dict[str, str]:
    """Return the headers that Hume would send with a body, for tests of your own.

    Args:
        body: Bytes of the body.
        key: Webhook signing key.
        timestamp: Whole seconds since 1970.

    Raises:
        ConfigurationError: The key is no text, or the body no bytes.
        InvalidArgumentError: The timestamp is no whole number.
    """
    held = Secret(key if isinstance(cast("object", key), str) else "")
    del key  # so that no traceback shows it
    _check_keys([held])
    text = str(check_number("timestamp", timestamp, least=0))
    return {TIMESTAMP_HEADER: text, SIGNATURE_HEADER: _sign(_check_body(body), text, held)}


def _sign(body: bytes, timestamp: str, key: Secret) -> str:
    signed = body + b"." + timestamp.encode()
    return hmac.new(key.reveal().encode(), signed, hashlib.sha256).hexdigest()


def _check_body(body: object) -> bytes:
    """Return the bytes of a body.

    Raises:
        ConfigurationError: It is something else.
    """
    if isinstance(body, memoryview):
        return body.tobytes()
    if isinstance(body, (bytes, bytearray)):
        return bytes(body)
    raise ConfigurationError(
        f"body is the raw bytes of the request, not {type(body).__name__}: take them before the "
        "framework reads them as JSON (FastAPI: `await request.body()`)"
    )


def _hold_keys(key: object) -> list[Secret]:
    """Hold the keys so that no traceback shows them; what is no text becomes an empty one."""
    keys: Sequence[object] = (key,)
    if isinstance(key, Sequence) and not isinstance(key, (str, bytes, bytearray)):
        keys = cast("Sequence[object]", key)
    return [Secret(one if isinstance(one, str) else "") for one in keys]


def _check_keys(keys: Sequence[Secret]) -> None:
    """Make sure that there are keys that can have signed anything.

    Raises:
        ConfigurationError: There is none, or one that is empty, no text, or was not copied
            well: with an empty key anybody could sign.
    """
    if not keys:
        raise ConfigurationError("key is the webhook signing key, or a sequence of such keys")
    if not all(one.reveal().strip() and one.reveal().isprintable() for one in keys):
        raise ConfigurationError(
            "a webhook signing key is empty, is no text, or holds characters that none has; was "
            "it copied whole?"
        )


def read_callback(body: bytes) -> BatchCallback:
    """Read what was posted to a batch job's `callback_url`; it is not signed.

    ```python
    hume.batch.wake(read_callback(await request.body()).job_id)
    ```

    Args:
        body: Bytes of the body as they came.

    Returns:
        The id of the job and the status that the sender says it has.

    Raises:
        DecodeError: It is no JSON object with the id of a job.
        ConfigurationError: The body is no bytes.
    """
    callback = structure(BatchCallback, _parse(_check_body(body)))
    try:
        check_id(callback.job_id, "job_id")
    except InvalidArgumentError:
        pass
    else:
        return callback
    raise DecodeError("the callback names a job by a malformed id", path="$.job_id")


def _header(headers: Mapping[str, str], name: str) -> str:
    """Return the one header of a name.

    Raises:
        WebhookError: There is none, or more than one.
    """
    found = [value for one, value in headers.items() if str(one).lower() == name.lower()]
    if len(found) != 1:
        raise WebhookError(f"the request has {len(found) or 'no'} header {name}: it is not Hume's")
    return str(found[0]).strip()


def _parse(body: bytes) -> object:
    """Read the body as JSON.

    Raises:
        DecodeError: It is none; no word of it is repeated.
    """
    try:
        return parse(body)
    except DecodeError:
        pass
    raise DecodeError("the body is not JSON")
