"""A request to a webhook is Hume's, new and of this minute, or it is refused."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any

import pytest
from error_text import collect_error_text
from hypothesis import given
from hypothesis import strategies as st

from humeai_async import (
    ConfigurationError,
    DecodeError,
    HumeError,
    InvalidArgumentError,
    WebhookError,
    webhooks,
)
from humeai_async.types.chat import ToolCallMessage
from humeai_async.webhooks import (
    UnknownWebhookEvent,
    WebhookChatEnded,
    WebhookChatStarted,
    WebhookToolCall,
    sign,
    verify,
)

KEY = "whsk_planted"
NOW = 1_790_000_000
STARTED = {
    "event_name": "chat_started",
    "chat_id": "c1",
    "chat_group_id": "g1",
    "config_id": None,
    "start_time": 1_789_999_999_500,
    "chat_start_type": "new_chat_group",
    "caller_number": None,
    "custom_session_id": None,
    "twilio_metadata": None,
}


def posted(event: object = STARTED, *, at: int = NOW, key: str = KEY) -> tuple[bytes, Any]:
    body = json.dumps(event).encode()
    return body, sign(body, key, at)


def test_the_signature_is_of_the_raw_body_a_dot_and_the_timestamp() -> None:
    body, headers = posted()
    expected = hmac.new(KEY.encode(), body + b".%d" % NOW, hashlib.sha256).hexdigest()
    assert headers == {
        "X-Hume-AI-Webhook-Timestamp": str(NOW),
        "X-Hume-AI-Webhook-Signature": expected,
    }


def test_a_chat_that_starts_is_a_typed_event() -> None:
    event = verify(*posted(), KEY, now=NOW)
    assert isinstance(event, WebhookChatStarted)
    assert (event.chat_id, event.chat_group_id, event.config_id) == ("c1", "g1", None)
    assert event.chat_start_type == webhooks.ChatStartType.NEW
    assert event.started_at is not None
    assert event.started_at.isoformat() == "2026-09-21T14:13:19.500000+00:00"


def test_a_chat_that_ends_is_a_typed_event() -> None:
    ended = {"event_name": "chat_ended", "chat_id": "c1", "end_time": 0, "duration_seconds": 7}
    event = verify(*posted({**ended, "end_reason": "USER_ENDED"}), KEY, now=NOW)
    assert isinstance(event, WebhookChatEnded)
    assert (event.duration_seconds, event.end_reason) == (7, "USER_ENDED")
    assert event.ended_at is not None


def test_a_tool_call_carries_the_call() -> None:
    call = {"type": "tool_call", "tool_call_id": "t1", "name": "weather", "parameters": "{}"}
    event = verify(
        *posted({"event_name": "tool_call", "chat_id": "c1", "tool_call_message": call}),
        KEY,
        now=NOW,
    )
    assert isinstance(event, WebhookToolCall)
    assert isinstance(event.tool_call_message, ToolCallMessage)
    assert event.tool_call_message.name == "weather"
    assert event.called_at is None


def test_an_event_of_a_later_kind_is_kept_whole() -> None:
    event = verify(*posted({"event_name": "chat_paused", "why": 1}), KEY, now=NOW)
    assert isinstance(event, UnknownWebhookEvent)
    assert str(event.event_name) == "chat_paused"
    assert event.data == {"event_name": "chat_paused", "why": 1}


def test_fields_of_later_versions_are_in_extra() -> None:
    event = verify(*posted({**STARTED, "mood": "calm"}), KEY, now=NOW)
    assert event.extra == {"mood": "calm"}


def test_the_case_of_header_names_and_of_the_signature_does_not_matter() -> None:
    body, headers = posted()
    lower = {name.lower(): value.upper() for name, value in headers.items()}
    assert verify(body, lower, KEY, now=NOW).event_name == "chat_started"


@pytest.mark.parametrize("away", [-180, 180])
def test_a_clock_may_be_three_minutes_away_either_way(away: int) -> None:
    body, headers = posted()
    verify(body, headers, KEY, now=NOW + away)
    with pytest.raises(WebhookError, match="180 s are allowed"):
        verify(body, headers, KEY, now=NOW + away + (1 if away > 0 else -1))


def test_the_time_is_now_unless_it_is_given() -> None:
    body, headers = posted(at=int(time.time()))
    assert verify(body, headers, KEY).event_name == "chat_started"
    with pytest.raises(WebhookError, match="old"):
        verify(*posted(at=1_000_000_000), KEY)


def test_a_body_that_was_written_anew_is_refused() -> None:
    body, headers = posted()
    with pytest.raises(WebhookError, match="use the raw bytes"):
        verify(json.dumps(json.loads(body), indent=1).encode(), headers, KEY, now=NOW)


@given(at=st.integers(0, 2000), bit=st.integers(0, 7))
def test_no_bit_of_the_body_can_be_changed(at: int, bit: int) -> None:
    body, headers = posted()
    changed = bytearray(body)
    changed[at % len(body)] ^= 1 << bit
    with pytest.raises(WebhookError):
        verify(bytes(changed), headers, KEY, now=NOW)


def test_the_timestamp_is_signed_too() -> None:
    body, headers = posted(at=NOW - 1000)
    with pytest.raises(WebhookError, match="the signature is not of this body and key"):
        verify(body, {**headers, "X-Hume-AI-Webhook-Timestamp": str(NOW)}, KEY, now=NOW)


def test_any_of_several_keys_may_have_signed() -> None:
    body, headers = posted(key="old")
    assert verify(body, headers, ["new", "old"], now=NOW).event_name == "chat_started"
    with pytest.raises(WebhookError):
        verify(body, headers, ["new", "newer"], now=NOW)


def test_a_request_that_came_before_is_refused() -> None:
    seen: set[str] = set()

    def is_new(signature: str) -> bool:
        count = len(seen)
        seen.add(signature)
        return len(seen) > count

    body, headers = posted()
    verify(body, headers, KEY, now=NOW, is_new=is_new)
    with pytest.raises(WebhookError, match="came before"):
        verify(body, headers, KEY, now=NOW, is_new=is_new)


def test_what_is_forged_is_never_remembered() -> None:
    body, headers = posted(key="another")

    def is_new(_: str) -> bool:
        pytest.fail("it was asked for a forged request")

    with pytest.raises(WebhookError):
        verify(body, headers, KEY, now=NOW, is_new=is_new)


@pytest.mark.parametrize(
    "change",
    [
        {"X-Hume-AI-Webhook-Timestamp": "now"},
        {"X-Hume-AI-Webhook-Timestamp": "-5"},
        {"X-Hume-AI-Webhook-Timestamp": "1e9"},
        {"X-Hume-AI-Webhook-Timestamp": "9" * 5000},
        {"X-Hume-AI-Webhook-Timestamp": "\u0661\u0662"},
        {"X-Hume-AI-Webhook-Signature": ""},
        {"X-Hume-AI-Webhook-Signature": "\ud800"},
        {"x-hume-ai-webhook-signature": "twice"},
    ],
)
def test_headers_of_anybody_are_refused(change: dict[str, str]) -> None:
    body, headers = posted()
    with pytest.raises(WebhookError):
        verify(body, {**headers, **change}, KEY, now=NOW)


@pytest.mark.parametrize("name", ["X-Hume-AI-Webhook-Timestamp", "X-Hume-AI-Webhook-Signature"])
def test_a_request_without_the_headers_is_refused(name: str) -> None:
    body, headers = posted()
    del headers[name]
    with pytest.raises(WebhookError, match=f"no header {name}"):
        verify(body, headers, KEY, now=NOW)


@pytest.mark.parametrize("key", ["", " ", [], ["good", ""], None, b"bytes", "key\n", "\ud800"])
def test_without_a_key_nobody_is_let_in(key: Any) -> None:
    body, headers = posted()
    signed_with_nothing = hmac.new(b"", body + b".%d" % NOW, hashlib.sha256).hexdigest()
    with pytest.raises(ConfigurationError):
        verify(body, headers | {webhooks.SIGNATURE_HEADER: signed_with_nothing}, key, now=NOW)


def test_a_body_that_a_framework_has_read_is_refused_with_advice() -> None:
    body, headers = posted()
    with pytest.raises(ConfigurationError, match=r"await request\.body\(\)"):
        verify(json.loads(body), headers, KEY, now=NOW)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'"text"', b"{", b"\xff", b"[" * 100_000])
def test_a_signed_body_that_is_no_event_is_a_decode_error(body: bytes) -> None:
    with pytest.raises(DecodeError):
        verify(body, sign(body, KEY, NOW), KEY, now=NOW)


def test_no_error_shows_the_key_or_the_expected_signature() -> None:
    body, headers = posted(key="another")
    expected = sign(body, KEY, NOW)["X-Hume-AI-Webhook-Signature"]
    with pytest.raises(WebhookError) as caught:
        verify(body, headers, KEY, now=NOW)
    text = collect_error_text(caught.value, __file__)
    assert KEY not in text
    assert expected not in text


def refuse(signature: str) -> bool:
    raise OSError(f"no store for {len(signature)} characters")


@pytest.mark.parametrize(
    "mistake",
    [
        {"headers": {}},
        {"key": [KEY, ""]},
        {"key": KEY.encode()},
        {"tolerance": -1},
        {"is_new": refuse},
        {"body": b"[]", "headers": sign(b"[]", KEY, NOW)},
    ],
)
def test_no_traceback_shows_the_key(mistake: dict[str, Any]) -> None:
    body, headers = posted()
    arguments: dict[str, Any] = {"body": body, "headers": headers, "key": KEY, "now": NOW}
    with pytest.raises((HumeError, OSError)) as caught:
        verify(**arguments | mistake)
    assert KEY not in collect_error_text(caught.value, __file__)


@pytest.mark.parametrize("mistake", [{"timestamp": -1}, {"body": "text"}])
def test_no_traceback_of_signing_shows_the_key(mistake: dict[str, Any]) -> None:
    arguments: dict[str, Any] = {"body": b"{}", "key": KEY, "timestamp": NOW}
    with pytest.raises(HumeError) as caught:
        sign(**arguments | mistake)
    assert KEY not in collect_error_text(caught.value, __file__)


def test_the_callback_of_a_batch_job_is_read_as_a_hint() -> None:
    job_id = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
    body = json.dumps({"job_id": job_id, "status": "COMPLETED", "predictions": [{}]}).encode()
    callback = webhooks.read_callback(body)
    assert (job_id, "COMPLETED") == (callback.job_id, callback.status)


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"job_id": 5}', b'{"job_id": ""}', b'{"job_id": "../x"}', b"\xff"],
    ids=repr,
)
def test_a_callback_that_names_no_job_is_refused(body: bytes) -> None:
    with pytest.raises(DecodeError):
        webhooks.read_callback(body)


@pytest.mark.parametrize("body", ["{}", {"job_id": "j1"}, None])
def test_a_body_that_the_framework_has_read_already_is_refused_by_name(body: Any) -> None:
    with pytest.raises(ConfigurationError, match="raw bytes of the request, not"):
        webhooks.read_callback(body)
    with pytest.raises(ConfigurationError, match="raw bytes of the request, not"):
        sign(body, KEY, NOW)


def test_a_callback_may_come_as_any_kind_of_bytes() -> None:
    body = memoryview(b'{"job_id": "j1", "status": "COMPLETED"}')
    assert webhooks.read_callback(body).job_id == "j1"  # type: ignore[arg-type]  # as verify takes


@pytest.mark.parametrize("headers", [None, [("X-Hume-AI-Webhook-Timestamp", "1")]])
def test_headers_that_are_no_mapping_are_refused_by_name(headers: Any) -> None:
    body, _ = posted()
    with pytest.raises(ConfigurationError, match="a mapping, not"):
        verify(body, headers, KEY, now=NOW)


@pytest.mark.parametrize("tolerance", ["180", float("nan"), -1])
def test_a_tolerance_that_is_no_length_of_time_is_refused(tolerance: Any) -> None:
    body, headers = posted()
    with pytest.raises(InvalidArgumentError, match="tolerance"):
        verify(body, headers, KEY, tolerance=tolerance, now=NOW)


def test_nothing_is_signed_without_a_key_or_with_a_fraction_of_a_second() -> None:
    with pytest.raises(ConfigurationError, match="key"):
        sign(b"{}", None, NOW)  # type: ignore[arg-type]  # a mistake
    with pytest.raises(InvalidArgumentError, match="a whole number"):
        sign(b"{}", KEY, NOW + 0.5)  # type: ignore[arg-type]  # a mistake


def test_nothing_is_signed_with_several_keys() -> None:
    several: Any = ["key-a", "key-b"]
    with pytest.raises(ConfigurationError, match="no text"):
        webhooks.sign(b"{}", several, 1)
