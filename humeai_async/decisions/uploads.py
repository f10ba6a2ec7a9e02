"""Uploads of Audio Decisions, checked against every documented limit before they are sent.

A refusal carries the service's own code and the name of the part. Sound that is neither WAV nor
MP3 is converted off the event loop where that can be done. Nothing here sends.
"""

from __future__ import annotations

from humeai_async._base.cancellation import in_thread
from humeai_async._base.frozen import frozen
from humeai_async.errors import InvalidArgumentError
from humeai_async.http import codec
from humeai_async.http.messages import JsonText, Part
from humeai_async.http.multipart import LARGEST_FILE, File, as_part, read_whole
from humeai_async.media.conversion import (
    ConversionError,
    convert_to_wav,
    has_decoder,
    how_to_convert,
)
from humeai_async.media.formats import NO_SOUND, Kind, describe_silent, kind_of
from humeai_async.media.mp3 import duration
from humeai_async.media.wav import (
    HEADER_BYTES,
    RATE,
    WIDTH,
    PackedWavError,
    WavError,
    read_wav,
    with_sizes,
)
from humeai_async.types.questions import QuestionSet

LARGEST_BODY = 25_000_000
"""Bytes of both parts together."""
ENVELOPE = 1_000
"""Bytes of an upload around its parts, at most."""
SHORTEST = 1.0
"""Seconds of audio at least."""
LONGEST = 300.0
"""Seconds of audio at most."""
TOO_SHORT = "audio_too_short"
TOO_LONG = "audio_too_long"
UNSUPPORTED = "audio_format_unsupported"
TOO_LARGE = "payload_too_large"

_SECOND = RATE * WIDTH
"""Bytes of a second of converted audio."""


@frozen
class Clip:
    """Audio that can be sent."""

    part: Part
    seconds: float
    """Its length."""
    data: bytes
    """The bytes of the part."""


def refuse(reason: str, code: str) -> InvalidArgumentError:
    """Return the error for audio that the service would refuse."""
    return InvalidArgumentError(reason, field="file", code=code, param="file")


def check_length(seconds: float) -> None:
    """Refuse audio that is too short or too long.

    Raises:
        InvalidArgumentError: `code` is `audio_too_short` or `audio_too_long`.
    """
    if seconds < SHORTEST:
        raise refuse(
            f"the audio is {seconds * 1000:.0f} ms long, and 1 second is the least", TOO_SHORT
        )
    if seconds > LONGEST:
        raise refuse(
            f"the audio is {seconds:.1f} s long, and {LONGEST:.0f} s are the most; "
            "hume.decisions.over takes longer recordings",
            TOO_LONG,
        )


async def read_clip(file: File, *, convert: bool = True) -> Clip:
    """Read audio and make sure that the service takes it.

    Raises:
        InvalidArgumentError: It would not; `code` is the service's own.
    """
    part = await as_part(file, argument="file", largest=LARGEST_FILE, too_large=TOO_LARGE)
    data = await read_whole(part)
    kind = kind_of(data)
    if kind in NO_SOUND:
        raise refuse(describe_silent(kind), UNSUPPORTED)
    reason = f"the file is {kind}, and only WAV and MP3 are taken"
    is_packed = False
    if kind is Kind.MP3:
        seconds = await in_thread(duration, data)
        if seconds:
            return _clip(data, part, "audio/mpeg", seconds, "audio.mp3")
        reason = "the file begins like MP3 and holds no sound"
    elif kind is Kind.WAV:
        try:
            wav = read_wav(data)
        except WavError as problem:
            reason = f"the WAV file cannot be read: {problem}"
            is_packed = isinstance(problem, PackedWavError)
        else:
            if not wav.is_sized:  # as programs leave it that write to a pipe
                data = await in_thread(with_sizes, data, wav)
            return _clip(data, part, "audio/wav", wav.seconds, "audio.wav")
    if not is_packed and kind in {Kind.UNKNOWN, Kind.WAV, Kind.MP3}:
        raise refuse(reason, UNSUPPORTED)
    if not convert or not has_decoder():
        raise refuse(f"{reason}{how_to_convert(convert=convert)}", UNSUPPORTED)
    data = await _converted(data)
    return _clip(data, part, "audio/wav", (len(data) - HEADER_BYTES) / _SECOND, "audio.wav")


def _clip(data: bytes, part: Part, content_type: str, seconds: float, name: str) -> Clip:
    check_length(seconds)
    filename = name if part.filename in {None, "file"} else part.filename
    return Clip(Part("file", data, filename, content_type, len(data)), seconds, data)


async def _converted(data: bytes) -> bytes:
    try:
        return await convert_to_wav(data, lambda size: check_length(max(SHORTEST, size / _SECOND)))
    except ConversionError as problem:
        reason = str(problem)
    raise refuse(f"the file cannot be read: {reason}", UNSUPPORTED)


def parts_of(questions: QuestionSet, clip: Clip) -> tuple[Part, Part]:
    """Return the parts of a request, in the documented order.

    Raises:
        InvalidArgumentError: They are too large together.
    """
    request = JsonText(codec.encode_request(questions.to_wire()))
    size = len(request) + len(clip.data) + ENVELOPE
    if size > LARGEST_BODY:
        raise InvalidArgumentError(
            f"the request has {size / 1e6:.1f} MB, and 25 MB are the most; 16 kHz mono WAV or MP3 "
            "is all that the service uses",
            field="file",
            code=TOO_LARGE,
        )
    return Part("request", request, None, "application/json"), clip.part
