"""Runs of Expression Measurement: what the service keeps of uploads and of sessions.

What a run measured is in `expression.py`.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Sequence

from attrs import Factory, field

from humeai_async._base.frozen import frozen
from humeai_async.types.expression import FaceSettings
from humeai_async.types.paging import CursorPage, Items
from humeai_async.types.times import from_rfc3339
from humeai_async.types.unknown_fields import Open


class ExpressionRunStatus(enum.StrEnum):
    """How far a run is; a live one that is silent for five minutes reads `errored`."""

    LIVE = "live"
    ENDED = "ended"
    ERRORED = "errored"


class RunMode(enum.StrEnum):
    """How the media of a run came."""

    REALTIME = "realtime"
    """Over a socket."""
    FILE = "file"
    """As an upload."""


class RunEndpoint(enum.StrEnum):
    """Kind of media that a run measured."""

    AUDIO = "audio"
    VIDEO = "video"


class RunEventKind(enum.StrEnum):
    """Problems that a session logs."""

    INVALID_AUDIO_FRAME = "invalid_audio_frame"
    INVALID_IMAGE_FRAME = "invalid_image_frame"
    RATE_LIMITED = "rate_limited"
    INFERENCE_FAILED = "inference_failed"
    """A video frame was skipped with `internal_error`."""
    MESSAGE_TOO_LARGE = "message_too_large"
    """The session ended."""
    VIDEO_RECORDING_ABANDONED = "video_recording_abandoned"
    """Frames are no longer stored; results are still delivered."""


@frozen(kw_only=True)
class AudioFormat(Open):
    """Format of the audio of a session; there is one only."""

    type: str = "audio/pcm"
    """MIME type."""
    encoding: str = "s16le"
    """Signed 16-bit samples, low byte first."""
    sample_rate: int = 16_000
    """Samples a second."""
    channels: int = 1
    """Number of channels."""


@frozen(kw_only=True)
class ImageFormat(Open):
    """Format of the images of a session; there is one only."""

    type: str = "image/jpeg"
    """MIME type."""


@frozen(kw_only=True)
class RunConfig(Open):
    """The settings that a run was made with."""

    schema: str | None = None
    """Version of the settings, such as `v4`."""
    audio: AudioFormat | None = None
    """Format of the audio."""
    measurement_timer_ms: int | None = None
    """Milliseconds of speech between two measurements."""
    image: ImageFormat | None = None
    """Format of the images."""
    face: FaceSettings | None = None
    """Which faces are listed."""


@frozen(kw_only=True)
class ExpressionRun(Open):
    """One upload or session, as the service remembers it; measurements are not kept.

    Lists hold runs without `close_code`, `close_reason` and `config`.
    """

    run_id: str
    """UUID of the run; `session_id` of a session."""
    user_id: str | None = None
    """Hume user who made it."""
    status: ExpressionRunStatus | str | None = None
    """How far it is."""
    endpoint: RunEndpoint | str | None = None
    """Kind of media."""
    mode: RunMode | str | None = None
    """Whether it is a session or an upload."""
    started_at: str | None = None
    """Start, in RFC 3339."""
    ended_at: str | None = None
    """End, in RFC 3339."""
    close_code: int | None = None
    """Close code of a session's socket; 1011 for a connection that was lost."""
    close_reason: str | None = None
    """Why a session ended; any text that a client may have sent."""
    bytes_received: int | None = None
    """Bytes of media that came."""
    bytes_recorded: int | None = None
    """Bytes of media that were stored."""
    metered_seconds: float | None = None
    """Seconds that are billed; grows while the run is live, and the least of ten seconds is
    applied at the end."""
    config: RunConfig | None = None
    """Its settings."""

    @property
    def start_time(self) -> dt.datetime | None:
        """Start of the run in UTC; `None` where it is not known."""
        return from_rfc3339(self.started_at)

    @property
    def end_time(self) -> dt.datetime | None:
        """End of the run in UTC; `None` where it is not known."""
        return from_rfc3339(self.ended_at)


@frozen(kw_only=True)
class ExpressionRunPage(CursorPage):
    """One page of runs, newest first."""

    runs: Items[ExpressionRun] = Factory(Items[ExpressionRun])
    """The runs on this page."""


@frozen(kw_only=True)
class RunEventDetail(Open):
    """What an event says of itself; which fields it has depends on its kind."""

    detail: str | None = None
    """What was wrong."""
    limit_bytes: int | None = None
    """Bytes that a message may have."""
    retryable: bool | None = None
    """Whether the frame was worth another try."""
    consecutive: int | None = None
    """Number of failures in a row; the fifth ends a session."""
    reason: str | None = None
    """Why it happened."""


@frozen(kw_only=True)
class RunEvent(Open):
    """A problem that a session logged."""

    seq: int
    """Number of the event, from 1."""
    at: str | None = None
    """When it happened, in RFC 3339."""
    kind: RunEventKind | str | None = None
    """What happened."""
    detail: RunEventDetail | None = None
    """More about it."""


@frozen(kw_only=True)
class RunEventsPage(CursorPage):
    """One page of a session's events, by number."""

    events: Items[RunEvent] = Factory(Items[RunEvent])
    """The events on this page."""
    at_cap: bool | None = None
    """True if events of some kinds were no longer logged, for there were too many. False
    proves nothing where there are gaps."""
    capped_kinds: Sequence[RunEventKind | str] = field(factory=list[RunEventKind | str])
    """Kinds of which later events are missing."""
    gaps: bool | None = None
    """True if numbered events were lost."""
