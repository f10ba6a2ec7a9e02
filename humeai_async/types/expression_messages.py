"""The messages of the Expression Measurement sockets, both ways.

Each message is a class, distinguished by `type` and by nothing else. A type that nobody knew when
this was written becomes an `UnknownMessage` with everything it held. Nothing here does I/O.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias, get_args

from attrs import field

from humeai_async._base.frozen import frozen
from humeai_async.types.expression import (
    Face,
    FaceSettings,
    MeasurementTrigger,
    NamedScore,
    find_probability,
)
from humeai_async.types.expression_runs import AudioFormat, ImageFormat
from humeai_async.types.tagged import Tagged, UnknownType
from humeai_async.types.unknown_fields import Open


class CloseReason(enum.StrEnum):
    """Why a session ended."""

    CLIENT_REQUEST = "client_request"
    SERVER_SHUTDOWN = "server_shutdown"
    IDLE_TIMEOUT = "idle_timeout"
    ERROR = "error"


class SessionErrorCode(enum.StrEnum):
    """Codes of the errors in a session."""

    INVALID_AUDIO_FRAME = "invalid_audio_frame"
    INVALID_IMAGE_FRAME = "invalid_image_frame"
    MESSAGE_INVALID = "message_invalid"
    RATE_LIMITED = "rate_limited"
    CONFIG_INVALID = "config_invalid"
    MESSAGE_TOO_LARGE = "message_too_large"
    INTERNAL_ERROR = "internal_error"


@frozen(kw_only=True)
class Message(Open):
    """Field that all messages of the sockets share."""

    type: str
    """Kind of the message, such as `measurement.result`."""


@frozen(kw_only=True)
class AudioMessage(Message):
    """A message from Hume on the audio socket."""


@frozen(kw_only=True)
class VideoMessage(Message):
    """A message from Hume on the video socket."""


@frozen(kw_only=True)
class ClientMessage(Message):
    """A message to Hume on either socket."""


@frozen(kw_only=True)
class _Settings(Message):
    """Settings of a session."""

    audio: AudioFormat | None = None
    """Format of the audio; audio only."""
    measurement_timer_ms: int | None = None
    """Milliseconds of speech between two measurements, 3000 to 10000; audio only."""
    image: ImageFormat | None = None
    """Format of the images; video only."""
    face: FaceSettings | None = None
    """Which faces are listed; video only."""


@frozen(kw_only=True)
class SessionCreated(_Settings, AudioMessage, VideoMessage):
    """The first message of a session, with the default settings."""

    type: Literal["session.created"] = "session.created"
    session_id: str | None = None
    """Id of the session, which is also its run's."""


@frozen(kw_only=True)
class SessionUpdated(_Settings, AudioMessage, VideoMessage):
    """All settings in force after an update."""

    type: Literal["session.updated"] = "session.updated"


@frozen(kw_only=True)
class UtteranceStart(AudioMessage):
    """Speech began at some time of the audio."""

    type: Literal["utterance.start"] = "utterance.start"
    utterance_id: int
    """Index of the utterance in the session; the first is 0."""
    audio_start_ms: int
    """When it began, in milliseconds of the audio that was sent."""


@frozen(kw_only=True)
class UtteranceEnd(AudioMessage):
    """Speech ended; may be missing when the session fails."""

    type: Literal["utterance.end"] = "utterance.end"
    utterance_id: int
    """Index of the utterance in the session."""
    audio_start_ms: int
    """When it began, in milliseconds of the audio that was sent."""
    audio_end_ms: int
    """When it ended, in milliseconds of the audio that was sent."""


@frozen(kw_only=True)
class AudioMeasured(AudioMessage):
    """The scores of one window of speech; `message["joy"]` is one of them."""

    type: Literal["measurement.result"] = "measurement.result"
    measurement_id: int
    """Index in the session; the first is 0."""
    utterance_id: int
    """Utterance that the window belongs to."""
    audio_start_ms: int
    """Start of the window, in milliseconds of the audio that was sent."""
    audio_end_ms: int
    """End of the window, in milliseconds of the audio that was sent."""
    trigger: MeasurementTrigger | str | None = None
    """Why it was taken."""
    expressions: Sequence[NamedScore] = field(factory=list[NamedScore])
    """Expressions that were found present, best first."""
    voice_attributes: Sequence[NamedScore] = field(factory=list[NamedScore])
    """Qualities of voice and recording, best first."""

    def __getitem__(self, name: str) -> float | None:
        """Return the score of an expression or voice attribute; `None` where it is not listed."""
        return find_probability(name, self.expressions, self.voice_attributes)


