"""What Hume posts to the webhooks of an EVI config.

The types only; `humeai_async.webhooks` checks that a request is Hume's and reads it. Times are
milliseconds since 1970.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, get_args

from attrs import field

from humeai_async._base.frozen import frozen
from humeai_async.types.batch import JobStatus
from humeai_async.types.chat import ToolCallMessage
from humeai_async.types.tagged import Tagged, UnknownType
from humeai_async.types.times import from_milliseconds
from humeai_async.types.unknown_fields import Open


class ChatStartType(enum.StrEnum):
    """Whether a chat is a new one or goes on with an earlier one."""

    NEW = "new_chat_group"
    RESUMED = "resumed_chat_group"


class WebhookEndReason(enum.StrEnum):
    """Why a chat ended."""

    ACTIVE = "ACTIVE"
    USER_ENDED = "USER_ENDED"
    USER_TIMEOUT = "USER_TIMEOUT"
    INACTIVITY_TIMEOUT = "INACTIVITY_TIMEOUT"
    MAX_DURATION_TIMEOUT = "MAX_DURATION_TIMEOUT"
    SILENCE_TIMEOUT = "SILENCE_TIMEOUT"
    ERROR = "ERROR"


@frozen(kw_only=True)
class WebhookEvent(Open):
    """Any event that Hume posts; `event_name` tells the kinds apart."""

    event_name: str = ""
    """Kind of event, such as `chat_started`."""


@frozen(kw_only=True)
class BatchCallback:
    """What is posted to a batch job's `callback_url` when the job ends.

    It is not signed, so anybody may have posted it: a hint, and no more. What it says of the
    predictions is left out; fetch them from Hume.
    """

    job_id: str
    """Id of the job, in the form of one; whether it is yours is not known."""
    status: JobStatus | str | None = None
    """How the job has ended, as the sender says."""


@frozen(kw_only=True)
class ChatWebhookEvent(WebhookEvent):
    """What all known events say of their chat."""

    chat_id: str
    """Chat UUID."""
    chat_group_id: str | None = None
    """Conversation that the chat belongs to."""
    config_id: str | None = None
    """Config that the chat was opened with."""
    caller_number: str | None = field(default=None, repr=False)
    """Number of the caller in E.164 form, for chats over the telephone."""
    custom_session_id: str | None = None
    """Id that your own code gave to the session."""
    twilio_metadata: Mapping[str, Any] | None = field(default=None, repr=False)
    """What the telephone service reported of the call."""


@frozen(kw_only=True)
class WebhookChatStarted(ChatWebhookEvent):
    """A chat has started."""

    event_name: Literal["chat_started"] = "chat_started"
    start_time: int | None = None
    """Start of the chat, in milliseconds since 1970."""
    chat_start_type: ChatStartType | str | None = None
    """Whether the chat is a new one or goes on with an earlier one."""

    @property
    def started_at(self) -> dt.datetime | None:
        """Start of the chat as a time with UTC as its zone."""
        return from_milliseconds(self.start_time)


@frozen(kw_only=True)
class WebhookChatEnded(ChatWebhookEvent):
    """A chat has ended."""

    event_name: Literal["chat_ended"] = "chat_ended"
    end_time: int | None = None
    """End of the chat, in milliseconds since 1970."""
    duration_seconds: int | None = None
    """Length of the chat in seconds."""
    end_reason: WebhookEndReason | str | None = None
    """Why the chat ended."""

    @property
    def ended_at(self) -> dt.datetime | None:
        """End of the chat as a time with UTC as its zone."""
        return from_milliseconds(self.end_time)


@frozen(kw_only=True)
class WebhookToolCall(ChatWebhookEvent):
    """The assistant calls a tool of yours."""

    event_name: Literal["tool_call"] = "tool_call"
    timestamp: int | None = None
    """Time of the call, in milliseconds since 1970."""
    tool_call_message: ToolCallMessage | None = None
    """The call, with the tool's name and its arguments."""

    @property
    def called_at(self) -> dt.datetime | None:
        """Time of the call with UTC as its zone."""
        return from_milliseconds(self.timestamp)


@frozen(kw_only=True)
class UnknownWebhookEvent(WebhookEvent):
    """An event of a kind that this version of the library does not know."""

    event_name: UnknownType = ""
    """Kind of event as it came; empty if it has none."""
    data: Mapping[str, Any] = field(factory=dict[str, Any], repr=False)
    """The whole event as a plain JSON object."""


AnyWebhookEvent: TypeAlias = (
    WebhookChatStarted | WebhookChatEnded | WebhookToolCall | UnknownWebhookEvent
)
"""What `verify` returns: one of these, distinguished by their class or by their `event_name`."""

WEBHOOK_EVENTS: Tagged = Tagged.of(
    WebhookEvent, "event_name", get_args(AnyWebhookEvent), UnknownWebhookEvent
)
"""How webhook events are distinguished."""