@frozen(kw_only=True)
class VideoMeasured(VideoMessage):
    """The faces of one frame."""

    type: Literal["measurement.result"] = "measurement.result"
    frame_id: int
    """Number of results of the session before this one."""
    faces: Sequence[Face] = field(factory=list[Face])
    """Measured ones first, by size, then the others; none is a normal result."""


@frozen(kw_only=True)
class SessionError(AudioMessage, VideoMessage):
    """Something was refused or failed; most errors leave the session open."""

    type: Literal["error"] = "error"
    code: SessionErrorCode | str | None = None
    """What it is."""
    message: str | None = None
    """What the service says of it."""
    retryable: bool | None = None
    """Whether the frame is worth another try; false for errors that end the session."""


@frozen(kw_only=True)
class SessionReceived(Open):
    """What a session took in: frames that were accepted."""

    audio_duration_ms: int | None = None
    """Milliseconds of audio; audio only."""
    frames: int | None = None
    """Number of frames; those of video that failed later are counted."""


@frozen(kw_only=True)
class SessionProduced(Open):
    """What a session gave out."""

    utterances: int | None = None
    """Number of utterances; audio only."""
    measurements: int | None = None
    """Number of results of audio; of video the number of measured faces."""


@frozen(kw_only=True)
class SessionClosed(AudioMessage, VideoMessage):
    """The last message of a session that ended in good order."""

    type: Literal["session.closed"] = "session.closed"
    session_id: str | None = None
    """Id of the session."""
    reason: CloseReason | str | None = None
    """Why it ended."""
    received: SessionReceived | None = None
    """What was taken in."""
    produced: SessionProduced | None = None
    """What was given out."""


@frozen(kw_only=True)
class UnknownMessage(AudioMessage, VideoMessage, ClientMessage):
    """A message of a type that this version of the library does not know."""

    type: UnknownType = ""
    """The message's own type."""
    data: Mapping[str, Any] = field(factory=dict[str, Any])
    """The whole message, as it came."""


@frozen(kw_only=True)
class SessionUpdate(_Settings, ClientMessage):
    """Settings of a session, before its first media; those left out go back to defaults."""

    type: Literal["session.update"] = "session.update"


@frozen(kw_only=True)
class SessionClose(ClientMessage):
    """Asks the service to measure what it has, and to end the session."""

    type: Literal["session.close"] = "session.close"


@frozen(kw_only=True)
class SessionResumed(AudioMessage, VideoMessage):
    """A note of the library itself: a lost session goes on as a new one.

    Ids and times of later messages go on, too; those of faces begin anew.
    """

    type: Literal["session.resumed"] = "session.resumed"
    session_id: str | None = None
    """Id of the new session."""
    previous_session_id: str | None = None
    """Id of the one that was lost."""
    replayed_ms: int = 0
    """Milliseconds of audio that are sent again, for nothing was measured of them."""
    lost_ms: int = 0
    """Milliseconds of audio that are not measured: more than is kept for a replay."""
    replayed_frames: int = 0
    """Frames of video that are sent again."""
    lost_frames: int = 0
    """Frames of video that are not measured."""


_FromAudio: TypeAlias = (
    SessionCreated
    | SessionUpdated
    | UtteranceStart
    | AudioMeasured
    | UtteranceEnd
    | SessionError
    | SessionClosed
    | UnknownMessage
)
AnyAudioMessage: TypeAlias = _FromAudio | SessionResumed
"""What an audio session gives; `message.type == "measurement.result"` leaves `AudioMeasured`."""

_FromVideo: TypeAlias = (
    SessionCreated | SessionUpdated | VideoMeasured | SessionError | SessionClosed | UnknownMessage
)
AnyVideoMessage: TypeAlias = _FromVideo | SessionResumed
"""What a video session gives; `message.type == "measurement.result"` leaves `VideoMeasured`."""

AUDIO_MESSAGES = Tagged.of(AudioMessage, "type", get_args(_FromAudio), UnknownMessage)
"""All messages from Hume on the audio socket, by type."""

VIDEO_MESSAGES = Tagged.of(VideoMessage, "type", get_args(_FromVideo), UnknownMessage)
"""All messages from Hume on the video socket, by type."""

CLIENT_MESSAGES = Tagged.of(ClientMessage, "type", (SessionUpdate, SessionClose), UnknownMessage)
"""All messages to Hume on both sockets, by type."""
